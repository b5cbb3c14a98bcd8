"""A demo to test with: `with running_demo(tmp_path, port=...) as demo: ... demo.page_url`."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

# With another program in place of our console.
START = """
import sys
from celeryscope.demo import run
from celeryscope.errors import CeleryscopeError
try:
    sys.exit(run(port=int(sys.argv[1]), console=sys.argv[2:]))
except CeleryscopeError as error:
    sys.exit(str(error))
"""


class Demo:
    """A demo that runs as a process of its own and keeps everything below `directory`."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.directory = directory
        self.process = process
        self.page_url = f"http://127.0.0.1:{port}/"

    @property
    def output(self) -> str:
        return (self.directory / "demo.out").read_text()

    @property
    def broker_url(self) -> str:
        """Known once the demo has said its start text."""
        until(lambda: "Broker" in self.output, seconds=10, otherwise=lambda: self.output)
        found = re.search(r"redis://\S+", self.output)
        assert found is not None
        return found[0]

    def await_output(self, text: str, *, seconds: float) -> None:
        until(lambda: text in self.output, seconds=seconds, otherwise=lambda: self.output)

    def processes(self) -> dict[int, str]:
        """Everything that the demo started and that still lives: pid -> command line.

        They are known by where they run, which no process of theirs changes.
        """
        found = {}
        for entry in Path("/proc").iterdir():
            # Gone meanwhile, or a zombie, or not ours to look at.
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str((entry / "cwd").readlink()).startswith(
                    str(self.directory)
                ):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(entry.name)] = command
        return found

    def pids(self, what: str) -> list[int]:
        """The processes whose command line holds `what`, the oldest first."""
        return sorted(pid for pid, command in self.processes().items() if what in command)

    def temporary_directories(self) -> list[Path]:
        return sorted(self.directory.glob("celeryscope-demo-*"))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def await_end(self, *, seconds: float) -> float:
        """Until no process of it is left; how long that took."""
        began = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        left = max(seconds - (time.monotonic() - began), 0.05)
        until(lambda: not self.processes(), seconds=left, otherwise=lambda: self.processes())
        return time.monotonic() - began


def until(
    condition: Callable[[], object],
    *,
    seconds: float,
    otherwise: Callable[[], object] = lambda: "",
) -> None:
    """Wait for `condition`; fail after `seconds`, telling `otherwise`."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            pytest.fail(f"not within {seconds} s: {otherwise()}")
        time.sleep(0.02)


@contextlib.contextmanager
def running_demo(
    directory: Path,
    *,
    port: int,
    console: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[Demo]:
    """Start a demo, its files in `directory`. Whatever of it is left at the end is killed.

    `settings` are variables that its console takes, as `CELERYSCOPE_MAX_TASKS`. It is starting when
    the block begins: `await_output("Live after", ...)` where that matters.
    """
    arguments = ["-c", START, str(port), *console] if console else [
        "-m", "celeryscope", "demo", "--port", str(port)
    ]  # fmt: skip
    with (directory / "demo.out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=directory,
            env={**os.environ, **(settings or {}), "TMPDIR": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    demo = Demo(directory, process, port)
    try:
        yield demo
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        for pid in demo.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
