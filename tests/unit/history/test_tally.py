"""The figures are those of the rows, whatever events come, in any order and however often."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from celeryscope.history import blocks, histogram, tally
from celeryscope.history.finding import read_record, read_traceback
from celeryscope.history.rows import Row
from celeryscope.history.store import History
from celeryscope.model.durations import BUCKETS
from celeryscope.model.event import Event
from celeryscope.model.fingerprint import fingerprint
from tests.unit.history import lives

PLACES = [("shop/tasks.py", "pay"), ("shop/mail.py", "send"), ("shop/mail.py", "connect")]
UUID = "6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1"


def traceback(place: int, type_: str = "ValueError") -> str:
    file, function = PLACES[place % len(PLACES)]
    return (
        "Traceback (most recent call last):\n"
        f'  File "/srv/app/{file}", line {place}, in {function}\n    x()\n{type_}: {place}\n'
    )


def spread(seed: int, tasks: int) -> list[Event]:
    """Make lives that end here and there in two days, some lost, and with places of failures."""
    dice = random.Random(seed)
    events: list[Event] = []
    for number in range(tasks):
        later = dice.randrange(200) * 900.0 + dice.random()
        for event in lives.life(dice, number):
            changed: dict[str, Any] = {"timestamp": event.timestamp + later}
            if event.traceback is not None:
                place = dice.randrange(9)
                changed |= {"traceback": traceback(place), "exception": f"ValueError({place})"}
            events.append(structs.replace(event, **changed))
        if dice.random() < 0.1:
            events.append(
                Event("task-lost", lives.WORKERS[0], events[-1].timestamp + 5, uuid=event.uuid)
            )
    return events


def write(history: History, events: list[Event], size: int = 200) -> None:
    for at in range(0, len(events), size):
        history.write(lives.changes(events[at : at + size]))
        history.flush()
    assert history.refused == 0


def figures(db: Any) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    """Give what is kept."""
    found = {}
    for name, step, slot, *row in db.execute(
        "SELECT name, step, slot, succeeded, failed, revoked, rejected, lost, retried, retries, "
        "took, runs, waits FROM figure"
    ):
        share = tally.read(row)
        found[name, step, slot] = (*share.counts, share.runs, share.waits)
    return found


def truth(history: History, db: Any) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    """Count the rows one by one."""
    shares: dict[tuple[int, int, int], list[Any]] = {}
    for row in map(Row._make, db.execute("SELECT * FROM task")):
        state = history.words.text(row.state) or ""
        states = ["SUCCESS", "FAILURE", "REVOKED", "REJECTED", "LOST"]
        if state not in states:
            continue
        ran = row.runtime
        if ran is None and state in ("FAILURE", "REVOKED"):
            ran = row.started
        for name in (row.name or 0, -1):
            for step in (900, 86_400):
                share = shares.setdefault(
                    (name, step, row.at // (step * 1_000_000)), [0] * 8 + [Counter(), Counter()]
                )
                share[states.index(state)] += 1
                share[5] += row.retries > 0
                share[6] += row.retries
                if ran is not None:
                    share[7] += ran
                    share[8][histogram.bucket(ran)] += 1
                if row.wait is not None:
                    share[9][histogram.bucket(row.wait)] += 1
    return {key: tuple(share) for key, share in shares.items()}


def failing(history: History, db: Any) -> dict[tuple[int, str, int], tuple[int, int]]:
    found = {}
    for slot, number, name, failed, retried in db.execute("SELECT * FROM failing"):
        if failed or retried:
            found[slot, history.words.text(number) or "", name] = (failed, retried)
    return found


def true_failing(history: History, db: Any) -> dict[tuple[int, str, int], tuple[int, int]]:
    counts: dict[tuple[int, str, int], list[int]] = {}
    for row in map(Row._make, db.execute("SELECT * FROM task")):
        if history.words.text(row.state) == "FAILURE":
            text = fingerprint(row.exception, read_traceback(db, row)) or ""
            assert db.execute(
                "SELECT w.text FROM failure AS f JOIN word AS w ON w.id = f.fingerprint "
                "WHERE f.seq = ?", (row.seq,)
            ).fetchone() == (text,)  # fmt: skip
            key = row.at // 900_000_000, text, row.name or 0
            counts.setdefault(key, [0, 0])[0] += 1
        for told in read_record(db, row, history.words.text).told.values():
            if told.kind == "retried":
                text = fingerprint(told.exception, told.traceback) or ""
                key = told.at // 900_000_000, text, row.name or 0
                counts.setdefault(key, [0, 0])[1] += 1
    return {key: (failed, retried) for key, (failed, retried) in counts.items()}


def agree(history: History) -> None:
    with history.reading() as db:
        assert figures(db) == truth(history, db)
        assert failing(history, db) == true_failing(history, db)
        (failures,) = db.execute("SELECT count(*) FROM failure").fetchone()
        (failed,) = db.execute("SELECT count(*) FROM task WHERE state = 6").fetchone()
        assert failures == failed


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], History]:
    place = tmp_path / "h.db" if request.param == "sqlite" else request.getfixturevalue("database")
    return lambda: lives.opened(place)


def test_the_figures_are_those_of_the_rows(
    where: Callable[[], History], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "SLACK", 32)  # so that tasks move when they change
    events = spread(1, 700)
    history = where()
    write(history, events)
    agree(history)
    dice = random.Random(2)
    again = dice.sample(events, 900) + [
        structs.replace(event, timestamp=event.timestamp + 3_000, type=f"task-{kind}")
        for event in dice.sample(events, 150)
        for kind in ("failed", "succeeded")
    ]
    dice.shuffle(again)
    write(history, again)
    agree(history)
    history.close()


def test_order_repetition_and_size_of_batches_do_not_matter(tmp_path: Path) -> None:
    events = spread(3, 150)
    kept = []
    for number in range(4):
        dice = random.Random(number)
        told = events + dice.sample(events, 200 * (number > 0))
        if number:
            dice.shuffle(told)
        history = lives.opened(tmp_path / f"{number}.db")
        write(history, told, (10_000, 1, 7, 300)[number])
        with history.reading() as db:
            by_name = {
                (history.words.text(name) or name, *rest): figure
                for (name, *rest), figure in figures(db).items()
            }
            kept.append((by_name, sorted(map(str, failing(history, db).values()))))
        agree(history)
        history.close()
    assert kept[1:] == kept[:1] * 3


def test_a_figure_that_has_nothing_any_more_is_gone(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    failed = Event("task-failed", "a@b", lives.START, uuid=UUID, exception="KeyError('x')",
                   traceback=traceback(1))  # fmt: skip
    write(history, [failed])
    agree(history)
    later = structs.replace(failed, type="task-succeeded", timestamp=lives.START + 86_400)
    write(history, [later])
    agree(history)
    with history.reading() as db:
        assert {key[1:] for key in figures(db)} == {
            (900, int(lives.START + 86_400) // 900), (86_400, int(lives.START) // 86_400 + 1)
        }  # fmt: skip
        assert failing(history, db) == {}
        assert db.execute("SELECT count(*) FROM failure").fetchone() == (0,)
    history.close()


def test_a_fingerprint_knows_when_it_was_seen_first_and_last(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    for at in (500, 100, 900, 300):
        failed = Event("task-failed", "a@b", lives.START + at, uuid=f"task-{at}",
                       exception="ValueError()", traceback=traceback(at // 100 * 3))  # fmt: skip
        write(history, [failed])
    with history.reading() as db:
        found = db.execute("SELECT type, file, function, line, first, last FROM fingerprint")
        start = int(lives.START) * 1_000_000
        assert found.fetchall() == [
            ("ValueError", "shop/tasks.py", "pay", 27, start + 100_000_000, start + 900_000_000)
        ]
    history.close()


def test_there_are_only_so_many_fingerprints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "MOST_FINGERPRINTS", 10)
    history = lives.opened(tmp_path / "h.db")
    failed = [
        Event("task-failed", "a@b", lives.START + n, uuid=f"task-{n}", exception=f"Error{n}('x')")
        for n in range(40)
    ]
    write(history, failed, 7)
    write(history, failed, 11)
    with history.reading() as db:
        assert db.execute("SELECT count(*) FROM fingerprint").fetchone() == (11,)
        counts = dict(
            db.execute(
                "SELECT w.text, sum(f.failed) FROM failing AS f "
                "JOIN word AS w ON w.id = f.fingerprint GROUP BY w.text"
            )
        )
    assert counts.pop("other") == 30
    assert set(counts.values()) == {1}
    history.close()


@pytest.mark.parametrize("at", [-(2.0**60), -1.0, 0.0, 1e18, float("1e300")])
def test_lies_about_times_are_counted_all_the_same(tmp_path: Path, at: float) -> None:
    history = lives.opened(tmp_path / "h.db")
    events = [
        Event("task-succeeded", "a@b", at, uuid=UUID, runtime=1e300, retries=2**62),
        Event("task-failed", "a@b", at, uuid="other", runtime=-5.0, exception="E\0\ud800()"),
    ]
    write(history, events)
    with history.reading() as db:
        assert sum(row[0] + row[1] for key, row in figures(db).items() if key[:2] == (0, 900)) == 2
    history.close()


@given(st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 2**40)))
def test_a_histogram_is_read_as_it_was_written(counts: dict[int, int]) -> None:
    assert histogram.load(histogram.dump(counts)) == counts


@given(st.binary(max_size=60))
def test_what_is_no_histogram_is_read_without_an_error(data: bytes) -> None:
    found = histogram.load(data)
    assert all(0 <= bucket < BUCKETS for bucket in found)
