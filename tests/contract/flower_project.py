"""The Celery project that Flower and Celeryscope look at side by side."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

from celery import Celery
from celery.exceptions import Reject

app = Celery("contract", broker=os.environ.get("CONTRACT_BROKER", "memory://"))
app.conf.update(
    result_backend=os.environ.get("CONTRACT_RESULTS") or None,
    worker_pool_restarts=bool(os.environ.get("CONTRACT_POOL_RESTARTS")),
    worker_send_task_events=True,
    task_send_sent_event=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_routes={"contract.lost": {"queue": "nobody"}},
)
# Not shared with every app of the process: the tests load this module more than once, and Celery
# warns of the second task of a name.
task = partial(app.task, shared=False)


@task(name="contract.add")
def add(x: int, y: int = 0) -> int:
    return x + y


@task(name="contract.greet")
def greet(whom: str, **more: Any) -> str:
    return f"Grüße, {whom} <{more}>"


@task(name="contract.fail")
def fail(why: str) -> None:
    raise ValueError(why)


@task(name="contract.nap")
def nap(seconds: float) -> None:
    time.sleep(seconds)


@task(name="contract.again", bind=True, max_retries=2)
def again(self: Any, successes_after: int) -> str:
    if self.request.retries < successes_after:
        raise self.retry(countdown=0.2, exc=RuntimeError("not yet"))
    return "at last"


@task(name="contract.refuse", acks_late=True)
def refuse() -> None:
    raise Reject("not for me", requeue=False)


@task(name="contract.parent")
def parent(children: int) -> None:
    for number in range(children):
        add.delay(number, y=1)
        time.sleep(0.05)


@task(name="contract.progress", bind=True)
def progress(self: Any) -> None:
    self.send_event("task-progress", percent=50)
    time.sleep(0.1)


@task(name="contract.lost")
def lost() -> None:
    """Nobody consumes its queue."""
