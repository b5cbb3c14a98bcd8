"""The history as it is written and read."""

from __future__ import annotations

import random
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celeryscope.cluster.state import ClusterState
from celeryscope.errors import NotPossible, Unavailable
from celeryscope.history import blocks
from celeryscope.history.rows import id_key
from celeryscope.history.search import id_text
from celeryscope.history.sql import migrations
from celeryscope.model.event import Event
from celeryscope.model.query import EVERYTHING, parse
from tests.unit.history import lives

T = lives.START
UUID = "6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1"


def event(kind: str, after: float, worker: str = "celery@a", **fields: Any) -> Event:
    return Event(f"task-{kind}", worker, T + after, uuid=UUID, **fields)


def dump(path: Path) -> list[tuple[object, ...]]:
    """Give all that the file says of tasks, without the numbers that order of arrival gives."""
    db = sqlite3.connect(path)
    words = dict(db.execute("SELECT id, text FROM word"))
    seqs = dict(db.execute("SELECT seq, uuid FROM task"))
    rows = []
    for row in db.execute("SELECT * FROM task"):
        state, at, *shared = row[2], row[3], *(words.get(word) for word in row[4:10])
        rows.append(("task", row[1], words[state], at, *shared, *row[10:]))
    for seq, told in db.execute("SELECT seq, told FROM life"):
        rows.append(("life", seqs[seq], told))
    for seq, text in db.execute("SELECT seq, text FROM traceback"):
        rows.append(("traceback", seqs[seq], text))
    for seq, number, retries, worker, state, *rest in db.execute("SELECT * FROM attempt"):
        rows.append(("attempt", seqs[seq], number, retries, words[worker], words[state], *rest))
    db.close()
    return sorted(rows, key=repr)


def write(path: Path, *batches: list[Event]) -> list[tuple[object, ...]]:
    history = lives.opened(path)
    for batch in batches:
        history.write(lives.changes(batch))
        history.flush()
    history.close()
    assert history.refused == 0
    return dump(path)


