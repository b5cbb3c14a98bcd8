"""A message that waits in a queue, as one may show it."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One waiting message: what can be read of it without risk, cut short and masked."""

    position: int  # 0: the next that a worker takes
    size_bytes: int  # as the broker keeps it; with RabbitMQ, of the body alone
    uuid: str | None = None  # of its task
    name: str | None = None  # of its task; None: it is no task of Celery's, or cannot be read
    root_id: str | None = None
    parent_id: str | None = None
    args: str | None = None
    kwargs: str | None = None
    eta: str | None = None  # ISO 8601
    expires: str | None = None  # ISO 8601, or seconds
    retries: int | None = None
    origin: str | None = None  # the process that sent it
    priority: int | None = None
    content_type: str | None = None
    headers: dict[str, str] = {}  # what has no field of its own; secrets are ***
    redelivered: bool = False  # it was with a consumer before
    sent: float | None = None  # epoch seconds, by the sender's clock; most messages do not tell
    problem: str | None = None  # why something of it is not shown


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the messages that wait in a queue, in the order in which they will be taken."""

    total: int  # that waited at this moment
    messages: list[Message]
    notes: list[str] = []  # sentences for people: what a look did, what is not there
