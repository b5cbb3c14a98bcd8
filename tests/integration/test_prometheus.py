"""A real Prometheus scrapes us; what it answers is compared with the truth.

The first tests serve a page made in this process, where time and workers can be played; the last
ones run the whole program behind a real Redis.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from celeryscope.metrics.collectors import WorkersCollector
from celeryscope.metrics.recorder import host_of
from celeryscope.metrics.registry import Metrics
from celeryscope.model.event import Event
from tests.conftest import free_port, need_binary, running
from tests.unit.metrics.feed import WORKER, Feed, Truth, random_cluster
from tests.unit.metrics.test_collectors import heartbeat, statuses

SCRAPE_SECONDS = 0.25
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Answer = dict[frozenset[tuple[str, str]], float]


class Console:
    """The part of the console that Prometheus meets; `metrics` may be replaced by a new one."""

    def __init__(self, *, openmetrics: bool = True) -> None:
        self.restart()
        console = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = openmetrics and "openmetrics" in self.headers.get("Accept", "")
                body = console.metrics.render(wanted)
                self.send_response(200)
                self.send_header("Content-Type", OPENMETRICS if wanted else TEXT)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]

    def restart(self) -> None:
        """Forget everything, as a new process has."""
        self.feed = Feed()
        self.metrics = Metrics(
            recorder=self.feed.recorder,
            collectors=[
                WorkersCollector(state=self.feed.state, status=statuses(), inspections=dict)
            ],
        )

    @contextlib.contextmanager
    def serving(self) -> Iterator[Console]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


class Prometheus:
    """A Prometheus that scrapes one target."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def query(self, query: str) -> Answer:
        """Ask an instant query; the labels that name the target are left out."""
        found = self.get("/api/v1/query", query=query)["data"]["result"]
        return {
            frozenset((k, v) for k, v in row["metric"].items() if k not in ("job", "instance")):
            float(row["value"][1])
            for row in found
        }  # fmt: skip

    def number(self, query: str) -> float | None:
        """Ask for one number; None where there is no series."""
        answer = self.query(query)
        assert len(answer) <= 1
        return next(iter(answer.values()), None)

    def history(self, selector: str) -> list[float]:
        """Give the stored values of one series, oldest first."""
        (row,) = self.get("/api/v1/query", query=f"{selector}[5m]")["data"]["result"]
        return [float(value) for _, value in row["values"]]

    def scraped(self) -> None:
        """Wait until everything that is on the page now is stored."""
        began = self.number("vector(time())") or 0.0
        newest = "min(timestamp(celeryscope_metrics_renders_total))"
        wait_for(lambda: (self.number(newest) or 0.0) > began)

    def trouble(self) -> str:
        (target,) = self.get("/api/v1/targets")["data"]["activeTargets"]
        return str(target["lastError"])


def wait_for(true: Callable[[], bool], timeout_seconds: float = 15) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.05)


@contextlib.contextmanager
def scraping(target_port: int, directory: Path) -> Iterator[Prometheus]:
    binary = need_binary("prometheus", debian="prometheus")
    configuration = directory / "prometheus.yml"
    interval = f"{int(SCRAPE_SECONDS * 1000)}ms"
    configuration.write_text(
        f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}\n"
        "scrape_configs:\n"
        "  - job_name: celery\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]\n"
    )
    prometheus = Prometheus(free_port())
    command = [
        binary,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{prometheus.port}",
    ]
    log = directory / "prometheus.log"
    with running(command, log=log, ready=prometheus.ready, timeout_seconds=30):
        wait_for(lambda: prometheus.number("up") == 1)
        yield prometheus


@pytest.fixture
def console(request: pytest.FixtureRequest) -> Iterator[Console]:
    """A console that answers in OpenMetrics, as Prometheus asks, or in text if a test says so."""
    with Console(openmetrics=getattr(request, "param", True)).serving() as console:
        yield console


both_formats = pytest.mark.parametrize(
    "console", [True, False], ids=["openmetrics", "text"], indirect=True
)


@pytest.fixture
def prometheus(console: Console, tmp_path: Path) -> Iterator[Prometheus]:
    with scraping(console.port, tmp_path) as prometheus:
        yield prometheus


def summed(truth: Truth, *parts: Callable[[tuple[str, str, str, str]], tuple[str, str]]) -> Answer:
    """Add the truth up by labels made of its keys."""
    answer: Counter[frozenset[tuple[str, str]]] = Counter()
    for key, count in truth.items():
        answer[frozenset(part(key) for part in parts)] += count
    return dict(answer)


