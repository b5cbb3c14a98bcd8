"""Tasks out of the file that Flower's --persistent wrote, without running anything that is in it.

The file is a shelve: a dbm whose entry `events` is a pickle of Celery's `State`. A pickle is a
program that may call whatever it names. Here it is read by an interpreter of our own: it knows the
opcodes that build plain values, and the few names that such a state has stand for functions that
put their arguments into tuples. A pickle that names anything else is refused, and told what it
named; no module is imported for it.

Of a task a file of Flower knows the last event of each kind: the runs before the last one are not
in it.
"""

from __future__ import annotations

import contextlib
import dbm
import io
import pickle
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from celeryscope.errors import NotPossible
from celeryscope.history.record import ENDS
from celeryscope.model.event import Event
from celeryscope.model.task import PENDING, RECEIVED, STARTED

#: A larger one would not fit into memory several times over.
MOST_BYTES: Final = 2 * 2**30
_MOST_DEPTH = 1_000  # of marks: a state has a handful
_MOST_TASKS = 5_000_000
_EVENTS = b"events"
_KNOWN_STATES = frozenset((PENDING, RECEIVED, STARTED, *ENDS.values()))

_GDBM_MAGICS = (0x13579ACD, 0x13579ACE, 0x13579ACF, 0x13579AD0, 0x13579AD1)
#: Where in a bucket its table begins: behind the places that are free, and two counts.
_GDBM_TABLE = 4 + 4 + 6 * 16 + 4 + 4
_BERKELEY_MAGICS = (0x00061561, 0x00053162)

_ALLOWED = [
    "PROTO",
    "FRAME",
    "STOP",
    "MARK",
    "POP",
    "POP_MARK",
    "DUP",
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
    "INT",
    "LONG",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "EMPTY_LIST",
    "APPEND",
    "APPENDS",
    "LIST",
    "EMPTY_TUPLE",
    "TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "EMPTY_DICT",
    "DICT",
    "SETITEM",
    "SETITEMS",
    "EMPTY_SET",
    "ADDITEMS",
    "FROZENSET",
    "MEMOIZE",
    "PUT",
    "BINPUT",
    "LONG_BINPUT",
    "GET",
    "BINGET",
    "LONG_BINGET",
    "GLOBAL",
    "STACK_GLOBAL",
    "REDUCE",
    "NEWOBJ",
    "BUILD",
]


_UNREADABLE: tuple[type[Exception], ...] = (
    OSError, struct.error, sqlite3.Error, ValueError, *dbm.error
)  # fmt: skip


class _Inert:
    """What stands for an object: its kind, what it was made of, and the state it was given."""

    __slots__ = ("given", "kind", "state")

    def __init__(self, kind: str, given: tuple[Any, ...]) -> None:
        self.kind = kind
        self.given = given
        self.state: Any = None


class _Name:
    """What stands for a class or function; calling it makes an `_Inert`."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


_STATE, _TASK, _WORKER, _CACHE, _DICT, _OTHER = "state", "task", "worker", "cache", "dict", "other"
#: All that Celery's state is made of, through the versions.
_NAMES: Final = {
    ("flower.events", "EventsState"): _STATE,
    ("celery.events.state", "State"): _STATE,
    ("celery.events.state", "_depickle_task"): _TASK,
    ("celery.events.state", "Task"): _OTHER,
    ("celery.events.state", "Worker"): _WORKER,
    ("celery.utils.functional", "LRUCache"): _CACHE,
    ("celery.datastructures", "LRUCache"): _CACHE,
    ("kombu.utils.functional", "LRUCache"): _CACHE,
    ("collections", "OrderedDict"): _DICT,
    ("collections", "defaultdict"): _DICT,
    ("collections", "Counter"): _DICT,
    ("builtins", "dict"): _DICT,
    ("builtins", "set"): _OTHER,
    ("builtins", "list"): _OTHER,
    ("builtins", "object"): _OTHER,
    ("__builtin__", "set"): _OTHER,
    ("__builtin__", "object"): _OTHER,
    ("copyreg", "_reconstructor"): _OTHER,
    ("copy_reg", "_reconstructor"): _OTHER,
    ("datetime", "datetime"): _OTHER,
}


class _Refused(Exception):
    """The pickle is not one of Flower's."""


