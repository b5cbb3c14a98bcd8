"""How a text is compared with the patterns of a query, in memory as on disk. Pure.

Every test takes time linear in the text that it reads. None, for unknown, passes none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from celeryscope.model.query import Pattern

ValueTest = Callable[[str | None], bool]

SHORTEST_ID = 8
_MOST_OCCURRENCES = 16
#: A value in a repr: a string, a flat list or the like, or all up to the next comma.
_VALUE = re.compile(
    r"""\s*+(?: '((?:[^'\\]|\\.)*+)' | "((?:[^"\\]|\\.)*+)" | ([\[(][^\[\](){}]*+[\])] | [^,}]*+) )""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def match(key: str, values: Iterable[Pattern]) -> ValueTest:
    """Make the test of the values of a field."""
    folded = [tuple(part.casefold() for part in pattern) for pattern in values]
    whole = frozenset(pattern[0] for pattern in folded if len(pattern) == 1)
    globs = [glob(pattern) for pattern in folded if len(pattern) > 1]
    loosely = _LOOSELY.get(key, _is_whole)

    def test(value: str | None) -> bool:
        if value is None:
            return False
        text = value.casefold()
        if whole and loosely(text, whole):
            return True
        if not globs:
            return False
        texts = _node_names(text) if key == "worker" else (text,)
        return any(fits(one) for fits in globs for one in texts)

    return test


def keyword(name: str, values: Iterable[Pattern]) -> ValueTest:
    """Make the test that looks for a name and its value in the repr of keyword arguments.

    The repr may be cut off, and hold what is no plain Python; so it is not evaluated. A key
    of a dict within counts as a name, too.
    """
    patterns = [tuple(part.casefold() for part in pattern) for pattern in values]
    wanted = [glob(p) if len(p) > 1 else p[0].__eq__ for p in patterns]
    hints = [max(pattern, key=len) for pattern in patterns]
    hinted = all(map(_is_same_in_a_repr, hints))
    written = name.casefold()
    keys = tuple({f"{written!r}:", f"'{written}':", f'"{written}":'})

    def test(kwargs: str | None) -> bool:
        if kwargs is None:
            return False
        text = kwargs.casefold()
        if hinted:
            for hint in hints:
                if hint in text:
                    break
            else:
                return False
        return any(
            is_wanted(value)
            for key in keys
            if key in text
            for value in _values(text, key)
            for is_wanted in wanted
        )

    return test


def _is_whole(text: str, wanted: frozenset[str]) -> bool:
    return text in wanted


def _is_name(text: str, wanted: frozenset[str]) -> bool:
    return text in wanted or any(text.endswith("." + end) for end in wanted)


def _is_node(text: str, wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(_node_names(text))


def _is_id(text: str, wanted: frozenset[str]) -> bool:
    return text in wanted or any(
        len(begin) >= SHORTEST_ID and text.startswith(begin) for begin in wanted
    )


def _is_within(text: str, wanted: frozenset[str]) -> bool:
    return any(part in text for part in wanted)


def _node_names(text: str) -> tuple[str, str, str]:
    """What a worker may be called: `celery@host`, `celery` or `host`."""
    name, _, host = text.partition("@")
    return text, name, host


#: How a value without wildcards is compared, where it need not be the whole.
_LOOSELY: dict[str, Callable[[str, frozenset[str]], bool]] = {
    "name": _is_name,
    "worker": _is_node,
    "uuid": _is_id,
    **dict.fromkeys(("args", "kwargs", "result", "exception"), _is_within),
}


def glob(pattern: Pattern) -> Callable[[str], bool]:
    """Make the test of a whole text by the parts between its wildcards, of which there is one at
    least: each part is looked for once, from left to right."""
    first, *middle, last = pattern
    shortest = sum(map(len, pattern))

    def test(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in middle:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def _is_same_in_a_repr(text: str) -> bool:
    return text.isprintable() and not any(char in text for char in "'\"\\")


def _values(text: str, key: str) -> Iterable[str]:
    at = 0
    for _ in range(_MOST_OCCURRENCES):
        at = text.find(key, at)
        if at < 0:
            return
        at += len(key)
        found = _VALUE.match(text, at)
        if found is not None:
            one, other, bare = found.groups()
            quoted = one if one is not None else other
            yield bare.rstrip() if quoted is None else _ESCAPED.sub(r"\1", quoted)
