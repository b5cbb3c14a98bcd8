"""What a block can contain at most."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from celeryscope.history import signature

TEXT = st.text(max_size=40)


@settings(max_examples=60, deadline=None)
@given(before=TEXT, needle=st.text(max_size=20), after=TEXT, others=st.lists(TEXT, max_size=4))
def test_it_never_denies_a_text_that_is_there(
    before: str, needle: str, after: str, others: list[str]
) -> None:
    made = signature.make([*others, before + needle.upper() + after, before + needle + after], [])
    assert signature.has(made, signature.of_needle(needle))


def test_it_denies_most_of_what_is_not_there() -> None:
    dice = random.Random(1)
    texts = [f"('order-{dice.randrange(10**7):07}', 'customer{i}@example.com')" for i in range(128)]
    facts = [signature.of_fact("name", i) for i in range(500)]
    made = signature.make(texts, facts)
    for needles, most in (
        ([signature.of_needle(f"{n:07}") for n in range(5_000_000, 5_001_000)], 60),
        ([signature.of_needle(a + b + c) for a in "qwz" for b in "jxk" for c in "vfj"], 2),
        ([signature.of_fact("name", i) for i in range(1000, 2000)], 30),
    ):
        assert sum(signature.has(made, bits) for bits in needles) <= most


def test_what_is_too_short_for_a_gram_asks_for_nothing() -> None:
    assert signature.of_needle("ab") == ()
    assert signature.of_needle("abc") != ()


def test_slices_say_what_the_signatures_say() -> None:
    dice = random.Random(2)
    made = [dice.randbytes(signature.SIZE_BYTES) for _ in range(signature.BLOCKS)]
    turned = dict(enumerate(signature.turn(made), 3 * 4096))
    for bit in [0, 7, 8, 62, 63, *(dice.randrange(131_072) for _ in range(500)), 131_071]:
        row, at = signature.place(3, bit)
        blocks = int.from_bytes(turned[row][at - 1 : at - 1 + signature.SLICE_BYTES], "little")
        for number in range(0, signature.BLOCKS, 37):
            assert bool(blocks >> number & 1) == signature.has(made[number], [bit])


def test_all_slices_of_a_segment_have_a_place_before_the_next_segment() -> None:
    assert signature.place(0, signature.SIZE_BYTES * 8 - 1)[0] < signature.place(1, 0)[0]
