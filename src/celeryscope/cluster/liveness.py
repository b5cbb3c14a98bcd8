"""Which workers are alive, by Celery's own rule.

Celery takes a worker for offline once nothing came from it for two heartbeat intervals
(`celery.events.state`: expire window 200 %), measured by the receiver's clock, so that a
worker whose clock is wrong is not taken for dead. While *we* are cut off from the broker
silence proves nothing: then a worker that was alive is `unknown`.
"""

from __future__ import annotations

from typing import Literal

from celeryscope.model.worker import Worker

Status = Literal["online", "offline", "unknown"]

EXPIRE_INTERVALS = 2.0


def expires_after_seconds(worker: Worker) -> float:
    """Silence after which the worker counts as offline, in seconds."""
    return worker.freq * EXPIRE_INTERVALS


def status(
    worker: Worker,
    now: float,
    *,
    blind_since: float | None = None,
    blind_until: float | None = None,
) -> Status:
    """Say whether a worker is alive at `now` (our clock).

    `blind_since` is when we last lost the broker (None: never), `blind_until` when we had it
    again (None: not yet). A worker that was alive when we lost it gets its full time from
    then on to be heard again.
    """
    if worker.said_offline:
        return "offline"
    window = expires_after_seconds(worker)
    expires = worker.last_seen + window
    if now < expires:
        return "online"
    alive_when_lost = blind_since is not None and blind_since < expires
    if alive_when_lost and (blind_until is None or now < blind_until + window):
        return "unknown"
    return "offline"
