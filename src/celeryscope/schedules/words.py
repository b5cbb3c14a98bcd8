"""A schedule in words. Pure: it takes what a schedule means, not how it is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_MOST_TIMES = 4  # more times of a day are told by hours and minutes


def interval(seconds: float) -> str:
    """Say `every 30 seconds`, `every hour`, `every 1 minute 30 seconds`."""
    if seconds <= 0:
        return "all the time"
    if seconds != int(seconds):
        return f"every {seconds:g} seconds"
    left = int(seconds)
    parts: list[tuple[int, str]] = []
    for size, unit in _UNITS:
        many, left = divmod(left, size)
        if many:
            parts.append((many, unit))
    if len(parts) == 1 and parts[0][0] == 1:
        return f"every {parts[0][1]}"
    return "every " + " ".join(f"{many} {unit}{'s' * (many != 1)}" for many, unit in parts)


def crontab(
    *,
    minutes: Collection[int],
    hours: Collection[int],
    days_of_week: Collection[int],
    days_of_month: Collection[int],
    months: Collection[int],
) -> str:
    """Say when it runs: at these minutes of these hours, on days that are in all three others.

    Sunday is 0. Two schedules that differ are never said in the same words.
    """
    time = _time(sorted(minutes), sorted(hours))
    days = _days(sorted(days_of_week), sorted(days_of_month), sorted(months))
    if days:
        return f"{time} {days}"
    return f"{time} every day" if time.startswith("at ") and "hour" not in time else time


def solar(event: str, latitude: float, longitude: float) -> str:
    """Say `at sunrise at latitude 52.5, longitude 13.4`."""
    words = event.split("_")
    if words[0] in ("dawn", "dusk"):  # dawn_civil: civil dawn
        words = [*words[1:], words[0]]
    return f"at {' '.join(words)} at latitude {latitude:g}, longitude {longitude:g}"


def _time(minutes: Sequence[int], hours: Sequence[int]) -> str:
    pace = _pace(minutes)
    if len(hours) == 24:
        if pace:
            return pace
        if minutes == [0]:
            return "every hour"
        return f"{_numbers('at minute', minutes)} of every hour"
    if len(minutes) * len(hours) <= _MOST_TIMES:
        return "at " + _list([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])
    whole = pace or ("every hour" if len(minutes) == 1 else "")
    if whole and len(hours) == hours[-1] - hours[0] + 1:
        first, last = f"{hours[0]:02}:{minutes[0]:02}", f"{hours[-1]:02}:{minutes[-1]:02}"
        return f"{whole} between {first} and {last}"
    step = _step(hours, 24)
    if step and len(minutes) == 1:
        told = f"every {step} hours"
        return told if minutes == [0] else f"{told}, at minute {minutes[0]}"
    if pace:
        return f"{pace} {_numbers('in hour', hours)}"
    return f"{_numbers('at minute', minutes)} {_numbers('of hour', hours)}"


def _pace(minutes: Sequence[int]) -> str:
    """Say `every 15 minutes` where the minutes go round the hour evenly from its start."""
    if len(minutes) == 60:
        return "every minute"
    step = _step(minutes, 60)
    return f"every {step} minutes" if step else ""


def _step(numbers: Sequence[int], around: int) -> int | None:
    if len(numbers) < 2 or around % len(numbers):
        return None
    step = around // len(numbers)
    return step if list(numbers) == list(range(0, around, step)) else None


def _days(week: Sequence[int], month: Sequence[int], months: Sequence[int]) -> str:
    in_months = "" if len(months) == 12 else _list([_MONTHS[number - 1] for number in months])
    weekdays = "" if len(week) == 7 else _weekdays(week)
    if len(month) == 31:
        told = f"on {weekdays}" if weekdays else ""
        return " ".join(filter(None, (told, in_months and f"in {in_months}")))
    told = f"{_numbers('on day', month)} of {in_months or 'the month'}"
    return f"{told}, if it is a {_list(_names(week), 'or')}" if weekdays else told


def _weekdays(week: Sequence[int]) -> str:
    return "Monday to Friday" if list(week) == [1, 2, 3, 4, 5] else _list(_names(week))


def _names(week: Sequence[int]) -> list[str]:
    return [_DAYS[day] for day in sorted(week, key=lambda day: (day - 1) % 7)]


def _numbers(what: str, numbers: Sequence[int]) -> str:
    """Say `at minute 5`, `at minutes 0, 7 and 10 to 15`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    told: list[str] = []
    for run in runs:
        told += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(number) for number in run]
    return f"{what}{'s' * (len(numbers) != 1)} {_list(told)}"


def _list(words: Sequence[str], last: str = "and") -> str:
    return " ".join(filter(None, (", ".join(words[:-1]), last if words[1:] else "", words[-1])))
