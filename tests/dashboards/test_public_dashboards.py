"""Public dashboards for Flower and for celery-exporter, as they are, over our /metrics.

The files are other people's and not in this repository: they lie beside it. What they show is
written into docs/reference/dashboards.md: `WRITE_DOCS=1 pytest tests/dashboards`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from celeryscope import dashboards
from celeryscope.metrics.catalog import METRICS
from tests.conftest import REPOSITORY
from tests.dashboards.conftest import TASK, Scraped, metrics_of
from tests.grafana import Answer, Json, View, panels, targets, unwrapped

FOLDER = REPOSITORY.parent / "shared" / "reference" / "dashboards"
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
PAGE = REPOSITORY / "docs" / "reference" / "dashboards.md"

KNOWN = {
    metric.name + end
    for metric in METRICS
    if metric.set in ("flower", "celery")
    for end in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
}
# Where only one can be chosen, and the first would be one with which nothing ever goes wrong.
CHOSEN = {"task": [TASK], "queue_name": ["checkout"]}
# A panel of known metrics that is rightly empty: (file, panel) -> why.
REASONS: dict[tuple[str, str], str] = {}


class Shown(NamedTuple):
    """What came of one panel."""

    panel: Json
    known: bool  # it asks for metrics of Flower's and celery-exporter's sets alone, at least once
    values: int
    strangers: frozenset[str]  # metrics that neither of them has
    asked: str


class Judged(NamedTuple):
    """What came of one dashboard."""

    name: str
    panels: list[Shown]

    @property
    def with_data(self) -> int:
        return sum(panel.values > 0 for panel in self.panels)

    @property
    def empty(self) -> list[Shown]:
        return [panel for panel in self.panels if not panel.values]

    def unexplained(self) -> list[str]:
        """Panels that could have data, have none, and nobody said why."""
        return [
            f"{panel.panel['title']}: {panel.asked}"
            for panel in self.empty
            if panel.known and (self.name, panel.panel["title"]) not in REASONS
        ]

    def row(self) -> str:
        """A line of the page's table."""
        share = f"{100 * self.with_data / len(self.panels):.0f} %"
        return f"| {title_of(self.name)} | {len(self.panels)} | {self.with_data} | {share} | {self.why()} |"

    def why(self) -> str:
        strangers = sorted({name for panel in self.empty for name in panel.strangers})
        told = [REASONS[self.name, panel.panel["title"]] for panel in self.empty if panel.known]
        if strangers:
            names = ", ".join(f"`{name}`" for name in strangers)
            told.append(f"neither Flower's nor celery-exporter's: {names}")
        return "; ".join(told)


def title_of(file: str) -> str:
    """`owner__project__path.json` -> `owner/project: path`."""
    owner, project, path = file.removesuffix(".json").split("__", 2)
    return f"{owner}/{project}: {path}"


def judged(name: str, scraped: Scraped) -> Judged:
    _, end = scraped.range
    board = json.loads((FOLDER / name).read_text())
    declared = {v["name"] for v in (unwrapped(board).get("templating") or {}).get("list") or []}
    view = View(
        board,
        scraped.prometheus,
        start=end - 900,
        end=end,
        scrape_seconds=scraped.scrape_seconds,
        chosen={key: value for key, value in CHOSEN.items() if key in declared},
    )
    return Judged(name, [one for panel in panels(view.board) for one in asked(view, panel)])


def asked(view: View, panel: Json) -> Iterator[Shown]:
    answers: list[Answer] = [view.ask(panel, target) for target in targets(panel)]
    if not answers:
        return  # a text, or another data source's
    reads = [metrics_of(answer.target.expr) for answer in answers]
    yield Shown(
        panel,
        any(used <= KNOWN for used in reads),
        sum(answer.values for answer in answers),
        frozenset(set().union(*reads) - KNOWN),
        "; ".join(f"{answer.error} {' '.join(answer.expr.split())}" for answer in answers),
    )


@pytest.fixture(scope="module")
def all_judged(scraped: Scraped) -> list[Judged]:
    return [judged(name, scraped) for name in FILES]


here = pytest.mark.skipif(
    not FILES, reason="the public dashboards are not beside the repository (../shared/reference)"
)


@here
@pytest.mark.timeout(120)
def test_a_public_dashboard_shows_all_that_it_can(all_judged: list[Judged]) -> None:
    print("\n" + "\n".join(public_table(all_judged)))  # noqa: T201
    unexplained = {one.name: one.unexplained() for one in all_judged if one.unexplained()}
    assert unexplained == {}


@here
@pytest.mark.timeout(120)
def test_reasons_are_still_needed(all_judged: list[Judged]) -> None:
    empty = {(one.name, panel.panel["title"]) for one in all_judged for panel in one.empty}
    assert REASONS.keys() <= empty


@here
@pytest.mark.parametrize("name", FILES)
def test_every_query_of_flowers_and_the_exporters_metrics_is_understood(
    name: str, all_judged: list[Judged]
) -> None:
    (one,) = (one for one in all_judged if one.name == name)
    for panel in one.panels:
        assert not (panel.known and "parse error" in panel.asked), panel.asked


# ------------------------------------------------------------------ the page


def public_table(all_judged: list[Judged]) -> list[str]:
    """The dashboards with the most data first."""
    ordered = sorted(all_judged, key=lambda one: (-one.with_data / len(one.panels), one.name))
    count = sum(len(one.panels) for one in ordered)
    could = sum(panel.known for one in ordered for panel in one.panels)
    have = sum(one.with_data for one in ordered)
    return [
        "| dashboard | panels | with data | share | why the rest is empty |",
        "|---|---|---|---|---|",
        *(one.row() for one in ordered),
        "",
        (
            f"{len(ordered)} dashboards, {count} panels: {could} ask for metrics of Flower or "
            f"celery-exporter, and {have} have data."
        ),
    ]


def our_table() -> list[str]:
    boards = [json.loads(content) for content in dashboards.builtin().values()]
    return [
        "| dashboard | uid | variables | panels | what it answers |",
        "|---|---|---|---|---|",
        *(
            f"| {board['title']} | `{board['uid']}` | {shown_variables(board)} | "
            f"{sum(1 for _ in panels(board))} | {board['description']} |"
            for board in sorted(boards, key=lambda board: str(board["title"]))
        ),
    ]


def shown_variables(board: Json) -> str:
    return ", ".join(
        f"`{variable['name']}`" for variable in board["templating"]["list"] if variable["hide"] == 0
    )


def check_section(name: str, lines: list[str], page: Path = PAGE) -> None:
    """Compare the part of the page between two comments; with WRITE_DOCS=1 write it."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    head, _, rest = page.read_text().partition(begin)
    written, _, tail = rest.partition(end)
    wanted = "\n".join([*lines, ""])
    if os.environ.get("WRITE_DOCS"):
        page.write_text(head + begin + wanted + end + tail)
        return
    assert written == wanted, "write it anew: WRITE_DOCS=1 pytest tests/dashboards"


def test_the_page_lists_our_dashboards() -> None:
    check_section("our dashboards", our_table())


@here
@pytest.mark.timeout(120)
def test_the_page_tells_what_public_dashboards_show(all_judged: list[Judged]) -> None:
    check_section("public dashboards", public_table(all_judged))
