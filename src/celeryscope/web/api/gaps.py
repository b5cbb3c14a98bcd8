"""`GET /api/v1/gaps`: times of which events are missing, and how ends of tasks are looked for.

Every Struct here is part of the contract with the page, as in `console`. Times are epoch seconds.
Limited people see all of it: gaps tell of the console and of workers, never of a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from celeryscope.history import gaps as noted
from celeryscope.web.api.console import Operation
from celeryscope.web.api.history import HistoryGap
from celeryscope.web.services import Services

_DAY_SECONDS: Final = 86_400.0
_MOST: Final = 1_000


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks whose end no event told: those that were lost, and what the result backend knew."""

    asking: bool  # there is a result backend that is asked
    waiting: int  # tasks that it is still to be asked about
    fetched: int  # ends that it knew, since the start
    lost: int  # tasks taken for lost, since the start
    trouble: str | None  # why it cannot be asked, as a sentence


class GapList(msgspec.Struct, frozen=True, kw_only=True):
    """Times of which something is missing, the oldest first."""

    now: float
    since: float
    until: float
    gaps: list[HistoryGap]
    more: bool  # there are older ones within this time
    kept: bool  # false: only gaps since the start of the console are known
    ends: Ends | None


class GapQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of which time."""

    since: Annotated[
        float | None, Meta(description="Gaps that go on after this; by default a day ago.")
    ] = None
    until: Annotated[
        float | None, Meta(description="Gaps that began before this; by default now.")
    ] = None


def gaps(services: Services, _path: Mapping[str, str], query: GapQuery) -> GapList:
    """See when events were missed, and what heartbeats prove to be lost."""
    now = services.clock()
    until = now if query.until is None else query.until
    since = until - _DAY_SECONDS if query.since is None else query.since
    history = services.history
    if history is None:
        found = [
            noted.Gap(gap.start, gap.end, "disconnected", None, None, gap.reason)
            for gap in services.accounting.gaps.copy()
            if gap.start < until and (gap.end is None or gap.end > since)
        ]
    else:
        found = noted.between(history, since, until, now=now, most=_MOST)
    ends = services.ends() if services.ends is not None else None
    return GapList(
        now=now,
        since=since,
        until=until,
        gaps=[HistoryGap(**gap._asdict()) for gap in found],
        more=len(found) >= _MOST,
        kept=history is not None,
        ends=None if ends is None else msgspec.convert(ends, Ends, from_attributes=True),
    )


GAPS = Operation(gaps, GapQuery, GapList)
