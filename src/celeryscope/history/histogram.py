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
    for number, count in sorted(counts.items()):
        if count > 0:
            _put(data, number - last)
            _put(data, count)
            last = number
    return bytes(data)


def load(data: bytes) -> dict[int, int]:
    """Read counts by bucket. What is no histogram is read as far as it is one."""
    if data.isascii() and sum(data[::2]) < BUCKETS:  # each number is one byte, as mostly
        return dict(zip(accumulate(data[::2]), data[1::2], strict=False))
    counts: dict[int, int] = {}
    last, number, shift, is_count = 0, 0, 0, False
    for byte in data:
        number |= (byte & 127) << shift
        if byte > 127:
            shift = min(shift + 7, _MOST_SHIFT)
            continue
        if is_count:
            counts[last] = number
        else:
            last += number
            if last >= BUCKETS:
                break
        is_count = not is_count
        number = shift = 0
    return counts


def _put(data: bytearray, number: int) -> None:
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)
