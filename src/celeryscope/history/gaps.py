"""What is missing: times of which events were lost, kept beside the tasks.

Each console that writes into a history notes what it knows (`Gaps`): when it was cut off from the
broker, what heartbeats prove to have been lost, what it had no room for, and from when to when no
console ran. A time at which one console was blind and another one saw everything is no gap of the
history: `between` gives what nobody saw.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Literal, NamedTuple, Protocol
from uuid import uuid4

from celeryscope.errors import Unavailable
from celeryscope.history.database import Database
from celeryscope.history.record import microseconds, seconds
from celeryscope.history.sql import queries

logger = logging.getLogger(__name__)

Kind = Literal["disconnected", "lost", "dropped", "stopped"]

#: A console says so often that it is there, and is taken for dead after so long without.
SIGN_SECONDS: Final = 5.0
DEAD_SECONDS: Final = 60.0
_MOST_CONSOLES: Final = 1_000
_MOST_WAITING: Final = 5_000  # gaps, while the database cannot be written
#: Losses that follow each other within so much are one gap.
_JOIN_SECONDS: Final = 60.0
_FIRST_SECONDS: Final = 60.0  # of a loss from a worker's start on
_FLUSH_SECONDS: Final = 30.0
_LAST_SECONDS: Final = 3.0  # a database that cannot be written does not hold up the end
_PRUNE_SECONDS: Final = 3_600.0
_DAY_SECONDS: Final = 86_400.0

NOT_RUNNING: Final = "The console was not running."
BUFFER_FULL: Final = "More events came than the console could take in; its buffer was full."
NOT_WRITTEN: Final = "The history could not be written, and more waited than there is room for."
NEVER_CAME: Final = "Its heartbeats count tasks whose events never reached the console."


class Gap(NamedTuple):
    """A time of which something is missing. Times: epoch seconds."""

    start: float
    end: float | None  # None while it lasts
    kind: Kind
    worker: str | None  # of `lost`: whose events
    events: int | None  # so many at least; None: nobody knows
    reason: str  # a sentence


class Run(NamedTuple):
    """One run of a console, from start to end. Times: whole microseconds."""

    id: str
    broker: str
    host: str
    pid: int
    started: int
    seen: int
    stopped: int


class Row(NamedTuple):
    """A row of `gap`. Times: whole microseconds."""

    console: str
    kind: Kind
    worker: str
    start: int
    stop: int | None
    events: int | None
    reason: str


class Readable(Protocol):
    """A history that can be read."""

    def reading(self) -> AbstractContextManager[Any]: ...


class Writable(Protocol):
    """A history that can be written."""

    def writing(self) -> AbstractContextManager[Database]: ...
    def flush(self, timeout_seconds: float = 60.0) -> None: ...


class Cut(Protocol):
    """A time without the broker (`cluster.accounting.Gap`)."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float | None: ...
    @property
    def reason(self) -> str: ...


