"""`/api/v1/history`: the tasks on disk, page by page; their counts, and all of them as a file.

Every Struct here is part of the contract with the page, as in `console`. Times are epoch seconds,
durations are seconds. What limited people get is what their share of the history has.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import PurePath
from typing import Annotated, Final, Literal, TypeVar

import anyio
import msgspec
from msgspec import Meta

from celeryscope.errors import BadArgument, CeleryscopeError, NotPossible, Unavailable
from celeryscope.history import gaps
from celeryscope.history.finding import Cursor, Extent, Page, Sort
from celeryscope.history.record import seconds
from celeryscope.model import query as language
from celeryscope.model.task import Task
from celeryscope.web.api.console import (
    Facets,
    NoQuery,
    Operation,
    TaskRow,
    facets,
    task_row,
)
from celeryscope.web.api.exports import ExportedTask, Format, file_of
from celeryscope.web.services import Services
from celeryscope.web.sources import History, Retention

T = TypeVar("T")

_MOST_CURSOR_CHARS: Final = 1_000
_MOST_GAPS: Final = 200
_SEARCH_SECONDS: Final = 5.0
_COUNT_SECONDS: Final = 1.0
_EXPORT_ROWS: Final = 500
_EXPORT_TRIES: Final = 5
_EXPORT_PAUSE_SECONDS: Final = 1.0
_ALL: Final = 2**62

# ---------------------------------------------------------------------- the bodies


class HistoryGap(msgspec.Struct, frozen=True, kw_only=True):
    """A time of which events are missing."""

    start: float
    end: float | None  # None: it lasts
    kind: Literal["disconnected", "lost", "dropped", "stopped"]
    worker: str | None  # of `lost`: whose events
    events: int | None  # so many at least; None: nobody knows
    reason: str  # a sentence


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks on disk, in the order asked for."""

    now: float
    tasks: list[TaskRow]
    after: str | None  # give it as `after` for what comes next; None: there is no going on
    before: str | None  # give it as `before` for what came before
    more: bool  # there are others further on, or may be
    whole: bool  # false: time was up, and what comes next was not looked at yet
    gaps: list[HistoryGap]  # within the time of these tasks, where they are sorted by time


class HistoryCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks on disk match."""

    now: float
    total: int
    total_whole: bool  # false: there may be more
    facets: Facets
    facets_whole: bool  # false: only the newest were counted


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """How long tasks are kept; None: without such a limit."""

    max_age: float | None
    max_age_of: dict[str, float]  # by state
    max_tasks: int | None
    max_bytes: int | None
    removed: int  # tasks, since the start
    trouble: str | None  # why it cannot remove what is too old


class HistoryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of the tasks, and whether it can be written."""

    now: float
    kept: bool  # false: tasks are in memory only, and nothing below is known
    where: str  # SQLite, or PostgreSQL and where it is
    trouble: str | None  # why it cannot be written, as a sentence
    trouble_since: float | None
    written: int  # events, since the start
    waiting: int  # events that are not written yet
    dropped: int  # events that there was no room for
    refused: int  # tasks, or events, that a fault of ours kept out
    tasks: int | None  # as of a minute ago at most; None: it cannot be read
    oldest: float | None  # of the last events of tasks
    newest: float | None
    size_bytes: int | None
    retained: Retained | None  # None: all is kept


# ---------------------------------------------------------------------- the questions

_QUERY = Annotated[
    str, Meta(max_length=2048, description="Which tasks: the page's query language.")
]
_SORT = Annotated[
    Literal["newest", "oldest", "longest", "waited", "retried"],
    Meta(
        description="By the last event, or by run time, waiting time or retries; what has none "
        "comes last."
    ),
]


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks, in which order, from where on."""

    query: _QUERY = ""
    sort: _SORT = "newest"
    after: Annotated[
        str, Meta(max_length=_MOST_CURSOR_CHARS, description="Begin behind this place.")
    ] = ""
    before: Annotated[
        str, Meta(max_length=_MOST_CURSOR_CHARS, description="End in front of this place.")
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=500, description="At most so many.")] = 50


class HistoryCountQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks."""

    query: _QUERY = ""


