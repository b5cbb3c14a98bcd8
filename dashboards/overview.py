"""Is everything fine?"""

from __future__ import annotations

from dashboards.grafana import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Column,
    Row,
    Target,
    bar_gauge,
    colored,
    dashboard,
    meaning,
    stat,
    table,
    thresholds,
    timeseries,
)
from dashboards.parts import (
    ALL_TASK_EVENTS,
    ANNOTATIONS,
    BAD_IF_ANY,
    BAD_IF_NONE,
    ENDED,
    FAILED,
    FAILURES,
    IN_TIME,
    LATE,
    LINKS,
    OUTCOMES,
    PERCENTILE_LINES,
    RUNTIME,
    WAIT,
    board,
    board_queue,
    board_task,
    board_worker,
    cell,
    console_tasks,
    counted,
    failure_ratio,
    label,
    of,
    or_zero,
    percentiles,
    rate,
    total,
    variables,
)

ALERTS = 'ALERTS{alertname=~"Celeryscope.*", alertstate="firing", job=~"$job"}'

NOW = (
    stat(
        "Workers online",
        "Workers whose heartbeats reach us. None: no task is run.",
        Target(total(of("celeryscope_workers", 'status="online"'))),
        unit="short",
        width=3,
        limits=BAD_IF_NONE,
        links=[board("Workers", "celeryscope-workers")],
        nothing="no console",
    ),
    stat(
        "Workers offline",
        "Workers that stopped sending heartbeats and are not forgotten yet. Find out which on the "
        "dashboard Workers; look at their host and their log.",
        Target(total(of("celeryscope_workers", 'status="offline"'))),
        unit="short",
        width=3,
        limits=BAD_IF_ANY,
        links=[board("Workers", "celeryscope-workers")],
        nothing="no console",
    ),
    stat(
        "Tasks ended",
        "Tasks that succeeded or failed, each second.",
        Target(or_zero(rate(of(ALL_TASK_EVENTS, ENDED)))),
        unit="cps",
        width=3,
        graph=True,
        limits=thresholds(base=BLUE),
        links=[board("Tasks", "celeryscope-tasks")],
    ),
    stat(
        "Failure ratio",
        "Failed of all tasks that ended. See below which tasks fail, and with what.",
        Target(failure_ratio()),
        unit="percentunit",
        width=3,
        decimals=1,
        graph=True,
        limits=FAILURES,
        links=[
            console_tasks("The failed tasks", f"state:failure {IN_TIME}"),
            board("Tasks", "celeryscope-tasks"),
        ],
        nothing="nothing ended",
    ),
    stat(
        "Waiting in queues",
        "Messages in all queues, without those that workers have prefetched.",
        Target(total(of("celeryscope_queue_messages"))),
        unit="short",
        width=3,
        graph=True,
        limits=thresholds(base=BLUE),
        links=[board("Queues", "celeryscope-queues")],
        nothing="not known",
    ),
    stat(
        "Oldest waiting",
        "How long the oldest message of any queue has waited. Unlike the depth it says at once "
        "whether people wait. Known where clients send task-sent events.",
        Target(f"max({of('celeryscope_queue_oldest_waiting_seconds')})"),
        unit="s",
        width=3,
        decimals=0,
        limits=LATE,
        links=[board("Queues", "celeryscope-queues")],
        nothing="not known",
    ),
    stat(
        "Firing alerts",
        "Alerts of Celeryscope's rules that fire now. Each has a runbook.",
        Target(or_zero(f"count({ALERTS})")),
        unit="short",
        width=3,
        limits=BAD_IF_ANY,
    ),
    stat(
        "Events lost",
        "Task starts that workers counted and that never reached us, in the time range shown: by "
        "so many are the figures here too low. See the dashboard Celeryscope itself.",
        Target(
            or_zero(counted(of("celeryscope_worker_lost_events_total"))),
            instant=True,
        ),
        unit="short",
        width=3,
        decimals=0,
        limits=thresholds((1, ORANGE)),
        links=[board("Celeryscope itself", "celeryscope-self")],
    ),
)

