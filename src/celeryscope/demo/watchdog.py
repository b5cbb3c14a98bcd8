"""Ends the demo's processes when the demo itself was killed.

A program of its own that imports nothing of ours: it starts in a few milliseconds and stays
small. It reads commands, one a line, from a pipe that the demo holds open:

    + 4711      the process group 4711 lives
    - 4711      it has ended
    rm /tmp/x   a directory to remove at the end

When the pipe ends (the demo has exited, or `kill -9` ended it) every group still alive is
killed, and the directory removed. A normal end leaves nothing to do.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable


def follow(lines: Iterable[str]) -> tuple[set[int], list[str]]:
    """The groups alive and the directories to remove once `lines` have ended."""
    groups: set[int] = set()
    directories: list[str] = []
    for line in lines:
        verb, _, what = line.rstrip("\n").partition(" ")
        if verb == "+":
            groups.add(int(what))
        elif verb == "-":
            groups.discard(int(what))
        elif verb == "rm":
            directories.append(what)
    return groups, directories


def remove(directory: str) -> None:
    """Remove `directory`; again while processes that die just now still write to it."""
    for _attempt in range(20):
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.exists(directory):  # noqa: PTH110 - pathlib would double the start time
            return
        time.sleep(0.05)


def main() -> None:
    # Whoever ends the demo by a signal to everything it started must not end its last guard.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups, directories = follow(sys.stdin)
    for group in groups:
        # Gone already, or (macOS says PermissionError) a zombie.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for directory in directories:
        remove(directory)


if __name__ == "__main__":
    main()
