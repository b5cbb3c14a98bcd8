"""A JSON file that several processes read and change."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from celeryscope.errors import ConfigError, NotPossible, Unavailable
from celeryscope.web.auth import store as module
from celeryscope.web.auth.store import Later, Store, _private_group


class Value(Struct, forbid_unknown_fields=True):
    counts: dict[str, int] = {}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "counts.json"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _no_group_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_private_group", lambda _user, _group: None)


def store(path: Path | None, clock: Clock | None = None, **kwargs: Any) -> Store[Value]:
    return Store(path, Value, what="counts", clock=clock or Clock(), **kwargs)


def put(key: str, count: int) -> Any:
    def edit(value: Value) -> None:
        value.counts[key] = count

    return edit


def test_no_file_is_an_empty_value(path: Path) -> None:
    kept = store(path)
    assert kept.read() == Value()
    assert kept.trouble is None


def test_a_change_makes_directory_and_file_for_us_alone(path: Path) -> None:
    store(path).change(put("a", 1))
    assert store(path).read() == Value({"a": 1})
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()} == {
        "counts.json": 0o600,
        "counts.json.lock": 0o600,
    }


def test_without_a_path_it_is_kept_in_memory(tmp_path: Path) -> None:
    kept = store(None)
    kept.change(put("a", 1))
    assert kept.read() == Value({"a": 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["file", "memory"])
def test_an_edit_that_raises_changes_nothing(path: Path, where: str) -> None:
    kept = store(path if where == "file" else None)
    kept.change(put("a", 1))

    def edit(value: Value) -> None:
        value.counts["b"] = 2
        raise NotPossible("no")

    with pytest.raises(NotPossible):
        kept.change(edit)
    assert kept.read() == Value({"a": 1})


def test_a_reader_looks_at_most_once_a_second(path: Path, clock: Clock) -> None:
    kept = store(path, clock)
    store(path).change(put("a", 1))
    assert kept.read() == Value()
    clock.now += 1
    assert kept.read() == Value({"a": 1})
    # Nothing new: it is not read again.
    generation = kept.generation
    clock.now += 10
    kept.read()
    assert kept.generation == generation


def test_a_change_starts_from_what_others_wrote(path: Path, clock: Clock) -> None:
    one, other = store(path, clock), store(path, clock)
    one.change(put("a", 1))
    other.change(put("b", 2))
    one.change(put("c", 3))
    assert store(path).read() == Value({"a": 1, "b": 2, "c": 3})


@pytest.mark.parametrize(
    "body",
    [
        b'{"counts": {"a":',
        b'{"counts": {"a": "many"}}',
        b'{"count": {}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
    ],
)
def test_a_broken_file_is_a_trouble_and_never_overwritten(path: Path, body: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(body)
    kept = store(path)
    assert kept.read() == Value()
    assert kept.trouble is not None
    assert str(path) in kept.trouble
    with pytest.raises(Unavailable, match="not what it should be"):
        kept.change(put("a", 1))
    assert path.read_bytes() == body


def test_an_empty_file_is_an_empty_value(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    kept = store(path)
    assert kept.trouble is None
    kept.change(put("a", 1))
    assert store(path).read() == Value({"a": 1})


def test_what_is_wrong_though_well_formed_is_a_trouble(path: Path) -> None:
    def check(value: Value) -> None:
        if any(count < 0 for count in value.counts.values()):
            raise ValueError("a count is below nothing")

    path.parent.mkdir(mode=0o700)
    path.write_text('{"counts": {"a": -1}}')
    kept = store(path, check=check)
    assert kept.read() == Value()
    assert "a count is below nothing" in (kept.trouble or "")


def test_a_file_that_breaks_gives_nothing_until_it_is_mended(path: Path, clock: Clock) -> None:
    kept = store(path, clock)
    kept.change(put("a", 1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    clock.now += 1
    assert kept.read() == Value()
    assert kept.trouble is not None
    path.write_bytes(whole)
    clock.now += 1
    assert kept.read() == Value({"a": 1})
    assert kept.trouble is None


def test_a_file_that_is_not_precious_is_put_aside(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("{")
    kept = store(path, precious=False)
    assert kept.trouble is not None
    kept.change(put("a", 1))
    assert kept.trouble is None
    assert kept.read() == Value({"a": 1})
    assert path.with_name("counts.json.broken").read_text() == "{"


def test_a_directory_in_the_files_place_is_a_trouble(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)
    assert store(path).trouble is not None


def test_a_fifo_in_the_files_place_does_not_hang_us(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)
    assert "no file" in (store(path).trouble or "")


def test_a_file_that_is_too_large_is_not_read(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b" " * 101)
    assert "larger than 100 bytes" in (store(path, most_bytes=100).trouble or "")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(path: Path, mode: int) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("{}")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod go-w"):
        store(path)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_directory_that_others_may_write_is_refused(path: Path, mode: int) -> None:
    path.parent.mkdir()
    path.parent.chmod(mode)
    with pytest.raises(ConfigError, match="chmod go-w"):
        store(path)


def test_so_is_the_directory_behind_a_link(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "counts.json").write_text("{}")
    elsewhere.chmod(0o777)
    path.parent.mkdir(mode=0o700)
    path.symlink_to(elsewhere / "counts.json")
    with pytest.raises(ConfigError, match="elsewhere"):
        store(path)


def test_a_directory_like_tmp_is_good_for_a_file_that_is_there(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o1777)
    with pytest.raises(ConfigError):
        store(path)
    path.write_text('{"counts": {"a": 1}}')
    path.chmod(0o600)
    assert store(path).read() == Value({"a": 1})


def test_a_group_may_write_what_we_only_have_by_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o2770)
    path.write_text("{}")
    path.chmod(0o660)
    with pytest.raises(ConfigError):
        store(path)
    # As in a pod: the volume is root's, and ours by its group.
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [path.stat().st_gid])
    assert store(path).trouble is None
    path.chmod(0o666)
    with pytest.raises(ConfigError):
        store(path)


def test_a_group_of_our_own_may_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o2770)
    path.write_text("{}")
    path.chmod(0o660)
    group = path.stat().st_gid
    monkeypatch.setattr(module, "_private_group", lambda _user, _group: group)
    assert store(path).trouble is None
    monkeypatch.setattr(module, "_private_group", lambda _user, _group: group + 1)
    with pytest.raises(ConfigError):
        store(path)


@pytest.mark.parametrize(
    ("user", "group", "members", "people", "own"),
    [
        (1000, 1000, [], [("ada", 1000, 1000)], True),
        (1000, 1000, ["ada"], [("ada", 1000, 1000)], True),
        (10001, 10001, None, [], True),
        (1000, 1000, ["bob"], [("ada", 1000, 1000)], False),
        (1000, 1000, [], [("ada", 1000, 1000), ("bob", 1001, 1000)], False),
        (1000, 100, [], [("ada", 1000, 100)], False),
        (0, 0, [], [("root", 0, 0)], False),
    ],
)
def test_which_group_is_our_own(
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    group: int,
    members: list[str] | None,
    people: list[tuple[str, int, int]],
    own: bool,
) -> None:
    def by_number(number: int) -> grp.struct_group:
        if members is None:
            raise KeyError(number)
        return grp.struct_group(("group", "x", number, members))

    entries = [pwd.struct_passwd((n, "x", u, g, "", "/", "/bin/sh")) for n, u, g in people]
    monkeypatch.setattr(grp, "getgrgid", by_number)
    monkeypatch.setattr(pwd, "getpwall", lambda: entries)
    assert _private_group.__wrapped__(user, group) == (group if own else None)


def test_a_file_that_others_may_write_later_is_not_believed(path: Path, clock: Clock) -> None:
    kept = store(path, clock)
    kept.change(put("a", 1))
    path.write_text('{"counts": {"a": 2}}')
    path.chmod(0o666)
    clock.now += 1
    assert kept.read() == Value()
    assert "Others may write" in (kept.trouble or "")


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    path.parent.mkdir(mode=0o700)
    path.symlink_to(elsewhere / "real.json")
    store(path).change(put("a", 1))
    assert path.is_symlink()
    assert store(elsewhere / "real.json").read() == Value({"a": 1})


def test_what_cannot_be_written_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store(path)
    kept.change(put("a", 1))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left on device") as refused:
        kept.change(put("a", 2))
    assert refused.value.hint
    assert store(path).read() == Value({"a": 1})
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "counts.json",
        "counts.json.lock",
    ]


def test_a_lock_that_another_holds_for_long_is_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.0)
    kept = store(path)
    kept.change(put("a", 1))
    with path.with_name("counts.json.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="Another program"):
            kept.change(put("a", 2))
        # Who only reads does not wait.
        assert kept.read() == Value({"a": 1})
    kept.change(put("a", 3))


def test_a_writer_that_was_killed_leaves_nothing_in_the_way(path: Path) -> None:
    kept = store(path)
    kept.change(put("a", 1))
    path.with_name(".counts.json.new").write_text("{half")
    kept.change(put("a", 2))
    assert store(path).read() == Value({"a": 2})


def test_what_root_writes_belongs_to_whom_it_belonged(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    path.parent.mkdir(mode=0o700)
    os.chown(path.parent, 12_345, 12_346)
    store(path).change(put("a", 1))
    owners = {(entry.stat().st_uid, entry.stat().st_gid) for entry in path.parent.iterdir()}
    assert owners == {(12_345, 12_346)}


_ADDS = """
import sys
from pathlib import Path
from msgspec import Struct
from celeryscope.web.auth.store import Store

