"""Who may change what, and the record of who did: every command goes to the desk through here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from celeryscope.control.commands import Command, find, parse
from celeryscope.control.mailbox import cleaned
from celeryscope.errors import Forbidden
from celeryscope.model.actor import Role
from celeryscope.web import known
from celeryscope.web.auth import limits
from celeryscope.web.services import Services
from celeryscope.web.sources import Action

Mask = Callable[[str], str]

_MOST_ITEMS = 100
_MOST_CHARS = 16_384
#: The arguments that say what a command concerns, the first that is given counts.
_SUBJECTS: Final = ("ids", "queue", "task_name", "entry")


def allows(services: Services, command: Command) -> bool:
    """Say whether who asks may send a command, with some arguments at least."""
    if services.door.read_only and command.role != "viewer":
        return False
    return services.actor.may(command.role) and limits.ever(command, services.actor.scope)


def demand(services: Services, role: Role, doing: str) -> None:
    """Raise `Forbidden` unless who asks may do what needs at least `role`, and write that down.

    `doing` begins the sentence that they read.
    """
    try:
        services.door.demand(services.actor, role, doing, changes=role != "viewer")
    except Forbidden:
        services.door.tell_denied(services.actor, doing)
        raise


def send(
    services: Services,
    command: str,
    arguments: Mapping[str, Any],
    *,
    workers: Sequence[str] | None = None,
    confirm: str | None = None,
    max_ids: int | None = None,
) -> Action:
    """Send a command for who asks; raises `Forbidden` and what `Desk.send` raises."""
    found = find(command)
    demand(services, found.role, f"'{command}'")
    demand_theirs(services, found, arguments, max_ids=max_ids)
    action = services.desk.send(
        command, arguments, workers=workers, confirm=confirm, max_ids=max_ids
    )
    subjects = subjects_of(arguments)
    _write(services, command, action, workers, subjects, arguments)
    services.outcomes.expect(
        action, services.door.trail, services.actor, workers=workers, subjects=subjects
    )
    return action


def demand_theirs(
    services: Services, command: Command, arguments: Mapping[str, Any], *, max_ids: int | None
) -> None:
    """Raise `Forbidden` unless what a command concerns is within the limits of who asks.

    Raises `BadArgument` for arguments that are none. A denial is written down.
    """
    if not services.actor.scope.limited:
        return
    doing = f"'{command.name}'"
    try:
        if not limits.ever(command, services.actor.scope):
            limits.check(command, {}, _Theirs(services))
        parsed = parse(command, arguments, max_ids=max_ids)
        limits.check(command, parsed, _Theirs(services))
    except Forbidden:
        services.door.tell_denied(services.actor, doing)
        raise


class _Theirs:
    """What who asks sees: their services have nothing else."""

    def __init__(self, services: Services) -> None:
        self.scope = services.actor.scope
        self._services = services

    def has_task(self, uuid: str) -> bool:
        return known.find(self._services, uuid) is not None

    def has_entry(self, ident: str) -> bool:
        read = self._services.schedules.latest
        return any(entry.id == ident for schedule in read for entry in schedule.entries)


def stop(services: Services, ident: str) -> Action:
    """Stop an action for who asks; raises what `Desk.stop` raises."""
    action = services.desk.stop(ident)
    _write(services, "stop", action, None, (), {})
    return action


def look(services: Services, queue: str) -> None:
    """Write that who asks takes messages out of a queue for a moment, to look at them.

    Raises `Forbidden` for those whose tasks are limited: it takes out those of others.
    """
    if not services.actor.scope.has_name(None):
        services.door.tell_denied(services.actor, "taking messages out of a queue")
        raise Forbidden(
            "This takes every message out of the queue for a moment, and your tasks are limited.",
            hint="Ask an administrator.",
        )
    services.door.trail.write(
        kind="look", by=services.actor, what="look", subjects=[queue], outcome="asked"
    )


def subjects_of(arguments: Mapping[str, Any]) -> Sequence[str]:
    """Give what a command concerns, by its arguments: task ids, a queue, a task, an entry."""
    for name in _SUBJECTS:
        given = arguments.get(name)
        if isinstance(given, str):
            return [given]
        if isinstance(given, list | tuple):
            return [one for one in given if isinstance(one, str)]
    return []


def _write(
    services: Services,
    what: str,
    action: Action,
    workers: Sequence[str] | None,
    subjects: Sequence[str],
    arguments: Mapping[str, Any],
) -> None:
    rest = {name: value for name, value in arguments.items() if name != "ids"}
    services.door.trail.write(
        kind="command",
        by=services.actor,
        what=what,
        workers=workers,
        subjects=subjects,
        arguments=shown(rest, services.state.mask_arguments),
        outcome="asked",
        action=action.id,
    )


# ---------------------------------------------------------------------- what people may see


def shown(arguments: Mapping[str, Any], mask: Mask | None) -> dict[str, Any]:
    """Give a command's arguments for people: masked as events are, and cut."""
    hidden = cleaned(dict(arguments), hide=False, mask=mask)
    return {name: _cut(value) for name, value in hidden.items()}


def masked(value: Any, mask: Mask | None) -> Any:
    """Give a result for people: masked as events are."""
    if mask is None or value is None:
        return value
    return cleaned({"args": value}, hide=False, mask=mask)["args"]


def _cut(value: Any) -> Any:
    if isinstance(value, list) and len(value) > _MOST_ITEMS:
        value = [*value[:_MOST_ITEMS], f"… and {len(value) - _MOST_ITEMS:,} more"]
    try:
        written = msgspec.json.encode(value, enc_hook=repr)
    except (TypeError, ValueError, OverflowError, RecursionError):
        written = repr(value).encode("utf-8", "backslashreplace")
        value = written.decode()
    if len(written) <= _MOST_CHARS:
        return value
    return written.decode("utf-8", "replace")[:_MOST_CHARS] + "…"
