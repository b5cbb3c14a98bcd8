"""Entries of schedules: what Redis, a database and the workers' settings have of them."""

from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace
from typing import Any

import hypothesis
import msgspec
import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.model.schedule import Entry, Schedule
from celeryscope.schedules import beat, django, redbeat
from celeryscope.web.api import schedules
from tests.fuzz.hostile import (
    EXTREME,
    as_json,
    fuzz,
    mutated,
    numbers,
    records,
    sendable,
    texts,
    values,
)
from tests.unit.web.standins import NOW, Cluster

pytestmark = pytest.mark.timeout(60)

APP = Celery("fuzz", set_as_current=False)

DEFINITION = {
    "name": "nightly", "task": "shop.clean", "args": [1], "kwargs": {"a": 1}, "enabled": True,
    "schedule": {"__type__": "crontab", "minute": "*/5", "hour": "*", "day_of_week": "*",
                 "day_of_month": "*", "month_of_year": "*"},
}  # fmt: skip
META = {
    "last_run_at": {"__type__": "datetime", "year": 2026, "month": 11, "day": 23, "hour": 9,
                    "minute": 0, "second": 0, "microsecond": 0, "timezone": "Europe/Berlin"},
    "total_run_count": 3,
}  # fmt: skip

#: What may stand in a field of a crontab, a date or an interval.
fields: st.SearchStrategy[Any] = st.sampled_from(
    ["*", "*/5", "*/0", "1-5", "5-1", "0", "60", "-1", "mon", "1,2,", ",", "", "*/*", "99999999999",
     "1-99999999", "*/-1", "0-59/0", "L", "1.5", None, [1, 2], [[]], ["x"], {"a": 1}, True, 1e400,
     " 1 ", "٣", "*" * 600]
) | values(3)  # fmt: skip
marked = st.one_of(
    st.fixed_dictionaries(
        {
            "__type__": st.sampled_from(
                ["crontab", "interval", "rrule", "datetime", "solar", "uuid", "date", "decimal",
                 "bytes", "base64", 1]
            )
        },
        optional={
            **dict.fromkeys(
                ["minute", "hour", "day_of_week", "day_of_month", "month_of_year"], fields
            ),
            **dict.fromkeys(["every", "freq", "interval", "year", "month", "day", "second"],
                            numbers | fields),
            "timezone": st.sampled_from(
                ["UTC", "Europe/Berlin", "../../etc/passwd", "/etc/passwd", "", "\x00", 3600, 1e9,
                 10**400, float("nan"), "posix/UTC", "a" * 300]
            ),
            "relative": values(2),
            "dtstart": values(3),
            "__value__": values(3),
        },
    ),
    values(),
)  # fmt: skip


def told_by_worker(value: Any) -> Any:
    """Give a value as a worker's reply brings it."""
    try:
        return msgspec.json.decode(as_json(value))
    except msgspec.DecodeError:
        hypothesis.reject()


def shown(*entries: Entry) -> None:
    """See that the API can tell of them."""
    cluster = Cluster()
    cluster.schedules.latest = [
        Schedule(source="fuzz", state="read", said="", read_at=NOW, entries=entries)
    ]
    told = schedules.schedules(cluster.services, {}, {})
    assert len(sendable(told)) < 1_000_000


@given(
    st.one_of(
        mutated(as_json(DEFINITION)),
        records(*DEFINITION, "options").map(as_json),
        marked.map(lambda told: as_json({**DEFINITION, "schedule": told})),
        st.dictionaries(st.sampled_from(["args", "kwargs", "options"]), marked).map(
            lambda told: as_json({**DEFINITION, **told})
        ),
    ),
    st.one_of(
        st.none(),
        mutated(as_json(META)),
        marked.map(lambda told: as_json({**META, "last_run_at": told})),
        records(*META).map(as_json),
    ),
    st.sampled_from([*EXTREME, float("inf"), float("-inf")]),  # a sorted set has no NaN
    texts.map(lambda text: text.encode(errors="replace").decode()),
)
@fuzz(300)
def test_any_entry_of_redbeat_is_told(
    definition: bytes, meta: bytes | None, due: float, name: str
) -> None:
    shown(redbeat.from_record(APP, name=name, due=due, definition=definition, meta=meta))


