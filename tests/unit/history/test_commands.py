"""celeryscope history, backup and restore, as they are typed."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from celeryscope import cli
from celeryscope.audit.filter import Filter
from celeryscope.audit.trail import Trail
from celeryscope.history.store import History
from celeryscope.model.event import Event
from tests.unit.history import lives
from tests.unit.history.test_backup import killed_restore
from tests.unit.history.test_store import dump


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CELERYSCOPE_DATA_DIR", "CELERYSCOPE_HISTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with 200 tasks, an hour old."""
    directory = tmp_path / "data"
    directory.mkdir()
    history = lives.opened(directory / "history.db")
    events = lives.stream(1, 220)
    first = set(list(dict.fromkeys(event.uuid for event in events))[:200])
    history.write(lives.changes(aged([event for event in events if event.uuid in first])))
    history.close()
    return directory


def aged(events: list[Event]) -> list[Event]:
    late = max(event.timestamp for event in events)
    return [
        structs.replace(event, timestamp=event.timestamp - late + time.time() - 3_600)
        for event in events
    ]


def run(data: Path, *arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(
        cli.main,
        [*arguments, "--data-dir", str(data)],
        obj=cli._House(),
        prog_name="celeryscope",
        catch_exceptions=False,
    )
    assert result.exit_code == status, result.output
    return result


def count(data: Path) -> int:
    history = lives.opened(data / "history.db")
    with history.reading() as db:
        found: int = db.execute("SELECT count(*) FROM task").fetchone()[0]
    history.close()
    return found


def test_info_tells_what_there_is_and_how_long_it_stays(data: Path) -> None:
    told = run(data, "history", "info").output
    assert str(data / "history.db") in told
    assert "tasks     200" in told
    assert "kept for  30 days" in told
    assert "10.00 GiB" in told


def test_where_there_is_none_a_sentence_says_so(tmp_path: Path) -> None:
    for command in ("info", "prune", "vacuum"):
        told = run(tmp_path / "no", "history", command, status=1).stderr
        assert f"There is no history in {tmp_path / 'no'}." in told
        assert "--data-dir DIRECTORY" in told
    assert not (tmp_path / "no").exists()


def test_prune_goes_by_the_settings_or_by_what_is_said(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "0 tasks taken out; 200 left" in run(data, "history", "prune").output
    dry = run(data, "history", "prune", "--max-tasks", "120", "--dry-run").output
    assert dry == "80 tasks would be taken out, of 200.\n"
    assert count(data) == 200
    assert (
        "80 tasks taken out; 120 left" in run(data, "history", "prune", "--max-tasks", "120").output
    )
    monkeypatch.setenv("CELERYSCOPE_HISTORY_MAX_AGE_OF", "success=10m")
    run(data, "history", "prune")
    history = lives.opened(data / "history.db")
    states = {history.words.text(n) for n in states_of(history)}
    history.close()
    assert "FAILURE" in states
    assert "SUCCESS" not in states
    run(data, "history", "prune", "--max-age", "10m", "--max-age-of", "success=0")
    assert count(data) == 0
    entries = Trail(data / "audit").read(Filter()).entries
    assert {(entry.kind, entry.what) for entry in entries} == {("console", "history pruned")}


def states_of(history: History) -> list[int]:
    with history.reading() as db:
        return [state for (state,) in db.execute("SELECT DISTINCT state FROM task")]


def test_a_value_that_is_none_names_its_option(data: Path) -> None:
    told = run(data, "history", "prune", "--max-age", "soon", status=2).stderr
    assert told.startswith("celeryscope: --max-age: 'soon' cannot be used.")
    told = run(data, "history", "export", "x", "--since", "soon", status=2).stderr
    assert "--since: 'soon' is no time" in told
    told = run(data, "history", "export", "x", "--query", "foo:(", status=2).stderr
    assert "There is no key 'foo'" in told


@pytest.mark.parametrize("full", [[], ["--full"]])
def test_vacuum_makes_the_file_smaller(data: Path, full: list[str]) -> None:
    run(data, "history", "prune", "--max-tasks", "1")
    before = (data / "history.db").stat().st_size
    assert "before" in run(data, "history", "vacuum", *full).output
    assert (data / "history.db").stat().st_size < before
    assert count(data) == 1


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.parquet"])
def test_what_is_exported_is_imported(data: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert run(data, "history", "export", str(file)).output == f"200 tasks exported to {file}.\n"
    assert file.stat().st_mode & 0o777 == 0o600
    new = tmp_path / "new"
    told = run(new, "history", "import", str(file), str(file)).output
    assert told == (
        f"{file}: 200 tasks read, 200 new or changed.\n{file}: 200 tasks read, 0 new or changed.\n"
    )
    assert dump(new / "history.db") == dump(data / "history.db")


def test_a_part_can_be_exported(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "failed.jsonl"
    (left := tmp_path / ".killed.jsonl.7.celeryscope-part").write_text("half of it")
    run(data, "history", "export", str(file), "--query", "state:failure", "--since", "2h")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line.get("state") for line in lines[1:]} == {"FAILURE"}
    assert not left.exists()
    run(data, "history", "export", str(file), "--until", "2h")
    assert len(file.read_text().splitlines()) == 1


def test_lines_that_are_none_are_named_and_the_rest_comes_in(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    run(data, "history", "export", str(file))
    lines = file.read_bytes().splitlines(keepends=True)
    far = b'{"kind":"task","id":"far","events":[{"at":1152921504606000000,"kind":"sent"}]}\n'
    file.write_bytes(b"".join([*lines[:50], b"\x1b[31mred\n", *lines[50:], far, b'{"kind":"task"']))
    result = run(tmp_path / "new", "history", "import", str(file), status=1)
    assert "201 tasks read, 201 new or changed; 2 could not be read." in result.stdout
    assert f"{file}:51: " in result.stderr
    assert f"{file}:204: " in result.stderr
    assert "\x1b" not in result.output
    # (In the year 38,504, of which no calendar of ours knows.)
    assert "newest    1152921504606\n" in run(tmp_path / "new", "history", "info").stdout


def test_what_cannot_be_imported_is_told(data: Path, tmp_path: Path) -> None:
    cases = {"some.txt": b"hello", "torn.gz": gzip.compress(b'{"kind"' * 999)[:-9], "p": b"PAR1abc"}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        told = run(data, "history", "import", str(tmp_path / name), status=1).stderr
        assert told.startswith(f"celeryscope: {tmp_path / name} ")
    told = run(data, "history", "import", str(tmp_path / "nothing"), status=1).stderr
    assert "cannot be read: No such file" in told


def test_import_hides_what_matches(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    run(data, "history", "export", str(file))
    assert b"order-" in file.read_bytes()
    run(tmp_path / "new", "history", "import", str(file), "--mask", "order-[0-9]+")
    assert b"order-" not in (tmp_path / "new" / "history.db").read_bytes()


def test_backup_and_restore(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.tgz"
    assert "with history.db" in run(data, "backup", str(file)).output
    new = tmp_path / "new"
    assert "is as it was at" in run(new, "restore", str(file)).output
    assert dump(new / "history.db") == dump(data / "history.db")
    assert "There is something" in run(new, "restore", str(file), status=1).stderr
    assert "What was there before is in" in run(new, "restore", str(file), "--force").output
    killed = tmp_path / "killed"
    assert killed_restore(4, file, killed)
    assert (killed / "history.db").exists()
    assert "There is no history in" in run(killed, "history", "info", status=1).stderr
    run(killed, "restore", str(file))
    assert dump(killed / "history.db") == dump(data / "history.db")


def test_of_postgresql_the_right_command_is_told_without_the_password(
    data: Path, tmp_path: Path
) -> None:
    url = "postgresql://me:ses@me@db.example.com:5433/scope?sslmode=require"
    result = run(data, "backup", str(tmp_path / "b.tgz"), "--history", url, status=1)
    assert "pg_dump --format=custom" in result.stderr
    assert " postgresql://me@db.example.com:5433/scope\n" in result.stderr
    assert "ses" not in result.output.replace("users", "")
    assert not (tmp_path / "b.tgz").exists()
    run(data, "backup", str(tmp_path / "b.tgz"), "--history", url, "--without-history")
