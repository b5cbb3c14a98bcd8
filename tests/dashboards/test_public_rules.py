"""The alert rules that Flower and celery-exporter publish, over our /metrics.

They lie beside the repository. Their `for` is up to 20 minutes, in which an expression has to go
on giving series; here it has to give them, and no more once the trouble is over. That a rule then
fires is Prometheus' work.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery import Celery

from celeryscope.metrics.catalog import METRICS
from tests.conftest import REPOSITORY
from tests.dashboards.conftest import Scraped, metrics_of
from tests.demo import until

FOLDER = REPOSITORY.parent / "shared" / "reference" / "rules"
FILES = ("celery-mixin-alerts.yaml", "flower-alerts.yaml")

pytestmark = [
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="the public rules are not beside the repository (../shared)"
    ),
    pytest.mark.timeout(120),
]


def groups_of(file: str) -> list[dict[str, Any]]:
    """Flower's file is a list of rules to be put into a group of one's own."""
    content = yaml.safe_load((FOLDER / file).read_text())
    if isinstance(content, list):
        return [{"name": "flower", "rules": content}]
    groups: list[dict[str, Any]] = content["groups"]
    return groups


def expressions() -> dict[str, str]:
    if not FOLDER.is_dir():
        return {}
    return {
        rule["alert"]: rule["expr"]
        for file in FILES
        for group in groups_of(file)
        for rule in group["rules"]
    }


EXPRESSIONS = expressions()


def given(scraped: Scraped, alert: str) -> list[dict[str, str]]:
    """The labels of the series that the alert's expression gives now."""
    rows = scraped.prometheus.query(EXPRESSIONS[alert], time=time.time())
    return [row["metric"] for row in rows]


def await_alert(
    scraped: Scraped, alert: str, labels: dict[str, str], *, there: bool = True
) -> None:
    """Until the alert's expression gives a series with these labels, or gives none any more."""
    until(
        lambda: comes(scraped, alert, labels) is there,
        seconds=40,
        otherwise=lambda: (alert, given(scraped, alert)),
    )


def comes(scraped: Scraped, alert: str, labels: dict[str, str]) -> bool:
    return any(labels.items() <= row.items() for row in given(scraped, alert))


@contextlib.contextmanager
def stopped(scraped: Scraped, worker: str) -> Iterator[None]:
    """A worker that hangs: nothing comes from it, and nobody takes from its queue."""
    leader = scraped.demo.pids(f"--hostname {worker}@")[0]
    os.kill(leader, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(leader, signal.SIGCONT)


@pytest.mark.parametrize("file", FILES)
def test_prometheus_takes_the_rules(file: str, promtool: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": groups_of(file)}))
    done = subprocess.run(
        [promtool, "check", "rules", rules], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", EXPRESSIONS)
def test_we_have_the_metrics_that_an_alert_asks_for(alert: str) -> None:
    assert metrics_of(EXPRESSIONS[alert]) <= {metric.name for metric in METRICS}


def test_there_is_a_test_for_each_alert() -> None:
    assert set(EXPRESSIONS) == {
        "CeleryHighQueueLength",
        "CeleryTaskHighFailRate",
        "CeleryWorkerDown",
        "CeleryWorkerOffline",
        "TaskFailureRatioTooHigh",
        "TaskPrefetchTimeTooHigh",
    }


def test_failing_tasks_are_told(scraped: Scraped) -> None:
    # The demo's exports of unknown tables fail: far more than 5 % of them.
    failing = {"name": "exports.csv", "queue_name": "backoffice", "job": "celeryscope"}
    await_alert(scraped, "CeleryTaskHighFailRate", failing)
    await_alert(scraped, "TaskFailureRatioTooHigh", {"task": "exports.csv"})
    assert not comes(scraped, "CeleryTaskHighFailRate", {"name": "cleanup.expire_carts"})


def test_a_worker_that_hangs_and_its_queue_are_told_and_end(scraped: Scraped) -> None:
    trouble = {
        "CeleryWorkerDown": {"hostname": "shop-1"},
        "CeleryWorkerOffline": {"worker": "checkout@shop-1"},
        "CeleryHighQueueLength": {"queue_name": "checkout", "job": "celeryscope"},
    }
    for alert, labels in trouble.items():
        assert not comes(scraped, alert, labels)
    with stopped(scraped, "checkout"):
        for alert, labels in trouble.items():
            await_alert(scraped, alert, labels)
        # The workers that go on are not told.
        assert {row["worker"] for row in given(scraped, "CeleryWorkerOffline")} == {
            "checkout@shop-1"
        }
    for alert, labels in trouble.items():
        await_alert(scraped, alert, labels, there=False)


def test_tasks_that_wait_in_their_worker_are_told(scraped: Scraped) -> None:
    # More long reports at once than the worker has processes: it holds the others back.
    with Celery(broker=scraped.demo.broker_url, set_as_current=False) as client:
        for year in range(2010, 2022):
            client.send_task("reports.year", args=[year], queue="backoffice", ignore_result=True)
    held_back = {"task": "reports.year", "worker": "backoffice@shop-3"}
    await_alert(scraped, "TaskPrefetchTimeTooHigh", held_back)
