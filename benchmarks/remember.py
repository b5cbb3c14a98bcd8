"""The history under load with the page open, against the truth; and Flower's search beside ours."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import harness, page, truth

EVENTS_A_SECOND = 10_000
EVENTS_PER_TASK = 4.0757  # of the load generator as it is called here
_TASKS_SEARCHED = 100_000


def run(directory: Path, seconds: float) -> None:
    """Measure both."""
    for history in ("", "off"):
        part = directory / (history or "kept")
        part.mkdir()
        _sustained(part, seconds, history)
    _searched(directory)


def _print(label: str, value: object) -> None:
    print(f"  {label:<44} {value}", flush=True)


def _sustained(directory: Path, seconds: float, history: str) -> None:
    """Publish at a steady rate while Chromium shows the tasks; compare the history in the end."""
    tasks = int(EVENTS_A_SECOND * seconds / EVENTS_PER_TASK)
    options = ("--history", history) if history else ()
    with (
        harness.redis(directory) as broker,
        harness.ours(broker, directory, *options, feed=False) as watched,
        page.chromium() as browser,
    ):
        shown = browser.new_page(viewport={"width": 1440, "height": 900})
        shown.goto(watched.url + "/tasks")
        shown.wait_for_selector("[data-testid=link][data-value=live]")
        before = watched.cpu_seconds()
        with harness.LagWatch(watched) as lag:
            made = harness.generate(
                broker, directory, "--tasks", str(tasks), "--rate", str(EVENTS_A_SECOND),
                "--wait-subscribers", "1", "--linger", "1",
            )  # fmt: skip
        events = made["publish"]["events"]
        if not history:
            _until_written(watched, made["publish"]["task_events"])
        cpu = watched.cpu_seconds() - before
        wrong = truth.differences(truth.published(made), truth.of_flower(watched.text("/metrics")))
        memory = watched.memory_mb()
    _print("history", history or "kept")
    _print("events published", f"{events:,} at {made['publish']['events_per_s']:,.0f}/s")
    _print("lost", "none" if not wrong else f"{len(wrong)} counts differ")
    _print("longest lag", f"{lag.longest:.3f} s")
    _print("CPU seconds per 1,000 events", f"{cpu / events * 1000:.4f}")
    _print("memory", f"{memory:.0f} MB")
    if not history:
        kept = directory / "data" / "history.db"
        found = _final_states(kept)
        same = found == Counter(made["final_states"])
        _print("final states in the history", "equal the truth" if same else f"differ: {found}")
        _print("bytes a task on disk", f"{kept.stat().st_size / made['tasks']:.0f}")


def _until_written(watched: harness.Watched, events: int) -> None:
    deadline = time.monotonic() + 60
    while (told := watched.get("/api/v1/history"))["written"] < events or told["waiting"]:
        if time.monotonic() > deadline:
            _print("NOT WRITTEN", told)
            return
        time.sleep(0.2)


def _final_states(path: Path) -> Counter[str]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return Counter(
            dict(
                db.execute(
                    "SELECT w.text, count(*) FROM task AS t JOIN word AS w ON w.id = t.state "
                    "GROUP BY 1"
                )
            )
        )
    finally:
        db.close()


def _searched(directory: Path) -> None:
    """Search 100,000 tasks by a text, in Flower and here, over HTTP."""
    with (
        harness.redis(directory) as broker,
        harness.ours(broker, directory, feed=False) as watched,
        harness.flower(broker, directory, f"--max_tasks={_TASKS_SEARCHED}") as flower,
    ):
        made = harness.generate(
            broker, directory, "--tasks", str(_TASKS_SEARCHED), "--rate", "2000",
            "--wait-subscribers", "1" if flower is None else "2", "--linger", "2",
        )  # fmt: skip
        _until_written(watched, made["publish"]["task_events"])
        wanted = str(made["sample_uuids"][0])
        _print("tasks searched", f"{made['tasks']:,}")
        for text in (wanted, "no such text", "SoftTimeLimitExceeded"):
            asked = quote(f'"{text}"')
            ours = _median_ms(watched, f"/api/v1/history/tasks?limit=50&query={asked}")
            line = f"ours {ours[0]:.0f} ms, {ours[1]} found"
            if flower is not None:
                # Flower's language is shlex-like: quotes hold a text with blanks together.
                theirs = _median_ms(flower, f"/api/tasks?limit=50&search={asked}")
                line += f"; Flower {theirs[0]:.0f} ms, {theirs[1]} found"
            _print(f"search {text[:30]!r}", line)
        if flower is None:
            _print("Flower", "not installed: no comparison")


def _median_ms(watched: harness.Watched, path: str) -> tuple[float, int]:
    took, answer = [], Any
    for _ in range(5):
        began = time.perf_counter()
        text = watched.text(path)
        took.append((time.perf_counter() - began) * 1000)
        answer = json.loads(text)
    found = answer.get("tasks", answer) if isinstance(answer, dict) else answer
    return sorted(took)[2], len(found)
