"""Servers, watched programs and the load generator, and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
LOADGEN = Path(
    os.environ.get("CELERYSCOPE_LOADGEN", REPOSITORY.parent / "shared" / "tools" / "loadgen.py")
)
FLEET = ["--workers", "20", "--names", "30", "--queues", "5"]
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def needed(program: str, package: str) -> str:
    """Give the path of a program, or end with what to install."""
    found = shutil.which(program) or shutil.which(program, path="/usr/lib/rabbitmq/bin")
    if found is None:
        raise SystemExit(f"{program} is not installed: apt-get install {package}")
    return found


class Watched:
    """A program that watches the broker, and what it costs."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICKS

    def memory_mb(self) -> float:
        """Resident memory now, in MB of 2^20 bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return str(answer.read().decode())

    def get(self, path: str) -> Any:
        return json.loads(self.text(path))

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def started(
    command: Sequence[str], *, port: int, log: Path, path: str = "/", **options: Any
) -> Iterator[Watched]:
    """Run a server until the end of the block; it is up when its port is."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **options
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Watched(process, f"http://127.0.0.1:{port}", log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def redis(directory: Path) -> Iterator[str]:
    """A Redis as it is shipped, but for persistence."""
    port = free_port()
    command = [needed("redis-server", "redis-server"), "--port", str(port), "--save", ""]
    with started([*command, "--dir", str(directory)], port=port, log=directory / "redis.log"):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def rabbitmq(directory: Path) -> Iterator[str]:
    """A RabbitMQ node of its own."""
    port, epmd_port = free_port(), free_port()
    (directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    (directory / "plugins").write_text("[].\n")
    (directory / "env.conf").write_text("")
    env = {
        **os.environ,
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(epmd_port),
        "RABBITMQ_NODENAME": f"bench-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "env.conf"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
    }
    # The script in this directory runs as anyone; the one on PATH wants the user rabbitmq.
    server = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")
    command = [server or needed("rabbitmq-server", "rabbitmq-server")]
    try:
        with started(command, port=port, log=directory / "rabbitmq.log", env=env, cwd=directory):
            time.sleep(3)  # it listens a moment before it is ready
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        subprocess.run(["epmd", "-kill"], env=env, capture_output=True, check=False)


@contextlib.contextmanager
def ours(broker: str, directory: Path, *options: str, feed: bool = True) -> Iterator[Watched]:
    """Celeryscope as people run it, with one page open on it."""
    port = free_port()
    command = [sys.executable, "-m", "celeryscope", "serve", "--broker", broker, *options]
    command += ["--data-dir", str(directory / "data"), "--port", str(port)]
    with started(command, port=port, log=directory / "celeryscope.log") as watched:
        wait_connected(watched)
        if not feed:
            yield watched
            return
        with page_feed(watched):
            yield watched


def wait_connected(watched: Watched) -> None:
    deadline = time.monotonic() + 30
    while watched.get("/api/v1/overview")["broker"]["state"] != "connected":
        if time.monotonic() > deadline:
            raise SystemExit("it did not connect to the broker")
        time.sleep(0.1)


@contextlib.contextmanager
def page_feed(watched: Watched) -> Iterator[list[int]]:
    """Read the live stream as an open page does; the list holds the bytes it got."""
    got = [0]
    request = urllib.request.Request(
        watched.url + "/api/v1/live?topics=overview,grid&view=",
        headers={"Accept-Encoding": "gzip"},
    )
    answer = urllib.request.urlopen(request, timeout=120)

    def read() -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            while data := answer.read1(65536):
                got[0] += len(data)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield got


@contextlib.contextmanager
def flower(broker: str, directory: Path, *options: str) -> Iterator[Watched | None]:
    """Flower on the same broker; None when it is not installed."""
    program = os.environ.get("CELERYSCOPE_FLOWER", str(Path(sys.executable).parent / "celery"))
    python = Path(program).parent / "python"
    probe = subprocess.run([python, "-c", "import flower"], capture_output=True, check=False)
    if probe.returncode:
        yield None
        return
    port = free_port()
    command = [program, "--broker", broker, "flower", "--address=127.0.0.1", f"--port={port}"]
    command += options
    env = {**os.environ, "FLOWER_UNAUTHENTICATED_API": "true"}
    with started(command, port=port, log=directory / "flower.log", env=env) as watched:
        time.sleep(3)
        yield watched


def generate(broker: str, directory: Path, *options: str) -> dict[str, Any]:
    """Publish with the load generator, as another process; give the truth."""
    if not LOADGEN.is_file():
        raise SystemExit(f"{LOADGEN} is not there: name the load generator: CELERYSCOPE_LOADGEN=…")
    truth = directory / "truth.json"
    subprocess.run(
        [sys.executable, str(LOADGEN), "run", "--url", broker, "--truth", str(truth), *FLEET,
         *options],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    made: dict[str, Any] = json.loads(truth.read_text())
    return made


def directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="celeryscope-bench-", ignore_cleanup_errors=True)


class LagWatch:
    """The longest lag of events while a block runs, in seconds: asked four times a second."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.longest = 0.0

    def __enter__(self) -> LagWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            lag = self._watched.get("/api/v1/ingest")["lag_seconds"]
            self.longest = max(self.longest, lag)
