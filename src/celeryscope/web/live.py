"""The live stream: what changed, to every page that looks, at most four times a second.

Back-pressure is state, not queues. Nothing is kept for a client but the number of the tick
it was last written: a frame is everything that changed since then, so a client that reads
slowly gets fewer and larger differences, and one that does not read costs nothing and is
cut off. What a tick finds is looked up once and shared by all clients; without clients
nothing is looked up. The id of a frame says the same of a client that went away, which so
goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import anyio
import msgspec
from starlette.types import Message, Receive, Send
from starlette.types import Scope as AsgiScope

from celeryscope.cluster.state import MOST_RECENT
from celeryscope.errors import BadQuery, TooMany, Unavailable
from celeryscope.model import query as language
from celeryscope.model.actor import Actor, Scope
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.web.api import console
from celeryscope.web.feeds import Feed, Steps, wire
from celeryscope.web.negotiation import accepts_encoding
from celeryscope.web.services import Services
from celeryscope.web.views import Counted, View

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
HIDDEN_SECONDS = 5.0
QUIET_SECONDS = 2.0  # a page hears at least this often that we are alive
STALL_SECONDS = 30.0
RETRY_MILLISECONDS = 2000
MOST_CLIENTS = 200
MOST_OF_ONE = 50  # of one person at one address; behind a proxy that tells no addresses, of all
_STILL_SECONDS = 2.0  # how often it is looked whether somebody is still logged in
_AGAIN_SECONDS = 5.0
#: So many workers are looked through a second, at most; with more, each less often.
_WORKERS_A_SECOND = 400
_WORKERS_LATEST_SECONDS = 5.0
_GRID_SECONDS = 1.0
#: A worker is told of once a second, and so many of them are; those that came, went or changed
#: otherwise than by working are told of at once.
_BUSY_SECONDS = 1.0
_BUSY_A_SECOND = 100
#: Counting what a view matches may take this share of one core, all views together.
_COUNTING_SHARE = 0.03
_COUNT_SECONDS = 1.0
#: Trying the changed tasks on the views may hold up the loop so long in one tick, and take
#: this share of its time.
_MATCHING_SECONDS = 0.02
_MATCHING_SHARE = 0.1
#: A view that nobody follows any more can be gone on with for so long.
_VIEW_KEPT_SECONDS = 60.0
_MOST_VIEWS_KEPT = 100
_MOST_PICTURES_KEPT = 20  # of limited people, who come back
# Longer than any client can lag behind: then nobody needs to be told that a worker is gone.
_REMEMBER_GONE_SECONDS = 2 * (STALL_SECONDS + HIDDEN_SECONDS)
_FAULT_PAUSE_SECONDS = 5.0
ABORT = "celeryscope.abort"  # the key in the scope of a callable that cuts the connection

_TOPICS = {"overview": "o", "workers": "w", "grid": "g"}  # and how a frame's id says them
_STEPS = ("activity", "latency")  # fields of the overview that grow by steps
_TOKEN_BYTES = 6

#: What people are limited to, and the text of a query.
_ViewKey = tuple[Scope, str]

_encode = msgspec.json.encode


class _Client:
    """One open stream: what it wants, and how far each part of that was written."""

    def __init__(
        self, query: console.LiveQuery, actor: Actor, picture: _Picture, *, every_seconds: float
    ) -> None:
        self.actor = actor
        self.picture = picture
        self.asked_at = 0.0  # loop time: when it was last asked whether they may stay
        self.topics = dict.fromkeys(sorted(set(query.topics.split(","))), 0)  # -> tick
        self.texts = list(dict.fromkeys(query.view))
        self.views: dict[str, View] = {}
        self.view_ticks = dict.fromkeys(self.texts, 0)
        self.resume = query.resume
        self.every_seconds = every_seconds
        self.due_at = 0.0  # loop time
        self.told_at = 0.0  # loop time
        self.wake = asyncio.Event()

    def standing(self) -> tuple[object, ...]:
        """What it wants and how far it is: the same for clients that need the same frame."""
        return (self.picture.number, *self.topics.items(), *self.view_ticks.items())


class _Mark(NamedTuple):
    """What the id of a frame says."""

    tick: int
    topics: frozenset[str]
    views: frozenset[int]  # their numbers


class _Pace:
    """Which of many that change all the time are told now: the longest untold ones."""

    def __init__(self) -> None:
        self._allowance = float(_BUSY_A_SECOND)
        self._at = float("-inf")  # loop time

    def choose(self, busy: list[tuple[int, str]], *, loop_now: float) -> list[str]:
        """Give some of the names, of (tick told, name)."""
        away = loop_now - self._at
        self._at = loop_now
        if away > HIDDEN_SECONDS:  # nobody looked: all are old
            return [name for _, name in busy]
        self._allowance = min(self._allowance + away * _BUSY_A_SECOND, _BUSY_A_SECOND)
        chosen = sorted(busy)[: int(self._allowance)]
        self._allowance -= len(chosen)
        return [name for _, name in chosen]


class _Picture:
    """The overview, the workers and the grid as people with the same limits see them."""

    def __init__(self, number: int, services: Services) -> None:
        """`number` is 0 for the picture of everything."""
        self.number = number
        self.clients = 0
        self.left_at = 0.0  # loop time, when the last client went
        self._services = services
        self._tick = 0
        self._now = 0.0
        self._overview = Feed(remember_gone_seconds=_REMEMBER_GONE_SECONDS)
        self._steps = {field: Steps() for field in _STEPS}
        self._workers = Feed(remember_gone_seconds=_REMEMBER_GONE_SECONDS)
        self._workers_pace = _Pace()
        self._fingerprints: dict[str, tuple[object, object, float]] = {}
        self._workers_due_at = 0.0  # loop time
        self._grid = Feed(remember_gone_seconds=_REMEMBER_GONE_SECONDS)
        self._grid_pace = _Pace()
        self._cells: dict[str, console.Cell] = {}
        self._grid_due_at = 0.0  # loop time

    def look(self, topics: Collection[str], tick: int, now: float, loop_now: float) -> None:
        """Find what changed in these since they were looked at last."""
        self._tick, self._now = tick, now
        if "overview" in topics:
            self._look_at_overview(loop_now)
        if "workers" in topics:
            self._look_at_workers(loop_now)
        if "grid" in topics:
            self._look_at_grid(loop_now)

    def remembers(self, topic: str, tick: int) -> bool:
        """Say whether a client can be told all of a topic that changed after that tick."""
        feeds = {"overview": self._overview, "workers": self._workers, "grid": self._grid}
        return feeds[topic].remembers(tick)

    def since(self, topics: Mapping[str, int]) -> dict[str, Any]:
        """Give what changed in each topic after its tick."""
        told: dict[str, Any] = {}
        if "overview" in topics and (changed := self._changed(topics["overview"])):
            told["overview"] = changed
        for topic, feed in (("workers", self._workers), ("grid", self._grid)):
            if topic not in topics:
                continue
            since = topics[topic]
            rows, gone = feed.since(since), feed.gone_since(since)
            if rows or gone or not since:
                told[topic] = {"set": list(rows.values()), "gone": gone}
        return told

    def _changed(self, since: int) -> dict[str, msgspec.Raw]:
        changed = self._overview.since(since)
        for field, steps in self._steps.items():
            if (new := steps.since(since)) is not None:
                changed[field] = new
        return changed

    def _look_at_overview(self, loop_now: float) -> None:
        overview = console.overview(self._services, {}, console.NoQuery())
        for field in overview.__struct_fields__:
            if field in self._steps:
                self._steps[field].put(self._tick, getattr(overview, field))
            elif field != "now":
                self._overview.put(self._tick, field, getattr(overview, field), loop_now=loop_now)

    # ------------------------------------------------------------------ workers

    def _look_at_workers(self, loop_now: float) -> None:
        if loop_now < self._workers_due_at:
            return
        workers = self._known_workers()
        pause = min(len(workers) / _WORKERS_A_SECOND, _WORKERS_LATEST_SECONDS)
        self._workers_due_at = loop_now + pause
        marks: dict[str, tuple[object, object]] = {}
        busy: list[tuple[int, str]] = []
        for name, worker in workers.items():
            standing, work = marks[name] = self._fingerprint(worker)
            known = self._fingerprints.get(name)
            if known is None or known[0] != standing:
                self._tell_worker(worker, marks[name], loop_now)
            elif known[1] != work and loop_now >= known[2] + _BUSY_SECONDS:
                busy.append((self._workers.told(name), name))
        for name in self._workers_pace.choose(busy, loop_now=loop_now):
            self._tell_worker(workers[name], marks[name], loop_now)
        self._workers.keep_only(self._tick, workers, loop_now=loop_now)
        for name in self._fingerprints.keys() - workers.keys():
            del self._fingerprints[name]

    def _fingerprint(self, worker: Worker) -> tuple[object, object]:
        """How it stands, and what it works: of those with the same, the row is the same."""
        inspection = self._services.inspector.latest.get(worker.hostname)
        standing = (
            self._services.worker_status(worker, self._now),
            worker.lost,
            worker.restarts,
            None if inspection is None else inspection.at,
        )
        return standing, (worker.heartbeats[-1:], sum(worker.counts.values()), len(worker.running))

    def _tell_worker(self, worker: Worker, mark: tuple[object, object], loop_now: float) -> None:
        self._fingerprints[worker.hostname] = (*mark, loop_now)
        row = console.worker_row(self._services, worker, self._now)
        self._workers.set(self._tick, worker.hostname, wire(row))

    def _look_at_grid(self, loop_now: float) -> None:
        if loop_now < self._grid_due_at:
            return
        self._grid_due_at = loop_now + _GRID_SECONDS
        cells = {
            name: console.cell(self._services, worker, self._now)
            for name, worker in self._known_workers().items()
        }
        busy: list[tuple[int, str]] = []
        for name, cell in cells.items():
            known = self._cells.get(name)
            if known is None or _standing(known) != _standing(cell):
                self._tell_cell(name, cell)
            elif known != cell:
                busy.append((self._grid.told(name), name))
        for name in self._grid_pace.choose(busy, loop_now=loop_now):
            self._tell_cell(name, cells[name])
        self._grid.keep_only(self._tick, cells, loop_now=loop_now)
        for name in self._cells.keys() - cells.keys():
            del self._cells[name]

    def _tell_cell(self, name: str, cell: console.Cell) -> None:
        self._cells[name] = cell
        self._grid.set(self._tick, name, _encode(cell))

    def _known_workers(self) -> dict[str, Worker]:
        with self._services.state.lock:
            return dict(self._services.state.workers)


class Hub:
    """All open streams, and the one loop that looks for what changed."""

    def __init__(
        self,
        services: Services,
        *,
        tick_seconds: float = TICK_SECONDS,
        hidden_seconds: float = HIDDEN_SECONDS,
        stall_seconds: float = STALL_SECONDS,
        most_clients: int = MOST_CLIENTS,
        most_of_one: int = MOST_OF_ONE,
    ) -> None:
        self.stall_seconds = stall_seconds
        self.closed = False
        self._services = services
        self._tick_seconds = tick_seconds
        self._hidden_seconds = hidden_seconds
        self._most_clients = most_clients
        self._most_of_one = most_of_one
        self._server = secrets.token_hex(_TOKEN_BYTES)
        self._clients: set[_Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._counting: asyncio.Task[None] | None = None
        self._tick = 0
        self._now = 0.0
        self._frames: dict[tuple[object, ...], bytes | None] = {}
        self._pictures: dict[Scope, _Picture] = {}  # by what people are limited to
        self._picture_number = 0
        self._views: dict[_ViewKey, View] = {}
        self._view_number = 0
        self._matching_due_at = 0.0  # loop time
        self._count_due_at = 0.0  # loop time

    # ------------------------------------------------------------------ clients

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    def open(self, query: console.LiveQuery, actor: Actor | None = None) -> Stream:
        """Make the response that streams to `actor`; by default to who looks at the services.

        Raises BadQuery, Unavailable when there are too many streams, and TooMany when one has.
        """
        actor = actor or self._services.actor
        if self.closed:
            raise Unavailable("Celeryscope is stopping.")
        if len(self._clients) >= self._most_clients:
            raise Unavailable(
                f"There are {len(self._clients)} live pages open, and no room for more.",
                hint="Close some, or look again later.",
            )
        whose = (actor.name, actor.address)
        held = sum((one.actor.name, one.actor.address) == whose for one in self._clients)
        if held >= self._most_of_one:
            raise TooMany(
                f"You have {held} live pages open. Close some.", retry_after_seconds=_AGAIN_SECONDS
            )
        for text in query.view:
            if (actor.scope, text) not in self._views:
                _check(text)
        every = self._hidden_seconds if query.hidden else self._tick_seconds
        return Stream(self, _Client(query, actor, self._picture(actor), every_seconds=every))

    def _picture(self, actor: Actor) -> _Picture:
        """Give the picture that somebody sees."""
        picture = self._pictures.get(actor.scope)
        if picture is None:
            number, services = 0, self._services
            if actor.scope.limited:
                self._picture_number += 1
                number, services = self._picture_number, services.seen_by(actor)
            picture = _Picture(number, services)
            self._pictures[actor.scope] = picture
            left = [
                (one.left_at, one.number, scope)
                for scope, one in self._pictures.items()
                if one.number and not one.clients and one is not picture
            ]
            if len(left) > _MOST_PICTURES_KEPT:
                del self._pictures[min(left)[2]]
        return picture

    def join(self, client: _Client) -> None:
        """Let a client in; its first frame is ready at once."""
        self._loop = asyncio.get_running_loop()
        for text in client.texts:
            known = self._views.get((client.actor.scope, text))
            view = client.views[text] = known or self._new_view(client.actor.scope, text)
            view.clients += 1
        self._clients.add(client)
        client.picture.clients += 1
        self._pictures.setdefault(client.actor.scope, client.picture)
        self._go_on(client)
        self._look([client], client.views.values())
        self._count_next(client.views.values())
        if self._ticking is None or self._ticking.done():
            self._ticking = self._loop.create_task(self._run())

    def _new_view(self, scope: Scope, text: str) -> View:
        self._view_number += 1
        state = self._services.state
        # Every task is asked for: what changed last is what the list begins with.
        shown = None
        if scope.limited:
            shown = self._services.shares.of(self._services, scope).state.shown
        view = View(self._view_number, text, seen=state.task_changes, shown=shown)
        if view.everything:
            view.seen = max(state.task_changes - MOST_RECENT, 0)
        left = [
            (view.left_at, view.number, key)
            for key, view in self._views.items()
            if not view.clients
        ]
        if len(left) > _MOST_VIEWS_KEPT:
            del self._views[min(left)[2]]
        self._views[scope, text] = view
        return view

    def _go_on(self, client: _Client) -> None:
        """Begin where another stream stopped, with those parts that it had."""
        mark = self._read(client)
        if mark is None:
            return
        for topic in client.topics:
            if topic in mark.topics and client.picture.remembers(topic, mark.tick):
                client.topics[topic] = mark.tick
        for text, view in client.views.items():
            if view.number in mark.views and view.remembers(mark.tick):
                client.view_ticks[text] = mark.tick

    def may_stay(self, client: _Client) -> bool:
        """Say whether a client's stream goes on: nobody has logged them out meanwhile."""
        loop_now = asyncio.get_running_loop().time()
        if loop_now - client.asked_at < _STILL_SECONDS:
            return True
        client.asked_at = loop_now
        return self._services.door.still_in(client.actor)

    def leave(self, client: _Client) -> None:
        """Let a client go; the last one stops the loop."""
        if client not in self._clients:
            return
        self._clients.discard(client)
        client.picture.clients -= 1
        client.picture.left_at = asyncio.get_running_loop().time()
        for view in client.views.values():
            view.clients -= 1
            view.left_at = asyncio.get_running_loop().time()
        if not self._clients and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def close(self) -> None:
        """End every stream, from any thread: a server that stops waits for its answers."""
        self.closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        for client in self._clients:
            client.wake.set()

    def hello(self, client: _Client) -> bytes:
        """The first event of a stream."""
        services = self._services
        hello = console.LiveHello(
            server=self._server,
            version=services.version,
            grafana_url=services.grafana_url,
            now=services.clock(),
            topics=[topic for topic, tick in client.topics.items() if tick],
            views=[text for text, tick in client.view_ticks.items() if tick],
        )
        return b"retry: %d\nevent: hello\ndata: %b\n\n" % (RETRY_MILLISECONDS, wire(hello))

    # ------------------------------------------------------------------ the loop

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._tick_seconds)
            now = asyncio.get_running_loop().time()
            # One that is still being written has its wake-up to come, and is left alone.
            due = [c for c in self._clients if c.due_at <= now and not c.wake.is_set()]
            if not due:
                continue
            views = list({view.number: view for c in due for view in c.views.values()}.values())
            try:
                self._look(due, views)
                self._count_next(views)
            except Exception:
                logger.exception("The live stream could not look at the cluster")
                await asyncio.sleep(_FAULT_PAUSE_SECONDS)
                continue
            for client in due:
                client.wake.set()

    def _look(self, clients: Iterable[_Client], views: Iterable[View]) -> None:
        """Find what changed for these clients and in these views since the last look."""
        loop_now = asyncio.get_running_loop().time()
        self._tick += 1
        self._now = self._services.clock()
        self._frames.clear()
        topics: dict[_Picture, set[str]] = {}
        for client in clients:
            topics.setdefault(client.picture, set()).update(client.topics)
        for picture, wanted in topics.items():
            picture.look(wanted, self._tick, self._now, loop_now)
        self._look_at_views(list(views), loop_now)

    # ------------------------------------------------------------------ views

    def _look_at_views(self, views: list[View], loop_now: float) -> None:
        """Try what changed on each view; the longest behind first, as long as there is time."""
        state = self._services.state
        asked = {view.number for view in views}
        for key, view in list(self._views.items()):
            if not view.clients and loop_now - view.left_at > _VIEW_KEPT_SECONDS:
                del self._views[key]
        if not views or loop_now < self._matching_due_at:
            return
        following = [v for v in self._views.values() if v.clients or v.number in asked]
        began, changed = time.perf_counter(), dict[int, Sequence[tuple[Task, int]]]()
        for view in sorted(following, key=_seen):
            with state.lock:
                changes = state.task_changes
                if view.seen not in changed:
                    changed[view.seen] = state.recent_changes(view.seen)
            recent = changed[view.seen]
            if changes - view.seen > MOST_RECENT and not view.everything:
                view.behind = True
            view.take(
                self._tick,
                recent,
                seen=changes,
                memory=state.tasks,
                now=self._now,
                loop_now=loop_now,
            )
            if (spent := time.perf_counter() - began) > _MATCHING_SECONDS:
                self._matching_due_at = loop_now + spent / _MATCHING_SHARE
                break

    def _count_next(self, views: Iterable[View]) -> None:
        """Count what one view matches, if it is time to; a new one does not wait."""
        assert self._loop is not None
        if self._counting is not None and not self._counting.done():
            return
        loop_now = self._loop.time()
        views = [view for view in views if view.clients]
        new = [view for view in views if view.counted_at is None]
        old = [
            (view.counted_at, view.number, view)
            for view in views
            if view.counted_at is not None and loop_now - view.counted_at >= _COUNT_SECONDS
        ]
        if new:
            view = new[0]
        elif old and loop_now >= self._count_due_at:
            view = min(old)[2]
        else:
            return
        self._counting = self._loop.create_task(self._count(view))

    async def _count(self, view: View) -> None:
        state, now = self._services.state, self._services.clock()

        def work() -> tuple[Counted, float]:
            began = time.thread_time()
            with state.lock:
                tasks = list(state.tasks.values())
            return view.count(tasks, now), time.thread_time() - began

        loop = asyncio.get_running_loop()
        view.begin_count(loop_now=loop.time())
        try:
            counted, spent = await asyncio.to_thread(work)
        except Exception:
            logger.exception("The live stream could not count the tasks of a view")
            self._count_due_at = loop.time() + _FAULT_PAUSE_SECONDS
            return
        self._tick += 1
        self._frames.clear()
        view.put(self._tick, counted, loop_now=loop.time())
        self._count_due_at = loop.time() + spent / _COUNTING_SHARE
        if any(v.clients and v.counted_at is None for v in self._views.values()):
            loop.call_soon(self._count_next, list(self._views.values()))

    # ------------------------------------------------------------------ frames

    def frame(self, client: _Client) -> bytes | None:
        """What a client has to be told now, if anything; it counts as told from here on."""
        loop_now = asyncio.get_running_loop().time()
        client.due_at = loop_now + client.every_seconds - self._tick_seconds / 2
        key = client.standing()
        if key not in self._frames:
            self._frames[key] = self._difference(client)
        told = self._frames[key]
        for topic in client.topics:
            client.topics[topic] = self._tick
        for text, view in client.views.items():
            client.view_ticks[text] = self._tick if view.ready else 0
        if told is None:
            if loop_now - client.told_at < QUIET_SECONDS:
                return None
            told = wire({"now": self._now})
        client.told_at = loop_now
        return b"id: %b\nevent: frame\ndata: %b\n\n" % (self._mark(client), told)

    def _difference(self, client: _Client) -> bytes | None:
        """Encode what changed since the client was told last; None when nothing did."""
        frame = client.picture.since(client.topics)
        parts = {
            text: part
            for text, view in client.views.items()
            if (part := view.part(client.view_ticks[text])) is not None
        }
        if parts:
            frame["views"] = parts
        return _encode({"now": msgspec.Raw(wire(self._now)), **frame}) if frame else None

    # ------------------------------------------------------------------ the ids of frames

    def _mark(self, client: _Client) -> bytes:
        """Make the id of a frame: server, tick, and what the client knows up to that tick."""
        topics = "".join(_TOPICS[topic] for topic in client.topics)
        views = "-".join(str(v.number) for t, v in client.views.items() if client.view_ticks[t])
        return f"{self._whose(client)}.{self._tick}.{topics}.{views}".encode()

    def _whose(self, client: _Client) -> str:
        """Name the server and the picture: nobody goes on where somebody with other limits was."""
        number = client.picture.number
        return f"{self._server}-{number}" if number else self._server

    def _read(self, client: _Client) -> _Mark | None:
        """Read the id of the frame that a client goes on from; None when it is not one of ours."""
        whose, _, rest = client.resume.partition(".")
        parts = rest.split(".")
        if whose != self._whose(client) or len(parts) != 3:
            return None
        tick, topics, views = parts
        if not _is_number(tick) or int(tick) > self._tick:
            return None
        return _Mark(
            int(tick),
            frozenset(topic for topic, letter in _TOPICS.items() if letter in topics),
            frozenset(int(number) for number in views.split("-") if _is_number(number)),
        )


