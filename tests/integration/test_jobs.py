"""What the console does itself, with real workers; what came of it is asked with Celery itself."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult

from celeryscope.control.action import Action, ItemResult, Report
from celeryscope.control.commands import COMMANDS
from celeryscope.control.desk import Desk
from celeryscope.control.effects import Sight
from celeryscope.control.jobs import Job, Jobs
from celeryscope.control.remote import Remote
from celeryscope.control.results import Results
from celeryscope.errors import BadArgument, NotFound, NotPossible
from celeryscope.model.schedule import Entry
from celeryscope.model.task import Task
from tests.conftest import running, running_redis
from tests.recording import eventually

PROJECT = """
import os, time
from celery import Celery
from celery.contrib.abortable import AbortableTask

app = Celery("project", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
name = os.environ["CREW"]
app.conf.task_default_queue = app.conf.control_exchange = name
app.conf.event_exchange = name + ".events"
app.conf.worker_prefetch_multiplier = 1

@app.task
def add(a, b=0):
    return a + b

@app.task
def fail(words):
    raise ValueError(words)

@app.task(bind=True, base=AbortableTask)
def patient(self):
    for _ in range(300):
        if self.is_aborted():
            return "aborted"
        time.sleep(0.1)
    return "never told"
"""
ENTRY = Entry(
    source="beat_schedule",
    name="sum",
    task="project.add",
    schedule="every day",
    raw="1 day",
    args=(20,),
    kwargs={"b": 22},
    options={"expire_seconds": 600},
)
NOT_SENDABLE = Entry(
    source="redis", name="x", task="t", schedule="", raw="", sendable=False, note="It is a secret."
)


class Crew:
    """Two workers, what events told of their tasks, and the desk over them."""

    def __init__(self, app: Celery, name: str) -> None:
        self.app = app
        self.name = name
        self.hosts = [f"one@{name}", f"two@{name}"]
        self.tasks: dict[str, Task] = {}
        self.results = Results(app)
        sight = Sight(
            task_state=lambda ident: self.tasks[ident].state if ident in self.tasks else None
        )
        self.jobs = Jobs(
            app=app,
            results=self.results,
            tasks=self.tasks.get,
            known_names=lambda: ["project.add", "project.fail", "project.patient"],
            entries=lambda: [ENTRY, NOT_SENDABLE],
            sight=sight,
        )
        self.remote = Remote(app=app, workers=lambda: dict.fromkeys(self.hosts, True), sight=sight)
        self.desk = Desk(remote=self.remote, jobs=self.jobs, consumers=self.consumers)

    def take(self, event: dict[str, Any]) -> None:
        """A small fold of events."""
        if not event["type"].startswith("task-"):
            return
        task = self.tasks.setdefault(event["uuid"], Task(event["uuid"], 0.0))
        state = event["type"].removeprefix("task-").upper()
        task.state = {"SUCCEEDED": "SUCCESS", "FAILED": "FAILURE"}.get(state, state)
        for field in ("name", "args", "kwargs", "queue"):
            setattr(task, field, event.get(field) or getattr(task, field))

    def ask(self) -> Any:
        """Celery's own way to ask; it ends with the last answer of those that are named."""
        return self.app.control.inspect(destination=self.hosts, timeout=3)

    def consumers(self, queue: str) -> list[str]:
        told = self.ask().active_queues() or {}
        return [host for host, queues in told.items() if any(q["name"] == queue for q in queues)]

    def length(self, queue: str) -> int:
        with self.app.connection_for_read() as connection:
            channel = connection.default_channel
            if hasattr(channel, "_size"):
                return int(channel._size(queue))
            return int(channel.queue_declare(queue, passive=True).message_count)

    def finished(self, name: str, *args: Any, **options: Any) -> str:
        """Run a task to its end, and wait until events have told it."""
        ident: str = self.app.send_task(name, args, **options).id
        eventually(lambda: ident in self.tasks and self.tasks[ident].finished)
        return ident


@contextmanager
def crew(directory: Path, broker: str, backend: str, name: str) -> Iterator[Crew]:
    (directory / "project.py").write_text(PROJECT)
    env = {**os.environ, "BROKER": broker, "BACKEND": backend, "CREW": name}
    app = Celery("client", broker=broker, backend=backend, set_as_current=False)
    app.conf.task_default_queue = app.conf.control_exchange = name
    app.conf.event_exchange = f"{name}.events"
    made = Crew(app, name)
    with ExitStack() as stack:
        stack.callback(app.close)
        stack.enter_context(watching(made))
        for host in made.hosts:  # all start at once
            stack.enter_context(worker(directory, host, env))
        logs = [directory / f"{host}.log" for host in made.hosts]
        eventually(lambda: all(" ready." in log.read_text() for log in logs), seconds=50)
        for part in (made.jobs, made.remote):
            part.start()
            stack.callback(part.stop)
        yield made


@contextmanager
def worker(directory: Path, host: str, env: dict[str, str]) -> Iterator[None]:
    command = [
        sys.executable, "-m", "celery", "-A", "project", "worker", "-n", host, "-E",
        "-P", "threads", "-c", "4", "--without-mingle", "--without-gossip", "-l", "info",
    ]  # fmt: skip
    with running(
        command,
        log=directory / f"{host}.log",
        ready=lambda: True,
        env=env,
        cwd=directory,
    ):
        yield


@contextmanager
def watching(crew: Crew) -> Iterator[None]:
    stop, ready = threading.Event(), threading.Event()

    def run() -> None:
        with crew.app.connection_for_read() as connection:
            receiver = crew.app.events.Receiver(connection, handlers={"*": crew.take})
            with receiver.consumer_context() as (its_own, _channel, _consumers):
                ready.set()
                while not stop.is_set():
                    try:
                        its_own.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("backend")) as url:
        yield url


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def us(
    request: pytest.FixtureRequest, backend: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crew]:
    broker = backend if request.param == "redis" else request.getfixturevalue("rabbitmq")
    name = f"jobs-{request.param}"
    with crew(tmp_path_factory.mktemp(name), broker, backend, name) as made:
        yield made


