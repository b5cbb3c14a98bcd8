"""The page when something is away: it says so, keeps what it knows, and goes on by itself."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from celery import Celery
from playwright.sync_api import Page, expect

from tests.conftest import free_port, running_redis
from tests.e2e.browsing import CONSOLE_AWAY, Visitor, agree, await_link, figure
from tests.integration.watching import Console, console, sent

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture
def broker_port() -> int:
    """Of a broker that comes and goes."""
    return free_port()


def send(broker: str, count: int) -> None:
    app = Celery(broker=broker)
    try:
        sent(app, count=count)
    finally:
        app.close()


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
            mark(page)
            before = len(ours.get("/api/v1/overview")["gaps"])  # until the first connection
            send(broker, 5)
            agree(lambda: figure(page, "account-events"), lambda: 5)
        expect(page.get_by_test_id("banner-broker")).to_contain_text(
            "The broker cannot be reached."
        )
        gaps = page.get_by_test_id("gaps")
        expect(gaps).to_have_attribute("data-value", str(before + 1))
        expect(gaps.get_by_role("listitem").first).to_contain_text("still open")
        assert figure(page, "account-events") == 5  # what is known stays

        with running_redis(tmp_path, port=broker_port) as broker:
            await_broker(ours, "connected")
            expect(page.get_by_test_id("banner-broker")).to_have_count(0)
            send(broker, 3)
            agree(lambda: figure(page, "account-events"), lambda: 8)
            gap = ours.get("/api/v1/overview")["gaps"][0]
            assert 0 < gap["end"] - gap["start"] < 30
            shown = gaps.get_by_role("listitem").first
            expect(shown).to_contain_text(re.compile(r"for [\d.]+ (m?s)"))
            expect(shown).to_contain_text(gap["reason"])
            assert is_marked(page)


def test_a_console_that_is_killed_and_comes_back_is_followed_without_a_reload(
    redis_server: str, tmp_path: Path, visitor: Visitor
) -> None:
    visitor.expected = [CONSOLE_AWAY]
    port = free_port()
    with console(redis_server, tmp_path, port=port) as ours:
        await_broker(ours, "connected")
        send(redis_server, 5)
        overview = visitor.open(ours.url)
        tasks = visitor.open(f"{ours.url}/tasks")
        for page in (overview, tasks):
            mark(page)
        agree(lambda: figure(overview, "account-events"), lambda: 5)
        agree(lambda: tasks.get_by_test_id("tasks").get_attribute("data-total"), lambda: "5")
        os.killpg(ours.process.pid, signal.SIGKILL)
        for page in (overview, tasks):
            await_link(page, "gone")
            expect(page.get_by_test_id("banner-link")).to_contain_text(
                "The console does not answer."
            )
        assert figure(overview, "account-events") == 5  # what is known stays

    with console(redis_server, tmp_path, port=port) as ours, visitor:
        await_broker(ours, "connected")
        for page in (overview, tasks):
            await_link(page, "live")
            expect(page.get_by_test_id("banner-link")).to_have_count(0)
        # The new process knows nothing of what the old one told.
        agree(lambda: figure(overview, "account-events"), lambda: 0)
        send(redis_server, 2)
        agree(lambda: figure(overview, "account-events"), lambda: 2)
        agree(lambda: tasks.get_by_test_id("tasks").get_attribute("data-total"), lambda: "2")
        assert is_marked(overview)
        assert is_marked(tasks)
