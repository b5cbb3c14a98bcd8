"""What the console does itself, item by item: sends, retries, aborts, forgets, purges.

Two daemon threads do the work, one job each at a time; a third looks whether what was sent is
told of by an event or the result backend. An item that cannot be done is refused with its reason
and the job goes on; a broker that goes away ends it. Nothing is ever sent twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

import msgspec
from celery.states import READY_STATES

from celeryscope.control import mailbox
from celeryscope.control.action import (
    GAVE_WAY,
    ActionState,
    Effect,
    ItemResult,
    Report,
    Sent,
)
from celeryscope.control.arguments import Inexact, read_args, read_kwargs
from celeryscope.control.commands import FIRST_EPOCH, SERIALIZERS, Command
from celeryscope.control.effects import Sight
from celeryscope.control.results import Results
from celeryscope.control.sending import Lost, Refused, Sender
from celeryscope.control.shelf import Shelf
from celeryscope.errors import CeleryscopeError, NotFound, NotPossible, Unavailable
from celeryscope.model.schedule import Entry
from celeryscope.model.task import PENDING, Task

logger = logging.getLogger(__name__)

_THREADS = 2
_MAX_ITEMS = 1_000  # told of one job
_MAX_WORDS_CHARS = 1_000
_LOOK_SECONDS, _BACKEND_SECONDS = 0.1, 0.5
_AT_ONCE = 2_000  # so many items are looked at in a round; more take turns
_BACKEND_AT_ONCE = 20
_STOPPED = "Celeryscope stops."
_NOTHING_KNOWN = "The result backend knows nothing of it."
_SENT = (
    "countdown", "eta", "expires", "queue", "exchange", "routing_key", "priority",
    "soft_time_limit", "time_limit", "serializer", "ignore_result",
)  # fmt: skip
#: What an entry of a schedule may be sent with.
_ENTRY_OPTIONS = frozenset(
    {*_SENT, "expire_seconds", "compression", "headers", "shadow", "argsrepr", "kwargsrepr"}
)
#: What a task's class says of each message of it.
_OWN_OPTIONS = (
    "priority", "expires", "time_limit", "soft_time_limit", "compression", "delivery_mode",
)  # fmt: skip
#: The exchange through which Celery delays messages in RabbitMQ's quorum queues begins so.
_DELAYED = "celery_delayed"


class Job:
    """A command that we do ourselves. Any thread may read it, wait for it and stop it."""

    def __init__(
        self,
        command: Command,
        arguments: Mapping[str, Any],
        subjects: Sequence[str],
        *,
        timeout_seconds: float,
        confirm_seconds: float,
        told: Mapping[str, Any],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`told` are the arguments as people may see them."""
        self.id = str(uuid4())
        self.command = command
        self.arguments = arguments
        self.subjects = subjects
        self.created_at = clock()
        self._clock = clock
        self._timeout = timeout_seconds
        self._confirm = confirm_seconds
        self._told = told
        self._condition = threading.Condition()
        self._sequence = 0
        self._state: ActionState = "sending"
        self._sent: Sent = "no"
        self._sent_at: float | None = None
        self._finished_at: float | None = None
        self._error = self._hint = ""
        self._stopping = False
        self._total = len(subjects)
        self._items: dict[str, ItemResult] = {}  # those that were begun
        self._refused: list[str] = []  # subjects, the first ones
        self._outcomes: Counter[str] = Counter({"unasked": len(subjects)})
        self._effects: Counter[str] = Counter({"unchecked": len(subjects)})
        self._left_out = 0  # counted, but no longer in `_items`
        self.without_backend = ""  # why it is no longer asked for arguments
        self._pending: dict[str, str] = {}  # subject -> id of the task that was sent
        self._deadline = 0.0  # monotonic

    # ------------------------------------------------------------------ for everyone

    @property
    def sequence(self) -> int:
        """Grows with every change: who saw this number has seen everything until now."""
        return self._sequence

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return self._state in ("finished", "failed", "stopped")

    def snapshot(self) -> Report:
        """Give the job as it is now."""
        with self._condition:
            items = self._shown()
            begun = len(self._items) + self._left_out
            return Report(
                id=self.id,
                sequence=self._sequence,
                command=self.command.name,
                arguments=self._told,
                everyone=False,
                state=self._state,
                sent=self._sent,
                created_at=self.created_at,
                sent_at=self._sent_at,
                finished_at=self._finished_at,
                timeout_seconds=self._timeout,
                confirm_seconds=self._confirm,
                error=self._error,
                hint=self._hint,
                outcomes={name: count for name, count in self._outcomes.items() if count},
                effects={name: count for name, count in self._effects.items() if count},
                late=0,
                twice=0,
                unexpected=0,
                not_taken={},
                workers=(),
                total=self._total,
                stoppable=not self.over,
                items=items,
                items_left_out=begun - len(items),
            )

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until it is over; False when the time was up first."""
        with self._condition:
            return self._condition.wait_for(lambda: self.over, timeout_seconds)

    def wait_for_change(self, sequence: int, timeout_seconds: float) -> int:
        """Wait until it is newer than `sequence`; give the sequence it has then."""
        with self._condition:
            self._condition.wait_for(lambda: self._sequence > sequence, timeout_seconds)
            return self._sequence

    def stop(self) -> None:
        """End it before its next item; raise `NotPossible` when it is over."""
        with self._condition:
            if self.over:
                raise NotPossible("It is over already.")
            self._stopping = True
            if self._state != "sending":
                self._give_up("cannot tell", "It was stopped before that was seen.")
                self._end("stopped")

    def give_way(self) -> bool:
        """End where only its effect is still looked for; say whether it did.

        Somebody waits for a result: that does not give way.
        """
        with self._condition:
            if self._state != "confirming":
                return False
            self._give_up("cannot tell", GAVE_WAY)
            self._end("finished")
            return True

    # ------------------------------------------------------------------ for the threads

    @property
    def stopping(self) -> bool:
        """Somebody wants it to end."""
        return self._stopping

    def put(self, item: ItemResult) -> None:
        """Note what became of an item."""
        with self._condition:
            self._put(item)

    def judged(self, subject: str, effect: Effect, said: str, value: Any = None) -> None:
        """Note that the effect of an item was seen, or more of it is known."""
        with self._condition:
            item = self._items.get(subject)
            if item is None or item.effect != "pending":
                return
            at = None if effect == "pending" else self._clock()
            if (effect, said) != (item.effect, item.effect_said):
                self._put(
                    msgspec.structs.replace(
                        item, effect=effect, effect_said=said, effect_at=at, value=value
                    )
                )
            if not self._pending and self._state in ("waiting", "confirming"):
                self._end("finished")

    def pending(self) -> dict[str, str]:
        """Give the items whose effect is looked for, with the ids of the tasks sent for them."""
        with self._condition:
            return dict(self._pending)

    def done(self, wait_seconds: float) -> None:
        """All items were begun: wait so long for what is not seen yet."""
        with self._condition:
            if self._stopping:
                self._give_up("cannot tell", "It was stopped before that was seen.")
                self._end("stopped")
            elif not self._pending:
                self._end("finished")
            else:
                self._state = "waiting" if self.command.effect == "result" else "confirming"
                self._deadline = time.monotonic() + wait_seconds
                self._changed()

    def look_at_the_time(self) -> None:
        """End it when nothing more is waited for."""
        with self._condition:
            if self._state not in ("waiting", "confirming"):
                return
            if time.monotonic() >= self._deadline:
                self._give_up("not seen", "")
                self._end("finished")

    def fail(self, error: str, hint: str = "") -> None:
        """End it here; what was done stays told."""
        with self._condition:
            if not self.over:
                self._give_up("cannot tell", "The job ended before that was seen.")
                self._error, self._hint = error, hint
                self._end("failed")

    # ------------------------------------------------------------------ inside

    def _shown(self) -> tuple[ItemResult, ...]:
        shown = {subject: self._items[subject] for subject in self._refused}
        for subject, item in self._items.items():
            if len(shown) >= _MAX_ITEMS:
                break
            shown.setdefault(subject, item)
        return tuple(shown.values())

    def _put(self, item: ItemResult) -> None:
        before = self._items.get(item.subject) or ItemResult(item.subject)
        for counter, old, new in (
            (self._outcomes, before.outcome, item.outcome),
            (self._effects, before.effect, item.effect),
        ):
            counter[old] -= 1
            counter[new] += 1
        self._items[item.subject] = item
        if item.outcome == "refused" and len(self._refused) < _MAX_ITEMS:
            self._refused.append(item.subject)
        elif item.outcome in ("ok", "asked") and self._sent != "yes":
            self._sent = "yes" if item.outcome == "ok" else "unknown"
            self._sent_at = self._clock()
        if item.effect == "pending" and item.task_id is not None:
            self._pending[item.subject] = item.task_id
        else:
            self._pending.pop(item.subject, None)
        self._changed()

    def _give_up(self, effect: Effect, said: str) -> None:
        for subject in list(self._pending):
            item = self._items[subject]
            words = said or item.effect_said or self._unseen()
            self._put(
                msgspec.structs.replace(
                    item, effect=effect, effect_said=words, effect_at=self._clock()
                )
            )

    def _unseen(self) -> str:
        if self.command.effect == "result":
            return "No result came in time; the task may still run, or wait in its queue."
        return "No worker has told of it yet: it may wait in its queue."

    def _end(self, state: ActionState) -> None:
        self._state, self._finished_at = state, self._clock()
        shown = {item.subject: item for item in self._shown()}
        self._left_out += len(self._items) - len(shown)
        self._items = shown
        self.arguments, self.subjects = {}, ()
        self._pending.clear()
        self._changed()

    def _changed(self) -> None:
        self._sequence += 1
        self._condition.notify_all()


class Jobs:
    """Does the commands whose `runs` is "here". `send` returns at once, the job tells the rest.

    `tasks` gives a task as events tell it, `known_names` the names of tasks that workers know,
    `entries` all entries of schedules, `queues_of` the queues from which a worker consumes, as
    far as it told them. `mask` is applied to arguments and results that a job
    shows. `on_change` is called, from a thread of ours, when an item of a job was done: it must
    be quick.
    """

    def __init__(
        self,
        *,
        app: Any,
        results: Results,
        tasks: Callable[[str], Task | None],
        known_names: Callable[[], Iterable[str]],
        entries: Callable[[], Sequence[Entry]] = tuple,
        queues_of: Callable[[str], Sequence[str]] = lambda _hostname: (),
        mask: Callable[[str], str] | None = None,
        sight: Sight | None = None,
        send_seconds: float = 5.0,
        confirm_seconds: float = 10.0,
        max_running: int = 100,
        max_kept: int = 300,
        on_change: Callable[[Job], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._results = results
        self._tasks = tasks
        self._known_names = known_names
        self._entries = entries
        self._queues_of = queues_of
        self._mask = mask
        self._sight = sight or Sight()
        self._send_seconds = send_seconds
        self._confirm = confirm_seconds
        self._clock = clock
        self._shelf = Shelf[Job](
            "jobs", max_running=max_running, max_kept=max_kept, on_change=on_change
        )
        self._wake = threading.Condition()
        self._new: deque[Job] = deque()
        self._next_look: dict[str, float] = {}  # job -> when the backend is asked again
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; no connection is made before there is something to do."""
        names = [f"jobs-{number}" for number in range(_THREADS)]
        for name, run in (*((name, self._run) for name in names), ("jobs-look", self._watch)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End; jobs on their way fail and say so."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        for thread in self._threads:
            # A broker that hangs may keep a thread; it is a daemon, and nobody waits for it.
            thread.join(self._send_seconds + 2)
        for job in self.actions():
            job.fail(_STOPPED)

    def send(self, command: Command, arguments: Mapping[str, Any]) -> Job:
        """Begin a job; `arguments` are what `parse` gave.

        Raises, before anything is done: `NotFound` for a task name or an entry that is not
        known, `NotPossible` where the command needs what is not there, `Unavailable` when too
        many jobs are on their way or we stop.
        """
        self._check(command, arguments)
        if command.name in ("apply", "async_apply", "send_task"):
            arguments = {**arguments, "task_id": arguments["task_id"] or str(uuid4())}
        job = Job(
            command,
            arguments,
            _subjects(arguments),
            timeout_seconds=self._send_seconds,
            confirm_seconds=self._patience(arguments),
            told=self._shown(arguments),
            clock=self._clock,
        )
        with self._wake:
            if self._stopping:
                raise Unavailable(_STOPPED)
            self._shelf.add(job)
            self._new.append(job)
            self._wake.notify_all()
        return job

    def get(self, ident: str) -> Job:
        """Give the job of that id; raise `NotFound` when it is not kept (any more)."""
        return self._shelf.get(ident)

    def actions(self) -> list[Job]:
        """Give the jobs that are kept, the newest first."""
        return self._shelf.all()

    # ------------------------------------------------------------------ before it begins

    def _check(self, command: Command, arguments: Mapping[str, Any]) -> None:
        if command.effect in ("result", "aborted", "forgotten"):
            self._results.check(changes=command.effect != "result")
        if command.name in ("apply", "async_apply"):
            name = arguments["task_name"]
            if name not in self._app.tasks and name not in set(self._known_names()):
                raise NotFound("task", name)
        if command.name == "run_entry":
            entry = self._entry(arguments["entry"])
            if not entry.sendable:
                raise NotPossible(entry.note or "Its arguments are not known exactly.")

    def _entry(self, ident: str) -> Entry:
        for entry in self._entries():
            if entry.id == ident:
                return entry
        raise NotFound("entry", ident[:200])

    def _shown(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Give the arguments as people may see them, and not too many of them."""
        shown = {**arguments}
        if len(arguments.get("ids") or ()) > _MAX_ITEMS:
            shown["ids"] = arguments["ids"][:_MAX_ITEMS]
        for name in ("args", "kwargs"):
            if shown.get(name) is not None:
                shown[name] = self._masked(shown[name])
        return shown

    def _masked(self, value: Any) -> Any:
        if self._mask is None:
            return value
        return mailbox.cleaned({"args": value}, hide=False, mask=self._mask)["args"]

    # ------------------------------------------------------------------ the threads that work

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._new)
                if self._stopping:
                    return
                job = self._new.popleft()
            try:
                self._do(job)
            except CeleryscopeError as error:
                job.fail(str(error), error.hint)
            except Exception as error:
                logger.exception("a job could not be done")
                job.fail(f"It went wrong here: {type(error).__name__}.")
            self._shelf.tell(job)

    def _do(self, job: Job) -> None:
        do = _DOERS[job.command.name]
        with closing(Sender(app=self._app, timeout_seconds=self._send_seconds)) as sender:
            for subject in job.subjects:
                if job.stopping:
                    break
                if self._stopping:
                    raise Unavailable(_STOPPED)
                try:
                    item = do(self, sender, job, subject)
                except Refused as refused:
                    item = ItemResult(subject, "refused", str(refused)[:_MAX_WORDS_CHARS])
                except Lost as lost:
                    words = f"Nobody knows whether it was done: {lost}"[:_MAX_WORDS_CHARS]
                    job.put(ItemResult(subject, "asked", words, effect="cannot tell"))
                    raise
                job.put(item)
                self._shelf.tell(job)
        job.done(self._patience(job.arguments))

    def _patience(self, arguments: Mapping[str, Any]) -> float:
        wait: float | None = arguments.get("wait_seconds")
        return self._confirm if wait is None else wait

    # ------------------------------------------------------------------ what is done

    def _send(self, sender: Sender, job: Job, subject: str) -> ItemResult:
        given = job.arguments
        ident = str(given["task_id"])
        sender.send(
            given["task_name"],
            given["args"] or (),
            given["kwargs"] or {},
            task_id=ident,
            options=_options(given, self._clock()),
            as_project=job.command.name != "send_task",
        )
        return ItemResult(subject, "ok", "It was sent.", task_id=ident, effect="pending")

    def _retry(self, sender: Sender, job: Job, ident: str) -> ItemResult:
        task = self._known(ident)
        if task is None:
            raise Refused("No event of it is kept.")
        if not (task.finished or (task.state == "LOST" and task.lost is not None)):
            raise Refused(f"It is not finished: {task.state}.")
        if task.name is None:
            raise Refused("Its events do not tell its name.")
        way = (task.queue, task.exchange, task.routing_key)
        if any("…" in (text or "") for text in (task.name, *way)):
            raise Refused("Its name or its queue is too long to be known whole.")
        if task.renamed:
            raise Refused("Another task ran under its id, so that its arguments are not certain.")
        args, kwargs, whence, told = self._arguments(job, ident, task)
        options, where = self._way(sender, task, args, kwargs, told)
        new = str(uuid4())
        options = {**self._own_options(task.name), **options}
        sender.send(task.name, args, kwargs, task_id=new, options=options, as_project=False)
        said = f"It was sent again {where}; arguments from {whence}."
        return ItemResult(ident, "ok", said, task_id=new, effect="pending")

    def _way(
        self,
        sender: Sender,
        task: Task,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        told: str | None,
    ) -> tuple[dict[str, Any], str]:
        """Give where a task goes as it went before, and that in words.

        `told` is what the result backend has as its queue, a routing key in truth. Raises
        `Refused` where it would go to a queue from which its worker does not consume.
        """
        if task.exchange and task.routing_key and not task.exchange.startswith(_DELAYED):
            options = {"exchange": task.exchange, "routing_key": task.routing_key}
            return options, f"to the exchange '{task.exchange}'"
        if task.queue:
            return {"queue": task.queue}, f"to '{task.queue}'"
        consumed = self._queues_of(task.worker) if task.worker is not None else ()
        if told is not None and told in consumed:
            return {"queue": told}, f"to '{told}', as the result backend has it"
        if len(consumed) == 1:
            return {"queue": consumed[0]}, f"to '{consumed[0]}', from which its worker consumes"
        routed = sender.routed(task.name or "", args, kwargs)
        if consumed and routed not in consumed:
            raise Refused(
                f"No event told its queue: its worker consumes from {len(consumed)}, and not from "
                f"'{routed}', where the app would send it. Set task_send_sent_event."
            )
        return {}, "as the app routes it, since no event told its queue"

    def _own_options(self, name: str | None) -> dict[str, Any]:
        """Give what a task of the project is always sent with, save where it goes."""
        task = self._app.tasks.get(name)
        if task is None:
            return {}
        own = {option: getattr(task, option, None) for option in _OWN_OPTIONS}
        return {option: value for option, value in own.items() if value is not None}

    def _known(self, ident: str) -> Task | None:
        try:
            return self._tasks(ident)
        except Unavailable as error:
            raise Refused(str(error)) from error

    def _arguments(
        self, job: Job, ident: str, task: Task
    ) -> tuple[list[Any], dict[str, Any], str, str | None]:
        """Give the exact arguments of a task, where they are from, and the backend's queue."""
        queue = None
        if self._results.configured and not job.without_backend:
            try:
                result = self._results.read(ident)
            except Unavailable as error:
                job.without_backend = f" {error}"  # the others need not wait for it, too
            else:
                is_it = result.name in (None, task.name)
                queue = result.queue if is_it else None
                if is_it and isinstance(result.args, list) and isinstance(result.kwargs, dict):
                    return result.args, result.kwargs, "the result backend", queue
        try:
            return read_args(task.args), read_kwargs(task.kwargs), "its events", queue
        except Inexact as inexact:
            why = "Its arguments are not known exactly."
            raise Refused(f"{why} {inexact}{job.without_backend}") from None

    def _abort(self, _sender: Sender, _job: Job, ident: str) -> ItemResult:
        before = self._results.read(ident)
        if before.problem:
            raise Refused(f"Its state cannot be read: {before.problem}")
        if before.state in READY_STATES:
            raise Refused(f"It is finished: {before.state}.")
        task = self._known(ident)
        if task is None and before.state == PENDING:
            raise Refused("Neither events nor the result backend know it.")
        if task is not None and task.finished:
            raise Refused(f"It is finished: {task.state}.")
        return self._changed_backend(ident, self._results.abort, wanted="ABORTED")

    def _forget(self, _sender: Sender, _job: Job, ident: str) -> ItemResult:
        if self._results.read(ident).state == PENDING:
            return self._checked(ident, "nothing to do", _NOTHING_KNOWN)
        return self._changed_backend(ident, self._results.forget, wanted=PENDING)

    def _changed_backend(
        self, ident: str, change: Callable[[str], None], *, wanted: str
    ) -> ItemResult:
        """Change what the backend has of a task, and read it again."""
        try:
            change(ident)
        except Unavailable as error:
            raise Lost(str(error), hint=error.hint) from error
        try:
            state = self._results.read(ident).state
        except Unavailable as error:
            return self._checked(ident, "cannot tell", str(error)[:_MAX_WORDS_CHARS])
        said = _NOTHING_KNOWN if state == PENDING else f"The result backend has it as {state}."
        return self._checked(ident, "done" if state == wanted else "not seen", said)

    def _purge(self, sender: Sender, _job: Job, queue: str) -> ItemResult:
        deleted = sender.purge(queue)
        said = f"{deleted:,} {'message was' if deleted == 1 else 'messages were'} deleted."
        item = ItemResult(queue, "ok", said, value=deleted)
        try:
            left = sender.length(queue)
        except (Refused, Unavailable) as error:
            effect, words = "cannot tell", f"Its length could not be read: {error}"
        else:
            effect, words = _purged(left)
        return msgspec.structs.replace(
            item, effect=effect, effect_said=words, effect_at=self._clock()
        )

    def _run_entry(self, sender: Sender, _job: Job, ident: str) -> ItemResult:
        entry = self._entry(ident)
        new = str(uuid4())
        sender.send(
            entry.task, entry.args, entry.kwargs, task_id=new, options=_entry_options(entry)
        )
        return ItemResult(ident, "ok", "It was sent.", task_id=new, effect="pending")

    def _checked(self, subject: str, effect: Effect, said: str) -> ItemResult:
        return ItemResult(subject, "ok", effect=effect, effect_said=said, effect_at=self._clock())

    # ------------------------------------------------------------------ the thread that looks

    def _watch(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._busy())
                if self._stopping:
                    return
                self._wake.wait_for(lambda: self._stopping, _LOOK_SECONDS)
                jobs = self._busy()
            for job in jobs:
                try:
                    self._look(job)
                except Exception:
                    logger.exception("what became of a job could not be looked for")
                before = job.sequence
                job.look_at_the_time()
                if job.sequence != before:
                    self._shelf.tell(job)
            self._next_look = {
                job.id: self._next_look.get(job.id, 0.0) for job in jobs if not job.over
            }

    def _busy(self) -> list[Job]:
        return [job for job in self._shelf.all() if not job.over]

    def _look(self, job: Job) -> None:
        """Judge by events, and now and then by the result backend."""
        pending = job.pending()
        before = job.sequence
        if job.command.effect == "told":
            for subject, ident in islice(list(pending.items()), _AT_ONCE):
                state = self._sight.task_state(ident)
                if state not in (None, PENDING):
                    job.judged(subject, "done", f"A worker has it: {state}.")
                    del pending[subject]
        now = time.monotonic()
        if pending and self._results.configured and now >= self._next_look.get(job.id, 0.0):
            for subject, ident in islice(pending.items(), _BACKEND_AT_ONCE):
                if not self._look_into_backend(job, subject, ident):
                    break
            self._next_look[job.id] = time.monotonic() + _BACKEND_SECONDS
        if job.sequence != before:
            self._shelf.tell(job)

    def _look_into_backend(self, job: Job, subject: str, ident: str) -> bool:
        try:
            result = self._results.read(ident)
        except CeleryscopeError as error:
            if job.command.effect == "result":
                job.judged(subject, "pending", str(error)[:_MAX_WORDS_CHARS])
            return False
        if job.command.effect == "result":
            if result.ready:
                said = f"The task ended: {result.state}." if not result.problem else result.problem
                job.judged(subject, "done", said, self._masked(result.value))
        elif result.state != PENDING:
            job.judged(subject, "done", f"The result backend has it: {result.state}.")
        return True


def _subjects(arguments: Mapping[str, Any]) -> Sequence[str]:
    """Give what the job goes through: ids, or the one thing that it is about."""
    if "ids" in arguments:
        return list(arguments["ids"])
    for name in ("task_name", "queue", "entry"):
        if name in arguments:
            return [arguments[name]]
    raise AssertionError("a command of ours without a subject")


def _options(given: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Give Celery's options out of arguments that `parse` gave."""
    options = {name: given[name] for name in _SENT if given.get(name) is not None}
    for name in ("eta", "expires"):
        seconds = options.get(name)
        if seconds is not None and seconds >= FIRST_EPOCH:
            options[name] = datetime.fromtimestamp(seconds, UTC)
    return options


def _entry_options(entry: Entry) -> dict[str, Any]:
    """Give the options of an entry; raise `Refused` for one that we do not send."""
    options = {name: value for name, value in entry.options.items() if value is not None}
    for name in options:
        if name not in _ENTRY_OPTIONS:
            raise Refused(f"It has an option that is not sent from here: {name[:100]}.")
    for name in ("queue", "exchange", "routing_key"):
        if name in options and not isinstance(options[name], str):
            raise Refused(f"Its {name} is not told by name.")
    if options.get("serializer", "json") not in SERIALIZERS:
        raise Refused("It is sent with a serializer that is not used here.")
    if "expire_seconds" in options:
        options.setdefault("expires", options.pop("expire_seconds"))
    return options


def _purged(left: int | None) -> tuple[Effect, str]:
    if left is None:
        return "cannot tell", "kombu cannot count the messages of this broker."
    if left == 0:
        return "done", "No message waits in it now."
    return "done", f"{left:,} wait in it now, which came since."


_Doer = Callable[[Jobs, Sender, Job, str], ItemResult]
_DOERS: Mapping[str, _Doer] = {
    "apply": Jobs._send,
    "async_apply": Jobs._send,
    "send_task": Jobs._send,
    "retry": Jobs._retry,
    "abort": Jobs._abort,
    "forget": Jobs._forget,
    "purge": Jobs._purge,
    "run_entry": Jobs._run_entry,
}
