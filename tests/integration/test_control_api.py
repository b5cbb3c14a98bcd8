"""Commands sent by HTTP to the program, and what Celery's own inspect says of the workers then.

One console and one crew of prefork workers for each broker serve the whole file, in its order.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any
from uuid import uuid4

import httpx
import pytest
from celery import Celery

from celeryscope.control.commands import COMMANDS
from tests.conftest import running, running_redis
from tests.integration.watching import Console, console
from tests.recording import eventually

PROJECT = """
import os, time
from celery import Celery

app = Celery("project", broker=os.environ["BROKER"])
app.conf.task_default_queue = "steered"
app.conf.worker_pool_restarts = True
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 4

@app.task
def nap(seconds):
    time.sleep(seconds)
"""
NAP = "project.nap"
MAIN, SCALED, MORTAL, VICTIM = "main@api", "scaled@api", "mortal@api", "victim@api"
WORKERS = {
    MAIN: ("-c", "2"),
    SCALED: ("--autoscale", "3,1", "-Q", "side"),
    MORTAL: ("-c", "1", "-Q", "side"),
    VICTIM: ("-c", "1", "-Q", "side"),
}


class Stage:
    """The console, the workers behind it, and Celery's own client to ask them."""

    def __init__(self, ours: Console, app: Celery, processes: Mapping[str, Popen[bytes]]) -> None:
        self.ours = ours
        self.app = app
        self.processes = processes

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return httpx.post(self.ours.url + "/api/v1" + path, json=body, timeout=20)

    def send(self, command: str, worker: str | None = MAIN, **arguments: Any) -> dict[str, Any]:
        """Send a command and give its report once it is over."""
        body = {"arguments": arguments, "workers": None if worker is None else [worker]}
        answer = self.post(f"/control/{command}", body)
        assert answer.status_code == 202, answer.text
        report: dict[str, Any] = answer.json()
        while report["state"] not in ("finished", "failed"):
            query = f"?after={report['sequence']}&wait=20"
            report = self.ours.get(f"/api/v1/actions/{report['id']}{query}")
        return report

    def value(self, command: str, **arguments: Any) -> Any:
        """What the main worker answers to a question, through us."""
        return only(self.send(command, **arguments), "ok")["value"]

    def ask(self, worker: str = MAIN) -> Any:
        return self.app.control.inspect(destination=[worker], timeout=3)

    def stats(self, worker: str = MAIN) -> Any:
        return self.ask(worker).stats()[worker]

    def pids(self) -> set[int]:
        return set(self.stats()["pool"]["processes"])

    def consumed(self) -> set[str]:
        return {queue["name"] for queue in self.ask().active_queues()[MAIN]}

    def running(self) -> set[str]:
        return {task["id"] for task in self.ask().active()[MAIN]}

    def limits(self) -> str:
        names = ("rate_limit", "soft_time_limit", "time_limit")
        told: list[str] = self.ask().registered(*names)[MAIN]
        return next(line for line in told if line.startswith(NAP))

    def nap(self, seconds: float = 0, **options: Any) -> str:
        return str(self.app.send_task(NAP, (seconds,), queue="steered", **options).id)

    def running_nap(self) -> str:
        ident = self.nap(60)
        eventually(lambda: ident in self.running(), seconds=20)
        return ident

    def end(self, ident: str) -> None:
        self.app.control.terminate(ident, signal="SIGKILL")
        eventually(lambda: ident not in self.running(), seconds=20)


def only(report: Mapping[str, Any], outcome: str, effect: str | None = None) -> dict[str, Any]:
    """Give what the only worker did, and see that it is what it should be."""
    (worker,) = report["workers"]
    assert worker["outcome"] == outcome, report
    assert effect is None or worker["effect"] == effect, report
    return dict(worker)


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    yield from staged(request, tmp_path_factory.mktemp(request.param))


