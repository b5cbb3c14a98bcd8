"""The history in its database: one thread writes, any number reads.

What is written waits in memory for the next commit, and a task that has just begun for the one
after it, since it mostly has ended by then and is written once: a second at most. A process that
is killed loses that and no more. (A machine that loses power may lose the last commits too, never
the database.) Readers have connections of their own and see a whole commit or nothing of it.

A database that cannot be opened or written is `trouble`, and no reason to stop: events wait, in
bounds, and the writer tries again. So it is at the start, too.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import structs

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history import blocks, plain, record, rows, tally
from celeryscope.history.database import Connection, Database, Place, Trouble
from celeryscope.history.finding import read_record
from celeryscope.history.plain import Write
from celeryscope.history.postgresql import PostgresPlace
from celeryscope.history.record import Judge, Number, Record
from celeryscope.history.relatives import Relating
from celeryscope.history.rows import Row
from celeryscope.history.search import id_text
from celeryscope.history.sql import migrate, queries
from celeryscope.history.sqlite import SqlitePlace
from celeryscope.history.tally import Tally
from celeryscope.history.words import Words
from celeryscope.model.event import Event
from celeryscope.model.task import Task
from celeryscope.model.text import kept, storable
from celeryscope.model.worker import Worker

logger = logging.getLogger(__name__)

#: As `ClusterState.apply` gives it.
Change = tuple[Event, Task | None, Worker | None]
#: A batch is written at most so often.
COMMIT_SECONDS = 0.3
_LEAST_REST_SECONDS = 0.05  # between two of them
#: What happened so long ago is on disk.
_PROMISED_SECONDS = 1.0
#: Where a batch takes longer, none of the next waits for the one after it: it would be too old.
_MOST_HELD_SECONDS = (_PROMISED_SECONDS - 2 * _LEAST_REST_SECONDS) / 3
_FIRST_TRY_SECONDS = 10.0  # that `open` waits for
_AGAIN_SECONDS = 0.05  # until a reader tries again, once
_MOST_RETRY_SECONDS = 15.0
#: What may wait while the database cannot be written.
MOST_WAITING = 200_000  # events
MOST_WAITING_BYTES = 128 * 2**20  # of their texts
_MOST_SEALED = 64  # blocks at a time: half a second's at 16,000 tasks a second
_MOST_REFUSED = 32  # tasks that are looked for one by one in a batch that is refused
_MOST_IDLE = 4  # connections of readers
_ASKED = 64  # tasks at a time
_FAULT = (
    "The history cannot be written: a fault of Celeryscope. The log says more; please report it."
)


class History(Relating):
    """What became of every task. `open` makes one; `close` writes what waits."""

    def __init__(
        self,
        place: Place,
        *,
        judge: Judge,
        number: Number,
        mask: Callable[[str], str] | None,
        max_text_chars: int,
        keep_arguments: bool,
        commit_seconds: float,
    ) -> None:
        super().__init__(number=number)
        self.place = place
        self.written = 0  # events
        self.dropped = 0  # events that there was no room for while we could not write
        self.refused = 0  # events that could not be written: a fault of ours
        self.trouble: str | None = None  # why we cannot write and what to do, in sentences
        self.trouble_since: float | None = None  # epoch seconds
        self._errors: tuple[type[Exception], ...] = (*place.errors, NotPossible, Unavailable)
        self._final: NotPossible | None = None  # why it can never be opened
        self._judge = judge
        self._mask = mask
        self._chars = max_text_chars
        self._keep_arguments = keep_arguments
        self._commit_seconds = commit_seconds
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # a transaction that writes
        self._waiting: deque[Write] = deque()
        self._held: frozenset[str] = frozenset()  # ids of tasks that the last batch left for this
        self._waiting_bytes = 0
        self._wake = threading.Event()
        self._tried = threading.Event()  # to open it, for the first time
        self._closing = False
        self._done = threading.Condition()
        self._asked = self._answered = 0
        self._db: Connection | None = None  # the writer's; None: not open
        self._age = 0  # how often it was opened
        self._readers: list[tuple[int, Connection]] = []  # idle ones, with their age
        self._to_seal = True  # there may be enough for a block
        self._writer = threading.Thread(target=self._run, name="history", daemon=True)

    @classmethod
    def open(
        cls,
        where: Path | str,
        *,
        judge: Judge,
        number: Number,
        mask: Callable[[str], str] | None = None,
        max_text_chars: int = 4096,
        keep_arguments: bool = True,
        commit_seconds: float = COMMIT_SECONDS,
    ) -> History:
        """Open a history, or make it, and bring it to the newest layout.

        `where` is a file, or the URL of a PostgreSQL database. `judge` and `number` say how a task
        with several runs stands (`cluster.runs`). With `keep_arguments` False arguments and
        results of tasks are never written.

        Raises NotPossible with a sentence for what can never be used: a newer layout, no history,
        a damaged file. Where it cannot be used just now, `trouble` says why, and it is tried
        again.
        """
        history = cls(
            place_of(where),
            judge=judge,
            number=number,
            mask=mask,
            max_text_chars=max_text_chars,
            keep_arguments=keep_arguments,
            commit_seconds=commit_seconds,
        )
        history._writer.start()
        if not history._tried.wait(_FIRST_TRY_SECONDS):
            history._is_in_trouble(Trouble(f"{history.place.name} is not open yet."))
        if history._final is not None:
            history.close()
            raise history._final
        return history

    def close(self) -> None:
        """Write what waits, and let go of the database."""
        self._closing = True
        self._wake.set()
        self._writer.join()
        with self._lock:
            idle, self._readers = self._readers, []
        for _, db in idle:
            db.close()
        if self._db is not None:
            self._db.close()

    @property
    def waiting(self) -> int:
        """Events that are not written yet."""
        return len(self._waiting)

    def size_bytes(self) -> int:
        """Give what the history takes of the disk. Raises Unavailable."""
        with self.reading() as db:
            return self.place.size_bytes(db)

    # ------------------------------------------------------------------ writing

    def write(self, changes: Iterable[Change]) -> None:
        """Take note of applied events; they are on disk a moment later. Never blocks."""
        new = []
        size = 0
        for event, task, _ in changes:
            if task is None:
                continue
            if not self._keep_arguments:
                event = event.without_arguments()
            texts = _size_of(event)
            size += texts
            tells_wait = event.type in ("task-started", "task-sent")
            new.append((event, task.wait if tells_wait else None, texts))
        with self._lock:
            self._waiting.extend(new)
            self._waiting_bytes += size
            self._bound()

    def _bound(self) -> None:
        """Drop the oldest of what waits where it is too much; under the lock."""
        waiting = self._waiting
        while waiting and (len(waiting) > MOST_WAITING or self._waiting_bytes > MOST_WAITING_BYTES):
            self._waiting_bytes -= waiting.popleft()[2]
            self.dropped += 1

    def merge(self, tasks: Iterable[tuple[str, Record]]) -> int:
        """Join what else is known of tasks to what is written, at once and in one transaction.

        Give no more than a few hundred. Texts are taken as they are: see `cut`. Returns how many
        tasks stand otherwise now. Raises Unavailable where the database cannot be written.
        """
        joined: dict[str, Record] = {}
        for uuid, one in tasks:
            joined.setdefault(uuid, Record()).join(uuid, one)
        with self.writing() as db:
            return _Batch(self, db).write(list(joined.items()))

    def cut(self, text: str, most_chars: int) -> str:
        """Mask a text and cut it, as those of events are."""
        return kept(storable(text), most_chars, self._mask)

    @property
    def max_text_chars(self) -> int:
        return self._chars

    @property
    def keep_arguments(self) -> bool:
        return self._keep_arguments

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until what was noted before is on disk. Raises Unavailable if it takes too long."""
        with self._done:
            self._asked += 1
            mine = self._asked
            self._wake.set()
            if not self._done.wait_for(lambda: self._answered >= mine, timeout_seconds):
                raise Unavailable(
                    f"The history is not written yet: {self.trouble or 'the disk is slow'}"
                )

    @contextlib.contextmanager
    def writing(self) -> Iterator[Database]:
        """Lend a connection in a writing transaction, from any thread; committed at the end.

        One such transaction at a time, and nothing is written meanwhile: be quick (50 ms). New
        words come from `words.number(db, …)`. An exception undoes all. Raises Unavailable where
        the database cannot be written: try again later.
        """
        try:
            with self._transaction() as db:
                self.words.read(db)
                yield db
                self._to_seal = True
        except self.place.errors as error:
            raise Unavailable(_sentences(self.place.tell(error))) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Lend the writer's connection, in the only transaction that writes."""
        with self._writing:
            db = self._db
            if db is None:
                raise Unavailable(self.trouble or f"{self.place.name} is not open.")
            db.begin(writing=True)
            try:
                yield db
                db.commit()
            except BaseException:
                db.rollback()
                self.words.settle(committed=False)
                raise
            self.words.settle(committed=True)

    def _run(self) -> None:
        pause = took = 0.0
        while True:
            self._wake.wait(pause)
            began = time.monotonic()
            with self._done:
                asked = self._asked
                self._wake.clear()
            closing = self._closing
            batch = self._taken()
            try:
                self._open()
                in_time = took < _MOST_HELD_SECONDS and self.trouble is None
                self._commit(batch, hold=in_time and not closing and asked == self._answered)
            except self._errors as error:
                self._put_back(batch)
                pause = min(max(2 * pause, 0.1), _MOST_RETRY_SECONDS)
                trouble = self._told(error)
                self._is_in_trouble(trouble)
                if trouble.stale:
                    self._let_go()
            except Exception:
                # The writer must outlive every batch: count it, say it, go on.
                if self._db is None:
                    self._put_back(batch)
                else:
                    self.refused += len(batch)
                pause = min(max(2 * pause, 0.1), _MOST_RETRY_SECONDS)
                if self.trouble != _FAULT:
                    logger.exception("a batch could not be written to the history")
                self._is_in_trouble(Trouble(_FAULT))
            else:
                took = time.monotonic() - began
                pause = self._pause(took)
                self._is_well()
                with self._done:
                    self._answered = asked
                    self._done.notify_all()
            self._tried.set()
            if closing and (not self._waiting or self.trouble):
                self.dropped += len(self._waiting)
                return

    def _pause(self, took: float) -> float:
        """Say how long to wait for more, after a batch that took so long; seconds.

        A batch begins every `commit_seconds`. A slow one is followed by a rest all the same, as
        long as the promise allows: what comes meanwhile belongs to the same tasks.
        """
        pause = self._commit_seconds - took
        if took >= _MOST_HELD_SECONDS:
            pause = min(self._commit_seconds, _PROMISED_SECONDS - 2 * took)
        return max(pause, min(self._commit_seconds, _LEAST_REST_SECONDS))

    def _taken(self) -> deque[Write]:
        with self._lock:
            batch, self._waiting = self._waiting, deque()
            self._waiting_bytes = 0
        return batch

    def _let_go(self) -> None:
        with self._writing:
            if self._db is not None:
                self._db.close()
            self._db = None

    def _put_back(self, batch: deque[Write]) -> None:
        with self._lock:
            self._waiting_bytes += sum([size for _, _, size in batch])
            batch.extend(self._waiting)
            self._waiting = batch
            self._bound()

    def _told(self, error: BaseException) -> Trouble:
        if isinstance(error, NotPossible):
            if not self._tried.is_set():
                self._final = error
            return Trouble(str(error), error.hint)
        if isinstance(error, Unavailable):
            return Trouble(str(error), error.hint)
        trouble = self.place.tell(error)
        if trouble.final and not self._tried.is_set():
            self._final = NotPossible(trouble.sentence, hint=trouble.hint)
        return trouble

    def _is_in_trouble(self, trouble: Trouble) -> None:
        if self.trouble is None:
            self.trouble_since = time.time()
        sentences = _sentences(trouble)
        if self.trouble != sentences:
            logger.warning("the history cannot be written: %s", sentences)
        self.trouble = sentences

    def _is_well(self) -> None:
        if self.trouble is not None:
            logger.warning("the history is written again: %s", self.place.name)
        self.trouble = self.trouble_since = None

    def _open(self) -> None:
        """See that there is a connection to what is there now, in the newest layout."""
        db = self._db
        if db is not None and not db.gone:
            return
        with self._writing:
            self._db = None
            if db is not None:
                logger.warning("the history is opened anew: %s", self.place.name)
                db.close()
            self._forget_readers()
            db = self.place.connect(writer=True)
            try:
                migrate(db, self.place)
            except BaseException:
                db.close()
                raise
            self._age += 1
            self._forget_readers()
            # It may be another database than before.
            self.words, self._blocks = Words(), blocks.Known()
            self._to_seal = True
            self._db = db

    def _forget_readers(self) -> None:
        """Let go of connections to what was there before."""
        with self._lock:
            idle, self._readers = self._readers, []
        for _, reader in idle:
            reader.close()

    def _commit(self, batch: deque[Write], *, hold: bool) -> None:
        """Write a batch, which is empty then; and seal what there is to seal.

        With `hold`, tasks that have just begun go back to what waits, each of them once.
        """
        if batch:
            by_task: dict[str, list[Write]] = {}
            for one in batch:
                uuid = one[0].uuid or ""
                known = by_task.get(uuid)
                if known is None:
                    by_task[uuid] = [one]
                else:
                    known.append(one)
            held: dict[str, list[Write]] = {}
            if hold:
                held = {
                    uuid: told
                    for uuid, told in by_task.items()
                    if plain.lives(told) and uuid not in self._held
                }
            due = [(uuid, told) for uuid, told in by_task.items() if uuid not in held]
            later = [one for told in held.values() for one in told]
            if due:
                refused = self.refused
                self._put(due, 0)
                self.written += len(batch) - len(later) - (self.refused - refused)
                self._to_seal = True
            batch.clear()
            self._held = frozenset(held)
            if later:
                self._put_back(deque(later))
        if self._to_seal:
            sealed = 0
            with self._transaction() as db:
                while sealed < _MOST_SEALED and blocks.seal(db):
                    sealed += 1
            self._to_seal = sealed == _MOST_SEALED

    def _put(self, tasks: Sequence[tuple[str, list[Write]]], refused: int) -> int:
        """Write some tasks; where that is refused, those of them that are not the fault.

        Takes and gives how many tasks of the batch were refused.
        """
        try:
            with self._transaction() as db:
                _Batch(self, db).write(tasks)
        except Exception as error:
            # What one task told must not keep others from being written.
            if isinstance(error, self._errors) and not self._is_ours(error):
                raise
            if len(tasks) == 1 or refused >= _MOST_REFUSED:
                self.refused += sum(len(writes) for _, writes in tasks)
                logger.exception("tasks could not be written to the history")
                return refused + len(tasks)
            half = len(tasks) // 2
            refused = self._put(tasks[:half], refused)
            return self._put(tasks[half:], refused)
        return refused

    def _is_ours(self, error: Exception) -> bool:
        return isinstance(error, self.place.errors) and self.place.tell(error).ours

    # ------------------------------------------------------------------ reading

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection that sees one state of the database. Raises Unavailable."""
        age = self._age
        if age == 0:
            raise Unavailable(self.trouble or f"{self.place.name} is not open.")
        try:
            db = self._reader(age)
            try:
                yield db
            finally:
                db.rollback()
                self._give_back(age, db)
        except self.place.errors as error:
            trouble = self.place.tell(error)
            raise Unavailable(trouble.sentence, hint=trouble.hint) from error

    def _reader(self, age: int) -> Connection:
        """Give a connection in a transaction; one that lay idle may be lost by now."""
        while True:
            with self._lock:
                known, db = self._readers.pop() if self._readers else (0, None)
            is_idle = db is not None
            if db is None:
                try:
                    db = self.place.connect(writer=False)
                except self._errors:  # its file may just have been put in its place
                    time.sleep(_AGAIN_SECONDS)
                    db = self.place.connect(writer=False)
            elif known != age or db.gone:
                db.close()
                continue
            try:
                db.begin(writing=False)
                self.words.read(db)
            except self.place.errors:
                db.close()
                if not is_idle:
                    raise
            else:
                return db

    def _give_back(self, age: int, db: Connection) -> None:
        with self._lock:
            if age == self._age and len(self._readers) < _MOST_IDLE and not db.gone:
                self._readers.append((age, db))
                return
        db.close()


def place_of(where: Path | str) -> Place:
    """Say where a history is. Raises NotPossible for a URL that is none, or without psycopg."""
    if isinstance(where, str) and where.startswith(("postgresql://", "postgres://")):
        return PostgresPlace(where)
    return SqlitePlace(Path(where))


def _sentences(trouble: Trouble) -> str:
    return f"{trouble.sentence} {trouble.hint}".strip()


def _size_of(event: Event) -> int:
    """Give about how much memory an event's texts take."""
    size = 0
    for text in (event.args, event.kwargs, event.result, event.exception, event.traceback):
        if text is not None:
            size += text.__sizeof__()
    return size


