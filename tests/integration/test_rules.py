"""Our Prometheus rules: promtool runs their unit tests, and we walk them, their runbooks and docs.

The unit tests are in `tests/rules/`, one file a topic, in promtool's own format.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from celeryscope.dashboards import rules
from celeryscope.metrics.catalog import METRICS
from celeryscope.model import query
from tests.conftest import REPOSITORY, need_binary

DOCS = REPOSITORY / "docs"
DOCS_URL = "https://github.com/celeryscope/celeryscope/blob/main/docs/"
RUNBOOKS = DOCS / "runbooks.md"
ALERT_PAGE = DOCS / "how-to" / "alert.md"
UNIT_TESTS = sorted((REPOSITORY / "tests" / "rules").glob("*.yml"))

GROUPS: list[dict[str, Any]] = [
    group for text in rules().values() for group in yaml.safe_load(text)["groups"]
]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
OWN = {metric.name: metric for metric in METRICS if metric.set == "own"}

CASES: list[dict[str, Any]] = [
    case
    for path in UNIT_TESTS
    for test in yaml.safe_load(path.read_text())["tests"]
    for case in test.get("alert_rule_test", ())
]
EXPECTED: list[tuple[str, dict[str, Any]]] = [
    (case["alertname"], alert) for case in CASES for alert in case["exp_alerts"]
]

# ------------------------------------------------------------------------- PromQL, roughly

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NOT_METRICS = re.compile(r"\{[^}]*\}|\[[^]]*\]|#[^\n]*")
_LABEL_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NUMBERS = re.compile(r"\b\d\w*(?:\.\d+)?")
_NAME = re.compile(r"[A-Za-z_:][\w:]*(?!\s*\()\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "offset", "bool", "max", "min", "sum", "count", "avg"}


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics an expression reads."""
    text = expression
    for pattern in (_QUOTED, _NOT_METRICS, _LABEL_LISTS, _NUMBERS):
        text = pattern.sub(" ", text)
    return set(_NAME.findall(text)) - _WORDS


