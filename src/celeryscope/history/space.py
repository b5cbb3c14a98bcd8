"""The room that a history takes, and how it is given back.

SQLite keeps pages that became free for what comes next. Some stay, so that the file does not
shrink and grow again with every hour; the others are cut off its end, a few at a time.

PostgreSQL keeps the room of deleted rows in its tables, and autovacuum makes it free for new ones.
What the tables take on the disk therefore says nothing of what is in them: it is estimated from
the newest rows.
"""

from __future__ import annotations

import sqlite3
import time

from celeryscope.history.database import Database
from celeryscope.history.sql import queries

_SLACK_SHARE = 0.05  # of the pages may stay free
_SLACK_PAGES = 1_024
_SAMPLE = 1_000  # rows
#: Of a row in PostgreSQL beside its columns: item, place in two indexes, a share of a signature.
_BESIDE_BYTES = 4 + 24 + 48 + 140


def used_bytes(db: Database, *, tasks: int) -> int:
    """Give what the history takes, without what is free in it; with PostgreSQL an estimate.

    `tasks` says how many there are.
    """
    if isinstance(db, sqlite3.Connection):
        pages, free, size = _pages(db)
        return (pages - free) * size
    (last,) = db.execute(queries()["last_seq"]).fetchone()
    span = ((last or 0) - _SAMPLE, last or 0)
    row = db.execute(queries()["row_bytes"], span).fetchone()[0]
    more = db.execute(queries()["more_bytes"], span).fetchone()[0]
    return round(tasks * (float(row or 0) + float(more or 0) / _SAMPLE + _BESIDE_BYTES))


def give_back(db: Database, *, most_seconds: float, slack: bool) -> int:
    """Cut free pages off, inside a transaction that writes; gives how many, 0: there are none.

    With `slack` a few stay for what comes next.
    """
    if not isinstance(db, sqlite3.Connection):
        return 0
    pages, free, _ = _pages(db)
    spare = free - (max(_SLACK_PAGES, int(pages * _SLACK_SHARE)) if slack else 0)
    if spare <= 0 or db.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:
        return 0
    until = time.monotonic() + most_seconds
    for done in range(1, spare + 1):
        # One at a time: sqlite3 steps once through a statement without columns.
        db.execute("PRAGMA incremental_vacuum(1)")
        if time.monotonic() > until:
            return done
    return spare


def _pages(db: sqlite3.Connection) -> tuple[int, int, int]:
    found = [
        db.execute(f"PRAGMA {what}").fetchone()[0]
        for what in ("page_count", "freelist_count", "page_size")
    ]
    return found[0], found[1], found[2]
