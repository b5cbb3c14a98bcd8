from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from celeryscope.cluster.accounting import Accounting
from celeryscope.errors import Unavailable
from celeryscope.metrics.catalog import METRICS, OTHER
from celeryscope.metrics.collectors import (
    BuildCollector,
    Collector,
    HistoryCollector,
    IngestCollector,
    ProcessCollector,
    QueuesCollector,
    TasksCollector,
    WaitingCollector,
    WorkersCollector,
    pool_size,
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


def depth(
    messages: int | None, consumers: int | None = None, unacknowledged: int | None = None
) -> SimpleNamespace:
    return SimpleNamespace(messages=messages, consumers=consumers, unacknowledged=unacknowledged)


def inspection(*queues: str, processes: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        active_queues=[{"name": queue} for queue in queues],
        stats={"pool": {"processes": list(range(processes))}},
    )


def workers_collector(
    feed: Feed, status: Callable[[Worker, float], str], **options: Any
) -> WorkersCollector:
    return WorkersCollector(
        state=feed.state, status=status, inspections=options.pop("inspections", dict), **options
    )


# ------------------------------------------------------------------ workers


def test_workers_are_up_or_down_and_absent_while_we_cannot_know() -> None:
    feed = Feed()
    feed.send(heartbeat("up@a"), heartbeat("down@b"), heartbeat("dark@c"))
    collector = workers_collector(feed, statuses(down="offline", dark="unknown"))
    assert read(collector, "flower_worker_online") == {("up@a",): 1, ("down@b",): 0}
    assert read(collector, "celery_worker_up") == {("a",): 1, ("b",): 0}
    assert read(collector, "celeryscope_workers") == {
        ("online",): 1, ("offline",): 1, ("unknown",): 1,
    }  # fmt: skip


def test_the_running_tasks_are_those_of_the_last_heartbeat_and_none_for_a_dead_worker() -> None:
    feed = Feed()
    feed.send(heartbeat("w1@a", active=3), heartbeat("down@b", active=2))
    feed.send(feed.started(hostname="silent@c"))
    collector = workers_collector(feed, statuses(down="offline"))
    name = "flower_worker_number_of_currently_executing_tasks"
    assert read(collector, name) == {("w1@a",): 3, ("down@b",): 0}
    assert read(collector, "celery_worker_tasks_active") == {("a",): 3, ("b",): 0, ("c",): 0}


def test_a_host_is_up_while_one_of_its_workers_is() -> None:
    feed = Feed()
    feed.send(
        heartbeat("w1@a", active=1), heartbeat("down@a", active=5), heartbeat("w3@a", active=2)
    )
    collector = workers_collector(feed, statuses(down="offline"))
    assert read(collector, "celery_worker_up") == {("a",): 1}
    assert read(collector, "celery_worker_tasks_active") == {("a",): 3}


def test_a_negative_number_of_running_tasks_is_none() -> None:
    feed = Feed()
    feed.send(heartbeat("w1@a", active=-3))
    collector = workers_collector(feed, statuses())
    assert read(collector, "celery_worker_tasks_active") == {("a",): 0}


def test_restarts_losses_and_clock_skew_of_each_worker() -> None:
    feed = Feed()
    feed.send(heartbeat(WORKER))
    worker = feed.state.workers[WORKER]
    worker.restarts, worker.lost, worker.skew = 2, 7, -1.5
    collector = workers_collector(feed, statuses())
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
    collector = workers_collector(feed, statuses(), limit=2)
    assert read(collector, "celeryscope_worker_lost_events_total") == {
        ("w0@a",): 1, ("w1@a",): 1, (OTHER,): 3,
    }  # fmt: skip
    assert read(collector, "celeryscope_workers")["online",] == 5


def test_a_retired_worker_has_no_series() -> None:
    feed = Feed()
    feed.send(heartbeat("w1@a"), heartbeat("gone@b"))
    feed.state.workers["gone@b"].retired = True
    rows = workers_collector(feed, statuses()).collect(0.0)
    assert read(workers_collector(feed, statuses()), "celeryscope_workers")[
        "online",
    ] == 1  # fmt: skip
    assert not [
        values for name in rows for values, _ in rows[name] if values in {("gone@b",), ("b",)}
    ]


@pytest.mark.parametrize(
    ("ours", "flowers"),
    [
        ("celeryscope_worker_online", "flower_worker_online"),
        (
            "celeryscope_worker_tasks_running",
            "flower_worker_number_of_currently_executing_tasks",
        ),
    ],
)
def test_our_set_says_of_each_worker_what_flowers_does(ours: str, flowers: str) -> None:
    feed = Feed()
    feed.send(
        heartbeat("up@a", active=3), heartbeat("down@b", active=2), heartbeat("dark@c", active=1)
    )
    collector = workers_collector(feed, statuses(down="offline", dark="unknown"))
    assert read(collector, ours) == read(collector, flowers)
    assert read(collector, ours)["down@b",] == 0
    assert ("dark@c",) not in read(collector, ours)


def test_a_workers_processes_are_told_while_it_is_online_and_has_answered() -> None:
    feed = Feed()
    feed.send(*(heartbeat(f"{name}@a") for name in ("up", "down", "dark", "mute")))
    collector = workers_collector(
        feed,
        statuses(down="offline", dark="unknown"),
        inspections=lambda: {
            f"{name}@a": inspection(processes=4) for name in ("up", "down", "dark", "stranger")
        },
    )
    assert read(collector, "celeryscope_worker_processes") == {("up@a",): 4}


@pytest.mark.parametrize(
    ("pool", "size"),
    [
        ({"max-concurrency": 8, "processes": [11, 12]}, 2),  # prefork, scaled down
        ({"max-concurrency": 4, "threads": 2}, 4),
        ({"max-concurrency": 1, "processes": [11]}, 1),  # solo
        ({"max-concurrency": 1000}, 1000),  # gevent
        ({"max-concurrency": None}, None),
        ({"max-concurrency": True}, None),
        ({"max-concurrency": "8"}, None),
        ({"max-concurrency": -1}, None),
        ({"processes": "N/A"}, None),
        ([1], None),
        (None, None),
    ],
)
def test_the_size_of_a_pool_is_what_the_worker_said_of_it(pool: Any, size: int | None) -> None:
    assert pool_size(SimpleNamespace(stats={"pool": pool}, active_queues=None)) == size


def test_a_worker_without_stats_has_no_pool_size() -> None:
    assert pool_size(SimpleNamespace(stats=None, active_queues=None)) is None


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
        depths=lambda: {
            "celery": depth(3, unacknowledged=0),
            "mail": depth(None, 2),
            "gone": depth(None),
        },
        inspections=dict,
        online=lambda hostname: True,
    )
    assert read(collector, "celery_queue_length") == {("celery",): 3}
    assert read(collector, "celery_active_consumer_count") == {("mail",): 2}
    assert read(collector, "celeryscope_queue_messages") == {("celery",): 3}
    assert read(collector, "celeryscope_queue_consumers") == {("mail",): 2}
    assert read(collector, "celeryscope_queue_unacknowledged") == {("celery",): 0}


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
    assert read(collector, "celeryscope_queue_workers") == {("celery",): 1, ("mail",): 2}
    alive.discard("w1@a")
    assert read(collector, "celeryscope_queue_workers") == {("celery",): 0, ("mail",): 1}
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


