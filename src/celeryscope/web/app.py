"""The web application: every route in one table, and what holds for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from celeryscope.errors import CeleryscopeError
from celeryscope.web import activity, errors, live
from celeryscope.web.api import console, control, flower, flower_control, openapi, schedules
from celeryscope.web.api.ops import Ops
from celeryscope.web.api.query import parse, parse_body
from celeryscope.web.assets import Assets
from celeryscope.web.negotiation import respond
from celeryscope.web.services import Services, Vitals

#: What a browser on this machine calls us when we listen on the loopback address only.
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

#: Our API, below errors.CONSOLE.
OPERATIONS: Mapping[str, console.Operation[Any]] = {
    "/overview": console.OVERVIEW,
    "/workers": console.WORKERS,
    "/workers/{hostname:path}": console.WORKER,
    "/queues": console.QUEUES,
    "/queues/{name:path}/messages": console.MESSAGES,
    "/tasks": console.TASKS,
    "/tasks/{uuid:path}": console.TASK,
    "/names": console.NAMES,
    "/ingest": console.INGEST,
    "/commands": control.COMMAND_LIST,
    "/actions": control.ACTIONS,
    "/actions/{id}": control.ACTION,
    "/schedules": console.Operation(schedules.schedules, console.NoQuery, control.ScheduleList),
}

#: What changes something, asked for with POST.
CHANGES: Mapping[str, control.Change[Any]] = {
    "/control/{command}": control.SEND,
    "/actions/{id}/stop": control.STOP,
    "/selections": control.SELECT,
    "/queues/{name:path}/messages": control.LOOK,
}

#: The largest body that a request may have.
MAX_BODY_BYTES = 256 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


def build(
    services: Services,
    *,
    url_prefix: str = "",
    assets_dir: Path,
    allowed_hosts: Collection[str] | None = None,
    external_url: str = "",
    hub: live.Hub | None = None,
) -> Application:
    """Make the whole console.

    `url_prefix` is where it appears to browsers, whether or not a proxy cuts it off.
    `allowed_hosts` are the names that a request may call us by (None: any): give
    LOOPBACK_HOSTS when listening on a loopback address, against DNS rebinding. `external_url`
    is where people reach it, when a proxy changes the name. `hub` serves the live streams; by
    default one with the usual pace and limits.
    """
    prefix = _normal(url_prefix)
    hub = hub or live.Hub(services)
    assets = Assets(assets_dir, url_prefix=prefix)
    routes = [
        *_ops(services),
        # Flower's read API
        _flower(services, "/api/workers", flower.workers),
        _flower(services, "/api/tasks", flower.tasks),
        _flower(services, "/api/task/types", flower.task_types),
        _flower(services, "/api/task/info/{task_id:path}", flower.task_info),
        _flower(services, "/api/queues/length", flower.queue_lengths),
        # its write API, and what its pages ask
        *(
            _Named(path, route.bound(services, prefix), list(route.methods))
            for path, route in flower_control.ROUTES.items()
        ),
        _Named("/workers", flower_control.workers_page(services, _page(assets))),
        # ours
        *(
            _console(services, path, OPERATIONS.get(path), CHANGES.get(path))
            for path in dict.fromkeys([*OPERATIONS, *CHANGES])
        ),
        Route(errors.CONSOLE + "/live", _live(hub)),
        Route(errors.CONSOLE + "/openapi.json", _openapi(services.version, prefix)),
        # the page, whose own router reads the path
        *(_Named(path, _page(assets)) for path in PAGES),
        # Flower's pages
        _Named("/worker/{name:path}", _moved(prefix, "workers", "name")),
        _Named("/task/{name:path}", _moved(prefix, "tasks", "name")),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        sampling = asyncio.create_task(_sample(services))
        yield
        sampling.cancel()
        hub.close()

    return Application(
        _routed(routes, _Rest(assets), lifespan),
        url_prefix=prefix,
        allowed_hosts=allowed_hosts,
        origin=urlsplit(external_url).netloc,
        close=hub.close,
    )


PAGES = (
    "/", "/workers", "/workers/{hostname:path}", "/tasks", "/tasks/{uuid:path}", "/queues",
    "/schedules",
)  # fmt: skip


def build_exporter(
    vitals: Vitals, *, url_prefix: str = "", allowed_hosts: Collection[str] | None = None
) -> Application:
    """Make the application of the exporter: `/metrics` and the health answers, no more."""
    return Application(
        _routed(_ops(vitals)), url_prefix=_normal(url_prefix), allowed_hosts=allowed_hosts
    )


class Application:
    """The ASGI application, with what is done for every request.

    It takes the URL prefix off, refuses foreign host names, adds the headers that keep
    browsers strict, and lets no exception out.
    """

    def __init__(
        self,
        inner: ASGIApp,
        *,
        url_prefix: str,
        allowed_hosts: Collection[str] | None,
        origin: str = "",
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._inner = inner
        self._prefix = url_prefix
        self._hosts = None if allowed_hosts is None else {name.lower() for name in allowed_hosts}
        self._origin = origin.lower()  # host:port that people reach us at, when it is not ours
        #: End the live streams, from any thread. Call it as soon as the server is to stop:
        #: servers wait for open answers, and these have no end of their own.
        self.close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], *_SECURITY_HEADERS]}
            await send(message)

        path = self._below_prefix(scope["path"])
        scope = {
            **scope,
            "path": path or scope["path"],
            "root_path": "",
            "app": self,  # so that the router raises what it cannot find
            live.ABORT: lambda: _abort(send),
        }
        try:
            answer = self._refusal(scope) or (self._inner if path else self._to_root())
            await answer(scope, receive, guarded_send)
        except Exception as fault:  # noqa: BLE001 - it is logged there, and told to the client
            answer = errors.answer(scope["path"], fault)
            if not started:
                await answer(scope, receive, guarded_send)

    def _below_prefix(self, path: str) -> str | None:
        """Take the prefix off unless a proxy has; None for the prefix without its slash."""
        if self._prefix and path == self._prefix:
            return None
        if self._prefix and path.startswith(self._prefix + "/"):
            return path[len(self._prefix) :]
        return path

    def _to_root(self) -> ASGIApp:
        return RedirectResponse(self._prefix + "/")

    def _refusal(self, scope: Scope) -> Response | None:
        """Refuse pages elsewhere: those that ask our API, and those whose name points to us."""
        headers = dict(scope["headers"])
        site = headers.get(b"sec-fetch-site")  # browsers say it, and no page can make it up
        if site in (b"cross-site", b"same-site") and scope["path"].startswith("/api/"):
            return PlainTextResponse(
                "Pages of other sites may not ask this. Open the address by itself instead.\n",
                status_code=403,
            )
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if scope["method"] not in _SAFE and not self._is_ours(headers.get(b"origin"), host):
            return PlainTextResponse(
                "Only pages of this console may change something here.\n", status_code=403
            )
        if self._hosts is None or not host or _without_port(host) in self._hosts:
            return None
        return PlainTextResponse(  # DNS rebinding
            f"Celeryscope listens on this machine only, and does not answer to the name "
            f"'{_without_port(host)}'.\nUse http://localhost, or allow the name: "
            f"--allowed-hosts {_without_port(host)}\n",
            status_code=400,
        )

    def _is_ours(self, origin: bytes | None, host: str) -> bool:
        """Say whether a page at `origin` is one of ours; a program sends no origin."""
        if origin is None:
            return True
        try:
            where = urlsplit(origin.decode("latin-1").lower()).netloc  # of `null`: nothing
        except ValueError:
            return False
        return bool(where) and where in (host, self._origin)


_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def _routed(
    routes: list[BaseRoute],
    rest: ASGIApp | None = None,
    lifespan: Lifespan[Any] | None = None,
) -> ASGIApp:
    # Not the Starlette class: its outermost layer would answer faults before we can.
    router = Router(routes, redirect_slashes=False, default=rest, lifespan=lifespan)
    handlers = {CeleryscopeError: errors.handle, HTTPException: errors.handle}
    return ExceptionMiddleware(router, handlers=handlers)


# ---------------------------------------------------------------------- routes


class _Named(Route):
    """A route whose last part is the name of a worker or a task: any text, also a newline."""

    def __init__(self, path: str, endpoint: Endpoint, methods: list[str] | None = None) -> None:
        super().__init__(path, endpoint, methods=methods)
        # The `.` in Starlette's `path` stops at a newline.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


def _ops(vitals: Vitals) -> list[BaseRoute]:
    ops = Ops(vitals)
    return [
        Route("/metrics", ops.metrics),
        Route("/healthcheck", ops.healthcheck),
        Route("/health", ops.health),
        Route("/-/healthy", ops.healthy),
        Route("/-/ready", ops.ready),
    ]


def _flower(services: Services, path: str, answer: flower.Answer) -> Route:
    def work(request: Request) -> Response:
        arguments, status = flower.Arguments(request.query_params), 200
        try:
            told = answer(services, request.path_params, arguments)
        except flower.SearchRefused as refused:
            told, status = {"error": str(refused)}, 400
        media_type = "application/json; charset=UTF-8"
        body = msgspec.json.encode(told)
        return respond(request, body, media_type=media_type, status=status, headers=_FRESH)

    return Route(path, _in_thread(work))


def _console(
    services: Services,
    path: str,
    operation: console.Operation[Any] | None,
    change: control.Change[Any] | None,
) -> Route:
    async def endpoint(request: Request) -> Response:
        if change is not None and request.method == "POST":
            return await _changed(services, change, request)
        assert operation is not None  # else the route has no GET
        return await _asked(services, operation, request)

    methods = ["GET"] * (operation is not None) + ["POST"] * (change is not None)
    return _Named(errors.CONSOLE + path, endpoint, methods)


async def _asked(
    services: Services, operation: console.Operation[Any], request: Request
) -> Response:
    query = parse(operation.query, request.query_params)
    if isinstance(query, control.ActionQuery):
        await _until_newer(services, request.path_params["id"], query)

    def work() -> Response:
        told = operation.answer(services, request.path_params, query)
        body = msgspec.json.encode(told)
        return respond(request, body, media_type="application/json", headers=_FRESH)

    return await run_in_threadpool(work)


async def _until_newer(services: Services, ident: str, query: control.ActionQuery) -> None:
    """Wait for an action without keeping a thread: there are fewer of them than pages."""
    action = services.desk.get(ident)
    until = time.monotonic() + query.wait
    # Actions change in threads of their own.
    while action.sequence <= query.after and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)


async def _changed(services: Services, change: control.Change[Any], request: Request) -> Response:
    given = await _body(request)
    by = request.client.host if request.client else "unix socket"

    def work() -> Response:
        parse(console.NoQuery, request.query_params)
        told = change.answer(services, request.path_params, parse_body(change.body, given), by)
        body = msgspec.json.encode(told)
        return respond(
            request, body, media_type="application/json", status=change.status, headers=_FRESH
        )

    return await run_in_threadpool(work)


async def _body(request: Request) -> bytes:
    """Read the body of a request that must be JSON, and not large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "A body of 'Content-Type: application/json' is needed.")
    too_large = HTTPException(413, f"The body may have at most {MAX_BODY_BYTES:,} bytes.")
    if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
        raise too_large
    given = bytearray()
    async for chunk in request.stream():
        given += chunk
        if len(given) > MAX_BODY_BYTES:
            raise too_large
    return bytes(given)


