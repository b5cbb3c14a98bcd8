"""All tasks by name: which are many, which fail, which are slow, which take the workers' time."""

from __future__ import annotations

from dashboards.grafana import (
    GREY,
    ORANGE,
    RED,
    Column,
    Row,
    Target,
    bar_gauge,
    dashboard,
    stat,
    table,
    thresholds,
    timeseries,
)
from dashboards.parts import (
    ANNOTATIONS,
    ENDED,
    FAILED,
    FAILURES,
    IN_TIME,
    LINKS,
    OUTCOMES,
    QUEUE,
    QUEUE_VARIABLE,
    RANGE,
    RUNTIME,
    WAIT,
    board_task,
    cell,
    console_tasks,
    counted,
    failure_ratio,
    label,
    of,
    or_zero,
    quantile,
    rate,
    variables,
)

EVENTS = "celeryscope_task_events_total"
RUN_SECONDS = of(f"{RUNTIME}_sum", QUEUE)
FAILURES_BY_CLASS = of("celeryscope_task_failures_total", QUEUE)

THIS = board_task(label("task"))
THESE = console_tasks("These tasks in the console", f'name:"{label("task")}" {IN_TIME}')
FAILED_ONES = console_tasks("The failed tasks", f'state:failure name:"{label("task")}" {IN_TIME}')


def share(window: str) -> str:
    """How much of all run time each task takes."""
    return f"{rate(RUN_SECONDS, 'task', window)} / on () group_left () ({rate(RUN_SECONDS, '', window)} > 0)"


ROW = cell("task")
FIGURES = table(
    "Every task",
    "All figures of each task in the time range shown; click a heading to sort. A name leads to "
    "the task's own dashboard, a count to the tasks themselves. Share of time: of all seconds that "
    "workers ran tasks which succeeded; a task at the top is worth making faster.",
    Target(rate(of(EVENTS, ENDED, QUEUE), "task", RANGE)),
    Target(counted(of(EVENTS, 'type="task-succeeded"', QUEUE), "task")),
    Target(counted(of(EVENTS, FAILED, QUEUE), "task")),
    Target(failure_ratio(QUEUE, by="task", window=RANGE)),
    Target(counted(of(EVENTS, 'type="task-retried"', QUEUE), "task")),
    Target(quantile(0.5, RUNTIME, QUEUE, by="task", window=RANGE)),
    Target(quantile(0.95, RUNTIME, QUEUE, by="task", window=RANGE)),
    Target(quantile(0.95, WAIT, QUEUE, by="task", window=RANGE)),
    Target(share(RANGE)),
    columns=(
        Column("task", "Task", links=(board_task(ROW),
               console_tasks("These tasks in the console", f'name:"{ROW}" {IN_TIME}')), width=260),
        Column("Value #A", "Ended", "cps", 3),
        Column("Value #B", "Succeeded", "short", 0, links=(
            console_tasks("The tasks that succeeded", f'state:success name:"{ROW}" {IN_TIME}'),)),
        Column("Value #C", "Failed", "short", 0, limits=thresholds((1, RED), base=GREY), links=(
            console_tasks("The failed tasks", f'state:failure name:"{ROW}" {IN_TIME}'),)),
        Column("Value #D", "Failure ratio", "percentunit", 1, limits=FAILURES),
        Column("Value #E", "Retried", "short", 0, limits=thresholds((1, ORANGE), base=GREY), links=(
            console_tasks("Tasks with a retry", f'retries:>0 name:"{ROW}" {IN_TIME}'),)),
        Column("Value #F", "Run time p50", "s"),
        Column("Value #G", "Run time p95", "s", links=(
            console_tasks("The slowest", f'name:"{ROW}" {IN_TIME}', slowest_first=True),)),
        Column("Value #H", "Wait p95", "s"),
        Column("Value #I", "Share of time", "percentunit", 1, bar=True, highest=1),
    ),
    sort_by="Share of time",
    width=24,
    height=12,
    nothing="No task was seen.",
)  # fmt: skip

NOW = (
    stat(
        "Tasks ended",
        "Tasks that succeeded or failed, each second.",
        Target(or_zero(rate(of(EVENTS, ENDED, QUEUE)))),
        unit="cps",
        width=6,
        graph=True,
        limits=thresholds(base="blue"),
    ),
    stat(
        "Failure ratio",
        "Failed of all tasks that ended.",
        Target(failure_ratio(QUEUE)),
        unit="percentunit",
        decimals=1,
        width=6,
        graph=True,
        limits=FAILURES,
        links=[console_tasks("The failed tasks", f"state:failure {IN_TIME}")],
        nothing="nothing ended",
    ),
    stat(
        "Retried",
        "Tasks that failed and will be tried again, each second. Many retries are load that the "
        "workers do for nothing, and a failure to come.",
        Target(or_zero(rate(of(EVENTS, 'type="task-retried"', QUEUE)))),
        unit="cps",
        width=6,
        graph=True,
        limits=thresholds(base="orange"),
        links=[console_tasks("Tasks with a retry", f"retries:>0 {IN_TIME}")],
    ),
    stat(
        "Revoked or rejected",
        "Tasks that were called off, expired or were refused, each second.",
        Target(or_zero(rate(of(EVENTS, 'type=~"task-(revoked|rejected)"', QUEUE)))),
        unit="cps",
        width=6,
        graph=True,
        limits=thresholds(base="yellow"),
        links=[console_tasks("These tasks", f"state:revoked,rejected {IN_TIME}")],
    ),
)

