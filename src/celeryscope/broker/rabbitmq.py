"""Queues in RabbitMQ: depths by declaring passively, which only looks, and messages."""

from __future__ import annotations

import base64
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec
from kombu import Connection

from celeryscope.broker.base import QueueDepth
from celeryscope.broker.messages import Mask, Parts, describe
from celeryscope.errors import (
    BrokerRefused,
    BrokerUnreachable,
    CeleryscopeError,
    ConfigError,
    NotFound,
    NotPossible,
    broker_trouble,
    without_passwords,
)
from celeryscope.model.message import Message, Page

logger = logging.getLogger(__name__)

_NOT_FOUND = 404
_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_MOST_REASON_BYTES = 4096


class RabbitDepths:
    """Counts what is ready to be delivered, and the consumers.

    A queue that does not exist closes the channel that asked for it; then there is a new one.
    With `broker_api`, the management plugin tells the consumers and what they hold
    unacknowledged, and of queues that cannot be asked for otherwise (another connection has them
    for itself) the messages, too. What it tells is up to five seconds old.
    """

    def __init__(
        self, *, app: Any, broker_api: str | None = None, api_timeout_seconds: float = 3.0
    ) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._channel: Any = None
        self._api = (
            ManagementApi(broker_api, timeout_seconds=api_timeout_seconds) if broker_api else None
        )

    def read(self, queues: Sequence[str]) -> list[QueueDepth]:
        """See `Depths.read`."""
        where = without_passwords(str(self._app.conf.broker_read_url or "RabbitMQ"))
        try:
            read = [self._one(queue) for queue in queues]
        except Exception as error:
            self.close()
            raise broker_trouble(error, where=where) from error
        if self._api is None or self._connection is None:
            return read
        told = self._api.queues(self._connection.virtual_host or "/")
        return [_completed(depth, told.get(depth.name)) for depth in read]

    def close(self) -> None:
        """See `Depths.close`."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            # What a broken connection says at its end interests nobody.
            with suppress(Exception):
                connection.release()

    def _one(self, queue: str) -> QueueDepth:
        if self._channel is None:
            self._channel = self._open().channel()
        try:
            declared = self._channel.queue_declare(queue=queue, passive=True)
        except self._open().channel_errors as error:
            self._channel = None  # the broker closed it
            if getattr(error, "reply_code", None) == _NOT_FOUND:
                return QueueDepth(queue, error="there is no such queue")
            return QueueDepth(queue, error=str(getattr(error, "reply_text", "") or error))
        _, messages, consumers = declared
        return QueueDepth(queue, int(messages), int(consumers))

    def _open(self) -> Connection:
        if self._connection is None:
            connection = self._app.connection_for_read()
            connection.heartbeat = 0  # we ask often enough to notice its end
            self._connection = connection
            connection.ensure_connection(
                max_retries=1, interval_start=0, interval_step=0, interval_max=0
            )
        return self._connection


class ManagementApi:
    """RabbitMQ's management plugin over HTTP, as far as queues go.

    `url` is Flower's `broker_api`: `http://user:password@host:15672/api/`.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                "broker_api must be RabbitMQ's management URL, such as "
                "http://user:password@host:15672/api/"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        path = parts.path.rstrip("/") or "/api"
        self._base = f"{parts.scheme}://{host}{port}{path}"
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._timeout = timeout_seconds
        self._trouble: str | None = None

    def queues(self, virtual_host: str) -> Mapping[str, Mapping[str, Any]]:
        """Give what it knows of each queue; nothing, and a line in the log, when it fails."""
        columns = "columns=name,consumers,messages_ready,messages_unacknowledged"
        try:
            told = self._ask(f"/queues/{quote(virtual_host, safe='')}?{columns}")
            found = {queue["name"]: queue for queue in told}
        except (OSError, ValueError, TypeError, KeyError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            self._tell(f"{type(error).__name__}: {error}")
            return {}
        self._trouble = None
        return found

    def queue(self, virtual_host: str, name: str) -> Mapping[str, Any]:
        """Give what it knows of one queue. Raises as `get` does."""
        told = self._answered(_path(virtual_host, name), queue=name)
        return told if isinstance(told, dict) else {}

    def get(
        self, virtual_host: str, name: str, *, count: int, most_bytes: int
    ) -> list[Mapping[str, Any]]:
        """Take up to `count` messages out and put them back; of each body, `most_bytes`.

        Raises `NotFound` when there is no such queue, `NotPossible` when the broker refuses that
        for this queue, and `SourceError` when the API cannot be asked.
        """
        told = self._answered(
            _path(virtual_host, name) + "/get",
            queue=name,
            body={
                "count": count,
                "ackmode": "ack_requeue_true",
                "encoding": "base64",
                "truncate": most_bytes,
            },
        )
        if not isinstance(told, list):
            raise BrokerUnreachable(f"{self._base}: its answer is no list of messages")
        return [entry for entry in told if isinstance(entry, dict)]

    def _answered(self, path: str, *, queue: str, body: Mapping[str, object] | None = None) -> Any:
        """Ask, and turn what goes wrong into a sentence for people."""
        try:
            return self._ask(path, body)
        except urllib.error.HTTPError as error:
            with error:  # it holds the connection
                raise self._refused(error, queue) from error
        except (OSError, ValueError) as error:
            raise broker_trouble(error, where=self._base) from error

    def _refused(self, error: urllib.error.HTTPError, queue: str) -> CeleryscopeError:
        if error.code == _NOT_FOUND:
            return NotFound("queue", queue)
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return BrokerRefused(
                f"{self._base}: {error.code} {error.reason}",
                hint="Check user and password in broker_api; the user needs the tag management "
                "and may read the queue.",
            )
        said = _reason(error.read(_MOST_REASON_BYTES)) or f"{error.code} {error.reason}"
        if error.code == HTTPStatus.BAD_REQUEST:
            return NotPossible(f"RabbitMQ does not let one look into this queue: {said}")
        return BrokerUnreachable(f"{self._base}: {said}")

    def _ask(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        headers = {**self._headers, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, headers=headers, data=data)
        with urllib.request.urlopen(request, timeout=self._timeout) as answer:
            told = answer.read(_MAX_ANSWER_BYTES + 1)
        if len(told) > _MAX_ANSWER_BYTES:
            raise ValueError("the answer is larger than we take")
        try:
            return json.loads(told)
        except RecursionError:
            raise ValueError("the answer is nested too deeply") from None

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("the broker's management API does not answer: %s", trouble)
        self._trouble = trouble


def _completed(depth: QueueDepth, told: Mapping[str, Any] | None) -> QueueDepth:
    """Add to what declaring told; its count of messages is the younger one."""
    if told is None:
        return depth
    if depth.messages is None:
        messages = _count(told.get("messages_ready"))
        if messages is None:
            return depth
        depth = QueueDepth(depth.name, messages)
    consumers = _count(told.get("consumers"))
    return msgspec.structs.replace(
        depth,
        consumers=depth.consumers if consumers is None else consumers,
        unacknowledged=_count(told.get("messages_unacknowledged")),
    )


def _path(virtual_host: str, queue: str) -> str:
    return f"/queues/{quote(virtual_host, safe='')}/{quote(queue, safe='')}"


def _reason(body: bytes) -> str:
    """Find RabbitMQ's own words in an answer that says no."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    reason = told.get("reason") if isinstance(told, dict) else None
    return reason if isinstance(reason, str) else ""


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_COUNTED else None


# ---------------------------------------------------------------------- a look at messages

_MOST_COUNTED = 2**53  # more of anything is nonsense, and no number of JavaScript's
_FURTHEST = 100  # a look begins at the head of the queue, and takes out all it passes
_MOST_BODY_BYTES = 16 * 1024  # a hundred of them, and their headers, come in one answer
_PUT_BACK = (
    "The messages were taken out for a moment and put back in their places. They are marked as "
    "redelivered now."
)
_WHY_NOT_QUORUM = (
    "Messages that are put back into a quorum queue change their places, and each look counts "
    "towards its delivery limit."
)
_HEAD_ONLY = f"With RabbitMQ one can look at the first {_FURTHEST} messages only."


class RabbitPeek:
    """Takes messages out by the management API and puts them back; there is no other look.

    In a classic queue they keep their places, but are marked as redelivered, and workers do not
    see them in between: so it must be allowed each time. A quorum queue is not looked into: what
    is put back there changes its place, and each look counts as a delivery, after some of which
    (20 by default, from RabbitMQ 4 on) a message is dropped or moved away.
    """

    def __init__(
        self,
        *,
        app: Any,
        broker_api: str | None,
        mask: Mask | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._app = app
        self._mask = mask
        self._api = (
            ManagementApi(broker_api, timeout_seconds=timeout_seconds) if broker_api else None
        )

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
        """See `Peek.read`."""
        if self._api is None:
            raise NotPossible(
                "RabbitMQ lets one look at messages through its management API only.",
                hint="Enable the plugin rabbitmq_management, and give its address in the setting "
                "broker_api.",
            )
        if offset >= _FURTHEST:
            raise NotPossible(_HEAD_ONLY)
        virtual_host = self._app.connection_for_read().virtual_host or "/"
        kind = self._api.queue(virtual_host, queue).get("type", "classic")
        if kind != "classic":
            raise NotPossible(
                f"One cannot look into a queue of the type '{kind}' without disturbing it.",
                hint=_WHY_NOT_QUORUM if kind == "quorum" else "",
            )
        if not put_back:
            raise NotPossible(
                "RabbitMQ shows a message only by taking it out for a moment: it is put back in "
                "its place, marked as redelivered.",
                hint="If that may be, ask with POST.",
            )
        end = min(offset + limit, _FURTHEST)
        entries = self._api.get(virtual_host, queue, count=end, most_bytes=_MOST_BODY_BYTES)
        page = [
            _message(entry, position=position, mask=self._mask)
            for position, entry in enumerate(entries[offset:], offset)
        ]
        notes = [_PUT_BACK] if entries else []
        total = _total(entries)
        return Page(
            total=total,
            messages=page,
            notes=[*notes, _HEAD_ONLY] if offset + limit > _FURTHEST < total else notes,
        )


def _total(entries: Sequence[Mapping[str, Any]]) -> int:
    """How many waited: those we got, and those that were behind the last of them."""
    behind = _count(entries[-1].get("message_count")) if entries else None
    return len(entries) + (behind or 0)


def _message(entry: Mapping[str, Any], *, position: int, mask: Mask | None) -> Message:
    properties = entry.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    size = _count(entry.get("payload_bytes")) or 0
    parts = Parts(
        size_bytes=size,
        headers=_given(properties.get("headers")),
        properties=_given(properties),
        content_type=properties.get("content_type"),
        content_encoding=properties.get("content_encoding"),
        body=_payload(entry) if size <= _MOST_BODY_BYTES else None,
        redelivered=entry.get("redelivered") is True,
    )
    return describe(parts, position=position, mask=mask)


def _given(mapping: object) -> dict[str, Any]:
    """Leave out what is there and has no value: the API writes "undefined" for AMQP's void."""
    items = mapping.items() if isinstance(mapping, dict) else ()
    return {key: value for key, value in items if value is not None and value != "undefined"}


def _payload(entry: Mapping[str, Any]) -> bytes | None:
    payload = entry.get("payload")
    if not isinstance(payload, str):
        return None
    if entry.get("payload_encoding") != "base64":
        return payload.encode(errors="replace")
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError:
        return None
