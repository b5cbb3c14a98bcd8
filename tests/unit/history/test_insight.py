"""What the figures of a window tell is what counting its tasks one by one gives."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celeryscope.errors import NotPossible
from celeryscope.history import insight
from celeryscope.history.insight import Summary
from celeryscope.history.store import History
from celeryscope.model.actor import Scope
from celeryscope.model.event import Event
from celeryscope.model.fingerprint import fingerprint
from celeryscope.model.query import parse
from celeryscope.model.task import Task
from tests.unit.history import lives
from tests.unit.history.test_tally import spread, traceback, write

TASKS = 1_500
#: Two days and some hours after the first task, in the middle of a quarter of an hour.
NOW = lives.START + 56 * 3600 + 411
ENDED = ("SUCCESS", "FAILURE", "REVOKED", "REJECTED", "LOST")


class Everything(NamedTuple):
    history: History
    tasks: list[Task]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    history = lives.opened(tmp_path_factory.mktemp("insight") / "history.db")
    events = spread(5, TASKS)
    write(history, events, 2_000)
    ids = dict.fromkeys(event.uuid or "" for event in events)
    found = [history.task(uuid) for uuid in ids]
    tasks = [task for task in found if task is not None and task.state in ENDED]
    assert len(tasks) > TASKS / 2
    yield Everything(history, tasks)
    history.close()


def within(tasks: list[Task], since: float, until: float) -> list[Task]:
    return [task for task in tasks if since <= task.state_at < until]


def has_ran(task: Task) -> float | None:
    return task.ran if task.state in ("SUCCESS", "FAILURE", "REVOKED") else None


def near(told: float | None, durations: list[float], share: float) -> bool:
    """Is a percentile what it should be, within the bound that is promised?"""
    if not durations:
        return told is None
    true = sorted(durations)[max(0, math.ceil(share * len(durations)) - 1)]
    return told == pytest.approx(true, rel=insight.ERROR, abs=1e-4)


def agree(told: Summary, tasks: list[Task]) -> None:
    counts = Counter(task.state for task in tasks)
    assert told[:8] == (
        len(tasks), *(counts[state] for state in ENDED),
        sum(task.retries > 0 for task in tasks), sum(task.retries for task in tasks),
    )  # fmt: skip
    ran = [one for task in tasks if (one := has_ran(task)) is not None]
    assert told.took == pytest.approx(sum(ran))
    waited = [task.wait for task in tasks if task.wait is not None]
    for share, run, wait in (
        (0.5, told.run_p50, told.wait_p50),
        (0.95, told.run_p95, told.wait_p95),
        (0.99, told.run_p99, told.wait_p99),
    ):
        assert near(run, ran, share)
        assert near(wait, waited, share)


WINDOWS = st.tuples(
    st.integers(-3_600, 60 * 3600), st.sampled_from([60, 900, 3_600, 86_400, 200_000, 2_000_000])
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(WINDOWS)
def test_any_window_is_exact(everything: Everything, window: tuple[int, int]) -> None:
    history, tasks = everything
    since = lives.START + window[0]
    until = min(since + window[1] + 0.3, NOW)
    if since >= until:
        return
    told = insight.overview(history, since=since, until=until, now=NOW, sort="tasks")
    assert told.exactness.exact
    mine = within(tasks, since, until if until < NOW else NOW + 900)
    agree(told.total, mine)
    by_name: dict[str | None, list[Task]] = {}
    for task in mine:
        by_name.setdefault(task.name, []).append(task)
    assert {one.name for one in told.names} == set(by_name)
    for one in told.names:
        agree(one.now, by_name[one.name])
    assert all(a.now.tasks >= b.now.tasks for a, b in pairwise(told.names))
    length = until - since
    begins = told.exactness.begins
    assert begins is not None
    if told.before is not None:
        earlier = within(tasks, since - length, since)
        agree(told.before, earlier)
        for one in told.names:
            assert one.before is not None
            agree(one.before, [task for task in earlier if task.name == one.name])
    else:
        assert begins > since - length


def test_a_series_has_every_task_of_its_steps(everything: Everything) -> None:
    history, tasks = everything
    for length, most in ((1_800.0, 30), (6 * 3600.0, 300), (86_400.0, 900), (190_000.0, 7_200)):
        told = insight.overview(history, since=NOW - length, until=NOW, now=NOW)
        step, points = told.series
        assert 10 <= step <= most
        assert len(points) <= 121
        for point in points:
            mine = within(tasks, point.at, point.at + step)
            assert (point.tasks, point.failed) == (
                len(mine), sum(task.state == "FAILURE" for task in mine)
            )  # fmt: skip
            ran = [one for task in mine if (one := has_ran(task)) is not None]
            assert near(point.run_p95, ran, 0.95)
        assert points[0].at <= NOW - length < points[0].at + step
        assert points[-1].at <= NOW < points[-1].at + 2 * step
        for name in told.names:
            assert sum(name.bars.tasks) >= name.now.tasks
            assert sum(name.bars.failed) >= name.now.failed


def test_one_name_is_what_it_is_among_all(everything: Everything) -> None:
    history, tasks = everything
    told = insight.name(history, lives.NAMES[2], since=NOW - 90_000, until=NOW, now=NOW)
    assert told is not None
    mine = [task for task in tasks if task.name == lives.NAMES[2]]
    agree(told.now, within(mine, NOW - 90_000, NOW))
    assert told.before is not None
    agree(told.before, within(mine, NOW - 180_000, NOW - 90_000))
    assert sum(point.tasks for point in told.series.points) >= told.now.tasks
    assert insight.name(history, "nobody.ever", since=0, until=NOW, now=NOW) is None


@pytest.mark.parametrize("sort", insight.NAME_SORTS)
def test_names_are_sorted_and_cut(everything: Everything, sort: insight.NameSort) -> None:
    history, _ = everything
    told = insight.overview(
        history, since=NOW - 200_000, until=NOW, now=NOW, sort=sort, limit=3, text="TASK_"
    )
    assert len(told.names) == 3
    assert told.names_total == len(lives.NAMES)
    values = {
        "tasks": lambda one: -one.now.tasks,
        "failed": lambda one: -one.now.failed / one.now.tasks,
        "failures": lambda one: -one.now.failed,
        "retried": lambda one: -one.now.retried / one.now.tasks,
        "run": lambda one: -one.now.run_p95,
        "wait": lambda one: -one.now.wait_p95,
        "took": lambda one: -one.now.took,
        "name": lambda one: one.name,
    }
    found = [values[sort](one) for one in told.names]
    assert found == sorted(found)


def test_without_all_its_tasks_an_edge_is_rounded_and_it_says_so(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    start = lives.START // 900 * 900
    events = [
        Event("task-succeeded", "a@b", start + at, uuid=f"task-{at}", runtime=1.0)
        for at in range(0, 2_700, 10)
    ]
    write(history, events)
    asked: dict[str, Any] = {"now": start + 9_000, "until": start + 2_000}
    exact = insight.overview(history, since=start + 600, **asked)
    assert exact.exactness.exact
    assert exact.total.tasks == 140
    with history.writing() as db:
        db.execute("DELETE FROM task WHERE at = ?", (int(start + 10) * 1_000_000,))
    rounded = insight.overview(history, since=start + 600, **asked)
    assert not rounded.exactness.exact
    assert rounded.total.tasks == 110  # a third of the first quarter is none of it
    assert insight.overview(history, since=start + 300, **asked).total.tasks == 200
    assert insight.overview(history, since=start + 900, **asked).exactness.exact
    history.close()


def test_nothing_kept_yet_is_told_as_that(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    told = insight.overview(history, since=NOW - 3600, until=NOW, now=NOW)
    assert told.exactness == (True, None)
    assert told.total.tasks == 0
    assert told.total.run_p95 is None
    assert told.before is None
    found = insight.exceptions(history, since=NOW - 3600, until=NOW, now=NOW)
    assert found.exceptions == []
    history.close()


# ---------------------------------------------------------------------- exceptions


def test_exceptions_are_grouped_by_their_fingerprint(everything: Everything) -> None:
    history, tasks = everything
    told = insight.exceptions(history, since=NOW - 90_000, until=NOW, now=NOW)
    assert told.since <= NOW - 90_000 < told.since + 900
    failed = [task for task in tasks if task.state == "FAILURE"]
    of = {task.uuid: fingerprint(task.exception, task.traceback) for task in failed}
    mine = within(failed, told.since, told.until)
    counts = Counter(of[task.uuid] for task in mine)
    assert told.total == len(told.exceptions)
    assert {one.fingerprint: one.failed for one in told.exceptions if one.failed} == counts
    earlier = Counter(
        of[task.uuid]
        for task in within(failed, 2 * told.since - told.until, told.since)
    )  # fmt: skip
    for one in told.exceptions:
        theirs = [task for task in mine if of[task.uuid] == one.fingerprint]
        newest = sorted(theirs, key=lambda task: -task.state_at)[:5]
        assert len(one.examples) == len(newest)
        assert set(one.examples) <= {task.uuid for task in theirs}
        assert sum(one.bars) == one.failed + one.retried
        names = Counter(task.name for task in theirs)
        assert {name for name, _ in one.names} >= set(names)
        assert one.before is not None
        assert one.before >= earlier[one.fingerprint]
        everyone = [task.state_at for task in failed if of[task.uuid] == one.fingerprint]
        if one.type == "ValueError" and everyone:
            assert one.first is not None
            assert one.last is not None
            assert one.first <= min(everyone)
            assert one.last >= max(everyone)
    all_ = [one.failed + one.retried for one in told.exceptions]
    assert all_ == sorted(all_, reverse=True)
    one = told.exceptions[0]
    assert (one.type, one.file) in {("ValueError", "shop/tasks.py"), ("ValueError", "shop/mail.py")}
    some = insight.exceptions(
        history, since=NOW - 90_000, until=NOW, now=NOW, name=lives.NAMES[1], limit=2
    )
    assert len(some.exceptions) <= 2
    assert all(one.names == [(lives.NAMES[1], one.failed + one.retried)] for one in some.exceptions)


def test_the_examples_are_the_tasks_that_the_fingerprint_finds(everything: Everything) -> None:
    history, _ = everything
    told = insight.exceptions(history, since=NOW - 90_000, until=NOW, now=NOW)
    one = next(one for one in told.exceptions if one.examples)
    page = history.search(parse(f"fingerprint:{one.fingerprint} state:failure"), now=NOW, limit=500)
    assert set(one.examples) <= {task.uuid for task in page.tasks}


# ---------------------------------------------------------------------- calendar


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
def test_a_calendar_is_of_local_hours(tmp_path: Path, zone: str) -> None:
    history = lives.opened(tmp_path / "h.db")
    dice = random.Random(1)
    # The clocks went back in Germany on 25 October, in Newfoundland on 1 November.
    start = datetime(2026, 10, 20, tzinfo=UTC).timestamp()
    times = [start + dice.randrange(15 * 86_400) for _ in range(800)]
    events = [
        Event(
            dice.choice(("task-succeeded", "task-failed")), "a@b", at, uuid=f"task-{number}",
            exception="KeyError('x')", runtime=1.0,
        )
        for number, at in enumerate(times)
    ]  # fmt: skip
    write(history, events)
    told = insight.calendar(
        history, since=start, until=start + 20 * 86_400, now=NOW, zone=ZoneInfo(zone)
    )
    counts: Counter[tuple[str, int, bool]] = Counter()
    for event in events:
        at = datetime.fromtimestamp(event.timestamp, ZoneInfo(zone))
        counts[f"{at:%Y-%m-%d}", at.hour, event.type == "task-failed"] += 1
    found: Counter[tuple[str, int, bool]] = Counter()
    for day in told.days:
        for hour in range(24):
            found[day.date, hour, True] = day.failed[hour]
            found[day.date, hour, False] = day.tasks[hour] - day.failed[hour]
    assert +found == counts
    assert [day.date for day in told.days] == sorted(day.date for day in told.days)
    history.close()


# ---------------------------------------------------------------------- limited people


@pytest.mark.parametrize(
    "scope",
    [
        Scope(tasks=("*task_01", "*task_02")),
        Scope(queues=("q1",)),
        Scope(queues=("q1", "q2"), tasks=("*task_01", "*task_02")),
        Scope(tasks=("nobody.*",)),
    ],
)
def test_limited_people_see_their_own_figures(everything: Everything, scope: Scope) -> None:
    history, tasks = everything
    window: dict[str, Any] = {"since": NOW - 90_000, "until": NOW, "now": NOW}
    theirs = [task for task in tasks if scope.has_task(task.name, task.queue)]
    mine = within(theirs, NOW - 90_000, NOW + 900)
    told = insight.overview(history, **window, scope=scope)
    agree(told.total, mine)
    assert {one.name for one in told.names} == {task.name for task in mine}
    for one in told.names:
        agree(one.now, [task for task in mine if task.name == one.name])
    assert told.before is not None
    agree(told.before, within(theirs, NOW - 180_000, NOW - 90_000))
    assert all(
        point.tasks == len(within(theirs, point.at, point.at + told.series.step_seconds))
        for point in told.series.points
    )
    found = insight.exceptions(history, **window, scope=scope)
    ids = {task.uuid for task in theirs}
    failed = [task for task in within(theirs, found.since, found.until) if task.state == "FAILURE"]
    assert sum(one.failed for one in found.exceptions) == len(failed)
    for one_ in found.exceptions:
        assert set(one_.examples) <= ids
        assert {name for name, _ in one_.names} <= {
            task.name for task in tasks if scope.has_name(task.name)
        }
        if scope.queues:
            assert one_.first is None
    days = insight.calendar(history, **window, zone=UTC, scope=scope).days
    assert sum(sum(day.tasks) for day in days) == len(within(theirs, found.since, found.until))
    others = next(name for name in lives.NAMES if not scope.has_name(name)) if scope.tasks else None
    if others is not None:
        assert insight.name(history, others, **window, scope=scope) is None
        assert insight.exceptions(history, **window, name=others, scope=scope).exceptions == []
        assert insight.calendar(history, **window, zone=UTC, name=others, scope=scope).days == []


def test_too_many_to_count_for_limited_queues_is_said(
    everything: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insight, "_MOST_BESIDE", 100)
    with pytest.raises(NotPossible, match="too many tasks"):
        insight.overview(
            everything.history, since=NOW - 90_000, until=NOW, now=NOW, scope=Scope(queues=("q1",))
        )


def test_figures_outlive_their_tasks(tmp_path: Path) -> None:
    history = lives.opened(tmp_path / "h.db")
    events = [
        Event("task-failed", "a@b", lives.START + at, uuid=f"task-{at}", exception="KeyError()",
              traceback=traceback(at))
        for at in range(50)
    ]  # fmt: skip
    write(history, events)
    with history.writing() as db:
        db.execute("DELETE FROM task")
        db.execute("DELETE FROM failure")
    window: dict[str, Any] = {"since": lives.START - 900, "until": lives.START + 900, "now": NOW}
    assert insight.overview(history, **window).total.failed == 50
    found = insight.exceptions(history, **window)
    assert [(one.failed, one.examples) for one in found.exceptions] == [
        (17, []),
        (17, []),
        (16, []),
    ]
    history.close()


def test_postgresql_tells_the_same(database: str, tmp_path: Path) -> None:
    events = spread(9, 200)
    told = []
    for place in (tmp_path / "h.db", database):
        history = lives.opened(place)
        write(history, events, 500)
        for scope in (None, Scope(tasks=("*task_01",)), Scope(queues=("q1",))):
            window: dict[str, Any] = {"since": NOW - 90_000, "until": NOW, "now": NOW}
            told.append(
                (
                    insight.overview(history, **window, scope=scope),
                    insight.name(history, lives.NAMES[1], **window, scope=scope),
                    {
                        (one.fingerprint, one.failed, one.retried, one.first, *one.bars)
                        for one in insight.exceptions(history, **window, scope=scope).exceptions
                    },
                    insight.calendar(history, **window, zone=UTC, scope=scope),
                )
            )
        history.close()
    assert told[:3] == told[3:]
