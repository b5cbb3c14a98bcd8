"""Logging in and out with a browser."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from celeryscope.errors import LoginRefused, Unavailable
from celeryscope.model.actor import Scope
from celeryscope.web.auth.door import CSRF_HEADER, cookie_name
from celeryscope.web.auth.identity import Begun, Identity
from celeryscope.web.auth.users import Users
from tests.unit.web.people import (
    PASSWORD,
    PEOPLE,
    THEIRS,
    House,
    Person,
    cheap_hashes,
    users_in,
)

pytestmark = pytest.mark.anyio

VIEWER = PEOPLE[0]
FORM = {"name": "viewer", "password": PASSWORD}


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Users:
    cheap_hashes(monkeypatch)
    return users_in(tmp_path, VIEWER, PEOPLE[3])


@pytest.fixture
def house(users: Users) -> House:
    return House(users)


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, house: House, **app: Any) -> None:
        self.house = house
        self.http = house.client(**app)

    @property
    def cookie(self) -> str | None:
        return self.http.cookies.get(self.house.door.cookie)

    async def log_in(self, **form: str) -> httpx.Response:
        return await self.http.post("/login", data={**FORM, **form})

    async def me(self) -> Any:
        return (await self.http.get("/api/v1/me")).json()


def browsers(house: House, count: int) -> list[Browser]:
    """Give some browsers that look at one console."""
    transport = httpx.ASGITransport(app=house.cluster.app())
    given = [Browser(house) for _ in range(count)]
    for browser in given:
        browser.http._transport = transport
    return given


# ---------------------------------------------------------------------- with a password


async def test_a_right_password_begins_a_session(house: House) -> None:
    browser = Browser(house)
    answer = await browser.log_in(next="/tasks?query=a%20b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks?query=a%20b")
    assert answer.headers["cache-control"] == "no-store"
    assert (await browser.me())["name"] == "viewer"
    (entry,) = house.trail.of("login")
    assert (entry["by"].name, entry["by"].way, entry["outcome"]) == ("viewer", "password", "done")


async def test_a_limited_user_logs_in_with_their_limits(house: House) -> None:
    browser = Browser(house)
    await browser.log_in(name="limited viewer")
    assert (await browser.me())["scope"] == {
        "queues": list(THEIRS.queues),
        "tasks": list(THEIRS.tasks),
    }


@pytest.mark.parametrize(
    ("prefix", "secure", "name", "path"),
    [
        ("", False, "celeryscope-", "/"),
        ("/flower", False, "celeryscope-", "/flower"),
        ("", True, "__Host-celeryscope-", "/"),
        ("/flower", True, "celeryscope-", "/flower"),
    ],
)
async def test_the_cookie_of_a_login(
    users: Users, prefix: str, secure: bool, name: str, path: str
) -> None:
    house = House(users, cookie=cookie_name(b"k", host_bound=secure and not prefix))
    async with house.client(url_prefix=prefix, secure=secure) as http:
        answer = await http.post(prefix + "/login", data=FORM)
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert cookie.key.startswith(name)
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (path, True, "Lax")
    assert bool(cookie["secure"]) == secure
    assert not cookie["domain"]
    assert int(cookie["max-age"]) == 604_800


@pytest.mark.parametrize(
    "form",
    [
        {"name": "viewer", "password": "wrong-password"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "viewer", "password": ""},
        {"name": "", "password": PASSWORD},
        {"name": "viewer"},
        {},
        {"name": "viewer\x00", "password": PASSWORD},
        {"name": "v" * 5_000, "password": PASSWORD},
    ],
)
async def test_a_wrong_one_does_not(house: House, form: dict[str, str]) -> None:
    browser = Browser(house)
    answer = await browser.http.post("/login", data=form)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert "set-cookie" not in answer.headers
    assert "www-authenticate" not in answer.headers, "a browser must not ask by itself"
    assert house.trail.of("login") == []
    assert len(house.trail.of("login failed")) == 1


async def test_a_name_and_a_wrong_one_are_answered_alike(house: House) -> None:
    browser = Browser(house)
    known = await browser.log_in(password="wrong-password")
    unknown = await browser.log_in(name="nobody")
    assert known.text == unknown.text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"name": "viewer", "password": "correct horse"}'),
        ("text/plain", b"name=viewer&password=correct+horse"),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 100)),
    ],
)
async def test_what_is_no_form_logs_nobody_in(house: House, kind: str, body: bytes) -> None:
    async with house.client() as http:
        answer = await http.post("/login", content=body, headers={"content-type": kind})
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)


async def test_a_form_that_is_too_large_is_not_read(house: House) -> None:
    async with house.client() as http:
        answer = await http.post("/login", data={"name": "v" * 20_000})
    assert answer.status_code == 413


async def test_many_wrong_ones_have_to_wait(house: House) -> None:
    browser = Browser(house)
    for _ in range(5):
        assert (await browser.log_in(password="wrong-password")).status_code == 401
    answer = await browser.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Too many tries" in answer.text
    assert house.trail.of("login failed")[-1]["outcome"] == "throttled"


async def test_a_login_of_another_site_is_refused(house: House) -> None:
    async with house.client() as http:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            answer = await http.post("/login", data=FORM, headers=headers)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        answer = await http.post("/login", data=FORM, headers={"origin": "http://localhost"})
        assert answer.status_code == 303


async def test_a_login_ends_the_session_before_and_gives_another_cookie(house: House) -> None:
    browser = Browser(house)
    await browser.log_in()
    first = browser.cookie
    await browser.log_in()
    assert browser.cookie != first
    assert len(house.door.sessions.list(now=house.door.clock())) == 1
    # A cookie that somebody else put there is never the session's.
    browser.http.cookies.set(house.door.cookie, "planted", domain="localhost.local")
    await browser.log_in()
    assert "planted" not in str(browser.cookie)


async def test_the_file_of_users_is_asked_before_flowers_pairs(tmp_path: Path) -> None:
    house = House(Users(None, basic=[("ann", "a password")], basic_role="operator"))
    browser = Browser(house)
    await browser.log_in(name="ann", password="a password")
    assert (await browser.me())["role"] == "operator"


# ---------------------------------------------------------------------- where one goes then

EVIL = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "https://evil.example", "http:evil.example", "https:/evil.example", "javascript:alert(1)",
    "data:text/html,x", "/\t/evil.example", "/\n/evil.example", "/\r\nSet-Cookie: a=b",
    "\t//evil.example", " //evil.example", "/ /evil.example", "/\x00/evil.example",
    "/a\\..\\..\\evil", "evil.example", "@evil.example", ".evil.example", "", "/" + "a" * 3_000,
    "/\x7f", "/login", "/login?next=/", "/login/start", "/logout", "/api/v1/me",
]  # fmt: skip
FINE = [
    "/", "/tasks", "/tasks?query=name%3Aa&sort=-seen", "/tasks/abc%2Fdef", "/workers/celery@web1",
    "/queues?queue=//evil.example", "/tasks?query=https://evil.example", "/tasks#top",
]  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "/flower"])
@pytest.mark.parametrize("after", EVIL)
async def test_never_to_another_site(house: House, after: str, prefix: str) -> None:
    given = prefix + after if after.startswith("/log") else after
    async with house.client(url_prefix=prefix) as http:
        answer = await http.post(prefix + "/login", data={**FORM, "next": given})
        assert (answer.status_code, answer.headers["location"]) == (303, prefix + "/")
        answer = await http.get(prefix + "/login", params={"next": given})
        assert (answer.status_code, answer.headers["location"]) == (303, prefix + "/")


@pytest.mark.parametrize("prefix", ["", "/flower"])
@pytest.mark.parametrize("after", FINE)
async def test_to_where_one_was_going(house: House, after: str, prefix: str) -> None:
    async with house.client(url_prefix=prefix) as http:
        answer = await http.post(prefix + "/login", data={**FORM, "next": prefix + after})
    assert answer.headers["location"] == prefix + after


async def test_never_out_of_the_prefix(house: House) -> None:
    async with house.client(url_prefix="/flower") as http:
        for after in ("/", "/other", "/flowers", "/flower", "//flower/", "/flower/..\\"):
            answer = await http.post("/flower/login", data={**FORM, "next": after})
            assert answer.headers["location"] == "/flower/"


# ---------------------------------------------------------------------- the page


async def test_the_page_asks_for_what_there_is(house: House) -> None:
    answer = await Browser(house).http.get("/login", params={"next": '/a"><script>x</script>'})
    assert answer.status_code == 200
    assert 'name="password"' in answer.text
    assert "login/start" not in answer.text
    assert "<script>" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_page_with_a_provider_alone_has_no_password() -> None:
    house = House(Users(None), provider=Provider())
    answer = await Browser(house).http.get("/login", params={"next": "/tasks?a=b&c=d"})
    assert 'name="password"' not in answer.text
    assert "Continue with A &lt;provider&gt;" in answer.text
    assert "next=%2Ftasks%3Fa%3Db%26c%3Dd" in answer.text


async def test_who_is_logged_in_already_is_sent_on(house: House) -> None:
    browser = Browser(house)
    await browser.log_in()
    answer = await browser.http.get("/login", params={"next": "/queues"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues")


async def test_without_any_login_there_is_no_page_for_it() -> None:
    house = House(Users(None), anonymous="admin")
    async with house.client() as http:
        for path in ("/login", "/login/", "/logout"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/")


# ---------------------------------------------------------------------- out again


async def test_logging_out(house: House) -> None:
    browser = Browser(house)
    await browser.log_in()
    old = browser.cookie
    csrf = (await browser.me())["csrf"]
    answer = await browser.http.post("/logout", headers={CSRF_HEADER: csrf})
    assert (answer.status_code, answer.json()) == (200, {"to": "/login"})
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie.value, cookie["max-age"]) == ("", "0")
    browser.http.cookies.set(house.door.cookie, str(old))
    assert (await browser.http.get("/api/v1/me")).status_code == 401
    assert len(house.trail.of("logout")) == 1


async def test_nobody_is_logged_out_by_another_site(house: House) -> None:
    browser = Browser(house)
    await browser.log_in()
    assert (await browser.http.post("/logout")).status_code == 403
    for site in ("cross-site", "same-site", None):
        headers = {} if site is None else {"sec-fetch-site": site}
        answer = await browser.http.get("/logout", headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (303, False)
    assert (await browser.me())["name"] == "viewer"


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_a_link_of_ours_logs_out(house: House, site: str) -> None:
    browser = Browser(house)
    await browser.log_in()
    answer = await browser.http.get("/logout", headers={"sec-fetch-site": site})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert (await browser.http.get("/api/v1/me")).status_code == 401


# ---------------------------------------------------------------------- with a provider


class Provider:
    """A login provider that lets in whom the test says."""

    label = "A <provider>"

    def __init__(self) -> None:
        self.begun = 0
        self.fault: Exception | None = None
        self.identity = Identity(name="olga", role="operator", scope=THEIRS, logout_hint="hint")
        self.finished: list[tuple[str, dict[str, str]]] = []
        self.logouts: list[tuple[str | None, str]] = []
        self.end_url: str | None = "https://provider.example/end"

    async def begin(self) -> Begun:
        if self.fault:
            raise self.fault
        self.begun += 1
        state = f"state-{self.begun}"
        return Begun(url=f"https://provider.example/auth?state={state}", state=state)

    async def finish(self, begun_state: str, query: Mapping[str, str]) -> Identity:
        self.finished.append((begun_state, dict(query)))
        if self.fault:
            raise self.fault
        if query.get("state") != begun_state:
            raise LoginRefused("This is another login.")
        return self.identity

    async def logout_url(self, id_token: str | None, back_to: str) -> str | None:
        if self.fault:
            raise self.fault
        self.logouts.append((id_token, back_to))
        return self.end_url


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def outside(provider: Provider) -> House:
    return House(Users(None), provider=provider)


async def away(browser: Browser, after: str = "/queues") -> str:
    """Go to the provider; gives the state that it will send back."""
    answer = await browser.http.get("/login/start", params={"next": after})
    assert answer.status_code == 303
    url = urlsplit(answer.headers["location"])
    assert url.netloc == "provider.example"
    return parse_qs(url.query)["state"][0]


@pytest.mark.parametrize("path", ["/login/callback", "/login"])  # and as Flower's redirect URI
async def test_there_and_back(outside: House, provider: Provider, path: str) -> None:
    browser = Browser(outside)
    state = await away(browser)
    answer = await browser.http.get(path, params={"code": "c", "state": state})
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues")
    assert provider.finished == [(state, {"code": "c", "state": state})]
    me = await browser.me()
    assert (me["name"], me["role"], me["way"]) == ("olga", "operator", "oidc")
    assert me["scope"]["queues"] == list(THEIRS.queues)


async def test_the_provider_may_be_on_another_site(outside: House) -> None:
    browser = Browser(outside)
    state = await away(browser)
    answer = await browser.http.get(
        "/login/callback", params={"code": "c", "state": state},
        headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    )  # fmt: skip
    assert answer.status_code == 303


async def test_the_way_back_is_good_once_and_for_that_browser_alone(
    outside: House, provider: Provider
) -> None:
    browser, other = browsers(outside, 2)
    state = await away(browser)
    cookie = browser.http.cookies[outside.door.cookie + "-away"]
    answer = await other.http.get("/login/callback", params={"code": "c", "state": state})
    assert (answer.status_code, provider.finished) == (400, [])
    query = {"code": "c", "state": state}
    assert (await browser.http.get("/login/callback", params=query)).status_code == 303
    other.http.cookies.set(outside.door.cookie + "-away", cookie)
    answer = await other.http.get("/login/callback", params=query)
    assert (answer.status_code, len(provider.finished)) == (400, 1)
    assert (await other.http.get("/api/v1/me")).status_code == 401


async def test_the_way_back_is_good_for_ten_minutes(
    outside: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(outside)
    monkeypatch.setattr("celeryscope.web.auth.pages._AWAY_SECONDS", -1.0)
    answer = await browser.http.get("/login/start")
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    headers = {"cookie": f"{cookie.key}={cookie.value}"}
    query = {"code": "c", "state": "state-1"}
    answer = await browser.http.get("/login/callback", params=query, headers=headers)
    assert answer.status_code == 400


async def test_the_cookie_of_the_way_is_for_us_alone(outside: House) -> None:
    answer = await Browser(outside, secure=True).http.get("/login/start")
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert (cookie["secure"], cookie["max-age"]) == (True, "600")
    assert "state-1" not in cookie.value


async def test_whom_the_provider_does_not_vouch_for_stays_outside(
    outside: House, provider: Provider
) -> None:
    browser = Browser(outside)
    state = await away(browser)
    provider.fault = LoginRefused("You have <no> role here.")
    answer = await browser.http.get("/login/callback", params={"code": "c", "state": state})
    assert answer.status_code == 403
    assert "You have &lt;no&gt; role here." in answer.text
    assert outside.door.cookie not in answer.cookies
    (entry,) = outside.trail.of("login failed")
    assert entry["detail"] == "You have <no> role here."
    assert (await browser.http.get("/api/v1/me")).status_code == 401


async def test_a_state_that_is_another_ones_logs_nobody_in(outside: House) -> None:
    browser = Browser(outside)
    await away(browser)
    answer = await browser.http.get("/login/callback", params={"code": "c", "state": "x"})
    assert answer.status_code == 403
    assert (await browser.http.get("/api/v1/me")).status_code == 401


async def test_a_provider_that_is_away_is_said_to_be(outside: House, provider: Provider) -> None:
    provider.fault = Unavailable("It does not answer.", hint="Later again.")
    answer = await Browser(outside).http.get("/login/start")
    assert answer.status_code == 503
    assert "It does not answer. Later again." in answer.text


async def test_only_so_many_are_at_the_provider_at_a_time(
    outside: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.auth.pages._MOST_AWAY", 2)
    three = browsers(outside, 3)
    states = [await away(browser) for browser in three]
    told = [
        await browser.http.get("/login/callback", params={"code": "c", "state": state})
        for browser, state in zip(three, states, strict=True)
    ]
    assert [answer.status_code for answer in told] == [400, 303, 303]


async def test_logging_out_ends_the_providers_session_too(
    outside: House, provider: Provider
) -> None:
    browser = Browser(outside, secure=True)
    browser.http.base_url = httpx.URL("https://console.example")
    state = await away(browser)
    await browser.http.get("/login/callback", params={"code": "c", "state": state})
    csrf = (await browser.me())["csrf"]
    answer = await browser.http.post("/logout", headers={CSRF_HEADER: csrf})
    assert answer.json() == {"to": "https://provider.example/end"}
    assert provider.logouts == [("hint", "https://console.example/login")]
    assert (await browser.http.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("fault", [None, Unavailable("It does not answer.")])
async def test_a_provider_that_does_not_want_to_hear_of_it_keeps_nobody_in(
    outside: House, provider: Provider, fault: Exception | None
) -> None:
    browser = Browser(outside)
    state = await away(browser)
    await browser.http.get("/login/callback", params={"code": "c", "state": state})
    csrf = (await browser.me())["csrf"]
    provider.end_url, provider.fault = None, fault
    answer = await browser.http.post("/logout", headers={CSRF_HEADER: csrf})
    assert answer.json() == {"to": "/login"}
    assert (await browser.http.get("/api/v1/me")).status_code == 401


async def test_an_admin_sees_who_is_logged_in_and_throws_them_out(users: Users) -> None:
    house = House(users)
    admin = house.credentials(Person("boss", "admin", Scope()), "bearer")
    browser = Browser(house)
    await browser.log_in()
    async with house.client() as http:
        (row,) = (await http.get("/api/v1/sessions", headers=admin)).json()["sessions"]
        assert (row["name"], row["way"], row["current"]) == ("viewer", "password", False)
        path = f"/api/v1/sessions/{row['id']}/revoke"
        assert (await http.post(path, json={}, headers=admin)).status_code == 200
    assert (await browser.http.get("/api/v1/me")).status_code == 401
