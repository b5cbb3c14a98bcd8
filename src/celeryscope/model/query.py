"""The query language of the task lists: text ↔ a tree that says which tasks are wanted.

    query := and ("OR" and)*
    and   := one ("AND"? one)*
    one   := ("-" | "NOT") one | "(" query ")" | key ":" value ("," value)* | text

`parse` and `show` are each other's inverse up to writing: `parse(show(query)) == query`. What a
tree means for a task is decided elsewhere (`cluster.select`; a database can do the same in SQL).
The page reads the same language with a twin of this module; what both must agree on stands in
`tests/fixtures/query_cases.json`. Positions count Unicode characters from 0.

As plain JSON each node is an object with its `kind`, in lower case, and its fields. A pattern is
the list of the literal texts between its wildcards: `["abc"]` is abc, `["mail.", ""]` is mail.*
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

import msgspec

from celeryscope.errors import BadQuery
from celeryscope.model.task import (
    FAILURE,
    PENDING,
    RECEIVED,
    REJECTED,
    RETRY,
    REVOKED,
    STARTED,
    SUCCESS,
)

LONGEST = 2048  # characters
MOST_TERMS = 128  # texts and values
DEEPEST = 5  # groups within each other

MatchKey = Literal[
    "state", "name", "worker", "queue", "client", "uuid", "root", "parent",
    "args", "kwargs", "result", "exception", "fingerprint",
]  # fmt: skip
CompareKey = Literal["runtime", "wait", "retries"]
TimeKey = Literal["since", "until"]
Bounds = Literal["[]", "[)", "(]", "()"]  # as in mathematics; a side without an end is round

#: The literal texts between the wildcards: at least one.
Pattern = tuple[str, ...]

# ---------------------------------------------------------------------- the tree


class _Node(msgspec.Struct, frozen=True, tag_field="kind"):
    """A part of a query."""


class And(_Node, frozen=True, tag="and"):
    """All of them; none at all: every task."""

    terms: tuple[Query, ...] = ()


class Or(_Node, frozen=True, tag="or"):
    """At least one of them."""

    terms: tuple[Query, ...]


class Not(_Node, frozen=True, tag="not"):
    """The others."""

    term: Query


class Text(_Node, frozen=True, tag="text"):
    """A text somewhere in a task; case does not matter."""

    text: str


class Match(_Node, frozen=True, tag="match"):
    """A field that is as one of the patterns says; case does not matter."""

    key: MatchKey
    values: tuple[Pattern, ...]  # states are in ASCII capitals


class Keyword(_Node, frozen=True, tag="keyword"):
    """A keyword argument that is as one of the patterns says; case does not matter."""

    name: str
    values: tuple[Pattern, ...]


class Compare(_Node, frozen=True, tag="compare"):
    """A number within bounds: retries, or seconds (whole microseconds)."""

    key: CompareKey
    low: float | None
    high: float | None
    bounds: Bounds


class Ago(_Node, frozen=True, tag="ago"):
    """The last event came since, or before, so many seconds ago."""

    key: TimeKey
    seconds: float


class At(_Node, frozen=True, tag="at"):
    """The last event came since, or before, that time."""

    key: TimeKey
    time: float  # epoch seconds, whole milliseconds


Query = And | Or | Not | Text | Match | Keyword | Compare | Ago | At

#: Every task.
EVERYTHING = And()


def all_of(terms: Iterable[Query]) -> Query:
    """Join by AND, without needless nesting."""
    flat: list[Query] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, And) else (term,))
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(terms: Iterable[Query]) -> Query:
    """Join by OR, without needless nesting; there must be one at least."""
    flat: list[Query] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, Or) else (term,))
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def negate(term: Query) -> Query:
    """Turn round; twice is not at all."""
    return term.term if isinstance(term, Not) else Not(term)


def split(query: Query) -> dict[str | None, Query]:
    """Take what is joined by AND at the top apart, by the one key that each part asks for.

    What asks for several keys, or for a text anywhere, stands at None. To join the parts with
    `all_of` gives a query of the same meaning.
    """
    parts: dict[str | None, list[Query]] = {}
    for term in query.terms if isinstance(query, And) else (query,):
        parts.setdefault(_key_of(term), []).append(term)
    return {key: all_of(terms) for key, terms in parts.items()}


def _key_of(term: Query) -> str | None:
    match term:
        case Text():
            return None
        case And(terms) | Or(terms):
            keys = {_key_of(part) for part in terms}
            return keys.pop() if len(keys) == 1 else None
        case Not(part):
            return _key_of(part)
        case Keyword():
            return "kwargs"
    return term.key


# ---------------------------------------------------------------------- words

#: What each key takes, as an example for who wrote it wrong.
KEYS: dict[str, str] = {
    "state": "state:failure,retry",
    "name": "name:send_email",
    "worker": "worker:celery@web1",
    "queue": "queue:default",
    "client": "client:gen7@app1",
    "uuid": "uuid:6a720eb0",
    "root": "root:6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1",
    "parent": "parent:6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1",
    "args": 'args:"green tea"',
    "kwargs": "kwargs:user=7",
    "result": "result:paid",
    "exception": "exception:Timeout",
    "fingerprint": "fingerprint:3f2a9c01b7de",
    "runtime": "runtime:>5s",
    "wait": "wait:>1m",
    "retries": "retries:>0",
    "since": "since:10m",
    "until": "until:2026-11-23T03:00",
}
ALIASES = {"id": "uuid", "task": "name"}
#: Words for states, besides Celery's own and those that a project made up.
STATE_WORDS: dict[str, tuple[str, ...]] = {
    "FAILED": (FAILURE,),
    "SUCCEEDED": (SUCCESS,),
    "RUNNING": (STARTED,),
    "RETRYING": (RETRY,),
    "RETRIED": (RETRY,),
    "WAITING": (PENDING, RECEIVED),
    "FINISHED": (SUCCESS, FAILURE, REVOKED, REJECTED),
}
_MICROSECONDS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1000,
    "us": 1,
}
_LONGEST_MICROSECONDS = 10**15  # some 31 years, and exact in a double
_BLANK = " \t\n\r\f\v\u00a0"
_ENDS_WORD = _BLANK + "()"
_OPERATORS = ("AND", "OR", "NOT")

_KEY = re.compile(r"[A-Za-z][A-Za-z_]*")
_NUMBER = r"([0-9]{1,16}(?:\.[0-9]{1,9})?)"
_SECONDS = re.compile(_NUMBER)
_DURATION_PIECE = re.compile(_NUMBER + "(us|ms|s|m|h|d|w)")
_RETRIES = re.compile(r"[0-9]{1,9}")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,3}))?)?"
    r"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999


class _Char(NamedTuple):
    char: str
    literal: bool  # quoted or escaped: it is nothing but itself
    position: int


class _Token(NamedTuple):
    kind: str  # "(", ")", "-", "AND", "OR", "NOT", "word" or "end"
    position: int
    end: int
    chars: tuple[_Char, ...] = ()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in _BLANK:
            at += 1
        elif char in "()-":  # a dash within a word is a part of it
            tokens.append(_Token(char, at, at + 1))
            at += 1
        else:
            token = _word(text, at)
            tokens.append(token)
            at = token.end
    return [*tokens, _Token("end", len(text), len(text))]


def _word(text: str, start: int) -> _Token:
    chars: list[_Char] = []
    at, opened = start, None
    while at < len(text):
        char = text[at]
        if opened is None and char in _ENDS_WORD:
            break
        if char == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
            chars.append(_Char(text[at + 1], True, at))
            at += 1
        elif char == '"':
            opened = at if opened is None else None
        else:
            chars.append(_Char(char, opened is not None, at))
        at += 1
    if opened is not None:
        raise BadQuery("The quote is not closed.", position=opened, hint='Close it with ".')
    bare = text[start:at]
    return _Token(bare if bare in _OPERATORS else "word", start, at, tuple(chars))


# ---------------------------------------------------------------------- text → tree


def parse(text: str) -> Query:
    """Read a query; an empty one means every task. Raises BadQuery, and nothing else."""
    if len(text) > LONGEST:
        raise BadQuery(f"The query is longer than {LONGEST} characters.", position=LONGEST)
    return _Parser(_tokens(text)).parse()


class _Parser:
    """Recursive descent, as deep as groups may be."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._terms = 0

    def parse(self) -> Query:
        if self._seen.kind == "end":
            return EVERYTHING
        query = self._either(0)
        if self._seen.kind != "end":
            raise BadQuery(
                "This ')' closes nothing.",
                position=self._seen.position,
                hint='Leave it out, or quote it to search for the text: ")"',
            )
        return query

    @property
    def _seen(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._seen
        self._next += 1
        return token

    def _either(self, depth: int) -> Query:
        terms = [self._both(depth)]
        while self._seen.kind == "OR":
            self._take()
            terms.append(self._both(depth))
        return any_of(terms)

    def _both(self, depth: int) -> Query:
        terms = [self._one(depth)]
        while self._seen.kind not in ("OR", ")", "end"):
            if self._seen.kind == "AND":
                self._take()
            terms.append(self._one(depth))
        return all_of(terms)

    def _one(self, depth: int) -> Query:
        negated = False
        while self._seen.kind in ("-", "NOT"):
            token = self._take()
            negated = not negated
            if token.kind == "-" and (self._seen.kind == "end" or self._seen.position != token.end):
                raise BadQuery(
                    "Nothing follows this '-'.",
                    position=token.position,
                    hint='Put it right before what it negates, or quote it: "-"',
                )
        term = self._group(depth) if self._seen.kind == "(" else self._leaf()
        return negate(term) if negated else term

    def _group(self, depth: int) -> Query:
        opened = self._take()
        if depth == DEEPEST:
            message = f"Groups are nested deeper than {DEEPEST}."
            raise BadQuery(message, position=opened.position)
        query = self._either(depth + 1)
        if self._take().kind != ")":
            raise BadQuery(
                "This '(' is not closed.",
                position=opened.position,
                hint='Close it with ), or quote it to search for the text: "("',
            )
        return query

    def _leaf(self) -> Query:
        token = self._seen
        if token.kind != "word":
            before = self._tokens[self._next - 1].kind if self._next else ""
            raise _misplaced(token, before)
        self._take()
        key = _key(token)
        if key is None:
            self._count(token.position)
            if not token.chars:
                raise BadQuery("The text is empty.", position=token.position)
            return Text("".join(char.char for char in token.chars))
        return self._qualified(token, key)

    def _qualified(self, token: _Token, key: str) -> Query:
        colon = len(key)
        known = ALIASES.get(key.lower(), key.lower())
        if known not in KEYS:
            raise BadQuery(
                f"There is no key '{_short(key)}'.",
                position=token.position,
                hint=_hint_of_unknown(key, token),
            )
        start = token.chars[colon].position + 1
        values = _Values(known, token.chars[colon + 1 :], start)
        for position in values.positions:
            self._count(position)
        return values.read()

    def _count(self, position: int) -> None:
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise BadQuery(f"There are more than {MOST_TERMS} terms.", position=position)


def _misplaced(token: _Token, before: str) -> BadQuery:
    if token.kind == "end":
        message = f"Something is missing after '{before}'."
    elif token.kind == ")" and before == "(":
        message = "There is nothing in this group."
    else:
        message = f"Something is missing before this '{token.kind}'."
    hint = ""
    if token.kind in _OPERATORS:
        hint = f'Quote it to search for the word: "{token.kind}"'
    return BadQuery(message, position=token.position, hint=hint)


def _key(token: _Token) -> str | None:
    """Give the key as it was written; None for a text."""
    written: list[str] = []
    for char, literal, _ in token.chars:
        if literal:
            return None
        if char == ":":
            key = "".join(written)
            return key if _KEY.fullmatch(key) else None
        written.append(char)
    return None


def _hint_of_unknown(key: str, token: _Token) -> str:
    near = nearest_key(key.lower())
    meant = f"Did you mean {near}:? " if near else ""
    text = _quoted(_short("".join(char.char for char in token.chars)))
    return f"{meant}Quote it to search for the text: {text}"


def nearest_key(word: str) -> str | None:
    """Give the key that `word` was probably meant to be."""
    if len(word) > 12:
        return None
    near = [(_distance(word, key), key) for key in [*KEYS, *ALIASES]]
    # of equally near ones the first in the table
    distance, key = min(near, key=lambda pair: pair[0])
    return key if distance <= (1 if len(word) < 4 else 2) else None


def _distance(one: str, other: str) -> int:
    """Count the letters to put in, leave out or change to make `other` of `one`."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            changed = diagonal + (left != right)
            diagonal, row[j] = row[j], min(changed, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


# ---------------------------------------------------------------------- values


class _Values:
    """What stands behind a key: values with commas between."""

    def __init__(self, key: str, chars: tuple[_Char, ...], start: int) -> None:
        self.key = key
        self._name: str | None = None  # of a keyword argument
        if key == "kwargs":
            chars, start = self._keyword(chars, start)
        self._items: list[list[_Char]] = [[]]
        self.positions = [start]
        for char in chars:
            if char.char == "," and not char.literal:
                self._items.append([])
                self.positions.append(char.position + 1)
            else:
                self._items[-1].append(char)
        if self._items == [[]]:
            raise BadQuery(
                f"'{key}:' lacks a value.", position=start, hint=f"For example: {KEYS[key]}"
            )
        for item, position in zip(self._items, self.positions, strict=True):
            if not item:
                raise BadQuery(
                    "A value is missing in this list.",
                    position=position,
                    hint="A value that has commas in it is quoted.",
                )

    def _keyword(self, chars: tuple[_Char, ...], start: int) -> tuple[tuple[_Char, ...], int]:
        """Take the name of a keyword argument off: all before a bare `=`, if no comma is."""
        for i, (char, literal, position) in enumerate(chars):
            if not literal and char == ",":
                break
            if not literal and char == "=":
                if i == 0:
                    raise BadQuery(
                        "The name of the keyword argument is missing.",
                        position=start,
                        hint=f"For example: {KEYS['kwargs']}",
                    )
                self._name = "".join(one.char for one in chars[:i])
                return chars[i + 1 :], position + 1
        return chars, start

    def read(self) -> Query:
        if self._name is not None:
            return Keyword(self._name, self._patterns())
        if self.key == "state":
            return Match("state", self._states())
        if self.key in ("since", "until"):
            return self._time(cast(TimeKey, self.key))
        if self.key in ("runtime", "wait", "retries"):
            return self._compare(cast(CompareKey, self.key))
        return Match(cast(MatchKey, self.key), self._patterns())

    def _patterns(self) -> tuple[Pattern, ...]:
        return tuple(dict.fromkeys(_pattern(item) for item in self._items))

    def _states(self) -> tuple[Pattern, ...]:
        states: dict[Pattern, None] = {}
        for pattern in self._patterns():
            capitals = tuple(part.translate(_TO_CAPITALS) for part in pattern)
            words = STATE_WORDS.get(capitals[0]) if len(capitals) == 1 else None
            states.update(dict.fromkeys([(word,) for word in words] if words else [capitals]))
        return tuple(states)

    def _only(self) -> tuple[str, int]:
        if len(self._items) > 1:
            raise BadQuery(
                f"'{self.key}:' takes one value.",
                position=self.positions[1],
                hint="Join several with OR.",
            )
        return "".join(char.char for char in self._items[0]), self.positions[0]

    def _compare(self, key: CompareKey) -> Compare:
        written, position = self._only()
        for sign in (">=", "<=", ">", "<"):
            if written.startswith(sign):
                number = _number(key, written[len(sign) :], written, position)
                if sign[0] == ">":
                    return Compare(key, number, None, "[)" if sign == ">=" else "()")
                return Compare(key, None, number, "(]" if sign == "<=" else "()")
        first, dots, second = written.partition("..")
        low = _number(key, first, written, position)
        if dots:
            high = _number(key, second, written, position)
            if low > high:
                raise BadQuery(
                    f"The range {_short(written)} ends before it begins.", position=position
                )
            return Compare(key, low, high, "[]")
        if key == "retries":
            return Compare(key, low, low, "[]")
        raise BadQuery(
            f"'{key}:' compares: it wants a sign before {_short(written)}.",
            position=position,
            hint=f"For example: {key}:>{_short(written)} or {key}:1s..5s",
        )

    def _time(self, key: TimeKey) -> Ago | At:
        written, position = self._only()
        microseconds = _duration(written)
        if microseconds is not None:
            return Ago(key, microseconds / 1_000_000)
        milliseconds = _milliseconds(written)
        if milliseconds is not None:
            return At(key, milliseconds / 1000)
        raise BadQuery(
            f"'{_short(written)}' is no time.",
            position=position,
            hint=f"For example: {key}:10m (ago), {key}:2026-11-23 or {key}:2026-11-23T03:00 (UTC)",
        )


_TO_CAPITALS = {i + 32: i for i in range(ord("A"), ord("Z") + 1)}
_TO_SMALL = {capital: small for small, capital in _TO_CAPITALS.items()}


def _pattern(chars: Iterable[_Char]) -> Pattern:
    parts = [""]
    starred = False
    for char, literal, _ in chars:
        if char != "*" or literal:
            parts[-1] += char
            starred = False
        elif not starred:
            parts.append("")
            starred = True
    return tuple(parts)


def _number(key: CompareKey, text: str, written: str, position: int) -> float:
    if key == "retries":
        if _RETRIES.fullmatch(text):
            return float(text)
        hint = "For example: retries:2, retries:>0 or retries:1..3"
        raise BadQuery(f"'{_short(written)}' is no number.", position=position, hint=hint)
    microseconds = _duration(text)
    if microseconds is None:
        raise BadQuery(
            f"'{_short(written)}' is no duration.",
            position=position,
            hint=f"For example: {key}:>5s, {key}:<=200ms, {key}:1m..1h30m; units: us ms s m h d w",
        )
    return microseconds / 1_000_000


def _duration(text: str) -> int | None:
    """Read a duration, as microseconds: a number and a unit, or several; or bare seconds."""
    if _SECONDS.fullmatch(text):
        text += "s"
    total = at = 0
    while at < len(text):
        piece = _DURATION_PIECE.match(text, at)
        if piece is None:
            return None
        # Rounded like this, not to even, wherever it is read.
        total += int(float(piece[1]) * _MICROSECONDS[piece[2]] + 0.5)
        at = piece.end()
    return total if text and total <= _LONGEST_MICROSECONDS else None


def _milliseconds(text: str) -> int | None:
    """Read a date or a time, as milliseconds since the epoch; without a zone it is UTC."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = found.groups(
        default="0"
    )
    if int(zone_hours) > 23 or int(zone_minutes) > 59:
        return None
    try:
        there = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    told = (there - _EPOCH) // timedelta(milliseconds=1) + int(fraction.ljust(3, "0"))
    zone = (int(zone_hours) * 60 + int(zone_minutes)) * 60_000
    told -= -zone if sign == "-" else zone
    return told if 0 <= told <= _LAST_MILLISECOND else None


