"""API tokens: named, of a role, with limits and an end; the file knows their digests alone.

A token is shown once, when it is made: `cscope_` + 8 characters that name it + `_` + 43 characters
that nobody can guess (256 bits), so that one SHA-256 is enough to keep it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from celeryscope.errors import BadArgument, NotFound, NotPossible
from celeryscope.model.actor import Role, Scope
from celeryscope.web.auth.checks import checked_name, checked_role, checked_scope, normal
from celeryscope.web.auth.store import Later, Store

MOST_TOKENS: Final = 1_000
PREFIX: Final = "cscope_"
_SECRET = re.compile(PREFIX + r"([a-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_ID_LETTERS = string.ascii_lowercase + string.digits
_ID_CHARS = 8
_WRITE_EVERY_SECONDS = 60.0
#: An expired token stays in the list so long, for people to see why something stopped working.
_SHOWN_SECONDS = 30 * 86_400.0
_NO_DIGEST = "0" * 64


class Token(Struct, frozen=True, kw_only=True):
    """An API token, without its secret. Times are seconds since 1970."""

    id: str
    name: str
    role: Role
    scope: Scope = Scope()
    owner: str = ""  # the user who made it on the page; "": the command line
    created_at: float
    expires_at: float | None = None  # None: never
    used_at: float | None = None  # a minute old at most, after a restart

    def is_live(self, now: float) -> bool:
        """Say whether it is good at `now`."""
        return self.expires_at is None or now < self.expires_at


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    role: Role
    digest: str  # SHA-256 of the whole secret, in hexadecimal digits
    queues: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    owner: str = ""
    created_at: float
    expires_at: float | None
    used_at: float | None = None

    def is_live(self, now: float) -> bool:
        return self.expires_at is None or now < self.expires_at


class _Content(Struct, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1] = 1
    tokens: dict[str, _Row] = {}


class Tokens:
    """The tokens of a file, or without a path those of this process.

    `clock` gives seconds that never go back. Raises ConfigError where others may write the file.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = Store(path, _Content, what="API tokens", check=_check, clock=clock)
        self._lock = threading.Lock()
        self._used: dict[str, float] = {}
        self._written_at = float("-inf")
        self._later = Later(self.flush, name="tokens used")

    @property
    def trouble(self) -> str | None:
        """A sentence while the file cannot be used; no token is good meanwhile."""
        self._store.read()
        return self._store.trouble

    def create(
        self,
        *,
        name: str,
        role: Role,
        scope: Scope,
        owner: str = "",
        expires_at: float | None,
        now: float,
    ) -> tuple[Token, str]:
        """Make a token; gives it and its secret, which is not kept.

        Raises NotPossible where a token that is still good has the name, or there are 1,000;
        BadArgument for a name, limit or end that cannot be; Unavailable where the file cannot be
        written.
        """
        name = checked_name(name)
        checked_scope(scope)
        if expires_at is not None and not now < expires_at < float("inf"):
            raise BadArgument("expires_at", "A token ends in the future.")
        made: list[tuple[Token, str]] = []

        def edit(content: _Content) -> None:
            _sweep(content, name, now)
            if any(row.name == name for row in content.tokens.values()):
                raise NotPossible(
                    f"There is a token '{name}' already.",
                    hint="Choose another name, or revoke that one first.",
                )
            if len(content.tokens) >= MOST_TOKENS:
                raise NotPossible(
                    f"There are {MOST_TOKENS:,} tokens, and no more can be.",
                    hint="Revoke those that nobody uses.",
                )
            ident = _new_id(content)
            secret = f"{PREFIX}{ident}_{secrets.token_urlsafe(32)}"
            row = _Row(
                name=name,
                role=checked_role(role),
                digest=_digest(secret),
                queues=scope.queues,
                tasks=scope.tasks,
                owner=owner,
                created_at=now,
                expires_at=expires_at,
            )
            content.tokens[ident] = row
            made.append((_token(ident, row), secret))

        self._store.change(edit)
        return made[-1]

    def find(self, secret: str, *, now: float) -> Token | None:
        """Give the token whose secret this is, where it is good at `now`.

        Remembers that it was used; the file learns it a minute later at most, by a thread of its
        own.
        """
        found = _SECRET.fullmatch(secret)
        if found is None:
            return None
        ident = found[1]
        row = self._store.read().tokens.get(ident)
        right = hmac.compare_digest(_NO_DIGEST if row is None else row.digest, _digest(secret))
        if row is None or not right or not row.is_live(now):
            return None
        with self._lock:
            self._used[ident] = max(now, self._used.get(ident, now))
            is_due = self._written_at + _WRITE_EVERY_SECONDS <= now or now < self._written_at
            if is_due:
                self._written_at = now
        if is_due:
            self._later.ask()
        return _token(ident, row, used_at=now)

    def list(self) -> list[Token]:
        """Give every token, those that have expired as well; the newest first."""
        used = self._used_since()
        rows = self._store.read().tokens
        tokens = [_token(ident, row, used_at=used.get(ident)) for ident, row in rows.items()]
        return sorted(tokens, key=lambda token: (-token.created_at, token.name))

    def revoke(self, id_or_name: str) -> Token:
        """End a token; gives which. Raises NotFound, and Unavailable where nothing was written.

        Of several with one name, which only happens where some have expired, all end.
        """
        wanted = normal(id_or_name)
        used = self._used_since()
        gone: list[Token] = []

        def edit(content: _Content) -> None:
            rows = content.tokens
            named = [ident for ident, row in rows.items() if row.name == wanted]
            ending = [wanted] if wanted in rows else named
            gone.extend(_token(i, rows.pop(i), used_at=used.get(i)) for i in ending)
            if not gone:
                raise NotFound("token", wanted)

        self._store.change(edit)
        return max(gone, key=lambda token: token.created_at)

    def flush(self) -> None:
        """Write when tokens were used; to be called at the end. Raises Unavailable."""
        used = self._used_since()
        if not used:
            return

        def edit(content: _Content) -> None:
            for ident, at in used.items():
                if (row := content.tokens.get(ident)) is not None:
                    at = max(at, row.used_at or at)
                    content.tokens[ident] = msgspec.structs.replace(row, used_at=at)

        self._store.change(edit)
        with self._lock:
            for ident, at in used.items():
                if self._used.get(ident) == at:
                    del self._used[ident]

    def _used_since(self) -> dict[str, float]:
        """Give when tokens were used, as far as the file does not know it."""
        with self._lock:
            return dict(self._used)


