from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celeryscope.metrics.catalog import OTHER, TASK_EVENTS, UNKNOWN, Catalog, Limits
from celeryscope.metrics.recorder import Recorder, exception_class, host_of
from celeryscope.model.event import Event
from tests.unit.metrics.feed import CLIENT, WORKER, Feed, Truth, random_cluster, samples, total

CELERY_COUNTERS = [f"celery_{event.replace('-', '_')}_total" for event in TASK_EVENTS]


# ------------------------------------------------------------------ what is counted


def test_flower_counts_events_by_worker_type_and_task() -> None:
    feed = Feed()
    feed.run()
    for type_ in ("task-received", "task-started", "task-succeeded"):
        assert feed.value("flower_events_total", worker=WORKER, type=type_, task="a.add") == 1
    assert feed.value("flower_events_total", worker=CLIENT, type="task-sent", task="a.add") == 1
    assert feed.total("flower_events_total") == 4


@pytest.mark.parametrize("at_once", [True, False])
def test_a_task_that_replaces_itself_is_counted_by_what_ran(at_once: bool) -> None:
    feed = Feed()
    now = feed.now
    told = [
        feed.sent(timestamp=now, name="a.split"),
        feed.received(timestamp=now + 0.1, name="a.split"),
        feed.started(timestamp=now + 0.2),
        feed.sent(timestamp=now + 0.3, hostname=CLIENT),
        feed.received(timestamp=now + 0.4),
        feed.started(timestamp=now + 0.5),
        feed.succeeded(timestamp=now + 0.6),
    ]
    if at_once:
        feed.send(*told)
    else:
        feed.each(*told)
    for name in ("flower_events_total", "celeryscope_task_events_total"):
        counted = {
            type_: (feed.total(name, type=type_, task="a.split"), feed.total(name, type=type_))
            for type_ in ("task-sent", "task-received", "task-started", "task-succeeded")
        }
        assert counted == {
            "task-sent": (1, 2),
            "task-received": (1, 2),
            "task-started": (1, 2),
            "task-succeeded": (0, 1),
        }


def test_flower_counts_custom_task_events_too() -> None:
    feed = Feed()
    feed.run()
    feed.send(feed.event("task-progress"))
    assert feed.total("flower_events_total", type="task-progress") == 1
    assert feed.total("celeryscope_task_events_total", type="task-progress") == 1


def test_worker_events_are_not_task_events() -> None:
    feed = Feed()
    feed.send(Event(type="worker-heartbeat", hostname=WORKER, timestamp=feed.now))
    assert feed.samples() == {}


def test_celery_exporter_shows_all_counters_at_zero_once_a_worker_touches_the_task() -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.received())
    labels = {"hostname": "web1", "name": "a.add", "queue_name": "q"}
    for name in CELERY_COUNTERS:
        extra = {"exception": ""} if name == "celery_task_failed_total" else {}
        expected = 1 if name == "celery_task_received_total" else 0
        assert feed.value(name, **labels, **extra) == expected, name


def test_a_sender_shows_only_what_it_sent() -> None:
    feed = Feed()
    feed.send(feed.sent())
    assert feed.value("celery_task_sent_total", hostname="app1", name="a.add", queue_name="q") == 1
    assert [key for key in feed.samples() if "app1" in dict(key[1]).values()] == [
        ("celery_task_sent_total", frozenset({("hostname", "app1"), ("name", "a.add"), ("queue_name", "q")}))
    ]  # fmt: skip


def test_failures_are_counted_by_the_class_of_the_exception() -> None:
    feed = Feed()
    for uuid, exception in (("u1", "KeyError('x')"), ("u2", "KeyError('y')"), ("u3", "?!")):
        feed.each(feed.sent(uuid), feed.failed(uuid, exception=exception))
    failed = "celery_task_failed_total"
    assert feed.total(failed, exception="KeyError") == 2
    assert feed.total(failed, exception="UnknownException") == 1
    assert feed.total(failed, exception="") == 0
    assert feed.total(failed) == 3


