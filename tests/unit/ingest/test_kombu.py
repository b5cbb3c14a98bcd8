"""Events through kombu, on its in-memory broker."""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Exchange, Producer
from kombu.transport import memory

from celeryscope.errors import TransportUnsupported
from celeryscope.ingest.kombu import KombuSource, require_events
from celeryscope.ingest.source import RawMessage
from tests.recording import RecordingSink, reading

EVENTS = Exchange("celeryev", type="topic")
LOADED: list[str] = []


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celeryscope.ingest.kombu._WAIT_SECONDS", 0.05)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (LOADED.append, ("loaded",))


@pytest.fixture
def publisher() -> Iterator[Producer]:
    """A producer on a fresh in-memory broker."""
    memory.Transport.global_state.clear()
    memory.Channel.queues.clear()
    with Connection("memory://") as connection, connection.channel() as channel:
        yield Producer(channel, EVENTS, auto_declare=True)


def test_bodies_arrive_as_they_were_sent(publisher: Producer) -> None:
    with reading(KombuSource(broker_url="memory://")) as sink:
        sink.wait(lambda sink: sink.connections)
        publisher.publish([{"type": "task-sent"}], routing_key="task.multi", serializer="json")
        publisher.publish({"type": "x"}, routing_key="worker.heartbeat", serializer="msgpack")
        sink.wait(lambda sink: len(sink.received) == 2)
    first, second = sink.received
    assert first == RawMessage(b'[{"type": "task-sent"}]', "application/json", "utf-8")
    assert (second.content_type, second.content_encoding) == ("application/x-msgpack", "binary")


def test_pickle_is_handed_over_unloaded(publisher: Producer) -> None:
    with reading(KombuSource(broker_url="memory://")) as sink:
        sink.wait(lambda sink: sink.connections)
        publisher.publish(
            pickle.dumps(Bomb()),
            routing_key="task.sent",
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )
        sink.wait(lambda sink: sink.received)
    assert sink.received[0].content_type == "application/x-python-serialize"
    assert LOADED == []


def test_a_body_that_is_too_large_or_cannot_be_opened_is_counted(publisher: Producer) -> None:
    with reading(KombuSource(broker_url="memory://", max_message_bytes=100)) as sink:
        sink.wait(lambda sink: sink.connections)
        publisher.publish({"text": "x" * 200}, routing_key="a")
        publisher.publish(b"nothing zlib knows", routing_key="a", headers={"compression": "zlib"})
        publisher.publish({}, routing_key="a")
        sink.wait(lambda sink: sink.received)
    assert sink.refusals == {"too_large": 1, "envelope": 1}
    assert len(sink.received) == 1


def test_silence_is_idle(publisher: Producer) -> None:
    with reading(KombuSource(broker_url="memory://")) as sink:
        sink.wait(lambda sink: sink.connections and sink.idles)


def test_another_exchange_is_another_stream(publisher: Producer) -> None:
    with reading(KombuSource(broker_url="memory://", event_exchange="other")) as sink:
        sink.wait(lambda sink: sink.connections)
        publisher.publish({}, routing_key="a")
        publisher.publish({"it": 1}, routing_key="a", exchange=Exchange("other", type="topic"))
        sink.wait(lambda sink: sink.received)
    assert [message.body for message in sink.received] == [b'{"it": 1}']


def test_a_broken_connection_is_told_and_made_again(
    publisher: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()
    drain = memory.Transport.drain_events

    def drain_or_break(self: object, connection: object, **options: object) -> object:
        if broken.is_set():
            broken.clear()
            raise ConnectionResetError("the line was cut")
        return drain(self, connection, **options)

    monkeypatch.setattr(memory.Transport, "drain_events", drain_or_break)
    with reading(KombuSource(broker_url="memory://")) as sink:
        sink.wait(lambda sink: sink.connections)
        broken.set()
        sink.wait(lambda sink: sink.connections == 2)
        publisher.publish({}, routing_key="a")
        sink.wait(lambda sink: sink.received)
    assert [what[0] for what in sink.told] == ["connected", "disconnected", "connected"]
    assert "the line was cut" in sink.told[1][1]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("consul://me:secret@localhost", "carries no events"),
        ("etcd://me:secret@localhost", "carries no events"),
        ("zookeeper://me:secret@localhost", "carries no events"),
        ("nosuch://me:secret@localhost", "knows no such transport"),
        ("sqs://me:secret@", "missing or does not work"),
    ],
)
def test_a_broker_without_events_is_told_and_not_tried_again(
    url: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)  # whether it is installed or not
    monkeypatch.delitem(sys.modules, "kombu.transport.SQS", raising=False)
    with reading(KombuSource(broker_url=url)) as sink:
        sink.wait(lambda sink: sink.idles >= 2)
    (what,) = sink.told
    assert what[0] == "disconnected"
    assert told in what[1]
    assert what[2]
    assert "secret" not in repr(sink.told)


def test_sqs_carries_no_topics_even_with_fanout_switched_on() -> None:
    class Channel:
        @property
        def supports_fanout(self) -> bool:
            return True

    class Transport(memory.Transport):  # type: ignore[misc]
        driver_type = "sqs"

    Transport.Channel = Channel
    connection = Connection(transport=Transport)
    with pytest.raises(TransportUnsupported):
        require_events(connection, where="sqs://")


def test_it_ends_when_asked_though_nothing_listens() -> None:
    source = KombuSource(broker_url="redis://127.0.0.1:1/0", connect_timeout_seconds=1)
    sink: RecordingSink
    with reading(source) as sink:
        sink.wait(lambda sink: sink.told)
    assert sink.told[0][0] == "disconnected"
    assert "refused" in sink.told[0][1]
