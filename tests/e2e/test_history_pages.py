"""The pages over a history: a list without end, what was missed in it, and trouble in writing it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browsing import (
    DESKTOP,
    PHONE,
    THEMES,
    Visitor,
    agree,
    await_link,
    axe,
    listed,
    query_address,
    too_wide_by,
    total,
)
from tests.e2e.past import (
    APART_SECONDS,
    RETRIED,
    TASKS,
    Past,
    running_past,
    tell,
    uuid_of,
    watching,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with running_past(tmp_path_factory.mktemp("past")) as past:
        yield past


def the_list(page: Page) -> Locator:
    return page.get_by_role("table", name="Tasks")


def scroll(page: Page, top: int) -> None:
    """Scroll down as far as that, as the rows come."""
    agree(
        lambda: the_list(page).evaluate(
            """(list, top) => {
                list.scrollTo({top, behavior: 'instant'});
                return Math.round(list.scrollTop);
            }""",
            top,
        ),
        lambda: top,
    )
    agree(lambda: first_in_sight(page) is not None, lambda: True)


def first_in_sight(page: Page) -> str | None:
    """The first row that is not under the head of the list."""
    told: str | None = the_list(page).evaluate(
        """list => {
            const top = list.querySelector('[role=columnheader]').getBoundingClientRect().bottom;
            return [...list.querySelectorAll('[data-uuid]')]
                .map(row => [row.getBoundingClientRect().top, row.dataset.uuid])
                .filter(([at]) => at > top - 20).sort(([a], [b]) => a - b)[0]?.[1] ?? null;
        }"""
    )
    return told


def to_the_end(page: Page) -> list[str]:
    """Go through the list as fast as it comes; give the ids in their order."""
    told: list[str] = the_list(page).evaluate(
        """async list => {
            const seen = new Map();
            const all = () => list.querySelector('[data-testid=list-end]')
                ?.textContent.startsWith('That is all');
            const wait = () => new Promise(then => setTimeout(then, 30));
            const rest = () => list.scrollHeight - list.clientHeight - list.scrollTop;
            for (let step = 0; step < 1500 && !(all() && rest() < 2); step += 1) {
                list.scrollBy({top: 500, behavior: 'instant'});
                await wait();
                for (const row of list.querySelectorAll('[data-uuid]'))
                    seen.set(Number(row.ariaRowIndex), row.dataset.uuid);
            }
            return [...seen].sort(([a], [b]) => a - b).map(([, uuid]) => uuid);
        }"""
    )
    return told


# ---------------------------------------------------------------------- a list without end


def test_the_list_goes_on_to_the_first_task_and_holds_no_task_twice(
    past: Past, visitor: Visitor
) -> None:
    page = visitor.open(past.url + query_address("name:shop.mail"))
    agree(lambda: total(page), lambda: past.count("name:shop.mail"))
    found = to_the_end(page)
    assert found == [uuid_of(number) for number in reversed(range(1, TASKS, 3))]
    expect(page.get_by_test_id("list-end")).to_contain_text("the history begins at")


def test_an_address_leads_back_to_the_place_and_so_does_the_back_button(
    past: Past, visitor: Visitor
) -> None:
    page = visitor.open(f"{past.url}/tasks")
    agree(lambda: total(page), lambda: past.count(""))
    scroll(page, 14_000)
    here = first_in_sight(page) or "?"
    # One task ended each 20 s, so its time is its number.
    ended = past.newest - (TASKS - 1 - int(here[:8], 16)) * APART_SECONDS
    expect(page).to_have_url(re.compile(rf"/tasks\?at={_instant(ended)[:19]}"))
    page.reload()
    agree(lambda: first_in_sight(page), lambda: here)
    page.locator(f"[data-uuid='{here}'] a").first.click()
    expect(page.get_by_test_id("drawer")).to_have_attribute("data-uuid", here)
    page.keyboard.press("o")
    expect(page).to_have_url(f"{past.url}/tasks/{here}")
    page.go_back()
    agree(lambda: first_in_sight(page), lambda: here)


def _instant(at: float) -> str:
    """Write a time as the addresses of the page do."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_what_comes_above_moves_nothing_that_one_reads(past: Past, visitor: Visitor) -> None:
    middle = past.newest - 1_500 * APART_SECONDS
    page = visitor.open(f"{past.url}/tasks?at={_instant(middle + 1)}")
    agree(lambda: first_in_sight(page), lambda: uuid_of(TASKS - 1 - 1_500))
    expect(page.get_by_test_id("held")).to_have_attribute(
        "data-value", re.compile("placed|scrolled")
    )
    # The rows above came by themselves; there is way to scroll up, and no row is left out.
    agree(lambda: the_list(page).evaluate("list => list.scrollTop > 2000"), lambda: True)
    the_list(page).evaluate("list => list.scrollBy({top: -1500, behavior: 'instant'})")
    agree(lambda: len(listed(page)) > 30, lambda: True)
    numbers = [int(uuid[:8], 16) for uuid in listed(page)]
    assert all(one == other + 1 for one, other in pairwise(numbers))
    page.get_by_test_id("freeze").click()
    expect(page).to_have_url(f"{past.url}/tasks")
    agree(lambda: uuid_of(TASKS - 1) in listed(page), lambda: True)


