"""Families: what real canvases look like in events, and what lies in ids do to them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.cluster.state import ClusterState
from celeryscope.history.lineage import Family, build, runs_of
from celeryscope.model.event import Event
from celeryscope.model.task import Task

# What workers of Celery 5.7 told of each kind of canvas; see its integration test.
CANVASES = Path(__file__).parents[2] / "fixtures" / "canvases.jsonl"


def tasks_of(canvas: str) -> list[Task]:
    """Fold the events of one canvas."""
    events: list[Event] = []
    case = ""
    for line in CANVASES.read_text().splitlines():
        told = json.loads(line)
        case = told.get("case", case)
        if "case" not in told and case == canvas:
            events.append(msgspec.convert(told, Event))
    state = ClusterState()
    state.apply(events, events[-1].timestamp)
    first = {event.uuid: event.timestamp for event in reversed(events)}
    return sorted(state.tasks.values(), key=lambda task: first[task.uuid])


def family_of(tasks: list[Task]) -> Family:
    root = tasks[0].uuid
    mine = [task for task in tasks if task.root_id == root]
    return build(mine, root=root, beside=[task for task in tasks if task.root_id != root])


def drawn(canvas: str) -> list[str]:
    """Draw a family by letters, in the order of sending: A first."""
    tasks = tasks_of(canvas)
    letters = {task.uuid: chr(65 + number) for number, task in enumerate(tasks)}
    family = family_of(tasks)
    lines = []
    for one in family.members:
        line = f"{'  ' * one.depth}{letters[one.uuid]} {one.kind}"
        if one.group is not None:
            line += f" {family.groups[one.group].kind}"
        if one.after:
            line += f" of {''.join(letters[uuid] for uuid in one.after)}"
        lines.append(line + " *" * one.critical)
    return lines


@pytest.mark.parametrize(
    ("canvas", "expected"),
    [
        ("chain", ["A root *", "  B next *", "    C next *"]),
        ("link", ["A root *", "  B next *"]),
        ("group", ["A root *"]),  # of a client: each its own root
        ("fangroup", ["A root *", "  B sub group", "  C sub group", "  D sub group *"]),
        ("fan", ["A root *", "  B sub group", "  C sub group", "  D sub group *"]),
        ("chord", ["A root chord", "B root chord", "C root chord *", "D body of ABC *"]),
        (
            "chaingroup",
            ["A root *", "  B next chord", "  C next chord *", "  D body of BC *", "    E next *"],
        ),
        (
            "nested",
            ["A root *", "  B next chord", "    E next", "  C next chord *", "    D next *",
             "  F body of ED *", "    G next *"],
        ),
        ("flaky", ["A root *", "  B next *"]),
        ("repl2", ["A root *", "  B next *"]),
        ("grpchord", ["A root chord *", "B root chord", "D body of AB *"]),
    ],
)  # fmt: skip
def test_a_real_canvas_is_drawn_as_what_it_was(canvas: str, expected: list[str]) -> None:
    assert drawn(canvas) == expected


def test_a_replaced_task_that_is_sent_by_its_own_child_stays_the_root() -> None:
    tasks = tasks_of("repl")
    family = family_of(tasks)
    head = family.members[0]
    assert (head.uuid, head.depth, len(head.runs)) == (tasks[0].uuid, 0, 2)
    assert len(family.members) == len(tasks)
    # Its last run waited for what its first run had sent.
    assert family.critical[0].uuid != head.uuid
    assert family.critical[-1].uuid == tasks[-1].uuid


def test_a_chord_whose_body_got_its_results_is_beyond_doubt() -> None:
    (chord,) = family_of(tasks_of("chord")).groups
    assert (chord.kind, chord.sure, chord.parent) == ("chord", True, None)


def test_what_a_client_sent_at_the_same_moment_is_told_and_not_joined() -> None:
    tasks = tasks_of("group")
    family = family_of(tasks)
    assert [task.uuid for task in family.together] == [task.uuid for task in tasks[1:]]
    assert family.groups == []


def test_a_group_whose_id_is_known_is_one_whoever_sent_it() -> None:
    first, *others = tasks_of("group")
    known = dict.fromkeys([first.uuid, *(one.uuid for one in others)], "g")
    family = build([first], root=first.uuid, beside=others, groups_of=known)
    (group,) = family.groups
    assert (group.kind, group.sure, len(group.members)) == ("group", True, 1 + len(others))
    assert (family.together, family.inferred) == ([], set())
    # One that goes on belongs to those around it; another group does not.
    del known[others[0].uuid]
    assert len(build([first], root=first.uuid, beside=others, groups_of=known).members) == len(
        family.members
    )
    known |= {others[-1].uuid: "h"}
    apart = build([first], root=first.uuid, beside=others, groups_of=known)
    assert others[-1] in apart.together


def test_a_group_is_left_as_it_seems_where_a_chain_in_it_has_none() -> None:
    tasks = tasks_of("grpchord")
    family = family_of(tasks)
    head = [one for one in tasks if one.uuid in family.groups[0].members]
    known = {head[0].uuid: "g", head[1].uuid: None}
    mine = [task for task in tasks if task.root_id == tasks[0].uuid]
    beside = [task for task in tasks if task.root_id != tasks[0].uuid]
    again = build(mine, root=tasks[0].uuid, beside=beside, groups_of=known)
    assert again.groups == family.groups


def test_each_attempt_is_a_run() -> None:
    head = family_of(tasks_of("flaky")).members[0]
    assert [run.state for run in head.runs] == ["RETRY", "RETRY", "SUCCESS"]
    assert all(run.ended is not None and run.ended > run.started for run in head.runs)
    assert head.sent is not None
    assert head.sent < head.runs[0].started < head.runs[1].started


def test_the_steps_of_the_critical_path_follow_each_other_without_a_hole() -> None:
    family = family_of(tasks_of("nested"))
    assert family.critical[0].sent == family.began
    assert family.critical[-1].until == family.ended
    for step, following in zip(family.critical, family.critical[1:], strict=False):
        assert step.until == following.sent


# ---------------------------------------------------------------------- made-up families


def task(uuid: str, parent: str | None = None, *, at: float = 0.0, **told: Any) -> Task:
    given = {
        "root_id": "r", "parent_id": parent, "name": "t", "state": "SUCCESS", "sent": at,
        "started": at + 1, "state_at": at + 2, "runtime": 1.0, "client": "gen1@a",
    }  # fmt: skip
    return Task(uuid=uuid, first_seen=at, **{**given, **told})


def test_what_others_name_and_nobody_saw_is_there_as_unknown() -> None:
    family = build([task("b", "ghost", at=5)], root="r")
    found = {one.uuid: one for one in family.members}
    assert found["ghost"].task is None
    assert found["r"].task is None
    assert found["b"].parent == "ghost"
    assert found["b"].kind == "unknown"
    assert family.states == {"SUCCESS": 1}


def test_a_circle_of_parents_hangs_below_the_root() -> None:
    told = [task("r"), task("a", "b", at=3), task("b", "c", at=6), task("c", "a", at=9)]
    family = build(told, root="r")
    assert [(one.uuid, one.depth) for one in family.members] == [
        ("r", 0), ("a", 1), ("c", 2), ("b", 3),
    ]  # fmt: skip


def test_an_unfinished_family_has_no_end_and_its_path_leads_to_what_runs() -> None:
    told = [
        task("r"),
        task("slow", "r", at=2, state="STARTED", state_at=3, runtime=None),
        task("late", "r", at=50, state="RECEIVED", started=None, runtime=None),
    ]
    family = build(told, root="r")
    assert family.ended is None
    assert [step.uuid for step in family.critical] == ["r", "slow"]
    assert family.critical[-1].until is None


def test_a_lost_task_has_ended() -> None:
    family = build([task("r", state="LOST", state_at=40.0, runtime=None)], root="r")
    assert family.ended == 40.0
    assert runs_of(task("r", state="LOST", state_at=40.0))[0].ended == 40.0


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ({"state": "SUCCESS", "state_at": 12.0}, "body"),
        ({"state": "FAILURE", "state_at": 12.0}, "next"),  # a chord's body would not have run
        ({"state": "SUCCESS", "state_at": 30.0}, "next"),  # it went on without it
        ({"state": "STARTED", "state_at": 11.0}, "next"),
    ],
)
def test_a_body_is_inferred_only_where_the_whole_header_had_succeeded(
    others: dict[str, Any], kind: str
) -> None:
    told = [
        task("r"),
        task("h1", "r", at=10, **others),
        task("h2", "r", at=10.01, state_at=15.0),
        task("x", "h2", at=14.99, args="[1]"),
    ]
    family = build(told, root="r")
    (x,) = [one for one in family.members if one.uuid == "x"]
    assert x.kind == kind
    assert ("body" in family.inferred) == (kind == "body")


def test_chains_side_by_side_are_no_chord() -> None:
    told = [task("r")]
    for number in range(3):
        told.append(task(f"a{number}", "r", at=10 + number / 100, state_at=20.0 + number))
        told.append(task(f"b{number}", f"a{number}", at=19.99 + number, args="[0]"))
    family = build(told, root="r")
    assert [group.kind for group in family.groups] == ["group"]


@pytest.mark.parametrize("shape", ["deep", "wide", "chains"])
def test_ten_thousand_tasks_are_no_trouble(shape: str) -> None:
    count = 10_000
    told = [task("r")]
    for number in range(1, count):
        parent = {"deep": f"t{number - 1}" if number > 1 else "r", "wide": "r"}.get(
            shape, "r" if number % 100 == 1 else f"t{number - 1}"
        )
        told.append(task(f"t{number}", parent, at=number / 100, args="([1, 2],)", result="1"))
    family = build(told, root="r")
    assert len(family.members) == count
    assert (
        max(one.depth for one in family.members)
        == {"deep": count - 1, "wide": 1, "chains": 100}[shape]
    )


def anything(dice: random.Random) -> Task:
    ids = ["r", "a", "b", "c", "d", "e", None]

    def when() -> float | None:
        return dice.choice([None, dice.uniform(0, 100)])

    kinds = ["sent", "received", "started", "failed", "retried"]
    return Task(
        uuid=dice.choice(ids[:-1]) or "", first_seen=1.0,
        root_id=dice.choice(ids), parent_id=dice.choice([*ids, "nobody"]),
        state=dice.choice(["SUCCESS", "FAILURE", "STARTED", "PENDING", "RETRY", "MINE"]),
        state_at=dice.uniform(0, 100), sent=when(), started=when(), received=when(),
        client=dice.choice(["x", None]),
        args=dice.choice(["([1, 1],)", "[1]", "(1,)", None]), result="1",
        log=tuple((dice.choice(kinds), dice.uniform(0, 100), "w", dice.randrange(3))
                  for _ in range(dice.randrange(5))),
    )  # fmt: skip


def unique(tasks: Iterable[Task]) -> list[Task]:
    return list({task.uuid: task for task in tasks}.values())


@given(st.integers(0, 2**32))
def test_whatever_the_ids_say_each_task_is_there_once_and_order_does_not_matter(seed: int) -> None:
    dice = random.Random(seed)
    told = unique(anything(dice) for _ in range(dice.randrange(9)))
    strange = unique(anything(dice) for _ in range(dice.randrange(4)))
    known = {one.uuid: dice.choice(("g", "h", None)) for one in told if dice.random() < 0.5}
    family = build(told, root="r", beside=strange, groups_of=known)
    shown = [one.uuid for one in family.members]
    assert len(shown) == len(set(shown))
    assert {one.uuid for one in told} <= set(shown)
    assert "r" in shown
    for group in family.groups:
        assert len(group.members) >= 2
        assert set(group.members) <= set(shown)
    for one in family.members:
        assert one.group is None or one.uuid in family.groups[one.group].members
    dice.shuffle(told)
    again = build(told, root="r", beside=strange, groups_of=known)
    assert [one.uuid for one in again.members] == shown
    assert again.critical == family.critical
