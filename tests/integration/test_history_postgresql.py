"""The history in PostgreSQL: the same rows, the same answers, and what happens when it is away."""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history import blocks, sql
from celeryscope.history.reader import Reader
from celeryscope.history.store import History
from celeryscope.model.event import Event
from celeryscope.model.query import EVERYTHING, Query, Text, parse
from tests.conftest import (
    REPOSITORY,
    free_port,
    new_database,
    postgresql_data,
    postgresql_running,
)
from tests.unit.history import layouts, lives
from tests.unit.history import test_retention as pruning
from tests.unit.history import test_search as searching
from tests.unit.history import test_transfer as moving

T = lives.START


def dump(history: History) -> list[tuple[object, ...]]:
    """Give all that is told of tasks, without the numbers that order of arrival gives."""
    rows: list[tuple[object, ...]] = []
    with history.reading() as db:
        words = dict(db.execute("SELECT id, text FROM word").fetchall())
        seqs = dict(db.execute("SELECT seq, uuid FROM task").fetchall())
        for row in db.execute("SELECT * FROM task"):
            shared = (words.get(word) for word in row[4:10])
            rows.append(("task", row[1], words[row[2]], row[3], *shared, *row[10:]))
        for table in ("life", "traceback"):
            rows += [(table, seqs[seq], data) for seq, data in db.execute(f"SELECT * FROM {table}")]  # noqa: S608
        for seq, number, retries, worker, state, *rest in db.execute("SELECT * FROM attempt"):
            rows.append(("attempt", seqs[seq], number, retries, words[worker], words[state], *rest))
    return sorted(rows, key=repr)


def in_sqlite(path: Path, events: list[Event]) -> list[tuple[object, ...]]:
    """Give the rows that a file has of these events."""
    history = lives.opened(path)
    history.write(lives.changes(events))
    history.flush()
    rows = dump(history)
    history.close()
    return rows


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


def event(kind: str, after: float, worker: str = "celery@a", **fields: Any) -> Event:
    return Event(f"task-{kind}", worker, T + after, **{"uuid": "one", **fields})


# ---------------------------------------------------------------------- the same as in a file


def test_every_statement_is_one_that_it_knows(database: str) -> None:
    lives.opened(database).close()
    with layouts.connected(database) as db:
        for name, statement in sql.queries().items():
            for place, value in (
                ("{where}", "t.at > 0"), ("{order}", "DESC"), ("{column}", "name"),
                ("{value}", "t.at"), ("{marks}", "?, ?"),
            ):  # fmt: skip
                statement = statement.replace(place, value)
            assert not re.search(r"\{\w+\}", statement), f"{name}: say here what goes in"
            numbers = iter(range(1, 1000))
            numbered = re.sub(r"\?", lambda _, n=numbers: f"${next(n)}", statement)  # type: ignore[misc]
            db.execute(f"PREPARE p_{name} AS {numbered}")


def test_the_same_events_in_any_order_give_the_rows_of_a_file(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "TASKS", 8)
    monkeypatch.setattr(blocks, "SLACK", 32)
    events = lives.stream(11, 150)
    dice = random.Random(4)
    shuffled = dice.sample([*events, *events[::3]], len(events) + len(events[::3]))
    history = lives.opened(database)
    for start in range(0, len(shuffled), 150):
        history.write(lives.changes(shuffled[start : start + 150]))
        history.flush()
    assert dump(history) == in_sqlite(tmp_path / "h.db", events)
    assert history.refused == 0
    history.close()


