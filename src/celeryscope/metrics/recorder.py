"""Counts task events as they pass: events in, counters and histograms out.

Each event touches the series of up to three sets. A `Cell` holds all of them for one (sender,
event type, task name, queue), so that the usual event costs one dictionary lookup and a few
additions. Everything that needs thought (labels, limits, owners) happens when a cell is made.

An event may come before the one that tells its task's name (task-received) or queue (task-sent,
which another host sends). It waits then, and is counted when both are known or a deadline passes.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from itertools import pairwise
from typing import Any

from celeryscope.metrics.catalog import (
    CLIENT_BUCKETS,
    OWN_BUCKETS,
    TASK_EVENTS,
    UNKNOWN,
    Catalog,
    Limits,
)
from celeryscope.metrics.series import (
    Child,
    Counter,
    Family,
    Gauge,
    Histogram,
    LabelValues,
    Owned,
    Values,
)
from celeryscope.model.event import Event
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker

Applied = tuple[Event, Task | None, Worker | None]
Key = tuple[str, str, str, str | None]  # sender, event type, task name, queue if it is known

GENERIC = "generic"  # celery-exporter's word for "any host"
# This many tasks of a name in a row without task-sent: its queue is not waited for any more.
_UNANNOUNCED = 5
_ASSUMED_FOR_SECONDS = 10.0
_SILENCE_CHECK_SECONDS = 60.0
_CACHED_CELLS = 100_000
# Longer than any task runs or waits; also keeps infinity and NaN out of the sums.
_LONGEST_SECONDS = 1e9

_PLAIN, _SENT, _STARTED, _SUCCEEDED, _FAILED = range(5)
_KINDS = {
    "task-sent": _SENT,
    "task-started": _STARTED,
    "task-succeeded": _SUCCEEDED,
    "task-failed": _FAILED,
}
_EXCEPTION = re.compile(r"(\w+)\(")


def host_of(hostname: str) -> str:
    """Return the part of a node name after `@`, which is celery-exporter's `hostname`."""
    return hostname.partition("@")[2] or hostname


def exception_class(text: str | None) -> str:
    """Return the class name at the beginning of an exception's repr."""
    match = _EXCEPTION.match(text, 0, 256) if text else None
    return match.group(1) if match else "UnknownException"