@given(
    texts.filter(bool),
    records("task", "schedule", "args", "kwargs", "options", "relative")
    | values()
    | fields.map(lambda told: {"task": "t", "schedule": f"<crontab: {told} * * * * (m/h/d/dM/MY)>"})
    | (numbers | texts).map(lambda told: {"task": "t", "schedule": told})
    | st.from_regex(
        r"\A(<freq: [0-9]{1,400}\.[0-9]{1,20} (second|day)s?>|[0-9]{1,400} days?, [0-9]{1,30}:00:00)\Z"
    ).map(lambda told: {"task": "t", "schedule": told}),
    st.sampled_from([None, "UTC", "../../etc/passwd", "\x00", 3, "Europe/Berlin", "a" * 200]),
)
@fuzz(300)
def test_any_entry_of_a_workers_settings_is_told(name: str, entry: Any, zone: Any) -> None:
    shown(beat.from_text(APP, *told_by_worker([name, entry]), timezone=zone))


@given(st.dictionaries(texts, records("beat_schedule", "timezone") | st.none(), max_size=3))
@fuzz(100)
def test_any_settings_of_workers_are_a_schedule(told: dict[str, Any]) -> None:
    told = told_by_worker(told)
    read = beat.BeatSchedule(app=APP, conf_of_workers=lambda: told).read(NOW)
    shown(*read.entries)


class Row(SimpleNamespace):
    """A row of django-celery-beat, as far as it is read; its columns are as the database has them."""


moments = st.none() | st.datetimes(timezones=st.none() | st.just(UTC))
crontabs = st.builds(
    SimpleNamespace,
    timezone=st.sampled_from([UTC]),
    **dict.fromkeys(
        ["minute", "hour", "day_of_month", "month_of_year", "day_of_week"],
        fields.filter(lambda value: isinstance(value, str)),
    ),
)
solars = st.builds(
    SimpleNamespace,
    event=st.sampled_from(["sunrise", "dawn_civil", "nonsense", ""]),
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
)
#: No database has half a character.
names = texts.filter(lambda text: text.isprintable())
rows = st.builds(
    Row,
    name=names,
    task=names,
    enabled=st.booleans(),
    one_off=st.booleans(),
    args=st.one_of(st.none(), texts, values().map(lambda value: as_json(value).decode())),
    kwargs=st.one_of(st.none(), texts, values().map(lambda value: as_json(value).decode())),
    headers=st.one_of(st.none(), texts, marked.map(lambda value: as_json(value).decode())),
    queue=st.none() | names,
    exchange=st.none() | names,
    routing_key=st.none() | names,
    priority=st.none() | st.integers(0, 255),
    expires=moments,
    expires_=st.none() | moments | st.integers(0, 2**31),
    start_time=moments,
    last_run_at=moments,
    date_changed=moments,
    total_run_count=st.integers(0, 2**31),
    clocked=st.none() | st.builds(SimpleNamespace, clocked_time=moments.filter(bool)),
    solar=st.none() | solars,
    interval=st.none(),
    crontab=st.none() | crontabs,
)


@given(rows)
@fuzz(250)
def test_any_row_of_django_celery_beat_is_told(row: Row) -> None:
    shown(django.from_row(APP, row, now=NOW))


def test_a_time_zone_is_a_name_and_no_file() -> None:
    for named in ("../../etc/passwd", "/etc/passwd", "\x00", "a\x00b", "..", "."):
        meta = as_json({"last_run_at": {**META["last_run_at"], "timezone": named}})  # type: ignore[dict-item]
        entry = redbeat.from_record(
            APP, name="n", due=1.0, definition=as_json(DEFINITION), meta=meta
        )
        assert entry.last_run is None
        assert entry.task == "shop.clean"
