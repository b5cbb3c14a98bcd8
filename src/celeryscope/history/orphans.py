"""Tasks without an end: found in memory and in the history, asked for, and in the end given up.

The `Sweeper` looks for two kinds. *Orphans* began on a worker that is gone: the memory says why
(`cluster.orphans`). *Missed* ones may have ended while events could not reach us. Both are asked
of the result backend, and what it has becomes their end, marked as fetched. An orphan that it
knows no end of is LOST. Either is an event of our own (`model.event.Found`), so what is known of a
task stays a set of events, and a later word of a worker wins.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from celeryscope.errors import CeleryscopeError, NotPossible, Unavailable
from celeryscope.history import rows
from celeryscope.history.finding import Cursor, Page
from celeryscope.history.rows import Row
from celeryscope.history.sql import queries
from celeryscope.history.words import Words
from celeryscope.model.event import Found
from celeryscope.model.query import Ago, At, Match, Query, all_of
from celeryscope.model.task import (
    FAILURE,
    FINISHED,
    LOST,
    PENDING,
    RECEIVED,
    RETRY,
    REVOKED,
    STARTED,
    STATES,
    SUCCESS,
    Task,
)

logger = logging.getLogger(__name__)

#: What is taken into memory at the start, at most.
MOST_RESTORED: Final = 5_000
RESTORED_SECONDS: Final = 86_400.0
_PAGE: Final = 500
_MOST_A_PASS: Final = 1_000  # tasks of the history that are judged at a time
_MOST_MISSED: Final = 20_000  # of the history, after a time that was missed
_MOST_ASKED: Final = 20_000  # that wait to be asked of the result backend
BATCH: Final = 50  # asked at once, and a second
#: A result may be written after we asked: how long after that it is asked again.
_AGAIN_SECONDS: Final = (10.0, 60.0, 600.0, 3_600.0, 21_600.0)
#: A task without a worker, or on one that is there, is asked so often only.
_TIMES_MISSED: Final = 3
#: Events that are on their way when a gap ends are here after so long.
_SETTLE_SECONDS: Final = 3.0
_SWEEP_SECONDS: Final = 5.0
_PASS_SECONDS: Final = 60.0
_YOUNG_SECONDS: Final = 30.0
_BACKOFF_SECONDS: Final = (1.0, 60.0)
#: A result was written when the run that we know had begun, whatever is between two clocks.
_CLOCKS_SECONDS: Final = 1.0
_TYPES: Final = {SUCCESS: "task-succeeded", FAILURE: "task-failed", REVOKED: "task-revoked"}


class Readable(Protocol):
    """A history that can be asked."""

    words: Words

    def reading(self) -> AbstractContextManager[Any]: ...
    def search(
        self,
        query: Query,
        *,
        now: float,
        sort: Any = ...,
        after: Cursor | None = ...,
        limit: int = ...,
    ) -> Page: ...
    def task(self, uuid: str) -> Task | None: ...


class Memory(Protocol):
    """What is known of the cluster now (`cluster.orphans.Orphans`)."""

    def task(self, uuid: str) -> Task | None: ...
    def unfinished(self) -> list[Task]: ...
    def why_lost(self, task: Task, now: float) -> str | None: ...
    def to_inspect(self, tasks: list[Task], now: float) -> list[str]: ...


class Outcome(Protocol):
    """What a result backend has of a task (`control.outcomes.Outcome`)."""

    @property
    def state(self) -> str: ...
    @property
    def at(self) -> float | None: ...
    @property
    def result(self) -> str | None: ...
    @property
    def exception(self) -> str | None: ...
    @property
    def traceback(self) -> str | None: ...
    @property
    def worker(self) -> str | None: ...


#: Give what the result backend has, of those tasks that it knows. Raises Unavailable, NotPossible.
Ask = Callable[[Sequence[str]], Mapping[str, Outcome]]


# ---------------------------------------------------------------------- out of the history


def newest(history: Readable, *, most: int = MOST_RESTORED) -> list[Task]:
    """Give the tasks that changed last, with all that is known of them, the oldest first."""
    tasks: list[Task] = []
    before = 2**62
    with history.reading() as db:
        word = history.words.text
        while len(tasks) < most:
            limit = min(_PAGE, most - len(tasks))
            found = db.execute(queries()["newest_tasks"], (before, limit)).fetchall()
            for one in found:
                row = Row(*one[: len(Row._fields)])
                traceback, told = one[-2:]
                text = None if traceback is None else rows.unpack(traceback)
                life = None if told is None else rows.unpack_life(told)
                tasks.append(rows.to_task(row, word, traceback=text, life=life))
                before = row.seq
            if len(found) < limit:
                break
    tasks.reverse()
    return tasks


def unfinished(
    history: Readable,
    *,
    now: float,
    within_seconds: float,
    most: int,
) -> list[Task]:
    """Give tasks whose end is not known, of which was heard lately, the newest first."""
    states = (PENDING, RECEIVED, STARTED, RETRY, *_own_states(history))
    query = all_of([_is_one_of(states), Ago("since", within_seconds)])
    return list(_found(history, query, now=now, sort="newest", most=most))


def _found(history: Readable, query: Query, *, now: float, sort: str, most: int) -> Iterator[Task]:
    after = None
    while most > 0:
        page = history.search(query, now=now, sort=sort, after=after, limit=min(_PAGE, most))
        yield from page.tasks
        most -= len(page.tasks)
        after = page.after
        if not page.more or not page.tasks:
            return


def _own_states(history: Readable) -> list[str]:
    """Give the states that projects made up."""
    known = list(history.words.by_kind.get("state", {}).values())
    return [state for state in known if state not in STATES and state != LOST]


def _is_one_of(states: Sequence[str]) -> Query:
    return Match("state", tuple((state,) for state in states))


# ---------------------------------------------------------------------- asked for


class _Asked(NamedTuple):
    """A task whose end is asked of the result backend."""

    since: float  # the last that is known of its run; a result from before is of another one
    worker: str | None
    started: float | None
    why: str | None  # it is lost; None: its end may have been missed
    times: int


def to_found(uuid: str, task: _Asked, outcome: Outcome, now: float) -> Found | None:
    """Make the end of a task out of what the result backend has; None: it has none of this run."""
    kind = _TYPES.get(outcome.state)
    at = now if outcome.at is None else min(outcome.at, now)
    if kind is None or at < task.since - _CLOCKS_SECONDS:
        return None
    exception = outcome.exception or ""
    return Found(
        type=kind,
        hostname=outcome.worker or task.worker or "",
        timestamp=at,
        uuid=uuid,
        result=outcome.result if outcome.state == SUCCESS else None,
        exception=outcome.exception if outcome.state == FAILURE else None,
        traceback=outcome.traceback if outcome.state == FAILURE else None,
        terminated="terminated" in exception if outcome.state == REVOKED else None,
        expired="expired" in exception if outcome.state == REVOKED else None,
        how="fetched",
    )


def to_lost(uuid: str, task: _Asked, now: float) -> Found:
    """Say that a task is lost."""
    return Found(
        type="task-lost",
        hostname=task.worker or "",
        timestamp=now,
        uuid=uuid,
        exception=task.why,
        how="lost",
        of_start=task.started,
    )


def _asked(task: Task, why: str | None) -> _Asked:
    known = (task.sent, task.received, task.started, task.retried)
    since = max([time for time in known if time is not None], default=0.0)
    return _Asked(since, task.worker, task.started, why, 0)


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the search for ends stands."""

    asking: bool  # there is a result backend that is asked
    waiting: int  # tasks that it is still asked about
    fetched: int  # ends that it had, since the start
    lost: int  # tasks taken for lost, since the start
    trouble: str | None  # why it cannot be asked, as a sentence


