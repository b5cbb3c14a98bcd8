"""Durations as they are counted on disk: how many in each bucket of `model.durations`. Pure.

Only buckets that have any are written: how far each is from the one before, and how many it has, as
numbers of 7 bits a byte, the lowest first, the eighth bit where more follow.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

from celeryscope.model.durations import BOUNDS, BUCKETS

_MOST_SHIFT = 63
_ENDS = tuple(int(bound * 1_000_000) for bound in BOUNDS)


def bucket(microseconds: int) -> int:
    """Give the bucket of a duration; one below zero counts as none at all."""
    return bisect_left(_ENDS, microseconds)


def dump(counts: Mapping[int, int]) -> bytes:
    """Write counts by bucket; those below one are left out."""
    data, last = bytearray(), 0
    append = data.append
    for number in sorted(counts):
        count = counts[number]
        if count > 0:
            gap, last = number - last, number
            while gap > 127:
                append(gap & 127 | 128)
                gap >>= 7
            append(gap)
            while count > 127:
                append(count & 127 | 128)
                count >>= 7
            append(count)
    return bytes(data)


def load(data: bytes) -> dict[int, int]:
    """Read counts by bucket. What is no histogram is read as far as it is one."""
    if data.isascii() and sum(data[::2]) < BUCKETS:  # each number is one byte, as mostly
        return dict(zip(accumulate(data[::2]), data[1::2], strict=False))
    counts: dict[int, int] = {}
    last, number, shift, is_count = 0, 0, 0, False
    for byte in data:
        if byte > 127:
            number |= (byte & 127) << shift
            shift = min(shift + 7, _MOST_SHIFT)
            continue
        number |= byte << shift
        if is_count:
            counts[last] = number
            is_count = False
        else:
            last += number
            if last >= BUCKETS:
                break
            is_count = True
        number = shift = 0
    return counts
