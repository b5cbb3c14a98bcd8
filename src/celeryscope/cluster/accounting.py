"""What was lost, and what we know of it.

Redis pub/sub has no memory and AMQP event queues are emptied by a cut connection, so an
event that was not delivered leaves no trace of its own. Two things tell of it all the same:

* a worker's heartbeat carries `processed`, the number of tasks that process has accepted
  since it began; `StartLedger` compares it with the starts that reached us;
* we know when we were not connected, and what our own buffer had to drop; `Accounting`
  keeps both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import NamedTuple

import msgspec

#: A heartbeat is judged only after this long: its starts may still be on their way, since
#: a worker buffers task events for a moment and sends heartbeats at once.
SETTLE_SECONDS = 3.0
#: Heartbeats watched before a process that was already running is measured against itself.
JOIN_HEARTBEATS = 5
_MOST_WAITING = 64
_MOST_STARTS = 50_000


class Loss(NamedTuple):
    """Starts that never reached us. Times: the worker's clock; -inf: since it began."""

    after: float  # the heartbeat before which nothing is missing
    until: float  # the one that counts them
    starts: int


class _Beat:
    """A heartbeat whose starts are not all here yet."""

    __slots__ = ("active", "arrived", "at", "processed", "starts")

    def __init__(self, at: float, processed: int, active: int, arrived: float, starts: int) -> None:
        self.at = at
        self.processed = processed
        self.active = active
        self.arrived = arrived
        self.starts = starts  # starts made after the heartbeat before it, up to this one


class StartLedger:
    """Counts the task starts of one worker process that never reached us.

    `from_birth` says that its worker-online event was seen: then every start it counts
    should be here. Otherwise it ran before we looked, and what it counted until then is
    measured during its first heartbeats and set apart.
    """

    def __init__(self, *, from_birth: bool) -> None:
        self.lost = 0
        self._carried = 0  # lost by processes that had the same id before
        self._reported = 0
        self._base: int | None = 0 if from_birth else None
        self._joined: list[tuple[int, int]] = []  # processed and active less starts, while joining
        self._settled = 0  # starts up to the last judged heartbeat
        self._after: list[float] = []  # times of the starts after the last heartbeat
        self._waiting: deque[_Beat] = deque()
        self._last_at = float("-inf")
        self._last_processed = 0
        self._last_deficit: int | None = None
        self._judged: deque[float] = deque((float("-inf"),) * 2, maxlen=2)  # times of heartbeats
        self._losses: list[Loss] = []

    def start(self, at: float) -> None:
        """Note a start made at `at`, by the worker's clock."""
        if at > self._last_at:
            self._after.append(at)
            if len(self._after) > _MOST_STARTS:  # no heartbeat for very long
                self._settled += len(self._after)
                self._after.clear()
            return
        for beat in self._waiting:
            if at <= beat.at:
                beat.starts += 1
                return
        self._settled += 1

    def heartbeat(self, *, at: float, processed: int, active: int, arrived: float) -> bool:
        """Note a heartbeat; False when it is not newer than the last one noted."""
        if at <= self._last_at:
            return False
        if processed < self._last_processed:
            self._begin_again()
        self._after.sort()
        upto = bisect_left(self._after, at)
        while upto < len(self._after) and self._after[upto] == at:
            upto += 1
        self._waiting.append(_Beat(at, processed, active, arrived, upto))
        del self._after[:upto]
        self._last_at = at
        self._last_processed = processed
        if len(self._waiting) > _MOST_WAITING:
            self._judge(self._waiting.popleft())
        return True

    def settle(self, now: float) -> int:
        """Judge the heartbeats that arrived long enough ago; the number newly known lost."""
        while self._waiting and now - self._waiting[0].arrived >= SETTLE_SECONDS:
            self._judge(self._waiting.popleft())
        newly, self._reported = self.lost - self._reported, self.lost
        return newly

    def losses(self) -> list[Loss]:
        """Take what became known lost since this was asked the last time."""
        found, self._losses = self._losses, []
        return found

    def _judge(self, beat: _Beat) -> None:
        self._settled += beat.starts
        before, upto = self._judged
        self._judged.append(beat.at)
        missing = beat.processed - self._settled
        if self._base is None:
            self._join(missing, beat.active)
            return
        deficit = missing - self._base
        # Only what two heartbeats agree on counts: the worker raises `processed` a moment
        # before it stamps the start, and a heartbeat may fall between the two.
        previous, self._last_deficit = self._last_deficit, deficit
        if previous is not None:
            lost = max(self.lost, self._carried + min(previous, deficit))
            if lost > self.lost:  # the heartbeat before this one had counted them, too
                self._losses.append(Loss(before, upto, lost - self.lost))
            self.lost = lost

    def _join(self, missing: int, active: int) -> None:
        self._joined.append((missing, active))
        if len(self._joined) < JOIN_HEARTBEATS:
            return
        steady = len({m for m, _ in self._joined}) == 1
        # Where the difference moves while we watch, we cannot tell a loss from a sender
        # that counts a task at its end: take the reading that accuses nobody.
        self._base = max(m if steady else m + a for m, a in self._joined)
        self._joined.clear()

    def _begin_again(self) -> None:
        """The count fell: a new process behind the same name and process id."""
        for beat in self._waiting:
            self._judge(beat)
        self._waiting.clear()
        self._base = 0
        self._joined.clear()
        self._settled = 0
        self._last_deficit = None
        self._carried = self.lost