def series_of_ours() -> set[str]:
    """Return every name under which our own set's metrics have samples."""
    names = {"up"}
    for metric in OWN.values():
        names.add(metric.name)
        if metric.kind == "histogram":
            names.update(f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))
    return names


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum without (instance) (rate(a_total{b="c{"}[5m])) > 3', {"a_total"}),
        ("l:m:rate5m / on (job) n offset 1h or up == 0", {"l:m:rate5m", "n", "up"}),
        ("max_over_time(a[1w:1h] offset 1h) >= 2 unless on () b # c", {"a", "b"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression: str, names: set[str]) -> None:
    assert metrics_in(expression) == names


# -------------------------------------------------------------------------------- promtool


@pytest.fixture(scope="module")
def promtool() -> str:
    return need_binary("promtool", debian="prometheus")


def run(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules(promtool: str, tmp_path: Path) -> None:
    for name, text in rules().items():
        (tmp_path / name).write_bytes(text)
    run(promtool, "check", "rules", "--lint-fatal", *sorted(tmp_path.glob("*.yml")))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_unit_tests(promtool: str, path: Path) -> None:
    run(promtool, "test", "rules", path.name, cwd=path.parent)


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_unit_tests_evaluate_the_groups_in_the_order_in_which_they_read_each_other(
    path: Path,
) -> None:
    # Without it promtool takes them in any order, and an alert may miss what was just recorded.
    told = yaml.safe_load(path.read_text())["group_eval_order"]
    assert told == [
        group["name"]
        for name in ("record", "alert")
        for group in GROUPS
        if name in group["rules"][0]
    ]


# ------------------------------------------------------------------------------ the alerts


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    seen: Counter[str] = Counter()
    found = set()
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def test_the_alerts_are_those_we_promise() -> None:
    assert set(ALERTS) == {
        "CeleryscopeWorkerDown",
        "CeleryscopeQueueGrowing",
        "CeleryscopeQueueWithoutWorkers",
        "CeleryscopeOldestWaitingTooOld",
        "CeleryscopeFailureRatioHigh",
        "CeleryscopeFailureRatioAboveItsWeek",
        "CeleryscopeNewException",
        "CeleryscopeRuntimeAboveItsPast",
        "CeleryscopeNothingSucceeds",
        "CeleryscopeEventsLost",
        "CeleryscopeBrokerUnreachable",
        "CeleryscopeHistoryNotWritten",
        "CeleryscopeConsoleDown",
    }


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_look(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    notes = alert["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url", "console_url"}
    assert all(note.strip() for note in notes.values())
    assert "celeryscope_console_info" in notes["console_url"]


@pytest.mark.parametrize("name", ALERTS)
def test_the_runbook_of_an_alert_is_there(name: str) -> None:
    url = ALERTS[name]["annotations"]["runbook_url"]
    assert url == f"{DOCS_URL}runbooks.md#{name.lower()}"
    assert name.lower() in anchors(RUNBOOKS)


def test_the_runbooks_and_the_page_tell_of_each_alert_and_of_no_other() -> None:
    told = re.findall(r"^## (.+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(ALERTS)
    table = re.findall(r"^\| \[(\w+)\].*?\| (\w+) \|", ALERT_PAGE.read_text(), re.MULTILINE)
    assert dict(table) == {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_unit_test_that_fires_it_and_one_that_does_not(name: str) -> None:
    expected = [len(case["exp_alerts"]) for case in CASES if case["alertname"] == name]
    assert any(expected)
    assert not all(expected)


@pytest.mark.parametrize("name", ["CeleryscopeWorkerDown", "CeleryscopeNewException"])
def test_a_unit_test_sees_it_resolve(name: str) -> None:
    for path in UNIT_TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            seen = [
                bool(case["exp_alerts"])
                for case in test.get("alert_rule_test", ())
                if case["alertname"] == name
            ]
            if [fires for at, fires in enumerate(seen) if at == 0 or fires != seen[at - 1]] == [
                False,
                True,
                False,
            ]:
                return
    pytest.fail("no unit test of it is quiet, then fires, then is quiet again")


def test_each_kind_of_link_is_seen_in_a_unit_test() -> None:
    fallback = f"{DOCS_URL}how-to/alert.md#links-to-the-console"
    assert fallback.partition("#")[2] in anchors(ALERT_PAGE)
    links = {name: set[str]() for name in ALERTS}
    for name, alert in EXPECTED:
        links[name].add(alert["exp_annotations"]["console_url"])
    for name, urls in links.items():
        assert urls - {fallback}, f"no unit test of {name} sees its link"
    assert any(fallback in urls for urls in links.values())


@pytest.mark.parametrize(
    "url",
    sorted(
        url
        for url in {alert["exp_annotations"]["console_url"] for _, alert in EXPECTED}
        if not url.startswith(DOCS_URL)
    ),
)
def test_a_link_to_the_console_is_an_address_of_the_page(url: str) -> None:
    assert url.isascii()
    assert " " not in url
    parts = urlsplit(url)
    path = re.sub(r"^/celery/", "/", parts.path)  # the prefix of one of the consoles
    assert re.fullmatch(r"/|/tasks|/queues|/workers|/workers/[^/]+", path), path
    fields = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    assert set(fields) <= {"/tasks": {"query", "sort"}, "/queues": {"queue"}}.get(path, set())
    for text in fields.get("query", ()):
        query.parse(text)


def test_odd_names_in_a_link_come_out_as_they_went_in() -> None:
    """The words of the query and of the path are those of the alert's labels."""
    checked = set()
    for name, alert in EXPECTED:
        labels, url = alert["exp_labels"], urlsplit(alert["exp_annotations"]["console_url"])
        if url.path.endswith("alert.md"):
            continue
        fields = parse_qs(url.query)
        if "/workers/" in url.path:
            assert unquote(url.path.rpartition("/")[2]) == labels["worker"]
            checked.add(name)
        elif "queue" in fields:
            assert fields["queue"] == [labels["queue"]]
            checked.add(name)
        elif "query" in fields:
            parsed = query.split(query.parse(fields["query"][0]))
            for key, label in (("name", "task"), ("queue", "queue"), ("exception", "exception")):
                if key in parsed:
                    match = parsed[key]
                    assert isinstance(match, query.Match)
                    assert match.values == ((labels[label],),)
                    checked.add(name)
    assert checked == set(ALERTS) - {
        "CeleryscopeEventsLost",
        "CeleryscopeBrokerUnreachable",
        "CeleryscopeHistoryNotWritten",
        "CeleryscopeConsoleDown",
    }


# -------------------------------------------------------------------------- what they read


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_reads_our_own_metrics_and_what_we_record(rule: dict[str, Any]) -> None:
    names = metrics_in(rule["expr"])
    assert names
    assert names <= series_of_ours() | RECORDED


def test_what_is_recorded_is_used() -> None:
    used = set().union(*(metrics_in(rule["expr"]) for rule in RULES))
    assert used >= RECORDED


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_recorded_name_says_level_metric_and_operations(name: str) -> None:
    level, metric, operations = name.split(":")
    labels = {"queue", "task", "type", "exception"}
    assert set(level.split("_")) <= labels
    assert re.fullmatch(r"celeryscope_[a-z]+(_[a-z]+)*", metric)
    assert not metric.endswith("_total")  # what operations leave is no counter
    assert re.fullmatch(r"max|(mean|increase|ratio_increase)\d+[mhw]", operations)


def test_groups_are_evaluated_often_enough_for_their_series_to_last() -> None:
    seconds = {"15s": 15, "30s": 30, "2m": 120}
    for group in GROUPS:
        assert seconds[group["interval"]] < 300
        if any("alert" in rule for rule in group["rules"]):
            assert seconds[group["interval"]] <= 30


# ------------------------------------------------------------------------------ the page

PAGE_EXPRESSIONS = re.findall(
    r"^```promql\n(.*?)^```$", ALERT_PAGE.read_text(), re.MULTILINE | re.DOTALL
)


def test_the_page_lists_each_of_our_own_metrics() -> None:
    rows = [line for line in ALERT_PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert set(OWN) - listed == set()


def test_promtool_accepts_each_expression_of_the_page(promtool: str, tmp_path: Path) -> None:
    assert len(PAGE_EXPRESSIONS) > 15
    group = {
        "name": "page",
        "rules": [
            {"record": f"page:{number}", "expr": expression}
            for number, expression in enumerate(PAGE_EXPRESSIONS)
        ],
    }
    path = tmp_path / "page.yml"
    path.write_text(yaml.safe_dump({"groups": [group]}))
    run(promtool, "check", "rules", path)


@pytest.mark.parametrize(
    "expression", PAGE_EXPRESSIONS, ids=lambda text: " ".join(text.split())[:50]
)
def test_an_expression_of_the_page_reads_our_own_metrics(expression: str) -> None:
    names = metrics_in(expression)
    assert names
    assert names <= series_of_ours()


# What the samples of a console in trouble look like, five hours long, by metric and labels; a
# counter or histogram that is not here grows, a gauge stays at 1.
TROUBLE = {
    "celeryscope_queue_messages": "9000-10x300",
    "celeryscope_queue_oldest_waiting_seconds": "8000x300",
    "celeryscope_worker_online": "0x300",
    "celeryscope_worker_lost_events_total": "0x300",
    "celeryscope_worker_clock_skew_seconds": "-9x300",
    "celeryscope_ingest_lag_seconds": "90x300",
    "celeryscope_task_wait_seconds_bucket": "0+3x300",  # of ten
    "up": "0x300",
}
LABEL_VALUES = {
    "queue": ("emails", "reports"),
    "task": ("app.bill", "app.nightly"),
    "type": ("task-started", "task-succeeded", "task-failed", "task-retried"),
    "status": ("online", "offline"),
    "kind": ("finished", "live"),
    "worker": ("celery@web1", "celery@web2"),
    "le": ("60", "+Inf"),
}


def console_in_trouble() -> list[dict[str, str]]:
    """Return promtool's input series of every one of our metrics, from two consoles."""
    series = [{"series": 'up{job="celeryscope"}', "values": TROUBLE["up"]}]
    for metric in OWN.values():
        parts: dict[str, tuple[str, ...]] = {metric.name: metric.labels}
        if metric.kind == "histogram":
            parts = {f"{metric.name}_{part}": metric.labels for part in ("sum", "count")}
            parts[f"{metric.name}_bucket"] = (*metric.labels, "le")
        grows = metric.kind in {"counter", "histogram"}
        for name, labels in parts.items():
            values = TROUBLE.get(name, "0+10x300" if grows else "1x300")
            for chosen in itertools.product(*(LABEL_VALUES.get(label, ("x",)) for label in labels)):
                for instance in ("a:5555", "b:5555"):
                    pairs = {"job": "celeryscope", "instance": instance}
                    pairs |= dict(zip(labels, chosen, strict=True))
                    told = ",".join(f'{label}="{value}"' for label, value in pairs.items())
                    stands = "app.nightly" in chosen and "task-succeeded" in chosen
                    series.append(
                        {"series": f"{name}{{{told}}}", "values": "4x1800" if stands else values}
                    )
    return series


def test_each_expression_of_the_page_finds_what_it_looks_for(promtool: str, tmp_path: Path) -> None:
    expected = [{"labels": "{}", "value": 1}]
    cases = [
        {
            "expr": f"count({expression}) > bool 0",
            # The nightly task has been there for a day, and succeeded no more.
            "eval_time": "29h" if "nightly" in expression else "4h",
            "exp_samples": expected,
        }
        for expression in PAGE_EXPRESSIONS
    ]
    test = {"interval": "1m", "input_series": console_in_trouble(), "promql_expr_test": cases}
    path = tmp_path / "page.yml"
    path.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    run(promtool, "test", "rules", path)


@pytest.mark.parametrize("page", [RUNBOOKS, ALERT_PAGE], ids=lambda page: page.stem)
def test_the_links_of_the_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link
