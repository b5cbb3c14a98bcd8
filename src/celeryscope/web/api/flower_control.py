"""Flower's write API and its other routes, answering as Flower 2.2 does.

Nothing here holds a thread while it waits: an action is looked at from the event loop, as often
as a person would. Where our table of commands is stricter than Flower, the answer is 400 with
the table's sentence. What differs on purpose is in docs/reference/flower.md.
"""

from __future__ import annotations

import asyncio
import html
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from celeryscope.control.action import ItemResult, Report, WorkerResult
from celeryscope.control.commands import MAX_WAIT_SECONDS, find
from celeryscope.control.results import Result
from celeryscope.errors import BadArgument, Crowded, NotFound, Unavailable
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.web import search, steering
from celeryscope.web.api import flower
from celeryscope.web.api.flower import Json
from celeryscope.web.auth.guard import actor_of
from celeryscope.web.body import read_body
from celeryscope.web.negotiation import respond
from celeryscope.web.services import Services
from celeryscope.web.sources import Action

MAX_ROWS = 10_000  # of one answer to DataTables

_LOOK_SECONDS = 0.02  # how often an action is looked at while somebody waits for it
_LAST_LOOK_SECONDS = 1.0  # and a result, after a while
_ROOM_SECONDS = 20.0  # how long room is waited for
#: Every action ends by itself; this is for one that does not.
_PATIENCE_SECONDS = 60.0
_DATE = "%Y-%m-%d %H:%M:%S.%f"
_JSON = "application/json; charset=UTF-8"
_FRESH = {"Cache-Control": "no-store"}


class Asked:
    """A request, read: what it names, its arguments from query and form, its body."""

    def __init__(self, services: Services, prefix: str, request: Request, body: bytes) -> None:
        self.services = services
        self.prefix = prefix  # where the console appears to browsers
        self.request = request
        self.name: str = request.path_params.get("name", "")
        self.body = body
        self.arguments = _arguments(request, body)

    async def send(
        self, command: str, arguments: Mapping[str, Any], workers: Sequence[str] | None = None
    ) -> Action:
        """Send a command, after a while when too many are on their way: Flower takes all.

        Raises what `steering.send` raises.
        """
        give_up_at = time.monotonic() + _ROOM_SECONDS
        while True:
            try:
                return await run_in_threadpool(
                    steering.send, self.services, command, arguments, workers=workers
                )
            except Crowded:
                if time.monotonic() >= give_up_at:
                    raise
            await asyncio.sleep(_LAST_LOOK_SECONDS / 10)


Answer = Callable[[Asked], Awaitable[Response]]


class Endpoint(NamedTuple):
    """One route: who answers it, and to which methods."""

    answer: Answer
    methods: tuple[str, ...] = ("GET",)

    def bound(self, services: Services, prefix: str) -> Callable[[Request], Awaitable[Response]]:
        """Give the endpoint that Starlette calls."""

        async def endpoint(request: Request) -> Response:
            if request.path_params.get("name") == "":
                raise HTTPException(404)
            seen = services.seen_by(actor_of(request))
            body = await read_body(request)
            # A form may take its time to read.
            asked = await run_in_threadpool(Asked, seen, prefix, request, body)
            return await self.answer(asked)

        return endpoint


# ---------------------------------------------------------------------- what was asked


def _arguments(request: Request, body: bytes) -> flower.Arguments:
    """Give the arguments of the query and, after them, of a form in the body: the last counts."""
    pairs = [*request.query_params.multi_items(), *_form(request, body)]
    return flower.Arguments(QueryParams(pairs))


def _form(request: Request, body: bytes) -> list[tuple[str, str]]:
    kind = request.headers.get("content-type", "").strip()
    if kind.startswith("application/x-www-form-urlencoded"):
        try:
            return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1_000)
        except ValueError:
            raise HTTPException(400, "The form in the body cannot be read.") from None
    if kind.startswith("multipart/form-data"):
        return _parts(kind, body)
    return []


