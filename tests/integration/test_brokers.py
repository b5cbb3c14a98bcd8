"""The brokers that the other integration tests stand on."""

from __future__ import annotations

import kombu
import pytest


@pytest.mark.parametrize("broker", ["redis_server", "rabbitmq"])
def test_a_message_comes_back(broker: str, request: pytest.FixtureRequest) -> None:
    with kombu.Connection(request.getfixturevalue(broker)) as connection:
        queue = connection.SimpleQueue("celeryscope-echo", queue_opts={"durable": False})
        queue.put({"hello": 1})
        message = queue.get(timeout=10)
        message.ack()
        queue.close()
    assert message.payload == {"hello": 1}
