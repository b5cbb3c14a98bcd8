"""Finding families in the history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from celeryscope.history import blocks
from celeryscope.history.store import History
from celeryscope.model.actor import Scope
from celeryscope.model.event import Event
from tests.unit.history.lives import START, changes, opened


def told(
    uuid: str,
    root: str,
    parent: str | None,
    at: float,
    name: str = "shop.t",
    client: str = "gen1@a",
) -> list[Event]:
    about = {"name": name, "args": "(1,)", "kwargs": "{}", "root_id": root, "parent_id": parent}
    at += START
    worker = "celery@w"
    return [
        Event("task-sent", client, at, uuid=uuid, queue="q", **about),  # type: ignore[arg-type]
        Event("task-received", worker, at + 0.1, uuid=uuid, **about),  # type: ignore[arg-type]
        Event("task-started", worker, at + 0.2, uuid=uuid),
        Event("task-succeeded", worker, at + 0.5, uuid=uuid, result="1", runtime=0.3),
    ]


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """A history of 600 families of three, most of them in sealed blocks, and a large one."""
    monkeypatch.setattr(blocks, "SLACK", 256)
    found = opened(tmp_path / "history.db")
    events: list[Event] = []
    for number in range(600):
        root, at = f"root-{number}", number * 10.0
        # The roots came long before what they sent.
        events += told(root, root, None, at)
        events += told(f"a-{number}", root, root, at + 1)
        events += told(f"b-{number}", root, f"a-{number}", at + 2, name="secret.t")
    for number in range(50):
        events += told(f"big-{number}", "root-3", "root-3", 7_000 + number / 1000)
    for number in range(5):
        events += told(f"batch-{number}", f"batch-{number}", None, 8_000 + number / 100)
    found.write(changes(events))
    found.flush()
    yield found
    found.close()


def ids(found: History, *roots: str, **asked: object) -> list[str]:
    relatives = found.relatives(roots, **asked)  # type: ignore[arg-type]
    assert relatives.whole
    return sorted(task.uuid for task in relatives.tasks)


def test_a_family_is_found_wherever_its_tasks_are(history: History) -> None:
    big = sorted(["root-3", "a-3", "b-3", *(f"big-{number}" for number in range(50))])
    assert ids(history, "root-3") == big
    assert ids(history, "root-599") == ["a-599", "b-599", "root-599"]
    assert ids(history, "root-1", "root-2") == ["a-1", "a-2", "b-1", "b-2", "root-1", "root-2"]


def test_what_names_a_task_as_its_parent_is_found(history: History) -> None:
    assert ids(history, "a-7", by="parent") == ["a-7", "b-7"]


def test_nothing_is_looked_for_before_it_began(history: History) -> None:
    assert ids(history, "root-3", since=START + 6_500)[:3] == ["big-0", "big-1", "big-10"]


def test_what_is_not_there_has_no_family(history: History) -> None:
    assert ids(history, "nobody") == []


def test_a_family_that_is_too_large_is_cut_and_that_is_said(history: History) -> None:
    found = history.relatives(["root-3"], most=20)
    assert len(found.tasks) == 20
    assert not found.whole


def test_limited_people_find_theirs_without_the_ids_of_others(history: History) -> None:
    mine = history.relatives(["root-5"], scope=Scope(tasks=("shop.*",))).tasks
    assert sorted(task.uuid for task in mine) == ["a-5", "root-5"]
    other = Scope(tasks=("secret.*",))
    assert history.relatives(["root-5"], scope=other).tasks == []  # an id tells nothing, either
    assert history.relatives(["a-5"], by="parent", scope=other).tasks == []
    theirs = history.relatives(["b-5"], scope=other).tasks
    assert [(task.uuid, task.root_id, task.parent_id) for task in theirs] == [("b-5", None, None)]
    assert history.beside("batch-0", scope=other) == []


def test_what_a_client_sent_at_the_same_time_is_found(history: History) -> None:
    found = {task.uuid for task in history.beside("batch-2")}
    assert found == {f"batch-{number}" for number in range(5)}
    assert history.beside("a-3") == []  # a task sent it
    assert history.beside("nobody") == []


def test_each_attempt_of_a_task_is_told(tmp_path: Path) -> None:
    found = opened(tmp_path / "history.db")
    about = {"name": "t", "args": "()", "kwargs": "{}", "root_id": "r"}
    found.write(changes([
        Event("task-received", "w", START, uuid="r", **about),  # type: ignore[arg-type]
        Event("task-started", "w", START + 1, uuid="r"),
        Event("task-retried", "w", START + 2, uuid="r", exception="E()"),
        Event("task-received", "w", START + 3, uuid="r", retries=1, **about),  # type: ignore[arg-type]
        Event("task-started", "w", START + 4, uuid="r"),
    ]))  # fmt: skip
    found.flush()
    (task,) = found.relatives(["r"]).tasks
    found.close()
    assert [kind for kind, *_ in task.log].count("started") == 2
