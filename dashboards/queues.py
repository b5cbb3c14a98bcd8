"""Queues: what waits, for how long, who takes it, and when it will be done."""

from __future__ import annotations

from dashboards.grafana import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Column,
    Row,
    Target,
    colored,
    dashboard,
    stat,
    table,
    thresholds,
    timeseries,
)
from dashboards.parts import (
    ALL_TASK_EVENTS,
    ANNOTATIONS,
    BAD_IF_NONE,
    LATE,
    LINKS,
    QUEUE,
    QUEUE_VARIABLE,
    RANGE,
    RATE,
    WAIT,
    board_queue,
    cell,
    console_queue,
    console_tasks,
    label,
    of,
    once,
    or_zero,
    quantile,
    rate,
    total,
    variables,
)

MESSAGES = of("celeryscope_queue_messages", QUEUE)
WORKERS = of("celeryscope_queue_workers", QUEUE)
CONSUMERS = of("celeryscope_queue_consumers", QUEUE)
HELD = of("celeryscope_queue_unacknowledged", QUEUE)
OLDEST = of("celeryscope_queue_oldest_waiting_seconds", QUEUE)
SENT = of(ALL_TASK_EVENTS, 'type="task-sent"', QUEUE)
RECEIVED = of(ALL_TASK_EVENTS, 'type="task-received"', QUEUE)
DEPTH = total(MESSAGES, "queue")
SHRINKS = f"sum by (queue) ({once(f'deriv({MESSAGES}[{RATE}])')}) < 0"
DRAIN = f"({DEPTH} == 0) or {DEPTH} / -({SHRINKS})"
UNREAD = f"{DEPTH} > 0 unless {total(WORKERS, 'queue')} > 0"

THIS = board_queue(label("queue"))
IN_CONSOLE = console_queue(label("queue"))
WAITING = console_tasks("Its waiting tasks", f'state:waiting queue:"{label("queue")}"')
LINES = [THIS, WAITING, IN_CONSOLE]

NOW = (
    stat(
        "Waiting",
        "Messages in the chosen queues, without those that workers have prefetched.",
        Target(total(MESSAGES)),
        unit="short",
        width=5,
        graph=True,
        limits=thresholds(base=BLUE),
        links=[console_tasks("Waiting tasks", "state:waiting")],
        nothing="not known",
    ),
    stat(
        "Oldest waiting",
        "How long the oldest message has waited.",
        Target(f"max({OLDEST})"),
        unit="s",
        decimals=0,
        width=5,
        graph=True,
        limits=LATE,
        nothing="not known",
    ),
    stat(
        "Longest time to drain",
        "When the last of the queues that shrink now will be empty.",
        Target(f"max({DRAIN})"),
        unit="s",
        decimals=0,
        width=5,
        limits=thresholds((600, ORANGE), (3600, RED)),
        nothing="none shrinks",
    ),
    stat(
        "Queues that nobody reads",
        "Queues with messages and without an online worker. Start a worker with -Q, or correct "
        "the name in the route.",
        Target(or_zero(f"count({UNREAD})")),
        unit="short",
        width=5,
        limits=thresholds((1, RED)),
    ),
    stat(
        "In and out",
        "Tasks sent to these queues and received from them, each second.",
        Target(or_zero(rate(SENT)), "in"),
        Target(or_zero(rate(RECEIVED)), "out"),
        unit="cps",
        width=4,
        limits=thresholds(base=BLUE),
        text="value_and_name",
    ),
)

EVERY = (
    table(
        "Every queue",
        "All figures of each queue; rates and waits over the time range shown. Drains in: when it "
        "will be empty if it goes on shrinking as now; blank while it grows.",
        Target(DEPTH),
        Target(f"max by (queue) ({OLDEST})"),
        Target(total(WORKERS, "queue")),
        Target(rate(SENT, "queue", RANGE)),
        Target(rate(RECEIVED, "queue", RANGE)),
        Target(DRAIN),
        Target(quantile(0.5, WAIT, QUEUE, by="queue", window=RANGE)),
        Target(quantile(0.95, WAIT, QUEUE, by="queue", window=RANGE)),
        columns=(
            Column("queue", "Queue", width=260, links=(
                board_queue(cell("queue")),
                console_queue(cell("queue")))),
            Column("Value #A", "Waiting", "short", 0, links=(console_tasks(
                "Its waiting tasks", f'state:waiting queue:"{cell("queue")}"'),)),
            Column("Value #B", "Oldest", "s", 0, limits=LATE),
            Column("Value #C", "Workers", "short", 0, limits=BAD_IF_NONE),
            Column("Value #D", "In", "cps", 3),
            Column("Value #E", "Out", "cps", 3),
            Column("Value #F", "Drains in", "s", 0),
            Column("Value #G", "Wait p50", "s"),
            Column("Value #H", "Wait p95", "s", limits=LATE),
        ),
        sort_by="Waiting",
        width=24,
        height=8,
        nothing="No queue is known.",
    ),
)  # fmt: skip

