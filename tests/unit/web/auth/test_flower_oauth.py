from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from flower.utils.authentication import authenticate, validate_auth_option
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celeryscope.config.load import load
from celeryscope.config.settings import Config
from celeryscope.errors import ConfigError, LoginRefused, Unavailable
from celeryscope.web.auth.flower_oauth import GitHub, GitLab, login_provider
from celeryscope.web.auth.identity import Admission, Identity, LoginProvider
from celeryscope.web.auth.oidc import Provider
from tests.oidc.fake import CALLBACK, SECRET, Asked, Server, Told, serving

pytestmark = pytest.mark.anyio

TOKEN = {"access_token": "the-access-token", "token_type": "bearer"}
OURS = [re.compile(r".*@example\.com")]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def made(provider: Any, issuer: str = "", **more: Any) -> LoginProvider:
    usual: dict[str, Any] = {
        "client_id": "console",
        "client_secret": SECRET,
        "redirect_uri": CALLBACK,
        "default_role": "admin",
        "emails": OURS,
    }
    return login_provider(provider=provider, issuer=issuer, **{**usual, **more})


async def log_in(provider: LoginProvider) -> Identity:
    begun = await provider.begin()
    state = dict(parse_qsl(urlsplit(begun.url).query))["state"]
    return await provider.finish(begun.state, {"code": "the-code", "state": state})


def address(email: str, *, verified: bool = True, primary: bool = False) -> dict[str, Any]:
    return {"email": email, "verified": verified, "primary": primary, "visibility": None}


# ---------------------------------------------------------------------- which provider


@pytest.mark.parametrize(
    ("provider", "issuer", "label", "kind"),
    [
        ("google", "", "Google", Provider),
        ("okta", "https://dev.okta.com", "Okta", Provider),
        ("github", "", "GitHub", GitHub),
        ("github", "https://github.example.com", "GitHub", GitHub),
        ("gitlab", "", "GitLab", GitLab),
        ("gitlab", "https://git.example.com", "GitLab", GitLab),
        ("", "https://id.example.com/realms/x", "id.example.com", Provider),
    ],
)
def test_each_provider_is_made(provider: str, issuer: str, label: str, kind: type) -> None:
    found = made(provider, issuer)
    assert isinstance(found, kind)
    assert found.label == label
    assert made(provider, issuer, label="Us").label == "Us"


