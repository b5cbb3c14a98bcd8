from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from celeryscope.cluster.accounting import Accounting
from celeryscope.metrics.catalog import METRICS, OTHER
from celeryscope.metrics.collectors import (
    BuildCollector,
    Collector,
    IngestCollector,
    ProcessCollector,
    QueuesCollector,
    TasksCollector,
    WorkersCollector,
    queue_names,
)
from celeryscope.metrics.recorder import sole_queue
from celeryscope.model.event import Event
from celeryscope.model.worker import Worker
from tests.unit.metrics.feed import WORKER, Feed

METRIC = {metric.name: metric for metric in METRICS}


def read(collector: Collector, name: str, now: float = 0.0) -> dict[tuple[str, ...], float]:
    return dict(collector.collect(now)[name])


def statuses(**by_host: str) -> Callable[[Worker, float], str]:
    return lambda worker, now: by_host.get(worker.hostname.partition("@")[0], "online")


def heartbeat(hostname: str, **fields: Any) -> Event:
    fields = {"timestamp": 1_000_000.0, "pid": 1, "active": 0, "processed": 0, **fields}
    return Event(type="worker-heartbeat", hostname=hostname, **fields)


def depth(messages: int | None, consumers: int | None = None) -> SimpleNamespace:
    return SimpleNamespace(messages=messages, consumers=consumers)


def inspection(*queues: str, processes: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        active_queues=[{"name": queue} for queue in queues],
        stats={"pool": {"processes": list(range(processes))}},
    )


# ------------------------------------------------------------------ workers


def test_workers_are_up_or_down_and_absent_while_we_cannot_know() -> None:
    feed = Feed()
    feed.send(heartbeat("up@a"), heartbeat("down@b"), heartbeat("dark@c"))
    collector = WorkersCollector(state=feed.state, status=statuses(down="offline", dark="unknown"))
    assert read(collector, "flower_worker_online") == {("up@a",): 1, ("down@b",): 0}
    assert read(collector, "celery_worker_up") == {("a",): 1, ("b",): 0}
    assert read(collector, "celeryscope_workers") == {
        ("online",): 1, ("offline",): 1, ("unknown",): 1,
    }  # fmt: skip


def test_the_running_tasks_are_those_of_the_last_heartbeat_and_none_for_a_dead_worker() -> None:
    feed = Feed()
    feed.send(heartbeat("w1@a", active=3), heartbeat("down@b", active=2))
    feed.send(feed.started(hostname="silent@c"))
    collector = WorkersCollector(state=feed.state, status=statuses(down="offline"))
    name = "flower_worker_number_of_currently_executing_tasks"
    assert read(collector, name) == {("w1@a",): 3, ("down@b",): 0}
    assert read(collector, "celery_worker_tasks_active") == {("a",): 3, ("b",): 0, ("c",): 0}


def test_a_host_is_up_while_one_of_its_workers_is() -> None:
    feed = Feed()
    feed.send(
        heartbeat("w1@a", active=1), heartbeat("down@a", active=5), heartbeat("w3@a", active=2)
    )
    collector = WorkersCollector(state=feed.state, status=statuses(down="offline"))
    assert read(collector, "celery_worker_up") == {("a",): 1}
    assert read(collector, "celery_worker_tasks_active") == {("a",): 3}


def test_a_negative_number_of_running_tasks_is_none() -> None:
    feed = Feed()
    feed.send(heartbeat("w1@a", active=-3))
    collector = WorkersCollector(state=feed.state, status=statuses())
    assert read(collector, "celery_worker_tasks_active") == {("a",): 0}


def test_restarts_losses_and_clock_skew_of_each_worker() -> None:
    feed = Feed()
    feed.send(heartbeat(WORKER))
    worker = feed.state.workers[WORKER]
    worker.restarts, worker.lost, worker.skew = 2, 7, -1.5
    collector = WorkersCollector(state=feed.state, status=statuses())
    assert read(collector, "celeryscope_worker_restarts_total") == {(WORKER,): 2}
    assert read(collector, "celeryscope_worker_lost_events_total") == {(WORKER,): 7}
    assert read(collector, "celeryscope_worker_clock_skew_seconds") == {(WORKER,): -1.5}
    assert read(collector, "celeryscope_worker_last_heartbeat_timestamp_seconds") == {
        (WORKER,): feed.now
    }


