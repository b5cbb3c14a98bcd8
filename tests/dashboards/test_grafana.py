"""tests/grafana.py against what Grafana's documentation says, with a Prometheus in memory."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dashboards.conftest import metrics_of
from tests.grafana import Json, View, duration_of, panels, seconds_of, targets, unwrapped

SERIES = [
    {"__name__": "up", "job": "a.b", "instance": "one"},
    {"__name__": "up", "job": "c|d", "instance": "two"},
    {"__name__": "tasks", "job": "a.b", "queue": "low"},
]


class InMemory:
    """Knows three series; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def query(self, expr: str, *, time: float) -> list[Json]:
        self.asked.append(expr)
        return [{"metric": row, "value": [time, str(n)]} for n, row in enumerate(SERIES)]

    def query_range(self, expr: str, *, start: float, end: float, step: float) -> list[Json]:
        self.asked.append(expr)
        return [{"metric": {}, "values": [[start, "NaN"], [end, "1"]]}]

    def series(self, match: str, *, start: float, end: float) -> list[dict[str, str]]:
        name, _, matchers = match.partition("{")
        wanted = matchers.rstrip("}")
        self.asked.append(match)
        return [
            row
            for row in SERIES
            if row["__name__"] == name and (not wanted or wanted.split('"')[1] == row["job"])
        ]

    def label_values(self, label: str, *, start: float, end: float) -> list[str]:
        return sorted({row[label] for row in SERIES if label in row})

    def label_names(self, *, start: float, end: float) -> list[str]:
        return sorted({name for row in SERIES for name in row})


def view(*variables: Json, chosen: dict[str, list[str]] | None = None, **board: Any) -> View:
    return View(
        {"title": "T", "templating": {"list": list(variables)}, **board},
        InMemory(),
        start=1_000_000,
        end=1_003_600,
        scrape_seconds=15,
        chosen=chosen,
        points=1000,
    )


def query(name: str, text: str, **more: Any) -> Json:
    return {"name": name, "type": "query", "query": text, **more}


JOBS = query("job", "label_values(up, job)", multi=True, includeAll=True)

MACROS = {
    "rate(x[$__rate_interval])": "rate(x[60s])",  # 4 x 15 s is more than 15 s + 15 s
    "x[$__interval] ${__interval_ms}": "x[15s] 15000",
    "x[$__range] $__range_s $__range_ms": "x[3600s] 3600 3600000",
    "$__from ${__to}": "1000000000 1003600000",
    "${__from:date:iso} ${__to:date:seconds}": "1970-01-12T13:46:40.000Z 1003600",
    'label_replace(x, "a", "$1", "b", "(.*)")': 'label_replace(x, "a", "$1", "b", "(.*)")',
    "$nothing ${nothing:csv}": "$nothing ${nothing:csv}",
}


@pytest.mark.parametrize("text", MACROS)
def test_macros(text: str) -> None:
    assert view().filled(text) == MACROS[text]


@pytest.mark.parametrize(
    ("scrape", "span", "min_step", "interval", "rate"),
    [
        (15, 3600, "", "15s", "60s"),
        (15, 604_800, "", "900s", "915s"),
        (1, 60, "", "1s", "4s"),
        (0.5, 60, "", "500ms", "2s"),
        (15, 3600, "1m", "60s", "75s"),
    ],
)
def test_the_rate_interval_holds_at_least_four_scrapes(
    scrape: float, span: float, min_step: str, interval: str, rate: str
) -> None:
    seen = View({}, InMemory(), start=0, end=span, scrape_seconds=scrape, points=1000)
    step = seen.interval(min_step)
    assert seen.filled("$__interval $__rate_interval", step) == f"{interval} {rate}"


# How a variable is written, with two jobs chosen.
FORMS = {
    "$job": r"(a\\.b|c\\|d)",
    "${job}": r"(a\\.b|c\\|d)",
    "[[job]]": r"(a\\.b|c\\|d)",
    "${job:regex}": r"(a\.b|c\|d)",
    "${job:pipe}": "a.b|c|d",
    "${job:csv}": "a.b,c|d",
    "${job:raw}": "a.b,c|d",
    "${job:glob}": "{a.b,c|d}",
    "${job:json}": '["a.b", "c|d"]',
    "${job:doublequote}": '"a.b","c|d"',
    "${job:singlequote}": "'a.b','c|d'",
    "${job:percentencode}": "a.b%2Cc%7Cd",
    "${job:queryparam}": "var-job=a.b&var-job=c%7Cd",
    "[[job:csv]]": "a.b,c|d",
    "$jobs": "$jobs",
}


@pytest.mark.parametrize("text", FORMS)
def test_forms_of_a_variable(text: str) -> None:
    assert view(JOBS, chosen={"job": ["a.b", "c|d"]}).filled(text) == FORMS[text]


