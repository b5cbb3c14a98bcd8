#!/usr/bin/env python3
"""What the history costs: CPU an event, bytes a task, milliseconds a question.

    python benchmarks/history.py [--tasks 500000] [--file history.db]

30 task names, 5 queues, 20 workers (4 a queue), 5 in 100 fail; arguments of 120 bytes, each its
own id. The tasks are put into the file row by row, since it is a month of them; what writing costs
is measured with events. A file that is there already is filled up to `--tasks`, so that a long run
can be done in parts (`--seconds` ends one). `--copy` makes what is missing of copies, with ids of
their own, of what is there: the same sizes and the same work for a question, in a tenth of the time
(only a question for a part of an id does not find a copy).
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from celeryscope.cluster import runs
from celeryscope.history import blocks, signature
from celeryscope.history.rows import Row
from celeryscope.history.sql import queries
from celeryscope.history.store import Change, History
from celeryscope.model.event import Event
from celeryscope.model.query import parse
from celeryscope.model.task import Task

START = 1_792_000_000
MONTH = 30 * 86_400
BATCH = 20_000
NAMES = [f"shop.{room}.tasks.{what}_{thing}" for room in ("orders", "billing", "mail")
         for what in ("send", "check") for thing in ("invoice", "receipt", "report", "reminder",
                                                     "refund")]  # fmt: skip
QUEUES = ["default", "high", "mail", "reports", "slow"]
WORKERS = [f"celery@worker-{i:02}.example.com" for i in range(20)]

QUESTIONS = [
    "", "state:failure", "state:failure since:1h", "name:billing.tasks.send_refund",
    "worker:worker-07.example.com", "queue:slow state:failure", "-state:success",
    "name:send_refund worker:worker-07.example.com state:failure",
    "name:orders.tasks.send_invoice worker:worker-07.example.com",  # never: another queue
    "runtime:>100s", "name:send_invoice runtime:>60s", "runtime:>1h", "wait:>1h", "retries:>0",
    "retries:>5", "since:2026-10-25 until:2026-10-26 state:failure", "queue:nowhere",
    "state:revoked", "runtime:20s..20001ms",
]  # fmt: skip
TEXTS = [
    "customer", "timeout", "{needle}", "order-{needle}", "no such text", "zq9", "8f3a",
    "refund declined", "args:customer77", 'kwargs:attempt=2 state:failure', "exception:Timeout*",
]  # fmt: skip


def said(what: str, value: str) -> None:
    print(f"  {what:<62} {value}", flush=True)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def texts(dice: random.Random, needle: str) -> tuple[str, str, str]:
    """Arguments of 120 bytes, keyword arguments and a result."""
    roll = dice.random()
    who, amount, where = int(roll * 1e6), int(roll * 1e9) % 50_000, int(roll * 1e13) % 10**8
    items = f"{{'currency': 'EUR', 'items': [{where % 9973}, {who % 997}], 'gift': False}}"
    return (
        f"('order-{needle}', {amount}, 'customer{who}@example.com', {items})",
        f"{{'attempt': {who % 3}, 'trace': '{where:08x}'}}",
        f"{{'paid': True, 'reference': {where}}}",
    )


def stored(path: Path) -> int:
    opened(path).close()
    db = sqlite3.connect(path)
    (count,) = db.execute("SELECT ifnull(max(seq), 0) FROM task").fetchone()
    db.close()
    return int(count)


def fill(path: Path, tasks: int, most_seconds: float) -> int:
    """Put tasks into the file; give how many are in it."""
    opened(path).close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -65536")
    named = queries()
    words = {}
    for kind, known in (("name", NAMES), ("worker", WORKERS), ("queue", QUEUES),
                        ("routing_key", QUEUES), ("exchange", [""]),
                        ("client", [f"gen{i}@app{i % 3}" for i in range(12)])):  # fmt: skip
        for word in known:
            db.execute(named["add_word"], (kind, word))
        found = db.execute("SELECT id FROM word WHERE kind = ? ORDER BY id", (kind,))
        words[kind] = [number for (number,) in found]
    done = db.execute("SELECT ifnull(max(seq), 0) FROM task").fetchone()[0]
    until = time.monotonic() + most_seconds
    while done < tasks and time.monotonic() < until:
        dice = random.Random(done)
        new = [row(dice, done + i + 1, words) for i in range(min(BATCH, tasks - done))]
        db.execute("BEGIN")
        db.executemany(named["put_task"], new)
        db.execute("COMMIT")
        sealed = True
        db.execute("BEGIN")
        while sealed:
            sealed = blocks.seal(db)
        db.execute("COMMIT")
        done += len(new)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return int(done)


def row(dice: random.Random, seq: int, words: dict[str, list[int]]) -> Row:
    kind = int(dice.random() ** 2 * len(NAMES))
    queue = kind % len(QUEUES)
    failed = dice.random() < 0.05
    wait, ran = int(dice.expovariate(1 / 2e5)), int(dice.lognormvariate(13, 1.5))
    at = int((START + MONTH * seq / 5_000_000) * 1_000_000)
    args, kwargs, result = texts(dice, f"{seq * 7919 % 10**7:07}")
    return Row(
        seq, dice.randbytes(16), 6 if failed else 5, at, words["name"][kind],
        words["worker"][queue * 4 + int(dice.random() * 4)], words["queue"][queue],
        words["client"][kind % 12], words["exchange"][0], words["routing_key"][queue],
        ran + wait + 2000, ran + wait, ran, None if failed else ran, wait,
        0, ran + wait, None, None, None, None, 32, None, args, kwargs,
        None if failed else result,
        f"Timeout('refund declined after {ran % 90} s')" if failed else None,
    )  # fmt: skip


def copy(path: Path, tasks: int) -> int:
    """Copy whole segments until there are so many tasks; give how many there are."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -65536")
    size = blocks.TASKS * signature.BLOCKS
    (whole,) = db.execute("SELECT max(id) / 4096 FROM slice").fetchone()
    whole = 0 if whole is None else whole + 1
    if not whole:
        raise SystemExit(f"There are not {size:,} tasks to copy in {path}: fill it first.")
    db.execute("DELETE FROM task WHERE seq > ?", (whole * size,))
    db.execute("DELETE FROM block WHERE id >= ?", (whole * signature.BLOCKS,))
    have = whole
    while (have + 1) * size <= tasks:
        source = have % whole
        apart = have - source
        later = int(MONTH * apart * size / 5_000_000) * 1_000_000
        values = {"d": apart * size, "t": later, "b": apart * signature.BLOCKS,
                  "s": apart * 4096, "first": source * size + 1, "last": (source + 1) * size,
                  "segment": source}  # fmt: skip
        db.execute("BEGIN")
        for statement in COPYING:
            db.execute(statement, values)
        db.execute("COMMIT")
        have += 1
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return int(have * size)


