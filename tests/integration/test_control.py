"""Real workers, told over real brokers what to do; what they did is asked with Celery's own client.

One crew of workers with different pools serves the whole file; a worker that is to die, to sleep
or to have a twin belongs to another crew, with a control exchange of its own.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Celery

from celeryscope.control.action import Action, Report, WorkerResult
from celeryscope.control.commands import Argument, Command
from celeryscope.control.effects import Sight
from celeryscope.control.remote import Remote
from celeryscope.errors import BadArgument, NotFound, Unavailable
from tests.conftest import free_port, running, running_redis
from tests.recording import eventually

PROJECT = """
import os, time
from celery import Celery

app = Celery("project", broker=os.environ["BROKER"])
name = os.environ["CREW"]
app.conf.task_default_queue = app.conf.control_exchange = name
app.conf.event_exchange = name + ".events"
app.conf.worker_pool_restarts = bool(os.environ.get("RESTARTS"))
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 1

@app.task
def nap(seconds):
    time.sleep(seconds)
"""
WORKER = (sys.executable, "-m", "celery", "-A", "project", "worker", "--without-mingle",
          "--without-gossip", "-l", "info")  # fmt: skip
NAP = "project.nap"


class Crew:
    """Workers that hear the same commands, and who may send them."""

    def __init__(self, app: Celery, name: str) -> None:
        self.app = app
        self.name = name
        self.processes: dict[str, Popen[bytes]] = {}
        self.events: list[dict[str, Any]] = []
        self.known: dict[str, bool] = {}
        self.changes: list[tuple[str, int]] = []

    def ask(self, *hostnames: str) -> Any:
        """Celery's own way to ask them."""
        return self.app.control.inspect(destination=list(hostnames), timeout=3)

    def stats(self, hostname: str) -> Any:
        return self.ask(hostname).stats()[hostname]

    def queues(self, hostname: str) -> set[str]:
        return {queue["name"] for queue in self.ask(hostname).active_queues()[hostname]}

    def running(self, hostname: str) -> set[str]:
        return {task["id"] for task in self.ask(hostname).active()[hostname]}

    def nap(self, seconds: float, queue: str | None = None, **options: Any) -> str:
        ident: str = self.app.send_task(NAP, (seconds,), queue=queue or self.name, **options).id
        return ident

    def sight(self) -> Sight:
        """What a console would know from events."""

        def online(hostname: str) -> bool | None:
            told = [
                event["type"] == "worker-online"
                for event in list(self.events)
                if event["type"] in ("worker-online", "worker-offline")
                and event["hostname"] == hostname
            ]
            return told[-1] if told else None

        return Sight(online=online)

    @contextmanager
    def remote(self, **options: Any) -> Iterator[Remote]:
        remote = Remote(
            app=self.app,
            workers=lambda: self.known,
            sight=self.sight(),
            on_change=lambda action: self.changes.append((action.id, action.sequence)),
            **{"timeout_seconds": 5.0, "confirm_seconds": 8.0, "late_seconds": 5.0, **options},
        )
        remote.start()
        try:
            yield remote
        finally:
            remote.stop()


@contextmanager
def crew(
    directory: Path, broker: str, name: str, workers: Sequence[tuple[str, Sequence[str]]]
) -> Iterator[Crew]:
    """Start these workers, all at once; each is (hostname, options), an option RESTARTS=1 its
    environment."""
    (directory / "project.py").write_text(PROJECT)
    with ExitStack() as stack, Celery("client", broker=broker, set_as_current=False) as app:
        app.conf.task_default_queue = app.conf.control_exchange = name
        app.conf.event_exchange = f"{name}.events"
        made = Crew(app, name)
        stack.enter_context(watching(made))
        pool = stack.enter_context(ThreadPoolExecutor(len(workers)))

        def start(number: int) -> Any:
            hostname, options = workers[number]
            log = directory / f"{name}-{number}.log"
            worker = running(
                [*WORKER, "-n", hostname, *(o for o in options if "=1" not in o)],
                log=log,
                ready=lambda: " ready." in log.read_text(),
                env={
                    **os.environ,
                    "BROKER": broker,
                    "CREW": name,
                    "RESTARTS": "1" if "RESTARTS=1" in options else "",
                },
                cwd=directory,
                timeout_seconds=50,
            )
            return hostname, worker, worker.__enter__()

        started = list(pool.map(start, range(len(workers))))
        made.processes = {hostname: process for hostname, _, process in started}
        made.known = dict.fromkeys(made.processes, True)
        try:
            yield made
        finally:
            for process in made.processes.values():
                with suppress(ProcessLookupError):  # one that is stopped cannot be asked to end
                    os.killpg(process.pid, signal.SIGCONT)
            list(pool.map(lambda worker: worker[1].__exit__(None, None, None), started))


