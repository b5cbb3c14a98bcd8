"""The live stream."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from random import random
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from starlette.types import Message

from celeryscope.errors import Unavailable
from celeryscope.web.api.console import LiveFrame, LiveHello, LiveQuery, Overview
from celeryscope.web.live import Hub
from celeryscope.web.views import MOST_ROWS, View
from tests.unit.web.standins import (
    NOW,
    WORKER,
    Cluster,
    Inspection,
    heartbeat,
    life,
    serving,
)

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

    def ids(self) -> list[str]:
        """The ids of the frames read so far."""
        lines = b"".join(self.raw).decode().split("\n")
        return [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]

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
    hub: Hub,
    topics: str = "overview",
    *,
    views: Sequence[str] = (),
    hidden: bool = False,
    encoding: str = "identity",
    resume: str = "",
    last_event_id: str = "",
) -> AsyncIterator[Page]:
    page = Page(encoding=encoding)
    scope = {
        "type": "http",
        "method": "GET",
        "headers": [
            (b"accept-encoding", encoding.encode()),
            *([(b"last-event-id", last_event_id.encode())] if last_event_id else []),
        ],
        "celeryscope.abort": lambda: setattr(page, "aborted", True),
    }
    query = LiveQuery(topics=topics, view=list(views), hidden=1 if hidden else 0, resume=resume)
    stream = hub.open(query)
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
    async with streaming(make_hub(cluster), "overview,workers", views=[""]) as page:
        await page.until(lambda: len(page.frames()) == 1)
        (kind, hello), (_, frame) = page.events()
        assert (kind, hello.version, hello.now) == ("hello", "9.9.9", NOW)
        assert hello.grafana_url == frame.overview.grafana_url == "https://grafana.example"
        every = {name for name in Overview.__struct_fields__ if name != "now"}
        assert set(msgspec.json.decode(msgspec.json.encode(frame.overview))) == every
        assert [row.hostname for row in frame.workers.set] == [WORKER]
        assert [row.uuid for row in frame.views[""].rows] == ["b", "a"]
        assert (frame.views[""].total, frame.views[""].changed) == (2, 0)
        assert b"".join(page.raw).startswith(b"retry: 2000\n")
        assert page.headers["x-accel-buffering"] == "no"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["content-type"] == "text/event-stream"


async def test_a_later_frame_carries_only_what_changed(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("a")])
    async with streaming(make_hub(cluster), "overview,workers", views=[""]) as page:
        await page.until(lambda: len(page.frames()) == 1)
        cluster.feed(life("b", 2, worker="celery@web2"))
        await page.until(lambda: len(page.frames()) == 2)
        frame = page.frames()[1]
        assert [row.uuid for row in frame.views[""].rows] == ["b"]
        assert frame.views[""].changed == 4
        assert [row.hostname for row in frame.workers.set] == ["celery@web2"]
        changed = msgspec.json.decode(msgspec.json.encode(frame.overview))
        assert {"totals", "states", "workers"} <= set(changed)
        assert "broker" not in changed
        assert "queues" not in changed


async def test_only_the_topics_asked_for_are_told(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), *life("a")])
    async with streaming(make_hub(cluster), "grid", views=[""]) as page:
        await page.until(lambda: len(page.frames()) == 1)
        frame = page.frames()[0]
        assert frame.overview is msgspec.UNSET
        assert frame.workers is msgspec.UNSET
        assert frame.views[""].total == 1


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
    async with streaming(make_hub(cluster), "grid", views=[""]) as page:
        await page.until(lambda: len(page.frames()) == 1)
        cluster.feed([event for n in range(500) for event in life(str(n), n / 100)])
        await page.until(lambda: len(page.frames()) == 2)
        frame = page.frames()[1]
        assert [row.uuid for row in frame.views[""].rows] == [
            str(n) for n in range(499, 499 - MOST_ROWS, -1)
        ]
        assert frame.views[""].changed == 2000
        assert frame.views[""].total == 500


async def test_where_nothing_changes_little_is_said(cluster: Cluster) -> None:
    async with streaming(make_hub(cluster)) as page:
        await page.until(lambda: len(page.frames()) == 1)
        await asyncio.sleep(10 * TICK)
        assert len(page.frames()) == 1
        await page.until(lambda: len(page.frames()) == 2)
        assert msgspec.json.decode(msgspec.json.encode(page.frames()[1])) == {"now": NOW}


async def test_a_hidden_page_is_told_seldom(cluster: Cluster) -> None:
    hub = make_hub(cluster, hidden_seconds=0.3)
    async with (
        streaming(hub, "grid", views=[""], hidden=True) as hidden,
        streaming(hub, "grid", views=[""]) as page,
    ):
        for number in range(15):
            cluster.feed(life(str(number), number))
            await asyncio.sleep(1.5 * TICK)
        await page.until(lambda: len(page.frames()) >= 10)
        await hidden.until(lambda: len(hidden.frames()) >= 2)
        assert len(hidden.frames()) <= 3
        assert changes(hidden) > 4


def changes(page: Page) -> int:
    """How many changes of tasks a page was told of."""
    return sum(frame.views[""].changed for frame in page.frames())


async def test_a_slow_reader_gets_fewer_and_larger_frames(cluster: Cluster) -> None:
    hub = make_hub(cluster)
    async with (
        streaming(hub, "grid", views=[""]) as slow,
        streaming(hub, "grid", views=[""]) as fast,
    ):
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
        seen = {row.uuid for frame in slow.frames() for row in frame.views[""].rows}
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
    async with streaming(make_hub(cluster), views=[""], encoding="gzip, br") as page:
        await page.until(lambda: len(page.frames()) == 1)
        assert page.headers["content-encoding"] == "gzip"
        cluster.feed(life("a"))
        await page.until(lambda: len(page.frames()) == 2)
        assert page.frames()[1].views[""].rows[0].uuid == "a"


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


# ---------------------------------------------------------------------- views


def rows(page: Page, query: str = "") -> list[str]:
    """The ids of the tasks in a view, as a page has them."""
    known: list[str] = []
    for frame in page.frames():
        part = frame.views.get(query) if frame.views is not msgspec.UNSET else None
        if part is not None:
            without = {row.uuid for row in part.rows} | set(part.gone)
            known = [*(row.uuid for row in part.rows), *(u for u in known if u not in without)]
    return known[:MOST_ROWS]


def last(page: Page, query: str, field: str) -> Any:
    """What a view was told of a field last."""
    told = None
    for frame in page.frames():
        part = frame.views.get(query) if frame.views is not msgspec.UNSET else None
        if part is not None and getattr(part, field) is not msgspec.UNSET:
            told = getattr(part, field)
    return told


async def test_each_view_is_told_what_its_query_matches(cluster: Cluster) -> None:
    cluster.feed([*life("a"), *life("b", 1, state="FAILURE")])
    failed, mail = "state:failure", "name:mail.send"
    async with streaming(make_hub(cluster), views=["", failed, mail]) as page:
        await page.until(lambda: last(page, mail, "total") == 0)
        await page.until(lambda: last(page, failed, "total") == 1)
        cluster.feed([*life("c", 2, state="FAILURE"), *life("d", 3, name="mail.send")])
        await page.until(lambda: "d" in rows(page, mail))
        assert rows(page) == ["d", "c", "b", "a"]
        assert rows(page, failed) == ["c", "b"]
        assert rows(page, mail) == ["d"]


async def test_the_total_and_the_facets_of_a_view_are_counted_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._COUNT_SECONDS", TICK)
    monkeypatch.setattr("celeryscope.web.live._COUNTING_SHARE", 1000)
    failed = "state:failure"
    async with streaming(make_hub(cluster), views=[failed]) as page:
        await page.until(lambda: last(page, failed, "total") == 0)
        cluster.feed([*life("a", state="FAILURE"), *life("b", 1)])
        await page.until(lambda: last(page, failed, "total") == 1)
        await page.until(lambda: len(last(page, failed, "facets").state) == 2)


async def test_counting_takes_its_share_of_the_time_and_no_more(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._COUNT_SECONDS", 0)
    monkeypatch.setattr("celeryscope.web.live._COUNTING_SHARE", 1e-9)
    counted: list[int] = []
    count = View.count

    def noted(view: View, *given: Any) -> Any:
        counted.append(view.number)
        return count(view, *given)

    monkeypatch.setattr(View, "count", noted)
    queries = [f"name:n{n}" for n in range(8)]
    async with streaming(make_hub(cluster), views=queries) as page:
        await page.until(lambda: all(last(page, query, "total") == 0 for query in queries))
        await asyncio.sleep(5 * TICK)
    assert len(counted) == 8, "a new view does not wait; an old one does"


async def test_a_view_is_looked_at_once_for_all_who_follow_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    init = View.__init__

    def counted(view: View, number: int, text: str, **given: Any) -> None:
        made.append(text)
        init(view, number, text, **given)

    monkeypatch.setattr(View, "__init__", counted)
    hub = make_hub(cluster)
    async with contextlib.AsyncExitStack() as stack:
        pages = [
            await stack.enter_async_context(streaming(hub, views=["state:failure"]))
            for _ in range(10)
        ]
        cluster.feed(life("a", state="FAILURE"))
        for page in pages:
            await page.until(lambda page=page: rows(page, "state:failure") == ["a"])  # type: ignore[misc]
    assert made == ["state:failure"]


async def test_a_view_that_nobody_follows_is_let_go(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._VIEW_KEPT_SECONDS", TICK)
    hub = make_hub(cluster)
    async with streaming(hub, views=["state:retry"]) as page:
        await page.until(lambda: last(page, "state:retry", "total") == 0)
    async with streaming(hub, views=[""]) as page:
        await page.until(lambda: len(page.frames()) == 1)
        await asyncio.sleep(5 * TICK)
        cluster.feed(life("a"))
        await page.until(lambda: rows(page) == ["a"])
        assert [text for _, text in hub._views] == [""]


async def test_only_so_many_views_that_nobody_follows_are_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._MOST_VIEWS_KEPT", 2)
    hub = make_hub(cluster)
    for text in ("one", "two", "three", "four"):
        async with streaming(hub, views=[text]) as page:
            await page.until(lambda: len(page.frames()) >= 1)
    assert [text for _, text in hub._views] == ["two", "three", "four"]


async def test_a_slow_look_at_the_views_lets_the_loop_breathe(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._MATCHING_SECONDS", 0)  # everything is slow
    monkeypatch.setattr("celeryscope.web.live._MATCHING_SHARE", 1000)
    queries = [f"name:n{n}" for n in range(4)]
    async with streaming(make_hub(cluster), views=queries) as page:
        await page.until(lambda: all(last(page, query, "total") == 0 for query in queries))
        cluster.feed([event for n in range(4) for event in life(str(n), n, name=f"n{n}")])
        # One in each tick, and each of them gets its turn.
        await page.until(lambda: all(rows(page, f"name:n{n}") == [str(n)] for n in range(4)))


# ---------------------------------------------------------------------- the grid


async def test_the_grid_is_told_in_cells_and_then_what_changed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._GRID_SECONDS", 0)
    stats = {"pool": {"max-concurrency": 8}}
    cluster.inspector.latest = {WORKER: Inspection(WORKER, NOW, stats=stats)}
    cluster.feed([heartbeat(), heartbeat(hostname="celery@web2")])
    async with streaming(make_hub(cluster), "grid") as page:
        await page.until(lambda: len(page.frames()) == 1)
        assert page.frames()[0].grid.set == [
            (WORKER, "online", 0, 8, 0),
            ("celery@web2", "online", 0, None, 0),
        ]
        cluster.feed(life("a", state="STARTED")[:3])
        await page.until(lambda: len(page.frames()) == 2)
        assert page.frames()[1].grid.set == [(WORKER, "online", 1, 8, 0)]
        with cluster.state.lock:
            cluster.state.forget_worker("celery@web2")
        await page.until(lambda: len(page.frames()) == 3)
        assert page.frames()[2].grid.gone == ["celery@web2"]


async def test_of_many_busy_workers_some_are_told_at_a_time_and_each_in_its_turn(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._GRID_SECONDS", 0)
    names = [f"celery@web{n}" for n in range(300)]
    cluster.feed([heartbeat(hostname=name) for name in names])
    async with streaming(make_hub(cluster), "grid") as page:
        await page.until(lambda: len(page.frames()) == 1)
        assert len(page.frames()[0].grid.set) == 300
        told: Counter[str] = Counter()
        number = 0
        while len(told) < 300:
            for name in names:
                number += 1
                cluster.feed(life(f"{number}", worker=name, state="STARTED")[:3])
            before = len(page.frames())
            await page.until(lambda before=before: len(page.frames()) > before)  # type: ignore[misc]
            for frame in page.frames()[before:]:
                assert len(frame.grid.set) <= 100
                told.update(name for name, *_ in frame.grid.set)
        assert max(told.values()) <= 2, "nobody has a third turn before all had one"


# ---------------------------------------------------------------------- going on


PARTS: dict[str, Any] = {"topics": "overview,workers,grid", "views": ["", "state:failure"]}


async def heard(cluster: Cluster, hub: Hub) -> str:
    """Follow everything until all of it is known; give the id to go on with."""
    async with streaming(hub, **PARTS) as page:
        await page.until(lambda: last(page, "state:failure", "total") is not None)
        return page.ids()[-1]


@pytest.mark.parametrize("header", [False, True])
async def test_a_stream_goes_on_where_another_stopped(cluster: Cluster, header: bool) -> None:
    cluster.feed([heartbeat(), *life("a"), *life("b", 1, state="FAILURE")])
    hub = make_hub(cluster)
    mark = await heard(cluster, hub)
    cluster.feed(life("c", 2, state="FAILURE"))
    # The address is that of the first time; the header is of the last frame.
    given: dict[str, Any] = {"last_event_id": mark, "resume": "old"} if header else {"resume": mark}
    async with streaming(hub, **PARTS, **given) as page:
        await page.until(lambda: len(page.frames()) == 1)
        (_, hello), (_, frame) = page.events()
        assert sorted(hello.topics) == ["grid", "overview", "workers"]
        assert hello.views == ["", "state:failure"]
        assert [row.uuid for row in frame.views[""].rows] == ["c"]
        assert frame.views[""].changed == 4
        assert [row.uuid for row in frame.views["state:failure"].rows] == ["c"]
        changed = msgspec.json.decode(msgspec.json.encode(frame.overview))
        assert "totals" in changed
        assert "broker" not in changed
        assert frame.grid is msgspec.UNSET


async def test_what_went_meanwhile_is_told_to_one_that_goes_on(cluster: Cluster) -> None:
    cluster.feed([heartbeat(), heartbeat(hostname="celery@web2")])
    hub = make_hub(cluster)
    mark = await heard(cluster, hub)
    with cluster.state.lock:
        cluster.state.forget_worker("celery@web2")
    async with streaming(hub, **PARTS, resume=mark) as page:
        await page.until(
            lambda: ["celery@web2"] in [f.workers.gone for f in page.frames() if f.workers]
        )
        assert not any(f.workers.set for f in page.frames() if f.workers)


async def test_what_is_new_in_the_question_comes_whole_and_the_rest_goes_on(
    cluster: Cluster,
) -> None:
    cluster.feed([heartbeat(), *life("a"), *life("b", 1, state="FAILURE")])
    hub = make_hub(cluster)
    async with streaming(hub, "overview", views=[""]) as page:
        await page.until(lambda: len(page.frames()) == 1)
        mark = page.ids()[-1]
    async with streaming(hub, **PARTS, resume=mark) as page:
        await page.until(lambda: rows(page, "state:failure") == ["b"])
        (_, hello), (_, frame), *_ = page.events()
        assert (hello.topics, hello.views) == (["overview"], [""])
        assert [row.hostname for row in frame.workers.set] == [WORKER]
        assert len(frame.grid.set) == 1
        assert rows(page) == []


async def test_a_view_that_was_not_told_yet_does_not_go_on(cluster: Cluster) -> None:
    cluster.feed(life("a", state="FAILURE"))
    hub = make_hub(cluster)
    async with streaming(hub, views=["state:failure"]) as page:
        await page.until(lambda: len(page.frames()) == 1)
        mark = page.ids()[0]
        assert page.frames()[0].views is msgspec.UNSET
    async with streaming(hub, views=["state:failure"], resume=mark) as page:
        await page.until(lambda: rows(page, "state:failure") == ["a"])
        assert page.events()[0][1].views == []


async def test_after_a_long_time_everything_is_told_anew(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.web.live._VIEW_KEPT_SECONDS", 0)
    monkeypatch.setattr("celeryscope.web.live._REMEMBER_GONE_SECONDS", 0)
    cluster.feed([heartbeat(), heartbeat(hostname="celery@web2"), *life("a")])
    hub = make_hub(cluster)
    mark = await heard(cluster, hub)
    async with streaming(hub, "workers") as other:
        await other.until(lambda: len(other.frames()) == 1)
        with cluster.state.lock:
            cluster.state.forget_worker("celery@web2")
        await other.until(lambda: len(other.frames()) == 2)
        await asyncio.sleep(5 * TICK)  # then it is forgotten that web2 is gone
        async with streaming(hub, **PARTS, resume=mark) as page:
            await page.until(lambda: len(page.frames()) == 1)
            assert page.events()[0][1].views == []
            assert "workers" not in page.events()[0][1].topics
            assert [row.hostname for row in page.frames()[0].workers.set] == [WORKER]


@pytest.mark.parametrize(
    "mark",
    ["x", "{server}", "{server}.1", "{server}.x.ow.1", "{server}.9999999.ow.1", "other.1.ow.1",
     "{server}.-1.ow.1", "{server}.²..", "{server}.1..1.1", "." * 200],
)  # fmt: skip
async def test_an_id_that_is_not_of_this_server_begins_anew(cluster: Cluster, mark: str) -> None:
    cluster.feed([heartbeat(), *life("a")])
    hub = make_hub(cluster)
    await heard(cluster, hub)
    async with streaming(hub, **PARTS, resume=mark.format(server=hub._server)) as page:
        await page.until(lambda: len(page.frames()) == 1)
        hello, frame = page.events()[0][1], page.frames()[0]
        assert (hello.topics, hello.views) == ([], [])
        assert rows(page) == ["a"]
        assert len(frame.workers.set) == 1


async def test_nothing_is_lost_or_told_twice_however_often_a_page_comes_back(
    cluster: Cluster,
) -> None:
    hub, mark, changes = make_hub(cluster), "", 0
    known: list[str] = []
    for number in range(12):
        cluster.feed(life(f"{number}a", number))
        async with streaming(hub, views=[""], resume=mark) as page:
            await page.until(lambda: len(page.frames()) >= 1)
            cluster.feed(life(f"{number}b", number + 0.5))
            await page.until(
                lambda page=page, number=number: f"{number}b" in rows(page)  # type: ignore[misc]
            )
            known = [*rows(page), *known]
            changes += sum(f.views[""].changed for f in page.frames() if f.views)
            mark = page.ids()[-1]
    assert known == [f"{n}{part}" for n in range(11, -1, -1) for part in "ba"]
    assert changes == 23 * 4, "all but those before the first frame"


# ---------------------------------------------------------------------- what it weighs


async def test_a_flood_weighs_little(cluster: Cluster) -> None:
    cluster.feed([heartbeat(hostname=f"celery@web{n}") for n in range(20)])
    hub = Hub(cluster.services, tick_seconds=0.05)
    async with streaming(hub, "overview,grid", views=[""], encoding="gzip") as page:
        await page.until(lambda: len(page.frames()) == 1)
        begun = sum(map(len, page.raw))
        ticks = 0
        while len(page.frames()) < 20:  # as many as in five seconds of a real stream
            ticks += 1
            cluster.now += 0.25
            cluster.feed(
                [
                    event
                    for n in range(200)
                    for event in life(
                        str(uuid4()), n / 200, worker=f"celery@web{n % 20}",
                        args=repr((random(), "x" * 300)),
                    )
                ]
            )  # fmt: skip
            await asyncio.sleep(0.05)
        told = sum(len(f.views[""].rows) for f in page.frames()[1:] if f.views)
        weight = sum(map(len, page.raw)) - begun
    # Rows are allowed by real time; what a row and a frame weigh tells what a second does.
    assert told > MOST_ROWS
    assert weight / told * MOST_ROWS < 10_000


async def test_many_pages_are_told_the_same_for_the_work_of_one(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    difference = Hub._difference

    def counted(hub: Hub, client: Any) -> bytes | None:
        nonlocal made
        made += 1
        return difference(hub, client)

    monkeypatch.setattr(Hub, "_difference", counted)
    cluster.feed([heartbeat(), *life("first")])
    hub = make_hub(cluster)
    async with contextlib.AsyncExitStack() as stack:
        pages = [
            await stack.enter_async_context(streaming(hub, **PARTS, encoding="gzip"))
            for _ in range(50)
        ]
        for number in range(10):
            cluster.feed(life(str(number), number))
            await asyncio.sleep(2 * TICK)
        for page in pages:
            await page.until(
                lambda page=page: rows(page) == [*map(str, range(9, -1, -1)), "first"]  # type: ignore[misc]
            )
    frames = sum(len(page.frames()) for page in pages)
    assert made < frames / 2


@pytest.mark.parametrize(
    "params",
    [
        {"topics": "weather"}, {"topics": ""}, {"topics": "grid,"}, {"hidden": "2"},
        {"hidden": "true"}, {"x": "1"}, {"topics": "grid\n"}, {"topics": "tasks"},
        {"view": "colour:red"}, {"view": "x" * 3000},
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
        params = {"topics": "overview,workers", "view": "", "hidden": "0"}
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


def test_a_client_that_never_reads_is_cut_off_and_costs_no_memory(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As it is, little is sent, and the buffers on the way hold minutes of it.
    monkeypatch.setattr("celeryscope.web.views.MOST_ROWS", 2000)
    monkeypatch.setattr("celeryscope.web.views.MOST_CHARS", 4000)
    monkeypatch.setattr("celeryscope.web.views._ROW_BYTES", 1_000_000)
    monkeypatch.setattr("celeryscope.web.live._MATCHING_SHARE", 1000)
    cluster.feed([life(str(n), n / 100, args="x" * 4000)[0] for n in range(MOST_ROWS)])
    hub = make_hub(cluster, stall_seconds=1.0)
    with serving(cluster.app(hub=hub)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect((host, int(port)))
            idle.sendall(b"GET /api/v1/live?topics=grid&view= HTTP/1.1\r\nHost: localhost\r\n\r\n")
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
                    cluster.state._recent.append(task.uuid)
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
