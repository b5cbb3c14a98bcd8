"""Queue depths in RabbitMQ: by declaring passively, which only looks."""

from __future__ import annotations

import base64
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from kombu import Connection

from celeryscope.broker.base import QueueDepth
from celeryscope.errors import ConfigError, broker_trouble, without_passwords

logger = logging.getLogger(__name__)

_NOT_FOUND = 404
_MAX_ANSWER_BYTES = 16 * 1024 * 1024


class RabbitDepths:
    """Counts what is ready to be delivered, and the consumers.

    A queue that does not exist closes the channel that asked for it; then there is a new one.
    With `broker_api`, the management plugin tells the consumers, and of queues that cannot be
    asked for otherwise (another connection has them for itself) the messages, too.
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
        url = (
            f"{self._base}/queues/{quote(virtual_host, safe='')}"
            "?columns=name,consumers,messages_ready"
        )
        request = urllib.request.Request(url, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                told = json.loads(answer.read(_MAX_ANSWER_BYTES))
            found = {queue["name"]: queue for queue in told}
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._tell(f"{type(error).__name__}: {error}")
            return {}
        self._trouble = None
        return found

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("the broker's management API does not answer: %s", trouble)
        self._trouble = trouble


def _completed(depth: QueueDepth, told: Mapping[str, Any] | None) -> QueueDepth:
    if told is None:
        return depth
    consumers, messages = told.get("consumers"), told.get("messages_ready")
    if depth.messages is None:
        if not isinstance(messages, int):
            return depth
        depth = QueueDepth(depth.name, messages)
    if isinstance(consumers, int):
        return QueueDepth(depth.name, depth.messages, consumers)
    return depth
