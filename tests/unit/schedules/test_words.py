"""Schedules in words: right for every crontab, since no two are said alike."""

from __future__ import annotations

from typing import Any

import pytest
from celery.schedules import crontab
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.schedules import words


def said(**fields: Any) -> str:
    made = crontab(**fields)
    return words.crontab(
        minutes=made.minute,
        hours=made.hour,
        days_of_week=made.day_of_week,
        days_of_month=made.day_of_month,
        months=made.month_of_year,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "every minute"),
        ({"minute": "*/15"}, "every 15 minutes"),
        ({"minute": 0}, "every hour"),
        ({"minute": 5}, "at minute 5 of every hour"),
        ({"minute": "*/7"}, "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
        ({"minute": 30, "hour": 2}, "at 02:30 every day"),
        ({"minute": 30, "hour": 2, "day_of_week": "mon"}, "at 02:30 on Monday"),
        ({"minute": 30, "hour": "2,14"}, "at 02:30 and 14:30 every day"),
        ({"minute": 0, "hour": 8, "day_of_week": "1-5"}, "at 08:00 on Monday to Friday"),
        ({"minute": 0, "hour": 8, "day_of_week": "0,6"}, "at 08:00 on Saturday and Sunday"),
        ({"minute": "*/15", "hour": "9-17"}, "every 15 minutes between 09:00 and 17:45"),
        ({"minute": 30, "hour": "9-17"}, "every hour between 09:30 and 17:30"),
        ({"minute": 0, "hour": "*/2"}, "every 2 hours"),
        ({"minute": 5, "hour": "*/2"}, "every 2 hours, at minute 5"),
        ({"minute": "*/20", "hour": "1,3"}, "every 20 minutes in hours 1 and 3"),
        (
            {"minute": "0-4,9", "hour": "1,3"},
            "at minutes 0 to 4 and 9 of hours 1 and 3",
        ),
        (
            {"minute": 0, "hour": 0, "day_of_month": "1,15"},
            "at 00:00 on days 1 and 15 of the month",
        ),
        (
            {"minute": 0, "hour": 0, "day_of_month": 1, "month_of_year": "1,7"},
            "at 00:00 on day 1 of January and July",
        ),
        ({"minute": 0, "hour": 0, "month_of_year": 3}, "at 00:00 in March"),
        # Celery wants both at once, unlike cron.
        (
            {"minute": 0, "hour": 0, "day_of_month": "1-7", "day_of_week": "mon,tue"},
            "at 00:00 on days 1 to 7 of the month, if it is a Monday or Tuesday",
        ),
    ],
)
def test_a_crontab_is_said_as_a_person_would(fields: dict[str, Any], expected: str) -> None:
    assert said(**fields) == expected


FIELDS = {
    "minutes": (0, 59),
    "hours": (0, 23),
    "days_of_week": (0, 6),
    "days_of_month": (1, 31),
    "months": (1, 12),
}


def some_of(low: int, high: int) -> st.SearchStrategy[frozenset[int]]:
    every = frozenset(range(low, high + 1))
    steps = st.integers(2, 31).map(lambda step: frozenset(range(low, high + 1, step)))
    ranges = st.tuples(st.integers(low, high), st.integers(low, high)).map(
        lambda ends: frozenset(range(min(ends), max(ends) + 1))
    )
    few = st.frozensets(st.integers(low, high), min_size=1, max_size=4)
    return st.one_of(st.just(every), steps, ranges, few)


meanings = st.fixed_dictionaries({name: some_of(*ends) for name, ends in FIELDS.items()})


@given(meanings, st.sampled_from(sorted(FIELDS)), st.data())
def test_two_crontabs_that_mean_different_times_are_never_said_in_the_same_words(
    meaning: dict[str, frozenset[int]], field: str, data: st.DataObject
) -> None:
    other = {**meaning, field: data.draw(some_of(*FIELDS[field]))}
    assert (words.crontab(**meaning) == words.crontab(**other)) == (meaning == other)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (30, "every 30 seconds"),
        (1, "every second"),
        (60, "every minute"),
        (90, "every 1 minute 30 seconds"),
        (3600, "every hour"),
        (86_400, "every day"),
        (7 * 86_400, "every 7 days"),
        (0.5, "every 0.5 seconds"),
        (0, "all the time"),
    ],
)
def test_an_interval_is_said_in_its_largest_units(seconds: float, expected: str) -> None:
    assert words.interval(seconds) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("sunrise", "at sunrise at latitude 52.5, longitude -13.4"),
        ("solar_noon", "at solar noon at latitude 52.5, longitude -13.4"),
        ("dusk_civil", "at civil dusk at latitude 52.5, longitude -13.4"),
    ],
)
def test_a_solar_event_is_said_with_its_place(event: str, expected: str) -> None:
    assert words.solar(event, 52.5, -13.4) == expected
