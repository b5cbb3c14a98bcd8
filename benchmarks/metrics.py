#!/usr/bin/env python3
"""What counting and rendering cost: microseconds an event, milliseconds a page.

    python benchmarks/metrics.py [--events 200000]

20 workers, 30 task names, 5 queues; events as the fold hands them over. Not in it: decoding,
the fold, HTTP.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator

from celeryscope.metrics.recorder import Applied, Recorder
from celeryscope.metrics.registry import Metrics
from celeryscope.model.event import Event
from celeryscope.model.task import Task

BATCH = 500
START = 1_000_000.0


def fresh(text: str) -> str:
    """Copy a text, since each event that is decoded has its own."""
    return (text + " ")[:-1]


def applied_events(events: int, *, announced: bool) -> list[Applied]:
    """Make tasks of four events each (three without task-sent); one in twenty fails."""
    dice = random.Random(1)
    workers = [f"worker{number:02}@host{number:02}" for number in range(20)]
    made: list[Applied] = []
    for number in range(events // 4):
        kind = dice.randrange(30)
        worker = dice.choice(workers)
        task = Task(
            uuid=f"task-{number}",
            first_seen=START,
            name=f"app.module{kind % 6}.tasks.task_{kind:02}",
            queue=f"q{kind % 5}" if announced else None,
            worker=worker,
            sent=START if announced else None,
            received=START + 0.1,
            started=START + 0.2,
            wait=dice.random() if announced else None,
        )
        made += [(event, task, None) for event in lives(task, worker, dice, announced)]
    return made


def lives(task: Task, worker: str, dice: random.Random, announced: bool) -> Iterator[Event]:
    def event(type_: str, hostname: str = worker, **fields: object) -> Event:
        return made_event(type_, hostname, task.uuid, **fields)

    if announced:
        yield event("task-sent", f"gen{dice.randrange(4)}@app")
    yield event("task-received")
    yield event("task-started")
    if dice.random() < 0.05:
        yield event("task-failed", exception="ValueError('x')")
    else:
        yield event("task-succeeded", runtime=dice.random() * 3)


def made_event(type_: str, hostname: str, uuid: str, **fields: object) -> Event:
    return Event(fresh(type_), fresh(hostname), START, uuid=uuid, **fields)  # type: ignore[arg-type]


def cpu_of_recording(applied: list[Applied]) -> tuple[Recorder, float]:
    recorder = Recorder()
    began = time.process_time()
    for start in range(0, len(applied), BATCH):
        recorder.record(applied[start : start + BATCH], START + start / 20_000)
    return recorder, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    events: int = parser.parse_args().events
    for announced, what in ((False, "without task-sent"), (True, "with task-sent")):
        applied = applied_events(events, announced=announced)
        best, recorder = 1e9, Recorder()
        for _ in range(3):
            recorder, seconds = cpu_of_recording(applied)
            best = min(best, seconds)
        print(f"record, {what}: {best / len(applied) * 1e6:.2f} µs CPU an event")
    metrics = Metrics(recorder=recorder)
    for openmetrics in (False, True):
        best, page = 1e9, b""
        for _ in range(5):
            began = time.process_time()
            page = metrics.render(openmetrics)
            best = min(best, time.process_time() - began)
        what = "OpenMetrics" if openmetrics else "text"
        lines = page.count(b"\n")
        print(f"render, {what}: {lines:,} lines in {best * 1000:.1f} ms CPU")


if __name__ == "__main__":
    main()
