"""From messages to everything that follows events: the only fan-out.

One `Pipeline` stands behind one source and is called from that source's thread alone. What
it holds for others to read (`status`, counters) are plain values, replaced as a whole.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol

import msgspec

from celeryscope.ingest.decoder import Decoder
from celeryscope.ingest.source import RawMessage
from celeryscope.model.event import Event

logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
#: Events folded at one go, so that nobody waits long for the state's lock.
_SLICE = 500


class Losses(Protocol):
    """Keeps what did not arrive (`cluster.accounting.Accounting`)."""

    def gap_begins(self, at: float, reason: str) -> None: ...
    def gap_ends(self, at: float) -> None: ...
    def dropped(self, messages: int, size_bytes: int) -> None: ...
    def reject(self, reason: str, count: int = 1) -> None: ...


class BrokerStatus(msgspec.Struct, frozen=True):
    """How we stand with the broker."""

    state: Literal["connecting", "connected", "disconnected"]
    since: float  # our clock
    url: str
    transport: str
    error: str | None = None
    hint: str | None = None
    blind_since: float | None = None  # when we last lost it
    blind_until: float | None = None  # when we had it again; None: not yet


class Pipeline:
    """Decodes, then hands each batch of events to `fold`, and time to `tick`.

    `fold(events, received_at)` and `tick(now)` are called from the source's thread.
    """

    def __init__(
        self,
        *,
        fold: Callable[[Sequence[Event], float], None],
        tick: Callable[[float], None],
        losses: Losses,
        transport: str,
        url: str,
        max_message_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fold = fold
        self._tick = tick
        self._losses = losses
        self._clock = clock
        self._last_tick = clock()
        self._told_pickle = False
        self._told_fault = 0.0
        self._decoder = Decoder(
            reject=losses.reject,
            on_pickle=self._say_pickle,
            max_message_bytes=max_message_bytes,
        )
        self.status = BrokerStatus("connecting", self._last_tick, url, transport)
        self.buffer_bytes = 0
        self.received = 0  # events decoded
        self.received_messages = 0
        self.faults = 0  # batches that went wrong: a fault of ours
        self.backlog_seconds = 0.0  # how long the last batch had waited in our buffer

    # ------------------------------------------------------------------ from the source

    def connected(self, url: str) -> None:
        now = self._clock()
        self._losses.gap_ends(now)
        before = self.status
        self.status = msgspec.structs.replace(
            before,
            state="connected",
            since=now,
            url=url,
            error=None,
            hint=None,
            blind_until=now if before.blind_since is not None else None,
        )
        logger.info("reading events from the broker", extra={"url": url})

    def disconnected(self, reason: str, hint: str = "") -> None:
        now = self._clock()
        self._losses.gap_begins(now, reason)
        before = self.status
        if before.state != "disconnected" or before.error != reason:
            logger.warning(
                "no events from the broker: %s", reason, extra={"url": before.url, "hint": hint}
            )
        fresh = before.state != "disconnected"
        self.status = msgspec.structs.replace(
            before,
            state="disconnected",
            since=now if fresh else before.since,
            error=reason,
            hint=hint or None,
            blind_since=now if fresh else before.blind_since,
            blind_until=None,
        )
        self._run_tick(now)

    def redis_envelopes(self, payloads: Sequence[bytes], received_at: float | None = None) -> None:
        self.received_messages += len(payloads)
        self._take(partial(self._decoder.envelopes, payloads), received_at)

    def messages(self, messages: Sequence[RawMessage], received_at: float | None = None) -> None:
        self.received_messages += len(messages)
        self._take(partial(self._decoder.messages, messages), received_at)

    def refused(self, reason: str, count: int = 1) -> None:
        self._losses.reject(reason, count)

    def buffered(self, size_bytes: int) -> None:
        self.buffer_bytes = size_bytes

    def dropped(self, messages: int, size_bytes: int) -> None:
        self._losses.dropped(messages, size_bytes)

    def idle(self) -> None:
        self.backlog_seconds = 0.0
        self._run_tick(self._clock())

    # ------------------------------------------------------------------ inside

    def _take(self, decode: Callable[[], list[Event]], received_at: float | None) -> None:
        now = self._clock()
        received_at = now if received_at is None else received_at
        self.backlog_seconds = max(0.0, now - received_at)
        try:
            events = decode()
            self.received += len(events)
            for start in range(0, len(events), _SLICE):
                self._fold(events[start : start + _SLICE], received_at)
        except Exception:
            # The reader must outlive every message: count it, say it, go on.
            self.faults += 1
            self._losses.reject("internal_error")
            if now - self._told_fault > 60.0:
                self._told_fault = now
                logger.exception("a batch of events could not be handled")
        self._run_tick(now)

    def _run_tick(self, now: float) -> None:
        if now - self._last_tick < _TICK_SECONDS:
            return
        self._last_tick = now
        try:
            self._tick(now)
        except Exception:
            self.faults += 1
            logger.exception("the once-a-second work failed")

    def _say_pickle(self, sentence: str) -> None:
        if not self._told_pickle:
            self._told_pickle = True
            logger.warning(sentence)
