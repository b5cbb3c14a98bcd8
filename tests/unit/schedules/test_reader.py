"""The reader: what fails is said and keeps what was known."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import Celery

from celeryscope.model.schedule import Entry, Schedule
from celeryscope.schedules.reader import Reader

ENTRY = Entry(source="fake", name="a", task="t", schedule="", raw="")


class Fake:
    """A source that answers or fails as it is told."""

    name = "fake"

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.readings = 0

    def read(self, now: float) -> Schedule:
        self.readings += 1
        if self.trouble is not None:
            raise self.trouble
        return Schedule(source="fake", state="read", said="1 entry.", read_at=now, entries=(ENTRY,))


def make(source: Fake, interval_seconds: float = 30.0) -> Reader:
    return Reader(
        app=None,
        conf_of_workers=dict,
        interval_seconds=interval_seconds,
        clock=lambda: 100.0,
        sources=[source],
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_source_that_fails_keeps_what_was_read_and_says_why_without_a_password() -> None:
    source = Fake()
    reader = make(source)
    reader.read()
    source.trouble = OSError("no way to redis://me:secret@host/0")
    reader.read()
    (schedule,) = reader.latest
    assert schedule.state == "failed"
    assert schedule.said == "no way to redis://me:**@host/0"
    assert schedule.entries == (ENTRY,)
    assert schedule.read_at == 100.0
    source.trouble = None
    reader.read()
    assert reader.latest[0].state == "read"


def test_a_source_that_was_never_read_has_no_time_of_reading() -> None:
    source = Fake()
    source.trouble = OSError("no way")
    reader = make(source)
    reader.read()
    reader.read()
    (schedule,) = reader.latest
    assert (schedule.state, schedule.read_at, schedule.entries) == ("failed", None, ())


def test_it_reads_in_a_thread_of_its_own_until_it_is_stopped() -> None:
    source = Fake()
    reader = make(source, interval_seconds=0.01)
    reader.start()
    wait_for(lambda: source.readings > 2)
    reader.stop()
    readings = source.readings
    time.sleep(0.05)
    assert source.readings == readings


def test_there_is_one_schedule_of_each_source_from_the_start() -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)
    reader = Reader(app=app, conf_of_workers=dict)
    before = [schedule.source for schedule in reader.latest]
    reader.read()
    assert before == [schedule.source for schedule in reader.latest]
    assert before == ["beat_schedule", "django-celery-beat", "RedBeat"]
    assert {schedule.state for schedule in reader.latest} == {"absent"}
