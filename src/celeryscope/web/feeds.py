"""What the live stream tells, each value with the tick at which it last changed. No I/O, no clock.

A tick is the number of a look at the cluster. A client that was told everything up to some tick
needs what changed after it; 0 is a client that was told nothing yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

_encode = msgspec.json.encode

#: Of a large value that changes all the time so many bytes a second are told, uncompressed:
#: the larger it is the less often; but at least every so many seconds.
SMALL_BYTES = 500
BYTES_A_SECOND = 2_000
LONGEST_PAUSE_SECONDS = 2.0


def wire(value: object) -> bytes:
    """Encode as JSON, with numbers as exact as anybody can see.

    The page shows milliseconds, and of less than a second four digits. The rest is noise that
    no compression takes away: half of what a stream would weigh.
    """
    return _LONG.sub(_shorter, _encode(value))


# A text, which stays as it is, or a number with more than three decimals.
_LONG = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\d++\.\d{3}\d++(?:[eE][-+]?\d++)?')


def _shorter(found: re.Match[bytes]) -> bytes:
    text = found.group()
    if text.startswith(b'"'):
        return text
    number = float(text)
    short = round(number, 3) if abs(number) >= 1 else float(f"{number:.4g}")
    return b"%d" % short if short.is_integer() and abs(short) < 2**53 else repr(short).encode()


class Feed:
    """Values by key."""

    def __init__(self, *, remember_gone_seconds: float) -> None:
        self._remember_gone_seconds = remember_gone_seconds
        self._values: dict[str, tuple[int, bytes]] = {}
        self._due: dict[str, float] = {}  # key -> when its next change may be told, loop time
        self._gone: dict[str, tuple[int, float]] = {}  # key -> the tick, and its loop time
        self._forgotten = 0  # the last tick of what is no longer known to be gone

    def put(self, tick: int, key: str, value: object, *, loop_now: float) -> None:
        """Set a value. One that encodes as before has not changed; one too soon has to wait."""
        if loop_now < self._due.get(key, loop_now):
            return
        encoded = wire(value)
        if key not in self._values or self._values[key][1] != encoded:
            if len(encoded) > SMALL_BYTES:
                pause = min(len(encoded) / BYTES_A_SECOND, LONGEST_PAUSE_SECONDS)
                self._due[key] = loop_now + pause
            self.set(tick, key, encoded)

    def set(self, tick: int, key: str, encoded: bytes) -> None:
        """Set a value at once."""
        self._values[key] = (tick, encoded)
        self._gone.pop(key, None)

    def told(self, key: str) -> int:
        """Say at which tick it changed last; 0 when it is not known."""
        return self._values[key][0] if key in self._values else 0

    def keep_only(self, tick: int, keys: Iterable[str], *, loop_now: float) -> None:
        """Let go of every other key, and remember for a while that it is gone."""
        for key in self._values.keys() - set(keys):
            del self._values[key]
            self._due.pop(key, None)
            self._gone[key] = (tick, loop_now)
        forgotten = loop_now - self._remember_gone_seconds
        for key in [key for key, (_, at) in self._gone.items() if at < forgotten]:
            self._forgotten = max(self._forgotten, self._gone.pop(key)[0])

    def remembers(self, tick: int) -> bool:
        """Say whether a client can be told all that changed after that tick."""
        return tick >= self._forgotten

    def since(self, tick: int) -> dict[str, msgspec.Raw]:
        """What changed after that tick."""
        return {key: msgspec.Raw(value) for key, (at, value) in self._values.items() if at > tick}

    def gone_since(self, tick: int) -> list[str]:
        """What went after that tick; to a new client nothing is gone."""
        return [key for key, (at, _) in self._gone.items() if at > tick] if tick else []


class Steps:
    """A series in steps of time, of which a client is told those that are new to it.

    The series is a Struct with `times`, and with lists as long as that, at any depth.
    """

    def __init__(self) -> None:
        self._encoded = b""
        self._series: dict[str, Any] = {}
        self._ticks: list[int] = []  # of each step

    def put(self, tick: int, series: msgspec.Struct) -> None:
        """Take the series as it is now."""
        encoded = wire(series)
        if encoded == self._encoded:
            return
        before = dict(zip(_steps(self._series), self._ticks, strict=True))
        self._encoded, self._series = encoded, msgspec.json.decode(encoded)
        self._ticks = [before.get(step, tick) for step in _steps(self._series)]

    def since(self, tick: int) -> msgspec.Raw | None:
        """Give the steps from the first one on that is new or another than it was."""
        if not self._encoded:
            return None
        if not tick:
            return msgspec.Raw(self._encoded)
        first = next((n for n, at in enumerate(self._ticks) if at > tick), None)
        if first is None:
            return None
        return msgspec.Raw(_encode(_from(self._series, first, len(self._ticks))))


def _steps(series: dict[str, Any]) -> list[tuple[object, ...]]:
    return list(zip(*_columns(series, len(series.get("times", []))), strict=True))


def _columns(part: dict[str, Any], steps: int) -> list[list[object]]:
    found: list[list[object]] = []
    for value in part.values():
        if isinstance(value, dict):
            found += _columns(value, steps)
        elif isinstance(value, list) and len(value) == steps:
            found.append(value)
    return found


def _from(part: dict[str, Any], first: int, steps: int) -> dict[str, Any]:
    cut: dict[str, Any] = {}
    for key, value in part.items():
        if isinstance(value, dict):
            cut[key] = _from(value, first, steps)
        elif isinstance(value, list) and len(value) == steps:
            cut[key] = value[first:]
        else:
            cut[key] = value
    return cut
