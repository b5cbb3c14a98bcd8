"""A cluster that means harm, behind the whole console: everything it says can be told."""

from __future__ import annotations

import gzip
from functools import partial
from typing import Any
from urllib.parse import quote

import anyio
import msgspec
import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from celeryscope.cluster import liveness, select
from celeryscope.control.inspect import DETAILS, OVERVIEW, Inspector
from celeryscope.errors import BadQuery
from celeryscope.ingest.decoder import Decoder
from celeryscope.ingest.source import RawMessage
from celeryscope.metrics.collectors import (
    QueuesCollector,
    TasksCollector,
    WaitingCollector,
    WorkersCollector,
    queue_names,
)
from celeryscope.metrics.recorder import Recorder, sole_queue
from celeryscope.metrics.registry import Metrics
from celeryscope.model.event import Event
from celeryscope.model.message import Message
from celeryscope.model.query import parse, show
from celeryscope.model.task import Task
from tests.fuzz.asking import ask, check
from tests.fuzz.hostile import a_sentence, as_json, fuzz, records, texts, values
from tests.fuzz.test_replies import reply
from tests.unit.web.standins import NOW, Cluster, QueueDepth

pytestmark = pytest.mark.timeout(60)

events = st.builds(
    lambda kind, fields: {"type": kind, "hostname": "w@h", "timestamp": NOW - 1, "uuid": "a", **fields},
    st.sampled_from(
        ["task-sent", "task-received", "task-started", "task-succeeded", "task-failed",
         "task-retried", "task-revoked", "task-rejected", "task-<b>", "worker-heartbeat",
         "worker-online", "worker-offline", "x"]
    ),
    records(*Event.__struct_fields__[1:]),
)  # fmt: skip
inspections = st.dictionaries(
    texts, st.dictionaries(st.sampled_from([*OVERVIEW, *DETAILS]), values(20)), max_size=2
)
#: Shapes that code which trusts a worker would look into.
SHAPED: list[dict[str, Any]] = [
    {"stats": {"pool": [], "total": 3, "broker": "x", "rusage": None, "clock": {}, "pid": "x"}},
    {"stats": {"pool": {"max-concurrency": "many", "processes": {}, "implementation": 5}}},
    {"stats": {"pool": {"processes": [None, {}, "x"], "max-concurrency": -(10**30)}}},
    {"stats": {"broker": {"alternates": "x"}, "total": {"a": "b", "": None}, "prefetch_count": []}},
    {"active_queues": [{}, {"name": None}, {"name": []}, {"name": {"a": 1}}, {"name": 5}]},
    {"active_queues": [{"name": "q", "exchange": "x", "routing_key": []}, {"name": "q"}]},
    {"registered": ["", " [", "a [rate_limit=1/m]", "[" * 9], "conf": {"timezone": {}}},
    {"conf": {"beat_schedule": {"a": {"schedule": {"__type__": "x"}}}, "task_queues": 5}},
    {"active": [None, 1, "x", [], {"id": [], "args": {}, "time_start": "x", "request": 5}]},
    {"reserved": [{"id": None, "name": {}, "delivery_info": [], "hostname": 5}]},
    {"scheduled": [{"eta": [], "request": {"id": {}}, "priority": "x"}, {"request": None}]},
    {"revoked": [None, {}, [], 5, "id"]},
]


