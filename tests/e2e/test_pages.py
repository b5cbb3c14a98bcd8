"""The page over the demo, a real cluster under traffic: what it shows is what is true."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import free_port
from tests.demo import Demo, running_demo, until
from tests.e2e.browsing import (
    DESKTOP,
    PHONE,
    Turnstile,
    Visitor,
    agree,
    await_link,
    axe,
    catches_up,
    figure,
    figures,
    settles,
    text_in,
    too_wide_by,
    unfold,
)
from tests.integration.watching import Console, console

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NONE = "\N{EN DASH}"  # what stands where there is no value


class Shop(NamedTuple):
    """The demo that this module looks at."""

    demo: Demo
    console: Console
    live_after_seconds: float  # from its start until figures moved on a page

    @property
    def url(self) -> str:
        return self.console.url

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    def overview(self) -> Any:
        return self.console.get("/api/v1/overview")

    def tasks(self, query: str) -> Any:
        return self.console.get(f"/api/v1/tasks?{query}")

    def workers(self) -> dict[str, Any]:
        rows = self.console.get("/api/v1/workers")["workers"]
        return {row["hostname"]: row for row in rows}


@pytest.fixture(scope="module")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory, port = tmp_path_factory.mktemp("demo"), free_port()
    began = time.monotonic()
    with running_demo(directory, port=port) as demo:
        url = demo.page_url.rstrip("/")
        until(lambda: accepts(port), seconds=15, otherwise=lambda: demo.output)
        with Visitor(browser) as visitor:
            page = visitor.open(url)
            first = figure(page, "account-events")
            until(lambda: figure(page, "account-events") > first, seconds=20)
            until(lambda: figure(page, "figure-done") > 0, seconds=20)
            took = time.monotonic() - began
        yield Shop(demo, Console(url, demo.process, directory / "demo.out"), took)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def halted(shop: Shop, *commands: str) -> Iterator[None]:
    """Halt the processes of the demo whose command lines hold one of these, as SIGSTOP does."""
    pids = [pid for command in commands for pid in shop.demo.pids(command)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # a pool renews its processes
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def still(shop: Shop) -> Iterator[None]:
    """Hold the cluster's breath: nobody sends an event, so that everything has one value."""
    with halted(shop, "celery --app", "celeryscope.demo.traffic"):
        before: Any = None
        while before != (before := shop.overview()["totals"]):
            time.sleep(0.7)  # longer than the console takes from an event to its counters
        yield


# ---------------------------------------------------------------------- Overview


def test_the_page_shows_live_figures_within_ten_seconds_of_the_start(shop: Shop) -> None:
    assert shop.live_after_seconds < 10


def test_the_overview_follows_the_cluster(shop: Shop, visitor: Visitor) -> None:
    page = visitor.open(shop.url)
    for _ in range(5):
        catches_up(
            lambda: figure(page, "account-events"), lambda: shop.overview()["ingest"]["events"]
        )
        before = shop.overview()
        shown = figures(page, "figure-")
        after = shop.overview()
        assert shown["workers"] == 3
        assert shown["lost"] == before["ingest"]["lost"] == 0
        # A rate moves between two looks, and not by much.
        done = [now["rate"]["succeeded"] + now["rate"]["failed"] for now in (before, after)]
        assert 0.6 * min(done) <= shown["done"] <= 1.6 * max(done)
        time.sleep(0.3)
    assert figure(page, "gaps") == 0
    expect(page.get_by_test_id("broker")).to_have_attribute("data-value", "connected")
    expect(page.get_by_test_id("version")).to_have_text(f"Version {shop.overview()['version']}")


def test_when_the_cluster_stands_still_every_figure_is_the_exact_truth(
    shop: Shop, visitor: Visitor
) -> None:
    overview_page = visitor.open(shop.url)
    tasks_page = visitor.open(f"{shop.url}/tasks")
    workers_page = visitor.open(f"{shop.url}/workers")
    with still(shop):
        agree(lambda: shown_tasks(tasks_page, 20), lambda: true_tasks(shop, "limit=20", 20))
        agree(lambda: some(figures(tasks_page, "filter-")), lambda: shop.overview()["states"])
        agree(lambda: shown_workers(workers_page), lambda: true_workers(shop))
        agree(lambda: shown_lists(overview_page), lambda: true_lists(shop.overview()))
        agree(
            lambda: figures(overview_page, "account-"),
            lambda: true_accounts(shop.overview()["ingest"]),
        )
        agree(lambda: figures(overview_page, "figure-"), lambda: true_figures(shop.overview()))


