"""Users and their passwords: a file of argon2 hashes, and Flower's --basic-auth.

    {"version": 1, "users": {"ada": {"role": "admin", "password": "$argon2id$…",
                                     "queues": [], "tasks": []}}}

Safe to use from several threads, and while other processes change the file.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import argon2
import msgspec
from argon2.exceptions import InvalidHash, VerificationError, VerifyMismatchError
from msgspec import Struct

from celeryscope.errors import BadArgument, NotFound, NotPossible, TooMany, Unavailable
from celeryscope.model.actor import Role, Scope
from celeryscope.web.auth.checks import (
    MOST_NAME_CHARS,
    MOST_PASSWORD_BYTES,
    checked_name,
    checked_password,
    checked_role,
    checked_scope,
    encoded,
    normal,
)
from celeryscope.web.auth.store import Store

_log = logging.getLogger(__name__)

# Twice the work of what OWASP asks at the least with 46 MiB: about 50 ms.
_TIME_COST: Final = 2
_MEMORY_KIB: Final = 47_104
_LANES: Final = 1
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_AT_ONCE: Final = 2
_WAIT_SECONDS: Final = 5.0
_REMEMBER_SECONDS: Final = 300.0
_MOST_REMEMBERED: Final = 1_000
_MOST_USERS: Final = 10_000


class User(Struct, frozen=True, kw_only=True):
    """Somebody who can log in with a password."""

    name: str
    role: Role
    scope: Scope = Scope()


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    role: Role
    password: str  # argon2's own text: parameters, salt and hash
    queues: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


# An unknown field is an error: a limit that is misspelt would be none.
class _Content(Struct, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1] = 1
    users: dict[str, _Row] = {}


class _Remembered(NamedTuple):
    stored: str
    until: float


class Users:
    """Who may log in with a password.

    `basic` are Flower's pairs of user and password; each has `basic_role`, and the file's user of
    the same name goes before. Their passwords are kept as digests under a key of this process.
    `clock` gives seconds that never go back. Raises ConfigError where others may write the file.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        basic: Sequence[tuple[str, str]] = (),
        basic_role: Role = "admin",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._basic = {normal(name): self._digest(normal(password)) for name, password in basic}
        self._basic_role = basic_role
        self._store = Store(path, _Content, what="users", check=_check, clock=clock)
        self._had_some = False
        self._hasher = argon2.PasswordHasher(
            time_cost=_TIME_COST,
            memory_cost=_MEMORY_KIB,
            parallelism=_LANES,
            salt_len=_SALT_BYTES,
            hash_len=_HASH_BYTES,
        )
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._lock = threading.Lock()
        self._rows()

    @property
    def path(self) -> Path | None:
        """The file; None where there is none."""
        return self._store.path

    @property
    def trouble(self) -> str | None:
        """A sentence while the file cannot be used, or is gone since we saw users in it.

        Nobody gets in by it meanwhile.
        """
        self._rows()
        if self._store.trouble is not None:
            return self._store.trouble
        if self._is_gone():
            return (
                f"The file of users {self.path} was there and is gone. Put it back, or start "
                "again without it; until then nobody gets in by it."
            )
        return None

    def exist(self) -> bool:
        """Say whether somebody could log in. A file that cannot be used counts as somebody: what
        was closed does not open because a file broke."""
        return bool(self._rows() or self._basic) or self.trouble is not None

    # -------------------------------------------------------------------- asking

    def verify(self, name: str, password: str) -> User | None:
        """Give the user whose name and password these are.

        Takes about 50 ms, for a name that nobody has as well; call it in a thread. Right after it
        was right, the same name and password take no time for five minutes. Raises TooMany where
        others wait for the same already for five seconds.
        """
        known = self.known(name, password)
        if known is not None:
            return known
        name, password = normal(name), normal(password)
        if not _is_bounded(name, password):
            return None
        row = self._rows().get(name)
        if row is None and self._is_basic(name, password):
            return User(name=name, role=self._basic_role)
        stored = row.password if row is not None else _NOBODYS
        if not self._is_hash_of(stored, password) or row is None:
            return None
        good = {stored, self._strengthened(name, stored, password)}
        # The file may have changed meanwhile: what counts is what stands there now.
        now = self._rows().get(name)
        if now is None or now.password not in good:
            return None
        self._remember(name, password, now.password)
        return _user(name, now)

    def known(self, name: str, password: str) -> User | None:
        """Give the user where name and password were right a short while ago; takes no time.

        None says nothing: ask `verify`.
        """
        name, password = normal(name), normal(password)
        if not _is_bounded(name, password):
            return None
        row = self._rows().get(name)
        if row is None:
            return None
        key = self._digest(name, password)
        with self._lock:
            found = self._remembered.get(key)
            if found is None:
                return None
            if found.until <= self._clock() or not _same(found.stored, row.password):
                del self._remembered[key]
                return None
        return _user(name, row)

    def find(self, name: str) -> User | None:
        """Give the user of this name as they are now."""
        name = normal(name)
        row = self._rows().get(name)
        if row is not None:
            return _user(name, row)
        return User(name=name, role=self._basic_role) if name in self._basic else None

    def stamp(self, name: str) -> str | None:
        """Give a short text that is another one after the password changed; None: no such user.

        It tells nothing about the password. That of a --basic-auth user changes with each start.
        """
        name = normal(name)
        row = self._rows().get(name)
        if row is not None:
            return hashlib.sha256(f"stamp:{row.password}".encode()).hexdigest()[:16]
        if name in self._basic:
            return self._digest("stamp", self._basic[name].hex()).hex()[:16]
        return None

    def list(self) -> list[User]:
        """Give every user, by name."""
        rows = self._rows()
        users = [_user(name, row) for name, row in rows.items()]
        users += [User(name=n, role=self._basic_role) for n in self._basic if n not in rows]
        return sorted(users, key=lambda user: user.name)

    # -------------------------------------------------------------------- changing

    def add(self, user: User, password: str) -> None:
        """Add a user to the file.

        Raises NotPossible where the name is taken, BadArgument for a name, password or limit that
        cannot be, Unavailable where the file cannot be written. The same holds below.
        """
        name = checked_name(user.name)
        scope = checked_scope(user.scope)
        stored = self._hash(checked_password(password))

        def edit(content: _Content) -> None:
            if name in content.users:
                raise NotPossible(
                    f"There is a user '{name}' already.",
                    hint=f"A new password: celeryscope user passwd {name}",
                )
            if len(content.users) >= _MOST_USERS:
                raise NotPossible(f"There are {_MOST_USERS:,} users already, and no more can be.")
            content.users[name] = _Row(
                role=checked_role(user.role),
                password=stored,
                queues=scope.queues,
                tasks=scope.tasks,
            )

        self._change(edit)

    def remove(self, name: str) -> User:
        """Take a user out of the file; gives who it was. Raises NotFound."""
        name = normal(name)
        removed: list[_Row] = []

        def edit(content: _Content) -> None:
            removed.append(_row(content, name))
            del content.users[name]

        self._change(edit)
        # An empty file is what was asked for, and no trouble.
        self._had_some = bool(self._rows())
        return _user(name, removed[0])

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password. Raises NotFound."""
        stored = self._hash(checked_password(password))
        self._replace(name, password=stored)

    def set_role(self, name: str, role: Role) -> None:
        """Give a user another role. Raises NotFound."""
        self._replace(name, role=checked_role(role))

    def set_scope(self, name: str, scope: Scope) -> None:
        """Give a user other limits. Raises NotFound."""
        checked_scope(scope)
        self._replace(name, queues=scope.queues, tasks=scope.tasks)

    # -------------------------------------------------------------------- inside

    def _rows(self) -> dict[str, _Row]:
        rows = self._store.read().users
        self._had_some = self._had_some or bool(rows)
        return rows

    def _is_gone(self) -> bool:
        path = self.path
        return self._had_some and path is not None and not self._rows() and not path.exists()

    def _change(self, edit: Callable[[_Content], None]) -> None:
        if self.path is None:
            raise NotPossible(
                "There is no file of users to change.", hint="Name one: --users-file FILE"
            )
        self._store.change(edit)
        self._rows()

    def _replace(self, name: str, **changes: object) -> None:
        name = normal(name)

        def edit(content: _Content) -> None:
            content.users[name] = msgspec.structs.replace(_row(content, name), **changes)

        self._change(edit)

    def _hash(self, password: str) -> str:
        with self._turns:
            return self._hasher.hash(password)

    def _is_hash_of(self, stored: str, password: str) -> bool:
        if not self._turns.acquire(timeout=_WAIT_SECONDS):
            raise TooMany(
                "Too many people log in at once. Try again in some seconds.",
                retry_after_seconds=_WAIT_SECONDS,
            )
        try:
            return self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHash) as error:  # no memory for it, as an example
            _log.error("A password could not be checked, and was taken for wrong: %s", error)
            return False
        finally:
            self._turns.release()

    def _is_basic(self, name: str, password: str) -> bool:
        # Compared in any case, so that a name that is there takes as long as one that is not.
        return hmac.compare_digest(self._basic.get(name, bytes(32)), self._digest(password))

    def _strengthened(self, name: str, stored: str, password: str) -> str:
        """Hash again what was hashed with less work than today's; gives the hash to be kept."""
        if not _is_weaker(stored):
            return stored
        stronger = self._hash(password)

        def edit(content: _Content) -> None:
            row = content.users.get(name)
            if row is not None and row.password == stored:
                content.users[name] = msgspec.structs.replace(row, password=stronger)

        try:
            self._store.change(edit)
        except Unavailable as unavailable:  # a file that only others write: stays as it is
            _log.info("An old password hash could not be renewed: %s", unavailable)
        return stronger

    def _remember(self, name: str, password: str, stored: str) -> None:
        with self._lock:
            key = self._digest(name, password)
            self._remembered[key] = _Remembered(stored, self._clock() + _REMEMBER_SECONDS)
            self._remembered.move_to_end(key)
            while len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)

    def _digest(self, *parts: str) -> bytes:
        """Give a digest that nobody can guess a password from without this process' key."""
        kept = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            body = part.encode("utf-8", "surrogatepass")
            kept.update(len(body).to_bytes(8, "big") + body)
        return kept.digest()


