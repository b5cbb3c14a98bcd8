"""Who asks: each way in, in which order, and how it ends."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from celeryscope.errors import CsrfMissing, Forbidden, NotLoggedIn, ReadOnly, TooMany
from celeryscope.model.actor import Actor, Role, Scope
from celeryscope.web.auth.door import CSRF_HEADER, Door, Visit, cookie_name
from celeryscope.web.auth.policy import Rule
from celeryscope.web.auth.proxy import Proxy
from celeryscope.web.auth.sessions import Sessions
from celeryscope.web.auth.tokens import Tokens
from celeryscope.web.auth.users import User, Users
from tests.unit.web.people import PASSWORD, Recorded, cheap_hashes

pytestmark = pytest.mark.anyio

NOW = 1_795_000_000.0
ADDRESS = "192.0.2.7"
ALL = Scope()
SEE = Rule("viewer")
STEER = Rule("operator", changes=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_hashes(monkeypatch)


class Home:
    """A door with its stores, and a clock that a test moves."""

    def __init__(self, tmp_path: Path, **door: Any) -> None:
        self.now = NOW
        self.users = Users(tmp_path / "users.json")
        self.tokens = Tokens(None)
        self.trail = Recorded()
        self.sessions = Sessions(
            None, key=b"k", idle_seconds=3_600.0, lifetime_seconds=86_400.0, rotate_seconds=900.0
        )
        door.setdefault("anonymous", None)
        self.door = Door(
            users=self.users,
            tokens=self.tokens,
            sessions=self.sessions,
            trail=self.trail,
            clock=lambda: self.now,
            **door,
        )

    def add(self, name: str = "ada", role: Role = "operator", scope: Scope = ALL) -> None:
        self.users.add(User(name=name, role=role, scope=scope), PASSWORD)

    def token(self, name: str = "ci", role: Role = "admin", **more: Any) -> str:
        given: dict[str, Any] = {"scope": Scope(), "expires_at": None, "now": self.now, **more}
        return self.tokens.create(name=name, role=role, **given)[1]

    async def visit(self, *authorization: str, cookie: str | None = None, **headers: str) -> Visit:
        pairs = [(b"authorization", text.encode()) for text in authorization]
        pairs += [
            (name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()
        ]
        scope = {"type": "http", "scheme": "http", "client": (ADDRESS, 1), "headers": pairs}
        return await self.door.visit(scope, cookie)

    async def actor(self, *authorization: str, **more: Any) -> Actor:
        actor = (await self.visit(*authorization, **more)).actor
        assert actor is not None
        return actor

    async def cookie(self, name: str = "ada") -> str:
        return await self.door.log_in(await self.door.check_password(name, PASSWORD, ADDRESS), "ua")


def basic(name: str = "ada", password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.add()
    return home


# ---------------------------------------------------------------------- each way in


async def test_nobody_is_nobody_or_who_anonymous_is(tmp_path: Path) -> None:
    assert (await Home(tmp_path).visit()).actor is None
    actor = await Home(tmp_path, anonymous="viewer").actor()
    assert (actor.name, actor.role, actor.way) == ("anonymous", "viewer", "anonymous")
    assert actor.address == ADDRESS


async def test_a_password(home: Home) -> None:
    actor = await home.actor(basic())
    assert (actor.name, actor.role, actor.way) == ("ada", "operator", "password")


async def test_a_token(home: Home) -> None:
    actor = await home.actor(f"Bearer {home.token()}")
    assert (actor.name, actor.role, actor.way, actor.token) == ("ci", "admin", "token", "ci")
    assert (await home.actor(f"bearer   {home.token('two')}")).token == "two"


async def test_a_session(home: Home) -> None:
    visit = await home.visit(cookie=await home.cookie())
    assert visit.actor is not None
    assert visit.session is not None
    assert (visit.actor.name, visit.actor.way) == ("ada", "password")
    assert visit.actor.session == visit.session.id
    assert visit.cookie is None, "it is new"


async def test_a_proxy(tmp_path: Path) -> None:
    proxy = Proxy(trusted=[ADDRESS], user_header="x-user", role_header="x-role")
    home = Home(tmp_path, proxy=proxy)
    actor = await home.actor(x_user="eve", x_role="operator", x_forwarded_for="198.51.100.3")
    assert (actor.name, actor.role, actor.way) == ("eve", "operator", "proxy")
    assert actor.address == "198.51.100.3"
    assert (await home.visit(x_user="eve")).actor is None, "no role"


async def test_who_is_no_trusted_proxy_names_nobody(tmp_path: Path) -> None:
    proxy = Proxy(trusted=["10.0.0.0/8"], user_header="x-user", default_role="admin")
    home = Home(tmp_path, proxy=proxy)
    visit = await home.visit(x_user="eve", x_forwarded_for="10.0.0.1", x_forwarded_proto="https")
    assert (visit.actor, visit.address, visit.secure) == (None, ADDRESS, False)


# ---------------------------------------------------------------------- the order


async def test_a_token_counts_before_a_proxys_word_and_that_before_a_password_and_a_session(
    tmp_path: Path,
) -> None:
    proxy = Proxy(trusted=[ADDRESS], user_header="x-user", default_role="viewer")
    home = Home(tmp_path, proxy=proxy)
    home.add()
    home.add("bob", "viewer")
    cookie = await home.cookie("bob")
    bearer = f"Bearer {home.token()}"
    assert (await home.actor(bearer, cookie=cookie, x_user="eve")).name == "ci"
    # A proxy that asks for a password itself passes it on.
    assert (await home.actor(basic(), cookie=cookie, x_user="eve")).name == "eve"
    assert (await home.actor(basic(), cookie=cookie)).name == "ada"
    assert (await home.actor(cookie=cookie, x_user="eve")).name == "eve"
    assert (await home.actor(cookie=cookie)).name == "bob"


@pytest.mark.parametrize(
    "shown",
    [
        basic(password="wrong-password"), basic("nobody"), "Basic", "Basic !", "Basic YWRh",
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "Bearer", "Bearer x",
        "Bearer cscope_abcdefgh_" + "x" * 43, "Digest x", "", "x" * 5_000,
    ],
)  # fmt: skip
async def test_what_is_wrong_is_never_anonymous_nor_a_session(tmp_path: Path, shown: str) -> None:
    home = Home(tmp_path, anonymous="admin")
    home.add()
    cookie = await home.cookie()
    with pytest.raises(NotLoggedIn):
        await home.visit(shown, cookie=cookie)


async def test_two_authorization_headers_are_none(home: Home) -> None:
    with pytest.raises(NotLoggedIn):
        await home.visit(basic(), basic())


@pytest.mark.parametrize("cookie", ["", "x", "x.y", "é" * 87, "a" * 43 + "." + "b" * 43])
async def test_a_cookie_that_we_did_not_make_is_nobody(home: Home, cookie: str) -> None:
    visit = await home.visit(cookie=cookie)
    assert (visit.actor, visit.session) == (None, None)


# ---------------------------------------------------------------------- how it ends


async def test_wrong_passwords_have_to_wait(home: Home) -> None:
    for _ in range(5):
        with pytest.raises(NotLoggedIn):
            await home.visit(basic(password="wrong-password"))
    with pytest.raises(TooMany) as refused:
        await home.visit(basic())
    assert refused.value.retry_after_seconds > 0
    home.now += 600
    assert (await home.actor(basic())).name == "ada"
    kinds = [entry["outcome"] for entry in home.trail.of("login failed")]
    assert kinds == ["denied", "throttled"], "each only once in a while"


async def test_a_session_ends_with_its_user_or_their_password(home: Home) -> None:
    first, second = await home.cookie(), await home.cookie()
    home.users.set_password("ada", "another password")
    assert (await home.visit(cookie=first)).actor is None
    home.users.remove("ada")
    assert (await home.visit(cookie=second)).actor is None
    assert home.sessions.list(now=home.now) == []


async def test_a_session_has_the_role_and_limits_that_its_user_has_now(home: Home) -> None:
    cookie = await home.cookie()
    home.users.set_role("ada", "viewer")
    home.users.set_scope("ada", Scope(queues=("mail",)))
    actor = await home.actor(cookie=cookie)
    assert (actor.role, actor.scope) == ("viewer", Scope(queues=("mail",)))


async def test_a_session_ends_by_itself(home: Home) -> None:
    idle, used = await home.cookie(), await home.cookie()
    home.now += 3_000
    assert (visit := await home.visit(cookie=used)).actor is not None
    home.now += 3_000
    assert (await home.visit(cookie=idle)).actor is None
    assert (await home.visit(cookie=visit.cookie)).actor is not None


async def test_a_cookie_changes_now_and_then(home: Home) -> None:
    old = await home.cookie()
    home.now += 901
    new = (await home.visit(cookie=old)).cookie
    assert new not in (None, old)
    assert (await home.visit(cookie=new)).cookie is None
    home.now += 61
    assert (await home.visit(cookie=old)).actor is None, "somebody has copied it"
    assert (await home.visit(cookie=new)).actor is None, "so nobody has it any more"


async def test_a_token_ends_with_the_user_who_made_it(home: Home) -> None:
    mine, other = home.token("mine", owner="ada"), home.token("other")
    assert (await home.actor(f"Bearer {mine}")).role == "operator", "not more than ada"
    home.users.set_role("ada", "viewer")
    assert (await home.actor(f"Bearer {mine}")).role == "viewer"
    home.users.remove("ada")
    with pytest.raises(NotLoggedIn):
        await home.visit(f"Bearer {mine}")
    assert (await home.actor(f"Bearer {other}")).role == "admin"


@pytest.mark.parametrize(
    ("of_token", "of_owner", "both"),
    [
        (Scope(), Scope(), Scope()),
        (Scope(), Scope(queues=("a",)), Scope(queues=("a",))),
        (Scope(queues=("a",)), Scope(), Scope(queues=("a",))),
        (Scope(queues=("a*",)), Scope(queues=("a*",)), Scope(queues=("a*",))),
        (Scope(queues=("a*",)), Scope(queues=("*z",)), None),
        (Scope(queues=("a*",)), Scope(tasks=("t",)), None),
    ],
)
async def test_a_token_sees_no_more_than_the_user_who_made_it_sees_now(
    tmp_path: Path, of_token: Scope, of_owner: Scope, both: Scope | None
) -> None:
    home = Home(tmp_path)
    home.add(scope=of_owner)
    actor = await home.actor(f"Bearer {home.token(owner='ada', scope=of_token)}")
    for queue in ("a", "az", "bz", None):
        for name in ("t", "u", None):
            fits = of_token.has_task(name, queue) and of_owner.has_task(name, queue)
            assert actor.scope.has_task(name, queue) == fits
    assert both is None or actor.scope == both


async def test_a_token_ends_when_it_was_to(home: Home) -> None:
    secret = home.token(expires_at=home.now + 10)
    assert (await home.actor(f"Bearer {secret}")).token == "ci"
    home.now += 10
    with pytest.raises(NotLoggedIn):
        await home.visit(f"Bearer {secret}")


async def test_logging_out_ends_the_session(home: Home) -> None:
    cookie = await home.cookie()
    visit = await home.visit(cookie=cookie)
    await home.door.log_out(visit)
    assert (await home.visit(cookie=cookie)).actor is None
    assert [entry["kind"] for entry in home.trail.entries] == ["login", "logout"]
    await home.door.log_out(visit)  # it is over already: nothing to complain of


# ---------------------------------------------------------------------- who may stay


async def test_who_was_logged_out_does_not_stay(home: Home) -> None:
    actor = await home.actor(cookie=await home.cookie())
    assert home.door.still_in(actor)
    home.sessions.end(actor.session)
    assert not home.door.still_in(actor)


@pytest.mark.parametrize("way", ["session", "basic"])
@pytest.mark.parametrize("change", ["remove", "role", "scope", "password"])
async def test_who_is_another_one_now_does_not_stay(home: Home, way: str, change: str) -> None:
    if way == "session":
        actor = await home.actor(cookie=await home.cookie())
    else:
        actor = await home.actor(basic())
    assert home.door.still_in(actor)
    if change == "remove":
        home.users.remove("ada")
    elif change == "role":
        home.users.set_role("ada", "viewer")
    elif change == "scope":
        home.users.set_scope("ada", Scope(queues=("mail",)))
    else:
        home.users.set_password("ada", "another password")
    # Of a password that is shown each time a stream keeps nothing to compare.
    assert home.door.still_in(actor) == (way == "basic" and change == "password")


@pytest.mark.parametrize("change", ["revoke", "expire", "owner gone", "owner's role"])
async def test_whose_token_is_no_good_any_more_does_not_stay(home: Home, change: str) -> None:
    actor = await home.actor(f"Bearer {home.token(owner='ada', expires_at=home.now + 100)}")
    assert home.door.still_in(actor)
    if change == "revoke":
        home.tokens.revoke("ci")
    elif change == "expire":
        home.now += 100
    elif change == "owner gone":
        home.users.remove("ada")
    else:
        home.users.set_role("ada", "viewer")
    assert not home.door.still_in(actor)


async def test_nobody_known_stays_while_they_may_come(tmp_path: Path) -> None:
    actor = await Home(tmp_path, anonymous="viewer").actor()
    assert Home(tmp_path, anonymous="viewer").door.still_in(actor)
    assert not Home(tmp_path, anonymous="admin").door.still_in(actor)
    assert not Home(tmp_path, anonymous=None).door.still_in(actor)


# ---------------------------------------------------------------------- what they may


async def check(home: Home, visit: Visit, rule: Rule, method: str = "GET", csrf: str = "") -> None:
    await home.door.check(visit, rule, method, Headers({CSRF_HEADER: csrf}), "it")


async def test_roles(home: Home) -> None:
    home.add("vic", "viewer")
    await check(home, await home.visit(basic()), STEER, "POST")
    with pytest.raises(Forbidden, match="It needs the role 'operator'; yours is 'viewer'"):
        await check(home, await home.visit(basic("vic")), STEER, "POST")
    await check(home, await home.visit(basic("vic")), SEE)
    (denied,) = home.trail.of("denied")
    assert (denied["what"], denied["by"].name) == ("it", "vic")


async def test_nobody_known_may_nothing(home: Home) -> None:
    with pytest.raises(NotLoggedIn):
        await check(home, await home.visit(), SEE)


async def test_the_same_denial_is_written_once_in_a_while(home: Home) -> None:
    home.add("vic", "viewer")
    visit = await home.visit(basic("vic"))
    for _ in range(3):
        with pytest.raises(Forbidden):
            await check(home, visit, STEER, "POST")
    assert len(home.trail.of("denied")) == 1
    home.now += 60
    with pytest.raises(Forbidden):
        await check(home, visit, STEER, "POST")
    assert len(home.trail.of("denied")) == 2


async def test_on_a_read_only_console_nobody_changes_anything(tmp_path: Path) -> None:
    home = Home(tmp_path, read_only=True, anonymous="admin")
    with pytest.raises(ReadOnly):
        await check(home, await home.visit(), STEER, "POST")
    await check(home, await home.visit(), SEE)


async def test_a_session_changes_something_with_its_own_csrf_token_alone(home: Home) -> None:
    mine, other = await home.visit(cookie=await home.cookie()), await home.cookie()
    others = await home.visit(cookie=other)
    assert mine.session is not None
    assert others.session is not None
    await check(home, mine, STEER, "POST", home.sessions.csrf(mine.session))
    for wrong in ("", "x", home.sessions.csrf(others.session)):
        with pytest.raises(CsrfMissing):
            home.door.check_csrf(mine, Headers({CSRF_HEADER: wrong}))
    await check(home, mine, SEE, "GET")
    with pytest.raises(CsrfMissing):
        await check(home, mine, STEER, "POST", "x")
    assert len(home.trail.of("denied")) == 1


async def test_who_shows_a_token_needs_no_csrf_token(home: Home) -> None:
    await check(home, await home.visit(f"Bearer {home.token()}"), STEER, "POST")


async def test_what_tells_of_everything_is_not_for_limited_people(home: Home) -> None:
    visit = await home.visit(f"Bearer {home.token(scope=Scope(queues=('a',)))}")
    with pytest.raises(Forbidden, match="limited"):
        await check(home, visit, Rule("viewer", "nothing"))


async def test_has_login(tmp_path: Path) -> None:
    class Provider:
        label = "it"

    assert not Home(tmp_path).door.has_login
    assert Home(tmp_path, provider=Provider()).door.has_login
    proxy = Proxy(trusted=[ADDRESS], user_header="x-user")
    assert Home(tmp_path, proxy=proxy).door.has_login
    home = Home(tmp_path)
    home.add()
    assert home.door.has_login


def test_two_consoles_on_one_host_have_cookies_of_their_own() -> None:
    names = {cookie_name(key, host_bound=bound) for key in (b"1", b"2") for bound in (True, False)}
    assert len(names) == 4
    assert sum(name.startswith("__Host-") for name in names) == 2
