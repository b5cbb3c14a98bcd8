"""Flower's read API, answering as Flower 2.2 does: shapes, filters, status codes, texts.

What changes something, and the rest of Flower's routes, are in `flower_control`.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any

from starlette.datastructures import QueryParams

from celeryscope.errors import BadArgument, CeleryscopeError, NotFound, Unavailable
from celeryscope.model.task import Task
from celeryscope.web import known as knowing
from celeryscope.web import search
from celeryscope.web.search import fold
from celeryscope.web.services import Services
from celeryscope.web.sources import Inspection

Json = dict[str, Any]

SORT_KEYS = ("name", "received", "started", "state")
_DATE = "%Y-%m-%d %H:%M"
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})
_OVERVIEW = ("stats", "active_queues", "registered", "conf")
_TASK_LISTS = ("scheduled", "active", "reserved", "revoked")  # of one worker only: they are long
_EVERY = "All"  # a filter of this value filters nothing


class SearchRefused(Exception):
    """The search text is not in the language: Flower tells it as JSON with status 400."""


class Arguments:
    """A query string as Flower reads it: the last value counts, blanks around it do not."""

    def __init__(self, params: QueryParams) -> None:
        self._params = params

    def text(self, name: str) -> str | None:
        """Give the value, or None when the argument is absent."""
        value = self._params.get(name)
        return None if value is None else value.strip()

    def filter(self, name: str) -> str | None:
        """Give the value to filter by; None when nothing is to be filtered."""
        value = self.text(name)
        return None if value in (None, "", _EVERY) else value

    def required(self, name: str) -> str:
        """Give the value of an argument that must be there."""
        value = self.text(name)
        if not value:
            raise BadArgument(name, f"Missing argument {name}")
        return value

    def number(self, name: str) -> float | None:
        """Give a number, or None when the argument is absent."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return float(value)
        except ValueError:
            raise BadArgument(name, f"Invalid argument '{value}' of type 'float'") from None

    def integer(self, name: str) -> int | None:
        """Give a whole number, or None when the argument is absent."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError:
            raise BadArgument(name, f"Invalid argument '{value}' of type 'int'") from None

    def flag(self, name: str) -> bool:
        """Give a truth value; absent is False."""
        value = (self.text(name) or "").lower()
        if value in _TRUE:
            return True
        if value in _FALSE or name not in self._params:
            return False
        raise BadArgument(name, f"Invalid argument '{self.text(name)}' of type 'bool'")

    def minute(self, name: str) -> float | None:
        """Give a time of the server's time zone as epoch seconds."""
        value = self.text(name)
        if not value:
            return None
        try:
            return time.mktime(time.strptime(value, _DATE))
        except (ValueError, OverflowError):
            raise BadArgument(
                name,
                "Invalid received_start or received_end, expected format 'YYYY-MM-DD HH:MM'",
            ) from None


def workers(services: Services, _path: Mapping[str, str], arguments: Arguments) -> Json:
    """`GET /api/workers`: what inspect told of the workers, or whether they are alive."""
    refresh, status = arguments.flag("refresh"), arguments.flag("status")
    name = arguments.text("workername") or None
    if refresh:
        _refresh(services, name)
    if status:
        return _alive(services)
    latest = services.inspector.latest
    if name is None:
        return {known: _worker(inspection, _OVERVIEW) for known, inspection in latest.items()}
    if name not in latest:
        raise NotFound("worker", name)
    return {name: _worker(latest[name], _OVERVIEW + _TASK_LISTS)}


def _refresh(services: Services, name: str | None) -> None:
    try:
        services.inspector.request(name).result(services.refresh_timeout_seconds)
    except TookTooLong:
        pass  # what is known by then is the answer, as in Flower
    except (CeleryscopeError, OSError) as fault:
        raise Unavailable(f"Failed to update workers: {fault}") from fault


def _alive(services: Services) -> dict[str, bool]:
    now = services.clock()
    with services.state.lock:
        known = list(services.state.workers.values())
    return {worker.hostname: services.worker_status(worker, now) == "online" for worker in known}


def _worker(inspection: Inspection, methods: Iterable[str]) -> Json:
    answers = {method: getattr(inspection, method) for method in methods}
    given = {method: answer for method, answer in answers.items() if answer is not None}
    broker = given.get("stats", {}).get("broker")
    if isinstance(broker, dict) and "alternates" in broker:
        # Celery does not mask the passwords in there; Flower leaves it out as well.
        safe = {name: value for name, value in broker.items() if name != "alternates"}
        given["stats"] = {**given["stats"], "broker": safe}
    return {**given, "timestamp": inspection.at}


def tasks(services: Services, _path: Mapping[str, str], arguments: Arguments) -> Json:
    """`GET /api/tasks`: the tasks in memory, filtered, sorted, cut."""
    limit, offset = arguments.integer("limit"), max(arguments.integer("offset") or 0, 0)
    sort_by = arguments.text("sort_by")
    if sort_by and sort_by.lstrip("-") not in SORT_KEYS:
        expected = ", ".join(SORT_KEYS)
        raise BadArgument("sort_by", f"Invalid sort_by '{sort_by}', expected one of {expected}")
    keep = _filter(arguments)
    with services.state.lock:
        known = list(services.state.tasks.values())
    chosen = _ordered([task for task in known if keep(task)], sort_by or "", offset, limit)
    children = children_of(known)
    return {task.uuid: _listed(task, children) for task in chosen}


