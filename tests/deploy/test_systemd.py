"""The systemd unit: systemd takes it without a word, and what it may do is little."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

from celeryscope.cli import EXIT_CONFIG, main
from celeryscope.config import SETTINGS
from tests.conftest import REPOSITORY, need_binary
from tests.deploy.test_kubernetes import CONTAINER

SYSTEMD = REPOSITORY / "deploy" / "systemd"
UNIT = SYSTEMD / "celeryscope.service"
ENVIRONMENT = SYSTEMD / "celeryscope.env.example"
MOST_EXPOSED = 15  # of 100, as systemd counts; a service without any of it has 96


def unit() -> dict[str, str]:
    """The [Service] of it; of what stands there twice, the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return dict(parser["Service"])


def analyze(directory: Path, *arguments: str, text: str | None = None) -> tuple[int, str]:
    """Run systemd-analyze over the unit, with a program that this machine has."""
    program = need_binary("systemd-analyze", debian="systemd")
    copy = directory / UNIT.name
    written = UNIT.read_text() if text is None else text
    copy.write_text(re.sub(r"(?<=^ExecStart=)\S+", sys.executable, written, flags=re.MULTILINE))
    done = subprocess.run(
        [program, *arguments, str(copy)], capture_output=True, text=True, check=False, timeout=30
    )
    return done.returncode, done.stderr if arguments == ("verify",) else done.stdout


def test_systemd_understands_all_of_it(tmp_path: Path) -> None:
    assert analyze(tmp_path, "verify") == (0, "")


def test_systemd_says_what_it_does_not_understand(tmp_path: Path) -> None:
    """It only warns of that, and its status is 0: the test above must look at what it says."""
    mistaken = UNIT.read_text().replace("Restart=", "Restrat=")
    _, said = analyze(tmp_path, "verify", text=mistaken)
    assert "Restrat" in said


def test_it_may_do_little(tmp_path: Path) -> None:
    asked = ("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}")
    status, said = analyze(tmp_path, *asked)
    assert status == 0, said
    assert "Overall exposure level" in said


def test_it_starts_a_command_that_there_is_and_not_again_for_a_wrong_setting() -> None:
    service = unit()
    program, command = service["ExecStart"].split()
    assert program.endswith("/celeryscope")
    assert command in main.commands
    assert service["RestartPreventExitStatus"] == str(EXIT_CONFIG)
    # No password on a command line, where every user sees it.
    assert service["EnvironmentFile"] in ENVIRONMENT.read_text()


def test_what_is_set_are_settings() -> None:
    variables = {setting.env for setting in SETTINGS}
    told = re.findall(r"^#?([A-Z_]+)=", ENVIRONMENT.read_text(), flags=re.MULTILINE)
    assert told
    assert set(told) <= variables
    own = re.findall(r"(CELERYSCOPE_\w+)=", unit()["Environment"])
    assert own == ["CELERYSCOPE_DATA_DIR"]


def test_it_has_as_much_memory_as_in_kubernetes() -> None:
    limit = CONTAINER["resources"]["limits"]["memory"]
    assert unit()["MemoryMax"] == limit.removesuffix("i")