@pytest.mark.parametrize("sets", [("own",), ("own", "celery"), ("own", "flower", "celery")])
def test_our_failures_are_counted_by_exception_whichever_other_sets_are_on(
    sets: tuple[str, ...],
) -> None:
    feed = Feed(catalog=Catalog(sets=sets))
    for uuid, name, exception in (
        ("u1", "a.add", "KeyError('x')"),
        ("u2", "a.add", "KeyError('y')"),
        ("u3", "a.add", "?!"),
        ("u4", "a.mul", "KeyError('z')"),
    ):
        feed.each(feed.sent(uuid, name), feed.failed(uuid, exception=exception))
    feed.each(feed.sent("u5"), feed.event("task-retried", "u5", exception="KeyError('later')"))
    failed = "celeryscope_task_failures_total"
    assert feed.value(failed, exception="KeyError", task="a.add", queue="q") == 2
    assert feed.value(failed, exception="UnknownException", task="a.add", queue="q") == 1
    assert feed.value(failed, exception="KeyError", task="a.mul", queue="q") == 1
    assert feed.total(failed) == 4


def test_a_failure_that_had_to_wait_for_its_queue_is_counted_once() -> None:
    feed = Feed()
    feed.each(feed.failed(), feed.received())
    assert feed.total("celeryscope_task_failures_total") == 0
    feed.send(feed.sent(queue="mail"))
    assert feed.total("celeryscope_task_failures_total", exception="KeyError", queue="mail") == 1
    assert feed.total("celeryscope_task_failures_total") == 1


def test_past_the_limit_exceptions_of_ours_share_one_series() -> None:
    feed = Feed(limits=Limits(exceptions=2))
    for number in range(5):
        feed.each(feed.sent(f"u{number}"), feed.failed(f"u{number}", exception=f"E{number}()"))
    failed = "celeryscope_task_failures_total"
    assert feed.total(failed, exception="E0") == feed.total(failed, exception="E1") == 1
    assert feed.total(failed, exception=OTHER) == 3
    assert feed.recorder.overflow()["exception"] == 3


def test_failures_stay_when_the_worker_that_told_them_is_gone() -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.received(), feed.failed())
    feed.recorder.retire_worker(WORKER)
    assert feed.total("celeryscope_task_failures_total", exception="KeyError") == 1


def test_the_events_of_a_worker_are_counted_by_type_and_shown_at_zero() -> None:
    feed = Feed()
    feed.run("u1")
    feed.run("u2", hostname="w2@web2")
    feed.each(feed.sent("u3"), feed.failed("u3"))
    counted = {
        (labels["worker"], labels["type"]): value
        for (name, pairs), value in feed.samples().items()
        if name == "celeryscope_worker_task_events_total" and (labels := dict(pairs))
    }
    of_workers = set(TASK_EVENTS) - {"task-sent"}
    assert set(counted) == {(w, type_) for w in (WORKER, "w2@web2") for type_ in of_workers}
    assert {key for key, value in counted.items() if value} == {
        *((w, f"task-{what}") for w in (WORKER, "w2@web2")
          for what in ("received", "started", "succeeded")),
        (WORKER, "task-failed"),
    }  # fmt: skip
    assert sum(counted.values()) == 7


def test_the_events_of_a_worker_go_with_it_and_begin_at_zero_when_it_returns() -> None:
    feed = Feed()
    feed.run("u1")
    feed.recorder.retire_worker(WORKER)
    assert feed.total("celeryscope_worker_task_events_total") == 0
    feed.run("u2")
    counted = feed.total("celeryscope_worker_task_events_total", type="task-succeeded")
    assert counted == 1


def test_past_the_limit_workers_events_share_one_series_for_each_type() -> None:
    feed = Feed(limits=Limits(workers=1))
    for number in range(4):
        feed.run(f"u{number}", hostname=f"w{number}@web{number}")
    name = "celeryscope_worker_task_events_total"
    assert feed.value(name, worker="w0@web0", type="task-succeeded") == 1
    assert feed.value(name, worker=OTHER, type="task-succeeded") == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ValueError('x')", "ValueError"),
        ("SoftTimeLimitExceeded()", "SoftTimeLimitExceeded"),
        ("app.errors.Odd(1)", "UnknownException"),
        ("no brackets", "UnknownException"),
        ("x" * 10_000 + "(", "UnknownException"),
        ("", "UnknownException"),
        (None, "UnknownException"),
    ],
)
def test_an_exception_is_known_by_its_class(text: str | None, name: str) -> None:
    assert exception_class(text) == name


