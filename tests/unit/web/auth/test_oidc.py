from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from celeryscope.errors import ConfigError, LoginRefused, Unavailable
from celeryscope.web.auth import fetching
from celeryscope.web.auth.flow import decoded, encoded
from celeryscope.web.auth.oidc import Begun, Identity, Provider
from tests.conftest import Certificates, free_port
from tests.oidc.fake import (
    CALLBACK,
    SECRET,
    Asked,
    Fake,
    Server,
    Told,
    half_hash,
    private_key,
    public_key,
    serving,
    signed,
)

pytestmark = pytest.mark.anyio
made_tls = fetching._tls


@cache
def tls_of(ca: Path | None, _file: str | None) -> ssl.SSLContext:
    return made_tls(ca)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the system's authorities once: they are some hundred certificates."""
    monkeypatch.setattr(fetching, "_tls", lambda ca: tls_of(ca, os.environ.get("SSL_CERT_FILE")))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def fake(server: Server) -> Fake:
    return Fake(server)


def provider_of(server: Server, **settings: Any) -> Provider:
    given: dict[str, Any] = {
        "issuer": server.url,
        "client_id": "console",
        "client_secret": SECRET,
        "redirect_uri": CALLBACK,
        "roles": {"ops": "admin", "dev": "operator"},
    }
    return Provider(**{**given, **settings})


def asked_of(begun: Begun) -> dict[str, str]:
    """What the browser carries to the provider."""
    return dict(parse_qsl(urlsplit(begun.url).query))


async def log_in(
    fake: Fake, provider: Provider | None = None, answer: Mapping[str, str] | None = None
) -> Identity:
    """Go through a whole login, as a browser would; `answer` is what comes back besides."""
    provider = provider or provider_of(fake.server)
    begun = await provider.begin()
    fake.nonce = asked_of(begun)["nonce"]
    query = {"code": "the-code", "state": asked_of(begun)["state"], **(answer or {})}
    return await provider.finish(begun.state, query)


# ---------------------------------------------------------------------- the way there


async def test_a_login_asks_for_a_code_with_fresh_random_parts(fake: Fake) -> None:
    provider = provider_of(fake.server, scopes="email groups")
    first, second = [asked_of(await provider.begin()) for _ in range(2)]
    assert first["response_type"] == "code"
    assert first["client_id"] == "console"
    assert first["redirect_uri"] == CALLBACK
    assert first["scope"] == "openid email groups"
    assert first["code_challenge_method"] == "S256"
    for part in ("state", "nonce", "code_challenge"):
        assert len(decoded(first[part])) == 32
        assert first[part] != second[part]
    assert SECRET not in str(first)


async def test_an_endpoint_keeps_the_parameters_it_has(fake: Fake) -> None:
    fake.metadata["authorization_endpoint"] += "?policy=b2c_1&state=theirs"
    url = (await provider_of(fake.server).begin()).url
    asked = parse_qs(urlsplit(url).query)
    assert asked["policy"] == ["b2c_1"]
    assert asked["state"] != ["theirs"]
    assert len(asked["state"]) == 1


async def test_the_verifier_is_not_in_the_address_and_fits_the_challenge(fake: Fake) -> None:
    import hashlib

    provider = provider_of(fake.server)
    begun = await provider.begin()
    asked = asked_of(begun)
    fake.nonce = asked["nonce"]
    await provider.finish(begun.state, {"code": "c", "state": asked["state"]})
    verifier = fake.server.asked[-1].form["code_verifier"]
    assert verifier not in begun.url
    assert encoded(hashlib.sha256(verifier.encode()).digest()) == asked["code_challenge"]


# ---------------------------------------------------------------------- the way back


async def test_a_good_answer_lets_in(fake: Fake) -> None:
    found = await log_in(fake)
    assert (found.name, found.role, found.scope.limited) == ("ada@example.com", "admin", False)
    assert found.logout_hint is not None
    assert found.logout_hint.count(".") == 2


