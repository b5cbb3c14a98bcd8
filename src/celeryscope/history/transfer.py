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
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

import msgspec

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history import rows
from celeryscope.history.database import Database
from celeryscope.history.finding import Cursor, Page, Sort, read_life, read_traceback
from celeryscope.history.record import (
    EXPIRED,
    FETCHED,
    KINDS,
    TERMINATED,
    TRUNCATED,
    About,
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

#: Grows when a reader of the one before could not read a line rightly.
VERSION: Final = 1
#: A longer line is no line of ours.
MOST_LINE_BYTES: Final = 16 * 2**20
_MOST_TEXT_CHARS = 10_000  # of an id, a name, a worker …
_LONGEST = 2**60  # microseconds
_MOST_EVENTS = 1_000  # of a task
_AT_ONCE = 500  # tasks
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

    All of them: as the history was at one moment, in about the order they came. Those that match a
    query: the oldest first. Raises Unavailable where the history cannot be read.
    """
    if query == EVERYTHING:
        with history.reading() as db:
            yield from _all(db, history.words)
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


def _all(db: Database, words: Words) -> Iterator[TaskLine]:
    named = queries()
    (lowest,) = db.execute(named["lowest_seq"]).fetchone()
    if lowest is None:
        return
    seq = lowest - 1
    while found := db.execute(named["all_tasks"], (seq, _AT_ONCE)).fetchall():
        for one in found:
            yield _line(db, Row(*one), words)
        seq = found[-1][0]


def _line(db: Database, row: Row, words: Words) -> TaskLine:
    if row.flags & rows.LIFE:
        record = read_life(db, row)
    else:
        record = rows.to_record(row, words.text, read_traceback(db, row))
    line = line_of(id_text(row.uuid), record)
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
    found_gaps: list[GapLine] = []
    for number, item in enumerate(items, 1):
        if isinstance(item, Bad):
            wrong += 1
            bad(item)
        elif isinstance(item, GapLine):
            found_gaps.append(item)
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
    for start in range(0, len(found_gaps), _AT_ONCE):
        with history.writing() as db:
            for gap in found_gaps[start : start + _AT_ONCE]:
                known_gaps += _put_gap(db, gap)
    if done is not None:
        done(read)
    return Report(read, changed, known_gaps, wrong)


def _put_gap(db: Database, gap: GapLine) -> int:
    if max(abs(gap.start), abs(gap.stop), abs(gap.events or 0)) > _LONGEST:
        return 0
    told = (_short(gap.console), _short(gap.what), _short(gap.worker))
    values = (*told, gap.start, gap.stop, gap.events, _short(gap.reason))
    return db.execute(queries()["add_gap"], values).rowcount


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
    args, kwargs = (cut(line.args), cut(line.kwargs)) if arguments else (None, None)
    is_cut = line.truncated or any(len(text or "") > chars for text in (args, kwargs))
    if line.name is not None:
        record.say(
            About(
                _small(line.retries, -1), _time(line.described_at), _short(line.name), args, kwargs,
                _brief(line.eta), _brief(line.expires), TRUNCATED if is_cut else 0,
            )
        )  # fmt: skip
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
    if not text.isascii() or "\0" in text:  # no database takes either
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return text


def _brief(text: str | None) -> str | None:
    return None if text is None else _short(text)
