"""Many live streams of one console, while a real broker's events pour in."""

from __future__ import annotations

import json
import re
import selectors
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.watching import Console, console, generate

pytestmark = pytest.mark.timeout(180)

PAGES = 50
ASKED = "/api/v1/live?topics=overview,grid&view=&view=state:failure"


class Told:
    """What a stream told, folded as a page does."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.changed = 0
        self.failed: list[str] = []
        self.weight = 0
        self.last_id = ""
        self._unzip = zlib.decompressobj(31)
        self._head: bytes | None = b""
        self._rest = b""

    def take(self, data: bytes) -> None:
        self.weight += len(data)
        if self._head is not None:
            self._head += data
            if b"\r\n\r\n" not in self._head:
                return
            head, _, data = self._head.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            self._head = None
        *blocks, self._rest = (self._rest + self._unzip.decompress(data)).split(b"\n\n")
        for block in blocks:
            self._hear(dict(re.findall(r"(?m)^(\w+): (.*)$", block.decode())))

    def _hear(self, event: dict[str, str]) -> None:
        if event["event"] != "frame":
            return
        frame: dict[str, Any] = json.loads(event["data"])
        self.last_id = event["id"]
        self.totals = frame.get("overview", {}).get("totals", self.totals)
        views = frame.get("views", {})
        self.changed += views.get("", {}).get("changed", 0)
        failed = views.get("state:failure", {"rows": [], "gone": []})
        without = {row["uuid"] for row in failed["rows"]} | set(failed["gone"])
        kept = [uuid for uuid in self.failed if uuid not in without]
        self.failed = [*(row["uuid"] for row in failed["rows"]), *kept][:40]


@contextmanager
def asked(url: str, *, resume: str = "", receive_bytes: int = 0) -> Iterator[socket.socket]:
    with socket.socket() as client:
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.connect(("127.0.0.1", urlsplit(url).port or 80))
        # HTTP/1.0: a body that is not in chunks.
        header = f"Last-Event-ID: {resume}\r\n" if resume else ""
        client.sendall(f"GET {ASKED} HTTP/1.0\r\nAccept-Encoding: gzip\r\n{header}\r\n".encode())
        yield client


@contextmanager
def reading(streams: dict[socket.socket, Told]) -> Iterator[None]:
    """Read all of them in one thread."""
    done = threading.Event()
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)

        def read() -> None:
            while not done.is_set():
                for key, _ in selector.select(0.1):
                    assert isinstance(key.fileobj, socket.socket)
                    streams[key.fileobj].take(key.fileobj.recv(1 << 16))

        thread = threading.Thread(target=read)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def memory_mb(ours: Console) -> float:
    status = Path(f"/proc/{ours.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def settle(ours: Console, *told: Told) -> None:
    """Wait until the streams have told what the API says."""
    deadline = time.monotonic() + 30
    while True:
        totals = ours.get("/api/v1/overview")["totals"]
        changes = sum(n for kind, n in totals.items() if kind.startswith("task-"))
        listed = ours.get("/api/v1/tasks?query=state:failure&sort=-finished&limit=40")
        true = totals, changes, {task["uuid"] for task in listed["tasks"]}
        shown = [(one.totals, one.changed, set(one.failed)) for one in told]
        if all(one == true for one in shown):
            return
        if time.monotonic() > deadline:
            assert next(one for one in shown if one != true) == true
        time.sleep(0.5)


def test_many_pages_are_told_the_truth_and_one_that_never_reads_costs_nothing(
    redis_server: str, tmp_path: Path
) -> None:
    with console(redis_server, tmp_path, "--max-tasks", "2000") as ours, ExitStack() as stack:

        def publish(round_: int) -> None:
            generate(
                redis_server, tmp_path, "--tasks", "4000", "--rate", "6000", "--seed", str(round_),
                "--fail", "0.01", "--wait-subscribers", "1",
            )  # fmt: skip

        pages = {stack.enter_context(asked(ours.url)): Told() for _ in range(PAGES)}
        stack.enter_context(asked(ours.url, receive_bytes=4096))  # and it never reads
        with reading(pages):
            publish(1)  # the memory is full from here on
            before = memory_mb(ours)
            for round_ in range(2, 5):
                publish(round_)
            settle(ours, *pages.values())
            assert memory_mb(ours) - before < 40
        weights = [told.weight for told in pages.values()]
        assert max(weights) < 1.5 * min(weights) + 10_000


def test_a_page_that_comes_back_has_lost_nothing(redis_server: str, tmp_path: Path) -> None:
    with console(redis_server, tmp_path) as ours:
        told = Told()
        for round_ in range(4):
            with asked(ours.url, resume=told.last_id) as stream:
                told._unzip, told._head, told._rest = zlib.decompressobj(31), b"", b""
                with reading({stream: told}):
                    generate(
                        redis_server, tmp_path, "--tasks", "1000", "--rate", "6000",
                        "--seed", str(round_), "--fail", "0.005", "--wait-subscribers", "1",
                    )  # fmt: skip
                    if round_ == 3:
                        settle(ours, told)
