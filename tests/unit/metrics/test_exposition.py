from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.metrics import exposition
from celeryscope.metrics.catalog import METRICS, Metric
from celeryscope.metrics.series import Counter, Gauge, Histogram, opening
from tests.unit.metrics.feed import samples

BY_NAME = {metric.name: metric for metric in METRICS}
COUNTER = BY_NAME["celery_task_sent_total"]
HISTOGRAM = BY_NAME["flower_task_runtime_seconds"]
GAUGE = BY_NAME["flower_task_prefetch_time_seconds"]

# The parsers of prometheus_client take lines apart with str methods that also break at other
# control characters in some places; Prometheus itself is asked in the integration test.
label_text = st.text(st.characters(codec="utf-8"), max_size=30)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (3, "3"),
        (0.005, "0.005"),
        (1.0, "1.0"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (1e-07, "1e-07"),
        (-2.5, "-2.5"),
        (10**18, "1000000000000000000"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(value: float, written: str) -> None:
    assert exposition.number(value) == written


@pytest.mark.parametrize("openmetrics", [False, True])
@given(value=label_text)
def test_every_label_value_comes_back_as_it_was(value: str, openmetrics: bool) -> None:
    labels = opening(COUNTER.labels, (value, "name", "queue"), ())
    page = exposition.head(COUNTER, openmetrics=openmetrics)
    page += exposition.counters(COUNTER, [Counter(labels, 1.0)], openmetrics)
    if openmetrics:
        page += exposition.END_OF_OPENMETRICS
    found = [dict(key[1])["hostname"] for key in samples(page, openmetrics=openmetrics)]
    assert set(found) == {value}


@given(counts=st.lists(st.integers(0, 1000), min_size=4, max_size=4), percent=label_text)
def test_a_histogram_is_cumulative_and_ends_in_its_count(counts: list[int], percent: str) -> None:
    child = Histogram(opening(("task", "worker"), (percent, "%d%s"), ()), 5.0, (0.1, 1.0, 10.0))
    child.counts[:] = counts
    child.sum = 2.5
    page = exposition.head(HISTOGRAM, openmetrics=True)
    page += exposition.histograms(HISTOGRAM, [child], True) + exposition.END_OF_OPENMETRICS
    read = {
        (name, dict(labels).get("le")): value
        for (name, labels), value in samples(page, openmetrics=True).items()
    }
    if not sum(counts):
        assert read == {}
        return
    name = HISTOGRAM.name
    assert read == {
        (f"{name}_bucket", "0.1"): counts[0],
        (f"{name}_bucket", "1.0"): sum(counts[:2]),
        (f"{name}_bucket", "10.0"): sum(counts[:3]),
        (f"{name}_bucket", "+Inf"): sum(counts),
        (f"{name}_count", None): sum(counts),
        (f"{name}_sum", None): 2.5,
        (f"{name}_created", None): 5.0,
    }


def test_a_gauge_without_a_value_has_no_line() -> None:
    unset, set_ = Gauge('{a="1"', 0.0), Gauge('{a="2"', 0.0)
    set_.value = 0.25
    assert exposition.gauges(GAUGE, [unset, set_], False) == f'{GAUGE.name}{{a="2"}} 0.25\n'


def test_the_text_format_calls_a_counter_by_its_full_name() -> None:
    assert "# TYPE celery_task_sent_total counter\n" in exposition.head(COUNTER, openmetrics=False)
    assert "# TYPE celery_task_sent counter\n" in exposition.head(COUNTER, openmetrics=True)


def test_openmetrics_tells_the_unit() -> None:
    assert "# UNIT flower_task_runtime_seconds seconds\n" in exposition.head(
        HISTOGRAM, openmetrics=True
    )


def test_help_is_escaped() -> None:
    metric = Metric("x", "gauge", (), "own", 'one\ntwo\\three "four"')
    assert exposition.head(metric, openmetrics=False).startswith(
        '# HELP x one\\ntwo\\\\three "four"\n'
    )
    assert '\\"four\\"' in exposition.head(metric, openmetrics=True)


def test_static_labels_stand_among_the_others() -> None:
    rows = exposition.rows(COUNTER, [(("h", "n", "q"), 1)], static_labels=(("cluster", "eu"),))
    assert rows == ('celery_task_sent_total{cluster="eu",hostname="h",name="n",queue_name="q"} 1\n')


def test_a_metric_without_labels_has_no_braces() -> None:
    metric = BY_NAME["celeryscope_ingest_lag_seconds"]
    assert exposition.rows(metric, [((), 0.5)]) == "celeryscope_ingest_lag_seconds 0.5\n"