# ---------------------------------------------------------------------- tree → text


def show(query: Query) -> str:
    """Write a query in the one way that stands for all."""
    match query:
        case And(terms):
            return " ".join(_grouped(term, (Or,)) for term in terms)
        case Or(terms):
            return " OR ".join(map(show, terms))
        case Not(term):
            return "-" + _grouped(term, (And, Or))
        case Text(text):
            return text if _is_plain(text) else _quoted(text)
        case Match(key, values):
            written = ",".join(map(_show_pattern, values))
            return f"{key}:{written.translate(_TO_SMALL) if key == 'state' else written}"
        case Keyword(name, values):
            written = ",".join(map(_show_pattern, values))
            return f"kwargs:{_show_pattern((name,))}={written}"
        case Compare():
            return f"{query.key}:{_show_comparison(query)}"
        case Ago(key, seconds):
            return f"{key}:{_show_duration(seconds)}"
        case At(key, time):
            return f"{key}:{_show_time(time)}"


def _grouped(term: Query, kinds: tuple[type[Any], ...]) -> str:
    return f"({show(term)})" if isinstance(term, kinds) else show(term)


_NOT_PLAIN = frozenset(_ENDS_WORD + '"\\')
_NOT_PLAIN_IN_VALUE = _NOT_PLAIN | frozenset(",*=")


