"""The trail: who writes in it, and who reads."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from celeryscope.audit import files, table
from celeryscope.audit.appender import UNREADABLE, Appender
from celeryscope.audit.entry import (
    CONSOLE,
    By,
    Content,
    Entry,
    Kind,
    content,
    entry_of,
    line_of,
    link_of,
)
from celeryscope.audit.filter import Filter
from celeryscope.errors import Unavailable
from celeryscope.model.actor import Actor

#: Every entry, as one line of JSON; its record has that as `audit`, too.
auditor = logging.getLogger("celeryscope.audit")
#: Beside it: who collects the audit lines wants nothing else among them.
logger = logging.getLogger("celeryscope.trail")

#: One answer looks at no more of the files: the next goes on from there.
MOST_READ_BYTES: Final = 16 * 2**20
#: Clocks are set back now and then; an entry older than asked for by this much ends the search.
_SLACK_SECONDS: Final = 3_600.0
_PIECE_BYTES = 64 * 1024


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries, the newest first."""

    entries: list[Entry]  # may be empty though there are older ones
    next: int | None  # give it as `before` for the entries before; None: there are none
    unreadable: int = 0  # lines on the way that are no entries: `celeryscope audit verify` tells


class _Trouble(NamedTuple):
    """Since when entries are not kept, and why."""

    since: float
    why: str
    entries: int  # that were not kept


