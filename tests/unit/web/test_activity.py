"""How busy the cluster was lately."""

from __future__ import annotations

import pytest

from celeryscope.web.activity import STEP_SECONDS, Activity


def test_a_rate_is_the_growth_over_the_last_ten_seconds() -> None:
    activity = Activity()
    for step in range(20):
        activity.sample(100.0 + 2 * step, {"task-sent": 10 * step})
    assert activity.rates(138.0, {"task-sent": 190}) == {"task-sent": 5.0}


def test_a_rate_falls_to_zero_when_nothing_happens_for_ten_seconds() -> None:
    activity = Activity()
    for step in range(20):
        activity.sample(100.0 + 2 * step, {"task-sent": min(10 * step, 50)})
    assert activity.rates(138.0, {"task-sent": 50}) == {"task-sent": 0.0}


def test_the_first_seconds_show_no_flood() -> None:
    activity = Activity()
    activity.sample(100.0, {})
    assert activity.rates(100.01, {"task-sent": 3}) == {"task-sent": pytest.approx(1.5)}


def test_there_is_no_rate_before_the_first_sample() -> None:
    assert Activity().rates(100.0, {"task-sent": 3}) == {}


def test_steps_are_differences_and_cover_five_minutes_at_most() -> None:
    activity = Activity()
    for step in range(400):
        activity.sample(100.0 + STEP_SECONDS * step, {"task-sent": step * step})
    times, counts = activity.steps(["task-sent", "task-failed"])
    assert len(times) == len(counts["task-sent"]) == 150
    assert times[-1] == 100.0 + STEP_SECONDS * 399
    assert counts["task-sent"][-1] == 399 * 399 - 398 * 398
    assert counts["task-failed"] == [0] * 150


def test_a_second_sample_in_the_same_step_is_not_taken() -> None:
    activity = Activity()
    for at in (100.0, 100.5, 101.0, 102.0):
        activity.sample(at, {"task-sent": int(at)})
    assert activity.steps(["task-sent"]) == ([102.0], {"task-sent": [2]})


def test_a_clock_set_back_starts_afresh() -> None:
    activity = Activity()
    activity.sample(5000.0, {"task-sent": 1})
    activity.sample(100.0, {"task-sent": 1})
    activity.sample(102.0, {"task-sent": 4})
    assert activity.steps(["task-sent"]) == ([102.0], {"task-sent": [3]})
