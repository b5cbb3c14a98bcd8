"""Every metric we expose, in one table.

Three sets share it. `flower` and `celery` carry the names, labels and buckets of Flower and of
celery-exporter, so that dashboards and alerts made for those keep working; `own` is ours and
follows Prometheus' naming rules. Each set can be switched off.

`python -m celeryscope.metrics.catalog` prints docs/reference/metrics.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

Kind = Literal["counter", "gauge", "histogram", "info"]
SetName = Literal["flower", "celery", "own"]
SETS: tuple[SetName, ...] = ("flower", "celery", "own")

# The label value that takes what exceeds a limit, and the task name when none was ever told.
OTHER = "other"
UNKNOWN = "unknown"

# prometheus_client's buckets, which Flower and celery-exporter use unless told otherwise.
CLIENT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
# Tasks wait and run from milliseconds to an hour.
OWN_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0),
)

# The task events Celery itself sends; celery-exporter has one counter for each.
TASK_EVENTS = (
    "task-sent",
    "task-received",
    "task-started",
    "task-succeeded",
    "task-failed",
    "task-rejected",
    "task-revoked",
    "task-retried",
)


class Metric(msgspec.Struct, frozen=True):
    """One family. A counter's name has its `_total`, an info's its `_info`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]  # in the order in which values are given
    set: SetName
    help: str
    bounded: str = "one series"  # what keeps the number of its series small
    unit: str = ""  # a unit that the name ends with, as OpenMetrics wants it told

    @property
    def family(self) -> str:
        """The name without the suffix that its kind adds, as OpenMetrics calls the family."""
        if self.kind == "counter":
            return self.name.removesuffix("_total")
        return self.name.removesuffix("_info") if self.kind == "info" else self.name


class Limits(NamedTuple):
    """How many distinct values a label may have; what comes after goes to `other`."""

    names: int = 2_000  # task names
    workers: int = 2_000
    clients: int = 1_000  # processes that send tasks
    queues: int = 500
    exceptions: int = 200
    types: int = 50  # event types
    label_sets: int = 50_000  # series of one family; a histogram counts as one
    value_length: int = 256  # characters; a longer value is cut and gets a hash
    waiting: int = 50_000  # events held back until their task's name or queue is known


_WORKERS = "workers"
_QUEUES = "queues"
_WORKER_EVENTS = "workers x event types"
_WORKER_TASKS = "workers x task names"
_HOST_SETS = "hosts x task names x queues"
_TASK_QUEUES = "task names x queues"

