"""Results in a database: Celery's own table, and the one of django-celery-results.

Read with SQLAlchemy as plain columns, never through Celery's or Django's models: Celery's backend
makes tables and columns when it is opened, and unpickles what it does not understand. A result
that was stored as JSON is read, also where an older Celery has put these bytes into a pickle: one
that consists of bytes alone is taken apart without running it.
"""

from __future__ import annotations

import importlib
import pickletools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from kombu.exceptions import ContentDisallowed

from celeryscope.errors import NotPossible, Unavailable, without_passwords

CELERY_TABLE: Final = "celery_taskmeta"
DJANGO_TABLE: Final = "django_celery_results_taskresult"
_COLUMNS: Final = {
    CELERY_TABLE: {
        "status": "status", "result": "result", "date_done": "date_done",
        "traceback": "traceback", "name": "name", "worker": "worker", "retries": "retries",
    },
    DJANGO_TABLE: {
        "status": "status", "result": "result", "date_done": "date_done",
        "traceback": "traceback", "task_name": "name", "worker": "worker",
        "content_type": "content_type", "content_encoding": "content_encoding",
    },
}  # fmt: skip
#: Operations of a pickle that holds bytes and nothing else.
_HARMLESS: Final = frozenset(
    {"PROTO", "FRAME", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "MEMOIZE", "BINPUT",
     "LONG_BINPUT", "STOP"}
)  # fmt: skip
_MAX_RESULT_BYTES: Final = 4 * 1024 * 1024
_CONNECT_SECONDS: Final = 5


class ResultTable:
    """The results in one database.

    Raises NotPossible where it cannot be opened at all, Unavailable where it has no such table.

    `url` is SQLAlchemy's, or Celery's with "db+" in front. `table` and `schema` are those of
    Celery's results, where they have other names than usual.
    """

    serializer = "json"

    def __init__(
        self,
        url: str,
        *,
        table: str | None = None,
        schema: str | None = None,
        engine_options: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            import sqlalchemy
        except ImportError:
            raise NotPossible(
                "Results in a database are read with SQLAlchemy, which is not installed.",
                hint="pip install SQLAlchemy, and the driver of the database, beside Celeryscope.",
            ) from None
        self._sql = sqlalchemy
        options = {
            name: value
            for name, value in (engine_options or {}).items()
            if not name.startswith("pool") and name not in ("max_overflow", "echo_pool")
        }
        try:
            self._engine = sqlalchemy.create_engine(
                url.removeprefix("db+").removeprefix("sqla+"),
                poolclass=sqlalchemy.pool.NullPool,
                **options,
            )
        except (ImportError, sqlalchemy.exc.ArgumentError) as error:
            raise NotPossible(
                f"The database of results cannot be opened: {without_passwords(str(error))}",
                hint="Install its driver beside Celeryscope, or correct --result-backend.",
            ) from error
        self._named = (table or CELERY_TABLE, schema)
        self._known: tuple[Any, Mapping[str, str]] | None = None

    def get_task_meta(self, task_id: str, cache: bool = False) -> dict[str, Any]:
        """Give what there is of one task, as Celery's backends do.

        Raises ContentDisallowed for a result that is pickled.
        """
        meta = self.metas([task_id]).get(task_id)
        if meta is None:
            return {"status": "PENDING", "result": None}
        if meta.get("pickled"):
            raise ContentDisallowed("pickled")
        return meta

    def metas(self, task_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Give what there is of some tasks; of those that the table has."""
        table, columns = self._table()
        sql = self._sql
        wanted = [table.c.task_id, *(table.c[name] for name in columns)]
        query = sql.select(*wanted).where(table.c.task_id.in_(list(task_ids)))
        with self._engine.connect() as connection:
            found = connection.execute(query).fetchall()
        return {
            str(task_id): to_meta(dict(zip(columns.values(), values, strict=True)))
            for task_id, *values in found
        }

    def _table(self) -> tuple[Any, Mapping[str, str]]:
        """Find the table, and which of the columns it has."""
        if self._known is None:
            sql = self._sql
            file = self._engine.url.database
            if self._engine.dialect.name == "sqlite" and file and not Path(file).exists():
                # (To connect would make one.)
                raise Unavailable(f"There is no database of results in {file}.")
            inspector = sql.inspect(self._engine)
            name, schema = self._named
            for candidate, within in ((name, schema), (DJANGO_TABLE, None)):
                if inspector.has_table(candidate, schema=within):
                    break
            else:
                raise Unavailable(
                    f"The database of results has neither a table {name} nor {DJANGO_TABLE}.",
                    hint="Is it the database that the workers write their results to?",
                )
            there = {column["name"] for column in inspector.get_columns(candidate, schema=within)}
            kind = DJANGO_TABLE if candidate == DJANGO_TABLE else CELERY_TABLE
            columns = {column: field for column, field in _COLUMNS[kind].items() if column in there}
            types = {"date_done": sql.DateTime()}
            table = sql.table(
                candidate,
                sql.column("task_id"),
                *(sql.column(column, types.get(column)) for column in columns),
                schema=within,
            )
            self._known = (table, columns)
        return self._known


def to_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make of a row what Celery's backends tell of a task; `pickled` where it cannot be read."""
    meta = {name: value for name, value in row.items() if not name.startswith("content_")}
    kind = row.get("content_type")
    if kind not in (None, "application/json") or row.get("content_encoding") == "binary":
        return meta | {"result": None, "pickled": kind == "application/x-python-serialize"}
    raw = row.get("result")
    if raw is None:
        return meta
    data = raw.encode("utf-8", "replace") if isinstance(raw, str) else bytes(raw)
    if len(data) > _MAX_RESULT_BYTES:
        return meta | {"result": None}
    plain = unwrapped(data)
    if plain is None:
        return meta | {"result": None, "pickled": True}
    try:
        return meta | {"result": msgspec.json.decode(plain)}
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return meta | {"result": None}


def unwrapped(data: bytes) -> bytes | None:
    """Give bytes as they are, or out of a pickle of nothing but bytes; None: it is another pickle.

    Nothing is unpickled: the pickle's operations are read, as `pickletools` does.
    """
    if not data.startswith(b"\x80"):
        return data
    found: bytes | None = None
    try:
        for operation, argument, _ in pickletools.genops(data):
            if operation.name not in _HARMLESS:
                return None
            if "BINBYTES" in operation.name:
                if found is not None:
                    return None
                found = argument
    except Exception:  # noqa: BLE001 - it raises all kinds of exceptions for what is no pickle
        return None
    return found


def django_metas(model: Any, task_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The same through Django's model of these results, without Celery's decoding."""
    # (It is there where its model is.)
    close_old_connections = importlib.import_module("django.db").close_old_connections
    columns = _COLUMNS[DJANGO_TABLE]
    close_old_connections()
    try:
        found = model._default_manager.filter(task_id__in=list(task_ids))
        rows = list(found.values("task_id", *columns))
    finally:
        close_old_connections()
    return {
        row["task_id"]: to_meta({field: row[column] for column, field in columns.items()})
        for row in rows
    }
