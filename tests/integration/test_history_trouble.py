"""A database that cannot be written: it is said, the live view goes on, and nothing is lost that
there is room for."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history.backup import copy_history
from celeryscope.history.reader import Reader
from celeryscope.history.store import History
from celeryscope.model.event import Event
from tests.integration.publishing import Traffic
from tests.integration.watching import Console, console
from tests.unit.history import lives

pytestmark = pytest.mark.timeout(120)


def until(true: Callable[[], object], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def some(count: int, *, seed: int = 1) -> list[list[Event]]:
    """Make the events of so many tasks."""
    dice = random.Random(seed)
    made = (list(lives.life(dice, number)) for number in range(2 * count))
    return [events for events in made if events][:count]


def told(history: History, tasks: Sequence[Sequence[Event]]) -> None:
    for events in tasks:
        history.write(lives.changes(list(events)))


def has(history: History, tasks: Sequence[Sequence[Event]]) -> list[bool]:
    return [history.task(events[0].uuid or "") is not None for events in tasks]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not take ten seconds until a locked file is called one, nor to try again."""
    monkeypatch.setattr("celeryscope.history.sqlite.BUSY_SECONDS", 0.02)
    monkeypatch.setattr("celeryscope.history.store._MOST_RETRY_SECONDS", 0.1)


# ---------------------------------------------------------------------- troubles of a file


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


@contextlib.contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """The whole directory, as when a volume is not mounted."""
    away = path.parent.with_name("away")
    path.parent.rename(away)
    yield
    away.rename(path.parent)


@contextlib.contextmanager
def directory_in_its_place(path: Path) -> Iterator[None]:
    for end in ("", "-wal", "-shm"):
        if (old := Path(f"{path}{end}")).exists():
            old.rename(f"{path}{end}.kept")
    path.mkdir()
    yield
    path.rmdir()
    for end in ("", "-wal", "-shm"):
        if (old := Path(f"{path}{end}.kept")).exists():
            old.rename(f"{path}{end}")