def _parts(kind: str, body: bytes) -> list[tuple[str, str]]:
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1")
    try:
        message = message_from_bytes(head + body, policy=policy.HTTP)
    except RecursionError:
        raise HTTPException(400, "The form in the body is nested too deeply.") from None
    pairs = []
    for part in message.iter_parts():
        name, value = part.get_param("name", header="content-disposition"), part.get_payload()
        if isinstance(name, str) and isinstance(value, str):
            given = part.get_payload(decode=True)
            pairs.append((name, given.decode("utf-8", "replace")))  # type: ignore[union-attr]
    return pairs


#: Tasks that every worker has, and that none tells of.
_BUILTINS = frozenset(
    f"celery.{name}"
    for name in ("accumulate", "backend_cleanup", "chain", "chord", "chord_unlock", "chunks",
                 "group", "map", "starmap")
)  # fmt: skip


def _known_worker(services: Services, name: str) -> None:
    if name not in services.state.workers and name not in services.inspector.latest:
        raise NotFound("worker", name)


def _known_task(services: Services, name: str) -> None:
    """Raise unless a worker told of the task or events did."""
    if name in _BUILTINS:
        return
    told = (task for one in services.inspector.latest.values() for task in one.registered or ())
    # A worker adds what is set for the task: "shop.mail [rate_limit=10/m]".
    if name not in services.state.names and all(t.partition(" [")[0] != name for t in told):
        raise NotFound("task", name)


# ---------------------------------------------------------------------- how it is answered


def _told(asked: Asked, told: Any) -> Response:
    body = msgspec.json.encode(told)
    return respond(asked.request, body, media_type=_JSON, headers=_FRESH)


def _failed(text: str) -> Response:
    """Tell that it was refused. Flower calls it HTML, so no worker's words may be any."""
    headers = {**_FRESH, "Content-Type": "text/html; charset=UTF-8"}
    return Response(html.escape(text, quote=False), status_code=403, headers=headers)


def _plain(text: str) -> Response:
    """Tell of a bad argument as Flower's pages do, which is not as its API does."""
    return Response(text, status_code=400, headers={**_FRESH, "Content-Type": "text/plain"})


