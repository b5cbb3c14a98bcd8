"""One event as a worker or a client sent it.

The field names are Celery's own (https://docs.celeryq.dev, "Monitoring and Management
Guide", event reference). Times are seconds since the Unix epoch by the *sender's* clock.
"""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """A decoded Celery event; every field but `type`, `hostname`, `timestamp` may be absent."""

    type: str  # "task-started", "worker-heartbeat", ...
    hostname: str  # node name of the sender: worker, or gen<pid>@host for a client
    timestamp: float  # when the sender made it
    pid: int | None = None
    clock: int | None = None  # the sender's Lamport clock
    utcoffset: float | None = None  # hours; the timestamp is UTC whatever it says
    # task-*
    uuid: str | None = None
    name: str | None = None
    args: str | None = None  # repr, made by the sender
    kwargs: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    retries: int | None = None
    eta: str | None = None  # ISO 8601
    expires: str | None = None  # ISO 8601
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    result: str | None = None
    runtime: float | None = None  # seconds
    exception: str | None = None
    traceback: str | None = None
    terminated: bool | None = None
    signum: int | str | None = None
    expired: bool | None = None
    requeue: bool | None = None
    # worker-*
    active: int | None = None  # tasks running
    processed: int | None = None  # tasks accepted since the worker process began
    loadavg: tuple[float, ...] | None = None
    freq: float | None = None  # seconds between heartbeats
    sw_ident: str | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
