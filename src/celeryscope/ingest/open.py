"""From a broker URL to the source that reads it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kombu import Connection
from kombu.utils.url import parse_url

from celeryscope.errors import ConfigError
from celeryscope.ingest.amqp import AmqpSource
from celeryscope.ingest.kombu import KombuSource
from celeryscope.ingest.redis import (
    Address,
    RedisSource,
    load_credential_provider,
    tls_context,
)
from celeryscope.ingest.source import Source

_REDIS = frozenset({"redis", "rediss", "sentinel"})
_AMQP = frozenset({"amqp", "amqps", "pyamqp", "librabbitmq"})
#: Valkey speaks Redis' protocol, and kombu knows it by Redis' name.
_VALKEY = {
    "valkey://": "redis://",
    "valkeys://": "rediss://",
    "valkey+socket://": "redis+socket://",
}


def broker_url(url: str) -> str:
    """Give the URL as kombu understands it."""
    for ours, kombus in _VALKEY.items():
        if url.startswith(ours):
            return kombus + url[len(ours) :]
    return url


def _redis_source(
    connection: Connection,
    *,
    tls: Mapping[str, Any] | bool | None,
    transport_options: Mapping[str, Any],
    exchange: str,
    connect_timeout_seconds: float,
    buffer_bytes: int,
) -> RedisSource:
    sentinel = connection.transport_cls == "sentinel"
    secured = tls or connection.ssl or connection.transport_cls == "rediss"
    context = _context(secured or None)
    parts = [parse_url(url) for url in connection.alt] or [
        {"hostname": connection.hostname, "port": connection.port}
    ]
    password = connection.password
    username = connection.userid
    database = (connection.virtual_host or "").strip("/")
    addresses = []
    for part in parts:
        host = part.get("hostname") or "localhost"
        if host.startswith("socket://"):
            where = urlsplit(host)
            asked = dict(parse_qsl(where.query))
            database = asked.get("virtual_host", database).strip("/")
            password = asked.get("password", password)
            username = asked.get("username", username)
            addresses.append(Address("", 0, "/" + (where.netloc + where.path).lstrip("/")))
        else:
            addresses.append(Address(host, int(part.get("port") or (26379 if sentinel else 6379))))
    if not (database or "0").isdigit():
        raise ConfigError(f"The Redis database must be a number, not {database!r}.")
    options = transport_options
    sentinels = options.get("sentinel_kwargs") or {}
    master = options.get("master_name")
    if sentinel and not master:
        raise ConfigError(
            "A sentinel:// broker needs the name of its master: set the transport option "
            'master_name, for example --transport-options \'{"master_name": "mymaster"}\'.'
        )
    secured = {k: v for k, v in sentinels.items() if k.startswith("ssl_")} or sentinels.get("ssl")
    return RedisSource(
        addresses=addresses,
        url=_shown(connection),
        db=int(database or 0),
        username=username,
        password=password,
        credential_provider=load_credential_provider(options.get("credential_provider")),
        tls=context,
        sentinel_master=master if sentinel else None,
        sentinel_username=sentinels.get("username"),
        sentinel_password=sentinels.get("password"),
        sentinel_tls=_context(secured or None),
        exchange=exchange,
        fanout_prefix=options.get("fanout_prefix", True),
        global_keyprefix=options.get("global_keyprefix") or "",
        connect_timeout_seconds=connect_timeout_seconds,
        buffer_bytes=buffer_bytes,
    )


def _context(options: Mapping[str, Any] | bool | None) -> ssl.SSLContext | None:
    try:
        return tls_context(options)
    except (OSError, TypeError, ValueError) as trouble:  # ssl.SSLError is an OSError
        raise ConfigError(
            f"The TLS files or options for the broker cannot be used: {trouble} "
            "(--broker-ca, --broker-cert, --broker-key, --broker-use-ssl)"
        ) from trouble


def _shown(connection: Connection) -> str:
    """Give the broker's URL without its password; kombu shows a mask where there is none, too."""
    url: str = connection.as_uri(mask="***")
    return url if connection.password else url.replace(":***@", "", 1)


def open_source(
    url: str,
    *,
    transport_options: Mapping[str, Any] | None = None,
    tls: Mapping[str, Any] | bool | None = None,
    login_method: str | None = None,
    event_exchange: str = "celeryev",
    event_queue_prefix: str = "celeryev",
    event_queue_ttl_seconds: float | None = 5.0,
    event_queue_expires_seconds: float | None = 60.0,
    event_queue_exclusive: bool = True,
    event_queue_durable: bool = False,
    connect_timeout_seconds: float = 5.0,
    buffer_bytes: int = 256 * 1024 * 1024,
    max_message_bytes: int = 16 * 1024 * 1024,
) -> Source:
    """Choose the source for a broker URL.

    `tls` is Celery's `broker_use_ssl`; the event settings are Celery's of the same names.
    Raises `ConfigError` when the URL cannot be used and `TransportUnsupported` when its
    transport carries no events.
    """
    url = broker_url(url)
    options = dict(transport_options or {})
    try:
        connection = Connection(url, transport_options=options)
        transport = connection.transport_cls
    except Exception as trouble:
        raise ConfigError(f"The broker URL cannot be read: {trouble}") from trouble
    if transport in _REDIS:
        return _redis_source(
            connection,
            tls=tls,
            transport_options=options,
            exchange=event_exchange,
            connect_timeout_seconds=connect_timeout_seconds,
            buffer_bytes=buffer_bytes,
        )
    queue: dict[str, Any] = {
        "event_exchange": event_exchange,
        "event_queue_prefix": event_queue_prefix,
        "event_queue_ttl_seconds": event_queue_ttl_seconds,
        "event_queue_expires_seconds": event_queue_expires_seconds,
        "event_queue_exclusive": event_queue_exclusive,
        "event_queue_durable": event_queue_durable,
    }
    if transport in _AMQP:
        return AmqpSource(
            broker_url=url,
            tls=tls,
            transport_options=options,
            login_method=login_method,
            connect_timeout_seconds=connect_timeout_seconds,
            buffer_bytes=buffer_bytes,
            max_message_bytes=max_message_bytes,
            **queue,
        )
    return KombuSource(
        broker_url=url,
        tls=tls,
        transport_options=options,
        login_method=login_method,
        connect_timeout_seconds=connect_timeout_seconds,
        max_message_bytes=max_message_bytes,
        **queue,
    )