def over(action: Action | Job, seconds: float = 30) -> Report:
    assert action.wait(seconds), action.snapshot()
    return action.snapshot()


def only(action: Action | Job) -> ItemResult:
    report = over(action)
    assert report.state == "finished", report
    (item,) = report.items
    return item


# ---------------------------------------------------------------------- sending


def test_apply_waits_for_the_result(us: Crew) -> None:
    given = {"task_name": "project.add", "args": [2], "kwargs": {"b": 3}, "wait_seconds": 20}
    item = only(us.desk.send("apply", given))
    assert (item.outcome, item.effect, item.value) == ("ok", "done", 5)
    assert item.task_id is not None
    assert AsyncResult(item.task_id, app=us.app).get(timeout=5) == 5


def test_apply_tells_a_failure_in_words_and_the_end_of_its_patience(us: Crew) -> None:
    given = {"task_name": "project.fail", "args": ["no"], "wait_seconds": 20}
    item = only(us.desk.send("apply", given))
    assert (item.effect, item.value) == ("done", "ValueError: no")
    assert "FAILURE" in item.effect_said
    given = {"task_name": "project.add", "args": [1], "countdown": 600, "wait_seconds": 0.3}
    item = only(us.desk.send("apply", given))
    assert (item.outcome, item.effect, item.value) == ("ok", "not seen", None)


def test_a_task_is_sent_with_the_id_that_was_given_and_a_worker_has_it(us: Crew) -> None:
    given = {"task_name": "project.add", "args": [4], "priority": 5, "task_id": f"mine-{us.name}"}
    item = only(us.desk.send("async_apply", given))
    assert (item.task_id, item.outcome, item.effect) == (f"mine-{us.name}", "ok", "done")
    assert AsyncResult(f"mine-{us.name}", app=us.app).get(timeout=5) == 4


def test_only_send_task_sends_what_nobody_knows(us: Crew) -> None:
    with pytest.raises(NotFound, match=r"Unknown task 'project\.none'"):
        us.desk.send("async_apply", {"task_name": "project.none"})
    queue = f"{us.name}.nobody"
    action = us.desk.send("send_task", {"task_name": "project.none", "queue": queue})
    eventually(lambda: action.snapshot().state == "confirming")
    assert us.length(queue) == 1
    us.desk.stop(action.id)
    report = over(action)
    assert (report.state, report.items[0].effect) == ("stopped", "cannot tell")
    with pytest.raises(NotPossible, match="over already"):
        us.desk.stop(action.id)


