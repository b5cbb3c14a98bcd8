"""What the tests of the page share: a visitor who notices every fault, and a counted way in."""

from __future__ import annotations

import contextlib
import difflib
import re
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pprint import pformat
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    ViewportSize,
)

from tests.conftest import REPOSITORY, free_port, need

DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
#: From the smallest phone to the largest desk.
SIZES: tuple[ViewportSize, ...] = (
    {"width": 380, "height": 740},
    {"width": 768, "height": 1024},
    DESKTOP,
    {"width": 2560, "height": 1440},
)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

#: A browser that cannot reach the console, or is cut off in the middle of an answer, says so in its
#: own console, whatever the page does.
CONSOLE_AWAY = (
    r"net::ERR_(CONNECTION_|EMPTY_RESPONSE|INCOMPLETE_CHUNKED|SOCKET_NOT_CONNECTED"
    r"|CONTENT_LENGTH_MISMATCH)"
)

_AXE = REPOSITORY / "ui" / "node_modules" / "axe-core" / "axe.min.js"
# A console stands behind one name; whatever the page wants from elsewhere is a fault.
_OURS = re.compile(r"(https?://127\.0\.0\.1:\d+/|data:|blob:|about:)")


class Visitor:
    """A person's browser: its tabs share the stream. What goes wrong in them is kept.

    It leaves at the end of its `with` block: to be before the end of the console it looks at.
    `expected` are patterns of faults that belong to the test, such as CONSOLE_AWAY.
    """

    def __init__(self, browser: Browser) -> None:
        self.expected: list[str] = []
        self._faults: list[str] = []
        self.context = browser.new_context(viewport=DESKTOP, color_scheme="light")
        self.context.set_default_timeout(15_000)
        self.context.on("page", self._watch)
        # What the policy keeps from running is told as a fault, whoever asked for it.
        self.context.add_init_script(
            """addEventListener('securitypolicyviolation', ({violatedDirective, blockedURI}) =>
                console.error('against the policy:', violatedDirective, blockedURI))"""
        )

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def open(self, url: str, *, live: bool = True) -> Page:
        """Open a tab; give it when its stream is up."""
        page = self.context.new_page()
        page.goto(url)
        if live:
            await_link(page, "live")
        return page

    def faults(self) -> list[str]:
        """Give what went wrong up to now and was not expected."""
        known = re.compile("|".join(self.expected) or r"\A\Z(?!)")
        return [fault for fault in self._faults if not known.search(fault)]

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._note(page, f"uncaught {error}"))
        page.on("console", self._console)
        page.on("dialog", lambda dialog: self._dialog(page, dialog))
        page.on("request", self._request)
        page.on("crash", lambda page: self._note(page, "the tab crashed"))

    def _note(self, page: Page | None, fault: str) -> None:
        self._faults.append(f"{page.url if page else '?'}: {fault}"[:1000])

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            where = message.location.get("url", "")
            self._note(message.page, f"console {message.type}: {message.text} {where}")

    def _dialog(self, page: Page, dialog: Dialog) -> None:
        self._note(page, f"a dialog said {dialog.message!r}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not _OURS.match(request.url):
            self._faults.append(f"a request went elsewhere: {request.url}"[:1000])


# ---------------------------------------------------------------------- what a page shows


def await_link(page: Page, state: str) -> None:
    """Wait until the page says that of its connection to the console."""
    page.wait_for_selector(f"[data-testid=link][data-value={state}]")


def figure(page: Page, test_id: str) -> float:
    """Give the number behind what a person reads there, now."""
    return float(page.get_by_test_id(test_id).get_attribute("data-value") or "nan")


def figures(page: Page, prefix: str) -> dict[str, float]:
    """All figures whose name starts so, of one moment; without those that have no number."""
    told: dict[str, str] = page.evaluate(
        """prefix => Object.fromEntries(
            [...document.querySelectorAll(`[data-testid^="${prefix}"][data-value]`)]
                .map(e => [e.dataset.testid.slice(prefix.length), e.dataset.value]))""",
        prefix,
    )
    return {name: float(value) for name, value in told.items()}


def query_address(query: str) -> str:
    """Give the address of the tasks that a query matches, as the page writes it."""
    return f"/tasks?query={quote(query, safe='*-._:,@').replace('%20', '+')}"


def total(page: Page) -> float:
    """How many tasks match, as the page tells."""
    return float(page.get_by_test_id("tasks").get_attribute("data-total") or "nan")


def rows(page: Page) -> Locator:
    """Find the rows of the list of tasks that are drawn."""
    return page.locator("[data-testid=tasks] [role=row][data-uuid]")


def listed(page: Page) -> list[str]:
    """The ids in the list of tasks that are drawn, in its order."""
    told: list[str] = rows(page).evaluate_all(
        """rows => rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
            .map(row => row.dataset.uuid)"""
    )
    return told


def fact(page: Page, name: str) -> Locator:
    """Find what stands beside a name in a list of facts."""
    return page.locator(f"//dl/div[normalize-space(dt)='{name}']/dd[1]").first


def unfold(page: Page) -> None:
    """Show the whole of every long text."""
    folded = page.get_by_role("button", name="more characters")
    while folded.count():
        folded.first.click()


def text_in(place: Locator) -> str:
    """Give the one text of the cluster that is shown there, without the page's own words."""
    return place.locator("bdi").text_content() or ""


def too_wide_by(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways; none is as it should be."""
    wide: int = page.evaluate(
        """() => {
            window.scrollTo({left: 100_000, behavior: 'instant'});
            const wide = window.scrollX;
            window.scrollTo({left: 0, behavior: 'instant'});
            return wide;
        }"""
    )
    return wide


def axe(page: Page) -> list[str]:
    """What axe-core finds serious or worse."""
    need(_AXE.is_file(), "axe-core is not installed: make ui")
    # Not as a script element: the page's policy forbids those.
    page.evaluate(_AXE.read_text())
    # Halfway between two colours the contrast is that of neither.
    page.evaluate(
        """Promise.all(document.getAnimations()
            .filter(moving => moving.effect.getComputedTiming().iterations !== Infinity)
            .map(moving => moving.finished.catch(() => undefined)))"""
    )
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["passes"], "axe looked at nothing"
    return [
        f"{violation['impact']} {violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:3]
    ]


def agree(
    page: Callable[[], Any],
    truth: Callable[[], Any],
    *,
    seconds: float = 20,
    moving: bool = False,
) -> None:
    """Wait until the page shows the truth; both are asked anew until they are the same.

    `moving`: the truth moves on by itself, and the page may show what it was just before.
    """
    give_up_at = time.monotonic() + seconds
    before = truth() if moving else None
    while (shown := page()) != (true := truth()) and not (moving and shown == before):
        before = true
        if time.monotonic() > give_up_at:
            pytest.fail(f"the page (-) does not show what is true (+):\n{_difference(shown, true)}")
        time.sleep(0.1)


def _difference(shown: object, true: object) -> str:
    page, truth = (pformat(value).splitlines() for value in (shown, true))
    return "\n".join(difflib.unified_diff(page, truth, lineterm="", n=1))


def catches_up(shown: Callable[[], float], truth: Callable[[], float]) -> None:
    """A figure that only grows: soon the page has what was true, and never more than is true."""
    before = truth()
    give_up_at = time.monotonic() + 3
    while (now := shown()) < before or now != now:  # NaN: nothing is shown yet
        assert time.monotonic() < give_up_at, f"the page shows {now}, and {before} was true 3 s ago"
        time.sleep(0.05)
    assert now <= truth()


def sinks_with(shown: Callable[[], float], truth: Callable[[], float]) -> None:
    """A figure that only falls, as that of `since:5m` does where nothing happens any more.

    Soon the page has what is true at some moment from now on, and never less than is true.
    """
    before = truth()
    give_up_at = time.monotonic() + 20
    while not (now := shown()) <= before:  # NaN: nothing is shown yet
        assert time.monotonic() < give_up_at, (
            f"the page shows {now}, and {before} was true 20 s ago"
        )
        time.sleep(0.05)
    assert now >= truth()


# ---------------------------------------------------------------------- a counted way in


def _asked(path: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(path).query, keep_blank_values=True)


_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Turnstile:
    """A way to a console that counts who goes through: the requests, and the open streams.

    A browser does not tell of the requests of its shared workers; here they are seen. It can be
    cut, and it can refuse.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[str] = []
        self.refused = ""  # requests with this in their path are answered with 503
        self._console = port
        self._now: dict[socket.socket, str] = {}  # open connection -> what it was asked last
        self._lock = threading.Lock()
        turnstile = self

        class Passage(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    turnstile._pass(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", free_port()), Passage)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Turnstile]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def streams(self) -> list[set[str]]:
        """What every live stream that is open tells of: topics, and queries."""
        with self._lock:
            asked = list(self._now.values())
        streams = [_asked(path) for path in asked if "/api/v1/live?" in path]
        return [
            {*topics.split(","), *(f"query {view}".strip() for view in asked.get("view", []))}
            for asked in streams
            for topics in asked["topics"]
        ]

    def cut(self) -> None:
        """Cut every connection that is open, as a network does that goes away."""
        with self._lock:
            for browser in self._now:
                with contextlib.suppress(OSError):
                    browser.shutdown(socket.SHUT_RDWR)

    def _pass(self, browser: socket.socket) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self._console)) as console:
                other = {browser: console, console: browser}
                while True:
                    for end in select.select(list(other), [], [])[0]:
                        chunk = end.recv(65_536)
                        if not chunk:
                            return
                        if end is browser and self._note(browser, chunk):
                            browser.sendall(_REFUSAL)
                            return
                        other[end].sendall(chunk)
        finally:
            with self._lock:
                self._now.pop(browser, None)

    def _note(self, browser: socket.socket, chunk: bytes) -> bool:
        """Take down what is asked for; True when it is refused."""
        asked = re.match(rb"[A-Z]+ (\S+) HTTP/1\.1\r\n", chunk)
        if asked is None:
            return False
        path = asked[1].decode()
        with self._lock:
            self._now[browser] = path
            self.requests.append(path)
        return bool(self.refused) and self.refused in path


def settles(found: Callable[[], Any], expected: Any, *, seconds: float = 6) -> None:
    """Wait until that is found, and see that it stays so for a second."""
    give_up_at = time.monotonic() + seconds
    since: float | None = None
    while since is None or time.monotonic() < since + 1:
        now = found()
        since = (since or time.monotonic()) if now == expected else None
        if since is None and time.monotonic() > give_up_at:
            pytest.fail(f"it is {now}, not {expected}")
        time.sleep(0.05)
