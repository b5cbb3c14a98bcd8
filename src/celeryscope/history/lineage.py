"""A family: the tasks of one root, who sent whom, and what its end waited for. Pure.

Events carry the ids of root and parent, and nothing of canvases. What a task was in one is read
from what is there (docs/how-to/families.md, "What is known, and what is inferred"):

* *next*: its parent sent it when it was done, as a chain and a callback do;
* *sub*: its parent sent it while it ran;
* *group*: siblings that one process sent one right after the other;
* *body*: sent by the last of a group whose others had ended, as a chord's body is. It is sure
  where its argument is the list of their results.

A client gives each task of a group and of a chord's header a root of its own. They are of one
family only where a body joins them, or where the result backend has the same group of each.

All walks are loops over lists: a family may be deep, and its ids may lie.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from celeryscope.model.task import FAILURE, FINISHED, REJECTED, RETRY, REVOKED, STARTED, SUCCESS
from celeryscope.model.task import Task as Known

Kind = Literal["root", "next", "sub", "body", "unknown"]

LOST = "LOST"
#: Between two of a group, where the events tell when they were sent, and where they do not.
_TOGETHER_SECONDS = 0.1
_RECEIVED_TOGETHER_SECONDS = 1.0
#: What a worker does between sending the next task and telling that this one is over.
_HAND_OVER_SECONDS = 0.05
_FEW = 4  # tasks; of fewer nobody can say that the last is unlike the others
_MOST_COMPARED = 200  # tasks of a group whose results are looked for in an argument
_MOST_RUNS = 50  # of one task
_ENDS = {
    "succeeded": SUCCESS,
    "failed": FAILURE,
    "retried": RETRY,
    "revoked": REVOKED,
    "rejected": REJECTED,
}


class Run(NamedTuple):
    """One time that a worker ran it. Times: epoch seconds."""

    started: float
    ended: float | None  # None: it runs, or nobody told of its end
    state: str


class Member:
    """A task of a family."""

    __slots__ = (
        "after", "began", "by_message", "children", "critical", "depth", "ended", "group", "kind",
        "parent", "runs", "sender", "sent", "started", "task", "uuid",
    )  # fmt: skip

    def __init__(self, uuid: str, task: Known | None) -> None:
        self.uuid = uuid
        self.task = task  # None: others name it, and nothing was told of it
        self.parent: str | None = None
        self.kind: Kind = "root"
        self.group: int | None = None
        self.after: tuple[str, ...] = ()  # of a body: the last tasks of its header
        self.depth = 0
        self.critical = False
        self.children: list[Member] = []
        self.runs: tuple[Run, ...] = ()
        self.sender: str | None = None  # who sent it the first time
        self.by_message = False  # its arguments came in a message: no task called it with them
        self.sent: float | None = None  # the first time
        self.started: float | None = None  # the first time
        self.ended: float | None = None  # None: it goes on, or is unknown
        self.began: float | None = None  # the first that was told of it; None: unknown
        if task is not None:
            self._tell(task)

    @property
    def going(self) -> bool:
        """Say whether more is to come of it."""
        return self.task is not None and self.ended is None

    def _tell(self, task: Known) -> None:
        if task.state in FINISHED or task.state == LOST:
            self.ended = task.state_at
        sents = [(at, sender) for kind, at, sender, _ in task.log if kind == "sent"]
        self.sent, self.sender = min(sents) if sents else (task.sent, task.client)
        self.runs = runs_of(task)
        self.started = self.runs[0].started if self.runs else task.started
        known = [self.sent, task.received, self.started]
        self.began = next((at for at in known if at is not None), task.state_at)


class Group(NamedTuple):
    """Tasks that were sent together."""

    id: int
    kind: Literal["group", "chord"]
    parent: str | None  # who sent them; None: a client
    name: str | None  # of all of them; None: they differ, or it is unknown
    members: tuple[str, ...]  # in the order they were sent
    states: dict[str, int]
    body: str | None
    sure: bool  # its id is known; of a chord: its body was given their results


class Step(NamedTuple):
    """A task on the critical path. Times: epoch seconds; None where nothing tells."""

    uuid: str
    sent: float | None
    started: float | None
    until: float | None  # when it handed on to the next, or ended; None: it goes on


class Family(NamedTuple):
    """All of it, in the order to draw: each task below the one that sent it."""

    root: str
    members: list[Member]
    groups: list[Group]
    critical: list[Step]
    began: float | None
    ended: float | None  # None: it goes on, or nothing is known of it
    states: dict[str, int]  # of those that are known
    together: list[Known]  # sent at the same moment by the same client, and not joined to it
    inferred: set[str]  # next, group, body: kinds that were inferred from times


def build(
    tasks: Iterable[Known],
    *,
    root: str,
    beside: Iterable[Known] = (),
    groups_of: Mapping[str, str | None] | None = None,
) -> Family:
    """Make the family of `root` of its tasks, which may be in any order.

    `beside`: the tasks of other roots that the same client sent right before or after it.
    `groups_of`: the groups of tasks by their ids, as far as they are known; None: it is in none.
    """
    members = {task.uuid: Member(task.uuid, task) for task in sorted(tasks, key=_uuid)}
    strange = [task for task in sorted(beside, key=_uuid) if task.uuid not in members]
    heads = {root}
    others = {task.uuid for task in strange}
    for task in strange:
        members[task.uuid] = Member(task.uuid, task)
        if task.parent_id is None or task.root_id in (None, task.uuid):
            heads.add(task.uuid)
    _join(members, root, heads, others)
    _kinds(members)
    groups = _Groups(members, groups_of or {})
    groups.find()
    together: list[Known] = []
    if strange:
        together = _apart(members, root, groups)
    ordered = _ordered(members, root, groups)
    critical = _critical(ordered)
    began = [one.began for one in ordered if one.began is not None]
    ends = [one.ended for one in ordered if one.ended is not None]
    over = bool(ends) and not any(one.going for one in ordered)
    return Family(
        root,
        ordered,
        groups.told(),
        critical,
        min(began, default=None),
        max(ends) if over else None,
        dict(Counter(one.task.state for one in ordered if one.task is not None)),
        together,
        _inferred(ordered, groups),
    )


def _uuid(task: Known) -> str:
    return task.uuid


def runs_of(task: Known) -> tuple[Run, ...]:
    """Give the times that workers ran a task, as its events tell."""
    if not task.log:
        if task.started is None:
            return ()
        over = task.state in FINISHED or task.state in (RETRY, LOST)
        return (Run(task.started, task.state_at if over else None, task.state),)
    starts = sorted(at for kind, at, *_ in task.log if kind == "started")[-_MOST_RUNS:]
    ends = sorted((at, _ENDS[kind]) for kind, at, *_ in task.log if kind in _ENDS)
    found = [Run(start, None, STARTED) for start in starts]
    for end, state in ends:
        going = [n for n, run in enumerate(found) if run.ended is None and run.started <= end]
        if going:  # what is retried may have begun anew before that is told
            number = going[0] if state == RETRY else going[-1]
            found[number] = Run(found[number].started, end, state)
    for number, following in enumerate(starts[1:]):
        if found[number].ended is None:  # another took its place, or its worker died
            found[number] = found[number]._replace(ended=following)
    over = task.state in FINISHED or task.state == LOST
    if found and found[-1].ended is None and over:
        found[-1] = Run(found[-1].started, task.state_at, task.state)
    return tuple(found)


# ---------------------------------------------------------------------- who sent whom


def _join(
    members: dict[str, Member], root: str, heads: Collection[str], others: Collection[str]
) -> None:
    """Give everybody a parent. The roots have none, and no task comes from itself."""
    if root not in members:
        members[root] = Member(root, None)
    for one in list(members.values()):
        task = one.task
        if task is None or one.uuid in heads:
            continue
        parent, above = task.parent_id, root
        if one.uuid in others and task.root_id is not None and task.root_id in heads:
            above = task.root_id
        if parent is None or parent == one.uuid or (parent in others and one.uuid not in others):
            # Only the root is known, or the two do not agree.
            parent = above
            one.kind = "unknown"
        one.parent = parent
        if parent not in members:
            stranger = members[parent] = Member(parent, None)
            stranger.kind = "unknown"
            stranger.parent = above if parent != above else None
    _break_circles(members, root)
    for one in members.values():
        if one.parent is not None:
            members[one.parent].children.append(one)
    for one in members.values():
        one.children.sort(key=_when)


def _break_circles(members: dict[str, Member], root: str) -> None:
    """Let the earliest of each circle come from the root instead.

    Task.replace makes circles: its last run is sent by what its first run sent.
    """
    safe: set[str] = set()
    for one in members.values():
        walked: dict[str, None] = {}
        at: Member | None = one
        while at is not None and at.uuid not in safe and at.uuid not in walked:
            walked[at.uuid] = None
            at = None if at.parent is None else members[at.parent]
        if at is not None and at.uuid in walked:
            circle = list(walked)[list(walked).index(at.uuid) :]
            first = min((members[uuid] for uuid in circle), key=_when)
            first.parent = None if first.uuid == root else root
            first.kind = "unknown"
        safe.update(walked)


def _when(one: Member) -> tuple[float, str]:
    return (float("inf") if one.began is None else one.began, one.uuid)


def _kinds(members: dict[str, Member]) -> None:
    for one in members.values():
        if one.parent is not None and one.kind != "unknown":
            parent = members[one.parent]
            one.kind = "next" if _is_next(one, parent) else "sub"
            if one.task is None or parent.task is None:
                one.kind = "unknown"


def _is_next(one: Member, parent: Member) -> bool:
    """Say whether a parent sent a task when it was done, as far as it can be told."""
    if one.task is None or parent.task is None or parent.ended is None:
        return False
    args = one.task.args or ""
    result = parent.task.result
    if args.startswith("[") or (result and args.startswith((f"({result},", f"({result})"))):
        one.by_message = True  # as of a signature, or with the result
        return True
    if one.began is None:
        return False
    ended, ran = parent.ended, 0.0
    if parent.runs:
        began, took = parent.runs[-1].started, parent.task.runtime
        # A worker that is busy tells later that a task is over than it was.
        ended = ended if took is None else min(ended, began + took)
        ran = ended - began
    return one.began >= ended - min(_HAND_OVER_SECONDS, max(ran, 0.0) / 2)


# ---------------------------------------------------------------------- groups and chords


class _Groups:
    """The groups of a family; `find` makes them."""

    def __init__(self, members: dict[str, Member], ids: Mapping[str, str | None]) -> None:
        self._members = members
        self._ids = ids
        self.known: set[int] = set()  # those of which the id is known
        self.inferred = False  # some of those that were told are not
        self._lists: list[list[Member]] = []
        self._heads: dict[str, tuple[Member, int]] = {}
        self.bodies: dict[int, Member] = {}
        self.above: dict[str, str | None] = {}  # of a body: who sent its header
        self.sure: set[int] = set()

    def find(self) -> None:
        heads = sorted((one for one in self._members.values() if one.parent is None), key=_when)
        self._together(heads)
        for one in list(self._members.values()):
            for siblings in _by_run(one):
                self._together(siblings)
        following = [one for one in self._members.values() if one.kind == "next"]
        following.sort(key=_when)
        for sure in (True, False):
            self._heads.clear()
            for one in following:
                if one.kind == "next" and one.parent is not None:
                    self._as_body(one, self._members[one.parent], sure)

    def of(self, one: Member) -> list[Member]:
        return [] if one.group is None else self._lists[one.group]

    def told(self) -> list[Group]:
        """Give those that are left, numbered anew."""
        found: list[Group] = []
        for number, group in enumerate(self._lists):
            kept = [one for one in group if one.group == number and one.uuid in self._members]
            if len(kept) < 2:
                for one in kept:
                    one.group = None
                continue
            body = self.bodies.get(number)
            new = len(found)
            self.inferred |= number not in self.known
            names = {one.task.name for one in kept if one.task is not None}
            found.append(
                Group(
                    new,
                    "group" if body is None else "chord",
                    kept[0].parent,
                    names.pop() if len(names) == 1 else None,
                    tuple(one.uuid for one in kept),
                    dict(Counter(one.task.state for one in kept if one.task is not None)),
                    None if body is None else body.uuid,
                    number in (self.known if body is None else self.sure),
                )
            )
            for one in kept:
                one.group = -1 - new
        for one in self._members.values():
            if one.group is not None:
                one.group = -1 - one.group
        return found

    def _together(self, siblings: Sequence[Member]) -> None:
        by_id: dict[str, list[Member]] = {}
        for run in _by_time(siblings):
            ids = {found for one in run if (found := self._ids.get(one.uuid)) is not None}
            left = []
            for one in run:
                ident = self._ids.get(one.uuid)
                if ident is None and len(ids) == 1:
                    (ident,) = ids  # it goes on, was not asked for, or begins a chain in the group
                if ident is None:
                    left.append(one)
                else:
                    by_id.setdefault(ident, []).append(one)
            self._add(left)
        for ident, group in by_id.items():
            self._add(group, known=all(self._ids.get(one.uuid, ident) for one in group))

    def _add(self, group: list[Member], *, known: bool = False) -> None:
        if known:
            self.known.add(len(self._lists))
        elif len(group) >= _FEW and [one for one in group if one.by_message] == group[-1:]:
            group = group[:-1]  # the next link of its parent's chain, sent right behind a group
        if len(group) >= 2 or known:
            sub = any(one.kind == "sub" for one in group)
            for one in group:
                one.group = len(self._lists)
                one.kind = "sub" if sub and one.kind == "next" else one.kind
            self._lists.append(group)

    def _as_body(self, one: Member, last: Member, sure: bool) -> None:
        """Make a task the body of a chord if it can be one; `last` sent it.

        `sure`: only where it was given the results of the header.
        """
        head, depth = self._head(last)
        group = self.of(head)
        if not group or head.group is None or head.group in self.bodies or one in group:
            return
        if len(group) > _MOST_COMPARED and any(
            other is not head and other.children for other in group
        ):
            return  # it would take too long; and what goes on in several ends no header
        ends = [(last, depth) if member is head else self._end_of(member) for member in group]
        chosen = _by_results(one, group.index(head), [end for end, _ in ends])
        if chosen is not None:
            self._split(group, chosen)
            self.sure.add(head.group)
        elif not sure and _is_over_before(one, last, depth, ends):
            chosen = range(len(group))
        else:
            return
        one.kind = "body"
        one.after = tuple(ends[at][0].uuid for at in chosen)
        self.bodies[head.group] = one
        self.above[one.uuid] = head.parent

    def _head(self, one: Member) -> tuple[Member, int]:
        """Walk up a chain to the task of a group that it began with; and say how far that is."""
        climbed = []
        while one.uuid not in self._heads:
            above = self._above(one)
            if one.group is not None or one.kind not in ("next", "body") or above is None:
                self._heads[one.uuid] = one, 0
                break
            climbed.append(one)
            one = above
        head, depth = self._heads[one.uuid]
        for lower in reversed(climbed):
            depth += 1
            self._heads[lower.uuid] = head, depth
        return head, depth

    def _above(self, one: Member) -> Member | None:
        parent = self.above.get(one.uuid, one.parent)
        return None if parent is None else self._members[parent]

    def _end_of(self, one: Member) -> tuple[Member, int]:
        """Walk down a chain to its end."""
        seen = {one.uuid}
        while (below := self._below(one)) is not None and below.uuid not in seen:
            one = below
            seen.add(one.uuid)
        return one, len(seen) - 1

    def _below(self, one: Member) -> Member | None:
        children = one.children
        if not children:
            return None
        body = self.bodies.get(children[0].group) if children[0].group is not None else None
        if body is not None:
            return body
        following = [child for child in children if child.kind == "next"]
        return following[0] if len(following) == 1 else None

    def _split(self, group: list[Member], chosen: range) -> None:
        """Leave the chosen ones in a group; make groups of those before and behind."""
        parts = [group[: chosen.start], group[chosen.stop :]]
        group[:] = group[chosen.start : chosen.stop]
        for part in parts:
            for one in part:
                one.group = None
            self._add(part)


def _by_time(siblings: Sequence[Member]) -> list[list[Member]]:
    """Part siblings by when they were sent."""
    runs: list[list[Member]] = []
    for one in siblings:
        if not runs or (runs[-1] and not _are_together(runs[-1][-1], one)):
            runs.append([])
        if one.began is not None:
            runs[-1].append(one)
    return runs


def _by_run(parent: Member) -> list[list[Member]]:
    """Part what a task sent by the run in which it did."""
    starts = [run.started for run in parent.runs]
    parts: dict[int, list[Member]] = {}
    for one in parent.children:
        parts.setdefault(bisect_right(starts, _when(one)[0]), []).append(one)
    return list(parts.values())


def _are_together(one: Member, other: Member) -> bool:
    if one.task is None or other.task is None or one.began is None or other.began is None:
        return False
    if one.sender is not None and other.sender is not None:
        return one.sender == other.sender and other.began - one.began <= _TOGETHER_SECONDS
    return other.began - one.began <= _RECEIVED_TOGETHER_SECONDS


def _by_results(one: Member, at: int, ends: Sequence[Member]) -> range | None:
    """Find those of a group, with the one at `at`, whose results are what a task was given."""
    args = "" if one.task is None or one.task.args is None else one.task.args
    if not args.startswith(("([", "[[")) or len(ends) > _MOST_COMPARED:
        return None
    found = [span for first in range(at + 1) if at in (span := _listed(args, first, ends))]
    whole = range(len(ends))
    return whole if whole in found else found[0] if len(found) == 1 else None


def _listed(args: str, first: int, ends: Sequence[Member]) -> range:
    """Give those from the first on whose results are the list that the arguments begin with."""
    place = 2
    for number in range(first, len(ends)):
        task = ends[number].task
        if task is None or task.result is None or not args.startswith(task.result, place):
            break
        place += len(task.result)
        if args.startswith("]", place):
            return range(first, number + 1 if number > first else first)
        if not args.startswith(", ", place):
            break
        place += 2
    return range(0)


def _is_over_before(
    one: Member, last: Member, depth: int, ends: Sequence[tuple[Member, int]]
) -> bool:
    """Say whether a task came when all of a group had succeeded, and the last of them sent it."""
    if one.began is None or last.ended is None:
        return False
    for end, deep in ends:
        if end.task is None or end.task.state != SUCCESS or end.ended is None or deep > depth:
            return False
        if end.ended > min(one.began, last.ended) + _HAND_OVER_SECONDS:
            return False
    return True


def _apart(members: dict[str, Member], root: str, groups: _Groups) -> list[Known]:
    """Take out of the family what is joined to it by nothing but the time; give its roots."""
    heads = [one for one in members.values() if one.parent is None]
    mine = members[root]
    kept = {root}
    joined = mine.group is not None and (mine.group in groups.bodies or mine.group in groups.known)
    if joined:
        kept.update(one.uuid for one in groups.of(mine))
    apart = sorted((one for one in heads if one.uuid not in kept), key=_when)
    todo = list(apart)
    while todo:
        one = todo.pop()
        members.pop(one.uuid, None)
        todo += one.children
    if not joined:
        mine.group = None
    return [one.task for one in apart if one.task is not None]


# ---------------------------------------------------------------------- in which order


def _ordered(members: dict[str, Member], root: str, groups: _Groups) -> list[Member]:
    """Put each below the one that sent it, those of a group one after the other."""
    below: dict[str | None, list[Member]] = {}
    for one in members.values():
        below.setdefault(groups.above.get(one.uuid, one.parent), []).append(one)
    first: dict[int, float] = {}
    for one in members.values():
        if one.group is not None:
            first[one.group] = min(first.get(one.group, _when(one)[0]), _when(one)[0])
    after = {body.uuid: number for number, body in groups.bodies.items()}

    def place(one: Member) -> tuple[bool, float, int, bool, tuple[float, str]]:
        number = one.group if one.group is not None else after.get(one.uuid)
        begins = _when(one)[0] if number is None else first.get(number, 0.0)
        return (
            one.uuid != root and one.parent is None and number is None,
            begins, -1 if number is None else number, one.uuid in after, _when(one),
        )  # fmt: skip

    ordered: list[Member] = []
    todo = sorted(below.get(None, ()), key=place, reverse=True)
    seen: set[str] = set()
    while todo:
        one = todo.pop()
        if one.uuid in seen:
            continue
        seen.add(one.uuid)
        ordered.append(one)
        children = sorted(below.get(one.uuid, ()), key=place, reverse=True)
        for child in children:
            child.depth = one.depth + 1
        todo += children
    return ordered


# ---------------------------------------------------------------------- the critical path


def _critical(ordered: Sequence[Member]) -> list[Step]:
    """Walk back from the last end, or from what goes on longest, to the beginning."""
    members = {one.uuid: one for one in ordered}
    going = [one for one in ordered if one.going]
    if going:
        # What runs holds it up before what waits; of these, what began first.
        last = min(going, key=lambda one: (not one.runs or one.runs[-1].ended is not None,
                                           _when(one)))  # fmt: skip
    else:
        over = [one for one in ordered if one.ended is not None]
        if not over:
            return []
        last = max(over, key=lambda one: (one.ended or 0.0, one.uuid))
    path = [last]
    last.critical = True
    while (cause := _cause(path[-1], members)) is not None and not cause.critical:
        cause.critical = True
        path.append(cause)
    path.reverse()
    steps = []
    for one, following in zip(path, [*path[1:], None], strict=True):
        until = one.ended
        if following is not None and following.began is not None:
            until = following.began if until is None else min(until, following.began)
        if one.task is not None:
            steps.append(Step(one.uuid, one.sent, one.started, until))
    return steps


def _cause(one: Member, members: dict[str, Member]) -> Member | None:
    """Say whose end, or whose sending, a task waited for."""
    causes = [members[uuid] for uuid in one.after if uuid in members]
    if causes:
        return max(causes, key=lambda cause: (cause.ended or 0.0, cause.uuid))
    if one.parent is not None:
        return members.get(one.parent)
    # The last run of a task that was replaced was sent by another of its family.
    sender = None if one.task is None else one.task.parent_id
    return None if sender is None else members.get(sender)


def _inferred(ordered: Sequence[Member], groups: _Groups) -> set[str]:
    found: set[str] = {one.kind for one in ordered if one.kind in ("next", "sub")}
    sure = {groups.bodies[number].uuid for number in groups.sure if number in groups.bodies}
    if any(one.kind == "body" and one.uuid not in sure for one in ordered):
        found.add("body")
    if groups.inferred:
        found.add("group")
    return found
