"""Publishes realistic Celery event messages to RabbitMQ at a given rate, cheaply.

The messages are those of the load generator (`--loadgen`), a fleet of workers and clients,
put into AMQP frames before the clock starts; while it publishes, it only writes bytes to a
socket. Prints, as JSON, the exact truth of what it published: per task name, event type and
worker. The queue that shall receive them must be bound before it starts (`--wait-queue`).

    python benchmarks/amqp_publish.py --url amqp://guest:guest@127.0.0.1:5672// \
        --tasks 150000 --rate 10000 --truth truth.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import select
import struct
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import amqp
import kombu

LOADGEN = Path(__file__).resolve().parents[2] / "shared" / "tools" / "loadgen.py"
EXCHANGE = "celeryev"
CHANNEL = 1
FRAME_MAX = 131_072
_FRAME_END = b"\xce"


class Planned(NamedTuple):
    """One message, ready to be written."""

    due: float  # seconds after the start
    frames: bytes
    events: int


def load_generator(path: Path) -> ModuleType:
    """Import the load generator, so that it makes AMQP frames instead of Redis commands."""
    spec = importlib.util.spec_from_file_location("loadgen", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"{path}: no load generator there; name it with --loadgen FILE")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shortstr(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">B", len(encoded)) + encoded


def frame(kind: int, payload: bytes, *, channel: int = CHANNEL) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + _FRAME_END


def publish_frames(
    body: bytes, *, exchange: str, routing_key: str, hostname: str, frame_max: int = FRAME_MAX
) -> bytes:
    """Make basic.publish, content header and body as Celery's event dispatcher sends them."""
    method = struct.pack(">HHH", 60, 40, 0) + shortstr(exchange) + shortstr(routing_key) + b"\0"
    table = shortstr("hostname") + b"S" + struct.pack(">I", len(hostname)) + hostname.encode()
    header = (
        struct.pack(">HHQH", 60, 0, len(body), 0b1111_1000_0000_0000)
        + shortstr("application/json")
        + shortstr("utf-8")
        + struct.pack(">I", len(table))
        + table
        + b"\x01\x00"  # delivery_mode transient, priority 0
    )
    step = frame_max - 8
    bodies = (frame(3, body[i : i + step]) for i in range(0, len(body), step))
    return frame(1, method) + frame(2, header) + b"".join(bodies)


def plan(generator: ModuleType, options: argparse.Namespace) -> tuple[list[Planned], Any]:
    """Make every message and the truth about them."""

    def envelope(body: object, routing_key: str, hostname: str, _random: object) -> bytes:
        return publish_frames(
            json.dumps(body).encode(),
            exchange=options.exchange,
            routing_key=routing_key,
            hostname=hostname,
        )

    generator.envelope = envelope  # type: ignore[attr-defined]
    generator.Redis.pack = staticmethod(lambda _command, _channel, payload: payload)
    model = generator.Model(options)
    rate = options.rate or options.nominal_rate
    duration = options.tasks * (3 if options.no_sent else 4) / rate
    # The timestamps shall be near the wall clock when the messages go out.
    began = time.time()
    trial = generator.Model(options)
    trial.t0 = began
    trial.messages(min(options.tasks, 2000), 0.1)
    per_task = (time.time() - began) / max(1, min(options.tasks, 2000))
    model.t0 = time.time() + per_task * options.tasks * 1.35 + 0.5
    messages = [Planned(*made) for made in model.messages(options.tasks, duration)]
    return messages, model


def connect(url: str, *, exchange: str = EXCHANGE) -> amqp.Connection:
    """Open a connection with one channel, `CHANNEL`, on which nobody else publishes."""
    connection: amqp.Connection = kombu.Connection(
        url, transport="pyamqp"
    ).transport.establish_connection()
    connection.channel(CHANNEL).exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
    return connection


