"""Workers: which are there, how busy they are, whether they can be trusted to tell the truth."""

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
    dashboard,
    meaning,
    query_variable,
    stat,
    state_timeline,
    table,
    thresholds,
    timeseries,
)
from dashboards.parts import (
    ANNOTATIONS,
    BAD_IF_ANY,
    BAD_IF_NONE,
    FULL,
    IN_TIME,
    LINKS,
    OUTCOMES,
    WORKER,
    board_worker,
    cell,
    console_tasks,
    console_worker,
    counted,
    increase,
    label,
    of,
    once,
    or_zero,
    rate,
    total,
    variables,
)

ONLINE = of("celeryscope_worker_online", WORKER)
RUNNING = of("celeryscope_worker_tasks_running", WORKER)
PROCESSES = of("celeryscope_worker_processes", WORKER)
EVENTS = "celeryscope_worker_task_events_total"
LOST = of("celeryscope_worker_lost_events_total", WORKER)
RESTARTS = of("celeryscope_worker_restarts_total", WORKER)
HEARTBEAT = of("celeryscope_worker_last_heartbeat_timestamp_seconds", WORKER)
SKEW = of("celeryscope_worker_clock_skew_seconds", WORKER)
BUSY = f"{total(RUNNING, 'worker')} / ({total(PROCESSES, 'worker')} > 0)"
AGE = f"time() - max by (worker) ({HEARTBEAT})"

SIGHT = meaning({"1": ("online", GREEN), "0": ("offline", RED)})
STALE = thresholds((10, ORANGE), (60, RED))  # seconds; heartbeats come every two
SKEWED = thresholds((-5, ORANGE), (-1, GREEN), (1, ORANGE), (5, RED), base=RED)

THIS = board_worker(label("worker"))
IN_CONSOLE = console_worker(label("worker"))
ITS_TASKS = console_tasks("Its tasks", f'worker:"{label("worker")}" {IN_TIME}')
LINES = [THIS, IN_CONSOLE, ITS_TASKS]

NOW = (
    stat(
        "Online",
        "Workers whose heartbeats reach us.",
        Target(or_zero(f"count({once(ONLINE)} == 1)")),
        unit="short",
        width=4,
        limits=BAD_IF_NONE,
    ),
    stat(
        "Offline",
        "Workers that stopped sending heartbeats and are not forgotten yet. See which in the time "
        "line below; look at their host and their log.",
        Target(or_zero(f"count({once(ONLINE)} == 0)")),
        unit="short",
        width=4,
        limits=BAD_IF_ANY,
    ),
    stat(
        "Running tasks",
        "As the last heartbeats said.",
        Target(total(RUNNING)),
        unit="short",
        width=4,
        graph=True,
        limits=thresholds(base=BLUE),
        links=[console_tasks("Running tasks", "state:running")],
        nothing="not known",
    ),
    stat(
        "Busy",
        "Running tasks of all that could run at once. Near 100 % tasks wait although nothing is "
        "wrong: there are too few processes.",
        Target(f"{total(RUNNING)} / ({total(PROCESSES)} > 0)"),
        unit="percentunit",
        decimals=0,
        highest=1,
        width=4,
        graph=True,
        limits=FULL,
        nothing="not known",
    ),
    stat(
        "Restarts",
        "Times a worker came back with another process id, in the time range shown: deployments "
        "and crashes.",
        Target(or_zero(counted(RESTARTS)), instant=True),
        unit="short",
        decimals=0,
        width=4,
        limits=thresholds(base=BLUE),
    ),
    stat(
        "Events lost",
        "Task starts that these workers counted and that never reached us, in the time range "
        "shown.",
        Target(or_zero(counted(LOST)), instant=True),
        unit="short",
        decimals=0,
        width=4,
        limits=thresholds((1, ORANGE)),
    ),
)

