"""Histories as earlier versions left them, and what must be true of them afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from celeryscope.history import sql
from celeryscope.history.database import Connection
from celeryscope.history.rows import id_key
from celeryscope.history.store import History, place_of
from celeryscope.model.query import parse
from tests.unit.history import lives

ID = "6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1"
OTHER = "by-hand"
AT = 1_795_000_000_000_000
LAYOUTS = len(sql.migrations())


@contextmanager
def connected(where: Path | str) -> Iterator[Connection]:
    """Lend a connection that writes."""
    db = place_of(where).connect(writer=True)
    try:
        yield db
    finally:
        db.close()


def make(where: Path | str, layout: int) -> None:
    """Make a history of an earlier layout, and put two tasks into it."""
    with pytest.MonkeyPatch.context() as patch, connected(where) as db:
        steps = sql.migrations()[:layout]
        patch.setattr(sql, "migrations", lambda: steps)
        sql.migrate(db, place_of(where))
        db.begin(writing=True)
        for number, kind, text in ((901, "name", "shop.pay"), (902, "worker", "celery@a")):
            db.execute("INSERT INTO word (id, kind, text) VALUES (?, ?, ?)", (number, kind, text))
        put = (
            "INSERT INTO task (seq, uuid, state, at, name, worker, started, runtime, retries, "
            "described, flags, args, exception) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        db.execute(
            put, (1, id_key(ID), 5, AT, 901, 902, 3_000_000, 3_000_000, 0, 0, 32, "(4711,)", None)
        )
        db.execute(
            put, (2, id_key(OTHER), 6, AT + 1, 901, 902, 1, None, 0, 0, 32, "()", "Timeout('x')")
        )
        db.commit()


def version(where: Path | str) -> int:
    with connected(where) as db:
        return int(db.execute("SELECT version FROM schema_version").fetchone()[0])


def tables(where: Path | str) -> set[str]:
    """Give those of some names that may be there."""
    with connected(where) as db:
        place = place_of(where)
        known = ("word", "task", "block", "slice", "first_half", "second_half")
        return {name for name in known if place.has_table(db, name)}


def check(history: History) -> None:
    """See that the tasks are there, are found, and that others can be written."""
    now = AT / 1e6 + 10
    assert history.trouble is None
    task = history.task(ID)
    assert task is not None
    assert (task.state, task.name, task.worker, task.args) == (
        "SUCCESS", "shop.pay", "celery@a", "(4711,)",
    )  # fmt: skip
    for text, found in (("4711", ID), ("state:failure timeout", OTHER), ("runtime:2s..4s", ID)):
        page = history.search(parse(text), now=now)
        assert [one.uuid for one in page.tasks] == [found], text
    events = lives.stream(3, 30)
    history.write(lives.changes(events))
    history.flush()
    assert history.count(parse(""), now=now).total == 2 + len({one.uuid for one in events})
    assert history.refused == 0
