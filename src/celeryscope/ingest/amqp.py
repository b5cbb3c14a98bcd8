"""Events from RabbitMQ, through a queue of our own.

The client library opens the connection, logs in and declares; from then on we read the
socket ourselves (`ingest.frames`), since the library's way costs fifty times as much. As with
Redis, the reader first takes what the kernel has and decodes afterwards. When more waits than
the buffer may hold, it stops reading: RabbitMQ then keeps the messages in the queue, as long
as `event_queue_ttl` allows.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import cycle
from typing import Any, NamedTuple
from uuid import uuid4

import amqp
from kombu import Connection, Exchange, Queue

from celeryscope.errors import BrokerUnreachable, SourceError, broker_trouble, without_passwords
from celeryscope.ingest.frames import HEARTBEAT_FRAME, FrameSplitter, Method, method_frame
from celeryscope.ingest.reconnect import keep_reading
from celeryscope.ingest.source import RawMessage, Sink

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 64 * 1024
#: Read at most this much before something is decoded.
_TURN_BYTES = 4 * 1024 * 1024
_SLICE_MESSAGES = 400
#: Waiting this long before a read lets messages gather: fewer wake-ups, hardly any delay.
_GATHER_SECONDS = 0.02
_WAIT_SECONDS = 0.25
_CLOSE_SECONDS = 1.0
#: What a message costs in memory beside its body.
_MESSAGE_OVERHEAD_BYTES = 200

_CONNECTION_CLOSE, _CONNECTION_CLOSE_OK = (10, 50), (10, 51)
_CONNECTION_BLOCKED, _CONNECTION_UNBLOCKED = (10, 60), (10, 61)
_CHANNEL_FLOW, _CHANNEL_FLOW_OK = (20, 20), (20, 21)
_CHANNEL_CLOSE = (20, 40)
_BASIC_CANCEL = (60, 30)


class AmqpSource:
    """Reads Celery's events from RabbitMQ.

    `broker_url` may name several brokers, divided by `;`, which are tried in turn. `tls` is
    what Celery's `broker_use_ssl` takes. An exclusive queue (Celery's default since 5.6) dies
    with our connection; a durable one keeps for `event_queue_ttl_seconds` what came meanwhile.
    """

    transport = "amqp"

    def __init__(
        self,
        *,
        broker_url: str,
        tls: Mapping[str, Any] | bool | None = None,
        transport_options: Mapping[str, Any] | None = None,
        login_method: str | None = None,
        event_exchange: str = "celeryev",
        event_queue_prefix: str = "celeryev",
        event_queue_ttl_seconds: float | None = 5.0,
        event_queue_expires_seconds: float | None = 60.0,
        event_queue_exclusive: bool = True,
        event_queue_durable: bool = False,
        connect_timeout_seconds: float = 5.0,
        heartbeat_seconds: float = 15.0,
        buffer_bytes: int = 64 * 1024 * 1024,
        max_message_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self._urls = [url.strip() for url in broker_url.split(";") if url.strip()]
        self._next_url = cycle(self._urls)
        self._tls = tls
        self._transport_options = {
            # How RabbitMQ's management page names us.
            "client_properties": {"connection_name": "celeryscope"},
            **(transport_options or {}),
        }
        self._login_method = login_method
        self._exchange = event_exchange
        self._prefix = event_queue_prefix
        self._ttl = event_queue_ttl_seconds
        self._expires = event_queue_expires_seconds
        self._exclusive = event_queue_exclusive and not event_queue_durable
        self._durable = event_queue_durable
        self._timeout = connect_timeout_seconds
        self._heartbeat = heartbeat_seconds
        self._buffer_bytes = buffer_bytes
        self._max_message_bytes = max_message_bytes
        self._node_id = str(uuid4())
        self.url = _shown(self._urls[0])

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Read until `stop` is set; see `Source.run`."""

        def session() -> None:
            url = next(self._next_url)
            self.url = _shown(url)
            self._session(self._client(url), sink, stop)

        keep_reading(session, explain=self._explain, sink=sink, stop=stop)

    def _explain(self, error: Exception) -> SourceError:
        return broker_trouble(error, where=self.url)

    # ------------------------------------------------------------------ one connection

    def _session(self, client: Connection, sink: Sink, stop: threading.Event) -> None:
        connection = client.transport.establish_connection()
        try:
            connection.transport.sock.settimeout(self._timeout)
            channel = self._subscribe(connection)
            reader = _Reader(
                connection,
                channel,
                where=self.url,
                buffer_bytes=self._buffer_bytes,
                max_message_bytes=self._max_message_bytes,
            )
            sink.connected(self.url)
            reader.run(sink, stop)
        finally:
            # The farewell was said, or is in vain; TLS may not end as it should.
            with suppress(OSError, ValueError):
                connection.collect()

    def _client(self, url: str) -> Connection:
        scheme = url.partition("://")[0]
        client = Connection(
            url,
            transport="pyamqp",  # librabbitmq, which kombu prefers, has no such socket
            ssl=_tls_options(self._tls) or scheme == "amqps",
            connect_timeout=self._timeout,
            heartbeat=self._heartbeat,
            login_method=self._login_method,
            transport_options=self._transport_options,
        )
        client.ssl = _tls_options(client.ssl) or scheme == "amqps"  # the URL may have some
        return client

    def _subscribe(self, connection: amqp.Connection) -> int:
        """Declare and consume as Celery's own event receiver does; give the channel's number."""
        channel = connection.channel()
        try:
            # Declared only when it is missing: that takes no permission to configure it, and
            # an exchange that somebody made with other properties will do.
            channel.exchange_declare(self._exchange, "topic", passive=True)
        except amqp.exceptions.NotFound:
            channel = connection.channel()
            Exchange(self._exchange, type="topic")(channel).declare()
        # An exclusive queue's name may be taken for a while by our own dead connection.
        node_id = self._node_id if self._durable else str(uuid4())
        queue = Queue(
            f"{self._prefix}.{node_id}",
            exchange=Exchange(self._exchange, type="topic", no_declare=True),
            routing_key="#",
            auto_delete=not self._durable,
            durable=self._durable,
            exclusive=self._exclusive,
            message_ttl=self._ttl,
            expires=self._expires,
        )(channel)
        queue.declare()
        channel.basic_consume(queue.name, no_ack=True, callback=None)
        return int(channel.channel_id)


