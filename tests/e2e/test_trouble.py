"""The page when something is away: it says so, keeps what it knows, and goes on by itself."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest
from celery import Celery
from playwright.sync_api import Page, expect

from tests.conftest import free_port, running_redis
from tests.e2e.browsing import (
    CONSOLE_AWAY,
    Turnstile,
    Visitor,
    agree,
    await_link,
    figure,
    listed,
    query_address,
    rows,
    settles,
    total,
)
from tests.e2e.known import Known
from tests.integration.watching import Console, console

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture
def broker_port() -> int:
    """Of a broker that comes and goes."""
    return free_port()


def send(broker: str, count: int, *, first: int = 0) -> None:
    """Tell that so many tasks were sent: one event each."""
    app = Celery(broker=broker)
    with contextlib.closing(app), app.events.default_dispatcher() as client:
        for i in range(first, first + count):
            client.send("task-sent", uuid=f"u{i}", name="shop.pay", queue="celery")


def beat(broker: str, hostname: str) -> None:
    """Tell that a worker lives, and will for long."""
    app = Celery(broker=broker)
    with contextlib.closing(app), app.events.default_dispatcher(hostname=hostname) as worker:
        worker.send("worker-heartbeat", freq=600.0, active=0, processed=0)


def await_broker(ours: Console, state: str) -> None:
    ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == state)


def mark(page: Page) -> None:
    """Leave something in the page that no reload survives."""
    page.evaluate("window.neverReloaded = true")


def is_marked(page: Page) -> bool:
    return page.evaluate("window.neverReloaded") is True


def test_a_broker_that_is_down_at_the_start_is_told_with_a_hint_and_connected_when_it_comes(
    broker_port: int, tmp_path: Path, visitor: Visitor
) -> None:
    url = f"redis://:secret-word@127.0.0.1:{broker_port}/0"
    with console(url, tmp_path) as ours, visitor:
        page = visitor.open(ours.url)
        mark(page)
        banner = page.get_by_test_id("banner-broker")
        expect(banner).to_contain_text(f"redis://:***@127.0.0.1:{broker_port}/0 since")
        expect(banner).to_contain_text("Connection refused")
        expect(banner).to_contain_text("Nothing listens there. Is the broker running")
        expect(page.get_by_test_id("broker")).to_have_attribute(
            "data-value", re.compile("^(connecting|disconnected)$")
        )
        # Broken is never shown as empty.
        for title in ("Queues", "Workers"):
            expect(page.get_by_role("region", name=title)).to_contain_text("Unknown")
        assert "secret-word" not in page.content()

        with running_redis(tmp_path, "--requirepass", "secret-word", port=broker_port):
            expect(page.get_by_test_id("broker")).to_have_attribute(
                "data-value", "connected", timeout=15_000
            )
            expect(banner).to_have_count(0)
            send(url, 7)
            agree(lambda: figure(page, "figure-waiting"), lambda: 7)
            agree(lambda: figure(page, "account-events"), lambda: 7)
        assert is_marked(page)


def test_a_broker_that_restarts_leaves_a_gap_that_the_page_shows(
    broker_port: int, tmp_path: Path, visitor: Visitor
) -> None:
    with console(f"redis://127.0.0.1:{broker_port}/0", tmp_path) as ours, visitor:
        with running_redis(tmp_path, port=broker_port) as broker:
            await_broker(ours, "connected")
            page = visitor.open(ours.url)
            tasks, workers = (visitor.open(f"{ours.url}/{name}") for name in ("tasks", "workers"))
            for tab in (page, tasks, workers):
                mark(tab)
            before = len(ours.get("/api/v1/overview")["gaps"])  # until the first connection
            send(broker, 5)
            beat(broker, "one@shop")
            agree(lambda: figure(page, "account-events"), lambda: 6)
            agree(lambda: total(tasks), lambda: 5)
        for tab in (page, tasks, workers):
            expect(tab.get_by_test_id("banner-broker")).to_contain_text(
                "The broker cannot be reached."
            )
        gaps = page.get_by_test_id("gaps")
        expect(gaps).to_have_attribute("data-value", str(before + 1))
        expect(gaps.get_by_role("listitem").first).to_contain_text("still open")
        # What is known stays.
        assert figure(page, "account-events") == 6
        assert total(tasks) == rows(tasks).count() == 5
        assert known_workers(workers) == ["one@shop"]

        with running_redis(tmp_path, port=broker_port) as broker:
            await_broker(ours, "connected")
            for tab in (page, tasks, workers):
                expect(tab.get_by_test_id("banner-broker")).to_have_count(0)
            send(broker, 3, first=5)
            beat(broker, "two@shop")
            agree(lambda: figure(page, "account-events"), lambda: 10)
            agree(lambda: total(tasks), lambda: 8)
            agree(lambda: rows(tasks).count(), lambda: 8)
            agree(lambda: known_workers(workers), lambda: ["one@shop", "two@shop"])
            gap = ours.get("/api/v1/overview")["gaps"][0]
            assert 0 < gap["end"] - gap["start"] < 30
            shown = gaps.get_by_role("listitem").first
            expect(shown).to_contain_text(re.compile(r"for [\d.]+ (m?s)"))
            expect(shown).to_contain_text(gap["reason"])
            for tab in (page, tasks, workers):
                assert is_marked(tab)


def known_workers(page: Page) -> list[str]:
    rows = page.locator("[data-testid=workers] tr[data-worker]")
    return [row.get_attribute("data-worker") or "?" for row in rows.all()]


def test_a_console_that_is_killed_and_comes_back_is_followed_without_a_reload(
    redis_server: str, tmp_path: Path, visitor: Visitor
) -> None:
    visitor.expected = [CONSOLE_AWAY]
    port = free_port()
    with console(redis_server, tmp_path, port=port) as ours:
        await_broker(ours, "connected")
        send(redis_server, 5)
        overview = visitor.open(ours.url)
        beat(redis_server, "one@shop")
        tasks = visitor.open(f"{ours.url}/tasks")
        workers = visitor.open(f"{ours.url}/workers")
        for page in (overview, tasks, workers):
            mark(page)
        agree(lambda: figure(overview, "account-events"), lambda: 6)
        agree(lambda: total(tasks), lambda: 5)
        agree(lambda: known_workers(workers), lambda: ["one@shop"])
        os.killpg(ours.process.pid, signal.SIGKILL)
        for page in (overview, tasks, workers):
            await_link(page, "gone")
            expect(page.get_by_test_id("banner-link")).to_contain_text(
                "The console does not answer."
            )
        # What is known stays.
        assert figure(overview, "account-events") == 6
        assert total(tasks) == 5
        assert known_workers(workers) == ["one@shop"]

    with console(redis_server, tmp_path, port=port) as ours, visitor:
        await_broker(ours, "connected")
        for page in (overview, tasks, workers):
            await_link(page, "live")
            expect(page.get_by_test_id("banner-link")).to_have_count(0)
        # The new process counts anew, and has the tasks of before from the history.
        agree(lambda: figure(overview, "account-events"), lambda: 0)
        send(redis_server, 2, first=5)
        beat(redis_server, "two@shop")
        agree(lambda: figure(overview, "account-events"), lambda: 3)
        agree(lambda: total(tasks), lambda: 7)
        agree(lambda: rows(tasks).count(), lambda: 7)
        agree(lambda: known_workers(workers), lambda: ["two@shop"])
        for page in (overview, tasks, workers):
            assert is_marked(page)


# ---------------------------------------------------------------------- the stream


def test_two_tabs_share_one_stream_each_with_its_own_list_and_one_goes_on_alone(
    known: Known, visitor: Visitor
) -> None:
    with Turnstile(known.port).running() as way, visitor:
        failed = visitor.open(way.url + query_address("state:failure"))
        mail = visitor.open(way.url + query_address("queue:mail"))
        overview = visitor.open(way.url)
        failed.bring_to_front()
        views = {"query state:failure", "query queue:mail"}
        settles(
            lambda: [
                {part for part in stream if part.startswith("query")} for stream in way.streams()
            ],
            [views],
        )
        for page, query in ((failed, "state:failure"), (mail, "queue:mail")):
            await_link(page, "live")
            agree(partial(total, page), partial(known.count, query))
        before = total(failed)
        known.send("shared-1", "shared-2")
        agree(lambda: total(mail), lambda: known.count("queue:mail"))
        agree(lambda: set(listed(mail)[:2]), lambda: {"shared-1", "shared-2"})
        assert total(failed) == before
        assert not {"shared-1", "shared-2"} & set(listed(failed))

        failed.close()
        mail.close()
        settles(way.streams, [{"overview", "grid"}])
        known.send("shared-3")
        agree(
            lambda: figure(overview, "account-events"),
            lambda: known.console.get("/api/v1/overview")["ingest"]["events"],
        )
        overview.close()
        settles(way.streams, [])


def test_a_stream_that_is_cut_goes_on_where_it_was_and_doubles_nothing(
    known: Known, visitor: Visitor
) -> None:
    visitor.expected = [CONSOLE_AWAY]
    with Turnstile(known.port).running() as way, visitor:
        page = visitor.open(f"{way.url}/tasks")
        mark(page)
        agree(lambda: total(page), known.count)
        # Held, the page counts every change that it is told of: none twice, none missed.
        page.get_by_test_id("freeze").click()
        newer = page.get_by_test_id("newer")
        known.send("cut-0")
        expect(newer).to_have_attribute("data-count", "1")
        for lap in range(1, 4):
            way.cut()
            known.send(f"cut-{lap}", f"cut-{lap}-too")
            expect(newer).to_have_attribute("data-count", str(1 + 2 * lap))
            await_link(page, "live")
        agree(lambda: total(page), known.count)
        opened = [path for path in way.requests if "/api/v1/live?" in path]
        assert all(re.search(r"[?&]resume=[^&]", path) for path in opened[-3:]), opened
        page.get_by_test_id("freeze").click()
        agree(lambda: {uuid[:4] for uuid in listed(page)[:7]}, lambda: {"cut-"})
        shown = listed(page)
        assert len(shown) == len(set(shown))
        assert is_marked(page)


def test_where_streams_do_not_get_through_the_page_asks_for_figures_and_says_so(
    known: Known, visitor: Visitor
) -> None:
    visitor.expected = [r"status of 503"]
    with Turnstile(known.port).running() as way, visitor:
        way.refused = "/api/v1/live"
        tasks = visitor.context.new_page()
        tasks.goto(f"{way.url}/tasks")
        overview = visitor.context.new_page()
        overview.goto(way.url)
        for page in (tasks, overview):
            await_link(page, "polling")
            expect(page.get_by_test_id("banner")).to_be_visible()
        for lap in range(2):
            known.send(f"polled-{lap}")
            agree(lambda: total(tasks), known.count)
            agree(lambda: listed(tasks)[0], partial(str, f"polled-{lap}"))
            agree(
                lambda: figure(overview, "account-events"),
                lambda: known.console.get("/api/v1/overview")["ingest"]["events"],
            )