def test_two_consoles_give_the_rows_of_one(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "TASKS", 8)
    monkeypatch.setattr(blocks, "SLACK", 32)
    events = lives.stream(7, 200)
    one, other = lives.opened(database), lives.opened(database)
    dice = random.Random(1)
    for start in range(0, len(events), 40):
        part = events[start : start + 40]
        one.write(lives.changes(part))
        other.write(lives.changes(dice.sample(part, len(part))))
        if start % 120 == 0:
            one.flush()
            other.flush()
    one.flush()
    other.flush()
    assert dump(one) == in_sqlite(tmp_path / "h.db", events)
    # What the other one sealed and named, each knows.
    for text in ("state:failure", "name:task_03 timeout", "worker:web1 -state:success"):
        found = one.search(parse(text), now=T + 900, limit=500)
        assert found.tasks
        assert found.tasks == other.search(parse(text), now=T + 900, limit=500).tasks
    assert one.trouble is other.trouble is None
    one.close()
    other.close()


_CHILD = """
import random, sys
from tests.unit.history import lives
history = lives.opened(sys.argv[1])
events = lives.stream(9, 300)
dice = random.Random(int(sys.argv[2]))
for start in range(0, len(events), 100):
    part = events[start:start + 100]
    history.write(lives.changes(dice.sample(part, len(part))))
    history.flush()
history.close()
assert history.refused == history.dropped == 0 and history.trouble is None
"""


def test_two_processes_give_the_rows_of_one(tmp_path: Path, database: str) -> None:
    command = [sys.executable, "-c", _CHILD, database]
    children = [
        subprocess.Popen([*command, str(seed)], cwd=REPOSITORY, stderr=subprocess.PIPE)
        for seed in (1, 2)
    ]
    for child in children:
        _, said = child.communicate(timeout=50)
        assert child.returncode == 0, said.decode()
    history = lives.opened(database)
    assert dump(history) == in_sqlite(tmp_path / "h.db", lives.stream(9, 300))
    history.close()


@pytest.mark.parametrize("late", ["received", "started", "sent", "progress"])
def test_a_late_event_never_moves_a_task_back(database: str, late: str) -> None:
    history = lives.opened(database)
    for one in (event("succeeded", 5, runtime=1.0), event(late, 1, name="a")):
        history.write(lives.changes([one]))
        history.flush()
    task = history.task("one")
    assert task is not None
    assert (task.state, task.state_at) == ("SUCCESS", T + 5)
    history.close()


def test_what_a_database_cannot_take_is_replaced_and_the_task_is_kept(
    tmp_path: Path, database: str
) -> None:
    events = [
        event("received", 0, uuid="nul\0id", name="a\0b", args="('\0',)", kwargs="{'\ud800': 1}"),
        event("failed", 1, uuid="nul\0id", exception="\udfff\0", traceback="\0"),
        event("nul\0state", 0, uuid="three", worker="w\ud800"),
        event("received", 0, uuid="\ud800", name="a", root_id="\0", parent_id="\ud801"),
        *[event("received", 1, uuid="x" * n, name="a") for n in range(1, 20)],
    ]
    history = lives.opened(database)
    history.write(lives.changes(events))
    history.write(lives.changes(events))
    history.flush()
    assert history.refused == 0
    task = history.task("nul\0id")
    assert task is not None
    assert (task.name, task.args, task.kwargs) == ("a\ufffdb", "('\ufffd',)", "{'?': 1}")
    assert (task.exception, task.traceback) == ("?\ufffd", "\ufffd")
    surrogate = history.task("\ud800")
    assert surrogate is not None
    assert (surrogate.root_id, surrogate.parent_id) == ("\0", "\ud801")
    assert dump(history) == in_sqlite(tmp_path / "h.db", events)
    history.close()


def test_others_may_write_any_text(database: str) -> None:
    history = lives.opened(database)
    with history.writing() as db:
        number = history.words.number(db, "worker", "a\0\ud800ß")
    assert history.words.text(number) == "a\0\ud800ß"
    with history.reading() as db:
        found = db.execute("SELECT text FROM word WHERE kind = ?", ("worker",)).fetchall()
    assert found == [("a\ufffd?ß",)]
    history.close()


