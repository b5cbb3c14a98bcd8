"""For teams that run Flower: its metrics and nothing else. Celeryscope serves the same ones."""

from __future__ import annotations

from dashboards.grafana import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Column,
    Row,
    Target,
    bar_gauge,
    dashboard,
    dashboards_link,
    datasource_variable,
    meaning,
    query_variable,
    stat,
    state_timeline,
    table,
    thresholds,
    timeseries,
)
from dashboards.parts import (
    BAD_IF_ANY,
    BAD_IF_NONE,
    FAILURES,
    OUTCOMES,
    PERCENTILE_LINES,
    PERCENTILES,
    RANGE,
    RATE,
    of,
    or_zero,
)

WORKER = 'worker=~"$worker"'
TASK = 'task=~"$task"'
BOTH = (WORKER, TASK)
ENDED = 'type=~"task-(failed|succeeded)"'
FAILED = 'type="task-failed"'
ONLINE = of("flower_worker_online", WORKER)
RUNNING = of("flower_worker_number_of_currently_executing_tasks", WORKER)
SECONDS = of("flower_task_runtime_seconds_sum", *BOTH)
COUNT = of("flower_task_runtime_seconds_count", *BOTH)
BUCKETS = of("flower_task_runtime_seconds_bucket", *BOTH)


def rate(selector: str, by: str = "", window: str = RATE) -> str:
    return total(f"rate({selector}[{window}])", by)


def increase(selector: str, by: str = "", window: str = RATE) -> str:
    return total(f"increase({selector}[{window}])", by)


def total(selector: str, by: str = "") -> str:
    return f"sum by ({by}) ({selector})" if by else f"sum({selector})"


def events(*matchers: str) -> str:
    # For task-sent Flower's worker label names the client, which $worker does not offer.
    return of("flower_events_total", *matchers, *BOTH)


def ratio(by: str = "", window: str = RATE) -> str:
    failed, ended = rate(events(FAILED), by, window), rate(events(ENDED), by, window)
    return f"({failed} or 0 * {ended}) / ({ended} > 0)"


def quantile(q: float, by: str = "", window: str = RATE) -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q:g}, {rate(BUCKETS, labels, window)}) >= 0"


NOW = (
    stat(
        "Online",
        "Workers whose heartbeats reach Flower.",
        Target(or_zero(f"count({ONLINE} == 1)")),
        unit="short",
        width=4,
        limits=BAD_IF_NONE,
    ),
    stat(
        "Offline",
        "Workers that Flower has not heard of for a while. Flower keeps them until they are "
        "purged (purge_offline_workers).",
        Target(or_zero(f"count({ONLINE} == 0)")),
        unit="short",
        width=4,
        limits=BAD_IF_ANY,
    ),
    stat(
        "Running",
        "Tasks that run, as the last heartbeats said.",
        Target(total(RUNNING)),
        unit="short",
        width=4,
        graph=True,
        limits=thresholds(base=BLUE),
        nothing="no worker",
    ),
    stat(
        "Tasks ended",
        "Tasks that succeeded or failed, each second.",
        Target(or_zero(rate(events(ENDED)))),
        unit="cps",
        width=4,
        graph=True,
        limits=thresholds(base=BLUE),
    ),
    stat(
        "Failure ratio",
        "Failed of all tasks that ended.",
        Target(ratio()),
        unit="percentunit",
        decimals=1,
        width=4,
        graph=True,
        limits=FAILURES,
        nothing="nothing ended",
    ),
    stat(
        "Run time p95",
        "95 of 100 runs that succeeded in the time range shown took no longer.",
        Target(quantile(0.95, window=RANGE), instant=True),
        unit="s",
        width=4,
        limits=thresholds(base=BLUE),
        nothing="nothing succeeded",
    ),
)

