"""Blocks that are taken away, and blocks of what is left of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from celeryscope.history import blocks, signature
from celeryscope.history.sql import queries
from celeryscope.model.query import parse
from tests.unit.history import lives
from tests.unit.history.test_search import agree, place


def test_whole_segments_of_tasks_set_apart_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment of them is sliced, as those of all tasks are, and others go as a whole."""
    monkeypatch.setattr(blocks, "TASKS", 2)
    monkeypatch.setattr(blocks, "SLACK", 40)
    monkeypatch.setattr(blocks, "_FRESH_SECONDS", 0.0)
    history = lives.opened(tmp_path / "h.db")
    events = lives.stream(1, 640)
    for start in range(0, len(events), 500):
        history.write(lives.changes(events[start : start + 500]))
        history.flush()
    ids = dict.fromkeys(event.uuid or "" for event in events)
    tasks = [task for uuid in ids if (task := history.task(uuid)) is not None]
    tasks.sort(key=place, reverse=True)
    agree((history, tasks), parse("order-1"))
    with history.reading() as db:
        before = history._blocks.of(db)
    for number in range(0, 270, 10):
        with history.writing() as db:
            for source in before[number : number + 10]:
                span = (source.first, source.last)
                assert blocks.set_apart(db, [source]) > 0
                assert not db.execute(queries()["block_tasks"], span).fetchall()
                blocks.remove(db, source)
    with history.reading() as db:
        after = history._blocks.of(db)
        segments = {row // 4096 for (row,) in db.execute("SELECT id FROM slice")}
    assert [block.id for block in after[:270]] == list(range(-270, 0))
    assert after[270].id == 270
    assert segments == {-1}  # segment 0 went with its last block
    assert len(before) > signature.BLOCKS + 14
    for text in ("", "order-1", "state:failure", "name:task_03 worker:web3", "runtime:>40s",
                 "root:root-100", '"card 3"', "nowhere", "größe", "since:2m"):  # fmt: skip
        agree((history, tasks), parse(text))
    for task in tasks[::60]:
        agree((history, tasks), parse(task.uuid))
    history.close()