def test_a_message_goes_through_an_exchange_and_never_nowhere(us: Crew) -> None:
    given = {"task_name": "project.add", "args": [1], "exchange": us.name}
    item = only(us.desk.send("async_apply", {**given, "routing_key": "nobody"}))
    assert (item.outcome, "would be lost" in item.said) == ("refused", True), item
    item = only(us.desk.send("async_apply", {**given, "routing_key": us.name}))
    assert (item.outcome, item.effect) == ("ok", "done")


def test_times_reach_the_worker(us: Crew) -> None:
    given = {"task_name": "project.add", "args": [1], "countdown": 500, "expires": 1_000}
    item = only(us.desk.send("send_task", given))
    assert item.effect == "done"  # the worker holds it
    scheduled = us.ask().scheduled()
    held = {task["request"]["id"] for tasks in scheduled.values() for task in tasks}
    assert item.task_id in held


def test_an_entry_of_a_schedule_is_sent_now(us: Crew) -> None:
    item = only(us.desk.send("run_entry", {"entry": "beat_schedule:sum"}))
    assert item.effect == "done"
    assert item.task_id is not None
    assert AsyncResult(item.task_id, app=us.app).get(timeout=5) == 42
    with pytest.raises(NotPossible, match="It is a secret"):
        us.desk.send("run_entry", {"entry": "redis:x"})
    with pytest.raises(NotFound, match="entry"):
        us.desk.send("run_entry", {"entry": "redis:y"})


# ---------------------------------------------------------------------- tasks that ran


def test_a_finished_task_runs_again_with_the_same_arguments(us: Crew) -> None:
    old = us.finished("project.add", 7, 8)
    item = only(us.desk.send("retry", {"ids": [old]}))
    assert (item.subject, item.outcome, item.effect) == (old, "ok", "done")
    assert item.task_id not in (None, old)
    assert AsyncResult(str(item.task_id), app=us.app).get(timeout=5) == 15


def test_what_cannot_run_again_is_refused_with_its_reason_and_the_rest_is_done(us: Crew) -> None:
    cut = us.finished("project.add", "x" * 3_000, "y")
    good = us.finished("project.add", 1)
    report = over(us.desk.send("retry", {"ids": [cut, "unknown", good]}))
    said = {item.subject: (item.outcome, item.said) for item in report.items}
    assert said["unknown"] == ("refused", "No event of it is kept.")
    assert said[cut][0] == "refused"
    assert "was cut" in said[cut][1]
    assert said[good][0] == "ok"
    assert report.outcomes == {"refused": 2, "ok": 1}


def test_many_are_retried_in_a_job_that_is_stopped(us: Crew) -> None:
    ids = [us.app.send_task("project.add", (number,)).id for number in range(200)]
    eventually(lambda: all(i in us.tasks and us.tasks[i].finished for i in ids))
    before = len(us.tasks)
    action = us.desk.send("retry", {"ids": ids})
    sequence = 0
    while action.snapshot().outcomes.get("ok", 0) < 5:
        sequence = action.wait_for_change(sequence, 5)
    us.desk.stop(action.id)
    report = over(action)
    sent = report.outcomes["ok"]
    assert (report.state, report.total, report.sent) == ("stopped", 200, "yes")
    assert 5 <= sent < 200
    assert report.outcomes["unasked"] == 200 - sent
    eventually(lambda: len(us.tasks) == before + sent)
    new = {item.task_id for item in report.items if item.outcome == "ok"}
    eventually(lambda: all(us.tasks[str(i)].finished for i in new))


