"""What became of tasks over a time: figures, exceptions, a calendar, and the ways to the tasks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import PHONE, THEMES, Visitor, axe, too_wide_by
from tests.e2e.known import Known

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


def test_failures_are_found_by_name_by_place_and_by_hour(known: Known, visitor: Visitor) -> None:
    known.console.until("/api/v1/insight", lambda told: told["total"]["tasks"] >= 180)
    page = visitor.open(f"{known.url}/insight?span=1h")
    total = page.locator("[data-figure=Ended]")
    assert float(total.get_attribute("data-value") or 0) >= 180
    names = page.get_by_test_id("insight-names")
    charge = names.locator("tr[data-name='shop.charge']")
    expect(charge).to_contain_text("100 %")

    # An exception, its place in the code, and one click to its tasks.
    declined = page.get_by_test_id("insight-exceptions").locator("[data-fingerprint]")
    expect(declined.first).to_contain_text("Declined")
    expect(declined.first).to_contain_text("shop/charge.py in charge")
    finger = declined.first.get_attribute("data-fingerprint")
    example = declined.first.get_by_role("link", name=re.compile("Example 1"))
    assert re.fullmatch(r".*/tasks/charge-\d{4}", example.get_attribute("href") or "")
    calendar = page.get_by_test_id("insight-calendar")
    expect(calendar.get_by_role("link").first).to_contain_text("tasks failed")
    declined.first.get_by_role("link", name="Declined", exact=True).click()
    page.wait_for_url(f"**/tasks?query=*{finger}*")
    expect(page.get_by_text("shop.charge").first).to_be_visible()
    page.go_back()

    # One name on a page of its own, over another time; the address says both.
    charge.get_by_role("link").click()
    page.wait_for_url("**/insight/shop.charge?span=1h")
    expect(page.locator("[data-figure=Failed]")).to_contain_text("100 %")
    expect(page.get_by_role("region", name="By worker")).to_contain_text("one@shop")
    page.get_by_role("button", name="7 days").click()
    page.wait_for_url("**/insight/shop.charge?span=7d")
    page.reload()
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    page.locator("main").get_by_role("link", name="Insight").click()
    page.wait_for_url("**/insight?span=7d")


def test_an_empty_time_says_since_when_there_are_figures(known: Known, visitor: Visitor) -> None:
    page = visitor.open(f"{known.url}/insight?since=2020-01-01T00:00&until=2020-01-02T00:00")
    expect(page.get_by_text("What ended is counted since")).to_be_visible()


@pytest.mark.parametrize("address", ["/insight", "/insight/shop.charge?span=30d"])
def test_insight_serves_everyone(address: str, known: Known, visitor: Visitor) -> None:
    page = visitor.open(known.url + address)
    page.get_by_test_id("insight-calendar").wait_for()
    expect(page.get_by_role("status").filter(has_text="Waiting for")).to_have_count(0)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert axe(page) == []
    page.get_by_role("button", name="Table", exact=True).first.click()
    page.set_viewport_size(PHONE)
    assert too_wide_by(page) <= 0
