"""The AMQP reader against a broker that is one end of a socket pair."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import amqp
import pytest

from celeryscope.errors import BrokerUnreachable, NotAmqp
from celeryscope.ingest.amqp import AmqpSource, _Reader, _tls_options
from celeryscope.ingest.frames import HEARTBEAT_FRAME, method_frame
from tests.recording import RecordingSink, eventually
from tests.unit.ingest.test_frames import deliver, short


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celeryscope.ingest.amqp._CLOSE_SECONDS", 0.2)


class Conversation:
    """A reader in a thread, and the broker's end of its socket."""

    def __init__(self, *, heartbeat_seconds: float = 0, **limits: int) -> None:
        ours, self.broker = socket.socketpair()
        self.broker.settimeout(5)
        self._ours = ours
        connection = SimpleNamespace(
            transport=SimpleNamespace(sock=ours, _read_buffer=b""),
            heartbeat=heartbeat_seconds,
            frame_max=131_072,
        )
        limits = {"buffer_bytes": 1 << 20, "max_message_bytes": 1 << 20, **limits}
        self.reader = _Reader(connection, 1, where="amqp://there", **limits)
        self.sink = RecordingSink()
        self.stop = threading.Event()
        self.ended_with: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self.thread.start()

    def _run(self) -> None:
        try:
            self.reader.run(self.sink, self.stop)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.ended_with = error

    def end(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.broker.close()
        self._ours.close()
        assert not self.thread.is_alive()

    def expect_end(self) -> BaseException:
        self.thread.join(10)
        assert self.ended_with is not None
        return self.ended_with


@pytest.fixture
def conversation() -> Iterator[Conversation]:
    talk = Conversation()
    talk.start()
    yield talk
    talk.end()


def close_arguments(code: int, text: str) -> bytes:
    return struct.pack(">H", code) + short(text) + struct.pack(">HH", 0, 0)


def test_messages_are_handed_over_soon(conversation: Conversation) -> None:
    began = time.monotonic()
    conversation.broker.sendall(deliver(b"1") + deliver(b"2"))
    conversation.sink.wait(lambda sink: len(sink.received) == 2, seconds=5)
    assert time.monotonic() - began < 1
    assert [message.body for message in conversation.sink.received] == [b"1", b"2"]


def test_silence_is_idle(conversation: Conversation) -> None:
    conversation.sink.wait(lambda sink: sink.idles, seconds=5)


def test_it_says_goodbye_and_waits_for_the_answer(conversation: Conversation) -> None:
    conversation.stop.set()
    assert conversation.broker.recv(100) == method_frame(
        0, 10, 50, struct.pack(">HBHH", 200, 0, 0, 0)
    )
    conversation.broker.sendall(deliver(b"late") + method_frame(0, 10, 51))
    conversation.thread.join(5)
    assert [message.body for message in conversation.sink.received] == [b"late"]


def test_an_end_without_a_word_is_an_error_but_loses_nothing(conversation: Conversation) -> None:
    conversation.broker.sendall(deliver(b"last"))
    conversation.broker.close()
    assert isinstance(conversation.expect_end(), BrokerUnreachable)
    assert [message.body for message in conversation.sink.received] == [b"last"]


def test_a_closed_connection_is_confirmed_and_told(conversation: Conversation) -> None:
    conversation.broker.sendall(
        deliver(b"last") + method_frame(0, 10, 50, close_arguments(320, "CONNECTION_FORCED"))
    )
    error = conversation.expect_end()
    assert isinstance(error, amqp.exceptions.ConnectionForced)
    assert conversation.broker.recv(100) == method_frame(0, 10, 51)
    assert len(conversation.sink.received) == 1


def test_a_closed_channel_is_an_error(conversation: Conversation) -> None:
    conversation.broker.sendall(method_frame(1, 20, 40, close_arguments(404, "NOT_FOUND - it")))
    error = conversation.expect_end()
    assert isinstance(error, amqp.exceptions.NotFound)
    assert "NOT_FOUND - it" in str(error)


def test_a_cancelled_consumer_is_an_error(conversation: Conversation) -> None:
    conversation.broker.sendall(method_frame(1, 60, 30, short("tag") + b"\x01"))
    assert "queue away" in str(conversation.expect_end())


def test_what_is_not_amqp_is_an_error(conversation: Conversation) -> None:
    conversation.broker.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert isinstance(conversation.expect_end(), NotAmqp)


def test_blocked_publishers_are_logged_and_reading_goes_on(
    conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "celeryscope")
    conversation.broker.sendall(
        method_frame(0, 10, 60, short("low on memory")) + method_frame(0, 10, 61) + deliver(b"1")
    )
    conversation.sink.wait(lambda sink: sink.received)
    assert "low on memory" in caplog.text
    assert "go on" in caplog.text


def test_flow_is_confirmed(conversation: Conversation) -> None:
    conversation.broker.sendall(method_frame(1, 20, 20, b"\x00"))
    assert conversation.broker.recv(100) == method_frame(1, 20, 21, b"\x00")


def test_a_large_body_is_counted_and_the_next_one_arrives() -> None:
    talk = Conversation(max_message_bytes=1000)
    talk.start()
    talk.broker.sendall(deliver(b"x" * 5000) + deliver(b"next"))
    talk.sink.wait(lambda sink: sink.received)
    talk.end()
    assert talk.sink.refusals == {"too_large": 1}
    assert [message.body for message in talk.sink.received] == [b"next"]


def test_heartbeats_go_out_and_keep_a_silent_broker_alive() -> None:
    talk = Conversation(heartbeat_seconds=0.6)
    talk.start()
    end = time.monotonic() + 2
    heard = 0
    while time.monotonic() < end:
        heard += talk.broker.recv(100).count(HEARTBEAT_FRAME)
        talk.broker.sendall(HEARTBEAT_FRAME)
    assert heard >= 3
    assert talk.ended_with is None
    talk.end()


def test_a_broker_without_heartbeats_is_dead() -> None:
    talk = Conversation(heartbeat_seconds=0.3)
    talk.start()
    error = talk.expect_end()
    assert isinstance(error, BrokerUnreachable)
    assert "silent" in str(error)
    talk.end()


def test_a_broker_that_reads_nothing_does_not_stop_us() -> None:
    talk = Conversation(heartbeat_seconds=0.3)
    talk.reader._sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            talk.reader._sock.send(b"x" * 4096)
    talk.start()
    talk.broker.sendall(deliver(b"1"))
    talk.sink.wait(lambda sink: sink.received)
    assert isinstance(talk.expect_end(), BrokerUnreachable)
    talk.end()


class SlowSink(RecordingSink):
    """Takes its time, and remembers how much waited."""

    def messages(self, messages: object, received_at: float | None = None) -> None:
        time.sleep(0.05)
        super().messages(messages, received_at)  # type: ignore[arg-type]


def test_more_than_the_buffer_stays_with_the_broker_and_nothing_is_lost() -> None:
    talk = Conversation(buffer_bytes=50_000)
    talk.sink = sink = SlowSink()
    talk.start()
    body = b"x" * 100
    count = 20_000
    talk.broker.settimeout(30)
    talk.broker.sendall(b"".join(deliver(body) for _ in range(count)))
    sink.wait(lambda sink: len(sink.received) == count, seconds=40)
    talk.end()
    # What a turn may read is counted in bytes of the wire; in memory it weighs more.
    assert sink.most_buffered < 4 * 50_000


def test_bytes_that_the_library_had_read_already_come_first() -> None:
    talk = Conversation()
    whole = deliver(b"1") + deliver(b"2")
    talk.reader._already_read = whole[:70]
    talk.start()
    talk.broker.sendall(whole[70:])
    talk.sink.wait(lambda sink: len(sink.received) == 2)
    talk.end()


def test_the_password_is_in_no_url_and_no_error() -> None:
    source = AmqpSource(
        broker_url="amqp://me:secret@127.0.0.1:1/v?heartbeat=7;amqp://me:secret3@127.0.0.1:2//",
        connect_timeout_seconds=1,
    )
    sink, stop = RecordingSink(), threading.Event()
    thread = threading.Thread(target=source.run, args=(sink, stop))
    thread.start()
    eventually(lambda: len(sink.told) >= 2)
    stop.set()
    thread.join(10)
    assert "secret" not in repr(sink.told) + source.url
    assert "heartbeat" not in sink.told[0][1]
    assert "127.0.0.1:1" in sink.told[0][1]
    assert "127.0.0.1:2" in sink.told[1][1]  # the next one of the list
    assert "Nothing listens there" in sink.told[0][2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, False),
        (True, True),
        ({"ca_certs": "ca.pem"}, {"ca_certs": "ca.pem"}),
        (
            {"ssl_ca_certs": "ca.pem", "ssl_cert_reqs": "required", "ssl_check_hostname": True},
            {"ca_certs": "ca.pem", "cert_reqs": ssl.CERT_REQUIRED},
        ),
        ({"cert_reqs": "CERT_NONE"}, {"cert_reqs": ssl.CERT_NONE}),
        ({"cert_reqs": ssl.CERT_OPTIONAL}, {"cert_reqs": ssl.CERT_OPTIONAL}),
    ],
)
def test_tls_options_may_be_written_as_for_redis(given: object, expected: object) -> None:
    assert _tls_options(given) == expected  # type: ignore[arg-type]
