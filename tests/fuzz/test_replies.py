"""What workers, brokers and result backends answer when they are asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import hypothesis
import msgspec
import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from kombu.exceptions import ContentDisallowed, DecodeError

from celeryscope.broker.base import QueueDepth
from celeryscope.broker.messages import describe, from_envelope
from celeryscope.broker.rabbitmq import ManagementApi, _completed, _message
from celeryscope.broker.redis import by_queue, route_of
from celeryscope.control import mailbox
from celeryscope.control.inspect import DETAILS, OVERVIEW, Inspector
from celeryscope.control.results import _read
from celeryscope.errors import CeleryscopeError
from celeryscope.model.message import Message
from tests.fuzz.hostile import a_sentence, as_json, fuzz, mutated, records, sendable, texts, values

pytestmark = pytest.mark.timeout(60)

REPLY = {"celery@web1": {"ok": "pong", "broker": {"hostname": "h"}}}


def reply(body: bytes | None, content_type: str = "application/json") -> Any:
    return SimpleNamespace(body=body, content_type=content_type, headers={})


@given(mutated(as_json(REPLY)) | values().map(as_json) | st.binary(max_size=80), texts)
@fuzz(200)
def test_any_reply_is_opened_or_refused(body: bytes, mask: str) -> None:
    refused: list[str] = []
    for kind in ("application/json", mask):
        message = reply(body, kind)
        for hostname, answer in mailbox.opened(message, max_bytes=4_096, refuse=refused.append):
            assert 0 < len(hostname) <= mailbox.MAX_HOSTNAME_CHARS
            for hide in (False, True):
                told = mailbox.cleaned(answer, hide=hide, mask=lambda text: text.replace("a", "*"))
                sendable(told)
    assert set(refused) <= {"content_type", "too_large", "syntax", "shape", "hostname"}


@given(values(30))
@fuzz(150)
def test_a_password_in_what_a_worker_tells_is_hidden_wherever_it_stands(value: Any) -> None:
    secret = "hunter2"
    try:
        value = msgspec.json.decode(as_json(value))  # else it would not have been opened
    except msgspec.DecodeError:
        hypothesis.reject()
    told = {
        "broker": {"password": secret, "alternates": [f"redis://:{secret}@h/0"], "more": value},
        "nested": [{"deep": {"SECRET_KEY": secret, "result_backend": f"db+x://u:{secret}@h/d"}}],
        "api_key": {"inside": secret},
    }
    body = sendable(mailbox.cleaned(told, hide=True, mask=None))
    outside = sendable(mailbox.cleaned(value, hide=False, mask=None)).count(secret.encode())
    assert body.count(secret.encode()) <= outside


@given(st.lists(st.tuples(st.sampled_from(OVERVIEW + DETAILS), texts, values()), max_size=12))
@fuzz(150)
def test_the_inspector_keeps_what_has_the_form_and_refuses_the_rest(
    answers: list[tuple[str, str, Any]],
) -> None:
    inspector = Inspector(app=Celery(set_as_current=False), max_workers=3, max_total_bytes=10_000)
    for command, hostname, answer in answers:
        message = reply(as_json({hostname: answer}))
        inspector._merge(list(inspector._open(command, message)))
    assert len(inspector.latest) <= 3
    for inspection in inspector.latest.values():
        sendable(inspection)
        for queue in inspection.active_queues or ():
            queue.get("name")
        for name in inspection.registered or ():
            name.partition(" [")
    assert inspector._total_bytes <= 10_000


# ---------------------------------------------------------------------- what waits


ENVELOPE = {
    "body": "W1tdLCB7fSwge31d",
    "content-type": "application/json",
    "headers": {"task": "shop.pay", "id": "a", "argsrepr": "()", "kwargsrepr": "{}"},
    "properties": {"body_encoding": "base64", "delivery_info": {"exchange": "", "routing_key": ""}},
}


@given(mutated(as_json(ENVELOPE)) | records(*ENVELOPE).map(as_json), st.booleans())
@fuzz(200)
def test_any_waiting_message_can_be_shown(kept: bytes, cut: bool) -> None:
    parts = from_envelope(kept, size_bytes=len(kept), cut=cut)
    told = describe(parts, position=0, mask=lambda text: text.replace("a", "*"))
    body = sendable(told)
    assert len(body) < 100_000
    assert msgspec.json.decode(body, type=Message) == told


@given(
    records(
        "payload", "payload_bytes", "payload_encoding", "properties", "redelivered",
        "message_count", "exchange",
    ),
    records("headers", "content_type", "content_encoding", "priority", "timestamp"),
)  # fmt: skip
@fuzz(150)
def test_any_message_of_the_management_api_can_be_shown(
    entry: dict[str, Any], properties: dict[str, Any]
) -> None:
    for given_entry in (entry, {**entry, "properties": properties}):
        sendable(_message(given_entry, position=0, mask=None))


@given(records("messages_ready", "consumers", "messages_unacknowledged") | st.none())
@fuzz(100)
def test_any_depth_of_the_management_api_can_be_shown(told: Any) -> None:
    for depth in (QueueDepth("q"), QueueDepth("q", 1, 2)):
        sendable(_completed(depth, told))


@given(st.lists(mutated(b'[{"body": "x"}, "exchange", "routing.key"]'), max_size=4))
@fuzz(100)
def test_any_end_of_a_held_message_is_a_route_or_none(ends: list[bytes]) -> None:
    routes = [route_of(end) for end in ends]
    by_queue(dict.fromkeys(routes, 1), {"exchange": [["routing.key", "", "q"], ["short"]]})


class Endless(BaseHTTPRequestHandler):
    """Answers with the bytes of its server, whatever is asked."""

    server: Answering

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Answering(HTTPServer):
    status = 200
    body = b""


@given(
    st.sampled_from([200, 400, 401, 404, 500]),
    values().map(as_json) | st.binary(max_size=60) | st.just(b"[" * 50_000),
)
@fuzz(40)
def test_any_answer_of_the_management_api_is_used_or_told(status: int, body: bytes) -> None:
    with Answering(("127.0.0.1", 0), Endless) as server:
        server.status, server.body = status, body
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        api = ManagementApi(
            f"http://u:hunter2@127.0.0.1:{server.server_port}/api/", timeout_seconds=5
        )
        try:
            assert isinstance(dict(api.queues("/")), dict)
            for ask in (
                lambda: api.queue("/", "q"),
                lambda: api.get("/", "q", count=1, most_bytes=10),
            ):
                try:
                    ask()
                except CeleryscopeError as refusal:
                    a_sentence(refusal)
        finally:
            server.shutdown()
            thread.join(5)


# ---------------------------------------------------------------------- results


@given(
    records("status", "result", "traceback", "name", "args", "kwargs", "children")
    | records("status", "result").map(lambda given: {"status": "FAILURE", **given})
    | values()
    | st.sampled_from([ContentDisallowed("x"), DecodeError("x"), ValueError("x"), KeyError("x")]),
    st.sampled_from([{}, {"exc_type": "X"}, {"exc_type": [1], "exc_message": {"a": object()}}]),
)
@fuzz(200)
def test_any_value_of_a_backend_is_told_or_said_to_be_none(meta: Any, failure: Any) -> None:
    class Backend:
        serializer = "json"

        def get_task_meta(self, task_id: str, cache: bool) -> Any:
            if isinstance(meta, Exception):
                raise meta
            return {**meta, "result": {**failure}} if failure and isinstance(meta, dict) else meta

    told = _read(Backend(), "a")
    body = sendable(told)
    assert len(body) < 900_000
    assert told.task_id == "a"


def test_a_class_in_a_result_is_never_looked_up() -> None:
    class Backend:
        serializer = "json"

        def get_task_meta(self, task_id: str, cache: bool) -> Any:
            failure = {"exc_type": "system", "exc_module": "os", "exc_message": ["id"]}
            return {"status": "FAILURE", "result": failure}

    assert _read(Backend(), "a").value == "system: id"
    assert json.loads(sendable(_read(Backend(), "a")))["state"] == "FAILURE"
