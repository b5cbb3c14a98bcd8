"""Sessions: who logged in with a browser, until when, and the cookie that proves it.

A cookie is `<secret>.<signature>`. The store knows the secret's digest alone, so that who reads
the file logs in nowhere; the signature is checked first, so that a guess never reaches the store.
The secret changes every so often; one that was changed long ago shows that two have the session.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from celeryscope.errors import ConfigError, NotFound, Unavailable
from celeryscope.model.actor import Role, Scope, Way
from celeryscope.places import make_private
from celeryscope.web.auth.store import Later, Store, refuse_what_others_may_write, sync_directory

_log = logging.getLogger(__name__)

MOST_SESSIONS: Final = 10_000
MOST_OF_A_NAME: Final = 100
#: Other requests may be under way with the secret that was just changed.
GRACE_SECONDS: Final = 60.0
_WRITE_EVERY_SECONDS: Final = 60.0
_MOST_OLD: Final = 4
_MOST_AGENT_CHARS: Final = 200
_COOKIE_CHARS: Final = 87  # 43, a dot and 43
_KEY_BYTES: Final = 32


class Session(Struct, frozen=True, kw_only=True):
    """Somebody who logged in with a browser. Times are seconds since 1970."""

    id: str  # public; tells nothing about the cookie
    name: str
    role: Role
    scope: Scope = Scope()
    way: Way
    address: str
    user_agent: str
    stamp: str | None = None  # of the password it began with; None: there was none
    started_at: float
    seen_at: float
    rotated_at: float  # when the cookie got its present value
    expires_at: float  # however much it is used


class Found(NamedTuple):
    """A session, and the new value of its cookie where it is to be set."""

    session: Session
    cookie: str | None


class _Old(Struct, frozen=True):
    secret: str
    until: float  # from then on, who shows it is not who has the session


class _Kept(Struct, frozen=True, kw_only=True):
    session: Session
    secret: str  # SHA-256 of the present one
    old: tuple[_Old, ...] = ()  # the newest last
    shown: bool = True  # did the present one come back since it was given out?


class _Content(Struct, kw_only=True):
    version: Literal[1] = 1
    sessions: dict[str, _Kept] = {}


class Sessions:
    """The sessions of a file, or without a path those of this process.

    A session ends `idle_seconds` after it was last used, and `lifetime_seconds` after it began;
    its cookie changes every `rotate_seconds`. A file that cannot be written keeps nobody out:
    what was not written is lost when the process ends. `clock` gives seconds that never go back.
    Raises ConfigError where others may write the file.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        key: bytes,
        idle_seconds: float,
        lifetime_seconds: float,
        rotate_seconds: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._idle_seconds = idle_seconds
        self._lifetime_seconds = lifetime_seconds
        self._rotate_seconds = rotate_seconds
        self._store = Store(
            path,
            _Content,
            what="sessions",
            check=_check,
            precious=False,
            most_bytes=1 << 26,
            clock=clock,
        )
        self._lock = threading.RLock()
        self._kept: dict[str, _Kept] = {}
        self._by_secret: dict[str, str] = {}
        # What the file does not know yet; None: it ended.
        self._unsaved: dict[str, _Kept | None] = {}
        self._unwritten: set[str] = set()  # those of them that the file has never had
        self._generation = -1
        self._written_at = float("-inf")
        self._now = 0.0
        self._later = Later(self._flush_quietly, name="sessions seen")

    @property
    def trouble(self) -> str | None:
        """A sentence while the file cannot be used; nobody is logged in by it meanwhile."""
        self._store.read()
        return self._store.trouble

    # -------------------------------------------------------------------- asking

    def find(self, cookie: str, *, now: float, rotates: bool = True) -> Found | None:
        """Give the session whose cookie this is, where it is good at `now`.

        The cookie that comes with it has to be set in the answer. Where none can be set, say so
        by `rotates`. A value from before stays good for 60 seconds, and longer where the new one
        has never come back: its answer was lost, and it is given again. One that is shown after
        that ends the session, since somebody has copied it, and a warning is logged. The file
        learns what changed by a thread of its own.
        """
        digest = self._digest_of(cookie)
        if digest is None:
            return None
        with self._lock:
            self._refresh(now)
            kept = self._kept.get(self._by_secret.get(digest, ""))
            if kept is None:
                return None
            if self._is_over(kept.session, now):
                self._drop(kept.session.id)
                return None
            is_lost = self._is_lost(kept, digest)
            if digest != kept.secret and not is_lost and _is_stale(kept, digest, now):
                self._drop(kept.session.id)
                self._later.ask()
                _log.warning(
                    "A session ended, since an old value of its cookie was shown: somebody copied "
                    "it.",
                    extra={"user": kept.session.name, "session": kept.session.id},
                )
                return None
            if digest == kept.secret and not kept.shown:
                kept = msgspec.structs.replace(kept, shown=True)
            kept, new = self._used(kept, now, rotates=rotates and digest == kept.secret)
            if is_lost and rotates:
                new = self._after(digest)[0]
            self._put(kept)
            is_due = not self._written_at <= now < self._written_at + _WRITE_EVERY_SECONDS
        if is_due or new is not None:
            self._written_at = now
            self._later.ask()
        return Found(kept.session, new)

    def alive(self, id: str, *, now: float) -> bool:
        """Say whether the session is still good: for a stream that stays open."""
        with self._lock:
            self._refresh(now)
            kept = self._kept.get(id)
            return kept is not None and not self._is_over(kept.session, now)

    def list(self, *, now: float) -> list[Session]:
        """Give all sessions that are good at `now`; the one seen last is first."""
        with self._lock:
            self._refresh(now)
            sessions = [kept.session for kept in self._kept.values()]
        good = [session for session in sessions if not self._is_over(session, now)]
        return sorted(good, key=lambda session: -session.seen_at)

    # -------------------------------------------------------------------- changing

    def begin(
        self,
        *,
        name: str,
        role: Role,
        scope: Scope,
        way: Way,
        address: str,
        user_agent: str,
        stamp: str | None,
        now: float,
    ) -> tuple[Session, str]:
        """Begin a session; gives it and its cookie's value.

        Of more than 100 of a name, or 10,000 of all, that ends which was not seen for longest.
        """
        cookie, digest = self._new_secret()
        session = Session(
            id=secrets.token_hex(8),
            name=name,
            role=role,
            scope=scope,
            way=way,
            address=address[:100],
            user_agent=_shown(user_agent),
            stamp=stamp,
            started_at=now,
            seen_at=now,
            rotated_at=now,
            expires_at=now + self._lifetime_seconds,
        )
        with self._lock:
            self._refresh(now)
            self._make_room(name, now)
            self._put(_Kept(session=session, secret=digest))
            self._unwritten.add(session.id)
        self._flush_quietly()
        return session, cookie

    def end(self, id: str) -> Session:
        """End a session; gives which. Raises NotFound."""
        with self._lock:
            self._refresh(self._now)
            kept = self._kept.get(id)
            if kept is None:
                raise NotFound("session", id)
            self._drop(id)
        self._flush_quietly()
        return kept.session

    def end_all(self, name: str | None = None) -> int:
        """End all sessions of a name, or of everybody; gives how many there were."""
        with self._lock:
            self._refresh(self._now)
            ids = [i for i, kept in self._kept.items() if name in (None, kept.session.name)]
            for id in ids:
                self._drop(id)
        self._flush_quietly()
        return len(ids)

    def flush(self) -> None:
        """Write what the file does not know yet; to be called at the end. Raises Unavailable."""
        unsaved: dict[str, _Kept | None] = {}
        unwritten: set[str] = set()

        def edit(content: _Content) -> None:
            # Only now: what another thread has written meanwhile must not come back.
            with self._lock:
                unsaved.update(self._unsaved)
                unwritten.update(self._unwritten)
                now = self._now
            content.sessions = {
                id: kept
                for id, kept in _merged(content.sessions, unsaved, unwritten).items()
                if not self._is_over(kept.session, now)
            }

        if not self._unsaved:
            return
        self._store.change(edit)
        with self._lock:
            self._unwritten -= unwritten
            for id, kept in unsaved.items():
                if self._unsaved.get(id, self) is kept:
                    del self._unsaved[id]

    # -------------------------------------------------------------------- CSRF

    def csrf(self, session: Session) -> str:
        """Give what the page of this session shows with each change it asks for."""
        return self._sign(b"csrf", session.id)

    def csrf_is(self, session: Session, given: str) -> bool:
        """Say whether `given` is that; takes as long for any text of its length."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode("utf-8", "replace"))

    # -------------------------------------------------------------------- inside

    def _sign(self, purpose: bytes, text: str) -> str:
        body = b"celeryscope " + purpose + b"\0" + text.encode()
        return _base64(hmac.digest(self._key, body, "sha256"))

    def _new_secret(self) -> tuple[str, str]:
        secret = secrets.token_urlsafe(32)
        return f"{secret}.{self._sign(b'cookie', secret)}", _digest(secret)

    def _after(self, digest: str) -> tuple[str, str]:
        """Give the value that comes after the one of this digest: the same each time, so that it
        can be given again, and known to nobody without the key."""
        secret = self._sign(b"next", digest)
        return f"{secret}.{self._sign(b'cookie', secret)}", _digest(secret)

    def _digest_of(self, cookie: str) -> str | None:
        """Give the digest of a cookie's secret; None where we did not sign it."""
        if len(cookie) != _COOKIE_CHARS or not cookie.isascii():
            return None
        secret, _, signature = cookie.partition(".")
        if not hmac.compare_digest(self._sign(b"cookie", secret), signature):
            return None
        return _digest(secret)

    def _is_over(self, session: Session, now: float) -> bool:
        return now >= session.expires_at or now >= session.seen_at + self._idle_seconds

    def _refresh(self, now: float) -> None:
        """Take in what other processes wrote."""
        self._now = max(self._now, now)
        content = self._store.read()
        if self._store.generation == self._generation:
            return
        self._generation = self._store.generation
        self._kept = _merged(content.sessions, self._unsaved, self._unwritten)
        self._by_secret = {
            digest: id for id, kept in self._kept.items() for digest in _digests(kept)
        }

    def _used(self, kept: _Kept, now: float, *, rotates: bool) -> tuple[_Kept, str | None]:
        session = kept.session
        seen_at = max(now, session.seen_at)
        if not rotates or now < session.rotated_at + self._rotate_seconds:
            session = msgspec.structs.replace(session, seen_at=seen_at)
            return msgspec.structs.replace(kept, session=session), None
        cookie, digest = self._after(kept.secret)
        session = msgspec.structs.replace(session, seen_at=seen_at, rotated_at=now)
        old = (*kept.old, _Old(kept.secret, now + GRACE_SECONDS))
        return _Kept(session=session, secret=digest, old=old, shown=False), cookie

    def _is_lost(self, kept: _Kept, digest: str) -> bool:
        """Say whether the value after this one was given out, and never came back."""
        return not kept.shown and bool(kept.old) and kept.old[-1].secret == digest

    def _put(self, kept: _Kept) -> None:
        for old in kept.old[:-_MOST_OLD]:
            self._by_secret.pop(old.secret, None)
        kept = msgspec.structs.replace(kept, old=kept.old[-_MOST_OLD:])
        self._kept[kept.session.id] = kept
        self._unsaved[kept.session.id] = kept
        self._by_secret[kept.secret] = kept.session.id

    def _drop(self, id: str) -> None:
        for digest in _digests(self._kept.pop(id)):
            self._by_secret.pop(digest, None)
        self._unsaved[id] = None
        self._unwritten.discard(id)

    def _make_room(self, name: str, now: float) -> None:
        for id in [i for i, kept in self._kept.items() if self._is_over(kept.session, now)]:
            self._drop(id)
        names = Counter(kept.session.name for kept in self._kept.values())
        if names[name] >= MOST_OF_A_NAME:
            of_name = (kept for kept in self._kept.values() if kept.session.name == name)
            self._drop(_least_seen(of_name))
        if len(self._kept) >= MOST_SESSIONS:
            self._drop(_least_seen(self._kept.values()))

    def _flush_quietly(self) -> None:
        try:
            self.flush()
        except Unavailable as unavailable:
            _log.error(
                "Sessions could not be written, and what is not will be lost when the console "
                "ends: %s",
                unavailable,
            )


