"""Our own API."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest

from celeryscope.errors import BrokerUnreachable, NotFound, NotPossible, Unavailable
from celeryscope.model.message import Message
from celeryscope.web.api import console
from tests.unit.web.standins import (
    CLIENT,
    NOW,
    WORKER,
    Cluster,
    Inspection,
    QueueDepth,
    event,
    heartbeat,
    life,
)

pytestmark = pytest.mark.anyio

STATS = {
    "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 4},
}


async def get(cluster: Cluster, path: str, kind: type[Any], **params: Any) -> Any:
    """Ask, and read the answer as strictly as the page's types do."""
    async with cluster.client() as http:
        answer = await http.get("/api/v1" + path, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return msgspec.json.decode(answer.content, type=kind)


async def refused(cluster: Cluster, path: str, **params: Any) -> tuple[int, dict[str, Any]]:
    async with cluster.client() as http:
        answer = await http.get("/api/v1" + path, params=params)
    return answer.status_code, answer.json()["error"]


async def test_the_overview_counts_what_the_cluster_does(cluster: Cluster) -> None:
    cluster.feed([heartbeat()])
    cluster.services.activity.sample(NOW - 10, {})
    cluster.feed(life("a") + life("b", state="STARTED") + life("c", state="FAILURE"))
    cluster.services.activity.sample(NOW, dict(cluster.state.totals))
    cluster.queues.put(
        QueueDepth("low", None, error="no answer"), QueueDepth("high", 3, consumers=1)
    )
    cluster.accounting.gap_begins(NOW - 60, "Connection refused")
    cluster.accounting.gap_ends(NOW - 50)
    cluster.accounting.gap_begins(NOW - 5, "reset")
    told = await get(cluster, "/overview", console.Overview)
    assert told.workers == console.WorkerCounts(online=1, offline=0, unknown=0)
    assert told.states == {"SUCCESS": 1, "STARTED": 1, "FAILURE": 1}
    assert told.running == 1
    assert told.totals["task-received"] == 3
    assert told.rate.received == pytest.approx(0.3)
    assert told.rate.failed == pytest.approx(0.1)
    assert told.rate.revoked == 0
    assert told.activity.times == [NOW]
    assert told.activity.series.received == [3]
    assert [(q.name, q.messages, q.error) for q in told.queues] == [
        ("high", 3, None),
        ("low", None, "no answer"),
    ]
    assert [(g.start, g.end) for g in told.gaps] == [(NOW - 5, None), (NOW - 60, NOW - 50)]
    assert [(n.name, n.failed, n.last_exception) for n in told.failing] == [
        ("shop.pay", 1, "ValueError('no')")
    ]
    assert told.ingest.events == 12
    assert told.ingest.tasks_in_memory == 3
    assert told.ingest.tasks_limit == cluster.state.max_tasks


async def test_an_empty_cluster_is_shown_as_empty_and_a_broken_one_as_broken(
    cluster: Cluster,
) -> None:
    told = await get(cluster, "/overview", console.Overview)
    assert (told.states, told.queues, told.failing) == ({}, [], [])
    assert told.broker.state == "connected"
    cluster.connected = False
    told = await get(cluster, "/overview", console.Overview)
    assert (told.broker.state, told.broker.error) == ("disconnected", "Connection refused")


async def test_depths_that_could_not_be_read_again_are_not_shown_as_fresh(cluster: Cluster) -> None:
    cluster.queues.put(QueueDepth("high", 3), at=NOW - 60)
    cluster.queues.fail("the broker does not answer")
    told = await get(cluster, "/overview", console.Overview)
    assert [(q.messages, q.error) for q in told.queues] == [(None, "the broker does not answer")]
    queues = await get(cluster, "/queues", console.QueueList)
    assert (queues.error, queues.read_at) == ("the broker does not answer", NOW - 60)
    (row,) = queues.queues
    assert (row.messages, row.error) == (None, "the broker does not answer")
    assert (row.times, row.depths) == ([NOW - 60, NOW], [3, None])


def sample(cluster: Cluster) -> None:
    cluster.services.figures.sample(cluster.now, cluster.state)


async def test_every_queue_is_listed_whoever_told_of_it(cluster: Cluster) -> None:
    cluster.feed(life("a", queue="by-event"))
    asked = [{"name": "by-worker"}, {"name": "by-broker"}]
    cluster.inspector.latest[WORKER] = Inspection(WORKER, NOW, active_queues=asked)
    told = await get(cluster, "/queues", console.QueueList)
    assert {q.name: (q.messages, q.error) for q in told.queues} == {
        "by-broker": (None, "It was not read yet."),
        "by-event": (None, "It was not read yet."),
        "by-worker": (None, "It was not read yet."),
    }
    assert told.read_at is None
    cluster.queues.put(QueueDepth("by-broker", 0), QueueDepth("by-event", None, error="no access"))
    told = await get(cluster, "/queues", console.QueueList)
    rows = {queue.name: queue for queue in told.queues}
    assert {name: (row.messages, row.error) for name, row in rows.items()} == {
        "by-broker": (0, None),
        "by-event": (None, "no access"),
        "by-worker": (None, "The broker was not asked for it yet."),
    }
    assert rows["by-broker"].unacknowledged is None
    cluster.queues.put(QueueDepth("by-broker", 0, unacknowledged=7))
    cluster.now += 3  # the figures of the queues are kept for a moment
    told = await get(cluster, "/queues", console.QueueList)
    assert {queue.name: queue.unacknowledged for queue in told.queues} == {
        "by-broker": 7,
        "by-event": None,
        "by-worker": None,
    }
    assert (rows["by-event"].sent, rows["by-event"].taken) == (1, 1)
    assert (rows["by-worker"].workers, rows["by-event"].workers) == ([WORKER], [])
    assert (told.read_at, told.every_seconds) == (NOW, 5.0)


async def test_a_queue_tells_how_fast_it_fills_and_empties(cluster: Cluster) -> None:
    cluster.now = NOW - 60
    sample(cluster)
    for step in range(13):
        cluster.now = NOW - 60 + 5 * step
        cluster.queues.put(
            QueueDepth("high", 10 * step), QueueDepth("low", 240 - 10 * step), QueueDepth("idle", 0),
            at=cluster.now,
        )  # fmt: skip
    cluster.feed([e for i in range(30) for e in life(f"in{i}", queue="high", state="PENDING")])
    cluster.feed([e for i in range(12) for e in life(f"out{i}", queue="high")])
    told = await get(cluster, "/overview", console.Overview)
    high, idle, low = told.queues
    assert (high.name, high.growth_per_second, high.drain_seconds) == ("high", 2.0, None)
    assert (high.in_per_second, high.out_per_second) == (0.7, 0.2)
    assert (low.growth_per_second, low.drain_seconds) == (-2.0, 60.0)
    assert (low.in_per_second, low.out_per_second) == (None, None)
    assert (idle.growth_per_second, idle.drain_seconds) == (0.0, 0.0)


async def test_a_queue_tells_how_long_its_oldest_message_has_waited(cluster: Cluster) -> None:
    cluster.feed(life("a", queue="full", state="PENDING"))
    cluster.queues.put(QueueDepth("full", 1), QueueDepth("silent", 3))
    cluster.now = NOW + 90  # its event arrived at NOW, whatever its sender's clock said
    told = await get(cluster, "/queues", console.QueueList)
    assert {queue.name: queue.oldest_seconds for queue in told.queues} == {
        "full": 90.0,
        "silent": None,
    }
    cluster.queues.fail("no broker")
    told = await get(cluster, "/queues", console.QueueList)
    assert {queue.oldest_seconds for queue in told.queues} == {None}


async def test_a_queue_that_nobody_takes_from_has_a_rate_of_none_per_second(
    cluster: Cluster,
) -> None:
    sample(cluster)
    cluster.feed(life("a", queue="high", state="PENDING"))
    (queue,) = (await get(cluster, "/overview", console.Overview)).queues
    assert queue.out_per_second == 0.0
    assert queue.in_per_second == 0.2


async def test_names_tell_how_long_their_tasks_usually_take(cluster: Cluster) -> None:
    sample(cluster)
    cluster.feed([*life("a"), *life("b", 1), *life("c", 2, state="FAILURE")])
    (row,) = (await get(cluster, "/names", console.NameList)).names
    assert row.runtime_p50 == row.runtime_p95 == row.runtime_p99 == pytest.approx(0.5, rel=0.05)
    assert row.runtime_total == 1.0
    assert (row.recent_failed, row.recent_succeeded, row.last_failed) == (1, 2, "c")
    cluster.feed([heartbeat(), *life("d", 3, state="STARTED")])
    told = await get(cluster, f"/workers/{WORKER}", console.WorkerDetail)
    (running,) = told.running_tasks
    assert running.usual_p50 == running.usual_p95 == row.runtime_p50
    cluster.now += 400
    sample(cluster)
    (row,) = (await get(cluster, "/names", console.NameList)).names
    assert (row.recent_failed, row.failed) == (1, 1)  # of the time since the only reading before
    cluster.now += 10
    sample(cluster)
    cluster.now += 300
    sample(cluster)
    (row,) = (await get(cluster, "/names", console.NameList)).names
    assert (row.recent_failed, row.recent_succeeded, row.failed) == (0, 0, 1)


async def test_what_failed_lately_stands_before_what_failed_more_often_once(
    cluster: Cluster,
) -> None:
    often = [life(f"o{i}", name="often", state="FAILURE") for i in range(5)]
    cluster.feed([e for one in often for e in one] + life("g", name="good"))
    sample(cluster)
    cluster.feed(life("n", name="now", state="FAILURE"))
    told = await get(cluster, "/overview", console.Overview)
    assert [(n.name, n.recent_failed, n.failed) for n in told.failing] == [
        ("now", 1, 1),
        ("often", 0, 5),
    ]


async def test_the_slowest_need_three_runs_to_lead(cluster: Cluster) -> None:
    def runs(name: str, n: int, runtime: float) -> None:
        for i in range(n):
            *before, end = life(f"{name}{i}", i, name=name)
            cluster.feed([*before, msgspec.structs.replace(end, runtime=runtime)])

    for i in range(9):
        runs(f"quick{i}", 3, 0.01 * (i + 1))
    runs("slow", 3, 7.0)
    runs("once", 1, 900.0)
    told = await get(cluster, "/overview", console.Overview)
    assert [row.name for row in told.slowest[:2]] == ["slow", "quick8"]
    assert len(told.slowest) == 10
    assert "once" not in {row.name for row in told.slowest}


async def test_few_names_are_all_among_the_slowest(cluster: Cluster) -> None:
    cluster.feed(life("a"))
    told = await get(cluster, "/overview", console.Overview)
    assert [row.name for row in told.slowest] == ["shop.pay"]


async def test_the_overview_tells_waits_and_run_times_by_step(cluster: Cluster) -> None:
    cluster.now = NOW - NOW % 10
    sample(cluster)
    cluster.feed(life("a"))
    cluster.now += 10
    sample(cluster)
    told = (await get(cluster, "/overview", console.Overview)).latency
    assert (told.step_seconds, told.times) == (10.0, [cluster.now])
    assert told.runtime.p50 == told.runtime.p99 == [pytest.approx(0.5, rel=0.05)]
    assert told.wait.p95 == [pytest.approx(0.2, rel=0.05)]


async def test_a_worker_shows_its_heartbeats_and_its_silence(cluster: Cluster) -> None:
    for at in (0, 6, 12, 300):
        cluster.now = NOW + at
        cluster.feed([heartbeat(10.0 + at, active=at, processed=at)])
    told = (await get(cluster, f"/workers/{WORKER}", console.WorkerDetail)).heartbeats
    assert told.times == [NOW, NOW + 6, NOW + 12, NOW + 300]
    assert told.active == told.processed == [0, 6, 12, 300]
    assert told.load == [0.5] * 4


async def test_a_worker_shows_its_heartbeat_and_what_inspect_told(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life(state="STARTED")])
    queues = [{"name": "low"}, {"name": "high"}]
    cluster.inspector.latest[WORKER] = Inspection(WORKER, NOW - 3, STATS, active_queues=queues)
    told = await get(cluster, "/workers", console.WorkerList)
    (row,) = told.workers
    assert (row.hostname, row.status, row.active, row.running) == (WORKER, "online", 1, 1)
    assert (row.pool, row.concurrency, row.queues) == ("prefork", 4, ["high", "low"])
    assert (row.version, row.loadavg, row.inspected_at) == ("5.7.0", [0.5, 0.4, 0.3], NOW - 3)
    assert row.counts == {"worker-heartbeat": 1, "task-received": 1, "task-started": 1}


