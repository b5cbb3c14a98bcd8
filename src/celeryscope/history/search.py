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
from celeryscope.history.record import microseconds, names_of
from celeryscope.model.actor import Scope
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
#: Says whether the task of an id, as it is stored, is one of those that somebody may see.
HasId = Callable[[bytes], bool]

COLUMNS = ("state", "name", "worker", "queue", "client")  # words, facts of a block's signature
PAIRS = (("name", "worker"), ("name", "state"), ("worker", "state"), ("queue", "state"),
         ("name", "queue"))  # fmt: skip
_MOST_ASKED = 64  # facts that one part of a query asks for
_MOST_POWER = 40  # of milliseconds
STARTED_ID, RETRY_ID, FAILURE_ID, REVOKED_ID = 3, 4, 6, 7
#: How long a task ran (`Task.ran`), or has: what is before `t.at` is the time up to its end.
_SINCE_START = "CASE WHEN t.started < 0 THEN 0 ELSE t.started END"
RAN = f"coalesce(t.runtime, CASE WHEN t.state IN (4, 6, 7) THEN {_SINCE_START} END)"
_RUNTIME = (
    f"coalesce(t.runtime, CASE WHEN t.state IN (4, 6, 7) THEN {_SINCE_START} "
    "WHEN t.state = 3 THEN ? - (t.at - t.started) END)"
)

#: A task's traceback; NULL where it has none.
TRACEBACK = "unpacked((SELECT b.text FROM traceback AS b WHERE b.seq = t.seq))"


#: What was told of a task that took the place of another one (`rows.RENAMED`); NULL of others.
RENAMED = "unpacked((SELECT l.told FROM life AS l WHERE l.seq = t.seq AND (t.flags & 256) <> 0))"

_FAILED_SO = "EXISTS (SELECT 1 FROM failure AS f WHERE f.seq = t.seq AND f.fingerprint IN ({}))"


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
    columns: tuple[str, ...] = ()  # of each test, what it is given
    denied: frozenset[int] = frozenset()  # tests that rule out a row by passing


def compile(
    query: Query,
    now: float,
    words: Words,
    *,
    scope: Scope | None = None,
    has_id: HasId = lambda _: True,
) -> Condition:
    """Make the condition at `now` (epoch seconds). The words are those that there are.

    `scope` limits it to the tasks that somebody may see. `root:` and `parent:` then find nothing
    by the ids of others, as `has_id` tells them.
    """
    compiler = _Compiler(microseconds(now), words, limits(scope, words), has_id)
    sql = compiler.sql(query)
    for column, numbers in compiler.limits.items():
        sql = f"({is_one_of(column, numbers)} AND {sql})"
    if scope is not None and "name" in compiler.limits:
        sql = f"({sql} AND {compiler.had_names_of(scope)})"
    terms = query.terms if isinstance(query, And) else (query,)
    need = compiler.need(And(terms)) if compiler.limits else compiler.need(query)
    asked = [_facts([(column, n) for n in ns]) for column, ns in compiler.limits.items()]
    return Condition(
        sql,
        tuple(compiler.parameters),
        tuple(compiler.tests),
        All((need, *asked)) if asked else need,
        tuple(compiler.columns),
        frozenset(compiler.denied),
    )


def limits(scope: Scope | None, words: Words) -> dict[str, list[int]]:
    """Give the numbers of the names, and of the queues, that somebody is limited to."""
    found: dict[str, list[int]] = {}
    if scope is not None:
        for column, has in (("name", scope.has_name), ("queue", scope.has_queue)):
            if not has(None):
                known = list(words.get(column, {}).items())  # others may add to them
                found[column] = [number for number, word in known if has(word)]
    return found


def is_one_of(column: str, numbers: Iterable[int]) -> str:
    """Write that a word of `task AS t` is one of these; 0 stands for none."""
    listed = ", ".join(map(str, numbers)) or "-1"
    return f"(coalesce(t.{column}, 0) IN ({listed}))"


