"""The cluster as it is now: a fold over events, without I/O, clock or thread.

One source thread calls `apply` and `tick`; others read under `lock`, shortly. What is kept
is bounded: tasks by number and by the size of their texts (finished ones go first), workers,
clients and names by number. What goes is counted.

Events may come twice, late, in the wrong order, and from hosts whose clocks differ. Rules:

* An event is the same as another of its task when type, time and sender are the same; the
  second is not applied.
* A task that runs once needs no clock: what follows on what is known. Of two ends of one run
  the Lamport clock of the process says which came last, or else its time.
* A task that runs more than once is judged by all its events together: see `runs`.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from celeryscope.cluster import runs
from celeryscope.cluster.accounting import Loss as Missing
from celeryscope.cluster.accounting import StartLedger
from celeryscope.cluster.durations import Histogram
from celeryscope.cluster.durations import add as add_duration
from celeryscope.cluster.heartbeats import KEPT_SECONDS, Heartbeat, HeartbeatLog
from celeryscope.model.event import Event, Found
from celeryscope.model.task import (
    FAILURE,
    FINISHED,
    LOST,
    PENDING,
    RECEIVED,
    REJECTED,
    RETRY,
    REVOKED,
    STARTED,
    SUCCESS,
    Loss,
    Task,
    epoch,
)
from celeryscope.model.text import kept
from celeryscope.model.worker import Worker

#: An event that was new, the task it tells of (as it is now), the worker that sent it.
Applied = tuple[Event, Task | None, Worker | None]

#: Known task events: the field that holds their time, and the state they lead to.
TASK_EVENTS = {
    "task-sent": ("sent", PENDING),
    "task-received": ("received", RECEIVED),
    "task-started": ("started", STARTED),
    "task-succeeded": ("succeeded", SUCCESS),
    "task-failed": ("failed", FAILURE),
    "task-retried": ("retried", RETRY),
    "task-revoked": ("revoked", REVOKED),
    "task-rejected": ("rejected", REJECTED),
}
OTHER = "other"

#: Tasks that wait or run are kept up to this many times `max_tasks`: what an event tells of a
#: task before it runs (its queue, when it was sent) is needed once it does.
LIVE_TIMES = 5
#: Differences between hosts' clocks below this are noise of the delivery.
SKEW_NOISE_SECONDS = 0.5
#: Task events of a worker are here this long after they were made, if they come at all.
_SETTLED_SECONDS = 3.0
_SKEW_WINDOW_SECONDS = 60.0
_MOST_LOGGED = 63
_MOST_NAMES = 15  # that one task had before
_MOST_RUNNING = 10_000
# what an event is to its task: known already, plain, one of several runs
_AGAIN, _PLAIN, _RERUN = range(3)
_MOST_CUSTOM = 16
_MOST_TYPES = 100
_MOST_STATES = 50
_MOST_QUEUES = 500
_MOST_INTERNED = 20_000
_MOST_LEDGERS = 4
_LOOK_FOR_SILENT_SECONDS = 1.0
_TRACEBACK_CHARS = 16_384
#: So many changes of tasks can be asked for afterwards: a second's worth on a very busy cluster.
MOST_RECENT = 20_000


class NameStats(msgspec.Struct):
    """What became of the tasks of one name, since we look."""

    name: str
    sent: int = 0
    received: int = 0
    started: int = 0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    revoked: int = 0
    rejected: int = 0
    runtime_sum: float = 0.0  # seconds, of those that succeeded
    last_exception: str | None = None
    last_failed: str | None = None  # id of the task that failed last
    waits: Histogram = msgspec.field(default_factory=Histogram)
    runtimes: Histogram = msgspec.field(default_factory=Histogram)


class Client(msgspec.Struct, gc=False):
    """A process that sent tasks."""

    hostname: str
    last_seen: float
    skew: float | None = None
    skew_window: float | None = None
    window_start: float = 0.0


class Process(NamedTuple):
    """What events told of the process behind a worker's name."""

    began: float | None  # the worker's clock; None: before we looked
    pid: int | None  # of the one that began then
    heard: Mapping[int | None, float]  # our clock, by process id: when its last event came


class _Tracked:
    """What the fold alone needs to know of a worker."""

    __slots__ = (
        "began",
        "heard",
        "heartbeats",
        "ledgers",
        "process_seen",
        "skew_window",
        "told",
        "window_start",
    )

    def __init__(self) -> None:
        self.heartbeats = HeartbeatLog()
        self.skew_window: float | None = None
        self.window_start = 0.0
        self.process_seen = 0.0  # time of the first event of the process now behind the name
        self.ledgers: dict[int | None, StartLedger] = {}
        self.began: tuple[float | None, int | None] = (None, None)
        self.heard: dict[int | None, float] = {}
        # the last worker events, to know one that comes again
        self.told: deque[tuple[str, float, int | None]] = deque(maxlen=16)


