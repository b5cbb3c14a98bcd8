"""A history in a SQLite file."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from celeryscope.history import rows
from celeryscope.history.database import Database, Trouble
from celeryscope.history.search import Condition

BUSY_SECONDS = 10.0
_WRITER_CACHE_KIB = 8 * 1024
_READER_CACHE_KIB = 4 * 1024
_MOST_WAL_BYTES = 64 * 2**20  # while nobody needs more of it

#: (what SQLite says, what it means, what to do)
_SAID = (
    ("locked", "is locked by another program", "Stop what holds it: fuser FILE names it."),
    (
        "readonly",
        "may not be written",
        "Check the permissions of the file and of its directory, and how the disk is mounted.",
    ),
    ("is full", "cannot be written: the disk is full", "Make room on the disk."),
    (
        "unable to open",
        "cannot be opened",
        "Check that its directory is there, and that we may write it.",
    ),
    (
        "disk I/O",
        "cannot be read or written (disk I/O error)",
        "Check the disk, its quota and the log of the system.",
    ),
)
_NONE = (0, 0)  # instead of a file
#: `sqlite3` lets go of the interpreter's lock at each step, and in a busy process it waits to get
#: it back: so many rows go in with one.
_ROWS_A_STEP = 16
_VALUES = re.compile(r"\bVALUES \((?:\?, )*\?\)")
_DAMAGED = ("malformed", "not a database", "file is encrypted")


class SqliteConnection(sqlite3.Connection):
    """See `database.Connection`."""

    remote = False
    path: Path
    _file: tuple[int, int]
    _beside: Sequence[tuple[Path, tuple[int, int]]] = ()

    def begin(self, *, writing: bool) -> None:
        self.execute("BEGIN IMMEDIATE" if writing else "BEGIN")

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        many = _of_many(sql)
        if many is None:
            return super().executemany(sql, parameters)
        listed = list(parameters)
        whole = len(listed) - len(listed) % _ROWS_A_STEP
        for start in range(0, whole, _ROWS_A_STEP):
            flat = tuple(chain.from_iterable(listed[start : start + _ROWS_A_STEP]))
            self.execute(many, flat)
        return super().executemany(sql, listed[whole:])

    def rollback(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            super().rollback()

    def arm(self, condition: Condition) -> None:
        for number, test in enumerate(condition.tests):
            self.create_function(f"passes{number}", -1, test)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self.gone:
                self._clear()
        with contextlib.suppress(sqlite3.Error):
            super().close()

    def _clear(self) -> None:
        """Take away what SQLite would read into the file that has our file's name now.

        Our file was moved, perhaps, and is still one: what is committed goes into it before.
        """
        ours = [path for path, file in self._beside if file == _file(path) != _NONE]
        if ours:
            self.execute("PRAGMA wal_checkpoint(PASSIVE)")
        for path in ours:
            if self.gone:  # still: it may be put back at any time, and be read with them
                path.unlink(missing_ok=True)

    @property
    def gone(self) -> bool:
        return self._file != _file(self.path)

    def remember(self, path: Path) -> None:
        self.path, self._file = path, _file(path)

    def remember_beside(self) -> None:
        """Know -wal and -shm again, which are there from the first reading on."""
        paths = [self.path.with_name(self.path.name + end) for end in ("-wal", "-shm")]
        self._beside = [(path, _file(path)) for path in paths]


class SqlitePlace:
    """See `database.Place`."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def connect(self, *, writer: bool) -> SqliteConnection:
        """Connect; the writer makes the file if it is not there."""
        try:
            if not writer:
                self.path.stat()
            elif not self.path.exists():
                self.path.touch(mode=0o600)
            elif not _is_writable(self.path):
                # SQLite would give its -wal and -shm the same mode, and that would stay.
                raise sqlite3.OperationalError("attempt to write a readonly database")
        except OSError as error:
            raise sqlite3.OperationalError(
                f"unable to open database file: {error.strerror or error}"
            ) from error
        db = sqlite3.connect(
            self.path.absolute().as_uri() if writer else to_read(self.path), uri=True,
            timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False,
            cached_statements=256, factory=SqliteConnection,
        )  # fmt: skip
        try:
            db.remember(self.path)
            self._set_up(db, writer=writer)
        except BaseException:
            db.close()
            raise
        return db

    def _set_up(self, db: SqliteConnection, *, writer: bool) -> None:
        cache_kib = _WRITER_CACHE_KIB if writer else _READER_CACHE_KIB
        if writer:
            # Before anything is in the file: so that room can be given back in small steps.
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 4000")
            # A reader that took its time has made it longer: then it is cut again.
            db.execute(f"PRAGMA journal_size_limit = {_MOST_WAL_BYTES}")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            db.remember_beside()
        else:
            db.execute("PRAGMA query_only = 1")
        db.execute(f"PRAGMA cache_size = -{cache_kib}")
        db.create_function("unpacked", 1, rows.unpack_any, deterministic=True)

    def has_table(self, db: Database, name: str) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return db.execute(sql, (name,)).fetchone() is not None

    def is_foreign(self, db: Database) -> bool:
        found = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(found[0]) and not self.has_table(db, "schema_version")

    def schema(self, statement: str) -> str:
        return statement

    def take_time(self, db: Database) -> None:
        pass

    def size_bytes(self, db: Database) -> int:
        size = 0
        for end in ("", "-wal"):
            with contextlib.suppress(OSError):
                size += self.path.with_name(self.path.name + end).stat().st_size
        return size

    def tell(self, error: BaseException) -> Trouble:
        where = f"The history in {self.path}"
        said = str(error) or type(error).__name__
        if any(word in said for word in _DAMAGED):
            return Trouble(
                f"{where} is damaged, or is no history: {said}.",
                "Put a backup in its place (celeryscope restore FILE --force), or move it away "
                "with its -wal and -shm and start again: an empty one is begun. Nothing was "
                "deleted.",
                final=True,
            )
        ours = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError)
        for words, meaning, hint in _SAID:
            if words in said:
                why = said.partition("file: ")[2]
                return Trouble(f"{where} {meaning}{': ' + why if why else ''}.", hint)
        return Trouble(f"{where} cannot be used: {said}.", ours=isinstance(error, ours))


@cache
def _of_many(sql: str) -> str | None:
    """Write a statement that puts one row into a table for many; None: it is another one."""
    values = _VALUES.search(sql)
    if values is None:
        return None
    more = ", ".join([values[0].removeprefix("VALUES ")] * _ROWS_A_STEP)
    return f"{sql[: values.start()]}VALUES {more}{sql[values.end() :]}"


def to_read(path: Path) -> str:
    """Give the URI of a file that is only read.

    SQLite makes a -shm for that. Where it may not, and nobody writes, the file is read as it lies.
    """
    uri = path.absolute().as_uri()
    if _is_writable(path.parent) or path.with_name(f"{path.name}-wal").exists():
        return uri
    return f"{uri}?mode=ro&immutable=1"


def _is_writable(path: Path) -> bool:
    by_effective = os.access in os.supports_effective_ids
    return bool(os.access(path, os.W_OK, effective_ids=by_effective))


def _file(path: Path) -> tuple[int, int]:
    """Say which file it is that has this name."""
    try:
        found = path.stat()
    except OSError:
        return _NONE
    return found.st_dev, found.st_ino
