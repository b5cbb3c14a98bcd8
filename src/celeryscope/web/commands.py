"""`celeryscope tasks`: finds tasks of the history with the page's query language.

It reads the history itself, so that it works while the console is down; with `--url` it asks a
console.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TextIO, cast, get_args

import click
import msgspec

from celeryscope import places
from celeryscope.control.client import Client, Refused, plain
from celeryscope.errors import CeleryscopeError, NotPossible
from celeryscope.history.finding import SORTS, Sort
from celeryscope.history.opening import FILE
from celeryscope.history.reader import Reader
from celeryscope.model import query as language
from celeryscope.model.query import Query
from celeryscope.web.api.exports import ExportedTask, Format, file_of
from celeryscope.web.api.history import exported

EXIT_FAILED: Final = 1
EXIT_WRONG: Final = 2

_ROWS: Final = 500
_NEWEST: Final = 100  # looked at first, when it is followed
_MOST_NEW: Final = 2_000  # looked at: of more that come at once, who could read the others?
_REST_SECONDS: Final = 1.0
_LATE_SECONDS: Final = 30.0  # that an event is told of after it was made, and is followed still
_ALL: Final = 2**62
_PATIENCE_SECONDS: Final = 60.0
_UNLIMITED: Final = 10_000  # columns, where nobody looks at a terminal
_LEAST_TEXT: Final = 12
_MOST_CHARS: Final = {"name": 48, "worker": 32}
_MARGIN: Final = "    "


class Found(NamedTuple):
    """Tasks that match, some at a time."""

    tasks: list[ExportedTask]
    whole: bool  # False: there may be more that time did not allow to find


class Source(Protocol):
    """Where tasks are looked for. Raises CeleryscopeError."""

    def tasks(self, query: str, *, sort: Sort, limit: int) -> Iterator[Found]: ...
    def count(self, query: str) -> tuple[int, bool]: ...  # False: there are more
    def file(self, query: str, *, sort: Sort, limit: int, format: Format) -> Iterator[bytes]: ...


@click.command(
    "tasks", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]}
)
@click.argument("query", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="newest",
    show_default=True,
    help="By the last event, or by run time, waiting time or retries.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="At most so many; 0: all.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", *get_args(Format)]),
    default="table",
    show_default=True,
    help="A table, or a file for programs.",
)
@click.option("--count", is_flag=True, help="Say only how many there are.")
@click.option(
    "--follow", "-f", is_flag=True, help="Then go on, the newest last, until Ctrl-C: who changes."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="CELERYSCOPE_DATA_DIR",
    help="The console's data directory.  (default: celeryscope in $XDG_DATA_HOME or "
    "~/.local/share; CELERYSCOPE_DATA_DIR)",
)
@click.option(
    "--history",
    default="",
    envvar="CELERYSCOPE_HISTORY",
    metavar="URL",
    help="The history where it is in PostgreSQL: postgresql://…  (CELERYSCOPE_HISTORY)",
)
@click.option("--url", default="", metavar="URL", help="Ask the console at this address instead.")
@click.option("--token-file", type=click.File(), metavar="FILE",
              help="With --url: file with an API token; - is standard input.  (default: "
              "CELERYSCOPE_TOKEN)")  # fmt: skip
@click.pass_context
def tasks(
    context: click.Context,
    *,
    query: Sequence[str],
    sort: Sort,
    limit: int,
    format_: str,
    count: bool,
    follow: bool,
    data_dir: Path | None,
    history: str,
    url: str,
    token_file: TextIO | None,
) -> None:
    """Find tasks: what became of them, the newest first.

    QUERY is as on the Tasks page, and may be left out:

    \b
        celeryscope tasks 'state:failed name:app.billing.* since:2h "timeout"'

    Ends with 0, with 2 where the query is wrong, and with 1 where it cannot be answered.
    """
    text = " ".join(query)
    if follow and (count or sort != "newest" or format_ == "json"):
        raise click.UsageError("--follow goes neither with --count, nor --sort, nor --format json.")
    try:
        source = _source(url, token_file, data_dir=data_dir, history=history)
        if count:
            _tell_count(*source.count(text))
        elif follow:
            _tell_changes(changes(source, text, limit=limit or _ALL), format_)
        elif format_ == "table":
            whole = _tell_table(source.tasks(text, sort=sort, limit=limit or _ALL))
            if not whole:
                click.echo("celeryscope: There may be more: time was up.", err=True)
        else:
            format = cast(Format, format_)
            _tell_file(source.file(text, sort=sort, limit=limit or _ALL, format=format))
    except KeyboardInterrupt:
        if not follow:
            raise
    except BrokenPipeError:  # whoever read it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except CeleryscopeError as error:
        context.exit(_tell_error(error, text))


def _source(url: str, token_file: TextIO | None, *, data_dir: Path | None, history: str) -> Source:
    if url:
        if not url.lower().startswith(("http://", "https://")):
            raise click.BadParameter("It must begin with http:// or https://.", param_hint="--url")
        token = token_file.read() if token_file else os.environ.get("CELERYSCOPE_TOKEN", "")
        return Console(Client(url, token=token.strip()))
    if history and history != "off":
        return Local(Reader(history))
    path = places.data_dir(data_dir) / FILE
    try:
        return Local(Reader(path))
    except NotPossible as error:
        if error.hint:
            raise
        raise NotPossible(
            str(error),
            hint="Name the console's data directory, or ask it: --data-dir DIRECTORY, --url URL",
        ) from error


# ---------------------------------------------------------------------- where tasks are


class Local:
    """The history on this machine, or in PostgreSQL, without a console."""

    def __init__(self, history: Reader) -> None:
        self._history = history

    def tasks(self, query: str, *, sort: Sort, limit: int) -> Iterator[Found]:
        wanted, now = language.parse(query), time.time()
        left, after = limit, None
        while left > 0:
            page = self._history.search(
                wanted, now=now, sort=sort, after=after, limit=min(_ROWS, left),
                most_seconds=_PATIENCE_SECONDS,
            )  # fmt: skip
            after, left = page.after, left - len(page.tasks)
            yield Found([exported(task) for task in page.tasks], page.whole or after is not None)
            if not page.more or after is None:
                return

    def count(self, query: str) -> tuple[int, bool]:
        wanted: Query = language.parse(query)
        return self._history.count(
            wanted, now=time.time(), most=_ALL, most_seconds=_PATIENCE_SECONDS
        )

    def file(self, query: str, *, sort: Sort, limit: int, format: Format) -> Iterator[bytes]:
        language.parse(query)  # what is wrong with it is said before anything is written
        file = file_of(format)
        yield file.head()
        try:
            for found in self.tasks(query, sort=sort, limit=limit):
                yield file.tasks(found.tasks)
                if not found.whole:
                    yield file.cut("what comes next takes too long to find in this order.")
                    return
        except CeleryscopeError as trouble:
            yield file.cut(str(trouble))
            raise
        yield file.tail()


class Console:
    """A console that answers by HTTP."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def tasks(self, query: str, *, sort: Sort, limit: int) -> Iterator[Found]:
        left, after = limit, ""
        while left > 0:
            told = self._client.ask(
                "/history/tasks", query=query, sort=sort, limit=min(_ROWS, left), after=after
            )
            rows = [self._row(row) for row in told["tasks"]]
            after, left = told["after"] or "", left - len(rows)
            yield Found(rows, told["whole"] or bool(after))
            if not told["more"] or not after:
                return

    def count(self, query: str) -> tuple[int, bool]:
        told = self._client.ask("/history/count", query=query)
        return told["total"], told["total_whole"]

    def file(self, query: str, *, sort: Sort, limit: int, format: Format) -> Iterator[bytes]:
        more = {} if limit == _ALL else {"limit": limit}
        return self._client.read("/history/export", query=query, sort=sort, format=format, **more)

    def _row(self, told: Any) -> ExportedTask:
        try:
            return msgspec.convert(
                {"root_id": None, "parent_id": None, "truncated": False, **told}, ExportedTask
            )
        except (msgspec.ValidationError, TypeError) as error:
            raise Refused("This console is of another version.") from error


