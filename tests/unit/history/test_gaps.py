"""What is missing, as consoles note it and as nobody saw it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celeryscope.cluster.accounting import Gap as Cut
from celeryscope.errors import Unavailable
from celeryscope.history import gaps
from celeryscope.history.gaps import NEVER_CAME, NOT_RUNNING, NOT_WRITTEN, Gaps, Row, Run, unseen
from celeryscope.history.sql import queries
from celeryscope.history.store import History
from tests.unit.history import lives

T = lives.START
REDIS = "redis://localhost:6379/0"
_S = 1_000_000


class Clock:
    def __init__(self, at: float = T) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = lives.opened(tmp_path / "h.db")
    yield history
    history.close()


def told(history: History, start: float = 0, stop: float = 10_000, *, now: float = 10_000) -> Any:
    found = gaps.between(history, T + start, T + stop, now=T + now)
    return [
        (gap.kind, gap.start - T, None if gap.end is None else gap.end - T, gap.worker, gap.events)
        for gap in found
    ]


def noting(history: History, at: float = 0, broker: str = REDIS) -> tuple[Gaps, Clock]:
    clock = Clock(T + at)
    noted = Gaps(history, broker=broker, clock=clock)
    noted.write()
    noted.connected(T + at)
    return noted, clock


def test_a_cut_is_noted_while_it_lasts_and_when_it_is_over(history: History) -> None:
    noted, clock = noting(history)
    noted.tell(now=T + 10, cuts=[Cut(T + 10, None, "no route")])
    clock.at = T + 12
    noted.write()
    assert told(history, now=12) == [("disconnected", 10, None, None, None)]
    noted.tell(now=T + 20, cuts=[Cut(T + 10, T + 20, "no route")])
    noted.write()
    noted.write()
    assert told(history, now=21) == [("disconnected", 10, 20, None, None)]


def test_only_gaps_that_touch_the_time_are_given(history: History) -> None:
    noted, _ = noting(history)
    cuts = [Cut(T + at, T + at + 5, "away") for at in (10, 30, 50)]
    noted.tell(now=T + 60, cuts=cuts)
    noted.write()
    assert [start for _, start, *_ in told(history, 15, 40)] == [30]
    assert [start for _, start, *_ in told(history, 12, 31)] == [10, 30]
    newest = gaps.between(history, T, T + 100, now=T + 60, most=2)
    assert [gap.start - T for gap in newest] == [30, 50]


def test_what_is_told_again_is_not_written_again(history: History) -> None:
    noted, _ = noting(history)
    cuts = [Cut(T + at, T + at + 5, "away") for at in (10, 30, 50)]
    noted.tell(now=T + 60, cuts=cuts)
    assert len(noted._waiting) == 3
    noted.write()
    noted.tell(now=T + 61, cuts=cuts)
    assert not noted._waiting


def test_losses_of_a_worker_that_follow_each_other_are_one_gap(history: History) -> None:
    noted, _ = noting(history)
    noted.tell(now=T + 10, lost=[("celery@a", T + 5, T + 7, 3), ("celery@b", T + 5, T + 7, 1)])
    noted.tell(now=T + 20, lost=[("celery@a", T + 11, T + 13, 4)])
    noted.tell(now=T + 300, lost=[("celery@a", T + 290, T + 292, 1)])
    noted.write()
    assert told(history) == [
        ("lost", 5, 13, "celery@a", 7),
        ("lost", 5, 7, "celery@b", 1),
        ("lost", 290, 292, "celery@a", 1),
    ]
    assert gaps.between(history, T, T + 9, now=T + 300)[0].reason == NEVER_CAME


def test_a_loss_since_the_start_of_a_worker_has_a_beginning(history: History) -> None:
    noted, _ = noting(history)
    noted.tell(now=T + 100, lost=[("celery@a", float("-inf"), T + 90, 1)])
    noted.write()
    assert told(history) == [("lost", 30, 90, "celery@a", 1)]


def test_what_was_dropped_is_counted_by_cause(history: History) -> None:
    noted, _ = noting(history)
    noted.tell(now=T + 10)
    noted.tell(now=T + 11, dropped=5, unwritten=1)
    noted.tell(now=T + 12, dropped=7, unwritten=2)
    noted.tell(now=T + 13, dropped=7, unwritten=2)
    noted.write()
    found = gaps.between(history, T, T + 100, now=T + 20)
    assert [(round(gap.start - T, 3), gap.end and gap.end - T, gap.events) for gap in found] == [
        (10, 12, 7),
        (10, 12, 2),
    ]
    assert found[1].reason == NOT_WRITTEN


def test_the_time_until_the_next_start_is_a_gap(history: History) -> None:
    first, clock = noting(history)
    clock.at = T + 50
    first.write(stopping=True)
    second = Gaps(history, broker=REDIS, clock=Clock(T + 80))
    second.write()
    second.connected(T + 82)
    second.write()
    assert told(history, now=90) == [("stopped", 50, 82, None, None)]
    assert gaps.between(history, T, T + 100, now=T + 90)[0].reason == NOT_RUNNING


def test_a_console_of_another_broker_knows_nothing_of_the_time_before(history: History) -> None:
    first, clock = noting(history)
    clock.at = T + 50
    first.write(stopping=True)
    noting(history, 80, broker="amqp://elsewhere")
    assert told(history, now=90) == []


def test_a_console_that_died_leaves_no_gap_open(history: History) -> None:
    first, clock = noting(history)
    first.tell(now=T + 40, cuts=[Cut(T + 40, None, "no route")])
    clock.at = T + 50
    first.write()
    assert told(history, now=55) == [("disconnected", 40, None, None, None)]
    # Long after its last sign of life, even if no console has started again:
    assert told(history, now=500) == [("disconnected", 40, 50, None, None)]
    noting(history, 600)[0].write()
    assert told(history, now=601) == [
        ("disconnected", 40, 50, None, None),
        ("stopped", 50, 600, None, None),
    ]


def test_a_process_that_is_no_more_is_dead_at_once(history: History) -> None:
    host, now = socket.gethostname(), int(T * _S)
    with history.writing() as db:
        gone = Run("gone", REDIS, host, 2**22 + 1, now, now + 10 * _S, 0)
        there = Run("there", "other", host, os.getppid(), now, now + 10 * _S, 0)
        db.executemany(queries()["put_console"], [gone, there])
    noting(history, 12)[0].write()
    assert told(history, now=13) == [("stopped", 10, 12, None, None)]
    with history.reading() as db:
        stopped = dict(db.execute("SELECT id, stopped FROM console").fetchall())
    assert (stopped["gone"], stopped["there"]) == (1, 0)


def test_what_cannot_be_written_is_written_later(history: History) -> None:
    class Locked:
        locked = True

        def flush(self, timeout_seconds: float = 60.0) -> None:
            pass

        def writing(self) -> contextlib.AbstractContextManager[Any]:
            if self.locked:
                raise Unavailable("It is locked.")
            return history.writing()

    database = Locked()
    noted = Gaps(database, broker=REDIS, clock=Clock())
    noted.connected(T)
    noted.tell(now=T + 5, cuts=[Cut(T + 1, T + 4, "away")])
    with pytest.raises(Unavailable):
        noted.write()
    database.locked = False
    noted.write()
    assert told(history) == [("disconnected", 1, 4, None, None)]


def test_old_gaps_are_let_go_of(history: History) -> None:
    noted = Gaps(history, broker=REDIS, keep_seconds=100.0, clock=Clock(T + 1_000))
    noted.tell(now=T + 1_000, cuts=[Cut(T + 1, T + 4, "away"), Cut(T + 950, T + 960, "away")])
    noted.write()
    assert [start for _, start, *_ in told(history)] == [950]


# ---------------------------------------------------------------------- who saw what


def run(name: str, started: int, seen: int, *, stopped: int = 1, broker: str = REDIS) -> Run:
    return Run(name, broker, "host", 1, started * _S, seen * _S, stopped)


def row(console: str, kind: gaps.Kind, start: int, stop: int | None, worker: str = "") -> Row:
    return Row(console, kind, worker, start * _S, None if stop is None else stop * _S, None, "why")


@pytest.mark.parametrize(
    ("rows", "runs", "expected"),
    [
        pytest.param(
            [row("a", "disconnected", 10, 20)],
            [run("a", 0, 100), run("b", 0, 100)],
            [],
            id="another console saw all of it",
        ),
        pytest.param(
            [row("a", "disconnected", 10, 20)],
            [run("a", 0, 100), run("b", 15, 100)],
            [(10, 15)],
            id="another one came in the middle",
        ),
        pytest.param(
            [row("a", "disconnected", 10, 20), row("b", "disconnected", 15, 30)],
            [run("a", 0, 100), run("b", 0, 100)],
            [(15, 20)],
            id="both were blind for a while",
        ),
        pytest.param(
            [row("a", "disconnected", 10, 20)],
            [run("a", 0, 100), run("b", 0, 100, broker="amqp://other")],
            [(10, 20)],
            id="the other one listens to another broker",
        ),
        pytest.param(
            [row("a", "lost", 10, 20, "w"), row("b", "lost", 12, 18, "w")],
            [run("a", 0, 100), run("b", 0, 100)],
            [(12, 18)],
            id="both lost events of a worker",
        ),
        pytest.param(
            [row("a", "lost", 10, 20, "w"), row("b", "lost", 12, 18, "v")],
            [run("a", 0, 100), run("b", 0, 100)],
            [],
            id="each lost those of another worker",
        ),
        pytest.param(
            [row("gone", "disconnected", 10, 20)],
            [run("b", 0, 100)],
            [(10, 20)],
            id="nobody knows the console any more",
        ),
        pytest.param(
            [row("a", "disconnected", 10, None)],
            [run("a", 0, 990, stopped=0)],
            [(10, None)],
            id="it lasts",
        ),
        pytest.param(
            [row("a", "disconnected", 10, None)],
            [run("a", 0, 100, stopped=0)],
            [(10, 100)],
            id="it lasted when the console was last alive",
        ),
    ],
)
def test_a_gap_is_what_nobody_saw(rows: list[Row], runs: list[Run], expected: Any) -> None:
    found = unseen(rows, runs, now=1_000 * _S)
    assert [(gap.start, gap.end) for gap in found] == expected


def test_a_console_that_started_often_takes_no_long_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row was compared with every other one, for every run: a minute for 1,000 starts."""
    often = 500
    rows = [row(f"r{n}", "stopped", 100 * n, 100 * n + 10) for n in range(often)]
    runs = [run(f"r{n}", 100 * n + 10, 100 * n + 100) for n in range(often)]
    compared = []

    def blinds(one: Row, other: Row) -> bool:
        compared.append((one, other))
        return True

    monkeypatch.setattr(gaps, "_blinds", blinds)
    assert len(unseen(rows, runs, now=10**9 * _S)) == often
    assert len(compared) <= 2 * often
