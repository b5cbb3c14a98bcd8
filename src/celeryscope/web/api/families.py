"""`GET /api/v1/families/…` and `/api/v1/started/…`: who sent whom, and what a beat entry started."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, structs

from celeryscope.errors import CeleryscopeError, NotFound
from celeryscope.history import lineage
from celeryscope.history.lineage import Member
from celeryscope.history.relatives import MOST_ROOTS
from celeryscope.model.query import And, Match
from celeryscope.model.schedule import Entry
from celeryscope.model.task import Task
from celeryscope.web.api.console import NoQuery, Operation, TaskRow, task_row
from celeryscope.web.api.schedules import inner, masked, sent_at
from celeryscope.web.services import Services

MOST_TASKS: Final = 2_000  # that an answer has
MOST_LOOKED_AT: Final = 10_000
MOST_TOGETHER: Final = 50
_MOST_SECONDS = 4.0  # in the history, for one answer
_MOST_LEVELS = 20  # where only parents are known
_MOST_HEADS = 64  # sent together: tasks whose own families are looked for
_TOGETHER_SECONDS = 0.1
_MOST_ASKED = 200  # tasks whose groups the result backend is asked for
_BACKEND_SECONDS = 0.5
_NEAR_SECONDS = 60.0
#: An event says when it was made, by its sender's clock.
_CLOCKS_SECONDS = 60.0
_MOST_STARTED_LOOKED_AT = 1_000
_STEP = 200

_NOT_ALL = "The history was not looked through to the end: there may be more tasks."
_OTHERS = "Tasks that are not among yours are not shown."
_INFERRED: Final = {
    "group": "Celery's events do not tell of groups: tasks that one process sent one right after "
    "the other are shown as one, where the result backend does not know better.",
    "body": "That a task is a chord's body is inferred from the times.",
    "next": "That a task followed as a link of a chain or as a callback is inferred from times and "
    "arguments.",
}


class FamilyRun(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a worker ran a task."""

    started: float
    ended: float | None  # None: it runs, or nobody told of its end
    state: str


class FamilyTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task of a family."""

    uuid: str
    known: bool  # False: others name it, and nothing was told of it; then all else is unknown
    name: str | None
    state: str | None
    parent: str | None
    depth: int  # how far to indent it; a chord's body stands beside its header
    kind: lineage.Kind
    group: int | None  # the id of its group
    after: list[str]  # of a chord's body: the tasks whose ends it waited for
    sent: float | None  # the first time, like the two below
    received: float | None
    started: float | None
    finished: float | None
    wait: float | None  # seconds from sent (or eta) to started, of the last run
    runtime: float | None  # seconds, of the last run
    retries: int
    runs: list[FamilyRun]  # oldest first
    critical: bool  # it is on the critical path
    worker: str | None
    queue: str | None
    exception: str | None


class FamilyGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that were sent together."""

    id: int
    kind: Literal["group", "chord"]
    parent: str | None  # who sent them; None: a client
    name: str | None  # of all of them; None: they differ
    size: int
    states: dict[str, int]
    body: str | None  # of a chord
    sure: bool  # the result backend has its id; of a chord: its body was given their results


class CriticalStep(msgspec.Struct, frozen=True, kw_only=True):
    """A task that the end of the family waited for."""

    uuid: str
    sent: float | None
    started: float | None
    until: float | None  # when it handed on to the next, or ended; None: it goes on