def test_past_the_limit_workers_share_one_series() -> None:
    feed = Feed()
    feed.send(*(heartbeat(f"w{number}@a") for number in range(5)))
    for worker in feed.state.workers.values():
        worker.lost = 1
    collector = WorkersCollector(state=feed.state, status=statuses(), limit=2)
    assert read(collector, "celeryscope_worker_lost_events_total") == {
        ("w0@a",): 1, ("w1@a",): 1, (OTHER,): 3,
    }  # fmt: skip
    assert read(collector, "celeryscope_workers")["online",] == 5


def test_a_retired_worker_has_no_series() -> None:
    feed = Feed()
    feed.send(heartbeat("w1@a"), heartbeat("gone@b"))
    feed.state.workers["gone@b"].retired = True
    rows = WorkersCollector(state=feed.state, status=statuses()).collect(0.0)
    assert read(WorkersCollector(state=feed.state, status=statuses()), "celeryscope_workers")[
        "online",
    ] == 1  # fmt: skip
    assert not [
        values for name in rows for values, _ in rows[name] if values in {("gone@b",), ("b",)}
    ]


# ------------------------------------------------------------------ tasks


def test_prefetched_tasks_are_counted_from_the_state_and_do_not_drift() -> None:
    feed = Feed()
    collector = TasksCollector(state=feed.state, recorder=feed.recorder)
    feed.each(feed.sent("u1"), feed.received("u1"), feed.sent("u2"), feed.received("u2"))
    assert read(collector, "flower_worker_prefetched_tasks") == {("a.add", WORKER): 2}
    feed.send(feed.started("u1"))
    feed.send(feed.succeeded("u2"))  # its task-started was lost
    assert read(collector, "flower_worker_prefetched_tasks") == {("a.add", WORKER): 0}


def test_a_task_with_an_eta_is_not_prefetched() -> None:
    feed = Feed()
    eta = "2030-01-01T00:00:00+00:00"
    feed.each(feed.sent(eta=eta), feed.received(eta=eta))
    collector = TasksCollector(state=feed.state, recorder=feed.recorder)
    assert read(collector, "flower_worker_prefetched_tasks") == {("a.add", WORKER): 0}


def test_tasks_in_memory_by_state_with_the_empty_states_and_the_custom_ones() -> None:
    feed = Feed()
    feed.each(
        feed.sent("u1"), feed.sent("u2"), feed.started("u2"), feed.event("task-progress", "u3")
    )
    collector = TasksCollector(state=feed.state, recorder=feed.recorder)
    tasks = read(collector, "celeryscope_tasks")
    assert {state: count for (state,), count in tasks.items() if count} == {
        "PENDING": 1, "STARTED": 1, "PROGRESS": 1,
    }  # fmt: skip
    assert tasks["SUCCESS",] == 0


def test_a_thousand_custom_states_share_one_series() -> None:
    feed = Feed()
    for number in range(1000):
        feed.send(feed.event(f"task-odd{number}", f"u{number}"))
    collector = TasksCollector(state=feed.state, recorder=feed.recorder)
    tasks = read(collector, "celeryscope_tasks")
    assert len(tasks) <= 51
    assert sum(tasks.values()) == 1000


# ------------------------------------------------------------------ queues


def test_queue_lengths_and_consumers_are_absent_where_they_are_not_known() -> None:
    collector = QueuesCollector(
        depths=lambda: {"celery": depth(3), "mail": depth(None, 2), "gone": depth(None)},
        inspections=dict,
        online=lambda hostname: True,
    )
    assert read(collector, "celery_queue_length") == {("celery",): 3}
    assert read(collector, "celery_active_consumer_count") == {("mail",): 2}
    assert read(collector, "celeryscope_queue_messages") == {("celery",): 3}
    assert read(collector, "celeryscope_queue_consumers") == {("mail",): 2}


