"""kombu's mailbox from the asking side: our own reply queue, JSON only, replies in bounds.

Celery's own client decodes what comes with whatever serializer the reply names, keeps the
replies nobody waits for, and blocks the caller. Here a message stays bytes until it is known to
be small JSON; who asks decides how long to listen.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import msgspec
from kombu import Connection, Consumer, Producer, Queue

from celeryscope.errors import TransportUnsupported, without_passwords

logger = logging.getLogger(__name__)

MAX_HOSTNAME_CHARS = 512
_MAX_DEPTH = 40
_HIDDEN = "********"
_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|api_?key|private_?key|access_key", re.IGNORECASE
)


# ---------------------------------------------------------------------- the connection


def connect(app: Any, *, resend: bool = True) -> Connection:
    """Open a connection for asking, once and without patience.

    Without `resend` the client library is kept from sending a command again when its answer is
    late. Raises what the broker's library raises, and `TransportUnsupported` where no command
    reaches a worker: kombu would drop it without a word.
    """
    connection = app.connection_for_write()
    connection.heartbeat = 0  # we write often, and nobody would read the broker's
    if not resend:
        options = dict(connection.transport_options or {})
        options.pop("retry_on_error", None)  # redis-py's, as the next
        connection.transport_options = {**options, "retry_on_timeout": False}
    try:
        connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, interval_max=0
        )
        if getattr(connection.default_channel, "supports_fanout", True) is False:
            raise TransportUnsupported(
                f"{where(app)}: this broker carries no commands for workers",
                hint="Tasks can be sent and queues purged. Redis, Valkey and RabbitMQ carry "
                "commands, too.",
            )
    except BaseException:
        close(connection)
        raise
    return connection


def close(connection: Connection | None) -> None:
    """Let a connection go, whatever state it is in."""
    if connection is not None:
        # What a broken connection says at its end interests nobody.
        with suppress(Exception):
            connection.release()


def where(app: Any) -> str:
    """Give the broker's address for people, without the password."""
    return without_passwords(str(app.conf.broker_write_url or "the broker"))


# ---------------------------------------------------------------------- asking


class ReplyQueue:
    """A queue of our own for replies; `ask` sends a command whose replies come here."""

    def __init__(self, app: Any, channel: Any, identity: str) -> None:
        self._app = app
        self._channel = channel
        self._identity = identity

    def ask(
        self,
        command: str,
        *,
        ticket: str,
        arguments: Mapping[str, Any] | None = None,
        hostnames: Sequence[str] | None = None,
        expires_seconds: float,
        drop_when_expired: bool = False,
    ) -> None:
        """Send a command to these workers, or all; replies carry `ticket`."""
        publish(
            self._app,
            self._channel,
            command,
            arguments=arguments,
            hostnames=hostnames,
            ticket=ticket,
            reply_to=self._identity,
            expires_seconds=expires_seconds,
            drop_when_expired=drop_when_expired,
        )


@contextmanager
def listening(
    app: Any,
    connection: Connection,
    *,
    take: Callable[[str, Any], None],
    refuse: Callable[[str], None],
) -> Iterator[ReplyQueue]:
    """Have a reply queue for the time of the block; the caller drains the connection.

    `take` gets the ticket and the message as it came, to be opened with `opened`; `refuse` gets
    the reason when kombu cannot even unpack it.
    """
    mailbox = app.control.mailbox
    identity = str(uuid4())
    durable = bool(getattr(mailbox, "queue_durable", False))
    queue = Queue(
        f"{identity}.{mailbox.reply_exchange.name}",
        exchange=mailbox.reply_exchange,
        routing_key=identity,
        durable=durable,
        auto_delete=not durable,
        exclusive=bool(getattr(mailbox, "queue_exclusive", False)),
        expires=mailbox.reply_queue_expires,
        message_ttl=mailbox.reply_queue_ttl,
    )
    channel = connection.channel()
    try:
        with Consumer(
            channel,
            [queue],
            on_message=lambda message: take(str(message.headers.get("ticket")), message),
            on_decode_error=lambda _message, _error: refuse("compression"),
            no_ack=True,
            accept=["json"],
        ):
            yield ReplyQueue(app, channel, identity)
    finally:
        channel.after_reply_message_received(queue.name)
        channel.close()


