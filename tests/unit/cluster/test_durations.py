"""Histograms of durations, and what the fold counts in them."""

from __future__ import annotations

import itertools
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.cluster import durations
from celeryscope.cluster.durations import BOUNDS, BUCKETS, Histogram, add, quantiles, since
from celeryscope.cluster.state import ClusterState
from celeryscope.model.event import Event
from tests.unit.cluster.events import CLIENT, T0, WORKER, event, life

SECONDS = st.floats(min_value=0.0, max_value=durations.LONGEST_SECONDS, allow_nan=False)


def of(*seconds: float) -> Histogram:
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    return histogram


@given(
    st.lists(SECONDS | st.floats(0.0001, 100.0), min_size=1, max_size=200),
    st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0]),
)
def test_a_quantile_is_within_five_per_cent_of_the_exact_one(
    seconds: list[float], share: float
) -> None:
    exact = sorted(seconds)[max(math.ceil(share * len(seconds)), 1) - 1]
    (told,) = of(*seconds).quantiles(share)
    assert told == pytest.approx(exact, rel=0.05, abs=durations.SHORTEST_SECONDS)


@given(st.lists(SECONDS, max_size=50), st.lists(SECONDS, max_size=50))
def test_the_difference_of_two_readings_is_what_was_counted_between_them(
    first: list[float], then: list[float]
) -> None:
    histogram = Histogram(wide=True)
    for seconds in first:
        histogram.add(seconds)
    before = histogram.snapshot()
    for seconds in then:
        histogram.add(seconds)
    assert since(before, histogram.snapshot()) == list(of(*then).counts)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        (-1.0, 0), (0.0, 0), (0.0001, 0), (0.00010001, 1), (math.nan, 0),
        (BOUNDS[10], 10), (durations.LONGEST_SECONDS, BUCKETS - 2),
        (durations.LONGEST_SECONDS + 1, BUCKETS - 1), (math.inf, BUCKETS - 1), (1e300, BUCKETS - 1),
    ],
)  # fmt: skip
def test_every_number_has_a_bucket(seconds: float, bucket: int) -> None:
    assert list(of(seconds).counts).index(1) == bucket


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantiles(0.5, 0.99) == (None, None)
    assert quantiles([0] * BUCKETS, [0.5]) == (None,)


def test_a_full_bucket_halves_all_and_goes_on_counting() -> None:
    everywhere, histogram = Histogram(wide=True), of(*[1.0] * 8)
    full = next(i for i, bound in enumerate(BOUNDS) if bound >= 5.0)
    histogram.counts[full] = 2**32 - 1
    add(5.0, everywhere, histogram)
    assert histogram.counts[full] == 2**31
    assert sum(histogram.counts) == 2**31 + 4
    assert sum(everywhere.counts) == 1


def test_two_thousand_names_take_a_few_megabytes() -> None:
    assert 2 * 2000 * sys.getsizeof(Histogram().counts) < 6 * 2**20


# ---------------------------------------------------------------------- what the fold counts


def counted(events: list[Event]) -> tuple[int, int, int, int]:
    """Give waits and run times of the cluster, and of the name."""
    state = ClusterState()
    for one in events:
        state.apply([one], T0 + 1000.0)
    name = state.names["shop.pay"]
    histograms = (state.waits, state.runtimes, name.waits, name.runtimes)
    a, b, c, d = (sum(histogram.counts) for histogram in histograms)
    return a, b, c, d


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_each_run_counts_once_in_whatever_order_it_is_told(order: tuple[int, ...]) -> None:
    told = life()
    assert counted([told[i] for i in order]) == (1, 1, 1, 1)


def test_events_that_come_again_are_not_counted_again() -> None:
    told = life()
    assert counted([*told, *told, *told[::-1]]) == (1, 1, 1, 1)


def test_a_run_that_fails_has_a_wait_and_no_run_time() -> None:
    assert counted(life(end="task-failed")) == (1, 0, 1, 0)


def test_a_run_whose_sending_nobody_told_has_no_wait() -> None:
    assert counted(life()[1:]) == (0, 1, 0, 1)


def test_each_run_of_a_retried_task_has_a_wait_and_only_the_last_a_run_time() -> None:
    told = {"uuid": "a", "name": "shop.pay", "args": "(1,)", "kwargs": "{}"}
    events = [
        *life(end="task-retried"),
        event("task-sent", 0.75, queue="high", retries=1, hostname=WORKER, pid=100, **told),
        event("task-received", 0.8, retries=1, **told),
        event("task-started", 0.9, uuid="a"),
        event("task-succeeded", 1.4, uuid="a", runtime=0.5),
    ]
    assert counted(events) == (2, 1, 2, 1)
    assert counted([*events, *events]) == (2, 1, 2, 1)


def test_quantiles_of_a_name_are_its_own() -> None:
    state = ClusterState()
    for i in range(20):
        runtime = 4.0 if i == 19 else 0.2
        told = [*life(f"t{i}", at=float(i))[:3]]
        told.append(event("task-succeeded", i + 0.7, uuid=f"t{i}", runtime=runtime))
        for one in told:
            state.apply([one], one.timestamp + 0.001)
    p50, p95, p99 = state.names["shop.pay"].runtimes.quantiles(0.5, 0.95, 0.99)
    assert p50 == p95 == pytest.approx(0.2, rel=0.05)
    assert p99 == pytest.approx(4.0, rel=0.05)
    (wait,) = state.waits.quantiles(0.5)
    assert wait == pytest.approx(0.2, rel=0.05)


def test_the_last_failure_of_a_name_is_known_by_its_id() -> None:
    state = ClusterState()
    state.apply([*life("a", end="task-failed"), *life("b", at=1, end="task-failed")], T0 + 2)
    state.apply(life("c", at=2), T0 + 3)
    assert state.names["shop.pay"].last_failed == "b"


# ---------------------------------------------------------------------- queues, by events


def by_queue(
    events: list[Event], *, sole: str | None = None
) -> tuple[dict[str, int], dict[str | None, int]]:
    state = ClusterState()
    state.sole_queues = {} if sole is None else {WORKER: sole}
    for one in events:
        state.apply([one], T0 + 1000.0)
    taken = {queue: n for queue, n in state.taken_from.items() if n}
    return state.sent_to, taken


def test_a_task_is_taken_from_the_queue_it_was_sent_to() -> None:
    assert by_queue(life()) == ({"high": 1}, {"high": 1})
    assert by_queue([*life(), *life()]) == ({"high": 1}, {"high": 1})


def test_a_queue_that_is_told_late_still_counts() -> None:
    sent, received, *rest = life()
    assert by_queue([received, sent, *rest]) == ({"high": 1}, {"high": 1})


def test_without_task_sent_the_only_queue_of_the_worker_counts() -> None:
    assert by_queue(life()[1:], sole="low") == ({}, {"low": 1})
    assert by_queue(life()[1:]) == ({}, {None: 1})


def test_task_sent_says_more_than_the_only_queue_of_the_worker() -> None:
    assert by_queue(life(), sole="low") == ({"high": 1}, {"high": 1})


def test_queues_are_bounded() -> None:
    state = ClusterState()
    for i in range(1000):
        told = {"uuid": f"t{i}", "name": "shop.pay", "retries": 0}
        state.apply(
            [
                event("task-sent", i, hostname=CLIENT, queue=f"q{i}", **told),
                event("task-received", i + 0.1, **told),
            ],
            T0 + i,
        )
    assert len(state.sent_to) == 500
    assert len(state.taken_from) == 501
    assert sum(state.taken_from.values()) == 1000
