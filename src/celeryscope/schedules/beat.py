"""`beat_schedule`: of the project's app, or else as the workers tell it in their settings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from celery import schedules
from celery.beat import BeatLazyFunc
from kombu.utils.functional import maybe_evaluate

from celeryscope.model.schedule import Entry, Schedule
from celeryscope.model.task import epoch
from celeryscope.schedules import timing, words

NAME = "beat_schedule"
MOST_ENTRIES = 10_000
_MOST_TEXT_CHARS = 1000
_TEXT_ONLY = "Only the text of its arguments is known, from a worker's settings."
_LAZY = "Its arguments are computed when beat sends it."
# What Celery makes of a crontab as text: the order of the fields differs between versions.
_CRONTAB = re.compile(r"<crontab: (\S+) (\S+) (\S+) (\S+) (\S+) \((m/h/d/dM/MY|m/h/dM/MY/d)\)>")
_DELTA = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_FREQUENCY = re.compile(r"<freq: (\d+(?:\.\d+)?) (second|minute|hour|day)s?>")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_PLAIN = re.compile(r"[\w .,:;/@%+\-]*")


class BeatSchedule:
    """Reads the entries of `beat_schedule`. When they ran, only beat itself knows."""

    name = NAME

    def __init__(
        self,
        *,
        app: Any,
        conf_of_workers: Callable[[], Mapping[str, Mapping[str, Any] | None]],
    ) -> None:
        self._app = app
        self._conf_of_workers = conf_of_workers

    def read(self, now: float) -> Schedule:
        """Read them: those of the app where it has any, else those the workers tell."""
        self._app.finalize()
        own = maybe_evaluate(self._app.conf.beat_schedule)
        if own:
            entries = [_of_app(self._app, name, entry) for name, entry in _first(own)]
            return _read(entries, f"{_many(len(entries))} in the project's settings.", now)
        told = {host: conf for host, conf in self._conf_of_workers().items() if conf is not None}
        by_name: dict[str, Entry] = {}
        for host in sorted(told):
            for name, entry in _first(told[host].get("beat_schedule")):
                if len(by_name) < MOST_ENTRIES and name not in by_name:
                    zone = told[host].get("timezone")
                    by_name[name] = from_text(self._app, name, entry, timezone=zone)
        if by_name:
            said = f"{_many(len(by_name))}, as the workers' settings tell."
            return _read(list(by_name.values()), said, now)
        said = (
            "The settings of the project and of its workers have no beat_schedule."
            if told
            else "No worker has told its settings yet, and there is no app with a beat_schedule."
        )
        return Schedule(source=NAME, state="absent", said=said, read_at=now)


def _of_app(app: Any, name: str, entry: Any) -> Entry:
    try:
        return from_app(app, name, entry)
    except Exception as error:  # noqa: BLE001 - a project may write anything there
        told = " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_TEXT_CHARS]
        return _unknown(name, f"Celery cannot use it: {told}")


def from_app(app: Any, name: str, entry: Mapping[str, Any]) -> Entry:
    """Make an entry of what a project's app has."""
    schedule = schedules.maybe_schedule(
        entry["schedule"], relative=bool(entry.get("relative")), app=app
    )
    told = timing.read(schedule, last_run=None)
    args = entry.get("args") or ()
    kwargs = entry.get("kwargs") or {}
    lazy = isinstance(args, BeatLazyFunc) or any(
        isinstance(value, BeatLazyFunc) for value in (*args, *kwargs.values())
    )
    return Entry(
        source=NAME,
        name=name,
        task=str(entry.get("task") or ""),
        schedule=told.schedule,
        raw=told.raw,
        timezone=told.timezone,
        args=() if lazy else tuple(args),
        kwargs={} if lazy else dict(kwargs),
        options=dict(entry.get("options") or {}),
        next_run=told.next_run,
        period_seconds=told.period_seconds,
        sendable=not lazy,
        note=" ".join(filter(None, (_LAZY if lazy else "", told.note))),
    )


