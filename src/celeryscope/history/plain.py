"""A task that ran once and was told of in turn, as a row at once. Pure.

Most tasks are so, and most of them have ended before they are written for the first time. What
`record` and `rows` would make of them step by step is made here in one; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from celeryscope.history.record import (
    ENDS,
    EXPIRED,
    TERMINATED,
    TRUNCATED,
    microseconds,
)
from celeryscope.history.rows import ROOT, TEXT_CUT, TRACEBACK, NumberOf, Row, id_key
from celeryscope.model.event import Event
from celeryscope.model.task import PENDING, RECEIVED, STARTED
from celeryscope.model.text import storable

_ENDED = {f"task-{kind}": state for kind, state in ENDS.items() if kind != "retried"}
_BEGINNINGS = frozenset({"task-sent", "task-received", "task-started"})
#: (event, how long a start had waited in seconds, bytes of its texts)
Write = tuple[Event, float | None, int]


def lives(told: Sequence[Write]) -> bool:
    """Say whether more is to come: a task that was only sent, received and started so far."""
    if told[-1][0].type not in _BEGINNINGS:  # as mostly
        return False
    return all(event.type in _BEGINNINGS for event, _, _ in told)


def to_row(
    seq: int,
    uuid: bytes,
    told: Sequence[Write],
    most_chars: int,
    cut: Callable[[str, int], str],
    number: NumberOf,
) -> tuple[Row, str | None] | None:
    """Make the row of a task that nothing is known of, and its traceback.

    None: there is more to it, and `record` has to judge.
    """
    sent = received = started = end = None
    waited: float | None = None
    told_late: float | None = None
    for event, wait, _ in told:
        kind = event.type
        if event.retries or type(event) is not Event:
            return None
        if kind == "task-started" and started is None:
            started, waited = event, wait
        elif kind == "task-received" and received is None:
            received = event
        elif kind == "task-sent" and sent is None:
            sent, told_late = event, wait
        elif kind in _ENDED and end is None:
            end = event
        else:
            return None

    at = sent_at = received_at = started_at = None
    worker = client = None
    state = PENDING
    if sent is not None:
        at = sent_at = microseconds(sent.timestamp)
        client = sent.hostname
    if received is not None:
        at = received_at = microseconds(received.timestamp)
        worker, state = received.hostname, RECEIVED
    if started is not None:
        if waited is None and told_late is not None:
            return None
        at = started_at = microseconds(started.timestamp)
        if received_at is not None and (at < received_at or started.hostname != worker):
            return None
        worker, state = started.hostname, STARTED
    if end is not None:
        before = received_at if started_at is None else started_at
        at = microseconds(end.timestamp)
        if before is not None and (at < before or end.hostname != worker):
            return None
        worker, state = end.hostname, _ENDED[end.type]
    if at is None:
        return None

    about, about_at = None, 0
    root = parent = None
    text = told[0][0].uuid or ""
    for one, one_at in ((sent, sent_at), (received, received_at)):
        if one is None or one_at is None:
            continue
        if one.name is not None:
            if about is not None and (one_at == about_at or one.name != about.name):
                return None
            if about is None or one_at > about_at:
                about, about_at = one, one_at
        if one.root_id is not None and (root is None or one.root_id > root):
            root = one.root_id
        if one.parent_id is not None and one.parent_id != text:
            parent = one.parent_id if parent is None else max(parent, one.parent_id)

    name = args = kwargs = eta = expires = result = exception = traceback = signum = None
    queue = exchange = routing_key = None
    if about is not None:
        name, args, kwargs = about.name, about.args, about.kwargs
        eta, expires = about.eta, about.expires
    if sent is not None:
        queue, exchange, routing_key = sent.queue, sent.exchange, sent.routing_key
    flags = 0
    if end is not None:
        result, exception, traceback = end.result, end.exception, end.traceback
        signum = None if end.signum is None else str(end.signum)
        flags = (TERMINATED if end.terminated else 0) | (EXPIRED if end.expired else 0)
    said = (
        f"{worker}{client}{name}{args}{kwargs}{eta}{expires}{queue}{exchange}{routing_key}"
        f"{result}{exception}{traceback}{signum}"
    )
    if "\0" in said or not (said.isascii() or storable(said) == said):
        return None  # it has to be cleaned

    if args is not None:
        args = cut(args, most_chars)
        flags |= TEXT_CUT if len(args) > most_chars else 0
    if kwargs is not None:
        kwargs = cut(kwargs, most_chars)
        flags |= TEXT_CUT if len(kwargs) > most_chars else 0
    if result is not None:
        result = cut(result, most_chars)
        flags |= TRUNCATED if len(result) > most_chars else 0
    if exception is not None:
        exception = cut(exception, most_chars)
        flags |= TRUNCATED if len(exception) > most_chars else 0
    if traceback is not None:
        traceback = cut(traceback, 4 * most_chars)
        flags |= TRACEBACK | (TRUNCATED if len(traceback) > 4 * most_chars else 0)
    root_key = None
    if root is not None:
        root_key = uuid if root == text else id_key(root)
        if root_key == uuid:
            root_key, flags = None, flags | ROOT
    row = Row(
        seq, uuid, number("state", state) or 0, at, number("name", name),
        number("worker", worker or None), number("queue", queue), number("client", client),
        number("exchange", exchange), number("routing_key", routing_key),
        None if sent_at is None else at - sent_at,
        None if received_at is None else at - received_at,
        None if started_at is None else at - started_at,
        None if end is None or end.runtime is None else microseconds(end.runtime),
        None if waited is None else microseconds(waited), 0,
        None if about is None else at - about_at, eta, expires, root_key,
        None if parent is None else id_key(parent), flags, signum, args, kwargs, result, exception,
    )  # fmt: skip
    return row, traceback
