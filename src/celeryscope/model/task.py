"""One task as the cluster last told of it.

`cluster.state` owns these records and changes them in place (a new record per event would
cost more than everything else in the fold); everyone else only reads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

PENDING = "PENDING"
RECEIVED = "RECEIVED"
STARTED = "STARTED"
RETRY = "RETRY"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
REVOKED = "REVOKED"
REJECTED = "REJECTED"
#: Of a task that began, on a worker that is gone; no event of Celery's says so, but we do.
LOST = "LOST"

STATES = (PENDING, RECEIVED, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, REJECTED)
FINISHED = frozenset({SUCCESS, FAILURE, REVOKED, REJECTED})


class Loss(NamedTuple):
    """That a run of a task has no end, as we decided. Times: epoch seconds."""

    at: float  # our clock, when that was decided
    worker: str
    started: float | None  # when the run began, by its worker's clock
    why: str  # a sentence


class Task(msgspec.Struct, gc=False):
    """All that events have told of one task id. Times: epoch seconds by the sender's clock."""

    uuid: str
    first_seen: float  # our clock, when its first event arrived
    state: str = PENDING  # one of STATES, or a custom state in capitals
    state_at: float = 0.0  # time of the event that set the state
    state_pid: int | None = None  # the process that sent the last event of weight
    state_clock: int | None = None  # its Lamport clock then
    name: str | None = None
    worker: str | None = None
    client: str | None = None
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    sent: float | None = None
    received: float | None = None
    started: float | None = None
    succeeded: float | None = None
    failed: float | None = None
    retried: float | None = None
    revoked: float | None = None
    rejected: float | None = None
    args: str | None = None
    kwargs: str | None = None
    result: str | None = None
    exception: str | None = None
    traceback: str | None = None
    runtime: float | None = None  # seconds, as the worker measured it
    wait: float | None = None  # seconds from sent (or eta) to started, clock skew removed
    retries: int = 0
    eta: str | None = None
    expires: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    terminated: bool = False  # revoked while it ran
    expired: bool = False  # revoked because it came too late
    signum: str | None = None
    text_bytes: int = 0  # size of the long texts above, for the memory bound
    truncated: bool = False  # some text above was longer than we keep
    # Once there is more than one run: (event type without "task-", time, sender, retries) of
    # every event; the times above then tell of the run that counts.
    log: tuple[tuple[str, float, str, int], ...] = ()
    custom: tuple[tuple[str, float], ...] = ()  # (custom state, time)
    # Task.replace runs another task under the id: the names before, each with when it was over.
    renamed: tuple[tuple[float, str], ...] = ()
    fetched: bool = False  # its end is from the result backend, no event told it
    lost: Loss | None = None  # the last run that was taken for lost; it may have gone on since

    def told_in_turn(self) -> list[tuple[str, float, str, int]]:
        """Give `log` with the runs of all tasks that had the id numbered on (`in_turn`)."""
        return in_turn(self.log, [at for at, _ in self.renamed])

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def ran(self) -> float | None:
        """Seconds the last run took; None if it goes on, or did not begin.

        The worker measures those that succeed; of the others its two events tell, which carry
        the time of one clock.
        """
        if self.runtime is not None:
            return self.runtime
        if self.started is None or self.state not in (FAILURE, RETRY, REVOKED):
            return None
        return max(0.0, self.state_at - self.started)


def epoch(iso: str) -> float | None:
    """Epoch seconds of an ISO 8601 time; one without a zone is UTC, as Celery sends it."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return at.timestamp()


def in_turn(
    told: Iterable[tuple[str, float, str, int]], since: Sequence[float]
) -> list[tuple[str, float, str, int]]:
    """Number the runs of tasks that took each other's place under one id one after the other.

    `told` are its events as (kind, time, sender, retries). From each of the times `since` on it was
    another task, whose retries begin at 0 again. Times: epoch seconds.
    """
    events = list(told)
    if not since:
        return events
    ends = sorted(since)
    turns = [bisect_right(ends, at) for _, at, _, _ in events]
    base = 0
    numbered = dict.fromkeys(range(len(ends) + 1), 0)
    for turn in numbered:
        numbered[turn] = base
        mine = [one[3] for one, when in zip(events, turns, strict=True) if when == turn]
        base += 1 + max(mine) if mine else 0
    return [
        (kind, at, sender, retries + numbered[turn] if kind in ("sent", "received") else retries)
        for (kind, at, sender, retries), turn in zip(events, turns, strict=True)
    ]
