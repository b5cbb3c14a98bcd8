"""One connection: uvicorn's protocol over h11, with bounds on what a client may do to it.

A connection is always in one phase, and each phase but one has its time. The exception is the
answer, which takes as long as the application does; there it counts whether the client reads.
"""

from __future__ import annotations

import asyncio
import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

#: Read at once, at most. It also bounds how long one connection's bytes hold up all others.
READ_BYTES = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a client may take of the server."""

    head_bytes: int = 16 * 1024  # the request line and all headers
    header_lines: int = 100
    body_bytes: int = 1024 * 1024
    chunks: int = 1_000  # in a body that comes in chunks: each costs far more than its bytes
    head_seconds: float = 10.0  # from connecting, or from its first byte, to its last
    body_seconds: float = 30.0  # from the end of the head to the end of the body
    idle_seconds: float = 15.0  # between an answer and the next request
    rest_seconds: float = 2.0  # for what is still coming after the answer, and is thrown away
    unread_seconds: float = 30.0  # for reading `progress_bytes` of an answer, or all of it
    progress_bytes: int = 32 * 1024
    unread_bytes: int = 64 * 1024 * 1024  # of all answers that wait for their readers
    connections: int = 1_000
    connections_of_one_address: int = 100


class Phase(enum.Enum):
    """What a connection is waited for."""

    GREETING = "the TLS handshake"
    HEAD = "the request"
    BODY = "the body of the request"
    ANSWER = "the answer"
    REST = "the end of a request that is answered already"
    IDLE = "the next request"


class Connection(H11Protocol, asyncio.BufferedProtocol):
    """A client that connected. `notify` is called with it whenever its phase changes or it ends.

    Names of uvicorn's that this leans on: H11Protocol with `conn`, `cycle`, `flow`, `transport`,
    `data_received`, `on_response_complete`, `send_400_response`, `shutdown` and
    `timeout_keep_alive_handler`; of the cycle `disconnected`, `message_event`, `response_started`
    and `response_complete`.
    """

    conn: Wire

    def __init__(
        self,
        *,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        limits: Limits,
        buffer: memoryview,
        address: str,
        notify: Callable[[Connection], None],
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state)
        self.conn = Wire(limits)
        self.address = address  # as counted: see server.group_of
        self.phase = Phase.GREETING
        self.since = self.loop.time()  # of the phase
        self.ended = False
        self.unread_since = 0.0  # loop time; only while unread_bytes is not 0
        self.unread_bytes = 0
        self._limits = limits
        self._buffer = buffer
        self._notify = notify
        self._made = False
        self._refused = False
        #: Ends it before it is made.
        self.cancel: Callable[[], object] = lambda: None

    # ------------------------------------------------------------------ asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._made = True
        self._enter(Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.end()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self._refused or self.ended:
            return  # it is read so that the client gets to read why
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        try:
            super().data_received(data)
        except (h11.LocalProtocolError, RuntimeError):
            # It speaks where nothing can be said: after the end of its last request.
            self.cut()
        self._settle()

    # ------------------------------------------------------------------ uvicorn

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Answer what h11 or Wire did not accept. uvicorn's own way breaks answers under way."""
        fault = self.conn.fault
        status = fault.error_status_hint if fault is not None else 400
        self.refuse(status, str(fault) or msg)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing: phases have their time here."""

    def shutdown(self) -> None:
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()

    # ------------------------------------------------------------------ ends

    def refuse(self, status: int, sentence: str) -> None:
        """Say in a plain answer why it is closed; while another is being given, just close."""
        if self._refused or self.ended:
            return
        self._refused = True
        if self.phase is Phase.REST:  # it has its answer, and would take this one for another's
            self.transport.close()
            return
        if (answering := self._leave()) is not None and answering.response_started:
            self.transport.abort()
            return
        self._enter(Phase.REST)
        self.transport.write(refusal(status, sentence))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def cut(self) -> None:
        """End it now, whatever is under way."""
        if self._made:
            self._leave()
            self.transport.abort()
        else:
            self.cancel()
        self.end()

    @property
    def made(self) -> bool:
        """Say whether it has a transport, which then owns the socket."""
        return self._made

    def end(self) -> None:
        """It counts no longer. Called for all ends, also of one that was never made."""
        if not self.ended:
            self.ended = True
            self._notify(self)

    def _leave(self) -> RequestResponseCycle | None:
        """Tell the application, if it is answering, that nobody listens any more."""
        answering = self._answering()
        if answering is not None:
            answering.disconnected = True
            answering.message_event.set()
        return answering

    def _answering(self) -> RequestResponseCycle | None:
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        return cycle if cycle is not None and not cycle.response_complete else None

    # ------------------------------------------------------------------ time

    def look(self, now: float) -> str | None:
        """End it if its time is up; give what for, where it is worth counting. `now`: loop time."""
        unread = self._look_unread(now)
        if unread and now - self.unread_since > self._limits.unread_seconds:
            self.cut()
            return "did not read their answers"
        if (until := self._patience()) is None or now - self.since <= until or self.ended:
            return None
        if self.phase is Phase.GREETING:
            self.cut()
            return "did not finish their TLS handshake"
        if self.phase is Phase.HEAD and self.conn.trailing_data[0]:
            self.refuse(408, f"The request did not arrive within {until:g} seconds.")
            return "were too slow with their requests"
        if self.phase is Phase.BODY:
            self.refuse(408, f"The body of the request did not arrive within {until:g} seconds.")
            return "were too slow with the bodies of their requests"
        if not unread:
            self._close(now)
        return None

    def _close(self, now: float) -> None:
        if self.transport.is_closing():
            self.transport.abort()
        else:
            self.transport.close()
            self.since = now  # closing politely has as much time again

    def _patience(self) -> float | None:
        return {
            Phase.GREETING: self._limits.head_seconds,
            Phase.HEAD: self._limits.head_seconds,
            Phase.BODY: self._limits.body_seconds,
            Phase.REST: self._limits.rest_seconds,
            Phase.IDLE: self._limits.idle_seconds,
        }.get(self.phase)

    def _look_unread(self, now: float) -> int:
        """Note how much of what was written waits for the client, and since when no less does."""
        unread = self._unread()
        more = unread > self.unread_bytes
        if more or unread <= self.unread_bytes - self._limits.progress_bytes or not unread:
            self.unread_bytes, self.unread_since = unread, now
        return unread

    def _unread(self) -> int:
        if not self._made or self.ended:
            return 0
        waiting = self.transport.get_write_buffer_size()
        # TLS has a second transport below, where what is encrypted waits; asyncio hides it.
        below = getattr(getattr(self.transport, "_ssl_protocol", None), "_transport", None)
        return waiting + (below.get_write_buffer_size() if below is not None else 0)

    # ------------------------------------------------------------------ phases

    def _settle(self) -> None:
        """Find the phase from where h11 and the answer stand."""
        if self._refused or self.ended:
            return
        self._enter(self._found())

    def _found(self) -> Phase:
        if self.transport.is_closing():
            return Phase.ANSWER  # its end is being written
        answered = self._answering() is None
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            return Phase.REST if answered else Phase.BODY
        if theirs is h11.IDLE and answered:
            return Phase.HEAD if self.conn.trailing_data[0] else Phase.IDLE
        return Phase.ANSWER

    def _enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.phase, self.since = phase, self.loop.time()
            self._notify(self)


class Wire(h11.Connection):
    """h11, and what it leaves to others: bounds on a request, and what could be read two ways."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        #: What was wrong with the request that was refused last.
        self.fault: h11.RemoteProtocolError | None = None
        self._limits = limits
        self._body_bytes = 0
        self._chunks = 0

    def next_event(self) -> Any:
        """As h11's. Raises RemoteProtocolError, which `fault` keeps, with a status for it."""
        try:
            if self.their_state is h11.IDLE:
                self._check_head(self.trailing_data[0])
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._check_request(event)
            elif isinstance(event, h11.Data):
                self._check_data(event)
            return event
        except h11.RemoteProtocolError as fault:
            self.fault = fault
            raise

    def _check_head(self, read: bytes) -> None:
        """h11 bounds only a head that has not arrived as a whole."""
        found = _HEAD_END.search(read)
        size = found.end() if found else len(read)
        if size > self._limits.head_bytes:
            raise _fault(431, f"The request has more than {self._limits.head_bytes:,} bytes of "
                         "address and headers.")  # fmt: skip
        if read.count(b"\n", 0, size) > self._limits.header_lines + 2:  # first and last line
            raise _fault(431, f"The request has more than {self._limits.header_lines} headers.")

    def _check_request(self, request: h11.Request) -> None:
        self._body_bytes = self._chunks = 0
        headers = dict(request.headers)
        if b"transfer-encoding" in headers and (
            b"content-length" in headers or request.http_version == b"1.0"
        ):
            # RFC 9112, 6.1 and 6.3: a proxy before us may have read it the other way.
            raise _fault(400, "The length of the request's body is given in two ways.")
        self._check_length(int(headers.get(b"content-length", b"0")))

    def _check_data(self, data: h11.Data) -> None:
        self._body_bytes += len(data.data)
        self._check_length(self._body_bytes)
        self._chunks += data.chunk_start
        if self._chunks > self._limits.chunks:
            raise _fault(413, f"The body comes in more than {self._limits.chunks:,} chunks.")

    def _check_length(self, length: int) -> None:
        if length > self._limits.body_bytes:
            raise _fault(413, f"The body has more than {self._limits.body_bytes:,} bytes.")


def refusal(status: int, sentence: str) -> bytes:
    """Make a whole answer, as bytes, that ends the connection."""
    body = f"{sentence}\n".encode()
    phrase = HTTPStatus(status).phrase if status in _STATUSES else "Refused"
    return (
        f"HTTP/1.1 {status} {phrase}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body


def _fault(status: int, sentence: str) -> h11.RemoteProtocolError:
    return h11.RemoteProtocolError(sentence, error_status_hint=status)


_HEAD_END = re.compile(rb"\n\r?\n")
_STATUSES = frozenset(HTTPStatus)
