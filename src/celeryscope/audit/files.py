"""The files of a trail: which there are, their lines from either end, the head, the lock.

audit-000001.jsonl   entries, a line each; a further file when this one is full
head.json            the last entry's number and hash, and the file it is in
lock                 whoever writes holds it
torn-41.bin          what a crash left of an unfinished line; entry 41 tells of it
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from celeryscope.audit.entry import MOST_LINE_BYTES

_BLOCK_BYTES = 64 * 1024
_NEAR_BYTES = 256 * 1024
_PRIVATE = 0o600
_READ_PATIENCE_SECONDS = 2.0
_SEGMENT = re.compile(r"audit-([0-9]{6,12})\.jsonl")
#: Stands for a line that is too long to be one.
TOO_LONG: Final = b"\x00"
_MOST_HEAD_BYTES = 4_096

#: Where that is missing (macOS), the slower one.
sync = getattr(os, "fdatasync", os.fsync)


class Segment(NamedTuple):
    """One file of entries."""

    number: int
    path: Path


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where the trail ends, kept beside it: shows that its end was cut off."""

    seq: int
    hash: str
    segment: int


def segment(directory: Path, number: int) -> Segment:
    """Name a file of entries."""
    return Segment(number, directory / f"audit-{number:06}.jsonl")


def segments(directory: Path) -> list[Segment]:
    """List the files of entries, the oldest first; none where there is no directory.

    Raises OSError.
    """
    try:
        names = [entry.name for entry in os.scandir(directory)]
    except FileNotFoundError:
        return []
    numbers = [int(found[1]) for name in names if (found := _SEGMENT.fullmatch(name))]
    return [segment(directory, number) for number in sorted(numbers)]


def make_directory(directory: Path) -> None:
    """Make the directory, and the one around it, for their owner alone. Raises OSError."""
    if directory.is_dir():
        return
    if not directory.parent.exists():
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    with reading(directory) as descriptor:
        _give_to_owner(descriptor, directory.parent)


def open_to_append(path: Path) -> int:
    """Open a file of entries for writing at its end, and make it. Raises OSError."""
    return _made(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)


def _made(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    try:
        _give_to_owner(descriptor, path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _give_to_owner(descriptor: int, directory: Path) -> None:
    """Let root, who runs a command, leave no file that the console may not write."""
    if os.geteuid() == 0:
        now, owner = os.fstat(descriptor), directory.stat()
        if now.st_uid != owner.st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[int]:
    """Open a file for reading. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make sure that a new name in a directory outlives a power cut. Raises OSError."""
    with reading(directory) as descriptor:
        os.fsync(descriptor)


# ---------------------------------------------------------------------- the head


def read_head(directory: Path) -> Head | None:
    """Read the head; None: there is none, or it is none. Raises OSError."""
    try:
        with reading(directory / "head.json") as descriptor:
            written = os.read(descriptor, _MOST_HEAD_BYTES)
        return msgspec.json.decode(written, type=Head)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_head(directory: Path, head: Head) -> None:
    """Replace the head in one go. For whoever holds the lock. Raises OSError."""
    new = directory / "head.json.new"
    descriptor = _made(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(descriptor, msgspec.json.encode(head) + b"\n")
        sync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(directory / "head.json")


# ---------------------------------------------------------------------- the lock


@contextlib.contextmanager
def locked(directory: Path, *, patience_seconds: float) -> Iterator[None]:
    """Be the only one to write. Raises TimeoutError where another holds it for so long."""
    path = directory / "lock"
    give_up_at = time.monotonic() + patience_seconds
    pause_seconds = 0.001
    while True:
        descriptor = _made(path, os.O_RDWR | os.O_CREAT)
        try:
            if _try_lock(descriptor, path):
                yield
                return
        finally:
            os.close(descriptor)
        if time.monotonic() >= give_up_at:
            raise TimeoutError("another process holds the lock and does not let go")
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, 0.02)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Somebody may have deleted it since, and others lock another one.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


@contextlib.contextmanager
def nobody_writing(directory: Path) -> Iterator[None]:
    """Keep writers out for a moment, where one may: a copy elsewhere has none."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        give_up_at = time.monotonic() + _READ_PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.002)
        yield
    finally:
        os.close(descriptor)


# ---------------------------------------------------------------------- lines


def forwards(descriptor: int, end: int) -> Iterator[bytes]:
    """Give the lines of a file up to `end`, without their newlines. Raises OSError.

    What follows the last newline before `end` is no line. One that is too long is TOO_LONG.
    """
    position, rest = 0, b""
    while position < end:
        block = os.pread(descriptor, min(_BLOCK_BYTES, end - position), position)
        if not block:
            return
        position += len(block)
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        yield from lines
        if len(rest) > MOST_LINE_BYTES:
            rest = TOO_LONG


def backwards(descriptor: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give where each line before `end` begins, and the line, the last first. Raises OSError.

    What follows the last newline before `end` is no line. One that is too long is TOO_LONG.
    """
    position, rest, is_tail = end, b"", True
    while position > 0:
        size = min(_BLOCK_BYTES, position)
        position -= size
        block = os.pread(descriptor, size, position)
        if len(block) < size:  # it became shorter meanwhile
            return
        rest, *lines = (block + rest).split(b"\n")
        begins = position + len(rest) + 1
        places = []
        for line in lines:
            places.append((begins, line))
            begins += len(line) + 1
        if places and is_tail:
            places.pop()
            is_tail = False
        yield from reversed(places)
        if len(rest) > MOST_LINE_BYTES:
            rest = TOO_LONG
    if end > 0 and not is_tail:
        yield 0, rest


def whole_bytes(descriptor: int) -> int:
    """Tell where the last whole line of a file ends. Raises OSError."""
    position = os.fstat(descriptor).st_size
    while position > 0:
        size = min(_BLOCK_BYTES, position)
        position -= size
        newline = os.pread(descriptor, size, position).rfind(b"\n")
        if newline >= 0:
            return position + newline + 1
    return 0


def line_after(descriptor: int, position: int) -> tuple[int, bytes] | None:
    """Give the first line that begins after `position`, and where; None: there is none near."""
    begins = None
    data, at = b"", position
    while len(data) <= 2 * MOST_LINE_BYTES:
        block = os.pread(descriptor, _BLOCK_BYTES, at)
        if not block:
            return None
        data, at = data + block, at + len(block)
        if begins is None and (newline := data.find(b"\n")) >= 0:
            begins = newline + 1
        if begins is not None and (newline := data.find(b"\n", begins)) >= 0:
            return position + begins, data[begins:newline]
    return None


def narrow(descriptor: int, end: int, *, is_after: Callable[[bytes], bool | None]) -> int:
    """Give a place at or before `end`, where a line begins. All lines that are not after what is
    looked for are before it, and few others. `is_after` says None of a line that it cannot read.

    Raises OSError.
    """
    low = 0
    while end - low > _NEAR_BYTES:
        found = line_after(descriptor, (low + end) // 2)
        if found is None or found[0] >= end:
            break
        after = is_after(found[1])
        if after is None:
            break
        if after:
            end = found[0]
        else:
            low = found[0]
    return end
