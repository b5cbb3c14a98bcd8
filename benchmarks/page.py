"""The page in Chromium under load: frames, lag, wire and memory; and many pages at once."""

from __future__ import annotations

import contextlib
import selectors
import socket
import socketserver
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import harness

EVENTS_A_SECOND = 15_000
_CHUNK_SECONDS = 10.0
_MOST_CHUNKS = 3  # at a time; a slow machine gets less load, and says so
_SETTLE_SECONDS = 15.0
_BETWEEN_SECONDS = 10.0  # two looks at the memory
_PAGES = 50
_CHROMIUM = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")

#: Counts animation frames, and notes of each frame of the stream when it was drawn: in the
#: second animation frame after it came, what the first one drew is on the screen.
_PROBE = """
(() => {
  const probe = (window.__probe = { gaps: [], lags: [], counting: false });
  let last = 0;
  const beat = (at) => {
    if (probe.counting && last) probe.gaps.push(at - last);
    last = at;
    requestAnimationFrame(beat);
  };
  requestAnimationFrame(beat);
  const Native = window.SharedWorker;
  if (!Native) return;
  let before = null; // the server's time of the frame before
  window.SharedWorker = function (...given) {
    const worker = new Native(...given);
    worker.port.addEventListener('message', ({ data }) => {
      if (data.kind !== 'frame' || !probe.counting) return;
      const { now, overview } = data.frame;
      const since = before;
      before = now;
      const late = overview?.ingest?.lag_seconds ?? 0;
      requestAnimationFrame(() => requestAnimationFrame(() => {
        if (since !== null) probe.lags.push([Date.now() / 1000 - since, late]);
      }));
    });
    return worker;
  };
})();
"""


def run(directory: Path, seconds: float) -> None:
    """Measure Overview, Tasks and an empty page for so long each, then many pages at once."""
    with (
        harness.redis(directory) as broker,
        harness.ours(broker, directory, feed=False) as watched,
        _Load(broker, workers=20),
        _Toll(watched.url) as toll,
    ):
        _await_load(watched)
        _print("events a second at the start", f"{_rate(watched):,.0f} of {EVENTS_A_SECOND:,}")
        with chromium() as browser:
            _measure(browser, toll, "about:blank", "an empty page", min(seconds, 30))
            _measure(browser, toll, toll.url + "/", "Overview", seconds)
            _measure(browser, toll, toll.url + "/tasks", "Tasks", seconds)
            _measure(
                browser, toll, toll.url + "/tasks?query=state%3Afailure", "Tasks, failed", seconds
            )
        _print("events a second at the end", f"{_rate(watched):,.0f} of {EVENTS_A_SECOND:,}")
        _many(watched, min(seconds, 120))
    with (
        harness.redis(directory) as broker,
        harness.ours(broker, directory, feed=False) as watched,
        _Load(broker, workers=500),
    ):
        _await_load(watched)
        with _Readers(watched.url, 1) as readers:
            time.sleep(5)
            before = readers.bytes
            time.sleep(20)
            _print("500 workers: overview, grid and all tasks", _wire(readers.bytes - before, 20))


def _print(label: str, value: object) -> None:
    print(f"  {label:<44} {value}", flush=True)


def _wire(received: float, seconds: float) -> str:
    return f"{received / 1000 / seconds:.1f} kB/s"


# ---------------------------------------------------------------------- one page


def _measure(browser: Any, toll: _Toll, url: str, name: str, seconds: float) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        context.add_init_script(_PROBE)
        page = context.new_page()
        page.goto(url)
        if url.startswith("http"):
            page.wait_for_selector("[data-testid=link][data-value=live]")
        devtools = context.new_cdp_session(page)
        devtools.send("Performance.enable")
        page.wait_for_timeout(_SETTLE_SECONDS * 1000)
        toll.bytes.clear()
        began = time.monotonic()
        memory = [_memory(devtools)]
        page.evaluate("window.__probe.counting = true")
        while (left := began + seconds - time.monotonic()) > 0:
            page.wait_for_timeout(min(left, _BETWEEN_SECONDS) * 1000)
            memory.append(_memory(devtools))
        took = time.monotonic() - began
        probe = page.evaluate("window.__probe")
    finally:
        context.close()
    gaps = probe["gaps"]
    slow = sum(gap > 50 for gap in gaps) / len(gaps)
    _print(
        f"{name}: frames a second",
        f"{len(gaps) / sum(gaps) * 1000:.0f}; {slow:.1%} took over 50 ms, the longest "
        f"{max(gaps):.0f} ms",
    )
    if not url.startswith("http"):
        return
    if probe["lags"]:
        # Apart: when the generator has no time to publish, its events are old as they come.
        _print(
            f"{name}: longest wait of an event until drawn", _spread([w for w, _ in probe["lags"]])
        )
        _print("  before that, on the way to us", _spread([late for _, late in probe["lags"]]))
    live, rest = toll.bytes["live"], toll.bytes["rest"]
    _print(f"{name}: wire", f"live {_wire(live, took)}, requests {_wire(rest, took)}")
    heap = [used for used, _ in memory]
    _print(
        f"{name}: heap, at the start, half time, the end",
        f"{heap[0]:.1f}, {heap[len(heap) // 2]:.1f}, {heap[-1]:.1f} MB; most {max(heap):.1f} MB",
    )
    _print(f"{name}: DOM nodes", f"{memory[0][1]:,} and {memory[-1][1]:,}")


