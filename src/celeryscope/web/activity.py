"""How busy the cluster was lately: the running totals, remembered every two seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

STEP_SECONDS = 2.0
_STEPS = 150  # five minutes
RATE_SECONDS = 10.0


class _Sample(NamedTuple):
    at: float
    totals: dict[str, int]


class Activity:
    """Differences of totals that only grow. Its owner calls `sample` about once a step."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=_STEPS + 1)

    def sample(self, now: float, totals: Mapping[str, int]) -> None:
        """Remember the totals as they are at `now`; too soon after the last, do nothing."""
        last = self._samples[-1].at if self._samples else None
        if last is not None and last <= now < last + 0.75 * STEP_SECONDS:
            return
        if last is not None and now < last:  # the clock was set back: start afresh
            self._samples.clear()
        self._samples.append(_Sample(now, dict(totals)))

    def rates(self, now: float, totals: Mapping[str, int]) -> dict[str, float]:
        """Per second, each total's growth over the last ten seconds (or since we look)."""
        before = next((s for s in list(self._samples) if s.at >= now - RATE_SECONDS), None)
        if before is None:
            return {}
        # Right after the start a tiny span would make a few events look like a flood.
        span = max(now - before.at, STEP_SECONDS)
        return {key: (count - before.totals.get(key, 0)) / span for key, count in totals.items()}

    def steps(self, keys: Sequence[str]) -> tuple[list[float], dict[str, list[int]]]:
        """When each step ended, oldest first, and how much each total grew in it."""
        samples = list(self._samples)
        pairs = list(pairwise(samples))
        grown = {
            key: [b.totals.get(key, 0) - a.totals.get(key, 0) for a, b in pairs] for key in keys
        }
        return [sample.at for sample in samples[1:]], grown
