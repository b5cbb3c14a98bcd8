"""A real Prometheus that scrapes a real little cluster, with our rules, for all of these tests."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from celeryscope import dashboards
from celeryscope.metrics.catalog import TASK_EVENTS
from tests.conftest import free_port, need_binary, running
from tests.demo import Demo, running_demo, until
from tests.grafana import Prometheus

SCRAPE_SECONDS = 1.0
TASK = "payments.charge"  # it succeeds, fails and is retried
WEEK = 7 * 86_400
# An alert that always fires shows that what is to show alerts does.
ALWAYS = """
groups:
  - name: always
    rules:
      - alert: CeleryscopeTestAlert
        expr: celeryscope_build_info
        labels: {severity: info}
"""
# The second job is the same console under the name that celery-exporter's dashboards ask for, as
# docs/reference/dashboards.md tells people to do. Our own metrics are not taken twice.
CONFIGURATION = """
global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: 1s}}
rule_files: ['{rules}/*.yml']
scrape_configs:
  - job_name: celeryscope
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
  - job_name: celery-exporter
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: '(celery|flower)_.+', action: keep}}
"""


class Scraped(NamedTuple):
    """What the tests look at."""

    prometheus_url: str
    console_url: str
    scrape_seconds: float
    demo: Demo
    began: float

    @property
    def prometheus(self) -> Prometheus:
        return Prometheus(self.prometheus_url)

    @property
    def range(self) -> tuple[float, float]:
        """From before the first scrape until the newest."""
        return self.began - 10, time.time() - 0.5


@pytest.fixture(scope="session")
def promtool() -> str:
    return need_binary("promtool", debian="prometheus")


@pytest.fixture(scope="session")
def scraped(tmp_path_factory: pytest.TempPathFactory, promtool: str) -> Iterator[Scraped]:
    binary = need_binary("prometheus", debian="prometheus")
    directory = tmp_path_factory.mktemp("scraped")
    console_port, port = free_port(), free_port()
    began = time.time()
    for name, content in {**dashboards.rules(), "always.yml": ALWAYS.encode()}.items():
        (directory / "rules").mkdir(exist_ok=True)
        (directory / "rules" / name).write_bytes(content)
    configuration = directory / "prometheus.yml"
    configuration.write_text(
        CONFIGURATION.format(
            interval=f"{round(SCRAPE_SECONDS * 1000)}ms",
            rules=directory / "rules",
            port=console_port,
        )
    )
    add_last_week(directory, promtool, f"127.0.0.1:{console_port}", began)
    command = [
        binary,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    (directory / "demo").mkdir()
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    with (
        running_demo(directory / "demo", port=console_port) as demo,
        running(command, log=directory / "prometheus.log", ready=lambda: is_up(prometheus)),
    ):
        scraped = Scraped(prometheus.url, demo.page_url, SCRAPE_SECONDS, demo, began)
        until(lambda: seen_all(prometheus), seconds=55, otherwise=lambda: (
            demo.output, prometheus.query("sum by (type) (celeryscope_task_events_total)",
                                          time=time.time())))  # fmt: skip
        yield scraped


def is_up(prometheus: Prometheus) -> bool:
    try:
        with urllib.request.urlopen(f"{prometheus.url}/-/ready", timeout=2):
            return True
    except OSError:
        return False


def seen_all(prometheus: Prometheus) -> bool:
    """Did tasks end in every way, in each set of metrics, and was that read several times?"""
    wanted = [
        *(f'count(celeryscope_task_events_total{{type="{event}"}})' for event in TASK_EVENTS),
        *(f"count(celery_{event.replace('-', '_')}_total)" for event in TASK_EVENTS),
        f'increase(celeryscope_task_failures_total{{task="{TASK}"}}[1m]) > 0',
        f'increase(celeryscope_task_events_total{{task="{TASK}", type="task-retried"}}[1m])',
        'ALERTS{alertname="CeleryscopeTestAlert"}',
        "celeryscope_worker_processes",
        "celeryscope_queue_oldest_waiting_seconds",
    ]
    time.sleep(0.2)
    then = time.time() - 6 * SCRAPE_SECONDS
    return all(prometheus.query(query, time=then) for query in wanted)


def add_last_week(directory: Path, promtool: str, instance: str, now: float) -> None:
    """A week ago the task ran as well: half an hour of that, for comparisons with the past."""
    labels = f'instance="{instance}",job="celeryscope",queue="checkout",task="{TASK}"'
    lines = ["# TYPE celeryscope_task_events counter"]
    start = round(now) - WEEK - 900
    for kind, each in (("task-succeeded", 5), ("task-failed", 1)):
        lines += [
            f'celeryscope_task_events_total{{{labels},type="{kind}"}} {step * each} {start + step}'
            for step in range(1800)
        ]
    source = directory / "last-week.om"
    source.write_text("\n".join([*lines, "# EOF", ""]))
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", source, directory / "tsdb"],
        check=True,
        capture_output=True,
        timeout=30,
    )


# ------------------------------------------------------------------ reading expressions

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_GROUPINGS = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", re.IGNORECASE
)
_WORDS = {
    *("and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"),
    *("by", "without", "on", "ignoring", "group_left", "group_right"),
}


def metrics_of(expr: str) -> set[str]:
    """The names of the metrics that a PromQL expression reads."""
    text = _STRINGS.sub('""', expr)
    text = re.sub(r"\{[^{}]*\}|\[[^\[\]]*\]", " ", text)
    text = _GROUPINGS.sub(" ", text)
    text = re.sub(r"\boffset\s+-?\w+", " ", text)
    names = re.findall(r"(?<![\w.:$])([a-zA-Z_:][\w:]*)\b(?!\s*\()", text)
    return {name for name in names if name.lower() not in _WORDS}


def check_expressions(promtool: str, directory: Path, exprs: list[str]) -> str:
    """What promtool says against them as PromQL; nothing if it takes them all."""
    rules = [{"record": f"checked:{number}", "expr": expr} for number, expr in enumerate(exprs)]
    file = directory / "checked.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "checked", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=none", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
