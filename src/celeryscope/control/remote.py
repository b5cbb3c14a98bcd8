"""Sends commands to workers and gathers what they answer, without blocking whoever asked.

One daemon thread has the connection: it is opened when somebody sends something and closed when
nothing more can come, so a command never goes out on a connection that went stale. Many actions
share it, told apart by ticket. A second daemon thread only looks at the time: when the broker
hangs, an action still ends. Nothing is ever sent twice.

A worker that was stopped and comes back does what it finds in its socket, however old: no worker
looks at a command's age. Such an answer is shown as late for as long as we listen for it.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

from kombu import Connection

from celeryscope.control import mailbox
from celeryscope.control.action import Action, Ledger, WorkerResult
from celeryscope.control.commands import Command, find, parse, wire
from celeryscope.control.effects import STRATEGIES, Seen, Sight, Strategy, Verdict
from celeryscope.control.shelf import Shelf
from celeryscope.errors import (
    BadArgument,
    NotFound,
    Unavailable,
    broker_trouble,
    without_passwords,
)

logger = logging.getLogger(__name__)

#: The first look whether it is done comes soon; each next one later, up to the last.
_FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS = 0.1, 1.0
_BUSY_SECONDS, _LATE_SECONDS, _GUARD_SECONDS = 0.02, 0.1, 0.25
_STALE_HINT = "See what the workers did before sending it again."
_STOPPED = "Celeryscope stops."


class _Course:
    """What the thread knows of an action on its way."""

    def __init__(
        self, action: Action, workers: Sequence[str] | None, besides: Mapping[str, Any]
    ) -> None:
        self.action = action
        self.workers = workers  # None: everyone
        self.besides = besides  # what the workers are sent besides its arguments
        self.strategy: Strategy | None = STRATEGIES.get(action.command.effect)
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.pause_seconds = _FIRST_LOOK_SECONDS
        self.next_look = 0.0  # monotonic
        self.turn = 0
        self.give_up_at = 0.0  # monotonic: the broker has until then to take it
        self.forget_at = 0.0  # monotonic: late answers are noted until then


class Remote:
    """Sends commands; `send` returns at once, the action tells the rest.

    `workers` gives every known worker and whether it is online. `on_change` is called, from a
    thread of ours, for each change of an action, also after it was over: it must be quick.
    `mask` is applied to arguments of tasks in answers, as in `Inspector`. `on_sight` is given
    what a worker answers when we look whether it did it: its name, the inspect command, the
    answer, and its size in bytes.
    """

    def __init__(
        self,
        *,
        app: Any,
        workers: Callable[[], Mapping[str, bool]],
        sight: Sight | None = None,
        timeout_seconds: float = 5.0,
        confirm_seconds: float = 10.0,
        send_seconds: float = 10.0,
        late_seconds: float = 60.0,
        max_reply_bytes: int = 4 * 1024 * 1024,
        max_total_bytes: int = 64 * 1024 * 1024,
        max_workers: int = 10_000,
        max_running: int = 100,
        max_kept: int = 300,
        mask: Callable[[str], str] | None = None,
        on_change: Callable[[Action], None] | None = None,
        on_sight: Callable[[str, str, Any, int], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._on_sight = on_sight
        self._known = workers
        self._sight = sight or Sight()
        self._timeout = timeout_seconds
        self._confirm = confirm_seconds
        self._send = send_seconds
        self._late = late_seconds
        self._max_reply_bytes = max_reply_bytes
        self._max_total_bytes = max_total_bytes
        self._max_workers = max_workers
        self._mask = mask
        self._clock = clock
        self.refused: dict[str, int] = {}  # why a reply to nobody's ticket was not taken
        self._shelf = Shelf[Action](
            "commands", max_running=max_running, max_kept=max_kept, on_change=on_change
        )
        self._wake = threading.Condition()
        self._new: deque[_Course] = deque()
        self._running: dict[str, _Course] = {}  # not over yet
        self._late_ones: dict[str, _Course] = {}  # over, but a late answer is still noted
        # Which ticket is whose: (course, what was asked).
        self._tickets: dict[str, tuple[_Course, str]] = {}
        self._stopping = False
        self._serving = False  # the connection is good for sending
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; no connection is made before there is something to send."""
        for name, run in (("remote", self._run), ("remote-guard", self._guard)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End; actions on their way fail and say so."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        for thread in self._threads:
            # A broker that hangs may keep a thread; it is a daemon, and nobody waits for it.
            thread.join(self._timeout + 2)
        for course in self._courses():
            self._fail(course, _STOPPED, "")

    def send(
        self,
        command: str | Command,
        arguments: Mapping[str, Any] | None = None,
        *,
        workers: Sequence[str] | None = None,
        besides: Mapping[str, Any] | None = None,
    ) -> Action:
        """Send a command to these workers, or to everyone; give the action at once.

        `besides` is sent with its arguments, as it is, and not shown.
        Raises, before anything is sent: `NotFound` for a command or a worker that is not known,
        `BadArgument` for a value that cannot be used, `Unavailable` when too many actions are on
        their way or we stop.
        """
        command = find(command) if isinstance(command, str) else command
        parsed = parse(command, arguments or {})
        known = self._known()
        named = self._named(command, workers, known)
        expected = named if named is not None else [name for name in known if known[name]]
        ledger = Ledger(
            command=command,
            expected=expected[: self._max_workers],
            created_at=self._clock(),
            timeout_seconds=self._timeout,
            confirm_seconds=self._confirm,
            max_workers=self._max_workers,
        )
        action = Action(
            str(uuid4()), ledger, arguments=parsed, everyone=named is None, clock=self._clock
        )
        course = _Course(action, named, besides or {})
        course.give_up_at = time.monotonic() + self._send
        with self._wake:
            if self._stopping:
                raise Unavailable(_STOPPED)
            self._shelf.add(action)
            self._running[action.id] = course
            self._new.append(course)
            self._wake.notify_all()
        return action

    def get(self, ident: str) -> Action:
        """Give the action of that id; raise `NotFound` when it is not kept (any more)."""
        return self._shelf.get(ident)

    def actions(self) -> list[Action]:
        """Give the actions that are kept, the newest first."""
        return self._shelf.all()

    def _named(
        self, command: Command, workers: Sequence[str] | None, known: Mapping[str, bool]
    ) -> list[str] | None:
        if workers is None:
            if command.needs_workers:
                raise BadArgument("workers", f"'{command.name}' needs the names of its workers.")
            return None
        if isinstance(workers, str) or not all(isinstance(name, str) for name in workers):
            raise BadArgument("workers", "'workers' must be a list of names.")
        named = list(dict.fromkeys(workers))
        if not 1 <= len(named) <= self._max_workers:
            raise BadArgument(
                "workers",
                f"'workers' must be 1 to {self._max_workers:,} names, not {len(named):,}.",
            )
        for name in named:
            if name not in known:
                raise NotFound("worker", name[: mailbox.MAX_HOSTNAME_CHARS])
        return named

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while self._await_work():
            connection: Connection | None = None
            self._serving = False
            try:
                connection = mailbox.connect(self._app, resend=False)
                self._serve(connection)
            except Exception as error:  # noqa: BLE001 - any client library, any exception
                self._broke(error)
            finally:
                mailbox.close(connection)

    def _await_work(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._new)
            return not self._stopping

    def _serve(self, connection: Connection) -> None:
        """Send and listen on one connection for as long as something can come."""
        self._tickets.clear()  # what was asked on an earlier connection, nobody answers here
        self._late_ones.clear()
        with mailbox.listening(
            self._app, connection, take=self._take, refuse=self._refuse
        ) as replies:
            self._serving = True
            while not self._stopping:
                self._publish(replies)
                for course in self._courses():
                    self._look(course, replies)
                self._settle()
                if not (self._running or self._late_ones or self._new):
                    break
                patience = _BUSY_SECONDS if self._running else _LATE_SECONDS
                with suppress(socket.timeout):
                    connection.drain_events(timeout=patience)

    def _broke(self, error: Exception) -> None:
        """The connection is gone, or there was none: tell everyone who counted on it."""
        trouble = broker_trouble(error, where=mailbox.where(self._app))
        logger.warning("the connection for commands broke: %s", trouble)
        with self._wake:
            if not self._serving:
                self._new.clear()
            untried = {course.action.id for course in self._new}
        for course in self._courses():
            if course.action.id in untried:
                continue  # it gets a connection of its own
            if course.action.sent == "no":
                self._fail(course, f"It was not sent: {trouble}", trouble.hint)
            elif course.action.sent == "unknown":
                words = f"The broker went away; nobody knows whether it was sent: {trouble}"
                self._fail(course, words, _STALE_HINT)
            else:
                words = f"The broker went away after it was sent: {trouble}"
                self._fail(course, words, _STALE_HINT)

    def _publish(self, replies: mailbox.ReplyQueue) -> None:
        while True:
            with self._wake:
                course = self._new.popleft() if self._new else None
            if course is None:
                return
            if course.action.over:
                continue  # it waited too long for a connection
            if course.strategy is not None and course.strategy.before:
                # A worker does what it is told in turn: this is answered first.
                self._question(course, "before", course.workers, replies)
            course.action.note(Ledger.began_sending)
            if course.action.sent == "no":
                continue  # the guard gave up on it in this moment
            ticket = self._ticket(course, "command")
            replies.ask(
                course.action.command.wire_method,
                ticket=ticket,
                arguments={
                    **wire(course.action.command, course.action.arguments),
                    **course.besides,
                },
                hostnames=course.workers,
                expires_seconds=self._timeout,
                drop_when_expired=True,
            )
            course.next_look = time.monotonic() + course.pause_seconds
            self._note(course, partial(Ledger.was_sent, now=self._clock()))

    def _ticket(self, course: _Course, purpose: str) -> str:
        ticket = str(uuid4())
        self._tickets[ticket] = (course, purpose)
        return ticket

    def _question(
        self,
        course: _Course,
        purpose: str,
        workers: Sequence[str] | None,
        replies: mailbox.ReplyQueue,
    ) -> None:
        assert course.strategy is not None
        replies.ask(
            course.strategy.question,
            ticket=self._ticket(course, purpose),
            arguments=course.strategy.arguments,
            hostnames=workers,
            expires_seconds=self._timeout,
            drop_when_expired=True,
        )

    # ------------------------------------------------------------------ replies

    def _take(self, ticket: str, message: Any) -> None:
        course, purpose = self._tickets.get(ticket, (None, ""))
        if course is None:
            return  # to a question that nobody waits for any more

        def refuse(reason: str) -> None:
            if purpose == "command":
                self._note(course, partial(Ledger.refused_reply, reason=reason))
            else:
                self._refuse(reason)

        size_bytes = len(message.body or b"")
        for hostname, answer in mailbox.opened(
            message, max_bytes=self._max_reply_bytes, refuse=refuse
        ):
            if purpose == "command":
                self._answered(course, hostname, answer, size_bytes)
            elif purpose == "before":
                course.before.setdefault(hostname, _value(answer)[1])
            else:
                # First, so that who is told that it is done finds it known everywhere.
                if self._on_sight is not None and course.strategy is not None:
                    self._on_sight(hostname, course.strategy.question, answer, size_bytes)
                course.after[hostname] = _value(answer)[1]
                self._judge(course, [hostname])

    def _answered(self, course: _Course, hostname: str, answer: Any, size_bytes: int) -> None:
        error, value = _value(answer)
        room = self._has_room(size_bytes)
        if room and error is None:
            hides = course.action.command.hides
            value = mailbox.cleaned(value, hide=hides == "passwords", mask=self._mask)
        self._note(
            course,
            partial(
                Ledger.answered,
                hostname=hostname,
                error=without_passwords(error) if error is not None else None,
                value=value if room else None,
                now=self._clock(),
                dropped=not room,
                size_bytes=size_bytes if room else 0,
            ),
        )

    def _has_room(self, size_bytes: int) -> bool:
        with self._wake:
            kept = sum(action.size_bytes for action in self._shelf.all())
        return kept + size_bytes <= self._max_total_bytes

    def _refuse(self, reason: str) -> None:
        mailbox.count_refusal(self.refused, reason)

    # ------------------------------------------------------------------ effects

    def _look(self, course: _Course, replies: mailbox.ReplyQueue) -> None:
        """Judge those that said yes, and ask again those where it is not seen yet."""
        if course.strategy is None or time.monotonic() < course.next_look:
            return
        pending = course.action.pending()
        if not pending:
            return
        self._judge(course, pending)
        pending = course.action.pending()
        if course.strategy.question and pending:
            first = course.turn % len(pending)
            turn = (pending[first:] + pending[:first])[: course.strategy.at_once]
            course.turn = first + len(turn)
            self._question(course, "after", turn, replies)
        if len(pending) <= course.strategy.at_once:
            course.pause_seconds = min(_LAST_LOOK_SECONDS, 2 * course.pause_seconds)
        course.next_look = time.monotonic() + course.pause_seconds

    def _judge(self, course: _Course, hostnames: Sequence[str]) -> None:
        strategy = course.strategy
        if strategy is None:
            return
        for hostname in hostnames:
            worker = course.action.worker(hostname)
            if worker is None or worker.effect != "pending":
                continue
            effect, said = self._verdict(course, strategy, worker)
            self._note(
                course,
                partial(
                    Ledger.judged, hostname=hostname, effect=effect, said=said, now=self._clock()
                ),
            )

    def _verdict(self, course: _Course, strategy: Strategy, worker: WorkerResult) -> Verdict:
        if worker.answers > 1:
            return Verdict("cannot tell", f"{worker.answers} workers answer to this name.")
        return strategy.judge(
            Seen(
                command=course.action.command.name,
                arguments=course.action.arguments,
                hostname=worker.hostname,
                reply=worker.value,
                refused=worker.outcome == "refused",
                before=course.before.get(worker.hostname),
                after=course.after.get(worker.hostname),
                sight=self._sight,
            )
        )

    # ------------------------------------------------------------------ the end of an action

    def _courses(self) -> list[_Course]:
        with self._wake:
            return list(self._running.values())

    def _note(self, course: _Course, change: Callable[[Ledger], None]) -> None:
        if course.action.note(change):
            self._shelf.tell(course.action)

    def _fail(self, course: _Course, error: str, hint: str) -> None:
        self._note(course, partial(Ledger.failed, error=error, hint=hint, now=self._clock()))
        with self._wake:
            self._running.pop(course.action.id, None)

    def _settle(self) -> None:
        """Let go of what is over, and of what nobody can answer any more."""
        monotonic = time.monotonic()
        for course in self._courses():
            self._note(course, partial(Ledger.look_at_the_time, now=self._clock()))
            if course.action.over:
                course.forget_at = monotonic + self._late
                course.before.clear()
                course.after.clear()
                self._forget_tickets(course, "before", "after")
                self._late_ones[course.action.id] = course
                with self._wake:
                    self._running.pop(course.action.id, None)
        for course in list(self._late_ones.values()):
            if monotonic >= course.forget_at:
                del self._late_ones[course.action.id]
                self._forget_tickets(course, "command")

    def _forget_tickets(self, course: _Course, *purposes: str) -> None:
        for ticket, (whose, purpose) in list(self._tickets.items()):
            if whose is course and purpose in purposes:
                del self._tickets[ticket]

    def _guard(self) -> None:
        """End what a broker that hangs would keep for ever."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._running)
                if self._stopping:
                    return
                self._wake.wait_for(lambda: self._stopping, _GUARD_SECONDS)
            for course in self._courses():
                self._note(course, partial(Ledger.look_at_the_time, now=self._clock()))
                if course.action.sent != "yes" and time.monotonic() >= course.give_up_at:
                    self._fail(
                        course,
                        f"{mailbox.where(self._app)}: the broker did not take the command in "
                        f"{self._send:g} s.",
                        _STALE_HINT,
                    )


def _value(answer: Any) -> tuple[str | None, Any]:
    """Take a worker's answer apart: (its words when it refused, its value when it did not)."""
    if isinstance(answer, dict) and len(answer) == 1:
        if isinstance(answer.get("error"), str):
            return answer["error"], None
        if "ok" in answer:
            return None, answer["ok"]
    return None, answer
