"""A family on its page: drawn as it was, opened and gone through by mouse and keys."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import PHONE, Visitor, axe
from tests.e2e.shop import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


def test_a_chord_is_drawn_gone_through_and_led_away_from(shop: Shop, visitor: Visitor) -> None:
    # Of the demo: three pictures are resized, the body publishes them.
    body = shop.task("name:*publish state:success")["uuid"]
    truth = shop.console.get(f"/api/v1/families/{body}")
    (chord,) = [group for group in truth["groups"] if group["body"] == body]
    page = visitor.open(f"{shop.url}/tasks/{body}")
    page.get_by_role("link", name="On an axis of time").click()
    chart = page.get_by_test_id("family-chart")
    lines = chart.locator("[data-uuid]")
    expect(lines).to_have_count(len(truth["tasks"]))
    shown = [line.get_attribute("data-uuid") for line in lines.all()]
    assert shown == [task["uuid"] for task in truth["tasks"]]
    expect(chart.locator(f"[data-uuid='{body}'][data-self][data-critical]")).to_be_visible()
    expect(chart.locator("[data-uuid][data-critical]")).to_have_count(len(truth["critical"]))
    assert chord["size"] == 3

    # Keys: along the lines, and closer in time.
    scroller = chart.get_by_role("group")
    marks = chart.locator("[data-corner] + span")
    before = marks.inner_text()
    scroller.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(marks).not_to_have_text(before)
    page.keyboard.press("0")
    expect(marks).to_have_text(before, use_inner_text=True)
    page.keyboard.press("End")
    expect(lines.last.get_by_role("link")).to_be_focused()

    # The same as a table, then the way back to one of its tasks.
    page.get_by_role("button", name="As a table").click()
    table = page.get_by_test_id("family-table")
    expect(table.locator("tbody tr")).to_have_count(len(truth["tasks"]))
    first = truth["tasks"][0]
    table.locator(f"tr[data-uuid='{first['uuid']}'] a").click()
    page.wait_for_url(f"**/tasks/{first['uuid']}")


def test_a_family_page_serves_everyone(shop: Shop, visitor: Visitor) -> None:
    body = shop.task("name:*publish state:success")["uuid"]
    page = visitor.open(f"{shop.url}/families/{body}")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.get_by_test_id("family-chart").locator("[data-uuid]").first).to_be_visible()
        assert axe(page) == []
    page.set_viewport_size(PHONE)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    unknown = visitor.open(f"{shop.url}/families/nobody")
    visitor.expected.append("404")
    expect(unknown.get_by_text("nobody")).to_be_visible()


def test_a_schedule_entry_leads_to_what_it_started(shop: Shop, visitor: Visitor) -> None:
    entries = shop.console.until("/api/v1/schedules", lambda told: told["entries"])["entries"]
    (entry,) = [one for one in entries if one["name"] == "expire carts"]  # every ten seconds
    where = f"/api/v1/started/{quote(entry['id'])}"
    task = shop.console.until(where, lambda told: told["tasks"])["tasks"][0]
    page = visitor.open(f"{shop.url}/schedules")
    page.get_by_role("link", name=entry["name"], exact=True).first.click()
    row = page.get_by_test_id("started").locator(f"tr[data-uuid='{task['uuid']}']")
    expect(row).to_be_visible()