@pytest.mark.parametrize(
    ("stats", "queues"),
    [
        (None, None),
        ({}, []),
        ({"pool": None}, [{}]),
        ({"pool": "prefork"}, [{"name": 7}]),
        ({"pool": {"implementation": 5, "max-concurrency": "many"}}, []),
        ({"pool": {"implementation": ":", "max-concurrency": None}}, []),
    ],
)
async def test_an_odd_inspect_answer_leaves_the_worker_shown(
    cluster: Cluster, stats: Any, queues: Any
) -> None:
    cluster.feed([heartbeat()])
    cluster.inspector.latest[WORKER] = Inspection(WORKER, NOW, stats, active_queues=queues)
    told = await get(cluster, "/workers", console.WorkerList)
    assert (told.workers[0].pool, told.workers[0].concurrency) == (None, None)


async def test_one_worker_shows_its_running_tasks_longest_first(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("b", 2, state="STARTED"), *life("a", 1, state="STARTED")])
    cluster.inspector.latest[WORKER] = Inspection(WORKER, NOW, STATS, registered=["shop.pay"])
    told = await get(cluster, f"/workers/{WORKER}", console.WorkerDetail)
    assert [task.uuid for task in told.running_tasks] == ["a", "b"]
    assert told.inspect.registered == ["shop.pay"]
    assert told.inspect.conf is None


