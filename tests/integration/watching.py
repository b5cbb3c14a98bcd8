"""What integration tests share: our console as a process of its own, and its answers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import REPOSITORY, answers, free_port, running

LOADGEN = REPOSITORY.parent / "shared" / "tools" / "loadgen.py"


class Console(NamedTuple):
    """A running `celeryscope serve` or `exporter`."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def text(self, path: str) -> str:
        """GET a path and give the body, whatever the status."""
        request = urllib.request.Request(self.url + path)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.read().decode()

    def get(self, path: str) -> Any:
        return json.loads(self.text(path))

    def until(
        self, path: str, true: Callable[[Any], object], *, timeout_seconds: float = 20
    ) -> Any:
        """Ask again and again until the answer is what it should be; give it."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            answer = self.get(path)
            if true(answer):
                return answer
            assert time.monotonic() < deadline, f"{path} still says {str(answer)[:2000]}"
            time.sleep(0.1)


@contextlib.contextmanager
def console(
    broker: str,
    directory: Path,
    *options: str,
    command: str = "serve",
    port: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Console]:
    """Run ours against a broker, on a free port."""
    port = port or free_port()
    log = directory / f"console-{port}.log"
    with running(
        [sys.executable, "-m", "celeryscope", command, "--broker", broker, "--port", str(port),
         *options],
        log=log,
        ready=lambda: answers(port, b"GET /health HTTP/1.0\r\n\r\n", b"HTTP/1."),
        env={**os.environ, **(env or {})},
    ) as process:  # fmt: skip
        yield Console(f"http://127.0.0.1:{port}", process, log)


def generate(broker: str, directory: Path, *options: str, seconds: float = 50) -> dict[str, Any]:
    """Publish events with the load generator; give the exact truth of what was published."""
    if not LOADGEN.is_file():
        pytest.skip(f"{LOADGEN} is not there: the load generator is kept beside the repository")
    truth = directory / f"truth-{time.monotonic_ns()}.json"
    subprocess.run(
        [sys.executable, str(LOADGEN), "run", "--url", broker, "--truth", str(truth), *options],
        check=True,
        capture_output=True,
        timeout=seconds,
    )
    made: dict[str, Any] = json.loads(truth.read_text())
    return made


def sent(app: Any, *, count: int = 3, names: Sequence[str] = ("shop.pay",)) -> None:
    """Send events as a client of `app` does, through kombu."""
    with app.events.default_dispatcher() as dispatcher:
        for i in range(count):
            dispatcher.send("task-sent", uuid=f"u{i}", name=names[i % len(names)], queue="celery")
