"""The demo that the tests of the page look at: a real cluster, its page, and its truth."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.demo import Demo
from tests.integration.watching import Console


class Shop(NamedTuple):
    """The demo, and the API of the console over it."""

    demo: Demo
    console: Console
    live_after_seconds: float  # from its start until figures moved on a page

    @property
    def url(self) -> str:
        return self.console.url

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    def overview(self) -> Any:
        return self.console.get("/api/v1/overview")

    def tasks(self, query: str = "", **parameters: object) -> Any:
        """Ask for the tasks that a query of the page's language matches."""
        return self.console.get(f"/api/v1/tasks?{urlencode({'query': query, **parameters})}")

    def task(self, query: str) -> Any:
        """Wait for a task that the query matches; give what the list tells of it."""
        asked = urlencode({"query": query, "limit": 1})
        told = self.console.until(f"/api/v1/tasks?{asked}", lambda told: told["tasks"])
        return told["tasks"][0]

    def count(self, query: str) -> int:
        return int(self.tasks(query, limit=0)["total"])

    def workers(self) -> dict[str, Any]:
        rows = self.console.get("/api/v1/workers")["workers"]
        return {row["hostname"]: row for row in rows}

    def queues(self) -> dict[str, Any]:
        rows = self.console.get("/api/v1/queues")["queues"]
        return {row["name"]: row for row in rows}


@contextlib.contextmanager
def halted(shop: Shop, *commands: str) -> Iterator[None]:
    """Halt the processes of the demo whose command lines hold one of these, as SIGSTOP does."""
    pids = [pid for command in commands for pid in shop.demo.pids(command)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # a pool renews its processes
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def still(shop: Shop) -> Iterator[None]:
    """Hold the cluster's breath: nobody sends an event, so that everything has one value."""
    with halted(shop, "celery --app", "celeryscope.demo.traffic"):
        before: Any = None
        while before != (before := shop.overview()["totals"]):
            time.sleep(0.7)  # longer than the console takes from an event to its counters
        yield