@pytest.mark.filterwarnings("ignore:.*setex:DeprecationWarning")  # Celery writes with it
def test_a_task_that_looks_for_it_is_aborted(us: Crew) -> None:
    ident = us.app.send_task("project.patient").id
    eventually(lambda: ident in us.tasks and us.tasks[ident].state == "STARTED")
    done = us.finished("project.add", 1)
    report = over(us.desk.send("abort", {"ids": [ident, done, "unknown"]}))
    items = {item.subject: item for item in report.items}
    assert (items[ident].outcome, items[ident].effect) == ("ok", "done")
    assert items[done].said == "It is finished: SUCCESS."
    assert "know it" in items["unknown"].said
    eventually(lambda: us.tasks[ident].finished)
    assert AsyncResult(ident, app=us.app).get(timeout=5) == "aborted"


def test_a_result_is_forgotten(us: Crew) -> None:
    ident = us.finished("project.add", 1)
    assert AsyncResult(ident, app=us.app).state == "SUCCESS"
    report = over(us.desk.send("forget", {"ids": [ident, "unknown"]}))
    assert {item.subject: item.effect for item in report.items} == {
        ident: "done",
        "unknown": "nothing to do",
    }
    assert AsyncResult(ident, app=us.app).state == "PENDING"


# ---------------------------------------------------------------------- queues


def test_a_queue_is_purged_when_its_name_was_typed(us: Crew) -> None:
    queue = f"{us.name}.full"
    for number in range(3):
        us.app.send_task("project.add", (number,), queue=queue, priority=number * 3)
    assert us.length(queue) == 3
    with pytest.raises(BadArgument, match="must be confirmed"):
        us.desk.send("purge", {"queue": queue}, confirm="full")
    item = only(us.desk.send("purge", {"queue": queue}, confirm=queue))
    assert (item.outcome, item.value, item.effect) == ("ok", 3, "done")
    assert item.effect_said == "No message waits in it now."
    assert us.length(queue) == 0


def test_all_that_consume_a_queue_are_paused_and_the_same_are_resumed(us: Crew) -> None:
    assert set(us.consumers(us.name)) == set(us.hosts)
    report = over(us.desk.send("pause_queue", {"queue": us.name}))
    assert {worker.hostname: worker.effect for worker in report.workers} == dict.fromkeys(
        us.hosts, "done"
    )
    assert us.consumers(us.name) == []
    ident = us.app.send_task("project.add", (1,)).id
    # A worker may still have asked for the next message: it puts it back.
    eventually(lambda: us.length(us.name) == 1)
    with pytest.raises(NotPossible, match="No worker is known"):
        us.desk.send("pause_queue", {"queue": us.name})
    report = over(us.desk.send("resume_queue", {"queue": us.name}))
    assert report.effects == {"done": 2}
    assert set(us.consumers(us.name)) == set(us.hosts)
    assert AsyncResult(ident, app=us.app).get(timeout=10) == 1
    with pytest.raises(NotPossible, match="Nobody was paused") as refused:
        us.desk.send("resume_queue", {"queue": us.name})
    assert refused.value.hint == "Name the workers."
    report = over(us.desk.send("pause_queue", {"queue": us.name}, workers=us.hosts[:1]))
    assert us.consumers(us.name) == us.hosts[1:]
    over(us.desk.send("resume_queue", {"queue": us.name}, workers=us.hosts[:1]))
    assert set(us.consumers(us.name)) == set(us.hosts)


# ---------------------------------------------------------------------- a broker that goes


def test_a_broker_that_goes_away_ends_the_job_and_what_was_done_is_told(
    tmp_path: Path, backend: str
) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(running_redis(tmp_path))
        app = Celery("client", broker=url, backend=backend, set_as_current=False)
        done = Task("old", 0.0, state="SUCCESS", name="t", args="(1,)", kwargs="{}")
        seen = 0

        def tasks(_ident: str) -> Task:
            nonlocal seen
            seen += 1
            if seen == 3:
                stack.close()
            return done

        jobs = Jobs(app=app, results=Results(app), tasks=tasks, known_names=list)
        jobs.start()
        report = over(jobs.send(COMMANDS["retry"], {"ids": ["a", "b", "c", "d"]}))
        jobs.stop()
    assert report.state == "failed"
    assert "went away" in report.error
    assert report.outcomes == {"ok": 2, "asked": 1, "unasked": 1}
    assert {item.effect for item in report.items} == {"cannot tell"}