def test_a_plain_task_is_read_back(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    history.write(
        lives.changes(
            [
                event("sent", 0, "gen1@app", name="a.b", args="(1,)", kwargs="{}", queue="q",
                      root_id=UUID),
                event("received", 0.5, name="a.b", args="(1,)", kwargs="{}", root_id=UUID),
                event("started", 1),
                event("succeeded", 3, result="'ok'", runtime=1.75),
            ]
        )
    )  # fmt: skip
    history.flush()
    task = history.task(UUID)
    assert task is not None
    assert (task.state, task.state_at, task.succeeded) == ("SUCCESS", T + 3, T + 3)
    assert (task.name, task.queue, task.client, task.worker) == ("a.b", "q", "gen1@app", "celery@a")
    assert (task.sent, task.received, task.started) == (T, T + 0.5, T + 1)
    assert (task.args, task.kwargs, task.result, task.runtime) == ("(1,)", "{}", "'ok'", 1.75)
    assert (task.root_id, task.parent_id) == (UUID, None)
    (run,) = history.attempts(UUID)
    assert (run.worker, run.state, run.runtime) == ("celery@a", "SUCCESS", 1_750_000)
    assert history.names() == ["a.b"]
    assert history.task("nobody") is None
    assert history.attempts("nobody") == []
    history.close()


def test_each_retry_is_an_attempt_of_its_own(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    told = [
        event("received", 0, name="a"),
        event("started", 1),
        event("retried", 2, exception="Retry(1)", traceback="one"),
        event("received", 3, "celery@b", retries=1, name="a"),
        event("started", 4, "celery@b"),
        event("failed", 6, "celery@b", exception="Timeout()", traceback="two"),
    ]
    random.Random(3).shuffle(told)
    for one in told:
        history.write(lives.changes([one]))
        history.flush()
    first, second = history.attempts(UUID)
    assert (first.worker, first.state, first.exception) == ("celery@a", "RETRY", "Retry(1)")
    assert (second.worker, second.state, second.exception) == ("celery@b", "FAILURE", "Timeout()")
    assert (second.started, second.ended) == ((T + 4) * 1e6, (T + 6) * 1e6)
    assert (first.traceback, second.traceback) == ("one", "two")
    task = history.task(UUID)
    assert task is not None
    assert (task.state, task.worker, task.retries) == ("FAILURE", "celery@b", 1)
    assert (task.retried, task.failed, task.traceback) == (T + 2, T + 6, "two")
    history.close()


@pytest.mark.parametrize("late", ["received", "started", "sent", "progress"])
def test_a_late_event_never_moves_a_task_back(tmp_path: Path, late: str) -> None:
    history = lives.opened(tmp_path / "h.db")
    for one in (event("succeeded", 5, runtime=1.0), event(late, 1, name="a")):
        history.write(lives.changes([one]))
        history.flush()
    task = history.task(UUID)
    assert task is not None
    assert (task.state, task.state_at) == ("SUCCESS", T + 5)
    history.close()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_order_and_any_repetition_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    events = lives.stream(data.draw(st.integers(0, 50)), 12)
    again = data.draw(st.lists(st.sampled_from(events), max_size=20))
    shuffled = data.draw(st.permutations([*events, *again]))
    cut = data.draw(st.integers(0, len(shuffled)))
    folder = tmp_path_factory.mktemp("order")
    assert write(folder / "a.db", events) == write(folder / "b.db", shuffled[:cut], shuffled[cut:])


def test_two_writers_of_one_file_give_the_same_rows(tmp_path: Path) -> None:
    events = lives.stream(7, 60)
    one, other = lives.opened(tmp_path / "two.db"), lives.opened(tmp_path / "two.db")
    dice = random.Random(1)
    for start in range(0, len(events), 20):
        part = events[start : start + 20]
        one.write(lives.changes(part))
        other.write(lives.changes(dice.sample(part, len(part))))
    one.flush()
    other.flush()
    one.close()
    other.close()
    assert dump(tmp_path / "two.db") == write(tmp_path / "one.db", events)


def test_how_a_task_stands_is_what_the_fold_says(tmp_path: Path) -> None:
    events = lives.stream(5, 400)
    # A client's words may come after all that the worker told.
    late = [event for event in events if event.type == "task-sent" and not event.retries][::3]
    state = ClusterState()
    history = lives.opened(tmp_path / "h.db")
    for some in ([event for event in events if event not in late], late):
        history.write(state.apply(some, T))
        history.flush()
    for uuid, live in state.tasks.items():
        task = history.task(uuid)
        assert task is not None
        for field in ("state", "state_at", "name", "worker", "queue", "args", "retries",
                      "exception", "started", "runtime", "root_id"):  # fmt: skip
            assert getattr(task, field) == getattr(live, field), (uuid, field)
        assert not live.sent or not live.started or (task.wait is None) == (live.wait is None)
    history.close()


def test_a_task_that_changes_after_its_block_is_sealed_is_found_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "TASKS", 4)
    monkeypatch.setattr(blocks, "SLACK", 8)
    history = lives.opened(tmp_path / "h.db")
    history.write(lives.changes([event("received", 0, name="a", args="'early'")]))
    others = [*lives.stream(2, 50), *lives.stream(3, 50)]
    history.write(lives.changes(others[:150]))
    history.flush()
    history.write(lives.changes([event("failed", 100, exception="Unheard('of')")]))
    history.write(lives.changes(others[150:]))
    history.flush()
    for text in ("unheard", "state:failure exception:unheard*", "early", UUID):
        page = history.search(parse(text), now=T)
        assert [task.uuid for task in page.tasks] == [UUID], text
    assert history.search(parse("early state:received"), now=T).tasks == []
    assert history.count(EVERYTHING, now=T).total == 1 + len({one.uuid for one in others})
    history.close()


def test_long_texts_make_small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "TASKS", 32)
    monkeypatch.setattr(blocks, "SLACK", 32)
    history = lives.opened(tmp_path / "h.db", max_text_chars=20_000)
    told = [
        Event("task-received", "celery@a", T + n, uuid=f"job-{n}", name="a", args="x" * 10_000)
        for n in range(100)
    ]
    history.write(lives.changes(told))
    history.flush()
    assert [task.uuid for task in history.search(parse("job-17"), now=T).tasks] == ["job-17"]
    history.close()
    db = sqlite3.connect(tmp_path / "h.db")
    sizes = [last - first + 1 for first, last in db.execute("SELECT first, last FROM block")]
    db.close()
    assert set(sizes) == {blocks.FEWEST}


