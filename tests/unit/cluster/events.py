"""Events for tests: the life of a task as a worker tells it."""

from __future__ import annotations

from typing import Any

from celeryscope.model.event import Event

T0 = 1_795_000_000.0
WORKER = "celery@web1"
CLIENT = "gen7@app1"


def event(kind: str, at: float, **fields: Any) -> Event:
    """Make an event of the type `kind`, `at` seconds after T0."""
    sender = CLIENT if kind == "task-sent" else WORKER
    fields.setdefault("hostname", sender)
    fields.setdefault("pid", 7 if fields["hostname"] == CLIENT else 100)
    if kind.startswith("task-"):
        fields.setdefault("uuid", "a")
    return Event(type=kind, timestamp=T0 + at, **fields)


def life(uuid: str = "a", *, at: float = 0.0, end: str = "task-succeeded") -> list[Event]:
    """Make the four events of a task that runs once."""
    told: dict[str, Any] = {"uuid": uuid, "name": "shop.pay", "args": "(1,)", "kwargs": "{}"}
    ending: dict[str, Any] = (
        {"result": "'ok'", "runtime": 0.5}
        if end == "task-succeeded"
        else {"exception": "ValueError('no')", "traceback": "Traceback ..."}
    )
    return [
        event("task-sent", at, queue="high", routing_key="high", **told),
        event("task-received", at + 0.1, clock=int(at * 10) + 1, **told),
        event("task-started", at + 0.2, uuid=uuid, clock=int(at * 10) + 2),
        event(end, at + 0.7, uuid=uuid, clock=int(at * 10) + 3, **ending),
    ]


def heartbeat(at: float, *, processed: int, active: int = 0, **fields: Any) -> Event:
    """Make a heartbeat; every two seconds is usual."""
    return event(
        fields.pop("kind", "worker-heartbeat"),
        at,
        processed=processed,
        active=active,
        freq=2.0,
        sw_ver="5.6.0",
        loadavg=(0.5, 0.4, 0.3),
        **fields,
    )