def publish(connection: amqp.Connection, messages: list[Planned], *, rate: float) -> dict[str, Any]:
    """Write the messages when they are due; return how that went."""
    # Without a rate, RabbitMQ's own back-pressure (it stops reading) sets the pace.
    sock = connection.transport.sock
    sock.settimeout(60)
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    started_at, began = time.time(), time.perf_counter()
    behind, sent, count = 0.0, 0, len(messages)
    while sent < count:
        now = time.perf_counter() - began
        upto = sent
        while upto < count and upto - sent < 512 and (not rate or messages[upto].due <= now):
            upto += 1
        if upto == sent:
            time.sleep(min(0.005, max(0.0, messages[sent].due - now)))
            continue
        if rate:
            behind = max(behind, now - messages[sent].due)
        sock.sendall(b"".join(message.frames for message in messages[sent:upto]))
        sent = upto
        if select.select([sock], [], [], 0)[0]:  # a close, a block or a heartbeat
            connection.drain_events(timeout=0.1)
    written = time.perf_counter() - began
    connection.close()  # answered after everything before it was handled
    elapsed = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    events = sum(message.events for message in messages)
    return {
        "started_at": started_at,
        "ended_at": time.time(),
        "elapsed_s": round(elapsed, 3),
        "written_s": round(written, 3),
        "messages": count,
        "events": events,
        "bytes": sum(len(message.frames) for message in messages),
        "events_per_s": round(events / elapsed, 1),
        "max_behind_schedule_s": round(behind, 3),
        "generator_cpu_s": round(used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime, 3),
    }


def wait_for_queue(connection: amqp.Connection, queue: str, *, timeout_seconds: float) -> None:
    """Wait until `queue` has a consumer."""
    end = time.monotonic() + timeout_seconds
    while time.monotonic() < end:
        channel = connection.channel()
        try:
            if channel.queue_declare(queue, passive=True).consumer_count:
                return
        except amqp.exceptions.ChannelError:
            pass  # not there yet
        time.sleep(0.2)
    raise SystemExit(f"nothing consumes {queue}")


def options_from(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="amqp://guest:guest@127.0.0.1:5672//")
    parser.add_argument("--exchange", default=EXCHANGE)
    parser.add_argument("--loadgen", type=Path, default=LOADGEN)
    parser.add_argument("--wait-queue", help="wait until this queue has a consumer")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0, help="events/s; 0 is full speed")
    parser.add_argument("--nominal-rate", type=float, default=20_000)
    parser.add_argument("--no-sent", action="store_true", help="no task-sent events")
    parser.add_argument("--truth", type=Path, help="write the whole truth here")
    # The generator's own knobs, with its defaults.
    for name, default in {
        "workers": 20, "hosts": 0, "names": 30, "queues": 5, "clients": 4, "args_bytes": 60,
        "result_bytes": 0, "batch": 3, "seed": 1, "clock_start": 0, "db": 0,
    }.items():  # fmt: skip
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    for name, fraction in {
        "heartbeat": 2.0, "utcoffset": 0.0, "fail": 0.04, "retry": 0.02, "revoke": 0.005,
        "reject": 0.0, "chain": 0.1, "wait": 0.05, "runtime_scale": 1.0, "flush_ms": 4.0,
        "retry_delay": 0.25,
    }.items():  # fmt: skip
        parser.add_argument("--" + name.replace("_", "-"), type=float, default=fraction)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = options_from(arguments)
    messages, model = plan(load_generator(options.loadgen), options)
    connection = connect(options.url, exchange=options.exchange)
    if options.wait_queue:
        wait_for_queue(connection, options.wait_queue, timeout_seconds=30)
    time.sleep(max(0.0, model.t0 - time.time()))
    told = publish(connection, messages, rate=options.rate)
    truth = model.truth
    result = {
        "publish": told,
        "tasks": truth["tasks"],
        "events": dict(truth["events"]),
        "worker_events": dict(truth["worker_events"]),
        "final_states": dict(truth["final_states"]),
    }
    if options.truth:
        whole = {
            **result,
            "config": {key: str(value) for key, value in vars(options).items() if key != "url"},
            "failed_exceptions": truth["failed_exceptions"],
            "by_queue_type": truth["by_queue_type"],
            "sent_by_client": truth["sent_by_client"],
            "by_name_type_worker": truth["by_name_type_worker"],
            "workers": model.workers,
            "names": model.names,
            "queues": model.queues,
            "clients": model.clients,
        }
        options.truth.write_text(json.dumps(whole))
    json.dump(result, sys.stdout, indent=1)
    print(flush=True)


if __name__ == "__main__":
    main()