def key_of(path: Path | None, given: str) -> bytes:
    """Give the key that signs cookies: from the text `given`, or else from the file `path`.

    A file that is not there is made, of 32 random bytes and for us alone. With neither, the key
    is good until the process ends. Raises ConfigError for a file that cannot be used, that others
    may read or write, or that holds no key.
    """
    if given:
        return hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
    if path is None:
        return secrets.token_bytes(_KEY_BYTES)
    refuse_what_others_may_write(path)
    try:
        if not path.exists():
            _make_key(path)
        mode, text = path.stat().st_mode, path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            f"The key of the sessions {path} cannot be used: {said or error}. It should be a file "
            f"of {2 * _KEY_BYTES} hexadecimal digits that we may read; remove it for a new one."
        ) from error
    if mode & 0o007:
        raise ConfigError(
            f"Others may read the key of the sessions {path}. Remove it for a new one, which ends "
            "all sessions."
        )
    if re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise ConfigError(
            f"The key of the sessions {path} should be {2 * _KEY_BYTES} hexadecimal digits. Remove "
            "it for a new one, which ends all sessions."
        )
    return bytes.fromhex(text)


def _make_key(path: Path) -> None:
    """Make the file whole or not at all; where another process was faster, leave its own."""
    if not path.parent.exists():
        make_private(path.parent)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, 0o600), "w") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(beside, path)
        sync_directory(path.parent)
    finally:
        with suppress(OSError):
            beside.unlink()


