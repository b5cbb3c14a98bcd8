"""`celeryscope audit`: verify, show and export the audit trail."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import click

from celeryscope import places
from celeryscope.audit import table
from celeryscope.audit.entry import Entry, Kind
from celeryscope.audit.filter import Filter
from celeryscope.audit.trail import Trail
from celeryscope.audit.verify import Verdict
from celeryscope.audit.verify import verify as check
from celeryscope.errors import BadQuery, CeleryscopeError, NotPossible
from celeryscope.model import query as language

#: Where in the data directory the trail is.
DIRECTORY: Final = "audit"
EXIT_FAILED: Final = 1

_MOST_SHOWN_CHARS = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

Wrapped = Callable[..., None]


_DATA_DIR_HELP = (
    "The console's data directory.  (default: celeryscope in $XDG_DATA_HOME or ~/.local/share; "
    "CELERYSCOPE_DATA_DIR)"
)
_PATH = click.Path(path_type=Path, file_okay=False)


@click.group()
@click.option("--data-dir", type=_PATH, envvar="CELERYSCOPE_DATA_DIR", help=_DATA_DIR_HELP)
def audit(data_dir: Path | None) -> None:
    """Who did what with this console, and whether that record is whole."""


def _data_dir(command: Wrapped) -> Wrapped:
    """Let it be said behind the command, too."""
    return click.option("--data-dir", type=_PATH, help=_DATA_DIR_HELP)(command)


def _filtered(command: Wrapped) -> Wrapped:
    """Options that say which entries are meant."""
    part = "; a part is enough"
    for option in (
        click.option("--text", default="", help=f"In any text of the entry{part}."),
        click.option("--until", default="", callback=_moment, help="Before then; as --since."),
        click.option(
            "--since",
            default="",
            callback=_moment,
            help="Since 2h ago, or since 2026-11-23 or 2026-11-23T03:00 (UTC).",
        ),
        click.option("--outcome", default="", help="done, failed, denied, …"),
        click.option(
            "--kind",
            "kinds",
            multiple=True,
            type=click.Choice(get_args(Kind)),
            help="One of these.",
        ),
        click.option("--whom", default="", help=f"A worker, task, queue, user{part}."),
        click.option("--what", default="", help=f"The command, or what was done{part}."),
        click.option("--who", default="", help=f"A name, a token's name or an address{part}."),
    ):
        command = option(command)
    return command


def _moment(_context: click.Context, _param: click.Parameter, text: str) -> float | None:
    """Read a time as the query language has them: `2h` ago, or a date."""
    if not text:
        return None
    try:
        match language.parse(f"since:{text}"):
            case language.Ago(_, seconds):
                return time.time() - seconds
            case language.At(_, at):
                return at
    except BadQuery:
        pass
    raise click.BadParameter(f"'{text}' is no time. Write 2h, 2026-11-23 or 2026-11-23T03:00.")


@audit.command()
@_data_dir
@click.option("--expect", metavar="HASH", help="The hash of an entry, noted elsewhere before.")
def verify(data_dir: Path | None, expect: str | None) -> None:
    """Check that nothing of the trail was changed, taken out, put in or cut off.

    Ends with 0 when it is whole, with 1 when it is not. Whoever may write the files could write
    all of them anew: only a hash that was noted elsewhere, as in the log, shows that.
    """
    context = click.get_current_context()
    try:
        verdict = check(_directory(data_dir), expect=expect)
    except CeleryscopeError as error:
        context.exit(_told(error))
    for note in verdict.notes:
        click.echo(_plain(note), err=not verdict.good)
    if verdict.good:
        click.echo(_said_good(verdict))
        return
    for problem in verdict.problems:
        line = f":{problem.line}" if problem.line else ""
        where = f"{problem.file}{line}: " if problem.file else ""
        click.echo(_plain(f"{where}{problem.said}"), err=True)
    count = len(verdict.problems) + verdict.problems_left_out
    more = f", {verdict.problems_left_out:,} of them not shown" if verdict.problems_left_out else ""
    click.echo(
        f"celeryscope: The audit trail is not whole: {count:,} "
        f"problem{'s' if count > 1 else ''} in {_entries(verdict.entries)}{more}.",
        err=True,
    )
    context.exit(EXIT_FAILED)


def _said_good(verdict: Verdict) -> str:
    files = "one file" if verdict.segments == 1 else f"{verdict.segments} files"
    expected = (
        f" Entry {verdict.expected_seq} has the hash that was expected."
        if verdict.expected_seq is not None
        else ""
    )
    return (
        f"The audit trail is whole: {_entries(verdict.entries)} in {files}, from {verdict.first_seq} "
        f"({_second(verdict.first_at)}) to {verdict.last_seq} ({_second(verdict.last_at)})."
        f"{expected} The last hash is {verdict.last_hash}"
    )


@audit.command()
@_data_dir
@_filtered
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The newest."
)
def show(data_dir: Path | None, limit: int, **which: Any) -> None:
    """Print entries, the newest last."""
    context = click.get_current_context()
    try:
        directory = _existing(_directory(data_dir))
        entries = _newest(Trail(directory), Filter(**which), limit)
    except CeleryscopeError as error:
        context.exit(_told(error))
    rows = [_row(entry) for entry in reversed(entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)] if rows else []
    for *columns, rest in rows:
        padded = (text.ljust(width) for text, width in zip(columns, widths, strict=True))
        click.echo(f"{'  '.join(padded)}  {rest}".rstrip())


def _newest(trail: Trail, which: Filter, limit: int) -> list[Entry]:
    entries: list[Entry] = []
    before: int | None = None
    while len(entries) < limit:
        page = trail.read(which, before=before, limit=limit - len(entries))
        entries += page.entries
        before = page.next
        if before is None:
            break
    return entries


def _row(entry: Entry) -> tuple[str, str, str, str, str, str]:
    whom = entry.whom
    names = [*(whom.workers or ()), *whom.subjects] if whom else []
    left_out = (whom.left_out + whom.workers_left_out) if whom else 0
    more = len(names) - 1 + left_out
    at = f"{names[0]}{f' and {more:,} more' if more else ''}" if names else "-"
    address = f" from {entry.by.address}" if entry.by.address else ""
    return (
        _second(entry.at),
        _short(f"{entry.by.name or '-'}{address}"),
        entry.kind,
        _short(entry.what),
        _short(at),
        _plain(" ".join(filter(None, (entry.outcome, entry.detail)))),
    )


@audit.command()
@_data_dir
@_filtered
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="The lines as they are kept, or a table.",
)
@click.option(
    "-o", "--output", type=click.File("wb"), default="-", help="A file.  (default: what is printed)"
)
def export(data_dir: Path | None, format_: str, output: Any, **which: Any) -> None:
    """Write entries as JSON Lines or CSV, the oldest first."""
    context = click.get_current_context()
    try:
        trail = Trail(_existing(_directory(data_dir)))
        wanted = Filter(**which)
        for piece in trail.export_csv(wanted) if format_ == "csv" else trail.export(wanted):
            output.write(piece)
        output.flush()
    except CeleryscopeError as error:
        context.exit(_told(error))


def _directory(data_dir: Path | None) -> Path:
    group = click.get_current_context().parent
    if data_dir is None and group is not None:
        data_dir = group.params.get("data_dir")
    return places.data_dir(data_dir) / DIRECTORY


def _existing(directory: Path) -> Path:
    if not directory.is_dir():
        raise NotPossible(
            f"There is no audit trail in {directory}.",
            hint="The console keeps it in 'audit' in its data directory: --data-dir DIRECTORY",
        )
    return directory


def _told(error: CeleryscopeError) -> int:
    hint = f"\n{_plain(error.hint)}" if error.hint else ""
    click.echo(_plain(f"celeryscope: {error}") + hint, err=True)
    return EXIT_FAILED


def _entries(count: int) -> str:
    return "one entry" if count == 1 else f"{count:,} entries"


def _second(at: float) -> str:
    return table.utc(at, timespec="seconds")


def _short(text: str) -> str:
    told = _plain(text)
    return told if len(told) <= _MOST_SHOWN_CHARS else told[: _MOST_SHOWN_CHARS - 1] + "…"


def _plain(text: str) -> str:
    """Make what came from outside harmless to a terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
