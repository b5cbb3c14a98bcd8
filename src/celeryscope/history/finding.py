"""Finding in the history: one task, pages of those that match a query, counts by value."""

from __future__ import annotations

import heapq
import itertools
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Final, Literal, NamedTuple, get_args

from msgspec import structs

from celeryscope.history import blocks, record, rows
from celeryscope.history import search as asking
from celeryscope.history.database import Connection, Database
from celeryscope.history.record import Attempt, Number, Record
from celeryscope.history.rows import Row
from celeryscope.history.searches import Searches
from celeryscope.history.sql import queries
from celeryscope.history.words import Words
from celeryscope.model import query as language
from celeryscope.model.actor import Scope
from celeryscope.model.query import Query
from celeryscope.model.task import Task

#: By the last event; or by how long a task ran, how long it waited, how often it was retried: the
#: greatest first, of equal ones the newest, and last those that have no such number.
Sort = Literal["newest", "oldest", "longest", "waited", "retried"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)

FACETS = ("state", "name", "worker", "queue")
MOST_VALUES = 30
_END = 2**62
_EXTENT_SECONDS = 60.0
_ASKED = 64  # rows at a time
_MOST_JOINED = 32  # blocks


class _Rank(NamedTuple):
    """What a sort goes by before the time: of a row, and the greatest of a block."""

    sql: str
    zone: str
    most: int  # the field of `Block`


_BY_TIME = _Rank("0", "", -1)
_RANKS: Final[dict[Sort, _Rank]] = {
    "newest": _BY_TIME,
    "oldest": _BY_TIME,
    "longest": _Rank(f"coalesce({asking.RAN}, -1)", "ran", 11),
    "waited": _Rank("coalesce(t.wait, -1)", "wait", 8),
    "retried": _Rank("t.retries", "retries", 10),
}


class Cursor(NamedTuple):
    """A place in a list: the last event of a task (whole microseconds), and its id."""

    at: int
    uuid: str | None  # None: in front of all that are of this time
    rank: int = 0  # whole microseconds, or retries; 0 where a list is sorted by time


class Page(NamedTuple):
    """Some tasks that match, in the order asked for."""

    tasks: list[Task]
    #: Where to go on in either direction: mostly the first and the last task. Where time was up
    #: it is as far as the search came; None: it would come no further the next time.
    before: Cursor | None
    after: Cursor | None
    more: bool  # there are others further on, or may be
    whole: bool  # False: time was up, and what comes next was not looked at


class Count(NamedTuple):
    """How many tasks match."""

    total: int
    whole: bool  # False: there may be more


class Facets(NamedTuple):
    """By field: (value, tasks with it), most first."""

    values: dict[str, list[tuple[str, int]]]
    whole: bool  # False: only the newest were looked at


class Extent(NamedTuple):
    """What there is, as of a minute ago at most."""

    tasks: int
    oldest: float | None  # epoch seconds, of the last event of a task
    newest: float | None


class _Found(NamedTuple):
    """A row that may come into a page, with its place."""

    rank: int
    at: int
    uuid: bytes
    seq: int