TASKS = (
    timeseries(
        "Tasks by outcome",
        "How tasks end, each second. Retried tasks will be tried again; revoked ones were called "
        "off or expired.",
        Target(
            rate(of(ALL_TASK_EVENTS, 'type=~"task-(succeeded|failed|retried|revoked|rejected)"'),
                 "type"),
            "{{type}}",
        ),
        unit="cps",
        width=12,
        overrides=OUTCOMES,
    ),
    timeseries(
        "Failure ratio",
        "Failed of all tasks that ended. A step: look what was deployed then. A slow rise: "
        "something that tasks depend on gets worse.",
        Target(failure_ratio(), "failed"),
        unit="percentunit",
        width=12,
        limits=FAILURES,
        overrides=(colored("failed", RED),),
        nothing="Nothing ended.",
    ),
    timeseries(
        "Wait before the start",
        "From sending a task (or its ETA) to its start, clock skew removed. If it grows while run "
        "times do not, workers are too few or busy with other queues.",
        *percentiles(WAIT),
        unit="s",
        width=12,
        overrides=PERCENTILE_LINES,
        nothing="Nothing started.",
    ),
    timeseries(
        "Run time",
        "How long tasks that succeeded took. If it grows, see on the dashboard Tasks whose.",
        *percentiles(RUNTIME),
        unit="s",
        width=12,
        overrides=PERCENTILE_LINES,
        nothing="Nothing succeeded.",
    ),
)  # fmt: skip

LOAD = (
    timeseries(
        "Queue depth",
        "Messages that wait, by queue. What grows without end needs workers; see time to drain on "
        "the dashboard Queues.",
        Target(total(of("celeryscope_queue_messages"), "queue"), "{{queue}}"),
        unit="short",
        width=8,
        decimals=0,
        links=[board_queue(label("queue")), console_tasks("Its waiting tasks",
               f'state:waiting queue:"{label("queue")}"')],
        nothing="The depth is not known.",
    ),
    timeseries(
        "Oldest waiting",
        "How long the oldest message has waited, by queue.",
        Target(
            f"max by (queue) ({of('celeryscope_queue_oldest_waiting_seconds')})",
            "{{queue}}",
        ),
        unit="s",
        width=8,
        limits=LATE,
        links=[board_queue(label("queue"))],
        nothing="Not known: no task-sent events, or no depths.",
    ),
    timeseries(
        "Busy processes",
        "Tasks that run, and how many could: the pools of all workers that are online. When both "
        "lines meet, tasks wait although nothing is wrong.",
        Target(total(of("celeryscope_worker_tasks_running")), "running"),
        Target(total(of("celeryscope_worker_processes")), "processes"),
        unit="short",
        width=8,
        decimals=0,
        overrides=(colored("running", GREEN), colored("processes", GREY, line="dash")),
        links=[board("Workers", "celeryscope-workers")],
    ),
)  # fmt: skip

TROUBLE = (
    bar_gauge(
        "Tasks that fail most",
        "Failures in the time range shown, by task. Click a bar for the failed tasks themselves.",
        Target(
            f"topk(10, {counted(of(ALL_TASK_EVENTS, FAILED), 'task')} > 0)",
            "{{task}}",
            instant=True,
        ),
        unit="short",
        width=12,
        decimals=0,
        limits=thresholds(base=RED),
        links=[
            board_task(label("task")),
            console_tasks("The failed tasks",
                          f'state:failure name:"{label("task")}" {IN_TIME}'),
        ],
        nothing="Nothing failed.",
    ),
    table(
        "Alerts that fire",
        "Alerts of Celeryscope's rules that fire now, with what they are about.",
        Target(ALERTS),
        columns=(
            Column("alertname", "Alert"),
            Column(
                "severity",
                "Severity",
                limits=thresholds(base=GREY),
                mappings=(
                    meaning({
                        "critical": ("critical", RED),
                        "warning": ("warning", ORANGE),
                        "info": ("info", BLUE),
                    }),
                ),
            ),
            Column("task", "Task", links=(board_task(cell("task")),)),
            Column("queue", "Queue", links=(board_queue(cell("queue")),)),
            Column("worker", "Worker", links=(board_worker(cell("worker")),)),
        ),
        hidden=("Value",),
        sort_by="Severity",
        descending=False,
        width=12,
        height=8,
        nothing="No alert fires.",
    ),
)  # fmt: skip

BOARD = dashboard(
    uid="celeryscope-overview",
    title="Celery / Overview",
    description="Is everything fine? Workers, tasks, queues and alerts at a glance.",
    variables=variables(),
    annotations=ANNOTATIONS,
    links=LINKS,
    rows=(
        Row("Now", NOW),
        Row("Tasks", TASKS),
        Row("Queues and workers", LOAD),
        Row("What goes wrong", TROUBLE),
    ),
)
