"""Lives of tasks as events, made by dice."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

from celeryscope.cluster import runs
from celeryscope.history.store import Change, History
from celeryscope.model.event import Event
from celeryscope.model.task import Task

START = 1_795_000_000.0
NAMES = [f"shop.module{i % 3}.tasks.task_{i:02}" for i in range(7)]
WORKERS = [f"celery@web{i}" for i in range(4)]


def opened(path: Path | str, **options: float) -> History:
    return History.open(path, judge=runs.judge, number=runs.attempts, **options)  # type: ignore[arg-type]


def changes(events: list[Event]) -> list[Change]:
    """Make events look as the fold gives them."""
    found: list[Change] = []
    for event in events:
        task = Task(uuid=event.uuid or "", first_seen=START)
        if event.type == "task-started":
            task.wait = 0.25 * (int(event.timestamp * 4) % 9)
        found.append((event, task, None))
    return found


def life(dice: random.Random, number: int) -> Iterator[Event]:
    """Make one task's events: most run once, some again, some not to an end."""
    root = str(uuid.UUID(int=dice.getrandbits(128))) if dice.random() < 0.8 else f"job-{number}"
    at = START + number * 0.25
    kind = dice.randrange(len(NAMES))
    worker = WORKERS[(kind + dice.randrange(2)) % len(WORKERS)]
    about = {
        "name": NAMES[kind],
        "args": f"('order-{dice.randrange(10**5):05}', {number}, 'Größe')",
        "kwargs": f"{{'user': {dice.randrange(50)}, 'note': 'tea {dice.choice('abc')}'}}",
        "root_id": root if dice.random() < 0.7 else f"root-{number // 4}",
        "parent_id": f"root-{number // 4}" if dice.random() < 0.3 else None,
    }
    if dice.random() < 0.6:
        yield Event(
            "task-sent", f"gen{number % 3}@app", at, uuid=root, queue=f"q{kind % 3}",
            exchange="", routing_key=f"q{kind % 3}", **about,  # type: ignore[arg-type]
        )  # fmt: skip
    runs_ = dice.choice((1, 1, 1, 1, 2, 3))
    for retries in range(runs_):
        at += 0.25 * dice.randrange(1, 4)
        if dice.random() < 0.95:
            yield Event("task-received", worker, at, uuid=root, retries=retries, **about)  # type: ignore[arg-type]
        if dice.random() < 0.05:
            return
        at += 0.25 * dice.randrange(1, 4)
        yield Event("task-started", worker, at, uuid=root)
        if dice.random() < 0.05:
            yield Event("task-progress", worker, at + 0.25, uuid=root)
        if dice.random() < 0.05:
            return
        ran = 0.25 * dice.randrange(1, 200)
        at += ran
        if retries < runs_ - 1:
            yield Event("task-retried", worker, at, uuid=root, exception="Retry()",
                        traceback="File retry.py")  # fmt: skip
        elif dice.random() < 0.25:
            yield Event("task-failed", worker, at, uuid=root,
                        exception=f"Timeout('card {number % 9}')",
                        traceback=f'File "shop/orders.py", line {number % 30}')  # fmt: skip
        elif dice.random() < 0.05:
            yield Event("task-revoked", worker, at, uuid=root, terminated=True, signum=15)
        else:
            yield Event("task-succeeded", worker, at, uuid=root, runtime=ran,
                        result=f"'paid {dice.randrange(1000)}'")  # fmt: skip


def stream(seed: int, tasks: int) -> list[Event]:
    dice = random.Random(seed)
    return [event for number in range(tasks) for event in life(dice, number)]
