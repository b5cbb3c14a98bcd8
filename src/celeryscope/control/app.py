"""The Celery application that speaks for us when there is none of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import Celery


def make_app(
    broker_url: str,
    *,
    transport_options: Mapping[str, Any],
    tls: Mapping[str, Any] | bool | None,
    connect_timeout_seconds: float,
    event_exchange: str,
    default_queue: str,
) -> Any:
    """Make an application for one broker. It takes no pickle, and does not connect yet."""
    app = Celery("celeryscope", broker=broker_url, set_as_current=False, fixups=[])
    app.conf.update(
        broker_transport_options=dict(transport_options),
        broker_use_ssl=tls or False,
        broker_connection_timeout=connect_timeout_seconds,
        event_exchange=event_exchange,
        task_default_queue=default_queue,
        accept_content=["json", "msgpack", "yaml"],
        result_accept_content=["json", "msgpack", "yaml"],
    )
    return app


def overrule(
    app: Any,
    *,
    broker_url: str,
    transport_options: Mapping[str, Any],
    tls: Mapping[str, Any] | bool | None,
) -> None:
    """Make a project's app use this broker; what it says itself already is left alone.

    Events and commands must not go to two brokers when a flag names another one than the app.
    """
    conf = app.conf
    said = conf.broker_read_url or conf.broker_url
    if isinstance(said, list | tuple):
        said = ";".join(said)
    if broker_url != said:
        conf.update(broker_url=broker_url, broker_read_url=broker_url, broker_write_url=broker_url)
    if dict(transport_options) != dict(conf.broker_transport_options or {}):
        conf.broker_transport_options = dict(transport_options)
    if (tls or None) != (conf.broker_use_ssl or None):
        conf.broker_use_ssl = tls or False