@pytest.mark.parametrize(
    "answer",
    [{"state": "another"}, {"state": ""}, {"state": "ä" * 43}, {"state": "\ud800"}],
    ids=["another", "empty", "strange", "half a character"],
)
async def test_an_answer_to_another_login_is_refused(fake: Fake, answer: dict[str, str]) -> None:
    with pytest.raises(LoginRefused, match="belongs to no login that was begun"):
        await log_in(fake, answer=answer)
    assert "/token" not in fake.server.paths()


@pytest.mark.parametrize("state", ["", "x", "e30", "é", "A" * 5_000, encoded(b"[" * 500)])
async def test_a_cookie_that_is_none_of_ours_is_refused(fake: Fake, state: str) -> None:
    with pytest.raises(LoginRefused, match="belongs to no login"):
        await provider_of(fake.server).finish(state, {"code": "c", "state": ""})


async def test_a_login_that_takes_too_long_is_refused(fake: Fake) -> None:
    now = [1_000_000.0]
    provider = provider_of(fake.server, clock=lambda: now[0])
    begun = await provider.begin()
    now[0] += 601
    with pytest.raises(LoginRefused, match="more than ten minutes"):
        await provider.finish(begun.state, {"code": "c", "state": asked_of(begun)["state"]})


async def test_an_answer_of_another_issuer_is_refused(fake: Fake) -> None:
    with pytest.raises(LoginRefused, match="another login provider"):
        await log_in(fake, answer={"iss": "https://evil.example"})
    assert (await log_in(fake, answer={"iss": fake.server.url})).role == "admin"
    assert (await log_in(fake)).role == "admin"
    fake.metadata["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(LoginRefused, match="another login provider"):
        await log_in(fake)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "access_denied"}, "did not let you in"),
        ({"error": "access_denied", "error_description": "not you"}, "not you"),
        ({"error": "invalid_scope"}, "--oidc-scopes"),
        ({"error": "server_error", "error_description": "a\r\nb" + "x" * 999}, "server_error: a"),
        ({"error": "weird", "error_description": f"your secret {SECRET}"}, "your secret \\*\\*"),
        ({"code": ""}, "has no code"),
        ({"code": "x" * 10_000}, "has no code"),
    ],
)
async def test_what_the_provider_answers_in_place_of_a_code_is_told(
    fake: Fake, answer: dict[str, str], told: str
) -> None:
    with pytest.raises(LoginRefused, match=told) as refused:
        await log_in(fake, answer=answer)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500
    assert SECRET not in str(refused.value)


# ---------------------------------------------------------------------- the id token


def _spoilt(claims: Mapping[str, Any]) -> str:
    head, body, signature = signed(claims).split(".")
    other = signed({**claims, "groups": ["ops", "more"]}).split(".")[1]
    assert other != body
    return f"{head}.{other}.{signature}"


def _without_signature(claims: Mapping[str, Any], algorithm: str = "none") -> str:
    import json

    parts = [json.dumps({"alg": algorithm}), json.dumps(claims)]
    return ".".join(encoded(part.encode()) for part in parts) + "."


def _by_secret(key: bytes) -> Callable[[Mapping[str, Any]], str]:
    import hashlib
    import hmac
    import json

    def make(claims: Mapping[str, Any]) -> str:
        parts = [json.dumps({"alg": "HS256", "kid": "one"}), json.dumps(claims)]
        message = ".".join(encoded(part.encode()) for part in parts)
        made = hmac.new(key, message.encode(), hashlib.sha256).digest()
        return f"{message}.{encoded(made)}"

    return make


