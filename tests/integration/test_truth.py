"""The numbers we show against the exact truth of what was published, through real brokers."""

from __future__ import annotations

import base64
import importlib.util
import json
import random
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from benchmarks.truth import Counts, by_queue, differences, of_exporter, of_flower, published
from tests.conftest import free_port, running_redis
from tests.integration.watching import LOADGEN, Console, console, generate

pytestmark = pytest.mark.timeout(120)


def counts_settle(ours: Console, expected: Counts, told: Callable[[str], Counts]) -> list[str]:
    """Wait until the counts are what they should be, or no longer change; give what differs."""
    wrong: list[str] = []
    for _ in range(40):
        now = differences(expected, told(ours.text("/metrics")))
        if not now:
            return []
        wrong = now
        time.sleep(0.25)
    return wrong[:10]


@pytest.mark.parametrize("options", [[], ["--no-sent"], ["--batch", "24"], ["--utcoffset", "-5"]])
def test_counters_equal_the_truth(options: list[str], redis_server: str, tmp_path: Path) -> None:
    with console(redis_server, tmp_path) as ours:
        truth = generate(
            redis_server, tmp_path, "--tasks", "5000", "--rate", "15000", "--reject", "0.3",
            "--wait-subscribers", "1", "--linger", "2", *options,
        )  # fmt: skip
        assert counts_settle(ours, published(truth), of_flower) == []
        if "--no-sent" not in options:
            assert counts_settle(ours, by_queue(truth), of_exporter) == []
        overview = ours.get("/api/v1/overview")
        assert overview["ingest"]["lost"] == 0
        assert overview["ingest"]["rejected"] == {}
        assert overview["gaps"] == []
        states = {state: n for state, n in overview["states"].items() if n}
        assert states == {state: n for state, n in truth["final_states"].items() if n}
        assert overview["workers"]["online"] == 20


# ---------------------------------------------------------------------- streams of our own


class Fleet:
    """The load generator's fleet, whose messages the test publishes itself."""

    def __init__(self, **changed: Any) -> None:
        if not LOADGEN.is_file():
            pytest.skip(f"{LOADGEN} is not there: the load generator is kept beside the repository")
        spec = importlib.util.spec_from_file_location("loadgen", LOADGEN)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        options = {
            "workers": 6, "hosts": 0, "names": 8, "queues": 3, "clients": 3, "heartbeat": 2.0,
            "utcoffset": 0.0, "args_bytes": 60, "result_bytes": 0, "fail": 0.1, "retry": 0.1,
            "revoke": 0.02, "reject": 0.0, "chain": 0.1, "wait": 0.05, "runtime_scale": 1.0,
            "batch": 3, "flush_ms": 4.0, "retry_delay": 0.25, "seed": 1, "clock_start": 0,
            "offline": False, "no_sent": False, "db": 0, **changed,
        }  # fmt: skip
        self.model = module.Model(Namespace(**options))

    def messages(self, tasks: int, seconds: float) -> list[tuple[str, dict[str, Any]]]:
        """Give (channel, envelope with its body opened) in the order of their making."""
        self.model.t0 = time.time() - seconds
        made = []
        for _, packed, _ in self.model.messages(tasks, seconds):
            parts = packed.split(b"\r\n")
            envelope = json.loads(parts[6])
            envelope["body"] = json.loads(base64.b64decode(envelope["body"]))
            made.append((parts[4].decode(), envelope))
        return made

    @property
    def truth(self) -> Mapping[str, Any]:
        truth: Mapping[str, Any] = self.model.truth
        return truth


def publish(
    url: str, messages: Iterable[tuple[str, dict[str, Any]]], *, at_once: int = 500
) -> None:
    """Publish messages, one answer awaited for every few hundred."""
    with redis.Redis.from_url(url) as client:
        pipe = client.pipeline(transaction=False)
        for channel, envelope in messages:
            body = base64.b64encode(json.dumps(envelope["body"]).encode()).decode()
            pipe.publish(channel, json.dumps({**envelope, "body": body}))
            if len(pipe) >= at_once:
                pipe.execute()
        pipe.execute()