def _spread(waits: list[float]) -> str:
    ordered = sorted(waits)
    return (
        f"{statistics.median(ordered):.2f} s usually, {ordered[len(ordered) * 95 // 100]:.2f} s of "
        f"95 %, {ordered[-1]:.2f} s at worst"
    )


def _memory(devtools: Any) -> tuple[float, int]:
    """Give the used heap in MB after a garbage collection, and the DOM nodes."""
    devtools.send("HeapProfiler.collectGarbage")
    metrics = {m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]}
    return metrics["JSHeapUsedSize"] / 2**20, int(metrics["Nodes"])


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit("Playwright is not installed: pip install playwright") from None
    path = harness.needed("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_CHROMIUM)
        yield browser
        browser.close()


# ---------------------------------------------------------------------- many pages


def _many(watched: harness.Watched, seconds: float) -> None:
    """Fifty pages and one that never reads, and what is left of them afterwards."""
    cpu = _cpu(watched, 20)
    _print("server without a page", f"{cpu:.0%} of a core, {watched.memory_mb():.0f} MB")
    with _Readers(watched.url, 1):
        cpu = _cpu(watched, 20)
        _print("server with one page", f"{cpu:.0%} of a core, {watched.memory_mb():.0f} MB")
    with _Readers(watched.url, _PAGES) as readers, _never_reading(watched.url):
        time.sleep(5)
        begun, before = watched.memory_mb(), readers.bytes
        cpu = _cpu(watched, seconds)
        _print(
            f"server with {_PAGES} pages and one that never reads",
            f"{cpu:.0%} of a core, {begun:.0f} MB, {seconds:.0f} s later "
            f"{watched.memory_mb():.0f} MB",
        )
        _print("  each", _wire((readers.bytes - before) / _PAGES, seconds))
    time.sleep(5)
    _print("server after they went", f"{watched.memory_mb():.0f} MB")


def _cpu(watched: harness.Watched, seconds: float) -> float:
    before = watched.cpu_seconds()
    time.sleep(seconds)
    return (watched.cpu_seconds() - before) / seconds


_ASKED = (
    "GET /api/v1/live?topics=overview,grid&view= HTTP/1.1\r\nHost: localhost\r\n"
    "Accept-Encoding: gzip\r\n\r\n"
)


def _asked(url: str, *, receive_bytes: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_bytes is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.connect(("127.0.0.1", urlsplit(url).port or 80))
    client.sendall(_ASKED.encode())
    return client


@contextlib.contextmanager
def _never_reading(url: str) -> Iterator[None]:
    with _asked(url, receive_bytes=4096):
        yield


class _Readers:
    """Streams that are read and thrown away."""

    def __init__(self, url: str, number: int) -> None:
        self.bytes = 0
        self._selector = selectors.DefaultSelector()
        for _ in range(number):
            self._selector.register(_asked(url), selectors.EVENT_READ)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Readers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]

    def _run(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.2):
                self.bytes += len(key.fileobj.recv(1 << 16))  # type: ignore[union-attr]


# ---------------------------------------------------------------------- load


class _Load:
    """Events without an end, in chunks that are made while the one before is published."""

    def __init__(self, broker: str, *, workers: int) -> None:
        tasks = int(EVENTS_A_SECOND * _CHUNK_SECONDS / 4.0757)
        self._command = [
            sys.executable, str(harness.LOADGEN), "run", "--url", broker,
            "--workers", str(workers), "--names", "30", "--queues", "5",
            "--rate", str(EVENTS_A_SECOND), "--tasks", str(tasks),
        ]  # fmt: skip
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Load:
        if not harness.LOADGEN.is_file():
            raise SystemExit(f"{harness.LOADGEN} is not there: name it: CELERYSCOPE_LOADGEN=…")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for process in self._processes:
            process.kill()
            process.wait()

    def _run(self) -> None:
        chunk = 0
        while not self._stop.is_set():
            self._processes = [p for p in self._processes if p.poll() is None]
            if len(self._processes) < _MOST_CHUNKS:
                chunk += 1
                self._processes.append(
                    subprocess.Popen(
                        [*self._command, "--seed", str(chunk)],
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    )
                )  # fmt: skip
            self._stop.wait(_CHUNK_SECONDS)


def _await_load(watched: harness.Watched) -> None:
    deadline = time.monotonic() + 120
    while _rate(watched) < 0.9 * EVENTS_A_SECOND and time.monotonic() < deadline:
        time.sleep(1)


def _rate(watched: harness.Watched) -> float:
    return float(watched.get("/api/v1/overview")["ingest"]["events_per_second"])


# ---------------------------------------------------------------------- the way between


class _Toll:
    """A way to the console that counts what comes back: of the live stream, and of the rest."""

    def __init__(self, url: str) -> None:
        self.bytes: Counter[str] = Counter()
        port = urlsplit(url).port or 80
        toll = self

        def console() -> socket.socket:
            return socket.create_connection(("127.0.0.1", port))

        class Passage(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), console() as there:
                    toll._pass(self.request, there)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passage)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> _Toll:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _pass(self, here: socket.socket, there: socket.socket) -> None:
        kind = "rest"
        with selectors.DefaultSelector() as selector:
            selector.register(here, selectors.EVENT_READ)
            selector.register(there, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    came_from_here = key.fileobj is here
                    data = (here if came_from_here else there).recv(1 << 16)
                    if not data:
                        return
                    if came_from_here:
                        if data.startswith(b"GET "):
                            path = data.split(b" ", 2)[1]
                            kind = "live" if path.startswith(b"/api/v1/live") else "rest"
                        there.sendall(data)
                    else:
                        self.bytes[kind] += len(data)
                        here.sendall(data)
