"""Services in memory, for tests of the web room."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn

from celeryscope.broker.depths import DepthHistory
from celeryscope.cluster import liveness
from celeryscope.cluster.accounting import Accounting
from celeryscope.cluster.state import ClusterState
from celeryscope.control.action import Report, WorkerResult
from celeryscope.control.commands import find, parse
from celeryscope.control.results import Result
from celeryscope.errors import NotFound, NotPossible
from celeryscope.model.event import Event
from celeryscope.model.message import Message, Page
from celeryscope.model.schedule import Schedule
from celeryscope.web.app import Application, build
from celeryscope.web.services import Broker, IngestStats, Services

NOW = 1_795_000_010.0
WORKER = "celery@web1"
CLIENT = "gen7@app1"


class Inspection(msgspec.Struct, frozen=True):
    hostname: str
    at: float
    stats: dict[str, Any] | None = None
    registered: list[str] | None = None
    active_queues: list[dict[str, Any]] | None = None
    conf: dict[str, Any] | None = None
    active: list[Any] | None = None
    reserved: list[Any] | None = None
    scheduled: list[Any] | None = None
    revoked: list[Any] | None = None
    lists_at: float | None = None


class Inspector:
    """Answers a request at once, with what was put into `coming`."""

    def __init__(self) -> None:
        self.latest: dict[str, Inspection] = {}
        self.coming: dict[str, Inspection] = {}
        self.error: str | None = None
        self.asked: list[str | None] = []
        self.fault: Exception | None = None
        self.answers = True

    def request(self, hostname: str | None = None) -> Future[None]:
        self.asked.append(hostname)
        future: Future[None] = Future()
        if self.fault is not None:
            future.set_exception(self.fault)
        elif self.answers:
            self.latest = {**self.latest, **self.coming}
            future.set_result(None)
        return future


class QueueDepth(msgspec.Struct, frozen=True):
    name: str
    messages: int | None
    consumers: int | None = None
    error: str | None = None
    unacknowledged: int | None = None


class Queues:
    """Depths that a test puts in, as if they were read every five seconds."""

    interval_seconds = 5.0

    def __init__(self) -> None:
        self.latest: dict[str, QueueDepth] = {}
        self.error: str | None = None
        self.at: float | None = None
        self.asked: list[str] = []
        self.attempts = 0
        self.history = DepthHistory()

    def put(self, *depths: QueueDepth, at: float = NOW) -> None:
        self.latest = {depth.name: depth for depth in depths}
        self.asked = list(self.latest)
        self.at = at
        self.error = None
        self.attempts += 1
        self.history.add(at, {depth.name: depth.messages for depth in depths})

    def fail(self, error: str, *, at: float = NOW) -> None:
        self.error = error
        self.attempts += 1
        self.history.add(at, {})


class Messages:
    """Messages that a test puts in, by queue, or the fault that a look meets."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Message]] = {}
        self.fault: Exception | None = None
        self.notes: list[str] = []
        self.asked: list[tuple[str, int, int, bool]] = []

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
        self.asked.append((queue, offset, limit, put_back))
        if self.fault is not None:
            raise self.fault
        waiting = self.waiting.get(queue, [])
        page = waiting[offset : offset + limit]
        return Page(total=len(waiting), messages=page, notes=self.notes)


class Action:
    """A command that a test moves on: `tell` gives it another report."""

    def __init__(self, report: Report) -> None:
        self.id = report.id
        self._report = report
        self._changed = threading.Condition()

    @property
    def over(self) -> bool:
        return self._report.state in ("finished", "failed", "stopped")

    @property
    def sequence(self) -> int:
        return self._report.sequence

    def snapshot(self) -> Report:
        return self._report

    def tell(self, **changes: Any) -> None:
        with self._changed:
            self._report = msgspec.structs.replace(
                self._report, sequence=self._report.sequence + 1, **changes
            )
            self._changed.notify_all()

    def wait(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.over, timeout_seconds)

    def wait_for_change(self, sequence: int, timeout_seconds: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self.sequence > sequence, timeout_seconds)
            return self.sequence


