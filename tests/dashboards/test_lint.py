"""Rules for our dashboards: those of Grafana's dashboard-linter, and some of our own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import yaml

from celeryscope import dashboards
from celeryscope.metrics.catalog import METRICS, Metric
from celeryscope.model import query
from dashboards import parts
from dashboards.boards import BOARDS as GENERATED
from dashboards.boards import as_json
from tests.dashboards.conftest import check_expressions, metrics_of
from tests.grafana import Json, View, panels, targets

BOARDS: dict[str, Json] = {
    name: json.loads(content) for name, content in dashboards.builtin().items()
}
UIDS = {
    "flower.json": "celeryscope-flower",
    "overview.json": "celeryscope-overview",
    "queues.json": "celeryscope-queues",
    "self.json": "celeryscope-self",
    "task.json": "celeryscope-task",
    "tasks.json": "celeryscope-tasks",
    "workers.json": "celeryscope-workers",
}
PAGES = {
    "flower.json": ["worker", "task"],
    "overview.json": [],
    "queues.json": ["queue"],
    "self.json": [],
    "task.json": ["task", "queue"],
    "tasks.json": ["queue"],
    "workers.json": ["worker"],
}
# Grafana's ids of units that we use.
UNITS = {"bytes", "cps", "eps", "percentunit", "s", "short"}
# What Prometheus itself adds to each target, and what its rules make.
OF_PROMETHEUS = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS"}


def names_of(metric: Metric) -> list[str]:
    ends = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
    return [metric.name + end for end in ends]


OWN = {name for metric in METRICS if metric.set == "own" for name in names_of(metric)}
FLOWER = {name for metric in METRICS if metric.set == "flower" for name in names_of(metric)}

each_board = pytest.mark.parametrize("name", BOARDS)


def exprs(board: Json) -> list[str]:
    return [target.expr for panel in panels(board) for target in targets(panel)]


def variables(board: Json) -> dict[str, Json]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def everything(value: Any) -> Iterator[Json]:
    """Every object within."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from everything(item)


def links(board: Json) -> list[str]:
    """The address of every link, to the console or to a dashboard."""
    return [thing["url"] for thing in everything(board) if thing.get("url")]


class NoPrometheus:
    """For filling in macros: nothing is known to it."""

    def query(self, expr: str, *, time: float) -> list[Json]:
        return []

    def query_range(self, expr: str, *, start: float, end: float, step: float) -> list[Json]:
        return []

    def series(self, match: str, *, start: float, end: float) -> list[dict[str, str]]:
        return []

    def label_values(self, label: str, *, start: float, end: float) -> list[str]:
        return []

    def label_names(self, *, start: float, end: float) -> list[str]:
        return []


def filled(board: Json, text: str) -> str:
    view = View(board, NoPrometheus(), start=0, end=3600, scrape_seconds=15)
    return view.filled(text)


# ------------------------------------------------------------------ the files


@each_board
def test_what_is_committed_is_what_the_generator_writes(name: str) -> None:
    assert dashboards.builtin()[name] == as_json(GENERATED[name]), "run: python -m dashboards"


def test_no_dashboard_is_missing_or_left_over() -> None:
    assert list(dashboards.builtin()) == sorted(GENERATED) == sorted(UIDS)


def test_the_rules_come_as_yaml_by_their_names() -> None:
    assert list(dashboards.rules()) == ["alerts.yml", "recording.yml"]
    for content in dashboards.rules().values():
        assert yaml.safe_load(content)["groups"]


def test_the_generator_writes_the_same_bytes_again() -> None:
    assert {name: as_json(json.loads(as_json(board))) for name, board in GENERATED.items()} == {
        name: as_json(board) for name, board in GENERATED.items()
    }


@each_board
def test_it_can_be_provisioned_as_it_is(name: str) -> None:
    board = BOARDS[name]
    assert board["uid"] == UIDS[name]
    assert 39 <= board["schemaVersion"] <= 41
    assert board["id"] is None
    assert not board["editable"]
    assert board["tags"] == ["celery", "celeryscope"]
    assert "__inputs" not in board
    assert "__requires" not in board
    assert board["title"]
    assert board["description"]
    assert board["refresh"] == "30s"
    assert board["graphTooltip"] == 1


# ------------------------------------------------------------------ variables


@each_board
def test_the_variables_are_those_that_links_rely_on(name: str) -> None:
    hidden = [] if name == "flower.json" else ["console"]
    assert list(variables(BOARDS[name])) == ["datasource", "job", *PAGES[name], *hidden]


