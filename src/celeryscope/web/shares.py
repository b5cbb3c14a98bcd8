"""What of the cluster somebody sees whose queues or tasks are limited.

Every source that answers are made from is behind a share: it has only what is theirs, so that an
answer that is made for everybody tells limited people nothing of others. Figures of the cluster as
a whole go through as they are: counts by state, rates, load. A task whose name or queue nobody
knows is not theirs where that is limited.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
from msgspec import structs

from celeryscope.cluster.durations import Histogram
from celeryscope.cluster.heartbeats import Heartbeat
from celeryscope.cluster.state import NameStats
from celeryscope.control.results import Result
from celeryscope.errors import NotFound
from celeryscope.history.finding import Count, Extent, Facets
from celeryscope.history.finding import Page as TaskPage
from celeryscope.history.record import Attempt
from celeryscope.history.relatives import Relatives
from celeryscope.history.searches import Search
from celeryscope.model.actor import Actor, Scope
from celeryscope.model.message import Message, Page
from celeryscope.model.query import Query
from celeryscope.model.schedule import Entry, Schedule
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.web.figures import Figures
from celeryscope.web.outcomes import Outcomes
from celeryscope.web.sources import (
    Action,
    DepthHistory,
    Desk,
    History,
    Inspection,
    Inspector,
    Messages,
    Place,
    QueueDepth,
    Queues,
    Results,
    Schedules,
    Searches,
    State,
    Trend,
    Waitable,
)

_MOST_SHARES: Final = 200
_MOST_REMEMBERED: Final = 10_000
#: How old it may be which names somebody has tasks of.
_NAMES_SECONDS: Final = 2.0
_NOT_THEIRS: Final = "It is not among your queues and tasks."
_NOT_TOLD: Final = "The broker does not tell of its queues now."
_LISTS: Final = ("active", "reserved", "scheduled")

V = TypeVar("V")


class Whole(Protocol):
    """Services that show everything."""

    @property
    def state(self) -> State: ...
    @property
    def inspector(self) -> Inspector: ...
    @property
    def queues(self) -> Queues: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def results(self) -> Results: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def history(self) -> History | None: ...
    @property
    def figures(self) -> Figures: ...
    @property
    def clock(self) -> Callable[[], float]: ...


class Shares:
    """The shares of those who looked lately, by their limits. Used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Scope, Share] = OrderedDict()

    def of(self, services: Whole, scope: Scope) -> Share:
        """Give the share of a scope."""
        with self._lock:
            share = self._known.get(scope)
            if share is None or not share.is_of(services):
                share = self._known[scope] = Share(services, scope)
            self._known.move_to_end(scope)
            while len(self._known) > _MOST_SHARES:
                self._known.popitem(last=False)
        return share


class Share:
    """All that people with the same limits see; it is made once for all of them."""

    def __init__(self, services: Whole, scope: Scope) -> None:
        self._whole = services
        self.state = StateShare(services.state, scope, clock=services.clock)
        self.inspector = InspectorShare(services.inspector, self.state)
        self.queues = QueuesShare(services.queues, scope)
        self.messages = MessagesShare(services.messages, scope)
        self.schedules = SchedulesShare(services.schedules, scope)
        self.figures: Figures = services.figures.apart()
        self.history: History | None = None
        if services.history is not None:
            self.history = HistoryShare(services.history, self.state)
        self.results = ResultsShare(services.results, self.state, self.history)

    def is_of(self, services: Whole) -> bool:
        """Say whether it is a share of what these services show."""
        mine = self._whole
        return (
            mine.state is services.state
            and mine.figures is services.figures
            and mine.history is services.history
        )


