"""The server's limits, asked over real sockets, with times short enough for a test."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import re
import resource
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from celeryscope.errors import ConfigError
from celeryscope.web import server as module
from celeryscope.web.connection import Connection, Limits, Phase
from celeryscope.web.server import Guests, Server, group_of, make_server
from tests.conftest import Certificates
from tests.recording import eventually

LIMITS = Limits(
    head_bytes=2_000,
    header_lines=20,
    body_bytes=10_000,
    chunks=50,
    head_seconds=0.6,
    body_seconds=0.6,
    idle_seconds=0.6,
    rest_seconds=0.3,
    unread_seconds=0.6,
    connections_of_one_address=3,
)
#: No test waits for so long: it is what a time is set to that is not to come.
NEVER = 1_000.0
LARGE = 20 * 1024 * 1024


class Served(NamedTuple):
    server: Server
    port: int
    asked: list[str]  # paths that the application was asked for
    gone: list[str]  # those of them whose client it heard had gone

    def connect(self, *, receive_bytes: int = 0) -> socket.socket:
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        return client

    def ask(self, request: bytes) -> bytes:
        """Send it; give everything that comes until the server closes."""
        with self.connect() as client:
            with contextlib.suppress(OSError):  # it may refuse before it has all
                client.sendall(request)
            return to_the_end(client)


@contextlib.contextmanager
def serving(limits: Limits = LIMITS, **options: Any) -> Iterator[Served]:
    asked: list[str] = []
    gone: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        asked.append(path)
        body = b"hello"
        if path == "/takes":
            taken, more = 0, True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    gone.append(path)
                    return
                taken, more = taken + len(message["body"]), message["more_body"]
            body = b"%d" % taken
        elif path == "/large":
            body = bytes(LARGE)
        elif path == "/waits":
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.append(path)
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    server = make_server(app, limits=limits, stop_seconds=1, **options)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            eventually(lambda: server.started)
            yield Served(server, port, asked, gone)
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def to_the_end(client: socket.socket) -> bytes:
    read = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(1 << 16):
            read += data
    return bytes(read)


def until_hello(client: socket.socket) -> bool:
    read = b""
    while not read.endswith(b"hello"):
        data = client.recv(1 << 16)
        if not data:
            return False
        read += data
    return True


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /takes HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "no HTTP": (b"\x16\x03\x01 hello\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (HEAD + b"Host: b\r\n\r\n", 400),
    "a space before the colon": (HEAD + b"Cookie : b\r\n\r\n", 400),
    "a control character": (HEAD + b"Cookie: a\x00b\r\n\r\n", 400),
    "a long address": (b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 3_000), 431),
    "an endless address": (b"GET /" + b"a" * 200_000, 431),
    "a long header": (HEAD + b"Cookie: %b\r\n\r\n" % (b"a" * 3_000), 431),
    "an endless header": (HEAD + b"Cookie: " + b"a" * 200_000, 431),
    "many headers": (HEAD + b"a: b\r\n" * 20 + b"\r\n", 431),
    "10,000 headers": (HEAD + b"a: b\r\n" * 10_000 + b"\r\n", 431),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "a length and chunks": (
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    ),
    "chunks of HTTP/1.0": (
        b"POST /takes HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    ),
    "another encoding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "no length of a chunk": (CHUNKED + b"zz\r\n", 400),
    "a chunk longer than it says": (CHUNKED + b"1\r\nabc\r\n", 400),
    "a large body": (POST + b"Content-Length: 10001\r\n\r\n", 413),
    "a large body in chunks": (CHUNKED + chunked(*[b"a" * 1_000] * 11), 413),
    "a body of crumbs": (CHUNKED + chunked(*[b"a"] * 51), 413),
    "an endless extension of a chunk": (CHUNKED + b"1;" + b"a" * 20_000, 431),
}  # fmt: skip

ACCEPTED = {
    "as many headers as there may be": (HEAD + b"a: b\r\n" * 18 + b"Connection: close\r\n\r\n", b"hello"),
    "no Host, of HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", b"hello"),
    "a body": (POST + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", b"3"),
    "chunks": (
        POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"ab", b"c", b""),
        b"3",
    ),
    "an upgrade that there is not": (
        HEAD + b"Connection: upgrade, close\r\nUpgrade: websocket\r\n\r\n", b"hello",
    ),
    "a tunnel that there is not": (b"CONNECT a:1 HTTP/1.0\r\nHost: a\r\n\r\n", b""),
}  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(case: str, served: Served, caplog: pytest.LogCaptureFixture) -> None:
    request, status = REFUSED[case]
    with served.connect() as client:
        with contextlib.suppress(OSError):
            client.sendall(request)
        told = to_the_end(client)
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), told
    assert b"Connection: close" in head
    assert body.endswith(b"\n")
    eventually(lambda: not len(served.server.guests))
    assert not caplog.records  # what strangers send fills no log


@pytest.mark.parametrize("case", ACCEPTED)
def test_it_accepts(case: str, served: Served) -> None:
    request, answer = ACCEPTED[case]
    told = served.ask(request)
    assert told.startswith(b"HTTP/1.1 200 "), told
    assert told.endswith(b"\r\n\r\n" + answer)


def test_the_application_is_not_asked_what_is_refused_by_its_head() -> None:
    with serving() as served:
        for case, (request, _) in REFUSED.items():
            if b"chunked\r\n\r\n" not in request or "HTTP/1.0" in case or "length and" in case:
                served.ask(request)
        assert served.asked == []


def test_the_application_hears_that_a_body_will_not_come() -> None:
    with serving() as served:
        served.ask(CHUNKED + chunked(b"ab") + b"zz\r\n")
        served.ask(CHUNKED + chunked(b"ab"))  # and too slow
        eventually(lambda: served.gone == ["/takes", "/takes"])


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),  # browsers open connections for later
        (b"GET / HTTP/1.1\r\nHos", b"HTTP/1.1 408 "),
        (POST + b"Content-Length: 9\r\n\r\nabc", b"HTTP/1.1 408 "),
        (CHUNKED + chunked(b"abc"), b"HTTP/1.1 408 "),
    ],
)
def test_who_goes_silent_is_cut(sent: bytes, answer: bytes) -> None:
    with serving() as served:
        told = served.ask(sent)
        assert told.startswith(answer)
        assert bool(told) == bool(answer)
        eventually(lambda: not len(served.server.guests))


@pytest.mark.parametrize("begun", [HEAD, POST + b"Content-Length: 9999\r\n\r\n"])
def test_a_byte_now_and_then_gains_no_time(begun: bytes) -> None:
    with serving() as served, served.connect() as client:
        client.settimeout(0.05)
        told = b""
        client.sendall(begun)
        for _ in range(400):
            with contextlib.suppress(OSError):
                client.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                told = client.recv(1 << 16)
                break
        assert told.startswith(b"HTTP/1.1 408 ")


def test_a_connection_is_used_again_and_then_closed_in_silence() -> None:
    with serving() as served, served.connect() as client:
        for _ in range(3):
            client.sendall(HEAD + b"\r\n")
            assert until_hello(client)
        assert to_the_end(client) == b""


def test_requests_one_after_the_other_without_waiting_are_all_answered() -> None:
    with serving(replace(LIMITS, head_bytes=200)) as served:
        told = served.ask((HEAD + b"\r\n") * 200 + HEAD + b"Connection: close\r\n\r\n")
        assert told.count(b"hello") == 201
        # Each head has its bounds, also when it came with another.
        told = served.ask(HEAD + b"\r\n" + HEAD + b"Cookie: %b\r\n\r\n" % (b"a" * 300))
        assert re.findall(rb"HTTP/1.1 (\d+)", told) == [b"200", b"431"]


def test_what_follows_the_last_request_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with serving(replace(LIMITS, rest_seconds=NEVER)) as served, served.connect() as client:
        client.sendall(b"GET /waits HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        eventually(lambda: served.asked == ["/waits"])
        client.sendall(b"more\r\n\r\n")
        to_the_end(client)
        eventually(lambda: served.gone == ["/waits"])
    assert not caplog.records


def test_a_body_that_nobody_takes_is_not_read_for_ever() -> None:
    with serving(replace(LIMITS, body_seconds=NEVER, body_bytes=1 << 40, chunks=1 << 40)) as served:
        with served.connect() as client, contextlib.suppress(OSError):
            client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            while True:
                client.sendall(chunked(b"a" * 10_000))
        assert served.asked == ["/"]
        eventually(lambda: not len(served.server.guests))


def test_who_has_an_answer_gets_no_other_for_the_same_request() -> None:
    with serving(replace(LIMITS, rest_seconds=NEVER)) as served, served.connect() as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        assert until_hello(client)
        client.sendall(chunked(*[b"a" * 1_000] * 11))
        assert to_the_end(client) == b""


def test_an_answer_that_nobody_reads_is_let_go_of(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as served, served.connect(receive_bytes=4096) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: served.asked)
        eventually(lambda: not len(served.server.guests))
        assert len(to_the_end(client)) < LARGE


def test_an_answer_that_is_read_slowly_arrives() -> None:
    limits = replace(LIMITS, idle_seconds=0.2, rest_seconds=0.2, unread_seconds=NEVER)
    with serving(limits) as served, served.connect(receive_bytes=4096) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        # Longer than it would be kept without a request.
        eventually(lambda: served.server.guests.in_phase(Phase.IDLE))
        guest = served.server.guests.in_phase(Phase.IDLE)[0]
        eventually(lambda: guest.loop.time() - guest.since > 1.0)
        assert len(to_the_end(client)) > LARGE


def test_answers_that_nobody_reads_have_a_bound_in_all() -> None:
    limits = replace(LIMITS, unread_seconds=NEVER, unread_bytes=LARGE)
    with serving(limits) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect(receive_bytes=4096)) for _ in range(4)]
        for client in clients:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: len(served.asked) == 4)
        eventually(lambda: len(served.server.guests) == 1)


def test_one_too_many_takes_the_place_of_the_longest_waiting() -> None:
    patient = replace(LIMITS, head_seconds=NEVER, idle_seconds=NEVER, connections=3)
    with serving(patient) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(3)]
        eventually(lambda: len(served.server.guests) == 3)
        for client in clients:
            client.sendall(b"GET")
        late = stack.enter_context(served.connect())
        late.sendall(HEAD + b"\r\n")
        assert until_hello(late)
        assert to_the_end(clients[0]) == b""
        clients[1].sendall(b" / HTTP/1.0\r\n\r\n")
        assert to_the_end(clients[1]).endswith(b"hello")


def test_none_is_let_in_when_all_others_are_being_answered() -> None:
    with serving(replace(LIMITS, connections=2)) as served, contextlib.ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(served.connect())
            client.sendall(b"GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: len(served.asked) == 2)
        with served.connect() as late:
            told = to_the_end(late)
            assert told.startswith(b"HTTP/1.1 503 ")
            assert b"too many connections" in told
        assert len(served.server.guests) == 2


def test_it_tells_in_one_line_whom_it_cut(caplog: pytest.LogCaptureFixture) -> None:
    guests = Guests(LIMITS)
    guests._cut.update({"were too slow with their requests": 480, "did not read their answers": 2})
    assert guests.told() == "480 were too slow with their requests, 2 did not read their answers"
    assert guests.told() == ""


# ---------------------------------------------------------------------- addresses


class Peer:
    """A socket, as far as it is asked where it leads."""

    def __init__(self, address: Any) -> None:
        self._address = address

    def getpeername(self) -> Any:
        if isinstance(self._address, Exception):
            raise self._address
        return self._address


@pytest.mark.parametrize(
    ("peer", "group"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 5, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/64"),
        (("127.0.0.1", 5), ""),
        (("::1", 5, 0, 0), ""),
        (("::ffff:127.0.0.1", 5, 0, 0), ""),
        (("10.1.2.3", 5), ""),  # the trusted proxy
        ("", ""),
        (b"", ""),
        (OSError("it is gone"), ""),
    ],
)
def test_connections_are_counted_by(peer: Any, group: str) -> None:
    trusted = [ipaddress.ip_network("10.1.0.0/16")]
    accepted: Any = Peer(peer)
    assert group_of(accepted, trusted) == group


class Guest:
    """A connection, as far as it is counted."""

    def __init__(self, guests: Guests, address: str, phase: Phase, since: float) -> None:
        self.address, self.phase, self.since, self.ended = address, phase, since, False
        self._guests = guests
        guests.note(self)  # type: ignore[arg-type]

    def cut(self) -> None:
        self.ended = True
        self._guests.note(self)  # type: ignore[arg-type]


def test_an_address_with_too_many_makes_room_among_its_own() -> None:
    guests = Guests(replace(LIMITS, connections_of_one_address=2))
    other = Guest(guests, "other", Phase.IDLE, 0.0)
    idle = Guest(guests, "full", Phase.IDLE, 2.0)
    slow = Guest(guests, "full", Phase.HEAD, 1.0)
    assert guests.make_room("full")
    assert (other.ended, idle.ended, slow.ended) == (False, False, True)
    Guest(guests, "full", Phase.ANSWER, 3.0)
    idle.phase = Phase.ANSWER
    guests.note(idle)  # type: ignore[arg-type]
    assert not guests.make_room("full")
    assert guests.make_room("other")
    assert guests.make_room("")
    assert not other.ended
    assert guests.told() == "2 for their address (full) had too many"


# ---------------------------------------------------------------------- files


def test_the_limit_on_open_files_is_raised_as_far_as_it_takes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    for limits, allowed in (((1024, 4096), 1000), ((1024, 1024), 824), ((8192, 8192), 1000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=limits: limits)
        assert module._affordable(1000) == allowed
    assert given == [(1200, 4096), (1024, 1024)]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "ulimit -n" in caplog.text


def test_without_files_it_waits_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_ACCEPT_AGAIN_SECONDS", 0.05)
    with serving() as served:
        real, failures = socket.socket.accept, [OSError(24, "Too many open files")] * 3

        def accept(listener: socket.socket) -> Any:
            if failures:
                raise failures.pop()
            return real(listener)

        monkeypatch.setattr(socket.socket, "accept", accept)
        assert served.ask(b"GET / HTTP/1.0\r\n\r\n").endswith(b"hello")
        assert not failures
    assert len(caplog.records) == 1
    assert "Too many open files" in caplog.text


# ---------------------------------------------------------------------- TLS


def test_tls_has_the_same_limits(certificates: Certificates) -> None:
    files: Any = {"certfile": certificates.certificate, "keyfile": certificates.key}
    context = ssl.create_default_context(cafile=str(certificates.ca))
    with serving(**files) as served, contextlib.ExitStack() as stack:
        # These say nothing, or what is no TLS, and are cut as others are.
        silent = stack.enter_context(served.connect())
        eventually(lambda: served.server.guests.in_phase(Phase.GREETING))
        assert to_the_end(silent) == b""
        assert b"HTTP" not in served.ask(b"GET / HTTP/1.0\r\n\r\n")

        def tls(**options: int) -> ssl.SSLSocket:
            client = served.connect(**options)
            return stack.enter_context(context.wrap_socket(client, server_hostname="localhost"))

        client = tls()
        assert client.version() in ("TLSv1.2", "TLSv1.3")
        client.sendall(HEAD + b"Coo")
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 408 ")
        reader = tls()
        reader.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        told = 0
        with contextlib.suppress(ssl.SSLEOFError):
            while data := reader.recv(1 << 16):
                told += len(data)
        assert told > LARGE
        lazy = tls(receive_bytes=4096)
        lazy.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        eventually(lambda: served.asked.count("/large") == 2)
        eventually(lambda: not len(served.server.guests))


def test_old_tls_is_refused(certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        serving(certfile=certificates.certificate, keyfile=certificates.key) as served,
        served.connect() as client,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(client, server_hostname="localhost")


def test_a_certificate_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="The certificate for HTTPS cannot be used"):
        make_server(None, certfile=tmp_path / "c.pem", keyfile=tmp_path / "c.pem")
    with pytest.raises(ConfigError, match="No such file"):
        make_server(None, certfile=tmp_path / "d.pem", keyfile=tmp_path / "c.pem")


# ---------------------------------------------------------------------- the end


@pytest.mark.parametrize("tls", [False, True])
def test_it_ends_with_all_kinds_of_connections_open(tls: bool, certificates: Certificates) -> None:
    pair = (certificates.certificate, certificates.key) if tls else (None, None)
    files: Any = dict(zip(("certfile", "keyfile"), pair, strict=True))
    patient = replace(LIMITS, head_seconds=NEVER, rest_seconds=NEVER)
    with contextlib.ExitStack() as stack, serving(patient, **files) as served:
        starts = (b"", b"GET", CHUNKED, b"GET /waits HTTP/1.0\r\n\r\n", b"bad\r\n\r\n")
        for begun in starts:
            client = stack.enter_context(served.connect())
            client.sendall(begun)
        eventually(lambda: len(served.server.guests) == (2 if tls else len(starts)))


def test_it_tells_the_application_before_it_stops() -> None:
    told: list[str] = []
    server = make_server(None, on_exit=lambda: told.append("now"))
    server.handle_exit(15, None)
    assert told == ["now"]
    assert server.should_exit


def test_what_it_takes_of_uvicorn_is_there() -> None:
    """The names in Connection's docstring: a new uvicorn that lacks one is to be seen here."""
    for name in (
        "data_received", "on_response_complete", "send_400_response", "shutdown",
        "timeout_keep_alive_handler", "connection_made", "connection_lost",
    ):  # fmt: skip
        assert any(name in vars(base) for base in Connection.__mro__[1:]), name
    assert issubclass(Connection, asyncio.BufferedProtocol)
