"""Asking workers, on the in-memory broker, with workers that answer what we want."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from celery import Celery
from kombu.transport import memory

from celeryscope.control.inspect import DETAILS, OVERVIEW, Inspection, Inspector
from celeryscope.control.mailbox import cleaned
from celeryscope.errors import Unavailable
from tests.recording import eventually

ANSWERS: dict[str, Any] = {
    "stats": {"pid": 7, "pool": {"max-concurrency": 2}},
    "registered": ["app.add"],
    "active_queues": [{"name": "celery"}],
    "conf": {"broker_url": "redis://me:secret@there/0", "timezone": "UTC"},
    "active": [{"id": "1", "name": "app.add", "args": ["card 4111"], "kwargs": {}}],
    "reserved": [],
    "scheduled": [{"eta": "2026-01-01T00:00:00", "request": {"id": "2", "kwargs": {"to": "4111"}}}],
    "revoked": ["3"],
}


@pytest.fixture
def app() -> Iterator[Celery]:
    memory.Transport.global_state.clear()
    memory.Channel.queues.clear()
    with Celery("inspected", broker="memory://", set_as_current=False) as app:
        app.conf.broker_connection_timeout = 1
        # An empty in-memory broker is looked at every so often, and not in between.
        app.conf.broker_transport_options = {"polling_interval": 0.01}
        yield app


@contextmanager
def worker(
    app: Celery, hostname: str, answers: dict[str, Any], log: list[str] | None = None
) -> Iterator[None]:
    """A node that answers as a worker does, with kombu's own mailbox."""
    stop, ready = threading.Event(), threading.Event()

    def handler(command: str) -> Callable[..., Any]:
        def handle(state: object, **arguments: Any) -> Any:
            if log is not None:
                log.append(command)
            return answers[command]

        return handle

    def run() -> None:
        with app.connection_for_read() as connection:
            mailbox = app.control.mailbox(connection)
            handlers = {name: handler(name) for name in [*answers, "enable_events", "heartbeat"]}
            node = mailbox.Node(
                hostname, state=None, handlers=handlers, channel=connection.default_channel
            )
            with node.listen():
                ready.set()
                while not stop.is_set():
                    try:
                        connection.drain_events(timeout=0.05)
                    except TimeoutError:
                        continue

    answers = {"enable_events": None, "heartbeat": None, **answers}
    thread = threading.Thread(target=run, name=hostname)
    thread.start()
    assert ready.wait(5)
    try:
        yield
    finally:
        stop.set()
        thread.join(5)


@contextmanager
def inspecting(app: Celery, **options: Any) -> Iterator[Inspector]:
    inspector = Inspector(
        app=app, **{"timeout_seconds": 0.3, "enable_events_seconds": None, **options}
    )
    inspector.start()
    try:
        yield inspector
    finally:
        inspector.stop()


def test_every_worker_is_asked_at_the_start_for_what_seldom_changes(app: Celery) -> None:
    asked: list[str] = []
    with (
        worker(app, "w1@a", ANSWERS, asked),
        worker(app, "w2@b", ANSWERS),
        inspecting(app, clock=lambda: 1000.0) as inspector,
    ):
        eventually(lambda: len(inspector.latest) == 2 and inspector.latest["w1@a"].conf)
        told = inspector.latest["w1@a"]
    assert told.at == 1000.0
    assert told.stats == ANSWERS["stats"]
    assert told.registered == ["app.add"]
    assert told.active_queues == [{"name": "celery"}]
    assert told.conf == {"broker_url": "redis://me:**@there/0", "timezone": "UTC"}
    assert told.active is None
    assert set(asked) - {"heartbeat"} == set(OVERVIEW)


def test_a_request_asks_one_worker_in_detail(app: Celery) -> None:
    other: list[str] = []
    with (
        worker(app, "w1@a", ANSWERS),
        worker(app, "w2@b", ANSWERS, other),
        inspecting(app) as inspector,
    ):
        eventually(lambda: len(inspector.latest) == 2)
        inspector.request("w1@a").result(10)
        assert inspector.latest["w1@a"].revoked == ["3"]
        assert inspector.latest["w2@b"].revoked is None
        assert not set(other) & set(DETAILS)


