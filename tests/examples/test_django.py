"""examples/django: its README is followed, from an empty database to the first alert."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import yaml
from packaging.requirements import Requirement

from celeryscope.cli import main
from tests.conftest import REPOSITORY, free_port, need_binary, running_redis
from tests.examples.guide import Block, Shell, blocks, shell

EXAMPLE = REPOSITORY / "examples" / "django"
README = EXAMPLE / "README.md"
BLOCKS = [block for block in blocks(README) if block.language == "sh"]
HERE = [block for block in BLOCKS if not block.mark]
DOCKER = [block for block in BLOCKS if block.mark == "needs docker"]
# What whoever follows the guide leaves there: see the example's .gitignore.
LEFT = (".venv", "stack", "data", "db.sqlite3", "celerybeat-schedule*", "*.log", "__pycache__")
# The ports of the guide, which may be taken on the machine that tests it.
PORTS = (5555, 9090)
# The environment that the tests run in takes the place of the guide's .venv.
PROGRAMS = Path(sys.executable).parent


class Followed(NamedTuple):
    """The project while its README is followed."""

    directory: Path
    shell: Shell
    ports: dict[int, int]

    def run(self, block: Block) -> str:
        text = block.text
        for usual, ours in self.ports.items():
            # `"celeryscope:5555"` is a name of the stack's, not of this machine.
            text = re.sub(rf"(localhost|127\.0\.0\.1):{usual}\b", rf"\1:{ours}", text)
        return self.shell.run(text)

    def get(self, port: int, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}") as answer:
            return json.loads(answer.read())

    def ready(self, port: int) -> None:
        """Wait until the server that the guide has on `port` says that it is ready."""

        def asked() -> bool:
            try:
                url = f"http://127.0.0.1:{self.ports[port]}/-/ready"
                with urllib.request.urlopen(url, timeout=2):
                    return True
            except OSError:
                return False

        self.until(asked)

    def tasks(self) -> list[Any]:
        return list(self.get(5555, "/api/v1/tasks?limit=1000")["tasks"])

    def until(self, true: Callable[[], object], *, timeout_seconds: float = 40) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not true():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.2)

    def logs(self) -> str:
        return "\n".join(
            f"---- {log.name}\n{log.read_text(errors='replace')[-3000:]}"
            for log in sorted(self.directory.glob("*.log"))
        )


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    need_binary("prometheus", debian="prometheus")
    directory = tmp_path / "django"
    # Without what somebody left there who tried it.
    left = shutil.ignore_patterns(*LEFT)
    shutil.copytree(EXAMPLE, directory, ignore=left)
    ports = {usual: free_port() for usual in PORTS}
    with running_redis(tmp_path) as broker:
        env = {name: value for name, value in os.environ.items() if "CELERY" not in name}
        env |= {
            "PATH": f"{PROGRAMS}{os.pathsep}{env['PATH']}",
            "CELERY_BROKER_URL": broker,
            "CELERYSCOPE_PORT": str(ports[5555]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with shell(directory, env) as started:
            yield Followed(directory, started, ports)


def by_name(tasks: list[Any], name: str) -> list[Any]:
    return [task for task in tasks if task["name"] == f"orders.tasks.{name}"]


def states(tasks: list[Any], name: str) -> list[str]:
    return sorted(task["state"] for task in by_name(tasks, name))


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_the_readme_leads_from_nothing_to_the_first_alert(followed: Followed) -> None:
    start, order, monitor, decline, ask, stop = HERE

    followed.run(start)
    followed.ready(5555)
    followed.until(lambda: followed.get(5555, "/api/v1/overview")["workers"]["online"] == 1)

    assert "3 orders placed" in followed.run(order)
    followed.until(lambda: states(followed.tasks(), "reserve") == ["SUCCESS"] * 3)
    followed.until(lambda: states(followed.tasks(), "send_receipt") == ["SUCCESS"] * 3)
    followed.until(lambda: "SUCCESS" in states(followed.tasks(), "report"))
    tasks = followed.tasks()
    assert states(tasks, "charge") == ["SUCCESS"] * 3
    assert [task["retries"] for task in by_name(tasks, "reserve")] == [1] * 3
    # With task-sent events, the queue and the time spent in it are known of every one. Beat may
    # have sent a report before there was a console.
    placed = [task for task in tasks if task not in by_name(tasks, "report")]
    assert len(placed) == 9
    assert {task["queue"] for task in placed} == {"celery"}
    assert all(task["wait"] is not None for task in placed)
    charged = {task["uuid"] for task in by_name(tasks, "charge")}
    receipts = by_name(tasks, "send_receipt")
    for receipt in receipts:
        whole = followed.get(5555, f"/api/v1/tasks/{receipt['uuid']}")
        assert whole["parent_id"] in charged

    followed.run(monitor)
    followed.ready(9090)
    assert "1 orders placed" in followed.run(decline)
    found = "/api/v1/tasks?query=state:failure%20exception:CardDeclined"
    followed.until(lambda: followed.get(5555, found)["total"] == 1)
    (failed,) = followed.get(5555, found)["tasks"]
    assert (failed["name"], failed["state"]) == ("orders.tasks.charge", "FAILURE")

    # A scrape and an evaluation, each every 15 seconds, and the first of each is not at once.
    followed.until(lambda: "CeleryscopeNewException" in followed.run(ask), timeout_seconds=70)
    (alert,) = (
        alert
        for alert in followed.get(9090, "/api/v1/alerts")["data"]["alerts"]
        if alert["labels"]["alertname"] == "CeleryscopeNewException"
    )
    assert alert["state"] == "firing"
    summary = alert["annotations"]["summary"]
    assert summary.strip() == '"orders.tasks.charge" fails with "CardDeclined", which is new.'
    assert summary.strip().replace("with ", "with\n") in README.read_text()
    link = alert["annotations"]["console_url"]
    assert link.startswith(f"http://127.0.0.1:{followed.ports[5555]}/tasks?query=")
    linked = followed.get(5555, "/api/v1" + link[link.index("/tasks") :])
    assert [task["uuid"] for task in linked["tasks"]] == [failed["uuid"]]
    assert {
        target["labels"]["job"]: target["health"]
        for target in followed.get(9090, "/api/v1/targets")["data"]["activeTargets"]
    } == {"celeryscope": "up", "prometheus": "up"}

    followed.run(stop)
    # What the guide says of a chain that broke: two failures in the database, one task that ran.
    database = sqlite3.connect(followed.directory / "db.sqlite3")
    rows = database.execute(
        "SELECT task_name FROM django_celery_results_taskresult WHERE status = 'FAILURE'"
    ).fetchall()
    database.close()
    assert sorted(rows) == [("orders.tasks.charge",), ("orders.tasks.send_receipt",)]


# ------------------------------------------------------------- what is not run is checked


def test_every_block_is_run_or_says_why_not() -> None:
    assert {block.mark for block in BLOCKS} == {
        "",
        "needs docker",
        "not run: it builds the page",
        "not run: it fetches packages",
        "not run: the test has a Redis of its own",
    }


def test_the_containers_of_the_readme_can_be_described(tmp_path: Path) -> None:
    """All lines but docker's are run; the services that they name are in the file they make."""
    here = [
        command
        for block in DOCKER
        for command in block.commands()
        if not command.startswith(("docker", "cd"))
    ]
    env = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    with shell(tmp_path, env) as started:
        started.run(HERE[2].commands()[0])  # the stack of before is still there
        for command in here:
            started.run(command)
    text = (tmp_path / "stack" / "compose.yaml").read_text()
    assert "CELERY_RESULT_BACKEND" not in text
    described = subprocess.run(
        [PROGRAMS / "docker-compose", "config"],
        cwd=tmp_path / "stack",
        capture_output=True,
        text=True,
        check=False,
    )
    assert described.returncode == 0, described.stderr
    services = yaml.safe_load(described.stdout)["services"]
    assert services["worker"]["image"] == "shop:1"
    assert services["worker"]["environment"].keys() == {"CELERY_BROKER_URL", "DATABASE_URL"}
    named = [shlex.split(c)[3] for b in DOCKER for c in b.commands() if " exec " in c]
    assert set(named) == {"worker"}
    assert {"celeryscope", "prometheus", "alertmanager", "grafana", "postgres"} <= services.keys()


