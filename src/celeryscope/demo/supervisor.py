"""Starts the demo's processes, keeps them running, and ends every one of them.

* Each process leads a session of its own: a Ctrl-C in the terminal reaches the demo alone,
  and what a process has started (a worker's pool) is ended with it, as its process group.
* A process that ends by itself is started again, later each time it does so in a row.
* The end is polite first (SIGTERM, a few seconds), then SIGKILL to the group, which also ends
  what is stopped or ignores SIGTERM. A second Ctrl-C skips the polite part.
* When the demo itself is killed, `watchdog` ends the groups; on Linux the kernel does it as
  well (PR_SET_PDEATHSIG), should the watchdog have been killed too.

One thread, no callbacks: signals arrive as bytes on a socket, and whoever waits calls `wait`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple, Self

from celeryscope.demo import watchdog

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
LOG_LIMIT_BYTES = 8_000_000
REAP_SECONDS = 2.0  # how long a killed process may take to be gone
# And what it leaves in its group: often zombies that PID 1 of a container never collects.
GROUP_SECONDS = 0.3
_PR_SET_PDEATHSIG = 1


class Program(NamedTuple):
    """What to run."""

    name: str  # as the user is told: "worker checkout"
    command: Sequence[str]
    environment: Mapping[str, str]  # all of it
    directory: Path  # where it runs
    log: Path  # gets its stdout and stderr
    outlives_others: bool = False  # the others need it for a clean end


class Backoff:
    """How long to wait before the next start of a program that ended by itself."""

    FIRST_SECONDS = 1.0
    LAST_SECONDS = 30.0
    STEADY_SECONDS = 60.0  # having run that long, it starts over

    def __init__(self) -> None:
        self._next_seconds = self.FIRST_SECONDS

    def after(self, ran_seconds: float) -> float:
        if ran_seconds >= self.STEADY_SECONDS:
            self._next_seconds = self.FIRST_SECONDS
        delay_seconds = self._next_seconds
        self._next_seconds = min(delay_seconds * 2, self.LAST_SECONDS)
        return delay_seconds


class Supervisor:
    """A context: leaving it ends everything. Must live in the main thread, for the signals.

    `say` is given sentences for the user.
    """

    def __init__(self, *, say: Callable[[str], None], grace_seconds: float = 3.0) -> None:
        self._say = say
        self._grace_seconds = grace_seconds
        self._children: dict[str, _Child] = {}
        self._guard = _Guard()
        self._signals = _Signals()
        self._stops = 0  # stop signals so far
        self.exits: dict[str, int] = {}  # name -> how often it has ended by itself

    def __enter__(self) -> Self:
        self._signals.open()
        self._guard.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self.stop()
        finally:
            self._guard.close()
            self._signals.close()

    def remove_at_end(self, directory: Path) -> None:
        """Also when the demo is killed."""
        self._guard.tell(f"rm {directory}")

    def start(self, program: Program) -> None:
        self.exits[program.name] = 0
        self._children[program.name] = child = _Child(program)
        self._launch(child)

    def pids(self) -> dict[str, int]:
        """Of the processes that run now."""
        return {n: c.process.pid for n, c in self._children.items() if c.process is not None}

    def wait(self, seconds: float) -> None:
        """Sleep, and tend the processes meanwhile.

        Raises KeyboardInterrupt once somebody asks the demo to stop, by whichever signal.
        """
        until = time.monotonic() + seconds
        while True:
            self._tend()
            if self._stops:
                raise KeyboardInterrupt
            due = [child.restart_at for child in self._children.values() if child.restart_at]
            left_seconds = min([until, *due]) - time.monotonic()
            if time.monotonic() >= until:
                return
            self._stops += self._signals.wait(left_seconds)

    def stop(self) -> None:
        """End everything; returns when it is gone. Safe to call again."""
        children = list(self._children.values())
        self._children = {}
        stops = self._stops
        for last in (False, True):
            wave = [child for child in children if child.program.outlives_others is last]
            self._end(wave, hurry=lambda: self._stops > stops)

    def trim_logs(self) -> None:
        """Move a log that has grown too long aside; its process goes on appending."""
        for child in self._children.values():
            log = child.program.log
            if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def _launch(self, child: _Child) -> None:
        child.launch()
        self._guard.add(child.group)

    def _tend(self) -> None:
        self._guard.tend()
        for child in self._children.values():
            if child.has_ended():
                self._bury(child)
                self.exits[child.program.name] += 1
                delay_seconds = child.backoff.after(time.monotonic() - child.started_at)
                child.restart_at = time.monotonic() + delay_seconds
                self._say(
                    f"{child.program.name} {child.epitaph}; "
                    f"starting it again in {delay_seconds:.0f} s (log: {child.program.log})"
                )
            elif child.restart_at and time.monotonic() >= child.restart_at:
                self._launch(child)

    def _bury(self, child: _Child) -> None:
        child.kill_group()  # what it left behind
        self._guard.discard(child.group)
        child.process = None

    def _end(self, wave: list[_Child], *, hurry: Callable[[], bool]) -> None:
        alive = [child for child in wave if child.process is not None]
        for child in alive:
            child.terminate()
        until = time.monotonic() + self._grace_seconds
        while (alive := self._still_alive(alive)) and not hurry():
            if (left_seconds := until - time.monotonic()) <= 0:
                break
            self._stops += self._signals.wait(left_seconds)
        for child in alive:
            child.kill_group()
        reap_by = time.monotonic() + REAP_SECONDS
        for child in alive:
            child.reap(reap_by)
        gone_by = time.monotonic() + GROUP_SECONDS
        for child in alive:
            child.await_group(gone_by)
            self._guard.discard(child.group)

    def _still_alive(self, children: list[_Child]) -> list[_Child]:
        for child in children:
            if child.has_ended():
                self._bury(child)
        return [child for child in children if child.process is not None]


class _Child:
    """A program and the process that runs it now, if one does."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.backoff = Backoff()
        self.process: subprocess.Popen[bytes] | None = None
        self.group = 0  # process group; stays the last one's id after its end
        self.started_at = 0.0
        self.restart_at: float | None = None
        self.epitaph = ""

    def launch(self) -> None:
        with self.program.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.program.command,
                env=self.program.environment,
                cwd=self.program.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        self.group = self.process.pid
        self.started_at = time.monotonic()
        self.restart_at = None

    def has_ended(self) -> bool:
        if self.process is None or (code := self.process.poll()) is None:
            return False
        self.epitaph = f"ended with exit code {code}" if code >= 0 else _killed_by(-code)
        return True

    def terminate(self) -> None:
        """Only the leader: a worker ends its pool itself, and lets it finish."""
        if self.process is not None:
            self.process.terminate()

    def kill_group(self) -> None:
        _signal_group(self.group, signal.SIGKILL)

    def reap(self, until: float) -> None:
        """After `kill_group`: wait till the process is gone."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(max(until - time.monotonic(), 0))
            self.process = None

    def await_group(self, until: float) -> None:
        while time.monotonic() < until and _signal_group(self.group, 0):
            time.sleep(0.01)


def _signal_group(group: int, number: int) -> bool:
    """Whether there was anybody in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # PermissionError: macOS, of zombies
        return False
    return True


