"""Our own API, `/api/v1`: what the page shows, and what a program may ask for.

Every Struct here is part of the contract with the page: the OpenAPI document, and from it
the page's types, are made from them. Times are epoch seconds, durations are seconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from celeryscope.cluster import runs, select
from celeryscope.cluster.accounting import Gap
from celeryscope.cluster.liveness import Status
from celeryscope.cluster.state import TASK_EVENTS, NameStats
from celeryscope.errors import NotFound
from celeryscope.history import record
from celeryscope.metrics.collectors import waits_of
from celeryscope.model import query as language
from celeryscope.model.fingerprint import fingerprint
from celeryscope.model.message import Message
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.web import activity
from celeryscope.web import known as knowing
from celeryscope.web import queues as queue_figures
from celeryscope.web.figures import STEP_SECONDS
from celeryscope.web.queues import Queue
from celeryscope.web.services import Broker, Services
from celeryscope.web.sources import Inspection

MOST_GAPS = 100
MOST_FAILING = 10
MOST_SLOWEST = 10
_ENOUGH_RUNS = 3  # fewer say nothing of how long a task usually takes
MOST_RUNNING = 200
#: While somebody looks at a worker it is asked this often what tasks it holds; an answer that
#: is older than the second says nothing about now.
_LISTS_EVERY_SECONDS = 5.0
_LISTS_STALE_SECONDS = 30.0
MOST_CHILDREN = 1000

# ---------------------------------------------------------------------- the bodies


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second, over the last ten seconds."""

    sent: float
    received: float
    started: float
    succeeded: float
    failed: float
    retried: float
    revoked: float
    rejected: float


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Events in each step."""

    received: list[int]
    succeeded: list[int]
    failed: list[int]
    retried: list[int]


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """The last five minutes."""

    step_seconds: float
    times: list[float]  # when each step ended, oldest first
    series: Series  # each as long as `times`


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, of the tasks that fall into each step; None where there were none."""

    p50: list[float | None]
    p95: list[float | None]
    p99: list[float | None]


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long tasks waited and ran, over the last five minutes."""

    step_seconds: float
    times: list[float]  # when each step ended, oldest first; the one that goes on is not there
    wait: Quantiles  # from sent (or eta) to started, by when they started
    runtime: Quantiles  # of those that succeeded, by when they ended


class QueueRow(Queue, frozen=True, kw_only=True):
    """A queue in the list of queues."""

    times: list[float]  # when its depth was read, oldest first, the last ten minutes
    depths: list[int | None]  # as long as `times`; None: it could not be read
    workers: list[str]  # that read from it, as they said when asked
    oldest_seconds: float | None  # how long its oldest message has waited; None: nobody tells
    sent: int  # tasks sent to it, since we look
    taken: int  # tasks that workers took from it, since we look


class QueueList(msgspec.Struct, frozen=True, kw_only=True):
    """All queues, by name."""

    now: float
    queues: list[QueueRow]
    error: str | None  # why the last reading failed as a whole
    read_at: float | None  # when the depths were read last
    every_seconds: float  # how often they are read


class WaitingMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits in a queue, cut short and masked."""

    position: int  # 0: the next that a worker takes
    size_bytes: int  # as the broker keeps it; with RabbitMQ, of the body alone
    uuid: str | None  # of its task
    name: str | None  # of its task; None: it is no task of Celery's, or cannot be read
    root_id: str | None
    parent_id: str | None
    args: str | None
    kwargs: str | None
    eta: str | None  # ISO 8601
    expires: str | None  # ISO 8601, or seconds
    retries: int | None
    origin: str | None  # the process that sent it
    priority: int | None
    content_type: str | None
    headers: dict[str, str]  # what has no field of its own; secrets are ***
    redelivered: bool  # it was with a consumer before
    problem: str | None  # why something of it is not shown
    sent: float | None  # by the sender's clock, as its task's event or the message tells
    age_seconds: float | None  # since it was sent, by our clock; None: nobody tells


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that wait in a queue, as the broker has them at this moment."""

    now: float
    queue: str
    total: int  # that wait
    offset: int  # of the first of these
    messages: list[WaitingMessage]  # in the order in which workers will take them
    notes: list[str]  # sentences for people: what this look did, what is not there


class NameRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tasks of one name, since we look."""

    name: str
    sent: int
    received: int
    started: int
    succeeded: int
    failed: int
    retried: int
    revoked: int
    rejected: int
    runtime_mean: float | None  # seconds, of those that succeeded
    runtime_p50: float | None
    runtime_p95: float | None
    runtime_p99: float | None
    wait_p95: float | None  # seconds, of those whose sending we saw
    runtime_total: float  # seconds of all runs that succeeded: who uses the workers
    recent_failed: int  # in the last five minutes
    recent_succeeded: int  # in the last five minutes
    last_exception: str | None
    last_failed: str | None  # the id of the task that failed last


class WorkerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many workers there are, by status."""

    online: int
    offline: int
    unknown: int


class Ingest(msgspec.Struct, frozen=True, kw_only=True):
    """How reading the events goes, and what did not arrive."""

    events: int  # events applied, since the start
    events_per_second: float
    lag_seconds: float  # from the last event's making to its arrival
    buffer_bytes: int
    buffer_limit_bytes: int
    lost: int  # events that workers sent and we never got, as far as known
    dropped_messages: int  # by our own buffer
    dropped_bytes: int
    duplicates: int
    rejected: dict[str, int]  # reason -> messages or events we cannot read
    tasks_in_memory: int
    tasks_limit: int
    tasks_forgotten: int  # finished tasks let go for room
    tasks_forgotten_live: int  # unfinished tasks let go for room
    mask_active: bool
    label_overflow: dict[str, int]  # metric label -> values that had no room


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster at a glance."""

    now: float
    version: str
    grafana_url: str | None  # where our dashboards are, with no slash at its end
    started_at: float
    broker: Broker
    ingest: Ingest
    workers: WorkerCounts
    states: dict[str, int]  # state -> tasks in memory
    running: int
    totals: dict[str, int]  # event type -> events since the start
    rate: Rates
    activity: Activity
    latency: Latency
    queues: list[Queue]
    gaps: list[Gap]  # newest first
    failing: list[NameRow]  # most failures first, the recent ones before all
    slowest: list[NameRow]  # longest p95 runtime first


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A worker in a list."""

    hostname: str
    status: Status
    last_heartbeat: float | None  # our clock
    heartbeat_interval: float
    active: int | None  # as its last heartbeat said
    running: int  # as its task events say
    processed: int | None  # tasks accepted since that process began
    loadavg: list[float] | None
    version: str | None
    software: str | None
    pool: str | None
    concurrency: int | None
    queues: list[str]
    pid: int | None
    skew_seconds: float  # its clock is this far ahead of ours
    restarts: int
    lost: int
    counts: dict[str, int]  # event type -> events that reached us
    first_seen: float
    inspected_at: float | None


class WorkerList(msgspec.Struct, frozen=True, kw_only=True):
    """All workers, by name."""

    now: float
    workers: list[WorkerRow]
    broker: Broker


class InspectionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker answered when it was asked last; None: no answer."""

    at: float
    stats: dict[str, Any] | None
    registered: list[str] | None
    active_queues: list[dict[str, Any]] | None
    conf: dict[str, Any] | None
    active: list[Any] | None
    reserved: list[Any] | None
    scheduled: list[Any] | None
    revoked: list[Any] | None


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A task in a list."""

    uuid: str
    name: str | None
    state: str
    worker: str | None
    queue: str | None
    client: str | None
    sent: float | None
    received: float | None
    started: float | None
    finished: float | None
    wait: float | None  # seconds from sent (or eta) to started
    runtime: float | None  # seconds, also of a run that failed
    retries: int
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None
    state_at: float
    fetched: bool  # its end is from the result backend, no event told it


class RunningTask(TaskRow, frozen=True, kw_only=True):
    """A task that runs, and how long those of its name usually do."""

    usual_p50: float | None  # seconds
    usual_p95: float | None


class Heartbeats(msgspec.Struct, frozen=True, kw_only=True):
    """The heartbeats of the last ten minutes, at most one in five seconds; oldest first."""

    times: list[float]  # our clock
    active: list[int | None]
    load: list[float | None]  # load average of one minute
    processed: list[int | None]


class WorkerDetail(WorkerRow, frozen=True, kw_only=True):
    """One worker, with all we know of it."""

    inspect: InspectionDetail | None
    inspect_error: str | None  # why asking the workers fails, if it does
    running_tasks: list[RunningTask]  # longest running first
    heartbeats: Heartbeats


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks with one value of a field."""

    value: str
    count: int


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by value, most first, of what the rest of the query lets through.

    What the query itself asks of a field is left out for that field's counts: they say what
    one would get by choosing otherwise. Each list has its largest values only.
    """

    state: list[Facet]
    name: list[Facet]
    worker: list[Facet]
    queue: list[Facet]


class TaskList(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the tasks in memory."""

    now: float
    tasks: list[TaskRow]
    total: int  # that match
    in_memory: int
    facets: Facets | None  # when asked for


