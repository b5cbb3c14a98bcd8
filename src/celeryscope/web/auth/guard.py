"""The routes: each lets in only whom its rule lets, and answers the others."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from celeryscope.errors import Forbidden, NotLoggedIn
from celeryscope.model.actor import Actor
from celeryscope.web import errors
from celeryscope.web.auth.door import SAFE, VISIT, Door, Visit
from celeryscope.web.auth.policy import Rule, rule

Endpoint = Callable[[Request], Awaitable[Any]]

#: What a browser asks a person for a name and password with, and curl and Prometheus understand.
_BASIC: Final = 'Basic realm="Celeryscope", charset="UTF-8"'


class Guard:
    """What all routes share: the door, and how the session's cookie is called and set."""

    def __init__(self, door: Door, *, prefix: str, secure: bool, lifetime_seconds: float) -> None:
        """`secure`: people come by HTTPS only, whatever we see of it."""
        self.door = door
        self.prefix = prefix
        self.secure = secure
        self._lifetime_seconds = lifetime_seconds

    def route(
        self, path: str, endpoint: Endpoint, methods: Sequence[str] = ("GET",)
    ) -> GuardedRoute:
        """Make a route; its rules are in the policy."""
        return GuardedRoute(self, path, endpoint, list(methods))

    async def visit(self, scope: Scope) -> Visit:
        """Give who sends a request; raises what `Door.visit` raises."""
        request = Request(scope)
        return await self.door.visit(scope, request.cookies.get(self.door.cookie))

    def set_cookie(self, value: str | None, *, secure: bool) -> tuple[bytes, bytes]:
        """Give the header that sets the session's cookie; None takes it away."""
        return cookie_header(
            self.door.cookie,
            value,
            path=self.prefix or "/",
            max_age_seconds=self._lifetime_seconds,
            secure=secure or self.secure,
        )

    def to_login(self, request: Request) -> Response:
        """Send a browser to the login, and back here after it."""
        here = self.prefix + request.scope["path"]
        if query := request.scope.get("query_string", b""):
            here += "?" + query.decode("latin-1")
        url = f"{self.prefix}/login?next={quote(here, safe='')}"
        return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})


class GuardedRoute(Route):
    """A route that asks first who comes.

    Its last part may be the name of a worker or a task: any text, also a newline.
    """

    def __init__(self, guard: Guard, path: str, endpoint: Endpoint, methods: list[str]) -> None:
        """Raises LookupError for a method that the policy has no rule for."""
        super().__init__(path, endpoint, methods=methods)
        for method in self.methods or ():
            if rule(path, method) is None:
                raise LookupError(f"The policy has no rule for {method} {path}.")
        self._guard = guard
        # The `.` in Starlette's `path` stops at a newline.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        needs = rule(self.path, scope["method"])
        if needs is None:  # 405
            await super().handle(scope, receive, send)
            return
        request = Request(scope)
        try:
            visit = await self._visit(scope, needs)
            if visit.cookie is not None:
                # On a refusal, too: the value from before is soon taken for a copied one.
                cookie = self._guard.set_cookie(visit.cookie, secure=visit.secure)
                send = _with_header(send, cookie)
            if not self._guard.door.is_open(needs):
                await self._check(visit, needs, scope)
        except NotLoggedIn as unknown:
            await self._unknown(request, unknown)(scope, receive, send)
            return
        except Forbidden as refused:
            await errors.answer(scope["path"], refused)(scope, receive, send)
            return
        scope[VISIT] = visit
        await super().handle(scope, receive, send)

    async def _visit(self, scope: Scope, needs: Rule) -> Visit:
        if needs.role is None:
            # Who comes to log in is not asked who they are by anything but a session.
            quiet = {**scope, "headers": [h for h in scope["headers"] if h[0] != b"authorization"]}
            return await self._guard.visit(quiet)
        if self._guard.door.is_open(needs):
            return Visit(None, "", secure=False)
        return await self._guard.visit(scope)

    async def _check(self, visit: Visit, needs: Rule, scope: Scope) -> None:
        # Not the path that was asked: somebody could fill the trail with paths of their own.
        doing = f"{scope['method']} {self.path}"
        if needs.command and needs.command != "*":
            doing = f"'{needs.command}'"
        await self._guard.door.check(visit, needs, scope["method"], Headers(scope=scope), doing)

    def _unknown(self, request: Request, unknown: NotLoggedIn) -> Response:
        path = request.scope["path"]
        is_page = "text/html" in request.headers.get("accept", "")
        if is_page and request.method in SAFE and not path.startswith("/api/"):
            return self._guard.to_login(request)
        answer = errors.answer(path, unknown)
        # The page's own requests must not make the browser ask.
        by_page = request.headers.get("sec-fetch-mode") in ("cors", "same-origin", "no-cors")
        answer.headers["WWW-Authenticate"] = "Bearer" if by_page else _BASIC
        return answer


def visit_of(request: Request) -> Visit:
    """Give who sent a request that a guarded route let in."""
    visit: Visit = request.scope[VISIT]
    return visit


def actor_of(request: Request) -> Actor:
    """Give the actor of a request whose rule needs one."""
    actor = visit_of(request).actor
    if actor is None:
        raise NotLoggedIn
    return actor


def cookie_header(
    name: str, value: str | None, *, path: str, max_age_seconds: float, secure: bool
) -> tuple[bytes, bytes]:
    """Make a Set-Cookie header for a cookie that only we and no script may read."""
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value or ""
    morsel = cookie[name]
    morsel["path"] = path
    morsel["max-age"] = int(max_age_seconds) if value else 0
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"  # a link from a chat or from Grafana finds one logged in
    if secure:
        morsel["secure"] = True
    return b"set-cookie", morsel.OutputString().encode("latin-1")


def _with_header(send: Send, header: tuple[bytes, bytes]) -> Send:
    async def with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), header]}
        await send(message)

    return with_header
