"""Task lists that pages follow: what one query matches, for all who ask it. No I/O, no clock.

The rows are a sample: where more tasks change than anybody can read, only the newest of them
are told, and how many there were. When it calms down the list is whole again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, NamedTuple

import msgspec

from celeryscope.cluster import select
from celeryscope.model import query as language
from celeryscope.model.task import Task
from celeryscope.web.api import console
from celeryscope.web.feeds import BYTES_A_SECOND, wire

#: So many rows make a list, and so many are told a second; a large row counts for several.
MOST_ROWS = 40
_ROW_BYTES = 2_000
#: Longer texts in the stream's rows are cut; the task itself has them whole.
MOST_CHARS = 160
_LONGEST_FACETS_PAUSE_SECONDS = 10.0
_MOST_GONE = 1_000
_MOST_HISTORY = 400  # looks that a client can go on from: over a minute

_TEXTS = ("args", "kwargs", "result", "exception")


#: Gives a task as somebody sees it; None: it is not theirs.
Shown = Callable[[Task], Task | None]


class Counted(NamedTuple):
    """What a whole look through the memory finds."""

    total: int
    facets: select.Facets
    newest: list[Task] | None  # newest event first; None: nobody asked
    in_memory: int | None = None  # tasks that are theirs; None: all are


class _Row:
    """A task in the list, and how it was told last."""

    __slots__ = ("encoded", "news", "task", "tick")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.encoded = b""
        self.tick = 0
        self.news = True

    def tell(self, tick: int) -> None:
        self.encoded = _encoded(self.task)
        self.tick = tick
        self.news = False

    @property
    def cost(self) -> int:
        """How many rows it counts for."""
        return min(1 + len(_encoded(self.task)) // _ROW_BYTES, MOST_ROWS)


class View:
    """What one query matches."""

    def __init__(self, number: int, text: str, *, seen: int, shown: Shown | None = None) -> None:
        """Raises BadQuery. `seen` is the number of changes there were so far.

        `shown` gives a task as those who follow see it, or None where it is not theirs.
        """
        self.number = number
        self.query = language.parse(text)
        self._shown = shown
        self.everything = self.query == language.EVERYTHING and shown is None
        self.seen = seen
        self.clients = 0
        self.left_at = 0.0  # loop time, when the last client went
        self.changes = 0  # that matched
        self.counted_at: float | None = None  # loop time
        #: The rows are known only from the next count on: some changes were missed.
        self.behind = not self.everything
        self.ready = self.everything
        self._rows: dict[str, _Row] = {}  # newest change first
        self._meanwhile: dict[str, Task] = {}  # changed since a count began, newest first
        self._gone: dict[str, int] = {}  # id -> tick
        self._history: deque[tuple[int, int]] = deque(maxlen=_MOST_HISTORY)  # tick, changes
        self._allowance = float(MOST_ROWS)
        self._allowed_at: float | None = None  # loop time
        self._in_memory = 0
        self._total = 0
        self._counted_tick = 0
        self._facets = b""
        self._facets_tick = 0
        self._facets_due_at = 0.0  # loop time

    # ------------------------------------------------------------------ what happens

    def take(
        self,
        tick: int,
        changed: Sequence[tuple[Task, int]],
        *,
        seen: int,
        memory: Mapping[str, Task],
        now: float,
        loop_now: float,
    ) -> None:
        """Take the tasks that changed, the last first, each with how often it did.

        `memory` are all tasks that are known, by id; `seen` is the number of changes there were up to now.
        """
        test = self._test(now)
        matching: list[Task] = []
        matched = 0
        for task, times in changed:
            if test(task):
                matching.append(task)
                matched += times
            elif task.uuid in self._rows:
                self._let_go(tick, task.uuid)
        # Others fall out as time goes on, `since:5m` is another question every second, or go
        # to make room.
        for row in list(self._rows.values()):
            if not test(row.task) or row.task.uuid not in memory:
                self._let_go(tick, row.task.uuid)
        self._set(matching, [row.task for row in self._rows.values()])
        if self.behind:
            newer = {task.uuid: task for task in [*matching, *self._meanwhile.values()]}
            self._meanwhile = dict(islice(newer.items(), MOST_ROWS))
        # Of tasks that are out of the memory already it is not known whether they matched.
        self.changes += seen - self.seen if self.everything else matched
        self.seen = seen
        if self._shown is None:
            self._in_memory = len(memory)
        self._tell(tick, loop_now)
        self._history.append((tick, self.changes))

    def _test(self, now: float) -> select.Test:
        """Make the test that a task has to pass at `now`."""
        test, shown = select.compile(self.query, now), self._shown
        if shown is None:
            return test

        def passes(task: Task) -> bool:
            theirs = shown(task)
            return theirs is not None and test(theirs)

        return passes

    def begin_count(self, *, loop_now: float) -> None:
        """Say that a count begins, before its tasks are taken out of the memory."""
        self.counted_at = loop_now
        self._meanwhile = {}

    def count(self, tasks: Iterable[Task], now: float) -> Counted:
        """Look through the whole memory: in a thread, as that takes a while."""
        theirs: int | None = None
        if self._shown is not None:
            tasks = [task for task in map(self._shown, tasks) if task is not None]
            theirs = len(tasks)
        if not self.behind:
            return Counted(*select.look(tasks, self.query, now), None, theirs)
        found = select.find(tasks, self.query, now)
        newest = sorted(found.tasks, key=_newest, reverse=True)[:MOST_ROWS]
        return Counted(len(found.tasks), found.facets, newest, theirs)

    def put(self, tick: int, counted: Counted, *, loop_now: float) -> None:
        """Take what was counted."""
        self._total, self._counted_tick = counted.total, tick
        if counted.in_memory is not None:
            self._in_memory = counted.in_memory
        facets = wire(console.facets(counted.facets))
        if facets != self._facets and loop_now >= self._facets_due_at:
            pause = min(len(facets) / BYTES_A_SECOND, _LONGEST_FACETS_PAUSE_SECONDS)
            self._facets, self._facets_tick = facets, tick
            self._facets_due_at = loop_now + pause
        if counted.newest is not None:
            # What changed while it was counted is newer than all of it.
            fresh = [task for uuid, task in self._meanwhile.items() if uuid in self._rows]
            for task in counted.newest:
                row = self._rows.get(task.uuid)
                if row is not None and row.encoded != _encoded(task):
                    row.news = True
            self._set((), [*fresh, *counted.newest])
            self._meanwhile = {}
            self._tell(tick, loop_now)
            self.behind, self.ready = False, True
            self._history.append((tick, self.changes))

    def _set(self, newer: Sequence[Task], older: Iterable[Task]) -> None:
        """Put some before the others; of those, only what was not told yet is news."""
        before, rows = self._rows, dict[str, _Row]()
        for task in newer:
            if len(rows) < MOST_ROWS and task.uuid not in rows:
                row = rows[task.uuid] = before.get(task.uuid) or _Row(task)
                row.task, row.news = task, True
        for task in older:
            if len(rows) < MOST_ROWS and task.uuid not in rows:
                rows[task.uuid] = before.get(task.uuid) or _Row(task)
        self._rows = rows

    def _let_go(self, tick: int, uuid: str) -> None:
        del self._rows[uuid]
        self._gone.pop(uuid, None)
        self._gone[uuid] = tick
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def _tell(self, tick: int, loop_now: float) -> None:
        """Choose what is told now: what is new on top, or the whole list where that is allowed.

        A client puts what it is told on top of what it has; so a row below one that was told
        is not told alone.
        """
        if self._allowed_at is not None:
            earned = (loop_now - self._allowed_at) * MOST_ROWS
            self._allowance = min(self._allowance + earned, MOST_ROWS)
        self._allowed_at = loop_now
        rows = list(self._rows.values())
        chosen = list(takewhile(_is_news, rows))
        if any(row.news for row in rows[len(chosen) :]):
            cost = sum(row.cost for row in rows)
            if self._allowance >= min(cost, MOST_ROWS):
                chosen = rows
        for row in chosen:
            cost = row.cost
            if cost > self._allowance:
                break
            self._allowance -= cost
            row.tell(tick)
            self._gone.pop(row.task.uuid, None)

    # ------------------------------------------------------------------ what is told

    def remembers(self, tick: int) -> bool:
        """Say whether a client can go on from that tick."""
        return self.ready and bool(self._history) and self._history[0][0] <= tick

    def part(self, since: int) -> dict[str, Any] | None:
        """Give what a client has to be told; None: nothing, or nothing is known yet."""
        if not self.ready:
            return None
        rows = self._rows.values()
        counted = self._counted_tick > since
        if since:
            told = [row.encoded for row in rows if row.tick > since]
            gone = [uuid for uuid, tick in self._gone.items() if tick > since]
            changed = self.changes - self._changes_at(since)
            if not (told or gone or changed or counted):
                return None
        else:
            told = [_encoded(row.task) if row.news else row.encoded for row in rows]
            gone, changed = [], 0
        part: dict[str, Any] = {
            "rows": [msgspec.Raw(row) for row in told],
            "gone": gone,
            "changed": changed,
            "in_memory": self._in_memory,
        }
        if self.everything:
            part["total"] = self._in_memory
        elif counted:
            part["total"] = self._total
        if self._facets_tick > since:
            part["facets"] = msgspec.Raw(self._facets)
        return part

    def _changes_at(self, tick: int) -> int:
        index = bisect_right(self._history, tick, key=lambda moment: moment[0])
        return self._history[index - 1][1] if index else self.changes


def _is_news(row: _Row) -> bool:
    return row.news


def _newest(task: Task) -> float:
    return task.state_at


def _encoded(task: Task) -> bytes:
    row = console.task_row(task)
    cut = {
        field: text[:MOST_CHARS] + "…"
        for field in _TEXTS
        if (text := getattr(row, field)) is not None and len(text) > MOST_CHARS
    }
    return wire(msgspec.structs.replace(row, **cut) if cut else row)