METRICS: tuple[Metric, ...] = (
    # ------------------------------------------------------------------ Flower's
    Metric(
        "flower_events_total",
        "counter",
        ("task", "type", "worker"),
        "flower",
        "Task events by task name, event type and the worker (or sending client) they came from.",
        "(workers + clients) x task names x event types",
    ),
    Metric(
        "flower_task_runtime_seconds",
        "histogram",
        ("task", "worker"),
        "flower",
        "Run time of succeeded tasks as the worker measured it.",
        _WORKER_TASKS,
        "seconds",
    ),
    Metric(
        "flower_task_prefetch_time_seconds",
        "gauge",
        ("task", "worker"),
        "flower",
        "How long the task started last had waited at its worker. Tasks with an ETA are left out.",
        _WORKER_TASKS,
        "seconds",
    ),
    Metric(
        "flower_worker_prefetched_tasks",
        "gauge",
        ("task", "worker"),
        "flower",
        "Tasks a worker has received and not started. Tasks with an ETA are left out.",
        _WORKER_TASKS,
    ),
    Metric(
        "flower_worker_online",
        "gauge",
        ("worker",),
        "flower",
        "1 if the worker is online, 0 if it is not; absent while we cannot know.",
        _WORKERS,
    ),
    Metric(
        "flower_worker_number_of_currently_executing_tasks",
        "gauge",
        ("worker",),
        "flower",
        "Tasks the worker is running, as its last heartbeat said; 0 for one that is offline.",
        _WORKERS,
    ),
    # ---------------------------------------------------------- celery-exporter's
    *(
        Metric(
            f"celery_{event.replace('-', '_')}_total",
            "counter",
            ("exception", "hostname", "name", "queue_name")
            if event == "task-failed"
            else ("hostname", "name", "queue_name"),
            "celery",
            help,
            _HOST_SETS + (" x exceptions" if event == "task-failed" else ""),
        )
        for event, help in (
            ("task-sent", "Tasks sent; the host is the sender's."),
            ("task-received", "Tasks received by a worker."),
            ("task-started", "Tasks started."),
            ("task-succeeded", "Tasks that succeeded."),
            ("task-failed", "Tasks that failed, by class of the exception."),
            ("task-rejected", "Tasks rejected by their worker."),
            ("task-revoked", "Tasks revoked."),
            ("task-retried", "Tasks that failed and will be tried again."),
        )
    ),
    Metric(
        "celery_task_runtime",
        "histogram",
        ("hostname", "name", "queue_name"),
        "celery",
        "Run time of succeeded tasks as the worker measured it, in seconds.",
        _HOST_SETS,
    ),
    Metric(
        "celery_task_queue_wait_time",
        "histogram",
        ("hostname", "name", "queue_name"),
        "celery",
        "Seconds from sending (or from the ETA, if later) to the start.",
        _HOST_SETS,
    ),
    Metric(
        "celery_worker_up",
        "gauge",
        ("hostname",),
        "celery",
        "1 if a worker on this host is online, 0 if none is; absent while we cannot know.",
        "hosts",
    ),
    Metric(
        "celery_worker_tasks_active",
        "gauge",
        ("hostname",),
        "celery",
        "Tasks the workers on this host are running, as their last heartbeats said.",
        "hosts",
    ),
    Metric(
        "celery_queue_length",
        "gauge",
        ("queue_name",),
        "celery",
        "Messages waiting in the queue.",
        _QUEUES,
    ),
    Metric(
        "celery_active_consumer_count",
        "gauge",
        ("queue_name",),
        "celery",
        "Consumers of the queue, where the broker can tell.",
        _QUEUES,
    ),
    Metric(
        "celery_active_worker_count",
        "gauge",
        ("queue_name",),
        "celery",
        "Workers that consume the queue.",
        _QUEUES,
    ),
    Metric(
        "celery_active_process_count",
        "gauge",
        ("queue_name",),
        "celery",
        "Pool processes of the workers that consume the queue.",
        _QUEUES,
    ),
    # ----------------------------------------------------------------------- ours
    Metric(
        "celeryscope_task_events_total",
        "counter",
        ("queue", "task", "type"),
        "own",
        "Task events by task name, queue and event type, over all workers.",
        _TASK_QUEUES + " x event types",
    ),
    Metric(
        "celeryscope_task_failures_total",
        "counter",
        ("exception", "queue", "task"),
        "own",
        "Tasks that failed, by class of the exception, task name and queue. A retry is no failure.",
        _TASK_QUEUES + " x exceptions",
    ),
    Metric(
        "celeryscope_task_wait_seconds",
        "histogram",
        ("queue", "task"),
        "own",
        "Time from sending a task (or from its ETA, if later) to its start, clock skew removed.",
        _TASK_QUEUES,
        "seconds",
    ),
    Metric(
        "celeryscope_task_runtime_seconds",
        "histogram",
        ("queue", "task"),
        "own",
        "Run time of succeeded tasks as the worker measured it.",
        _TASK_QUEUES,
        "seconds",
    ),
    Metric(
        "celeryscope_tasks",
        "gauge",
        ("state",),
        "own",
        "Tasks in memory by state.",
        "states (custom ones beyond 50 are `other`)",
    ),
    Metric(
        "celeryscope_tasks_forgotten_total",
        "counter",
        ("kind",),
        "own",
        "Tasks let go from memory for room, finished or live.",
        "2",
    ),
    Metric(
        "celeryscope_workers",
        "gauge",
        ("status",),
        "own",
        "Known workers by status: online, offline or unknown.",
        "3",
    ),
    Metric(
        "celeryscope_worker_online",
        "gauge",
        ("worker",),
        "own",
        "1 if the worker is online, 0 if it is not; absent while we cannot know.",
        _WORKERS,
    ),
    Metric(
        "celeryscope_worker_tasks_running",
        "gauge",
        ("worker",),
        "own",
        "Tasks the worker is running, as its last heartbeat said; 0 for one that is offline.",
        _WORKERS,
    ),
    Metric(
        "celeryscope_worker_processes",
        "gauge",
        ("worker",),
        "own",
        "Tasks the worker can run at once: processes, threads or greenlets of its pool, as it said "
        "when inspected last. Only while it is online.",
        _WORKERS,
    ),
    Metric(
        "celeryscope_worker_task_events_total",
        "counter",
        ("type", "worker"),
        "own",
        "Task events by event type and the worker they came from; task-sent is not among them.",
        _WORKER_EVENTS,
    ),
    Metric(
        "celeryscope_worker_last_heartbeat_timestamp_seconds",
        "gauge",
        ("worker",),
        "own",
        "When the worker's last heartbeat reached us.",
        _WORKERS,
        "seconds",
    ),
    Metric(
        "celeryscope_worker_clock_skew_seconds",
        "gauge",
        ("worker",),
        "own",
        "How far the worker's clock is ahead of ours; negative when it is behind.",
        _WORKERS,
        "seconds",
    ),
    Metric(
        "celeryscope_worker_restarts_total",
        "counter",
        ("worker",),
        "own",
        "Times the worker's process id changed.",
        _WORKERS,
    ),
    Metric(
        "celeryscope_worker_lost_events_total",
        "counter",
        ("worker",),
        "own",
        "Task starts that the worker counted in its heartbeats and that never reached us.",
        _WORKERS,
    ),
    Metric(
        "celeryscope_queue_messages",
        "gauge",
        ("queue",),
        "own",
        "Messages waiting in the queue.",
        _QUEUES,
    ),
    Metric(
        "celeryscope_queue_unacknowledged",
        "gauge",
        ("queue",),
        "own",
        "Messages of the queue that workers hold and have not acknowledged: prefetched, waiting for "
        "their ETA, or, with acks_late, running. Absent where the broker does not tell: RabbitMQ "
        "does with its management API (`broker_api`), Redis where scripts are allowed.",
        _QUEUES,
    ),
    Metric(
        "celeryscope_queue_consumers",
        "gauge",
        ("queue",),
        "own",
        "Consumers of the queue, where the broker can tell.",
        _QUEUES,
    ),
    Metric(
        "celeryscope_queue_workers",
        "gauge",
        ("queue",),
        "own",
        "Workers that consume the queue and are online.",
        _QUEUES,
    ),
    Metric(
        "celeryscope_queue_oldest_waiting_seconds",
        "gauge",
        ("queue",),
        "own",
        "How long the oldest message of the queue has waited since it was sent (or since its ETA, "
        "if later); 0 when the queue is empty. Worked out from task-sent events and the depth of "
        "the queue, and absent where one of them is not known: of N messages, the N tasks sent "
        "last and not received yet are taken.",
        _QUEUES,
        "seconds",
    ),
    Metric(
        "celeryscope_events_received_total",
        "counter",
        ("type",),
        "own",
        "Events accepted, duplicates left out.",
        "event types",
    ),
    Metric(
        "celeryscope_events_duplicate_total",
        "counter",
        (),
        "own",
        "Events that had been seen before and were not counted again.",
    ),
    Metric(
        "celeryscope_events_unnamed_total",
        "counter",
        (),
        "own",
        'Task events counted under task="unknown": nothing told the name of their task.',
    ),
    Metric(
        "celeryscope_events_queue_assumed_total",
        "counter",
        (),
        "own",
        "Task events counted under an assumed queue: no task-sent event told it.",
    ),
    Metric(
        "celeryscope_events_waiting",
        "gauge",
        (),
        "own",
        "Task events held back until the name or queue of their task is known.",
    ),
    Metric(
        "celeryscope_task_ends_unseen_total",
        "counter",
        (),
        "own",
        "Started tasks that their worker no longer runs although no event told their end: it was "
        "lost, or a hard time limit killed them, of which Celery tells nothing.",
    ),
    Metric(
        "celeryscope_events_refused_total",
        "counter",
        (),
        "own",
        "Events whose worker was not taken up because the limit on workers was reached.",
    ),
    Metric(
        "celeryscope_event_faults_total",
        "counter",
        (),
        "own",
        "Events whose handling went wrong: a fault of Celeryscope.",
    ),
    Metric(
        "celeryscope_messages_rejected_total",
        "counter",
        ("reason",),
        "own",
        "Messages that could not become events.",
        "the reasons the decoder knows",
    ),
    Metric(
        "celeryscope_messages_dropped_total",
        "counter",
        (),
        "own",
        "Messages dropped because our own buffer was full.",
    ),
    Metric(
        "celeryscope_messages_dropped_bytes_total",
        "counter",
        (),
        "own",
        "Bytes of messages dropped because our own buffer was full.",
        unit="bytes",
    ),
    Metric(
        "celeryscope_ingest_buffer_bytes",
        "gauge",
        (),
        "own",
        "Bytes read from the broker and not processed yet.",
        unit="bytes",
    ),
    Metric(
        "celeryscope_ingest_buffer_limit_bytes",
        "gauge",
        (),
        "own",
        "Bytes the buffer holds before messages are dropped.",
        unit="bytes",
    ),
    Metric(
        "celeryscope_ingest_lag_seconds",
        "gauge",
        (),
        "own",
        "How far processing is behind the events.",
        unit="seconds",
    ),
    Metric(
        "celeryscope_ingest_gaps_total",
        "counter",
        (),
        "own",
        "Times we were cut off from the events.",
    ),
    Metric(
        "celeryscope_ingest_gap_seconds_total",
        "counter",
        (),
        "own",
        "Time we were cut off from the events, a gap that still lasts included.",
        unit="seconds",
    ),
    Metric(
        "celeryscope_broker_connected",
        "gauge",
        (),
        "own",
        "1 while we are subscribed to the events, else 0.",
    ),
    Metric(
        "celeryscope_history_events_written_total",
        "counter",
        (),
        "own",
        "Task events written to the history. This and all below are absent where none is kept.",
    ),
    Metric(
        "celeryscope_history_events_waiting",
        "gauge",
        (),
        "own",
        "Task events in memory that are not written to the history yet.",
    ),
    Metric(
        "celeryscope_history_events_dropped_total",
        "counter",
        (),
        "own",
        "Task events that are not in the history: there was no room for them while it could not "
        "be written.",
    ),
    Metric(
        "celeryscope_history_events_refused_total",
        "counter",
        (),
        "own",
        "Tasks or events that could not be written to the history: a fault of Celeryscope.",
    ),
    Metric(
        "celeryscope_history_tasks_removed_total",
        "counter",
        (),
        "own",
        "Tasks taken out of the history because they were too old, too many or too much.",
    ),
    Metric(
        "celeryscope_history_trouble",
        "gauge",
        (),
        "own",
        "1 while the history cannot be written, else 0.",
    ),
    Metric(
        "celeryscope_history_size_bytes",
        "gauge",
        (),
        "own",
        "What the history takes of the disk. This and the two below are up to a minute old, and "
        "absent while the history cannot be read.",
        unit="bytes",
    ),
    Metric(
        "celeryscope_history_tasks",
        "gauge",
        (),
        "own",
        "Tasks in the history.",
    ),
    Metric(
        "celeryscope_history_oldest_task_timestamp_seconds",
        "gauge",
        (),
        "own",
        "When the last event of the history's oldest task was sent.",
        unit="seconds",
    ),
    Metric(
        "celeryscope_label_overflow_total",
        "counter",
        ("label",),
        "own",
        "Events counted under the label value `other` because a limit on values was reached.",
        "labels with a limit",
    ),
    Metric(
        "celeryscope_metrics_render_seconds_total",
        "counter",
        (),
        "own",
        "Time spent rendering this page.",
        unit="seconds",
    ),
    Metric(
        "celeryscope_metrics_renders_total",
        "counter",
        (),
        "own",
        "Times this page was rendered, this one not included.",
    ),
    Metric(
        "celeryscope_build_info",
        "info",
        ("celery", "python", "version"),
        "own",
        "Versions of Celeryscope and of what it runs on.",
    ),
    Metric(
        "celeryscope_console_info",
        "info",
        ("url",),
        "own",
        "The address at which people reach the console; absent where it is not known.",
    ),
    Metric(
        "process_cpu_seconds_total",
        "counter",
        (),
        "own",
        "User and system CPU time of this process.",
        unit="seconds",
    ),
    Metric(
        "process_resident_memory_bytes",
        "gauge",
        (),
        "own",
        "Resident memory of this process.",
        unit="bytes",
    ),
    Metric(
        "process_virtual_memory_bytes",
        "gauge",
        (),
        "own",
        "Virtual memory of this process.",
        unit="bytes",
    ),
    Metric(
        "process_open_fds",
        "gauge",
        (),
        "own",
        "Open file descriptors of this process.",
    ),
    Metric(
        "process_max_fds",
        "gauge",
        (),
        "own",
        "Limit on open file descriptors of this process.",
    ),
    Metric(
        "process_start_time_seconds",
        "gauge",
        (),
        "own",
        "When this process started.",
        unit="seconds",
    ),
)

