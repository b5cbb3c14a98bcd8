"""Our dashboard for Flower over a real Flower: it asks for nothing that Flower does not tell."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from celeryscope import dashboards
from tests.conftest import free_port, need, need_binary, running
from tests.dashboards.conftest import Scraped, is_up
from tests.demo import until
from tests.grafana import Answer, Prometheus, View

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: flower
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


@pytest.fixture
def of_flower(scraped: Scraped, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes a real Flower on the demo's broker, and nothing else."""
    need(importlib.util.find_spec("flower"), "flower is not installed")
    binary = need_binary("prometheus", debian="prometheus")
    flower_port, port = free_port(), free_port()
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(port=flower_port))
    flower = [
        *(sys.executable, "-m", "celery", "--broker", scraped.demo.broker_url, "flower"),
        *("--address=127.0.0.1", f"--port={flower_port}"),
    ]
    command = [
        binary,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    with (
        running(flower, log=tmp_path / "flower.log", ready=lambda: True, cwd=tmp_path),
        running(command, log=tmp_path / "prometheus.log", ready=lambda: is_up(prometheus)),
    ):
        yield prometheus


@pytest.mark.timeout(120)
def test_every_query_has_data_from_a_real_flower(of_flower: Prometheus) -> None:
    board = json.loads(dashboards.builtin()["flower.json"])
    began = time.time()

    def empty() -> list[str]:
        time.sleep(1)
        view = View(board, of_flower, start=began, end=time.time(), scrape_seconds=1)
        return [said(answer) for answer in view.answers() if not answer.values]

    until(lambda: not empty(), seconds=60, otherwise=lambda: "\n".join(empty()))


def said(answer: Answer) -> str:
    return f"{answer.panel['title']} {answer.target.ref}: {answer.error or answer.expr}"
