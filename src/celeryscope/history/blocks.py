"""Blocks of tasks: sealed by the writer, and asked by readers which cannot have what is wanted."""

from __future__ import annotations

import functools
import operator
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

from celeryscope.history import signature
from celeryscope.history.database import Connection, Database
from celeryscope.history.rows import unpack
from celeryscope.history.search import (
    FAILURE_ID,
    PAIRS,
    RETRY_ID,
    REVOKED_ID,
    STARTED_ID,
    All,
    Any_,
    Bits,
    Need,
    Zone,
    fine_power,
    id_text,
    power,
)
from celeryscope.history.sql import queries

TASKS = 128
#: Long texts fill a signature sooner: characters, and the fewest tasks of a block all the same.
MOST_TEXT = 64 * 1024
FEWEST = 8
#: Tasks that are not sealed yet at least: those that live will change, and would have to move.
SLACK = 8_192
_NO_END = 2**62
#: The same few facts are in most blocks, but for those of families.
_bits_of = functools.lru_cache(maxsize=4096)(signature.of_fact)
#: Readers forget blocks that were taken away so often at most.
_FRESH_SECONDS = 60.0


class Block(NamedTuple):
    """Tasks `first` to `last`, and the bounds of what they have."""

    id: int
    first: int
    last: int
    oldest: int
    newest: int
    min_runtime: int | None
    max_runtime: int | None
    min_wait: int | None
    max_wait: int | None
    min_retries: int
    max_retries: int
    max_ran: int | None = None  # of those that do not run still


class _Sealed(NamedTuple):
    """A row of the query `rows_to_seal`."""

    seq: int
    uuid: bytes
    state: int
    at: int
    name: int | None
    worker: int | None
    queue: int | None
    client: int | None
    started: int | None
    runtime: int | None
    wait: int | None
    retries: int
    root: bytes | None
    parent: bytes | None
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None
    traceback: bytes | None
    named: str | None
    fingerprint: int | None