@pytest.mark.parametrize(
    ("node", "host"), [("w1@web1", "web1"), ("web1", "web1"), ("a@b@c", "b@c"), ("w@", "w@")]
)
def test_the_host_is_what_stands_behind_the_at(node: str, host: str) -> None:
    assert host_of(node) == host


# ------------------------------------------------------------------ times


def test_run_times_fall_into_their_buckets_in_every_set() -> None:
    feed = Feed()
    for number, runtime in enumerate((0.005, 0.006, 7.6, 100.0)):
        feed.each(feed.sent(f"u{number}"), feed.succeeded(f"u{number}", runtime=runtime))
    for name in ("flower_task_runtime_seconds", "celery_task_runtime"):
        assert feed.total(f"{name}_bucket", le="0.005") == 1
        assert feed.total(f"{name}_bucket", le="0.01") == 2
        assert feed.total(f"{name}_bucket", le="7.5") == 2
        assert feed.total(f"{name}_bucket", le="10.0") == 3
        assert feed.total(f"{name}_bucket", le="+Inf") == feed.total(f"{name}_count") == 4
        assert feed.total(f"{name}_sum") == pytest.approx(107.611)
    own = "celeryscope_task_runtime_seconds"
    assert feed.total(f"{own}_bucket", le="120.0", queue="q", task="a.add") == 4


@pytest.mark.parametrize("runtime", [float("nan"), float("inf"), 1e300, None])
def test_a_run_time_that_is_none_is_not_observed(runtime: float | None) -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.event("task-succeeded", runtime=runtime))
    assert feed.total("celery_task_succeeded_total") == 1
    assert feed.total("celery_task_runtime_count") == 0


def test_a_negative_run_time_counts_as_zero() -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.succeeded(runtime=-3.0))
    assert feed.total("flower_task_runtime_seconds_bucket", le="0.005") == 1
    assert feed.total("flower_task_runtime_seconds_sum") == 0


def test_the_wait_lasts_from_sending_to_the_start() -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.received())
    feed.wait(3)
    feed.send(feed.started())
    for name in ("celery_task_queue_wait_time", "celeryscope_task_wait_seconds"):
        assert feed.total(f"{name}_count") == 1
        assert feed.total(f"{name}_sum") == pytest.approx(3)


def test_every_delivery_of_a_retried_task_waits_for_itself() -> None:
    feed = Feed()
    feed.send(feed.sent())
    feed.wait(1)
    feed.send(feed.started())
    feed.wait(1)
    feed.each(feed.event("task-retried"), feed.sent(retries=1))
    feed.wait(3)
    feed.send(feed.started())
    assert feed.total("celery_task_queue_wait_time_count") == 2
    assert feed.total("celery_task_queue_wait_time_sum") == pytest.approx(4)


def test_without_task_sent_no_wait_is_invented() -> None:
    feed = Feed()
    feed.each(feed.received(), feed.started())
    feed.wait(3)
    assert feed.total("celery_task_started_total") == 1
    assert not [name for name, _ in feed.samples() if "_wait" in name]


def test_the_prefetch_time_keeps_the_last_wait_when_the_task_ends() -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.received(), feed.started(timestamp=feed.now + 4))
    feed.send(feed.succeeded(timestamp=feed.now + 5))
    assert feed.value("flower_task_prefetch_time_seconds", worker=WORKER, task="a.add") == 4


def test_a_task_with_an_eta_has_no_prefetch_time() -> None:
    feed = Feed()
    eta = "2030-01-01T00:00:00+00:00"
    feed.each(feed.sent(eta=eta), feed.received(eta=eta), feed.started())
    assert feed.value("flower_task_prefetch_time_seconds", worker=WORKER, task="a.add") is None


