"""A history that is only read: by a command line, whether or not a console writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history.backup import is_unsettled
from celeryscope.history.database import Connection, Database
from celeryscope.history.finding import Finding
from celeryscope.history.record import JudgedEvent
from celeryscope.history.sql import check
from celeryscope.history.store import place_of


class Reader(Finding):
    """What is in a history; nothing in it is made or changed. Made new for each command."""

    def __init__(self, where: Path | str) -> None:
        """`where` is a file, or the URL of a PostgreSQL database.

        Raises NotPossible where there is no history, or one of another layout, and Unavailable
        where it cannot be read just now.
        """
        super().__init__(number=_nothing)
        if isinstance(where, Path) and is_unsettled(where.parent):
            raise NotPossible(
                f"A backup is being restored into {where.parent}, or that was stopped in the middle.",
                hint="Restore it again, or start the console: it puts back what was there before.",
            )
        if isinstance(where, Path) and not where.exists():
            raise NotPossible(f"There is no history in {where.parent}.")
        self.place = place_of(where)
        with self._connected() as db:
            check(db, self.place)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection that sees one state of the database. Raises Unavailable."""
        with self._connected() as db:
            db.begin(writing=False)
            self.words.read(db)
            yield db

    @contextmanager
    def writing(self) -> Iterator[Database]:
        raise NotPossible("This history is only read.")
        yield

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            db = self.place.connect(writer=False)
            try:
                yield db
            finally:
                db.rollback()
                db.close()
        except self.place.errors as error:
            trouble = self.place.tell(error)
            raise Unavailable(trouble.sentence, hint=trouble.hint) from error


def _nothing(_: Iterable[JudgedEvent]) -> dict[JudgedEvent, int | None]:
    return {}
