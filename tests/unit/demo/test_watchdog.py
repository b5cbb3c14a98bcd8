from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from celeryscope.demo import watchdog


def test_it_knows_the_groups_that_live_and_the_directories_to_remove() -> None:
    lines = ["+ 11\n", "rm /tmp/a b\n", "+ 12\n", "- 11\n", "+ 13\n", "- 99\n"]
    assert watchdog.follow(lines) == ({12, 13}, ["/tmp/a b"])


def test_it_kills_and_removes_when_the_pipe_ends(tmp_path: Path) -> None:
    directory = tmp_path / "work"
    (directory / "logs").mkdir(parents=True)
    victim = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    guard = subprocess.Popen([sys.executable, "-I", "-S", watchdog.__file__], stdin=subprocess.PIPE)
    guard.communicate(f"+ {victim.pid}\nrm {directory}\n".encode(), timeout=10)
    assert victim.wait(5) == -9
    assert guard.returncode == 0
    assert not directory.exists()


def test_a_group_that_has_ended_does_not_trouble_it() -> None:
    gone = subprocess.Popen(["/bin/true"], start_new_session=True)
    gone.wait()
    guard = subprocess.run(
        [sys.executable, "-I", "-S", watchdog.__file__],
        input=f"+ {gone.pid}\n".encode(),
        capture_output=True,
        check=True,
        timeout=10,
    )
    assert guard.stderr == b""
