"""Queue depths of real brokers."""

from __future__ import annotations

import contextlib
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Connection, Exchange, Message, Queue

from celeryscope.broker.base import Depths, QueueDepth
from celeryscope.broker.open import open_depths
from celeryscope.broker.rabbitmq import RabbitDepths
from celeryscope.broker.redis import RedisDepths
from celeryscope.errors import BrokerRefused, BrokerUnreachable, SourceError
from tests.conftest import (
    Certificates,
    SharedRabbit,
    answers,
    free_port,
    redis_binary,
    running,
    running_redis,
)
from tests.recording import eventually


def client(url: str, **options: object) -> Celery:
    app = Celery("depths", broker=url, set_as_current=False)
    app.conf.broker_transport_options = options
    return app


def test_redis_adds_up_the_priorities(redis_server: str) -> None:
    app = client(redis_server, priority_steps=[0, 3, 6, 9])
    for priority, count in ((0, 2), (3, 1), (9, 4)):
        for _ in range(count):
            app.send_task("app.add", queue="mixed", priority=priority)
    app.send_task("app.add", queue="plain")
    depths = open_depths(app=app)
    assert isinstance(depths, RedisDepths)
    assert depths.read(["mixed", "plain", "empty"]) == [
        QueueDepth("mixed", 7, unacknowledged=0),
        QueueDepth("plain", 1, unacknowledged=0),
        QueueDepth(
            "empty", 0, unacknowledged=0
        ),  # Redis keeps no empty lists: no key is no message
    ]
    depths.close()
    app.close()


LAYOUTS = pytest.mark.parametrize(
    "options",
    [
        {"sep": ":"},
        {"queue_order_strategy": "priority", "priority_steps": list(range(10))},
        {"global_keyprefix": "mine:"},
        {"global_keyprefix": "mine:", "sep": ":", "priority_steps": [0, 5]},
    ],
    ids=str,
)


@LAYOUTS
def test_redis_names_the_lists_as_the_workers_do(
    redis_server: str, options: dict[str, object]
) -> None:
    app = client(redis_server, **options)
    for priority in range(10):
        app.send_task("app.add", queue="q", priority=priority)
    depths = open_depths(app=app)
    assert depths.read(["q"]) == [QueueDepth("q", 10, unacknowledged=0)]
    depths.close()
    app.close()


def take(connection: Connection, queue: str, count: int) -> list[Message]:
    """Take messages out of a queue as a worker does, and acknowledge none."""
    channel = connection.default_channel
    channel.basic_qos(0, count, False)
    taken = [channel.basic_get(queue) for _ in range(count)]
    assert all(taken)
    return taken


@LAYOUTS
def test_redis_tells_what_workers_hold_of_each_queue(
    redis_server: str, options: dict[str, object]
) -> None:
    app = client(redis_server, **options)
    for queue, count in (("a", 5), ('odd "name"', 4), ("c", 1)):
        for priority in range(count):
            app.send_task("app.add", queue=queue, priority=priority, args=["x" * 3000])
    depths = open_depths(app=app)
    with app.connection_for_read() as connection:
        first, *_ = [take(connection, queue, 3) for queue in ("a", 'odd "name"')]
        assert depths.read(["a", 'odd "name"', "c"]) == [
            QueueDepth("a", 2, unacknowledged=3),
            QueueDepth('odd "name"', 1, unacknowledged=3),
            QueueDepth("c", 1, unacknowledged=0),
        ]
        first[0].ack()
        assert depths.read(["a"]) == [QueueDepth("a", 2, unacknowledged=2)]
    depths.close()
    app.close()


def test_redis_finds_the_queue_behind_an_exchange(redis_server: str) -> None:
    app = client(redis_server)
    exchange = Exchange("shop", type="direct")
    depths = open_depths(app=app)
    with app.connection_for_read() as connection:
        for name in ("pay", "pack"):
            Queue(name, exchange, routing_key=f"shop.{name}")(connection.default_channel).declare()
        for key in ("shop.pay", "shop.pay", "shop.pack"):
            connection.Producer().publish({}, exchange=exchange, routing_key=key)
        take(connection, "pay", 2)
        told = depths.read(["pay", "pack"])
        assert [(depth.messages, depth.unacknowledged) for depth in told] == [(0, 2), (1, 0)]
        # One that two queues could have had: which, nobody can tell.
        again = Queue("pay-too", exchange, routing_key="shop.pay")
        again(connection.default_channel).declare()
        told = depths.read(["pay", "pack"])
        assert [(depth.messages, depth.unacknowledged) for depth in told] == [(0, None), (1, None)]
    depths.close()
    app.close()


