"""django-celery-beat: the periodic tasks in the database of a Django project."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery import schedules
from kombu.utils.json import loads

from celeryscope.model.schedule import Entry, Schedule
from celeryscope.schedules import timing, words

NAME = "django-celery-beat"
MOST_ENTRIES = 10_000
_OPTIONS = ("queue", "exchange", "routing_key", "priority")
_KINDS = ("interval", "crontab", "solar", "clocked")
_ABSENT = "No Django project with django_celery_beat in its INSTALLED_APPS runs in this process."


class DjangoSchedule:
    """Reads the periodic tasks through the project's own Django, where it is set up here."""

    name = NAME

    def __init__(self, *, app: Any) -> None:
        self._app = app

    def read(self, now: float) -> Schedule:
        """Read them all, with one query; raises what the database raises."""
        if not installed():
            return Schedule(source=NAME, state="absent", said=_ABSENT, read_at=now)
        rows, more = _rows()
        entries = tuple(from_row(self._app, row, now=now) for row in rows)
        said = f"{len(entries):,} periodic task{'s' * (len(entries) != 1)} in the database."
        if more:
            said = f"The first {MOST_ENTRIES:,} periodic tasks of the database, by name."
        return Schedule(source=NAME, state="read", said=said, read_at=now, entries=entries)


def installed() -> bool:
    """Is there a Django in this process that is set up, with django-celery-beat?"""
    registry = sys.modules.get("django.apps")
    apps: Any = registry.apps if registry is not None else None
    return apps is not None and apps.ready and bool(apps.is_installed("django_celery_beat"))


def _rows() -> tuple[list[Any], bool]:
    models = importlib.import_module("django_celery_beat.models")
    connections = importlib.import_module("django.db").connections
    try:
        found = models.PeriodicTask._default_manager.select_related(*_KINDS).order_by("name")
        rows = list(found[: MOST_ENTRIES + 1])
    finally:
        connections.close_all()  # those of this thread
    return rows[:MOST_ENTRIES], len(rows) > MOST_ENTRIES


def from_row(app: Any, row: Any, *, now: float) -> Entry:
    """Make an entry of a PeriodicTask."""
    told = _timing(app, row)
    next_run = None
    enabled = bool(row.enabled)
    if enabled and not _over(row, now):
        next_run = told.next_run
        if next_run is not None and row.start_time is not None:
            next_run = max(next_run, _epoch(row.start_time))
    args, args_known = _json(row.args or "[]", list)
    kwargs, kwargs_known = _json(row.kwargs or "{}", dict)
    headers, headers_known = _json(row.headers or "{}", dict)
    known = args_known and kwargs_known and headers_known
    return Entry(
        source=NAME,
        name=row.name,
        task=row.task,
        schedule=told.schedule,
        raw=told.raw,
        timezone=told.timezone,
        enabled=enabled,
        one_off=bool(row.one_off),
        args=tuple(args),
        kwargs=kwargs,
        options=_options(row, headers),
        last_run=None if row.last_run_at is None else _epoch(row.last_run_at),
        next_run=next_run,
        period_seconds=told.period_seconds,
        total_runs=row.total_run_count,
        sendable=known,
        note=" ".join(
            filter(
                None, ("" if known else "Its arguments are not JSON.", _over(row, now), told.note)
            )
        ),
    )


def _timing(app: Any, row: Any) -> timing.Timing:
    if row.clocked is not None:
        at = _aware(row.clocked.clocked_time).astimezone(UTC)
        return timing.Timing(
            schedule=f"once, at {at:%Y-%m-%d %H:%M:%S} UTC",
            raw=at.isoformat(),
            next_run=at.timestamp(),
        )
    if row.solar is not None and importlib.util.find_spec("ephem") is None:
        return _without_ephem(row.solar)
    try:
        schedule = _schedule(app, row)
    except (schedules.ParseException, ValueError, TypeError, LookupError, ImportError) as error:
        raw = str(next((getattr(row, kind) for kind in _KINDS if getattr(row, kind)), ""))
        note = f"Its schedule cannot be used: {type(error).__name__}."
        return timing.Timing(schedule=raw or "never: it has no schedule", raw=raw, note=note)
    # Beat counts from when the row was changed until it has run for the first time.
    since = row.last_run_at or row.date_changed
    return timing.read(schedule, last_run=None if since is None else _aware(since))


def _without_ephem(solar: Any) -> timing.Timing:
    latitude, longitude = float(solar.latitude), float(solar.longitude)
    return timing.Timing(
        schedule=words.solar(solar.event, latitude, longitude),
        raw=f"solar {solar.event} {latitude:g} {longitude:g}",
        note="When it runs next is not known: the package ephem is not installed here.",
    )


def _schedule(app: Any, row: Any) -> Any:
    if row.interval is not None:
        schedule = row.interval.schedule
        return schedules.schedule(run_every=schedule.run_every, app=app)
    if row.crontab is not None:
        crontab = row.crontab
        return timing.crontab_in(
            crontab.timezone,
            crontab.minute,
            crontab.hour,
            crontab.day_of_month,
            crontab.month_of_year,
            crontab.day_of_week,
            app=app,
        )
    if row.solar is not None:
        solar = row.solar
        return schedules.solar(solar.event, float(solar.latitude), float(solar.longitude), app=app)
    raise ValueError("no schedule")


def _options(row: Any, headers: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: getattr(row, name) for name in _OPTIONS if getattr(row, name) is not None}
    if row.expires_:
        options["expires"] = row.expires_
    return {**options, "headers": {**headers, "periodic_task_name": row.name}}


def _over(row: Any, now: float) -> str:
    if row.expires is not None and _epoch(row.expires) <= now:
        return "It has expired."
    if row.one_off and row.total_run_count > 0:
        return "It runs once, and has run."
    return ""


def _json(text: str, kind: type) -> tuple[Any, bool]:
    try:
        value = loads(text)
    except ValueError:
        return kind(), False
    return (value, True) if isinstance(value, kind) else (kind(), False)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is not None:
        return moment
    # Without USE_TZ the database has local time.
    try:
        return moment.astimezone()
    except (ValueError, OverflowError):  # at the ends of time
        return moment.replace(tzinfo=UTC)


def _epoch(moment: datetime) -> float:
    return _aware(moment).timestamp()