def test_a_worker_that_starts_later_is_asked_soon_and_alone(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.control.inspect._NEWCOMER_SECONDS", 0.2)
    other: list[str] = []
    with worker(app, "w1@a", ANSWERS, other), inspecting(app) as inspector:
        eventually(lambda: "w1@a" in inspector.latest and len(other) >= len(OVERVIEW))
        other.clear()
        with worker(app, "w2@b", ANSWERS):
            inspector.welcome("w2@b")
            eventually(lambda: "w2@b" in inspector.latest and inspector.latest["w2@b"].conf)
    assert inspector.latest["w2@b"].active is None
    assert not set(other) & set(OVERVIEW)


def test_lists_of_tasks_keep_their_own_age(app: Celery) -> None:
    now = [1000.0]
    with worker(app, "w1@a", ANSWERS), inspecting(app, clock=lambda: now[0]) as inspector:
        eventually(lambda: inspector.latest)
        before = inspector.latest["w1@a"]
        inspector.request("w1@a").result(10)
        now[0] = 1060.0
        inspector._merge([("w1@a", "conf", {})])
        after = inspector.latest["w1@a"]
    assert before.lists_at is None
    assert (after.at, after.lists_at) == (1060.0, 1000.0)


def test_a_request_for_everybody_asks_everybody_in_detail(app: Celery) -> None:
    with worker(app, "w1@a", ANSWERS), worker(app, "w2@b", ANSWERS), inspecting(app) as inspector:
        inspector.request().result(10)
        assert {told.revoked == ["3"] for told in inspector.latest.values()} == {True}


def test_a_single_workers_round_ends_with_its_last_answer(app: Celery) -> None:
    with worker(app, "w1@a", ANSWERS), inspecting(app, timeout_seconds=5.0) as inspector:
        eventually(lambda: inspector.latest)
        first = inspector.request("w1@a")
        first.result(30)
        began = time.monotonic()
        inspector.request("w1@a").result(30)
        assert time.monotonic() - began < 4


def test_who_does_not_answer_keeps_the_last_answer_with_its_age(app: Celery) -> None:
    now = [1000.0]
    with inspecting(app, clock=lambda: now[0]) as inspector:
        with worker(app, "w1@a", ANSWERS):
            inspector.request().result(10)
        now[0] = 2000.0
        inspector.request("w1@a").result(10)
        assert inspector.latest["w1@a"].at == 1000.0
        assert inspector.latest["w1@a"].stats == ANSWERS["stats"]
        assert inspector.error is None


def test_a_worker_that_does_not_know_a_command_keeps_the_rest(app: Celery) -> None:
    answers = {**ANSWERS, "conf": {"error": "KeyError('conf')"}}
    with worker(app, "old@a", answers), inspecting(app) as inspector:
        inspector.request("old@a").result(10)
        assert inspector.latest["old@a"].stats is not None
        assert inspector.latest["old@a"].conf is None
        assert inspector.refused["answer"] >= 1


def test_workers_are_told_to_send_events(app: Celery) -> None:
    asked: list[str] = []
    with worker(app, "w1@a", ANSWERS, asked), inspecting(app, enable_events_seconds=0.1):
        eventually(lambda: asked.count("enable_events") >= 2)
    assert "heartbeat" in asked


def test_a_worker_that_was_silenced_is_left_out_until_it_is_taken_in_again(app: Celery) -> None:
    silenced: list[str] = []
    other: list[str] = []
    with (
        worker(app, "w1@a", ANSWERS, silenced),
        worker(app, "w2@a", ANSWERS, other),
        inspecting(app, enable_events_seconds=0.1, workers=lambda: ["w1@a", "w2@a"]) as inspector,
    ):
        eventually(lambda: silenced.count("enable_events") and other.count("enable_events"))
        inspector.silence(["w1@a"], silent=True)
        time.sleep(0.3)  # what is on its way arrives
        silenced.clear()
        other.clear()
        eventually(lambda: other.count("enable_events") >= 3)
        assert "enable_events" not in silenced
        inspector.silence(["w1@a"], silent=False)
        eventually(lambda: "enable_events" in silenced)


def test_without_enable_events_workers_are_left_as_they_are(app: Celery) -> None:
    asked: list[str] = []
    with worker(app, "w1@a", ANSWERS, asked), inspecting(app) as inspector:
        inspector.request().result(10)
    assert "enable_events" not in asked


def test_a_forgotten_worker_is_gone_until_it_answers_again(app: Celery) -> None:
    with worker(app, "w1@a", ANSWERS), inspecting(app) as inspector:
        inspector.request().result(10)
        inspector.forget("w1@a")
        assert inspector.latest == {}
        assert inspector._total_bytes == 0
        inspector.request().result(10)
        assert list(inspector.latest) == ["w1@a"]


def test_a_broker_that_is_down_is_an_error_and_stops_nobody() -> None:
    app = Celery("inspected", broker="redis://:secret@127.0.0.1:1/0", set_as_current=False)
    told: list[str] = []
    with inspecting(app, on_error=told.append) as inspector:
        with pytest.raises(Unavailable, match="refused"):
            inspector.request().result(20)
        assert inspector.error is not None
        assert "secret" not in inspector.error + told[0]
        with pytest.raises(Unavailable):  # at once
            inspector.request("w1@a").result(1)
    assert len(told) == 1


def test_it_recovers_when_the_broker_does(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    down = threading.Event()
    drain = memory.Transport.drain_events

    def drain_or_break(self: object, connection: object, **options: Any) -> object:
        if down.is_set() and threading.current_thread().name == "inspector":
            raise ConnectionResetError("the line was cut")
        return drain(self, connection, **options)

    monkeypatch.setattr(memory.Transport, "drain_events", drain_or_break)
    with worker(app, "w1@a", ANSWERS), inspecting(app) as inspector:
        inspector.request().result(10)
        down.set()
        with pytest.raises(Unavailable, match="the line was cut"):
            inspector.request().result(10)
        assert list(inspector.latest) == ["w1@a"]
        down.clear()
        eventually(lambda: inspector.error is None)
        inspector.request().result(10)


def test_who_waits_at_the_end_is_told(app: Celery) -> None:
    inspector = Inspector(app=app)
    waiting = inspector.request()
    inspector.start()
    inspector.stop()
    assert waiting.done()
    with pytest.raises(Unavailable):
        inspector.request().result(1)


def test_someone_who_no_longer_waits_disturbs_nobody(app: Celery) -> None:
    inspector = Inspector(app=app, timeout_seconds=0.1, enable_events_seconds=None)
    gone, waiting = inspector.request(), inspector.request()
    gone.cancel()
    inspector.start()
    waiting.result(10)
    inspector.stop()


# ---------------------------------------------------------------------- replies, by themselves


def reply(body: Any, content_type: str = "application/json") -> SimpleNamespace:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SimpleNamespace(body=data, content_type=content_type, headers={})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (reply({"w@h": {}}, "application/x-python-serialize"), "content_type"),
        (reply({"w@h": {"x": "y" * 2000}}), "too_large"),
        (reply(b"{"), "syntax"),
        (reply(b"\xff\xfe"), "syntax"),
        (reply(b"[" * 900 + b"]" * 900), "shape"),
        (reply([1, 2]), "shape"),
        (reply({"": {}}), "hostname"),
        (reply({"x" * 600: {}}), "hostname"),
        (reply({"w@h": "no dictionary"}), "answer"),
        (reply({"w@h": {"error": "no such command"}}), "answer"),
    ],
)
def test_a_reply_that_cannot_be_taken_is_counted(message: Any, reason: str) -> None:
    inspector = Inspector(app=None, max_reply_bytes=1900)
    assert list(inspector._open("stats", message)) == []
    assert inspector.refused == {reason: 1}