def test_a_prefetch_time_is_never_negative() -> None:
    feed = Feed()
    feed.each(feed.sent(), feed.received(), feed.started(timestamp=feed.now - 4))
    assert feed.value("flower_task_prefetch_time_seconds", worker=WORKER, task="a.add") == 0


# ------------------------------------------------- events that come before name or queue


def test_events_wait_for_the_name_of_their_task() -> None:
    feed = Feed()
    feed.each(feed.started(), feed.succeeded())
    assert feed.samples() == {}
    feed.each(feed.received(), feed.sent())
    assert feed.total("flower_events_total", task="a.add") == 4
    assert feed.total("flower_task_runtime_seconds_count", task="a.add") == 1
    assert feed.total("celery_task_started_total", name="a.add", queue_name="q") == 1


def test_flower_counts_as_soon_as_the_name_is_known() -> None:
    feed = Feed()
    feed.each(feed.started(), feed.received())
    assert feed.total("flower_events_total", task="a.add") == 2
    assert feed.total("celery_task_received_total") == 0
    feed.send(feed.sent())
    assert feed.total("flower_events_total", task="a.add") == 3
    assert feed.total("celery_task_received_total", queue_name="q") == 1
    assert feed.total("celery_task_queue_wait_time_count") == 1


def test_an_event_received_before_it_was_sent_is_counted_under_the_right_queue() -> None:
    feed = Feed()
    feed.send(feed.received(hostname=WORKER))
    feed.wait(1)
    feed.send(feed.sent(queue="mail"))
    assert feed.total("celery_task_received_total", queue_name="mail") == 1
    assert feed.total("celery_task_received_total") == 1
    assert feed.recorder.queue_assumed == 0


def test_a_task_that_never_gets_a_name_is_unknown_after_the_deadline() -> None:
    feed = Feed()
    feed.send(feed.started())
    feed.wait(1.9)
    assert feed.samples() == {}
    feed.wait(0.2)
    assert feed.total("flower_events_total", task=UNKNOWN) == 1
    assert feed.total("celery_task_started_total", name=UNKNOWN, queue_name="celery") == 1
    assert feed.recorder.unnamed == 1
    assert feed.recorder.waiting == 0


def test_the_deadline_passes_with_other_events_too() -> None:
    feed = Feed()
    feed.send(feed.started("lost"))
    feed.now += 2.1
    feed.run("u2")
    assert feed.total("flower_events_total", task=UNKNOWN) == 1


def test_a_clock_that_was_set_back_does_not_hold_events_for_ever() -> None:
    feed = Feed()
    feed.send(feed.started())
    feed.wait(-3600)
    assert feed.total("flower_events_total", task=UNKNOWN) == 1


def test_without_task_sent_the_only_queue_of_the_worker_is_assumed() -> None:
    feed = Feed(queue_of={WORKER: "mail"}.get)
    feed.each(feed.received(), feed.received("u2", hostname="w2@web2"))
    feed.wait(3)
    assert feed.total("celery_task_received_total", hostname="web1", queue_name="mail") == 1
    assert feed.total("celery_task_received_total", hostname="web2", queue_name="celery") == 1
    assert feed.recorder.queue_assumed == 2


def test_the_default_queue_can_be_named() -> None:
    feed = Feed(default_queue="standard")
    feed.send(feed.received())
    feed.wait(3)
    assert feed.total("celery_task_received_total", queue_name="standard") == 1


def test_where_task_sent_is_off_events_soon_wait_no_more() -> None:
    feed = Feed()
    for number in range(5):
        feed.send(feed.received(f"u{number}"))
        feed.wait(3)
    feed.send(feed.received("u9"))
    assert feed.total("celery_task_received_total") == 6
    assert feed.recorder.waiting == 0


def test_when_task_sent_comes_on_events_wait_again() -> None:
    feed = Feed()
    for number in range(6):
        feed.send(feed.received(f"u{number}"))
        feed.wait(3)
    feed.send(feed.sent("u7"))
    feed.send(feed.received("u8"))
    assert feed.recorder.waiting == 1
    feed.send(feed.sent("u8", queue="q"))
    assert feed.total("celery_task_received_total", queue_name="q") == 1


