"""A backup of a console that is under load, and what comes back of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from celeryscope.audit.verify import verify
from celeryscope.history.backup import PART
from tests.integration.publishing import Traffic
from tests.integration.test_history_killed import (
    PROMISED_SECONDS,
    connected,
    filled,
    has_all,
    is_sound,
    taken_up,
)
from tests.unit.history import lives

pytestmark = pytest.mark.timeout(120)


def backup(data_dir: Path, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "celeryscope", "backup", "--data-dir", str(data_dir), str(file)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def killed_while_it_writes(data_dir: Path, file: Path) -> None:
    part = file.with_name(f".{file.name}{PART}")
    with backup(data_dir, file) as process:
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.kill()


def test_under_load_and_killed_it_is_whole_or_not_there(redis_server: str, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    out.mkdir()
    filled(data / "history.db", 10_000)
    with (
        connected(redis_server, tmp_path, "--data-dir", str(data)) as ours,
        Traffic(redis_server, seed=7, events_per_second=1_500) as traffic,
    ):
        killed_while_it_writes(data, out / "first.tgz")
        time.sleep(1.0)
        known = taken_up(ours)
        time.sleep(PROMISED_SECONDS)
        promised = traffic.done(known)
        with backup(data, out / "first.tgz") as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        before = (out / "first.tgz").read_bytes()
        killed_while_it_writes(data, out / "first.tgz")
        assert (out / "first.tgz").read_bytes() == before
        # Nobody was held up by it.
        status = ours.get("/api/v1/history")
        assert (status["trouble"], status["dropped"], status["refused"]) == (None, 0, 0)
        assert status["retained"]["max_bytes"] == 10 * 2**30
        with_console = subprocess.run(
            [sys.executable, "-m", "celeryscope", "restore", "--force", "--data-dir", str(data),
             str(out / "first.tgz")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert with_console.returncode == 1
        assert "in use by another celeryscope" in with_console.stderr
    assert len(promised) > 100
    new = tmp_path / "new"
    restored = subprocess.run(
        [sys.executable, "-m", "celeryscope", "restore", str(out / "first.tgz")],
        env={**os.environ, "CELERYSCOPE_DATA_DIR": str(new)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert restored.returncode == 0, restored.stderr
    is_sound(new / "history.db")
    assert verify(new / "audit").good
    history = lives.opened(new / "history.db")
    has_all(history, promised)
    history.close()