#: How often an action is looked at while somebody waits for it to change.
_LOOK_SECONDS = 0.05
_FRESH = {"Cache-Control": "no-store"}


def _in_thread(work: Callable[[Request], Response]) -> Endpoint:
    """Look, filter and encode off the event loop: with many tasks in memory it takes a while."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(work, request)

    return endpoint


def _live(hub: live.Hub) -> Callable[[Request], Awaitable[Any]]:
    async def endpoint(request: Request) -> live.Stream:
        return hub.open(parse(console.LiveQuery, request.query_params))

    return endpoint


def _openapi(version: str, prefix: str) -> Endpoint:
    document = openapi.document(OPERATIONS, CHANGES, version=version, base=prefix + errors.CONSOLE)
    body = msgspec.json.encode(document)

    async def endpoint(request: Request) -> Response:
        return respond(request, body, media_type="application/json")

    return endpoint


def _page(assets: Assets) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return assets.page(request)

    return endpoint


def _moved(prefix: str, page: str, parameter: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        name = quote(request.path_params[parameter], safe="@")
        return RedirectResponse(f"{prefix}/{page}/{name}")

    return endpoint


class _Rest:
    """Every other path: a file of the page, or nothing."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.scope["path"].lstrip("/")
        if path.startswith("api/") or request.method not in ("GET", "HEAD"):
            raise HTTPException(404)
        if found := self._assets.file(request, path):
            return found
        if "text/html" in request.headers.get("accept", ""):
            return self._assets.page(request, status=404)
        raise HTTPException(404)


# ---------------------------------------------------------------------- parts


async def _sample(services: Services) -> None:
    while True:
        with services.state.lock:
            totals = dict(services.state.totals)
        now = services.clock()
        services.activity.sample(now, totals)
        services.figures.sample(now, services.state)
        await asyncio.sleep(activity.STEP_SECONDS)


def _normal(url_prefix: str) -> str:
    inside = url_prefix.strip("/")
    return f"/{inside}" if inside else ""


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


def _abort(send: Send) -> None:
    """Cut the connection without flushing it. ASGI has no word for that; uvicorn has."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