class _Theirs(Mapping[str, V], Generic[V]):
    """Those values of a mapping that are theirs, which may change all the time."""

    def __init__(
        self, whole: Callable[[], Mapping[str, V]], show: Callable[[str, V], V | None]
    ) -> None:
        """`show` gives what they see of a value, or None where it is not theirs."""
        self._whole = whole
        self._show = show

    def __getitem__(self, key: str) -> V:
        value = self._whole().get(key)
        shown = None if value is None else self._show(key, value)
        if shown is None:
            raise KeyError(key)
        return shown

    def __iter__(self) -> Iterator[str]:
        show = self._show
        # The copy is made at once, whoever changes the mapping meanwhile.
        return (key for key, value in list(self._whole().items()) if show(key, value) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def values(self) -> ValuesView[V]:
        return _Values(self)

    def shown(self) -> Iterator[V]:
        """Give what they see of each that is theirs."""
        for key, value in list(self._whole().items()):
            shown = self._show(key, value)
            if shown is not None:
                yield shown


class _Values(ValuesView[V]):
    """As `ValuesView`, which would look up each value once more."""

    def __init__(self, theirs: _Theirs[V]) -> None:
        super().__init__(theirs)
        self._theirs = theirs

    def __iter__(self) -> Iterator[V]:
        return self._theirs.shown()


# ---------------------------------------------------------------------- the cluster


class StateShare:
    """The cluster's tasks, names and queues that are theirs; workers and counts are everybody's."""

    def __init__(self, state: State, scope: Scope, *, clock: Callable[[], float]) -> None:
        self.scope = scope
        self._by_queue = not scope.has_queue(None)  # are their queues limited?
        self._state = state
        self._clock = clock
        self._verdicts: dict[tuple[str | None, str | None], bool] = {}
        self._own_names: frozenset[str] = frozenset()
        self._own_names_at: tuple[int, float] = (-1, 0.0)  # task changes, our clock
        self._tasks = _Theirs(lambda: state.tasks, lambda _, task: self.shown(task))
        self._names = _Theirs(lambda: state.names, self._shown_name)

    # ------------------------------------------------------------------ what is theirs

    def has(self, task: Task) -> bool:
        """Say whether a task is theirs."""
        key = task.name, task.queue
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= _MOST_REMEMBERED:
                self._verdicts.clear()
            # A task that ran under another's id may carry what that one left.
            verdict = self._verdicts[key] = self.scope.has_task(*key)
        return verdict and all(self.scope.has_name(name) for _, name in task.renamed)

    def shown(self, task: Task) -> Task | None:
        """Give a task as they see it, without the ids of others; None: it is not theirs."""
        if not self.has(task):
            return None
        parent, root = task.parent_id, task.root_id
        if (parent is None or self._has_id(parent)) and (
            root is None or root == task.uuid or self._has_id(root)
        ):
            return task
        return structs.replace(
            task,
            parent_id=parent if parent is not None and self._has_id(parent) else None,
            root_id=root if root is not None and self._has_id(root) else None,
        )

    def is_foreign(self, uuid: str) -> bool:
        """Say whether a task in memory is not theirs: it knows of more than the history, as that
        another task ran under the id."""
        task = self._state.tasks.get(uuid)
        return task is not None and not self.has(task)

    def has_name(self, name: str) -> bool:
        """Say whether tasks of this name are theirs, at least some."""
        if not self.scope.has_name(name):
            return False
        return not self._by_queue or name in self._names_in_queues()

    def _has_id(self, uuid: str) -> bool:
        task = self._state.tasks.get(uuid)
        return task is not None and self.has(task)

    def _names_in_queues(self) -> frozenset[str]:
        """Give the names of their tasks: a name by itself is in no queue."""
        changes, now = self._state.task_changes, self._clock()
        seen, at = self._own_names_at
        if changes != seen and not at <= now < at + _NAMES_SECONDS:
            tasks = list(self._state.tasks.values())
            self._own_names = frozenset(
                task.name for task in tasks if task.name is not None and self.has(task)
            )
            self._own_names_at = changes, now
        return self._own_names

    def _shown_name(self, _key: str, stats: NameStats) -> NameStats | None:
        if not self.has_name(stats.name):
            return None
        failed = stats.last_failed
        if not self._by_queue or (failed is not None and self._has_id(failed)):
            return stats
        # It may have failed in a queue of others.
        return structs.replace(stats, last_exception=None, last_failed=None)

    # ------------------------------------------------------------------ what is read

    @property
    def tasks(self) -> Mapping[str, Task]:
        return self._tasks

    @property
    def names(self) -> Mapping[str, NameStats]:
        return self._names

    @property
    def sent_to(self) -> Mapping[str, int]:
        return self._of_queues(self._state.sent_to)

    @property
    def taken_from(self) -> Mapping[str | None, int]:
        counts = list(self._state.taken_from.items())
        return {name: count for name, count in counts if self.scope.has_queue(name)}

    @property
    def sole_queues(self) -> Mapping[str, str]:
        read = self._state.sole_queues.items()
        return {worker: queue for worker, queue in read if self.scope.has_queue(queue)}

    def _of_queues(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name: n for name, n in list(counts.items()) if self.scope.has_queue(name)}

    # ------------------------------------------------------------------ what is everybody's

    @property
    def lock(self) -> AbstractContextManager[Any]:
        return self._state.lock

    @property
    def mask(self) -> Callable[[str], str] | None:
        return self._state.mask

    @property
    def mask_arguments(self) -> Callable[[str], str] | None:
        return self._state.mask_arguments

    @property
    def keep_arguments(self) -> bool:
        return self._state.keep_arguments

    @property
    def workers(self) -> Mapping[str, Worker]:
        return self._state.workers

    @property
    def states(self) -> Mapping[str, int]:
        return self._state.states

    @property
    def totals(self) -> Mapping[str, int]:
        return self._state.totals

    @property
    def waits(self) -> Histogram:
        return self._state.waits

    @property
    def runtimes(self) -> Histogram:
        return self._state.runtimes

    @property
    def task_changes(self) -> int:
        return self._state.task_changes

    @property
    def accepted(self) -> int:
        return self._state.accepted

    @property
    def duplicates(self) -> int:
        return self._state.duplicates

    @property
    def max_tasks(self) -> int:
        return self._state.max_tasks

    @property
    def evicted(self) -> int:
        return self._state.evicted

    @property
    def evicted_live(self) -> int:
        return self._state.evicted_live

    def clients_ahead(self) -> Mapping[str | None, float]:
        return self._state.clients_ahead()

    def heartbeats(self, hostname: str, now: float) -> list[Heartbeat]:
        return self._state.heartbeats(hostname, now)

    def recent_changes(self, after: int) -> list[tuple[Task, int]]:
        changed = [(self.shown(task), times) for task, times in self._state.recent_changes(after)]
        return [(task, times) for task, times in changed if task is not None]


# ---------------------------------------------------------------------- what workers told


class _Inspection(msgspec.Struct, frozen=True, kw_only=True):
    hostname: str
    at: float
    stats: dict[str, Any] | None
    registered: list[str] | None
    active_queues: list[dict[str, Any]] | None
    conf: dict[str, Any] | None
    active: list[Any] | None
    reserved: list[Any] | None
    scheduled: list[Any] | None
    revoked: list[Any] | None
    lists_at: float | None


class InspectorShare:
    """What workers told when they were asked: of their load all, of tasks and queues theirs."""

    def __init__(self, inspector: Inspector, state: StateShare) -> None:
        self._inspector = inspector
        self._state = state
        self._latest: tuple[Mapping[str, Inspection], Mapping[str, Inspection]] = {}, {}

    @property
    def latest(self) -> Mapping[str, Inspection]:
        told, shown = self._inspector.latest, self._latest
        if shown[0] is not told:  # it is replaced as a whole when it changes
            kept: dict[str, Inspection] = {}
            theirs = _Theirs(lambda: told, lambda host, one: self._kept(kept, host, one))
            shown = self._latest = told, theirs
        return shown[1]

    @property
    def error(self) -> str | None:
        return self._inspector.error

    def request(self, hostname: str | None = None) -> Waitable:
        return self._inspector.request(hostname)

    def _kept(self, kept: dict[str, Inspection], host: str, told: Inspection) -> Inspection:
        shown = kept.get(host)
        if shown is None:
            shown = kept[host] = self._shown(told)
        return shown

    def _shown(self, told: Inspection) -> Inspection:
        lists = {name: self._requests(getattr(told, name)) for name in _LISTS}
        return _Inspection(
            hostname=told.hostname,
            at=told.at,
            stats=self._stats(told.stats),
            registered=self._registered(told.registered),
            active_queues=self._queues(told.active_queues),
            conf=None,  # it names routes, queues and schedules of all
            revoked=self._ids(told.revoked),
            lists_at=told.lists_at,
            **lists,
        )

    def _stats(self, told: dict[str, Any] | None) -> dict[str, Any] | None:
        if told is None:
            return None
        total = told.get("total")  # runs, by the task's name
        names = total if isinstance(total, Mapping) else {}
        kept = {name: count for name, count in names.items() if self._state.has_name(str(name))}
        return {**told, "total": kept}

    def _registered(self, told: list[str] | None) -> list[str] | None:
        # A worker adds what is set for the task: "shop.mail [rate_limit=10/m]".
        return told and [one for one in told if self._state.has_name(str(one).partition(" [")[0])]

    def _queues(self, told: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        has = self._state.scope.has_queue
        return told and [one for one in told if has(_text(one, "name"))]

    def _requests(self, told: list[Any] | None) -> list[Any] | None:
        return told and [one for one in told if self._has_request(one)]

    def _has_request(self, told: Any) -> bool:
        request = told.get("request", told) if isinstance(told, Mapping) else None
        known = self._state.tasks.get(_text(request, "id") or "")
        if known is not None:
            return self._state.scope.has_name(_text(request, "name"))
        # Nobody knows its queue: the routing key that the worker tells may be any text.
        return self._state.scope.has_task(_text(request, "name"), None)

    def _ids(self, told: list[Any] | None) -> list[Any] | None:
        return told and [one for one in told if isinstance(one, str) and one in self._state.tasks]


def _text(told: Any, key: str) -> str | None:
    value = told.get(key) if isinstance(told, Mapping) else None
    return value if isinstance(value, str) else None


# ---------------------------------------------------------------------- queues


class QueuesShare:
    """The depths of their queues."""

    def __init__(self, queues: Queues, scope: Scope) -> None:
        self._queues = queues
        self._scope = scope

    @property
    def latest(self) -> Mapping[str, QueueDepth]:
        return self._of(self._queues.latest)

    @property
    def asked(self) -> Sequence[str]:
        return [name for name in self._queues.asked if self._scope.has_queue(name)]

    @property
    def error(self) -> str | None:
        error = self._queues.error
        # The broker's own words may name any queue.
        return error if error is None or self._scope.has_queue(None) else _NOT_TOLD

    @property
    def at(self) -> float | None:
        return self._queues.at

    @property
    def attempts(self) -> int:
        return self._queues.attempts

    @property
    def interval_seconds(self) -> float:
        return self._queues.interval_seconds

    @property
    def history(self) -> DepthHistory:
        return _History(self._queues.history, self._of)

    def _of(self, told: Mapping[str, V]) -> dict[str, V]:
        return {name: one for name, one in told.items() if self._scope.has_queue(name)}


class _History:
    def __init__(
        self,
        history: DepthHistory,
        theirs: Callable[[Mapping[str, Trend]], Mapping[str, Trend]],
    ) -> None:
        self._history = history
        self._theirs = theirs

    def of(self, name: str) -> tuple[list[float], list[int | None]]:
        return self._history.of(name)

    @property
    def trends(self) -> Mapping[str, Trend]:
        return self._theirs(self._history.trends)


class MessagesShare:
    """The messages that wait in their queues; of others' messages the place and size alone."""

    def __init__(self, messages: Messages, scope: Scope) -> None:
        self._messages = messages
        self._scope = scope

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
        if not self._scope.has_queue(queue):
            raise NotFound("queue", queue)
        page = self._messages.read(queue, offset=offset, limit=limit, put_back=put_back)
        return structs.replace(page, messages=[self._shown(one) for one in page.messages])

    def _shown(self, message: Message) -> Message:
        if self._scope.has_name(message.name):
            # Whose the family is cannot be told by an id.
            return structs.replace(message, root_id=None, parent_id=None)
        return Message(
            position=message.position, size_bytes=message.size_bytes, problem=_NOT_THEIRS
        )


# ---------------------------------------------------------------------- results, schedules


class ResultsShare:
    """The results of their tasks; of others, as of unknown ones, there is none yet."""

    def __init__(self, results: Results, state: StateShare, history: History | None) -> None:
        self._results = results
        self._state = state
        self._history = history  # their share of it

    @property
    def configured(self) -> bool:
        return self._results.configured

    def read(self, task_id: str, *, timeout_seconds: float | None = None) -> Result:
        if task_id not in self._state.tasks and not self._is_old(task_id):
            return Result(task_id=task_id, state="PENDING", ready=False)
        return self._results.read(task_id, timeout_seconds=timeout_seconds)

    def groups(
        self, task_ids: Sequence[str], *, timeout_seconds: float | None = None
    ) -> Mapping[str, str | None]:
        theirs = [one for one in task_ids if one in self._state.tasks or self._is_old(one)]
        return self._results.groups(theirs, timeout_seconds=timeout_seconds)

    def _is_old(self, task_id: str) -> bool:
        return self._history is not None and self._history.task(task_id) is not None


class SchedulesShare:
    """The entries that send their tasks into their queues."""

    def __init__(self, schedules: Schedules, scope: Scope) -> None:
        self._schedules = schedules
        self._scope = scope

    @property
    def latest(self) -> Sequence[Schedule]:
        return [self._shown(schedule) for schedule in self._schedules.latest]

    def _shown(self, schedule: Schedule) -> Schedule:
        entries = tuple(self._theirs(schedule.entries))
        # A source's own sentence may tell of entries that are not theirs.
        said = f"{len(entries):,} of yours." if schedule.state == "read" else ""
        if schedule.state == "failed":
            said = "It could not be read."
        return structs.replace(schedule, entries=entries, said=said)

    def _theirs(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            queue = entry.options.get("queue")
            if self._scope.has_task(entry.task, queue if isinstance(queue, str) else None):
                yield entry


# ---------------------------------------------------------------------- the history


class HistoryShare:
    """What became of their tasks; how the history itself does is everybody's."""

    def __init__(self, history: History, state: StateShare) -> None:
        self.scope = state.scope
        self._state = state
        self._whole = history
        self._history: Any = history  # it takes a scope besides

    def task(self, uuid: str) -> Task | None:
        if self._state.is_foreign(uuid):
            return None
        found: Task | None = self._history.task(uuid, scope=self.scope)
        return found

    def attempts(self, uuid: str) -> list[Attempt]:
        if self._state.is_foreign(uuid):
            return []
        found: list[Attempt] = self._history.attempts(uuid, scope=self.scope)
        return found

    def search(self, query: Query, **asked: Any) -> TaskPage:
        found: TaskPage = self._history.search(query, **asked, scope=self.scope)
        theirs = [task for task in found.tasks if not self._state.is_foreign(task.uuid)]
        return found._replace(tasks=theirs)

    def count(self, query: Query, **asked: Any) -> Count:
        found: Count = self._history.count(query, **asked, scope=self.scope)
        return found

    def facets(self, query: Query, **asked: Any) -> Facets:
        found: Facets = self._history.facets(query, **asked, scope=self.scope)
        return found

    def names(self) -> list[str]:
        found: list[str] = self._history.names(scope=self.scope)
        return found

    def relatives(self, ids: Sequence[str], **asked: Any) -> Relatives:
        found: Relatives = self._history.relatives(ids, **asked, scope=self.scope)
        return found

    def beside(self, uuid: str) -> list[Task]:
        found: list[Task] = self._history.beside(uuid, scope=self.scope)
        return found

    @property
    def searches(self) -> Searches:
        return SearchesShare(self._whole.searches)

    # ------------------------------------------------------------------ what is everybody's

    @property
    def trouble(self) -> str | None:
        return self._whole.trouble

    @property
    def trouble_since(self) -> float | None:
        return self._whole.trouble_since

    @property
    def written(self) -> int:
        return self._whole.written

    @property
    def waiting(self) -> int:
        return self._whole.waiting

    @property
    def dropped(self) -> int:
        return self._whole.dropped

    @property
    def refused(self) -> int:
        return self._whole.refused

    @property
    def place(self) -> Place:
        return self._whole.place

    def extent(self) -> Extent:
        return self._whole.extent()

    def size_bytes(self) -> int:
        return self._whole.size_bytes()

    def reading(self) -> AbstractContextManager[Any]:
        return self._whole.reading()


class SearchesShare:
    """Their own searches: the words in those of others may name what is not theirs."""

    def __init__(self, searches: Searches) -> None:
        self._searches = searches

    def seen_by(self, owner: str, *, with_shared: bool = True) -> list[Search]:
        return self._searches.seen_by(owner, with_shared=False)

    def save(
        self, owner: str, *, name: str, query: str, sort: str, shared: bool, now: float
    ) -> Search:
        return self._searches.save(owner, name=name, query=query, sort=sort, shared=shared, now=now)

    def remove(self, ident: int, *, owner: str, any_owner: bool = False) -> Search:
        if all(search.id != ident for search in self.seen_by(owner)):
            raise NotFound("search", str(ident))
        return self._searches.remove(ident, owner=owner)


# ---------------------------------------------------------------------- actions


class DeskShare:
    """The commands that somebody sent themselves."""

    def __init__(self, desk: Desk, outcomes: Outcomes, actor: Actor) -> None:
        self._desk = desk
        self._outcomes = outcomes
        self._actor = actor

    def send(
        self,
        command: str,
        arguments: Mapping[str, Any],
        *,
        workers: Sequence[str] | None = None,
        confirm: str | None = None,
        max_ids: int | None = None,
    ) -> Action:
        return self._desk.send(
            command, arguments, workers=workers, confirm=confirm, max_ids=max_ids
        )

    def get(self, ident: str) -> Action:
        if not self._outcomes.is_of(ident, self._actor):
            raise NotFound("action", ident)
        return self._desk.get(ident)

    def actions(self) -> Sequence[Action]:
        return [one for one in self._desk.actions() if self._outcomes.is_of(one.id, self._actor)]

    def stop(self, ident: str) -> Action:
        self.get(ident)
        return self._desk.stop(ident)