def test_a_task_sent_without_a_queue_is_not_waited_for() -> None:
    feed = Feed()
    feed.each(feed.event("task-sent", name="a.add"), feed.received())
    assert feed.recorder.waiting == 0
    assert feed.total("celery_task_received_total", queue_name="celery") == 1


def test_what_waits_is_bounded() -> None:
    feed = Feed(limits=Limits(waiting=10))
    for number in range(100):
        feed.send(feed.started(f"u{number}"))
    assert feed.recorder.waiting == 10
    assert feed.total("flower_events_total", task=UNKNOWN) == 90


def test_many_events_of_one_nameless_task_are_bounded_too() -> None:
    feed = Feed(limits=Limits(waiting=10))
    for number in range(100):
        feed.send(feed.started(timestamp=feed.now + number))
    assert feed.recorder.waiting <= 10
    feed.wait(3)
    assert feed.total("flower_events_total", task=UNKNOWN) == 100


# --------------------------------------------------------------------- exactness


def counted_for_flower(feed: Feed) -> Counter[tuple[str, str, str]]:
    return Counter({
        (labels["type"], labels["task"], labels["worker"]): int(value)
        for (name, pairs), value in feed.samples().items()
        if name == "flower_events_total" and (labels := dict(pairs))
    })  # fmt: skip


def counted_for_celery(feed: Feed) -> Counter[tuple[str, str, str, str]]:
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for (name, pairs), value in feed.samples().items():
        if name in CELERY_COUNTERS:
            labels = dict(pairs)
            event = name.removeprefix("celery_").removesuffix("_total").replace("_", "-")
            counted[event, labels["name"], labels["queue_name"], labels["hostname"]] += int(value)
    return +counted


def assert_exact(feed: Feed, truth: Truth) -> None:
    flower: Counter[tuple[str, str, str]] = Counter()
    celery: Counter[tuple[str, str, str, str]] = Counter()
    own: Counter[tuple[str, str, str]] = Counter()
    workers: Counter[tuple[str, str]] = Counter()
    for (type_, task, queue, sender), count in truth.items():
        if type_ != "task-sent":
            workers[type_, sender] += count
        flower[type_, task, sender] += count
        celery[type_, task, queue, host_of(sender)] += count
        own[type_, task, queue] += count
    assert counted_for_flower(feed) == flower
    assert counted_for_celery(feed) == celery
    read = feed.samples()
    for (type_, task, queue), count in own.items():
        labels = {"type": type_, "task": task, "queue": queue}
        assert total(read, "celeryscope_task_events_total", **labels) == count
    for (type_, worker), count in workers.items():
        labels = {"type": type_, "worker": worker}
        assert total(read, "celeryscope_worker_task_events_total", **labels) == count
    assert total(read, "celeryscope_worker_task_events_total") == sum(workers.values())
    failed = sum(count for key, count in truth.items() if key[0] == "task-failed")
    assert total(read, "celeryscope_task_failures_total") == failed
    succeeded = sum(count for key, count in truth.items() if key[0] == "task-succeeded")
    for name in ("flower_task_runtime_seconds", "celery_task_runtime"):
        assert total(read, f"{name}_count") == succeeded
    assert total(read, "celeryscope_task_runtime_seconds_count") == succeeded


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 60), spread=st.floats(0, 1.5))
def test_counts_equal_the_truth_whatever_the_order_and_the_batches(
    seed: int, batch: int, spread: float
) -> None:
    """Events come up to `spread` seconds late, some twice, in batches of any size."""
    events, truth = random_cluster(seed=seed, tasks=60)
    dice = random.Random(seed)
    late = [(event.timestamp + dice.uniform(0, spread), event) for event in events]
    late += [(at + 0.3, event) for at, event in late if dice.random() < 0.1]
    late.sort(key=lambda pair: pair[0])
    feed = Feed()
    for start in range(0, len(late), batch):
        feed.now = late[start][0]
        feed.send(*(event for _, event in late[start : start + batch]))
    feed.wait(2.1)
    assert feed.recorder.waiting == 0
    assert feed.recorder.queue_assumed == feed.recorder.unnamed == 0
    assert_exact(feed, truth)


