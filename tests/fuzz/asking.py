"""Requests as a server hands them to the application, without one in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import anyio
from hypothesis import strategies as st

from tests.fuzz.hostile import NASTY, sendable, texts

Headers = list[tuple[bytes, bytes]]


class Told(NamedTuple):
    """An answer."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Give the value of the one header of this name; empty where there is none."""
        found = [value for key, value in self.headers if key == name.encode()]
        assert len(found) <= 1, f"{name} stands there {len(found)} times"
        return found[0].decode("latin-1") if found else ""

    def values(self, name: str) -> list[str]:
        """Give the values of all headers of this name."""
        return [value.decode("latin-1") for key, value in self.headers if key == name.encode()]


async def ask(
    app: Any,
    target: str,
    *,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: Sequence[bytes] = (b"",),
    client: tuple[str, int] | None = ("127.0.0.1", 50_000),
    scheme: str = "http",
) -> Told:
    """Ask with a request target as it stands on the request line; `body` comes in pieces."""
    raw, _, query = target.partition("?")
    given = [(name.lower(), value) for name, value in headers]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": method, "scheme": scheme, "path": unquote(raw), "raw_path": raw.encode("ascii"),
        "query_string": query.encode("ascii"), "root_path": "", "headers": given,
        "client": client, "server": ("127.0.0.1", 5555), "state": {},
    }  # fmt: skip
    pieces = list(body)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        return {"type": "http.disconnect"}  # so that streams end

    async def send(message: Any) -> None:
        sent.append(message)

    with anyio.fail_after(30):
        await app(scope, receive, send)
    assert [message["type"] for message in sent[:1]] == ["http.response.start"]
    assert {message["type"] for message in sent[1:]} <= {"http.response.body"}
    told = b"".join(message.get("body", b"") for message in sent[1:])
    return Told(sent[0]["status"], list(sent[0].get("headers", [])), told)


def check(told: Told, *, allowed: Iterable[int] = ()) -> None:
    """See that an answer is one of ours, whatever was asked."""
    assert told.status < 500 or told.status in allowed, told.body[:500]
    for name, value in told.headers:
        assert name == name.lower()
        assert not set(name + value) & set(b"\r\n\0"), f"a header is split: {value!r}"
    assert told.header("x-content-type-options") == "nosniff"
    assert not [name for name, _ in told.headers if name.startswith(b"access-control")]
    assert b"Traceback (most recent call last)" not in told.body
    if told.header("content-type") == "application/json" and not told.header("content-encoding"):
        told.body.decode("utf-8")


def is_json(told: Told) -> Any:
    """Give what an answer of JSON says."""
    import json

    assert told.header("content-type").lower().startswith("application/json"), told
    value = json.loads(told.body)
    sendable(value)
    return value


#: What h11 lets through in a request target, and in a header.
_TARGET = "".join(map(chr, range(0x21, 0x7F)))
_escapes = st.binary(max_size=8).map(lambda data: "".join(f"%{byte:02x}" for byte in data))
_quoted = st.sampled_from(NASTY).map(
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))
)
pieces = (
    st.text(alphabet=_TARGET, max_size=12).map(lambda text: text.replace("?", ""))
    | _escapes
    | _quoted
    | st.sampled_from(["..", ".", "", "//", "%2e%2e", "%2f", "%5c", "api", "v1", "login", "assets"])
)
queries = st.text(alphabet=_TARGET, max_size=40) | st.lists(
    st.tuples(st.text(alphabet="abcdeq_", max_size=6) | _quoted, _quoted | _escapes), max_size=4
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


def _header_safe(data: bytes) -> bytes:
    return bytes(byte for byte in data if (byte >= 0x20 and byte != 0x7F) or byte == 0x09).strip()


header_values = st.binary(max_size=60).map(_header_safe) | texts.map(
    lambda text: _header_safe(text.encode("utf-8", "replace"))
)
