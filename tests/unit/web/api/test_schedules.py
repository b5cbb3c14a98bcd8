"""`GET /api/v1/schedules`: entries, and what became of what they sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from celeryscope.cluster.state import ClusterState
from celeryscope.model.schedule import Entry, Schedule
from celeryscope.model.task import Task
from celeryscope.web.api.control import ScheduleEntry, ScheduleList
from celeryscope.web.api.schedules import schedules

NOW = 10_000.0


def entry(**told: Any) -> Entry:
    given = {"source": "beat_schedule", "name": "a", "task": "t", "schedule": "", "raw": ""}
    return Entry(**{**given, **told})


def task(uuid: str, sent: float, **told: Any) -> Task:
    given = {"name": "t", "args": "()", "kwargs": "{}", "state": "SUCCESS", "runtime": 0.5}
    return Task(uuid=uuid, first_seen=sent, sent=sent, **{**given, **told})


def answer(*entries: Entry, tasks: tuple[Task, ...] = (), mask: Any = None) -> ScheduleList:
    state = ClusterState(mask=mask)
    state.tasks = {task.uuid: task for task in tasks}
    schedule = Schedule(source="beat_schedule", state="read", said="", read_at=NOW, entries=entries)
    services: Any = SimpleNamespace(
        clock=lambda: NOW, schedules=SimpleNamespace(latest=[schedule]), state=state
    )
    return schedules(services, {}, {})


def only(*entries: Entry, **given: Any) -> ScheduleEntry:
    (told,) = answer(*entries, **given).entries
    return told


def test_the_next_to_run_comes_first_and_what_never_runs_last() -> None:
    told = answer(
        entry(name="never"),
        entry(name="later", next_run=20_000),
        entry(name="soon", next_run=11_000),
    )
    assert [it.name for it in told.entries] == ["soon", "later", "never"]
    assert told.sources[0].read_at == NOW


@pytest.mark.parametrize(
    ("args", "kwargs", "texts"),
    [
        ((), {}, ("()", "{}")),
        ((), {}, ("[]", "{}")),
        ((1,), {}, ("(1,)", "{}")),
        ((1, "two"), {"a": None}, ("[1, 'two']", "{'a': None}")),
        (([1], (2,)), {}, ("([1], (2,))", "{}")),
    ],
)
def test_the_last_task_is_the_newest_with_its_name_and_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any], texts: tuple[str, str]
) -> None:
    mine = task("mine", 9_000, args=texts[0], kwargs=texts[1], state="FAILURE")
    told = only(
        entry(args=args, kwargs=kwargs),
        tasks=(task("older", 8_000, args=texts[0], kwargs=texts[1]), mine,
               task("other", 9_500, args="('other',)"),
               task("child", 9_600, args=texts[0], kwargs=texts[1], parent_id="x")),
    )  # fmt: skip
    assert (told.last_task, told.last_state, told.note) == ("mine", "FAILURE", "")
    assert (told.last_run, told.last_run_from) == (9_000, "events")


def test_tasks_of_the_same_name_with_other_arguments_are_not_its_own() -> None:
    told = only(entry(args=(1,)), tasks=(task("other", 9_000, args="(2,)"),))
    assert (told.last_task, told.last_run, told.last_run_from) == (None, None, "")
    assert told.overdue == "unknown"


def test_where_events_tell_no_arguments_the_newest_of_the_name_is_told_with_a_note() -> None:
    told = only(entry(), tasks=(task("any", 9_000, args=None, kwargs=None),))
    assert told.last_task == "any"
    assert told.last_run is None
    assert told.note == "Which task it sent last is known by the task's name only."


def test_the_source_s_own_last_run_stands_unless_an_event_is_newer() -> None:
    known = entry(last_run=9_500, next_run=10_500, period_seconds=1_000)
    assert only(known, tasks=(task("old", 9_000),)).last_run_from == "source"
    newer = only(known, tasks=(task("new", 9_700),))
    assert (newer.last_run, newer.last_run_from) == (9_700, "events")


def test_an_interval_that_only_events_know_goes_on_from_there() -> None:
    told = only(entry(period_seconds=30), tasks=(task("a", 9_990),))
    assert (told.next_run, told.overdue) == (10_020, "no")
    late = only(entry(period_seconds=30), tasks=(task("a", 9_900),))
    assert (late.next_run, late.overdue, late.overdue_seconds) == (9_930, "yes", 70)


def test_arguments_are_masked_and_cut_and_masked_ones_still_find_their_task() -> None:
    def mask(text: str) -> str:
        return text.replace("secret", "***")

    told = only(
        entry(args=("secret",), kwargs={"long": "x" * 5_000}, options={"queue": "q", "note": "secret"}),
        mask=mask,
    )  # fmt: skip
    assert told.args == "('***',)"
    assert len(told.kwargs) == 500
    assert (told.queue, told.options["note"]) == ("q", "***")
    found = only(entry(args=("secret",)), tasks=(task("a", 9_000, args="('***',)"),), mask=mask)
    assert found.last_task == "a"
