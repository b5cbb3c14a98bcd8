"""Every dashboard, in one table."""

from __future__ import annotations

import json

from dashboards.console import BOARD as CONSOLE
from dashboards.flower import BOARD as FLOWER
from dashboards.grafana import Json
from dashboards.one_task import BOARD as ONE_TASK
from dashboards.overview import BOARD as OVERVIEW
from dashboards.queues import BOARD as QUEUES
from dashboards.tasks import BOARD as TASKS
from dashboards.workers import BOARD as WORKERS

BOARDS: dict[str, Json] = {
    "flower.json": FLOWER,
    "overview.json": OVERVIEW,
    "queues.json": QUEUES,
    "self.json": CONSOLE,
    "task.json": ONE_TASK,
    "tasks.json": TASKS,
    "workers.json": WORKERS,
}


def as_json(board: Json) -> bytes:
    """The same bytes for the same dashboard, with keys in order, so that changes read well."""
    return (json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
