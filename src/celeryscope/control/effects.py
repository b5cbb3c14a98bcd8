"""Is it done? A worker that says yes has only heard the command.

For each effect a question (one of Celery's inspect commands) and a judge: a pure function of what
the worker answered before and after, and of what its events told. A judge says `done`, `pending`
(not yet), `nothing to do`, or `cannot tell`, with a sentence for people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from celeryscope.control.action import Effect
from celeryscope.control.commands import EffectName


class Sight(NamedTuple):
    """What the cluster's events tell; each gives None for what they do not."""

    #: Is the worker of that name online?
    online: Callable[[str], bool | None] = lambda _hostname: None
    #: The state of a task by its id, as SUCCESS or REVOKED.
    task_state: Callable[[str], str | None] = lambda _task_id: None


class Seen(msgspec.Struct, frozen=True):
    """What is known of one worker that was told something."""

    command: str
    arguments: Mapping[str, Any]
    hostname: str
    reply: Any = None  # what it answered to the command
    refused: bool = False  # it said no, and may have done a part
    before: Any = None  # its answer to the question, from before the command; None: none
    after: Any = None  # its newest answer to the question; None: none yet
    sight: Sight = Sight()


class Verdict(NamedTuple):
    """What a judge says of one worker."""

    effect: Effect
    said: str


class Strategy(NamedTuple):
    """How an effect is looked for."""

    judge: Callable[[Seen], Verdict]
    question: str = ""  # the inspect command; none where the reply is all there is
    arguments: Mapping[str, Any] = {}  # for the question
    before: bool = False  # the question is asked before the command, too
    at_once: int = 1_000  # so many workers are asked at a time; more take turns


def _pending(said: str) -> Verdict:
    return Verdict("pending", said)


def _done(said: str) -> Verdict:
    return Verdict("done", said)


def _cannot_tell(said: str) -> Verdict:
    return Verdict("cannot tell", said)


