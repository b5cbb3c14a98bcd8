"""The reader of Redis PUB/SUB, against a server that does what the test wants."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from celeryscope.errors import ConfigError
from celeryscope.ingest.open import broker_url, open_source
from celeryscope.ingest.redis import Address, RedisSource, patterns, tls_context
from tests.recording import RecordingSink, eventually


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["/0.celeryev", "/0.celeryev/*"]),
        ({"db": 3}, ["/3.celeryev", "/3.celeryev/*"]),
        ({"exchange": "mine"}, ["/0.mine", "/0.mine/*"]),
        ({"global_keyprefix": "app:"}, ["app:/0.celeryev", "app:/0.celeryev/*"]),
        ({"fanout_prefix": False}, ["celeryev", "celeryev/*"]),
        ({"fanout_prefix": "x{db}-"}, ["x0-celeryev", "x0-celeryev/*"]),
        (
            {"global_keyprefix": "a*[b]?"},
            ["a\\*\\[b\\]\\?/0.celeryev", "a\\*\\[b\\]\\?/0.celeryev/*"],
        ),
        (
            {"sentinel": True},
            ["/0.celeryev", "/0.celeryev/*", "/{db}.celeryev", "/{db}.celeryev/*"],
        ),
    ],
)
def test_it_subscribes_to_the_channels_that_kombu_publishes_to(
    options: dict[str, object], expected: list[str]
) -> None:
    asked: dict[str, object] = {
        "exchange": "celeryev",
        "db": 0,
        "fanout_prefix": True,
        "global_keyprefix": "",
        **options,
    }
    assert patterns(**asked) == expected  # type: ignore[arg-type]  # a table of keywords


@pytest.mark.parametrize(
    ("url", "addresses", "db", "tls"),
    [
        ("redis://", [("localhost", 6379, None)], 0, False),
        ("redis://:p%40ss@h:6380/3", [("h", 6380, None)], 3, False),
        ("valkey://h/1", [("h", 6379, None)], 1, False),
        ("rediss://h:1", [("h", 1, None)], 0, True),
        ("valkeys://h:1", [("h", 1, None)], 0, True),
        ("redis://a;redis://b:2", [("a", 6379, None), ("b", 2, None)], 0, False),
        ("redis+socket:///tmp/r.sock?virtual_host=2", [("", 0, "/tmp/r.sock")], 2, False),
    ],
)
def test_a_broker_url_says_where_to_connect(
    url: str, addresses: list[tuple[str, int, str | None]], db: int, tls: bool
) -> None:
    source = open_source(url)
    assert isinstance(source, RedisSource)
    assert source._addresses == [Address(*a) for a in addresses]
    assert source.patterns[0] == f"/{db}.celeryev"
    assert (source._tls is not None) is tls
    assert "p@ss" not in source.url


def test_a_sentinel_needs_the_name_of_its_master() -> None:
    with pytest.raises(ConfigError, match="master_name"):
        open_source("sentinel://a:1;sentinel://b:2")
    source = open_source("sentinel://a:1;sentinel://b", transport_options={"master_name": "m"})
    assert isinstance(source, RedisSource)
    assert source._addresses == [Address("a", 1), Address("b", 26379)]


def test_a_database_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="number"):
        open_source("redis://h/abc")


def test_other_urls_stay_as_they_are() -> None:
    assert broker_url("amqp://h") == "amqp://h"


@pytest.mark.parametrize(
    ("options", "verify", "hostname"),
    [
        (True, ssl.CERT_REQUIRED, True),
        ({"ssl_cert_reqs": "none"}, ssl.CERT_NONE, False),
        ({"ssl_cert_reqs": "CERT_NONE"}, ssl.CERT_NONE, False),
        ({"ssl_cert_reqs": ssl.CERT_OPTIONAL}, ssl.CERT_OPTIONAL, True),
        ({"ssl_check_hostname": False}, ssl.CERT_REQUIRED, False),
    ],
)
def test_tls_checks_certificates_unless_told_not_to(
    options: dict[str, object] | bool, verify: ssl.VerifyMode, hostname: bool
) -> None:
    context = tls_context(options)
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (verify, hostname)


class Recorded(RecordingSink):
    """A sink that may be slow, and counts what is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0
        self.slow_seconds = 0.0

    def redis_envelopes(self, payloads: Sequence[bytes], received_at: float | None = None) -> None:
        time.sleep(self.slow_seconds)
        super().redis_envelopes(payloads, received_at)

    def dropped(self, messages: int, size_bytes: int) -> None:
        self.lost += messages


