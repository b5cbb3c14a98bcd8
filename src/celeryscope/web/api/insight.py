"""`/api/v1/insight`: what became of tasks in a time, by name, by exception, hour by hour.

Every Struct here is part of the contract with the page, as in `console`. Times are epoch seconds,
durations are seconds. A task is in a time if its last event is. What limited people get is counted
from what is theirs.
"""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from celeryscope.errors import BadArgument, NotFound
from celeryscope.history import insight as figures
from celeryscope.model.actor import Scope
from celeryscope.model.query import At, Match, Not, Query, all_of
from celeryscope.model.task import FAILURE, FINISHED
from celeryscope.web.api.console import Operation, TaskRow, task_row
from celeryscope.web.api.history import kept
from celeryscope.web.services import Services
from celeryscope.web.sources import History

_DAY_SECONDS: Final = 86_400.0
_MOST_TASKS: Final = 10
_SEARCH_SECONDS: Final = 2.0
_FACET_SECONDS: Final = 0.6

# ---------------------------------------------------------------------- the bodies


class InsightFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that ended, and how; percentiles are within 5 % of a duration that was there."""

    tasks: int
    succeeded: int
    failed: int
    revoked: int
    rejected: int
    lost: int
    retried: int  # tasks that were retried at least once
    retries: int
    took: float  # how long they ran, together
    run_p50: float | None  # None: none of them ran
    run_p95: float | None
    run_p99: float | None
    wait_p50: float | None  # None: of none it is known
    wait_p95: float | None
    wait_p99: float | None


class InsightPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a series."""

    at: float  # its start
    tasks: int
    failed: int
    retried: int
    run_p50: float | None
    run_p95: float | None
    wait_p95: float | None


class InsightSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A time in steps, of which the first and the last are whole: they may reach beyond it."""

    step_seconds: float
    points: list[InsightPoint]


class InsightRow(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of one name."""

    name: str | None  # None: nobody told their name
    now: InsightFigures
    before: InsightFigures | None  # in the time before, as long; None: nobody knows
    bars: list[int]  # tasks, in each step of `bar_seconds`
    bars_failed: list[int]


