"""What came of each command, written into the audit trail once it is over."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from celeryscope.audit.trail import Trail
from celeryscope.control.action import Report
from celeryscope.model.actor import Actor, Scope, Way

#: Actions end by themselves within minutes; those of a console under attack make room.
_MOST_EXPECTED: Final = 10_000
#: More than the desk keeps.
_MOST_OWNED: Final = 2_000


class Action(Protocol):
    """A command on its way, or over."""

    @property
    def id(self) -> str: ...
    @property
    def over(self) -> bool: ...
    def snapshot(self) -> Report: ...


class _Expected(NamedTuple):
    trail: Trail
    actor: Actor
    workers: Sequence[str] | None
    subjects: Sequence[str]


class _Owner(NamedTuple):
    """Who sent an action. Another token of the same person may have other limits."""

    name: str
    way: Way
    scope: Scope


def _owner(actor: Actor) -> _Owner:
    return _Owner(actor.name, actor.way, actor.scope)


class Outcomes:
    """The commands whose outcome is still to be written. Used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: OrderedDict[str, _Expected] = OrderedDict()
        self._owners: OrderedDict[str, _Owner] = OrderedDict()

    def expect(
        self,
        action: Action,
        trail: Trail,
        actor: Actor,
        *,
        workers: Sequence[str] | None,
        subjects: Sequence[str],
    ) -> None:
        """Write into `trail` what comes of an action, once `changed` tells that it is over."""
        with self._lock:
            self._expected[action.id] = _Expected(trail, actor, workers, subjects)
            while len(self._expected) > _MOST_EXPECTED:
                self._expected.popitem(last=False)
            self._owners[action.id] = _owner(actor)
            while len(self._owners) > _MOST_OWNED:
                self._owners.popitem(last=False)
        self.changed(action)  # it may be over already

    def is_of(self, ident: str, actor: Actor) -> bool:
        """Say whether somebody sent the action of that id, with the limits that they have now."""
        with self._lock:
            return self._owners.get(ident) == _owner(actor)

    def changed(self, action: Action) -> None:
        """Look whether an action that changed is over."""
        if not action.over:
            return
        with self._lock:
            expected = self._expected.pop(action.id, None)
        if expected is None:
            return
        report = action.snapshot()
        outcome, detail = summary(report)
        expected.trail.write(
            kind="outcome",
            by=expected.actor,
            what=report.command,
            workers=expected.workers,
            subjects=expected.subjects,
            outcome=outcome,
            detail=detail,
            action=action.id,
        )


def summary(report: Report) -> tuple[str, str]:
    """Say how an action ended: in a word, and with its counts."""
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(report.outcomes.items()))
    effects = ", ".join(f"{count:,} {name}" for name, count in sorted(report.effects.items()))
    told = "; ".join(part for part in (counts, f"effect: {effects}" if effects else "") if part)
    if report.state == "failed":
        return "failed", f"{report.error} {told}".strip()
    if report.state == "stopped":
        return "stopped", told
    unseen = report.effects.get("not seen", 0)
    good = report.outcomes.get("ok", 0) + report.outcomes.get("asked", 0) - unseen
    bad = report.outcomes.get("refused", 0) + report.outcomes.get("silent", 0) + unseen
    if not bad:
        return ("done", told) if told else ("failed", "nobody answered")
    return ("partly" if good > 0 else "failed"), told
