"""A look at waiting messages in real brokers: what is told, and that nothing is touched."""

from __future__ import annotations

import json
import pickle
import re
import time
import tracemalloc
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import redis
from celery import Celery
from kombu import Connection, Queue

from celeryscope.broker.open import open_looks
from celeryscope.errors import BrokerUnreachable, NotFound, NotPossible
from celeryscope.model.message import Message, Page
from tests.conftest import SharedRabbit, running_redis
from tests.integration.watching import console


def client(url: str, **options: object) -> Celery:
    app = Celery("messages", broker=url, set_as_current=False)
    app.conf.broker_transport_options = options
    return app


def mask(text: str) -> str:
    return re.sub("card-[0-9]+", "***", text)


def look(
    app: Celery,
    queue: str,
    offset: int = 0,
    limit: int = 100,
    *,
    broker_api: str | None = None,
    put_back: bool = False,
) -> Page:
    return open_looks(app=app, broker_api=broker_api, mask=mask).read(
        queue, offset=offset, limit=limit, put_back=put_back
    )


def drain(app: Celery, queue: str) -> list[str]:
    """Take everything as a worker does; give the ids of the tasks in that order."""
    taken = []
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        while (message := channel.basic_get(queue)) is not None:
            taken.append(str(message.headers["id"]))
            channel.basic_ack(message.delivery_tag)
    return taken


def ids(page: Page) -> list[str | None]:
    return [message.uuid for message in page.messages]


def lists(server: Any) -> dict[Any, Any]:
    """Everything that Redis keeps in lists and of what workers hold."""
    kept = {}
    for key in server.keys("*"):
        if server.type(key) == b"list":
            kept[key] = server.lrange(key, 0, -1)
        elif b"unacked" in key:
            kept[key] = server.dump(key)
    return kept


# ---------------------------------------------------------------------- Redis


@pytest.fixture
def server(redis_server: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_server) as connected:
        yield connected


@pytest.fixture(params=["scripts", "no scripts"])
def either_way(request: pytest.FixtureRequest, server: Any) -> None:
    """Once as usual, once with a Redis that allows no scripts."""
    if request.param == "no scripts":
        server.execute_command("ACL", "SETUSER", "default", "-@scripting")


@pytest.mark.usefixtures("either_way")
def test_a_task_in_redis_is_told(redis_server: str, server: Any) -> None:
    app = client(redis_server)
    app.send_task(
        "app.pay", ["card-4711"], {"sum": 3}, queue="q", task_id="a", root_id="r", parent_id="p",
        priority=2, countdown=60, retries=1, headers={"tenant": "t1", "api_key": "k"},
    )  # fmt: skip
    before = lists(server)
    (told,) = look(app, "q").messages
    assert lists(server) == before
    (kept,) = server.lrange("q", 0, -1)
    assert (told.position, told.size_bytes) == (0, len(kept))
    assert (told.uuid, told.name, told.root_id, told.parent_id) == ("a", "app.pay", "r", "p")
    assert (told.args, told.kwargs) == ("['***']", "{'sum': 3}")
    assert (told.priority, told.retries, told.redelivered) == (2, 1, False)
    assert told.eta is not None
    assert told.eta.startswith("20")
    assert told.origin is not None
    assert told.content_type == "application/json"
    assert told.headers["tenant"] == "t1"
    assert "api_key" not in told.headers or told.headers["api_key"] == "***"
    assert told.problem is None
    app.close()


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sep": ":", "priority_steps": [0, 5]},
        {"global_keyprefix": "mine:", "queue_order_strategy": "priority"},
        {"priority_steps": list(range(10))},
    ],
    ids=str,
)
def test_redis_messages_come_in_the_order_in_which_they_are_taken(
    redis_server: str, server: Any, options: dict[str, object]
) -> None:
    app = client(redis_server, **options)
    for i in range(40):
        app.send_task("app.pay", queue="q", task_id=str(i), priority=i * 7 % 10)
    before = lists(server)
    whole = look(app, "q")
    assert whole.total == 40
    assert [message.position for message in whole.messages] == list(range(40))
    pages = [look(app, "q", offset, 7) for offset in range(0, 50, 7)]
    assert [page.total for page in pages] == [40] * 8
    assert [uuid for page in pages for uuid in ids(page)] == ids(whole)
    assert all(page.notes == [] for page in pages)
    assert look(app, "q", 5, 1).messages[0] == whole.messages[5]
    assert lists(server) == before
    assert drain(app, "q") == ids(whole)
    app.close()


