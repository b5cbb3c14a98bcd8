"""The history out as JSON Lines and Parquet, and in again."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celeryscope.errors import NotPossible
from celeryscope.history import blocks, parquet, transfer
from celeryscope.history.retention import Retention
from celeryscope.history.store import History
from celeryscope.history.transfer import Bad, Line, Report
from celeryscope.model.event import Event
from celeryscope.model.query import parse
from tests.unit.history import lives
from tests.unit.history.test_store import dump

T = lives.START
DAY = 86_400.0


@pytest.fixture
def full(tmp_path: Path) -> Iterator[History]:
    history = lives.opened(tmp_path / "full.db")
    history.write(lives.changes(lives.stream(1, 400)))
    history.write(lives.changes([Event("task-received", "w", T, uuid="né\ud800", name="a\0b")]))
    history.flush()
    yield history
    history.close()


def exported(history: History) -> bytes:
    lines: list[Line] = [transfer.head(), *transfer.tasks(history), *transfer.gaps(history)]
    return b"".join(map(transfer.encode, lines))


def taken_in(history: History, data: bytes) -> tuple[Report, list[Bad]]:
    bad: list[Bad] = []
    return transfer.take_in(history, transfer.lines(io.BytesIO(data)), bad=bad.append), bad


def test_what_goes_out_comes_in_again_and_twice_changes_nothing(
    full: History, tmp_path: Path
) -> None:
    data = exported(full)
    other = lives.opened(tmp_path / "other.db")
    (report, bad), (again, _) = taken_in(other, data), taken_in(other, data)
    other.close()
    assert (report.changed, bad) == (report.tasks, [])
    assert (again.tasks, again.changed) == (report.tasks, 0)
    assert dump(tmp_path / "other.db") == dump(tmp_path / "full.db")


def test_a_long_export_lets_go_of_the_database_and_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it goes on tasks change, and move to both ends of the table."""
    monkeypatch.setattr(transfer, "_HOLD_SECONDS", 0.0)
    monkeypatch.setattr(transfer, "_AT_ONCE", 20)
    for name, value in (("TASKS", 8), ("FEWEST", 4), ("SLACK", 16)):
        monkeypatch.setattr(blocks, name, value)
    history = lives.opened(tmp_path / "full.db")
    events = lives.stream(1, 150)
    history.write(lives.changes(events))
    history.flush()
    ids = list(dict.fromkeys(event.uuid or "" for event in events))
    now = T + 2 * DAY
    limits = {"max_age_seconds": DAY, "max_age_of": {"FAILURE": 0.0}}
    found: dict[str, str] = {}
    for number, line in enumerate(transfer.tasks(history)):
        found[line.id] = line.state
        if number == 40:  # of some that were given, and some that were not
            changed = [*ids[:5], *ids[100:105]]
            history.write(
                lives.changes([Event("task-failed", "w", now, uuid=uuid) for uuid in changed])
            )
            history.flush()
        if number == 60:
            Retention(history, clock=lambda: now, rest=0.0, **limits).prune()  # type: ignore[arg-type]
    with history.reading() as db:
        assert db.execute("SELECT min(seq) FROM task").fetchone()[0] < 0
    for uuid in ids:
        task = history.task(uuid)
        assert task is None or found[uuid] == task.state
    assert all(history.task(uuid) is not None for uuid in changed)
    history.close()


