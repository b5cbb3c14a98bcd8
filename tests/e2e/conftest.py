"""A real Chromium, Debian's; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import need_binary
from tests.e2e.browsing import Visitor

_OPTIONS = (
    "--no-sandbox",  # CI runs as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Not for the whole run: Playwright keeps an event loop in this thread, and the tests of other
# directories want to run their own.
@pytest.fixture(scope="module")
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