def test_texts_are_masked_and_cut_before_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = lives.opened(path, mask=lambda text: text.replace("sesame", "***"), max_text_chars=40)  # type: ignore[arg-type]
    history.write(
        lives.changes(
            [
                event("received", 0, name="a", args="'sesame'", kwargs="x" * 50),
                event("failed", 1, exception="sesame", traceback="sesame"),
            ]
        )
    )
    history.flush()
    task = history.task(UUID)
    history.close()
    assert task is not None
    assert (task.args, task.kwargs, task.truncated) == ("'***'", "x" * 40 + "…", True)
    for file in tmp_path.iterdir():
        assert b"sesame" not in file.read_bytes()


def test_nothing_is_lost_by_closing(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db", commit_seconds=30.0)
    history.write(lives.changes([event("received", 0, name="a")]))
    history.close()
    again = lives.opened(tmp_path / "h.db")
    assert again.task(UUID) is not None
    again.close()


def test_a_task_that_has_just_begun_waits_for_its_end_but_once(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db", commit_seconds=30.0)
    history.flush()  # the writer rests now: we are it
    history.write(lives.changes([event("received", 0, name="a"), event("started", 1)]))
    history._commit(history._taken(), hold=True)
    assert (history.waiting, history.written, history.task(UUID)) == (2, 0, None)
    history.write(lives.changes([event("succeeded", 2)]))
    history._commit(history._taken(), hold=True)
    assert (history.waiting, history.written) == (0, 3)
    task = history.task(UUID)
    assert task is not None
    assert (task.state, task.started) == ("SUCCESS", T + 1)
    # Of one that goes on is written what is known of it.
    history.write(lives.changes([Event("task-started", "celery@a", T, uuid="long")]))
    history._commit(history._taken(), hold=True)
    assert (history.waiting, history.task("long")) == (1, None)
    history._commit(history._taken(), hold=True)
    assert history.waiting == history._waiting_bytes == 0
    task = history.task("long")
    assert task is not None
    assert task.state == "STARTED"
    # Whoever waits for it gets it at once, and so does the end.
    history.write(lives.changes([Event("task-started", "celery@a", T, uuid="asked")]))
    history.flush()
    assert history.task("asked") is not None
    history.close()


def test_after_a_slow_batch_it_rests_as_long_as_the_promise_allows(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    assert [history._pause(took) for took in (0.0, 0.1, 0.28, 0.35, 0.45, 3.0)] == pytest.approx(
        [0.3, 0.2, 0.05, 0.3, 0.1, 0.05]
    )
    history.close()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    lives.opened(tmp_path / "h.db").close()
    assert stat.S_IMODE((tmp_path / "h.db").stat().st_mode) == 0o600


def test_a_newer_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    lives.opened(tmp_path / "h.db").close()
    db = sqlite3.connect(tmp_path / "h.db")
    db.execute("UPDATE schema_version SET version = 99")
    db.commit()
    db.close()
    with pytest.raises(NotPossible, match=r"h\.db was written by a newer Celeryscope \(layout 99"):
        lives.opened(tmp_path / "h.db")


def test_what_is_no_history_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "h.db").write_text("not a database, and long enough to be seen as one" * 100)
    with pytest.raises(NotPossible, match=r"h\.db is damaged, or is no history"):
        lives.opened(tmp_path / "h.db")


def test_a_migration_that_was_applied_is_not_applied_again(tmp_path: Path) -> None:
    for _ in range(2):
        lives.opened(tmp_path / "h.db").close()
    db = sqlite3.connect(tmp_path / "h.db")
    assert db.execute("SELECT version FROM schema_version").fetchall() == [(len(migrations()),)]
    db.close()


def test_while_the_file_is_locked_writing_waits_and_reading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.history.sqlite.BUSY_SECONDS", 0.05)
    history = lives.opened(tmp_path / "h.db", commit_seconds=0.01)
    locker = sqlite3.connect(tmp_path / "h.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    history.write(lives.changes([event("received", 0, name="a")]))
    with pytest.raises(Unavailable, match="not written yet"):
        history.flush(timeout_seconds=0.5)
    assert history.trouble is not None
    assert history.search(EVERYTHING, now=T).tasks == []
    locker.execute("ROLLBACK")
    locker.close()
    history.flush()
    assert history.trouble is None
    assert history.task(UUID) is not None
    history.close()


def test_a_word_of_a_commit_that_failed_is_not_known_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = lives.opened(tmp_path / "h.db", commit_seconds=0.01)
    with monkeypatch.context() as patch:
        patch.setattr("celeryscope.history.plain.to_row", _disk_full)
        history.write(lives.changes([event("received", 0, name="first")]))
        with pytest.raises(Unavailable, match="disk is full"):
            history.flush(timeout_seconds=0.5)
    other = lives.opened(tmp_path / "h.db")  # it takes the number meanwhile
    other.write(lives.changes([Event("task-received", "celery@b", T, uuid="u", name="second")]))
    other.flush()
    history.flush()
    for one in (history, other):
        assert one.names() == ["first", "second"]
        found = one.search(parse("name:first"), now=T).tasks
        assert [task.uuid for task in found] == [UUID]
        one.close()


def _disk_full(*given: Any) -> None:
    *_, number = given
    number("name", "first")
    raise sqlite3.OperationalError("database or disk is full")


# ---------------------------------------------------------------------- what cannot be written


def test_one_task_that_is_refused_keeps_no_other_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeryscope.history.store._clean", lambda event: event)
    history = lives.opened(tmp_path / "h.db")
    events = lives.stream(2, 40)
    cannot_be_encoded = event("received", 0, name="a", args="\ud800")
    history.write(lives.changes([*events, cannot_be_encoded, *events]))
    history.flush()
    assert (history.refused, history.written) == (1, 2 * len(events))
    assert history.count(EVERYTHING, now=T).total == len({one.uuid for one in events})
    history.close()


def test_what_no_database_takes_is_replaced_and_the_task_is_kept(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    for _ in range(2):
        history.write(
            lives.changes([event("received", 0, "w\ud800", name="a\0b", args="(\0\udfff)")])
        )
        history.flush()
    task = history.task(UUID)
    assert task is not None
    assert (task.worker, task.name, task.args) == ("w?", "a\ufffdb", "(\ufffd?)")
    assert history.refused == 0
    history.close()


@pytest.mark.parametrize(
    "uuid", [UUID, UUID.upper(), "", "x", "fifteen letters", "sixteen letters!", "seventeen letters",
             "\0", "\ud800", "ÿ", "\xff" * 16, "a" * 300]
)  # fmt: skip
def test_every_id_is_stored_as_itself(uuid: str) -> None:
    assert id_text(id_key(uuid)) == uuid


# ---------------------------------------------------------------------- other writers


def test_others_write_in_the_same_transaction_as_the_tasks(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    with history.writing() as db:
        number = history.words.number(db, "name", "by.hand")
        db.execute("CREATE TABLE beside (name INTEGER)")
        db.execute("INSERT INTO beside VALUES (?)", (number,))
    history.write(lives.changes([event("received", 0, name="by.hand")]))
    history.flush()
    with history.reading() as db:
        assert db.execute("SELECT name FROM beside").fetchall() == [(number,)]
        assert db.execute("SELECT name FROM task").fetchall() == [(number,)]
    history.close()


def test_what_others_write_is_undone_where_they_fail(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    with pytest.raises(ZeroDivisionError), history.writing() as db:
        assert history.words.number(db, "name", "never") / 0
    with pytest.raises(Unavailable, match="no such table"), history.writing() as db:
        db.execute("INSERT INTO nowhere VALUES (1)")
    history.write(lives.changes([event("received", 0, name="then")]))
    history.flush()
    assert history.names() == ["then"]
    assert history.search(parse("name:then"), now=T).tasks
    history.close()
