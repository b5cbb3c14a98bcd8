"""A secret on the command line is not in the process' title once it runs."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import answers, free_port, need, running, running_redis
from tests.integration.watching import Console

pytestmark = pytest.mark.timeout(60)

PASSWORD = "s3cretOnTheLine"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that wants a password."""
    directory = tmp_path_factory.mktemp("redis")
    with running_redis(directory, "--requirepass", PASSWORD) as url:
        yield url.replace("redis://", f"redis://:{PASSWORD}@")


@contextlib.contextmanager
def started(
    directory: Path, port: int, *arguments: str, cwd: Path | None = None
) -> Iterator[Console]:
    log = directory / "console.log"
    with running(
        arguments,
        log=log,
        cwd=cwd,
        ready=lambda: answers(port, b"GET /health HTTP/1.0\r\n\r\n", b"HTTP/1."),
    ) as process:
        yield Console(f"http://127.0.0.1:{port}", process, log)


def title(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def family(pid: int) -> list[int]:
    """Give a process and all it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [pid]
    if children.is_file():
        for child in children.read_text().split():
            found += family(int(child))
    return found


def connected(ours: Console) -> bool:
    with urllib.request.urlopen(ours.url + "/metrics", timeout=10) as answer:
        page: str = answer.read().decode()
    return "celeryscope_broker_connected 1" in page or "celeryscope_up 1" in page


@pytest.mark.parametrize(
    "form",
    ["serve --broker URL", "serve --broker=URL", "exporter --broker-url URL", "serve more"],
)
def test_the_title_of_our_commands_has_no_secret(form: str, broker: str, tmp_path: Path) -> None:
    need(Path("/proc/self/cmdline").exists(), "there is no /proc here")
    port = free_port()
    options: Sequence[str] = form.replace("URL", broker).split()
    if form == "serve more":
        options = [
            "serve", "--broker", broker, "--broker_api", f"http://u:{PASSWORD}@127.0.0.1:1/api/",
            "--basic-auth", f"ada:{PASSWORD}", f"--cookie_secret={PASSWORD * 3}",
            "--result-backend", broker,
        ]  # fmt: skip
    command = [sys.executable, "-m", "celeryscope", *options, f"--port={port}"]
    command += [] if options[0] == "exporter" else ["--data-dir", str(tmp_path / "data")]
    with started(tmp_path, port, *command) as ours:
        for pid in family(ours.process.pid):
            assert PASSWORD not in " ".join(title(pid))
        shown = title(ours.process.pid)
        assert f"--port={port}" in shown, "what is no secret stays"
        assert options[0] in shown
        deadline = time.monotonic() + 15
        while "events from" not in ours.log.read_text():
            assert time.monotonic() < deadline, ours.log.read_text()
            time.sleep(0.05)
        if form == "serve more":  # the login that was given is the one that lets in
            request = urllib.request.Request(ours.url + "/api/v1/overview")
            request.add_header("Authorization", "Basic " + _basic(f"ada:{PASSWORD}"))
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert json.load(answer)["broker"]["transport"] == "redis"
        assert PASSWORD not in ours.log.read_text()


@pytest.mark.parametrize("command", ["history info", "tasks state:failed"])
def test_the_title_of_a_command_on_the_history_has_no_secret(command: str, tmp_path: Path) -> None:
    need(Path("/proc/self/cmdline").exists(), "there is no /proc here")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a PostgreSQL that says nothing
        url = f"postgresql://u:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=30"
        process = subprocess.Popen(
            [sys.executable, "-m", "celeryscope", *command.split(), "--history", url],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            silent.settimeout(30)
            with silent.accept()[0]:
                shown = title(process.pid)
                assert PASSWORD not in " ".join(shown)
                assert command.split()[0] in shown
        finally:
            process.kill()
            process.wait()


def _basic(login: str) -> str:
    import base64

    return base64.b64encode(login.encode()).decode()


@pytest.mark.parametrize("relative", [False, True])
def test_the_title_of_celerys_command_has_no_secret_wherever_it_runs(
    relative: bool, broker: str, tmp_path: Path
) -> None:
    need(Path("/proc/self/cmdline").exists(), "there is no /proc here")
    project = tmp_path / "project"
    project.mkdir()
    (project / "proj.py").write_text("from celery import Celery\napp = Celery('proj')\n")
    port = free_port()
    celery = [sys.executable, "-m", "celery"]
    where = ["--workdir", "project" if relative else str(project)]
    with started(
        tmp_path, port, *celery, *where, "-A", "proj", "-b", broker, f"--result-backend={broker}",
        "scope", f"--port={port}", "--data-dir", str(tmp_path / "data"), cwd=tmp_path,
    ) as ours:  # fmt: skip
        assert PASSWORD not in " ".join(title(ours.process.pid))
        told = ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        assert PASSWORD not in json.dumps(told)
        assert PASSWORD not in ours.log.read_text()
