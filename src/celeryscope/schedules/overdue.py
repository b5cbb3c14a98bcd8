"""Whether an entry should have run and did not. Pure."""

from __future__ import annotations

from typing import Literal

from celeryscope.model.schedule import Entry

Overdue = Literal["no", "yes", "unknown"]

_LEAST_SECONDS = 10.0
_PART_OF_PERIOD = 0.2
_CLOCK_SECONDS = 5.0  # beat's clock and ours
#: django-celery-beat keeps what it ran in memory and writes it down every few minutes.
WRITTEN_LATE_SECONDS = {"django-celery-beat": 300.0}


def overdue(entry: Entry, *, last_run: float | None, now: float) -> tuple[Overdue, float | None]:
    """Say whether an entry is overdue, and by how many seconds.

    `last_run` is the newest that is known, from the source or from an event; `now` is when the
    entry was read, since its source may know of a later run by now.
    """
    if not entry.enabled:
        return "no", None
    due = _due(entry, last_run)
    if due is None:
        ended = entry.next_run is None and entry.last_run is not None
        return ("no" if ended else "unknown"), None
    late = now - due
    return ("yes", late) if late > _patience(entry, last_run) else ("no", None)


def _patience(entry: Entry, last_run: float | None) -> float:
    patience = max(_LEAST_SECONDS, _PART_OF_PERIOD * (entry.period_seconds or 0.0))
    told_by_source = last_run is None or last_run == entry.last_run
    return patience + (WRITTEN_LATE_SECONDS.get(entry.source, 0.0) if told_by_source else 0.0)


def _due(entry: Entry, last_run: float | None) -> float | None:
    """Tell when it was, or is, to run after `last_run`."""
    upcoming, period = entry.next_run, entry.period_seconds
    if last_run is None:
        return upcoming if entry.one_off else None
    if upcoming is None:
        # An interval of which the source does not know when it ran.
        return last_run + period if period and entry.last_run is None else None
    if entry.last_run is not None:
        if last_run < upcoming - _CLOCK_SECONDS or not period:
            return upcoming
        return last_run + period
    # The next run after now: what counts is whether the one before it took place.
    before = upcoming - period if period else None
    if before is not None and last_run < before - _CLOCK_SECONDS:
        return before
    return upcoming