def events_of(messages: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    bodies = (envelope["body"] for _, envelope in messages)
    return [event for body in bodies for event in (body if isinstance(body, list) else [body])]


def final_states(fleet: Fleet, messages: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Give how many tasks stand where, in the end.

    The generator goes by the last event of a task. Its worker may tell that a run is retried when
    the next one is revoked already: that stays revoked.
    """
    last: dict[str, str] = {}
    revoked = set()
    for event in sorted(events_of(messages), key=lambda event: event["timestamp"]):
        if event["type"].startswith("task-"):
            last[event["uuid"]] = event["type"]
            if event["type"] == "task-revoked":
                revoked.add(event["uuid"])
    late = sum(last[uuid] == "task-retried" for uuid in revoked)
    moved = Counter(fleet.truth["final_states"])
    moved.update({"REVOKED": late, "RETRY": -late})
    return {state: count for state, count in moved.items() if count}


def test_duplicates_and_disorder_do_not_change_a_count(redis_server: str, tmp_path: Path) -> None:
    fleet = Fleet()
    told = fleet.messages(2000, 4.0)
    shuffled = list(told)
    random.Random(3).shuffle(shuffled)
    ended = final_states(fleet, told)
    with console(redis_server, tmp_path) as ours:
        ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "connected")
        publish(redis_server, shuffled)
        publish(redis_server, told)
        publish(redis_server, told[::-1])
        assert counts_settle(ours, published(fleet.truth), of_flower) == []
        assert counts_settle(ours, by_queue(fleet.truth), of_exporter) == []
        overview = ours.get("/api/v1/overview")
        states = {state: n for state, n in overview["states"].items() if n}
        assert states == ended
        task_events = sum(fleet.truth["events"].values())
        assert overview["ingest"]["duplicates"] >= 2 * task_events


def test_wrong_clocks_do_not_change_a_count_nor_a_state(redis_server: str, tmp_path: Path) -> None:
    fleet = Fleet()
    told = fleet.messages(2000, 4.0)
    ended = final_states(fleet, told)
    ahead = random.Random(5)
    skew = {worker: ahead.choice([-400.0, -3.0, 0.0, 5.0, 90.0]) for worker in fleet.model.workers}
    for event in events_of(told):
        event["timestamp"] += skew.get(event["hostname"], 0.0)
    with console(redis_server, tmp_path) as ours:
        ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "connected")
        publish(redis_server, told)
        assert counts_settle(ours, published(fleet.truth), of_flower) == []
        overview = ours.get("/api/v1/overview")
        states = {state: n for state, n in overview["states"].items() if n}
        assert states == ended
        assert overview["workers"]["online"] == 6


def test_a_restart_of_the_broker_is_a_marked_gap_and_the_rest_is_exact(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    first, second = Fleet(seed=1), Fleet(seed=2)
    with console(url, tmp_path) as ours:
        said = ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "disconnected")
        assert "running" in said["broker"]["hint"]
        for fleet in (first, second):
            with running_redis(tmp_path, port=port):
                ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "connected")
                publish(url, fleet.messages(1000, 2.0))
                expected = published(first.truth)
                if fleet is second:
                    expected += published(second.truth)
                assert counts_settle(ours, expected, of_flower) == []
            ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "disconnected")
        gaps = ours.get("/api/v1/ingest")["gaps"]
        assert len(gaps) == 3
        assert [gap["end"] is None for gap in gaps] == [True, False, False]
        assert "celeryscope_ingest_gaps_total 3" in ours.text("/metrics")


def test_what_the_broker_did_not_deliver_is_told_per_worker(
    redis_server: str, tmp_path: Path
) -> None:
    """Some messages of each worker are left out: its heartbeats give them away."""
    fleet = Fleet(retry=0.0, revoke=0.0)
    told = fleet.messages(3000, 10.0)
    left_out: Counter[str] = Counter()
    chance = random.Random(11)
    kept = []
    for channel, envelope in told:
        starts = [e for e in events_of([(channel, envelope)]) if e["type"] == "task-started"]
        if starts and chance.random() < 0.1:
            left_out.update(e["hostname"] for e in starts)
        else:
            kept.append((channel, envelope))
    with console(redis_server, tmp_path) as ours:
        ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "connected")
        publish(redis_server, kept)
        publish(redis_server, beats(fleet, at=time.time()))
        publish(redis_server, beats(fleet, at=time.time() + 2))
        workers = ours.until(
            "/api/v1/ingest", lambda i: i["workers"] == dict(left_out), timeout_seconds=15
        )["workers"]
        assert sum(workers.values()) == sum(left_out.values()) > 50
        page = ours.text("/metrics")
        for worker, lost in left_out.items():
            assert f'celeryscope_worker_lost_events_total{{worker="{worker}"}} {lost}' in page


def beats(fleet: Fleet, *, at: float) -> list[tuple[str, dict[str, Any]]]:
    """One more heartbeat of every worker, at rest."""
    model = fleet.model
    rows = []
    for worker in model.workers:
        model.clock[worker] += 1
        model.t0 = 0.0
        event = model.hb_event("worker-heartbeat", worker, model.clock[worker], at)
        envelope = {
            "body": event, "content-type": "application/json", "content-encoding": "utf-8",
            "headers": {"hostname": worker}, "properties": {"body_encoding": "base64"},
        }  # fmt: skip
        rows.append(("/0.celeryev/worker.heartbeat", envelope))
    return rows


# ---------------------------------------------------------------------- hostile input


def hostile() -> Sequence[bytes]:
    def wrapped(body: bytes, kind: str = "application/json") -> bytes:
        envelope = {
            "body": base64.b64encode(body).decode(), "content-type": kind,
            "content-encoding": "utf-8", "properties": {"body_encoding": "base64"},
        }  # fmt: skip
        return json.dumps(envelope).encode()

    def event(**fields: Any) -> bytes:
        return wrapped(json.dumps({"type": "task-sent", "hostname": "gen1@x",
                                   "timestamp": time.time(), "uuid": "u", **fields}).encode())  # fmt: skip

    return [
        b"", b"\x00" * 1000, b"{}", b"[" * 100_000,
        wrapped(b"[" * 100_000), wrapped(b"\x80\x04K\x01.", "application/x-python-serialize"),
        event(name="x" * 10_000), event(args="y" * 10_000_000), event(uuid=7), event(uuid=None),
        event(timestamp="soon"), event(type=["a"]), event(hostname=None), event(name="\x00<b>\u202e"),
        event(name='a"b\\c\nd'), event(uuid="\ud800"), event(retries=10**30), event(eta=[1, 2]),
        event(type="x" * 5000), event(type="task-" + "p" * 600),
    ]  # fmt: skip


def test_hostile_messages_are_counted_and_the_reader_goes_on(
    redis_server: str, tmp_path: Path
) -> None:
    fleet = Fleet()
    with console(redis_server, tmp_path) as ours:
        ours.until("/api/v1/overview", lambda o: o["broker"]["state"] == "connected")
        with redis.Redis.from_url(redis_server) as client:
            for payload in hostile():
                client.publish("/0.celeryev/task.sent", payload)
            for i in range(30_000):  # names and senders without end
                body = {"type": "task-sent", "hostname": f"gen{i}@h{i}", "timestamp": time.time(),
                        "uuid": f"flood{i}", "name": f"task.{i}", "queue": f"q{i}"}  # fmt: skip
                envelope = {"body": base64.b64encode(json.dumps(body).encode()).decode(),
                            "content-type": "application/json"}  # fmt: skip
                client.publish("/0.celeryev/task.sent", json.dumps(envelope))
        publish(redis_server, fleet.messages(500, 1.0))
        told = ours.until("/api/v1/overview", lambda o: o["totals"].get("task-started", 0) >= 500)[
            "ingest"
        ]
        assert told["rejected"]["pickle"] == 1
        assert told["rejected"]["nesting"] >= 1
        assert told["rejected"]["missing_uuid"] >= 2
        assert told["label_overflow"]["task"] > 0
        assert told["label_overflow"]["client"] > 0
        page = ours.text("/metrics")
        assert len(page) < 30_000_000
        assert "celeryscope_label_overflow_total" in page
        counted = sum(n for (_, kind, _), n in of_flower(page).items() if kind == "task-succeeded")
        assert counted == fleet.truth["events"]["task-succeeded"]
        # Everything that came can be shown: the lists are valid JSON, and no fault happened.
        assert ours.get("/api/v1/tasks?limit=1000")["tasks"]
        assert "celeryscope_event_faults_total 0" in page
        log = ours.log.read_text()
        assert "Traceback" not in log
        assert "pickle" in log
    assert sys.getsizeof(log) < 100_000
