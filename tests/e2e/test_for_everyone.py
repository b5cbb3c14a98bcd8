"""What holds for every page: readable for all, in both themes, on any screen, by keyboard, soon."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.demo import until
from tests.e2e.browsing import (
    DESKTOP,
    PHONE,
    SIZES,
    THEMES,
    Visitor,
    await_link,
    axe,
    query_address,
    rows,
    too_wide_by,
)
from tests.e2e.known import Known
from tests.e2e.shop import Shop, still

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


class View(NamedTuple):
    """A page in one of its states, of the demo or of the cluster that is known."""

    address: str
    prepare: Callable[[Page], None] = lambda page: None
    demo: bool = False
    phone: bool = False  # has this state on a phone only


def tables(page: Page) -> None:
    """Every chart as its table."""
    buttons = page.get_by_role("button", name="Table", exact=True)
    buttons.first.wait_for()
    for button in buttons.all():
        button.click()


def keys(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_test_id("keys").wait_for()


def await_traceback(page: Page) -> None:
    page.get_by_test_id("traceback").wait_for()


def suggestions(page: Page) -> None:
    page.get_by_test_id("query").fill("state:")
    page.get_by_role("option").first.wait_for()


def wrong_query(page: Page) -> None:
    page.get_by_test_id("query").fill("nme:x")
    page.get_by_test_id("query-error").wait_for()


def columns(page: Page) -> None:
    page.get_by_test_id("columns").click()


def filters(page: Page) -> None:
    page.get_by_test_id("filters").click()


DRAWER = f"{query_address('state:failure')}&task=charge-0003"
VIEWS = {
    "overview": View("/", demo=True),
    "overview, tables": View("/", tables, demo=True),
    "keys": View("/", keys),
    "workers": View("/workers", demo=True),
    "workers, grid": View("/workers?view=grid"),
    "worker": View("/workers/media@shop-2", demo=True),
    "queues": View("/queues", demo=True),
    "access": View("/access"),
    "audit": View("/audit"),
    "queue": View("/queues?queue=media", demo=True),
    "tasks": View("/tasks"),
    "tasks, drawer": View(DRAWER, await_traceback),
    "tasks, suggestions": View("/tasks", suggestions),
    "tasks, wrong query": View("/tasks", wrong_query),
    "tasks, columns": View("/tasks", columns),
    "tasks, filters": View("/tasks", filters, phone=True),
    "task": View("/tasks/charge-0003", await_traceback),
    "no such task": View("/tasks/none"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    name: str, shop: Shop, known: Known, visitor: Visitor
) -> None:
    view = VIEWS[name]
    visitor.expected = [r"status of 404"]
    found: dict[str, object] = {}
    page = visitor.context.new_page()
    page.set_viewport_size(PHONE if view.phone else DESKTOP)
    page.goto((shop.url if view.demo else known.url) + view.address)
    await_link(page, "live")
    expect(page.get_by_role("status").filter(has_text="Waiting for")).to_have_count(0)
    view.prepare(page)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        found[theme] = axe(page)
    for size in [PHONE] if view.phone else SIZES:
        page.set_viewport_size(size)
        found[f"{size['width']} px wide"] = too_wide_by(page)
    assert {where: fault for where, fault in found.items() if fault} == {}


# ---------------------------------------------------------------------- by keyboard


_CLICKABLE = """
    const CLICKABLE = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    const inSight = e => e.checkVisibility({checkVisibilityCSS: true}) && !e.disabled;
    // The grid is one stop; the arrow keys go on from there.
    const byArrows = e => e.closest('[data-testid=grid]') && e.tabIndex < 0;
