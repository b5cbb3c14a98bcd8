"""What people install: the wheel and the sdist, with the page in them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import celeryscope
from celeryscope.dashboards import builtin, rules
from tests.conftest import REPOSITORY, need

DIST = Path("src/celeryscope/web/dist")


def build(source: Path, target: str, directory: Path, *, path: str | None = None) -> Path:
    """Build `target` (wheel or sdist) of the project in `source` as pip does."""
    env = {"PATH": path or "/usr/bin:/bin", "CELERYSCOPE_UI": "prebuilt"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)]
    subprocess.run(command, cwd=source, env=env, check=True, capture_output=True, timeout=50)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need((REPOSITORY / DIST / "index.html").is_file(), "the page is not built: make ui")
    return build(REPOSITORY, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, where there is no Node.js: whoever installs us may have none."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (project,) = unpacked.iterdir()
    return build(project, "wheel", tmp_path_factory.mktemp("wheel"), path="/nonexistent")


def test_the_wheel_holds_the_page_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "celeryscope/web/dist/index.html" in names
    assert any(name.startswith("celeryscope/web/dist/assets/") for name in names)
    assert "celeryscope/py.typed" in names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"celeryscope", f"celeryscope-{celeryscope.__version__}.dist-info"}


def test_the_wheel_runs_without_the_sources(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    script = (
        "import celeryscope.app, celeryscope.cli; print(celeryscope.app.__file__); "
        "celeryscope.cli.main(['--version'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    told = ran.stdout.splitlines()
    assert told[0].startswith(str(installed))
    assert told[1] == f"celeryscope {celeryscope.__version__}"


def test_the_wheel_writes_the_whole_stack(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    ran = subprocess.run(
        [sys.executable, "-m", "celeryscope", "stack", "made", "--with", "flower"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stderr
    made = tmp_path / "made"
    assert {path.name for path in (made / "prometheus/rules").iterdir()} == set(rules())
    assert {path.name for path in (made / "grafana/dashboards").iterdir()} == set(builtin())


def test_the_sdist_leaves_out_what_is_only_here(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert (DIST / "index.html").as_posix() in inside
    assert {"ui/package-lock.json", "tests/conftest.py", "Makefile", "hatch_build.py"} <= inside
    assert not {name for name in inside if "node_modules" in name or name.startswith(".venv")}


def test_the_changelog_knows_this_version() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    assert f"\n## {celeryscope.__version__}\n" in text
