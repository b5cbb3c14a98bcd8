"""`celeryscope history`, `backup` and `restore`: what is kept, while a console runs or not.

They take the console's settings, from the same options, variables and files. Who knows them is the
root context's object, a `House`.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gzip
import logging
import os
import re
import shlex
import signal
import sqlite3
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from urllib.parse import urlsplit

import click

from celeryscope import __version__
from celeryscope.errors import BadQuery, CeleryscopeError, ConfigError, NotPossible
from celeryscope.history import backup as backups
from celeryscope.history import flower, parquet, space, transfer
from celeryscope.history.opening import Given, House, Opening
from celeryscope.history.reader import Reader
from celeryscope.history.retention import STEP_SECONDS, Retention
from celeryscope.history.sql import migrations, queries
from celeryscope.history.store import History
from celeryscope.history.transfer import Bad, Line
from celeryscope.model import query as language
from celeryscope.model.query import Query
from celeryscope.places import occupied

# What the room's own logger says, the commands say themselves.
logging.getLogger("celeryscope.history").addHandler(logging.NullHandler())

EXIT_FAILED: Final = 1
EXIT_WRONG: Final = 2
_MOST_BAD_SHOWN = 20
_TELL_SECONDS = 0.1
_REST_SECONDS = 0.01
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

Command = Callable[..., None]


# ---------------------------------------------------------------------- options

_DATA_DIR = (
    "The console's data directory.  (default: celeryscope in $XDG_DATA_HOME or ~/.local/share; "
    "CELERYSCOPE_DATA_DIR)"
)
_WHERE = "A history in PostgreSQL: postgresql://…  (default: in the data directory; "
_WHERE += "CELERYSCOPE_HISTORY)"


def _placed(command: Command) -> Command:
    """Say where the history is."""
    command = click.option("history", "--history", metavar="URL", help=_WHERE)(command)
    return click.option("data_dir", "--data-dir", metavar="DIR", help=_DATA_DIR)(command)


def _opening(**given: object) -> Opening:
    """Ask who knows the settings; `given` has the name of each setting and its option."""
    context = click.get_current_context()
    house = cast(House, context.find_root().obj)
    told = {
        name: Given(*cast(tuple[str, Any], pair))
        for name, pair in given.items()
        if cast(tuple[str, Any], pair)[1] not in (None, ())
    }
    opening = house.opening(told)
    backups.settle(opening.data_dir)
    return opening


def _where(data_dir: str | None, history: str | None) -> dict[str, object]:
    return {"data_dir": ("--data-dir", data_dir), "history": ("--history", history)}


def _existing(opening: Opening) -> Path | str:
    """Say where the history is. Raises NotPossible where there is none."""
    where = opening.where
    if where is None:
        raise NotPossible("No history is kept: the setting 'history' is off.")
    if isinstance(where, Path) and not where.exists():
        raise NotPossible(
            f"There is no history in {where.parent}.",
            hint="The console keeps it in its data directory: --data-dir DIRECTORY",
        )
    return where


@contextlib.contextmanager
def _opened(opening: Opening) -> Iterator[History]:
    """Open the history that there is, to write, and hold the data directory meanwhile."""
    where = _existing(opening)
    with contextlib.ExitStack() as stack:
        if isinstance(where, Path):
            stack.enter_context(occupied(where.parent))
        history = opening.open()
        stack.callback(history.close)
        if history.trouble is not None:
            raise NotPossible(history.trouble)
        yield history


def _says_what_is_wrong(command: Callable[..., int | None]) -> Command:
    """Turn our errors into sentences and an exit status."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        context = click.get_current_context()
        # What is half done is taken back then, as after Ctrl-C.
        before = signal.signal(signal.SIGTERM, _stopped)
        try:
            code = command(**given) or 0
        except CeleryscopeError as error:
            click.echo(_plain(f"celeryscope: {error}"), err=True)
            for line in error.hint.splitlines():
                click.echo(_plain(line), err=True)
            code = EXIT_WRONG if isinstance(error, ConfigError | BadQuery) else EXIT_FAILED
        finally:
            signal.signal(signal.SIGTERM, before)
        context.exit(code)

    return run


def _stopped(*_: object) -> None:
    raise click.Abort