HOW_MANY = (
    timeseries(
        "Tasks ended by name",
        "How many of each task succeed or fail, each second.",
        Target(rate(of(EVENTS, ENDED, QUEUE), "task"), "{{task}}"),
        unit="cps",
        width=12,
        stacked=True,
        links=[THIS, THESE],
        nothing="Nothing ended.",
    ),
    timeseries(
        "Task events by type",
        "Sent, received, started, and how it ended. Sent well above received: a queue grows. "
        "Received well above started: workers hold tasks back (prefetch, ETA).",
        Target(rate(of(EVENTS, QUEUE), "type"), "{{type}}"),
        unit="cps",
        width=12,
        overrides=OUTCOMES,
        nothing="No task events.",
    ),
)

FAILS = (
    timeseries(
        "Failure ratio by task",
        "Failed of those of the task that ended; a gap where none ended.",
        Target(failure_ratio(QUEUE, by="task"), "{{task}}"),
        unit="percentunit",
        width=12,
        highest=1,
        limits=FAILURES,
        links=[THIS, FAILED_ONES],
        nothing="Nothing ended.",
    ),
    timeseries(
        "Failures by exception",
        "With which exception tasks fail. A class that was not there before is a new fault.",
        Target(rate(FAILURES_BY_CLASS, "exception"), "{{exception}}"),
        unit="cps",
        width=12,
        stacked=True,
        links=[
            console_tasks("The tasks that failed so",
                          f'state:failure exception:"{label("exception")}" {IN_TIME}'),
        ],
        nothing="Nothing failed.",
    ),
    table(
        "Failures by task and exception",
        "What failed in the time range shown, and with what. Click a count for the tasks, with "
        "their tracebacks.",
        Target(f"{counted(FAILURES_BY_CLASS, 'task, exception')} > 0"),
        columns=(
            Column("task", "Task", links=(board_task(ROW),)),
            Column("exception", "Exception"),
            Column("Value", "Failures", "short", 0, links=(
                console_tasks("The tasks that failed so",
                    f'state:failure name:"{ROW}" exception:"{cell("exception")}" {IN_TIME}'),)),
        ),
        sort_by="Failures",
        width=12,
        nothing="Nothing failed.",
    ),
    timeseries(
        "Retries by task",
        "How often tasks are tried again, each second. Retries that never help are in the failures.",
        Target(rate(of(EVENTS, 'type="task-retried"', QUEUE), "task"), "{{task}}"),
        unit="cps",
        width=12,
        height=10,
        stacked=True,
        links=[THIS, console_tasks("Tasks with a retry",
                                   f'retries:>0 name:"{label("task")}" {IN_TIME}')],
        nothing="Nothing was retried.",
    ),
)  # fmt: skip

TIME = (
    timeseries(
        "Run time p95 by task",
        "95 of 100 runs that succeeded took no longer.",
        Target(quantile(0.95, RUNTIME, QUEUE, by="task"), "{{task}}"),
        unit="s",
        width=12,
        links=[THIS, console_tasks("The slowest",
                                   f'name:"{label("task")}" {IN_TIME}', slowest_first=True)],
        nothing="Nothing succeeded.",
    ),
    timeseries(
        "Wait p95 by task",
        "From sending (or the ETA) to the start. Tasks that share a queue wait for each other.",
        Target(quantile(0.95, WAIT, QUEUE, by="task"), "{{task}}"),
        unit="s",
        width=12,
        links=[THIS, THESE],
        nothing="Nothing started.",
    ),
    timeseries(
        "Processes kept busy by task",
        "Seconds of run time each second: so many processes does a task keep busy on average. "
        "Counted when a task succeeds; a long one shows as a peak at its end.",
        Target(rate(RUN_SECONDS, "task"), "{{task}}"),
        unit="short",
        decimals=2,
        width=12,
        stacked=True,
        links=[THIS],
        nothing="Nothing succeeded.",
    ),
    bar_gauge(
        "Where the workers' time goes",
        "The share of each task in all run time, in the time range shown.",
        Target(f"topk(12, {share(RANGE)})", "{{task}}", instant=True),
        unit="percentunit",
        decimals=1,
        highest=1,
        width=12,
        links=[THIS],
        nothing="Nothing succeeded.",
    ),
)  # fmt: skip

BOARD = dashboard(
    uid="celeryscope-tasks",
    title="Celery / Tasks",
    description="All tasks by name: which are many, which fail and how, which are slow, and which "
    "take the workers' time.",
    variables=variables(QUEUE_VARIABLE),
    annotations=ANNOTATIONS,
    links=LINKS,
    rows=(
        Row("Now", NOW),
        Row("Every task", (FIGURES,)),
        Row("How many", HOW_MANY),
        Row("What fails", FAILS),
        Row("How long", TIME),
    ),
)