def some(counts: dict[str, float]) -> dict[str, float]:
    """Without those that are none."""
    return {name: count for name, count in counts.items() if count}


def true_figures(overview: Any) -> dict[str, Any]:
    states, rate, ingest = overview["states"], overview["rate"], overview["ingest"]
    done = rate["succeeded"] + rate["failed"]
    told = {
        "done": pytest.approx(done, rel=0.15),  # a mean over a time that goes on
        "running": overview["running"],
        "waiting": states.get("PENDING", 0) + states.get("RECEIVED", 0),
        "retrying": states.get("RETRY", 0),
        "workers": overview["workers"]["online"],
        "lost": ingest["lost"] + ingest["dropped_messages"],
    }
    # Without a task that is done there is no part of them that failed.
    failing = {"failing": pytest.approx(100 * rate["failed"] / done)} if done else {}
    return {**told, **failing}


def true_accounts(ingest: Any) -> dict[str, float]:
    return {
        "events": ingest["events"],
        "lost": ingest["lost"],
        "dropped": ingest["dropped_messages"],
        "rejected": sum(ingest["rejected"].values()),
        "duplicates": ingest["duplicates"],
        "buffer": ingest["buffer_bytes"],
        "memory": ingest["tasks_in_memory"],
    }


def shown_lists(page: Page) -> Any:
    return page.evaluate(
        """() => ({
            failing: [...document.querySelectorAll('tr[data-name]')].map(row =>
                [row.dataset.name, Number(row.querySelector('[data-value]').dataset.value)]),
            queues: Object.fromEntries([...document.querySelectorAll('tr[data-queue]')].map(row =>
                [row.dataset.queue, Number(row.querySelector('[data-value]').dataset.value)])),
        })"""
    )


def true_lists(overview: Any) -> Any:
    return {
        "failing": [[row["name"], row["failed"]] for row in overview["failing"]],
        "queues": {queue["name"]: queue["messages"] for queue in overview["queues"]},
    }


# ---------------------------------------------------------------------- Workers


def shown_workers(page: Page) -> Any:
    return page.evaluate(
        """() => Object.fromEntries(
            [...document.querySelectorAll('[data-testid=workers] tr[data-worker]')].map(row => [
                row.dataset.worker,
                {
                    status: row.dataset.status,
                    word: row.querySelector('td:nth-child(2)').innerText.trim().toLowerCase(),
                    version: row.querySelector('td:nth-child(7)').innerText.trim(),
                    ...Object.fromEntries([...row.querySelectorAll('[data-field]')].map(
                        cell => [cell.dataset.field, Number(cell.dataset.value)])),
                }]))"""
    )


def true_workers(shop: Shop) -> Any:
    return {
        hostname: {
            "status": row["status"],
            "word": row["status"],
            "version": row["version"],
            "active": row["active"],
            "processed": row["processed"],
            "lost": row["lost"],
        }
        for hostname, row in shop.workers().items()
    }


