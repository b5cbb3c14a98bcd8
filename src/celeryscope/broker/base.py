"""How full the queues are: what is read, and the thread that reads it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from celeryscope.broker.depths import DepthHistory
from celeryscope.errors import SourceError, broker_trouble

logger = logging.getLogger(__name__)

_MAX_NAME_CHARS = 512
_LAST_BACKOFF_SECONDS = 60.0


class QueueDepth(msgspec.Struct, frozen=True):
    """One queue; what is not known is None, and `error` says why."""

    name: str
    # Waiting, without those that a worker holds unacknowledged; in Redis that is everything it
    # has prefetched, so that a queue of 0 says nothing of what waits inside the workers.
    messages: int | None = None
    consumers: int | None = None
    error: str | None = None
    # With a worker, which has not acknowledged them: prefetched, waiting for their ETA, or, with
    # `acks_late`, running.
    unacknowledged: int | None = None


class Depths(Protocol):
    """Reads depths from one kind of broker. Used from one thread."""

    def read(self, queues: Sequence[str]) -> list[QueueDepth]:
        """Give the depth of each queue, in order. Connects when needed.

        Raises `SourceError` when the broker cannot be asked at all.
        """

    def close(self) -> None:
        """Close the connection; `read` opens it again."""


class QueuePoller:
    """Reads the depths every `interval_seconds`, in a daemon thread of its own.

    `queues` is asked for the names each time. `latest` is replaced as a whole; it keeps what
    was read last when the broker does not answer, `at` is how old that is, and `error` why.
    `asked` are the names of the last attempt, whatever became of it, `attempts` how many there
    were, and `history` what was read in the last ten minutes.
    """

    def __init__(
        self,
        *,
        depths: Depths,
        queues: Callable[[], Iterable[str]],
        interval_seconds: float = 5.0,
        max_queues: int = 1000,
        on_error: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._depths = depths
        self._queues = queues
        self.interval_seconds = interval_seconds
        self._max_queues = max_queues
        self._on_error = on_error
        self._clock = clock
        self.latest: Mapping[str, QueueDepth] = {}
        self.at: float | None = None
        self.error: str | None = None
        self.asked: Sequence[str] = ()
        self.attempts = 0
        self.history = DepthHistory(interval_seconds=interval_seconds)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first reading is at once."""
        self._thread = threading.Thread(target=self._run, name="queue-depths", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End. A reading under way is not waited for longer than a moment."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(3.0)

    def _run(self) -> None:
        pause = self.interval_seconds
        while True:
            if self.poll():
                pause = self.interval_seconds
            else:
                longest = max(_LAST_BACKOFF_SECONDS, self.interval_seconds)
                pause = min(max(pause * 2, 1.0), longest)
            if self._stop.wait(pause):
                break
        self._depths.close()

    def poll(self) -> bool:
        """Read once; say whether the broker answered."""
        try:
            asked = dict.fromkeys(self._queues())
            names = [name for name in asked if 0 < len(name) <= _MAX_NAME_CHARS]
            self.asked = names = names[: self._max_queues]
            read = self._depths.read(names) if names else []
        except Exception as error:
            if not isinstance(error, SourceError):
                logger.debug("queue depths cannot be read", exc_info=True)
            self._tell(str(broker_trouble(error, where="the broker")))
            self._depths.close()
            self.history.add(self._clock(), {})
            self.attempts += 1
            return False
        self.latest = {depth.name: depth for depth in read}
        self.at = self._clock()
        self.error = None
        self.history.add(self.at, {depth.name: depth.messages for depth in read})
        self.attempts += 1
        return True

    def _tell(self, trouble: str) -> None:
        if trouble != self.error:
            logger.warning("queue depths cannot be read: %s", trouble)
            if self._on_error is not None:
                self._on_error(trouble)
        self.error = trouble
