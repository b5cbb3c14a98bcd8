"""Queue depths in Redis and Valkey: a list for each queue and priority step."""

from __future__ import annotations

from collections.abc import Sequence

from celeryscope.broker.base import QueueDepth
from celeryscope.broker.virtual import VirtualDepths


class RedisDepths(VirtualDepths):
    """Adds up a queue's lists, in one round trip for all queues.

    kombu's own channel names the keys and holds the client, so that TLS, Sentinel, the
    key prefix, the separator and the priority steps are what the workers use. A queue
    without a key is empty: Redis keeps no empty lists.
    """

    def _sizes(self, queues: Sequence[str]) -> list[QueueDepth]:
        channel = self._channel()
        keys = [
            (queue, channel._q_for_pri(queue, step))
            for queue in queues
            for step in channel.priority_steps
        ]
        with channel.conn_or_acquire() as client:
            pipe = client.pipeline(transaction=False)
            for _, key in keys:
                pipe.llen(key)
            replies = pipe.execute(raise_on_error=False)
        messages = dict.fromkeys(queues, 0)
        errors: dict[str, str] = {}
        for (queue, _), reply in zip(keys, replies, strict=True):
            if isinstance(reply, int):
                messages[queue] += reply
            else:
                errors[queue] = str(reply)
        return [
            QueueDepth(queue, error=errors[queue])
            if queue in errors
            else QueueDepth(queue, messages[queue])
            for queue in queues
        ]
