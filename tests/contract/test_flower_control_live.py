"""Flower's write API and its other routes: the same request to a running Flower and to ours.

Each side has equal workers of its own, one of every pool; what a request did is looked up on the
workers with Celery's inspect, and has to be the same. What may differ stands in `differences`.
"""

from __future__ import annotations

import contextlib
import html
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.conftest import REPOSITORY, free_port, running, running_redis
from tests.contract import flower_project as project
from tests.contract.test_flower_live import CELERY, PROJECT, answers, celery_with_flower, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

POOLS = {
    "prefork": ["--pool=prefork", "--concurrency=2"],
    "threads": ["--pool=threads", "--concurrency=2"],
    "solo": ["--pool=solo"],
    "scaled": ["--pool=prefork", "--autoscale=4,1"],  # and its pool may be restarted
}
QUEUE = "shared"  # only the prefork workers consume from it, those of both sides


class Side:
    """One console, and the prefix of its workers' names."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.http = httpx.Client(base_url=url, timeout=30)

    def worker(self, pool: str) -> str:
        return f"{self.name}-{pool}@contract"

    def ask(self, case: Case, pool: str = "prefork", **named: str) -> Told:
        """Send the request for this side's worker, whose name is taken out of the answer."""
        worker = self.worker(pool)
        path = case.path.format(w=worker, **named)
        answer = self.http.request(case.method, path, content=case.body.encode())
        kind = answer.headers.get("content-type", "").lower()
        # JSON is compared by what it says, in its order, not by its blanks.
        is_json = answer.content and kind.startswith("application/json")
        text = json.dumps(answer.json()) if is_json else answer.text
        text = text.replace(worker, "{w}")
        for name, value in named.items():
            text = text.replace(value, f"{{{name}}}")
        return Told(answer.status_code, kind, text)


class Told(NamedTuple):
    status: int
    kind: str
    text: str


class Case(NamedTuple):
    path: str
    status: int  # of both
    body: str = ""
    method: str = "POST"
    words: str = "same"  # "own": a row of `differences` says why the text is another


class Turn(NamedTuple):
    path: str
    #: By what Celery's inspect tells then, where it works; None: the next turn will show it.
    done: Callable[[dict[str, Any]], bool] | None
    pools: tuple[str, ...] = tuple(POOLS)  # that can; the others refuse, in words of their own


def _limits(told: dict[str, Any]) -> str:
    return " ".join(told["limits"])


_PREFORK, _SCALED = ("prefork",), ("scaled",)
#: What one worker of each pool is asked, one after the other.
TURNS = (
    # A pool grows only every five seconds.
    Turn("/api/worker/pool/grow/{w}?n=2", None, _PREFORK),
    Turn("/api/worker/pool/grow/{w}", lambda told: told["processes"] == 5, _PREFORK),
    Turn("/api/worker/pool/shrink/{w}?n=1", lambda told: told["processes"] == 4, _PREFORK),
    Turn(
        "/api/worker/pool/autoscale/{w}?min=2&max=3",
        lambda told: (told["autoscaler"]["min"], told["autoscaler"]["max"]) == (2, 3),
        _SCALED,
    ),
    *[
        Turn(
            "/api/worker/queue/add-consumer/{w}?queue=extra",
            lambda told: "extra" in told["queues"],
        )
    ]
    * 2,
    Turn(
        "/api/worker/queue/cancel-consumer/{w}?queue=extra",
        lambda told: "extra" not in told["queues"],
    ),
    Turn(
        "/api/worker/queue/cancel-consumer/{w}?queue=never",
        lambda told: "never" not in told["queues"],
    ),
    Turn(
        "/api/task/timeout/contract.nap?workername={w}&soft=3&hard=5",
        lambda told: all(
            words in _limits(told) for words in ("soft_time_limit=3", " time_limit=5")
        ),
    ),
    Turn(
        "/api/task/timeout/contract.nap?workername={w}&hard=7.5",
        lambda told: "time_limit=7.5" in _limits(told) and "soft" not in _limits(told),
    ),
    Turn(
        "/api/task/timeout/contract.nap?workername={w}",
        lambda told: "time_limit" not in _limits(told),
    ),
    Turn(
        "/api/task/rate-limit/contract.nap?workername={w}&ratelimit=7/m",
        lambda told: "rate_limit=7/m" in _limits(told),
    ),
    Turn(
        "/api/task/rate-limit/contract.nap?workername={w}&ratelimit=0",
        lambda told: "7/m" not in _limits(told),
    ),
    # What it does is looked up in a test of its own.
    Turn("/api/worker/pool/restart/{w}", lambda told: "never" not in told["queues"], _SCALED),
)

