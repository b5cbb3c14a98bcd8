"""What is said about a broker's trouble: a sentence for people, without a password."""

from __future__ import annotations

import socket
import ssl

import amqp
import pytest
import redis
from kombu.exceptions import OperationalError

from celeryscope.errors import (
    BrokerRefused,
    BrokerUnreachable,
    CeleryscopeError,
    SourceError,
    TransportUnsupported,
    broker_trouble,
    without_passwords,
)


def caused(outer: Exception, inner: Exception) -> Exception:
    try:
        raise outer from inner
    except Exception as error:  # noqa: BLE001 - the very one
        return error


@pytest.mark.parametrize(
    ("error", "kind", "said", "hint"),
    [
        (socket.gaierror(-2, "Name or service not known"), BrokerUnreachable, "Name or", "host"),
        (ConnectionRefusedError(111, "Connection refused"), BrokerUnreachable, "refused", "port"),
        (TimeoutError("timed out"), BrokerUnreachable, "timed out", "firewall"),
        (ssl.SSLError(1, "wrong version number"), BrokerUnreachable, "wrong version", "TLS"),
        (ssl.SSLCertVerificationError(1, "self-signed"), BrokerUnreachable, "self-signed", "CA"),
        (ConnectionResetError(104, "reset"), BrokerUnreachable, "reset", "TLS"),
        (OSError("Server unexpectedly closed connection"), BrokerUnreachable, "closed", "TLS"),
        (
            amqp.exceptions.AccessRefused("ACCESS_REFUSED - Login was refused", (0, 0)),
            BrokerRefused,
            "Login was refused",
            "password",
        ),
        (amqp.exceptions.NotAllowed("vhost x not found", (10, 40)), BrokerRefused, "(530)", "host"),
        (
            amqp.exceptions.ConnectionForced("broker forced", (0, 0)),
            BrokerUnreachable,
            "forced",
            "come back",
        ),
        (redis.AuthenticationError("WRONGPASS invalid"), BrokerRefused, "WRONGPASS", "password"),
        (redis.exceptions.NoPermissionError("NOPERM no"), BrokerRefused, "NOPERM", "permission"),
        (
            caused(OperationalError("Connection refused"), ConnectionRefusedError(111, "refused")),
            BrokerUnreachable,
            "refused",
            "port",
        ),
        (ModuleNotFoundError("No module named 'boto3'"), TransportUnsupported, "boto3", ""),
        (
            caused(OperationalError(""), BrokerRefused("as it was", hint="h")),
            BrokerRefused,
            "as",
            "h",
        ),
        (RuntimeError(), BrokerUnreachable, "RuntimeError", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_trouble_is_a_sentence_with_a_way_out(
    error: Exception, kind: type[SourceError], said: str, hint: str
) -> None:
    trouble = broker_trouble(error, where="amqp://there")
    assert type(trouble) is kind
    assert said in str(trouble)
    assert hint in trouble.hint


def test_no_password_gets_through_and_no_novel() -> None:
    trouble = broker_trouble(
        ValueError("cannot use redis://me:sec:ret@there/0\nbecause " + "x" * 5000), where="redis"
    )
    assert "ret" not in str(trouble)
    assert "\n" not in str(trouble)
    assert len(str(trouble)) < 500


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@there:6379/0", "redis://:**@there:6379/0"),
        ("amqp://me:se/c@r;et@there//", "amqp://me:**@there//"),
        ("amqp://me:a@one;amqp://me:b@two", "amqp://me:**@two"),
        ("amqp://there:5672//", "amqp://there:5672//"),
        ("amqp://me@there//", "amqp://me@there//"),
        ("redis+socket:///r.sock?password=se%2Fc&db=1", "redis+socket:///r.sock?password=**&db=1"),
        ("rediss://h?ssl_password=x refused", "rediss://h?ssl_password=** refused"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_passwords(url) == shown


def test_an_error_without_words_says_its_docstring() -> None:
    assert str(CeleryscopeError()) == "Something went wrong in Celeryscope."