class Relative(msgspec.Struct, frozen=True, kw_only=True):
    """A task of the same family."""

    uuid: str
    name: str | None
    state: str | None  # None: not known here


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a task; `at` is by the clock of `host`, of `task-lost` by ours."""

    type: str
    at: float
    host: str | None
    retries: int | None  # the attempt it belongs to, 0 the first; None: nothing tells


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a task. Times are by the clock of its worker."""

    number: int  # in the order they began, 1 for the first
    retries: int | None  # how often it was retried before; None: nothing tells
    worker: str
    state: str  # that the run came to; RETRY: a retry was to follow; LOST: see `lost`
    received: float | None
    started: float | None
    ended: float | None
    runtime: float | None  # seconds
    wait: float | None  # seconds from sent (or eta) to started
    exception: str | None
    traceback: str | None


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """That a run has no end, as we decided."""

    at: float  # our clock, when that was decided
    worker: str
    started: float | None  # when the run began, by its worker's clock
    why: str  # a sentence


class TaskDetail(TaskRow, frozen=True, kw_only=True):
    """One task, with all we know of it."""

    source: Literal["memory", "history"]  # history: it is not in memory any more
    attempts: list[Attempt]  # in the order they began
    fingerprint: str | None  # of its exception: 12 hexadecimal digits
    lost: Lost | None  # the last run that was taken for lost; it may have gone on since
    traceback: str | None
    eta: str | None
    expires: str | None
    root_id: str | None
    parent_id: str | None
    root: Relative | None  # None: it is its own root, or none is known
    parent: Relative | None
    children: list[Relative]
    children_total: int  # so many at least
    exchange: str | None
    routing_key: str | None
    succeeded: float | None
    failed: float | None
    retried: float | None
    revoked: float | None
    rejected: float | None
    terminated: bool
    expired: bool
    signum: str | None
    truncated: bool  # some text was longer than we keep
    arguments_kept: bool  # false: arguments and results are not kept (`store_args`)
    clock: int | None  # Lamport clock of the event that set the state
    usual: NameRow | None  # what became of the tasks of its name
    timeline: list[Moment]  # oldest first


class NameList(msgspec.Struct, frozen=True, kw_only=True):
    """Every task name seen."""

    names: list[NameRow]


class IngestDetail(Ingest, frozen=True, kw_only=True):
    """The accounting: what was lost, where and when."""

    gaps: list[Gap]  # newest first
    workers: dict[str, int]  # hostname -> events lost


class LiveHello(msgspec.Struct, frozen=True, kw_only=True):
    """`event: hello`, the first of every stream."""

    server: str  # another one means that the server was started again
    version: str
    grafana_url: str | None  # where our dashboards are, with no slash at its end
    now: float
    # What goes on where `resume` left it; all else begins anew, with everything.
    topics: list[str]
    views: list[str]


class LiveWorkers(msgspec.Struct, frozen=True, kw_only=True):
    """The workers that changed, and those that are gone."""

    set: list[WorkerRow]
    gone: list[str]


#: A worker as a cell of the grid: name, status, tasks running, processes, events lost.
Cell = tuple[str, Status, int, int | None, int]


class LiveGrid(msgspec.Struct, frozen=True, kw_only=True):
    """The cells that changed, and those that are gone."""

    set: list[Cell]
    gone: list[str]


class LiveTasks(msgspec.Struct, frozen=True, kw_only=True):
    """What one query matches: the newest of the tasks that changed since the frame before."""

    rows: list[TaskRow]  # newest change first
    gone: list[str]  # ids of rows told before whose tasks no longer match
    changed: int  # how many changes there were; may be more than there are rows
    total: int | UnsetType = UNSET  # tasks in memory that match; only when it was counted anew
    in_memory: int
    facets: Facets | UnsetType = UNSET  # with `total`


#: `Overview` with only the keys that changed.
OverviewChanges = msgspec.defstruct(
    "OverviewChanges",
    [
        (field.name, field.type | UnsetType, UNSET)
        for field in msgspec.structs.fields(Overview)
        if field.name != "now"
    ],
    frozen=True,
    kw_only=True,
)


class LiveFrame(msgspec.Struct, frozen=True, kw_only=True):
    """`event: frame`: what changed since the frame before; the first carries everything."""

    now: float
    overview: OverviewChanges | UnsetType = UNSET  # type: ignore[valid-type]
    workers: LiveWorkers | UnsetType = UNSET
    grid: LiveGrid | UnsetType = UNSET
    views: dict[str, LiveTasks] | UnsetType = UNSET  # by query text, as it was asked for


# ---------------------------------------------------------------------- the questions


class NoQuery(msgspec.Struct, frozen=True, kw_only=True):
    """There are no parameters."""


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks, in which order."""

    query: Annotated[
        str, Meta(max_length=2048, description="Which tasks: the page's query language.")
    ] = ""
    facets: Annotated[Literal[0, 1], Meta(description="1: count by value, too.")] = 0
    limit: Annotated[int, Meta(ge=0, le=1000, description="At most so many.")] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000, description="Leave out so many.")] = 0
    sort: Annotated[
        Literal[
            "seen", "received", "started", "finished", "wait", "runtime", "retries", "name",
            "state", "-seen", "-received", "-started", "-finished", "-wait", "-runtime",
            "-retries", "-name", "-state",
        ],
        Meta(description="What to sort by; `-` turns it round. Tasks without it come last."),
    ] = "-seen"  # fmt: skip


class MessageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of a queue."""

    limit: Annotated[int, Meta(ge=1, le=100, description="At most so many.")] = 20
    offset: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Leave out so many, the next to be taken first.")
    ] = 0


class MessageRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages of a queue, where a look takes them out and puts them back.

    RabbitMQ has no other look. They are marked as redelivered then.
    """

    limit: Annotated[int, Meta(ge=1, le=100, description="At most so many.")] = 20
    offset: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Leave out so many, the next to be taken first.")
    ] = 0


class LiveQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a page wants to hear of."""

    topics: Annotated[
        str,
        Meta(
            # Python's `$` alone would let a newline through.
            pattern="^(overview|workers|grid)(,(overview|workers|grid))*$(?!\n)",
            description="overview, workers, grid; several with commas between.",
        ),
    ] = "overview"
    view: Annotated[
        list[Annotated[str, Meta(max_length=2048)]],
        Meta(description="Queries of task lists to follow.", max_length=8),
    ] = []
    resume: Annotated[
        str, Meta(max_length=200, description="The id of the last frame that arrived.")
    ] = ""
    hidden: Annotated[
        Literal[0, 1], Meta(description="1: nobody is looking, a frame in 5 s is enough.")
    ] = 0


# ---------------------------------------------------------------------- the answers


def overview(services: Services, _path: Mapping[str, str], _query: NoQuery) -> Overview:
    """See the cluster at a glance."""
    state, now = services.state, services.clock()
    with state.lock:
        workers = list(state.workers.values())
        totals = dict(state.totals)
        states = dict(state.states)
    statuses = [services.worker_status(worker, now) for worker in workers]
    kept = services.figures.kept
    return Overview(
        now=now,
        version=services.version,
        grafana_url=services.grafana_url,
        started_at=services.started_at,
        broker=services.broker(),
        ingest=_ingest(services, now, workers, totals),
        workers=WorkerCounts(
            online=statuses.count("online"),
            offline=statuses.count("offline"),
            unknown=statuses.count("unknown"),
        ),
        states={name: count for name, count in states.items() if count},
        # Not the tasks in the state STARTED: those of a worker that died stay in it.
        running=sum(
            len(worker.running)
            for worker, status in zip(workers, statuses, strict=True)
            if status != "offline"
        ),
        totals=totals,
        rate=_rates(services, now, totals),
        activity=kept("activity", lambda: _activity(services)),
        latency=kept("latency", lambda: _latency(services)),
        queues=kept(
            "queues",
            lambda: _queues(services, now),
            version=(services.queues.attempts, services.queues.error),
        ),
        gaps=_gaps(services),
        failing=kept("failing", lambda: _failing(services)),
        slowest=kept("slowest", lambda: _slowest(services)),
    )


def workers(services: Services, _path: Mapping[str, str], _query: NoQuery) -> WorkerList:
    """List the workers."""
    now = services.clock()
    with services.state.lock:
        known = sorted(services.state.workers.items())
    return WorkerList(
        now=now,
        workers=[worker_row(services, worker, now) for _, worker in known],
        broker=services.broker(),
    )


def worker(services: Services, path: Mapping[str, str], _query: NoQuery) -> WorkerDetail:
    """See one worker."""
    now = services.clock()
    found = services.state.workers.get(path["hostname"])
    if found is None:
        raise NotFound("worker", path["hostname"])
    inspection = services.inspector.latest.get(found.hostname)
    lists_at = inspection.lists_at if inspection is not None else None
    if (lists_at is None or now - lists_at >= _LISTS_EVERY_SECONDS) and (
        services.worker_status(found, now) == "online"
    ):
        # What it holds changes all the time, so it is asked while somebody looks; the answer
        # is there the next time.
        services.inspector.request(found.hostname)
    with services.state.lock:
        running = sorted(found.running.items(), key=lambda item: item[1])[:MOST_RUNNING]
        tasks = [services.state.tasks.get(uuid) for uuid, _ in running]
        heartbeats = services.state.heartbeats(found.hostname, now)
    usual = {name: _usual(services, name) for name in {task.name for task in tasks if task}}
    return WorkerDetail(
        **msgspec.structs.asdict(worker_row(services, found, now)),
        inspect=None if inspection is None else _inspection(inspection, now),
        inspect_error=services.inspector.error,
        running_tasks=[
            RunningTask(
                **msgspec.structs.asdict(task_row(task)),
                usual_p50=usual[task.name][0],
                usual_p95=usual[task.name][1],
            )
            for task in tasks
            if task is not None
        ],
        heartbeats=Heartbeats(
            times=[beat.at for beat in heartbeats],
            active=[beat.active for beat in heartbeats],
            load=[beat.load for beat in heartbeats],
            processed=[beat.processed for beat in heartbeats],
        ),
    )


