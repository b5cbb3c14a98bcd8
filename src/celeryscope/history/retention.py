"""What is too old, or too much, is taken out of the history: in steps too small to be felt.

Age first: a task goes when its last event is as old as tasks of its state are kept. It goes with
its neighbours, block by block, as soon as the whole block is old enough, or a day late. Tasks of
a state that is kept longer stay in their block; what is left of several becomes a block of its
own (`blocks.set_apart`), so that signatures do not stay for tasks that are gone. Number and size
come second, and take whole blocks, those with the oldest last event first, whatever their states.

Each step is one short transaction, and a pause follows it that is longer than the step. Steps wait
while events do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from typing import NamedTuple, Protocol

from celeryscope.errors import CeleryscopeError, NotPossible
from celeryscope.history import blocks, space
from celeryscope.history.blocks import Block
from celeryscope.history.database import Database
from celeryscope.history.record import microseconds
from celeryscope.history.sql import queries
from celeryscope.history.words import Words

logger = logging.getLogger(__name__)

#: How often it looks for something to do.
EVERY_SECONDS = 30.0
#: A step takes about so long; nothing else is written meanwhile.
STEP_SECONDS = 0.03
#: Figures outlive the tasks.
FIGURES_SECONDS = 400 * 86_400.0
_REST = 2.0  # times as long as the step
_LEAST_REST_SECONDS = 0.02
_MOST_WAITING = 20_000  # events; above it ingest comes first
_GIVE_WAY_SECONDS = 0.5
_FIGURES_EVERY_SECONDS = 3_600.0
_COUNT_EVERY_SECONDS = 600.0
_DAY = 86_400_000_000  # microseconds
_NEVER = 2**62
_UNSEALED_AT_ONCE = 500
_NAMES_AT_ONCE = 100
_DROPS = ("drop_tasks", "drop_tracebacks", "drop_lives", "drop_all_attempts", "drop_failures")


class Kept(Protocol):
    """The history, as far as retention needs it."""

    words: Words

    def reading(self) -> AbstractContextManager[Database]: ...
    def writing(self) -> AbstractContextManager[Database]: ...
    @property
    def waiting(self) -> int: ...


class Status(NamedTuple):
    """How retention goes."""

    ran_at: float | None  # epoch seconds: when it last looked through everything
    removed: int  # tasks, since the start
    behind: int  # blocks of tasks that are due and not gone yet
    trouble: str | None  # why it cannot go on, as a sentence


class Limits(NamedTuple):
    """How much is kept; of nothing that is 0 there is too much."""

    max_age_seconds: float = 0.0
    max_age_of: Mapping[str, float] = {}  # seconds by state; 0: for ever
    max_tasks: int = 0
    max_bytes: int = 0


class _Aged(NamedTuple):
    """A block as retention sees it; a row of the query `ages`."""

    id: int
    first: int
    last: int
    oldest: int
    newest: int
    left: int | None  # tasks; None: nobody looked
    due_at: int | None  # when the next of them is too old

    @property
    def tasks(self) -> int:
        return self.last - self.first + 1 if self.left is None else self.left


class _Ages:
    """How long tasks of each state are kept, by the number of its word; whole microseconds."""

    def __init__(self, limits: Limits, states: Mapping[int, str]) -> None:
        self._default = microseconds(limits.max_age_seconds) or _NEVER
        by_name = {state.upper(): age for state, age in limits.max_age_of.items()}
        self._of = {
            number: microseconds(by_name[state.upper()]) or _NEVER
            for number, state in states.items()
            if state.upper() in by_name
        }
        self.least = min([self._default, *self._of.values()])
        self.rules = ",".join(
            [str(self._default), *(f"{state}={age}" for state, age in sorted(self._of.items()))]
        )

    def end(self, state: int, at: int) -> int:
        """Say when a task is too old."""
        return min(at + self._of.get(state, self._default), _NEVER)


class Retention:
    """Takes out what is too old or too much; `start` and `stop` for a thread of its own."""

    def __init__(
        self,
        history: Kept,
        *,
        max_age_seconds: float = 0.0,
        max_age_of: Mapping[str, float] | None = None,
        max_tasks: int = 0,
        max_bytes: int = 0,
        rest: float = _REST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """0 is no limit. `max_age_of`: seconds by state, instead of `max_age_seconds`.

        `rest` times as long as a step it rests after it.
        """
        self.limits = Limits(max_age_seconds, max_age_of or {}, max_tasks, max_bytes)
        self._history = history
        self._rest = rest
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._ran_at: float | None = None
        self._removed = 0
        self._gone = 0  # of them, in the step that is going on
        self._behind = 0
        self._trouble: str | None = None
        self._figures_at = 0.0
        self._counted_at = 0.0
        self._too_many = 0  # tasks that the blocks' sizes tell of, and that are not there

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the step that it is at."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def status(self) -> Status:
        return Status(self._ran_at, self._removed, self._behind, self._trouble)

    def prune(self, progress: Callable[[int], None] | None = None) -> int:
        """Take out all that is to go now, and give the room back; returns how many tasks went.

        `progress` is told how many did since it was told last. Raises Unavailable where the
        history cannot be read or written; what was taken out before stays out.
        """
        before = self._removed
        for _ in self._steps():
            if progress is not None:
                progress(self._removed - before)
                before = self._removed
        return self._removed

    def due(self) -> int:
        """Count the tasks that are to go now; nothing is changed."""
        now = microseconds(self._clock())
        with self._history.reading() as db:
            ages, aged = self._ages(db), self._blocks(db)
            gone = sum(
                ages.end(state, at) <= now
                for block in aged
                if _is_due(block, ages, now)
                for _, state, at in _tasks(db, block)
            )
            _, sealed = db.execute(queries()["sealed"]).fetchone()
            unsealed = db.execute(queries()["unsealed_tasks"], (sealed,)).fetchall()
            gone += sum(ages.end(state, at) <= now for _, state, at in unsealed)
            count = db.execute(queries()["task_count"]).fetchone()[0]
            used = space.used_bytes(db, tasks=count)
        left = count - gone
        if self.limits.max_tasks:
            left = min(left, self.limits.max_tasks)
        if self.limits.max_bytes and used > self.limits.max_bytes:
            left = min(left, count * self.limits.max_bytes // used)
        return int(count - left)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for _ in self._steps():
                    if self._stop.is_set():
                        return
            except CeleryscopeError as error:
                if self._trouble != str(error):
                    logger.warning("old tasks cannot be taken out of the history: %s", error)
                self._trouble = str(error)
            except Exception:
                # It must outlive every pass: say it, try again later.
                logger.exception("old tasks cannot be taken out of the history")
                self._trouble = "Old tasks cannot be taken out of the history: the log says why."
            else:
                self._trouble = None
            self._stop.wait(EVERY_SECONDS)

    def _steps(self) -> Iterator[None]:
        """Do all that is to do, in steps, each followed by a rest and a `yield`."""
        now = microseconds(self._clock())
        with self._history.reading() as db:
            ages = self._ages(db)
            is_new = db.execute(queries()["rules"]).fetchone()[0] != ages.rules
        if is_new:
            with self._step() as (db, _):
                db.execute(queries()["look_again"])
                db.execute(queries()["put_rules"], (ages.rules,))
        yield from self._by_age(ages, now)
        yield from self._set_apart(ages)
        yield from self._by_number()
        yield from self._figures(now)
        too_small: NotPossible | None = None
        try:
            yield from self._by_size()
        except NotPossible as error:
            too_small = error
        yield from self._space()
        self._ran_at, self._behind = self._clock(), 0
        if too_small is not None:
            raise too_small

    @contextmanager
    def _step(self) -> Iterator[tuple[Database, float]]:
        """Lend a connection for one short transaction, and the time until which; then rest."""
        self._gone = 0
        with self._history.writing() as db:
            begun = time.monotonic()
            yield db, begun + STEP_SECONDS
        self._removed += self._gone
        self._stop.wait(max(_LEAST_REST_SECONDS, self._rest * (time.monotonic() - begun)))
        while self._history.waiting > _MOST_WAITING and not self._stop.is_set():
            self._stop.wait(_GIVE_WAY_SECONDS)

    # ------------------------------------------------------------------ by age

    def _ages(self, db: Database) -> _Ages:
        return _Ages(self.limits, dict(self._history.words.by_kind.get("state", {})))

    def _blocks(self, db: Database) -> list[_Aged]:
        """Give the blocks, those with the oldest last event first."""
        return [_Aged(*row) for row in db.execute(queries()["ages"])]

    def _by_age(self, ages: _Ages, now: int) -> Iterator[None]:
        with self._history.reading() as db:
            known = self._blocks(db)
            newest = max((block.id for block in known), default=0)
            due = [
                block
                for block in known
                if _is_due(block, ages, now) or (block.left == 0 and block.id != newest)
            ]
            old_at = _oldest_unsealed(db)
        self._behind = len(due)

        def one(db: Database, block: _Aged) -> None:
            self._thin(db, block, ages, now)
            self._behind -= 1

        yield from self._each(due, one)
        while old_at is not None and old_at + ages.least <= now:
            with self._step() as (db, _):
                gone = self._drop_unsealed(db, lambda state, at: ages.end(state, at) <= now)
            yield
            if gone < _UNSEALED_AT_ONCE:
                break

    def _each(self, aged: Sequence[_Aged], do: Callable[[Database, _Aged], None]) -> Iterator[None]:
        """Do something to each block, as many in a step as there is time for."""
        done = 0
        while done < len(aged):
            with self._step() as (db, until):
                while done < len(aged):
                    do(db, aged[done])
                    done += 1
                    if time.monotonic() >= until:  # one at least, however slow the machine is
                        break
            yield

    def _thin(self, db: Database, block: _Aged, ages: _Ages, now: int) -> None:
        """Take out the tasks of a block that are too old."""
        tasks = _tasks(db, block)
        for is_gone, run in groupby(tasks, key=lambda one: ages.end(*one[1:]) <= now):
            if is_gone:
                seqs = [seq for seq, *_ in run]
                self._drop(db, seqs[0], seqs[-1])
        self._look(db, block, ages)

    def _drop(self, db: Database, first: int, last: int) -> None:
        named = queries()
        for name in _DROPS:
            rows = db.execute(named[name], (first, last))
            if name == "drop_tasks":
                self._gone += rows.rowcount

    def _drop_unsealed(self, db: Database, is_gone: Callable[[int, int], bool]) -> int:
        """Take out tasks that are in no block yet, the oldest first; give how many."""
        named = queries()
        _, sealed = db.execute(named["sealed"]).fetchone()
        found = db.execute(named["unsealed_tasks"], (sealed,)).fetchall()
        gone = [seq for seq, state, at in found if is_gone(state, at)][:_UNSEALED_AT_ONCE]
        if gone:
            (last,) = db.execute(named["last_seq"]).fetchone()
            db.execute(named["put_last_seq"], (last, last))
        for seq in gone:
            self._drop(db, seq, seq)
        return len(gone)

    def _set_apart(self, ages: _Ages) -> Iterator[None]:
        """Make blocks of what is left in blocks of which more than half is gone."""
        with self._history.reading() as db:
            thin = [
                block
                for block in self._blocks(db)
                if block.left and block.left * 2 <= block.last - block.first + 1
            ]
        sources: list[_Aged] = []
        for block in thin:
            sources.append(block)
            while sum(source.tasks for source in sources) >= blocks.TASKS:
                with self._step() as (db, _):
                    sources = self._set_some_apart(db, sources, ages)
                yield

    def _set_some_apart(self, db: Database, sources: list[_Aged], ages: _Ages) -> list[_Aged]:
        """Make one block; give the sources of which something is left."""
        named = queries()
        if blocks.set_apart(db, [_as_block(block) for block in sources]):
            first, apart = db.execute(named["lowest"]).fetchone()
            (last,) = db.execute(named["block_last"], (apart,)).fetchone()
            self._look(db, _Aged(apart, first, last, 0, 0, None, None), ages)
        left = [(block, self._look(db, block, ages)) for block in sources]
        return [block._replace(left=tasks) for block, tasks in left if tasks]

    def _look(self, db: Database, block: _Aged, ages: _Ages) -> int:
        """Note what is left of a block, or take it away; gives how many tasks are."""
        tasks = _tasks(db, block)
        if tasks:
            due_at = min(ages.end(state, at) for _, state, at in tasks)
            db.execute(queries()["put_thinned"], (block.id, len(tasks), due_at))
            db.execute(queries()["narrow_block"], (min(at for *_, at in tasks), block.id))
        else:
            blocks.remove(db, _as_block(block))
        return len(tasks)

    # ------------------------------------------------------------------ by number and size

    def _by_number(self) -> Iterator[None]:
        most = self.limits.max_tasks
        if not most:
            return
        with self._history.reading() as db:
            aged = self._blocks(db)
            count = self._count(db, aged)
            if count > most and time.monotonic() - self._counted_at >= _COUNT_EVERY_SECONDS:
                exact = db.execute(queries()["task_count"]).fetchone()[0]
                self._too_many += count - exact
                self._counted_at = time.monotonic()
                count = exact
        excess = count - most
        going = []
        for block in aged:
            if excess <= 0:
                break
            if block.tasks:
                going.append(block)
                excess -= block.tasks
        yield from self._each(going, self._drop_block)
        while excess > 0:
            wanted = min(excess, _UNSEALED_AT_ONCE)
            with self._step() as (db, _):
                gone = self._drop_oldest_unsealed(db, wanted)
            excess -= gone
            yield
            if not gone:
                break

    def _by_size(self) -> Iterator[None]:
        most = self.limits.max_bytes
        if not most:
            return
        with self._history.reading() as db:
            aged = [block for block in self._blocks(db) if block.tasks]
            count = self._count(db, aged)
            used = space.used_bytes(db, tasks=count)
        place = 0
        while used > most:
            with self._step() as (db, until):
                while place < len(aged) and used > most:
                    self._drop_block(db, aged[place])
                    place += 1
                    used = space.used_bytes(db, tasks=count - self._gone)
                    if time.monotonic() >= until:
                        break
                if place == len(aged) and used > most:
                    self._drop_oldest_unsealed(db, _UNSEALED_AT_ONCE)
                count -= self._gone
                used = space.used_bytes(db, tasks=count)
            yield
            if place == len(aged) and not self._gone:
                raise NotPossible(
                    f"The history takes {used:,} bytes, and there is no task left to take out of "
                    f"it: history_max_bytes, which is {most:,}, is too small."
                )

    def _count(self, db: Database, aged: Sequence[_Aged]) -> int:
        """Say about how many tasks there are: those that moved are counted where they were, too."""
        named = queries()
        _, sealed = db.execute(named["sealed"]).fetchone()
        (unsealed,) = db.execute(named["unsealed_count"], (sealed,)).fetchone()
        return max(sum(block.tasks for block in aged) + int(unsealed) - self._too_many, 0)

    def _drop_block(self, db: Database, block: _Aged) -> None:
        before = self._gone
        self._drop(db, block.first, block.last)
        missing = block.tasks - (self._gone - before)
        self._too_many = max(self._too_many - missing, 0)
        blocks.remove(db, _as_block(block))

    def _drop_oldest_unsealed(self, db: Database, wanted: int) -> int:
        left = iter(range(wanted))
        return self._drop_unsealed(db, lambda _state, _at: next(left, None) is not None)

    # ------------------------------------------------------------------ the rest

    def _figures(self, now: int) -> Iterator[None]:
        """Take out figures that are older than any is kept."""
        if time.monotonic() - self._figures_at < _FIGURES_EVERY_SECONDS and self._figures_at:
            return
        self._figures_at = time.monotonic()
        oldest = now - microseconds(FIGURES_SECONDS)
        named = queries()
        with self._history.reading() as db:
            names = [name for (name,) in db.execute(named["figured_names"])]
        for start in range(0, len(names), _NAMES_AT_ONCE):
            with self._step() as (db, _):
                for name in names[start : start + _NAMES_AT_ONCE]:
                    for step in (900, 86_400):
                        slot = oldest // (step * 1_000_000)
                        db.execute(named["old_figures_of"], (name, step, slot))
            yield
        with self._step() as (db, _):
            db.execute(named["old_failing"], (oldest // 900_000_000,))
        yield

    def _space(self) -> Iterator[None]:
        """Give room back to the disk."""
        while True:
            with self._step() as (db, _):
                more = space.give_back(db, most_seconds=STEP_SECONDS, slack=True)
            if not more:
                return
            yield


def _is_due(block: _Aged, ages: _Ages, now: int) -> bool:
    """Say whether tasks of a block are too old, and enough of them to look for."""
    due_at = min(block.oldest + ages.least, _NEVER) if block.due_at is None else block.due_at
    if due_at > now or block.left == 0:
        return False
    return block.newest + ages.least <= now or due_at + _DAY <= now


def _tasks(db: Database, block: _Aged) -> list[tuple[int, int, int]]:
    return db.execute(queries()["block_tasks"], (block.first, block.last)).fetchall()


def _oldest_unsealed(db: Database) -> int | None:
    named = queries()
    _, sealed = db.execute(named["sealed"]).fetchone()
    found: int | None = db.execute(named["oldest_unsealed"], (sealed,)).fetchone()[0]
    return found


def _as_block(aged: _Aged) -> Block:
    return Block(
        aged.id, aged.first, aged.last, aged.oldest, aged.newest, None, None, None, None, 0, 0, None
    )
