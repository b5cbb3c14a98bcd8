"""One task by its name, as alerts and the console link to it."""

from __future__ import annotations

from dashboards.grafana import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    Row,
    Target,
    bar_gauge,
    colored,
    dashboard,
    heatmap,
    page_link,
    query_variable,
    stat,
    thresholds,
    timeseries,
)
from dashboards.parts import (
    ALL_TASK_EVENTS,
    ANNOTATIONS,
    CHOSEN_TASK,
    ENDED,
    FAILURES,
    IN_TIME,
    LATE,
    LINKS,
    OUTCOMES,
    PERCENTILE_LINES,
    QUEUE,
    QUEUE_VARIABLE,
    RANGE,
    RATE,
    RUNTIME,
    TASK,
    WAIT,
    board_queue,
    console_tasks,
    counted,
    failure_ratio,
    increase,
    label,
    of,
    once,
    or_zero,
    percentiles,
    quantile,
    rate,
    variables,
)

EVENTS = of(ALL_TASK_EVENTS, TASK, QUEUE)
FAILURES_BY_CLASS = of("celeryscope_task_failures_total", TASK, QUEUE)
NAME = f'name:"{CHOSEN_TASK}"'

BOUND = (TASK, QUEUE)
ENDED_NOW = rate(of(ALL_TASK_EVENTS, ENDED, *BOUND))
# Only the queues that the task went through.
ITS_QUEUES = f"and on (job, queue) group by (job, queue) ({EVENTS})"

NOW = (
    stat(
        "Ended",
        "How many succeed or fail, each second.",
        Target(or_zero(ENDED_NOW)),
        unit="cps",
        width=4,
        graph=True,
        limits=thresholds(base=BLUE),
        links=[console_tasks("These tasks in the console", f"{NAME} {IN_TIME}")],
    ),
    stat(
        "Failure ratio",
        "Failed of those that ended in the time range shown.",
        Target(failure_ratio(*BOUND, window=RANGE), instant=True),
        unit="percentunit",
        decimals=1,
        width=4,
        limits=FAILURES,
        links=[console_tasks("The failed tasks", f"state:failure {NAME} {IN_TIME}")],
        nothing="none ended",
    ),
    stat(
        "Retried",
        "How many were retried in the time range shown.",
        Target(or_zero(counted(of(ALL_TASK_EVENTS, 'type="task-retried"', *BOUND))),
               instant=True),
        unit="short",
        decimals=0,
        width=4,
        limits=thresholds((1, ORANGE)),
        links=[console_tasks("Tasks with a retry", f"retries:>0 {NAME} {IN_TIME}")],
    ),
    stat(
        "Run time p95",
        "95 of 100 runs that succeeded in the time range shown took no longer.",
        Target(quantile(0.95, RUNTIME, *BOUND, window=RANGE), instant=True),
        unit="s",
        width=4,
        limits=thresholds(base=BLUE),
        links=[console_tasks("These tasks in the console", f"{NAME} {IN_TIME}")],
        nothing="none succeeded",
    ),
    stat(
        "Wait p95",
        "95 of 100 waited no longer from sending (or the ETA) to their start.",
        Target(quantile(0.95, WAIT, *BOUND, window=RANGE), instant=True),
        unit="s",
        width=4,
        limits=LATE,
        nothing="none started",
    ),
    stat(
        "Processes kept busy",
        "Seconds of run time each second, over the time range shown.",
        Target(rate(of(f"{RUNTIME}_sum", *BOUND), window=RANGE), instant=True),
        unit="short",
        decimals=2,
        width=4,
        limits=thresholds(base=BLUE),
        nothing="none succeeded",
    ),
)  # fmt: skip

COUNTS = (
    timeseries(
        "Events by type",
        "Sent, received, started, and how it ended, each second.",
        Target(rate(EVENTS, "type"), "{{type}}"),
        unit="cps",
        width=12,
        overrides=OUTCOMES,
        links=[console_tasks("These tasks in the console", f"{NAME} {IN_TIME}")],
        nothing="This task was not seen.",
    ),
    timeseries(
        "Now and a week before",
        "How many end each second, beside the same time a week ago. The dashed line needs a week "
        "of history and is missing until then.",
        Target(ENDED_NOW, "now"),
        Target(
            f"sum({once(f'rate({of(ALL_TASK_EVENTS, ENDED, *BOUND)}[{RATE}] offset 1w)')})",
            "a week before",
        ),
        unit="cps",
        width=12,
        overrides=(colored("now", BLUE), colored("a week before", GREY, line="dash")),
        nothing="This task was not seen.",
    ),
)

