"""How tasks ended, as the result backend knows it: many at once, and nothing unpickled.

The texts are as a worker would have told them in its events: the repr of what a task returned, and
of its exception. They are cut, not masked: whoever keeps them does that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import msgspec
from celery.utils.saferepr import saferepr
from kombu.exceptions import ContentDisallowed, DecodeError

from celeryscope.control.tables import ResultTable, django_metas

READY: Final = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
_MAX_REPR_CHARS: Final = 16_384
_MAX_TRACEBACK_CHARS: Final = 65_536
_MAX_WORD_CHARS: Final = 512
_UNREADABLE = (
    ContentDisallowed, DecodeError, ValueError, TypeError, KeyError, LookupError, RecursionError,
)  # fmt: skip


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a task ended."""

    task_id: str
    state: str  # one of READY
    at: float | None  # epoch seconds; None: the backend does not say
    result: str | None = None  # in Python's words, of a success
    exception: str | None = None  # the same, of a failure, or of one that was revoked
    traceback: str | None = None
    worker: str | None = None  # only with Celery's result_extended


def read(backend: Any, task_ids: Sequence[str], *, zone: tzinfo = UTC) -> dict[str, Outcome]:
    """Ask a backend of Celery's, or a `ResultTable`, for those of the tasks that have ended.

    What cannot be read, as it is pickled, is left out. `zone` is that of times that do not say.
    """
    now = time.time()
    outcomes = {}
    for task_id, meta in _metas(backend, task_ids):
        outcome = to_outcome(task_id, meta, zone=zone, now=now)
        if outcome is not None:
            outcomes[task_id] = outcome
    return outcomes


def groups(backend: Any, task_ids: Sequence[str]) -> dict[str, str | None]:
    """Give the ids of the groups that tasks were sent in, of those that have ended; None: of one
    it is not told. Backends with keys keep it, databases do not."""
    return {
        task_id: _word(meta.get("group_id"))
        for task_id, meta in _metas(backend, task_ids)
        if isinstance(meta, Mapping) and meta.get("status") in READY
    }


def to_outcome(task_id: str, meta: Any, *, zone: tzinfo, now: float) -> Outcome | None:
    """Make an outcome of what a backend keeps; None: the task has not ended, or it is garbage."""
    if not isinstance(meta, Mapping):
        return None
    state = meta.get("status")
    if not isinstance(state, str) or state not in READY:
        return None
    value, traceback = meta.get("result"), meta.get("traceback")
    succeeded = state == "SUCCESS"
    unread = bool(meta.get("pickled"))
    return Outcome(
        task_id=task_id,
        state=state,
        at=_epoch(meta.get("date_done"), zone, now),
        result=_repr(value) if succeeded and not unread else None,
        exception=None if succeeded or unread else _exception(value),
        traceback=traceback[:_MAX_TRACEBACK_CHARS] if isinstance(traceback, str) else None,
        worker=_word(meta.get("worker")),
    )


def _metas(backend: Any, task_ids: Sequence[str]) -> Iterable[tuple[str, Any]]:
    if isinstance(backend, ResultTable):
        return backend.metas(task_ids).items()
    model = getattr(backend, "TaskModel", None)
    if model is not None and type(backend).__module__.startswith("django_celery_results."):
        return django_metas(model, task_ids).items()
    if hasattr(backend, "get_key_for_task") and hasattr(backend, "mget"):
        return _of_keys(backend, task_ids)
    return _one_by_one(backend, task_ids)


def _of_keys(backend: Any, task_ids: Sequence[str]) -> Iterable[tuple[str, Any]]:
    keys = [backend.get_key_for_task(task_id) for task_id in task_ids]
    try:
        values = backend.mget(keys)
    except NotImplementedError:
        yield from _one_by_one(backend, task_ids)
        return
    if isinstance(values, Mapping):
        values = [values.get(key) for key in keys]
    for task_id, value in zip(task_ids, values, strict=False):
        if value:
            try:
                yield task_id, backend.decode_result(value)
            except _UNREADABLE:
                continue


def _one_by_one(backend: Any, task_ids: Sequence[str]) -> Iterable[tuple[str, Any]]:
    for task_id in task_ids:
        try:
            yield task_id, backend.get_task_meta(task_id, cache=False)
        except _UNREADABLE:
            continue


def _repr(value: Any) -> str:
    return str(saferepr(value, maxlen=_MAX_REPR_CHARS))


def _exception(value: Any) -> str | None:
    """Say an exception as its repr does, out of what a backend keeps of it."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or "exc_type" not in value:
        return _repr(value)
    message = value.get("exc_message")
    arguments = list(message) if isinstance(message, list | tuple) else [message]
    if message is None or message == "":
        arguments = []
    words = f"{value['exc_type']}({', '.join(map(_repr, arguments))})"
    return words[:_MAX_REPR_CHARS]


def _word(value: Any) -> str | None:
    return value[:_MAX_WORD_CHARS] if isinstance(value, str) and value else None


def _epoch(value: Any, zone: tzinfo, now: float) -> float | None:
    """Read a time; one without a zone is UTC, or that of `zone` where UTC is not over yet.

    Celery writes the time of `timezone`, and some databases do not keep which that is.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        told = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        at = told.timestamp()
        if value.tzinfo is None and at > now + 60.0:
            at = value.replace(tzinfo=zone).timestamp()
    except (OverflowError, ValueError, OSError):
        return None
    return at if at > 0 else None
