"""How long the oldest message of each queue has waited, from events and depths. Pure.

Events alone cannot tell: a task whose message was purged, or whose `task-received` was lost,
would wait for ever. But a queue is first in, first out, and the broker says how many messages it
holds: those are the tasks that were sent to it last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from celeryscope.model.task import PENDING, Task, epoch


def oldest_waiting(
    tasks: Iterable[Task],
    depths: Mapping[str, int],
    *,
    ahead: Mapping[str | None, float],
    now: float,
) -> dict[str, float]:
    """Return for how many seconds the oldest message of each queue could have been run.

    An empty queue has 0. One whose messages no event told of is left out, as is one that holds
    only tasks whose ETA is still to come. `ahead` says of clients whose clocks are not as ours
    how many seconds they are ahead.
    """
    found = {queue: 0.0 for queue, depth in depths.items() if depth <= 0}
    sent: dict[str | None, list[tuple[float, Task]]] = {
        queue: [] for queue, depth in depths.items() if depth > 0
    }
    if not sent:
        return found
    for task in tasks:
        if task.state == PENDING and task.queue in sent and task.sent is not None:
            sent[task.queue].append((task.sent - ahead.get(task.client, 0.0), task))
    for queue, depth in depths.items():
        messages = sent.get(queue, [])
        if len(messages) > depth:
            messages.sort(key=_when_sent)
            del messages[:-depth]
        dues = (_due(at, task, ahead, now) for at, task in messages)
        since = min((due for due in dues if due is not None), default=None)
        if since is not None:
            found[queue] = max(0.0, now - since)
    return found


def _when_sent(message: tuple[float, Task]) -> float:
    return message[0]


def _due(sent: float, task: Task, ahead: Mapping[str | None, float], now: float) -> float | None:
    """Return since when, by our clock, a task could be run; None while its ETA is to come."""
    eta = epoch(task.eta) if task.eta is not None else None
    if eta is None:
        return sent
    eta -= ahead.get(task.client, 0.0)
    return max(sent, eta) if eta <= now else None
