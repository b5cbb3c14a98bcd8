"""The page over a cluster that means harm: what it sends is shown as text, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from celery import Celery
from playwright.sync_api import Locator, Page, expect

from tests.conftest import running_redis
from tests.e2e.browsing import (
    DESKTOP,
    PHONE,
    Visitor,
    agree,
    figure,
    text_in,
    too_wide_by,
    unfold,
)
from tests.integration.watching import Console, console

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

_RUN = "window.harmed = true; alert(1)"
HOSTILE = {
    "markup": f'<img src=x onerror="{_RUN}">',
    "script": f'\'"></title></script><script>{_RUN}</script><svg onload="{_RUN}">',
    "link": f"javascript:{_RUN}//",
    "10 kB": "shop.pay." + "x" * 10_000,
    "words of 10 kB": "shop pay " * 1_200,
    "right to left": "pay\u202egnp.exe\u2066\u200f עברית العربية",
    "control": "a\x00b\x07\x1b[31mred\x7f\x85\u2028line\r\nbreak\ttab\ufeff\u200b",
    "emoji": "👩‍👩‍👧‍👦.🥬.pay 🏴\U000e0067\U000e007f",
    "stacked": "Z" + "\u0301\u0316" * 200 + "algo",
    "address": "../..//a?b=%2F&c=d#e;f\\g h%",
    "prototype": "__proto__",
    "constructor": "constructor",
    "blank": "   ",
}
#: The worst of them, for what takes a page each.
WORST = (
    "markup", "script", "link", "10 kB", "words of 10 kB", "right to left", "control", "stacked"
)  # fmt: skip
# Would change, hide or reverse what a person reads; only their escapes may be there.
UNSAFE = "\x00\x07\x1b\x7f\x85\u2028\u202e\u2066\u200f\u200b\ufeff\U000e0067"

_ESCAPED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """As the page has to write it: what cannot be seen is an escape of Python's."""
    return _ESCAPED.sub(lambda found: escape(ord(found[0])), text)


def escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class Hostile(NamedTuple):
    console: Console
    uuids: dict[str, str]  # the kind of harm -> the task that means it

    @property
    def url(self) -> str:
        return self.console.url


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """A console that has heard every hostile text in every place of an event."""
    directory = tmp_path_factory.mktemp("hostile")
    with running_redis(directory) as broker, console(broker, directory) as ours:
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        app = Celery(broker=broker)
        for kind, text in HOSTILE.items():
            publish(app, kind, text)
        app.close()
        told = ours.until(
            "/api/v1/tasks?limit=100",
            # A failed task and a state of the cluster's own making, each.
            lambda told: (
                told["total"] == 2 * len(HOSTILE)
                and all(task["state"] not in ("PENDING", "RECEIVED") for task in told["tasks"])
            ),
        )
        uuids = {
            task["client"]: task["uuid"] for task in told["tasks"] if task["state"] == "FAILURE"
        }
        assert uuids.keys() == HOSTILE.keys()
        yield Hostile(ours, uuids)


def publish(app: Any, kind: str, text: str) -> None:
    """Send events as a client, and as a worker, whose every text is hostile."""
    with app.events.default_dispatcher(hostname=kind) as client:
        client.send(
            "task-sent", uuid=text, name=text, queue=text, exchange=text, routing_key=text,
            args=text, kwargs=text, eta=text, expires=text, root_id=text, parent_id=text,
        )  # fmt: skip
    with app.events.default_dispatcher(hostname=text) as worker:
        worker.send(
            "worker-heartbeat", freq=2.0, active=1, processed=1, loadavg=[1.0, 1.0, 1.0],
            sw_ident=text, sw_ver=text, sw_sys=text,
        )  # fmt: skip
        worker.send("task-received", uuid=text, name=text, args=text, kwargs=text, eta=text)
        worker.send("task-started", uuid=text)
        worker.send("task-failed", uuid=text, exception=text, traceback=text)
        worker.send(f"task-{text}", uuid=f"custom {kind}", name=text, result=text)


