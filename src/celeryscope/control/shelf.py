"""The actions of late, on their way or over: so many are kept, and so many may run."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from celeryscope.errors import Crowded, NotFound

logger = logging.getLogger(__name__)


class _Kept(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def over(self) -> bool: ...
    def give_way(self) -> bool:
        """End where only its effect is still looked for; say whether it did."""


K = TypeVar("K", bound=_Kept)


class Shelf(Generic[K]):
    """What is kept, by id; the oldest that is over makes room. Used from any thread.

    Where too many are on their way, the oldest that did all and only looks for the effect ends.

    `on_change` is called for each change that is told; what it raises is logged.
    """

    def __init__(
        self,
        what: str,
        *,
        max_running: int,
        max_kept: int,
        on_change: Callable[[K], None] | None = None,
    ) -> None:
        """`what` they are called, in the sentence that there are too many."""
        self._what = what
        self._max_running = max_running
        self._max_kept = max_kept
        self._on_change = on_change
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, K] = OrderedDict()

    def add(self, one: K) -> None:
        """Keep one more; raises `Crowded` when too many are on their way."""
        gave_way = None
        with self._lock:
            running = [kept for kept in self._kept.values() if not kept.over]
            if len(running) >= self._max_running:
                gave_way = next((kept for kept in running if kept.give_way()), None)
                if gave_way is None:
                    raise Crowded(
                        f"{len(running)} {self._what} are on their way already.",
                        hint="Wait until one of them is over, or stop one that can be stopped.",
                    )
            self._kept[one.id] = one
            if len(self._kept) > self._max_kept:
                oldest = next((kept for kept in self._kept.values() if kept.over), None)
                if oldest is not None:
                    del self._kept[oldest.id]
        if gave_way is not None:
            self.tell(gave_way)

    def get(self, ident: str) -> K:
        """Give the one of that id; raises `NotFound` when it is not kept (any more)."""
        with self._lock:
            kept = self._kept.get(ident)
        if kept is None:
            raise NotFound("action", ident[:100])
        return kept

    def all(self) -> list[K]:
        """Give those that are kept, the newest first."""
        with self._lock:
            return list(reversed(self._kept.values()))

    def tell(self, one: K) -> None:
        """Tell that one changed."""
        if self._on_change is not None:
            try:
                self._on_change(one)
            except Exception:
                logger.exception("a change of an action could not be told")