# ---------------------------------------------------------------------- the answers


def history_tasks(services: Services, _path: Mapping[str, str], query: HistoryQuery) -> HistoryPage:
    """List the tasks on disk."""
    history, now = kept(services), services.clock()
    wanted = language.parse(query.query)
    if query.after and query.before:
        raise BadArgument("before", "Give 'after' or 'before', not both.")
    after = read_cursor("after", query.after, query.sort)
    before = read_cursor("before", query.before, query.sort)
    page = history.search(
        wanted,
        now=now,
        sort=query.sort,
        after=after,
        before=before,
        limit=query.limit,
        most_seconds=_SEARCH_SECONDS,
    )
    return HistoryPage(
        now=now,
        tasks=[task_row(task) for task in page.tasks],
        after=cursor_text(page.after, query.sort),
        before=cursor_text(page.before, query.sort),
        more=page.more,
        whole=page.whole,
        gaps=_gaps(history, page, query.sort, after or before, now),
    )


def history_count(
    services: Services, _path: Mapping[str, str], query: HistoryCountQuery
) -> HistoryCount:
    """Count the tasks on disk, and by value those that would match, were a field free."""
    history, now = kept(services), services.clock()
    wanted = language.parse(query.query)
    counted = history.count(wanted, now=now, most_seconds=_COUNT_SECONDS)
    found = history.facets(wanted, now=now, most_seconds=_COUNT_SECONDS)
    return HistoryCount(
        now=now,
        total=counted.total,
        total_whole=counted.whole,
        facets=facets(found.values),
        facets_whole=found.whole,
    )


def history(services: Services, _path: Mapping[str, str], _query: NoQuery) -> HistoryStatus:
    """See what is kept of the tasks, and whether it can be written."""
    found = services.history
    if found is None:
        return HistoryStatus(
            now=services.clock(), kept=False, where="", trouble=None, trouble_since=None,
            written=0, waiting=0, dropped=0, refused=0, tasks=None, oldest=None, newest=None,
            size_bytes=None, retained=None,
        )  # fmt: skip
    extent, size = _extent(found)
    return HistoryStatus(
        now=services.clock(),
        kept=True,
        where=_where(services, found),
        trouble=_trouble(services, found),
        trouble_since=found.trouble_since,
        written=found.written,
        waiting=found.waiting,
        dropped=found.dropped,
        refused=found.refused,
        tasks=None if extent is None else extent.tasks,
        oldest=None if extent is None else extent.oldest,
        newest=None if extent is None else extent.newest,
        size_bytes=size,
        retained=None if services.retention is None else _retained(services.retention),
    )


def _extent(history: History) -> tuple[Extent | None, int | None]:
    try:
        return history.extent(), history.size_bytes()
    except Unavailable:  # then `trouble` says it, at the latest with the next event
        return None, None


def _where(services: Services, history: History) -> str:
    """Say where it is: the path of a file to administrators alone."""
    name = history.place.name
    if "/" not in name or name.startswith("PostgreSQL"):
        return name
    return f"SQLite in {name}" if services.actor.may("admin") else "SQLite"


def _trouble(services: Services, history: History) -> str | None:
    trouble, name = history.trouble, history.place.name
    if trouble is None or services.actor.may("admin") or name.startswith("PostgreSQL"):
        return trouble
    return trouble.replace(name, PurePath(name).name)


def _retained(retention: Retention) -> Retained:
    limits, status = retention.limits, retention.status()
    return Retained(
        max_age=limits.max_age_seconds or None,
        max_age_of=dict(limits.max_age_of),
        max_tasks=limits.max_tasks or None,
        max_bytes=limits.max_bytes or None,
        removed=status.removed,
        trouble=status.trouble,
    )


def kept(services: Services) -> History:
    """Give the history of who asks. Raises NotPossible where nothing is kept."""
    if services.history is None:
        raise NotPossible(
            "No history is kept here: there are only the tasks in memory.",
            hint="Start the console with --history, or without --history=off.",
        )
    return services.history


