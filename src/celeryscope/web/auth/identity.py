"""Who somebody is by the word of another: a login provider's claims, a proxy's header.

Nothing here asks anybody. `Admission` decides whether the person comes in, and as what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from celeryscope.errors import ConfigError, LoginRefused
from celeryscope.model.actor import RANKS, Role, Scope

LONGEST_NAME = 128  # characters
_LONGEST_EMAIL = 254  # RFC 5321
_MOST_NAMED = 5  # groups that a refusal names


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom another vouches for."""

    name: str  # printable, at most 128 characters
    role: Role
    scope: Scope = Scope()
    logout_hint: str | None = None  # the id token, for the provider's logout


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that was begun."""

    url: str  # where the browser goes now
    #: For `finish`. The caller keeps it in a signed, HttpOnly cookie for ten minutes at most.
    state: str


class LoginProvider(Protocol):
    """One that people log in at, and come back from."""

    @property
    def label(self) -> str:
        """What the login page calls it."""

    async def begin(self) -> Begun:
        """Begin a login. Raises Unavailable when the provider cannot be reached."""

    async def finish(self, begun_state: str, query: Mapping[str, str]) -> Identity:
        """Take the provider's answer: the query of the callback.

        Raises LoginRefused, and Unavailable when the provider cannot be reached.
        """

    async def logout_url(self, id_token: str | None, back_to: str) -> str | None:
        """Give the address that ends the session at the provider too, and comes back to `back_to`.

        None where the provider has none, or cannot be reached to tell.
        """


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """Who of those whom a provider knows comes in, and as what.

    With `emails`, only those with a verified address that matches one of them as a whole. The role
    is the highest that a value of the role claim gives, else `default_role`; else they stay outside.
    """

    name_claim: str = ""  # "": email, else preferred_username, else sub
    role_claim: str = "groups"  # with dots for one inside another
    roles: Mapping[str, Role] = {}  # value of that claim: role
    default_role: Role | None = None
    emails: Sequence[re.Pattern[str]] = ()

    @property
    def takes_anybody(self) -> bool:
        """Say whether everybody comes in whom the provider knows."""
        return self.default_role is not None and not self.emails

    def wants(self, claims: Mapping[str, Any]) -> bool:
        """Say whether `claims` lack something that decides."""
        named = [self.name_claim] if self.name_claim else []
        if self.roles:
            named.append(self.role_claim)
        if self.emails:
            named += ["email", "email_verified"]
        nameless = not self.name_claim and _own_name(claims) is None
        return nameless or any(claim_of(claims, name) is None for name in named)

    def admit(self, claims: Mapping[str, Any], *, logout_hint: str | None = None) -> Identity:
        """Give the person whom `claims` describe. Raises LoginRefused for those who stay outside."""
        name = self._name(claims)
        if self.emails:
            self._check_email(claims)
        values = values_of(claim_of(claims, self.role_claim))
        role = highest_role(values, self.roles) or self.default_role
        if role is None:
            raise LoginRefused(
                f"You are {name}, and have no role here: the claim {self.role_claim} "
                f"{_told(values)}. Whoever runs this console can give one: "
                "--oidc-roles VALUE=viewer"
            )
        return Identity(name=name, role=role, logout_hint=logout_hint)

    def _name(self, claims: Mapping[str, Any]) -> str:
        if self.name_claim:
            found = claim_of(claims, self.name_claim)
        else:
            found = _own_name(claims) or claims.get("sub")
        name = clean_name(found) if isinstance(found, str) else None
        if name is None:
            raise LoginRefused(
                f"The provider does not say who you are: the claim {self.name_claim or 'sub'} is "
                f"not there, or is no printable name of at most {LONGEST_NAME} characters. Whoever "
                "runs this console can name another: --oidc-name-claim CLAIM"
            )
        return name

    def _check_email(self, claims: Mapping[str, Any]) -> None:
        email = claims.get("email")
        if not isinstance(email, str) or not email:
            raise LoginRefused(
                "The provider does not say your e-mail address, and only some may come in here. "
                "It does when asked for the scope email: --oidc-scopes 'openid profile email'"
            )
        if not is_verified(claims):
            raise LoginRefused(
                "The provider does not say that your e-mail address is verified (email_verified), "
                "so it opens nothing here. Verify it there; with a provider that never says it, "
                "give roles by groups in place of --oidc-emails."
            )
        if not self.lets_in(email):
            raise LoginRefused(
                f"Nobody with the e-mail address {clean_name(email) or 'of this account'} may come "
                "in here. Use another account, or ask whoever runs this console to add it: "
                "--oidc-emails REGEX"
            )

    def lets_in(self, email: str) -> bool:
        """Say whether this address is among `emails`: as a whole, never by a part of it."""
        fits = (pattern.fullmatch(email) for pattern in self.emails)
        return len(email) <= _LONGEST_EMAIL and (not self.emails or any(fits))


def refuse_everybody(admission: Admission, *, provider: str) -> None:
    """Raise ConfigError where all the world would come in: anybody can have an account there."""
    if admission.takes_anybody:
        raise ConfigError(
            f"Anybody can have an account at {provider}, and --oidc-default-role would let all of "
            "them in. Say who may: --oidc-emails '.*@example\\.com'"
        )


def is_verified(claims: Mapping[str, Any]) -> bool:
    """Say whether the provider has verified the address; some say it in a word, not in JSON."""
    said = claims.get("email_verified")
    return said is True or said == "true"


def _own_name(claims: Mapping[str, Any]) -> str | None:
    """Give the name that a person would know: a verified address, else what they log in with."""
    named = ("email", "preferred_username") if is_verified(claims) else ("preferred_username",)
    given = (claims.get(name) for name in named)
    return next((name for name in given if isinstance(name, str) and name), None)


def claim_of(claims: Mapping[str, Any], path: str) -> Any:
    """Give a claim: by its whole name, else by names with dots between; None: it is not there."""
    if path in claims:
        return claims[path]
    for dot in (place.start() for place in re.finditer(r"\.", path)):
        inner = claims.get(path[:dot])
        if isinstance(inner, Mapping):
            found = claim_of(inner, path[dot + 1 :])
            if found is not None:
                return found
    return None


def values_of(claim: Any) -> list[str]:
    """Give the values of a claim that is a text, words, a list of texts, or an object's keys."""
    if isinstance(claim, str):
        return list(dict.fromkeys([claim, *claim.split()]))
    if isinstance(claim, list | tuple | Mapping):
        return [value for value in claim if isinstance(value, str)]
    return []


def highest_role(values: Iterable[str], roles: Mapping[str, Role]) -> Role | None:
    """Give the highest role that one of `values` gives, to the letter; None: none does."""
    given = [roles[value] for value in values if value in roles]
    return max(given, key=RANKS.__getitem__, default=None)


def clean_name(text: str) -> str | None:
    """Give a name without the space around it; None: it is empty, too long, or not printable."""
    name = text.strip()
    return name if name and len(name) <= LONGEST_NAME and name.isprintable() else None


def _told(values: Sequence[str]) -> str:
    if not values:
        return "is empty or not there"
    names = [clean_name(value) or "?" for value in values[:_MOST_NAMED]]
    return "has " + ", ".join(names) + (" and more" if len(values) > _MOST_NAMED else "")
