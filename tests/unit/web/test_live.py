"""The live stream."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import Message

from celeryscope.errors import Unavailable
from celeryscope.web.api.console import LiveFrame, LiveHello, LiveQuery, Overview
from celeryscope.web.live import MOST_ROWS, Hub
from tests.unit.web.standins import NOW, WORKER, Cluster, heartbeat, life, serving

pytestmark = pytest.mark.anyio

TICK = 0.02


class Page:
    """A browser's end of a stream, in memory. It reads unless it was told to `pause`."""

    def __init__(self, *, encoding: str = "identity") -> None:
        self.encoding = encoding
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw: list[bytes] = []
        self.ended = False
        self.aborted = False
        self.gone = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()
        self._new = asyncio.Event()
        self._asked = False

    def pause(self) -> None:
        self._reads.clear()

    def resume(self) -> None:
        self._reads.set()

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self._reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        self.raw.append(message.get("body", b""))
        self.ended = not message.get("more_body", False)
        self._new.set()

    def events(self) -> list[tuple[str, Any]]:
        """Everything read so far, as (event, data)."""
        body = b"".join(self.raw)
        if self.headers.get("content-encoding") == "gzip":
            body = zlib.decompressobj(31).decompress(body)
        return parse(body)

    def frames(self) -> list[Any]:
        return [data for kind, data in self.events() if kind == "frame"]

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not enough():
                self._new.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._new.wait(), TICK)


def parse(body: bytes) -> list[tuple[str, Any]]:
    kinds: dict[str, Any] = {"hello": LiveHello, "frame": LiveFrame}
    told = []
    for block in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = msgspec.json.decode(fields["data"], type=kinds[fields["event"]])
        told.append((fields["event"], data))
    return told


@contextlib.asynccontextmanager
async def streaming(
    hub: Hub, topics: str = "overview", *, hidden: bool = False, encoding: str = "identity"
) -> AsyncIterator[Page]:
    page = Page(encoding=encoding)
    scope = {
        "type": "http",
        "method": "GET",
        "headers": [(b"accept-encoding", encoding.encode())],
        "celeryscope.abort": lambda: setattr(page, "aborted", True),
    }
    stream = hub.open(LiveQuery(topics=topics, hidden=1 if hidden else 0))
    task = asyncio.create_task(stream(scope, page.receive, page.send))
    try:
        yield page
    finally:
        page.resume()
        page.gone.set()
        await asyncio.wait_for(task, 5)


def make_hub(cluster: Cluster, **options: Any) -> Hub:
    return Hub(cluster.services, tick_seconds=TICK, **options)


async def test_a_stream_begins_with_hello_and_everything(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("a"), *life("b", 1)])
    async with streaming(make_hub(cluster), "overview,workers,tasks") as page:
        await page.until(lambda: len(page.frames()) == 1)
        (kind, hello), (_, frame) = page.events()
        assert (kind, hello.version, hello.now) == ("hello", "9.9.9", NOW)
        every = {name for name in Overview.__struct_fields__ if name != "now"}
        assert set(msgspec.json.decode(msgspec.json.encode(frame.overview))) == every
        assert [row.hostname for row in frame.workers.set] == [WORKER]
        assert [row.uuid for row in frame.tasks.rows] == ["b", "a"]
        assert (frame.tasks.total, frame.tasks.changed) == (2, 0)
        assert b"".join(page.raw).startswith(b"retry: 2000\n")
        assert page.headers["x-accel-buffering"] == "no"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["content-type"] == "text/event-stream"


async def test_a_later_frame_carries_only_what_changed(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("a")])
    async with streaming(make_hub(cluster), "overview,workers,tasks") as page:
        await page.until(lambda: len(page.frames()) == 1)
        cluster.feed(life("b", 2, worker="celery@web2"))
        await page.until(lambda: len(page.frames()) == 2)
        frame = page.frames()[1]
        assert [row.uuid for row in frame.tasks.rows] == ["b"]
        assert frame.tasks.changed == 4
        assert [row.hostname for row in frame.workers.set] == ["celery@web2"]
        changed = msgspec.json.decode(msgspec.json.encode(frame.overview))
        assert {"totals", "states", "workers"} <= set(changed)
        assert "broker" not in changed
        assert "queues" not in changed


async def test_only_the_topics_asked_for_are_told(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("a")])
    async with streaming(make_hub(cluster), "tasks") as page:
        await page.until(lambda: len(page.frames()) == 1)
        frame = page.frames()[0]
        assert frame.overview is msgspec.UNSET
        assert frame.workers is msgspec.UNSET
        assert frame.tasks is not msgspec.UNSET


