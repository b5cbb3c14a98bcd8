"""`celeryscope audit`: what it prints, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from celeryscope.audit import files
from celeryscope.audit.commands import audit
from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail

ADA = By(name="ada", role="admin", way="password", address="10.0.0.7")
NOW = 1_795_000_000.0


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a trail of three entries."""
    ours = Trail(tmp_path / "audit", clock=lambda: NOW)
    ours.write(kind="login", by=ADA, what="log in", outcome="done")
    ours.write(
        kind="command",
        by=ADA,
        what="revoke",
        workers=["celery@web1"],
        subjects=["a", "b"],
        outcome="asked",
        action="x1",
    )
    ours.write(kind="denied", by=By(name="bob\x1b[31m"), what="shutdown", outcome="denied")
    return tmp_path


def run(data_dir: Path, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(audit, [command, "--data-dir", str(data_dir), *arguments])


def test_a_whole_trail_is_one_sentence_with_its_last_hash(data_dir: Path) -> None:
    result = run(data_dir, "verify")
    head = files.read_head(data_dir / "audit")
    assert head is not None
    assert result.exit_code == 0
    assert result.stdout == (
        "The audit trail is whole: 3 entries in one file, from 1 (2026-11-18T11:06:40Z) to 3 "
        f"(2026-11-18T11:06:40Z). The last hash is {head.hash}\n"
    )
    assert result.stderr == ""


def test_a_trail_that_was_changed_ends_with_1_and_says_where(data_dir: Path) -> None:
    path = files.segment(data_dir / "audit", 1).path
    path.write_bytes(path.read_bytes().replace(b'"revoke"', b'"rewoke"'))
    result = run(data_dir, "verify")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "audit-000001.jsonl:2: Entry 2 was changed after it was written: its hash differs.",
        "celeryscope: The audit trail is not whole: 1 problem in 3 entries.",
    ]


def test_a_hash_that_was_noted_is_looked_for(data_dir: Path) -> None:
    lines = files.segment(data_dir / "audit", 1).path.read_bytes().splitlines()
    noted = json.loads(lines[1])["hash"]
    found = run(data_dir, "verify", "--expect", noted)
    assert found.exit_code == 0
    assert "Entry 2 has the hash that was expected." in found.stdout
    missing = run(data_dir, "verify", "--expect", "0" * 64)
    assert missing.exit_code == 1
    assert "No entry has the hash" in missing.stderr
    wrong = run(data_dir, "verify", "--expect", "hello")
    assert wrong.exit_code == 1
    assert "'hello' is no hash" in wrong.stderr


@pytest.mark.parametrize("command", ["verify", "show", "export"])
def test_where_there_is_no_trail_it_says_so_and_makes_none(tmp_path: Path, command: str) -> None:
    result = run(tmp_path / "nowhere", command)
    assert result.exit_code == 1
    assert f"There is no audit trail in {tmp_path / 'nowhere' / 'audit'}." in result.stderr
    assert "--data-dir" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_data_directory_is_the_one_of_the_environment_or_the_users_own(
    data_dir: Path, tmp_path: Path
) -> None:
    told = CliRunner().invoke(audit, ["verify"], env={"CELERYSCOPE_DATA_DIR": str(data_dir)})
    assert told.exit_code == 0
    wrong = {"CELERYSCOPE_DATA_DIR": str(tmp_path / "nowhere")}
    for arguments in (
        ["--data-dir", str(data_dir), "verify"],
        ["verify", f"--data-dir={data_dir}"],
    ):
        assert CliRunner().invoke(audit, arguments, env=wrong).exit_code == 0
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "celeryscope").symlink_to(data_dir)
    env = {"CELERYSCOPE_DATA_DIR": "", "XDG_DATA_HOME": str(tmp_path / "share")}
    assert CliRunner().invoke(audit, ["verify"], env=env).exit_code == 0


def test_entries_are_printed_as_lines_the_newest_last(data_dir: Path) -> None:
    result = run(data_dir, "show")
    assert result.exit_code == 0
    at = "2026-11-18T11:06:40Z"
    assert result.stdout.splitlines() == [
        f"{at}  ada from 10.0.0.7  login    log in    -                       done",
        f"{at}  ada from 10.0.0.7  command  revoke    celery@web1 and 2 more  asked",
        f"{at}  bob\\x1b[31m        denied   shutdown  -                       denied",
    ]


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["--who", "ada"], ["log in", "revoke"]),
        (["--who", "10.0.0"], ["log in", "revoke"]),
        (["--what", "SHUT"], ["shutdown"]),
        (["--whom", "web1"], ["revoke"]),
        (["--kind", "login", "--kind", "denied"], ["log in", "shutdown"]),
        (["--outcome", "denied"], ["shutdown"]),
        (["--text", "bob"], ["shutdown"]),
        (["--since", "2026-11-18T11:06"], ["log in", "revoke", "shutdown"]),
        (["--since", "2026-11-19"], []),
        (["--until", "2026-11-18T11:06"], []),
        (["--limit", "1"], ["shutdown"]),
    ],
)
def test_only_what_is_asked_for_is_printed(
    data_dir: Path, arguments: list[str], seen: list[str]
) -> None:
    result = run(data_dir, "show", *arguments)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == len(seen)
    assert all(what in line for what, line in zip(seen, lines, strict=True))


def test_a_time_may_be_so_long_ago(tmp_path: Path) -> None:
    for hours in (3, 1):
        at = time.time() - hours * 3_600
        Trail(tmp_path / "audit", clock=lambda at=at: at).write(  # type: ignore[misc]
            kind="login", by=ADA, what=f"{hours} hours ago"
        )
    told = run(tmp_path, "show", "--since", "2h").stdout
    assert "1 hours ago" in told
    assert "3 hours ago" not in told


@pytest.mark.parametrize("text", ["yesterday", "2h)", "2h until:1h", "(", "-1h", "1h name:x"])
def test_what_is_no_time_is_refused_with_an_example(data_dir: Path, text: str) -> None:
    result = run(data_dir, "show", f"--since={text}")
    assert result.exit_code == 2
    assert "is no time. Write 2h, 2026-11-23" in result.stderr


def test_an_export_has_the_lines_as_they_are_kept(data_dir: Path, tmp_path: Path) -> None:
    kept = files.segment(data_dir / "audit", 1).path.read_bytes()
    assert run(data_dir, "export").stdout_bytes == kept
    assert run(data_dir, "export", "-o", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out").read_bytes() == kept
    only = run(data_dir, "export", "--who", "bob").stdout_bytes
    assert only == kept.splitlines(keepends=True)[2]


def test_an_export_may_be_a_table(data_dir: Path) -> None:
    told = run(data_dir, "export", "--format", "csv").stdout_bytes.decode()
    rows = list(csv.DictReader(io.StringIO(told, newline="")))
    assert [row["what"] for row in rows] == ["log in", "revoke", "shutdown"]
    assert rows[1]["subjects"] == "a b"
