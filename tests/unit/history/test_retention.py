"""What is taken out of the history, and what is not."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from celeryscope.history import blocks, retention, space
from celeryscope.history.retention import Retention
from celeryscope.history.store import History
from celeryscope.model.event import Event
from celeryscope.model.query import EVERYTHING, parse
from celeryscope.model.task import Task
from tests.unit.history import lives
from tests.unit.history.test_search import agree, place

TIME = 600.0
DAY = 86_400.0
COUNT = "SELECT count(*) FROM "


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "TASKS", 8)
    monkeypatch.setattr(blocks, "SLACK", 60)
    monkeypatch.setattr(blocks, "_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(retention, "_LEAST_REST_SECONDS", 0.0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = lives.opened(tmp_path / "h.db")
    yield opened
    opened.close()


def fill(history: History, events: list[Event]) -> list[Task]:
    """Write them, and give all tasks that there are, the newest first."""
    for start in range(0, len(events), 1000):
        history.write(lives.changes(events[start : start + 1000]))
        history.flush()
    found = [history.task(uuid) for uuid in dict.fromkeys(one.uuid or "" for one in events)]
    return sorted((task for task in found if task is not None), key=place, reverse=True)


def known(history: History) -> list[Task]:
    tasks: list[Task] = []
    after = None
    while True:
        page = history.search(EVERYTHING, now=0.0, after=after, limit=500, most_seconds=TIME)
        tasks += [task for one in page.tasks if (task := history.task(one.uuid)) is not None]
        if not page.more:
            return tasks
        after = page.after


def pruned(history: History, now: float, **limits: object) -> int:
    return Retention(history, clock=lambda: now, rest=0.0, **limits).prune()  # type: ignore[arg-type]


def numbers(path: Path) -> Counter[str]:
    """Count the rows of each table."""
    db = sqlite3.connect(path)
    tables = ["task", "traceback", "life", "attempt", "failure", "block", "slice"]
    found = Counter({table: db.execute(COUNT + table).fetchone()[0]
                     for table in tables})  # fmt: skip
    db.close()
    return found


def stray(path: Path) -> list[tuple[str, int]]:
    """Count rows that belong to no task."""
    db = sqlite3.connect(path)
    found = [
        (table, count)
        for table in ("traceback", "life", "attempt", "failure")
        if (count := db.execute(
            f"{COUNT}{table} WHERE seq NOT IN (SELECT seq FROM task)"  # noqa: S608
        ).fetchone()[0])
    ]  # fmt: skip
    db.close()
    return found


def test_old_tasks_go_and_nothing_of_them_stays(history: History, tmp_path: Path) -> None:
    before = fill(history, lives.stream(1, 1_000))
    middle = sorted(task.state_at for task in before)[500]
    gone = pruned(history, middle + DAY, max_age_seconds=DAY)
    left = known(history)
    # Those of a block that is not old enough as a whole may stay for a day.
    young = [task for task in before if task.state_at > middle]
    assert {task.uuid for task in young} <= {task.uuid for task in left}
    assert gone == len(before) - len(left)
    assert len(left) < len(young) + 250
    assert stray(tmp_path / "h.db") == []
    assert pruned(history, middle + 2 * DAY + 1, max_age_seconds=DAY) == len(left) - len(
        [task for task in left if task.state_at > middle + DAY + 1]
    )


def test_what_is_kept_longer_is_found_as_before(history: History, tmp_path: Path) -> None:
    before = fill(history, lives.stream(1, 2_200))
    now = max(task.state_at for task in before) + 2 * DAY
    limits = {"max_age_seconds": DAY, "max_age_of": {"FAILURE": 30 * DAY, "retry": 0.0}}
    gone = pruned(history, now, **limits)
    wanted = [task for task in before if task.state in ("FAILURE", "RETRY")]
    assert gone == len(before) - len(wanted)
    assert known(history) == wanted
    for text in ("", "state:failure", "-state:failure", "name:task_03", "name:task_01 worker:web3",
                 "timeout", '"card 3"', "order-0", "größe", "runtime:>40s", "retries:>0", "since:2d",
                 "until:2025-01-01", "root:root-100", "retry.py", "nowhere", "kwargs:user=7"):  # fmt: skip
        agree((history, wanted), parse(text), now)
    for task in wanted[::40]:
        agree((history, wanted), parse(task.uuid), now)
    assert stray(tmp_path / "h.db") == []
    # Signatures went with the tasks.
    found = numbers(tmp_path / "h.db")
    assert found["block"] <= 2 * len(wanted) / blocks.TASKS + blocks.TASKS
    assert pruned(history, now, **limits) == 0
    assert pruned(history, now + 29 * DAY, **limits) == len(
        [task for task in wanted if task.state == "FAILURE"]
    )


def test_a_reader_that_began_before_sees_what_there_was(history: History) -> None:
    before = fill(history, lives.stream(3, 1_500))
    now = max(task.state_at for task in before) + 2 * DAY
    with history.reading() as db:
        pruned(history, now, max_age_seconds=DAY, max_age_of={"FAILURE": 0.0})
        known(history)  # another reader lets go of blocks
        spans = [(one.first, one.last) for one in history._blocks.of(db)]
        (last,) = db.execute("SELECT max(last) FROM block").fetchone()
        sealed = db.execute("SELECT count(*) FROM task WHERE seq <= ?", (last,)).fetchone()[0]
        counted = sum(
            db.execute("SELECT count(*) FROM task WHERE seq BETWEEN ? AND ?", span).fetchone()[0]
            for span in spans
        )
        assert counted == sealed > 0


def test_what_happens_to_a_task_that_was_set_apart_is_found(history: History) -> None:
    before = fill(history, lives.stream(4, 1_200))
    now = max(task.state_at for task in before) + 2 * DAY
    pruned(history, now, max_age_seconds=DAY, max_age_of={"FAILURE": 0.0})
    failed = next(task for task in before if task.state == "FAILURE" and task.worker)
    worker = failed.worker or ""
    again = [
        Event("task-received", worker, now, uuid=failed.uuid, name=failed.name, retries=9),
        Event("task-succeeded", worker, now + 1, uuid=failed.uuid, runtime=1.0, result="'late'"),
    ]
    history.write(lives.changes(again))
    history.write(lives.changes(lives.stream(5, 300)))
    history.flush()
    page = history.search(parse("result:*late*"), now=now)
    assert [(task.uuid, task.state) for task in page.tasks] == [(failed.uuid, "SUCCESS")]


def test_the_newest_go_too_and_no_number_is_given_twice(history: History, tmp_path: Path) -> None:
    before = fill(history, lives.stream(6, 300))
    later = max(task.state_at for task in before) + 40 * DAY
    assert pruned(history, later, max_age_seconds=DAY) == len(before)
    db = sqlite3.connect(tmp_path / "h.db")
    (last,) = db.execute("SELECT last_seq FROM pruned").fetchone()
    assert last == len(before)
    history.write(lives.changes([Event("task-received", "w", later, uuid="next", name="n")]))
    history.flush()
    assert db.execute("SELECT seq FROM task").fetchall() == [(last + 1,)]
    db.close()
    # It fills up again, and is found.
    tasks = fill(history, lives.stream(7, 500))
    agree((history, sorted([*tasks, *known_one(history)], key=place, reverse=True)), parse(""))


def known_one(history: History) -> list[Task]:
    task = history.task("next")
    assert task is not None
    return [task]


@pytest.mark.parametrize("most", [0, 1, 37, 200, 590])
def test_of_too_many_the_oldest_go(history: History, most: int) -> None:
    before = fill(history, lives.stream(8, 600))
    gone = pruned(history, 0.0, max_tasks=most)
    left = known(history)
    assert len(left) == len(before) - gone
    if not most:
        assert gone == 0
        return
    assert most - blocks.TASKS < len(left) <= most
    # Blocks go by their last event, so an old task may outlive some that are younger.
    newest = {task.uuid for task in before[:most]}
    assert len(newest & {task.uuid for task in left}) >= 0.7 * most - blocks.TASKS


@pytest.mark.parametrize("step_seconds", [retention.STEP_SECONDS, -1.0], ids=["", "always late"])
def test_too_large_a_file_becomes_smaller_on_the_disk(
    step_seconds: float, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "_SLACK_PAGES", 8)
    monkeypatch.setattr(retention, "STEP_SECONDS", step_seconds)
    path = tmp_path / "h.db"
    history.write(lives.changes(lives.stream(9, 1_200)))
    history.flush()
    db = sqlite3.connect(path)
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    most = pages * 4096 // 2
    assert pruned(history, 0.0, max_bytes=most) > 250
    left = db.execute("PRAGMA page_count").fetchone()[0]
    used = left - db.execute("PRAGMA freelist_count").fetchone()[0]
    assert used * 4096 <= most
    assert left <= used + max(8, pages * space._SLACK_SHARE)
    assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert path.stat().st_size == left * 4096 < pages * 4096 * 0.6
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_size_that_cannot_be_kept_is_said(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(history, lives.stream(9, 100))
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.01)
    one = Retention(history, max_bytes=4096)
    one.start()
    for _ in range(1_000):
        if (trouble := one.status().trouble) is not None:
            break
        one._stop.wait(0.01)
    one.stop()
    assert trouble is not None
    assert "history_max_bytes" in trouble
    assert known(history) == []


def test_what_would_go_is_counted_and_stays(history: History) -> None:
    before = fill(history, lives.stream(10, 700))
    now = max(task.state_at for task in before) + 2 * DAY
    one = Retention(history, clock=lambda: now, max_age_seconds=DAY, max_age_of={"FAILURE": 0})
    expected = one.due()
    assert len(known(history)) == len(before)
    assert one.prune() == expected > 0


def test_other_rules_find_what_the_rules_before_kept(history: History) -> None:
    before = fill(history, lives.stream(11, 700))
    now = max(task.state_at for task in before) + 2 * DAY
    pruned(history, now, max_age_seconds=DAY, max_age_of={"FAILURE": 90 * DAY})
    assert {task.state for task in known(history)} == {"FAILURE"}
    pruned(history, now, max_age_seconds=90 * DAY, max_age_of={"FAILURE": DAY})
    assert known(history) == []


def test_events_that_come_meanwhile_are_not_lost(history: History) -> None:
    """Tasks are written, sealed and taken out at the same time."""
    early = lives.stream(12, 800)
    fill(history, early)
    now = max(event.timestamp for event in early) + 2 * DAY
    late = [
        Event(one.type, one.hostname, one.timestamp + 3 * DAY, **{
            name: getattr(one, name) for name in ("uuid", "name", "runtime", "result", "exception")
        })
        for one in lives.stream(13, 800)
    ]  # fmt: skip
    one = Retention(history, clock=lambda: now, max_age_seconds=DAY)
    dice = random.Random(0)
    steps = one._steps()
    for start in range(0, len(late), 200):
        history.write(lives.changes(late[start : start + 200]))
        for _ in range(dice.randrange(3)):
            next(steps, None)
    for _ in steps:
        pass
    history.flush()
    wanted = {event.uuid for event in late}
    assert {task.uuid for task in known(history)} >= wanted
    assert history.refused == history.dropped == 0


def test_while_many_events_wait_nothing_is_taken_out(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fill(history, lives.stream(15, 600))
    now = max(task.state_at for task in before) + 2 * DAY
    left: list[int] = []

    class Busy:
        words, reading, writing = history.words, history.reading, history.writing

        @property
        def waiting(self) -> int:
            with history.reading() as db:
                left.append(db.execute("SELECT count(*) FROM task").fetchone()[0])
            return 30_000 if len(left) < 4 else 0

    monkeypatch.setattr(retention, "_GIVE_WAY_SECONDS", 0.001)
    one = Retention(Busy(), clock=lambda: now, max_age_seconds=DAY, rest=0.0)
    assert one.prune() == len(before)
    assert left[:4] == [len(before)] * 4
    assert left[-1] == 0


def test_two_that_do_it_at_once_do_it_once(history: History, tmp_path: Path) -> None:
    before = fill(history, lives.stream(16, 900))
    now = max(task.state_at for task in before) + 2 * DAY
    limits = {"max_age_seconds": DAY, "max_age_of": {"FAILURE": 0.0}}
    other = lives.opened(tmp_path / "h.db")
    both = [
        Retention(one, clock=lambda: now, rest=0.0, **limits)._steps()  # type: ignore[arg-type]
        for one in (history, other)
    ]
    dice = random.Random(1)
    while both:
        steps = dice.choice(both)
        if next(steps, both) is both:
            both.remove(steps)
    other.close()
    wanted = [task for task in before if task.state == "FAILURE"]
    assert known(history) == wanted
    assert stray(tmp_path / "h.db") == []
    agree((history, wanted), parse("timeout"), now)


def test_old_figures_go(history: History, tmp_path: Path) -> None:
    fill(history, lives.stream(14, 50))
    db = sqlite3.connect(tmp_path / "h.db")
    count = "SELECT count(*) FROM figure"
    assert db.execute(count).fetchone()[0] > 0
    pruned(history, lives.START + 300 * DAY)
    assert db.execute(count).fetchone()[0] > 0
    pruned(history, lives.START + 402 * DAY)
    assert db.execute(count).fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM failing").fetchone()[0] == 0
    db.close()