class _Held(NamedTuple):
    """Messages that are not decoded yet."""

    messages: list[RawMessage]
    received_at: float
    weight_bytes: int


class _Reader:
    """Reads one connection, from the moment we consume until it ends."""

    def __init__(
        self,
        connection: amqp.Connection,
        channel: int,
        *,
        where: str,
        buffer_bytes: int,
        max_message_bytes: int,
    ) -> None:
        self._sock: socket.socket = connection.transport.sock
        self._channel = channel
        self._where = where
        self._heartbeat = float(connection.heartbeat or 0)  # as agreed with the broker
        self._buffer_bytes = buffer_bytes
        self._splitter = FrameSplitter(
            max_frame_bytes=connection.frame_max, max_message_bytes=max_message_bytes
        )
        self._already_read: bytes = connection.transport._read_buffer
        self._backlog: deque[_Held] = deque()
        self._held = 0
        self._closed = False  # the broker confirmed our farewell
        self._last_heard = self._last_sent = time.monotonic()

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Read until `stop` is set or the connection ends, which raises."""
        self._sock.setblocking(False)
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        last_idle = time.monotonic()
        if self._already_read:
            self._take([self._already_read], sink)
        while not stop.is_set():
            try:
                more = self._held < self._buffer_bytes and self._read(sink)
            except Exception:
                self._decode_all(sink)  # what arrived before the end is as good as any
                raise
            self._keep_alive()
            if self._backlog:
                self._decode_one(sink)
                continue
            now = time.monotonic()
            if now - last_idle >= 1.0:
                last_idle = now
                sink.idle()
            if not more and poll.poll(_WAIT_SECONDS * 1000):
                time.sleep(_GATHER_SECONDS)
        self._decode_all(sink)
        self._say_goodbye(sink)

    def _read(self, sink: Sink) -> bool:
        """Take what the kernel has; say whether it may have more."""
        chunks = []
        size = 0
        try:
            while size < min(_TURN_BYTES, self._buffer_bytes - self._held):
                chunk = self._sock.recv(_CHUNK_BYTES)
                if not chunk:
                    raise BrokerUnreachable(
                        f"{self._where}: it closed the connection without a word",
                        hint="The broker was stopped, or something between us cut the line.",
                    )
                chunks.append(chunk)
                size += len(chunk)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            if chunks:
                self._last_heard = time.monotonic()
                self._take(chunks, sink)
        return True

    def _take(self, chunks: list[bytes], sink: Sink) -> None:
        now = time.time()
        refused = self._splitter.too_large
        for chunk in chunks:
            messages, methods = self._splitter.feed(chunk)
            for start in range(0, len(messages), _SLICE_MESSAGES):
                part = messages[start : start + _SLICE_MESSAGES]
                weight = sum(len(m.body) for m in part) + _MESSAGE_OVERHEAD_BYTES * len(part)
                self._held += weight
                self._backlog.append(_Held(part, now, weight))
            for method in methods:
                self._obey(method)
        if self._splitter.too_large > refused:
            sink.refused("too_large", self._splitter.too_large - refused)

    def _decode_one(self, sink: Sink) -> None:
        """Hand over the oldest slice; small ones that came together are joined."""
        messages, received_at, weight = self._backlog.popleft()
        while self._backlog and len(messages) + len(self._backlog[0].messages) <= _SLICE_MESSAGES:
            following = self._backlog.popleft()
            messages = messages + following.messages
            weight += following.weight_bytes
        self._held -= weight
        sink.buffered(self._held)
        sink.messages(messages, received_at)

    def _decode_all(self, sink: Sink) -> None:
        while self._backlog:
            self._decode_one(sink)

    # ------------------------------------------------------------------ the conversation

    def _obey(self, method: Method) -> None:
        """Do what the broker's method asks for."""
        what = (method.class_id, method.method_id)
        if what == _CONNECTION_CLOSE:
            with suppress(OSError):  # it may have closed the socket already
                self._send(method_frame(0, *_CONNECTION_CLOSE_OK))
            raise _closed(method.arguments)
        if what == _CHANNEL_CLOSE:
            raise _closed(method.arguments)
        if what == _BASIC_CANCEL:
            raise BrokerUnreachable(
                f"{self._where}: RabbitMQ took our queue away",
                hint="Somebody deleted the event queue, or the node that held it is down.",
            )
        if what == _CONNECTION_BLOCKED:
            logger.warning(
                "RabbitMQ blocks publishers: %s",
                _shortstr(method.arguments, 0),
                extra={"url": self._where},
            )
        elif what == _CONNECTION_UNBLOCKED:
            logger.info("RabbitMQ lets publishers go on", extra={"url": self._where})
        elif what == _CHANNEL_FLOW:
            self._send(method_frame(method.channel, *_CHANNEL_FLOW_OK, method.arguments[:1]))
        elif what == _CONNECTION_CLOSE_OK:
            self._closed = True

    def _keep_alive(self) -> None:
        if not self._heartbeat:
            return
        now = time.monotonic()
        if now - self._last_sent >= self._heartbeat / 2:
            self._send(HEARTBEAT_FRAME)
        if now - self._last_heard > 2 * self._heartbeat:
            raise BrokerUnreachable(
                f"{self._where}: silent for {2 * self._heartbeat:.0f} seconds",
                hint="The network between us is cut, or the broker hangs.",
            )

    def _send(self, frame: bytes) -> None:
        try:
            self._sock.send(frame)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return  # it does not read; the missing heartbeats will tell
        self._last_sent = time.monotonic()

    def _say_goodbye(self, sink: Sink) -> None:
        """Close politely, or RabbitMQ logs a warning about us."""
        arguments = struct.pack(">HBHH", 200, 0, 0, 0)
        self._send(method_frame(0, *_CONNECTION_CLOSE, arguments))
        end = time.monotonic() + _CLOSE_SECONDS
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        try:
            while not self._closed and (left := end - time.monotonic()) > 0:
                poll.poll(left * 1000)
                self._read(sink)
        except (OSError, amqp.AMQPError, SourceError):
            logger.debug("the broker did not answer our farewell", exc_info=True)
        self._decode_all(sink)


