"""The search language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.errors import BadArgument
from celeryscope.model.task import Task
from celeryscope.web.search import compile_search

TASK = Task(
    uuid="6A720EB0-b111",
    first_seen=0.0,
    name="shop.Pay",
    state="SUCCESS",
    worker="celery@web1",
    args="('green tea', 2)",
    kwargs="{'sku': 'B-7', 'count': 3, 'gift': None}",
    result="'paid (twice)'",
)


def matches(text: str, task: Task = TASK) -> bool:
    test = compile_search(text)
    assert test is not None
    return test(task)


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "SHOP.pay",
        "6a720eb0",
        "success",
        "green",
        '"green tea"',
        'args:"green tea"',
        "name:pay",
        "NAME:pay",
        "state:success",
        "worker:web1",
        "result:paid",
        "kwargs:sku",
        "kwargs:sku=b-7",
        "kwargs:count=3",
        "kwargs:gift=",
        'kwargs:" sku = B-7 "',
        "shop green",
        "shop AND green",
        "nowhere OR green",
        "nowhere green OR shop",
        "(nowhere OR shop) green",
        '"paid (twice)"',
        '"AND" OR shop',
        r"\"\"\" OR shop",
        "unknown:field OR shop",
    ],
)
def test_it_finds(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "nowhere",
        "shop AND nowhere",
        "shop nowhere",
        "shop (nowhere OR nothing)",
        "state:succ",
        "kwargs:sku=b",
        "kwargs:ku=b-7",
        "name:green",
        "unknown:pay",
        '"AND"',
        "tea,green",
    ],
)
def test_it_does_not_find(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ab", "shorter than 3"),
        ("name:ab", "shorter than 3"),
        ('"  ab  "', "shorter than 3"),
        ("name:", "lacks a value"),
        ("-shop", "'-'"),
        ("NOT shop", "NOT"),
        ("shop AND", "the end"),
        ("OR shop", "'OR'"),
        ("shop OR OR shop", "'OR'"),
        ("()", "')'"),
        ("(shop", "the end"),
        ("shop)", "')'"),
        ('"shop', "not closed"),
        ('shop"pay', "not closed"),
        ('""', "empty"),
        ("((((((shop))))))", "nest deeper than 5"),
        ("shop " * 129, "more than 128"),
        ("s" * 2049, "longer than 2048"),
    ],
)
def test_it_refuses_what_is_not_in_the_language(text: str, told: str) -> None:
    with pytest.raises(BadArgument, match="Cannot search") as caught:
        compile_search(text)
    assert told in str(caught.value)
    assert caught.value.parameter == "search"


@pytest.mark.parametrize("text", [None, "", "   "])
def test_an_empty_search_asks_for_nothing(text: str | None) -> None:
    assert compile_search(text) is None


@pytest.mark.parametrize(
    "kwargs", ["{'sku': <Sku B-7>}", "{'sku': 'B-7", "sku=b-7", "[" * 500, "{{}: 'sku'}", "'sku'",
               "{'sku': 0x" + "f" * 5000 + "}"],
)  # fmt: skip
def test_keyword_arguments_that_are_no_plain_python_match_no_pair(kwargs: str) -> None:
    assert not matches("kwargs:sku=b-7", Task(uuid="a", first_seen=0.0, kwargs=kwargs))


def test_a_task_without_texts_is_no_trouble() -> None:
    assert not matches("worker:web1 OR args:tea OR kwargs:a=b OR shop", Task("a", first_seen=0.0))


@given(st.text(alphabet='ab:"\\() =-ANDOR\x00é', max_size=60))
def test_every_text_is_understood_or_refused(text: str) -> None:
    try:
        test = compile_search(text)
    except BadArgument:
        return
    if test is not None:
        test(TASK)


def test_a_long_hostile_text_is_refused_fast() -> None:
    with pytest.raises(BadArgument):
        compile_search('\\"' * 500 + '"' + "\\" * 1000)
