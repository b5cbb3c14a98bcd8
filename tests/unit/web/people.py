"""People of every role who come in every way, for tests of the web room."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import httpx
import pytest

from celeryscope.audit.trail import Trail
from celeryscope.cluster import runs
from celeryscope.control.action import ItemResult, WorkerResult
from celeryscope.history.store import History
from celeryscope.model.actor import Actor, Role, Scope
from celeryscope.model.event import Event
from celeryscope.model.message import Message
from celeryscope.model.schedule import Entry, Schedule
from celeryscope.model.task import Task
from celeryscope.web.auth import users as module
from celeryscope.web.auth.door import CSRF_HEADER, Door
from celeryscope.web.auth.throttle import Throttle
from celeryscope.web.auth.tokens import Tokens
from celeryscope.web.auth.users import User, Users
from tests.unit.web.standins import NOW, WORKER, Cluster, Inspection, QueueDepth, heartbeat, life

#: How somebody shows who they are; "no csrf": by a session, and not by a page of ours.
Way = Literal["cookie", "no csrf", "bearer", "basic"]
WAYS: Final[tuple[Way, ...]] = ("cookie", "no csrf", "bearer", "basic")
THEIRS: Final = Scope(queues=("mail*",), tasks=("shop.*",))
PASSWORD: Final = "correct horse"


class Person(NamedTuple):
    name: str
    role: Role
    scope: Scope = Scope()


PEOPLE: Final = (
    Person("viewer", "viewer"),
    Person("operator", "operator"),
    Person("admin", "admin"),
    Person("limited viewer", "viewer", THEIRS),
    Person("limited operator", "operator", THEIRS),
    Person("limited admin", "admin", THEIRS),
)


class Recorded(Trail):
    """A trail whose entries a test can look at."""

    def __init__(self) -> None:
        super().__init__(None)
        self.entries: list[dict[str, Any]] = []

    def write(self, **entry: Any) -> None:
        self.entries.append(entry)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["kind"] == kind]


def users_in(directory: Path, *people: Person) -> Users:
    users = Users(directory / "users.json")
    for person in people:
        users.add(User(name=person.name, role=person.role, scope=person.scope), PASSWORD)
    return users


def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a password cost next to nothing: for tests of other things."""
    monkeypatch.setattr(module, "_TIME_COST", 1)
    monkeypatch.setattr(module, "_MEMORY_KIB", 64)
    monkeypatch.setattr(module, "_NOBODYS", module._nobodys_hash())


class House:
    """A cluster with two teams, and a door that knows everybody.

    Tasks of the one are called shop.… and wait in mail…, those of the other bank.… in bank.
    """

    def __init__(self, users: Users, **door: Any) -> None:
        self.trail = Recorded()
        door.setdefault("anonymous", None)
        door.setdefault("open_settings", ())
        self.door = Door(users=users, tokens=Tokens(None), trail=self.trail, **door)
        self.cluster = Cluster()
        fill(self.cluster)
        self.cluster.services = dataclasses.replace(self.cluster.services, door=self.door)
        self._bearers: dict[str, str] = {}

    def credentials(self, person: Person, way: Way) -> dict[str, str]:
        """Give the headers that somebody shows who comes this way; a session is a new one."""
        if way == "basic":
            both = f"{person.name}:{PASSWORD}".encode()
            return {"authorization": "Basic " + base64.b64encode(both).decode()}
        if way == "bearer":
            return {"authorization": "Bearer " + self._bearer(person)}
        cookie = self.log_in(person)
        headers = {"cookie": f"{self.door.cookie}={cookie}"}
        if way == "cookie":
            headers[CSRF_HEADER] = self.csrf(cookie)
        return headers

    def log_in(self, person: Person, way: Any = "password") -> str:
        """Begin a session; gives the value of its cookie."""
        actor = Actor(
            name=person.name, role=person.role, scope=person.scope, way=way, address="10.0.0.9"
        )
        return self.door._log_in(actor, "test", None)

    def csrf(self, cookie: str) -> str:
        found = self.door.sessions.find(cookie, now=self.door.clock())
        assert found is not None
        return self.door.sessions.csrf(found.session)

    def forgive(self) -> None:
        """Forget wrong passwords, and which denials were written."""
        self.door.throttle = Throttle()
        self.door._denied.clear()

    def client(self, **options: Any) -> httpx.AsyncClient:
        return self.cluster.client(**options)

    def _bearer(self, person: Person) -> str:
        if person.name not in self._bearers:
            _, secret = self.door.tokens.create(
                name=person.name,
                role=person.role,
                scope=person.scope,
                expires_at=None,
                now=self.door.clock(),
            )
            self._bearers[person.name] = secret
        return self._bearers[person.name]


