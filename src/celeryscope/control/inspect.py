"""What workers say of themselves when asked: Celery's inspect commands, without blocking.

One daemon thread, one connection. Every worker is asked now and then, one worker in detail
when somebody looks at it. Replies are merged by worker as they come: who does not answer keeps
the last answer, with its age. Only JSON is read, and only so much of it.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any
from uuid import uuid4

import msgspec
from kombu import Connection

from celeryscope.control import mailbox
from celeryscope.errors import Unavailable, broker_trouble

logger = logging.getLogger(__name__)

#: What every worker is asked: small, and seldom different.
OVERVIEW = ("stats", "registered", "active_queues", "conf")
#: What is asked besides when somebody wants to know.
DETAILS = ("active", "reserved", "scheduled", "revoked")
_DICTIONARIES = frozenset({"stats", "conf"})
#: More single workers at once are one round over all of them.
_MAX_REQUESTS = 100
_MAX_NEWCOMERS = 1000
#: A worker says that it is online before it takes commands: it looks for others first.
_NEWCOMER_SECONDS = 3.0
_FIRST_BACKOFF_SECONDS, _LAST_BACKOFF_SECONDS = 0.5, 30.0
#: A round may go on this many timeouts, as long as replies keep coming.
_LONGEST_ROUND_TIMEOUTS = 10
_PUBLISH_SECONDS = 0.25


class Inspection(msgspec.Struct, frozen=True):
    """What one worker answered, merged over time; None where it never did."""

    hostname: str
    at: float  # our clock when its last answer came
    stats: dict[str, Any] | None = None
    registered: list[str] | None = None
    active_queues: list[dict[str, Any]] | None = None
    conf: dict[str, Any] | None = None
    active: list[Any] | None = None
    reserved: list[Any] | None = None
    scheduled: list[Any] | None = None
    revoked: list[Any] | None = None
    lists_at: float | None = None  # our clock when it last told its lists of tasks
    active_at: float | None = None  # and `active` itself


class Inspector:
    """Asks the workers in a thread of its own.

    `latest` is replaced as a whole, so a reader may keep and walk it. `error` says why nobody
    could be asked the last time, or None. `enable_events_seconds` is how often workers are told
    to send events, so that those started without `-E` do; None leaves them as they are.
    `mask` is applied to every text in a task's arguments, and to the arguments as a whole.
    `workers` gives the names of all that are known.
    """

    def __init__(
        self,
        *,
        app: Any,
        timeout_seconds: float = 1.0,
        interval_seconds: float = 60.0,
        enable_events_seconds: float | None = 5.0,
        max_reply_bytes: int = 4 * 1024 * 1024,
        max_total_bytes: int = 128 * 1024 * 1024,
        max_workers: int = 10_000,
        mask: Callable[[str], str] | None = None,
        workers: Callable[[], Iterable[str]] = tuple,
        on_error: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._timeout = timeout_seconds
        self._interval = interval_seconds
        self._enable_events = enable_events_seconds
        self._max_reply_bytes = max_reply_bytes
        self._max_total_bytes = max_total_bytes
        self._max_workers = max_workers
        self._mask = mask
        self._workers = workers
        self._on_error = on_error
        self._clock = clock
        self.latest: Mapping[str, Inspection] = {}
        self.error: str | None = None
        self.refused: dict[str, int] = {}  # why a reply was not taken -> how many
        self._sizes: dict[tuple[str, str], int] = {}
        self._total_bytes = 0
        self._lock = threading.Lock()  # guards `latest` and sizes against `forget`
        self._waiting: dict[str | None, list[Future[None]]] = {}
        self._newcomers: dict[str, float] = {}  # hostname -> when to ask it (monotonic)
        self._silenced: set[str] = set()  # sends no task events, since somebody wanted it so
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first round is at once."""
        self._thread = threading.Thread(target=self._run, name="inspector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; whoever still waits for an answer is told so."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            # A broker that hangs may keep the thread; it is a daemon, and nobody waits for it.
            self._thread.join(2 * self._timeout + 2)

    def request(self, hostname: str | None = None) -> Future[None]:
        """Ask one worker, or everybody, in all detail and soon.

        The result is there when the round is over, whoever answered. It raises `Unavailable`
        when nobody could be asked.
        """
        future: Future[None] = Future()
        with self._wake:
            if self._stopping:
                future.set_exception(Unavailable("Workers are no longer inspected."))
                return future
            if self.error is not None:
                future.set_exception(Unavailable(f"Workers cannot be asked: {self.error}"))
                return future
            if len(self._waiting) >= _MAX_REQUESTS and hostname not in self._waiting:
                hostname = None
            self._waiting.setdefault(hostname, []).append(future)
            self._wake.notify()
        return future

    def welcome(self, hostname: str) -> None:
        """Ask a worker that has just started, without its lists of tasks, in a few seconds."""
        with self._wake:
            if len(self._newcomers) < _MAX_NEWCOMERS:
                self._newcomers.setdefault(hostname, time.monotonic() + _NEWCOMER_SECONDS)
                self._wake.notify()

    def note(self, hostname: str, command: str, answer: Any, size_bytes: int) -> None:
        """Take in what a worker answered when somebody else asked it one of the OVERVIEW.

        `answer` is as it came, for a command without arguments; anything else is left alone.
        """
        if command not in OVERVIEW or not _fits(command, answer):
            return
        if self._has_room(hostname, command, size_bytes):
            told = mailbox.cleaned(answer, hide=True, mask=self._mask)
            self._merge([(hostname, command, told)])

    def silence(self, hostnames: Iterable[str], *, silent: bool) -> None:
        """Leave workers out when all are told to send events, or take them in again."""
        with self._lock:
            if silent:
                self._silenced.update(hostnames)
            else:
                self._silenced.difference_update(hostnames)

    def forget(self, hostname: str) -> None:
        """Drop what a worker that is gone for good had answered."""
        with self._lock:
            self._silenced.discard(hostname)
            self.latest = {h: i for h, i in self.latest.items() if h != hostname}
            for key in [key for key in self._sizes if key[0] == hostname]:
                self._total_bytes -= self._sizes.pop(key)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        connection: Connection | None = None
        backoff = _FIRST_BACKOFF_SECONDS
        next_round = next_enable = not_before = time.monotonic()
        while True:
            due = next_round
            if self._enable_events is not None:
                due = min(due, next_enable)
            waiting = self._await_work(due, not_before)
            if waiting is None:
                break
            try:
                if connection is None:
                    connection = self._connect()
                now = time.monotonic()
                if self._enable_events is not None and now >= next_enable:
                    next_enable = now + self._enable_events
                    self._ask_for_events(connection)
                if None in waiting or now >= next_round:
                    next_round = now + self._interval
                    everything = OVERVIEW + DETAILS if None in waiting else OVERVIEW
                    self._round(connection, everything, None)
                named = [hostname for hostname in waiting if hostname is not None]
                if named:
                    self._round(connection, OVERVIEW + DETAILS, named)
                started = self._started(now)
                if started:
                    self._round(connection, OVERVIEW, started)
            except Exception as error:  # noqa: BLE001 - any client library, any exception
                trouble = str(broker_trouble(error, where=mailbox.where(self._app)))
                self._tell(trouble)
                mailbox.close(connection)
                connection = None
                next_round = not_before = time.monotonic() + backoff
                backoff = min(_LAST_BACKOFF_SECONDS, backoff * 2)
                _answer(waiting, Unavailable(f"Workers cannot be asked: {trouble}"))
            else:
                self.error = None
                backoff = _FIRST_BACKOFF_SECONDS
                _answer(waiting, None)
        mailbox.close(connection)
        with self._wake:
            left, self._waiting = self._waiting, {}
        _answer(left, Unavailable("Workers are no longer inspected."))

    def _await_work(
        self, due: float, not_before: float
    ) -> dict[str | None, list[Future[None]]] | None:
        """Wait until something is due or asked for, but not before `not_before`.

        Gives who asked; None means the end.
        """
        with self._wake:
            while not self._stopping:
                now = time.monotonic()
                first = min(due, *self._newcomers.values()) if self._newcomers else due
                at = not_before if self._waiting else max(first, not_before)
                if now >= at:
                    taken, self._waiting = self._waiting, {}
                    return taken
                self._wake.wait(at - now)
        return None

    def _started(self, now: float) -> list[str]:
        """Take the newcomers whose time has come."""
        with self._wake:
            due = [hostname for hostname, at in self._newcomers.items() if at <= now]
            for hostname in due:
                del self._newcomers[hostname]
        return due

    def _connect(self) -> Connection:
        connection = mailbox.connect(self._app)
        try:
            # Celery's own event receiver does the same: who is there shows at once.
            self._broadcast(connection, "heartbeat")
        except BaseException:
            mailbox.close(connection)
            raise
        return connection

    def _tell(self, trouble: str) -> None:
        if trouble != self.error:
            logger.warning("workers cannot be inspected: %s", trouble)
            if self._on_error is not None:
                self._on_error(trouble)
        self.error = trouble

    # ------------------------------------------------------------------ one round

    def _round(
        self, connection: Connection, commands: Sequence[str], hostnames: Sequence[str] | None
    ) -> None:
        """Ask, and take replies until nobody says anything for `timeout_seconds`."""
        tickets = {str(uuid4()): command for command in commands}
        outstanding = len(commands) * len(hostnames) if hostnames is not None else None
        answers: list[tuple[str, str, Any]] = []

        def take(ticket: str, message: Any) -> None:
            nonlocal outstanding
            command = tickets.get(ticket)
            if command is None:
                return  # to somebody else's question
            if outstanding is not None:
                outstanding -= 1
            answers.extend(self._open(command, message))

        try:
            with mailbox.listening(
                self._app, connection, take=take, refuse=self._refuse
            ) as replies:
                for ticket, command in tickets.items():
                    replies.ask(
                        command, ticket=ticket, hostnames=hostnames, expires_seconds=self._timeout
                    )
                began = heard = published = time.monotonic()
                longest = began + _LONGEST_ROUND_TIMEOUTS * self._timeout
                while not self._stopping and outstanding != 0:
                    before = outstanding, len(answers)
                    left = min(heard + self._timeout, longest) - time.monotonic()
                    if left <= 0:
                        break
                    with suppress(socket.timeout):
                        connection.drain_events(timeout=left)
                    now = time.monotonic()
                    if (outstanding, len(answers)) != before:
                        heard = now
                    if answers and now - published >= _PUBLISH_SECONDS:
                        published = now
                        self._merge(answers)
                        answers.clear()
        finally:
            self._merge(answers)

    def _broadcast(
        self, connection: Connection, command: str, hostnames: Sequence[str] | None = None
    ) -> None:
        mailbox.publish(self._app, connection.default_channel, command, hostnames=hostnames)

    def _ask_for_events(self, connection: Connection) -> None:
        """Tell every worker to send events, except those that were told not to."""
        with self._lock:
            silenced = set(self._silenced)
            known = set(self.latest)
        if not silenced:
            self._broadcast(connection, "enable_events")
        elif left := sorted(known.union(self._workers()) - silenced):
            self._broadcast(connection, "enable_events", left)

    # ------------------------------------------------------------------ replies

    def _open(self, command: str, message: Any) -> Iterable[tuple[str, str, Any]]:
        """Give (hostname, command, answer) of a reply; what cannot be taken is counted."""
        size_bytes = len(message.body or b"")
        replies = mailbox.opened(message, max_bytes=self._max_reply_bytes, refuse=self._refuse)
        for hostname, answer in replies:
            if not _fits(command, answer):
                self._refuse("answer")
            elif not self._has_room(hostname, command, size_bytes):
                self._refuse("no_room")
            else:
                hide = command not in DETAILS
                yield hostname, command, mailbox.cleaned(answer, hide=hide, mask=self._mask)

    def _has_room(self, hostname: str, command: str, size_bytes: int) -> bool:
        with self._lock:
            before = self._sizes.get((hostname, command), 0)
            if self._total_bytes - before + size_bytes > self._max_total_bytes:
                return False
            if hostname not in self.latest and len(self.latest) >= self._max_workers:
                return False
            self._sizes[hostname, command] = size_bytes
            self._total_bytes += size_bytes - before
            return True

    def _merge(self, answers: Sequence[tuple[str, str, Any]]) -> None:
        if not answers:
            return
        fields: dict[str, dict[str, Any]] = {}
        for hostname, command, answer in answers:
            fields.setdefault(hostname, {})[command] = answer
        now = self._clock()
        with self._lock:
            merged = dict(self.latest)
            for hostname, given in fields.items():
                known = merged.get(hostname) or Inspection(hostname, now)
                lists_at = known.lists_at if given.keys().isdisjoint(DETAILS) else now
                active_at = now if "active" in given else known.active_at
                merged[hostname] = msgspec.structs.replace(
                    known, at=now, lists_at=lists_at, active_at=active_at, **given
                )
            self.latest = merged

    def _refuse(self, reason: str) -> None:
        mailbox.count_refusal(self.refused, reason)


def _fits(command: str, answer: Any) -> bool:
    """Has the answer the form that everyone expects? A worker's error has not."""
    if command in _DICTIONARIES:
        return isinstance(answer, dict) and set(answer) != {"error"}
    if not isinstance(answer, list):
        return False
    if command == "registered":
        return all(isinstance(name, str) for name in answer)
    return command != "active_queues" or all(map(_is_queue, answer))


def _is_queue(told: Any) -> bool:
    return isinstance(told, dict) and isinstance(told.get("name"), str)


def _answer(
    waiting: Mapping[str | None, Iterable[Future[None]]], trouble: Exception | None
) -> None:
    for futures in waiting.values():
        for future in futures:
            if not future.set_running_or_notify_cancel():
                continue
            if trouble is None:
                future.set_result(None)
            else:
                future.set_exception(trouble)