# ---------------------------------------------------------------------- progress


class _Progress:
    """A bar on a terminal; elsewhere nothing until the end."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label = label
        self._is_shown = sys.stderr.isatty()
        self._total = total
        self._begun = time.monotonic()
        self._told = 0.0
        self._done = 0

    def to(self, done: int, total: int | None = None) -> None:
        """Say how far it is; of how much, where that is known now."""
        self._done, self._total = done, self._total if total is None else total
        now = time.monotonic()
        if self._is_shown and now - self._told >= _TELL_SECONDS:
            self._told = now
            click.echo("\r" + self._line(now) + "\x1b[K", err=True, nl=False)

    def more(self, done: int) -> None:
        self.to(self._done + done)

    def end(self) -> None:
        if self._is_shown:
            click.echo("\r\x1b[K", err=True, nl=False)

    def _line(self, now: float) -> str:
        if not self._total:
            return f"{self._label}  {self._done:,}"
        share = min(self._done / self._total, 1.0)
        full = int(share * 30)
        left = ""
        if share > 0.02 and (seconds := (now - self._begun) * (1 - share) / share) >= 1:
            left = f"  {_span(seconds)} left"
        return f"{self._label}  [{'#' * full}{'-' * (30 - full)}]  {share:4.0%}{left}"


@contextlib.contextmanager
def _progress(label: str, total: int | None = None) -> Iterator[_Progress]:
    shown = _Progress(label, total)
    try:
        yield shown
    finally:
        shown.end()


def _span(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


# ---------------------------------------------------------------------- history


@click.group()
def history() -> None:
    """What is kept of tasks: how much, for how long, out and in."""


@history.command()
@_placed
@_says_what_is_wrong
def info(data_dir: str | None, history: str | None) -> None:
    """Say where the history is, how much is in it, and for how long it is kept."""
    opening = _opening(**_where(data_dir, history))
    reader = Reader(_existing(opening))
    extent = reader.extent()
    with reader.reading() as db:
        size = reader.place.size_bytes(db)
    rows = [
        ("where", reader.place.name),
        ("layout", str(len(migrations()))),
        ("tasks", f"{extent.tasks:,}"),
        ("oldest", _moment(extent.oldest)),
        ("newest", _moment(extent.newest)),
        ("size", _bytes(size)),
    ]
    if extent.tasks:
        rows.append(("a task", _bytes(size // extent.tasks)))
    limits = opening.limits
    ages = [f"{state.lower()} {_age(age)}" for state, age in sorted(limits.max_age_of.items())]
    rows += [
        ("kept for", ", ".join([_age(limits.max_age_seconds), *ages])),
        ("at most", f"{limits.max_tasks:,} tasks" if limits.max_tasks else "any number of tasks"),
        ("", _bytes(limits.max_bytes) if limits.max_bytes else "any size"),
    ]
    for name, value in rows:
        click.echo(f"{name:<9} {_plain(value)}".rstrip())


@history.command()
@_placed
@click.option("--max-age", metavar="AGE", help="Instead of the setting history_max_age: 30d.")
@click.option("--max-age-of", multiple=True, metavar="STATE=AGE", help="Of one state: failure=90d.")
@click.option("--max-tasks", metavar="N", help="Instead of the setting history_max_tasks.")
@click.option("--max-bytes", metavar="BYTES", help="Instead of history_max_bytes: 5GiB.")
@click.option("--dry-run", is_flag=True, help="Say how many tasks would go, and leave them.")
@_says_what_is_wrong
def prune(
    data_dir: str | None, history: str | None, dry_run: bool, max_age: str | None,
    max_age_of: tuple[str, ...], max_tasks: str | None, max_bytes: str | None,
) -> None:  # fmt: skip
    """Take out the tasks that are too old or too many, now, by the console's limits or others.

    A console that runs does so by itself, and goes on by its own limits.
    """
    opening = _opening(
        **_where(data_dir, history),
        history_max_age=("--max-age", max_age),
        history_max_age_of=("--max-age-of", max_age_of),
        history_max_tasks=("--max-tasks", max_tasks),
        history_max_bytes=("--max-bytes", max_bytes),
    )
    with _opened(opening) as opened:
        retention = Retention(opened, **opening.limits._asdict(), rest=1.0)
        total = retention.due()
        if dry_run:
            click.echo(f"{_tasks(total)} would be taken out, of {opened.extent().tasks:,}.")
            return
        with _progress("Taking out", total) as shown:
            gone = retention.prune(shown.more)
        with opened.reading() as db:
            (left,) = db.execute(queries()["task_count"]).fetchone()
        if isinstance(opening.where, Path):
            _checkpoint(opening.where)
        click.echo(f"{_tasks(gone)} taken out; {left:,} left, {_bytes(opened.size_bytes())}.")
    if gone:
        _note(opening, "history pruned", f"{gone} tasks")


@history.command()
@_placed
@click.option(
    "--full", is_flag=True, help="Write the file anew. Nothing else is written meanwhile."
)
@_says_what_is_wrong
def vacuum(data_dir: str | None, history: str | None, full: bool) -> None:
    """Give the room of what was taken out back to the disk."""
    opening = _opening(**_where(data_dir, history))
    if isinstance(opening.where, str):
        raise NotPossible(
            "PostgreSQL makes that room free by itself, for what comes next (autovacuum).",
            hint="To give it back to the disk: VACUUM (FULL) in psql. It locks the tables meanwhile.",
        )
    with _opened(opening) as opened:
        before = opened.size_bytes()
        if full:
            _write_anew(cast(Path, opening.where))
        else:
            _cut(opened, cast(Path, opening.where))
        after = opened.size_bytes()
    click.echo(f"{_bytes(before)} before, {_bytes(after)} now.")


def _cut(opened: History, path: Path) -> None:
    with opened.reading() as db:
        is_small_steps = db.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
    if not is_small_steps:
        raise NotPossible(
            f"{path} was made by another program: room in it is not given back in small steps.",
            hint="Write it anew once: celeryscope history vacuum --full",
        )
    with _progress("Giving back", free) as shown:
        while True:
            with opened.writing() as db:
                pages = space.give_back(db, most_seconds=STEP_SECONDS, slack=False)
            if not pages:
                break
            shown.more(pages)
            time.sleep(STEP_SECONDS)
    _checkpoint(path)


def _write_anew(path: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=10.0, isolation_level=None)) as db:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("VACUUM")
    except sqlite3.Error as error:
        raise NotPossible(f"{path} cannot be written anew: {error}.") from error
    _checkpoint(path)


def _checkpoint(path: Path) -> None:
    """Shorten the file itself, as far as who reads it lets us."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# ---------------------------------------------------------------------- out and in


