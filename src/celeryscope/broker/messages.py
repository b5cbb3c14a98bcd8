"""A look at the messages that wait in a queue, without taking them.

The core turns what a broker keeps into a `Message`, whatever it is: nothing in it makes a page
fail, and nothing but JSON is ever decoded.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.model.message import Message, Page
from celeryscope.model.text import sound

Mask = Callable[[str], str]

#: Of a larger message only what surrounds the body is fetched, and no more than this of it.
MOST_MESSAGE_BYTES = 64 * 1024
_MOST_TEXT_CHARS = 1_000  # of arguments
_MOST_NAME_CHARS = 300  # of names and ids
_MOST_HEADERS = 30
_MOST_HEADER_CHARS = 300
_DEEPEST = 5  # of values inside a header
_WIDEST = 30  # of lists and mappings inside a header
_HIDDEN = "***"
_SECRET = re.compile(
    r"pass(word|wd|phrase)?\b|pwd|secret|token|credential|authoriz|\bauth\b|cookie|session"
    r"|api[-_]?key|private[-_]?key|access[-_]?key|signature",
    re.IGNORECASE,
)
#: Headers that have a field of their own.
_TOLD = frozenset(
    {"task", "id", "root_id", "parent_id", "argsrepr", "kwargsrepr"}
    | {"eta", "expires", "retries", "origin"}
)
_JSON = ("application/json", "application/x-json", "text/json")
_EARLIEST, _LATEST = 1e9, 1e11  # epoch seconds: what is outside is no time


class Peek(Protocol):
    """Looks at the waiting messages of one kind of broker. Used from any thread."""

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
        """Give the messages from position `offset` on, at most `limit`.

        `put_back` allows a look that takes messages out for a moment, where there is no other.
        Each call has a connection of its own, which it closes. Raises `NotPossible` where one
        cannot look, `NotFound` when the broker knows no such queue, and `SourceError` when it
        cannot be asked.
        """


class NoPeek:
    """For brokers that hand out a message only for good."""

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
        """See `Peek.read`."""
        raise NotPossible(
            "This broker does not let one look at messages without taking them.",
            hint="Redis does, and RabbitMQ with its management API.",
        )


class Looks:
    """Lets only a few look at once, so that curiosity is no load for the broker."""

    def __init__(
        self,
        peek: Peek,
        *,
        at_once: int = 2,
        patience_seconds: float = 3.0,
        show_arguments: bool = True,
    ) -> None:
        self._peek = peek
        self._show_arguments = show_arguments
        self._free = threading.BoundedSemaphore(at_once)
        self._patience = patience_seconds

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
        """See `Peek.read`. Raises `Unavailable` when others look for too long."""
        if not self._free.acquire(timeout=self._patience):
            raise Unavailable(
                "Others are looking at messages just now.", hint="Try again in a moment."
            )
        try:
            page = self._peek.read(queue, offset=offset, limit=limit, put_back=put_back)
        finally:
            self._free.release()
        return page if self._show_arguments else _without_arguments(page)


def _without_arguments(page: Page) -> Page:
    bare = msgspec.structs.replace
    messages = [bare(message, args=None, kwargs=None) for message in page.messages]
    return bare(page, messages=messages)


# ---------------------------------------------------------------------- what is in a message


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A message taken apart, as far as its broker's envelope goes; each part may be anything."""

    size_bytes: int
    headers: object = None
    properties: object = None
    content_type: object = None
    content_encoding: object = None
    body: bytes | None = None  # None: it was not fetched, or not whole
    redelivered: bool = False
    problem: str | None = None


def from_envelope(envelope: bytes | None, *, size_bytes: int, cut: bool) -> Parts:
    """Open what kombu's own transports keep of a message; None: it was too large to fetch.

    `cut` says that its body was left out.
    """
    if envelope is None:
        return Parts(size_bytes=size_bytes, problem="It is too large to look into.")
    try:
        opened = json.loads(envelope)
    except (ValueError, RecursionError):
        return Parts(size_bytes=size_bytes, problem="It is not JSON: kombu did not write it.")
    if not isinstance(opened, dict):
        return Parts(size_bytes=size_bytes, problem="It is no message of kombu's.")
    properties = opened.get("properties")
    delivery = _mapping(_mapping(properties).get("delivery_info"))
    return Parts(
        size_bytes=size_bytes,
        headers=opened.get("headers"),
        properties=properties,
        content_type=opened.get("content-type"),
        content_encoding=opened.get("content-encoding"),
        body=None if cut else _body(opened.get("body"), _mapping(properties)),
        redelivered=delivery.get("redelivered") is True
        or _mapping(opened.get("headers")).get("redelivered") is True,
    )


def _body(body: object, properties: Mapping[str, Any]) -> bytes:
    """Give the body's bytes; none for what is no body."""
    if not isinstance(body, str):
        return b""
    if properties.get("body_encoding") != "base64":
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return b""


