"""A sink that remembers: what sources are tested with."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from celeryscope.ingest.source import RawMessage, Source


class RecordingSink:
    """Takes what a source tells; `wait` waits until it has told enough."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []  # ("connected", url), ("disconnected", why, hint)
        self.received: list[RawMessage] = []
        self.envelopes: list[bytes] = []
        self.refusals: Counter[str] = Counter()
        self.most_buffered = 0
        self.idles = 0
        self._changed = threading.Condition()

    def connected(self, url: str) -> None:
        self._tell("connected", url)

    def disconnected(self, reason: str, hint: str = "") -> None:
        self._tell("disconnected", reason, hint)

    def redis_envelopes(self, payloads: Sequence[bytes], received_at: float | None = None) -> None:
        with self._changed:
            self.envelopes += payloads
            self._changed.notify_all()

    def messages(self, messages: Sequence[RawMessage], received_at: float | None = None) -> None:
        with self._changed:
            self.received += messages
            self._changed.notify_all()

    def refused(self, reason: str, count: int = 1) -> None:
        with self._changed:
            self.refusals[reason] += count
            self._changed.notify_all()

    def buffered(self, size_bytes: int) -> None:
        self.most_buffered = max(self.most_buffered, size_bytes)

    def dropped(self, messages: int, size_bytes: int) -> None:
        raise AssertionError("nothing may be dropped in a test")

    def idle(self) -> None:
        with self._changed:
            self.idles += 1
            self._changed.notify_all()

    def _tell(self, *what: str) -> None:
        with self._changed:
            self.told.append(what)
            self._changed.notify_all()

    def wait(self, condition: Callable[[RecordingSink], object], *, seconds: float = 20) -> None:
        """Wait until `condition` holds; fail with what was told when it does not come."""
        with self._changed:
            held = self._changed.wait_for(lambda: condition(self), timeout=seconds)
        assert held, f"told {self.told}, {len(self.received)} messages, {self.refusals}"

    @property
    def said(self) -> list[str]:
        """What was told: "connected", or why not."""
        return [what[0] if what[0] == "connected" else what[1] for what in list(self.told)]

    @property
    def hints(self) -> list[str]:
        return [what[2] for what in list(self.told) if what[0] == "disconnected"]

    @property
    def connections(self) -> int:
        return sum(what[0] == "connected" for what in self.told)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events in the JSON messages that were received."""
        events: list[dict[str, Any]] = []
        for message in list(self.received):
            body = json.loads(message.body)
            events += body if isinstance(body, list) else [body]
        return events


@contextmanager
def reading(source: Source) -> Iterator[RecordingSink]:
    """Run a source in a thread until the end of the block."""
    sink, stop = RecordingSink(), threading.Event()
    thread = threading.Thread(target=source.run, args=(sink, stop), name="source under test")
    thread.start()
    try:
        yield sink
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive(), "the source does not end"


def eventually(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
