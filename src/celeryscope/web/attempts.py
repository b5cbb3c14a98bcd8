"""A task's runs, as the memory and the history tell of them together. Pure.

The memory has the newest events, the history the texts of every run: a run that both know takes
from each what the other has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from celeryscope.cluster import runs
from celeryscope.history import record
from celeryscope.history.record import FETCHED, Attempt, Record, Told, microseconds
from celeryscope.model.task import FAILURE, LOST, RETRY, Task

_KINDS = ("received", "started", "succeeded", "failed", "retried", "revoked", "rejected")
_TIMES = ("received", "started", "ended")


def of_task(task: Task) -> list[Attempt]:
    """Give the runs that a task in memory tells of, in the order they began."""
    told = Record()
    log = task.told_in_turn() or _events(task)
    for kind, at, sender, retries in log:
        told.tell(Told(microseconds(at), kind, sender, retries))
    if task.lost is not None:
        lost = task.lost
        began = None if lost.started is None else microseconds(lost.started)
        told.tell(
            Told(microseconds(lost.at), LOST, lost.worker, 0, began, exception=lost.why,
                 flags=FETCHED)
        )  # fmt: skip
    found = record.attempts(told, runs.attempts)
    return [_with_texts(attempt, task) for attempt in found]


def merged(newer: Iterable[Attempt], stored: Sequence[Attempt]) -> list[Attempt]:
    """Give the runs that the memory knows, with what the history has of each besides."""
    return [_filled(one, next((o for o in stored if _is_same(one, o)), None)) for one in newer]


def _events(task: Task) -> list[tuple[str, float, str, int]]:
    return [
        (kind, at, task.worker or "", task.retries)
        for kind in _KINDS
        if (at := getattr(task, kind)) is not None
    ]


def _with_texts(attempt: Attempt, task: Task) -> Attempt:
    """Give the run that the task's texts are of with them."""
    start = None if task.started is None else microseconds(task.started)
    if start is not None and attempt.started == start and attempt.worker == task.worker:
        attempt = attempt._replace(wait=_or_none(task.wait))
    if attempt.ended is None or attempt.ended != microseconds(task.state_at):
        return attempt
    attempt = attempt._replace(runtime=_or_none(task.runtime))
    if attempt.state not in (FAILURE, RETRY):
        return attempt  # the task's exception is of a run before it
    return attempt._replace(
        exception=attempt.exception or task.exception,
        traceback=attempt.traceback or task.traceback,
    )


def _is_same(one: Attempt, other: Attempt) -> bool:
    return one.worker == other.worker and any(
        getattr(one, time) is not None and getattr(one, time) == getattr(other, time)
        for time in _TIMES
    )


def _filled(one: Attempt, other: Attempt | None) -> Attempt:
    if other is None:
        return one
    texts = other.ended == one.ended  # else they are of what was before
    return one._replace(
        retries=other.retries if one.retries is None else one.retries,
        wait=other.wait if one.wait is None else one.wait,
        runtime=other.runtime if one.runtime is None and texts else one.runtime,
        exception=other.exception if one.exception is None and texts else one.exception,
        traceback=other.traceback if one.traceback is None and texts else one.traceback,
    )


def _or_none(seconds: float | None) -> int | None:
    return None if seconds is None else microseconds(seconds)
