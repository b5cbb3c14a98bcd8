"""`/api/v1/gaps`: what is missing, with a history and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celeryscope.cluster.accounting import Gap
from celeryscope.history.gaps import Gaps
from celeryscope.history.orphans import Status
from celeryscope.history.store import History
from tests.unit.history import lives
from tests.unit.web.standins import NOW, Cluster
from tests.unit.web.standins import client as client_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = lives.opened(tmp_path / "h.db")
    yield history
    history.close()


async def get(cluster: Cluster, status: int = 200, **query: Any) -> Any:
    async with client_of(cluster.app()) as http:
        answer = await http.get("/api/v1/gaps", params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_gaps_of_the_history_are_given_by_time(history: History) -> None:
    cluster = Cluster()
    noted = Gaps(history, broker="redis://", clock=lambda: NOW)
    cuts = [Gap(NOW - at, NOW - at + 10, "no route") for at in (200_000, 5_000, 50)]
    noted.tell(now=NOW, cuts=cuts, lost=[("celery@a", NOW - 30, NOW - 20, 3)])
    noted.write()
    cluster.services = dataclasses.replace(cluster.services, history=history)
    told = await get(cluster)
    assert (told["kept"], told["until"], told["since"]) == (True, NOW, NOW - 86_400)
    assert [(gap["kind"], NOW - gap["start"]) for gap in told["gaps"]] == [
        ("disconnected", 5_000),
        ("disconnected", 50),
        ("lost", 30),
    ]
    assert told["gaps"][2] == {
        "start": NOW - 30, "end": NOW - 20, "kind": "lost", "worker": "celery@a", "events": 3,
        "reason": "Its heartbeats count tasks whose events never reached the console.",
    }  # fmt: skip
    told = await get(cluster, since=NOW - 300_000, until=NOW - 6_000)
    assert [NOW - gap["start"] for gap in told["gaps"]] == [200_000]
    assert told["more"] is False


async def test_without_a_history_there_are_those_since_the_start() -> None:
    cluster = Cluster()
    cluster.accounting.gap_begins(NOW - 20, "no route")
    ends = Status(asking=True, waiting=3, fetched=2, lost=1, trouble="It is away.")
    cluster.services = dataclasses.replace(cluster.services, history=None, ends=lambda: ends)
    told = await get(cluster)
    assert told["kept"] is False
    (gap,) = told["gaps"]
    assert (gap["kind"], gap["end"], gap["reason"]) == ("disconnected", None, "no route")
    assert told["ends"] == {
        "asking": True, "waiting": 3, "fetched": 2, "lost": 1, "trouble": "It is away.",
    }  # fmt: skip


async def test_a_time_that_ends_before_it_begins_has_none(history: History) -> None:
    cluster = Cluster()
    cluster.services = dataclasses.replace(cluster.services, history=history)
    assert (await get(cluster, since=1e39, until=-1e39))["gaps"] == []
