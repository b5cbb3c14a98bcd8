"""Tasks that are known here: in memory, else in the history. What limited people see is theirs."""

from __future__ import annotations

import contextlib
from typing import Final, NamedTuple

from msgspec import structs

from celeryscope.errors import NotFound, Unavailable
from celeryscope.history.record import Attempt
from celeryscope.model.query import And, At, Match
from celeryscope.model.task import Task
from celeryscope.web import attempts
from celeryscope.web.services import Services
from celeryscope.web.sources import History

MOST_CHILDREN: Final = 1_000
_FAMILY_SECONDS: Final = 0.5
#: A child's clock may be so far behind its parent's.
_MOST_SKEW_SECONDS: Final = 3_600.0


class Life(NamedTuple):
    """A task and its runs."""

    task: Task
    attempts: list[Attempt]
    is_old: bool  # it is in the history only


class Family(NamedTuple):
    """The tasks around one; None: there is none, or it is not known."""

    root: Task | None
    parent: Task | None
    children: list[Task]  # MOST_CHILDREN and those in memory at most


def find(services: Services, uuid: str) -> Task | None:
    """Give a task. Raises Unavailable where it is not in memory and the history cannot be read."""
    found = services.state.tasks.get(uuid)
    if found is None and services.history is not None:
        found = services.history.task(uuid)
    return found


def life(services: Services, uuid: str) -> Life:
    """Give a task with its runs. Raises NotFound, and Unavailable as `find` does."""
    newer = services.state.tasks.get(uuid)
    if newer is None:
        found = None if services.history is None else services.history.task(uuid)
        if found is None or services.history is None:
            raise NotFound("task", uuid)
        return Life(found, services.history.attempts(uuid), True)
    runs = attempts.of_task(newer)
    if services.history is None:
        return Life(newer, runs, False)
    try:
        runs = attempts.merged(runs, services.history.attempts(uuid))
    except Unavailable:
        return Life(newer, runs, False)  # the page says that the history is in trouble
    return Life(_with_traceback(newer, runs), runs, False)


def _with_traceback(task: Task, runs: list[Attempt]) -> Task:
    """Give a task that came back into memory, after a restart, with its long text."""
    if task.traceback is not None or task.exception is None:
        return task
    texts = [run.traceback for run in runs if run.exception == task.exception]
    return structs.replace(task, traceback=texts[-1]) if texts else task


def family(services: Services, task: Task) -> Family:
    """Give the tasks around one; as far as memory goes where the history cannot be read."""
    root = services.state.tasks.get(task.root_id or "") if task.root_id != task.uuid else None
    parent = services.state.tasks.get(task.parent_id or "")
    if services.history is not None:
        try:
            if root is None and task.root_id not in (None, task.uuid):
                root = services.history.task(task.root_id or "")
            if parent is None and task.parent_id is not None:
                parent = services.history.task(task.parent_id)
        except Unavailable:
            pass  # the page says that the history is in trouble
    return Family(root, parent, children(services, task))


def children(services: Services, task: Task) -> list[Task]:
    """Give the tasks that one sent; as far as memory goes where the history cannot be read."""
    with services.state.lock:
        in_memory = list(services.state.tasks.values())
    found = {
        one.uuid: one for one in in_memory if one.parent_id == task.uuid and one.uuid != task.uuid
    }
    if services.history is not None:
        with contextlib.suppress(Unavailable):  # the page says that the history is in trouble
            for child in _stored_children(services.history, task, services.clock()):
                found.setdefault(child.uuid, child)
    return list(found.values())


def _stored_children(history: History, task: Task, now: float) -> list[Task]:
    began = min(task.first_seen, task.state_at) - _MOST_SKEW_SECONDS
    query = And((Match("parent", ((task.uuid,),)), At("since", max(0.0, began))))
    page = history.search(
        query, now=now, sort="oldest", limit=MOST_CHILDREN, most_seconds=_FAMILY_SECONDS
    )
    return [child for child in page.tasks if child.uuid != task.uuid]
