"""Flower's write API and its pages' questions: statuses, texts, and what is asked of the desk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from celeryscope.control.action import ItemResult, WorkerResult
from celeryscope.control.results import Result
from celeryscope.errors import Crowded, NotFound, Unavailable
from celeryscope.web.api import flower_control
from celeryscope.web.auth.door import Door
from celeryscope.web.auth.policy import RULES
from celeryscope.web.body import MAX_BODY_BYTES
from tests.unit.web.standins import WORKER, Cluster, Inspection, heartbeat, life

pytestmark = pytest.mark.anyio

JSON = "application/json; charset=UTF-8"
PLAIN = "text/plain; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
TASK = "shop.pay"


def ready(**changes: Any) -> Cluster:
    """A cluster with one worker, which knows `shop.mail`, and one task seen."""
    cluster = Cluster()
    cluster.feed([heartbeat(), *life("a", name=TASK)])
    cluster.inspector.latest[WORKER] = Inspection(
        WORKER, 1.0, registered=["shop.mail [rate_limit=1/m]"]
    )
    for name, value in changes.items():
        object.__setattr__(cluster.services, name, value)
    return cluster


async def ask(cluster: Cluster, method: str, path: str, **more: Any) -> tuple[int, str, Any]:
    async with cluster.client() as http:
        answer = await http.request(method, path, **more)
    kind = answer.headers["content-type"]
    return answer.status_code, kind, answer.json() if kind == JSON else answer.text


def says(value: Any = "as told", error: str = "") -> WorkerResult:
    return WorkerResult(
        WORKER, True, "refused" if error else "ok", answers=1, value=value, error=error
    )


W = WORKER
#: request, what the desk gets, the message.
WORKERS_SAID_YES = [
    (f"/api/worker/pool/restart/{W}", "pool_restart", {"reload": False},
     f"Restarting '{W}' worker's pool"),
    (f"/api/worker/pool/grow/{W}?n=3", "pool_grow", {"n": 3},
     f"Growing '{W}' worker's pool by 3"),
    (f"/api/worker/pool/grow/{W}", "pool_grow", {"n": 1}, f"Growing '{W}' worker's pool by 1"),
    (f"/api/worker/pool/shrink/{W}?n=2", "pool_shrink", {"n": 2},
     f"Shrinking '{W}' worker's pool by 2"),
    (f"/api/worker/pool/autoscale/{W}?min=1&max=4", "autoscale", {"min": 1, "max": 4},
     f"Autoscaling '{W}' worker (min=1, max=4)"),
    (f"/api/worker/queue/add-consumer/{W}?queue=a%26b", "add_consumer", {"queue": "a&b"},
     "as told"),
    (f"/api/worker/queue/cancel-consumer/{W}?queue=q", "cancel_consumer", {"queue": "q"},
     "as told"),
    (f"/api/task/timeout/{TASK}?workername={W}&soft=3&hard=5.5", "time_limit",
     {"task_name": TASK, "soft": 3.0, "hard": 5.5}, "as told"),
    (f"/api/task/timeout/shop.mail?workername={W}", "time_limit",
     {"task_name": "shop.mail", "soft": None, "hard": None}, "as told"),
    (f"/api/task/rate-limit/{TASK}?workername={W}&ratelimit=7/m", "rate_limit",
     {"task_name": TASK, "rate_limit": "7/m"}, "as told"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "command", "arguments", "message"), WORKERS_SAID_YES)
async def test_a_worker_that_says_yes(
    path: str, command: str, arguments: dict[str, Any], message: str
) -> None:
    cluster = ready()
    cluster.desk.coming = [says()]
    assert await ask(cluster, "POST", path) == (200, JSON, {"message": message})
    (sent,) = cluster.desk.sent
    assert (sent["command"], sent["arguments"], sent["workers"]) == (command, arguments, [W])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"/api/worker/pool/restart/{W}", f"Failed to restart the '{W}' pool: no <b>"),
        (f"/api/worker/pool/grow/{W}", f"Failed to grow '{W}' worker's pool: no <b>"),
        (f"/api/worker/pool/shrink/{W}", f"Failed to shrink '{W}' worker's pool: no <b>"),
        (f"/api/worker/pool/autoscale/{W}?min=1&max=2",
         f"Failed to autoscale '{W}' worker: no <b>"),
        (f"/api/worker/queue/add-consumer/{W}?queue=q",
         f"Failed to add 'q' consumer to '{W}' worker: no <b>"),
        (f"/api/worker/queue/cancel-consumer/{W}?queue=q",
         f"Failed to cancel 'q' consumer from '{W}' worker: no <b>"),
        (f"/api/task/timeout/{TASK}?workername={W}", "Failed to set timeouts: 'no <b>'"),
        (f"/api/task/rate-limit/{TASK}?workername={W}&ratelimit=1",
         "Failed to set rate limit: 'no <b>'"),
    ],
)  # fmt: skip
async def test_a_worker_that_refuses_is_a_403_and_its_words_are_no_html(
    path: str, text: str
) -> None:
    cluster = ready()
    cluster.desk.coming = [says(error="no <b>")]
    escaped = text.replace("<", "&lt;").replace(">", "&gt;")
    assert await ask(cluster, "POST", path) == (403, HTML, escaped)


async def test_a_worker_that_does_not_answer_is_a_403() -> None:
    cluster = ready()
    cluster.desk.coming = [WorkerResult(WORKER, True, "silent")]
    told = await ask(cluster, "POST", f"/api/worker/pool/grow/{W}")
    assert told == (403, HTML, f"Failed to grow '{W}' worker's pool: no answer in 5 s")


async def test_a_command_that_could_not_be_sent_is_a_503() -> None:
    cluster = ready()
    cluster.desk.report = {"state": "failed", "sent": "no", "error": "It was not sent."}
    for path in (
        f"/api/worker/pool/grow/{W}", f"/api/worker/shutdown/{W}", "/api/task/revoke/a",
    ):  # fmt: skip
        assert await ask(cluster, "POST", path) == (503, PLAIN, "It was not sent.")


@pytest.mark.parametrize(
    ("path", "command", "arguments", "workers", "message"),
    [
        (f"/api/worker/shutdown/{W}", "shutdown", {}, [W], "Shutting down!"),
        ("/api/task/revoke/a", "revoke", {"ids": ["a"]}, None, "Revoked 'a'"),
        ("/api/task/revoke/a?signal=SIGKILL", "revoke", {"ids": ["a"]}, None, "Revoked 'a'"),
        ("/api/task/revoke/a?terminate=true", "terminate",
         {"ids": ["a"], "signal": "SIGTERM"}, None, "Revoked 'a'"),
        ("/api/task/revoke/a?terminate=1&signal=SIGKILL", "terminate",
         {"ids": ["a"], "signal": "SIGKILL"}, None, "Revoked 'a'"),
    ],
)  # fmt: skip
async def test_what_is_only_sent_is_not_waited_for(
    path: str, command: str, arguments: dict[str, Any], workers: list[str] | None, message: str
) -> None:
    cluster = ready()  # the action stays on its way
    assert await ask(cluster, "POST", path) == (200, JSON, {"message": message})
    (sent,) = cluster.desk.sent
    told = (sent["command"], sent["arguments"], sent["workers"])
    assert told == (command, arguments, workers)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/api/worker/shutdown/no@x", 404, "Unknown worker 'no@x'"),
        ("/api/worker/pool/grow/no@x?n=x", 404, "Unknown worker 'no@x'"),
        ("/api/worker/queue/add-consumer/no@x", 404, "Unknown worker 'no@x'"),
        (f"/api/worker/pool/grow/{W}?n=x", 400, "Invalid argument 'x' of type 'int'"),
        (f"/api/worker/pool/grow/{W}?n=", 400, "Invalid argument '' of type 'int'"),
        (f"/api/worker/pool/grow/{W}?n=0", 400, None),
        (f"/api/worker/pool/autoscale/{W}?min=1", 400, "Missing argument max"),
        (f"/api/worker/pool/autoscale/{W}?min=&max=1", 400, "Missing argument min"),
        (f"/api/worker/pool/autoscale/{W}?min=3&max=1", 400, None),
        (f"/api/worker/queue/add-consumer/{W}", 400, "Missing argument queue"),
        (f"/api/worker/queue/cancel-consumer/{W}?queue=+", 400, "Missing argument queue"),
        (f"/api/task/timeout/{TASK}", 400, "Missing argument workername"),
        (f"/api/task/timeout/{TASK}?workername={W}&soft=x", 400,
         "Invalid argument 'x' of type 'float'"),
        (f"/api/task/timeout/{TASK}?workername={W}&soft=-1", 400, None),
        (f"/api/task/timeout/no.such?workername={W}&soft=3", 404, "Unknown task 'no.such'"),
        (f"/api/task/timeout/{TASK}?workername=no%40x", 404, "Unknown worker 'no@x'"),
        (f"/api/task/rate-limit/{TASK}?workername={W}", 400, "Missing argument ratelimit"),
        (f"/api/task/rate-limit/no.such?workername={W}&ratelimit=1", 404,
         "Unknown task 'no.such'"),
        (f"/api/task/rate-limit/{TASK}?workername={W}&ratelimit=often", 400, None),
        ("/api/task/revoke/a?terminate=maybe", 400, "Invalid argument 'maybe' of type 'bool'"),
        ("/api/task/revoke/a?terminate=1&signal=SIGSTOP", 400, None),
        ("/api/task/revoke/", 404, None),
        ("/api/task/apply/", 404, None),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_told_before_anything_is_sent(
    path: str, status: int, text: str | None
) -> None:
    cluster = ready()
    told = await ask(cluster, "POST", path)
    assert told[:2] == (status, PLAIN)
    assert text in (None, told[2])
    assert cluster.desk.sent == []


async def test_a_signal_that_is_left_empty_is_the_usual_one() -> None:
    cluster = ready()
    assert (await ask(cluster, "POST", "/api/task/revoke/a?terminate=1&signal="))[0] == 200
    assert cluster.desk.sent[0]["arguments"]["signal"] == "SIGTERM"


async def test_many_in_a_row_wait_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = ready()
    send, busy = cluster.desk.send, [True, True]

    def sometimes(*given: Any, **more: Any) -> Any:
        if busy and busy.pop():
            raise Crowded("100 commands are on their way already.")
        return send(*given, **more)

    monkeypatch.setattr(cluster.desk, "send", sometimes)
    assert (await ask(cluster, "POST", "/api/task/revoke/a"))[0] == 200
    monkeypatch.setattr(flower_control, "_ROOM_SECONDS", 0.0)
    busy += [True]
    assert (await ask(cluster, "POST", "/api/task/revoke/a"))[0] == 503


async def test_limits_of_a_task_of_celerys_own_are_set() -> None:
    cluster = ready()
    cluster.desk.coming = [says()]
    path = f"/api/task/timeout/celery.chord?workername={W}&soft=3"
    assert (await ask(cluster, "POST", path))[0] == 200


async def test_arguments_come_from_forms_too_and_the_last_counts() -> None:
    cluster = ready()
    cluster.desk.coming = [says()]
    path = f"/api/worker/queue/add-consumer/{W}"
    await ask(cluster, "POST", path, data={"queue": " in form "})
    await ask(cluster, "POST", path + "?queue=first", data={"queue": "last"})
    await ask(cluster, "POST", path, files={"queue": (None, "in-part-ü")})
    given = [sent["arguments"]["queue"] for sent in cluster.desk.sent]
    assert given == ["in form", "last", "in-part-ü"]


async def test_a_form_of_bad_bytes_is_a_400() -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"/api/worker/queue/add-consumer/{W}"
    told = await ask(ready(), "POST", path, content=b"queue=\xff", headers=headers)
    assert told[:2] == (400, PLAIN)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"queue=x"),
        ("multipart/form-data; boundary=", b"--\r\n\r\nx"),
        ("multipart/form-data; boundary=a", b""),
        ("multipart/form-data; boundary=a", b"--b\r\n\r\nx"),
        ("multipart/form-data; boundary=a",
         (b'--a\r\nContent-Type: multipart/mixed; boundary=b\r\n'
         b'Content-Disposition: form-data; name="queue"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--a--')),
        ("multipart/form-data; boundary=a",
         b'--a\r\nContent-Transfer-Encoding: base64\r\n\r\n!\xff\r\n--a--'),
    ],
)  # fmt: skip
async def test_a_form_without_its_parts_has_no_arguments(kind: str, body: bytes) -> None:
    path = f"/api/worker/queue/add-consumer/{W}"
    told = await ask(ready(), "POST", path, content=body, headers={"Content-Type": kind})
    assert told == (400, PLAIN, "Missing argument queue")


async def test_a_form_that_is_nested_too_deeply_is_a_400() -> None:
    nested = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
        for n in range(4_000)
    )
    path, headers = "/api/task/revoke/a", {"Content-Type": "multipart/form-data; boundary=b0"}
    told = await ask(ready(), "POST", path, content=nested, headers=headers)
    assert told == (400, PLAIN, "The form in the body is nested too deeply.")


async def test_a_large_body_is_refused() -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    assert (await ask(ready(), "POST", "/api/task/send-task/x", content=body))[0] == 413


WRITES = sorted(
    path for path in flower_control.ROUTES if any(rule.command for rule in RULES[path].values())
)


@pytest.mark.parametrize("path", WRITES)
async def test_a_write_is_refused_when_read_only(path: str) -> None:
    cluster = ready(door=Door(read_only=True))
    told = await ask(cluster, "POST", path.replace("{name:path}", "x"))
    assert told == (403, PLAIN, "Read only mode is enabled")
    assert cluster.desk.sent == []


@pytest.mark.parametrize("path", WRITES)
async def test_a_write_is_refused_to_a_viewer_who_learns_nothing(path: str) -> None:
    cluster = ready(door=Door(anonymous="viewer"))
    status, kind, text = await ask(cluster, "POST", path.replace("{name:path}", "x"))
    assert (status, kind) == (403, PLAIN)
    assert "needs the role" in text


async def test_each_command_needs_its_own_role() -> None:
    cluster = ready(door=Door(anonymous="operator"))
    assert (await ask(cluster, "POST", f"/api/worker/shutdown/{W}"))[0] == 403
    assert (await ask(cluster, "POST", "/api/task/revoke/a"))[0] == 200


def sent_item(task_id: str = "t1") -> tuple[ItemResult, ...]:
    return (ItemResult("x", "ok", "It was sent.", task_id=task_id),)


async def test_apply_answers_with_the_result() -> None:
    cluster = ready()
    cluster.desk.report = {"items": sent_item()}
    cluster.results.known["t1"] = Result(task_id="t1", state="SUCCESS", ready=True, value=5)
    told = await ask(cluster, "POST", f"/api/task/apply/{TASK}", json={"args": [2, 3]})
    assert told == (200, JSON, {"task-id": "t1", "result": 5, "state": "SUCCESS"})
    (sent,) = cluster.desk.sent
    assert sent["arguments"] == {"args": [2, 3], "kwargs": {}, "task_name": TASK}


async def test_apply_tells_a_failure_with_its_traceback() -> None:
    cluster = ready()
    cluster.desk.report = {"items": sent_item()}
    cluster.results.known["t1"] = Result(
        task_id="t1", state="FAILURE", ready=True, value="ValueError: no", traceback="Traceback"
    )
    assert (await ask(cluster, "POST", f"/api/task/apply/{TASK}"))[2] == {
        "task-id": "t1", "result": "ValueError: no", "traceback": "Traceback", "state": "FAILURE",
    }  # fmt: skip


async def test_apply_stops_waiting_when_its_time_is_up() -> None:
    cluster = ready()
    cluster.desk.report = {"items": sent_item()}
    body = {"timeout": 0.1}
    told = await ask(cluster, "POST", f"/api/task/apply/{TASK}", json=body)
    assert told == (200, JSON, {"task-id": "t1", "state": "PENDING"})
    assert len(cluster.results.asked) > 1


@pytest.mark.parametrize("route", ["async-apply", "send-task"])
async def test_a_task_that_was_sent(route: str) -> None:
    cluster = ready()
    cluster.desk.report = {"items": sent_item()}
    body = {"args": [1], "kwargs": {"a": 2}, "countdown": 4, "queue": "high"}
    told = await ask(cluster, "POST", f"/api/task/{route}/{TASK}", json=body)
    assert told == (200, JSON, {"task-id": "t1", "state": "PENDING"})
    (sent,) = cluster.desk.sent
    assert sent["command"] == route.replace("-", "_")
    assert sent["arguments"] == {**body, "task_name": TASK}


async def test_without_a_result_backend_there_is_no_state() -> None:
    cluster = ready()
    cluster.results.configured = False
    cluster.desk.report = {"items": sent_item()}
    told = await ask(cluster, "POST", f"/api/task/async-apply/{TASK}")
    assert told == (200, JSON, {"task-id": "t1"})


async def test_times_in_flowers_format_are_utc() -> None:
    cluster = ready()
    cluster.desk.report = {"items": sent_item()}
    body = {"eta": "2026-11-23 12:00:00.5", "expires": "2026-11-24 00:00:00.0"}
    await ask(cluster, "POST", f"/api/task/async-apply/{TASK}", json=body)
    given = cluster.desk.sent[0]["arguments"]
    assert (given["eta"], given["expires"]) == (1795435200.5, 1795478400.0)


@pytest.mark.parametrize(
    ("route", "body", "text"),
    [
        ("async-apply", '"x"', "invalid options"),
        ("async-apply", "{", None),
        ("async-apply", "[" * 100_000, None),
        ("async-apply", b"\xff", None),
        ("async-apply", '{"args": "x"}', "args must be an array"),
        ("async-apply", '{"kwargs": [1]}', None),
        ("async-apply", '{"countdown": "soon"}', "Invalid option"),
        ("async-apply", '{"countdown": NaN}', "Invalid option"),
        ("async-apply", '{"eta": 5}', "Invalid option"),
        ("async-apply", '{"expires": "soon"}', "Invalid option"),
        ("async-apply", '{"link": "x"}', None),
        ("async-apply", '{"task_name": "other"}', None),
        ("apply", '{"timeout": "long"}', "Invalid timeout"),
        ("apply", '{"timeout": Infinity}', "Invalid timeout"),
        ("send-task", '{"args": 5}', "args must be an array"),
    ],
)
async def test_a_body_that_cannot_be_used_is_a_400(
    route: str, body: str | bytes, text: str | None
) -> None:
    cluster = ready()
    told = await ask(cluster, "POST", f"/api/task/{route}/{TASK}", content=body)
    assert told[:2] == (400, PLAIN), told
    assert text in (None, told[2])
    assert cluster.desk.sent == []


async def test_a_task_that_nobody_knows_is_a_404() -> None:
    cluster = ready()
    cluster.desk.fault = NotFound("task", "no.such")
    for route in ("apply", "async-apply"):
        told = await ask(cluster, "POST", f"/api/task/{route}/no.such")
        assert told == (404, PLAIN, "Unknown task 'no.such'")


async def test_a_task_that_the_app_refuses_is_a_400() -> None:
    cluster = ready()
    refused = ItemResult("x", "refused", "TypeError: add() missing 1 argument")
    cluster.desk.report = {"items": (refused,), "state": "finished"}
    told = await ask(cluster, "POST", f"/api/task/async-apply/{TASK}")
    assert told == (400, PLAIN, "TypeError: add() missing 1 argument")


async def test_a_broker_that_is_gone_is_a_503() -> None:
    cluster = ready()
    cluster.desk.report = {"state": "failed", "error": "The broker went away."}
    for route in ("apply", "async-apply", "send-task"):
        told = await ask(cluster, "POST", f"/api/task/{route}/{TASK}")
        assert told == (503, PLAIN, "The broker went away.")


@pytest.mark.parametrize(
    ("query", "result", "expected"),
    [
        ("", Result(task_id="t", state="SUCCESS", ready=True, value={"a": 1}),
         {"task-id": "t", "state": "SUCCESS", "result": {"a": 1}}),
        ("?timeout=0.05", Result(task_id="t", state="STARTED", ready=False, value={"pid": 1}),
         {"task-id": "t", "state": "STARTED"}),
        ("?timeout=0", Result(task_id="t", state="FAILURE", ready=True, value="E: x"),
         {"task-id": "t", "state": "FAILURE", "result": "E: x", "traceback": None}),
        ("", Result(task_id="t", state="UNKNOWN", ready=True, problem="It is pickled."),
         {"task-id": "t", "state": "UNKNOWN", "result": None, "problem": "It is pickled."}),
    ],
)  # fmt: skip
async def test_a_result(query: str, result: Result, expected: dict[str, Any]) -> None:
    cluster = ready()
    cluster.results.known["t"] = result
    told = await ask(cluster, "GET", f"/api/task/result/t{query}")
    assert told == (200, JSON, expected)
    assert list(told[2]) == list(expected)


@pytest.mark.parametrize("given", ["x", "nan", "inf", ""])
async def test_a_bad_timeout_is_a_400(given: str) -> None:
    told = await ask(ready(), "GET", f"/api/task/result/t?timeout={given}")
    assert told == (400, PLAIN, f"Invalid argument '{given}' of type 'float'")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/task/result/a"),
        ("POST", "/api/task/abort/a"),
        ("POST", f"/api/task/apply/{TASK}"),
    ],
)
async def test_without_a_result_backend_it_is_a_503(method: str, path: str) -> None:
    cluster = ready()
    cluster.results.configured = False
    assert (await ask(cluster, method, path))[:2] == (503, PLAIN)
    assert cluster.desk.sent == []


async def test_a_result_backend_that_is_gone_is_a_503() -> None:
    cluster = ready()
    cluster.results.fault = Unavailable("The result backend cannot be reached.")
    assert (await ask(cluster, "GET", "/api/task/result/a"))[0] == 503


async def test_abort() -> None:
    cluster = ready()
    cluster.desk.report = {"items": (ItemResult("a", "ok"),), "state": "finished"}
    told = await ask(cluster, "POST", "/api/task/abort/a")
    assert told == (200, JSON, {"message": "Aborted 'a'"})
    refused = ItemResult("a", "refused", "It is finished: SUCCESS.")
    cluster.desk.report = {"items": (refused,), "state": "finished"}
    told = await ask(cluster, "POST", "/api/task/abort/a")
    assert told == (403, HTML, "Failed to abort 'a': It is finished: SUCCESS.")


# ---------------------------------------------------------------------- pages


def table(**more: Any) -> dict[str, Any]:
    return {
        "draw": 7, "start": 0, "length": 10, "search[value]": "", "order[0][column]": 1,
        "order[0][dir]": "asc", "columns[1][data]": "name", **more,
    }  # fmt: skip


def several() -> Cluster:
    cluster = Cluster()
    for at, (uuid, name, state) in enumerate(
        [("a", "shop.pay", "SUCCESS"), ("b", "mail.send", "FAILURE"), ("c", "shop.buy", "STARTED")]
    ):
        cluster.feed(life(uuid, at, name=name, state=state))
    return cluster


@pytest.mark.parametrize(
    ("more", "uuids", "filtered"),
    [
        ({}, "bca", 3),
        ({"order[0][dir]": "desc"}, "acb", 3),
        ({"start": 1, "length": 1}, "c", 3),
        ({"length": 0}, "", 3),
        ({"length": -1}, "", 3),
        ({"start": -5}, "bca", 3),
        ({"columns[1][data]": "received"}, "abc", 3),
        ({"columns[1][data]": ""}, "cba", 3),
        ({"columns[1][data]": "runtime", "order[0][dir]": "desc"}, "acb", 3),
        ({"columns[1][data]": "__class__"}, "abc", 3),
        ({"search[value]": "shop"}, "ca", 2),
        ({"search[value]": "nowhere"}, "", 0),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_datatables_get_a_page_of_tasks(
    method: str, more: dict[str, Any], uuids: str, filtered: int
) -> None:
    given = {"params": table(**more)} if method == "GET" else {"data": table(**more)}
    status, kind, told = await ask(several(), method, "/tasks/datatable", **given)
    assert (status, kind) == (200, JSON)
    assert list(told) == ["draw", "data", "recordsTotal", "recordsFiltered"]
    assert (told["draw"], told["recordsTotal"], told["recordsFiltered"]) == (7, 3, filtered)
    assert "".join(task["uuid"] for task in told["data"]) == uuids


async def test_a_search_that_datatables_cannot_use_is_told_in_the_page() -> None:
    params = table(**{"search[value]": "(open"})
    status, _, told = await ask(several(), "GET", "/tasks/datatable", params=params)
    assert status == 200
    assert (told["data"], told["recordsTotal"], told["recordsFiltered"]) == ([], 3, 0)
    assert told["searchError"]


@pytest.mark.parametrize("name", ["draw", "start", "length", "order[0][column]"])
async def test_what_datatables_must_give(name: str) -> None:
    cluster = several()
    params = table()
    del params[name]
    told = await ask(cluster, "GET", "/tasks/datatable", params=params)
    assert told == (400, "text/plain", f"Missing argument {name}")
    told = await ask(cluster, "GET", "/tasks/datatable", params=table(**{name: "x"}))
    assert told == (400, "text/plain", "Invalid argument 'x' of type 'int'")


async def test_the_workers_as_flowers_page_asks_for_them() -> None:
    cluster = ready()
    status, kind, told = await ask(cluster, "GET", "/workers?json=1&refresh=1")
    assert (status, kind, list(told)) == (200, JSON, ["data"])
    (worker,) = told["data"]
    assert worker["worker-heartbeat"] == 1
    assert (worker["hostname"], worker["sw_ident"], worker["status"]) == (W, "py-celery", True)
    assert cluster.inspector.asked == [None]
    assert await ask(cluster, "GET", "/workers?json=2") == (
        400, "text/plain", "Invalid argument '2' of type 'bool'",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "to"),
    [("/broker", "/queues"), ("/login", "/"), ("/login/", "/"), ("/logout", "/")],  # no login here
)
async def test_pages_that_are_elsewhere_here(path: str, to: str) -> None:
    async with Cluster().client(url_prefix="/flower") as http:
        answer = await http.get("/flower" + path)
    assert answer.status_code == (302 if path == "/broker" else 303)
    assert answer.headers["location"] == "/flower" + to


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("GET", path.replace("{name:path}", "x")) for path in WRITES],
        ("POST", "/api/task/result/x"), ("POST", "/api/workers"), ("DELETE", "/api/tasks"),
    ],
)  # fmt: skip
async def test_another_method_is_a_405(method: str, path: str) -> None:
    assert (await ask(ready(), method, path))[0] == 405


async def test_a_page_of_another_site_may_not_write() -> None:
    cluster = ready()
    headers = {"Origin": "https://elsewhere.example"}
    assert (await ask(cluster, "POST", "/api/task/revoke/a", headers=headers))[0] == 403
    assert cluster.desk.sent == []


# ---------------------------------------------------------------------- recorded answers

#: Recorded request → what our stand-ins answer to make it; None: it differs on purpose, see
#: tests/contract/differences.py, and then the status is ours.
GOLDEN: dict[str, tuple[dict[str, Any], int | None]] = {
    "abort": ({"items": (ItemResult("x", "ok"),), "state": "finished"}, None),
    "add_consumer": ({"said": "add consumer extra"}, None),
    "add_consumer_missing": ({}, None),
    "apply": ({"sent": "79900980-90fe-43cd-bf34-97cf35f6d952", "result": 5}, None),
    "apply_unknown": ({"fault": NotFound("task", "no.such")}, None),
    "async_apply": ({"sent": "6a720eb0-b111-4279-96aa-62cb60d15a0b"}, None),
    "async_apply_badargs": ({}, None),
    "async_apply_badjson": ({}, None),
    "async_apply_options": ({"sent": "8dba4055-664e-4c86-b4ba-39684813762c"}, None),
    "cancel_consumer": ({"said": "no longer consuming from extra"}, None),
    "fail": ({"refused": "TypeError: add() missing 1 argument"}, 400),
    "pool_autoscale": ({"error": "ValueError('Autoscale not enabled')"}, None),
    "pool_autoscale_missing": ({}, None),
    "pool_grow": ({"said": "pool will grow"}, None),
    "pool_grow_bad": ({}, None),
    "pool_grow_unknown": ({}, None),
    "pool_restart": ({"error": "ValueError('Pool restarts not enabled')"}, None),
    "pool_shrink": ({"said": "pool will shrink"}, None),
    "rate_limit": ({"said": "new rate limit set successfully"}, None),
    "rate_limit_bad": ({}, 400),
    "rate_limit_unknown": ({}, None),
    "result": ({"result": 5}, None),
    "result_pending": ({}, None),
    "revoke": ({}, None),
    "revoke_terminate": ({}, None),
    "send_task": ({"sent": "753bfaf2-3385-4514-9bcd-89a1cda5a329"}, None),
    "shutdown": ({}, None),
    "shutdown_unknown": ({}, None),
    "timeout": ({"said": "time limits set successfully"}, None),
    "timeout_unknown_worker": ({}, None),
}


def recorded(text: str) -> tuple[str, str, str, int, str, str]:
    """Take a recording apart: method, path, body; status, media type, body of the answer."""
    asked, _, told = text.partition("HTTP ")
    request, _, body = asked.strip().partition("\n")
    method, path = request.split(" ", 1)
    head, _, answer = told.partition("\n")
    status, kind = head.split(" ", 1)
    return method, path, body.strip(), int(status), kind, answer.rstrip("\n")


def replaying(answers: dict[str, Any], path: str) -> Cluster:
    cluster = ready()
    cluster.feed([heartbeat(hostname="w1@bar"), *life("n", 1, name="proj.nap")])
    desk, at = cluster.desk, path.partition("?")[0].rpartition("/")[2]
    desk.fault = answers.get("fault")
    if "said" in answers or "error" in answers:
        outcome: Literal["ok", "refused"] = "refused" if "error" in answers else "ok"
        desk.coming = [
            WorkerResult(
                "w1@bar", True, outcome, value=answers.get("said"), error=answers.get("error", "")
            )
        ]
    desk.report = {name: answers[name] for name in ("items", "state") if name in answers}
    if "sent" in answers:
        desk.report = {"items": sent_item(answers["sent"])}
    if "refused" in answers:
        refused = ItemResult("x", "refused", answers["refused"])
        desk.report = {"items": (refused,), "state": "finished"}
    if "result" in answers:
        ident = answers.get("sent", at)
        cluster.results.known[ident] = Result(
            task_id=ident, state="SUCCESS", ready=True, value=answers["result"]
        )
    return cluster


@pytest.mark.parametrize("name", GOLDEN)
async def test_it_answers_as_recorded(shared_reference: Path, name: str) -> None:
    text = (shared_reference / "golden-flower" / f"{name}.txt").read_text()
    method, path, body, status, kind, answer = recorded(text)
    answers, differs = GOLDEN[name]
    told = await ask(replaying(answers, path), method, path, content=body)
    if differs is not None:
        assert told[0] == differs
        return
    assert told[:2] == (status, kind)
    if kind == JSON:
        expected = json.loads(answer)
        assert (told[2], list(told[2])) == (expected, list(expected))
    else:
        assert told[2] == answer


async def test_every_recording_is_replayed(shared_reference: Path) -> None:
    """The others are of the read API and of `/metrics`."""
    writes = {
        path.stem
        for path in (shared_reference / "golden-flower").glob("*.txt")
        if path.read_text().startswith(("POST ", "GET /api/task/result/"))
    }
    assert writes == set(GOLDEN)


async def test_the_pages_answers_are_recorded_with_the_same_fields(shared_reference: Path) -> None:
    for name, cluster in (("datatable", several()), ("workers_page_json", ready())):
        text = (shared_reference / "golden-flower" / f"{name}.txt").read_text()
        method, path, _, status, kind, answer = recorded(text)
        told = await ask(cluster, method, path)
        expected = json.loads(answer)
        assert told[:2] == (status, kind)
        assert list(told[2]) == list(expected)
        ours, theirs = (
            [field for field in one["data"][0] if "-" not in field]  # no counts of events
            for one in (told[2], expected)
        )
        assert ours == theirs, name
