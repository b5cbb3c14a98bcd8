"""What the room asks of a database. `sqlite` and `postgresql` are the two that there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from celeryscope.history.search import Condition

#: What a parameter may be.
Value = int | float | str | bytes | None


class Rows(Protocol):
    """The answer to a statement."""

    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...
    @property
    def rowcount(self) -> int: ...


class Database(Protocol):
    """A connection. Statements are written for SQLite and PostgreSQL alike, with `?`."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows: ...
    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows: ...


class Connection(Database, Protocol):
    """A connection as its owner sees it. Outside a transaction each statement is one."""

    @property
    def remote(self) -> bool:
        """Each answer takes its time, so few statements are better than short ones."""

    def begin(self, *, writing: bool) -> None:
        """Begin a transaction: the only one that writes, or one that sees one state of all."""

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """Undo, if there is a transaction; never raises."""

    def arm(self, condition: Condition) -> None:
        """Make the tests of a condition known to the statements that follow.

        A statement with such a condition asks for `t.seq BETWEEN ? AND ?` of `task AS t`, and
        these are its first two parameters.
        """

    def close(self) -> None:
        """Let go of it; never raises."""

    @property
    def gone(self) -> bool:
        """It is lost, or what it is connected to is no longer what is there."""


class Trouble(NamedTuple):
    """What a database says no with, for people."""

    sentence: str  # what is wrong, and where
    hint: str = ""  # what to do
    final: bool = False  # trying again is of no use until somebody does something
    ours: bool = False  # it is a fault of what we wrote: the same will be refused again
    stale: bool = False  # what is there is no longer what it was: it has to be opened anew


class Place(Protocol):
    """Where a history is kept."""

    #: For people; without any password.
    name: str
    #: All that its connections raise.
    errors: tuple[type[Exception], ...]

    def connect(self, *, writer: bool) -> Connection:
        """Connect. Raises one of `errors`, or NotPossible where that can never be."""

    def has_table(self, db: Database, name: str) -> bool: ...

    def is_foreign(self, db: Database) -> bool:
        """Say whether it has tables, of which none is ours."""

    def schema(self, statement: str) -> str:
        """Translate a statement of a migration."""

    def take_time(self, db: Database) -> None:
        """Let the transaction take as long as it takes."""

    def size_bytes(self, db: Database) -> int:
        """Give what it takes of the disk."""

    def tell(self, error: BaseException) -> Trouble:
        """Say what one of `errors` means."""
