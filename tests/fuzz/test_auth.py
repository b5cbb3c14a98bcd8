"""What somebody shows at the door: cookies, names and passwords, tokens, forms, a proxy's headers."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.errors import CeleryscopeError, NotLoggedIn
from celeryscope.web.auth.identity import Admission, clean_name
from celeryscope.web.auth.proxy import Proxy
from celeryscope.web.auth.sessions import Sessions
from celeryscope.web.auth.throttle import Throttle
from celeryscope.web.auth.tokens import Tokens
from celeryscope.web.auth.users import Users
from tests.fuzz.asking import check, header_values
from tests.fuzz.hostile import NASTY, a_sentence, as_json, fuzz, mutated, records, texts, values
from tests.security.house import FORM, PASSWORD, Home
from tests.unit.web.standins import Cluster

pytestmark = pytest.mark.timeout(60)

NOW = 1_795_000_000.0
PATHS = ("/api/v1/overview", "/api/v1/me", "/", "/login", "/metrics", "/api/v1/control/ping")


class Patient(Throttle):
    """A throttle that never minds: the examples are all of one address."""

    def check(self, address: str, name: str, now: float) -> None:
        """Let everybody try."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    proxy = Proxy(
        trusted=["127.0.0.1"], user_header="X-User", role_header="X-Groups",
        roles={"ops": "operator"}, default_role=None,
    )  # fmt: skip
    home = Home(tmp_path_factory.mktemp("home"), cluster=Cluster(), proxy=proxy)
    home.door.throttle = Patient()
    home.door.users.verify = lambda name, password: None  # type: ignore[method-assign]
    return home


def refused(home: Home, headers: list[tuple[bytes, bytes]]) -> None:
    """See that these headers let nobody in."""
    for path in PATHS:
        for method in ("GET", "POST"):
            told = home.ask(path, method=method, headers=headers)
            check(told)
            if path.startswith("/api/") and told.status != 405:
                assert told.status in (401, 403), (headers, told)


cookies = st.one_of(
    header_values,
    header_values.map(lambda value: b"celeryscope=" + value),
    st.lists(header_values, max_size=4).map(lambda all_: b"celeryscope=" + b"; celeryscope=".join(all_)),
    st.sampled_from(
        [b"celeryscope", b"=", b"celeryscope=.", b"celeryscope=" + b"a" * 43 + b"." + b"b" * 43,
         b"celeryscope=" + b"." * 5_000, b'celeryscope="\\101"', b"celeryscope=%00", b";" * 3_000,
         b"celeryscope-away=x; celeryscope=\xff"]
    ),
)  # fmt: skip


@given(cookies)
@fuzz(100)
def test_no_cookie_but_a_sessions_lets_in(home: Home, cookie: bytes) -> None:
    refused(home, [(b"cookie", cookie)])


encoded = st.binary(max_size=40).map(base64.b64encode)


@given(
    st.one_of(
        header_values,
        st.tuples(
            st.sampled_from([b"Basic", b"basic", b"BASIC", b"Bearer", b"bearer", b"Digest", b"", b"Basic\t"]),
            header_values | encoded | st.sampled_from(
                [b"", b"Og==", b"YTo=", b"OmI=", b"====", b"YQ", b"/w==", b"AAAA" * 2_000,
                 base64.b64encode(b"a" * 300 + b":b"), base64.b64encode("ü:ü".encode()),
                 base64.b64encode(b"a\0b:c"), b"cscope_", b"cscope_AAAAAAAA_" + b"A" * 43,
                 b"cscope_" + b"_" * 60, b"cscope_\xff"]
            ),
        ).map(b" ".join),
    )
)  # fmt: skip
@fuzz(150)
def test_no_authorization_but_a_right_one_lets_in(home: Home, value: bytes) -> None:
    refused(home, [(b"authorization", value)])
    refused(home, [(b"authorization", value), (b"authorization", value)])


@given(
    st.one_of(
        mutated(b"name=ada&password=wrong&next=%2Ftasks"),
        st.binary(max_size=80),
        st.lists(st.tuples(st.sampled_from(["name", "password", "next"]), texts), max_size=6).map(
            lambda pairs: "&".join(f"{a}={b}" for a, b in pairs).encode("utf-8", "replace")
        ),
    ),
    st.sampled_from([*FORM, (b"content-type", b"multipart/form-data; boundary=x"),
                     (b"content-type", b"application/json"), (b"content-type", b"")]),
)  # fmt: skip
@fuzz(150)
def test_no_form_makes_the_login_fail_or_succeed(
    home: Home, body: bytes, kind: tuple[bytes, bytes]
) -> None:
    told = home.ask("/login", method="POST", headers=[kind], body=[body])
    check(told)
    assert 400 <= told.status < 500
    assert not [c for c in told.values("set-cookie") if c.startswith("celeryscope=")]
    assert b"<script>alert" not in told.body


