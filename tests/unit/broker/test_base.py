"""The thread that reads queue depths, over depths in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celeryscope.broker.base import QueueDepth, QueuePoller
from celeryscope.errors import BrokerUnreachable
from tests.recording import eventually


class DepthsInMemory:
    """Depths that a test sets."""

    def __init__(self, **messages: int) -> None:
        self.messages = messages
        self.trouble: Exception | None = None
        self.asked: list[list[str]] = []
        self.closed = 0

    def read(self, queues: Sequence[str]) -> list[QueueDepth]:
        self.asked.append(list(queues))
        if self.trouble is not None:
            raise self.trouble
        return [QueueDepth(queue, self.messages.get(queue, 0)) for queue in queues]

    def close(self) -> None:
        self.closed += 1


def poller(depths: DepthsInMemory, **options: Any) -> QueuePoller:
    return QueuePoller(
        **{"depths": depths, "queues": lambda: ["a", "b"], "interval_seconds": 0.01, **options}
    )


def test_it_reads_at_once_and_again_and_again() -> None:
    depths = DepthsInMemory(a=3)
    reader = poller(depths, clock=lambda: 1000.0)
    reader.start()
    eventually(lambda: len(depths.asked) >= 3)
    reader.stop()
    assert reader.latest == {"a": QueueDepth("a", 3), "b": QueueDepth("b", 0)}
    assert reader.at == 1000.0
    assert reader.error is None
    assert depths.closed == 1


def test_a_broker_that_is_down_is_an_error_and_not_an_empty_queue() -> None:
    depths = DepthsInMemory(a=3)
    told: list[str] = []
    now = [1000.0]
    reader = poller(depths, on_error=told.append, clock=lambda: now[0])
    assert reader.poll()
    depths.trouble = BrokerUnreachable("the broker is down")
    now[0] = 1500.0
    assert not reader.poll()
    assert not reader.poll()
    assert reader.error == "the broker is down"
    assert told == ["the broker is down"]
    assert reader.latest["a"].messages == 3
    assert reader.at == 1000.0
    assert reader.history.of("a") == ([1000.0, 1500.0], [3, None])
    assert (reader.attempts, reader.asked) == (3, ["a", "b"])
    assert depths.closed == 2
    depths.trouble = None
    assert reader.poll()
    assert reader.error is None
    assert reader.at == 1500.0


def test_an_unforeseen_error_does_not_end_the_thread() -> None:
    depths = DepthsInMemory(a=3)
    depths.trouble = RuntimeError("what is this")
    reader = poller(depths)
    reader.start()
    eventually(lambda: reader.error)
    depths.trouble = None
    eventually(lambda: reader.latest)
    reader.stop()
    assert reader.error is None


def test_the_names_are_asked_for_each_time_and_each_is_read_once() -> None:
    names = ["a", "b", "a", "", "x" * 600]
    depths = DepthsInMemory()
    reader = poller(depths, queues=lambda: names, max_queues=2)
    reader.poll()
    names[:] = ["c", "a", "b"]
    reader.poll()
    assert depths.asked == [["a", "b"], ["c", "a"]]
    assert set(reader.latest) == {"c", "a"}


def test_without_queues_the_broker_is_left_alone() -> None:
    depths = DepthsInMemory()
    reader = poller(depths, queues=list)
    assert reader.poll()
    assert depths.asked == []
    assert reader.latest == {}