class Gaps:
    """Notes what one console misses. `tell` and `connected` never block; a thread writes.

    `broker` is the broker's URL without the password. What is older than `keep_seconds` (0: for
    ever) is let go of.
    """

    def __init__(
        self,
        history: Writable,
        *,
        broker: str,
        keep_seconds: float = 0.0,
        sign_seconds: float = SIGN_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._keep_seconds = keep_seconds
        self._sign_seconds = sign_seconds
        self._clock = clock
        now = microseconds(clock())
        self._run = Run(uuid4().hex, broker, socket.gethostname(), os.getpid(), now, now, 0)
        self._lock = threading.Lock()
        self._waiting: OrderedDict[tuple[Kind, str, int], Row] = OrderedDict()
        self._cuts: list[Row] = []  # those told of the last time
        self._open: dict[tuple[str, str], Row] = {}  # by worker and reason: the last may grow
        self._counts: dict[str, int] = {}
        self._told_at = clock()
        self._connected: float | None = None
        self._away: Row | None = None  # from when to when no console ran
        self._looked_back = False
        self._pruned = 0.0
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write; a database that cannot be written is tried again."""
        self._thread = threading.Thread(target=self._loop, name="gaps", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say that this console ends, and end."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2 * _LAST_SECONDS)

    # ------------------------------------------------------------------ what is told

    def connected(self, at: float) -> None:
        """Note that events reach us; what was before the first time was missed."""
        with self._lock:
            if self._connected is None:
                self._connected = at
                if self._away is not None:
                    self._away = self._away._replace(stop=microseconds(at))
                    self._put(self._away)
                    self._wake.set()

    def tell(
        self,
        *,
        now: float,
        cuts: Iterable[Cut] = (),
        lost: Iterable[tuple[str, float, float, int]] = (),
        dropped: int = 0,
        unwritten: int = 0,
    ) -> None:
        """Say what is known to be missing, about once a second.

        `lost` has the worker, after when and until when (our clock), and how many tasks began
        that we know nothing of. `dropped` and `unwritten` are how many messages there was no room
        for since the start, in the buffer and in front of the database.
        """
        with self._lock:
            known, self._cuts = self._cuts, []
            for cut in cuts:
                stop = None if cut.end is None else microseconds(cut.end)
                row = self._row("disconnected", "", cut.start, stop, None, cut.reason)
                self._cuts.append(row)
                if row not in known:
                    self._put(row)
            for worker, after, until, starts in lost:
                after = max(after, until - (_FIRST_SECONDS if after < 0 else _DAY_SECONDS))
                self._grow("lost", worker, after, until, starts, NEVER_CAME)
            counts = {BUFFER_FULL: dropped, NOT_WRITTEN: unwritten}
            for number, (reason, count) in enumerate(counts.items()):
                more = count - self._counts.get(reason, 0)
                if more > 0:
                    # (Gaps of one kind begin at different times: that is how they are told apart.)
                    start = self._told_at + number / 1_000_000
                    self._grow("dropped", "", start, now, more, reason)
            self._counts = counts
            self._told_at = now

    def _grow(
        self, kind: Kind, worker: str, start: float, stop: float, events: int, reason: str
    ) -> None:
        """Make the last gap of the kind longer, or begin a new one."""
        last = self._open.get((worker, reason))
        if last is not None and microseconds(start - _JOIN_SECONDS) <= (last.stop or 0):
            row = last._replace(
                stop=max(last.stop or 0, microseconds(stop)), events=(last.events or 0) + events
            )
        else:
            row = self._row(kind, worker, start, microseconds(stop), events, reason)
        if len(self._open) >= _MOST_WAITING:
            del self._open[next(iter(self._open))]
        self._open[worker, reason] = row
        self._put(row)

    def _row(
        self,
        kind: Kind,
        worker: str,
        start: float,
        stop: int | None,
        events: int | None,
        reason: str,
    ) -> Row:
        return Row(self._run.id, kind, worker, microseconds(start), stop, events, reason)

    def _put(self, row: Row) -> None:
        self._waiting[row.kind, row.worker, row.start] = row
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)

    # ------------------------------------------------------------------ the thread

    def _loop(self) -> None:
        while True:
            self._wake.clear()
            stopping = self._stopping
            try:
                self.write(stopping=stopping)
            except Unavailable as error:
                logger.debug("gaps cannot be noted: %s", error)
            except Exception:
                # A gap that is not noted must not end the noting of gaps.
                logger.exception("gaps could not be noted")
            if stopping:
                return
            self._wake.wait(self._sign_seconds if self._looked_back else 1.0)

    def write(self, *, stopping: bool = False) -> None:
        """Write what is new, and that we are here. Raises Unavailable."""
        now = self._clock()
        if self._looked_back:
            self._history.flush(_LAST_SECONDS if stopping else _FLUSH_SECONDS)
        with self._lock:
            waiting = list(self._waiting.values())
        run = self._run._replace(seen=microseconds(now), stopped=int(stopping))
        with self._history.writing() as db:
            if not self._looked_back:
                away = self._look_back(db)
                waiting += [] if away is None else [away]
            db.execute(queries()["put_console"], run)
            db.executemany(queries()["put_gap"], waiting)
            if self._keep_seconds and now - self._pruned > _PRUNE_SECONDS:
                self._pruned = now
                prune(db, now - self._keep_seconds)
        with self._lock:
            for row in waiting:
                if self._waiting.get((row.kind, row.worker, row.start)) == row:
                    del self._waiting[row.kind, row.worker, row.start]
            if not self._looked_back:
                self._looked_back, self._away = True, away
                if away is not None and away.stop is None and self._connected is not None:
                    self._put(away._replace(stop=microseconds(self._connected)))

    def _look_back(self, db: Database) -> Row | None:
        """End what consoles that died left open, and say from when on nobody was here."""
        mine, named = self._run, queries()
        found = db.execute(named["last_consoles"], (mine.broker, mine.id, _MOST_CONSOLES))
        runs = [Run(*one) for one in found]
        gone = [run for run in runs if self._is_gone(run)]
        db.executemany(named["stop_console"], [(run.id,) for run in gone if not run.stopped])
        left = db.execute(
            named["open_gaps"], (mine.id, mine.started - microseconds(DEAD_SECONDS))
        ).fetchall()
        db.executemany(
            named["close_gap"],
            [
                (max(start, seen), console, kind, worker, start)
                for console, kind, worker, start, seen in left
            ],
        )
        if not runs:
            return None
        last = max(run.seen for run in gone or runs)
        if last >= mine.started:
            return None
        stop = None if self._connected is None else microseconds(self._connected)
        return Row(mine.id, "stopped", "", last, stop, None, NOT_RUNNING)

    def _is_gone(self, run: Run) -> bool:
        mine = self._run
        if not _alive(run, mine.started):
            return True
        return run.host == mine.host and (run.pid == mine.pid or not _is_process(run.pid))


def prune(db: Database, before: float) -> int:
    """Let go of gaps that ended before a time (epoch seconds), in a transaction that writes."""
    at = (microseconds(before),)
    db.execute(queries()["prune_consoles"], at)
    return db.execute(queries()["prune_gaps"], at).rowcount


def between(
    history: Readable, start: float, stop: float, *, now: float, most: int = 1_000
) -> list[Gap]:
    """Give the gaps that touch a time (epoch seconds), the oldest first.

    Of more than `most` the newest are given. Raises Unavailable where the history cannot be read.
    """
    low, high = microseconds(start), microseconds(stop)
    with history.reading() as db:
        found = db.execute(queries()["gaps_between"], (high, low, most)).fetchall()
        rows = [Row(*one) for one in found]
        runs: list[Run] = []
        if rows:
            oldest = min(row.start for row in rows)
            told = db.execute(
                queries()["consoles_between"], (microseconds(now), oldest, _MOST_CONSOLES)
            )
            runs = [Run(*one) for one in told]
    gaps = unseen(rows, runs, now=microseconds(now))
    return [gap for gap in gaps if gap.start < stop and (gap.end is None or gap.end > start)]


def unseen(rows: Sequence[Row], runs: Iterable[Run], *, now: int) -> list[Gap]:
    """Leave of the gaps what no other console of the same broker saw. `now` in microseconds."""
    by_id = {run.id: run for run in runs}
    ends = {run.id: None if _alive(run, now) else run.seen for run in by_id.values()}
    rows_of: dict[str, list[Row]] = {}
    for row in rows:
        rows_of.setdefault(row.console, []).append(row)
    pieces: list[tuple[Row, int, int | None]] = []
    for row in rows:
        mine = by_id.get(row.console)
        stop = row.stop
        if stop is None and (mine is None or not _alive(mine, now)):
            stop = max(row.start, row.start if mine is None else mine.seen)
        others = [
            (run.id, run.started, end)
            for run in by_id.values()
            if ((end := ends[run.id]) is None or end > row.start)
            and (stop is None or run.started < stop)
            and mine is not None
            and run.id != row.console
            and run.broker == mine.broker
        ]
        left: list[tuple[int, int | None]] = [(row.start, stop)]
        for ident, began, end in others:
            blind = [
                (other.start, other.stop) for other in rows_of.get(ident, ()) if _blinds(other, row)
            ]
            for seen in _without([(began, end)], blind):
                left = _without(left, [seen])
        pieces += [(row, begin, end) for begin, end in left]
    return _merged(pieces)


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _alive(run: Run, now: int) -> bool:
    return not run.stopped and now - run.seen < microseconds(DEAD_SECONDS)


def _blinds(other: Row, row: Row) -> bool:
    """Say whether a console in the gap `other` cannot have seen what is missing in `row`."""
    if other.kind in ("disconnected", "stopped"):
        return True
    return other.kind == row.kind and other.worker == row.worker


def _without(
    spans: Iterable[tuple[int, int | None]], holes: Iterable[tuple[int, int | None]]
) -> list[tuple[int, int | None]]:
    """Cut holes out of spans; None is an end that is open."""
    left = list(spans)
    for low, high in holes:
        cut: list[tuple[int, int | None]] = []
        for start, stop in left:
            if (stop is not None and stop <= low) or (high is not None and start >= high):
                cut.append((start, stop))
                continue
            if start < low:
                cut.append((start, low))
            if high is not None and (stop is None or stop > high):
                cut.append((high, stop))
        left = cut
    return left


def _merged(pieces: Iterable[tuple[Row, int, int | None]]) -> list[Gap]:
    """Make one of what several consoles tell of the same time."""
    merged: list[tuple[Row, int, int | None]] = []
    for row, start, stop in sorted(pieces, key=lambda piece: (piece[1], piece[0])):
        for at, (known, begin, end) in enumerate(merged):
            same = known.kind == row.kind and known.worker == row.worker
            if same and known.console != row.console and (end is None or end >= start):
                events = max(known.events or 0, row.events or 0) or None
                end = None if end is None or stop is None else max(end, stop)
                merged[at] = (known._replace(events=events), begin, end)
                break
        else:
            merged.append((row, start, stop))
    return [
        Gap(
            seconds(start), None if stop is None else seconds(stop), row.kind,
            row.worker or None, row.events, row.reason,
        )
        for row, start, stop in merged
    ]  # fmt: skip
