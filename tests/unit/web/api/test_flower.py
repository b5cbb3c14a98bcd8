"""Flower's read API: what its recorded answers say, and what its source promises beside."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from celeryscope.model.event import Event
from tests.unit.web.standins import (
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

QUEUES = [{"name": "celery"}]


class Golden:
    """One recorded request and its answer."""

    def __init__(self, path: Path) -> None:
        request, status, self.body = path.read_text().split("\n", 2)
        self.method, self.url = request.split(" ", 1)
        _, code, self.media_type = status.split(" ", 2)
        self.status = int(code)


def recorded_events(tasks: dict[str, Any]) -> list[Event]:
    """Turn recorded tasks back into the events that made them."""
    events = []
    for task in tasks.values():
        shared = {"uuid": task["uuid"], "pid": 22197, "clock": task["clock"]}
        told = {
            name: task[name]
            for name in ("name", "args", "kwargs", "retries", "eta", "expires", "root_id")
        }
        route = {"exchange": task["exchange"], "routing_key": task["routing_key"]}
        worker, client = {"hostname": "w1@bar"}, {"hostname": task["client"]}
        more: dict[str, dict[str, Any]] = {
            "sent": {**client, **told, **route, "pid": 22199},
            "received": {**worker, **told},
            "started": worker,
            "succeeded": {**worker, "result": task["result"], "runtime": task["runtime"]},
            "revoked": worker,
        }
        for clock, (kind, fields) in enumerate(more.items(), start=task["clock"] - 4):
            if task[kind] is not None:
                given = {**shared, **fields, "clock": clock}
                events.append(Event(type=f"task-{kind}", timestamp=task[kind], **given))
        events[-1] = Event(**{**_fields(events[-1]), "clock": task["clock"]})
    return sorted(events, key=lambda event: event.timestamp)


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


@pytest.mark.parametrize(
    "name",
    [
        "healthcheck", "info", "info_unknown", "queues_length", "tasks", "tasks_baddate",
        "tasks_badlimit", "tasks_badsort", "tasks_dates", "tasks_failure", "tasks_filters",
        "tasks_search", "tasks_search_state", "types", "workers_one", "workers_refresh",
        "workers_status", "workers_unknown",
    ],
)  # fmt: skip
async def test_it_answers_as_recorded(shared_reference: Path, name: str) -> None:
    directory = shared_reference / "golden-flower"
    golden = Golden(directory / f"{name}.txt")
    cluster = Cluster()
    tasks = json.loads(Golden(directory / "tasks.txt").body)
    events = recorded_events(tasks)
    cluster.now = max(event.timestamp for event in events) + 1
    cluster.feed(events)
    told = json.loads(Golden(directory / "workers_one.txt").body)["w1@bar"]
    cluster.inspector.latest["w1@bar"] = Inspection(
        "w1@bar", told["timestamp"], told["stats"], told["registered"], told["active_queues"],
        told["conf"],
    )  # fmt: skip
    cluster.queues.put(QueueDepth("celery", 0))
    url = urlsplit(golden.url)
    async with cluster.client() as http:
        answer = await http.get(url.path, params=dict(parse_qsl(url.query)))
    assert answer.status_code == golden.status
    assert answer.headers["content-type"].lower() == golden.media_type.lower()
    if golden.media_type.startswith("application/json"):
        assert answer.json() == json.loads(golden.body)
        assert list(answer.json()) == list(json.loads(golden.body)), "and in the same order"
    else:
        assert answer.text == golden.body.rstrip("\n")


async def get(cluster: Cluster, path: str, **params: Any) -> Any:
    async with cluster.client() as http:
        answer = await http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(cluster: Cluster, path: str, **params: Any) -> tuple[int, str]:
    async with cluster.client() as http:
        answer = await http.get(path, params=params)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    return answer.status_code, answer.text


def many(cluster: Cluster) -> None:
    cluster.feed(life("a", 0, name="shop.pay"))
    cluster.feed(life("b", 1, name="shop.Pack", state="FAILURE"))
    cluster.feed(life("c", 2, name="mail.send", worker="celery@web2"))
    cluster.feed(life("d", 3, name="mail.send", state="PENDING"))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "dcba"),
        ({"limit": " 2 "}, "dc"),
        ({"limit": "0"}, ""),
        ({"limit": "-5"}, ""),
        ({"limit": "2", "offset": "1"}, "cb"),
        ({"offset": "-3"}, "dcba"),
        ({"offset": "99"}, ""),
        ({"limit": ["1", "3"]}, "dcb"),
        ({"sort_by": "name"}, "cdba"),
        ({"sort_by": "-name"}, "abdc"),
        ({"sort_by": "--name"}, "abdc"),
        ({"sort_by": "state"}, "bdac"),
        ({"sort_by": "received"}, "dabc"),
        ({"sort_by": "-received"}, "cbad"),
        ({"sort_by": "started", "limit": "2"}, "da"),
        ({"sort_by": ""}, "dcba"),
        ({"taskname": "SHOP.PACK"}, "b"),
        ({"taskname": "All"}, "dcba"),
        ({"taskname": ""}, "dcba"),
        ({"workername": "celery@web2"}, "c"),
        ({"workername": "All", "state": "All"}, "dcba"),
        ({"state": "success"}, "ca"),
        ({"state": "NONE"}, ""),
        ({"search": "shop"}, "ba"),
        ({"search": "kwargs:sku=b-7 state:failure"}, "b"),
        ({"unknown": "x"}, "dcba"),
    ],
)
async def test_tasks_are_filtered_sorted_and_cut(
    cluster: Cluster, params: dict[str, Any], expected: str
) -> None:
    many(cluster)
    assert "".join(await get(cluster, "/api/tasks", **params)) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(-60, None, "dba"), (None, 60, "dba"), (60, None, "d"), (None, -60, "d"), (-60, 60, "dba")],
)
async def test_dates_are_of_the_servers_zone_and_let_pass_what_was_never_received(
    cluster: Cluster, start: int | None, end: int | None, expected: str
) -> None:
    for uuid in "ab":
        cluster.feed(life(uuid, 0 if uuid == "a" else 1))
    cluster.feed(life("d", 3, state="PENDING"))
    params = {
        name: time.strftime("%Y-%m-%d %H:%M", time.localtime(NOW + seconds))
        for name, seconds in (("received_start", start), ("received_end", end))
        if seconds is not None
    }
    assert "".join(await get(cluster, "/api/tasks", **params)) == expected


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": ""}, "Invalid argument '' of type 'int'"),
        ({"limit": "9" * 5000}, None),
        ({"offset": "x"}, "Invalid argument 'x' of type 'int'"),
        ({"sort_by": "-"}, "Invalid sort_by '-', expected one of name, received, started, state"),
        ({"received_end": "2026-13-01 00:00"}, None),
        ({"received_start": "now"}, None),
    ],
)
async def test_a_bad_argument_is_told_in_plain_text(
    cluster: Cluster, params: dict[str, str], message: str | None
) -> None:
    status, text = await refused(cluster, "/api/tasks", **params)
    assert status == 400
    assert message in (None, text)


async def test_a_bad_search_is_told_as_json(cluster: Cluster) -> None:
    async with cluster.client() as http:
        answer = await http.get("/api/tasks", params={"search": "(open"})
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


async def test_a_task_that_no_worker_has_seen_has_no_worker_in_the_list(cluster: Cluster) -> None:
    cluster.feed(life("a", state="PENDING"))
    assert "worker" not in (await get(cluster, "/api/tasks"))["a"]
    assert (await get(cluster, "/api/task/info/a"))["worker"] is None


async def test_a_task_whose_first_events_were_missed_does_not_claim_retries(
    cluster: Cluster,
) -> None:
    cluster.feed([event("task-started", 1)])
    task = await get(cluster, "/api/task/info/a")
    assert (task["name"], task["retries"], task["state"]) == (None, None, "STARTED")


async def test_children_are_the_tasks_in_memory_that_name_their_parent(cluster: Cluster) -> None:
    cluster.feed(life("p") + life("a", 1, parent_id="p", root_id="p"))
    cluster.feed(life("b", 2, parent_id="p", root_id="p"))
    for task in (await get(cluster, "/api/task/info/p"), (await get(cluster, "/api/tasks"))["p"]):
        assert sorted(task["children"]) == ["a", "b"]
    child = await get(cluster, "/api/task/info/a")
    assert (child["parent"], child["root"]) == ("p", "p")


async def test_an_id_may_be_any_text(cluster: Cluster) -> None:
    cluster.feed(life("a/b c"))
    assert (await get(cluster, "/api/task/info/a/b%20c"))["uuid"] == "a/b c"
    assert await refused(cluster, "/api/task/info/") == (404, "Unknown task ''")


async def test_workers_lists_what_inspect_told_and_leaves_out_what_it_did_not(
    cluster: Cluster,
) -> None:
    assert await get(cluster, "/api/workers") == {}
    cluster.inspector.latest[WORKER] = Inspection(WORKER, 5.0, active_queues=QUEUES, active=[])
    told = {"active_queues": QUEUES, "timestamp": 5.0}
    assert await get(cluster, "/api/workers") == {WORKER: told}
    assert await get(cluster, "/api/workers", workername="") == {WORKER: told}
    one = await get(cluster, "/api/workers", workername=WORKER)
    assert one == {WORKER: {**told, "active": []}}


async def test_refresh_asks_the_workers_first(cluster: Cluster) -> None:
    cluster.inspector.coming[WORKER] = Inspection(WORKER, 5.0, registered=["shop.pay"])
    for truth in ("1", "true", "Yes", "on"):
        assert WORKER in await get(cluster, "/api/workers", refresh=truth)
    await get(cluster, "/api/workers", refresh="1", workername=WORKER)
    assert cluster.inspector.asked == [None] * 4 + [WORKER]
    await get(cluster, "/api/workers", refresh="false")
    assert len(cluster.inspector.asked) == 5
    assert (await refused(cluster, "/api/workers", refresh="maybe"))[0] == 400
    assert (await refused(cluster, "/api/workers", status=""))[0] == 400


async def test_a_refresh_that_takes_too_long_gives_what_is_known(cluster: Cluster) -> None:
    cluster.inspector.answers = False
    assert await get(cluster, "/api/workers", refresh="1") == {}


async def test_a_refresh_that_fails_says_so(cluster: Cluster) -> None:
    cluster.inspector.fault = ConnectionRefusedError("no broker")
    assert await refused(cluster, "/api/workers", refresh="1") == (
        503,
        "Failed to update workers: no broker",
    )


async def test_status_tells_who_is_alive_of_all_that_were_seen(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), heartbeat(hostname="b@x"), heartbeat(hostname="c@x")])
    cluster.feed([event("worker-offline", 9.5, hostname="c@x")])
    cluster.now += 60
    cluster.feed([heartbeat(70.0)])
    assert await get(cluster, "/api/workers", status="1") == {
        WORKER: True, "b@x": False, "c@x": False,
    }  # fmt: skip


async def test_queue_lengths_are_sorted_and_unknown_ones_left_out(cluster: Cluster) -> None:
    cluster.queues.put(
        QueueDepth("low", 2), QueueDepth("high", 0), QueueDepth("new", None, error="no queue")
    )
    assert await get(cluster, "/api/queues/length") == {
        "active_queues": [{"name": "high", "messages": 0}, {"name": "low", "messages": 2}]
    }


async def test_queue_lengths_are_of_the_queues_that_workers_consume(cluster: Cluster) -> None:
    cluster.inspector.latest[WORKER] = Inspection(WORKER, NOW, active_queues=[{"name": "high"}])
    cluster.queues.put(QueueDepth("high", 1), QueueDepth("sent-to-once", 2))
    assert await get(cluster, "/api/queues/length") == {
        "active_queues": [{"name": "high", "messages": 1}]
    }


async def test_queue_lengths_that_nobody_knows_are_not_shown_as_none(cluster: Cluster) -> None:
    cluster.queues.error = "Connection refused"
    assert await refused(cluster, "/api/queues/length") == (
        503,
        "Queue lengths are not known: Connection refused",
    )
