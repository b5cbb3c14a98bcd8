"""Entries as a table: a row each, and none that a spreadsheet or a terminal would obey."""

from __future__ import annotations

import csv
import io
import json

import pytest

from celeryscope.audit.entry import By, Entry, Whom
from celeryscope.audit.table import COLUMNS, rows, utc


def entry(text: str) -> Entry:
    return Entry(
        seq=1,
        at=1_795_000_001.5,
        kind="command",
        by=By(name=text, role=text, way=text, address=text, session=text, token=text),
        what=text,
        whom=Whom(workers=(text, "web2"), subjects=(text,), left_out=3, workers_left_out=4),
        arguments={"=1": text},
        outcome=text,
        detail=f'{text}, "quoted"\nnext line',
        action=text,
        prev="0" * 64,
        hash="f" * 64,
    )


NASTY = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1", "\x1b[31m", "\x9b", "\u2028")


@pytest.mark.parametrize("nasty", NASTY)
def test_no_cell_begins_a_formula_or_has_a_control_character(nasty: str) -> None:
    written = b"".join(rows([entry(nasty)])).decode()
    assert written.count("\n") == written.count("\r\n") == 2
    assert written.replace("\r\n", "").isprintable()
    (row,) = csv.DictReader(io.StringIO(written, newline=""))
    assert tuple(row) == COLUMNS
    assert not any(cell[0] in "=+-@\t\r\n\uff1d" for cell in row.values())


def test_a_row_has_all_that_is_known() -> None:
    written = b"".join(rows([entry("ada")])).decode()
    (row,) = csv.DictReader(io.StringIO(written, newline=""))
    assert (row["seq"], row["time"], row["kind"]) == ("1", "2026-11-18T11:06:41.500Z", "command")
    assert (row["workers"], row["subjects"], row["left_out"]) == ("ada web2", "ada", "7")
    assert row["detail"] == 'ada, "quoted"\\nnext line'
    assert json.loads(row["arguments"]) == {"=1": "ada"}
    assert row["hash"] == "f" * 64


def test_a_time_that_no_calendar_has_is_its_number() -> None:
    assert utc(1e300) == "1e+300"
    assert utc(0.0, timespec="seconds") == "1970-01-01T00:00:00Z"