@pytest.mark.parametrize(
    ("command", "answer"),
    [("registered", [1]), ("active_queues", ["q"]), ("active", {"id": 1}), ("conf", [])],
)
def test_an_answer_of_another_shape_is_not_taken(command: str, answer: Any) -> None:
    inspector = Inspector(app=None)
    assert list(inspector._open(command, reply({"w@h": answer}))) == []
    assert inspector.refused == {"answer": 1}


def test_what_somebody_else_was_answered_is_taken_in() -> None:
    inspector = Inspector(app=None)
    inspector.note("w@h", "active_queues", [{"name": "q"}], 20)
    inspector.note("w@h", "active_queues", {"error": "no"}, 20)
    inspector.note("w@h", "active", [], 20)  # its age is told by the round that asked
    assert inspector.latest["w@h"].active_queues == [{"name": "q"}]
    assert inspector.latest["w@h"].active is None


def test_memory_is_bounded_by_workers_and_by_bytes() -> None:
    inspector = Inspector(app=None, max_workers=5, max_total_bytes=1000)
    for number in range(100):
        inspector._merge(list(inspector._open("stats", reply({f"w{number}@h": {"n": number}}))))
    assert len(inspector.latest) == 5
    assert inspector.refused == {"no_room": 95}
    inspector._merge(list(inspector._open("conf", reply({"w0@h": {"x": "y" * 900}}))))
    assert inspector.latest["w0@h"].conf is None
    # A newer answer takes the place of the older one.
    for _ in range(50):
        inspector._merge(list(inspector._open("stats", reply({"w0@h": {"n": 500}}))))
    assert inspector.latest["w0@h"].stats == {"n": 500}


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"password": "x"}, {"password": "********"}),
        ({"options": {"sentinel_kwargs": {"password": "x"}}}, None),
        ({"result_backend": "db+postgresql://me:x@there/db"}, None),
        ({"list": ["amqp://me:x@a;amqp://me:x@b"]}, None),
        ({"aws_secret_access_key": "x", "api_key": "x", "auth_token": "x"}, None),
        ({"routing_key": "k", "password": None}, {"routing_key": "k", "password": None}),
        ({"store_secrets": True}, {"store_secrets": True}),
    ],
)
def test_settings_show_no_password(settings: Any, shown: Any) -> None:
    told = cleaned(settings, hide=True, mask=None)
    if shown is None:
        assert "x" not in json.dumps(told).replace("sentinel_kwargs", "").replace("db+", "")
    else:
        assert told == shown


