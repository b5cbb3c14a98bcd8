"""`GET /api/v1/schedules`: the entries of every schedule, and what became of their last run."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from celeryscope.model.schedule import Entry, Schedule
from celeryscope.model.task import Task
from celeryscope.schedules.overdue import overdue
from celeryscope.web.api.control import ScheduleEntry, ScheduleList, ScheduleSource
from celeryscope.web.services import Services
from celeryscope.web.sources import State

_MOST_TEXT_CHARS = 500
_MOST_OPTIONS = 50
_MOST_OF_NAME = 200  # tasks of one name that are looked at, the newest
_BY_NAME = "Which task it sent last is known by the task's name only."


def schedules(
    services: Services, path: Mapping[str, str], query: Mapping[str, str]
) -> ScheduleList:
    """Answer with every entry, the next to run first. Takes no parameters."""
    now = services.clock()
    read = services.schedules.latest
    with services.state.lock:
        sent = newest(services.state.tasks.values(), {e.task for s in read for e in s.entries})
    entries = [
        _entry(entry, schedule, sent.get(entry.task, ()), now=now, cluster=services.state)
        for schedule in read
        for entry in schedule.entries
    ]
    entries.sort(key=lambda entry: (entry.next_run is None, entry.next_run or 0.0, entry.id))
    sources = [
        ScheduleSource(name=it.source, state=it.state, said=it.said, read_at=it.read_at)
        for it in read
    ]
    return ScheduleList(now=now, sources=sources, entries=entries)


def newest(tasks: Iterable[Task], names: set[str]) -> dict[str, list[Task]]:
    """Give the newest tasks of each name that beat may have sent, newest first.

    Beat sends no task from within another. They are copies: the fold goes on changing its own.
    """
    found: dict[str, list[tuple[float, int, Task]]] = {}
    for number, task in enumerate(tasks):
        if task.name in names and task.parent_id is None:
            heap = found.setdefault(task.name or "", [])
            push = heapq.heappush if len(heap) < _MOST_OF_NAME else heapq.heappushpop
            push(heap, (sent_at(task), number, task))
    return {
        name: [msgspec.structs.replace(task) for _, _, task in sorted(heap, reverse=True)]
        for name, heap in found.items()
    }


def sent_at(task: Task) -> float:
    """Tell when a task was sent, as far as events tell."""
    return task.sent or task.received or task.started or task.first_seen


def last_task(
    entry: Entry, tasks: Sequence[Task], mask: Callable[[str], str] | None
) -> tuple[Task | None, str]:
    """Find the newest task with the name and arguments of an entry; with it, what is in doubt.

    Where no event told any arguments it is the newest of that name.
    """
    wanted = inner(masked(repr(list(entry.args)), mask)), masked(repr(dict(entry.kwargs)), mask)
    if entry.sendable:
        for task in tasks:
            if task.args is None or task.kwargs is None:
                continue
            if (inner(task.args), task.kwargs) == wanted:
                return task, ""
        if any(task.args is not None and not task.truncated for task in tasks):
            return None, ""
    return (tasks[0], _BY_NAME) if tasks else (None, "")


def inner(arguments: str) -> str:
    """Give the text of a tuple or list without what is around it: `(1,)` and `[1]` are the same."""
    text = arguments.strip()
    if text[:1] + text[-1:] in ("()", "[]"):
        text = text[1:-1].removesuffix(",")
    return text


def _entry(
    entry: Entry,
    schedule: Schedule,
    tasks: Sequence[Task],
    *,
    now: float,
    cluster: State,
) -> ScheduleEntry:
    mask = cluster.mask_arguments
    task, doubt = last_task(entry, tasks, mask)
    told, last_run = "source" if entry.last_run is not None else "", entry.last_run
    seen = None if task is None or doubt else sent_at(task)
    if seen is not None and (last_run is None or seen > last_run + 1.0):
        told, last_run = "events", seen
    # A source that fails, or is read now and then, knows nothing of what ran since; of an
    # interval without a last run of its own, the events of this moment tell.
    read_at = schedule.read_at if schedule.read_at is not None and entry.next_run else now
    state, seconds = overdue(entry, last_run=last_run, now=read_at)
    options = _options(entry.options, cluster.mask)
    return ScheduleEntry(
        id=entry.id,
        source=entry.source,
        name=entry.name,
        task=entry.task,
        schedule=entry.schedule,
        raw=entry.raw,
        timezone=entry.timezone,
        enabled=entry.enabled,
        one_off=entry.one_off,
        args=_shown(entry.args, mask),
        kwargs=_shown(dict(entry.kwargs), mask),
        queue=options.get("queue"),
        options=options,
        last_run=last_run,
        last_run_from=told,
        next_run=next_run(entry, last_run),
        total_runs=entry.total_runs,
        last_task=None if task is None else task.uuid,
        last_state=None if task is None else task.state,
        last_runtime=None if task is None else task.ran,
        overdue=state,
        overdue_seconds=seconds,
        note=" ".join(filter(None, (entry.note, doubt))),
    )


def next_run(entry: Entry, last_run: float | None) -> float | None:
    """Tell when an entry runs next; an interval goes on from a run that only events told."""
    if not entry.enabled or entry.one_off or last_run is None or entry.period_seconds is None:
        return entry.next_run
    if entry.next_run is None:
        return last_run + entry.period_seconds if entry.last_run is None else None
    return entry.next_run


def _options(options: Mapping[str, Any], mask: Callable[[str], str] | None) -> dict[str, str]:
    shown = list(options.items())[:_MOST_OPTIONS]
    return {str(name)[:_MOST_TEXT_CHARS]: _shown(value, mask, bare=True) for name, value in shown}


def _shown(value: object, mask: Callable[[str], str] | None, *, bare: bool = False) -> str:
    text = masked(value if bare and isinstance(value, str) else repr(value), mask)
    return text if len(text) <= _MOST_TEXT_CHARS else text[: _MOST_TEXT_CHARS - 1] + "…"


def masked(text: str, mask: Callable[[str], str] | None) -> str:
    """Take the secrets out of a text."""
    return text if mask is None else mask(text)
