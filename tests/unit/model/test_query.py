"""The query language: text ↔ tree."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celeryscope.errors import BadQuery
from celeryscope.model import query as language
from celeryscope.model.query import (
    EVERYTHING,
    And,
    Keyword,
    Match,
    Not,
    Or,
    Query,
    Text,
    all_of,
    any_of,
    negate,
    parse,
    show,
    split,
)

FIXTURE = Path(__file__).parents[2] / "fixtures/query_cases.json"
CASES: list[dict[str, Any]] = json.loads(FIXTURE.read_text(encoding="utf-8"))["cases"]


def title(case: dict[str, Any]) -> str:
    return str(case["text"])[:40].encode("unicode_escape").decode()


@pytest.mark.parametrize("case", [c for c in CASES if "ast" in c], ids=title)
def test_it_reads_and_writes(case: dict[str, Any]) -> None:
    query = parse(case["text"])
    assert json.loads(msgspec.json.encode(query)) == case["ast"]
    assert msgspec.convert(case["ast"], Query) == query
    assert show(query) == case["canonical"]
    assert parse(case["canonical"]) == query


@pytest.mark.parametrize("case", [c for c in CASES if "error" in c], ids=title)
def test_it_says_what_is_wrong_and_where(case: dict[str, Any]) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(case["text"])
    fault = caught.value
    assert fault.position == case["error"]["position"]
    assert case["error"]["contains"] in f"{fault} {fault.hint}"
    assert fault.parameter == "query"


def test_every_key_has_a_case_and_an_example_that_can_be_read() -> None:
    texts = " ".join(case["text"] for case in CASES if "ast" in case)
    for key, example in language.KEYS.items():
        assert f"{key}:" in texts, key
        assert set(split(parse(example))) == {key}
    for alias, key in language.ALIASES.items():
        assert show(parse(f"{alias.upper()}:x")) == f"{key}:x"


@pytest.mark.parametrize(
    ("word", "key"),
    [("nmae", "name"), ("stat", "state"), ("workers", "worker"), ("status", "state"), ("x", None),
     ("http", None), ("taks", "task"), ("x" * 2000, None)],
)  # fmt: skip
def test_a_wrong_key_is_guessed_when_it_is_near(word: str, key: str | None) -> None:
    assert language.nearest_key(word) == key


@pytest.mark.parametrize(
    "text", ["nmae:" + "x" * 2000, "x" * 2000 + ":y", "runtime:" + "9" * 2000, "since:" * 300]
)
def test_an_error_is_short_whatever_was_written(text: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(text)
    assert len(f"{caught.value} {caught.value.hint}") < 250


# Pieces that mean something, so that most texts come near to being queries.
PIECES = [
    *'ab 0-():,*="\\', " OR ", " AND ", " NOT ", "state:", "name:", "kwargs:k=", "args:", "runtime:",
    "retries:", "since:", "until:", ">", "<=", "..", "5s", "1h30m", "2026-11-23", "T03:00", "+02:00",
    "failed", "waiting", "\N{LATIN SMALL LETTER SHARP S}", "\x00", "\U0001f642", "\u202e", "\u0130",
    "\n",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60)


@given(texts)
@settings(max_examples=500)
def test_every_text_is_understood_or_refused(text: str) -> None:
    fault: BadQuery | None = None
    query: Query = EVERYTHING
    try:
        query = parse(text)
    except BadQuery as refusal:
        fault = refusal
    assert fault is None or 0 <= fault.position <= len(text)
    assert parse(show(query)) == query


@pytest.mark.parametrize(
    "text",
    ['\\"' * 1023, "\\" * 2048, "-" * 2047 + "a", "*" * 2048, "name:" + "*a" * 1000, "(" * 2048,
     "NOT " * 512, '""' * 1000, "a:" * 1024, "1h" * 1000, "since:" + "1h" * 1000, "state:" * 341,
     "runtime:" + "1." * 1000, "name:" + "," * 2000],
)  # fmt: skip
def test_every_long_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(BadQuery):
        show(parse(text))


# ---------------------------------------------------------------------- any tree


def as_state(part: str) -> str:
    return "".join(char.upper() if char.isascii() else char for char in part)


words = st.text(max_size=8) | st.sampled_from(["AND", "state:x", "-a", 'a"b', "a\\", "a*b", "a,b"])
some_words = words.filter(bool)


def values(parts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[tuple[str, ...], ...]]:
    between = st.lists(parts.filter(bool), max_size=2)
    globs = st.builds(lambda first, inner, last: (first, *inner, last), parts, between, parts)
    plain = parts.filter(bool).map(lambda part: (part,))
    return st.lists(plain | globs, min_size=1, max_size=3, unique=True).map(tuple)


def comparisons(key: str, numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    kind, name = language.Compare, st.just(key)
    above = st.builds(kind, name, numbers, st.none(), st.sampled_from(["()", "[)"]))
    below = st.builds(kind, name, st.none(), numbers, st.sampled_from(["()", "(]"]))
    ranges = st.builds(
        lambda name, pair: kind(name, min(pair), max(pair), "[]"), name, st.tuples(numbers, numbers)
    )
    return above | below | ranges


seconds = st.integers(0, 10**15).map(lambda us: us / 1_000_000)
counts = st.integers(0, 999_999_999).map(float)
times = st.integers(0, 253_402_300_799_999).map(lambda ms: ms / 1000)
states = words.map(as_state).filter(lambda word: word not in language.STATE_WORDS)
leaves: st.SearchStrategy[Any] = st.one_of(
    some_words.map(Text),
    st.builds(Match, st.sampled_from(["name", "worker", "args", "kwargs", "uuid"]), values(words)),
    st.builds(Match, st.just("state"), values(states)),
    st.builds(Keyword, some_words, values(words)),
    comparisons("runtime", seconds),
    comparisons("retries", counts),
    st.builds(language.Ago, st.sampled_from(["since", "until"]), seconds),
    st.builds(language.At, st.sampled_from(["since", "until"]), times),
)
trees: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(all_of)
        | st.lists(inner, min_size=1, max_size=3).map(any_of)
        | inner.map(negate)
    ),
    max_leaves=8,
)


def depth(query: Query) -> int:
    """Count the groups within each other that it takes to write a query."""
    match query:
        case And(terms) | Or(terms):
            grouped = isinstance(query, And)
            return max(depth(term) + (grouped and isinstance(term, Or)) for term in terms)
        case Not(term):
            return depth(term) + isinstance(term, (And, Or))
    return 0


@given(trees)
@settings(max_examples=500)
def test_every_tree_can_be_written_and_read_again(query: Any) -> None:
    if depth(query) <= language.DEEPEST:
        assert parse(show(query)) == query


@given(trees)
def test_what_is_split_by_key_is_the_whole(query: Any) -> None:
    def terms(of: Query) -> list[str]:
        return sorted(map(show, of.terms)) if isinstance(of, And) else [show(of)]

    assert terms(all_of(split(query).values())) == terms(query)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", {}),
        ("a state:failure -state:retry", {None: "a", "state": "state:failure -state:retry"}),
        ("(state:a OR state:b) name:c", {"state": "(state:a OR state:b)", "name": "name:c"}),
        ("(state:a OR name:b) kwargs:a=b", {None: "(state:a OR name:b)", "kwargs": "kwargs:a=b"}),
        ("-(state:a state:b) (a OR b)", {"state": "-(state:a state:b)", None: "(a OR b)"}),
        ("state:a OR b", {None: "state:a OR b"}),
        ("runtime:>1s since:1h", {"runtime": "runtime:>1s", "since": "since:1h"}),
    ],
)
def test_a_query_is_split_by_what_its_parts_ask_for(
    text: str, parts: dict[str | None, str]
) -> None:
    assert split(parse(text)) == {key: parse(part) for key, part in parts.items()}


def test_no_terms_ask_for_everything() -> None:
    assert all_of([]) == EVERYTHING == parse(" \t")
    assert show(EVERYTHING) == ""


def test_the_reference_names_every_key_and_its_examples_can_be_read() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/query.md").read_text(encoding="utf-8")
    for word in (*language.KEYS, *language.ALIASES):
        assert f"`{word}:`" in page, word
    for word, states in language.STATE_WORDS.items():
        assert f"`{word.lower()}`" in page
        assert ", ".join(states) in page
    block = page.split("```")[1]
    examples = [*block.strip().splitlines(), *re.findall(r"`([a-z]+:[^`.…/ ][^`]*)`", page)]
    assert len(examples) > 40
    for example in examples:
        if example != "kwargs:name=value":
            parse(example)
