"""A console that asks for a login, and the people who live there."""

from __future__ import annotations

import base64
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from celeryscope.model.actor import Role, Scope
from celeryscope.web.auth.users import User, Users
from tests.conftest import running_redis
from tests.e2e.browsing import THEMES, Visitor, await_link, axe
from tests.integration.watching import Console, console

PASSWORD: Final = "correct horse battery"
PEOPLE: Final[Mapping[str, tuple[Role, Scope]]] = {
    "ada": ("admin", Scope()),
    "otto": ("operator", Scope()),
    "vera": ("viewer", Scope()),
    "mila": ("operator", Scope(queues=("mail*", "media"), tasks=("shop.*",))),
}
#: Chromium tells of each answer that is no success, whatever the page makes of it.
REFUSED: Final = r"status of 401"


class House(NamedTuple):
    """The console, and where it keeps its data."""

    console: Console
    data: Path

    @property
    def url(self) -> str:
        return self.console.url

    def ask(self, path: str, body: object = None, *, who: str = "ada") -> Any:
        """GET a path, or POST a body there, as one of them; give the answer."""
        return json.loads(self._send(path, body, who).decode())

    def _send(self, path: str, body: object, who: str) -> bytes:
        shown = base64.b64encode(f"{who}:{PASSWORD}".encode()).decode()
        return send(self.url + path, body, {"authorization": f"Basic {shown}"})

    def audited(self, **which: object) -> list[Any]:
        """Give the newest entries of the audit trail."""
        entries: list[Any] = self.ask(f"/api/v1/audit?{urlencode(which)}")["entries"]
        return entries


def send(url: str, body: object, headers: Mapping[str, str]) -> bytes:
    """GET an address, or POST a body there. Raises HTTPError."""
    given = {} if body is None else {"content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {**headers, **given})
    with urllib.request.urlopen(request, timeout=20) as answer:
        told: bytes = answer.read()
    return told


def status(url: str, headers: Mapping[str, str]) -> int:
    """Give the status that an address answers with."""
    try:
        send(url, None, headers)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    return 200


def fill_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the form of the page to log in, and send it."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def enter(visitor: Visitor, house: House, name: str, path: str = "/") -> Page:
    """Open a page as somebody who has to log in first; give it when it is live."""
    page = visitor.context.new_page()
    page.goto(house.url + path)
    fill_in(page, name)
    await_link(page, "live")
    return page


def show_who(page: Page) -> None:
    """Open the menu that tells who one is."""
    page.get_by_test_id("who").click()
    expect(page.get_by_test_id("who-menu")).to_be_visible()


def unreadable(page: Page) -> dict[str, list[str]]:
    """Give what axe finds serious in either theme, by theme."""
    found: dict[str, list[str]] = {}
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        if faults := axe(page):
            found[theme] = faults
    return found


@contextlib.contextmanager
def running_house(directory: Path) -> Iterator[House]:
    data = directory / "data"
    data.mkdir(mode=0o700)
    users = Users(data / "users.json")
    for name, (role, scope) in PEOPLE.items():
        users.add(User(name=name, role=role, scope=scope), PASSWORD)
    with (
        running_redis(directory) as broker,
        console(broker, directory, "--data-dir", str(data), "--mask", "hunter2") as ours,
    ):
        yield House(ours, data)
