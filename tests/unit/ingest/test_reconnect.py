"""The loop of every source: nothing ends it but the wish to stop."""

from __future__ import annotations

import threading

import pytest

from celeryscope.errors import BrokerUnreachable, SourceError
from celeryscope.ingest import reconnect
from tests.recording import RecordingSink


class Stop(threading.Event):
    """Stops after so many waits, none of which takes time."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waited: list[float | None] = []
        self._waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        if len(self.waited) >= self._waits:
            self.set()
        return self.is_set()


def explain(error: Exception) -> SourceError:
    return BrokerUnreachable(f"told: {error}", hint="look")


def broken() -> None:
    raise KeyError("anything")


def test_whatever_breaks_is_told_and_tried_again_after_a_longer_and_longer_wait() -> None:
    sink, stop = RecordingSink(), Stop(9)
    reconnect.keep_reading(broken, explain=explain, sink=sink, stop=stop)
    assert sink.said == ["told: 'anything'"] * 9
    assert sink.hints == ["look"] * 9
    assert stop.waited == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert sink.idles == 9


def test_after_a_connection_that_held_the_wait_is_short_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink, stop = RecordingSink(), Stop(5)
    held = iter([0.0, 0.1, 10.0, 10.1, 20.0, 25.0, 30.0, 30.1, 40.0, 40.1])
    monkeypatch.setattr("celeryscope.ingest.reconnect.time.monotonic", lambda: next(held))
    reconnect.keep_reading(broken, explain=explain, sink=sink, stop=stop)
    assert stop.waited == [0.1, 0.2, 0.1, 0.2, 0.4]