def _pem() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = private_key("ES256").public_key()
    made: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return made


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_spoilt, "not signed with a key of that provider"),
        (lambda claims: signed(claims, key=private_key("ES256", "evil")), "not signed with a key"),
        (_without_signature, "not signed in a way"),
        (lambda claims: _without_signature(claims, "None"), "not signed in a way"),
        (lambda claims: _without_signature(claims, "ES256"), "not signed with a key"),
        (_by_secret(SECRET.encode()), "not signed in a way"),
        (_by_secret(_pem()), "not signed in a way"),
        (lambda claims: signed(claims, algorithm="ES384"), "not signed in a way"),
        (lambda claims: signed(claims, header={"alg": ["ES256"]}), "not signed in a way"),
        (lambda claims: signed(claims, header={"crit": ["b64"], "b64": False}), "not understood"),
        (lambda claims: signed(claims, header={"kid": 5}), "not understood"),
        (lambda claims: signed(claims) + "x=", "cannot be read"),
        (lambda claims: signed(claims) + ".x.y", "is encrypted"),
        (lambda _: "", "gave no id token"),
        (lambda _: None, "gave no id token"),
        (lambda _: "..", "cannot be read"),
        (lambda _: "x" * 70_000, "gave no id token"),
        (lambda _: encoded(b"[" * 9_000) + ".e30.e30", "cannot be read"),
        (lambda _: encoded(b"[]") + ".e30.e30", "cannot be read"),
    ],
)
async def test_a_token_that_cannot_be_trusted_is_refused(
    fake: Fake, make: Callable[[Mapping[str, Any]], Any], told: str
) -> None:
    fake.token = make
    with pytest.raises(LoginRefused, match=told):
        await log_in(fake)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"iss": "https://evil.example"}, "comes from another provider"),
        ({"aud": "another"}, "is for another application"),
        ({"aud": ["another"]}, "is for another application"),
        ({"aud": None}, "is for another application"),
        ({"aud": "console2"}, "is for another application"),
        ({"aud": ["console", "other"]}, "was given to another application"),
        ({"azp": "other"}, "was given to another application"),
        ({"sub": None}, "does not say whom"),
        ({"sub": 5}, "does not say whom"),
        ({"exp": 1_000}, "has expired"),
        ({"exp": None}, "does not say when"),
        ({"exp": "9999999999"}, "does not say when"),
        ({"exp": True}, "does not say when"),
        ({"iat": None}, "does not say when"),
        ({"iat": 9_999_999_999}, "comes from the future"),
        ({"nbf": 9_999_999_999}, "does not count yet"),
        ({"nonce": None}, "belongs to another login"),
        ({"nonce": "another"}, "belongs to another login"),
        ({"nonce": "ä"}, "belongs to another login"),
        ({"at_hash": half_hash("another")}, "does not belong to the access token"),
        ({"at_hash": 5}, "does not belong to the access token"),
    ],
)
async def test_a_token_for_something_else_is_refused(
    fake: Fake, claims: dict[str, Any], told: str
) -> None:
    fake.claims = claims
    with pytest.raises(LoginRefused, match=told):
        await log_in(fake)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["console"]},
        {"aud": ["console", "other"], "azp": "console"},
        {"at_hash": half_hash("the-access-token")},
    ],
)
async def test_what_the_standard_allows_is_taken(fake: Fake, claims: dict[str, Any]) -> None:
    fake.claims = claims
    assert (await log_in(fake)).role == "admin"


@pytest.mark.parametrize(("off", "lets_in"), [(-55, True), (-65, False), (55, True), (65, False)])
async def test_clocks_may_differ_by_a_minute(fake: Fake, off: float, lets_in: bool) -> None:
    now = time.time()
    provider = provider_of(fake.server, clock=lambda: now)
    fake.claims = {"exp": now + off} if off < 0 else {"iat": now + off, "exp": now + 300}
    if lets_in:
        assert (await log_in(fake, provider)).role == "admin"
    else:
        with pytest.raises(LoginRefused, match="clocks is wrong"):
            await log_in(fake, provider)