def queues(services: Services, _path: Mapping[str, str], _query: NoQuery) -> QueueList:
    """List the queues."""
    now, read = services.clock(), services.queues
    consumed = _consumers(services)
    with services.state.lock:
        sent, taken = dict(services.state.sent_to), dict(services.state.taken_from)
    # What was read before the broker went away says nothing of now.
    depths_now = read.latest if read.error is None else {}
    oldest: Mapping[str, float] = {}
    # Whose tasks are limited does not see all that wait in a queue.
    if services.actor.scope.has_name(None):
        oldest = services.figures.kept(
            "oldest",
            lambda: waits_of(services.state, depths_now, now),
            version=(read.attempts, read.error),
        )
    rows = []
    for queue in _queues(services, now):
        times, depths = read.history.of(queue.name)
        seconds = oldest.get(queue.name)
        rows.append(
            QueueRow(
                **msgspec.structs.asdict(queue),
                times=times,
                depths=depths,
                workers=consumed.get(queue.name, []),
                oldest_seconds=None if seconds is None else round(seconds, 1),
                sent=sent.get(queue.name, 0),
                taken=taken.get(queue.name, 0),
            )
        )
    return QueueList(
        now=now,
        queues=rows,
        error=read.error,
        read_at=read.at,
        every_seconds=read.interval_seconds,
    )


def messages(services: Services, path: Mapping[str, str], query: MessageQuery) -> MessagePage:
    """Look at the messages that wait in a queue, without taking them."""
    return look_at(services, path["name"], offset=query.offset, limit=query.limit, put_back=False)


def look_at(
    services: Services, name: str, *, offset: int, limit: int, put_back: bool
) -> MessagePage:
    """Read messages of a queue; with `put_back` they may be taken out for a moment."""
    check_queue(services, name)
    page = services.messages.read(name, offset=offset, limit=limit, put_back=put_back)
    now = services.clock()
    with services.state.lock:
        known = [services.state.tasks.get(message.uuid or "") for message in page.messages]
        ahead = services.state.clients_ahead()
    return MessagePage(
        now=now,
        queue=name,
        total=page.total,
        offset=offset,
        messages=[
            _waiting(message, task, ahead, now)
            for message, task in zip(page.messages, known, strict=True)
        ],
        notes=page.notes,
    )


def check_queue(services: Services, name: str) -> None:
    """Raise `NotFound` unless somebody told of a queue of that name."""
    if all(queue.name != name for queue in _queues(services, services.clock())):
        raise NotFound("queue", name)


def tasks(services: Services, _path: Mapping[str, str], query: TaskQuery) -> TaskList:
    """List tasks."""
    now = services.clock()
    wanted = language.parse(query.query)
    with services.state.lock:
        known = list(services.state.tasks.values())
    counted: Facets | None = None
    if query.facets:
        found = select.find(known, wanted, now)
        matching, counted = found.tasks, facets(found.facets)
    elif wanted == language.EVERYTHING:
        matching = known
    else:
        matching = list(filter(select.compile(wanted, now), known))
    return TaskList(
        now=now,
        tasks=[task_row(task) for task in _page(matching, query)],
        total=len(matching),
        in_memory=len(known),
        facets=counted,
    )


def task(services: Services, path: Mapping[str, str], _query: NoQuery) -> TaskDetail:
    """See one task."""
    life = knowing.life(services, path["uuid"])
    found = life.task
    with services.state.lock:
        usual = services.state.names.get(found.name or "")
    family = knowing.family(services, found)
    return TaskDetail(
        **msgspec.structs.asdict(task_row(found)),
        source="history" if life.is_old else "memory",
        attempts=[_attempt(number, one) for number, one in enumerate(life.attempts, 1)],
        fingerprint=fingerprint(found.exception, found.traceback),
        lost=None if found.lost is None else Lost(**found.lost._asdict()),
        traceback=found.traceback,
        eta=found.eta,
        expires=found.expires,
        root_id=found.root_id,
        parent_id=found.parent_id,
        root=_relative(found.root_id, family.root) if found.root_id != found.uuid else None,
        parent=_relative(found.parent_id, family.parent) if found.parent_id != found.uuid else None,
        children=[
            Relative(uuid=c.uuid, name=c.name, state=c.state)
            for c in family.children[:MOST_CHILDREN]
        ],
        children_total=len(family.children),
        exchange=found.exchange,
        routing_key=found.routing_key,
        succeeded=found.succeeded,
        failed=found.failed,
        retried=found.retried,
        revoked=found.revoked,
        rejected=found.rejected,
        terminated=found.terminated,
        expired=found.expired,
        signum=found.signum,
        truncated=found.truncated,
        arguments_kept=services.state.keep_arguments,
        clock=found.state_clock,
        usual=None if usual is None else _name_row(services, usual),
        timeline=_timeline(found),
    )


