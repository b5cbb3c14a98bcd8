"""The traffic generator: `python -m celeryscope.demo.traffic --rate 1`, a process of its own.

It sends scenarios to the shop until it is ended. When the workers cannot keep up it holds
back rather than fill the broker, and says so.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import logging
import random
import time
from collections.abc import Callable

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from celeryscope.demo.scenarios import SCENARIOS, Act, deal, pause_seconds
from celeryscope.demo.shop.project import QUEUES, app

logger = logging.getLogger(__name__)

BACKLOG_LIMIT = 400  # messages waiting in the queues, all together
BACKLOG_CHECK_SECONDS = 1.0
OPENING_PAUSE_SECONDS = 0.12  # the first round comes briskly: something of everything at once


class Revocations:
    """Task ids to take back, each at its time."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, str, bool]] = []
        self._order = itertools.count()

    def add(self, at_seconds: float, task_id: str, *, terminate: bool) -> None:
        heapq.heappush(self._due, (at_seconds, next(self._order), task_id, terminate))

    def next_at(self) -> float:
        return self._due[0][0] if self._due else float("inf")

    def pop_due(self, now_seconds: float) -> list[tuple[str, bool]]:
        due = []
        while self._due and self._due[0][0] <= now_seconds:
            _, _, task_id, terminate = heapq.heappop(self._due)
            due.append((task_id, terminate))
        return due


def await_no_results() -> None:
    """Keep this process from subscribing to the results of what it sends.

    Celery's Redis backend does that for each task in case somebody waits for it. Nobody does
    here, nobody would read the answers either, and both would pile up for good.
    """
    app.backend.result_consumer.consume_from = lambda task_id: None


def backlog() -> int:
    """Messages that wait in the shop's queues. Works on Redis and Valkey only."""
    client = app.backend.client
    return sum(int(client.llen(queue)) for queue in QUEUES)


def send(act: Act, revocations: Revocations) -> None:
    result = act.canvas.apply_async(**act.options)
    if act.revoke_after_seconds is not None:
        at = time.monotonic() + act.revoke_after_seconds
        revocations.add(at, result.id, terminate=act.terminate)


def wait_for_room(waiting: Callable[[], int] = backlog) -> None:
    """Return once the workers have worked off enough."""
    if (messages := waiting()) <= BACKLOG_LIMIT:
        return
    logger.warning("Holding back: %d messages wait for the workers", messages)
    while waiting() > BACKLOG_LIMIT // 2:
        time.sleep(BACKLOG_CHECK_SECONDS)


def take_back_due(revocations: Revocations) -> None:
    for task_id, terminate in revocations.pop_due(time.monotonic()):
        app.control.revoke(task_id, terminate=terminate, signal="SIGTERM")


def sleep_until(at_seconds: float, revocations: Revocations) -> None:
    """Sleep, and take tasks back meanwhile when their time comes."""
    while (now := time.monotonic()) < at_seconds:
        time.sleep(max(0.0, min(at_seconds, revocations.next_at()) - now))
        take_back_due(revocations)


def generate(*, rate: float, rng: random.Random) -> None:
    """Send traffic for good. A broker that is away is waited for."""
    revocations = Revocations()
    began = due = checked = time.monotonic()
    for number, scenario in enumerate(deal(rng)):
        opening = number < len(SCENARIOS)
        at = time.monotonic() - began
        due += OPENING_PAUSE_SECONDS if opening else pause_seconds(rng, at, rate)
        # After a time away (a laptop asleep, a broker down) the past is not made up for.
        due = max(due, time.monotonic() - 1)
        try:
            sleep_until(due, revocations)
            if time.monotonic() - checked > BACKLOG_CHECK_SECONDS:
                wait_for_room()
                checked = time.monotonic()
            send(scenario.draw(rng), revocations)
        except (OperationalError, RedisError, OSError) as error:
            logger.warning("Cannot send %s: %s; trying again", scenario.name, error)
            time.sleep(BACKLOG_CHECK_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(prog="celeryscope.demo.traffic", description=__doc__)
    parser.add_argument("--rate", type=float, default=1.0, help="1 is about 20 tasks a second")
    rate = parser.parse_args().rate
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logger.info("Sending traffic at rate %g", rate)
    await_no_results()
    generate(rate=rate, rng=random.Random())


if __name__ == "__main__":
    main()
