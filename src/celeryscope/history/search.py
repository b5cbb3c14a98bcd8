"""A query as SQL: which rows are wanted, and which blocks of rows cannot have any. Pure.

`compile` gives a condition for the rows of `task AS t`, with parameters, that is never NULL, so
that NOT is simply not. Words that many tasks share are compared here, once for each word that
there is, and asked for by number. Long texts are compared by `passes0(…)` and so on, functions that the
connection must have: it is `tests[i]`. Beside it stands what a block must have (`Need`); it may
say too much of a block, never too little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from celeryscope.history import signature
from celeryscope.history.record import microseconds
from celeryscope.model.matching import ValueTest, keyword, match
from celeryscope.model.query import (
    Ago,
    And,
    At,
    Compare,
    Keyword,
    Match,
    Not,
    Or,
    Pattern,
    Query,
    Text,
    TimeKey,
)

#: By kind of word: its number and the word.
Words = Mapping[str, Mapping[int, str]]
#: A test of the values that `passes` is given.
RowTest = Callable[..., bool]

COLUMNS = ("state", "name", "worker", "queue", "client")  # words, facts of a block's signature
PAIRS = (("name", "worker"), ("name", "state"), ("worker", "state"), ("queue", "state"),
         ("name", "queue"))  # fmt: skip
_MOST_ASKED = 64  # facts that one part of a query asks for
_MOST_POWER = 40  # of milliseconds
STARTED_ID, RETRY_ID, FAILURE_ID, REVOKED_ID = 3, 4, 6, 7
#: How long a task ran (`Task.ran`), or has; what is before `t.at` is the time up to its end.
_RAN = (
    "ifnull(t.runtime, CASE WHEN t.state IN (4, 6, 7) THEN max(0, t.started) "
    "WHEN t.state = 3 THEN ? - (t.at - t.started) END)"
)

_IN_TRACEBACK = (
    "(t.flags & 8 AND ifnull("
    "(SELECT passes{}(unpacked(b.text)) FROM traceback AS b WHERE b.seq = t.seq), 0))"
)


class Bits(NamedTuple):
    """The signature has all of these."""

    bits: tuple[int, ...]


class Zone(NamedTuple):
    """Some value of the column is within; microseconds, or a number."""

    column: str  # at, runtime, wait, retries
    low: float
    high: float


class All(NamedTuple):
    needs: tuple[Need, ...]


class Any_(NamedTuple):
    """At least one; of none: no block has it."""

    needs: tuple[Need, ...]


Need = Bits | Zone | All | Any_
ANY_BLOCK: Need = All(())


class Condition(NamedTuple):
    """What to ask the database."""

    sql: str
    parameters: tuple[int | str | bytes, ...]
    tests: tuple[RowTest, ...]
    need: Need


def compile(query: Query, now: float, words: Words) -> Condition:
    """Make the condition at `now` (epoch seconds). The words are those that there are."""
    compiler = _Compiler(microseconds(now), words)
    sql = compiler.sql(query)
    return Condition(sql, tuple(compiler.parameters), tuple(compiler.tests), compiler.need(query))


class _Compiler:
    def __init__(self, now: int, words: Words) -> None:
        self.now = now
        self.words = words
        self.parameters: list[int | str | bytes] = []
        self.tests: list[RowTest] = []

    # ------------------------------------------------------------------ rows

    def sql(self, query: Query) -> str:
        match query:
            case And(terms):
                return _joined(" AND ", "1", map(self.sql, sorted(terms, key=_cost)))
            case Or(terms):
                return _joined(" OR ", "0", map(self.sql, sorted(terms, key=_cost)))
            case Not(term):
                return f"NOT {self.sql(term)}"
            case Text(text):
                return self._anywhere(text)
            case Match(key, values):
                return self._match(key, values)
            case Keyword(name, values):
                return self._passes(_of_first(keyword(name, values)), "t.kwargs")
            case Compare():
                return self._compare(query)
            case Ago() | At():
                sign = ">=" if query.key == "since" else "<"
                self.parameters.append(self._time(query))
                return f"(t.at {sign} ?)"

    def _match(self, key: str, values: tuple[Pattern, ...]) -> str:
        if key in COLUMNS:
            return self._is_one_of(key, self._ids(key, values))
        test: Callable[[str | None], bool] = match(key, values)
        if key == "uuid":
            return self._passes(lambda uuid: test(id_text(uuid)), "t.uuid")
        if key == "parent":
            return self._passes(
                lambda parent: parent is not None and test(id_text(parent)), "t.parent"
            )
        if key == "root":
            return self._passes(
                lambda root, uuid, flags: test(root_text(root, uuid, flags)),
                "t.root, t.uuid, t.flags",
            )
        return self._passes(_of_first(test), f"t.{key}")

    def _is_one_of(self, column: str, ids: Iterable[int]) -> str:
        numbers = ", ".join(map(str, ids))
        return f"(ifnull(t.{column}, 0) IN ({numbers}))"

    def _anywhere(self, text: str) -> str:
        needle = text.casefold()
        names = [i for i, word in self._of_kind("name") if needle in word.casefold()]
        in_ids = _may_be_in_a_uuid(needle)

        def test(uuid: bytes | str, *texts: str | None) -> bool:
            for one in texts:
                if one is not None and needle in one.casefold():
                    return True
            if isinstance(uuid, bytes):
                return in_ids and needle in id_text(uuid)
            return needle in uuid.casefold()

        def within(traceback: str | None) -> bool:
            return traceback is not None and needle in traceback.casefold()

        columns = "t.uuid, t.args, t.kwargs, t.result, t.exception"
        parts = [self._is_one_of("name", names)] if names else []
        parts.append(self._passes(test, columns))
        parts.append(_IN_TRACEBACK.format(self._test(within)))
        return _joined(" OR ", "0", parts)

    def _compare(self, query: Compare) -> str:
        low, high = _bounds(query)
        if query.key == "runtime":
            self.parameters.append(self.now)
            value = _RAN
        else:
            value = f"t.{query.key}"
        self.parameters += [low, high]
        return f"ifnull({value} BETWEEN ? AND ?, 0)"

    def _passes(self, test: RowTest, columns: str) -> str:
        return f"passes{self._test(test)}({columns})"

    def _test(self, test: RowTest) -> int:
        self.tests.append(test)
        return len(self.tests) - 1

    def _ids(self, key: str, values: tuple[Pattern, ...]) -> list[int]:
        test = match(key, values)
        return [number for number, word in self._of_kind(key) if test(word)]

    def _of_kind(self, kind: str) -> list[tuple[int, str]]:
        return list(self.words.get(kind, {}).items())  # others may add to them

    def _time(self, query: Ago | At) -> int:
        return (
            self.now - microseconds(query.seconds)
            if isinstance(query, Ago)
            else microseconds(query.time)
        )

    # ------------------------------------------------------------------ blocks

    def need(self, query: Query) -> Need:
        match query:
            case And(terms):
                return All((*map(self.need, terms), *self._together(terms)))
            case Or(terms):
                return Any_(tuple(map(self.need, terms)))
            case Not(term):
                return self._need_of_not(term)
            case Text(text):
                return _need_of_text(text)
            case Match(key, values):
                return self._need_of_match(key, values)
            case Keyword(name, values):
                literal = repr(name.casefold())[1:-1] == name.casefold() and "'" not in name
                return Bits(signature.of_needle(name)) if literal else ANY_BLOCK
            case Compare():
                return _need_of_bounds(query)
            case Ago() | At():
                time = self._time(query)
                since = query.key == "since"
                return Zone("at", time if since else -math.inf, math.inf if since else time - 1)

    def _need_of_match(self, key: str, values: tuple[Pattern, ...]) -> Need:
        if key in COLUMNS:
            return _facts([(key, number) for number in self._ids(key, values)])
        if key in ("root", "parent"):
            if any(len(pattern) > 1 for pattern in values):
                return ANY_BLOCK
            facts = _facts([(key, pattern[0].casefold()) for pattern in values])
            if key == "parent":
                return facts
            # of the root itself nothing is noted but its id
            return Any_((facts, *(_need_of_pattern(pattern) for pattern in values)))
        return Any_(tuple(_need_of_pattern(pattern) for pattern in values))

    def _need_of_not(self, term: Query) -> Need:
        if isinstance(term, Match) and term.key in COLUMNS:
            return _facts([(term.key, number) for number in self._others(term)])
        if isinstance(term, Ago | At):
            turned: TimeKey = "until" if term.key == "since" else "since"
            if isinstance(term, Ago):
                return self.need(Ago(turned, term.seconds))
            return self.need(At(turned, term.time))
        return ANY_BLOCK

    def _others(self, term: Match) -> list[int]:
        wanted = set(self._ids(term.key, term.values))
        return [0, *(number for number, _ in self._of_kind(term.key) if number not in wanted)]

    def _together(self, terms: tuple[Query, ...]) -> list[Need]:
        """Ask for what must be true of one and the same task, where a block tells."""
        asked: dict[str, list[int]] = {}
        for term in terms:
            if isinstance(term, Match) and term.key in COLUMNS:
                asked[term.key] = self._ids(term.key, term.values)
            elif isinstance(term, Not) and isinstance(term.term, Match):
                asked.setdefault(term.term.key, self._others(term.term))
        needs: list[Need] = [
            _facts([(one, other, i, j) for i in asked[one] for j in asked[other]])
            for one, other in PAIRS
            if one in asked and other in asked
        ]
        for term in terms:
            if isinstance(term, Compare) and term.key == "runtime" and "name" in asked:
                low, high = _bounds(term)
                powers = range(power(low), power(high) + 1)
                ran = _facts([("ran", i, j) for i in asked["name"] for j in powers])
                runs = _facts([("name", "state", i, STARTED_ID) for i in asked["name"]])
                needs.append(Any_((ran, runs)))
        return needs


def _need_of_bounds(query: Compare) -> Need:
    low, high = _bounds(query)
    zone = Zone(query.key, low, high)
    if query.key != "runtime" or low > high or high < 0:
        return zone
    first, last = fine_power(low), fine_power(high)
    if last - first >= _MOST_ASKED:
        return zone
    ran = _facts([("ran", step) for step in range(first, last + 1)])
    return All((zone, Any_((ran, _facts([("state", STARTED_ID)])))))


def power(microseconds: int) -> int:
    """Give the power of two of a run time, in rough milliseconds."""
    return min((max(microseconds, 0) // 1000).bit_length(), _MOST_POWER)


def fine_power(microseconds: int) -> int:
    """Give the power of two of a run time, in 64 steps each."""
    microseconds = max(microseconds, 0)
    size = microseconds.bit_length()
    return size * 64 + (microseconds << 7 >> size & 63)


def id_text(uuid: bytes | str) -> str:
    """Write an id as Celery does."""
    if isinstance(uuid, str):
        return uuid
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def root_text(root: bytes | str | None, uuid: bytes | str, flags: int) -> str | None:
    """Write a task's root, which is itself where it is known and none is noted."""
    if root is None:
        return id_text(uuid) if flags & 32 else None
    return id_text(root)