"""


def watch_focus(page: Page) -> int:
    """Note from now on what gets the focus; give how much there is to be reached."""
    count: int = page.evaluate(
        "() => {"
        + _CLICKABLE
        + """
            const wanted = [...document.querySelectorAll(CLICKABLE)]
                .filter(e => inSight(e) && !byArrows(e));
            window.walked = new Set();
            window.missed = () => wanted.filter(e => e.isConnected && inSight(e) && !walked.has(e))
                .map(e => e.outerHTML.slice(0, 200));
            addEventListener('focusin', ({target}) => walked.add(target));
            document.activeElement?.blur();
            return wanted.length;
        }"""
    )
    return count


def only_by_mouse(page: Page) -> list[str]:
    """What invites a click, and is not and has not what the keyboard can press."""
    told: list[str] = page.evaluate(
        "() => {"
        + _CLICKABLE
        + """
            return [...document.querySelectorAll('body *')]
                .filter(e => getComputedStyle(e).cursor === 'pointer' && inSight(e)
                    && !e.closest(CLICKABLE + ', label') && !e.querySelector(CLICKABLE)
                    && !e.closest('tr')?.querySelector(CLICKABLE)  // a row's button does the same
                    && !e.closest('[role=option]'))  // the arrow keys of its input
                .map(e => e.outerHTML.slice(0, 200));
        }"""
    )
    return told


#: The others have the keyboard to themselves, or nothing of their own that can be clicked.
WALKS = VIEWS.keys() - {
    "keys", "tasks, suggestions", "tasks, filters", "tasks, wrong query", "no such task",
}  # fmt: skip


@pytest.mark.timeout(120)
def test_the_tab_key_reaches_all_that_can_be_clicked(
    shop: Shop, known: Known, visitor: Visitor
) -> None:
    visitor.expected = [r"status of 404"]
    missed: dict[str, list[str]] = {}
    page = visitor.context.new_page()
    with still(shop):
        for name in sorted(WALKS):
            view = VIEWS[name]
            page.goto((shop.url if view.demo else known.url) + view.address)
            await_link(page, "live")
            view.prepare(page)
            assert watch_focus(page) > 10
            # All rows of the list may come between.
            for pressed in range(600):
                page.keyboard.press("Tab")
                if pressed % 20 == 19 and not page.evaluate("missed()"):
                    break
            if found := [*page.evaluate("missed()"), *only_by_mouse(page)]:
                missed[name] = found
    assert missed == {}


def test_arrow_keys_go_through_the_grid_of_workers_and_enter_opens_one(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(shop.url)
    cells = page.get_by_test_id("grid").locator("[data-worker]")
    expect(cells).to_have_count(3)
    cells.first.focus()
    names = [cell.get_attribute("data-worker") for cell in cells.all()]
    seen = {focused(page).get_attribute("data-worker")}
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
        seen.add(focused(page).get_attribute("data-worker"))
    assert seen == set(names)
    name = focused(page).get_attribute("data-worker")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name or "?")
    assert urlsplit(page.url).path.startswith("/workers/")


def focused(page: Page) -> Locator:
    return page.locator(":focus")


@pytest.mark.parametrize(
    ("address", "charts"),
    [
        ("/", ("throughput", "latency-wait", "latency-runtime")),
        ("/workers/media@shop-2", ("heartbeats",)),
        ("/queues?queue=media", ("queue-depth",)),
    ],
)
def test_each_chart_has_a_label_a_legend_and_a_table_for_the_keyboard(
    address: str, charts: tuple[str, ...], shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(shop.url + address)
    for test_id in charts:
        chart = page.get_by_test_id(test_id)
        picture = chart.get_by_role("img")
        expect(picture).to_have_attribute("aria-label", re.compile(r".{40}"))
        legend = chart.get_by_role("group", name="Lines shown").get_by_role("button")
        lines = legend.count()
        assert lines >= 1
        for key in legend.all():
            key.focus()
            for shown in ("false", "true"):
                page.keyboard.press("Space")
                expect(key).to_have_attribute("aria-pressed", shown)
        panel = page.get_by_role("region").filter(has=chart).last
        switch = panel.get_by_role("button", name="Table", exact=True)
        switch.focus()
        page.keyboard.press("Enter")
        table = chart.get_by_role("table")
        expect(table.get_by_role("columnheader")).to_have_count(lines + 1)
        assert table.get_by_role("row").count() > 1
        switch.focus()
        page.keyboard.press("Enter")
        expect(picture).to_be_visible()


def test_nothing_moves_for_those_who_asked_for_less_motion(shop: Shop, visitor: Visitor) -> None:
    page = visitor.context.new_page()
    moving = {}
    for motion in ("no-preference", "reduce"):
        page.emulate_media(reduced_motion=motion)
        page.goto(shop.url + "/tasks")
        await_link(page, "live")
        page.evaluate(
            """() => {
                window.moved = new Set();
                const look = () => {
                    for (const one of document.getAnimations()) {
                        const {effect} = one;
                        // What lasts no time is a change, and no motion.
                        if (effect.getComputedTiming().activeDuration > 20)
                            moved.add(`${one.constructor.name} ${effect.target.className}`);
                    }
                    requestAnimationFrame(look);
                };
                look();
            }"""
        )
        rows(page).first.locator("[role=cell]").nth(1).click()
        page.get_by_test_id("drawer").wait_for()
        page.get_by_test_id("freeze").hover()
        page.get_by_test_id("theme").click()
        page.keyboard.press("Escape")
        page.get_by_role("navigation").get_by_role("link", name="Overview").click()
        page.get_by_test_id("verdict").wait_for()
        page.wait_for_timeout(500)
        moving[motion] = page.evaluate("[...moved]")
    assert moving["no-preference"], "the test sees no motion at all"
    assert moving["reduce"] == []


# ---------------------------------------------------------------------- soon


@pytest.mark.budget
def test_the_first_live_figures_are_there_within_a_second_and_a_half(
    shop: Shop, browser: Browser
) -> None:
    """From the click on a link to figures that the stream brought; nothing is cached."""
    took = []
    for _ in range(10):
        with Visitor(browser) as visitor:
            page = visitor.context.new_page()
            page.add_init_script(
                """new MutationObserver((_, observer) => {
                    if (!document.querySelector('[data-testid=link][data-value=live]')) return;
                    if (!document.querySelector('[data-testid=figure-done][data-value]')) return;
                    observer.disconnect();
                    requestAnimationFrame(() => { window.figuresAt = performance.now(); });
                }).observe(document, {subtree: true, childList: true, attributes: true});"""
            )
            page.goto(shop.url)
            until(partial(page.evaluate, "window.figuresAt"), seconds=15)
            took.append(page.evaluate("window.figuresAt") / 1000)
        # The fastest: what else the machine does is not the page's.
        if took[-1] < 1.5:
            break
    assert min(took) < 1.5, f"median {statistics.median(took):.2f} s of {took}"