class _Compiler:
    def __init__(
        self, now: int, words: Words, limits: Mapping[str, list[int]], has_id: HasId
    ) -> None:
        self.now = now
        self.words = words
        self.limits = limits
        self.has_id = has_id
        self.parameters: list[int | str | bytes] = []
        self.tests: list[RowTest] = []
        self.columns: list[str] = []
        self.denied: set[int] = set()
        self._denies = False

    def had_names_of(self, scope: Scope) -> str:
        """Write that a task did not take the place of one that is not theirs."""

        def test(told: str | None) -> bool:
            return told is None or all(map(scope.has_name, names_of(told)))

        return f"((t.flags & 256) = 0 OR {self._passes(test, RENAMED)})"

    # ------------------------------------------------------------------ rows

    def sql(self, query: Query) -> str:
        match query:
            case And(terms):
                return _joined(" AND ", "TRUE", map(self.sql, sorted(terms, key=_cost)))
            case Or(terms):
                return _joined(" OR ", "FALSE", map(self.sql, sorted(terms, key=_cost)))
            case Not(term):
                self._denies = not self._denies
                sql = self.sql(term)
                self._denies = not self._denies
                return f"NOT {sql}"
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
            return is_one_of(key, self._ids(key, values))
        if key == "fingerprint":
            numbers = ", ".join(map(str, self._ids(key, values))) or "-1"
            return _FAILED_SO.format(numbers)
        test: Callable[[str | None], bool] = match(key, values)
        if key == "uuid":
            return self._passes(lambda uuid: test(id_text(uuid)), "t.uuid")
        has_id = self.has_id if self.limits else (lambda _: True)
        if key == "parent":
            return self._passes(
                lambda parent: parent is not None and test(id_text(parent)) and has_id(parent),
                "t.parent",
            )
        if key == "root":
            return self._passes(
                lambda root, uuid, flags: (
                    test(root_text(root, uuid, flags)) and (root is None or has_id(root))
                ),
                "t.root, t.uuid, t.flags",
            )
        return self._passes(_of_first(test), f"t.{key}")

    def _anywhere(self, text: str) -> str:
        needle = text.casefold()
        names = [i for i, word in self._of_kind("name") if needle in word.casefold()]
        in_ids = _may_be_in_a_uuid(needle)

        def test(uuid: bytes, *texts: str | None) -> bool:
            for one in texts:
                if one is not None and needle in one.casefold():
                    return True
            if is_uuid(uuid):
                return in_ids and needle in id_text(uuid)
            return needle in id_text(uuid).casefold()

        def within(traceback: str | None) -> bool:
            return traceback is not None and needle in traceback.casefold()

        columns = "t.uuid, t.args, t.kwargs, t.result, t.exception"
        parts = [is_one_of("name", names)] if names else []
        parts.append(self._passes(test, columns))
        parts.append(f"((t.flags & 8) <> 0 AND {self._passes(within, TRACEBACK)})")
        return _joined(" OR ", "FALSE", parts)

    def _compare(self, query: Compare) -> str:
        low, high = _bounds(query)
        if query.key == "runtime":
            self.parameters.append(self.now)
            value = _RUNTIME
        else:
            value = f"t.{query.key}"
        self.parameters += [low, high]
        return f"coalesce({value} BETWEEN ? AND ?, FALSE)"

    def _passes(self, test: RowTest, columns: str) -> str:
        number = len(self.tests)
        self.tests.append(test)
        self.columns.append(columns)
        if self._denies:
            self.denied.add(number)
        return f"passes{number}({columns})"

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
        if key in COLUMNS or key == "fingerprint":
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
        asked: dict[str, list[int]] = dict(self.limits)
        for term in terms:
            if isinstance(term, Match) and term.key in COLUMNS:
                ids = self._ids(term.key, term.values)
                theirs = self.limits.get(term.key)
                asked[term.key] = ids if theirs is None else [i for i in ids if i in theirs]
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


def is_uuid(uuid: bytes) -> bool:
    """Say whether a stored id is a UUID, and not some other text."""
    return len(uuid) == 16


def id_text(uuid: bytes) -> str:
    """Write a stored id as Celery does (`rows.id_key` is its inverse)."""
    if not is_uuid(uuid):
        return uuid.lstrip(b"\xff").decode("utf-8", "surrogatepass")
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def root_text(root: bytes | None, uuid: bytes, flags: int) -> str | None:
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
    """Give the least and the greatest that is within: whole microseconds, or retries."""
    low, high = query.low, query.high
    if query.key == "retries":  # a half is nobody's, but within the type
        least = -(2**62) if low is None else math.ceil(low)
        most = 2**62 if high is None else math.floor(high)
    else:
        least = -(2**62) if low is None else microseconds(low)
        most = 2**62 if high is None else microseconds(high)
        low, high = float(least), float(most)
    open_below = query.low is not None and query.bounds[0] == "(" and least == low
    open_above = query.high is not None and query.bounds[1] == ")" and most == high
    return least + open_below, most - open_above


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
