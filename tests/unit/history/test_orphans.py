"""Tasks without an end: what comes back at the start, what is asked for, and what is given up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history.orphans import (
    BATCH,
    Sweeper,
    newest,
    to_found,
    to_lost,
    unfinished,
)
from celeryscope.history.orphans import _Asked as Asked
from celeryscope.history.store import History
from celeryscope.model.event import Event, Found
from celeryscope.model.task import Task
from tests.unit.history import lives

T = lives.START


class Told(NamedTuple):
    """What a result backend has of a task."""

    state: str = "SUCCESS"
    at: float | None = T + 50
    result: str | None = "'ok'"
    exception: str | None = None
    traceback: str | None = None
    worker: str | None = None


ASKED = Asked(T + 40, "celery@a", T + 40, None, 0)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Told(), ("task-succeeded", "celery@a", 50, "'ok'")),
        (Told(worker="celery@b"), ("task-succeeded", "celery@b", 50, "'ok'")),
        (Told(at=None), ("task-succeeded", "celery@a", 100, "'ok'")),
        (Told(at=T + 900), ("task-succeeded", "celery@a", 100, "'ok'")),
        (Told(at=T + 39.5), ("task-succeeded", "celery@a", 39.5, "'ok'")),
        (Told(at=T + 30), None),  # of an earlier run
        (Told("FAILURE", exception="E()"), ("task-failed", "celery@a", 50, None)),
        (Told("REVOKED"), ("task-revoked", "celery@a", 50, None)),
        (Told("RETRY"), None),
        (Told("PENDING"), None),
        (Told("MADE_UP"), None),
    ],
)
def test_an_outcome_becomes_the_event_that_never_came(outcome: Told, expected: Any) -> None:
    found = to_found("u", ASKED, outcome, T + 100)
    told = found and (found.type, found.hostname, found.timestamp - T, found.result)
    assert told == expected
    assert found is None or (found.how, found.uuid) == ("fetched", "u")


def test_how_a_task_was_revoked_stands_in_its_exception() -> None:
    ended = to_found(
        "u", ASKED, Told("REVOKED", exception="TaskRevokedError('terminated')"), T + 99
    )
    assert ended is not None
    assert (ended.terminated, ended.expired, ended.exception) == (True, False, None)


def test_a_loss_says_of_which_run() -> None:
    lost = to_lost("u", ASKED._replace(why="It is gone."), T + 100)
    assert (lost.type, lost.hostname, lost.timestamp) == ("task-lost", "celery@a", T + 100)
    assert (lost.how, lost.of_start, lost.exception) == ("lost", T + 40, "It is gone.")


# ---------------------------------------------------------------------- out of the history


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = lives.opened(tmp_path / "h.db")
    yield history
    history.close()


def put(history: History, *events: Event) -> None:
    history.write(lives.changes(list(events)))
    history.flush()


def event(kind: str, uuid: str, at: float, **fields: Any) -> Event:
    return Event(f"task-{kind}", "celery@a", T + at, uuid=uuid, **fields)


def test_what_changed_last_comes_back_whole_and_the_oldest_first(history: History) -> None:
    for number in range(6):
        put(history, event("received", f"u{number}", number, name="a.b", args="(1,)"))
    put(
        history,
        event("started", "u5", 6),
        event("retried", "u5", 7, exception="Retry()"),
        event("received", "u5", 8, name="a.b", args="(1,)", retries=1),
        event("started", "u5", 9),
        event("failed", "u5", 10, exception="E()", traceback="File x"),
    )
    tasks = newest(history, most=3)
    assert [task.uuid for task in tasks] == ["u3", "u4", "u5"]
    last = tasks[-1]
    assert (last.state, last.traceback, last.args, last.retries) == ("FAILURE", "File x", "(1,)", 1)
    assert len(last.log) == 6
    assert [task.uuid for task in newest(history, most=600)] == [f"u{i}" for i in range(6)]


def test_what_has_no_end_is_found_also_in_states_of_a_projects_own(history: History) -> None:
    put(history, event("received", "waits", 0), event("started", "runs", 1))
    put(history, event("started", "own", 2), event("progress", "own", 3))
    put(history, event("succeeded", "done", 4), event("started", "long ago", -5_000))
    lost = Found("task-lost", "celery@a", T + 5, uuid="lost", how="lost", of_start=T + 1)
    put(history, event("started", "lost", 1), lost)
    found = unfinished(history, now=T + 10, within_seconds=3_600, most=10)
    assert [task.uuid for task in found] == ["own", "runs", "waits"]
    assert len(unfinished(history, now=T + 10, within_seconds=3_600, most=2)) == 2


# ---------------------------------------------------------------------- the sweeper


class Memory:
    """Tasks of now, and why they are lost."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.lost: dict[str, str] = {}
        self.ask: list[str] = []

    def task(self, uuid: str) -> Task | None:
        return self.tasks.get(uuid)

    def unfinished(self) -> list[Task]:
        return [task for task in self.tasks.values() if not task.finished]

    def why_lost(self, task: Task, now: float) -> str | None:
        return self.lost.get(task.uuid)

    def to_inspect(self, tasks: list[Task], now: float) -> list[str]:
        return self.ask


