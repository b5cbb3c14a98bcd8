"""When a task that began is taken for lost."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from celeryscope.cluster import liveness
from celeryscope.cluster.accounting import Accounting
from celeryscope.cluster.orphans import Orphans, Sign, may_be_lost, why_lost
from celeryscope.cluster.state import ClusterState
from celeryscope.model.event import Event
from celeryscope.model.task import Task
from tests.unit.cluster.events import T0, WORKER, heartbeat, life

LOST_AFTER = 300.0
HERE = Sign("online", False, 1.0, False, None, 0)


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        (HERE, None),
        (HERE._replace(status="offline", silent_seconds=299.0), None),
        (HERE._replace(status="offline", silent_seconds=300.0), "nothing was heard of it for 5"),
        (HERE._replace(status="online", silent_seconds=900.0), None),
        (HERE._replace(status="unknown", silent_seconds=900.0), None),
        (
            HERE._replace(status="offline", said_offline=True, silent_seconds=300.0),
            "It said that it ends",
        ),
        (HERE._replace(status="offline", said_offline=True, silent_seconds=10.0), None),
        (HERE._replace(status="offline", solo=True, silent_seconds=4_000.0), None),
        (HERE._replace(status="offline", solo=True, silent_seconds=90_000.0), "is gone"),
        (
            HERE._replace(status="offline", solo=True, said_offline=True, silent_seconds=301.0),
            "is gone",
        ),
        (HERE._replace(replaced_seconds=29.0), None),
        (HERE._replace(replaced_seconds=30.0), "another process has had that name"),
        (HERE._replace(status="unknown", replaced_seconds=400.0), None),
        (HERE._replace(missing=1), None),
        (HERE._replace(missing=2), "no longer has it"),
        (HERE._replace(status="unknown", missing=2), None),
    ],
)
def test_the_rule(sign: Sign, said: str | None) -> None:
    why = why_lost("celery@a", sign, lost_after_seconds=LOST_AFTER)
    assert (why is None) == (said is None)
    assert said is None or said in (why or "")
    assert why_lost("celery@a", sign, lost_after_seconds=0.0) is None


@pytest.mark.parametrize(
    ("state", "started", "expected"),
    [
        ("PENDING", None, False),
        ("RECEIVED", None, False),
        ("STARTED", 1.0, True),
        ("PROGRESS", 1.0, True),
        ("PROGRESS", None, False),
        ("RETRY", 1.0, False),
        ("LOST", 1.0, False),
        ("SUCCESS", 1.0, False),
        ("REJECTED", 1.0, False),
    ],
)
def test_only_what_began_and_has_no_end_may_be_lost(
    state: str, started: float | None, expected: bool
) -> None:
    assert may_be_lost(Task("a", 0.0, state=state, started=started)) == expected


class Told(NamedTuple):
    """An answer to inspect."""

    at: float
    active: list[Any] | None = None
    active_at: float | None = None
    stats: dict[str, Any] | None = None


class Scene:
    """A cluster, and what is asked of it."""

    def __init__(self) -> None:
        self.state = ClusterState()
        self.accounting = Accounting()
        self.accounting.gap_ends(T0 - 1_000)
        self.told: dict[str, Told] = {}
        self.orphans = Orphans(
            self.state,
            status=lambda worker, now: liveness.status(worker, now),
            listened=self.accounting.listened,
            inspections=lambda: self.told,
            lost_after_seconds=LOST_AFTER,
        )

    def hear(self, *events: Event) -> Scene:
        for one in events:
            self.state.apply([one], one.timestamp)
        return self

    def why(self, at: float, uuid: str = "a") -> str | None:
        return self.orphans.why_lost(self.state.tasks[uuid], T0 + at)


def begun() -> Scene:
    """A task that runs on a worker that has sent a heartbeat."""
    return Scene().hear(*life()[:3], heartbeat(1, processed=1, active=1, clock=10))


def test_a_worker_that_falls_silent_loses_its_tasks() -> None:
    scene = begun()
    assert scene.why(300) is None
    assert "gone" in (scene.why(302) or "")


def test_time_without_the_broker_does_not_count() -> None:
    scene = begun()
    scene.accounting.gap_begins(T0 + 100, "away")
    assert scene.why(400) is None
    scene.accounting.gap_ends(T0 + 400)
    assert scene.why(500) is None
    assert scene.why(602) is not None


def test_before_we_listened_nothing_counts() -> None:
    scene = begun()
    scene.accounting.listening_since = None
    assert scene.why(1_000) is None
    scene.accounting.gap_ends(T0 + 900)
    assert scene.why(1_000) is None
    assert scene.why(1_201) is not None


def test_a_worker_never_heard_of_since_the_start_is_gone() -> None:
    scene = Scene()
    task = Task("a", T0, state="STARTED", worker="celery@old", started=T0 - 5_000)
    scene.accounting.listening_since = T0
    assert scene.orphans.why_lost(task, T0 + 299) is None
    assert scene.orphans.why_lost(task, T0 + 301) is not None


def test_a_worker_that_answers_is_there_though_it_sends_no_heartbeats() -> None:
    scene = begun()
    scene.told[WORKER] = Told(T0 + 900)
    assert scene.why(1_000) is None
    assert scene.why(1_300) is not None


@pytest.mark.parametrize("pid", [100, 200], ids=["in a container", "with another process id"])
def test_a_process_that_began_later_is_not_the_one_that_ran_it(pid: int) -> None:
    scene = begun()
    scene.hear(heartbeat(10, kind="worker-online", processed=0, pid=pid))
    for at in range(12, 60, 2):
        scene.hear(heartbeat(at, processed=0, pid=pid))
    assert scene.why(30) is None
    assert "another process" in (scene.why(41) or "")


def test_a_worker_that_connects_anew_is_the_same() -> None:
    scene = begun()
    scene.hear(heartbeat(10, kind="worker-online", processed=1, active=1))
    for at in range(12, 60, 2):
        scene.hear(heartbeat(at, processed=1, active=1))
    assert scene.why(59) is None


def test_two_workers_of_one_name_keep_their_tasks() -> None:
    scene = begun()
    for at in range(10, 100, 4):
        scene.hear(heartbeat(at, processed=3, pid=200), heartbeat(at + 2, processed=1, pid=100))
    assert scene.why(99) is None


def test_a_list_without_the_task_counts_from_the_second_on() -> None:
    scene = begun()
    for at in range(2, 200, 2):
        scene.hear(heartbeat(at, processed=1))
    scene.told[WORKER] = Told(T0 + 50, active=[], active_at=T0 + 50)
    assert scene.why(51) is None
    assert scene.why(52) is None  # the same list
    scene.told[WORKER] = Told(T0 + 60, active=[{"id": "b"}], active_at=T0 + 60)
    assert scene.why(61) is None  # too near
    scene.told[WORKER] = Told(T0 + 90, active=[{"id": "b"}], active_at=T0 + 90)
    assert "no longer has it" in (scene.why(91) or "")


def test_a_list_with_the_task_begins_the_count_anew() -> None:
    scene = begun()
    for at in range(2, 200, 2):
        scene.hear(heartbeat(at, processed=1))
    for at, active in ((50, []), (90, [{"id": "a"}]), (130, [])):
        scene.told[WORKER] = Told(T0 + at, active=active, active_at=T0 + at)
        assert scene.why(at + 1) is None


def test_a_list_from_about_the_start_says_nothing() -> None:
    scene = begun()
    scene.hear(heartbeat(3, processed=1))
    scene.told[WORKER] = Told(T0 + 4, active=[], active_at=T0 + 4)
    assert scene.orphans.sign(scene.state.tasks["a"], T0 + 5).missing == 0


def test_a_worker_that_seems_to_run_less_is_asked() -> None:
    scene = begun()
    tasks = scene.orphans.unfinished()
    scene.hear(heartbeat(40, processed=1, active=1))
    assert scene.orphans.to_inspect(tasks, T0 + 41) == []
    scene.hear(heartbeat(42, processed=1, active=0))
    assert scene.orphans.to_inspect(tasks, T0 + 43) == [WORKER]
    assert scene.orphans.to_inspect(tasks, T0 + 44) == []  # it was asked a moment ago
    scene.hear(heartbeat(80, processed=1, active=0))
    assert scene.orphans.to_inspect(tasks, T0 + 81) == [WORKER]


def test_a_task_that_runs_for_hours_is_asked_about_all_the_same() -> None:
    scene = begun()
    scene.hear(heartbeat(4_000, processed=1, active=1))
    assert scene.orphans.to_inspect(scene.orphans.unfinished(), T0 + 4_001) == [WORKER]


def test_a_solo_worker_says_nothing_while_it_runs_a_task() -> None:
    scene = begun()
    pool = {"implementation": "celery.concurrency.solo:TaskPool"}
    scene.told[WORKER] = Told(T0 + 1, stats={"pool": pool})
    assert scene.why(5_000) is None
    assert scene.why(90_000) is not None
