"""A worker's heartbeats of the last ten minutes."""

from __future__ import annotations

import sys

import pytest

from celeryscope.cluster.heartbeats import Heartbeat, HeartbeatLog
from celeryscope.cluster.state import ClusterState
from tests.unit.cluster.events import T0, WORKER, heartbeat


def log(*times: float) -> HeartbeatLog:
    made = HeartbeatLog()
    for at in times:
        made.add(at, active=int(at), load=0.5, processed=int(10 * at))
    return made


def test_at_most_one_in_five_seconds_is_kept() -> None:
    kept = log(*(2.0 * i for i in range(20))).since(0.0)
    assert [beat.at for beat in kept] == [0.0, 6.0, 12.0, 18.0, 24.0, 30.0, 36.0]
    assert kept[1] == Heartbeat(6.0, 6, 0.5, 60)


def test_ten_minutes_are_kept_oldest_first_in_less_than_six_kilobytes() -> None:
    full = log(*(5.0 * i for i in range(1000)))
    kept = [beat.at for beat in full.since(4995.0 - 600.0)]
    assert kept == [5.0 * i for i in range(880, 1000)]
    rings = [getattr(full, name) for name in full.__slots__]
    assert sum(map(sys.getsizeof, [full, *rings])) < 6000


def test_silence_is_a_hole_in_the_times() -> None:
    kept = log(0.0, 5.0, 10.0, 400.0, 405.0).since(0.0)
    assert [beat.at for beat in kept] == [0.0, 5.0, 10.0, 400.0, 405.0]


def test_what_is_older_than_asked_for_is_left_out_after_a_silence() -> None:
    assert [beat.at for beat in log(0.0, 5.0, 10.0, 2000.0).since(1400.0)] == [2000.0]


def test_a_clock_set_back_begins_afresh() -> None:
    assert [beat.at for beat in log(1000.0, 1005.0, 10.0, 15.0).since(0.0)] == [10.0, 15.0]


@pytest.mark.parametrize("odd", [-1, 10**30, 2**31, 2**63])
def test_odd_numbers_are_kept_as_far_as_there_is_room(odd: int) -> None:
    made = HeartbeatLog()
    made.add(1.0, active=odd, load=None, processed=odd)
    (beat,) = made.since(0.0)
    assert beat.load is None
    assert beat.active == (None if odd < 0 else min(odd, 2**31 - 1))
    assert beat.processed == (None if odd < 0 else min(odd, 2**63 - 1))


def test_the_fold_keeps_them_by_worker_and_by_our_clock() -> None:
    state = ClusterState()
    for i in range(10):
        state.apply([heartbeat(2.0 * i, processed=i, active=1)], T0 + 2.0 * i + 100.0)
    kept = state.heartbeats(WORKER, T0 + 120.0)
    assert [beat.at - T0 for beat in kept] == [100.0, 106.0, 112.0, 118.0]
    assert [beat.processed for beat in kept] == [0, 3, 6, 9]
    assert kept[0].load == pytest.approx(0.5)
    assert state.heartbeats("celery@nobody", T0) == []
    state.forget_worker(WORKER)
    assert state.heartbeats(WORKER, T0 + 120.0) == []