async def test_a_worker_that_is_let_go_is_told_as_gone(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), heartbeat(hostname="celery@web2")])
    async with streaming(make_hub(cluster), "workers") as page:
        await page.until(lambda: len(page.frames()) == 1)
        with cluster.state.lock:
            cluster.state.forget_worker("celery@web2")
        await page.until(lambda: len(page.frames()) == 2)
        assert page.frames()[1].workers.gone == ["celery@web2"]
        cluster.feed([heartbeat(9.5, hostname="celery@web2")])
        await page.until(lambda: len(page.frames()) == 3)
        assert page.frames()[2].workers.gone == []
        assert [row.hostname for row in page.frames()[2].workers.set] == ["celery@web2"]


async def test_a_worker_that_falls_silent_is_told_without_an_event(cluster: Cluster) -> None:
    cluster.feed([heartbeat()])
    async with streaming(make_hub(cluster), "workers") as page:
        await page.until(lambda: len(page.frames()) == 1)
        cluster.now += 60
        await page.until(lambda: len(page.frames()) == 2)
        (row,) = page.frames()[1].workers.set
        assert row.status == "offline"


async def test_a_flood_of_tasks_is_told_by_its_newest_and_its_number(cluster: Cluster) -> None:
    async with streaming(make_hub(cluster), "tasks") as page:
        await page.until(lambda: len(page.frames()) == 1)
        cluster.feed([event for n in range(500) for event in life(str(n), n / 100)])
        await page.until(lambda: len(page.frames()) == 2)
        frame = page.frames()[1]
        assert [row.uuid for row in frame.tasks.rows] == [
            str(n) for n in range(499, 499 - MOST_ROWS, -1)
        ]
        assert frame.tasks.changed == 2000
        assert frame.tasks.total == 500


async def test_where_nothing_changes_little_is_said(cluster: Cluster) -> None:
    async with streaming(make_hub(cluster)) as page:
        await page.until(lambda: len(page.frames()) == 1)
        await asyncio.sleep(10 * TICK)
        assert len(page.frames()) == 1
        await page.until(lambda: len(page.frames()) == 2)
        assert msgspec.json.decode(msgspec.json.encode(page.frames()[1])) == {"now": NOW}


async def test_a_hidden_page_is_told_seldom(cluster: Cluster) -> None:
    hub = make_hub(cluster, hidden_seconds=0.3)
    async with streaming(hub, "tasks", hidden=True) as hidden, streaming(hub, "tasks") as page:
        for number in range(15):
            cluster.feed(life(str(number), number))
            await asyncio.sleep(1.5 * TICK)
        await page.until(lambda: len(page.frames()) >= 10)
        await hidden.until(lambda: len(hidden.frames()) >= 2)
        assert len(hidden.frames()) <= 3
        assert changes(hidden) > 4


def changes(page: Page) -> int:
    """How many changes of tasks a page was told of."""
    return sum(frame.tasks.changed for frame in page.frames())


async def test_a_slow_reader_gets_fewer_and_larger_frames(cluster: Cluster) -> None:
    hub = make_hub(cluster)
    async with streaming(hub, "tasks") as slow, streaming(hub, "tasks") as fast:
        await slow.until(lambda: len(slow.frames()) == 1)
        await fast.until(lambda: len(fast.frames()) == 1)
        cluster.feed(life("0"))
        await slow.until(lambda: len(slow.frames()) == 2)
        await fast.until(lambda: len(fast.frames()) == 2)
        slow.pause()
        for number in range(1, 10):
            cluster.feed(life(str(number), number))
            await fast.until(lambda number=number: len(fast.frames()) > number + 1)  # type: ignore[misc]
        slow.resume()
        await slow.until(lambda: changes(slow) == changes(fast))
        assert len(slow.frames()) < len(fast.frames())
        seen = {row.uuid for frame in slow.frames() for row in frame.tasks.rows}
        assert seen == {str(number) for number in range(10)}


async def test_a_reader_that_stopped_costs_nothing_and_is_cut_off(cluster: Cluster) -> None:
    looks = 0

    def counted() -> Any:
        nonlocal looks
        looks += 1
        return cluster._broker()

    cluster.services.__dict__["broker"] = counted
    hub = make_hub(cluster, stall_seconds=0.4)
    async with streaming(hub) as page:
        await page.until(lambda: len(page.frames()) == 1)
        page.pause()
        cluster.feed([heartbeat()])
        await asyncio.sleep(5 * TICK)
        before = looks
        for number in range(5):
            cluster.feed(life(str(number), number))
            await asyncio.sleep(2 * TICK)
        assert looks <= before + 1, "nobody looks for a page that does not read"
        await page.until(lambda: page.aborted)
        assert hub.clients == 0


async def test_without_pages_nobody_looks(cluster: Cluster) -> None:
    hub = make_hub(cluster)
    async with streaming(hub) as page:
        await page.until(lambda: len(page.frames()) == 1)
    assert hub.clients == 0
    cluster.services.__dict__["broker"] = None  # it would fail
    await asyncio.sleep(5 * TICK)


