"""Schedules as django-celery-beat and RedBeat themselves keep them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import crontab
from celery.schedules import schedule as interval

from celeryscope.errors import SourceError
from celeryscope.schedules.redbeat import MOST_ENTRY_BYTES, RedBeatSchedule
from tests.conftest import free_port, running_redis


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def app(redis_url: str) -> Celery:
    redis.Redis.from_url(redis_url).flushall()
    return Celery("shop", broker=redis_url, set_as_current=False)


def keep(app: Celery, name: str, schedule: Any, **told: Any) -> Any:
    """Let RedBeat itself write an entry."""
    from redbeat import RedBeatSchedulerEntry

    app.conf.redbeat_redis_url = app.conf.get("redbeat_redis_url") or app.conf.broker_url
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        entry = RedBeatSchedulerEntry(name, "shop.tick", schedule, app=app, **told)
        return entry.save()


def test_redbeat_entries_are_read_as_redbeat_wrote_them(app: Celery) -> None:
    from redbeat.schedules import rrule

    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    keep(app, "tick", interval(timedelta(seconds=30)), args=[1, "two"], kwargs={"at": when})
    keep(app, "night", crontab(minute=30, hour=2, day_of_week="1"), options={"queue": "slow"})
    keep(app, "off", interval(10), enabled=False)
    keep(app, "rule", rrule("DAILY", interval=2))
    ran = keep(app, "ran", interval(60))
    ran.next(last_run_at=datetime.now(UTC) - timedelta(seconds=20))

    now = time.time()
    schedule = RedBeatSchedule(app=app).read(now)

    assert (schedule.state, schedule.said) == ("read", "5 entries at redbeat::schedule.")
    entries = {entry.name: entry for entry in schedule.entries}
    assert {name: entry.schedule for name, entry in entries.items()} == {
        "tick": "every 30 seconds",
        "night": "at 02:30 on Monday",
        "off": "every 10 seconds",
        "rule": "every 2 days",
        "ran": "every minute",
    }
    assert entries["tick"].args == (1, "two")
    assert entries["tick"].kwargs == {"at": when}
    assert entries["tick"].last_run is None
    assert entries["tick"].next_run == pytest.approx(now + 30, abs=5)
    assert entries["ran"].total_runs == 1
    assert entries["night"].options == {"queue": "slow"}
    assert entries["night"].raw == "30 2 * * 1"
    assert (entries["off"].enabled, entries["off"].next_run) == (False, None)
    assert entries["ran"].last_run == pytest.approx(now - 20, abs=5)
    assert entries["ran"].next_run == pytest.approx(now + 40, abs=5)
    assert all(entry.sendable for entry in entries.values())


def test_redbeat_is_read_under_its_own_url_and_key_prefix(app: Celery, redis_url: str) -> None:
    app.conf.update(
        broker_url="amqp://guest@127.0.0.1:1//",
        redbeat_redis_url=redis_url.replace("/0", "/3"),
        redbeat_key_prefix="mine:",
    )
    keep(app, "tick", interval(30))
    schedule = RedBeatSchedule(app=app).read(time.time())
    assert schedule.said == "1 entry at mine::schedule."
    assert [entry.name for entry in schedule.entries] == ["tick"]


def test_without_redbeat_it_is_absent(app: Celery) -> None:
    schedule = RedBeatSchedule(app=app).read(1.0)
    assert (schedule.state, schedule.said) == (
        "absent",
        "Redis has no RedBeat schedule at redbeat::schedule.",
    )


def test_a_redis_that_cannot_be_reached_is_a_trouble_without_its_password(app: Celery) -> None:
    app.conf.redbeat_redis_url = f"redis://me:secret@127.0.0.1:{free_port()}/0"
    with pytest.raises(SourceError) as caught:
        RedBeatSchedule(app=app).read(1.0)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "definition",
    [
        "no JSON",
        "[]",
        "[" * 30_000,
        json.dumps({"task": 5}),
        json.dumps({"task": "t"}),
        json.dumps({"task": "t", "schedule": {"__type__": "interval", "every": "NaN"}}),
        '{"task": "t", "schedule": {"__type__": "interval", "every": 1e400}}',
        json.dumps({"task": "t", "schedule": {"__type__": "crontab", "minute": "*/0"}}),
        json.dumps({"task": "t", "schedule": {"__type__": "crontab", "minute": {"a": 1}}}),
        json.dumps({"task": "t", "schedule": {"__type__": "rrule", "freq": 99}}),
        json.dumps({"task": "t", "args": [{"__type__": "os.system", "command": "true"}]}),
        json.dumps({"task": "t", "args": [{"__type__": "datetime", "year": "x"}]}),
    ],
)
def test_what_is_no_entry_of_redbeat_is_shown_and_spoils_no_other(
    app: Celery, redis_url: str, definition: str
) -> None:
    keep(app, "good", interval(30))
    client = redis.Redis.from_url(redis_url)
    client.hset("redbeat:bad", "definition", definition)
    client.zadd("redbeat::schedule", {"redbeat:bad": 5})
    entries = {entry.name: entry for entry in RedBeatSchedule(app=app).read(1.0).entries}
    assert entries.keys() == {"good", "bad"}
    assert entries["good"].schedule == "every 30 seconds"
    assert entries["bad"].schedule in ("unknown", "by a schedule that is not understood")


def test_arguments_of_an_unknown_type_are_never_sent(app: Celery, redis_url: str) -> None:
    keep(app, "a", interval(30))
    client = redis.Redis.from_url(redis_url)
    odd = {"task": "t", "args": [{"__type__": "os.system", "command": "true"}]}
    client.hset("redbeat:a", "definition", json.dumps(odd))
    (entry,) = RedBeatSchedule(app=app).read(1.0).entries
    assert not entry.sendable
    assert entry.args == ()


def test_an_entry_that_is_too_large_or_no_hash_is_left_out_and_counted(
    app: Celery, redis_url: str
) -> None:
    keep(app, "good", interval(30))
    client = redis.Redis.from_url(redis_url)
    client.hset("redbeat:large", "definition", "x" * (MOST_ENTRY_BYTES + 1))
    client.set("redbeat:text", "x")
    client.hset("redbeat:" + "n" * 2_000, "definition", "{}")
    client.zadd("redbeat::schedule", {"redbeat:" + "n" * 2_000: 4})
    client.zadd("redbeat::schedule", {"redbeat:large": 1, "redbeat:text": 2, "redbeat:gone": 3})
    schedule = RedBeatSchedule(app=app).read(1.0)
    assert [entry.name for entry in schedule.entries] == ["good"]
    assert schedule.said == "1 of 5 entries at redbeat::schedule could be read."


DJANGO = """
import json, time, warnings
from datetime import datetime, timedelta, timezone

