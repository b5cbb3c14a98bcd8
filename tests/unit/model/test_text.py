"""What is kept of a text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.model.text import BEYOND_CHARS, kept, sound, storable

SECRET = "card=4111111111111111"


def mask(text: str) -> str:
    return re.sub(r"card=\d{16}", "***", text)


@pytest.mark.parametrize(
    ("text", "left"),
    [("", ""), ("x" * 10, "x" * 10), ("x" * 11, "x" * 10 + "…"), ("x" * 9 + "…", "x" * 9 + "…")],
)
def test_a_text_is_cut_and_says_so(text: str, left: str) -> None:
    assert kept(text, 10) == left


@given(st.integers(0, 3 * BEYOND_CHARS), st.integers(1, 200), st.integers(1, 5))
def test_no_half_of_a_secret_is_left_wherever_it_is_cut(before: int, most: int, times: int) -> None:
    text = (SECRET * times + "x" * before + SECRET) * 3
    left = kept(text, most, mask)
    assert "4" not in left
    assert len(left) <= most + 1


def test_a_mask_is_not_given_more_than_it_needs() -> None:
    given: list[int] = []

    def noted(text: str) -> str:
        given.append(len(text))
        return text

    left = kept("x" * 10**6, 100, noted)
    assert given == [100 + BEYOND_CHARS]
    assert left == "x" * 100 + "…"


@given(st.text(st.characters(codec=None), max_size=20))
def test_what_cannot_be_sent_or_stored_is_replaced_and_nothing_else(text: str) -> None:
    broken = "".join("?" if "\ud800" <= char <= "\udfff" else char for char in text)
    assert sound(text) == broken
    assert storable(text) == broken.replace("\0", "\N{REPLACEMENT CHARACTER}")
