from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from celeryscope.metrics.waiting import oldest_waiting
from celeryscope.model.task import FINISHED, RECEIVED, RETRY, STARTED, Task

NOW = 1_000_000.0


def task(age: float, *, queue: str | None = "q", **fields: Any) -> Task:
    """A task that was sent `age` seconds ago."""
    sent = NOW - age
    return Task(uuid=f"{queue}-{age}", first_seen=sent, sent=sent, queue=queue, **fields)


def iso(seconds_from_now: float) -> str:
    return datetime.fromtimestamp(NOW + seconds_from_now, UTC).isoformat()


def waits(
    tasks: list[Task], depths: dict[str, int], ahead: dict[str | None, float] | None = None
) -> dict[str, float]:
    return oldest_waiting(tasks, depths, ahead=ahead or {}, now=NOW)


@pytest.mark.parametrize(
    ("ages", "depth", "oldest"),
    [
        ([], 0, 0.0),
        ([5.0], 0, 0.0),  # its message is gone; only its event was lost
        ([], 3, None),  # messages that no event told of
        ([5.0], 1, 5.0),
        ([5.0], 9, 5.0),
        ([1.0, 30.0, 5.0], 3, 30.0),
        ([1.0, 30.0, 5.0], 2, 5.0),  # of the one sent first nobody holds the message any more
        ([86_400.0, 2.0], 1, 2.0),  # purged yesterday
        ([-0.2], 1, 0.0),  # by a clock a little ahead
    ],
)
def test_of_so_many_messages_those_sent_last_are_waiting(
    ages: list[float], depth: int, oldest: float | None
) -> None:
    found = waits([task(age) for age in ages], {"q": depth})
    assert found == ({} if oldest is None else {"q": pytest.approx(oldest)})


def test_each_queue_is_told_of_its_own_tasks() -> None:
    tasks = [
        task(9.0, queue="a"),
        task(4.0, queue="b"),
        task(99.0, queue="c"),
        task(50, queue=None),
    ]
    assert waits(tasks, {"a": 1, "b": 1, "d": 1}) == {"a": 9.0, "b": 4.0}


@pytest.mark.parametrize("state", [RECEIVED, STARTED, RETRY, "PROGRESS", *sorted(FINISHED)])
def test_a_task_that_a_worker_has_does_not_wait_in_its_queue(state: str) -> None:
    assert waits([task(60.0, state=state), task(3.0)], {"q": 5}) == {"q": 3.0}


def test_a_task_whose_sending_nobody_saw_does_not_count() -> None:
    unseen = Task(uuid="u", first_seen=NOW - 60, queue="q")
    assert waits([unseen], {"q": 1}) == {}


@pytest.mark.parametrize(
    ("eta", "oldest"),
    [
        (iso(-20), 20.0),  # could be run since then
        (iso(-90), 60.0),  # before it was sent
        (iso(20), None),
        (iso(-20).removesuffix("+00:00"), 20.0),  # without a zone: UTC
        ("some day", 60.0),
    ],
)
def test_a_task_waits_from_its_eta_if_that_is_later(eta: str, oldest: float | None) -> None:
    found = waits([task(60.0, eta=eta)], {"q": 1})
    assert found == ({} if oldest is None else {"q": pytest.approx(oldest)})


def test_tasks_with_an_eta_to_come_hold_their_place_in_the_queue() -> None:
    """Else two messages for tomorrow would bring back a task that was purged yesterday."""
    tomorrow = [task(age, eta=iso(86_400)) for age in (1.0, 2.0)]
    assert waits([task(86_400.0), *tomorrow], {"q": 2}) == {}


def test_the_eta_is_read_by_the_senders_clock_too() -> None:
    sent = task(-3540.0, eta=iso(3600 - 20), client="gen1")
    found = waits([sent], {"q": 1}, {"gen1": 3600.0})
    assert found == {"q": pytest.approx(20.0)}
