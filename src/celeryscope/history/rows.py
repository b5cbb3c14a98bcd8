"""A task's record as a row and back, and as the task that others see. Pure."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from celeryscope.history.record import (
    ENDS,
    EXPIRED,
    FETCHED,
    TERMINATED,
    TRUNCATED,
    About,
    Record,
    Standing,
    Told,
    Way,
    dump,
    holding,
    load,
    seconds,
)
from celeryscope.history.search import id_text, root_text
from celeryscope.model.task import FINISHED, LOST, PENDING, REVOKED, Loss, Task

#: (128 is FETCHED.) RENAMED: other tasks had the id before; `life` has their names.
TRACEBACK, LIFE, ROOT, TEXT_CUT, RENAMED = 8, 16, 32, 64, 256
_WINDOW_BYTES = 4096  # 2**12
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KIND_OF = {state: kind for kind, state in ENDS.items()}

#: Gives the number of a word of a kind.
NumberOf = Callable[[str, str | None], int | None]
#: Gives the word of a number.
WordOf = Callable[[int | None], str | None]


class Row(NamedTuple):
    """A row of `task`, in the order of its columns."""

    seq: int
    uuid: bytes
    state: int
    at: int
    name: int | None
    worker: int | None
    queue: int | None
    client: int | None
    exchange: int | None
    routing_key: int | None
    sent: int | None
    received: int | None
    started: int | None
    runtime: int | None
    wait: int | None
    retries: int
    described: int | None
    eta: str | None
    expires: str | None
    root: bytes | None
    parent: bytes | None
    flags: int
    signum: str | None
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None


def id_key(uuid: str) -> bytes:
    """Give an id as it is stored: 16 bytes where it is a UUID as Celery writes them.

    Any other text stands behind a byte that is in no UTF-8, or two where it would be 16.
    """
    if _UUID.fullmatch(uuid):
        return bytes.fromhex(uuid.replace("-", ""))
    text = b"\xff" + uuid.encode("utf-8", "surrogatepass")
    return b"\xff" + text if len(text) == 16 else text


def pack(text: str) -> bytes:
    return _packed(text.encode("utf-8", "surrogatepass"))


def _packed(data: bytes) -> bytes:
    if len(data) > _WINDOW_BYTES:
        return zlib.compress(data, 6)
    # The tables of a large window take ten times as long to be made as a short text to be packed.
    packing = zlib.compressobj(6, zlib.DEFLATED, wbits=12, memLevel=5)
    return packing.compress(data) + packing.flush()


def unpack(data: bytes) -> str:
    return zlib.decompress(data).decode("utf-8", "surrogatepass")


def pack_life(one: Record) -> bytes:
    return _packed(dump(one))


def unpack_life(data: bytes) -> Record:
    return load(zlib.decompress(data))


def unpack_any(data: bytes | None) -> str | None:
    return None if data is None else unpack(data)


def to_row(seq: int, uuid: bytes, record: Record, standing: Standing, number: NumberOf) -> Row:
    """Make the row of a task."""
    at, end, about, way = standing.at, standing.end, record.about, record.way
    flags = TEXT_CUT if about.flags & TRUNCATED else 0
    if end is not None:
        flags |= end.flags | (TRACEBACK if end.traceback is not None else 0)
    root = None if record.root is None else id_key(record.root)
    if root == uuid:
        root, flags = None, flags | ROOT
    if not standing.simple:
        flags |= LIFE
    retries = max([0, about.retries, *(one.about.retries for one in record.names.values())])
    if record.names:
        flags |= RENAMED
    return Row(
        seq, uuid, number("state", standing.state) or 0, at, number("name", about.name),
        number("worker", standing.worker), number("queue", way.queue),
        number("client", way.client), number("exchange", way.exchange),
        number("routing_key", way.routing_key), _before(at, standing.sent),
        _before(at, standing.received), _before(at, standing.started), standing.runtime,
        standing.wait, retries, None if about.retries < 0 else at - about.at,
        about.eta, about.expires, root,
        None if record.parent is None else id_key(record.parent), flags,
        None if end is None else end.signum, about.args, about.kwargs,
        None if end is None else end.result, None if end is None else end.exception,
    )  # fmt: skip


def to_record(row: Row, word: WordOf, traceback: str | None) -> Record:
    """Make the record of a task whose row says everything."""
    record = Record()
    at = row.at
    if row.described is not None:
        cut = TRUNCATED if row.flags & TEXT_CUT else 0
        record.about = About(
            row.retries, at - row.described, word(row.name), row.args, row.kwargs, row.eta,
            row.expires, cut,
        )  # fmt: skip
    record.root = root_text(row.root, row.uuid, row.flags)
    record.parent = None if row.parent is None else id_text(row.parent)
    worker = word(row.worker) or ""
    if row.sent is not None:
        client = word(row.client)
        record.way = Way(
            at - row.sent, client, word(row.queue), word(row.exchange), word(row.routing_key)
        )
        record.tell(Told(at - row.sent, "sent", client or ""))
    if row.received is not None:
        record.tell(Told(at - row.received, "received", worker))
    if row.started is not None:
        record.tell(Told(at - row.started, "started", worker, number=row.wait))
    kind = _KIND_OF.get(word(row.state) or PENDING)
    if kind is not None:
        flags = row.flags & (TERMINATED | EXPIRED | TRUNCATED | FETCHED)
        record.tell(
            Told(at, kind, worker, 0, row.runtime, row.result, row.exception, traceback, flags,
                 row.signum)
        )  # fmt: skip
    return record


def to_task(
    row: Row, word: WordOf, *, traceback: str | None = None, life: Record | None = None
) -> Task:
    """Make the task that others see; `life` is of one whose columns do not say it all."""
    state = word(row.state) or PENDING
    at = row.at
    times = [
        None if before is None else seconds(at - before)
        for before in (row.sent, row.received, row.started)
    ]
    known = [time for time in times if time is not None]
    task = Task(
        uuid=id_text(row.uuid),
        first_seen=min([seconds(at), *known]),
        state=state,
        state_at=seconds(at),
        name=word(row.name),
        worker=word(row.worker),
        client=word(row.client),
        queue=word(row.queue),
        exchange=word(row.exchange),
        routing_key=word(row.routing_key),
        sent=times[0],
        received=times[1],
        started=times[2],
        args=row.args,
        kwargs=row.kwargs,
        result=row.result,
        exception=row.exception,
        traceback=traceback,
        runtime=None if row.runtime is None else seconds(row.runtime),
        wait=None if row.wait is None else seconds(row.wait),
        retries=row.retries,
        eta=row.eta,
        expires=row.expires,
        root_id=root_text(row.root, row.uuid, row.flags),
        parent_id=None if row.parent is None else id_text(row.parent),
        terminated=state == REVOKED and bool(row.flags & TERMINATED),
        expired=state == REVOKED and bool(row.flags & EXPIRED),
        signum=row.signum,
        truncated=bool(row.flags & (TRUNCATED | TEXT_CUT)),
        fetched=state in FINISHED and bool(row.flags & FETCHED),
    )
    kind = _KIND_OF.get(state)
    if kind is not None:
        setattr(task, kind, seconds(at))
    if life is not None:
        _tell_times(task, list(life.told.values()))
        task.renamed = _names_before(life)
    return task


def _names_before(life: Record) -> tuple[tuple[float, str], ...]:
    """Give the names of the tasks that had the id before, each with when it was over."""
    firsts = sorted(one.first for one in life.names.values())
    before = [
        (next((at for at in firsts if at > one.first), one.last), name)
        for name, one in life.names.items()
        if name != life.about.name
    ]
    return tuple((seconds(at), name) for at, name in sorted(before))


def _tell_times(task: Task, told: Sequence[Told]) -> None:
    """Put the time of the last event of each kind into a task that ran more than once."""
    told = holding(told)
    last: dict[str, int] = {}
    for one in told:
        last[one.kind] = max(one.at, last.get(one.kind, one.at))
    for kind in ("sent", *ENDS):
        if kind in last:
            setattr(task, kind, seconds(last[kind]))
    task.log = tuple((one.kind, seconds(one.at), one.sender, one.retries) for one in told
                     if one.kind.islower())  # fmt: skip
    task.custom = tuple((one.kind, seconds(one.at)) for one in told
                        if not (one.kind.islower() or one.flags & FETCHED))  # fmt: skip
    losses = [one for one in told if one.kind == LOST and one.flags & FETCHED]
    if losses:  # the one that holds, or else the last
        one = max(losses, key=lambda loss: (seconds(loss.at) == task.state_at, loss.at))
        began = None if one.number is None else seconds(one.number)
        task.lost = Loss(seconds(one.at), one.sender, began, one.exception or "")


def _before(at: int, time: int | None) -> int | None:
    return None if time is None else at - time
