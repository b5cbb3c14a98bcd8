"""`/api/v1/insight`: what became of tasks in a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from celeryscope.errors import NotFound
from celeryscope.history.store import History
from celeryscope.model.actor import Actor, Scope
from celeryscope.model.task import Task
from celeryscope.web.api import insight
from celeryscope.web.api.console import Operation
from tests.unit.web.people import THEIRS, fill, history_in
from tests.unit.web.standins import NOW, Cluster, life

pytestmark = pytest.mark.anyio

WINDOW = f"since={NOW - 3600}&until={NOW + 3600}"
PATHS = ("", "/names/shop.mail", "/exceptions", "/calendar")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    history = history_in(tmp_path_factory.mktemp("insight"))
    yield history
    history.close()


@pytest.fixture
def house(cluster: Cluster, kept: History) -> Cluster:
    fill(cluster)
    cluster.services = dataclasses.replace(cluster.services, history=kept)
    return cluster


async def ask(cluster: Cluster, path: str, status: int = 200) -> Any:
    async with cluster.client() as http:
        answer = await http.get(f"/api/v1/insight{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_tasks_are_told_of_by_name(house: Cluster) -> None:
    told = await ask(house, f"?{WINDOW}&sort=tasks")
    names = {one["name"]: one["now"] for one in told["names"]}
    assert set(names) == {"shop.mail", "bank.pay", "bank.audit"}
    assert told["total"]["tasks"] == sum(one["tasks"] for one in names.values()) == 9
    assert (names["shop.mail"]["tasks"], names["shop.mail"]["failed"]) == (5, 1)
    assert told["names_total"] == 3
    assert told["exact"] is True
    assert told["before"] is None
    assert sum(point["tasks"] for point in told["series"]["points"]) == 9
    assert [one["name"] for one in (await ask(house, f"?{WINDOW}&text=AUDIT"))["names"]] == [
        "bank.audit"
    ]


async def test_one_name_has_its_course_and_its_examples(house: Cluster) -> None:
    told = await ask(house, f"/names/shop.mail?{WINDOW}")
    assert told["figures"]["tasks"] == 5
    assert {one["value"]: one["tasks"] for one in told["queues"]} == {"mail": 3, "bank": 1}
    assert sum(one["failed"] for one in told["workers"]) == 1
    assert {task["name"] for task in told["slowest"]} == {"shop.mail"}
    assert told["tasks_whole"] is True
    assert (await ask(house, "/names/nobody.ever", 404))["error"]["code"] == "not_found"


async def test_a_name_that_longer_ones_end_in_has_its_own_workers_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    history = history_in(tmp_path)
    own = life("own", name="mail")
    history.write([(one, Task(uuid="own", first_seen=NOW), None) for one in own])
    history.flush()
    cluster.services = dataclasses.replace(cluster.services, history=history)
    told = await ask(cluster, f"/names/mail?{WINDOW}")
    history.close()
    assert told["figures"]["tasks"] == 1
    assert [one["tasks"] for one in told["workers"]] == [1]
    assert [task["uuid"] for task in told["slowest"]] == ["own"]


async def test_exceptions_have_places_and_examples(house: Cluster) -> None:
    told = await ask(house, f"/exceptions?{WINDOW}")
    assert told["total"] == len(told["exceptions"]) == 1
    (one,) = told["exceptions"]
    assert one["failed"] == 2
    assert set(one["examples"]) == {"mine-failed", "bank-failed"}
    assert {name["name"] for name in one["names"]} == {"shop.mail", "bank.audit"}
    assert len(one["fingerprint"]) == 12
    some = await ask(house, f"/exceptions?{WINDOW}&name=bank.audit")
    assert some["exceptions"][0]["examples"] == ["bank-failed"]


async def test_the_calendar_is_of_a_zone(house: Cluster) -> None:
    told = await ask(house, f"/calendar?{WINDOW}&zone=Asia/Kathmandu")
    assert sum(sum(day["tasks"]) for day in told["days"]) == 9
    assert sum(sum(day["failed"]) for day in told["days"]) == 2
    assert all(len(day["tasks"]) == 24 for day in told["days"])
    for zone in ("Nowhere/Land", "../../etc/passwd", "", "/etc", "a\0b"):
        told = await ask(house, f"/calendar?zone={zone.replace(chr(0), '%00')}", 400)
        assert told["error"]["parameter"] == "zone"


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ("since=5&until=4", "since"),
        ("since=nan", "since"),
        ("until=inf", "until"),
        ("until=1e300", "until"),
        (f"since=0&until={NOW}", "since"),
        ("sort=colour", "sort"),
        ("limit=0", "limit"),
    ],
)
async def test_what_is_no_time_is_refused(house: Cluster, asked: str, parameter: str) -> None:
    told = await ask(house, f"?{asked}", 400)
    assert told["error"]["parameter"] == parameter


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_history_it_says_so(cluster: Cluster, path: str) -> None:
    cluster.services = dataclasses.replace(cluster.services, history=None)
    told = await ask(cluster, path, 409)
    assert told["error"]["code"] == "not_possible"


@pytest.mark.parametrize(
    "operation", [insight.INSIGHT, insight.NAME, insight.EXCEPTIONS, insight.CALENDAR]
)
async def test_limited_people_get_nothing_of_others(
    house: Cluster, operation: Operation[Any]
) -> None:
    query = operation.query(since=NOW - 3600, until=NOW + 3600)
    mail = Actor(name="mail", role="viewer", way="token", scope=THEIRS)
    seen = house.services.seen_by(mail)
    told = msgspec.json.encode(operation.answer(seen, {"name": "shop.mail"}, query)).decode()
    assert "bank" not in told
    everything = msgspec.json.decode(told)
    if operation is insight.INSIGHT:
        assert everything["total"]["tasks"] == 3
    if operation is insight.CALENDAR:
        assert sum(sum(day["tasks"]) for day in everything["days"]) == 3


async def test_whether_others_have_a_name_is_not_told(house: Cluster) -> None:
    query = insight.InsightTimeQuery(since=NOW - 3600, until=NOW + 3600)
    for scope in (THEIRS, Scope(queues=("mail*",))):
        seen = house.services.seen_by(Actor(name="x", role="viewer", way="token", scope=scope))
        with pytest.raises(NotFound):
            insight.NAME.answer(seen, {"name": "bank.audit"}, query)
