"""Families of series that are counted while events pass, and the labels that name a series."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from celeryscope.metrics.catalog import OTHER, Metric
from celeryscope.model.text import sound

Values = tuple[str, ...]


def escaped(value: str) -> str:
    """Return a label value as it stands between the quotes of the exposition formats."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


@lru_cache(maxsize=16_384)
def opening(names: tuple[str, ...], values: Values, static: tuple[tuple[str, str], ...]) -> str:
    """Return `{a="1",b="2"` without the closing brace, so that `le` can follow; labels sorted."""
    pairs = sorted((*zip(names, values, strict=True), *static))
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in pairs)


def shortened(value: str, length: int) -> str:
    """Return a value that fits in `length` characters and in UTF-8.

    A value that had to be changed ends in a hash of the original, so that two long values with
    the same beginning stay apart.
    """
    told = sound(value)
    if told == value and len(value) <= length:
        return value
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{told[: length - 17]}~{digest}"


class Counter:
    """A number that only grows."""

    __slots__ = ("created", "opening", "value")

    def __init__(self, opening: str, created: float) -> None:
        self.opening = opening
        self.created = created  # epoch seconds
        self.value = 0


class Gauge:
    """The value seen last; not shown before there is one."""

    __slots__ = ("created", "opening", "value")

    def __init__(self, opening: str, created: float) -> None:
        self.opening = opening
        self.created = created
        self.value: float | None = None


class Histogram:
    """Counts of observations by bucket, not cumulated; the last bucket is +Inf."""

    __slots__ = ("bounds", "counts", "created", "opening", "sum")

    def __init__(self, opening: str, created: float, bounds: Sequence[float]) -> None:
        self.opening = opening
        self.created = created
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0


Child = TypeVar("Child", Counter, Gauge, Histogram)


class Family(Generic[Child]):
    """The series of one metric, by their label values."""

    def __init__(
        self,
        metric: Metric,
        make: Callable[[str, float], Child],
        *,
        limit: int,
        keep: frozenset[str] = frozenset({"type"}),
        static_labels: Mapping[str, str] | None = None,
        on_overflow: Callable[[], None],
    ) -> None:
        self.metric = metric
        self.children: dict[Values, Child] = {}
        self._make: Callable[[str, float], Child] = make
        self._limit = limit
        # Past the limit every label becomes `other` but these, whose values are few.
        self._kept = tuple(label in keep for label in metric.labels)
        self._static = tuple(sorted((static_labels or {}).items()))
        self._on_overflow = on_overflow

    def child(self, values: Values, now: float, owner: list[Owned] | None = None) -> Child:
        """Return the series with these values, made if needed.

        A series that is made is added to `owner`, which can so remove all it caused; the series
        that takes the overflow belongs to nobody.
        """
        found = self.children.get(values)
        if found is None:
            if len(self.children) >= self._limit:
                self._on_overflow()
                values = tuple(
                    value if kept else OTHER for value, kept in zip(values, self._kept, strict=True)
                )
                found = self.children.get(values)
            elif owner is not None:
                owner.append((self, values))
        if found is None:
            labels = opening(self.metric.labels, values, self._static)
            found = self.children[values] = self._make(labels, now)
        return found

    @property
    def has_room(self) -> bool:
        return len(self.children) < self._limit

    def remove(self, values: Values) -> None:
        self.children.pop(values, None)


Owned = tuple["Family[Any]", Values]


class LabelValues:
    """The distinct values one label may have; past the limit it says `other`, and counts that."""

    def __init__(self, *, limit: int, length: int) -> None:
        self._limit = limit
        self._length = length
        self._admitted: set[str] = set()
        self.overflow = 0

    def admit(self, raw: str) -> str:
        """Return the value to use for `raw`, and remember it if there is room."""
        value = raw if raw in self._admitted else shortened(raw, self._length)
        if value in self._admitted:
            return value
        if len(self._admitted) >= self._limit:
            self.overflow += 1
            return OTHER
        self._admitted.add(value)
        return value

    def find(self, raw: str) -> str | None:
        """Return the value in use for `raw`, None when it has none of its own."""
        value = shortened(raw, self._length)
        return value if value in self._admitted else None

    def release(self, raw: str) -> None:
        """Make room for another value."""
        self._admitted.discard(shortened(raw, self._length))
