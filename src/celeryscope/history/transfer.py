"""The history as lines of JSON, out and in again: one task a line, with all that is known of it.

The format has a page: docs/reference/history-export.md. A line holds the set of events of its task
(`record`), so what comes in is joined to what is there by the same rule as events are: coming in
twice changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final, NamedTuple, Protocol, cast, get_args

import msgspec

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history import rows
from celeryscope.history.database import Database
from celeryscope.history.finding import Cursor, Page, Sort, read_record
from celeryscope.history.gaps import Kind as GapKind
from celeryscope.history.gaps import Row as GapRow
from celeryscope.history.record import (
    EXPIRED,
    FETCHED,
    KINDS,
    TERMINATED,
    TRUNCATED,
    About,
    Named,
    Record,
    Told,
    Way,
    microseconds,
    take,
)
from celeryscope.history.rows import Row
from celeryscope.history.search import id_text
from celeryscope.history.sql import queries
from celeryscope.history.words import Words
from celeryscope.model.event import Event
from celeryscope.model.query import EVERYTHING, Query
from celeryscope.model.text import storable

#: Grows when a reader of the one before could not read a line rightly.
VERSION: Final = 1
#: A longer line is no line of ours.
MOST_LINE_BYTES: Final = 16 * 2**20
_MOST_TEXT_CHARS = 10_000  # of an id, a name, a worker …
_LONGEST = 2**60  # microseconds
_MOST_EVENTS = 1_000  # of a task
_MOST_NAMES = 100  # of tasks that had one id
_AT_ONCE = 500  # tasks
_HOLD_SECONDS = 10.0  # one state of the database
_ANY_LENGTH = 2**62
_KINDS = frozenset(KINDS.values())
_FORMAT = "celeryscope-history"


class EventLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One event of a task. Times: whole microseconds since the epoch."""

    at: int
    kind: str  # the event's type without "task-"; a state of a project's own is in capitals
    worker: str = ""  # who sent the event: of `sent` the client
    retries: int = 0
    number: int | None = None  # microseconds: of a start its wait, of a success its runtime
    result: str | None = None
    exception: str | None = None
    traceback: str | None = None
    flags: int = 0
    signum: str | None = None


class NameLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A task that had the id; others took its place (`Task.replace`), or it took theirs."""

    name: str
    first: int  # when an event told of it first, and last
    last: int
    args: str | None = None
    kwargs: str | None = None
    eta: str | None = None
    expires: str | None = None
    retries: int = -1
    described_at: int = 0
    truncated: bool = False


class TaskLine(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="task"):
    """A task. Times: whole microseconds since the epoch."""

    id: str
    # How it stands: for people and programs, not for coming in.
    state: str = ""
    at: int = 0
    worker: str | None = None
    runtime: int | None = None
    wait: int | None = None
    # What was said of it, last by an event of `described_at` and `retries`.
    name: str | None = None
    args: str | None = None
    kwargs: str | None = None
    eta: str | None = None
    expires: str | None = None
    retries: int = -1
    described_at: int = 0
    truncated: bool = False
    # How it was sent, last at `routed_at`.
    client: str | None = None
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    routed_at: int = 0
    root: str | None = None
    parent: str | None = None
    names: list[NameLine] = []  # where there was more than one
    events: list[EventLine] = []


class GapLine(msgspec.Struct, kw_only=True, tag_field="kind", tag="gap"):
    """A time of which something is missing. Times: whole microseconds since the epoch."""

    console: str
    what: str
    worker: str
    start: int
    stop: int
    events: int | None = None
    reason: str = ""


class HeadLine(msgspec.Struct, kw_only=True, tag_field="kind", tag=_FORMAT):
    """The first line."""

    version: int
    exported_at: int


class Bad(NamedTuple):
    """A line, or a task of another file, that cannot be read."""

    number: int  # from 1
    why: str


Line = TaskLine | GapLine | HeadLine
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


class Report(NamedTuple):
    """What became of what came in."""

    tasks: int = 0  # that could be read
    changed: int = 0  # of them: that were not known so
    gaps: int = 0
    bad: int = 0


class Cutting(Protocol):
    """What is kept of texts."""

    def cut(self, text: str, most_chars: int) -> str:
        """Mask a text, then cut it."""

    @property
    def max_text_chars(self) -> int: ...
    @property
    def keep_arguments(self) -> bool: ...


class Merged(Cutting, Protocol):
    """The history, as far as what comes in needs it."""

    def merge(self, tasks: Sequence[tuple[str, Record]]) -> int:
        """Join records to what is known of their tasks; gives how many tasks that changed."""

    def writing(self) -> AbstractContextManager[Database]: ...


class Read(Protocol):
    """The history, as far as what goes out needs it."""

    words: Words

    def reading(self) -> AbstractContextManager[Any]: ...
    def search(
        self,
        query: Query,
        *,
        now: float,
        sort: Sort,
        after: Cursor | None,
        limit: int,
        most_seconds: float,
    ) -> Page: ...


# ---------------------------------------------------------------------- out


def tasks(history: Read, query: Query = EVERYTHING, *, now: float = 0.0) -> Iterator[TaskLine]:
    """Give every task that matches at `now` (epoch seconds).

    All of them: in about the order they came, as the history was at one moment if that takes no
    more than some seconds. One that changes meanwhile comes again then, as it stands. Those that
    match a query: the oldest first. Raises Unavailable where the history cannot be read.
    """
    if query == EVERYTHING:
        yield from _all(history)
        return
    after: Cursor | None = None
    while True:
        page = history.search(
            query, now=now, sort="oldest", after=after, limit=_AT_ONCE, most_seconds=30.0
        )
        with history.reading() as db:
            for task in page.tasks:
                found = db.execute(queries()["task"], (rows.id_key(task.uuid),)).fetchone()
                if found is not None:
                    yield _line(db, Row(*found), history.words)
        if not page.more:
            return
        if page.after is None or page.after == after:
            raise Unavailable("The history is too slow to look through all of it for this query.")
        after = page.after


def gaps(history: Read) -> Iterator[GapLine]:
    """Give every gap that is over."""
    with history.reading() as db:
        for console, what, worker, start, stop, events, reason in db.execute(queries()["all_gaps"]):
            yield GapLine(
                console=console, what=what, worker=worker, start=start, stop=stop, events=events,
                reason=reason,
            )  # fmt: skip


def head() -> HeadLine:
    return HeadLine(version=VERSION, exported_at=microseconds(time.time()))


def encode(line: Line) -> bytes:
    """Write a line, with its end."""
    try:
        return _encoder.encode(line) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair in an id: JSON has it escaped
        return json.dumps(msgspec.to_builtins(line)).encode() + b"\n"


def _all(history: Read) -> Iterator[TaskLine]:
    """Give all tasks by their `seq`, and hold no state of the database for longer than is good.

    What is written meanwhile cannot be taken out of SQLite's log, nor be vacuumed by PostgreSQL.
    A task that changes gets a `seq` at the end, one that outlives its block one below all others:
    both ends are looked at in the last transaction, so none is missed.
    """
    with history.reading() as db:
        (first,) = db.execute(queries()["lowest_seq"]).fetchone()
    if first is None:
        return
    seq, is_end = first - 1, False
    while not is_end:
        with history.reading() as db:
            until = time.monotonic() + _HOLD_SECONDS
            for row in _rows(db, seq):
                yield _line(db, row, history.words)
                seq = row.seq
                if time.monotonic() > until:
                    break
            else:
                is_end = True
                for row in _rows(db, None):
                    if row.seq >= first:
                        break
                    yield _line(db, row, history.words)


def _rows(db: Database, after: int | None) -> Iterator[Row]:
    """Give the rows behind one, or from the first on."""
    named = queries()
    if after is None:
        (lowest,) = db.execute(named["lowest_seq"]).fetchone()
        after = (lowest or 0) - 1
    while found := db.execute(named["all_tasks"], (after, _AT_ONCE)).fetchall():
        yield from (Row(*one) for one in found)
        after = found[-1][0]


def _line(db: Database, row: Row, words: Words) -> TaskLine:
    line = line_of(id_text(row.uuid), read_record(db, row, words.text))
    line.state, line.at = words.text(row.state) or "", row.at
    line.worker, line.runtime, line.wait = words.text(row.worker), row.runtime, row.wait
    return line


def line_of(uuid: str, record: Record) -> TaskLine:
    """Write down a record; how the task stands is not in it."""
    about, way = record.about, record.way
    ordered = sorted(record.told.values(), key=lambda one: (one.at, one.kind, one.sender))
    return TaskLine(
        id=uuid, name=about.name, args=about.args, kwargs=about.kwargs, eta=about.eta,
        expires=about.expires, retries=about.retries, described_at=about.at,
        truncated=bool(about.flags & TRUNCATED), client=way.client, queue=way.queue,
        exchange=way.exchange, routing_key=way.routing_key, routed_at=way.at, root=record.root,
        parent=record.parent,
        names=[
            NameLine(
                name=name, first=one.first, last=one.last, args=one.about.args,
                kwargs=one.about.kwargs, eta=one.about.eta, expires=one.about.expires,
                retries=one.about.retries, described_at=one.about.at,
                truncated=bool(one.about.flags & TRUNCATED),
            )
            for name, one in record.names.items()
        ],
        events=[
            EventLine(
                at=one.at, kind=one.kind, worker=one.sender, retries=one.retries,
                number=one.number, result=one.result, exception=one.exception,
                traceback=one.traceback, flags=one.flags, signum=one.signum,
            )
            for one in ordered
        ],
    )  # fmt: skip


def line_of_events(uuid: str, events: Iterable[Event]) -> TaskLine:
    """Write down what events tell of a task; texts are not masked or cut yet."""
    record = Record()
    for event in events:
        take(record, event, None, lambda text, _: text, _ANY_LENGTH)
    return line_of(uuid, record)


# ---------------------------------------------------------------------- in


def lines(file: BinaryIO, *, read: Callable[[int], None] | None = None) -> Iterator[Line | Bad]:
    """Read lines; `read` is told the size of each. Raises NotPossible for a newer format."""
    number = 0
    while line := file.readline(MOST_LINE_BYTES + 1):
        number += 1
        if read is not None:
            read(len(line))
        if len(line) > MOST_LINE_BYTES:
            yield Bad(number, f"longer than {MOST_LINE_BYTES:,} bytes")
            while len(line) > MOST_LINE_BYTES and not line.endswith(b"\n"):
                line = file.readline(MOST_LINE_BYTES + 1)
            continue
        if line.strip():
            yield decode(line, number)


def decode(line: bytes, number: int) -> Line | Bad:
    """Read a line. Raises NotPossible where it is the first one of a newer format."""
    try:
        found: Line = _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        if b"\\ud" not in line:
            return Bad(number, str(error)[:300])
        try:
            found = msgspec.convert(json.loads(line), Line)
        except (ValueError, RecursionError, msgspec.MsgspecError):
            return Bad(number, str(error)[:300])
    if isinstance(found, HeadLine) and found.version > VERSION:
        raise NotPossible(
            f"It was exported by a newer Celeryscope (format {found.version}; this one knows "
            f"{VERSION}).",
            hint="Import it with that one.",
        )
    return found


def take_in(
    history: Merged,
    items: Iterable[Line | Bad],
    *,
    bad: Callable[[Bad], None],
    done: Callable[[int], None] | None = None,
) -> Report:
    """Join what comes in to what is there, in short transactions; `bad` is told each bad line.

    Raises Unavailable where the history cannot be written: what came before is in it.
    """
    read = changed = wrong = known_gaps = 0
    batch: list[tuple[str, Record]] = []
    found_gaps: list[GapRow] = []
    for number, item in enumerate(items, 1):
        if isinstance(item, Bad):
            wrong += 1
            bad(item)
        elif isinstance(item, GapLine):
            try:
                found_gaps.append(to_gap(item))
            except ValueError as error:
                wrong += 1
                bad(Bad(number, f"gap: {error}"))
            if len(found_gaps) == _AT_ONCE:
                known_gaps += _put_gaps(history, found_gaps)
                found_gaps.clear()
        elif isinstance(item, TaskLine):
            try:
                batch.append((item.id, to_record(item, history)))
            except ValueError as error:
                wrong += 1
                bad(Bad(number, f"task {item.id[:80]}: {error}"))
                continue
            read += 1
            if len(batch) == _AT_ONCE // 2:
                changed += history.merge(batch)
                batch.clear()
                if done is not None:
                    done(read)
    changed += history.merge(batch)
    known_gaps += _put_gaps(history, found_gaps)
    if done is not None:
        done(read)
    return Report(read, changed, known_gaps, wrong)


def _put_gaps(history: Merged, found: Sequence[GapRow]) -> int:
    """Note gaps; gives how many were not known."""
    if not found:
        return 0
    with history.writing() as db:
        return sum(db.execute(queries()["add_gap"], gap).rowcount for gap in found)


def to_gap(line: GapLine) -> GapRow:
    """Make a gap's row. Raises ValueError for what is none."""
    if line.what not in get_args(GapKind):
        raise ValueError(f"there is none of the kind '{line.what[:80]}'")
    if not 0 <= (line.events or 0) <= _LONGEST:
        raise ValueError(f"{line.events} is no number of events")
    return GapRow(
        _short(line.console), cast(GapKind, line.what), _short(line.worker),
        _time(line.start), _time(line.stop), line.events, _short(line.reason),
    )  # fmt: skip