def _standing(cell: console.Cell) -> tuple[object, ...]:
    _, status, _, concurrency, _ = cell
    return status, concurrency


def _check(text: str) -> None:
    try:
        language.parse(text)
    except BadQuery as fault:
        fault.parameter = "view"
        raise


def _seen(view: View) -> int:
    return view.seen


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


class Stream:
    """One stream as an ASGI response."""

    def __init__(self, hub: Hub, client: _Client) -> None:
        self._hub = hub
        self._client = client

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"").decode("latin-1")
        pack = _Gzip() if accepts_encoding(accepted, "gzip") else None
        if scope["method"] == "HEAD":
            await send(_start(compressed=pack is not None))
            await send({"type": "http.response.body"})
            return
        # A browser that connects again by itself sends it, with the address of its first time.
        resume = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
        self._client.resume = resume or self._client.resume
        try:
            self._hub.join(self._client)
            await send(_start(compressed=pack is not None))
            async with anyio.create_task_group() as group:
                group.start_soon(_until_gone, receive, group.cancel_scope.cancel)
                writer = _Writer(send, pack, patience_seconds=self._hub.stall_seconds)
                if not await self._write(writer):
                    # Closing politely would wait for a client that does not read.
                    scope.get(ABORT, _nothing)()
                group.cancel_scope.cancel()
        finally:
            self._hub.leave(self._client)

    async def _write(self, writer: _Writer) -> bool:
        """Write frames until the hub closes; False when the client does not take them."""
        client, hub = self._client, self._hub
        if not await writer.put(hub.hello(client)):
            return False
        while not hub.closed and hub.may_stay(client):
            frame = hub.frame(client)
            if frame is not None and not await writer.put(frame):
                return False
            await client.wake.wait()
            client.wake.clear()
        return await writer.put(b"", more=False)


