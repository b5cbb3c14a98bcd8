"""What an exception is called at the door: status and body, in the words of each dialect."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from celeryscope.errors import (
    BadArgument,
    BadQuery,
    CsrfMissing,
    Forbidden,
    NotFound,
    NotLoggedIn,
    NotPossible,
    ReadOnly,
    SourceError,
    TooMany,
    Unavailable,
)

logger = logging.getLogger(__name__)

CONSOLE = "/api/v1"
FLOWER = "/api"
_FLOWER_READ_ONLY = "Read only mode is enabled"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong with a request."""

    code: str  # stable, for programs: not_found, bad_argument, unavailable, ...
    message: str  # one sentence, for people
    hint: str | None = None  # what to do about it
    parameter: str | None = None  # the parameter that cannot be used
    position: int | None = None  # where in its value: a character, counted from 0


class ProblemBody(msgspec.Struct, frozen=True):
    """The body of every error answer."""

    error: Problem


#: What HTTP calls otherwise from one version of Python to the next.
_CODES = {413: "too_large", 415: "unsupported_media_type"}


class _Told(NamedTuple):
    status: int
    problem: Problem
    headers: dict[str, str]


def _classify(fault: Exception) -> _Told:
    told = str(fault)
    if isinstance(fault, NotFound):
        return _Told(404, Problem(code="not_found", message=told), {})
    if isinstance(fault, BadQuery):
        problem = Problem(
            code="bad_argument",
            message=told,
            hint=fault.hint or None,
            parameter=fault.parameter,
            position=fault.position,
        )
        return _Told(400, problem, {})
    if isinstance(fault, BadArgument):
        problem = Problem(code="bad_argument", message=told, parameter=fault.parameter or None)
        return _Told(400, problem, {})
    if isinstance(fault, NotLoggedIn):
        problem = Problem(code="not_logged_in", message=told, hint=fault.hint or None)
        return _Told(401, problem, {})
    if isinstance(fault, TooMany):
        wait = str(math.ceil(fault.retry_after_seconds))
        return _Told(429, Problem(code="too_many", message=told), {"Retry-After": wait})
    if isinstance(fault, Forbidden):
        code = "csrf" if isinstance(fault, CsrfMissing) else "forbidden"
        problem = Problem(code=code, message=told, hint=fault.hint or None)
        return _Told(403, problem, {})
    if isinstance(fault, NotPossible):
        problem = Problem(code="not_possible", message=told, hint=fault.hint or None)
        return _Told(409, problem, {})
    if isinstance(fault, (Unavailable, SourceError)):
        problem = Problem(code="unavailable", message=told, hint=fault.hint or None)
        return _Told(503, problem, {"Retry-After": "5"})
    if isinstance(fault, HTTPException):
        code = _CODES.get(fault.status_code) or HTTPStatus(fault.status_code).name.lower()
        problem = Problem(code=code, message=fault.detail)
        return _Told(fault.status_code, problem, dict(fault.headers or {}))
    # Whatever it is, it is a fault of ours: the log has the story, the client has none of it.
    logger.error("Request failed", exc_info=fault)
    message = "Something went wrong in Celeryscope; its log says what."
    return _Told(500, Problem(code="internal", message=message), {})


def _is_below(path: str, base: str) -> bool:
    return path == base or path.startswith(base + "/")


def answer(path: str, fault: Exception) -> Response:
    """Make the response that tells of `fault` in the dialect of `path`."""
    told = _classify(fault)
    if _is_below(path, CONSOLE):
        body = msgspec.json.encode(ProblemBody(told.problem))
        media_type = "application/json"
    else:
        problem = told.problem
        if isinstance(fault, ReadOnly) and _is_below(path, FLOWER):
            problem = Problem(code=problem.code, message=_FLOWER_READ_ONLY)
        text = problem.message if problem.hint is None else f"{problem.message}\n{problem.hint}"
        # Flower's error bodies end without a newline, and clients compare them.
        body = (text if _is_below(path, FLOWER) else text + "\n").encode()
        media_type = "text/plain; charset=UTF-8"
    headers = {**told.headers, "Content-Type": media_type, "Cache-Control": "no-store"}
    return Response(body, status_code=told.status, headers=headers)


async def handle(request: Request, fault: Exception) -> Response:
    """Answer a request whose handler raised."""
    return answer(request.scope["path"], fault)
