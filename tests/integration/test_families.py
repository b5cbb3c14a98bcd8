"""Families of real canvases: what a worker and a client of the installed Celery tell of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import running, running_redis
from tests.integration.watching import console

PROJECT = """
import os, time
from celery import Celery, group

app = Celery("project", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.task_send_sent_event = True

@app.task
def nap(value=0, seconds=0.05):
    time.sleep(seconds)
    return value

@app.task
def total(values):
    time.sleep(0.05)
    return sum(values)

@app.task(bind=True)
def again(self):
    if self.request.retries == 0:
        raise self.retry(countdown=0.2)

@app.task
def fan(count):
    group(nap.s(number) for number in range(count)).apply_async()
"""
# A process of its own: its results hold on to a backend that ends with the test.
CLIENT = """
import json, time
from celery import chain, chord, group
from project import again, fan, nap, total

sent = {}
sent["chain"] = []
for _ in range(3):
    sent["chain"].append(chain(nap.si(), again.si(), nap.si(2)).apply_async().id)
    time.sleep(0.4)
# The last is the slowest, so it is the one whose root the body is of.
body = chord([nap.si(1, 0.05), nap.si(2, 0.2), nap.si(3, 0.8)])(total.s())
sent["chord"] = [body.id, *(one.id for one in body.parent.results)]
time.sleep(0.5)
header = group(chain(nap.si(1), nap.si(2, 0.3)), nap.si(3))
sent["nested"] = []
for _ in range(2):
    sent["nested"].append(chain(nap.si(), header, total.s(), nap.si(9)).apply_async().id)
    time.sleep(0.4)
sent["fan"] = []
for _ in range(3):
    sent["fan"].append(fan.delay(5).id)
    time.sleep(0.5)
sent["group"] = []
for _ in range(3):
    sent["group"].append([one.id for one in group(map(nap.si, range(3))).apply_async().results])
    time.sleep(0.3)
print(json.dumps(sent))
"""


class Shop:
    """What a client sent to a worker, and the console over it."""

    def __init__(self, sent: dict[str, list[Any]], until: Callable[..., Any]) -> None:
        self.sent = sent
        self._until = until

    def family(self, uuid: str, count: int) -> Any:
        """Wait until a family has so many tasks and all have ended."""
        return self._until(
            f"/api/v1/families/{uuid}",
            lambda told: told.get("total") == count and told["ended"] is not None,
            timeout_seconds=30,
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("families")
    (directory / "project.py").write_text(PROJECT)
    log = directory / "worker.log"
    command = [
        sys.executable, "-m", "celery", "-A", "project", "worker", "-n", "one@shop", "-E",
        "-P", "prefork", "-c", "3", "--without-mingle", "--without-gossip", "-l", "info",
    ]  # fmt: skip
    with running_redis(directory) as redis:
        env = {**os.environ, "BROKER": redis, "BACKEND": redis}
        with (
            console(redis, directory, "--data-dir", str(directory / "data")) as ours,
            running(
                command,
                log=log,
                ready=lambda: b" ready." in log.read_bytes(),
                env=env,
                cwd=directory,
                timeout_seconds=40,
            ),
        ):
            ours.until("/api/v1/workers", lambda told: told["workers"], timeout_seconds=30)
            client = subprocess.run(
                [sys.executable, "-c", CLIENT], env=env, cwd=directory, capture_output=True,
                check=True, timeout=40, text=True,
            )  # fmt: skip
            yield Shop(json.loads(client.stdout), ours.until)


def shape(family: Any) -> list[str]:
    groups = {one["id"]: one["kind"] for one in family["groups"]}
    return [
        "  " * task["depth"]
        + " ".join(
            filter(
                None,
                [task["name"].removeprefix("project."), task["kind"], groups.get(task["group"])],
            )
        )
        for task in family["tasks"]
    ]


def test_a_chain_is_one_below_the_other_with_its_attempts(shop: Shop) -> None:
    # A machine that stalls at the end of a task seems to have sent the next before: see below.
    families = [shop.family(last, 3) for last in shop.sent["chain"]]
    links = ["nap root", "  again next", "    nap next"]
    family = next(one for one in families if shape(one) == links)
    assert all(task["critical"] for task in family["tasks"])
    assert [run["state"] for run in family["tasks"][1]["runs"]] == ["RETRY", "SUCCESS"]
    assert family["critical"][-1]["until"] == pytest.approx(family["ended"])


def test_a_chord_of_a_client_is_one_family(shop: Shop) -> None:
    body, first, _, slowest = shop.sent["chord"]
    family = shop.family(body, 4)
    assert shape(family) == ["nap root chord"] * 3 + ["total body"]
    (told,) = family["groups"]
    assert (told["sure"], told["size"], told["body"]) == (True, 3, body)
    assert [step["uuid"] for step in family["critical"]] == [slowest, body]
    # Whichever of it is asked for.
    same = shop.family(first, 4)
    assert {task["uuid"] for task in same["tasks"]} == {task["uuid"] for task in family["tasks"]}


def test_a_chord_between_links_of_a_chain_has_chains_in_its_header(shop: Shop) -> None:
    families = [shop.family(last, 6) for last in shop.sent["nested"]]
    kinds = ["body", "chord", "chord", "next", "next", "root"]
    family = next(
        one for one in families
        if sorted(line.rpartition(" ")[2] for line in shape(one)) == kinds
    )  # fmt: skip
    assert shape(family)[0] == "nap root"
    assert [line for line in shape(family) if "total" in line] == ["  total body"]
    waited_for = next(task["after"] for task in family["tasks"] if task["kind"] == "body")
    by_id = {task["uuid"]: task for task in family["tasks"]}
    assert len(waited_for) == 2
    assert any(by_id[uuid]["kind"] == "next" and by_id[uuid]["depth"] == 2 for uuid in waited_for)


def test_a_group_that_a_task_sends_is_a_group(shop: Shop) -> None:
    # A machine that stalls while they are sent pulls them apart: then it is not to be told.
    families = [shop.family(root, 6) for root in shop.sent["fan"]]
    family = next(one for one in families if [group["size"] for group in one["groups"]] == [5])
    (told,) = family["groups"]
    assert (told["kind"], told["name"], told["parent"]) == ("group", "project.nap", family["root"])
    assert not told["sure"]
    assert any("do not tell of groups" in note for note in family["notes"])


def test_a_group_that_a_client_sends_is_families_of_their_own(shop: Shop) -> None:
    told = []
    for one, *others in shop.sent["group"]:
        family = shop.family(one, 1)
        told.append(sorted(task["uuid"] for task in family["together"]) == sorted(others))
    assert any(told), "a machine that stalls pulls them apart; but hardly each of them"
