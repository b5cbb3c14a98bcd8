"""The way in and out: a login, wrong ones, sessions that end, and back to where one was."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import DESKTOP, PHONE, SIZES, THEMES, Visitor, await_link, axe, too_wide_by
from tests.e2e.house import PASSWORD, REFUSED, House, enter, fill_in, show_who, unreadable

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

DEEP = "/tasks?query=state:failure+name:*.charge&sort=-runtime"
LOGIN = re.compile(r"/login(\?|$)")


def test_a_login_leads_to_the_page_that_was_asked_for(house: House, visitor: Visitor) -> None:
    page = visitor.context.new_page()
    page.goto(house.url + DEEP)
    expect(page).to_have_url(re.compile(re.escape(f"/login?next={quote(DEEP, safe='')}")))
    expect(page.get_by_label("Name")).to_be_focused()
    fill_in(page, "otto")
    await_link(page, "live")
    expect(page).to_have_url(house.url + DEEP)


def test_a_wrong_password_is_told_and_the_way_back_is_kept(house: House, visitor: Visitor) -> None:
    visitor.expected = [REFUSED]
    page = visitor.context.new_page()
    page.goto(house.url + DEEP)
    for name, password in (("otto", "wrong horse"), ("nobody", PASSWORD)):
        fill_in(page, name, password)
        expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    fill_in(page, "otto")
    await_link(page, "live")
    expect(page).to_have_url(house.url + DEEP)
    failed = house.audited(kind="login failed", limit=2)
    assert [entry["by"]["name"] for entry in failed] == ["an unknown name", "otto"]


def test_the_login_needs_no_script(house: House, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(house.url + "/workers")
    fill_in(page, "vera")
    expect(page).to_have_url(house.url + "/workers")
    context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_read_the_login_on_any_screen(
    theme: str, house: House, browser: Browser
) -> None:
    with Visitor(browser) as visitor:
        visitor.expected = [REFUSED]
        page = visitor.context.new_page()
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.goto(house.url + "/login")
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        found = {"fresh": axe(page)}
        fill_in(page, "otto", "wrong horse")
        expect(page.get_by_role("alert")).to_be_visible()
        found["refused"] = axe(page)
        wide = {}
        for size in (*SIZES, PHONE):
            page.set_viewport_size(size)
            if by := too_wide_by(page):
                wide[size["width"]] = by
        assert ({where: what for where, what in found.items() if what}, wide) == ({}, {})
        assert visitor.faults() == []


def test_who_logs_out_is_out_in_every_tab(house: House, visitor: Visitor) -> None:
    visitor.expected = [REFUSED, r"net::ERR_ABORTED"]
    page = enter(visitor, house, "otto", "/workers")
    other = visitor.open(house.url + "/queues")
    show_who(page)
    expect(page.get_by_test_id("who-menu")).to_contain_text("otto")
    page.get_by_test_id("log-out").click()
    expect(page.get_by_role("heading", name="Log in to Celeryscope")).to_be_visible()
    expect(other).to_have_url(re.compile(r"/login\?next=%2Fqueues$"))
    page.goto(house.url + "/workers")
    expect(page).to_have_url(LOGIN)
    # Nothing of before is behind it.
    page.go_back()
    expect(page.get_by_role("heading", name="Log in to Celeryscope")).to_be_visible()


def test_a_session_that_ends_sends_to_the_login_and_back_to_where_one_was(
    house: House, visitor: Visitor
) -> None:
    visitor.expected = [REFUSED]
    page = enter(visitor, house, "vera", DEEP)
    for session in house.ask("/api/v1/sessions")["sessions"]:
        if session["name"] == "vera":
            house.ask(f"/api/v1/sessions/{session['id']}/revoke", {})
    expect(page).to_have_url(LOGIN)
    fill_in(page, "vera")
    await_link(page, "live")
    expect(page).to_have_url(house.url + DEEP)


def test_a_page_of_before_another_login_still_works(house: House, visitor: Visitor) -> None:
    """The other session has another token against forged requests; the page asks for it."""
    visitor.expected = [r"status of 403"]
    page = enter(visitor, house, "otto", "/access")
    again = visitor.context.new_page()
    again.goto(house.url + "/access")
    with again.expect_response("**/logout"):
        show_who(again)
        again.get_by_test_id("log-out").click()
    expect(page).to_have_url(LOGIN)
    fill_in(page, "otto")
    await_link(page, "live")
    page.get_by_test_id("new-token").click()
    page.get_by_test_id("token-name").fill("of before")
    # Another session in the same browser, behind this page's back.
    visitor.context.request.post(
        house.url + "/login", form={"name": "otto", "password": PASSWORD, "next": "/"}
    )
    page.get_by_test_id("token-make").click()
    expect(page.get_by_test_id("token-secret")).to_contain_text("cscope_")


def test_the_menu_tells_who_one_is_and_to_what_one_is_limited(
    house: House, visitor: Visitor
) -> None:
    page = enter(visitor, house, "mila")
    show_who(page)
    menu = page.get_by_test_id("who-menu")
    expect(menu).to_have_attribute("data-role", "operator")
    expect(page.get_by_test_id("who-limits")).to_contain_text("queues: mail*, media")
    expect(page.get_by_test_id("who-limits")).to_contain_text("task name: shop.*")
    assert unreadable(page) == {}
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(page.get_by_test_id("who")).to_be_focused()
    page.set_viewport_size(PHONE)
    show_who(page)
    assert too_wide_by(page) == 0
    page.set_viewport_size(DESKTOP)


def test_a_login_leads_nowhere_else(house: House, visitor: Visitor) -> None:
    page = visitor.context.new_page()
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example", "\t//evil"):
        page.goto(f"{house.url}/login?next={quote(elsewhere, safe='')}")
        fill_in(page, "vera")
        expect(page).to_have_url(house.url + "/")
        await_link(page, "live")
        page.goto("about:blank")  # a page whose cookie goes away goes to the login by itself
        visitor.context.clear_cookies()