class Finding(ABC):
    """What is asked of the history; used from any thread.

    Everything raises Unavailable where the database cannot be read. With a `scope` it is as if
    there were no tasks but those that somebody may see, and no ids of others.
    """

    def __init__(self, *, number: Number) -> None:
        self.words = Words()
        self._number = number
        self._blocks = blocks.Known()
        self._extent: tuple[float, Extent] | None = None
        self.searches = Searches(self)

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Lend a connection that sees one state of the database."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Database]:
        """Lend a connection in a transaction that writes; committed at the end."""

    def task(self, uuid: str, *, scope: Scope | None = None) -> Task | None:
        """Give a task, with all that is known of it."""
        with self.reading() as db:
            row = self._row(db, uuid, scope)
            if row is None:
                return None
            traceback, life = read_traceback(db, row), read_life(db, row)
            task = rows.to_task(row, self.words.text, traceback=traceback, life=life)
            return self._shown(db, task, scope)

    def attempts(self, uuid: str, *, scope: Scope | None = None) -> list[Attempt]:
        """Give a task's runs in the order they began; none if it never came to a worker."""
        with self.reading() as db:
            row = self._row(db, uuid, scope)
            if row is None:
                return []
            return record.attempts(read_record(db, row, self.words.text), self._number)

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
        scope: Scope | None = None,
    ) -> Page:
        """Give a page of the tasks that match at `now` (epoch seconds).

        The page begins behind `after`, or ends in front of `before`, in the order of `sort`; at
        most one of them is given. After `most_seconds` it has what was found beyond doubt so far,
        and its cursor goes on from there.
        """
        backwards = before is not None
        descending = (sort != "oldest") != backwards
        with self.reading() as db:
            condition = self._condition(db, query, now, scope)
            found, more, edge = _Search(
                db, condition, _RANKS[sort], descending, before or after, limit, backwards
            ).run(self._candidates, most_seconds)
            if backwards:
                found.reverse()
            read = _rows_at(db, [one.seq for one in found])
            tasks = [self._shown(db, rows.to_task(row, self.words.text), scope) for row in read]
        places = [
            Cursor(one.at, task.uuid, one.rank) for one, task in zip(found, tasks, strict=True)
        ]
        first, last = (places[0], places[-1]) if places else (None, None)
        if edge is not None:
            first, last = (edge.cursor, last) if backwards else (first, edge.cursor)
        return Page(tasks, first, last, more, edge is None)

    def count(
        self,
        query: Query,
        *,
        now: float,
        most: int = 10_000,
        most_seconds: float = 1.0,
        scope: Scope | None = None,
    ) -> Count:
        """Count the tasks that match, up to `most` of them or as long as there is time."""
        with self.reading() as db:
            condition = self._condition(db, query, now, scope)
            sql = queries()["count"].replace("{where}", condition.sql)
            db.arm(condition)
            total, until = 0, time.monotonic() + most_seconds
            for first, last in self._spans(db, condition, newest_first=True):
                total += db.execute(sql, (first, last, *condition.parameters)).fetchone()[0]
                if total >= most or time.monotonic() > until:
                    return Count(min(total, most), False)
            return Count(total, True)

    def facets(
        self,
        query: Query,
        *,
        now: float,
        most: int = 100_000,
        most_seconds: float = 1.0,
        scope: Scope | None = None,
    ) -> Facets:
        """Count by value the tasks that match, for each field as if the query left it free.

        Of each field the newest tasks are counted, `most` of them or as long as there is time.
        """
        parts = language.split(query)
        values: dict[str, list[tuple[str, int]]] = {}
        whole = True
        with self.reading() as db:
            for field in FACETS:
                rest = language.all_of(part for key, part in parts.items() if key != field)
                condition = self._condition(db, rest, now, scope)
                counts: Counter[int] = Counter()
                whole &= self._facet(db, field, condition, counts, most, most_seconds / len(FACETS))
                known = [
                    (text, count)
                    for number, count in counts.items()
                    if (text := self.words.text(number)) is not None
                ]
                values[field] = heapq.nsmallest(
                    MOST_VALUES, known, key=lambda pair: (-pair[1], pair[0])
                )
        return Facets(values, whole)

    def names(self, *, scope: Scope | None = None) -> list[str]:
        """Give the names of tasks that were ever seen.

        A name by itself is in no queue: whose queues are limited gets those of the newest tasks.
        """
        if scope is not None and not scope.has_queue(None):
            with self.reading() as db:
                counts: Counter[int] = Counter()
                condition = self._condition(db, language.EVERYTHING, 0.0, scope)
                self._facet(db, "name", condition, counts, 100_000, 1.0)
            return sorted(text for n in counts if (text := self.words.text(n)) is not None)
        with self.reading() as db:
            names = [name for (name,) in db.execute(queries()["names"])]
        return [name for name in names if scope is None or scope.has_name(name)]

    def extent(self) -> Extent:
        """Say how many tasks there are, and since when; counted once a minute at most."""
        known = self._extent
        if known and known[1].tasks and time.monotonic() - known[0] < _EXTENT_SECONDS:
            return known[1]
        with self.reading() as db:
            named = queries()
            (tasks,) = db.execute(named["count_all"]).fetchone()
            oldest, newest = db.execute(named["sealed_span"]).fetchone()
            _, sealed = db.execute(named["sealed"]).fetchone()
            first, last = db.execute(named["unsealed_span"], (sealed,)).fetchone()
        extent = Extent(
            tasks,
            min((record.seconds(at) for at in (oldest, first) if at is not None), default=None),
            max((record.seconds(at) for at in (newest, last) if at is not None), default=None),
        )
        self._extent = time.monotonic(), extent
        return extent

    # ------------------------------------------------------------------ what somebody may see

    def _row(self, db: Database, uuid: str, scope: Scope | None) -> Row | None:
        found = db.execute(queries()["task"], (rows.id_key(uuid),)).fetchone()
        row = None if found is None else Row(*found)
        return row if row is not None and self.has(db, row, scope) else None

    def has(self, db: Database, row: Row, scope: Scope | None) -> bool:
        """Say whether somebody may see a task; of one that took another's place both are theirs."""
        if scope is None:
            return True
        if not scope.has_task(self.words.text(row.name), self.words.text(row.queue)):
            return False
        life = read_life(db, row) if row.flags & rows.RENAMED else None
        return life is None or all(map(scope.has_name, life.names))

    def has_id(self, db: Database, key: bytes, scope: Scope | None) -> bool:
        """Say whether somebody may see the task of an id, as it is stored, and it is here."""
        if scope is None or not scope.limited:
            return True
        found = db.execute(queries()["task"], (key,)).fetchone()
        return found is not None and self.has(db, Row(*found), scope)

    def _shown(self, db: Database, task: Task, scope: Scope | None) -> Task:
        """Give a task without the ids of others."""
        if scope is None or not scope.limited:
            return task
        root, parent = task.root_id, task.parent_id
        if root not in (None, task.uuid) and not self.has_id(db, rows.id_key(root or ""), scope):
            root = None
        if parent is not None and not self.has_id(db, rows.id_key(parent), scope):
            parent = None
        return structs.replace(task, root_id=root, parent_id=parent)

    def _condition(
        self, db: Database, query: Query, now: float, scope: Scope | None
    ) -> asking.Condition:
        verdicts: dict[bytes, bool] = {}

        def has_id(key: bytes) -> bool:
            verdict = verdicts.get(key)
            if verdict is None:
                verdict = verdicts[key] = self.has_id(db, key, scope)
            return verdict

        return asking.compile(query, now, self.words.by_kind, scope=scope, has_id=has_id)

    # ------------------------------------------------------------------ blocks

    def _facet(
        self,
        db: Connection,
        field: str,
        condition: asking.Condition,
        counts: Counter[int],
        most: int,
        most_seconds: float,
    ) -> bool:
        sql = queries()["facet"].replace("{where}", condition.sql).replace("{column}", field)
        db.arm(condition)
        until = time.monotonic() + most_seconds
        for first, last in self._spans(db, condition, newest_first=True):
            counts.update(dict(db.execute(sql, (first, last, *condition.parameters))))
            if counts.total() >= most or time.monotonic() > until:
                return False
        return True

    def _spans(
        self, db: Connection, condition: asking.Condition, *, newest_first: bool
    ) -> Iterator[tuple[int, int]]:
        """Give the ranges of `seq` that may have what is wanted."""
        for block in self._candidates(db, condition, _BY_TIME, newest_first):
            yield (block.first, block.last)

    def _candidates(
        self,
        db: Connection,
        condition: asking.Condition,
        rank: _Rank,
        descending: bool,
    ) -> Iterator[blocks.Block]:
        """Give the blocks that may have what is wanted, in the order of their bounds.

        The first stands for all that is not sealed.
        """
        known = self._blocks.of(db)
        unsealed = known[-1].last + 1 if known else 0
        yield blocks.Block(-1, unsealed, _END, -_END, _END, None, None, None, None, 0, 0)
        asker = blocks.Asker(db, condition.need, known)
        ordered = _ordered(known, rank) if descending else sorted(known, key=_OLDEST)
        candidates = filter(asker.may_have, ordered)
        yield from _in_runs(candidates) if db.remote else candidates


