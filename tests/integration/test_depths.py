"""Queue depths of real brokers."""

from __future__ import annotations

import ssl
import uuid
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu import Connection, Queue

from celeryscope.broker.base import QueueDepth
from celeryscope.broker.open import open_depths
from celeryscope.broker.rabbitmq import RabbitDepths
from celeryscope.broker.redis import RedisDepths
from celeryscope.errors import BrokerRefused, BrokerUnreachable
from tests.conftest import Certificates, SharedRabbit, free_port, running_redis


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
        QueueDepth("mixed", 7),
        QueueDepth("plain", 1),
        QueueDepth("empty", 0),  # Redis keeps no empty lists: no key is no message
    ]
    depths.close()
    app.close()


@pytest.mark.parametrize(
    "options",
    [
        {"sep": ":"},
        {"queue_order_strategy": "priority", "priority_steps": list(range(10))},
        {"global_keyprefix": "mine:"},
        {"global_keyprefix": "mine:", "sep": ":", "priority_steps": [0, 5]},
    ],
    ids=str,
)
def test_redis_names_the_lists_as_the_workers_do(
    redis_server: str, options: dict[str, object]
) -> None:
    app = client(redis_server, **options)
    for priority in range(10):
        app.send_task("app.add", queue="q", priority=priority)
    depths = open_depths(app=app)
    assert depths.read(["q"]) == [QueueDepth("q", 10)]
    depths.close()
    app.close()


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
        assert depths.read(["q"]) == [QueueDepth("q", 1)]
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
