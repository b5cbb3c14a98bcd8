"""Figures of tasks that ended, by name and time, kept while the tasks are written.

A task's share follows from its row alone: it counts where it stands now, in the slot of its last
event. Whatever changes a task takes its old share out and puts the new one in, within the same
transaction; so the figures are those of the rows however often, late or twice events come. Tasks
that are deleted leave their share behind.

A failure is known by its fingerprint (`model.fingerprint`): of tasks that failed, and beside them
of runs that were retried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from celeryscope.history import histogram
from celeryscope.history.database import Database
from celeryscope.history.record import Record, Told
from celeryscope.history.rows import Row
from celeryscope.history.search import FAILURE_ID, REVOKED_ID
from celeryscope.history.sql import queries
from celeryscope.history.words import Words
from celeryscope.model import fingerprint

QUARTER, DAY = 900, 86_400  # seconds: the steps that figures are kept by
ALL = -1  # instead of a name
NAMELESS = 0
#: The fingerprint of what is beyond so many.
OTHER = "other"
MOST_FINGERPRINTS = 10_000
_BEYOND = fingerprint.Place(OTHER, "", "", 0)
LOST = "LOST"

_QUARTER_MICROSECONDS = QUARTER * 1_000_000
_QUARTERS = DAY // QUARTER
#: Where the counts of a share have each state, by its number; LOST has none that is fixed.
ENDED: Final = {5: 0, 6: 1, 7: 2, 8: 3}
LOST_PLACE: Final = 4
_RETRIED, _RETRIES, _TOOK = 5, 6, 7
_MOST_RETRIES = 1_000
_MOST_TOOK = 2**45  # microseconds of one task: a year
_MOST_SUM = 2**52  # sums of a thousand slots fit into 64 bits


class Share:
    """Counts of some tasks that ended: see the columns of `figure`."""

    __slots__ = ("counts", "runs", "waits")

    def __init__(self) -> None:
        self.counts = [0] * 8
        self.runs: dict[int, int] = {}
        self.waits: dict[int, int] = {}

    def count(
        self,
        place: int,
        state: int,
        runtime: int | None,
        started: int | None,
        wait: int | None,
        retries: int,
        sign: int = 1,
    ) -> None:
        """Count a task by what its row says, or take it out again (`sign` -1)."""
        counts = self.counts
        counts[place] += sign
        if retries:
            counts[_RETRIED] += sign
            counts[_RETRIES] += sign * min(retries, _MOST_RETRIES)
        if runtime is None and started is not None and state in (FAILURE_ID, REVOKED_ID):
            runtime = max(0, started)
        if runtime is not None:
            counts[_TOOK] += sign * min(max(runtime, 0), _MOST_TOOK)
            number = histogram.bucket(runtime)
            self.runs[number] = self.runs.get(number, 0) + sign
        if wait is not None:
            number = histogram.bucket(wait)
            self.waits[number] = self.waits.get(number, 0) + sign

    def copy(self) -> Share:
        one = Share()
        one.counts, one.runs, one.waits = self.counts.copy(), self.runs.copy(), self.waits.copy()
        return one

    def add(self, other: Share) -> None:
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        for mine, theirs in ((self.runs, other.runs), (self.waits, other.waits)):
            for number, count in theirs.items():
                mine[number] = mine.get(number, 0) + count

    @property
    def tasks(self) -> int:
        return sum(self.counts[:_RETRIED])

    def __bool__(self) -> bool:
        return any(self.counts) or any(self.runs.values()) or any(self.waits.values())


def read(row: Sequence[int | bytes]) -> Share:
    """Make a share of the columns of `figure`."""
    share = Share()
    *counts, runs, waits = row
    share.counts = [int(count) for count in counts]
    assert isinstance(runs, bytes)
    assert isinstance(waits, bytes)
    share.runs, share.waits = histogram.load(runs), histogram.load(waits)
    return share


class Retried(NamedTuple):
    """A run that was retried, and the name of the task that had the id then."""

    told: Told
    name: str | None


def retried(one: Record) -> list[Retried]:
    """Give the runs that were retried, of a record that has any."""
    return [
        Retried(told, one.name_at(told.at)) for told in one.told.values() if told.kind == "retried"
    ]


class Tally:
    """What one transaction changes of the figures: each task's old share out, its new one in."""

    def __init__(self, db: Database, words: Words) -> None:
        self._db = db
        self._words = words
        self._shares: dict[tuple[int, int], Share] = {}  # by name and quarter
        self._failing: dict[tuple[int, int, int], list[int]] = {}  # by quarter, fingerprint, name
        self._dropped: list[tuple[int]] = []  # `seq` of tasks that have no failure any more there
        self._failures: list[tuple[int, int]] = []
        self._numbers: dict[fingerprint.Place | str, int] = {}
        self._seen: dict[int, tuple[fingerprint.Place, int, int]] = {}
        self._known: int | None = None  # fingerprints that there are, once it matters

    def change(
        self,
        old: Row | None,
        new: Row,
        traceback: str | None,
        before: Sequence[Retried] = (),
        after: Sequence[Retried] = (),
    ) -> None:
        """Take note of a task's row before and after; `traceback` is that of its last end.

        `before` and `after` are its runs that were retried (`retried`), then and now.
        """
        if old is not None:
            self._count(old, -1)
        self._count(new, 1)
        if new.state == FAILURE_ID or (old is not None and old.state == FAILURE_ID):
            self._fail(old, new, traceback)
        if before or after:
            self._retry(before, after)

    def put(self) -> None:
        """Write what was noted, inside the transaction."""
        db, named = self._db, queries()
        if self._shares:
            self._put_shares()
        db.executemany(named["drop_failure"], self._dropped)
        db.executemany(named["put_failure"], self._failures)
        if self._failing:
            changed = [(key, counts) for key, counts in self._failing.items() if any(counts)]
            db.executemany(named["add_failing"], [(*key, *counts) for key, counts in changed])
            fewer = [key for key, counts in changed if min(counts) < 0]
            if fewer:
                db.executemany(named["drop_failing"], fewer)
        if self._seen:
            seen = [
                (number, place.type, place.file, place.function, place.line, first, last)
                for number, (place, first, last) in self._seen.items()
            ]
            db.executemany(named["put_fingerprint"], seen)

    # ------------------------------------------------------------------ tasks

    def _count(self, row: Row, sign: int) -> None:
        state = row.state
        place = ENDED.get(state)
        if place is None:
            if state < 9 or self._words.text(state) != LOST:
                return
            place = LOST_PLACE
        key = (row.name or NAMELESS, row.at // _QUARTER_MICROSECONDS)
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = Share()
        share.count(place, state, row.runtime, row.started, row.wait, row.retries, sign)

    def _put_shares(self) -> None:
        changed: dict[tuple[int, int, int], Share] = {}
        for (name, quarter), share in self._shares.items():
            if not share:
                continue
            for key in (
                (name, QUARTER, quarter), (name, DAY, quarter // _QUARTERS),
                (ALL, QUARTER, quarter), (ALL, DAY, quarter // _QUARTERS),
            ):  # fmt: skip
                if key in changed:
                    changed[key].add(share)
                else:
                    changed[key] = share.copy()
        put, dropped = [], []
        for key, share in changed.items():
            found = self._db.execute(queries()["figure"], key).fetchone()
            if found is not None:
                share.add(read(found))
            counts = [min(max(count, 0), _MOST_SUM) for count in share.counts]
            if any(counts):
                runs, waits = histogram.dump(share.runs), histogram.dump(share.waits)
                put.append((*key, *counts, runs, waits))
            else:
                dropped.append(key)
        self._db.executemany(queries()["put_figure"], put)
        if dropped:
            self._db.executemany(queries()["drop_figure"], dropped)

    # ------------------------------------------------------------------ exceptions

    def _fail(self, old: Row | None, new: Row, traceback: str | None) -> None:
        db, named = self._db, queries()
        known = None
        if old is not None and old.state == FAILURE_ID:
            found = db.execute(named["failure"], (old.seq,)).fetchone()
            if found is not None:
                known = int(found[0])
                self._failed(known, old, -1)
        number = None
        if new.state == FAILURE_ID:
            number = self._fingerprint(new.exception, traceback, new.at)
            if number is not None:
                self._failed(number, new, 1)
        if old is not None and known is not None and (old.seq != new.seq or number is None):
            self._dropped.append((old.seq,))
        if number is not None and (known != number or old is None or old.seq != new.seq):
            self._failures.append((new.seq, number))

    def _failed(self, number: int, row: Row, sign: int) -> None:
        quarter = row.at // _QUARTER_MICROSECONDS
        self._failing.setdefault((quarter, number, row.name or NAMELESS), [0, 0])[0] += sign

    def _retry(self, before: Sequence[Retried], after: Sequence[Retried]) -> None:
        known, now = set(before), set(after)
        gone = [one for one in before if one not in now]
        new = [one for one in after if one not in known]
        for runs, sign in ((gone, -1), (new, 1)):
            for told, name in runs:
                number = self._fingerprint(told.exception, told.traceback, told.at)
                if number is not None:
                    word = NAMELESS
                    if name is not None:
                        word = self._words.number(self._db, "name", name)
                    key = (told.at // _QUARTER_MICROSECONDS, number, word)
                    self._failing.setdefault(key, [0, 0])[1] += sign

    def _fingerprint(self, exception: str | None, traceback: str | None, at: int) -> int | None:
        """Give the word of an exception that was seen, and note that it was."""
        place = fingerprint.describe(exception, traceback)
        if place is None:
            return None
        key = place._replace(line=0)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._number(fingerprint.digest(place))
        if number == self._numbers.get(OTHER):
            place = _BEYOND
        seen = self._seen.get(number)
        if seen is None:
            self._seen[number] = (place, at, at)
        else:
            latest, first, last = seen
            self._seen[number] = (
                place if at >= last else latest, min(first, at), max(last, at),
            )  # fmt: skip
        return number

    def _number(self, text: str) -> int:
        found = self._db.execute(queries()["fingerprint_word"], (text,)).fetchone()
        if found is not None:
            return int(found[0])
        if self._known is None:
            (self._known,) = self._db.execute(queries()["count_fingerprints"]).fetchone()
        if self._known >= MOST_FINGERPRINTS:
            self._numbers[OTHER] = self._words.number(self._db, "fingerprint", OTHER)
            return self._numbers[OTHER]
        self._known += 1
        return self._words.number(self._db, "fingerprint", text)
