"""How long things took: histograms in the buckets of `model.durations`. Pure.

Counting is a bisection and an addition; two readings of one histogram can be subtracted, which
gives the durations counted between them.

What is counted here is decided by `cluster.state`, and is this:

* A *wait* is counted once for each start of a run, as `Task.wait` has it: from when the task was
  sent, or from its ETA, to its start, with the hosts' clock skew removed. Where task-sent comes
  after task-started, it is counted when task-sent comes. A start whose task-sent never comes is
  not counted, and neither is that of a run which was told of after a later run had begun.
* A *run time* is counted once for each task-succeeded that says how long it took. Runs that
  failed, were retried, revoked or rejected have none: their events do not carry it.
* An event that comes a second time is not counted again, as long as its task is in memory.
* A duration of a task without a name yet is counted for the cluster at once, and for the name
  when that is told of (should there have been several runs by then: the last one's).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import sub

from celeryscope.model.durations import (
    BOUNDS,
    BUCKETS,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    quantiles,
)

__all__ = [
    "BOUNDS",
    "BUCKETS",
    "LONGEST_SECONDS",
    "SHORTEST_SECONDS",
    "Histogram",
    "add",
    "quantiles",
    "since",
]


class Histogram:
    """Durations, counted by bucket; 1.1 kB.

    One thread adds. Others may read at any time and without a lock: they see every addition up
    to some moment, perhaps some of the next.
    """

    __slots__ = ("counts",)

    def __init__(self, *, wide: bool = False) -> None:
        """A `wide` one is larger, quicker and never full: for differences of readings."""
        self.counts: list[int] | array[int] = (
            [0] * BUCKETS if wide else array("I", bytes(4 * BUCKETS))
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def add(self, seconds: float) -> None:
        """Count one duration; one below zero counts as none at all."""
        add(seconds, self)

    def snapshot(self) -> Sequence[int]:
        """Give the counts as they are now."""
        return self.counts[:]

    def quantiles(self, *wanted: float) -> tuple[float | None, ...]:
        """See `quantiles`."""
        return quantiles(self.counts, wanted)

    def _halve(self) -> None:
        for bucket, count in enumerate(self.counts):
            self.counts[bucket] = count // 2


def add(seconds: float, to: Histogram, also_to: Histogram | None = None) -> None:
    """Count one duration in one histogram or two, which costs less than one after the other."""
    bucket = bisect_left(BOUNDS, seconds)
    try:
        to.counts[bucket] += 1
        if also_to is not None:
            also_to.counts[bucket] += 1
    except OverflowError:  # after 4 billion in a bucket: with half of all, quantiles stay
        full = to if to.counts[bucket] == _FULL else also_to
        assert full is not None
        full._halve()
        full.counts[bucket] += 1


_FULL = 2**32 - 1


def since(before: Sequence[int], now: Iterable[int]) -> list[int]:
    """Give what was counted between two readings of one wide histogram."""
    return list(map(sub, now, before))
