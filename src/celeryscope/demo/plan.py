"""What the demo runs, as values: which programs, with which command line and environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from celeryscope.demo import valkey
from celeryscope.demo.supervisor import Program

PROJECT = "celeryscope.demo.shop.project"
TASKS_PER_SECOND = 20.0  # on average, at rate 1


class Worker(NamedTuple):
    hostname: str  # node name
    queues: tuple[str, ...]
    concurrency: int


WORKERS = (
    Worker("checkout@shop-1", ("checkout",), 3),
    Worker("media@shop-2", ("media",), 2),
    Worker("backoffice@shop-3", ("backoffice", "media"), 4),
)
QUEUES = frozenset(queue for worker in WORKERS for queue in worker.queues)


class Plan(NamedTuple):
    broker: Program
    broker_port: int
    console: Program
    workers: tuple[Program, ...]
    clients: tuple[Program, ...]  # they send tasks: beat and the traffic generator
    tasks_per_second: float
    logs: Path

    @property
    def broker_url(self) -> str:
        return valkey.url(self.broker_port)


def make_plan(
    *,
    directory: Path,
    environment: Mapping[str, str],
    valkey_server: Path,
    broker_port: int,
    console: Sequence[str] | None,
    address: str,
    port: int,
    url_prefix: str,
    rate: float,
) -> Plan:
    """Everything is kept in `directory`; `prepare` makes its folders."""
    broker_url = valkey.url(broker_port)
    shop = shop_environment(environment, broker_url=broker_url)
    run, logs, data = folders(directory)

    def program(name: str, command: Sequence[str], *, outlives_others: bool = False) -> Program:
        log = logs / f"{name.replace(' ', '-')}.log"
        return Program(name, command, shop, run, log, outlives_others)

    return Plan(
        broker=program(
            "valkey",
            valkey.server_command(valkey_server, port=broker_port, directory=run),
            outlives_others=True,
        ),
        broker_port=broker_port,
        console=program(
            "console",
            console
            or console_command(
                broker_url=broker_url,
                address=address,
                port=port,
                url_prefix=url_prefix,
                data_dir=data,
            ),
        ),
        workers=tuple(
            program(f"worker {worker.hostname.partition('@')[0]}", worker_command(worker))
            for worker in WORKERS
        ),
        clients=(program("beat", beat_command()), program("traffic", traffic_command(rate))),
        tasks_per_second=TASKS_PER_SECOND * rate,
        logs=logs,
    )


def folders(directory: Path) -> tuple[Path, Path, Path]:
    """Where the programs run, where they log, and the console's data.

    They run in an empty folder of their own: Python looks for modules there first, and the
    user's folder may well hold a `celery.py`.
    """
    return directory / "run", directory / "logs", directory / "data"


def prepare(directory: Path) -> None:
    for folder in folders(directory):
        folder.mkdir(parents=True, exist_ok=True)


def shop_environment(environment: Mapping[str, str], *, broker_url: str) -> dict[str, str]:
    """The caller's environment with the shop's broker, and without the settings for another
    project's Celery or Flower that a shell may hold."""
    others = ("CELERY_", "FLOWER_")
    kept = {name: value for name, value in environment.items() if not name.startswith(others)}
    return kept | {
        "CELERY_BROKER_URL": broker_url,
        "CELERY_RESULT_BACKEND": broker_url,
        "PYTHONUNBUFFERED": "1",
    }


def console_command(
    *, broker_url: str, address: str, port: int, url_prefix: str, data_dir: Path
) -> list[str]:
    command = [sys.executable, "-m", "celeryscope", "serve", "--broker", broker_url]
    command += ["--address", address, "--port", str(port), "--data-dir", str(data_dir)]
    return [*command, "--url-prefix", url_prefix] if url_prefix else command


def worker_command(worker: Worker) -> list[str]:
    return [
        *_celery("worker"),
        *("--hostname", worker.hostname, "--queues", ",".join(worker.queues)),
        *("--concurrency", str(worker.concurrency), "--loglevel", "INFO"),
        # Looking for neighbours costs each worker a second at its start; the shop needs none.
        *("--without-mingle", "--without-gossip"),
    ]


def beat_command() -> list[str]:
    # Celery's plain scheduler: its default one keeps a file, written with pickle.
    return [
        *_celery("beat"),
        *("--scheduler", "celery.beat.Scheduler", "--pidfile", "", "--loglevel", "INFO"),
    ]


def traffic_command(rate: float) -> list[str]:
    return [sys.executable, "-m", "celeryscope.demo.traffic", "--rate", str(rate)]


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--app", PROJECT, command]