class Scene:
    """A sweeper without its thread, and what it did."""

    def __init__(self, history: History | None = None, *, backend: bool = True) -> None:
        self.now = T + 1_000
        self.memory = Memory()
        self.kept: dict[str, Told] = {}
        self.asked: list[list[str]] = []
        self.trouble: Exception | None = None
        self.found: list[Found] = []
        self.old: list[str] = []
        self.inspected: list[str] = []
        self.restored: list[str] = []
        self.sweeper = Sweeper(
            memory=self.memory,
            tell=self._tell,
            history=history,
            ask=self._ask if backend else None,
            inspect=self.inspected.append,
            restore=lambda tasks: self.restored.extend(task.uuid for task in tasks),
            lost_after_seconds=300.0,
            clock=lambda: self.now,
        )

    def _ask(self, uuids: Sequence[str]) -> Mapping[str, Told]:
        self.asked.append(list(uuids))
        if self.trouble is not None:
            raise self.trouble
        return {uuid: self.kept[uuid] for uuid in uuids if uuid in self.kept}

    def _tell(self, found: Sequence[Found], old: Mapping[str, Task]) -> None:
        self.found += found
        self.old += old
        for one in found:
            task = self.memory.tasks.get(one.uuid or "")
            if task is not None:
                task.state = "LOST" if one.how == "lost" else "SUCCESS"

    def runs(self, uuid: str, *, lost: bool = False, state: str = "STARTED") -> Task:
        task = Task(uuid, T, state=state, state_at=T, started=T, worker="celery@a")
        self.memory.tasks[uuid] = task
        if lost:
            self.memory.lost[uuid] = "It is gone."
        return task

    def pass_(self, seconds: float = 0.0) -> list[tuple[str, str]]:
        """Let time go by, sweep and ask; give what was found out."""
        self.now += seconds
        self.found.clear()
        self.sweeper.sweep()
        self.sweeper.ask()
        return [(one.uuid or "", one.how) for one in self.found]


def test_what_is_lost_is_asked_for_first() -> None:
    scene = Scene()
    scene.runs("a", lost=True)
    scene.runs("b", lost=True)
    scene.runs("c")
    scene.kept["a"] = Told()
    assert scene.pass_() == [("a", "fetched"), ("b", "lost")]
    assert scene.asked == [["a", "b"]]
    status = scene.sweeper.status()
    assert (status.fetched, status.lost, status.waiting, status.asking) == (1, 1, 1, True)


def test_without_a_backend_it_is_lost_at_once_and_once() -> None:
    scene = Scene(backend=False)
    scene.runs("a", lost=True)
    assert scene.pass_() == [("a", "lost")]
    assert scene.pass_(60) == []
    assert scene.sweeper.status().asking is False


def test_a_result_that_comes_late_is_still_found() -> None:
    scene = Scene()
    scene.runs("a", lost=True)
    assert scene.pass_() == [("a", "lost")]
    assert scene.pass_(5) == []
    scene.kept["a"] = Told()
    assert scene.pass_(6) == [("a", "fetched")]
    assert scene.pass_(3_600) == []
    assert scene.sweeper.status().waiting == 0


def test_in_the_end_nobody_asks_any_more() -> None:
    scene = Scene()
    scene.runs("a", lost=True)
    for _ in range(20):
        scene.pass_(30_000)
    assert len(scene.asked) == 6
    assert scene.sweeper.status().waiting == 0


