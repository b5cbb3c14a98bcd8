"""What goes to workers and what comes back, on the in-memory broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from kombu import Queue
from kombu.transport import memory

from celeryscope.control import mailbox
from celeryscope.errors import TransportUnsupported


@pytest.fixture
def app() -> Iterator[Celery]:
    memory.Transport.global_state.clear()
    memory.Channel.queues.clear()
    with Celery("asked", broker="memory://", set_as_current=False) as app:
        app.conf.broker_transport_options = {"polling_interval": 0.01}
        yield app


def test_a_command_is_what_celery_itself_would_send(app: Celery) -> None:
    with app.connection_for_write() as connection:
        queue = Queue("spy", app.control.mailbox.exchange, auto_delete=True)
        spy = connection.SimpleQueue(queue)
        arguments = {"n": 2}
        app.control.broadcast(
            "pool_grow", arguments, destination=["w@h"], reply=True, timeout=0.05,
            connection=connection,
        )  # fmt: skip
        theirs = spy.get(timeout=5)
        with mailbox.listening(app, connection, take=lambda *_: None, refuse=print) as replies:
            replies.ask(
                "pool_grow", ticket="t", arguments=arguments, hostnames=["w@h"], expires_seconds=1
            )
            ours = spy.get(timeout=5)
        spy.close()
    assert ours.payload["ticket"] == "t"
    assert ours.payload["reply_to"].keys() == theirs.payload["reply_to"].keys()
    for message in (ours, theirs):
        for one_time in ("ticket", "reply_to"):
            del message.payload[one_time]
    assert ours.payload == theirs.payload
    assert ours.headers.keys() == theirs.headers.keys()
    assert (ours.content_type, ours.content_encoding) == ("application/json", "utf-8")


def test_who_does_not_want_it_sent_again_keeps_the_library_from_it(app: Celery) -> None:
    app.conf.broker_transport_options = {
        "retry_on_timeout": True, "retry_on_error": [TimeoutError], "polling_interval": 0.01,
    }  # fmt: skip
    once, again = mailbox.connect(app, resend=False), mailbox.connect(app)
    assert once.transport_options == {"retry_on_timeout": False, "polling_interval": 0.01}
    assert again.transport_options["retry_on_timeout"] is True
    assert app.conf.broker_transport_options["retry_on_timeout"] is True
    mailbox.close(once)
    mailbox.close(again)
    mailbox.close(None)


def test_where_no_command_reaches_a_worker_one_is_told(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory.Channel, "supports_fanout", False)
    with pytest.raises(TransportUnsupported, match="carries no commands for workers"):
        mailbox.connect(app)


def test_the_address_has_no_password() -> None:
    with Celery("asked", broker="redis://:secret@there/0", set_as_current=False) as app:
        assert mailbox.where(app) == "redis://:**@there/0"


@pytest.mark.parametrize(
    ("body", "content_type", "opened", "refused"),
    [
        (b'{"w@h": 1, "v@h": 2}', "application/json", [("w@h", 1), ("v@h", 2)], []),
        (b'{"": 1, "v@h": 2}', "application/json", [("v@h", 2)], ["hostname"]),
        (json.dumps({"x" * 513: 1}).encode(), "application/json", [], ["hostname"]),
        (b'{"w@h": "%s"}' % (b"x" * 1000), "application/json", [], ["too_large"]),
        (b"{", "application/json", [], ["syntax"]),
        # One of Celery's own defaults is no number of JSON.
        (b'{"w@h": [Infinity, NaN, 1]}', "application/json", [("w@h", ["Infinity", "NaN", 1])], []),
        (b"[1]", "application/json", [], ["shape"]),
        (b"\x80\x04.", "application/x-python-serialize", [], ["content_type"]),
        (None, "application/json", [], ["too_large"]),
    ],
)
def test_only_small_json_is_opened(
    body: bytes | None, content_type: str, opened: list[Any], refused: list[str]
) -> None:
    message = SimpleNamespace(body=body, content_type=content_type)
    reasons: list[str] = []
    assert list(mailbox.opened(message, max_bytes=1000, refuse=reasons.append)) == opened
    assert reasons == refused