class _Edge(NamedTuple):
    """Where a search stopped because time was up."""

    cursor: Cursor | None  # None: it did not get beyond where it began


_Candidates = Callable[[Connection, asking.Condition, _Rank, bool], Iterator[blocks.Block]]


class _Search:
    """One search for a page: the best rows of the blocks looked at so far."""

    def __init__(
        self,
        db: Connection,
        condition: asking.Condition,
        rank: _Rank,
        descending: bool,
        cursor: Cursor | None,
        limit: int,
        backwards: bool,
    ) -> None:
        self._db = db
        self._rank = rank
        self._descending = descending
        self._cursor = cursor
        self._limit = limit
        #: Backwards by rank no block is in front of another: each may have the nearest.
        self._ordered = rank is _BY_TIME or not backwards
        where, parameters = condition.sql, list(condition.parameters)
        if cursor is not None:
            behind, place = self._behind(cursor)
            where = f"({where} AND {behind})"
            parameters += place
            condition = condition._replace(need=asking.All((self._zone(cursor), condition.need)))
        self._condition = condition
        self._parameters = parameters
        sql = queries()["find"].replace("{where}", where).replace("{value}", rank.sql)
        self._sql = sql.replace("{order}", "DESC" if descending else "ASC")
        self._best: list[_Found] = []

    def run(
        self, candidates: _Candidates, most_seconds: float
    ) -> tuple[list[_Found], bool, _Edge | None]:
        """Give the rows in the order of the search, whether there are more, and where time was up."""
        self._db.arm(self._condition)
        until = time.monotonic() + most_seconds
        looked = 0
        for block in candidates(self._db, self._condition, self._rank, self._descending):
            if block.last < _END:  # it is sealed
                if self._is_done_before(block):
                    break
                if time.monotonic() > until and self._gets_on(block, looked):
                    return self._so_far(block)
                looked += 1
            self._look(block)
        return self._best[: self._limit], len(self._best) > self._limit, None

    def _look(self, block: blocks.Block) -> None:
        span = (block.first, block.last, *self._parameters, self._limit + 1)
        found = self._db.execute(self._sql, span).fetchall()
        if found:
            self._best += [_Found(*one) for one in found]
            self._best.sort(reverse=self._descending)
            del self._best[self._limit + 1 :]

    def _is_done_before(self, block: blocks.Block) -> bool:
        """Say whether no block from this one on can have anything for the page."""
        if len(self._best) <= self._limit or not self._ordered:
            return False
        edge = self._best[self._limit]
        if self._descending:
            return _bound(block, self._rank) < (edge.rank, edge.at)
        return block.oldest > edge.at

    def _gets_on(self, block: blocks.Block, looked: int) -> bool:
        """Say whether a search that goes on at a block gets on, or would not anyhow.

        By time only the few blocks around the cursor are looked at once more; by rank all those
        that were looked at before.
        """
        cursor = self._cursor
        if self._rank is not _BY_TIME or cursor is None:
            return looked > 0
        return block.newest < cursor.at if self._descending else block.oldest > cursor.at

    def _so_far(self, block: blocks.Block) -> tuple[list[_Found], bool, _Edge]:
        """Give what no block from this one on can have anything in front of."""
        if not self._ordered:
            return [], True, _Edge(None)
        if self._descending:
            rank, at = _bound(block, self._rank)
            sure = [one for one in self._best if (one.rank, one.at) > (rank, at)]
            edge = Cursor(at, None, rank)
            cursor = self._cursor
            if cursor is not None and (rank, at) >= (cursor.rank, cursor.at):
                return [], True, _Edge(None)
        else:
            sure = [one for one in self._best if one.at < block.oldest]
            edge = Cursor(block.oldest, None)
        if len(sure) > self._limit:
            last = sure[self._limit - 1]
            return sure[: self._limit], True, _Edge(_cursor_of(last))
        return sure, True, _Edge(edge)

    def _behind(self, cursor: Cursor) -> tuple[str, list[int | bytes]]:
        """Write that a row comes behind the cursor."""
        columns, place = ["t.at"], [cursor.at]
        if self._rank is not _BY_TIME:
            columns, place = [self._rank.sql, "t.at"], [cursor.rank, cursor.at]
        sign = "<" if self._descending else ">"
        if cursor.uuid is None:
            return f"({', '.join(columns)}) {sign}= ({_marks(place)})", [*place]
        columns.append("t.uuid")
        whole: list[int | bytes] = [*place, rows.id_key(cursor.uuid)]
        return f"({', '.join(columns)}) {sign} ({_marks(whole)})", whole

    def _zone(self, cursor: Cursor) -> asking.Need:
        if self._rank is _BY_TIME:
            low, high = (-_END, cursor.at) if self._descending else (cursor.at, _END)
            return asking.Zone("at", low, high)
        if self._descending or cursor.rank < 0:  # rows without the number are in every block
            return asking.ANY_BLOCK
        return asking.Zone(self._rank.zone, cursor.rank, 2 * _END)