TROUBLES = {
    "locked": (locked, "is locked by another program"),
    "moved away": (moved_away, "cannot be opened"),
    "a directory": (directory_in_its_place, "cannot be opened"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_said_once_and_survived(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trouble, sentence = TROUBLES[name]
    path = tmp_path / "data" / "history.db"
    path.parent.mkdir()
    before, meanwhile, later = (some(20, seed=seed) for seed in (1, 2, 3))
    history = lives.opened(path, commit_seconds=0.01)
    told(history, before)
    history.flush()
    began = time.time()
    with trouble(path):
        until(lambda: nudged(history, meanwhile[0]) and history.trouble)
        told(history, meanwhile)
        assert history.trouble_since is not None
        assert began <= history.trouble_since <= time.time()
        assert sentence in (history.trouble or "")
        assert str(path) in (history.trouble or "")
        until(lambda: history.waiting >= sum(map(len, meanwhile)))
        with pytest.raises(Unavailable, match=sentence):
            history.flush(0.3)
    told(history, later)
    until(lambda: history.trouble is None)
    history.flush()
    assert history.trouble_since is None
    assert (history.waiting, history.dropped, history.refused) == (0, 0, 0)
    assert all(has(history, [*before, *meanwhile, *later]))
    history.close()
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([text for text in said if sentence in text]) == 1
    assert len([text for text in said if "written again" in text]) == 1
    again = lives.opened(path)
    assert all(has(again, [*before, *meanwhile, *later]))
    again.close()


def nudged(history: History, events: list[Event]) -> bool:
    """Write a task again: that changes nothing but that there is something to write."""
    history.write(lives.changes(events))
    return True


@pytest.mark.parametrize("name", TROUBLES)
def test_in_trouble_from_the_start_it_begins_all_the_same(name: str, tmp_path: Path) -> None:
    trouble, sentence = TROUBLES[name]
    path = tmp_path / "data" / "history.db"
    path.parent.mkdir()
    lives.opened(path).close()
    tasks = some(20)
    with trouble(path):
        history = lives.opened(path, commit_seconds=0.01)
        assert sentence in (history.trouble or "")
        told(history, tasks)
        with pytest.raises(Unavailable, match=sentence):
            history.task("a")
    history.flush()
    assert all(has(history, tasks))
    history.close()


def test_what_may_only_be_read_is_trouble(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    lives.opened(path).close()
    tasks = some(20)
    with as_somebody_else(path):
        history = lives.opened(path, commit_seconds=0.01)
        try:
            assert "may not be written" in (history.trouble or "")
            assert "permissions" in (history.trouble or "")
            told(history, tasks)
            assert history.waiting
        finally:
            path.chmod(0o666)
        until(lambda: history.trouble is None)
        history.flush()
        assert all(has(history, tasks))
        history.close()


@contextlib.contextmanager
def unwritable(directory: Path) -> Iterator[None]:
    us = os.geteuid()
    os.seteuid(os.getuid())
    directory.chmod(0o555)
    os.seteuid(us)
    yield
    os.seteuid(os.getuid())
    directory.chmod(0o755)
    os.seteuid(us)


def test_where_nothing_may_be_written_it_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "data #1?" / "history.db"
    path.parent.mkdir()
    history = lives.opened(path)
    told(history, some(20))
    history.close()
    with as_somebody_else(path), unwritable(path.parent):
        reader = Reader(path)
        assert reader.extent().tasks == 20
        copy_history(path, tmp_path / "copy.db")


@contextlib.contextmanager
def as_somebody_else(path: Path) -> Iterator[None]:
    """Let the file be read by everybody and written by nobody, and be nobody where we are root."""
    if os.geteuid() == 0:
        # pytest's own directories are closed to others.
        for directory in path.parents[:3]:
            directory.chmod(0o777)
        os.chown(path, 65_534, 65_534)
    path.chmod(0o444)
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_was_deleted_is_made_again_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history.db"
    before, after = some(10, seed=1), some(10, seed=2)
    history = lives.opened(path, commit_seconds=0.01)
    told(history, before)
    history.flush()
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    told(history, after)
    history.flush()
    assert "opened anew" in caplog.text
    assert all(has(history, after))
    assert not any(has(history, before))
    assert path.stat().st_mode & 0o077 == 0
    history.close()


@pytest.mark.parametrize("moved", [False, True])
def test_a_file_that_was_put_in_its_place_is_taken_up(tmp_path: Path, moved: bool) -> None:
    """And nothing of the old one comes into it, whose -wal still lies there."""
    path, backup = tmp_path / "history.db", tmp_path / "backup.db"
    kept, lost, after = (some(10, seed=seed) for seed in (1, 2, 3))
    other = lives.opened(backup)
    told(other, kept)
    other.close()
    history = lives.opened(path, commit_seconds=0.01)
    told(history, lost)
    history.flush()
    assert all(has(history, lost))
    assert Path(f"{path}-wal").stat().st_size
    if moved:
        path.rename(tmp_path / "old.db")
    backup.replace(path)
    told(history, after)
    history.flush()
    assert all(has(history, [*kept, *after]))
    assert not any(has(history, lost))
    history.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    if moved:
        old = lives.opened(tmp_path / "old.db")
        assert all(has(old, lost))
        old.close()


def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = lives.opened(path)
    told(history, some(300))
    history.close()
    whole = path.read_bytes()
    damaged = b"nonsense" * 512 + whole[4096:]
    path.write_bytes(damaged)
    with pytest.raises(NotPossible, match="damaged, or is no history") as refusal:
        lives.opened(path)
    assert "celeryscope restore" in refusal.value.hint
    assert path.read_bytes() == damaged


def test_a_fault_of_ours_is_trouble_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    history = lives.opened(tmp_path / "history.db", commit_seconds=0.01)
    history.flush()
    one, two = some(1, seed=1), some(1, seed=2)
    with monkeypatch.context() as patch:
        patch.setattr("celeryscope.history.blocks.seal", lambda _: 1 // 0)
        told(history, one)
        until(lambda: history.trouble)
        assert "a fault of Celeryscope" in (history.trouble or "")
        with pytest.raises(Unavailable, match="fault"):
            history.flush(0.5)
    told(history, two)
    history.flush()
    assert history.trouble is None
    assert has(history, [*one, *two]) == [True, True]
    assert history.refused == 0
    assert history.written == len(one[0]) + len(two[0])
    assert caplog.text.count("ZeroDivisionError") == 1
    history.close()


# ---------------------------------------------------------------------- no more room


def test_what_there_is_no_room_for_is_dropped_and_counted_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.history.store.MOST_WAITING", 100)
    path = tmp_path / "history.db"
    history = lives.opened(path, commit_seconds=0.01)
    history.flush()
    tasks = [Event("task-started", "w", 10.0 + n, uuid=f"task-{n}") for n in range(250)]
    with locked(path):
        for event in tasks:
            history.write(lives.changes([event]))
        until(lambda: history.trouble)
        until(lambda: history.waiting == 100)
        assert history.dropped == 150
    history.flush()
    assert has(history, [[event] for event in tasks]) == [False] * 150 + [True] * 100
    assert (history.written, history.dropped, history.waiting) == (100, 150, 0)
    history.close()


def test_long_texts_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celeryscope.history.store.MOST_WAITING_BYTES", 100_000)
    path = tmp_path / "history.db"
    history = lives.opened(path, commit_seconds=0.01)
    history.flush()
    with locked(path):
        for n in range(30):
            event = Event("task-failed", "w", 10.0 + n, uuid=f"task-{n}", traceback="x" * 20_000)
            history.write(lives.changes([event]))
        until(lambda: history.trouble)
        until(lambda: history.dropped == 26)
    history.flush()
    assert has(history, [[Event("", "", 0.0, uuid=f"task-{n}")] for n in range(25, 30)]) == [
        False, True, True, True, True,
    ]  # fmt: skip
    history.close()


def test_it_ends_although_it_cannot_write_and_counts_what_it_lost(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = lives.opened(path, commit_seconds=0.01)
    history.flush()
    with locked(path):
        told(history, tasks := some(5))
        until(lambda: history.trouble)
        history.close()
    assert history.dropped == sum(map(len, tasks))


# ---------------------------------------------------------------------- the real process


def figure(ours: Console, name: str) -> float:
    found = re.search(rf"^celeryscope_history_{name} (\S+)", ours.text("/metrics"), re.MULTILINE)
    assert found, name
    return float(found[1])


def limited(ours: Console, size: int | None) -> None:
    """Let no file of the process grow beyond a size: as when the disk is full, but for it alone."""
    _, hard = resource.prlimit(ours.process.pid, resource.RLIMIT_FSIZE)
    soft = resource.RLIM_INFINITY if size is None else size
    resource.prlimit(ours.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_the_live_view_goes_on_and_all_is_written_later(
    redis_server: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with console(redis_server, tmp_path, "--data-dir", str(data)) as ours:
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        with Traffic(redis_server, seed=5, events_per_second=300) as traffic:
            ours.until("/api/v1/history", lambda told: told["written"] > 100)
            assert figure(ours, "trouble") == 0
            limited(ours, (data / "history.db-wal").stat().st_size)
            trouble = ours.until("/api/v1/history", lambda told: told["trouble"])
            assert "disk" in trouble["trouble"]
            assert str(data) in trouble["trouble"]
            assert figure(ours, "trouble") == 1
            count = len(traffic.lives)
            until(lambda: len(traffic.lives) > count + 100)
            shown = traffic.done(traffic.events)[-1]
            ours.until(f"/api/v1/tasks/{shown.uuid}", lambda told: told.get("state") == shown.state)
            assert ours.get("/api/v1/history")["waiting"] > 100
            assert figure(ours, "events_waiting") > 100
            limited(ours, None)
            ours.until("/api/v1/history", lambda told: told["trouble"] is None)
        ours.until("/api/v1/history", lambda told: told["waiting"] == 0)
        assert figure(ours, "trouble") == figure(ours, "events_dropped_total") == 0
        log = ours.log.read_text()
        assert log.count("cannot be written") == 1
        assert log.count("written again") == 1
        assert "Traceback" not in log
    history = lives.opened(data / "history.db")
    done = traffic.done(traffic.events)
    assert len(done) > 50
    assert [history.task(one.uuid) is not None for one in done] == [True] * len(done)
    history.close()
