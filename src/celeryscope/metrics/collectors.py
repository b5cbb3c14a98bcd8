"""What is read when somebody asks: workers, tasks in memory, queues, ingest, this process.

A collector returns rows by the name that the catalogue has for a metric. It takes what it reads
as callables and small protocols, and holds a lock only to copy.
"""

from __future__ import annotations

import os
import platform
import resource
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Protocol

from celeryscope.errors import Unavailable
from celeryscope.metrics.catalog import OTHER, Limits
from celeryscope.metrics.exposition import Row
from celeryscope.metrics.recorder import Recorder, host_of
from celeryscope.metrics.series import shortened
from celeryscope.metrics.waiting import oldest_waiting
from celeryscope.model.task import PENDING, RECEIVED, STATES, Task
from celeryscope.model.worker import Worker

Rows = dict[str, Sequence[Row]]
_LIMITS = Limits()
_MOST_STATES = 50
_LOOK_SECONDS = 60.0  # into the history's database
_FIRST_LOOKS_SECONDS = 5.0  # as long as nothing is there


class Collector(Protocol):
    """Reads some metrics at `now`, in epoch seconds."""

    def collect(self, now: float) -> Rows: ...


class StateView(Protocol):
    """What we read of `cluster.state.ClusterState`."""

    lock: threading.Lock
    tasks: dict[str, Task]
    workers: dict[str, Worker]
    sent_to: dict[str, int]
    states: dict[str, int]
    totals: dict[str, int]
    duplicates: int
    failures: int
    evicted: int
    evicted_live: int
    workers_refused: int
    ends_unseen: int

    def clients_ahead(self) -> dict[str | None, float]: ...


class WaitingView(Protocol):
    """What we read of it to say how long messages have waited."""

    @property
    def lock(self) -> AbstractContextManager[Any]: ...
    @property
    def tasks(self) -> Mapping[str, Task]: ...
    @property
    def sent_to(self) -> Mapping[str, int]: ...
    @property
    def states(self) -> Mapping[str, int]: ...
    def clients_ahead(self) -> Mapping[str | None, float]: ...


class LossesView(Protocol):
    """What we read of `cluster.accounting.Accounting`."""

    gaps_total: int
    dropped_messages: int
    dropped_bytes: int
    rejected: dict[str, int]

    def gap_seconds(self, now: float) -> float: ...


class IngestView(Protocol):
    """How the reader of events is doing."""

    @property
    def lag_seconds(self) -> float: ...
    @property
    def buffer_bytes(self) -> int: ...
    @property
    def buffer_limit_bytes(self) -> int: ...


class QueueDepthView(Protocol):
    """How full a queue is; None where that is not known."""

    @property
    def messages(self) -> int | None: ...
    @property
    def consumers(self) -> int | None: ...
    @property
    def unacknowledged(self) -> int | None: ...


class ExtentView(Protocol):
    """How much there is in the history."""

    @property
    def tasks(self) -> int: ...
    @property
    def oldest(self) -> float | None: ...


