"""Flower's read API, ours beside a running Flower 2.2: same broker, same worker, same answers.

What differs on purpose stands in `differences`, with its reason; the functions below take it out.
Nothing else may.
"""

from __future__ import annotations

import contextlib
import html
import importlib
import importlib.util
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest

from tests.conftest import REPOSITORY, free_port, need, running, running_redis
from tests.contract import flower_project as project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

WORKER = "one@contract"
STATUS = "/api/workers?status=1"


class Side:
    """One of the two consoles."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=15)

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()


class Both:
    """Flower and ours, over the same cluster."""

    def __init__(self, flower: Side, ours: Side) -> None:
        self.flower = flower
        self.ours = ours

    def agree(self, path: str, comparable: Callable[[Any], Any] = lambda told: told) -> Any:
        """Ask both the same; the answers have to be equal. Returns the answer."""
        theirs, ours = self.flower.get(path), self.ours.get(path)
        assert ours.status_code == theirs.status_code, f"{path}: {ours.text}\n{theirs.text}"
        kind = "content-type"
        assert ours.headers[kind].lower() == theirs.headers[kind].lower(), path
        if not ours.headers[kind].startswith("application/json"):
            assert ours.text == theirs.text
            return ours.text
        assert differences(comparable(ours.json()), comparable(theirs.json()), path) == []
        assert list(ours.json()) == list(theirs.json()), f"{path}: another order"
        return ours.json()

    def close(self) -> None:
        self.flower.http.close()
        self.ours.http.close()

    def know_the_worker(self) -> bool:
        """Do both hear the worker's events, and know what inspect tells?"""
        return all(
            side.json(STATUS) == {WORKER: True}
            and {"stats", "conf"} <= set(side.json("/api/workers?refresh=1").get(WORKER, {}))
            for side in (self.flower, self.ours)
        )

    def wait_for(self, **states: int) -> None:
        """Wait until so many tasks are in these states, on both sides."""
        for side in (self.flower, self.ours):
            told: Counter[str] = Counter()

            def reached(side: Side = side, told: Counter[str] = told) -> bool:
                told.clear()
                told.update(task["state"] for task in side.json("/api/tasks").values())
                return all(told[state] == count for state, count in states.items())

            until(lambda told=told: f"{states}, but {dict(told)}", reached)  # type: ignore[misc]


def differences(ours: Any, theirs: Any, where: str) -> list[str]:
    """Say field by field what is not equal."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{where}: only ours has {name}" for name in ours.keys() - theirs.keys()]
        found += [f"{where}: only Flower has {name}" for name in theirs.keys() - ours.keys()]
        for name in ours.keys() & theirs.keys():
            found += differences(ours[name], theirs[name], f"{where} {name}")
        return found
    return [] if ours == theirs else [f"{where}: ours {ours!r}, Flower's {theirs!r}"]


def until(
    what: Callable[[], str], true: Callable[[], bool], *, timeout_seconds: float = 30
) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not true():
        assert time.monotonic() < deadline, f"not in {timeout_seconds} s: {what()}"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def celery_with_flower() -> list[str]:
    """The `celery` that has Flower: the one that CELERYSCOPE_FLOWER names, or this Python's."""
    if named := os.environ.get("CELERYSCOPE_FLOWER"):
        return [named]
    found = importlib.util.find_spec("flower")
    need(found, "Flower is not installed: pip install flower==2.2.0, or CELERYSCOPE_FLOWER=celery")
    return CELERY


CELERY = [sys.executable, "-m", "celery"]
PROJECT = ["-A", "tests.contract.flower_project"]


def send_tasks(sides: Both) -> None:
    """Send tasks that end in every way there is, and leave some running and waiting."""
    for number in range(3):
        send(project.add, number, y=1)
    send(project.greet, "<b>Wörld</b> & 'all'", sku="B-7", note='"quoted" \t')
    send(project.fail, "no <luck>")
    send(project.again, 1)
    send(project.again, 9)
    send(project.parent, 2)
    send(project.progress)
    send(project.refuse)
    send(project.lost)
    project.add.apply_async((1, 1), countdown=1)
    project.add.apply_async((2, 2), expires=-5)
    # Celery 5.7 tells of the refused one as failed, then rejected; earlier ones as rejected.
    sides.wait_for(SUCCESS=10, REVOKED=1, PENDING=1, RECEIVED=0, STARTED=0, RETRY=0)
    stopped, forbidden = send(project.nap, 60), project.add.apply_async((3, 3), countdown=2)
    sides.wait_for(STARTED=1)
    project.app.control.revoke(stopped.id, terminate=True, signal="SIGTERM")
    project.app.control.revoke(forbidden.id)
    sides.wait_for(REVOKED=3)
    project.add.apply_async((4, 4), countdown=600)
    for _ in range(6):
        send(project.nap, 300)
    # Two run, two more are held by the worker, the others wait in the queue.
    sides.wait_for(STARTED=2, RECEIVED=3, PENDING=3)


