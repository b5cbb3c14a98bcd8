"""Adds entries to the files of a trail, whoever else does: one chain."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from celeryscope.audit import files
from celeryscope.audit.entry import (
    CONSOLE,
    NOTHING,
    Content,
    Link,
    content,
    is_whole,
    line_of,
    link_of,
)

#: What the first entry of every file but the first says: so one sees where the file begins.
SEGMENT_BEGUN: Final = "segment begun"
_PATIENCE_SECONDS = 5.0
_COPY_BYTES = 1024 * 1024
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Tail(NamedTuple):
    """Where the next entry goes."""

    segment: files.Segment
    size: int  # bytes of the file that are whole lines
    inode: int  # of the file; 0: it is not there yet
    seq: int  # of the last entry
    hash: str


class Appender:
    """Writes in the directory of a trail. Not for several threads at once."""

    def __init__(self, directory: Path, *, segment_bytes: int) -> None:
        self.directory = directory
        #: Why the head could not be written after entries were.
        self.head_trouble: OSError | None = None
        self._segment_bytes = segment_bytes
        self._tail: _Tail | None = None
        self._patience_seconds = _PATIENCE_SECONDS

    def append(self, contents: Sequence[Content], *, at: float) -> list[bytes]:
        """Add entries, all or none; give the last lines written, one for each.

        Raises OSError; nothing is added then. Waits for other processes, once for five seconds,
        and not at all while one did not let go the last time.
        """
        try:
            files.make_directory(self.directory)
            with files.locked(self.directory, patience_seconds=self._patience_seconds):
                self._patience_seconds = _PATIENCE_SECONDS
                lines = self._append(contents, at)
        except BaseException as trouble:
            self._tail = None
            if isinstance(trouble, TimeoutError):
                self._patience_seconds = 0.0
            raise
        return lines[len(lines) - len(contents) :]

    def _append(self, contents: Sequence[Content], at: float) -> list[bytes]:
        tail, found = self._known(), list[Content]()
        if tail is None:
            tail, found = self._look()
        asked = [*found, *contents]
        lines, seq, digest = _chained(self._begun(tail) + asked, tail, at)
        # Not with something to say about this file: it says it in this file.
        if not found and tail.size > 0 and tail.size + _bytes(lines) > self._segment_bytes:
            tail = _Tail(
                files.segment(self.directory, tail.segment.number + 1), 0, 0, tail.seq, tail.hash
            )
            lines, seq, digest = _chained(self._begun(tail) + asked, tail, at)
        inode = self._write(tail, lines)
        self._tail = _Tail(tail.segment, tail.size + _bytes(lines), inode, seq, digest)
        self._write_head(self._tail)
        return lines

    def _begun(self, tail: _Tail) -> list[Content]:
        if tail.size or tail.segment.number == 1:
            return []
        return [
            content(
                kind="console",
                by=CONSOLE,
                what=SEGMENT_BEGUN,
                subjects=[tail.segment.path.name],
                outcome="done",
            )
        ]

    def _write(self, tail: _Tail, lines: Sequence[bytes]) -> int:
        """Write lines at once; where that fails, the file is as it was. Gives its inode."""
        data = b"".join(line + b"\n" for line in lines)
        descriptor = files.open_to_append(tail.segment.path)
        try:
            try:
                if (written := os.write(descriptor, data)) < len(data):
                    raise OSError(f"only {written:,} of {len(data):,} bytes could be written")
                files.sync(descriptor)
            except BaseException:
                os.ftruncate(descriptor, tail.size)
                raise
            if not tail.inode:
                files.sync_directory(self.directory)
            return os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)

    def _write_head(self, tail: _Tail) -> None:
        head = files.Head(seq=tail.seq, hash=tail.hash, segment=tail.segment.number)
        try:
            files.write_head(self.directory, head)
            self.head_trouble = None
        except OSError as trouble:
            self.head_trouble = trouble

    # ------------------------------------------------------------------ where it ends

    def _known(self) -> _Tail | None:
        """Give the tail that we left, unless another process wrote since."""
        tail = self._tail
        if tail is None:
            return None
        try:
            now = tail.segment.path.stat()
        except FileNotFoundError:
            return None
        if (now.st_size, now.st_ino) != (tail.size, tail.inode):
            return None
        if files.segment(self.directory, tail.segment.number + 1).path.exists():
            return None
        return tail

    def _look(self) -> tuple[_Tail, list[Content]]:
        """Find the end of the trail, and what is to be said about it."""
        found = files.segments(self.directory)
        head = files.read_head(self.directory)
        last = _last(found)
        seq, digest = (last.seq, last.hash) if last else (0, NOTHING)
        told = list[Content]()
        if head is None and found and seq > 0:
            told.append(_said_no_head())
        elif head is not None and (head.seq > seq or (head.seq == seq and head.hash != digest)):
            # Its end is not what we left. Going on from there would hide that.
            told.append(_said_missing(head, seq))
            seq, digest = head.seq, head.hash
        if not found:
            place = files.segment(self.directory, head.segment + 1 if head and head.seq else 1)
            return _Tail(place, 0, 0, seq, digest), told
        size, inode, torn = self._repaired(found[-1], seq + len(told) + 1)
        return _Tail(found[-1], size, inode, seq, digest), [*told, *torn]

    def _repaired(self, place: files.Segment, seq: int) -> tuple[int, int, list[Content]]:
        """Take an unfinished line away; gives the file's size, inode, and what to say of it.

        Whoever wrote that line holds the lock no more, and so is no more.
        """
        descriptor = files.open_to_append(place.path)
        try:
            now, whole = os.fstat(descriptor), files.whole_bytes(descriptor)
            if now.st_size == whole:
                return whole, now.st_ino, []
            if whole == 0 and place.number > 1:
                seq += 1  # the file's first entry comes before
            kept = self.directory / f"torn-{seq}.bin"
            digest = _copied(descriptor, whole, now.st_size, kept)
            files.sync_directory(self.directory)
            os.ftruncate(descriptor, whole)
            files.sync(descriptor)
        finally:
            os.close(descriptor)
        return whole, now.st_ino, [_said_torn(place, kept, now.st_size - whole, digest)]


def _chained(contents: Sequence[Content], tail: _Tail, at: float) -> tuple[list[bytes], int, str]:
    lines, seq, digest = list[bytes](), tail.seq, tail.hash
    for told in contents:
        seq += 1
        line, digest = line_of(told, seq=seq, at=at, prev=digest)
        lines.append(line)
    return lines, seq, digest


def _bytes(lines: Sequence[bytes]) -> int:
    return sum(len(line) + 1 for line in lines)


def _last(found: Sequence[files.Segment]) -> Link | None:
    """Find the last line that is an entry."""
    for place in reversed(found):
        with files.reading(place.path) as descriptor:
            for link in _links(descriptor):
                return link
    return None


def _links(descriptor: int) -> Iterator[Link]:
    for _, line in files.backwards(descriptor, os.fstat(descriptor).st_size):
        try:
            link = link_of(line)
        except UNREADABLE:
            continue
        if is_whole(line, link.hash):
            yield link


def _copied(descriptor: int, start: int, end: int, to: Path) -> str:
    """Copy a part of a file into one of its own; gives its SHA-256."""
    hasher = hashlib.sha256()
    to.unlink(missing_ok=True)  # of a try before
    copy = files.open_to_append(to)
    try:
        while start < end:
            block = os.pread(descriptor, min(_COPY_BYTES, end - start), start)
            if not block:
                break
            hasher.update(block)
            os.write(copy, block)
            start += len(block)
        files.sync(copy)
    finally:
        os.close(copy)
    return hasher.hexdigest()


def _said_torn(place: files.Segment, kept: Path, size_bytes: int, digest: str) -> Content:
    return content(
        kind="console",
        by=CONSOLE,
        what="unfinished entry set aside",
        subjects=[place.path.name, kept.name],
        arguments={"file": kept.name, "bytes": size_bytes, "sha256": digest},
        outcome="done",
        detail=f"A crash or a full disk left {size_bytes:,} bytes of an entry at the end of "
        f"{place.path.name}. They are in {kept.name} now.",
    )


def _said_missing(head: files.Head, seq: int) -> Content:
    if head.seq == seq:
        detail = f"Entry {seq} is not the one that head.json tells of."
    else:
        names = (
            f"Entry {head.seq} is"
            if head.seq == seq + 1
            else f"Entries {seq + 1} to {head.seq} are"
        )
        detail = f"{names} not there, though head.json tells of entry {head.seq}."
    return content(
        kind="console",
        by=CONSOLE,
        what="entries missing",
        arguments={"last": seq, "head": head.seq, "head_hash": head.hash},
        outcome="failed",
        detail=f"{detail} The end of the trail was cut off or changed, or its files were deleted.",
    )


def _said_no_head() -> Content:
    return content(
        kind="console",
        by=CONSOLE,
        what="head missing",
        outcome="failed",
        detail="head.json was not there, or is no head: nobody knows whether entries before this "
        "one were cut off.",
    )
