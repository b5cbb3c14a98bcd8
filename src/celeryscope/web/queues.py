"""The queues as the page shows them: what the broker tells of them, and what events do.

In Redis a depth leaves out what workers have prefetched (`task-received` came for it); with
RabbitMQ, too, only messages count that nobody holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from celeryscope.metrics.collectors import queue_names
from celeryscope.web.services import Services
from celeryscope.web.sources import Inspection, QueueDepth, Trend

_UNREAD = "It was not read yet."
_NOT_ASKED = "The broker was not asked for it yet."


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue's depth, as the broker tells it, and how it moves.

    Messages that a worker has prefetched are not among `messages`: with Redis they are in no
    list any more, with RabbitMQ they are held unacknowledged.
    """

    name: str
    messages: int | None  # that wait; None: not known, see `error`
    unacknowledged: int | None  # with workers; None: this broker does not tell
    consumers: int | None  # None: this broker does not tell
    error: str | None
    growth_per_second: float | None  # messages, over the last minute; below 0: it drains
    in_per_second: float | None  # sent to it, over the last minute; None: no event tells
    out_per_second: float | None  # received from it, over the last minute; None: no event tells
    drain_seconds: float | None  # to be empty if it goes on like this; None: it does not drain


def consumers(inspections: Mapping[str, Inspection]) -> dict[str, list[str]]:
    """Give the workers that said they read from each queue."""
    told: dict[str, list[str]] = {}
    for hostname, inspection in sorted(inspections.items()):
        for name in dict.fromkeys(queue_names(inspection)):
            told.setdefault(name, []).append(hostname)
    return told


def all_queues(services: Services, consumed: Iterable[str], now: float) -> list[Queue]:
    """Give every queue that the broker, an event or a worker told of, by name."""
    queues, state = services.queues, services.state
    with state.lock:
        sent, taken = dict(state.sent_to), dict(state.taken_from)
        sole = set(state.sole_queues.values())
    read, trends = queues.latest, queues.history.trends
    known = {*read, *queues.asked, *sent, *consumed, *(name for name in taken if name is not None)}
    figures = services.figures
    told_of = []
    for name in sorted(known):
        # A queue that tasks were sent to, as events tell, would also be told to be taken from.
        told = name in sent or name in taken or name in sole
        told_of.append(
            _queue(
                name,
                read.get(name),
                why_not=_why_not(services, name),
                trend=trends.get(name),
                into=figures.sent_to.rate(name, sent[name], now) if name in sent else None,
                out=figures.taken_from.rate(name, taken.get(name, 0), now) if told else None,
            )
        )
    return told_of


def _why_not(services: Services, name: str) -> str | None:
    """Say why nothing is known of a queue's depth now, if that is so."""
    queues = services.queues
    if queues.error is not None or name in queues.latest:
        return queues.error
    return _NOT_ASKED if queues.attempts else _UNREAD


def _queue(
    name: str,
    depth: QueueDepth | None,
    *,
    why_not: str | None,
    trend: Trend | None,
    into: float | None,
    out: float | None,
) -> Queue:
    if depth is None or why_not is not None:
        # What was read before the broker went away is history, and stands there.
        return Queue(
            name=name,
            messages=None,
            unacknowledged=None,
            consumers=None,
            error=why_not,
            growth_per_second=None,
            in_per_second=into,
            out_per_second=out,
            drain_seconds=None,
        )
    return Queue(
        name=name,
        messages=depth.messages,
        unacknowledged=depth.unacknowledged,
        consumers=depth.consumers,
        error=depth.error,
        growth_per_second=None if trend is None else round(trend.per_second, 3) + 0.0,
        in_per_second=into,
        out_per_second=out,
        drain_seconds=_drain(depth.messages, trend, into, out),
    )


def _drain(
    messages: int | None, trend: Trend | None, into: float | None, out: float | None
) -> float | None:
    """Seconds until a queue is empty, if it goes on like this; None: it does not drain."""
    if not messages:
        return None if messages is None else 0.0
    shrinks: float | None = None
    if trend is not None:
        shrinks = -trend.per_second if trend.shrinks else None
    elif into is not None and out is not None and out > into:
        shrinks = out - into
    return None if shrinks is None else round(messages / shrinks, 1)