@pytest.mark.parametrize(
    "algorithm",
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
     "Ed25519"],
)  # fmt: skip
async def test_every_algorithm_that_the_provider_names_is_checked(
    fake: Fake, algorithm: str
) -> None:
    fake.metadata["id_token_signing_alg_values_supported"] = [algorithm]
    fake.token = lambda claims: signed(claims, algorithm=algorithm)
    fake.keys = [public_key(algorithm, kid="one")]
    assert (await log_in(fake)).role == "admin"
    key = private_key(algorithm, "evil")
    fake.token = lambda claims: signed(claims, algorithm=algorithm, key=key)
    with pytest.raises(LoginRefused, match="not signed with a key"):
        await log_in(fake)


@pytest.mark.parametrize(
    "spoil",
    [
        {"use": "enc"},
        {"alg": "RS256"},
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"kid": "two"},
        {"x": "AAAA"},
        {"x": None},
        {"y": 5},
    ],
)
async def test_a_key_for_something_else_signs_nothing(fake: Fake, spoil: dict[str, Any]) -> None:
    fake.keys = [{**public_key("ES256", kid="one"), **spoil}]
    with pytest.raises(LoginRefused, match="not signed with a key"):
        await log_in(fake)


async def test_a_short_key_signs_nothing(fake: Fake) -> None:
    fake.token = lambda claims: signed(claims, algorithm="RS256", key=private_key("RS256", "short"))
    fake.keys = [public_key("RS256", "short", kid="one")]
    with pytest.raises(LoginRefused, match="not signed with a key"):
        await log_in(fake)


async def test_without_a_key_id_each_key_is_tried(fake: Fake) -> None:
    fake.token = lambda claims: signed(claims, header={"kid": None})
    fake.keys = [public_key("ES256", "other"), public_key("ES256"), {}, 5]  # type: ignore[list-item]
    assert (await log_in(fake)).role == "admin"


async def test_a_new_key_is_found_when_its_id_is_not_known(fake: Fake) -> None:
    provider = provider_of(fake.server)
    await log_in(fake, provider)
    fake.keys = [public_key("ES256", "next", kid="next")]
    key = private_key("ES256", "next")
    fake.token = lambda claims: signed(claims, key=key, header={"kid": "next"})
    assert (await log_in(fake, provider)).role == "admin"
    assert fake.server.paths().count("/jwks") == 2
    fake.token = lambda claims: signed(claims, key=key, header={"kid": "nobody's"})
    with pytest.raises(LoginRefused, match="not signed with a key"):
        await log_in(fake, provider)
    assert fake.server.paths().count("/jwks") == 3  # looked once more, and not again and again


# ---------------------------------------------------------------------- tokens for the code


async def test_the_secret_is_shown_in_the_way_the_provider_takes(fake: Fake) -> None:
    provider = provider_of(fake.server, client_secret="a b:c+%/ü")
    await log_in(fake, provider)
    asked = fake.server.asked[-1]
    shown = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert shown == "console:a+b%3Ac%2B%25%2F%C3%BC"
    assert "client_secret" not in asked.form

    fake.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    await log_in(fake)
    asked = fake.server.asked[-1]
    assert asked.form["client_secret"] == SECRET
    assert "authorization" not in asked.headers

    await log_in(fake, provider_of(fake.server, client_secret=""))
    asked = fake.server.asked[-1]
    assert asked.form["client_id"] == "console"
    assert "client_secret" not in asked.form
    assert "authorization" not in asked.headers

    fake.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]
    with pytest.raises(Unavailable, match="client_secret_basic"):
        await log_in(fake)


