"""Measure what we claim, beside the tools we compare ourselves with.

    python -m benchmarks            everything; about a quarter of an hour
    python -m benchmarks rate       one of: rate, burst, rabbitmq, scrape, memory, broadcast, history,
                                    page

Machines differ and are noisy: CPU seconds and ratios within one run are what to compare.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import harness, page, remember, truth

EVENTS_PER_TASK = 4.0757  # of the load generator as it is called here


def lost(watched: harness.Watched, made: dict[str, object], *, seconds: float = 20) -> list[str]:
    """Wait until the counts are what was published; give what differs in the end."""
    expected = truth.published(made)
    deadline = time.monotonic() + seconds
    while True:
        wrong = truth.differences(expected, truth.of_flower(watched.text("/metrics")))
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(0.5)


def said(label: str, value: object) -> None:
    print(f"  {label:<44} {value}", flush=True)


def missing(wrong: list[str]) -> str:
    return "none: every count equals the truth" if not wrong else f"{len(wrong)} counts differ"


def rate(directory: Path, seconds: float) -> None:
    """20,000 events/s from Redis; then Flower on a stream that it can still follow."""
    tasks = int(20_000 * seconds / EVENTS_PER_TASK)
    with harness.redis(directory) as broker, harness.ours(broker, directory) as watched:
        before = watched.cpu_seconds()
        with harness.page_feed(watched) as feed, harness.LagWatch(watched) as lag:
            made = harness.generate(
                broker, directory, "--tasks", str(tasks), "--rate", "20000",
                "--wait-subscribers", "1", "--linger", "1",
            )  # fmt: skip
        cpu = watched.cpu_seconds() - before
        wrong = lost(watched, made)
        events = made["publish"]["events"]
        said("events published", f"{events:,} at {made['publish']['events_per_s']:,.0f}/s")
        said("lost", missing(wrong))
        said("longest lag", f"{lag.longest:.3f} s")
        said("CPU seconds per 1,000 events", f"{cpu / events * 1000:.4f} (page and API calls too)")
        said("live feed of a page", f"{feed[0] / 1024 / (seconds + 30):.1f} kB/s")
        said("memory", f"{watched.memory_mb():.0f} MB")
    _side_by_side(directory)


def _side_by_side(directory: Path) -> None:
    with (
        harness.redis(directory) as broker,
        harness.ours(broker, directory) as watched,
        harness.flower(broker, directory) as flower,
    ):
        if flower is None:
            said("Flower", "not installed: no comparison (CELERYSCOPE_FLOWER=path of celery)")
            return
        before = watched.cpu_seconds(), flower.cpu_seconds()
        made = harness.generate(
            broker, directory, "--tasks", "7500", "--rate", "2000", "--wait-subscribers", "2",
            "--linger", "3",
        )  # fmt: skip
        after = watched.cpu_seconds(), flower.cpu_seconds()
        used = [b - a for a, b in zip(before, after, strict=True)]
        events = made["publish"]["events"]
        said("at 2,000/s side by side, CPU s per 1,000", f"ours {used[0] / events * 1000:.4f}")
        said("", f"Flower {used[1] / events * 1000:.4f}: {used[1] / used[0]:.0f} times ours")


def burst(directory: Path, seconds: float) -> None:
    """200,000 events as fast as Redis takes them."""
    with harness.redis(directory) as broker, harness.ours(broker, directory) as watched:
        made = harness.generate(
            broker, directory, "--tasks", "50000", "--rate", "0", "--wait-subscribers", "1",
        )  # fmt: skip
        wrong = lost(watched, made, seconds=40)
        said(
            "events published", f"{made['publish']['events']:,} in {made['publish']['elapsed_s']} s"
        )
        said("lost", missing(wrong))
        said("memory afterwards", f"{watched.memory_mb():.0f} MB")
    with harness.redis(directory) as broker, harness.flower(broker, directory) as flower:
        if flower is None:
            return
        made = harness.generate(
            broker, directory, "--tasks", "50000", "--rate", "0", "--wait-subscribers", "1",
        )  # fmt: skip
        time.sleep(30)
        came = sum(truth.of_flower(flower.text("/metrics")).values())
        all_ = made["publish"]["task_events"]
        said("Flower on the same burst", f"lost {all_ - came:,} of {all_:,}")


def rabbitmq(directory: Path, seconds: float) -> None:
    """10,000 events/s from RabbitMQ."""
    tasks = int(10_000 * seconds / EVENTS_PER_TASK)
    with harness.rabbitmq(directory) as broker, harness.ours(broker, directory) as watched:
        before = watched.cpu_seconds()
        out = directory / "amqp-truth.json"
        with harness.LagWatch(watched) as lag:
            subprocess.run(
                [sys.executable, str(Path(__file__).parent / "amqp_publish.py"), "--url", broker,
                 "--tasks", str(tasks), "--rate", "10000", "--truth", str(out)],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        made = harness.json.loads(out.read_text())
        wrong = lost(watched, made)
        events = made["publish"]["events"]
        cpu = watched.cpu_seconds() - before
        said("events published", f"{events:,} at {made['publish']['events_per_s']:,.0f}/s")
        said("lost", missing(wrong))
        said("longest lag", f"{lag.longest:.3f} s")
        said("CPU seconds per 1,000 events", f"{cpu / events * 1000:.4f}")


def scrape(directory: Path, seconds: float) -> None:
    """`/metrics` with all its series, at rest and while 10,000 events/s come in."""
    with harness.redis(directory) as broker, harness.ours(broker, directory) as watched:
        harness.generate(broker, directory, "--tasks", "25000", "--rate", "15000")
        at_rest = _scrapes(watched, 10)
        series = sum(1 for _ in truth.samples(watched.text("/metrics")))
        busy: list[float] = []
        with harness.LagWatch(watched) as lag:
            work = threading.Thread(target=lambda: busy.extend(_scrapes(watched, 30)))
            options = ["--tasks", "50000", "--rate", "10000", "--seed", "2"]
            starter = threading.Timer(12, work.start)
            starter.start()
            harness.generate(broker, directory, *options)
            starter.join()
            work.join()
        said("series", f"{series:,}")
        said("answer at rest (median, longest)", _median(at_rest))
        said("answer while events come in", _median(busy))
        said("longest lag meanwhile", f"{lag.longest:.3f} s")
    with harness.redis(directory) as broker, harness.flower(broker, directory) as flower:
        if flower is not None:
            harness.generate(broker, directory, "--tasks", "25000", "--rate", "2000")
            series = sum(1 for _ in truth.samples(flower.text("/metrics")))
            said(f"Flower at rest, {series:,} series", _median(_scrapes(flower, 10)))


def _scrapes(watched: harness.Watched, times: int) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        watched.text("/metrics")
        took.append(time.perf_counter() - began)
        time.sleep(0.1)
    return sorted(took)


def _median(took: list[float]) -> str:
    return f"{took[len(took) // 2] * 1000:.0f} ms, {took[-1] * 1000:.0f} ms"


def memory(directory: Path, seconds: float) -> None:
    """Memory while 500,000 tasks finish, and after 250,000 more."""
    with harness.redis(directory) as broker, harness.ours(broker, directory) as watched:
        said("at the start", f"{watched.memory_mb():.0f} MB")
        clock = 0
        for part in range(1, 7):
            made = harness.generate(
                broker, directory, "--tasks", "125000", "--rate", "25000", "--seed", str(part),
                "--clock-start", str(clock),
            )  # fmt: skip
            clock = int(made["max_clock"])
            said(f"after {part * 125_000:,} tasks", f"{watched.memory_mb():.0f} MB")


def broadcast(directory: Path, seconds: float) -> None:
    """A question to 500 workers that all answer, while 10,000 events/s come in."""
    names, ready = directory / "names", directory / "ready"
    crowd = [sys.executable, str(Path(__file__).parent / "crowd.py")]
    fleet = ["--workers", "500", "--rate", "10000"]
    with harness.redis(directory) as broker, harness.ours(broker, directory) as watched:
        harness.generate(broker, directory, *fleet, "--tasks", "5000")
        known = watched.get("/api/v1/workers")["workers"]
        names.write_text("\n".join(worker["hostname"] for worker in known))
        answers = subprocess.Popen(
            [*crowd, "--url", broker, "--names", str(names), "--ready", str(ready)]
        )
        try:
            while not ready.exists():
                time.sleep(0.05)
            lags, rounds = [], []
            for asking in (False, True):
                with harness.LagWatch(watched) as lag:
                    publishing = threading.Thread(
                        target=harness.generate,
                        args=(broker, directory, *fleet, "--tasks", "50000", "--seed", "2"),
                    )
                    publishing.start()
                    _until_all_online(watched, len(known))  # it makes its messages first
                    rounds += [_round(watched) for _ in range(5)] if asking else []
                    publishing.join()
                lags.append(lag.longest)
        finally:
            answers.kill()
            answers.wait()
        first, last, count = (sorted(column) for column in zip(*rounds, strict=True))
        said("workers that answered, each of 5 rounds", f"{count[0]:,} of {len(known):,}")
        said("first answers after (median, longest)", f"{first[2]:.2f} s, {first[-1]:.2f} s")
        said("all answers after (median, longest)", f"{last[2]:.2f} s, {last[-1]:.2f} s")
        said("longest lag of events without and with", f"{lags[0]:.3f} s, {lags[1]:.3f} s")


def _until_all_online(watched: harness.Watched, count: int) -> None:
    deadline = time.monotonic() + 120
    while watched.get("/api/v1/overview")["workers"]["online"] < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"{count} workers did not come online")
        time.sleep(0.2)


def _round(watched: harness.Watched) -> tuple[float, float, int]:
    """Ping everyone; give when the first answers were told, when all were, and how many."""
    began, first = time.monotonic(), 0.0
    report = watched.post("/api/v1/control/ping", {})
    while True:
        answered = report["outcomes"].get("ok", 0)
        now = time.monotonic() - began
        first = first or (now if answered else 0.0)
        if report["state"] in ("finished", "failed"):
            return first, now, answered
        where = f"/api/v1/actions/{report['id']}?after={report['sequence']}&wait=5"
        report = watched.get(where)


def history(directory: Path, seconds: float) -> None:
    """10,000 events/s into the history with the page open; a search beside Flower's."""
    remember.run(directory, seconds)


def in_chromium(directory: Path, seconds: float) -> None:
    """The page at 15,000 events/s in Chromium, and fifty of them at once."""
    page.run(directory, seconds)


BENCHMARKS: dict[str, Callable[[Path, float], None]] = {
    "rate": rate,
    "burst": burst,
    "rabbitmq": rabbitmq,
    "scrape": scrape,
    "memory": memory,
    "broadcast": broadcast,
    "history": history,
    "page": in_chromium,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], default=[])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the long runs")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each page of `page`")
    given = parser.parse_args()
    for name in given.names or BENCHMARKS:
        print(f"{name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}", flush=True)
        with harness.directory() as directory:
            seconds = 60 * given.minutes if name == "page" else given.seconds
            BENCHMARKS[name](Path(directory), seconds)


if __name__ == "__main__":
    main()
