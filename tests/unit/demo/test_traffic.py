from __future__ import annotations

import logging
import time

import pytest

from celeryscope.demo import traffic
from celeryscope.demo.traffic import BACKLOG_LIMIT, Revocations, wait_for_room


def test_tasks_are_taken_back_in_the_order_of_their_times() -> None:
    revocations = Revocations()
    assert revocations.next_at() == float("inf")
    revocations.add(3.0, "late", terminate=False)
    revocations.add(1.0, "first", terminate=True)
    revocations.add(1.0, "second", terminate=False)
    assert revocations.next_at() == 1.0
    assert revocations.pop_due(0.9) == []
    assert revocations.pop_due(2.0) == [("first", True), ("second", False)]
    assert revocations.pop_due(3.0) == [("late", False)]


def test_a_long_backlog_is_waited_for_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    lengths = iter([BACKLOG_LIMIT + 1, BACKLOG_LIMIT, BACKLOG_LIMIT // 2])
    with caplog.at_level(logging.WARNING, logger=traffic.__name__):
        wait_for_room(lambda: next(lengths))
    assert len(slept) == 1
    assert "401 messages wait" in caplog.text


def test_a_short_backlog_is_no_reason_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    wait_for_room(lambda: BACKLOG_LIMIT)
