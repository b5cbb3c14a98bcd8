"""One event as a worker or a client sent it.

The field names are Celery's own (https://docs.celeryq.dev, "Monitoring and Management
Guide", event reference). Times are seconds since the Unix epoch by the *sender's* clock.
"""

from __future__ import annotations

from typing import Literal

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

    def without_arguments(self) -> Event:
        """Give the same without what the task was called with and what it gave back."""
        if self.args is None and self.kwargs is None and self.result is None:
            return self
        return msgspec.structs.replace(self, args=None, kwargs=None, result=None)


class Found(Event, frozen=True, gc=False):
    """What we found out of a task ourselves, told as an event. Nothing on the wire makes one.

    `fetched`: how it ended, out of the result backend. `lost`: that it has no end, since the
    worker that ran it is gone; `exception` is why, as a sentence.
    """

    how: Literal["fetched", "lost"] = "fetched"
    of_start: float | None = (
        None  # of `lost`: when the run began that is lost, by its worker's clock
    )
