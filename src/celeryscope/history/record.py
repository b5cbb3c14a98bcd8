"""Everything that was told of one task, and how it stands therefore. Pure.

A record is a set of what was told, so it does not matter in which order, how often or through
which writer it came: two records of one task merge to the same third, whichever is first. Of
fields that can have one value only, the greatest wins: by time, then by the value itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from celeryscope.model.event import Event, Found
from celeryscope.model.task import (
    FAILURE,
    FINISHED,
    LOST,
    PENDING,
    RECEIVED,
    REJECTED,
    RETRY,
    REVOKED,
    STARTED,
    SUCCESS,
    in_turn,
)

ENDS = {
    "succeeded": SUCCESS,
    "failed": FAILURE,
    "retried": RETRY,
    "revoked": REVOKED,
    "rejected": REJECTED,
}
KINDS = {f"task-{kind}": kind for kind in ("sent", "received", "started", *ENDS)}
_BEFORE = {"sent": PENDING, "received": RECEIVED, "started": STARTED}
_RANK = {"sent": 0, "received": 1, "started": 2}
_MOST_TOLD = 128  # of one task; the earliest are kept, and the last
_MOST_NAMES = 16
_MICROSECONDS = 1_000_000
_LONGEST = 2**60  # so that sums and differences fit into 64 bits
_LONGEST_SECONDS = _LONGEST / _MICROSECONDS
TERMINATED, EXPIRED, TRUNCATED = 1, 2, 4
#: No event told it: of an end, that it is from the result backend; of LOST, that it is our word.
FETCHED = 128
_FINAL = frozenset({"succeeded", "failed", "revoked", "rejected"})

#: (kind, time in epoch seconds, sender, retries), as `cluster.runs` takes it.
JudgedEvent = tuple[str, float, str, int]


class Verdict(Protocol):
    """How a task stands (`cluster.runs.Verdict`). Times: epoch seconds."""

    @property
    def state(self) -> str: ...
    @property
    def at(self) -> float: ...
    @property
    def worker(self) -> str | None: ...
    @property
    def received(self) -> float | None: ...
    @property
    def started(self) -> float | None: ...


Judge = Callable[[Iterable[JudgedEvent], Callable[[str], float]], Verdict]
#: Say which attempt each belongs to, 0 the first; None where nothing tells (`cluster.runs`).
Number = Callable[[Iterable[JudgedEvent]], dict[JudgedEvent, int | None]]


class Told(NamedTuple):
    """One event of a task. Times: whole microseconds."""

    at: int  # since the epoch
    kind: str  # the event type without "task-"; a state of a project's own is in capitals
    sender: str
    retries: int = 0
    # Of a start: how long it had waited; of a success: its runtime; of a LOST of ours: when the
    # run began that is lost, and why that is stands in `exception`.
    number: int | None = None
    result: str | None = None
    exception: str | None = None
    traceback: str | None = None
    flags: int = 0
    signum: str | None = None


class About(NamedTuple):
    """What one event said of the task itself; the last that told a name holds."""

    retries: int = -1
    at: int = 0
    name: str | None = None
    args: str | None = None
    kwargs: str | None = None
    eta: str | None = None
    expires: str | None = None
    flags: int = 0


class Named(NamedTuple):
    """A task that had the id. Times: whole microseconds since the epoch."""

    first: int  # that an event told of it
    last: int
    about: About


class Way(NamedTuple):
    """How a client sent it; the last time holds."""

    at: int = 0
    client: str | None = None
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None


_Said = TypeVar("_Said", About, Way)


class Attempt(NamedTuple):
    """One run of a task. Times: whole microseconds, since the epoch."""

    retries: int | None  # None: its task-received never came
    worker: str
    state: str
    received: int | None
    started: int | None
    ended: int | None
    runtime: int | None
    wait: int | None
    exception: str | None
    traceback: str | None


class Record:
    """All that was told of one task."""

    __slots__ = ("about", "names", "parent", "root", "told", "way")

    def __init__(self) -> None:
        self.told: dict[tuple[str, int, str, int], Told] = {}
        self.about = About()
        #: Task.replace runs another task under the id: all of them, by name. Empty: there is one.
        self.names: dict[str, Named] = {}
        self.way = Way()
        self.root: str | None = None
        self.parent: str | None = None

    def tell(self, told: Told) -> None:
        """Add an event; it may be there already."""
        key = _key(told)
        known = self.told.get(key)
        if known is None:
            self.told[key] = told
            if len(self.told) > _MOST_TOLD:
                del self.told[sorted(self.told, key=lambda key: (key[1], key))[_MOST_TOLD - 1]]
        elif known != told:
            self.told[key] = Told(*map(_greatest, known, told))

    def say(self, about: About) -> None:
        name, known = about.name, self.about.name
        if name is not None and (self.names or (known is not None and known != name)):
            self.add_names({name: Named(about.at, about.at, about)})
        else:
            self.about = _later(self.about, about)

    def add_names(self, more: Mapping[str, Named]) -> None:
        """Add tasks that had the id; that which was told of last has it now."""
        names = self.named()
        for name, two in more.items():
            one = names.get(name, two)
            names[name] = Named(
                min(one.first, two.first), max(one.last, two.last), _later(one.about, two.about)
            )
        kept = sorted(names, key=lambda name: (names[name].last, name))[-_MOST_NAMES:]
        self.about = names[kept[-1]].about
        self.names = {name: names[name] for name in sorted(kept)} if len(kept) > 1 else {}

    def named(self) -> dict[str, Named]:
        """Give the tasks that had the id, by name: one, if any told its name."""
        if self.names or self.about.name is None:
            return dict(self.names)
        at = [one.at for one in self.told.values() if one.kind in ("sent", "received")]
        at.append(self.about.at)
        return {self.about.name: Named(min(at), max(at), self.about)}

    def name_at(self, at: int) -> str | None:
        """Give the name of the task that had the id at a time (microseconds)."""
        began = [(one.first, name) for name, one in self.names.items() if one.first <= at]
        return max(began)[1] if began else self.about.name

    @property
    def since(self) -> list[float]:
        """When the next task took the id over, each time; epoch seconds."""
        return [seconds(at) for at in sorted(one.first for one in self.names.values())[1:]]

    def waited(self, wait: int) -> None:
        """Note how long the last start had waited, which only an event after it could say."""
        starts = [one for one in self.told.values() if one.kind == "started"]
        if starts:
            last = max(starts, key=lambda one: one.at)
            self.told[_key(last)] = last._replace(number=wait) if last.number is None else last

    def send(self, way: Way) -> None:
        self.way = _later(self.way, way)

    def join(self, uuid: str, other: Record) -> None:
        """Add all that another record says of the same task."""
        names = other.named()
        if len(names.keys() | self.named().keys()) > 1:
            self.add_names(names)
        else:
            self.say(other.about)
        for told in other.told.values():
            self.tell(told)
        self.send(other.way)
        self.family(uuid, other.root, other.parent)

    def family(self, uuid: str, root: str | None, parent: str | None) -> None:
        """Note root and parent. A retry is sent by the task itself: it is not its own parent."""
        if root is not None and (self.root is None or root > self.root):
            self.root = root
        if parent is not None and parent != uuid and (self.parent is None or parent > self.parent):
            self.parent = parent


class Standing(NamedTuple):
    """How a task stands. Times: whole microseconds, since the epoch."""

    state: str
    at: int
    worker: str | None
    sent: int | None
    received: int | None
    started: int | None
    runtime: int | None
    wait: int | None
    end: Told | None  # the outcome's texts
    simple: bool  # there is nothing to it but this


def microseconds(seconds: float) -> int:
    """Give whole microseconds, of what is no time the longest that can be stored."""
    return round(seconds * _MICROSECONDS) if abs(seconds) < _LONGEST_SECONDS else _LONGEST


def seconds(microseconds: int) -> float:
    return microseconds / _MICROSECONDS


def take(
    record: Record, event: Event, wait: float | None, cut: Callable[[str, int], str], chars: int
) -> None:
    """Add what an event tells. `cut` masks a text and cuts it to so many characters."""
    kind = KINDS.get(event.type)
    at = microseconds(event.timestamp)
    found = event if isinstance(event, Found) else None
    if found is not None and found.how == "lost":
        began = None if found.of_start is None else microseconds(found.of_start)
        why = cut(event.exception or "", chars)
        record.tell(Told(at, LOST, event.hostname, number=began, exception=why, flags=FETCHED))
        return
    if kind is None:
        record.tell(Told(at, event.type[5:].upper(), event.hostname))
        return
    uuid = event.uuid or ""
    if kind == "sent" or kind == "received":
        if event.name is not None:
            flags = 0
            args, kwargs = event.args, event.kwargs
            if args is not None:
                args = cut(args, chars)
                flags |= TRUNCATED if len(args) > chars else 0
            if kwargs is not None:
                kwargs = cut(kwargs, chars)
                flags |= TRUNCATED if len(kwargs) > chars else 0
            about = About(
                event.retries or 0, at, event.name, args, kwargs, event.eta, event.expires, flags
            )
            record.say(about)
        if kind == "sent":
            record.send(Way(at, event.hostname, event.queue, event.exchange, event.routing_key))
        record.family(uuid, event.root_id, event.parent_id)
        record.tell(Told(at, kind, event.hostname, event.retries or 0))
        if wait is not None:
            record.waited(microseconds(wait))
        return
    if kind == "started":
        number = None if wait is None else microseconds(wait)
        record.tell(Told(at, kind, event.hostname, event.retries or 0, number))
        return
    flags = (TERMINATED if event.terminated else 0) | (EXPIRED if event.expired else 0)
    flags |= 0 if found is None else FETCHED
    result, exception, traceback = event.result, event.exception, event.traceback
    if result is not None:
        result = cut(result, chars)
        flags |= TRUNCATED if len(result) > chars else 0
    if exception is not None:
        exception = cut(exception, chars)
        flags |= TRUNCATED if len(exception) > chars else 0
    if traceback is not None:
        traceback = cut(traceback, 4 * chars)
        flags |= TRUNCATED if len(traceback) > 4 * chars else 0
    runtime = None if event.runtime is None else microseconds(event.runtime)
    signum = None if event.signum is None else str(event.signum)
    retries = event.retries or 0
    record.tell(
        Told(
            at, kind, event.hostname, retries, runtime, result, exception, traceback, flags, signum
        )
    )


def stand(record: Record, judge: Judge) -> Standing:
    """Say how a task stands."""
    found: dict[str, Told] = {}
    for one in record.told.values():
        slot = "end" if one.kind in ENDS else one.kind
        if one.retries or slot in found or not _is_known(one):
            return _judged(record, judge)
        found[slot] = one
    sent = found.get("sent")
    run = [found[slot] for slot in ("received", "started", "end") if slot in found]
    for one, after in pairwise(run):
        if one.at > after.at or one.sender != after.sender:
            return _judged(record, judge)
    if record.names or record.about.retries > 0 or (sent and sent.at != record.way.at):
        return _judged(record, judge)
    last = run[-1] if run else sent
    assert last is not None
    received, started, end = found.get("received"), found.get("started"), found.get("end")
    return Standing(
        ENDS.get(last.kind) or _BEFORE[last.kind], last.at, (last.sender or None) if run else None,
        None if sent is None else sent.at, None if received is None else received.at,
        None if started is None else started.at, None if end is None else end.number,
        None if started is None else started.number, end, True,
    )  # fmt: skip


def _judged(record: Record, judge: Judge) -> Standing:
    ordered = holding(_ordered(record))
    known = [_judgeable(one) for one in ordered if _is_known(one)]
    verdict = judge(in_turn(known, record.since), _no_skew)
    state, at = verdict.state, microseconds(verdict.at)
    worker = verdict.worker or None
    received = None if verdict.received is None else microseconds(verdict.received)
    started = None if verdict.started is None else microseconds(verdict.started)
    own = [one for one in ordered if not _is_known(one) and not one.flags & FETCHED]
    if own and state not in FINISHED and own[-1].at >= at + (state == RETRY):
        state, at, worker = own[-1].kind, own[-1].at, own[-1].sender
    said_by_itself = bool(own) and own[-1].kind == state
    if state == STARTED or said_by_itself:
        loss = loss_of(ordered, worker, started, since=at)
        if loss is not None:
            state, at = LOST, loss.at
    sents = [one.at for one in ordered if one.kind == "sent"]
    ends = [one for one in ordered if one.kind in ENDS]
    end: Told | None = None
    if ends:
        values: dict[str, Any] = {}
        for one in sorted(ends, key=lambda one: (one.at, _order(one))):
            values.update({k: v for k, v in one._asdict().items() if v is not None})
        end = Told(**values)
    deciding = [one for one in ends if one.at == at and ENDS[one.kind] == state]
    runtime = next((one.number for one in reversed(deciding)), None)
    waits = [one.number for one in ordered if one.kind == "started" and one.number is not None]
    return Standing(
        state, at, worker, max(sents, default=None), received, started, runtime,
        waits[-1] if waits else None, end, False,
    )  # fmt: skip


def holding(told: Sequence[Told]) -> list[Told]:
    """Leave out ends from the result backend where an event told the end of that run, or a later.

    An event belongs to an earlier run where another run began after it, before the end that was
    fetched.
    """
    if not any(one.flags & FETCHED and one.kind in _FINAL for one in told):
        return list(told)
    ends = [one.at for one in told if one.kind in _FINAL and not one.flags & FETCHED]
    begun = [one.at for one in told if one.kind in ("received", "started")]

    def is_known_better(one: Told) -> bool:
        return any(
            end >= one.at or not any(end < began <= one.at for began in begun) for end in ends
        )

    return [
        one
        for one in told
        if not (one.flags & FETCHED and one.kind in _FINAL and is_known_better(one))
    ]


def loss_of(
    told: Iterable[Told], worker: str | None, started: int | None, *, since: int | None = None
) -> Told | None:
    """Give the first word of ours that this run is lost; None where there is none.

    `worker` and `started` are those of the run, and `since` is the last that it told of itself
    besides. Times: whole microseconds since the epoch.
    """
    return next(
        (
            one
            for one in told
            if one.kind == LOST
            and one.flags & FETCHED
            and one.sender == (worker or "")
            and one.number == started
            and (since is None or since == started or one.at >= since)
        ),
        None,
    )


def attempts(record: Record, number: Number) -> list[Attempt]:
    """Give the runs, in the order they began."""
    told = holding(_ordered(record))
    ordered = [one for one in told if one.kind != "sent" and _is_known(one)]
    events = in_turn(map(_judgeable, ordered), record.since)
    numbers = number(events)
    groups: dict[tuple[int | None, str], list[Told]] = {}
    for one, event in zip(ordered, events, strict=True):
        groups.setdefault((numbers.get(event), one.sender), []).append(one)
    runs = [
        _lost(_attempt(retries, worker, group), told) for (retries, worker), group in groups.items()
    ]
    runs.sort(key=lambda run: (run.retries or 0, _began(run), run.worker))
    return runs


def _attempt(retries: int | None, worker: str, group: Sequence[Told]) -> Attempt:
    received = [one.at for one in group if one.kind == "received"]
    starts = [one for one in group if one.kind == "started"]
    ends = [one for one in group if one.kind in ENDS]
    ends.sort(key=lambda one: (one.kind != "rejected", one.at))
    end = ends[-1] if ends else None
    start = starts[-1] if starts else None
    state = RECEIVED if start is None else STARTED
    if end is not None:
        state = ENDS[end.kind]
    return Attempt(
        retries, worker, state, received[0] if received else None,
        None if start is None else start.at, None if end is None else end.at,
        None if end is None else end.number, None if start is None else start.number,
        None if end is None else end.exception, None if end is None else end.traceback,
    )  # fmt: skip


def _lost(run: Attempt, told: Iterable[Told]) -> Attempt:
    """Say of a run that goes on that it is lost, if we said so."""
    if run.state != STARTED or loss_of(told, run.worker, run.started) is None:
        return run
    return run._replace(state=LOST)


def _began(run: Attempt) -> int:
    return next(at for at in (run.received, run.started, run.ended) if at is not None)


def _ordered(record: Record) -> list[Told]:
    return sorted(
        record.told.values(), key=lambda one: (one.at, _RANK.get(one.kind, 3), one.kind, one.sender)
    )


def _key(told: Told) -> tuple[str, int, str, int]:
    return told.kind, told.at, told.sender, told.flags & FETCHED


def _is_known(told: Told) -> bool:
    return told.kind in ENDS or told.kind in _BEFORE


def _judgeable(told: Told) -> JudgedEvent:
    return told.kind, seconds(told.at), told.sender, told.retries


def _no_skew(_: str) -> float:
    return 0.0


def _greatest(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _later(one: _Said, other: _Said) -> _Said:
    """Give the greater; mostly the first two fields, which are there, say which."""
    first, second = one[:2], other[:2]
    if first != second:
        return other if _order(second) > _order(first) else one
    return other if _order(other) > _order(one) else one


def _order(values: Sequence[Any]) -> tuple[tuple[bool, Any], ...]:
    """Make a key that orders None before every value."""
    return tuple([(value is not None, value if value is not None else 0) for value in values])


# ---------------------------------------------------------------------- on disk


class _Life(msgspec.Struct, array_like=True):
    told: list[Told]
    about: About
    way: Way
    root: str | None
    parent: str | None
    names: dict[str, Named] = {}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Life)


def dump(record: Record) -> bytes:
    return _encoder.encode(
        _Life(_ordered(record), record.about, record.way, record.root, record.parent, record.names)
    )


def names_of(dumped: str | bytes) -> list[str]:
    """Give the names of the tasks that had an id, of a record that has several."""
    return list(_decoder.decode(dumped).names)


def load(data: bytes) -> Record:
    life = _decoder.decode(data)
    record = Record()
    record.told = {_key(one): one for one in life.told}
    record.about, record.way, record.names = life.about, life.way, life.names
    record.root, record.parent = life.root, life.parent
    return record
