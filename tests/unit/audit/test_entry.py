"""What an entry says, and the line that it becomes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from celeryscope.audit.entry import (
    CONSOLE,
    MOST_ARGUMENTS_BYTES,
    MOST_LINE_BYTES,
    NOTHING,
    By,
    Whom,
    content,
    entry_of,
    is_whole,
    line_of,
    link_of,
)
from celeryscope.model.actor import Actor

ADA = Actor(
    name="ada", role="operator", way="token", address="10.0.0.7", session="s1", token="deploy"
)


def line(**said: Any) -> tuple[bytes, str]:
    told = content(**{"kind": "command", "by": ADA, "what": "revoke", **said})
    return line_of(told, seq=7, at=1_795_000_000.25, prev="ab" * 32)


def test_a_line_has_the_fields_in_a_fixed_order_and_ends_with_its_hash() -> None:
    written, digest = line(
        workers=["celery@web1"],
        subjects=["6a72"],
        arguments={"terminate": True},
        outcome="asked",
        action="a1",
    )
    assert written == (
        b'{"seq":7,"at":1795000000.25,"kind":"command",'
        b'"by":{"name":"ada","role":"operator","way":"token","address":"10.0.0.7",'
        b'"session":"s1","token":"deploy"},'
        b'"what":"revoke",'
        b'"whom":{"workers":["celery@web1"],"workers_left_out":0,"subjects":["6a72"],"left_out":0},'
        b'"arguments":{"terminate":true},"outcome":"asked","detail":"","action":"a1",'
        b'"prev":"' + b"ab" * 32 + b'","hash":"' + digest.encode() + b'"}'
    )


def test_the_hash_is_the_sha256_of_the_line_without_it() -> None:
    written, digest = line(detail="grün")
    without = written.replace(f',"hash":"{digest}"'.encode(), b"")
    assert hashlib.sha256(without).hexdigest() == digest
    assert is_whole(written, digest)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.replace(b'"revoke"', b'"rate_limit"'),
        lambda it: it.replace(b"10.0.0.7", b"10.0.0.8"),
        lambda it: it.replace(b'"seq":7', b'"seq":8'),
        lambda it: it.replace(b"ab" * 32, b"ba" * 32),
        lambda it: it.replace(b',"hash"', b', "hash"'),
        lambda it: it + b" ",
        lambda it: it[:-2] + b'","x":1}',
        lambda it: it.replace(b'"at"', b' "at"'),
    ],
)
def test_a_line_that_was_changed_is_not_whole(change: Any) -> None:
    written, digest = line()
    assert is_whole(written, digest)
    assert change(written) != written
    assert not is_whole(change(written), digest)


def test_an_entry_is_read_as_it_was_written() -> None:
    written, digest = line(subjects=["a", "b"], arguments={"n": 3, "deep": [{"a": None}]})
    entry = entry_of(written)
    assert (entry.seq, entry.at, entry.prev, entry.hash) == (7, 1_795_000_000.25, "ab" * 32, digest)
    assert entry.by == By(
        name="ada", role="operator", way="token", address="10.0.0.7", session="s1", token="deploy"
    )
    assert entry.whom == Whom(subjects=("a", "b"))
    assert entry.arguments == {"n": 3, "deep": [{"a": None}]}


def test_a_command_that_names_nobody_is_for_all_and_a_login_is_at_nobody() -> None:
    assert entry_of(line()[0]).whom == Whom(workers=None)
    assert entry_of(line(kind="login")[0]).whom is None


def test_a_newer_version_may_write_more_without_breaking_the_chain() -> None:
    written, _ = line(kind="login")
    newer = written.replace(b'"login"', b'"handshake","more":{"a":1}')
    assert link_of(newer).seq == 7
    with pytest.raises(msgspec.ValidationError):
        entry_of(newer)


def test_more_than_a_hundred_subjects_are_counted() -> None:
    told = content(
        kind="command",
        by=CONSOLE,
        what="x",
        workers=[f"w{n}" for n in range(130)],
        subjects=[str(n) for n in range(100_000)],
    )
    assert told.whom is not None
    assert told.whom.workers is not None
    assert (len(told.whom.workers), told.whom.workers_left_out) == (100, 30)
    assert (len(told.whom.subjects), told.whom.left_out) == (100, 99_900)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"a": "x" * 50_000}, "cut: 50,000 characters"),
        ({"a": list(range(50_000))}, "more"),
        ({f"name{n}": n for n in range(50_000)}, "more"),
        ({"a": "\x00" * 50_000}, "cut: 50,000 characters"),
        ({"a": "ü\x80" * 20_000}, "cut: 40,000 characters"),
        ({"a": [["y" * 300] * 300] * 300}, "more"),
        ({"k" * 50_000: 1}, "cut: 50,000 characters"),
    ],
)
def test_long_arguments_are_cut_to_16_kib_and_say_so(arguments: dict[str, Any], said: str) -> None:
    entry = entry_of(line(arguments=arguments)[0])
    written = msgspec.json.encode(entry.arguments)
    assert len(written) <= MOST_ARGUMENTS_BYTES
    assert len(written) > MOST_ARGUMENTS_BYTES / 8
    assert said in written.decode()


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_any_value_becomes_json() -> None:
    deep: list[Any] = []
    for _ in range(2_000):
        deep = [deep]
    told = line(
        arguments={
            "foreign": Hostile(),
            "bytes": b"\xff",
            "set": {1},
            "big": 2**80,
            "nan": float("nan"),
            "deep": deep,
            3: "a key",
        },
    )[0]
    arguments = json.loads(told)["arguments"]
    assert arguments["bytes"] == "b'\\xff'"
    assert arguments["set"] == [1]
    assert arguments["big"] == str(2**80)
    assert arguments["nan"] is None
    assert arguments["3"] == "a key"
    assert "cannot be shown" in arguments["foreign"]


def test_what_a_terminal_would_obey_is_escaped_and_read_back() -> None:
    nasty = "a\x1b[31m\x9b\u2028\u202e\r\nb\x7f"
    written, _ = line(what=nasty, by=By(name=nasty), arguments={"a": nasty})
    assert not any(char < 0x20 or char == 0x7F for char in written)
    assert not any(0x80 <= ord(char) < 0xA0 or char in "\u2028\u202e" for char in written.decode())
    entry = entry_of(written)
    assert (entry.what, entry.by.name, entry.arguments["a"]) == (nasty, nasty, nasty)


def test_passwords_in_urls_are_masked_wherever_they_stand() -> None:
    url = "redis://:hunter2@db/0"
    written, _ = line(
        what=url,
        by=By(name=url),
        subjects=[url],
        workers=[url],
        detail=url,
        arguments={"u": url, "l": [url], url: 1},
    )
    assert b"hunter2" not in written
    assert written.count(b"redis://:**@db/0") == 8


@pytest.mark.parametrize("before", [230, 240, 248, 255, 16_000, 16_100, 16_300])
def test_a_password_is_masked_where_its_url_is_cut(before: int) -> None:
    text = "x" * before + " redis://:hunter2hunter2hunter2@db/0" + "x" * 20_000
    written, _ = line(what=text, by=By(name=text), detail=text, arguments={"a": text})
    assert b"hunt" not in written


texts = some.text(max_size=300)
values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | texts | some.binary(),
    lambda inner: some.lists(inner, max_size=5) | some.dictionaries(texts | some.integers(), inner),
    max_leaves=30,
)


@given(
    what=texts,
    name=texts,
    arguments=some.dictionaries(texts, values, max_size=8),
    subjects=some.lists(texts, max_size=5),
    detail=some.text(max_size=8_000),
)
def test_whatever_is_given_a_line_is_one_line_of_json_that_is_whole(
    what: str, name: str, arguments: dict[str, Any], subjects: list[str], detail: str
) -> None:
    told = content(
        kind="denied",
        by=By(name=name),
        what=what,
        subjects=subjects,
        arguments=arguments,
        detail=detail,
    )
    written, digest = line_of(told, seq=1, at=0.0, prev=NOTHING)
    assert b"\n" not in written
    assert len(written) < MOST_LINE_BYTES
    assert is_whole(written, digest)
    json.loads(written)
    assert entry_of(written).hash == digest
    # and once more, as when it is read and written elsewhere
    assert len(msgspec.json.encode(told.arguments)) <= MOST_ARGUMENTS_BYTES


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    assert entry_of(line(what="a\ud800")[0]).what == "a\\ud800"
