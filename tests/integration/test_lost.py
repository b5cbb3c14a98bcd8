"""What no event told, with real workers: workers killed, consoles away, results in three places."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import redis
from celery import Celery

from celeryscope.cluster.accounting import Gap
from celeryscope.history.gaps import Gaps, between
from celeryscope.history.orphans import newest, unfinished
from tests.conftest import running, running_redis
from tests.integration.watching import Console, console
from tests.recording import eventually
from tests.unit.history import lives

PROJECT = """
import os, time
from celery import Celery
from celery.exceptions import Ignore

app = Celery("project", broker=os.environ["BROKER"], backend=os.environ["RESULTS"] or None)
app.conf.worker_send_task_events = True
app.conf.result_extended = True
app.conf.worker_cancel_long_running_tasks_on_connection_loss = False
# Over before another worker starts: it looks for what was not acknowledged at once, and then
# again after a hundred seconds.
app.conf.broker_transport_options = {"visibility_timeout": 1}
if os.environ["DJANGO"]:
    import django
    from django.conf import settings
    settings.configure(
        INSTALLED_APPS=["django_celery_results"], USE_TZ=True,
        DATABASES={"default": {
            "ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DJANGO"],
            "OPTIONS": {"timeout": 20},
        }},
    )
    django.setup()

@app.task
def nap(file, fail=False):
    while not os.path.exists(file):
        time.sleep(0.05)
    if fail:
        raise ValueError("no", 7)
    return {"slept": file[-4:]}

@app.task
def ignored():
    raise Ignore

@app.task(acks_late=True)
def stubborn(file):
    nap(file)
"""

MIGRATE = """
import project
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""

READ = """
import sys
import msgspec, project
from celeryscope.control.results import Results
found = Results(project.app).outcomes(sys.argv[1:])
print(msgspec.json.encode([found[task_id] for task_id in sys.argv[1:]]).decode())
"""


class Stage:
    """A broker, a project, and what is run of both."""

    def __init__(
        self, directory: Path, broker: str, *, results: str = "", read: str = "", django: str = ""
    ) -> None:
        """`results` is where workers write, `read` is where the console reads."""
        self.directory = directory
        self.broker = broker
        self.read = read or results
        self.env = {**os.environ, "BROKER": broker, "RESULTS": results, "DJANGO": django}
        self.app = Celery("client", broker=broker, set_as_current=False)
        self.app.conf.task_send_sent_event = True
        (directory / "project.py").write_text(PROJECT)

    @contextmanager
    def worker(self, name: str) -> Iterator[Popen[bytes]]:
        log = self.directory / f"{name}.log"
        with running(
            [sys.executable, "-m", "celery", "-A", "project", "worker", "-n", f"{name}@here",
             "-c", "2", "-l", "INFO", "--without-mingle", "--without-gossip", "--heartbeat-interval", "1"],
            log=log,
            ready=lambda: b" ready." in log.read_bytes(),
            cwd=self.directory,
            env=self.env,
        ) as process:  # fmt: skip
            yield process

    def console(self, *options: str) -> AbstractContextManager[Console]:
        given = ("--result-backend", self.read) if self.read else ()
        return console(
            self.broker, self.directory, "--data-dir", str(self.directory / "data"),
            "--lost-after", "3s", *given, *options,
        )  # fmt: skip

    def send(self, task: str, *args: Any, **options: Any) -> str:
        return str(self.app.send_task(f"project.{task}", args, **options).id)

    def file(self, name: str) -> str:
        return str(self.directory / name)


def state(ours: Console, uuid: str, wanted: str, seconds: float = 30) -> dict[str, Any]:
    """Wait until a task is in a state; give it."""
    found: dict[str, Any] = ours.until(
        f"/api/v1/tasks/{uuid}", lambda task: task.get("state") == wanted, timeout_seconds=seconds
    )
    return found