@pytest.mark.usefixtures("either_way")
def test_garbage_in_redis_leaves_the_rest_readable(redis_server: str, server: Any) -> None:
    app = client(redis_server)
    garbage = [
        b"", b"no JSON", b"\xff\x00", b"[" * 100_000, b"{}", b"7", b'"text"',
        b'{"body": "' + b"A" * 200_000, b"x" * 70_000, pickle.dumps({"a": 1}),
        b'{"body": 1, "headers": {"task": {}}, "properties": [], "content-type": 3}',
    ]  # fmt: skip
    app.send_task("app.pay", queue="q", task_id="first")
    server.lpush("q", *garbage)
    app.send_task("app.pay", ["x" * 300_000], queue="q", task_id="large")
    app.send_task("app.pay", queue="q", task_id="last", serializer="pickle")
    before = lists(server)
    page = look(app, "q")
    assert lists(server) == before
    assert page.total == len(page.messages) == len(garbage) + 3
    first, *odd, large, last = page.messages
    assert (first.uuid, large.uuid, last.uuid) == ("first", "large", "last")
    assert [message.size_bytes for message in odd] == [len(item) for item in garbage]
    assert all(message.name is None and message.problem for message in odd)
    assert large.size_bytes > 300_000
    assert large.name == "app.pay"
    assert len(large.args or "") <= 1001
    assert last.content_type == "application/x-python-serialize"
    assert (last.args, last.problem) == ("()", None)
    app.close()


