"""Whatever is done to the files of a trail is found; what may be done is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from celeryscope.audit import files
from celeryscope.audit.entry import By, Content, Entry, Kind, Whom, content, line_of, link_of
from celeryscope.audit.filter import Filter
from celeryscope.audit.trail import Trail
from celeryscope.audit.verify import MOST_PROBLEMS, Verdict, verify
from celeryscope.errors import BadArgument, NotPossible, Unavailable

ADA = By(name="ada", role="admin", way="password")


def written(directory: Path, count: int = 8, *, segment_bytes: int = 2**20) -> Path:
    ours = Trail(directory, clock=lambda: 1_795_000_000.0, segment_bytes=segment_bytes)
    for number in range(1, count + 1):
        ours.write(kind="command", by=ADA, what=f"w{number}", arguments={"n": number})
    assert verify(directory).problems == []
    return directory


def said(verdict: Verdict) -> list[str]:
    return [f"{it.file}:{it.line} {it.said}" for it in verdict.problems]


def changed(directory: Path, change: Callable[[list[bytes]], None], number: int = 1) -> Verdict:
    """Change the lines of a file, and look at what is said of it."""
    path = files.segment(directory, number).path
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))
    return verify(directory)


def made_anew(line: bytes, **said: str) -> bytes:
    """Write an entry anew with another content, and a hash that fits."""
    link = link_of(line)
    told: Content = content(kind="command", by=ADA, what=said["what"])
    return line_of(told, seq=link.seq, at=link.at, prev=link.prev)[0] + b"\n"


def test_a_trail_that_nobody_touched_is_whole(tmp_path: Path) -> None:
    verdict = verify(written(tmp_path, 8))
    assert verdict.good
    assert verdict.notes == []
    assert (verdict.segments, verdict.entries) == (1, 8)
    assert (verdict.first_seq, verdict.last_seq) == (1, 8)
    assert (verdict.first_at, verdict.last_at) == (1_795_000_000.0, 1_795_000_000.0)
    head = files.read_head(tmp_path)
    assert head is not None
    assert verdict.last_hash == head.hash


def test_an_entry_that_was_changed_is_found(tmp_path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[3] = lines[3].replace(b'"ada"', b'"bob"')

    verdict = changed(written(tmp_path), change)
    assert said(verdict) == [
        "audit-000001.jsonl:4 Entry 4 was changed after it was written: its hash differs."
    ]
    assert verdict.problems[0].seq == 4
    assert not verdict.good


def test_an_entry_that_was_written_anew_with_a_hash_that_fits_is_found(tmp_path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[3] = made_anew(lines[3], what="innocent")

    assert said(changed(written(tmp_path), change)) == [
        (
            "audit-000001.jsonl:5 Entry 5 was not written after the entry 4 that stands before it: "
            "that one was changed or replaced."
        )
    ]


def test_an_entry_that_was_taken_out_is_found(tmp_path: Path) -> None:
    verdict = changed(written(tmp_path), lambda lines: lines.__delitem__(3))
    assert said(verdict) == ["audit-000001.jsonl:4 Before entry 5, entry 4 is missing."]


def test_several_entries_that_were_taken_out_are_found(tmp_path: Path) -> None:
    verdict = changed(written(tmp_path), lambda lines: lines.__delitem__(slice(2, 5)))
    assert said(verdict) == ["audit-000001.jsonl:3 Before entry 6, entries 3 to 5 are missing."]


def test_the_first_entries_that_were_taken_out_are_found(tmp_path: Path) -> None:
    verdict = changed(written(tmp_path), lambda lines: lines.__delitem__(slice(0, 2)))
    assert said(verdict) == [
        "audit-000001.jsonl:1 The trail begins with entry 3: entries 1 to 2 are missing."
    ]


def test_an_entry_that_was_put_in_is_found(tmp_path: Path) -> None:
    other = written(tmp_path / "other", 4)
    foreign = files.segment(other, 1).path.read_bytes().splitlines(keepends=True)[2]
    ours = written(tmp_path / "ours")
    verdict = changed(ours, lambda lines: lines.insert(5, foreign))
    assert "audit-000001.jsonl:6 Entry 3 stands after entry 5" in said(verdict)[0]


def test_an_entry_that_was_repeated_is_found(tmp_path: Path) -> None:
    verdict = changed(written(tmp_path), lambda lines: lines.insert(4, lines[3]))
    assert "audit-000001.jsonl:5 Entry 4 stands after entry 4" in said(verdict)[0]


def test_entries_that_changed_places_are_found(tmp_path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[3], lines[4] = lines[4], lines[3]

    verdict = changed(written(tmp_path), change)
    assert [it.line for it in verdict.problems] == [4, 5, 6]


def test_an_end_that_was_cut_off_is_found(tmp_path: Path) -> None:
    verdict = changed(written(tmp_path), lambda lines: lines.__delitem__(slice(6, 8)))
    assert said(verdict) == [
        (
            "audit-000001.jsonl:0 The end was cut off: entries 7 to 8 are missing, and head.json tells "
            "of entry 8."
        )
    ]


def test_a_last_entry_that_was_cut_short_is_found(tmp_path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[-1] = lines[-1][:-40]

    verdict = changed(written(tmp_path), change)
    assert "The end was cut off: entry 8 is missing" in said(verdict)[0]


def test_a_last_entry_that_was_written_anew_is_found(tmp_path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[-1] = made_anew(lines[-1], what="innocent")

    assert said(changed(written(tmp_path), change)) == [
        "audit-000001.jsonl:8 Entry 8 is not the one that head.json tells of."
    ]


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"hello\n", b"\xff\n", b"[" * 9_000 + b"\n"])
def test_a_line_that_is_no_entry_is_found(tmp_path: Path, line: bytes) -> None:
    verdict = changed(written(tmp_path), lambda lines: lines.insert(3, line))
    assert [(it.line, it.seq) for it in verdict.problems] == [(4, None)]
    assert "This line is no entry" in said(verdict)[0]


def test_a_line_that_was_made_unreadable_is_told_once(tmp_path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[3] = b"x" * 500 + b"\n"

    assert [it.line for it in changed(written(tmp_path), change).problems] == [4]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=some.data())
def test_any_byte_that_was_changed_is_found(tmp_path: Path, data: some.DataObject) -> None:
    if not (tmp_path / "once").exists():
        written(tmp_path / "once", 4)
        shutil.copytree(tmp_path / "once", tmp_path / "again")
    whole = files.segment(tmp_path / "once", 1).path.read_bytes()
    at = data.draw(some.integers(0, len(whole) - 1))
    byte = data.draw(some.integers(0, 255).filter(lambda it: it != whole[at]))
    path = files.segment(tmp_path / "again", 1).path
    path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    assert not verify(tmp_path / "again").good


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(cut=some.integers(0))
def test_wherever_the_file_was_cut_it_is_found(tmp_path: Path, cut: int) -> None:
    if not (tmp_path / "once").exists():
        written(tmp_path / "once", 4)
        shutil.copytree(tmp_path / "once", tmp_path / "again")
    whole = files.segment(tmp_path / "once", 1).path.read_bytes()
    files.segment(tmp_path / "again", 1).path.write_bytes(whole[: cut % len(whole)])
    assert not verify(tmp_path / "again").good


# ---------------------------------------------------------------------- several files


def test_older_files_may_be_deleted(tmp_path: Path) -> None:
    directory = written(tmp_path, 20, segment_bytes=2_000)
    count = len(files.segments(directory))
    for number in (1, 2):
        files.segment(directory, number).path.unlink()
    verdict = verify(directory)
    assert verdict.problems == []
    assert verdict.segments == count - 2
    assert verdict.first_seq > 1
    assert verdict.notes == [
        (
            f"It begins at entry {verdict.first_seq}, in audit-000003.jsonl: the files before were "
            "deleted."
        )
    ]


def test_a_file_that_is_gone_from_the_middle_is_found(tmp_path: Path) -> None:
    directory = written(tmp_path, 20, segment_bytes=2_000)
    files.segment(directory, 3).path.unlink()
    (problem,) = verify(directory).problems
    assert problem.file == "audit-000004.jsonl"
    assert problem.said.endswith("are missing (audit-000003.jsonl was deleted).")


def test_the_last_file_that_is_gone_is_found(tmp_path: Path) -> None:
    directory = written(tmp_path, 20, segment_bytes=2_000)
    files.segments(directory)[-1].path.unlink()
    (problem,) = verify(directory).problems
    assert problem.said.startswith("The end was cut off")


def test_all_files_that_are_gone_are_missed(tmp_path: Path) -> None:
    directory = written(tmp_path)
    files.segment(directory, 1).path.unlink()
    (problem,) = verify(directory).problems
    assert (problem.file, problem.line) == ("", 0)
    assert "entries 1 to 8 are missing" in problem.said


def test_the_first_entries_of_a_later_file_cannot_be_taken_out_either(tmp_path: Path) -> None:
    directory = written(tmp_path, 20, segment_bytes=2_000)
    files.segment(directory, 1).path.unlink()
    verdict = changed(directory, lambda lines: lines.__delitem__(slice(0, 2)), number=2)
    assert "The file does not begin as files do" in said(verdict)[0]


def test_a_file_in_the_middle_that_was_cut_is_found(tmp_path: Path) -> None:
    directory = written(tmp_path, 20, segment_bytes=2_000)

    def change(lines: list[bytes]) -> None:
        lines[-1] = lines[-1][:-1]

    told = said(changed(directory, change, number=2))
    assert "The file ends in the middle of a line" in told[0]
    assert "is missing" in told[1]


def test_files_that_changed_places_are_found(tmp_path: Path) -> None:
    directory = written(tmp_path, 20, segment_bytes=2_000)
    one, other = files.segment(directory, 2).path, files.segment(directory, 3).path
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    assert not verify(directory).good


# ---------------------------------------------------------------------- what a crash leaves


def test_an_unfinished_line_at_the_end_is_a_note(tmp_path: Path) -> None:
    with files.segment(written(tmp_path), 1).path.open("ab") as file:
        file.write(b'{"seq":9,')
    verdict = verify(tmp_path)
    assert verdict.good
    assert "9 bytes of an unfinished entry" in verdict.notes[0]


def test_without_a_head_the_end_is_in_doubt(tmp_path: Path) -> None:
    (written(tmp_path) / "head.json").unlink()
    verdict = verify(tmp_path)
    assert verdict.good
    assert "nobody can tell whether the end was cut off" in verdict.notes[0]


def test_it_goes_on_without_a_writer_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_READ_PATIENCE_SECONDS", 0.01)
    written(tmp_path)
    with files.locked(tmp_path, patience_seconds=0):
        assert verify(tmp_path).good


def test_a_copy_elsewhere_that_nobody_may_write_is_verified(tmp_path: Path) -> None:
    directory = written(tmp_path / "ours")
    (directory / "lock").unlink()
    directory.chmod(0o500)
    try:
        assert verify(directory).good
        assert not (directory / "lock").exists()
    finally:
        directory.chmod(0o700)


# ---------------------------------------------------------------------- a hash noted elsewhere


def test_a_hash_that_was_noted_is_found_in_the_chain(tmp_path: Path) -> None:
    directory = written(tmp_path)
    noted = json.loads(files.segment(directory, 1).path.read_bytes().splitlines()[2])["hash"]
    verdict = verify(directory, expect=f" {noted.upper()}\n")
    assert verdict.good
    assert verdict.expected_seq == 3


def test_a_trail_that_was_written_anew_lacks_the_hash_that_was_noted(tmp_path: Path) -> None:
    noted = verify(written(tmp_path / "ours")).last_hash
    shutil.rmtree(tmp_path / "ours")
    Trail(tmp_path / "ours").write(kind="command", by=ADA, what="innocent")
    verdict = verify(tmp_path / "ours", expect=noted)
    assert [it.said for it in verdict.problems] == [
        (
            f"No entry has the hash {noted}: the trail was written anew, or that entry was in a file "
            "that was deleted."
        )
    ]
    assert verdict.expected_seq is None


@pytest.mark.parametrize("expect", ["", "abc", "g" * 64, "a" * 63, "a" * 65, "a" * 10_000])
def test_what_is_no_hash_is_refused(tmp_path: Path, expect: str) -> None:
    with pytest.raises(BadArgument, match="is no hash"):
        verify(written(tmp_path), expect=expect)


def test_nothing_is_not_called_whole(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotPossible, match="There is no audit trail in"):
            verify(directory)


def test_a_directory_in_the_place_of_a_file_is_not_called_whole(tmp_path: Path) -> None:
    files.segment(tmp_path, 1).path.mkdir()
    with pytest.raises(Unavailable, match="cannot be read: Is a directory"):
        verify(tmp_path)


def test_of_many_problems_the_first_are_told_and_the_others_counted(tmp_path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[:] = [b"x\n"] * (MOST_PROBLEMS + 20) + lines

    verdict = changed(written(tmp_path), change)
    assert len(verdict.problems) == MOST_PROBLEMS
    assert verdict.problems_left_out == 20


# ---------------------------------------------------------------------- with nothing of ours

PAGE = (Path(__file__).parents[3] / "docs/reference/audit.md").read_text(encoding="utf-8")


def checked(directory: Path) -> subprocess.CompletedProcess[str]:
    """Check the files with the program that the documentation gives."""
    program = PAGE.split("```python\n")[1].split("```")[0]
    lines = b"".join(it.path.read_bytes() for it in files.segments(directory))
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], input=lines, capture_output=True, check=False
    )
    return subprocess.CompletedProcess(
        [], done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_the_program_in_the_documentation_checks_a_chain(tmp_path: Path) -> None:
    directory = written(tmp_path, 20, segment_bytes=2_000)
    verdict = verify(directory)
    done = checked(directory)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{verdict.entries} entries, the last hash is {verdict.last_hash}\n"


@pytest.mark.parametrize("problem", ["was changed", "taken out"])
def test_the_program_in_the_documentation_finds_what_is_wrong(tmp_path: Path, problem: str) -> None:
    def change(lines: list[bytes]) -> None:
        if problem == "taken out":
            del lines[3]
        else:
            lines[3] = lines[3].replace(b'"ada"', b'"bob"')

    assert not changed(written(tmp_path), change).good
    done = checked(tmp_path)
    assert done.returncode == 1
    assert "line 4" in done.stderr
    assert problem in done.stderr


def test_every_field_and_kind_is_in_the_documentation() -> None:
    for name in (*Entry.__struct_fields__, *By.__struct_fields__, *Whom.__struct_fields__):
        assert f"`{name}`" in PAGE, name
    for kind in get_args(Kind):
        assert f"`{kind}`" in PAGE, kind
    for name in (it for it in Filter.__struct_fields__ if it != "kinds"):
        assert f"`{name}`" in PAGE, name