def test_one_task_that_is_refused_keeps_no_other_from_being_written(
    database: str,
) -> None:
    history = lives.opened(database)
    events = lives.stream(2, 40)
    history.write(lives.changes([*events, event("received", 0, name="a", retries=2**70), *events]))
    history.flush()
    assert history.refused == 1
    assert history.trouble is None
    assert history.count(EVERYTHING, now=T).total == len({one.uuid for one in events})
    history.close()


# ---------------------------------------------------------------------- finding


TASKS = 1_300
NOW = T + 375


@pytest.fixture(scope="module")
def everything(
    shared_postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[searching.Everything]:
    """A history whose blocks are small: a segment is sliced, another is not."""
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(blocks, "TASKS", 4)
        patch.setattr(blocks, "SLACK", 100)
        history = lives.opened(stack.enter_context(new_database(shared_postgresql)))
        file = lives.opened(tmp_path_factory.mktemp("history") / "history.db")
        events = lives.stream(1, TASKS)
        for one in (history, file):
            one.write(lives.changes(events))
            one.flush()
        for _ in range(6):  # it seals 64 blocks at a time
            history.flush()
        # The same tasks, and a file is asked sooner.
        ids = dict.fromkeys(event.uuid or "" for event in events)
        tasks = [task for uuid in ids if (task := file.task(uuid)) is not None]
        assert len(tasks) == len(ids)
        tasks.sort(key=searching.place, reverse=True)
        with history.reading() as db:
            assert db.execute("SELECT count(*) FROM slice").fetchone()[0]
        yield history, tasks
        file.close()
        history.close()


@pytest.mark.parametrize(
    "text",
    [
        "", "-state:success", "name:task_01 state:failure runtime:>20s", "uuid:job-7",
        "parent:root-9", "root:root-1*", "args:größe", "kwargs:note=\"tea b\"", "wait:0s..250ms",
        "retries:>0", "since:5m until:4m", "orders.py", '"card 3"', "-timeout", "job-12", "zz9q",
        "(state:failure OR retries:>0) name:task_0*", "timeout OR paid", "order-00 -state:success",
        "-(timeout OR order-1 OR -runtime:>1s)", "-(-timeout -paid)", "4-", "queue:nothing", "%",
        "-root:root-1* -retry.py", "(timeout name:*) OR (paid -card)",
    ],
)  # fmt: skip
def test_it_finds_what_is_found_in_memory(everything: searching.Everything, text: str) -> None:
    searching.agree(everything, parse(text), NOW)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=searching.QUERIES)
def test_any_query_finds_what_it_finds_in_memory(
    everything: searching.Everything, query: Query
) -> None:
    searching.agree(everything, query, NOW)


def test_it_finds_a_task_by_any_part_of_its_id(everything: searching.Everything) -> None:
    for task in everything[1][::500]:
        for text in (task.uuid, task.uuid[3:], task.uuid[2:6]):
            searching.agree(everything, Text(text), NOW)


# ---------------------------------------------------------------------- what others do with it


def test_what_is_too_old_goes_and_the_rest_is_found_as_before(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "TASKS", 8)
    monkeypatch.setattr(blocks, "SLACK", 60)
    monkeypatch.setattr(blocks, "_FRESH_SECONDS", 0.0)
    history = lives.opened(database)
    before = pruning.fill(history, lives.stream(1, 500))
    now = max(task.state_at for task in before) + 2 * pruning.DAY
    limits = {"max_age_seconds": pruning.DAY, "max_age_of": {"FAILURE": 0.0}}
    with history.reading() as db:  # and whoever began before sees what there was
        gone = pruning.pruned(history, now, **limits)
        assert db.execute("SELECT count(*) FROM task").fetchone() == (len(before),)
    wanted = [task for task in before if task.state == "FAILURE"]
    assert gone == len(before) - len(wanted)
    assert pruning.known(history) == wanted
    for text in ("", "-state:failure", "name:task_03 timeout", "order-0", "retries:>0", "since:3d"):
        searching.agree((history, wanted), parse(text), now)
    history.close()