class Bomb:
    """Unpickled it would fail the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("somebody unpickled it",)


def test_nothing_is_unpickled(redis_server: str, server: Any) -> None:
    app = client(redis_server)
    server.lpush(
        "q",
        json.dumps(
            {
                "body": pickle.dumps(Bomb(), 0).decode(),
                "content-type": "application/x-python-serialize",
                "headers": {"task": "app.pay", "id": "a"},
                "properties": {},
            }
        ),
    )
    (told,) = look(app, "q").messages
    assert (told.name, told.args) == ("app.pay", None)
    assert told.problem == "Its body (application/x-python-serialize) is not decoded."
    app.close()


def test_a_huge_message_in_redis_is_never_fetched(redis_server: str, server: Any) -> None:
    app = client(redis_server)
    app.send_task("app.pay", queue="q", task_id="first")
    app.send_task("app.pay", ["x" * 30_000_000], queue="q", task_id="huge")
    server.lpush("q", b"x" * 50_000_000)
    app.send_task("app.pay", queue="q", task_id="last")
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        page = look(app, "q")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most - before < 5_000_000
    # Redis stands still while it looks: it goes no further than a page of 64 MB.
    assert ids(page) == ["first", "huge", None]
    assert page.total == 4
    assert page.notes == ["The page ends early, because its messages are very large."]
    assert page.messages[1].size_bytes > 40_000_000
    assert page.messages[2].problem == "It is too large to look into."
    assert ids(look(app, "q", 3)) == ["last"]
    # Without scripts they would all come over.
    server.execute_command("ACL", "SETUSER", "default", "-@scripting")
    with pytest.raises(NotPossible, match="allows no scripts") as told:
        look(app, "q")
    assert "eval" in told.value.hint
    app.close()


def test_a_redis_that_tells_no_sizes_either_is_not_looked_into(
    redis_server: str, server: Any
) -> None:
    app = client(redis_server)
    app.send_task("app.pay", queue="q")
    server.execute_command("ACL", "SETUSER", "default", "-@scripting", "-memory")
    with pytest.raises(NotPossible, match="allows no scripts"):
        look(app, "q")
    app.close()


def test_a_message_that_came_back_to_redis_says_so_and_is_the_next(redis_server: str) -> None:
    app = client(redis_server)
    for i in range(3):
        app.send_task("app.pay", queue="q", task_id=str(i))
    with app.connection_for_read() as connection:
        message = connection.default_channel.basic_get("q")
        assert ids(look(app, "q")) == ["1", "2"]
        message.channel.qos.restore_unacked()
    page = look(app, "q")
    assert ids(page) == ["0", "1", "2"]
    assert [message.redelivered for message in page.messages] == [True, False, False]
    app.close()


def test_a_page_of_an_empty_redis_queue_is_empty(redis_server: str, server: Any) -> None:
    app = client(redis_server)
    assert look(app, "q") == Page(total=0, messages=[])
    server.set("text", "x")
    with pytest.raises(NotPossible, match="'text' is no queue"):
        look(app, "text")
    app.close()


def test_the_connection_of_a_look_is_closed(redis_server: str, server: Any) -> None:
    app = client(redis_server)
    app.send_task("app.pay", queue="q")
    app.close()
    before = len(server.client_list())
    for _ in range(5):
        look(app, "q")
    deadline = time.monotonic() + 5
    while len(server.client_list()) > before:
        assert time.monotonic() < deadline, server.client_list()
        time.sleep(0.05)


@pytest.mark.parametrize("url", ["redis://:topsecret@127.0.0.1:1/0", "sentinel://127.0.0.1:1/0"])
def test_a_broker_that_is_away_is_said_to_be(url: str) -> None:
    app = client(url, master_name="mymaster")
    with pytest.raises(BrokerUnreachable) as told:
        look(app, "q")
    assert "topsecret" not in str(told.value)


def test_other_transports_do_not_let_one_look() -> None:
    with pytest.raises(NotPossible, match="does not let one look"):
        look(client("memory://"), "q")


# ---------------------------------------------------------------------- RabbitMQ


@pytest.fixture
def queue() -> str:
    """A queue that only this test uses."""
    return f"look/{uuid.uuid4().hex[:8]}"


def rabbit(shared: SharedRabbit, queue: str, **arguments: object) -> Celery:
    app = client(shared.node.url)
    app.conf.task_queues = [
        Queue(queue, queue_arguments={name.replace("_", "-"): v for name, v in arguments.items()})
    ]
    return app


def test_rabbitmq_gives_messages_and_has_them_back_in_their_places(
    shared_rabbitmq: SharedRabbit, queue: str
) -> None:
    app = rabbit(shared_rabbitmq, queue)
    for i in range(12):
        app.send_task(
            "app.pay", ["card-4711"], {"i": i}, queue=queue, task_id=str(i), headers={"tenant": "t"}
        )
    api: dict[str, Any] = {"broker_api": shared_rabbitmq.api_url, "put_back": True}
    page = look(app, queue, 2, 5, **api)
    assert (page.total, ids(page)) == (12, ["2", "3", "4", "5", "6"])
    assert [message.position for message in page.messages] == [2, 3, 4, 5, 6]
    assert [note.partition(" for a moment")[0] for note in page.notes] == [
        "The messages were taken out"
    ]
    told: Message = page.messages[0]
    assert (told.name, told.args, told.kwargs) == ("app.pay", "['***']", "{'i': 2}")
    assert (told.eta, told.expires, told.retries, told.priority) == (None, None, 0, 0)
    assert (told.root_id, told.parent_id, told.redelivered) == ("2", None, False)
    assert (told.content_type, told.problem) == ("application/json", None)
    assert told.size_bytes > 50
    again = look(app, queue, **api)
    assert ids(again) == [str(i) for i in range(12)]
    # Those of the first look and those it passed by.
    assert [message.redelivered for message in again.messages] == [True] * 7 + [False] * 5
    assert drain(app, queue) == [str(i) for i in range(12)]
    assert look(app, queue, **api) == Page(total=0, messages=[])
    app.close()


def test_rabbitmq_is_not_disturbed_unless_that_is_allowed(
    shared_rabbitmq: SharedRabbit, queue: str
) -> None:
    app = rabbit(shared_rabbitmq, queue)
    app.send_task("app.pay", queue=queue, task_id="a")
    with pytest.raises(NotPossible, match="taking it out") as told:
        look(app, queue, broker_api=shared_rabbitmq.api_url)
    assert "POST" in told.value.hint
    with pytest.raises(NotPossible, match="management API") as told:
        look(app, queue, put_back=True)
    assert "broker_api" in told.value.hint
    with app.connection_for_read() as connection:
        message = connection.default_channel.basic_get(queue)
        assert not message.delivery_info["redelivered"]
    app.close()


@pytest.mark.parametrize("kind", ["quorum", "stream"])
def test_a_queue_that_a_look_would_disturb_is_left_alone(
    shared_rabbitmq: SharedRabbit, queue: str, kind: str
) -> None:
    app = rabbit(shared_rabbitmq, queue, x_queue_type=kind)
    for i in range(5):
        app.send_task("app.pay", queue=queue, task_id=str(i))
    for _ in range(3):
        with pytest.raises(NotPossible, match=f"type '{kind}'"):
            look(app, queue, broker_api=shared_rabbitmq.api_url, put_back=True)
    if kind == "quorum":
        assert drain(app, queue) == [str(i) for i in range(5)]
    app.close()


def test_garbage_in_rabbitmq_leaves_the_rest_readable(
    shared_rabbitmq: SharedRabbit, queue: str
) -> None:
    app = rabbit(shared_rabbitmq, queue)
    app.send_task("app.pay", queue=queue, task_id="first")
    with Connection(shared_rabbitmq.node.url) as connection:
        producer = connection.Producer()
        for body in (b"\xff\xfe", b"x" * 5_000_000, b"[" * 10_000):
            producer.publish(
                body, routing_key=queue, content_type="application/json", content_encoding="binary"
            )
        producer.publish(pickle.dumps(Bomb()), routing_key=queue, serializer=None,
                         content_type="application/x-python-serialize",
                         content_encoding="binary")  # fmt: skip
    app.send_task("app.pay", ["x" * 300_000], queue=queue, task_id="large")
    page = look(app, queue, broker_api=shared_rabbitmq.api_url, put_back=True)
    assert page.total == 6
    first, *odd, large = page.messages
    assert (first.uuid, large.uuid, large.name) == ("first", "large", "app.pay")
    assert [message.problem for message in odd] == [
        "Its body is not the JSON that it says to be.",
        "Its body is too large to look into.",
        "Its body is not the JSON that it says to be.",
        "Its body (application/x-python-serialize) is not decoded.",
    ]
    assert odd[1].size_bytes == 5_000_000
    assert large.size_bytes > 300_000
    app.close()


def test_only_the_head_of_a_rabbitmq_queue_can_be_seen(
    shared_rabbitmq: SharedRabbit, queue: str
) -> None:
    app = rabbit(shared_rabbitmq, queue)
    for i in range(105):
        app.send_task("app.pay", queue=queue, task_id=str(i))
    api: dict[str, Any] = {"broker_api": shared_rabbitmq.api_url, "put_back": True}
    page = look(app, queue, 95, 10, **api)
    assert (page.total, ids(page)) == (105, ["95", "96", "97", "98", "99"])
    assert page.notes[-1] == "With RabbitMQ one can look at the first 100 messages only."
    with pytest.raises(NotPossible, match="first 100"):
        look(app, queue, 100, 10, **api)
    app.close()


def test_a_queue_that_rabbitmq_does_not_let_one_read_is_told_as_such(
    shared_rabbitmq: SharedRabbit, queue: str
) -> None:
    app = client(shared_rabbitmq.node.url)
    api: dict[str, Any] = {"broker_api": shared_rabbitmq.api_url, "put_back": True}
    with pytest.raises(NotFound, match=queue):
        look(app, queue, **api)
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1/"):
        look(app, queue, broker_api="http://guest:topsecret@127.0.0.1:1/api/", put_back=True)
    with app.connection_for_read() as connection:
        Queue(queue, exclusive=True)(connection.default_channel).declare()
        with pytest.raises(NotPossible, match="RESOURCE_LOCKED"):
            look(app, queue, **api)
    app.close()


# ---------------------------------------------------------------------- through the API


def test_the_api_looks_into_redis_and_says_when_it_is_away(tmp_path: Path) -> None:
    with (
        running_redis(tmp_path) as url,
        console(url, tmp_path, "--mask", "card-[0-9]+") as ours,
    ):
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        app = client(url)
        app.conf.task_send_sent_event = True
        for i in range(3):
            app.send_task("app.pay", ["card-4711"], queue="a/b", task_id=str(i))
        app.close()
        ours.until("/api/v1/queues", lambda told: is_read(told, "a/b"))
        told = ours.get("/api/v1/queues/a%2Fb/messages?offset=1&limit=5")
        assert (told["queue"], told["total"], told["offset"]) == ("a/b", 3, 1)
        assert [message["uuid"] for message in told["messages"]] == ["1", "2"]
        first = told["messages"][0]
        assert (first["position"], first["name"], first["args"]) == (1, "app.pay", "['***']")
        assert abs(first["sent"] - time.time()) < 60
        assert 0 <= first["age_seconds"] < 60
        (row,) = ours.get("/api/v1/queues")["queues"]
        assert (row["messages"], row["unacknowledged"]) == (3, 0)
        metrics = ours.text("/metrics")
        assert 'celeryscope_queue_unacknowledged{queue="a/b"} 0' in metrics
        assert ours.get("/api/v1/queues/unacked/messages")["error"]["code"] == "not_found"
        with redis.Redis.from_url(url) as server:
            assert server.llen("a/b") == 3
            server.shutdown(nosave=True)
        refused = ours.get("/api/v1/queues/a%2Fb/messages")["error"]
        assert refused["code"] == "unavailable"
        assert "refused" in refused["message"].lower()


def is_read(told: dict[str, Any], queue: str) -> bool:
    return any(q["name"] == queue and q["messages"] == 3 for q in told["queues"])


def test_the_api_looks_into_rabbitmq_when_it_may_put_back(
    shared_rabbitmq: SharedRabbit, queue: str, tmp_path: Path
) -> None:
    app = rabbit(shared_rabbitmq, queue)
    for i in range(3):
        app.send_task("app.pay", queue=queue, task_id=str(i))
    options = ["--broker-api", shared_rabbitmq.api_url, "--queues", queue]
    path = f"/api/v1/queues/{quote(queue, safe='')}/messages"
    with console(shared_rabbitmq.node.url, tmp_path, *options) as ours:
        ours.until("/api/v1/queues", lambda told: is_read(told, queue))
        refused = ours.get(path)["error"]
        assert refused["code"] == "not_possible"
        assert "POST" in refused["hint"]
        told = httpx.post(ours.url + path, json={}, timeout=20).json()
        assert [message["uuid"] for message in told["messages"]] == ["0", "1", "2"]
        assert (told["total"], len(told["notes"])) == (3, 1)
    assert drain(app, queue) == ["0", "1", "2"]
    app.close()