def assert_unharmed(page: Page, where: str) -> None:
    """Nothing of it became markup, ran, hid itself, or pushed the page aside."""
    assert page.evaluate("window.harmed") is None, where
    assert page.locator("img[src=x], [onerror], [onload], script:not([src])").count() == 0, where
    assert page.locator("a[href^='javascript:' i]").count() == 0, where
    shown = page.locator("body").inner_text() + page.title()
    assert [character for character in UNSAFE if character in shown] == [], where
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        assert too_wide_by(page) == 0, f"{where} at {size['width']} px"


@pytest.mark.parametrize("address", ["/", "/workers", "/tasks", "/tasks?sort=name"])
def test_lists_show_hostile_text_as_text(address: str, hostile: Hostile, visitor: Visitor) -> None:
    page = visitor.open(hostile.url + address)
    if address == "/":
        agree(lambda: figure(page, "figure-workers") >= 1, lambda: True)
        expect(page.locator("tr[data-name]")).to_have_count(10)
    elif address == "/workers":
        expect(page.locator("tr[data-worker]")).to_have_count(len(HOSTILE))
    else:
        agree(
            lambda: page.get_by_test_id("tasks").get_attribute("data-total"),
            lambda: str(2 * len(HOSTILE)),
        )
        page.locator("[data-testid=tasks] [data-uuid]").nth(10).wait_for()
        # Its colour is that of an unknown state, its word is what the cluster said.
        expect(page.locator("[role=group][aria-label=States]")).to_contain_text("<IMG SRC=X")
    if address != "/":
        expect(page.get_by_text(HOSTILE["markup"]).first).to_be_visible()
    assert_unharmed(page, address)


def test_one_task_shows_hostile_text_as_text(hostile: Hostile, visitor: Visitor) -> None:
    page = visitor.open(f"{hostile.url}/tasks")
    for kind in WORST:
        uuid = hostile.uuids[kind]
        page.goto(f"{hostile.url}/tasks/{quote(uuid, safe='')}")
        task = page.get_by_test_id("task")
        expect(task).to_have_attribute("data-state", "FAILURE")
        assert task.get_attribute("data-uuid") == uuid, kind
        true = hostile.console.get(f"/api/v1/tasks/{quote(uuid, safe='')}")
        unfold(page)
        assert text_in(page.get_by_test_id("exception")) == visible(true["exception"])
        traceback = page.get_by_role("region", name="Traceback")
        assert text_in(traceback) == visible(true["traceback"])
        assert_unharmed(page, f"one task, {kind}")


def test_one_worker_shows_hostile_text_as_text(hostile: Hostile, visitor: Visitor) -> None:
    page = visitor.open(f"{hostile.url}/workers")
    for kind in WORST:
        # The console shortens names, a worker's as it does a task's.
        hostname = hostile.uuids[kind]
        page.goto(f"{hostile.url}/workers/{quote(hostname, safe='')}")
        expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
        heading = page.get_by_role("heading", level=1).text_content() or ""
        assert visible(hostname)[:200].strip() in heading
        assert_unharmed(page, f"one worker, {kind}")


def test_links_lead_to_the_task_and_the_worker_whatever_they_are_called(
    hostile: Hostile, visitor: Visitor
) -> None:
    page = visitor.open(f"{hostile.url}/tasks?state=FAILURE")
    for kind in ("address", "markup", "control", "prototype"):
        uuid = hostile.uuids[kind]
        row_of(page, uuid).get_by_role("link").click()
        expect(page.get_by_test_id("task")).to_have_attribute("data-uuid", uuid)
        page.locator("dl a[href*='/workers/']").first.click()
        expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
        assert visible(uuid) in (page.get_by_role("heading", level=1).text_content() or "")
        page.go_back()
        page.go_back()


def row_of(page: Page, uuid: str) -> Locator:
    """Find a row by its place: no selector can name every text."""
    rows = page.locator("[data-testid=tasks] [data-uuid]")
    rows.first.wait_for()
    shown: list[str] = rows.evaluate_all("rows => rows.map(row => row.dataset.uuid)")
    return rows.nth(shown.index(uuid))
