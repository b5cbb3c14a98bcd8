"""One command that was sent, and what became of it, worker by worker.

`Ledger` is the bookkeeping: no clock, no thread, no broker. `Action` puts a lock around it and
lets people wait. Times are ours, in seconds since 1970: a worker's clock is never asked.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from celeryscope.control.commands import Command

#: `sending` may still fail without effect; after `waiting` comes `confirming` when there is an
#: effect to look for; `finished`, `failed` and `stopped` (by a person) are the end, though late
#: answers are still noted.
ActionState = Literal["sending", "waiting", "confirming", "finished", "failed", "stopped"]
#: `asked`: no answer yet, or none expected. `silent`: none in time.
Outcome = Literal["unasked", "asked", "ok", "refused", "silent"]
#: `unchecked`: nobody looked, since it did not answer in time or did not say yes.
Effect = Literal["unchecked", "pending", "done", "nothing to do", "not seen", "cannot tell"]
#: Did the broker get it? `unknown`: it went away in the middle.
Sent = Literal["no", "unknown", "yes"]

MAX_WORDS_CHARS = 2_000
GAVE_WAY = "Many commands came after it: it was looked for no longer."
_OPEN = frozenset({"unasked", "asked"})
#: Why a reply was not taken, for people.
_WHY_NOT: Final[Mapping[str, str]] = {
    "compression": "it is compressed in an unknown way",
    "content_type": "it is not JSON",
    "hostname": "it names no worker",
    "no_room": "it is from more workers than are kept",
    "shape": "it has another shape than a reply",
    "syntax": "it is no valid JSON",
    "too_large": "it is too large",
}


class WorkerResult(msgspec.Struct, frozen=True):
    """What one worker, by its name, did with the command."""

    hostname: str
    expected: bool  # we asked it by name, or knew it when everyone was asked
    outcome: Outcome = "unasked"
    asked_at: float | None = None
    answered_at: float | None = None  # its first answer
    late: bool = False  # it answered after we had stopped waiting: it did it then
    answers: int = 0  # more than one: several workers share this name
    value: Any = None  # what it answered, when `ok`
    value_dropped: bool = False  # it answered more than there was room for
    error: str = ""  # its own words, when `refused`
    effect: Effect = "unchecked"
    effect_said: str = ""  # what was seen, in a sentence
    effect_at: float | None = None


class ItemResult(msgspec.Struct, frozen=True):
    """What became of one thing that the console did itself: one task, one queue."""

    subject: str  # a task's id, a queue's name
    outcome: Outcome = "unasked"
    said: str = ""  # in a sentence; why not, when `refused`
    value: Any = None  # a result, a count
    task_id: str | None = None  # of the task that was sent for it
    effect: Effect = "unchecked"
    effect_said: str = ""
    effect_at: float | None = None


class Report(msgspec.Struct, frozen=True):
    """An action at one moment."""

    id: str
    sequence: int  # grows with every change
    command: str
    arguments: Mapping[str, Any]
    everyone: bool  # no worker was named
    state: ActionState
    sent: Sent
    created_at: float
    sent_at: float | None
    finished_at: float | None
    timeout_seconds: float  # how long an answer may take
    confirm_seconds: float  # how long its effect may take after that
    error: str  # why it failed; or else that replies could not be read
    hint: str  # what one can do about that
    outcomes: Mapping[str, int]  # how many workers of each outcome
    effects: Mapping[str, int]  # how many workers of each effect
    late: int  # workers that answered late
    twice: int  # names that more than one worker answers to
    unexpected: int  # workers that answered though we did not know them
    not_taken: Mapping[str, int]  # replies that could not be read, by reason
    workers: tuple[WorkerResult, ...]  # by name
    total: int  # workers expected, or things to do
    stoppable: bool = False
    items: tuple[ItemResult, ...] = ()  # refused ones first, at most 1,000
    items_left_out: int = 0  # how many are not in `items`


class Ledger:
    """The bookkeeping of one action. Every method takes `now` from the caller."""

    def __init__(
        self,
        *,
        command: Command,
        expected: Iterable[str],
        created_at: float,
        timeout_seconds: float,
        confirm_seconds: float,
        max_workers: int,
    ) -> None:
        self.command = command
        self.state: ActionState = "sending"
        self.sent: Sent = "no"
        self.created_at = created_at
        self.sent_at: float | None = None
        self.finished_at: float | None = None
        self.timeout_seconds = timeout_seconds
        self.confirm_seconds = confirm_seconds
        self.error = ""
        self.hint = ""
        self.sequence = 0
        self.not_taken: Counter[str] = Counter()
        self.workers: dict[str, WorkerResult] = {}
        self.size_bytes = 0
        self._max_workers = max_workers
        self._confirm_until = 0.0
        self._unanswered = self._unconfirmed = 0  # how many _OPEN, how many `pending`
        for name in expected:
            self._put(WorkerResult(name, True))
        self._expects = bool(self.workers)  # else whoever answers first may not be the last

    @property
    def over(self) -> bool:
        """Nothing more is awaited."""
        return self.state in ("finished", "failed")

    @property
    def pending(self) -> list[str]:
        """Those whose effect is still looked for."""
        return [name for name, worker in self.workers.items() if worker.effect == "pending"]

    # ------------------------------------------------------------------ what happens

    def began_sending(self) -> None:
        """From here on nobody can say that it was not sent; not when it is over already."""
        if not self.over:
            self.sent = "unknown"

    def was_sent(self, now: float) -> None:
        """The broker has it, perhaps after we had given up on that."""
        self.sent, self.sent_at = "yes", now
        if self.over:
            self._changed()
            return
        self.state = "waiting"
        looks = not self.command.answers
        for worker in list(self.workers.values()):
            self._put(
                msgspec.structs.replace(
                    worker,
                    outcome="asked",
                    asked_at=now,
                    effect="pending" if looks else worker.effect,
                )
            )
        self._changed()
        if looks:
            self._await_effects(now)

    def answered(
        self,
        hostname: str,
        *,
        error: str | None,
        value: Any,
        now: float,
        dropped: bool = False,
        size_bytes: int = 0,
    ) -> None:
        """A worker said yes (`error` is None) or no. A second answer is counted, not taken."""
        worker = self.workers.get(hostname)
        if worker is None:
            if len(self.workers) >= self._max_workers:
                self.refused_reply("no_room")
                return
            worker = WorkerResult(hostname, False, asked_at=self.sent_at)
        elif worker.answers:
            self._put(msgspec.structs.replace(worker, answers=worker.answers + 1))
            self._changed()
            return
        looks = (
            (error is None or self._may_have_done_a_part(error))
            and not self.over
            and self.command.effect != "answer"
        )
        ended = error is not None and worker.effect == "pending"
        self._put(
            msgspec.structs.replace(
                worker,
                outcome="ok" if error is None else "refused",
                answered_at=now,
                answers=1,
                late=worker.outcome == "silent" or self._is_late(now),
                value=value if error is None else None,
                value_dropped=dropped,
                error=(error or "")[:MAX_WORDS_CHARS],
                effect="pending" if looks else "unchecked" if ended else worker.effect,
            )
        )
        self.size_bytes += size_bytes
        self._changed()
        self.look_at_the_time(now)

    def judged(self, hostname: str, effect: Effect, said: str, now: float) -> None:
        """Somebody looked whether the worker did it."""
        worker = self.workers[hostname]
        if worker.effect != "pending" or (worker.effect, worker.effect_said) == (effect, said):
            return
        at = None if effect == "pending" else now
        self._put(msgspec.structs.replace(worker, effect=effect, effect_said=said, effect_at=at))
        self._changed()
        self.look_at_the_time(now)

    def refused_reply(self, reason: str) -> None:
        """A reply could not be read."""
        self.not_taken[reason] += 1
        self._changed()

    def failed(self, error: str, hint: str, now: float) -> None:
        """It ends here. What was answered stays."""
        if self.over:
            return
        self._give_up_on_answers()
        self._give_up_on_effects(now)
        self.error, self.hint = error, hint
        self._end("failed", now)

    def give_way(self, now: float) -> None:
        """Look for its effect no longer, if that is all that is left to do."""
        if self.state == "confirming":
            for name in self.pending:
                self.judged(name, "cannot tell", GAVE_WAY, now)
            if not self.over:
                self._end("finished", now)

    def look_at_the_time(self, now: float) -> None:
        """Go on to the next state when it is time, or when nothing is left to wait for."""
        if self.state == "waiting" and self.sent_at is not None:
            late = now >= self.sent_at + self.timeout_seconds
            if late or (self._expects and not self._unanswered):
                self._give_up_on_answers()
                self._await_effects(now)
        if self.state == "confirming":
            if now >= self._confirm_until:
                self._give_up_on_effects(now)
            if not self._unconfirmed:
                self._end("finished", now)

    # ------------------------------------------------------------------ inside

    def _may_have_done_a_part(self, error: str) -> bool:
        return bool(self.command.partly) and self.command.partly in error

    def _is_late(self, now: float) -> bool:
        return self.sent_at is not None and now > self.sent_at + self.timeout_seconds

    def _await_effects(self, now: float) -> None:
        self.state = "confirming"
        self._confirm_until = now + self.confirm_seconds
        self._changed()
        self.look_at_the_time(now)

    def _give_up_on_answers(self) -> None:
        if self.sent == "no" or (self.sent == "yes" and not self.command.answers):
            return  # there was nothing to answer
        for worker in list(self.workers.values()):
            if worker.outcome in _OPEN:
                self._put(msgspec.structs.replace(worker, outcome="silent"))

    def _give_up_on_effects(self, now: float) -> None:
        for name in self.pending:
            self._put(msgspec.structs.replace(self.workers[name], effect="not seen", effect_at=now))

    def _put(self, worker: WorkerResult) -> None:
        before = self.workers.get(worker.hostname)
        if before is not None:
            self._unanswered -= before.outcome in _OPEN
            self._unconfirmed -= before.effect == "pending"
        self._unanswered += worker.outcome in _OPEN
        self._unconfirmed += worker.effect == "pending"
        self.workers[worker.hostname] = worker

    def _end(self, state: ActionState, now: float) -> None:
        self.state, self.finished_at = state, now
        self._changed()

    def _changed(self) -> None:
        self.sequence += 1


class Action:
    """A command on its way. Any thread may read it and wait for it."""

    def __init__(
        self,
        ident: str,
        ledger: Ledger,
        *,
        arguments: Mapping[str, Any],
        everyone: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = ident
        self.command = ledger.command
        self.arguments = arguments
        self.everyone = everyone
        self.created_at = ledger.created_at
        self._ledger = ledger
        self._clock = clock
        self._condition = threading.Condition()

    @property
    def sequence(self) -> int:
        """Grows with every change: who saw this number has seen everything until now."""
        return self._ledger.sequence

    @property
    def over(self) -> bool:
        """Nothing more is awaited, though a late answer is still noted."""
        return self._ledger.over

    @property
    def size_bytes(self) -> int:
        """About what its answers take in memory."""
        return self._ledger.size_bytes

    @property
    def sent(self) -> Sent:
        """Whether the broker has it."""
        return self._ledger.sent

    def worker(self, hostname: str) -> WorkerResult | None:
        """What one worker did with it so far."""
        with self._condition:
            return self._ledger.workers.get(hostname)

    def pending(self) -> list[str]:
        """Give those whose effect is still looked for."""
        with self._condition:
            return self._ledger.pending

    def snapshot(self) -> Report:
        """Give the action as it is now. Costs as much as there are workers."""
        with self._condition:
            ledger = self._ledger
            workers = tuple(ledger.workers[name] for name in sorted(ledger.workers))
            return Report(
                id=self.id,
                sequence=ledger.sequence,
                command=self.command.name,
                arguments=self.arguments,
                everyone=self.everyone,
                state=ledger.state,
                sent=ledger.sent,
                created_at=ledger.created_at,
                sent_at=ledger.sent_at,
                finished_at=ledger.finished_at,
                timeout_seconds=ledger.timeout_seconds,
                confirm_seconds=ledger.confirm_seconds,
                error=ledger.error or not_taken(ledger.not_taken),
                hint=ledger.hint,
                outcomes=dict(Counter(worker.outcome for worker in workers)),
                effects=dict(Counter(worker.effect for worker in workers)),
                late=sum(worker.late for worker in workers),
                twice=sum(worker.answers > 1 for worker in workers),
                unexpected=sum(not worker.expected for worker in workers),
                not_taken=dict(ledger.not_taken),
                workers=workers,
                total=sum(worker.expected for worker in workers),
            )

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until it is over; False when the time was up first."""
        with self._condition:
            return self._condition.wait_for(lambda: self._ledger.over, timeout_seconds)

    def wait_for_change(self, sequence: int, timeout_seconds: float) -> int:
        """Wait until it is newer than `sequence`; give the sequence it has then."""
        with self._condition:
            self._condition.wait_for(lambda: self._ledger.sequence > sequence, timeout_seconds)
            return self._ledger.sequence

    def give_way(self) -> bool:
        """End where only its effect is still looked for; say whether it did."""
        return self.note(lambda ledger: ledger.give_way(self._clock()))

    def note(self, change: Callable[[Ledger], None]) -> bool:
        """Let `change` write into the ledger; True when something is different then."""
        with self._condition:
            before = self._ledger.sequence
            change(self._ledger)
            if self._ledger.sequence == before:
                return False
            self._condition.notify_all()
            return True


def not_taken(reasons: Mapping[str, int]) -> str:
    """Say that replies were not taken, and why; nothing where all were."""
    count = sum(reasons.values())
    if not count:
        return ""
    why = ", ".join(_WHY_NOT.get(reason, reason) for reason in sorted(reasons))
    if count == 1:
        return f"One reply was not taken ({why}): who sent it seems silent."
    return f"{count:,} replies were not taken ({why}): who sent them seem silent."
