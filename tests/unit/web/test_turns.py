"""What computes takes turns: a few at once, a short line, and a clear word when it is full."""

from __future__ import annotations

import threading

import anyio
import pytest

from celeryscope.errors import Unavailable
from celeryscope.web.turns import Turns
from tests.unit.web.standins import Cluster, life

pytestmark = pytest.mark.anyio


async def test_only_a_few_work_at_once_and_the_others_wait() -> None:
    turns, lock, go_on = Turns(at_once=2, most_waiting=10), threading.Lock(), threading.Event()
    working, most, done = 0, 0, 0

    def work() -> None:
        nonlocal working, most, done
        with lock:
            working += 1
            most = max(most, working)
        assert go_on.wait(10)
        with lock:
            working -= 1
            done += 1

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(turns.run, work)
        with anyio.fail_after(10):
            while working < 2:  # noqa: ASYNC110 - threads change it
                await anyio.sleep(0.01)
        go_on.set()
    assert (most, done) == (2, 8)


async def test_a_full_line_is_said_and_empties_again() -> None:
    turns, go_on = Turns(at_once=1, most_waiting=1), threading.Event()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(turns.run, lambda: go_on.wait(10))
        await anyio.sleep(0.05)
        with pytest.raises(Unavailable, match="2 questions"):
            await turns.run(lambda: True)
        go_on.set()
    assert await turns.run(lambda: True) is True


async def test_a_fault_gives_the_turn_back() -> None:
    turns = Turns(at_once=1, most_waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await turns.run(lambda: 1 // 0)
    assert await turns.run(lambda: 5) == 5


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks", "/api/v1/names", "/api/tasks", "/tasks/datatable"]
)
async def test_what_looks_through_all_tasks_takes_turns(path: str) -> None:
    cluster = Cluster()
    cluster.feed(life("a"))
    held = cluster.services.turns
    held._most = 0
    async with cluster.client() as http:
        assert (await http.get(path)).status_code == 503
        assert (await http.get("/api/v1/overview")).status_code == 200