def _shown(url: str) -> str:
    return without_passwords(url).partition("?")[0]


def _closed(arguments: bytes) -> Exception:
    """Make the error that connection.close or channel.close tells."""
    code = int.from_bytes(arguments[:2], "big")
    return amqp.exceptions.error_for_code(  # type: ignore[no-any-return]
        code, _shortstr(arguments, 2), (0, 0), amqp.exceptions.ConnectionError
    )


def _shortstr(arguments: bytes, at: int) -> str:
    if len(arguments) <= at:
        return ""
    return arguments[at + 1 : at + 1 + arguments[at]].decode("utf-8", "replace")


def _tls_options(options: Mapping[str, Any] | bool | None) -> dict[str, Any] | bool:
    """Bring TLS options into py-amqp's form: without redis-py's prefix, with real constants."""
    if options is None or isinstance(options, bool):
        return bool(options)
    plain = {name.removeprefix("ssl_"): value for name, value in options.items()}
    required = plain.get("cert_reqs")
    if isinstance(required, str):
        name = required.upper()
        plain["cert_reqs"] = ssl.VerifyMode[name if name.startswith("CERT_") else f"CERT_{name}"]
    # Only `context` of py-amqp takes it; by itself the host name is checked when it is given.
    plain.pop("check_hostname", None)
    return plain
