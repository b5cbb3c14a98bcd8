"""The stack that `celeryscope stack` writes, run as plain processes with its own configuration.

What takes time is begun once, in `story`, and each test waits for its part of what follows.
"""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import prometheus_client
import pytest
from click.testing import CliRunner

from celeryscope import cli
from tests.stack.plain import PROGRAMS, PlainStack, documented_programs, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SERVICES = (
    "redis", "celeryscope", "worker", "beat", "flower", "alertmanager", "pushgateway", "prometheus"
)  # fmt: skip
JOBS = {"prometheus", "celeryscope", "flower", "pushgateway", "alertmanager"}
SECOND = "celery@second"
EXCEPTION = "OutOfStock"

_T = TypeVar("_T")


@pytest.fixture(scope="session")
def plain_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainStack]:
    directory: Path = tmp_path_factory.mktemp("plain") / "stack"
    options = ["--with", "flower", "--webhook", "http://webhook:9000/alerts"]
    written = CliRunner().invoke(cli.main, ["stack", str(directory), *options])
    assert written.exit_code == 0, written.output
    with running_stack(directory, SERVICES) as stack:
        yield stack


class Story:
    """What was done to the stack, and the worker that can be stopped and started."""

    def __init__(self, stack: PlainStack) -> None:
        self.stack = stack
        self.worker = contextlib.ExitStack()
        self.start_worker()

    def start_worker(self) -> None:
        worker = self.stack.service("worker", instance="second")
        self.process = self.worker.enter_context(worker)

    def stop_worker(self) -> None:
        """As `docker compose stop` does: it is asked, and ends what it runs."""
        self.process.terminate()
        self.process.wait(20)
        self.worker.close()


@pytest.fixture(scope="session")
def story(plain_stack: PlainStack) -> Iterator[Story]:
    """Two workers work; then a task fails in a new way, a job pushes, and a worker is stopped."""
    story = Story(plain_stack)
    try:
        until(lambda: len(plain_stack.query("celeryscope_worker_online == 1")) == 2)
        plain_stack.call("search.reindex", "changed")
        plain_stack.call("inventory.reserve", "order-1", "lamp-brass", 1000)
        push_nightly_backup(plain_stack)
        story.stop_worker()
        yield story
    finally:
        story.worker.close()


def push_nightly_backup(stack: PlainStack) -> None:
    """What a short-lived job does at its end."""
    registry = prometheus_client.CollectorRegistry()
    rows = prometheus_client.Gauge("backup_rows", "Rows saved.", registry=registry)
    rows.set(1234)
    prometheus_client.push_to_gateway(
        f"127.0.0.1:{stack.ports['PUSHGATEWAY']}",
        job="nightly_backup",
        registry=registry,
        grouping_key={"instance": "db-1"},
    )


def until(found: Callable[[], _T], *, timeout_seconds: float = 60) -> _T:
    """Wait for `found` to give something, and give that."""
    deadline = time.monotonic() + timeout_seconds
    while not (result := found()):
        assert time.monotonic() < deadline, f"not in {timeout_seconds} s"
        time.sleep(0.5)
    return result


def test_the_guide_names_the_programs_that_the_tests_run() -> None:
    assert documented_programs() == PROGRAMS


