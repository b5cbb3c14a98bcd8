"""Flower with `--basic_auth`, and ours with the same option: who is let in, and who is not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from celeryscope.web.api import flower_control
from tests.conftest import REPOSITORY, free_port, running, running_redis
from tests.contract.test_flower_live import PROJECT, answers, celery_with_flower

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PATHS = ("/api/workers", "/api/tasks", "/api/task/types", "/api/queues/length", "/workers")
WRITES = [
    path.replace("{name:path}", "nobody")
    for path, route in flower_control.ROUTES.items()
    if path.startswith("/api/") and "POST" in route.methods
]
RIGHT, WRONG = ("ada", "a:b"), ("ada", "a")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where Flower and ours answer, both with two users; there are no workers."""
    logs = tmp_path_factory.mktemp("login")
    flower, ours = free_port(), free_port()
    with running_redis(logs) as broker, contextlib.ExitStack() as stack:
        env = {
            **os.environ,
            "CONTRACT_BROKER": broker,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)]),
        }
        for name, port, command in (
            ("flower", flower, [*celery_with_flower(), *PROJECT, "flower", "--address=127.0.0.1"]),
            ("celeryscope", ours, [*celery_with_flower(), *PROJECT, "scope"]),
        ):
            command = [*command, f"--port={port}", "--basic_auth=ada:a:b,bob:secret"]
            ready = partial(answers, f"http://127.0.0.1:{port}/healthcheck")
            log = logs / f"{name}.log"
            stack.enter_context(
                running(command, log=log, env=env, cwd=logs, ready=ready, timeout_seconds=40)
            )
        yield f"http://127.0.0.1:{flower}", f"http://127.0.0.1:{ours}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("auth", [None, ("eve", "secret")])
def test_who_is_not_known_sees_nothing(
    urls: tuple[str, str], path: str, auth: tuple[str, str] | None
) -> None:
    theirs, ours = (httpx.get(url + path, auth=auth) for url in urls)
    assert (theirs.status_code, ours.status_code) == (401, 401)
    assert ours.headers["www-authenticate"].startswith("Basic realm=")  # Flower's API says none


def test_a_password_that_is_wrong_by_its_end_is_wrong(urls: tuple[str, str]) -> None:
    # Once: ours makes one wait after many.
    assert [httpx.get(url + "/api/tasks", auth=WRONG).status_code for url in urls] == [401, 401]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("auth", [RIGHT, ("bob", "secret")])
def test_who_is_known_sees_it(urls: tuple[str, str], path: str, auth: tuple[str, str]) -> None:
    assert [httpx.get(url + path, auth=auth).status_code for url in urls] == [200, 200]


@pytest.mark.parametrize("path", WRITES)
def test_who_is_not_known_changes_nothing(urls: tuple[str, str], path: str) -> None:
    assert [httpx.post(url + path).status_code for url in urls] == [401, 401]


def test_who_is_known_is_told_that_the_worker_is_not(urls: tuple[str, str]) -> None:
    path = "/api/worker/pool/grow/nobody"
    assert [httpx.post(url + path, auth=RIGHT).status_code for url in urls] == [404, 404]


@pytest.mark.parametrize("path", ["/metrics", "/healthcheck"])
def test_machines_are_not_asked(urls: tuple[str, str], path: str) -> None:
    assert [httpx.get(url + path).status_code for url in urls] == [200, 200]


def test_a_browser_is_asked_on_a_page_of_ours(urls: tuple[str, str]) -> None:
    answer = httpx.get(urls[1] + "/tasks", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Ftasks")