async def _until(action: Action, enough: Callable[[Report], bool]) -> Report:
    """Look at an action until it tells enough, or is over."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    report = action.snapshot()
    while not (enough(report) or report.state in ("finished", "failed", "stopped")):
        if time.monotonic() >= give_up_at:
            break
        await asyncio.sleep(_LOOK_SECONDS)
        if action.sequence != report.sequence:
            report = action.snapshot()
    return report


def _check_sent(report: Report) -> None:
    if report.state == "failed":
        raise Unavailable(report.error, hint=report.hint)


# ---------------------------------------------------------------------- what workers do


class _Words(NamedTuple):
    """What Flower says of a command that a worker answers."""

    done: str  # {answer}: the worker's own words
    failed: str  # {reason}: why not


async def _ask_worker(
    asked: Asked, command: str, worker: str, arguments: Mapping[str, Any], words: _Words
) -> Response:
    """Send a command to one worker and tell what it answered."""
    action = await asked.send(command, arguments, [worker])
    report = await _until(action, lambda report: _outcome(report, worker) is not None)
    answer = _outcome(report, worker)
    if answer is None:
        _check_sent(report)
        reason = f"no answer in {report.timeout_seconds:g} s"
    elif answer.outcome == "ok":
        filled = words.done.format(worker=worker, answer=answer.value, **arguments)
        return _told(asked, {"message": filled})
    else:
        reason = answer.error or "Unknown reason"
    return _failed(words.failed.format(worker=worker, reason=reason, **arguments))


def _outcome(report: Report, worker: str) -> WorkerResult | None:
    """Give what the worker answered, if it did."""
    for told in report.workers:
        if told.hostname == worker and told.outcome in ("ok", "refused"):
            return told
    return None


class _WorkerCommand(NamedTuple):
    """A command whose route names the worker: Flower looks for the worker first."""

    command: str
    read: Callable[[flower.Arguments], dict[str, Any]]
    words: _Words

    async def answer(self, asked: Asked) -> Response:
        """Look for the worker, read the arguments, ask it."""
        _known_worker(asked.services, asked.name)
        arguments = self.read(asked.arguments)
        return await _ask_worker(asked, self.command, asked.name, arguments, self.words)


def _how_many(arguments: flower.Arguments) -> dict[str, Any]:
    given = arguments.integer("n")
    return {"n": 1 if given is None else given}


def _limits(arguments: flower.Arguments) -> dict[str, Any]:
    read = {}
    for name in ("min", "max"):
        arguments.required(name)
        read[name] = arguments.integer(name)
    return read


def _queue(arguments: flower.Arguments) -> dict[str, Any]:
    return {"queue": arguments.required("queue")}


_WORKER_COMMANDS: Mapping[str, _WorkerCommand] = {
    "/api/worker/pool/restart/{name:path}": _WorkerCommand(
        "pool_restart",
        lambda _arguments: {"reload": False},
        _Words(
            "Restarting '{worker}' worker's pool",
            "Failed to restart the '{worker}' pool: {reason}",
        ),
    ),
    "/api/worker/pool/grow/{name:path}": _WorkerCommand(
        "pool_grow",
        _how_many,
        _Words(
            "Growing '{worker}' worker's pool by {n}",
            "Failed to grow '{worker}' worker's pool: {reason}",
        ),
    ),
    "/api/worker/pool/shrink/{name:path}": _WorkerCommand(
        "pool_shrink",
        _how_many,
        _Words(
            "Shrinking '{worker}' worker's pool by {n}",
            "Failed to shrink '{worker}' worker's pool: {reason}",
        ),
    ),
    "/api/worker/pool/autoscale/{name:path}": _WorkerCommand(
        "autoscale",
        _limits,
        _Words(
            "Autoscaling '{worker}' worker (min={min}, max={max})",
            "Failed to autoscale '{worker}' worker: {reason}",
        ),
    ),
    "/api/worker/queue/add-consumer/{name:path}": _WorkerCommand(
        "add_consumer",
        _queue,
        _Words("{answer}", "Failed to add '{queue}' consumer to '{worker}' worker: {reason}"),
    ),
    "/api/worker/queue/cancel-consumer/{name:path}": _WorkerCommand(
        "cancel_consumer",
        _queue,
        _Words("{answer}", "Failed to cancel '{queue}' consumer from '{worker}' worker: {reason}"),
    ),
}


async def _shutdown(asked: Asked) -> Response:
    _known_worker(asked.services, asked.name)
    action = await asked.send("shutdown", {}, [asked.name])
    _check_sent(await _until(action, lambda report: report.sent == "yes"))
    return _told(asked, {"message": "Shutting down!"})


async def _revoke(asked: Asked) -> Response:
    arguments: dict[str, Any] = {"ids": [asked.name]}
    signal = asked.arguments.text("signal")
    if asked.arguments.flag("terminate"):
        command = "terminate"
        arguments["signal"] = signal or "SIGTERM"
        steering.demand(asked.services, find(command).role, f"'{command}'")
    else:
        command = "revoke"
    action = await asked.send(command, arguments)
    _check_sent(await _until(action, lambda report: report.sent == "yes"))
    return _told(asked, {"message": f"Revoked '{asked.name}'"})


async def _time_limit(asked: Asked) -> Response:
    worker = asked.arguments.required("workername")
    hard, soft = asked.arguments.number("hard"), asked.arguments.number("soft")
    _known_task(asked.services, asked.name)
    _known_worker(asked.services, worker)
    words = _Words("{answer}", "Failed to set timeouts: '{reason}'")
    arguments = {"task_name": asked.name, "soft": soft, "hard": hard}
    return await _ask_worker(asked, "time_limit", worker, arguments, words)


async def _rate_limit(asked: Asked) -> Response:
    worker = asked.arguments.required("workername")
    rate = asked.arguments.required("ratelimit")
    _known_task(asked.services, asked.name)
    _known_worker(asked.services, worker)
    words = _Words("{answer}", "Failed to set rate limit: '{reason}'")
    arguments = {"task_name": asked.name, "rate_limit": rate}
    return await _ask_worker(asked, "rate_limit", worker, arguments, words)


# ---------------------------------------------------------------------- what we do ourselves


def _options(body: bytes) -> dict[str, Any]:
    """Read what a task is to be sent with, from a body of JSON."""
    try:
        options = json.loads(body) if body else {}
    except ValueError as refused:
        raise BadArgument("", str(refused)) from None
    except RecursionError:
        raise BadArgument("", "The body is nested too deeply.") from None
    if not isinstance(options, dict):
        raise BadArgument("", "invalid options")
    options = {"args": [], "kwargs": {}, **options}
    for meaningless in ("retry", "retry_policy"):  # nothing is ever sent twice here
        options.pop(meaningless, None)
    if not isinstance(options["args"], list):
        raise BadArgument("args", "args must be an array")
    for reserved in ("task_name", "wait_seconds"):
        if reserved in options:
            raise BadArgument(reserved, f"'{reserved}' is no option of a task.")
    return options


def _normalized(options: dict[str, Any]) -> dict[str, Any]:
    """Give the times in `options` as numbers; Flower's have a format of their own, in UTC."""
    read = dict(options)
    try:
        if "eta" in read:
            read["eta"] = _moment(read["eta"])
        if "countdown" in read:
            read["countdown"] = _finite(read["countdown"])
        if "expires" in read:
            read["expires"] = _finite_or_moment(read["expires"])
    except (ValueError, TypeError):
        raise BadArgument("", "Invalid option") from None
    return read