def _facts(facts: list[tuple[object, ...]]) -> Need:
    if len(facts) > _MOST_ASKED:
        return ANY_BLOCK
    return Any_(tuple(Bits(signature.of_fact(*fact)) for fact in facts))


def _need_of_text(text: str) -> Need:
    return Bits(signature.of_needle(text))


def _need_of_pattern(pattern: Pattern) -> Need:
    return All(tuple(_need_of_text(part) for part in pattern))


def _bounds(query: Compare) -> tuple[int, int]:
    scale = microseconds if query.key != "retries" else int
    low = -(2**62) if query.low is None else scale(query.low) + (query.bounds[0] == "(")
    high = 2**62 if query.high is None else scale(query.high) - (query.bounds[1] == ")")
    return low, high


_HEX = frozenset("0123456789abcdef-")


def _may_be_in_a_uuid(text: str) -> bool:
    return len(text) <= 36 and _HEX.issuperset(text)


def _of_first(test: ValueTest) -> RowTest:
    return test


def _cost(query: Query) -> int:
    match query:
        case And(terms) | Or(terms):
            return sum(map(_cost, terms))
        case Not(term):
            return _cost(term)
        case Text():
            return 30
        case Keyword():
            return 20
        case Match(key):
            return 1 if key in COLUMNS else 10
    return 1


def _joined(word: str, empty: str, parts: Iterable[str]) -> str:
    listed = list(parts)
    return f"({word.join(listed)})" if listed else empty
