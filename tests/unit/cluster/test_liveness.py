"""Which workers are alive."""

from __future__ import annotations

import pytest

from celeryscope.cluster.liveness import status
from celeryscope.model.worker import Worker


@pytest.mark.parametrize(
    ("now", "blind", "offline_said", "expected"),
    [
        (103.9, (None, None), False, "online"),
        (104.0, (None, None), False, "offline"),  # two intervals of two seconds
        (101.0, (None, None), True, "offline"),
        (103.0, (102.0, None), False, "online"),  # cut off, but not long enough to doubt
        (300.0, (102.0, None), False, "unknown"),  # silence proves nothing while cut off
        (301.0, (102.0, 300.0), False, "unknown"),  # it has its full time to be heard again
        (304.0, (102.0, 300.0), False, "offline"),
        (300.0, (200.0, None), False, "offline"),  # it was silent before we were cut off
    ],
)
def test_it_follows_celerys_rule_and_doubts_only_while_cut_off(
    now: float, blind: tuple[float | None, float | None], offline_said: bool, expected: str
) -> None:
    worker = Worker("w@h", first_seen=1.0, last_seen=100.0, freq=2.0, said_offline=offline_said)
    assert status(worker, now, blind_since=blind[0], blind_until=blind[1]) == expected
