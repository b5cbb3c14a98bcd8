"""What a command line says of each worker and of each thing that was done."""

from __future__ import annotations

from typing import Any

import pytest

from celeryscope.control.client import Teller, is_all_right


def report(**changes: Any) -> dict[str, Any]:
    return {
        "state": "finished", "workers": [], "items": [], "outcomes": {"ok": 1}, "effects": {},
        "error": "", "hint": "", "total": 1, **changes,
    }  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    return {"outcome": "ok", "effect": "done", "effect_said": "", "value": None, **changes}


def said(told: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    Teller(lines.append).tell(told)
    return [" ".join(line.split()) for line in lines]


@pytest.mark.parametrize(
    ("kind", "told", "line"),
    [
        (
            "items",
            {"subject": "add", "said": "It was sent.", "effect_said": "The task ended: SUCCESS.",
             "task_id": "1", "value": 3},
            "add ok done It was sent. The task ended: SUCCESS. Its id: 1 3",
        ),
        (
            "items",
            {"subject": "mail", "said": "2 messages were deleted.", "value": 2,
             "effect_said": "No message waits in it now."},
            "mail ok done 2 messages were deleted.",
        ),
        (
            "workers",
            {"hostname": "w@h", "outcome": "refused", "effect": "not seen", "error": "All busy!",
             "effect_said": "0 processes, 2 before."},
            "w@h refused not seen All busy! 0 processes, 2 before.",
        ),
        ("workers", {"hostname": "w@h", "value": ["a"]}, 'w@h ok done ["a"]'),
    ],
)  # fmt: skip
def test_a_line_says_what_was_done_and_what_came_of_it(
    kind: str, told: dict[str, Any], line: str
) -> None:
    assert said(report(**{kind: [row(**told)]})) == [line, "1 ok."]


def test_replies_that_could_not_be_read_are_told_at_the_end() -> None:
    told = report(outcomes={"silent": 1}, error="One reply was not taken (it is too large).")
    assert said(told) == ["1 silent. One reply was not taken (it is too large)."]
    assert not is_all_right(told)
