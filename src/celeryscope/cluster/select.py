"""Queries on the tasks in memory: which match, and how many there are of each kind. Pure.

Every test takes time linear in the texts that it reads. Tasks may change while they are looked
at; no lock is needed, and what changes meanwhile is counted as it was or as it is.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from operator import attrgetter
from typing import NamedTuple, TypeVar

from celeryscope.model import query as language
from celeryscope.model.fingerprint import fingerprint
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
)
from celeryscope.model.task import FAILURE, STARTED, Task

Test = Callable[[Task], bool]

#: The fields that are counted by value.
FACETS = ("state", "name", "worker", "queue")
MOST_VALUES = 30
_MOST_REMEMBERED = 10_000  # values whose verdict is kept

_K = TypeVar("_K")
_V = TypeVar("_V")

#: By field: (value, tasks with it), most first.
Facets = Mapping[str, list[tuple[str, int]]]


class Look(NamedTuple):
    """What a query finds, in numbers."""

    total: int
    facets: Facets


class Found(NamedTuple):
    """What a query finds."""

    tasks: list[Task]  # in the order they were given in
    facets: Facets


def find(tasks: Iterable[Task], query: Query, now: float) -> Found:
    """Give the tasks that match at `now` (epoch seconds), and count."""
    sieve = _Sieve(query, now)
    sieve.take(tasks)
    return Found(sieve.matching, sieve.facets())


def look(tasks: Iterable[Task], query: Query, now: float) -> Look:
    """Count the tasks that match at `now`, and by value those that would, were a field free.

    For each field what the query asks of it at the top is left out of that field's counts.
    """
    sieve = _Sieve(query, now)
    sieve.take(tasks)
    return Look(len(sieve.matching), sieve.facets())


def compile(query: Query, now: float) -> Test:
    """Make the test that a task has to pass at `now` (epoch seconds)."""
    return _test(query, now)[1]


# ---------------------------------------------------------------------- counting


class _Asked:
    """What a query asks of one of the counted fields at the top."""

    def __init__(self, field: str, query: Query) -> None:
        self.get: Callable[[Task], str | None] = attrgetter(field)
        self.passes = _Memory(_value_test(query))
        self.missed: list[Task] = []  # tasks that would match, were this field free


class _Sieve:
    """A query in parts: what it asks of each of the counted fields, and the rest.

    A task counts for the query when it passes all, and for one field's values also when it
    passes all but what is asked of that field; so two fields that fail settle it.
    """

    def __init__(self, query: Query, now: float) -> None:
        parts = language.split(query)
        self._asked = {field: _Asked(field, parts.pop(field)) for field in FACETS if field in parts}
        rest = language.all_of(parts.values())
        self._rest = None if rest == language.EVERYTHING else compile(rest, now)
        self.matching: list[Task] = []

    def take(self, tasks: Iterable[Task]) -> None:
        rest, matching = self._rest, self.matching
        if not self._asked:
            matching.extend(tasks if rest is None else filter(rest, tasks))
            return
        asked = [(one.passes, one.get, one.missed) for one in self._asked.values()]
        for task in tasks:
            into = matching
            for passes, get, missed in asked:
                if not passes[get(task)]:
                    if into is not matching:
                        break
                    into = missed
            else:
                if rest is None or rest(task):
                    into.append(task)

    def facets(self) -> Facets:
        return {field: self._counts(field) for field in FACETS}

    def _counts(self, field: str) -> list[tuple[str, int]]:
        asked = self._asked.get(field)
        tasks = self.matching if asked is None else chain(self.matching, asked.missed)
        counts: Counter[str | None] = Counter(map(attrgetter(field), tasks))
        known = ((value, count) for value, count in counts.items() if value is not None)
        return heapq.nsmallest(MOST_VALUES, known, key=lambda pair: (-pair[1], pair[0]))


class _Memory(dict[_K, _V]):
    """What a function said of each value, up to some number of values."""

    def __init__(self, ask: Callable[[_K], _V]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, key: _K) -> _V:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        told = self[key] = self._ask(key)
        return told


# ---------------------------------------------------------------------- tests of tasks


def _test(query: Query, now: float) -> tuple[int, Test]:
    """Make the test, and say roughly what it costs: what is cheap is asked first."""
    match query:
        case And(terms):
            return _joined([_test(term, now) for term in terms], _all)
        case Or(terms):
            return _joined([_test(term, now) for term in terms], _any)
        case Not(term):
            cost, test = _test(term, now)
            return cost, lambda task: not test(task)
        case Text(text):
            return 30, _anywhere(text.casefold())
        case Match(key, values):
            return _field_test(key, values)
        case Keyword(name, values):
            has = keyword(name, values)
            return 20, lambda task: has(task.kwargs)
        case Compare():
            return 2, _compare_test(query, now)
        case Ago(key, seconds):
            return 1, _time_test(key, now - seconds)
        case At(key, time):
            return 1, _time_test(key, time)


def _joined(parts: list[tuple[int, Test]], join: Callable[[list[Test]], Test]) -> tuple[int, Test]:
    parts.sort(key=lambda part: part[0])
    tests = [test for _, test in parts]
    return sum(cost for cost, _ in parts), tests[0] if len(tests) == 1 else join(tests)


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        one, other = tests
        return lambda task: one(task) and other(task)

    def test(task: Task) -> bool:
        for passes in tests:  # noqa: SIM110 - all() of a generator takes twice as long
            if not passes(task):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    if len(tests) == 2:
        one, other = tests
        return lambda task: one(task) or other(task)

    def test(task: Task) -> bool:
        for passes in tests:  # noqa: SIM110
            if passes(task):
                return True
        return False

    return test


_texts: Callable[[Task], tuple[str | None, ...]] = attrgetter(
    "name", "uuid", "args", "kwargs", "result", "exception", "traceback"
)


def _anywhere(needle: str) -> Test:
    def test(task: Task) -> bool:
        for text in _texts(task):  # noqa: SIM110
            if text is not None and needle in text.casefold():
                return True
        return False

    return test


_ATTRIBUTES = {"root": "root_id"}
#: Fields in which many tasks have the same value.
_SHARED = frozenset({"state", "name", "worker", "queue", "client"})
_LONG = frozenset({"args", "kwargs", "result", "exception"})


def _field_test(key: str, values: Iterable[Pattern]) -> tuple[int, Test]:
    if key == "fingerprint":
        fits = match(key, values)
        return 40, lambda task: fits(_fingerprint(task))
    get = _parent if key == "parent" else attrgetter(_ATTRIBUTES.get(key, key))
    passes = match(key, values)
    if key in _SHARED:
        known = _Memory(passes)
        return 1, lambda task: known[get(task)]
    return 10 if key in _LONG else 3, lambda task: passes(get(task))


def _parent(task: Task) -> str | None:
    """Give who sent a task; a retry is sent by the task itself."""
    return None if task.parent_id == task.uuid else task.parent_id


def _fingerprint(task: Task) -> str | None:
    """Give what a failure is known by; of other tasks nothing."""
    return fingerprint(task.exception, task.traceback) if task.state == FAILURE else None


def _compare_test(query: Compare, now: float) -> Test:
    low = -math.inf if query.low is None else query.low
    high = math.inf if query.high is None else query.high
    if query.low is not None and query.bounds[0] == "(":
        low = math.nextafter(low, math.inf)
    if query.high is not None and query.bounds[1] == ")":
        high = math.nextafter(high, -math.inf)

    if query.key == "runtime":

        def runtime(task: Task) -> bool:
            value = task.ran
            if value is None:
                started = task.started
                if started is None or task.state != STARTED:
                    return False
                value = now - started
            return low <= value <= high

        return runtime

    get: Callable[[Task], float | None] = attrgetter(query.key)

    def test(task: Task) -> bool:
        value = get(task)
        return value is not None and low <= value <= high

    return test


def _time_test(key: str, time: float) -> Test:
    if key == "since":
        return lambda task: task.state_at >= time
    return lambda task: task.state_at < time


# ---------------------------------------------------------------------- tests of values


def _value_test(query: Query) -> ValueTest:
    """Make a test of values of a query that asks for one field by nothing but `Match`."""
    match query:
        case And(terms):
            tests = [_value_test(term) for term in terms]
            return lambda value: all(test(value) for test in tests)
        case Or(terms):
            tests = [_value_test(term) for term in terms]
            return lambda value: any(test(value) for test in tests)
        case Not(term):
            passes = _value_test(term)
            return lambda value: not passes(value)
        case Match(key, values):
            return match(key, values)
    raise AssertionError(f"{query} does not ask for a field")