class HistoryView(Protocol):
    """What we read of `history.store.History`. The last two ask its database."""

    @property
    def written(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def trouble(self) -> str | None: ...
    def extent(self) -> ExtentView: ...
    def size_bytes(self) -> int: ...


class InspectionView(Protocol):
    """What a worker said of itself when asked; None where it did not."""

    @property
    def stats(self) -> dict[str, Any] | None: ...
    @property
    def active_queues(self) -> list[Any] | None: ...


WorkerStatus = Callable[[Worker, float], str]  # "online", "offline" or "unknown" at that time


class WorkersCollector:
    """Workers: alive or not, how busy, how far off their clocks, what of theirs was lost."""

    def __init__(
        self,
        *,
        state: StateView,
        status: WorkerStatus,
        inspections: Callable[[], Mapping[str, InspectionView]],
        limit: int = _LIMITS.workers,
    ):
        self._state = state
        self._status = status
        self._inspections = inspections
        self._limit = limit

    def collect(self, now: float) -> Rows:
        with self._state.lock:
            workers = [w for w in self._state.workers.values() if not w.retired]
        statuses = Counter({"online": 0, "offline": 0, "unknown": 0})
        judged: list[tuple[str, Worker, str]] = []
        beyond: list[Worker] = []
        for worker in workers:
            status = self._status(worker, now)
            statuses[status] += 1
            if len(judged) < self._limit:
                judged.append((_label(worker.hostname), worker, status))
            else:
                beyond.append(worker)
        return {
            "celeryscope_workers": [((status,), count) for status, count in statuses.items()],
            "celeryscope_worker_processes": _processes(judged, self._inspections()),
            **_workers_one_by_one(judged),
            **_workers_for_celery(judged),
            **_workers_of_ours(judged, beyond),
        }


def _workers_one_by_one(judged: Iterable[tuple[str, Worker, str]]) -> Rows:
    """What Flower tells of each worker, under its names and under ours."""
    known = [(label, worker, status) for label, worker, status in judged if status != "unknown"]
    online: Sequence[Row] = [
        ((label,), 1 if status == "online" else 0) for label, _, status in known
    ]
    running: Sequence[Row] = [
        ((label,), _active(worker, status))
        for label, worker, status in known
        if worker.active is not None or status == "offline"
    ]
    return {
        "flower_worker_online": online,
        "celeryscope_worker_online": online,
        "flower_worker_number_of_currently_executing_tasks": running,
        "celeryscope_worker_tasks_running": running,
    }


def _processes(
    judged: Iterable[tuple[str, Worker, str]], inspections: Mapping[str, InspectionView]
) -> Sequence[Row]:
    rows: list[Row] = []
    for label, worker, status in judged:
        inspection = inspections.get(worker.hostname) if status == "online" else None
        size = pool_size(inspection) if inspection is not None else None
        if size is not None:
            rows.append(((label,), size))
    return rows


def _workers_for_celery(judged: Iterable[tuple[str, Worker, str]]) -> Rows:
    up: dict[str, int] = {}
    active: dict[str, int] = {}
    for label, worker, status in judged:
        if status == "unknown":
            continue
        host = host_of(label)
        up[host] = max(up.get(host, 0), 1 if status == "online" else 0)
        active[host] = active.get(host, 0) + _active(worker, status)
    return {
        "celery_worker_up": [((host,), value) for host, value in up.items()],
        "celery_worker_tasks_active": [((host,), value) for host, value in active.items()],
    }


def _workers_of_ours(judged: Sequence[tuple[str, Worker, str]], beyond: Sequence[Worker]) -> Rows:
    restarts: list[Row] = [((label,), worker.restarts) for label, worker, _ in judged]
    lost: list[Row] = [((label,), worker.lost) for label, worker, _ in judged]
    if beyond:
        restarts.append(((OTHER,), sum(worker.restarts for worker in beyond)))
        lost.append(((OTHER,), sum(worker.lost for worker in beyond)))
    return {
        "celeryscope_worker_restarts_total": restarts,
        "celeryscope_worker_lost_events_total": lost,
        "celeryscope_worker_clock_skew_seconds": [
            ((label,), worker.skew) for label, worker, _ in judged
        ],
        "celeryscope_worker_last_heartbeat_timestamp_seconds": [
            ((label,), worker.heartbeats[-1]) for label, worker, _ in judged if worker.heartbeats
        ],
    }


def _active(worker: Worker, status: str) -> int:
    return max(0, worker.active or 0) if status == "online" else 0


class TasksCollector:
    """Tasks in memory by state, and those that wait at a worker to be started."""

    def __init__(self, *, state: StateView, recorder: Recorder):
        self._state = state
        self._recorder = recorder

    def collect(self, now: float) -> Rows:
        with self._state.lock:
            states = dict(self._state.states)
            tasks = list(self._state.tasks.values()) if states.get(RECEIVED) else []
            forgotten, forgotten_live = self._state.evicted, self._state.evicted_live
        return {
            "celeryscope_tasks": _by_state(states),
            "celeryscope_tasks_forgotten_total": [
                (("finished",), forgotten),
                (("live",), forgotten_live),
            ],
            "flower_worker_prefetched_tasks": self._prefetched(tasks),
        }

    def _prefetched(self, tasks: Iterable[Task]) -> Sequence[Row]:
        counts = dict.fromkeys(self._recorder.prefetching(), 0)
        if not counts:
            return []
        waiting = Counter(
            (task.name or "", task.worker or "")
            for task in tasks
            if task.state == RECEIVED and not task.eta
        )
        for (name, worker), count in waiting.items():
            pair = (_label(name), _label(worker))
            if pair in counts:
                counts[pair] += count
            elif (OTHER, OTHER) in counts:
                counts[OTHER, OTHER] += count
        return list(counts.items())


def _by_state(states: Mapping[str, int]) -> Sequence[Row]:
    """Return Celery's states, at 0 too, then custom ones; OTHER takes those past the limit."""
    rows: list[Row] = [((state,), states.get(state, 0)) for state in STATES]
    custom = [(state, count) for state, count in states.items() if state not in STATES]
    kept = custom[: _MOST_STATES - len(STATES)]
    rows += [((_label(state),), count) for state, count in kept]
    if len(custom) > len(kept):
        rows.append(((OTHER,), sum(count for _, count in custom[len(kept) :])))
    return rows


class QueuesCollector:
    """Queues: how full, and who consumes them."""

    def __init__(
        self,
        *,
        depths: Callable[[], Mapping[str, QueueDepthView]],
        inspections: Callable[[], Mapping[str, InspectionView]],
        online: Callable[[str], bool],
        limit: int = _LIMITS.queues,
    ):
        """`online(hostname)` says whether what that worker last answered still holds."""
        self._depths = depths
        self._inspections = inspections
        self._online = online
        self._limit = limit
        self._seen: dict[str, None] = {}  # queues ever consumed: they show 0 afterwards

    def collect(self, now: float) -> Rows:
        depths = {_label(name): depth for name, depth in list(self._depths().items())}
        workers: Counter[str] = Counter()
        processes: Counter[str] = Counter()
        for hostname, inspection in list(self._inspections().items()):
            if not self._online(hostname):
                continue
            for queue in queue_names(inspection):
                workers[_label(queue)] += 1
                processes[_label(queue)] += _pool_processes(inspection)
        for queue in (*depths, *workers):
            if len(self._seen) < self._limit:
                self._seen.setdefault(queue)
        shown = {queue: depth for queue, depth in depths.items() if queue in self._seen}
        messages: Sequence[Row] = [
            ((queue,), depth.messages)
            for queue, depth in shown.items()
            if depth.messages is not None
        ]
        consumers: Sequence[Row] = [
            ((queue,), depth.consumers)
            for queue, depth in shown.items()
            if depth.consumers is not None
        ]
        held: Sequence[Row] = [
            ((queue,), depth.unacknowledged)
            for queue, depth in shown.items()
            if depth.unacknowledged is not None
        ]
        consuming: Sequence[Row] = [((queue,), workers[queue]) for queue in self._seen]
        return {
            "celery_queue_length": messages,
            "celeryscope_queue_messages": messages,
            "celeryscope_queue_unacknowledged": held,
            "celery_active_consumer_count": consumers,
            "celeryscope_queue_consumers": consumers,
            "celery_active_worker_count": consuming,
            "celeryscope_queue_workers": consuming,
            "celery_active_process_count": [((queue,), processes[queue]) for queue in self._seen],
        }


class WaitingCollector:
    """How long the oldest message of each queue has waited."""

    def __init__(self, *, state: StateView, depths: Callable[[], Mapping[str, QueueDepthView]]):
        """`depths()` gives what holds now: nothing while the broker cannot be asked."""
        self._state = state
        self._depths = depths

    def collect(self, now: float) -> Rows:
        return {
            "celeryscope_queue_oldest_waiting_seconds": [
                ((_label(queue),), seconds)
                for queue, seconds in waits_of(self._state, self._depths(), now).items()
            ]
        }


def waits_of(
    state: WaitingView, depths: Mapping[str, QueueDepthView], now: float
) -> dict[str, float]:
    """Return how long the oldest message of each queue has waited, in seconds, where it is known."""
    depths = dict(depths)
    with state.lock:
        told = [queue for queue in state.sent_to if queue in depths]
        known = {
            queue: messages for queue in told if (messages := depths[queue].messages) is not None
        }
        pending = state.states.get(PENDING) and any(known.values())
        tasks = list(state.tasks.values()) if pending else []
        ahead = state.clients_ahead()
    return oldest_waiting(tasks, known, ahead=ahead, now=now)


def queue_names(inspection: InspectionView) -> list[str]:
    """Return the names of the queues a worker said it consumes."""
    queues = inspection.active_queues or []
    names = [queue.get("name") for queue in queues if isinstance(queue, dict)]
    return [name for name in names if isinstance(name, str)]


def pool_size(inspection: InspectionView) -> int | None:
    """Return how many tasks a worker can run at once, None if it did not say."""
    pool = (inspection.stats or {}).get("pool")
    if not isinstance(pool, dict):
        return None
    processes = pool.get("processes")
    if isinstance(processes, list):
        return len(processes)
    most = pool.get("max-concurrency")  # of threads and greenlets
    return most if isinstance(most, int) and not isinstance(most, bool) and most >= 0 else None


def _pool_processes(inspection: InspectionView) -> int:
    pool = (inspection.stats or {}).get("pool")
    processes = pool.get("processes") if isinstance(pool, dict) else None
    return len(processes) if isinstance(processes, list) else 0


class IngestCollector:
    """The way of the events to us: connection, lag, buffer, gaps, and what did not make it."""

    def __init__(
        self,
        *,
        state: StateView,
        losses: LossesView,
        ingest: Callable[[], IngestView],
        connected: Callable[[], bool],
        recorder: Recorder,
    ):
        self._state = state
        self._losses = losses
        self._ingest = ingest
        self._connected = connected
        self._recorder = recorder

    def collect(self, now: float) -> Rows:
        with self._state.lock:
            totals = dict(self._state.totals)
        ingest, losses = self._ingest(), self._losses
        return {
            "celeryscope_events_received_total": [
                ((_label(type_),), count) for type_, count in totals.items()
            ],
            "celeryscope_events_duplicate_total": [((), self._state.duplicates)],
            "celeryscope_events_unnamed_total": [((), self._recorder.unnamed)],
            "celeryscope_events_queue_assumed_total": [((), self._recorder.queue_assumed)],
            "celeryscope_events_waiting": [((), self._recorder.waiting)],
            "celeryscope_task_ends_unseen_total": [((), self._state.ends_unseen)],
            "celeryscope_events_refused_total": [((), self._state.workers_refused)],
            "celeryscope_event_faults_total": [((), self._state.failures)],
            "celeryscope_messages_rejected_total": [
                ((_label(reason),), count) for reason, count in losses.rejected.copy().items()
            ],
            "celeryscope_messages_dropped_total": [((), losses.dropped_messages)],
            "celeryscope_messages_dropped_bytes_total": [((), losses.dropped_bytes)],
            "celeryscope_ingest_buffer_bytes": [((), ingest.buffer_bytes)],
            "celeryscope_ingest_buffer_limit_bytes": [((), ingest.buffer_limit_bytes)],
            "celeryscope_ingest_lag_seconds": [((), max(0.0, ingest.lag_seconds))],
            "celeryscope_ingest_gaps_total": [((), losses.gaps_total)],
            "celeryscope_ingest_gap_seconds_total": [((), losses.gap_seconds(now))],
            "celeryscope_broker_connected": [((), 1 if self._connected() else 0)],
            "celeryscope_label_overflow_total": [
                ((label,), count) for label, count in self._recorder.overflow().items()
            ],
        }


class HistoryCollector:
    """What the history says of itself. A scrape never waits for its database."""

    def __init__(self, history: HistoryView, *, removed: Callable[[], int]):
        """`removed` counts the tasks that retention took out."""
        self._history = history
        self._removed = removed
        self._looking = threading.Lock()
        self._looked: float | None = None
        self._pause = _FIRST_LOOKS_SECONDS
        self._found: Rows = {}

    def collect(self, now: float) -> Rows:
        if self._looked is None or abs(now - self._looked) >= self._pause:
            self._looked = now
            threading.Thread(target=self._look, name="history figures", daemon=True).start()
        history = self._history
        return {
            "celeryscope_history_events_written_total": [((), history.written)],
            "celeryscope_history_events_waiting": [((), history.waiting)],
            "celeryscope_history_events_dropped_total": [((), history.dropped)],
            "celeryscope_history_events_refused_total": [((), history.refused)],
            "celeryscope_history_tasks_removed_total": [((), self._removed())],
            "celeryscope_history_trouble": [((), 0 if history.trouble is None else 1)],
            **self._found,
        }

    def _look(self) -> None:
        if not self._looking.acquire(blocking=False):
            return  # the database takes its time
        try:
            extent = self._history.extent()
            self._found = {
                "celeryscope_history_size_bytes": [((), self._history.size_bytes())],
                "celeryscope_history_tasks": [((), extent.tasks)],
                "celeryscope_history_oldest_task_timestamp_seconds": [
                    ((), at) for at in [extent.oldest] if at is not None
                ],
            }
            self._pause = _LOOK_SECONDS if extent.tasks else _FIRST_LOOKS_SECONDS
        except Unavailable:
            self._found, self._pause = {}, _FIRST_LOOKS_SECONDS
        finally:
            self._looking.release()


class BuildCollector:
    """Which versions run, and where people reach the console."""

    def __init__(self, *, version: str, console_url: str | None):
        self._values = (_installed("celery"), platform.python_version(), version)
        self._console: Sequence[Row] = [] if console_url is None else [((console_url,), 1)]

    def collect(self, now: float) -> Rows:
        return {
            "celeryscope_build_info": [(self._values, 1)],
            "celeryscope_console_info": self._console,
        }


def _installed(package: str) -> str:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return ""


class ProcessCollector:
    """This process, as /proc tells of it; where there is no /proc, only what the OS calls give."""

    def __init__(self, *, proc: Path = Path("/proc")):
        self._proc = proc
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._started = self._start_time()

    def collect(self, now: float) -> Rows:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        rows: Rows = {
            "process_cpu_seconds_total": [((), usage.ru_utime + usage.ru_stime)],
            "process_max_fds": [((), _most_open_files())],
        }
        if self._started is not None:
            rows["process_start_time_seconds"] = [((), self._started)]
        try:
            pages = (self._proc / "self/statm").read_text().split()
            rows["process_virtual_memory_bytes"] = [((), int(pages[0]) * self._page_bytes)]
            rows["process_resident_memory_bytes"] = [((), int(pages[1]) * self._page_bytes)]
            rows["process_open_fds"] = [((), sum(1 for _ in (self._proc / "self/fd").iterdir()))]
        except OSError:
            pass  # no /proc here: those metrics are absent, as they are in prometheus_client
        return rows

    def _start_time(self) -> float | None:
        try:
            stat = (self._proc / "self/stat").read_text()
            boot = (self._proc / "stat").read_text()
        except OSError:
            return None
        # The program's name stands in brackets and may hold anything; count from behind it.
        after_name = stat.rpartition(")")[2].split()
        since_boot = int(after_name[19]) / self._ticks
        booted = next(line for line in boot.splitlines() if line.startswith("btime "))
        return int(booted.split()[1]) + since_boot


def _most_open_files() -> float:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if soft == resource.RLIM_INFINITY else soft


def _label(value: str) -> str:
    return shortened(value, _LIMITS.value_length)
