"""Events through kombu itself: every transport that has no reader of ours.

Bodies are handed over as they came. kombu never decodes them here, so it never unpickles.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from itertools import cycle
from typing import Any
from uuid import uuid4

from kombu import Connection, Consumer, Exchange, Queue
from kombu.transport import virtual

from celeryscope.errors import (
    SourceError,
    TransportUnsupported,
    broker_trouble,
    without_passwords,
)
from celeryscope.ingest.reconnect import keep_reading
from celeryscope.ingest.source import RawMessage, Sink

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 1.0
#: Celery publishes its events to a fanout exchange there, to a topic exchange elsewhere.
_FANOUT_DRIVERS = frozenset({"redis", "gcpubsub"})
_UNSUPPORTED_HINT = (
    "Celery's events need a broker that copies a message to everyone who listens, such as "
    "Redis, Valkey or RabbitMQ. Tasks run without them; watching them does not."
)


class KombuSource:
    """Reads Celery's events from any broker through kombu.

    A transport that carries no events is told to the sink once; then `run` waits for the end.
    """

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
        max_message_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        urls = [url.strip() for url in broker_url.split(";") if url.strip()]
        self._next_url = cycle(urls)
        self._tls = tls
        self._transport_options = dict(transport_options or {})
        self._login_method = login_method
        self._exchange = event_exchange
        self._prefix = event_queue_prefix
        self._ttl = event_queue_ttl_seconds
        self._expires = event_queue_expires_seconds
        self._exclusive = event_queue_exclusive and not event_queue_durable
        self._durable = event_queue_durable
        self._node_id = str(uuid4())
        self._timeout = connect_timeout_seconds
        self._heartbeat = heartbeat_seconds
        self._max_message_bytes = max_message_bytes
        self.transport = urls[0].partition("://")[0]
        self.url = _shown(urls[0])

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Read until `stop` is set; see `Source.run`."""

        def session() -> None:
            url = next(self._next_url)
            self.url = _shown(url)
            try:
                self._session(url, sink, stop)
            except TransportUnsupported as refusal:
                sink.disconnected(str(refusal), refusal.hint)
                while not stop.wait(_WAIT_SECONDS):  # nothing will change about that
                    sink.idle()

        keep_reading(session, explain=self._explain, sink=sink, stop=stop)

    def _explain(self, error: Exception) -> SourceError:
        return broker_trouble(error, where=self.url)

    # ------------------------------------------------------------------ one connection

    def _session(self, url: str, sink: Sink, stop: threading.Event) -> None:
        try:
            connection = self._client(url)
            connection.get_transport_cls()
        except Exception as error:
            raise _unusable(error, where=self.url) from error
        try:
            require_events(connection, where=self.url)
            gathered: list[RawMessage] = []
            with self._consumer(connection, gathered, sink):
                sink.connected(self.url)
                while not stop.is_set():
                    try:
                        connection.drain_events(timeout=_WAIT_SECONDS)
                    except TimeoutError:
                        sink.idle()
                    if gathered:
                        sink.messages(gathered)
                        # The same list: the consumer's callback holds it.
                        gathered.clear()
                    if connection.supports_heartbeats and connection.heartbeat:
                        connection.heartbeat_check()
        finally:
            # What a broken connection says at its end interests nobody.
            with suppress(Exception):
                connection.release()

    def _client(self, url: str) -> Connection:
        return Connection(
            url,
            ssl=dict(self._tls) if isinstance(self._tls, Mapping) else bool(self._tls),
            connect_timeout=self._timeout,
            heartbeat=self._heartbeat,
            login_method=self._login_method,
            transport_options=self._transport_options,
        )

    def _consumer(self, connection: Connection, gathered: list[RawMessage], sink: Sink) -> Consumer:
        """Declare and bind a queue as Celery's own event receiver does."""
        fanout = connection.transport.driver_type in _FANOUT_DRIVERS
        queue = Queue(
            f"{self._prefix}.{self._node_id if self._durable else uuid4()}",
            exchange=Exchange(self._exchange, type="fanout" if fanout else "topic"),
            routing_key="#",
            auto_delete=not self._durable,
            durable=self._durable,
            exclusive=self._exclusive,
            message_ttl=self._ttl,
            expires=self._expires,
        )

        def take(message: Any) -> None:
            body = message.body
            if body is None:
                body = b""
            elif not isinstance(body, bytes):
                body = body.encode() if isinstance(body, str) else bytes(body)
            if len(body) > self._max_message_bytes:
                sink.refused("too_large")
                return
            gathered.append(
                RawMessage(body, message.content_type or "", message.content_encoding or "")
            )

        def cannot_open(_message: Any, error: Exception) -> None:
            logger.debug("a message that kombu cannot open: %r", error)
            sink.refused("envelope")

        return Consumer(
            connection,
            [queue],
            on_message=take,  # takes messages undecoded
            on_decode_error=cannot_open,
            no_ack=True,
            accept=["json"],
        )


def require_events(connection: Connection, *, where: str) -> None:
    """Raise `TransportUnsupported` for a transport that cannot carry Celery's events.

    Does not connect.
    """
    transport = connection.get_transport_cls()
    exchange_type = "fanout" if transport.driver_type in _FANOUT_DRIVERS else "topic"
    carries = exchange_type in transport.implements.exchange_type
    if issubclass(transport, virtual.Transport):
        # A property there means that it depends (SQS), and only for fanout exchanges.
        carries = carries and transport.Channel.supports_fanout is True
    if not carries:
        raise TransportUnsupported(
            f"{where}: this broker carries no events", hint=_UNSUPPORTED_HINT
        )


def _unusable(error: Exception, *, where: str) -> TransportUnsupported:
    """Say why kombu could not even load its transport."""
    if isinstance(error, KeyError):
        return TransportUnsupported(
            f"{where}: kombu knows no such transport", hint="Check the broker URL's first part."
        )
    return TransportUnsupported(
        f"{where}: the package for this broker is missing or does not work: {error}",
        hint="Install kombu's extra for it beside Celeryscope, e.g. pip install 'kombu[mongodb]'.",
    )


def _shown(url: str) -> str:
    """Give the URL without its password and its query, which may hold secrets too."""
    return without_passwords(url).partition("?")[0]
