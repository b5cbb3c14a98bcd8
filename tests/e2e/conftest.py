"""A real Chromium, Debian's; nothing is downloaded. And the demo that most tests look at."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import free_port, need_binary
from tests.demo import running_demo, until
from tests.e2e.browsing import Visitor, figure
from tests.e2e.house import House, running_house
from tests.e2e.known import Known, running_known
from tests.e2e.shop import Shop
from tests.integration.watching import Console

_OPTIONS = (
    "--no-sandbox",  # CI runs as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# A machine on which much else runs takes its time for a step to another page.
expect.set_options(timeout=15_000)


# Not for the whole run: Playwright keeps an event loop in this thread, and the tests of other
# directories want to run their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = need_binary("chromium", debian="chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """A new browser profile; at the end of the test nothing may have gone wrong in it."""
    with Visitor(browser) as visitor:
        yield visitor
    assert visitor.faults() == []


@pytest.fixture(scope="package")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory, port = tmp_path_factory.mktemp("demo"), free_port()
    began = time.monotonic()
    # All that happens while the tests run, however slowly they do: what the page counts over memory
    # and history is then what the memory has.
    with running_demo(directory, port=port, settings={"CELERYSCOPE_MAX_TASKS": "200000"}) as demo:
        url = demo.page_url.rstrip("/")
        until(lambda: _accepts(port), seconds=15, otherwise=lambda: demo.output)
        with Visitor(browser) as visitor:
            page = visitor.open(url)
            first = figure(page, "account-events")
            until(lambda: figure(page, "account-events") > first, seconds=20)
            until(lambda: figure(page, "figure-done") > 0, seconds=20)
            took = time.monotonic() - began
        yield Shop(demo, Console(url, demo.process, directory / "demo.out"), took)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="package")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    with running_known(tmp_path_factory.mktemp("known")) as known:
        yield known


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("house")) as house:
        yield house
