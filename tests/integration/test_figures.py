"""A real worker's queue and durations, as the console tells them, against what was done."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.conftest import running
from tests.integration.watching import Console, console

PROJECT = """
import os, time
from celery import Celery

app = Celery("project", broker=os.environ["BROKER"])
app.conf.task_default_queue = "work"
app.conf.worker_prefetch_multiplier = 1

@app.task
def nap(seconds):
    time.sleep(seconds)

@app.task
def fail():
    raise ValueError("no")
"""

pytestmark = pytest.mark.timeout(150)


@contextmanager
def worker(directory: Path, broker: str) -> Iterator[None]:
    (directory / "project.py").write_text(PROJECT)
    log = directory / "worker.log"
    command = [
        sys.executable, "-m", "celery", "-A", "project", "worker", "-n", "w1@here", "-c", "2", "-E",
        "--without-mingle", "--without-gossip", "-l", "info",
    ]  # fmt: skip
    with running(
        command,
        log=log,
        ready=lambda: "ready" in log.read_text(),
        env={**os.environ, "BROKER": broker},
        cwd=directory,
        timeout_seconds=60,
    ):
        yield


def within(told: float, values: list[float], share: float) -> bool:
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    return abs(told - exact) <= 0.05 * exact + 1e-4


def tasks(ours: Console, name: str) -> list[dict[str, Any]]:
    answer: dict[str, Any] = ours.get(f"/api/v1/tasks?query=name:{name}&limit=1000")
    return list(answer["tasks"])


def queue(answer: dict[str, Any], name: str = "work") -> dict[str, Any]:
    return next((q for q in answer["queues"] if q["name"] == name), {})


def test_rates_and_quantiles_agree_with_what_a_worker_did(
    redis_server: str, tmp_path: Path
) -> None:
    with (
        console(redis_server, tmp_path) as ours,
        Celery("client", broker=redis_server, set_as_current=False) as app,
    ):
        app.conf.task_send_sent_event = True
        ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "connected")
        naps = [0.2 if i % 10 else 0.6 for i in range(140)]
        for seconds in naps:
            app.send_task("project.nap", (seconds,), queue="work")
        for _ in range(3):
            app.send_task("project.fail", queue="work")
        everything = len(naps) + 3

        # Nobody takes anything: all of it waits, and there is no end in sight.
        full = queue(ours.until("/api/v1/queues", lambda q: queue(q).get("messages") == everything))
        assert (full["sent"], full["taken"], full["workers"]) == (everything, 0, [])
        assert (full["error"], full["drain_seconds"], full["out_per_second"]) == (None, None, 0.0)

        with worker(tmp_path, redis_server):
            draining = queue(
                ours.until(
                    "/api/v1/queues",
                    lambda q: queue(q).get("drain_seconds") and queue(q)["messages"],
                    timeout_seconds=60,
                )
            )
            assert draining["growth_per_second"] < 0
            assert draining["out_per_second"] > 0
            done = ours.until(
                "/api/v1/overview",
                lambda o: (
                    o["totals"].get("task-succeeded") == len(naps)
                    and o["totals"].get("task-failed") == 3
                ),
                timeout_seconds=90,
            )
            assert done["ingest"]["lost"] == 0
            empty = queue(ours.until("/api/v1/queues", lambda q: queue(q).get("messages") == 0))
            assert (empty["sent"], empty["taken"]) == (everything, everything)
            assert empty["drain_seconds"] == 0
            assert max(depth for depth in empty["depths"] if depth is not None) == everything
            ours.until("/api/v1/queues", lambda q: queue(q).get("workers") == ["w1@here"])

            names = {row["name"]: row for row in ours.get("/api/v1/names")["names"]}
            ran = [task["runtime"] for task in tasks(ours, "project.nap")]
            waited = [task["wait"] for task in tasks(ours, "project.nap")]
            row = names["project.nap"]
            assert len(ran) == row["recent_succeeded"] == len(naps)
            for share, told in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
                assert within(row[f"runtime_{told}"], ran, share), told
            assert within(row["wait_p95"], waited, 0.95)
            assert row["runtime_total"] == pytest.approx(sum(ran))
            assert row["runtime_total"] >= sum(naps)
            failed = names["project.fail"]
            assert (failed["recent_failed"], failed["runtime_p50"]) == (3, None)
            assert failed["last_failed"] in {task["uuid"] for task in tasks(ours, "project.fail")}

            told = ours.until("/api/v1/overview", lambda o: o["failing"] and o["slowest"])
            assert [name["name"] for name in told["failing"]] == ["project.fail"]
            assert [name["name"] for name in told["slowest"]] == ["project.nap"]
            steps = [p50 for p50 in told["latency"]["runtime"]["p50"] if p50 is not None]
            assert steps
            assert all(0.95 * min(ran) <= p50 <= 1.05 * max(ran) for p50 in steps)
            beats = ours.get("/api/v1/workers/w1@here")["heartbeats"]
            assert beats["processed"][-1] > 0
            assert len(beats["times"]) == len(beats["active"]) == len(beats["load"])

            # Nobody tells which queue these are sent to; the worker reads from one only.
            app.conf.task_send_sent_event = False

            def one_more_is_taken(answer: dict[str, Any]) -> bool:
                app.send_task("project.nap", (0,), queue="work")
                return bool(queue(answer)["taken"] > everything)

            last = ours.until("/api/v1/queues", one_more_is_taken)
            assert queue(last)["sent"] == everything
