"""What is said to PostgreSQL and of it, without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.errors import NotPossible
from celeryscope.history import finding, search
from celeryscope.history.blocks import Block
from celeryscope.history.postgresql import PostgresConnection, PostgresPlace
from celeryscope.history.store import place_of
from celeryscope.model.query import parse
from tests.unit.history import lives

URL = "postgresql://me:geheim@db.example.com:6432/scope?sslmode=require"


@pytest.mark.parametrize("url", ["postgresql://[::1/x", "postgresql://u:geheim@[::1/x"])
def test_what_is_no_url_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(NotPossible, match="is none of PostgreSQL") as refused:
        lives.opened(url)
    assert "geheim" not in str(refused.value)


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(NotPossible, match="needs psycopg") as refused:
        lives.opened("postgresql://host/name")
    assert refused.value.hint == "Install it: pip install 'celeryscope[postgres]'"


def test_its_name_has_no_password() -> None:
    place = place_of("postgresql://me:geheim@db.example.com:6432/scope?sslmode=require")
    assert isinstance(place, PostgresPlace)
    assert place.name == "PostgreSQL at db.example.com:6432/scope"


def test_what_the_server_says_is_told_without_the_password() -> None:
    place = place_of(URL)
    said = f"connection failed: {URL}\nIs the server running?"
    trouble = place.tell(psycopg.OperationalError(said))
    assert "PostgreSQL at db.example.com:6432/scope cannot be reached" in trouble.sentence
    assert "geheim" not in trouble.sentence
    assert not trouble.ours


@pytest.mark.parametrize(
    ("error", "sentence", "ours", "stale"),
    [
        (psycopg.errors.DiskFull, "has no room left on its disk", False, False),
        (psycopg.errors.LockNotAvailable, "is written by another program", False, False),
        (psycopg.errors.ReadOnlySqlTransaction, "does not take writes", False, False),
        (psycopg.errors.AdminShutdown, "is shutting down", False, False),
        (psycopg.errors.UndefinedTable, "has lost a table", False, True),
        (psycopg.errors.DeadlockDetected, "says no", False, False),
        (psycopg.errors.NumericValueOutOfRange, "says no", True, False),
        (psycopg.errors.UniqueViolation, "says no", True, False),
        (psycopg.DataError, "says no", True, False),
        (psycopg.InterfaceError, "cannot be reached", False, False),
    ],
)
def test_each_error_is_told_for_people(
    error: type[psycopg.Error], sentence: str, ours: bool, stale: bool
) -> None:
    trouble = place_of(URL).tell(error("said"))
    assert trouble.sentence.startswith(f"PostgreSQL at db.example.com:6432/scope {sentence}")
    assert (trouble.ours, trouble.stale, trouble.final) == (ours, stale, False)


class Scripted:
    """A connection of psycopg that answers what it is told to, and notes what it was asked."""

    def __init__(self, *answers: list[tuple[Any, ...]]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, list[Any]]] = []

    def cursor(self, *, binary: bool) -> Any:
        assert binary
        return SimpleNamespace(execute=self.execute, fetchall=lambda: self.answers.pop(0))

    def execute(self, sql: bytes, parameters: list[Any]) -> None:
        self.asked.append((sql.decode(), list(parameters)))


def test_tests_are_made_here_and_the_server_is_told_who_passed() -> None:
    query = parse("runtime:>1s -retry timeout name:*")
    condition = search.compile(query, 1_000.0, {"name": {9: "a.b"}})
    texts = ("id", None, None, None)
    answer = [
        (1, b"x" * 16, *texts[1:], "Timeout(1)", None),
        (2, b"x" * 16, *texts[1:], "Retry('timeout')", None),
    ]
    scripted = Scripted(answer)
    db = PostgresConnection(scripted)  # type: ignore[arg-type]
    db.arm(condition)
    statement = f"SELECT t.seq FROM task AS t WHERE t.seq BETWEEN ? AND ? AND {condition.sql}"  # noqa: S608
    statement += " LIMIT ?"
    for _ in range(2):
        db.execute(statement, (10, 20, *condition.parameters, 5))
    (first, given), (second, told), third = scripted.asked  # the rows are read once
    assert third == (second, told)
    assert "passes" not in first + second
    assert first.count("%s") == len(given)
    assert second.count("%s") == len(told)
    assert given == [10, 20, *condition.parameters]
    assert [one for one in told if not isinstance(one, list)] == [
        10, 20, *condition.parameters, 5,
    ]  # fmt: skip
    # Whose texts have "retry", and "timeout"; then the same of tracebacks, of which there are none.
    lists = [one for one in told if isinstance(one, list)]
    assert sorted(lists) == [[], [], [1, 2], [2]]


@st.composite
def candidates(draw: st.DrawFn) -> list[Block]:
    """Blocks in some order, mostly that of their places, with some left out."""
    whole = [
        Block(n, n * 8, n * 8 + 7, n, n + 3, n % 4, None if n % 3 else n, None, None, 0, n % 5, n)
        for n in range(40)
    ]
    some = draw(st.lists(st.sampled_from(whole), unique=True, max_size=40))
    ordered = sorted(some, key=lambda block: block.id, reverse=draw(st.booleans()))
    return ordered if draw(st.booleans()) else some


@given(blocks=candidates())
def test_neighbours_are_asked_together_and_no_other_row_is(blocks: list[Block]) -> None:
    runs = list(finding._in_runs(iter(blocks)))

    def rows(some: list[Block]) -> Iterator[int]:
        return (seq for block in some for seq in range(block.first, block.last + 1))

    assert sorted(rows(runs)) == sorted(rows(blocks))
    parts = {seq: block for block in blocks for seq in range(block.first, block.last + 1)}
    for run in runs:
        of = [parts[seq] for seq in range(run.first, run.last + 1)]
        assert run.newest == max(block.newest for block in of)
        assert run.oldest == min(block.oldest for block in of)
        runtimes = [block.max_runtime for block in of if block.max_runtime is not None]
        assert run.max_runtime == max(runtimes, default=None)
    sizes = [run.last - run.first + 1 for run in runs]
    assert all(size <= 2 * sum(sizes[: n + 1]) for n, size in enumerate(sizes[1:]))
    assert len(runs) <= len(blocks)
    assert all(one.first != other.first for one, other in pairwise(runs))