def changes(
    source: Source,
    query: str,
    *,
    limit: int,
    clock: Callable[[], float] = time.time,
    rest: Callable[[float], object] = time.sleep,
) -> Iterator[list[ExportedTask]]:
    """Give the newest tasks that match, at most so many; then those that come or change, for ever.

    The oldest is first. Where it cannot be asked for a while that is said, and tried again. Raises
    CeleryscopeError the first time.
    """
    since, trouble = clock(), ""
    known = _standing(_recent(source, query, since - _LATE_SECONDS))
    newest = [one for part in source.tasks(query, sort="newest", limit=limit) for one in part.tasks]
    known |= _standing(newest)
    yield newest[::-1]
    while True:
        rest(_REST_SECONDS)
        try:
            recent = _recent(source, query, since - _LATE_SECONDS)
        except CeleryscopeError as error:
            if f"{error}" != trouble:
                trouble = f"{error}"
                click.echo(f"celeryscope: {plain(trouble)} It is tried again.", err=True)
            continue
        # What was missed while it could not be asked is told of, too.
        since, trouble = clock(), ""
        yield [one for one in recent[::-1] if known.get(one.uuid) != (one.state, one.state_at)]
        known = _standing(recent)


def _standing(tasks: Iterable[ExportedTask]) -> dict[str, tuple[str, float]]:
    return {task.uuid: (task.state, task.state_at) for task in tasks}


