"""A console with a login and people in it, asked without a server in between."""

from __future__ import annotations

import base64
import dataclasses
import re
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import anyio

from celeryscope.model.actor import Role, Scope
from celeryscope.web.app import Application
from celeryscope.web.auth.door import Door
from celeryscope.web.auth.sessions import Sessions
from celeryscope.web.auth.tokens import Tokens
from celeryscope.web.auth.users import User, Users
from tests.fuzz.asking import Headers, Told, ask
from tests.unit.web.standins import Cluster

PASSWORD: Final = "correct horse battery"
FORM: Final = [(b"content-type", b"application/x-www-form-urlencoded")]
JSON: Final = [(b"content-type", b"application/json")]


PEOPLE: Final[dict[str, tuple[Role, Scope]]] = {
    "ada": ("admin", Scope()),
    "otto": ("operator", Scope()),
    "vera": ("viewer", Scope()),
}
_made: dict[str, bytes] = {}  # files of users: argon2 takes its time


def _users(directory: Path, people: dict[str, tuple[Role, Scope]]) -> Path:
    path = directory / "users.json"
    if (key := repr(people)) not in _made:
        users = Users(path)
        for name, (role, scope) in people.items():
            users.add(User(name=name, role=role, scope=scope), PASSWORD)
        _made[key] = path.read_bytes()
    path.write_bytes(_made[key])
    path.chmod(0o600)
    return path


class Home:
    """A console in which ada is admin, otto operator and vera viewer, and what one asks of it.

    `anonymous` is what those may do who have not logged in. Other options are the door's.
    """

    def __init__(
        self,
        directory: Path,
        *,
        cluster: Cluster | None = None,
        app: dict[str, Any] | None = None,
        people: dict[str, tuple[Role, Scope]] | None = None,
        **door: Any,
    ) -> None:
        self.users = Users(_users(directory, people or PEOPLE))
        door.setdefault("anonymous", None)
        door.setdefault("tokens", Tokens(None))
        self.door = Door(
            users=self.users,
            sessions=Sessions(None, key=b"k" * 32, idle_seconds=600.0, lifetime_seconds=3_600.0),
            **door,
        )
        self.cluster = cluster or Cluster()
        self.cluster.services = dataclasses.replace(self.cluster.services, door=self.door)
        self.app: Application = self.cluster.app(**(app or {}))

    def ask(self, target: str, **more: Any) -> Told:
        """Ask once; a POST has a body of an empty object unless another is given."""
        headers: Headers = [(b"host", b"localhost"), *more.pop("headers", ())]
        if more.get("method") == "POST" and "body" not in more:
            more["body"] = [b"{}"]
            headers += JSON
        return anyio.run(partial(ask, self.app, target, headers=headers, **more))

    def log_in(self, name: str, password: str = PASSWORD, *, after: str = "/") -> Told:
        """Send the form of the login page."""
        form = f"name={quote(name)}&password={quote(password)}&next={quote(after, safe='')}"
        return self.ask("/login", method="POST", headers=FORM, body=[form.encode()])

    def cookie(self, name: str) -> bytes:
        """Log in; give what a browser sends back."""
        told = self.log_in(name)
        assert told.status == 303, told
        (given,) = told.values("set-cookie")
        return given.partition(";")[0].encode()

    def session(self, name: str) -> Headers:
        """Give the headers of the page of somebody who has logged in."""
        cookie = self.cookie(name)
        me = self.ask("/api/v1/me", headers=[(b"cookie", cookie)])
        found = re.search(rb'"csrf":"([^"]+)"', me.body)
        assert found, me
        return [(b"cookie", cookie), (b"x-celeryscope-csrf", found[1])]

    def token(self, role: Role, scope: Scope | None = None) -> Headers:
        """Give the headers of a program with a token of the command line."""
        _, secret = self.door.tokens.create(
            name=f"a {role}", role=role, scope=scope or Scope(), owner="", expires_at=None,
            now=self.door.clock(),
        )  # fmt: skip
        return [(b"authorization", b"Bearer " + secret.encode())]


def basic(name: str, password: str = PASSWORD) -> Headers:
    """Give the header of HTTP's own login."""
    return [(b"authorization", b"Basic " + base64.b64encode(f"{name}:{password}".encode()))]
