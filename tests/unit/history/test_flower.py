"""A file of Flower's --persistent, read without running it."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import ctypes.util
import dbm.dumb
import functools
import os
import pickle
import shelve
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.errors import NotPossible
from celeryscope.history import flower, transfer
from tests.unit.history import lives

T = 1_795_000_000.0

#: Flower itself writes a file, in a process of its own.
WRITE = """
import shelve, sys
from flower.events import EventsState
state = EventsState(max_tasks_in_memory=1000, max_workers_in_memory=10)
clock = 0
def event(kind, uuid, at, hostname="celery@a", **fields):
    global clock
    clock += 1
    state.event({"type": kind, "uuid": uuid, "hostname": hostname, "timestamp": at,
                 "local_received": at, "clock": clock, "utcoffset": 0, "pid": 3, **fields})
T = 1_795_000_000.0
event("worker-online", None, T, freq=2, sw_ident="py-celery", sw_ver="5.6", sw_sys="Linux")
about = dict(name="shop.pay", args="(1, 'tea')", kwargs="{}", root_id="id-0", eta=None,
             expires=None)
for i in range(8):
    uuid = f"id-{i}"
    parent = {"parent_id": "id-0"} if i else {"parent_id": None}
    event("task-sent", uuid, T + i, "gen1@app", queue="q", exchange="", routing_key="q",
          retries=0, **about, **parent)
    if i == 7:
        break
    event("task-received", uuid, T + i + 0.25, retries=0, **about, **parent)
    event("task-started", uuid, T + i + 0.5)
    if i == 1:
        event("task-failed", uuid, T + i + 0.75, exception="Timeout('x')", traceback="File 1")
    elif i == 2:
        event("task-retried", uuid, T + i + 0.75, exception="Retry()", traceback="File 2")
    elif i == 3:
        event("task-revoked", uuid, T + i + 0.75, terminated=True, expired=False, signum=15)
    elif i == 4:
        event("task-rejected", uuid, T + i + 0.75)
    elif i == 5:
        event("task-progress", uuid, T + i + 0.75)
    elif i < 7:
        event("task-succeeded", uuid, T + i + 0.75, result="'ok'", runtime=0.25)
with shelve.open(sys.argv[1], flag="n") as shelf:
    shelf["events"] = state
    shelf["counter"] = dict(state.counter)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flower") / "flower.db"
    subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True, timeout=50)
    return path


@pytest.fixture(scope="module")
def value(written: Path) -> bytes:
    """The pickle that Flower wrote."""
    found = flower._value(written)
    assert found is not None
    return found