import django
from celery import Celery
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django_celery_beat"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)

from celeryscope.schedules.reader import Reader

app = Celery("shop", broker="memory://", set_as_current=False)
reader = Reader(app=app, conf_of_workers=dict)
reader.read()
before = reader.latest[1].state
django.setup()

from django.core.management import call_command

reader.read()
no_table = reader.latest[1]
call_command("migrate", verbosity=0)

from django_celery_beat.models import (
    ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule,
)

now = datetime.now(timezone.utc)
half_minute = IntervalSchedule.objects.create(every=30, period="seconds")
night = CrontabSchedule.objects.create(
    minute="30", hour="2", day_of_week="1", timezone="Asia/Tokyo"
)
once = ClockedSchedule.objects.create(clocked_time=now + timedelta(hours=1))
dawn = SolarSchedule.objects.create(event="sunrise", latitude=52.5, longitude=13.4)
PeriodicTask.objects.create(
    name="tick", task="shop.tick", interval=half_minute, args='[1, "two"]', kwargs='{"a": 1}',
    queue="slow", priority=3, expire_seconds=60, last_run_at=now, total_run_count=7,
)
PeriodicTask.objects.create(name="off", task="t", interval=half_minute, enabled=False)
PeriodicTask.objects.create(name="over", task="t", interval=half_minute, expires=now)
PeriodicTask.objects.create(
    name="late", task="t", interval=half_minute, start_time=now + timedelta(days=1)
)
PeriodicTask.objects.create(name="night", task="t", crontab=night)
PeriodicTask.objects.create(name="once", task="t", clocked=once, one_off=True)
PeriodicTask.objects.create(name="dawn", task="t", solar=dawn)
PeriodicTask.objects.create(name="odd", task="t", interval=half_minute, args="no JSON")
reader.read()
schedule = reader.latest[1]

import msgspec

print(json.dumps({
    "before": before,
    "no_table": [no_table.state, no_table.said],
    "now": now.timestamp(),
    "schedule": msgspec.to_builtins(schedule),
}))
"""


def test_django_celery_beat_is_read_through_the_project_s_own_django(tmp_path: Path) -> None:
    script = tmp_path / "project.py"
    script.write_text(f"DATABASE = {str(tmp_path / 'db.sqlite3')!r}\n{DJANGO}")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    now = told["now"]

    assert told["before"] == "absent"
    assert told["no_table"] == ["failed", "no such table: django_celery_beat_periodictask"]
    assert told["schedule"]["said"] == "8 periodic tasks in the database."
    assert told["schedule"]["state"] == "read"
    entries = {entry["name"]: entry for entry in told["schedule"]["entries"]}
    tick = entries["tick"]
    assert tick["schedule"] == "every 30 seconds"
    assert (tick["args"], tick["kwargs"]) == ([1, "two"], {"a": 1})
    assert tick["options"] == {
        "queue": "slow",
        "priority": 3,
        "expires": 60,
        "headers": {"periodic_task_name": "tick"},
    }
    assert (tick["total_runs"], tick["sendable"]) == (7, True)
    assert tick["last_run"] == pytest.approx(now, abs=0.01)
    assert tick["next_run"] == pytest.approx(now + 30, abs=1)
    assert (entries["off"]["enabled"], entries["off"]["next_run"]) == (False, None)
    assert (entries["over"]["note"], entries["over"]["next_run"]) == ("It has expired.", None)
    assert entries["late"]["next_run"] == pytest.approx(now + 86_400, abs=1)
    night = entries["night"]
    assert (night["schedule"], night["timezone"]) == ("at 02:30 on Monday", "Asia/Tokyo")
    due = datetime.fromtimestamp(night["next_run"], UTC)
    assert (due.isoweekday(), due.hour, due.minute) == (7, 17, 30)
    assert entries["once"]["one_off"]
    assert entries["once"]["next_run"] == pytest.approx(now + 3600, abs=0.01)
    assert entries["once"]["schedule"].startswith("once, at ")
    assert not entries["odd"]["sendable"]
    assert entries["dawn"]["schedule"] == "at sunrise at latitude 52.5, longitude 13.4"
