"""What a block of tasks can contain at most, in 16 KiB: a Bloom filter of texts and facts. Pure.

Texts go in by their grams: runs of five bytes of the case-folded UTF-8, one bit each, and for
questions that are shorter runs of three. Those, and facts (`name 7`, `root abc`, `name 7 on worker
3`), set three bits each, since such a question has no neighbours that would rule out an accident.

256 signatures are turned into slices: for each bit a number of 256 bits that says which blocks
have it. A question then reads some numbers and joins them by AND, whatever the number of tasks.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from zlib import crc32

SIZE_BYTES = 16_384
BLOCKS = 256  # of a segment
SLICE_BYTES = BLOCKS // 8
SLICES_A_ROW = 63  # two such rows fill a page of 4 KiB

_BITS = SIZE_BYTES * 8
_PRIME = 131_063  # the largest below 2**17 that is not 2**17 - 1
_MOST_GRAMS = 12
_LONG, _SHORT = 5, 3
_WORD_MASK = 2**64 - 1
_MIXER = 0x9E3779B97F4A7C15


def of_fact(*parts: object) -> tuple[int, ...]:
    """Give the bits of a fact."""
    return _three_bits(crc32("\0".join(map(str, parts)).encode()))


def of_needle(text: str) -> tuple[int, ...]:
    """Give bits that every block with this text in it has; none for one that is too short."""
    data = text.casefold().encode()
    long = len(data) >= _LONG
    size = _LONG if long else _SHORT
    grams = [int.from_bytes(data[at : at + size], "little") for at in range(len(data) - size + 1)]
    if len(grams) > _MOST_GRAMS:
        step = (len(grams) - 1) / (_MOST_GRAMS - 1)
        grams = [grams[round(i * step)] for i in range(_MOST_GRAMS)]
    if long:
        return tuple(dict.fromkeys(gram % _PRIME for gram in grams))
    return tuple(dict.fromkeys(bit for gram in grams for bit in _three_bits(gram)))


def make(texts: Iterable[str], facts: Iterable[Sequence[int]]) -> bytes:
    """Make the signature of a block."""
    data = "\n".join(dict.fromkeys(texts)).casefold().encode()
    flags = bytearray(b"0") * (_BITS + 16)
    long, short = _grams(data)
    for bit in long:
        flags[bit] = 49
    for gram in set(short):
        mixed = gram * _MIXER  # as in `_three_bits`
        flags[(gram * 31 + 7) % _PRIME] = 49
        flags[(mixed >> 40 & 0xFFFFFF) % _PRIME] = 49
        flags[(mixed & 0xFFFFFFFF) % _PRIME] = 49
    for fact in facts:
        for bit in fact:
            flags[bit] = 49
    for bit in range(_PRIME, len(flags)):  # which `_grams` did not divide to the end
        if flags[bit] == 49:
            flags[bit - _PRIME] = 49
    del flags[_BITS:]
    flags[_PRIME:] = b"0" * (_BITS - _PRIME)
    flags.reverse()  # bit 0 is the last digit
    return int(flags, 2).to_bytes(SIZE_BYTES, "little")


def _grams(data: bytes) -> tuple[array[int], array[int]]:
    """Give the bits of all runs of five bytes, modulo `_PRIME` or 18 above it, and those of three.

    Each byte is in 32 bits of one large number, so that each step is made for all of them at once.
    The last runs go on with zeros.
    """
    size = len(data)
    wide = int.from_bytes(data.decode("latin-1").encode("utf-32-le"), "little")
    short = wide + (wide >> 32 << 8) + (wide >> 64 << 16)
    # Modulo _PRIME, so that it fits: below 2**25.
    long = short + (wide >> 96) * (2**24 % _PRIME) + (wide >> 128) * (2**32 % _PRIME)
    masks = int.from_bytes((2**17 - 1).to_bytes(4, "little") * size, "little")
    for _ in range(2):
        low = long & masks
        long = low + ((long ^ low) >> 17) * (2**17 % _PRIME)
    found = []
    for lanes in (long, short):
        one = array("I", lanes.to_bytes(4 * size, "little"))
        if sys.byteorder == "big":
            one.byteswap()
        found.append(one)
    return found[0], found[1]


def has(signature: bytes, bits: Iterable[int]) -> bool:
    """Say whether a signature has all of these bits."""
    return all(signature[bit >> 3] >> (bit & 7) & 1 for bit in bits)


def turn(signatures: Sequence[bytes]) -> list[bytes]:
    """Turn the signatures of a whole segment into rows of slices."""
    data = b"".join(signatures)
    columns = b"".join([data[j::SIZE_BYTES] for j in range(SIZE_BYTES)])
    cells = _turn_8_by_8(columns)
    slices = b"".join(
        [cells[j + b : j + BLOCKS : 8] for j in range(0, len(cells), BLOCKS) for b in range(8)]
    )
    size = SLICE_BYTES * SLICES_A_ROW
    return [slices[at : at + size] for at in range(0, len(slices), size)]


def place(segment: int, bit: int) -> tuple[int, int]:
    """Say where a slice is: the row's id, and the byte in it, counted from 1 as SQL does."""
    row, at = divmod(bit, SLICES_A_ROW)
    return segment * 4096 + row, at * SLICE_BYTES + 1


def _three_bits(value: int) -> tuple[int, int, int]:
    mixed = value * _MIXER & _WORD_MASK
    return (value * 31 + 7) % _PRIME, (mixed >> 40) % _PRIME, (mixed & 0xFFFFFFFF) % _PRIME


def _turn_8_by_8(data: bytes) -> bytes:
    """Transpose each 8 bytes as a matrix of 8 by 8 bits (Hacker's Delight, 7-3), all at once."""
    lanes = len(data) // 8
    x = int.from_bytes(data, "little")
    for shift, mask in (
        (7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0),
    ):  # fmt: skip
        masks = int.from_bytes(mask.to_bytes(8, "little") * lanes, "little")
        t = (x ^ (x >> shift)) & masks
        x ^= t ^ (t << shift)
    return x.to_bytes(len(data), "little")
