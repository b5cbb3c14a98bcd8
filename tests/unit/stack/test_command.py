"""`celeryscope stack` as a person meets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from celeryscope import cli
from celeryscope.stack import WITH, WITHOUT, choose, stack_files
from tests.conftest import REPOSITORY

SECRET = re.compile(r"[0-9a-f]{48}")
GUIDE = (REPOSITORY / "docs" / "how-to" / "stack.md").read_text()
COMMANDS = re.findall(r"^    celeryscope stack (.+?)(?: +#.*)?$", GUIDE, re.MULTILINE)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["stack", *map(str, arguments)], prog_name="celeryscope")


def test_it_writes_every_file_and_says_what_to_do_next(tmp_path: Path) -> None:
    directory = tmp_path / "a stack"
    result = run(directory)
    assert result.exit_code == 0, result.output
    for path in (*stack_files(choose()), ".env"):
        assert (directory / path).is_file()
        assert f"  new        {path}\n" in result.stdout
    assert f"cd '{directory}'\n  docker compose up --detach --wait\n" in result.stdout
    assert "http://localhost:3000" in result.stdout
    assert "admin with CELERYSCOPE_PASSWORD from .env" in result.stdout
    assert "Grafana's first with GRAFANA_PASSWORD" in result.stdout
    alone = run(tmp_path / "another", "--without", "prometheus,grafana")
    assert "admin with CELERYSCOPE_PASSWORD from .env.\n" in alone.stdout


def test_again_it_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    result = run(tmp_path)
    assert result.exit_code == 0
    assert "  new " not in result.stdout
    assert "  replaced " not in result.stdout
    assert result.stdout.count("  unchanged  ") == len(stack_files(choose())) + 1


def test_secrets_are_never_said(tmp_path: Path) -> None:
    options = ["--with", "flower,postgres", "--broker", "redis://:hunter2@broker/0"]
    said = "".join(
        run(directory, *more).output
        for directory in (tmp_path / "a", tmp_path / "b")
        for more in (options, options, [], ["--force"], ["--broker", "redis://:hunter3@b/0"])
    )
    assert "Nothing was written" in said
    assert not SECRET.search(said)
    assert "hunter" not in said


def test_two_stacks_share_no_secret(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        run(tmp_path / name, "--with", "flower,postgres")
        found += SECRET.findall((tmp_path / name / ".env").read_text())
    assert len(found) == len(set(found)) == 12


def test_files_that_differ_are_listed_and_nothing_is_written(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "compose.yaml").write_text("mine\n")
    result = run(tmp_path, "--anonymous")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "\n  compose.yaml\n  README.md\n" in result.stderr
    assert "--force" in result.stderr
    assert (tmp_path / "compose.yaml").read_text() == "mine\n"
    assert run(tmp_path, "--anonymous", "--force").exit_code == 0
    assert "GF_AUTH_ANONYMOUS_ENABLED" in (tmp_path / "compose.yaml").read_text()


def test_flower_can_be_added_later_with_its_password(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / ".env").read_text()
    result = run(tmp_path, "--with", "flower", "--force")
    assert "  replaced   .env\n" in result.stdout
    after = (tmp_path / ".env").read_text()
    assert after.startswith(before)
    assert SECRET.search(after.removeprefix(before))


def test_what_a_smaller_choice_no_longer_uses_is_named(tmp_path: Path) -> None:
    run(tmp_path)
    result = run(tmp_path, "--without", "alertmanager", "--force")
    assert "  not used   alertmanager/alertmanager.yml" in result.stdout
    assert (tmp_path / "alertmanager/alertmanager.yml").is_file()
    assert "Note: Alerts are seen in Prometheus only" in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--with", "flwoer"], "Did you mean flower?"),
        (["--without", "prometheus"], "Grafana would have nothing to show"),
        (["--project-image", "Not An Image"], "not the name of an image"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path: Path, options: list[str], said: str) -> None:
    result = run(tmp_path / "stack", *options)
    assert result.exit_code == 2
    assert result.stderr.startswith("celeryscope: ")
    assert said in result.stderr
    assert not (tmp_path / "stack").exists()


def test_a_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(tmp_path / "file")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is a file: name a directory" in result.stderr


def test_help_names_what_can_be_added_and_left_out() -> None:
    said = run("--help").output
    for name in (*WITH, *WITHOUT):
        assert name in said


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_guide_work(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*command.split())
    assert result.exit_code == 0, result.output
    assert list(tmp_path.rglob("compose.yaml"))


def test_the_guide_names_what_can_be_added_and_left_out() -> None:
    assert len(COMMANDS) >= 5
    for name in (*WITH, *WITHOUT, "--webhook", "--anonymous", "--force"):
        assert name in GUIDE
