"""The live stream: what changed, to every page that looks, at most four times a second.

Back-pressure is state, not queues. Nothing is kept for a client but the number of the tick
it was last written: a frame is everything that changed since then, so a client that reads
slowly gets fewer and larger differences, and one that does not read costs nothing and is
cut off. What a tick finds is looked up once and shared by all clients; without clients
nothing is looked up.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import msgspec
from starlette.types import Message, Receive, Scope, Send

from celeryscope.errors import Unavailable
from celeryscope.web.api import console
from celeryscope.web.negotiation import accepts_encoding
from celeryscope.web.services import Services

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
HIDDEN_SECONDS = 5.0
QUIET_SECONDS = 2.0  # a page hears at least this often that we are alive
STALL_SECONDS = 30.0
RETRY_MILLISECONDS = 2000
MOST_CLIENTS = 200
MOST_ROWS = 40
#: So many workers are looked through a second, at most; with more, each less often.
_WORKERS_A_SECOND = 400
_WORKERS_LATEST_SECONDS = 5.0
# Longer than any client can lag behind: then nobody needs to be told that a worker is gone.
_REMEMBER_GONE_SECONDS = 2 * (STALL_SECONDS + HIDDEN_SECONDS)
_FAULT_PAUSE_SECONDS = 5.0
ABORT = "celeryscope.abort"  # the key in the scope of a callable that cuts the connection

_encode = msgspec.json.encode


class _Feed:
    """Values by key, each with the number of the tick at which it last changed."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[int, bytes]] = {}
        self._gone: dict[str, tuple[int, float]] = {}  # key -> the tick, and its loop time

    def put(self, tick: int, key: str, value: object) -> None:
        """Set a value; one that encodes as before has not changed."""
        encoded = _encode(value)
        if key not in self._values or self._values[key][1] != encoded:
            self._values[key] = (tick, encoded)
            self._gone.pop(key, None)

    def keep_only(self, tick: int, keys: Iterable[str], *, loop_now: float) -> None:
        """Let go of every other key, and remember for a while that it is gone."""
        for key in self._values.keys() - set(keys):
            del self._values[key]
            self._gone[key] = (tick, loop_now)
        forgotten = loop_now - _REMEMBER_GONE_SECONDS
        for key in [key for key, (_, at) in self._gone.items() if at < forgotten]:
            del self._gone[key]

    def since(self, tick: int) -> dict[str, msgspec.Raw]:
        """What changed after that tick."""
        return {key: msgspec.Raw(value) for key, (at, value) in self._values.items() if at > tick}

    def gone_since(self, tick: int) -> list[str]:
        """What went after that tick; to a new client nothing is gone."""
        return [key for key, (at, _) in self._gone.items() if at > tick] if tick else []