def names(services: Services, _path: Mapping[str, str], _query: NoQuery) -> NameList:
    """List the task names seen."""
    with services.state.lock:
        known = list(services.state.names.values())
    rows = [_name_row(services, name) for name in known]
    return NameList(names=sorted(rows, key=lambda row: row.name))


def ingest(services: Services, _path: Mapping[str, str], _query: NoQuery) -> IngestDetail:
    """See what was lost, dropped or refused."""
    state, now = services.state, services.clock()
    with state.lock:
        workers = list(state.workers.values())
        totals = dict(state.totals)
    return IngestDetail(
        **msgspec.structs.asdict(_ingest(services, now, workers, totals)),
        gaps=_gaps(services),
        workers={worker.hostname: worker.lost for worker in workers},
    )


Q = TypeVar("Q", bound=msgspec.Struct)


class Endpoint:
    """What questions and changes have in common: how they are called, and with what answered."""

    def __init__(
        self,
        named: Callable[..., msgspec.Struct],
        response: type[msgspec.Struct],
        *,
        refusal: str,
        heavy: bool,
    ) -> None:
        """`named` answers; its name and docstring are the endpoint's. `refusal` says when it is
        answered with 409, if it ever is. `heavy`: it computes for a while, so that only a few are
        answered at once.
        """
        self.id = named.__name__
        self.summary = (named.__doc__ or "").strip()
        self.response = response
        self.refusal = refusal
        self.heavy = heavy


class Operation(Endpoint, Generic[Q]):
    """One question a client may ask: its parameters, who answers, and with what."""

    def __init__(
        self,
        answer: Callable[[Services, Mapping[str, str], Q], msgspec.Struct],
        query: type[Q],
        response: type[msgspec.Struct],
        *,
        refusal: str = "",
        heavy: bool = False,
    ) -> None:
        """`refusal` and `heavy` are as those of `Endpoint`."""
        super().__init__(answer, response, refusal=refusal, heavy=heavy)
        self.answer = answer
        self.query = query


OVERVIEW = Operation(overview, NoQuery, Overview)
WORKERS = Operation(workers, NoQuery, WorkerList)
WORKER = Operation(worker, NoQuery, WorkerDetail)
QUEUES = Operation(queues, NoQuery, QueueList)
MESSAGES = Operation(
    messages,
    MessageQuery,
    MessagePage,
    refusal="This broker or this queue does not let one look, or only with a POST.",
)
TASKS = Operation(tasks, TaskQuery, TaskList, heavy=True)
TASK = Operation(task, NoQuery, TaskDetail)
NAMES = Operation(names, NoQuery, NameList, heavy=True)
INGEST = Operation(ingest, NoQuery, IngestDetail)

# ---------------------------------------------------------------------- rows


def worker_row(services: Services, worker: Worker, now: float) -> WorkerRow:
    """Describe a worker as it is at `now`."""
    inspection = services.inspector.latest.get(worker.hostname)
    pool = _mapping((inspection.stats if inspection else None) or {}, "pool")
    queues = (inspection.active_queues if inspection else None) or []
    return WorkerRow(
        hostname=worker.hostname,
        status=services.worker_status(worker, now),
        last_heartbeat=worker.heartbeats[-1] if worker.heartbeats else None,
        heartbeat_interval=worker.freq,
        active=worker.active,
        running=len(worker.running),
        processed=worker.processed,
        loadavg=list(worker.loadavg) if worker.loadavg is not None else None,
        version=worker.sw_ver,
        software=worker.sw_ident,
        pool=_pool_name(pool.get("implementation")),
        concurrency=_concurrency(inspection),
        queues=sorted(str(queue.get("name")) for queue in queues),
        pid=worker.pid,
        skew_seconds=worker.skew,
        restarts=worker.restarts,
        lost=worker.lost,
        counts=dict(worker.counts),
        first_seen=worker.first_seen,
        inspected_at=inspection.at if inspection else None,
    )


def cell(services: Services, worker: Worker, now: float) -> Cell:
    """Describe a worker in one cell of the grid."""
    status = services.worker_status(worker, now)
    concurrency = _concurrency(services.inspector.latest.get(worker.hostname))
    return worker.hostname, status, len(worker.running), concurrency, worker.lost


def task_row(task: Task) -> TaskRow:
    """Describe a task for a list."""
    return TaskRow(
        uuid=task.uuid,
        name=task.name,
        state=task.state,
        worker=task.worker,
        queue=task.queue,
        client=task.client,
        sent=task.sent,
        received=task.received,
        started=task.started,
        finished=_finished_at(task),
        wait=task.wait,
        runtime=task.ran,
        retries=task.retries,
        args=task.args,
        kwargs=task.kwargs,
        result=task.result,
        exception=task.exception,
        state_at=task.state_at,
        fetched=task.fetched,
    )