class Sweeper:
    """Finds tasks without an end, in a thread of its own.

    `memory` has the tasks of now. `tell` is given what was found out, with the tasks of the
    history that are not in memory. `ask` asks the result backend; None: there is none.
    `inspect` asks a worker what it runs. With `restore` the newest tasks of the history are handed
    over once, at the start, the oldest first.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        tell: Callable[[Sequence[Found], Mapping[str, Task]], None],
        history: Readable | None,
        ask: Ask | None,
        inspect: Callable[[str], object],
        restore: Callable[[Sequence[Task]], object] | None = None,
        lost_after_seconds: float,
        sweep_seconds: float = _SWEEP_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory = memory
        self._tell = tell
        self._history = history
        self._ask = ask
        self._inspect = inspect
        self._restore = restore
        self._lost_after = lost_after_seconds
        self._sweep_seconds = min(sweep_seconds, lost_after_seconds or sweep_seconds)
        self._clock = clock
        self._lock = threading.Lock()
        self._missed: list[tuple[float, str | None]] = []  # until when, whose
        self._asking: OrderedDict[str, tuple[float, _Asked]] = OrderedDict()  # id -> when next
        self._old: dict[str, Task] = {}  # of the history, that are asked for
        self._place: Cursor | None = None  # where the history is swept on
        self._passed = 0.0
        self._pause = 0.0
        self._ask_from = 0.0
        self._fetched = self._lost = 0
        self.trouble: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the newest tasks of the history come back first."""
        self._thread = threading.Thread(target=self._loop, name="orphans", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a result backend that hangs is not waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def missed(self, until: float, worker: str | None = None) -> None:
        """Say that events up to a time (epoch seconds) may not have come; all, or a worker's."""
        with self._lock:
            self._missed.append((until, worker))
            del self._missed[:-100]

    def status(self) -> Status:
        return Status(
            asking=self._ask is not None,
            waiting=len(self._asking),
            fetched=self._fetched,
            lost=self._lost,
            trouble=self.trouble,
        )

    # ------------------------------------------------------------------ the thread

    def _loop(self) -> None:
        self._guarded(self._begin)
        swept = 0.0
        while not self._stop.wait(min(1.0, self._sweep_seconds)):
            now = self._clock()
            if not 0.0 <= now - swept < self._sweep_seconds:
                swept = now
                self._guarded(self.sweep)
            self._guarded(self.ask)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Unavailable as error:
            logger.debug("tasks without an end cannot be looked for: %s", error)
        except Exception:
            # Whatever one task is like, the others are looked for.
            logger.exception("tasks without an end could not be looked for")

    def _begin(self) -> None:
        """Hand the newest tasks over, and those without an end; ask for these."""
        if self._history is None:
            return
        while not self._stop.is_set():
            try:
                last = newest(self._history)
                now = self._clock()
                live = unfinished(
                    self._history, now=now, within_seconds=RESTORED_SECONDS, most=_MOST_MISSED
                )
                break
            except Unavailable:
                self._stop.wait(5.0)
        else:
            return
        known = {task.uuid for task in last}
        older = [task for task in live if task.uuid not in known]
        if self._restore is not None:
            back = [self._history.task(task.uuid) for task in older[:MOST_RESTORED]]
            self._restore([*(task for task in reversed(back) if task is not None), *last])
        with self._lock:
            for task in live:
                self._want(task, None, now + _SETTLE_SECONDS)

    def sweep(self) -> None:
        """Look for orphans, and for those whose end was missed."""
        now = self._clock()
        tasks = self._memory.unfinished()
        with self._lock:
            missed, self._missed = self._missed, []
            due = [one for one in missed if now - one[0] >= _SETTLE_SECONDS]
            self._missed = [one for one in missed if one not in due]
        for until, worker in due:
            for task in tasks:
                if task.state_at <= until and (worker is None or task.worker in (None, worker)):
                    with self._lock:
                        self._want(task, None, now)
        if not self._lost_after:
            return
        began = [task for task in tasks if task.started is not None and task.state != LOST]
        for hostname in self._memory.to_inspect(began, now):
            self._inspect(hostname)
        # (Most tasks are over before they could be lost by any rule.)
        young = min(self._lost_after, _YOUNG_SECONDS)
        self._judge([task for task in began if not 0 <= now - (task.started or 0) < young], now)
        if self._history is not None and not 0.0 <= now - self._passed < _PASS_SECONDS:
            self._passed = now
            self._judge(self._old_ones(now), now)

    def _judge(self, tasks: Sequence[Task], now: float) -> None:
        for task in tasks:
            why = self._memory.why_lost(task, now)
            if why is not None:
                with self._lock:
                    self._want(task, why, now)

    def _old_ones(self, now: float) -> list[Task]:
        """Give the next tasks of the history that began and have no end, if not in memory."""
        assert self._history is not None
        states = (STARTED, *_own_states(self._history))
        query = all_of([_is_one_of(states), At("until", now - self._lost_after)])
        page = self._history.search(
            query, now=now, sort="oldest", after=self._place, limit=_MOST_A_PASS
        )
        self._place = page.after if page.more and page.tasks else None
        return [task for task in page.tasks if self._memory.task(task.uuid) is None]

    def _want(self, task: Task, why: str | None, due: float) -> None:
        """Ask for the end of a task; for whoever holds the lock."""
        uuid = task.uuid
        known = self._asking.get(uuid)
        if known is not None and (known[1].why is not None or why is None):
            return
        while len(self._asking) >= _MOST_ASKED:
            gone, _ = self._asking.popitem(last=False)
            self._old.pop(gone, None)
        self._asking[uuid] = (due, _asked(task, why))
        if self._memory.task(uuid) is None:
            self._old[uuid] = task

    # ------------------------------------------------------------------ the result backend

    def ask(self) -> None:
        """Ask for some of those whose turn it is, and tell what came of it."""
        now = self._clock()
        if now < self._ask_from:
            return
        with self._lock:
            turn = [(uuid, one) for uuid, (due, one) in self._asking.items() if due <= now]
        chosen = [(uuid, one) for uuid, one in turn if not self._is_over(uuid)][:BATCH]
        over = [uuid for uuid, _ in turn if self._is_over(uuid)]
        with self._lock:
            for uuid in over:
                self._forget(uuid)
        if not chosen:
            return
        outcomes = self._outcomes([uuid for uuid, _ in chosen], now)
        found: list[Found] = []
        for uuid, one in chosen:
            outcome = None if outcomes is None else outcomes.get(uuid)
            end = None if outcome is None else to_found(uuid, one, outcome, now)
            if end is not None:
                found.append(end)
                self._fetched += 1
            elif one.why is not None and one.times == 0:
                found.append(to_lost(uuid, one, now))
                self._lost += 1
        old = {uuid: self._old[uuid] for uuid, _ in chosen if uuid in self._old}
        if found:
            self._tell(found, old)
        ended = {end.uuid for end in found if end.how == "fetched"}
        with self._lock:
            for uuid, one in chosen:
                self._put_off(uuid, one, now, over=uuid in ended, asked=outcomes is not None)

    def _put_off(self, uuid: str, one: _Asked, now: float, *, over: bool, asked: bool) -> None:
        most = len(_AGAIN_SECONDS) if one.why is not None else _TIMES_MISSED
        if over or self._ask is None or one.times >= most:
            self._forget(uuid)
        elif uuid in self._asking:
            # (A backend that is away is asked again without counting: but LOST is said once.)
            times = one.times + 1 if asked or one.times == 0 else one.times
            again = _AGAIN_SECONDS[min(one.times, len(_AGAIN_SECONDS) - 1)]
            self._asking[uuid] = (now + again, one._replace(times=times))

    def _forget(self, uuid: str) -> None:
        self._asking.pop(uuid, None)
        self._old.pop(uuid, None)

    def _is_over(self, uuid: str) -> bool:
        """Say whether an event told the end meanwhile, or that the task runs again."""
        task = self._memory.task(uuid)
        asked = self._asking.get(uuid)
        if task is None or asked is None:
            return False
        one = asked[1]
        again = one.why is not None and (task.worker, task.started) != (one.worker, one.started)
        return task.state in FINISHED or again

    def _outcomes(self, uuids: Sequence[str], now: float) -> Mapping[str, Outcome] | None:
        """Ask; None: it cannot be asked."""
        if self._ask is None:
            return {}
        try:
            outcomes = self._ask(uuids)
        except NotPossible as error:
            self._say(str(error))
            self._ask_from = 0.0
            self._ask = None  # and never will be
            return None
        except CeleryscopeError as error:
            self._say(str(error))
            low, high = _BACKOFF_SECONDS
            self._pause = min(max(2 * self._pause, low), high)
            self._ask_from = now + self._pause
            return None
        self.trouble, self._pause = None, 0.0
        return outcomes

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            logger.warning("the ends of tasks cannot be fetched: %s", trouble)
        self.trouble = trouble
