"""What Redis keeps of messages that workers hold, told apart by queue."""

from __future__ import annotations

from collections import Counter

import pytest

from celeryscope.broker.redis import Route, by_queue, route_of, without_body


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (b'[{"body": "x", "properties": {}}, "", "celery"]', ("", "celery")),
        (b'"properties": {}},"shop","shop.pay"]', ("shop", "shop.pay")),
        (rb'}, "", "an odd \"name\", \u00e9"]', ("", 'an odd "name", é')),
        ('}, "", "text"]', ("", "text")),
        (b'}, "", null]', None),
        (b'}, "", "celery"] ', None),
        (rb'}, "", "\x"]', None),
        (b"celery", None),
        (b"", None),
    ],
)
def test_the_route_stands_at_the_end(end: bytes | str, expected: Route | None) -> None:
    assert route_of(end) == expected


TABLES = {"shop": [("pay", "", "payments"), ("all", "", "a"), ("all", "", "b"), ("broken",)]}


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ({}, {}),
        ({("", "celery"): 3, ("", "mail"): 1}, {"celery": 3, "mail": 1}),
        ({("shop", "pay"): 2, ("", "payments"): 1}, {"payments": 3}),
        ({("shop", "all"): 1, ("", "mail"): 1}, None),
        ({("shop", "nobody"): 1}, None),
        ({("gone", "pay"): 1}, None),
        ({None: 1, ("", "mail"): 1}, None),
    ],
)
def test_each_message_is_of_one_queue_or_nothing_is_told(
    routes: dict[Route | None, int], expected: dict[str, int] | None
) -> None:
    assert by_queue(routes, TABLES) == (None if expected is None else Counter(expected))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b'{"body": "abc"}', b'{"body": "abc"}'),
        (b'{"body": "' + b"x" * 99 + b'", "a": 1}', b'{"body": null, "a": 1}'),
        (b'{"body": "' + b"x" * 99 + b'", "a": "' + b"y" * 99 + b'"}', None),
        (b'{"body": "' + b"x" * 99, None),
        (b"x" * 99, None),
    ],
)
def test_a_long_message_goes_without_its_body(text: bytes, kept: bytes | None) -> None:
    assert without_body(text, most_bytes=40) == kept