def _recent(source: Source, query: str, since: float) -> list[ExportedTask]:
    """Give the tasks that match whose last event is not older, the newest first."""
    for limit in (_NEWEST, _MOST_NEW):
        recent: list[ExportedTask] = []
        for found in source.tasks(query, sort="newest", limit=limit):
            recent += [task for task in found.tasks if task.state_at >= since]
            if not found.tasks or found.tasks[-1].state_at < since:
                return recent
        if len(recent) < limit:
            break
    return recent


# ---------------------------------------------------------------------- what people read


def _tell_count(total: int, whole: bool) -> None:
    click.echo(f"{total:,}" if whole else f"more than {total:,}")


def _tell_file(pieces: Iterable[bytes]) -> None:
    out = sys.stdout.buffer
    for piece in pieces:
        out.write(piece)
    out.flush()


def _tell_table(found: Iterable[Found]) -> bool:
    """Print a table, some rows at a time; returns whether it is whole."""
    table: Table | None = None
    whole = True
    for part in found:
        whole = part.whole
        if part.tasks and table is None:
            table = Table(part.tasks, width=_width())
            click.echo(table.head())
        for task in part.tasks:
            assert table is not None
            click.echo(table.line(task))
    if table is None and whole:
        click.echo("celeryscope: No task matches.", err=True)
    return whole


def _tell_changes(changed: Iterable[Sequence[ExportedTask]], format_: str) -> None:
    table: Table | None = None
    file = None if format_ == "table" else file_of(cast(Format, format_))
    if file is not None:
        _tell_file([file.head()])
    for tasks in changed:
        if file is not None:
            _tell_file([file.tasks(tasks)])
        elif tasks:
            if table is None:
                table = Table(tasks, width=_width())
                click.echo(table.head())
            click.echo("\n".join(map(table.line, tasks)))


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED


class Table:
    """Rows of aligned columns; the last takes what is left of the width."""

    def __init__(self, tasks: Sequence[ExportedTask], *, width: int) -> None:
        """The first tasks say how wide the columns are."""
        self._width = width
        cells = [_HEAD, *map(_cells, tasks)]
        self._widths = [
            max(least, *map(columns_of, column))
            for least, column in zip(_LEAST, zip(*cells, strict=True), strict=False)
        ]

    def head(self) -> str:
        return self._joined(_HEAD)

    def line(self, task: ExportedTask) -> str:
        return self._joined(_cells(task))

    def _joined(self, cells: Sequence[str]) -> str:
        *fixed, last = cells
        line = "  ".join(
            cell + " " * (width - columns_of(cell))
            for cell, width in zip(fixed, self._widths, strict=True)
        )
        room = self._width - columns_of(line) - 2
        if room < _LEAST_TEXT:
            return line.rstrip()
        return f"{line}  {cut(last, room)}".rstrip()


_HEAD: Final = ("STATE", "NAME", "WORKER", "WHEN", "RAN", "ID", "EXCEPTION")
_LEAST: Final = (8, 0, 0, 0, 6, 0)  # columns of those before the last: what comes later fits, too


def _cells(task: ExportedTask) -> tuple[str, ...]:
    return (
        plain(task.state),
        cut(plain(task.name or "?"), _MOST_CHARS["name"]),
        cut(plain(task.worker or ""), _MOST_CHARS["worker"]),
        _when(task.state_at),
        _duration(task.runtime),
        plain(task.uuid),
        plain(task.exception or ""),
    )


def _when(at: float) -> str:
    """Write a time, given in epoch seconds, as the clock on the wall shows it."""
    try:
        return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # nobody's clock
        return f"{at:.0f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def columns_of(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns_of_char(char) for char in text)


def cut(text: str, room: int) -> str:
    """Cut a text to so many columns."""
    if columns_of(text) <= room:
        return text
    kept, used = [], 1
    for char in text:
        used += _columns_of_char(char)
        if used > room:
            break
        kept.append(char)
    return "".join(kept) + "…"


def _columns_of_char(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# ---------------------------------------------------------------------- what goes wrong


def _tell_error(error: CeleryscopeError, query: str) -> int:
    """Say what went wrong in a sentence, and where in the query; returns the exit status."""
    position = getattr(error, "position", None)
    lines = [f"celeryscope: {plain(str(error))}"]
    if position is not None:
        lines += pointed(query, position)
    if error.hint:
        lines.append(plain(error.hint))
    click.echo("\n".join(lines), err=True)
    wrong = position is not None or getattr(error, "status", 0) == 400
    return EXIT_WRONG if wrong else EXIT_FAILED


def pointed(query: str, position: int) -> list[str]:
    """Give the query, and below it a caret at the character that is in the way."""
    width = max(40, shutil.get_terminal_size().columns - len(_MARGIN) - 2)
    before, rest = plain(query[:position]), plain(query[position:])
    if columns_of(before) > width // 2:
        while columns_of(before) >= width // 2:
            before = before[1:]
        before = "…" + before
    shown = cut(before + rest, width)
    return [_MARGIN + shown, _MARGIN + " " * columns_of(before) + "^"]
