"""Tasks that somebody chose for a command and has not sent it for yet, kept for some minutes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from secrets import token_urlsafe
from typing import Final

import msgspec

from celeryscope.errors import NotFound

MAX_IDS: Final = 100_000  # of one
MAX_KEPT: Final = 100
MAX_ALL_IDS: Final = 1_000_000
KEPT_SECONDS: Final = 600.0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks chosen for one command: exactly these, whatever matches later."""

    id: str
    command: str
    ids: tuple[str, ...]
    expires_at: float  # epoch seconds


class Selections:
    """What is kept; the oldest makes room. Used from any thread."""

    def __init__(
        self,
        *,
        max_kept: int = MAX_KEPT,
        max_all_ids: int = MAX_ALL_IDS,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        self._max_kept = max_kept
        self._max_all_ids = max_all_ids
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def keep(self, command: str, ids: Sequence[str], *, now: float) -> Kept:
        """Keep these ids for a command."""
        kept = Kept(
            id=token_urlsafe(12),
            command=command,
            ids=tuple(ids),
            expires_at=now + self._kept_seconds,
        )
        with self._lock:
            self._forget_expired(now)
            self._kept[kept.id] = kept
            while len(self._kept) > self._max_kept or (
                len(self._kept) > 1
                and sum(len(one.ids) for one in self._kept.values()) > self._max_all_ids
            ):
                self._kept.popitem(last=False)
        return kept

    def get(self, ident: str, command: str, *, now: float) -> Kept:
        """Give the selection of that id, made for that command; raise `SelectionGone` if not."""
        with self._lock:
            self._forget_expired(now)
            kept = self._kept.get(ident)
        if kept is None or kept.command != command:
            raise SelectionGone(ident, command)
        return kept

    def _forget_expired(self, now: float) -> None:
        for ident, kept in list(self._kept.items()):
            if kept.expires_at <= now:
                del self._kept[ident]


class SelectionGone(NotFound):
    """The selection is not kept, or was made for another command."""

    def __init__(self, ident: str, command: str) -> None:
        super().__init__("selection", ident[:60])
        self.args = (
            f"There is no such selection for '{command}' any more. Select the tasks again.",
        )
