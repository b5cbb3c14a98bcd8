"""Logging in and out: the page, its form, and the way to a provider and back."""

from __future__ import annotations

import html
import math
import re
import time
from collections import OrderedDict
from secrets import token_urlsafe
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from celeryscope.errors import CeleryscopeError, NotLoggedIn, TooMany
from celeryscope.model.actor import Actor
from celeryscope.web.assets import Assets
from celeryscope.web.auth.guard import Guard, GuardedRoute, cookie_header, visit_of
from celeryscope.web.body import read_body

_MOST_FORM_BYTES: Final = 16_384
_MOST_NEXT_CHARS: Final = 2_000
_MOST_AWAY: Final = 5_000
_MOST_OF_ADDRESS: Final = 50
#: How long somebody may take at the provider.
_AWAY_SECONDS: Final = 600.0
#: What a path on this host looks like: never `//host`, `/\\host`, or one with a control character
#: that browsers leave out.
_LOCAL: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_ANSWERS: Final = frozenset({"code", "error", "state"})
_FRESH = {"Cache-Control": "no-store"}

#: Where the page is not built.
_PLAIN = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><base href="/"><title>Log in: Celeryscope</title></head>
<body><h1>Log in to Celeryscope</h1><!--error-->
<!--password--><form method="post" action="./login">
<input type="hidden" name="next" value="__NEXT__">
<p><label>Name <input name="name" autocomplete="username"></label></p>
<p><label>Password <input type="password" name="password" autocomplete="current-password"></label></p>
<p><button>Log in</button></p></form><!--/password-->
<!--provider--><p><a href="./login/start?next=__NEXT__">Continue with <!--label--></a></p><!--/provider-->
</body></html>
"""


class _Away(NamedTuple):
    """Somebody who is at the provider."""

    state: str  # what the provider object needs when they come back
    after: str  # where they were going
    address: str
    until: float  # monotonic seconds


class Pages:
    """The handlers of /login and /logout."""

    def __init__(self, guard: Guard, assets: Assets) -> None:
        self._guard = guard
        self._door = guard.door
        self._assets = assets
        self._away_name = guard.door.cookie + "-away"
        # Those who are at the provider, by what their cookie says: each comes back once.
        self._away: OrderedDict[str, _Away] = OrderedDict()

    def routes(self) -> list[GuardedRoute]:
        """Give the routes."""
        route = self._guard.route
        return [
            route("/login", self.login, ["GET", "POST"]),
            route("/login/", self.login),
            route("/login/start", self.start),
            route("/login/callback", self.come_back),
            route("/logout", self.logout, ["GET", "POST"]),
        ]

    # ------------------------------------------------------------------ with a password

    async def login(self, request: Request) -> Response:
        """Show the form, or take it."""
        if request.method == "POST":
            return await self._take(request)
        if _ANSWERS & request.query_params.keys():  # Flower's redirect URI is /login
            return await self.come_back(request)
        after = self._next(request.query_params.get("next", ""))
        visit = visit_of(request)
        if not self._door.has_login or (visit.actor and visit.actor.way != "anonymous"):
            return RedirectResponse(after, status_code=303, headers=_FRESH)
        return self._page(after)

    async def _take(self, request: Request) -> Response:
        form = _form(request, await read_body(request, most_bytes=_MOST_FORM_BYTES))
        after = self._next(form.get("next", ""))
        visit = visit_of(request)
        try:
            actor = await self._door.check_password(
                form.get("name", ""), form.get("password", ""), visit.address
            )
        except TooMany as refused:
            wait = {"Retry-After": str(math.ceil(refused.retry_after_seconds))}
            return self._page(after, str(refused), status=429, headers=wait)
        except NotLoggedIn as refused:
            return self._page(after, str(refused), status=401)
        return await self._enter(request, actor, after)

    async def _enter(
        self, request: Request, actor: Actor, after: str, logout_hint: str | None = None
    ) -> Response:
        visit = visit_of(request)
        if visit.session is not None:
            await self._door.log_out(visit)
        cookie = await self._door.log_in(actor, request.headers.get("user-agent", ""), logout_hint)
        answer = RedirectResponse(after, status_code=303, headers=_FRESH)
        answer.raw_headers.append(self._guard.set_cookie(cookie, secure=visit.secure))
        return answer

    # ------------------------------------------------------------------ with a provider

    async def start(self, request: Request) -> Response:
        """Send the browser to the provider."""
        after = self._next(request.query_params.get("next", ""))
        provider = self._door.provider
        if provider is None:
            return self._page(after, "There is no provider to log in with.", status=404)
        try:
            begun = await provider.begin()
        except CeleryscopeError as refused:
            return self._page(after, _told(refused), status=503)
        answer = RedirectResponse(begun.url, status_code=303, headers=_FRESH)
        key, address = token_urlsafe(32), visit_of(request).address
        self._make_room(address)
        self._away[key] = _Away(begun.state, after, address, time.monotonic() + _AWAY_SECONDS)
        answer.raw_headers.append(self._away_cookie(request, key))
        return answer

    async def come_back(self, request: Request) -> Response:
        """Take what the provider sends the browser back with."""
        provider = self._door.provider
        away = self._away.pop(request.cookies.get(self._away_name, ""), None)
        if provider is None or away is None or away.until < time.monotonic():
            return self._page(
                self._next(""),
                "This login was not begun here, or too long ago. Begin again.",
                status=400,
            )
        after = away.after
        try:
            identity = await provider.finish(away.state, dict(request.query_params))
        except CeleryscopeError as refused:
            await self._door.tell_refused(str(refused), visit_of(request).address)
            answer = self._page(after, _told(refused), status=403)
        else:
            actor = Actor(
                name=identity.name,
                role=identity.role,
                way="oidc",
                scope=identity.scope,
                address=visit_of(request).address,
            )
            answer = await self._enter(request, actor, after, identity.logout_hint)
        answer.raw_headers.append(self._away_cookie(request, None))
        return answer

    def _make_room(self, address: str) -> None:
        """Let go of the oldest of one address before those of others."""
        theirs = [key for key, away in self._away.items() if away.address == address]
        for key in theirs[: max(0, len(theirs) - _MOST_OF_ADDRESS + 1)]:
            del self._away[key]
        while len(self._away) >= _MOST_AWAY:
            self._away.popitem(last=False)

    def _away_cookie(self, request: Request, value: str | None) -> tuple[bytes, bytes]:
        return cookie_header(
            self._away_name,
            value,
            path=self._guard.prefix or "/",
            max_age_seconds=_AWAY_SECONDS,
            secure=visit_of(request).secure or self._guard.secure,
        )

    # ------------------------------------------------------------------ out again

    async def logout(self, request: Request) -> Response:
        """End the session, and tell where to go; a GET does it for a link of ours alone."""
        visit = visit_of(request)
        if request.method == "POST":
            if visit.session is not None:
                self._door.check_csrf(visit, request.headers)
            to = await self._leave(request)
            answer: Response = Response(
                msgspec.json.encode({"to": to}), media_type="application/json", headers=_FRESH
            )
        else:
            ours = request.headers.get("sec-fetch-site") in ("same-origin", "none")
            to = await self._leave(request) if ours else self._guard.prefix + "/"
            answer = RedirectResponse(to, status_code=303, headers=_FRESH)
            if not ours:
                return answer
        answer.raw_headers.append(self._guard.set_cookie(None, secure=visit.secure))
        return answer

    async def _leave(self, request: Request) -> str:
        """End the session of the one who asks; gives where the browser goes then."""
        visit, home = visit_of(request), self._guard.prefix + "/"
        if visit.session is None:
            return home
        scheme = "https" if visit.secure or self._guard.secure else "http"
        back_to = f"{scheme}://{request.headers.get('host', '')}{home}login"
        to = await self._door.log_out(visit, back_to=back_to)
        return to or (home + "login" if self._door.has_login else home)

    # ------------------------------------------------------------------ the page

    def _next(self, given: str) -> str:
        """Give where to go after the login: a path of ours, whatever was given."""
        home = self._guard.prefix + "/"
        fits = len(given) <= _MOST_NEXT_CHARS and _LOCAL.fullmatch(given)
        if not fits or not given.startswith(home):
            return home
        path = given[len(self._guard.prefix) :].partition("?")[0]
        return home if path.startswith(("/login", "/logout", "/api/")) else given

    def _page(
        self,
        after: str,
        error: str = "",
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        page, policy = self._assets.login() or (_PLAIN, None)
        if not self._door.users.exist():
            page = _PASSWORD.sub("", page)
        provider = self._door.provider
        if provider is None:
            page = _PROVIDER.sub("", page)
        said = f'<p class="error" role="alert">{html.escape(error)}</p>' if error else ""
        parts = {
            "<!--error-->": said,
            "<!--label-->": html.escape(provider.label) if provider is not None else "",
            "next=__NEXT__": "next=" + quote(after, safe=""),
            "__NEXT__": html.escape(after),
        }
        # In one pass: what is put in is not looked at again.
        page = re.sub("|".join(map(re.escape, parts)), lambda found: parts[found[0]], page)
        told = {**_FRESH, **(headers or {})}
        if policy is not None:
            told["Content-Security-Policy"] = policy
        return HTMLResponse(page, status_code=status, headers=told)


_PASSWORD = re.compile(r"<!--password-->.*?<!--/password-->", re.DOTALL)
_PROVIDER = re.compile(r"<!--provider-->.*?<!--/provider-->", re.DOTALL)


def _told(refused: CeleryscopeError) -> str:
    return f"{refused} {refused.hint}".strip()


def _form(request: Request, body: bytes) -> dict[str, str]:
    """Read a form; what is not one has no fields."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return {}
