"""Regular expressions that some text would keep busy for ever, found before they meet it.

Python's `re` tries every way in which nested repetitions can share out a text, and nothing can
interrupt it. So a pattern in which that may happen is tried on short texts made from its own parts,
by a process of its own that has a second of the processor's time for each. What is found so is
certain; that nothing is found is no proof.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import re._constants as code  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

_TRY_SECONDS: Final = 1.0  # of the processor, for one text
_PATIENCE_SECONDS: Final = 60.0  # on a busy machine
#: 2 to the power of the first never ends; the cube of the second takes some seconds.
_SHORT, _LONG = 60, 1_500
_MOST_LETTERS = 10
_MOST_PLACES = 8
_MANY = 8  # repetitions: fewer do no harm
_END = " \n\0"  # what few classes have all of
_POOL = "a0 _-./:=@A\"'\n,é"
_REPEATS = (code.MAX_REPEAT, code.MIN_REPEAT)
_GROUPS = (code.SUBPATTERN, code.ATOMIC_GROUP, code.ASSERT, code.ASSERT_NOT)

#: Tells the number of each text before it is tried. SIGPROF ends it when its time is up.
_TRIES = """
import json, re, signal, sys
pattern, flags, seconds, texts = json.load(sys.stdin)
tried = re.compile(pattern, flags)
for number, text in enumerate(texts):
    print(number, flush=True)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    tried.sub("***", text)
"""


@lru_cache(maxsize=64)
def stalled_by(pattern: re.Pattern[str], *, seconds: float = _TRY_SECONDS) -> str | None:
    """Give the beginning of a text that takes a pattern longer than `seconds` of the processor.

    None: none was found, or nothing could be tried.
    """
    tree = parser.parse(pattern.pattern, pattern.flags)
    if not _may_explode(tree):
        return None
    texts = list(dict.fromkeys(_texts(tree, pattern)))
    given = json.dumps([pattern.pattern, pattern.flags, seconds, texts])
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TRIES], input=given.encode(), capture_output=True,
            timeout=_PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        numbers = done.stdout.split()
        if done.returncode < 0 and numbers:
            return texts[int(numbers[-1])][:40]
    return None


def _may_explode(tree: Any) -> bool:
    """Say whether there is a repetition in a repetition, or three in all."""
    inner = list(_repeats(tree))
    return len(inner) >= 3 or any(
        most >= _MANY and (any(_repeats(body)) or any(_branches(body))) for _, most, body in inner
    )


def _repeats(tree: Any) -> Iterator[tuple[int, int, Any]]:
    """Give the repetitions that may be of several lengths, or are many."""
    for op, value in _nodes(tree):
        if op in _REPEATS and (value[0] != value[1] or value[1] >= _MANY):
            yield value


def _branches(tree: Any) -> Iterator[Any]:
    return (value for op, value in _nodes(tree) if op is code.BRANCH)


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Give each part of a pattern, those inside of others too."""
    for op, value in tree:
        yield op, value
        for part in _parts(op, value):
            yield from _nodes(part)


def _parts(op: Any, value: Any) -> list[Any]:
    if op in _REPEATS or op is code.POSSESSIVE_REPEAT:
        return [value[2]]
    if op is code.BRANCH:
        return list(value[1])
    if op is code.GROUPREF_EXISTS:
        return [part for part in value[1:] if part is not None]
    if op in _GROUPS:
        return [value if op is code.ATOMIC_GROUP else value[-1]]
    return []


# ---------------------------------------------------------------------- texts


def _texts(tree: Any, pattern: re.Pattern[str]) -> Iterator[str]:
    """Make texts that begin as the pattern does, go on with a part of it, and end as it does not."""
    letters = _letters(tree, pattern)
    places = list(dict.fromkeys(_places(tree, "", letters)))[:_MOST_PLACES]
    pairs = ["".join(pair) for pair in itertools.product(letters, repeat=2)]
    for before, body in places:
        words = dict.fromkeys(filter(None, [*_samples(body, letters), *letters]))
        for word in [*words, *pairs]:
            yield before + word * (_SHORT // len(word)) + _END
        for word in words:
            yield before + word * (_LONG // len(word)) + _END


def _letters(tree: Any, pattern: re.Pattern[str]) -> list[str]:
    """Give a few characters that the pattern tells apart."""
    found = [chr(value) for op, value in _nodes(tree) if op is code.LITERAL and value < 0x110000]
    for op, value in _nodes(tree):
        if op is code.IN:
            found += [one for one in _POOL if _is_in(one, value)][:2]
    return list(dict.fromkeys([*found[-_MOST_LETTERS:], "a", "0", " "]))


def _is_in(letter: str, items: Any) -> bool:
    """Say whether a class has a character."""
    is_negated, number = False, ord(letter)
    found = False
    for op, value in items:
        if op is code.NEGATE:
            is_negated = True
        elif op is code.LITERAL:
            found |= value == number
        elif op is code.RANGE:
            found |= value[0] <= number <= value[1]
        elif op is code.CATEGORY:
            found |= _CATEGORIES[value](letter)
    return found != is_negated


_CATEGORIES: Final[dict[Any, Callable[[str], bool]]] = {
    code.CATEGORY_DIGIT: str.isdigit,
    code.CATEGORY_NOT_DIGIT: lambda letter: not letter.isdigit(),
    code.CATEGORY_SPACE: str.isspace,
    code.CATEGORY_NOT_SPACE: lambda letter: not letter.isspace(),
    code.CATEGORY_WORD: lambda letter: letter.isalnum() or letter == "_",
    code.CATEGORY_NOT_WORD: lambda letter: not (letter.isalnum() or letter == "_"),
}


def _places(tree: Any, before: str, letters: list[str]) -> Iterator[tuple[str, Any]]:
    """Give each repetition's body, and a text that leads up to it."""
    for op, value in tree:
        if op in _REPEATS and value[1] >= _MANY:
            yield before, value[2]
        if op is not code.ASSERT_NOT:
            for part in _parts(op, value):
                yield from _places(part, before, letters)
        before += _sample([(op, value)], letters)


def _sample(tree: Any, letters: list[str]) -> str:
    return next(iter(_samples(tree, letters)), "")


def _samples(tree: Any, letters: list[str]) -> list[str]:
    """Give some texts that match a part of a pattern: one for each of its first branches."""
    found = [""]
    for op, value in tree:
        if op is code.LITERAL:
            more = [chr(value)]
        elif op is code.NOT_LITERAL:
            more = [next(one for one in _POOL if ord(one) != value)]
        elif op is code.ANY:
            more = ["a"]
        elif op is code.IN:
            more = [one for one in (*letters, *_POOL) if _is_in(one, value)][:1] or ["a"]
        elif op is code.BRANCH:
            more = [one for branch in value[1] for one in _samples(branch, letters)[:1]]
        elif op in _REPEATS or op is code.POSSESSIVE_REPEAT:
            more = [_sample(value[2], letters) * max(value[0], 1)]
        elif op in (code.SUBPATTERN, code.ATOMIC_GROUP) or (op is code.ASSERT and value[0] < 0):
            more = _samples(_parts(op, value)[0], letters)
        else:
            more = [""]
        found = [one + other for one, other in itertools.product(found, more)][:_MOST_PLACES]
    return found