def test_the_deferred_way_counts_what_the_usual_way_counts() -> None:
    usual, deferred = Feed(), Feed()
    now = usual.now
    order = [
        usual.sent(timestamp=now - 0.3),
        usual.received(timestamp=now - 0.2),
        usual.started(timestamp=now - 0.1),
        usual.succeeded(),
        usual.failed(),
    ]
    usual.each(*order)
    deferred.each(*reversed(order))
    gauge = "flower_task_prefetch_time_seconds"  # known only when both its times are
    expected = {key: value for key, value in usual.samples().items() if key[0] != gauge}
    found = {key: value for key, value in deferred.samples().items() if key[0] != gauge}
    assert found == expected


# --------------------------------------------------------------------- limits


def test_a_million_names_take_no_more_room_than_the_limit() -> None:
    feed = Feed(limits=Limits(names=10))
    for number in range(1000):
        feed.each(
            feed.sent(f"u{number}", f"name-{number}"), feed.received(f"u{number}", f"name-{number}")
        )
    assert feed.total("flower_events_total") == 2000
    assert feed.total("flower_events_total", task=OTHER) == 1980
    assert feed.recorder.overflow()["task"] == 1980
    assert len(feed.recorder._cells) <= 22


def test_hosts_clients_queues_types_and_exceptions_have_limits() -> None:
    feed = Feed(limits=Limits(workers=3, clients=2, queues=4, types=5, exceptions=2))
    for number in range(50):
        uuid, worker = f"u{number}", f"w@host{number}"
        feed.each(
            feed.sent(uuid, queue=f"q{number}", hostname=f"gen{number}@app{number}"),
            feed.event(f"task-custom{number}", uuid, hostname=worker),
            feed.failed(uuid, exception=f"Error{number}()", hostname=worker),
        )
    read = feed.samples()
    flower = [dict(labels) for name, labels in read if name == "flower_events_total"]
    assert len({labels["worker"] for labels in flower}) == 3 + 2 + 1
    assert len({labels["type"] for labels in flower}) == 5 + 1
    failed = [dict(labels) for name, labels in read if name == "celery_task_failed_total"]
    assert {labels["exception"] for labels in failed} == {"", "Error0", "Error1", OTHER}
    assert len({labels["queue_name"] for labels in failed}) == 4 + 1
    assert total(read, "celery_task_failed_total") == 50
    assert total(read, "flower_events_total") == 150
    assert all(feed.recorder.overflow()[label] for label in (
        "worker", "client", "queue", "exception", "type",
    ))  # fmt: skip


def test_label_sets_have_a_limit_and_nothing_is_lost_past_it() -> None:
    feed = Feed(limits=Limits(label_sets=20))
    for number in range(100):
        feed.run(f"u{number}", f"name-{number}")
    read = feed.samples()
    for name in ("flower_events_total", "celeryscope_task_events_total"):
        assert total(read, name) == 400
    for name in (
        "celery_task_sent_total",
        "celery_task_started_total",
        "celery_task_runtime_count",
    ):
        assert total(read, name) == 100
    assert feed.recorder.overflow()["label_set"] > 0
    # The types stay apart in the overflow, so that rates by type stay right.
    assert total(read, "flower_events_total", type="task-started") == 100
    assert all(len(family.children) <= 20 + 9 for family in feed.recorder.families.values())


def test_long_names_are_shortened_and_stay_apart() -> None:
    feed = Feed()
    feed.run("u1", "n" * 300 + "1")
    feed.run("u2", "n" * 300 + "2")
    names = {dict(labels)["task"] for name, labels in feed.samples() if name.startswith("flower")}
    assert len(names) == 2
    assert all(len(name) == 256 for name in names)


@pytest.mark.parametrize("value", ['say "hi"', "two\nlines", "back\\slash", "\x00\x01\x7f", "ä🙂"])
def test_hostile_values_come_back_as_they_were(value: str) -> None:
    feed = Feed()
    feed.each(feed.sent(name=value, queue=value, hostname=value), feed.received(name=value))
    assert feed.value("flower_events_total", task=value, type="task-sent", worker=value) == 1
    assert feed.value("celery_task_sent_total", name=value, queue_name=value, hostname=value) == 1