@given(
    header_values,
    header_values,
    header_values,
    header_values,
    st.sampled_from([("127.0.0.1", 1), ("192.0.2.1", 1), ("::1", 1), None, ("not an address", 0)]),
)
@fuzz(200)
def test_any_header_of_a_proxy_names_nobody_or_a_person(
    home: Home,
    user: bytes,
    groups: bytes,
    forwarded_for: bytes,
    forwarded: bytes,
    client: tuple[str, int] | None,
) -> None:
    headers = [
        (b"x-user", user), (b"x-groups", groups), (b"x-forwarded-for", forwarded_for),
        (b"forwarded", forwarded), (b"x-forwarded-proto", forwarded),
    ]  # fmt: skip
    told = home.ask("/api/v1/me", headers=headers, client=client)
    check(told)
    comes_in = client == ("127.0.0.1", 1) and b"ops" in groups
    assert told.status == 401 or (told.status == 200 and comes_in), (headers, told)
    proxy = home.door.proxy
    address = proxy.address(client[0] if client else None, headers)
    assert len(address) <= 100
    assert address.isprintable()


@given(
    st.lists(st.sampled_from([*NASTY, "10.0.0.1", "::1", "unknown", '"[::1]:80"', "for=x", ","]))
)
@fuzz(100)
def test_an_address_from_a_header_is_an_address(parts: list[str]) -> None:
    proxy = Proxy(trusted=["10.0.0.0/8"], user_header="", role_header="", roles={},
                  default_role=None)  # fmt: skip
    given_ = ", ".join(parts).encode("utf-8", "replace")
    for name in (b"x-forwarded-for", b"forwarded"):
        address = proxy.address("10.0.0.9", [(name, given_)])
        assert address == "10.0.0.9" or all(c in "0123456789abcdef:." for c in address)


# ---------------------------------------------------------------------- what is kept


@given(texts | st.text(max_size=80), texts)
@fuzz(150)
def test_no_text_is_a_token_or_a_session(text: str, other: str) -> None:
    tokens = Tokens(None)
    sessions = Sessions(None, key=b"k" * 32, idle_seconds=60.0, lifetime_seconds=600.0)
    for given_ in (text, other, f"{text}.{other}", f"cscope_{text}_{other}"):
        assert tokens.find(given_, now=NOW) is None
        assert sessions.find(given_, now=NOW) is None


FILES = {
    "users.json": {"version": 1, "users": {"ada": {"role": "admin", "password": "$argon2id$v=19$m=1,t=1,p=1$YWFhYWFhYWE$YWFhYWFhYWE", "queues": [], "tasks": []}}},
    "tokens.json": {"version": 1, "tokens": []},
    "sessions.json": {"version": 1, "sessions": []},
}  # fmt: skip


@given(
    st.sampled_from(sorted(FILES)),
    st.one_of(
        st.sampled_from(sorted(FILES)).flatmap(lambda name: mutated(as_json(FILES[name]))),
        values().map(as_json),
        records("version", "users", "tokens", "sessions").map(as_json),
        records("role", "password", "queues", "tasks").map(
            lambda row: as_json({"version": 1, "users": {"ada": row}})
        ),
        st.binary(max_size=60),
    ),
)
@fuzz(60)
def test_a_file_that_was_spoilt_lets_nobody_in(
    tmp_path_factory: pytest.TempPathFactory, name: str, kept: bytes
) -> None:
    directory = _directory(tmp_path_factory)
    path = directory / name
    path.write_bytes(kept)
    path.chmod(0o600)
    try:
        if name == "users.json":
            users = Users(path)
            assert users.verify("ada", PASSWORD) is None
            users.list()
        elif name == "tokens.json":
            assert Tokens(path).find("cscope_AAAAAAAA_" + "A" * 43, now=NOW) is None
        else:
            sessions = Sessions(path, key=b"k" * 32, idle_seconds=60.0, lifetime_seconds=600.0)
            assert sessions.find("a.b", now=NOW) is None
            assert sessions.list(now=NOW) is not None
    except CeleryscopeError as refusal:
        a_sentence(refusal)
    finally:
        for left in directory.iterdir():
            left.unlink()


_made: list[Path] = []


def _directory(factory: pytest.TempPathFactory) -> Path:
    if not _made:
        _made.append(factory.mktemp("kept"))
    return _made[0]


@given(records("sub", "email", "email_verified", "preferred_username", "groups", "realm_access"))
@fuzz(150)
def test_any_claims_are_a_person_or_a_refusal(claims: dict[str, object]) -> None:
    admission = Admission(roles={"ops": "admin"}, role_claim="realm_access.roles")
    try:
        identity = admission.admit(claims)
    except NotLoggedIn as refusal:
        a_sentence(refusal)
        return
    assert clean_name(identity.name) == identity.name
    assert identity.role == "admin"


@given(st.lists(st.tuples(texts, texts), max_size=60))
@fuzz(60)
def test_any_names_and_addresses_are_throttled_in_bounds(tries: list[tuple[str, str]]) -> None:
    throttle = Throttle()
    now = time.time()
    for address, name in tries:
        try:
            throttle.check(address, name, now=now)
            throttle.failed(address, name, now=now)
        except CeleryscopeError as refusal:
            a_sentence(refusal)
