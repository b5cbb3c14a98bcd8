"""The history in one SQLite file: one thread writes, any number reads.

What is written waits in memory for the next commit, half a second at most; a process that is
killed loses that and no more. (A machine that loses power may lose the last commits too, never the
database.) Readers have connections of their own and see a whole commit or nothing of it.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import sqlite3
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history import blocks, record, rows
from celeryscope.history import search as asking
from celeryscope.history.record import Attempt, Judge, Number, Record
from celeryscope.history.rows import Row
from celeryscope.history.sql import migrate, queries
from celeryscope.model import query as language
from celeryscope.model.event import Event
from celeryscope.model.query import Query
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker

logger = logging.getLogger(__name__)

#: As `ClusterState.apply` gives it.
Change = tuple[Event, Task | None, Worker | None]
Sort = Literal["newest", "oldest"]

FACETS = ("state", "name", "worker", "queue")
MOST_VALUES = 30
#: A batch is written at most so often.
COMMIT_SECONDS = 0.5
_MOST_RETRY_SECONDS = 15.0
_MOST_WAITING = 200_000  # events, while the database cannot be written
_BUSY_SECONDS = 10.0
_WRITER_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 16 * 1024
_MOST_SEALED = 64  # blocks at a time: half a second's at 16,000 tasks a second
_END = 2**62


class Cursor(NamedTuple):
    """A place in a list: the last event of a task (whole microseconds), and its id."""

    at: int
    uuid: str


class Page(NamedTuple):
    """Some tasks that match, in the order asked for."""

    tasks: list[Task]
    before: Cursor | None  # of the first one
    after: Cursor | None  # of the last one
    more: bool  # there are others further on, where the page was looked for
    whole: bool  # False: time was up, and what comes next was not looked at


class Count(NamedTuple):
    """How many tasks match."""

    total: int
    whole: bool  # False: there may be more


class Facets(NamedTuple):
    """By field: (value, tasks with it), most first."""

    values: dict[str, list[tuple[str, int]]]
    whole: bool  # False: only the newest were looked at


class Write(NamedTuple):
    event: Event
    wait: float | None  # seconds, of a start


class History:
    """What became of every task. `open` makes one; `close` writes what waits."""

    def __init__(
        self,
        path: Path,
        *,
        judge: Judge,
        number: Number,
        mask: Callable[[str], str] | None,
        max_text_chars: int,
        commit_seconds: float,
    ) -> None:
        self.path = path
        self.written = 0  # events
        self.dropped = 0  # events that there was no room for while we could not write
        self.refused = 0  # tasks, or events of a batch, that could not be written: a fault of ours
        self.trouble: str | None = None  # why we cannot write, as a sentence
        self._judge = judge
        self._number = number
        self._mask = mask
        self._chars = max_text_chars
        self._commit_seconds = commit_seconds
        self._lock = threading.Lock()
        self._waiting: deque[Write] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._done = threading.Condition()
        self._asked = self._answered = 0
        self._words = _Words()
        self._blocks: list[blocks.Block] = []
        self._readers: list[sqlite3.Connection] = []
        self._db = self._connect(_WRITER_CACHE_KIB)
        self._writer = threading.Thread(target=self._run, name="history", daemon=True)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        judge: Judge,
        number: Number,
        mask: Callable[[str], str] | None = None,
        max_text_chars: int = 4096,
        commit_seconds: float = COMMIT_SECONDS,
    ) -> History:
        """Open the file, or make it, and bring it to the newest layout.

        `judge` and `number` say how a task with several runs stands (`cluster.runs`). Raises
        NotPossible with a sentence where the file cannot be used.
        """
        try:
            if not path.exists():
                path.touch(mode=0o600)
            history = cls(
                path,
                judge=judge,
                number=number,
                mask=mask,
                max_text_chars=max_text_chars,
                commit_seconds=commit_seconds,
            )
        except (sqlite3.Error, OSError) as error:
            raise NotPossible(
                f"The history in {path} cannot be opened: {error}.",
                hint="Check that the file is a history, that we may write it, and the disk.",
            ) from error
        history._writer.start()
        return history

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        self._closing = True
        self._wake.set()
        self._writer.join()
        with self._lock:
            for db in [*self._readers, self._db]:
                db.close()
            self._readers.clear()

    # ------------------------------------------------------------------ writing

    def write(self, changes: Iterable[Change]) -> None:
        """Take note of applied events; they are on disk a moment later. Never blocks."""
        new = [
            Write(event, task.wait if event.type == "task-started" else None)
            for event, task, _ in changes
            if task is not None
        ]
        with self._lock:
            self._waiting.extend(new)
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popleft()
                self.dropped += 1

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until what was noted before is on disk. Raises Unavailable if it takes too long."""
        with self._done:
            self._asked += 1
            mine = self._asked
            self._wake.set()
            if not self._done.wait_for(lambda: self._answered >= mine, timeout_seconds):
                raise Unavailable(
                    f"The history is not written yet: {self.trouble or 'the disk is slow'}."
                )

    def _run(self) -> None:
        pause = self._commit_seconds
        while True:
            self._wake.wait(pause)
            with self._done:
                asked = self._asked
                self._wake.clear()
            closing = self._closing
            with self._lock:
                batch, self._waiting = self._waiting, deque()
            try:
                self._commit(batch)
            except sqlite3.Error as error:
                with self._lock:
                    self._waiting.extendleft(reversed(batch))
                pause = min(max(2 * pause, 0.1), _MOST_RETRY_SECONDS)
                if self.trouble != str(error):
                    logger.warning("the history cannot be written: %s", error)
                self.trouble = str(error)
            except Exception:
                # The writer must outlive every batch: count it, say it, go on.
                self.refused += len(batch)
                logger.exception("a batch could not be written to the history")
            else:
                pause, self.trouble = self._commit_seconds, None
                with self._done:
                    self._answered = asked
                    self._done.notify_all()
            if closing and (not self._waiting or self.trouble):
                self.dropped += len(self._waiting)
                return

    def _commit(self, batch: Sequence[Write]) -> None:
        if batch:
            by_task: dict[str, list[Write]] = {}
            for one in batch:
                by_task.setdefault(one.event.uuid or "", []).append(one)
            with self._transaction():
                _Batch(self, self._db, self._words).write(by_task)
            self.written += len(batch)
        with self._transaction():
            for _ in range(_MOST_SEALED):
                if not blocks.seal(self._db):
                    break

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._words.settle(committed=False)
            raise
        self._words.settle(committed=True)

    # ------------------------------------------------------------------ reading

    def task(self, uuid: str) -> Task | None:
        """Give a task, with all that is known of it."""
        with self._reading() as db:
            found = db.execute(queries()["task"], (rows.id_key(uuid),)).fetchone()
            if found is None:
                return None
            row = Row(*found)
            task = rows.to_task(row, self._words.text, traceback=_traceback(db, row))
            if row.flags & rows.LIFE:
                rows.tell_times(task, list(_life(db, row).told.values()))
            return task

    def attempts(self, uuid: str) -> list[Attempt]:
        """Give a task's runs in the order they began; none if it never came to a worker."""
        with self._reading() as db:
            found = db.execute(queries()["task"], (rows.id_key(uuid),)).fetchone()
            if found is None:
                return []
            row = Row(*found)
            if row.flags & rows.LIFE:
                return record.attempts(_life(db, row), self._number)
            one = rows.to_record(row, self._words.text, _traceback(db, row))
            return record.attempts(one, self._number)

    def search(
        self,
        query: Query,
        *,
        now: float,
        sort: Sort = "newest",
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int = 50,
        most_seconds: float = 5.0,
    ) -> Page:
        """Give a page of the tasks that match at `now` (epoch seconds).

        The page begins behind `after`, or ends in front of `before`, in the order of `sort`; at
        most one of them is given. After `most_seconds` it has what was found so far.
        """
        backwards = before is not None
        newest_first = (sort == "newest") != backwards
        with self._reading() as db:
            seqs, more, whole = self._find(
                db, query, now, newest_first, before or after, limit, most_seconds
            )
            named = queries()
            found = [Row(*db.execute(named["task_at"], (seq,)).fetchone()) for seq in seqs]
            if backwards:
                found.reverse()
            tasks = [rows.to_task(row, self._words.text) for row in found]
        first = Cursor(found[0].at, tasks[0].uuid) if found else None
        last = Cursor(found[-1].at, tasks[-1].uuid) if found else None
        return Page(tasks, first, last, more, whole)

    def count(
        self, query: Query, *, now: float, most: int = 10_000, most_seconds: float = 1.0
    ) -> Count:
        """Count the tasks that match, up to `most` of them or as long as there is time."""
        with self._reading() as db:
            condition = asking.compile(query, now, self._words.by_kind)
            sql = queries()["count"].replace("{where}", condition.sql)
            _arm(db, condition)
            total, until = 0, time.monotonic() + most_seconds
            for first, last in self._spans(db, condition, newest_first=True):
                total += db.execute(sql, (first, last, *condition.parameters)).fetchone()[0]
                if total >= most or time.monotonic() > until:
                    return Count(min(total, most), False)
            return Count(total, True)

    def facets(
        self, query: Query, *, now: float, most: int = 100_000, most_seconds: float = 1.0
    ) -> Facets:
        """Count by value the tasks that match, for each field as if the query left it free.

        Of each field the newest tasks are counted, `most` of them or as long as there is time.
        """
        parts = language.split(query)
        values: dict[str, list[tuple[str, int]]] = {}
        whole = True
        with self._reading() as db:
            for field in FACETS:
                rest = language.all_of(part for key, part in parts.items() if key != field)
                counts: Counter[int] = Counter()
                whole &= self._facet(db, field, rest, now, counts, most, most_seconds / 4)
                known = [
                    (text, count)
                    for number, count in counts.items()
                    if (text := self._words.text(number)) is not None
                ]
                values[field] = heapq.nsmallest(
                    MOST_VALUES, known, key=lambda pair: (-pair[1], pair[0])
                )
        return Facets(values, whole)

    def names(self) -> list[str]:
        """Give the names of tasks that were ever seen."""
        with self._reading() as db:
            return [name for (name,) in db.execute(queries()["names"])]

    def _facet(
        self,
        db: sqlite3.Connection,
        field: str,
        query: Query,
        now: float,
        counts: Counter[int],
        most: int,
        most_seconds: float,
    ) -> bool:
        condition = asking.compile(query, now, self._words.by_kind)
        sql = queries()["facet"].replace("{where}", condition.sql).replace("{column}", field)
        _arm(db, condition)
        until = time.monotonic() + most_seconds
        for first, last in self._spans(db, condition, newest_first=True):
            counts.update(dict(db.execute(sql, (first, last, *condition.parameters))))
            if counts.total() >= most or time.monotonic() > until:
                return False
        return True

    def _spans(
        self, db: sqlite3.Connection, condition: asking.Condition, *, newest_first: bool
    ) -> Iterator[tuple[int, int]]:
        """Give the ranges of `seq` that may have what is wanted."""
        for block in self._candidates(db, condition, newest_first):
            yield (block.first, block.last)

    def _candidates(
        self, db: sqlite3.Connection, condition: asking.Condition, newest_first: bool
    ) -> Iterator[blocks.Block]:
        known = self._blocks_of(db)
        unsealed = known[-1].last + 1 if known else 0
        yield blocks.Block(-1, unsealed, _END, -_END, _END, None, None, None, None, 0, 0)
        asker = blocks.Asker(db, condition.need, known)
        if newest_first:
            ordered = sorted(known, key=lambda block: block.newest, reverse=True)
        else:
            ordered = sorted(known, key=lambda block: block.oldest)
        for block in ordered:
            if asker.may_have(block):
                yield block

    def _find(
        self,
        db: sqlite3.Connection,
        query: Query,
        now: float,
        newest_first: bool,
        cursor: Cursor | None,
        limit: int,
        most_seconds: float,
    ) -> tuple[list[int], bool, bool]:
        condition = asking.compile(query, now, self._words.by_kind)
        where, parameters = condition.sql, list(condition.parameters)
        if cursor is not None:
            where += " AND (t.at, t.uuid) {} (?, ?)".format("<" if newest_first else ">")
            parameters += [cursor.at, rows.id_key(cursor.uuid)]
            zone = (
                asking.Zone("at", -_END, cursor.at)
                if newest_first
                else asking.Zone("at", cursor.at, _END)
            )
            condition = condition._replace(need=asking.All((zone, condition.need)))
        sql = queries()["find"].replace("{where}", where)
        sql = sql.replace("{order}", "DESC" if newest_first else "ASC")
        _arm(db, condition)
        best: list[tuple[int, bool, bytes | str, int]] = []
        until = time.monotonic() + most_seconds
        whole = True
        for block in self._candidates(db, condition, newest_first):
            if len(best) > limit:
                edge = best[limit][0]
                if block.id >= 0 and (block.newest < edge if newest_first else block.oldest > edge):
                    break
            if time.monotonic() > until:
                whole = False
                break
            span = (block.first, block.last, *parameters, limit + 1)
            found = db.execute(sql, span).fetchall()
            if found:
                best += [(at, isinstance(uuid, bytes), uuid, seq) for at, uuid, seq in found]
                best.sort(key=_place, reverse=newest_first)
                del best[limit + 1 :]
        return [seq for *_, seq in best[:limit]], len(best) > limit or not whole, whole

    def _blocks_of(self, db: sqlite3.Connection) -> list[blocks.Block]:
        """Give the blocks that this reader's snapshot has."""
        number, _ = db.execute(queries()["sealed"]).fetchone()
        count = number + 1
        with self._lock:
            if len(self._blocks) < count:
                new = db.execute(queries()["blocks"], (len(self._blocks),))
                self._blocks += [blocks.Block(*one) for one in new]
            return self._blocks[:count]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one state of the database."""
        with self._lock:
            db = self._readers.pop() if self._readers else None
        if db is None:
            db = self._connect(_READER_CACHE_KIB)
            db.execute("PRAGMA query_only = 1")
        try:
            db.execute("BEGIN")
            self._words.read(db)
            yield db
        except sqlite3.Error as error:
            raise Unavailable(f"The history in {self.path} cannot be read: {error}.") from error
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            with self._lock:
                self._readers.append(db)

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False,
            cached_statements=256,
        )  # fmt: skip
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 4000")
            db.execute(f"PRAGMA cache_size = -{cache_kib}")
            db.create_function("unpacked", 1, rows.unpack, deterministic=True)
            migrate(db, where=str(self.path))
        except BaseException:
            db.close()
            raise
        return db


def _place(one: tuple[int, bool, bytes | str, int]) -> tuple[int, bool, bytes | str]:
    return one[:3]


class _Batch:
    """One transaction's worth of tasks."""

    def __init__(self, history: History, db: sqlite3.Connection, words: _Words) -> None:
        self._history = history
        self._db = db
        self._words = words
        words.read(db)
        named = queries()
        _, sealed = db.execute(named["sealed"]).fetchone()
        (last,) = db.execute(named["last_seq"]).fetchone()
        self._sealed = sealed
        self._next = max(last or 0, self._sealed) + 1

    def write(self, by_task: dict[str, list[Write]]) -> None:
        put: list[Row] = []
        for uuid, writes in by_task.items():
            try:
                put.append(self._task(rows.id_key(uuid), writes))
            except (ValueError, TypeError, OverflowError):
                self._history.refused += 1
                logger.exception("a task could not be written to the history")
        self._db.executemany(queries()["put_task"], put)

    def _task(self, uuid: bytes | str, writes: list[Write]) -> Row:
        db, named, history = self._db, queries(), self._history
        found = db.execute(named["task"], (uuid,)).fetchone()
        if found is None:
            one, seq, old = Record(), self._next, None
        else:
            old = Row(*found)
            seq = old.seq if old.seq > self._sealed else self._next
            if old.flags & rows.LIFE:
                one = _life(db, old)
            else:
                one = rows.to_record(old, self._words.text, _traceback(db, old))
        for event, wait in writes:
            record.take(one, event, wait, self._cut, history._chars)
        standing = record.stand(one, history._judge)
        row = rows.to_row(seq, uuid, one, standing, self._number)
        if old is not None and old.flags & (rows.LIFE | rows.TRACEBACK):
            for name in ("drop_traceback", "drop_life", "drop_attempts"):
                db.execute(named[name], (old.seq,))
        if standing.end is not None and standing.end.traceback is not None:
            db.execute(named["put_traceback"], (seq, rows.pack(standing.end.traceback)))
        if not standing.simple:
            self._put_life(seq, one)
        if seq == self._next:
            self._next += 1
        return row

    def _put_life(self, seq: int, one: Record) -> None:
        db, named = self._db, queries()
        db.execute(named["put_life"], (seq, zlib.compress(record.dump(one), 6)))
        for number, run in enumerate(record.attempts(one, self._history._number)):
            db.execute(
                named["put_attempt"],
                (seq, number, run.retries, self._number("worker", run.worker),
                 self._number("state", run.state), run.received, run.started, run.ended,
                 run.runtime, run.wait, run.exception),
            )  # fmt: skip

    def _number(self, kind: str, text: str | None) -> int | None:
        return None if text is None else self._words.number(self._db, kind, text)

    def _cut(self, text: str, chars: int) -> str:
        mask = self._history._mask
        if mask is not None:
            text = mask(text)
        return text if len(text) <= chars else text[:chars] + "…"