def _killed_by(number: int) -> str:
    try:
        return f"was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"was ended by signal {number}"


def _die_with_parent() -> Callable[[], None] | None:
    """For the new process, before it becomes the program: ask the kernel to end it with us."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask


class _Guard:
    """Our end of the pipe to `watchdog`; a watchdog that was killed is replaced."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: dict[str, None] = {}  # what a new one must be told

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for line in self._lines:
            self._write(line)

    def add(self, group: int) -> None:
        self.tell(f"+ {group}")

    def discard(self, group: int) -> None:
        self._lines.pop(f"+ {group}", None)
        self._write(f"- {group}")

    def tell(self, line: str) -> None:
        self._lines[line] = None
        self._write(line)

    def tend(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._pipe.close()
            self.start()

    def close(self) -> None:
        if self._process is not None:
            self._pipe.close()
            self._process.wait()
            self._process = None

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    def _write(self, line: str) -> None:
        # A broken pipe: `tend` starts a new one and tells it all.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe.fileno(), f"{line}\n".encode())


class _Signals:
    """Signals as bytes on a socket: nothing of ours runs inside a handler."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._wakeup_before = -1

    def open(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            # `nohup` ignores SIGHUP on purpose.
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, _leave_it_to_the_socket)

    def wait(self, seconds: float) -> int:
        """Sleep until a signal or for `seconds`; the number of stop signals that came."""
        if not select.select([self._reader], [], [], max(seconds, 0))[0]:
            return 0
        return sum(number in STOP_SIGNALS for number in self._reader.recv(4096))

    def close(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()


def _leave_it_to_the_socket(number: int, frame: FrameType | None) -> None:
    """A signal needs a handler in Python to be written to the wakeup socket."""
