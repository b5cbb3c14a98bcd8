"""Queries in SQL find what the same queries find in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celeryscope.cluster import select
from celeryscope.history import blocks
from celeryscope.history.rows import id_key
from celeryscope.history.store import History
from celeryscope.model.query import (
    Ago,
    And,
    At,
    Compare,
    Keyword,
    Match,
    Not,
    Or,
    Query,
    Text,
    parse,
)
from celeryscope.model.task import Task
from tests.unit.history import lives

TASKS = 2_600
TIME = 600.0  # enough of it: what is found is tested, not how fast
NOW = lives.START + 700
CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "query_cases.json").read_text())

Everything = tuple[History, list[Task]]


@contextmanager
def in_small_blocks(path: Path, seed: int, tasks: int) -> Iterator[Everything]:
    """Fill a history whose blocks are small: a segment is sliced, another is not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "TASKS", 8)
        patch.setattr(blocks, "SLACK", 100)
        history = lives.opened(path)
        events = lives.stream(seed, tasks)
        for start in range(0, len(events), 1000):
            history.write(lives.changes(events[start : start + 1000]))
            history.flush()
        ids = dict.fromkeys(event.uuid or "" for event in events)
        known = [task for uuid in ids if (task := history.task(uuid)) is not None]
        assert len(known) == len(ids)
        yield history, known
        history.close()


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    path = tmp_path_factory.mktemp("history") / "history.db"
    with in_small_blocks(path, 1, TASKS) as (history, tasks):
        tasks.sort(key=place, reverse=True)
        yield history, tasks


def place(task: Task) -> tuple[int, bool, bytes | str]:
    key = id_key(task.uuid)
    return round(task.state_at * 1_000_000), isinstance(key, bytes), key


def ids(tasks: list[Task]) -> list[str]:
    return [task.uuid for task in tasks]


def agree(everything: Everything, query: Query, now: float = NOW) -> None:
    history, tasks = everything
    wanted = ids(select.find(tasks, query, now).tasks)
    page = history.search(query, now=now, most_seconds=TIME, limit=20)
    assert ids(page.tasks) == wanted[:20]
    assert page.whole
    assert page.more == (len(wanted) > 20)
    oldest = history.search(query, now=now, most_seconds=TIME, limit=20, sort="oldest")
    assert ids(oldest.tasks) == wanted[:-21:-1]
    assert history.count(query, now=now, most_seconds=TIME) == (len(wanted), True)
    if page.more:
        second = history.search(query, now=now, most_seconds=TIME, limit=20, after=page.after)
        assert ids(second.tasks) == wanted[20:40]
        back = history.search(query, now=now, most_seconds=TIME, limit=20, before=second.before)
        assert ids(back.tasks) == wanted[:20]


@pytest.mark.parametrize(
    "text",
    [
        "", "state:failure", "-state:success", "state:failure,revoked", "state:prog*", "state:none",
        "name:task_03", "name:shop.module1.*", "name:*task_0*", "-name:*", "worker:web1",
        "worker:celery@web2", "worker:*3", "queue:q1", "-queue:*", "client:gen1@app",
        "name:task_01 worker:web3", "name:task_01 state:failure runtime:>20s", "uuid:job-7",
        "parent:root-9", "root:root-100", "root:root-1*", "args:order-0", "args:größe",
        "result:'paid*", "exception:timeout", "exception:Timeout*", "kwargs:user=7",
        "kwargs:note=tea*", "kwargs:note=\"tea b\"", "runtime:>40s", "runtime:1s..2s",
        "name:task_02 runtime:<1s", "wait:>1s", "wait:0s..250ms", "retries:2", "retries:>0",
        "since:1m", "until:10m", "since:5m until:4m", "-since:5m", "orders.py", "line", "card",
        '"card 3"', "tea", "ea c", "0000", "größe", "GRÖSSE", "job-12", "zz9q", "nowhere",
        "(state:failure OR retries:>0) name:task_0*", "-(name:task_00 OR worker:web1)",
        "-timeout", "timeout OR paid", "order-00 -state:success", "retry.py", "q1", "4-", "a",
    ],
)  # fmt: skip
def test_it_finds_what_is_found_in_memory(everything: Everything, text: str) -> None:
    agree(everything, parse(text))


@pytest.mark.parametrize("case", [c for c in CASES["cases"] if "ast" in c], ids=lambda c: c["text"])
def test_it_understands_every_case_of_the_language(
    everything: Everything, case: dict[str, str]
) -> None:
    agree(everything, parse(case["text"]))


def test_it_finds_a_task_by_any_part_of_its_id(everything: Everything) -> None:
    for task in everything[1][::400]:
        for text in (task.uuid, task.uuid[3:], task.uuid[:13], task.uuid[6:16], task.uuid[2:6]):
            agree(everything, Text(text))
        agree(everything, Match("uuid", ((task.uuid,),)))
        agree(everything, Match("root", ((task.root_id or "",),)))


def test_counts_by_value_are_those_in_memory(everything: Everything) -> None:
    history, tasks = everything
    for text in ("", "state:failure", "name:task_01 worker:web1", "timeout state:failure"):
        query = parse(text)
        found = history.facets(query, now=NOW, most_seconds=TIME)
        assert found.whole
        assert found.values == select.look(tasks, query, NOW).facets


def test_what_takes_too_long_says_that_it_is_not_all(everything: Everything) -> None:
    history, _ = everything
    page = history.search(parse("runtime:>49s"), now=NOW, most_seconds=0.0)
    assert not page.whole
    assert page.more
    assert not history.count(parse(""), now=NOW, most=10).whole


TEXTS = st.sampled_from(
    ["task", "shop", "order-", "tea", "timeout", "paid 1", "größe", "web", "q1", "orders.py", "a",
     "job-1", "root-10", "failure", "success", "celery", "celery@web1", "", "0", "line 7", "ß"]
)  # fmt: skip
PATTERNS = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(
    ["name", "worker", "queue", "client", "uuid", "root", "parent", "args", "kwargs", "result",
     "exception"]
)  # fmt: skip
VALUES = st.lists(PATTERNS, min_size=1, max_size=2).map(tuple)
STATES = st.sampled_from(["SUCCESS", "FAILURE", "RETRY", "STARTED", "PROGRESS", "RECEIVED", "NO"])
SECONDS = st.integers(0, 240).map(lambda n: n * 0.25)
LEAVES = st.one_of(
    TEXTS.filter(bool).map(Text),
    st.builds(Match, KEYS, VALUES),
    st.lists(STATES, min_size=1, max_size=2).map(
        lambda words: Match("state", tuple((word,) for word in words))
    ),
    st.builds(Keyword, st.sampled_from(["user", "note", "no"]), VALUES),
    st.builds(
        Compare,
        st.sampled_from(["runtime", "wait", "retries"]),
        st.none() | SECONDS.map(lambda n: float(int(n) // 8)),
        st.none() | SECONDS,
        st.sampled_from(["[]", "[)", "(]", "()"]),
    ),
    st.builds(Ago, st.sampled_from(["since", "until"]), SECONDS.map(lambda n: n * 10)),
    st.builds(At, st.sampled_from(["since", "until"]), SECONDS.map(lambda n: lives.START + n * 10)),
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=1, max_size=3).map(lambda terms: Or(tuple(terms))),
        inner.map(Not),
    ),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=QUERIES)
def test_any_query_finds_what_it_finds_in_memory(everything: Everything, query: Query) -> None:
    agree(everything, query)
