"""Who asks: from a request to an actor, by a session, a token, a password or a proxy's word."""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec import structs
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import Scope as AsgiScope

from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail
from celeryscope.errors import (
    CeleryscopeError,
    CsrfMissing,
    Forbidden,
    NotFound,
    NotLoggedIn,
    ReadOnly,
    TooMany,
    Unavailable,
)
from celeryscope.model.actor import RANKS, Actor, Role, Scope
from celeryscope.web.auth.identity import Identity, LoginProvider
from celeryscope.web.auth.policy import Rule
from celeryscope.web.auth.proxy import Proxy
from celeryscope.web.auth.sessions import Session, Sessions
from celeryscope.web.auth.throttle import Throttle
from celeryscope.web.auth.tokens import Token, Tokens
from celeryscope.web.auth.users import Users

logger = logging.getLogger(__name__)

#: Where an ASGI scope carries who asks.
VISIT: Final = "celeryscope.visit"
#: The header in which a page with a session proves that it is ours.
CSRF_HEADER: Final = "x-celeryscope-csrf"

_MAX_AUTHORIZATION = 4_096
#: The same denial by the same person is written once in so many seconds.
_DENIED_SECONDS = 60.0
_MAX_DENIED = 1_000
_MOST_HINTS = 1_000
_MOST_STAMPS = 1_000


class Visit(NamedTuple):
    """A request's sender."""

    actor: Actor | None  # None: somebody not known, who may see nothing
    address: str
    secure: bool  # did it come by HTTPS, as far as people are concerned
    session: Session | None = None
    cookie: str | None = None  # a new value of the session's cookie, to be set