def seal(db: Database) -> bool:
    """Seal one block if there are enough tasks for it; inside a transaction of the writer."""
    named = queries()
    number, last = db.execute(named["sealed"]).fetchone()
    (newest,) = db.execute(named["last_seq"]).fetchone()
    if newest is None or newest - last < TASKS + SLACK:
        return False
    rows = list(map(_Sealed._make, db.execute(named["rows_to_seal"], (last, TASKS))))
    if len(rows) < TASKS or newest - rows[-1].seq < SLACK:  # some were removed meanwhile
        return False
    _put(db, number + 1, last + 1, rows[: _fitting(rows)])
    if (number + 2) % signature.BLOCKS == 0:
        _slice(db, (number + 1) // signature.BLOCKS)
    return True


def set_apart(db: Database, sources: Sequence[Block]) -> int:
    """Make a block of the tasks that are left of others, as many as one has room for.

    They get a `seq` below all others, and the block an id below all others; what is known of them
    moves with them. Inside a transaction that writes; returns how many tasks it took, from the
    first source on.
    """
    named = queries()
    rows: list[_Sealed] = []
    for source in sources:
        found = db.execute(named["rows_to_seal"], (source.first - 1, TASKS - len(rows)))
        rows += [row for one in found if (row := _Sealed(*one)).seq <= source.last]
    rows = rows[: _fitting(rows)]
    if not rows:  # somebody else was faster
        return 0
    first_seq, first_block = db.execute(named["lowest"]).fetchone()
    first, number = first_seq - len(rows), first_block - 1
    moves = [(first + place, row.seq) for place, row in enumerate(rows)]
    for name in ("move_task", "move_traceback", "move_life", "move_attempts", "move_failure"):
        db.executemany(named[name], moves)
    moved = [row._replace(seq=seq) for row, (seq, _) in zip(rows, moves, strict=True)]
    _put(db, number, first, moved)
    db.execute(named["put_lowest"], (first, number))
    if number % signature.BLOCKS == 0:
        _slice(db, number // signature.BLOCKS)
    return len(rows)


def remove(db: Database, block: Block) -> None:
    """Take a block away that no task is left of, inside a transaction that writes.

    The newest one stays as it is: what comes next goes on from there.
    """
    named = queries()
    number, _ = db.execute(named["sealed"]).fetchone()
    if block.id == number:
        db.execute(named["put_thinned"], (block.id, 0, _NO_END))
        return
    db.execute(named["drop_thinned"], (block.id,))
    db.execute(named["drop_block"], (block.id,))
    db.execute(named["count_change"])
    segment = block.id // signature.BLOCKS
    span = (segment * signature.BLOCKS, (segment + 1) * signature.BLOCKS - 1)
    if db.execute(named["any_block"], span).fetchone() is None:
        db.execute(named["drop_slices"], (segment * 4096, segment * 4096 + 4095))


def _put(db: Database, number: int, first: int, rows: Sequence[_Sealed]) -> None:
    db.execute(queries()["put_block"], (*_bounds(number, first, rows), _signature(rows)))


def _fitting(rows: Sequence[_Sealed]) -> int:
    """Count the rows whose texts a signature has room for."""
    size = 0
    for count, row in enumerate(rows):
        texts = (row.args, row.kwargs, row.result, row.exception, row.traceback)
        size += sum(len(text) for text in texts if text is not None)
        if size > MOST_TEXT and count >= FEWEST:
            return count
    return len(rows)


def _bounds(number: int, first: int, rows: Sequence[_Sealed]) -> Block:
    runtimes = [ran for row in rows if (ran := _ran(row)) is not None]
    lowest = [0] if any(row.state == STARTED_ID for row in rows) else []
    waits = [row.wait for row in rows if row.wait is not None]
    return Block(
        id=number,
        first=first,
        last=rows[-1].seq,
        oldest=min(row.at for row in rows),
        newest=max(row.at for row in rows),
        min_runtime=min(runtimes + lowest, default=None),
        max_runtime=max(runtimes, default=None),
        min_wait=min(waits, default=None),
        max_wait=max(waits, default=None),
        min_retries=min(row.retries for row in rows),
        max_retries=max(row.retries for row in rows),
        max_ran=max((ran for ran in runtimes if ran != _NO_END), default=None),
    )


def _ran(row: _Sealed) -> int | None:
    """How long a task ran; for one that runs still there is no bound."""
    if row.runtime is not None or row.started is None:
        return row.runtime
    if row.state == STARTED_ID:
        return _NO_END
    if row.state in (RETRY_ID, FAILURE_ID, REVOKED_ID):
        return max(0, row.started)
    return None


def _signature(rows: Sequence[_Sealed]) -> bytes:
    texts = [name for name in {row.named for row in rows} if name is not None]
    of = {
        "state": [row.state for row in rows],
        "name": [row.name or 0 for row in rows],
        "worker": [row.worker or 0 for row in rows],
        "queue": [row.queue or 0 for row in rows],
        "client": [row.client or 0 for row in rows],
    }
    facts: set[tuple[object, ...]] = set()
    for key, values in of.items():
        facts.update(zip(repeat(key), values, strict=False))
    for one, other in PAIRS:
        facts.update(zip(repeat(one), repeat(other), of[one], of[other], strict=False))
    of_family: list[tuple[int, ...]] = []
    for row in rows:
        ran = _ran(row)
        if ran is not None and ran != _NO_END:
            facts.add(("ran", row.name or 0, power(ran)))
            facts.add(("ran", fine_power(ran)))
        texts.append(id_text(row.uuid))
        if row.fingerprint is not None:
            facts.add(("fingerprint", row.fingerprint))
        for key, relative in (("root", row.root), ("parent", row.parent)):
            if relative is not None:
                of_family.append(signature.of_fact(key, id_text(relative).casefold()))
        texts += [
            text for text in (row.args, row.kwargs, row.result, row.exception) if text is not None
        ]
        if row.traceback is not None:
            texts.append(unpack(row.traceback))
    return signature.make(texts, [_bits_of(*fact) for fact in facts] + of_family)


def _slice(db: Database, segment: int) -> None:
    """Turn the signatures of a segment that is full."""
    named = queries()
    span = (segment * signature.BLOCKS, (segment + 1) * signature.BLOCKS - 1)
    found = dict(db.execute(named["block_bits"], span).fetchall())
    empty = bytes(signature.SIZE_BYTES)  # of a block that was removed
    bits = [found.get(number) or empty for number in range(span[0], span[1] + 1)]
    rows = enumerate(signature.turn(bits), segment * 4096)
    db.executemany(named["put_slice"], rows)
    db.execute(named["forget_bits"], span)


class Known:
    """The blocks as readers know them: read once, and again when many were taken away.

    A block may be in it for a while that is there no more: no task is found in it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: list[Block] = []  # by id
        self._changes = 0  # snapshots in which so many were taken away find all of theirs in it
        self._fresh = 0  # so many were when all was read
        self._fresh_at = 0.0

    def of(self, db: Database) -> Sequence[Block]:
        """Give the blocks that this reader's snapshot has, in the order of their ids."""
        lowest, highest, changes = db.execute(queries()["extent"]).fetchone()
        with self._lock:
            if changes < self._changes:  # an older snapshot: it may have what we let go of
                return _read(db, lowest, highest)
            now = time.monotonic()
            is_old = changes > self._fresh and now - self._fresh_at >= _FRESH_SECONDS
            if is_old or not self._blocks:
                self._blocks = _read(db, lowest, highest)
                self._changes = self._fresh = changes
                self._fresh_at = now
            elif lowest < self._blocks[0].id or highest > self._blocks[-1].id:
                lower = _read(db, lowest, self._blocks[0].id - 1)
                self._blocks = [*lower, *self._blocks, *_read(db, self._blocks[-1].id + 1, highest)]
                self._changes = changes
            known = self._blocks
        first = bisect_left(known, lowest, key=_id)
        return known[first : bisect_right(known, highest, key=_id)]


def _read(db: Database, first: int, last: int) -> list[Block]:
    return [Block(*one) for one in db.execute(queries()["blocks"], (first, last))]


def _id(block: Block) -> int:
    return block.id


class Asker:
    """Says of blocks whether they can have what is needed, as one snapshot of the database has it.

    A segment is asked when its first block is. The blocks are in the order of their ids.
    """

    def __init__(self, db: Connection, need: Need, blocks: Sequence[Block]) -> None:
        self._db = db
        self._need = need
        self._blocks = blocks
        self._answers: dict[int, int] = {}
        lowest, highest = db.execute(queries()["sliced"]).fetchone()
        self._sliced = range(min(lowest // 4096, 0), highest // 4096 + 1)
        self._signatures: dict[int, dict[int, bytes]] = {}

    def may_have(self, block: Block) -> bool:
        segment, at = divmod(block.id, signature.BLOCKS)
        answer = self._answers.get(segment)
        if answer is None:
            answer = self._answers[segment] = self._ask(self._need, segment)
        return bool(answer >> at & 1)

    def _ask(self, need: Need, segment: int) -> int:
        match need:
            case All(needs):
                answer = (1 << signature.BLOCKS) - 1
                for one in needs:
                    if not answer:
                        break
                    answer &= self._ask(one, segment)
                return answer
            case Any_(needs):
                answer = 0
                for one in needs:
                    answer |= self._ask(one, segment)
                return answer
            case Zone():
                return self._ask_bounds(need, segment)
            case Bits(bits):
                return self._ask_bits(bits, segment)

    def _ask_bounds(self, zone: Zone, segment: int) -> int:
        lower, upper = _COLUMNS[zone.column]
        start = segment * signature.BLOCKS
        first = bisect_left(self._blocks, start, key=_id)
        answer = 0
        for block in self._blocks[first : first + signature.BLOCKS]:
            if block.id >= start + signature.BLOCKS:
                break
            low, high = block[lower], block[upper]
            if low is not None and high is not None and low <= zone.high and high >= zone.low:
                answer |= 1 << block.id - start
        return answer

    def _ask_bits(self, bits: tuple[int, ...], segment: int) -> int:
        answer = (1 << signature.BLOCKS) - 1
        if segment not in self._sliced:
            return sum(
                1 << at
                for at, one in self._signatures_of(segment).items()
                if signature.has(one, bits)
            )
        query = queries()["slice"]
        places = [signature.place(segment, bit) for bit in bits]
        if places and self._db.remote:
            joined = " UNION ALL ".join([query] * len(places))
            slices = self._db.execute(joined, [part for row, at in places for part in (at, row)])
            parts = [int.from_bytes(one, "little") for (one,) in slices]
            return functools.reduce(operator.and_, parts, answer) if len(parts) == len(bits) else 0
        for row, at in places:
            found = self._db.execute(query, (at, row)).fetchone()
            if found is None:  # all of the segment's blocks were taken away
                return 0
            answer &= int.from_bytes(found[0], "little")
            if not answer:
                break
        return answer

    def _signatures_of(self, segment: int) -> dict[int, bytes]:
        """Give the signatures of a segment by their places in it."""
        found = self._signatures.get(segment)
        if found is None:
            start = segment * signature.BLOCKS
            rows = self._db.execute(queries()["block_bits"], (start, start + signature.BLOCKS - 1))
            found = {number - start: bits for number, bits in rows if bits is not None}
            self._signatures[segment] = found
        return found


_COLUMNS = {
    "at": (3, 4), "runtime": (5, 6), "wait": (7, 8), "retries": (9, 10), "ran": (11, 11),
}  # fmt: skip