def _filter(arguments: Arguments) -> Callable[[Task], bool]:
    """Make the test that the query string asks for."""
    start, end = arguments.minute("received_start"), arguments.minute("received_end")
    exact = [
        (field, fold(value))
        for field, argument in (("name", "taskname"), ("worker", "workername"), ("state", "state"))
        if (value := arguments.filter(argument))
    ]
    try:
        found = search.compile_search(arguments.text("search"))
    except BadArgument as refused:
        raise SearchRefused(str(refused)) from refused

    def keep(task: Task) -> bool:
        received = task.received
        return (
            all(fold(getattr(task, field)) == value for field, value in exact)
            and (start is None or received is None or received >= start)
            and (end is None or received is None or received <= end)
            and (found is None or found(task))
        )

    return keep


def _ordered(tasks: list[Task], sort_by: str, offset: int, limit: int | None) -> list[Task]:
    field = sort_by.lstrip("-")
    descending = sort_by.startswith("-") or not sort_by  # unsorted means the newest first

    def key(task: Task) -> tuple[bool, Any, str]:
        if not field:
            return True, task.state_at, task.uuid
        value = getattr(task, field)
        if value is None:
            return False, "", task.uuid
        return True, fold(value) if isinstance(value, str) else value, task.uuid

    end = len(tasks) if limit is None else offset + max(limit, 0)
    select = heapq.nlargest if descending else heapq.nsmallest
    return select(end, tasks, key=key)[offset:]


def children_of(known: list[Task]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {}
    for task in known:
        if task.parent_id is not None:
            children.setdefault(task.parent_id, []).append(task.uuid)
    return children


def shown(task: Task, children: Mapping[str, list[str]]) -> Json:
    """Give a task as Flower tells of one; `children` has the ids of each task's own."""
    # Both events that carry `retries` may have been missed; then it is not known.
    told = task.sent is not None or task.received is not None
    return {
        "uuid": task.uuid,
        "name": task.name,
        "state": task.state,
        "received": task.received,
        "sent": task.sent,
        "started": task.started,
        "rejected": task.rejected,
        "succeeded": task.succeeded,
        "failed": task.failed,
        "retried": task.retried,
        "revoked": task.revoked,
        "args": task.args,
        "kwargs": task.kwargs,
        "eta": task.eta,
        "expires": task.expires,
        "retries": task.retries if told else None,
        "worker": task.worker,
        "result": task.result,
        "exception": task.exception,
        "timestamp": task.state_at or None,
        "runtime": task.runtime,
        "traceback": task.traceback,
        "exchange": task.exchange,
        "routing_key": task.routing_key,
        "clock": task.state_clock,
        "client": task.client,
        "root": task.root_id,
        "root_id": task.root_id,
        "parent": task.parent_id,
        "parent_id": task.parent_id,
        "children": children.get(task.uuid, []),
    }


def _listed(task: Task, children: Mapping[str, list[str]]) -> Json:
    """Give a task as the list has it: without a worker rather than with a null one."""
    answer = shown(task, children)
    if answer["worker"] is None:
        del answer["worker"]
    return answer


def task_info(services: Services, path: Mapping[str, str], _arguments: Arguments) -> Json:
    """`GET /api/task/info/{id}`: one task."""
    found = knowing.find(services, path["task_id"])
    if found is None:
        raise NotFound("task", path["task_id"])
    children = [child.uuid for child in knowing.children(services, found)]
    if found.parent_id == found.uuid:  # of a retry whose first run nobody saw Flower says so
        children.append(found.uuid)
    return shown(found, {found.uuid: children})


def task_types(services: Services, _path: Mapping[str, str], _arguments: Arguments) -> Json:
    """`GET /api/task/types`: the task names seen."""
    with services.state.lock:
        return {"task-types": sorted(services.state.names)}


def queue_lengths(services: Services, _path: Mapping[str, str], _arguments: Arguments) -> Json:
    """`GET /api/queues/length`: the queues that workers consume, and how full they are."""
    latest = services.queues.latest
    consumed = {
        queue.get("name")
        for inspection in services.inspector.latest.values()
        for queue in inspection.active_queues or []
    }
    wanted = [q for name, q in sorted(latest.items()) if name in consumed or not consumed]
    known = [depth for depth in wanted if depth.messages is not None]
    if not known:
        faults = [depth.error for depth in wanted if depth.error]
        why = services.queues.error or next(iter(faults), "they were not read yet")
        raise Unavailable(f"Queue lengths are not known: {why}")
    return {"active_queues": [{"name": q.name, "messages": q.messages} for q in known]}


Answer = Callable[[Services, Mapping[str, str], Arguments], Json]
