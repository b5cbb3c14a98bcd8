"""Patterns that people give for queues and tasks, and names that were made to annoy them."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.model.actor import Scope
from tests.fuzz.hostile import fuzz

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize("stars", range(1, 9))
def test_a_pattern_costs_no_more_than_its_length_times_the_names(stars: int) -> None:
    """A token's limits are of its maker's choice, a task's name of its sender's: together they
    must not stop the console. A regular expression of eight stars would take years here."""
    scope = Scope(tasks=("*a" * stars + "b",), queues=("*a" * (stars - 1) + "*b",))
    for _ in range(100):
        assert not scope.has_name("a" * 500)
        assert not scope.has_queue("a" * 500)
    assert scope.has_name("a" * 500 + "b")
    assert scope.has_queue("a" * 500 + "b")


@given(st.text(alphabet="ab*.\n", max_size=10), st.text(alphabet="ab.\n", max_size=12))
@fuzz(300)
def test_a_star_stands_for_any_text_and_nothing_else_for_anything(pattern: str, name: str) -> None:
    meant = fnmatch.translate(pattern)  # of these characters only the star means something
    fits = re.fullmatch(meant, name) is not None
    assert Scope(tasks=(pattern,)).has_name(name) is fits
    assert Scope(queues=(pattern,)).has_queue(name) is fits