class _Words:
    """The words that are in the database, as far as they were read. Shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._texts: dict[int, str] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._uncommitted: list[tuple[str, str]] = []
        self.by_kind: dict[str, dict[int, str]] = {}

    def settle(self, *, committed: bool) -> None:
        """Keep the words that the writer's transaction added, or let go of them."""
        with self._lock:
            if not committed:
                for word in self._uncommitted:
                    self._texts.pop(self._numbers.pop(word), None)
            self._uncommitted.clear()

    def read(self, db: sqlite3.Connection) -> None:
        """Read what is new."""
        with self._lock:
            for number, kind, text in db.execute(queries()["words"], (self._last,)):
                self._add(number, kind, text)

    def text(self, number: int | None) -> str | None:
        return None if number is None else self._texts.get(number)

    def number(self, db: sqlite3.Connection, kind: str, text: str) -> int:
        """Give a word's number; for the writer, inside its transaction."""
        number = self._numbers.get((kind, text))
        if number is None:
            named = queries()
            db.execute(named["add_word"], (kind, text))
            (number,) = db.execute(named["word"], (kind, text)).fetchone()
            assert number is not None
            with self._lock:
                self._numbers[kind, text] = number
                self._texts[number] = text
                self._uncommitted.append((kind, text))
        return number

    def _add(self, number: int, kind: str, text: str) -> None:
        self._last = number
        self._texts[number] = text
        self._numbers[kind, text] = number
        self.by_kind.setdefault(kind, {})[number] = text


def _arm(db: sqlite3.Connection, condition: asking.Condition) -> None:
    """Give the connection the tests of a condition."""
    for number, test in enumerate(condition.tests):
        db.create_function(f"passes{number}", -1, test)


def _traceback(db: sqlite3.Connection, row: Row) -> str | None:
    if not row.flags & rows.TRACEBACK:
        return None
    found = db.execute(queries()["traceback"], (row.seq,)).fetchone()
    return None if found is None else rows.unpack(found[0])


def _life(db: sqlite3.Connection, row: Row) -> Record:
    (told,) = db.execute(queries()["life"], (row.seq,)).fetchone()
    return record.load(zlib.decompress(told))
