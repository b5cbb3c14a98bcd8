"""Clients that are slow, large or endless, at a real console while a broker's events pour in."""

from __future__ import annotations

import contextlib
import re
import selectors
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.conftest import free_port, need_binary, running, running_redis
from tests.integration.watching import Console, console, generate

pytestmark = pytest.mark.timeout(180)

HOST = b"Host: localhost\r\n"
SLOW = 500
#: Of the console's own limits, and some more for a machine that has other things to do.
HEAD_SECONDS = 10 + 20
BODY_SECONDS = 30 + 20
UNREAD_SECONDS = 30 + 20


class Watched(NamedTuple):
    console: Console
    broker: str
    directory: Path

    @property
    def port(self) -> int:
        return urlsplit(self.console.url).port or 80

    def connect(self, *, receive_bytes: int = 0) -> socket.socket:
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        return client

    def ask(self, *sent: bytes) -> bytes:
        """Send it; give everything that comes until the console closes."""
        with self.connect() as client:
            with contextlib.suppress(OSError):
                for part in sent:
                    client.sendall(part)
            return to_the_end(client)

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.console.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def sockets(self) -> int:
        """How many sockets the console has open."""
        count = 0
        for file in Path(f"/proc/{self.console.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # it is closed already
                count += str(file.readlink()).startswith("socket:")
        return count

    def is_well(self) -> None:
        """Answers what people look at, and is not behind with its events."""
        ingest = self.console.get("/api/v1/overview")["ingest"]
        assert ingest["lag_seconds"] < 5, ingest
        assert self.console.text("/-/healthy")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("server")
    with (
        running_redis(directory) as broker,
        console(broker, directory, "--data-dir", str(directory / "data")) as ours,
    ):
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        generate(broker, directory, "--tasks", "5000", "--rate", "6000", "--wait-subscribers", "1")
        ours.until("/api/v1/tasks?limit=0", lambda told: told["total"] >= 5000)
        yield Watched(ours, broker, directory)


def to_the_end(client: socket.socket) -> bytes:
    read = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(1 << 16):
            read += data
    return bytes(read)


def trickle(
    clients: list[socket.socket], *, seconds: float, meanwhile: Callable[[], None]
) -> list[bytes]:
    """Send a byte a second on each until the other end closed all; give what each was told.

    `meanwhile` is called again and again. Fails after `seconds`.
    """
    told = dict.fromkeys(clients, b"")
    deadline = time.monotonic() + seconds
    next_byte = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
        while open_ones := list(selector.get_map().values()):
            assert time.monotonic() < deadline, f"{len(open_ones)} are still there"
            meanwhile()
            if time.monotonic() >= next_byte:
                next_byte += 1
                for key in open_ones:
                    with contextlib.suppress(OSError):
                        key.fileobj.send(b"a")  # type: ignore[union-attr]
            for key, _ in selector.select(0.2):
                ready, data = key.fileobj, b""
                assert isinstance(ready, socket.socket)
                with contextlib.suppress(ConnectionResetError):
                    data = ready.recv(1 << 16)
                told[ready] += data
                if not data:
                    selector.unregister(ready)
    return list(told.values())


def test_five_hundred_slow_requests_are_cut_and_nobody_notices(watched: Watched) -> None:
    before = watched.memory_mb()
    heads = [b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: ", b"POST /api/v1/control/", b"G"]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(watched.connect()) for _ in range(SLOW)]
        for i, client in enumerate(clients):
            client.sendall(heads[i % len(heads)])
        publishing = _publishing(watched)
        told = trickle(clients, seconds=HEAD_SECONDS, meanwhile=watched.is_well)
        publishing.join()
    assert {answer[:13] for answer in told} == {b"HTTP/1.1 408 "}
    assert watched.memory_mb() - before < 40
    said = watched.console.log.read_text()
    assert "Traceback" not in said


def _publishing(watched: Watched) -> threading.Thread:
    """Publish events for some seconds."""
    options = ("--tasks", "6000", "--rate", "3000", "--seed", "2", "--wait-subscribers", "1")
    thread = threading.Thread(target=generate, args=(watched.broker, watched.directory, *options))
    thread.start()
    return thread


def test_slow_bodies_are_cut(watched: Watched) -> None:
    json = b"Content-Type: application/json\r\n"
    heads = [
        b"POST /api/v1/control/ping HTTP/1.1\r\n" + HOST + json + b"Content-Length: 99999\r\n\r\n",
        b"POST /api/v1/selections HTTP/1.1\r\n" + HOST + json
        + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n",
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(watched.connect()) for _ in range(50)]
        for i, client in enumerate(clients):
            client.sendall(heads[i % len(heads)])
        told = trickle(clients, seconds=BODY_SECONDS, meanwhile=watched.is_well)
    assert {answer[:13] for answer in told} == {b"HTTP/1.1 408 "}


def test_answers_that_nobody_reads_are_let_go_of(watched: Watched) -> None:
    paths = (b"/metrics", b"/api/v1/tasks?limit=1000", b"/api/tasks?limit=5000")
    # What it takes to make so many at once, it takes for those who read them as well.
    with ThreadPoolExecutor(60) as readers:
        asked = [b"GET %b HTTP/1.0\r\n\r\n" % path for path in paths] * 20
        told = list(readers.map(watched.ask, asked))
    whole = {path: len(answer) for path, answer in zip(paths, told, strict=False)}
    before, sockets = watched.memory_mb(), watched.sockets()
    with contextlib.ExitStack() as stack:
        clients = {
            stack.enter_context(watched.connect(receive_bytes=4096)): paths[i % len(paths)]
            for i in range(60)
        }
        for client, path in clients.items():
            client.sendall(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, HOST))
        deadline = time.monotonic() + UNREAD_SECONDS
        # Small answers are in the kernel, and their connections end for want of a new request.
        while watched.sockets() > sockets:
            assert time.monotonic() < deadline
            watched.is_well()
        # The kernel itself holds some megabytes of each: of a large answer, not the whole.
        cut = [path for client, path in clients.items() if len(to_the_end(client)) < whole[path]]
        assert max(whole, key=whole.__getitem__) in cut, whole
    # Of unread answers there may be 64 MiB.
    assert watched.memory_mb() - before < 64 + 40, (whole, before)


ENDLESS = {
    "to a page": b"GET / HTTP/1.1\r\n",
    "to the metrics": b"GET /metrics HTTP/1.1\r\n",
    "to a route with a body": b"POST /api/v1/control/ping HTTP/1.1\r\n"
    b"Content-Type: application/json\r\n",
    "to a route of Flower's with a body": b"POST /api/task/async-apply/a HTTP/1.1\r\n",
    "to no route": b"POST /nowhere HTTP/1.1\r\n",
}


@pytest.mark.parametrize("case", ENDLESS)
def test_an_endless_body_ends(case: str, watched: Watched) -> None:
    head = ENDLESS[case] + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    before = watched.memory_mb()
    with watched.connect() as client, contextlib.suppress(OSError):
        client.sendall(head)
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        while True:
            client.sendall(chunk)
    watched.is_well()
    assert watched.memory_mb() - before < 40


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 10_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS where there is none
    ],
)
def test_a_request_without_measure_is_refused(
    request_: bytes, status: int, watched: Watched
) -> None:
    assert watched.ask(request_).startswith(b"HTTP/1.1 %d " % status)
    watched.is_well()


