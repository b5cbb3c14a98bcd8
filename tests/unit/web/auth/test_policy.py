"""The table of who may do what."""

from __future__ import annotations

from pathlib import Path

import pytest

from celeryscope.control.commands import COMMANDS
from celeryscope.web.auth import policy
from celeryscope.web.auth.policy import RULES, rule

PAGE = Path(__file__).parents[4] / "docs/reference/policy.md"


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text() == policy.page(), "make docs"


def test_the_page_has_a_row_for_each_route_and_command() -> None:
    page = policy.page()
    for path, methods in RULES.items():
        for method in methods:
            assert f"| {method} | `{path}` |" in page
    for command in COMMANDS:
        assert f"| `{command}` |" in page


def test_head_is_as_get_and_other_methods_are_not_served() -> None:
    assert rule("/api/v1/overview", "HEAD") == rule("/api/v1/overview", "GET")
    assert rule("/api/v1/overview", "POST") is None
    assert rule("/api/v1/control/{command}", "GET") is None


def test_a_path_without_rules_is_an_error() -> None:
    with pytest.raises(KeyError):
        rule("/api/v1/forgotten", "GET")


def test_a_route_of_a_command_needs_what_the_command_needs() -> None:
    for path, methods in RULES.items():
        for method, needs in methods.items():
            if needs.command not in ("", "*"):
                assert needs.needed == COMMANDS[needs.command].role, (path, method)
                assert needs.changes


def test_everybody_who_is_not_known_gets_to_the_login_and_nowhere_else() -> None:
    open_to_all = {path for path, methods in RULES.items() for r in methods.values() if not r.role}
    assert open_to_all == {"/login", "/login/", "/login/start", "/login/callback", "/logout"}


def test_what_reads_changes_nothing() -> None:
    assert not [
        path for path, methods in RULES.items() if "GET" in methods and methods["GET"].changes
    ]