# --------------------------------------------------------------------- farewell


def labels_with(feed: Feed, value: str) -> set[str]:
    return {name for name, labels in feed.samples() if value in dict(labels).values()}


def test_a_retired_worker_takes_its_series_with_it() -> None:
    feed = Feed()
    feed.run("u1", hostname="w1@web1")
    feed.run("u2", hostname="w2@web2")
    feed.recorder.retire_worker("w1@web1")
    assert labels_with(feed, "w1@web1") == labels_with(feed, "web1") == set()
    assert labels_with(feed, "w2@web2")
    assert labels_with(feed, "web2")
    assert feed.total("celeryscope_task_events_total", type="task-succeeded") == 2
    assert feed.recorder.prefetching() == [("a.add", "w2@web2")]


def test_a_worker_that_returns_begins_at_zero() -> None:
    feed = Feed()
    feed.run("u1")
    feed.recorder.retire_worker(WORKER)
    feed.run("u2")
    assert feed.total("flower_events_total", worker=WORKER, type="task-succeeded") == 1
    assert feed.total("celery_task_succeeded_total", hostname="web1") == 1
    assert feed.total("flower_task_runtime_seconds_count", worker=WORKER) == 1


def test_the_series_of_a_host_stay_until_its_last_worker_is_gone() -> None:
    feed = Feed()
    feed.run("u1", hostname="w1@web1")
    feed.run("u2", hostname="w2@web1")
    feed.recorder.retire_worker("w1@web1")
    assert feed.total("celery_task_succeeded_total", hostname="web1") == 2
    feed.recorder.retire_worker("w2@web1")
    assert labels_with(feed, "web1") == set()


def test_a_client_on_the_same_host_keeps_only_what_it_sent() -> None:
    feed = Feed()
    feed.each(feed.sent(hostname="gen9@web1"), feed.received())
    feed.recorder.retire_worker(WORKER)
    assert labels_with(feed, "web1") == {"celery_task_sent_total"}
    feed.recorder.retire_client("gen9@web1")
    assert feed.total("flower_events_total") == feed.total("celery_task_sent_total") == 0
    assert labels_with(feed, "gen9@web1") == labels_with(feed, "web1") == set()


def test_a_worker_keeps_what_a_retired_client_sent_from_its_host() -> None:
    feed = Feed()
    feed.each(feed.sent(hostname="gen9@web1"), feed.received())
    feed.recorder.retire_client("gen9@web1")
    assert labels_with(feed, "gen9@web1") == set()
    assert feed.total("celery_task_sent_total", hostname="web1") == 1


def test_a_client_that_fell_silent_for_a_day_is_retired() -> None:
    feed = Feed()
    feed.send(feed.sent("u1", hostname="gen1@app1"))
    feed.wait(86_000)
    feed.send(feed.sent("u2", hostname="gen2@app2"))
    feed.wait(500)
    assert labels_with(feed, "gen1@app1") == labels_with(feed, "app1") == set()
    assert labels_with(feed, "gen2@app2")


def test_a_worker_nobody_watches_is_retired_when_it_falls_silent() -> None:
    feed = Feed()
    feed.run("u1", hostname="watched@web1")
    feed.run("u2", hostname="stranger@web2")
    feed.now += 700
    feed.recorder.tick(feed.now, {"watched@web1"})
    assert labels_with(feed, "watched@web1")
    assert labels_with(feed, "stranger@web2") == set()


def test_retiring_makes_room_for_another_worker() -> None:
    feed = Feed(limits=Limits(workers=1))
    feed.run("u1", hostname="w1@web1")
    feed.recorder.retire_worker("w1@web1")
    feed.run("u2", hostname="w2@web2")
    assert feed.total("flower_events_total", worker="w2@web2") == 3


def test_retiring_a_stranger_changes_nothing() -> None:
    feed = Feed()
    feed.run()
    before = feed.samples()
    feed.recorder.retire_worker("nobody@nowhere")
    feed.recorder.retire_client("nobody@nowhere")
    assert feed.samples() == before