def test_parquet_loses_nothing_either(full: History, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    with path.open("wb") as file:
        count = parquet.write(file, transfer.tasks(full), done=lambda _: None)
    other = lives.opened(tmp_path / "other.db")
    report = transfer.take_in(other, parquet.read(path, done=lambda *_: None), bad=print)
    other.close()
    assert report.changed == count > 300
    assert dump(tmp_path / "other.db") == dump(tmp_path / "full.db")


def test_parquet_has_a_column_for_what_is_asked(full: History, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "out.parquet"
    with path.open("wb") as file:
        parquet.write(file, transfer.tasks(full), done=lambda _: None)
    rows = {row["id"]: row for row in pq.read_table(path).to_pylist()}
    for uuid, row in list(rows.items())[:100]:
        task = full.task(uuid)
        assert task is not None
        for field in ("state", "name", "worker", "queue", "client", "args", "kwargs", "runtime",
                      "wait", "retries"):  # fmt: skip
            assert row[field] == getattr(task, field), (uuid, field)
        assert row["at"].timestamp() == pytest.approx(task.state_at)
        assert row["exception"] == task.exception


def test_what_comes_in_late_joins_what_is_there(tmp_path: Path) -> None:
    """Halves of the same lives, in two histories, give the whole in either order."""
    events = lives.stream(2, 60)
    random.Random(1).shuffle(events)
    whole, one, other = (lives.opened(tmp_path / f"{name}.db") for name in ("whole", "a", "b"))
    for history, part in ((whole, events), (one, events[::2]), (other, events[1::2])):
        history.write(lives.changes(part))
        history.flush()
    from_one, from_other = exported(one), exported(other)
    taken_in(one, from_other)
    taken_in(other, from_one)
    for history in (whole, one, other):
        history.close()
    assert dump(tmp_path / "a.db") == dump(tmp_path / "whole.db") == dump(tmp_path / "b.db")


def test_those_that_match_go_out_alone(full: History) -> None:
    query = parse("state:failure name:*task_0*")
    found = [line.id for line in transfer.tasks(full, query, now=T)]
    wanted = full.search(query, now=T, limit=1000, sort="oldest").tasks
    assert found == [task.uuid for task in wanted]
    assert len(found) > 20


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "truncated"),
        (b"[]", "array"),
        (b'{"kind":"task"}', "id"),
        (b'{"kind":"nothing"}', "nothing"),
        (b'{"kind":"task","id":"x"}', "no events"),
        (b'{"kind":"task","id":"x","events":[{"at":1,"kind":"eaten"}]}', "'eaten'"),
        (b'{"kind":"task","id":"x","events":[{"at":%d,"kind":"sent"}]}' % 2**61, "no time"),
        (b'{"kind":"task","id":"x","events":[{"at":1.5,"kind":"sent"}]}', "int"),
        (b'{"kind":"task","id":"x","name":"%s","events":[{"at":1,"kind":"sent"}]}' % (b"n" * 10001),
         "10,001 characters"),
        (b'{"kind":"task","id":"x","events":[{"at":1,"kind":"sent","retries":-1}]}', "retries"),
        (b'{"kind":"task","id":"x","events":[' + b'[' * 5000, ""),
        (b'\xff\xfe', ""),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_told_and_the_others_come_in(
    tmp_path: Path, line: bytes, why: str
) -> None:
    good = b'{"kind":"task","id":"good-%d","events":[{"at":1,"kind":"sent"}]}\n'
    history = lives.opened(tmp_path / "h.db")
    report, bad = taken_in(history, good % 1 + line + b"\n" + good % 2)
    assert (report.tasks, report.bad, [one.number for one in bad]) == (2, 1, [2])
    assert why in bad[0].why
    assert history.task("good-2") is not None
    history.close()


def test_a_line_of_any_length_is_read_in_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MOST_LINE_BYTES", 1_000)
    good = b'{"kind":"task","id":"good","events":[{"at":1,"kind":"sent"}]}\n'
    history = lives.opened(tmp_path / "h.db")
    report, bad = taken_in(history, b"x" * 5_000 + b"\n" + good)
    assert (report.tasks, bad[0].number, len(bad)) == (1, 1, 1)
    history.close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    head = json.dumps({"kind": "celeryscope-history", "version": 2, "exported_at": 1}).encode()
    with pytest.raises(NotPossible, match="newer Celeryscope"):
        taken_in(history, head)
    history.close()


def test_what_comes_in_is_masked_and_cut(tmp_path: Path) -> None:
    events = [
        {"at": 1, "kind": "sent"},
        {"at": 2, "kind": "failed", "exception": "sesame", "traceback": "sesame" * 40},
        {"at": 3, "kind": "succeeded", "result": "sesame"},
    ]
    line = {"kind": "task", "id": "x", "name": "n", "args": "sesame", "kwargs": "k" * 50,
            "events": events}  # fmt: skip
    options: Any = {"mask": lambda text: text.replace("sesame", "***"), "max_text_chars": 40}
    history = lives.opened(tmp_path / "h.db", **options)
    taken_in(history, json.dumps(line).encode())
    task = history.task("x")
    history.close()
    assert task is not None
    assert (task.args, task.kwargs, task.truncated) == ("***", "k" * 40 + "…", True)
    for file in tmp_path.iterdir():
        assert b"sesame" not in file.read_bytes()


def test_without_arguments_none_come_in(tmp_path: Path) -> None:
    line = {"kind": "task", "id": "x", "name": "n", "args": "secret",
            "events": [{"at": 3, "kind": "succeeded", "result": "secret"}]}  # fmt: skip
    history = lives.opened(tmp_path / "h.db", keep_arguments=False)
    taken_in(history, json.dumps(line).encode())
    task = history.task("x")
    history.close()
    assert task is not None
    assert (task.args, task.result, task.state) == (None, None, "SUCCESS")


def test_gaps_go_along(full: History, tmp_path: Path) -> None:
    with full.writing() as db:
        db.execute(
            "INSERT INTO gap (console, kind, worker, start, stop, events, reason) "
            "VALUES ('c', 'disconnected', '', 1, 2, NULL, 'Redis was gone.')"
        )
    other = lives.opened(tmp_path / "other.db")
    data = exported(full)
    assert taken_in(other, data)[0].gaps == 1
    assert taken_in(other, data)[0].gaps == 0
    assert [gap.reason for gap in transfer.gaps(other)] == ["Redis was gone."]
    other.close()


def test_a_gap_that_is_none_is_told_and_the_others_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_AT_ONCE", 2)
    gap = {"kind": "gap", "console": "c", "what": "lost", "worker": "w", "start": 1, "stop": 2,
           "events": 3, "reason": "r"}  # fmt: skip
    wrong: list[dict[str, object]] = [{"reason": "r" * 20_000}, {"start": 2**61}, {"stop": 2**80}, {"events": 2**70},
             {"events": -1}, {"what": "unheard of"}]  # fmt: skip
    sound = [gap | {"start": start} for start in range(5)]
    data = b"\n".join(json.dumps(one).encode() for one in (*sound, *(gap | one for one in wrong)))
    history = lives.opened(tmp_path / "h.db")
    report, bad = taken_in(history, data)
    found = list(transfer.gaps(history))
    history.close()
    assert (report.gaps, report.bad, len(bad)) == (5, 6, 6)
    assert [one.start for one in found] == [0, 1, 2, 3, 4]


def test_parquet_of_others_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(NotPossible, match="no export of a history"):
        list(parquet.read(path, done=lambda *_: None))
    path.write_bytes(path.read_bytes()[:-20] + b"x" * 12)
    with pytest.raises(NotPossible, match="cannot be read"):
        list(parquet.read(path, done=lambda *_: None))