def test_arguments_are_masked_and_nothing_else() -> None:
    inspector = Inspector(app=None, mask=lambda text: text.replace("4111", "****"))
    for command in ("active", "scheduled"):
        inspector._merge(list(inspector._open(command, reply({"w@4111": ANSWERS[command]}))))
    told = inspector.latest["w@4111"]
    assert told.active is not None
    assert told.scheduled is not None
    assert told.active[0]["args"] == ["card ****"]
    assert told.scheduled[0]["request"] == {"id": "2", "kwargs": {"to": "****"}}
    assert told.active[0]["name"] == "app.add"


@pytest.mark.parametrize(
    "arguments",
    [{"kwargs": {"password": "swordfish"}}, {"kwargs": {"to": 4111}}, {"args": [[4111]]}],
)
def test_a_mask_for_keys_and_numbers_covers_arguments_too(arguments: dict[str, Any]) -> None:
    def mask(text: str) -> str:
        return re.sub(r"4111|'password': '\w+'", "***", text)

    (entry,) = cleaned([{"request": {"id": "4111", **arguments}}], hide=False, mask=mask)
    told = json.dumps(entry["request"])
    assert "***" in told
    assert "swordfish" not in told
    assert told.count("4111") == 1  # the id


def test_wrapped_dates_are_opened_and_depth_is_bounded() -> None:
    value = {"eta": {"__type__": "datetime", "__value__": "2026-01-01T00:00:00"}}
    assert cleaned(value, hide=False, mask=None) == {"eta": "2026-01-01T00:00:00"}
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    assert "…" in json.dumps(cleaned(deep, hide=True, mask=None), ensure_ascii=False)


def test_an_inspection_can_be_written_as_json() -> None:
    inspection = Inspection("w@h", 1.0, stats={"a": 1}, revoked=["x"])
    assert msgspec.json.decode(msgspec.json.encode(inspection))["revoked"] == ["x"]
