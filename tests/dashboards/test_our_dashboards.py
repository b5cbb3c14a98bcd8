"""Our dashboards over a real Prometheus: every query of every panel has an answer."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from celeryscope import dashboards
from tests.dashboards.conftest import TASK, Scraped
from tests.grafana import Answer, View, panels, targets

BOARDS = dashboards.builtin()

# What a demo on Valkey cannot have, with the reason.
EMPTY = {
    ("queues.json", "Consumers and workers", "B"): "only RabbitMQ counts consumers",
}
# What is counted when something rare happens, and what brings it about is not the demo's.
CHOSEN = {"task.json": {"task": [TASK]}}


def shown(name: str, scraped: Scraped) -> View:
    start, end = scraped.range
    return View(
        json.loads(BOARDS[name]),
        scraped.prometheus,
        start=start,
        end=end,
        scrape_seconds=scraped.scrape_seconds,
        chosen=CHOSEN.get(name),
    )


def said(answer: Answer) -> str:
    return f"{answer.panel['title']} {answer.target.ref}: {answer.error or answer.expr}"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BOARDS)
def test_every_query_of_every_panel_has_data(name: str, scraped: Scraped) -> None:
    answers = list(shown(name, scraped).answers())
    empty = {
        (name, answer.panel["title"], answer.target.ref): said(answer)
        for answer in answers
        if not answer.values
    }
    surprising = {key: told for key, told in empty.items() if key not in EMPTY}
    assert not surprising, "\n".join(surprising.values())
    expected = {key for key in EMPTY if key[0] == name}
    assert expected <= empty.keys(), "it has data now: take it out of EMPTY"


def followed(view: View, scraped: Scraped) -> Iterator[tuple[str, str, int]]:
    """Click every link to the console's tasks, on every row: panel, address, tasks found there."""
    for panel in panels(view.board):
        urls = re.findall(r'"\$\{console\}/tasks\?([^"]+)"', json.dumps(panel["fieldConfig"]))
        rows = [row for target in targets(panel) for row in rows_of(view, target.expr)]
        for url in set(urls):
            used = set(re.findall(r"\$\{__(?:field\.labels|data\.fields)\.(\w+)", url))
            paths = {with_labels(url, row) for row in rows if used <= row.keys()}
            found = [tasks_at(scraped, view.filled(path)) for path in paths]
            yield panel["title"], url, sum(found)


def with_labels(url: str, labels: dict[str, str]) -> str:
    """Fill in the labels of the series, or the columns of the row, that was clicked."""
    for name, value in labels.items():
        for place in ("__field.labels", "__data.fields"):
            url = url.replace(f"${{{place}.{name}:percentencode}}", quote(value, safe=""))
    return url


def tasks_at(scraped: Scraped, path: str) -> int:
    with urllib.request.urlopen(f"{scraped.console_url}api/v1/tasks?{path}", timeout=10) as answer:
        return len(json.load(answer)["tasks"])


def rows_of(view: View, expr: str) -> list[dict[str, str]]:
    return [row["metric"] for row in view.source.query(view.filled(expr), time=view.end)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name", [name for name in BOARDS if name not in ("self.json", "flower.json")]
)
def test_a_click_leads_to_the_tasks_it_promises(name: str, scraped: Scraped) -> None:
    view = shown(name, scraped)
    (console,) = view.variables["console"].values
    assert f"{console}/" == scraped.console_url
    clicked = list(followed(view, scraped))
    assert clicked
    for title, url, tasks in clicked:
        # What waits or runs now may be none, and what was revoked may be forgotten.
        if "state:failure" in url or "state:success" in url or "retries:" in url or "sort=" in url:
            assert tasks, (title, url)
