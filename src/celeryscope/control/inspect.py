"""What workers say of themselves when asked: Celery's inspect commands, without blocking.

One daemon thread, one connection. Every worker is asked now and then, one worker in detail
when somebody looks at it. Replies are merged by worker as they come: who does not answer keeps
the last answer, with its age. Only JSON is read, and only so much of it.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any
from uuid import uuid4

import msgspec
from kombu import Connection, Consumer, Producer, Queue

from celeryscope.errors import Unavailable, broker_trouble, without_passwords

logger = logging.getLogger(__name__)

#: What every worker is asked: small, and seldom different.
OVERVIEW = ("stats", "registered", "active_queues", "conf")
#: What is asked besides when somebody wants to know.
DETAILS = ("active", "reserved", "scheduled", "revoked")
_DICTIONARIES = frozenset({"stats", "conf"})
_MAX_HOSTNAME_CHARS = 512
_MAX_DEPTH = 40
#: More single workers at once are one round over all of them.
_MAX_REQUESTS = 100
_MAX_NEWCOMERS = 1000
#: A worker says that it is online before it takes commands: it looks for others first.
_NEWCOMER_SECONDS = 3.0
_FIRST_BACKOFF_SECONDS, _LAST_BACKOFF_SECONDS = 0.5, 30.0
#: A round may go on this many timeouts, as long as replies keep coming.
_LONGEST_ROUND_TIMEOUTS = 10
_PUBLISH_SECONDS = 0.25
_HIDDEN = "********"
_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|api_?key|private_?key|access_key", re.IGNORECASE
)


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


class Inspector:
    """Asks the workers in a thread of its own.

    `latest` is replaced as a whole, so a reader may keep and walk it. `error` says why nobody
    could be asked the last time, or None. `enable_events_seconds` is how often workers are told
    to send events, so that those started without `-E` do; None leaves them as they are.
    `mask` is applied to every text in a task's arguments, and to the arguments as a whole.
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

    def forget(self, hostname: str) -> None:
        """Drop what a worker that is gone for good had answered."""
        with self._lock:
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
                    self._broadcast(connection, "enable_events")
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
                trouble = str(broker_trouble(error, where=self._where()))
                self._tell(trouble)
                _close(connection)
                connection = None
                next_round = not_before = time.monotonic() + backoff
                backoff = min(_LAST_BACKOFF_SECONDS, backoff * 2)
                _answer(waiting, Unavailable(f"Workers cannot be asked: {trouble}"))
            else:
                self.error = None
                backoff = _FIRST_BACKOFF_SECONDS
                _answer(waiting, None)
        _close(connection)
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
        connection = self._app.connection_for_write()
        connection.heartbeat = 0  # we write often, and nobody would read the broker's
        try:
            connection.ensure_connection(
                max_retries=1, interval_start=0, interval_step=0, interval_max=0
            )
            # Celery's own event receiver does the same: who is there shows at once.
            self._broadcast(connection, "heartbeat")
        except BaseException:
            _close(connection)
            raise
        return connection

    def _where(self) -> str:
        return without_passwords(str(self._app.conf.broker_write_url or "the broker"))

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

        def take(message: Any) -> None:
            nonlocal outstanding
            command = tickets.get(str(message.headers.get("ticket")))
            if command is None:
                return  # to somebody else's question
            if outstanding is not None:
                outstanding -= 1
            answers.extend(self._open(command, message))

        mailbox = self._app.control.mailbox
        identity = str(uuid4())
        durable = bool(getattr(mailbox, "queue_durable", False))
        queue = Queue(
            f"{identity}.{mailbox.reply_exchange.name}",
            exchange=mailbox.reply_exchange,
            routing_key=identity,
            durable=durable,
            auto_delete=not durable,
            exclusive=bool(getattr(mailbox, "queue_exclusive", False)),
            expires=mailbox.reply_queue_expires,
            message_ttl=mailbox.reply_queue_ttl,
        )
        channel = connection.channel()
        try:
            with Consumer(
                channel,
                [queue],
                on_message=take,  # takes replies undecoded
                on_decode_error=lambda _message, _error: self._refuse("compression"),
                no_ack=True,
                accept=["json"],
            ):
                for ticket, command in tickets.items():
                    self._publish(
                        channel, command, hostnames=hostnames, ticket=ticket, reply_to=identity
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
            channel.after_reply_message_received(queue.name)
            channel.close()

    def _broadcast(self, connection: Connection, command: str) -> None:
        self._publish(connection.default_channel, command)

    def _publish(
        self,
        channel: Any,
        command: str,
        *,
        hostnames: Sequence[str] | None = None,
        ticket: str | None = None,
        reply_to: str | None = None,
    ) -> None:
        """Send a command as kombu's mailbox does, on our own channel and always as JSON."""
        mailbox = self._app.control.mailbox
        message: dict[str, Any] = {
            "method": command,
            "arguments": {},
            "destination": list(hostnames) if hostnames is not None else None,
            "pattern": None,
            "matcher": None,
        }
        if ticket is not None:
            message["ticket"] = ticket
            message["reply_to"] = {
                "exchange": mailbox.reply_exchange.name,
                "routing_key": reply_to,
            }
        exchange = mailbox.exchange
        Producer(channel, auto_declare=False).publish(
            message,
            exchange=exchange.name,
            declare=[exchange],
            headers={"clock": 0, "expires": time.time() + self._timeout if ticket else 0},
            serializer="json",
            retry=False,
        )

    # ------------------------------------------------------------------ replies

    def _open(self, command: str, message: Any) -> Iterable[tuple[str, str, Any]]:
        """Give (hostname, command, answer) of a reply; what cannot be taken is counted."""
        body = message.body
        if message.content_type != "application/json":
            self._refuse("content_type")
            return
        if body is None or len(body) > self._max_reply_bytes:
            self._refuse("too_large")
            return
        try:
            reply = msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._refuse("syntax")
            return
        if not isinstance(reply, dict):
            self._refuse("shape")
            return
        for hostname, answer in reply.items():
            if not hostname or len(hostname) > _MAX_HOSTNAME_CHARS:
                self._refuse("hostname")
            elif not _fits(command, answer):
                self._refuse("answer")
            elif not self._has_room(hostname, command, len(body)):
                self._refuse("no_room")
            else:
                hide = command not in DETAILS
                yield hostname, command, _cleaned(answer, hide=hide, mask=self._mask)

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
                merged[hostname] = msgspec.structs.replace(
                    known, at=now, lists_at=lists_at, **given
                )
            self.latest = merged

    def _refuse(self, reason: str) -> None:
        if reason not in self.refused:
            logger.warning("a worker's reply was not taken", extra={"reason": reason})
        self.refused[reason] = self.refused.get(reason, 0) + 1


def _fits(command: str, answer: Any) -> bool:
    """Has the answer the form that everyone expects? A worker's error has not."""
    if command in _DICTIONARIES:
        return isinstance(answer, dict) and set(answer) != {"error"}
    if not isinstance(answer, list):
        return False
    if command == "registered":
        return all(isinstance(name, str) for name in answer)
    return command != "active_queues" or all(isinstance(queue, dict) for queue in answer)


def _cleaned(
    value: Any,
    *,
    hide: bool,
    mask: Callable[[str], str] | None,
    in_arguments: bool = False,
    depth: int = 0,
) -> Any:
    """Take out what a page should not show: passwords in settings and URLs, masked arguments.

    kombu's wrapping of dates and the like (`__type__`) is opened, too.
    """
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, str):
        if hide and "://" in value:
            return without_passwords(value)
        return mask(value) if in_arguments and mask is not None else value

    def inner(item: Any, *, in_arguments: bool) -> Any:
        return _cleaned(item, hide=hide, mask=mask, in_arguments=in_arguments, depth=depth + 1)

    if isinstance(value, list):
        return [inner(item, in_arguments=in_arguments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__type__", "__value__"}:
        return inner(value["__value__"], in_arguments=in_arguments)
    cleaned = {
        key: _HIDDEN
        if hide and item and not isinstance(item, bool) and _SECRET.search(key)
        else inner(item, in_arguments=in_arguments or key in ("args", "kwargs"))
        for key, item in value.items()
    }
    if mask is not None and not in_arguments:
        for key in ("args", "kwargs"):
            # What the mask finds in events is written as Python writes it, with keys and numbers.
            if key in cleaned and (hidden := mask(written := repr(cleaned[key]))) != written:
                cleaned[key] = hidden
    return cleaned


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


def _close(connection: Connection | None) -> None:
    if connection is not None:
        # What a broken connection says at its end interests nobody.
        with suppress(Exception):
            connection.release()
