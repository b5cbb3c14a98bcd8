"""`GET /api/v1/audit`: entries for people, filtered; and as a file."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from starlette.datastructures import QueryParams

from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail
from celeryscope.errors import BadArgument
from celeryscope.web.api.audit import (
    EXPORTS,
    AuditPage,
    AuditQuery,
    ExportQuery,
    audit,
    export,
)
from celeryscope.web.api.query import parse

NOW = 1_795_000_100.0
ADA = By(name="ada", role="admin", way="token", address="10.0.0.7", token="deploy")
BOB = By(name="bob", way="password")


@pytest.fixture
def services(tmp_path: Path) -> Any:
    """Services with a trail of six entries, a second apart."""
    at = iter(range(1_795_000_001, 1_795_000_100))
    trail = Trail(tmp_path / "audit", clock=lambda: float(next(at)))
    trail.write(kind="login", by=ADA, what="log in", outcome="done")
    trail.write(
        kind="command",
        by=ADA,
        what="revoke",
        workers=["celery@web1"],
        subjects=["t1", "t2"],
        arguments={"terminate": True},
        outcome="asked",
        action="x1",
    )
    trail.write(kind="outcome", by=ADA, what="revoke", outcome="done", action="x1")
    trail.write(kind="login failed", by=BOB, what="log in", outcome="denied")
    trail.write(kind="denied", by=BOB, what="'shutdown'", outcome="denied")
    trail.write(kind="token", by=ADA, what="token created", subjects=["=deploy"])
    return SimpleNamespace(clock=lambda: NOW, door=SimpleNamespace(trail=trail))


def asked(services: Any, query: str = "") -> AuditPage:
    """Ask as a client does, and read the answer as one."""
    told = audit(services, {}, parse(AuditQuery, QueryParams(query)))
    return msgspec.json.decode(msgspec.json.encode(told), type=AuditPage)


def test_entries_come_with_all_that_is_known_the_newest_first(services: Any) -> None:
    page = asked(services)
    assert [entry.seq for entry in page.entries] == [6, 5, 4, 3, 2, 1]
    assert (page.now, page.next, page.unreadable) == (NOW, None, 0)
    assert (page.error, page.unwritten, page.kept) == (None, 0, True)
    entry = page.entries[4]
    assert (entry.at, entry.kind, entry.what) == (1_795_000_002.0, "command", "revoke")
    assert (entry.by.name, entry.by.role, entry.by.token) == ("ada", "admin", "deploy")
    assert entry.whom is not None
    assert (entry.whom.workers, entry.whom.subjects) == (["celery@web1"], ["t1", "t2"])
    assert entry.arguments == {"terminate": True}
    assert (entry.outcome, entry.action) == ("asked", "x1")
    assert entry.prev == page.entries[5].hash
    assert page.entries[5].whom is None


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("who=ADA", [6, 3, 2, 1]),
        ("what=log", [4, 1]),
        ("whom=web1", [2]),
        ("kind=login&kind=login+failed", [4, 1]),
        ("outcome=denied", [5, 4]),
        ("since=1795000003&until=1795000005", [4, 3]),
        ("text=deploy", [6, 3, 2, 1]),
        ("action=x1", [3, 2]),
        ("limit=2", [6, 5]),
        ("limit=2&before=5", [4, 3]),
        ("before=1", []),
    ],
)
def test_only_what_is_asked_for_is_told(services: Any, query: str, seen: list[int]) -> None:
    assert [entry.seq for entry in asked(services, query).entries] == seen


def test_the_next_page_begins_where_this_one_ended(services: Any) -> None:
    seen: list[int] = []
    page = asked(services, "limit=4")
    seen += [entry.seq for entry in page.entries]
    assert page.next == 3
    page = asked(services, f"limit=4&before={page.next}")
    assert [*seen, *(entry.seq for entry in page.entries)] == [6, 5, 4, 3, 2, 1]
    assert page.next is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "before=0", "kind=nonsense", "since=x", "who=" + "x" * 201, "page=2"],
)
def test_what_cannot_be_asked_is_refused(services: Any, query: str) -> None:
    with pytest.raises(BadArgument):
        asked(services, query)


def test_a_trail_that_is_in_the_log_only_says_so() -> None:
    services: Any = SimpleNamespace(clock=lambda: NOW, door=SimpleNamespace(trail=Trail(None)))
    page = asked(services)
    assert (page.entries, page.kept) == ([], False)


def test_a_trail_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    trail = Trail(tmp_path / "file")
    trail.write(kind="login", by=ADA, what="log in")
    services: Any = SimpleNamespace(clock=lambda: NOW, door=SimpleNamespace(trail=trail))
    (tmp_path / "file").unlink()
    page = asked(services)
    assert page.unwritten == 1
    assert "cannot be written since" in (page.error or "")


def test_it_is_exported_as_lines_and_as_a_table(services: Any) -> None:
    def told(query: str) -> bytes:
        return b"".join(export(services, parse(ExportQuery, QueryParams(query))))

    lines = [json.loads(line) for line in told("").splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    lines = [json.loads(line) for line in told("format=jsonl&who=bob").splitlines()]
    assert [line["seq"] for line in lines] == [4, 5]
    table = told("format=csv&kind=token").decode()
    (row,) = csv.DictReader(io.StringIO(table, newline=""))
    assert (row["seq"], row["subjects"]) == ("6", "'=deploy")


def test_every_format_has_a_media_type_and_a_name(services: Any) -> None:
    for name in EXPORTS:
        assert list(export(services, parse(ExportQuery, QueryParams(f"format={name}"))))
    with pytest.raises(BadArgument):
        parse(ExportQuery, QueryParams("format=xlsx"))
