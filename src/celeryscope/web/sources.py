"""What the web room asks of the rest of the house: each by its role, in a protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from celeryscope.cluster.heartbeats import Heartbeat
from celeryscope.control.action import Report
from celeryscope.control.results import Result
from celeryscope.model.message import Page
from celeryscope.model.schedule import Schedule
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.web.figures import Measured


class State(Measured, Protocol):
    """The cluster as events tell of it; `lock` is held while several things of it are read."""

    @property
    def mask(self) -> Callable[[str], str] | None: ...
    @property
    def tasks(self) -> Mapping[str, Task]: ...  # oldest first
    @property
    def workers(self) -> Mapping[str, Worker]: ...
    @property
    def sole_queues(self) -> Mapping[str, str]: ...
    @property
    def states(self) -> Mapping[str, int]: ...
    @property
    def totals(self) -> Mapping[str, int]: ...
    @property
    def task_changes(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def max_tasks(self) -> int: ...
    @property
    def evicted(self) -> int: ...
    @property
    def evicted_live(self) -> int: ...
    def clients_ahead(self) -> Mapping[str | None, float]: ...
    def heartbeats(self, hostname: str, now: float) -> list[Heartbeat]: ...
    def recent_changes(self, after: int) -> list[tuple[Task, int]]: ...


class Inspection(Protocol):
    """What one worker answered when it was asked; None where it did not."""

    @property
    def hostname(self) -> str: ...
    @property
    def at(self) -> float: ...
    @property
    def stats(self) -> dict[str, Any] | None: ...
    @property
    def registered(self) -> list[str] | None: ...
    @property
    def active_queues(self) -> list[dict[str, Any]] | None: ...
    @property
    def conf(self) -> dict[str, Any] | None: ...
    @property
    def active(self) -> list[Any] | None: ...
    @property
    def reserved(self) -> list[Any] | None: ...
    @property
    def scheduled(self) -> list[Any] | None: ...
    @property
    def revoked(self) -> list[Any] | None: ...
    @property
    def lists_at(self) -> float | None: ...


class Waitable(Protocol):
    """The promise of an inspection round."""

    def result(self, timeout: float | None = None) -> object: ...


class Inspector(Protocol):
    """Asks the workers, in a thread of its own."""

    @property
    def latest(self) -> Mapping[str, Inspection]: ...
    @property
    def error(self) -> str | None: ...
    def request(self, hostname: str | None = None) -> Waitable: ...


class QueueDepth(Protocol):
    """How full a queue is; None where that is not known, with the reason."""

    @property
    def name(self) -> str: ...
    @property
    def messages(self) -> int | None: ...
    @property
    def consumers(self) -> int | None: ...
    @property
    def unacknowledged(self) -> int | None: ...
    @property
    def error(self) -> str | None: ...


class Trend(Protocol):
    """Where a queue's depth goes."""

    @property
    def per_second(self) -> float: ...
    @property
    def shrinks(self) -> bool: ...  # beyond doubt


class DepthHistory(Protocol):
    """The queues' depths of the last ten minutes."""

    def of(self, name: str) -> tuple[list[float], list[int | None]]: ...
    @property
    def trends(self) -> Mapping[str, Trend]: ...


class Messages(Protocol):
    """Looks at the messages that wait in a queue; takes its time. Used from any thread.

    Raises `NotPossible`, `NotFound`, `Unavailable` and `SourceError`.
    """

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page: ...


class Queues(Protocol):
    """Reads the queues' depths from the broker, in a thread of its own."""

    @property
    def latest(self) -> Mapping[str, QueueDepth]: ...
    @property
    def error(self) -> str | None: ...  # of the last attempt; what is in `latest` is older
    @property
    def at(self) -> float | None: ...  # when `latest` was read
    @property
    def asked(self) -> Sequence[str]: ...  # in the last attempt
    @property
    def attempts(self) -> int: ...
    @property
    def interval_seconds(self) -> float: ...
    @property
    def history(self) -> DepthHistory: ...


class Action(Protocol):
    """A command on its way, or over. Used from any thread."""

    @property
    def id(self) -> str: ...
    @property
    def over(self) -> bool: ...
    @property
    def sequence(self) -> int: ...  # grows with every change
    def snapshot(self) -> Report: ...
    def wait(self, timeout_seconds: float) -> bool: ...
    def wait_for_change(self, sequence: int, timeout_seconds: float) -> int: ...


class Desk(Protocol):
    """Takes commands; each is on its way when `send` returns. Used from any thread.

    `send` raises `NotFound`, `BadArgument`, `NotPossible` and `Unavailable` before anything is
    done; `get` and `stop` raise `NotFound`, `stop` also `NotPossible`.
    """

    def send(
        self,
        command: str,
        arguments: Mapping[str, Any],
        *,
        workers: Sequence[str] | None = None,
        confirm: str | None = None,
        max_ids: int | None = None,
    ) -> Action: ...
    def get(self, ident: str) -> Action: ...
    def actions(self) -> Sequence[Action]: ...
    def stop(self, ident: str) -> Action: ...


class Results(Protocol):
    """Reads the result backend; takes its time. Used from any thread.

    Raises `NotPossible` where there is none, `Unavailable` where it cannot be reached.
    """

    @property
    def configured(self) -> bool: ...
    def read(self, task_id: str, *, timeout_seconds: float | None = None) -> Result: ...


class Schedules(Protocol):
    """Reads the entries of schedules, in a thread of its own."""

    @property
    def latest(self) -> Sequence[Schedule]: ...  # one of each source
