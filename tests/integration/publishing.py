"""Tasks whose whole life is known, published as Celery's events through a Redis."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import redis

Fields = dict[str, Any]

WORKERS = tuple(f"celery@box{number}" for number in range(4))
_AT_ONCE = 40  # tasks that are on their way at a time


class Life(NamedTuple):
    """A task: what is told of it, one event after the other, and how it ends."""

    uuid: str
    events: tuple[Fields, ...]
    state: str
    texts: Mapping[str, str]  # of `model.task.Task`
    attempts: int


def life(dice: random.Random, number: int) -> Life:
    """Make a task that succeeds, fails, is tried again and succeeds, or is revoked."""
    ident = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    texts = {"args": f"('order-{number}', {dice.getrandbits(40)})", "kwargs": "{'note': 'tea'}"}
    about = {"name": f"shop.pay_{number % 7}", **texts, "root_id": ident, "parent_id": None}
    worker = dice.choice(WORKERS)
    kind = dice.choice(("succeeded", "succeeded", "failed", "retried", "revoked"))
    sent = {"type": "task-sent", "hostname": "gen1@web", "queue": "celery", "retries": 0, **about}
    received = {"type": "task-received", "hostname": worker, "retries": 0, **about}
    started = {"type": "task-started", "hostname": worker}
    told: list[Fields] = [sent, received, started]
    if kind == "retried":
        again = dice.choice(WORKERS)
        told += [
            {"type": "task-retried", "hostname": worker, "exception": f"Again({number})",
             "traceback": f"again at {number}"},
            {**sent, "hostname": "gen2@web", "retries": 1},
            {**received, "hostname": again, "retries": 1},
            {"type": "task-started", "hostname": again},
        ]  # fmt: skip
        worker, kind = again, "succeeded"
    attempts = 1 + (len(told) > 3)
    if kind == "succeeded":
        texts["result"] = f"{{'paid': {number}}}"
        told.append({"type": "task-succeeded", "hostname": worker, "runtime": 0.5,
                     "result": texts["result"]})  # fmt: skip
    elif kind == "failed":
        texts |= {"exception": f"Refused('card {number}')", "traceback": f"File pay.py, {number}\n"}
        told.append({"type": "task-failed", "hostname": worker, "exception": texts["exception"],
                     "traceback": texts["traceback"]})  # fmt: skip
    else:
        told.append({"type": "task-revoked", "hostname": worker, "terminated": True,
                     "signum": "15", "expired": False})  # fmt: skip
    state = {"succeeded": "SUCCESS", "failed": "FAILURE", "revoked": "REVOKED"}[kind]
    events = tuple({"uuid": ident, **event} for event in told)
    return Life(ident, events, state, texts, attempts)


def packed(events: Sequence[Fields]) -> str:
    """Give events as Celery and kombu send several of them."""
    body = base64.b64encode(json.dumps(list(events)).encode()).decode()
    return json.dumps(
        {"body": body, "content-type": "application/json", "content-encoding": "utf-8",
         "headers": {}, "properties": {"body_encoding": "base64"}}
    )  # fmt: skip


class Traffic:
    """Publishes lives, a few dozen of them at a time, in a thread; `stop` ends it at once."""

    def __init__(self, url: str, *, seed: int, events_per_second: float) -> None:
        self.lives: list[Life] = []  # that were begun
        self.events = 0  # published
        self.ends: dict[str, int] = {}  # by id of a task that ended: the number of its last event
        self._url = url
        self._dice = random.Random(seed)
        self._rate = events_per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def done(self, events: int) -> list[Life]:
        """Give the tasks all of whose events are among the first so many."""
        ends = self.ends.copy()
        return [one for one in list(self.lives) if ends.get(one.uuid, events) < events]

    def _run(self) -> None:
        began, batch = time.monotonic(), []
        with redis.Redis.from_url(self._url) as client:
            for event in self._events():
                batch.append(event)
                if len(batch) == 8:
                    client.publish("/0.celeryev/task.multi", packed(batch))
                    self.events += len(batch)
                    batch = []
                    ahead = self.events / self._rate - (time.monotonic() - began)
                    if self._stop.wait(max(0.0, ahead)):
                        return

    def _events(self) -> Iterator[Fields]:
        on_their_way: list[tuple[Life, int]] = []
        made, base = 0, self._dice.getrandbits(32) << 8
        while True:
            while len(on_their_way) < _AT_ONCE:
                one = life(self._dice, base + len(self.lives))
                self.lives.append(one)
                on_their_way.append((one, 0))
            chosen = self._dice.randrange(_AT_ONCE)
            one, told = on_their_way.pop(chosen)
            if told + 1 < len(one.events):
                on_their_way.append((one, told + 1))
            else:
                self.ends[one.uuid] = made
            made += 1
            now = time.time()
            yield {**one.events[told], "timestamp": now, "utcoffset": 0, "pid": 7, "clock": made}
