"""The commands as people run them: processes, with a real Redis behind them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import answers, free_port, running, running_redis

CELERYSCOPE = [sys.executable, "-m", "celeryscope"]
PROJECT = """
import celery

app = celery.Celery("project", broker={url!r})
app.conf.task_default_queue = "main"
"""


def answering(port: int) -> Callable[[], bool]:
    return lambda: answers(port, b"GET /healthcheck HTTP/1.0\r\n\r\n", b"HTTP/1.1 ")


def get(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)


def environment(**more: str) -> dict[str, str]:
    ours = ("CELERY_", "CELERYSCOPE_", "FLOWER_", "CE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | more


def broker_state(port: int) -> str:
    return str(get(port, "/api/v1/overview").json()["broker"]["state"])


def wait_for_state(port: int, state: str, *, timeout_seconds: float = 20) -> None:
    deadline = time.monotonic() + timeout_seconds
    while (found := broker_state(port)) != state:
        assert time.monotonic() < deadline, f"the broker is {found}, not {state}"
        time.sleep(0.1)


@pytest.mark.parametrize("way", ["serve", "scope", "exporter"])
def test_three_ways_in_answer_and_end_on_request(
    way: str, redis_server: str, tmp_path: Path
) -> None:
    port = free_port()
    project = tmp_path / "project.py"
    project.write_text(PROJECT.format(url=redis_server))
    command = {
        "serve": [*CELERYSCOPE, "serve", "--broker", redis_server],
        "exporter": [*CELERYSCOPE, "exporter", "--broker", redis_server],
        "scope": [sys.executable, "-m", "celery", "-A", "project", "scope"],
    }[way]
    log = tmp_path / "log"
    with running(
        [*command, "--port", str(port)],
        log=log,
        ready=answering(port),
        env=environment(),
        cwd=tmp_path,
    ) as process:
        assert get(port, "/healthcheck").text == "OK"
        assert "celeryscope_build_info" in get(port, "/metrics").text
        assert get(port, "/api/v1/overview").status_code == (404 if way == "exporter" else 200)
        if way == "scope":
            wait_for_state(port, "connected")
            queues = get(port, "/api/v1/overview").json()["queues"]
            assert [queue["name"] for queue in queues] == ["main"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert "Traceback" not in log.read_text()


def test_a_broker_that_is_down_at_the_start_is_shown_and_connected_to_when_it_comes(
    tmp_path: Path,
) -> None:
    port, broker_port = free_port(), free_port()
    url = f"redis://127.0.0.1:{broker_port}/0"
    with running(
        [*CELERYSCOPE, "serve", "--broker", url, "--port", str(port)],
        log=tmp_path / "log",
        ready=answering(port),
        env=environment(),
        cwd=tmp_path,
    ):
        wait_for_state(port, "disconnected")
        assert "refused" in get(port, "/api/v1/overview").json()["broker"]["error"].lower()
        with running_redis(tmp_path, port=broker_port):
            wait_for_state(port, "connected")


def test_flowers_variables_and_file_do_what_they_did(redis_server: str, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "flowerconfig.py").write_text("max_tasks = 77\npersistent = True\n")
    log = tmp_path / "log"
    with running(
        [*CELERYSCOPE, "serve", "--broker", redis_server],
        log=log,
        ready=answering(port),
        env=environment(FLOWER_PORT=str(port)),
        cwd=tmp_path,
    ):
        assert get(port, "/api/v1/overview").json()["ingest"]["tasks_limit"] == 77
    said = log.read_text()
    assert "Settings are read from flowerconfig.py" in said
    assert said.count("Without a meaning here, and ignored: ") == 1


def test_a_taken_port_is_told_with_the_way_out(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        taken = url.rpartition(":")[2].partition("/")[0]
        ran = subprocess.run(
            [*CELERYSCOPE, "serve", "--broker", url, "--port", taken],
            env=environment(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert ran.returncode == 1
    assert f"127.0.0.1:{taken} is already in use" in ran.stderr
    assert "--port" in ran.stderr
    assert "Traceback" not in ran.stderr
