"""What the docs say of Flower's API is what the contract tests allow, and what is served."""

from __future__ import annotations

import re

from celeryscope.web.api import flower_control
from tests.conftest import REPOSITORY
from tests.contract.differences import DIFFERENCES

PAGE = (REPOSITORY / "docs" / "reference" / "flower.md").read_text()


def rows(heading: str) -> list[tuple[str, ...]]:
    """Give the rows of the first table after the heading."""
    table = re.findall(r"^\|(.*)\|$", PAGE[PAGE.index(heading) :], re.MULTILINE)
    return [tuple(cell.strip() for cell in row.split(" | ")) for row in table[2:]]


def test_the_docs_have_the_same_differences() -> None:
    assert rows("## What differs on purpose") == [tuple(row) for row in DIFFERENCES]


def test_no_difference_is_there_twice_or_without_a_reason() -> None:
    assert len({row.what for row in DIFFERENCES}) == len(DIFFERENCES)
    assert all(cell for row in DIFFERENCES for cell in row)


def test_every_route_is_in_the_docs() -> None:
    for path in flower_control.ROUTES:
        shown = path.split("{")[0].rstrip("/")
        assert shown in PAGE, path
