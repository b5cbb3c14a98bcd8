"""Ends that were fetched and tasks that were lost, in the set of all that was told."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celeryscope.cluster import runs
from celeryscope.cluster.state import ClusterState
from celeryscope.history import insight, record, transfer
from celeryscope.history.lineage import runs_of
from celeryscope.history.record import Record, Standing
from celeryscope.model.actor import Scope
from celeryscope.model.event import Event, Found
from celeryscope.model.query import parse
from celeryscope.web.attempts import of_task
from tests.unit.history import lives

T = lives.START
UUID = "6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1"


def event(kind: str, after: float, worker: str = "celery@a", **fields: Any) -> Event:
    return Event(f"task-{kind}", worker, T + after, uuid=UUID, **fields)


def lost(after: float, worker: str = "celery@a", started: float = 1.0) -> Found:
    return Found("task-lost", worker, T + after, uuid=UUID, exception="It is gone.", how="lost",
                 of_start=T + started)  # fmt: skip


def fetched(kind: str, after: float, worker: str = "celery@a", **fields: Any) -> Found:
    return Found(f"task-{kind}", worker, T + after, uuid=UUID, **fields)


RUN = [event("received", 0, name="a.b", args="(1,)"), event("started", 1)]


def stands(events: list[Event]) -> tuple[Standing, Record]:
    one = Record()
    for told in events:
        record.take(one, told, None, lambda text, chars: text[:chars], 1000)
    return record.stand(one, runs.judge), one


#: Task.replace, as a real worker tells of it: no event says that the first task is over, and the
#: retries of the second begin at 0 again.
REPLACED = [
    *RUN, event("received", 2, retries=1, name="a.b", args="(1,)"),
    event("retried", 2.1, exception="ValueError('hush')"), event("started", 3),
    event("sent", 4, "gen1@a", name="c.d", args="(2,)"),
    event("received", 4.1, name="c.d", args="(2,)"), event("started", 5),
]  # fmt: skip

CASES: list[tuple[list[Event], str, float]] = [
    ([*RUN, lost(400)], "LOST", 400),
    ([*RUN, lost(400), lost(500)], "LOST", 400),
    ([*RUN, lost(400), event("succeeded", 5)], "SUCCESS", 5),
    ([*RUN, lost(400), event("failed", 500)], "FAILURE", 500),
    ([*RUN, lost(400), event("retried", 5)], "RETRY", 5),
    ([*RUN, lost(400), event("started", 300, "celery@b")], "STARTED", 300),
    ([*RUN, lost(400), event("started", 500)], "STARTED", 500),
    ([*RUN, lost(400), event("received", 500, "celery@b", name="a.b")], "RECEIVED", 500),
    ([*RUN, lost(400), event("progress", 350)], "LOST", 400),
    ([*RUN, lost(400), event("progress", 450)], "PROGRESS", 450),
    ([*RUN, lost(400), event("progress", 450), lost(900)], "LOST", 900),
    ([*RUN, lost(400), event("sent", -1, "gen1@app", name="a.b")], "LOST", 400),
    ([*RUN, lost(400), fetched("succeeded", 9)], "SUCCESS", 9),
    ([*RUN, fetched("succeeded", 9)], "SUCCESS", 9),
    ([*RUN, fetched("succeeded", 9), event("succeeded", 8.5)], "SUCCESS", 8.5),
    ([*RUN, fetched("succeeded", 9), event("failed", 8.5)], "FAILURE", 8.5),
    ([*RUN, fetched("succeeded", 9), event("failed", 9.5)], "FAILURE", 9.5),
    (
        [*RUN, event("failed", 5), event("started", 50, "celery@b"),
         fetched("succeeded", 60, "celery@b")],
        "SUCCESS",
        60,
    ),
    ([*RUN, event("retried", 3), fetched("succeeded", 60, "celery@b")], "SUCCESS", 60),
    (REPLACED, "STARTED", 5),
    ([*REPLACED, event("succeeded", 7)], "SUCCESS", 7),
    ([*REPLACED, event("received", 6, retries=1, name="c.d", args="(2,)"), event("retried", 6.1)],
     "RETRY", 6.1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "state", "at"),
    CASES,
    ids=["; ".join(f"{e.type[5:]} {e.timestamp - T:g}" for e in case[0][2:]) for case in CASES],
)
def test_how_a_task_stands_whatever_the_order(events: list[Event], state: str, at: float) -> None:
    dice = random.Random(len(events))
    for _ in range(8):
        shuffled = [*events, dice.choice(events)]
        dice.shuffle(shuffled)
        standing, one = stands(shuffled)
        assert (standing.state, standing.at) == (state, (T + at) * 1e6)
        again = record.load(record.dump(one))
        assert record.stand(again, runs.judge) == standing


@pytest.mark.parametrize("case", CASES, ids=[str(number) for number in range(len(CASES))])
def test_the_memory_judges_the_same(case: tuple[list[Event], str, float]) -> None:
    """The live view learns it when it is found out, which is after the events of the run."""
    events, state, at = case
    cluster = ClusterState()
    for told in events:
        if isinstance(told, Found):
            cluster.learn([told])
        else:
            cluster.apply([told], told.timestamp)
    task = cluster.tasks[UUID]
    assert (task.state, task.state_at) == (state, T + at)
    assert task.fetched == stands_fetched(events)


def stands_fetched(events: list[Event]) -> bool:
    standing, _ = stands(events)
    return standing.end is not None and bool(standing.end.flags & record.FETCHED)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_any_order_and_any_repetition_give_the_same(seed: int, data: st.DataObject) -> None:
    dice = random.Random(seed)
    events = list(lives.life(dice, 1))
    uuid = events[0].uuid
    events += [
        Found("task-lost", start.hostname, start.timestamp + dice.randrange(400), uuid=uuid,
              exception="gone", how="lost", of_start=start.timestamp)
        for start in events
        if start.type == "task-started"
    ]  # fmt: skip
    last = max(one.timestamp for one in events)
    events.append(
        Found("task-succeeded", lives.WORKERS[0], last - dice.randrange(9), uuid=uuid, result="1")
    )
    first, _ = stands(events)
    shuffled = data.draw(st.permutations([*events, *events[:3]]))
    assert stands(shuffled)[0] == first


def test_what_took_the_place_of_another_task_has_runs_of_its_own(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    for some in REPLACED, [event("succeeded", 7)], REPLACED[::-1]:
        history.write(lives.changes(some))
        history.flush()
    cluster = ClusterState()
    for told in [*REPLACED, event("succeeded", 7)]:
        cluster.apply([told], told.timestamp)
    task, live = history.task(UUID), cluster.tasks[UUID]
    assert task is not None
    for one in (task, live):
        assert (one.name, one.args, one.state, one.retries) == ("c.d", "(2,)", "SUCCESS", 1)
        assert one.renamed == ((T + 4, "a.b"),)
    for runs_ in (history.attempts(UUID), of_task(live)):
        assert [(run.retries, run.state) for run in runs_] == [
            (0, "RETRY"), (1, "STARTED"), (2, "SUCCESS"),
        ]  # fmt: skip
    assert [(run.state, run.ended) for run in runs_of(task)] == [
        ("RETRY", T + 2.1), ("STARTED", T + 5), ("SUCCESS", T + 7),
    ]  # fmt: skip
    # Its exception is of the first: nobody sees it who may not see that one.
    told_of = history.search(parse("hush"), now=T + 9, scope=Scope(tasks=("*.*",)))
    assert [found.uuid for found in told_of.tasks] == [UUID]
    for scope in (Scope(tasks=("c.*",)), Scope(tasks=("a.*",))):
        assert history.task(UUID, scope=scope) is None
        assert history.attempts(UUID, scope=scope) == []
        assert history.search(parse(""), now=T + 9, scope=scope).tasks == []
        assert history.relatives([UUID], scope=scope).tasks == []
        failing = insight.exceptions(history, since=T - 60, until=T + 60, now=T + 99, scope=scope)
        assert len(failing.exceptions) == (scope.tasks == ("a.*",))
    exported = [line for line in transfer.tasks(history, now=T + 9) if line.id == UUID]
    other = lives.opened(tmp_path / "other.db")
    transfer.take_in(other, exported, bad=lambda bad: pytest.fail(bad.why))
    assert list(transfer.tasks(other)) == exported
    history.close()
    other.close()


def test_it_is_kept_and_found(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = lives.opened(path)
    history.write(lives.changes([lost(500), *RUN, lost(400)]))
    history.flush()
    task = history.task(UUID)
    assert task is not None
    assert (task.state, task.state_at, task.worker) == ("LOST", T + 400, "celery@a")
    assert task.lost is not None
    assert task.lost.at == T + 400
    assert (task.lost.why, task.lost.started, task.fetched) == ("It is gone.", T + 1, False)
    assert [run.state for run in history.attempts(UUID)] == ["LOST"]
    page = history.search(parse("state:lost"), now=T + 500)
    assert [found.uuid for found in page.tasks] == [UUID]
    history.write(lives.changes([fetched("failed", 9, exception="E(1)", traceback="File x")]))
    history.flush()
    history.close()
    history = lives.opened(path)
    task = history.task(UUID)
    assert task is not None
    assert (task.state, task.fetched, task.exception) == ("FAILURE", True, "E(1)")
    assert task.traceback == "File x"
    history.close()


def test_one_plain_run_with_a_fetched_end_needs_no_more_than_its_row(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    history.write(lives.changes([*RUN, fetched("succeeded", 9, result="'ok'")]))
    history.flush()
    for again in (event("sent", -1, "gen1@app", name="a.b"), event("succeeded", 8, runtime=7.0)):
        task = history.task(UUID)
        assert task is not None
        assert (task.fetched, task.result) == (True, "'ok'")
        with history.reading() as db:
            assert db.execute("SELECT count(*) FROM life").fetchone()[0] == 0
        history.write(lives.changes([again]))
        history.flush()
    task = history.task(UUID)
    assert task is not None
    assert (task.fetched, task.succeeded, task.runtime) == (False, T + 8, 7.0)
    assert task.result is None  # the event, which holds, told none
    history.close()


def test_an_end_of_which_nobody_knows_the_worker_has_none(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    history.write(
        lives.changes([event("sent", 0, "gen1@app", name="a.b"), fetched("succeeded", 9, "")])
    )
    history.flush()
    task = history.task(UUID)
    assert task is not None
    assert (task.state, task.worker, task.fetched) == ("SUCCESS", None, True)
    history.close()


def test_texts_that_were_fetched_are_masked_and_cut(tmp_path: Path) -> None:
    history = lives.opened(
        tmp_path / "h.db",
        mask=lambda text: text.replace("hush", "…"),  # type: ignore[arg-type]
        max_text_chars=10,
    )
    history.write(lives.changes([*RUN, fetched("succeeded", 9, result="'hush " + "x" * 50)]))
    history.flush()
    task = history.task(UUID)
    assert task is not None
    assert (task.result, task.truncated) == ("'… xxxxxxx…", True)
    history.close()
