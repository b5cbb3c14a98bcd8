"""A login by authorization code (RFC 6749 §4.1) with PKCE (RFC 7636): what it begins and ends with.

Nothing here asks anybody. Between the two ends the caller keeps a text, and gives it back to
`answered`; it is tied to the browser by a signed cookie, and to one login by its random parts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from celeryscope.errors import LoginRefused

LIFETIME_SECONDS = 600.0  # between leaving for the provider and coming back
_LONGEST_STATE = 1_024  # characters
_LONGEST_CODE = 8_192
_AGAIN = "Log in again."


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one login while the person is at the provider."""

    state: str
    nonce: str
    verifier: str  # PKCE's
    begun_at: float  # seconds since 1970

    @classmethod
    def new(cls, *, now: float) -> Login:
        """Begin one, with new random parts of 256 bits each."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier, begun_at=now)

    @property
    def challenge(self) -> str:
        """PKCE's, by S256."""
        return encoded(hashlib.sha256(self.verifier.encode()).digest())

    def packed(self) -> str:
        """Give it as a text that a cookie can hold."""
        return encoded(msgspec.json.encode(self))


def url_of(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to an endpoint, which may have some of its own."""
    parts = urlsplit(endpoint)
    kept = [(key, value) for key, value in parse_qsl(parts.query) if key not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*kept, *parameters.items()])))


def answered(
    begun_state: str,
    query: Mapping[str, str],
    *,
    now: float,
    clean: Callable[[object], str],
    issuer: str = "",
    issuer_is_told: bool = False,
) -> tuple[Login, str]:
    """Give the login that the callback's `query` ends, and the code in it. Raises LoginRefused.

    `issuer` is checked where the answer names one (RFC 9207); `issuer_is_told`: it has to.
    """
    login = _unpacked(begun_state)
    if login is None or not hmac.compare_digest(
        login.state.encode(), query.get("state", "").encode(errors="backslashreplace")
    ):
        raise LoginRefused(
            "This answer of the login provider belongs to no login that was begun in this browser. "
            f"Another window may have begun one since. {_AGAIN}"
        )
    if not -60 <= now - login.begun_at <= LIFETIME_SECONDS:
        raise LoginRefused(f"This login took more than ten minutes. {_AGAIN}")
    told = query.get("iss")
    if issuer and (told != issuer if told is not None else issuer_is_told):
        raise LoginRefused(f"The answer came from another login provider than {issuer}. {_AGAIN}")
    if "error" in query:
        raise LoginRefused(
            _refusal(clean(query["error"]), clean(query.get("error_description", "")))
        )
    code = query.get("code", "")
    if not code or len(code) > _LONGEST_CODE:
        raise LoginRefused(f"The login provider's answer has no code. {_AGAIN}")
    return login, code


def encoded(raw: bytes) -> str:
    """Write bytes in base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Read base64url without padding. Raises ValueError for what is none."""
    if not text.isascii() or "=" in text or "+" in text or "/" in text:
        raise ValueError
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None


def _unpacked(text: str) -> Login | None:
    if len(text) > _LONGEST_STATE:
        return None
    try:
        return msgspec.json.decode(decoded(text), type=Login)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None


def _refusal(error: str, description: str) -> str:
    if error == "access_denied":
        said = f": {description}" if description else ""
        return f"The login provider did not let you in{said}. {_AGAIN}"
    said = f"{error}: {description}" if description else error
    hint = _AGAIN
    if error == "invalid_scope":
        hint = (
            "Allow these scopes for this console at the provider, or ask for others: --oidc-scopes"
        )
    return f"The login provider ended this login ({said}). {hint}"
