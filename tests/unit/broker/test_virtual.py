"""Depths by kombu's own channels, on its in-memory broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from kombu.transport import memory, virtual

from celeryscope.broker.open import open_depths
from celeryscope.broker.virtual import VirtualDepths
from celeryscope.errors import BrokerUnreachable


@pytest.fixture
def app() -> Iterator[Celery]:
    memory.Transport.global_state.clear()
    memory.Channel.queues.clear()
    with Celery("depths", broker="memory://", set_as_current=False) as app:
        yield app


def test_it_counts_what_waits(app: Celery) -> None:
    depths = open_depths(app=app)
    assert isinstance(depths, VirtualDepths)
    for _ in range(3):
        app.send_task("app.add", queue="full")
    full, empty = depths.read(["full", "empty"])
    depths.close()
    assert (full.name, full.messages, full.consumers, full.error) == ("full", 3, None, None)
    assert empty.messages == 0


def test_a_broker_that_cannot_count_is_not_an_empty_queue(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory.Channel, "_size", virtual.Channel._size)
    (depth,) = VirtualDepths(app=app).read(["full"])
    assert depth.messages is None
    assert depth.error is not None
    assert "cannot count" in depth.error


def test_trouble_is_told_without_the_password(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
    depths = open_depths(app=app)
    with pytest.raises(BrokerUnreachable) as told:
        depths.read(["celery"])
    depths.close()
    assert "secret" not in str(told.value)
    assert "refused" in str(told.value)