def _moment(value: Any) -> float:
    return datetime.strptime(value, _DATE).replace(tzinfo=UTC).timestamp()


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _finite_or_moment(value: Any) -> float:
    try:
        return _finite(value)
    except ValueError:
        return _moment(value)


async def _publish(asked: Asked, command: str, options: Mapping[str, Any]) -> str:
    """Send a task; give its id."""
    action = await asked.send(command, {**options, "task_name": asked.name})
    report = await _until(action, lambda report: any(_is_sent(i) for i in report.items))
    for item in report.items:
        if _is_sent(item) and item.task_id is not None:
            return item.task_id
    _check_sent(report)
    for item in report.items:
        if item.outcome == "refused":
            raise BadArgument("", item.said)
    raise Unavailable("Nobody knows whether the task was sent.")


def _is_sent(item: ItemResult) -> bool:
    return item.outcome == "ok" and item.task_id is not None


async def _read(asked: Asked, task_id: str) -> Result:
    return await run_in_threadpool(asked.services.results.read, task_id)


async def _await_result(asked: Asked, task_id: str, seconds: float) -> Result:
    """Read a result again and again until it is there, the time is up, or nobody listens."""
    until, pause = time.monotonic() + min(seconds, MAX_WAIT_SECONDS), _LOOK_SECONDS
    while True:
        result = await _read(asked, task_id)
        left = until - time.monotonic()
        if result.ready or left <= 0 or await asked.request.is_disconnected():
            return result
        await asyncio.sleep(min(pause, left))
        pause = min(_LAST_LOOK_SECONDS, 1.5 * pause)


def _value(asked: Asked, result: Result) -> Json:
    """Give what a task that is over left."""
    mask = asked.services.state.mask
    told: Json = {"result": steering.masked(result.value, asked.services.state.mask_arguments)}
    if result.state == "FAILURE":
        traceback = result.traceback
        told["traceback"] = mask(traceback) if mask and traceback is not None else traceback
    if result.problem:
        told["problem"] = result.problem
    return told