async def look_at_all(cluster: Cluster, render: Any) -> None:
    """Ask everything that a console tells, about everybody it knows."""
    names = [*cluster.state.tasks, *cluster.state.workers, *cluster.inspector.latest][:4]
    quoted = [quote(name, safe="") for name in names]
    paths = [
        "/api/v1/overview", "/api/v1/workers", "/api/v1/queues", "/api/v1/tasks?limit=100",
        "/api/v1/names", "/api/v1/ingest", "/api/v1/schedules", "/api/v1/actions",
        "/api/v1/queues/q/messages", "/api/workers", "/api/workers?status=1", "/api/tasks",
        "/api/tasks?sort_by=name&search=a", "/api/task/types", "/api/queues/length",
        "/workers?json=1", "/api/v1/live?topics=overview,workers,queues",
        "/tasks/datatable?draw=1&start=0&length=9&order[0][column]=0&columns[0][data]=runtime",
        *(f"/api/v1/tasks/{name}" for name in quoted),
        *(f"/api/v1/workers/{name}" for name in quoted),
        *(f"/api/task/info/{name}" for name in quoted),
        *(f"/api/workers?workername={name}" for name in quoted),
    ]  # fmt: skip
    app = cluster.app()
    for path in paths:
        told = await ask(app, path)
        check(told, allowed=(503,))
        body = told.body
        if told.header("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if told.header("content-type").lower().startswith("application/json"):
            msgspec.json.decode(body)
    for openmetrics in (False, True):
        page = render(openmetrics).decode("utf-8")
        if not openmetrics:
            assert list(text_string_to_metric_families(page))


@given(
    st.lists(events, max_size=12),
    inspections | st.sampled_from(SHAPED).map(lambda told: {"w@h": told}),
    st.sampled_from([None, 0, 5, 2**53]),
)
@fuzz(60)
def test_whatever_a_cluster_says_every_answer_can_be_told(
    sent: list[dict[str, Any]], told: dict[str, Any], depth: int | None
) -> None:
    cluster = Cluster(max_tasks=20, max_workers=5, max_names=5)
    decoder = Decoder(reject=lambda _reason, _count: None)

    def latest() -> Any:
        return cluster.inspector.latest

    recorder = Recorder(
        queue_of=sole_queue(lambda: {h: queue_names(told) for h, told in latest().items()})
    )
    decoded = decoder.messages([RawMessage(as_json(sent), "application/json", "utf-8")])
    with cluster.state.lock:
        applied = cluster.state.apply(decoded, NOW)
    recorder.record(applied, NOW)
    inspector = Inspector(app=Celery(set_as_current=False))
    for hostname, answers in told.items():
        for command, answer in answers.items():
            message = reply(as_json({hostname: answer}))
            inspector._merge(list(inspector._open(command, message)))
    cluster.inspector.latest = dict(inspector.latest)  # type: ignore[arg-type]
    cluster.queues.put(QueueDepth("q", depth), QueueDepth("<b>", depth, error="<i>"))
    cluster.messages.waiting["q"] = [Message(position=0, size_bytes=1, name="<b>")]
    recorder.tick(NOW, cluster.state.workers)
    assert cluster.state.failures == 0, cluster.state.last_failure
    metrics = Metrics(
        recorder=recorder,
        collectors=[
            WorkersCollector(state=cluster.state, status=liveness.status, inspections=latest),
            TasksCollector(state=cluster.state, recorder=recorder),
            QueuesCollector(
                depths=lambda: cluster.queues.latest,
                inspections=latest,
                online=lambda _hostname: True,
            ),
            WaitingCollector(state=cluster.state, depths=lambda: cluster.queues.latest),
        ],
    )
    anyio.run(partial(look_at_all, cluster, metrics.render))


# ---------------------------------------------------------------------- queries


WORDS = [
    "name:", "state:", "since:", "runtime:", "args:", "kwargs:", "retries:", "-", "(", ")", " ",
    "OR", '"', "*", ",", "..", ">", "<=", "5m", "1e999s", "=", "\\", "2026-11-23T03:00", ":", "NOT",
    "٣", "9" * 50, "a*b*c*d", "0.0000000000000001s", "-1s", "99999999999999w",
]  # fmt: skip


def _is_a_place(position: int, text: str) -> None:
    assert 0 <= position <= len(text)


@given(st.lists(st.sampled_from(WORDS) | texts, max_size=30).map("".join))
@fuzz(400)
def test_any_query_is_asked_or_refused_where_it_is_wrong(text: str) -> None:
    task = Task(uuid="a", first_seen=NOW, name="a" * 500, args="(1,)", kwargs="{'a': 1}")
    try:
        query = parse(text)
    except BadQuery as refused:
        a_sentence(refused, most_chars=300)
        _is_a_place(refused.position, text)
        return
    assert parse(show(query)) == query
    assert select.compile(query, NOW)(task) in (True, False)


@pytest.mark.parametrize(
    "text",
    [
        "name:" + "*a" * 200 + "*b",
        "args:" + "*a*" * 100,
        '"' + "a" * 1_900 + '"',
        " ".join(["a"] * 60),
        "(" * 30 + "a" + ")" * 30,
        "name:" + ",".join(["*a*a*a*b"] * 50),
    ],
)
def test_a_query_costs_no_more_than_its_length_times_the_text(text: str) -> None:
    """A pattern is matched in one pass: a thousand tasks that nearly match are looked at soon."""
    try:
        query = parse(text)
    except BadQuery:
        return
    task = Task(uuid="a", first_seen=NOW, name="a" * 500, args="a" * 4_000)
    test = select.compile(query, NOW)
    for _ in range(1_000):
        test(task)
