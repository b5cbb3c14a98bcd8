"""What the figures of ended tasks tell of a time: by name, by exception, hour by hour.

A window is [since, until) in epoch seconds; a task is in it if its last event is. Whole quarters
of an hour (and days) come from the figures that `tally` keeps. What a window has of the quarters
at its two ends is counted from the tasks themselves, as long as these are all there and not more
than 50,000; else a quarter counts whole if at least half of it is in the window, and the answer
says that it is not exact.

Durations are counted in buckets, so that percentiles are within 5 % of one that was really there
(`model.durations`).

With a `scope` only what somebody may see is counted. Figures are kept by name, not by queue:
for whom queues are limited everything is counted from the tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

from celeryscope.errors import NotPossible
from celeryscope.history import tally
from celeryscope.history.record import microseconds, seconds
from celeryscope.history.search import FAILURE_ID, id_text
from celeryscope.history.sql import queries
from celeryscope.history.tally import ALL, DAY, NAMELESS, QUARTER, Share
from celeryscope.model.actor import Scope
from celeryscope.model.durations import BUCKETS, quantiles

#: How far a percentile may be from a duration that was really there, as a share of it.
ERROR: Final = 0.05
LONGEST_SECONDS: Final = 400 * 86_400.0  # of a window; figures are not kept longer
NameSort = Literal["tasks", "failed", "failures", "retried", "run", "wait", "took", "name"]
NAME_SORTS: Final[tuple[NameSort, ...]] = get_args(NameSort)

_QUARTER: Final = QUARTER * 1_000_000
_QUARTERS: Final = DAY // QUARTER
_MOST_EDGE: Final = 50_000  # tasks of one quarter that are counted one by one
_MOST_ROWS: Final = 200_000  # tasks of a window that is counted one by one
_MOST_BESIDE: Final = 1_000_000  # tasks of others that are looked at for these
_MOST_POINTS: Final = 120
_MOST_BARS: Final = 32
_FINE_SECONDS: Final = 6 * 3600.0  # windows up to this have points closer than a quarter
_MOST_EXAMPLES: Final = 5
_MOST_LOOKED_AT: Final = 5_000  # failures, for examples
_MOST_NAMES: Final = 8  # of an exception
_STEPS: Final = (10, 30, 60, 300)  # seconds, where tasks are counted one by one
_QUARTER_STEPS: Final = tuple(
    QUARTER * n for n in (1, 2, 4, 8, 12, 24, 48, 96, 192, 7 * 96, 14 * 96, 28 * 96)
)


class Readable(Protocol):
    """A history that can be read."""

    def reading(self) -> AbstractContextManager[Any]: ...


class Summary(NamedTuple):
    """Tasks that ended, and how. Durations in seconds; None: there were none."""

    tasks: int
    succeeded: int
    failed: int
    revoked: int
    rejected: int
    lost: int
    retried: int  # tasks that were retried at least once
    retries: int
    took: float  # how long they ran, together
    run_p50: float | None
    run_p95: float | None
    run_p99: float | None
    wait_p50: float | None
    wait_p95: float | None
    wait_p99: float | None


class Point(NamedTuple):
    """One step of a series."""

    at: float  # its start
    tasks: int
    failed: int
    retried: int
    run_p50: float | None
    run_p95: float | None
    wait_p95: float | None


class Series(NamedTuple):
    """The window in steps; the first and the last are whole, and may reach beyond it."""

    step_seconds: float
    points: list[Point]


class Bars(NamedTuple):
    """Tasks in each step of the window, for a small picture."""

    tasks: list[int]
    failed: list[int]


class OfName(NamedTuple):
    """Tasks of one name."""

    name: str | None
    now: Summary
    before: Summary | None  # the window before; None: the figures do not reach so far back
    bars: Bars


class Exactness(NamedTuple):
    """What the figures are of."""

    exact: bool  # False: the ends are rounded to quarters of an hour
    begins: float | None  # since when there are figures; None: there are none


class Overview(NamedTuple):
    """A window as a whole, and by name."""

    exactness: Exactness
    total: Summary
    before: Summary | None
    series: Series
    bar_seconds: float
    names: list[OfName]
    names_total: int


class Name(NamedTuple):
    """One name in a window."""

    exactness: Exactness
    name: str
    now: Summary
    before: Summary | None
    series: Series


class Exception_(NamedTuple):
    """Failures of one fingerprint."""

    fingerprint: str
    type: str
    file: str  # empty: not known
    function: str
    line: int  # 0: not known
    first: float | None  # when it was seen first, whenever; None: not told
    last: float | None
    failed: int  # tasks, in the window
    retried: int  # runs that were retried because of it
    before: int | None  # both in the window before
    names: list[tuple[str | None, int]]  # of tasks, the most first
    names_total: int
    examples: list[str]  # ids of tasks, the newest first
    bars: list[int]


class Exceptions(NamedTuple):
    """The exceptions of a window, in whole quarters of an hour."""

    since: float
    until: float
    begins: float | None
    bar_seconds: float
    exceptions: list[Exception_]
    total: int


class Day(NamedTuple):
    """One day of a calendar, by its local hours. An hour that is there twice has both."""

    date: str  # 2026-11-23
    tasks: list[int]
    failed: list[int]


class Calendar(NamedTuple):
    """Days and their hours, in whole quarters of an hour."""

    since: float
    until: float
    begins: float | None
    days: list[Day]


# ---------------------------------------------------------------------- questions


def overview(
    history: Readable,
    *,
    since: float,
    until: float,
    now: float,
    sort: NameSort = "took",
    limit: int = 100,
    text: str = "",
    scope: Scope | None = None,
) -> Overview:
    """Tell of a window by name; `text` is a part of the names wanted.

    Raises Unavailable where the history cannot be read, and NotPossible where it would take
    looking at too many tasks one by one.
    """
    with history.reading() as db:
        view = _View(db, scope, since, until, now)
        shares = view.source.by_name(view.since, view.until)
        earlier = view.earlier()
        wanted = [
            (name, share) for name, share in shares.items()
            if text.casefold() in (view.names.get(name) or "").casefold()
        ]  # fmt: skip
        told = [(name, summary(share)) for name, share in wanted]
        told.sort(key=_order(sort, view))
        bars = _steps(view, _MOST_BARS, fine=False)
        return Overview(
            view.exactness(),
            summary(_sum(shares.values())),
            None if earlier is None else summary(_sum(earlier.values())),
            view.series(None),
            bars.step / 1_000_000,
            [
                OfName(
                    view.names.get(name),
                    now_,
                    None if earlier is None else summary(earlier.get(name) or Share()),
                    view.source.bars(name, bars),
                )
                for name, now_ in told[:limit]
            ],
            len(told),
        )


def name(
    history: Readable,
    name: str,
    *,
    since: float,
    until: float,
    now: float,
    scope: Scope | None = None,
) -> Name | None:
    """Tell of the tasks of one name in a window; None: there never were any. Raises as above."""
    with history.reading() as db:
        view = _View(db, scope, since, until, now)
        number = view.number(name)
        if number is None:
            return None
        view.only = number
        shares = view.source.by_name(view.since, view.until)
        earlier = view.earlier()
        if view.by_queue and not shares and not earlier:
            return None  # whether others have tasks of that name is not theirs to know
        return Name(
            view.exactness(),
            name,
            summary(shares.get(number) or Share()),
            None if earlier is None else summary(earlier.get(number) or Share()),
            view.series(number),
        )


def exceptions(
    history: Readable,
    *,
    since: float,
    until: float,
    now: float,
    name: str | None = None,
    limit: int = 50,
    scope: Scope | None = None,
) -> Exceptions:
    """Tell of the exceptions of a window, the most frequent first. Raises as above."""
    with history.reading() as db:
        view = _View(db, scope, since, until, now)
        view.widen()
        bars = _steps(view, _MOST_BARS, fine=False)
        begins = view.begins()
        nobody = name is not None and view.number(name) is None
        if name is not None:
            view.only = view.number(name)
        found: dict[int, _Failing] = {}
        if not nobody:
            for failing in view.source.failing(view.since, view.until, bars):
                one = found.setdefault(failing.fingerprint, _Failing(bars))
                one.add(failing)
        earlier = None if nobody else view.earlier_failing()
        most = sorted(found.items(), key=lambda pair: (-pair[1].all, pair[0]))
        return Exceptions(
            seconds(view.since),
            seconds(view.until),
            begins,
            bars.step / 1_000_000,
            [
                _exception(view, number, one, earlier)
                for number, one in most[:limit]
            ],
            len(most),
        )  # fmt: skip


def calendar(
    history: Readable,
    *,
    since: float,
    until: float,
    now: float,
    zone: tzinfo,
    name: str | None = None,
    scope: Scope | None = None,
) -> Calendar:
    """Tell what ended, and failed, in each hour of each day of a time zone. Raises as above.

    Only days of which there are figures are there.
    """
    with history.reading() as db:
        view = _View(db, scope, since, until, now)
        view.widen()
        number = None if name is None else view.number(name)
        days: dict[str, Day] = {}
        if name is None or number is not None:
            for slot, tasks, failed in view.source.quarters(number, view.since, view.until):
                at = datetime.fromtimestamp(slot * QUARTER, zone)
                date = f"{at:%Y-%m-%d}"
                day = days.get(date)
                if day is None:
                    day = days[date] = Day(date, [0] * 24, [0] * 24)
                day.tasks[at.hour] += tasks
                day.failed[at.hour] += failed
        return Calendar(
            seconds(view.since),
            seconds(view.until),
            view.begins(),
            [days[date] for date in sorted(days)],
        )


def summary(share: Share) -> Summary:
    """Tell what a share has."""
    *counts, took = share.counts
    return Summary(
        share.tasks, *counts, seconds(took), *_quantiles(share.runs, (0.5, 0.95, 0.99)),
        *_quantiles(share.waits, (0.5, 0.95, 0.99)),
    )  # type: ignore[call-arg]  # fmt: skip


# ---------------------------------------------------------------------- a view


class _Steps(NamedTuple):
    """Times from `start` on, in steps. Microseconds."""

    start: int
    step: int
    many: int

    def of(self, at: int) -> int:
        return min(max((at - self.start) // self.step, 0), self.many - 1)


class _Ended(NamedTuple):
    """A row of the query `ended_between`."""

    at: int
    name: int | None
    state: int
    runtime: int | None
    started: int | None
    wait: int | None
    retries: int
    queue: int | None
    fingerprint: int | None


class _OfFingerprint(NamedTuple):
    fingerprint: int
    name: int
    bar: int
    failed: int
    retried: int


class _View:
    """A window as somebody may see it, in one state of the database."""

    def __init__(
        self, db: Any, scope: Scope | None, since: float, until: float, now: float
    ) -> None:
        self.db = db
        self.since = microseconds(since)
        self.until = microseconds(until)
        if self.until >= microseconds(now):  # the quarter that goes on has nothing after it
            self.until = -(-max(self.until, microseconds(now)) // _QUARTER) * _QUARTER
        self.length = microseconds(until) - self.since
        self.now = now
        self.scope = scope if scope is not None and scope.limited else None
        self.names: dict[int, str | None] = dict(db.execute(queries()["name_words"]))
        self.names[NAMELESS] = None
        self.only: int | None = None
        found = db.execute(queries()["lost_word"]).fetchone()
        self.lost: int = -1 if found is None else found[0]
        self._verdicts: dict[int, bool] = {}
        self.by_queue = self.scope is not None and not self.scope.has_queue(None)
        self.source: _Figures | _Rows = _Rows(self) if self.by_queue else _Figures(self)

    def has(self, name: int) -> bool:
        """Say whether the tasks of a name are wanted, and theirs."""
        if self.only is not None and name != self.only:
            return False
        if self.scope is None:
            return True
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._verdicts[name] = self.scope.has_name(self.names.get(name))
        return verdict

    def number(self, name: str) -> int | None:
        """Give the number of a name that is theirs."""
        if self.scope is not None and not self.scope.has_name(name):
            return None
        return next((number for number, text in self.names.items() if text == name), None)

    def widen(self) -> None:
        """Make the window whole quarters."""
        end = self.since + self.length
        self.since = self.since // _QUARTER * _QUARTER
        self.until = max(self.until, -(-self.until // _QUARTER) * _QUARTER)
        self.length = -(-end // _QUARTER) * _QUARTER - self.since

    def begins(self) -> float | None:
        (slot,) = self.db.execute(queries()["figures_begin"]).fetchone()
        return None if slot is None else float(slot * QUARTER)

    def exactness(self) -> Exactness:
        return Exactness(self.source.exact, self.begins())

    @property
    def has_earlier(self) -> bool:
        begins = self.begins()
        return begins is not None and microseconds(begins) <= self.since - self.length + _QUARTER

    def earlier(self) -> dict[int, Share] | None:
        """Give the shares by name of the window before."""
        if not self.has_earlier:
            return None
        return self.source.by_name(self.since - self.length, self.since)

    def earlier_failing(self) -> dict[int, int] | None:
        """Give how often there was each fingerprint in the window before."""
        if not self.has_earlier:
            return None
        start = (self.since - self.length) // _QUARTER * _QUARTER
        counts: dict[int, int] = {}
        for one in self.source.failing(start, self.since, _Steps(start, self.length, 1)):
            counts[one.fingerprint] = counts.get(one.fingerprint, 0) + one.failed + one.retried
        return counts

    def series(self, name: int | None) -> Series:
        """Give the window in steps: of a name, or of all that is theirs."""
        source: _Figures | _Rows = self.source
        if seconds(self.length) <= _FINE_SECONDS and isinstance(source, _Figures):
            slots = (self.since // _QUARTER, -(-self.until // _QUARTER))
            if sum(tasks for _, tasks, _ in source.all_quarters(*slots)) <= _MOST_EDGE:
                source = _Rows(self)
        steps = _steps(self, _MOST_POINTS, fine=isinstance(source, _Rows))
        points = []
        for number, share in enumerate(source.series(name, steps)):
            if steps.start + number * steps.step > microseconds(self.now):
                break
            told = summary(share)
            points.append(
                Point(seconds(steps.start + number * steps.step), told.tasks, told.failed,
                      told.retried, told.run_p50, told.run_p95, told.wait_p95)
            )  # fmt: skip
        return Series(steps.step / 1_000_000, points)

    def ended(self, since: int, until: int, limit: int) -> list[_Ended]:
        """Give the tasks that ended in a time."""
        span = (since, until)
        found = self.db.execute(
            queries()["ended_between"], (*span, *span, self.lost, *span, self.lost, limit)
        )
        return [_Ended(*row) for row in found]


def _steps(view: _View, most: int, *, fine: bool) -> _Steps:
    """Cut the window into steps of a handsome length, at most so many."""
    lengths = [*(_STEPS if fine else ()), *_QUARTER_STEPS]
    for length in lengths:
        step = length * 1_000_000
        start = view.since // step * step
        count = -(-(view.until - start) // step)
        if count <= most:
            break
    return _Steps(start, step, max(count, 1))


class _Figures:
    """Counts from the figures, and from the tasks at the ends of a window."""

    def __init__(self, view: _View) -> None:
        self._view = view
        self.exact = True
        self._edges: dict[int, list[_Ended] | None] = {}

    def by_name(self, since: int, until: int) -> dict[int, Share]:
        shares: dict[int, Share] = {}
        first, last = -(-since // _QUARTER), until // _QUARTER
        if first > last:
            self._add_part(last, since, until, shares)
            return shares
        for step, low, high in _whole(first, last):
            for name, _, *row in self._figures(step, low, high):
                shares.setdefault(name, Share()).add(tally.read(row))
        if since % _QUARTER:
            self._add_part(first - 1, since, first * _QUARTER, shares)
        if until % _QUARTER:
            self._add_part(last, last * _QUARTER, until, shares)
        return shares

    def _figures(self, step: int, low: int, high: int) -> Iterator[Sequence[Any]]:
        """Give the rows of the names wanted, each as its number, slot and the rest."""
        view = self._view
        if view.scope is None and view.only is None:
            yield from view.db.execute(queries()["figures"], (step, low, high))
            return
        for name in view.names:
            if view.has(name):
                for row in view.db.execute(queries()["figures_of"], (name, step, low, high)):
                    yield (name, *row)

    def _add_part(self, slot: int, since: int, until: int, shares: dict[int, Share]) -> None:
        """Add what a window has of a quarter."""
        view = self._view
        if slot not in self._edges:
            self._edges[slot] = self._rows_of(slot)
        rows = self._edges[slot]
        if rows is not None:
            _count((row for row in rows if since <= row.at < until), view, shares)
            return
        self.exact = False
        if 2 * (until - since) >= _QUARTER:
            for name, _, *row in self._figures(QUARTER, slot, slot + 1):
                shares.setdefault(name, Share()).add(tally.read(row))

    def _rows_of(self, slot: int) -> list[_Ended] | None:
        """Give the tasks of a quarter; None: they are too many, or not all there any more."""
        expected = sum(tasks for _, tasks, _ in self.all_quarters(slot, slot + 1))
        if expected > _MOST_EDGE:
            return None
        rows = self._view.ended(slot * _QUARTER, (slot + 1) * _QUARTER, expected + 1)
        return rows if len(rows) == expected else None

    def all_quarters(self, low: int, high: int) -> list[tuple[int, int, int]]:
        """Give quarters, the tasks that ended in them and those that failed: of everybody."""
        found = self._view.db.execute(queries()["counts_of"], (ALL, QUARTER, low, high))
        return [(slot, tasks, failed) for slot, tasks, failed in found]

    def quarters(self, name: int | None, since: int, until: int) -> Iterable[tuple[int, int, int]]:
        view, slots = self._view, (since // _QUARTER, until // _QUARTER)
        if name is None and view.scope is None:
            return self.all_quarters(*slots)
        names = [name] if name is not None else [one for one in view.names if view.has(one)]
        sql = queries()["counts_of"]
        return [
            (slot, tasks, failed)
            for one in names
            for slot, tasks, failed in view.db.execute(sql, (one, QUARTER, *slots))
        ]

    def bars(self, name: int, steps: _Steps) -> Bars:
        days = steps.step % (DAY * 1_000_000) == 0 and steps.start % (DAY * 1_000_000) == 0
        unit = DAY if days else QUARTER
        low = steps.start // (unit * 1_000_000)
        high = low + steps.many * (steps.step // (unit * 1_000_000))
        bars = Bars([0] * steps.many, [0] * steps.many)
        found = self._view.db.execute(queries()["counts_of"], (name, unit, low, high))
        for slot, tasks, failed in found:
            at = steps.of(slot * unit * 1_000_000)
            bars.tasks[at] += tasks
            bars.failed[at] += failed
        return bars

    def series(self, name: int | None, steps: _Steps) -> list[Share]:
        view = self._view
        low, size = steps.start // _QUARTER, steps.step // _QUARTER
        span = (QUARTER, low, low + steps.many * size)
        shares = [Share() for _ in range(steps.many)]
        if name is None and view.scope is not None:
            for _, slot, *row in self._figures(*span):
                shares[(slot - low) // size].add(tally.read(row))
            return shares
        number = ALL if name is None else name
        for slot, *row in view.db.execute(queries()["figures_of"], (number, *span)):
            shares[(slot - low) // size].add(tally.read(row))
        return shares

    def failing(self, since: int, until: int, steps: _Steps) -> Iterator[_OfFingerprint]:
        low, high = since // _QUARTER, -(-until // _QUARTER)
        start, size = steps.start // _QUARTER, max(steps.step // _QUARTER, 1)
        found = self._view.db.execute(queries()["failing_between"], (start, size, low, high))
        for fingerprint, name, bar, failed, retried in found:
            if self._view.has(name):
                bar = min(max(int(bar), 0), steps.many - 1)
                yield _OfFingerprint(
                    fingerprint, name, bar, max(int(failed), 0), max(int(retried), 0)
                )


class _Rows:
    """Counts from the tasks one by one."""

    def __init__(self, view: _View) -> None:
        self._view = view
        self._rows: dict[tuple[int, int], list[_Ended]] = {}
        self.exact = True

    def rows(self, since: int, until: int) -> list[_Ended]:
        """Give the tasks of a time that are theirs. Raises NotPossible for too many."""
        found = self._rows.get((since, until))
        if found is None:
            found = self._rows[since, until] = self._read(since, until)
        return [row for row in found if self._view.has(row.name or NAMELESS)]

    def _read(self, since: int, until: int) -> list[_Ended]:
        view = self._view
        if view.scope is None:
            return view.ended(since, until, _MOST_ROWS)
        beside = view.db.execute(
            queries()["counts_of"], (ALL, QUARTER, since // _QUARTER, -(-until // _QUARTER))
        )
        if sum(tasks for _, tasks, _ in beside) > _MOST_BESIDE:
            raise _too_many()
        queues = dict(view.db.execute(queries()["queue_words"]))
        has: dict[tuple[int | None, int | None], bool] = {}
        rows: list[_Ended] = []
        for row in view.ended(since, until, _MOST_BESIDE + 1):
            key = row.name, row.queue
            if key not in has:
                texts = view.names.get(row.name or NAMELESS), queues.get(row.queue or 0)
                has[key] = view.scope.has_task(*texts)
            if has[key]:
                rows.append(row)
        if len(rows) > _MOST_ROWS:
            raise _too_many()
        return rows

    def by_name(self, since: int, until: int) -> dict[int, Share]:
        shares: dict[int, Share] = {}
        _count(self.rows(since, until), self._view, shares)
        return shares

    def quarters(self, name: int | None, since: int, until: int) -> Iterable[tuple[int, int, int]]:
        for row in self.rows(since, until):
            if name is None or row.name == name:
                yield row.at // _QUARTER, 1, row.state == FAILURE_ID

    def bars(self, name: int, steps: _Steps) -> Bars:
        bars = Bars([0] * steps.many, [0] * steps.many)
        for row in self.rows(self._view.since, self._view.until):
            if (row.name or NAMELESS) == name:
                bars.tasks[steps.of(row.at)] += 1
                bars.failed[steps.of(row.at)] += row.state == FAILURE_ID
        return bars

    def series(self, name: int | None, steps: _Steps) -> list[Share]:
        view = self._view
        groups: list[list[_Ended]] = [[] for _ in range(steps.many)]
        for row in self.rows(steps.start, steps.start + steps.many * steps.step):
            if name is None or row.name == name:
                groups[steps.of(row.at)].append(row)
        shares = []
        for group in groups:
            by_name: dict[int, Share] = {}
            _count(group, view, by_name)
            shares.append(_sum(by_name.values()))
        return shares

    def failing(self, since: int, until: int, steps: _Steps) -> Iterator[_OfFingerprint]:
        for row in self.rows(since, until):
            if row.fingerprint is not None:
                yield _OfFingerprint(row.fingerprint, row.name or NAMELESS, steps.of(row.at), 1, 0)


def _too_many() -> NotPossible:
    return NotPossible(
        "There are too many tasks in this time to count those of your queues one by one.",
        hint="Ask for a shorter time.",
    )


def _whole(first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Give the steps and slots that make up some quarters: days, as far as there are any."""
    day, end = -(-first // _QUARTERS), last // _QUARTERS
    if day >= end:
        yield QUARTER, first, last
        return
    yield QUARTER, first, day * _QUARTERS
    yield DAY, day, end
    yield QUARTER, end * _QUARTERS, last


def _count(rows: Iterable[_Ended], view: _View, shares: dict[int, Share]) -> None:
    for row in rows:
        name = row.name or NAMELESS
        if view.has(name):
            place = tally.ENDED.get(row.state, tally.LOST_PLACE)
            shares.setdefault(name, Share()).count(
                place, row.state, row.runtime, row.started, row.wait, row.retries
            )


def _sum(shares: Iterable[Share]) -> Share:
    total = Share()
    for share in shares:
        total.add(share)
    return total


def _quantiles(counts: Mapping[int, int], wanted: Sequence[float]) -> tuple[float | None, ...]:
    every = [0] * BUCKETS
    for bucket, count in counts.items():
        every[bucket] = count
    return quantiles(every, wanted)


def _order(
    sort: NameSort, view: _View
) -> Callable[[tuple[int, Summary]], tuple[float, float, str]]:
    """Make the key that sorts names: the most first."""
    values: dict[NameSort, Callable[[Summary], float | None]] = {
        "tasks": lambda one: one.tasks,
        "failed": lambda one: one.failed / one.tasks if one.tasks else 0,
        "failures": lambda one: one.failed,
        "retried": lambda one: one.retried / one.tasks if one.tasks else 0,
        "run": lambda one: one.run_p95,
        "wait": lambda one: one.wait_p95,
        "took": lambda one: one.took,
        "name": lambda one: 0,
    }
    value = values[sort]

    def key(pair: tuple[int, Summary]) -> tuple[float, float, str]:
        number, one = pair
        tasks = 0 if sort == "name" else -one.tasks
        return -(value(one) or 0), tasks, view.names.get(number) or ""

    return key


# ---------------------------------------------------------------------- exceptions


@dataclass
class _Failing:
    """What a window has of one fingerprint."""

    steps: _Steps
    failed: int = 0
    retried: int = 0
    names: dict[int, int] = field(default_factory=dict)
    bars: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bars = [0] * self.steps.many

    def add(self, one: _OfFingerprint) -> None:
        count = one.failed + one.retried
        self.failed += one.failed
        self.retried += one.retried
        self.names[one.name] = self.names.get(one.name, 0) + count
        self.bars[one.bar] += count

    @property
    def all(self) -> int:
        return self.failed + self.retried


def _exception(
    view: _View, number: int, one: _Failing, earlier: Mapping[int, int] | None
) -> Exception_:
    found = view.db.execute(queries()["fingerprint"], (number,)).fetchone()
    _, text, type_, file, function, line, first, last = found
    spans = _spans(view, number) if view.scope is not None else (first, last)
    names = sorted(one.names.items(), key=lambda pair: (-pair[1], pair[0]))
    return Exception_(
        text, type_, file, function, line,
        None if spans[0] is None else seconds(spans[0]),
        None if spans[1] is None else seconds(spans[1]),
        one.failed, one.retried, None if earlier is None else earlier.get(number, 0),
        [(view.names.get(name), count) for name, count in names[:_MOST_NAMES]], len(names),
        _examples(view, number), one.bars,
    )  # fmt: skip


def _spans(view: _View, number: int) -> tuple[int | None, int | None]:
    """Give when a fingerprint was seen first and last on tasks that are theirs, roughly."""
    if view.by_queue:
        return None, None
    found = view.db.execute(queries()["failing_spans"], (number,))
    spans = [(low, high) for name, low, high in found if view.has(name)]
    if not spans:
        return None, None
    end = min((max(high for _, high in spans) + 1) * _QUARTER, microseconds(view.now))
    return min(low for low, _ in spans) * _QUARTER, end


def _examples(view: _View, number: int) -> list[str]:
    """Give the newest failed tasks of a window with a fingerprint."""
    span = (number, _MOST_LOOKED_AT, view.since, view.until)
    queues: dict[int, str] = (
        dict(view.db.execute(queries()["queue_words"])) if view.by_queue else {}
    )
    found: list[str] = []
    for uuid, name, queue in view.db.execute(queries()["fingerprint_examples"], span):
        texts = view.names.get(name or NAMELESS), queues.get(queue or 0)
        if view.has(name or NAMELESS) and (not view.scope or view.scope.has_task(*texts)):
            found.append(id_text(uuid))
            if len(found) == _MOST_EXAMPLES:
                break
    return found
