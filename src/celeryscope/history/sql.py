"""The SQL of the room: numbered migrations and named queries, each read from its file once."""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from importlib import resources

from celeryscope.errors import NotPossible

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Give the named queries of `queries/*.sql`."""
    found: dict[str, str] = {}
    for file in sorted(_folder("queries"), key=lambda file: file.name):
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        found.update(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
    return found


@cache
def migrations() -> tuple[str, ...]:
    """Give the migrations `migrations/0001.sql` and so on, in their order."""
    files = sorted(_folder("migrations"), key=lambda file: file.name)
    return tuple(file.read_text(encoding="utf-8") for file in files)


def migrate(db: sqlite3.Connection, *, where: str) -> None:
    """Bring a database to the newest layout: each step in a transaction of its own.

    `db` is in autocommit mode. Raises NotPossible for a database of a newer program.
    """
    steps = migrations()
    db.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    while (version := _version(db, where, len(steps))) < len(steps):
        db.execute("BEGIN IMMEDIATE")
        try:
            if _version(db, where, len(steps)) == version:  # nobody else was faster
                for statement in _statements(steps[version]):
                    db.execute(statement)
                db.execute("DELETE FROM schema_version")
                db.execute("INSERT INTO schema_version VALUES (?)", (version + 1,))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise


def _version(db: sqlite3.Connection, where: str, known: int) -> int:
    (version,) = db.execute("SELECT ifnull(max(version), 0) FROM schema_version").fetchone()
    if version > known:
        raise NotPossible(
            f"The history in {where} was written by a newer Celeryscope (layout {version}; this "
            f"one knows {known}).",
            hint="Start the newer Celeryscope again, or name another data directory.",
        )
    return int(version)


def _statements(script: str) -> list[str]:
    found, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found


def _folder(name: str) -> list[resources.abc.Traversable]:
    folder = resources.files("celeryscope.history") / name
    return [file for file in folder.iterdir() if file.name.endswith(".sql")]
