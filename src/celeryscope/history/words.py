"""The words that many tasks share, by number."""

from __future__ import annotations

import threading

from celeryscope.history.database import Database
from celeryscope.history.sql import queries


class Words:
    """The words that are in the database, as far as they were read. Shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._texts: dict[int, str] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._uncommitted: list[tuple[str, str]] = []
        self.by_kind: dict[str, dict[int, str]] = {}

    def settle(self, *, committed: bool) -> None:
        """Keep the words that the writer's transaction added, or let go of them."""
        with self._lock:
            if not committed:
                for word in self._uncommitted:
                    self._texts.pop(self._numbers.pop(word), None)
            self._uncommitted.clear()

    def read(self, db: Database) -> None:
        """Read what is new."""
        new = db.execute(queries()["words"], (self._last,)).fetchall()
        with self._lock:  # not while the database is asked: it may take its time
            for number, kind, text in new:
                self._add(number, kind, text)

    def text(self, number: int | None) -> str | None:
        return None if number is None else self._texts.get(number)

    def number(self, db: Database, kind: str, text: str) -> int:
        """Give a word's number; for the writer, inside its transaction."""
        number = self._numbers.get((kind, text))
        if number is None:
            named = queries()
            db.execute(named["add_word"], (kind, text))
            (number,) = db.execute(named["word"], (kind, text)).fetchone()
            assert number is not None
            with self._lock:
                self._numbers[kind, text] = number
                self._texts[number] = text
                self._uncommitted.append((kind, text))
        return number

    def _add(self, number: int, kind: str, text: str) -> None:
        self._last = max(self._last, number)
        self._texts[number] = text
        self._numbers[kind, text] = number
        self.by_kind.setdefault(kind, {})[number] = text
