"""The process is killed again and again; what it knew for a second is there, whole and once."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from celeryscope.history.store import History
from celeryscope.model import query as language
from tests.conftest import REPOSITORY, free_port, postgresql_data, postgresql_running
from tests.integration.publishing import Life, Traffic
from tests.integration.watching import Console, console
from tests.unit.history import lives

pytestmark = pytest.mark.timeout(180)

logger = logging.getLogger(__name__)  # pytest shows it where a test fails

SEED = 20_261_123
KILLS = 8
#: What is older than this is on disk.
PROMISED_SECONDS = 1.0


def taken_up(ours: Console) -> int:
    """Count the task events that the console has taken up since it began."""
    found = re.findall(
        r'^celeryscope_events_received_total\{type="task-[^"]*"\} (\d+)',
        ours.text("/metrics"),
        re.MULTILINE,
    )
    return sum(int(count) for count in found)


def is_sound(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (total, different) = db.execute(
            "SELECT count(*), count(DISTINCT uuid) FROM task"
        ).fetchone()
        assert total == different
        # Nothing belongs to a task that is not there.
        for table in ("traceback", "life", "attempt"):
            left = f"SELECT count(*) FROM {table} WHERE seq NOT IN (SELECT seq FROM task)"  # noqa: S608
            assert db.execute(left).fetchone() == (0,), table


def has_all(history: History, promised: Sequence[Life]) -> None:
    """See that tasks are there as they ended."""
    for one in promised:
        task = history.task(one.uuid)
        assert task is not None, one
        assert task.state == one.state, (task, one)
        assert {name: getattr(task, name) for name in one.texts} == dict(one.texts)
        runs = history.attempts(one.uuid)
        assert [run.state for run in runs] == ["RETRY"] * (one.attempts - 1) + [one.state]


def filled(path: Path, tasks: int) -> None:
    """Begin with so many tasks that blocks are sealed from then on."""
    dice = random.Random(SEED)
    history = lives.opened(path)
    for number in range(tasks):
        history.write(lives.changes(list(lives.life(dice, number))))
    history.flush()
    history.close()


@contextlib.contextmanager
def connected(broker: str, directory: Path, *options: str) -> Iterator[Console]:
    with console(broker, directory, *options) as ours:
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        yield ours


def killed(broker: str, directory: Path, dice: random.Random, *options: str) -> list[Life]:
    """Let a console watch for a while and kill it; give what it must know then."""
    with connected(broker, directory, *options) as ours:
        seed = dice.getrandbits(32)
        with Traffic(broker, seed=seed, events_per_second=1500) as traffic:
            time.sleep(dice.uniform(0.2, 0.8))
            known = taken_up(ours)
            time.sleep(PROMISED_SECONDS + dice.uniform(0.0, 0.6))
            ours.process.send_signal(signal.SIGKILL)
            ours.process.wait(10)
        promised = traffic.done(known)
        logger.warning("killed: %d events known, seed %d", known, seed)
        assert "Traceback" not in ours.log.read_text()
    return promised


def killed_at_its_start(broker: str, directory: Path, dice: random.Random, *options: str) -> None:
    with (directory / "start.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celeryscope", "serve", "--broker", broker,
             "--port", str(free_port()), *options],
            stdout=log, stderr=log,
        )  # fmt: skip
        time.sleep(dice.uniform(0.3, 2.0))
        process.kill()
        process.wait(10)


# ---------------------------------------------------------------------- within what happens seldom

# Blocks of 8 tasks, so that a segment of 256 of them is full every second, while retention takes
# tasks out at the other end. Each line that it writes is the number of a task that is on disk.
WRITES = """
import random, sys, threading
from pathlib import Path
from celeryscope.history import blocks
from celeryscope.history.retention import Retention
from tests.unit.history import lives

blocks.TASKS, blocks.FEWEST, blocks.SLACK = 8, 2, 16
path, seed, start, total, kept = Path(sys.argv[1]), *map(int, sys.argv[2:])
dice = random.Random(seed)
told = [list(lives.life(dice, number)) for number in range(total)]
history = lives.opened(path, commit_seconds=0.01)
retention = Retention(history, max_tasks=kept)

def prune():
    while True:
        retention.prune()

threading.Thread(target=prune, daemon=True).start()
for first in range(start, total, 40):
    for events in told[first : first + 40]:
        history.write(lives.changes(events))
    history.flush()
    print(min(first + 40, total), flush=True)
"""
TOTAL, KEPT, SURE = 4_400, 1_600, 1_000


def written_until_killed(path: Path, start: int, seconds: float) -> int:
    """Let a process write on from a task on, and kill it; give how many are on disk."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(path), str(SEED), str(start), str(TOTAL), str(KEPT)],
        stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline()]  # it has begun
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    lines += process.stdout.read().splitlines()
    process.wait(20)
    timer.cancel()
    process.stdout.close()
    # The last line may be half of one.
    whole = [int(line) for line in lines if int(line or 0) % 40 == 0]
    return max([start, *whole])