@each_board
def test_the_data_source_is_a_variable_and_everything_uses_it(name: str) -> None:
    board = BOARDS[name]
    datasource = variables(board)["datasource"]
    assert (datasource["type"], datasource["query"]) == ("datasource", "prometheus")
    assert datasource["label"] == "Data source"
    for thing in everything(board):
        if "datasource" in thing:
            assert thing["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@each_board
def test_query_variables_follow_the_time_range_and_have_a_label(name: str) -> None:
    for variable in variables(BOARDS[name]).values():
        assert variable["label"]
        if variable["type"] == "query":
            assert variable["refresh"] == 2
            assert variable["query"]["query"] == variable["definition"]


@each_board
def test_several_jobs_can_be_chosen_and_all_stands_for_those_there_are(name: str) -> None:
    # dashboard-linter wants `.+` for All. Then `up` and `process_*` of everything else that
    # Prometheus scrapes would be taken for ours.
    job = variables(BOARDS[name])["job"]
    assert "allValue" not in job
    # Flower and Celeryscope on one broker count the same: their sum would be double.
    assert job["multi"] == job["includeAll"] == (name != "flower.json")


def test_red_is_where_the_alert_fires() -> None:
    alerts = dashboards.rules()["alerts.yml"].decode()
    for alert, steps in (
        ("CeleryscopeFailureRatioHigh", parts.FAILURES["steps"]),
        ("CeleryscopeOldestWaitingTooOld", parts.LATE["steps"]),
    ):
        (limit,) = re.findall(
            rf"alert: {alert}\n(?:.*\n)*?.*[)\w] > ([\d.]+)$", alerts, re.MULTILINE
        )[:1]
        assert steps[-1] == {"color": "red", "value": float(limit)}, alert


def test_one_task_is_one() -> None:
    task = variables(BOARDS["task.json"])["task"]
    assert not task["multi"]
    assert not task["includeAll"]


# ------------------------------------------------------------------ panels


@each_board
def test_every_panel_says_what_it_is(name: str) -> None:
    for panel in panels(BOARDS[name]):
        assert panel["title"]
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


@each_board
def test_units_of_columns_are_known(name: str) -> None:
    units = {thing["value"] for thing in everything(BOARDS[name]) if thing.get("id") == "unit"} | {
        panel["fieldConfig"]["defaults"]["unit"] for panel in panels(BOARDS[name])
    }
    assert units <= UNITS


@each_board
def test_ids_and_ref_ids_are_explicit_and_unique(name: str) -> None:
    ids = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert len(ids) == len(set(ids))
    assert all(isinstance(number, int) for number in ids)
    for panel in panels(BOARDS[name]):
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))
        assert all(refs)