async def test_the_other_way_is_tried_when_the_provider_takes_only_that(fake: Fake) -> None:
    good = fake.server.answers["/token"]

    def only_post(asked: Asked) -> Any:
        if "client_secret" in asked.form:
            return good(asked)
        return Told({"error": "invalid_client"}, 401)

    fake.server.answers["/token"] = only_post
    fake.metadata["token_endpoint_auth_methods_supported"] = [
        "client_secret_basic",
        "client_secret_post",
    ]
    assert (await log_in(fake)).role == "admin"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (Told({"error": "invalid_client"}, 401), "--oidc-client-secret"),
        (Told({"error": "invalid_grant"}, 400), "used before, or is too old"),
        (Told({"error": "odd", "error_description": f"x {SECRET}"}, 400), "odd: x \\*\\*"),
        (Told([], 200), "gave no tokens"),
        (Told({"error": {"a": 1}}, 500), "gave no tokens"),
        (Told({"access_token": "x"}), "gave no id token"),
    ],
)
async def test_no_tokens_no_login(fake: Fake, told: Told, sentence: str) -> None:
    fake.server.answers["/token"] = told
    with pytest.raises(LoginRefused, match=sentence) as refused:
        await log_in(fake)
    assert SECRET not in str(refused.value)


# ---------------------------------------------------------------------- who comes in


async def test_what_the_token_lacks_is_asked_for(fake: Fake) -> None:
    fake.metadata["userinfo_endpoint"] = fake.server.url + "/me"
    fake.claims = {"email": None, "email_verified": None, "groups": None}
    person = {"sub": "1", "email": "ada@example.com", "email_verified": True, "groups": "dev x"}
    fake.server.answers["/me"] = person
    found = await log_in(fake)
    assert (found.name, found.role) == ("ada@example.com", "operator")
    assert fake.server.asked[-1].headers["authorization"] == "Bearer the-access-token"

    fake.server.answers["/me"] = {**person, "sub": "2"}
    with pytest.raises(LoginRefused, match="of one person, and then of another"):
        await log_in(fake)
    fake.server.answers["/me"] = Told({}, 401)
    with pytest.raises(Unavailable, match="401"):
        await log_in(fake)


async def test_what_the_token_says_goes_before_what_is_asked_for(fake: Fake) -> None:
    fake.metadata["userinfo_endpoint"] = fake.server.url + "/me"
    fake.claims = {"email_verified": None, "groups": ["dev"]}
    # Verified is another address than the one in the token.
    told = {"sub": "1", "email": "root@example.com", "email_verified": True, "groups": ["ops"]}
    fake.server.answers["/me"] = told
    emails = [re.compile(r".*@example\.com")]
    with pytest.raises(LoginRefused, match="email_verified"):
        await log_in(fake, provider_of(fake.server, emails=emails))
    found = await log_in(fake, provider_of(fake.server, name_claim="sub"))
    assert (found.name, found.role) == ("1", "operator")


async def test_that_an_address_is_verified_counts_for_that_address(fake: Fake) -> None:
    fake.metadata["userinfo_endpoint"] = fake.server.url + "/me"
    fake.claims = {"email": None, "email_verified": True}
    fake.server.answers["/me"] = {
        "sub": "1",
        "email": "root@example.com",
        "email_verified": False,
    }
    emails = [re.compile(r".*@example\.com")]
    with pytest.raises(LoginRefused, match="email_verified"):
        await log_in(fake, provider_of(fake.server, emails=emails))


async def test_what_the_token_leaves_empty_is_asked_for(fake: Fake) -> None:
    fake.metadata["userinfo_endpoint"] = fake.server.url + "/me"
    fake.token = lambda claims: signed({**claims, "groups": None})
    fake.server.answers["/me"] = {"sub": "1", "groups": ["dev"]}
    assert (await log_in(fake)).role == "operator"


async def test_the_provider_is_not_asked_for_what_the_token_has(fake: Fake) -> None:
    fake.metadata["userinfo_endpoint"] = fake.server.url + "/me"
    await log_in(fake)
    assert "/me" not in fake.server.paths()


# ---------------------------------------------------------------------- discovery


