"""Events of a real worker over a broker that we have no reader of our own for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from celery import Celery

from celeryscope.ingest.kombu import KombuSource
from tests.conftest import running
from tests.recording import reading

PROJECT = """
import os
from celery import Celery

folder = os.environ["FOLDER"]
app = Celery("project", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": folder + "/data",
    "data_folder_out": folder + "/data",
    "control_folder": folder + "/control",
}

@app.task
def add(x, y):
    return x + y
"""


def test_a_workers_events_arrive_over_the_filesystem(tmp_path: Path) -> None:
    for name in ("data", "control"):
        (tmp_path / name).mkdir()
    (tmp_path / "project.py").write_text(PROJECT)
    options = {
        "data_folder_in": str(tmp_path / "data"),
        "data_folder_out": str(tmp_path / "data"),
        "control_folder": str(tmp_path / "control"),
        "polling_interval": 0.05,
    }
    log = tmp_path / "worker.log"
    command = [
        sys.executable, "-m", "celery", "-A", "project", "worker", "-E", "-n", "w1@files",
        "-P", "solo", "--without-mingle", "--without-gossip", "-l", "info",
    ]  # fmt: skip
    source = KombuSource(broker_url="filesystem://", transport_options=options)
    with reading(source) as sink:
        sink.wait(lambda sink: sink.connections)
        with running(
            command,
            log=log,
            ready=lambda: "ready" in log.read_text(),
            env={**os.environ, "FOLDER": str(tmp_path)},
            cwd=tmp_path,
            timeout_seconds=40,
        ):
            with Celery("client", broker="filesystem://", set_as_current=False) as app:
                app.conf.broker_transport_options = options
                app.conf.task_send_sent_event = True
                sent = app.send_task("project.add", (2, 3))
            wanted = {"task-sent", "task-received", "task-started", "task-succeeded"}
            sink.wait(
                lambda sink: (
                    wanted
                    <= {event["type"] for event in sink.events if event.get("uuid") == sent.id}
                ),
                seconds=30,
            )
    assert "worker-online" in {event["type"] for event in sink.events}
    assert sink.told == [("connected", "filesystem://")]
