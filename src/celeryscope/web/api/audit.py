"""`GET /api/v1/audit`: who did what, to whom, and what came of it; and the same as a file.

Every Struct here is part of the contract with the page, as in `console`. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from celeryscope.audit.entry import Kind
from celeryscope.audit.filter import Filter
from celeryscope.web.api.console import Operation
from celeryscope.web.services import Services

_Text = Annotated[str, Meta(max_length=200)]


class AuditBy(msgspec.Struct, frozen=True, kw_only=True):
    """Who did it, and how they came."""

    name: str
    role: str  # empty: nobody knows, as after a failed login
    way: str  # anonymous, password, token, oidc, proxy, command line; console: the console itself
    address: str  # where from: an IP address, or "unix socket"
    session: str  # its public id, where there is one
    token: str  # the name of the API token, where one was shown


class AuditWhom(msgspec.Struct, frozen=True, kw_only=True):
    """To whom or to what it was done."""

    workers: list[str] | None  # at most 100; None: none was named
    workers_left_out: int
    subjects: list[str]  # task ids, a queue, a task's name, a user, a token; at most 100
    left_out: int  # how many are not in `subjects`


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit trail."""

    seq: int  # 1 for the first; each is one more than the one before
    at: float
    kind: Kind
    by: AuditBy
    what: str  # the command's name, or what was done: "revoke", "token created"
    whom: AuditWhom | None
    arguments: dict[str, Any]  # masked, at most 16 KiB
    outcome: str  # asked, done, partly, failed, denied, stopped; may be empty
    detail: str  # a sentence
    action: str  # the id of the action; a command and its outcome have the same
    prev: str  # the hash of the entry before
    hash: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of the audit trail, the newest first."""

    now: float
    entries: list[AuditEntry]  # may be empty though there are older ones: ask on with `next`
    next: int | None  # give it as `before` for what is older; None: that was all
    unreadable: int  # lines on the way that are no entries: `celeryscope audit verify` tells more
    error: str | None  # why entries cannot be written at the moment
    unwritten: int  # entries that are in the log only, since the start
    kept: bool  # there is a directory for them; else they are in the log only


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries. Texts may be a part of what they are looked for in, whatever their case."""

    who: Annotated[_Text, Meta(description="In the name, the token's name or the address.")] = ""
    what: Annotated[_Text, Meta(description="In what was done.")] = ""
    whom: Annotated[_Text, Meta(description="In the name of a worker or a subject.")] = ""
    kind: Annotated[
        list[Kind], Meta(max_length=20, description="One of these kinds; may be repeated.")
    ] = []
    outcome: Annotated[_Text, Meta(description="In the outcome.")] = ""
    since: Annotated[float | None, Meta(description="At this time or later.")] = None
    until: Annotated[float | None, Meta(description="Before this time.")] = None
    text: Annotated[_Text, Meta(description="In any text of the entry.")] = ""
    action: Annotated[_Text, Meta(description="The id of an action.")] = ""
    before: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Older than the entry with this number."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="At most so many.")] = 100


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries, as what."""

    format: Annotated[
        Literal["jsonl", "csv"], Meta(description="The lines as they are kept, or a table.")
    ] = "jsonl"
    who: _Text = ""
    what: _Text = ""
    whom: _Text = ""
    kind: Annotated[list[Kind], Meta(max_length=20)] = []
    outcome: _Text = ""
    since: float | None = None
    until: float | None = None
    text: _Text = ""
    action: _Text = ""


#: Media type and file name of an export, by format.
EXPORTS: Final[Mapping[str, tuple[str, str]]] = {
    "jsonl": ("application/jsonl", "celeryscope-audit.jsonl"),
    "csv": ("text/csv; charset=utf-8", "celeryscope-audit.csv"),
}


def audit(services: Services, _path: Mapping[str, str], query: AuditQuery) -> AuditPage:
    """See who did what, the newest first."""
    trail = services.door.trail
    page = trail.read(_filter(query), before=query.before, limit=query.limit)
    return AuditPage(
        now=services.clock(),
        entries=[
            msgspec.convert(entry, AuditEntry, from_attributes=True) for entry in page.entries
        ],
        next=page.next,
        unreadable=page.unreadable,
        error=trail.error,
        unwritten=trail.unwritten,
        kept=trail.kept,
    )


def export(services: Services, query: ExportQuery) -> Iterator[bytes]:
    """Give the entries as a file, the oldest first, a piece at a time."""
    trail, which = services.door.trail, _filter(query)
    return trail.export_csv(which) if query.format == "csv" else trail.export(which)


def _filter(query: AuditQuery | ExportQuery) -> Filter:
    return Filter(
        who=query.who,
        what=query.what,
        whom=query.whom,
        kinds=tuple(query.kind),
        outcome=query.outcome,
        since=query.since,
        until=query.until,
        text=query.text,
        action=query.action,
    )


AUDIT = Operation(audit, AuditQuery, AuditPage, heavy=True)