def options(command: str) -> tuple[str, set[str]]:
    """The long options of a command line, by what they are of."""
    words = shlex.split(command)
    of = " ".join(words[:3] if words[:2] == ["docker", "compose"] else words[:2])
    before = words[: words.index("python")] if "python" in words else words
    return of, {word.partition("=")[0] for word in before if word.startswith("--")}


def test_every_option_that_is_not_run_exists() -> None:
    seen = set()
    for command in (command for block in DOCKER for command in block.commands()):
        of, asked = options(command)
        if of == "celeryscope stack":
            ours = main.commands["stack"]
            known = {o for p in ours.params if isinstance(p, click.Option) for o in p.opts}
        elif of.startswith("docker compose"):
            known = _options_of_compose(of.split()[2])
        else:
            continue
        seen.add(of)
        assert asked <= known, command
    assert seen == {
        "celeryscope stack", "docker compose up", "docker compose exec", "docker compose down"
    }  # fmt: skip


def _options_of_compose(subcommand: str) -> set[str]:
    told = subprocess.run(
        [PROGRAMS / "docker-compose", subcommand, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"--[a-z-]+", told.stdout))


def test_the_requirements_fit_what_the_tests_run_with() -> None:
    for line in (EXAMPLE / "requirements.txt").read_text().splitlines():
        requirement = Requirement(line.partition("#")[0].strip())
        if requirement.name == "psycopg":
            continue  # for PostgreSQL only
        assert importlib.metadata.version(requirement.name) in requirement.specifier