def _clean(event: Event) -> Event:
    """Give an event that every database takes: NUL and lone surrogates are replaced."""
    if event.type == "task-started":
        told = event.hostname  # all that is taken of it
    else:
        told = (
            f"{event.hostname}{event.type}{event.name}{event.args}{event.kwargs}{event.result}"
            f"{event.exception}{event.traceback}{event.queue}{event.exchange}{event.routing_key}"
            f"{event.eta}{event.expires}{event.signum}"
        )
    if "\0" not in told and (told.isascii() or storable(told) == told):
        return event
    texts = {
        name: storable(value)
        for name, value in structs.asdict(event).items()
        if isinstance(value, str) and name not in ("uuid", "root_id", "parent_id")
    }
    return structs.replace(event, **texts)


class _Batch:
    """One transaction's worth of tasks."""

    def __init__(self, history: History, db: Database) -> None:
        self._history = history
        self._db = db
        self._words = history.words
        self._words.read(db)
        self._tally = Tally(db, self._words)
        named = queries()
        _, sealed = db.execute(named["sealed"]).fetchone()
        (last,) = db.execute(named["last_seq"]).fetchone()
        self._sealed = sealed
        self._next = max(last or 0, self._sealed) + 1
        self._tasks: list[Row] = []
        self._old: list[tuple[int]] = []  # whose traceback, life and attempts are made anew
        self._tracebacks: list[tuple[int, bytes]] = []
        self._lives: list[tuple[int, bytes]] = []
        self._attempts: list[tuple[object, ...]] = []

    def write(self, tasks: Sequence[tuple[str, list[Write] | Record]]) -> int:
        """Add what is new of each task; gives how many rows that makes or changes."""
        for start in range(0, len(tasks), _ASKED):
            some = [(rows.id_key(uuid), new) for uuid, new in tasks[start : start + _ASKED]]
            known = self._known([uuid for uuid, _ in some])
            for uuid, new in some:
                self._task(uuid, new, known.get(uuid))
        db, named = self._db, queries()
        for name in ("drop_traceback", "drop_life", "drop_attempts"):
            db.executemany(named[name], self._old)
        db.executemany(named["put_task"], self._tasks)
        db.executemany(named["put_traceback"], self._tracebacks)
        db.executemany(named["put_life"], self._lives)
        db.executemany(named["put_attempt"], self._attempts)
        self._tally.put()
        return len(self._tasks)

    def _known(self, uuids: list[bytes]) -> dict[bytes, Row]:
        """Give the rows that there are."""
        asked = (*uuids, *[None] * (_ASKED - len(uuids)))
        return {row[1]: Row._make(row) for row in self._db.execute(queries()["tasks"], asked)}

    def _task(self, uuid: bytes, new: list[Write] | Record, old: Row | None) -> None:
        db, history = self._db, self._history
        if old is None and not isinstance(new, Record):
            made = plain.to_row(self._next, uuid, new, history._chars, self._cut, self._number)
            if made is not None:
                self._add(None, *made)
                return
        if old is None:
            one, seq = Record(), self._next
        else:
            seq = old.seq if old.seq > self._sealed else self._next
            one = read_record(db, old, self._words.text)
        before = tally.retried(one)
        if isinstance(new, Record):
            known = record.dump(one)
            one.join(id_text(uuid), new)
            if old is not None and record.dump(one) == known:
                return
        else:
            for event, wait, _ in new:
                record.take(one, _clean(event), wait, self._cut, history._chars)
        standing = record.stand(one, history._judge)
        row = rows.to_row(seq, uuid, one, standing, self._number)
        traceback = None if standing.end is None else standing.end.traceback
        self._add(old, row, traceback, before, tally.retried(one))
        if not standing.simple:
            self._put_life(seq, one)

    def _add(
        self,
        old: Row | None,
        row: Row,
        traceback: str | None,
        before: Sequence[tally.Retried] = (),
        after: Sequence[tally.Retried] = (),
    ) -> None:
        self._tally.change(old, row, traceback, before, after)
        if old is not None and old.flags & (rows.LIFE | rows.TRACEBACK):
            self._old.append((old.seq,))
        if traceback is not None:
            self._tracebacks.append((row.seq, rows.pack(traceback)))
        if row.seq == self._next:
            self._next += 1
        self._tasks.append(row)

    def _put_life(self, seq: int, one: Record) -> None:
        self._lives.append((seq, rows.pack_life(one)))
        for number, run in enumerate(record.attempts(one, self._history._number)):
            self._attempts.append(
                (seq, number, run.retries, self._number("worker", run.worker),
                 self._number("state", run.state), run.received, run.started, run.ended,
                 run.runtime, run.wait, run.exception),
            )  # fmt: skip

    def _number(self, kind: str, text: str | None) -> int | None:
        return None if text is None else self._words.number(self._db, kind, text)

    def _cut(self, text: str, chars: int) -> str:
        return kept(text, chars, self._history._mask)
