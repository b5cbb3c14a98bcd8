"""Real little processes under a real supervisor, in this process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from celeryscope.demo import supervisor
from celeryscope.demo.supervisor import Backoff, Program, Supervisor
from tests.demo import until

SLEEP = ["/bin/sleep", "60"]
IGNORES_SIGTERM = [
    sys.executable,
    "-Sc",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


class Told(list[str]):
    """What the supervisor said."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def supervised(told: Told) -> Iterator[Supervisor]:
    with Supervisor(say=told.append, grace_seconds=0.5) as it:
        yield it


def a_program(directory: Path, command: list[str], name: str = "it", **more: bool) -> Program:
    return Program(name, command, dict(os.environ), directory, directory / f"{name}.log", **more)


def tend_until(supervised: Supervisor, *, exits: int) -> None:
    give_up_at = time.monotonic() + 5
    while supervised.exits["it"] < exits:
        assert time.monotonic() < give_up_at
        supervised.wait(0.05)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("ran_seconds", "delays_seconds"),
    [
        ([0, 0, 0, 0, 0, 0, 0], [1, 2, 4, 8, 16, 30, 30]),
        ([0, 0, 61, 0], [1, 2, 1, 2]),
    ],
)
def test_a_program_is_started_later_each_time_until_it_has_run_for_long(
    ran_seconds: list[float], delays_seconds: list[float]
) -> None:
    backoff = Backoff()
    assert [backoff.after(seconds) for seconds in ran_seconds] == delays_seconds


def test_the_output_of_a_program_is_in_its_log(supervised: Supervisor, tmp_path: Path) -> None:
    supervised.start(a_program(tmp_path, ["/bin/sh", "-c", "echo out; echo err >&2; sleep 60"]))
    until(lambda: (tmp_path / "it.log").read_text() == "out\nerr\n", seconds=5)


def test_a_program_leads_a_session_of_its_own(supervised: Supervisor, tmp_path: Path) -> None:
    supervised.start(a_program(tmp_path, SLEEP))
    pid = supervised.pids()["it"]
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_what_ends_by_itself_is_said_and_started_again(
    supervised: Supervisor, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backoff, "FIRST_SECONDS", 0.1)
    supervised.start(a_program(tmp_path, ["/bin/sh", "-c", "exit 3"]))
    tend_until(supervised, exits=2)
    assert told[0].startswith("it ended with exit code 3; starting it again in 0 s (log: ")
    assert supervised.exits["it"] >= 2


def test_what_a_dead_program_left_behind_is_ended(supervised: Supervisor, tmp_path: Path) -> None:
    supervised.start(a_program(tmp_path, ["/bin/sh", "-c", "sleep 60 & echo $!; exit 0"]))
    tend_until(supervised, exits=1)
    orphan = int((tmp_path / "it.log").read_text())
    until(lambda: not lives(orphan) or is_zombie(orphan), seconds=2)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_stop_signal_ends_the_wait(supervised: Supervisor, number: int) -> None:
    os.kill(os.getpid(), number)
    with pytest.raises(KeyboardInterrupt):
        supervised.wait(10)


def test_a_program_that_heeds_sigterm_ends_at_once(supervised: Supervisor, tmp_path: Path) -> None:
    supervised.start(a_program(tmp_path, SLEEP))
    began = time.monotonic()
    supervised.stop()
    assert time.monotonic() - began < 0.4
    assert supervised.pids() == {}


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(
    supervised: Supervisor, tmp_path: Path
) -> None:
    supervised.start(a_program(tmp_path, IGNORES_SIGTERM))
    pid = supervised.pids()["it"]
    until(lambda: (tmp_path / "it.log").read_text(), seconds=5)
    began = time.monotonic()
    supervised.stop()
    assert 0.4 < time.monotonic() - began < 2
    assert not lives(pid)


def test_a_stopped_program_is_killed_after_the_grace(
    supervised: Supervisor, tmp_path: Path
) -> None:
    supervised.start(a_program(tmp_path, SLEEP))
    pid = supervised.pids()["it"]
    os.kill(pid, signal.SIGSTOP)
    supervised.stop()
    assert not lives(pid)


def test_a_second_signal_skips_the_grace(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Supervisor(say=told.append, grace_seconds=30) as supervised:
        supervised.start(a_program(tmp_path, IGNORES_SIGTERM))
        until(lambda: (tmp_path / "it.log").read_text(), seconds=5)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            supervised.wait(5)
        os.kill(os.getpid(), signal.SIGINT)
        began = time.monotonic()
        supervised.stop()
    assert time.monotonic() - began < 2


def test_what_the_others_need_ends_last(supervised: Supervisor, tmp_path: Path) -> None:
    note = "trap 'date +%s%N > {}; exit' TERM; echo ready; while :; do sleep 0.02; done"
    last, other = tmp_path / "last", tmp_path / "other"
    for path, outlives in ((last, True), (other, False)):
        command = ["/bin/sh", "-c", note.format(path)]
        supervised.start(a_program(tmp_path, command, path.name, outlives_others=outlives))
    for name in ("last", "other"):
        until((tmp_path / f"{name}.log").read_text, seconds=5)
    supervised.stop()
    assert int(other.read_text()) < int(last.read_text())


def test_the_handlers_from_before_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGCHLD)]
    with Supervisor(say=lambda _: None):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGCHLD)] == before


def test_a_log_that_grew_too_long_is_moved_aside_and_written_on(
    supervised: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOG_LIMIT_BYTES", 10)
    log = tmp_path / "it.log"
    command = ["/bin/sh", "-c", "echo a long first line; read x < go; echo then; sleep 60"]
    os.mkfifo(tmp_path / "go")
    supervised.start(a_program(tmp_path, command))
    until(log.read_text, seconds=5)
    supervised.trim_logs()
    (tmp_path / "go").write_text("\n")
    until(lambda: log.read_text() == "then\n", seconds=5)
    assert (tmp_path / "it.log.1").read_text() == "a long first line\n"