class _Reader(pickle._Unpickler):
    """Reads a pickle into plain values and `_Inert`s."""

    dispatch: ClassVar[Any] = {}  # of opcodes; an unknown one is refused
    stack: list[Any]
    metastack: list[list[Any]]
    append: Callable[[Any], None]

    def pop_mark(self) -> list[Any]:
        found = self.stack
        self.stack = self.metastack.pop()
        self.append = self.stack.append
        return found

    def find_class(self, module: str, name: str) -> Any:
        kind = _NAMES.get((module, name))
        if kind is None:
            raise _Refused(f"it names {module}.{name}"[:300])
        return _Name(kind)

    def load_mark(self) -> None:
        if len(self.metastack) > _MOST_DEPTH:
            raise _Refused(f"it is nested deeper than {_MOST_DEPTH:,} levels")
        self.metastack.append(self.stack)
        self.stack = []
        self.append = self.stack.append

    def load_reduce(self) -> None:
        given = self.stack.pop()
        self.stack[-1] = _made(self.stack[-1], given)

    def load_newobj(self) -> None:
        given = self.stack.pop()
        self.stack[-1] = _made(self.stack[-1], given)

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Inert):
            raise _Refused("it sets the state of what has none")
        self.stack[-1].state = state

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _items(self.stack[-1])[key] = value

    def load_setitems(self) -> None:
        given = self.pop_mark()
        _items(self.stack[-1]).update(zip(given[::2], given[1::2], strict=True))

    def load_append(self) -> None:
        value = self.stack.pop()
        _list(self.stack[-1]).append(value)

    def load_appends(self) -> None:
        given = self.pop_mark()
        _list(self.stack[-1]).extend(given)

    def load_additems(self) -> None:
        given = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise _Refused("it adds to what is no set")
        self.stack[-1].update(given)


def _opcodes() -> dict[int, Callable[[Any], None]]:
    own = {name: getattr(_Reader, name) for name in vars(_Reader) if name.startswith("load_")}
    known = pickle._Unpickler.dispatch
    found: dict[int, Callable[[Any], None]] = {}
    for name in _ALLOWED:
        code = getattr(pickle, name)[0]
        load = known[code]
        found[code] = own.get(load.__name__, load)
    return found


_Reader.dispatch = _opcodes()


def _made(what: Any, given: Any) -> Any:
    if not isinstance(what, _Name) or not isinstance(given, tuple):
        raise _Refused("it calls what is no name of Celery's state")
    return {} if what.kind == _DICT else _Inert(what.kind, given)


def _items(what: Any) -> dict[Any, Any]:
    if isinstance(what, _Inert):
        if what.state is None:
            what.state = {}
        what = what.state
    if not isinstance(what, dict):
        raise _Refused("it puts items into what has none")
    return what


def _list(what: Any) -> list[Any]:
    if not isinstance(what, list):
        raise _Refused("it appends to what is no list")
    return what


def unpickled(data: bytes) -> Any:
    """Read a pickle. Raises NotPossible with the reason where it is not one of Flower's."""
    try:
        return _Reader(io.BytesIO(data)).load()
    except _Refused as refusal:
        why = str(refusal)
    except KeyError as error:
        code = error.args[0] if error.args else None
        why = f"it uses the opcode {code:#04x}" if isinstance(code, int) else "it is damaged"
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, AttributeError,
            UnicodeError, OverflowError, struct.error, AssertionError) as error:  # fmt: skip
        why = f"it is damaged ({type(error).__name__}: {error})"[:300]
    raise NotPossible(
        f"The file is refused: it holds no state as Flower writes it; {why}.",
        hint="Nothing of it was run or taken in. Only import files that your own Flower wrote.",
    )


# ---------------------------------------------------------------------- the file


