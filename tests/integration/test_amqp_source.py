"""Events from a real RabbitMQ."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from benchmarks.amqp_publish import connect, publish_frames
from celeryscope.ingest.amqp import AmqpSource
from tests.conftest import Certificates, SharedRabbit
from tests.recording import RecordingSink, eventually, reading


@pytest.fixture
def exchange() -> str:
    """An event exchange that only this test uses."""
    return f"events-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def app(rabbitmq: str, exchange: str) -> Iterator[Celery]:
    with Celery("sender", broker=rabbitmq, set_as_current=False) as app:
        app.conf.event_exchange = exchange
        yield app


def send(app: Celery, count: int = 1, **fields: Any) -> None:
    """Send events with Celery's own dispatcher."""
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="w1@test")
        for number in range(count):
            dispatcher.send("task-sent", uuid=str(number), **fields)
        dispatcher.close()


def test_celerys_own_events_arrive(app: Celery, rabbitmq: str, exchange: str) -> None:
    with reading(AmqpSource(broker_url=rabbitmq, event_exchange=exchange)) as sink:
        sink.wait(lambda sink: sink.connections)
        send(app, 3, text="x" * 300_000)  # more than one frame
        sink.wait(lambda sink: len(sink.received) == 3)
    assert [event["uuid"] for event in sink.events] == ["0", "1", "2"]
    assert {message.content_type for message in sink.received} == {"application/json"}
    assert {message.content_encoding for message in sink.received} == {"utf-8"}


def test_ten_thousand_messages_arrive_one_and_all(rabbitmq: str, exchange: str) -> None:
    with reading(AmqpSource(broker_url=rabbitmq, event_exchange=exchange)) as sink:
        sink.wait(lambda sink: sink.connections)
        connection = connect(rabbitmq, exchange=exchange)
        sock = connection.transport.sock
        sock.settimeout(30)
        for start in range(0, 10_000, 100):
            frames = [
                publish_frames(
                    b'{"type": "task-sent", "n": %d}' % number,
                    exchange=exchange,
                    routing_key="task.sent",
                    hostname="w1@test",
                )
                for number in range(start, start + 100)
            ]
            sock.sendall(b"".join(frames))
        connection.close()
        sink.wait(lambda sink: len(sink.received) == 10_000)
    assert [event["n"] for event in sink.events] == list(range(10_000))


def test_the_queue_is_as_celery_declares_it_and_goes_with_us(
    shared_rabbitmq: SharedRabbit, exchange: str
) -> None:
    node = shared_rabbitmq.node
    prefix = f"watch-{exchange}"
    source = AmqpSource(
        broker_url=node.url,
        event_exchange=exchange,
        event_queue_prefix=prefix,
        event_queue_ttl_seconds=7,
        event_queue_expires_seconds=33,
    )

    def queues() -> list[str]:
        listed = node.ctl("list_queues", "name", "auto_delete", "durable", "exclusive", "arguments")
        return [line for line in listed.splitlines() if line.startswith(prefix)]

    with reading(source) as sink:
        sink.wait(lambda sink: sink.connections)
        (queue,) = queues()
        assert '{"x-message-ttl",7000}' in queue
        assert '{"x-expires",33000}' in queue
        assert queue.split("\t")[1:4] == ["true", "false", "true"]
        bindings = node.ctl("list_bindings", "source_name", "destination_name", "routing_key")
        assert f"{exchange}\t{queue.split()[0]}\t#" in bindings
        exchanges = node.ctl("list_exchanges", "name", "type", "durable", "auto_delete")
        assert f"{exchange}\ttopic\ttrue\tfalse" in exchanges
    assert queues() == []


def test_a_durable_queue_keeps_what_came_while_we_were_away(
    app: Celery, rabbitmq: str, exchange: str
) -> None:
    source = AmqpSource(
        broker_url=rabbitmq,
        event_exchange=exchange,
        event_queue_durable=True,
        event_queue_ttl_seconds=30,
    )
    with reading(source) as sink:
        sink.wait(lambda sink: sink.connections)
    send(app, 2)
    with reading(source) as sink:
        sink.wait(lambda sink: len(sink.received) == 2)


def test_a_broker_restart_is_a_gap_and_then_events_arrive_again(
    app: Celery, shared_rabbitmq: SharedRabbit, exchange: str
) -> None:
    node = shared_rabbitmq.node
    with reading(AmqpSource(broker_url=node.url, event_exchange=exchange)) as sink:
        sink.wait(lambda sink: sink.connections)
        send(app, 2)
        sink.wait(lambda sink: len(sink.received) == 2)
        node.ctl("stop_app")
        sink.wait(lambda sink: sink.told[-1][0] == "disconnected")
        node.ctl("start_app")
        sink.wait(lambda sink: sink.connections == 2)
        send(app, 3)
        sink.wait(lambda sink: len(sink.received) == 5)
    assert "CONNECTION_FORCED" in sink.told[1][1]
    assert [what[0] for what in sink.told][:2] == ["connected", "disconnected"]


def test_a_queue_that_is_taken_away_is_made_again(
    app: Celery, shared_rabbitmq: SharedRabbit, exchange: str
) -> None:
    node = shared_rabbitmq.node
    prefix = f"watch-{exchange}"
    source = AmqpSource(
        broker_url=node.url,
        event_exchange=exchange,
        event_queue_prefix=prefix,
        event_queue_exclusive=False,
    )
    with reading(source) as sink:
        sink.wait(lambda sink: sink.connections)
        listed = node.ctl("list_queues", "name").splitlines()
        node.ctl("delete_queue", next(name for name in listed if name.startswith(prefix)))
        sink.wait(lambda sink: sink.connections == 2)
        send(app)
        sink.wait(lambda sink: sink.received)
    assert "took our queue away" in sink.told[1][1]


