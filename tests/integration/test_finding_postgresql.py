"""The orders, limits and saved searches of the history in PostgreSQL, as in a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from celeryscope.errors import Forbidden, NotFound
from celeryscope.history import blocks
from celeryscope.history.finding import SORTS, Sort
from celeryscope.model.actor import Scope
from tests.conftest import new_database
from tests.unit.history import lives
from tests.unit.history import test_finding as finding

TASKS = 400


@pytest.fixture(scope="module")
def everything(shared_postgresql: str) -> Iterator[finding.Everything]:
    with pytest.MonkeyPatch.context() as patch, new_database(shared_postgresql) as url:
        patch.setattr(blocks, "TASKS", 8)
        patch.setattr(blocks, "SLACK", 100)
        history = lives.opened(url)
        events = lives.stream(2, TASKS)
        history.write(lives.changes(events))
        history.flush()
        ids = dict.fromkeys(event.uuid or "" for event in events)
        yield history, [task for uuid in ids if (task := history.task(uuid)) is not None]
        history.close()


@pytest.mark.parametrize("query", ["", "state:failure card"])
@pytest.mark.parametrize("sort", SORTS)
def test_every_order_is_that_of_all_tasks_sorted(
    everything: finding.Everything, sort: Sort, query: str
) -> None:
    history, tasks = everything
    read = list(finding.pages(history, query, sort, 90, most_seconds=finding.TIME))
    found = [uuid for page in read for uuid in finding.ids(page.tasks)]
    assert found == finding.ordered(tasks, query, sort)


@pytest.mark.parametrize("sort", ["newest", "longest"])
def test_it_goes_back_as_it_came(everything: finding.Everything, sort: Sort) -> None:
    finding.test_it_goes_back_as_it_came(everything, sort)


def test_with_little_time_for_each_page_all_is_found_in_the_end(
    everything: finding.Everything,
) -> None:
    history, tasks = everything
    for sort in ("newest", "oldest"):
        read = list(finding.pages(history, "state:failure", sort, 50, most_seconds=0.0))
        found = [uuid for page in read for uuid in finding.ids(page.tasks)]
        assert found == finding.ordered(tasks, "state:failure", sort)


def test_failures_are_found_by_their_fingerprint(everything: finding.Everything) -> None:
    finding.test_failures_are_found_by_their_fingerprint_as_in_memory(everything)


@pytest.mark.parametrize("scope", finding.SCOPES[:3], ids=str)
def test_it_is_as_if_there_were_no_tasks_but_theirs(
    everything: finding.Everything, scope: Scope
) -> None:
    finding.test_it_is_as_if_there_were_no_tasks_but_theirs(everything, scope)


def test_searches_are_kept(everything: finding.Everything) -> None:
    searches = everything[0].searches
    one = searches.save("ann", name="a", query="x", sort="newest", shared=False, now=5.0)
    again = searches.save("ann", name="a", query="y", sort="oldest", shared=True, now=6.0)
    assert again == one._replace(query="y", sort="oldest", shared=True)
    assert searches.seen_by("bob") == [again]
    assert searches.seen_by("bob", with_shared=False) == []
    with pytest.raises(Forbidden):
        searches.remove(one.id, owner="bob")
    assert searches.remove(one.id, owner="ann") == again
    with pytest.raises(NotFound):
        searches.remove(one.id, owner="ann")