def ask_to_end(processes: Iterable[Popen[bytes]]) -> None:
    """Ask them all at once, so that none waits until another has ended."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def staged(request: pytest.FixtureRequest, directory: Path) -> Iterator[Stage]:
    (directory / "project.py").write_text(PROJECT)
    with ExitStack() as stack:
        if request.param == "redis":
            broker = stack.enter_context(running_redis(directory))
        else:
            broker = request.getfixturevalue("rabbitmq")
        processes = {}
        for name, options in WORKERS.items():
            processes[name] = stack.enter_context(
                running(
                    [sys.executable, "-m", "celery", "-A", "project", "worker", "-n", name,
                     "--without-mingle", "--without-gossip", "-l", "info", *options],
                    log=directory / f"{name}.log",
                    ready=lambda: True,  # all start at once; the console sees when they are there
                    env={**os.environ, "BROKER": broker},
                    cwd=directory,
                )
            )  # fmt: skip
        stack.callback(ask_to_end, processes.values())
        options = ("--control-timeout", "3", "--default-queue-name", "steered")
        ours = stack.enter_context(console(broker, directory, *options))
        app = stack.enter_context(Celery("client", broker=broker, set_as_current=False))
        ours.until(
            "/api/v1/workers",
            lambda told: {w["hostname"] for w in told["workers"] if w["queues"]} >= set(WORKERS),
            timeout_seconds=50,
        )
        yield Stage(ours, app, processes)


# ---------------------------------------------------------------------- one case a command


def ping(stage: Stage) -> None:
    assert {"ok": stage.value("ping")} == stage.ask().ping()[MAIN]


def stats(stage: Stage) -> None:
    assert stage.value("stats")["pid"] == stage.stats()["pid"] == stage.processes[MAIN].pid


def active(stage: Stage) -> None:
    ident = stage.running_nap()
    assert ident in {task["id"] for task in stage.value("active")}
    assert stage.value("query_task", ids=[ident])[ident][0] == "active"
    assert stage.ask().query_task(ident)[MAIN][ident][0] == "active"
    stage.end(ident)


def reserved(stage: Stage) -> None:
    idents = [stage.nap(60) for _ in range(4)]
    eventually(lambda: len(stage.running()) == 2, seconds=20)
    told = {task["id"] for task in stage.value("reserved")}
    assert told == {task["id"] for task in stage.ask().reserved()[MAIN]}
    assert told
    assert told < set(idents)
    stage.app.control.revoke(idents)
    for ident in stage.running():
        stage.end(ident)


def scheduled(stage: Stage) -> None:
    ident = stage.nap(countdown=600)
    eventually(lambda: stage.ask().scheduled()[MAIN], seconds=20)
    assert ident in {task["request"]["id"] for task in stage.value("scheduled")}
    stage.app.control.revoke(ident)


def revoke(stage: Stage) -> None:
    ident = str(uuid4())
    only(stage.send("revoke", ids=[ident]), "ok", "done")
    assert ident in stage.ask().revoked()[MAIN]
    assert ident in stage.value("revoked")


def terminate(stage: Stage) -> None:
    ident = stage.running_nap()
    only(stage.send("terminate", ids=[ident], signal="SIGKILL"), "ok", "done")
    assert ident not in stage.running()


def revoke_by_stamp(stage: Stage) -> None:
    order = str(uuid4())
    only(stage.send("revoke_by_stamped_headers", headers={"order": order}), "ok", "cannot tell")
    stamped = stage.app.signature(NAP, (60,), queue="steered")
    stamped.stamp(order=order)
    ident = stamped.apply_async().id
    path = f"/api/v1/tasks/{ident}"
    stage.ours.until(path, lambda told: told.get("state") == "REVOKED")
    assert ident not in stage.running()


def registered(stage: Stage) -> None:
    assert stage.value("registered") == stage.ask().registered()[MAIN]
    assert NAP in stage.value("registered")


def active_queues(stage: Stage) -> None:
    assert {queue["name"] for queue in stage.value("active_queues")} == stage.consumed()


def conf(stage: Stage) -> None:
    told, asked = stage.value("conf"), stage.ask().conf()[MAIN]
    assert told["task_default_queue"] == asked["task_default_queue"] == "steered"


def grow_and_shrink(stage: Stage) -> None:
    before = stage.pids()
    only(stage.send("pool_grow", n=1), "ok", "done")
    assert len(stage.pids()) == len(before) + 1
    only(stage.send("pool_shrink", n=1), "ok", "done")
    assert len(stage.pids()) == len(before)


def pool_restart(stage: Stage) -> None:
    before = stage.pids()
    sent = stage.post("/control/pool_restart", {"workers": [MAIN]}).json()

    def is_replaced() -> bool:
        if not stage.running():
            for _ in range(4):  # an idle process goes after its next task: keep both busy
                stage.nap(0.3)
        return before.isdisjoint(stage.pids())

    eventually(is_replaced, seconds=40)
    only(stage.ours.get(f"/api/v1/actions/{sent['id']}"), "ok")


def autoscale(stage: Stage) -> None:
    only(stage.send("autoscale", SCALED, max=4, min=2), "ok", "done")
    told = stage.stats(SCALED)["autoscaler"]
    assert (told["max"], told["min"]) == (4, 2)


def consumers(stage: Stage) -> None:
    queue = f"more-{uuid4().hex[:8]}"
    only(stage.send("add_consumer", queue=queue), "ok", "done")
    assert queue in stage.consumed()
    only(stage.send("pause_queue", queue=queue), "ok", "done")
    assert queue not in stage.consumed()
    only(stage.send("resume_queue", None, queue=queue), "ok", "done")
    assert queue in stage.consumed()
    only(stage.send("cancel_consumer", queue=queue), "ok", "done")
    assert queue not in stage.consumed()


def limits(stage: Stage) -> None:
    only(stage.send("rate_limit", task_name=NAP, rate_limit="7/m"), "ok", "done")
    only(stage.send("time_limit", task_name=NAP, soft=50, hard=90), "ok", "done")
    told = stage.limits()
    assert "rate_limit=7/m" in told
    assert "soft_time_limit=50" in told
    assert " time_limit=90" in told.replace("[", " ")
    only(stage.send("rate_limit", task_name=NAP, rate_limit=0), "ok", "done")
    only(stage.send("time_limit", task_name=NAP), "ok", "done")


def events(stage: Stage) -> None:
    def said(command: str, worker: str = MAIN) -> str:
        ((answer,),) = [
            reply.values()
            for reply in stage.app.control.broadcast(
                command, destination=[worker], reply=True, timeout=5
            )
        ]
        return str(answer["ok"])

    def are_told_by_us(worker: str) -> bool:
        """We tell workers every five seconds to send events."""
        return said("disable_events", worker) == "task events disabled"

    only(stage.send("disable_events"), "ok", "done")
    said("disable_events", SCALED)
    eventually(lambda: are_told_by_us(SCALED), seconds=20)
    assert "already disabled" in said("disable_events")  # but not this one
    only(stage.send("enable_events"), "ok", "done")
    assert are_told_by_us(MAIN)


def shutdown(stage: Stage) -> None:
    only(stage.send("shutdown", MORTAL), "asked", "done")
    assert not stage.ask(MORTAL).ping()
    assert stage.processes[MORTAL].wait(20) == 0


#: In this order: what ends a worker comes last.
CASES = {
    "ping": ping,
    "stats": stats,
    "active query_task": active,
    "reserved": reserved,
    "scheduled": scheduled,
    "revoke revoked": revoke,
    "terminate": terminate,
    "revoke_by_stamped_headers": revoke_by_stamp,
    "registered": registered,
    "active_queues": active_queues,
    "conf": conf,
    "pool_grow pool_shrink": grow_and_shrink,
    "autoscale": autoscale,
    "add_consumer cancel_consumer pause_queue resume_queue": consumers,
    "rate_limit time_limit": limits,
    "disable_events enable_events": events,
    "pool_restart": pool_restart,
    "shutdown": shutdown,
}


def test_every_command_for_workers_has_a_case() -> None:
    cases = {name for names in CASES for name in names.split()}
    assert cases == {name for name, command in COMMANDS.items() if command.runs == "workers"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("names", CASES)
def test_what_the_api_was_asked_for_is_what_celery_says_of_the_worker(
    stage: Stage, names: str
) -> None:
    CASES[names](stage)


# ---------------------------------------------------------------------- what goes wrong


def test_a_worker_that_nobody_knows_is_not_found(stage: Stage) -> None:
    answer = stage.post("/control/ping", {"workers": ["nobody@api"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_what_celery_rejects_is_told_in_the_workers_words(stage: Stage) -> None:
    told = only(stage.send("pool_grow", SCALED, n=1), "refused", "unchecked")
    assert "autoscale" in told["error"].lower()
    told = only(stage.send("rate_limit", task_name="no.such", rate_limit=1), "refused")
    assert "no.such" in told["error"] or "unknown" in told["error"].lower()


def test_a_worker_that_was_killed_is_silent_and_the_others_answer(stage: Stage) -> None:
    os.killpg(stage.processes[VICTIM].pid, signal.SIGKILL)
    stage.processes[VICTIM].wait(10)
    body = {"workers": [VICTIM, MAIN]}
    report = stage.post("/control/ping", body).json()
    while report["state"] not in ("finished", "failed"):
        query = f"?after={report['sequence']}&wait=20"
        report = stage.ours.get(f"/api/v1/actions/{report['id']}{query}")
    assert report["outcomes"] == {"ok": 1, "silent": 1}
    assert {w["hostname"]: w["outcome"] for w in report["workers"]}[VICTIM] == "silent"