@each_board
def test_titles_are_unique_on_a_row(name: str) -> None:
    row, seen = "", set()
    for panel in BOARDS[name]["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        assert (row, panel["title"]) not in seen
        seen.add((row, panel["title"]))


@each_board
def test_panels_lie_within_the_grid_and_not_on_each_other(name: str) -> None:
    places = [panel["gridPos"] for panel in BOARDS[name]["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["w"] > 0
        assert place["h"] > 0
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@each_board
def test_lines_of_panels_fill_the_width(name: str) -> None:
    widths: dict[int, int] = {}
    for panel in BOARDS[name]["panels"]:
        widths[panel["gridPos"]["y"]] = widths.get(panel["gridPos"]["y"], 0) + panel["gridPos"]["w"]
    assert set(widths.values()) == {24}


@each_board
def test_an_outcome_has_the_same_colour_everywhere_and_not_only_a_colour(name: str) -> None:
    wanted = {"task-succeeded": "green", "task-failed": "red", "task-retried": "orange"}
    for panel in panels(BOARDS[name]):
        for override in panel["fieldConfig"]["overrides"]:
            outcome = override["matcher"]["options"]
            properties = {each["id"]: each["value"] for each in override["properties"]}
            if outcome in wanted:
                assert properties["color"]["fixedColor"] == wanted[outcome]
                if outcome != "task-succeeded":
                    assert properties["custom.lineStyle"]["fill"] in ("dash", "dot")


# ------------------------------------------------------------------ queries


@each_board
def test_prometheus_understands_every_query(name: str, promtool: str, tmp_path: Path) -> None:
    board = BOARDS[name]
    asked = [filled(board, expr) for expr in exprs(board)]
    asked += [filled(board, each["expr"]) for each in board["annotations"]["list"]]
    assert check_expressions(promtool, tmp_path, asked) == ""


@each_board
def test_rates_are_over_the_rate_interval_and_counts_over_the_range_shown(name: str) -> None:
    for panel in panels(BOARDS[name]):
        for target in targets(panel):
            windows = set(re.findall(r"\[([^\]]*)\]", target.expr))
            # A table may have what happens now beside the counts of the whole range.
            allowed = {"$__range", "$__rate_interval"} if target.instant else {"$__rate_interval"}
            assert windows <= allowed, (panel["title"], target.expr)


@each_board
def test_every_selector_asks_for_the_job(name: str) -> None:
    for expr in exprs(BOARDS[name]):
        selectors = re.findall(r"[a-zA-Z_:][\w:]*\{([^{}]*)\}", expr)
        assert len(selectors) >= len(metrics_of(expr))
        for matchers in selectors:
            assert 'job=~"$job"' in matchers, expr


@each_board
def test_its_metrics_exist(name: str) -> None:
    known = FLOWER if name == "flower.json" else OWN | OF_PROMETHEUS
    used = {metric for expr in exprs(BOARDS[name]) for metric in metrics_of(expr)}
    used |= {
        metric
        for variable in variables(BOARDS[name]).values()
        if variable["type"] == "query"
        for metric in metrics_of(variable["definition"].split("(")[1].split(",")[0])
    }
    assert used - known == set()


def test_every_metric_of_ours_is_on_some_dashboard() -> None:
    shown = {
        metric
        for name, board in BOARDS.items()
        for expr in [*exprs(board), *(v.get("definition", "") for v in variables(board).values())]
        for metric in re.findall(r"\w+", expr)
    }
    missing = {
        metric.name
        for metric in METRICS
        if metric.set == "own" and not shown & set(names_of(metric))
    }
    assert missing <= {
        "celeryscope_messages_dropped_bytes_total",  # beside the number of messages
        "process_virtual_memory_bytes",  # says nothing
    }


# ------------------------------------------------------------------ links


@each_board
def test_links_lead_to_the_console_or_to_a_dashboard_of_ours(name: str) -> None:
    for url in links(BOARDS[name]):
        if url.startswith("/d/"):
            uid = re.split(r"[/?]", url)[2]
            assert uid in UIDS.values(), url
        else:
            assert url == "${console}" or url.startswith("${console}/"), url


@each_board
def test_links_to_a_dashboard_keep_time_and_choice(name: str) -> None:
    for url in links(BOARDS[name]):
        if url.startswith("/d/"):
            assert "${__url_time_range}" in url
            assert "${job:queryparam}" in url
            assert "${datasource:queryparam}" in url
            uid = re.split(r"[/?]", url)[2]
            target = next(board for board in BOARDS.values() if board["uid"] == uid)
            assert set(re.findall(r"[?&]var-(\w+)=", url)) <= variables(target).keys(), url


@each_board
def test_names_in_links_are_encoded(name: str) -> None:
    for url in links(BOARDS[name]):
        for used in re.findall(r"\$\{(__field|__data|task)([^}]*)\}", url):
            assert used[1].endswith(":percentencode"), url


@each_board
def test_links_use_labels_that_their_query_keeps(name: str) -> None:
    for panel in panels(BOARDS[name]):
        told = json.dumps(panel["fieldConfig"])
        wanted = set(re.findall(r"\$\{__(?:field\.labels|data\.fields)\.(\w+)", told))
        for target in targets(panel):
            kept = {
                label.strip()
                for labels in re.findall(r"\bby \(([^)]*)\)", target.expr)
                for label in labels.split(",")
            }
            is_whole = target.expr.startswith("ALERTS{")
            assert is_whole or wanted <= kept, (panel["title"], wanted - kept)


@each_board
def test_queries_to_the_console_are_in_its_language(name: str) -> None:
    # Names as projects have them, and some that only a nasty one has.
    for said in ("app.bill", "Task (old) & co", "50%+", "näh: [x], *"):
        for url in links(BOARDS[name]):
            if "/tasks?query=" not in url:
                continue
            asked = arriving(url, said)
            assert "$" not in asked, url
            names = {
                value
                for term in terms(query.parse(asked))
                if isinstance(term, query.Match) and term.key in ("name", "queue", "worker")
                for value in term.values
            }
            assert names <= {(said,)}, url


def arriving(url: str, said: str) -> str:
    """The query that reaches the console after a click, with `said` for every name."""
    url = url.replace("${console}", "http://console.example")
    url = re.sub(r"\$\{__(?:from|to):date:iso\}", "2026-11-23T03:00:00.000Z", url)
    url = re.sub(r"\$\{[^}]*:percentencode\}", quote(said, safe=""), url)
    return parse_qs(urlsplit(url).query, strict_parsing=True)["query"][0]


def terms(asked: query.Query) -> list[Any]:
    return list(asked.terms) if isinstance(asked, query.And) else [asked]


@each_board
def test_there_is_a_way_to_all_other_dashboards_and_to_the_console(name: str) -> None:
    ways = BOARDS[name]["links"]
    tagged = next(way for way in ways if way["type"] == "dashboards")
    assert tagged["tags"] == ["celeryscope"]
    assert tagged["keepTime"]
    # A job of Flower's is none of the other dashboards.
    assert tagged["includeVars"] == (name != "flower.json")
    assert (name == "flower.json") != ("${console}" in [way["url"] for way in ways])


def test_columns_of_tables_have_a_query() -> None:
    for name, board in BOARDS.items():
        for panel in panels(board):
            if panel["type"] != "table":
                continue
            (organize,) = (t for t in panel["transformations"] if t["id"] == "organize")
            columns = organize["options"]["renameByName"]
            refs = [target.ref for target in targets(panel)]
            made = {f"Value #{ref}" for ref in refs} if len(refs) > 1 else {"Value"}
            figures = {column for column in columns if column.startswith("Value")}
            hidden = set(organize["options"]["excludeByName"])
            assert figures | (hidden & made) == made, (name, panel["title"])
            assert {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]} == set(
                columns.values()
            )
            assert panel["options"]["sortBy"][0]["displayName"] in columns.values()