def test_a_file_that_flower_wrote_is_read(written: Path, tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    lines = [transfer.line_of_events(found.uuid, found.events) for found in flower.read(written)]
    assert transfer.take_in(history, lines, bad=print) == (8, 8, 0, 0)
    assert transfer.take_in(history, lines, bad=print).changed == 0
    tasks = {i: history.task(f"id-{i}") for i in range(8)}
    history.close()
    states = {i: task and task.state for i, task in tasks.items()}
    assert states == {0: "SUCCESS", 1: "FAILURE", 2: "RETRY", 3: "REVOKED", 4: "REJECTED",
                      5: "PROGRESS", 6: "SUCCESS", 7: "PENDING"}  # fmt: skip
    paid, failed, revoked = tasks[0], tasks[1], tasks[3]
    assert paid is not None
    assert failed is not None
    assert revoked is not None
    assert (paid.name, paid.args, paid.worker, paid.client) == (
        "shop.pay", "(1, 'tea')", "celery@a", "gen1@app"
    )  # fmt: skip
    assert (paid.sent, paid.received, paid.started) == (T, T + 0.25, T + 0.5)
    assert (paid.result, paid.runtime, paid.succeeded) == ("'ok'", 0.25, T + 0.75)
    assert (failed.exception, failed.traceback, failed.parent_id) == (
        "Timeout('x')", "File 1", "id-0"
    )  # fmt: skip
    assert (revoked.revoked, revoked.root_id) == (T + 3.75, "id-0")


# ---------------------------------------------------------------------- dbm


def as_sqlite(path: Path, value: bytes) -> None:
    """As dbm.sqlite3 of Python 3.13 does."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE Dict (key BLOB UNIQUE NOT NULL, value BLOB NOT NULL)")
    db.executemany("INSERT INTO Dict VALUES (?, ?)", [(b"counter", b"x"), (b"events", value)])
    db.commit()
    db.close()


def as_gdbm(path: Path, value: bytes) -> None:
    name = ctypes.util.find_library("gdbm")
    if name is None:
        if os.environ.get("CI"):
            pytest.fail("libgdbm is not there: apt-get install libgdbm6")
        pytest.skip("libgdbm is not there")
    gdbm = ctypes.CDLL(name)

    class Datum(ctypes.Structure):
        _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_int))

    gdbm.gdbm_open.restype = ctypes.c_void_p
    gdbm.gdbm_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                               ctypes.c_void_p]  # fmt: skip
    gdbm.gdbm_store.argtypes = [ctypes.c_void_p, Datum, Datum, ctypes.c_int]
    gdbm.gdbm_close.argtypes = [ctypes.c_void_p]
    db = gdbm.gdbm_open(str(path).encode(), 0, 3, 0o600, None)
    entries = [(f"other-{i}".encode(), b"x" * 100) for i in range(500)]
    for key, data in [*entries, (b"events", value)]:
        assert gdbm.gdbm_store(db, Datum(key, len(key)), Datum(data, len(data)), 1) == 0
    gdbm.gdbm_close(db)


def as_dumb(path: Path, value: bytes) -> None:
    with contextlib.closing(dbm.dumb.open(str(path), "n")) as shelf:
        shelf[b"events"] = value


@pytest.mark.parametrize("make", [as_sqlite, as_gdbm, as_dumb])
def test_each_kind_of_file_is_read_by_whatever_python(
    make: Callable[[Path, bytes], None], value: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "flower"
    make(path, value)
    assert flower.is_flower(path)
    assert len(list(flower.read(path))) == 8
    if make is as_gdbm:
        for size in (16, 30, 5_000, path.stat().st_size - 20_000):
            path.write_bytes(path.read_bytes()[:size])
            with pytest.raises(NotPossible):
                list(flower.read(path))


@pytest.mark.parametrize(
    "said",
    ["'events', (0, 1", "'events', 5", "'events', (0, 9" + "9" * 30 + ")", "'events', ('a', 'b')",
     "['events'], (0, 1)", "(\0", "(" * 5_000, "-" * 100_000, "'events', (-5, -1)"],
    ids=range(9),
)  # fmt: skip
def test_a_directory_that_is_damaged_is_told(said: str, tmp_path: Path) -> None:
    (tmp_path / "flower.dat").write_bytes(b"aaaa")
    (tmp_path / "flower.dir").write_text(said + "\n")
    with pytest.raises(NotPossible, match="cannot be read"):
        list(flower.read(tmp_path / "flower"))


def test_a_berkeley_db_is_told_where_it_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "flower"
    path.write_bytes(b"\0" * 12 + struct.pack("<I", 0x00061561) + b"\0" * 500)
    assert flower.is_flower(path)
    with pytest.raises(NotPossible, match=r"Berkeley DB|cannot be read"):
        list(flower.read(path))


# ---------------------------------------------------------------------- what is refused


class Calls:
    def __init__(self, call: Any, *given: Any) -> None:
        self.call, self.given = call, given

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.given


def opcodes(*parts: bytes) -> bytes:
    return pickle.PROTO + b"\x04" + b"".join(parts) + pickle.STOP


STATE = b"ccelery.events.state\nState\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pickle.dumps(Calls(os.system, "touch owned")), r"names (posix|nt)\.system"),
        (pickle.dumps(Calls(eval, "open('owned', 'w')")), r"names builtins\.eval"),
        (pickle.dumps(Calls(functools.partial, print)), r"names functools\.partial"),
        (pickle.dumps(Calls(getattr, "x", "y"), protocol=0), "getattr"),
        (pickle.dumps({"events": Calls(collections.deque, [1])}), r"collections\.deque"),
        (b"cos\nsystem\n(S'touch owned'\ntR.", r"os\.system"),
        (b"(S'touch owned'\nios\nsystem\n.", "opcode"),
        (b"(cos\nsystem\nS'touch owned'\no.", r"os\.system|opcode"),
        (opcodes(STATE, b"(", b"o"), "opcode"),
        (opcodes(pickle.EXT1, b"\x01"), "opcode"),
        (opcodes(pickle.EXT2, b"\x01\0"), "opcode"),
        (opcodes(pickle.EXT4, b"\x01\0\0\0"), "opcode"),
        (opcodes(b"Vx\n", pickle.BINPERSID), "opcode"),
        (opcodes(b"Pposix\n"), "opcode"),
        (opcodes(pickle.BYTEARRAY8, struct.pack("<Q", 2**62)), "opcode"),
        (opcodes(pickle.NEXT_BUFFER), "opcode"),
        (opcodes(b"\x8c\x02os\x8c\x06system", pickle.STACK_GLOBAL), r"os\.system"),
        (opcodes(b"\x8c\x08builtins\x8c\x04eval", pickle.STACK_GLOBAL), r"builtins\.eval"),
        # What it names is good, and what it does with it is not.
        (opcodes(b"Vx\n", b")", pickle.REDUCE), "calls"),
        (opcodes(STATE, b")R", b")", pickle.REDUCE), "calls"),
        (opcodes(STATE, b"Vx\n", pickle.REDUCE), "calls"),
        (opcodes(STATE, b"}", pickle.BUILD), "state of what has none"),
        (opcodes(b"Vx\n", b"}", pickle.BUILD), "state of what has none"),
        (opcodes(STATE, b"Vx\nVy\n", pickle.SETITEM), "items"),
        (opcodes(STATE, b"Vx\n", pickle.APPEND), "appends"),
        (opcodes(STATE, b"(Vx\n", pickle.ADDITEMS), "adds"),
        (opcodes(b"(" * 5_000), "nested"),
        (opcodes(pickle.LONG_BINGET, b"\xff\xff\xff\x7f"), "damaged|opcode"),
        (opcodes(pickle.BINUNICODE8, struct.pack("<Q", 2**62)), "damaged"),
        (b"", "damaged"),
        (b"\x80\xff.", "damaged"),
    ],
)
def test_what_flower_does_not_write_is_refused_and_not_run(
    data: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotPossible, match=rf"is refused.*(?:{why})"):
        flower.unpickled(data)
    assert list(tmp_path.iterdir()) == []


def test_a_memo_of_any_number_takes_no_room() -> None:
    data = opcodes(b"}", pickle.LONG_BINPUT, b"\xff\xff\xff\x7f")
    assert flower.unpickled(data) == {}


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    files: list[dict[str, Any]] = [{}, {"events": [1, 2]}, {"events": {"a": 1}}]
    for number, held in enumerate(files):
        path = tmp_path / f"shelf-{number}"
        with shelve.open(str(path), flag="n") as shelf:  # noqa: S301
            shelf.update(held)
        found = next((one for one in (path, path.with_suffix(".db")) if one.exists()), path)
        with pytest.raises(NotPossible, match="refused"):
            list(flower.read(found))


@given(at=st.integers(0, 10**9), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_one_gives_tasks_or_a_reason(value: bytes, at: int, byte: int, cut: bool) -> None:
    at %= len(value)
    data = value[:at] if cut else value[:at] + bytes([byte]) + value[at + 1 :]
    try:
        tasks = list(flower._tasks(flower.unpickled(data), "it"))
    except NotPossible:
        return
    for found in tasks:
        with contextlib.suppress(ValueError):
            transfer.to_record(transfer.line_of_events(found.uuid, found.events), _Plain())


class _Plain:
    max_text_chars = 100
    keep_arguments = True

    def cut(self, text: str, most_chars: int) -> str:
        return text[:most_chars]
