"""Buckets for durations, which grow with the duration, and what counts in them tell. Pure.

A duration falls into one of 281 buckets: below 100 µs, above 30 days, and between them each
bucket ends 9 % above where it begins. A quantile is told as the middle of its bucket, rounded to
three digits, and so is never further than 5 % from a duration that was really there (or 100 µs,
for the tiniest).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

SHORTEST_SECONDS = 1e-4
LONGEST_SECONDS = 30 * 86_400.0
_GROWTH = 1.09


def _bounds() -> tuple[float, ...]:
    bounds = [SHORTEST_SECONDS]
    while bounds[-1] < LONGEST_SECONDS:
        bounds.append(bounds[-1] * _GROWTH)
    bounds[-1] = LONGEST_SECONDS
    return tuple(bounds)


#: Where each bucket but the last ends; a duration equal to a bound is in the bucket it ends.
BOUNDS = _bounds()
BUCKETS = len(BOUNDS) + 1


def _middle(low: float, high: float) -> float:
    """The value that is equally far from both ends, relative to them; in three digits."""
    return float(f"{2 * low * high / (low + high):.3g}")


#: What a duration in each bucket is told as, in seconds.
_TOLD = (0.0, *map(_middle, BOUNDS, BOUNDS[1:]), LONGEST_SECONDS)


def quantiles(counts: Iterable[int], wanted: Iterable[float]) -> tuple[float | None, ...]:
    """Give the duration below or at which each wanted share (0 to 1) of the counted ones are.

    Of an even number, the lower of the two in the middle is the median. None: there are none.
    """
    up_to = list(accumulate(counts))
    total = up_to[-1]
    if not total:
        return tuple(None for _ in wanted)
    return tuple(_TOLD[bisect_left(up_to, max(1, share * total))] for share in wanted)
