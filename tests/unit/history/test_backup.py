"""Backups: what is in one, and what is refused."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from celeryscope.audit.entry import CONSOLE
from celeryscope.audit.trail import Trail
from celeryscope.audit.verify import verify
from celeryscope.errors import NotPossible
from celeryscope.history import backup
from celeryscope.history.backup import back_up, restore, settle
from celeryscope.history.reader import Reader
from celeryscope.places import occupied
from tests.unit.history import lives
from tests.unit.history.test_store import dump


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as a console leaves it, and a backup of it."""
    path = tmp_path_factory.mktemp("backup")
    directory = path / "data"
    directory.mkdir(mode=0o700)
    history = lives.opened(directory / "history.db")
    history.write(lives.changes(lives.stream(1, 300)))
    history.close()
    trail = Trail(directory / "audit", segment_bytes=600)
    for number in range(5):
        trail.write(kind="console", by=CONSOLE, what=f"started {number}", outcome="done")
    (directory / "users.json").write_text('{"users": []}')
    (directory / "sessions.json").write_text("{}")
    (directory / "secret").write_text("x")
    back_up(directory, path / "backup.tgz", version="1.2.3")
    return path


@pytest.fixture
def data_dir(one: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(one / "data", tmp_path / "data"))


@pytest.fixture
def file(one: Path, tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return Path(shutil.copy(one / "backup.tgz", tmp_path / "out"))


def members(path: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def test_all_that_outlives_a_restart_comes_back(data_dir: Path, file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    manifest, aside = restore(file, new)
    assert (manifest.celeryscope, aside) == ("1.2.3", None)
    assert dump(new / "history.db") == dump(data_dir / "history.db")
    assert (new / "users.json").read_text() == '{"users": []}'
    verdict = verify(new / "audit")
    assert verdict.good
    assert verdict == verify(data_dir / "audit")
    # Nobody is logged in by an old backup.
    assert not (new / "sessions.json").exists()
    assert not (new / "secret").exists()
    lives.opened(new / "history.db").close()


@pytest.mark.parametrize("name", ["b.tar", "b.tgz", "b.tar.gz"])
def test_it_is_for_its_owner_and_leaves_nothing_else(
    data_dir: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    back_up(data_dir, out / name, version="1")
    assert [path.name for path in out.iterdir()] == [name]
    assert stat.S_IMODE((out / name).stat().st_mode) == 0o600
    assert (out / name).read_bytes().startswith(b"\x1f\x8b") == name.endswith("gz")


def test_a_backup_that_fails_leaves_the_one_before(
    data_dir: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backup, "copy_history", full)
    with pytest.raises(NotPossible, match="disk is full"):
        back_up(data_dir, file, version="1")
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_damaged_history_is_not_backed_up_as_if_it_were_good(data_dir: Path, file: Path) -> None:
    before = file.read_bytes()
    history = data_dir / "history.db"
    data = bytearray(history.read_bytes())
    data[8 * 4096 : 40 * 4096] = bytes(32 * 4096)
    history.write_bytes(data)
    with pytest.raises(NotPossible, match=r"damaged|malformed"):
        back_up(data_dir, file, version="1")
    assert file.read_bytes() == before


def test_one_backup_at_a_time_goes_into_a_file(data_dir: Path, file: Path) -> None:
    with (file.parent / f".{file.name}.celeryscope-part").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(NotPossible, match="Another backup"):
            back_up(data_dir, file, version="1")


def test_what_killed_backups_left_is_taken_away_by_the_next(data_dir: Path, file: Path) -> None:
    for end in ("", ".db", ".db-wal", ".db-shm"):
        (file.parent / f".yesterday.tgz.celeryscope-part{end}").write_text("half of it")
    (file.parent / ".others.part").write_text("")
    back_up(data_dir, file, version="1")
    assert sorted(path.name for path in file.parent.iterdir()) == [".others.part", file.name]


def test_what_is_there_is_kept_unless_forced_and_then_put_aside(data_dir: Path, file: Path) -> None:
    (data_dir / "users.json").write_text("newer")
    with pytest.raises(NotPossible, match=r"already: history\.db, users\.json, sessions\.json"):
        restore(file, data_dir)
    assert (data_dir / "users.json").read_text() == "newer"
    _, aside = restore(file, data_dir, force=True)
    assert aside is not None
    assert (aside / "users.json").read_text() == "newer"
    assert (aside / "history.db").exists()
    assert (aside / "sessions.json").exists()
    assert (data_dir / "users.json").read_text() == '{"users": []}'
    assert (data_dir / "secret").exists()


def test_nothing_is_restored_under_a_console(data_dir: Path, file: Path) -> None:
    with occupied(data_dir), pytest.raises(NotPossible, match="in use by another"):
        restore(file, data_dir, force=True)
    # Whatever else has the history open is seen by SQLite's own lock.
    opens = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM word')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{opens}.fetchall(); print('open', flush=True); sys.stdin.read()",
         str(data_dir / "history.db")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(NotPossible, match="A program uses the history"):
            restore(file, data_dir, force=True)
        process.communicate()
    restore(file, data_dir, force=True)


def made(path: Path, parts: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, data in parts:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data))
    return path


def evil(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[list[Any]], None]:
    def change(parts: list[Any]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        parts.insert(0, (info, b"owned"))

    return change


def without_manifest(parts: list[Any]) -> None:
    del parts[-1]


def without_history(parts: list[Any]) -> None:
    parts[:] = [part for part in parts if part[0].name != "history.db"]


def of_another_size(parts: list[Any]) -> None:
    for number, (info, data) in enumerate(parts):
        if info.name == "users.json":
            parts[number] = (info, data + b" ")


def with_damaged_history(parts: list[Any]) -> None:
    """Damaged before it was backed up: the checksums are right."""
    for number, (info, data) in enumerate(parts):
        if info.name == "history.db":
            parts[number] = (info, data[:8192] + b"\0" * 4096 * 8 + data[8192 + 4096 * 8 :])
    manifest(parts)


def manifest(parts: list[Any], **changes: Any) -> None:
    found = msgspec.json.decode(parts[-1][1], type=backup.Manifest)
    told = [
        backup.Member(info.name, len(data), hashlib.sha256(data).hexdigest())
        for info, data in parts[:-1]
    ]
    changed = msgspec.structs.replace(found, members=told, **changes)
    parts[-1] = (parts[-1][0], msgspec.json.encode(changed))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (evil("../owned"), "should not be in it"),
        (evil("/tmp/owned"), "should not be in it"),
        (evil("audit/../../owned"), "should not be in it"),
        (evil("owned"), "should not be in it"),
        (evil("users.json", tarfile.SYMTYPE, "/etc/passwd"), "should not be in it"),
        (evil("users.json", tarfile.LNKTYPE, "../owned"), "should not be in it"),
        (evil("audit", tarfile.DIRTYPE), "should not be in it"),
        (evil("users.json", tarfile.CHRTYPE), "should not be in it"),
        (evil("tokens.json"), "not in its manifest"),
        (without_manifest, "its manifest"),
        (without_history, r"history\.db' is not what its manifest says"),
        (of_another_size, r"users\.json' is not what its manifest says"),
        (with_damaged_history, "damaged"),
        (lambda parts: manifest(parts, layout=99), "newer Celeryscope"),
        (lambda parts: manifest(parts, format=2), "newer Celeryscope"),
    ],
)
def test_what_is_no_backup_of_ours_is_refused_and_changes_nothing(
    file: Path, tmp_path: Path, change: Callable[[list[Any]], None], why: str
) -> None:
    parts = members(file)
    change(parts)
    new = tmp_path / "new"
    new.mkdir()
    (new / "users.json").write_text("before")
    with pytest.raises(NotPossible, match=why):
        restore(made(tmp_path / "evil.tar", parts), new, force=True)
    assert sorted(path.name for path in new.iterdir()) == ["in-use.lock", "users.json"]
    assert (new / "users.json").read_text() == "before"
    assert not list(tmp_path.rglob("owned"))


def cuts(data: bytes) -> Iterator[bytes]:
    for share in (0.0, 0.1, 0.5, 0.95, 0.999):
        yield data[: int(len(data) * share)]


def test_one_that_was_cut_off_or_changed_is_refused(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    plain = gzip.decompress(data)
    flipped = bytearray(plain)
    flipped[len(plain) // 2] ^= 1
    half = plain[: plain.rindex(b"manifest.json")]
    for bad in (*cuts(data), bytes(flipped), half, b"x" * 2_000):
        (tmp_path / "bad").write_bytes(bad)
        with pytest.raises(NotPossible):
            restore(tmp_path / "bad", tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["in-use.lock"]


def contents(directory: Path) -> dict[str, object]:
    return {
        str(path.relative_to(directory)): path.is_dir() or path.read_bytes()
        for path in directory.rglob("*")
        if path.name != "in-use.lock"
    }


def test_what_was_moved_is_moved_back_when_it_fails(
    data_dir: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(data_dir)
    move = backup._move

    def fails(source: Path, target: Path) -> None:
        if source.name == "users.json" and ".restoring" in source.parts:
            raise OSError(5, "Input/output error")
        move(source, target)

    monkeypatch.setattr(backup, "_move", fails)
    with pytest.raises(NotPossible, match="Input/output error"):
        restore(file, data_dir, force=True)
    assert contents(data_dir) == before


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


def killed_restore(nth: int, file: Path, data_dir: Path) -> bool:
    """Restore, and die before the nth thing that is done on the disk; False: it came to its end."""
    left = iter(range(nth))

    def counted(do: Callable[..., None]) -> Callable[..., None]:
        def step(*paths: Path) -> None:
            if next(left, None) is None:
                patch.setattr(backup, "_undo", lambda _: None)
                raise Killed
            do(*paths)

        return step

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_move", "_sync"):
            patch.setattr(backup, name, counted(getattr(backup, name)))
        try:
            restore(file, data_dir, force=True)
        except Killed:
            return True
    return False


def test_a_restore_that_was_killed_is_undone_and_can_be_made_again(
    data_dir: Path, file: Path, tmp_path: Path
) -> None:
    (data_dir / "users.json").write_text("newer")
    (data_dir / "history.db-wal").write_bytes(b"")
    before = contents(data_dir)
    for nth in count():
        was_killed = killed_restore(nth, file, data_dir)
        is_changed = backup.is_unsettled(data_dir)
        if not was_killed or (nth and not is_changed):
            break
        if is_changed:
            with pytest.raises(NotPossible, match="stopped in the middle"):
                Reader(data_dir / "history.db")
        if nth % 2:
            assert settle(data_dir) == is_changed
            assert contents(data_dir) == before
    assert nth > 12
    assert not settle(data_dir)
    (aside,) = data_dir.glob("before-restore-*")
    assert contents(aside).items() <= before.items()
    assert (data_dir / "users.json").read_text() == '{"users": []}'
    # Where there was nothing before, it need not be forced the second time either.
    new = tmp_path / "new"
    assert killed_restore(6, file, new)
    assert (new / "history.db").exists()
    restore(file, new)
    assert contents(new).keys() == contents(data_dir).keys() - {
        *(f"{aside.name}{end}" for end in ("", *(f"/{name}" for name in contents(aside)))),
        "secret",
    }


def test_what_somebody_made_after_a_killed_restore_is_kept(data_dir: Path, file: Path) -> None:
    assert killed_restore(8, file, data_dir)  # users.json is not back yet
    assert not (data_dir / "users.json").exists()
    (data_dir / "users.json").write_text("since")
    settle(data_dir)
    assert (data_dir / "users.json").read_text() == '{"users": []}'
    (aside,) = data_dir.glob("before-restore-*")
    assert [path.read_text() for path in aside.iterdir()] == ["since"]