def _need_results(services: Services) -> None:
    if not services.results.configured:
        raise HTTPException(503, "No result backend is known. Name it: --result-backend")


async def _apply(asked: Asked) -> Response:
    options = _options(asked.body)
    timeout = options.pop("timeout", None)
    try:
        seconds = MAX_WAIT_SECONDS if timeout is None else _finite(timeout)
    except (TypeError, ValueError):
        raise BadArgument("timeout", "Invalid timeout") from None
    _need_results(asked.services)
    task_id = await _publish(asked, "async_apply", _normalized(options))
    result = await _await_result(asked, task_id, seconds)
    told = _value(asked, result) if result.ready else {}
    return _told(asked, {"task-id": task_id, **told, "state": result.state})


async def _async_apply(asked: Asked) -> Response:
    return await _sent(asked, "async_apply", _normalized(_unhurried(_options(asked.body))))


async def _send_task(asked: Asked) -> Response:
    return await _sent(asked, "send_task", _unhurried(_options(asked.body)))


def _unhurried(options: dict[str, Any]) -> dict[str, Any]:
    """Take out how long one would wait for a result: nobody waits for one here."""
    return {name: value for name, value in options.items() if name != "timeout"}


async def _sent(asked: Asked, command: str, options: Mapping[str, Any]) -> Response:
    told = {"task-id": await _publish(asked, command, options)}
    if asked.services.results.configured:
        told["state"] = (await _read(asked, told["task-id"])).state
    return _told(asked, told)


async def _result(asked: Asked) -> Response:
    timeout = asked.arguments.number("timeout")
    if timeout is not None and not math.isfinite(timeout):
        raise BadArgument("timeout", f"Invalid argument '{timeout}' of type 'float'")
    _need_results(asked.services)
    result = await _await_result(asked, asked.name, timeout or 0.0)
    told = _value(asked, result) if result.ready or result.problem else {}
    return _told(asked, {"task-id": asked.name, "state": result.state, **told})


async def _abort(asked: Asked) -> Response:
    _need_results(asked.services)
    action = await asked.send("abort", {"ids": [asked.name]})
    report = await _until(action, lambda report: any(i.outcome == "ok" for i in report.items))
    _check_sent(report)
    for item in report.items:
        if item.outcome == "refused":
            return _failed(f"Failed to abort '{asked.name}': {item.said}")
    return _told(asked, {"message": f"Aborted '{asked.name}'"})


# ---------------------------------------------------------------------- what Flower's pages ask


async def _datatable(asked: Asked) -> Response:
    """Answer DataTables' server-side protocol: one page of tasks, and how many there are."""
    try:
        told = await asked.services.turns.run(
            lambda: _page_of_tasks(asked.services, asked.arguments)
        )
    except BadArgument as refused:
        return _plain(str(refused))
    return _told(asked, told)


def _page_of_tasks(services: Services, arguments: flower.Arguments) -> Json:
    draw, start, length, column = (
        _whole(arguments, name) for name in ("draw", "start", "length", "order[0][column]")
    )
    sort_by = arguments.text(f"columns[{column}][data]") or ""
    descending = arguments.text("order[0][dir]") == "desc"
    with services.state.lock:
        known = list(services.state.tasks.values())
    try:
        keep = search.compile_search(arguments.text("search[value]"))
    except BadArgument as refused:
        said = {"recordsTotal": len(known), "recordsFiltered": 0, "searchError": str(refused)}
        return {"draw": draw, "data": [], **said}
    found = [task for task in known if keep is None or keep(task)]
    rows = _sorted(found, sort_by, descending)[max(start, 0) :][: min(max(length, 0), MAX_ROWS)]
    children = flower.children_of(known)
    return {
        "draw": draw,
        "data": [flower.shown(task, children) for task in rows],
        "recordsTotal": len(known),
        "recordsFiltered": len(found),
    }