_PREFIX = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


class Catalog:
    """The metrics of the chosen sets, found by the name they have in METRICS.

    `celery_prefix` takes the place of `celery_`; `celery_static_labels` are added to every
    metric of that set. Raises ValueError for a set, prefix or label that cannot be used.
    """

    def __init__(
        self,
        *,
        sets: Iterable[str] = SETS,
        celery_prefix: str = "celery_",
        celery_static_labels: Mapping[str, str] | None = None,
    ) -> None:
        self.sets = frozenset(sets)
        self.static_labels = dict(celery_static_labels or {})
        if unknown := self.sets.difference(SETS):
            raise ValueError(f"no such set of metrics: {', '.join(sorted(unknown))}")
        if not _PREFIX.match(celery_prefix):
            raise ValueError(f"a metric's name cannot begin with {celery_prefix!r}")
        self.metrics: dict[str, Metric] = {}
        for metric in METRICS:
            if metric.set in self.sets:
                self.metrics[metric.name] = (
                    self._renamed(metric, celery_prefix) if metric.set == "celery" else metric
                )

    def _renamed(self, metric: Metric, prefix: str) -> Metric:
        for label in self.static_labels:
            if not _LABEL.match(label) or label.startswith("__") or label in (*metric.labels, "le"):
                raise ValueError(f"{label!r} cannot be a static label of {metric.name}")
        return msgspec.structs.replace(metric, name=prefix + metric.name.removeprefix("celery_"))