async def test_a_provider_that_is_down_keeps_nobody_from_starting() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    provider = Provider(
        issuer=url,
        client_id="console",
        client_secret=SECRET,
        redirect_uri=CALLBACK,
        default_role="viewer",
    )
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached") as down:
        await provider.begin()
    assert SECRET not in str(down.value)
    assert await provider.logout_url("token", CALLBACK) is None


async def test_it_is_asked_again_each_time_until_it_is_back(fake: Fake) -> None:
    path = "/.well-known/openid-configuration"
    good = fake.server.answers[path]
    fake.server.answers[path] = Told({}, 503)
    provider = provider_of(fake.server)
    for _ in range(2):
        with pytest.raises(Unavailable, match="answered 503"):
            await provider.begin()
    fake.server.answers[path] = good
    assert (await provider.begin()).url.startswith(fake.server.url)


async def test_it_is_asked_once_an_hour_and_once_for_all_who_wait(fake: Fake) -> None:
    now = [0.0]
    provider = provider_of(fake.server, monotonic=lambda: now[0])
    await asyncio.gather(*(provider.begin() for _ in range(20)))
    assert fake.server.paths().count("/jwks") == 1
    now[0] = 3_599
    await provider.begin()
    assert fake.server.paths().count("/jwks") == 1
    now[0] = 3_601
    await provider.begin()
    assert fake.server.paths().count("/jwks") == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"issuer": "https://evil.example"}, "calls itself https://evil.example"),
        ({"issuer": 5}, "no discovery document"),
        ({"token_endpoint": None}, "no discovery document"),
        ({"token_endpoint": "http://example.com/token"}, "not https://"),
        ({"token_endpoint": "https://user:pw@example.com/token"}, "not https://"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "not https://"),
        ({"jwks_uri": f"https://{'x' * 70}.invalid/jwks"}, "cannot be reached"),
        ({"authorization_endpoint": "https://example.com/a b"}, "not https://"),
        ({"end_session_endpoint": "file:///etc/passwd"}, "not https://"),
        ({"userinfo_endpoint": "https://example.com:port/"}, "not https://"),
    ],
)
async def test_a_discovery_document_that_is_wrong_is_not_used(
    fake: Fake, change: dict[str, Any], told: str
) -> None:
    fake.metadata |= change
    with pytest.raises(Unavailable, match=told):
        await provider_of(fake.server).begin()


async def test_a_slash_at_the_end_of_the_issuer_matters_to_the_token_alone(fake: Fake) -> None:
    fake.metadata["issuer"] += "/"
    with pytest.raises(LoginRefused, match="comes from another provider"):
        await log_in(fake)
    fake.claims = {"iss": fake.metadata["issuer"]}
    assert (await log_in(fake)).role == "admin"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (Told(b"<html>"), "what is no JSON"),
        (Told(b"[" * 5_000), "what is no JSON"),
        (Told(b'{"a": NaN}'), "what is no JSON"),
        (Told(b" " * (2**20 + 1)), "more than 1048576 bytes"),
        (Told({}, 302, {"Location": "https://evil.example/"}), "a redirect \\(302\\)"),
        (Told([]), "no discovery document"),
    ],
)
async def test_answers_have_bounds(fake: Fake, told: Told, sentence: str) -> None:
    fake.server.answers["/.well-known/openid-configuration"] = told
    with pytest.raises(Unavailable, match=sentence):
        await provider_of(fake.server).begin()