@history.command()
@_placed
@click.argument("file")
@click.option("--query", default="", help="Tasks that match: 'state:failure name:shop.*'.")
@click.option("--since", default="", help="With their last event since 2h ago, or 2026-11-23.")
@click.option("--until", default="", help="Before then; as --since.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "parquet"]),
    help="By default what the name's end says: .parquet, or JSON Lines.",
)
@_says_what_is_wrong
def export(
    data_dir: str | None, history: str | None, file: str, query: str, since: str, until: str,
    format_: str | None,
) -> None:  # fmt: skip
    """Write tasks with all that is known of them to FILE, or to - , for another history."""
    asked = _query(query, since, until)
    is_parquet = format_ == "parquet" or (format_ is None and file.endswith(".parquet"))
    opening = _opening(**_where(data_dir, history))
    reader = Reader(_existing(opening))
    total = reader.extent().tasks if asked == language.EVERYTHING else None
    with _out(file) as out, _progress("Exporting", total) as shown:
        lines = transfer.tasks(reader, asked, now=time.time())
        if is_parquet:
            count = parquet.write(out, lines, done=shown.to)
        else:
            gaps = transfer.gaps(reader) if asked == language.EVERYTHING else ()
            count = _write_lines(out, lines, gaps, shown)
    click.echo(f"{_tasks(count)} exported{'' if file == '-' else f' to {file}'}.", err=file == "-")


def _write_lines(
    out: BinaryIO, lines: Iterable[Line], gaps: Iterable[Line], shown: _Progress
) -> int:
    count = 0
    out.write(transfer.encode(transfer.head()))
    for line in lines:
        out.write(transfer.encode(line))
        count += 1
        if count % 500 == 0:
            shown.to(count)
    out.writelines(transfer.encode(gap) for gap in gaps)
    return count