def _gaps(
    history: History, page: Page, sort: Sort, edge: Cursor | None, now: float
) -> list[HistoryGap]:
    if sort not in ("newest", "oldest") or not page.tasks:
        return []
    times = [task.state_at for task in page.tasks]
    if edge is not None:  # what lies between two pages belongs to the later one
        times.append(seconds(edge.at))
    elif sort == "newest":
        times.append(now)
    found = gaps.between(history, min(times), max(times), now=now, most=_MOST_GAPS)
    return [HistoryGap(**gap._asdict()) for gap in found]


# ---------------------------------------------------------------------- a file


class HistoryExportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks, in which order, as what."""

    query: _QUERY = ""
    sort: _SORT = "newest"
    format: Annotated[Format, Meta(description="A table, an array, or a task a line.")] = "csv"
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        Meta(description="At most so many; without it all."),
    ] = None


async def export(services: Services, query: HistoryExportQuery) -> AsyncIterator[bytes]:
    """Give tasks as a file, a piece at a time; what goes wrong before the first is raised.

    Each piece is looked for when it is its turn, so that a long file keeps nobody from asking.
    Tasks that change meanwhile may be missing.
    """
    history, now = kept(services), services.clock()
    wanted, file = language.parse(query.query), file_of(query.format)
    left = _ALL if query.limit is None else query.limit
    written, after, head = 0, None, file.head()
    while True:
        size = min(_EXPORT_ROWS, left - written)

        def look(after: Cursor | None = after, size: int = size) -> tuple[Page, bytes]:
            page = history.search(wanted, now=now, sort=query.sort, after=after, limit=size)
            return page, file.tasks(map(exported, page.tasks))

        try:
            page, piece = await _patiently(services, look, patient=bool(after))
        except CeleryscopeError as trouble:
            if after is None:
                raise
            yield file.cut(str(trouble))
            return
        yield head + piece
        head, after = b"", page.after
        written += len(page.tasks)
        if not page.more or written >= left:
            break
        if after is None:
            yield file.cut("what comes next takes too long to find in this order.")
            return
    yield file.tail()


async def _patiently(services: Services, look: Callable[[], T], *, patient: bool) -> T:
    """Look, and a few times again where that cannot be done right now."""
    for _ in range(_EXPORT_TRIES if patient else 0):
        try:
            return await services.turns.run(look)
        except Unavailable:
            await anyio.sleep(_EXPORT_PAUSE_SECONDS)
    return await services.turns.run(look)


def exported(task: Task) -> ExportedTask:
    """Describe a task for a file."""
    return ExportedTask(
        **msgspec.structs.asdict(task_row(task)),
        root_id=task.root_id,
        parent_id=task.parent_id,
        truncated=task.truncated,
    )


# ---------------------------------------------------------------------- cursors


def cursor_text(cursor: Cursor | None, sort: Sort) -> str | None:
    """Write a place in a list, for a client to give it back."""
    if cursor is None:
        return None
    written = msgspec.json.encode([sort, *cursor])
    return base64.urlsafe_b64encode(written).rstrip(b"=").decode()


_Written = tuple[str, int, str | None, int]


def read_cursor(parameter: str, text: str, sort: Sort) -> Cursor | None:
    """Read a place; raises BadArgument for what is none of a list with that order."""
    if not text:
        return None
    try:
        written = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        of, at, uuid, rank = msgspec.json.decode(written, type=_Written)
    except (ValueError, binascii.Error):
        of, at, uuid, rank = "", 0, None, 0
    if of != sort or not all(-(2**62) <= number <= 2**62 for number in (at, rank)):
        raise BadArgument(parameter, f"'{parameter}' is no place in a list sorted by '{sort}'.")
    return Cursor(at, uuid, rank)


HISTORY = Operation(history, NoQuery, HistoryStatus, heavy=True)
TASKS = Operation(
    history_tasks, HistoryQuery, HistoryPage, refusal="No history is kept.", heavy=True
)
COUNT = Operation(
    history_count, HistoryCountQuery, HistoryCount, refusal="No history is kept.", heavy=True
)
