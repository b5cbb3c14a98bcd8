"""`/api/v1/history`: pages, counts and files of the tasks on disk; searches; old tasks by id."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

from celeryscope.cluster import runs
from celeryscope.cluster.accounting import Gap as Cut
from celeryscope.errors import Unavailable
from celeryscope.history.finding import Cursor, Page
from celeryscope.history.gaps import Gaps
from celeryscope.history.store import History
from celeryscope.model.event import Event
from celeryscope.model.query import parse
from celeryscope.model.task import Task
from celeryscope.web.api import control
from celeryscope.web.api import history as api
from celeryscope.web.api.console import NoQuery
from celeryscope.web.api.exports import COLUMNS, Csv, ExportedTask, JsonArray, JsonLines
from celeryscope.web.app import Application
from tests.unit.history import lives
from tests.unit.web.standins import NOW, Cluster, event, life
from tests.unit.web.standins import client as client_of

pytestmark = pytest.mark.anyio

TASKS = 700
_apps: dict[Cluster, Application] = {}


def written(path: Path, events: list[Event]) -> History:
    history = History.open(path, judge=runs.judge, number=runs.attempts)
    history.write([(one, Task(uuid=one.uuid or "", first_seen=NOW), None) for one in events])
    history.flush()
    return history


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    history = lives.opened(tmp_path_factory.mktemp("history") / "history.db")
    history.write(lives.changes(lives.stream(3, TASKS)))
    history.flush()
    yield history
    history.close()


def cluster_with(history: Any, **limits: Any) -> Cluster:
    cluster = Cluster(**limits)
    cluster.services = dataclasses.replace(cluster.services, history=history)
    return cluster


def client(cluster: Cluster) -> httpx.AsyncClient:
    """Ask the one application of a cluster: to make it takes a while."""
    if cluster not in _apps:
        _apps.clear()
        _apps[cluster] = cluster.app()
    return client_of(_apps[cluster])


async def get(cluster: Cluster, path: str, status: int = 200, **query: Any) -> Any:
    async with client(cluster) as http:
        answer = await http.get("/api/v1" + path, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def post(cluster: Cluster, path: str, body: Any, status: int = 200) -> Any:
    async with client(cluster) as http:
        answer = await http.post("/api/v1" + path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def read(cluster: Cluster, **query: Any) -> httpx.Response:
    async with client(cluster) as http:
        return await http.get("/api/v1/history/export", params=query)


# ---------------------------------------------------------------------- pages


@pytest.mark.parametrize("sort", ["newest", "oldest", "longest", "waited", "retried"])
async def test_cursors_lead_through_all_tasks_and_back(many: History, sort: str) -> None:
    cluster = cluster_with(many)
    there, after = [], ""
    while True:
        page = await get(cluster, "/history/tasks", sort=sort, limit=150, after=after)
        assert page["whole"]
        there.append([task["uuid"] for task in page["tasks"]])
        after = page["after"]
        if not page["more"]:
            break
    everything = [uuid for ids in there for uuid in ids]
    assert len(everything) == len(set(everything)) == many.extent().tasks
    before = await get(cluster, "/history/tasks", sort=sort, limit=150, before=page["before"])
    assert [task["uuid"] for task in before["tasks"]] == there[-2]


async def test_a_page_tells_what_is_missing_between_its_tasks_and_since(tmp_path: Path) -> None:
    events = [e for n in range(4) for e in life(f"t{n}", at=100.0 * n - 400)]
    history = written(tmp_path / "history.db", events)
    clock = [NOW - 1_000]
    noted = Gaps(history, broker="redis://h/0", clock=lambda: clock[0])
    noted.write()
    noted.connected(NOW - 1_000)
    clock[0] = NOW
    between, open_ = Cut(NOW - 350, NOW - 340, "away"), Cut(NOW - 20, None, "away again")
    noted.tell(now=NOW, cuts=[between, open_])
    noted.write()
    cluster = cluster_with(history)
    first = await get(cluster, "/history/tasks", limit=2)
    assert [(gap["start"], gap["end"]) for gap in first["gaps"]] == [(NOW - 20, None)]
    rest = await get(cluster, "/history/tasks", limit=2, after=first["after"])
    assert [(gap["start"], gap["end"]) for gap in rest["gaps"]] == [(NOW - 350, NOW - 340)]
    assert (await get(cluster, "/history/tasks", sort="longest"))["gaps"] == []
    history.close()


async def test_a_cursor_of_another_list_is_refused(many: History) -> None:
    cluster = cluster_with(many)
    page = await get(cluster, "/history/tasks", sort="longest", limit=1)
    for after in (page["after"], "none", "é", "W10", "bnVsbA", "W1siYSJdXQ"):
        told = await get(cluster, "/history/tasks", 400, after=after)
        assert told["error"]["parameter"] == "after"
    both = {"after": page["after"], "before": page["before"], "sort": "longest"}
    assert (await get(cluster, "/history/tasks", 400, **both))["error"]["parameter"] == "before"


def test_a_cursor_is_read_as_it_was_written() -> None:
    for cursor in (Cursor(5, "a"), Cursor(-1, None, 7), Cursor(2**60, "ü\n" * 9, 2**60)):
        text = api.cursor_text(cursor, "longest")
        assert text is not None
        assert api.read_cursor("after", text, "longest") == cursor


async def test_counts_are_those_of_the_query(many: History) -> None:
    cluster = cluster_with(many)
    told = await get(cluster, "/history/count", query="state:failure")
    page = await get(cluster, "/history/tasks", query="state:failure", limit=500)
    assert (told["total"], told["total_whole"]) == (len(page["tasks"]), True)
    states = {facet["value"]: facet["count"] for facet in told["facets"]["state"]}
    assert states["FAILURE"] == told["total"]
    assert len(states) > 3


async def test_a_wrong_query_says_where(many: History) -> None:
    for path in ("/history/tasks", "/history/count", "/history/export"):
        told = await get(cluster_with(many), path, 400, query="name:a since:2hh")
        assert (told["error"]["parameter"], told["error"]["position"]) == ("query", 13)


async def test_without_a_history_it_says_that_none_is_kept() -> None:
    cluster = Cluster()
    for path in ("/history/tasks", "/history/count", "/history/export", "/searches"):
        assert (await get(cluster, path, 409))["error"]["code"] == "not_possible"
    status = await get(cluster, "/history")
    assert (status["kept"], status["where"], status["tasks"]) == (False, "", None)


async def test_the_status_names_the_path_to_administrators_alone(many: History) -> None:
    cluster = cluster_with(many)
    status = await get(cluster, "/history")
    assert status["kept"]
    assert status["where"] == f"SQLite in {many.place.name}"
    assert status["tasks"] == many.extent().tasks
    assert status["size_bytes"] > 100_000
    viewer = structs.replace(cluster.services.actor, role="viewer")
    told = api.history(dataclasses.replace(cluster.services, actor=viewer), {}, NoQuery())
    assert told.where == "SQLite"


# ---------------------------------------------------------------------- files


async def test_a_file_has_every_task_once(many: History) -> None:
    cluster = cluster_with(many)
    lines = (await read(cluster, format="jsonl", query="retries:>0")).text.splitlines()
    rows = (await read(cluster, format="json", query="retries:>0")).json()
    table = list(csv.DictReader(io.StringIO((await read(cluster, query="retries:>0")).text)))
    assert [json.loads(line) for line in lines] == rows
    assert [row["uuid"] for row in table] == [row["uuid"] for row in rows]
    assert tuple(table[0]) == COLUMNS
    assert len({row["uuid"] for row in rows}) == len(rows)
    everything = await read(cluster, format="jsonl")
    assert len(everything.text.splitlines()) == many.extent().tasks > 600
    assert 'filename="celeryscope-tasks.jsonl"' in everything.headers["content-disposition"]
    assert len((await read(cluster, format="jsonl", limit=501)).text.splitlines()) == 501


def exported(**fields: Any) -> ExportedTask:
    task = Task(uuid="a", first_seen=NOW, state_at=NOW, **fields)
    return api.exported(task)


def test_a_spreadsheet_runs_nothing_of_a_file() -> None:
    wild = ["=1+1", "+1", "-1", "@x", "\tx", "\r=1", "=x", "ok", 'say "a, b"\nc', "\x1b[2J"]
    data = Csv().tasks([exported(args=text) for text in wild]).decode()
    cells = [row[COLUMNS.index("args")] for row in csv.reader(io.StringIO(data, newline=""))]
    assert cells == [
        "'=1+1", "'+1", "'-1", "'@x", "'\\tx", "'\\r=1", "'=x", "ok", 'say "a, b"\\nc',
        "\\x1b[2J",
    ]  # fmt: skip


class Failing:
    """A history that cannot be read any more after its first pages."""

    def __init__(self, history: History, good: int) -> None:
        self._history, self._good = history, good

    def search(self, *given: Any, **asked: Any) -> Page:
        self._good -= 1
        if self._good < 0:
            raise Unavailable("The disk is gone.")
        return self._history.search(*given, **asked)


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
async def test_a_file_that_could_not_be_finished_says_so(
    many: History, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_EXPORT_PAUSE_SECONDS", 0.0)
    answer = await read(cluster_with(Failing(many, 1)), format=format)
    assert answer.status_code == 200
    last = answer.text.rstrip().splitlines()[-2 if format == "json" else -1]
    assert "The disk is gone." in last
    if format == "json":
        assert answer.json()[-1] == {"error": "The disk is gone."}
    none = await read(cluster_with(Failing(many, 0)), format=format)
    assert none.status_code == 503


def test_an_empty_file_is_whole() -> None:
    assert json.loads(JsonArray().head() + JsonArray().tail()) == []
    assert JsonLines().head() + JsonLines().tail() == b""
    assert Csv().head().decode().strip() == ",".join(COLUMNS)


# ---------------------------------------------------------------------- one task


@pytest.fixture
def old(tmp_path: Path) -> Iterator[History]:
    """A history with a task that was retried, its parent and its child."""
    history = written(
        tmp_path / "history.db",
        [
            *life("p", 0, name="shop.order"),
            event("task-received", 1.0, uuid="a", name="shop.pay", retries=0, parent_id="p",
                  root_id="p", args="(1,)"),
            event("task-started", 1.1, uuid="a"),
            event("task-retried", 1.5, uuid="a", exception="Timeout()", traceback="first"),
            event("task-received", 2.0, uuid="a", name="shop.pay", retries=1, parent_id="p",
                  root_id="p", args="(1,)"),
            event("task-started", 2.5, uuid="a"),
            event("task-progress", 3.0, uuid="a"),
            event("task-failed", 3.5, uuid="a", exception="ValueError('no')", traceback="second"),
            *life("c", 4, name="shop.mail", parent_id="a", root_id="p"),
        ],
    )  # fmt: skip
    yield history
    history.close()


async def test_a_task_that_memory_let_go_is_told_from_the_history(old: History) -> None:
    told = await get(cluster_with(old), "/tasks/a")
    assert (told["source"], told["state"], told["retries"]) == ("history", "FAILURE", 1)
    assert [
        (run["number"], run["retries"], run["state"], run["exception"], run["traceback"])
        for run in told["attempts"]
    ] == [
        (1, 0, "RETRY", "Timeout()", "first"),
        (2, 1, "FAILURE", "ValueError('no')", "second"),
    ]
    assert told["attempts"][1]["started"] == NOW - 7.5
    assert (told["root"]["name"], told["parent"]["name"]) == ("shop.order", "shop.order")
    assert [child["uuid"] for child in told["children"]] == ["c"]
    assert [moment["type"][5:] for moment in told["timeline"]] == [
        "received", "started", "retried", "received", "started", "progress", "failed",
    ]  # fmt: skip
    assert len(told["fingerprint"]) == 12
    await get(cluster_with(old), "/tasks/none", 404)


async def test_a_task_in_memory_has_its_runs_and_what_the_history_knows_of_each(
    old: History,
) -> None:
    cluster = cluster_with(old)
    cluster.feed(
        [
            event("task-received", 1.0, uuid="a", name="shop.pay", retries=0),
            event("task-started", 1.1, uuid="a"),
            event("task-retried", 1.5, uuid="a"),
            event("task-received", 2.0, uuid="a", name="shop.pay", retries=1),
            event("task-started", 2.5, uuid="a"),
            event("task-succeeded", 9.0, uuid="a", result="'paid'", runtime=6.5),
        ]
    )
    told = await get(cluster, "/tasks/a")
    assert told["source"] == "memory"
    first, second = told["attempts"]
    assert (first["state"], first["exception"], first["traceback"]) == (
        "RETRY", "Timeout()", "first",
    )  # fmt: skip
    assert (second["state"], second["runtime"], second["exception"]) == ("SUCCESS", 6.5, None)
    assert [child["uuid"] for child in told["children"]] == ["c"]


async def test_a_task_in_memory_alone_has_the_run_that_its_times_tell() -> None:
    cluster = Cluster()
    cluster.feed(life("a", 0, state="FAILURE"))
    (run,) = (await get(cluster, "/tasks/a"))["attempts"]
    assert (run["number"], run["retries"], run["state"]) == (1, 0, "FAILURE")
    assert (run["exception"], run["traceback"]) == ("ValueError('no')", "Traceback ...")
    assert (run["received"], run["ended"]) == (NOW - 9.9, NOW - 9.3)


async def test_a_history_that_cannot_be_read_hides_no_task_in_memory(old: History) -> None:
    class Broken:
        trouble = "The disk is gone."

        def __getattr__(self, _: str) -> Any:
            def fail(*_given: Any, **_asked: Any) -> Any:
                raise Unavailable("The disk is gone.")

            return fail

    cluster = cluster_with(Broken())
    cluster.feed(life("a", 0, parent_id="p"))
    told = await get(cluster, "/tasks/a")
    assert (told["source"], len(told["attempts"]), told["children"]) == ("memory", 1, [])
    assert (await get(cluster, "/tasks/b", 503))["error"]["message"] == "The disk is gone."


async def test_flower_is_told_of_old_tasks(old: History) -> None:
    async with client(cluster_with(old)) as http:
        told = (await http.get("/api/task/info/a")).json()
        assert (await http.get("/api/task/info/none")).status_code == 404
    assert (told["name"], told["state"], told["children"]) == ("shop.pay", "FAILURE", ["c"])


# ---------------------------------------------------------------------- searches


async def test_a_search_is_kept_replaced_and_removed(old: History) -> None:
    cluster = cluster_with(old)
    kept = await post(cluster, "/searches", {"name": " late ", "query": "wait:>1m"}, 201)
    assert (kept["name"], kept["owner"], kept["yours"]) == ("late", "anonymous", True)
    body = {"name": "late", "query": "wait:>2m", "sort": "waited", "shared": True}
    again = await post(cluster, "/searches", body, 201)
    assert again["id"] == kept["id"]
    (one,) = (await get(cluster, "/searches"))["searches"]
    assert (one["query"], one["sort"], one["shared"]) == ("wait:>2m", "waited", True)
    await post(cluster, f"/searches/{kept['id']}/remove", {})
    for ident in (kept["id"], "x", "-1", "9" * 30, "\u0661"):
        await post(cluster, f"/searches/{ident}/remove", {}, 404)
    assert (await get(cluster, "/searches"))["searches"] == []


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"name": "a", "query": "state:"}, "query"),
        ({"name": "a", "query": "b\0"}, "query"),
        ({"name": " ", "query": ""}, "name"),
        ({"name": "a\x1bb", "query": ""}, "name"),
        ({"name": "a" * 81, "query": ""}, "name"),
        ({"name": "a", "query": "", "sort": "name"}, "sort"),
    ],
)
async def test_what_is_no_search_is_refused(
    old: History, body: dict[str, Any], parameter: str
) -> None:
    told = await post(cluster_with(old), "/searches", body, 400)
    assert told["error"]["parameter"] == parameter


async def test_searches_of_others_are_seen_if_shared_and_removed_by_an_admin(old: History) -> None:
    cluster = cluster_with(old)
    asked: dict[str, Any] = {"query": "", "sort": "newest", "now": NOW}
    mine = old.searches.save("anonymous", name="mine", shared=False, **asked)
    theirs = old.searches.save("ann", name="theirs", shared=True, **asked)
    old.searches.save("ann", name="secret", shared=False, **asked)
    found = (await get(cluster, "/searches"))["searches"]
    assert [(one["name"], one["yours"]) for one in found] == [("mine", True), ("theirs", False)]
    with pytest.raises(Exception, match="'theirs' is ann's"):
        old.searches.remove(theirs.id, owner="anonymous")
    await post(cluster, f"/searches/{mine.id}/remove", {})
    await post(cluster_with(old), f"/searches/{theirs.id}/remove", {})


def test_somebody_keeps_so_many_searches_and_no_more(
    old: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.history.searches.MOST_OF_ONE", 2)
    asked: dict[str, Any] = {"query": "", "sort": "newest", "shared": False, "now": NOW}
    for name in ("a", "b", "b"):
        old.searches.save("ann", name=name, **asked)
    old.searches.save("bob", name="c", **asked)
    with pytest.raises(Exception, match="2 searches already"):
        old.searches.save("ann", name="c", **asked)


# ---------------------------------------------------------------------- selections


async def test_a_command_takes_tasks_of_the_history_too(old: History) -> None:
    cluster = cluster_with(old)
    cluster.feed(life("new", 5, state="FAILURE"))
    body = {"command": "retry", "query": "state:failure"}
    told = await post(cluster, "/selections", body, 201)
    assert (told["count"], told["matching"], told["sample"]) == (2, 2, ["new", "a"])
    told = await post(cluster, "/selections", {"command": "retry", "query": "name:shop.*"}, 201)
    assert (told["count"], told["left_out"]) == (4, [])


async def test_a_selection_of_a_large_history_says_what_it_left_out(
    many: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_SELECT_ROWS", 50)
    monkeypatch.setattr(control, "_SELECT_SECONDS", 0.0)
    body = {"command": "retry", "query": "state:failure"}
    told = await post(cluster_with(many), "/selections", body, 201)
    total = many.count(parse("state:failure"), now=NOW).total
    assert told["count"] == 50
    assert (told["matching"], told["left_out"][0]["count"]) == (total, total - 50)
