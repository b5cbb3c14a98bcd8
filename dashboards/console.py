"""Celeryscope itself: does it see everything, does it keep up, what does it take?"""

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
    meaning,
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
    LINKS,
    RANGE,
    RATE,
    of,
    or_zero,
    variables,
)


def rate(selector: str, by: str = "") -> str:
    return total(f"rate({selector}[{RATE}])", by)


def increase(selector: str, by: str = "", window: str = RATE) -> str:
    return total(f"increase({selector}[{window}])", by)


def total(selector: str, by: str = "") -> str:
    """Over all consoles: here each counts for itself."""
    return f"sum by ({by}) ({selector})" if by else f"sum({selector})"


UP = of("up")
CONNECTED = of("celeryscope_broker_connected")
BUFFER = of("celeryscope_ingest_buffer_bytes")
BUFFER_LIMIT = of("celeryscope_ingest_buffer_limit_bytes")
RENDERS = rate(of("celeryscope_metrics_renders_total"))
RENDER_SECONDS = rate(of("celeryscope_metrics_render_seconds_total"))
FILL = f"{BUFFER} / ({BUFFER_LIMIT} > 0)"
LATE = thresholds((2, ORANGE), (10, RED))  # seconds behind
OVERFLOW = of("celeryscope_label_overflow_total")


def lost(metric: str) -> str:
    """How many in the time range shown."""
    return or_zero(increase(of(metric), window=RANGE))


def by(metric: str, name: str) -> str:
    """By a label whose values come with the first thing that is counted; `none` before that."""
    none = f'label_replace(vector(0), "{name}", "none", "", "")'
    return f"{increase(of(metric), name)} or {none}"


NOW = (
    stat(
        "Console",
        "1 when Prometheus could read its metrics last. Else see whether it runs and whether its "
        "address is right.",
        Target(f"min({UP})"),
        unit="short",
        width=3,
        limits=BAD_IF_NONE,
        mappings=[meaning({"1": ("up", GREEN), "0": ("down", RED)})],
        nothing="not scraped",
    ),
    stat(
        "Broker",
        "Whether it is subscribed to the events. While it is not, nothing is seen.",
        Target(f"min({CONNECTED})"),
        unit="short",
        width=3,
        limits=BAD_IF_NONE,
        mappings=[meaning({"1": ("connected", GREEN), "0": ("away", RED)})],
        nothing="not known",
    ),
    stat(
        "Events",
        "Events taken up, each second.",
        Target(rate(of("celeryscope_events_received_total"))),
        unit="eps",
        width=3,
        graph=True,
        limits=thresholds(base=BLUE),
        nothing="none yet",
    ),
    stat(
        "Behind by",
        "How far the figures are behind the events. Beyond some seconds it does not keep up.",
        Target(f"max({of('celeryscope_ingest_lag_seconds')})"),
        unit="s",
        width=3,
        graph=True,
        limits=LATE,
        nothing="not known",
    ),
    stat(
        "Buffer",
        "How full the buffer between broker and fold is. At 100 % messages are dropped.",
        Target(f"max({FILL})"),
        unit="percentunit",
        decimals=0,
        highest=1,
        width=3,
        limits=FULL,
        nothing="not known",
    ),
    stat(
        "Messages dropped",
        "Dropped in the time range shown because the buffer was full. Give it more processor time, "
        "or a larger buffer.",
        Target(lost("celeryscope_messages_dropped_total"), instant=True),
        unit="short",
        decimals=0,
        width=3,
        limits=BAD_IF_ANY,
    ),
    stat(
        "Lost events",
        "Task starts that workers counted and that never reached us, in the time range shown.",
        Target(lost("celeryscope_worker_lost_events_total"), instant=True),
        unit="short",
        decimals=0,
        width=3,
        limits=thresholds((1, ORANGE)),
    ),
    stat(
        "Time cut off",
        "How long in the time range shown it was cut off from the events. What happened then is "
        "missing from the figures.",
        Target(lost("celeryscope_ingest_gap_seconds_total"), instant=True),
        unit="s",
        width=3,
        limits=thresholds((1, ORANGE), (60, RED)),
    ),
)

