"""What was lost: heartbeats against the starts that came, gaps, drops."""

from __future__ import annotations

import pytest

from celeryscope.cluster.accounting import (
    JOIN_HEARTBEATS,
    SETTLE_SECONDS,
    Accounting,
    StartLedger,
)


class Watched:
    """A worker process and what of it reaches a ledger."""

    def __init__(self, *, from_birth: bool = True, processed: int = 0) -> None:
        self.ledger = StartLedger(from_birth=from_birth)
        self.now = 100.0
        self.processed = processed

    def run(self, starts: int, *, lost: int = 0, active: int = 0) -> None:
        """Let two seconds pass with so many starts, of which some get lost, and a heartbeat."""
        for i in range(starts):
            self.processed += 1
            if i >= lost:
                self.ledger.start(self.now + 0.001 * (i + 1))
        self.now += 2.0
        self.beat(active=active)

    def beat(self, *, active: int = 0) -> bool:
        return self.ledger.heartbeat(
            at=self.now, processed=self.processed, active=active, arrived=self.now
        )

    def settled(self) -> int:
        self.ledger.settle(self.now + SETTLE_SECONDS)
        return self.ledger.lost


def test_nothing_is_lost_when_every_start_came() -> None:
    worker = Watched()
    for _ in range(20):
        worker.run(50)
    assert worker.settled() == 0


def test_starts_that_never_came_are_counted_exactly() -> None:
    worker = Watched()
    worker.run(50)
    worker.run(50, lost=13)
    worker.run(50, lost=4)
    worker.run(50)
    worker.run(0)
    assert worker.settled() == 17


def test_a_loss_is_told_once() -> None:
    worker = Watched()
    worker.run(10, lost=3)
    worker.run(10)
    assert worker.ledger.settle(worker.now + SETTLE_SECONDS) == 3
    worker.run(10)
    assert worker.ledger.settle(worker.now + SETTLE_SECONDS) == 0


def test_a_start_that_comes_after_its_heartbeat_is_not_lost() -> None:
    worker = Watched()
    worker.processed = 1
    worker.now += 2.0
    worker.beat()
    worker.ledger.start(worker.now - 0.01)
    worker.run(5)
    assert worker.settled() == 0


def test_a_start_counted_just_before_it_is_stamped_is_not_lost() -> None:
    worker = Watched()
    for _ in range(10):
        worker.processed += 1
        worker.now += 2.0
        worker.beat()
        worker.ledger.start(worker.now + 0.0001)
        worker.run(3)
    assert worker.settled() == 0


def test_a_heartbeat_is_not_judged_before_its_starts_can_be_here() -> None:
    worker = Watched()
    worker.run(5, lost=5)
    worker.run(5, lost=5)
    assert worker.ledger.settle(worker.now + SETTLE_SECONDS - 0.01) == 0


def test_what_ran_before_we_looked_is_not_lost() -> None:
    worker = Watched(from_birth=False, processed=123_456)
    for _ in range(JOIN_HEARTBEATS + 3):
        worker.run(10, active=2)
    worker.run(10, lost=4, active=2)
    worker.run(10, active=2)
    assert worker.settled() == 4


def test_a_sender_that_counts_at_the_end_of_a_task_is_never_accused_after_a_late_join() -> None:
    ledger = StartLedger(from_birth=False)
    active = [5, 3, 6, 2, 4, 5, 1, 0, 0, 0]
    started = 100
    for i, running in enumerate(active):
        for n in range(10):
            ledger.start(i * 2.0 - 1.0 + n / 100)
        started += 10
        ledger.heartbeat(at=i * 2.0, processed=started - running, active=running, arrived=i * 2.0)
    ledger.settle(1000.0)
    assert ledger.lost == 0


def test_a_count_that_falls_begins_again_and_keeps_what_was_lost() -> None:
    worker = Watched()
    worker.run(10, lost=2)
    worker.run(10)
    worker.run(10)
    worker.processed = 0
    worker.run(10)
    worker.run(10, lost=1)
    worker.run(10)
    assert worker.settled() == 3


@pytest.mark.parametrize("back", [0.0, 1.0])
def test_an_old_heartbeat_changes_nothing(back: float) -> None:
    worker = Watched()
    worker.run(10)
    worker.now -= back
    worker.processed = 0
    assert worker.beat() is False
    worker.now += back
    worker.processed = 10
    worker.run(10)
    assert worker.settled() == 0


def test_a_gap_is_open_until_it_ends() -> None:
    accounting = Accounting()
    accounting.gap_begins(10.0, "closed")
    accounting.gap_begins(11.0, "refused")
    assert [(g.start, g.end, g.reason) for g in accounting.gaps] == [(10.0, None, "closed")]
    assert accounting.gap_seconds(15.0) == 5.0
    accounting.gap_ends(16.0)
    accounting.gap_ends(17.0)
    assert accounting.gap_seconds(99.0) == 6.0
    assert accounting.gaps_total == 1


def test_only_the_last_gaps_are_kept_but_all_are_counted() -> None:
    accounting = Accounting(most_gaps=3)
    for i in range(10):
        accounting.gap_begins(i * 2.0, "x")
        accounting.gap_ends(i * 2.0 + 1.0)
    assert len(accounting.gaps) == 3
    assert accounting.gaps_total == 10
    assert accounting.gap_seconds(0.0) == 10.0


def test_only_time_with_a_connection_is_listened_in() -> None:
    accounting = Accounting()
    assert accounting.listened(0.0, 100.0) == 0.0
    accounting.gap_begins(5.0, "refused")
    accounting.gap_ends(10.0)
    assert accounting.listened(0.0, 100.0) == 90.0
    accounting.gap_begins(20.0, "away")
    accounting.gap_ends(30.0)
    accounting.gap_begins(50.0, "away")
    assert accounting.listened(0.0, 100.0) == 30.0
    assert accounting.listened(25.0, 100.0) == 20.0
    assert accounting.listened(40.0, 100.0) == 10.0
    assert accounting.listened(60.0, 100.0) == 0.0
    accounting.gap_ends(90.0)
    assert accounting.listened(60.0, 100.0) == 10.0
