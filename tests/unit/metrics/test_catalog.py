from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Histogram

from celeryscope.metrics.catalog import CLIENT_BUCKETS, METRICS, OWN_BUCKETS, Catalog, Metric, page

REPOSITORY = Path(__file__).parents[3]
BASE_UNITS = ("seconds", "bytes")


def test_the_page_in_the_docs_is_current() -> None:
    assert (REPOSITORY / "docs/reference/metrics.md").read_text() == page()


def test_no_two_metrics_share_a_name_or_a_family() -> None:
    names = [metric.name for metric in METRICS]
    families = [metric.family for metric in METRICS]
    assert len(set(names)) == len(names)
    assert len(set(families)) == len(families)


@pytest.mark.parametrize("metric", [m for m in METRICS if m.set == "own"], ids=lambda m: m.name)
def test_our_names_follow_prometheus_rules(metric: Metric) -> None:
    assert re.fullmatch(r"(celeryscope|process)_[a-z_]+", metric.name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    for unit in BASE_UNITS:
        assert (metric.unit == unit) == metric.family.endswith(f"_{unit}")
    assert metric.help.endswith(".")
    assert metric.bounded
    assert "worker" not in metric.labels or "task" not in metric.labels


def test_labels_stand_in_the_order_in_which_they_are_written() -> None:
    assert [m.name for m in METRICS if list(m.labels) != sorted(m.labels)] == []


def test_the_compatible_buckets_are_those_of_prometheus_client() -> None:
    assert (*CLIENT_BUCKETS, float("inf")) == Histogram.DEFAULT_BUCKETS
    assert set(OWN_BUCKETS) >= {0.005, 1.0, 3600.0}


def test_flower_has_exactly_its_families() -> None:
    assert {(m.name, m.kind, m.labels) for m in METRICS if m.set == "flower"} == {
        ("flower_events_total", "counter", ("task", "type", "worker")),
        ("flower_task_runtime_seconds", "histogram", ("task", "worker")),
        ("flower_task_prefetch_time_seconds", "gauge", ("task", "worker")),
        ("flower_worker_prefetched_tasks", "gauge", ("task", "worker")),
        ("flower_worker_online", "gauge", ("worker",)),
        ("flower_worker_number_of_currently_executing_tasks", "gauge", ("worker",)),
    }


def test_celery_exporter_has_exactly_its_families() -> None:
    task = ("hostname", "name", "queue_name")
    counted = ("sent", "received", "started", "succeeded", "rejected", "revoked", "retried")
    assert {(m.name, m.kind, m.labels) for m in METRICS if m.set == "celery"} == {
        *((f"celery_task_{what}_total", "counter", task) for what in counted),
        ("celery_task_failed_total", "counter", ("exception", *task)),
        ("celery_task_runtime", "histogram", task),
        ("celery_task_queue_wait_time", "histogram", task),
        ("celery_worker_up", "gauge", ("hostname",)),
        ("celery_worker_tasks_active", "gauge", ("hostname",)),
        ("celery_queue_length", "gauge", ("queue_name",)),
        ("celery_active_consumer_count", "gauge", ("queue_name",)),
        ("celery_active_worker_count", "gauge", ("queue_name",)),
        ("celery_active_process_count", "gauge", ("queue_name",)),
    }


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"sets": ["flower", "flour"]}, "flour"),
        ({"celery_prefix": "9lives_"}, "9lives_"),
        ({"celery_prefix": ""}, "''"),
        ({"celery_static_labels": {"hostname": "x"}}, "hostname"),
        ({"celery_static_labels": {"le": "x"}}, "le"),
        ({"celery_static_labels": {"not a label": "x"}}, "not a label"),
        ({"celery_static_labels": {"__name__": "x"}}, "__name__"),
    ],
)
def test_what_cannot_be_used_is_named(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Catalog(**options)
