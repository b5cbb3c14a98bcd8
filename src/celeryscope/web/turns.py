"""What computes for a while, a few at a time: threads share one interpreter with the ingest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import anyio
from anyio import to_thread

from celeryscope.errors import Unavailable

T = TypeVar("T")

#: With so many threads that compute, the one that reads events still gets its turn often enough.
AT_ONCE: Final = 3
MOST_WAITING: Final = 100


class Turns:
    """A short line of questions before a few threads. For one event loop."""

    def __init__(self, *, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._at_once = at_once
        self._most = at_once + most_waiting
        self._limiter: anyio.CapacityLimiter | None = None  # made where there is an event loop
        self._held = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work in a thread when it is its turn. Raises Unavailable when the line is full."""
        if self._held >= self._most:
            raise Unavailable(
                f"{self._held} questions are being answered or wait already.",
                hint="Ask again in a moment.",
            )
        self._limiter = self._limiter or anyio.CapacityLimiter(self._at_once)
        self._held += 1
        try:
            return await to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._held -= 1