class _Client:
    """One open stream: what it wants, and how far it was written."""

    def __init__(self, topics: frozenset[str], *, every_seconds: float) -> None:
        self.topics = topics
        self.every_seconds = every_seconds
        self.due_at = 0.0  # loop time
        self.told_at = 0.0  # loop time
        self.tick = 0
        self.changes: int | None = None  # of tasks, up to that tick
        self.frames = 0
        self.wake = asyncio.Event()


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
    ) -> None:
        self.stall_seconds = stall_seconds
        self.closed = False
        self._services = services
        self._tick_seconds = tick_seconds
        self._hidden_seconds = hidden_seconds
        self._most_clients = most_clients
        self._server = secrets.token_hex(8)
        self._clients: set[_Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._tick = 0
        self._now = 0.0
        self._frames: dict[tuple[int, frozenset[str], int | None], bytes | None] = {}
        self._overview = _Feed()
        self._workers = _Feed()
        self._fingerprints: dict[str, tuple[object, ...]] = {}
        self._workers_due_at = 0.0  # loop time
        self._rows: dict[str, tuple[int, msgspec.Raw]] = {}  # newest change first
        self._changes = 0

    # ------------------------------------------------------------------ clients

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    def open(self, query: console.LiveQuery) -> Stream:
        """Make the response that streams; raises Unavailable when there are too many."""
        if self.closed:
            raise Unavailable("Celeryscope is stopping.")
        if len(self._clients) >= self._most_clients:
            raise Unavailable(
                f"There are {len(self._clients)} live pages open, and no room for more.",
                hint="Close some, or look again later.",
            )
        every = self._hidden_seconds if query.hidden else self._tick_seconds
        return Stream(self, _Client(frozenset(query.topics.split(",")), every_seconds=every))

    def join(self, client: _Client) -> None:
        """Let a client in; its first frame is ready at once."""
        self._loop = asyncio.get_running_loop()
        self._clients.add(client)
        self._look(client.topics)
        if self._ticking is None or self._ticking.done():
            self._ticking = self._loop.create_task(self._run())

    def leave(self, client: _Client) -> None:
        """Let a client go; the last one stops the loop."""
        self._clients.discard(client)
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

    def hello(self) -> bytes:
        """The first event of a stream."""
        services = self._services
        hello = console.LiveHello(
            server=self._server, version=services.version, now=services.clock()
        )
        return b"retry: %d\nevent: hello\ndata: %b\n\n" % (RETRY_MILLISECONDS, _encode(hello))

    # ------------------------------------------------------------------ the loop

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._tick_seconds)
            now = asyncio.get_running_loop().time()
            # One that is still being written has its wake-up to come, and is left alone.
            due = [c for c in self._clients if c.due_at <= now and not c.wake.is_set()]
            if not due:
                continue
            try:
                self._look(frozenset().union(*(client.topics for client in due)))
            except Exception:
                logger.exception("The live stream could not look at the cluster")
                await asyncio.sleep(_FAULT_PAUSE_SECONDS)
                continue
            for client in due:
                client.wake.set()

    def _look(self, topics: frozenset[str]) -> None:
        """Find what changed in these topics since they were looked at last."""
        self._tick += 1
        self._now = self._services.clock()
        self._frames.clear()
        if "overview" in topics:
            overview = console.overview(self._services, {}, console.NoQuery())
            for field in overview.__struct_fields__:
                if field != "now":
                    self._overview.put(self._tick, field, getattr(overview, field))
        if "workers" in topics:
            self._look_at_workers()
        if "tasks" in topics:
            self._look_at_tasks()

    def _look_at_workers(self) -> None:
        loop_now = asyncio.get_running_loop().time()
        if loop_now < self._workers_due_at:
            return
        services = self._services
        with services.state.lock:
            workers = list(services.state.workers.values())
        pause = min(len(workers) / _WORKERS_A_SECOND, _WORKERS_LATEST_SECONDS)
        self._workers_due_at = loop_now + pause
        for worker in workers:
            inspection = services.inspector.latest.get(worker.hostname)
            fingerprint = (
                services.worker_status(worker, self._now),
                worker.heartbeats[-1:],
                sum(worker.counts.values()),
                len(worker.running),
                worker.lost,
                worker.restarts,
                None if inspection is None else inspection.at,
            )
            if self._fingerprints.get(worker.hostname) != fingerprint:
                self._fingerprints[worker.hostname] = fingerprint
                row = console.worker_row(services, worker, self._now)
                self._workers.put(self._tick, worker.hostname, row)
        known = {worker.hostname for worker in workers}
        self._workers.keep_only(self._tick, known, loop_now=loop_now)
        for hostname in self._fingerprints.keys() - known:
            del self._fingerprints[hostname]

    def _look_at_tasks(self) -> None:
        state = self._services.state
        with state.lock:
            changes, recent = state.recent_changes()
        fresh = min(changes - self._changes, len(recent))
        self._changes = changes
        # The last to have changed first; a task that changed often stands there once.
        newest = {task.uuid: task for task in reversed(recent[len(recent) - fresh :])}
        rows = {
            uuid: (self._tick, msgspec.Raw(_encode(console.task_row(task))))
            for uuid, task in list(newest.items())[:MOST_ROWS]
        }
        for uuid, row in self._rows.items():
            if len(rows) < MOST_ROWS:
                rows.setdefault(uuid, row)
        self._rows = rows

    # ------------------------------------------------------------------ frames

    def frame(self, client: _Client) -> bytes | None:
        """What a client has to be told now, if anything; it counts as told from here on."""
        loop_now = asyncio.get_running_loop().time()
        client.due_at = loop_now + client.every_seconds - self._tick_seconds / 2
        key = (client.tick, client.topics, client.changes)
        if key not in self._frames:
            self._frames[key] = self._difference(client)
        told = self._frames[key]
        client.tick, client.changes = self._tick, self._changes
        if told is None:
            if loop_now - client.told_at < QUIET_SECONDS:
                return None
            told = _encode({"now": self._now})
        client.told_at = loop_now
        client.frames += 1
        return b"id: %d\nevent: frame\ndata: %b\n\n" % (client.frames, told)

    def _difference(self, client: _Client) -> bytes | None:
        """Encode what changed since the client was told last; None when nothing did."""
        since = client.tick
        frame: dict[str, Any] = {}
        if "overview" in client.topics and (changed := self._overview.since(since)):
            frame["overview"] = changed
        if "workers" in client.topics:
            rows, gone = self._workers.since(since), self._workers.gone_since(since)
            if rows or gone or not since:
                frame["workers"] = {"set": list(rows.values()), "gone": gone}
        if "tasks" in client.topics and client.changes != self._changes:
            frame["tasks"] = {
                "rows": [row for tick, row in self._rows.values() if tick > since],
                "changed": self._changes - client.changes if client.changes is not None else 0,
                "total": len(self._services.state.tasks),
            }
        return _encode({"now": self._now, **frame}) if frame else None


class Stream:
    """One stream as an ASGI response."""

    def __init__(self, hub: Hub, client: _Client) -> None:
        self._hub = hub
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"").decode("latin-1")
        pack = _Gzip() if accepts_encoding(accepted, "gzip") else None
        if scope["method"] == "HEAD":
            await send(_start(compressed=pack is not None))
            await send({"type": "http.response.body"})
            return
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
        if not await writer.put(hub.hello()):
            return False
        while not hub.closed:
            frame = hub.frame(client)
            if frame is not None and not await writer.put(frame):
                return False
            await client.wake.wait()
            client.wake.clear()
        return await writer.put(b"", more=False)


class _Gzip:
    """A gzip stream that gives out what it was given at once."""

    def __init__(self) -> None:
        # Level 1: frames repeat each other's keys, which every level finds.
        self._packer = zlib.compressobj(1, zlib.DEFLATED, 31)

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