def ours(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [alert for alert in alerts if alert["labels"].get("exception") == EXCEPTION]


def test_every_job_is_up(story: Story) -> None:
    def all_up() -> bool:
        up = {row["job"]: row["value"] for row in story.stack.query("up")}
        return up == dict.fromkeys(JOBS, 1.0)

    until(all_up, timeout_seconds=45)
    targets = story.stack.get("prometheus", "/api/v1/targets")["data"]
    assert targets["droppedTargets"] == []
    assert {target["lastError"] for target in targets["activeTargets"]} == {""}
    managers = story.stack.get("prometheus", "/api/v1/alertmanagers")["data"]
    assert len(managers["activeAlertmanagers"]) == 1


def test_all_rules_are_loaded_and_none_fails(story: Story) -> None:
    groups = story.stack.get("prometheus", "/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= {
        "CeleryscopeNewException",
        "CeleryscopeWorkerDown",
        "CeleryscopeConsoleDown",
    }

    def all_judged() -> bool:
        """Those of a slow group have their first turn later."""
        groups = story.stack.get("prometheus", "/api/v1/rules")["data"]["groups"]
        rules = [(rule["health"], group["interval"]) for group in groups for rule in group["rules"]]
        assert "err" not in {health for health, _ in rules}
        return {health for health, interval in rules if interval <= 30} == {"ok"}

    until(all_judged, timeout_seconds=45)


def test_flower_and_celeryscope_give_the_same_metrics_under_their_jobs(story: Story) -> None:
    """Flower asks people for a password, and lets Prometheus in."""
    until(
        lambda: (
            {
                row["job"]
                for row in story.stack.query('flower_events_total{task="search.reindex"}')
                if row["type"] == "task-succeeded"
            }
            == {"celeryscope", "flower"}
        )
    )
    assert status(story.stack.url("flower", "/api/workers")) == 401


def test_the_console_asks_people_for_a_password(story: Story) -> None:
    for path in ("/api/workers", "/api/v1/overview", "/api/v1/live"):
        assert status(story.stack.url("celeryscope", path)) == 401
    for path in ("/metrics", "/-/healthy"):
        assert status(story.stack.url("celeryscope", path)) == 200
    workers = story.stack.get("celeryscope", "/api/v1/workers")["workers"]
    assert SECOND in {worker["hostname"] for worker in workers}


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_a_push_of_a_short_lived_job_keeps_its_own_labels(story: Story) -> None:
    (pushed,) = until(lambda: story.stack.query("backup_rows"))
    assert (pushed["job"], pushed["instance"], pushed["value"]) == ("nightly_backup", "db-1", 1234)


def test_a_task_that_fails_in_a_new_way_raises_an_alert_that_reaches_the_webhook(
    story: Story,
) -> None:
    name = "CeleryscopeNewException"
    (fires,) = until(lambda: ours(story.stack.alerts(name)))
    assert fires["state"] == "firing"
    assert fires["labels"]["task"] == "inventory.reserve"
    assert fires["labels"]["job"] == "celeryscope"
    told = until(lambda: ours(story.stack.webhook.alerts(name, status="firing")))
    assert told[0]["labels"] == fires["labels"]
    assert told[0]["annotations"]["runbook_url"].endswith("#celeryscopenewexception")
    message = story.stack.webhook.told[0]
    assert (message["version"], message["receiver"]) == ("4", "default")


def test_the_links_of_an_alert_lead_to_the_console(story: Story) -> None:
    (alert, *_) = until(
        lambda: ours(story.stack.webhook.alerts("CeleryscopeNewException", status="firing"))
    )
    link = alert["annotations"]["console_url"]
    assert link.startswith(f"http://localhost:{story.stack.ports['CELERYSCOPE']}/tasks?query=")
    asked = urllib.request.Request(link, headers=story.stack.login())
    with urllib.request.urlopen(asked, timeout=5) as page:
        assert page.status == 200
        assert b"<title>" in page.read()
    listed = link.replace("/tasks?", "/api/v1/tasks?")
    path = listed.partition(str(story.stack.ports["CELERYSCOPE"]))[2]
    found = story.stack.get("celeryscope", path)["tasks"]
    assert [task["name"] for task in found] == ["inventory.reserve"]


def test_a_worker_that_stops_raises_an_alert_that_ends_when_it_is_back(story: Story) -> None:
    name = "CeleryscopeWorkerDown"

    def told(status: str) -> list[dict[str, Any]]:
        return story.stack.webhook.alerts(name, status=status)

    (down,) = until(lambda: told("firing"), timeout_seconds=150)
    assert down["labels"]["worker"] == SECOND
    assert down["labels"]["severity"] == "critical"
    assert [alert["state"] for alert in story.stack.alerts(name)] == ["firing"]
    assert told("resolved") == []
    story.start_worker()
    until(lambda: not story.stack.alerts(name), timeout_seconds=60)
    (back, *_) = until(lambda: told("resolved"), timeout_seconds=120)
    assert back["labels"] == down["labels"]