def publish(
    app: Any,
    channel: Any,
    command: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    hostnames: Sequence[str] | None = None,
    ticket: str | None = None,
    reply_to: str | None = None,
    expires_seconds: float = 0.0,
    drop_when_expired: bool = False,
) -> None:
    """Send a command once, as kombu's mailbox does, on our own channel and always as JSON.

    No worker looks at the `expires` header: kombu writes it and reads it only in replies. With
    `drop_when_expired` the broker is told as well, where it can (RabbitMQ) drop a message that
    waits longer in a worker's mailbox. What has reached a worker's socket is beyond recall.
    """
    mailbox = app.control.mailbox
    message: dict[str, Any] = {
        "method": command,
        "arguments": dict(arguments or {}),
        "destination": list(hostnames) if hostnames is not None else None,
        "pattern": None,
        "matcher": None,
    }
    if ticket is not None:
        message["ticket"] = ticket
        message["reply_to"] = {"exchange": mailbox.reply_exchange.name, "routing_key": reply_to}
    exchange = mailbox.exchange
    properties = {"expiration": expires_seconds} if drop_when_expired else {}
    Producer(channel, auto_declare=False).publish(
        message,
        exchange=exchange.name,
        declare=[exchange],
        headers={"clock": 0, "expires": time.time() + expires_seconds if ticket else 0},
        serializer="json",
        retry=False,
        **properties,
    )


# ---------------------------------------------------------------------- replies


def opened(
    message: Any, *, max_bytes: int, refuse: Callable[[str], None]
) -> Iterator[tuple[str, Any]]:
    """Give (hostname, answer) of a reply; `refuse` gets the reason for what cannot be taken."""
    body = message.body
    if message.content_type != "application/json":
        refuse("content_type")
        return
    if body is None or len(body) > max_bytes:
        refuse("too_large")
        return
    try:
        reply = _decoded(body)
    except (ValueError, RecursionError):
        refuse("syntax")
        return
    if not isinstance(reply, dict):
        refuse("shape")
        return
    for hostname, answer in reply.items():
        if not hostname or len(hostname) > MAX_HOSTNAME_CHARS:
            refuse("hostname")
        else:
            yield hostname, answer


def _decoded(body: Any) -> Any:
    """Read JSON as workers write it; raise ValueError or RecursionError where it is none.

    Python writes numbers that JSON has not, as Infinity, which one of Celery's own defaults is:
    they become texts. Nothing else that Python reads and JSON has not is taken.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return msgspec.json.decode(json.dumps(json.loads(body, parse_constant=str)))


def count_refusal(refused: dict[str, int], reason: str) -> None:
    """Count in `refused` that a reply was not taken; the log tells each reason once."""
    if reason not in refused:
        logger.warning("a worker's reply was not taken", extra={"reason": reason})
    refused[reason] = refused.get(reason, 0) + 1


def cleaned(
    value: Any,
    *,
    hide: bool,
    mask: Callable[[str], str] | None,
    in_arguments: bool = False,
    depth: int = 0,
) -> Any:
    """Take out what a page should not show: passwords in settings and URLs, masked arguments.

    kombu's wrapping of dates and the like (`__type__`) is opened, too.
    """
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, str):
        if hide and "://" in value:
            return without_passwords(value)
        return mask(value) if in_arguments and mask is not None else value

    def inner(item: Any, *, in_arguments: bool) -> Any:
        return cleaned(item, hide=hide, mask=mask, in_arguments=in_arguments, depth=depth + 1)

    if isinstance(value, list):
        return [inner(item, in_arguments=in_arguments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__type__", "__value__"}:
        return inner(value["__value__"], in_arguments=in_arguments)
    kept = {
        key: _HIDDEN
        if hide and item and not isinstance(item, bool) and _SECRET.search(key)
        else inner(item, in_arguments=in_arguments or key in ("args", "kwargs"))
        for key, item in value.items()
    }
    if mask is not None and not in_arguments:
        for key in ("args", "kwargs"):
            # What the mask finds in events is written as Python writes it, with keys and numbers.
            if key in kept and (hidden := mask(written := repr(kept[key]))) != written:
                kept[key] = hidden
    return kept
