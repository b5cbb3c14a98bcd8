"""Tasks that run more than once: the verdict depends on the events, not on their order."""

from __future__ import annotations

import itertools
import random

import pytest

from celeryscope.cluster.runs import Told, attempts, judge

A, B, APP = "w@a", "w@b", "gen@app"

ONE_RUN = [("sent", 0.0, APP, 0), ("received", 1.0, A, 0), ("started", 2.0, A, 0)]
#: Celery's real order: the worker receives the next run before it tells of the retry.
RETRIED_HERE = [
    *ONE_RUN, ("sent", 2.5, A, 1), ("received", 2.6, A, 1), ("retried", 2.7, A, 0),
]  # fmt: skip
RETRIED_THERE = [
    *ONE_RUN, ("sent", 2.5, A, 1), ("received", 2.6, B, 1), ("retried", 2.7, A, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "state", "worker"),
    [
        ([("sent", 0.0, APP, 0)], "PENDING", None),
        (ONE_RUN, "STARTED", A),
        (RETRIED_HERE, "RETRY", A),
        (RETRIED_THERE, "RETRY", A),
        (RETRIED_HERE[:-1], "STARTED", A),  # the retry is not told yet: the first run goes on
        ([*RETRIED_HERE, ("started", 3.0, A, 0)], "STARTED", A),
        ([*RETRIED_THERE, ("started", 3.0, B, 0)], "STARTED", B),
        ([*RETRIED_HERE, ("started", 3.0, A, 0), ("failed", 4.0, A, 0)], "FAILURE", A),
        ([*RETRIED_THERE, ("started", 3.0, B, 0), ("succeeded", 4.0, B, 0)], "SUCCESS", B),
        ([*RETRIED_HERE, ("revoked", 3.0, A, 0)], "REVOKED", A),
        ([*RETRIED_THERE, ("revoked", 3.0, B, 0)], "REVOKED", B),
        # the next run is over, or goes on, before "retried" is told of the one before
        ([*RETRIED_THERE, ("revoked", 2.65, B, 0)], "REVOKED", B),
        ([*RETRIED_HERE, ("revoked", 2.65, A, 0)], "REVOKED", A),
        ([*RETRIED_HERE, ("started", 2.65, A, 0)], "STARTED", A),
        ([*RETRIED_HERE, ("started", 2.65, A, 0), ("succeeded", 2.9, A, 0)], "SUCCESS", A),
        ([*RETRIED_HERE, ("started", 2.65, A, 0), ("succeeded", 2.66, A, 0)], "SUCCESS", A),
        # a worker died, the message came again
        ([*ONE_RUN, ("received", 9.0, A, 0)], "RECEIVED", A),
        ([*ONE_RUN, ("received", 9.0, B, 0)], "RECEIVED", B),
        ([*ONE_RUN, ("received", 9.0, B, 0), ("started", 9.1, B, 0)], "STARTED", B),
        ([*ONE_RUN, ("succeeded", 3.0, A, 0), ("received", 9.0, A, 0)], "RECEIVED", A),
        ([*ONE_RUN, ("succeeded", 3.0, A, 0), ("started", 9.0, A, 0)], "STARTED", A),
        # two ends of one run
        ([*ONE_RUN, ("failed", 3.0, A, 0), ("rejected", 3.1, A, 0)], "FAILURE", A),
        ([*ONE_RUN, ("rejected", 3.0, A, 0), ("failed", 3.0, A, 0)], "FAILURE", A),
    ],
)
def test_the_last_run_says_how_the_task_stands(
    told: list[Told], state: str, worker: str | None
) -> None:
    orders = (
        itertools.permutations(told)
        if len(told) < 7
        else [random.Random(i).sample(told, len(told)) for i in range(200)]
    )
    for order in orders:
        verdict = judge(order, lambda _: 0.0)
        assert (verdict.state, verdict.worker) == (state, worker), order


@pytest.mark.parametrize("ahead", [-500.0, -1.0, 1.0, 500.0])
def test_runs_of_different_numbers_need_no_clock(ahead: float) -> None:
    told = [*RETRIED_THERE, ("started", 3.0, B, 0), ("succeeded", 4.0, B, 0)]
    skewed = [(kind, at + ahead * (host == B), host, n) for kind, at, host, n in told]
    assert judge(skewed, lambda _: 0.0).state == "SUCCESS"


def test_runs_of_the_same_number_are_ordered_by_corrected_time() -> None:
    told = [*ONE_RUN, ("received", 9.0 - 60.0, B, 0), ("started", 9.1 - 60.0, B, 0)]
    assert judge(told, lambda host: -60.0 if host == B else 0.0).worker == B


@pytest.mark.parametrize(
    ("told", "numbers"),
    [
        ([("sent", 0.0, APP, 0)], [0]),
        (RETRIED_HERE, [0, 0, 0, 1, 1, 0]),
        ([*RETRIED_THERE, ("started", 3.0, B, 0)], [0, 0, 0, 1, 1, 0, 1]),
        ([("started", 2.0, A, 0), ("received", 9.0, A, 1), ("started", 9.1, A, 0)], [None, 1, 1]),
    ],
)
def test_every_event_belongs_to_an_attempt(told: list[Told], numbers: list[int | None]) -> None:
    for i in range(20):
        found = attempts(random.Random(i).sample(told, len(told)))
        assert [found[event] for event in told] == numbers
