"""What our dashboards share: selectors, expressions, variables, links, colours of outcomes."""

from __future__ import annotations

from urllib.parse import quote

from dashboards.grafana import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    Json,
    Target,
    annotation,
    colored,
    dashboards_link,
    data_link,
    datasource_variable,
    page_link,
    query_variable,
    thresholds,
)

ALL_TASK_EVENTS = "celeryscope_task_events_total"
ENDED = 'type=~"task-(failed|succeeded)"'
FAILED = 'type="task-failed"'
RATE = "$__rate_interval"
RANGE = "$__range"

QUEUE = 'queue=~"$queue"'
TASK = 'task="$task"'
WORKER = 'worker=~"$worker"'

# ------------------------------------------------------------------ expressions


def of(metric: str, *matchers: str) -> str:
    """A selector of `metric` in the chosen jobs."""
    inside = ", ".join(['job=~"$job"', *matchers])
    return f"{metric}{{{inside}}}"


def once(expr: str) -> str:
    """Each figure once, although two consoles on one broker both tell it."""
    return f"max without (instance, node, pod) ({expr})"


def rate(selector: str, by: str = "", window: str = RATE) -> str:
    return _sum(f"rate({selector}[{window}])", by)


def increase(selector: str, by: str = "") -> str:
    return _sum(f"increase({selector}[{RATE}])", by)


def counted(selector: str, by: str = "") -> str:
    """How many in the time range shown.

    `increase` leaves out the first value of a series; but the first failure of a task is the one
    that people look for. So a series that began in the range counts with all of its value, if we
    know that it began there: Prometheus read the console before, or the console began there too.
    """
    began = (
        f"max_over_time({selector}[{RANGE}]) unless {selector} offset {RANGE} "
        f"and on (job, instance) ({of('up')} offset {RANGE} "
        f"or {of('process_start_time_seconds')} > time() - $__range_s)"
    )
    return _sum(f"({began}) or increase({selector}[{RANGE}])", by)


def total(selector: str, by: str = "") -> str:
    return _sum(selector, by)


def _sum(what: str, by: str) -> str:
    return f"sum by ({by}) ({once(what)})" if by else f"sum({once(what)})"


def or_zero(expr: str) -> str:
    """0 where there is no series: a counter appears with the first thing it counts."""
    return f"{expr} or vector(0)"


def failure_ratio(*matchers: str, by: str = "", window: str = RATE) -> str:
    """Failed of all that ended; nothing where nothing ended, and 0 where nothing failed."""
    failed = rate(of(ALL_TASK_EVENTS, FAILED, *matchers), by, window)
    ended = rate(of(ALL_TASK_EVENTS, ENDED, *matchers), by, window)
    return f"({failed} or 0 * {ended}) / ({ended} > 0)"


def quantile(q: float, histogram: str, *matchers: str, by: str = "", window: str = RATE) -> str:
    """A percentile of durations; nothing (and not NaN) where nothing was measured."""
    labels = f"le, {by}" if by else "le"
    buckets = rate(of(f"{histogram}_bucket", *matchers), labels, window)
    return f"histogram_quantile({q:g}, {buckets}) >= 0"


def percentiles(histogram: str, *matchers: str) -> tuple[Target, ...]:
    return tuple(Target(quantile(q, histogram, *matchers), name) for q, name in PERCENTILES.items())


WAIT = "celeryscope_task_wait_seconds"
RUNTIME = "celeryscope_task_runtime_seconds"
PERCENTILES = {0.5: "p50", 0.95: "p95", 0.99: "p99"}
PERCENTILE_LINES = (
    colored("p50", BLUE),
    colored("p95", ORANGE, line="dash"),
    colored("p99", RED, line="dot"),
)

# ------------------------------------------------------------------ looks

# The same in every panel; what went wrong is dashed or dotted, so that colours are not needed.
OUTCOMES = (
    colored("task-sent", PURPLE, shown_as="sent"),
    colored("task-received", BLUE, shown_as="received"),
    colored("task-started", "light-blue", shown_as="started"),
    colored("task-succeeded", GREEN, shown_as="succeeded"),
    colored("task-failed", RED, line="dash", shown_as="failed"),
    colored("task-retried", ORANGE, line="dot", shown_as="retried"),
    colored("task-revoked", YELLOW, line="dash", shown_as="revoked"),
    colored("task-rejected", "dark-red", line="dot", shown_as="rejected"),
)