def events() -> list[Event]:
    """Give what the two teams' tasks tell."""
    return [
        *life("mine", 1, name="shop.mail", queue="mail", args="('mine-args',)"),
        *life("bank", 2, name="bank.pay", queue="bank", args="('bank-secret',)"),
        *life("mine-failed", 3, name="shop.mail", queue="mail", state="FAILURE"),
        *life("bank-failed", 4, name="bank.audit", queue="bank", state="FAILURE"),
        *life("bank-by-name", 5, name="bank.pay", queue="mail", args="('bank-secret',)"),
        *life("bank-by-queue", 6, name="shop.mail", queue="bank", args="('bank-secret',)"),
        *life("bank-nowhere", 7, name="shop.mail", queue=None, args="('bank-secret',)"),
        *life("mine-child", 8, name="shop.mail", queue="mail", parent_id="bank", root_id="bank"),
        *life("bank-child", 9, name="bank.pay", queue="bank", parent_id="mine", root_id="mine"),
    ]  # fmt: skip


def history_in(directory: Path) -> History:
    """Make a history of the two teams' tasks; whoever asks for it closes it."""
    history = History.open(directory / "history.db", judge=runs.judge, number=runs.attempts)
    changes = [(event, Task(uuid=event.uuid or "", first_seen=NOW), None) for event in events()]
    history.write(changes)
    history.flush()
    return history


def fill(cluster: Cluster) -> None:
    """Put two teams' tasks, queues, messages and schedules into a cluster."""
    cluster.feed([heartbeat(), *events()])
    cluster.queues.put(QueueDepth("mail", 3), QueueDepth("mail.slow", 1), QueueDepth("bank", 4))
    cluster.inspector.latest = {WORKER: inspection()}
    cluster.messages.waiting = {
        "mail": [message("w1", "shop.mail", 0), message("w2", "bank.pay", 1)],
        "bank": [message("w3", "bank.pay", 0)],
    }
    cluster.schedules.latest = [
        Schedule(
            source="beat_schedule",
            state="read",
            said="4 entries: bank-nightly and others.",
            read_at=NOW,
            entries=(
                entry("mail-nightly", "shop.mail", queue="mail"),
                entry("bank-nightly", "bank.pay", queue="bank"),
                entry("bank-in-mail", "bank.pay", queue="mail"),
                entry("mail-anywhere", "shop.mail"),
            ),
        )
    ]


def entry(name: str, task: str, **options: Any) -> Entry:
    return Entry(
        source="beat_schedule", name=name, task=task, schedule="now and then", raw="* * * * *",
        args=("bank-secret" if task.startswith("bank") else "mine",), options=options,
    )  # fmt: skip


def message(uuid: str, name: str, position: int) -> Message:
    args = "('bank-secret',)" if name.startswith("bank") else "('mine-args',)"
    return Message(
        position=position, size_bytes=100 + position, uuid=uuid, name=name, args=args,
        root_id="bank", parent_id="bank", headers={"who": args}, origin="gen1@app",
    )  # fmt: skip


def inspection() -> Inspection:
    def request(uuid: str, name: str) -> dict[str, Any]:
        return {"id": uuid, "name": name, "args": ["bank-secret" if "bank" in name else "mine"]}

    both = [request("mine", "shop.mail"), request("bank", "bank.pay"),
            request("bank-by-queue", "shop.mail"), request("bank-never-told", "shop.mail"), "x", None]  # fmt: skip
    return Inspection(
        hostname=WORKER,
        at=NOW,
        lists_at=NOW,
        stats={"pool": {"max-concurrency": 4}, "total": {"shop.mail": 5, "bank.pay": 6}},
        registered=["shop.mail [rate_limit=10/m]", "bank.pay", "bank.audit"],
        active_queues=[{"name": "mail"}, {"name": "bank"}, {"name": "mail.slow"}],
        conf={"task_routes": {"bank.pay": "bank"}},
        active=both,
        reserved=both,
        scheduled=[{"eta": "2026", "request": one} for one in both],
        revoked=["mine", "bank", "bank-never-told"],
    )


def answer_at_once(cluster: Cluster) -> None:
    """Let every command be over when it is sent."""
    cluster.desk.coming = [WorkerResult(WORKER, True, "ok", answers=1, value={"ok": "done"})]
    cluster.desk.report = {"items": (ItemResult("x", "ok", task_id="new", effect="done"),)}


def given(arguments: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Give the body of a command."""
    return {"arguments": dict(arguments), **more}
