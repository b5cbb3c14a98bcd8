"""Queries that people keep: their own, and those that others share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, Protocol

from celeryscope.errors import BadArgument, BadQuery, Forbidden, NotFound, NotPossible
from celeryscope.history.database import Database
from celeryscope.history.record import microseconds, seconds
from celeryscope.history.sql import queries
from celeryscope.model import query as language

MOST_OF_ONE: Final = 200
MOST_NAME_CHARS: Final = 80
_NUMBERS: Final = 2**63


class Search(NamedTuple):
    """A query that somebody keeps."""

    id: int
    owner: str
    name: str
    query: str
    sort: str
    shared: bool
    created_at: float  # epoch seconds


class Store(Protocol):
    """A history that can be read and written."""

    @property
    def reading(self) -> Callable[[], AbstractContextManager[Any]]: ...
    @property
    def writing(self) -> Callable[[], AbstractContextManager[Any]]: ...


class Searches:
    """The searches in a history. Used from any thread.

    Everything raises Unavailable where the database cannot be read or written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def seen_by(self, owner: str, *, with_shared: bool = True) -> list[Search]:
        """Give somebody's own, and those that others share; by owner and name."""
        with self._store.reading() as db:
            found = db.execute(queries()["searches"], (owner, 1 if with_shared else 2)).fetchall()
        return [_search(row) for row in found]

    def save(
        self, owner: str, *, name: str, query: str, sort: str, shared: bool, now: float
    ) -> Search:
        """Keep a query under a name; one of that name and owner is replaced.

        Raises BadQuery for a query that is none, BadArgument for a name that cannot be, and
        NotPossible where somebody keeps too many.
        """
        name = _checked(name)
        language.parse(query)
        if "\0" in query:  # which no text in PostgreSQL may have
            message = "A query that is kept has no NUL character."
            raise BadQuery(message, position=query.index("\0"))
        named = queries()
        with self._store.writing() as db:
            key = owner, name
            (count,) = db.execute(named["count_searches"], (owner,)).fetchone()
            if count >= MOST_OF_ONE and db.execute(named["search_of_name"], key).fetchone() is None:
                raise NotPossible(
                    f"You keep {MOST_OF_ONE} searches already.", hint="Remove one of them first."
                )
            db.execute(
                named["put_search"], (owner, name, query, sort, int(shared), microseconds(now))
            )
            (ident,) = db.execute(named["search_of_name"], key).fetchone()
            return _by_id(db, ident)

    def remove(self, ident: int, *, owner: str, any_owner: bool = False) -> Search:
        """Remove a search of somebody; `any_owner`: whose it is does not matter.

        Raises NotFound where there is none that they see, and Forbidden for a shared one of
        somebody else.
        """
        with self._store.writing() as db:
            found = _by_id(db, ident)
            if found.owner != owner and not any_owner:
                if not found.shared:
                    raise NotFound("search", str(ident))
                raise Forbidden(
                    f"'{found.name}' is {found.owner}'s.",
                    hint="Its owner or an administrator can remove it.",
                )
            db.execute(queries()["drop_search"], (ident,))
            return found


def _by_id(db: Database, ident: int) -> Search:
    found = None
    if 0 < ident < _NUMBERS:
        found = db.execute(queries()["search_by_id"], (ident,)).fetchone()
    if found is None:
        raise NotFound("search", str(ident))
    return _search(found)


def _search(row: Any) -> Search:
    ident, owner, name, query, sort, shared, created_at = row
    return Search(ident, owner, name, query, sort, bool(shared), seconds(created_at))


def _checked(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= MOST_NAME_CHARS or not name.isprintable():
        raise BadArgument(
            "name", f"A name has 1 to {MOST_NAME_CHARS} characters, and no control characters."
        )
    return name
