"""What every route shares: cookies, redirects, what browsers are told, and streams that end."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from celeryscope.errors import NotLoggedIn
from celeryscope.web.api.console import LiveQuery
from celeryscope.web.auth.door import CSRF_HEADER, VISIT, Visit, cookie_name
from celeryscope.web.auth.guard import Guard, actor_of, cookie_header
from celeryscope.web.auth.sessions import Sessions
from celeryscope.web.auth.users import Users
from celeryscope.web.live import Hub
from tests.unit.web.people import PEOPLE, House, Person, cheap_hashes, users_in
from tests.unit.web.standins import serving

pytestmark = pytest.mark.anyio

VIEWER, OPERATOR, ADMIN = PEOPLE[:3]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    cheap_hashes(monkeypatch)
    return House(users_in(tmp_path, VIEWER, OPERATOR))


async def ask(
    house: House, path: str, method: str = "GET", *, app: Any = None,
    **headers: str,
) -> httpx.Response:  # fmt: skip
    async with house.client(**(app or {})) as http:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await http.request(method, path, headers=named)


def told(header: tuple[bytes, bytes]) -> Any:
    (morsel,) = SimpleCookie(header[1].decode()).values()
    return morsel


# ---------------------------------------------------------------------- cookies


@pytest.mark.parametrize("secure", [True, False])
def test_a_cookie_is_for_us_alone_and_for_no_script(secure: bool) -> None:
    morsel = told(cookie_header("name", "value", path="/x", max_age_seconds=60.5, secure=secure))
    assert (morsel.key, morsel.value, morsel["path"], morsel["max-age"]) == (
        "name", "value", "/x", "60",
    )  # fmt: skip
    assert (morsel["httponly"], morsel["samesite"]) == (True, "Lax")
    assert bool(morsel["secure"]) == secure
    assert not morsel["domain"]


def test_a_cookie_is_taken_away_by_an_empty_one_that_is_over() -> None:
    morsel = told(cookie_header("name", None, path="/", max_age_seconds=60, secure=True))
    assert (morsel.value, morsel["max-age"]) == ("", "0")


@pytest.mark.parametrize(
    ("prefix", "secure", "by_https"),
    [("", True, False), ("", False, True), ("/flower", False, False)],
)
def test_the_sessions_cookie(prefix: str, secure: bool, by_https: bool) -> None:
    house = House(Users(None), cookie=cookie_name(b"k", host_bound=secure))
    guard = Guard(house.door, prefix=prefix, secure=secure, lifetime_seconds=10)
    morsel = told(guard.set_cookie("v", secure=by_https))
    assert morsel["path"] == (prefix or "/")
    assert bool(morsel["secure"]) == (secure or by_https)
    if morsel.key.startswith("__Host-"):  # browsers refuse it otherwise
        assert (morsel["secure"], morsel["path"], morsel["domain"]) == (True, "/", "")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/api/v1/overview", "GET", 200),
        ("/api/v1/tasks/none", "GET", 404),  # the endpoint refuses
        ("/api/v1/tasks?limit=x", "GET", 400),
        ("/api/v1/audit", "GET", 403),  # the guard refuses
        ("/api/v1/selections", "POST", 403),  # without the CSRF token
        ("/login", "GET", 303),
    ],
)
async def test_a_new_cookie_reaches_the_browser_whatever_is_answered(
    house: House, path: str, method: str, status: int
) -> None:
    now = 1_795_000_000.0
    house.door.clock = lambda: now
    old = house.log_in(VIEWER)
    now += 1_000
    answer = await ask(house, path, method, cookie=f"{house.door.cookie}={old}")
    assert answer.status_code == status
    new = answer.cookies[house.door.cookie]
    assert new != old
    now += 100
    again = await ask(house, "/api/v1/me", cookie=f"{house.door.cookie}={new}")
    assert again.json()["name"] == "viewer"


async def test_what_needs_no_login_reads_no_password_and_no_token(house: House) -> None:
    answer = await ask(house, "/login", authorization="Bearer wrong")
    assert answer.status_code == 200
    answer = await ask(house, "/login", authorization="Basic wrong")
    assert answer.status_code == 200


# ---------------------------------------------------------------------- who is not known

HTML = "text/html,application/xhtml+xml;q=0.9"


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("/", "%2F"),
        ("/tasks?query=state%3Afailure&sort=-seen", "%2Ftasks%3Fquery%3Dstate%253Afailure%26sort%3D-seen"),
        ("/workers/celery@web1", "%2Fworkers%2Fcelery%40web1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", "/flower"])
async def test_a_browser_is_sent_to_the_login_and_back(
    house: House, path: str, after: str, prefix: str
) -> None:
    answer = await ask(house, prefix + path, app={"url_prefix": prefix}, accept=HTML)
    assert answer.status_code == 303
    prefixed = prefix.replace("/", "%2F") + after
    assert answer.headers["location"] == f"{prefix}/login?next={prefixed}"
    assert answer.headers["cache-control"] == "no-store"
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("path", "headers", "challenge"),
    [
        ("/metrics", {}, "Basic"),
        ("/api/v1/overview", {}, "Basic"),
        ("/api/v1/overview", {"accept": HTML}, "Basic"),
        ("/api/v1/overview", {"sec_fetch_mode": "cors"}, "Bearer"),
        ("/api/v1/overview", {"sec_fetch_mode": "same-origin"}, "Bearer"),
        ("/api/v1/live", {"sec_fetch_mode": "cors"}, "Bearer"),
        ("/", {}, "Basic"),
        ("/api/v1/overview", {"authorization": "Bearer wrong"}, "Basic"),
    ],
)
async def test_a_program_is_told_how_to_show_who_it_is(
    house: House, path: str, headers: dict[str, str], challenge: str
) -> None:
    answer = await ask(house, path, **headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].split()[0] == challenge
    assert answer.headers["cache-control"] == "no-store"


async def test_a_post_is_never_sent_to_the_login(house: House) -> None:
    answer = await ask(house, "/tasks/datatable", "POST", accept=HTML)
    assert answer.status_code == 401


async def test_too_many_wrong_passwords_are_told_with_when_to_come_again(house: House) -> None:
    wrong = httpx.BasicAuth("viewer", "wrong-password")
    async with house.client() as http:
        for _ in range(5):
            assert (await http.get("/api/v1/me", auth=wrong)).status_code == 401
        answer = await http.get("/api/v1/me", auth=wrong)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "too_many"


def test_who_is_not_known_is_no_actor() -> None:
    request = Request({"type": "http", VISIT: Visit(None, "", secure=False)})
    with pytest.raises(NotLoggedIn):
        actor_of(request)


# ---------------------------------------------------------------------- what browsers are told

EVERYWHERE = [
    "/", "/login", "/api/v1/me", "/api/v1/tasks/none", "/nowhere", "/metrics", "/api/workers",
    "/api/v1/nowhere", "/logout", "/broker", "/health", "/api/v1/openapi.json", "/favicon.ico",
]  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("secure", [True, False])
async def test_every_answer_keeps_browsers_strict(house: House, known: bool, secure: bool) -> None:
    headers = house.credentials(VIEWER, "basic") if known else {}
    async with house.client(secure=secure) as http:
        for path in EVERYWHERE:
            answer = await http.get(path, headers=headers)
            policy = answer.headers["content-security-policy"]
            assert len(answer.headers.get_list("content-security-policy")) == 1, path
            assert "frame-ancestors 'none'" in policy, path
            assert "default-src 'none'" in policy or "default-src 'self'" in policy, path
            assert "unsafe" not in policy, path
            assert answer.headers["x-frame-options"] == "DENY", path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["referrer-policy"] == "same-origin", path
            assert not [name for name in answer.headers if name.startswith("access-control")], path
            assert ("strict-transport-security" in answer.headers) == secure, path


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"origin": "http://localhost:8080"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"origin": "http://localhost"}, 202),
        ({"sec_fetch_site": "same-origin", "origin": "http://localhost"}, 202),
        ({}, 202),
    ],
)
@pytest.mark.parametrize("way", ["cookie", "basic"])
async def test_pages_of_other_sites_change_nothing_whoever_looks_at_them(
    house: House, headers: dict[str, str], status: int, way: Any
) -> None:
    given = {**house.credentials(OPERATOR, way)}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with house.client() as http:
        answer = await http.post(
            "/api/v1/control/revoke", json={"arguments": {"ids": ["a"]}}, headers=given
        )
    assert answer.status_code == status
    assert bool(house.cluster.desk.sent) == (status == 202)


async def test_pages_of_other_sites_open_no_stream(house: House) -> None:
    given = house.credentials(VIEWER, "cookie")
    async with house.client() as http:
        for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
            answer = await http.request("HEAD", "/api/v1/live", headers={**given, **headers})
            assert answer.status_code == 403
        answer = await http.request("HEAD", "/api/v1/live", headers=given)
        assert answer.status_code == 200


async def test_a_form_of_another_site_cannot_be_json(house: House) -> None:
    given = house.credentials(OPERATOR, "basic")
    body = '{"arguments": {"ids": ["a"]}}'
    async with house.client() as http:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            headers = {**given, "content-type": kind}
            answer = await http.post("/api/v1/control/revoke", content=body, headers=headers)
            assert answer.status_code == 415
    assert house.cluster.desk.sent == []


async def test_the_csrf_token_comes_with_who_one_is_and_opens_what_it_should(house: House) -> None:
    cookie = house.log_in(OPERATOR)
    headers = {"cookie": f"{house.door.cookie}={cookie}"}
    async with house.client() as http:
        me = (await http.get("/api/v1/me", headers=headers)).json()
        assert (me["name"], me["role"], me["can_log_out"]) == ("operator", "operator", True)
        body = {"arguments": {"ids": ["a"]}}
        refused = await http.post("/api/v1/control/revoke", json=body, headers=headers)
        assert refused.json()["error"]["code"] == "csrf"
        headers[CSRF_HEADER] = me["csrf"]
        assert (
            await http.post("/api/v1/control/revoke", json=body, headers=headers)
        ).status_code == 202
        basic = (await http.get("/api/v1/me", headers=house.credentials(OPERATOR, "basic"))).json()
    assert (basic["csrf"], basic["can_log_out"]) == (None, False)


# ---------------------------------------------------------------------- streams end


@pytest.mark.parametrize("end", ["revoke", "logout", "user removed"])
async def test_an_open_stream_ends_soon_after_its_session(
    house: House, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._STILL_SECONDS", 0.05)
    cookie = house.log_in(VIEWER)
    visit = await house.door._with_session(cookie, _nobody())
    assert visit is not None
    assert visit.actor is not None
    hub = Hub(house.cluster.services, tick_seconds=0.02)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def send(message: Any) -> None:
        begun.set()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            ended.set()

    async def receive() -> Any:
        await asyncio.sleep(3_600)

    scope = {"type": "http", "method": "GET", "headers": []}
    task = asyncio.create_task(hub.open(LiveQuery(), visit.actor)(scope, receive, send))
    await begun.wait()
    if end == "revoke":
        house.door.sessions.end(visit.actor.session)
    elif end == "logout":
        await house.door.log_out(visit)
    else:
        house.door.users.remove("viewer")
    async with asyncio.timeout(10):
        await ended.wait()
        await task
    assert hub.clients == 0


def _nobody() -> Any:
    return Visit(None, "192.0.2.1", secure=False)


def test_a_session_lives_through_a_real_server(house: House) -> None:
    cookie = house.log_in(VIEWER)
    with serving(house.cluster.app()) as url:
        headers = {"cookie": f"{house.door.cookie}={cookie}"}
        assert httpx.get(url + "/api/v1/me", headers=headers).json()["name"] == "viewer"
        (session,) = house.door.sessions.list(now=house.door.clock())
        house.door.sessions.end(session.id)
        assert httpx.get(url + "/api/v1/me", headers=headers).status_code == 401


def test_sessions_of_another_key_are_none(house: House) -> None:
    cookie = house.log_in(Person("viewer", "viewer"))
    other = Sessions(None, key=b"other", idle_seconds=1.0, lifetime_seconds=1.0)
    assert other.find(cookie, now=0.0) is None
