"""What the live stream tells, and when."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.web.api.console import Activity, Latency, Quantiles, Series
from celeryscope.web.feeds import LONGEST_PAUSE_SECONDS, Feed, Steps, wire


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1_795_000_010.123456, "1795000010.123"),
        (1_795_000_010.9999, "1795000011"),
        (0.00043219, "0.0004322"),
        (1.23456789e-7, "1.235e-07"),
        (-12.34567, "-12.346"),
        (12.5, "12.5"),
        (3, "3"),
        ("0.123456789", '"0.123456789"'),
        ('a "quoted" 1.23456 \\', '"a \\"quoted\\" 1.23456 \\\\"'),
        ({"1.23456": [None, True, 1.0004]}, '{"1.23456":[null,true,1]}'),
    ],
)
def test_numbers_are_as_exact_as_anybody_can_see_and_texts_stay(value: Any, written: str) -> None:
    assert wire(value).decode() == written


_JSON = st.recursive(
    st.none()
    | st.text()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_what_is_written_differs_in_the_last_digits_of_numbers_only(value: Any) -> None:
    assert_alike(json.loads(wire(value)), value)


def assert_alike(told: Any, value: Any) -> None:
    if isinstance(value, float):
        assert told == pytest.approx(value, rel=0.001, abs=0.0006 if abs(value) >= 1 else 0)
    elif isinstance(value, list):
        for one, other in zip(told, value, strict=True):
            assert_alike(one, other)
    elif isinstance(value, dict):
        assert told.keys() == value.keys()
        for key in value:
            assert_alike(told[key], value[key])
    else:
        assert told == value


def known(feed: Feed, tick: int) -> dict[str, Any]:
    return {key: msgspec.json.decode(value) for key, value in feed.since(tick).items()}


def test_a_value_has_changed_when_it_is_written_otherwise() -> None:
    feed = Feed(remember_gone_seconds=10)
    feed.put(1, "a", 0.12345, loop_now=0)
    feed.put(2, "a", 0.12346, loop_now=1)  # nobody can see that
    feed.put(3, "b", 1, loop_now=2)
    assert known(feed, 0) == {"a": 0.1235, "b": 1}
    assert known(feed, 1) == {"b": 1}
    assert known(feed, 3) == {}


def test_a_large_value_that_changes_all_the_time_is_told_now_and_then() -> None:
    feed = Feed(remember_gone_seconds=10)
    told = set()
    for tick in range(1, 41):  # ten seconds
        feed.put(tick, "large", ["x" * 5000, tick], loop_now=tick / 4)
        feed.put(tick, "small", tick, loop_now=tick / 4)
        told.add(feed.told("large"))
        assert feed.told("small") == tick
    assert len(told) == 10 / LONGEST_PAUSE_SECONDS


def test_what_went_is_remembered_for_a_while() -> None:
    feed = Feed(remember_gone_seconds=10)
    for name in "ab":
        feed.put(1, name, 1, loop_now=0)
    feed.keep_only(2, ["a"], loop_now=1)
    assert feed.gone_since(1) == ["b"]
    assert feed.gone_since(2) == []
    assert feed.gone_since(0) == [], "to a new client nothing is gone"
    assert feed.remembers(1)
    feed.keep_only(3, ["a"], loop_now=20)
    assert not feed.remembers(1), "it would not be told that b is gone"
    assert feed.remembers(2)


def test_what_comes_back_is_not_gone() -> None:
    feed = Feed(remember_gone_seconds=10)
    feed.put(1, "a", 1, loop_now=0)
    feed.keep_only(2, [], loop_now=1)
    feed.put(3, "a", 1, loop_now=2)
    assert feed.gone_since(1) == []
    assert known(feed, 2) == {"a": 1}


def activity(first: int, last: int) -> Activity:
    counts = list(range(first, last))
    series = Series(received=counts, succeeded=counts, failed=counts, retried=counts)
    return Activity(step_seconds=2.0, times=[n * 2.0 for n in counts], series=series)


def told(steps: Steps, tick: int) -> Any:
    raw = steps.since(tick)
    return None if raw is None else msgspec.json.decode(raw)


def test_of_a_series_only_the_new_steps_are_told() -> None:
    steps = Steps()
    assert told(steps, 0) is None
    steps.put(1, activity(0, 100))
    steps.put(2, activity(0, 100))
    assert len(told(steps, 0)["times"]) == 100
    assert told(steps, 1) is None
    steps.put(3, activity(1, 101))
    assert told(steps, 2) == {
        "step_seconds": 2.0,
        "times": [200.0],
        "series": {"received": [100], "succeeded": [100], "failed": [100], "retried": [100]},
    }


def test_a_step_that_still_fills_is_told_again_with_all_after_it() -> None:
    def latency(*p50: float | None) -> Latency:
        line = list(p50)
        return Latency(
            step_seconds=10.0,
            times=[10.0 * n for n in range(len(line))],
            wait=Quantiles(p50=line, p95=line, p99=line),
            runtime=Quantiles(p50=[None] * len(line), p95=line, p99=line),
        )

    steps = Steps()
    steps.put(1, latency(0.1, 0.2, 0.3))
    steps.put(2, latency(0.1, 0.25, 0.3, 0.4))
    part = told(steps, 1)
    assert part["times"] == [10.0, 20.0, 30.0]
    assert part["wait"]["p50"] == [0.25, 0.3, 0.4]
    assert part["runtime"]["p50"] == [None, None, None]
