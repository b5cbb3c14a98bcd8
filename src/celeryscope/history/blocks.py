"""Blocks of tasks: sealed by the writer, and asked by readers which cannot have what is wanted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from celeryscope.history import signature
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


class _Sealed(NamedTuple):
    """A row of the query `rows_to_seal`."""

    seq: int
    uuid: bytes | str
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
    root: bytes | str | None
    parent: bytes | str | None
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None
    traceback: bytes | None
    named: str | None


def seal(db: sqlite3.Connection) -> bool:
    """Seal one block if there are enough tasks for it; inside a transaction of the writer."""
    named = queries()
    number, last = db.execute(named["sealed"]).fetchone()
    (newest,) = db.execute(named["last_seq"]).fetchone()
    if newest is None or newest - last < TASKS + SLACK:
        return False
    rows = [_Sealed(*row) for row in db.execute(named["rows_to_seal"], (last, TASKS))]
    rows = rows[: _fitting(rows)]
    block = _bounds(number + 1, last + 1, rows)
    db.execute(named["put_block"], (*block, _signature(rows)))
    if (number + 2) % signature.BLOCKS == 0:
        _slice(db, (number + 1) // signature.BLOCKS)
    return True


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
    facts: set[tuple[object, ...]] = set()
    for row in rows:
        of = {
            "state": row.state,
            "name": row.name or 0,
            "worker": row.worker or 0,
            "queue": row.queue or 0,
            "client": row.client or 0,
        }
        facts.update(of.items())
        facts.update((one, other, of[one], of[other]) for one, other in PAIRS)
        ran = _ran(row)
        if ran is not None and ran != _NO_END:
            facts.add(("ran", row.name or 0, power(ran)))
            facts.add(("ran", fine_power(ran)))
        texts.append(id_text(row.uuid))
        for key, relative in (("root", row.root), ("parent", row.parent)):
            if relative is not None:
                facts.add((key, id_text(relative).casefold()))
        texts += [
            text for text in (row.args, row.kwargs, row.result, row.exception) if text is not None
        ]
        if row.traceback is not None:
            texts.append(unpack(row.traceback))
    return signature.make(texts, [signature.of_fact(*fact) for fact in facts])


def _slice(db: sqlite3.Connection, segment: int) -> None:
    """Turn the signatures of a segment that is full."""
    named = queries()
    span = (segment * signature.BLOCKS, (segment + 1) * signature.BLOCKS - 1)
    found = [bits for _, bits in db.execute(named["block_bits"], span)]
    rows = enumerate(signature.turn(found), segment * 4096)
    db.executemany(named["put_slice"], rows)
    db.execute(named["forget_bits"], span)


class Asker:
    """Says of blocks whether they can have what is needed, as one snapshot of the database has it.

    A segment is asked when its first block is.
    """

    def __init__(self, db: sqlite3.Connection, need: Need, blocks: Sequence[Block]) -> None:
        self._db = db
        self._need = need
        self._blocks = blocks
        self._answers: dict[int, int] = {}
        named = queries()
        (sliced,) = db.execute(named["sliced"]).fetchone()
        self._segments_sliced = 0 if sliced is None else sliced // 4096 + 1
        self._signatures: dict[int, list[bytes]] = {}

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
        answer = 0
        for at, block in enumerate(self._blocks[start : start + signature.BLOCKS]):
            low, high = block[lower], block[upper]
            if low is not None and high is not None and low <= zone.high and high >= zone.low:
                answer |= 1 << at
        return answer

    def _ask_bits(self, bits: tuple[int, ...], segment: int) -> int:
        answer = (1 << signature.BLOCKS) - 1
        if segment >= self._segments_sliced:
            return sum(
                1 << at
                for at, one in enumerate(self._signatures_of(segment))
                if signature.has(one, bits)
            )
        query = queries()["slice"]
        for bit in bits:
            row, at = signature.place(segment, bit)
            (found,) = self._db.execute(query, (at, row)).fetchone()
            answer &= int.from_bytes(found, "little")
            if not answer:
                break
        return answer

    def _signatures_of(self, segment: int) -> list[bytes]:
        found = self._signatures.get(segment)
        if found is None:
            span = (segment * signature.BLOCKS, (segment + 1) * signature.BLOCKS - 1)
            rows = self._db.execute(queries()["block_bits"], span)
            found = self._signatures[segment] = [bits for _, bits in rows]
        return found


_COLUMNS = {"at": (3, 4), "runtime": (5, 6), "wait": (7, 8), "retries": (9, 10)}
