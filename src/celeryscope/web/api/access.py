"""Who comes in, by our own API: who one is, one's sessions, and the tokens of programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from celeryscope.errors import BadArgument, Forbidden, NotFound
from celeryscope.model.actor import RANKS, Actor, Role, Scope, Way
from celeryscope.web.api.console import NoQuery, Operation
from celeryscope.web.api.control import Change, Nothing
from celeryscope.web.auth.sessions import Session
from celeryscope.web.auth.tokens import Token
from celeryscope.web.services import Services

_MAX_EXPIRY_SECONDS = 10 * 366 * 86_400


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """To what somebody is limited: patterns of names; none is no limit."""

    queues: list[str]
    tasks: list[str]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do."""

    name: str
    role: Role
    way: Way
    scope: Limits
    read_only: bool  # nobody may change anything here
    login: bool  # people can log in here
    csrf: str | None  # goes into the header X-Celeryscope-CSRF of every POST; None: not needed
    expires_at: float | None  # when the session ends, whatever is done
    can_log_out: bool


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is logged in with a browser."""

    id: str
    name: str
    role: Role
    way: Way
    address: str  # from where they logged in
    user_agent: str
    started_at: float
    seen_at: float
    expires_at: float
    current: bool  # the one that asks


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """Your sessions, the one used last first; everybody's, for an admin without limits."""

    now: float
    sessions: list[SessionRow]


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its secret, which nobody has but its holder."""

    id: str
    name: str
    role: Role
    scope: Limits
    owner: str  # who made it; empty: the command line
    created_at: float
    expires_at: float | None  # None: never
    used_at: float | None
    expired: bool


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """Your tokens, the newest first; everybody's, for an admin without limits."""

    now: float
    tokens: list[TokenRow]
    roles: list[Role]  # that you may give


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    role: Role
    queues: Annotated[list[str], Meta(max_length=100)] = []
    tasks: Annotated[list[str], Meta(max_length=100)] = []
    expires_in: Annotated[float, Meta(gt=0, le=_MAX_EXPIRY_SECONDS)] | None = None  # None: never


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was made. Its secret is told here once, and kept nowhere."""

    token: TokenRow
    secret: str


# ---------------------------------------------------------------------- the answers


def me(services: Services, _path: Mapping[str, str], _query: NoQuery) -> Me:
    """Say who you are, and what you may do."""
    actor, door = services.actor, services.door
    session = _session_of(services)
    return Me(
        name=actor.name,
        role=actor.role,
        way=actor.way,
        scope=_limits(actor.scope),
        read_only=door.read_only,
        login=door.has_login,
        csrf=None if session is None else door.sessions.csrf(session),
        expires_at=None if session is None else session.expires_at,
        can_log_out=session is not None,
    )


def sessions(services: Services, _path: Mapping[str, str], _query: NoQuery) -> SessionList:
    """List who is logged in: you, or everybody, for an admin without limits."""
    now = services.clock()
    seen = [one for one in services.door.sessions.list(now=now) if _is_theirs(services.actor, one)]
    seen.sort(key=lambda one: one.seen_at, reverse=True)
    return SessionList(now=now, sessions=[_session_row(services.actor, one) for one in seen])


def end_session(services: Services, path: Mapping[str, str], _body: Nothing) -> SessionRow:
    """End a session: whoever has its cookie is out."""
    held = services.door.sessions
    for session in held.list(now=services.clock()):
        if session.id == path["id"] and _is_theirs(services.actor, session):
            held.end(session.id)
            services.door.trail.write(
                kind="session",
                by=services.actor,
                what="session ended",
                subjects=[session.name],
                detail=f"session {session.id}",
                outcome="done",
            )
            return _session_row(services.actor, session)
    raise NotFound("session", path["id"])


def tokens(services: Services, _path: Mapping[str, str], _query: NoQuery) -> TokenList:
    """List tokens: yours, or everybody's, for an admin without limits."""
    now = services.clock()
    seen = [one for one in services.door.tokens.list() if _is_mine(services.actor, one)]
    seen.sort(key=lambda one: one.created_at, reverse=True)
    return TokenList(
        now=now,
        tokens=[_token_row(one, now) for one in seen],
        roles=[role for role in RANKS if services.actor.may(role)],
    )


