"""A console with a past: far more tasks in its history than in its memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from celery import Celery

from celeryscope.cluster import runs
from celeryscope.cluster.state import ClusterState
from celeryscope.history.store import History
from celeryscope.model.event import Event
from tests.conftest import running_redis
from tests.integration.watching import Console, console

TASKS: Final = 3_000  # in the history from the start on
IN_MEMORY: Final = 300
APART_SECONDS: Final = 20.0  # between two tasks
RETRIED: Final = "retried-task"


class Past(NamedTuple):
    """The console, what it reads from, and where it keeps its data."""

    console: Console
    broker: str
    directory: Path
    newest: float  # epoch seconds: when the last of the tasks ended

    @property
    def url(self) -> str:
        return self.console.url

    def count(self, query: str) -> int:
        """How many tasks of the history match."""
        asked = urlencode({"query": query})
        told: int = self.console.get(f"/api/v1/history/count?{asked}")["total"]
        return told

    def kept(self, query: str, **parameters: object) -> list[Any]:
        asked = urlencode({"query": query, "limit": 500, **parameters})
        tasks: list[Any] = self.console.get(f"/api/v1/history/tasks?{asked}")["tasks"]
        return tasks


def uuid_of(number: int) -> str:
    """Give the id of the task of that number; the newest has the highest."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def a_life(number: int, ended: float) -> Iterable[Event]:
    uuid, worker = uuid_of(number), f"worker-{number % 3}@past"
    name = ("shop.charge", "shop.mail", "images.resize")[number % 3]
    yield Event(
        "task-received", worker, ended - 2, uuid=uuid, name=name, args=f"({number},)", kwargs="{}"
    )
    yield Event("task-started", worker, ended - 1, uuid=uuid)
    if number % 10 == 0:
        yield Event(
            "task-failed", worker, ended, uuid=uuid, exception=f"Declined('card {number}')",
            traceback="Traceback (most recent call last):\nDeclined",
        )  # fmt: skip
    else:
        yield Event("task-succeeded", worker, ended, uuid=uuid, result="'done'", runtime=1.0)


def a_retried_life(ended: float) -> Iterable[Event]:
    for retries in range(3):
        at, worker = ended - 30 + 10 * retries, f"worker-{retries}@past"
        told = {"uuid": RETRIED, "name": "shop.charge", "retries": retries}
        yield Event("task-received", worker, at, args="()", kwargs="{}", **told)  # type: ignore[arg-type]
        yield Event("task-started", worker, at + 1, uuid=RETRIED)
        if retries < 2:
            yield Event(
                "task-retried", worker, at + 2, uuid=RETRIED,
                exception=f"Busy('attempt {retries}')",
                traceback="Traceback (most recent call last):\nBusy",
            )  # fmt: skip
    yield Event("task-succeeded", worker, ended, uuid=RETRIED, result="'at last'", runtime=2.0)


def fill(path: Path, newest: float, tasks: int) -> None:
    """Write what a console would have written that had watched all of it."""
    history = History.open(path, judge=runs.judge, number=runs.attempts)
    state = ClusterState(max_tasks=tasks * 2)
    history.write(state.apply(list(a_retried_life(newest - 2_500.5 * APART_SECONDS)), newest))
    for number in range(tasks):
        ended = newest - (tasks - 1 - number) * APART_SECONDS
        history.write(state.apply(list(a_life(number, ended)), ended))
    history.flush()
    history.close()


@contextlib.contextmanager
def running_past(directory: Path, *, tasks: int = TASKS) -> Iterator[Past]:
    data = directory / "data"
    data.mkdir(mode=0o700)
    newest = time.time() - 3_600
    fill(data / "history.db", newest, tasks)
    with running_redis(directory) as broker, watching(broker, directory) as ours:
        yield Past(ours, broker, directory, newest)


@contextlib.contextmanager
def watching(broker: str, directory: Path, *, port: int | None = None) -> Iterator[Console]:
    """Run a console over that data."""
    options = ("--data-dir", str(directory / "data"), "--max-tasks", str(IN_MEMORY))
    with console(broker, directory, *options, port=port) as ours:
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        yield ours


def tell(broker: str, *uuids: str, name: str = "shop.new") -> None:
    """Tell that tasks were sent: one event each."""
    app = Celery(broker=broker)
    with contextlib.closing(app), app.events.default_dispatcher(hostname="web@past") as client:
        for uuid in uuids:
            client.send("task-sent", uuid=uuid, name=name, queue="new", args="()", kwargs="{}")
