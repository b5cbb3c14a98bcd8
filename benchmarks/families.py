#!/usr/bin/env python3
"""How long a family of 1,000 tasks takes among millions.

    python benchmarks/history.py --file history.db --tasks 200000 --events 0
    python benchmarks/history.py --file history.db --tasks 5000000 --copy --events 0
    python -m benchmarks.families --file history.db

The family is written behind what is in the file, and sealed into blocks as all else. It is asked for
as the page asks, but for HTTP: found, drawn, encoded. "As if it were the oldest" looks for it in
every block, since it began before them.
"""

from __future__ import annotations

import argparse
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from benchmarks.history import fill, opened, said, stored
from celeryscope.history.rows import id_key
from celeryscope.history.store import Change
from celeryscope.model.actor import Scope
from celeryscope.model.event import Event
from celeryscope.model.task import Task
from celeryscope.web.api.console import NoQuery
from celeryscope.web.api.families import family

_SEALED_BEHIND = 20_000


def lives(size: int, at: float) -> list[Change]:
    """Make a root that sends ten groups, each with a body that is the parent of the next."""
    found: list[Change] = []
    root = parent = str(uuid.uuid4())
    width = max(1, size // 10)

    def tell(ident: str, sender: str | None, at: float, args: str) -> None:
        about: dict[str, Any] = {"name": "shop.family.step", "args": args, "kwargs": "{}",
                                 "root_id": root, "parent_id": sender}  # fmt: skip
        worker = "celery@worker-01.example.com"
        events = (
            Event("task-sent", "gen7@app1", at, uuid=ident, queue="default", **about),
            Event("task-received", worker, at + 0.01, uuid=ident, **about),
            Event("task-started", worker, at + 0.02, uuid=ident),
            Event("task-succeeded", worker, at + 0.5, uuid=ident, result="1", runtime=0.48),
        )
        task = Task(uuid=ident, first_seen=at, wait=0.02)
        found.extend((event, task, None) for event in events)

    tell(root, None, at, "()")
    made = 1
    while made < size:
        last = parent
        for number in range(min(width - 1, size - made)):
            last = str(uuid.uuid4())
            tell(last, parent, at + 0.6 + number / 1000, f"({number},)")
            made += 1
        at += 2
        if made < size:
            listed = ", ".join(["1"] * (width - 1))
            parent = str(uuid.uuid4())
            tell(parent, last, at, f"([{listed}],)")
            made += 1
    return found


def timed(title: str, ask: Callable[[], int], expected: int) -> None:
    took = []
    for _ in range(7):
        began = time.perf_counter()
        found = ask()
        took.append((time.perf_counter() - began) * 1000)
        assert found == expected, (found, expected)
    took.sort()
    said(title, f"{took[3]:6.1f} {took[-1]:6.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--size", type=int, default=1_000)
    given = parser.parse_args()
    history = opened(given.file)
    changes = lives(given.size, time.time())
    root = changes[0][0].uuid or ""
    history.write(changes)
    history.flush()
    history.close()
    tasks = fill(given.file, stored(given.file) + _SEALED_BEHIND, 600.0)
    said("tasks in the file", f"{tasks:,}")
    history = opened(given.file)
    services: Any = SimpleNamespace(
        clock=time.time,
        state=SimpleNamespace(tasks={}, lock=threading.Lock(), mask=None),
        history=history,
        schedules=SimpleNamespace(latest=[]),
        actor=SimpleNamespace(scope=Scope()),
    )

    def asked() -> int:
        told = family(services, {"uuid": root}, NoQuery())
        msgspec.json.encode(told)
        return len(told.tasks)

    print(f"a family of {given.size:,} (median and longest of 7; the bar is 200 ms)")
    timed("as the page asks", asked, given.size)
    timed("found, as if it were the oldest", lambda: len(history.relatives([root]).tasks),
          given.size)  # fmt: skip
    child = next(e.uuid or "" for e, _, _ in reversed(changes) if e.parent_id == root)
    timed("what names one task as its parent", lambda: len(
        history.relatives([child], by="parent").tasks), 2)  # fmt: skip
    with history.reading() as db:
        (rows,) = db.execute("SELECT count(*) FROM task WHERE root = ?", (id_key(root),)).fetchone()
    assert rows == given.size - 1
    history.close()


if __name__ == "__main__":
    main()