class _Gzip:
    """A gzip stream that gives out what it was given at once."""

    def __init__(self) -> None:
        # Frames repeat each other. Measured on a busy cluster's stream: 4.5 kB/s with 80 µs of
        # work a frame and 128 kB of memory a client; zlib's own choice of level and window gives
        # 4.3 with 100 µs and 256 kB, its fastest 5.7 with 47 µs.
        window_bits, memory_level = 14, 7
        self._packer = zlib.compressobj(5, zlib.DEFLATED, 16 + window_bits, memory_level)

    def pack(self, body: bytes, *, more: bool) -> bytes:
        flush = zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH
        return self._packer.compress(body) + self._packer.flush(flush)


class _Writer:
    """Writes to one connection, and knows when nobody reads there."""

    def __init__(self, send: Send, pack: _Gzip | None, *, patience_seconds: float) -> None:
        self._send = send
        self._pack = pack
        self._patience_seconds = patience_seconds

    async def put(self, body: bytes, *, more: bool = True) -> bool:
        """Write, and say whether it went out in time."""
        if self._pack is not None:
            body = self._pack.pack(body, more=more)
        with anyio.move_on_after(self._patience_seconds):
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
            return True
        return False


def _start(*, compressed: bool) -> Message:
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept-Encoding"),
        (b"x-accel-buffering", b"no"),  # nginx would hold frames back
    ]
    if compressed:
        headers.append((b"content-encoding", b"gzip"))
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def _until_gone(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()


def _nothing() -> None:
    """A server that cannot cut connections is left to its own time limits."""