class Desk:
    """Takes commands as the real one does; what a worker says to each a test puts into `coming`.

    Without anything there a command stays on its way until the test tells its action more.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.coming: list[WorkerResult] = []
        self.report: dict[str, Any] = {}  # more of the next reports
        self.fault: Exception | None = None
        self.stopped: list[str] = []
        self.kept: dict[str, Action] = {}

    def send(
        self,
        command: str,
        arguments: Mapping[str, Any],
        *,
        workers: Sequence[str] | None = None,
        confirm: str | None = None,
        max_ids: int | None = None,
    ) -> Action:
        row = find(command)
        given = dict(arguments)
        if max_ids is None:
            given = parse(row, given)
        if self.fault is not None:
            raise self.fault
        self.sent.append(
            {
                "command": command,
                "arguments": dict(arguments),
                "workers": workers,
                "confirm": confirm,
                "max_ids": max_ids,
            }
        )
        told: dict[str, Any] = {
            "id": f"action-{len(self.sent)}", "sequence": 1, "command": command,
            "arguments": given, "everyone": workers is None,
            "state": "finished" if self.coming else "waiting", "sent": "yes",
            "created_at": NOW, "sent_at": NOW, "finished_at": NOW if self.coming else None,
            "timeout_seconds": 5.0, "confirm_seconds": 10.0, "error": "", "hint": "",
            "outcomes": {}, "effects": {}, "late": 0, "twice": 0, "unexpected": 0,
            "not_taken": {}, "workers": tuple(self.coming), "total": len(self.coming),
            **self.report,
        }  # fmt: skip
        action = self.kept[told["id"]] = Action(Report(**told))
        return action

    def get(self, ident: str) -> Action:
        if ident not in self.kept:
            raise NotFound("action", ident)
        return self.kept[ident]

    def actions(self) -> list[Action]:
        return list(reversed(self.kept.values()))

    def stop(self, ident: str) -> Action:
        action = self.get(ident)
        if action.over:
            raise NotPossible("It is over.")
        self.stopped.append(ident)
        action.tell(state="stopped")
        return action


class Results:
    """Results that a test puts in, by task id."""

    def __init__(self) -> None:
        self.configured = True
        self.known: dict[str, Result] = {}
        self.fault: Exception | None = None
        self.asked: list[tuple[str, float | None]] = []
        self.groups_known: dict[str, str | None] = {}

    def groups(
        self, task_ids: Sequence[str], *, timeout_seconds: float | None = None
    ) -> dict[str, str | None]:
        if self.fault is not None:
            raise self.fault
        known = self.groups_known
        return {task_id: known[task_id] for task_id in task_ids if task_id in known}

    def read(self, task_id: str, *, timeout_seconds: float | None = None) -> Result:
        self.asked.append((task_id, timeout_seconds))
        if self.fault is not None:
            raise self.fault
        return self.known.get(task_id, Result(task_id=task_id, state="PENDING", ready=False))


class Schedules:
    """Schedules that a test puts in."""

    def __init__(self) -> None:
        self.latest: list[Schedule] = []


class Cluster:
    """Everything a test may turn, and the services that show it."""

    def __init__(self, **limits: Any) -> None:
        self.now = NOW
        self.state = ClusterState(**limits)
        self.accounting = Accounting()
        self.inspector = Inspector()
        self.queues = Queues()
        self.messages = Messages()
        self.desk = Desk()
        self.results = Results()
        self.schedules = Schedules()
        self.connected = True
        self.is_ready = True
        self.metrics = b"# TYPE up gauge\nup 1\n"
        self.services = Services(
            state=self.state,
            accounting=self.accounting,
            inspector=self.inspector,
            queues=self.queues,
            messages=self.messages,
            desk=self.desk,
            results=self.results,
            schedules=self.schedules,
            broker=self._broker,
            ingest=lambda: IngestStats(
                lag_seconds=0.01, buffer_bytes=0, buffer_limit_bytes=64 * 2**20
            ),
            worker_status=lambda worker, now: liveness.status(worker, now),
            render_metrics=self._render,
            ready=lambda: self.is_ready,
            version="9.9.9",
            grafana_url="https://grafana.example",
            started_at=NOW - 100,
            clock=lambda: self.now,
            refresh_timeout_seconds=0.2,
        )

    def _broker(self) -> Broker:
        return Broker(
            transport="redis",
            url="redis://127.0.0.1:6379/0",
            state="connected" if self.connected else "disconnected",
            since=NOW - 100,
            error=None if self.connected else "Connection refused",
            hint=None,
        )

    def _render(self, openmetrics: bool) -> bytes:
        return self.metrics + (b"# EOF\n" if openmetrics else b"")

    def feed(self, events: Sequence[Event]) -> None:
        with self.state.lock:
            self.state.apply(events, self.now)

    def app(self, **options: Any) -> Application:
        options.setdefault("assets_dir", Path("/nonexistent"))
        return build(self.services, **options)

    def client(self, **options: Any) -> httpx.AsyncClient:
        return client(self.app(**options))


def client(app: Application) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def event(kind: str, at: float, **fields: Any) -> Event:
    """Make an event of the type `kind`, `at` seconds from ten seconds before NOW."""
    fields.setdefault("hostname", CLIENT if kind == "task-sent" else WORKER)
    fields.setdefault("pid", 7 if fields["hostname"] == CLIENT else 100)
    if kind.startswith("task-"):
        fields.setdefault("uuid", "a")
    return Event(type=kind, timestamp=NOW - 10 + at, **fields)


def life(
    uuid: str = "a",
    at: float = 0.0,
    *,
    state: str = "SUCCESS",
    worker: str = WORKER,
    **fields: Any,
) -> list[Event]:
    """Make the events of a task up to that state."""
    told: dict[str, Any] = {
        "uuid": uuid, "name": "shop.pay", "args": "(1,)", "kwargs": "{'sku': 'B-7'}",
        "retries": 0, "queue": "high", "exchange": "", "routing_key": "high", **fields,
    }  # fmt: skip
    events = [event("task-sent", at, **told)]
    if state == "PENDING":
        return events
    host = {"hostname": worker}
    for text in ("queue", "exchange", "routing_key"):
        told.pop(text)
    events.append(event("task-received", at + 0.1, clock=11, **told, **host))
    if state == "RECEIVED":
        return events
    events.append(event("task-started", at + 0.2, uuid=uuid, clock=12, **host))
    if state == "SUCCESS":
        end: dict[str, Any] = {"result": "'paid'", "runtime": 0.5}
        events.append(event("task-succeeded", at + 0.7, uuid=uuid, clock=13, **end, **host))
    elif state == "FAILURE":
        end = {"exception": "ValueError('no')", "traceback": "Traceback ..."}
        events.append(event("task-failed", at + 0.7, uuid=uuid, clock=13, **end, **host))
    return events


def heartbeat(at: float = 9.0, hostname: str = WORKER, **fields: Any) -> Event:
    fields = {
        "active": 1, "processed": 5, "loadavg": (0.5, 0.4, 0.3), "freq": 2.0,
        "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux", **fields,
    }  # fmt: skip
    return event("worker-heartbeat", at, hostname=hostname, **fields)


@contextlib.contextmanager
def serving(app: Any, **options: Any) -> Iterator[str]:
    """Serve with a real uvicorn in a thread; yields the base URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),), daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server ended at once")
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        if isinstance(app, Application):
            app.close()
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server does not end"