def _whole(arguments: flower.Arguments, name: str) -> int:
    arguments.required(name)
    number = arguments.integer(name)
    assert number is not None  # it is required
    return number


def _sorted(tasks: list[Task], sort_by: str, descending: bool) -> list[Task]:
    field = sort_by if sort_by in COLUMNS else ""

    def key(task: Task) -> tuple[bool, Any, str]:
        value = getattr(task, field or "state_at")
        if value is None:
            return False, "", task.uuid
        return True, value if isinstance(value, float) else search.fold(str(value)), task.uuid

    return sorted(tasks, key=key, reverse=descending or not sort_by)


#: What a task list may be sorted by: Flower's columns.
COLUMNS = frozenset({
    "name", "uuid", "state", "args", "kwargs", "result", "received", "started", "runtime",
    "worker", "exchange", "routing_key", "retries", "revoked", "exception", "expires", "eta",
})  # fmt: skip


def workers_page(
    services: Services, page: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Give the endpoint of `/workers`: the page, or with `?json=1` what Flower's page asks."""

    async def endpoint(request: Request) -> Response:
        arguments = flower.Arguments(request.query_params)
        try:
            refresh, as_json = arguments.flag("refresh"), arguments.flag("json")
        except BadArgument as refused:
            return _plain(str(refused))
        if refresh:
            services.inspector.request(None)  # Flower does not wait for it either
        if not as_json:
            return await page(request)
        rows = await run_in_threadpool(_worker_rows, services)
        body = msgspec.json.encode({"data": rows})
        return respond(request, body, media_type=_JSON, headers=_FRESH)

    return endpoint


def _worker_rows(services: Services) -> list[Json]:
    now = services.clock()
    with services.state.lock:
        return [
            _worker_row(worker, alive=services.worker_status(worker, now) == "online")
            for worker in services.state.workers.values()
            if not worker.retired
        ]


def _worker_row(worker: Worker, *, alive: bool) -> Json:
    return {
        **worker.counts,
        "hostname": worker.hostname,
        "pid": worker.pid,
        "freq": worker.freq,
        "heartbeats": list(worker.heartbeats),
        "clock": worker.clock,
        "active": worker.active,
        "processed": worker.processed,
        "loadavg": worker.loadavg,
        "sw_ident": worker.sw_ident,
        "sw_ver": worker.sw_ver,
        "sw_sys": worker.sw_sys,
        "status": alive,
    }


def _moved(page: str) -> Answer:
    """Send the browser to the page that has it here."""

    async def answer(asked: Asked) -> Response:
        return RedirectResponse(asked.prefix + page, status_code=302)

    return answer


# ---------------------------------------------------------------------- the routes

_POST = ("POST",)

#: Every route of Flower's that is not in `flower`, and its health answers in `ops`.
ROUTES: Mapping[str, Endpoint] = {
    "/api/worker/shutdown/{name:path}": Endpoint(_shutdown, _POST),
    **{path: Endpoint(one.answer, _POST) for path, one in _WORKER_COMMANDS.items()},
    "/api/task/apply/{name:path}": Endpoint(_apply, _POST),
    "/api/task/async-apply/{name:path}": Endpoint(_async_apply, _POST),
    "/api/task/send-task/{name:path}": Endpoint(_send_task, _POST),
    "/api/task/abort/{name:path}": Endpoint(_abort, _POST),
    "/api/task/timeout/{name:path}": Endpoint(_time_limit, _POST),
    "/api/task/rate-limit/{name:path}": Endpoint(_rate_limit, _POST),
    "/api/task/revoke/{name:path}": Endpoint(_revoke, _POST),
    "/api/task/result/{name:path}": Endpoint(_result),
    "/tasks/datatable": Endpoint(_datatable, ("GET", "POST")),
    "/broker": Endpoint(_moved("/queues")),
}