def _waiting(
    message: Message, task: Task | None, ahead: Mapping[str | None, float], now: float
) -> WaitingMessage:
    """Describe a waiting message; when it was sent its task's event tells best.

    A message that was retried or put back is of the same task: then the event is of the latest
    sending that we heard of.
    """
    sent, skew = message.sent, 0.0
    if task is not None and task.sent is not None:
        sent, skew = task.sent, ahead.get(task.client, 0.0)
    return WaitingMessage(
        **{**msgspec.structs.asdict(message), "sent": sent},
        age_seconds=None if sent is None else round(max(0.0, now - (sent - skew)), 3),
    )


def facets(found: select.Facets) -> Facets:
    """Describe counts by value."""
    return Facets(
        **{
            field: [Facet(value=value, count=count) for value, count in values]
            for field, values in found.items()
        }
    )


def _relative(uuid: str | None, relative: Task | None) -> Relative | None:
    """Describe another task of the family; of one that nobody knows there is the id alone."""
    if relative is not None:
        return Relative(uuid=relative.uuid, name=relative.name, state=relative.state)
    return None if uuid is None else Relative(uuid=uuid, name=None, state=None)


def _attempt(number: int, run: record.Attempt) -> Attempt:
    """Describe a run, whose times are whole microseconds."""
    times = ("received", "started", "ended", "runtime", "wait")
    told = run._asdict()
    told.update((time, record.seconds(told[time])) for time in times if told[time] is not None)
    return Attempt(number=number, **told)


def _name_row(services: Services, stats: NameStats) -> NameRow:
    figures = services.figures
    p50, p95, p99 = stats.runtimes.quantiles(0.5, 0.95, 0.99)
    (wait_p95,) = stats.waits.quantiles(0.95)
    return NameRow(
        name=stats.name,
        sent=stats.sent,
        received=stats.received,
        started=stats.started,
        succeeded=stats.succeeded,
        failed=stats.failed,
        retried=stats.retried,
        revoked=stats.revoked,
        rejected=stats.rejected,
        runtime_mean=stats.runtime_sum / stats.succeeded if stats.succeeded else None,
        runtime_p50=p50,
        runtime_p95=p95,
        runtime_p99=p99,
        wait_p95=wait_p95,
        runtime_total=stats.runtime_sum,
        recent_failed=figures.failed.since(stats.name, stats.failed),
        recent_succeeded=figures.succeeded.since(stats.name, stats.succeeded),
        last_exception=stats.last_exception,
        last_failed=stats.last_failed,
    )


def _inspection(inspection: Inspection, now: float) -> InspectionDetail:
    lists_at = inspection.lists_at
    current = lists_at is not None and now - lists_at < _LISTS_STALE_SECONDS
    return InspectionDetail(
        at=inspection.at,
        stats=inspection.stats,
        registered=inspection.registered,
        active_queues=inspection.active_queues,
        conf=inspection.conf,
        active=inspection.active if current else None,
        reserved=inspection.reserved if current else None,
        scheduled=inspection.scheduled if current else None,
        revoked=inspection.revoked if current else None,
    )


def _concurrency(inspection: Inspection | None) -> int | None:
    """How many tasks a worker runs at once, as far as it told."""
    pool = _mapping((inspection.stats if inspection else None) or {}, "pool")
    concurrency = pool.get("max-concurrency")
    return concurrency if isinstance(concurrency, int) else None


