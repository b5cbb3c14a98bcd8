"""Flower in read-only mode and without a result backend, and ours: the same refusals."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from celeryscope.web.api import flower_control
from celeryscope.web.auth.policy import RULES
from tests.conftest import REPOSITORY, free_port, running, running_redis
from tests.contract.test_flower_live import PROJECT, answers, celery_with_flower

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

WRITES = [
    path.replace("{name:path}", "x")
    for path in flower_control.ROUTES
    if any(rule.command for rule in RULES[path].values())
]


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where Flower and ours answer, both read-only; there are no workers."""
    logs = tmp_path_factory.mktemp("read-only")
    flower, ours = free_port(), free_port()
    with running_redis(logs) as broker, contextlib.ExitStack() as stack:
        env = {
            **os.environ,
            "CONTRACT_BROKER": broker,
            "FLOWER_UNAUTHENTICATED_API": "true",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)]),
        }
        for name, port, ready, command in (
            ("flower", flower, "/healthcheck",
             [*celery_with_flower(), *PROJECT, "flower", "--address=127.0.0.1", "--read_only=True"]),
            ("celeryscope", ours, "/-/ready",
             [sys.executable, "-m", "celeryscope", "serve", f"--broker={broker}", "--read-only"]),
        ):  # fmt: skip
            url = f"http://127.0.0.1:{port}{ready}"
            stack.enter_context(
                running(
                    [*command, f"--port={port}"], log=logs / f"{name}.log", env=env, cwd=logs,
                    ready=partial(answers, url), timeout_seconds=40,
                )
            )  # fmt: skip
        yield f"http://127.0.0.1:{flower}", f"http://127.0.0.1:{ours}"


@pytest.mark.parametrize("path", WRITES)
def test_no_write_is_taken(urls: tuple[str, str], path: str) -> None:
    theirs, ours = (httpx.post(url + path) for url in urls)
    assert (ours.status_code, ours.text) == (theirs.status_code, theirs.text)
    assert (ours.status_code, ours.text) == (403, "Read only mode is enabled")
    assert ours.headers["content-type"] == theirs.headers["content-type"]


def test_a_result_without_a_backend(urls: tuple[str, str]) -> None:
    assert [httpx.get(url + "/api/task/result/x").status_code for url in urls] == [503, 503]