class Value(Struct):
    counts: dict[str, int] = {}

kept = Store(Path(sys.argv[1]), Value, what="counts")
for n in range(25):
    def edit(value):
        value.counts[f"{sys.argv[2]} {n}"] = n
        value.counts["all"] = value.counts.get("all", 0) + 1
    kept.change(edit)
"""


def test_several_processes_and_threads_lose_nothing(path: Path) -> None:
    store(path).change(put("all", 0))
    others = [
        subprocess.Popen([sys.executable, "-c", _ADDS, str(path), name]) for name in ("one", "two")
    ]
    kept = Store(path, Value, what="counts")
    seen: list[Value] = []

    def add(value: Value) -> None:
        value.counts["all"] += 1

    def work() -> None:
        for _ in range(10):
            kept.change(add)
            seen.append(store(path).read())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(timeout=50) for other in others] == [0, 0]
    final = store(path).read()
    assert final.counts["all"] == 70
    assert len(final.counts) == 51
    # Nobody ever found half a file, or none.
    assert all("all" in value.counts for value in seen)


def test_work_for_later_is_done_once_however_often_it_was_asked() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    times: list[int] = []

    def work() -> None:
        times.append(1)
        begun.set()
        assert go_on.wait(10)
        if len(times) == 2:
            done.set()

    later = Later(work, name="a test")
    later.ask()
    assert begun.wait(10)
    for _ in range(5):  # while it runs: once more
        later.ask()
    go_on.set()
    assert done.wait(10)
    assert len(times) == 2


def test_work_for_later_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        raise Unavailable("The disk is full.")

    Later(work, name="a test").ask()
    for thread in threading.enumerate():
        if thread.name == "a test":
            thread.join()
    assert "The disk is full." in caplog.text