@contextmanager
def watching(crew: Crew) -> Iterator[None]:
    """Keep the events of a crew."""
    stop, ready = threading.Event(), threading.Event()

    def run() -> None:
        with crew.app.connection_for_read() as connection:
            receiver = crew.app.events.Receiver(
                connection, handlers={"*": lambda event: crew.events.append(event)}
            )
            with receiver.consumer_context() as (its_own, _channel, _consumers):
                ready.set()
                while not stop.is_set():
                    with suppress(TimeoutError):
                        its_own.drain_events(timeout=0.2)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def pools(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """One worker of each kind."""
    workers = [
        ("pre@here", ["-P", "prefork", "-c", "2", "RESTARTS=1"]),
        ("auto@here", ["-P", "prefork", "--autoscale", "3,1"]),
        ("threads@here", ["-P", "threads", "-c", "2", "-E", "RESTARTS=1"]),
        ("solo@here", ["-P", "solo"]),
    ]
    with crew(tmp_path_factory.mktemp("pools"), redis_url, "pools", workers) as made:
        yield made


@pytest.fixture(scope="module")
def remote(pools: Crew) -> Iterator[Remote]:
    with pools.remote() as remote:
        yield remote


@pytest.fixture(scope="module")
def mortals(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Workers that are stopped, killed and shut down, and two of one name."""
    alone = ["-P", "solo"]
    workers = [("sleeps@here", alone), ("killed@here", alone), ("ends@here", alone)]
    with crew(tmp_path_factory.mktemp("mortals"), redis_url, "mortals", workers) as made:
        yield made


def over(action: Action, seconds: float = 30) -> Report:
    assert action.wait(seconds), action.snapshot()
    return action.snapshot()


def by_name(report: Report) -> Mapping[str, WorkerResult]:
    return {worker.hostname: worker for worker in report.workers}


def only(report: Report) -> WorkerResult:
    assert report.state == "finished", report
    (worker,) = report.workers
    return worker


# ---------------------------------------------------------------------- asking


@pytest.mark.parametrize(
    ("command", "arguments", "own"),
    [
        ("ping", {}, lambda inspect: inspect.ping()),
        ("registered", {}, lambda inspect: inspect.registered()),
        (
            "registered",
            {"taskinfoitems": ["name"], "builtins": False},
            lambda inspect: inspect.registered("name"),
        ),
        ("active_queues", {}, lambda inspect: inspect.active_queues()),
        ("active", {}, lambda inspect: inspect.active()),
        ("reserved", {}, lambda inspect: inspect.reserved()),
        ("scheduled", {}, lambda inspect: inspect.scheduled()),
        ("revoked", {}, lambda inspect: inspect.revoked()),
        ("query_task", {"ids": ["none"]}, lambda inspect: inspect.query_task("none")),
        ("conf", {}, lambda inspect: inspect.conf()),
    ],
)
def test_every_worker_answers_as_it_answers_celery(
    pools: Crew, remote: Remote, command: str, arguments: Mapping[str, Any], own: Any
) -> None:
    report = over(remote.send(command, arguments))
    expected = own(pools.ask(*pools.processes))
    if command == "ping":
        expected = {hostname: answer["ok"] for hostname, answer in expected.items()}
    assert report.state == "finished"
    assert {worker.hostname: worker.value for worker in report.workers} == expected
    assert report.outcomes == {"ok": 4}
    assert report.finished_at is not None
    assert report.finished_at - report.created_at < report.timeout_seconds


def test_statistics_come_from_the_worker_that_was_named(pools: Crew, remote: Remote) -> None:
    report = over(remote.send("stats", workers=["solo@here"]))
    assert only(report).value["pid"] == pools.processes["solo@here"].pid


def test_a_task_that_runs_is_found(pools: Crew, remote: Remote) -> None:
    over(remote.send("add_consumer", {"queue": "to.query"}, workers=["threads@here"]))
    ident = pools.nap(1.5, "to.query")
    eventually(lambda: ident in pools.running("threads@here"))
    report = over(remote.send("query_task", {"ids": [ident]}))
    found = {worker.hostname: worker.value for worker in report.workers if worker.value}
    assert list(found) == ["threads@here"]
    state, task = found["threads@here"][ident]
    assert (state, task["name"]) == ("active", NAP)
    over(remote.send("cancel_consumer", {"queue": "to.query"}))


# ---------------------------------------------------------------------- pools


def test_a_pool_grows_and_shrinks(pools: Crew, remote: Remote) -> None:
    report = over(remote.send("pool_grow", {"n": 2}, workers=["pre@here"]))
    worker = only(report)
    assert (worker.outcome, worker.value, worker.effect) == ("ok", "pool will grow", "done")
    assert worker.effect_said == "4 processes, 2 before."
    assert len(pools.stats("pre@here")["pool"]["processes"]) == 4
    worker = only(over(remote.send("pool_shrink", {"n": 2}, workers=["pre@here"])))
    assert (worker.effect, worker.effect_said) == ("done", "2 processes, 4 before.")
    eventually(lambda: len(pools.stats("pre@here")["pool"]["processes"]) == 2)


@pytest.mark.parametrize("command", ["pool_grow", "pool_shrink"])
def test_who_cannot_grow_says_so_in_its_own_words(
    pools: Crew, remote: Remote, command: str
) -> None:
    named = ["solo@here", "threads@here", "auto@here"]
    report = over(remote.send(command, workers=named))
    assert report.outcomes == {"refused": 3}
    assert report.effects == {"unchecked": 3}
    workers = by_name(report)
    assert f"{command} is not supported with autoscale" in workers["auto@here"].error
    assert "AttributeError" in workers["solo@here"].error
    assert "AttributeError" in workers["threads@here"].error


def test_autoscale_where_it_runs_and_where_not(pools: Crew, remote: Remote) -> None:
    report = over(remote.send("autoscale", {"max": 4, "min": 2}, workers=["auto@here", "pre@here"]))
    workers = by_name(report)
    assert (workers["auto@here"].effect, workers["auto@here"].effect_said) == (
        "done", "Its limits are 2 to 4.",
    )  # fmt: skip
    assert "Autoscale not enabled" in workers["pre@here"].error
    told = pools.stats("auto@here")["autoscaler"]
    assert (told["max"], told["min"]) == (4, 2)
    over(remote.send("autoscale", {"max": 3, "min": 1}, workers=["auto@here"]))


def test_a_restart_replaces_an_idle_process_only_with_its_next_task(pools: Crew) -> None:
    before = set(pools.stats("pre@here")["pool"]["processes"])
    named = ["pre@here", "auto@here", "threads@here"]
    with pools.remote(confirm_seconds=1.5) as impatient:
        workers = by_name(over(impatient.send("pool_restart", {"reload": True}, workers=named)))
    pre = workers["pre@here"]
    # Celery itself gives one of the two something to do.
    assert (pre.outcome, pre.value, pre.effect) == ("ok", "reload started", "not seen"), pre
    assert "of its 2 processes are still the old ones" in pre.effect_said

    def left() -> int:
        return len(before & set(pools.stats("pre@here")["pool"]["processes"]))

    # That one ends when it gets to it.
    eventually(lambda: left() == 1)
    assert "Pool restarts not enabled" in workers["auto@here"].error
    assert workers["threads@here"].effect == "cannot tell"
    assert "celery.concurrency.thread" in workers["threads@here"].effect_said


# ---------------------------------------------------------------------- queues


def test_queues_are_added_and_cancelled_on_all_workers(pools: Crew, remote: Remote) -> None:
    report = over(
        remote.send(
            "add_consumer",
            {"queue": "extra", "exchange": "mail", "exchange_type": "topic",
             "routing_key": "mail.#", "options": {"durable": False}},
        )
    )  # fmt: skip
    assert report.effects == {"done": 4}, report
    for hostname in pools.processes:
        assert pools.queues(hostname) == {"pools", "extra"}
    (queue,) = [
        q for q in pools.ask("pre@here").active_queues()["pre@here"] if q["name"] == "extra"
    ]
    assert (queue["routing_key"], queue["durable"]) == ("mail.#", False)
    assert (queue["exchange"]["name"], queue["exchange"]["type"]) == ("mail", "topic")
    report = over(remote.send("cancel_consumer", {"queue": "extra"}))
    assert report.effects == {"done": 4}, report
    for hostname in pools.processes:
        assert pools.queues(hostname) == {"pools"}


# ---------------------------------------------------------------------- tasks


def test_the_rate_of_a_task_is_limited(pools: Crew, remote: Remote) -> None:
    report = over(remote.send("rate_limit", {"task_name": NAP, "rate_limit": "1000/m"}))
    assert report.effects == {"done": 4}, report
    told = pools.ask(*pools.processes).registered("rate_limit")
    assert set(map(tuple, told.values())) == {(f"{NAP} [rate_limit=1000/m]",)}
    report = over(remote.send("rate_limit", {"task_name": NAP, "rate_limit": "0"}))
    assert report.effects == {"done": 4}, report


def test_the_time_of_a_task_is_limited(pools: Crew, remote: Remote) -> None:
    limits = {"task_name": NAP, "soft": 30, "hard": 60.5}
    report = over(remote.send("time_limit", limits))
    assert report.effects == {"done": 4}, report
    told = pools.ask(*pools.processes).registered("soft_time_limit", "time_limit")
    assert set(map(tuple, told.values())) == {(f"{NAP} [soft_time_limit=30 time_limit=60.5]",)}
    report = over(remote.send("time_limit", {"task_name": NAP}))
    assert report.effects == {"done": 4}, report
    assert pools.ask("pre@here").registered("time_limit") == {"pre@here": [NAP]}


def test_a_task_that_no_worker_knows_is_refused_by_each(remote: Remote) -> None:
    for command, limit in (("rate_limit", {"rate_limit": "1/m"}), ("time_limit", {"soft": 1})):
        report = over(remote.send(command, {"task_name": "no.such", **limit}))
        assert {worker.error for worker in report.workers} == {"unknown task"}
        assert report.outcomes == {"refused": 4}


@pytest.mark.parametrize(
    ("rate", "words"), [("many", "Invalid rate limit string"), ("1/x", "KeyError")]
)
def test_what_celery_rejects_is_told_in_its_words(remote: Remote, rate: str, words: str) -> None:
    # Our own table would not let it through.
    lenient = Command(
        "rate_limit",
        "Limit",
        "No check.",
        "By nothing.",
        "rate",
        arguments=(Argument("task_name", "text", ""), Argument("rate_limit", "text", "")),
    )
    report = over(remote.send(lenient, {"task_name": NAP, "rate_limit": rate}))
    assert report.outcomes == {"refused": 4}
    for worker in report.workers:
        assert words in worker.error


def test_a_command_that_workers_do_not_have_is_refused_by_each(remote: Remote) -> None:
    report = over(remote.send(Command("dance", "Dance", "None.", "None.", "answer")))
    assert {worker.error for worker in report.workers} == {"KeyError('dance')"}


def test_revoked_tasks_are_known_to_every_worker(pools: Crew, remote: Remote) -> None:
    ids = [pools.nap(0, countdown=600), pools.nap(0, countdown=600), str(uuid4())]
    report = over(remote.send("revoke", {"ids": ids}))
    assert report.effects == {"done": 4}, report
    for told in pools.ask(*pools.processes).revoked().values():
        assert set(ids) <= set(told)


def test_a_running_task_is_terminated_where_it_runs(pools: Crew, remote: Remote) -> None:
    over(remote.send("cancel_consumer", {"queue": "pools"}, workers=["threads@here", "solo@here"]))
    over(remote.send("cancel_consumer", {"queue": "pools"}, workers=["auto@here"]))
    ident = pools.nap(100)
    eventually(lambda: ident in pools.running("pre@here"))
    workers = by_name(over(remote.send("terminate", {"ids": [ident], "signal": "KILL"})))
    assert (workers["pre@here"].value, workers["pre@here"].effect) == (
        f"terminate: {ident}",
        "done",
    )
    assert {workers[name].effect for name in workers if name != "pre@here"} == {"nothing to do"}
    assert ident not in pools.running("pre@here")
    over(remote.send("add_consumer", {"queue": "pools"}))


def test_threads_cannot_be_terminated_and_say_so(pools: Crew, remote: Remote) -> None:
    over(remote.send("add_consumer", {"queue": "to.threads"}, workers=["threads@here"]))
    ident = pools.nap(3, "to.threads")
    eventually(lambda: ident in pools.running("threads@here"))
    worker = only(over(remote.send("terminate", {"ids": [ident]}, workers=["threads@here"])))
    assert worker.outcome == "refused"
    assert "NotImplementedError" in worker.error
    assert ident in pools.running("threads@here")


def test_a_signal_that_a_task_survives_is_not_seen_to_end_it(pools: Crew) -> None:
    with pools.remote(confirm_seconds=1.0) as impatient:
        over(impatient.send("add_consumer", {"queue": "to.pre"}, workers=["pre@here"]))
        ident = pools.nap(100, "to.pre")
        eventually(lambda: ident in pools.running("pre@here"))
        workers = ["pre@here"]
        hangup = over(
            impatient.send("terminate", {"ids": [ident], "signal": "SIGHUP"}, workers=workers)
        )
        worker = only(hangup)
        survived = ident in pools.running("pre@here")
        assert worker.effect == ("not seen" if survived else "done")
        over(impatient.send("terminate", {"ids": [ident], "signal": "SIGKILL"}, workers=workers))
        eventually(lambda: ident not in pools.running("pre@here"))


def test_stamped_tasks_are_terminated_and_only_the_worker_says_so(
    pools: Crew, remote: Remote
) -> None:
    over(remote.send("add_consumer", {"queue": "to.stamped"}, workers=["pre@here"]))
    stamped = {"order": ["7"], "stamped_headers": ["order"], "stamps": {"order": ["7"]}}
    ident = pools.nap(100, "to.stamped", headers=stamped)
    eventually(lambda: ident in pools.running("pre@here"))
    report = over(
        remote.send("revoke_by_stamped_headers", {"headers": {"order": "7"}, "terminate": True})
    )
    assert report.effects == {"cannot tell": 4}
    workers = by_name(report)
    assert "'7'" in workers["pre@here"].value
    assert workers["solo@here"].value.endswith("were not terminated")
    eventually(lambda: ident not in pools.running("pre@here"))


# ---------------------------------------------------------------------- events


def test_events_are_switched_on_and_off(pools: Crew, remote: Remote) -> None:
    def told(ident: str) -> bool:
        return any(event.get("uuid") == ident for event in list(pools.events))

    over(remote.send("add_consumer", {"queue": "to.solo"}, workers=["solo@here"]))
    worker = only(over(remote.send("enable_events", workers=["solo@here"])))
    assert (worker.value, worker.effect) == ("task events enabled", "done")
    seen = pools.nap(0, "to.solo")
    eventually(lambda: told(seen))
    workers = by_name(over(remote.send("disable_events", workers=["solo@here", "threads@here"])))
    assert (workers["solo@here"].value, workers["solo@here"].effect) == (
        "task events disabled", "done",
    )  # fmt: skip
    # It was started with -E: it says that, and goes on sending.
    assert workers["threads@here"].value == "task events already disabled"
    assert workers["threads@here"].effect == "cannot tell"
    over(remote.send("add_consumer", {"queue": "to.events"}, workers=["threads@here"]))
    unseen, still = pools.nap(0, "to.solo"), pools.nap(0, "to.events")
    eventually(lambda: told(still))
    eventually(lambda: pools.stats("solo@here")["total"][NAP] >= 2)
    assert not told(unseen)


# ---------------------------------------------------------------------- who is addressed


def test_an_unknown_worker_is_told_before_anything_is_sent(pools: Crew, remote: Remote) -> None:
    kept = remote.actions()
    before = pools.stats("pre@here")["pool"]["processes"]
    with pytest.raises(NotFound, match="Unknown worker 'nobody@here'"):
        remote.send("pool_grow", workers=["pre@here", "nobody@here"])
    with pytest.raises(NotFound, match="Unknown command 'exec'"):
        remote.send("exec")
    with pytest.raises(BadArgument, match="needs the names"):
        remote.send("shutdown")
    for workers in ([], "pre@here", [1]):
        with pytest.raises(BadArgument):
            remote.send("ping", workers=workers)  # type: ignore[arg-type]
    assert remote.actions() == kept
    assert pools.stats("pre@here")["pool"]["processes"] == before


def test_a_worker_we_did_not_know_is_shown_when_it_answers(pools: Crew) -> None:
    everyone = pools.known
    pools.known = {"pre@here": True, "gone@here": False}
    try:
        with pools.remote(timeout_seconds=1.5) as remote:
            report = over(remote.send("ping"))
            eventually(lambda: len(remote.get(report.id).snapshot().workers) == 4)
            workers = by_name(remote.get(report.id).snapshot())
            assert {name for name in workers if workers[name].expected} == {"pre@here"}
            assert remote.get(report.id).snapshot().unexpected == 3
            gone = over(remote.send("ping", workers=["gone@here", "pre@here"]))
    finally:
        pools.known = everyone
    assert gone.outcomes == {"silent": 1, "ok": 1}


def test_a_busy_worker_is_silent_and_then_late(pools: Crew) -> None:
    with pools.remote(timeout_seconds=0.8) as remote:
        over(remote.send("add_consumer", {"queue": "to.busy"}, workers=["solo@here"]))
        pools.nap(2, "to.busy")
        eventually(lambda: not pools.app.control.ping(["solo@here"], timeout=0.3))
        action = remote.send("ping")
        report = over(action)
        assert report.outcomes == {"ok": 3, "silent": 1}
        eventually(lambda: action.snapshot().late == 1)
        solo = by_name(action.snapshot())["solo@here"]
        assert (solo.outcome, solo.late, solo.value) == ("ok", True, "pong")


def test_changes_are_told_as_they_come(pools: Crew, remote: Remote) -> None:
    action = remote.send("ping")
    over(action)
    told = [sequence for ident, sequence in list(pools.changes) if ident == action.id]
    assert len(told) >= 5  # sent, and four answers
    assert max(told) == action.sequence


def test_many_actions_share_one_connection(pools: Crew, remote: Remote) -> None:
    actions = [remote.send("ping") for _ in range(15)]
    for action in actions:
        assert over(action).outcomes == {"ok": 4}
    assert remote.actions()[0] is actions[-1]


# ---------------------------------------------------------------------- workers that fail


def test_a_stopped_worker_is_silent_and_late_when_it_goes_on(mortals: Crew) -> None:
    process = mortals.processes["sleeps@here"]
    with mortals.remote(timeout_seconds=1.0) as remote:
        os.kill(process.pid, signal.SIGSTOP)
        action = remote.send(
            "rate_limit", {"task_name": NAP, "rate_limit": "7/m"}, workers=["sleeps@here"]
        )
        report = over(action)
        assert (report.state, report.outcomes) == ("finished", {"silent": 1})
        os.kill(process.pid, signal.SIGCONT)
        eventually(lambda: action.snapshot().late == 1)
        worker = only(action.snapshot())
        assert (worker.outcome, worker.value) == ("ok", "new rate limit set successfully")
    # It did what it had found in its socket, however late.
    told = mortals.ask("sleeps@here").registered("rate_limit")["sleeps@here"]
    assert told == [f"{NAP} [rate_limit=7/m]"]


def test_a_killed_worker_is_silent_and_the_others_answer(mortals: Crew) -> None:
    process = mortals.processes["killed@here"]
    process.kill()
    process.wait(10)
    with mortals.remote(timeout_seconds=1.0) as remote:
        report = over(remote.send("ping", workers=["killed@here", "sleeps@here"]))
        assert report.outcomes == {"silent": 1, "ok": 1}
        assert by_name(report)["killed@here"].outcome == "silent"


def test_a_worker_is_shut_down_and_its_own_event_says_so(mortals: Crew) -> None:
    with mortals.remote() as remote:
        action = remote.send("shutdown", workers=["ends@here"])
        worker = only(over(action))
        assert (worker.outcome, worker.effect, worker.effect_said) == (
            "asked", "done", "It is offline.",
        )  # fmt: skip
    mortals.processes["ends@here"].wait(20)
    assert not mortals.app.control.ping(["ends@here"], timeout=0.5)


def test_two_workers_of_one_name_are_counted(
    redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    twins = [("twin@here", ["-P", "solo"]), ("twin@here", ["-P", "solo"])]
    with (
        crew(tmp_path_factory.mktemp("twins"), redis_url, "twins", twins) as made,
        made.remote() as remote,
    ):
        action = remote.send("rate_limit", {"task_name": NAP, "rate_limit": "5/m"})
        over(action)
        eventually(lambda: action.snapshot().twice == 1)
        worker = only(action.snapshot())
        assert (worker.hostname, worker.answers, worker.outcome) == ("twin@here", 2, "ok")


# ---------------------------------------------------------------------- the broker


def test_a_broker_that_is_down_fails_the_action_and_nothing_was_sent() -> None:
    with (
        Celery("client", broker="redis://:secret@127.0.0.1:1/0", set_as_current=False) as app,
    ):
        remote = Remote(app=app, workers=lambda: {"w@h": True})
        remote.start()
        report = over(remote.send("ping"))
        remote.stop()
    assert (report.state, report.sent, report.outcomes) == ("failed", "no", {"unasked": 1})
    assert report.error.startswith("It was not sent: redis://:**@127.0.0.1:1/0")
    assert "running" in report.hint


def test_a_broker_that_goes_away_fails_the_action_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as stack:
        url = stack.enter_context(running_redis(tmp_path, port=port))
        app = stack.enter_context(Celery("client", broker=url, set_as_current=False))
        remote = Remote(app=app, workers=lambda: {"w@h": True}, timeout_seconds=20.0)
        remote.start()
        stack.callback(remote.stop)
        action = remote.send("ping")
        eventually(lambda: action.snapshot().state == "waiting")
        with redis.Redis.from_url(url) as server, suppress(redis.ConnectionError):
            server.shutdown(nosave=True)
        report = over(action)
        assert (report.state, report.sent, report.outcomes) == ("failed", "yes", {"silent": 1})
        assert report.error.startswith("The broker went away after it was sent: redis://")
        with running_redis(tmp_path, port=port):
            again = remote.send("ping")
            eventually(lambda: again.snapshot().state == "waiting")
            remote.stop()
        assert over(again).error == "Celeryscope stops."
        with pytest.raises(Unavailable):
            remote.send("ping")


@contextmanager
def relay(port: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """A way to a server that can be cut: (its port, what cuts it)."""
    sockets: list[socket.socket] = []

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        cut()

    def accept() -> None:
        with suppress(OSError):
            while True:
                ours, _ = door.accept()
                theirs = socket.create_connection(("127.0.0.1", port))
                sockets.extend((ours, theirs))
                for ends in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

    def cut() -> None:
        for end in sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as door:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield door.getsockname()[1], cut
        cut()
        door.shutdown(socket.SHUT_RDWR)
        accepting.join(10)
    for end in sockets:
        end.close()


def test_a_rabbitmq_that_is_cut_off_fails_the_action(rabbitmq: str) -> None:
    port = int(rabbitmq.rsplit(":", 1)[1].strip("/"))
    with (
        relay(port) as (through, cut),
        Celery(
            "client", broker=rabbitmq.replace(str(port), str(through)), set_as_current=False
        ) as app,
    ):
        app.conf.control_exchange = "cut"
        remote = Remote(app=app, workers=lambda: {"w@h": True}, timeout_seconds=20.0)
        remote.start()
        action = remote.send("ping")
        eventually(lambda: action.snapshot().state == "waiting")
        cut()
        report = over(action)
        assert (report.state, report.sent, report.outcomes) == ("failed", "yes", {"silent": 1})
        assert f"127.0.0.1:{through}" in report.error
        assert "guest:guest" not in report.error
        again = remote.send("ping")
        eventually(lambda: again.snapshot().state == "waiting")
        remote.stop()


def test_a_command_does_not_wait_in_a_mailbox_for_ever(rabbitmq: str) -> None:
    with Celery("client", broker=rabbitmq, set_as_current=False) as app:
        app.conf.control_exchange = "expiring"
        with app.connection_for_write() as connection, connection.channel() as channel:
            # As a worker's mailbox that is kept while the worker is away.
            exchange = app.control.mailbox.exchange(channel)
            exchange.declare()
            name = channel.queue_declare(exclusive=True).queue
            channel.queue_bind(name, exchange.name)
            remote = Remote(app=app, workers=dict, timeout_seconds=1.0, late_seconds=0)
            remote.start()
            waits = remote.send("ping")
            eventually(lambda: channel.queue_declare(name, passive=True).message_count == 1)
            assert over(waits).outcomes == {}
            eventually(lambda: channel.queue_declare(name, passive=True).message_count == 0)
            remote.stop()


def test_a_broker_that_hangs_does_not_keep_the_action() -> None:
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as deaf,
        Celery("client", set_as_current=False) as app,
    ):
        app.conf.broker_url = f"amqp://guest:guest@127.0.0.1:{deaf.getsockname()[1]}//"
        app.conf.broker_connection_timeout = 60
        remote = Remote(app=app, workers=dict, send_seconds=0.5, timeout_seconds=0.1)
        remote.start()
        began = time.monotonic()
        report = over(remote.send("ping"))
        assert time.monotonic() - began < 5
        assert (report.state, report.sent) == ("failed", "no")
        assert "did not take the command in 0.5 s" in report.error
        deaf.close()
        remote.stop()


# ---------------------------------------------------------------------- many


@contextmanager
def crowd(url: str, size: int, copies: int = 1) -> Iterator[None]:
    """One node that answers `ping` for many."""
    stop, ready = threading.Event(), threading.Event()

    def run() -> None:
        with Celery("crowd", broker=url, set_as_current=False) as app:
            app.conf.control_exchange = "crowd"
            with app.connection_for_read() as connection:
                mailbox = app.control.mailbox(connection)
                node = mailbox.Node("w0@crowd", handlers={}, channel=connection.default_channel)

                def answer(body: Mapping[str, Any], message: object) -> None:
                    for number in range(size):
                        for _ in range(copies):
                            node.reply(
                                {f"w{number}@crowd": {"ok": "pong"}},
                                ticket=body["ticket"],
                                **body["reply_to"],
                            )

                with node.listen(callback=answer):
                    while not stop.is_set():
                        with suppress(TimeoutError):
                            connection.drain_events(timeout=0.2)
                        ready.set()  # kombu subscribes when it first looks

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_five_hundred_workers_answer_one_question(redis_url: str) -> None:
    known = {f"w{number}@crowd": True for number in range(500)}
    with (
        crowd(redis_url, 500, copies=2),
        Celery("client", broker=redis_url, set_as_current=False) as app,
    ):
        app.conf.control_exchange = "crowd"
        remote = Remote(app=app, workers=lambda: known, late_seconds=0.5)
        remote.start()
        report = over(remote.send("ping"))
        assert report.outcomes == {"ok": 500}
        eventually(lambda: remote.get(report.id).snapshot().twice == 500)
        assert report.finished_at is not None
        assert report.finished_at - report.created_at < 3
        with redis.Redis.from_url(redis_url) as server:
            # It listens for late answers, and then leaves nothing behind.
            eventually(lambda: not server.keys("*reply.crowd*"))
        remote.stop()


def test_replies_actions_and_concurrency_are_bounded(redis_url: str) -> None:
    with (
        crowd(redis_url, 3),
        Celery("client", broker=redis_url, set_as_current=False) as app,
    ):
        app.conf.control_exchange = "crowd"
        names = [f"w{number}@crowd" for number in range(3)]
        remote = Remote(
            app=app,
            workers=lambda: {**dict.fromkeys(names, True), "mute@crowd": False},
            max_total_bytes=70,
            max_kept=3,
            max_running=2,
            timeout_seconds=1.0,
        )
        remote.start()
        first = over(remote.send("ping"))
        assert first.outcomes == {"ok": 3}
        assert sorted(worker.value_dropped for worker in first.workers) == [False, False, True]
        for _ in range(4):
            over(remote.send("ping"))
        assert len(remote.actions()) == 3
        with pytest.raises(NotFound, match="Unknown action"):
            remote.get(first.id)
        with pytest.raises(BadArgument, match="10,000 names"):
            remote.send("ping", workers=[str(number) for number in range(10_001)])
        for _ in range(2):
            remote.send("ping", workers=["mute@crowd"])
        with pytest.raises(Unavailable, match="2 commands are on their way"):
            remote.send("ping")
        remote.stop()


# ---------------------------------------------------------------------- RabbitMQ


def test_the_same_holds_over_rabbitmq(
    rabbitmq: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workers = [("rabbit@here", ["-P", "prefork", "-c", "1", "RESTARTS=1"])]
    with (
        crew(tmp_path_factory.mktemp("rabbit"), rabbitmq, "steered", workers) as made,
        made.remote() as remote,
    ):

        def done(command: str, **arguments: Any) -> WorkerResult:
            worker = only(over(remote.send(command, arguments, workers=["rabbit@here"])))
            assert (worker.outcome, worker.effect) == ("ok", "done"), worker
            return worker

        assert only(over(remote.send("ping"))).value == "pong"
        before = set(made.stats("rabbit@here")["pool"]["processes"])
        done("pool_restart")
        assert not before & set(made.stats("rabbit@here")["pool"]["processes"])
        assert done("pool_grow", n=1).effect_said == "2 processes, 1 before."
        assert len(made.stats("rabbit@here")["pool"]["processes"]) == 2
        done("add_consumer", queue="steered.extra", options={"auto_delete": True})
        assert made.queues("rabbit@here") == {"steered", "steered.extra"}
        done("cancel_consumer", queue="steered.extra")
        assert made.queues("rabbit@here") == {"steered"}
        done("rate_limit", task_name=NAP, rate_limit="100/s")
        done("time_limit", task_name=NAP, hard=50)
        assert made.ask("rabbit@here").registered("rate_limit", "time_limit") == {
            "rabbit@here": [f"{NAP} [rate_limit=100/s time_limit=50]"]
        }
        ident = made.nap(100)
        eventually(lambda: ident in made.running("rabbit@here"))
        done("terminate", ids=[ident], signal="SIGKILL")
        assert ident not in made.running("rabbit@here")
        done("enable_events")
        worker = only(over(remote.send("shutdown", workers=["rabbit@here"])))
        assert (worker.effect, worker.effect_said) == ("done", "It is offline.")
        made.processes["rabbit@here"].wait(20)
