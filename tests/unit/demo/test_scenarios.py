from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from celeryscope.demo.plan import TASKS_PER_SECOND
from celeryscope.demo.scenarios import (
    SCENARIOS,
    Scenario,
    deal,
    pause_seconds,
    swell,
    tasks_per_act,
)
from celeryscope.demo.shop.project import QUEUES, app

SHOP = "celeryscope.demo.shop."


def test_the_first_round_shows_everything_once() -> None:
    opening = list(itertools.islice(deal(random.Random(1)), len(SCENARIOS)))
    assert Counter(opening) == Counter(SCENARIOS)


def test_each_comes_as_often_as_it_weighs() -> None:
    weights = sum(scenario.weight for scenario in SCENARIOS)
    dealt = deal(random.Random(2))
    for _ in range(len(SCENARIOS)):
        next(dealt)
    counted = Counter(scenario.name for scenario in itertools.islice(dealt, 2 * weights))
    assert counted == {scenario.name: 2 * scenario.weight for scenario in SCENARIOS}


@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_the_mean_is_what_is_promised(rate: float) -> None:
    rng, at_seconds, acts = random.Random(3), 0.0, 0
    while at_seconds < 900:
        at_seconds += pause_seconds(rng, at_seconds, rate)
        acts += 1
    assert acts * tasks_per_act() / at_seconds == pytest.approx(rate * TASKS_PER_SECOND, rel=0.1)


def test_the_waves_are_gentle() -> None:
    heights = [swell(at_seconds) for at_seconds in range(900)]
    assert 0.5 < min(heights) < 0.8
    assert 1.2 < max(heights) < 1.5


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_draws_tasks_that_the_shop_knows(scenario: Scenario) -> None:
    app.loader.import_default_modules()
    act = scenario.draw(random.Random(4))
    names = task_names(act.canvas)
    assert names
    assert names <= app.tasks.keys()
    if act.revoke_after_seconds is not None:
        # Only the id of a single task is known to be the one to take back.
        assert len(names) == 1
    assert act.options.keys() <= {"countdown", "expires"}


def task_names(canvas: object) -> set[str]:
    members = getattr(canvas, "tasks", None)
    if not members:
        return {getattr(canvas, "task")}  # noqa: B009 - a Signature's own attribute
    body = getattr(canvas, "body", None)
    return set().union(*map(task_names, members), task_names(body) if body else set())


def test_about_ten_tasks_are_routed_over_three_queues() -> None:
    app.loader.import_default_modules()
    # Celery gives every app the tasks of all apps in the process, also of other tests'.
    ours = [name for name, task in app.tasks.items() if task.__module__.startswith(SHOP)]
    routed = {app.amqp.router.route({}, name)["queue"].name for name in ours}
    assert 10 <= len(ours) <= 15
    assert routed == set(QUEUES)


def test_nothing_but_json_is_accepted() -> None:
    conf = app.conf
    assert conf.accept_content == ["json"]
    serializers = {conf.task_serializer, conf.result_serializer, conf.event_serializer}
    assert serializers == {"json"}
    assert {entry["task"] for entry in conf.beat_schedule.values()} <= app.tasks.keys()
