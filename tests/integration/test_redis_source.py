"""Redis and Valkey as they are set up in the world: what kombu publishes there, we read."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from celery import Celery

from celeryscope.ingest.open import open_source
from tests.conftest import (
    Certificates,
    answers,
    free_port,
    redis_binary,
    running,
    running_redis,
)
from tests.integration.watching import sent
from tests.recording import eventually, reading


class Setup(NamedTuple):
    """A broker as it is set up, and how Celery's settings name it."""

    url: str
    conf: Mapping[str, Any] = {}


@contextlib.contextmanager
def plain(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with running_redis(directory) as url:
        yield Setup(url)


@contextlib.contextmanager
def another_database(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with running_redis(directory) as url:
        yield Setup(url.removesuffix("0") + "7")


@contextlib.contextmanager
def password(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with running_redis(directory, "--requirepass", "s@cret/1") as url:
        yield Setup(url.replace("redis://", "redis://:s%40cret%2F1@"))


@contextlib.contextmanager
def acl_user(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    acl = ["--user", "eve", "on", ">pw", "allchannels", "allkeys", "+@all"]
    with running_redis(directory, *acl) as url:
        yield Setup(url.replace("redis://", "redis://eve:pw@"))


@contextlib.contextmanager
def unix_socket(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    path = directory / "redis.sock"
    with running_redis(directory, "--unixsocket", str(path)):
        yield Setup(f"redis+socket://{path}?virtual_host=2")


@contextlib.contextmanager
def tls(directory: Path, made: Certificates) -> Iterator[Setup]:
    port = free_port()
    with running_redis(
        directory, "--tls-port", str(port), "--tls-cert-file", str(made.certificate),
        "--tls-key-file", str(made.key), "--tls-ca-cert-file", str(made.ca),
        "--tls-auth-clients", "no",
    ):  # fmt: skip
        # The server speaks TLS on this port once it speaks on the other.
        options = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(made.ca)}
        yield Setup(f"rediss://127.0.0.1:{port}/1", {"broker_use_ssl": options})


@contextlib.contextmanager
def key_prefix(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with running_redis(directory) as url:
        yield Setup(url, {"broker_transport_options": {"global_keyprefix": "shop*:"}})


@contextlib.contextmanager
def own_exchange(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with running_redis(directory) as url:
        yield Setup(url, {"event_exchange": "shop.events"})


@contextlib.contextmanager
def no_fanout_prefix(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with running_redis(directory) as url:
        yield Setup(url, {"broker_transport_options": {"fanout_prefix": False}})


@contextlib.contextmanager
def no_fanout_patterns(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with running_redis(directory) as url:
        yield Setup(url, {"broker_transport_options": {"fanout_patterns": False}})


@contextlib.contextmanager
def sentinel(directory: Path, _tls: Certificates) -> Iterator[Setup]:
    with sentinels(directory) as (url, _):
        yield Setup(url, {"broker_transport_options": {"master_name": "shop"}})


@contextlib.contextmanager
def sentinels(directory: Path) -> Iterator[tuple[str, redis.Redis]]:
    """A master with one Sentinel; gives the broker URL and a client of the Sentinel."""
    master = free_port()
    port = free_port()
    (directory / "sentinel").mkdir()
    conf = directory / "sentinel" / "sentinel.conf"
    conf.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {directory}\n"
        f"sentinel monitor shop 127.0.0.1 {master} 1\n"
        "sentinel down-after-milliseconds shop 1000\n"
    )
    with (
        running_redis(directory, port=master),
        running(
            [redis_binary(), str(conf), "--sentinel"],
            log=directory / "sentinel.log",
            ready=lambda: answers(port, b"PING\r\n", b"+PONG"),
        ),
        redis.Redis(port=port) as client,
    ):
        yield f"sentinel://127.0.0.1:{port}/0", client


Way = Callable[[Path, Certificates], contextlib.AbstractContextManager[Setup]]
WAYS: list[Way] = [
    plain, another_database, password, acl_user, unix_socket, tls, key_prefix, own_exchange,
    no_fanout_prefix, no_fanout_patterns, sentinel,
]  # fmt: skip


def celery_app(setup: Setup) -> Celery:
    app = Celery("shop", broker=setup.url, set_as_current=False)
    app.conf.update(setup.conf)
    return app


def our_source(setup: Setup) -> Any:
    return open_source(
        setup.url,
        transport_options=setup.conf.get("broker_transport_options"),
        tls=setup.conf.get("broker_use_ssl"),
        event_exchange=setup.conf.get("event_exchange", "celeryev"),
    )


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_kombu_publishes_arrives(way: Way, tmp_path: Path, certificates: Certificates) -> None:
    with way(tmp_path, certificates) as setup, reading(our_source(setup)) as sink:
        eventually(lambda: sink.said)
        assert sink.said == ["connected"]
        sent(celery_app(setup), count=3)
        eventually(lambda: len(sink.envelopes) >= 3)
        time.sleep(0.2)
    assert len(sink.envelopes) == 3


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("redis://127.0.0.1:{port}/0", "NOAUTH"),
        ("redis://:wrong@127.0.0.1:{port}/0", "WRONGPASS"),
    ],
)
def test_a_wrong_login_is_said_without_the_password(told: str, reason: str, tmp_path: Path) -> None:
    with running_redis(tmp_path, "--requirepass", "right") as url:
        port = url.rpartition(":")[2].partition("/")[0]
        with reading(open_source(told.format(port=port))) as sink:
            eventually(lambda: sink.said)
    assert reason in sink.said[0]
    assert sink.hints[0]
    assert "wrong@" not in "".join(sink.said + sink.hints)


def test_an_untrusted_certificate_is_said(tmp_path: Path, certificates: Certificates) -> None:
    with tls(tmp_path, certificates) as setup:
        untrusting = setup._replace(conf={"broker_use_ssl": {"ssl_cert_reqs": "required"}})
        with reading(our_source(untrusting)) as sink:
            eventually(lambda: sink.said)
    assert "not trusted" in sink.hints[0]


def test_a_broker_that_goes_and_comes_back_leaves_a_gap_and_goes_on(tmp_path: Path) -> None:
    port = free_port()
    setup = Setup(f"redis://127.0.0.1:{port}/0")
    with reading(our_source(setup)) as sink:

        def goes_on(*, times: int) -> None:
            eventually(lambda: sink.said.count("connected") == times)
            sent(celery_app(setup), count=2)
            eventually(lambda: len(sink.envelopes) == 2 * times)

        eventually(lambda: sink.said)  # not there yet
        for times in (1, 2):
            with running_redis(tmp_path, port=port):
                goes_on(times=times)
    troubles = [said for said in sink.said if said != "connected"]
    assert "Is the broker running" in sink.hints[0]
    assert any("closed the connection" in said for said in troubles)