FAILURES = thresholds((0.05, ORANGE), (0.1, RED))  # a ratio; red is where the alert fires
BAD_IF_ANY = thresholds((1, RED))
BAD_IF_NONE = thresholds((1, GREEN), base=RED)
LATE = thresholds((60, ORANGE), (600, RED))  # seconds waited; red is where the alert fires
FULL = thresholds((0.8, ORANGE), (0.95, RED))  # a ratio

# ------------------------------------------------------------------ variables

QUEUE_VARIABLE = query_variable(
    "queue",
    'label_values(celeryscope_task_events_total{job=~"$job"}, queue)',
    multi=True,
    everything=".*",
)


def variables(*more: Json) -> tuple[Json, ...]:
    return (
        datasource_variable(),
        # All stands for the jobs there are and not for any job: `up` and `process_*` of
        # everything else that Prometheus scrapes are not ours.
        query_variable("job", "label_values(celeryscope_build_info, job)", multi=True),
        *more,
        query_variable(
            "console",
            'label_values(celeryscope_console_info{job=~"$job"}, url)',
            hidden=True,
        ),
    )


# ------------------------------------------------------------------ links


def label(name: str) -> str:
    """The value of a label of the series that was clicked, for an address."""
    return f"${{__field.labels.{name}:percentencode}}"


def cell(name: str) -> str:
    """The value of another column of the row that was clicked, for an address."""
    return f"${{__data.fields.{name}:percentencode}}"


KEPT = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}"
CHOSEN_TASK = "${task:percentencode}"
IN_TIME = "since:${__from:date:iso} until:${__to:date:iso}"


def console_tasks(title: str, query: str, *, slowest_first: bool = False) -> Json:
    """To the console's list of tasks. `query` is in its language; names stand in quotes, since
    they may hold anything but a quote."""
    order = "&sort=-runtime" if slowest_first else ""
    return data_link(title, f"${{console}}/tasks?query={_encoded(query)}{order}")


def console_queue(queue: str) -> Json:
    return data_link("This queue in the console", f"${{console}}/queues?queue={queue}")


def console_worker(worker: str) -> Json:
    return data_link("This worker in the console", f"${{console}}/workers/{worker}")


def board_task(task: str) -> Json:
    return data_link("This task", f"/d/celeryscope-task?var-task={task}&{KEPT}")


def board_worker(worker: str) -> Json:
    return data_link("This worker", f"/d/celeryscope-workers?var-worker={worker}&{KEPT}")


def board_queue(queue: str) -> Json:
    return data_link("This queue", f"/d/celeryscope-queues?var-queue={queue}&{KEPT}")


def board(title: str, uid: str) -> Json:
    return data_link(title, f"/d/{uid}?{KEPT}")


def _encoded(query: str) -> str:
    """Percent-encode all but the variables, which Grafana encodes."""
    parts = query.split("${")
    coded = [quote(parts[0], safe=":")]
    for part in parts[1:]:
        variable, _, rest = part.partition("}")
        coded.append(f"${{{variable}}}{quote(rest, safe=':')}")
    return "".join(coded)


LINKS = (
    dashboards_link("Celeryscope", keep_variables=True),
    page_link("Console", "${console}", tooltip="Single tasks, workers and queues, live"),
)

ANNOTATIONS = (
    annotation(
        "Alerts",
        'ALERTS{alertname=~"Celeryscope.*", alertstate="firing", job=~"$job"}',
        title="{{alertname}}",
        text="{{task}} {{queue}} {{worker}}",
        tags="severity",
        color=RED,
    ),
    annotation(
        "Workers restarted",
        f"{increase(of('celeryscope_worker_restarts_total'))} > 0",
        title="Workers restarted",
        text="A deployment, or a crash",
        tags="",
        color=GREY,
    ),
)
