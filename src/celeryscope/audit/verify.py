"""Whether a trail is what was written: each entry, their order, and both ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from celeryscope.audit import files
from celeryscope.audit.appender import SEGMENT_BEGUN, UNREADABLE
from celeryscope.audit.entry import NOTHING, Link, is_whole, link_of
from celeryscope.errors import BadArgument, NotPossible, Unavailable

MOST_PROBLEMS: Final = 100
_HASH = re.compile(r"[0-9a-f]{64}")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written."""

    file: str  # its name; empty: it is not about one
    line: int  # from 1; 0: it is not about one
    seq: int | None  # the entry's number, as it says itself
    said: str  # a sentence


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a trail was found to be."""

    problems: list[Problem]  # in the order of the files, at most 100
    problems_left_out: int
    notes: list[str]  # sentences; nothing is wrong by them
    segments: int  # files of entries
    entries: int
    first_seq: int
    first_at: float  # epoch seconds
    last_seq: int
    last_at: float  # epoch seconds
    last_hash: str
    expected_seq: int | None  # of the entry with the hash that was expected

    @property
    def good(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.problems


def verify(directory: Path, *, expect: str | None = None) -> Verdict:
    """Read a whole trail and check it, while others may write in it.

    `expect` is the hash of an entry, noted elsewhere: it has to be in the trail. Raises
    BadArgument where that is no hash, NotPossible where there is no trail, and Unavailable where
    it cannot be read.
    """
    expect = None if expect is None else expect.strip().lower()
    if expect is not None and not _HASH.fullmatch(expect):
        raise BadArgument(
            "expect", f"'{expect[:80]}' is no hash: 64 digits from 0 to 9 and a to f."
        )
    try:
        # The head first: entries that come meanwhile are beyond it then, and not missing.
        with files.nobody_writing(directory):
            head = files.read_head(directory)
            found = [(it, it.path.stat().st_size) for it in files.segments(directory)]
        if not found and (head is None or head.seq == 0):
            raise NotPossible(
                f"There is no audit trail in {directory}.",
                hint="The console keeps it in 'audit' in its data directory: --data-dir DIRECTORY",
            )
        walk = _Walk(head, expect)
        for place, size_bytes in found:
            walk.file(place, size_bytes, is_last=place == found[-1][0])
        return walk.end(len(found), names=[place.path.name for place, _ in found])
    except OSError as trouble:
        where = trouble.filename or directory
        raise Unavailable(f"{where} cannot be read: {trouble.strerror or trouble}.") from trouble


class _Walk:
    """Goes from entry to entry, and notes what does not fit."""

    def __init__(self, head: files.Head | None, expect: str | None) -> None:
        self._head = head
        self._head_met = False
        self._expect = expect
        self._expected_seq: int | None = None
        self._problems: list[Problem] = []
        self._left_out = 0
        self._notes: list[str] = []
        self._entries = 0
        self._first: Link | None = None
        self._last: Link | None = None
        self._file = ""
        self._number: int | None = None  # of the file before
        self._line = 0
        self._broken = 0  # lines before this one that were no entries

    def file(self, place: files.Segment, size_bytes: int, *, is_last: bool) -> None:
        """Check one file of entries."""
        self._file, self._line = place.path.name, 0
        with files.reading(place.path) as descriptor:
            for line in files.forwards(descriptor, size_bytes):
                self._line += 1
                self._check(line, place)
            torn = size_bytes - min(size_bytes, files.whole_bytes(descriptor))
        if torn and is_last:
            self._notes.append(
                f"{self._file} ends in {torn:,} bytes of an unfinished entry, as a crash leaves "
                "them. The console sets them aside when it writes again."
            )
        elif torn:
            self._line += 1
            self._problem(None, "The file ends in the middle of a line: it was cut.")
        self._number = place.number

    def _check(self, line: bytes, place: files.Segment) -> None:
        try:
            link = link_of(line)
        except UNREADABLE:
            self._broken += 1
            self._problem(
                None, "This line is no entry: it was changed, or something else was written here."
            )
            return
        if not is_whole(line, link.hash):
            self._problem(
                link.seq, f"Entry {link.seq} was changed after it was written: its hash differs."
            )
        if self._line == 1:
            self._check_begin(link, place)
        if self._last is not None:
            self._check_order(link, self._last, place)
        self._pass(link)

    def _check_begin(self, link: Link, place: files.Segment) -> None:
        if place.number == 1:
            if link.seq == 1 and link.prev != NOTHING:
                self._problem(1, "Entry 1 follows another one: what was before it is not there.")
            elif link.seq != 1:
                self._problem(
                    link.seq, f"The trail begins with entry {link.seq}: {_missing(1, link.seq)}."
                )
        elif (link.kind, link.what) != ("console", SEGMENT_BEGUN):
            self._problem(
                link.seq, "The file does not begin as files do: entries were taken out before this."
            )
        elif self._last is None:
            self._notes.append(
                f"It begins at entry {link.seq}, in {self._file}: the files before were deleted."
            )

    def _check_order(self, link: Link, last: Link, place: files.Segment) -> None:
        due = last.seq + 1
        if link.seq > due:
            # Lines that could not be read are told of already.
            if link.seq - due != self._broken:
                gone = self._gone_files(place)
                self._problem(
                    link.seq, f"Before entry {link.seq}, {_missing(due, link.seq)}{gone}."
                )
        elif link.seq < due:
            self._problem(
                link.seq,
                f"Entry {link.seq} stands after entry {last.seq}: entries were put in or moved.",
            )
        elif link.prev != last.hash:
            self._problem(
                link.seq,
                f"Entry {link.seq} was not written after the entry {last.seq} that stands before "
                "it: that one was changed or replaced.",
            )

    def _gone_files(self, place: files.Segment) -> str:
        if self._line != 1 or self._number is None or place.number == self._number + 1:
            return ""
        gone = files.segment(place.path.parent, self._number + 1).path.name
        more = place.number - self._number - 2
        return f" ({gone}{f' and {more} more' if more else ''} was deleted)"

    def _pass(self, link: Link) -> None:
        head = self._head
        if head is not None and link.seq == head.seq and not self._head_met:
            self._head_met = True
            if link.hash != head.hash:
                self._problem(link.seq, f"Entry {link.seq} is not the one that head.json tells of.")
        if self._expect is not None and link.hash == self._expect and self._expected_seq is None:
            self._expected_seq = link.seq
        self._first = self._first or link
        self._last = link
        self._entries += 1
        self._broken = 0

    def end(self, segments: int, *, names: Sequence[str]) -> Verdict:
        """Check the end of the trail; gives what was found in all."""
        self._file, self._line = names[-1] if names else "", 0
        first, last, head = self._first, self._last, self._head
        last_seq = last.seq if last else 0
        if head is None:
            self._notes.append(
                "There is no head.json, so nobody can tell whether the end was cut off."
            )
        elif head.seq > last_seq:
            self._problem(
                last_seq or None,
                f"The end was cut off: {_missing(last_seq + 1, head.seq + 1)}, and head.json "
                f"tells of entry {head.seq}.",
            )
        if self._expect is not None and self._expected_seq is None:
            self._file = ""
            self._problem(
                None,
                f"No entry has the hash {self._expect}: the trail was written anew, or that entry "
                "was in a file that was deleted.",
            )
        return Verdict(
            problems=self._problems,
            problems_left_out=self._left_out,
            notes=self._notes,
            segments=segments,
            entries=self._entries,
            first_seq=first.seq if first else 0,
            first_at=first.at if first else 0.0,
            last_seq=last_seq,
            last_at=last.at if last else 0.0,
            last_hash=last.hash if last else "",
            expected_seq=self._expected_seq,
        )

    def _problem(self, seq: int | None, said: str) -> None:
        if len(self._problems) >= MOST_PROBLEMS:
            self._left_out += 1
            return
        self._problems.append(Problem(file=self._file, line=self._line, seq=seq, said=said))


def _missing(due: int, seq: int) -> str:
    """Say which entries are not there, from `due` on and before `seq`."""
    return (
        f"entry {due} is missing" if seq == due + 1 else f"entries {due} to {seq - 1} are missing"
    )
