"""Real workers, asked over real brokers."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from celery import Celery

from celeryscope.control.inspect import Inspector
from celeryscope.ingest.amqp import AmqpSource
from tests.conftest import running
from tests.recording import eventually, reading

PROJECT = """
import os, time
from celery import Celery

app = Celery("project", broker=os.environ["BROKER"])
app.conf.broker_transport_options = {"sentinel_kwargs": {"password": "topsecret"}}
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.control_exchange = os.environ["QUEUE"]
app.conf.event_exchange = os.environ["QUEUE"] + ".events"
app.conf.result_backend = "rpc://"

@app.task
def nap(seconds):
    time.sleep(seconds)
"""


@pytest.fixture(params=["redis_server", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@contextmanager
def project(directory: Path, broker: str, name: str) -> Iterator[Celery]:
    """A project of its own on the broker, with a worker that sends no events by itself."""
    (directory / "project.py").write_text(PROJECT)
    log = directory / "worker.log"
    command = [
        sys.executable, "-m", "celery", "-A", "project", "worker", "-n", "w1@here", "-c", "1",
        "--without-mingle", "--without-gossip", "-l", "info",
    ]  # fmt: skip
    with (
        running(
            command,
            log=log,
            ready=lambda: "ready" in log.read_text(),
            env={**os.environ, "BROKER": broker, "QUEUE": name},
            cwd=directory,
            timeout_seconds=40,
        ),
        Celery("client", broker=broker, set_as_current=False) as app,
    ):
        app.conf.task_default_queue = app.conf.control_exchange = name
        yield app


def test_a_worker_tells_what_it_is_and_does(tmp_path: Path, broker: str) -> None:
    with project(tmp_path, broker, "asked") as app:
        inspector = Inspector(app=app, enable_events_seconds=None)
        inspector.start()
        eventually(lambda: "w1@here" in inspector.latest and inspector.latest["w1@here"].conf)
        running_task = app.send_task("project.nap", (20,))
        later = app.send_task("project.nap", (0,), countdown=600)
        revoked = app.send_task("project.nap", (0,), countdown=600)
        app.control.revoke(revoked.id)

        def asked() -> bool:
            inspector.request("w1@here").result(20)
            told = inspector.latest["w1@here"]
            return bool(told.active and told.scheduled and told.revoked)

        eventually(asked)
        told = inspector.latest["w1@here"]
        inspector.stop()
    assert told.stats is not None
    assert told.stats["pool"]["max-concurrency"] == 1
    assert told.registered == ["project.nap"]
    assert told.active_queues is not None
    assert [queue["name"] for queue in told.active_queues] == ["asked"]
    assert told.active is not None
    assert [task["id"] for task in told.active] == [running_task.id]
    assert told.scheduled is not None
    assert later.id in [entry["request"]["id"] for entry in told.scheduled]
    assert told.revoked == [revoked.id]
    assert told.reserved is not None
    assert "topsecret" not in repr(told)
    assert inspector.refused == {}


def test_a_worker_without_events_is_made_to_send_them(tmp_path: Path, rabbitmq: str) -> None:
    source = AmqpSource(broker_url=rabbitmq, event_exchange="silent.events")
    with reading(source) as sink, project(tmp_path, rabbitmq, "silent") as app:
        sink.wait(lambda sink: sink.connections)
        app.send_task("project.nap", (0,))
        inspector = Inspector(app=app, enable_events_seconds=0.5)
        inspector.start()
        sink.wait(lambda sink: any(event["type"] == "worker-online" for event in sink.events))
        # It says that it is there before it was asked for more: what ends until then is not told.
        later: set[str] = set()

        def is_told() -> bool:
            later.add(app.send_task("project.nap", (0,)).id)
            time.sleep(0.2)
            ended = [event for event in sink.events if event["type"] == "task-succeeded"]
            return any(event["uuid"] in later for event in ended)

        eventually(is_told)
        inspector.stop()


def test_asking_leaves_nothing_behind_in_redis(redis_server: str) -> None:
    app = Celery("client", broker=redis_server, set_as_current=False)
    inspector = Inspector(app=app, timeout_seconds=0.1, enable_events_seconds=0.05)
    inspector.start()
    with redis.Redis.from_url(redis_server) as server:
        inspector.request().result(10)
        keys, clients = set(server.keys()), server.info("clients")["connected_clients"]
        for _ in range(4):
            inspector.request().result(10)
        assert set(server.keys()) == keys
        assert server.info("clients")["connected_clients"] <= clients + 1
        inspector.stop()
        assert not server.keys("*reply*")
    app.close()
