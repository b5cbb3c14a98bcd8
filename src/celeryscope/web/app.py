"""The web application: every route in one table, and what holds for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import (
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from celeryscope.errors import CeleryscopeError
from celeryscope.web import activity, errors, live
from celeryscope.web.api import (
    access,
    audit,
    console,
    control,
    families,
    flower,
    flower_control,
    gaps,
    history,
    insight,
    openapi,
    schedules,
    searches,
)
from celeryscope.web.api.exports import FORMATS
from celeryscope.web.api.ops import Ops
from celeryscope.web.api.query import parse, parse_body
from celeryscope.web.assets import Assets
from celeryscope.web.auth.door import SAFE
from celeryscope.web.auth.guard import Guard, actor_of
from celeryscope.web.auth.pages import Pages
from celeryscope.web.body import read_body
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
    "/history": history.HISTORY,
    "/history/tasks": history.TASKS,
    "/history/count": history.COUNT,
    "/families/{uuid:path}": families.FAMILY,
    "/started/{entry:path}": families.STARTED,
    "/gaps": gaps.GAPS,
    "/insight": insight.INSIGHT,
    "/insight/names/{name:path}": insight.NAME,
    "/insight/exceptions": insight.EXCEPTIONS,
    "/insight/calendar": insight.CALENDAR,
    "/names": console.NAMES,
    "/ingest": console.INGEST,
    "/commands": control.COMMAND_LIST,
    "/actions": control.ACTIONS,
    "/actions/{id}": control.ACTION,
    "/schedules": console.Operation(schedules.schedules, console.NoQuery, control.ScheduleList),
    "/searches": searches.SEARCHES,
    "/me": access.ME,
    "/sessions": access.SESSIONS,
    "/tokens": access.TOKENS,
    "/audit": audit.AUDIT,
}

#: What changes something, asked for with POST.
CHANGES: Mapping[str, control.Change[Any]] = {
    "/control/{command}": control.SEND,
    "/actions/{id}/stop": control.STOP,
    "/selections": control.SELECT,
    "/queues/{name:path}/messages": control.LOOK,
    "/searches": searches.SAVE,
    "/searches/{id}/remove": searches.REMOVE,
    "/sessions/{id}/revoke": access.END_SESSION,
    "/tokens": access.MAKE_TOKEN,
    "/tokens/{id}/revoke": access.REVOKE_TOKEN,
}

Endpoint = Callable[[Request], Awaitable[Response]]


def build(
    services: Services,
    *,
    url_prefix: str = "",
    assets_dir: Path,
    allowed_hosts: Collection[str] | None = None,
    external_url: str = "",
    secure: bool = False,
    session_lifetime_seconds: float = 604_800.0,
    hub: live.Hub | None = None,
) -> Application:
    """Make the whole console.

    `url_prefix` is where it appears to browsers, whether or not a proxy cuts it off.
    `allowed_hosts` are the names that a request may call us by (None: any): give
    LOOPBACK_HOSTS when listening on a loopback address, against DNS rebinding. `external_url`
    is where people reach it, when a proxy changes the name. `secure`: they come by HTTPS only. `hub` serves the live streams; by default one with
    the usual pace and limits.
    """
    prefix = _normal(url_prefix)
    hub = hub or live.Hub(services)
    assets = Assets(assets_dir, url_prefix=prefix)
    guard = Guard(
        services.door,
        prefix=prefix,
        secure=secure,
        lifetime_seconds=session_lifetime_seconds,
    )
    route = guard.route
    routes: list[BaseRoute] = [
        *Pages(guard, assets).routes(),
        *(route(path, answer) for path, answer in Ops(services).answers().items()),
        # Flower's read API
        *(route(path, _flower(services, answer)) for path, answer in FLOWER_READS.items()),
        # its write API, and what its pages ask
        *(
            route(path, asked.bound(services, prefix), asked.methods)
            for path, asked in flower_control.ROUTES.items()
        ),
        route("/workers", flower_control.workers_page(services, _page(assets))),
        # ours
        route(errors.CONSOLE + "/live", _live(hub)),
        route(errors.CONSOLE + "/openapi.json", _openapi(services.version, prefix)),
        route(errors.CONSOLE + "/audit/export", _audit_export(services)),
        route(errors.CONSOLE + "/history/export", _history_export(services)),
        *(
            _console(guard, services, path, OPERATIONS.get(path), CHANGES.get(path))
            for path in dict.fromkeys([*OPERATIONS, *CHANGES])
        ),
        # the page, whose own router reads the path
        *(route(path, _page(assets)) for path in PAGES),
        # Flower's pages
        route("/worker/{name:path}", _moved(prefix, "workers", "name")),
        route("/task/{name:path}", _moved(prefix, "tasks", "name")),
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
        secure=secure,
        close=hub.close,
    )


PAGES = (
    "/", "/workers/{hostname:path}", "/tasks", "/tasks/{uuid:path}", "/queues", "/schedules",
    "/access", "/audit", "/families/{uuid:path}", "/insight", "/insight/{name:path}",
    "/schedules/{entry:path}",
)  # fmt: skip

FLOWER_READS: Mapping[str, flower.Answer] = {
    "/api/workers": flower.workers,
    "/api/tasks": flower.tasks,
    "/api/task/types": flower.task_types,
    "/api/task/info/{task_id:path}": flower.task_info,
    "/api/queues/length": flower.queue_lengths,
}


def build_exporter(
    vitals: Vitals, *, url_prefix: str = "", allowed_hosts: Collection[str] | None = None
) -> Application:
    """Make the application of the exporter: `/metrics` and the health answers, no more."""
    routes: list[BaseRoute] = [
        Route(path, answer) for path, answer in Ops(vitals).answers().items()
    ]
    return Application(_routed(routes), url_prefix=_normal(url_prefix), allowed_hosts=allowed_hosts)


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
        secure: bool = False,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._inner = inner
        self._prefix = url_prefix
        self._hosts = None if allowed_hosts is None else {name.lower() for name in allowed_hosts}
        self._headers = _SECURITY_HEADERS + (_HTTPS_HEADERS if secure else [])
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
                message = {**message, "headers": self._with_ours(message["headers"])}
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

    def _with_ours(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Add what keeps browsers strict; a page's own policy of what it loads stays."""
        told = [*headers, *self._headers]
        if any(name.lower() == b"content-security-policy" for name, _ in told):
            return told
        return [*told, _NOTHING_LOADED]

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
        foreign = site in (b"cross-site", b"same-site")
        path = self._below_prefix(scope["path"]) or ""
        if foreign and path.startswith("/api/"):
            return PlainTextResponse(
                "Pages of other sites may not ask this. Open the address by itself instead.\n",
                status_code=403,
            )
        host = headers.get(b"host", b"").decode("latin-1").lower()
        origin = headers.get(b"origin")
        asks = scope["method"] not in SAFE or path == errors.CONSOLE + "/live"
        if asks and (foreign or not self._is_ours(origin, host)):
            return PlainTextResponse(
                "Only pages of this console may do that here.\n", status_code=403
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


_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
_HTTPS_HEADERS = [(b"strict-transport-security", b"max-age=31536000")]
#: For every answer that is no page: should a browser show it, it loads nothing.
_NOTHING_LOADED = (
    b"content-security-policy",
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)


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


def _flower(services: Services, answer: flower.Answer) -> Endpoint:
    def work(request: Request) -> Response:
        arguments, status = flower.Arguments(request.query_params), 200
        seen = services.seen_by(actor_of(request))
        try:
            told = answer(seen, request.path_params, arguments)
        except flower.SearchRefused as refused:
            told, status = {"error": str(refused)}, 400
        media_type = "application/json; charset=UTF-8"
        body = msgspec.json.encode(told)
        return respond(request, body, media_type=media_type, status=status, headers=_FRESH)

    async def endpoint(request: Request) -> Response:
        heavy = answer is not flower.workers  # which may wait for the workers
        return await _done(services, functools.partial(work, request), heavy=heavy)

    return endpoint


def _console(
    guard: Guard,
    services: Services,
    path: str,
    operation: console.Operation[Any] | None,
    change: control.Change[Any] | None,
) -> BaseRoute:
    async def endpoint(request: Request) -> Response:
        seen = services.seen_by(actor_of(request))
        if change is not None and request.method == "POST":
            return await _changed(seen, change, request)
        assert operation is not None  # else the route has no GET
        return await _asked(seen, operation, request)

    methods = ["GET"] * (operation is not None) + ["POST"] * (change is not None)
    return guard.route(errors.CONSOLE + path, endpoint, methods)


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

    return await _done(services, work, heavy=operation.heavy)


async def _until_newer(services: Services, ident: str, query: control.ActionQuery) -> None:
    """Wait for an action without keeping a thread: there are fewer of them than pages."""
    action = services.desk.get(ident)
    until = time.monotonic() + query.wait
    # Actions change in threads of their own.
    while action.sequence <= query.after and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)


