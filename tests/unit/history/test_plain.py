"""Rows that are made at once are those that are made step by step."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from celeryscope.cluster import runs
from celeryscope.history import plain, record, rows
from celeryscope.history.record import Record
from celeryscope.history.store import _clean
from celeryscope.model.event import Event, Found
from celeryscope.model.text import kept
from tests.unit.history import lives

UUID = "6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1"
OTHER = "00000000-b111-4c9e-a0d6-8cb5bdd5e7a1"
MOST_CHARS = 8
KINDS = ("sent", "received", "started", "succeeded", "failed", "revoked", "rejected", "retried",
         "progress")  # fmt: skip
SOUND = [None, "", "(1,)", "Größe", "longer than it may be"]
TEXT = st.sampled_from([*SOUND * 10, "nul\0", "half\ud800"])
ID = st.sampled_from([None, UUID, OTHER, "a-root"])


def numbers() -> rows.NumberOf:
    known: dict[tuple[str, str], int] = {}
    return lambda kind, text: (
        None if text is None else known.setdefault((kind, text), len(known) + 1)
    )


def cut(text: str, chars: int) -> str:
    return kept(text, chars, lambda text: text.replace("1", "*"))


def step_by_step(told: list[plain.Write], number: rows.NumberOf) -> tuple[rows.Row, str | None]:
    one = Record()
    for event, wait, _ in told:
        record.take(one, _clean(event), wait, cut, MOST_CHARS)
    standing = record.stand(one, runs.judge)
    row = rows.to_row(7, rows.id_key(UUID), one, standing, number)
    return row, None if standing.end is None else standing.end.traceback


def at_once(told: list[plain.Write], number: rows.NumberOf) -> tuple[rows.Row, str | None] | None:
    return plain.to_row(7, rows.id_key(UUID), told, MOST_CHARS, cut, number)


@st.composite
def events(draw: st.DrawFn) -> list[plain.Write]:
    """Give a task's events: mostly in turn, from one worker, with one name."""
    told: list[plain.Write] = []
    ends = draw(st.sampled_from(KINDS[3:]))
    kinds = draw(st.sampled_from([KINDS[:3], KINDS[1:3], ("received", "sent"), ("started",), ()]))
    some = [*kinds, *draw(st.sampled_from([(), (ends,), (ends, "failed"), ("started", ends)]))]
    for at, kind in enumerate(some or ["received"]):
        fields: dict[str, Any] = {}
        if kind in ("sent", "received"):
            fields = {
                "name": draw(st.sampled_from(["a", "a", "a", "a", "b", None])),
                "args": draw(TEXT), "kwargs": draw(TEXT), "eta": draw(TEXT),
                "expires": draw(TEXT), "root_id": draw(ID), "parent_id": draw(ID),
                "retries": draw(st.sampled_from([None, *[0] * 9, 1])),
            }  # fmt: skip
        if kind == "sent":
            fields |= {"queue": draw(TEXT), "exchange": draw(TEXT), "routing_key": draw(TEXT)}
        if kind in KINDS[3:]:
            fields = {
                "result": draw(TEXT), "exception": draw(TEXT),
                "traceback": draw(st.sampled_from([None, "t" * 40])),
                "terminated": draw(st.sampled_from([None, True, False])),
                "expired": draw(st.sampled_from([None, True])),
                "signum": draw(st.sampled_from([None, 15, "TERM"])),
                "runtime": draw(st.sampled_from([None, 0.5, 1e300])),
            }  # fmt: skip
        worker = draw(st.sampled_from(["celery@a", "celery@a", "celery@a", "celery@b", ""]))
        late = draw(st.sampled_from([0, 0, 0, -1, -2]))
        wait = draw(st.sampled_from([None, 0.25])) if kind in ("sent", "started") else None
        make: Any = Found if draw(st.integers(0, 40)) == 0 and kind in KINDS[3:7] else Event
        told.append(
            (make(f"task-{kind}", worker, lives.START + at + late, uuid=UUID, **fields), wait, 0)
        )
    return draw(st.permutations(told)) if draw(st.booleans()) else told


@settings(max_examples=100, deadline=None)
@given(told=events())
def test_a_row_made_at_once_is_the_one_made_step_by_step(told: list[plain.Write]) -> None:
    number = numbers()
    made = at_once(told, number)
    if made is not None:
        assert made == step_by_step(told, number)
        assert not made[0].flags & rows.LIFE


def test_an_ordinary_life_needs_no_steps() -> None:
    about = {"name": "shop.pay", "args": "(1,)", "kwargs": "{}", "root_id": UUID}
    told: list[plain.Write] = [
        (Event("task-sent", "gen1@app", 1.0, uuid=UUID, queue="q", **about), None, 0),  # type: ignore[arg-type]
        (Event("task-received", "celery@a", 2.0, uuid=UUID, **about), None, 0),  # type: ignore[arg-type]
        (Event("task-started", "celery@a", 3.0, uuid=UUID), 1.0, 0),
        (Event("task-failed", "celery@a", 4.0, uuid=UUID, exception="Größe()"), None, 0),
    ]
    number = numbers()
    for end in (1, 2, 3, 4):
        for some in (told[:end], told[end - 1 :]):
            made = at_once(some, number)
            assert made is not None
            assert made == step_by_step(some, number)
    assert [plain.lives(told[:end]) for end in (1, 2, 3, 4)] == [True, True, True, False]


def test_what_needs_a_judge_is_left_to_the_steps() -> None:
    sent = Event("task-sent", "gen1@app", 1.0, uuid=UUID, name="a", args="(1,)")
    received = Event("task-received", "celery@a", 2.0, uuid=UUID, name="a", args="(1,)")
    started = Event("task-started", "celery@a", 3.0, uuid=UUID)
    found = Found("task-succeeded", "celery@a", 4.0, uuid=UUID)
    cases: list[list[plain.Write]] = [
        [(sent, None, 0), (replace(received, retries=1), None, 0)],  # it was retried
        [(sent, None, 0), (replace(received, timestamp=1.0, args="()"), None, 0)],  # which holds?
        [(sent, None, 0), (replace(received, name="b"), None, 0)],  # replaced by another task
        [(sent, 0.5, 0), (started, None, 0)],  # how long it waited was told too late
        [(received, None, 0), (replace(received, timestamp=2.5), None, 0)],  # delivered again
        [(received, None, 0), (replace(started, hostname="celery@b"), 1.0, 0)],
        [(received, None, 0), (replace(started, timestamp=1.5), None, 0)],
        [(started, None, 0), (found, None, 0)],
        [(replace(received, args="nul\0"), None, 0)],
        [(replace(received, kwargs="half\ud800"), None, 0)],
    ]
    for told in cases:
        assert at_once(told, numbers()) is None, told