class _Host:
    """A `hostname` of celery-exporter's metrics; several nodes may share it."""

    __slots__ = ("clients", "name", "sent", "series", "workers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.workers: set[str] = set()
        self.clients: set[str] = set()
        self.series: list[Owned] = []  # go with the last worker
        self.sent: list[Owned] = []  # go with the last worker and the last client


class _Node:
    """A worker or client and the series that go with it."""

    __slots__ = ("host", "label", "seen", "series")

    def __init__(self, label: str, host: _Host, seen: float) -> None:
        self.label = label
        self.host = host
        self.seen = seen
        self.series: list[Owned] = []


# What goes to a metric that is switched off, or not concerned, goes here: no branch is needed.
_nowhere_counter = Counter("", 0.0)
_nowhere_gauge = Gauge("", 0.0)
_nowhere_histogram = Histogram("", 0.0, ())


class _Cell:
    """Every series that one kind of event touches."""

    __slots__ = (
        "celery",
        "celery_seconds",
        "failures",
        "flower",
        "flower_seconds",
        "kind",
        "node",
        "own",
        "own_seconds",
        "prefetch",
        "values",
        "worker",
    )

    def __init__(self, kind: int, node: _Node, values: Values) -> None:
        self.kind = kind
        self.node = node
        self.values = values  # (hostname, name, queue) of celery-exporter's series
        self.flower = self.celery = self.own = self.worker = _nowhere_counter
        self.prefetch = _nowhere_gauge
        self.flower_seconds = self.celery_seconds = self.own_seconds = _nowhere_histogram
        # By class of the exception: celery-exporter's and ours.
        self.failures: dict[str, tuple[Counter, Counter]] = {}


class _Held:
    """One event that waits: what is needed to count it later, without its long texts."""

    __slots__ = ("exception", "hostname", "name", "named", "runtime", "timestamp", "type")

    def __init__(self, event: Event) -> None:
        self.type = event.type
        self.hostname = event.hostname
        self.timestamp = event.timestamp
        self.runtime = event.runtime
        self.exception = exception_class(event.exception) if event.type == "task-failed" else ""
        self.name = event.name  # as the event says, or as it was counted
        self.named = False  # the half that needs only the name is counted


class _Waiting:
    """The events of one task that wait for its name or queue."""

    __slots__ = ("events", "since", "task")

    def __init__(self, task: Task, since: float) -> None:
        self.task = task
        self.since = since
        self.events: list[_Held] = []


class Recorder:
    """Counts task events. `record` and `tick` are called by one thread; `render` by another.

    `families` and what they hold may be read while `lock` is held.
    """

    def __init__(
        self,
        *,
        catalog: Catalog | None = None,
        limits: Limits | None = None,
        flower_buckets: Sequence[float] = CLIENT_BUCKETS,
        celery_buckets: Sequence[float] = CLIENT_BUCKETS,
        celery_wait_buckets: Sequence[float] | None = None,
        own_buckets: Sequence[float] = OWN_BUCKETS,
        default_queue: str = "celery",
        queue_of: Callable[[str], str | None] | None = None,
        generic_hostname_sent: bool = False,
        generic_hostname_tasks: bool = False,
        defer_seconds: float = 2.0,
        client_expiry_seconds: float = 86_400.0,
        stranger_expiry_seconds: float = 600.0,
    ) -> None:
        """`queue_of(worker)` gives the queue of a worker that consumes exactly one, else None.

        Raises ValueError for buckets that do not rise.
        """
        self.catalog = catalog or Catalog()
        self.limits = limits or Limits()
        self.lock = threading.Lock()
        self.families: dict[str, Family[Any]] = {}  # by the name METRICS has
        self.unnamed = 0  # events counted under the task name `unknown`
        self.queue_assumed = 0  # events counted under a queue no event told
        self._default_queue = default_queue
        self._queue_of = queue_of
        self._generic_sent = generic_hostname_sent
        self._generic_tasks = generic_hostname_tasks
        self._defer_seconds = defer_seconds
        self._client_expiry_seconds = client_expiry_seconds
        self._stranger_expiry_seconds = stranger_expiry_seconds

        self._events = self._family("flower_events_total", Counter)
        self._runtime = self._histograms("flower_task_runtime_seconds", flower_buckets)
        self._prefetch = self._family("flower_task_prefetch_time_seconds", Gauge)
        self._prefetched = self._family("flower_worker_prefetched_tasks", Gauge)
        self._by_type = {
            event: self._family(f"celery_{event.replace('-', '_')}_total", Counter)
            for event in TASK_EVENTS
        }
        self._celery_runtime = self._histograms("celery_task_runtime", celery_buckets)
        self._celery_wait = self._histograms(
            "celery_task_queue_wait_time", celery_wait_buckets or celery_buckets
        )
        self._own_events = self._family("celeryscope_task_events_total", Counter)
        self._own_failures = self._family("celeryscope_task_failures_total", Counter)
        self._worker_events = self._family("celeryscope_worker_task_events_total", Counter)
        self._own_wait = self._histograms("celeryscope_task_wait_seconds", own_buckets)
        self._own_runtime = self._histograms("celeryscope_task_runtime_seconds", own_buckets)

        self._names = self._values(self.limits.names)
        self._queues = self._values(self.limits.queues)
        self._types = self._values(self.limits.types)
        self._exceptions = self._values(self.limits.exceptions)
        self._workers = self._values(self.limits.workers)
        self._clients = self._values(self.limits.clients)
        self._crowded = 0  # events that found the limit on label sets reached

        self._cells: dict[Key, _Cell] = {}  # a cache: dropping an entry loses nothing
        self._worker_nodes: dict[str, _Node] = {}
        self._client_nodes: dict[str, _Node] = {}
        self._hosts: dict[str, _Host] = {}
        # By task id, oldest first. An ordered one: to take from the front of a plain dictionary
        # again and again walks over all that was taken before.
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._held = 0  # events in _waiting
        self._unannounced: dict[str, int] = {}  # name -> its tasks in a row without task-sent
        self._assumed: dict[str, str] = {}  # worker -> queue, for a few seconds
        self._assumed_at = 0.0
        self._silence_checked_at = 0.0

    def _values(self, limit: int) -> LabelValues:
        return LabelValues(limit=limit, length=self.limits.value_length)

    def _family(self, name: str, make: Callable[[str, float], Child]) -> Family[Child] | None:
        """Return the family for the metric that METRICS calls `name`, None if it is off."""
        metric = self.catalog.metrics.get(name)
        if metric is None:
            return None
        static = self.catalog.static_labels if metric.set == "celery" else None
        family: Family[Child] = Family(
            metric,
            make,
            limit=self.limits.label_sets,
            keep=frozenset({"type", "exception"}),
            static_labels=static,
            on_overflow=self._overflowed,
        )
        self.families[name] = family
        return family

    def _histograms(self, name: str, buckets: Sequence[float]) -> Family[Histogram] | None:
        bounds = tuple(float(bound) for bound in buckets if bound != float("inf"))
        if not bounds or any(low >= high for low, high in pairwise(bounds)):
            raise ValueError(f"the buckets of {name} must rise: {list(buckets)}")
        return self._family(name, lambda opening, now: Histogram(opening, now, bounds))

    def _overflowed(self) -> None:
        self._crowded += 1

    # -------------------------------------------------------------- the hot path

    def record(self, applied: Sequence[Applied], now: float) -> None:
        """Count these events; `now` is our clock in epoch seconds.

        Tasks are read as they are now, so a task told of twice in one batch is read twice in
        its last state.
        """
        with self.lock:
            cells = self._cells
            waiting = self._waiting
            unannounced = self._unannounced
            for event, task, _ in applied:
                if task is None:
                    continue
                name = event.name or task.name
                if task.renamed and event.timestamp < task.renamed[-1][0]:
                    name = task.renamed[-1][1]
                queue = task.queue
                if not name or not queue:
                    if (
                        name is None
                        or unannounced.get(name, 0) < _UNANNOUNCED
                        or task.uuid in waiting
                    ):
                        self._hold(event, task, now)
                        continue
                    queue = self._assume(task.worker or event.hostname, now)
                    self.queue_assumed += 1
                key = (event.hostname, event.type, name, queue)
                cell = cells.get(key) or self._cell(key, now)
                cell.flower.value += 1
                cell.celery.value += 1
                cell.own.value += 1
                cell.worker.value += 1
                cell.node.seen = now
                kind = cell.kind
                if kind:
                    if kind == _STARTED:
                        received = task.received
                        if received is not None and not task.eta:
                            prefetched = event.timestamp - received
                            cell.prefetch.value = max(prefetched, 0.0)
                        seconds = task.wait
                        if seconds is not None and seconds < _LONGEST_SECONDS:
                            if seconds < 0.0:
                                seconds = 0.0
                            series = cell.celery_seconds
                            series.counts[bisect_left(series.bounds, seconds)] += 1
                            series.sum += seconds
                            series = cell.own_seconds
                            series.counts[bisect_left(series.bounds, seconds)] += 1
                            series.sum += seconds
                    elif kind == _SUCCEEDED:
                        seconds = event.runtime
                        if seconds is not None and seconds < _LONGEST_SECONDS:
                            if seconds < 0.0:
                                seconds = 0.0
                            series = cell.flower_seconds
                            series.counts[bisect_left(series.bounds, seconds)] += 1
                            series.sum += seconds
                            series = cell.celery_seconds
                            series.counts[bisect_left(series.bounds, seconds)] += 1
                            series.sum += seconds
                            series = cell.own_seconds
                            series.counts[bisect_left(series.bounds, seconds)] += 1
                            series.sum += seconds
                    elif kind == _SENT:
                        if unannounced:
                            unannounced.pop(name, None)
                    else:
                        self._count_failure(cell, exception_class(event.exception), now)
                if waiting and (entry := waiting.pop(task.uuid, None)):
                    self._settle(entry, name, queue, now)
            if waiting:
                self._settle_due(now)

    # --------------------------------------------------- the same, one half at a time

    def _count_named(self, held: _Held, task: Task, name: str, now: float) -> None:
        """Count what needs only the task's name: Flower's series, and ours of the worker."""
        name = held.name = held.name or name
        cell = self._cell((held.hostname, held.type, name, None), now)
        cell.flower.value += 1
        cell.worker.value += 1
        if cell.kind == _STARTED and task.received is not None and not task.eta:
            cell.prefetch.value = max(0.0, held.timestamp - task.received)
        elif cell.kind == _SUCCEEDED:
            _observe(cell.flower_seconds, held.runtime)
        cell.node.seen = now
        held.named = True

    def _count_queued(self, held: _Held, task: Task, name: str, queue: str, now: float) -> None:
        """Count what needs the queue too: celery-exporter's series and the rest of ours."""
        name = held.name or name
        cell = self._cell((held.hostname, held.type, name, queue), now)
        cell.celery.value += 1
        cell.own.value += 1
        if cell.kind in (_STARTED, _SUCCEEDED):
            seconds = task.wait if cell.kind == _STARTED else held.runtime
            _observe(cell.celery_seconds, seconds)
            _observe(cell.own_seconds, seconds)
        elif cell.kind == _FAILED:
            self._count_failure(cell, held.exception, now)

    # ------------------------------------------------------------ events that wait

    def _hold(self, event: Event, task: Task, now: float) -> None:
        entry = self._waiting.get(task.uuid)
        if entry is None:
            entry = _Waiting(task, now)
            if task.name and self._never_told(task):
                entry.events.append(_Held(event))
                self._count_assumed(entry, task.name, now)
                return
            self._waiting[task.uuid] = entry
        entry.task = task  # a new record, if the state had let go of the old one
        entry.events.append(_Held(event))
        self._held += 1
        if task.name:
            for held in entry.events:
                if not held.named:
                    self._count_named(held, task, task.name, now)
        while self._held > self.limits.waiting:
            self._give_up(next(iter(self._waiting)), now)

    def _never_told(self, task: Task) -> bool:
        """Say whether it is pointless to wait for the task-sent that tells the queue."""
        return (
            task.sent is not None  # it came, and told no queue
            or self._unannounced.get(task.name or "", 0) >= _UNANNOUNCED
        )

    def _settle(self, entry: _Waiting, name: str, queue: str, now: float) -> None:
        """Count events that waited; `entry` is out of `_waiting` already."""
        self._held -= len(entry.events)
        for held in entry.events:
            if not held.named:
                self._count_named(held, entry.task, name, now)
            self._count_queued(held, entry.task, name, queue, now)

    def _settle_due(self, now: float) -> None:
        while self._waiting:
            uuid, entry = next(iter(self._waiting.items()))
            # A clock that was set back must not keep events here for as long as it was set back.
            if 0.0 <= now - entry.since < self._defer_seconds:
                return
            self._give_up(uuid, now)

    def _give_up(self, uuid: str, now: float) -> None:
        entry = self._waiting.pop(uuid)
        task = entry.task
        if task.name and not task.queue and task.sent is None:
            count = self._unannounced.get(task.name, 0)
            if count or len(self._unannounced) < self.limits.names:
                self._unannounced[task.name] = count + 1
        if not task.name:
            self.unnamed += len(entry.events)
        if task.queue:
            self._settle(entry, task.name or UNKNOWN, task.queue, now)
        else:
            self._held -= len(entry.events)
            self._count_assumed(entry, task.name or UNKNOWN, now)

    def _count_assumed(self, entry: _Waiting, name: str, now: float) -> None:
        self.queue_assumed += len(entry.events)
        for held in entry.events:
            if not held.named:
                self._count_named(held, entry.task, name, now)
            queue = self._assume(entry.task.worker or held.hostname, now)
            self._count_queued(held, entry.task, name, queue, now)

    def _assume(self, worker: str, now: float) -> str:
        """Return the queue a task of this worker most likely came from."""
        if self._queue_of is None:
            return self._default_queue
        if not 0.0 <= now - self._assumed_at < _ASSUMED_FOR_SECONDS:
            self._assumed.clear()
            self._assumed_at = now
        queue = self._assumed.get(worker)
        if queue is None:
            queue = self._queue_of(worker) or self._default_queue
            if len(self._assumed) < self.limits.workers:
                self._assumed[worker] = queue
        return queue

    # -------------------------------------------------------------- making series

    def _cell(self, key: Key, now: float) -> _Cell:
        """Return the cell for an event, from the cache or with all its series made or found."""
        cell = self._cells.get(key)
        if cell is not None:
            return cell
        hostname, type_, name, queue = key
        name = self._names.admit(name)
        node = self._node(hostname, type_, now)
        canonical = (
            node.label,
            self._types.admit(type_),
            name,
            self._queues.admit(queue) if queue else None,
        )
        cell = self._cells.get(canonical)
        if cell is None:
            crowded = self._crowded
            cell = self._made(node, canonical, now)
            # Kept by its labels, not by what the event said: a million distinct names, all of
            # them `other`, are one entry. Each event past a limit comes here and is counted.
            if self._crowded == crowded:
                if len(self._cells) >= _CACHED_CELLS:
                    self._cells.clear()
                self._cells[canonical] = cell
        return cell

    def _made(self, node: _Node, canonical: Key, now: float) -> _Cell:
        _, type_, name, queue = canonical
        host = node.host
        cell = _Cell(_KINDS.get(type_, _PLAIN), node, (host.name, name, queue or ""))
        self._connect_flower(cell, node, type_, name, now)
        if cell.kind != _SENT:
            cell.worker = self._of_worker(node, type_, now)
        if queue is not None:
            self._connect_celery(cell, host, type_, now)
            self._connect_own(cell, type_, (queue, name), now)
        return cell

    def _connect_flower(self, cell: _Cell, node: _Node, type_: str, name: str, now: float) -> None:
        owner = node.series
        task = (name, node.label)
        cell.flower = _child(self._events, (name, type_, node.label), now, owner, _nowhere_counter)
        if type_ == "task-received":
            _child(self._prefetched, task, now, owner, _nowhere_gauge)
        elif cell.kind == _STARTED:
            cell.prefetch = _child(self._prefetch, task, now, owner, _nowhere_gauge)
        elif cell.kind == _SUCCEEDED:
            cell.flower_seconds = _child(self._runtime, task, now, owner, _nowhere_histogram)

    def _connect_celery(self, cell: _Cell, host: _Host, type_: str, now: float) -> None:
        values = cell.values
        if cell.kind != _SENT:
            self._show_all_at_zero(values, host, now)
        owner = host.sent if cell.kind == _SENT else host.series
        if cell.kind != _FAILED:  # its series depend on the exception too
            cell.celery = _child(self._by_type.get(type_), values, now, owner, _nowhere_counter)
        if cell.kind == _STARTED:
            cell.celery_seconds = _child(self._celery_wait, values, now, owner, _nowhere_histogram)
        elif cell.kind == _SUCCEEDED:
            cell.celery_seconds = _child(
                self._celery_runtime, values, now, owner, _nowhere_histogram
            )

    def _show_all_at_zero(self, values: Values, host: _Host, now: float) -> None:
        """Make every counter of the set visible, as celery-exporter does: rates need the zero."""
        for event, family in self._by_type.items():
            if family is not None and family.has_room:
                owner = host.sent if event == "task-sent" else host.series
                family.child(("", *values) if event == "task-failed" else values, now, owner)

    def _of_worker(self, node: _Node, type_: str, now: float) -> Counter:
        """Return the series of a worker's events of one type; all are made: rates need the zero."""
        family = self._worker_events
        if family is not None:
            for event in TASK_EVENTS:
                if event != "task-sent" and family.has_room:
                    family.child((event, node.label), now, node.series)
        return _child(family, (type_, node.label), now, node.series, _nowhere_counter)

    def _count_failure(self, cell: _Cell, exception: str, now: float) -> None:
        found = cell.failures.get(exception)
        if found is None:
            found = self._failures(cell, exception, now)
        for counter in found:
            counter.value += 1

    def _failures(self, cell: _Cell, exception: str, now: float) -> tuple[Counter, Counter]:
        crowded = self._crowded
        label = self._exceptions.admit(exception)
        host, name, queue = cell.values
        found = (
            _child(
                self._by_type["task-failed"],
                (label, host, name, queue),
                now,
                cell.node.host.series,
                _nowhere_counter,
            ),
            _child(self._own_failures, (label, queue, name), now, None, _nowhere_counter),
        )
        if self._crowded == crowded and label == exception:
            cell.failures[exception] = found
        return found

    def _connect_own(self, cell: _Cell, type_: str, values: Values, now: float) -> None:
        queue, name = values
        if self._own_events is not None:
            for event in TASK_EVENTS:
                if self._own_events.has_room:
                    self._own_events.child((queue, name, event), now)
        cell.own = _child(self._own_events, (queue, name, type_), now, None, _nowhere_counter)
        if cell.kind == _STARTED:
            cell.own_seconds = _child(self._own_wait, values, now, None, _nowhere_histogram)
        elif cell.kind == _SUCCEEDED:
            cell.own_seconds = _child(self._own_runtime, values, now, None, _nowhere_histogram)

    def _node(self, hostname: str, type_: str, now: float) -> _Node:
        client = type_ == "task-sent"
        label = (self._clients if client else self._workers).admit(hostname)
        nodes = self._client_nodes if client else self._worker_nodes
        node = nodes.get(label)
        if node is None:
            generic = self._generic_sent if client else self._generic_tasks
            host = self._host(GENERIC if generic else host_of(label))
            (host.clients if client else host.workers).add(label)
            node = nodes[label] = _Node(label, host, now)
        return node

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(name)
        return host

    # -------------------------------------------------------------- time and farewell

    def tick(self, now: float, known_workers: Container[str] | None = None) -> None:
        """Let time pass: count what waited too long, retire clients that fell silent.

        Workers are retired by `retire_worker`. One that had no place among `known_workers`, so
        that nobody will say when it is gone, is retired when no task event came for a while.
        """
        with self.lock:
            if self._waiting:
                self._settle_due(now)
            if 0.0 <= now - self._silence_checked_at < _SILENCE_CHECK_SECONDS:
                return
            self._silence_checked_at = now
            clients = _silent(self._client_nodes, now - self._client_expiry_seconds)
            strangers = _silent(self._worker_nodes, now - self._stranger_expiry_seconds)
        for label in clients:
            self.retire_client(label)
        for label in strangers:
            if known_workers is not None and label not in known_workers:
                self.retire_worker(label)

    def retire_worker(self, hostname: str) -> None:
        """Remove every series of a worker that is gone; if it returns, they begin at zero."""
        with self.lock:
            node = self._retire(hostname, self._workers, self._worker_nodes)
            if node is not None:
                node.host.workers.discard(node.label)
                self._forget(node)

    def retire_client(self, hostname: str) -> None:
        """Remove every series of a process that sent tasks and is gone."""
        with self.lock:
            node = self._retire(hostname, self._clients, self._client_nodes)
            if node is not None:
                node.host.clients.discard(node.label)
                self._forget(node)

    @staticmethod
    def _retire(hostname: str, labels: LabelValues, nodes: dict[str, _Node]) -> _Node | None:
        """Free a node's label; give what was kept under it."""
        label = labels.find(hostname)
        node = nodes.pop(label, None) if label else None
        if node is not None and label is not None:
            labels.release(label)
        return node

    def _forget(self, node: _Node) -> None:
        host = node.host
        _remove(node.series)
        if not host.workers:
            _remove(host.series)
            if not host.clients:
                _remove(host.sent)
                self._hosts.pop(host.name, None)
        for key in [key for key in self._cells if key[0] == node.label]:
            del self._cells[key]

    # ---------------------------------------------------------- what collectors ask

    @property
    def waiting(self) -> int:
        """How many events are held back now."""
        return self._held

    def prefetching(self) -> list[Values]:
        """Return the (task, worker) pairs of which a task was ever received."""
        with self.lock:
            return list(self._prefetched.children) if self._prefetched is not None else []

    def overflow(self) -> dict[str, int]:
        """Return how many events were counted under `other`, by the label that was full."""
        return {
            "task": self._names.overflow,
            "worker": self._workers.overflow,
            "client": self._clients.overflow,
            "queue": self._queues.overflow,
            "exception": self._exceptions.overflow,
            "type": self._types.overflow,
            "label_set": self._crowded,
        }


def _child(
    family: Family[Child] | None,
    values: Values,
    now: float,
    owner: list[Owned] | None,
    nowhere: Child,
) -> Child:
    """Return the series, or `nowhere` when its metric is switched off."""
    return nowhere if family is None else family.child(values, now, owner)


def _observe(series: Histogram, seconds: float | None) -> None:
    if seconds is not None and seconds < _LONGEST_SECONDS:
        seconds = max(0.0, seconds)
        series.counts[bisect_left(series.bounds, seconds)] += 1
        series.sum += seconds


def _silent(nodes: Mapping[str, _Node], since: float) -> list[str]:
    return [label for label, node in nodes.items() if node.seen < since]


def _remove(series: list[Owned]) -> None:
    for family, values in series:
        family.remove(values)
    series.clear()


def sole_queue(queues_of: Callable[[], Mapping[str, Sequence[str]]]) -> Callable[[str], str | None]:
    """Return a `queue_of` for a Recorder from the queues each worker is known to consume."""

    def queue_of(worker: str) -> str | None:
        queues = queues_of().get(worker, ())
        return queues[0] if len(queues) == 1 else None

    return queue_of
