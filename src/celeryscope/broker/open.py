"""From an application to what reads its broker's queues."""

from __future__ import annotations

from typing import Any

from celeryscope.broker.base import Depths
from celeryscope.broker.rabbitmq import RabbitDepths
from celeryscope.broker.redis import RedisDepths
from celeryscope.broker.virtual import VirtualDepths
from celeryscope.errors import broker_trouble


def open_depths(*, app: Any, broker_api: str | None = None) -> Depths:
    """Choose how to read queue depths, by the application's broker. Does not connect.

    Raises `TransportUnsupported` when the package for the broker is missing.
    """
    try:
        driver = app.connection_for_read().transport.driver_type
    except Exception as error:
        raise broker_trouble(error, where="the broker") from error
    if driver == "redis":
        return RedisDepths(app=app)
    if driver == "amqp":
        return RabbitDepths(app=app, broker_api=broker_api)
    return VirtualDepths(app=app)
