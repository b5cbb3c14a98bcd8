"""A guide's blocks of commands, and a shell that runs them one after the other."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """What stands between two fences."""

    language: str
    text: str
    mark: str  # the HTML comment on the line before; empty where there is none

    def commands(self) -> list[str]:
        """Its lines, continued ones put together, without comments."""
        whole = self.text.replace("\\\n", " ")
        lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in whole.splitlines())
        return [line for line in lines if line]


def blocks(guide: Path) -> list[Block]:
    return [
        Block(found["language"], found["text"], found["mark"] or "")
        for found in _BLOCK.finditer(guide.read_text())
    ]


class Shell:
    """One bash for all blocks: what one of them starts or sets is there in the next."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, text: str, *, timeout_seconds: float = 40) -> str:
        """Run a block, and give what it printed. A command that fails ends the test."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        # A program that hangs would keep us waiting for its next line for ever.
        late = threading.Timer(timeout_seconds, self.end)
        late.start()
        told: list[str] = []
        try:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(f"{text}\necho {_DONE}\n")
                stdin.flush()
            for line in stdout:
                if line.strip() == _DONE:
                    return "".join(told)
                told.append(line)
        finally:
            late.cancel()
        raise AssertionError(f"this failed, or took too long:\n{text}\n{''.join(told)}")

    def end(self) -> None:
        """End the shell and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


_DONE = "--- the block has ended ---"


@contextlib.contextmanager
def shell(directory: Path, env: Mapping[str, str]) -> Iterator[Shell]:
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"],
        cwd=directory,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Shell(process)
    try:
        yield running
    finally:
        running.end()
        process.communicate()
