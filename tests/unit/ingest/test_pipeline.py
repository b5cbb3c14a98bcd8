"""The fan-out: batches to the fold, gaps and refusals to the losses, and nothing stops it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from celeryscope.cluster.accounting import Accounting
from celeryscope.ingest.pipeline import Pipeline
from celeryscope.ingest.source import RawMessage
from celeryscope.model.event import Event

NOW = 1_795_000_000.0


class Wired:
    """A pipeline with a clock of its own, and what came out of it."""

    def __init__(self) -> None:
        self.now = NOW
        self.batches: list[tuple[Sequence[Event], float]] = []
        self.ticks: list[float] = []
        self.losses = Accounting()
        self.fails = False
        self.pipeline = Pipeline(
            fold=self._fold,
            tick=self._tick,
            losses=self.losses,
            transport="redis",
            url="redis://b/0",
            max_message_bytes=10_000_000,
            clock=lambda: self.now,
        )

    def _fold(self, events: Sequence[Event], received_at: float) -> None:
        if self.fails:
            raise KeyError("a fault of ours")
        self.batches.append((events, received_at))

    def _tick(self, now: float) -> None:
        if self.fails:
            raise KeyError("a fault of ours")
        self.ticks.append(now)

    def send(self, count: int, *, received_at: float | None = None) -> None:
        told = [
            {"type": "task-started", "hostname": "w", "timestamp": NOW, "uuid": f"u{i}"}
            for i in range(count)
        ]
        body = RawMessage(json.dumps(told).encode(), "application/json", "utf-8")
        self.pipeline.messages([body], received_at)


def test_events_reach_the_fold_in_slices_that_do_not_hold_its_lock_for_long() -> None:
    wired = Wired()
    wired.send(1200, received_at=NOW - 2.0)
    assert [len(events) for events, _ in wired.batches] == [500, 500, 200]
    assert {at for _, at in wired.batches} == {NOW - 2.0}
    assert wired.pipeline.backlog_seconds == 2.0
    assert wired.pipeline.received == 1200


def test_it_ticks_once_a_second_busy_or_idle() -> None:
    wired = Wired()
    for _ in range(30):
        wired.now += 0.1
        wired.send(1)
    for _ in range(30):
        wired.now += 0.1
        wired.pipeline.idle()
    assert 5 <= len(wired.ticks) <= 6


def test_the_status_tells_how_we_stand_with_the_broker() -> None:
    wired = Wired()
    pipeline = wired.pipeline
    assert pipeline.status.state == "connecting"
    pipeline.disconnected("refused", "start it")
    wired.now += 5
    pipeline.disconnected("refused again", "start it")
    status = pipeline.status
    assert (status.state, status.since, status.error) == ("disconnected", NOW, "refused again")
    assert (status.blind_since, status.blind_until) == (NOW, None)
    pipeline.connected("redis://b/0")
    status = pipeline.status
    assert (status.state, status.error, status.hint) == ("connected", None, None)
    assert (status.blind_since, status.blind_until) == (NOW, NOW + 5)
    assert [(gap.start, gap.end) for gap in wired.losses.gaps] == [(NOW, NOW + 5)]


def test_a_fault_of_ours_is_counted_and_does_not_end_the_reader(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wired = Wired()
    wired.fails = True
    wired.send(3)
    wired.now += 2
    wired.pipeline.idle()
    wired.fails = False
    wired.send(3)
    assert [len(events) for events, _ in wired.batches] == [3]
    assert wired.losses.rejected == {"internal_error": 1}
    assert wired.pipeline.faults == 2
    assert "could not be handled" in caplog.text


def test_pickle_is_said_once() -> None:
    wired = Wired()
    for _ in range(3):
        wired.pipeline.messages([RawMessage(b"\x80", "application/x-python-serialize", "binary")])
    assert wired.losses.rejected == {"pickle": 3}
    assert wired.batches == []


def test_what_the_source_lost_is_counted() -> None:
    wired = Wired()
    wired.pipeline.dropped(3, 900)
    wired.pipeline.refused("too_large", 2)
    wired.pipeline.buffered(77)
    assert (wired.losses.dropped_messages, wired.losses.dropped_bytes) == (3, 900)
    assert wired.losses.rejected == {"too_large": 2}
    assert wired.pipeline.buffer_bytes == 77
