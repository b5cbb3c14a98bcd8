#!/usr/bin/env python3
"""What taking old tasks out costs, and whether events are written meanwhile; backup and export.

    python -m benchmarks.retention [--tasks 200000] [--events 5000]

The tasks are those of benchmarks/history.py, too old all of them; 5 in 100 failed, and are kept.
Events come at `--events` a second. A commit is what `History.flush` waits for.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import history as tasks
from celeryscope.history import backup, transfer
from celeryscope.history.retention import Retention
from celeryscope.history.store import History

DAY = 86_400.0
EVERY_SECONDS = 0.1


@contextmanager
def ingest(history: History, label: str, events_per_second: int) -> Iterator[None]:
    """Write events, and say how long commits took."""
    stop, waits = threading.Event(), [0.0]
    batches = tasks.lives(events_per_second * 60, seed=time.monotonic_ns())
    written = 0

    def write() -> None:
        nonlocal written
        waiting = []
        for batch in batches:
            waiting += batch
            if len(waiting) < events_per_second * EVERY_SECONDS:
                continue
            begun = time.monotonic()
            history.write(waiting)
            written += len(waiting)
            waiting = []
            history.flush()
            waits.append(time.monotonic() - begun)
            if stop.wait(max(0.0, EVERY_SECONDS - waits[-1])):
                return

    thread = threading.Thread(target=write)
    begun = time.monotonic()
    thread.start()
    yield
    stop.set()
    thread.join()
    waits.sort()
    rate = written / (time.monotonic() - begun)
    tasks.said(
        f"{label}: events/s, commits' median, 99th of 100, longest",
        f"{rate:,.0f}, {waits[len(waits) // 2] * 1e3:.0f}, "
        f"{waits[len(waits) * 99 // 100] * 1e3:.0f}, {waits[-1] * 1e3:.0f} ms",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=5_000, help="a second")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = directory / "history.db"
        tasks.fill(path, given.tasks, 3_600.0)
        tasks.said("tasks in the file", f"{given.tasks:,}, {path.stat().st_size / 1e6:,.0f} MB")
        history = tasks.opened(path)
        with ingest(history, "alone", given.events):
            time.sleep(10)
        with ingest(history, "during a backup", given.events):
            begun = time.monotonic()
            for number in range(5):
                backup.copy_history(path, directory / f"copy-{number}.db")
            tasks.said("seconds a copy", f"{(time.monotonic() - begun) / 5:.1f}")
        with ingest(history, "during an export", given.events):
            begun, cpu = time.monotonic(), time.thread_time()
            count = sum(1 for _ in map(transfer.encode, transfer.tasks(history)))
            used = time.thread_time() - cpu
            tasks.said("exported", f"{count:,} in {time.monotonic() - begun:.1f} s")
            tasks.said("CPU microseconds a task", f"{used / count * 1e6:.0f}")
        old = tasks.START + tasks.MONTH * given.tasks / 5_000_000 + DAY
        retention = Retention(
            history, max_age_seconds=DAY, max_age_of={"FAILURE": 0.0}, clock=lambda: old
        )
        with ingest(history, "during retention", given.events):
            begun, cpu = time.monotonic(), time.thread_time()
            gone = retention.prune()
            used = time.thread_time() - cpu
            tasks.said("taken out", f"{gone:,} tasks, {gone / (time.monotonic() - begun):,.0f}/s")
            tasks.said("CPU microseconds a task", f"{used / max(gone, 1) * 1e6:.0f}")
        history.close()
        tasks.said("the file afterwards", f"{path.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