REFUSED = (
    Case("/api/worker/shutdown/no@x", 404),
    Case("/api/worker/pool/restart/no@x", 404),
    Case("/api/worker/pool/grow/no@x?n=1", 404),
    Case("/api/worker/pool/grow/{w}?n=x", 400),
    Case("/api/worker/pool/grow/{w}?n=", 400),
    Case("/api/worker/pool/shrink/no@x", 404),
    Case("/api/worker/pool/shrink/{w}?n=1.5", 400),
    Case("/api/worker/pool/autoscale/no@x?min=1&max=2", 404),
    Case("/api/worker/pool/autoscale/{w}?min=1", 400),
    Case("/api/worker/pool/autoscale/{w}?max=1", 400),
    Case("/api/worker/pool/autoscale/{w}?min=a&max=1", 400),
    Case("/api/worker/queue/add-consumer/no@x?queue=a", 404),
    Case("/api/worker/queue/add-consumer/{w}", 400),
    Case("/api/worker/queue/add-consumer/{w}?queue=", 400),
    Case("/api/worker/queue/cancel-consumer/no@x?queue=a", 404),
    Case("/api/worker/queue/cancel-consumer/{w}", 400),
    Case("/api/task/timeout/contract.nap", 400),
    Case("/api/task/timeout/contract.nap?workername=no@x&soft=3", 404),
    Case("/api/task/timeout/contract.nap?workername={w}&soft=x", 400),
    Case("/api/task/timeout/no.such?workername={w}&soft=3", 404),
    Case("/api/task/rate-limit/contract.nap?workername={w}", 400),
    Case("/api/task/rate-limit/contract.nap?ratelimit=1", 400),
    Case("/api/task/rate-limit/no.such?workername={w}&ratelimit=1", 404),
    Case("/api/task/rate-limit/contract.nap?workername=no@x&ratelimit=1", 404),
    Case("/api/task/revoke/some-id?terminate=maybe", 400),
    Case("/api/task/apply/no.such", 404, '{"args": []}'),
    Case("/api/task/apply/contract.add", 400, '{"timeout": "x"}'),
    Case("/api/task/async-apply/no.such", 404),
    Case("/api/task/async-apply/contract.add", 400, '"x"'),
    Case("/api/task/async-apply/contract.add", 400, "{"),
    Case("/api/task/async-apply/contract.add", 400, '{"args": "x"}'),
    Case("/api/task/async-apply/contract.add", 400, '{"countdown": "x"}'),
    Case("/api/task/async-apply/contract.add", 400, '{"eta": "tomorrow"}'),
    Case("/api/task/async-apply/contract.add", 400, '{"expires": "soon"}'),
    Case("/api/task/send-task/contract.add", 400, '{"args": 5}'),
    Case("/api/task/send-task/contract.add", 400, "[]"),
    Case("/api/task/result/some-id?timeout=x", 400, method="GET"),
    Case("/api/workers", 405, words="own"),
    Case("/api/task/revoke/some-id", 405, method="GET", words="own"),
    Case("/api/task/result/some-id", 405, words="own"),
    Case("/tasks/datatable", 400, method="GET"),
    Case("/tasks/datatable?draw=1&start=0&length=x&order[0][column]=0", 400, method="GET"),
    Case("/workers?json=maybe", 400, method="GET"),
)

#: Paths that are compared elsewhere here, or in test_flower_live; see `test_every_route`.
ELSEWHERE = (
    "/api/task/abort/x", "/api/tasks", "/api/task/types", "/api/queues/length",
    "/api/task/info/x", "/healthcheck",
)  # fmt: skip
#: Pages: path, Flower's status, ours. Each has a row in `differences` or is a page on both sides.
PAGES = (
    ("/", 200, 200),
    ("/workers", 200, 200),
    ("/tasks", 200, 200),
    ("/worker/{w}", 200, 307),
    ("/task/{id}", 200, 307),
    ("/broker", 200, 302),
    ("/login", 404, 303),
    ("/login/", 404, 303),
    ("/logout", 200, 303),
    ("/metrics", 200, 200),
    ("/static/css/flower.css", 200, 404),
    ("/api/nothing", 404, 404),
)