def test_redis_that_allows_no_scripts_still_tells_lengths(
    redis_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "celeryscope")
    app = client(redis_server)
    app.send_task("app.add", queue="q")
    with redis.Redis.from_url(redis_server) as server:
        server.execute_command("ACL", "SETUSER", "default", "-@scripting")
    depths = open_depths(app=app)
    for _ in range(2):
        assert depths.read(["q"]) == [QueueDepth("q", 1)]
    assert caplog.text.count("does not tell what is unacknowledged") == 1
    depths.close()
    app.close()


@pytest.mark.parametrize(
    "held",
    [
        {f"tag{i}": '[{}, "", "q"]' for i in range(2001)},
        {f"tag{i}": '[{"body": "' + "x" * 1_000_000 + '"}, "", "q"]' for i in range(5)},
        {"tag": "no JSON"},
    ],
    ids=["many", "large", "garbage"],
)
def test_what_is_too_much_to_look_through_is_not_guessed(
    redis_server: str, held: dict[str, str]
) -> None:
    with redis.Redis.from_url(redis_server) as server:
        server.hset("unacked", mapping=held)
    app = client(redis_server)
    app.send_task("app.add", queue="q")
    depths = open_depths(app=app)
    assert depths.read(["q"]) == [QueueDepth("q", 1)]
    depths.close()
    app.close()


@contextlib.contextmanager
def running_sentinel(directory: Path, master_port: int) -> Iterator[int]:
    """A Sentinel that watches one master, `mymaster`. Yields its port."""
    port = free_port()
    config = directory / f"sentinel-{port}.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {directory}\n"
        f"sentinel monitor mymaster 127.0.0.1 {master_port} 1\n"
        "sentinel down-after-milliseconds mymaster 1000\n"
    )
    with running(
        [redis_binary(), str(config), "--sentinel"],
        log=directory / f"sentinel-{port}.log",
        ready=lambda: answers(port, b"PING\r\n", b"+PONG"),
    ):
        yield port


