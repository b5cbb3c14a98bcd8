"""`celeryscope tasks`, from the history itself and over HTTP: the same tasks, whoever is asked."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from celeryscope.cli import main
from celeryscope.cluster import runs
from celeryscope.errors import Unavailable
from celeryscope.history.finding import Sort
from celeryscope.history.store import History
from celeryscope.model.event import Event
from celeryscope.model.task import Task
from celeryscope.web import commands
from celeryscope.web.api.exports import ExportedTask
from celeryscope.web.api.history import exported
from tests.unit.web.standins import NOW, Cluster, life, serving

WILD = "Boom('\x1b[2J\u202eevil\n')"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose history nobody writes any more."""
    directory = tmp_path_factory.mktemp("data")
    events: list[Event] = []
    for number in range(30):
        events += life(f"paid-{number:02}", number, name="shop.pay")
    events += life("late", 40, name="shop.größe", state="FAILURE")
    events[-1] = structs.replace(events[-1], exception=WILD)
    history = History.open(directory / "history.db", judge=runs.judge, number=runs.attempts)
    history.write([(one, Task(uuid=one.uuid or "", first_seen=NOW), None) for one in events])
    history.close()
    return directory


@pytest.fixture(scope="module")
def url(directory: Path) -> Iterator[str]:
    """A console over the same history."""
    history = History.open(directory / "history.db", judge=runs.judge, number=runs.attempts)
    cluster = Cluster()
    cluster.services = dataclasses.replace(cluster.services, history=history)
    with serving(cluster.app()) as url:
        yield url
    history.close()


def run(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["tasks", *arguments], env={"COLUMNS": "100", **env})


@pytest.fixture(params=["local", "http"])
def where(request: pytest.FixtureRequest, directory: Path) -> list[str]:
    if request.param == "local":
        return ["--data-dir", str(directory)]
    return ["--url", request.getfixturevalue("url")]


def ids(told: Result) -> list[str]:
    assert told.exit_code == 0, told.output
    return re.findall(r"paid-\d\d|\blate\b", told.stdout)


def test_a_table_has_the_newest_first(where: list[str]) -> None:
    told = run(*where, "--limit", "3")
    assert ids(told) == ["late", "paid-29", "paid-28"]
    head, *lines = told.stdout.splitlines()
    assert head.split() == ["STATE", "NAME", "WORKER", "WHEN", "RAN", "ID", "EXCEPTION"]
    assert all(line.index("celery@web1") == head.index("WORKER") for line in lines)
    assert "500 ms" in lines[1]


def test_no_control_character_of_a_task_comes_to_the_terminal(where: list[str]) -> None:
    told = run(*where, "state:failed")
    assert "\\x1b[2J\\u202eevil" in told.stdout
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", told.stdout)) == {"\n"}


def test_a_query_that_begins_with_a_dash_is_no_option(where: list[str]) -> None:
    assert ids(run(*where, "-name:shop.pay")) == ["late"]
    assert ids(run(*where, "name:shop.*", "-state:success", "-uuid:x")) == ["late"]


def test_it_counts(where: list[str]) -> None:
    assert run(*where, "--count", "state:success").stdout == "30\n"
    assert run(*where, "--count", "state:none").stdout == "0\n"


def test_files_are_those_of_the_api(where: list[str]) -> None:
    lines = run(*where, "--format", "jsonl", "--limit", "0").stdout.splitlines()
    rows = json.loads(run(*where, "--format", "json", "--limit", "0").stdout)
    table = list(csv.DictReader(io.StringIO(run(*where, "--format", "csv", "--limit", "0").stdout)))
    assert [json.loads(line) for line in lines] == rows
    assert [row["uuid"] for row in table] == [row["uuid"] for row in rows]
    assert len(rows) == 31
    few = run(*where, "--format", "jsonl", "--sort", "oldest", "--limit", "2").stdout.splitlines()
    assert [json.loads(line)["uuid"] for line in few] == ["paid-00", "paid-01"]