def test_new_tasks_are_counted_while_one_reads_far_down(past: Past, visitor: Visitor) -> None:
    page = visitor.open(f"{past.url}/tasks")
    agree(lambda: total(page), lambda: past.count(""))
    scroll(page, 6_000)
    before, place = first_in_sight(page), the_list(page).evaluate("list => list.scrollTop")
    tell(past.broker, *(f"new-{number}" for number in range(12)))
    newer = page.get_by_test_id("newer")
    expect(newer).to_have_text("12 newer")
    assert first_in_sight(page) == before
    assert the_list(page).evaluate("list => list.scrollTop") == place
    newer.click()
    agree(lambda: set(listed(page)[:12]), lambda: {f"new-{number}" for number in range(12)})


def test_a_filter_counts_and_lists_what_only_the_history_has(past: Past, visitor: Visitor) -> None:
    query = f'state:failed exception:"card {10 * 7}\'"'
    assert past.console.get(f"/api/v1/tasks?query={quote(query)}")["total"] == 0
    page = visitor.open(past.url + query_address(query))
    agree(lambda: listed(page), lambda: [uuid_of(70)])
    page.get_by_test_id("query").fill("state:failed")
    page.get_by_test_id("query").press("Enter")
    agree(lambda: total(page), lambda: TASKS // 10)
    told = past.console.get("/api/v1/history/count?query=state:failed")["facets"]
    chip = page.get_by_test_id("filter-SUCCESS")
    states = {one["value"]: one["count"] for one in told["state"]}
    expect(chip).to_have_attribute("data-value", str(states["SUCCESS"]))


@pytest.mark.parametrize(
    ("order", "first"),
    [("Oldest first", uuid_of(0)), ("Most retries first", RETRIED)],
)
def test_the_orders_are_of_the_whole_history(
    order: str, first: str, past: Past, visitor: Visitor
) -> None:
    page = visitor.open(f"{past.url}/tasks")
    page.get_by_test_id("order").click()
    page.get_by_label(order).check()
    agree(lambda: listed(page)[:1], lambda: [first])
    page.reload()
    agree(lambda: listed(page)[:1], lambda: [first])
    # One that only the memory can give says so.
    page.goto(f"{past.url}/tasks?sort=name")
    expect(page.get_by_role("heading", level=2).filter(has_text="in memory")).to_be_visible()


def test_one_goes_to_a_time_by_a_key(past: Past, visitor: Visitor) -> None:
    page = visitor.open(f"{past.url}/tasks")
    page.get_by_test_id("export").wait_for()  # it is known that there is a history
    page.keyboard.press("t")
    field = page.get_by_test_id("go-to-time")
    expect(field).to_be_focused()
    there = past.newest - 2_000 * APART_SECONDS
    field.fill(page.evaluate(
        """at => {
            const date = new Date(at * 1000 - new Date().getTimezoneOffset() * 60000);
            return date.toISOString().slice(0, 19);
        }""",
        there + 5,
    ))  # fmt: skip
    page.get_by_test_id("go-to-go").click()
    agree(lambda: first_in_sight(page), lambda: uuid_of(TASKS - 1 - 2_000))
    page.go_back()
    agree(lambda: uuid_of(TASKS - 1) in listed(page), lambda: True)


def test_all_that_match_are_exported(past: Past, visitor: Visitor) -> None:
    page = visitor.open(past.url + query_address("state:failed"))
    agree(lambda: total(page), lambda: TASKS // 10)
    page.get_by_test_id("export").click()
    with page.expect_download() as told:
        page.get_by_test_id("export-jsonl").click()
    lines = Path(told.value.path()).read_text().splitlines()
    assert [json.loads(line)["uuid"] for line in lines] == [
        uuid_of(number) for number in range(TASKS - 10, -1, -10)
    ]
    with page.expect_download() as told:
        page.get_by_test_id("export-csv").click()
    assert told.value.suggested_filename.endswith(".csv")


def test_a_search_is_saved_found_and_removed(past: Past, visitor: Visitor) -> None:
    page = visitor.open(past.url + query_address("state:failed name:shop.charge"))
    page.get_by_test_id("saved").click()
    page.get_by_test_id("save-name").fill("Declined cards")
    page.get_by_test_id("save-search").click()
    saved = page.get_by_test_id("saved-searches").locator("li[data-name='Declined cards']")
    expect(saved).to_contain_text("state:failed name:shop.charge")
    page.goto(f"{past.url}/tasks")
    page.get_by_test_id("saved").click()
    saved.get_by_role("button").first.click()
    expect(page.get_by_test_id("query")).to_have_value("state:failed name:shop.charge")
    page.goto(past.url)
    await_link(page, "live")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("declined")
    expect(page.get_by_role("option").filter(has_text="Declined cards")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("query")).to_have_value("state:failed name:shop.charge")
    page.get_by_test_id("saved").click()
    saved.get_by_role("button", name="Remove").click()
    expect(saved).to_have_count(0)


# ---------------------------------------------------------------------- one task of long ago


def test_a_task_of_long_ago_shows_each_of_its_attempts(past: Past, visitor: Visitor) -> None:
    page = visitor.open(f"{past.url}/tasks/{RETRIED}")
    expect(page.get_by_test_id("of-history")).to_be_visible()
    attempts = page.get_by_test_id("runs").locator("[data-attempt]")
    expect(attempts).to_have_count(3)
    for number in range(3):
        attempt = attempts.nth(number)
        expect(attempt).to_have_attribute("data-state", "RETRY" if number < 2 else "SUCCESS")
        expect(attempt).to_contain_text(f"worker-{number}@past")
        if number < 2:
            expect(attempt).to_contain_text(f"Busy('attempt {number}')")
            attempt.get_by_text("Traceback").click()


# ---------------------------------------------------------------------- restart, gaps, trouble


def test_a_restart_keeps_all_and_the_time_between_is_shown(
    tmp_path: Path, visitor: Visitor
) -> None:
    with running_past(tmp_path, tasks=400) as past:
        tell(past.broker, "before-1", "before-2")
        agree(lambda: past.count("name:shop.new"), lambda: 2)
        past.console.process.send_signal(signal.SIGKILL)
        past.console.process.wait()
        with watching(past.broker, tmp_path) as again, visitor:
            tell(past.broker, "after-1")
            page = visitor.open(f"{again.url}/tasks")
            agree(lambda: total(page), lambda: 404)
            assert listed(page)[0] == "after-1"
            gap = page.get_by_test_id("gap").first
            expect(gap).to_have_attribute("data-kind", "stopped", timeout=20_000)
            expect(gap).to_contain_text("the console was not running")
            overview = visitor.open(again.url)
            overview.get_by_test_id("gaps").scroll_into_view_if_needed()
            expect(overview.get_by_test_id("missed")).to_contain_text("not running")
            expect(overview.get_by_test_id("kept")).to_have_attribute(
                "data-value", re.compile(r"40\d")
            )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_history_that_cannot_be_written_is_told_and_the_list_goes_on(
    tmp_path: Path, visitor: Visitor
) -> None:
    with running_past(tmp_path, tasks=20) as past, visitor:
        page = visitor.open(f"{past.url}/tasks")
        agree(lambda: total(page), lambda: 21)
        banner = page.get_by_test_id("banner-history")
        with locked(tmp_path / "data" / "history.db"):
            tell(past.broker, "while-locked")
            agree(lambda: listed(page)[0], lambda: "while-locked")
            expect(banner).to_contain_text("The history cannot be written.", timeout=35_000)
            expect(banner).to_contain_text("None is lost so far.")
        expect(banner).to_have_count(0, timeout=20_000)
        agree(lambda: past.count("uuid:while-locked"), lambda: 1)


# ---------------------------------------------------------------------- for everyone


def a_list_far_down(page: Page) -> None:
    scroll(page, 9_000)


@pytest.mark.parametrize(
    ("address", "click"),
    [
        ("/tasks", ""),
        ("/tasks", "saved"),
        ("/tasks", "order"),
        ("/tasks", "export"),
        ("/tasks", "go-to-open"),
        (f"/tasks/{RETRIED}", ""),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    address: str, click: str, past: Past, visitor: Visitor
) -> None:
    found: dict[str, object] = {}
    page = visitor.open(past.url + address)
    if address == "/tasks":
        page.get_by_test_id("export").wait_for()
        if not click:
            a_list_far_down(page)
    else:
        page.get_by_test_id("runs").wait_for()
    if click:
        page.get_by_test_id(click).click()
        expect(page.get_by_role("status").filter(has_text="Waiting for")).to_have_count(0)
    # What a telephone shows in a way of its own has the colours of the desk.
    for size, themes in ((DESKTOP, THEMES), (PHONE, THEMES[:1])):
        page.set_viewport_size(size)
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            found[f"{theme} {size['width']}"] = axe(page)
        found[f"{size['width']} px wide"] = too_wide_by(page)
    assert {where: fault for where, fault in found.items() if fault} == {}