def test_what_following_the_readme_leaves_is_not_for_git() -> None:
    ignored = (EXAMPLE / ".gitignore").read_text().splitlines()
    assert {name.strip("/") for name in ignored} == set(LEFT) - {"__pycache__"}


def test_every_file_that_the_readme_names_is_there() -> None:
    text = README.read_text()
    linked = re.findall(r"\]\(((?:\.\./)+[^)#]+)", text)
    listed = re.findall(r"^\| `([\w/.]+)` \|", text, flags=re.MULTILINE)
    assert linked
    assert listed
    for name in (*linked, *listed):
        assert (EXAMPLE / name).exists(), name
    assert (REPOSITORY / "tests/examples/test_django.py").samefile(__file__)


@pytest.mark.parametrize(
    ("url", "engine", "name"),
    [
        ("", "sqlite3", str(EXAMPLE / "db.sqlite3")),
        ("sqlite:////var/lib/shop/db.sqlite3", "sqlite3", "/var/lib/shop/db.sqlite3"),
        ("postgresql://celery:p%40ss@postgres:5432/celery", "postgresql", "celery"),
    ],
)
def test_the_database_comes_from_the_environment(url: str, engine: str, name: str) -> None:
    script = "import json; from shop.settings import DATABASES as d; print(json.dumps(d))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=EXAMPLE,
        env={"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)["default"]
    assert (told["ENGINE"], told["NAME"]) == (f"django.db.backends.{engine}", name)
    if engine == "postgresql":
        assert (told["USER"], told["PASSWORD"]) == ("celery", "p@ss")
        assert (told["HOST"], told["PORT"]) == ("postgres", "5432")


@pytest.mark.parametrize(
    ("command", "migrates"),
    [
        ("celery -A shop worker --loglevel=info", True),
        ("celery --app=shop worker", True),
        ("celery -A shop beat", False),
        ("python manage.py order", False),
    ],
)
def test_the_images_entrypoint_makes_the_tables_for_the_worker_only(
    command: str, migrates: bool, tmp_path: Path
) -> None:
    for name in ("python", "celery"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$(basename $0) $*"\n')
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [EXAMPLE / "entrypoint.sh", *command.split()],
        env={"PATH": f"{tmp_path}{os.pathsep}/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        *(["python manage.py migrate --no-input"] if migrates else []),
        command,
    ]