async def test_an_answer_that_does_not_come_is_not_waited_for(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr(fetching, "PATIENCE_SECONDS", 0.05)
    go_on = threading.Event()
    fake.server.answers["/jwks"] = lambda _: go_on.wait(30) and {"keys": []}
    try:
        with pytest.raises(Unavailable, match=r"gave no answer|cannot be reached"):
            await provider_of(fake.server).begin()
    finally:
        go_on.set()


async def test_who_stops_waiting_takes_it_from_nobody(fake: Fake) -> None:
    import threading

    go_on, here = threading.Event(), threading.Event()

    def slow(_: Asked) -> Any:
        here.set()
        go_on.wait(30)
        return {"keys": fake.keys}

    fake.server.answers["/jwks"] = slow
    provider = provider_of(fake.server)
    first, second = (asyncio.ensure_future(provider.begin()) for _ in range(2))
    assert await asyncio.to_thread(here.wait, 30)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert (await second).url.startswith(fake.server.url)
    assert fake.server.paths().count("/jwks") == 1


async def test_a_certificate_is_checked(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(certificates) as server:
        fake = Fake(server)
        assert server.url.startswith("https://")
        with pytest.raises(Unavailable, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"):
            await log_in(fake)
        assert server.asked == []
        assert (await log_in(fake, provider_of(server, ca=certificates.ca))).role == "admin"
        fake.metadata["token_endpoint"] = "http://127.0.0.1:1/token"  # no way back from HTTPS
        with pytest.raises(Unavailable, match="not https://"):
            await log_in(fake, provider_of(server, ca=certificates.ca))
        fake.metadata["token_endpoint"] = server.url + "/token"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
        assert (await log_in(fake)).role == "admin"


# ---------------------------------------------------------------------- logout


async def test_a_logout_goes_through_the_provider_and_back(fake: Fake) -> None:
    fake.metadata["end_session_endpoint"] = fake.server.url + "/end?a=b"
    provider = provider_of(fake.server)
    url = await provider.logout_url("the.id.token", "https://console/login")
    assert url is not None
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "a": "b",
        "client_id": "console",
        "post_logout_redirect_uri": "https://console/login",
        "id_token_hint": "the.id.token",
    }
    without = await provider.logout_url(None, "https://console/login")
    assert without is not None
    assert "hint" not in without
    long = await provider.logout_url("x" * 5_000, "https://console/login")
    assert long == without  # servers refuse such long addresses


async def test_a_provider_without_logout_has_no_address_for_it(fake: Fake) -> None:
    assert await provider_of(fake.server).logout_url("t", "https://console/") is None


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"issuer": "http://id.example.com"}, "not an https:// address"),
        ({"issuer": "https://id.example.com#x"}, "not an https:// address"),
        ({"issuer": "id.example.com"}, "not an https:// address"),
        ({"issuer": "https://accounts.google.com"}, "Anybody can have an account at Google"),
        ({"issuer": "https://gitlab.com/"}, "Anybody can have an account at GitLab"),
    ],
)
def test_what_could_never_be_right_is_an_error_of_the_settings(
    settings: dict[str, Any], told: str
) -> None:
    given: dict[str, Any] = {
        "client_id": "x",
        "client_secret": SECRET,
        "redirect_uri": CALLBACK,
        "default_role": "viewer",
    }
    with pytest.raises(ConfigError, match=told) as wrong:
        Provider(**given, **settings)
    assert SECRET not in str(wrong.value)


def test_a_file_of_authorities_that_is_not_there_is_told(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match=r"ca\.pem.*cannot be read"):
        Provider(
            issuer="https://id.example.com",
            client_id="x",
            client_secret=SECRET,
            redirect_uri=CALLBACK,
            ca=tmp_path / "ca.pem",
        )


def test_missing_packages_are_told_with_the_way_to_get_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ConfigError, match=r'\(jwt\): pip install "celeryscope\[oidc\]"'):
        Provider(
            issuer="https://id.example.com",
            client_id="x",
            client_secret=SECRET,
            redirect_uri=CALLBACK,
        )


async def test_the_secret_is_in_no_log(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = provider_of(fake.server)
    await log_in(fake, provider)
    fake.server.answers["/token"] = Told({"error": "invalid_client"}, 401)
    with pytest.raises(LoginRefused):
        await log_in(fake, provider)
    basic = base64.b64encode(f"console:{SECRET}".encode()).decode()
    for secret in (SECRET, basic, "the-access-token"):
        assert secret not in caplog.text
        assert secret not in repr(provider)
