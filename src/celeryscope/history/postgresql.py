"""A history in PostgreSQL, for several consoles on one database.

Tables are in the schema `celeryscope`, unless the URL names a search path. Consoles write one
after the other, as processes do with a SQLite file: each transaction that writes has the same
advisory lock. So the numbers of words, tasks and blocks are given in the order of the commits, and
what a reader has seen of them stays true.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from celeryscope.errors import NotPossible, Unavailable, without_passwords
from celeryscope.history.database import Database, Rows, Trouble
from celeryscope.history.rows import unpack_any
from celeryscope.history.search import Condition
from celeryscope.history.sql import schema_to_postgresql, to_postgresql
from celeryscope.model.text import storable

if TYPE_CHECKING:
    import psycopg

SCHEMA = "celeryscope"
_LOCK = 0x63656C72  # "celr"
_SETTINGS = {
    "lock_timeout": "30s",  # another console writes
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",  # of a console that was stopped in the middle
    "jit": "off",
    # Rows are asked for by key; of a table that grew since it was analysed it thinks otherwise.
    "enable_seqscan": "off",
    "client_encoding": "UTF8",
}
_CONNECT_SECONDS = 10
_OLDEST_VERSION = 120_000
#: Of these classes of SQLSTATE the same statement is refused again.
_OURS = ("21", "22", "23")
_STALE = ("42P01", "3F000")
_SPAN = "t.seq BETWEEN ? AND ?"

_UNPACKED = "unpacked("  # which the server cannot do: what it has is unpacked here

#: (class or code of SQLSTATE, what it means, what to do); asked in this order.
_SAID = (
    (
        "25006",
        "does not take writes (it is a standby, or read-only)",
        "Name the primary, or add target_session_attrs=read-write to the URL.",
    ),
    ("28", "refused us", "Check the user and the password in the URL, and pg_hba.conf."),
    (
        "3D",
        "is not there",
        "Make the database, or the user: createdb NAME, createuser NAME",
    ),
    (
        "42501",
        "does not let us",
        "Make a schema for our user: CREATE SCHEMA celeryscope AUTHORIZATION its_name",
    ),
    (
        "42P01",
        "has lost a table",
        "Restore it from a backup; or drop the schema celeryscope, and an empty history is begun.",
    ),
    ("3F000", "has lost the schema of the history", "An empty history is begun."),
    ("53100", "has no room left on its disk", "Make room on the server's disk."),
    ("53300", "has no connection left for us", "Raise max_connections, or end other programs'."),
    (
        "55P03",
        "is written by another program for longer than 30 seconds",
        "pg_stat_activity says who waits, and for whom.",
    ),
    ("57014", "took too long", ""),
    ("57P", "is shutting down or starting", "It is tried again."),
    ("XX", "is damaged", "See the server's log."),
)
#: Why a connection was not made is told without a SQLSTATE: the words that stand for one.
_WORDS = (
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("pg_hba.conf", "28"),
    ("does not exist", "3D"),
    ("too many c", "53300"),  # clients, connections
    ("connection slots", "53300"),
    ("starting up", "57P"),
    ("shutting down", "57P"),
    ("recovery mode", "57P"),
)


class PostgresConnection:
    """See `database.Connection`."""

    remote = True

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._condition: Condition | None = None
        self._passing: dict[tuple[int, int], list[list[int]]] = {}

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        if self._condition is not None and "passes" in sql:
            sql, parameters = self._decided(self._condition, sql, parameters)
        cursor = self._connection.cursor(binary=True)
        cursor.execute(to_postgresql(sql).encode(), parameters)
        return cursor

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        cursor = self._connection.cursor(binary=True)
        listed = list(parameters)
        if listed:
            cursor.executemany(to_postgresql(sql).encode(), listed)
        return cursor

    def begin(self, *, writing: bool) -> None:
        if not writing:
            self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return
        self.execute("BEGIN")
        try:
            self.execute(
                "SELECT pg_advisory_xact_lock(CAST(? AS int), hashtext(current_schema()))", (_LOCK,)
            )
        except BaseException:
            self.rollback()
            raise

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        with contextlib.suppress(Exception):
            if not self.gone:
                self.execute("ROLLBACK")

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._connection.close()

    @property
    def gone(self) -> bool:
        return self._connection.closed

    def arm(self, condition: Condition) -> None:
        """Make the tests of a condition known.

        They are in Python, and the server has none: of the rows that the rest of the condition
        leaves in a span the texts are fetched, and tested here, and the statement is told which
        of them pass. So it finds what SQLite does, which calls the same tests.
        """
        self._condition, self._passing = condition, {}

    def _decided(
        self, condition: Condition, sql: str, parameters: Sequence[Any]
    ) -> tuple[str, Sequence[Any]]:
        """Put into a statement which tasks pass each test, instead of the tests."""
        assert _SPAN in sql[: sql.index("passes")], "a statement with tests names its span first"
        passing = self._passing_in(condition, (parameters[0], parameters[1]))
        given = list(parameters)
        for number, columns in enumerate(condition.columns):
            before, _, after = sql.partition(f"passes{number}({columns})")
            given.insert(before.count("?"), passing[number])
            sql = f"{before}(t.seq = ANY (CAST(? AS bigint[]))){after}"
        return sql, given

    def _passing_in(self, condition: Condition, span: tuple[int, int]) -> list[list[int]]:
        """Give for each test the `seq` of tasks that pass it, as far as it matters."""
        found = self._passing.get(span)
        if found is None:
            columns = list(dict.fromkeys(c for one in condition.columns for c in one.split(", ")))
            packed = [at for at, column in enumerate(columns, 1) if column.startswith(_UNPACKED)]
            stored = [
                column.removeprefix(_UNPACKED).removesuffix(")") if at in packed else column
                for at, column in enumerate(columns, 1)
            ]
            sql = f"SELECT t.seq, {', '.join(stored)} FROM task AS t"  # noqa: S608
            sql += f" WHERE {_SPAN} AND {_relaxed(condition)}"
            rows = self.execute(sql, (*span, *condition.parameters)).fetchall()
            for at in packed:
                rows = [(*row[:at], unpack_any(row[at]), *row[at + 1 :]) for row in rows]
            found = self._passing[span] = []
            for test, names in zip(condition.tests, condition.columns, strict=True):
                places = [columns.index(name) + 1 for name in names.split(", ")]
                found.append([row[0] for row in rows if test(*[row[at] for at in places])])
        return found


def _relaxed(condition: Condition) -> str:
    """Write the condition so that every task that meets it meets this one without the tests."""
    sql = condition.sql
    for number, columns in enumerate(condition.columns):
        sql = sql.replace(
            f"passes{number}({columns})", "FALSE" if number in condition.denied else "TRUE"
        )
    return sql


class PostgresPlace:
    """See `database.Place`."""

    def __init__(self, url: str) -> None:
        """Take the URL apart. Raises NotPossible where psycopg is missing or the URL is none."""
        try:
            import psycopg
            from psycopg import conninfo
        except ImportError as error:
            raise NotPossible(
                f"A history in PostgreSQL needs psycopg, which is not installed: {error}.",
                hint="Install it: pip install 'celeryscope[postgres]'",
            ) from error
        self._url = url
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        try:
            self._given = conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            raise NotPossible(
                f"The URL of the history is none of PostgreSQL: {without_passwords(url)}",
                hint="It looks like postgresql://user:password@host:5432/name. Write special "
                "characters of the password as %40 and the like.",
            ) from None
        self.name = f"PostgreSQL at {_address(self._given)}"
        self._own_schema = "search_path" not in str(self._given.get("options", ""))

    def connect(self, *, writer: bool) -> PostgresConnection:
        import psycopg

        usual: dict[str, Any] = {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "celeryscope",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,  # milliseconds
        }
        chosen = {key: value for key, value in usual.items() if key not in self._given}
        connection = psycopg.connect(self._url, autocommit=True, **chosen)
        try:
            self._check(connection)
            _adapt(connection)
            db = PostgresConnection(connection)
            self._set_up(db, writer=writer)
        except BaseException:
            connection.close()
            raise
        return db

    def _check(self, connection: psycopg.Connection[Any]) -> None:
        version = connection.info.server_version
        if version < _OLDEST_VERSION:
            raise NotPossible(
                f"{self.name} is PostgreSQL {version // 10_000}; the history needs 12 or newer.",
                hint="Name a newer server.",
            )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise NotPossible(
                f"{self.name} keeps texts as {encoding}, which has no room for all characters.",
                hint="Make a database for it: createdb --encoding UTF8 --template template0 NAME",
            )

    def _set_up(self, db: PostgresConnection, *, writer: bool) -> None:
        import psycopg

        chosen = {**_SETTINGS, **({"search_path": SCHEMA} if self._own_schema else {})}
        parts = ", ".join(["set_config(?, ?, false)"] * len(chosen))
        db.execute(f"SELECT {parts}", [part for pair in chosen.items() for part in pair])
        if not self._own_schema:
            return
        known = "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ?"
        row = db.execute(known, (SCHEMA,)).fetchone()
        if row is not None and not row[0]:
            raise Unavailable(
                f"{self.name} does not let us use the schema {SCHEMA}, which somebody else made.",
                hint=f"Let our user: GRANT ALL ON SCHEMA {SCHEMA}, and on its tables; or name "
                "the user that made it.",
            )
        if writer and row is None:
            # Another console may make it at the same time.
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")

    def has_table(self, db: Database, name: str) -> bool:
        sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?"
        return db.execute(sql, (name,)).fetchone() is not None

    def is_foreign(self, db: Database) -> bool:
        sql = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        return bool(db.execute(sql).fetchone()[0]) and not self.has_table(db, "schema_version")

    def schema(self, statement: str) -> str:
        return schema_to_postgresql(statement)

    def take_time(self, db: Database) -> None:
        db.execute("SET LOCAL statement_timeout = 0")

    def size_bytes(self, db: Database) -> int:
        sql = (
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class AS c "
            "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
        )
        return int(db.execute(sql).fetchone()[0])

    def tell(self, error: BaseException) -> Trouble:
        import psycopg

        said = _said(error)
        state = getattr(error, "sqlstate", None) or ""
        if not state and isinstance(error, psycopg.OperationalError):
            state = next((code for words, code in _WORDS if words in said), "")
        # psycopg refuses some values itself, without a state.
        ours = state.startswith(_OURS) or isinstance(error, psycopg.DataError)
        for begin, meaning, hint in _SAID:
            if state.startswith(begin):
                stale = state.startswith(_STALE)
                return Trouble(f"{self.name} {meaning}: {said}.", hint, stale=stale)
        if not state and not ours:
            return Trouble(
                f"{self.name} cannot be reached: {said}.",
                "Check that it runs, and host, port and name in the URL. It is tried again.",
            )
        return Trouble(f"{self.name} says no: {said} ({state or 'psycopg'}).", ours=ours)


def _address(given: dict[str, Any]) -> str:
    """Write host and database as people do; without user and password."""
    host = str(given.get("host") or given.get("hostaddr") or "localhost")
    port = str(given.get("port") or "")
    where = f"{host}:{port}" if port not in ("", "5432") else host
    return f"{where}/{given.get('dbname') or given.get('user') or ''}"


def _said(error: BaseException) -> str:
    diagnosis = getattr(error, "diag", None)
    said = getattr(diagnosis, "message_primary", None) or str(error) or type(error).__name__
    said = without_passwords(" ".join(said.split())).rstrip(".?")
    # libpq tells address and port first, which stand in the name already.
    said = said.rpartition("FATAL: ")[2].rpartition(" failed: ")[2]
    said = said.partition(" Is the server running")[0].strip()
    return said if len(said) <= 300 else said[:299] + "…"


def _adapt(connection: psycopg.Connection[Any]) -> None:
    """Give and take values as SQLite does: whole numbers of 64 bits, True as 1, any text.

    A text of PostgreSQL has no NUL: events are without before, and whoever else writes one gets
    a replacement.
    """
    from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
    from psycopg.types.string import StrDumperUnknown

    class Number(NumericBinaryLoader):
        """A sum of whole numbers is one."""

        def load(self, data: Any) -> Any:
            value = super().load(data)
            return int(value) if value == value.to_integral_value() else float(value)

    class Flag(Int8BinaryDumper):
        def dump(self, obj: Any) -> Any:
            return super().dump(int(obj))

    class Text(StrDumperUnknown):
        def dump(self, obj: Any) -> Any:
            return super().dump(storable(obj))

    connection.adapters.register_dumper(str, Text)
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    connection.adapters.register_dumper(bool, Flag)
    connection.adapters.register_loader("numeric", Number)