def make_token(services: Services, _path: Mapping[str, str], body: TokenRequest) -> NewToken:
    """Make a token for a program; it may never do more than you."""
    actor, now = services.actor, services.clock()
    if actor.way == "token":
        raise Forbidden(
            "A token makes no other tokens.", hint="Log in, or use `celeryscope token add`."
        )
    if not actor.may(body.role):
        raise Forbidden(f"A token of yours is {actor.role} at most.")
    scope = Scope(queues=tuple(body.queues), tasks=tuple(body.tasks))
    if actor.scope.limited and scope != actor.scope:
        if scope.limited:
            raise BadArgument("queues", "A token of yours has your own limits: give none.")
        scope = actor.scope
    owner = owner_of(actor)
    token, secret = services.door.tokens.create(
        name=body.name,
        role=body.role,
        scope=scope,
        owner=owner,
        expires_at=None if body.expires_in is None else now + body.expires_in,
        now=now,
    )
    services.door.trail.write(
        kind="token",
        by=actor,
        what="token made",
        subjects=[token.name],
        arguments={"role": token.role, "expires_in": body.expires_in},
        outcome="done",
    )
    return NewToken(token=_token_row(token, now), secret=secret)


def revoke_token(services: Services, path: Mapping[str, str], _body: Nothing) -> TokenRow:
    """Revoke a token: nobody comes in by it any more."""
    for token in services.door.tokens.list():
        if token.id == path["id"] and _is_mine(services.actor, token):
            services.door.tokens.revoke(token.id)
            services.door.trail.write(
                kind="token",
                by=services.actor,
                what="token revoked",
                subjects=[token.name],
                outcome="done",
            )
            return _token_row(token, services.clock())
    raise NotFound("token", path["id"])


# ---------------------------------------------------------------------- rows


def owner_of(actor: Actor) -> str:
    """Name who makes a token: a user of the file by the name alone, others with how they came."""
    return actor.name if actor.way == "password" else f"{actor.way}:{actor.name}"


def _session_of(services: Services) -> Session | None:
    if not services.actor.session:
        return None
    for session in services.door.sessions.list(now=services.clock()):
        if session.id == services.actor.session:
            return session
    return None


def _is_theirs(actor: Actor, session: Session) -> bool:
    return _sees_everybody(actor) or (session.name == actor.name and session.way == actor.way)


def _is_mine(actor: Actor, token: Token) -> bool:
    return _sees_everybody(actor) or token.owner == owner_of(actor)


def _sees_everybody(actor: Actor) -> bool:
    # Whose queues or tasks are limited is an admin of these alone.
    return actor.role == "admin" and not actor.scope.limited


def _limits(scope: Scope) -> Limits:
    owner = scope.within or Scope()
    return Limits(queues=list(scope.queues or owner.queues), tasks=list(scope.tasks or owner.tasks))


def _session_row(actor: Actor, session: Session) -> SessionRow:
    return SessionRow(
        id=session.id,
        name=session.name,
        role=session.role,
        way=session.way,
        address=session.address,
        user_agent=session.user_agent,
        started_at=session.started_at,
        seen_at=session.seen_at,
        expires_at=session.expires_at,
        current=session.id == actor.session,
    )


def _token_row(token: Token, now: float) -> TokenRow:
    return TokenRow(
        id=token.id,
        name=token.name,
        role=token.role,
        scope=_limits(token.scope),
        owner=token.owner,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        expired=token.expires_at is not None and token.expires_at <= now,
    )


ME = Operation(me, NoQuery, Me)
SESSIONS = Operation(sessions, NoQuery, SessionList)
TOKENS = Operation(tokens, NoQuery, TokenList)
END_SESSION = Change(end_session, Nothing, SessionRow, status=200)
MAKE_TOKEN = Change(make_token, TokenRequest, NewToken, status=201, refusal="The name is taken.")
REVOKE_TOKEN = Change(revoke_token, Nothing, TokenRow, status=200)