class Door:
    """Knows everybody that comes in, and lets each do what the policy says."""

    def __init__(
        self,
        *,
        users: Users | None = None,
        tokens: Tokens | None = None,
        sessions: Sessions | None = None,
        proxy: Proxy | None = None,
        provider: LoginProvider | None = None,
        anonymous: Role | None = "admin",
        until_login: bool = False,
        read_only: bool = False,
        open_settings: Sequence[str] = ("metrics", "health"),
        cookie: str = "celeryscope",
        trail: Trail | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`anonymous` is what people may do who are not known; None: nothing. By default the
        door stands open. With `until_login` that ends as soon as there is a way to log in.
        `open_settings` are those settings of rules that need no login. `cookie` is the name of a
        session's cookie.
        """
        self.users = users or Users(None)
        self.tokens = tokens or Tokens(None)
        self.sessions = sessions or Sessions(
            None, key=b"", idle_seconds=43_200.0, lifetime_seconds=604_800.0
        )
        self.proxy = proxy or Proxy(
            trusted=(), user_header="", role_header="", roles={}, default_role=None
        )
        self.provider = provider
        self._anonymous = anonymous
        self._until_login = until_login
        self.read_only = read_only
        self.cookie = cookie
        self.trail = trail or Trail(None)
        self.throttle = Throttle()
        self._open = frozenset(open_settings)
        self.clock = clock
        self._hints: OrderedDict[str, str] = OrderedDict()  # by session
        self._denied: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._denied_lock = threading.Lock()
        self._stamps: OrderedDict[str, str | None] = OrderedDict()  # by session

    @property
    def anonymous(self) -> Role | None:
        """What people may do who are not known; None: nothing."""
        return None if self._until_login and self.has_login else self._anonymous

    @property
    def has_login(self) -> bool:
        """Say whether there is a way to log in, or a proxy that names people."""
        return self.users.exist() or self.provider is not None or self.proxy.names_people

    def close(self) -> None:
        """Write what is written now and then: who was seen when."""
        for kept in (self.sessions, self.tokens):
            with contextlib.suppress(Unavailable):  # it was logged
                kept.flush()

    # ------------------------------------------------------------------ who is it

    async def visit(self, scope: AsgiScope, cookie: str | None) -> Visit:
        """Give who sends this request; `cookie` is the value of the session's cookie.

        Raises `NotLoggedIn` when what they show is wrong, and `TooMany` after many wrong ones.
        """
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        peer = scope["client"][0] if scope.get("client") else None
        address = self.proxy.address(peer, headers) or "unix socket"
        visit = Visit(None, address, self.proxy.scheme(peer, headers, scope["scheme"]) == "https")
        given = Headers(raw=headers).getlist("authorization")
        identity = self.proxy.identify(peer, headers)
        if identity is not None and all(one[:6].lower() == "basic " for one in given):
            # A proxy that asks for a password itself passes it on, and it is none of ours.
            return visit._replace(actor=self._identified(identity, address))
        if given:
            return visit._replace(actor=await self._shown(given, address))
        if cookie and (seen := await self._with_session(cookie, visit)) is not None:
            return seen
        return visit._replace(actor=self._nobody(address))

    def _nobody(self, address: str) -> Actor | None:
        if self.anonymous is None:
            return None
        return Actor(name="anonymous", role=self.anonymous, way="anonymous", address=address)

    def _identified(self, identity: Identity, address: str) -> Actor:
        return Actor(
            name=identity.name,
            role=identity.role,
            way="proxy",
            scope=identity.scope,
            address=address,
        )

    async def _with_session(self, cookie: str, visit: Visit) -> Visit | None:
        now = self.clock()
        found = self.sessions.find(cookie, now=now)
        if found is None:
            return None
        session = found.session
        role, scope = session.role, session.scope
        if session.way == "password":
            # What the file of users says now: somebody may have been taken out, or down.
            user = self.users.find(session.name)
            if user is None or self.users.stamp(session.name) != session.stamp:
                with contextlib.suppress(NotFound):  # another process was faster
                    await run_in_threadpool(self.sessions.end, session.id)  # it writes a file
                return None
            role, scope = user.role, user.scope
            self._stamps[session.id] = session.stamp
            self._stamps.move_to_end(session.id)
            while len(self._stamps) > _MOST_STAMPS:
                self._stamps.popitem(last=False)
        actor = Actor(
            name=session.name,
            role=role,
            way=session.way,
            scope=scope,
            address=visit.address,
            session=session.id,
        )
        return visit._replace(actor=actor, session=session, cookie=found.cookie)

    async def _shown(self, given: Sequence[str], address: str) -> Actor:
        """Read an Authorization header (RFC 7617 and RFC 6750)."""
        if len(given) > 1 or len(given[0]) > _MAX_AUTHORIZATION:
            raise NotLoggedIn("The Authorization header cannot be read.")
        scheme, _, value = given[0].strip().partition(" ")
        if scheme.lower() == "bearer":
            return await self._with_token(value.strip(), address)
        if scheme.lower() == "basic":
            name, password = _basic(value.strip())
            return await self.check_password(name, password, address)
        raise NotLoggedIn("The Authorization header must be 'Basic' or 'Bearer'.")

    async def _with_token(self, secret: str, address: str) -> Actor:
        # Not throttled: nobody guesses one, and an old one must not shut out its neighbours.
        token = self.tokens.find(secret, now=self.clock())
        actor = None if token is None else self._of_token(token, address)
        if actor is None:
            why = "This token is not known, has expired or was revoked."
            await self.tell_refused(why, address)
            raise NotLoggedIn(why)
        return actor

    def _of_token(self, token: Token, address: str) -> Actor | None:
        """Give a token's holder: never more than the user who made it is now."""
        role, scope = token.role, token.scope
        if token.owner and ":" not in token.owner:
            owner = self.users.find(token.owner)
            if owner is None:
                return None
            role = min(role, owner.role, key=RANKS.__getitem__)
            scope = _both(scope, owner.scope)
        return Actor(
            name=token.owner.partition(":")[2] or token.owner or token.name,
            role=role,
            way="token",
            scope=scope,
            address=address,
            token=token.name,
        )

    async def check_password(self, name: str, password: str, address: str) -> Actor:
        """Give the user of this name and password; raises `NotLoggedIn` and `TooMany`."""
        now = self.clock()
        try:
            self.throttle.check(address, name, now=now)
        except TooMany:
            await self._tell_failed("", address, "throttled", now)
            raise
        user = await run_in_threadpool(self.users.verify, name, password)
        if user is None:
            self.throttle.failed(address, name, now=now)
            await self._tell_failed(name, address, "denied", now)
            if self.users.trouble is not None:  # it names files: the log has it
                raise NotLoggedIn(
                    "Nobody can log in with a password right now; the console's log says why."
                )
            raise NotLoggedIn("The name or the password is wrong.")
        self.throttle.succeeded(address, name)
        return Actor(
            name=user.name, role=user.role, way="password", scope=user.scope, address=address
        )

    # ------------------------------------------------------------------ sessions

    async def log_in(self, actor: Actor, user_agent: str, logout_hint: str | None = None) -> str:
        """Begin a session; gives the value of its cookie.

        `logout_hint` is what the provider wants to hear when the person logs out.
        """
        return await run_in_threadpool(self._log_in, actor, user_agent, logout_hint)

    def _log_in(self, actor: Actor, user_agent: str, logout_hint: str | None) -> str:
        stamp = self.users.stamp(actor.name) if actor.way == "password" else None
        session, cookie = self.sessions.begin(
            name=actor.name,
            role=actor.role,
            scope=actor.scope,
            way=actor.way,
            address=actor.address,
            user_agent=user_agent,
            stamp=stamp,
            now=self.clock(),
        )
        by = structs.replace(actor, session=session.id)
        self.trail.write(kind="login", by=by, what="log in", outcome="done")
        if logout_hint is not None:
            self._hints[session.id] = logout_hint
            while len(self._hints) > _MOST_HINTS:
                self._hints.popitem(last=False)
        return cookie

    async def log_out(self, visit: Visit, *, back_to: str = "") -> str | None:
        """End the visit's session; gives where the provider wants to hear of it, if it does.

        `back_to` is where it may send the browser afterwards.
        """
        if visit.session is None or visit.actor is None:
            return None
        await run_in_threadpool(self._log_out, visit.session, visit.actor)
        if visit.session.way != "oidc" or self.provider is None:
            return None
        try:
            return await self.provider.logout_url(self._hints.pop(visit.session.id, None), back_to)
        except CeleryscopeError as trouble:
            logger.warning("The provider cannot be told of a logout: %s", trouble)
            return None

    def _log_out(self, session: Session, actor: Actor) -> None:
        with contextlib.suppress(NotFound):  # another process may have been faster
            self.sessions.end(session.id)
        self.trail.write(kind="logout", by=actor, what="log out", outcome="done")

    async def tell_refused(self, why: str, address: str) -> None:
        """Write that a provider's word or a token was not enough; again only after a while."""
        await self._tell_failed("", address, "denied", self.clock(), why)

    def still_in(self, actor: Actor) -> bool:
        """Say whether somebody who came in may stay, for streams that stay open."""
        if actor.session:
            if not self.sessions.alive(actor.session, now=self.clock()):
                return False
            return actor.way != "password" or self._is_same_user(actor)
        if actor.token:
            return any(
                token.name == actor.token
                and token.is_live(self.clock())
                and self._of_token(token, actor.address) == actor
                for token in self.tokens.list()
            )
        if actor.way == "password":
            return self._is_same_user(actor)
        return actor.way != "anonymous" or self.anonymous == actor.role

    def _is_same_user(self, actor: Actor) -> bool:
        """Say whether the file of users has them as they came in."""
        user = self.users.find(actor.name)
        if user is None or user.role != actor.role or user.scope != actor.scope:
            return False
        known = self._stamps.get(actor.session)
        return known is None or self.users.stamp(actor.name) == known

    # ------------------------------------------------------------------ what they may

    def is_open(self, rule: Rule) -> bool:
        """Say whether nobody is asked anything there."""
        return rule.role is None or (bool(rule.setting) and rule.setting in self._open)

    async def check(
        self, visit: Visit, rule: Rule, method: str, given: Headers, doing: str
    ) -> None:
        """Let somebody through whom the rule lets; `doing` is what they want, for people.

        Raises `NotLoggedIn` where nobody is known, and `Forbidden` where somebody may not.
        """
        if visit.actor is None:
            raise NotLoggedIn(hint="Log in, or show a token: 'Authorization: Bearer TOKEN'.")
        try:
            if method not in SAFE:
                self.check_csrf(visit, given)
            self.demand(visit.actor, rule.needed or "viewer", doing, changes=rule.changes)
            if rule.limited == "nothing" and visit.actor.scope.limited:
                raise Forbidden(
                    "This tells of all queues and tasks, and yours are limited.",
                    hint="Ask an administrator.",
                )
        except Forbidden:
            if rule.role != "viewer" or method not in SAFE:
                await run_in_threadpool(self.tell_denied, visit.actor, doing)
            raise

    def check_csrf(self, visit: Visit, given: Headers) -> None:
        """Raise `CsrfMissing` where a session's request does not prove that it is our page's."""
        if visit.session is None:
            return
        if not self.sessions.csrf_is(visit.session, given.get(CSRF_HEADER, "")):
            raise CsrfMissing(
                "This changes something, and did not come with the token of the page.",
                hint="Load the page again. A program shows an API token instead of a cookie.",
            )

    def demand(self, actor: Actor, role: Role, doing: str, *, changes: bool) -> None:
        """Raise `Forbidden` unless somebody may do what needs at least `role`."""
        if changes and self.read_only:
            raise ReadOnly(
                f"{_sentence(doing)} changes something, and this console is read-only.",
                hint="It was started with --read-only.",
            )
        if not actor.may(role):
            hint = "Ask an administrator for it."
            if actor.way == "anonymous":
                hint = f"--anonymous-role {role} gives it to everybody who reaches this console."
                if self.has_login:
                    hint = "Log in."
            raise Forbidden(
                f"{_sentence(doing)} needs the role '{role}'; yours is '{actor.role}'.", hint=hint
            )

    def tell_denied(self, actor: Actor, doing: str) -> None:
        """Write that somebody may not; the same again only after a while."""
        if self._is_new((f"{actor.name}@{actor.address}", doing), self.clock()):
            self.trail.write(kind="denied", by=actor, what=doing, outcome="denied")

    async def _tell_failed(
        self, name: str, address: str, outcome: str, now: float, why: str = ""
    ) -> None:
        if name and self.users.find(name) is None:
            name = "an unknown name"  # a password, now and then, in the wrong field
        if self._is_new((f"{name[:128]}@{address}", outcome + why), now):
            write = functools.partial(
                self.trail.write,
                kind="login failed",
                by=By(name=name[:128], address=address),
                what="log in",
                outcome=outcome,
                detail=why,
            )
            await run_in_threadpool(write)  # the disk may take its time

    def _is_new(self, key: tuple[str, str], now: float) -> bool:
        with self._denied_lock:
            if now - self._denied.get(key, 0.0) < _DENIED_SECONDS:
                return False
            self._denied[key] = now
            self._denied.move_to_end(key)
            while len(self._denied) > _MAX_DENIED:
                self._denied.popitem(last=False)
            return True


#: Methods that change nothing (RFC 9110 §9.2.1).
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def _both(one: Scope, other: Scope) -> Scope:
    """Give limits that let through nothing that either stops."""
    if one == other or not other.limited:
        return one
    return structs.replace(one, within=other) if one.limited else other


def _sentence(doing: str) -> str:
    return f"{doing[:1].upper()}{doing[1:]}"


def _basic(value: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise NotLoggedIn("The Authorization header cannot be read.")
    return name, password


def cookie_name(key: bytes, *, host_bound: bool) -> str:
    """Name the session's cookie: ports share cookies, so two consoles need names of their own.

    `host_bound`: it is for the whole host and HTTPS alone, which the prefix makes browsers check
    (RFC 6265bis §4.1.3.2).
    """
    own = hashlib.sha256(b"cookie name" + key).hexdigest()[:8]
    return ("__Host-" if host_bound else "") + f"celeryscope-{own}"
