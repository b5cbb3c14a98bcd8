"""Events by hand, a real fold behind them, and prometheus_client to read the page back."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from celeryscope.cluster.state import ClusterState
from celeryscope.metrics.recorder import Recorder
from celeryscope.metrics.registry import Metrics
from celeryscope.model.event import Event

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
Truth = Counter[tuple[str, str, str, str]]  # (event type, task, queue, sender) -> events

WORKER = "celery@web1"
CLIENT = "gen7@app1"


class Feed:
    """Folds events and records them, as the console does."""

    def __init__(self, *, now: float = 1_000_000.0, **options: Any) -> None:
        self.now = now
        self.state = ClusterState()
        self.recorder = Recorder(**options)

    def send(self, *events: Event) -> None:
        """Fold and record events as one batch that arrives now."""
        with self.state.lock:
            applied = self.state.apply(events, self.now)
        self.recorder.record(applied, self.now)

    def each(self, *events: Event) -> None:
        """Fold and record events as one batch each."""
        for event in events:
            self.send(event)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.recorder.tick(self.now)

    def page(self, *, openmetrics: bool = False) -> str:
        return Metrics(recorder=self.recorder).render(openmetrics).decode()

    def samples(self) -> Samples:
        """Return what the page says, but for how often it was rendered."""
        read = samples(self.page())
        return {key: value for key, value in read.items() if "_metrics_render" not in key[0]}

    def value(self, name: str, /, **labels: str) -> float | None:
        return self.samples().get((name, frozenset(labels.items())))

    def total(self, name: str, /, **labels: str) -> float:
        return total(self.samples(), name, **labels)

    def event(self, type_: str, uuid: str = "u1", **fields: Any) -> Event:
        fields.setdefault("hostname", CLIENT if type_ == "task-sent" else WORKER)
        fields.setdefault("timestamp", self.now)
        return Event(type=type_, uuid=uuid, **fields)

    def sent(self, uuid: str = "u1", name: str = "a.add", queue: str = "q", **fields: Any) -> Event:
        return self.event("task-sent", uuid, name=name, queue=queue, **fields)

    def received(self, uuid: str = "u1", name: str = "a.add", **fields: Any) -> Event:
        return self.event("task-received", uuid, name=name, **fields)

    def started(self, uuid: str = "u1", **fields: Any) -> Event:
        return self.event("task-started", uuid, **fields)

    def succeeded(self, uuid: str = "u1", *, runtime: float = 0.2, **fields: Any) -> Event:
        return self.event("task-succeeded", uuid, runtime=runtime, **fields)

    def failed(self, uuid: str = "u1", *, exception: str = "KeyError('x')", **fields: Any) -> Event:
        return self.event("task-failed", uuid, exception=exception, **fields)

    def run(self, uuid: str = "u1", name: str = "a.add", queue: str = "q", **fields: Any) -> None:
        """Let one task run from its sending to its success."""
        self.each(
            self.sent(uuid, name, queue),
            self.received(uuid, name, **fields),
            self.started(uuid, **fields),
            self.succeeded(uuid, **fields),
        )


def samples(page: str, *, openmetrics: bool = False) -> Samples:
    """Read a page with prometheus_client. No series may stand twice on it."""
    read: Samples = {}
    parse: Callable[[str], Iterable[Any]] = parse_openmetrics if openmetrics else parse_text
    for family in parse(page):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in read, f"twice on the page: {key}"
            read[key] = sample.value
    return read


def total(read: Samples, name: str, /, **labels: str) -> float:
    """Sum the samples of a name that have these labels, as PromQL's sum() does."""
    wanted = set(labels.items())
    return sum(value for (found, have), value in read.items() if found == name and wanted <= have)


def random_cluster(
    *,
    seed: int,
    tasks: int,
    workers: int = 4,
    names: int = 6,
    queues: int = 3,
    start: float = 1_000_000.0,
) -> tuple[list[Event], Truth]:
    """Make the events of a busy cluster in the order of their times, and count them.

    One name always goes to one queue. A tenth of the tasks are retried once under their id, on
    any worker; others fail, are revoked or rejected.
    """
    dice = random.Random(seed)
    events: list[Event] = []
    truth: Truth = Counter()

    def emit(type_: str, at: float, host: str, uuid: str, task: int, **fields: Any) -> None:
        events.append(Event(type=type_, hostname=host, timestamp=at, uuid=uuid, **fields))
        truth[type_, f"app.task{task}", f"q{task % queues}", host] += 1

    def attempt(uuid: str, task: int, at: float, retries: int) -> None:
        name, queue = f"app.task{task}", f"q{task % queues}"
        client = f"gen{dice.randrange(3)}@app{dice.randrange(2)}"
        worker = f"w{dice.randrange(workers)}@host{dice.randrange(workers) // 2}"
        emit("task-sent", at, client, uuid, task, name=name, queue=queue, retries=retries)
        emit("task-received", at + 0.001, worker, uuid, task, name=name, retries=retries)
        chance = dice.random()
        if chance < 0.05:
            emit("task-revoked", at + 0.01, worker, uuid, task)
            return
        emit("task-started", at + 0.02, worker, uuid, task)
        end = at + 0.02 + dice.random()
        if chance < 0.15 and not retries:
            emit("task-retried", end, worker, uuid, task, exception="Retry('later')")
            attempt(uuid, task, end + 0.01, retries + 1)
        elif chance < 0.3:
            exception = dice.choice(["KeyError('x')", "ValueError(1)", "odd"])
            emit("task-failed", end, worker, uuid, task, exception=exception)
            if chance < 0.2:
                emit("task-rejected", end + 0.001, worker, uuid, task)
        else:
            emit("task-succeeded", end, worker, uuid, task, runtime=end - at - 0.02)

    for number in range(tasks):
        attempt(f"{seed}-{number}", dice.randrange(names), start + number * 0.01, 0)
    events.sort(key=lambda event: event.timestamp)
    return events, truth
