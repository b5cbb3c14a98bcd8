"""Which entries are meant."""

from __future__ import annotations

from typing import Any

import pytest

from celeryscope.audit.entry import By, Entry, Whom
from celeryscope.audit.filter import Filter

ENTRY = Entry(
    seq=3,
    at=1_000.0,
    kind="command",
    by=By(name="Ada", role="admin", way="token", address="10.0.0.7", session="s-1", token="deploy"),
    what="revoke",
    whom=Whom(workers=("celery@web1",), subjects=("6A72-uuid", "emails")),
    arguments={"signal": "SIGKILL", "nested": [{"Reason": "stuck"}], "count": 42, "on": True},
    outcome="done",
    detail="Three workers did it.",
    action="act-9",
    prev="0" * 64,
    hash="f" * 64,
)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({}, True),
        ({"who": "ada"}, True),
        ({"who": "DEPLOY"}, True),
        ({"who": "0.0.7"}, True),
        ({"who": "bob"}, False),
        ({"who": "admin"}, False),  # a role is nobody
        ({"what": "REV"}, True),
        ({"what": "ada"}, False),
        ({"whom": "web1"}, True),
        ({"whom": "6a72"}, True),
        ({"whom": "ada"}, False),
        ({"kinds": ("command", "login")}, True),
        ({"kinds": ("login",)}, False),
        ({"outcome": "DONE"}, True),
        ({"outcome": "failed"}, False),
        ({"since": 1_000.0}, True),
        ({"since": 1_000.1}, False),
        ({"until": 1_000.0}, False),
        ({"until": 1_000.1}, True),
        ({"action": "act-9"}, True),
        ({"action": "act"}, False),
        ({"text": "sigkill"}, True),
        ({"text": "reason"}, True),
        ({"text": "STUCK"}, True),
        ({"text": "42"}, True),
        ({"text": "true"}, True),
        ({"text": "did it"}, True),
        ({"text": "s-1"}, True),
        ({"text": "ffff"}, True),
        ({"text": "celery@"}, True),
        ({"text": "nothing"}, False),
        ({"text": "left_out"}, False),  # the format's own words are no text of the entry
        ({"who": "ada", "what": "rate"}, False),
    ],
)
def test_an_entry_is_meant_when_all_holds(asked: dict[str, Any], meant: bool) -> None:
    assert Filter(**asked).matches(ENTRY) is meant
