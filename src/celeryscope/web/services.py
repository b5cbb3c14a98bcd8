"""What the web application shows: everything it asks of the rest of the house."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from celeryscope.cluster.accounting import Accounting
from celeryscope.cluster.liveness import Status
from celeryscope.cluster.state import ClusterState
from celeryscope.control.action import Report
from celeryscope.control.commands import Role
from celeryscope.control.results import Result
from celeryscope.model.message import Page
from celeryscope.model.schedule import Schedule
from celeryscope.model.worker import Worker
from celeryscope.web.activity import Activity
from celeryscope.web.figures import Figures
from celeryscope.web.selections import Selections


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where the events come from, and whether they do."""

    transport: str
    url: str  # without the password
    state: Literal["connecting", "connected", "disconnected"]
    since: float  # epoch seconds
    error: str | None
    hint: str | None


class IngestStats(msgspec.Struct, frozen=True, kw_only=True):
    """What the reader of events says of itself."""

    lag_seconds: float
    buffer_bytes: int
    buffer_limit_bytes: int
    mask_active: bool = False
    label_overflow: dict[str, int] = {}  # metric label -> values that had no room


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


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What `/metrics` and the health answers need; all that the exporter has."""

    broker: Callable[[], Broker]
    render_metrics: Callable[[bool], bytes]  # True: OpenMetrics, False: text
    ready: Callable[[], bool]  # are we subscribed to the events?


@dataclass(frozen=True, kw_only=True)
class Services(Vitals):
    """What the composition root hands over for the whole console."""

    state: ClusterState
    accounting: Accounting
    inspector: Inspector
    queues: Queues
    messages: Messages
    ingest: Callable[[], IngestStats]
    worker_status: Callable[[Worker, float], Status]  # the worker, now
    version: str
    started_at: float  # epoch seconds
    desk: Desk
    results: Results
    schedules: Schedules
    role: Role = "admin"  # what everyone who reaches us may do
    read_only: bool = False  # nobody may change anything
    grafana_url: str | None = None  # a Grafana that has our dashboards; no slash at its end
    clock: Callable[[], float] = time.time
    refresh_timeout_seconds: float = 5.0  # at most, for `?refresh=1`
    activity: Activity = field(default_factory=Activity)
    figures: Figures = field(default_factory=Figures)
    selections: Selections = field(default_factory=Selections)