COPYING = (
    """INSERT INTO task SELECT
    seq + :d, randomblob(16), state, at + :t, name, worker, queue, client, exchange, routing_key,
    sent, received, started, runtime, wait, retries, described, eta, expires, root, parent, flags,
    signum, args, kwargs, result, exception
    FROM task WHERE seq BETWEEN :first AND :last""",
    """INSERT INTO block SELECT
    id + :b, first + :d, last + :d, oldest + :t, newest + :t, min_runtime, max_runtime, min_wait,
    max_wait, min_retries, max_retries, NULL, max_ran
    FROM block WHERE id / 256 = :segment""",
    "INSERT INTO slice SELECT id + :s, bits FROM slice WHERE id / 4096 = :segment",
)


def opened(path: Path) -> History:
    return History.open(path, judge=runs.judge, number=runs.attempts)


def ask(path: Path, tasks: int) -> None:
    history = opened(path)
    now = START + MONTH * tasks / 5_000_000
    history.search(parse(""), now=now)
    needle = f"{tasks // 3 * 7919 % 10**7:07}"
    for title, asked, bar in (("filters, first page", QUESTIONS, 100), ("texts", TEXTS, 300)):
        print(f"{title} (median and longest of 5; the bar is {bar} ms)")
        for written in asked:
            query = parse(written.replace("{needle}", needle))
            took, page = [], None
            for _ in range(5):
                began = time.perf_counter()
                page = history.search(query, now=now)
                took.append((time.perf_counter() - began) * 1000)
            assert page is not None
            took.sort()
            found = f"{len(page.tasks)}{'+' if page.more else ''}"
            late = "" if took[2] < bar else "  LATE"
            said(written or "(all)", f"{took[2]:6.1f} {took[-1]:6.1f} ms, {found} found{late}")
    page = history.search(parse("state:failure"), now=now, limit=200)
    took = []
    for task in page.tasks:
        began = time.perf_counter()
        history.task(task.uuid)
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    said("one task by id", f"{took[len(took) // 2]:.2f} {took[-1]:.2f} ms")
    for title in ("", "state:failure name:send_refund"):
        began = time.perf_counter()
        counted = history.count(parse(title), now=now)
        looked = history.facets(parse(title), now=now)
        ms = (time.perf_counter() - began) * 1000
        said(f"count and facets of {title or '(all)'}", f"{ms:.0f} ms, {counted}, {looked.whole}")
    history.close()