TASKS = (
    timeseries(
        "Events by type",
        "What the chosen workers tell of the chosen tasks, each second. Flower counts task-sent "
        "for the client that sent, which is no worker: choose All workers to see it.",
        Target(rate(events(), "type"), "{{type}}"),
        unit="cps",
        width=12,
        overrides=OUTCOMES,
        nothing="No events.",
    ),
    timeseries(
        "Failure ratio by task",
        "Failed of those of the task that ended.",
        Target(ratio("task"), "{{task}}"),
        unit="percentunit",
        highest=1,
        width=12,
        limits=FAILURES,
        nothing="Nothing ended.",
    ),
    timeseries(
        "Run time",
        "How long tasks that succeeded took.",
        *(Target(quantile(q), name) for q, name in PERCENTILES.items()),
        unit="s",
        width=12,
        overrides=PERCENTILE_LINES,
        nothing="Nothing succeeded.",
    ),
    timeseries(
        "Run time p95 by task",
        "95 of 100 runs that succeeded took no longer.",
        Target(quantile(0.95, "task"), "{{task}}"),
        unit="s",
        width=12,
        nothing="Nothing succeeded.",
    ),
    timeseries(
        "Processes kept busy by task",
        "Seconds of run time each second: where the workers' time goes.",
        Target(rate(SECONDS, "task"), "{{task}}"),
        unit="short",
        decimals=2,
        width=12,
        stacked=True,
        nothing="Nothing succeeded.",
    ),
    bar_gauge(
        "Tasks that fail most",
        "Failures in the time range shown, by task.",
        Target(f"topk(10, {increase(events(FAILED), 'task', RANGE)})", "{{task}}", instant=True),
        unit="short",
        decimals=0,
        width=12,
        limits=thresholds(base=RED),
        nothing="Nothing failed.",
    ),
    table(
        "Every task",
        "All figures of each task in the time range shown.",
        Target(rate(events(ENDED), "task", RANGE)),
        Target(increase(events('type="task-succeeded"'), "task", RANGE)),
        Target(increase(events(FAILED), "task", RANGE)),
        Target(ratio("task", RANGE)),
        Target(f"{rate(SECONDS, 'task', RANGE)} / ({rate(COUNT, 'task', RANGE)} > 0)"),
        Target(quantile(0.95, "task", RANGE)),
        columns=(
            Column("task", "Task", width=300),
            Column("Value #A", "Ended", "cps", 3),
            Column("Value #B", "Succeeded", "short", 0),
            Column("Value #C", "Failed", "short", 0, limits=thresholds((1, RED))),
            Column("Value #D", "Failure ratio", "percentunit", 1, limits=FAILURES),
            Column("Value #E", "Run time, mean", "s"),
            Column("Value #F", "Run time p95", "s"),
        ),
        sort_by="Ended",
        width=24,
        nothing="No task was seen.",
    ),
)

WORKERS = (
    state_timeline(
        "Online and offline",
        "When each worker was there.",
        Target(f"max by (worker) ({ONLINE})", "{{worker}}"),
        width=12,
        mappings=[meaning({"1": ("online", GREEN), "0": ("offline", RED)})],
    ),
    timeseries(
        "Running by worker",
        "Tasks that run, as the last heartbeats said.",
        Target(total(RUNNING, "worker"), "{{worker}}"),
        unit="short",
        decimals=0,
        width=12,
        stacked=True,
        nothing="No worker.",
    ),
    timeseries(
        "Ended by worker",
        "Tasks that succeeded or failed, each second.",
        Target(rate(events(ENDED), "worker"), "{{worker}}"),
        unit="cps",
        width=8,
        nothing="Nothing ended.",
    ),
    timeseries(
        "Prefetched by worker",
        "Tasks that a worker holds and has not started. In Flower itself it drifts when an event "
        "is lost: a value that never returns to 0 means nothing.",
        Target(total(of("flower_worker_prefetched_tasks", *BOTH), "worker"), "{{worker}}"),
        unit="short",
        decimals=0,
        width=8,
        nothing="None.",
    ),
    timeseries(
        "Prefetch time by task",
        "How long the task started last was held by its worker. Flower sets it to 0 when the task "
        "ends, so that short tasks show 0.",
        Target(f"max by (task) ({of('flower_task_prefetch_time_seconds', *BOTH)})", "{{task}}"),
        unit="s",
        width=8,
        limits=thresholds((5, ORANGE), (60, RED)),
        nothing="None.",
    ),
)

BOARD = dashboard(
    uid="celeryscope-flower",
    title="Celery / Flower",
    description="For teams that run Flower: only Flower's metrics, which Celeryscope serves too.",
    variables=(
        datasource_variable(),
        # One: Flower and Celeryscope on one broker count the same, and a sum would be double.
        # `flower` comes before `celeryscope`.
        query_variable("job", "label_values(flower_events_total, job)", backwards=True),
        query_variable(
            "worker",
            'label_values(flower_worker_online{job=~"$job"}, worker)',
            multi=True,
            everything=".*",
        ),
        query_variable(
            "task",
            'label_values(flower_events_total{job=~"$job"}, task)',
            multi=True,
            everything=".*",
        ),
    ),
    # Without the variables: a job of Flower's is none of the other dashboards.
    links=(dashboards_link("Celeryscope", keep_variables=False),),
    rows=(Row("Now", NOW), Row("Tasks", TASKS), Row("Workers", WORKERS)),
)