def test_coming_and_going_leaves_nothing_behind() -> None:
    feed = Feed()
    for number in range(200):
        worker = f"w@pod-{number}"
        feed.each(
            feed.sent(f"u{number}", hostname=f"gen{number}@pod-{number}"),
            feed.received(f"u{number}", hostname=worker),
            feed.failed(f"u{number}", hostname=worker),
        )
        feed.recorder.retire_worker(worker)
        feed.recorder.retire_client(f"gen{number}@pod-{number}")
    recorder = feed.recorder
    for index in (recorder._hosts, recorder._worker_nodes, recorder._client_nodes, recorder._cells):
        assert not index
    assert feed.total("flower_events_total") == feed.total("celery_task_failed_total") == 0
    assert feed.total("celeryscope_task_events_total", type="task-failed") == 200


# --------------------------------------------------------------------- options


def test_a_prefix_and_static_labels_change_only_celery_exporters_set() -> None:
    catalog = Catalog(celery_prefix="jobs_", celery_static_labels={"cluster": "eu"})
    feed = Feed(catalog=catalog)
    feed.run()
    labels = {"hostname": "web1", "name": "a.add", "queue_name": "q", "cluster": "eu"}
    assert feed.value("jobs_task_succeeded_total", **labels) == 1
    assert feed.value("jobs_task_runtime_count", **labels) == 1
    assert "celery_task" not in feed.page()
    assert feed.value("flower_task_runtime_seconds_count", worker=WORKER, task="a.add") == 1


def test_a_generic_hostname_for_what_is_sent() -> None:
    feed = Feed(generic_hostname_sent=True)
    feed.each(feed.sent("u1"), feed.sent("u2", hostname="gen8@app2"), feed.received("u1"))
    assert feed.total("celery_task_sent_total", hostname="generic") == 2
    assert feed.total("celery_task_received_total", hostname="web1") == 1
    assert feed.total("flower_events_total", worker="gen8@app2") == 1


def test_a_generic_hostname_for_workers_tasks() -> None:
    feed = Feed(generic_hostname_tasks=True)
    feed.run("u1", hostname="w1@web1")
    feed.run("u2", hostname="w2@web2")
    assert feed.total("celery_task_succeeded_total", hostname="generic") == 2
    assert feed.total("celery_task_runtime_count", hostname="generic") == 2
    feed.recorder.retire_worker("w1@web1")
    assert feed.total("celery_task_succeeded_total", hostname="generic") == 2


def test_buckets_can_be_chosen_for_each_set() -> None:
    feed = Feed(flower_buckets=(1, 2), celery_buckets=(3,), celery_wait_buckets=(4, float("inf")))
    feed.run()
    bounds: dict[str, set[str]] = {}
    for name, labels in feed.samples():
        if name.endswith("_bucket"):
            bounds.setdefault(name, set()).add(dict(labels)["le"])
    assert bounds["flower_task_runtime_seconds_bucket"] == {"1.0", "2.0", "+Inf"}
    assert bounds["celery_task_runtime_bucket"] == {"3.0", "+Inf"}
    assert bounds["celery_task_queue_wait_time_bucket"] == {"4.0", "+Inf"}


@pytest.mark.parametrize("buckets", [(), (1.0, 1.0), (2.0, 1.0), (float("inf"),)])
def test_buckets_must_rise(buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        Recorder(flower_buckets=buckets)


@pytest.mark.parametrize("off", ["flower", "celery", "own"])
def test_each_set_can_be_switched_off(off: str) -> None:
    prefixes = {"flower": "flower_", "celery": "celery_", "own": "celeryscope_"}
    sets = [name for name in prefixes if name != off]
    feed = Feed(catalog=Catalog(sets=sets))
    feed.run()
    feed.each(feed.sent("u2"), feed.failed("u2"))
    names = {name for name, _ in samples(feed.page())}
    assert not any(name.startswith(prefixes[off]) for name in names)
    for kept in sets:
        assert any(name.startswith(prefixes[kept]) for name in names)