class ClusterState:
    """Workers, tasks and counts, as far as events told of them."""

    def __init__(
        self,
        *,
        max_tasks: int = 20_000,
        max_text_bytes: int = 64 * 1024 * 1024,
        max_text_chars: int = 4096,
        max_workers: int = 5000,
        max_clients: int = 2000,
        max_names: int = 2000,
        mask: Callable[[str], str] | None = None,
        keep_arguments: bool = True,
    ) -> None:
        """`keep_arguments` False: arguments and results of tasks are forgotten as they come."""
        self.lock = threading.Lock()
        self.max_tasks = max_tasks
        self.max_text_bytes = max_text_bytes
        self.max_text_chars = max_text_chars
        self.max_workers = max_workers
        self.max_clients = max_clients
        self.max_names = max_names
        self.mask = mask
        self.keep_arguments = keep_arguments

        self.tasks: dict[str, Task] = {}  # oldest first
        self.workers: dict[str, Worker] = {}
        self.clients: dict[str, Client] = {}  # longest silent first
        self.names: dict[str, NameStats] = {}
        self.queues: dict[str, str] = {}  # queues that tasks were sent to
        self.sent_to: dict[str, int] = {}  # queue -> tasks sent to it
        # Queue -> tasks that workers received from it: those whose queue task-sent told, and of
        # the others those of workers that read from one queue only. None: from who knows where.
        self.taken_from: dict[str | None, int] = {None: 0}
        #: The queue of each worker that reads from one only. Its owner puts another in its place.
        self.sole_queues: Mapping[str, str] = {}
        self.states: dict[str, int] = {}  # state -> tasks in memory
        self.totals: dict[str, int] = {}  # event type -> events applied
        self.waits = Histogram(wide=True)  # what is counted stands in `durations`
        self.runtimes = Histogram(wide=True)

        self.accepted = 0
        self.duplicates = 0
        self.failures = 0  # events whose handling went wrong: a fault of ours
        self.last_failure: str | None = None
        self.evicted = 0  # finished tasks let go for room
        self.evicted_live = 0  # tasks let go although they were not finished
        self.workers_refused = 0  # events of workers there was no room for
        self.ends_unseen = 0  # started tasks that their worker no longer ran, with no end told
        self.lost = 0  # tasks that were taken for lost
        self.fetched = 0  # ends that came from the result backend
        self.restored = 0  # tasks that were known before we began
        self.task_changes = 0
        self.text_bytes = 0
        self.last_event_lag = 0.0  # seconds, our clock less the sender's, skew removed

        self._looked_for_silent = float("-inf")  # when there was none to let go of
        self._tracked: dict[str, _Tracked] = {}
        self._finished: deque[str] = deque()  # ids in the order they finished; may be stale
        self._recent: deque[str] = deque(maxlen=MOST_RECENT)
        # Of tasks that ran before we began, by worker; until that is heard of.
        self._ran_before: dict[str, dict[str, float]] = {}
        self._interned: dict[str, str] = {}
        self._handlers: dict[str, Callable[[Event, float], Applied | None]] = {
            "task-sent": self._sent,
            "task-received": self._received,
            "task-started": self._started,
            "task-succeeded": self._ended,
            "task-failed": self._ended,
            "task-revoked": self._ended,
            "task-rejected": self._ended,
            "task-retried": self._ended,
            "worker-online": self._worker_event,
            "worker-heartbeat": self._worker_event,
            "worker-offline": self._worker_event,
        }

    # ------------------------------------------------------------------ fold

    def apply(self, events: Sequence[Event], received_at: float) -> list[Applied]:
        """Fold events that reached us at `received_at` (our clock); the new ones are returned.

        The caller holds `lock`. One event that cannot be handled never stops the others.
        """
        applied: list[Applied] = []
        append = applied.append
        handlers = self._handlers
        totals = self.totals
        changed = self._recent.append
        for event in events:
            kind = event.type
            handle = handlers.get(kind)
            try:
                done = (handle or self._unknown)(event, received_at)
            except Exception as fault:  # noqa: BLE001 - the fold must outlive any event
                self.failures += 1
                self.last_failure = repr(fault)
                continue
            if done is None:
                self.duplicates += 1
                continue
            append(done)
            if kind in totals:
                totals[kind] += 1
            else:
                self._first_of_type(totals, kind)
            _, task, worker = done
            if task is not None:
                changed(task.uuid)
                self.task_changes += 1
            if worker is not None:
                counts = worker.counts
                if kind in counts:
                    counts[kind] += 1
                else:
                    self._first_of_type(counts, kind)
        self.accepted += len(applied)
        if len(self.tasks) > self.max_tasks or self.text_bytes > self.max_text_bytes:
            self._make_room()
        return applied

    def tick(self, now: float) -> None:
        """Do what time alone brings about; about once a second. The caller holds `lock`."""
        for hostname, tracked in self._tracked.items():
            worker = self.workers.get(hostname)
            if worker is None:
                continue
            for ledger in tracked.ledgers.values():
                newly = ledger.settle(now)
                if newly:
                    worker.lost += newly

    def losses(self) -> list[tuple[str, Missing]]:
        """Take what became known lost since this was asked the last time, by worker.

        Times are by our clock. The caller holds `lock`.
        """
        found = []
        for hostname, tracked in self._tracked.items():
            for ledger in tracked.ledgers.values():
                for one in ledger.losses():
                    skew = self._skew(hostname)
                    found.append(
                        (hostname, Missing(one.after - skew, one.until - skew, one.starts))
                    )
        return found

    def process(self, hostname: str) -> Process | None:
        """Say what is known of the process behind a worker's name. The caller holds `lock`."""
        tracked = self._tracked.get(hostname)
        if tracked is None:
            return None
        return Process(*tracked.began, dict(tracked.heard))

    # ------------------------------------------------------------------ what no event told

    def learn(self, found: Sequence[Found]) -> list[Applied]:
        """Take note of what we found out of tasks ourselves; what holds is returned.

        A task of which an event told otherwise meanwhile stays as it is. Nothing of it counts as
        an event. The caller holds `lock`.
        """
        learnt: list[Applied] = []
        for event in found:
            task = self.tasks.get(event.uuid or "")
            if task is None:
                continue
            if self._lose(task, event) if event.how == "lost" else self._fetch(task, event):
                learnt.append((event, task, None))
                self._recent.append(task.uuid)
                self.task_changes += 1
        return learnt

    def _lose(self, task: Task, event: Found) -> bool:
        runs_there = task.worker == event.hostname and task.started == event.of_start
        if not runs_there or task.state in _NOT_BEGUN or task.state in FINISHED:
            return False
        if task.state == LOST and task.lost is not None:
            return False
        task.lost = Loss(event.timestamp, event.hostname, event.of_start, event.exception or "")
        self._place(task, event, LOST, event.timestamp, None)
        self.lost += 1
        return True

    def _fetch(self, task: Task, event: Found) -> bool:
        if task.state in FINISHED:
            return False
        field, state = TASK_EVENTS[event.type]
        heard = self._hear(task, event, field)
        if heard == _AGAIN:
            return False
        if heard == _PLAIN:
            self._place(task, event, state, event.timestamp, self.workers.get(event.hostname))
        if task.state != state or task.state_at != event.timestamp:
            return False
        if task.worker is None and event.hostname:
            task.worker = self._intern(event.hostname)
        self._outcome(task, event)
        task.fetched = True
        self.fetched += 1
        return True

    def _told_after_all(self, task: Task, event: Event) -> None:
        """Let go of an end from the result backend, now that the event comes that tells it."""
        if event.timestamp < (task.started or 0.0):
            return  # it tells of an earlier run
        field = next(field for field, state in TASK_EVENTS.values() if state == task.state)
        setattr(task, field, None)
        task.log = tuple(one for one in task.log if one[0] != field or one[1] != task.state_at)
        task.fetched = False
        self._place(task, event, RECEIVED, event.timestamp, None)

    def restore(self, tasks: Sequence[Task]) -> int:
        """Take in tasks that were known before we began; says how many are new here.

        Nothing counts as an event. What events told of a task meanwhile stays, and is told more
        of by what was known. At most `max_tasks` are taken, the last of `tasks`. The caller holds
        `lock`.
        """
        new: dict[str, Task] = {}
        for task in tasks[-self.max_tasks :]:
            known = self.tasks.get(task.uuid)
            if known is not None:
                self._complete(known, task)
            else:
                new[task.uuid] = task
        if not new:
            return 0
        later = dict(self.tasks)
        self.tasks.clear()  # the same dictionary: others hold it
        for task in new.values():
            self._take_in(task)
        self.tasks.update(later)
        # They finished before everything that is here.
        done = [task.uuid for task in new.values() if task.state in FINISHED]
        self._finished.extendleft(reversed(done))
        self.restored += len(new)
        if len(self.tasks) > self.max_tasks or self.text_bytes > self.max_text_bytes:
            self._make_room()
        return len(new)

    def _take_in(self, task: Task) -> None:
        for field in _SHARED_WORDS:
            setattr(task, field, self._intern(getattr(task, field)))
        if not self.keep_arguments:
            task.args = task.kwargs = task.result = None
        texts = (task.args, task.kwargs, task.result, task.exception, task.traceback)
        task.text_bytes = sum(len(text) for text in texts if text is not None)
        self.text_bytes += task.text_bytes
        self.tasks[task.uuid] = task
        self.states[task.state] = self.states.get(task.state, 0) + 1
        name = task.name
        if name is not None and task.state not in FINISHED and len(self.names) < self.max_names:
            self.names.setdefault(name, NameStats(name))
        if task.state == STARTED and task.worker is not None and task.started is not None:
            worker = self.workers.get(task.worker)
            if worker is not None:
                worker.running.setdefault(task.uuid, task.started)
            elif len(self._ran_before) < self.max_workers:
                self._ran_before.setdefault(task.worker, {})[task.uuid] = task.started
        self._recent.append(task.uuid)
        self.task_changes += 1

    def _complete(self, known: Task, before: Task) -> None:
        """Tell more of a task than the events do that came since we began."""
        if known.name is None and before.name is not None:
            self._named(known, before.name)
        for field in _LASTING:
            if getattr(known, field) is None:
                setattr(known, field, getattr(before, field))
        for field in ("args", "kwargs") if self.keep_arguments else ():
            text = getattr(before, field)
            if getattr(known, field) is None and text is not None:
                setattr(known, field, text)
                known.text_bytes += len(text)
                self.text_bytes += len(text)
        known.retries = max(known.retries, before.retries)
        self._recent.append(known.uuid)
        self.task_changes += 1

    def forget_worker(self, hostname: str) -> None:
        """Let go of a worker that is gone. The caller holds `lock`."""
        self.workers.pop(hostname, None)
        self._tracked.pop(hostname, None)

    def recent_changes(self, after: int) -> list[tuple[Task, int]]:
        """Give the tasks that changed after the change number `after`, and how often each did.

        The last to have changed comes first. `task_changes` is the number of the last change;
        only the last MOST_RECENT are remembered. The caller holds `lock`.
        """
        fresh = islice(reversed(self._recent), max(self.task_changes - after, 0))
        tasks = self.tasks
        return [(tasks[uuid], n) for uuid, n in Counter(fresh).items() if uuid in tasks]

    def heartbeats(self, hostname: str, now: float) -> list[Heartbeat]:
        """Give a worker's heartbeats of the last ten minutes. The caller holds `lock`."""
        tracked = self._tracked.get(hostname)
        return [] if tracked is None else tracked.heartbeats.since(now - KEPT_SECONDS)

    # ------------------------------------------------------------------ task events

    def _sent(self, event: Event, received_at: float) -> Applied | None:
        task = self._task(event, received_at)
        client = self._client(event, received_at)
        heard = self._hear(task, event, "sent")
        if heard == _AGAIN:
            return None
        if task.state == PENDING and event.timestamp > task.state_at:
            task.state_at = event.timestamp
            task.state_pid = event.pid
            task.state_clock = event.clock
        if heard == _PLAIN or task.sent == event.timestamp:
            task.client = client.hostname
            queue = event.queue
            if queue:
                if queue in self.sent_to:
                    self.sent_to[queue] += 1
                    queue = self.queues[queue]
                elif len(self.queues) < _MOST_QUEUES:
                    self.queues[queue] = queue
                    self.sent_to[queue] = 1
                if task.received is not None and task.queue is None:
                    self._taken_late(task, queue)
                task.queue = queue
            task.exchange = self._intern(event.exchange)
            task.routing_key = self._intern(event.routing_key)
        self._describe(task, event)
        stats = self.names.get(task.name or "")
        started = task.started
        if task.wait is None and started and (not task.log or started >= event.timestamp):
            # Told of late: the start, which could not know how long it had waited, was first.
            # (A client stamps the event after it sent the task, so it may even be the later.)
            worker = self.workers.get(task.worker) if task.worker is not None else None
            self._waited(task, worker, stats)
        if stats is not None:
            stats.sent += 1
        return event, task, None

    def _received(self, event: Event, received_at: float) -> Applied | None:
        task = self._task(event, received_at)
        worker = self._worker(event, received_at)
        heard = self._hear(task, event, "received")
        if heard == _AGAIN:
            return None
        if heard == _PLAIN and task.state == PENDING:
            self._place(task, event, RECEIVED, event.timestamp, worker)
        self._describe(task, event)
        queue = task.queue
        if queue is None:
            queue = self.sole_queues.get(event.hostname)
        taken = self.taken_from
        if queue in taken:
            taken[queue] += 1
        else:
            self._taken(queue)
        stats = self.names.get(task.name or "")
        if stats is not None:
            stats.received += 1
        return event, task, worker

    def _started(self, event: Event, received_at: float) -> Applied | None:
        task = self._task(event, received_at)
        worker = self._worker(event, received_at)
        heard = self._hear(task, event, "started")
        if heard == _AGAIN:
            return None
        if worker is not None:
            self._ledger(worker, event).start(event.timestamp)
        if heard == _PLAIN and (
            task.state in (PENDING, RECEIVED)
            or (task.state not in _OF_EVENTS and event.timestamp > task.state_at)
        ):
            self._place(task, event, STARTED, event.timestamp, worker)
        stats = self.names.get(task.name or "")
        if task.started == event.timestamp:
            self._waited(task, worker, stats)
        if stats is not None:
            stats.started += 1
        return event, task, worker

    def _ended(self, event: Event, received_at: float) -> Applied | None:
        """Handle the end of a run: succeeded, failed, retried, revoked, rejected."""
        field, state = TASK_EVENTS[event.type]
        task = self._task(event, received_at)
        worker = self._worker(event, received_at)
        if task.fetched and state != RETRY:
            self._told_after_all(task, event)
        heard = self._hear(task, event, field)
        if heard == _AGAIN:
            return None
        if heard == _PLAIN:
            current = task.state
            if current not in _ENDED or current == REJECTED:
                decides = True
            else:  # two ends of one run: the later one holds, but what failed is not rejected
                decides = state != REJECTED and self._later(event, task)
            if decides:
                self._place(task, event, state, event.timestamp, worker)
        else:
            decides = task.state == state and task.state_at == event.timestamp
        if decides:
            self._outcome(task, event)
        stats = self.names.get(task.name or "")
        if field == "succeeded":
            runtime = event.runtime
            if runtime is not None:
                add_duration(runtime, self.runtimes, None if stats is None else stats.runtimes)
            if stats is not None:
                stats.succeeded += 1
                stats.runtime_sum += runtime or 0.0
        elif stats is not None:
            setattr(stats, field, getattr(stats, field) + 1)
            if field == "failed":
                stats.last_exception = task.exception
                stats.last_failed = task.uuid
        return event, task, worker

    def _unknown(self, event: Event, received_at: float) -> Applied | None:
        """Handle events of types Celery does not define: custom states and custom events."""
        if not event.type.startswith("task-") or event.uuid is None:
            worker = self.workers.get(event.hostname)
            if worker is not None:
                self._seen(worker, event, received_at)
            return event, None, worker
        task = self._task(event, received_at)
        worker = self._worker(event, received_at)
        custom = event.type[5:].upper()
        if custom not in self.states and len(self.states) >= _MOST_STATES:
            custom = OTHER.upper()
        mark = (custom, event.timestamp)
        if mark in task.custom:
            return None
        task.custom = (*task.custom[-_MOST_CUSTOM:], mark)
        if task.state not in FINISHED and (not task.state_at or self._later(event, task)):
            self._place(task, event, mark[0], event.timestamp, worker)
        return event, task, worker

    # ------------------------------------------------------------------ worker events

    def _worker_event(self, event: Event, received_at: float) -> Applied | None:
        worker = self._worker(event, received_at)
        if worker is None:
            return event, None, None
        kind = event.type
        told = self._tracked[worker.hostname].told
        mark = (kind, event.timestamp, event.pid)
        if mark in told:
            return None
        told.append(mark)
        if kind == "worker-offline":
            if event.pid is not None and event.pid != worker.pid:
                return event, None, worker  # the end of the process before this one
            worker.said_offline = True
            worker.active = 0
            worker.running.clear()
            return event, None, worker
        newest = True
        if event.processed is not None:
            newest = self._ledger(worker, event).heartbeat(
                at=event.timestamp,
                processed=event.processed,
                active=event.active or 0,
                arrived=received_at,
            )
            if event.pid != worker.pid or not (newest or kind == "worker-online"):
                return event, None, worker
        worker.said_offline = False
        self._heard_of(worker, event, received_at)
        if newest or not worker.heartbeats:
            worker.heartbeats = (*worker.heartbeats[-3:], received_at)
            self._tracked[worker.hostname].heartbeats.add(
                received_at,
                active=event.active,
                load=event.loadavg[0] if event.loadavg else None,
                processed=event.processed,
            )
        worker.freq = event.freq if event.freq and event.freq > 0 else worker.freq
        worker.active = event.active
        if worker.running and worker.active == 0 and newest:
            self._nothing_runs(worker, event.timestamp - _SETTLED_SECONDS)
        worker.processed = event.processed
        worker.loadavg = event.loadavg
        worker.sw_ident = self._intern(event.sw_ident)
        worker.sw_ver = self._intern(event.sw_ver)
        worker.sw_sys = self._intern(event.sw_sys)
        return event, None, worker

    def _heard_of(self, worker: Worker, event: Event, received_at: float) -> None:
        tracked = self._tracked[worker.hostname]
        tracked.heard.pop(event.pid, None)
        tracked.heard[event.pid] = received_at
        if len(tracked.heard) > _MOST_LEDGERS:
            del tracked.heard[next(iter(tracked.heard))]
        # (A worker that lost the broker for a while says that it is online, too.)
        if event.type == "worker-online" and event.processed == 0:
            tracked.began = (event.timestamp, event.pid)

    def _nothing_runs(self, worker: Worker, since: float) -> None:
        """Let go of tasks that began before `since` and whose end no event told.

        The event was lost, or there is none: Celery tells nothing of a task that raised Ignore
        or was killed by a hard time limit. It stays STARTED, which is all that is known.
        """
        over = [uuid for uuid, at in worker.running.items() if at < since]
        for uuid in over:
            del worker.running[uuid]
        self.ends_unseen += len(over)

    def _worker(self, event: Event, received_at: float) -> Worker | None:
        worker = self.workers.get(event.hostname)
        if worker is None:
            if len(self.workers) >= self.max_workers and not self._drop_silent(received_at):
                self.workers_refused += 1
                return None
            hostname = self._intern(event.hostname) or event.hostname
            worker = Worker(hostname=hostname, first_seen=received_at, pid=event.pid)
            self.workers[hostname] = worker
            self._tracked[hostname] = _Tracked()
            worker.running.update(self._ran_before.pop(hostname, {}))
        self._seen(worker, event, received_at)
        return worker

    def _seen(self, worker: Worker, event: Event, received_at: float) -> None:
        worker.last_seen = received_at
        worker.retired = False
        tracked = self._tracked[worker.hostname]
        # (A custom event may come from a child of the pool, with the child's process id.)
        if event.pid is not None and event.pid != worker.pid and event.type in self._handlers:
            self._new_process(worker, tracked, event)
        if event.clock is not None:
            worker.clock = event.clock
        ahead = event.timestamp - received_at
        self.last_event_lag = worker.skew - ahead
        if tracked.skew_window is None or ahead > tracked.skew_window:
            tracked.skew_window = ahead
            if ahead > worker.skew or not tracked.window_start:
                worker.skew = ahead
        if received_at - tracked.window_start > _SKEW_WINDOW_SECONDS:
            if tracked.window_start:
                worker.skew = tracked.skew_window
            tracked.window_start = received_at
            tracked.skew_window = ahead

    def _new_process(self, worker: Worker, tracked: _Tracked, event: Event) -> None:
        """Take note of another process behind a name, unless it is the one before, told late."""
        if event.timestamp < tracked.process_seen or event.type == "worker-offline":
            return
        if worker.pid is not None and event.pid not in tracked.ledgers:
            worker.restarts += 1
            tracked.began = (event.timestamp, event.pid)
        worker.running.clear()
        worker.said_offline = False
        worker.pid = event.pid
        tracked.process_seen = event.timestamp

    def _ledger(self, worker: Worker, event: Event) -> StartLedger:
        ledgers = self._tracked[worker.hostname].ledgers
        ledger = ledgers.get(event.pid)
        if ledger is None:
            born = event.type == "worker-online" or event.processed == 0
            if len(ledgers) >= _MOST_LEDGERS:
                worker.lost += ledgers.pop(next(iter(ledgers))).settle(float("inf"))
            ledger = ledgers[event.pid] = StartLedger(from_birth=born)
        return ledger

    def _drop_silent(self, now: float) -> bool:
        """Make room by letting go of the longest silent workers, if they are gone.

        To look through all takes a while, so it is not done for every event of a flood.
        """
        if 0.0 <= now - self._looked_for_silent < _LOOK_FOR_SILENT_SECONDS:
            return False
        most = max(1, self.max_workers // 100)
        silent = heapq.nsmallest(most, self.workers.values(), key=_last_seen)
        gone = [worker for worker in silent if now - worker.last_seen > 2 * worker.freq]
        for worker in gone:
            self.forget_worker(worker.hostname)
        if not gone:
            self._looked_for_silent = now
        return bool(gone)

    def _client(self, event: Event, received_at: float) -> Client:
        client = self.clients.get(event.hostname)
        ahead = event.timestamp - received_at
        if client is None:
            if len(self.clients) >= self.max_clients:
                del self.clients[next(iter(self.clients))]
            hostname = self._intern(event.hostname) or event.hostname
            client = Client(hostname, received_at, ahead, ahead, received_at)
            self.clients[hostname] = client
            return client
        client.last_seen = received_at
        if client.skew_window is None or ahead > client.skew_window:
            client.skew_window = ahead
            if client.skew is None or ahead > client.skew:
                client.skew = ahead
        if received_at - client.window_start > _SKEW_WINDOW_SECONDS:
            client.skew = client.skew_window
            client.skew_window = ahead
            client.window_start = received_at
            self.clients[client.hostname] = self.clients.pop(client.hostname)
        return client

    # ------------------------------------------------------------------ one task

    def _task(self, event: Event, received_at: float) -> Task:
        uuid = event.uuid
        assert uuid is not None  # the decoder refuses task events without one
        task = self.tasks.get(uuid)
        if task is None:
            task = self.tasks[uuid] = Task(uuid=uuid, first_seen=received_at)
            self.states[PENDING] = self.states.get(PENDING, 0) + 1
        return task

    def _hear(self, task: Task, event: Event, field: str) -> int:
        """Note an event of a task: known already, plain, or one that tells of several runs.

        As long as a task has one run on one worker, its fields say everything. From the first
        event on that says otherwise, all are kept, and `runs.judge` says how the task stands.
        """
        at = event.timestamp
        log = task.log
        if not log:
            known: float | None = getattr(task, field)
            if known is None:
                here = field == "sent" or task.worker is None or task.worker == event.hostname
                if here and not event.retries:
                    setattr(task, field, at)
                    return _PLAIN
            elif known == at:
                return _AGAIN
            log = tuple(
                (kind, told, (task.client if kind == "sent" else task.worker) or "", 0)
                for kind in _FIELDS
                if (told := getattr(task, kind)) is not None
            )
        elif any(kind == field and told == at for kind, told, _, _ in log):
            return _AGAIN
        task.log = (*log[-_MOST_LOGGED:], (field, at, event.hostname, event.retries or 0))
        self._judge(task, event)
        return _RERUN

    def _judge(self, task: Task, event: Event) -> None:
        """Let all events of a task say how it stands, and which run its fields tell of."""
        verdict = runs.judge(task.told_in_turn(), self._skew)
        for kind in _FIELDS:
            times = [at for told, at, _, _ in task.log if told == kind]
            setattr(task, kind, max(times, default=None))
        task.received = verdict.received if verdict.received is not None else task.received
        if verdict.started is not None or verdict.state == RECEIVED:
            task.started = verdict.started
        worker = self.workers.get(verdict.worker) if verdict.worker is not None else None
        state, at, lost = verdict.state, verdict.at, task.lost
        run = (verdict.worker, verdict.started)
        if state == STARTED and lost is not None and run == (lost.worker, lost.started):
            state, at = LOST, lost.at  # it is the same run as ever
        if state != PENDING:
            self._place(task, event, state, at, worker)

    def _place(
        self, task: Task, event: Event, state: str, at: float, worker: Worker | None
    ) -> None:
        """Put a task into a state, and keep the counts and the running ones right."""
        current = task.state
        if current == STARTED and task.worker is not None:
            runner = self.workers.get(task.worker)
            if runner is not None:
                runner.running.pop(task.uuid, None)
        if worker is not None:
            task.worker = worker.hostname
            if state == STARTED and len(worker.running) < _MOST_RUNNING:
                worker.running[task.uuid] = at
        if current != state:
            states = self.states
            states[current] -= 1
            states[state] = states.get(state, 0) + 1
            task.state = state
            if state in FINISHED and current not in FINISHED:
                self._finished.append(task.uuid)
        task.state_at = at
        task.state_pid = event.pid
        task.state_clock = event.clock

    def _describe(self, task: Task, event: Event) -> None:
        """Take what a sent or received event says of the task itself."""
        if event.name is not None and event.name != task.name:
            if task.name is None:
                self._named(task, event.name)
            elif _tells_the_latest(event, task):
                self._renamed(task, event.name, event.timestamp)
        elif task.renamed and event.name not in (None, *(name for _, name in task.renamed)):
            *before, (at, name) = task.renamed  # a client's event may come after a worker's
            task.renamed = (*before, (min(at, event.timestamp), name))
        if self.keep_arguments:
            if task.args is None and event.args is not None:
                task.args = self._text(task, event.args)
            if task.kwargs is None and event.kwargs is not None:
                task.kwargs = self._text(task, event.kwargs)
        retries = event.retries or 0
        if retries >= task.retries or task.renamed:
            task.retries = max(retries, task.retries)
            task.eta = event.eta
            task.expires = event.expires
        if event.root_id is not None:
            task.root_id = event.root_id if event.root_id != task.uuid else task.uuid
        # A retry is sent by the task itself, which is then said to be its own parent.
        parent = event.parent_id
        if parent is not None and (parent != task.uuid or task.parent_id is None):
            task.parent_id = parent

    def _renamed(self, task: Task, name: str, at: float) -> None:
        """Take note that another task runs under the id: what comes from now on is told of it."""
        assert task.name is not None
        before = [(when, name) for when, name in task.renamed if name != task.name]
        task.renamed = (*before[-_MOST_NAMES:], (at, task.name))
        stats = self.names.get(name)
        if stats is None and len(self.names) < self.max_names:
            stats = self.names[name] = NameStats(name)
        task.name = stats.name if stats is not None else name
        freed = len(task.args or "") + len(task.kwargs or "")
        task.text_bytes -= freed
        self.text_bytes -= freed
        task.args = task.kwargs = None

    def _named(self, task: Task, name: str) -> None:
        stats = self.names.get(name)
        if stats is None:
            if len(self.names) >= self.max_names:
                task.name = name
                return
            stats = self.names[name] = NameStats(name)
        task.name = stats.name
        if task.state in _BEFORE_START and not task.log:
            return
        # What came before its name was known counts now.
        for field in _NAMELESS:
            if task.log:
                times = sum(kind == field for kind, _, _, _ in task.log)
            else:
                times = getattr(task, field) is not None
            setattr(stats, field, getattr(stats, field) + times)
        if task.runtime is not None:
            stats.runtime_sum += task.runtime
            stats.runtimes.add(task.runtime)
        if task.wait is not None:
            stats.waits.add(task.wait)
        if task.failed is not None:
            stats.last_exception = task.exception
            stats.last_failed = task.uuid

    def _outcome(self, task: Task, event: Event) -> None:
        if event.result is not None and self.keep_arguments:
            task.result = self._text(task, event.result)
        if event.exception is not None:
            task.exception = self._text(task, event.exception)
        if event.traceback is not None:
            task.traceback = self._text(task, event.traceback, _TRACEBACK_CHARS)
        if event.runtime is not None:
            task.runtime = event.runtime
        if event.type == "task-revoked":
            task.terminated = bool(event.terminated)
            task.expired = bool(event.expired)
            task.signum = None if event.signum is None else str(event.signum)

    def _text(self, task: Task, text: str, most_chars: int | None = None) -> str:
        most = most_chars or self.max_text_chars
        if self.mask is not None or len(text) > most:
            was_long = len(text) > most
            text = kept(text, most, self.mask)
            # A mask may leave less of a text that was cut.
            task.truncated |= len(text) > most or (was_long and text.endswith("…"))
        size = len(text)
        task.text_bytes += size
        self.text_bytes += size
        return text

    @property
    def mask_arguments(self) -> Callable[[str], str] | None:
        """What arguments and results go through before anybody sees them; None: nothing."""
        return self.mask if self.keep_arguments else _hidden

    def clients_ahead(self) -> dict[str | None, float]:
        """Give by how many seconds clients' clocks are ahead of ours, where that is no noise.

        For whoever holds `lock`.
        """
        return {
            name: client.skew
            for name, client in self.clients.items()
            if client.skew is not None and abs(client.skew) > SKEW_NOISE_SECONDS
        }

    def _wait(self, task: Task, worker: Worker | None) -> float | None:
        """Seconds from when the task could run first to when it did."""
        sent, started = task.sent, task.started
        if sent is None or started is None:
            return None
        client = self.clients.get(task.client) if task.client is not None else None
        if worker is not None and client is not None and client.skew is not None:
            apart = worker.skew - client.skew
            if apart > SKEW_NOISE_SECONDS or apart < -SKEW_NOISE_SECONDS:
                started -= apart
        if task.eta is not None:
            due = epoch(task.eta)
            if due is not None and due > sent:
                sent = due
        return started - sent if started > sent else 0.0

    def _waited(self, task: Task, worker: Worker | None, stats: NameStats | None) -> None:
        """Note how long a task waited for the run that began, if that is known, and count it."""
        wait = task.wait = self._wait(task, worker)
        if wait is not None:
            add_duration(wait, self.waits, None if stats is None else stats.waits)

    # ------------------------------------------------------------------ order

    def _later(self, event: Event, task: Task) -> bool:
        """Say whether an event of the same worker came after the one that set the state."""
        if event.pid == task.state_pid and event.clock and task.state_clock:
            return event.clock > task.state_clock
        return event.timestamp >= task.state_at

    def _skew(self, hostname: str) -> float:
        worker = self.workers.get(hostname)
        if worker is not None:
            return worker.skew
        client = self.clients.get(hostname)
        return client.skew if client is not None and client.skew is not None else 0.0

    # ------------------------------------------------------------------ bookkeeping

    def _taken(self, queue: str | None) -> None:
        if queue not in self.taken_from and len(self.taken_from) > _MOST_QUEUES:
            queue = None
        self.taken_from[queue] = self.taken_from.get(queue, 0) + 1

    def _taken_late(self, task: Task, queue: str) -> None:
        """Count a task for its queue, which nobody could know when a worker received it."""
        if task.worker not in self.sole_queues and self.taken_from[None]:
            self.taken_from[None] -= 1
            self._taken(queue)

    def _first_of_type(self, counts: dict[str, int], kind: str) -> None:
        if len(counts) >= _MOST_TYPES:
            kind = OTHER
        counts[kind] = counts.get(kind, 0) + 1

    def _intern(self, text: str | None) -> str | None:
        """Give the one copy of a text that many tasks share."""
        if text is None:
            return None
        known = self._interned.get(text)
        if known is None:
            if len(self._interned) >= _MOST_INTERNED:
                return text
            known = self._interned[text] = text
        return known

    def _make_room(self) -> None:
        """Let go of tasks: the longest finished, and only when too many live, the oldest."""
        finished = self._finished
        if len(finished) > 2 * self.max_tasks:  # tasks that finished again and again
            finished = self._finished = deque(dict.fromkeys(finished))
        done = sum(self.states.get(state, 0) for state in FINISHED)
        while finished and (done > self.max_tasks or self.text_bytes > self.max_text_bytes):
            task = self.tasks.get(finished.popleft())
            if task is not None and task.state in FINISHED:  # else it went before, or runs again
                done -= 1
                self.evicted += 1
                self._let_go(task)
        most_live = LIVE_TIMES * self.max_tasks
        while self.tasks and (
            len(self.tasks) - done > most_live or self.text_bytes > self.max_text_bytes
        ):
            oldest = next(iter(self.tasks.values()))
            if oldest.state in FINISHED:
                done -= 1
                self.evicted += 1
            else:
                self.evicted_live += 1
            self._let_go(oldest)

    def _let_go(self, task: Task) -> None:
        del self.tasks[task.uuid]
        self.states[task.state] -= 1
        self.text_bytes -= task.text_bytes
        if task.state == STARTED and task.worker in self.workers:
            self.workers[task.worker].running.pop(task.uuid, None)


_FIELDS = tuple(field for field, _ in TASK_EVENTS.values())
_OF_EVENTS = frozenset(state for _, state in TASK_EVENTS.values())
_ENDED = FINISHED | {RETRY}
_BEFORE_START = frozenset({PENDING, RECEIVED})
_NOT_BEGUN = frozenset({PENDING, RECEIVED, RETRY})
_SHARED_WORDS = ("name", "worker", "client", "queue", "exchange", "routing_key")
#: What an event told once holds from then on.
_LASTING = (
    "client", "queue", "exchange", "routing_key", "sent", "received", "started", "eta", "expires",
    "root_id", "parent_id", "wait", "lost",
)  # fmt: skip
#: Fields of the events that do not carry the task's name.
_NAMELESS = ("started", "succeeded", "failed", "retried", "revoked", "rejected")


def _hidden(_: str) -> str:
    return "***"


def _tells_the_latest(event: Event, task: Task) -> bool:
    """Say whether no event that carries a name was made after this one."""
    times = [at for kind, at, _, _ in task.log if kind in ("sent", "received")]
    return event.timestamp >= max(task.sent or 0.0, task.received or 0.0, *times)


def _last_seen(worker: Worker) -> float:
    return worker.last_seen
