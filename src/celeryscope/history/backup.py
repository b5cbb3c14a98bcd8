"""One file with all that outlives a restart, made while the console runs, and put back.

A tar, compressed where its name says so: the history as it was at one moment, users, tokens and
the audit trail, and behind them `manifest.json` with sizes and checksums. Without that last member
it is no backup: a file that was cut off is seen to be.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from celeryscope.errors import NotPossible
from celeryscope.history.opening import FILE as HISTORY
from celeryscope.history.sql import migrations
from celeryscope.history.sqlite import to_read
from celeryscope.places import make_private, occupied

VERSION: Final = 1
MANIFEST: Final = "manifest.json"
AUDIT: Final = "audit"
#: What is taken along beside the history and the audit trail. Sessions are not: who holds an old
#: backup shall not be logged in.
FILES: Final = ("users.json", "tokens.json")
#: What is put aside with them, since it belongs to what was there before.
_ASIDE = (HISTORY, f"{HISTORY}-wal", f"{HISTORY}-shm", *FILES, "sessions.json", AUDIT)
_MEMBER = re.compile(
    rf"{re.escape(HISTORY)}|users\.json|tokens\.json|"
    r"audit/(?:audit-[0-9]{6,12}\.jsonl|head\.json|torn-[0-9]{1,12}\.bin)"
)
#: In the data directory, while a backup is put into it: what was unpacked, and what is moved where.
_RESTORING = ".restoring"
_JOURNAL = "exchange.json"
#: What a file is written to until it is whole; the end of the name says that it is ours.
PART: Final = ".celeryscope-part"
_PAGES_AT_ONCE = 1_024
_PIECE = 1 << 20
_MOST_MANIFEST_BYTES = 1 << 24
_LEVEL = 1  # of gzip: half the size already

#: Is told how many bytes of how many are done.
Progress = Callable[[int, int], None]


class Member(msgspec.Struct, frozen=True):
    """One file in a backup."""

    name: str
    size: int  # bytes
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a backup."""

    format: int
    celeryscope: str  # the version that made it
    made_at: float  # epoch seconds
    layout: int | None  # of the history; None: it is not in it
    members: list[Member]


class _Journal(msgspec.Struct, frozen=True):
    """What is moved, and where to: written down before, so that it can be undone."""

    aside: str | None  # the directory that takes what was there
    there: list[str]  # what was there
    new: list[str]  # what comes out of the backup


# ---------------------------------------------------------------------- making one