class Both:
    def __init__(self, flower: Side, ours: Side) -> None:
        self.flower = flower
        self.ours = ours

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.flower, self.ours

    def agree(self, case: Case, pool: str = "prefork", **named: str) -> Told:
        theirs, ours = (side.ask(case, pool, **named) for side in self.sides)
        if case.words == "own":
            assert ours.status == theirs.status == case.status, (case, ours, theirs)
            return ours
        assert ours._replace(text=html.unescape(ours.text)) == theirs._replace(
            text=html.unescape(theirs.text)
        ), case
        assert ours.status == case.status or not case.status, (case, ours)
        return ours


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Flower and ours, with one worker of each pool for either."""
    logs = tmp_path_factory.mktemp("control")
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    with running_redis(logs) as broker, contextlib.ExitStack() as stack:
        results = broker.rpartition("/")[0] + "/1"
        env = {
            **os.environ,
            "CONTRACT_BROKER": broker,
            "CONTRACT_RESULTS": results,
            "FLOWER_UNAUTHENTICATED_API": "true",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)]),
        }
        importlib.reload(project)  # an app without connections to another module's broker
        project.app.conf.update(broker_url=broker, result_backend=results)
        sides = Both(Side("flower", urls[0]), Side("ours", urls[1]))
        processes: list[subprocess.Popen[bytes]] = []

        def start(name: str, command: list[str], ready: Callable[[], bool], **more: str) -> None:
            process = stack.enter_context(
                running(
                    command, log=logs / f"{name}.log", ready=ready, env={**env, **more}, cwd=logs,
                    timeout_seconds=60,
                )
            )  # fmt: skip
            processes.append(process)

        start(
            "flower",
            [*celery_with_flower(), *PROJECT, "flower", "--address=127.0.0.1",
             f"--port={urls[0].rpartition(':')[2]}"],
            lambda: answers(urls[0] + "/healthcheck"),
        )  # fmt: skip
        start(
            "celeryscope",
            [sys.executable, "-m", "celeryscope", "serve", f"--broker={broker}",
             f"--result-backend={results}", f"--port={urls[1].rpartition(':')[2]}"],
            lambda: answers(urls[1] + "/-/ready"),
        )  # fmt: skip
        for pool, options in POOLS.items():
            for side in sides.sides:
                name = side.worker(pool)
                queues = f"{name},{QUEUE}" if pool == "prefork" else name
                start(
                    f"{side.name}-{pool}",
                    [*CELERY, *PROJECT, "worker", f"--hostname={name}", *options,
                     f"--queues={queues}", "--loglevel=WARNING", "--without-mingle"],
                    lambda: True,
                    CONTRACT_POOL_RESTARTS="1" if pool == "scaled" else "",
                )  # fmt: skip
        until(lambda: "both know every worker", lambda: all(map(_knows_all, sides.sides)),
              timeout_seconds=60)  # fmt: skip
        try:
            yield sides
        finally:
            for side in sides.sides:
                side.http.close()
            for process in processes:  # all at once, so that none waits for another
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
            stack.close()
            project.app.close()


def _knows_all(side: Side) -> bool:
    told = side.http.get("/api/workers?refresh=1").json()
    named = {one.worker(pool) for one in (Side("flower", ""), Side("ours", "")) for pool in POOLS}
    return all(
        {"stats", "registered", "active_queues", "conf"} <= set(told.get(name, {}))
        for name in named
    )


# ---------------------------------------------------------------------- what workers do


def sight(worker: str) -> dict[str, Any]:
    """What Celery's own inspect tells of the things that are changed here."""
    inspect = project.app.control.inspect(destination=[worker], timeout=5)
    stats = inspect.stats()[worker]
    queues = inspect.active_queues()[worker]
    registered = inspect.registered("rate_limit", "soft_time_limit", "time_limit")[worker]
    return {
        "processes": len(stats["pool"].get("processes", ())) or None,
        "autoscaler": {
            name: value for name, value in stats.get("autoscaler", {}).items() if name != "current"
        } if stats.get("autoscaler") else None,
        "queues": sorted(queue["name"].replace(worker, "own") for queue in queues),
        "limits": [task for task in registered if task.startswith("contract.nap")],
    }  # fmt: skip


