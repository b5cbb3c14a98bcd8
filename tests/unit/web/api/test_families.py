"""`GET /api/v1/families/…` and `/api/v1/started/…`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from celeryscope.errors import NotFound, Unavailable
from celeryscope.history.store import History
from celeryscope.model.actor import Actor, Scope
from celeryscope.model.event import Event
from celeryscope.model.schedule import Entry, Schedule
from celeryscope.web.api import families
from celeryscope.web.api.console import NoQuery
from celeryscope.web.api.families import Family, Started, StartedQuery
from celeryscope.web.services import Services
from tests.unit.history.lives import changes, opened
from tests.unit.web.standins import Cluster, event


def told(
    uuid: str, root: str, parent: str | None = None, *, at: float = 0.0, **about: Any
) -> list[Event]:
    about = {"name": "shop.t", "args": "(1,)", "kwargs": "{}", "queue": "q", **about}
    given = {"uuid": uuid, "root_id": root, "parent_id": parent, **about}
    return [
        event("task-sent", at, **given),
        event("task-received", at + 0.1, **given),
        event("task-started", at + 0.2, uuid=uuid),
        event("task-succeeded", at + 0.5, uuid=uuid, result="7", runtime=0.3),
    ]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = opened(tmp_path / "history.db")
    yield found
    found.close()


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def asked(cluster: Cluster, uuid: str, *, scope: Scope | None = None, **given: Any) -> Family:
    services = seen(cluster, scope, **given)
    return families.family(services, {"uuid": uuid}, NoQuery())


def seen(cluster: Cluster, scope: Scope | None, **given: Any) -> Services:
    services = replace(cluster.services, **given)
    if scope is None:
        return services
    return services.seen_by(Actor(name="mia", role="viewer", way="password", scope=scope))


def keep(history: History, *events: Event) -> None:
    history.write(changes(list(events)))
    history.flush()


def test_a_client_s_group_is_one_family_where_the_result_backend_knows_it(cluster: Cluster) -> None:
    ids = [f"task-{number}" for number in range(3)]
    cluster.feed([one for at, uuid in enumerate(ids) for one in told(uuid, uuid, at=at / 100)])
    assert asked(cluster, ids[1]).together_total == 2
    cluster.results.groups_known = dict.fromkeys(ids, "g")
    family = asked(cluster, ids[1])
    assert ([one.uuid for one in family.tasks], family.notes) == (ids, [])
    assert [(one.kind, one.size, one.sure) for one in family.groups] == [("group", 3, True)]
    cluster.results.fault = Unavailable("It is away.")
    assert asked(cluster, ids[1]).together_total == 2


def test_a_family_in_memory_is_drawn(cluster: Cluster) -> None:
    cluster.feed([*told("r", "r"), *told("a", "r", "r", at=0.45), *told("b", "r", "a", at=1.0)])
    family = asked(cluster, "b")
    assert [(task.uuid, task.parent, task.depth, task.kind) for task in family.tasks] == [
        ("r", None, 0, "root"), ("a", "r", 1, "next"), ("b", "a", 2, "next"),
    ]  # fmt: skip
    assert (family.root, family.total, family.cut) == ("r", 3, False)
    assert family.states == {"SUCCESS": 3}
    assert [step.uuid for step in family.critical] == ["r", "a", "b"]
    assert family.began is not None
    assert family.ended is not None
    assert family.ended - family.began == pytest.approx(1.5)
    assert family.waited == pytest.approx(0.6)
    assert any("chain" in note for note in family.notes)


def test_what_memory_forgot_comes_from_the_history(cluster: Cluster, history: History) -> None:
    keep(history, *told("r", "r"), *told("a", "r", "r", at=0.45), *told("old", "r", "a", at=0.9))
    # Memory has one of them, and knows more of another than was written yet.
    cluster.feed(told("a", "r", "r", at=0.45))
    cluster.feed(told("new", "r", "a", at=1.0))
    family = asked(cluster, "new", history=history)
    assert {task.uuid for task in family.tasks} == {"r", "a", "old", "new"}
    assert all(task.known for task in family.tasks)


def test_of_one_task_the_later_of_memory_and_history_is_shown(
    cluster: Cluster, history: History
) -> None:
    keep(history, *told("r", "r")[:3])
    cluster.feed(told("r", "r"))
    assert asked(cluster, "r", history=history).states == {"SUCCESS": 1}
    keep(history, *told("x", "x"))
    cluster.feed(told("x", "x")[2:])  # it knows no name: the console began later
    (task,) = asked(cluster, "x", history=history).tasks
    assert task.name == "shop.t"


def test_a_root_that_nobody_saw_is_there_as_unknown(cluster: Cluster) -> None:
    cluster.feed(told("b", "ghost", "ghost"))
    family = asked(cluster, "ghost")
    assert [(task.uuid, task.known, task.state) for task in family.tasks] == [
        ("ghost", False, None), ("b", True, "SUCCESS"),
    ]  # fmt: skip


def test_children_of_a_task_without_a_root_are_found_by_their_parent(
    cluster: Cluster, history: History
) -> None:
    keep(history, *told("b", "elsewhere", "a", at=5.0), *told("c", "elsewhere", "b", at=6.0))
    cluster.feed(told("a", "a")[2:])  # only its start was seen
    family = asked(cluster, "a", history=history)
    assert [task.uuid for task in family.tasks] == ["a", "b", "c"]


def test_a_chord_of_a_client_is_one_family_whichever_of_it_is_asked_for(cluster: Cluster) -> None:
    events = [
        *told("h1", "h1", at=0.0),
        *told("h2", "h2", at=0.01),
        *told("body", "h2", "h2", at=0.5, args="([7, 7],)", hostname="gen9@w"),
        *told("other", "other", at=0.02, hostname="gen8@elsewhere"),
    ]
    cluster.feed(events)
    for uuid in ("h1", "h2", "body"):
        family = asked(cluster, uuid)
        assert {task.uuid for task in family.tasks} == {"h1", "h2", "body"}
        (chord,) = family.groups
        assert (chord.kind, chord.body, chord.sure, chord.parent) == ("chord", "body", True, None)


def test_what_was_sent_together_is_told_apart(cluster: Cluster) -> None:
    for number in range(3):
        cluster.feed(told(f"t{number}", f"t{number}", at=number / 100))
    family = asked(cluster, "t1")
    assert [task.uuid for task in family.tasks] == ["t1"]
    assert {task.uuid for task in family.together} == {"t0", "t2"}


def test_a_family_of_thousands_is_cut_but_not_what_was_asked_for(cluster: Cluster) -> None:
    events = told("r", "r")
    for number in range(families.MOST_TASKS + 500):
        events += told(f"t{number}", "r", "r", at=1 + number / 1000)
    last = f"t{families.MOST_TASKS + 499}"
    events += told("grandchild", "r", last, at=60.0)
    cluster.feed(events)
    family = asked(cluster, "grandchild")
    assert len(family.tasks) == families.MOST_TASKS
    assert family.cut
    assert family.total == families.MOST_TASKS + 502
    shown = {task.uuid for task in family.tasks}
    assert {"r", last, "grandchild"} <= shown


def test_limited_people_see_their_part_of_a_family(cluster: Cluster, history: History) -> None:
    events = [*told("r", "r"), *told("x", "r", "r", at=1.0, name="secret.x"),
              *told("y", "r", "x", at=2.0)]  # fmt: skip
    for cluster_, kept in ((cluster, None), (Cluster(), history)):
        if kept is None:
            cluster_.feed(events)
        else:
            keep(kept, *events)
        mine = Scope(tasks=("shop.*",))
        family = asked(cluster_, "r", scope=mine, history=kept)
        assert "x" not in {task.uuid for task in family.tasks}
        assert "secret" not in str(family)
        assert any("not among yours" in note for note in family.notes)
        with pytest.raises(NotFound):
            asked(cluster_, "x", scope=mine, history=kept)


def test_an_unknown_task_has_no_family(cluster: Cluster, history: History) -> None:
    with pytest.raises(NotFound):
        asked(cluster, "nobody")
    with pytest.raises(NotFound):
        asked(cluster, "nobody", history=history)


# ---------------------------------------------------------------------- what an entry started


def entry(**told: Any) -> Entry:
    given = {"source": "beat", "name": "nightly", "task": "shop.t", "schedule": "", "raw": ""}
    return Entry(**{**given, "args": (1,), **told})


def started(
    cluster: Cluster, entries: list[Entry], query: StartedQuery | None = None, **given: Any
) -> Started:
    cluster.schedules.latest = [
        Schedule(source="beat", state="read", said="", entries=tuple(entries))
    ]
    services = seen(cluster, None, **given)
    return families.started(services, {"entry": "beat:nightly"}, query or StartedQuery())


def test_what_an_entry_started_is_told_newest_first_with_its_families(
    cluster: Cluster, history: History
) -> None:
    keep(history, *told("old", "old"), *told("child", "old", "old", at=1.0, name="shop.child"))
    cluster.feed(told("new", "new", at=5.0))
    cluster.feed(told("by-hand", "by-hand", at=6.0, args="(2,)"))  # other arguments
    cluster.feed(told("sent-by-a-task", "z", "z", at=7.0))
    found = started(cluster, [entry()], history=history)
    assert [(task.uuid, task.family) for task in found.tasks] == [("new", 1), ("old", 2)]
    assert (found.sure, found.more) == (True, False)
    assert found.tasks[1].family_states == {"SUCCESS": 2}
    assert any("No event names the entry" in note for note in found.notes)


def test_each_of_a_hundred_has_its_family(
    cluster: Cluster, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        root = f"r{number}"
        child = event("task-sent", number + 0.5, uuid=f"c{number}", root_id=root, parent_id=root)
        history.write(changes([*told(root, root, at=number), child]))
    history.flush()
    query = StartedQuery(limit=100)
    found = started(cluster, [entry()], query, history=history)
    assert {task.family for task in found.tasks} == {2}
    assert len(found.tasks) == 100
    assert families._NOT_ALL not in found.notes
    monkeypatch.setattr(families, "_MOST_SECONDS", 0.0)
    assert families._NOT_ALL in started(cluster, [entry()], query, history=history).notes


def test_where_no_event_told_arguments_the_name_must_do_and_that_is_said(
    cluster: Cluster,
) -> None:
    cluster.feed(told("a", "a", args=None, kwargs=None))
    found = started(cluster, [entry()])
    assert [task.uuid for task in found.tasks] == ["a"]
    assert not found.sure
    assert any("the entry's name alone" in note for note in found.notes)


def test_an_entry_that_is_not_there_is_not_found(cluster: Cluster) -> None:
    with pytest.raises(NotFound):
        started(cluster, [entry(name="weekly")])


def test_a_root_names_the_entries_that_may_have_sent_it(cluster: Cluster) -> None:
    entries = [entry(), entry(name="other", args=(2,)), entry(name="none", task="x")]
    cluster.schedules.latest = [
        Schedule(source="beat", state="read", said="", entries=tuple(entries))
    ]
    cluster.feed([*told("r", "r"), *told("a", "r", "r", at=1.0)])
    assert [(one.name, one.sure) for one in asked(cluster, "a").started_by] == [("nightly", True)]