@contextlib.contextmanager
def _out(file: str) -> Iterator[BinaryIO]:
    """Open what is written: there as a whole or not at all, for its owner alone."""
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    part = path.with_name(f".{path.name}.{os.getpid()}{backups.PART}")
    try:
        backups.tidy(path.parent)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as raw:
                fcntl.flock(raw, fcntl.LOCK_EX)
                if path.suffix == ".gz":
                    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3, filename="") as out:
                        yield cast(BinaryIO, out)
                else:
                    yield raw
                raw.flush()
                os.fsync(raw.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise NotPossible(f"{file} cannot be written: {error.strerror or error}.") from error


def _query(text: str, since: str, until: str) -> Query:
    parts = [language.parse(text)] if text.strip() else []
    for key, moment in (("since", since), ("until", until)):
        if moment:
            try:
                parts.append(language.parse(f"{key}:{moment}"))
            except BadQuery as error:
                raise ConfigError(
                    f"--{key}: '{moment}' is no time. Write 2h, 2026-11-23 or 2026-11-23T03:00."
                ) from error
    return language.all_of(parts)


@history.command("import")
@_placed
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--mask", multiple=True, metavar="REGEX", help="Hide what matches; as the console's --mask."
)
@_says_what_is_wrong
def import_(
    data_dir: str | None, history: str | None, files: tuple[str, ...], mask: tuple[str, ...]
) -> int:
    """Take tasks in: from an export (JSON Lines, .gz too, or Parquet), or from the file of Flower's
    --persistent.

    What is known already is joined to what comes in; doing it twice changes nothing. Ends with 1
    where a line could not be read; the others are taken in all the same.
    """
    opening = _opening(**_where(data_dir, history), mask=("--mask", mask))
    if isinstance(opening.where, Path):
        opening.where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not opening.where.exists():
            opening.open().close()
    bad = 0
    with _opened(opening) as opened:
        for file in files:
            report = _take_in(opened, file)
            bad += report.bad
            told = f"{file}: {_tasks(report.tasks)} read, {report.changed:,} new or changed"
            told += f", {report.gaps:,} gaps" if report.gaps else ""
            told += f"; {report.bad:,} could not be read" if report.bad else ""
            click.echo(_plain(told + "."))
            if report.changed:
                _note(opening, "history imported", f"{report.changed} tasks from {Path(file).name}")
    return EXIT_FAILED if bad else 0


def _take_in(opened: History, file: str) -> transfer.Report:
    shown_bad = 0

    def bad(one: Bad) -> None:
        nonlocal shown_bad
        shown_bad += 1
        if shown_bad <= _MOST_BAD_SHOWN:
            click.echo(_plain(f"celeryscope: {file}:{one.number}: {one.why}"), err=True)
        elif shown_bad == _MOST_BAD_SHOWN + 1:
            click.echo(f"celeryscope: {file}: further ones are not shown", err=True)

    with _progress(f"Importing {Path(file).name}") as shown, _items(file, shown) as items:
        # A console that writes into the same file gets its turn in between.
        return transfer.take_in(opened, items, bad=bad, done=lambda _: time.sleep(_REST_SECONDS))


@contextlib.contextmanager
def _items(file: str, shown: _Progress) -> Iterator[Iterable[Line | Bad]]:
    """Open what comes in, whatever its format is."""
    if file == "-":
        yield transfer.lines(sys.stdin.buffer, read=shown.more)
        return
    path = Path(file)
    try:
        if not path.is_file() and flower.is_flower(path):
            yield _flowers(path, shown)
            return
        with path.open("rb") as raw:
            start = raw.read(16)
            raw.seek(0)
            size = os.fstat(raw.fileno()).st_size
            if start.startswith(parquet.MAGIC):
                yield parquet.read(path, done=shown.to)
            elif flower.is_flower(path):
                yield _flowers(path, shown)
            elif start.startswith(b"\x1f\x8b"):
                shown.to(0)
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield transfer.lines(cast(BinaryIO, unpacked), read=shown.more)
            elif start and start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
                raise NotPossible(
                    f"{file} is nothing that can be imported.",
                    hint="It may be an export as JSON Lines or Parquet, or the file of Flower's "
                    "--persistent.",
                )
            else:
                shown.to(0, size)
                yield transfer.lines(raw, read=shown.more)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise NotPossible(f"{file} cannot be read: {said}.") from error