def bodies(told: bytes) -> Iterator[bytes]:
    """Give the body of each answer."""
    while told:
        head, _, told = told.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK"), head
        length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
        yield told[:length]
        told = told[length:]


def test_requests_without_waiting_are_answered_in_their_order(watched: Watched) -> None:
    asked = b"".join(
        b"GET /api/v1/tasks?limit=%d HTTP/1.1\r\n%b\r\n" % (i % 3, HOST) for i in range(300)
    )
    last = b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    told = watched.ask(asked, last)
    listed = [body.count(b'"uuid"') for body in bodies(told)]
    assert listed == [i % 3 for i in range(300)] + [0]
    watched.is_well()


# ---------------------------------------------------------------------- TLS


class Pair(NamedTuple):
    certificate: Path
    key: Path


def self_signed(directory: Path, name: str, *kind: str) -> Pair:
    openssl = need_binary("openssl", debian="openssl")
    pair = Pair(directory / f"{name}.pem", directory / f"{name}.key")
    subprocess.run(
        [openssl, "req", "-x509", *kind, "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-keyout", str(pair.key), "-out", str(pair.certificate)],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return pair


def shown(port: int) -> bytes:
    """Give the certificate that a new connection is shown, or nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=5) as client,
        context.wrap_socket(client) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""
    return b""


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def test_a_new_certificate_is_shown_without_a_restart(redis_server: str, tmp_path: Path) -> None:
    first = self_signed(tmp_path, "first", "-newkey", "rsa:2048")
    # Of another kind: in one TLS context both would stay, each for some clients.
    second = self_signed(tmp_path, "second", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    used = Pair(tmp_path / "used.pem", tmp_path / "used.key")

    def install(pair: Pair) -> None:
        shutil.copy(pair.key, used.key)
        shutil.copy(pair.certificate, used.certificate)

    install(first)
    port, log = free_port(), tmp_path / "log"
    with running(
        [sys.executable, "-m", "celeryscope", "serve", "--broker", redis_server, "--port",
         str(port), "--certfile", str(used.certificate), "--keyfile", str(used.key),
         "--data-dir", str(tmp_path / "data")],
        log=log,
        ready=lambda: bool(shown(port)),
    ):  # fmt: skip
        assert shown(port) == der(first)
        context = ssl.create_default_context(cafile=str(first.certificate))
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as client,
            context.wrap_socket(client, server_hostname="first") as stream,
        ):
            stream.sendall(b"GET /api/v1/live?topics=overview HTTP/1.0\r\n" + HOST + b"\r\n")
            assert stream.recv(1 << 16).startswith(b"HTTP/1.1 200")

            used.certificate.write_text("half of a cert")
            until(lambda: "The new certificate cannot be used" in log.read_text())
            assert shown(port) == der(first)

            install(second)
            until(lambda: shown(port) == der(second))
            # What was open before lives on.
            stream.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                while stream.recv(1 << 16):
                    pass
            stream.settimeout(20)
            assert b"event: frame" in stream.recv(1 << 16)
    assert log.read_text().count("The new certificate cannot be used") == 1
    assert "Traceback" not in log.read_text()


def until(true: Callable[[], object], *, timeout_seconds: float = 40) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
