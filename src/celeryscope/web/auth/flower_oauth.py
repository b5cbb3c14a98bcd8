"""The login providers that Flower knows, asked for what Flower asks: its applications go on working.

Google and Okta are OpenID Connect providers as any other. GitHub speaks plain OAuth 2, and GitLab
is asked by its API, as Flower does: the application that was registered there for Flower has the
scope `read_api` alone, and only the API tells of groups with the level that somebody has in them.
The behaviour is that of flower/views/auth.py in Flower 2.2, with PKCE, and with unverified
addresses refused everywhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from celeryscope.errors import ConfigError, LoginRefused
from celeryscope.model.actor import Role
from celeryscope.web.auth import flow
from celeryscope.web.auth.fetching import Fetcher, is_safe
from celeryscope.web.auth.identity import (
    Admission,
    Begun,
    Identity,
    LoginProvider,
    refuse_everybody,
)
from celeryscope.web.auth.oidc import Provider

Known = Literal["", "google", "github", "gitlab", "okta"]

GITHUB = "https://github.com"
GITLAB = "https://gitlab.com"
REPORTER = 20  # GitLab's access level, and Flower's FLOWER_GITLAB_MIN_ACCESS_LEVEL
_LABELS = {"google": "Google", "github": "GitHub", "gitlab": "GitLab", "okta": "Okta"}
_PAGE = 100  # the most that GitHub and GitLab give at once
_MOST_PAGES = 20


def login_provider(
    *,
    provider: Known,
    issuer: str,
    client_id: str,
    client_secret: str,
    redirect_uri: str,
    scopes: str = "openid profile email",
    name_claim: str = "",
    role_claim: str = "groups",
    roles: Mapping[str, Role] | None = None,
    default_role: Role | None = None,
    emails: Sequence[re.Pattern[str]] = (),
    label: str = "",
    gitlab_min_access_level: int = REPORTER,
    ca: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> LoginProvider:
    """Make the provider that the settings describe. Raises ConfigError.

    `issuer` is, for GitHub and GitLab, the address of a server of one's own; "": the public one.
    """
    label = label or _LABELS.get(provider, "")
    if provider in ("github", "gitlab"):
        made: type[_Api] = GitHub if provider == "github" else GitLab
        return made(
            address=issuer,
            client_id=client_id,
            client_secret=client_secret,
            redirect_uri=redirect_uri,
            roles=roles,
            default_role=default_role,
            emails=emails,
            label=label,
            min_access_level=gitlab_min_access_level,
            ca=ca,
            clock=clock,
        )
    if provider == "okta" and not issuer:
        raise ConfigError(
            "Which Okta? Say it: --oidc-issuer https://NAME.okta.com, or "
            "FLOWER_OAUTH2_OKTA_BASE_URL as for Flower"
        )
    return Provider(
        issuer=issuer or "https://accounts.google.com",
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=redirect_uri,
        scopes=scopes,
        name_claim=name_claim,
        role_claim=role_claim,
        roles=roles,
        default_role=default_role,
        emails=emails,
        label=label,
        ca=ca,
        clock=clock,
    )


class _Api:
    """A provider that speaks OAuth 2, and tells of people by an API of its own."""

    public = ""  # the address where all the world has accounts
    scope = ""
    authorize_path = ""
    token_path = ""
    name = ""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        address: str = "",
        roles: Mapping[str, Role] | None = None,
        default_role: Role | None = None,
        emails: Sequence[re.Pattern[str]] = (),
        label: str = "",
        min_access_level: int = REPORTER,
        ca: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`address`: of a server of one's own. Raises ConfigError."""
        self._address = (address or self.public).rstrip("/")
        if not is_safe(self._address, loopback=True):
            raise ConfigError(
                f"--oidc-issuer: {address} is not an https:// address. Plain http:// is for a "
                "provider on this machine alone."
            )
        self.label = label or self.name
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._admission = Admission(
            name_claim="email", roles=roles or {}, default_role=default_role, emails=tuple(emails)
        )
        if self._address == self.public:
            refuse_everybody(self._admission, provider=f"{self.name} ({self.public})")
        self._min_access_level = min_access_level
        self._fetcher = Fetcher(provider=self.label, secret=client_secret, ca=ca)
        self._clock = clock

    async def begin(self) -> Begun:
        """Begin a login. Nobody is asked yet."""
        login = flow.Login.new(now=self._clock())
        parameters = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self.scope,
            "state": login.state,
            "code_challenge": login.challenge,
            "code_challenge_method": "S256",
        }
        url = flow.url_of(self._address + self.authorize_path, parameters)
        return Begun(url=url, state=login.packed())

    async def finish(self, begun_state: str, query: Mapping[str, str]) -> Identity:
        """Take the provider's answer: the query of the callback, and the text that `begin` gave.

        Raises LoginRefused, and Unavailable when the provider cannot be reached.
        """
        login, code = flow.answered(
            begun_state, query, now=self._clock(), clean=self._fetcher.clean
        )
        answer = await self._fetcher.post(
            self._address + self.token_path,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "client_id": self._client_id,
                "client_secret": self._client_secret,
                "code_verifier": login.verifier,
            },
        )
        body = answer.body if isinstance(answer.body, dict) else {}
        token = body.get("access_token")
        # GitHub answers 200 to what it refuses.
        if answer.status != 200 or not isinstance(token, str) or not token:
            error = self._fetcher.clean(body.get("error") or answer.status)
            raise LoginRefused(
                f"{self.label} gave no access ({error}). Log in again; if that does not help, "
                "whoever runs this console can look at --oidc-client-id, --oidc-client-secret and "
                "--oidc-redirect-uri."
            )
        return self._admission.admit(await self._claims(token))

    async def logout_url(self, id_token: str | None, back_to: str) -> str | None:
        """Give None: these providers have no logout that comes back."""
        return None

    async def _claims(self, token: str) -> Mapping[str, Any]:
        raise NotImplementedError

    async def _get(self, url: str, token: str) -> Any:
        answer = await self._fetcher.get(url, bearer=token)
        if answer.status in (401, 403, 404):
            raise LoginRefused(
                f"{self.label} does not let this console read who you are ({answer.status}). "
                f"Its application there needs the scope {self.scope}."
            )
        if answer.status != 200:
            host = urlsplit(url).hostname
            raise self._fetcher.trouble(f"{host} answered {answer.status}.")
        return answer.body

    async def _all(self, url: str, token: str) -> list[Mapping[str, Any]]:
        """Give the objects of a list that comes in pages."""
        found: list[Mapping[str, Any]] = []
        for page in range(1, _MOST_PAGES + 1):
            numbers = {"per_page": str(_PAGE), "page": str(page)}
            part = await self._get(flow.url_of(url, numbers), token)
            if not isinstance(part, list):
                raise self._fetcher.trouble(f"{urlsplit(url).hostname} gave no list.")
            found += [one for one in part if isinstance(one, dict)]
            if len(part) < _PAGE:
                break
        return found


