from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from celeryscope.cluster.accounting import Accounting
from celeryscope.metrics.catalog import METRICS, SETS, Catalog
from celeryscope.metrics.collectors import (
    BuildCollector,
    Collector,
    HistoryCollector,
    IngestCollector,
    ProcessCollector,
    QueuesCollector,
    Rows,
    TasksCollector,
    WaitingCollector,
    WorkersCollector,
)
from celeryscope.metrics.registry import Metrics
from tests.conftest import need_binary
from tests.unit.metrics.feed import Feed, Samples, random_cluster, samples, total
from tests.unit.metrics.test_collectors import (
    Kept,
    depth,
    heartbeat,
    inspection,
    looked,
    statuses,
)


def full(feed: Feed) -> Metrics:
    """Make a registry with everything that can stand on the page."""
    losses = Accounting()
    losses.reject("bad_json")

    def depths() -> dict[str, Any]:
        return {"q1": depth(3, 1, 2), "q2": depth(0)}

    def inspections() -> dict[str, Any]:
        return {"w1@host0": inspection("q1", processes=2)}

    collectors: list[Collector] = [
        WorkersCollector(state=feed.state, status=statuses(), inspections=inspections),
        TasksCollector(state=feed.state, recorder=feed.recorder),
        QueuesCollector(depths=depths, inspections=inspections, online=lambda hostname: True),
        WaitingCollector(state=feed.state, depths=depths),
        IngestCollector(
            state=feed.state,
            losses=losses,
            ingest=lambda: SimpleNamespace(lag_seconds=0.1, buffer_bytes=0, buffer_limit_bytes=1),
            connected=lambda: True,
            recorder=feed.recorder,
        ),
        BuildCollector(version="1.0", console_url="http://127.0.0.1:5555"),
        ProcessCollector(),
        history(feed.now),
    ]
    return Metrics(recorder=feed.recorder, collectors=collectors, clock=lambda: feed.now)


def history(now: float) -> HistoryCollector:
    """Make the history's, with all that it finds out by and by."""
    kept = Kept()
    kept.answers.set()
    collector = HistoryCollector(kept, removed=lambda: 5)
    looked(collector, now, lambda names: "celeryscope_history_tasks" in names)
    return collector


def busy(**options: Any) -> Feed:
    feed = Feed(**options)
    events, _ = random_cluster(seed=1, tasks=200)
    feed.send(*events)
    feed.send(heartbeat("w1@host0", active=1))
    feed.wait(3)
    return feed


def test_every_metric_of_the_catalogue_is_on_the_page() -> None:
    page = full(busy()).render().decode()
    missing = [metric.name for metric in METRICS if f"# TYPE {metric.name} " not in page]
    assert missing == []


def test_both_formats_say_the_same() -> None:
    metrics = full(busy())
    text = samples(metrics.render(False).decode())
    openmetrics = samples(metrics.render(True).decode(), openmetrics=True)
    changing = ("process_", "celeryscope_metrics_")
    kept = {
        key: value
        for key, value in openmetrics.items()
        if not key[0].endswith("_created") and not key[0].startswith(changing)
    }
    assert kept == {k: v for k, v in text.items() if not k[0].startswith(changing)}


def test_openmetrics_ends_with_eof_and_tells_when_a_series_began() -> None:
    feed = busy()
    page = full(feed).render(True).decode()
    assert page.endswith("# EOF\n")
    read = samples(page, openmetrics=True)
    created = {value for (name, _), value in read.items() if name == "flower_events_created"}
    assert created
    assert all(abs(at - feed.now) < 10 for at in created)
    assert "_created" not in full(feed).render(False).decode()


@pytest.mark.parametrize("off", SETS)
def test_collected_metrics_of_a_set_that_is_off_are_left_out(off: str) -> None:
    feed = busy(catalog=Catalog(sets=set(SETS) - {off}))
    page = full(feed).render().decode()
    for metric in METRICS:
        assert (f"# TYPE {metric.name} " in page) == (metric.set != off), metric.name


