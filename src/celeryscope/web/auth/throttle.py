"""How often somebody may try a password.

Each wrong one makes the next wait, three ways: for a name from an address, for an address, and for
a name from wherever. The last is mild, so that nobody can keep somebody else out: an address from
which the name has logged in before does not feel it, nor what others at that address do.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from celeryscope.errors import TooMany

LONGEST_SECONDS: Final = 60.0
#: So long after the last wrong password, all is forgotten.
FORGET_SECONDS: Final = 600.0
PAIR_FREE: Final = 5
ADDRESS_FREE: Final = 20
NAME_FREE: Final = 100
NAME_SECONDS: Final = 5.0
#: So many may be tried at the same time, as long as none has to wait.
_AT_ONCE: Final = 20
#: A try of which nobody said how it ended has ended by then.
_TRY_SECONDS: Final = 30.0
_MOST_PAIRS: Final = 4_000
_MOST_ADDRESSES: Final = 3_000
_MOST_NAMES: Final = 1_500
_MOST_GOOD: Final = 1_500

_Key = tuple[str, ...]


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    first_at: float = 0.0  # of the wrong ones that count
    last_at: float = 0.0
    under_way: int = 0
    begun_at: float = 0.0  # the last of those under way


class Throttle:
    """Counts wrong passwords in memory: at most 10,000 rows, of which the oldest go.

    `now` is in seconds; it is the caller's clock. Each `check` that lets somebody try is to be
    followed by `failed` or `succeeded`: until then it stands for a wrong one where somebody has to
    wait already, so that a hundred guesses at once get no further than one after the other.

    With an empty name it counts wrong API tokens. Nobody guesses one, so those of an address only
    hinder each other.
    """

    def __init__(self) -> None:
        self._pairs: OrderedDict[_Key, _Tries] = OrderedDict()
        self._addresses: OrderedDict[_Key, _Tries] = OrderedDict()
        self._names: OrderedDict[_Key, _Tries] = OrderedDict()
        self._good: OrderedDict[_Key, None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pairs) + len(self._addresses) + len(self._names) + len(self._good)

    def check(self, address: str, name: str, now: float) -> None:
        """Let somebody try a password. Raises TooMany, with the seconds to wait."""
        place, who = _place(address), _who(name)
        with self._lock:
            pair = self._pairs.get((place, who))
            of_address, of_name = self._addresses.get((place,)), self._names.get((who,))
            for known in (pair, of_address, of_name):
                _follow_clock(known, now)
            waits = [_wait(pair, PAIR_FREE, now)]
            if name and (place, who) not in self._good:
                waits.append(_wait(of_address, ADDRESS_FREE, now))
                waits.append(_name_wait(of_name, now))
            wait = max(waits)
            if wait <= 0 and name:
                for tries in (
                    _row(self._pairs, (place, who), _MOST_PAIRS, now),
                    _row(self._addresses, (place,), _MOST_ADDRESSES, now),
                ):
                    tries.under_way += 1
                    tries.begun_at = now
        if wait > 0:
            seconds = math.ceil(wait)
            unit = "second" if seconds == 1 else "seconds"
            raise TooMany(
                f"Too many tries that were wrong. Try again in {seconds} {unit}.",
                retry_after_seconds=wait,
            )

    def failed(self, address: str, name: str, now: float) -> None:
        """Count a wrong password."""
        place, who = _place(address), _who(name)
        with self._lock:
            _count(_row(self._pairs, (place, who), _MOST_PAIRS, now), now)
            if name:
                _count(_row(self._addresses, (place,), _MOST_ADDRESSES, now), now)
                _count(_row(self._names, (who,), _MOST_NAMES, now), now, window=True)

    def succeeded(self, address: str, name: str) -> None:
        """Forget what this name did wrong from this address, and remember that it was right."""
        place, who = _place(address), _who(name)
        with self._lock:
            self._pairs.pop((place, who), None)
            # What the address did stays: one good login between the guesses would hide them.
            if (tries := self._addresses.get((place,))) is not None:
                tries.under_way = max(0, tries.under_way - 1)
            if name:
                self._good[place, who] = None
                self._good.move_to_end((place, who))
                while len(self._good) > _MOST_GOOD:
                    self._good.popitem(last=False)


def _row(rows: OrderedDict[_Key, _Tries], key: _Key, most: int, now: float) -> _Tries:
    """Give the row of a key as it counts now, a new one where there is none."""
    tries = rows.get(key)
    if tries is None or _is_forgotten(tries, now):
        tries = rows[key] = _Tries(first_at=now)
    if now >= tries.begun_at + _TRY_SECONDS:
        tries.under_way = 0
    rows.move_to_end(key)
    while len(rows) > most:
        rows.popitem(last=False)
    return tries


def _follow_clock(tries: _Tries | None, now: float) -> None:
    """Let a clock that was set back keep nobody out for longer than one that was not."""
    if tries is not None and now < max(tries.last_at, tries.begun_at):
        tries.first_at = min(tries.first_at, now)
        tries.last_at = min(tries.last_at, now)
        tries.begun_at = min(tries.begun_at, now)


def _is_forgotten(tries: _Tries, now: float) -> bool:
    return now >= max(tries.last_at, tries.begun_at) + FORGET_SECONDS


def _count(tries: _Tries, now: float, *, window: bool = False) -> None:
    tries.under_way = max(0, tries.under_way - 1)
    if window and now >= tries.first_at + FORGET_SECONDS:
        tries.wrong, tries.first_at = 0, now
    tries.wrong += 1
    tries.last_at = max(now, tries.last_at)


def _wait(tries: _Tries | None, free: int, now: float) -> float:
    if tries is None or _is_forgotten(tries, now):
        return 0.0
    under_way = tries.under_way if now < tries.begun_at + _TRY_SECONDS else 0
    if tries.wrong < free:
        return 1.0 if under_way >= _AT_ONCE else 0.0
    step = min(2.0 ** min(tries.wrong - free, 10), LONGEST_SECONDS)
    left = tries.last_at + step - now
    return left if left > 0 else 1.0 if under_way else 0.0


def _name_wait(tries: _Tries | None, now: float) -> float:
    if tries is None or now >= tries.first_at + FORGET_SECONDS or tries.wrong < NAME_FREE:
        return 0.0
    return tries.last_at + NAME_SECONDS - now


def _place(address: str) -> str:
    """Give what counts as one address: an IPv6 customer has a whole /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:32]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _who(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32] if name else ""