def describe(parts: Parts, *, position: int, mask: Mask | None = None) -> Message:
    """Say what a message is, in Celery's protocol 2 (headers tell) or 1 (the body tells).

    The representations that the sender made are preferred to the body: it may have left
    something out of them on purpose.
    """
    headers, properties = _mapping(parts.headers), _mapping(parts.properties)
    content_type = _text(parts.content_type)
    two = isinstance(headers.get("task"), str)
    args, kwargs = headers.get("argsrepr"), headers.get("kwargsrepr")
    told: Mapping[str, Any] = headers
    problem = parts.problem
    if problem is None and not (two and isinstance(args, str) and isinstance(kwargs, str)):
        body, problem = _decoded(parts, headers, content_type)
        if problem is None and two:
            args, kwargs = _arguments_of_two(body, args, kwargs)
        elif problem is None and isinstance(body, dict) and isinstance(body.get("task"), str):
            told, args, kwargs = body, _args(body.get("args")), _shown(body.get("kwargs"))
        elif problem is None:
            problem = "It is no task of Celery's."
    return Message(
        position=position,
        size_bytes=parts.size_bytes,
        uuid=_text(told.get("id")) or _text(properties.get("correlation_id")),
        name=_text(told.get("task")),
        root_id=_text(told.get("root_id")),
        parent_id=_text(told.get("parent_id")),
        args=_argument(args, mask),
        kwargs=_argument(kwargs, mask),
        eta=_text(told.get("eta")),
        expires=_text(told.get("expires")),
        retries=_whole(told.get("retries")),
        origin=_text(headers.get("origin")),
        priority=_whole(properties.get("priority")),
        content_type=content_type,
        headers=_headers(headers, mask),
        redelivered=parts.redelivered,
        sent=_time(properties.get("timestamp")),
        problem=problem,
    )


def _decoded(
    parts: Parts, headers: Mapping[str, Any], content_type: str | None
) -> tuple[object, str | None]:
    """Decode the body if it is plain JSON; else give the reason why not."""
    if content_type not in _JSON:
        return None, f"Its body ({content_type or 'of no type'}) is not decoded."
    if headers.get("compression"):
        return None, "Its body is compressed, and not decoded."
    if parts.body is None:
        return None, "Its body is too large to look into."
    try:
        return json.loads(parts.body), None
    except (ValueError, RecursionError):
        return None, "Its body is not the JSON that it says to be."


def _arguments_of_two(body: object, args: object, kwargs: object) -> tuple[object, object]:
    if isinstance(body, list) and len(body) >= 2:
        args = args if isinstance(args, str) else _args(body[0])
        kwargs = kwargs if isinstance(kwargs, str) else _shown(body[1])
    return args, kwargs


def _args(value: object) -> str | None:
    return _shown(tuple(value) if isinstance(value, list) else value)


def _shown(value: object) -> str | None:
    try:
        return None if value is None else repr(value)
    except (RecursionError, ValueError):  # nested too deep, or a number of 5,000 digits
        return None


def _argument(text: object, mask: Mask | None) -> str | None:
    return _cut(text, _MOST_TEXT_CHARS, mask) if isinstance(text, str) else None


def _headers(headers: Mapping[str, Any], mask: Mask | None) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in headers.items():
        if name in _TOLD or value is None or value in ("", [], {}):
            continue
        if len(shown) == _MOST_HEADERS:
            shown["…"] = "there are more"
            break
        shown[_cut(str(name), _MOST_NAME_CHARS)] = _header(str(name), value, mask)
    return shown


def _header(name: str, value: object, mask: Mask | None) -> str:
    safe = _without_secrets(name, value)
    text = safe if isinstance(safe, str) else json.dumps(safe, ensure_ascii=False, default=str)
    return _cut(text, _MOST_HEADER_CHARS, mask)


def _without_secrets(name: str, value: object, depth: int = 0) -> object:
    if _SECRET.search(name):
        return _HIDDEN
    if isinstance(value, (dict, list)) and depth == _DEEPEST:
        return "…"
    if isinstance(value, dict):
        items = list(value.items())[:_WIDEST]
        return {str(key): _without_secrets(str(key), item, depth + 1) for key, item in items}
    if isinstance(value, list):
        return [_without_secrets("", item, depth + 1) for item in value[:_WIDEST]]
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "…"
    return value


def _cut(text: str, most: int, mask: Mask | None = None) -> str:
    if mask is not None:  # before it is cut: half a secret might not be known as one
        text = mask(text)
    text = sound(text[: most + 1])
    return text if len(text) <= most else text[:most] + "…"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = _shown(value)
    return _cut(value, _MOST_NAME_CHARS) if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or value.bit_length() > 31:
        return None
    return value


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if _EARLIEST < value < _LATEST else None