ALIVE = (
    state_timeline(
        "Online and offline",
        "When each worker was there. A gap is a time in which we could not know, as when the "
        "broker is away. Many that go at once share something: a host, a deployment.",
        Target(f"max by (worker) ({ONLINE})", "{{worker}}"),
        width=24,
        mappings=[SIGHT],
        links=LINES,
    ),
    table(
        "Every worker",
        "All figures of each worker; events, restarts and losses in the time range shown. A name "
        "leads to the worker in the console.",
        Target(f"max by (worker) ({ONLINE})"),
        Target(total(RUNNING, "worker")),
        Target(total(PROCESSES, "worker")),
        Target(BUSY),
        Target(counted(of(EVENTS, 'type="task-succeeded"', WORKER), "worker")),
        Target(counted(of(EVENTS, 'type="task-failed"', WORKER), "worker")),
        Target(AGE),
        Target(f"max by (worker) ({SKEW})"),
        Target(counted(RESTARTS, "worker")),
        Target(counted(LOST, "worker")),
        columns=(
            Column("worker", "Worker", width=260, links=(
                console_worker(cell("worker")), board_worker(cell("worker")))),
            Column("Value #A", "State", limits=BAD_IF_NONE, mappings=(SIGHT,)),
            Column("Value #B", "Running", "short", 0, links=(console_tasks(
                "Its running tasks", f'state:running worker:"{cell("worker")}"'),)),
            Column("Value #C", "Processes", "short", 0),
            Column("Value #D", "Busy", "percentunit", 0, bar=True, highest=1),
            Column("Value #E", "Succeeded", "short", 0, links=(console_tasks(
                "Its tasks that succeeded",
                f'state:success worker:"{cell("worker")}" {IN_TIME}'),)),
            Column("Value #F", "Failed", "short", 0, limits=thresholds((1, RED), base=GREY),
                   links=(console_tasks("Its failed tasks",
                          f'state:failure worker:"{cell("worker")}" {IN_TIME}'),)),
            Column("Value #G", "Last heartbeat", "s", 0, limits=STALE),
            Column("Value #H", "Clock ahead by", "s", 2, limits=SKEWED),
            Column("Value #I", "Restarts", "short", 0),
            Column("Value #J", "Events lost", "short", 0,
                   limits=thresholds((1, ORANGE), base=GREY)),
        ),
        sort_by="Worker",
        descending=False,
        width=24,
        nothing="No worker was seen.",
    ),
)  # fmt: skip

WORK = (
    timeseries(
        "Busy by worker",
        "Running tasks of all that the worker could run at once. One at 100 % beside idle ones "
        "holds tasks that others could run: lower its prefetch multiplier.",
        Target(BUSY, "{{worker}}"),
        unit="percentunit",
        highest=1,
        width=12,
        limits=FULL,
        links=LINES,
        nothing="Not known.",
    ),
    timeseries(
        "Running by worker",
        "Tasks that run, as the last heartbeats said.",
        Target(total(RUNNING, "worker"), "{{worker}}"),
        unit="short",
        decimals=0,
        width=12,
        stacked=True,
        links=LINES,
        nothing="Not known.",
    ),
    timeseries(
        "Events by type",
        "What the chosen workers tell of their tasks, each second.",
        Target(rate(of(EVENTS, WORKER), "type"), "{{type}}"),
        unit="cps",
        width=12,
        overrides=OUTCOMES,
        nothing="No task events.",
    ),
    timeseries(
        "Ended by worker",
        "Tasks that succeeded or failed, each second. One that falls behind the others is slow, "
        "or gets other tasks.",
        Target(rate(of(EVENTS, 'type=~"task-(failed|succeeded)"', WORKER), "worker"), "{{worker}}"),
        unit="cps",
        width=12,
        links=LINES,
        nothing="Nothing ended.",
    ),
)

TRUST = (
    timeseries(
        "Age of the last heartbeat",
        "How long ago the worker was heard of. Heartbeats come every two seconds; a worker whose "
        "pool takes all processor time sends them late.",
        Target(AGE, "{{worker}}"),
        unit="s",
        width=8,
        limits=STALE,
        links=LINES,
        nothing="No worker was seen.",
    ),
    timeseries(
        "Clock skew",
        "How far the worker's clock is ahead of the console's; negative: behind. Beyond a second, "
        "look at the time service of its host. Waits are corrected for it.",
        Target(f"max by (worker) ({SKEW})", "{{worker}}"),
        unit="s",
        from_zero=False,
        width=8,
        links=LINES,
        nothing="No worker was seen.",
    ),
    timeseries(
        "Restarts and lost events",
        "Times a worker's process id changed, and task starts of workers that never reached us.",
        Target(increase(RESTARTS), "restarts"),
        Target(increase(LOST), "events lost"),
        unit="short",
        decimals=0,
        width=8,
        bars=True,
    ),
)

BOARD = dashboard(
    uid="celeryscope-workers",
    title="Celery / Workers",
    description="Workers: which are there, how busy they are, what they tell, how late.",
    variables=variables(
        query_variable(
            "worker",
            'label_values(celeryscope_worker_last_heartbeat_timestamp_seconds{job=~"$job"}, worker)',
            multi=True,
            everything=".*",
        )
    ),
    annotations=ANNOTATIONS,
    links=LINKS,
    rows=(
        Row("Now", NOW),
        Row("Alive", ALIVE),
        Row("Work", WORK),
        Row("Can they be trusted", TRUST),
    ),
)
