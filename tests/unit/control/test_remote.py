"""Sending and gathering on the in-memory broker, where it can be made to fail as we want."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery import Celery
from kombu import Producer
from kombu.transport import memory

from celeryscope.control import mailbox
from celeryscope.control.action import Action, Report
from celeryscope.control.effects import Sight
from celeryscope.control.remote import Remote, _value
from tests.recording import eventually

NAME = "w1@a"


@pytest.fixture
def app() -> Iterator[Celery]:
    memory.Transport.global_state.clear()
    memory.Channel.queues.clear()
    with Celery("steered", broker="memory://", set_as_current=False) as app:
        app.conf.broker_transport_options = {"polling_interval": 0.01}
        yield app


@contextmanager
def node(app: Celery, hear: Callable[[Mapping[str, Any], Any], None]) -> Iterator[None]:
    """A mailbox as a worker has it; `hear` gets each command, and a channel to answer on."""
    stop, ready = threading.Event(), threading.Event()

    def run() -> None:
        with app.connection_for_read() as connection:
            channel = connection.default_channel
            made = app.control.mailbox(connection).Node(NAME, handlers={}, channel=channel)
            with made.listen(callback=lambda body, _message: hear(body, channel)):
                while not stop.is_set():
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=0.05)
                    ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def reply(body: Mapping[str, Any], channel: Any, answer: Any, **options: Any) -> None:
    Producer(channel, auto_declare=False).publish(
        answer, headers={"ticket": body["ticket"]}, serializer="json", **body["reply_to"], **options
    )


@contextmanager
def steering(app: Celery, **options: Any) -> Iterator[Remote]:
    remote = Remote(
        app=app,
        **{
            "workers": lambda: {NAME: True},
            "timeout_seconds": 1.0,
            "confirm_seconds": 1.0,
            "late_seconds": 0.5,
            **options,
        },
    )
    remote.start()
    try:
        yield remote
    finally:
        remote.stop()


def over(action: Action) -> Report:
    assert action.wait(20)
    return action.snapshot()


def test_secrets_and_arguments_are_taken_out_of_answers(app: Celery) -> None:
    answers = {
        "conf": {"broker_url": "redis://me:secret@there/0", "password": "secret"},
        "active": [{"id": "1", "args": ["card 4111"], "kwargs": {}}],
        "ping": {"error": "no way to redis://me:secret@there/0"},
    }
    with (
        node(app, lambda body, to: reply(body, to, {NAME: answers[body["method"]]})),
        steering(app, mask=lambda text: text.replace("4111", "****")) as remote,
    ):
        told = {name: over(remote.send(name)).workers[0] for name in answers}
    assert told["conf"].value == {"broker_url": "redis://me:**@there/0", "password": "********"}
    assert told["active"].value == [{"id": "1", "args": ["card ****"], "kwargs": {}}]
    assert (told["ping"].outcome, told["ping"].error) == (
        "refused", "no way to redis://me:**@there/0",
    )  # fmt: skip


def test_a_reply_that_cannot_be_read_is_counted_with_its_action(app: Celery) -> None:
    def hear(body: Mapping[str, Any], channel: Any) -> None:
        reply(body, channel, {NAME: {"ok": "x" * 2000}})
        reply(body, channel, {"": {"ok": "pong"}})
        reply({**body, "ticket": "another"}, channel, {NAME: {"ok": "pong"}})
        Producer(channel).publish(
            b"cos\nsystem\n(S'true'\ntR.",
            content_type="application/x-python-serialize",
            content_encoding="binary",
            headers={"ticket": body["ticket"]},
            **body["reply_to"],
        )

    with node(app, hear), steering(app, max_reply_bytes=1000) as remote:
        report = over(remote.send("ping"))
    assert report.not_taken == {"too_large": 1, "hostname": 1, "content_type": 1}
    assert report.outcomes == {"silent": 1}
    assert report.error == (
        "3 replies were not taken (it is not JSON, it names no worker, it is too large): "
        "who sent them seem silent."
    )


def test_what_an_effect_is_seen_by_is_handed_on_before_it_is_told(app: Celery) -> None:
    queues = [{"name": "mail"}]
    answers = {"add_consumer": {"ok": "add consumer mail"}, "active_queues": queues}
    told: list[Any] = []

    def take(*sight: Any) -> None:
        told.append((sight[:3], remote.actions()[0].snapshot().effects))

    with (
        node(app, lambda body, to: reply(body, to, {NAME: answers[body["method"]]})),
        steering(app, on_sight=take) as remote,
    ):
        report = over(remote.send("add_consumer", {"queue": "mail"}))
    assert report.effects == {"done": 1}
    assert told[0] == ((NAME, "active_queues", queues), {"pending": 1})


def test_a_command_that_broke_on_its_way_is_not_sent_again(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    publish, breaks = mailbox.publish, ["the line was cut"]

    def break_once(*arguments: Any, **options: Any) -> None:
        publish(*arguments, **options)
        if breaks:
            raise ConnectionResetError(breaks.pop())

    monkeypatch.setattr(mailbox, "publish", break_once)

    def hear(body: Mapping[str, Any], channel: Any) -> None:
        heard.append(body["method"])
        reply(body, channel, {NAME: {"ok": "pong"}})

    with node(app, hear), steering(app) as remote:
        report = over(remote.send("ping"))
        assert (report.state, report.sent, report.outcomes) == ("failed", "unknown", {"silent": 1})
        assert "nobody knows whether it was sent: memory://" in report.error
        assert "the line was cut" in report.error
        assert over(remote.send("ping")).outcomes == {"ok": 1}
    assert heard == ["ping", "ping"]


def test_who_waited_when_another_broke_gets_a_connection_of_its_own(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, breaks = mailbox.publish, ["the line was cut"]

    def break_once(*arguments: Any, **options: Any) -> None:
        if breaks:
            raise ConnectionResetError(breaks.pop())
        publish(*arguments, **options)

    monkeypatch.setattr(mailbox, "publish", break_once)
    remote = Remote(app=app, workers=lambda: {NAME: True}, timeout_seconds=1.0, late_seconds=0)
    first, second = remote.send("ping"), remote.send("ping")
    with node(app, lambda body, to: reply(body, to, {NAME: {"ok": "pong"}})):
        remote.start()
        assert over(first).sent == "unknown"
        assert over(second).outcomes == {"ok": 1}
        remote.stop()


def test_a_broker_that_gives_no_reply_queue_fails_all_at_once(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def refuse(*_arguments: Any, **_options: Any) -> Iterator[None]:
        raise ConnectionResetError("no queue for you")
        yield

    monkeypatch.setattr(mailbox, "listening", refuse)
    remote = Remote(app=app, workers=dict, send_seconds=20)
    actions = [remote.send("ping"), remote.send("ping")]
    remote.start()
    for action in actions:
        report = over(action)
        assert (report.state, report.sent) == ("failed", "no")
        assert "no queue for you" in report.error
    remote.stop()


@pytest.mark.parametrize(
    ("answer", "error", "value"),
    [
        ({"ok": "pong"}, None, "pong"),
        ({"error": "unknown task"}, "unknown task", None),
        ({"error": ["active", {}]}, None, {"error": ["active", {}]}),  # a task of that id
        ({"ok": 1, "error": "x"}, None, {"ok": 1, "error": "x"}),
        ([], None, []),
        (None, None, None),
    ],
)
def test_an_answer_is_a_value_or_a_workers_words(answer: Any, error: Any, value: Any) -> None:
    assert _value(answer) == (error, value)


def test_a_question_before_that_breaks_leaves_the_command_unsent(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_(*arguments: Any, **options: Any) -> None:
        raise ConnectionResetError("the line was cut")

    monkeypatch.setattr(mailbox, "publish", break_)
    with steering(app) as remote:
        report = over(remote.send("pool_grow", workers=[NAME]))
    assert (report.state, report.sent, report.outcomes) == ("failed", "no", {"unasked": 1})
    assert report.error.startswith("It was not sent: ")


def test_someone_who_fails_to_listen_does_not_stop_it(
    app: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    def fall(action: Action) -> None:
        raise ValueError(action.id)

    with (
        node(app, lambda body, to: reply(body, to, {NAME: {"ok": "pong"}})),
        steering(app, on_change=fall) as remote,
    ):
        action = remote.send("ping")
        assert over(action).outcomes == {"ok": 1}
    assert "a change of an action could not be told" in caplog.text
    assert action.id in caplog.text


def test_the_effect_is_asked_for_until_it_is_seen_and_the_worker_before_the_command(
    app: Celery,
) -> None:
    heard: list[str] = []

    def hear(body: Mapping[str, Any], channel: Any) -> None:
        heard.append(body["method"])
        if body["method"] == "pool_grow":
            reply(body, channel, {NAME: {"ok": "pool will grow"}})
        else:
            processes = [1, 2] if heard.count("stats") > 3 else [1]
            reply(body, channel, {NAME: {"pool": {"processes": processes}}})

    with node(app, hear), steering(app, confirm_seconds=10.0) as remote:
        (worker,) = over(remote.send("pool_grow", workers=[NAME])).workers
    assert heard == ["stats", "pool_grow", "stats", "stats", "stats"]
    assert (worker.effect, worker.effect_said) == ("done", "2 processes, 1 before.")


def test_events_confirm_what_the_worker_cannot_tell(app: Celery) -> None:
    online = [True]
    with steering(app, sight=Sight(online=lambda _name: online[0]), confirm_seconds=10) as remote:
        action = remote.send("shutdown", workers=[NAME])
        eventually(lambda: action.snapshot().workers[0].effect_said)
        assert action.snapshot().state == "confirming"
        online[0] = False
        (worker,) = over(action).workers
    assert (worker.outcome, worker.effect) == ("asked", "done")


def test_a_worker_whose_name_two_share_cannot_be_judged(app: Celery) -> None:
    def hear(body: Mapping[str, Any], channel: Any) -> None:
        answer = [] if body["method"] == "active_queues" else {"ok": "add consumer q"}
        reply(body, channel, {NAME: answer})
        reply(body, channel, {NAME: answer})

    with node(app, hear), steering(app) as remote:
        (worker,) = over(remote.send("add_consumer", {"queue": "q"})).workers
    assert (worker.answers, worker.effect) == (2, "cannot tell")
    assert worker.effect_said == "2 workers answer to this name."