class Gap(msgspec.Struct, frozen=True):
    """A time in which no event could reach us."""

    start: float  # our clock
    end: float | None  # None while it lasts
    reason: str


class Accounting:
    """What did not arrive, or arrived and could not be used. One writer: the source thread."""

    def __init__(self, *, most_gaps: int = 1000) -> None:
        self.gaps: deque[Gap] = deque(maxlen=most_gaps)
        self.gaps_total = 0
        self.closed_gap_seconds = 0.0
        self.dropped_messages = 0  # by our own buffer
        self.dropped_bytes = 0
        self.rejected: dict[str, int] = {}  # reason -> messages or events
        self.listening_since: float | None = None  # our clock; None: no event could reach us yet

    def gap_begins(self, at: float, reason: str) -> None:
        """Begin a gap, unless one is open."""
        if self.gaps and self.gaps[-1].end is None:
            return
        self.gaps.append(Gap(start=at, end=None, reason=reason))
        self.gaps_total += 1

    def gap_ends(self, at: float) -> None:
        """End the open gap, if there is one: events reach us from now on."""
        if self.listening_since is None:
            self.listening_since = at
        if not self.gaps or self.gaps[-1].end is not None:
            return
        gap = self.gaps.pop()
        self.gaps.append(Gap(start=gap.start, end=at, reason=gap.reason))
        self.closed_gap_seconds += max(0.0, at - gap.start)

    def gap_seconds(self, now: float) -> float:
        """Seconds spent in gaps so far, the open one included."""
        if self.gaps and self.gaps[-1].end is None:
            return self.closed_gap_seconds + max(0.0, now - self.gaps[-1].start)
        return self.closed_gap_seconds

    def listened(self, since: float, now: float) -> float:
        """Seconds since a time (our clock) in which events could reach us."""
        if self.listening_since is None:
            return 0.0
        since = max(since, self.listening_since)
        blind = 0.0
        for gap in reversed(self.gaps.copy()):
            end = now if gap.end is None else gap.end
            if end <= since:
                break
            blind += end - max(gap.start, since)
        return max(0.0, now - since - blind)

    def dropped(self, messages: int, size_bytes: int) -> None:
        """Count messages that our buffer had no room for."""
        self.dropped_messages += messages
        self.dropped_bytes += size_bytes

    def reject(self, reason: str, count: int = 1) -> None:
        """Count what cannot be read, by reason."""
        self.rejected[reason] = self.rejected.get(reason, 0) + count