class Insight(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tasks of a time."""

    now: float
    since: float
    until: float
    exact: bool  # false: the time is rounded to quarters of an hour at its ends
    begins: float | None  # since when this is counted; None: nothing ended yet
    total: InsightFigures
    before: InsightFigures | None
    series: InsightSeries
    bar_seconds: float
    names: list[InsightRow]
    names_total: int


class InsightShare(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of one worker, or of one queue."""

    value: str
    tasks: int
    failed: int


class InsightName(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tasks of one name."""

    now: float
    since: float
    until: float
    exact: bool
    begins: float | None
    name: str
    figures: InsightFigures
    before: InsightFigures | None
    series: InsightSeries
    workers: list[InsightShare]  # that ran most of them, of those that are still kept
    queues: list[InsightShare]
    shares_whole: bool  # false: only the newest were counted
    slowest: list[TaskRow]
    waited: list[TaskRow]  # longest
    tasks_whole: bool  # false: time was up before all were looked at


class InsightCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often."""

    name: str | None
    count: int


class InsightException(msgspec.Struct, frozen=True, kw_only=True):
    """Failures of one type at one place in the code."""

    fingerprint: str  # `fingerprint:` in a query finds its tasks; "other": beyond 10,000 of them
    type: str
    file: str  # empty: nobody told of a place
    function: str
    line: int  # as it was last; 0: not known
    first: float | None  # when it was seen first, in all the time; None: not told
    last: float | None
    failed: int  # tasks
    retried: int  # runs that were retried because of it
    before: int | None  # both, in the time before; None: nobody knows
    names: list[InsightCount]  # of the tasks concerned, the most first
    names_total: int
    examples: list[str]  # ids of tasks, the newest first
    bars: list[int]  # how often, in each step of `bar_seconds`


class InsightExceptions(msgspec.Struct, frozen=True, kw_only=True):
    """The exceptions of a time, the most frequent first."""

    now: float
    since: float  # widened to whole quarters of an hour
    until: float
    begins: float | None
    bar_seconds: float
    exceptions: list[InsightException]
    total: int


class InsightDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day, by its 24 local hours; an hour that the clock has twice has both."""

    date: str  # 2026-11-23
    tasks: list[int]
    failed: list[int]


class InsightCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """Days and their hours; only those with tasks are there."""

    now: float
    since: float  # widened to whole quarters of an hour
    until: float
    begins: float | None
    zone: str
    days: list[InsightDay]


# ---------------------------------------------------------------------- the questions

_SINCE = Annotated[
    float | None, Meta(description="From this time on; else the 24 hours before `until`.")
]
_UNTIL = Annotated[float | None, Meta(description="Before this time; else up to now.")]
_NAME = Annotated[
    str, Meta(max_length=1024, description="Tasks of this name alone, written in full.")
]


class InsightQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which time, and which names."""

    since: _SINCE = None
    until: _UNTIL = None
    sort: Annotated[
        Literal["tasks", "failed", "failures", "retried", "run", "wait", "took", "name"],
        Meta(
            description="By tasks; by the share that failed, or how many; by the share that was "
            "retried; by the p95 of how long they ran, or waited; by how long they ran together; "
            "by name."
        ),
    ] = "took"
    text: Annotated[str, Meta(max_length=1024, description="A part of the names wanted.")] = ""
    limit: Annotated[int, Meta(ge=1, le=500, description="At most so many names.")] = 100


class InsightTimeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which time."""

    since: _SINCE = None
    until: _UNTIL = None


class InsightExceptionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which time, and whose exceptions."""

    since: _SINCE = None
    until: _UNTIL = None
    name: _NAME = ""
    limit: Annotated[int, Meta(ge=1, le=200, description="At most so many.")] = 50


class InsightCalendarQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which time, where, and of which tasks."""

    since: _SINCE = None
    until: _UNTIL = None
    zone: Annotated[str, Meta(max_length=100, description="The time zone: Europe/Berlin, UTC.")] = (
        "UTC"
    )
    name: _NAME = ""


# ---------------------------------------------------------------------- the answers


def insight(services: Services, _path: Mapping[str, str], query: InsightQuery) -> Insight:
    """See what became of tasks, by name."""
    history, now = kept(services), services.clock()
    since, until = _window(query.since, query.until, now)
    told = figures.overview(
        history, since=since, until=until, now=now, sort=query.sort, limit=query.limit,
        text=query.text, scope=_scope(services),
    )  # fmt: skip
    return Insight(
        now=now,
        since=since,
        until=until,
        exact=told.exactness.exact,
        begins=told.exactness.begins,
        total=_figures(told.total),
        before=None if told.before is None else _figures(told.before),
        series=_series(told.series),
        bar_seconds=told.bar_seconds,
        names=[
            InsightRow(
                name=one.name,
                now=_figures(one.now),
                before=None if one.before is None else _figures(one.before),
                bars=one.bars.tasks,
                bars_failed=one.bars.failed,
            )
            for one in told.names
        ],
        names_total=told.names_total,
    )


def insight_name(
    services: Services, path: Mapping[str, str], query: InsightTimeQuery
) -> InsightName:
    """See what became of the tasks of one name: its course, who ran them, examples."""
    history, now, name = kept(services), services.clock(), path["name"]
    since, until = _window(query.since, query.until, now)
    told = figures.name(
        history, name, since=since, until=until, now=now, scope=_scope(services)
    )  # fmt: skip
    if told is None:
        raise NotFound("task name", name)
    # A name in a query is the end of longer ones, too.
    wanted = all_of(
        [Match("name", ((name,),)), Not(Match("name", (("", f".{name}"),))),
         At("since", since), At("until", _end(until, now)),
         Match("state", tuple((state,) for state in sorted([*FINISHED, "LOST"])))]
    )  # fmt: skip
    workers, queues, shares_whole = _shares(history, wanted, now)
    slowest, slowest_whole = _most(history, wanted, "longest", name, now)
    waited, waited_whole = _most(history, wanted, "waited", name, now)
    return InsightName(
        now=now,
        since=since,
        until=until,
        exact=told.exactness.exact,
        begins=told.exactness.begins,
        name=name,
        figures=_figures(told.now),
        before=None if told.before is None else _figures(told.before),
        series=_series(told.series),
        workers=workers,
        queues=queues,
        shares_whole=shares_whole,
        slowest=slowest,
        waited=waited,
        tasks_whole=slowest_whole and waited_whole,
    )


def insight_exceptions(
    services: Services, _path: Mapping[str, str], query: InsightExceptionsQuery
) -> InsightExceptions:
    """See exceptions by their fingerprint: how often, since when, of which tasks."""
    history, now = kept(services), services.clock()
    since, until = _window(query.since, query.until, now)
    told = figures.exceptions(
        history, since=since, until=until, now=now, name=query.name or None, limit=query.limit,
        scope=_scope(services),
    )  # fmt: skip
    return InsightExceptions(
        now=now,
        since=told.since,
        until=told.until,
        begins=told.begins,
        bar_seconds=told.bar_seconds,
        exceptions=[
            InsightException(
                fingerprint=one.fingerprint,
                type=one.type,
                file=one.file,
                function=one.function,
                line=one.line,
                first=one.first,
                last=one.last,
                failed=one.failed,
                retried=one.retried,
                before=one.before,
                names=[InsightCount(name=name, count=count) for name, count in one.names],
                names_total=one.names_total,
                examples=one.examples,
                bars=one.bars,
            )
            for one in told.exceptions
        ],
        total=told.total,
    )


def insight_calendar(
    services: Services, _path: Mapping[str, str], query: InsightCalendarQuery
) -> InsightCalendar:
    """See tasks and failures in each hour of each day."""
    history, now = kept(services), services.clock()
    since, until = _window(query.since, query.until, now)
    told = figures.calendar(
        history, since=since, until=until, now=now, zone=_zone(query.zone),
        name=query.name or None, scope=_scope(services),
    )  # fmt: skip
    return InsightCalendar(
        now=now,
        since=told.since,
        until=told.until,
        begins=told.begins,
        zone=query.zone,
        days=[
            InsightDay(date=day.date, tasks=day.tasks, failed=day.failed) for day in told.days
        ],
    )  # fmt: skip


def _window(since: float | None, until: float | None, now: float) -> tuple[float, float]:
    """Give the time asked for. Raises BadArgument for what is none."""
    end = now if until is None else until
    start = end - _DAY_SECONDS if since is None else since
    for name, value in (("until", end), ("since", start)):
        if not math.isfinite(value) or not 0 <= value <= now + 366 * _DAY_SECONDS:
            raise BadArgument(name, f"'{name}' is no time that this is counted for.")
    if start >= end:
        raise BadArgument("since", "'since' must be before 'until'.")
    if end - start > figures.LONGEST_SECONDS:
        days = round(figures.LONGEST_SECONDS / _DAY_SECONDS)
        raise BadArgument("since", f"Ask for {days} days at most: figures are not kept longer.")
    return start, end


def _end(until: float, now: float) -> float:
    """Of a time up to now, leave out nothing that came meanwhile."""
    return until if until < now else until + _DAY_SECONDS


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadArgument("zone", f"There is no time zone '{name}'.") from None


def _scope(services: Services) -> Scope | None:
    scope = services.actor.scope
    return scope if scope.limited else None


def _shares(
    history: History, wanted: Query, now: float
) -> tuple[list[InsightShare], list[InsightShare], bool]:
    """Give the workers and the queues with most of the tasks wanted, and whether that is all."""
    every = history.facets(wanted, now=now, most_seconds=_FACET_SECONDS)
    failures = all_of([wanted, Match("state", ((FAILURE,),))])
    failed = history.facets(failures, now=now, most_seconds=_FACET_SECONDS)
    shares = []
    for field in ("worker", "queue"):
        counts = dict(failed.values[field])
        shares.append(
            [
                InsightShare(value=value, tasks=tasks, failed=min(tasks, counts.get(value, 0)))
                for value, tasks in every.values[field]
            ]
        )
    return shares[0], shares[1], every.whole and failed.whole


def _most(
    history: History, wanted: Query, sort: Literal["longest", "waited"], name: str, now: float
) -> tuple[list[TaskRow], bool]:
    """Give the tasks that took longest, and whether all were looked at."""
    page = history.search(
        wanted, now=now, sort=sort, limit=5 * _MOST_TASKS, most_seconds=_SEARCH_SECONDS
    )
    mine = [task for task in page.tasks if task.name == name]  # case does not matter in a query
    value = "ran" if sort == "longest" else "wait"
    known = [task for task in mine if getattr(task, value) is not None]
    return [task_row(task) for task in known[:_MOST_TASKS]], page.whole


def _figures(told: figures.Summary) -> InsightFigures:
    return InsightFigures(**told._asdict())


def _series(told: figures.Series) -> InsightSeries:
    return InsightSeries(
        step_seconds=told.step_seconds,
        points=[InsightPoint(**point._asdict()) for point in told.points],
    )


_REFUSAL: Final = "No history is kept, or there are too many tasks to count."

INSIGHT = Operation(insight, InsightQuery, Insight, refusal=_REFUSAL, heavy=True)
NAME = Operation(insight_name, InsightTimeQuery, InsightName, refusal=_REFUSAL, heavy=True)
EXCEPTIONS = Operation(
    insight_exceptions, InsightExceptionsQuery, InsightExceptions, refusal=_REFUSAL, heavy=True
)
CALENDAR = Operation(
    insight_calendar, InsightCalendarQuery, InsightCalendar, refusal=_REFUSAL, heavy=True
)
