"""Pages in every order, in both directions, in little time, and for those who see not all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from celeryscope.cluster import select
from celeryscope.history import blocks, finding
from celeryscope.history.finding import SORTS, Cursor, Page, Sort
from celeryscope.history.rows import id_key
from celeryscope.history.store import History
from celeryscope.model.actor import Scope
from celeryscope.model.query import Query, parse
from celeryscope.model.task import Task
from tests.unit.history import lives
from tests.unit.history import test_search as searching

TASKS = 1_500
TIME = 600.0
NOW = lives.START + 500

Everything = tuple[History, list[Task]]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    path = tmp_path_factory.mktemp("history") / "history.db"
    with searching.in_small_blocks(path, 2, TASKS) as filled:
        yield filled


def by_time(task: Task) -> tuple[Any, ...]:
    return (round(task.state_at * 1_000_000), id_key(task.uuid))


def ranked(rank: Callable[[Task], float | None]) -> Callable[[Task], tuple[Any, ...]]:
    def key(task: Task) -> tuple[Any, ...]:
        value = rank(task)
        return (-1 if value is None else value, *by_time(task))

    return key


KEYS: dict[Sort, Callable[[Task], tuple[Any, ...]]] = {
    "newest": by_time,
    "oldest": by_time,
    "longest": ranked(lambda task: task.ran),
    "waited": ranked(lambda task: task.wait),
    "retried": ranked(lambda task: task.retries),
}


def ids(tasks: list[Task]) -> list[str]:
    return [task.uuid for task in tasks]


def ordered(tasks: list[Task], query: str, sort: Sort) -> list[str]:
    """Give the ids that a query finds, in an order, the slow way."""
    found = filter(select.compile(parse(query), NOW), tasks)
    return ids(sorted(found, key=KEYS[sort], reverse=sort != "oldest"))


def pages(history: History, query: str, sort: Sort, limit: int, **asked: Any) -> Iterator[Page]:
    after: Cursor | None = None
    while True:
        page = history.search(
            parse(query), now=NOW, sort=sort, after=after, limit=limit, **asked
        )  # fmt: skip
        yield page
        if not page.more or page.after is None:
            return
        after = page.after


@pytest.mark.parametrize(
    "query",
    ["", "state:failure", "name:task_02 -worker:web1", "retries:>0", "zz9q", "runtime:>40s"],
)
@pytest.mark.parametrize("sort", SORTS)
def test_every_order_is_that_of_all_tasks_sorted(
    everything: Everything, sort: Sort, query: str
) -> None:
    history, tasks = everything
    wanted = ordered(tasks, query, sort)
    read = list(pages(history, query, sort, 170, most_seconds=TIME))
    assert [uuid for page in read for uuid in ids(page.tasks)] == wanted
    assert all(page.whole for page in read)
    assert [page.more for page in read] == [True] * (len(read) - 1) + [False]


@pytest.mark.parametrize("sort", SORTS)
def test_it_goes_back_as_it_came(everything: Everything, sort: Sort) -> None:
    history, tasks = everything
    wanted = ordered(tasks, "", sort)
    there = list(pages(history, "", sort, 300, most_seconds=TIME))
    before = there[-1].before
    back: list[str] = []
    while before is not None:
        page = history.search(
            parse(""), now=NOW, sort=sort, before=before, limit=300, most_seconds=TIME
        )
        back = ids(page.tasks) + back
        before = page.before if page.more else None
    assert back + ids(there[-1].tasks) == wanted


def test_the_longest_runs_are_found_in_a_few_blocks(
    everything: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, tasks = everything
    looked: list[int] = []
    look = finding._Search._look

    def counted(self: Any, block: blocks.Block) -> None:
        looked.append(block.id)
        look(self, block)

    monkeypatch.setattr(finding._Search, "_look", counted)
    page = history.search(parse(""), now=NOW, sort="longest", limit=3, most_seconds=TIME)
    assert ids(page.tasks) == ordered(tasks, "", "longest")[:3]
    assert len(looked) < 20  # of more than 150


@pytest.mark.parametrize("sort", ["newest", "oldest"])
@pytest.mark.parametrize("query", ["state:failure", "zz9q", "runtime:>45s"])
def test_with_little_time_for_each_page_all_is_found_in_the_end(
    everything: Everything, sort: Sort, query: str
) -> None:
    history, tasks = everything
    read = list(pages(history, query, sort, 50, most_seconds=0.0))
    assert [uuid for page in read for uuid in ids(page.tasks)] == ordered(tasks, query, sort)
    if query == "state:failure":
        assert not read[0].whole
        assert len(read) > 5


def test_where_a_search_by_rank_would_not_get_on_it_says_so(everything: Everything) -> None:
    history, tasks = everything
    wanted = ordered(tasks, "state:failure", "longest")
    read = list(pages(history, "state:failure", "longest", 50, most_seconds=0.0))
    found = [uuid for page in read for uuid in ids(page.tasks)]
    assert found == wanted[: len(found)]
    assert (read[-1].after, read[-1].more, read[-1].whole) == (None, True, False)


# ---------------------------------------------------------------------- fingerprints


def test_failures_are_found_by_their_fingerprint_as_in_memory(everything: Everything) -> None:
    history, tasks = everything
    failures = ordered(tasks, "fingerprint:*", "newest")
    assert set(failures) <= set(ordered(tasks, "state:failure", "newest"))
    assert failures
    for query in ("fingerprint:*", "-fingerprint:*", "fingerprint:000000000000"):
        page = history.search(parse(query), now=NOW, limit=5_000, most_seconds=TIME)
        assert ids(page.tasks) == ordered(tasks, query, "newest"), query


# ---------------------------------------------------------------------- who sees not all

SCOPES = [
    Scope(tasks=("shop.module1.*",)),
    Scope(queues=("q0", "q1")),
    Scope(tasks=("*_00", "*_03"), queues=("q0",)),
    Scope(tasks=("nothing",)),
    Scope(queues=("q*",), within=Scope(tasks=("*_04",))),
]
QUERIES = [
    "", "state:failure", "-state:success", "name:task_03", "-name:task_03", "queue:q1 timeout",
    "worker:web1 runtime:>5s", "parent:*", "-parent:*", "root:root-*", "root:*",
    "(name:task_00 OR worker:web1) -retries:>0",
]  # fmt: skip


def seen_by(scope: Scope, tasks: list[Task]) -> list[Task]:
    """Give what somebody sees of tasks, the slow way."""
    theirs = {task.uuid for task in tasks if scope.has_task(task.name, task.queue)}
    shown = []
    for task in tasks:
        if task.uuid in theirs:
            root = task.root_id if task.root_id in (task.uuid, *theirs) else None
            parent = task.parent_id if task.parent_id in theirs else None
            shown.append(structs.replace(task, root_id=root, parent_id=parent))
    return shown


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_it_is_as_if_there_were_no_tasks_but_theirs(everything: Everything, scope: Scope) -> None:
    history, tasks = everything
    theirs = seen_by(scope, tasks)
    for query in QUERIES:
        asked = parse(query)
        page = history.search(asked, now=NOW, limit=5_000, most_seconds=TIME, scope=scope)
        assert ids(page.tasks) == ordered(theirs, query, "newest"), query
        count = history.count(asked, now=NOW, most_seconds=TIME, scope=scope)
        assert count == (len(page.tasks), True), query
        facets = history.facets(asked, now=NOW, most_seconds=TIME, scope=scope)
        assert facets.values == select.look(theirs, asked, NOW).facets, query


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=searching.QUERIES, scope=st.none() | st.sampled_from(SCOPES), sort=st.sampled_from(SORTS)
)
def test_any_query_finds_what_it_finds_in_memory_in_any_order_for_anybody(
    everything: Everything, query: Query, scope: Scope | None, sort: Sort
) -> None:
    history, tasks = everything
    theirs = tasks if scope is None else seen_by(scope, tasks)
    found = sorted(filter(select.compile(query, NOW), theirs), key=KEYS[sort])
    wanted = ids(found if sort == "oldest" else found[::-1])
    asked: dict[str, Any] = {"now": NOW, "sort": sort, "limit": 30, "scope": scope}
    page = history.search(query, **asked, most_seconds=TIME)
    assert ids(page.tasks) == wanted[:30]
    assert page.more == (len(wanted) > 30)
    if page.more:
        second = history.search(query, **asked, after=page.after, most_seconds=TIME)
        assert ids(second.tasks) == wanted[30:60]


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_a_task_is_there_if_it_is_theirs_without_ids_of_others(
    everything: Everything, scope: Scope
) -> None:
    history, tasks = everything
    theirs = {task.uuid: task for task in seen_by(scope, tasks)}
    for task in tasks[::7]:
        found = history.task(task.uuid, scope=scope)
        wanted = theirs.get(task.uuid)
        assert (found is None) == (wanted is None)
        assert bool(history.attempts(task.uuid, scope=scope)) <= (wanted is not None)
        if found is not None and wanted is not None:
            assert (found.root_id, found.parent_id) == (wanted.root_id, wanted.parent_id)


def test_names_are_those_of_their_tasks(everything: Everything) -> None:
    history, tasks = everything
    for scope in SCOPES:
        names = {task.name for task in seen_by(scope, tasks) if task.name is not None}
        assert set(history.names(scope=scope)) == names
    assert history.names(scope=Scope(queues=("none",))) == []


def test_the_extent_is_that_of_all_tasks(everything: Everything) -> None:
    history, tasks = everything
    extent = history.extent()
    assert extent.tasks == len(tasks)
    assert extent.oldest == min(task.state_at for task in tasks)
    assert extent.newest == max(task.state_at for task in tasks)