def _token(ident: str, row: _Row, *, used_at: float | None = None) -> Token:
    times = [at for at in (row.used_at, used_at) if at is not None]
    return Token(
        id=ident,
        name=row.name,
        role=row.role,
        scope=Scope(queues=row.queues, tasks=row.tasks),
        owner=row.owner,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=max(times, default=None),
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _new_id(content: _Content) -> str:
    while True:
        ident = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_CHARS))
        if ident not in content.tokens:
            return ident


def _sweep(content: _Content, name: str, now: float) -> None:
    """Take out what ended long ago, or is in the way of a new one of its name."""
    for ident, row in list(content.tokens.items()):
        if row.is_live(now):
            continue
        ended = row.expires_at or 0.0
        if row.name == name or ended + _SHOWN_SECONDS <= now or len(content.tokens) >= MOST_TOKENS:
            del content.tokens[ident]


def _check(content: _Content) -> None:
    for ident, row in content.tokens.items():
        try:
            checked_name(row.name)
            checked_scope(Scope(queues=row.queues, tasks=row.tasks))
        except BadArgument as bad:
            raise ValueError(f"the token {ident!r}: {bad}") from bad
        if re.fullmatch(r"[0-9a-f]{64}", row.digest) is None:
            raise ValueError(f"the digest of the token {ident!r} is no SHA-256")
