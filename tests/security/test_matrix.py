"""Who may do what: every route, command, role and way in, against rules that stand here alone.

What each route needs is written down here once more, by hand. It is not read from the policy: a
mistake there must not make its own test pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import httpx
import pytest
from starlette.routing import Route

from celeryscope.control.commands import COMMANDS
from celeryscope.history.store import History
from celeryscope.model.actor import RANKS, Role
from celeryscope.web import app as web
from celeryscope.web.auth.guard import Guard, GuardedRoute
from celeryscope.web.auth.policy import RULES
from celeryscope.web.auth.users import Users
from tests.unit.web.people import (
    PEOPLE,
    WAYS,
    House,
    Person,
    Way,
    answer_at_once,
    given,
    history_in,
    users_in,
)
from tests.unit.web.standins import WORKER, Cluster

pytestmark = pytest.mark.anyio

Limited = Literal["theirs", "refused"]
OPEN: Final = None


class Asked(NamedTuple):
    """A request, and who may make it."""

    method: str
    route: str  # as the policy names it
    role: Role | None  # at least this one; None: anybody, known or not
    path: str  # an address of it, of something that is everybody's or the mail team's
    status: int = 200  # when one may
    limited: Limited = "theirs"
    changes: bool = False  # refused where nothing may be changed
    body: Any = None
    limited_status: int = 0  # where it is another one for limited people


TASK = "/api/v1/tasks/mine"
FAMILY = "/api/v1/families/mine"
STARTED = "/api/v1/started/beat_schedule:mail-nightly"
FLOWER = f"workername={WORKER}"
TABLE = "?draw=1&start=0&length=10&order[0][column]=0"

#: Everything there is. Commands of `/api/v1/control` have a table of their own.
REQUESTS: Final = (
    # ---- who comes in
    Asked("GET", "/login", OPEN, "/login"),
    Asked("POST", "/login", OPEN, "/login", 401),  # with a wrong password
    Asked("GET", "/login/", OPEN, "/login/"),
    Asked("GET", "/login/start", OPEN, "/login/start", 404),  # there is no provider
    Asked("GET", "/login/callback", OPEN, "/login/callback", 400),
    Asked("GET", "/logout", OPEN, "/logout", 303),
    Asked("POST", "/logout", OPEN, "/logout"),
    # ---- machines
    Asked("GET", "/metrics", "viewer", "/metrics", limited="refused"),
    Asked("GET", "/healthcheck", "viewer", "/healthcheck"),
    Asked("GET", "/health", "viewer", "/health"),
    Asked("GET", "/-/healthy", "viewer", "/-/healthy"),
    Asked("GET", "/-/ready", "viewer", "/-/ready"),
    # ---- seeing
    Asked("GET", "/api/v1/me", "viewer", "/api/v1/me"),
    Asked("GET", "/api/v1/overview", "viewer", "/api/v1/overview"),
    Asked("GET", "/api/v1/workers", "viewer", "/api/v1/workers"),
    Asked("GET", "/api/v1/workers/{hostname:path}", "viewer", f"/api/v1/workers/{WORKER}"),
    Asked("GET", "/api/v1/queues", "viewer", "/api/v1/queues"),
    Asked("GET", "/api/v1/queues/{name:path}/messages", "viewer", "/api/v1/queues/mail/messages"),
    Asked("GET", "/api/v1/tasks", "viewer", "/api/v1/tasks?facets=1"),
    Asked("GET", "/api/v1/tasks/{uuid:path}", "viewer", TASK),
    Asked("GET", "/api/v1/families/{uuid:path}", "viewer", FAMILY),
    Asked("GET", "/api/v1/started/{entry:path}", "viewer", STARTED),
    Asked("GET", "/api/v1/history", "viewer", "/api/v1/history"),
    Asked("GET", "/api/v1/history/tasks", "viewer", "/api/v1/history/tasks"),
    Asked("GET", "/api/v1/history/count", "viewer", "/api/v1/history/count"),
    Asked("GET", "/api/v1/history/export", "viewer", "/api/v1/history/export"),
    Asked("GET", "/api/v1/gaps", "viewer", "/api/v1/gaps"),
    Asked("GET", "/api/v1/insight", "viewer", "/api/v1/insight"),
    Asked("GET", "/api/v1/insight/names/{name:path}", "viewer", "/api/v1/insight/names/shop.mail"),
    Asked("GET", "/api/v1/insight/exceptions", "viewer", "/api/v1/insight/exceptions"),
    Asked("GET", "/api/v1/insight/calendar", "viewer", "/api/v1/insight/calendar"),
    Asked("GET", "/api/v1/names", "viewer", "/api/v1/names"),
    Asked("GET", "/api/v1/ingest", "viewer", "/api/v1/ingest"),
    Asked("GET", "/api/v1/commands", "viewer", "/api/v1/commands"),
    Asked("GET", "/api/v1/actions", "viewer", "/api/v1/actions"),
    # The action is somebody else's: limited people see their own.
    Asked("GET", "/api/v1/actions/{id}", "viewer", "/api/v1/actions/{action}", limited_status=404),
    Asked("GET", "/api/v1/schedules", "viewer", "/api/v1/schedules"),
    Asked("HEAD", "/api/v1/live", "viewer", "/api/v1/live"),  # with GET it would not end
    Asked("GET", "/api/v1/openapi.json", "viewer", "/api/v1/openapi.json"),
    Asked("GET", "/api/v1/audit", "admin", "/api/v1/audit", limited="refused"),
    Asked("GET", "/api/v1/audit/export", "admin", "/api/v1/audit/export", limited="refused"),
    Asked("GET", "/api/v1/sessions", "viewer", "/api/v1/sessions"),
    Asked("GET", "/api/v1/tokens", "viewer", "/api/v1/tokens"),
    Asked("GET", "/api/v1/searches", "viewer", "/api/v1/searches"),
    # ---- changing
    Asked("POST", "/api/v1/searches", "viewer", "/api/v1/searches", 201, changes=True,
          body={"name": "{new}", "query": "state:failure"}),
    Asked("POST", "/api/v1/searches/{id}/remove", "viewer", "/api/v1/searches/999/remove", 404,
          changes=True, body={}),
    Asked("POST", "/api/v1/tokens", "viewer", "/api/v1/tokens", 201, changes=True,
          body={"name": "{new}", "role": "viewer"}),
    Asked("POST", "/api/v1/queues/{name:path}/messages", "operator",
          "/api/v1/queues/mail/messages", changes=True, body={}, limited_status=403),
    Asked("POST", "/api/v1/actions/{id}/stop", "operator", "/api/v1/actions/{action}/stop", 202,
          changes=True, body={}, limited_status=404),
    Asked("POST", "/api/v1/selections", "operator", "/api/v1/selections", 201, changes=True,
          body={"command": "revoke", "query": ""}),
    # What is one's own may be shut out even where nothing may be changed; none of this is there.
    Asked("POST", "/api/v1/sessions/{id}/revoke", "viewer", "/api/v1/sessions/none/revoke", 404,
          body={}),
    Asked("POST", "/api/v1/tokens/{id}/revoke", "viewer", "/api/v1/tokens/none/revoke", 404,
          body={}),
    # ---- Flower's, seeing
    Asked("GET", "/api/workers", "viewer", "/api/workers", limited="refused"),
    Asked("GET", "/api/tasks", "viewer", "/api/tasks"),
    Asked("GET", "/api/task/types", "viewer", "/api/task/types"),
    Asked("GET", "/api/task/info/{task_id:path}", "viewer", "/api/task/info/mine"),
    Asked("GET", "/api/task/result/{name:path}", "viewer", "/api/task/result/mine"),
    Asked("GET", "/api/queues/length", "viewer", "/api/queues/length"),
    Asked("GET", "/tasks/datatable", "viewer", "/tasks/datatable" + TABLE),
    Asked("POST", "/tasks/datatable", "viewer", "/tasks/datatable" + TABLE),
    # ---- Flower's, changing
    Asked("POST", "/api/worker/shutdown/{name:path}", "admin", f"/api/worker/shutdown/{WORKER}",
          changes=True, limited="refused"),
    Asked("POST", "/api/worker/pool/restart/{name:path}", "admin",
          f"/api/worker/pool/restart/{WORKER}", changes=True, limited="refused"),
    Asked("POST", "/api/worker/pool/grow/{name:path}", "operator",
          f"/api/worker/pool/grow/{WORKER}", changes=True, limited="refused"),
    Asked("POST", "/api/worker/pool/shrink/{name:path}", "operator",
          f"/api/worker/pool/shrink/{WORKER}", changes=True, limited="refused"),
    Asked("POST", "/api/worker/pool/autoscale/{name:path}", "operator",
          f"/api/worker/pool/autoscale/{WORKER}?min=1&max=2", changes=True, limited="refused"),
    Asked("POST", "/api/worker/queue/add-consumer/{name:path}", "operator",
          f"/api/worker/queue/add-consumer/{WORKER}?queue=mail", changes=True, limited="refused"),
    Asked("POST", "/api/worker/queue/cancel-consumer/{name:path}", "operator",
          f"/api/worker/queue/cancel-consumer/{WORKER}?queue=mail", changes=True,
          limited="refused"),
    Asked("POST", "/api/task/apply/{name:path}", "operator", "/api/task/apply/shop.mail",
          changes=True, body={"queue": "mail", "timeout": 0}),
    Asked("POST", "/api/task/async-apply/{name:path}", "operator",
          "/api/task/async-apply/shop.mail", changes=True, body={"queue": "mail"}),
    Asked("POST", "/api/task/send-task/{name:path}", "operator",
          "/api/task/send-task/shop.mail", changes=True, body={"queue": "mail"}),
    Asked("POST", "/api/task/abort/{name:path}", "operator", "/api/task/abort/mine",
          changes=True),
    Asked("POST", "/api/task/timeout/{name:path}", "operator",
          f"/api/task/timeout/shop.mail?{FLOWER}&soft=1", changes=True, limited="refused"),
    Asked("POST", "/api/task/rate-limit/{name:path}", "operator",
          f"/api/task/rate-limit/shop.mail?{FLOWER}&ratelimit=1", changes=True,
          limited="refused"),
    Asked("POST", "/api/task/revoke/{name:path}", "operator", "/api/task/revoke/mine",
          changes=True),
    # ---- the page
    Asked("GET", "/", "viewer", "/"),
    Asked("GET", "/workers", "viewer", "/workers"),
    Asked("GET", "/workers", "viewer", "/workers?json=1"),
    Asked("GET", "/workers/{hostname:path}", "viewer", "/workers/any"),
    Asked("GET", "/tasks", "viewer", "/tasks"),
    Asked("GET", "/tasks/{uuid:path}", "viewer", "/tasks/any"),
    Asked("GET", "/queues", "viewer", "/queues"),
    Asked("GET", "/schedules", "viewer", "/schedules"),
    Asked("GET", "/schedules/{entry:path}", "viewer", "/schedules/any"),
    Asked("GET", "/families/{uuid:path}", "viewer", "/families/any"),
    Asked("GET", "/insight", "viewer", "/insight"),
    Asked("GET", "/insight/{name:path}", "viewer", "/insight/shop.mail"),
    Asked("GET", "/access", "viewer", "/access"),
    Asked("GET", "/audit", "viewer", "/audit"),
    Asked("GET", "/broker", "viewer", "/broker", 302),
    Asked("GET", "/worker/{name:path}", "viewer", "/worker/any", 307),
    Asked("GET", "/task/{name:path}", "viewer", "/task/any", 307),
)  # fmt: skip


class Sent(NamedTuple):
    """A command, and who may send it."""

    role: Role
    arguments: Mapping[str, Any]
    limited: Limited = "refused"


#: Every command, with arguments that are the mail team's where that is possible.
COMMANDS_SENT: Final[Mapping[str, Sent]] = {
    "shutdown": Sent("admin", {}),
    "pool_restart": Sent("admin", {}),
    "pool_grow": Sent("operator", {"n": 1}),
    "pool_shrink": Sent("operator", {"n": 1}),
    "autoscale": Sent("operator", {"max": 2}),
    "add_consumer": Sent("operator", {"queue": "mail"}),
    "cancel_consumer": Sent("operator", {"queue": "mail"}),
    "rate_limit": Sent("operator", {"task_name": "shop.mail", "rate_limit": "1/m"}),
    "time_limit": Sent("operator", {"task_name": "shop.mail", "soft": 1}),
    "revoke": Sent("operator", {"ids": ["mine"]}, "theirs"),
    "terminate": Sent("operator", {"ids": ["mine"]}, "theirs"),
    "revoke_by_stamped_headers": Sent("operator", {"headers": {"order": "7"}}),
    "enable_events": Sent("operator", {}),
    "disable_events": Sent("operator", {}),
    "apply": Sent("operator", {"task_name": "shop.mail", "queue": "mail"}, "theirs"),
    "async_apply": Sent("operator", {"task_name": "shop.mail", "queue": "mail"}, "theirs"),
    "send_task": Sent("operator", {"task_name": "shop.mail", "queue": "mail"}, "theirs"),
    "abort": Sent("operator", {"ids": ["mine"]}, "theirs"),
    "retry": Sent("operator", {"ids": ["mine"]}, "theirs"),
    "forget": Sent("operator", {"ids": ["mine"]}, "theirs"),
    "purge": Sent("admin", {"queue": "mail"}),
    "pause_queue": Sent("operator", {"queue": "mail"}),
    "resume_queue": Sent("operator", {"queue": "mail"}),
    "run_entry": Sent("operator", {"entry": "beat_schedule:mail-nightly"}, "theirs"),
    "ping": Sent("viewer", {}, "theirs"),
    "stats": Sent("viewer", {}),
    "active": Sent("viewer", {}),
    "reserved": Sent("viewer", {}),
    "scheduled": Sent("viewer", {}),
    "revoked": Sent("viewer", {}),
    "registered": Sent("viewer", {}),
    "active_queues": Sent("viewer", {}),
    "conf": Sent("viewer", {}),
    "query_task": Sent("viewer", {"ids": ["mine"]}, "theirs"),
}

#: The command behind each of Flower's routes, as this test sees it arrive at the desk.
FLOWER_COMMANDS: Final = {
    "/api/worker/shutdown/": "shutdown", "/api/worker/pool/restart/": "pool_restart",
    "/api/worker/pool/grow/": "pool_grow", "/api/worker/pool/shrink/": "pool_shrink",
    "/api/worker/pool/autoscale/": "autoscale",
    "/api/worker/queue/add-consumer/": "add_consumer",
    "/api/worker/queue/cancel-consumer/": "cancel_consumer",
    "/api/task/apply/": "async_apply", "/api/task/async-apply/": "async_apply",
    "/api/task/send-task/": "send_task", "/api/task/abort/": "abort",
    "/api/task/timeout/": "time_limit", "/api/task/rate-limit/": "rate_limit",
    "/api/task/revoke/": "revoke",
}  # fmt: skip


def may(role: Role, needed: Role) -> bool:
    order = ["viewer", "operator", "admin"]
    return order.index(role) >= order.index(needed)


def expected(asked: Asked, person: Person | None, way: Way, *, read_only: bool) -> int:
    """Say what is answered, by the rules."""
    posts = asked.method == "POST"
    if asked.role is None:
        if asked.route == "/logout" and posts and person is not None and way == "no csrf":
            return 403
        if asked.path in ("/login", "/login/") and not posts and person is not None:
            return 303 if way in ("cookie", "no csrf") else 200
        return asked.status
    if person is None:
        return 401
    if posts and way == "no csrf":
        return 403
    if asked.changes and read_only:
        return 403
    if not may(person.role, asked.role):
        return 403
    if person.scope.limited:
        if asked.limited == "refused":
            return 403
        if asked.limited_status:
            return asked.limited_status
    if asked.route == "/api/v1/tokens" and posts and way == "bearer":
        return 403  # a token makes no other tokens
    return asked.status


#: One history for all: what the matrix asks of it changes nothing but saved searches.
_kept: dict[str, History] = {}


@pytest.fixture(scope="module", autouse=True)
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    _kept["history"] = history_in(tmp_path_factory.mktemp("history"))
    yield
    _kept.pop("history").close()


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    return users_in(tmp_path_factory.mktemp("users"), *PEOPLE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    html = "<!doctype html><html><head><base href='/'></head><body></body></html>"
    (dist / "index.html").write_text(html)
    (dist / "login.html").write_text(html)
    return dist


def _searches() -> int:
    with _kept["history"].reading() as db:
        count: int = db.execute("SELECT count(*) FROM saved_search").fetchone()[0]
        return count


class Ground:
    """What a denied request must leave as it is."""

    def __init__(self, house: House) -> None:
        cluster = house.cluster
        self._reads: tuple[Callable[[], int], ...] = (
            lambda: len(cluster.desk.sent),
            lambda: len(cluster.desk.stopped),
            lambda: len(cluster.messages.asked),
            lambda: len(cluster.results.asked),
            lambda: len(house.door.tokens.list()),
            lambda: len(cluster.services.selections._kept),
            lambda: cluster.state.task_changes,
            _searches,
        )
        self.before = self.now()

    def now(self) -> list[int]:
        return [read() for read in self._reads]


def fresh(users: Users, **door: Any) -> tuple[House, str]:
    """Make a house in which somebody with no limits sent a command."""
    house = House(users, **door)
    services = house.cluster.services
    house.cluster.services = dataclasses.replace(services, history=_kept["history"])
    answer_at_once(house.cluster)
    report = dict(house.cluster.desk.report)
    coming, house.cluster.desk.coming = house.cluster.desk.coming, []
    action = house.cluster.desk.send("revoke", {"ids": ["bank"]})
    house.cluster.desk.coming, house.cluster.desk.report = coming, report
    return house, action.id


async def ask(
    http: httpx.AsyncClient, asked: Asked, headers: Mapping[str, str], *, action: str, new: str
) -> httpx.Response:
    body = asked.body
    if isinstance(body, dict):
        body = {key: new if value == "{new}" else value for key, value in body.items()}
    options: dict[str, Any] = {} if body is None else {"json": body}
    path = asked.path.replace("{action}", action)
    return await http.request(asked.method, path, headers=headers, **options)


@pytest.mark.parametrize("read_only", [False, True], ids=["", "read-only"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("person", [None, *PEOPLE], ids=lambda one: one.name if one else "nobody")
async def test_every_route_answers_everybody_as_the_rules_say(
    person: Person | None, way: Way, read_only: bool, users: Users, page: Path
) -> None:
    house, action = fresh(users, read_only=read_only)
    wrong: list[str] = []
    async with house.client(assets_dir=page) as http:
        for number, asked in enumerate(REQUESTS):
            house.forgive()
            headers = {} if person is None else house.credentials(person, way)
            if way == "no csrf" and number % 2:
                headers["x-celeryscope-csrf"] = "of another session"
            ground, entries = Ground(house), len(house.trail.of("denied"))
            answer = await ask(http, asked, headers, action=action, new=f"{way}{number}")
            http.cookies.clear()
            wanted = expected(asked, person, way, read_only=read_only)
            if answer.status_code != wanted:
                wrong.append(f"{asked.method} {asked.path}: {answer.status_code}, not {wanted}")
            if wanted in (401, 403):
                if ground.now() != ground.before:
                    wrong.append(f"{asked.method} {asked.path}: refused, and did something")
                is_told = len(house.trail.of("denied")) == entries + 1
                tells = wanted == 403 and asked.method == "POST" and asked.route != "/logout"
                if tells and not is_told and not _is_token(asked, way):
                    wrong.append(f"{asked.method} {asked.path}: refused, and not written down")
    assert wrong == []


def _is_token(asked: Asked, way: Way) -> bool:
    return asked.route == "/api/v1/tokens" and way == "bearer"


@pytest.mark.parametrize("role", [None, *RANKS])
async def test_where_nobody_logs_in_everybody_has_the_role_of_anonymous(
    role: Role | None, page: Path
) -> None:
    house, action = fresh(Users(None), anonymous=role)
    person = None if role is None else Person("anonymous", role)
    wrong: list[str] = []
    async with house.client(assets_dir=page) as http:
        for number, asked in enumerate(REQUESTS):
            if asked.role is None:
                continue
            house.forgive()
            answer = await ask(http, asked, {}, action=action, new=str(number))
            wanted = expected(asked, person, "basic", read_only=False)
            if answer.status_code != wanted:
                wrong.append(f"{asked.method} {asked.path}: {answer.status_code}, not {wanted}")
    assert wrong == []


@pytest.mark.parametrize("opened", [(), ("metrics",), ("health",), ("metrics", "health")])
async def test_metrics_and_health_are_open_each_by_its_own_setting(
    opened: tuple[str, ...],
) -> None:
    house = House(Users(None), open_settings=opened)
    health = ("/health", "/healthcheck", "/-/healthy", "/-/ready")
    async with house.client() as http:
        for path in ("/metrics", *health):
            setting = "metrics" if path == "/metrics" else "health"
            answer = await http.get(path)
            assert answer.status_code == (200 if setting in opened else 401), path


# ---------------------------------------------------------------------- commands


def allowed(sent: Sent, person: Person, way: Way, *, read_only: bool) -> bool:
    if way == "no csrf" or not may(person.role, sent.role):
        return False
    if read_only and sent.role != "viewer":
        return False
    return not person.scope.limited or sent.limited == "theirs"


@pytest.mark.parametrize("read_only", [False, True], ids=["", "read-only"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("person", PEOPLE, ids=lambda one: one.name)
async def test_every_command_is_taken_from_those_who_may_alone(
    person: Person, way: Way, read_only: bool, users: Users
) -> None:
    house = House(users, read_only=read_only)
    wrong: list[str] = []
    async with house.client() as http:
        headers = house.credentials(person, way)
        listed = {
            row["name"]: row["allowed"]
            for row in (await http.get("/api/v1/commands", headers=headers)).json()["commands"]
        }
        for command, sent in COMMANDS_SENT.items():
            house.forgive()
            house.cluster.desk.sent.clear()
            entries = len(house.trail.of("denied"))
            workers = [WORKER] if COMMANDS[command].needs_workers else None
            body = given(sent.arguments, workers=workers, confirm=sent.arguments.get("queue"))
            answer = await http.post(f"/api/v1/control/{command}", json=body, headers=headers)
            fine = allowed(sent, person, way, read_only=read_only)
            if answer.status_code != (202 if fine else 403):
                wrong.append(f"{command}: {answer.status_code}")
            if [one["command"] for one in house.cluster.desk.sent] != ([command] if fine else []):
                wrong.append(f"{command}: the desk got {house.cluster.desk.sent}")
            if (len(house.trail.of("denied")) == entries + 1) == fine:
                wrong.append(f"{command}: what was denied is not written down")
            if way != "no csrf" and listed[command] != fine:
                wrong.append(f"{command}: the list says {listed[command]}")
    assert wrong == []


async def test_nobody_sends_a_command_who_is_not_known() -> None:
    house = House(Users(None))
    async with house.client() as http:
        for command, sent in COMMANDS_SENT.items():
            answer = await http.post(f"/api/v1/control/{command}", json=given(sent.arguments))
            assert answer.status_code == 401, command
    assert house.cluster.desk.sent == []


async def test_flowers_routes_send_the_command_whose_role_they_ask_for(users: Users) -> None:
    house, _ = fresh(users)
    (admin,) = (one for one in PEOPLE if one.name == "admin")
    seen = set()
    async with house.client() as http:
        for asked in REQUESTS:
            stem = asked.route.partition("{")[0]
            if stem not in FLOWER_COMMANDS:
                continue
            house.cluster.desk.sent.clear()
            await ask(http, asked, house.credentials(admin, "bearer"), action="", new="")
            (sent,) = house.cluster.desk.sent
            assert sent["command"] == FLOWER_COMMANDS[stem]
            assert asked.role == COMMANDS_SENT[sent["command"]].role, stem
            seen.add(stem)
    assert seen == set(FLOWER_COMMANDS)


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_a_revoke_that_terminates_needs_the_role_of_both(role: Role, users: Users) -> None:
    house, _ = fresh(users)
    house.cluster.desk.sent.clear()
    person = next(one for one in PEOPLE if one.name == role)
    async with house.client() as http:
        answer = await http.post(
            "/api/task/revoke/mine?terminate=1", headers=house.credentials(person, "bearer")
        )
    assert answer.status_code == (200 if role == "operator" else 403)
    sent = [one["command"] for one in house.cluster.desk.sent]
    assert sent == (["terminate"] if role == "operator" else [])


# ---------------------------------------------------------------------- nothing is left out


def routes_of(application: web.Application) -> dict[str, set[str]]:
    """Walk the router that was built: path to methods."""
    inner = application._inner
    while not hasattr(inner, "routes"):
        inner = inner.app  # type: ignore[attr-defined]
    found: dict[str, set[str]] = {}
    for route in inner.routes:
        assert isinstance(route, Route)
        assert isinstance(route, GuardedRoute), f"{route.path} asks nobody who comes"
        found.setdefault(route.path, set()).update(route.methods or ())
    return found


def test_every_route_that_is_served_is_in_the_policy_and_in_this_table() -> None:
    served = {
        (path, method)
        for path, methods in routes_of(Cluster().app()).items()
        for method in methods - {"HEAD"}
    }
    ruled = {(path, method) for path, methods in RULES.items() for method in methods}
    here = {(asked.route, asked.method.replace("HEAD", "GET")) for asked in REQUESTS}
    here.add(("/api/v1/control/{command}", "POST"))
    assert served == ruled
    assert served == here


def test_the_policy_says_of_every_route_what_this_table_says() -> None:
    """The endpoints look once more; so a rule that is too weak would not be seen above."""
    for asked in REQUESTS:
        rule = RULES[asked.route][asked.method.replace("HEAD", "GET")]
        assert rule.needed == asked.role, asked
        assert rule.changes == asked.changes, asked
        if asked.limited == "refused" and not rule.command:
            assert rule.limited == "nothing", asked


def test_every_command_is_in_this_table_with_its_role() -> None:
    assert {name: command.role for name, command in COMMANDS.items()} == {
        name: sent.role for name, sent in COMMANDS_SENT.items()
    }


def test_a_route_without_a_rule_cannot_be_made() -> None:
    guard = Guard(House(Users(None)).door, prefix="", secure=False, lifetime_seconds=1.0)

    async def answer(_request: object) -> None:
        raise AssertionError

    with pytest.raises(LookupError, match="POST /api/v1/me"):
        guard.route("/api/v1/me", answer, ["GET", "POST"])
    with pytest.raises(LookupError):
        guard.route("/api/v1/forgotten", answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "GIT", "POST"])
async def test_methods_that_are_in_no_rule_are_not_served(method: str) -> None:
    house = House(Users(None), anonymous="admin")
    async with house.client() as http:
        for path in ("/api/v1/overview", "/api/v1/tasks/mine", "/metrics", "/", "/api/tasks"):
            answer = await http.request(method, path)
            assert answer.status_code == 405, path


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/overview", "/api/v1/control",
     "/api/v1/control/revoke/", "//api/v1/overview", "/api/v1//overview", "/API/v1/overview",
     "/api/v1/overview/", "/metrics/", "/%2e%2e/api/v1/overview", "/api/v1/tasks/../overview/x"],
)  # fmt: skip
async def test_addresses_that_are_nearly_one_tell_nobody_anything(path: str) -> None:
    house = House(Users(None))
    async with house.client() as http:
        answer = await http.get(path)
    assert answer.status_code in (401, 404)
    assert "mine" not in answer.text