def test_redis_is_found_by_sentinel_and_again_after_a_failover(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    replica = ["--replicaof", "127.0.0.1", str(first)]
    with (
        running_redis(tmp_path, "--repl-diskless-sync-delay", "0", port=first),
        running_redis(tmp_path, *replica, port=second),
        redis.Redis(port=second) as second_server,
    ):
        eventually(lambda: second_server.info("replication")["master_link_status"] == "up")
        with running_sentinel(tmp_path, first) as port, redis.Redis(port=port) as sentinel:
            app = client(f"sentinel://127.0.0.1:{port}/0", master_name="mymaster")
            for priority in range(10):
                app.send_task("app.add", queue="q", priority=priority)
            depths = open_depths(app=app)
            assert isinstance(depths, RedisDepths)
            assert depths.read(["q"]) == [QueueDepth("q", 10, unacknowledged=0)]
            eventually(lambda: second_server.llen("q") > 0)
            eventually(lambda: fails_over(sentinel))
            eventually(lambda: second_server.info("replication")["role"] == "master")
            second_server.lpush("q", "one more")
            eventually(lambda: reads(depths, "q") == QueueDepth("q", 11, unacknowledged=0))
            depths.close()
            app.close()


def fails_over(sentinel: Any) -> bool:
    """Ask for a failover; say whether Sentinel knows the replica well enough to do it."""
    try:
        sentinel.execute_command("SENTINEL", "FAILOVER", "mymaster")
    except redis.ResponseError as refused:
        if "NOGOODSLAVE" not in str(refused):
            raise
        return False
    return True


def reads(depths: Depths, queue: str) -> QueueDepth | None:
    """Read once; None when the broker is away."""
    try:
        return depths.read([queue])[0]
    except SourceError:
        return None


def test_redis_says_when_a_key_is_no_queue(redis_server: str) -> None:
    with redis.Redis.from_url(redis_server) as server:
        server.set("text", "not a list")
    app = client(redis_server)
    app.send_task("app.add", queue="q")
    depths = open_depths(app=app)
    text, queue = depths.read(["text", "q"])
    assert text.messages is None
    assert "WRONGTYPE" in str(text.error)
    assert queue.messages == 1
    depths.close()
    app.close()


def test_redis_is_read_again_after_a_restart(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        app = client(url)
        app.send_task("app.add", queue="q")
        depths = open_depths(app=app)
        assert depths.read(["q"])[0].messages == 1
    with pytest.raises(BrokerUnreachable, match="refused"):
        depths.read(["q"])
    with running_redis(tmp_path, port=int(url.rsplit(":", 1)[1].split("/")[0])):
        assert depths.read(["q"])[0].messages == 0
    depths.close()
    app.close()


def test_redis_is_read_over_tls(tmp_path: Path, certificates: Certificates) -> None:
    tls_port = free_port()
    options = [
        "--tls-port", str(tls_port), "--tls-auth-clients", "no",
        "--tls-cert-file", str(certificates.certificate),
        "--tls-key-file", str(certificates.key),
        "--tls-ca-cert-file", str(certificates.ca),
    ]  # fmt: skip
    with running_redis(tmp_path, *options) as url:
        plain = client(url)
        plain.send_task("app.add", queue="q")
        app = client(f"rediss://127.0.0.1:{tls_port}/0")
        app.conf.broker_use_ssl = {
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_ca_certs": str(certificates.ca),
        }
        depths = open_depths(app=app)
        assert depths.read(["q"]) == [QueueDepth("q", 1, unacknowledged=0)]
        depths.close()
        app.close()
        plain.close()


def test_a_wrong_redis_password_is_said_and_not_shown(tmp_path: Path) -> None:
    with running_redis(tmp_path, "--requirepass", "right") as url:
        app = client(url.replace("redis://", "redis://:topsecret@"))
        depths = open_depths(app=app)
        with pytest.raises(BrokerRefused) as told:
            depths.read(["q"])
        assert "topsecret" not in str(told.value)
        depths.close()
        app.close()


@pytest.fixture
def queue() -> str:
    """A queue that only this test uses."""
    return f"queue-{uuid.uuid4().hex[:8]}"


def test_rabbitmq_tells_messages_and_consumers(rabbitmq: str, queue: str) -> None:
    app = client(rabbitmq)
    for _ in range(3):
        app.send_task("app.add", queue=queue)
    depths = open_depths(app=app)
    assert isinstance(depths, RabbitDepths)
    assert depths.read([queue]) == [QueueDepth(queue, 3, 0)]
    with app.connection_for_read() as connection, connection.channel() as channel:
        channel.basic_qos(0, 1, False)
        channel.basic_consume(queue, callback=None)
        # One is with the consumer, unacknowledged.
        assert depths.read([queue]) == [QueueDepth(queue, 2, 1)]
    depths.close()
    app.close()


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_the_management_api_tells_what_workers_hold(
    shared_rabbitmq: SharedRabbit, queue: str, kind: str
) -> None:
    url = shared_rabbitmq.node.url
    app = client(url)
    app.conf.task_queues = [Queue(queue, queue_arguments={"x-queue-type": kind})]
    for _ in range(5):
        app.send_task("app.add", queue=queue)
    plain = open_depths(app=app)
    informed = open_depths(app=app, broker_api=shared_rabbitmq.api_url)
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        channel.basic_qos(0, 2, False)
        channel.basic_consume(queue, callback=None)
        eventually(lambda: plain.read([queue]) == [QueueDepth(queue, 3, 1)])
        # The plugin counts every five seconds.
        eventually(lambda: reads(informed, queue) == QueueDepth(queue, 3, 1, unacknowledged=2))
    plain.close()
    informed.close()
    app.close()


def test_a_queue_that_rabbitmq_does_not_know_is_no_empty_queue(rabbitmq: str, queue: str) -> None:
    app = client(rabbitmq)
    app.send_task("app.add", queue=queue)
    depths = open_depths(app=app)
    for _ in range(2):  # the channel is closed by it, and made again
        missing, known, missing_too = depths.read(["nosuch-1", queue, "nosuch-2"])
        assert (missing.messages, missing_too.messages) == (None, None)
        assert missing.error == "there is no such queue"
        assert known == QueueDepth(queue, 1, 0)
    depths.close()
    app.close()


def test_a_queue_that_is_anothers_alone_is_told_by_the_management_api(
    shared_rabbitmq: SharedRabbit, queue: str
) -> None:
    url = shared_rabbitmq.node.url
    app = client(url)
    with Connection(url) as connection:
        Queue(queue, exclusive=True)(connection.default_channel).declare()
        plain = open_depths(app=app)
        (locked,) = plain.read([queue])
        plain.close()
        assert locked.messages is None
        assert "exclusive" in str(locked.error)
        informed = open_depths(app=app, broker_api=shared_rabbitmq.api_url)
        (told,) = informed.read([queue])
        informed.close()
    # The plugin may not have counted yet: then it is unknown, and still no zero.
    assert told.messages in (None, 0)
    assert told.consumers in (None, 0)
    app.close()


def test_rabbitmq_that_is_down_is_an_error() -> None:
    app = client("amqp://guest:topsecret@127.0.0.1:1//")
    depths = open_depths(app=app)
    with pytest.raises(BrokerUnreachable) as told:
        depths.read(["q"])
    assert "topsecret" not in str(told.value)
    depths.close()
