"""Steering by HTTP: who may, what is refused at the door, and how an action is told."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from celeryscope.control.action import ItemResult, WorkerResult
from celeryscope.control.commands import COMMANDS
from celeryscope.errors import BadArgument, CeleryscopeError, NotFound, NotPossible, Unavailable
from celeryscope.model.actor import Role
from celeryscope.model.message import Message
from celeryscope.web.api import control
from celeryscope.web.app import CHANGES
from celeryscope.web.auth.door import Door
from celeryscope.web.body import MAX_BODY_BYTES
from celeryscope.web.selections import KEPT_SECONDS, MAX_KEPT, Selections
from celeryscope.web.services import Services
from tests.unit.web.standins import NOW, WORKER, Cluster, QueueDepth, life

CONTROL = "/api/v1/control/"
SELECTIONS = "/api/v1/selections"

pytestmark = pytest.mark.anyio


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def may(cluster: Cluster, *, role: Role, read_only: bool = False) -> Services:
    door = Door(anonymous=role, read_only=read_only)
    cluster.services = dataclasses.replace(cluster.services, door=door)
    return cluster.services


async def post(cluster: Cluster, path: str, body: Any = None, **options: Any) -> httpx.Response:
    options.setdefault("json", {} if body is None else body)
    async with cluster.client() as http:
        return await http.post(path, **options)


async def get(cluster: Cluster, path: str, **query: Any) -> httpx.Response:
    async with cluster.client() as http:
        return await http.get(path, params=query)


# ---------------------------------------------------------------------- sending


async def test_a_command_is_sent_and_told_as_an_action(cluster: Cluster) -> None:
    cluster.desk.coming = [WorkerResult(WORKER, True, "ok", answers=1, value={"n": [1]})]
    answer = await post(
        cluster, CONTROL + "pool_grow", {"arguments": {"n": 2}, "workers": [WORKER]}
    )
    assert answer.status_code == 202
    told = msgspec.json.decode(answer.content, type=control.ActionReport)
    assert (told.command, told.title, told.arguments) == ("pool_grow", "Grow the pool", {"n": 2})
    assert (told.workers[0].hostname, told.workers[0].value) == (WORKER, {"n": [1]})
    assert cluster.desk.sent[0]["workers"] == [WORKER]


async def test_the_typed_name_reaches_the_desk(cluster: Cluster) -> None:
    await post(cluster, CONTROL + "cancel_consumer", {"arguments": {"queue": "q"}, "confirm": "q"})
    assert cluster.desk.sent[0]["confirm"] == "q"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (NotFound("worker", "x"), 404, "not_found"),
        (BadArgument("n", "'n' is too big."), 400, "bad_argument"),
        (NotPossible("No result backend."), 409, "not_possible"),
        (Unavailable("20 commands are on their way."), 503, "unavailable"),
    ],
)
async def test_what_the_desk_refuses_is_told(
    cluster: Cluster, fault: CeleryscopeError, status: int, code: str
) -> None:
    cluster.desk.fault = fault
    answer = await post(cluster, CONTROL + "ping")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"] == str(fault)


@pytest.mark.parametrize(
    ("options", "status", "code", "parameter"),
    [
        ({"json": {"arguments": []}}, 400, "bad_argument", "arguments"),
        ({"json": {"worker": "x"}}, 400, "bad_argument", "worker"),
        ({"json": {"workers": [1]}}, 400, "bad_argument", "workers"),
        ({"json": {"arguments": {"no": 1}}}, 400, "bad_argument", "no"),
        ({"json": [], "params": {}}, 400, "bad_argument", None),
        ({"json": {}, "params": {"x": "1"}}, 400, "bad_argument", "x"),
        (
            {"content": b"{", "headers": {"content-type": "application/json"}},
            400, "bad_argument", None,
        ),
        (
            {"content": b"\xff" * 9, "headers": {"content-type": "application/json"}},
            400, "bad_argument", None,
        ),
        (
            {"content": b"[" * 99_999, "headers": {"content-type": "application/json"}},
            400, "bad_argument", None,
        ),
        ({"content": b"{}"}, 415, "unsupported_media_type", None),
        ({"data": {"arguments": "{}"}}, 415, "unsupported_media_type", None),
        ({"json": {"confirm": "x" * MAX_BODY_BYTES}}, 413, "too_large", None),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_used_is_refused_and_nothing_is_sent(
    cluster: Cluster, options: dict[str, Any], status: int, code: str, parameter: str | None
) -> None:
    answer = await post(cluster, CONTROL + "ping", **options)
    problem = answer.json()["error"]
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert problem["parameter"] == parameter
    assert cluster.desk.sent == []


async def test_a_body_without_a_length_is_bounded_too(cluster: Cluster) -> None:
    async def chunks() -> Any:
        for _ in range(MAX_BODY_BYTES // 1024 + 1):
            yield b" " * 1024

    headers = {"content-type": "application/json"}
    answer = await post(cluster, CONTROL + "ping", content=chunks(), headers=headers, json=None)
    assert answer.status_code == 413


async def test_a_command_that_is_not_there_is_not_found(cluster: Cluster) -> None:
    assert (await post(cluster, CONTROL + "destroy")).status_code == 404


# ---------------------------------------------------------------------- who may


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
@pytest.mark.parametrize("read_only", [False, True])
async def test_the_role_decides_for_every_command(
    cluster: Cluster, name: str, role: Role, read_only: bool
) -> None:
    may(cluster, role=role, read_only=read_only)
    command = COMMANDS[name]
    ranks = ["viewer", "operator", "admin"]
    allowed = ranks.index(role) >= ranks.index(command.role)
    allowed = allowed and (command.role == "viewer" or not read_only)
    listed = (await get(cluster, "/api/v1/commands")).json()
    assert {c["name"]: c["allowed"] for c in listed["commands"]}[name] is allowed
    assert (listed["role"], listed["read_only"]) == (role, read_only)
    answer = await post(cluster, CONTROL + name, {"arguments": dict(command.example)})
    assert (answer.status_code == 403) is not allowed
    assert bool(cluster.desk.sent) is allowed
    if not allowed:
        problem = answer.json()["error"]
        assert problem["code"] == "forbidden"
        assert ("read-only" if read_only else f"'{command.role}'") in problem["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/queues/high/messages", {}),
        (SELECTIONS, {"command": "revoke", "query": ""}),
        ("/api/v1/actions/action-1/stop", {}),
    ],
)
async def test_a_viewer_may_not_use_the_other_posts(
    cluster: Cluster, path: str, body: dict[str, Any]
) -> None:
    cluster.queues.put(QueueDepth("high", 1))
    await post(cluster, CONTROL + "enable_events")
    may(cluster, role="viewer")
    answer = await post(cluster, path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert (cluster.desk.stopped, cluster.messages.asked) == ([], [])


@pytest.mark.parametrize(
    ("origin", "host", "refused"),
    [
        (None, "localhost", False),  # a program
        ("http://localhost", "localhost", False),
        ("http://LOCALHOST:5555", "localhost:5555", False),
        ("https://scope.example", "inside:5555", False),  # external_url
        ("http://localhost:8000", "localhost:5555", True),
        ("http://evil.example", "localhost:5555", True),
        ("null", "localhost:5555", True),
        ("", "localhost:5555", True),
        ("http://[", "localhost", True),
    ],
)
@pytest.mark.parametrize("path", [CONTROL + "ping", "/api/task/revoke/x"])
async def test_only_our_own_pages_may_change_something(
    cluster: Cluster, path: str, origin: str | None, host: str, refused: bool
) -> None:
    headers = {"host": host, **({} if origin is None else {"origin": origin})}
    async with cluster.client(external_url="https://Scope.example/celery") as http:
        answer = await http.post(path, json={}, headers=headers)
    assert (answer.status_code == 403) is refused, answer.text
    assert bool(cluster.desk.sent) is (path.startswith(CONTROL) and not refused) or not refused


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_allowed(cluster: Cluster, path: str, method: str) -> None:
    async with cluster.client() as http:
        answer = await http.request(method, "/api/v1" + re.sub(r"{.*?}", "x", path), json={})
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


# ---------------------------------------------------------------------- the record


async def test_each_command_leaves_a_line_that_says_who_what_and_whom(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "celeryscope.audit")
    cluster.state.mask = lambda text: text.replace("hunter2", "***")
    body = {"arguments": {"headers": {"key": "v"}}, "workers": [WORKER]}
    await post(cluster, CONTROL + "revoke_by_stamped_headers", body)
    (line,) = caplog.messages
    entry = json.loads(line)
    assert entry["by"]["address"] == "127.0.0.1"
    assert (entry["what"], entry["whom"]["workers"]) == ("revoke_by_stamped_headers", [WORKER])
    assert entry["arguments"] == {"headers": {"key": "v"}}


async def test_what_is_masked_in_events_is_masked_in_actions(cluster: Cluster) -> None:
    cluster.state.mask = lambda text: text.replace("hunter2", "***")
    cluster.desk.report = {
        "arguments": {"task_name": "a", "args": ["hunter2"], "kwargs": {"key": "is hunter2"}},
        "items": (ItemResult("id", "ok", "It gave hunter2.", value={"x": ["hunter2"]}),),
    }
    answer = await post(cluster, CONTROL + "ping")
    assert "hunter2" not in answer.text
    assert answer.json()["items"][0]["value"] == {"x": ["***"]}
    assert "hunter2" not in (await get(cluster, "/api/v1/actions")).text


async def test_where_arguments_are_not_kept_actions_do_not_show_them(cluster: Cluster) -> None:
    cluster.state.keep_arguments = False
    cluster.desk.report = {
        "arguments": {"task_name": "a", "args": [4711], "kwargs": {"key": "hunter2"}},
        "items": (ItemResult("id", "ok", "It ended.", value={"x": [4711]}),),
    }
    answer = await post(cluster, CONTROL + "ping")
    assert answer.json()["arguments"] == {"task_name": "a", "args": "***", "kwargs": "***"}
    assert answer.json()["items"][0]["value"] == "***"
    assert answer.json()["items"][0]["said"] == "It ended."


# ---------------------------------------------------------------------- actions


async def test_an_action_is_told_at_once_or_when_it_changes(cluster: Cluster) -> None:
    await post(cluster, CONTROL + "ping")
    one = "/api/v1/actions/action-1"
    with anyio.fail_after(2):
        told = (await get(cluster, one, after=0, wait=20)).json()
    assert (told["sequence"], told["state"]) == (1, "waiting")
    async with anyio.create_task_group() as group:
        answers: list[dict[str, Any]] = []

        async def follow() -> None:
            answers.append((await get(cluster, one, after=1, wait=20)).json())

        group.start_soon(follow)
        await anyio.sleep(0.2)
        assert answers == []
        cluster.desk.kept["action-1"].tell(state="finished")
    assert (answers[0]["sequence"], answers[0]["state"]) == (2, "finished")


async def test_waiting_for_an_action_ends_with_the_time(cluster: Cluster) -> None:
    await post(cluster, CONTROL + "ping")
    told = (await get(cluster, "/api/v1/actions/action-1", after=1, wait=0.1)).json()
    assert told["sequence"] == 1
    assert (await get(cluster, "/api/v1/actions/action-1", wait=26)).status_code == 400
    assert (await get(cluster, "/api/v1/actions/nothing")).status_code == 404


async def test_an_action_can_be_stopped_once(cluster: Cluster) -> None:
    await post(cluster, CONTROL + "ping")
    told = await post(cluster, "/api/v1/actions/action-1/stop")
    assert (told.status_code, told.json()["state"]) == (202, "stopped")
    assert (await post(cluster, "/api/v1/actions/action-1/stop")).status_code == 409
    assert (await post(cluster, "/api/v1/actions/no/stop")).status_code == 404


async def test_the_newest_action_comes_first_in_the_list(cluster: Cluster) -> None:
    await post(cluster, CONTROL + "ping")
    await post(cluster, CONTROL + "stats")
    listed = (await get(cluster, "/api/v1/actions")).json()["actions"]
    assert [action["command"] for action in listed] == ["stats", "ping"]


async def test_answers_that_together_are_too_big_are_left_out_and_said_so(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_VALUES_BYTES", 1000)
    cluster.desk.coming = [
        WorkerResult(name, True, "ok", value="x" * 600) for name in ("a@1", "b@1")
    ]
    first, second = (await post(cluster, CONTROL + "ping")).json()["workers"]
    assert (first["value"], first["value_dropped"]) == ("x" * 600, False)
    assert (second["value"], second["value_dropped"]) == (None, True)


@pytest.mark.parametrize("value", [10**400, {"a": 10**30}, "\ud800", {1: {2, 3}}, b"\xff", object])
async def test_a_value_that_json_has_no_room_for_is_told_in_words(
    cluster: Cluster, value: Any
) -> None:
    cluster.desk.report = {"items": (ItemResult("id", "ok", value=value),)}
    answer = await post(cluster, CONTROL + "ping")
    assert answer.status_code == 202
    assert answer.json()["items"][0]["value"]


async def test_a_long_list_of_ids_is_cut_for_people(cluster: Cluster) -> None:
    ids = [str(number) for number in range(1000)]
    told = (await post(cluster, CONTROL + "revoke", {"arguments": {"ids": ids}})).json()
    assert told["arguments"]["ids"] == [*ids[:100], "… and 900 more"]
    assert cluster.desk.sent[0]["arguments"]["ids"] == ids


# ---------------------------------------------------------------------- selections


async def select(cluster: Cluster, command: str, query: str = "") -> control.Selection:
    answer = await post(cluster, SELECTIONS, {"command": command, "query": query})
    assert answer.status_code == 201, answer.text
    return msgspec.json.decode(answer.content, type=control.Selection)


@pytest.mark.parametrize(
    ("command", "touched", "reason"),
    [
        ("revoke", ["waits"], "They are finished already."),
        ("terminate", ["waits"], "They are finished already."),
    ],
)
async def test_a_selection_leaves_out_what_the_command_would_not_touch(
    cluster: Cluster, command: str, touched: list[str], reason: str
) -> None:
    cluster.feed([*life("done", name="a"), *life("waits", 1, state="PENDING", name="b")])
    told = await select(cluster, command)
    assert (told.matching, told.count, told.sample) == (2, 1, touched)
    assert told.left_out == [control.LeftOut(reason=reason, count=1)]
    assert told.names == [control.SelectedName(name="b", count=1)]
    assert told.expires_at == NOW + KEPT_SECONDS


async def test_exactly_the_selected_tasks_are_touched_whatever_matches_later(
    cluster: Cluster,
) -> None:
    cluster.feed(life("a", state="PENDING"))
    chosen = await select(cluster, "revoke", "name:shop.pay")
    cluster.feed(life("b", state="PENDING"))
    answer = await post(cluster, CONTROL + "revoke", {"selection": chosen.id})
    assert answer.status_code == 202
    sent = cluster.desk.sent[0]
    assert (sent["arguments"], sent["max_ids"]) == ({"ids": ["a"]}, 1)


async def test_a_selection_that_expired_or_is_of_another_command_says_to_select_again(
    cluster: Cluster,
) -> None:
    cluster.feed(life("a", state="PENDING"))
    chosen = await select(cluster, "revoke")
    for command, later in (("terminate", 0), ("revoke", KEPT_SECONDS + 1)):
        cluster.now = NOW + later
        answer = await post(cluster, CONTROL + command, {"selection": chosen.id})
        assert answer.status_code == 404
        assert "Select the tasks again." in answer.json()["error"]["message"]
    assert cluster.desk.sent == []


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"command": "ping", "query": ""}, "command"),
        ({"command": "revoke", "query": "name:("}, "query"),
        ({"command": "revoke", "query": "x" * 3000}, "query"),
        ({"query": ""}, "command"),
    ],
)
async def test_a_selection_that_cannot_be_made_says_why(
    cluster: Cluster, body: dict[str, Any], parameter: str
) -> None:
    answer = await post(cluster, SELECTIONS, body)
    assert (answer.status_code, answer.json()["error"]["parameter"]) == (400, parameter)


async def test_ids_and_a_selection_do_not_go_together(cluster: Cluster) -> None:
    body = {"arguments": {"ids": ["a"]}, "selection": "x"}
    answer = await post(cluster, CONTROL + "revoke", body)
    assert (answer.status_code, answer.json()["error"]["parameter"]) == (400, "selection")


async def test_an_empty_selection_is_refused_when_it_is_sent(cluster: Cluster) -> None:
    chosen = await select(cluster, "revoke")
    answer = await post(cluster, CONTROL + "revoke", {"selection": chosen.id})
    assert (answer.status_code, answer.json()["error"]["parameter"]) == (400, "selection")


def test_the_oldest_selection_makes_room() -> None:
    kept = Selections(max_all_ids=5)
    first = kept.keep("revoke", ["a", "b", "c"], now=0)
    second = kept.keep("revoke", ["a", "b", "c"], now=0)
    assert kept.get(second.id, "revoke", now=1).ids == ("a", "b", "c")
    with pytest.raises(NotFound):
        kept.get(first.id, "revoke", now=1)
    for _ in range(MAX_KEPT):
        kept.keep("revoke", [], now=0)
    with pytest.raises(NotFound):
        kept.get(second.id, "revoke", now=1)


# ---------------------------------------------------------------------- messages


async def test_only_a_post_may_take_messages_out_and_put_them_back(cluster: Cluster) -> None:
    cluster.queues.put(QueueDepth("a/b", 1))
    cluster.messages.waiting["a/b"] = [Message(position=0, size_bytes=1)]
    path = "/api/v1/queues/a%2Fb/messages"
    assert (await get(cluster, path)).status_code == 200
    assert (await get(cluster, path, put_back=1)).status_code == 400
    told = await post(cluster, path, {"offset": 0, "limit": 5})
    assert (told.status_code, len(told.json()["messages"])) == (200, 1)
    assert cluster.messages.asked == [("a/b", 0, 20, False), ("a/b", 0, 5, True)]
    assert (await post(cluster, path, {"limit": 101})).status_code == 400