SIGHT = (
    state_timeline(
        "Up and connected",
        "When the console could be read, and when it was subscribed to the broker's events.",
        Target(f"min by (instance) ({UP})", "{{instance}}: console"),
        Target(f"min by (instance) ({CONNECTED})", "{{instance}}: broker"),
        width=12,
        height=6,
        mappings=[meaning({"1": ("yes", GREEN), "0": ("no", RED)})],
    ),
    timeseries(
        "Events by type",
        "What reaches it, each second.",
        Target(rate(of("celeryscope_events_received_total"), "type"), "{{type}}"),
        unit="eps",
        width=12,
        height=6,
        stacked=True,
        nothing="No events yet.",
    ),
    timeseries(
        "Behind by",
        "How far the figures are behind the events.",
        Target(f"max by (instance) ({of('celeryscope_ingest_lag_seconds')})", "{{instance}}"),
        unit="s",
        width=8,
        limits=LATE,
    ),
    timeseries(
        "Buffer",
        "Bytes read from the broker and not worked off, and what it can hold.",
        Target(total(BUFFER), "used"),
        Target(total(BUFFER_LIMIT), "limit"),
        unit="bytes",
        width=8,
        overrides=(colored("used", BLUE), colored("limit", GREY, line="dash")),
    ),
    timeseries(
        "Held back",
        "Task events that wait until the name or the queue of their task is known, and tasks in "
        "memory.",
        Target(total(of("celeryscope_events_waiting")), "events held back"),
        Target(total(of("celeryscope_tasks")), "tasks in memory"),
        unit="short",
        decimals=0,
        width=8,
        overrides=(colored("events held back", ORANGE, line="dash"),
                   colored("tasks in memory", BLUE)),
    ),
)  # fmt: skip

MISSING = (
    timeseries(
        "Not seen",
        "What happened and is not in the figures: starts that workers counted, ends that never "
        "came, messages dropped, events refused because of the limit on workers.",
        Target(increase(of("celeryscope_worker_lost_events_total")), "starts lost"),
        Target(increase(of("celeryscope_task_ends_unseen_total")), "ends unseen"),
        Target(increase(of("celeryscope_messages_dropped_total")), "messages dropped"),
        Target(increase(of("celeryscope_events_refused_total")), "events refused"),
        unit="short",
        width=8,
        bars=True,
        overrides=(colored("starts lost", RED), colored("ends unseen", ORANGE),
                   colored("messages dropped", PURPLE), colored("events refused", BLUE)),
    ),
    timeseries(
        "Cut off from the broker",
        "Times and seconds in which no event could reach it.",
        Target(increase(of("celeryscope_ingest_gaps_total")), "times"),
        Target(increase(of("celeryscope_ingest_gap_seconds_total")), "seconds"),
        unit="short",
        width=8,
        bars=True,
        overrides=(colored("times", ORANGE), colored("seconds", RED)),
    ),
    timeseries(
        "Seen twice, or assumed",
        "Duplicates are left out of the figures. Unnamed: nothing told the name of the task. Queue "
        "assumed: no task-sent event told it; switch task_send_sent_event on in the clients.",
        Target(increase(of("celeryscope_events_duplicate_total")), "duplicates"),
        Target(increase(of("celeryscope_events_unnamed_total")), "unnamed"),
        Target(increase(of("celeryscope_events_queue_assumed_total")), "queue assumed"),
        unit="short",
        width=8,
        bars=True,
        overrides=(colored("duplicates", BLUE), colored("unnamed", ORANGE),
                   colored("queue assumed", PURPLE)),
    ),
    timeseries(
        "Messages rejected",
        "Messages that could not become events, by reason. They come from something that is no "
        "Celery, or from a newer one.",
        Target(by("celeryscope_messages_rejected_total", "reason"), "{{reason}}"),
        unit="short",
        width=8,
        bars=True,
    ),
    timeseries(
        "Labels beyond their limit",
        "Events that were counted as `other` because a label had too many values. Task names or "
        "hosts that change with each task are the usual cause.",
        Target(by("celeryscope_label_overflow_total", "label"), "{{label}}"),
        unit="short",
        width=8,
        bars=True,
    ),
    timeseries(
        "Faults and tasks forgotten",
        "Events whose handling went wrong: a fault of Celeryscope, please report it. Tasks let go "
        "from memory for room; live ones make its list of running tasks incomplete.",
        Target(increase(of("celeryscope_event_faults_total")), "faults"),
        Target(increase(of("celeryscope_tasks_forgotten_total"), "kind"), "forgotten: {{kind}}"),
        unit="short",
        width=8,
        bars=True,
        overrides=(colored("faults", RED),),
    ),
)  # fmt: skip

