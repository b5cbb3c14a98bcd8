"""Figures of the last minutes that are too dear to be made for every look.

Its owner calls `sample` about every two seconds. What is derived from a sample is made when it is
first asked for, and kept until the next: pages look four times a second, and between two samples
the answer stays the same, byte by byte, which is why nothing of it is sent again.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Any, NamedTuple, Protocol, TypeVar

from celeryscope.cluster import durations
from celeryscope.cluster.durations import Histogram
from celeryscope.cluster.state import NameStats

STEP_SECONDS = 10.0
_STEPS = 30  # five minutes
RECENT_SECONDS = _STEPS * STEP_SECONDS
QUEUE_RATE_SECONDS = 60.0
_QUEUE_SAMPLE_SECONDS = 5.0
# So many more runs than last time, and a p95 of all of them is looked up again.
_NEWS = 0.02

T = TypeVar("T")
F = TypeVar("F")


class Step(NamedTuple):
    """How long tasks waited and ran in one step: p50, p95, p99 of each; None without any."""

    at: float  # when it ended
    wait: tuple[float | None, ...]
    runtime: tuple[float | None, ...]


class _Reading(NamedTuple):
    at: float
    waits: Sequence[int]
    runtimes: Sequence[int]


_NONE = (None, None, None)
_SHARES = (0.5, 0.95, 0.99)


class LatencySteps:
    """Quantiles of each step of ten seconds, from readings of two histograms that only grow.

    A step ends at the first reading after a whole ten seconds of the clock. Only steps that have
    ended are given: they do not change any more, so that nothing jumps and little is sent.
    """

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=_STEPS)
        self._begun: _Reading | None = None

    def sample(self, now: float, waits: Sequence[int], runtimes: Sequence[int]) -> None:
        """Take a reading."""
        reading = _Reading(now, waits, runtimes)
        begun = self._begun
        if begun is None or now < begun.at:  # the first, or the clock was set back
            self._steps.clear()
            self._begun = reading
        elif now // STEP_SECONDS != begun.at // STEP_SECONDS:
            self._begun = reading
            self._steps.append(
                Step(now, _quantiles(begun.waits, waits), _quantiles(begun.runtimes, runtimes))
            )

    def steps(self) -> list[Step]:
        """Give the last thirty steps, oldest first."""
        return list(self._steps)


def _quantiles(before: Sequence[int], now: Sequence[int]) -> tuple[float | None, ...]:
    return _NONE if before == now else durations.quantiles(durations.since(before, now), _SHARES)


class Growth:
    """Counts by key that only grow, in a mapping that only grows: by how much, lately."""

    def __init__(self, *, window_seconds: float, every_seconds: float) -> None:
        self._window = window_seconds
        self._every = every_seconds
        self._samples: deque[tuple[float, array[int]]] = deque()
        self._before: tuple[float, Mapping[Any, int]] | None = None

    def sample(self, now: float, counts: Mapping[Any, int]) -> None:
        """Remember the counts as they are at `now`; too soon after the last, do nothing."""
        samples = self._samples
        if samples and samples[-1][0] <= now < samples[-1][0] + 0.9 * self._every:
            return
        if samples and now < samples[-1][0]:  # the clock was set back: start afresh
            samples.clear()
        samples.append((now, array("q", counts.values())))
        while len(samples) > 1 and samples[1][0] <= now - self._window:
            samples.popleft()
        at, values = samples[0]
        # Keys stay where they are in the mapping; those that came later have no count yet.
        self._before = at, dict(zip(counts, values, strict=False))

    @property
    def before(self) -> tuple[float, Mapping[Any, int]]:
        """Say when the time looked at began, and the counts then."""
        return self._before or (0.0, {})

    def since(self, key: object, count: int) -> int:
        """By how much a count that is `count` now grew in the time looked at."""
        return count - self.before[1].get(key, 0)

    def rate(self, key: object, count: int, now: float) -> float | None:
        """Per second, how much a count that is `count` now grew; None before the first sample."""
        if self._before is None:
            return None
        at, counts = self._before
        # Right after the start a tiny span would make a few tasks look like a flood.
        return round((count - counts.get(key, 0)) / max(now - at, self._every), 3)


class Measured(Protocol):
    """What readings are taken of."""

    @property
    def lock(self) -> AbstractContextManager[Any]: ...
    @property
    def waits(self) -> Histogram: ...
    @property
    def runtimes(self) -> Histogram: ...
    @property
    def names(self) -> Mapping[str, NameStats]: ...
    @property
    def sent_to(self) -> Mapping[str, int]: ...
    @property
    def taken_from(self) -> Mapping[str | None, int]: ...


class Figures:
    """All of them, for one cluster."""

    def __init__(self) -> None:
        self._samples = [0]  # how many were taken; one list with those that stand apart
        self.latency = LatencySteps()
        self.failed = Growth(window_seconds=RECENT_SECONDS, every_seconds=STEP_SECONDS)
        self.succeeded = Growth(window_seconds=RECENT_SECONDS, every_seconds=STEP_SECONDS)
        self.sent_to = _queues()
        self.taken_from = _queues()
        self._kept: dict[str, tuple[object, Any]] = {}
        self._derived: dict[str, tuple[object, Any]] = {}
        self._p95: dict[str, tuple[int, float | None]] = {}

    def apart(self) -> Figures:
        """Give the same figures, with room of its own for what is derived from them."""
        twin = copy(self)
        twin._kept, twin._derived = {}, {}
        return twin

    def sample(self, now: float, state: Measured) -> None:
        """Take a reading of everything."""
        with state.lock:
            waits, runtimes = state.waits.snapshot(), state.runtimes.snapshot()
            names = list(state.names.values())
            sent, taken = dict(state.sent_to), dict(state.taken_from)
        self.latency.sample(now, waits, runtimes)
        self.failed.sample(now, {name.name: name.failed for name in names})
        self.succeeded.sample(now, {name.name: name.succeeded for name in names})
        self.sent_to.sample(now, sent)
        self.taken_from.sample(now, taken)
        self._samples[0] += 1

    def kept(self, what: str, make: Callable[[], T], *, version: object = None) -> T:
        """Give what `make` made since the last sample, or since `version` was another."""
        if not self._samples[0]:
            return make()
        version = (self._samples[0], version)
        known = self._kept.get(what)
        if known is None or known[0] != version:
            known = self._kept[what] = version, make()
        made: T = known[1]
        return made

    def derived(self, what: str, make: Callable[[F], T], source: F) -> T:
        """Give what `make` made of a source that is replaced as a whole when it changes."""
        known = self._derived.get(what)
        if known is None or known[0] is not source:
            known = self._derived[what] = source, make(source)
        made: T = known[1]
        return made

    def p95(self, name: NameStats) -> float | None:
        """Give a name's run time p95, to compare names by: it may be a few runs old."""
        known = self._p95.get(name.name)
        if known is None or name.succeeded > known[0] * (1 + _NEWS):
            (p95,) = name.runtimes.quantiles(0.95)
            known = self._p95[name.name] = name.succeeded, p95
        return known[1]


def _queues() -> Growth:
    return Growth(window_seconds=QUEUE_RATE_SECONDS, every_seconds=_QUEUE_SAMPLE_SECONDS)