def test_a_wrong_query_is_pointed_at(where: list[str]) -> None:
    for more in ([], ["--count"], ["--format", "csv"]):
        told = run(*where, *more, "name:größe since:2hh")
        assert told.exit_code == 2
        said = told.stderr.splitlines()
        assert said[0] == "celeryscope: '2hh' is no time."
        assert said[1].index("2hh") == said[2].index("^")
        assert said[3].startswith("For example: since:10m")
        assert told.stdout == ""


def test_what_changes_is_followed_and_told_once() -> None:
    told: dict[str, ExportedTask] = {}

    def put(uuid: str, state: str, at: float) -> str:
        told[uuid] = exported(Task(uuid=uuid, first_seen=at, state=state, state_at=at))
        return uuid

    class Stub(commands.Local):
        def tasks(self, query: str, *, sort: Sort, limit: int) -> Iterator[commands.Found]:
            if "!" in told:
                raise Unavailable("It is away.")
            newest = sorted(told.values(), key=lambda task: -task.state_at)[:limit]
            for number in range(0, len(newest), 60):
                yield commands.Found(newest[number : number + 60], True)

    now = NOW
    steps: list[Callable[[], object]] = [
        lambda: (put("a", "SUCCESS", now + 1), put("late", "STARTED", now - 20)),
        lambda: None,
        lambda: put("!", "", now),
        lambda: (told.pop("!"), [put(f"of {n:03}", "FAILURE", now + 2) for n in range(150)]),
    ]

    def rest(_: float) -> None:
        steps.pop(0)()

    put("old", "SUCCESS", now - 90)
    put("b", "SUCCESS", now - 2)
    put("a", "STARTED", now - 1)
    found = commands.changes(Stub(None), "", limit=2, clock=lambda: now, rest=rest)  # type: ignore[arg-type]
    seen = [[f"{one.uuid} {one.state}" for one in some] for some in islice(found, 4)]
    assert steps == []  # nothing was told while it was away
    assert seen[:3] == [["b SUCCESS", "a STARTED"], ["late STARTED", "a SUCCESS"], []]
    assert len(seen[3]) == 150
    for wrong in (["--count"], ["--format", "json"], ["--sort", "oldest"]):
        assert run("--follow", *wrong).exit_code == 2


def test_none_that_matches_is_said_and_no_fault(where: list[str]) -> None:
    told = run(*where, "state:none")
    assert (told.exit_code, told.stdout) == (0, "")
    assert "No task matches." in told.stderr


def test_without_a_history_it_says_what_to_do(tmp_path: Path) -> None:
    told = run("--data-dir", str(tmp_path))
    assert told.exit_code == 1
    assert f"There is no history in {tmp_path}." in told.stderr
    assert "--url URL" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_console_it_says_so() -> None:
    told = run("--url", "http://127.0.0.1:9")
    assert told.exit_code == 1
    assert "No console answers" in told.stderr
    assert run("--url", "ftp://x").exit_code == 2


def test_a_file_that_is_no_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"no database at all" * 100)
    told = run("--data-dir", str(tmp_path))
    assert told.exit_code == 1
    assert str(tmp_path) in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("query", "position", "shown"),
    [
        ("a b", 2, ("    a b", "      ^")),
        ("日本 x", 3, ("    日本 x", "         ^")),
        ("\x1bx", 1, ("    \\x1bx", "        ^")),
    ],
)
def test_the_caret_stands_below_what_is_wrong(
    query: str, position: int, shown: tuple[str, str]
) -> None:
    assert tuple(commands.pointed(query, position)) == shown


def test_a_long_query_is_cut_around_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    line, caret = commands.pointed("x" * 1000 + "!" + "y" * 1000, 1000)
    assert line[caret.index("^")] == "!"
    assert max(len(line), len(caret)) < 80


def test_texts_are_cut_to_the_columns_they_take() -> None:
    assert commands.cut("größe", 5) == "größe"
    assert commands.cut("größer", 5) == "größ…"
    assert commands.cut("日本語", 5) == "日本…"
    assert commands.columns_of("日e\u0301") == 3