def _mapping(answer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Look into a worker's answer, which may be anything."""
    value = answer.get(key)
    return value if isinstance(value, Mapping) else {}


def _pool_name(implementation: object) -> str | None:
    """`celery.concurrency.prefork:TaskPool` → `prefork`."""
    if not isinstance(implementation, str):
        return None
    return implementation.partition(":")[0].rpartition(".")[2] or None


# ---------------------------------------------------------------------- parts of answers


def _ingest(
    services: Services, now: float, workers: Iterable[Worker], totals: Mapping[str, int]
) -> Ingest:
    state, accounting, stats = services.state, services.accounting, services.ingest()
    return Ingest(
        events=state.accepted,
        events_per_second=sum(services.activity.rates(now, totals).values()),
        lag_seconds=stats.lag_seconds,
        buffer_bytes=stats.buffer_bytes,
        buffer_limit_bytes=stats.buffer_limit_bytes,
        lost=sum(worker.lost for worker in workers),
        dropped_messages=accounting.dropped_messages,
        dropped_bytes=accounting.dropped_bytes,
        duplicates=state.duplicates,
        rejected=dict(accounting.rejected),
        # Of all, whoever looks: a figure of the console.
        tasks_in_memory=sum(dict(state.states).values()),
        tasks_limit=state.max_tasks,
        tasks_forgotten=state.evicted,
        tasks_forgotten_live=state.evicted_live,
        mask_active=stats.mask_active,
        label_overflow=stats.label_overflow,
    )


def _rates(services: Services, now: float, totals: Mapping[str, int]) -> Rates:
    rates = services.activity.rates(now, totals)
    return Rates(
        **{field: rates.get(kind, 0.0) for kind, (field, _) in TASK_EVENTS.items()},
    )


def _activity(services: Services) -> Activity:
    fields = Series.__struct_fields__
    times, counts = services.activity.steps(["task-" + field for field in fields])
    return Activity(
        step_seconds=activity.STEP_SECONDS,
        times=times,
        series=Series(**{field: counts["task-" + field] for field in fields}),
    )


def _latency(services: Services) -> Latency:
    steps = services.figures.latency.steps()
    return Latency(
        step_seconds=STEP_SECONDS,
        times=[step.at for step in steps],
        wait=_columns([step.wait for step in steps]),
        runtime=_columns([step.runtime for step in steps]),
    )


def _columns(rows: list[tuple[float | None, ...]]) -> Quantiles:
    return Quantiles(
        p50=[row[0] for row in rows], p95=[row[1] for row in rows], p99=[row[2] for row in rows]
    )


def _queues(services: Services, now: float) -> list[Queue]:
    return queue_figures.all_queues(services, _consumers(services), now)


def _consumers(services: Services) -> Mapping[str, list[str]]:
    told = services.inspector.latest
    return services.figures.derived("consumers", queue_figures.consumers, told)


def _failing(services: Services) -> list[NameRow]:
    with services.state.lock:
        failed = [name for name in services.state.names.values() if name.failed]
    recent = services.figures.failed.since
    worst = heapq.nlargest(
        MOST_FAILING, failed, key=lambda name: (recent(name.name, name.failed), name.failed)
    )
    return [_name_row(services, name) for name in worst]


def _slowest(services: Services) -> list[NameRow]:
    """Give the slowest names; those that ran only once or twice only where there is room."""
    with services.state.lock:
        ran = [name for name in services.state.names.values() if name.succeeded]
    p95 = services.figures.p95
    slowest = heapq.nlargest(
        MOST_SLOWEST, ran, key=lambda name: (name.succeeded >= _ENOUGH_RUNS, p95(name) or 0.0)
    )
    rows = [_name_row(services, name) for name in slowest]
    return sorted(rows, key=lambda row: -(row.runtime_p95 or 0.0))


def _usual(services: Services, name: str | None) -> tuple[float | None, ...]:
    stats = services.state.names.get(name or "")
    return (None, None) if stats is None else stats.runtimes.quantiles(0.5, 0.95)


def _gaps(services: Services) -> list[Gap]:
    return list(reversed(list(services.accounting.gaps)))[:MOST_GAPS]


def _page(matching: list[Task], query: TaskQuery) -> list[Task]:
    """Sort, and cut the page out; `matching` is oldest first, and may be turned round."""
    field, descending = query.sort.lstrip("-"), query.sort.startswith("-")
    end = query.offset + query.limit
    if query.sort == "-seen":
        matching.reverse()  # of two that changed at once the newer comes first
    get = _finished_at if field == "finished" else attrgetter(_SORTED_BY.get(field, field))
    having = [(value, task) for task in matching if (value := get(task)) is not None]
    lacking = [task for task in matching if get(task) is None]
    extreme = heapq.nlargest if descending else heapq.nsmallest
    chosen = [task for _, task in extreme(end, having, key=lambda pair: pair[0])]
    return (chosen + lacking)[query.offset : end]


# The last to be seen is the last to have changed: the order of the live stream, too.
_SORTED_BY = {"runtime": "ran", "seen": "state_at"}


def _finished_at(task: Task) -> float | None:
    return task.state_at if task.finished else None


def _timeline(task: Task) -> list[Moment]:
    if task.log:
        told = task.told_in_turn()
        attempts = runs.attempts(told)
        moments = [
            Moment(type=f"task-{event[0]}", at=event[1], host=event[2], retries=attempts[event])
            for event in told
        ]
    else:
        moments = [
            Moment(
                type=kind,
                at=at,
                host=task.client if kind == "task-sent" else task.worker,
                retries=task.retries,
            )
            for kind, (field, _) in TASK_EVENTS.items()
            if (at := getattr(task, field)) is not None
        ]
    moments += [
        Moment(
            type=f"task-{state.lower()}",
            at=at,
            host=task.worker,
            retries=None if task.log else task.retries,
        )
        for state, at in task.custom
    ]
    if task.lost is not None:
        lost = task.lost
        moments.append(Moment(type="task-lost", at=lost.at, host=lost.worker, retries=None))
    # Stable: events of the same moment stay in the order of a task's life.
    return sorted(moments, key=lambda moment: moment.at)
