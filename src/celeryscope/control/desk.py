"""Takes every command: those for workers go to `Remote`, those that we do ourselves to `Jobs`.

Of each queue the desk remembers whom it paused, so that the same workers can be resumed without
being named. It remembers in memory: after a restart they must be named.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from celeryscope.control.action import Action
from celeryscope.control.commands import MAX_IDS, QUEUE_TABLES, Command, find, parse, wire
from celeryscope.control.jobs import Job, Jobs
from celeryscope.control.remote import Remote
from celeryscope.errors import BadArgument, NotFound, NotPossible

MAX_CHOSEN_IDS = 100_000
_MAX_QUEUES = 1_000
_NAME_THEM = "Name the workers."


class Desk:
    """Takes commands; each is on its way when `send` returns. Used from any thread.

    `consumers` gives the names of the workers that are online and consume from a queue,
    `declared` what one of some workers tells of a queue that it consumes from (`active_queues`).
    """

    def __init__(
        self,
        *,
        remote: Remote,
        jobs: Jobs,
        consumers: Callable[[str], Sequence[str]],
        declared: Callable[[str, Sequence[str]], Mapping[str, Any]] = lambda _queue, _workers: {},
    ) -> None:
        self._remote = remote
        self._jobs = jobs
        self._consumers = consumers
        self._declared = declared
        self._lock = threading.Lock()
        # queue -> how those who were paused had it: one that was started since may not know
        self._as_it_was: OrderedDict[str, dict[str, Any]] = OrderedDict()
        # queue -> worker -> the last command of ours that paused or resumed it
        self._last: OrderedDict[str, dict[str, Action]] = OrderedDict()

    def send(
        self,
        command: str,
        arguments: Mapping[str, Any],
        *,
        workers: Sequence[str] | None = None,
        confirm: str | None = None,
        max_ids: int | None = None,
    ) -> Action | Job:
        """Send a command on its way.

        `confirm` is what the person typed where the command wants that. `max_ids` allows more
        ids, up to 100,000, for a selection that we made ourselves. Raises before anything is
        done: `NotFound`, `BadArgument`, `NotPossible`, `Unavailable`.
        """
        found = find(command)
        if max_ids is not None:
            max_ids = min(max_ids, MAX_CHOSEN_IDS)
        parsed = parse(found, arguments, max_ids=max_ids)
        _check_confirmed(found, parsed, confirm)
        if found.runs == "here":
            if workers is not None:
                raise BadArgument(
                    "workers", f"'{found.name}' is done by the console: it goes to no worker."
                )
            return self._jobs.send(found, parsed)
        if len(parsed.get("ids") or ()) > MAX_IDS:
            raise BadArgument(
                "ids",
                f"'{found.name}' goes to the workers with at most {MAX_IDS:,} ids at a time, not "
                f"{len(parsed['ids']):,}: take a smaller selection.",
            )
        if found.name in ("pause_queue", "resume_queue"):
            return self._switch(found, parsed, workers)
        return self._remote.send(found, parsed, workers=workers)

    def get(self, ident: str) -> Action | Job:
        """Give the action of that id; raise `NotFound` when it is not kept (any more)."""
        try:
            return self._jobs.get(ident)
        except NotFound:
            return self._remote.get(ident)

    def actions(self) -> list[Action | Job]:
        """Give the actions that are kept, the newest first."""
        kept: list[Action | Job] = [*self._jobs.actions(), *self._remote.actions()]
        return sorted(kept, key=lambda action: action.created_at, reverse=True)

    def stop(self, ident: str) -> Action | Job:
        """End an action that is done item by item; what is done stays done."""
        action = self.get(ident)
        if not isinstance(action, Job):
            raise NotPossible("A command that was sent to workers cannot be taken back.")
        action.stop()
        return action

    # ------------------------------------------------------------------ queues

    def _switch(
        self, command: Command, parsed: Mapping[str, Any], workers: Sequence[str] | None
    ) -> Action:
        """Pause or resume a queue."""
        queue = parsed["queue"]
        if workers is None:
            pauses = command.name == "pause_queue"
            workers = list(self._consumers(queue)) if pauses else self._paused(queue)
            if not workers:
                words = (
                    f"No worker is known to consume from '{queue}'."
                    if pauses
                    else f"Nobody was paused here who consumed from '{queue}'."
                )
                raise NotPossible(words, hint=_NAME_THEM)
        known = as_declared(queue, self._declared(queue, workers))
        with self._lock:
            if command.name == "pause_queue" and known:
                self._as_it_was[queue] = known
                if len(self._as_it_was) > _MAX_QUEUES:
                    self._as_it_was.popitem(last=False)
            besides = {} if command.name == "pause_queue" else self._as_it_was.get(queue, {})
        action = self._remote.send(command, parsed, workers=workers, besides=besides)
        with self._lock:
            self._last.setdefault(queue, {}).update(dict.fromkeys(workers, action))
            self._last.move_to_end(queue)
            if len(self._last) > _MAX_QUEUES:
                self._last.popitem(last=False)
        return action

    def _paused(self, queue: str) -> list[str]:
        with self._lock:
            last = dict(self._last.get(queue, {}))
        return [worker for worker, action in last.items() if _is_paused(worker, action)]


def _is_paused(worker: str, action: Action) -> bool:
    """Say whether the worker may be without its queue after this."""
    told = action.worker(worker)
    outcome = told.outcome if told is not None else "unasked"
    return outcome != "refused" if action.command.name == "pause_queue" else outcome != "ok"


def _check_confirmed(command: Command, parsed: Mapping[str, Any], confirm: str | None) -> None:
    if command.confirm and confirm != str(parsed[command.confirm]):
        raise BadArgument(
            "confirm",
            f"'{command.name}' must be confirmed: give the same in 'confirm' as in "
            f"'{command.confirm}'.",
        )


def as_declared(queue: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a worker needs to declare a queue as another one told it; nothing in doubt."""
    exchange = told.get("exchange")
    exchange = exchange if isinstance(exchange, Mapping) else {}
    switches = {
        "durable": told.get("durable"),
        "auto_delete": told.get("auto_delete"),
        "exclusive": told.get("exclusive"),
        "exchange_durable": exchange.get("durable"),
        "exchange_auto_delete": exchange.get("auto_delete"),
        **{name: told.get(name) for name in QUEUE_TABLES},
    }
    command = find("add_consumer")
    given = {
        "queue": queue,
        "exchange": exchange.get("name") or None,
        "exchange_type": exchange.get("type"),
        "routing_key": told.get("routing_key") or None,
        "options": {name: value for name, value in switches.items() if value is not None},
    }
    try:
        declared = wire(command, parse(command, given))
    except BadArgument:
        return {}
    return {name: value for name, value in declared.items() if name != "queue"} if exchange else {}
