"""Task lists that pages follow."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from celeryscope.cluster.state import MOST_RECENT, ClusterState
from celeryscope.errors import BadQuery
from celeryscope.model.event import Event
from celeryscope.web.api.console import LiveTasks
from celeryscope.web.views import MOST_CHARS, MOST_ROWS, View
from tests.unit.web.standins import NOW, life


class Followed:
    """A view, the tasks that it looks at, and a page that folds what it is told."""

    def __init__(self, query: str, **limits: Any) -> None:
        self.state = ClusterState(**limits)
        self.view = View(1, query, seen=0)
        self.tick = 0
        self.told_tick = 0
        self.now = NOW
        self.rows: list[str] = []  # ids, as a page has them
        self.parts: list[LiveTasks] = []

    def feed(self, *lives: list[Event]) -> None:
        with self.state.lock:
            for events in lives:
                self.state.apply(events, self.now)

    def look(self, *, seconds: float = 0.25) -> LiveTasks | None:
        """Let some time pass, look, and tell the page."""
        self.tick += 1
        self.now += seconds
        recent = self.state.recent_changes(self.view.seen)
        self.view.take(
            self.tick,
            recent,
            seen=self.state.task_changes,
            memory=self.state.tasks,
            now=self.now,
            loop_now=self.now,
        )
        return self.tell()

    def count(self) -> None:
        self.tick += 1
        self.view.begin_count(loop_now=self.now)
        counted = self.view.count(list(self.state.tasks.values()), self.now)
        self.view.put(self.tick, counted, loop_now=self.now)

    def tell(self) -> LiveTasks | None:
        part = self.view.part(self.told_tick)
        if part is None:
            return None
        told = msgspec.json.decode(msgspec.json.encode(part), type=LiveTasks)
        self.parts.append(told)
        new = [row.uuid for row in told.rows]
        assert len(set(new)) == len(new), "a task is told once in a frame"
        without = {*new, *told.gone}
        older = [] if not self.told_tick else [u for u in self.rows if u not in without]
        self.rows = [*new, *older][:MOST_ROWS]
        self.told_tick = self.tick
        return told


def tasks(first: int, last: int, **options: Any) -> list[list[Event]]:
    return [life(str(n), n / 1000, **options) for n in range(first, last)]


def newest(first: int, last: int) -> list[str]:
    """The ids of the last tasks before `last`, as the list has to show them."""
    return [str(n) for n in range(last - 1, max(first, last - MOST_ROWS) - 1, -1)]


def test_a_few_tasks_are_all_told() -> None:
    page = Followed("")
    page.look()
    for n in range(0, 50, 5):
        page.feed(*tasks(n, n + 5))
        part = page.look()
        assert part is not None
        assert [row.uuid for row in part.rows] == newest(n, n + 5)
        assert part.changed == 20
    assert page.rows == newest(0, 50)


def test_of_a_flood_forty_a_second_are_told_and_all_are_counted() -> None:
    page = Followed("")
    page.look()
    for n in range(40):  # ten seconds
        page.feed(*tasks(n * 50, n * 50 + 50))
        page.look()
    rows = sum(len(part.rows) for part in page.parts)
    assert 10 * MOST_ROWS <= rows <= 12 * MOST_ROWS
    assert sum(part.changed for part in page.parts) == 40 * 50 * 4


def test_changes_of_tasks_that_are_out_of_the_memory_already_are_counted() -> None:
    page = Followed("", max_tasks=10)
    page.look()
    page.feed(*tasks(0, 100))
    part = page.look()
    assert part is not None
    assert (part.changed, part.in_memory) == (400, 10)


def test_a_task_that_goes_out_of_the_memory_goes_out_of_the_list() -> None:
    page = Followed("", max_tasks=10)
    page.look()
    page.feed(*tasks(0, 10))
    page.look()
    page.feed(*tasks(10, 15))
    page.look()
    assert page.rows == newest(5, 15)


def test_after_a_flood_the_list_is_as_if_all_had_been_told() -> None:
    page = Followed("")
    page.look()
    for n in range(8):
        page.feed(*tasks(n * 100, n * 100 + 100))
        page.look()
    assert page.rows != newest(0, 800)
    for _ in range(5):
        page.look()
    assert page.rows == newest(0, 800)
    told = len(page.parts)
    page.look()
    assert len(page.parts) == told, "and then there is nothing to tell"


@pytest.mark.parametrize("query", ["state:failure", "name:shop.rare", 'exception:"no"'])
def test_a_rare_match_in_a_flood_is_not_missed(query: str) -> None:
    page = Followed(query)
    page.look()
    page.count()
    for n in range(20):
        page.feed(*tasks(n * 100, n * 100 + 50))
        page.feed(life(f"rare{n}", n, state="FAILURE", name="shop.rare"))
        page.feed(*tasks(n * 100 + 50, n * 100 + 100))
        page.look()
    assert page.rows == [f"rare{n}" for n in range(19, -1, -1)]


def test_a_view_with_a_filter_is_told_once_it_was_counted() -> None:
    page = Followed("state:failure")
    page.feed(*tasks(0, 100), *tasks(100, 110, state="FAILURE"))
    assert page.look() is None, "the rows in memory are not known yet"
    page.count()
    part = page.tell()
    assert part is not None
    assert (part.total, part.in_memory, part.changed) == (10, 110, 0)
    assert page.rows == newest(100, 110)
    assert isinstance(part.facets, msgspec.Struct)
    assert [(f.value, f.count) for f in part.facets.state] == [("SUCCESS", 100), ("FAILURE", 10)]


def test_what_changed_while_it_was_counted_is_not_lost() -> None:
    page = Followed("state:failure")
    page.feed(*tasks(0, 5, state="FAILURE"))
    page.look()
    page.view.begin_count(loop_now=page.now)
    counted = page.view.count(list(page.state.tasks.values()), page.now)
    page.feed(life("late", 1, state="FAILURE"))
    page.look()
    page.view.put(page.tick, counted, loop_now=page.now)
    page.look()
    assert page.rows == ["late", *newest(0, 5)]


def test_a_task_that_no_longer_matches_goes() -> None:
    page = Followed("state:started")
    page.look()
    page.count()
    page.feed(life("a", state="STARTED")[:3], life("b", 1)[:3])
    page.look()
    assert set(page.rows) == {"a", "b"}
    page.feed(life("b", 1)[3:])
    part = page.look()
    assert part is not None
    assert (part.gone, page.rows) == (["b"], ["a"])


def test_a_time_filter_moves_on_with_the_clock() -> None:
    page = Followed("since:1m")
    page.feed(life("a"))
    page.look()
    page.count()
    page.look()
    assert page.rows == ["a"]
    part = page.look(seconds=120)
    assert part is not None
    assert part.gone == ["a"]
    page.count()
    part = page.tell()
    assert part is not None
    assert part.total == 0


def test_changes_that_were_missed_are_found_by_the_next_count() -> None:
    page = Followed("name:shop.rare")
    page.look()
    page.count()
    page.look()
    page.feed(life("rare", name="shop.rare"))
    page.feed(*tasks(0, MOST_RECENT // 4 + 10))
    recent = page.state.recent_changes(page.view.seen)
    assert "rare" not in {task.uuid for task, _ in recent}
    page.view.behind = True  # as the hub finds out
    page.look()
    assert page.rows == []
    page.count()
    page.look()
    assert page.rows == ["rare"]


def test_the_total_comes_when_it_was_counted_anew() -> None:
    page = Followed("state:success")
    page.look()
    page.count()
    page.feed(life("a"))
    part = page.look()
    assert part is not None
    assert part.total == 0
    page.feed(life("b", 1))
    part = page.look()
    assert part is not None
    assert part.total is msgspec.UNSET
    page.count()
    part = page.tell()
    assert part is not None
    assert part.total == 2


def test_long_texts_are_cut_and_large_rows_count_for_several() -> None:
    page = Followed("")
    page.look()
    page.feed(life("a", args="x" * 4000))
    part = page.look()
    assert part is not None
    assert part.rows[0].args == "x" * MOST_CHARS + "…"
    sizes = []
    for n in range(40):
        page.feed(*tasks(n * 100, n * 100 + 100, name="n" * 10_000))
        part = page.look()
        sizes.append(len(msgspec.json.encode(part)))
    assert sum(sizes) < 10 * MOST_ROWS * 2_500


def test_a_page_that_lags_is_told_the_difference_to_what_it_has() -> None:
    page, late = Followed(""), Followed("")
    late.view, late.state = page.view, page.state
    page.look()
    late.tick = page.tick
    late.tell()
    for n in range(0, 30, 3):
        page.feed(*tasks(n, n + 3))
        page.look()
    late.tick = page.tick
    late.tell()
    assert late.rows == page.rows
    assert late.parts[-1].changed == sum(part.changed for part in page.parts)


def test_one_that_was_away_too_long_cannot_go_on() -> None:
    page = Followed("")
    page.look()
    assert page.view.remembers(1)
    for _ in range(1000):
        page.look()
    assert not page.view.remembers(1)
    assert page.view.remembers(990)


def test_a_bad_query_has_no_view() -> None:
    with pytest.raises(BadQuery):
        View(1, "colour:red", seen=0)
