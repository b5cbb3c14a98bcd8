"""One worker's heartbeats of the last ten minutes, small enough to be kept for each. Pure."""

from __future__ import annotations

from array import array
from math import nan
from typing import NamedTuple

KEPT_SECONDS = 600.0
EVERY_SECONDS = 5.0  # of the heartbeats that come more often, one in this time is kept
_MOST = int(KEPT_SECONDS / EVERY_SECONDS)
_UNKNOWN = -1
_LARGEST_ACTIVE = 2**31 - 1
_LARGEST_PROCESSED = 2**63 - 1


class Heartbeat(NamedTuple):
    """What one heartbeat said; None: it did not."""

    at: float  # our clock
    active: int | None
    load: float | None  # load average of one minute
    processed: int | None


class HeartbeatLog:
    """A ring of numbers: 24 bytes a heartbeat, 3 kB when it is full.

    While a worker is silent nothing is added, so that the times jump there.
    """

    __slots__ = ("_active", "_load", "_next", "_processed", "_times")

    def __init__(self) -> None:
        self._times = array("d")
        self._active = array("i")
        self._load = array("f")
        self._processed = array("q")
        self._next = 0  # the oldest, once the ring is full

    def add(
        self, at: float, *, active: int | None, load: float | None, processed: int | None
    ) -> None:
        """Keep a heartbeat, unless the one before it was just now; `at` is our clock."""
        if self._times:
            last = self._times[self._next - 1]
            if last <= at < last + EVERY_SECONDS:
                return
            if at < last:  # the clock was set back: what was before has no place on it
                self._clear()
        if len(self._times) < _MOST:
            self._times.append(0.0)
            self._active.append(0)
            self._load.append(0.0)
            self._processed.append(0)
            place = len(self._times) - 1
        else:
            place, self._next = self._next, (self._next + 1) % _MOST
        self._times[place] = at
        self._active[place] = _small(active, _LARGEST_ACTIVE)
        self._load[place] = nan if load is None else load
        self._processed[place] = _small(processed, _LARGEST_PROCESSED)

    def _clear(self) -> None:
        for ring in (self._times, self._active, self._load, self._processed):
            del ring[:]
        self._next = 0

    def since(self, oldest: float) -> list[Heartbeat]:
        """Give what is kept, from `oldest` (our clock) on, oldest first."""
        order = [*range(self._next, len(self._times)), *range(self._next)]
        return [
            Heartbeat(
                self._times[i],
                _known(self._active[i]),
                None if self._load[i] != self._load[i] else round(self._load[i], 3),
                _known(self._processed[i]),
            )
            for i in order
            if self._times[i] >= oldest
        ]


def _small(value: int | None, largest: int) -> int:
    """Put a number, which may be anything, into an array of numbers."""
    return _UNKNOWN if value is None or value < 0 else min(value, largest)


def _known(value: int) -> int | None:
    return None if value == _UNKNOWN else value