def test_killed_while_it_seals_slices_and_prunes_the_rest_is_as_it_was(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    told = [list(lives.life(dice, number)) for number in range(TOTAL)]
    truth = lives.opened(tmp_path / "truth.db")
    for events in told:
        truth.write(lives.changes(events))
    truth.flush()
    path, reached, kills = tmp_path / "history.db", 0, 0
    while reached < TOTAL:
        # A slow machine gets more and more time, a fast one is killed often enough.
        seconds = dice.uniform(0.1, 0.5) * (1 + kills / 2)
        reached = written_until_killed(path, reached, seconds)
        kills += 1
        logger.warning("killed with %d tasks on disk", reached)
        is_sound(path)
        history = lives.opened(path)
        for events in filter(None, told[max(0, reached - SURE) : reached : 5]):
            uuid = events[0].uuid or ""
            assert history.task(uuid) == truth.task(uuid)
        history.close()
    assert kills >= 4
    history = lives.opened(path)
    for key in ("order-1", "order-77", "tea c"):
        assert found(history, key, SURE) == found(truth, key, SURE)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM slice").fetchone() != (0,)
        (least,) = db.execute("SELECT count(*) FROM task").fetchone()
        assert SURE < least < reached
    history.close()
    truth.close()


def found(history: History, text: str, newest: int) -> list[str]:
    """Give the tasks of the newest lives that have a text."""
    query = language.parse(f'"{text}" since:{newest // 4 - 60}s')
    now = lives.START + TOTAL / 4
    page = history.search(query, now=now, limit=10_000, most_seconds=60)
    assert page.whole
    return [task.uuid for task in page.tasks]


# Each of its children is killed before another statement of the first opening of a database.
OPENS = """
import os, signal, sys
from itertools import count
from pathlib import Path
from celeryscope.history.sqlite import SqlitePlace
from tests.unit.history import lives

connect = SqlitePlace.connect

def opened(path, nth):
    left = count(nth, -1)

    def counted(place, *, writer):
        db = connect(place, writer=writer)
        db.set_trace_callback(lambda sql: next(left) or os.kill(os.getpid(), signal.SIGKILL))
        return db

    SqlitePlace.connect = counted
    lives.opened(path)
    os._exit(0)

for nth in count(0, 2):
    pid = os.fork()
    if pid == 0:
        opened(Path(sys.argv[1]) / f"{nth}.db", nth)
    if os.waitpid(pid, 0)[1] == 0:
        break
"""


def test_killed_while_the_database_is_made_the_next_start_goes_on(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", OPENS, str(tmp_path)], check=True, timeout=60, cwd=REPOSITORY
    )
    paths = sorted(tmp_path.glob("*.db"), key=lambda path: int(path.stem))
    assert len(paths) > 10
    (events,) = [list(lives.life(random.Random(1), 1))]
    for path in paths:
        history = lives.opened(path)
        history.write(lives.changes(events))
        history.flush()
        assert history.task(events[0].uuid or "") is not None
        history.close()
        is_sound(path)


# ---------------------------------------------------------------------- the real process


def test_killed_at_any_moment_it_loses_a_second_at_most(redis_server: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    database = data / "history.db"
    filled(database, 8_400)
    dice = random.Random(SEED)
    promised: list[Life] = []
    for number in range(KILLS):
        if number % 5 == 4:
            killed_at_its_start(redis_server, tmp_path, dice, "--data-dir", str(data))
        else:
            promised += killed(redis_server, tmp_path, dice, "--data-dir", str(data))
        is_sound(database)
    assert len(promised) > 30 * KILLS
    history = lives.opened(database)
    has_all(history, promised)
    history.close()
    with console(redis_server, tmp_path, "--data-dir", str(data)) as ours:
        for one in promised[:: len(promised) // 20]:
            assert ours.get(f"/api/v1/tasks/{one.uuid}")["state"] == one.state
        sought = promised[len(promised) // 2]
        found = ours.get(f"/api/v1/history/tasks?query={quote(sought.texts['args'][2:-1])}")
        assert [task["uuid"] for task in found["tasks"]] == [sought.uuid]
        assert ours.get("/api/v1/history")["trouble"] is None


# ---------------------------------------------------------------------- PostgreSQL


def test_killed_consoles_and_a_killed_postgresql_lose_no_more(
    redis_server: str, tmp_path: Path
) -> None:
    dice = random.Random(SEED)
    options = ["--data-dir", str(tmp_path / "data"), "--history"]
    with postgresql_data() as data, postgresql_running(data) as node:
        promised = killed(redis_server, tmp_path, dice, *options, node.url)
        promised += killed(redis_server, tmp_path, dice, *options, node.url)
        with connected(redis_server, tmp_path, *options, node.url) as ours:
            traffic = Traffic(redis_server, seed=SEED, events_per_second=800)
            with traffic:
                time.sleep(dice.uniform(0.5, 1.0))
                os.killpg(node.process.pid, signal.SIGKILL)  # and all that it started
                node.process.wait(10)
                told = ours.until("/api/v1/history", lambda told: told["trouble"])
                assert "PostgreSQL" in told["trouble"]
                with postgresql_running(data, port=node.port):
                    time.sleep(0.5)
                    ours.until("/api/v1/history", lambda told: not told["trouble"])
                    traffic.stop()
                    seen = traffic.done(traffic.events)
                    ours.until("/api/v1/history", lambda _: taken_up(ours) == traffic.events)
                    ours.until("/api/v1/history", lambda told: told["waiting"] == 0)
                    assert ours.get("/api/v1/history")["dropped"] == 0
                    promised += seen
                    is_sound_there(node.url)
                    history = lives.opened(node.url)
                    has_all(history, promised)
                    history.close()
    assert len(promised) > 100


def is_sound_there(url: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(url, options="-c search_path=celeryscope") as db:
        (total, different) = db.execute(
            "SELECT count(*), count(DISTINCT uuid) FROM task"
        ).fetchone()
        assert total == different > 0
        for table in ("traceback", "life", "attempt"):
            left = f"SELECT count(*) FROM {table} WHERE seq NOT IN (SELECT seq FROM task)"  # noqa: S608
            assert db.execute(left).fetchone() == (0,), table