async def _changed(services: Services, change: control.Change[Any], request: Request) -> Response:
    given = await _json(request)

    def work() -> Response:
        parse(console.NoQuery, request.query_params)
        told = change.answer(services, request.path_params, parse_body(change.body, given))
        body = msgspec.json.encode(told)
        return respond(
            request, body, media_type="application/json", status=change.status, headers=_FRESH
        )

    return await _done(services, work, heavy=change.heavy)


async def _done(services: Services, work: Callable[[], Response], *, heavy: bool) -> Response:
    """Look, filter and encode off the event loop: with many tasks in memory it takes a while."""
    return await (services.turns.run(work) if heavy else run_in_threadpool(work))


async def _json(request: Request) -> bytes:
    """Read a body that must be JSON: no form of another site can send that unasked."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "A body of 'Content-Type: application/json' is needed.")
    return await read_body(request)


#: How often an action is looked at while somebody waits for it to change.
_LOOK_SECONDS = 0.05
_FRESH = {"Cache-Control": "no-store"}


def _live(hub: live.Hub) -> Callable[[Request], Awaitable[Any]]:
    async def endpoint(request: Request) -> live.Stream:
        return hub.open(parse(console.LiveQuery, request.query_params), actor_of(request))

    return endpoint


def _openapi(version: str, prefix: str) -> Endpoint:
    @functools.cache  # made when somebody asks: it takes longer than all else at the start
    def body() -> bytes:
        base = prefix + errors.CONSOLE
        return msgspec.json.encode(
            openapi.document(OPERATIONS, CHANGES, version=version, base=base)
        )

    async def endpoint(request: Request) -> Response:
        told = await run_in_threadpool(body)
        return respond(request, told, media_type="application/json")

    return endpoint


def _audit_export(services: Services) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        query = parse(audit.ExportQuery, request.query_params)
        media_type, name = audit.EXPORTS[query.format]
        return StreamingResponse(
            audit.export(services.seen_by(actor_of(request)), query),
            media_type=media_type,
            headers={**_FRESH, "Content-Disposition": f'attachment; filename="{name}"'},
        )

    return endpoint


def _history_export(services: Services) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        query = parse(history.HistoryExportQuery, request.query_params)
        media_type, name = FORMATS[query.format]
        pieces = history.export(services.seen_by(actor_of(request)), query)
        first = await anext(pieces)  # what is wrong with the question has a status of its own

        async def all_of_it() -> AsyncIterator[bytes]:
            yield first
            if request.method == "HEAD":
                return
            async for piece in pieces:
                yield piece

        return StreamingResponse(
            all_of_it(),
            media_type=media_type,
            headers={**_FRESH, "Content-Disposition": f'attachment; filename="{name}"'},
        )

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