# A variable, and what `$v` then is.
KINDS: dict[str, tuple[Json, str]] = {
    "label values of a metric": (query("v", "label_values(up, job)"), "a.b"),
    "label values": (query("v", "label_values(queue)"), "low"),
    "label values in the newer form": (
        {"name": "v", "type": "query", "query": {"query": "label_values(up, job)", "refId": "A"}},
        "a.b",
    ),
    "nothing is offered": (query("v", "label_values(gone, job)"), ""),
    "nothing is offered, of several": (query("v", "label_values(gone, job)", multi=True), ""),
    "label names": (query("v", "label_names()"), "__name__"),
    "metrics": (query("v", "metrics(^t)"), "tasks"),
    "a query's result": (
        query("v", "query_result(up)", regex='/job="([^"]+)"/'),
        "a.b",
    ),
    "only those that fit": (query("v", "label_values(up, job)", regex="/^c/"), "c|d"),
    "a named group": (query("v", "label_values(up, job)", regex="/(?<value>b)$/"), "b"),
    "backwards": (query("v", "label_values(up, job)", sort=2), "c|d"),
    "one of several": (query("v", "label_values(up, job)", multi=True), r"a\\.b"),
    "all of them": (query("v", "label_values(up, job)", includeAll=True), r"(a\\.b|c\\|d)"),
    "all, in the author's words": (
        query("v", "label_values(up, job)", includeAll=True, allValue=".+"),
        ".+",
    ),
    "what was saved": (query("v", "label_values(up, job)", current={"value": "c|d"}), "c|d"),
    "what was saved and is gone": (query("v", "label_values(up, job)", current={"value": "x"}), "a.b"),
    "one's own list": ({"name": "v", "type": "custom", "query": "a\\,b, Shown : c"}, "a,b"),
    "an interval": ({"name": "v", "type": "interval", "query": "5m,1h"}, "5m"),
    "a text": ({"name": "v", "type": "textbox", "query": "typed"}, "typed"),
    "a constant": ({"name": "v", "type": "constant", "query": "fixed"}, "fixed"),
    "a data source": ({"name": "v", "type": "datasource", "query": "prometheus"}, "prometheus"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_variables(name: str) -> None:
    variable, wanted = KINDS[name]
    assert view(variable).filled("$v") == wanted


def test_a_variable_may_need_another_one_that_comes_later() -> None:
    seen = view(query("instance", 'label_values(up{job="$job"}, instance)'),
                query("job", "label_values(up, job)"), chosen={"job": ["c|d"]})  # fmt: skip
    assert seen.filled("$instance") == "two"


def test_variables_that_need_each_other_end() -> None:
    seen = view(query("a", "label_values($b, job)"), query("b", "label_values($a, job)"))
    assert seen.filled("$a|$b") == "|"


def test_what_a_visitor_chose_stands() -> None:
    assert view(JOBS, chosen={"job": ["new"]}).filled("$job") == "new"


OLD_AND_NEW: dict[str, Json] = {
    "today's": {"panels": [{"title": "P", "targets": [{"expr": "up"}]}]},
    "from the API": {"dashboard": {"panels": [{"title": "P", "targets": [{"expr": "up"}]}]}},
    "rows of old": {"rows": [{"panels": [{"title": "P", "targets": [{"expr": "up"}]}]}]},
    "in a collapsed row": {
        "panels": [{"type": "row", "panels": [{"title": "P", "targets": [{"expr": "up"}]}]}]
    },
    "of a library": {
        "panels": [{"title": "P", "libraryPanel": {"model": {"targets": [{"expr": "up"}]}}}]
    },
    "with a data source by its name": {
        "panels": [{"title": "P", "datasource": "Prometheus", "targets": [{"expr": "up"}]}]
    },
    "with mixed data sources": {
        "panels": [
            {
                "title": "P",
                "datasource": {"type": "datasource", "uid": "-- Mixed --"},
                "targets": [
                    {"expr": "up", "datasource": {"type": "prometheus", "uid": "x"}},
                    {"expr": "{app=~'x'}", "datasource": {"type": "loki", "uid": "y"}},
                ],
            }
        ]
    },
    "with a hidden and an empty query": {
        "panels": [
            {"title": "P", "targets": [{"expr": "up"}, {"expr": "x", "hide": True}, {"expr": ""}]}
        ]
    },
}


@pytest.mark.parametrize("name", OLD_AND_NEW)
def test_queries_are_found_in_all_forms_of_dashboards(name: str) -> None:
    board = unwrapped(OLD_AND_NEW[name])
    found = [(panel["title"], t.ref, t.expr) for panel in panels(board) for t in targets(panel)]
    assert found == [("P", "A", "up")]


@pytest.mark.parametrize(
    ("target", "instant"),
    [
        ({"expr": "up"}, False),
        ({"expr": "up", "range": True}, False),
        ({"expr": "up", "instant": True}, True),
        ({"expr": "up", "instant": True, "range": False}, True),
        ({"expr": "up", "instant": True, "range": True}, False),
    ],
)
def test_instant_queries(target: Json, instant: bool) -> None:
    (found,) = targets({"targets": [target]})
    assert found.instant is instant


def test_not_a_number_is_no_data() -> None:
    (answer,) = view(panels=[{"title": "P", "targets": [{"expr": "x"}]}]).answers()
    assert (answer.series, answer.values) == (1, 1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15), ("1m30s", 90), (">10s", 10), ("500ms", 0.5), ("", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    assert not text or seconds_of(duration_of(seconds)) == seconds


EXPRESSIONS = {
    "up": {"up"},
    "sum by (job) (rate(a_total{job=~\"$job\"}[5m] offset 1w))": {"a_total"},
    "a / on (x, y) group_left (z) b and c unless d or vector(0)": {"a", "b", "c", "d"},
    "histogram_quantile(0.95, sum(rate(x_bucket[$__rate_interval])) by (le, job))": {"x_bucket"},
    'label_replace(up, "name", "$1 or gone", "job", "(.*)")': {"up"},
    "job:a:rate5m > bool 1e3 and inf": {"job:a:rate5m"},
    "time() - max(t) > 5": {"t"},
    "sum (\n increase (\n a {\n x='y'\n }[1w] )\n ) by (name)": {"a"},
}  # fmt: skip


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_metrics_of_an_expression(expr: str) -> None:
    assert metrics_of(expr) == EXPRESSIONS[expr]