def _in_runs(candidates: Iterator[blocks.Block]) -> Iterator[blocks.Block]:
    """Make one of neighbours, of more and more of them: an answer takes its time."""
    most, run = 1, list(itertools.islice(candidates, 1))
    for block in candidates:
        touches = block.first == run[-1].last + 1 or run[-1].first == block.last + 1
        if not touches or len(run) == most:
            yield _joined(run)
            most, run = min(2 * most, _MOST_JOINED), []
        run.append(block)
    if run:
        yield _joined(run)


def _joined(run: list[blocks.Block]) -> blocks.Block:
    """Give one block for several; the least of what is called least, else the greatest."""
    if len(run) == 1:
        return run[0]
    values = []
    for field, one in zip(blocks.Block._fields, zip(*run, strict=True), strict=True):
        known = [value for value in one if value is not None]
        least = field in ("id", "first", "oldest") or field.startswith("min")
        values.append((min if least else max)(known, default=None))
    return blocks.Block._make(values)


_OLDEST = itemgetter(blocks.Block._fields.index("oldest"))
_NEWEST = itemgetter(blocks.Block._fields.index("newest"))


def _ordered(known: Sequence[blocks.Block], rank: _Rank) -> list[blocks.Block]:
    """Sort blocks by their bound, the greatest first; there are many, so without a look at each."""
    newest = sorted(known, key=_NEWEST, reverse=True)
    if rank is _BY_TIME:
        return newest
    most = itemgetter(rank.most)
    having = [block for block in newest if block[rank.most] is not None]
    having.sort(key=most, reverse=True)  # of equal ones the newest stays first
    return having + [block for block in newest if block[rank.most] is None]