def send(task: Any, *args: Any, **kwargs: Any) -> Any:
    """Send a task, and let a moment pass, so that the order by time is the same everywhere."""
    result = task.delay(*args, **kwargs)
    time.sleep(0.05)
    return result


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Flower and ours, after the same tasks."""
    logs = tmp_path_factory.mktemp("contract")
    flower, ours = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    with running_redis(logs) as broker, contextlib.ExitStack() as stack:
        env = {
            **os.environ,
            "CONTRACT_BROKER": broker,
            "FLOWER_UNAUTHENTICATED_API": "true",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)]),
        }
        importlib.reload(project)  # an app without connections to another module's broker
        project.app.conf.broker_url = broker
        sides = Both(Side(flower), Side(ours))
        stack.callback(sides.close)

        def start(name: str, command: list[str], ready: Callable[[], bool]) -> None:
            log = logs / f"{name}.log"
            stack.enter_context(
                running(command, log=log, ready=ready, env=env, cwd=logs, timeout_seconds=40)
            )

        start(
            "flower",
            [*celery_with_flower(), *PROJECT, "flower", "--address=127.0.0.1", _port(flower)],
            lambda: answers(flower + "/healthcheck"),
        )
        start(
            "celeryscope",
            [sys.executable, "-m", "celeryscope", "serve", f"--broker={broker}", _port(ours),
             "--queue-interval=0.5"],
            lambda: answers(ours + "/-/ready"),
        )  # fmt: skip
        start(
            "worker",
            [*CELERY, *PROJECT, "worker", f"--hostname={WORKER}", "--concurrency=2",
             "--loglevel=WARNING"],
            sides.know_the_worker,
        )  # fmt: skip
        send_tasks(sides)
        yield sides
        stack.close()
        project.app.close()


def _port(url: str) -> str:
    return "--port=" + url.rpartition(":")[2]


# ---------------------------------------------------------------------- the comparison


def tasks(told: Any) -> Any:
    """Answers of /api/tasks as far as they have to be equal."""
    return {uuid: task(one) for uuid, one in told.items()} if "error" not in told else told


def task(told: Any) -> Any:
    events = ("sent", "received", "started", "succeeded", "failed", "retried", "revoked")
    times = {told[event] for event in (*events, "rejected")}
    told = dict(told, children=sorted(told["children"]))  # Flower keeps them in no order
    assert isinstance(told.pop("clock"), int)
    timestamp = told.pop("timestamp")
    # Two runs of one id have two times of each event, and the last one stands there.
    assert timestamp in times or told["name"] == "contract.progress"
    return told


def workers(told: Any) -> Any:
    """Answers of /api/workers as far as they have to be equal."""
    return {name: _worker(one, _STATIC) for name, one in told.items()}


def one_worker_refreshed(told: Any) -> Any:
    return {name: _worker(one, (*_STATIC, *_LISTS, "revoked")) for name, one in told.items()}


_STATIC = ("stats", "conf", "registered", "active_queues")
_LISTS = ("active", "reserved", "scheduled")
_MOVING = ("clock", "uptime", "rusage")


def _worker(told: Any, methods: Sequence[str]) -> Any:
    assert isinstance(told["timestamp"], float)
    told = {name: value for name, value in told.items() if name in methods}
    told["stats"] = {name: v for name, v in told["stats"].items() if name not in _MOVING}
    told["conf"] = {name: v for name, v in told["conf"].items() if name != "broker_url"}
    for name in set(_LISTS) & set(told):
        told[name] = sorted(one.get("id") or one["request"]["id"] for one in told[name])
    return told


TASK_QUESTIONS = [
    "", "limit=5", "limit=0", "limit=-1", "limit=4&offset=3", "offset=5", "offset=-2",
    "offset=1000", "sort_by=name", "sort_by=-name", "sort_by=state", "sort_by=-state&limit=7",
    "sort_by=received", "sort_by=-received&limit=6", "sort_by=started&offset=2&limit=9",
    "sort_by=-started", "state=SUCCESS", "state=success", "state=FAILURE", "state=RETRY",
    "state=REVOKED", "state=REJECTED", "state=RECEIVED", "state=STARTED", "state=PENDING",
    "state=All", "state=", "taskname=contract.add", "taskname=CONTRACT.ADD", "taskname=contract",
    "taskname=All&workername=All", "workername=one%40contract", "workername=no%40x",
    "workername=one%40contract&taskname=contract.nap&state=STARTED&sort_by=name&limit=1",
    "received_start=2000-01-01+00%3A00", "received_start=2999-01-01+00%3A00",
    "received_end=2000-01-01+00%3A00", "received_end=2999-01-01+00%3A00",
    "received_start=2000-01-01+00%3A00&received_end=2999-01-01+00%3A00&limit=2",
    "search=contract.nap", "search=NAP", "search=state%3Asuccess", "search=state%3Asucc",
    "search=luck", "search=result%3Alast", "search=args%3A300", "search=kwargs%3Asku%3Db-7",
    "search=kwargs%3Asku", "search=worker%3Aone", "search=name%3Aadd+state%3ASUCCESS",
    "search=contract.fail+OR+contract.greet", "search=%28nap+OR+again%29+AND+state%3AFAILURE",
    "search=%22no+%3Cluck%3E%22", "search=%22Gr%C3%BC%C3%9Fe%2C%22", "search=nowhere",
    "search=", "sort_by=name&search=add&limit=3&offset=1", "nonsense=1",
]  # fmt: skip


@pytest.mark.parametrize("question", TASK_QUESTIONS)
def test_tasks(both: Both, question: str) -> None:
    both.agree(f"/api/tasks?{question}", tasks)


def test_the_questions_find_something(both: Both) -> None:
    """An empty answer to everything would agree, too."""
    empty = [q for q in TASK_QUESTIONS if not both.ours.json(f"/api/tasks?{q}")]
    assert set(empty) - {"state=REJECTED"} == {
        "limit=0", "limit=-1", "offset=1000", "state=RETRY", "taskname=contract",
        "search=state%3Asucc", "search=nowhere", "workername=no%40x",
    }  # fmt: skip


def test_every_single_task(both: Both) -> None:
    for uuid in both.ours.json("/api/tasks"):
        both.agree(f"/api/task/info/{uuid}", task)


def test_task_types(both: Both) -> None:
    assert len(both.agree("/api/task/types")["task-types"]) == 9


@pytest.mark.parametrize("question", ["refresh=1", "", f"workername={WORKER}", "workername="])
def test_workers(both: Both, question: str) -> None:
    assert both.agree(f"/api/workers?{question}", workers)[WORKER]["registered"]


def test_one_worker_refreshed(both: Both) -> None:
    told = both.agree(f"/api/workers?refresh=true&workername={WORKER}", one_worker_refreshed)
    assert [len(told[WORKER][name]) for name in ("active", "reserved", "scheduled")] == [2, 2, 1]


def test_workers_status(both: Both) -> None:
    assert both.agree(STATUS) == {WORKER: True}
    both.agree("/api/workers?status=true&refresh=1")


def test_queue_lengths(both: Both) -> None:
    (queue,) = both.agree("/api/queues/length")["active_queues"]
    assert queue == {"name": "celery", "messages": 2}


def test_healthcheck(both: Both) -> None:
    assert both.agree("/healthcheck") == "OK"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/task/info/nope", 404),
        ("/api/task/info/", 404),
        ("/api/task/info/a%2Fb", 404),
        ("/api/workers?workername=no%40x", 404),
        ("/api/workers?workername=no%40x&refresh=1", 404),
        ("/api/workers?refresh=maybe", 400),
        ("/api/workers?status=2", 400),
        ("/api/tasks?limit=x", 400),
        ("/api/tasks?limit=", 400),
        ("/api/tasks?limit=1.5", 400),
        ("/api/tasks?offset=y", 400),
        ("/api/tasks?sort_by=nope", 400),
        ("/api/tasks?sort_by=-", 400),
        ("/api/tasks?sort_by=runtime", 400),
        ("/api/tasks?received_start=yesterday", 400),
        ("/api/tasks?received_end=2026-02-30+00%3A00", 400),
        ("/api/tasks?received_end=2026-01-01", 400),
    ],
)
def test_errors(both: Both, path: str, status: int) -> None:
    both.agree(path)
    assert both.ours.get(path).status_code == status


@pytest.mark.parametrize(
    "search", ["ab", "(open", "%22open", "NOT+luck", "-luck", "name%3A", "luck+OR", "%28%29", "OR"]
)
def test_a_search_that_is_refused(both: Both, search: str) -> None:
    for side in (both.flower, both.ours):
        answer = side.get(f"/api/tasks?search={search}")
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"


def test_a_plain_text_is_plain(both: Both) -> None:
    for path in ("/api/tasks?limit=%3Cb%3E%26", "/api/workers?workername=%22x%22"):
        theirs, ours = both.flower.get(path), both.ours.get(path)
        assert (ours.status_code, ours.text) == (theirs.status_code, html.unescape(theirs.text))


def test_what_is_not_there(both: Both) -> None:
    for side in (both.flower, both.ours):
        for path in ("/api/nothing", "/api", "/api/task", "/api/workers/", "/api/v2/tasks"):
            assert side.get(path).status_code == 404, path


def test_a_worker_that_says_goodbye(both: Both) -> None:
    """Last: it ends the worker."""
    naps = both.ours.json("/api/tasks?taskname=contract.nap")
    project.app.control.revoke(list(naps), terminate=True, signal="SIGKILL")
    project.app.control.shutdown(destination=[WORKER])
    gone = {WORKER: False}
    until(lambda: "gone from Flower", lambda: both.flower.json(STATUS) == gone)
    until(lambda: "gone from ours", lambda: both.ours.json(STATUS) == gone, timeout_seconds=5)