class Found(NamedTuple):
    """A task of the file."""

    uuid: str
    events: list[Event]


def is_flower(path: Path) -> bool:
    """Say whether this looks like a dbm, of any kind."""
    if not path.is_file():
        return path.with_name(path.name + ".dir").is_file()
    with path.open("rb") as file:
        start = file.read(16)
    return _is_gdbm(start) or _is_berkeley(start) or start.startswith(b"SQLite format 3")


def read(path: Path) -> Iterator[Found]:
    """Give the tasks of the file. Raises NotPossible with a reason where it is refused."""
    data = _value(path)
    if data is None:
        raise NotPossible(
            f"{path} is refused: it has no entry 'events', which a file of Flower has.",
            hint="Flower writes it when it ends, or each --state-save-interval.",
        )
    if len(data) > MOST_BYTES:
        raise NotPossible(f"{path} is refused: its state has more than {MOST_BYTES:,} bytes.")
    yield from _tasks(unpickled(data), str(path))


def _tasks(state: Any, where: str) -> Iterator[Found]:
    if not isinstance(state, _Inert) or state.kind != _STATE or len(state.given) < 3:
        raise NotPossible(f"{where} is refused: its entry 'events' is no state of Celery.")
    tasks = state.given[2]
    if isinstance(tasks, _Inert) and isinstance(tasks.state, dict):
        tasks = tasks.state.get("data", tasks.state)
    if not isinstance(tasks, dict):
        raise NotPossible(f"{where} is refused: its state has no tasks where Celery has them.")
    for task in list(tasks.values())[:_MOST_TASKS]:
        found = _task(task)
        if found is not None:
            yield found


def _task(task: Any) -> Found | None:
    if not isinstance(task, _Inert) or task.kind != _TASK or len(task.given) != 2:
        return None
    fields = task.given[1]
    if not isinstance(fields, dict):
        return None

    def text(key: str) -> str | None:
        value = fields.get(key)
        return value if isinstance(value, str) else None

    def time(key: str) -> float | None:
        value = fields.get(key)
        is_time = isinstance(value, float | int) and not isinstance(value, bool)
        return float(value) if is_time and value and -1e12 < value < 1e12 else None

    uuid = text("uuid")
    if not uuid:
        return None
    worker = fields.get("worker")
    hostname = ""
    if isinstance(worker, _Inert) and worker.given and isinstance(worker.given[0], str):
        hostname = worker.given[0]
    retries = fields.get("retries")
    retries = retries if isinstance(retries, int) and 0 <= retries < 2**31 else 0
    about: dict[str, Any] = {
        "name": text("name"), "args": text("args"), "kwargs": text("kwargs"), "eta": text("eta"),
        "expires": text("expires"), "retries": retries, "root_id": text("root_id"),
        "parent_id": text("parent_id"),
    }  # fmt: skip
    events: list[Event] = []
    if (at := time("sent")) is not None:
        events.append(
            Event("task-sent", text("client") or "", at, uuid=uuid, queue=text("queue"),
                  exchange=text("exchange"), routing_key=text("routing_key"), **about)
        )  # fmt: skip
    if (at := time("received")) is not None:
        events.append(Event("task-received", hostname, at, uuid=uuid, **about))
    if (at := time("started")) is not None:
        events.append(Event("task-started", hostname, at, uuid=uuid))
    state = text("state") or ""
    for kind, ended in ENDS.items():
        if (at := time(kind)) is None:
            continue
        of_it: dict[str, Any] = {}
        if ended == state:
            of_it = {"exception": text("exception"), "traceback": text("traceback")}
        if kind == "succeeded":
            of_it = {"result": text("result"), "runtime": time("runtime")}
        events.append(Event(f"task-{kind}", hostname, at, uuid=uuid, **of_it))
    at = time("timestamp")
    if at is not None and state.isupper() and state not in _KNOWN_STATES and len(state) < 100:
        events.append(Event(f"task-{state.lower()}", hostname, at, uuid=uuid))
    return Found(uuid, events) if events else None


# ---------------------------------------------------------------------- dbm


