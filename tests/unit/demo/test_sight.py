from __future__ import annotations

import json

import pytest

from celeryscope.demo import sight
from celeryscope.demo.sight import Sight


def an_overview(**more: object) -> bytes:
    overview = {
        "broker": {"state": "connected"},
        "totals": {"task-sent": 3, "task-started": 2, "worker-heartbeat": 7},
        "workers": {"online": 2, "offline": 1},
    }
    return json.dumps(overview | more).encode()


@pytest.mark.parametrize(
    ("status", "body", "seen"),
    [
        (
            200,
            an_overview(),
            Sight(answers=True, connected=True, tasks=5, workers=2, readable=True),
        ),
        (
            200,
            an_overview(broker={"state": "connecting"}, totals={}, workers={}),
            Sight(answers=True, readable=True),
        ),
        (200, b"<!doctype html>", Sight(answers=True)),
        (200, b"[1]", Sight(answers=True)),
        (401, an_overview(), Sight(answers=True)),
        (503, b"", Sight(answers=True)),
    ],
)
def test_an_overview_tells_whether_live_data_is_there(
    status: int, body: bytes, seen: Sight
) -> None:
    assert sight.read(status, body) == seen


def test_where_nobody_listens_nothing_is_seen() -> None:
    assert sight.look("127.0.0.1", 9, "") == Sight()


@pytest.mark.parametrize(
    ("address", "prefix", "url"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:5555/"),
        ("0.0.0.0", "", "http://127.0.0.1:5555/"),
        ("::", "/scope/", "http://[::1]:5555/scope/"),
        ("10.0.0.7", "ops/celery", "http://10.0.0.7:5555/ops/celery/"),
    ],
)
def test_the_page_has_an_address_that_a_browser_can_open(
    address: str, prefix: str, url: str
) -> None:
    assert sight.page_url(address, 5555, prefix) == url
