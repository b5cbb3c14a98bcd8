"""The page of one's sessions and tokens: made, shown once, used, ended."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browsing import SIZES, Visitor, await_link, too_wide_by
from tests.e2e.house import REFUSED, House, enter, send, show_who, status, unreadable
from tests.e2e.known import Known

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


def make(page: Page, name: str, **fields: str) -> None:
    """Fill in the form of a new token, and send it."""
    page.get_by_test_id("new-token").click()
    page.get_by_test_id("token-name").fill(name)
    if "role" in fields:
        page.get_by_test_id("token-role").select_option(fields["role"])
    if "expiry" in fields:
        page.get_by_test_id("token-expiry").select_option(label=fields["expiry"])
    if limits := {"queues", "tasks"} & fields.keys():
        page.get_by_text("Limit it to queues or tasks").click()
        for limit in limits:
            page.get_by_test_id(f"token-{limit}").fill(fields[limit])
    page.get_by_test_id("token-make").click()


def row(page: Page, name: str) -> Locator:
    return page.get_by_test_id("tokens").locator(f"[data-token='{name}']")


def test_a_token_is_shown_once_works_and_is_revoked(house: House, visitor: Visitor) -> None:
    page = enter(visitor, house, "otto", "/access")
    make(page, "pipeline", role="operator", expiry="In 7 days", queues="mail*, media", tasks="")
    secret = page.get_by_test_id("token-secret").inner_text()
    shown = {"authorization": f"Bearer {secret}"}
    told = send(house.url + "/api/v1/me", None, shown).decode()
    assert '"role":"operator"' in told
    assert '"queues":["mail*","media"]' in told
    # The line for a shell is what a shell takes.
    line = page.get_by_test_id("token-dialog").locator("code").nth(1).inner_text()
    assert line == f"curl -H 'Authorization: Bearer {secret}' '{house.url}/api/v1/overview'"

    page.get_by_test_id("token-done").click()
    expect(row(page, "pipeline")).to_contain_text("queues: mail*, media")
    expect(row(page, "pipeline")).to_contain_text(re.compile(r"in 6 d 23 h"))
    assert secret not in page.content()
    page.reload()
    expect(row(page, "pipeline")).to_be_visible()
    assert secret not in page.content()

    row(page, "pipeline").get_by_test_id("revoke-token").click()
    expect(page.get_by_test_id("confirm")).to_contain_text("pipeline")
    page.keyboard.press("Escape")  # not yet
    expect(page.get_by_test_id("confirm")).to_have_count(0)
    assert status(house.url + "/api/v1/me", shown) == 200
    row(page, "pipeline").get_by_test_id("revoke-token").click()
    page.get_by_test_id("confirm-do").click()
    expect(row(page, "pipeline")).to_have_count(0)
    assert status(house.url + "/api/v1/me", shown) == 401


def test_a_token_gets_no_more_than_whoever_makes_it(house: House, visitor: Visitor) -> None:
    page = enter(visitor, house, "vera", "/access")
    page.get_by_test_id("new-token").click()
    roles = page.get_by_test_id("token-role").locator("option")
    expect(roles).to_have_text(["viewer"])


def test_who_is_limited_makes_tokens_with_the_same_limits(house: House, visitor: Visitor) -> None:
    page = enter(visitor, house, "mila", "/access")
    page.get_by_test_id("new-token").click()
    expect(page.get_by_test_id("token-dialog")).to_contain_text("queues: mail*, media")
    expect(page.get_by_text("Limit it to queues or tasks")).to_have_count(0)
    page.get_by_test_id("token-name").fill("of mila")
    page.get_by_test_id("token-make").click()
    page.get_by_test_id("token-done").click()
    expect(row(page, "of mila")).to_contain_text("shop.*")


def test_what_is_wrong_with_a_token_is_told_beside_the_field(
    house: House, visitor: Visitor
) -> None:
    page = enter(visitor, house, "otto", "/access")
    make(page, "   ")
    expect(page.get_by_role("alert")).to_contain_text("A name is needed")
    page.get_by_test_id("token-name").fill("fine")
    page.get_by_text("Limit it to queues or tasks").click()
    page.get_by_test_id("token-queues").fill("*" * 9)
    page.get_by_test_id("token-make").click()
    expect(page.get_by_role("alert")).to_contain_text("at most 8 stars")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("token-dialog")).to_have_count(0)


def test_a_session_is_ended_from_another_one(
    house: House, visitor: Visitor, browser: Browser
) -> None:
    with Visitor(browser) as elsewhere:
        elsewhere.expected = [REFUSED]
        lost = enter(elsewhere, house, "vera", "/queues")
        page = enter(visitor, house, "vera", "/access")
        sessions = page.get_by_test_id("sessions").locator("[data-session]")
        expect(sessions.first).to_have_attribute("data-current", "true")
        expect(sessions.first).to_contain_text(re.compile(r"Chrome \d+ on Linux"))
        names = page.get_by_test_id("sessions").locator("[data-session] td:first-child")
        assert {"vera" in name for name in names.all_inner_texts()} == {True}  # one's own alone
        # The newest of the others is the tab above.
        sessions.nth(1).get_by_test_id("end-session").click()
        page.get_by_test_id("confirm-do").click()
        expect(page.get_by_test_id("confirm")).to_have_count(0)
        expect(lost).to_have_url(re.compile(r"/login\?next=%2Fqueues$"))
        await_link(page, "live")
        assert elsewhere.faults() == []


def test_an_admin_sees_everybodys_sessions(
    house: House, visitor: Visitor, browser: Browser
) -> None:
    with Visitor(browser) as elsewhere:
        enter(elsewhere, house, "otto")
        page = enter(visitor, house, "ada", "/access")
        expect(page.get_by_test_id("sessions")).to_contain_text("otto")


def test_everybody_can_read_it_on_any_screen(house: House, visitor: Visitor) -> None:
    page = enter(visitor, house, "ada", "/access")
    make(page, "x" * 128, role="admin")
    found: dict[str, object] = {"secret": unreadable(page)}
    page.get_by_test_id("token-done").click()
    expect(row(page, "x" * 128)).to_be_visible()
    found["page"] = unreadable(page)
    for size in SIZES:
        page.set_viewport_size(size)
        found[f"{size['width']} px wide"] = too_wide_by(page)
    assert {where: what for where, what in found.items() if what} == {}


def test_without_a_login_it_says_how_to_make_one(known: Known, visitor: Visitor) -> None:
    page = visitor.open(known.url)
    show_who(page)
    expect(page.get_by_test_id("who-menu")).to_contain_text("No login")
    expect(page.get_by_test_id("who-menu")).to_contain_text("celeryscope user add")
    expect(page.get_by_test_id("log-out")).to_have_count(0)
    page.get_by_role("link", name="Sessions and API tokens").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Access")
    expect(page.get_by_text("No login is configured")).to_be_visible()
    assert unreadable(page) == {}