def processes(worker: str) -> set[int]:
    stats = project.app.control.inspect(destination=[worker], timeout=5).stats()[worker]
    return set(stats["pool"].get("processes", ()))


@pytest.mark.parametrize("pool", POOLS)
def test_what_a_worker_is_asked_to_do(both: Both, pool: str) -> None:
    """One request after the other; after each the workers of both sides are the same."""
    for turn in TURNS:
        can = pool in turn.pools
        told = both.agree(Case(turn.path, 200 if can else 403), pool)
        if turn.done is None:
            continue

        def is_done(done: Callable[[dict[str, Any]], bool] = turn.done, can: bool = can) -> bool:
            theirs, ours = (sight(side.worker(pool)) for side in both.sides)
            if pool == "scaled":  # it scales by itself
                theirs["processes"] = ours["processes"] = None
            return theirs == ours and (not can or done(ours))

        until(lambda told=told: f"after {told}", is_done, timeout_seconds=15)  # type: ignore[misc]


def test_a_pool_that_may_be_restarted_has_other_processes_then(both: Both) -> None:
    before = {side.name: processes(side.worker("scaled")) for side in both.sides}
    case = Case("/api/worker/pool/restart/{w}", 200)
    both.agree(case, "scaled")
    for side in both.sides:
        # Idle processes go with their next task.
        for _ in range(8):
            project.app.send_task("contract.add", (1, 2), queue=side.worker("scaled"))
        until(
            lambda: "other processes",
            lambda side=side: not before[side.name] & processes(side.worker("scaled")),  # type: ignore[misc]
        )


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_refused(both: Both, case: Case) -> None:
    both.agree(case)


@pytest.mark.parametrize(
    ("path", "flowers"),
    [
        ("/api/worker/pool/grow/{w}?n=0", 0),
        ("/api/worker/pool/autoscale/{w}?min=3&max=1", 403),
        ("/api/task/rate-limit/contract.nap?workername={w}&ratelimit=x", 403),
        ("/api/task/timeout/contract.nap?workername={w}&soft=-1", 200),
        ("/api/task/revoke/some-id?terminate=1&signal=NONE", 200),
    ],
)
def test_where_we_are_stricter(both: Both, path: str, flowers: int) -> None:
    case = Case(path, 0)
    if flowers:  # it is only asked where no worker is spoilt by that
        assert both.flower.ask(case, "threads").status == flowers
    assert both.ours.ask(case, "threads").status == 400


# ---------------------------------------------------------------------- tasks


@pytest.mark.parametrize(
    ("route", "name", "body", "expected"),
    [
        ("apply", "contract.add", '{"args": [2, 3]}', {"result": 5, "state": "SUCCESS"}),
        ("apply", "contract.greet", '{"args": ["x"], "kwargs": {"a": [1]}}',
         {"result": "Grüße, x <{'a': [1]}>", "state": "SUCCESS"}),
        ("apply", "contract.nap", '{"args": [9], "timeout": 0.2}', {"state": None}),
        ("async-apply", "contract.add", '{"args": [2], "countdown": 1}', {"state": "PENDING"}),
        ("async-apply", "contract.add", '{"args": [2], "eta": "2099-01-01 00:00:00.0"}',
         {"state": "PENDING"}),
        ("async-apply", "contract.add", '{"args": [2], "countdown": 1, "expires": 60}',
         {"state": "PENDING"}),
        ("send-task", "contract.add", '{"args": [2], "countdown": 1}', {"state": "PENDING"}),
        ("send-task", "nobody.knows", "", {"state": "PENDING"}),
    ],
)  # fmt: skip
def test_a_task_that_is_sent(
    both: Both, route: str, name: str, body: str, expected: dict[str, Any]
) -> None:
    queue = '"queue": "nobody"' if name == "nobody.knows" else f'"queue": "{QUEUE}"'
    body = body[:-1] + f", {queue}}}" if body else f"{{{queue}}}"
    later = []
    for side in both.sides:
        answer = side.http.post(f"/api/task/{route}/{name}", content=body)
        assert answer.status_code == 200, (side.name, answer.text)
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        told = answer.json()
        assert list(told) == ["task-id", *expected], side.name
        ident = told.pop("task-id")
        if expected["state"] is None:
            assert told.pop("state") in ("PENDING", "STARTED")
        assert told == {k: v for k, v in expected.items() if v is not None}, side.name
        if "countdown" in body:
            later.append(ident)
    assert [project.app.AsyncResult(ident).get(timeout=20) for ident in later] == [2] * len(later)


