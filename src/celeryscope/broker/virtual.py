"""Queue depths of the transports that kombu builds itself, where they can count."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kombu import Connection
from kombu.transport import virtual

from celeryscope.broker.base import QueueDepth
from celeryscope.errors import broker_trouble, without_passwords

_CANNOT_COUNT = "kombu cannot count the messages of this broker"


class VirtualDepths:
    """Asks kombu's channel for the size of each queue."""

    def __init__(self, *, app: Any) -> None:
        self._app = app
        self._connection: Connection | None = None

    def read(self, queues: Sequence[str]) -> list[QueueDepth]:
        """See `Depths.read`."""
        try:
            return self._sizes(queues)
        except Exception as error:
            self.close()
            where = without_passwords(str(self._app.conf.broker_read_url or "the broker"))
            raise broker_trouble(error, where=where) from error

    def close(self) -> None:
        """See `Depths.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # What a broken connection says at its end interests nobody.
            with suppress(Exception):
                connection.release()

    def _sizes(self, queues: Sequence[str]) -> list[QueueDepth]:
        channel = self._channel()
        # The base class answers 0 for every queue, which would be a lie.
        if getattr(type(channel), "_size", None) in (None, virtual.Channel._size):
            return [QueueDepth(queue, error=_CANNOT_COUNT) for queue in queues]
        return [QueueDepth(queue, int(channel._size(queue))) for queue in queues]

    def _channel(self) -> Any:
        if self._connection is None:
            connection = self._app.connection_for_read()
            connection.heartbeat = 0
            self._connection = connection
            connection.ensure_connection(
                max_retries=1, interval_start=0, interval_step=0, interval_max=0
            )
        return self._connection.default_channel
