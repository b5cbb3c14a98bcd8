from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.metrics.catalog import OTHER
from celeryscope.metrics.series import LabelValues, escaped, shortened


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ('say "hi"', r"say \"hi\""),
        ("two\nlines", r"two\nlines"),
        ("back\\slash", r"back\\slash"),
        ("\\n", r"\\n"),
    ],
)
def test_a_label_value_is_escaped(value: str, written: str) -> None:
    assert escaped(value) == written


@given(st.text(st.characters(codec=None), max_size=600), st.integers(min_value=20, max_value=300))
def test_a_shortened_value_fits_and_is_always_the_same(value: str, length: int) -> None:
    short = shortened(value, length)
    assert len(short) <= length
    short.encode()
    assert shortened(value, length) == short
    assert shortened(short, length) == short


def test_long_values_with_the_same_beginning_stay_apart() -> None:
    long, other = "x" * 300 + "a", "x" * 300 + "b"
    assert shortened(long, 256) != shortened(other, 256)
    assert shortened(long, 256).startswith("x" * 200)


def test_lone_surrogates_stay_apart_too() -> None:
    assert shortened("\ud800", 256) != shortened("\ud801", 256)


def test_past_the_limit_values_are_other_and_counted() -> None:
    values = LabelValues(limit=2, length=256)
    assert [values.admit(raw) for raw in "abcac"] == ["a", "b", OTHER, "a", OTHER]
    assert values.overflow == 2


def test_a_released_value_makes_room() -> None:
    values = LabelValues(limit=1, length=256)
    values.admit("a")
    values.release("a")
    assert values.admit("b") == "b"
    assert values.find("a") is None
