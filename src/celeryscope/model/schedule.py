"""The entries of a schedule, as one source of them tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: what is sent, and when."""

    source: str  # beat_schedule, django-celery-beat, RedBeat
    name: str
    task: str
    schedule: str  # in words: "every 30 seconds", "at 02:30 on Monday"
    raw: str  # as its source has it: "30 2 * * 1"
    timezone: str | None = None
    enabled: bool = True
    one_off: bool = False
    args: tuple[Any, ...] = ()  # as they are, for sending; masked only where people see them
    kwargs: Mapping[str, Any] = {}
    options: Mapping[str, Any] = {}  # of apply_async: queue, expires, priority ...
    last_run: float | None = None  # epoch seconds, as the source tells
    next_run: float | None = None  # epoch seconds
    period_seconds: float | None = None  # about how long from one run to the next
    total_runs: int | None = None
    sendable: bool = True  # its arguments are known exactly
    note: str = ""  # why something of it is not known

    @property
    def id(self) -> str:
        """Its name everywhere: `source:name`."""
        return f"{self.source}:{self.name}"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """All entries of one source at one moment."""

    source: str
    state: Literal["read", "absent", "failed"]
    said: str  # a sentence: how many entries, why none, what went wrong
    read_at: float | None = None
    entries: tuple[Entry, ...] = ()
