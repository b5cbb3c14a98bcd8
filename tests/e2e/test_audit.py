"""The page of the audit trail: what was done is there, as it is kept, and is found."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail
from tests.demo import until
from tests.e2e.browsing import SIZES, Visitor, too_wide_by
from tests.e2e.house import House, enter, fill_in, show_who, unreadable
from tests.recording import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

GRACE = By(name="grace", role="operator", way="command line")


def entries(page: Page) -> Locator:
    return page.get_by_test_id("audit").locator("tr[data-seq]")


def write(house: House, *what: str, **given: Any) -> None:
    """Write entries beside the console, as a command line does."""
    trail = Trail(house.data / "audit")
    for one in what:
        trail.write(**{"kind": "look", "by": GRACE, "what": one, "outcome": "done", **given})


def send_task(house: House, name: str) -> str:
    """Send a task as otto; give the action's id once its outcome is in the trail."""
    asked = {"arguments": {"task_name": name, "kwargs": {"password": "hunter2", "user": 7}}}
    ident: str = house.ask("/api/v1/control/send_task", asked, who="otto")["id"]
    # Whether somebody got it is looked for a while.
    until(lambda: len(house.audited(action=ident)) == 2, seconds=30)
    return ident


def test_a_command_and_its_outcome_are_one_row_that_opens_to_everything(
    house: House, visitor: Visitor
) -> None:
    action = send_task(house, "shop.audited")
    outcome, command = house.audited(action=action)
    page = enter(visitor, house, "ada", f"/audit?action={action}")
    expect(entries(page)).to_have_count(1)
    row = entries(page).first
    expect(row).to_contain_text("otto")
    expect(row).to_contain_text("send_task")
    expect(row.get_by_test_id("ended")).to_have_attribute("data-outcome", outcome["outcome"])

    row.get_by_role("button").click()
    told = page.get_by_test_id("audit-details")
    for entry in (command, outcome):
        section = told.get_by_label(f"Entry {entry['seq']}", exact=True)
        expect(section).to_contain_text(entry["hash"])
        expect(section).to_contain_text(entry["prev"])
    expect(told).to_contain_text('"user": 7')
    expect(told).not_to_contain_text("hunter2")
    # What is told is what is kept.
    lines = (house.data / "audit/audit-000001.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert command in kept


def test_filters_stand_in_the_address_and_hold_for_the_files(
    house: House, visitor: Visitor
) -> None:
    write(house, "filtered one", "filtered two", "left out", subjects=["mail"])
    page = enter(visitor, house, "ada", "/audit")
    page.get_by_role("searchbox", name="What", exact=True).fill("filtered")
    page.get_by_role("searchbox", name="Who", exact=True).fill("GRACE")
    page.get_by_test_id("audit-kind").select_option("look")
    page.get_by_test_id("audit-time").select_option("24h")
    expect(page).to_have_url(
        re.compile(r"\?(?=.*what=filtered)(?=.*who=GRACE)(?=.*kind=look).*24h")
    )
    expect(entries(page)).to_have_count(2)
    page.reload()
    expect(entries(page)).to_have_count(2)
    expect(page.get_by_role("searchbox", name="What", exact=True)).to_have_value("filtered")

    with page.expect_download() as begun:
        page.get_by_test_id("export-jsonl").click()
    lines = begun.value.path().read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["filtered one", "filtered two"]
    with page.expect_download() as begun:
        page.get_by_test_id("export-csv").click()
    assert begun.value.suggested_filename == "celeryscope-audit.csv"
    assert len(begun.value.path().read_text().splitlines()) == 3

    page.get_by_role("searchbox", name="What", exact=True).fill("there is no such thing")
    expect(page.get_by_text("No entry is like that")).to_be_visible()
    page.get_by_role("button", name="Show everything").click()
    expect(page).to_have_url(house.url + "/audit")
    expect(entries(page).nth(2)).to_be_visible()


def test_older_entries_come_while_one_scrolls(house: House, visitor: Visitor) -> None:
    write(house, *(f"scrolled {number}" for number in range(250)))
    page = enter(visitor, house, "ada", "/audit?what=scrolled")
    expect(entries(page)).to_have_count(100)
    expect(entries(page).first).to_contain_text("scrolled 249")
    for _ in range(20):
        page.keyboard.press("End")
        if entries(page).count() == 250:
            break
        page.wait_for_timeout(100)
    expect(entries(page)).to_have_count(250)
    expect(entries(page).last).to_contain_text("scrolled 0")
    expect(page.get_by_text("That is all.")).to_be_visible()


def test_the_list_stands_still_until_one_asks_for_what_is_new(
    house: House, visitor: Visitor
) -> None:
    write(house, "news 1")
    page = enter(visitor, house, "ada", "/audit?what=news")
    expect(entries(page)).to_have_count(1)
    write(house, "news 2")
    news = page.get_by_test_id("audit-news")
    expect(news).to_be_visible(timeout=20_000)
    expect(entries(page)).to_have_count(1)
    news.click()
    expect(entries(page)).to_have_count(2)
    expect(entries(page).first).to_contain_text("news 2")
    expect(news).to_have_count(0)


@pytest.mark.parametrize("name", ["otto", "mila", "vera"])
def test_only_who_may_read_it_is_offered_it(name: str, house: House, visitor: Visitor) -> None:
    page = enter(visitor, house, name, "/audit")
    expect(page.get_by_text("The audit trail is for administrators")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("link", name="Audit")).to_have_count(0)
    show_who(page)
    expect(page.get_by_role("link", name="Sessions and API tokens")).to_be_visible()
    expect(page.get_by_role("link", name="Audit trail")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("audit")
    expect(page.locator("[data-kind=page]")).to_have_count(0)


def test_an_admin_finds_it_by_menu_key_and_palette(house: House, visitor: Visitor) -> None:
    page = enter(visitor, house, "ada")
    page.get_by_role("navigation").get_by_role("link", name="Audit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit")
    heading = page.get_by_role("heading", level=1)

    def gone() -> bool:  # on a busy machine more than a second may pass between two keys
        page.keyboard.press("g")
        page.keyboard.press("c")
        return heading.text_content() == "Access"

    eventually(gone)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("who did")
    expect(page.get_by_role("option").first).to_contain_text("Audit")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"error": "No space left on device, since 14:03.", "unwritten": 3}, "cannot be written"),
        ({"kept": False}, "No audit trail is kept"),
        ({"unwritten": 1}, "1 entry since the start is in the log only"),
        ({"unreadable": 2}, "2 lines of the audit trail cannot be read"),
    ],
)
def test_a_trail_that_is_not_whole_says_so(
    state: dict[str, object], said: str, house: House, visitor: Visitor
) -> None:
    told = json.dumps({**house.ask("/api/v1/audit?limit=5"), "next": None, **state})

    def answer(route: Route) -> None:
        route.fulfill(body=told, content_type="application/json")

    page = visitor.context.new_page()
    page.route(re.compile(r"/api/v1/audit\?"), answer)
    page.goto(house.url + "/audit")
    fill_in(page, "ada")
    expect(page.get_by_test_id("audit-banner")).to_contain_text(said)
    assert unreadable(page) == {}


def test_everybody_can_read_it_on_any_screen(house: House, visitor: Visitor) -> None:
    write(
        house, "w" * 250, subjects=["q" * 250], detail="d" * 900, arguments={"a" * 200: "b" * 900}
    )
    page = enter(visitor, house, "ada", "/audit")
    entries(page).first.get_by_role("button").click()
    expect(page.get_by_test_id("audit-details")).to_be_visible()
    found: dict[str, object] = {**unreadable(page)}
    for size in SIZES:
        page.set_viewport_size(size)
        found[f"{size['width']} px wide"] = too_wide_by(page)
    assert {where: what for where, what in found.items() if what} == {}
