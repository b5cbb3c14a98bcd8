"""From an application to what reads its broker's queues."""

from __future__ import annotations

from typing import Any

from celeryscope.broker.base import Depths
from celeryscope.broker.messages import Looks, Mask, NoPeek
from celeryscope.broker.rabbitmq import RabbitDepths, RabbitPeek
from celeryscope.broker.redis import RedisDepths, RedisPeek
from celeryscope.broker.virtual import VirtualDepths
from celeryscope.errors import broker_trouble


def open_depths(*, app: Any, broker_api: str | None = None) -> Depths:
    """Choose how to read queue depths, by the application's broker. Does not connect.

    Raises `TransportUnsupported` when the package for the broker is missing.
    """
    driver = _driver(app)
    if driver == "redis":
        return RedisDepths(app=app)
    if driver == "amqp":
        return RabbitDepths(app=app, broker_api=broker_api)
    return VirtualDepths(app=app)


def open_looks(
    *,
    app: Any,
    broker_api: str | None = None,
    mask: Mask | None = None,
    show_arguments: bool = True,
) -> Looks:
    """Choose how to look at waiting messages, by the application's broker. Does not connect.

    `show_arguments` False: what the tasks are called with is left out. Raises as `open_depths`
    does.
    """
    driver = _driver(app)
    if driver == "redis":
        return Looks(RedisPeek(app=app, mask=mask), show_arguments=show_arguments)
    if driver == "amqp":
        # Two would take the messages out from under each other.
        return Looks(
            RabbitPeek(app=app, broker_api=broker_api, mask=mask),
            at_once=1,
            show_arguments=show_arguments,
        )
    return Looks(NoPeek())


def _driver(app: Any) -> str:
    try:
        return str(app.connection_for_read().transport.driver_type)
    except Exception as error:
        raise broker_trouble(error, where="the broker") from error
