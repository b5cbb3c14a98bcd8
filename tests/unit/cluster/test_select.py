"""Queries on the tasks in memory."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.cluster import select
from celeryscope.errors import BadQuery
from celeryscope.model.query import And, Match, Not, Query, all_of, negate, parse
from celeryscope.model.task import Task

NOW = 1_795_000_000.0  # 2026-11-18T11:06:40Z
TASK = Task(
    uuid="6A720EB0-b111-4c9e",
    first_seen=NOW - 100,
    name="shop.orders.Pay",
    state="SUCCESS",
    state_at=NOW - 60,
    worker="celery@web1",
    client="gen7@app1",
    queue="high",
    started=NOW - 62,
    args="('green tea', 2, 'a*b')",
    kwargs="{'sku': 'B-7', 'count': 3, 'gift': None, 'who': <User 5>, 'ids': [1, 2], "
    "'note': \"it's, so\", 'box': {'size': 'L'}, 'total': Decimal('1.50'), 'path': 'a\\\\b'}",
    result="'paid (twice)'",
    runtime=2.0,
    wait=0.25,
    retries=1,
    root_id="root-1",
    parent_id="parent-1",
)
FAILED = Task(
    uuid="b",
    first_seen=NOW,
    state="FAILURE",
    state_at=NOW,
    exception="Timeout('card declined')",
    traceback='File "shop/orders.py", line 3, in pay',
)
NEW = Task(uuid="c", first_seen=NOW)


def matches(text: str, task: Task = TASK, now: float = NOW) -> bool:
    return select.compile(parse(text), now)(task)


@pytest.mark.parametrize(
    "text",
    [
        "", "orders", "SHOP.orders", "6a720eb0", "green", '"green tea"', "paid", '"paid (twice)"',
        "b-7", "state:success", "state:SUCCESS", "state:succeeded,failed", "state:succ*",
        "-state:failure", "state:finished", "name:pay", "name:orders.pay", "name:shop.orders.pay",
        "name:shop.*", "name:*pay", "name:*.o*s.*", "name:x,pay", "worker:celery@web1",
        "worker:celery", "worker:WEB1", "worker:web*", "worker:*1", "queue:high", "queue:HI*",
        "queue:*", "client:gen7@app1", "uuid:6a720eb0-b111-4c9e", "uuid:6a720eb0", "uuid:6a7*",
        "root:root-1", "parent:parent-1", "args:green", 'args:"a*b"', "args:*tea*", "result:twice",
        "-exception:*", "runtime:>1s", "runtime:>=2s", "runtime:<=2s", "runtime:1s..2s",
        "-runtime:>2s", "-runtime:<2s", "wait:<1s", "wait:>200ms", "retries:1", "retries:>0",
        "retries:0..1", "-retries:>1", "since:1m", "since:60s", "until:59s", "-since:59s",
        "-until:60s", "since:2026-11-18", "until:2026-11-19", "since:2026-11-18T11:05",
        "kwargs:sku", "kwargs:sku=b-7", "kwargs:sku=B-7", "kwargs:sku=a,b-7", "kwargs:sku=b*",
        "kwargs:sku=*", "kwargs:count=3", "kwargs:gift=none", 'kwargs:who="<User 5>"',
        'kwargs:ids="[1, 2]"', 'kwargs:note="it\'s, so"', "kwargs:size=L", "kwargs:box=*",
        'kwargs:total="Decimal(\'1.50\')"', r'kwargs:path="a\b"',
        "orders green", "nowhere OR green", "(nowhere OR shop) green", "-nowhere",
        "-(nowhere shop)", "a b c d e g", "x OR y OR z OR green",
    ],
)  # fmt: skip
def test_it_finds(text: str) -> None:
    assert matches(text)
    assert not select.compile(negate(parse(text)), NOW)(TASK)


@pytest.mark.parametrize(
    "text",
    [
        "nowhere", "orders nowhere", "state:succ", "name:ay", "name:shop", "name:shop.pay",
        "name:s*y*s", "name:*pa", "worker:web", "worker:elery", "queue:hig", "uuid:6a720eb",
        "uuid:720eb0-b111", "root:root", "parent:*2", "args:red",
        "args:green*", "exception:timeout", "runtime:>2s", "runtime:<2s", "runtime:3s..4s",
        "wait:>250ms", "wait:<250ms", "retries:2", "retries:0", "since:59s", "until:60s",
        "since:2026-11-19", "until:2026-11-18", "kwargs:sku=b", "kwargs:ku=b-7", "kwargs:sku=3",
        "kwargs:note=it", "kwargs:nothing=*", "kwargs:green", "shop (nowhere OR nothing)",
        "-shop", "zz OR yy OR xx",
    ],
)  # fmt: skip
def test_it_does_not_find(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize("text", ["declined", "line", "exception:timeout", "exception:TimeOut*",
                                  "exception:*Declined*", "orders.py", "state:failed"])  # fmt: skip
def test_it_finds_a_failure_by_what_it_told(text: str) -> None:
    assert matches(text, FAILED)


@pytest.mark.parametrize(
    "text", ["queue:*", "name:x", "worker:x", "args:x", "kwargs:a=b", "runtime:>=0", "wait:<1h",
             "root:x", "parent:*", "shop", "since:1h"],
)  # fmt: skip
def test_what_is_not_known_does_not_match_and_its_negation_does(text: str) -> None:
    assert not matches(text, NEW)
    assert not matches(text, Task(uuid="c", first_seen=NOW, parent_id="c")), "of a retry"
    assert matches("-" + text, NEW)


def test_a_running_task_has_run_until_now() -> None:
    running = Task(uuid="r", first_seen=NOW, state="STARTED", started=NOW - 10)
    assert matches("runtime:>9s", running)
    assert not matches("runtime:>9s", running, now=NOW - 5)


@pytest.mark.parametrize("state", ["FAILURE", "RETRY", "REVOKED"])
def test_a_run_that_did_not_succeed_took_from_its_start_to_its_end(state: str) -> None:
    ended = Task(uuid="e", first_seen=NOW, state=state, started=NOW - 10, state_at=NOW - 4)
    assert matches("runtime:6s..6.1s", ended)
    ended.started = None
    assert not matches("runtime:>=0", ended), "it was stopped before it began"


@pytest.mark.parametrize(
    "kwargs", ["", "{", "{'sku': ", "{'sku'", "{'sku': 'B-7", "[" * 500, "'sku': " * 500, "\x00",
               "{'sku': '" + "\\" * 999, "{'sku': [[[[", '{"sku": "'],
)  # fmt: skip
def test_keyword_arguments_may_be_anything(kwargs: str) -> None:
    matches("kwargs:sku=x", Task(uuid="a", first_seen=NOW, kwargs=kwargs))


def test_keyword_arguments_in_the_manner_of_json_are_read_too() -> None:
    task = Task(uuid="a", first_seen=NOW, kwargs='{"sku":"B-7","count":3}')
    assert matches("kwargs:sku=b-7 kwargs:count=3", task)


@given(st.text(alphabet="ab*", max_size=12), st.text(alphabet="ab", max_size=12))
def test_wildcards_agree_with_the_slow_way(pattern: str, text: str) -> None:
    def slow(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(slow(pattern[1:], text[i:]) for i in range(len(text) + 1))
        return text[:1] == pattern[0] and slow(pattern[1:], text[1:])

    if "*" in pattern:
        task = Task(uuid="a", first_seen=NOW, queue=text)
        assert matches(f"queue:{pattern}", task) == slow(pattern, text)


# ---------------------------------------------------------------------- counting

values = st.sampled_from(["A", "B", "C"])
tasks = st.lists(
    st.builds(
        Task,
        uuid=st.sampled_from(["x", "y"]),
        first_seen=st.just(NOW),
        state=values,
        name=st.none() | values,
        worker=values,
        queue=st.none() | values,
    ),
    max_size=30,
)
PARTS = ["state:a", "-state:b", "state:a,c", "name:a", "-name:*", "worker:b", "queue:*", "x", "-y",
         "(state:a OR name:b)", "(queue:a OR queue:b)", "-(queue:a worker:b)", "uuid:y"]  # fmt: skip
queries = st.lists(st.sampled_from(PARTS), max_size=5).map(" ".join)


def asks_for(field: str, term: Query) -> bool:
    keys = {leaf.key for leaf in leaves(term) if isinstance(leaf, Match)}
    return keys == {field} and all(isinstance(leaf, Match) for leaf in leaves(term))


def leaves(term: Query) -> list[Query]:
    if isinstance(term, Not):
        return leaves(term.term)
    inner: tuple[Query, ...] = getattr(term, "terms", ())
    return [leaf for part in inner for leaf in leaves(part)] or [term]


def slow_counts(known: list[Task], query: Query, field: str) -> dict[str, int]:
    terms = query.terms if isinstance(query, And) else (query,)
    free = all_of(term for term in terms if not asks_for(field, term))
    test = select.compile(free, NOW)
    found: Counter[Any] = Counter(getattr(task, field) for task in known if test(task))
    return {value: count for value, count in found.items() if value is not None}


@given(tasks, queries)
def test_a_fields_counts_leave_out_what_is_asked_of_it(known: list[Task], text: str) -> None:
    query = parse(text)
    test = select.compile(query, NOW)
    found = select.find(known, query, NOW)
    assert found.tasks == [task for task in known if test(task)]
    for field in select.FACETS:
        assert dict(found.facets[field]) == slow_counts(known, query, field)
    assert select.look(known, query, NOW) == (len(found.tasks), found.facets)


def test_the_largest_values_come_first_and_equal_ones_by_name() -> None:
    known = [
        Task(uuid="a", first_seen=NOW, queue=queue)
        for queue, times in [("b", 2), ("c", 3), ("a", 2), *((f"q{i:02}", 1) for i in range(50))]
        for _ in range(times)
    ]
    found = select.look(known, parse(""), NOW)
    assert found.facets["queue"][:4] == [("c", 3), ("a", 2), ("b", 2), ("q00", 1)]
    assert len(found.facets["queue"]) == select.MOST_VALUES
    assert found.facets["name"] == []


def test_more_values_than_are_remembered_are_told_apart_all_the_same() -> None:
    known = [Task(uuid=f"{i}", first_seen=NOW, name=f"n{i % 25_000}") for i in range(50_000)]
    assert select.look(known, parse("name:n7,n8"), NOW).total == 4


@given(st.text(alphabet='ab:*,"\\() =->.ORsinceargs\x00é', max_size=60))
def test_every_query_can_be_asked(text: str) -> None:
    try:
        query = parse(text)
    except BadQuery:
        return
    for task in (TASK, FAILED, NEW):
        select.compile(query, NOW)(task)
    select.look([TASK, FAILED, NEW], query, NOW)