class StartedBy(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a schedule that may have sent the root."""

    id: str  # source:name
    source: str
    name: str
    sure: bool  # its arguments are the same, too


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A task's whole family: what its root sent, and what that sent, and so on."""

    now: float
    uuid: str  # that was asked for
    root: str
    tasks: list[FamilyTask]  # in the order to draw: each below the one that sent it
    groups: list[FamilyGroup]
    critical: list[CriticalStep]  # in the order of time
    waited: float  # seconds that the critical path waited
    began: float | None
    ended: float | None  # None: it goes on, or is not known
    states: dict[str, int]
    total: int  # tasks that are known
    cut: bool  # there are more than `tasks` has, or may be
    together: list[TaskRow]  # sent at the same moment by the same client, each its own family
    together_total: int
    started_by: list[StartedBy]
    notes: list[str]  # sentences for people: what is inferred, what is missing


class StartedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How many."""

    limit: Annotated[int, Meta(ge=1, le=100, description="At most so many.")] = 20


class StartedTask(TaskRow, frozen=True, kw_only=True):
    """A task that an entry started, and what came of it."""

    family: int  # tasks of its family, itself too
    family_states: dict[str, int]
    family_ended: float | None  # when the last of them ended; None: they go on


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry of a schedule started, newest first."""

    now: float
    entry: str
    task: str
    tasks: list[StartedTask]
    sure: bool  # each has the entry's arguments; False: only the name is the same
    more: bool
    notes: list[str]  # sentences for people: how sure it is, what is missing


# ---------------------------------------------------------------------- a family


def family(services: Services, path: Mapping[str, str], _query: NoQuery) -> Family:
    """See a task's whole family."""
    uuid, now = path["uuid"], services.clock()
    found = _Finder(services).find(uuid)
    told = lineage.build(
        found.tasks, root=found.root, beside=found.beside, groups_of=_groups(services, found)
    )
    shown = _chosen(told.members, uuid)
    notes = [_INFERRED[kind] for kind in sorted(_INFERRED.keys() & told.inferred)]
    if not found.whole:
        notes.append(_NOT_ALL)
    if services.actor.scope.limited:
        notes.append(_OTHERS)
    head = next((one.task for one in told.members if one.uuid == found.root), None)
    return Family(
        now=now,
        uuid=uuid,
        root=found.root,
        tasks=[_family_task(one) for one in shown],
        groups=[_family_group(one) for one in told.groups],
        critical=[
            CriticalStep(uuid=one.uuid, sent=one.sent, started=one.started, until=one.until)
            for one in told.critical
        ],
        waited=_waited(told.critical, now),
        began=told.began,
        ended=told.ended,
        states=told.states,
        total=sum(told.states.values()),
        cut=not found.whole or len(shown) < len(told.members),
        together=[task_row(task) for task in told.together[:MOST_TOGETHER]],
        together_total=len(told.together),
        started_by=_started_by(services, head),
        notes=notes,
    )


def _groups(services: Services, found: _Found) -> Mapping[str, str | None]:
    """Ask the result backend for the groups of those that were sent by one sender, if it knows."""
    siblings: dict[str | None, list[str]] = {}
    for task in (*found.tasks, *found.beside):
        parent = None if task.uuid == found.root else task.parent_id
        siblings.setdefault(parent, [])
        if task.finished:
            siblings[parent].append(task.uuid)
    several = [ids for ids in siblings.values() if len(ids) > 1]
    if not several:
        return {}
    share = max(2, _MOST_ASKED // len(several))
    asked = [uuid for ids in several for uuid in ids[:share]][:_MOST_ASKED]
    try:
        return services.results.groups(asked, timeout_seconds=_BACKEND_SECONDS)
    except CeleryscopeError:
        return {}  # then groups are inferred, and it is said so


class _Found(msgspec.Struct):
    root: str
    tasks: list[Task]
    beside: list[Task]
    whole: bool


class _Finder:
    """Looks for the tasks of a family, in memory and in the history."""

    def __init__(self, services: Services) -> None:
        self._history = services.history
        with services.state.lock:
            known = list(services.state.tasks.values())
        self._memory = known
        self._lock = services.state.lock
        self._until = time.monotonic() + _MOST_SECONDS
        self.whole = True  # False: there may be tasks that were not looked at

    def find(self, uuid: str) -> _Found:
        """Raises NotFound where nobody told of the task, and none names it."""
        task = self.task(uuid)
        root = uuid if task is None or task.root_id is None else task.root_id
        tasks = self._of_root(root, task)
        if not tasks:
            raise NotFound("task", uuid)
        head = tasks.get(root)
        beside: dict[str, Task] = {}
        if head is not None and head.parent_id in (None, root):
            beside = self._beside(head)
        for one in tasks:
            beside.pop(one, None)
        return _Found(root, list(tasks.values()), list(beside.values()), self.whole)

    def task(self, uuid: str) -> Task | None:
        """Look for one task."""
        mine = [task for task in self._memory if task.uuid == uuid]
        old = None if self._history is None else self._history.task(uuid)
        return self._merged(mine, [] if old is None else [old]).get(uuid)

    def families(self, roots: Sequence[Task]) -> dict[str, list[Task]]:
        """Look for the tasks of several roots at once."""
        found: dict[str, list[Task]] = {root.uuid: [] for root in roots}
        mine = [one for one in self._memory if one.root_id in found or one.uuid in found]
        since = min(map(sent_at, roots), default=0.0) - _CLOCKS_SECONDS
        for one in self._merged(mine, self._relatives(list(found), "root", since)).values():
            root = one.root_id if one.root_id in found else one.uuid
            if root in found:
                found[root].append(one)
        return found

    def _of_root(self, root: str, task: Task | None) -> dict[str, Task]:
        head = self.task(root) if task is None or task.uuid != root else task
        since = None if head is None else sent_at(head) - _CLOCKS_SECONDS
        mine = [one for one in self._memory if root in (one.root_id, one.uuid)]
        found = self._merged(mine, self._relatives([root], "root", since))
        if task is not None:
            found.setdefault(task.uuid, task)
        if head is None or head.root_id is None:
            self._add_children(found, [root], since)
        return found

    def _add_children(self, found: dict[str, Task], ids: list[str], since: float | None) -> None:
        """Look for what names these as parents, level by level: of them no root is known."""
        for _ in range(_MOST_LEVELS):
            if not ids:
                return
            if len(found) >= MOST_LOOKED_AT:
                break
            wanted = set(ids)
            mine = [one for one in self._memory if one.parent_id in wanted]
            new = self._merged(mine, self._relatives(ids, "parent", since))
            ids = [uuid for uuid in new if uuid not in found]
            found.update((uuid, new[uuid]) for uuid in ids)
        self.whole = self.whole and not ids

    def _beside(self, head: Task) -> dict[str, Task]:
        """Look for what the same client sent right before and after, with their families."""
        if head.client is None or head.sent is None:
            return {}
        mine = [
            one
            for one in self._memory
            if one.client == head.client
            and one.parent_id is None
            and one.sent is not None
            and abs(one.sent - head.sent) <= _NEAR_SECONDS
        ]
        old = [] if self._history is None else self._history.beside(head.uuid)
        near = sorted(self._merged(mine, old).values(), key=sent_at)
        batch = _batch(near, head)
        if len(batch) < 2:
            return {}
        heads = [one.uuid for one in batch if one.uuid != head.uuid]
        if len(heads) > _MOST_HEADS:  # a chord's body belongs to the one that ended last
            last = max(batch, key=lambda one: one.state_at)
            heads = [last.uuid] if last.uuid != head.uuid else []
        found = {one.uuid: one for one in batch}
        wanted = set(heads)
        own = [one for one in self._memory if one.root_id in wanted]
        since = sent_at(batch[0]) - _CLOCKS_SECONDS
        return found | self._merged(own, self._relatives(heads, "root", since))

    def _relatives(
        self, ids: Sequence[str], by: Literal["root", "parent"], since: float | None
    ) -> list[Task]:
        if self._history is None:
            return []
        tasks: list[Task] = []
        for start in range(0, len(ids), MOST_ROOTS):
            found = self._history.relatives(
                ids[start : start + MOST_ROOTS],
                by=by,
                since=since,
                most=MOST_LOOKED_AT,
                most_seconds=self._left(),
            )
            self.whole = self.whole and found.whole
            tasks += found.tasks
        return tasks

    def named(self, name: str, now: float) -> tuple[list[Task], bool]:
        """Look for the newest tasks of a name in the history; False: there are more."""
        found: list[Task] = []
        if self._history is None:
            return found, True
        after, asked = None, And((Match("name", ((name,),)),))
        while len(found) < _MOST_STARTED_LOOKED_AT:
            page = self._history.search(
                asked, now=now, after=after, limit=_STEP, most_seconds=self._left() / 2
            )
            found += page.tasks
            if not page.more or page.after is None or not page.whole:
                return found, not page.more
            after = page.after
        return found, False

    def _left(self) -> float:
        """Say for how many seconds it may still look."""
        return max(0.0, self._until - time.monotonic())

    def _merged(self, mine: Iterable[Task], old: Iterable[Task]) -> dict[str, Task]:
        """Join what memory and history have; of one task the one that knows more, then later."""
        found = {task.uuid: task for task in old}
        with self._lock:  # the fold goes on changing its own
            for task in mine:
                known = found.get(task.uuid)
                if known is None or _knows_more(task, known):
                    found[task.uuid] = structs.replace(task)
        return found


def _knows_more(task: Task, other: Task) -> bool:
    return (task.name is not None, task.state_at) >= (other.name is not None, other.state_at)


def _batch(near: Sequence[Task], head: Task) -> list[Task]:
    """Give those of a client's tasks that it sent together with one, oldest first."""
    current: list[Task] = []
    for task in near:
        if current and sent_at(task) - sent_at(current[-1]) > _TOGETHER_SECONDS:
            if any(one.uuid == head.uuid for one in current):
                break
            current = []
        current.append(task)
    return current if any(one.uuid == head.uuid for one in current) else []


def _chosen(members: Sequence[Member], uuid: str) -> list[Member]:
    """Leave out the last of too many, but not the one asked for and the critical path."""
    if len(members) <= MOST_TASKS:
        return list(members)
    by_uuid = {one.uuid: one for one in members}
    kept: set[str] = {one.uuid for one in members if one.critical}
    at = by_uuid.get(uuid)
    while at is not None and at.uuid not in kept:
        kept.add(at.uuid)
        at = None if at.parent is None else by_uuid.get(at.parent)
    kept = set(list(kept)[:MOST_TASKS])
    for one in sorted(members, key=lambda one: one.depth):
        if len(kept) >= MOST_TASKS:
            break
        kept.add(one.uuid)
    return [one for one in members if one.uuid in kept]


def _family_task(one: Member) -> FamilyTask:
    task = one.task
    return FamilyTask(
        uuid=one.uuid,
        known=task is not None,
        name=None if task is None else task.name,
        state=None if task is None else task.state,
        parent=one.parent,
        depth=one.depth,
        kind=one.kind,
        group=one.group,
        after=list(one.after),
        sent=one.sent,
        received=None if task is None else task.received,
        started=one.started,
        finished=one.ended,
        wait=None if task is None else task.wait,
        runtime=None if task is None else task.ran,
        retries=0 if task is None else task.retries,
        runs=[FamilyRun(started=run.started, ended=run.ended, state=run.state) for run in one.runs],
        critical=one.critical,
        worker=None if task is None else task.worker,
        queue=None if task is None else task.queue,
        exception=None if task is None else task.exception,
    )


def _family_group(one: lineage.Group) -> FamilyGroup:
    return FamilyGroup(
        id=one.id,
        kind=one.kind,
        parent=one.parent,
        name=one.name,
        size=len(one.members),
        states=one.states,
        body=one.body,
        sure=one.sure,
    )


def _waited(steps: Sequence[lineage.Step], now: float) -> float:
    waited = 0.0
    for step in steps:
        began = step.sent
        if began is not None:
            until = step.started if step.started is not None else step.until
            waited += max(0.0, (now if until is None else until) - began)
    return round(waited, 6)


# ---------------------------------------------------------------------- schedules


def started(services: Services, path: Mapping[str, str], query: StartedQuery) -> Started:
    """See what an entry of a schedule started."""
    now = services.clock()
    entry = _entry(services, path["entry"])
    finder = _Finder(services)
    finder_notes: list[str] = []
    looked_at, whole = _sent_by(services, finder, entry.task, now)
    same = _same_arguments(services, entry)
    sure = [task for task in looked_at if same(task)]
    told = any(task.args is not None for task in looked_at)
    chosen = sure if told and entry.sendable else looked_at
    if not (told and entry.sendable) and chosen:
        finder_notes.append("Nothing tells their arguments: they have the entry's name alone.")
    elif chosen:
        finder_notes.append(
            "No event names the entry. These have its name and its arguments, and no task sent "
            "them; somebody may have sent the same by hand."
        )
    if not whole:
        finder_notes.append(f"Only the newest {len(looked_at):,} tasks of its name were looked at.")
    if services.history is None:
        finder_notes.append("Nothing is kept: these are the tasks in memory.")
    rows = chosen[: query.limit]
    families = finder.families(rows)
    if not finder.whole:
        finder_notes.append(_NOT_ALL)
    return Started(
        now=now,
        entry=entry.id,
        task=entry.task,
        tasks=[_started_task(task, families.get(task.uuid, [])) for task in rows],
        sure=bool(told and entry.sendable),
        more=len(chosen) > len(rows) or not whole,
        notes=finder_notes,
    )


def _entry(services: Services, ident: str) -> Entry:
    for schedule in services.schedules.latest:
        for entry in schedule.entries:
            if entry.id == ident:
                return entry
    raise NotFound("entry", ident)


def _sent_by(services: Services, finder: _Finder, name: str, now: float) -> tuple[list[Task], bool]:
    """Give the newest tasks of a name that no task sent, and whether these are all."""
    with services.state.lock:
        mine = [structs.replace(one) for one in services.state.tasks.values() if one.name == name]
    old, whole = finder.named(name, now)
    found = {task.uuid: task for task in old}
    for task in mine:
        if task.uuid not in found or _knows_more(task, found[task.uuid]):
            found[task.uuid] = task
    heads = [one for one in found.values() if one.parent_id is None and one.name == name]
    return sorted(heads, key=sent_at, reverse=True), whole


def _same_arguments(services: Services, entry: Entry) -> Callable[[Task], bool]:
    mask = services.state.mask
    args = inner(masked(repr(list(entry.args)), mask))
    kwargs = masked(repr(dict(entry.kwargs)), mask)

    def same(task: Task) -> bool:
        if task.args is None or task.kwargs is None:
            return False
        return (inner(task.args), task.kwargs) == (args, kwargs)

    return same


def _started_task(task: Task, family: Sequence[Task]) -> StartedTask:
    members = [task, *(one for one in family if one.uuid != task.uuid)]
    over = all(one.finished or one.state == lineage.LOST for one in members)
    return StartedTask(
        **structs.asdict(task_row(task)),
        family=len(members),
        family_states=dict(Counter(one.state for one in members)),
        family_ended=max(one.state_at for one in members) if over else None,
    )


def _started_by(services: Services, root: Task | None) -> list[StartedBy]:
    """Give the entries that may have sent a root: those with its arguments, if there are any."""
    if root is None or root.name is None or root.parent_id is not None:
        return []
    found = list(_entries_of(services, root.name))
    same = [entry for entry in found if entry.sendable and _same_arguments(services, entry)(root)]
    doubtful = [] if root.args is not None else found
    return [
        StartedBy(id=entry.id, source=entry.source, name=entry.name, sure=bool(same))
        for entry in (same or doubtful)[:10]
    ]


def _entries_of(services: Services, name: str) -> Iterator[Entry]:
    for schedule in services.schedules.latest:
        for entry in schedule.entries:
            if entry.task == name:
                yield entry


FAMILY = Operation(family, NoQuery, Family, heavy=True)
STARTED = Operation(started, StartedQuery, Started, heavy=True)