def to_record(line: TaskLine, history: Cutting) -> Record:
    """Make a task's record, masked and cut as events are. Raises ValueError for what is none."""
    if not 0 < len(line.id) <= _MOST_TEXT_CHARS:
        raise ValueError("its id is empty or too long")
    if not line.events:
        raise ValueError("it has no events")
    if len(line.events) > _MOST_EVENTS:
        raise ValueError(f"it has more than {_MOST_EVENTS:,} events")
    chars = history.max_text_chars
    arguments = history.keep_arguments

    def cut(text: str | None, times: int = 1) -> str | None:
        return None if text is None else history.cut(text, times * chars)

    record = Record()

    def about(said: TaskLine | NameLine, name: str) -> About:
        args, kwargs = (cut(said.args), cut(said.kwargs)) if arguments else (None, None)
        is_cut = said.truncated or any(len(text or "") > chars for text in (args, kwargs))
        return About(
            _small(said.retries, -1), _time(said.described_at), _short(name), args, kwargs,
            _brief(said.eta), _brief(said.expires), TRUNCATED if is_cut else 0,
        )  # fmt: skip

    if line.name is not None:
        record.say(about(line, line.name))
    if len(line.names) > _MOST_NAMES:
        raise ValueError(f"it has more than {_MOST_NAMES} names")
    names = [Named(_time(one.first), _time(one.last), about(one, one.name)) for one in line.names]
    if names:
        record.add_names({one.about.name or "": one for one in names})
    words = (line.client, line.queue, line.exchange, line.routing_key)
    record.send(Way(_time(line.routed_at), *map(_brief, words)))
    record.family(line.id, _brief(line.root), _brief(line.parent))
    for event in line.events:
        if event.kind not in _KINDS and (not event.kind or event.kind.upper() != event.kind):
            raise ValueError(f"there is no event of the kind '{event.kind[:80]}'")
        result = cut(event.result) if arguments else None
        exception, traceback = cut(event.exception), cut(event.traceback, 4)
        flags = event.flags & (TERMINATED | EXPIRED | TRUNCATED | FETCHED)
        if any(len(text or "") > chars for text in (result, exception)):
            flags |= TRUNCATED
        if len(traceback or "") > 4 * chars:
            flags |= TRUNCATED
        record.tell(
            Told(
                _time(event.at), _short(event.kind), _short(event.worker),
                _small(event.retries, 0), None if event.number is None else _time(event.number),
                result, exception, traceback, flags, _brief(event.signum),
            )
        )  # fmt: skip
    return record


def _time(value: int) -> int:
    if abs(value) > _LONGEST:
        raise ValueError(f"{value} is no time in microseconds")
    return value


def _small(value: int, least: int) -> int:
    if not least <= value < 2**31:
        raise ValueError(f"{value} is no number of retries")
    return value


def _short(text: str) -> str:
    if len(text) > _MOST_TEXT_CHARS:
        raise ValueError(f"a name of {len(text):,} characters")
    return storable(text)


def _brief(text: str | None) -> str | None:
    return None if text is None else _short(text)