def published(payload: bytes) -> bytes:
    words = [b"pmessage", b"/0.celeryev/*", b"/0.celeryev/task.multi", payload]
    return b"*4\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


SUBSCRIBED = b"+OK\r\n" + b"*3\r\n$10\r\npsubscribe\r\n$1\r\nx\r\n:1\r\n" * 2


@contextmanager
def reading(
    sink: Recorded, *answers: bytes, buffer_bytes: int = 1 << 26
) -> Iterator[socket.socket]:
    """Run a source against a listening socket; the i-th connection is sent the i-th answer.

    Gives the last of those connections.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        source = RedisSource(
            addresses=[Address(*server.getsockname())],
            url="redis://test/0",
            buffer_bytes=buffer_bytes,
        )
        stop = threading.Event()
        thread = threading.Thread(target=source.run, args=(sink, stop))
        thread.start()
        try:
            for i, answer in enumerate(answers):
                connection, _ = server.accept()
                connection.sendall(answer)
                if i < len(answers) - 1:
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                    connection.close()
            with connection:
                yield connection
        finally:
            stop.set()
            thread.join(10)
            assert not thread.is_alive()


def test_messages_arrive_however_the_stream_is_cut() -> None:
    sink = Recorded()
    told = [b"a", b"bb" * 1000, b"", b"\r\n\r\n", b"*4\r\n$8\r\npmessage"]
    stream = b"".join(map(published, told))
    with reading(sink, SUBSCRIBED) as server:
        for i in range(0, len(stream), 7):
            server.sendall(stream[i : i + 7])
        eventually(lambda: len(sink.envelopes) == len(told))
    assert sink.envelopes == told


def test_what_came_before_the_connection_broke_is_kept() -> None:
    sink = Recorded()
    with reading(sink, SUBSCRIBED + published(b"one"), SUBSCRIBED + published(b"two")):
        eventually(lambda: len(sink.envelopes) == 2)
    assert sink.envelopes == [b"one", b"two"]
    assert sink.said[0] == "connected"
    assert "closed the connection" in sink.said[1]
    assert sink.said[2] == "connected"


def test_a_server_that_wants_a_password_is_named_with_the_way_out() -> None:
    sink = Recorded()
    refusal = b"+OK\r\n-NOAUTH Authentication required.\r\n" * 2
    with reading(sink, refusal):
        eventually(lambda: sink.said)
    assert "NOAUTH" in sink.said[0]
    assert "password" in sink.hints[0]


def test_something_else_behind_the_port_is_said() -> None:
    sink = Recorded()
    with reading(sink, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        eventually(lambda: sink.said)
    assert "does not speak the Redis protocol" in sink.hints[0]


def test_nobody_listening_is_said_and_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(*server.getsockname())
    sink = Recorded()
    stop = threading.Event()
    source = RedisSource(addresses=[address], url="redis://test/0")
    thread = threading.Thread(target=source.run, args=(sink, stop))
    thread.start()
    eventually(lambda: len(sink.said) >= 2)
    stop.set()
    thread.join(10)
    assert "Is the broker running" in sink.hints[0]


def test_what_its_buffer_cannot_hold_is_dropped_and_counted() -> None:
    sink = Recorded()
    sink.slow_seconds = 0.05
    one = published(b"x" * 1000)
    with reading(sink, SUBSCRIBED, buffer_bytes=500_000) as server:
        server.sendall(one * 20_000)
        eventually(lambda: len(sink.envelopes) + sink.lost == 20_000, seconds=30)
    assert sink.lost > 0
    assert sink.most_buffered <= 500_000 + 1024 * 1024
