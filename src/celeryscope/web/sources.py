"""What the web room asks of the rest of the house: each by its role, in a protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from celeryscope.cluster.heartbeats import Heartbeat
from celeryscope.control.action import Report
from celeryscope.control.results import Result
from celeryscope.history.finding import Count, Cursor, Extent, Facets, Sort
from celeryscope.history.finding import Page as TaskPage
from celeryscope.history.record import Attempt
from celeryscope.history.relatives import Relatives
from celeryscope.history.retention import Limits, Status
from celeryscope.history.searches import Search
from celeryscope.model.message import Page
from celeryscope.model.query import Query
from celeryscope.model.schedule import Schedule
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.web.figures import Measured


class State(Measured, Protocol):
    """The cluster as events tell of it; `lock` is held while several things of it are read."""

    @property
    def mask(self) -> Callable[[str], str] | None: ...
    @property
    def mask_arguments(self) -> Callable[[str], str] | None: ...  # of arguments and results
    @property
    def keep_arguments(self) -> bool: ...  # False: they, and results, are not kept
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
    def groups(
        self, task_ids: Sequence[str], *, timeout_seconds: float | None = None
    ) -> Mapping[str, str | None]: ...


class Schedules(Protocol):
    """Reads the entries of schedules, in a thread of its own."""

    @property
    def latest(self) -> Sequence[Schedule]: ...  # one of each source


class Searches(Protocol):
    """Queries that people keep. Used from any thread; raises `Unavailable` as `History` does."""

    def seen_by(self, owner: str, *, with_shared: bool = True) -> list[Search]: ...
    def save(
        self, owner: str, *, name: str, query: str, sort: str, shared: bool, now: float
    ) -> Search: ...
    def remove(self, ident: int, *, owner: str, any_owner: bool = False) -> Search: ...


class Place(Protocol):
    """Where a history is."""

    @property
    def name(self) -> str: ...  # without any password


class Retention(Protocol):
    """Takes out of the history what is too old or too much, in a thread of its own."""

    @property
    def limits(self) -> Limits: ...
    def status(self) -> Status: ...


class Ends(Protocol):
    """How the ends of tasks are looked for that no event told."""

    @property
    def asking(self) -> bool: ...  # there is a result backend that is asked
    @property
    def waiting(self) -> int: ...  # tasks that it is still to be asked about
    @property
    def fetched(self) -> int: ...  # ends that it knew
    @property
    def lost(self) -> int: ...  # tasks taken for lost
    @property
    def trouble(self) -> str | None: ...  # why it cannot be asked, as a sentence


class History(Protocol):
    """What became of every task, on disk. Used from any thread.

    Raises `Unavailable` where it cannot be read. All that it gives of tasks is what somebody may
    see whose share it is.
    """

    @property
    def trouble(self) -> str | None: ...  # why it cannot be written, as a sentence
    @property
    def trouble_since(self) -> float | None: ...  # epoch seconds
    @property
    def written(self) -> int: ...  # events
    @property
    def waiting(self) -> int: ...  # events that are not written yet
    @property
    def dropped(self) -> int: ...  # events that there was no room for
    @property
    def refused(self) -> int: ...  # tasks, or events, that a fault of ours kept out
    @property
    def place(self) -> Place: ...
    @property
    def searches(self) -> Searches: ...
    def task(self, uuid: str) -> Task | None: ...
    def attempts(self, uuid: str) -> list[Attempt]: ...
    def search(
        self,
        query: Query,
        *,
        now: float,
        sort: Sort = "newest",
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int = 50,
        most_seconds: float = 5.0,
    ) -> TaskPage: ...
    def count(
        self, query: Query, *, now: float, most: int = 10_000, most_seconds: float = 1.0
    ) -> Count: ...
    def facets(
        self, query: Query, *, now: float, most: int = 100_000, most_seconds: float = 1.0
    ) -> Facets: ...
    def names(self) -> list[str]: ...
    def relatives(
        self,
        ids: Sequence[str],
        *,
        by: Literal["root", "parent"] = "root",
        since: float | None = None,
        most: int = 10_000,
        most_seconds: float = 2.0,
    ) -> Relatives: ...
    def beside(self, uuid: str) -> list[Task]: ...
    def extent(self) -> Extent: ...  # of all, whoever looks
    def size_bytes(self) -> int: ...
    def reading(self) -> AbstractContextManager[Any]: ...  # of all: who reads heeds the scope
