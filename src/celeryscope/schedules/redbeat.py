"""RedBeat: entries in Redis, one hash each, and a sorted set of when they are due.

Their JSON marks what JSON does not have with `__type__`. It is decoded here, and only into
times and Celery's own schedules; RedBeat itself is not needed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import redis
from celery import schedules
from kombu import Connection
from kombu.exceptions import OperationalError

from celeryscope.errors import TransportUnsupported, broker_trouble, without_passwords
from celeryscope.model.schedule import Entry, Schedule
from celeryscope.schedules import timing

logger = logging.getLogger(__name__)

NAME = "RedBeat"
MOST_ENTRIES = 10_000
MOST_ENTRY_BYTES = 64 * 1024
MOST_BYTES = 32 * 1024 * 1024  # of all entries together
_MOST_NAME_CHARS = 1000
_AT_ONCE = 500
_TIMEOUT_SECONDS = 5.0
_MOST_FIELD_CHARS = 500
_FREQUENCIES = ("year", "month", "week", "day", "hour", "minute", "second")
_SCHEMES = ("redis", "rediss", "sentinel", "redis+socket")
_RULE_PLAIN = frozenset({"dtstart", "wkst"})
_CRONTAB = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")

Record = tuple[str, float, bytes, bytes | None]  # key, when it is due, definition, meta


class RedBeatSchedule:
    """Reads the entries of RedBeat from `redbeat_redis_url`, or from the broker if it is Redis."""

    name = NAME

    def __init__(self, *, app: Any) -> None:
        self._app = app

    def read(self, now: float) -> Schedule:
        """Read them; raises `SourceError` when Redis cannot be asked."""
        prefix = str(_setting(self._app, "redbeat_key_prefix") or "redbeat:")
        url = str(_setting(self._app, "redbeat_redis_url") or "")
        scheme = (url or str(self._app.connection_for_read().as_uri())).partition("://")[0]
        if not url and scheme not in _SCHEMES:
            said = "The broker is not Redis, and redbeat_redis_url is not set."
            return Schedule(source=NAME, state="absent", said=said, read_at=now)
        if scheme not in _SCHEMES:
            raise TransportUnsupported(f"RedBeat's schedule cannot be read through {scheme}://.")
        where = without_passwords(url) or "the broker"
        try:
            with self._connection(url) as connection:
                channel = connection.channel()
                # kombu's own client adds a key prefix of its own.
                client = redis.Redis(connection_pool=channel.pool)
                found = fetch(client, f"{prefix}:schedule")
        except (redis.RedisError, OSError, OperationalError) as error:
            raise broker_trouble(error, where=where) from error
        if found is None:
            said = f"Redis has no RedBeat schedule at {prefix}:schedule."
            return Schedule(source=NAME, state="absent", said=said, read_at=now)
        records, total = found
        entries = tuple(self._entry(record, prefix) for record in records)
        said = f"{'1 entry' if total == 1 else f'{total:,} entries'} at {prefix}:schedule."
        if total > len(entries):
            said = f"{len(entries):,} of {total:,} entries at {prefix}:schedule could be read."
        return Schedule(source=NAME, state="read", said=said, read_at=now, entries=entries)

    def _connection(self, url: str) -> Any:
        options = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}
        if not url:
            made = self._app.connection_for_read()
            made.transport_options = {**options, **(made.transport_options or {})}
            return made
        ssl = _setting(self._app, "redbeat_redis_use_ssl") or None
        return Connection(url, ssl=ssl, transport_options=options)

    def _entry(self, record: Record, prefix: str) -> Entry:
        key, due, definition, meta = record
        return from_record(
            self._app,
            name=key.removeprefix(prefix),
            due=due,
            definition=definition,
            meta=meta,
        )


def fetch(client: Any, schedule_key: str) -> tuple[list[Record], int] | None:
    """Read what is kept of the entries, the next to run first; None: there is no schedule.

    Entries that are too large, or are none, are left out; the number is of all there are.
    """
    total: int = client.zcard(schedule_key)
    if not total:
        return None
    found: list[tuple[bytes, float]] = client.zrange(
        schedule_key, 0, MOST_ENTRIES - 1, withscores=True
    )
    records: list[Record] = []
    room = MOST_BYTES
    for start in range(0, len(found), _AT_ONCE):
        some = found[start : start + _AT_ONCE]
        with client.pipeline(transaction=False) as pipe:
            for key, _ in some:
                pipe.hstrlen(key, "definition")
                pipe.hstrlen(key, "meta")
            sizes = pipe.execute(raise_on_error=False)
        fitting: list[tuple[bytes, float]] = []
        for (key, due), definition, meta in zip(some, sizes[::2], sizes[1::2], strict=True):
            if not isinstance(definition, int) or not isinstance(meta, int) or not definition:
                continue  # no hash, or no entry
            size = len(key) + definition + meta
            if len(key) <= _MOST_NAME_CHARS and size <= min(MOST_ENTRY_BYTES, room):
                fitting.append((key, due))
                room -= size
        with client.pipeline(transaction=False) as pipe:
            for key, _ in fitting:
                pipe.hmget(key, ["definition", "meta"])
            values = pipe.execute(raise_on_error=False)
        records += [
            (key.decode(errors="replace"), due, value[0], value[1])
            for (key, due), value in zip(fitting, values, strict=True)
            if isinstance(value, list) and value[0] is not None
        ]
    return records, total


def from_record(app: Any, *, name: str, due: float, definition: bytes, meta: bytes | None) -> Entry:
    """Make an entry of the JSON of a hash; `due` is its place in the sorted set."""
    try:
        defined = _json(definition)
        ran = _json(meta) if meta else {}
    except (ValueError, RecursionError):
        defined, ran = None, {}
    task = defined.get("task") if isinstance(defined, dict) else None
    if not isinstance(task, str) or len(task) > _MOST_NAME_CHARS:
        note = "What Redis has of it is no entry of RedBeat."
        return Entry(
            source=NAME, name=name, task="", schedule="unknown", raw="", sendable=False, note=note
        )
    ran = ran if isinstance(ran, dict) else {}
    last_run = _moment(ran.get("last_run_at"))
    enabled = defined.get("enabled") is not False
    told = _timing(app, defined.get("schedule"), last_run)
    args, kwargs, options, known = _arguments(defined)
    upcoming = told.next_run if last_run is not None else None
    if upcoming is None and due > 0:
        upcoming = due
    runs = ran.get("total_run_count")
    # Until it has run, RedBeat has the moment it was made, or moved to, as its last run.
    counted = isinstance(runs, int) and runs > 0
    return Entry(
        source=NAME,
        name=name,
        task=task,
        schedule=told.schedule,
        raw=told.raw,
        timezone=told.timezone,
        enabled=enabled,
        args=args,
        kwargs=kwargs,
        options=options,
        last_run=last_run.timestamp() if last_run is not None and counted else None,
        next_run=upcoming if enabled and due >= 0 else None,
        period_seconds=told.period_seconds,
        total_runs=runs if isinstance(runs, int) else None,
        sendable=known,
        note=" ".join(filter(None, ("" if known else "Its arguments are not known.", told.note))),
    )


def _json(text: bytes) -> Any:
    """Read JSON; raises ValueError, also for half a character, which nobody could be sent."""
    value = json.loads(text)
    if b"\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _arguments(
    defined: Mapping[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any], bool]:
    try:
        args = _decoded(defined.get("args") or [])
        kwargs = _decoded(defined.get("kwargs") or {})
        options = _decoded(defined.get("options") or {})
    except (ValueError, RecursionError):
        return (), {}, {}, False
    if isinstance(args, list) and isinstance(kwargs, dict) and isinstance(options, dict):
        return tuple(args), kwargs, options, True
    return (), {}, {}, False


def _decoded(value: Any) -> Any:
    """Give JSON with its times decoded; raises ValueError for anything else that is marked."""
    if isinstance(value, list):
        return [_decoded(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "__type__" not in value:
        return {key: _decoded(inner) for key, inner in value.items()}
    moment = _moment(value)
    if moment is None:
        raise ValueError("not a time")
    return moment


def _moment(value: Any) -> datetime | None:
    """Decode a `datetime` of RedBeat; its zone is a name, or seconds east of Greenwich."""
    if not isinstance(value, dict) or value.get("__type__") != "datetime":
        return None
    zone = value.get("timezone", "UTC")
    try:
        away = isinstance(zone, int | float)
        tz = timezone(timedelta(seconds=zone)) if away else timing.zone(zone)
        return datetime(
            value["year"],
            value["month"],
            value["day"],
            value.get("hour", 0),
            value.get("minute", 0),
            value.get("second", 0),
            value.get("microsecond", 0),
            tzinfo=tz,
        )
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def _timing(app: Any, told: Any, last_run: datetime | None) -> timing.Timing:
    kind = told.get("__type__") if isinstance(told, dict) else None
    try:
        if kind == "interval":
            every = float(told["every"])
            schedule = schedules.schedule(
                run_every=timedelta(seconds=every), relative=bool(told.get("relative")), app=app
            )
            return timing.read(schedule, last_run=last_run)
        if kind == "crontab":
            fields = [_field(told.get(name, "*")) for name in _CRONTAB]
            return timing.read(timing.crontab_in(app.timezone, *fields, app=app), last_run=last_run)
        if kind == "rrule":
            return _rule(told)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        logger.debug("a schedule of RedBeat is not understood: %s", error)
    raw = json.dumps(told)[:_MOST_FIELD_CHARS]
    return timing.Timing(schedule="by a schedule that is not understood", raw=raw)


def _rule(told: Mapping[str, Any]) -> timing.Timing:
    """Say how often a recurrence rule comes round; what else it has stands in `raw`."""
    unit, step = _FREQUENCIES[int(told["freq"])], int(told.get("interval") or 1)
    given = {
        name: value
        for name, value in told.items()
        if value is not None and name not in ("__type__", "freq", "interval", "dtstart_tz")
    }
    every = f"every {unit}" if step == 1 else f"every {step} {unit}s"
    more = ", by a recurrence rule with more conditions" if set(given) - _RULE_PLAIN else ""
    raw = f"rrule freq={told['freq']} interval={step} " + " ".join(
        f"{name}={json.dumps(value)}" for name, value in given.items()
    )
    return timing.Timing(schedule=every + more, raw=raw.strip()[:_MOST_FIELD_CHARS])


def _field(value: Any) -> str:
    """Give a field of a crontab as Celery takes it; raises ValueError when it is none."""
    if isinstance(value, list):
        value = ",".join(str(int(number)) for number in value)
    text = str(value)
    if not isinstance(value, str | int) or len(text) > _MOST_FIELD_CHARS:
        raise ValueError("not a field of a crontab")
    return text


def _setting(app: Any, name: str) -> Any:
    """Find a setting of RedBeat, which may be in capitals."""
    found = app.conf.get(name)
    return app.conf.get(name.upper()) if found is None else found