def test_a_failure_and_its_result(both: Both) -> None:
    body = f'{{"args": ["no <luck>"], "queue": "{QUEUE}"}}'
    told = [side.http.post("/api/task/apply/contract.fail", content=body).json()
            for side in both.sides]  # fmt: skip
    theirs, ours = told
    assert list(ours) == list(theirs) == ["task-id", "result", "traceback", "state"]
    assert (theirs["result"], ours["result"]) == (
        "ValueError('no <luck>')", "ValueError: no <luck>",
    )  # fmt: skip
    assert "no <luck>" in ours["traceback"]
    results = [both_read(both, one["task-id"]) for one in told]
    for theirs, ours in results:
        assert list(ours) == list(theirs) == ["task-id", "state", "result", "traceback"]
        assert ours["state"] == theirs["state"] == "FAILURE"


def both_read(both: Both, ident: str, query: str = "") -> tuple[Any, Any]:
    theirs, ours = (side.http.get(f"/api/task/result/{ident}{query}") for side in both.sides)
    assert ours.status_code == theirs.status_code == 200
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    return theirs.json(), ours.json()


def test_a_result(both: Both) -> None:
    done = project.app.send_task("contract.add", (4, 5), queue=QUEUE)
    done.get(timeout=20)
    for ident, query in (
        (done.id, ""),
        (done.id, "?timeout=3"),
        ("none", ""),
        ("none", "?timeout=0.2"),
    ):
        theirs, ours = both_read(both, ident, query)
        assert (ours, list(ours)) == (theirs, list(theirs))


def test_a_result_that_is_waited_for_has_its_own_state(both: Both) -> None:
    waiting = project.app.send_task("contract.add", (4, 5), queue=QUEUE, countdown=1)
    theirs, ours = both_read(both, waiting.id, "?timeout=20")
    assert theirs["result"] == ours["result"] == 9
    assert ours["state"] == "SUCCESS"


def test_revoke_reaches_every_worker(both: Both) -> None:
    ids = {}
    for side in both.sides:
        ids[side.name] = project.app.send_task("contract.add", (1,), queue=QUEUE, countdown=600).id
        told = side.ask(Case("/api/task/revoke/{id}", 200), id=ids[side.name])
        assert (told.status, json.loads(told.text)) == (200, {"message": "Revoked '{id}'"})
    expected = set(ids.values())
    everyone = [side.worker(pool) for side in both.sides for pool in POOLS]
    inspect = project.app.control.inspect(destination=everyone, timeout=3)
    until(
        lambda: "revoked everywhere",
        lambda: all(expected <= set(told) for told in inspect.revoked().values()),
    )


@pytest.mark.parametrize("signal", ["", "&signal=SIGKILL"])
def test_revoke_with_terminate_ends_what_runs(both: Both, signal: str) -> None:
    for side in both.sides:
        sent = project.app.send_task("contract.nap", (100,), queue=side.worker("prefork"))
        name = side.worker("prefork")

        def runs(ident: str = sent.id, name: str = name) -> bool:
            active = project.app.control.inspect(destination=[name], timeout=3).active() or {}
            return any(task["id"] == ident for task in active.get(name, ()))

        until(lambda: "it runs", runs)
        told = side.ask(Case("/api/task/revoke/{id}?terminate=true" + signal, 200), id=sent.id)
        assert told.status == 200
        until(lambda: "it ends", lambda runs=runs: not runs())  # type: ignore[misc]


def test_abort_writes_into_the_backend(both: Both) -> None:
    for side in both.sides:
        sent = project.app.send_task("contract.nap", (3,), queue=side.worker("threads"))
        until(
            lambda: "it is seen",
            lambda ident=sent.id, side=side: (  # type: ignore[misc]
                side.http.get(f"/api/task/info/{ident}").status_code == 200
            ),
        )
        told = side.ask(Case("/api/task/abort/{id}", 200), id=sent.id)
        assert told.status == 200, told
        assert "Aborted '{id}'" in told.text
        assert project.app.AsyncResult(sent.id).state == "ABORTED"
    assert both.ours.ask(Case("/api/task/abort/{id}", 0), id="nobody-knows-it").status == 403


