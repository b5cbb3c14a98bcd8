from __future__ import annotations

from celeryscope.control.commands import COMMANDS
from celeryscope.control.page import page
from tests.conftest import REPOSITORY


def test_the_reference_page_is_the_table() -> None:
    path = REPOSITORY / "docs" / "reference" / "commands.md"
    assert path.read_text() == page(), "run: make docs"


def test_every_command_and_argument_is_on_the_page() -> None:
    for command in COMMANDS.values():
        _, _, section = page().partition(f"\n## {command.name}\n")
        section = section.partition("\n## ")[0]
        assert command.consequence in section
        for argument in command.arguments:
            assert f"| `{argument.name}` |" in section