def _flowers(path: Path, shown: _Progress) -> Iterator[Line | Bad]:
    for number, found in enumerate(flower.read(path), 1):
        shown.to(number)
        yield transfer.line_of_events(found.uuid, found.events)


# ---------------------------------------------------------------------- backup and restore


@click.command()
@_placed
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--without-history", is_flag=True, help="Users, tokens and the audit trail only.")
@_says_what_is_wrong
def backup(data_dir: str | None, history: str | None, file: Path, without_history: bool) -> None:
    """Write the history, users, tokens and the audit trail to FILE, while the console runs.

    A name that ends in .gz or .tgz makes it half as large. FILE is for its owner alone: it holds
    what tasks were given, and the hashes of passwords and tokens.
    """
    opening = _opening(**_where(data_dir, history))
    if isinstance(opening.where, str) and not without_history:
        raise NotPossible(
            f"The history is in PostgreSQL, and is not in a backup of {opening.data_dir}.",
            hint=f"Back it up with: {_pg_dump(opening.where)}\n"
            "Users, tokens and the audit trail: celeryscope backup --without-history FILE",
        )
    with _progress("Copying") as shown:
        manifest = backups.back_up(
            opening.data_dir, file, version=__version__, history=not without_history,
            progress=shown.to,
        )  # fmt: skip
    size = file.stat().st_size
    names = ", ".join(member.name for member in manifest.members if "/" not in member.name)
    has_audit = any(member.name.startswith("audit/") for member in manifest.members)
    inside = ", ".join(filter(None, (names, "audit" if has_audit else ""))) or "nothing"
    click.echo(f"{file}: {_bytes(size)}, with {inside}.")


def _pg_dump(url: str) -> str:
    """Give the command for a history in PostgreSQL; the password is asked for."""
    parts = urlsplit(url)
    user, at, where = parts.netloc.rpartition("@")
    shown = f"postgresql://{user.partition(':')[0]}{at}{where}{parts.path}"
    return f"pg_dump --format=custom --schema=celeryscope --file=history.dump {shlex.quote(shown)}"


@click.command()
@_placed
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="What is there already is moved aside.")
@_says_what_is_wrong
def restore(data_dir: str | None, history: str | None, file: Path, force: bool) -> None:
    """Put a backup into the data directory, which no console uses.

    It is checked as a whole before anything is changed.
    """
    opening = _opening(**_where(data_dir, history))
    if not file.is_file():
        raise NotPossible(f"There is no file {file}.")
    with _progress("Restoring") as shown:
        manifest, aside = backups.restore(file, opening.data_dir, force=force, progress=shown.to)
    if aside is not None:
        click.echo(f"What was there before is in {aside}.")
    made = _moment(manifest.made_at)
    click.echo(f"{opening.data_dir} is as it was at {made} (Celeryscope {manifest.celeryscope}).")
    _note(opening, "backup restored", f"of {made}")


# ---------------------------------------------------------------------- words


def _note(opening: Opening, what: str, detail: str) -> None:
    house = cast(House, click.get_current_context().find_root().obj)
    house.note(opening.data_dir, what, detail)


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count:,} tasks"


def _bytes(size: int) -> str:
    if size < 1024:
        return f"{size} bytes"
    for power, unit in ((1, "KiB"), (2, "MiB")):
        if size < 1024 ** (power + 1):
            return f"{size / 1024**power:.1f} {unit}"
    return f"{size / 1024**3:,.2f} GiB"


def _age(seconds: float) -> str:
    if not seconds:
        return "for ever"
    days = seconds / 86_400
    return f"{days:g} days" if days >= 1 else f"{seconds:g} s"


def _moment(at: float | None) -> str:
    if at is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):  # nobody's clock
        return f"{at:.0f}"


def _plain(text: str) -> str:
    """Make what came from outside harmless to a terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