@pytest.mark.parametrize(
    ("provider", "more", "told"),
    [
        ("google", {"emails": ()}, "account at Google"),
        ("github", {"emails": ()}, r"account at GitHub \(https://github\.com\)"),
        ("gitlab", {"emails": ()}, "account at GitLab"),
        ("okta", {}, "Which Okta"),
        ("github", {"roles": {"ops": "admin"}}, "GitHub tells nothing of groups"),
        ("github", {"issuer": "http://github.example.com"}, "not an https"),
    ],
)
def test_what_could_never_be_right_is_an_error_of_the_settings(
    provider: str, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        made(provider, **more)


def test_a_server_of_ones_own_may_let_in_all_its_people() -> None:
    for provider in ("github", "gitlab"):
        made(provider, "https://git.example.com", emails=())


# ---------------------------------------------------------------------- GitHub


async def test_github_is_asked_as_flower_asks() -> None:
    begun = await made("github").begin()
    parts = urlsplit(begun.url)
    asked = dict(parse_qsl(parts.query))
    assert parts._replace(query="").geturl() == "https://github.com/login/oauth/authorize"
    assert asked["scope"] == "user:email"
    assert asked["client_id"] == "console"
    assert asked["redirect_uri"] == CALLBACK
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert SECRET not in begun.url


async def test_github_of_all_the_world_has_its_api_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from celeryscope.web.auth.fetching import Answer, Fetcher

    urls: list[str] = []

    async def ask(
        self: object, method: str, url: str, headers: dict[str, str], form: Any
    ) -> Answer:
        urls.append(f"{method} {url}")
        return Answer(200, TOKEN if method == "POST" else [address("ada@example.com")])

    monkeypatch.setattr(Fetcher, "_ask", ask)
    assert (await log_in(made("github"))).name == "ada@example.com"
    assert urls == [
        "POST https://github.com/login/oauth/access_token",
        "GET https://api.github.com/user/emails?per_page=100&page=1",
    ]


@pytest.fixture
def hub(server: Server) -> Server:
    """A GitHub Enterprise Server."""
    server.answers |= {
        "/login/oauth/access_token": TOKEN,
        "/api/v3/user/emails": [address("ada@example.com", primary=True)],
    }
    return server


async def test_github_lets_in_a_verified_address(hub: Server) -> None:
    found = await log_in(made("github", hub.url))
    assert (found.name, found.role, found.logout_hint) == ("ada@example.com", "admin", None)
    code, emails = hub.asked
    assert code.form["code"] == "the-code"
    assert code.form["client_secret"] == SECRET
    assert len(code.form["code_verifier"]) == 43
    assert code.headers["accept"] == "application/json"
    assert emails.headers["authorization"] == "Bearer the-access-token"


@pytest.mark.parametrize(
    ("emails", "name"),
    [
        # As in Flower, any verified address that fits; the primary one where several do.
        ([address("ada@gmail.com", primary=True), address("ada@example.com")], "ada@example.com"),
        (
            [address("other@example.com"), address("ada@example.com", primary=True)],
            "ada@example.com",
        ),
        (
            [address("x@example.com", verified=False, primary=True), address("ada@example.com")],
            "ada@example.com",
        ),
    ],
)
async def test_github_may_know_several_addresses(hub: Server, emails: list[Any], name: str) -> None:
    hub.answers["/api/v3/user/emails"] = emails
    assert (await log_in(made("github", hub.url))).name == name


@pytest.mark.parametrize(
    ("emails", "told"),
    [
        ([address("ada@example.com", verified=False, primary=True)], "no verified e-mail"),
        ([], "no verified e-mail"),
        ([address("ada@example.com.evil.net")], r"Nobody with the e-mail address ada@example\.com\.ev"),
        ([{"email": "ada@example.com", "verified": "yes"}], "no verified e-mail"),
        ([{"email": 5, "verified": True}, 7], "no verified e-mail"),
        (Told({}, 404), r"needs the scope user:email"),
        (Told({}, 401), r"needs the scope user:email"),
    ],
)  # fmt: skip
async def test_github_keeps_others_out(hub: Server, emails: Any, told: str) -> None:
    hub.answers["/api/v3/user/emails"] = emails
    with pytest.raises(LoginRefused, match=told):
        await log_in(made("github", hub.url))


@pytest.mark.parametrize(
    "told",
    [
        Told({"error": "bad_verification_code", "error_description": SECRET}),
        Told({"error": "incorrect_client_credentials"}),
        Told([]),
        Told({}, 500),
        Told({"access_token": ""}),
        Told({"access_token": 5}),
    ],
)
async def test_without_a_token_nobody_is_let_in(hub: Server, told: Told) -> None:
    hub.answers["/login/oauth/access_token"] = told
    with pytest.raises(LoginRefused, match="GitHub gave no access") as refused:
        await log_in(made("github", hub.url))
    assert SECRET not in str(refused.value)
    assert hub.paths() == ["/login/oauth/access_token"]


@pytest.mark.parametrize("answer", [Told({}, 500), {"not": "a list"}])
async def test_a_github_that_is_ill_is_told(hub: Server, answer: Any) -> None:
    hub.answers["/api/v3/user/emails"] = answer
    with pytest.raises(Unavailable, match="GitHub cannot be used"):
        await log_in(made("github", hub.url))


@pytest.mark.parametrize("provider", ["github", "gitlab"])
async def test_an_answer_to_no_login_of_this_browser_is_refused(hub: Server, provider: str) -> None:
    made_here = made(provider, hub.url)
    begun = await made_here.begin()
    for query in ({"code": "x"}, {"code": "x", "state": "y"}):
        with pytest.raises(LoginRefused, match="belongs to no login"):
            await made_here.finish(begun.state, query)
    assert hub.asked == []


async def test_they_have_no_logout_of_their_own(hub: Server) -> None:
    assert await made("github", hub.url).logout_url(None, "https://console/") is None


# ---------------------------------------------------------------------- GitLab


@pytest.fixture
def lab(server: Server) -> Server:
    """A GitLab in which somebody is a reporter of two groups, and a guest of a third."""

    def groups(asked: Asked) -> Any:
        level = int(asked.query["min_access_level"])
        levels = {"team/ops": 50, "team/dev": 20, "team/guests": 10}
        return [{"id": 1, "full_path": path} for path, has in levels.items() if has >= level]

    server.answers |= {
        "/oauth/token": TOKEN,
        "/api/v4/user": {"email": "ada@example.com", "confirmed_at": "2026-01-01T00:00:00Z"},
        "/api/v4/groups": groups,
    }
    return server


async def test_gitlab_is_asked_as_flower_asks(lab: Server) -> None:
    begun = await made("gitlab").begin()
    parts = urlsplit(begun.url)
    assert parts._replace(query="").geturl() == "https://gitlab.com/oauth/authorize"
    assert dict(parse_qsl(parts.query))["scope"] == "read_api"
    found = await log_in(made("gitlab", lab.url))
    assert (found.name, found.role) == ("ada@example.com", "admin")
    assert lab.paths() == ["/oauth/token", "/api/v4/user"]


@pytest.mark.parametrize(
    ("roles", "level", "role"),
    [
        ({"team/ops": "admin"}, 20, "admin"),
        ({"team/dev": "operator", "team/none": "admin"}, 20, "operator"),
        ({"team/dev": "operator"}, 30, None),
        ({"team/guests": "viewer"}, 20, None),  # a guest is not let in, as in Flower
        ({"team/guests": "viewer"}, 10, "viewer"),
        ({"team": "admin", "ops": "admin"}, 20, None),
    ],
)
async def test_gitlab_groups_count_by_path_and_level(
    lab: Server, roles: dict[str, Any], level: int, role: str | None
) -> None:
    provider = made(
        "gitlab", lab.url, roles=roles, default_role=None, gitlab_min_access_level=level
    )
    if role is None:
        with pytest.raises(LoginRefused, match="no role here"):
            await log_in(provider)
    else:
        assert (await log_in(provider)).role == role


async def test_a_group_of_gitlab_is_not_enough_where_addresses_are_asked_for(lab: Server) -> None:
    emails = [re.compile(r"bob@example\.com")]
    provider = made(
        "gitlab", lab.url, roles={"team/ops": "admin"}, default_role=None, emails=emails
    )
    with pytest.raises(LoginRefused, match="Nobody with the e-mail address"):
        await log_in(provider)


async def test_groups_beyond_the_first_page_count(lab: Server) -> None:
    def pages(asked: Asked) -> Any:
        first = int(asked.query["page"]) * 100 - 100
        return [{"full_path": f"g{number}"} for number in range(first, min(first + 100, 250))]

    lab.answers["/api/v4/groups"] = pages
    provider = made("gitlab", lab.url, roles={"g249": "operator"}, default_role=None)
    assert (await log_in(provider)).role == "operator"
    assert lab.paths().count("/api/v4/groups") == 3

    lab.answers["/api/v4/groups"] = [{"full_path": "x"}] * 100  # without an end
    with pytest.raises(LoginRefused, match="no role here"):
        await log_in(provider)
    assert lab.paths().count("/api/v4/groups") == 23


@pytest.mark.parametrize("user", [{"email": "ada@example.com", "confirmed_at": None}, {}])
async def test_an_address_that_nobody_confirmed_opens_nothing(
    lab: Server, user: dict[str, Any]
) -> None:
    lab.answers["/api/v4/user"] = user
    with pytest.raises(LoginRefused):
        await log_in(made("gitlab", lab.url))


# ---------------------------------------------------------------------- Flower's options


def flowers(directory: Path, **env: str) -> Config:
    """What a Flower's variables say here."""
    given = {f"FLOWER_{name}": value for name, value in env.items()}
    given |= {"CELERY_BROKER_URL": "memory://"}
    return load(command="serve", env=given, directory=directory).config


def of(config: Config) -> LoginProvider:
    """The provider that a Config describes."""
    role = cast("Any", config.oidc_default_role or None)
    return login_provider(
        provider=cast("Any", config.oidc_provider),
        issuer=config.oidc_issuer,
        client_id=config.oidc_client_id,
        client_secret=config.oidc_client_secret,
        redirect_uri=config.oidc_redirect_uri,
        roles=cast("Any", config.oidc_roles),
        default_role=role,
        emails=config.oidc_emails,
    )


@pytest.mark.parametrize(
    ("handler", "more", "goes_to", "kind"),
    [
        ("GoogleAuth2LoginHandler", {}, "", Provider),
        ("GithubLoginHandler", {}, "https://github.com/login/oauth/authorize", GitHub),
        (
            "GithubLoginHandler",
            {"GITHUB_OAUTH_DOMAIN": "git.example.com"},
            "https://git.example.com/login/oauth/authorize",
            GitHub,
        ),
        ("GitLabLoginHandler", {}, "https://gitlab.com/oauth/authorize", GitLab),
        (
            "GitLabLoginHandler",
            {"GITLAB_OAUTH_DOMAIN": "git.example.com"},
            "https://git.example.com/oauth/authorize",
            GitLab,
        ),
        (
            "OktaLoginHandler",
            {"OAUTH2_OKTA_BASE_URL": "https://dev.okta.com/oauth2"},
            "",
            Provider,
        ),
    ],
)
async def test_flowers_variables_are_enough(
    tmp_path: Path, handler: str, more: dict[str, str], goes_to: str, kind: type
) -> None:
    """The people whom Flower's `auth` let in are admins, as in Flower."""
    config = flowers(
        tmp_path,
        AUTH_PROVIDER=f"flower.views.auth.{handler}",
        AUTH=r".*@example.com",
        OAUTH2_KEY="console",
        OAUTH2_SECRET=SECRET,
        OAUTH2_REDIRECT_URI="https://console.example.com/login",
        **more,
    )
    provider = of(config)
    assert isinstance(provider, kind)
    assert config.oidc_default_role == "admin"
    if goes_to:
        parts = urlsplit((await provider.begin()).url)
        assert parts._replace(query="").geturl() == goes_to
        asked = dict(parse_qsl(parts.query))
        assert asked["client_id"] == "console"
        assert asked["redirect_uri"] == "https://console.example.com/login"


_AUTH = [
    "ada@example.com",
    "ada@example.com|bob@example.com",
    ".*@example.com",
    "ada.*@example.com",
    "a+b.*@example.com",
]


@given(
    st.sampled_from(_AUTH),
    st.one_of(
        st.from_regex(r"(ada|bob|a\+b|)[A-Za-z0-9.!+|*]*@example.com(\n|\.evil)?", fullmatch=True),
        st.sampled_from(_AUTH),
        st.text(max_size=20),
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flowers_auth_lets_in_whom_flower_lets_in(tmp_path: Path, auth: str, email: str) -> None:
    config = flowers(
        tmp_path,
        AUTH_PROVIDER="flower.views.auth.GithubLoginHandler",
        AUTH=auth,
        OAUTH2_KEY="console",
    )
    ours = Admission(emails=config.oidc_emails)
    assert ours.lets_in(email) == bool(authenticate(auth, email))


@pytest.mark.parametrize("auth", [".*@.*", "a.*b.*@example.com", ".*@example.com|a@b", ".*"])
def test_what_flower_does_not_start_with_is_an_error(tmp_path: Path, auth: str) -> None:
    assert not validate_auth_option(auth)
    with pytest.raises(ConfigError):
        flowers(tmp_path, AUTH=auth, AUTH_PROVIDER="flower.views.auth.GithubLoginHandler")
