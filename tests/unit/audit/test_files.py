"""The files of a trail: their lines from either end, the head, the lock."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from celeryscope.audit import files
from celeryscope.audit.entry import MOST_LINE_BYTES


def lines_forwards(path: Path) -> list[bytes]:
    with files.reading(path) as descriptor:
        return list(files.forwards(descriptor, path.stat().st_size))


def lines_backwards(path: Path, end: int | None = None) -> list[tuple[int, bytes]]:
    with files.reading(path) as descriptor:
        return list(files.backwards(descriptor, path.stat().st_size if end is None else end))


@given(
    lines=some.lists(some.binary(max_size=40).map(lambda it: it.replace(b"\n", b"")), max_size=12),
    tail=some.binary(max_size=20).map(lambda it: it.replace(b"\n", b"")),
    block=some.integers(1, 50),
)
def test_lines_are_the_same_from_either_end(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], tail: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    whole = b"".join(line + b"\n" for line in lines)
    path.write_bytes(whole + tail)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_BLOCK_BYTES", block)
        assert lines_forwards(path) == lines
        back = lines_backwards(path)
        assert [line for _, line in back] == lines[::-1]
        data = whole + tail
        assert all(data[at : at + len(line) + 1] == line + b"\n" for at, line in back)
        with files.reading(path) as descriptor:
            assert files.whole_bytes(descriptor) == len(whole)


def test_a_line_that_is_too_long_is_told_as_such_and_does_not_hide_the_others(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\n" + b"x" * (3 * MOST_LINE_BYTES) + b"\ntwo\n")
    first, long, second = lines_forwards(path)
    assert (first, second) == (b"one", b"two")
    assert len(long) < MOST_LINE_BYTES
    assert not long.strip(b"x\x00")
    back = lines_backwards(path)
    assert [line for _, line in back][::2] == [b"two", b"one"]
    assert len(back[1][1]) < MOST_LINE_BYTES


def test_it_comes_near_a_line_without_reading_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    lines = [b"%06d" % number + b"." * 120 for number in range(40_000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    size = path.stat().st_size
    with files.reading(path) as descriptor:
        for wanted in (0, 1, 17_000, 39_999, 50_000):

            def is_after(line: bytes, wanted: int = wanted) -> bool:
                return int(line[:6]) >= wanted

            end = files.narrow(descriptor, size, is_after=is_after)
            read = [int(line[:6]) for _, line in files.backwards(descriptor, end)]
            assert max(read, default=-1) >= min(wanted, 40_000) - 1
            assert max(read, default=-1) <= wanted + 2_200
        assert files.narrow(descriptor, size, is_after=lambda _: None) == size


def test_only_files_of_entries_count_and_by_their_numbers(tmp_path: Path) -> None:
    for name in (
        "audit-000010.jsonl", "audit-000009.jsonl", "audit-1000000.jsonl", "audit-9.jsonl",
        "audit-000011.jsonl.gz", "head.json", "torn-3.bin", "audit-00000x.jsonl",
    ):  # fmt: skip
        (tmp_path / name).touch()
    found = files.segments(tmp_path)
    assert [it.number for it in found] == [9, 10, 1_000_000]
    assert all(it.path.exists() for it in found)
    assert files.segments(tmp_path / "nowhere") == []


@pytest.mark.parametrize("written", [b"", b"{", b"[]", b'{"seq":"x"}', b"\xff\xfe", b"\x00" * 90])
def test_a_head_that_is_none_is_no_head(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "head.json").write_bytes(written)
    assert files.read_head(tmp_path) is None


def test_the_head_is_replaced_as_a_whole_and_private(tmp_path: Path) -> None:
    for seq in (1, 2):
        head = files.Head(seq=seq, hash="a" * 64, segment=1)
        files.write_head(tmp_path, head)
        assert files.read_head(tmp_path) == head
    assert [it.name for it in tmp_path.iterdir()] == ["head.json"]
    assert (tmp_path / "head.json").stat().st_mode & 0o777 == 0o600


def test_a_symbolic_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    for name in ("audit-000001.jsonl", "head.json.new", "lock"):
        (tmp_path / name).symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic"):
        files.open_to_append(tmp_path / "audit-000001.jsonl")
    with pytest.raises(OSError, match="symbolic"):
        files.write_head(tmp_path, files.Head(seq=1, hash="", segment=1))
    with pytest.raises(OSError, match="symbolic"), files.locked(tmp_path, patience_seconds=0):
        pass
    assert elsewhere.read_text() == "mine"


def test_one_holds_the_lock_and_another_waits_for_it(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with files.locked(tmp_path, patience_seconds=20):
            order.append("second")

    thread = threading.Thread(target=second)
    with files.locked(tmp_path, patience_seconds=0):
        thread.start()
        with (
            pytest.raises(TimeoutError, match="another process"),
            files.locked(tmp_path, patience_seconds=0),
        ):
            pass
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]


def test_a_lock_that_was_deleted_does_not_let_two_in(tmp_path: Path) -> None:
    with files.locked(tmp_path, patience_seconds=0):
        (tmp_path / "lock").unlink()
        # Whoever comes now makes a new one: it is the lock from here on.
        with (
            files.locked(tmp_path, patience_seconds=0),
            pytest.raises(TimeoutError),
            files.locked(tmp_path, patience_seconds=0),
        ):
            pass


def test_a_lock_that_another_replaced_meanwhile_is_none(tmp_path: Path) -> None:
    old = files.open_to_append(tmp_path / "lock")
    try:
        assert files._try_lock(old, tmp_path / "lock")
        (tmp_path / "lock").unlink()
        assert not files._try_lock(old, tmp_path / "lock")
        (tmp_path / "lock").touch()
        assert not files._try_lock(old, tmp_path / "lock")
    finally:
        os.close(old)


def test_what_root_makes_belongs_to_whom_the_directory_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_to: list[tuple[int, int]] = []
    real = os.fstat

    def others(descriptor: int) -> os.stat_result:
        told = list(real(descriptor))
        told[4] += 1_000  # st_uid
        return os.stat_result(told)

    monkeypatch.setattr(os, "fstat", others)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: given_to.append((user, group)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owner = tmp_path.stat()
    files.make_directory(tmp_path / "audit")
    files.write_head(tmp_path, files.Head(seq=1, hash="", segment=1))
    os.close(files.open_to_append(tmp_path / "audit-000001.jsonl"))
    assert given_to == [(owner.st_uid, owner.st_gid)] * 3
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    os.close(files.open_to_append(tmp_path / "audit-000002.jsonl"))
    assert len(given_to) == 3
