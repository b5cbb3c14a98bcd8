"""The bookkeeping of an action: who was asked, who answered what, and when it is over."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.control.action import GAVE_WAY, Action, Ledger, Report
from celeryscope.control.commands import COMMANDS

SENT = 1000.0


def action(
    *expected: str, command: str = "pool_grow", max_workers: int = 100, sent: bool = True
) -> Action:
    """An action whose answers may take 5 s, and its effect 10 s more."""
    ledger = Ledger(
        command=COMMANDS[command],
        expected=expected,
        created_at=SENT - 1,
        timeout_seconds=5.0,
        confirm_seconds=10.0,
        max_workers=max_workers,
    )
    made = Action("1", ledger, arguments={}, everyone=False)
    if sent:
        made.note(Ledger.began_sending)
        made.note(lambda ledger: ledger.was_sent(SENT))
    return made


def says(
    made: Action, hostname: str, *, error: str | None = None, value: Any = "yes", now: float = SENT
) -> None:
    made.note(lambda ledger: ledger.answered(hostname, error=error, value=value, now=now))


def later(made: Action, now: float) -> Report:
    made.note(lambda ledger: ledger.look_at_the_time(now))
    return made.snapshot()


def outcomes(report: Report) -> dict[str, str]:
    return {worker.hostname: worker.outcome for worker in report.workers}


def test_before_it_is_sent_nobody_is_asked() -> None:
    report = action("a", "b", sent=False).snapshot()
    assert (report.state, report.sent, report.sent_at) == ("sending", "no", None)
    assert outcomes(report) == {"a": "unasked", "b": "unasked"}


def test_it_gives_way_where_only_its_effect_is_looked_for() -> None:
    made = action("a", "b")
    assert not made.give_way()
    says(made, "a")
    says(made, "b", error="no")
    assert made.snapshot().state == "confirming"
    assert made.give_way()
    report = made.snapshot()
    assert (report.state, report.effects) == ("finished", {"cannot tell": 1, "unchecked": 1})
    assert report.workers[0].effect_said == GAVE_WAY
    assert not made.give_way()


def test_one_that_refuses_may_have_done_a_part() -> None:
    made = action("a", "b", command="pool_shrink")
    says(made, "a", error='ValueError("Can\'t shrink pool. All processes busy!")')
    says(made, "b", error="AttributeError()")
    assert made.snapshot().effects == {"pending": 1, "unchecked": 1}


def test_each_worker_has_its_own_answer_by_name() -> None:
    made = action("a", "b", "c")
    says(made, "a", value="pool will grow", now=SENT + 0.5)
    says(made, "b", error="AttributeError('grow')", now=SENT + 0.6)
    report = made.snapshot()
    assert report.state == "waiting"
    a, b, c = report.workers
    assert (a.outcome, a.value, a.asked_at, a.answered_at) == (
        "ok", "pool will grow", SENT, SENT + 0.5,
    )  # fmt: skip
    assert (b.outcome, b.error, b.value, b.effect) == (
        "refused", "AttributeError('grow')", None, "unchecked",
    )  # fmt: skip
    assert (c.outcome, c.answered_at) == ("asked", None)
    report = later(made, SENT + 5)
    assert outcomes(report) == {"a": "ok", "b": "refused", "c": "silent"}
    assert report.outcomes == {"ok": 1, "refused": 1, "silent": 1}
    assert report.state == "confirming"


def test_when_all_have_answered_nobody_waits_for_the_rest_of_the_time() -> None:
    made = action("a", command="ping")
    says(made, "a", value="pong", now=SENT + 0.1)
    report = made.snapshot()
    assert (report.state, report.finished_at) == ("finished", SENT + 0.1)
    assert made.wait(0)


def test_with_nobody_known_it_waits_for_whoever_answers() -> None:
    made = action(command="ping")
    says(made, "new", value="pong", now=SENT + 1)
    assert later(made, SENT + 4.9).state == "waiting"  # who knows how many there are
    assert later(made, SENT + 5).state == "finished"
    assert made.snapshot().unexpected == 1
    lonely = action(command="ping")
    assert later(lonely, SENT + 4.9).state == "waiting"
    assert later(lonely, SENT + 5).state == "finished"


def test_a_late_answer_is_noted_after_the_end() -> None:
    made = action("a", command="ping")
    assert outcomes(later(made, SENT + 5)) == {"a": "silent"}
    sequence = made.sequence
    says(made, "a", value="pong", now=SENT + 30)
    report = made.snapshot()
    (worker,) = report.workers
    assert (worker.outcome, worker.late, worker.answered_at) == ("ok", True, SENT + 30)
    assert (report.late, report.state, report.finished_at) == (1, "finished", SENT + 5)
    assert made.sequence > sequence


def test_an_unknown_worker_that_answers_in_time_is_not_late() -> None:
    made = action("a", command="ping")
    says(made, "a")
    says(made, "b", now=SENT + 1)
    (_, b) = made.snapshot().workers
    assert (b.expected, b.late, b.outcome) == (False, False, "ok")


def test_a_second_answer_to_one_name_is_counted_and_changes_nothing_else() -> None:
    made = action("a", "b")
    says(made, "a", value="first")
    says(made, "a", error="second", value=None)
    report = made.snapshot()
    assert report.workers[0].answers == 2
    assert (report.workers[0].outcome, report.workers[0].value) == ("ok", "first")
    assert report.twice == 1
    assert report.state == "waiting"  # for b


def test_it_is_finished_when_every_effect_is_judged() -> None:
    made = action("a", "b")
    says(made, "a")
    says(made, "b")
    assert (made.snapshot().state, made.pending()) == ("confirming", ["a", "b"])
    made.note(lambda ledger: ledger.judged("a", "done", "3 processes, 2 before.", SENT + 1))
    made.note(lambda ledger: ledger.judged("b", "pending", "2 processes, 2 before.", SENT + 1))
    assert made.pending() == ["b"]
    made.note(lambda ledger: ledger.judged("b", "done", "3 processes, 2 before.", SENT + 2))
    report = made.snapshot()
    assert (report.state, report.finished_at, report.effects) == ("finished", SENT + 2, {"done": 2})


def test_an_effect_that_does_not_come_is_not_seen_and_says_what_was_seen() -> None:
    made = action("a")
    says(made, "a", now=SENT + 1)
    made.note(lambda ledger: ledger.judged("a", "pending", "2 processes, 2 before.", SENT + 2))
    assert later(made, SENT + 10.9).state == "confirming"
    report = later(made, SENT + 11)
    (worker,) = report.workers
    assert (report.state, worker.effect) == ("finished", "not seen")
    assert worker.effect_said == "2 processes, 2 before."


def test_effects_are_looked_for_while_others_have_not_answered() -> None:
    made = action("a", "b")
    says(made, "a")
    made.note(lambda ledger: ledger.judged("a", "done", "", SENT + 1))
    assert made.snapshot().state == "waiting"
    assert later(made, SENT + 5).state == "finished"


def test_a_command_that_is_never_answered_waits_for_its_effect_only() -> None:
    made = action("a", "b", command="shutdown")
    assert (made.snapshot().state, made.pending()) == ("confirming", ["a", "b"])
    says(made, "b", error="NotImplementedError()", now=SENT + 1)
    assert made.pending() == ["a"]
    made.note(lambda ledger: ledger.judged("a", "done", "It is offline.", SENT + 2))
    report = made.snapshot()
    assert outcomes(report) == {"a": "asked", "b": "refused"}
    assert report.state == "finished"


@pytest.mark.parametrize(("sent", "outcome"), [("no", "unasked"), ("unknown", "silent")])
def test_one_that_failed_says_whether_anybody_may_have_heard_it(sent: str, outcome: str) -> None:
    made = action("a", sent=False)
    if sent == "unknown":
        made.note(Ledger.began_sending)
    made.note(lambda ledger: ledger.failed("refused", "Is it running?", SENT))
    report = made.snapshot()
    assert (report.state, report.sent, report.error, report.hint) == (
        "failed", sent, "refused", "Is it running?",
    )  # fmt: skip
    assert outcomes(report) == {"a": outcome}


def test_one_that_was_given_up_is_not_sent_any_more_or_says_that_it_was() -> None:
    made = action("a", sent=False)
    made.note(lambda ledger: ledger.failed("hangs", "", SENT))
    made.note(Ledger.began_sending)
    assert made.sent == "no"
    made = action("a", sent=False)
    made.note(Ledger.began_sending)
    made.note(lambda ledger: ledger.failed("hangs", "", SENT))
    made.note(lambda ledger: ledger.was_sent(SENT + 9))
    says(made, "a", now=SENT + 10)
    report = made.snapshot()
    assert (report.state, report.sent, report.sent_at) == ("failed", "yes", SENT + 9)
    assert outcomes(report) == {"a": "ok"}
    assert report.effects == {"unchecked": 1}


def test_what_was_answered_before_it_failed_stays() -> None:
    made = action("a", "b")
    says(made, "a")
    made.note(lambda ledger: ledger.failed("cut", "", SENT + 1))
    made.note(lambda ledger: ledger.failed("again", "", SENT + 2))
    report = later(made, SENT + 100)
    assert outcomes(report) == {"a": "ok", "b": "silent"}
    assert (report.error, report.finished_at) == ("cut", SENT + 1)


def test_workers_and_words_are_bounded() -> None:
    made = action("a", command="ping", max_workers=3)
    for number in range(10):
        says(made, f"w{number}", error="x" * 10_000)
    report = made.snapshot()
    assert len(report.workers) == 3
    assert report.not_taken == {"no_room": 8}
    assert {len(worker.error) for worker in report.workers} == {0, 2_000}


def test_a_report_can_be_written_as_json() -> None:
    made = action("a", "b")
    says(made, "a", value={"x": [1]})
    told = msgspec.json.decode(msgspec.json.encode(made.snapshot()))
    assert told["workers"][0]["value"] == {"x": [1]}


def test_who_waits_is_woken_by_the_next_change() -> None:
    made = action("a", command="ping")
    seen: list[int] = []
    waiting = threading.Thread(
        target=lambda: seen.append(made.wait_for_change(made.sequence, 30)), daemon=True
    )
    before = made.sequence
    waiting.start()
    assert not made.wait(0)
    says(made, "a")
    waiting.join(30)
    assert made.wait(0)
    # Either it slept and was woken, or it came too late and had nothing to wait for.
    assert not waiting.is_alive()
    assert seen[0] > before
    assert made.wait_for_change(made.sequence, 0) == made.sequence


events = st.lists(
    st.tuples(
        st.sampled_from(["ok", "refused", "done", "nothing to do", "pending", "time", "failed"]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.floats(0, 8),
    ),
    max_size=30,
)


@given(events, st.sampled_from(["pool_grow", "ping", "shutdown"]))
def test_whatever_happens_the_counts_are_right_and_it_ends(
    happens: list[tuple[str, str, float]], command: str
) -> None:
    made = action("a", "b", "c", command=command, max_workers=4)
    now, answers, was_over = SENT, 0, False
    for what, hostname, seconds in happens:
        now += seconds
        if what in ("ok", "refused"):
            says(made, hostname, error=None if what == "ok" else "no", now=now)
            answers += 1
        elif what == "time":
            later(made, now)
        elif what == "failed":
            made.note(lambda ledger, now=now: ledger.failed("cut", "", now))  # type: ignore[misc]
        elif made.worker(hostname) is not None:
            made.note(
                lambda ledger, what=what, hostname=hostname, now=now: (  # type: ignore[misc]
                    ledger.judged(hostname, what, "", now)
                )
            )
        assert made.over or not was_over  # the end is the end
        was_over = made.over
    later(made, now + 5)
    report = later(made, now + 20)
    assert made.over
    assert sum(worker.answers for worker in report.workers) == answers
    assert sum(report.outcomes.values()) == len(report.workers)
    assert not made.pending()
    assert report.finished_at is not None
    assert "unasked" not in report.outcomes
