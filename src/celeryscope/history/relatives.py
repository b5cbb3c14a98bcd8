"""Finding families: the tasks of a root, and what its client sent at the same moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from celeryscope.history import record, rows, signature
from celeryscope.history import search as asking
from celeryscope.history.database import Database
from celeryscope.history.finding import Finding, read_life
from celeryscope.history.rows import Row
from celeryscope.history.sql import queries
from celeryscope.model.actor import Scope
from celeryscope.model.task import Task

MOST_ROOTS: Final = 64
_END = 2**62
_MOST_LIVES = 2_000
#: Rows on either side of a task among which those are looked for that were sent beside it: they
#: came here in the order they were sent, and stay there unless they live long.
_NEAR_ROWS = 2_000
_NEAR_SECONDS = 60.0


class Relatives(NamedTuple):
    """Tasks in no order."""

    tasks: list[Task]
    whole: bool  # False: there may be more


class Relating(Finding):
    """The history, asked for families."""

    def relatives(
        self,
        ids: Sequence[str],
        *,
        by: Literal["root", "parent"] = "root",
        since: float | None = None,
        most: int = 10_000,
        most_seconds: float = 2.0,
        scope: Scope | None = None,
    ) -> Relatives:
        """Give the tasks that name one of these as their root (or parent), and these themselves.

        `ids` are MOST_ROOTS at most. No task is looked for whose last event is before `since`
        (epoch seconds). It ends at `most` tasks, or after `most_seconds`.
        """
        with self.reading() as db:
            given = [rows.id_key(one) for one in ids[:MOST_ROOTS]]
            keys = [key for key in given if self.has_id(db, key, scope)]
            if not keys:
                return Relatives([], True)
            found = {
                key: Row(*row) for key in keys for row in db.execute(queries()["task"], (key,))
            }
            marks = ", ".join("?" * len(keys))
            sql = queries()["relatives"].replace("{column}", by).replace("{marks}", marks)
            condition = asking.Condition("", (), (), _need(by, ids, since))
            until = time.monotonic() + most_seconds
            whole = len(ids) <= MOST_ROOTS
            for first, last in self._spans(db, condition, newest_first=True):
                span = (first, last, *keys, most + 1 - len(found))
                found.update((row[1], Row(*row)) for row in db.execute(sql, span))
                if len(found) > most or time.monotonic() > until:
                    whole = False
                    break
            kept = [row for row in list(found.values())[:most] if self.has(db, row, scope)]
            return Relatives(self._tasks(db, kept, scope), whole)

    def beside(self, uuid: str, *, scope: Scope | None = None) -> list[Task]:
        """Give tasks without a parent that the client of a task sent within a minute of it.

        The task itself is among them, if it was sent by a client.
        """
        with self.reading() as db:
            row = self._row(db, uuid, scope)
            if row is None or row.client is None or row.sent is None or row.parent is not None:
                return []
            sent, near = row.at - row.sent, record.microseconds(_NEAR_SECONDS)
            asked = (
                row.seq - _NEAR_ROWS,
                row.seq + _NEAR_ROWS,
                row.client,
                sent - near,
                sent + near,
            )
            found = [Row(*one) for one in db.execute(queries()["beside"], asked)]
            return self._tasks(db, [one for one in found if self.has(db, one, scope)], scope)

    def _tasks(self, db: Database, found: Sequence[Row], scope: Scope | None) -> list[Task]:
        tasks, lives = [], 0
        for row in found:
            life = read_life(db, row) if lives < _MOST_LIVES else None
            lives += life is not None
            task = rows.to_task(row, self.words.text, life=life)
            tasks.append(self._shown(db, task, scope))
        return tasks


def _need(by: str, ids: Sequence[str], since: float | None) -> asking.Need:
    facts = [asking.Bits(signature.of_fact(by, one.casefold())) for one in ids[:MOST_ROOTS]]
    need: asking.Need = asking.Any_(tuple(facts))
    if since is not None:
        need = asking.All((asking.Zone("at", record.microseconds(since), _END), need))
    return need
