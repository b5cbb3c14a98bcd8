"""Whether a worker did what it was told, judged from what it and its events say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celeryscope.control.commands import COMMANDS, parse
from celeryscope.control.effects import STRATEGIES, Seen, Sight


def stats(*pids: int, pool: str = "prefork", **more: Any) -> dict[str, Any]:
    implementation = f"celery.concurrency.{pool}:TaskPool"
    return {"pool": {"implementation": implementation, "processes": list(pids)}, **more}


def online(answer: bool | None) -> Sight:
    return Sight(online=lambda _hostname: answer)


def tasks(**states: str) -> Sight:
    return Sight(task_state=states.get)


LIMITED = "t [rate_limit=10/m soft_time_limit=30 time_limit=60.5]"
TIMES = {"task_name": "t", "soft": 30, "hard": 60.5}
SHUT, GROW, SHRINK = "shutdown", "pool_grow", "pool_shrink"
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    # command, its arguments, what is seen, the effect, what is said
    (SHUT, {}, {"sight": online(False)}, "done", "offline"),
    (SHUT, {}, {"sight": online(True)}, "pending", "No event says"),
    (SHUT, {}, {}, "pending", "No event says"),
    (SHUT, {}, {"before": stats(1, pid=1)}, "pending", "answered before"),
    (SHUT, {}, {"before": stats(pid=1), "after": stats(pid=1)}, "pending", "No event|answered"),
    (SHUT, {}, {"before": stats(pid=1), "after": stats(pid=2)}, "done", r"Another process \(2\)"),
    (GROW, {"n": 2}, {"before": stats(1), "after": stats(1, 2, 3)}, "done", "3 proc.*1 before"),
    (GROW, {"n": 2}, {"before": stats(1), "after": stats(1, 2)}, "pending", "2 processes"),
    (GROW, {"n": 2}, {"before": stats(1)}, "pending", "not yet told"),
    (GROW, {"n": 2}, {"after": stats(1)}, "cannot tell", "before"),
    (GROW, {"n": 2}, {"before": "?", "after": stats(1)}, "cannot tell", "before"),
    (SHRINK, {"n": 1}, {"before": stats(1, 2), "after": stats(1)}, "done", "1 proc.*2 before"),
    (SHRINK, {"n": 1}, {"before": stats(1, 2), "after": stats(1, 2)}, "pending", "2 processes"),
    # It refused: what it did of it before, one sees.
    (
        SHRINK,
        {"n": 5},
        {"refused": True, "before": stats(1, 2), "after": stats()},
        "not seen",
        "0 processes, 2 before. It did a part",
    ),
    (
        SHRINK,
        {"n": 5},
        {"refused": True, "before": stats(1, 2), "after": stats(1, 2)},
        "pending",
        r"2 processes, 2 before\.$",
    ),
    ("pool_restart", {}, {"before": stats(1, 2), "after": stats(3, 4)}, "done", "None of the earlier.*has 2"),
    ("pool_restart", {}, {"before": stats(1, 2), "after": stats(2, 3)}, "pending", "1 of its 2"),
    ("pool_restart", {}, {"before": stats(1), "after": stats()}, "pending", "0 of its 1"),
    ("pool_restart", {}, {"before": stats(1)}, "pending", "not yet told"),
    ("pool_restart", {}, {"after": stats(1)}, "cannot tell", "before"),
    (
        "pool_restart",
        {},
        {"before": stats(1, pool="solo"), "after": stats(1, pool="solo")},
        "cannot tell",
        "no processes to replace",
    ),
    ("autoscale", {"max": 5}, {"after": {"autoscaler": {"max": 5, "min": 2}}}, "done", "2 to 5"),
    ("autoscale", {"max": 5}, {"after": {"autoscaler": {"max": 4, "min": 2}}}, "pending", "2 to 4"),
    (
        "autoscale",
        {"max": 5, "min": 1},
        {"after": {"autoscaler": {"max": 5, "min": 2}}},
        "pending",
        "2 to 5",
    ),
    ("autoscale", {"max": 5}, {"after": stats(1)}, "pending", "not yet told"),
    ("add_consumer", {"queue": "q"}, {"after": [{"name": "q"}]}, "done", "It consumes from 'q'"),
    ("add_consumer", {"queue": "q"}, {"after": [{"name": "p"}]}, "pending", "does not consume"),
    ("add_consumer", {"queue": "q"}, {}, "pending", "not yet told"),
    ("cancel_consumer", {"queue": "q"}, {"after": []}, "done", "does not consume"),
    ("cancel_consumer", {"queue": "q"}, {"after": [{"name": "q"}]}, "pending", "It consumes"),
    ("cancel_consumer", {"queue": "q"}, {"after": {"x": 1}}, "pending", "not yet told"),
    ("rate_limit", {"task_name": "t", "rate_limit": "10/m"}, {"after": [LIMITED]}, "done", "10/m"),
    ("rate_limit", {"task_name": "t", "rate_limit": "9/m"}, {"after": [LIMITED]}, "pending", "10"),
    ("rate_limit", {"task_name": "t", "rate_limit": "0"}, {"after": ["t"]}, "done", "none"),
    (
        "rate_limit",
        {"task_name": "t", "rate_limit": "0"},
        {"after": ["t [rate_limit=0]"]},
        "done",
        "is none",
    ),
    (
        "rate_limit",
        {"task_name": "t", "rate_limit": "10/m"},
        {"after": ["t.other [rate_limit=10/m]"]},
        "pending",
        "not yet told",
    ),
    ("rate_limit", {"task_name": "t", "rate_limit": "1"}, {}, "pending", "not yet told"),
    ("time_limit", TIMES, {"after": [LIMITED]}, "done", "soft 30 s, hard 60.5 s"),
    ("time_limit", {**TIMES, "soft": 3}, {"after": [LIMITED]}, "pending", "soft 30 s"),
    ("time_limit", {"task_name": "t", "hard": 60.5}, {"after": [LIMITED]}, "pending", "soft 30 s"),
    ("time_limit", {"task_name": "t"}, {"after": ["t"]}, "done", "soft none, hard none"),
    ("time_limit", {"task_name": "t"}, {}, "pending", "not yet told"),
    ("revoke", {"ids": ["1", "2"]}, {"after": ["2", "1", "0"]}, "done", "knows them"),
    ("revoke", {"ids": ["1", "2"]}, {"after": ["2"]}, "pending", "1 of 2"),
    ("revoke", {"ids": ["1", "2"]}, {}, "pending", "not yet told"),
    ("revoke", {"ids": ["1"]}, {"sight": Sight(lambda _: None, {"1": "REVOKED"}.get)}, "done", "Ev"),
    ("revoke", {"ids": ["1"]}, {"sight": Sight(lambda _: None, {"1": "FAILURE"}.get)}, "pending", ""),
    ("terminate", {"ids": ["a"]}, {"reply": "terminate: tasks unknown"}, "nothing to do", "none"),
    ("terminate", {"ids": ["a"]}, {"reply": "terminate: a", "after": []}, "done", "None of them"),
    ("terminate", {"ids": ["a"]}, {"after": [{"id": "a"}, {"id": "b"}]}, "pending", "1 of 1"),
    ("terminate", {"ids": ["a"]}, {}, "pending", "not yet told"),
    ("terminate", {"ids": ["a"]}, {"sight": tasks(a="REVOKED")}, "done", "Events"),
    ("enable_events", {}, {"reply": "task events enabled"}, "done", "says"),
    ("enable_events", {}, {"reply": "task events already enabled"}, "done", "says"),
    ("disable_events", {}, {"reply": "task events disabled"}, "done", "says"),
    ("disable_events", {}, {"reply": "task events already disabled"}, "cannot tell", "-E"),
    ("pause_queue", {"queue": "q"}, {"after": [{"name": "p"}]}, "done", "does not consume"),
    ("pause_queue", {"queue": "q"}, {"after": [{"name": "q"}]}, "pending", "It consumes"),
    ("resume_queue", {"queue": "q"}, {"after": [{"name": "q"}]}, "done", "It consumes"),
    ("resume_queue", {"queue": "q"}, {"after": []}, "pending", "does not consume"),
    ("revoke_by_stamped_headers", {"headers": {"a": "1"}}, {}, "cannot tell", "word"),
]  # fmt: skip


def judge(command: str, arguments: dict[str, Any], seen: dict[str, Any]) -> tuple[str, str]:
    row = COMMANDS[command]
    parsed = parse(row, arguments)
    return STRATEGIES[row.effect].judge(Seen(command, parsed, "w@h", **seen))


@pytest.mark.parametrize(("command", "arguments", "seen", "effect", "said"), CASES)
def test_a_judge_tells_what_it_sees(
    command: str, arguments: dict[str, Any], seen: dict[str, Any], effect: str, said: str
) -> None:
    verdict = judge(command, arguments, seen)
    assert verdict[0] == effect
    assert verdict[1].endswith(".")
    assert re.search(said, verdict[1])


def test_every_judge_has_a_case_for_each_end_that_it_knows() -> None:
    ends = {(COMMANDS[case[0]].effect, case[3]) for case in CASES}
    for effect in STRATEGIES:
        assert {(effect, "done"), (effect, "cannot tell")} & ends, effect


answers: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.just(LIMITED),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["pool", "processes", "autoscaler", "max", "min", "id", "name", "pid"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "command", [name for name, c in COMMANDS.items() if c.effect in STRATEGIES]
)
@settings(max_examples=40)
@given(reply=answers, before=answers, after=answers)
def test_a_judge_never_breaks_on_what_a_worker_answers(
    command: str, reply: Any, before: Any, after: Any
) -> None:
    seen = {"reply": reply, "before": before, "after": after}
    arguments = dict(COMMANDS[command].example) or ({"n": 1} if "pool_" in command else {})
    effect, said = judge(command, {} if command == "pool_restart" else arguments, seen)
    assert effect in ("done", "pending", "nothing to do", "cannot tell")
    assert said.endswith(".")
