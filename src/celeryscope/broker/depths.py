"""The depths of the last ten minutes, and what they say of where a queue goes. Pure.

In Redis a depth leaves out the messages that workers have prefetched: those are in no list any
more. Elsewhere, too, only messages that wait are counted, not those a worker holds.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec

KEPT_SECONDS = 600.0
GROWTH_SECONDS = 60.0
_CLOSEST_SECONDS = 5.0  # of readings that are closer together, one in this time is kept
_MOST_QUEUES = 500
_UNREAD = -1
_LEAST_FOR_A_TREND = 3


class Trend(msgspec.Struct, frozen=True):
    """Where a depth goes: the straight line nearest to the readings of the last minute."""

    per_second: float
    shrinks: bool  # more than chance would have it


class DepthHistory:
    """Readings of many queues at common times; 1 kB a queue.

    One thread adds, others may read.
    """

    def __init__(self, *, interval_seconds: float = 5.0) -> None:
        """`interval_seconds` is about how long after each other readings are made."""
        self._lock = threading.Lock()
        self._closest = max(_CLOSEST_SECONDS, interval_seconds) * 0.9
        # A minute holds too few readings where they are made once a minute.
        self._growth_seconds = max(GROWTH_SECONDS, 2.5 * interval_seconds)
        self._times = array("d")
        self._depths: dict[str, array[int]] = {}  # each as long as the times
        self._trends: dict[str, Trend] = {}

    def add(self, at: float, depths: Mapping[str, int | None]) -> None:
        """Remember one reading of all queues; None, or not there: it could not be read."""
        with self._lock:
            if self._times and at < self._times[-1]:  # the clock was set back
                del self._times[:]
                self._depths.clear()
            if self._times and at < self._times[-1] + self._closest:
                return
            self._forget(at - KEPT_SECONDS)
            for name in depths:
                if name not in self._depths and len(self._depths) < _MOST_QUEUES:
                    self._depths[name] = array("q", [_UNREAD]) * len(self._times)
            self._times.append(at)
            for name, known in self._depths.items():
                depth = depths.get(name)
                known.append(_UNREAD if depth is None else depth)
            self._trends = {
                name: trend for name in self._depths if (trend := self._trend(name, at)) is not None
            }

    def of(self, name: str) -> tuple[list[float], list[int | None]]:
        """Give when a queue was read, oldest first, and its depths; None: it could not be."""
        with self._lock:
            known = self._depths.get(name, ())
            first = next((i for i, depth in enumerate(known) if depth != _UNREAD), len(known))
            depths = [None if depth == _UNREAD else depth for depth in known[first:]]
            return (self._times[first:].tolist() if known else []), depths

    @property
    def trends(self) -> Mapping[str, Trend]:
        """By queue, as of the last reading; those that were read less than twice have none."""
        return self._trends

    def _forget(self, before: float) -> None:
        old = sum(at < before for at in self._times)
        if not old:
            return
        del self._times[:old]
        for depths in self._depths.values():
            del depths[:old]
        gone = [name for name, depths in self._depths.items() if max(depths, default=-1) < 0]
        for name in gone:
            del self._depths[name]

    def _trend(self, name: str, now: float) -> Trend | None:
        depths = self._depths[name]
        if depths[-1] == _UNREAD:
            return None
        read = [
            (at - now, depth)
            for at, depth in zip(self._times, depths, strict=True)
            if depth != _UNREAD and at >= now - self._growth_seconds
        ]
        return trend(read)


def trend(read: Sequence[tuple[float, float]]) -> Trend | None:
    """Lay a line through (seconds, depth) by least squares; None with less than two readings.

    It shrinks if the slope is below zero by more than twice its standard error, so that a depth
    that goes up and down is not said to drain.
    """
    n = len(read)
    if n < 2:
        return None
    mean_at = sum(at for at, _ in read) / n
    mean = sum(depth for _, depth in read) / n
    spread = sum((at - mean_at) ** 2 for at, _ in read)
    if not spread:
        return None
    slope = sum((at - mean_at) * (depth - mean) for at, depth in read) / spread
    if n < _LEAST_FOR_A_TREND:
        return Trend(slope, shrinks=False)
    residual = sum((depth - mean - slope * (at - mean_at)) ** 2 for at, depth in read)
    error = sqrt(residual / (n - 2) / spread)
    return Trend(slope, shrinks=slope < 0 and -slope > 2 * error)