WHAT_WAITS = (
    timeseries(
        "Depth",
        "Messages that wait. Zigzags are batches; what only grows needs workers, or fewer tasks.",
        Target(DEPTH, "{{queue}}"),
        unit="short",
        decimals=0,
        width=12,
        links=LINES,
        nothing="The depth is not known.",
    ),
    timeseries(
        "Oldest waiting",
        "How long the oldest message has waited. It rises second by second while nothing is taken.",
        Target(f"max by (queue) ({OLDEST})", "{{queue}}"),
        unit="s",
        width=12,
        limits=LATE,
        links=LINES,
        nothing="Not known: no task-sent events, or no depths.",
    ),
    timeseries(
        "Time to drain",
        "When the queue will be empty if it goes on shrinking as now; 0 for an empty one, a gap "
        "while it grows.",
        Target(DRAIN, "{{queue}}"),
        unit="s",
        width=12,
        links=LINES,
        nothing="None shrinks.",
    ),
    timeseries(
        "Wait before the start",
        "From sending (or the ETA) to the start: what people feel.",
        Target(quantile(0.5, WAIT, QUEUE, by="queue"), "{{queue}} p50"),
        Target(quantile(0.95, WAIT, QUEUE, by="queue"), "{{queue}} p95"),
        unit="s",
        width=12,
        limits=LATE,
        links=LINES,
        nothing="Nothing started.",
    ),
)

FLOW = (
    timeseries(
        "In and out",
        "Tasks sent to the chosen queues and received from them, each second; retries are among "
        "both. The gap between the lines is what the depth grows by.",
        Target(rate(SENT), "in (sent)"),
        Target(rate(RECEIVED), "out (received)"),
        unit="cps",
        width=8,
        overrides=(
            colored("in (sent)", PURPLE, line="dash"),
            colored("out (received)", GREEN),
        ),
        nothing="No task events.",
    ),
    timeseries(
        "In by queue",
        "Tasks sent, each second. Known where clients send task-sent events.",
        Target(rate(SENT, "queue"), "{{queue}}"),
        unit="cps",
        width=8,
        stacked=True,
        links=LINES,
        nothing="No task-sent events.",
    ),
    timeseries(
        "Out by queue",
        "Tasks received by workers, each second.",
        Target(rate(RECEIVED, "queue"), "{{queue}}"),
        unit="cps",
        width=8,
        stacked=True,
        links=LINES,
        nothing="Nothing was received.",
    ),
)

WHO = (
    timeseries(
        "Workers by queue",
        "Online workers that consume the queue. 0: what is sent there waits for good.",
        Target(total(WORKERS, "queue"), "{{queue}}"),
        unit="short",
        decimals=0,
        width=8,
        links=LINES,
        nothing="No queue is known.",
    ),
    timeseries(
        "Consumers and workers",
        "Consumers as the broker counts them (RabbitMQ; Redis does not know them), beside the "
        "online workers we know. More consumers than workers: somebody reads who sends no events.",
        Target(total(WORKERS), "workers"),
        Target(total(CONSUMERS), "consumers"),
        unit="short",
        decimals=0,
        width=8,
        overrides=(
            colored("workers", GREEN),
            colored("consumers", GREY, line="dash"),
        ),
    ),
    timeseries(
        "Held by workers",
        "Messages that workers have taken and not acknowledged: prefetched, waiting for their ETA, "
        "or running with acks_late. They are not in the depth. What stays high while little runs "
        "is prefetched too far ahead, and comes back only when its worker ends.",
        Target(total(HELD, "queue"), "{{queue}}"),
        unit="short",
        decimals=0,
        width=8,
        links=LINES,
        nothing="The broker does not tell: RabbitMQ does through its management API (broker_api).",
    ),
)

BOARD = dashboard(
    uid="celeryscope-queues",
    title="Celery / Queues",
    description="Queues: what waits, for how long, who takes it, and when it will be done.",
    variables=variables(QUEUE_VARIABLE),
    annotations=ANNOTATIONS,
    links=LINKS,
    rows=(
        Row("Now", NOW),
        Row("Every queue", EVERY),
        Row("What waits", WHAT_WAITS),
        Row("In and out", FLOW),
        Row("Who reads", WHO),
    ),
)