# ------------------------------------------------------------------ the page in the docs

_PAGE_HEAD = """\
# Metrics

<!-- Made by `python -m celeryscope.metrics.catalog`; a test checks that it is current. -->

`GET /metrics` answers in the Prometheus text format, or in OpenMetrics when the request asks
for it. Three sets share the page, and each can be switched off: Flower's metrics, those of
celery-exporter (the prefix `celery_` can be changed, static labels can be added), and our own.

## How events are counted

- A task event is counted under the name and queue of its task, also when it arrives before the
  event that tells them: it is held back for up to {defer:g} seconds. After that the task's name is
  `{unknown}`, and the queue is the one its worker consumes if that is exactly one, else the default
  queue (`celery`). `celeryscope_events_unnamed_total` and `celeryscope_events_queue_assumed_total`
  count both. An event is not held back for its queue when five tasks of that name in a row
  were never announced by a `task-sent` event (Celery's `task_send_sent_event` is off by default).
- Duplicates are not counted. What was lost is not invented: see
  `celeryscope_worker_lost_events_total` and the gaps.
- A worker that is gone for good takes its series with it; if it returns, they begin at zero.
  The same holds for a client that sent nothing for 24 hours.
- Labels have limits: {names:,} task names, {workers:,} workers, {clients:,} clients,
  {queues:,} queues, {exceptions:,} exceptions, {types:,} event types, and {label_sets:,} label sets
  a metric. What comes after is counted under `{other}`, and in
  `celeryscope_label_overflow_total`. A value longer than {value_length} characters is cut and
  ends in a hash.
- OpenMetrics also carries a `_created` time for each counter and histogram. The text format
  does not: there it would be one more series for each.

## Where Flower and celery-exporter differ

- `flower_task_prefetch_time_seconds` keeps the last wait; Flower sets it to 0 when a task ends.
- `flower_worker_prefetched_tasks` is counted from the tasks in memory, so it cannot drift.
- `hostname` in celery-exporter's metrics is the part of the node name after `@`; workers that
  share a host share these series.
- Workers that we cannot know about (the broker is away) have no `flower_worker_online` and no
  `celery_worker_up`: neither 1 nor 0 would be true. So it is with the lengths of queues.

"""

_TITLES = {"flower": "Flower's set", "celery": "celery-exporter's set", "own": "Our own"}


def page(*, defer_seconds: float = 2.0) -> str:
    """Return docs/reference/metrics.md."""
    head = _PAGE_HEAD.format(
        defer=defer_seconds, unknown=UNKNOWN, other=OTHER, **Limits()._asdict()
    )
    return head + "\n".join(_section(name) for name in SETS)


def _section(name: SetName) -> str:
    rows = [_row(metric) for metric in METRICS if metric.set == name]
    head = ["| Metric | Type | Labels | Meaning | Series |", "|---|---|---|---|---|"]
    return f"## {_TITLES[name]}\n\n" + "\n".join([*head, *rows]) + "\n" + _buckets(name)


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} | {metric.bounded} |"


def _buckets(name: SetName) -> str:
    bounds: Sequence[float] = OWN_BUCKETS if name == "own" else CLIENT_BUCKETS
    setting = "" if name == "own" else ", unless configured"
    return f"\nBuckets in seconds{setting}: {', '.join(f'{bound:g}' for bound in bounds)}, +Inf.\n"


if __name__ == "__main__":
    sys.stdout.write(page())