def test_static_labels_reach_the_collected_metrics_of_their_set() -> None:
    feed = busy(catalog=Catalog(celery_prefix="jobs_", celery_static_labels={"cluster": "eu"}))
    read = samples(full(feed).render().decode())
    assert total(read, "jobs_worker_up", cluster="eu", hostname="host0") == 1
    assert total(read, "flower_worker_online", cluster="eu") == 0
    assert all(dict(labels)["cluster"] == "eu" for name, labels in read if name[:5] == "jobs_")


class Wavering:
    """A collector whose counter is corrected downwards."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = iter(values)

    def collect(self, now: float) -> Rows:
        return {"celeryscope_worker_lost_events_total": [(("w1@a",), next(self._values))]}


def test_a_counter_never_falls_while_it_is_shown() -> None:
    metrics = Metrics(recorder=Feed().recorder, collectors=[Wavering([3, 5, 4, 5, 6])])
    told = [
        total(samples(metrics.render().decode()), "celeryscope_worker_lost_events_total")
        for _ in range(5)
    ]
    assert told == [3, 5, 5, 5, 6]


class Fading:
    """A collector whose series goes away and comes back."""

    def __init__(self) -> None:
        self.rows: list[tuple[tuple[str, ...], float]] = []

    def collect(self, now: float) -> Rows:
        return {"celeryscope_worker_lost_events_total": self.rows}


def test_a_counter_that_went_away_may_begin_again() -> None:
    fading = Fading()
    metrics = Metrics(recorder=Feed().recorder, collectors=[fading])
    told = []
    histories: list[list[tuple[tuple[str, ...], float]]] = [[(("w",), 9.0)], [], [(("w",), 1.0)]]
    for rows in histories:
        fading.rows = rows
        told.append(
            total(samples(metrics.render().decode()), "celeryscope_worker_lost_events_total")
        )
    assert told == [9, 0, 1]


def test_the_page_is_whole_while_events_are_recorded_and_workers_come_and_go() -> None:
    """No torn histogram, no falling counter, no error from a dictionary that grows."""
    feed = Feed()
    metrics = full(feed)
    events, truth = random_cluster(seed=2, tasks=3000, workers=8, names=20)
    done = threading.Event()

    def record() -> None:
        for start in range(0, len(events), 20):
            feed.send(*events[start : start + 20])
            if start % 400 == 0:
                feed.recorder.retire_worker(f"pod@pod{start}")
                feed.run(f"pod{start}", hostname=f"pod@pod{start + 400}")
        done.set()

    recording = threading.Thread(target=record)
    recording.start()
    before: Samples = {}
    pages = 0
    while not done.is_set() or pages < 2:
        read = samples(metrics.render().decode())
        pages += 1
        for (name, labels), value in read.items():
            bucket = (name.removesuffix("_count") + "_bucket", labels | {("le", "+Inf")})
            if name.endswith("_count"):
                assert value == read.get(bucket, value)
            if name.endswith(("_total", "_bucket")):
                assert value >= before.get((name, labels), 0)
        before = dict(read)
    recording.join()
    feed.wait(3)
    pods = len(range(0, len(events), 400))
    counted = samples(metrics.render().decode())
    assert total(counted, "celeryscope_task_events_total") == sum(truth.values()) + 4 * pods


def test_promtool_finds_nothing_in_our_metrics() -> None:
    """The compatible sets are left out: their names are fixed by what they are compatible with."""
    promtool = need_binary("promtool", debian="prometheus")
    feed = busy(catalog=Catalog(sets=["own"]))
    page = full(feed).render()
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, check=False, timeout=20
    )
    assert (checked.stdout + checked.stderr).decode() == ""
    assert checked.returncode == 0


def test_promtool_reads_the_compatible_sets_and_dislikes_only_what_is_known() -> None:
    """celery-exporter's histograms carry no unit; everything else in both sets is fine."""
    promtool = need_binary("promtool", debian="prometheus")
    page = full(busy(catalog=Catalog(sets=["flower", "celery"]))).render()
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, check=False, timeout=20
    )
    complaints = (checked.stdout + checked.stderr).decode().splitlines()
    assert not [line for line in complaints if "error while linting" in line]
    assert {line.split(" ")[0] for line in complaints} <= {
        "celery_active_consumer_count",
        "celery_active_process_count",
        "celery_active_worker_count",
    }
