"""The queues as the page shows them: what the broker tells of them, and what events do.

In Redis a depth leaves out what workers have prefetched (`task-received` came for it); with
RabbitMQ, too, only messages count that nobody holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from celeryscope.web.services import Inspection, QueueDepth, Services, Trend

_UNREAD = "It was not read yet."
_NOT_ASKED = "The broker was not asked for it yet."


class Moves(NamedTuple):
    """How a queue stands and moves; see `console.Queue`."""

    name: str
    messages: int | None
    consumers: int | None
    error: str | None
    growth_per_second: float | None
    in_per_second: float | None
    out_per_second: float | None
    drain_seconds: float | None


def consumers(inspections: Mapping[str, Inspection]) -> dict[str, list[str]]:
    """Give the workers that said they read from each queue."""
    told: dict[str, list[str]] = {}
    for hostname, inspection in sorted(inspections.items()):
        for queue in inspection.active_queues or ():
            name = queue.get("name")
            if isinstance(name, str) and hostname not in (readers := told.setdefault(name, [])):
                readers.append(hostname)
    return told


def all_queues(services: Services, consumed: Iterable[str], now: float) -> list[Moves]:
    """Give every queue that the broker, an event or a worker told of, by name."""
    queues, state = services.queues, services.state
    with state.lock:
        sent, taken = dict(state.sent_to), dict(state.taken_from)
        sole = set(state.sole_queues.values())
    read, trends = queues.latest, queues.history.trends
    known = {*read, *queues.asked, *sent, *consumed, *(name for name in taken if name is not None)}
    figures = services.figures
    moves = []
    for name in sorted(known):
        # A queue that tasks were sent to, as events tell, would also be told to be taken from.
        told = name in sent or name in taken or name in sole
        moves.append(
            _moves(
                name,
                read.get(name),
                why_not=_why_not(services, name),
                trend=trends.get(name),
                into=figures.sent_to.rate(name, sent[name], now) if name in sent else None,
                out=figures.taken_from.rate(name, taken.get(name, 0), now) if told else None,
            )
        )
    return moves


def _why_not(services: Services, name: str) -> str | None:
    """Say why nothing is known of a queue's depth now, if that is so."""
    queues = services.queues
    if queues.error is not None or name in queues.latest:
        return queues.error
    return _NOT_ASKED if queues.attempts else _UNREAD


def _moves(
    name: str,
    depth: QueueDepth | None,
    *,
    why_not: str | None,
    trend: Trend | None,
    into: float | None,
    out: float | None,
) -> Moves:
    if depth is None or why_not is not None:
        # What was read before the broker went away is history, and stands there.
        return Moves(name, None, None, why_not, None, into, out, None)
    return Moves(
        name,
        depth.messages,
        depth.consumers,
        depth.error,
        None if trend is None else round(trend.per_second, 3) + 0.0,
        into,
        out,
        _drain(depth.messages, trend, into, out),
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