# ---------------------------------------------------------------------- pages


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("column", ["received", "name", "state", "uuid"])
@pytest.mark.parametrize("search", ["", "contract.add", "state:SUCCESS", "(open"])
def test_the_datatable(both: Both, column: str, order: str, search: str) -> None:
    params = {
        "draw": "3", "start": "1", "length": "5", "search[value]": search,
        "order[0][column]": "0", "order[0][dir]": order, "columns[0][data]": column,
    }  # fmt: skip

    def compared() -> list[Any]:
        told = [side.http.get("/tasks/datatable", params=params) for side in both.sides]
        assert [one.status_code for one in told] == [200, 200]
        return [one.json() for one in told]

    def same() -> bool:
        theirs, ours = compared()
        assert list(ours) == list(theirs)
        assert all(list(a) == list(b) for a, b in zip(ours["data"], theirs["data"], strict=False))
        ours, theirs = (
            {**one, "data": [row["uuid"] for row in one["data"]], "searchError": ""}
            for one in (ours, theirs)
        )
        return bool(ours == theirs)

    until(lambda: f"{params}: {compared()}", same, timeout_seconds=10)


def test_the_workers_as_json(both: Both) -> None:
    def rows() -> list[dict[str, Any]]:
        return [
            {row["hostname"]: row for row in side.http.get("/workers?json=1").json()["data"]}
            for side in both.sides
        ]

    theirs, ours = rows()
    assert ours.keys() == theirs.keys()
    for name, row in ours.items():
        assert set(row) == set(theirs[name]), name
        for same in ("pid", "freq", "sw_ident", "sw_ver", "sw_sys", "status"):
            assert row[same] == theirs[name][same], (name, same)


@pytest.mark.parametrize(("path", "flowers", "status"), PAGES)
def test_a_page(both: Both, path: str, flowers: int, status: int) -> None:
    ident = project.app.send_task("contract.add", (1,), queue=QUEUE).id
    for side, expected in ((both.flower, flowers), (both.ours, status)):
        until(
            lambda: "it is seen",
            lambda side=side: (  # type: ignore[misc]
                side.http.get(f"/api/task/info/{ident}").status_code == 200
            ),
        )
        told = side.ask(Case(path, 0, method="GET"), id=ident)
        assert told.status == expected, (side.name, told)


def test_other_methods(both: Both) -> None:
    for method, theirs, ours in (("HEAD", 405, 200), ("OPTIONS", 204, 405), ("DELETE", 405, 405)):
        case = Case("/api/tasks", 0, method=method)
        assert both.flower.ask(case).status == theirs, method
        assert both.ours.ask(case).status == ours, method


def test_every_route_of_flower_is_asked_here() -> None:
    """A route that Flower gets and nobody compares fails here."""
    urls = pytest.importorskip("flower.urls", reason="Flower is in another environment")
    asked = {
        *(turn.path for turn in TURNS), *(case.path for case in REFUSED), *(page[0] for page in PAGES), *ELSEWHERE,
    }  # fmt: skip
    patterns = []
    for handler in urls.handlers:
        pattern = handler[0] if isinstance(handler, tuple) else handler.regex.pattern
        patterns.append(re.compile(pattern.rstrip("$") + "$"))
    reached = {
        next(number for number, pattern in enumerate(patterns) if pattern.match(path.split("?")[0]))
        for path in asked
    }
    assert [p.pattern for n, p in enumerate(patterns) if n not in reached] == []


def test_a_worker_is_shut_down(both: Both) -> None:
    """Last: it ends workers."""
    for pool in POOLS:
        told = both.agree(Case("/api/worker/shutdown/{w}", 200), pool)
        assert json.loads(told.text) == {"message": "Shutting down!"}
    gone = {side.worker(pool) for side in both.sides for pool in POOLS}

    def are_gone() -> bool:
        answered = project.app.control.inspect(timeout=1).ping() or {}
        return not gone & set(answered)

    until(lambda: "they are gone", are_gone)