FAILS = (
    timeseries(
        "Failures by exception",
        "With which exception it fails, each second. A class that was not there before is a new "
        "fault; see what was deployed.",
        Target(rate(FAILURES_BY_CLASS, "exception"), "{{exception}}"),
        unit="cps",
        width=12,
        stacked=True,
        links=[
            console_tasks("The tasks that failed so",
                          f'state:failure {NAME} exception:"{label("exception")}" {IN_TIME}'),
        ],
        nothing="It did not fail.",
    ),
    bar_gauge(
        "Exceptions in the time range",
        "How often it failed with which exception. Click a bar for the tasks, with tracebacks.",
        Target(
            f"topk(12, {counted(FAILURES_BY_CLASS, 'exception')})",
            "{{exception}}",
            instant=True,
        ),
        unit="short",
        decimals=0,
        width=12,
        limits=thresholds(base=RED),
        links=[
            console_tasks("The tasks that failed so",
                          f'state:failure {NAME} exception:"{label("exception")}" {IN_TIME}'),
        ],
        nothing="It did not fail.",
    ),
)  # fmt: skip

RUNS = (
    timeseries(
        "Run time",
        "How long the runs that succeeded took.",
        *percentiles(RUNTIME, *BOUND),
        unit="s",
        width=12,
        overrides=PERCENTILE_LINES,
        links=[console_tasks("The slowest", f"{NAME} {IN_TIME}", slowest_first=True)],
        nothing="None succeeded.",
    ),
    heatmap(
        "Run time, all of them",
        "How many runs took how long. Two bands are two kinds of runs: with and without a cache, "
        "small and large input.",
        Target(increase(of(f"{RUNTIME}_bucket", *BOUND), "le"), "{{le}}"),
        unit="s",
        width=12,
    ),
    timeseries(
        "Wait before the start",
        "From sending (or the ETA) to the start, clock skew removed.",
        *percentiles(WAIT, *BOUND),
        unit="s",
        width=12,
        overrides=PERCENTILE_LINES,
        nothing="None started.",
    ),
    heatmap(
        "Wait, all of them",
        "How many waited how long.",
        Target(increase(of(f"{WAIT}_bucket", *BOUND), "le"), "{{le}}"),
        unit="s",
        width=12,
    ),
)

QUEUES = (
    timeseries(
        "Depth of its queues",
        "Messages that wait in the queues of this task; other tasks' are among them.",
        Target(
            f"sum by (queue) ({once(of('celeryscope_queue_messages', QUEUE))} {ITS_QUEUES})",
            "{{queue}}",
        ),
        unit="short",
        decimals=0,
        width=12,
        links=[
            board_queue(label("queue")),
            console_tasks("Waiting tasks of this name", f"state:waiting {NAME}"),
        ],
        nothing="The depth is not known.",
    ),
    timeseries(
        "Sent and received by queue",
        "How many are sent to which queue and received from it, each second.",
        Target(rate(of(ALL_TASK_EVENTS, 'type="task-sent"', *BOUND), "queue"), "sent {{queue}}"),
        Target(
            rate(of(ALL_TASK_EVENTS, 'type="task-received"', *BOUND), "queue"),
            "received {{queue}}",
        ),
        unit="cps",
        width=12,
        links=[board_queue(label("queue"))],
        nothing="This task was not seen.",
    ),
)

BOARD = dashboard(
    uid="celeryscope-task",
    title="Celery / One task",
    description="One task by its name: how many, how they end, how long they wait and run.",
    variables=variables(
        query_variable("task", 'label_values(celeryscope_task_events_total{job=~"$job"}, task)'),
        QUEUE_VARIABLE,
    ),
    annotations=ANNOTATIONS,
    links=(
        *LINKS,
        page_link(
            "These tasks",
            console_tasks("", f"{NAME} {IN_TIME}")["url"],
            tooltip="The tasks of this name, in the console",
        ),
    ),
    rows=(
        Row("$task", NOW),
        Row("How many", COUNTS),
        Row("How they fail", FAILS),
        Row("How long they run and wait", RUNS),
        Row("Its queues", QUEUES),
    ),
)