async def test_what_is_found_once_serves_all(cluster: Cluster) -> None:
    looks = 0

    def counted() -> Any:
        nonlocal looks
        looks += 1
        return cluster._broker()

    hub = make_hub(cluster)
    async with contextlib.AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(streaming(hub)) for _ in range(20)]
        for page in pages:
            await page.until(lambda page=page: len(page.frames()) == 1)  # type: ignore[misc]
        cluster.services.__dict__["broker"] = counted
        started = time.monotonic()
        await asyncio.sleep(10 * TICK)
        assert looks <= (time.monotonic() - started) / TICK + 1


async def test_a_compressed_stream_can_be_read_frame_by_frame(cluster: Cluster) -> None:
    async with streaming(make_hub(cluster), "tasks", encoding="gzip, br") as page:
        await page.until(lambda: len(page.frames()) == 1)
        assert page.headers["content-encoding"] == "gzip"
        cluster.feed(life("a"))
        await page.until(lambda: len(page.frames()) == 2)
        assert page.frames()[1].tasks.rows[0].uuid == "a"


async def test_a_fault_while_looking_does_not_end_the_stream(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("celeryscope.web.live._FAULT_PAUSE_SECONDS", TICK)
    async with streaming(make_hub(cluster)) as page:
        await page.until(lambda: len(page.frames()) == 1)
        broker = cluster.services.broker
        cluster.services.__dict__["broker"] = None
        await asyncio.sleep(5 * TICK)
        cluster.services.__dict__["broker"] = broker
        cluster.feed(life("a"))
        await page.until(lambda: len(page.frames()) == 2)
    assert "could not look" in caplog.text


async def test_there_is_room_for_so_many_and_no_more(cluster: Cluster) -> None:
    hub = make_hub(cluster, most_clients=1)
    async with streaming(hub) as page:
        await page.until(lambda: len(page.frames()) == 1)
        with pytest.raises(Unavailable, match="no room"):
            hub.open(LiveQuery())


@pytest.mark.parametrize(
    "params",
    [
        {"topics": "weather"}, {"topics": ""}, {"topics": "tasks,"}, {"hidden": "2"},
        {"hidden": "true"}, {"x": "1"}, {"topics": "tasks\n"},
    ],
)  # fmt: skip
async def test_a_bad_question_is_refused(cluster: Cluster, params: dict[str, str]) -> None:
    async with cluster.client() as http:
        answer = await http.get("/api/v1/live", params=params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_argument")


# ---------------------------------------------------------------------- on a real server


def test_a_real_server_streams_and_ends_when_it_is_closed(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("a")])
    app = cluster.app(url_prefix="/scope")
    with serving(app) as url:
        params = {"topics": "overview,workers,tasks", "hidden": "0"}
        with httpx.stream("GET", url + "/scope/api/v1/live", params=params, timeout=5) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.headers["x-content-type-options"] == "nosniff"
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(parse(body)) == 2:
                    cluster.feed(life("b", 1))
                if len(parse(body)) == 3:
                    app.close()
        assert [kind for kind, _ in parse(body)][:3] == ["hello", "frame", "frame"]
        assert httpx.get(url + "/scope/api/v1/live", timeout=5).status_code == 503


def test_a_page_that_goes_away_is_forgotten(cluster: Cluster) -> None:
    hub = make_hub(cluster)
    with serving(cluster.app(hub=hub)) as url:
        with httpx.stream("GET", url + "/api/v1/live", timeout=5) as answer:
            parts = answer.iter_bytes()
            next(parts)
            assert hub.clients == 1
        deadline = time.monotonic() + 5
        while hub.clients and time.monotonic() < deadline:
            time.sleep(0.01)
        assert hub.clients == 0


def test_a_client_that_never_reads_is_cut_off_and_costs_no_memory(cluster: Cluster) -> None:
    cluster.feed([life(str(n), n / 100, args="x" * 4000)[0] for n in range(MOST_ROWS)])
    hub = make_hub(cluster, stall_seconds=1.0)
    with serving(cluster.app(hub=hub)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect((host, int(port)))
            idle.sendall(b"GET /api/v1/live?topics=tasks HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not hub.clients:
                time.sleep(0.01)
            gc.collect()
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            rounds = 0
            deadline = time.monotonic() + 20
            while hub.clients and time.monotonic() < deadline:
                rounds += 1
                for task in list(cluster.state.tasks.values()):
                    cluster.state._recent.append(task)
                    cluster.state.task_changes += 1
                time.sleep(TICK)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert hub.clients == 0, "it was not cut off"
            assert rounds > 20
            assert peak - before < 4_000_000, "a frame is 160 kB, and a few are in flight"
            idle.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                while idle.recv(1 << 20):
                    pass
