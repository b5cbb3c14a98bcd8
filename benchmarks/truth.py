"""What was published against what `/metrics` says, series by series."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

_LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Counts = Counter[tuple[str, ...]]


def samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Give the samples of a page in Prometheus' text format."""
    for line in page.splitlines():
        found = None if line.startswith("#") else _LINE.match(line)
        if found is not None:
            name, labels, value = found.groups()
            yield name, dict(_LABEL.findall(labels or "")), float(value)


def published(truth: Mapping[str, Any]) -> Counts:
    """Give what the load generator sent: (task, event type, sender) → events."""
    counts: Counts = Counter()
    for name, by_type in truth["by_name_type_worker"].items():
        for kind, by_sender in by_type.items():
            for sender, count in by_sender.items():
                counts[name, kind, sender] += count
    return counts


def of_flower(page: str) -> Counts:
    """Give what Flower's metric says: (task, event type, sender) → events."""
    counts: Counts = Counter()
    for name, labels, value in samples(page):
        if name == "flower_events_total":
            counts[labels["task"], labels["type"], labels["worker"]] += int(value)
    return counts


def by_queue(truth: Mapping[str, Any]) -> Counts:
    """Give what the load generator sent: (queue, event type) → events."""
    counts: Counts = Counter()
    for queue, by_type in truth["by_queue_type"].items():
        for kind, count in by_type.items():
            counts[queue, kind] += count
    return counts


def of_exporter(page: str) -> Counts:
    """Give what celery-exporter's metrics say: (queue, event type) → events."""
    counts: Counts = Counter()
    for name, labels, value in samples(page):
        found = re.fullmatch(r"celery_task_(\w+)_total", name)
        if found is not None and value:
            counts[labels["queue_name"], f"task-{found[1]}"] += int(value)
    return counts


def differences(expected: Counts, told: Counts) -> list[str]:
    """Give a line for each count that is not what it should be."""
    return [
        f"{' '.join(key)}: {told[key]} and not {expected[key]}"
        for key in sorted(expected.keys() | told.keys())
        if expected[key] != told[key]
    ]
