"""Taking tasks out of a history in PostgreSQL, where room is not what the tables take."""

from __future__ import annotations

import pytest

from celeryscope.history import space
from celeryscope.history.retention import Retention
from tests.unit.history import lives
from tests.unit.history import test_retention as pruning


def test_of_too_large_a_history_the_oldest_go_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = lives.opened(database)
    tasks = pruning.fill(history, lives.stream(3, 400))
    with history.reading() as db:
        used = space.used_bytes(db, tasks=len(tasks))
    assert 300 < used / len(tasks) < 1_500
    retention = Retention(history, max_bytes=used // 2, rest=0.0)
    gone = retention.prune()
    assert len(tasks) * 0.4 < gone < len(tasks) + 1
    # The tables are as large as before; what is in them is not.
    assert Retention(history, max_bytes=used // 2, rest=0.0).prune() == 0
    history.close()
