"""Limited people: what they see, what they may steer, and that nothing of others gets through.

Everything of the others is called bank…, so that a test only has to look for that word.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from celeryscope.control.commands import COMMANDS
from celeryscope.control.results import Result
from celeryscope.history.store import History
from celeryscope.model.actor import Actor, Scope
from celeryscope.web.api.console import LiveQuery
from celeryscope.web.auth import limits
from celeryscope.web.auth.policy import RULES
from celeryscope.web.auth.users import Users
from celeryscope.web.live import Hub
from tests.unit.web.people import (
    THEIRS,
    House,
    Person,
    answer_at_once,
    fill,
    given,
    history_in,
)
from tests.unit.web.standins import NOW, WORKER, Cluster, life, serving

pytestmark = pytest.mark.anyio

EVERYTHING_THERE_IS = Scope()
QUEUES = Scope(queues=("mail*",))
TASKS = Scope(tasks=("shop.*",))
CONTROL = "/api/v1/control/"


class One:
    """Somebody limited, and what they ask."""

    def __init__(
        self,
        scope: Scope = THEIRS,
        role: Any = "viewer",
        *,
        history: History | None = None,
        remembers: bool = True,
    ) -> None:
        """With `remembers` False the tasks are in the history alone."""
        self.house = House(Users(None))
        self.cluster = self.house.cluster
        if not remembers:
            with self.cluster.state.lock:
                self.cluster.state.tasks.clear()
        self.cluster.services = dataclasses.replace(self.cluster.services, history=history)
        self.headers = self.house.credentials(Person("eve", role, scope), "bearer")

    def also(
        self, name: str, role: Any = "admin", scope: Scope = EVERYTHING_THERE_IS
    ) -> dict[str, str]:
        return self.house.credentials(Person(name, role, scope), "bearer")

    async def get(self, path: str, **query: Any) -> httpx.Response:
        async with self.house.client() as http:
            return await http.get(path, params=query, headers=self.headers)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        options.setdefault("json", {} if body is None else body)
        options["headers"] = {**self.headers, **options.get("headers", {})}
        async with self.house.client() as http:
            return await http.post(path, **options)

    async def send(self, command: str, arguments: Any, **more: Any) -> httpx.Response:
        return await self.post(CONTROL + command, given(arguments, **more))

    @property
    def sent(self) -> list[str]:
        return [one["command"] for one in self.cluster.desk.sent]


def ids(answer: httpx.Response) -> set[str]:
    return {task["uuid"] for task in answer.json()["tasks"]}


# ---------------------------------------------------------------------- seeing

#: Every address of the API where something is seen, as one asks it.
SEEN = [
    "/api/v1/me", "/api/v1/overview", "/api/v1/workers", f"/api/v1/workers/{WORKER}",
    "/api/v1/queues", "/api/v1/queues/mail/messages", "/api/v1/tasks", "/api/v1/tasks?facets=1",
    "/api/v1/tasks?query=state:success&facets=1&sort=name", "/api/v1/tasks/mine",
    "/api/v1/tasks/mine-child", "/api/v1/names", "/api/v1/ingest", "/api/v1/commands",
    "/api/v1/actions", "/api/v1/schedules", "/api/v1/sessions", "/api/v1/tokens",
    "/api/v1/history", "/api/v1/history/tasks", "/api/v1/history/tasks?query=-state:x&sort=longest",
    "/api/v1/history/count", "/api/v1/history/export?format=csv",
    "/api/v1/history/export?format=json", "/api/v1/searches", "/api/v1/families/mine",
    "/api/v1/families/mine-child", "/api/v1/started/beat_schedule:mail-nightly",
    "/api/v1/insight", "/api/v1/insight/names/shop.mail", "/api/v1/insight/exceptions",
    "/api/v1/insight/calendar",
    "/api/v1/openapi.json", "/api/tasks", "/api/tasks?search=secret", "/api/task/types",
    "/api/task/info/mine", "/api/task/info/mine-child", "/api/task/result/mine",
    "/api/queues/length", "/workers?json=1",
    "/tasks/datatable?draw=1&start=0&length=100&order[0][column]=0&columns[0][data]=name",
]  # fmt: skip


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    history = history_in(tmp_path_factory.mktemp("history"))
    history.searches.save(
        "boss", name="the bank", query="name:bank.pay", sort="newest", shared=True, now=NOW
    )
    yield history
    history.close()


@pytest.mark.parametrize("remembers", [True, False], ids=["in memory", "in the history"])
@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
async def test_nothing_of_others_is_in_any_answer(
    role: str, remembers: bool, history: History
) -> None:
    one = One(THEIRS, role, history=history, remembers=remembers)
    everybody = one.also("boss")
    one.cluster.services.figures.sample(NOW, one.cluster.services.state)
    async with one.house.client() as http:
        for path in SEEN:
            # Somebody who sees everything was there before: nothing is kept for the wrong one.
            before = await http.get(path, headers=everybody)
            answer = await http.get(path, headers=one.headers)
            assert before.status_code == answer.status_code == 200, path
            assert "bank" not in answer.text.lower(), path
            after = await http.get(path, headers=everybody)
            assert ("bank" in after.text) == ("bank" in before.text), path


def test_every_address_where_limited_people_see_their_own_is_looked_at() -> None:
    def fits(pattern: str) -> bool:
        stem = pattern.partition("{")[0].rstrip("/")
        return any(path.partition("?")[0].startswith(stem) for path in SEEN)

    elsewhere = {"/api/v1/live", "/api/v1/actions/{id}"}
    theirs = [
        path
        for path, methods in RULES.items()
        if "GET" in methods and methods["GET"].limited == "theirs" and path not in elsewhere
    ]
    assert [path for path in theirs if not fits(path)] == []


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (THEIRS, {"mine", "mine-failed", "mine-child"}),
        (QUEUES, {"mine", "mine-failed", "mine-child", "bank-by-name"}),
        (
            TASKS,
            {"mine", "mine-failed", "mine-child", "bank-by-queue", "bank-nowhere"},
        ),
        (Scope(queues=("nothing",)), set[str]()),
    ],
)
async def test_tasks_are_theirs_by_name_and_queue_and_both_where_both_are_limited(
    scope: Scope, seen: set[str]
) -> None:
    one = One(scope)
    assert ids(await one.get("/api/v1/tasks")) == seen
    assert set((await one.get("/api/tasks")).json()) == seen
    told = (await one.get("/api/v1/tasks")).json()
    assert told["total"] == told["in_memory"] == len(seen)


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks/{}", "/api/task/info/{}"], ids=["ours", "Flower's"]
)
async def test_a_task_of_others_is_as_unknown_as_one_that_is_not_there(path: str) -> None:
    one = One()
    answers = [await one.get(path.format(uuid)) for uuid in ("bank", "bang")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text == answers[1].text.replace("bang", "bank")


async def test_a_task_tells_no_id_of_others_in_its_family() -> None:
    one = One()
    child = (await one.get("/api/v1/tasks/mine-child")).json()
    assert (child["root_id"], child["parent_id"]) == (None, None)
    assert (child["root"], child["parent"]) == (None, None)
    parent = (await one.get("/api/v1/tasks/mine")).json()
    assert (parent["children"], parent["children_total"]) == ([], 0)
    flower = (await one.get("/api/task/info/mine-child")).json()
    assert [flower[key] for key in ("root", "root_id", "parent", "parent_id")] == [None] * 4
    for query in ("parent:bank", "parent:b*", "root:bank", "parent:*"):
        assert ids(await one.get("/api/v1/tasks", query=query)) == set(), query


async def test_a_task_of_the_history_is_theirs_as_one_in_memory_is(history: History) -> None:
    one = One(history=history, remembers=False)
    assert ids(await one.get("/api/v1/history/tasks")) == {"mine", "mine-failed", "mine-child"}
    told = (await one.get("/api/v1/tasks/mine-child")).json()
    assert told["source"] == "history"
    assert (told["root_id"], told["parent_id"], told["root"], told["parent"]) == (None,) * 4
    assert (await one.get("/api/v1/tasks/mine")).json()["children_total"] == 0
    for query in ("parent:bank", "parent:b*", "root:bank", "parent:*", "bank", "name:bank.*"):
        assert ids(await one.get("/api/v1/history/tasks", query=query)) == set(), query
        count = (await one.get("/api/v1/history/count", query=query)).json()
        assert count["total"] == 0, query
    answers = [await one.get(f"/api/v1/tasks/{uuid}") for uuid in ("bank", "bang")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text == answers[1].text.replace("bang", "bank")


async def test_what_the_memory_knows_better_hides_a_task_of_the_history(history: History) -> None:
    one = One(TASKS, history=history)
    with one.cluster.state.lock:
        one.cluster.state.tasks["mine"].renamed = ((NOW, "bank.pay"),)
    assert (await one.get("/api/v1/tasks/mine")).status_code == 404
    assert "mine" not in ids(await one.get("/api/v1/history/tasks"))


async def test_family_that_is_theirs_is_told() -> None:
    one = One()
    one.cluster.feed(
        life("mine-grandchild", 9.5, name="shop.mail", queue="mail", parent_id="mine-child",
             root_id="mine")
    )  # fmt: skip
    told = (await one.get("/api/v1/tasks/mine-grandchild")).json()
    assert (told["parent"]["uuid"], told["root"]["uuid"]) == ("mine-child", "mine")
    told = (await one.get("/api/v1/tasks/mine-child")).json()
    assert [child["uuid"] for child in told["children"]] == ["mine-grandchild"]


async def test_a_task_that_another_ran_under_is_theirs_only_if_both_are() -> None:
    one = One(TASKS)
    with one.cluster.state.lock:
        one.cluster.state.tasks["mine"].renamed = ((NOW, "bank.pay"),)
    assert (await one.get("/api/v1/tasks/mine")).status_code == 404


async def test_names_of_their_tasks_alone_are_told() -> None:
    def names(answer: httpx.Response) -> set[str]:
        return {row["name"] for row in answer.json()["names"]}

    assert names(await One(THEIRS).get("/api/v1/names")) == {"shop.mail"}
    assert names(await One(TASKS).get("/api/v1/names")) == {"shop.mail"}
    assert names(await One(QUEUES).get("/api/v1/names")) == {"shop.mail", "bank.pay"}
    assert names(await One(Scope(queues=("none",))).get("/api/v1/names")) == set()


async def test_the_last_error_of_a_name_is_told_only_where_that_task_is_theirs() -> None:
    one = One(QUEUES)
    (row,) = (
        row
        for row in (await one.get("/api/v1/names")).json()["names"]
        if row["name"] == "shop.mail"
    )
    assert row["last_failed"] == "mine-failed"
    one.cluster.feed(life("bank-fails", 9.9, name="shop.mail", queue="bank", state="FAILURE"))
    (row,) = (
        row
        for row in (await one.get("/api/v1/names")).json()["names"]
        if row["name"] == "shop.mail"
    )
    assert (row["last_failed"], row["last_exception"]) == (None, None)


async def test_queues_of_theirs_alone_are_told() -> None:
    def queues(answer: httpx.Response) -> list[str]:
        return [row["name"] for row in answer.json()["queues"]]

    for path in ("/api/v1/queues", "/api/v1/overview"):
        assert queues(await One(QUEUES).get(path)) == ["mail", "mail.slow"]
        assert queues(await One(TASKS).get(path)) == ["bank", "mail", "mail.slow"]
    length = (await One(QUEUES).get("/api/queues/length")).json()
    assert [row["name"] for row in length["active_queues"]] == ["mail", "mail.slow"]


async def test_what_the_broker_says_of_a_failed_reading_may_name_any_queue() -> None:
    for scope, said in ((QUEUES, False), (TASKS, True)):
        one = One(scope)
        one.cluster.queues.fail("no queue 'bank' in vhost '/'")
        told = await one.get("/api/v1/queues")
        assert ("vhost" in told.text) == said
        assert told.json()["error"]
        assert all(row["error"] for row in told.json()["queues"])


async def test_messages_of_others_are_shown_without_anything_of_them() -> None:
    told = (await One().get("/api/v1/queues/mail/messages")).json()
    mine, other = told["messages"]
    assert (told["total"], mine["name"], mine["args"]) == (2, "shop.mail", "('mine-args',)")
    assert (mine["root_id"], mine["parent_id"]) == (None, None)
    left = {key: value for key, value in other.items() if value}
    assert left.keys() == {"position", "size_bytes", "problem"}


async def test_messages_of_a_queue_of_others_are_not_found() -> None:
    one = One()
    unknown = await one.get("/api/v1/queues/bang/messages")
    answer = await one.get("/api/v1/queues/bank/messages")
    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert answer.text == unknown.text.replace("bang", "bank")
    assert one.cluster.messages.asked == []


async def test_a_worker_tells_only_what_of_it_is_theirs() -> None:
    told = (await One().get(f"/api/v1/workers/{WORKER}")).json()
    assert told["queues"] == ["mail", "mail.slow"]
    inspect = told["inspect"]
    assert inspect["registered"] == ["shop.mail [rate_limit=10/m]"]
    assert inspect["stats"] == {"pool": {"max-concurrency": 4}, "total": {"shop.mail": 5}}
    assert [one["id"] for one in inspect["active"]] == ["mine"]
    assert [one["id"] for one in inspect["reserved"]] == ["mine"]
    assert [one["request"]["id"] for one in inspect["scheduled"]] == ["mine"]
    assert (inspect["revoked"], inspect["conf"]) == (["mine"], None)
    assert [queue["name"] for queue in inspect["active_queues"]] == ["mail", "mail.slow"]


async def test_who_is_limited_by_name_alone_sees_what_a_worker_holds_of_that_name() -> None:
    told = (await One(TASKS).get(f"/api/v1/workers/{WORKER}")).json()
    held = [one["id"] for one in told["inspect"]["active"]]
    assert held == ["mine", "bank-by-queue", "bank-never-told"]


async def test_what_runs_on_a_worker_is_told_of_theirs_alone() -> None:
    one = One()
    one.cluster.feed(life("mine-runs", 9.6, name="shop.mail", queue="mail", state="STARTED"))
    one.cluster.feed(life("bank-runs", 9.6, name="bank.pay", queue="bank", state="STARTED"))
    told = (await one.get(f"/api/v1/workers/{WORKER}")).json()
    assert [task["uuid"] for task in told["running_tasks"]] == ["mine-runs"]
    assert told["running"] == 2, "its load is everybody's"


async def test_figures_of_the_whole_cluster_stay_visible() -> None:
    one = One()
    everybody = one.also("boss")
    theirs = (await one.get("/api/v1/overview")).json()
    async with one.house.client() as http:
        all_of_it = (await http.get("/api/v1/overview", headers=everybody)).json()
    for figure in ("states", "totals", "rate", "workers", "running", "ingest"):
        assert theirs[figure] == all_of_it[figure], figure
    assert [row["name"] for row in theirs["failing"]] == ["shop.mail"]
    assert [row["name"] for row in all_of_it["failing"]] != ["shop.mail"]


async def test_entries_of_schedules_are_theirs_by_task_and_queue() -> None:
    def entries(answer: httpx.Response) -> set[str]:
        return {row["name"] for row in answer.json()["entries"]}

    assert entries(await One(THEIRS).get("/api/v1/schedules")) == {"mail-nightly"}
    assert entries(await One(TASKS).get("/api/v1/schedules")) == {"mail-nightly", "mail-anywhere"}
    assert entries(await One(QUEUES).get("/api/v1/schedules")) == {"mail-nightly", "bank-in-mail"}
    (source,) = (await One().get("/api/v1/schedules")).json()["sources"]
    assert source["said"] == "1 of yours."


async def test_a_result_of_others_is_as_one_that_is_not_there() -> None:
    one = One()
    for uuid in ("mine", "bank"):
        one.cluster.results.known[uuid] = Result(
            task_id=uuid, state="SUCCESS", ready=True, value="bank-secret"
        )
    assert (await one.get("/api/task/result/mine")).json()["state"] == "SUCCESS"
    told = (await one.get("/api/task/result/bank")).json()
    assert told == {"task-id": "bank", "state": "PENDING"}
    assert [uuid for uuid, _ in one.cluster.results.asked] == ["mine"]


async def test_flowers_list_of_workers_is_refused() -> None:
    assert (await One(THEIRS, "admin").get("/api/workers")).status_code == 403
    assert (await One(THEIRS, "admin").get("/metrics")).status_code == 403
    assert (await One(THEIRS, "admin").get("/api/v1/audit")).status_code == 403


# ---------------------------------------------------------------------- live


class Reader:
    """Reads a stream, and keeps what it was told."""

    def __init__(self) -> None:
        self.text = ""
        self.new = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.text += message.get("body", b"").decode()
        self.new.set()

    async def until(self, told: Callable[[str], bool]) -> str:
        async with asyncio.timeout(10):
            while not told(self.text):
                self.new.clear()
                await self.new.wait()
        return self.text


@asynccontextmanager
async def streaming(hub: Hub, actor: Actor, **query: Any) -> AsyncIterator[Reader]:
    reader, gone = Reader(), asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    stream = hub.open(LiveQuery(**query), actor)
    scope = {"type": "http", "method": "GET", "headers": []}
    task = asyncio.create_task(stream(scope, receive, reader.send))
    try:
        yield reader
    finally:
        gone.set()
        await task


def actor(scope: Scope, name: str = "eve") -> Actor:
    return Actor(name=name, role="viewer", way="proxy", scope=scope)


EVERYTHING = {"topics": "overview,workers,grid", "view": ["", "state:failure", "parent:b*"]}


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    fill(cluster)
    return cluster


async def test_a_stream_tells_nothing_of_others_while_somebody_else_sees_all(
    cluster: Cluster,
) -> None:
    hub = Hub(cluster.services, tick_seconds=0.02)
    async with (
        streaming(hub, actor(Scope(), "boss"), **EVERYTHING) as all_of_it,
        streaming(hub, actor(THEIRS), **EVERYTHING) as theirs,
        streaming(hub, actor(THEIRS, "bob"), **EVERYTHING) as as_theirs,
    ):
        for reader in (all_of_it, theirs, as_theirs):
            await reader.until(lambda text: text.count('"facets"') >= 3)
        async with asyncio.timeout(10):  # from here on they need the same, but for their limits
            while len({client.standing()[1:] for client in hub._clients}) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        cluster.feed(life("bank-live", 9.7, name="bank.pay", queue="bank"))
        cluster.feed(life("mine-live", 9.8, name="shop.mail", queue="mail", state="FAILURE"))
        await all_of_it.until(lambda text: "bank-live" in text and "mine-live" in text)
        for reader in (theirs, as_theirs):
            text = await reader.until(lambda text: "mine-live" in text and '"total":4' in text)
            assert "bank" not in text.replace("parent:b*", "")
            assert WORKER in text
    assert len(hub._pictures) == 2, "people with the same limits share one"


def test_a_real_stream_of_somebody_limited_tells_nothing_of_others() -> None:
    one = One()
    with (
        serving(one.cluster.app()) as url,
        httpx.stream(
            "GET", url + "/api/v1/live", params=EVERYTHING, headers=one.headers, timeout=10
        ) as answer,
    ):
        text = ""
        for part in answer.iter_text():
            text += part
            if '"mine"' in text and WORKER in text:
                break
    assert "bank" not in text.replace("parent:b*", "")


async def test_a_task_that_turns_out_to_be_of_others_leaves_the_list(cluster: Cluster) -> None:
    hub = Hub(cluster.services, tick_seconds=0.02)
    async with streaming(hub, actor(THEIRS), view=[""]) as theirs:
        await theirs.until(lambda text: '"mine"' in text)
        with cluster.state.lock:
            cluster.state.tasks["mine"].queue = "bank"
            cluster.state._recent.append("mine")
            cluster.state.task_changes += 1
        await theirs.until(lambda text: '"gone":["mine"]' in text)


async def test_nobody_goes_on_where_somebody_with_other_limits_was(cluster: Cluster) -> None:
    hub = Hub(cluster.services, tick_seconds=0.02)

    def mark(text: str) -> str:
        return [line for line in text.splitlines() if line.startswith("id: ")][-1][4:]

    async with streaming(hub, actor(Scope(), "boss"), **EVERYTHING) as all_of_it:
        text = await all_of_it.until(lambda text: "id: " in text)
    for scope, topics in ((Scope(), 3), (THEIRS, 0)):
        async with streaming(hub, actor(scope), **EVERYTHING, resume=mark(text)) as reader:
            hello = await reader.until(lambda text: "event: frame" in text)
        data = next(line for line in hello.splitlines() if line.startswith("data: "))
        assert len(json.loads(data[6:])["topics"]) == topics


async def test_only_so_many_pictures_that_nobody_looks_at_are_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._MOST_PICTURES_KEPT", 2)
    hub = Hub(cluster.services, tick_seconds=0.02)
    async with streaming(hub, actor(Scope(), "boss")):
        for number in range(6):
            async with streaming(hub, actor(Scope(queues=(f"q{number}",)))) as reader:
                await reader.until(lambda text: "event: frame" in text)
        assert len(hub._pictures) <= 1 + 1 + 2
        assert Scope() in hub._pictures


# ---------------------------------------------------------------------- steering

MAY = [
    ("revoke", {"ids": ["mine", "mine-failed"]}),
    ("terminate", {"ids": ["mine"]}),
    ("abort", {"ids": ["mine"]}),
    ("retry", {"ids": ["mine"]}),
    ("forget", {"ids": ["mine"]}),
    ("query_task", {"ids": ["mine"]}),
    ("async_apply", {"task_name": "shop.new", "queue": "mail.slow"}),
    ("apply", {"task_name": "shop.mail", "queue": "mail", "args": [1], "wait_seconds": 0}),
    ("send_task", {"task_name": "shop.mail", "queue": "mail", "countdown": 1}),
    ("run_entry", {"entry": "beat_schedule:mail-nightly"}),
    ("ping", {}),
]
MAY_NOT = [
    ("revoke", {"ids": ["mine", "bank"]}),
    ("revoke", {"ids": ["bang"]}),
    ("retry", {"ids": ["bank-by-queue"]}),
    ("forget", {"ids": ["bank-nowhere"]}),
    ("terminate", {"ids": ["bank"]}),
    ("abort", {"ids": ["bank"]}),
    ("query_task", {"ids": ["bank"]}),
    ("async_apply", {"task_name": "bank.pay", "queue": "mail"}),
    ("async_apply", {"task_name": "shop.mail", "queue": "bank"}),
    ("async_apply", {"task_name": "shop.mail"}),
    ("send_task", {"task_name": "shop.mail", "queue": "mail", "exchange": "bank"}),
    ("send_task", {"task_name": "shop.mail", "queue": "mail", "routing_key": "bank"}),
    ("send_task", {"task_name": "shop.mail", "queue": "mail", "task_id": "bank"}),
    ("send_task", {"task_name": "shop.mail", "exchange": "mail", "routing_key": "mail"}),
    ("apply", {"task_name": "bank.pay", "queue": "bank"}),
    ("run_entry", {"entry": "beat_schedule:bank-nightly"}),
    ("run_entry", {"entry": "beat_schedule:bank-in-mail"}),
    ("run_entry", {"entry": "beat_schedule:mail-anywhere"}),
    ("run_entry", {"entry": "beat_schedule:bang"}),
    ("revoke_by_stamped_headers", {"headers": {"order": "7"}}),
    ("rate_limit", {"task_name": "shop.mail", "rate_limit": "1/m"}),
    ("time_limit", {"task_name": "shop.mail", "soft": 1}),
    ("purge", {"queue": "mail"}),
    ("pause_queue", {"queue": "mail"}),
    ("cancel_consumer", {"queue": "bank"}),
]


@pytest.mark.parametrize(("command", "arguments"), MAY)
async def test_what_is_theirs_may_be_steered(command: str, arguments: dict[str, Any]) -> None:
    one = One(THEIRS, "admin")
    answer = await one.send(command, arguments)
    assert (answer.status_code, one.sent) == (202, [command]), answer.text


@pytest.mark.parametrize(("command", "arguments"), MAY_NOT)
async def test_what_is_not_theirs_may_not(command: str, arguments: dict[str, Any]) -> None:
    one = One(THEIRS, "admin")
    answer = await one.send(command, arguments, confirm=arguments.get("queue"))
    assert (answer.status_code, one.sent) == (403, []), answer.text
    (denied,) = one.house.trail.of("denied")
    assert (denied["what"], denied["by"].name) == (f"'{command}'", "eve")
    everybody = one.also("boss")
    answer = await one.post(
        CONTROL + command, given(arguments, confirm=arguments.get("queue")), headers=everybody
    )
    assert (answer.status_code, one.sent) == (202, [command])


@pytest.mark.parametrize(
    ("scope", "command", "arguments", "status"),
    [
        (QUEUES, "purge", {"queue": "mail"}, 202),
        (QUEUES, "purge", {"queue": "bank"}, 403),
        (QUEUES, "pause_queue", {"queue": "mail.slow"}, 202),
        (QUEUES, "resume_queue", {"queue": "mail"}, 202),
        (QUEUES, "cancel_consumer", {"queue": "mail"}, 202),
        (QUEUES, "add_consumer", {"queue": "mail"}, 202),
        (QUEUES, "add_consumer", {"queue": "mail", "exchange_type": "direct"}, 202),
        (QUEUES, "add_consumer", {"queue": "mail", "exchange": "bank"}, 403),
        (QUEUES, "add_consumer", {"queue": "mail", "routing_key": "bank.#"}, 403),
        (QUEUES, "add_consumer", {"queue": "mail", "exchange_type": "topic"}, 403),
        (QUEUES, "add_consumer", {"queue": "mail", "options": {"durable": False}}, 403),
        (QUEUES, "add_consumer", {"queue": "bank"}, 403),
        (QUEUES, "rate_limit", {"task_name": "shop.mail", "rate_limit": "1/m"}, 403),
        (QUEUES, "async_apply", {"task_name": "any.name", "queue": "mail"}, 202),
        (TASKS, "rate_limit", {"task_name": "shop.mail", "rate_limit": "1/m"}, 202),
        (TASKS, "rate_limit", {"task_name": "bank.pay", "rate_limit": "1/m"}, 403),
        (TASKS, "time_limit", {"task_name": "shop.mail", "soft": 1}, 202),
        (TASKS, "purge", {"queue": "mail"}, 403),
        (TASKS, "async_apply", {"task_name": "shop.mail"}, 202),
        (TASKS, "async_apply", {"task_name": "shop.mail", "queue": "bank"}, 202),
        (TASKS, "send_task", {"task_name": "shop.mail", "exchange": "bank"}, 403),
        (TASKS, "revoke", {"ids": ["bank-nowhere"]}, 202),
        (QUEUES, "revoke", {"ids": ["bank-nowhere"]}, 403),
    ],
)
async def test_limits_of_one_kind(
    scope: Scope, command: str, arguments: dict[str, Any], status: int
) -> None:
    one = One(scope, "admin")
    answer = await one.send(command, arguments, confirm=arguments.get("queue"))
    assert answer.status_code == status, answer.text
    assert one.sent == ([command] if status == 202 else [])


async def test_a_refusal_says_how_many_are_not_theirs_and_never_which() -> None:
    one = One(THEIRS, "operator")
    answer = await one.send("revoke", {"ids": ["mine", "bank", "bang", "bank-failed"]})
    assert answer.json()["error"]["message"] == ("3 of 4 tasks are not yours, or not known here.")
    there = await one.send("revoke", {"ids": ["bank"]})
    not_there = await one.send("revoke", {"ids": ["bang"]})
    assert there.text == not_there.text


async def test_arguments_that_are_none_are_told_as_to_everybody() -> None:
    one = One(THEIRS, "operator")
    many: list[dict[str, Any]] = [
        {"ids": [7]}, {"ids": []}, {}, {"ids": ["mine"], "more": 1}, {"ids": {"a": 1}},
    ]  # fmt: skip
    for wrong in many:
        assert (await one.send("revoke", wrong)).status_code == 400
    assert (await one.send("no_such", {})).status_code == 404
    assert one.sent == []


@pytest.mark.parametrize("scope", [THEIRS, QUEUES, TASKS], ids=["both", "queues", "tasks"])
async def test_what_a_limited_person_can_never_send_is_told_beforehand(scope: Scope) -> None:
    one = One(scope, "admin")
    told = (await one.get("/api/v1/commands")).json()["commands"]
    allowed = {row["name"] for row in told if row["allowed"]}
    never = set(COMMANDS) - allowed
    assert {"shutdown", "pool_grow", "revoke_by_stamped_headers", "active", "conf"} <= never
    assert {"revoke", "retry", "ping", "send_task"} <= allowed
    assert ("purge" in allowed) == (scope == QUEUES)
    assert ("rate_limit" in allowed) == (scope == TASKS)
    for command in never:
        workers = [WORKER] if COMMANDS[command].needs_workers else None
        answer = await one.send(command, COMMANDS[command].example, workers=workers)
        assert answer.status_code == 403, command
    assert one.sent == []


NARROWED = Scope(tasks=("shop.*",), within=QUEUES)


async def test_limits_within_others_are_limits_of_both_kinds() -> None:
    assert NARROWED.limited
    house = One(THEIRS).house
    seen = house.cluster.services.seen_by(actor(NARROWED))
    assert set(seen.state.tasks) == {"mine", "mine-failed", "mine-child"}
    assert set(seen.state.names) == {"shop.mail"}
    assert list(seen.queues.latest) == ["mail", "mail.slow"]
    for command in COMMANDS.values():
        assert limits.ever(command, NARROWED) == limits.ever(command, THEIRS), command.name


def test_every_command_has_a_rule_for_limited_people() -> None:
    for command in COMMANDS.values():
        assert limits.rule_of(command).said
    assert set(limits.COMMAND_RULES) <= set(COMMANDS)
    assert set(limits.SUBJECT_RULES) == {command.subject for command in COMMANDS.values()}


def test_every_way_around_the_limits_is_an_argument_of_some_command() -> None:
    known = {argument.name for command in COMMANDS.values() for argument in command.arguments}
    assert set(limits.AROUND) <= known
    # A new argument that says where something goes has to be thought about.
    assert known - set(limits.AROUND) == {
        "args", "kwargs", "countdown", "eta", "expires", "priority", "queue", "task_name",
        "wait_seconds", "ids", "headers", "terminate", "signal", "soft", "hard", "rate_limit",
        "min", "max", "n", "modules", "reload", "entry", "taskinfoitems", "builtins",
        "with_defaults", "time_limit", "soft_time_limit", "serializer", "ignore_result",
    }  # fmt: skip


async def test_a_selection_has_theirs_alone() -> None:
    one = One(THEIRS, "operator")
    told = (await one.post("/api/v1/selections", {"command": "retry", "query": ""})).json()
    assert (told["matching"], told["count"]) == (3, 3)
    assert set(told["sample"]) == {"mine", "mine-failed", "mine-child"}
    answer = await one.post(CONTROL + "retry", {"selection": told["id"]})
    assert answer.status_code == 202


async def test_a_selection_of_somebody_else_is_checked_again() -> None:
    one = One(THEIRS, "operator")
    body = {"command": "retry", "query": ""}
    everybody = one.also("boss")
    told = (await one.post("/api/v1/selections", body, headers=everybody)).json()
    assert told["count"] == 9
    answer = await one.post(CONTROL + "retry", {"selection": told["id"]})
    assert (answer.status_code, one.sent) == (403, [])
    assert "6 of 9 tasks" in answer.text


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/api/task/revoke/mine", {}, 200),
        ("/api/task/revoke/bank", {}, 403),
        ("/api/task/revoke/bank?terminate=1", {}, 403),
        ("/api/task/abort/mine", {}, 200),
        ("/api/task/abort/bank", {}, 403),
        ("/api/task/async-apply/shop.mail", {"json": {"queue": "mail"}}, 200),
        ("/api/task/async-apply/shop.mail", {"json": {}}, 403),
        ("/api/task/async-apply/bank.pay", {"json": {"queue": "mail"}}, 403),
        ("/api/task/send-task/shop.mail", {"json": {"queue": "mail", "task_id": "bank"}}, 403),
        ("/api/task/apply/bank.pay", {"json": {"queue": "bank"}}, 403),
        (f"/api/worker/shutdown/{WORKER}", {}, 403),
        (f"/api/worker/pool/grow/{WORKER}", {}, 403),
        (f"/api/worker/queue/cancel-consumer/{WORKER}?queue=bank", {}, 403),
        (f"/api/task/rate-limit/shop.mail?workername={WORKER}&ratelimit=1", {}, 403),
        (f"/api/task/rate-limit/bank.pay?workername={WORKER}&ratelimit=1", {}, 404),
    ],
)
async def test_flowers_routes_steer_theirs_alone(
    path: str, options: dict[str, Any], status: int
) -> None:
    one = One(THEIRS, "admin")
    answer_at_once(one.cluster)
    answer = await one.post(path, json=options.get("json", {}))
    assert answer.status_code == status, answer.text
    assert bool(one.sent) == (status == 200)


async def test_taking_messages_out_of_a_queue_takes_those_of_others_too() -> None:
    path = "/api/v1/queues/{}/messages"
    one = One(QUEUES, "operator")
    assert (await one.post(path.format("mail"))).status_code == 200
    assert (await one.post(path.format("bank"))).status_code == 404
    assert [entry["subjects"] for entry in one.house.trail.of("look")] == [["mail"]]
    one = One(TASKS, "operator")
    assert (await one.post(path.format("mail"))).status_code == 403
    assert one.cluster.messages.asked == []
    assert len(one.house.trail.of("denied")) == 1


# ---------------------------------------------------------------------- actions


async def test_actions_are_seen_by_who_sent_them_alone() -> None:
    one = One(THEIRS, "operator")
    everybody = one.also("boss")
    other = one.also("bob", "operator", THEIRS)
    mine = (await one.send("revoke", {"ids": ["mine"]})).json()["id"]
    foreign = await one.post(CONTROL + "revoke", given({"ids": ["bank"]}), headers=everybody)
    foreign_id = foreign.json()["id"]
    assert [row["id"] for row in (await one.get("/api/v1/actions")).json()["actions"]] == [mine]
    assert (await one.get(f"/api/v1/actions/{mine}")).status_code == 200
    assert (await one.get(f"/api/v1/actions/{foreign_id}")).status_code == 404
    assert (await one.get(f"/api/v1/actions/{foreign_id}?wait=1&after=99")).status_code == 404
    assert (await one.post(f"/api/v1/actions/{foreign_id}/stop")).status_code == 404
    async with one.house.client() as http:
        assert (await http.get("/api/v1/actions", headers=other)).json()["actions"] == []
        assert (await http.get(f"/api/v1/actions/{mine}", headers=other)).status_code == 404
        told = (await http.get("/api/v1/actions", headers=everybody)).json()["actions"]
    assert {row["id"] for row in told} == {mine, foreign_id}
    assert one.cluster.desk.stopped == []
    assert (await one.post(f"/api/v1/actions/{mine}/stop")).status_code == 202


async def test_other_limits_are_somebody_else() -> None:
    one = One(THEIRS, "operator")
    mine = (await one.send("revoke", {"ids": ["mine"]})).json()["id"]
    outcomes = one.cluster.services.outcomes
    eve = Actor(name="eve", role="operator", way="token", scope=THEIRS)
    assert outcomes.is_of(mine, eve)
    assert not outcomes.is_of(mine, Actor(name="eve", role="operator", way="token", scope=TASKS))
    assert not outcomes.is_of(mine, Actor(name="eve", role="operator", way="oidc", scope=THEIRS))
    assert not outcomes.is_of("action-none", eve)


# ---------------------------------------------------------------------- sessions, tokens


async def test_an_admin_with_limits_administers_nobody_else() -> None:
    one = One(THEIRS, "admin")
    one.also("boss")
    one.house.log_in(Person("boss", "admin"), way="oidc")
    assert (await one.get("/api/v1/sessions")).json()["sessions"] == []
    tokens = (await one.get("/api/v1/tokens")).json()["tokens"]
    assert "boss" not in {row["name"] for row in tokens}
    (boss,) = (row for row in one.house.door.tokens.list() if row.name == "boss")
    assert (await one.post(f"/api/v1/tokens/{boss.id}/revoke")).status_code == 404
    (session,) = one.house.door.sessions.list(now=one.house.door.clock())
    assert (await one.post(f"/api/v1/sessions/{session.id}/revoke")).status_code == 404
