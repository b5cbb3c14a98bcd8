"""The id token of OpenID Connect: a signed JSON Web Token that says who logged in.

Nothing here asks anybody, or looks at a clock. Signatures are checked by PyJWT's algorithms with
keys of the provider (RFC 7515, 7517, 7518); the rest as OpenID Connect Core 1.0 §3.1.3.7 and
§3.1.3.8 say. Only signatures with a private key count: never `none`, nor HS256 and its like, whose
key anybody could know who has the console's configuration.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from celeryscope.errors import LoginRefused
from celeryscope.web.auth.flow import decoded, encoded

LEEWAY_SECONDS = 60.0
LONGEST_TOKEN = 65_536  # characters
_LEAST_RSA_BITS = 2_048
_MOST_RSA_BITS = 16_384
_MOST_KEYS = 100


class Algorithm(NamedTuple):
    """What a signature algorithm asks of a key, and the hash that goes with it."""

    key_type: str
    curve: str
    hashing: str


ALGORITHMS: Mapping[str, Algorithm] = {
    "RS256": Algorithm("RSA", "", "sha256"),
    "RS384": Algorithm("RSA", "", "sha384"),
    "RS512": Algorithm("RSA", "", "sha512"),
    "PS256": Algorithm("RSA", "", "sha256"),
    "PS384": Algorithm("RSA", "", "sha384"),
    "PS512": Algorithm("RSA", "", "sha512"),
    "ES256": Algorithm("EC", "P-256", "sha256"),
    "ES384": Algorithm("EC", "P-384", "sha384"),
    "ES512": Algorithm("EC", "P-521", "sha512"),
    "EdDSA": Algorithm("OKP", "Ed25519", "sha512"),
    "Ed25519": Algorithm("OKP", "Ed25519", "sha512"),  # its name since RFC 9864
}


class Token(NamedTuple):
    """An id token, taken apart. Nothing in it is checked."""

    algorithm: str
    key_id: str | None
    claims: bytes
    signed: bytes
    signature: bytes


def read(text: object, *, allowed: Collection[str]) -> Token:
    """Take an id token apart; `allowed` are the algorithms that the provider says it uses.

    Raises LoginRefused.
    """
    if not isinstance(text, str) or not text or len(text) > LONGEST_TOKEN:
        raise LoginRefused("The login provider gave no id token. Is it asked for the scope openid?")
    parts = text.split(".")
    if len(parts) == 5:
        raise LoginRefused(
            "The login provider's id token is encrypted. Turn that off there: it comes by HTTPS."
        )
    try:
        head, claims, signature = (decoded(part) for part in parts)
        header = msgspec.json.decode(head)
        algorithm, key_id = header["alg"], header.get("kid")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _bad("cannot be read") from None
    known = algorithm in ALGORITHMS if isinstance(algorithm, str) else False
    if not known or algorithm not in allowed:
        raise _bad(
            "is not signed in a way that can be trusted (such as RS256 or ES256, with a key that "
            "the provider publishes); the provider can be told to"
        )
    if "crit" in header or not isinstance(key_id, str | None):
        raise _bad("has a header that is not understood")
    return Token(algorithm, key_id, claims, ".".join(parts[:2]).encode(), signature)


def is_signed(token: Token, keys: Sequence[Any]) -> bool:
    """Say whether one of a provider's `keys` has signed the token: one for that, by id and kind."""
    fitting = (key for key in keys[:_MOST_KEYS] if isinstance(key, dict) and _may_sign(key, token))
    return any(_has_signed(key, token) for key in fitting)


def _may_sign(key: Mapping[str, Any], token: Token) -> bool:
    algorithm = ALGORITHMS[token.algorithm]
    return (
        key.get("kty") == algorithm.key_type
        and key.get("crv", "") == algorithm.curve
        and key.get("use", "sig") == "sig"
        and key.get("alg", token.algorithm) == token.algorithm
        and (token.key_id is None or key.get("kid") == token.key_id)
    )


def _has_signed(key: Mapping[str, Any], token: Token) -> bool:
    import jwt

    name = "EdDSA" if token.algorithm == "Ed25519" else token.algorithm
    algorithm = jwt.PyJWS().get_algorithm_by_name(name)
    # Public parts alone: what else stands there is none of the signature's business.
    public = {name: key[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in key}
    try:
        made = algorithm.from_jwk(public)
        size = getattr(made, "key_size", _LEAST_RSA_BITS) if public["kty"] == "RSA" else None
        if size is not None and not _LEAST_RSA_BITS <= size <= _MOST_RSA_BITS:
            return False
        return bool(algorithm.verify(token.signed, made, token.signature))
    except (jwt.PyJWTError, ValueError, TypeError):
        return False


def claims_of(
    token: Token, *, issuer: str, client_id: str, nonce: str, access_token: str, now: float
) -> dict[str, Any]:
    """Give the claims of a token whose signature is good. Raises LoginRefused.

    `now` in seconds since 1970; a clock may be wrong by a minute.
    """
    try:
        claims = msgspec.json.decode(token.claims)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise _bad("cannot be read")
    for wrong in _wrongs(claims, token, issuer, client_id, nonce, access_token, now):
        raise _bad(wrong)
    return claims


def _wrongs(
    claims: Mapping[str, Any],
    token: Token,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    now: float,
) -> Iterator[str]:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if claims.get("iss") != issuer:
        yield "comes from another provider"
    if client_id not in audiences:
        yield "is for another application"
    if party != client_id and (party is not None or len(audiences) > 1):
        yield "was given to another application"
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        yield "does not say whom it is about"
    yield from _wrong_times(claims, now)
    if not _same(claims.get("nonce"), nonce):
        yield "belongs to another login"
    if "at_hash" in claims and not _same(claims["at_hash"], _half_hash(token, access_token)):
        yield "does not belong to the access token that came with it"


def _wrong_times(claims: Mapping[str, Any], now: float) -> Iterator[str]:
    expires, issued, begins = (_number(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        yield "does not say when it was made and until when it counts"
    elif now - LEEWAY_SECONDS >= expires:
        yield "has expired; if it is new, one of the two clocks is wrong"
    elif issued - LEEWAY_SECONDS > now:
        yield "comes from the future: one of the two clocks is wrong"
    elif begins is not None and begins - LEEWAY_SECONDS > now:
        yield "does not count yet: one of the two clocks is wrong"


def _half_hash(token: Token, access_token: str) -> str:
    digest = hashlib.new(ALGORITHMS[token.algorithm].hashing, access_token.encode()).digest()
    return encoded(digest[: len(digest) // 2])


def _same(given: Any, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bad(why: str) -> LoginRefused:
    return LoginRefused(f"The login provider's id token {why}. Nobody was logged in.")