async def test_a_worker_is_asked_what_it_holds_while_somebody_looks(cluster: Cluster) -> None:
    held: dict[str, Any] = {"reserved": [{"id": "x"}], "scheduled": []}
    cluster.feed([heartbeat()])
    for age, asks, shown in ((None, 1, None), (3.0, 0, [{"id": "x"}]), (90.0, 1, None)):
        cluster.inspector.asked.clear()
        lists_at = None if age is None else NOW - age
        cluster.inspector.latest[WORKER] = Inspection(WORKER, NOW, **held, lists_at=lists_at)
        told = await get(cluster, f"/workers/{WORKER}", console.WorkerDetail)
        assert told.inspect.reserved == shown
        assert cluster.inspector.asked == [WORKER] * asks


async def test_tasks_of_a_worker_that_died_do_not_run(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("b", 2, state="STARTED")])
    told = await get(cluster, "/overview", console.Overview)
    assert told.running == 1
    cluster.state.workers[WORKER].said_offline = True
    told = await get(cluster, "/overview", console.Overview)
    assert (told.running, told.states["STARTED"]) == (0, 1)


async def test_a_worker_never_inspected_says_why(cluster: Cluster) -> None:
    cluster.feed([heartbeat()])
    cluster.inspector.error = "no reply within 1 s"
    told = await get(cluster, f"/workers/{WORKER}", console.WorkerDetail)
    assert (told.inspect, told.inspect_error) == (None, "no reply within 1 s")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/workers/no@x", "Unknown worker 'no@x'"),
        ("/workers/", "Unknown worker ''"),
        ("/tasks/a/b%2Fc", "Unknown task 'a/b/c'"),
        ("/tasks/<script>", "Unknown task '<script>'"),
    ],
)
async def test_what_is_unknown_is_not_found(cluster: Cluster, path: str, message: str) -> None:
    status, error = await refused(cluster, path)
    assert (status, error["code"], error["message"]) == (404, "not_found", message)