def assert_queries_equal(prometheus: Prometheus, truth: Truth) -> None:
    """Compare what Prometheus answers per task, type, worker and queue, in all three sets."""
    assert prometheus.query("sum by (worker, type, task) (flower_events_total)") == summed(
        truth, lambda k: ("type", k[0]), lambda k: ("task", k[1]), lambda k: ("worker", k[3])
    )
    assert prometheus.query("sum by (type, task, queue) (celeryscope_task_events_total) > 0") == (
        summed(truth, lambda k: ("type", k[0]), lambda k: ("task", k[1]), lambda k: ("queue", k[2]))
    )
    by_workers = Counter({key: count for key, count in truth.items() if key[0] != "task-sent"})
    assert prometheus.query("celeryscope_worker_task_events_total > 0") == {
        frozenset({("__name__", "celeryscope_worker_task_events_total"), *labels}): count
        for labels, count in summed(
            by_workers, lambda k: ("type", k[0]), lambda k: ("worker", k[3])
        ).items()
    }
    failures = Counter({key: count for key, count in truth.items() if key[0] == "task-failed"})
    assert prometheus.query("sum by (task, queue) (celeryscope_task_failures_total)") == summed(
        failures, lambda k: ("task", k[1]), lambda k: ("queue", k[2])
    )
    for type_ in {key[0] for key in truth}:
        metric = f"celery_{type_.replace('-', '_')}_total"
        wanted = Counter({key: count for key, count in truth.items() if key[0] == type_})
        assert prometheus.query(f"sum by (name, hostname, queue_name) ({metric}) > 0") == summed(
            wanted,
            lambda k: ("name", k[1]),
            lambda k: ("queue_name", k[2]),
            lambda k: ("hostname", host_of(k[3])),
        )
    succeeded = sum(count for key, count in truth.items() if key[0] == "task-succeeded")
    started = sum(count for key, count in truth.items() if key[0] == "task-started")
    for histogram, count in (
        ("flower_task_runtime_seconds", succeeded),
        ("celery_task_runtime", succeeded),
        ("celeryscope_task_runtime_seconds", succeeded),
        ("celery_task_queue_wait_time", started),
        ("celeryscope_task_wait_seconds", started),
    ):
        assert prometheus.number(f"sum({histogram}_count)") == count
        assert prometheus.number(f'sum({histogram}_bucket{{le="+Inf"}})') == count


@both_formats
def test_what_prometheus_answers_is_the_truth(console: Console, prometheus: Prometheus) -> None:
    feed = console.feed
    events, truth = random_cluster(seed=3, tasks=400, workers=5, names=12, queues=4)
    for start in range(0, len(events), 50):
        feed.now = events[start].timestamp
        feed.send(*events[start : start + 50])
    feed.wait(3)
    prometheus.scraped()
    assert prometheus.trouble() == ""
    assert_queries_equal(prometheus, truth)


def test_a_restart_of_ours_is_one_reset_and_no_wrong_rise(
    console: Console, prometheus: Prometheus
) -> None:
    selector = f'flower_events_total{{worker="{WORKER}",type="task-succeeded"}}'
    for number in range(40):
        console.feed.run(f"before-{number}")
    prometheus.scraped()
    console.restart()
    for number in range(7):
        console.feed.run(f"after-{number}")
    prometheus.scraped()
    values = prometheus.history(selector)
    assert values[-1] == 7
    assert max(values) == 40
    assert prometheus.number(f"resets({selector}[5m])") == 1
    # 40 stand there from the first scrape or are seen to come; 7 came since.
    risen = sum(b - a if b >= a else b for a, b in pairwise(values))
    assert risen == 40 - values[0] + 7


def test_a_restart_of_a_worker_neither_lowers_nor_raises_its_counters(
    console: Console, prometheus: Prometheus
) -> None:
    feed = console.feed
    feed.each(
        heartbeat(WORKER, pid=1, processed=2, timestamp=feed.now),
        *(
            event
            for u in ("u1", "u2")
            for event in (feed.sent(u), feed.received(u), feed.started(u))
        ),
    )
    prometheus.scraped()
    feed.now += 5
    feed.each(
        heartbeat(WORKER, pid=2, processed=0, timestamp=feed.now),
        feed.sent("u3"),
        feed.started("u3", pid=2),
        feed.succeeded("u3", pid=2),
    )
    prometheus.scraped()
    for selector in (
        f'flower_events_total{{worker="{WORKER}",type="task-started"}}',
        'celery_task_started_total{hostname="web1"}',
    ):
        values = prometheus.history(selector)
        assert values == sorted(values)
        assert values[-1] == 3
        assert prometheus.number(f"resets({selector}[5m])") == 0
    assert prometheus.number("celeryscope_worker_restarts_total") == 1


def test_the_series_of_a_worker_that_ended_go_stale_at_once(
    console: Console, prometheus: Prometheus
) -> None:
    feed = console.feed
    gone, stays = "gone@web1", "stays@web2"
    feed.send(heartbeat(gone, active=1), heartbeat(stays, active=2))
    feed.run("u1", hostname=gone)
    feed.run("u2", hostname=stays)
    prometheus.scraped()
    assert prometheus.number(f'flower_worker_online{{worker="{gone}"}}') == 1
    feed.state.forget_worker(gone)
    feed.recorder.retire_worker(gone)
    prometheus.scraped()
    # Prometheus would still show them for five minutes if they were not marked as gone.
    assert prometheus.query(f'{{worker="{gone}"}}') == {}
    assert prometheus.query('{hostname="web1"}') == {}
    assert prometheus.number(f'sum(flower_events_total{{worker="{stays}"}})') == 3
    assert prometheus.number("sum(celeryscope_task_events_total{type='task-succeeded'})") == 2
    # Back again, it counts from zero: that is a new beginning, and no rise by what was before.
    feed.run("u3", hostname=gone)
    prometheus.scraped()
    selector = f'flower_events_total{{worker="{gone}",type="task-succeeded"}}'
    assert prometheus.number(selector) == 1
    assert (prometheus.number(f"increase({selector}[5m])") or 0) <= 1


