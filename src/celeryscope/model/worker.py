"""One worker as its events describe it. Owned by `cluster.state`; others only read."""

from __future__ import annotations

import msgspec


class Worker(msgspec.Struct):
    """A node that sent a worker event or handled a task."""

    hostname: str  # full node name: celery@web1
    first_seen: float  # our clock
    last_seen: float = 0.0  # our clock, last event of any kind from it
    heartbeats: tuple[float, ...] = ()  # our clock, the last four
    said_offline: bool = False  # its last worker event was worker-offline
    retired: bool = False  # gone for so long that its metrics were let go
    pid: int | None = None
    freq: float = 60.0  # seconds between heartbeats; Celery's default until it says
    active: int | None = None
    processed: int | None = None  # since that process began
    loadavg: tuple[float, ...] | None = None
    sw_ident: str | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
    clock: int = 0
    skew: float = 0.0  # seconds its clock is ahead of ours (negative: behind)
    restarts: int = 0  # times its process id changed
    lost: int = 0  # task starts it counted that never reached us
    counts: dict[str, int] = msgspec.field(
        default_factory=dict
    )  # event type -> how many of them reached us
    running: dict[str, float] = msgspec.field(
        default_factory=dict
    )  # uuid -> started, tasks running now as events tell it