def lives(count: int, seed: int) -> Iterator[list[Change]]:
    """Make batches of applied events, as a busy cluster's fold hands them over."""
    dice = random.Random(seed)
    batch: list[Change] = []
    for number in range(count):
        kind = int(dice.random() ** 2 * len(NAMES))
        queue = kind % len(QUEUES)
        worker, at = WORKERS[queue * 4 + number % 4], time.time()
        task = Task(uuid=str(uuid.UUID(int=dice.getrandbits(128))), first_seen=at, wait=0.2)
        args, kwargs, result = texts(dice, f"{number:07}")

        def event(type_: str, after: float, **fields: object) -> Change:
            made = Event(type_, worker, at + after, uuid=task.uuid, **fields)  # noqa: B023
            return made, task, None  # noqa: B023

        about = {"name": NAMES[kind], "args": args, "kwargs": kwargs, "root_id": task.uuid,
                 "queue": QUEUES[queue], "exchange": "", "routing_key": QUEUES[queue]}  # fmt: skip
        batch.append(event("task-sent", 0.0, **about))
        batch.append(event("task-received", 0.1, **about))
        batch.append(event("task-started", 0.2))
        if dice.random() < 0.05:
            batch.append(event("task-failed", 0.5, exception="Timeout('late')"))
        else:
            batch.append(event("task-succeeded", 0.5, result=result, runtime=0.3))
        if len(batch) >= 500:
            yield batch
            batch = []


def write(path: Path, events: int) -> None:
    """Write events at 10,000 a second; CPU of all but their making."""
    batches = list(lives(events // 4, seed=int(time.time())))
    history = opened(path)
    history.flush()
    cpu, began = cpu_seconds(), time.monotonic()
    for number, batch in enumerate(batches):
        history.write(batch)
        time.sleep(max(0.0, began + (number + 1) * 0.05 - time.monotonic()))
    history.flush()
    took, cpu = time.monotonic() - began, cpu_seconds() - cpu
    written = sum(map(len, batches))
    said("events written", f"{written:,} at {written / took:,.0f}/s, dropped {history.dropped}")
    said("CPU seconds per 1,000 events", f"{cpu / written * 1000:.4f}")
    history.close()


def sizes(path: Path, tasks: int) -> None:
    said("bytes a task on disk", f"{path.stat().st_size / tasks:.0f}")
    db = sqlite3.connect(path)
    try:
        found = db.execute(
            "SELECT name, sum(pgsize) FROM dbstat GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
        )
        for name, size in found:
            said(f"  of these {name}", f"{size / tasks:.0f}")
    except sqlite3.OperationalError:
        said("of these", "not known: this SQLite has no dbstat")
    db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=500_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--seconds", type=float, default=3600.0, help="longest time to fill")
    parser.add_argument("--copy", action="store_true", help="fill up with copies")
    parser.add_argument("--events", type=int, default=100_000, help="to write with a clock")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path: Path = given.file or Path(directory) / "history.db"
        if given.copy:
            copy(path, given.tasks)
        before, began, cpu = stored(path), time.monotonic(), cpu_seconds()
        tasks = fill(path, given.tasks, given.seconds)
        said("tasks in the file", f"{tasks:,}, filled in {time.monotonic() - began:.0f} s")
        if tasks > before:
            used = (cpu_seconds() - cpu) / (tasks - before)
            said("CPU microseconds a task to fill", f"{used * 1e6:.0f}")
        if tasks >= given.tasks:
            sizes(path, tasks)
            ask(path, tasks)
            if given.events:
                write(path, given.events)


if __name__ == "__main__":
    main()
