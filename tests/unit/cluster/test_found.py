"""What no event told: ends out of the result backend, lost tasks, and tasks from before."""

from __future__ import annotations

from typing import Any

import pytest

from celeryscope.cluster.accounting import Loss as Missing
from celeryscope.cluster.state import ClusterState
from celeryscope.model.event import Event, Found
from celeryscope.model.task import Task
from tests.unit.cluster.events import CLIENT, T0, WORKER, event, heartbeat, life


def told(*events: Event, **options: Any) -> ClusterState:
    state = ClusterState(**options)
    for one in events:
        state.apply([one], one.timestamp)
    return state


def lost(at: float, *, started: float = 0.2, worker: str = WORKER) -> Found:
    return Found(
        "task-lost", worker, T0 + at, uuid="a", exception="It is gone.", how="lost",
        of_start=T0 + started,
    )  # fmt: skip


def fetched(at: float, kind: str = "succeeded", **fields: Any) -> Found:
    return Found(f"task-{kind}", WORKER, T0 + at, uuid="a", **fields)


def running() -> ClusterState:
    return told(*life()[:3], heartbeat(1, processed=1, active=1))


def test_a_lost_task_no_longer_runs() -> None:
    state = running()
    assert state.workers[WORKER].running == {"a": T0 + 0.2}
    before = dict(state.totals), state.accepted, state.task_changes
    (learnt,) = state.learn([lost(400)])
    task = state.tasks["a"]
    assert learnt[1] is task
    assert (task.state, task.state_at, task.worker) == ("LOST", T0 + 400, WORKER)
    assert task.lost is not None
    assert task.lost.why == "It is gone."
    assert state.workers[WORKER].running == {}
    assert (state.states["LOST"], state.states["STARTED"], state.lost) == (1, 0, 1)
    assert (state.totals, state.accepted, state.task_changes) == (*before[:2], before[2] + 1)


def test_lost_is_said_once() -> None:
    state = running()
    assert state.learn([lost(400)])
    assert not state.learn([lost(500)])
    assert state.tasks["a"].state_at == T0 + 400


@pytest.mark.parametrize(
    ("late", "state"),
    [
        (event("task-succeeded", 0.7, result="1"), "SUCCESS"),
        (event("task-failed", 500, exception="E()"), "FAILURE"),
        (event("task-retried", 0.7), "RETRY"),
        (event("task-started", 300, hostname="celery@b"), "STARTED"),
        (event("task-started", 500), "STARTED"),
        (event("task-progress", 450), "PROGRESS"),
        (event("task-progress", 350), "LOST"),
        (event("task-received", 500, hostname="celery@b", name="shop.pay"), "RECEIVED"),
        (event("task-sent", 0.01, name="shop.pay"), "LOST"),
    ],
    ids=lambda value: (
        f"{value.type} at {value.timestamp - T0:g}" if isinstance(value, Event) else None
    ),
)
def test_a_later_word_of_a_worker_wins(late: Event, state: str) -> None:
    cluster = running()
    cluster.learn([lost(400)])
    cluster.apply([late], late.timestamp)
    assert cluster.tasks["a"].state == state
    assert sum(cluster.states.values()) == 1


def test_what_runs_elsewhere_meanwhile_is_not_lost() -> None:
    state = told(*life()[:3], event("task-started", 50, hostname="celery@b"))
    assert not state.learn([lost(400)])
    assert state.tasks["a"].state == "STARTED"


@pytest.mark.parametrize("events", [life(), life()[:2], life()[:1]])
def test_what_did_not_begin_or_has_ended_is_not_lost(events: list[Event]) -> None:
    state = told(*events)
    before = state.tasks["a"].state
    assert not state.learn([lost(400)])
    assert state.tasks["a"].state == before


def test_a_state_lost_of_a_projects_own_is_not_ours() -> None:
    state = told(*life()[:3], event("task-lost", 5))
    task = state.tasks["a"]
    assert (task.state, task.lost) == ("LOST", None)
    assert state.lost == 0


def test_a_fetched_end_is_marked_and_no_event() -> None:
    state = running()
    totals = dict(state.totals)
    assert state.learn([fetched(9, result="'ok'")])
    task = state.tasks["a"]
    assert (task.state, task.state_at, task.succeeded) == ("SUCCESS", T0 + 9, T0 + 9)
    assert (task.fetched, task.result, task.runtime) == (True, "'ok'", None)
    assert state.totals == totals
    assert state.names["shop.pay"].succeeded == 0
    assert state.workers[WORKER].running == {}
    assert (state.fetched, state.states["SUCCESS"]) == (1, 1)


def test_a_fetched_end_follows_on_lost() -> None:
    state = running()
    state.learn([lost(400)])
    assert state.learn([fetched(9, "failed", exception="E()")])
    task = state.tasks["a"]
    assert (task.state, task.fetched, task.exception) == ("FAILURE", True, "E()")


def test_a_fetched_end_does_not_bring_a_dead_worker_back() -> None:
    state = running()
    seen = state.workers[WORKER].last_seen
    state.learn([fetched(900)])
    state.learn([Found("task-succeeded", "celery@nobody", T0 + 900, uuid="b")])
    assert state.workers[WORKER].last_seen == seen
    assert set(state.workers) == {WORKER}