def _is_plain(text: str) -> bool:
    """Say whether a text means itself without quotes."""
    key, colon, _ = text.partition(":")
    return (
        text not in _OPERATORS
        and not text.startswith("-")
        and _NOT_PLAIN.isdisjoint(text)
        and not (colon and _KEY.fullmatch(key))
    )


def _show_pattern(pattern: Pattern) -> str:
    return "*".join(
        part if _NOT_PLAIN_IN_VALUE.isdisjoint(part) else _quoted(part) for part in pattern
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _show_comparison(query: Compare) -> str:
    show_number = _show_count if query.key == "retries" else _show_duration
    low = None if query.low is None else show_number(query.low)
    high = None if query.high is None else show_number(query.high)
    if low is None:
        return f"{'<=' if query.bounds[1] == ']' else '<'}{high}"
    if high is None:
        return f"{'>=' if query.bounds[0] == '[' else '>'}{low}"
    return low if low == high and query.key == "retries" else f"{low}..{high}"


def _show_count(number: float) -> str:
    return str(int(number))


def _show_duration(seconds: float) -> str:
    microseconds = int(seconds * 1_000_000 + 0.5)
    whole, rest = divmod(microseconds, 1_000_000)
    if whole and rest:
        return f"{whole}.{rest:06}".rstrip("0") + "s"
    for unit, size in _MICROSECONDS.items():
        if microseconds and microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return "0s"


def _show_time(time: float) -> str:
    milliseconds = int(time * 1000 + 0.5)
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    if milliseconds % 86_400_000 == 0:
        return at.strftime("%Y-%m-%d")
    if milliseconds % 60_000 == 0:
        return at.strftime("%Y-%m-%dT%H:%M")
    written = at.strftime("%Y-%m-%dT%H:%M:%S")
    return written if milliseconds % 1000 == 0 else f"{written}.{milliseconds % 1000:03}"