def test_a_task_whose_end_came_meanwhile_is_not_asked_for() -> None:
    scene = Scene()
    task = scene.runs("a", lost=True)
    scene.pass_()
    task.state = "SUCCESS"
    assert scene.pass_(11) == []
    assert len(scene.asked) == 1
    assert scene.sweeper.status().waiting == 0


def test_a_task_that_began_again_is_another_run() -> None:
    scene = Scene()
    task = scene.runs("a", lost=True)
    scene.pass_()
    task.state, task.started, task.worker = "STARTED", T + 990, "celery@b"
    scene.memory.lost.clear()
    assert scene.pass_(11) == []
    assert scene.sweeper.status().waiting == 0


def test_after_a_time_without_events_every_task_without_an_end_is_asked_for() -> None:
    scene = Scene()
    scene.runs("runs")
    scene.runs("waits", state="PENDING").worker = None
    scene.runs("later").state_at = T + 2_000
    scene.runs("done", state="SUCCESS")
    scene.kept["waits"] = Told(at=T + 999)
    scene.sweeper.missed(T + 1_000)
    assert scene.pass_(1) == []  # what is on its way may come
    assert scene.asked == []
    assert scene.pass_(3) == [("waits", "fetched")]
    assert scene.asked == [["runs", "waits"]]
    assert scene.pass_(100) == []  # and never lost by this


def test_what_a_worker_lost_concerns_its_tasks_alone() -> None:
    scene = Scene()
    scene.runs("here")
    scene.runs("there").worker = "celery@b"
    scene.sweeper.missed(T + 1_000, "celery@b")
    scene.pass_(4)
    assert scene.asked == [["there"]]


def test_so_many_are_asked_at_a_time() -> None:
    scene = Scene()
    for number in range(BATCH + 10):
        scene.runs(f"u{number}", lost=True)
    assert len(scene.pass_()) == BATCH
    assert len(scene.pass_()) == 10
    assert [len(uuids) for uuids in scene.asked] == [BATCH, 10]


def test_a_backend_that_is_away_is_said_and_asked_ever_less_often() -> None:
    scene = Scene()
    scene.trouble = Unavailable("The result backend cannot be reached.")
    scene.runs("a", lost=True)
    assert scene.pass_() == [("a", "lost")]
    assert scene.sweeper.status().trouble == "The result backend cannot be reached."
    for _ in range(200):
        scene.pass_(10)
    assert 10 < len(scene.asked) < 60
    scene.trouble, scene.kept["a"] = None, Told()
    for _ in range(100):
        scene.pass_(10)
    assert scene.sweeper.status().trouble is None
    assert scene.sweeper.status().fetched == 1


def test_a_backend_that_cannot_be_read_at_all_is_not_asked_again() -> None:
    scene = Scene()
    scene.trouble = NotPossible("It is of another kind.")
    scene.runs("a", lost=True)
    assert scene.pass_() == [("a", "lost")]
    scene.pass_(1_000)
    assert len(scene.asked) == 1
    assert scene.sweeper.status().trouble == "It is of another kind."


def test_workers_are_asked_what_they_run() -> None:
    scene = Scene()
    scene.memory.ask = ["celery@a"]
    scene.pass_()
    assert scene.inspected == ["celery@a"]


def test_the_start_brings_tasks_back_and_asks_for_those_without_an_end(history: History) -> None:
    put(history, event("started", "open", 1), event("succeeded", "done", 2))
    scene = Scene(history)
    scene.kept["open"] = Told()
    scene.sweeper._begin()
    assert scene.restored == ["open", "done"]
    scene.now += 4
    scene.sweeper.ask()
    assert [(one.uuid, one.how) for one in scene.found] == [("open", "fetched")]
    assert scene.old == ["open"]


def test_tasks_of_the_history_alone_are_swept_too(history: History) -> None:
    put(history, event("started", "old", -10_000), event("started", "here", -9_000))
    put(history, event("started", "young", 900))
    scene = Scene(history, backend=False)
    scene.runs("here")
    scene.memory.lost = dict.fromkeys(("old", "young"), "It is gone.")
    assert scene.pass_() == [("old", "lost")]
    assert scene.old == ["old"]


def test_a_fault_of_one_pass_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()

    def broken() -> None:
        raise ValueError("no")

    scene.sweeper._guarded(broken)
    assert "could not be looked for" in caplog.text
