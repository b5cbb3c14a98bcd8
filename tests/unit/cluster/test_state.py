"""The fold: what tasks and workers look like after events in any order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.cluster.state import TASK_EVENTS, Applied, ClusterState
from celeryscope.model.event import Event
from celeryscope.model.task import STATES, Task
from celeryscope.model.worker import Worker
from tests.unit.cluster.events import CLIENT, T0, WORKER, event, heartbeat, life

NOW = T0 + 1000.0


def folded(
    events: Iterable[Event], state: ClusterState | None = None, *, delay: float = 0.001
) -> ClusterState:
    """Fold events one by one, each arriving a moment after it was made."""
    state = state or ClusterState()
    for one in events:
        with state.lock:
            state.apply([one], one.timestamp + delay)
    return state


def all_at_once(events: Sequence[Event]) -> tuple[ClusterState, list[Applied]]:
    state = ClusterState()
    with state.lock:
        return state, state.apply(events, NOW)


def test_a_task_is_told_by_its_four_events() -> None:
    task = folded(life()).tasks["a"]
    assert task.state == "SUCCESS"
    assert (task.name, task.queue, task.worker, task.client) == ("shop.pay", "high", WORKER, CLIENT)
    assert [round(t - T0, 3) for t in (task.sent, task.received, task.started) if t] == [
        0.0,
        0.1,
        0.2,
    ]
    assert task.result == "'ok'"
    assert task.runtime == 0.5
    assert task.wait == pytest.approx(0.2)
    assert task.state_at == T0 + 0.7


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_arrival_does_not_matter(order: tuple[int, ...]) -> None:
    in_order = folded(life()).tasks["a"]
    told = life()
    task = all_at_once([told[i] for i in order])[0].tasks["a"]
    for field in ("state", "name", "queue", "worker", "sent", "received", "started", "succeeded"):
        assert getattr(task, field) == getattr(in_order, field), field
    assert task.result == "'ok'"


@pytest.mark.parametrize("end", ["task-failed", "task-revoked", "task-rejected", "task-succeeded"])
def test_each_end_has_its_state(end: str) -> None:
    task = folded(life(end=end)).tasks["a"]
    assert task.state == TASK_EVENTS[end][1]


def test_a_second_copy_of_an_event_changes_nothing() -> None:
    told = [*life("a"), *life("b", at=1.0, end="task-failed"), heartbeat(2.0, processed=2)]
    once = folded(told)
    twice = folded([*told, *told, *told])
    assert twice.totals == once.totals
    assert twice.duplicates == 2 * len(told)
    assert twice.workers[WORKER].counts == once.workers[WORKER].counts
    assert msgspec.to_builtins(twice.tasks["b"]) == msgspec.to_builtins(once.tasks["b"])
    assert twice.names == once.names


def retried() -> list[Event]:
    """A run that is retried and then succeeds, in the order Celery really sends it."""
    first = life()[:3]
    again = {"name": "shop.pay", "args": "(1,)", "kwargs": "{}", "retries": 1}
    return [
        *first,
        event("task-sent", 0.700, hostname="gen100@web1", pid=101, queue="high", **again),
        event("task-received", 0.701, clock=5, **again),
        event("task-retried", 0.712, clock=6, exception="TimeoutError()", traceback="..."),
        event("task-started", 1.7, clock=8),
        event("task-succeeded", 2.2, clock=9, result="1", runtime=0.5),
    ]


def test_a_retry_is_one_task_with_all_its_runs() -> None:
    states = []
    state = ClusterState()
    for one in retried():
        folded([one], state)
        states.append(state.tasks["a"].state)
    assert states == [
        "PENDING", "RECEIVED", "STARTED", "STARTED", "STARTED", "RETRY", "STARTED", "SUCCESS",
    ]  # fmt: skip
    task = state.tasks["a"]
    assert task.retries == 1
    assert sorted(kind for kind, _, _, _ in task.log) == [
        "received", "received", "retried", "sent", "sent", "started", "started", "succeeded",
    ]  # fmt: skip
    assert state.totals["task-started"] == 2
    assert state.names["shop.pay"].retried == 1


def test_a_retried_task_ends_the_same_in_any_order() -> None:
    random.seed(7)
    for _ in range(300):
        told = retried()
        random.shuffle(told)
        state, applied = all_at_once(told)
        assert state.tasks["a"].state == "SUCCESS"
        assert len(applied) == len(told)
        assert state.workers[WORKER].running == {}


def test_the_clock_of_one_process_orders_what_its_wall_clock_does_not() -> None:
    told = life()
    stepped_back = msgspec.structs.replace(told[3], timestamp=T0 - 60.0)
    assert folded([*told[:3], stepped_back]).tasks["a"].state == "SUCCESS"


def test_after_a_restart_of_its_worker_a_task_goes_on_although_clocks_begin_again() -> None:
    told = life()
    redelivered = [
        event("task-received", 60.0, pid=222, clock=1, name="shop.pay"),
        event("task-started", 60.1, pid=222, clock=2),
        event("task-succeeded", 60.2, pid=222, clock=3, result="1", runtime=0.1),
    ]
    state = folded([*told[:3], *redelivered])
    assert state.tasks["a"].state == "SUCCESS"
    assert state.workers[WORKER].restarts == 1


def test_a_finished_task_is_not_reopened_by_its_own_late_start() -> None:
    told = life()
    assert folded([told[0], told[3], told[2], told[1]]).tasks["a"].state == "SUCCESS"


def test_a_finished_task_that_starts_again_is_running() -> None:
    state = folded([*life(), event("task-started", 30.0, clock=90)])
    assert state.tasks["a"].state == "STARTED"
    assert state.workers[WORKER].running == {"a": T0 + 30.0}


def test_a_rejected_task_is_shown_as_rejected_unless_it_failed() -> None:
    rejected = event("task-rejected", 0.8, clock=9, requeue=False)
    assert folded([*life()[:3], rejected]).tasks["a"].state == "REJECTED"
    assert folded([*life(end="task-failed"), rejected]).tasks["a"].state == "FAILURE"


def test_a_custom_state_is_shown_until_the_task_ends() -> None:
    told = life()
    state = folded([*told[:3], event("task-progress", 0.4, clock=3)])
    assert state.tasks["a"].state == "PROGRESS"
    assert folded([msgspec.structs.replace(told[3], clock=4)], state).tasks["a"].state == "SUCCESS"


@pytest.mark.parametrize("ahead", [-300.0, -2.0, 0.0, 2.0, 300.0])
def test_waiting_time_does_not_see_a_wrong_clock(ahead: float) -> None:
    told = [
        one
        if one.hostname == CLIENT
        else msgspec.structs.replace(one, timestamp=one.timestamp + ahead)
        for one in life()
    ]
    state = ClusterState()
    for one, arrives in zip(told, (0.0, 0.1, 0.2, 0.7), strict=True):
        state.apply([one], T0 + arrives)
    assert state.tasks["a"].wait == pytest.approx(0.2, abs=0.05)
    assert state.tasks["a"].state == "SUCCESS"
    assert state.workers[WORKER].skew == pytest.approx(ahead, abs=0.01)


def test_a_task_that_started_before_its_client_stamped_it_did_not_wait() -> None:
    told = life()
    late = msgspec.structs.replace(told[0], timestamp=T0 + 0.3)
    assert folded([told[1], told[2], late, told[3]]).tasks["a"].wait == 0.0


def test_an_eta_is_not_waiting() -> None:
    told = life()
    eta = "2026-11-18T11:06:40.150000+00:00"  # T0 is 11:06:40 UTC
    told[0] = msgspec.structs.replace(told[0], eta=eta)
    told[1] = msgspec.structs.replace(told[1], eta=eta)
    assert folded(told).tasks["a"].wait == pytest.approx(0.05)


def test_an_event_of_a_pool_process_is_no_restart_of_the_worker() -> None:
    told = life()
    state = folded([heartbeat(0.0, processed=0), *told[:3], event("task-progress", 0.4, pid=4242)])
    worker = state.workers[WORKER]
    assert (worker.restarts, worker.pid) == (0, 100)


def test_finished_tasks_go_first_when_there_is_no_room() -> None:
    state = ClusterState(max_tasks=5)
    folded(life("running")[:3], state)
    for i in range(20):
        folded(life(f"t{i}", at=1.0 + i), state)
    assert len(state.tasks) == 6
    assert "running" in state.tasks
    assert "t19" in state.tasks
    assert state.evicted == 15
    assert state.evicted_live == 0
    assert sum(state.states.values()) == 6


def test_waiting_tasks_are_bounded_too_and_counted() -> None:
    state = ClusterState(max_tasks=10)
    for i in range(75):
        folded(life(f"t{i}", at=float(i))[:1], state)
    assert len(state.tasks) == 50
    assert state.evicted_live == 25


def test_a_pile_of_waiting_tasks_leaves_room_for_finished_ones() -> None:
    state = ClusterState(max_tasks=10)
    for i in range(40):
        folded(life(f"waits{i}", at=float(i))[:1], state)
    for i in range(30):
        folded(life(f"t{i}", at=100.0 + i), state)
    assert state.states["PENDING"] == 40
    assert state.states["SUCCESS"] == 10
    assert state.evicted_live == 0


def test_long_texts_are_cut_and_their_size_is_bounded() -> None:
    state = ClusterState(max_text_chars=100, max_text_bytes=2000)
    for i in range(50):
        told = life(f"t{i}", at=float(i))
        told[3] = msgspec.structs.replace(told[3], result="x" * 100_000)
        folded(told, state)
    assert state.text_bytes <= 2000
    newest = state.tasks["t49"]
    assert newest.truncated
    assert newest.result is not None
    assert len(newest.result) == 101


def test_what_the_mask_covers_is_never_kept() -> None:
    state = ClusterState(mask=lambda text: text.replace("secret", "***"))
    told = life(end="task-failed")
    told[0] = msgspec.structs.replace(told[0], args="('secret',)")
    told[3] = msgspec.structs.replace(told[3], exception="E('secret')", traceback="at secret")
    folded(told, state)
    assert "secret" not in str(msgspec.to_builtins(state.tasks["a"]))
    assert state.names["shop.pay"].last_exception == "E('***')"


def test_a_secret_is_masked_before_the_text_is_cut() -> None:
    state = ClusterState(max_text_chars=64, mask=lambda text: text.replace("secret", "***"))
    told = life()
    told[0] = msgspec.structs.replace(told[0], args="x" * 60 + "secret")
    folded(told, state)
    assert state.tasks["a"].args == "x" * 60 + "***"


def test_without_arguments_neither_they_nor_results_are_kept() -> None:
    state = ClusterState(keep_arguments=False)
    told = life()
    told[0] = msgspec.structs.replace(told[0], args="('secret',)", kwargs="{'b': 'secret'}")
    told[3] = msgspec.structs.replace(told[3], result="'secret'")
    folded(told, state)
    assert "secret" not in str(msgspec.to_builtins(state.tasks["a"]))
    assert state.tasks["a"].state == "SUCCESS"
    hide = state.mask_arguments
    assert hide is not None
    assert hide("anything") == "***"


def test_without_arguments_a_failure_still_says_why() -> None:
    state = ClusterState(keep_arguments=False, mask=lambda text: text.replace("secret", "***"))
    told = life(end="task-failed")
    told[3] = msgspec.structs.replace(told[3], exception="E('secret')", traceback="at home")
    folded(told, state)
    assert (state.tasks["a"].exception, state.tasks["a"].traceback) == ("E('***')", "at home")


def test_a_task_that_replaces_itself_has_the_name_and_arguments_of_what_runs_now() -> None:
    told = life()
    told[3:] = [
        event("task-sent", 0.4, uuid="a", name="shop.refund", args="(2,)", hostname="gen@h"),
        event("task-received", 0.5, uuid="a", name="shop.refund", args="(2,)"),
        event("task-started", 0.6, uuid="a"),
        event("task-succeeded", 0.7, uuid="a", runtime=0.1),
    ]
    state = folded(told)
    task = state.tasks["a"]
    assert (task.name, task.args, task.state) == ("shop.refund", "(2,)", "SUCCESS")
    assert state.names["shop.pay"].started == 1
    assert state.names["shop.pay"].succeeded == 0
    assert state.names["shop.refund"].succeeded == 1
    assert state.text_bytes == task.text_bytes
    folded([event("task-sent", -0.5, uuid="a", name="shop.pay", hostname="late@h")], state)
    assert task.name == "shop.refund"


def test_a_retry_does_not_make_a_task_its_own_parent() -> None:
    told = life()
    told[0] = msgspec.structs.replace(told[0], parent_id="chain")
    again = event("task-sent", 0.4, uuid="a", name="shop.pay", parent_id="a", retries=1)
    assert folded([*told[:3], again]).tasks["a"].parent_id == "chain"
    assert folded([again, *told[:3]]).tasks["a"].parent_id == "chain"


def test_a_worker_is_told_by_its_heartbeats() -> None:
    state = folded([heartbeat(0.0, kind="worker-online", processed=0), heartbeat(2.0, processed=7)])
    worker = state.workers[WORKER]
    assert (worker.processed, worker.freq, worker.sw_ver, worker.pid) == (7, 2.0, "5.6.0", 100)
    assert worker.loadavg == (0.5, 0.4, 0.3)
    assert not worker.said_offline


def test_it_says_how_many_starts_of_a_worker_never_came() -> None:
    state = folded([heartbeat(0.0, kind="worker-online", processed=0)])
    folded(life("a", at=0.5), state)
    for i in range(1, 6):
        folded([heartbeat(2.0 * i, processed=4)], state)  # four were accepted, one start came
    state.tick(T0 + 60.0)
    assert state.workers[WORKER].lost == 3


def test_a_task_whose_end_is_never_told_does_not_run_for_ever() -> None:
    state = folded([heartbeat(0.0, processed=0), *life()[:3]])
    worker = state.workers[WORKER]
    folded([heartbeat(4.0, processed=1, active=1)], state)
    assert list(worker.running) == ["a"]
    folded([heartbeat(6.0, processed=1, active=0)], state)
    assert worker.running == {}
    assert state.tasks["a"].state == "STARTED"  # what became of it nobody told


def test_a_task_whose_end_was_never_told_does_not_run_forever() -> None:
    state = folded([*life("a")[:3], heartbeat(2.0, processed=1)])
    assert set(state.workers[WORKER].running) == {"a"}  # its end may still be on the way
    folded([heartbeat(4.0, processed=1)], state)
    assert state.workers[WORKER].running == {}
    assert state.ends_unseen == 1
    assert state.tasks["a"].state == "STARTED"


def test_a_worker_that_goes_is_offline_and_runs_nothing() -> None:
    state = folded([heartbeat(0.0, processed=0), *life()[:3], event("worker-offline", 3.0)])
    worker = state.workers[WORKER]
    assert worker.said_offline
    assert worker.running == {}


def test_the_goodbye_of_the_process_before_does_not_end_the_new_one() -> None:
    state = folded(
        [
            heartbeat(0.0, processed=9),
            heartbeat(5.0, kind="worker-online", processed=0, pid=200),
            event("worker-offline", 4.0, pid=100),
        ]
    )
    assert not state.workers[WORKER].said_offline
    assert state.workers[WORKER].pid == 200


def test_workers_are_bounded_and_a_gone_one_makes_room() -> None:
    state = ClusterState(max_workers=3)
    for i in range(3):
        folded([heartbeat(0.0, processed=0, hostname=f"w{i}@h")], state)
    folded([heartbeat(1.0, processed=0, hostname="w3@h")], state)
    assert set(state.workers) == {"w0@h", "w1@h", "w2@h"}
    assert state.workers_refused == 1
    folded([heartbeat(60.0, processed=0, hostname="w4@h")], state)
    assert set(state.workers) == {"w1@h", "w2@h", "w4@h"}


def test_a_flood_of_host_names_is_not_looked_through_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []

    def last_seen(worker: Worker) -> float:
        looked.append(worker.hostname)
        return worker.last_seen

    monkeypatch.setattr("celeryscope.cluster.state._last_seen", last_seen)
    state = ClusterState(max_workers=100)
    for i in range(300):
        folded([heartbeat(i / 100, processed=0, hostname=f"w{i}@h")], state)
    assert state.workers_refused == 200
    assert len(looked) <= 300


def test_a_million_names_and_hosts_do_not_grow_it_without_bound() -> None:
    state = ClusterState(max_tasks=100, max_workers=50, max_clients=50, max_names=20)
    for i in range(5000):
        sender = {"hostname": f"gen{i}@h{i}", "pid": i}
        state.apply(
            [event("task-sent", i / 100, uuid=f"u{i}", name=f"n{i}", **sender)], T0 + i / 100
        )
        state.apply([heartbeat(i / 100, processed=0, hostname=f"w{i}@h")], T0 + i / 100)
        state.apply([event(f"custom-{i}", i / 100)], T0 + i / 100)
        state.apply([event(f"task-custom-{i}", i / 100)], T0 + i / 100)
    assert len(state.tasks) <= 500
    assert len(state.workers) <= 50
    assert len(state.clients) <= 50
    assert len(state.names) <= 20
    assert len(state.totals) <= 101
    assert len(state.states) <= 51


# ---------------------------------------------------------------------- any stream at all

_hosts = st.sampled_from([WORKER, "celery@web2", CLIENT, "x"])
_times = st.floats(min_value=T0 - 100, max_value=T0 + 100)
_texts = st.none() | st.sampled_from(["", "a", "\x00", "<b>", "é" * 50])
_types = st.sampled_from([*TASK_EVENTS, "worker-online", "worker-heartbeat", "worker-offline"])
_events = st.builds(
    Event,
    type=_types | st.sampled_from(["task-progress", "task-", "hello", "worker-x"]),
    hostname=_hosts,
    timestamp=_times,
    uuid=st.sampled_from(["a", "b", "c"]),
    pid=st.none() | st.integers(1, 3),
    clock=st.none() | st.integers(0, 20),
    name=_texts,
    args=_texts,
    queue=_texts,
    retries=st.none() | st.integers(0, 3),
    eta=st.none() | st.sampled_from(["2026-11-18T11:06:40+00:00", "never", ""]),
    processed=st.none() | st.integers(0, 50),
    active=st.none() | st.integers(0, 5),
    freq=st.none() | st.sampled_from([0.0, -1.0, 2.0]),
    runtime=st.none() | st.floats(0, 10),
    result=_texts,
    exception=_texts,
)


@given(st.lists(_events, max_size=60))
def test_no_stream_of_events_breaks_it(events: list[Event]) -> None:
    state = ClusterState(max_tasks=2, max_workers=2, max_clients=1, max_names=2)
    applied = state.apply(events, T0)
    state.tick(T0 + 100.0)
    assert state.failures == 0, state.last_failure
    assert len(applied) + state.duplicates == len(events)
    assert sum(state.totals.values()) == len(applied)
    counted: dict[str, int] = {}
    for task in state.tasks.values():
        counted[task.state] = counted.get(task.state, 0) + 1
    assert counted == {name: n for name, n in state.states.items() if n}
    for worker in state.workers.values():
        assert worker.lost >= 0
        for uuid in worker.running:
            assert state.tasks[uuid].state == "STARTED"


@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=8))
def test_counts_are_exact_whatever_comes_twice_and_in_what_order(
    order: list[int], again: list[int]
) -> None:
    told = retried()
    state, applied = all_at_once([told[i] for i in [*order, *again]])
    assert len(applied) == 8
    assert state.totals == {
        "task-sent": 2,
        "task-received": 2,
        "task-started": 2,
        "task-retried": 1,
        "task-succeeded": 1,
    }
    assert state.names["shop.pay"].started == 2


def test_states_are_celerys() -> None:
    assert {state for _, state in TASK_EVENTS.values()} == set(STATES)
    assert Task(uuid="a", first_seen=0.0).state == "PENDING"
