"""Entries as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from celeryscope.audit.entry import Entry

COLUMNS: Final = (
    "seq", "time", "kind", "name", "role", "way", "address", "session", "token", "what", "workers",
    "subjects", "left_out", "arguments", "outcome", "detail", "action", "hash",
)  # fmt: skip

#: A spreadsheet would take a cell that begins so for a formula.
_FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")  # the wide ones, too
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def rows(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Give the lines of a table, the names of the columns first."""
    yield _line(COLUMNS)
    for entry in entries:
        yield _line([_cell(value) for value in _values(entry)])


def utc(at: float, *, timespec: str = "milliseconds") -> str:
    """Write a time, given in epoch seconds, as ISO 8601 in UTC."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):  # nobody's clock
        return str(at)


def _values(entry: Entry) -> list[str | int]:
    by, whom = entry.by, entry.whom
    workers = whom.workers if whom else None
    return [
        entry.seq,
        utc(entry.at),
        entry.kind,
        by.name,
        by.role,
        by.way,
        by.address,
        by.session,
        by.token,
        entry.what,
        " ".join(workers or ()),
        " ".join(whom.subjects) if whom else "",
        whom.left_out + whom.workers_left_out if whom else 0,
        msgspec.json.encode(entry.arguments).decode() if entry.arguments else "",
        entry.outcome,
        entry.detail,
        entry.action,
        entry.hash,
    ]


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    safe = f"'{value}" if value.startswith(_FORMULA) else value
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], safe)


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