def _at(value: Any, *path: str) -> Any:
    """Follow keys into an answer; None where it has another shape."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


# ---------------------------------------------------------------------- judges


def _said(seen: Seen) -> Verdict:
    return _cannot_tell("No inspect command tells it: there is only the worker's word.")


def _events(seen: Seen) -> Verdict:
    if seen.command == "disable_events" and "already" in str(seen.reply):
        return _cannot_tell("The worker says so also when it was started with -E and goes on.")
    return _done("The worker says what it sends now.")


def _offline(seen: Seen) -> Verdict:
    before, after = _at(seen.before, "pid"), _at(seen.after, "pid")
    if None not in (before, after) and before != after:
        return _done(f"Another process ({after}) answers to its name: it was started again.")
    online = seen.sight.online(seen.hostname)
    if online is False:
        return _done("It is offline.")
    if online is None and seen.before is not None:
        return _pending("It answered before; no event says that it went.")
    return _pending("No event says that it went. Tasks that run are finished first.")


def _processes(seen: Seen) -> Verdict:
    before, after = _process_ids(seen.before), _process_ids(seen.after)
    if before is None:
        return _cannot_tell("It did not tell its number of processes before.")
    if after is None:
        return _pending("It has not yet told its number of processes.")
    shrinks = seen.command == "pool_shrink"
    wanted = len(before) + (-1 if shrinks else 1) * int(seen.arguments["n"])
    said = f"{len(after)} process{'es' * (len(after) != 1)}, {len(before)} before."
    if seen.refused:
        # It may still be at it; with none left there is nothing more that it could end.
        some = len(after) != len(before)
        said = f"{said} It did a part before it refused." if some else said
        return _pending(said) if after else Verdict("not seen", said)
    done = len(after) <= wanted if shrinks else len(after) >= wanted
    return _done(said) if done else _pending(said)


def _process_ids(stats: Any) -> list[Any] | None:
    processes = _at(stats, "pool", "processes")
    return processes if isinstance(processes, list) else None


def _restarted(seen: Seen) -> Verdict:
    if seen.after is None:
        return _pending("It has not yet told its processes.")
    pool = str(_at(seen.after, "pool", "implementation") or "unknown").partition(":")[0]
    before, after = _process_ids(seen.before), _process_ids(seen.after)
    if "prefork" not in pool or after is None:
        return _cannot_tell(f"Its pool ({pool}) has no processes to replace.")
    if before is None:
        return _cannot_tell("It did not tell its processes before.")
    left = sum(process in before for process in after)
    if after and not left:
        return _done(f"None of the earlier processes is left; it has {len(after)} now.")
    return _pending(
        f"{left} of its {len(before)} processes are still the old ones: an idle one is replaced "
        "after its next task."
    )


def _autoscaler(seen: Seen) -> Verdict:
    limits = _at(seen.after, "autoscaler")
    if not isinstance(limits, dict):
        return _pending("It has not yet told its limits.")
    said = f"Its limits are {limits.get('min')} to {limits.get('max')}."
    lowest = seen.arguments["min"]
    done = limits.get("max") == seen.arguments["max"]
    done = done and lowest in (None, limits.get("min"))
    return _done(said) if done else _pending(said)


def _consumers(seen: Seen) -> Verdict:
    if not isinstance(seen.after, list):
        return _pending("It has not yet told its queues.")
    queue = seen.arguments["queue"]
    consumes = any(_at(entry, "name") == queue for entry in seen.after)
    said = f"It {'consumes' if consumes else 'does not consume'} from '{queue}'."
    wanted = seen.command in ("add_consumer", "resume_queue")
    return _done(said) if consumes == wanted else _pending(said)


def _rate(seen: Seen) -> Verdict:
    limits = _limits(seen.after, seen.arguments["task_name"])
    if limits is None:
        return _pending("It has not yet told the task's limits.")
    told = limits.get("rate_limit", "0")
    said = f"The task's rate limit is {'none' if told == '0' else told}."
    return _done(said) if told == seen.arguments["rate_limit"] else _pending(said)


def _time(seen: Seen) -> Verdict:
    limits = _limits(seen.after, seen.arguments["task_name"])
    if limits is None:
        return _pending("It has not yet told the task's limits.")
    soft, hard = _seconds(limits, "soft_time_limit"), _seconds(limits, "time_limit")
    said = f"The task's limits are soft {_spelled(soft)}, hard {_spelled(hard)}."
    done = (soft, hard) == (seen.arguments["soft"], seen.arguments["hard"])
    return _done(said) if done else _pending(said)


def _limits(registered: Any, task_name: str) -> dict[str, str] | None:
    """Read `name [rate_limit=10/m time_limit=5]` of one task; None when it is not told."""
    if not isinstance(registered, list):
        return None
    for line in registered:
        if line == task_name:
            return {}
        if isinstance(line, str) and line.startswith(f"{task_name} [") and line.endswith("]"):
            fields = line[len(task_name) + 2 : -1].split(" ")
            return {name: value for name, _, value in (field.partition("=") for field in fields)}
    return None


def _seconds(limits: Mapping[str, str], name: str) -> float | None:
    try:
        return float(limits[name])
    except (KeyError, ValueError):
        return None


def _spelled(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"


def _revoked(seen: Seen) -> Verdict:
    ids = seen.arguments["ids"]
    listed = set(map(str, seen.after)) if isinstance(seen.after, list) else set()
    left = [
        ident for ident in ids if ident not in listed and seen.sight.task_state(ident) != "REVOKED"
    ]
    if not left:
        return _done("It knows them as revoked." if listed else "Events tell them as revoked.")
    if seen.after is None:
        return _pending("It has not yet told what it will not start.")
    return _pending(f"{len(left)} of {len(ids)} are not known to be revoked.")


def _terminated(seen: Seen) -> Verdict:
    ids = seen.arguments["ids"]
    if str(seen.reply) == "terminate: tasks unknown":
        return Verdict("nothing to do", "It has none of these tasks.")
    if all(seen.sight.task_state(ident) == "REVOKED" for ident in ids):
        return _done("Events tell them as revoked.")
    if not isinstance(seen.after, list):
        return _pending("It has not yet told what runs.")
    running = {str(_at(task, "id")) for task in seen.after}.intersection(ids)
    if not running:
        return _done("None of them runs there any more.")
    return _pending(f"{len(running)} of {len(ids)} still run.")


#: How each effect is looked for; commands name theirs. `answer` is none: the answer is all.
STRATEGIES: Final[Mapping[EffectName, Strategy]] = {
    "said": Strategy(_said),
    "events": Strategy(_events),
    "offline": Strategy(_offline, "stats", before=True),
    "processes": Strategy(_processes, "stats", before=True),
    "restarted": Strategy(_restarted, "stats", before=True),
    "autoscaler": Strategy(_autoscaler, "stats"),
    "consumers": Strategy(_consumers, "active_queues"),
    "rate": Strategy(_rate, "registered", {"taskinfoitems": ["rate_limit"]}),
    "time": Strategy(_time, "registered", {"taskinfoitems": ["time_limit", "soft_time_limit"]}),
    # Up to 50,000 ids come from each.
    "revoked": Strategy(_revoked, "revoked", at_once=50),
    "terminated": Strategy(_terminated, "active"),
}