def test_a_worker_that_falls_silent_is_offline_by_celerys_rule_and_comes_back(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(f"{shop.url}/workers")
    media = page.locator("tr[data-worker='media@shop-2']")
    expect(media).to_have_attribute("data-status", "online")
    beat_seconds = shop.workers()["media@shop-2"]["heartbeat_interval"]
    with halted(shop, "--hostname media@"):
        silent_since = time.monotonic()
        expect(media).to_have_attribute("data-status", "offline", timeout=20_000)
        took = time.monotonic() - silent_since
        # Two intervals after its last beat, which was up to one interval ago.
        assert beat_seconds - 0.5 < took < 2 * beat_seconds + 1.5
        assert {hostname: row["status"] for hostname, row in shown_workers(page).items()} == {
            "media@shop-2": "offline",
            "checkout@shop-1": "online",
            "backoffice@shop-3": "online",
        }
        page.get_by_test_id("filter-offline").click()
        expect(page.locator("tr[data-worker]")).to_have_count(1)
        expect(page).to_have_url(f"{shop.url}/workers?status=offline")
    page.get_by_test_id("filter-offline").click()
    expect(media).to_have_attribute("data-status", "online")


def test_one_worker_shows_what_its_events_and_its_inspection_tell(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(f"{shop.url}/workers")
    page.locator("tr[data-worker='checkout@shop-1'] a").click()
    expect(page).to_have_url(re.compile(r"/workers/checkout(@|%40)shop-1$"))
    page.reload()  # the address alone is enough
    expect(page.get_by_role("heading", level=1)).to_contain_text("checkout@shop-1")
    true = shop.console.until(
        "/api/v1/workers/checkout@shop-1", lambda told: told.get("inspect") is not None
    )
    page.reload()
    for name, value in {
        "Pool": true["pool"],
        "Process id": str(true["pid"]),
        "Version": f"{true['software']} {true['version']}",
        "Queues": "checkout",
        "Lost events": "0",
    }.items():
        expect(fact(page, name)).to_have_text(value)
    assert (true["pool"], true["concurrency"]) == ("prefork", 3)
    expect(fact(page, "Active")).to_have_text(re.compile(r"^\d+ of 3 processes$"))
    catches_up(
        lambda: float(fact(page, "Processed").inner_text().replace(",", "")),
        lambda: shop.workers()["checkout@shop-1"]["processed"],
    )


def fact(page: Page, name: str) -> Any:
    return page.locator(
        "dl > div", has=page.locator("dt", has_text=re.compile(f"^{name}$"))
    ).locator("dd")


# ---------------------------------------------------------------------- Tasks


def shown_tasks(page: Page, most: int) -> Any:
    return page.evaluate(
        """most => ({
            total: Number(document.querySelector('[data-testid=tasks]').dataset.total),
            rows: [...document.querySelectorAll('[data-testid=tasks] [data-uuid]')]
                .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).slice(0, most).map(row => {
                    const cells = [...row.querySelectorAll('[role=cell]')].map(
                        cell => cell.textContent);
                    return {
                        uuid: row.dataset.uuid, state: row.dataset.state, name: cells[1],
                        worker: cells[3], queue: cells[4], retries: cells[8], outcome: cells[9],
                    };
                }),
        })""",
        most,
    )


def true_tasks(shop: Shop, query: str, most: int) -> Any:
    told = shop.tasks(query)
    return {
        "total": told["total"],
        "rows": [
            {
                **{key: task[key] or NONE for key in ("uuid", "state", "name", "worker", "queue")},
                "retries": str(task["retries"]),
                "outcome": task["exception"] or task["result"] or NONE,
            }
            for task in told["tasks"][:most]
        ],
    }


def shown_total(page: Page) -> float:
    return float(page.get_by_test_id("tasks").get_attribute("data-total") or "nan")


def shown_states(page: Page) -> set[str]:
    states = page.eval_on_selector_all(
        "[data-testid=tasks] [data-uuid]", "rows => rows.map(row => row.dataset.state)"
    )
    return set(states)


def test_tasks_are_filtered_by_the_address_and_by_clicking(shop: Shop, visitor: Visitor) -> None:
    page = visitor.open(f"{shop.url}/tasks")
    catches_up(lambda: shown_total(page), lambda: shop.tasks("limit=0")["total"])

    page.get_by_test_id("filter-FAILURE").click()
    expect(page).to_have_url(f"{shop.url}/tasks?state=FAILURE")
    agree(lambda: shown_states(page), lambda: {"FAILURE"})
    catches_up(lambda: shown_total(page), lambda: shop.tasks("state=FAILURE&limit=0")["total"])

    page.get_by_test_id("filter-REVOKED").click()
    expect(page).to_have_url(f"{shop.url}/tasks?state=FAILURE&state=REVOKED")
    agree(lambda: shown_states(page), lambda: {"FAILURE", "REVOKED"})

    deep = visitor.open(f"{shop.url}/tasks?state=FAILURE&name=payments.charge")
    expect(deep.get_by_test_id("filter-FAILURE")).to_have_attribute("aria-pressed", "true")
    agree(lambda: shown_states(deep), lambda: {"FAILURE"})
    catches_up(
        lambda: shown_total(deep),
        lambda: shop.tasks("state=FAILURE&name=payments.charge&limit=0")["total"],
    )
    assert 0 < shown_total(deep) < shown_total(page)
    deep.get_by_role("button", name="Clear filters").click()
    expect(deep).to_have_url(f"{shop.url}/tasks")
    agree(lambda: shown_total(deep) > shown_total(page), lambda: True)


def test_a_failed_task_shows_its_fields_and_its_whole_traceback(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(f"{shop.url}/tasks?state=FAILURE&name=payments.charge")
    row = page.locator("[data-testid=tasks] [data-uuid]").first
    row.wait_for()
    page.get_by_test_id("freeze").click()
    uuid = row.get_attribute("data-uuid") or ""
    row.get_by_role("link").click()
    expect(page).to_have_url(f"{shop.url}/tasks/{uuid}")

    true = shop.console.get(f"/api/v1/tasks/{uuid}")
    assert "in charge_card" in true["traceback"]
    expect(page.get_by_test_id("task")).to_have_attribute("data-uuid", uuid)
    expect(page.get_by_test_id("task")).to_have_attribute("data-state", "FAILURE")
    expect(page.get_by_role("heading", level=1)).to_have_text("payments.charge")
    unfold(page)
    assert text_in(page.get_by_test_id("exception")) == true["exception"]
    for label, field in (
        ("Traceback", "traceback"), ("Arguments", "args"), ("Keyword arguments", "kwargs")
    ):  # fmt: skip
        assert text_in(page.get_by_role("region", name=label, exact=True)) == true[field]
    for name, value in {
        "Worker": true["worker"],
        "Queue": true["queue"],
        "Retries": str(true["retries"]),
        "Name": true["name"],
        "Routing key": true["routing_key"],
        "Root id": true["root_id"],
    }.items():
        expect(fact(page, name)).to_have_text(value)
    events = page.get_by_test_id("timeline").locator("li")
    assert [event.get_attribute("data-type") for event in events.all()] == [
        moment["type"] for moment in true["timeline"]
    ]
    page.go_back()
    expect(page).to_have_url(f"{shop.url}/tasks?state=FAILURE&name=payments.charge")


def test_a_task_that_is_not_known_is_said_to_be_so(shop: Shop, visitor: Visitor) -> None:
    visitor.expected = [r"status of 404"]
    page = visitor.open(f"{shop.url}/tasks/no-such-task")
    expect(page.get_by_role("heading", name="No such task")).to_be_visible()


# ---------------------------------------------------------------------- the stream


def test_two_tabs_share_one_stream_and_the_second_goes_on_without_the_first(
    shop: Shop, visitor: Visitor
) -> None:
    with Turnstile(shop.port).running() as way, visitor:
        first = visitor.open(f"{way.url}/tasks")
        second = visitor.open(way.url)
        first.bring_to_front()
        settles(way.streams, [{"overview", "workers", "tasks"}])
        for page in (first, second):
            await_link(page, "live")
        first.close()
        settles(way.streams, [{"overview", "workers"}])
        catches_up(
            lambda: figure(second, "account-events"), lambda: shop.overview()["ingest"]["events"]
        )
        second.close()
        settles(way.streams, [])


# ---------------------------------------------------------------------- for everyone


@pytest.fixture(scope="module")
def addresses(shop: Shop) -> dict[str, str]:
    told = shop.console.until("/api/v1/tasks?state=FAILURE&limit=1", lambda told: told["tasks"])
    return {
        "Overview": "/",
        "Workers": "/workers",
        "one worker": "/workers/media@shop-2",
        "Tasks": "/tasks",
        "one task": f"/tasks/{quote(told['tasks'][0]['uuid'])}",
    }


def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    shop: Shop, visitor: Visitor, addresses: dict[str, str]
) -> None:
    page = visitor.open(shop.url)
    found: dict[str, object] = {}
    for name, address in addresses.items():
        page.goto(shop.url + address)
        await_link(page, "live")
        expect(page.get_by_role("status").filter(has_text="Waiting for")).to_have_count(0)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", theme)
            found[f"{name}, {theme}"] = axe(page)
        for size in (PHONE, DESKTOP):
            page.set_viewport_size(size)
            found[f"{name}, {size['width']} px wide"] = too_wide_by(page)
    assert {where: fault for where, fault in found.items() if fault} == {}


def test_everything_works_below_a_url_prefix(shop: Shop, visitor: Visitor, tmp_path: Path) -> None:
    with (
        console(shop.demo.broker_url, tmp_path, "--url-prefix", "/celery") as ours,
        Turnstile(int(urlsplit(ours.url).port or 0)).running() as way,
        visitor,
    ):
        # Through the page's own links, and by addresses alone.
        page = visitor.open(f"{way.url}/celery")
        until(lambda: figure(page, "figure-workers") == 3, seconds=10)
        for link, address in (("Workers", "workers"), ("Tasks", "tasks"), ("Overview", "")):
            page.get_by_role("navigation").get_by_role("link", name=link).click()
            expect(page).to_have_url(f"{way.url}/celery/{address}")
        page.goto(f"{way.url}/celery/workers/media@shop-2")
        expect(page.get_by_role("heading", level=1)).to_contain_text("media@shop-2")
        page.goto(f"{way.url}/celery/tasks")
        page.locator("[data-testid=tasks] [data-uuid]").first.get_by_role("link").click()
        expect(page.get_by_test_id("task")).to_be_visible()
        page.reload()
        expect(page.get_by_test_id("task")).to_be_visible()
        await_link(page, "live")
        assert [path for path in way.requests if not path.startswith("/celery")] == []
        assert any(path.startswith("/celery/api/v1/live?") for path in way.requests)