async def test_a_task_shows_its_life(cluster: Cluster) -> None:
    cluster.feed(life("p"))
    cluster.feed(life("a", 1, parent_id="p", root_id="p"))
    cluster.feed([event("task-progress", 1.3, uuid="a", clock=12)])
    told = await get(cluster, "/tasks/a", console.TaskDetail)
    assert [(m.type, m.host) for m in told.timeline] == [
        ("task-sent", CLIENT),
        ("task-received", WORKER),
        ("task-started", WORKER),
        ("task-progress", WORKER),
        ("task-succeeded", WORKER),
    ]
    assert (told.state, told.result, told.finished) == ("SUCCESS", "'paid'", NOW - 10 + 1.7)
    assert (told.parent_id, told.root_id) == ("p", "p")
    parent = await get(cluster, "/tasks/p", console.TaskDetail)
    assert [(c.uuid, c.name, c.state) for c in parent.children] == [("a", "shop.pay", "SUCCESS")]
    assert parent.children_total == 1
    kin = console.Relative(uuid="p", name="shop.pay", state="SUCCESS")
    assert (told.parent, told.root) == (kin, kin)
    assert (parent.parent, parent.root) == (None, None)
    assert (told.usual.name, told.usual.succeeded) == ("shop.pay", 2)


async def test_a_task_says_whether_its_arguments_are_kept_at_all(cluster: Cluster) -> None:
    cluster.feed(life("a"))
    assert (await get(cluster, "/tasks/a", console.TaskDetail)).arguments_kept
    cluster.state.keep_arguments = False
    cluster.feed(life("b", args="('card',)"))
    told = await get(cluster, "/tasks/b", console.TaskDetail)
    assert (told.args, told.result, told.arguments_kept) == (None, None, False)