def test_what_goes_out_of_a_file_comes_into_it(tmp_path: Path, database: str) -> None:
    events = lives.stream(4, 150)
    file, history = lives.opened(tmp_path / "h.db"), lives.opened(database)
    file.write(lives.changes(events))
    file.flush()
    data = moving.exported(file)
    (report, bad), (again, _) = moving.taken_in(history, data), moving.taken_in(history, data)
    assert (bad, report.changed, again.changed) == ([], report.tasks, 0)
    assert dump(history) == dump(file)
    assert moving.exported(history).splitlines()[1:] == data.splitlines()[1:]
    file.close()
    history.close()


# ---------------------------------------------------------------------- layouts


@pytest.mark.parametrize("layout", range(1, layouts.LAYOUTS + 1))
def test_a_history_of_every_earlier_layout_is_brought_to_the_newest(
    database: str, layout: int
) -> None:
    layouts.make(database, layout)
    history = lives.opened(database)
    layouts.check(history)
    history.close()
    assert layouts.version(database) == layouts.LAYOUTS


def test_a_step_that_fails_in_the_middle_leaves_what_was_there(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.make(database, layouts.LAYOUTS)
    half = "CREATE TABLE first_half (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n"
    steps = (*sql.migrations(), half)
    with monkeypatch.context() as patch:
        patch.setattr(sql, "migrations", lambda: steps)
        history = lives.opened(database)
        assert history.trouble is not None
        with pytest.raises(Unavailable, match="nowhere"):
            history.search(EVERYTHING, now=0)
        history.close()
    assert layouts.version(database) == layouts.LAYOUTS
    assert "first_half" not in layouts.tables(database)
    history = lives.opened(database)
    layouts.check(history)
    history.close()


def test_consoles_that_start_at_the_same_time_make_one_history(database: str) -> None:
    histories: list[History] = []
    starts = [
        threading.Thread(target=lambda: histories.append(lives.opened(database))) for _ in range(4)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    for history in histories:
        history.write(lives.changes(lives.stream(5, 20)))
        history.flush()
        assert history.trouble is None
    assert len({len(dump(history)) for history in histories}) == 1
    for history in histories:
        history.close()


def test_a_newer_history_is_refused_with_a_sentence(database: str) -> None:
    lives.opened(database).close()
    with layouts.connected(database) as db:
        db.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(NotPossible, match=r"written by a newer Celeryscope \(layout 99"):
        lives.opened(database)


def test_another_programs_tables_are_left_alone(database: str) -> None:
    with layouts.connected(database) as db:
        db.execute("CREATE TABLE auth_user (id bigint)")
    with pytest.raises(NotPossible, match="is no history of Celeryscope"):
        lives.opened(database)


def test_a_schema_that_is_not_ours_to_use_is_said_and_not_taken_for_an_empty_one(
    database: str,
) -> None:
    with pytest.raises(NotPossible, match="There is no history in PostgreSQL at"):
        Reader(database)
    lives.opened(database).close()
    role = f"weak_{database.rpartition('_')[2]}"
    with layouts.connected(database) as db:
        db.execute(f"CREATE ROLE {role} LOGIN")
    url = database.replace("postgres@", f"{role}@")
    with pytest.raises(Unavailable, match="does not let us use the schema"):
        Reader(url)
    history = lives.opened(url, commit_seconds=0.01)
    assert "does not let us use the schema" in (history.trouble or "")
    with layouts.connected(database) as db:
        db.execute(f"GRANT ALL ON SCHEMA celeryscope TO {role}")
        db.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA celeryscope TO {role}")
    history.flush()
    assert history.trouble is None
    history.close()
    with layouts.connected(database) as db:
        db.execute(f"DROP OWNED BY {role}")
        db.execute(f"DROP ROLE {role}")


def test_the_search_path_of_the_url_says_which_schema(database: str) -> None:
    with layouts.connected(database) as db:
        db.execute("CREATE SCHEMA elsewhere")
    url = f"{database}?options=-csearch_path%3Delsewhere"
    for one, name in ((url, "there"), (database, "here")):
        history = lives.opened(one)
        history.write(lives.changes([event("received", 0, name=name)]))
        history.flush()
        assert history.names() == [name]
        history.close()


# ---------------------------------------------------------------------- trouble


def test_a_server_that_comes_later_gets_all(tmp_path: Path) -> None:
    port = free_port()
    url = f"postgresql://postgres:geheim@127.0.0.1:{port}/postgres"
    history = lives.opened(url)
    assert history.trouble is not None
    assert "cannot be reached" in history.trouble
    assert "geheim" not in history.trouble
    assert history.trouble_since is not None
    events = lives.stream(3, 50)
    history.write(lives.changes(events))
    with pytest.raises(Unavailable, match="cannot be reached"):
        history.search(EVERYTHING, now=T)
    assert history.waiting == len(events)
    with postgresql_data() as data, postgresql_running(data, port=port):
        history.flush()
        assert history.trouble is None
        assert history.trouble_since is None
        assert (history.waiting, history.dropped, history.written) == (0, 0, len(events))
        assert dump(history) == in_sqlite(tmp_path / "h.db", events)
        history.close()


def test_a_server_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    events = lives.stream(6, 300)
    with postgresql_data() as data:
        with postgresql_running(data, "fsync=on") as node:
            history = lives.opened(node.url)
            history.write(lives.changes(events[:500]))
            history.flush()
            history.search(EVERYTHING, now=T)  # its connection is kept
            node.process.kill()
            node.process.wait()
        history.write(lives.changes(events[500:]))
        wait_for(lambda: history.trouble is not None)
        with pytest.raises(Unavailable, match="PostgreSQL at"):
            history.search(EVERYTHING, now=T)
        (data / "postmaster.pid").unlink(missing_ok=True)
        with postgresql_running(data, port=node.port):
            history.flush()
            assert (history.trouble, history.dropped, history.refused) == (None, 0, 0)
            assert dump(history) == in_sqlite(tmp_path / "h.db", events)
            history.close()


def test_connections_that_are_cut_are_made_again(database: str) -> None:
    history = lives.opened(database)
    history.write(lives.changes([event("received", 0, name="before")]))
    history.flush()
    assert history.search(EVERYTHING, now=T).tasks
    with layouts.connected(database) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    history.write(lives.changes([event("received", 1, uuid="two", name="after")]))
    history.flush()
    assert history.names() == ["after", "before"]
    history.close()


def test_a_schema_that_was_dropped_is_made_again(database: str) -> None:
    history = lives.opened(database)
    history.write(lives.changes([event("received", 0, uuid="gone", name="before")]))
    history.flush()
    with layouts.connected(database) as db:
        db.execute("DROP SCHEMA celeryscope CASCADE")
    history.write(lives.changes([event("received", 1, name="after")]))
    history.flush()
    assert (history.trouble, history.dropped, history.refused) == (None, 0, 0)
    assert history.names() == ["after"]
    assert history.task("gone") is None
    history.close()


def test_while_another_console_writes_it_waits(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        __import__("celeryscope.history.postgresql", fromlist=["_SETTINGS"])._SETTINGS,
        "lock_timeout",
        "50ms",
    )
    history = lives.opened(database, commit_seconds=0.01)
    with layouts.connected(database) as db:
        db.begin(writing=True)
        history.write(lives.changes([event("received", 0, name="a")]))
        wait_for(lambda: history.trouble is not None)
        assert "written by another program" in (history.trouble or "")
        assert history.search(EVERYTHING, now=T).tasks == []
        with pytest.raises(Unavailable, match="another program"), history.writing():
            pass
        db.rollback()
    history.flush()
    assert history.trouble is None
    assert history.task("one") is not None
    history.close()
