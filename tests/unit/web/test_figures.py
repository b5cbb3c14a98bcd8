"""Figures of the last minutes."""

from __future__ import annotations

import pytest

from celeryscope.cluster.durations import Histogram
from celeryscope.web.figures import Growth, LatencySteps
from tests.unit.web.standins import NOW, Cluster, life


class Readings:
    """Two histograms, read every two seconds from a whole ten seconds on."""

    def __init__(self) -> None:
        self.waits = Histogram(wide=True)
        self.runtimes = Histogram(wide=True)
        self.latency = LatencySteps()
        self.now = 1000.0
        self.read()

    def read(self) -> None:
        self.latency.sample(self.now, self.waits.snapshot(), self.runtimes.snapshot())

    def go_on(self, seconds: float, *, wait: float | None = None) -> None:
        for _ in range(int(seconds / 2)):
            if wait is not None:
                self.waits.add(wait)
            self.now += 2.0
            self.read()


def test_a_step_of_ten_seconds_tells_of_its_tasks_alone() -> None:
    readings = Readings()
    readings.go_on(10, wait=1.0)
    readings.go_on(10, wait=5.0)
    first, second = readings.latency.steps()
    assert (first.at, second.at) == (1010.0, 1020.0)
    assert first.wait == pytest.approx((1.0,) * 3, rel=0.05)
    assert second.wait == pytest.approx((5.0,) * 3, rel=0.05)
    assert second.runtime == (None, None, None)


def test_a_step_that_has_not_ended_is_not_told() -> None:
    readings = Readings()
    readings.go_on(8, wait=1.0)
    assert readings.latency.steps() == []
    readings.go_on(2, wait=9.0)
    (ended,) = readings.latency.steps()
    assert ended.at == 1010.0
    assert ended.wait[0] == pytest.approx(1.0, rel=0.05)
    assert ended.wait[1] == pytest.approx(9.0, rel=0.05)
    readings.go_on(8, wait=2.0)
    assert readings.latency.steps() == [ended]


def test_a_step_without_tasks_has_no_quantiles() -> None:
    readings = Readings()
    readings.go_on(10)
    assert readings.latency.steps()[0].wait == (None, None, None)


def test_five_minutes_are_kept() -> None:
    readings = Readings()
    readings.go_on(1000, wait=1.0)
    assert [step.at for step in readings.latency.steps()] == [1710.0 + 10 * i for i in range(30)]


def test_a_clock_set_back_begins_afresh() -> None:
    readings = Readings()
    readings.go_on(20, wait=1.0)
    readings.now = 50.0
    readings.go_on(2)
    assert readings.latency.steps() == []


def test_growth_is_what_came_in_the_window() -> None:
    growth = Growth(window_seconds=60.0, every_seconds=5.0)
    for i in range(100):
        growth.sample(1000.0 + 2.0 * i, {"a": 6 * i, **({"b": i} if i > 90 else {})})
    # The window begins with the last sample that is a minute old: samples are 6 s apart.
    since, before = growth.before
    assert 1198.0 - 66.0 <= since <= 1198.0 - 60.0
    assert growth.since("a", 6 * 99) == 3 * (1198.0 - since)
    assert growth.since("b", 99) == 99
    assert growth.since("nobody", 7) == 7
    assert growth.rate("a", 6 * 99, 1198.0) == pytest.approx(3.0)
    assert "b" not in before


def test_growth_has_no_rate_before_its_first_sample_and_no_flood_after_it() -> None:
    growth = Growth(window_seconds=60.0, every_seconds=5.0)
    assert growth.rate("a", 10, 1000.0) is None
    growth.sample(1000.0, {"a": 0})
    assert growth.rate("a", 10, 1000.1) == 2.0


def test_what_is_kept_is_made_again_after_a_sample_or_for_another_version() -> None:
    cluster = Cluster()
    figures, made = cluster.services.figures, iter(range(100))
    assert [figures.kept("x", lambda: next(made)) for _ in range(2)] == [0, 1]
    figures.sample(NOW, cluster.state)
    assert [figures.kept("x", lambda: next(made)) for _ in range(2)] == [2, 2]
    assert figures.kept("x", lambda: next(made), version="new") == 3
    figures.sample(NOW + 2, cluster.state)
    assert figures.kept("x", lambda: next(made), version="new") == 4


def test_the_p95_of_a_name_is_looked_up_again_when_it_has_news() -> None:
    cluster = Cluster()
    figures = cluster.services.figures
    cluster.feed(life("a"))
    name = cluster.state.names["shop.pay"]
    assert figures.p95(name) == pytest.approx(0.5, rel=0.05)
    cluster.feed([e for i in range(9) for e in life(f"b{i}", i, state="STARTED")])
    for _ in range(9):
        name.runtimes.add(8.0)
        name.succeeded += 1
    assert figures.p95(name) == pytest.approx(8.0, rel=0.05)