def waiting(feed: Feed, **depths: int | None) -> dict[str, float]:
    """What is told of the oldest messages, by queue, when the queues are that full."""
    collector = WaitingCollector(
        state=feed.state, depths=lambda: {name: depth(d) for name, d in depths.items()}
    )
    rows = read(collector, "celeryscope_queue_oldest_waiting_seconds", feed.now)
    return {queue: seconds for (queue,), seconds in rows.items()}


def test_the_oldest_message_is_told_only_where_events_and_the_depth_are() -> None:
    feed = Feed()
    feed.each(feed.sent("u1", queue="mail"), feed.sent("u2", queue="unread"))
    feed.each(feed.sent("u3", queue="gone"), feed.received("u4"))
    feed.now += 7
    assert waiting(feed, mail=1, unread=None, celery=1) == {"mail": 7}


def test_the_wait_is_by_our_clock_however_wrong_the_senders_is() -> None:
    feed = Feed()
    feed.send(feed.sent("u1", queue="mail", timestamp=feed.now + 3600, hostname="ahead@a"))
    feed.send(feed.sent("u2", queue="jobs", timestamp=feed.now - 3600, hostname="behind@b"))
    feed.now += 10
    assert waiting(feed, mail=1, jobs=1) == {"mail": 10, "jobs": 10}


