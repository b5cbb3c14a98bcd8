"""The thread that reads schedules, and what it reads them from."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from celeryscope.errors import without_passwords
from celeryscope.model.schedule import Schedule
from celeryscope.schedules.beat import BeatSchedule
from celeryscope.schedules.django import DjangoSchedule
from celeryscope.schedules.redbeat import RedBeatSchedule

logger = logging.getLogger(__name__)

_MOST_SAID_CHARS = 400
_FIRST_PAUSE_SECONDS = 2.0


class Source(Protocol):
    """One place where entries are kept. Used from one thread."""

    @property
    def name(self) -> str: ...
    def read(self, now: float) -> Schedule:
        """Read all entries; raises anything when that fails."""


class Reader:
    """Reads every schedule each `interval_seconds`, at first oftener, in a daemon thread of its own.

    `latest` is replaced as a whole and has one Schedule of each source. A source that fails
    keeps the entries that were read last: its state is `failed`, `read_at` is how old they are.
    `conf_of_workers` gives what each worker says of its settings, by name; None: not yet.
    """

    def __init__(
        self,
        *,
        app: Any,
        conf_of_workers: Callable[[], Mapping[str, Mapping[str, Any] | None]],
        interval_seconds: float = 30.0,
        clock: Callable[[], float] = time.time,
        sources: Sequence[Source] | None = None,
    ) -> None:
        self._sources: Sequence[Source] = sources or (
            BeatSchedule(app=app, conf_of_workers=conf_of_workers),
            DjangoSchedule(app=app),
            RedBeatSchedule(app=app),
        )
        self._interval = interval_seconds
        self._clock = clock
        self.latest: Sequence[Schedule] = tuple(
            Schedule(source=source.name, state="absent", said="It has not been read yet.")
            for source in self._sources
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first reading is at once."""
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End. A reading under way is not waited for longer than a moment."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(3.0)

    def _run(self) -> None:
        # At first the workers have told nothing of themselves yet.
        pause = min(_FIRST_PAUSE_SECONDS, self._interval)
        while True:
            self.read()
            if self._stop.wait(pause):
                break
            pause = min(2 * pause, self._interval)

    def read(self) -> None:
        """Read every source once."""
        self.latest = tuple(
            self._read(source, before)
            for source, before in zip(self._sources, self.latest, strict=True)
        )

    def _read(self, source: Source, before: Schedule) -> Schedule:
        try:
            return source.read(self._clock())
        except Exception as error:
            said = without_passwords(" ".join(str(error).split())) or type(error).__name__
            if said != before.said:
                logger.warning("a schedule cannot be read: %s: %s", source.name, said)
                logger.debug("how it failed", exc_info=True)
            return msgspec.structs.replace(
                before,
                state="failed",
                said=said[:_MOST_SAID_CHARS],
                read_at=None if before.state == "absent" else before.read_at,
            )