class Trail:
    """The audit trail in one directory; None: it is in the log only. For any thread.

    The directory is made when the first entry is written.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        segment_bytes: int = 64 * 2**20,
    ) -> None:
        """`segment_bytes`: a file that would be larger is left, and the next one begun."""
        self.directory = directory
        #: Entries that could not be kept, since the start. They are in the log.
        self.unwritten = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._appender = (
            None if directory is None else Appender(directory, segment_bytes=segment_bytes)
        )
        self._trouble: _Trouble | None = None

    @property
    def kept(self) -> bool:
        """Say whether entries are to be kept in files."""
        return self.directory is not None

    @property
    def error(self) -> str | None:
        """Say why entries cannot be kept at the moment, and since when; None: they are."""
        trouble = self._trouble
        if trouble is not None:
            count = f"{trouble.entries:,} entries are" if trouble.entries > 1 else "An entry is"
            return (
                f"The audit trail in {self.directory} cannot be written since "
                f"{_second(trouble.since)}: {trouble.why}. {count} in the log only."
            )
        if self._appender and (head := self._appender.head_trouble):
            return (
                f"head.json in {self.directory} cannot be written: {_why(head)}. Entries are kept; "
                "that the end of the trail was cut off would not be seen."
            )
        return None

    # ------------------------------------------------------------------ writing

    def write(
        self,
        *,
        kind: Kind,
        by: Actor | By,
        what: str,
        workers: Sequence[str] | None = None,
        subjects: Sequence[str] = (),
        arguments: Mapping[str, Any] | None = None,
        outcome: str = "",
        detail: str = "",
        action: str = "",
    ) -> None:
        """Add an entry and log it. Takes its time: the disk has it before this returns.

        `arguments` are masked already. Never raises: what cannot be kept is logged all the same,
        counted in `unwritten`, and `error` says why.
        """
        try:
            told = content(
                kind=kind,
                by=by,
                what=what,
                workers=workers,
                subjects=subjects,
                arguments=arguments,
                outcome=outcome,
                detail=detail,
                action=action,
            )
            for line in self._keep(told):
                auditor.info("%s", line, extra={"audit": line})
        except Exception as trouble:
            # Nobody may be kept from what they do by it, nor get around it in silence.
            logger.exception("an entry of the audit trail cannot be made")
            with self._lock:
                self._not_kept(self._clock(), f"{type(trouble).__name__} in making an entry")

    def _keep(self, told: Content) -> list[str]:
        """Write an entry if that is possible; gives the lines to be logged."""
        with self._lock:
            at = self._clock()
            if self._appender is None:
                return [_loose(told, at)]
            before = self._trouble
            gap = [_said_gap(before, at)] if before and before.entries else []
            try:
                lines = self._appender.append([*gap, told], at=at)
            except OSError as trouble:
                self._not_kept(at, _why(trouble))
                return [_loose(told, at)]
            if before is not None:
                self._trouble = None
                logger.warning("the audit trail is written again")
            return [line.decode() for line in lines]

    def _not_kept(self, at: float, why: str) -> None:
        before = self._trouble
        self.unwritten += 1
        if before is None:
            logger.error("the audit trail cannot be written: %s", why)
        self._trouble = _Trouble(
            before.since if before else at, why, (before.entries if before else 0) + 1
        )

    # ------------------------------------------------------------------ reading

    def read(self, which: Filter, *, before: int | None = None, limit: int = 100) -> Page:
        """Give at most `limit` entries that are meant, the newest first.

        `before`: only those with a smaller number. Raises Unavailable.
        """
        if self.directory is None:
            return Page(entries=[], next=None)
        return _read(self.directory, which, before=before, limit=limit)

    def export(self, which: Filter) -> Iterator[bytes]:
        """Give all entries that are meant as JSON Lines, the oldest first, in pieces.

        They are the very lines of the files; without a filter also those that are no entries.
        Raises Unavailable.
        """
        every, lines = which == Filter(), self._lines(which)
        return _pieces(line + b"\n" for line, entry in lines if entry is not None or every)

    def export_csv(self, which: Filter) -> Iterator[bytes]:
        """Give all entries that are meant as CSV, the oldest first, in pieces.

        Raises Unavailable.
        """
        lines = self._lines(which)
        return _pieces(table.rows(entry for _, entry in lines if entry is not None))

    def _lines(self, which: Filter) -> Iterator[tuple[bytes, Entry | None]]:
        return iter(()) if self.directory is None else _lines(self.directory, which)


# ---------------------------------------------------------------------- what is written


def _loose(told: Content, at: float) -> str:
    """Write an entry that has no place in a chain."""
    return line_of(told, seq=0, at=at, prev="")[0].decode()


def _said_gap(trouble: _Trouble, at: float) -> Content:
    count = f"{trouble.entries:,} entries" if trouble.entries > 1 else "One entry"
    return content(
        kind="console",
        by=CONSOLE,
        what="entries not kept",
        arguments={"count": trouble.entries, "since": trouble.since, "until": at},
        outcome="failed",
        detail=f"{count} from {_second(trouble.since)} on could not be kept: {trouble.why}. The "
        "log has them.",
    )


def _why(trouble: OSError) -> str:
    what = trouble.strerror or str(trouble) or type(trouble).__name__
    return f"{trouble.filename}: {what}" if trouble.filename else what


def _second(at: float) -> str:
    return table.utc(at, timespec="seconds")


# ---------------------------------------------------------------------- what is read


def _read(directory: Path, which: Filter, *, before: int | None, limit: int) -> Page:
    entries, unreadable, left = list[Entry](), 0, MOST_READ_BYTES
    try:
        for line in _newest(directory, before):
            left -= len(line)
            try:
                entry = entry_of(line)
            except UNREADABLE:
                unreadable += 1
                continue
            if before is not None and entry.seq >= before:
                continue
            if which.since is not None and entry.at < which.since - _SLACK_SECONDS:
                break
            if which.matches(entry):
                entries.append(entry)
            if len(entries) >= limit or left <= 0:
                following = entry.seq if entry.seq > 1 else None
                return Page(entries=entries, next=following, unreadable=unreadable)
    except OSError as trouble:
        raise _unreadable(directory, trouble) from trouble
    return Page(entries=entries, next=None, unreadable=unreadable)


def _newest(directory: Path, before: int | None) -> Iterator[bytes]:
    """Give the lines of all files, the last first, few of them from `before` on."""

    def is_after(line: bytes) -> bool | None:
        try:
            return before is not None and link_of(line).seq >= before
        except UNREADABLE:
            return None

    for place in reversed(files.segments(directory)):
        try:
            with files.reading(place.path) as descriptor:
                end = os.fstat(descriptor).st_size
                if before is not None:
                    end = files.narrow(descriptor, end, is_after=is_after)
                for _, line in files.backwards(descriptor, end):
                    yield line
        except FileNotFoundError:  # deleted this moment
            continue


def _lines(directory: Path, which: Filter) -> Iterator[tuple[bytes, Entry | None]]:
    """Give lines and the entries that are meant in them; None: a line that is no entry."""
    try:  # at once, not when the answer has begun
        places = files.segments(directory)
        if places:
            with files.reading(places[-1].path):
                pass
    except OSError as trouble:
        raise _unreadable(directory, trouble) from trouble
    return _lines_of(places, directory, which)


def _lines_of(
    places: Sequence[files.Segment], directory: Path, which: Filter
) -> Iterator[tuple[bytes, Entry | None]]:
    try:
        for number, place in enumerate(places, 1):
            if number < len(places) and _is_too_old(places[number], which.since):
                continue
            with files.reading(place.path) as descriptor:
                for line in files.forwards(descriptor, os.fstat(descriptor).st_size):
                    try:
                        entry = entry_of(line)
                    except UNREADABLE:
                        yield line, None
                        continue
                    if which.matches(entry):
                        yield line, entry
    except OSError as trouble:
        raise _unreadable(directory, trouble) from trouble


def _is_too_old(following: files.Segment, since: float | None) -> bool:
    """Say whether all before this file is older than asked for."""
    if since is None:
        return False
    with files.reading(following.path) as descriptor:
        end = os.fstat(descriptor).st_size
        for line in files.forwards(descriptor, end):
            try:
                return link_of(line).at < since - _SLACK_SECONDS
            except UNREADABLE:
                return False
    return False


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _unreadable(directory: Path, trouble: OSError) -> Unavailable:
    where = trouble.filename or f"The audit trail in {directory}"
    return Unavailable(
        f"{where} cannot be read: {trouble.strerror or trouble}.",
        hint="The console's user needs to own the directory and its files.",
    )