def test_a_delivery_that_took_a_moment_is_no_wrong_clock() -> None:
    feed = Feed()
    feed.send(feed.sent("u1", queue="mail", timestamp=feed.now - 0.3))
    feed.now += 10
    assert waiting(feed, mail=1) == {"mail": pytest.approx(10.3)}


def test_tasks_are_not_walked_through_while_nothing_waits() -> None:
    class Guarded(dict[str, Any]):
        def values(self) -> Any:
            raise AssertionError("they were walked through")

    feed = Feed()
    feed.send(feed.sent("u1", queue="mail"))
    feed.state.tasks = Guarded(feed.state.tasks)
    assert waiting(feed, mail=0) == {"mail": 0}
    feed.each(feed.received("u1"), feed.started("u1"))
    assert waiting(feed, mail=1) == {}
    feed.send(feed.sent("u2", queue="mail"))
    with pytest.raises(AssertionError, match="walked"):
        waiting(feed, mail=1)


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


@pytest.mark.parametrize(
    ("url", "told"), [("https://celery.example/scope", [(("https://celery.example/scope",), 1)]),
                      (None, [])],
)  # fmt: skip
def test_the_address_of_the_console_is_told_where_there_is_one(
    url: str | None, told: list[Any]
) -> None:
    collector = BuildCollector(version="1", console_url=url)
    assert collector.collect(0.0)["celeryscope_console_info"] == told


def test_the_build_is_told_with_its_version() -> None:
    ((values, value),) = BuildCollector(version="1.2.3", console_url=None).collect(0.0)[
        "celeryscope_build_info"
    ]
    assert dict(zip(METRIC["celeryscope_build_info"].labels, values, strict=True))["version"] == (
        "1.2.3"
    )
    assert value == 1


# ------------------------------------------------------------------ the history


class Kept:
    """A history whose database can be away."""

    written, waiting, dropped, refused = 7, 2, 0, 0
    trouble: str | None = None

    def __init__(self, oldest: float | None = 900.0) -> None:
        self.oldest = oldest
        self.asked = 0
        self.answers = threading.Event()

    def extent(self) -> SimpleNamespace:
        self.asked += 1
        assert self.answers.wait(10)
        if self.trouble is not None:
            raise Unavailable(self.trouble)
        return SimpleNamespace(tasks=41, oldest=self.oldest)

    def size_bytes(self) -> int:
        return 4096


def looked(collector: Collector, now: float, until: Callable[[set[str]], bool]) -> set[str]:
    deadline = time.monotonic() + 5
    while not until(told := {name for name, rows in collector.collect(now).items() if rows}):
        assert time.monotonic() < deadline, told
        time.sleep(0.01)
    return told


def test_a_scrape_does_not_wait_for_the_database_of_the_history() -> None:
    history = Kept()
    collector = HistoryCollector(history, removed=lambda: 5)
    told = collector.collect(1_000.0)
    assert told["celeryscope_history_events_written_total"] == [((), 7)]
    assert told["celeryscope_history_events_waiting"] == [((), 2)]
    assert told["celeryscope_history_tasks_removed_total"] == [((), 5)]
    assert told["celeryscope_history_trouble"] == [((), 0)]
    assert "celeryscope_history_tasks" not in told
    history.answers.set()
    looked(collector, 1_001.0, lambda names: "celeryscope_history_tasks" in names)
    assert read(collector, "celeryscope_history_tasks", 1_059.0) == {(): 41}
    assert read(collector, "celeryscope_history_size_bytes", 1_059.0) == {(): 4096}
    oldest = "celeryscope_history_oldest_task_timestamp_seconds"
    assert read(collector, oldest, 1_059.0) == {(): 900.0}
    assert history.asked == 1


def test_what_cannot_be_read_of_the_history_is_absent_and_not_zero() -> None:
    history = Kept(oldest=None)
    history.answers.set()
    collector = HistoryCollector(history, removed=lambda: 5)
    told = looked(collector, 1_000.0, lambda names: "celeryscope_history_tasks" in names)
    assert "celeryscope_history_oldest_task_timestamp_seconds" not in told
    history.trouble = "The disk is full."
    told = looked(collector, 1_070.0, lambda names: "celeryscope_history_tasks" not in names)
    assert "celeryscope_history_size_bytes" not in told
    assert read(collector, "celeryscope_history_trouble", 1_071.0) == {(): 1}
    history.trouble = None
    looked(collector, 1_080.0, lambda names: "celeryscope_history_tasks" in names)
