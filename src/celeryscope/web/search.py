"""The search language of the task lists: text → a test for tasks.

It is Flower 2.2's. Terms apart are joined by AND, which binds closer than OR; parentheses
group, double quotes keep blanks in a term, and a backslash before a quote or a backslash
takes it literally. A term is looked for in a task's id, name, state, worker, args, kwargs
and result; `field:text` looks in one of them. `state:` wants the whole state, and
`kwargs:key=value` one keyword argument; everything else finds parts of words. Case never
matters.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import NamedTuple

from celeryscope.errors import BadArgument
from celeryscope.model.task import Task

Test = Callable[[Task], bool]

FIELDS = ("uuid", "name", "state", "worker", "args", "kwargs", "result")
_QUALIFIERS = frozenset(FIELDS) - {"uuid"}
SHORTEST = 3  # characters of a term that finds parts of words
_LONGEST_QUERY = 2048
_MOST_TOKENS = 128
_DEEPEST = 5

# One term: escapes, bare characters, and quoted stretches, in any order. No two of them
# begin alike, so that nothing is tried twice.
_LONE_BACKSLASH = r'\\(?!["\\])'
_QUOTED = rf'"((?:\\["\\]|{_LONE_BACKSLASH}|[^"\\])*)"'
_TERM = re.compile(rf'(?:\\["\\]|{_LONE_BACKSLASH}|[^\s()"\\]|{_QUOTED})+')
_PIECE = re.compile(rf'\\(["\\])|{_QUOTED}|(.)', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')


class _Token(NamedTuple):
    kind: str  # "(", ")", "AND", "OR", "term" or "end"
    text: str
    position: int


def compile_search(text: str | None) -> Test | None:
    """Make the test that tasks have to pass; None when `text` asks for nothing.

    Raises BadArgument for a text that is not in the language.
    """
    text = (text or "").strip()
    if not text:
        return None
    if len(text) > _LONGEST_QUERY:
        raise _refused(f"the search is longer than {_LONGEST_QUERY} characters")
    return _Parser(_tokens(text)).parse()


def _refused(why: str, position: int | None = None) -> BadArgument:
    where = "" if position is None else f" (at character {position + 1})"
    return BadArgument("search", f"Cannot search: {why}{where}.")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] in "()":
            tokens.append(_Token(text[at], text[at], at))
            at += 1
            continue
        match = _TERM.match(text, at)
        if match is None:
            raise _refused("a quote is not closed", at)
        tokens.append(_word(match.group(), at))
        at = match.end()
        if at < len(text) and text[at] == '"':
            raise _refused("a quote is not closed", at)
    if len(tokens) > _MOST_TOKENS:
        raise _refused(f"there are more than {_MOST_TOKENS} terms")
    return [*tokens, _Token("end", "", len(text))]


def _word(raw: str, at: int) -> _Token:
    if raw in ("AND", "OR"):
        return _Token(raw, raw, at)
    if raw == "NOT":
        raise _refused("NOT is not part of the language", at)
    text = "".join(
        escaped or _ESCAPE.sub(r"\1", quoted) or bare
        for escaped, quoted, bare in _PIECE.findall(raw)
    )
    if not text:
        raise _refused("a term is empty", at)
    return _Token("term", text, at)


class _Parser:
    """Recursive descent: either := both (OR both)*; both := one (AND? one)*."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def parse(self) -> Test:
        test = self._either(0)
        self._expect("end")
        return test

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _kind(self) -> str:
        return self._tokens[self._next].kind

    def _expect(self, kind: str) -> None:
        token = self._take()
        if token.kind != kind:
            name = "the end" if token.kind == "end" else f"'{token.text}'"
            raise _refused(f"{name} does not belong here", token.position)

    def _either(self, depth: int) -> Test:
        tests = [self._both(depth)]
        while self._kind() == "OR":
            self._take()
            tests.append(self._both(depth))
        return tests[0] if len(tests) == 1 else lambda task: any(test(task) for test in tests)

    def _both(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._kind() in ("AND", "term", "("):
            if self._kind() == "AND":
                self._take()
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda task: all(test(task) for test in tests)

    def _one(self, depth: int) -> Test:
        if self._kind() == "(":
            if depth >= _DEEPEST:
                raise _refused(f"groups nest deeper than {_DEEPEST}")
            self._take()
            test = self._either(depth + 1)
            self._expect(")")
            return test
        token = self._tokens[self._next]
        self._expect("term")
        return _term(token)


def _term(token: _Token) -> Test:
    field, value = None, token.text
    qualifier, colon, rest = value.partition(":")
    if colon and qualifier.casefold() in _QUALIFIERS:
        field, value = qualifier.casefold(), rest
    elif value.startswith("-"):
        raise _refused("a leading '-' is not part of the language", token.position)
    if not value:
        raise _refused(f"'{token.text}' lacks a value", token.position)
    exact = field == "state" or (field == "kwargs" and "=" in value)
    if not exact and len(value.strip()) < SHORTEST:
        raise _refused(f"'{value}' is shorter than {SHORTEST} characters", token.position)
    return _test(field, value.casefold())


def _test(field: str | None, value: str) -> Test:
    if field is None:
        return lambda task: any(value in fold(getattr(task, name)) for name in FIELDS)
    if field == "state":
        return lambda task: fold(task.state) == value
    if field == "kwargs" and "=" in value:
        key, _, item = value.partition("=")
        return _keyword(key.strip(), item.strip())
    return lambda task: value in fold(getattr(task, field))


def _keyword(key: str, item: str) -> Test:
    def test(task: Task) -> bool:
        # Most tasks lack the key; only the others are worth reading as Python.
        if key not in fold(task.kwargs):
            return False
        return (key, item) in _folded(task.kwargs)

    return test


def _folded(kwargs: str | None) -> list[tuple[str, str]]:
    """Read the repr of keyword arguments; empty when it is cut off or no plain Python."""
    try:
        read = ast.literal_eval(kwargs or "")
        if not isinstance(read, dict):
            return []
        return [(fold(name), fold(value)) for name, value in read.items()]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return []  # among them an integer that is too long to be written down


def fold(value: object) -> str:
    """Bring a value into the form in which case does not matter."""
    return "" if value is None else str(value).casefold()