def test_workers_and_processes_are_counted_for_each_queue_they_consume() -> None:
    alive = {"w1@a", "w2@b", "w3@c"}
    collector = QueuesCollector(
        depths=dict,
        inspections=lambda: {
            "w1@a": inspection("celery", "mail", processes=4),
            "w2@b": inspection("mail", processes=2),
            "w3@c": SimpleNamespace(active_queues=None, stats=None),
        },
        online=lambda hostname: hostname in alive,
    )
    assert read(collector, "celery_active_worker_count") == {("celery",): 1, ("mail",): 2}
    assert read(collector, "celery_active_process_count") == {("celery",): 4, ("mail",): 6}
    alive.discard("w1@a")
    assert read(collector, "celery_active_worker_count") == {("celery",): 0, ("mail",): 1}
    assert read(collector, "celery_active_process_count") == {("celery",): 0, ("mail",): 2}


def test_queues_have_a_limit() -> None:
    collector = QueuesCollector(
        depths=lambda: {f"q{number}": depth(1) for number in range(10)},
        inspections=dict,
        online=lambda hostname: True,
        limit=3,
    )
    assert len(read(collector, "celery_queue_length")) == 3


@pytest.mark.parametrize(
    "queues", [None, [], [1], [{}], [{"name": None}], [{"nom": "x"}], ["celery"]]
)
def test_odd_answers_name_no_queues(queues: Any) -> None:
    assert queue_names(SimpleNamespace(active_queues=queues, stats={"pool": 1})) == []


def test_the_queue_of_a_worker_is_told_only_when_it_is_the_only_one() -> None:
    queue_of = sole_queue(lambda: {"one@a": ["mail"], "two@b": ["mail", "celery"], "none@c": []})
    assert [queue_of(name) for name in ("one@a", "two@b", "none@c", "who@d")] == [
        "mail", None, None, None,
    ]  # fmt: skip


# ------------------------------------------------------------------ ingest


def test_everything_that_was_lost_or_refused_is_told() -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.sent(), feed.started("nameless"))
    losses = Accounting()
    losses.gap_begins(10.0, "cut")
    losses.gap_ends(12.5)
    losses.gap_begins(20.0, "cut again")
    losses.dropped(3, 400)
    losses.reject("bad_json", 2)
    collector = IngestCollector(
        state=feed.state,
        losses=losses,
        ingest=lambda: SimpleNamespace(lag_seconds=-0.1, buffer_bytes=5, buffer_limit_bytes=9),
        connected=lambda: False,
        recorder=feed.recorder,
    )
    rows = {name: dict(rows) for name, rows in collector.collect(21.0).items()}
    assert rows["celeryscope_events_received_total"] == {("task-sent",): 1, ("task-started",): 1}
    assert rows["celeryscope_events_duplicate_total"] == {(): 1}
    assert rows["celeryscope_events_waiting"] == {(): 1}
    assert rows["celeryscope_ingest_gaps_total"] == {(): 2}
    assert rows["celeryscope_ingest_gap_seconds_total"] == {(): 3.5}
    assert rows["celeryscope_messages_dropped_total"] == {(): 3}
    assert rows["celeryscope_messages_dropped_bytes_total"] == {(): 400}
    assert rows["celeryscope_messages_rejected_total"] == {("bad_json",): 2}
    assert rows["celeryscope_ingest_lag_seconds"] == {(): 0}
    assert rows["celeryscope_broker_connected"] == {(): 0}
    assert rows["celeryscope_label_overflow_total"]["task",] == 0


# ------------------------------------------------------------------ this process


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_the_process_is_read_from_proc() -> None:
    rows = {name: dict(rows)[()] for name, rows in ProcessCollector().collect(0.0).items()}
    assert 1e6 < rows["process_resident_memory_bytes"] < rows["process_virtual_memory_bytes"]
    assert 0 < rows["process_open_fds"] <= rows["process_max_fds"]
    assert rows["process_cpu_seconds_total"] == pytest.approx(sum(os.times()[:2]), abs=1.0)
    assert time.time() - 86_400 < rows["process_start_time_seconds"] <= time.time() + 1


def test_without_proc_only_what_the_system_tells_is_there(tmp_path: Path) -> None:
    rows = ProcessCollector(proc=tmp_path).collect(0.0)
    assert set(rows) == {"process_cpu_seconds_total", "process_max_fds"}


def test_the_build_is_told_with_its_version() -> None:
    ((values, value),) = BuildCollector(version="1.2.3").collect(0.0)["celeryscope_build_info"]
    assert dict(zip(METRIC["celeryscope_build_info"].labels, values, strict=True))["version"] == (
        "1.2.3"
    )
    assert value == 1