HISTORY = (
    stat(
        "History",
        "Whether the history of tasks is written. While it is not, events wait in memory, and when "
        "there is no more room for them the oldest are dropped.",
        Target(f"max({of('celeryscope_history_trouble')})"),
        unit="short",
        width=3,
        limits=BAD_IF_ANY,
        mappings=[meaning({"0": ("written", GREEN), "1": ("in trouble", RED)})],
        nothing="not kept",
    ),
    stat(
        "Tasks kept",
        "Tasks in the history. Consoles on one PostgreSQL share theirs.",
        Target(f"max({of('celeryscope_history_tasks')})"),
        unit="short",
        decimals=0,
        width=3,
        limits=thresholds(base=BLUE),
        nothing="not kept",
    ),
    stat(
        "Kept for",
        "How long ago the last event of the history's oldest task was.",
        Target(f"time() - min({of('celeryscope_history_oldest_task_timestamp_seconds')})"),
        unit="s",
        decimals=0,
        width=3,
        limits=thresholds(base=BLUE),
        nothing="nothing yet",
    ),
    stat(
        "Events dropped",
        "Events that are not in the history, in the time range shown: it could not be written, and "
        "there was no more room in memory.",
        Target(lost("celeryscope_history_events_dropped_total"), instant=True),
        unit="short",
        decimals=0,
        width=3,
        limits=BAD_IF_ANY,
    ),
    timeseries(
        "In and out",
        "Task events written to the history, and tasks taken out because they were too old, too many "
        "or too much; each second.",
        Target(rate(of("celeryscope_history_events_written_total")), "events written"),
        Target(rate(of("celeryscope_history_tasks_removed_total")), "tasks taken out"),
        unit="short",
        width=4,
        overrides=(colored("events written", BLUE), colored("tasks taken out", ORANGE)),
    ),
    timeseries(
        "Waiting and refused",
        "Task events that are not written yet, and what could not be written at all: a fault of "
        "Celeryscope, please report it.",
        Target(total(of("celeryscope_history_events_waiting")), "waiting"),
        Target(increase(of("celeryscope_history_events_refused_total")), "refused"),
        unit="short",
        decimals=0,
        width=4,
        overrides=(colored("waiting", ORANGE), colored("refused", RED)),
    ),
    timeseries(
        "On disk",
        "What the history takes of the disk. Its settings bound it by age, number and size.",
        Target(f"max({of('celeryscope_history_size_bytes')})", "size"),
        unit="bytes",
        width=4,
        overrides=(colored("size", BLUE),),
    ),
)

COST = (
    timeseries(
        "Processor",
        "Seconds of processor time each second: 1 is one core.",
        Target(f"sum by (instance) (rate({of('process_cpu_seconds_total')}[{RATE}]))",
               "{{instance}}"),
        unit="short",
        decimals=2,
        width=6,
    ),
    timeseries(
        "Memory",
        "Resident memory. It grows until as many tasks are kept as it may keep, and then stays.",
        Target(f"sum by (instance) ({of('process_resident_memory_bytes')})", "{{instance}}"),
        unit="bytes",
        width=6,
    ),
    timeseries(
        "Open files",
        "File descriptors, and how many it may have.",
        Target(total(of("process_open_fds")), "open"),
        Target(total(of("process_max_fds")), "limit"),
        unit="short",
        decimals=0,
        width=6,
        overrides=(colored("open", BLUE), colored("limit", GREY, line="dash")),
    ),
    timeseries(
        "Reading the metrics",
        "How long Prometheus takes to read them, and how long of that it takes to write them.",
        Target(f"max({of('scrape_duration_seconds')})", "scrape"),
        Target(f"{RENDER_SECONDS} / ({RENDERS} > 0)", "render"),
        unit="s",
        width=6,
        overrides=(colored("scrape", BLUE), colored("render", ORANGE, line="dash")),
    ),
    timeseries(
        "Series",
        "Series on its page of metrics. See docs/reference/metrics.md for what bounds them.",
        Target(f"sum by (instance) ({of('scrape_samples_scraped')})", "{{instance}}"),
        unit="short",
        decimals=0,
        width=8,
        height=7,
    ),
    table(
        "Versions",
        "What runs, where, and since when.",
        Target(of("celeryscope_build_info")),
        Target(f"time() - {of('process_start_time_seconds')}"),
        columns=(
            Column("job", "Job"),
            Column("instance", "Instance"),
            Column("version", "Celeryscope"),
            Column("celery", "Celery"),
            Column("python", "Python"),
            Column("Value #B", "Runs for", "s", 0),
        ),
        hidden=("Value #A",),
        sort_by="Job",
        descending=False,
        width=16,
        height=7,
        nothing="No console is scraped.",
    ),
)  # fmt: skip

BOARD = dashboard(
    uid="celeryscope-self",
    title="Celery / Celeryscope itself",
    description="Does Celeryscope see everything, does it keep up, what does it take?",
    variables=variables(),
    annotations=ANNOTATIONS,
    links=LINKS,
    rows=(
        Row("Now", NOW),
        Row("Does it keep up", SIGHT),
        Row("What is missing from the figures", MISSING),
        Row("The history of tasks", HISTORY),
        Row("What it takes", COST),
    ),
)