def from_text(app: Any, name: str, entry: object, *, timezone: object) -> Entry:
    """Make an entry of what a worker says its settings are: JSON, with what is none as text."""
    if not isinstance(entry, Mapping):
        return _unknown(name, "The worker's settings hide it.")
    args, kwargs = entry.get("args") or [], entry.get("kwargs") or {}
    options = entry.get("options") or {}
    exact = (
        isinstance(args, list)
        and isinstance(kwargs, Mapping)
        and isinstance(options, Mapping)
        and all(map(_exact, (args, kwargs, options)))
        and isinstance(entry.get("task"), str)
    )
    told = _timing(app, entry.get("schedule"), timezone)
    return Entry(
        source=NAME,
        name=name,
        task=str(entry.get("task") or "")[:_MOST_TEXT_CHARS],
        schedule=told.schedule,
        raw=told.raw,
        timezone=told.timezone,
        args=tuple(args) if isinstance(args, list) else (args,),
        kwargs=dict(kwargs) if isinstance(kwargs, Mapping) else {},
        options=dict(options) if isinstance(options, Mapping) else {},
        next_run=told.next_run,
        period_seconds=told.period_seconds,
        sendable=exact,
        note=" ".join(filter(None, ("" if exact else _TEXT_ONLY, told.note))),
    )


def _timing(app: Any, told: object, timezone: object) -> timing.Timing:
    if isinstance(told, int | float) and not isinstance(told, bool):
        if math.isfinite(told) and abs(told) < timedelta.max.total_seconds():
            return _every(float(told))
        return timing.Timing(schedule="by an unknown schedule", raw=str(told))
    text = " ".join(str(told).split())[:_MOST_TEXT_CHARS]
    if found := _CRONTAB.fullmatch(text):
        minute, hour, third, fourth, fifth, order = found.groups()
        days = (third, fourth, fifth) if order.endswith("/d") else (fourth, fifth, third)
        try:
            schedule = timing.crontab_in(timing.zone(timezone), minute, hour, *days, app=app)
        except ValueError:
            return timing.Timing(schedule="by a crontab that is not understood", raw=text)
        return timing.read(schedule, last_run=None)
    if found := _DELTA.fullmatch(text):
        days_told, hours, minutes, seconds, parts = found.groups()
        total = int(days_told or 0) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        return _every(total + float(f"0.{parts or 0}"))
    if found := _FREQUENCY.fullmatch(text):
        # Celery rounds: 100 seconds are told as 1.67 minutes.
        number, unit = float(found[1]), found[2]
        return timing.Timing(
            schedule=f"about every {number:g} {unit}s",
            raw=text,
            period_seconds=number * _SECONDS[unit],
            note="The worker tells its interval rounded.",
        )
    return timing.Timing(schedule=text.strip("<>") or "by an unknown schedule", raw=text)


def _every(seconds: float) -> timing.Timing:
    return timing.Timing(
        schedule=words.interval(seconds), raw=f"{seconds:g} s", period_seconds=seconds
    )


def _exact(value: object) -> bool:
    """Is this surely what it was, and no text that stands for something else?"""
    if isinstance(value, list):
        return all(map(_exact, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _exact(inner) for key, inner in value.items())
    if not isinstance(value, str):
        return value is None or isinstance(value, bool | int | float)
    return _PLAIN.fullmatch(value) is not None and not _stands_for_another(value)


def _stands_for_another(text: str) -> bool:
    """Could it be a date, a time span or an id that became text?"""
    if epoch(text) is not None or _DELTA.fullmatch(text):
        return True
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _unknown(name: str, note: str) -> Entry:
    return Entry(
        source=NAME, name=name, task="", schedule="unknown", raw="", sendable=False, note=note
    )


def _first(entries: object) -> Iterator[tuple[str, Any]]:
    if isinstance(entries, Mapping):
        for name, entry in islice(entries.items(), MOST_ENTRIES):
            yield str(name)[:_MOST_TEXT_CHARS], entry


def _many(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _read(entries: list[Entry], said: str, now: float) -> Schedule:
    return Schedule(source=NAME, state="read", said=said, read_at=now, entries=tuple(entries))
