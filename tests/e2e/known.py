"""A cluster whose every task is known: the events are published, and nothing else moves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from celery import Celery

from tests.conftest import running_redis
from tests.integration.watching import Console, console

TRACEBACK = """\
Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/shop/charge.py", line 12, in charge
    raise Declined(card)
shop.errors.Declined: card {i}
"""


class Known(NamedTuple):
    console: Console
    cluster: Any  # Celery's application, as a client and as workers

    @property
    def url(self) -> str:
        return self.console.url

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    def tasks(self, query: str = "", **parameters: object) -> Any:
        return self.console.get(f"/api/v1/tasks?{urlencode({'query': query, **parameters})}")

    def count(self, query: str = "") -> int:
        return int(self.tasks(query, limit=0)["total"])

    def send(self, *uuids: str, name: str = "shop.mail", queue: str = "mail") -> None:
        """Tell that tasks were sent: one event each."""
        with self.cluster.events.default_dispatcher(hostname="web@shop") as client:
            for uuid in uuids:
                client.send(
                    "task-sent", uuid=uuid, name=name, queue=queue, args="()", kwargs="{}",
                    root_id=uuid, parent_id=None, retries=0,
                )  # fmt: skip

    def fill(self) -> None:
        """Tell of two workers, and of 200 tasks that failed, succeeded or run."""
        for hostname, name, queue, end, count in (
            ("one@shop", "shop.charge", "checkout", "failed", 60),
            ("two@shop", "shop.mail", "mail", "succeeded", 120),
            ("two@shop", "images.resize", "media", "", 20),
        ):
            kind = name.split(".")[1]
            uuids = [f"{kind}-{i:04}" for i in range(count)]
            self.send(*uuids, name=name, queue=queue)
            with self.cluster.events.default_dispatcher(hostname=hostname) as worker:
                worker.send(
                    "worker-heartbeat", freq=600.0, active=0, processed=count, loadavg=[1, 1, 1],
                    sw_ident="py-celery", sw_ver="5.6.0", sw_sys="Linux",
                )  # fmt: skip
                for i, uuid in enumerate(uuids):
                    worker.send("task-received", uuid=uuid, name=name, args=f"({i},)", kwargs="{}")
                    worker.send("task-started", uuid=uuid)
                    if end == "failed":
                        worker.send(
                            "task-failed", uuid=uuid, exception=f"Declined('card {i}')",
                            traceback=TRACEBACK.format(i=i),
                        )  # fmt: skip
                    elif end == "succeeded":
                        worker.send("task-succeeded", uuid=uuid, result="'sent'", runtime=0.01)
        self.console.until(
            f"/api/v1/tasks?{urlencode({'query': 'state:failure,success,started', 'limit': 0})}",
            lambda told: told["total"] == 200,
        )


@contextlib.contextmanager
def running_known(directory: Path) -> Iterator[Known]:
    with running_redis(directory) as broker, console(broker, directory) as ours:
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        cluster = Celery(broker=broker)
        known = Known(ours, cluster)
        known.fill()
        yield known
        cluster.close()
