"""What a click does: to the cluster, as Celery itself tells, and on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery
from playwright.sync_api import Page, Route, expect

from tests.e2e.browsing import Visitor, query_address, rows
from tests.e2e.shop import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

WORKER = "media@shop-2"


@contextmanager
def celery(shop: Shop) -> Iterator[Celery]:
    """Celery's own client on the demo's broker."""
    url = shop.overview()["broker"]["url"]
    with Celery("looks", broker=url, set_as_current=False) as app:
        yield app


def processes(shop: Shop) -> int:
    with celery(shop) as app:
        stats: Any = app.control.inspect(destination=[WORKER], timeout=5).stats()
        return len(stats[WORKER]["pool"]["processes"])


def send(page: Page) -> None:
    page.get_by_test_id("control-send").click()
    expect(page.get_by_test_id("control")).to_have_count(0)


def test_a_pool_grows_and_shrinks_by_clicks_and_celery_says_so(
    shop: Shop, visitor: Visitor
) -> None:
    before = processes(shop)
    page = visitor.open(f"{shop.url}/workers/{WORKER}")
    tray = page.get_by_test_id("tray")
    for command, wanted in (("pool_grow", before + 1), ("pool_shrink", before)):
        page.locator(f"[data-command={command}]").click()
        expect(page.get_by_test_id("control-touched")).to_contain_text(WORKER)
        send(page)
        expect(tray).to_contain_text(f"done: {wanted} processes", timeout=20_000)
        assert processes(shop) == wanted


def test_failed_tasks_that_were_chosen_run_again(shop: Shop, visitor: Visitor) -> None:
    shop.task("state:failure name:images.resize")
    page = visitor.open(shop.url + query_address("state:failure name:images.resize"))
    rows(page).first.locator("input[type=checkbox]").click()
    expect(page.get_by_test_id("bulk-count")).to_contain_text("1")
    chosen = rows(page).filter(has=page.locator("input:checked"))  # others may be above it by now
    uuid = chosen.get_attribute("data-uuid")
    page.locator("[data-command=retry]").click()
    expect(page.get_by_test_id("control-touched")).to_contain_text("1")
    send(page)
    expect(page.get_by_test_id("tray")).to_contain_text("1 of 1", timeout=30_000)
    action = shop.console.get("/api/v1/actions")["actions"][0]
    (item,) = shop.console.get(f"/api/v1/actions/{action['id']}")["items"]
    assert item["subject"] == uuid
    old, new = (shop.task(f"uuid:{ident}") for ident in (uuid, item["task_id"]))
    assert (new["name"], new["args"], new["kwargs"]) == (old["name"], old["args"], old["kwargs"])


def test_a_queue_is_purged_only_after_its_name_was_typed(shop: Shop, visitor: Visitor) -> None:
    with celery(shop) as app, app.connection_for_write() as connection:
        app.conf.task_send_sent_event = True  # tells us of the queue
        with connection.SimpleQueue("to-be-purged") as queue:
            for number in range(3):
                queue.put({"number": number})
        with app.amqp.Producer(connection) as producer:
            app.send_task("nobody.runs.it", queue="to-be-purged", producer=producer)
        shop.console.until(
            "/api/v1/queues",
            lambda told: any(
                queue["name"] == "to-be-purged" and queue["messages"] == 4
                for queue in told["queues"]
            ),
        )
        page = visitor.open(shop.url + "/queues?queue=to-be-purged")
        page.get_by_test_id("purge").click()
        expect(page.get_by_test_id("control-send")).to_be_disabled()
        page.get_by_test_id("control-confirm").fill("to-be-purged")
        send(page)
        expect(page.get_by_test_id("tray")).to_contain_text("4", timeout=20_000)
        assert connection.default_channel._size("to-be-purged") == 0


def test_what_one_may_not_do_is_not_offered(shop: Shop, visitor: Visitor) -> None:
    def viewer(route: Route) -> None:
        told = route.fetch().json()
        commands = [{**row, "allowed": row["role"] == "viewer"} for row in told["commands"]]
        route.fulfill(body=json.dumps({**told, "role": "viewer", "commands": commands}))

    page = visitor.context.new_page()
    page.route(re.compile("/api/v1/commands"), viewer)
    page.goto(f"{shop.url}/workers/{WORKER}")
    expect(page.locator("[data-command=ping]")).to_have_count(1)
    expect(page.locator("[data-command=pool_grow], [data-command=shutdown]")).to_have_count(0)


def test_the_palette_leads_to_a_worker_by_keys_before_it_is_there(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.context.new_page()
    held: list[Route] = []
    page.route(re.compile("/assets/Palette-.*js"), lambda route: held.append(route))
    page.goto(shop.url)
    expect(page.get_by_test_id("palette-button")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type(WORKER[:-1])
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type(WORKER[-1])
    page.keyboard.press("Enter")
    for route in held:
        route.continue_()
    expect(page).to_have_url(re.compile("/workers/media"))