async def test_relatives_that_were_let_go_are_named_without_a_state(cluster: Cluster) -> None:
    cluster.feed(life("a", parent_id="gone", root_id="a"))
    told = await get(cluster, "/tasks/a", console.TaskDetail)
    assert told.parent == console.Relative(uuid="gone", name=None, state=None)
    assert told.root is None


async def test_a_retried_task_shows_every_run(cluster: Cluster) -> None:
    cluster.feed(life("a", state="STARTED"))
    cluster.feed([event("task-retried", 0.5, exception="Retry()", clock=20)])
    cluster.feed(life("a", 2, retries=1)[1:])
    told = await get(cluster, "/tasks/a", console.TaskDetail)
    kinds = [moment.type.removeprefix("task-") for moment in told.timeline]
    assert kinds == ["sent", "received", "started", "retried", "received", "started", "succeeded"]
    assert [moment.retries for moment in told.timeline] == [0, 0, 0, 0, 1, 1, 1]
    assert told.retries == 1


def many(cluster: Cluster) -> None:
    cluster.feed(life("a", 0, name="shop.pay", queue="high"))
    cluster.feed(life("b", 1, name="shop.pack", queue="low", state="FAILURE", retries=2))
    cluster.feed(life("c", 2, name="mail.send", queue="low", worker="celery@web2"))
    cluster.feed(life("d", 3, name="mail.send", queue="high", state="PENDING"))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "dcba"),
        ({"sort": "seen"}, "abcd"),
        ({"sort": "name"}, "cdba"),
        ({"sort": "-name"}, "abcd"),
        ({"sort": "received"}, "abcd"),
        ({"sort": "-received"}, "cbad"),
        ({"sort": "-runtime", "query": "state:success"}, "ac"),
        ({"limit": 2}, "dc"),
        ({"limit": 2, "offset": 1}, "cb"),
        ({"limit": 2, "offset": 1, "sort": "-received"}, "ba"),
        ({"limit": 0}, ""),
        ({"offset": 9}, ""),
        ({"sort": "wait"}, "abcd"),
        ({"sort": "-retries"}, "bacd"),
        ({"sort": "-finished"}, "cbad"),
        ({"sort": "finished"}, "abcd"),
        ({"query": "state:success"}, "ca"),
        ({"query": "state:success,failure", "sort": "seen"}, "abc"),
        ({"query": "name:mail.send"}, "dc"),
        ({"query": "worker:web2"}, "c"),
        ({"query": "queue:low state:failed"}, "b"),
        ({"query": "mail OR pack"}, "dcb"),
        ({"query": "-state:finished since:1m"}, "d"),
        ({"query": "name:mail"}, ""),
    ],
)
async def test_tasks_are_filtered_sorted_and_cut(
    cluster: Cluster, params: dict[str, Any], expected: str
) -> None:
    many(cluster)
    told = await get(cluster, "/tasks", console.TaskList, **params)
    assert "".join(task.uuid for task in told.tasks) == expected
    assert told.in_memory == 4
    if "limit" in params or "offset" in params:
        assert told.total == 4
    else:
        assert told.total == len(expected)


