"""RabbitMQ's management API, as a small HTTP server plays it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from celeryscope.broker.base import QueueDepth
from celeryscope.broker.rabbitmq import ManagementApi, _completed
from celeryscope.errors import (
    BrokerRefused,
    BrokerUnreachable,
    CeleryscopeError,
    ConfigError,
    NotFound,
    NotPossible,
)


class Management(BaseHTTPRequestHandler):
    """Answers with what the test put on the class."""

    answer: bytes = b"[]"
    status = 200
    asked: list[tuple[str, str | None]] = []
    bodies: list[bytes] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.answer)

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def management() -> Iterator[tuple[str, type[Management]]]:
    handler = type("Handler", (Management,), {"asked": [], "bodies": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_asks_for_the_queues_of_the_virtual_host(
    management: tuple[str, type[Management]],
) -> None:
    address, handler = management
    handler.answer = json.dumps([{"name": "q", "consumers": 2, "messages_ready": 5}]).encode()
    api = ManagementApi(f"http://me:se%40cret@{address}/api/", timeout_seconds=2)
    assert api.queues("/") == {"q": {"name": "q", "consumers": 2, "messages_ready": 5}}
    path, authorization = handler.asked[0]
    assert path.startswith("/api/queues/%2F?columns=")
    assert authorization == "Basic " + base64.b64encode(b"me:se@cret").decode()


@pytest.mark.parametrize(
    ("status", "answer"),
    [(401, b"{}"), (200, b"<html>"), (200, b"7"), (200, b"[7]"), (200, b'[{"no": "name"}]')],
)
def test_an_api_that_does_not_work_is_logged_once_and_tells_nothing(
    management: tuple[str, type[Management]],
    caplog: pytest.LogCaptureFixture,
    status: int,
    answer: bytes,
) -> None:
    address, handler = management
    handler.status, handler.answer = status, answer
    api = ManagementApi(f"http://me:secret@{address}", timeout_seconds=2)
    assert api.queues("v") == {}
    assert api.queues("v") == {}
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["file:///etc/passwd", "localhost:15672", "http://"])
def test_another_kind_of_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError):
        ManagementApi(url, timeout_seconds=1)


@pytest.mark.parametrize(
    ("declared", "told", "expected"),
    [
        (QueueDepth("q", 3, 1), None, QueueDepth("q", 3, 1)),
        (QueueDepth("q", 3, 1), {"consumers": 2, "messages_ready": 9}, QueueDepth("q", 3, 2)),
        (QueueDepth("q", 3, 1), {}, QueueDepth("q", 3, 1)),
        (
            QueueDepth("q", 3, 1),
            {"messages_unacknowledged": 4, "consumers": 1},
            QueueDepth("q", 3, 1, unacknowledged=4),
        ),
        (QueueDepth("q", 3, 1), {"consumers": "2", "messages_ready": True}, QueueDepth("q", 3, 1)),
        (
            QueueDepth("q", error="locked"),
            {"messages_ready": None},
            QueueDepth("q", error="locked"),
        ),
        (
            QueueDepth("q", error="locked"),
            {"consumers": 1, "messages_ready": 9},
            QueueDepth("q", 9, 1),
        ),
        (QueueDepth("q", error="locked"), {"consumers": 1}, QueueDepth("q", error="locked")),
    ],
)
def test_the_api_completes_what_declaring_told(
    declared: QueueDepth, told: dict[str, object] | None, expected: QueueDepth
) -> None:
    assert _completed(declared, told) == expected


def test_messages_are_asked_for_so_that_they_are_put_back(
    management: tuple[str, type[Management]],
) -> None:
    address, handler = management
    handler.answer = b'[{"payload": ""}, 7]'
    api = ManagementApi(f"http://{address}/api/", timeout_seconds=2)
    assert api.get("/", "a/b", count=3, most_bytes=100) == [{"payload": ""}]
    assert handler.asked[0][0] == "/api/queues/%2F/a%2Fb/get"
    assert json.loads(handler.bodies[0]) == {
        "count": 3,
        "ackmode": "ack_requeue_true",
        "encoding": "base64",
        "truncate": 100,
    }


@pytest.mark.parametrize(
    ("status", "answer", "kind", "said"),
    [
        (404, b"{}", NotFound, "Unknown queue 'q'"),
        (401, b"{}", BrokerRefused, "401"),
        (400, b'{"reason": "405 RESOURCE_LOCKED"}', NotPossible, "RESOURCE_LOCKED"),
        (400, b"<html>", NotPossible, "400"),
        (500, b'{"reason": ["?"]}', BrokerUnreachable, "500"),
        (200, b"<html>", BrokerUnreachable, "127.0.0.1"),
    ],
)
def test_an_api_that_gives_no_messages_is_an_error(
    management: tuple[str, type[Management]],
    status: int,
    answer: bytes,
    kind: type[CeleryscopeError],
    said: str,
) -> None:
    address, handler = management
    handler.status, handler.answer = status, answer
    api = ManagementApi(f"http://me:secret@{address}", timeout_seconds=2)
    with pytest.raises(kind, match=said) as told:
        api.get("/", "q", count=1, most_bytes=1)
    assert "secret" not in str(told.value)