@both_formats
def test_hostile_label_values_reach_prometheus_as_they_are(
    console: Console, prometheus: Prometheus
) -> None:
    hostile = [
        'say "hi"', "two\nlines", "back\\slash", "\\n", "{le='1'}", "# EOF", "%s %d", "", " ",
        "".join(map(chr, range(1, 32))), "nul\x00nul", "\x7f\x85\u2028", "ä🙂", "x" * 1000,
    ]  # fmt: skip
    feed = console.feed
    for number, name in enumerate(hostile):
        feed.each(
            feed.sent(f"u{number}", name),
            feed.received(f"u{number}", name),
            feed.succeeded(f"u{number}"),
        )
    feed.wait(3)
    prometheus.scraped()
    assert prometheus.trouble() == ""
    found = prometheus.query("sum by (task) (flower_task_runtime_seconds_count)")
    names = {dict(labels).get("task", "") for labels in found}
    whole = {name for name in hostile if name and len(name) < 256}
    assert whole <= names
    assert len(names) == len(hostile)


# ------------------------------------------------------------------ the whole program


def publish(broker: str, events: Sequence[Event]) -> None:
    """Publish events as Celery does on Redis: what workers do in lists, what is sent alone."""
    client = redis.Redis.from_url(broker)
    try:
        pipeline = client.pipeline(transaction=False)
        batches: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            fields = {k: v for k, v in msgspec.structs.asdict(event).items() if v is not None}
            if event.type == "task-sent":
                pipeline.publish("/0.celeryev/task.sent", envelope(fields))
                continue
            batch = batches.setdefault(event.hostname, [])
            batch.append(fields)
            if len(batch) == 3:
                pipeline.publish("/0.celeryev/task.multi", envelope(batches.pop(event.hostname)))
        for batch in batches.values():
            pipeline.publish("/0.celeryev/task.multi", envelope(batch))
        pipeline.execute()
    finally:
        client.close()


def envelope(body: object) -> bytes:
    return msgspec.json.encode({
        "body": base64.b64encode(msgspec.json.encode(body)).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "delivery_info": {"exchange": "celeryev", "routing_key": "task.multi"},
            "body_encoding": "base64",
        },
    })  # fmt: skip


@contextlib.contextmanager
def program(command: str, broker: str, port: int, directory: Path) -> Iterator[None]:
    """Run Celeryscope until the end of the block; it is subscribed when the block begins."""

    def subscribed() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    with running(
        [sys.executable, "-m", "celeryscope", command, "--broker", broker, "--port", str(port)],
        log=directory / f"{command}-{port}.log",
        ready=subscribed,
        cwd=directory,
        timeout_seconds=30,
    ):
        yield


@pytest.mark.parametrize("command", ["serve", "exporter"])
def test_the_whole_program_tells_prometheus_the_truth_over_a_restart(
    command: str, redis_server: str, tmp_path: Path
) -> None:
    port = free_port()
    first, first_truth = random_cluster(seed=4, tasks=500, start=time.time() - 5)
    second, second_truth = random_cluster(seed=5, tasks=300, start=time.time())
    with contextlib.ExitStack() as whole, contextlib.ExitStack() as until_restart:
        until_restart.enter_context(program(command, redis_server, port, tmp_path))
        prometheus = whole.enter_context(scraping(port, tmp_path))
        publish(redis_server, first)
        settled(prometheus, sum(first_truth.values()))
        assert_queries_equal(prometheus, first_truth)
        assert prometheus.number("celeryscope_broker_connected") == 1
        assert prometheus.number("sum(celeryscope_messages_rejected_total)") in (None, 0)
        until_restart.close()
        whole.enter_context(program(command, redis_server, port, tmp_path))
        wait_for(lambda: prometheus.number("up") == 1)
        publish(redis_server, second)
        settled(prometheus, sum(second_truth.values()))
        assert_queries_equal(prometheus, second_truth)
        # Every counter fell at most once, to zero, when we were restarted: no wrong rise.
        resets = prometheus.query("max(resets(flower_events_total[5m]))")
        assert set(resets.values()) == {1}


def settled(prometheus: Prometheus, events: int) -> None:
    """Wait until Prometheus has seen that many task events, and two more scrapes."""
    wait_for(lambda: prometheus.number("sum(celeryscope_task_events_total)") == events)
    prometheus.scraped()
