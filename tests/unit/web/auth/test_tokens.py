"""API tokens."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from celeryscope.errors import BadArgument, NotFound, NotPossible, Unavailable
from celeryscope.model.actor import Scope
from celeryscope.web.auth import tokens as module
from celeryscope.web.auth.tokens import Token, Tokens
from tests.unit.web.auth.clock import Clock

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def made(tokens: Tokens, name: str = "ci", **given: Any) -> tuple[Token, str]:
    wanted: dict[str, Any] = {
        "role": "operator",
        "scope": Scope(queues=("mail*",)),
        "owner": "ada",
        "expires_at": NOW + 90 * DAY,
        "now": NOW,
    }
    return tokens.create(name=name, **(wanted | given))


def join(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()


@pytest.mark.parametrize("where", ["file", "memory"])
def test_who_shows_the_secret_holds_the_token(path: Path, where: str) -> None:
    tokens = Tokens(path if where == "file" else None)
    token, secret = made(tokens)
    assert token == Token(
        id=token.id,
        name="ci",
        role="operator",
        scope=Scope(queues=("mail*",)),
        owner="ada",
        created_at=NOW,
        expires_at=NOW + 90 * DAY,
    )
    assert re.fullmatch(rf"cscope_{token.id}_[A-Za-z0-9_-]{{43}}", secret)
    found = tokens.find(secret, now=NOW + 1)
    assert found is not None
    assert (found.id, found.used_at) == (token.id, NOW + 1)


def test_no_two_are_alike(path: Path) -> None:
    tokens = Tokens(path)
    one, first = made(tokens, "one")
    other, second = made(tokens, "other")
    assert one.id != other.id
    assert first[16:] != second[16:]
    # An id with another's secret is nobody's.
    assert tokens.find(first[:16] + second[16:], now=NOW) is None


def test_what_is_no_secret(path: Path) -> None:
    tokens = Tokens(path)
    _, secret = made(tokens)
    wrong = [
        "",
        secret[:-1],
        secret + "A",
        secret + "\n",
        " " + secret,
        secret.upper(),
        secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        secret.replace("cscope", "Cscope"),
        secret.replace("_", "-"),
        "cscope_zzzzzzzz_" + secret[16:],
        secret[:16] + "é" * 43,
        "\ud800" * 59,
        "x" * 1_000_000,
    ]
    assert [tokens.find(given, now=NOW) for given in wrong] == [None] * len(wrong)


def test_the_file_does_not_know_the_secret(path: Path) -> None:
    _, secret = made(Tokens(path))
    assert secret[16:] not in path.read_text()


def test_it_ends_at_its_time(path: Path) -> None:
    tokens = Tokens(path)
    token, secret = made(tokens, expires_at=NOW + 10)
    assert tokens.find(secret, now=NOW + 9.9) is not None
    assert tokens.find(secret, now=NOW + 10) is None
    assert not token.is_live(NOW + 10)
    assert [one.id for one in tokens.list()] == [token.id]
    _, forever = made(tokens, "forever", expires_at=None)
    assert tokens.find(forever, now=NOW + 1e9) is not None


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_revoked_one_ends_at_once(path: Path, by: str) -> None:
    tokens = Tokens(path)
    token, secret = made(tokens)
    assert tokens.revoke(token.id if by == "id" else "ci").id == token.id
    assert tokens.find(secret, now=NOW) is None
    assert tokens.list() == []
    with pytest.raises(NotFound):
        tokens.revoke(token.id)


def test_a_command_revokes_what_a_console_knows(path: Path, clock: Clock) -> None:
    console = Tokens(path, clock=clock)
    _, secret = made(console)
    assert console.find(secret, now=NOW) is not None
    join("tokens used")
    Tokens(path).revoke("ci")
    clock.now += 1
    assert console.find(secret, now=NOW) is None
    # That it was used does not bring it back.
    console.flush()
    assert Tokens(path).list() == []


def test_a_name_is_taken_by_one_that_is_good(path: Path) -> None:
    tokens = Tokens(path)
    old, _ = made(tokens, expires_at=NOW + 10)
    with pytest.raises(NotPossible, match="There is a token 'ci' already"):
        made(tokens)
    new, _ = made(tokens, now=NOW + 10)
    assert new.id != old.id
    assert [one.id for one in tokens.list()] == [new.id]


def test_there_is_an_end_to_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 2)
    tokens = Tokens(path)
    made(tokens, "one", expires_at=NOW + 10)
    made(tokens, "two")
    with pytest.raises(NotPossible):
        made(tokens, "three")
    made(tokens, "three", now=NOW + 10)  # the first has ended
    assert {one.name for one in tokens.list()} == {"two", "three"}


def test_what_ended_long_ago_goes(path: Path) -> None:
    tokens = Tokens(path)
    made(tokens, "one", expires_at=NOW + 10)
    made(tokens, "two", now=NOW + 29 * DAY)
    assert len(tokens.list()) == 2
    made(tokens, "three", now=NOW + 31 * DAY)
    assert {one.name for one in tokens.list()} == {"two", "three"}


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"role": "root"},
        {"scope": Scope(tasks=("*" * 9,))},
        {"expires_at": NOW},
        {"expires_at": float("inf")},
        {"expires_at": float("nan")},
    ],
)
def test_what_cannot_be_is_refused(path: Path, given: dict[str, Any]) -> None:
    tokens = Tokens(path)
    with pytest.raises(BadArgument):
        made(tokens, **given)
    assert tokens.list() == []


def test_when_it_was_used_is_written_once_a_minute(path: Path) -> None:
    def written() -> float | None:
        join("tokens used")
        used: float | None = json.loads(path.read_text())["tokens"][token.id]["used_at"]
        return used

    tokens = Tokens(path)
    token, secret = made(tokens)
    assert written() is None
    for seconds, known in ((0, 0), (1, 0), (59, 0), (60, 60), (61, 60)):
        tokens.find(secret, now=NOW + seconds)
        assert written() == NOW + known
        assert tokens.list()[0].used_at == NOW + seconds
    tokens.flush()
    assert written() == NOW + 61


def test_a_broken_file_lets_nobody_in(path: Path, clock: Clock) -> None:
    tokens = Tokens(path, clock=clock)
    _, secret = made(tokens)
    body = path.read_text()[:-10]
    path.write_text(body)
    clock.now += 1
    assert tokens.find(secret, now=NOW) is None
    assert str(path) in (tokens.trouble or "")
    with pytest.raises(Unavailable):
        made(tokens, "another")
    assert path.read_text() == body


@pytest.mark.parametrize(
    ("field", "value"), [("digest", ""), ("digest", "secret"), ("role", "root"), ("name", "a:b")]
)
def test_a_row_that_cannot_be_is_a_trouble(path: Path, field: str, value: str) -> None:
    made(Tokens(path))
    content = json.loads(path.read_text())
    next(iter(content["tokens"].values()))[field] = value
    path.write_text(json.dumps(content))
    assert Tokens(path).trouble is not None


def test_many_threads_use_one_while_another_is_made(path: Path) -> None:
    tokens = Tokens(path)
    _, secret = made(tokens)
    missed: list[int] = []

    def use() -> None:
        missed.extend(n for n in range(300) if tokens.find(secret, now=NOW + n) is None)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(10):
        made(tokens, f"token {n}")
    for thread in threads:
        thread.join()
    join("tokens used")
    assert missed == []
    assert len(Tokens(path).list()) == 11
