"""Entries are added, read and exported, whatever the disk does."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celeryscope.audit import appender, files, trail
from celeryscope.audit.entry import CONSOLE, NOTHING, By, Entry, Kind, entry_of, is_whole
from celeryscope.audit.filter import Filter
from celeryscope.audit.trail import Trail
from celeryscope.audit.verify import verify
from celeryscope.errors import Unavailable
from celeryscope.model.actor import Actor

ADA = Actor(name="ada", role="admin", way="password", address="10.0.0.7", session="s1")
BOB = By(name="bob")
ALL = Filter()


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def make(directory: Path, **options: Any) -> Trail:
    return Trail(directory, clock=options.pop("clock", None) or Clock(), **options)


def write(ours: Trail, what: str = "revoke", kind: Kind = "command", **said: Any) -> None:
    ours.write(kind=kind, by=said.pop("by", ADA), what=what, **said)


def lines(directory: Path) -> list[bytes]:
    found = files.segments(directory)
    return [line for it in found for line in it.path.read_bytes().splitlines()]


def entries(directory: Path) -> list[Entry]:
    return [entry_of(line) for line in lines(directory)]


def whats(directory: Path) -> list[str]:
    return [entry.what for entry in entries(directory)]


# ---------------------------------------------------------------------- writing


def test_entries_are_a_chain_from_nothing(tmp_path: Path) -> None:
    ours = make(tmp_path / "data" / "audit")
    for number in range(3):
        write(ours, f"w{number}")
    written = lines(tmp_path / "data" / "audit")
    first, second, third = (entry_of(line) for line in written)
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert [first.prev, second.prev, third.prev] == [NOTHING, first.hash, second.hash]
    assert all(is_whole(line, entry_of(line).hash) for line in written)
    assert (ours.error, ours.unwritten) == (None, 0)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(make(tmp_path / "data" / "audit"))
    finally:
        os.umask(before)
    directory = tmp_path / "data" / "audit"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert directory.parent.stat().st_mode & 0o777 == 0o700
    assert {it.name for it in directory.iterdir()} == {"audit-000001.jsonl", "head.json", "lock"}
    assert all(it.stat().st_mode & 0o777 == 0o600 for it in directory.iterdir())


def test_nothing_is_made_before_the_first_entry(tmp_path: Path) -> None:
    ours = make(tmp_path / "audit")
    assert ours.read(ALL).entries == []
    assert list(ours.export(ALL)) == []
    assert b"".join(ours.export_csv(ALL)).startswith(b"seq,time,kind,")
    assert not (tmp_path / "audit").exists()


def test_the_next_process_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    for number in range(4):
        write(make(tmp_path), f"w{number}")
    assert [entry.seq for entry in entries(tmp_path)] == [1, 2, 3, 4]
    assert verify(tmp_path).problems == []


def test_two_that_write_in_turns_make_one_chain(tmp_path: Path) -> None:
    one, other = make(tmp_path, segment_bytes=4_000), make(tmp_path, segment_bytes=4_000)
    for number in range(30):
        write(one if number % 3 else other, f"w{number}")
    verdict = verify(tmp_path)
    assert verdict.problems == []
    assert verdict.segments > 3
    asked = [what for what in whats(tmp_path) if what != appender.SEGMENT_BEGUN]
    assert asked == [f"w{number}" for number in range(30)]


def test_threads_of_one_process_make_one_chain(tmp_path: Path) -> None:
    ours = make(tmp_path)

    def many() -> None:
        for _ in range(15):
            write(ours)

    threads = [threading.Thread(target=many) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    verdict = verify(tmp_path)
    assert (verdict.problems, verdict.entries) == ([], 90)


def test_a_full_file_is_left_and_the_next_says_that_it_begins(tmp_path: Path) -> None:
    ours = make(tmp_path, segment_bytes=2_000)
    for number in range(12):
        write(ours, f"w{number}")
    found = files.segments(tmp_path)
    assert len(found) > 2
    assert all(it.path.stat().st_size <= 2_000 for it in found)
    for place in found[1:]:
        first = entry_of(place.path.read_bytes().splitlines()[0])
        assert (first.kind, first.what, first.by) == ("console", "segment begun", CONSOLE)
    assert verify(tmp_path).problems == []


def test_an_entry_larger_than_a_file_may_be_gets_one_of_its_own(tmp_path: Path) -> None:
    ours = make(tmp_path, segment_bytes=100)
    for _ in range(3):
        write(ours)
    assert len(files.segments(tmp_path)) == 3
    assert verify(tmp_path).problems == []


def test_a_next_file_that_a_crash_left_empty_is_begun(tmp_path: Path) -> None:
    write(make(tmp_path))
    files.segment(tmp_path, 2).path.touch()
    write(make(tmp_path))
    assert whats(tmp_path) == ["revoke", "segment begun", "revoke"]
    assert verify(tmp_path).problems == []


def test_without_a_directory_entries_are_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    ours = Trail(None)
    with caplog.at_level(logging.INFO, "celeryscope.audit"):
        write(ours)
    assert not ours.kept
    assert (ours.error, ours.unwritten) == (None, 0)
    assert ours.read(ALL) == trail.Page(entries=[], next=None)
    assert list(ours.export(ALL)) == []
    entry = entry_of(caplog.messages[0].encode())
    assert (entry.seq, entry.prev, entry.what) == (0, "", "revoke")


def test_the_log_has_each_entry_as_the_line_of_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "celeryscope.audit"):
        write(make(tmp_path), "a\nb\x1b")
        write(make(tmp_path))
    ours = [it for it in caplog.records if it.name == "celeryscope.audit"]
    assert [it.getMessage().encode() for it in ours] == lines(tmp_path)
    assert [it.levelname for it in ours] == ["INFO", "INFO"]
    assert [vars(it)["audit"] for it in ours] == [it.getMessage() for it in ours]


def test_what_cannot_be_made_an_entry_is_counted_and_raises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = make(tmp_path)
    write(ours, subjects=7)  # somebody's mistake
    assert ours.unwritten == 1
    assert ours.error is not None
    assert "TypeError" in ours.error
    assert "cannot be made" in caplog.text
    write(ours)
    assert ours.error is None
    assert whats(tmp_path) == ["entries not kept", "revoke"]


# ---------------------------------------------------------------------- the disk fails


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """A disk that is full while the list is not empty; half of what is written is taken."""
    state: list[bool] = []
    real = os.write

    def fake(descriptor: int, data: bytes) -> int:
        if state:
            real(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", fake)
    yield state
    state.clear()


def test_a_full_disk_is_told_counted_and_leaves_the_chain_whole(
    tmp_path: Path, full: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    ours = make(tmp_path)
    write(ours, "before")
    full.append(True)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        write(ours, "lost 1")
        write(ours, "lost 2")
    assert ours.unwritten == 2
    assert ours.error == (
        f"The audit trail in {tmp_path} cannot be written since 2026-11-18T11:06:42Z: "
        "No space left on device. 2 entries are in the log only."
    )
    logged = [it.getMessage() for it in caplog.records if it.name == "celeryscope.audit"]
    assert [json.loads(it)["what"] for it in logged] == ["lost 1", "lost 2"]
    told = [it for it in caplog.records if it.name == "celeryscope.trail"]
    assert [it.levelname for it in told] == ["ERROR"]  # once, not for each
    assert whats(tmp_path) == ["before"]
    assert verify(tmp_path).problems == []
    full.clear()
    write(ours, "after")
    assert ours.unwritten == 2
    assert whats(tmp_path) == ["before", "entries not kept", "after"]
    gap = entries(tmp_path)[1]
    assert (gap.kind, gap.arguments["count"]) == ("console", 2)
    assert "2 entries from 2026-11-18T11:06:42Z on" in gap.detail
    assert "No space left on device" in gap.detail
    assert verify(tmp_path).problems == []


def test_a_write_that_is_cut_short_without_an_error_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = make(tmp_path)
    write(ours, "before")
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        write(ours, "lost")
    assert ours.unwritten == 1
    assert "only 10 of" in (ours.error or "")
    assert whats(tmp_path) == ["before"]
    write(ours, "after")
    assert verify(tmp_path).problems == []


def test_a_disk_that_cannot_be_synced_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = make(tmp_path)

    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync", broken)
        write(ours, "lost")
    assert "Input/output error" in (ours.error or "")
    write(ours, "after")
    assert whats(tmp_path) == ["entries not kept", "after"]
    assert verify(tmp_path).problems == []


def test_a_directory_that_cannot_be_made_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ours = make(tmp_path / "file" / "audit")
    write(ours)
    assert ours.unwritten == 1
    assert f"{tmp_path / 'file' / 'audit'}: Not a directory" in (ours.error or "")
    assert "An entry is in the log only" in (ours.error or "")


def test_a_head_that_cannot_be_written_is_told_and_the_entry_is_kept(
    tmp_path: Path,
) -> None:
    ours = make(tmp_path)
    (tmp_path / "head.json").mkdir()
    (tmp_path / "head.json" / "full").touch()
    # read as a head, too: a directory there is an error
    write(ours)
    assert ours.unwritten == 1
    (tmp_path / "head.json" / "full").unlink()
    (tmp_path / "head.json").rmdir()
    (tmp_path / "head.json.new").mkdir()
    write(ours)
    assert ours.unwritten == 1
    assert "head.json in" in (ours.error or "")
    assert "Entries are kept" in (ours.error or "")
    (tmp_path / "head.json.new").rmdir()
    write(ours)
    assert ours.error is None
    assert verify(tmp_path).problems == []


def test_a_process_that_does_not_let_go_of_the_lock_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender, "_PATIENCE_SECONDS", 0.01)
    ours = make(tmp_path)
    write(ours, "before")
    asked: list[float] = []
    real = files.locked

    def noting(directory: Path, *, patience_seconds: float) -> Any:
        asked.append(patience_seconds)
        return real(directory, patience_seconds=patience_seconds)

    monkeypatch.setattr(files, "locked", noting)
    holder = os.open(tmp_path / "lock", os.O_RDWR)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        write(ours, "lost")
        write(ours, "lost")
    finally:
        os.close(holder)
    assert "another process holds the lock" in (ours.error or "")
    write(ours, "after")
    write(ours, "later")
    assert asked == [0.01, 0.0, 0.0, 0.01]
    assert whats(tmp_path) == ["before", "entries not kept", "after", "later"]


# ---------------------------------------------------------------------- a crash before


def test_an_unfinished_line_is_set_aside_and_told_of(tmp_path: Path) -> None:
    write(make(tmp_path), "before")
    place = files.segment(tmp_path, 1).path
    with place.open("ab") as file:
        file.write(b'{"seq":2,"at":17')
    write(make(tmp_path), "after")
    before, aside, after = entries(tmp_path)
    assert (before.what, after.what) == ("before", "after")
    assert (aside.kind, aside.what) == ("console", "unfinished entry set aside")
    torn = tmp_path / f"torn-{aside.seq}.bin"
    assert torn.read_bytes() == b'{"seq":2,"at":17'
    assert torn.stat().st_mode & 0o777 == 0o600
    assert aside.arguments == {
        "file": torn.name,
        "bytes": 16,
        "sha256": hashlib.sha256(b'{"seq":2,"at":17').hexdigest(),
    }
    assert verify(tmp_path).problems == []


def test_an_unfinished_line_that_another_left_while_we_run_is_set_aside(tmp_path: Path) -> None:
    ours = make(tmp_path)
    write(ours, "before")
    with files.segment(tmp_path, 1).path.open("ab") as file:
        file.write(b"\x00" * 300)
    write(ours, "after")
    assert whats(tmp_path) == ["before", "unfinished entry set aside", "after"]


def test_an_unfinished_first_line_of_a_next_file_is_set_aside(tmp_path: Path) -> None:
    write(make(tmp_path))
    files.segment(tmp_path, 2).path.write_bytes(b'{"seq"')
    write(make(tmp_path))
    assert whats(tmp_path) == ["revoke", "segment begun", "unfinished entry set aside", "revoke"]
    assert (tmp_path / "torn-3.bin").exists()
    assert entries(tmp_path)[2].seq == 3
    assert verify(tmp_path).problems == []


def test_a_head_that_a_crash_left_behind_is_no_trouble(tmp_path: Path) -> None:
    ours = make(tmp_path)
    write(ours)
    head = (tmp_path / "head.json").read_bytes()
    write(ours)
    (tmp_path / "head.json").write_bytes(head)
    assert verify(tmp_path).problems == []
    write(make(tmp_path))
    assert whats(tmp_path) == ["revoke"] * 3
    assert verify(tmp_path).problems == []


# ---------------------------------------------------------------------- somebody was at it


def test_after_its_end_was_cut_off_the_trail_goes_on_so_that_it_stays_visible(
    tmp_path: Path,
) -> None:
    for number in range(4):
        write(make(tmp_path), f"w{number}")
    place = files.segment(tmp_path, 1).path
    place.write_bytes(b"".join(place.read_bytes().splitlines(keepends=True)[:2]))
    write(make(tmp_path), "after")
    write(make(tmp_path), "later")
    assert [(it.seq, it.what) for it in entries(tmp_path)] == [
        (1, "w0"), (2, "w1"), (5, "entries missing"), (6, "after"), (7, "later"),
    ]  # fmt: skip
    assert "Entries 3 to 4 are not there" in entries(tmp_path)[2].detail
    (problem,) = verify(tmp_path).problems
    assert "entries 3 to 4 are missing" in problem.said


def test_a_last_entry_that_was_replaced_stays_visible(tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(make(other), "innocent")
    ours = tmp_path / "ours"
    write(make(ours), "shutdown")
    files.segment(ours, 1).path.write_bytes(files.segment(other, 1).path.read_bytes())
    write(make(ours), "after")
    assert whats(ours) == ["innocent", "entries missing", "after"]
    assert verify(ours).problems != []


def test_files_that_were_all_deleted_are_told_of(tmp_path: Path) -> None:
    ours = make(tmp_path)
    for number in range(4):
        write(ours, f"w{number}")
    files.segment(tmp_path, 1).path.unlink()
    write(ours, "after")
    assert [(it.seq, it.what) for it in entries(tmp_path)] == [
        (5, "segment begun"), (6, "entries missing"), (7, "after"),
    ]  # fmt: skip
    assert files.segments(tmp_path)[0].number == 2


def test_a_head_that_is_gone_is_told_of(tmp_path: Path) -> None:
    write(make(tmp_path))
    (tmp_path / "head.json").unlink()
    write(make(tmp_path))
    assert whats(tmp_path) == ["revoke", "head missing", "revoke"]
    assert verify(tmp_path).problems == []


def test_a_whole_directory_that_was_deleted_begins_anew(tmp_path: Path) -> None:
    ours = make(tmp_path / "audit")
    write(ours)
    for it in (tmp_path / "audit").iterdir():
        it.unlink()
    (tmp_path / "audit").rmdir()
    write(ours)
    assert [entry.seq for entry in entries(tmp_path / "audit")] == [1]
    assert ours.error is None


def test_lines_that_are_no_entries_do_not_keep_the_next_from_being_written(tmp_path: Path) -> None:
    write(make(tmp_path))
    with files.segment(tmp_path, 1).path.open("ab") as file:
        file.write(b"what is this\n")
    write(make(tmp_path))
    assert [problem.line for problem in verify(tmp_path).problems] == [2]
    assert [entry.seq for entry in make(tmp_path).read(ALL).entries] == [2, 1]


# ---------------------------------------------------------------------- reading


def walked(ours: Trail, which: Filter = ALL, *, limit: int = 7) -> list[int]:
    seen: list[int] = []
    before: int | None = None
    while True:
        page = ours.read(which, before=before, limit=limit)
        assert len(page.entries) <= limit
        seen += [entry.seq for entry in page.entries]
        if page.next is None:
            return seen
        assert before is None or page.next < before
        before = page.next


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("segment_bytes", [1_500, 10_000, 2**20])
def test_pages_give_every_entry_once_the_newest_first(
    tmp_path: Path, limit: int, segment_bytes: int
) -> None:
    ours = make(tmp_path, segment_bytes=segment_bytes)
    for number in range(60):
        write(ours, f"w{number}")
    seen = walked(ours, limit=limit)
    assert seen == list(range(len(lines(tmp_path)), 0, -1))


def test_a_filter_holds_through_all_pages(tmp_path: Path) -> None:
    ours = make(tmp_path, segment_bytes=3_000)
    for number in range(40):
        write(ours, f"w{number}", by=BOB if number % 4 == 0 else ADA)
    bobs = [it.seq for it in entries(tmp_path) if it.by.name == "bob"]
    assert len(bobs) == 10
    assert walked(ours, Filter(who="bob"), limit=3) == bobs[::-1]


def test_one_answer_looks_at_so_much_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = make(tmp_path)
    write(ours, "needle")
    for _ in range(30):
        write(ours)
    monkeypatch.setattr(trail, "MOST_READ_BYTES", 2_000)
    page = ours.read(Filter(what="needle"), limit=10)
    assert page.entries == []
    assert page.next is not None
    assert walked(ours, Filter(what="needle")) == [1]


def test_the_past_is_not_searched_for_what_is_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    ours = make(tmp_path, clock=clock)
    for _ in range(10):
        write(ours, "old")
    clock.now += 100_000.0
    start = clock.now
    write(ours, "new 1")
    clock.now -= 1_800.0  # the clock is set back
    write(ours, "set back")
    clock.now += 1_800.0
    write(ours, "new 2")
    read: list[bytes] = []

    def counted(line: bytes) -> Entry:
        read.append(line)
        return entry_of(line)

    monkeypatch.setattr(trail, "entry_of", counted)
    page = ours.read(Filter(since=start))
    assert [entry.what for entry in page.entries] == ["new 2", "new 1"]
    assert page.next is None
    assert len(read) == 4


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    ours = make(tmp_path)
    for number in range(5):
        write(ours, f"w{number}")
    place = files.segment(tmp_path, 1).path
    broken = place.read_bytes().splitlines(keepends=True)
    broken[2] = b"\xff\xfe\n"
    broken[3] = b"[" * 5_000 + b"\n"
    place.write_bytes(b"".join(broken) + b'{"seq":99')
    page = ours.read(ALL)
    assert [entry.seq for entry in page.entries] == [5, 2, 1]
    assert page.unreadable == 2


def test_a_trail_that_may_not_be_read_is_no_empty_one(tmp_path: Path) -> None:
    ours = make(tmp_path)
    files.segment(tmp_path, 1).path.mkdir(parents=True)
    with pytest.raises(Unavailable, match="cannot be read: Is a directory"):
        ours.read(ALL)
    for export in (ours.export, ours.export_csv):
        with pytest.raises(Unavailable, match="cannot be read: Is a directory"):
            list(export(ALL))


def test_that_an_export_cannot_be_read_is_told_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "audit").touch()
    for export in (make(tmp_path / "audit").export, make(tmp_path / "audit").export_csv):
        with pytest.raises(Unavailable, match="cannot be read: Not a directory"):
            export(ALL)


# ---------------------------------------------------------------------- exporting


def test_an_export_without_a_filter_is_the_files_themselves(tmp_path: Path) -> None:
    ours = make(tmp_path / "a", segment_bytes=3_000)
    for number in range(30):
        write(ours, f"w{number}")
    with files.segment(tmp_path / "a", 2).path.open("ab") as file:
        file.write(b"foreign\n")
    exported = b"".join(ours.export(ALL))
    assert exported.splitlines() == lines(tmp_path / "a")
    copy = tmp_path / "copy"
    copy.mkdir()
    files.segment(copy, 1).path.write_bytes(exported.replace(b"foreign\n", b""))
    assert verify(copy).problems == []


def test_an_export_with_a_filter_has_what_is_meant(tmp_path: Path) -> None:
    clock = Clock()
    ours = make(tmp_path, clock=clock, segment_bytes=2_000)
    for number in range(20):
        write(ours, f"old{number}")
    clock.now += 100_000.0
    start = clock.now
    for number in range(20):
        write(ours, f"new{number}", by=BOB)
    exported = b"".join(ours.export(Filter(since=start, who="bob")))
    assert [entry_of(line).what for line in exported.splitlines()] == [
        f"new{number}" for number in range(20)
    ]


def test_an_export_comes_in_pieces(tmp_path: Path) -> None:
    ours = make(tmp_path)
    for _ in range(40):
        write(ours, arguments={"a": "x" * 9_000})
    pieces = list(ours.export(ALL))
    assert len(pieces) > 3
    assert max(len(piece) for piece in pieces) < 2 * 2**16


def test_an_export_may_be_a_table_of_what_is_meant(tmp_path: Path) -> None:
    ours = make(tmp_path)
    write(ours, "w0")
    write(ours, "w1", by=BOB)
    told = b"".join(ours.export_csv(Filter(who="bob"))).decode().splitlines()
    assert [line.split(",")[0] for line in told] == ["seq", "2"]