def _merged(
    theirs: dict[str, _Kept], ours: dict[str, _Kept | None], unwritten: set[str]
) -> dict[str, _Kept]:
    """Give what the file says with what we know better; what ended anywhere has ended."""
    merged = dict(theirs)
    for id, mine in ours.items():
        if mine is None:
            merged.pop(id, None)
        elif id in merged:
            merged[id] = _newer(merged[id], mine)
        elif id in unwritten:
            merged[id] = mine
    return merged


def _newer(one: _Kept, other: _Kept) -> _Kept:
    """Of two states of a session, give the one whose cookie is newer, seen when either was."""
    last, first = sorted((one, other), key=lambda kept: -kept.session.rotated_at)
    seen_at = max(one.session.seen_at, other.session.seen_at)
    session = msgspec.structs.replace(last.session, seen_at=seen_at)
    old = {entry.secret: entry for entry in (*first.old, *last.old)}
    if first.secret != last.secret:
        # Two processes changed it at once: the other's value is an old one.
        old.setdefault(first.secret, _Old(first.secret, last.session.rotated_at + GRACE_SECONDS))
    newest = sorted(old.values(), key=lambda entry: entry.until)[-_MOST_OLD:]
    shown = last.shown or (first.shown and first.secret == last.secret)
    return _Kept(session=session, secret=last.secret, old=tuple(newest), shown=shown)


def _is_stale(kept: _Kept, digest: str, now: float) -> bool:
    return any(old.secret == digest and now >= old.until for old in kept.old)


def _digests(kept: _Kept) -> list[str]:
    return [kept.secret, *(old.secret for old in kept.old)]


def _least_seen(kept: Iterable[_Kept]) -> str:
    return min(kept, key=lambda one: one.session.seen_at).session.id


def _check(content: _Content) -> None:
    for id, kept in content.sessions.items():
        if kept.session.id != id:
            raise ValueError(f"the session {id!r} says that it is another one")


def _digest(secret: str) -> str:
    return _base64(hashlib.sha256(secret.encode()).digest())


def _base64(body: bytes) -> str:
    return urlsafe_b64encode(body).decode().rstrip("=")


def _shown(user_agent: str) -> str:
    text = user_agent[:_MOST_AGENT_CHARS]
    return "".join(char if char.isprintable() else "?" for char in text)
