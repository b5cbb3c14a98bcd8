"""Tasks as a file: CSV for spreadsheets, a JSON array, or JSON Lines. Pure.

A file that could not be finished says so at its end: a line that is no task.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

import msgspec

from celeryscope.web.api.console import TaskRow

Format = Literal["csv", "json", "jsonl"]

#: Media type and file name, by format.
FORMATS: Final[Mapping[Format, tuple[str, str]]] = {
    "csv": ("text/csv; charset=utf-8", "celeryscope-tasks.csv"),
    "json": ("application/json", "celeryscope-tasks.json"),
    "jsonl": ("application/jsonl", "celeryscope-tasks.jsonl"),
}

#: Of a CSV file; times are ISO 8601 in UTC, durations seconds.
COLUMNS: Final = (
    "uuid", "name", "state", "state_at", "worker", "queue", "client", "sent", "received",
    "started", "finished", "wait", "runtime", "retries", "args", "kwargs", "result", "exception",
    "root_id", "parent_id", "truncated", "fetched",
)  # fmt: skip
_TIMES: Final = frozenset({"state_at", "sent", "received", "started", "finished"})
#: A spreadsheet would take a cell that begins so for a formula; the wide ones, too.
_FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class ExportedTask(TaskRow, frozen=True, kw_only=True):
    """A task in a file: as in a list, and its family."""

    root_id: str | None
    parent_id: str | None
    truncated: bool  # some text was longer than we keep


class File(Protocol):
    """A file that is written piece by piece: its head, tasks, and its tail or why it is cut."""

    def head(self) -> bytes: ...
    def tasks(self, tasks: Iterable[ExportedTask]) -> bytes: ...
    def tail(self) -> bytes: ...
    def cut(self, why: str) -> bytes: ...


def file_of(format: Format) -> File:
    """Give the writer of a format, for one file."""
    makers: dict[Format, Callable[[], File]] = {
        "csv": Csv, "json": JsonArray, "jsonl": JsonLines,
    }  # fmt: skip
    return makers[format]()


class Csv:
    """RFC 4180, with a header; what a spreadsheet would run is defused by an apostrophe."""

    def head(self) -> bytes:
        return _line(COLUMNS)

    def tasks(self, tasks: Iterable[ExportedTask]) -> bytes:
        return b"".join(
            _line([_cell(name, getattr(task, name)) for name in COLUMNS]) for task in tasks
        )

    def tail(self) -> bytes:
        return b""

    def cut(self, why: str) -> bytes:
        return _line([_safe(f"NOT ALL: {why}")])


class JsonLines:
    """A task a line, as in the API."""

    def head(self) -> bytes:
        return b""

    def tasks(self, tasks: Iterable[ExportedTask]) -> bytes:
        return b"".join(msgspec.json.encode(task) + b"\n" for task in tasks)

    def tail(self) -> bytes:
        return b""

    def cut(self, why: str) -> bytes:
        return msgspec.json.encode({"error": why}) + b"\n"


class JsonArray:
    """An array of tasks, one a line."""

    def __init__(self) -> None:
        self._between = b"\n"

    def head(self) -> bytes:
        return b"["

    def tasks(self, tasks: Iterable[ExportedTask]) -> bytes:
        return b"".join(map(self._item, tasks))

    def tail(self) -> bytes:
        return b"\n]\n"

    def cut(self, why: str) -> bytes:
        return self._item({"error": why}) + self.tail()

    def _item(self, told: Any) -> bytes:
        before, self._between = self._between, b",\n"
        return before + msgspec.json.encode(told)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _TIMES:
        return iso(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _safe(value) if isinstance(value, str) else f"{value}"


def iso(at: float) -> str:
    """Write a time, given in epoch seconds, as ISO 8601 in UTC."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):  # nobody's clock
        return str(at)


def _safe(text: str) -> str:
    safe = f"'{text}" if text.startswith(_FORMULA) else text
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], safe)


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode("utf-8", "backslashreplace")