def back_up(
    data_dir: Path,
    file: Path,
    *,
    version: str,
    history: bool = True,
    progress: Progress | None = None,
) -> Manifest:
    """Write a backup of a data directory; who uses it is not held up.

    `file` is there as a whole or not at all, for its owner alone. `version` is ours. Raises
    NotPossible with a sentence where it cannot be made.
    """
    if not data_dir.is_dir():
        raise NotPossible(
            f"There is no data directory {data_dir}.", hint="Say where it is: --data-dir DIRECTORY"
        )
    part = file.with_name(f".{file.name}{PART}")
    copy = Path(f"{part}.db")
    try:
        tidy(file.parent)
        with _alone(part, file) as out:
            try:
                manifest = _write(data_dir, file, out, copy, version, history, progress)
                out.flush()
                os.fsync(out.fileno())
                part.replace(file)
            finally:
                _drop(part)
        _sync(file.parent)
    except (OSError, sqlite3.Error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise NotPossible(f"The backup {file} cannot be made: {said}.") from error
    return manifest


def _write(
    data_dir: Path, file: Path, out: BinaryIO, copy: Path, version: str, history: bool,
    progress: Progress | None,
) -> Manifest:  # fmt: skip
    members: list[Member] = []
    layout = None
    with contextlib.ExitStack() as stack:
        target: BinaryIO = out
        if file.suffix in (".gz", ".tgz"):
            target = stack.enter_context(
                gzip.GzipFile(fileobj=out, mode="wb", compresslevel=_LEVEL, filename="")
            )  # type: ignore[assignment]
        tar = stack.enter_context(tarfile.open(fileobj=target, mode="w|", bufsize=_PIECE))
        # Users first: a task may be younger than they are, but nobody's audit entry is missing.
        for name in FILES:
            with contextlib.suppress(FileNotFoundError):
                _add(tar, members, name, data_dir / name)
        if history and (data_dir / HISTORY).exists():
            layout = copy_history(data_dir / HISTORY, copy, progress)
            _add(tar, members, HISTORY, copy)
        segments, heads = _audit(data_dir / AUDIT)
        for path, size in segments:
            _add(tar, members, f"{AUDIT}/{path.name}", path, size)
        for path, head in heads:
            name = f"{AUDIT}/{path.name}"
            tar.addfile(_info(name, len(head)), io.BytesIO(head))
            members.append(Member(name, len(head), hashlib.sha256(head).hexdigest()))
        manifest = Manifest(
            format=VERSION, celeryscope=version, made_at=time.time(), layout=layout, members=members
        )
        data = msgspec.json.format(msgspec.json.encode(manifest))
        tar.addfile(_info(MANIFEST, len(data)), io.BytesIO(data))
    return manifest


def copy_history(source: Path, target: Path, progress: Progress | None = None) -> int:
    """Copy a history that others write meanwhile, as it is now; gives its layout's number.

    The copy is made page by page out of one transaction that reads, which holds nobody up: a
    writer's pages wait in the WAL until it ends.
    """
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with (
        contextlib.closing(
            sqlite3.connect(to_read(source), uri=True, timeout=10.0, isolation_level=None)
        ) as db,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        db.execute("BEGIN")
        (layout,) = db.execute("SELECT version FROM schema_version").fetchone()
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
        copy.execute("PRAGMA synchronous = OFF")  # it is read again, and synced, as a whole
        copy.execute("PRAGMA journal_mode = OFF")

        def tell(_status: int, remaining: int, total: int) -> None:
            if progress is not None:
                progress((total - remaining) * page_size, total * page_size)

        db.backup(copy, pages=_PAGES_AT_ONCE, progress=tell)
        db.execute("ROLLBACK")
        (said,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(f"the history in {source} is damaged: {said}")
    return int(layout)


def _add(
    tar: tarfile.TarFile, members: list[Member], name: str, path: Path, size: int | None = None
) -> None:
    """Add a file, or so many bytes from its beginning."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size if size is None else size
        reader = _Hashing(file)
        tar.addfile(_info(name, size), reader)  # type: ignore[arg-type]
    members.append(Member(name, size, reader.hash.hexdigest()))


def _audit(directory: Path) -> tuple[list[tuple[Path, int]], list[tuple[Path, bytes]]]:
    """Give the files of the audit trail as they belong together: sizes, and what is replaced.

    Whoever writes the trail holds its lock; what is appended later is not of this backup.
    """
    if not directory.is_dir():
        return [], []
    with (directory / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        found = [
            path
            for path in sorted(directory.iterdir())
            if _MEMBER.fullmatch(f"{AUDIT}/{path.name}")
        ]
        return (
            [(path, path.stat().st_size) for path in found if path.suffix != ".json"],
            [(path, path.read_bytes()) for path in found if path.suffix == ".json"],
        )


class _Hashing:
    """A file as tarfile reads it, with the checksum of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        return data


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    return info


@contextlib.contextmanager
def _alone(part: Path, file: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotPossible(f"Another backup is just written to {file}.") from None
        out.truncate(0)
        yield out


def tidy(directory: Path) -> None:
    """Take away what backups and exports that were killed have left, whatever they were called."""
    for part in directory.glob(f".*{PART}"):
        with contextlib.suppress(OSError), part.open("rb") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _drop(part)


def _drop(part: Path) -> None:
    for end in (".db-journal", ".db-wal", ".db-shm", ".db", ""):
        Path(f"{part}{end}").unlink(missing_ok=True)


# ---------------------------------------------------------------------- putting it back


def restore(
    file: Path, data_dir: Path, *, force: bool = False, progress: Progress | None = None
) -> tuple[Manifest, Path | None]:
    """Put a backup into a data directory that no console uses.

    All of it is unpacked beside and checked before anything is replaced. With `force` what was
    there before is moved into a directory of its own, which is returned. Raises NotPossible with
    a sentence, and then nothing was changed. One that is killed meanwhile is undone by whoever
    uses the directory next (`settle`).
    """
    make_private(data_dir)
    with occupied(data_dir, alone=True):
        try:
            _undo(data_dir)
            if _is_open(data_dir / HISTORY):
                raise NotPossible(
                    f"A program uses the history in {data_dir}.",
                    hint="Stop the console, and any celeryscope command that works on it.",
                )
            there = [name for name in _ASIDE if (data_dir / name).exists()]
            if there and not force:
                raise NotPossible(
                    f"There is something in {data_dir} already: {', '.join(there)}.",
                    hint="With --force it is moved aside, into a directory of its own.",
                )
            try:
                (data_dir / _RESTORING).mkdir(mode=0o700)
                unpacked = data_dir / _RESTORING / "new"
                unpacked.mkdir(mode=0o700)
                manifest = _unpack(file, unpacked, progress)
                if manifest.layout is not None:
                    _check_history(unpacked / HISTORY)
                return manifest, _exchange(data_dir, there)
            finally:
                _undo(data_dir)
        except OSError as error:
            raise NotPossible(
                f"{file} cannot be restored into {data_dir}: {error.strerror or error}."
            ) from error


def settle(data_dir: Path) -> bool:
    """Undo a restore that was killed, before a data directory is used; says whether there was one.

    Raises NotPossible where that cannot be, or while one goes on.
    """
    if not (data_dir / _RESTORING).exists():
        return False
    was_changed = is_unsettled(data_dir)
    try:
        with occupied(data_dir, alone=True):
            _undo(data_dir)
    except NotPossible as error:
        if not was_changed:  # it is in use: what was left there harms nobody
            return False
        raise NotPossible(
            f"A backup is being restored into {data_dir}.", hint="Try again when that is done."
        ) from error
    except OSError as error:
        raise NotPossible(
            f"A backup was being restored into {data_dir}, and that was stopped in the middle. What "
            f"was there before cannot be put back: {error.strerror or error}.",
            hint="See that the directory can be written, and try again.",
        ) from error
    return was_changed


def is_unsettled(data_dir: Path) -> bool:
    """Say whether a restore goes on, or was killed in the middle."""
    return (data_dir / _RESTORING / _JOURNAL).exists()


def _undo(data_dir: Path) -> None:
    """Put things back as they were before a restore that did not come to its end."""
    restoring = data_dir / _RESTORING
    with contextlib.suppress(FileNotFoundError):
        journal = msgspec.json.decode((restoring / _JOURNAL).read_bytes(), type=_Journal)
        for name in journal.new:
            if not (restoring / "new" / name).exists() and (data_dir / name).exists():
                (data_dir / name).rename(restoring / "new" / name)
        if journal.aside is not None:
            aside = data_dir / journal.aside
            for name in journal.there:
                if not (aside / name).exists():
                    continue
                if (data_dir / name).exists():  # somebody made it since
                    (data_dir / name).rename(aside / f"{name}.since")
                (aside / name).rename(data_dir / name)
            with contextlib.suppress(OSError):  # it is not empty then, or was not made
                aside.rmdir()
        _sync(data_dir)
        (restoring / _JOURNAL).unlink()
    if restoring.exists():
        shutil.rmtree(restoring)


def _unpack(file: Path, directory: Path, progress: Progress | None) -> Manifest:
    found: dict[str, Member] = {}
    manifest: Manifest | None = None
    try:
        with file.open("rb") as raw:
            size = os.fstat(raw.fileno()).st_size
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for info in tar:
                    if manifest is not None or not info.isreg() or info.name in found:
                        raise _refused(file, f"{info.name[:200]!r} should not be in it")
                    content = tar.extractfile(info)
                    assert content is not None
                    if info.name == MANIFEST and info.size <= _MOST_MANIFEST_BYTES:
                        manifest = msgspec.json.decode(content.read(), type=Manifest)
                    elif _MEMBER.fullmatch(info.name):
                        found[info.name] = _extract(content, directory / info.name, info)
                    else:
                        raise _refused(file, f"{info.name[:200]!r} should not be in it")
                    if progress is not None:
                        progress(raw.tell(), size)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, msgspec.DecodeError,
            UnicodeError) as error:  # fmt: skip
        raise _refused(file, f"it is damaged or cut off ({error})") from error
    if manifest is None:
        raise _refused(file, "it is cut off: its manifest, which comes last, is not there")
    if manifest.format > VERSION:
        raise NotPossible(
            f"{file} was made by a newer Celeryscope ({manifest.celeryscope}).",
            hint="Restore it with that one.",
        )
    for member in manifest.members:
        if found.pop(member.name, None) != member:
            raise _refused(file, f"{member.name[:200]!r} is not what its manifest says")
    if found:
        raise _refused(file, f"{min(found)!r} is not in its manifest")
    if manifest.layout is not None and manifest.layout > len(migrations()):
        raise NotPossible(
            f"The history in {file} was written by a newer Celeryscope (layout {manifest.layout}; "
            f"this one knows {len(migrations())}).",
            hint=f"Restore it with Celeryscope {manifest.celeryscope}.",
        )
    return manifest


def _extract(content: object, path: Path, info: tarfile.TarInfo) -> Member:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if info.size > shutil.disk_usage(path.parent).free:
        raise OSError(28, f"there is no room for {info.name}")
    reader = _Hashing(content)  # type: ignore[arg-type]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        while piece := reader.read(_PIECE):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return Member(info.name, info.size, reader.hash.hexdigest())


def _check_history(path: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            (said,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            (layout,) = db.execute("SELECT version FROM schema_version").fetchone()
    except sqlite3.Error as error:
        raise NotPossible(f"The history in the backup is damaged: {error}.") from error
    if said != "ok":
        raise NotPossible(f"The history in the backup is damaged: {said}.")
    if layout > len(migrations()):
        raise NotPossible(
            f"The history in the backup was written by a newer Celeryscope (layout {layout}; this "
            f"one knows {len(migrations())}).",
            hint="Restore it with that one.",
        )


def _exchange(data_dir: Path, there: list[str]) -> Path | None:
    """Put what was unpacked in the place of what is there; gives where that is then."""
    restoring = data_dir / _RESTORING
    new = sorted(path.name for path in (restoring / "new").iterdir())
    aside = _unused(data_dir) if there else None
    journal = _Journal(None if aside is None else aside.name, there, new)
    _sync(restoring / "new")
    with (restoring / f"{_JOURNAL}.new").open("wb") as file:
        file.write(msgspec.json.encode(journal))
        file.flush()
        os.fsync(file.fileno())
    (restoring / f"{_JOURNAL}.new").rename(restoring / _JOURNAL)
    _sync(restoring)
    _sync(data_dir)
    if aside is not None:
        aside.mkdir(mode=0o700)
        for name in there:
            _move(data_dir / name, aside / name)
    for name in new:
        _move(restoring / "new" / name, data_dir / name)
    if aside is not None:
        _sync(aside)
    _sync(data_dir)
    (restoring / _JOURNAL).unlink()  # from here on it is done
    _sync(restoring)
    return aside


def _unused(data_dir: Path) -> Path:
    """Give a name for what is put aside."""
    name = time.strftime("before-restore-%Y%m%dT%H%M%SZ", time.gmtime())
    aside = data_dir / name
    for number in count(2):
        if not aside.exists():
            break
        aside = data_dir / f"{name}-{number}"
    return aside


def _move(source: Path, target: Path) -> None:
    source.rename(target)


def _is_open(path: Path) -> bool:
    """Say whether another process has this SQLite file open in WAL mode.

    Each such connection holds a shared lock on the bytes that SQLite's own page calls SHARED.
    """
    first, size = 0x40000000 + 2, 510
    try:
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, size, first)
            fcntl.lockf(file, fcntl.LOCK_UN, size, first)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        return True
    return False


def _refused(file: Path, why: str) -> NotPossible:
    return NotPossible(
        f"{file} is no backup that can be restored: {why}.", hint="Nothing was changed."
    )


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
