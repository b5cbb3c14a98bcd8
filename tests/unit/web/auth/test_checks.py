"""What a name, a password and limits may be."""

from __future__ import annotations

import pytest

from celeryscope.errors import BadArgument
from celeryscope.model.actor import Scope
from celeryscope.web.auth.checks import (
    checked_name,
    checked_password,
    checked_role,
    checked_scope,
)


@pytest.mark.parametrize("name", ["a", "ada@example.org", "Ada Lovelace", "ådå", "x" * 128, "-h"])
def test_names(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a:b",
        "a\nb",
        "a\x1b[31m",
        "a\u202eb",
        " a",
        "a ",
        "x" * 129,
        "\ud800",
        "a\x00",
        "\u200b",
    ],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(BadArgument) as refused:
        checked_name(name)
    assert refused.value.parameter == "name"


def test_one_name_is_one_name_however_it_is_typed() -> None:
    assert checked_name("a\u030ada") == checked_name("\u00e5da")


@pytest.mark.parametrize("password", ["12345678", "p" * 1_024, "pass word\n", "ü" * 512])
def test_passwords(password: str) -> None:
    assert checked_password(password) == password


@pytest.mark.parametrize("password", ["", "1234567", "p" * 1_025, "ü" * 513, "1234567\ud800"])
def test_what_is_no_password(password: str) -> None:
    with pytest.raises(BadArgument) as refused:
        checked_password(password)
    assert refused.value.parameter == "password"
    assert not password or password not in str(refused.value)


def test_roles() -> None:
    assert checked_role("operator") == "operator"
    with pytest.raises(BadArgument, match="viewer, operator, admin"):
        checked_role("root")


@pytest.mark.parametrize(
    ("scope", "parameter"),
    [
        (Scope(queues=("",)), "queues"),
        (Scope(queues=("q" * 256,)), "queues"),
        (Scope(tasks=("*a*b*c*d*e*",) * 101), "tasks"),
        (Scope(tasks=("*" * 9,)), "tasks"),
        (Scope(tasks=("a\nb",)), "tasks"),
    ],
)
def test_limits_that_cannot_be(scope: Scope, parameter: str) -> None:
    with pytest.raises(BadArgument) as refused:
        checked_scope(scope)
    assert refused.value.parameter == parameter


def test_limits() -> None:
    scope = Scope(queues=("q" * 255,) * 100, tasks=("*" * 8,))
    assert checked_scope(scope) == scope
