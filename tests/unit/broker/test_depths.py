"""Depths of the last ten minutes, and where they go."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from celeryscope.broker.depths import DepthHistory, Trend, trend


def history(
    depth: Callable[[int], int | None], *, readings: int, every: float = 5.0
) -> DepthHistory:
    made = DepthHistory(interval_seconds=every)
    for i in range(readings):
        made.add(1000.0 + every * i, {"a": depth(i)})
    return made


def test_a_queue_that_grows_steadily_grows_by_that_much() -> None:
    grown = history(lambda i: 10 * i, readings=30).trends["a"]
    assert grown.per_second == pytest.approx(2.0)
    assert not grown.shrinks


def test_only_the_last_minute_counts() -> None:
    shrunk = history(lambda i: 1000 + i if i < 30 else 2000 - 20 * i, readings=60).trends["a"]
    assert shrunk.per_second == pytest.approx(-4.0)
    assert shrunk.shrinks


def test_one_reading_has_no_trend_and_two_do_not_say_that_it_shrinks() -> None:
    assert "a" not in history(lambda i: 7, readings=1).trends
    assert history(lambda i: 7 - i, readings=2).trends["a"] == Trend(-0.2, shrinks=False)


def test_a_depth_that_goes_up_and_down_is_not_said_to_shrink() -> None:
    said = [
        trend([(5.0 * i, random.Random(seed + 1000 * i).randrange(100)) for i in range(13)])
        for seed in range(200)
    ]
    assert sum(one is not None and one.shrinks for one in said) < 20


def test_slow_pollers_have_a_trend_too() -> None:
    slow = history(lambda i: 60 * i, readings=5, every=60.0).trends["a"]
    assert slow.per_second == pytest.approx(1.0)


def test_ten_minutes_are_kept() -> None:
    times, depths = history(lambda i: i, readings=500).of("a")
    assert times == [1000.0 + 5.0 * i for i in range(379, 500)]
    assert depths == list(range(379, 500))


def test_what_could_not_be_read_is_a_hole_and_the_trend_is_unknown() -> None:
    made = history(lambda i: i, readings=5)
    made.add(1025.0, {})
    assert made.of("a")[1] == [0, 1, 2, 3, 4, None]
    assert made.trends == {}
    made.add(1030.0, {"a": 9})
    assert made.of("a")[1] == [0, 1, 2, 3, 4, None, 9]
    assert made.trends["a"].per_second > 0


def test_a_queue_that_comes_later_begins_when_it_was_read_first() -> None:
    made = history(lambda i: i, readings=3)
    made.add(1015.0, {"a": 1, "b": 5})
    assert made.of("b") == ([1015.0], [5])
    assert made.of("nobody") == ([], [])


def test_queues_are_bounded_and_those_nobody_reads_any_more_make_room() -> None:
    made = DepthHistory()
    made.add(0.0, {f"old{i}": 1 for i in range(500)})
    made.add(5.0, {"new": 1})
    assert made.of("new") == ([], [])
    made.add(1000.0, {"new": 1})
    assert made.of("new") == ([1000.0], [1])
    assert made.of("old1") == ([], [])


def test_readings_close_together_are_thinned_out() -> None:
    times, _ = history(lambda i: i, readings=100, every=0.5).of("a")
    assert times == [1000.0 + 4.5 * i for i in range(12)]


def test_a_clock_set_back_begins_afresh() -> None:
    made = history(lambda i: i, readings=5)
    made.add(10.0, {"a": 3})
    assert made.of("a") == ([10.0], [3])