async def test_the_task_that_changed_last_was_seen_last(cluster: Cluster) -> None:
    many(cluster)
    cluster.feed(life("a", 9, state="RETRY"))
    for sort, expected in (("-seen", "adcb"), ("seen", "bcda")):
        told = await get(cluster, "/tasks", console.TaskList, sort=sort)
        assert "".join(task.uuid for task in told.tasks) == expected


@pytest.mark.parametrize(
    ("params", "parameter"),
    [
        ({"limit": "x"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"limit": ["1", "2"]}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"sort": "color"}, "sort"),
        ({"colour": "red"}, "colour"),
        ({"state": "SUCCESS"}, "state"),
        ({"facets": "2"}, "facets"),
        ({"query": "x" * 2049}, "query"),
    ],
)
async def test_a_bad_parameter_is_named(
    cluster: Cluster, params: dict[str, Any], parameter: str
) -> None:
    status, error = await refused(cluster, "/tasks", **params)
    assert (status, error["code"], error["parameter"]) == (400, "bad_argument", parameter)
    assert parameter in error["message"]


async def test_a_query_that_cannot_be_read_says_where_and_what_to_do(cluster: Cluster) -> None:
    status, error = await refused(cluster, "/tasks", query="\U0001f642 nmae:pay")
    assert (status, error["code"], error["parameter"]) == (400, "bad_argument", "query")
    assert (error["message"], error["position"]) == ("There is no key 'nmae'.", 2)
    assert error["hint"].startswith("Did you mean name:?")


async def test_facets_count_what_another_choice_would_give(cluster: Cluster) -> None:
    many(cluster)
    told = await get(
        cluster, "/tasks", console.TaskList, query="queue:low state:failure", facets=1, limit=0
    )
    assert (told.tasks, told.total, told.in_memory) == ([], 1, 4)
    counts = {
        field: {facet.value: facet.count for facet in getattr(told.facets, field)}
        for field in console.Facets.__struct_fields__
    }
    assert counts == {
        "state": {"FAILURE": 1, "SUCCESS": 1},
        "name": {"shop.pack": 1},
        "worker": {WORKER: 1},
        "queue": {"low": 1},
    }
    told = await get(cluster, "/tasks", console.TaskList)
    assert told.facets is None


async def test_a_question_without_parameters_refuses_them(cluster: Cluster) -> None:
    status, error = await refused(cluster, "/overview", x="1")
    assert (status, error["parameter"]) == (400, "x")


async def test_names_tell_how_their_tasks_fared(cluster: Cluster) -> None:
    many(cluster)
    told = await get(cluster, "/names", console.NameList)
    rows = {row.name: row for row in told.names}
    assert list(rows) == ["mail.send", "shop.pack", "shop.pay"]
    assert (rows["shop.pay"].succeeded, rows["shop.pay"].runtime_mean) == (1, 0.5)
    assert (rows["shop.pack"].failed, rows["shop.pack"].runtime_mean) == (1, None)


async def test_ingest_tells_what_was_lost_and_where(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), heartbeat(hostname="celery@web2")])
    cluster.state.workers[WORKER].lost = 7
    cluster.accounting.reject("pickle", 3)
    cluster.accounting.dropped(2, 100)
    cluster.accounting.gap_begins(NOW - 5, "reset")
    told = await get(cluster, "/ingest", console.IngestDetail)
    assert told.workers == {WORKER: 7, "celery@web2": 0}
    assert (told.lost, told.rejected) == (7, {"pickle": 3})
    assert (told.dropped_messages, told.dropped_bytes) == (2, 100)
    assert [gap.reason for gap in told.gaps] == ["reset"]


async def test_hostile_texts_come_out_as_text(cluster: Cluster) -> None:
    hostile = "<script>alert(1)</script>\x00\x1b[31m\u2028" + "x" * 10_000
    cluster.feed(life("a", name=hostile, args=hostile, worker=hostile))
    told = await get(cluster, "/tasks", console.TaskList)
    assert told.tasks[0].name == hostile
    assert told.tasks[0].worker == hostile
    assert told.tasks[0].args.startswith(hostile[:100])


