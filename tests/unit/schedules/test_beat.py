"""`beat_schedule`, of an app and as workers tell it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from celery.beat import BeatLazyFunc
from celery.schedules import crontab
from celery.schedules import schedule as interval
from celery.utils.saferepr import saferepr
from celery.utils.serialization import jsonify

from celeryscope.schedules.beat import BeatSchedule

ENTRIES: dict[str, Any] = {
    "every-30": {"task": "shop.tick", "schedule": 30.0, "args": (1, "two")},
    "delta": {"task": "shop.tick", "schedule": timedelta(minutes=5)},
    "interval": {"task": "shop.tick", "schedule": interval(timedelta(hours=1))},
    "nightly": {
        "task": "shop.report",
        "schedule": crontab(minute=30, hour=2, day_of_week="mon"),
        "kwargs": {"kind": "full"},
        "options": {"queue": "slow", "expires": 60},
    },
}


def make_app(entries: dict[str, Any], **settings: Any) -> Celery:
    app = Celery("shop", set_as_current=False)
    app.conf.update(beat_schedule=entries, **settings)
    return app


def told_by_a_worker(app: Celery) -> dict[str, Any]:
    """What `inspect conf` answers, as Celery makes it."""
    conf = jsonify(
        dict(app.conf.table(with_defaults=False, censored=True)), unknown_type_filter=saferepr
    )
    answer: dict[str, Any] = json.loads(json.dumps(conf))
    return answer


def read(app: Celery, *workers: dict[str, Any] | None) -> Any:
    conf = {f"worker{number}": told for number, told in enumerate(workers)}
    return BeatSchedule(app=app, conf_of_workers=lambda: conf).read(time.time())


def test_the_entries_of_an_app_are_read_with_all_they_send() -> None:
    schedule = read(make_app(ENTRIES))
    assert (schedule.state, schedule.said) == ("read", "4 entries in the project's settings.")
    entries = {entry.name: entry for entry in schedule.entries}
    assert {name: entry.schedule for name, entry in entries.items()} == {
        "every-30": "every 30 seconds",
        "delta": "every 5 minutes",
        "interval": "every hour",
        "nightly": "at 02:30 on Monday",
    }
    assert entries["every-30"].args == (1, "two")
    assert entries["every-30"].period_seconds == 30
    nightly = entries["nightly"]
    assert nightly.id == "beat_schedule:nightly"
    assert nightly.raw == "30 2 * * mon"
    assert nightly.kwargs == {"kind": "full"}
    assert nightly.options == {"queue": "slow", "expires": 60}
    assert nightly.period_seconds == 7 * 86_400
    assert all(entry.sendable for entry in entries.values())


def test_an_entry_that_celery_cannot_use_leaves_the_others() -> None:
    schedule = read(make_app({**ENTRIES, "typo": {"task": "t", "schedule": "* * *"}, "none": 5}))
    entries = {entry.name: entry for entry in schedule.entries}
    assert (schedule.state, len(entries)) == ("read", 6)
    assert entries["typo"].note.startswith("Celery cannot use it: ")
    assert not entries["typo"].sendable
    assert not entries["none"].sendable


def test_the_period_of_a_schedule_that_tells_fractions_is_known() -> None:
    class Noon(interval):  # type: ignore[misc]
        """As a solar one: the next event after a moment, never that of the moment itself."""

        def remaining_estimate(self, last_run_at: datetime) -> timedelta:
            day = 86_400.0
            due = (last_run_at.timestamp() // day + 1) * day + 0.06
            return timedelta(seconds=due - self.now().timestamp())

    (entry,) = read(make_app({"noon": {"task": "t", "schedule": Noon(60)}})).entries
    assert entry.period_seconds == pytest.approx(86_400, abs=1)


def test_the_next_run_of_a_crontab_is_in_the_time_zone_of_the_app() -> None:
    app = make_app(
        {"a": {"task": "t", "schedule": crontab(minute=30, hour=2)}}, timezone="Asia/Tokyo"
    )
    (entry,) = read(app).entries
    assert entry.timezone == "Asia/Tokyo"
    due = datetime.fromtimestamp(entry.next_run, UTC)
    assert (due.hour, due.minute, due.second) == (17, 30, 0)
    assert 0 < entry.next_run - time.time() <= 86_400


@pytest.mark.parametrize(
    ("fields", "period"),
    [
        ({"minute": "*/15"}, 900),
        ({"minute": 0, "hour": 4}, 86_400),
        ({"minute": 0, "hour": 0, "day_of_month": 31, "month_of_year": 12}, 365 * 86_400),
    ],
)
def test_the_period_of_a_crontab_is_the_time_since_the_run_before(
    fields: dict[str, Any], period: float
) -> None:
    (entry,) = read(make_app({"a": {"task": "t", "schedule": crontab(**fields)}})).entries
    assert entry.period_seconds == pytest.approx(period, rel=0.01)


def test_arguments_that_beat_computes_are_not_sent_by_anybody_else() -> None:
    lazy = BeatLazyFunc(time.time)
    (entry,) = read(make_app({"a": {"task": "t", "schedule": 1, "args": (lazy,)}})).entries
    assert not entry.sendable
    assert entry.note == "Its arguments are computed when beat sends it."


def test_without_an_app_of_the_project_the_settings_of_the_workers_are_read() -> None:
    workers = told_by_a_worker(make_app(ENTRIES, timezone="Asia/Tokyo"))
    schedule = read(make_app({}), None, workers, workers)
    assert schedule.said == "4 entries, as the workers' settings tell."
    entries = {entry.name: entry for entry in schedule.entries}
    assert {name: entry.schedule for name, entry in entries.items()} == {
        "every-30": "every 30 seconds",
        "delta": "every 5 minutes",
        "interval": "about every 1 hours",
        "nightly": "at 02:30 on Monday",
    }
    assert entries["nightly"].timezone == "Asia/Tokyo"
    assert entries["delta"].period_seconds == 300
    assert entries["every-30"].args == (1, "two")
    assert all(entry.sendable for entry in entries.values())


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2, tzinfo=UTC),
        timedelta(seconds=5),
        object(),
        "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    ],
)
def test_an_argument_that_may_be_only_the_text_of_another_is_not_sent(value: object) -> None:
    workers = told_by_a_worker(make_app({"a": {"task": "t", "schedule": 1, "args": [value]}}))
    (entry,) = read(make_app({}), workers).entries
    assert not entry.sendable
    assert "Only the text" in entry.note


@pytest.mark.parametrize(
    "told",
    [
        "********",
        7,
        {"task": "t", "schedule": "<crontab: 99 x y z ! (m/h/d/dM/MY)>"},
        {"task": "t", "schedule": "<crontab: * * 31 2 * (m/h/dM/MY/d)>"},
        {"task": "t", "schedule": 1e300},
        {"task": "t", "schedule": [], "args": 5},
        {},
    ],
)
def test_settings_that_make_no_sense_are_an_entry_that_is_not_sent_blindly(told: object) -> None:
    (entry,) = read(make_app({}), {"beat_schedule": {"a": told}, "timezone": "No/Where"}).entries
    assert entry.name == "a"
    assert entry.next_run is None


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ([], "No worker has told its settings yet, and there is no app with a beat_schedule."),
        ([{}], "The settings of the project and of its workers have no beat_schedule."),
    ],
)
def test_no_schedule_is_absent_with_the_reason(workers: list[Any], said: str) -> None:
    schedule = read(make_app({}), *workers)
    assert (schedule.state, schedule.said) == ("absent", said)


@pytest.mark.parametrize(
    "text",
    [
        "<crontab: 30 2 1 * * (m/h/d/dM/MY)>",
        "<crontab: 30 2 * * 1 (m/h/dM/MY/d)>",
    ],
)
def test_the_text_of_a_crontab_is_understood_in_both_orders(text: str) -> None:
    conf = {"beat_schedule": {"a": {"task": "t", "schedule": text}}}
    (entry,) = read(make_app({}), conf).entries
    assert entry.schedule == "at 02:30 on Monday"
