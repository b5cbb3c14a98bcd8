"""A JSON file that several processes read and change: users, tokens and sessions are kept so.

A change replaces the whole file, atomically and under a lock on `<file>.lock`, so that a reader
finds the old or the new one and never half of one. A reader looks once a second whether the file
is another one. A file that cannot be read is never taken for an empty one: who reads gets nothing
of it, who writes is refused.
"""

from __future__ import annotations

import fcntl
import functools
import grp
import logging
import os
import pwd
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from celeryscope.errors import CeleryscopeError, ConfigError, Unavailable
from celeryscope.places import make_private

_log = logging.getLogger(__name__)
_LOOK_EVERY_SECONDS: Final = 1.0
_LOCK_SECONDS: Final = 5.0
_LOCK_RETRY_SECONDS: Final = 0.02
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH

T = TypeVar("T")
#: What tells a file from the one that stood there before.
_Signature = tuple[int, int, int]


class Store(Generic[T]):
    """What a file holds, as a value of `kind`; without a path it is kept in memory alone.

    `what` is what people call it ("users"). `check` raises ValueError for a value that is
    well-formed and wrong. Of a file that is not `precious`, one that holds no such value is put
    aside as `<file>.broken` by who writes next. Raises ConfigError where others may write the file
    or its directory.
    """

    def __init__(
        self,
        path: Path | None,
        kind: type[T],
        *,
        what: str,
        check: Callable[[T], None] = lambda _value: None,
        precious: bool = True,
        most_bytes: int = 1 << 24,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.trouble: str | None = None  # a sentence, while the file cannot be read
        self.generation = 0  # grows whenever what `read` gives is another value
        self._kind = kind
        self._what = what
        self._check = check
        self._precious = precious
        self._most_bytes = most_bytes
        self._clock = clock
        self._decoder = msgspec.json.Decoder(kind)
        self._value = self._empty()
        self._signature: _Signature | None = None  # None: no file
        self._look_at = 0.0
        self._reading = threading.RLock()
        self._writing = threading.Lock()
        if path is not None:
            refuse_what_others_may_write(path)
            self._look()

    def read(self) -> T:
        """Give what the file holds, at most a second old. Nobody may change the value."""
        with self._reading:
            if self.path is not None and self._clock() >= self._look_at:
                self._look()
            return self._value

    def change(self, edit: Callable[[T], None]) -> T:
        """Read the file, let `edit` change the value in place, write it; gives the new value.

        Where `edit` raises, nothing is written. Raises Unavailable for a file that cannot be read
        or written, and where another program holds its lock for five seconds.
        """
        with self._writing, self._locked() as path:
            value = self._fresh(path)
            edit(value)
            if path is None:
                signature = None
            else:
                signature = self._write(path, msgspec.json.format(msgspec.json.encode(value)))
            with self._reading:
                self.trouble = None
                self._take(value, signature)
            return value

    # -------------------------------------------------------------------- reading

    def _empty(self) -> T:
        return self._kind()

    def _take(self, value: T, signature: _Signature | None) -> None:
        self._value = value
        self._signature = signature
        self._look_at = self._clock() + _LOOK_EVERY_SECONDS
        self.generation += 1

    def _look(self) -> None:
        assert self.path is not None
        self._look_at = self._clock() + _LOOK_EVERY_SECONDS
        try:
            signature: _Signature | None = _signature(self.path.stat())
        except FileNotFoundError:
            signature = None
        except OSError:
            signature = (0, 0, 0)  # reading it tells why
        if signature == self._signature and signature != (0, 0, 0):
            return
        try:
            value, signature = self._load(self.path)
            trouble = None
        except _Unreadable as unreadable:
            value, trouble = self._empty(), str(unreadable)
            if trouble != self.trouble:
                _log.error("A file cannot be used: %s", trouble)
        self.trouble = trouble
        self._take(value, signature)

    def _load(self, path: Path) -> tuple[T, _Signature | None]:
        try:
            # Without waiting: a FIFO in its place would wait for a writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                info = os.fstat(descriptor)
                self._refuse(path, info)
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    body = file.read(self._most_bytes + 1)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return self._empty(), None
        except OSError as error:
            raise _Unreadable(
                f"The file of {self._what} {path} cannot be read: {error.strerror or error}. "
                "Until it can be, nobody gets in by it."
            ) from error
        if not body:  # `touch` made it
            return self._empty(), _signature(info)
        try:
            value = self._decoder.decode(body)
            self._check(value)
        except (ValueError, RecursionError) as error:
            raise _Malformed(
                f"The file of {self._what} {path} is not what it should be: {error}. Mend it, or "
                "put a copy of an older one there; until then nobody gets in by it."
            ) from error
        return value, _signature(info)

    def _refuse(self, path: Path, info: os.stat_result) -> None:
        if not stat.S_ISREG(info.st_mode):
            raise _Unreadable(f"{path} should be the file of {self._what}, and is no file.")
        if info.st_size > self._most_bytes:
            raise _Unreadable(
                f"The file of {self._what} {path} is larger than {self._most_bytes:,} bytes. "
                "It was not read, and nobody gets in by it."
            )
        if _others_may_write(info, good_groups=_good_groups(path.parent)):
            raise _Unreadable(_writable_by_others(path))

    # -------------------------------------------------------------------- writing

    def _fresh(self, path: Path | None) -> T:
        """Give a value that is the file's now, and nobody else's."""
        if path is None:
            return self._decoder.decode(msgspec.json.encode(self._value))
        try:
            return self._load(path)[0]
        except _Malformed as malformed:
            if self._precious:
                raise Unavailable(str(malformed)) from malformed
            aside = path.with_name(f"{path.name}.broken")
            try:
                path.replace(aside)
            except OSError as error:
                raise self._unwritable(path, error) from error
            _log.warning("The broken file of %s was put aside as %s.", self._what, aside)
            return self._empty()
        except _Unreadable as unreadable:
            raise Unavailable(str(unreadable)) from unreadable

    @contextmanager
    def _locked(self) -> Iterator[Path | None]:
        """Hold the lock of the file; gives the file itself, behind what links to it."""
        if self.path is None:
            yield None
            return
        path = Path(os.path.realpath(self.path))
        try:
            if not path.parent.exists():
                make_private(path.parent)
            lock = os.open(
                path.with_name(f"{path.name}.lock"),
                os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600,
            )
        except OSError as error:
            raise self._unwritable(path, error) from error
        try:
            _belong(lock, path)
            self._wait_for(lock, path)
            yield path
        finally:
            os.close(lock)

    def _wait_for(self, lock: int, path: Path) -> None:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Unavailable(
                        f"Another program has been changing {path} for {_LOCK_SECONDS:.0f} "
                        "seconds. Try again when it is done."
                    ) from None
                time.sleep(_LOCK_RETRY_SECONDS)
            except OSError as error:
                raise self._unwritable(path, error) from error

    def _write(self, path: Path, body: bytes) -> _Signature:
        # One name is enough: who writes holds the lock.
        beside = path.with_name(f".{path.name}.new")
        try:
            with suppress(FileNotFoundError):
                beside.unlink()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(beside, flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                _belong(descriptor, path)
                file.write(body + b"\n")
                file.flush()
                os.fsync(descriptor)
                signature = _signature(os.fstat(descriptor))
            beside.replace(path)
            sync_directory(path.parent)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            raise self._unwritable(path, error) from error
        return signature

    def _unwritable(self, path: Path, error: OSError) -> Unavailable:
        return Unavailable(
            f"The file of {self._what} {path} cannot be written: {error.strerror or error}.",
            hint="Is there room on the disk, and may we write this directory?",
        )


class Later:
    """Work that nobody waits for: done by a thread of its own, once however often it was asked."""

    def __init__(self, work: Callable[[], None], *, name: str) -> None:
        self._work = work
        self._name = name
        self._lock = threading.Lock()
        self._running = threading.Lock()  # one after the other
        self._asked = False

    def ask(self) -> None:
        """Have it done soon. A program that ends waits for what is under way."""
        with self._lock:
            if self._asked:
                return
            self._asked = True
        threading.Thread(target=self._run, name=self._name).start()

    def _run(self) -> None:
        with self._running:
            with self._lock:
                self._asked = False
            try:
                self._work()
            except CeleryscopeError as trouble:
                _log.warning("What was seen could not be kept: %s", trouble)


class _Unreadable(Exception):
    """The file is there, and nothing can be taken from it."""


class _Malformed(_Unreadable):
    """The file does not hold what it should."""


def refuse_what_others_may_write(path: Path) -> None:
    """Raise ConfigError where somebody else may write the file `path` or its directory.

    Who may write either lets himself in. What is not there yet is no trouble. A directory like
    /tmp, where each may only remove his own, is good for a file that is ours or root's. A group
    may write if it is ours alone, or if the directory is another user's and we ourselves may only
    write it by that group: so Kubernetes gives out a volume (`fsGroup`).
    """
    for place in {path, Path(os.path.realpath(path))}:
        groups = _good_groups(place.parent)
        for one in (place.parent, place):
            try:
                info = one.stat()
            except OSError:
                continue
            if _others_may_write(info, good_groups=groups) and not (
                info.st_mode & stat.S_ISVTX and _is_ours(place)
            ):
                raise ConfigError(_writable_by_others(one))


def sync_directory(directory: Path) -> None:
    """Make sure that a new name in a directory outlives a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _signature(info: os.stat_result) -> _Signature:
    return info.st_mtime_ns, info.st_size, info.st_ino


def _good_groups(directory: Path) -> frozenset[int]:
    """Give the groups that may write in a directory without being somebody else."""
    good = {_private_group(os.geteuid(), os.getegid())}
    try:
        info = directory.stat()
    except OSError:
        info = None
    if info is not None and info.st_uid != os.geteuid():
        good |= {info.st_gid} & {os.getegid(), *os.getgroups()}
    return frozenset(group for group in good if group is not None)


@functools.cache
def _private_group(user: int, group: int) -> int | None:
    """Give the user's own group, where they have one: of their number, and nobody else in it.

    OpenSSH on Debian takes such a group for the user alone, too.
    """
    if group == 0 or group != user:
        return None
    try:
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:  # only a number, as in a container
        members = set()
    owners = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == user}
    others = {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == group}
    return None if (members | others) - owners else group


def _others_may_write(info: os.stat_result, *, good_groups: frozenset[int]) -> bool:
    good = stat.S_IWGRP if info.st_gid in good_groups else 0
    return bool(info.st_mode & _OTHERS_MAY_WRITE & ~good)


def _is_ours(path: Path) -> bool:
    try:
        return path.stat().st_uid in {0, os.geteuid()}
    except OSError:
        return False


def _writable_by_others(path: Path) -> str:
    return (
        f"Others may write {path}, and so let themselves in. Take that from them: chmod go-w {path}"
    )


def _belong(descriptor: int, path: Path) -> None:
    """Let a new file be who has the file it replaces, or the directory.

    Only root can do so, and has to: what `sudo celeryscope user add` writes, the console reads.
    """
    if os.geteuid() != 0:
        return
    like = path if path.exists() else path.parent
    info = like.stat()
    os.fchown(descriptor, info.st_uid, info.st_gid)