async def test_numbers_that_json_lacks_come_out_as_null(cluster: Cluster) -> None:
    cluster.feed([heartbeat(loadavg=(float("inf"), float("nan"), 1.0))])
    async with cluster.client() as http:
        answer = await http.get("/api/v1/workers")
    assert answer.json()["workers"][0]["loadavg"] == [None, None, 1.0]


def test_every_body_says_what_it_is() -> None:
    for name, kind in inspect.getmembers(console, inspect.isclass):
        if issubclass(kind, msgspec.Struct) and kind.__module__ == console.__name__:
            assert kind.__doc__ or name == "OverviewChanges", name


# ---------------------------------------------------------------------- waiting messages


async def test_a_look_at_a_queue_gives_its_messages_and_their_age(cluster: Cluster) -> None:
    cluster.queues.put(QueueDepth("high/low", 3))
    cluster.now = NOW - 6
    cluster.feed(life("a", 4, state="PENDING"))
    cluster.now = NOW
    cluster.messages.waiting["high/low"] = [
        Message(position=0, size_bytes=9, uuid="a", name="shop.pay", args="(1,)"),
        Message(position=1, size_bytes=9, sent=NOW - 60),
        Message(position=2, size_bytes=9, problem="It is no task of Celery's."),
    ]
    cluster.messages.notes = ["They were put back."]
    told = await get(cluster, "/queues/high%2Flow/messages", console.MessagePage)
    assert (told.now, told.queue, told.total, told.offset) == (NOW, "high/low", 3, 0)
    assert told.notes == ["They were put back."]
    first, second, third = told.messages
    assert (first.uuid, first.name, first.args) == ("a", "shop.pay", "(1,)")
    assert (first.sent, first.age_seconds) == (NOW - 6, 6.0)
    assert (second.sent, second.age_seconds) == (NOW - 60, 60.0)
    assert (third.sent, third.age_seconds) == (None, None)
    assert third.problem == "It is no task of Celery's."


async def test_a_look_asks_for_a_page_and_takes_nothing_out(cluster: Cluster) -> None:
    cluster.queues.put(QueueDepth("high", 3))
    await get(cluster, "/queues/high/messages", console.MessagePage)
    page = {"offset": 40, "limit": 100}
    told = await get(cluster, "/queues/high/messages", console.MessagePage, **page)
    assert told.offset == 40
    assert cluster.messages.asked == [("high", 0, 20, False), ("high", 40, 100, False)]


@pytest.mark.parametrize(
    ("fault", "status", "code", "hint"),
    [
        (NotPossible("No look.", hint="Do this."), 409, "not_possible", "Do this."),
        (NotFound("queue", "high"), 404, "not_found", None),
        (Unavailable("Others look.", hint="Wait."), 503, "unavailable", "Wait."),
        (BrokerUnreachable("redis://x: refused", hint="Up?"), 503, "unavailable", "Up?"),
        (RuntimeError("secret"), 500, "internal", None),
    ],
)
async def test_a_look_that_fails_says_why(
    cluster: Cluster, fault: Exception, status: int, code: str, hint: str | None
) -> None:
    cluster.queues.put(QueueDepth("high", 3))
    cluster.messages.fault = fault
    async with cluster.client() as http:
        answer = await http.get("/api/v1/queues/high/messages")
    problem = answer.json()["error"]
    assert (answer.status_code, problem["code"], problem["hint"]) == (status, code, hint)
    assert problem["message"] == (
        str(fault) if status != 500 else "Something went wrong in Celeryscope; its log says what."
    )


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "put_back=1", "x=1"])
async def test_a_look_with_a_wrong_argument_is_refused(cluster: Cluster, query: str) -> None:
    cluster.queues.put(QueueDepth("high", 3))
    async with cluster.client() as http:
        answer = await http.get(f"/api/v1/queues/high/messages?{query}")
    assert answer.status_code == 400
    assert cluster.messages.asked == []


async def test_nobody_looks_into_a_key_that_is_no_queue(cluster: Cluster) -> None:
    async with cluster.client() as http:
        answer = await http.get("/api/v1/queues/unacked/messages")
    assert answer.status_code == 404
    assert cluster.messages.asked == []