def _value(path: Path) -> bytes | None:
    """Give what the dbm has for `events`."""
    directory = path.with_name(path.name + ".dir")
    try:
        if not path.is_file() and directory.is_file():
            return _dumb(path)
        with path.open("rb") as file:
            start = file.read(16)
            if _is_gdbm(start):
                return _gdbm(file, path)
        if start.startswith(b"SQLite format 3"):
            return _sqlite(path)
        if _is_berkeley(start):
            return _ndbm(path)
    except _UNREADABLE as error:
        raise NotPossible(f"{path} cannot be read: {error}.") from error
    raise NotPossible(
        f"{path} is no file of Flower: it is none of the databases that Python's shelve writes."
    )


def _dumb(path: Path) -> bytes | None:
    import dbm.dumb

    try:
        with contextlib.closing(dbm.dumb.open(str(path), "r")) as shelf:
            found = shelf.get(_EVENTS)
    except (SyntaxError, TypeError, AttributeError, OverflowError, MemoryError,
            RecursionError) as error:  # fmt: skip
        # Its directory is a text of Python's literals, and may say anything.
        raise ValueError(f"{path.name}.dir is damaged") from error
    return bytes(found) if found is not None else None


def _ndbm(path: Path) -> bytes | None:
    try:
        import dbm.ndbm
    except ImportError:
        raise NotPossible(
            f"{path} is a Berkeley DB (dbm.ndbm), which this Python cannot read.",
            hint="Import it with the Python that Flower ran with: pip install celeryscope there.",
        ) from None
    with dbm.ndbm.open(str(path).removesuffix(".db"), "r") as shelf:
        return shelf.get(_EVENTS)


def _sqlite(path: Path) -> bytes | None:
    """Read what dbm.sqlite3 (Python 3.13) writes."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        row = db.execute(
            "SELECT value FROM Dict WHERE key = CAST(? AS BLOB)", (_EVENTS,)
        ).fetchone()
    return bytes(row[0]) if row is not None and isinstance(row[0], bytes) else None


def _is_gdbm(start: bytes) -> bool:
    return any(int.from_bytes(start[:4], order) in _GDBM_MAGICS for order in ("little", "big"))


def _is_berkeley(start: bytes) -> bool:
    found = [int.from_bytes(start[at : at + 4], order)
             for at in (0, 12) for order in ("little", "big")]  # fmt: skip
    return any(magic in _BERKELEY_MAGICS for magic in found)


def _gdbm(file: Any, path: Path) -> bytes | None:
    """Read a gdbm file by itself: few Pythons have that module, and many Flowers wrote with it.

    The layout is gdbmdefs.h's: a header, a directory of places of buckets, and in each bucket a
    table of (hash, start of the key, place, size of the key, size of the value).
    """
    size = path.stat().st_size
    file.seek(0)
    head = file.read(64)
    order = "<" if int.from_bytes(head[:4], "little") in _GDBM_MAGICS else ">"
    (magic,) = struct.unpack(order + "I", head[:4])
    if magic == 0x13579ACD:
        raise ValueError("it was written by a program of 32 bits")
    _block, place, length, _bits, bucket_size, elements = struct.unpack(
        order + "iqiiii", head[4:32]
    )
    if not (0 < length <= size and 0 < bucket_size <= size and 0 < elements <= bucket_size):
        raise ValueError("its header is damaged")
    file.seek(place)
    places = set(struct.unpack(f"{order}{length // 8}q", file.read(length // 8 * 8)))
    for bucket in places:
        file.seek(bucket)
        data = file.read(bucket_size)
        for number in range(elements):
            entry = struct.unpack_from(order + "i4sqii", data, _GDBM_TABLE + number * 24)
            hashed, _, at, key_size, value_size = entry
            if hashed == -1 or key_size != len(_EVENTS) or not 0 <= value_size <= size:
                continue
            file.seek(at)
            if file.read(key_size) == _EVENTS:
                value = file.read(value_size)
                return bytes(value) if len(value) == value_size else None
    return None
