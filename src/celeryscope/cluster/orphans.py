"""Orphans: tasks that began, have no end, and whose worker is gone. When one is taken for lost.

A task is LOST when it began (STARTED, or a state of its own after it), no event told its end, and

* its worker has not been heard of for `lost_after_seconds` and counts as offline; or
* another process has taken its worker's name, for at least as long or for 30 seconds; or
* its worker is there, but did not list it among the tasks that it runs, twice, as far apart.

Only time in which we listened counts: while the broker is away silence proves nothing. A worker
whose pool is `solo` says nothing while it runs a task, so its silence counts only after a day.
Tasks that wait (PENDING, RECEIVED, RETRY) are never lost by this rule: their message is in the
broker, or comes back to it, and another worker gets it. A task that was delivered again
(`acks_late`) begins again, and that wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple, Protocol

from celeryscope.cluster.liveness import Status
from celeryscope.cluster.state import ClusterState
from celeryscope.model.task import FINISHED, LOST, PENDING, RECEIVED, RETRY, STARTED, Task
from celeryscope.model.worker import Worker

#: Two lists of what a worker runs are this far apart, at least; `lost_after`, where that is less.
LISTS_SECONDS: Final = 30.0
#: A process that took the name of another one is there for so long, at least.
REPLACED_SECONDS: Final = 30.0
#: Silence of a worker that says nothing while it runs a task.
SOLO_SECONDS: Final = 86_400.0
#: A list that came so soon after a task began may have been made before.
_MARGIN_SECONDS: Final = 5.0
_WAITING: Final = frozenset({PENDING, RECEIVED, RETRY})
_MOST_MISSING: Final = 20_000
#: A worker that seems to run what we think it runs is asked all the same, so often.
_ASK_ANYWAY_SECONDS: Final = 600.0
_LONG_SECONDS: Final = 3_600.0
_MOST_ASKED: Final = 20
_MOST_LISTS: Final = 1_000


class Sign(NamedTuple):
    """What is known of the worker that a task began on. Seconds are those we listened in."""

    status: Status
    said_offline: bool
    silent_seconds: float  # since its last sign of life, or since we listen
    solo: bool  # its pool says nothing while a task runs
    replaced_seconds: float | None  # since another process has its name; None: none has
    missing: int  # times in a row, far enough apart, that its list did not have the task


class Inspection(Protocol):
    """What a worker answered (`control.inspect.Inspection`)."""

    @property
    def at(self) -> float: ...
    @property
    def stats(self) -> dict[str, Any] | None: ...
    @property
    def active(self) -> list[Any] | None: ...
    @property
    def active_at(self) -> float | None: ...


def may_be_lost(task: Task) -> bool:
    """Say whether a task is in a state that an orphan can be in."""
    if task.state == STARTED:
        return True
    ended = task.state in FINISHED or task.state in _WAITING or task.state == LOST
    return not ended and task.started is not None


def why_lost(worker: str, sign: Sign, *, lost_after_seconds: float) -> str | None:
    """Say why a task on this worker is lost, as a sentence; None: it may run still.

    `lost_after_seconds` of 0: none ever is.
    """
    if not lost_after_seconds:
        return None
    if sign.replaced_seconds is not None and sign.status != "unknown":
        patience = min(lost_after_seconds, REPLACED_SECONDS)
        if sign.replaced_seconds >= patience:
            return (
                f"The process of {worker} that ran it is gone: another process has had that name "
                f"for {_duration(sign.replaced_seconds)}."
            )
    patience = lost_after_seconds
    if sign.solo and not sign.said_offline:
        patience = max(patience, SOLO_SECONDS)
    if sign.status == "offline" and sign.silent_seconds >= patience:
        said = "It said that it ends. " if sign.said_offline else ""
        return (
            f"{worker}, which ran it, is gone: nothing was heard of it for "
            f"{_duration(sign.silent_seconds)}. {said}".rstrip()
        )
    if sign.status == "online" and sign.missing >= 2:
        return f"{worker} is there, but no longer has it among the tasks that it runs."
    return None


class Orphans:
    """Finds in memory what may be lost, and what is known of its worker. For one thread.

    `listened` says how many seconds since a time (epoch seconds) we were connected. `inspections`
    gives the workers' answers, and `status` says who is online.
    """

    def __init__(
        self,
        state: ClusterState,
        *,
        status: Callable[[Worker, float], Status],
        listened: Callable[[float, float], float],
        inspections: Callable[[], Mapping[str, Inspection]],
        lost_after_seconds: float,
    ) -> None:
        self._state = state
        self._status = status
        self._listened = listened
        self._inspections = inspections
        self._lost_after = lost_after_seconds
        self._apart = min(LISTS_SECONDS, lost_after_seconds)
        self._margin = min(_MARGIN_SECONDS, lost_after_seconds)
        # By task: how many lists did not have it, and when the last of these came.
        self._missing: dict[str, tuple[int, float]] = {}
        self._asked: dict[str, float] = {}  # worker -> when
        self._lists: dict[
            str, tuple[float | None, AbstractSet[str]]
        ] = {}  # worker -> when it told, ids

    def task(self, uuid: str) -> Task | None:
        """Give a task that is in memory."""
        return self._state.tasks.get(uuid)

    def unfinished(self) -> list[Task]:
        """Give the tasks in memory that have no end."""
        with self._state.lock:
            tasks = list(self._state.tasks.values())
        return [task for task in tasks if task.state not in FINISHED]

    def why_lost(self, task: Task, now: float) -> str | None:
        """Say why a task, in memory or not, is lost at `now`; None: it may run still."""
        if task.worker is None or not may_be_lost(task):
            return None
        return why_lost(task.worker, self.sign(task, now), lost_after_seconds=self._lost_after)

    def sign(self, task: Task, now: float) -> Sign:
        """Say what is known of the worker that a task began on."""
        assert task.worker is not None
        with self._state.lock:
            worker = self._state.workers.get(task.worker)
            process = self._state.process(task.worker)
        told = self._inspections().get(task.worker)
        answered = 0.0 if told is None else told.at
        if worker is None:
            # It has sent nothing since we look; it may have answered all the same.
            silent = self._listened(answered, now)
            status: Status = "online" if answered and silent < self._lost_after else "offline"
            return Sign(status, False, silent, _is_solo(told), None, self._count(task, told))
        last = max(worker.last_seen, answered)
        status = self._status(worker, now)
        if status == "offline" and not worker.said_offline and answered > worker.last_seen:
            # It sends no heartbeats; but it answers.
            status = "online" if self._listened(answered, now) < self._lost_after else "offline"
        replaced = None
        if process is not None and process.began is not None and task.started is not None:
            pid = task.state_pid if task.state == STARTED else None
            began = process.began - worker.skew  # our clock
            # In a container the next process may have the same id. Another id may be that of a
            # second worker of the same name: then the first one goes on to be heard of.
            silent_since = pid is None or pid == process.pid or process.heard.get(pid, 0.0) <= began
            if process.began > task.started and silent_since:
                replaced = self._listened(began, now)
        return Sign(
            status,
            worker.said_offline,
            self._listened(last, now),
            _is_solo(told),
            replaced,
            self._count(task, told),
        )

    def to_inspect(self, tasks: list[Task], now: float) -> list[str]:
        """Give the workers to be asked what they run, since they seem to run less than we think.

        `tasks` are those that may be lost.
        """
        by_worker: dict[str, list[Task]] = {}
        for task in tasks:
            if task.worker is not None:
                by_worker.setdefault(task.worker, []).append(task)
        wanted = []
        for hostname, theirs in by_worker.items():
            worker = self._state.workers.get(hostname)
            if worker is None or self._status(worker, now) != "online":
                continue
            oldest = min(task.started or now for task in theirs)
            since = now - self._asked.get(hostname, 0.0)
            fewer = worker.active is not None and worker.active < len(theirs)
            if (fewer and since > self._apart and now - oldest > self._apart) or (
                now - oldest > _LONG_SECONDS and since > _ASK_ANYWAY_SECONDS
            ):
                wanted.append(hostname)
        del wanted[_MOST_ASKED:]
        for hostname in wanted:
            self._asked[hostname] = now
        if len(self._asked) > _MOST_MISSING:
            self._asked.clear()
        return wanted

    def _count(self, task: Task, told: Inspection | None) -> int:
        """Count the lists without this task, each once."""
        uuid = task.uuid
        count, last = self._missing.get(uuid, (0, 0.0))
        if told is None or told.active is None or told.active_at is None:
            return count
        worker = self._state.workers.get(task.worker or "")
        began = (task.started or 0.0) - (0.0 if worker is None else worker.skew)
        if told.active_at < max(began + self._margin, last + (self._apart if count else 0.0)):
            return count
        if uuid in self._listed(task.worker or "", told):
            self._missing.pop(uuid, None)
            return 0
        if told.active_at > last:
            count += 1
            if len(self._missing) >= _MOST_MISSING:
                del self._missing[next(iter(self._missing))]
            self._missing[uuid] = (count, told.active_at)
        return count

    def _listed(self, hostname: str, told: Inspection) -> AbstractSet[str]:
        at, ids = self._lists.get(hostname, (None, frozenset()))
        if at != told.active_at:
            ids = frozenset(str(one.get("id")) for one in told.active or () if type(one) is dict)
            self._lists[hostname] = (told.active_at, ids)
            if len(self._lists) > _MOST_LISTS:
                del self._lists[next(iter(self._lists))]
        return ids


def _is_solo(told: Inspection | None) -> bool:
    pool = (told.stats or {}).get("pool") if told is not None else None
    return isinstance(pool, dict) and "solo" in str(pool.get("implementation", ""))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours"