def test_what_has_ended_is_not_fetched() -> None:
    state = told(*life())
    assert not state.learn([fetched(9, "failed", exception="E()")])
    assert not state.tasks["a"].fetched


@pytest.mark.parametrize("kind", ["succeeded", "failed"])
@pytest.mark.parametrize("at", [0.7, 20.0])
def test_the_event_wins_over_what_was_fetched(kind: str, at: float) -> None:
    state = running()
    state.learn([fetched(9, result="'fetched'")])
    state.apply([event(f"task-{kind}", at, result="'told'", runtime=0.5)], T0 + 21)
    task = state.tasks["a"]
    assert (task.state_at, task.fetched, task.result) == (T0 + at, False, "'told'")
    assert task.state == {"succeeded": "SUCCESS", "failed": "FAILURE"}[kind]
    assert (task.log, getattr(task, kind)) == ((), T0 + at)
    assert {state_: n for state_, n in state.states.items() if n} == {task.state: 1}


def test_the_end_of_an_earlier_run_does_not_undo_what_was_fetched() -> None:
    state = told(
        *life()[:3],
        event("task-started", 50, hostname="celery@b"),
    )
    state.learn([Found("task-succeeded", "celery@b", T0 + 60, uuid="a", result="'second'")])
    assert state.tasks["a"].fetched
    state.apply([event("task-failed", 5, exception="E()")], T0 + 61)
    task = state.tasks["a"]
    assert (task.state, task.state_at, task.fetched) == ("SUCCESS", T0 + 60, True)


def test_arguments_that_are_not_kept_are_not_fetched_either() -> None:
    state = told(*life()[:3], keep_arguments=False)
    state.learn([fetched(9, result="'secret'")])
    assert state.tasks["a"].result is None


# ---------------------------------------------------------------------- from before


def known(uuid: str, state: str = "SUCCESS", **fields: Any) -> Task:
    return Task(uuid=uuid, first_seen=T0 - 100, state=state, state_at=T0 - 50, **fields)


def test_tasks_from_before_count_for_nothing() -> None:
    state = told(*life())
    before = dict(state.totals), state.accepted, state.names["shop.pay"].succeeded
    assert state.restore([known("b", name="shop.pay"), known("c", "STARTED", name="x")]) == 2
    assert list(state.tasks) == ["b", "c", "a"]  # the oldest first
    assert (dict(state.totals), state.accepted, state.names["shop.pay"].succeeded) == before
    assert (state.states["SUCCESS"], state.states["STARTED"]) == (2, 1)
    assert state.restore([known("b"), known("a")]) == 0


def test_an_event_finds_the_name_that_was_known_before() -> None:
    state = ClusterState()
    state.restore([known("a", "STARTED", name="shop.pay", worker=WORKER, started=T0 - 50)])
    ((_, task, worker),) = state.apply([life()[3]], T0 + 1)
    assert task is not None
    assert worker is not None
    assert (task.name, task.state, task.args) == ("shop.pay", "SUCCESS", None)
    assert state.names["shop.pay"].succeeded == 1
    assert worker.running == {}


def test_what_ran_before_runs_on_its_worker_once_that_is_heard_of() -> None:
    state = ClusterState()
    state.restore([known("a", "STARTED", worker=WORKER, started=T0 - 50)])
    assert state.workers == {}
    state.apply([heartbeat(1, processed=9, active=1)], T0 + 1)
    assert state.workers[WORKER].running == {"a": T0 - 50}


def test_events_that_came_meanwhile_win_and_are_told_more_of() -> None:
    state = told(life()[3])
    state.restore(
        [
            known(
                "a",
                "STARTED",
                name="shop.pay",
                args="(1,)",
                queue="high",
                sent=T0,
                started=T0 + 0.2,
            )
        ]
    )
    task = state.tasks["a"]
    assert (task.state, task.name, task.args, task.queue) == ("SUCCESS", "shop.pay", "(1,)", "high")
    assert (task.sent, task.started) == (T0, T0 + 0.2)
    assert state.names["shop.pay"].succeeded == 1


def test_the_bounds_hold_for_what_was_known_before() -> None:
    state = told(*life(), max_tasks=3)
    assert state.restore([known(f"old-{i}", args="x" * 10) for i in range(5)]) == 3
    assert list(state.tasks) == ["old-3", "old-4", "a"]
    assert state.text_bytes == sum(task.text_bytes for task in state.tasks.values())
    assert sum(state.states.values()) == 3


def test_what_is_lost_is_between_two_heartbeats() -> None:
    state = told(heartbeat(0, kind="worker-online", processed=0))
    for at, processed in ((2, 0), (4, 3), (6, 3), (8, 3)):
        state.apply([heartbeat(at, processed=processed)], T0 + at)
    state.tick(T0 + 20)
    assert state.losses() == [(WORKER, Missing(T0 + 2, T0 + 4, 3))]
    assert state.losses() == []
    assert state.workers[WORKER].lost == 3


def test_a_client_is_no_worker() -> None:
    state = told(*life()[:1])
    assert state.process(CLIENT) is None
