"""A task's runs, as the memory and the history tell of them together."""

from __future__ import annotations

from celeryscope.cluster.state import ClusterState
from celeryscope.history.record import Attempt
from celeryscope.model.event import Event
from celeryscope.model.task import Loss, Task
from celeryscope.web import attempts
from tests.unit.web.standins import NOW, event, life

AT = round((NOW - 10) * 1_000_000)


def task_of(*events: Event) -> Task:
    state = ClusterState()
    state.apply(list(events), NOW)
    return state.tasks["a"]


def test_one_run_is_that_of_the_tasks_times() -> None:
    (run,) = attempts.of_task(task_of(*life("a")))
    assert run == Attempt(
        0, "celery@web1", "SUCCESS", AT + 100_000, AT + 200_000, AT + 700_000, 500_000, 200_000,
        None, None,
    )  # fmt: skip


def test_a_task_that_was_only_sent_has_none() -> None:
    assert attempts.of_task(task_of(*life("a", state="PENDING"))) == []


def test_each_of_several_runs_is_one_and_the_last_has_the_texts() -> None:
    host = {"hostname": "celery@web2"}
    task = task_of(
        *life("a", 0, state="STARTED"),
        event("task-retried", 1, exception="Timeout()"),
        event("task-received", 2, name="shop.pay", retries=1, **host),
        event("task-started", 3, **host),
        event("task-failed", 4, exception="ValueError()", traceback="lines", **host),
    )
    first, second = attempts.of_task(task)
    assert (first.worker, first.state, first.ended) == ("celery@web1", "RETRY", AT + 1_000_000)
    assert (second.worker, second.state) == ("celery@web2", "FAILURE")
    assert (second.exception, second.traceback) == ("ValueError()", "lines")


def test_an_exception_is_that_of_the_run_that_had_it() -> None:
    task = task_of(
        *life("a", 0, state="STARTED"),
        event("task-retried", 1, exception="Timeout()"),
        event("task-received", 2, name="shop.pay", retries=1),
        event("task-started", 3),
        event("task-succeeded", 4),
    )
    assert [run.exception for run in attempts.of_task(task)] == [None, None]
    task.state, task.log = "RETRY", task.log[:-3]
    task.state_at = task.log[-1][1]
    assert [run.exception for run in attempts.of_task(task)] == ["Timeout()"]


def test_what_only_the_history_knows_of_a_run_is_added() -> None:
    newer = [
        Attempt(0, "w1", "RETRY", 1, 2, 3, None, None, None, None),
        Attempt(None, "w1", "STARTED", None, 5, None, None, None, None, None),
        Attempt(0, "w2", "STARTED", 1, 2, None, None, None, None, None),
    ]
    stored = [
        Attempt(0, "w1", "RETRY", 1, 2, 3, 1, 7, "Timeout()", "lines"),
        Attempt(1, "w1", "FAILURE", 4, 5, 6, 1, 8, "of the end", "lines"),
    ]
    first, second, third = attempts.merged(newer, stored)
    assert first == stored[0]
    # What the history tells of an end is of another end than the one that the memory knows.
    assert (second.retries, second.wait, second.exception) == (1, 8, None)
    assert third == newer[2]


def test_a_run_that_is_taken_for_lost_is_told_as_that() -> None:
    task = task_of(*life("a", state="STARTED"))
    began = task.started
    task.lost = Loss(NOW, "celery@web1", began, "Its worker is gone.")
    task.state = "LOST"
    (run,) = attempts.of_task(task)
    assert (run.state, run.ended) == ("LOST", None)