def first_trouble(source: AmqpSource) -> tuple[str, str]:
    with reading(source) as sink:
        sink.wait(lambda sink: sink.told)
    kind, reason, hint = sink.told[0]
    assert kind == "disconnected"
    assert "topsecret" not in reason + hint + source.url
    return reason, hint


def test_tls_is_spoken_and_the_certificate_checked(
    app: Celery, shared_rabbitmq: SharedRabbit, exchange: str, certificates: Certificates
) -> None:
    url = f"amqps://guest:guest@127.0.0.1:{shared_rabbitmq.tls_port}//"
    trusting = AmqpSource(
        broker_url=url,
        event_exchange=exchange,
        tls={"ca_certs": str(certificates.ca), "server_hostname": "localhost"},
    )
    with reading(trusting) as sink:
        sink.wait(lambda sink: sink.told)
        assert sink.connections, sink.told
        send(app, 200, text="x" * 5_000)
        sink.wait(lambda sink: len(sink.received) == 200)
    reason, hint = first_trouble(AmqpSource(broker_url=url, event_exchange=exchange))
    assert "certificate verify failed" in reason
    assert "CA" in hint
    wrong_host = {"ca_certs": str(certificates.ca), "server_hostname": "elsewhere"}
    reason, _ = first_trouble(AmqpSource(broker_url=url, event_exchange=exchange, tls=wrong_host))
    assert "elsewhere" in reason
    plain_port = f"amqps://guest:guest@127.0.0.1:{shared_rabbitmq.node.port}//"
    _, hint = first_trouble(AmqpSource(broker_url=plain_port, event_exchange=exchange))
    assert "TLS" in hint


def test_a_virtual_host_of_its_own(shared_rabbitmq: SharedRabbit, exchange: str) -> None:
    node = shared_rabbitmq.node
    host = f"vhost-{exchange}"
    node.ctl("add_vhost", host)
    node.ctl("set_permissions", "-p", host, "guest", ".*", ".*", ".*")
    url = f"amqp://guest:guest@127.0.0.1:{node.port}/{host}"
    with (
        Celery("sender", broker=url, set_as_current=False) as app,
        reading(AmqpSource(broker_url=url)) as sink,
    ):
        sink.wait(lambda sink: sink.connections)
        send(app)
        sink.wait(lambda sink: sink.received)
    node.ctl("delete_vhost", host)
    reason, hint = first_trouble(AmqpSource(broker_url=url))
    assert f"vhost {host} not found" in reason
    assert "virtual host" in hint


def test_a_wrong_password_is_said_and_not_shown(rabbitmq: str) -> None:
    url = rabbitmq.replace("guest:guest", "guest:topsecret")
    reason, hint = first_trouble(AmqpSource(broker_url=url))
    assert "ACCESS_REFUSED" in reason
    assert "password" in hint


def test_a_user_needs_no_more_than_a_queue_of_its_own(
    app: Celery, shared_rabbitmq: SharedRabbit, exchange: str
) -> None:
    node = shared_rabbitmq.node
    user = f"watcher-{exchange}"
    node.ctl("add_user", user, "topsecret")
    url = f"amqp://{user}:topsecret@127.0.0.1:{node.port}//"
    try:
        reason, _ = first_trouble(AmqpSource(broker_url=url, event_exchange=exchange))
        assert "refused for user" in reason
        node.ctl("set_permissions", user, "^nothing$", ".*", ".*")
        reason, hint = first_trouble(AmqpSource(broker_url=url, event_exchange=exchange))
        assert "(403)" in reason
        assert "permissions" in hint
        send(app)  # declares the exchange
        mine = f"^watch-{exchange}\\..*"
        node.ctl("set_permissions", user, mine, mine, f"{mine}|^{exchange}$")
        source = AmqpSource(
            broker_url=url, event_exchange=exchange, event_queue_prefix=f"watch-{exchange}"
        )
        with reading(source) as sink:
            sink.wait(lambda sink: sink.told)
            assert sink.connections, sink.told
            send(app)
            sink.wait(lambda sink: sink.received)
    finally:
        node.ctl("delete_user", user)


def test_a_broker_that_is_not_there_yet_is_found_when_it_comes(
    app: Celery, rabbitmq: str, exchange: str
) -> None:
    url = f"amqp://guest:guest@127.0.0.1:1//;{rabbitmq}"
    sink: RecordingSink
    with reading(AmqpSource(broker_url=url, event_exchange=exchange)) as sink:
        sink.wait(lambda sink: sink.connections)
        send(app)
        sink.wait(lambda sink: sink.received)
    assert sink.told[0][0] == "disconnected"


def test_it_survives_a_long_silence_with_heartbeats(
    app: Celery, rabbitmq: str, exchange: str
) -> None:
    source = AmqpSource(broker_url=rabbitmq, event_exchange=exchange, heartbeat_seconds=1)
    with reading(source) as sink:
        sink.wait(lambda sink: sink.connections)
        time.sleep(5)  # RabbitMQ would close after two intervals, and so would we
        send(app)
        sink.wait(lambda sink: sink.received)
    eventually(lambda: len(sink.told) == 1, seconds=1)
