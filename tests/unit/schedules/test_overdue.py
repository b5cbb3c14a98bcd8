"""Which entries should have run and did not."""

from __future__ import annotations

from typing import Any

import pytest

from celeryscope.model.schedule import Entry
from celeryscope.schedules.overdue import overdue

NOW = 10_000.0


def entry(**told: Any) -> Entry:
    return Entry(
        **{"source": "RedBeat", "name": "a", "task": "t", "schedule": "", "raw": "", **told}
    )


@pytest.mark.parametrize(
    ("told", "last_run", "expected"),
    [
        # The source tells of the last run: its next run counts.
        ({"last_run": 9900, "next_run": 9995, "period_seconds": 30}, 9900, ("no", None)),
        ({"last_run": 9900, "next_run": 9985, "period_seconds": 30}, 9900, ("yes", 15.0)),
        ({"last_run": 9000, "next_run": 9900, "period_seconds": 900}, 9000, ("no", None)),
        ({"last_run": 9000, "next_run": 9800, "period_seconds": 900}, 9000, ("yes", 200.0)),
        # An event tells of a later run than the source does.
        ({"last_run": 9000, "next_run": 9800, "period_seconds": 900}, 9801, ("no", None)),
        # An interval of which only events tell when it ran.
        ({"period_seconds": 30}, 9995, ("no", None)),
        ({"period_seconds": 30}, 9900, ("yes", 70.0)),
        ({"period_seconds": 30}, None, ("unknown", None)),
        # By the clock, and only events tell: the run before the next one took place, or not.
        ({"next_run": 10_100, "period_seconds": 200}, 9901, ("no", None)),
        ({"next_run": 10_100, "period_seconds": 200}, 9701, ("yes", 100.0)),
        ({"next_run": 10_190, "period_seconds": 200}, 9791, ("no", None)),
        # Disabled, or over: nothing is awaited.
        ({"enabled": False, "last_run": 1, "next_run": 2, "period_seconds": 1}, 1, ("no", None)),
        ({"last_run": 9000, "period_seconds": 60}, 9000, ("no", None)),
        # What runs once needs no last run.
        ({"one_off": True, "next_run": 9000}, None, ("yes", 1000.0)),
        ({"one_off": True, "next_run": 11_000}, None, ("no", None)),
        # This source writes down what ran minutes later; an event does not.
        (
            {
                "source": "django-celery-beat",
                "last_run": 9800,
                "next_run": 9810,
                "period_seconds": 10,
            },
            9800,
            ("no", None),
        ),
        (
            {
                "source": "django-celery-beat",
                "last_run": 9600,
                "next_run": 9610,
                "period_seconds": 10,
            },
            9600,
            ("yes", 390.0),
        ),
    ],
)
def test_an_entry_is_overdue_a_fifth_of_its_period_after_it_should_have_run(
    told: dict[str, Any], last_run: float | None, expected: tuple[str, float | None]
) -> None:
    assert overdue(entry(**told), last_run=last_run, now=NOW) == expected
