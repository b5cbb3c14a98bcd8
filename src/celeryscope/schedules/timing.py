"""What Celery's own schedule classes tell: when an entry runs next, how often, in which words."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from celery import schedules

from celeryscope.schedules import words

logger = logging.getLogger(__name__)

_MOST_RAW_CHARS = 500
_MOST_STEPS = 3_000
_LONGEST_BACK = timedelta(days=3_000)
_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it is shown."""

    schedule: str  # in words
    raw: str
    next_run: float | None = None
    period_seconds: float | None = None
    timezone: str | None = None
    note: str = ""


def read(schedule: Any, *, last_run: datetime | None, enabled: bool = True) -> Timing:
    """Tell of one of Celery's schedule objects.

    `last_run` is when the entry ran last, as its source tells. Where it is None, a schedule by
    the clock runs next after now, and `period_seconds` is the time between that run and the one
    before; when an interval ends is not known then.
    """
    said, raw = in_words(schedule), written(schedule)
    timezone = zone_name(schedule) if isinstance(schedule, schedules.crontab) else None
    try:
        upcoming, period = _moments(schedule, last_run)
    except Exception as error:
        # A project's own schedule class may raise anything.
        logger.debug("the next run of a schedule cannot be told", exc_info=True)
        note = f"When it runs next cannot be told: {type(error).__name__}."
        return Timing(schedule=said, raw=raw, timezone=timezone, note=note)
    return Timing(
        schedule=said,
        raw=raw,
        next_run=upcoming if enabled else None,
        period_seconds=period,
        timezone=timezone,
    )


def in_words(schedule: Any) -> str:
    """Say what a schedule means."""
    if isinstance(schedule, schedules.crontab):
        return words.crontab(
            minutes=schedule.minute,
            hours=schedule.hour,
            days_of_week=schedule.day_of_week,
            days_of_month=schedule.day_of_month,
            months=schedule.month_of_year,
        )
    if isinstance(schedule, schedules.solar):
        return words.solar(schedule.event, float(schedule.lat), float(schedule.lon))
    if type(schedule) is schedules.schedule:
        return words.interval(schedule.run_every.total_seconds())
    return "by a schedule of its own"


def written(schedule: Any) -> str:
    """Write a schedule as its source has it: `30 2 * * 1`, `30 s`."""
    if isinstance(schedule, schedules.crontab):
        return " ".join(_field(getattr(schedule, f"_orig_{name}")) for name in _FIELDS)[
            :_MOST_RAW_CHARS
        ]
    if type(schedule) is schedules.schedule:
        return f"{schedule.run_every.total_seconds():g} s"
    return " ".join(repr(schedule).split())[:_MOST_RAW_CHARS]


def zone_name(schedule: Any) -> str:
    """Name the time zone that a schedule is meant in."""
    return str(getattr(schedule.tz, "key", None) or schedule.tz)


def zone(name: object) -> tzinfo:
    """Find a time zone by its name; UTC where there is none, as in Celery.

    Raises ValueError when it is not known.
    """
    if name is None or name == "":
        return UTC
    if not isinstance(name, str) or len(name) > 100:
        raise ValueError("not a time zone")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"unknown time zone {name}") from error


def crontab_in(timezone: tzinfo, *fields: str, app: Any = None) -> Any:
    """Make a crontab that is meant in `timezone`: minute, hour, day, month, day of the week.

    Raises ValueError when Celery would not take it.
    """
    minute, hour, day_of_month, month_of_year, day_of_week = fields
    try:
        made = schedules.crontab(
            minute=minute,
            hour=hour,
            day_of_month=day_of_month,
            month_of_year=month_of_year,
            day_of_week=day_of_week,
            nowfun=lambda: datetime.now(timezone),
            app=app,
        )
    except (schedules.ParseException, TypeError, LookupError, OverflowError) as error:
        raise ValueError(f"not a crontab: {error}") from error
    made.tz = timezone
    return made


def next_after(schedule: Any, moment: datetime) -> datetime | None:
    """Tell when a schedule is due after a run at `moment`; None: never again."""
    now = schedule.now()
    left = schedule.remaining_estimate(moment)
    if left is None:
        return None
    if now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    due: datetime = now.astimezone(UTC) + left
    # The clock went on between the two: tell no more than is known.
    return datetime.fromtimestamp(round(due.timestamp(), 1), UTC)


def _moments(schedule: Any, last_run: datetime | None) -> tuple[float | None, float | None]:
    """Give the next run and the period."""
    if type(schedule) is schedules.schedule:
        every = float(schedule.run_every.total_seconds())
        upcoming = None if last_run is None else next_after(schedule, last_run)
        return (None if upcoming is None else upcoming.timestamp()), every
    now = datetime.now(UTC)
    upcoming = next_after(schedule, last_run or now)
    if upcoming is None:
        return None, None
    return upcoming.timestamp(), _period(schedule, upcoming, now)


def _period(schedule: Any, upcoming: datetime, now: datetime) -> float | None:
    """Give the seconds from the run before `upcoming` to it."""
    # `upcoming` is rounded: a moment later, so that it is not found once more.
    following = next_after(schedule, upcoming + timedelta(seconds=1))
    if following is None or following <= upcoming:
        return None
    back = following - upcoming
    while back < _LONGEST_BACK:
        before = _last_before(schedule, start=upcoming - back - timedelta(minutes=1), end=upcoming)
        if before is not None:
            return (upcoming - before).total_seconds()
        back *= 2
    return (following - upcoming).total_seconds()


def _last_before(schedule: Any, *, start: datetime, end: datetime) -> datetime | None:
    found = None
    moment = start
    for _ in range(_MOST_STEPS):
        following = next_after(schedule, moment)
        if following is None or following <= moment or following >= end - timedelta(seconds=1):
            break
        found = moment = following
    return found


def _field(value: Any) -> str:
    if isinstance(value, str | int):
        return str(value)
    return ",".join(str(number) for number in sorted(value))