def _nobodys_hash() -> str:
    """A hash like those of users that no password has: what is to come out was never computed."""
    parts = (secrets.token_bytes(size) for size in (_SALT_BYTES, _HASH_BYTES))
    salt, digest = (b64encode(part).decode().rstrip("=") for part in parts)
    return f"$argon2id$v=19$m={_MEMORY_KIB},t={_TIME_COST},p={_LANES}${salt}${digest}"


_NOBODYS: Final = _nobodys_hash()


def _is_bounded(name: str, password: str) -> bool:
    if not 1 <= len(name) <= MOST_NAME_CHARS or encoded(name) is None:
        return False
    body = encoded(password)
    return body is not None and len(body) <= MOST_PASSWORD_BYTES


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _is_weaker(stored: str) -> bool:
    asked = argon2.extract_parameters(stored)
    work = asked.time_cost * asked.memory_cost
    return asked.type is not argon2.Type.ID or work < _TIME_COST * _MEMORY_KIB


def _user(name: str, row: _Row) -> User:
    return User(name=name, role=row.role, scope=Scope(queues=row.queues, tasks=row.tasks))


def _row(content: _Content, name: str) -> _Row:
    row = content.users.get(name)
    if row is None:
        raise NotFound("user", name)
    return row


def _check(content: _Content) -> None:
    """Raise ValueError for what nobody could have written with the commands."""
    for name, row in content.users.items():
        try:
            if checked_name(name) != name:
                raise ValueError(f"the name {name!r} is not in Unicode's form NFC")
            checked_scope(Scope(queues=row.queues, tasks=row.tasks))
            argon2.extract_parameters(row.password)
        except BadArgument as bad:
            raise ValueError(f"the user {name!r}: {bad}") from bad
        except InvalidHash as bad:
            raise ValueError(f"the password of {name!r} is no argon2 hash") from bad
