"""What the web application shows: everything it asks of the rest of the house."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import msgspec

from celeryscope.audit.trail import Trail
from celeryscope.cluster.accounting import Accounting
from celeryscope.cluster.liveness import Status
from celeryscope.model.actor import Actor
from celeryscope.model.worker import Worker
from celeryscope.web.activity import Activity
from celeryscope.web.auth.door import Door
from celeryscope.web.figures import Figures
from celeryscope.web.outcomes import Outcomes
from celeryscope.web.selections import Selections
from celeryscope.web.shares import DeskShare, Shares
from celeryscope.web.sources import (
    Desk,
    Ends,
    History,
    Inspector,
    Messages,
    Queues,
    Results,
    Retention,
    Schedules,
    State,
)
from celeryscope.web.turns import Turns


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


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What `/metrics` and the health answers need; all that the exporter has."""

    broker: Callable[[], Broker]
    render_metrics: Callable[[bool], bytes]  # True: OpenMetrics, False: text
    ready: Callable[[], bool]  # are we subscribed to the events?


#: Who looks where nobody is asked who they are.
OPEN: Final = Actor(name="anonymous", role="admin", way="anonymous")


@dataclass(frozen=True, kw_only=True)
class Services(Vitals):
    """What the composition root hands over for the whole console."""

    state: State
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
    history: History | None = None  # None: nothing is kept
    ends: Callable[[], Ends] | None = None  # how ends that no event told are looked for
    retention: Retention | None = None  # None: all of it is kept
    door: Door = field(default_factory=Door)  # who comes in; by default it stands open
    outcomes: Outcomes = field(default_factory=Outcomes)
    turns: Turns = field(default_factory=Turns)
    actor: Actor = OPEN  # who looks
    grafana_url: str | None = None  # a Grafana that has our dashboards; no slash at its end
    clock: Callable[[], float] = time.time
    refresh_timeout_seconds: float = 5.0  # at most, for `?refresh=1`
    activity: Activity = field(default_factory=Activity)
    figures: Figures = field(default_factory=Figures)
    selections: Selections = field(default_factory=Selections)
    shares: Shares = field(default_factory=Shares)

    @property
    def trail(self) -> Trail:
        """The record of who did what."""
        return self.door.trail

    def seen_by(self, actor: Actor) -> Services:
        """Give the same for somebody else who looks: what is theirs, where they are limited.

        To be asked of services that show everything.
        """
        if not actor.scope.limited:
            return replace(self, actor=actor)
        share = self.shares.of(self, actor.scope)
        return replace(
            self,
            actor=actor,
            state=share.state,
            inspector=share.inspector,
            queues=share.queues,
            messages=share.messages,
            results=share.results,
            schedules=share.schedules,
            figures=share.figures,
            history=share.history,
            desk=DeskShare(self.desk, self.outcomes, actor),
        )
