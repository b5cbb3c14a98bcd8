"""A task that ran more than once: which run is the last, and how it stands. Pure.

A retry or a redelivery gives one task several runs, often on several workers, whose events
arrive in any order. Time alone does not order them, for hosts' clocks differ. What does:

* a task-received event carries the number of retries, and begins a run on its worker;
* on one worker, a start belongs to the run received last before it, and an end to the run
  started last before it; but "retried", which a worker sends after it has received the next run,
  and perhaps begun or revoked that, ends a run before the last;
* runs are ordered by their number of retries, and only runs of the same number (a message
  delivered twice) by time, corrected by what is known of the clocks.

The verdict depends on the set of events alone and not on the order of their arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from celeryscope.model.task import (
    FAILURE,
    FINISHED,
    PENDING,
    RECEIVED,
    REJECTED,
    RETRY,
    REVOKED,
    STARTED,
    SUCCESS,
)

#: (kind, time by the sender's clock, sender, retries); kind is the event type without "task-".
Told = tuple[str, float, str, int]

ENDS = {
    "succeeded": SUCCESS,
    "failed": FAILURE,
    "retried": RETRY,
    "revoked": REVOKED,
    "rejected": REJECTED,
}
_RANK = {"received": 0, "started": 1}


class Verdict(NamedTuple):
    """How a task stands, and the event that says so."""

    state: str
    at: float
    worker: str | None  # None while it was only sent
    received: float | None  # of the run that is shown
    started: float | None


class _Run:
    """One run on one worker."""

    __slots__ = ("began", "end", "received", "retries", "started", "worker")

    def __init__(self, worker: str, began: float, retries: int | None) -> None:
        self.worker = worker
        self.began = began
        self.retries = retries  # None: its task-received never came
        self.received: float | None = None
        self.started: float | None = None
        self.end: tuple[str, float] | None = None

    def ends(self, state: str, at: float) -> None:
        """Note an end. A rejected run that also failed has failed; else the later end holds."""
        if self.end is None or self.end[0] == REJECTED or (state != REJECTED and at >= self.end[1]):
            self.end = (state, at)

    def verdict(self, state: str, at: float) -> Verdict:
        return Verdict(state, at, self.worker, self.received, self.started)


def judge(told: Iterable[Told], skew: Callable[[str], float]) -> Verdict:
    """Say how a task stands after these events; `skew` is how far ahead a host's clock is."""
    by_worker: dict[str, list[Told]] = {}
    sent = 0.0
    for one in told:
        if one[0] == "sent":
            sent = max(sent, one[1])
        else:
            by_worker.setdefault(one[2], []).append(one)
    runs = [run for worker, events in by_worker.items() for run in _runs_on(worker, events)]
    if not runs:
        return Verdict(PENDING, sent, None, None, None)
    most = max(run.retries or 0 for run in runs)
    began = {id(run): run.began - skew(run.worker) for run in runs}
    # A run of unknown number that began last is taken for the last one.
    runs.sort(key=lambda run: (run.retries if run.retries is not None else most, began[id(run)]))
    return _verdict(runs)


def attempts(told: Iterable[Told]) -> dict[Told, int | None]:
    """Say which attempt each event belongs to, 0 the first; None where nothing tells."""
    by_worker: dict[str, list[Told]] = {}
    numbers: dict[Told, int | None] = {}
    for one in told:
        if one[0] == "sent":
            numbers[one] = one[3]
        else:
            by_worker.setdefault(one[2], []).append(one)
    for worker, events in by_worker.items():
        numbers.update((one, run.retries) for one, run in _placed(worker, events))
    return numbers


def _verdict(runs: list[_Run]) -> Verdict:
    last = runs[-1]
    if last.end is not None:
        return last.verdict(*last.end)
    if last.started is not None:
        return last.verdict(STARTED, last.started)
    # Received, and no more: while the run before it goes on or waits for its retry, the task
    # is shown as that.
    for run in reversed(runs[:-1]):
        if run.end is not None and run.end[0] in FINISHED:
            break
        if run.end is not None:
            return run.verdict(*run.end)
        if run.started is not None and run.retries != last.retries:
            return run.verdict(STARTED, run.started)
    return last.verdict(RECEIVED, last.began)


def _runs_on(worker: str, events: list[Told]) -> list[_Run]:
    """Put one worker's events together to runs, in the order of its own clock."""
    return list({id(run): run for _, run in _placed(worker, events)}.values())


def _placed(worker: str, events: list[Told]) -> list[tuple[Told, _Run]]:
    """Give one worker's events in the order of its own clock, each with its run."""
    runs: list[_Run] = []
    placed = []
    for event in sorted(events, key=lambda e: (e[1], _RANK.get(e[0], 2))):
        kind, at, _, retries = event
        if kind == "received":
            run = _Run(worker, at, retries)
            run.received = at
            runs.append(run)
        elif kind == "started":
            run = _run_to_start(runs, worker, at)
            run.started = at
        else:
            run = _run_to_end(runs, worker, at, kind)
            run.ends(ENDS[kind], at)
        placed.append((event, run))
    return placed


def _run_to_start(runs: list[_Run], worker: str, at: float) -> _Run:
    for run in reversed(runs):
        if run.started is None and run.end is None:
            return run
    return _new(runs, worker, at)


def _run_to_end(runs: list[_Run], worker: str, at: float, kind: str) -> _Run:
    """Find the run that an end means. One that was retried is followed by one of a greater number;
    what came after that is told of the last, which may not have begun when it is revoked."""
    going = [run for run in reversed(runs) if run.end is None]
    begun = [run for run in going if run.started is not None]
    most = max((run.retries or 0 for run in runs), default=0)
    if kind == "retried":
        chosen = [run for run in begun if run.retries is not None and run.retries < most]
    elif kind == "revoked":
        last = [run for run in going if run.retries in (None, most)]
        chosen = sorted(last, key=lambda run: run.started is None)
    else:
        chosen = []
    found = [*chosen, *begun, *going, *runs[-1:]]
    return found[0] if found else _new(runs, worker, at)


def _new(runs: list[_Run], worker: str, at: float) -> _Run:
    """Begin a run that was never received, as far as we know."""
    run = _Run(worker, at, runs[-1].retries if runs else None)
    runs.append(run)
    return run