def kill(process: Popen[bytes]) -> None:
    """Kill a process and its children at once."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    process.wait(10)


def gaps_of(ours: Console, kind: str) -> list[dict[str, Any]]:
    return [gap for gap in ours.get("/api/v1/gaps")["gaps"] if gap["kind"] == kind]


def test_a_task_of_a_killed_worker_is_lost_but_one_that_is_delivered_again_runs(
    tmp_path: Path, redis_server: str
) -> None:
    stage = Stage(tmp_path, redis_server)
    with stage.console() as ours:
        with stage.worker("one") as process:
            plain = stage.send("nap", stage.file("never"))
            late = stage.send("stubborn", stage.file("late"))
            state(ours, plain, "STARTED")
            state(ours, late, "STARTED")
            kill(process)
        told = state(ours, plain, "LOST")
        state(ours, late, "LOST")
        assert (told["worker"], told["name"]) == ("one@here", "project.nap")
        assert ours.get("/api/v1/workers/one@here")["running"] == 0
        ends = ours.get("/api/v1/gaps")["ends"]
        assert (ends["asking"], ends["lost"]) == (False, 2)
        (tmp_path / "late").touch()
        with stage.worker("two"):
            assert state(ours, late, "SUCCESS", 45)["worker"] == "two@here"
        assert ours.get(f"/api/v1/tasks/{plain}")["state"] == "LOST"


def test_the_result_backend_is_asked_before_a_task_is_lost(
    tmp_path: Path, redis_server: str
) -> None:
    results = redis_server[:-1] + "1"
    stage = Stage(tmp_path, redis_server, results=results)
    with stage.console() as ours:
        with stage.worker("one") as process:
            ignored = stage.send("ignored")
            done, unknown = (stage.send("nap", stage.file("never")) for _ in range(2))
            state(ours, done, "STARTED")
            state(ours, unknown, "STARTED")
            # Celery tells nothing of a task that raised Ignore, but its worker no longer runs it.
            told = state(ours, ignored, "LOST")
            assert ours.get(f"/api/v1/tasks/{done}")["state"] == "STARTED"
            # A worker may die when it has stored the result and not sent the event yet.
            meta: dict[str, Any] = {
                "status": "SUCCESS",
                "result": {"a": [1]},
                "traceback": None,
                "children": [],
            }
            with redis.Redis.from_url(results) as store:
                store.set(f"celery-task-meta-{done}", json.dumps(meta))
            kill(process)
        told = state(ours, done, "SUCCESS")
        assert (told["fetched"], told["result"]) == (True, "{'a': [1]}")
        state(ours, unknown, "LOST")
        ends = ours.get("/api/v1/gaps")["ends"]
        assert (ends["asking"], ends["fetched"], ends["lost"]) == (True, 1, 2)


def ends_while_nobody_looks(stage: Stage) -> tuple[str, str]:
    """The console is killed, tasks end, and the next one of the same data finds it out.

    Gives the ids of the one that succeeded and of the one that failed.
    """
    with stage.worker("one"):
        with stage.console() as ours:
            good = stage.send("nap", stage.file("done"))
            bad = stage.send("nap", stage.file("done"), True)
            state(ours, good, "STARTED")
            state(ours, bad, "STARTED")
            ours.until("/api/v1/history", lambda told: told["written"] >= 6 and not told["waiting"])
            kill(ours.process)
        (stage.directory / "done").touch()
        inspected = stage.app.control.inspect(timeout=1)
        eventually(lambda: inspected.active() == {"one@here": []}, seconds=20)
        with stage.console() as ours:
            told, failed = state(ours, good, "SUCCESS"), state(ours, bad, "FAILURE")
            assert (told["fetched"], failed["fetched"]) == (True, True)
            assert (told["name"], told["worker"]) == ("project.nap", "one@here")
            assert told["result"] == "{'slept': 'done'}"
            assert failed["exception"] == "ValueError('no', 7)"
            assert "in nap" in failed["traceback"]
            ours.until("/api/v1/gaps", lambda told: [g for g in told["gaps"] if g["end"]])
            (gap,) = gaps_of(ours, "stopped")
            assert gap["start"] - 1 < told["succeeded"] < gap["end"] + 1
            assert told["started"] < told["succeeded"]
    return good, bad


def test_ends_are_fetched_from_redis(tmp_path: Path, redis_server: str) -> None:
    ends_while_nobody_looks(Stage(tmp_path, redis_server, results=redis_server[:-1] + "1"))


def test_ends_are_fetched_from_a_database(tmp_path: Path, redis_server: str) -> None:
    results = f"db+sqlite:///{tmp_path / 'results.db'}"
    ends_while_nobody_looks(Stage(tmp_path, redis_server, results=results))


def test_ends_are_fetched_from_the_table_of_django_celery_results(
    tmp_path: Path, redis_server: str
) -> None:
    database = str(tmp_path / "django.db")
    stage = Stage(
        tmp_path,
        redis_server,
        results="django-db",
        read=f"db+sqlite:///{database}",
        django=database,
    )
    subprocess.run(
        [sys.executable, "-c", MIGRATE],
        check=True, cwd=tmp_path, env=stage.env, timeout=50,
    )  # fmt: skip
    ids = ends_while_nobody_looks(stage)
    # With the project's app it is read through Django.
    read = subprocess.run(
        [sys.executable, "-c", READ, *ids],
        check=True, cwd=tmp_path, env=stage.env, timeout=50, capture_output=True, text=True,
    )  # fmt: skip
    good, bad = json.loads(read.stdout)
    assert (good["state"], good["result"]) == ("SUCCESS", "{'slept': 'done'}")
    assert (bad["state"], bad["exception"]) == ("FAILURE", "ValueError('no', 7)")


def test_gaps_are_kept_over_a_restart(tmp_path: Path) -> None:
    """The broker goes away and comes back; a worker counts starts that nobody was told of."""
    with running_redis(tmp_path) as broker:
        port = int(broker.rsplit(":", 1)[1].partition("/")[0])
        stage = Stage(tmp_path, broker)
        with stage.console() as ours:
            ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
            with (
                stage.app.connection_for_write() as connection,
                stage.app.events.Dispatcher(connection, hostname="w@x") as dispatcher,
            ):
                dispatcher.send("worker-online", processed=0, active=0, freq=1.0)
                for processed in (0, 4, 4, 4):
                    dispatcher.send("worker-heartbeat", processed=processed, active=0, freq=1.0)
            (lost,) = ours.until(
                "/api/v1/gaps", lambda told: [g for g in told["gaps"] if g["kind"] == "lost"]
            ) and gaps_of(ours, "lost")
            assert (lost["worker"], lost["events"]) == ("w@x", 4)
            stage.app.close()
            ours.until("/api/v1/gaps", lambda told: told["kept"])
            shut = Celery("shut", broker=broker, set_as_current=False)
            with shut.connection_for_write() as connection:
                connection.default_channel.client.shutdown(nosave=True)
            shut.close()
            ours.until(
                "/api/v1/gaps", lambda told: told["gaps"][-1:] and told["gaps"][-1]["end"] is None
            )
            with running_redis(tmp_path, port=port):
                ours.until(
                    "/api/v1/gaps",
                    lambda told: (
                        [g for g in told["gaps"] if g["kind"] == "disconnected" and g["end"]]
                    ),
                )
                before = [gap for gap in ours.get("/api/v1/gaps")["gaps"] if gap["end"]]
                kill(ours.process)
                with stage.console() as again:
                    told = again.until(
                        "/api/v1/gaps", lambda told: told["gaps"][-1]["kind"] == "stopped"
                    )
                    assert told["gaps"][:-1] == before


def test_two_consoles_on_one_postgresql_miss_what_neither_saw(database: str) -> None:
    start = lives.START
    history, other = lives.opened(database), lives.opened(database)
    try:
        events = lives.stream(7, 300)
        history.write(lives.changes(events))
        history.flush()
        tasks = newest(other, most=200)
        assert tasks == newest(history, most=200)
        assert len(tasks) == 200
        for task in tasks:
            assert other.task(task.uuid) == task
        live = unfinished(other, now=start + 3_600, within_seconds=7_200, most=500)
        assert live
        assert not any(task.finished for task in live)
        now = start
        one, two = (Gaps(where, broker="redis://", clock=lambda: now) for where in (history, other))
        for noted in (one, two):
            noted.write()
        now = start + 50
        one.tell(now=now, cuts=[Gap(start + 5, start + 9, "away")])
        two.tell(now=now, cuts=[Gap(start + 7, start + 12, "away")])
        for noted in (one, two):
            noted.write()
        # (It has the process id of the other two, so these are known to be gone.)
        later = Gaps(history, broker="redis://", clock=lambda: start + 100)
        later.connected(start + 101)
        later.write()
        found = between(other, start, start + 200, now=start + 101)
        assert [(gap.kind, gap.start - start, (gap.end or 0) - start) for gap in found] == [
            ("disconnected", 7, 9),
            ("stopped", 50, 101),
        ]
    finally:
        history.close()
        other.close()