def _bound(block: blocks.Block, rank: _Rank) -> tuple[int, int]:
    """Give what the rank and time of a block's tasks are at most."""
    if rank is _BY_TIME:
        return 0, block.newest
    most: int | None = block[rank.most]
    return -1 if most is None else most, block.newest


def _cursor_of(found: _Found) -> Cursor:
    return Cursor(found.at, asking.id_text(found.uuid), found.rank)


def _marks(values: Sized) -> str:
    return ", ".join("?" * len(values))


def _rows_at(db: Database, seqs: list[int]) -> list[Row]:
    """Give the rows of some tasks that there are, in this order."""
    found: dict[int, Row] = {}
    for start in range(0, len(seqs), _ASKED):
        some = seqs[start : start + _ASKED]
        asked = (*some, *[None] * (_ASKED - len(some)))
        found.update((row[0], Row(*row)) for row in db.execute(queries()["tasks_at"], asked))
    return [found[seq] for seq in seqs]


def read_traceback(db: Database, row: Row) -> str | None:
    """Give a task's traceback."""
    if not row.flags & rows.TRACEBACK:
        return None
    found = db.execute(queries()["traceback"], (row.seq,)).fetchone()
    return None if found is None else rows.unpack(found[0])


def read_life(db: Database, row: Row) -> Record | None:
    """Give all that was told of a task; None where its columns say it."""
    if not row.flags & rows.LIFE:
        return None
    return rows.unpack_life(db.execute(queries()["life"], (row.seq,)).fetchone()[0])


def read_record(db: Database, row: Row, word: rows.WordOf) -> Record:
    """Give all that was told of a task, wherever it stands."""
    life = read_life(db, row)
    return rows.to_record(row, word, read_traceback(db, row)) if life is None else life
