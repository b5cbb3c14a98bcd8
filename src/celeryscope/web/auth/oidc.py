"""Logging in at an OpenID Connect provider: authorization code with PKCE, by discovery.

As OpenID Connect Core 1.0, Discovery 1.0 and RP-Initiated Logout 1.0 say, with RFC 7636 (PKCE) and
RFC 9207 (whose answer it is). The provider is asked for the first time when somebody logs in, so
that one that is down keeps nobody from starting the console.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from celeryscope.errors import ConfigError, LoginRefused, Unavailable
from celeryscope.model.actor import Role
from celeryscope.web.auth import flow, id_token
from celeryscope.web.auth.fetching import Answer, Fetcher, is_safe
from celeryscope.web.auth.identity import Admission, Begun, Identity, claim_of, refuse_everybody

__all__ = ["Begun", "Identity", "LoginRefused", "Provider"]

DISCOVERY_SECONDS = 3_600.0
_LONGEST_HINT = 4_096  # characters of an id token in an address
#: Where everybody can make an account, and one issuer speaks for all of them.
_OF_ALL_THE_WORLD = {
    "https://accounts.google.com": "Google",
    "https://gitlab.com": "GitLab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0": "Microsoft",
    "https://appleid.apple.com": "Apple",
}


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider's discovery document says that matters here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Known(msgspec.Struct, frozen=True):
    """A provider as it was found, and when by a clock that only goes forward."""

    metadata: Metadata
    keys: list[Any]
    found_at: float


class Provider:
    """An OpenID Connect provider at which people log in."""

    def __init__(
        self,
        *,
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
        ca: Path | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nobody yet. `ca`: certificate authorities beside those of the system.

        Raises ConfigError where this could never work, or would let everybody in.
        """
        host = urlsplit(issuer).hostname or issuer
        self._plain = urlsplit(issuer).scheme == "http"  # then it is on this machine
        if not is_safe(issuer, loopback=True):
            raise ConfigError(
                f"--oidc-issuer: {issuer} is not an https:// address. Plain http:// is for a "
                "provider on this machine alone."
            )
        self.label = label or host
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        words = scopes.split()
        self._scopes = " ".join(words if "openid" in words else ["openid", *words])
        self._admission = Admission(
            name_claim=name_claim,
            role_claim=role_claim,
            roles=roles or {},
            default_role=default_role,
            emails=tuple(emails),
        )
        if world := _OF_ALL_THE_WORLD.get(self._issuer):
            refuse_everybody(self._admission, provider=world)
        self._fetcher = Fetcher(provider=self.label, secret=client_secret, ca=ca)
        self._clock = clock
        self._monotonic = monotonic
        self._known: _Known | None = None
        self._looking: asyncio.Future[_Known] | None = None

    async def begin(self) -> Begun:
        """Begin a login. Raises Unavailable when the provider cannot be reached."""
        metadata = (await self._find()).metadata
        login = flow.Login.new(now=self._clock())
        parameters = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self._scopes,
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": login.challenge,
            "code_challenge_method": "S256",
        }
        url = flow.url_of(metadata.authorization_endpoint, parameters)
        return Begun(url=url, state=login.packed())

    async def finish(self, begun_state: str, query: Mapping[str, str]) -> Identity:
        """Take the provider's answer: the query of the callback, and the text that `begin` gave.

        Raises LoginRefused, and Unavailable when the provider cannot be reached.
        """
        known = await self._find()
        login, code = flow.answered(
            begun_state,
            query,
            now=self._clock(),
            clean=self._fetcher.clean,
            issuer=known.metadata.issuer,
            issuer_is_told=known.metadata.authorization_response_iss_parameter_supported,
        )
        tokens = await self._redeem(known.metadata, code, login)
        access_token = tokens.get("access_token")
        access_token = access_token if isinstance(access_token, str) else ""
        raw = tokens.get("id_token")
        token = await self._checked(raw, known)
        claims = id_token.claims_of(
            token,
            issuer=known.metadata.issuer,
            client_id=self._client_id,
            nonce=login.nonce,
            access_token=access_token,
            now=self._clock(),
        )
        if self._admission.wants(claims) and access_token:
            claims = await self._with_userinfo(known.metadata, claims, access_token)
        return self._admission.admit(claims, logout_hint=str(raw))

    async def logout_url(self, id_token: str | None, back_to: str) -> str | None:
        """Give the address that ends the session at the provider too, and comes back to `back_to`.

        `back_to` has to be registered there as a post-logout redirect URI. None where the provider
        has no such address, or cannot be reached to tell.
        """
        try:
            endpoint = (await self._find()).metadata.end_session_endpoint
        except Unavailable:
            return None
        if endpoint is None:
            return None
        parameters = {"client_id": self._client_id, "post_logout_redirect_uri": back_to}
        if id_token and len(id_token) <= _LONGEST_HINT:
            parameters["id_token_hint"] = id_token
        return flow.url_of(endpoint, parameters)

    # ------------------------------------------------------------------ discovery

    async def _find(self, *, anew: bool = False) -> _Known:
        """Give the provider as it was found within the hour. All who wait for it ask once."""
        known = None if anew else self._known
        if known is not None and self._monotonic() - known.found_at <= DISCOVERY_SECONDS:
            return known
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
            # Should nobody wait any more, its trouble is nobody's.
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        # One who goes away does not take it from the others.
        return await asyncio.shield(self._looking)

    async def _look(self) -> _Known:
        url = f"{self._issuer}/.well-known/openid-configuration"
        answer = await self._fetcher.get(url)
        if answer.status != 200:
            raise self._fetcher.trouble(
                f"{url} answered {answer.status}. Is --oidc-issuer the issuer itself?"
            )
        try:
            metadata = msgspec.convert(answer.body, Metadata)
        except msgspec.ValidationError as wrong:
            raise self._fetcher.trouble(
                f"{url} is no discovery document ({self._fetcher.clean(wrong)})."
            ) from None
        self._check(metadata)
        keys = await self._fetcher.get(metadata.jwks_uri)
        found = keys.body.get("keys") if isinstance(keys.body, dict) else None
        if keys.status != 200 or not isinstance(found, list):
            raise self._fetcher.trouble(f"its keys cannot be had: {keys.status}.")
        self._known = _Known(metadata, found, self._monotonic())
        return self._known

    def _check(self, metadata: Metadata) -> None:
        # A slash at the end is often left out or added; the id token is compared to the letter.
        if metadata.issuer.rstrip("/") != self._issuer:
            told = self._fetcher.clean(metadata.issuer)
            raise self._fetcher.trouble(
                f"it calls itself {told}, and --oidc-issuer says {self._issuer}. They have to be "
                "the same."
            )
        for endpoint in (
            metadata.authorization_endpoint,
            metadata.token_endpoint,
            metadata.jwks_uri,
            metadata.userinfo_endpoint,
            metadata.end_session_endpoint,
        ):
            if endpoint is not None and not is_safe(endpoint, loopback=self._plain):
                raise self._fetcher.trouble(
                    f"its address {self._fetcher.clean(endpoint)} is not https://."
                )

    # ------------------------------------------------------------------ tokens

    async def _redeem(self, metadata: Metadata, code: str, login: flow.Login) -> Mapping[str, Any]:
        """Change the code for tokens (RFC 6749 §4.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": login.verifier,
        }
        for way in self._ways(metadata):
            answer = await self._ask_token(metadata.token_endpoint, form, way)
            if answer.status == 200 and isinstance(answer.body, dict):
                return answer.body
            error = answer.body.get("error") if isinstance(answer.body, dict) else None
            if error != "invalid_client":
                break  # another way to show the secret would not help
        raise LoginRefused(self._why_no_tokens(answer))

    def _ways(self, metadata: Metadata) -> list[str]:
        """Give the ways to show the client's secret, the better one first."""
        if not self._client_secret:
            return ["none"]
        told = metadata.token_endpoint_auth_methods_supported
        ways: list[str] = [
            way for way in ("client_secret_basic", "client_secret_post") if way in told
        ]
        if not ways:
            raise self._fetcher.trouble(
                "it takes the client's secret in none of the ways known here, client_secret_basic "
                "and client_secret_post."
            )
        return ways

    async def _ask_token(self, url: str, form: Mapping[str, str], way: str) -> Answer:
        if way == "client_secret_basic":
            return await self._fetcher.post(url, form, basic=(self._client_id, self._client_secret))
        shown = {"client_id": self._client_id}
        if way == "client_secret_post":
            shown["client_secret"] = self._client_secret
        return await self._fetcher.post(url, {**form, **shown})

    def _why_no_tokens(self, answer: Answer) -> str:
        body = answer.body if isinstance(answer.body, dict) else {}
        error = self._fetcher.clean(body.get("error") or answer.status)
        if error == "invalid_client":
            return (
                "The login provider does not take this console's id and secret. Whoever runs it "
                "can set them right: --oidc-client-id, --oidc-client-secret"
            )
        if error == "invalid_grant":
            return (
                "The login provider does not take its own answer back: it was used before, or is "
                "too old. Log in again."
            )
        said = self._fetcher.clean(body.get("error_description") or "")
        return f"The login provider gave no tokens ({error}{': ' if said else ''}{said})."

    async def _checked(self, raw: object, known: _Known) -> id_token.Token:
        """Give the id token if a key of the provider has signed it. Raises LoginRefused."""
        allowed = known.metadata.id_token_signing_alg_values_supported
        token = id_token.read(raw, allowed=allowed)
        if not id_token.is_signed(token, known.keys):
            # Perhaps it has a new key since we looked.
            known = await self._find(anew=True)
        if not id_token.is_signed(token, known.keys):
            raise LoginRefused(
                "The login provider's id token is not signed with a key of that provider. Nobody "
                "was logged in."
            )
        return token

    async def _with_userinfo(
        self, metadata: Metadata, claims: Mapping[str, Any], access_token: str
    ) -> dict[str, Any]:
        """Add what the provider tells about the person besides; the id token's word goes first."""
        if metadata.userinfo_endpoint is None:
            return dict(claims)
        answer = await self._fetcher.get(metadata.userinfo_endpoint, bearer=access_token)
        if answer.status != 200 or not isinstance(answer.body, dict):
            raise self._fetcher.trouble(
                f"it tells nothing about the person who logged in: {answer.status}."
            )
        if claim_of(answer.body, "sub") != claims["sub"]:
            raise LoginRefused(
                "The login provider speaks of one person, and then of another. Nobody was logged in."
            )
        return _merged(claims, answer.body)


def _merged(claims: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Add what `claims` lack. That an address is verified counts for that address alone."""
    told = {name: value for name, value in claims.items() if value is not None}
    if "email" in told and told["email"] != more.get("email"):
        more = {name: value for name, value in more.items() if name != "email_verified"}
    elif "email" not in told:
        told.pop("email_verified", None)
    return {**more, **told}