class GitHub(_Api):
    """GitHub, or a GitHub Enterprise Server. People are known by a verified e-mail address."""

    public = GITHUB
    scope = "user:email"
    authorize_path = "/login/oauth/authorize"
    token_path = "/login/oauth/access_token"
    name = "GitHub"

    def __init__(self, **settings: Any) -> None:
        """As `_Api`. Raises ConfigError where roles are asked of groups."""
        super().__init__(**settings)
        if self._admission.roles:
            raise ConfigError(
                "GitHub tells nothing of groups, so that --oidc-roles gives no role there. Use "
                "--oidc-emails and --oidc-default-role."
            )

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """Give the address that comes in: the primary one, else another that fits."""
        emails = await self._all(self._api() + "/user/emails", token)
        verified = [
            email
            for email in emails
            if email.get("verified") is True and isinstance(email.get("email"), str)
        ]
        verified.sort(key=lambda email: email.get("primary") is not True)
        if not verified:
            raise LoginRefused(
                "Your GitHub account has no verified e-mail address. Verify one at GitHub."
            )
        fitting = [email for email in verified if self._admission.lets_in(email["email"])]
        return {"email": (fitting or verified)[0]["email"], "email_verified": True}

    def _api(self) -> str:
        # An Enterprise Server has its API under a path of its own.
        return "https://api.github.com" if self._address == GITHUB else self._address + "/api/v3"


class GitLab(_Api):
    """GitLab.com, or a GitLab of one's own. With roles, groups count by their full paths."""

    public = GITLAB
    scope = "read_api"
    authorize_path = "/oauth/authorize"
    token_path = "/oauth/token"
    name = "GitLab"

    async def _claims(self, token: str) -> Mapping[str, Any]:
        user = await self._get(self._address + "/api/v4/user", token)
        if not isinstance(user, dict):
            raise self._fetcher.trouble("it does not say who you are.")
        claims: dict[str, Any] = {
            "email": user.get("email"),
            "email_verified": user.get("confirmed_at") is not None,
            "groups": [],
        }
        if self._admission.roles:
            url = f"{self._address}/api/v4/groups"
            level = {"min_access_level": str(self._min_access_level)}
            groups = await self._all(flow.url_of(url, level), token)
            claims["groups"] = [group.get("full_path") for group in groups]
        return claims
