"""Who may change what, and the record of who did: every command goes to the desk through here."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from celeryscope.control.commands import Role, find
from celeryscope.control.mailbox import cleaned
from celeryscope.errors import Forbidden
from celeryscope.web.services import Action, Services

#: One line for everything that somebody had done.
auditor = logging.getLogger("celeryscope.audit")

Mask = Callable[[str], str]

_RANKS: Final[Mapping[Role, int]] = {"viewer": 0, "operator": 1, "admin": 2}
_MOST_ITEMS = 100
_MOST_CHARS = 16_384
_MOST_LOGGED_CHARS = 2_000
_MOST_LOGGED_WORKERS = 20


def allows(services: Services, role: Role) -> bool:
    """Say whether those who reach us may do what needs at least `role`."""
    if services.read_only and role != "viewer":
        return False
    return _RANKS[services.role] >= _RANKS[role]


def demand(services: Services, role: Role, doing: str) -> None:
    """Raise `Forbidden` unless those who reach us may do what needs at least `role`.

    `doing` begins the sentence that they read.
    """
    if allows(services, role):
        return
    sentence = f"{doing[:1].upper()}{doing[1:]}"
    if services.read_only:
        raise Forbidden(
            f"{sentence} changes something, and this console is read-only.",
            hint="It was started with --read-only.",
        )
    raise Forbidden(
        f"{sentence} needs the role '{role}'; yours is '{services.role}'.",
        hint=f"--anonymous-role {role} gives it to everybody who reaches this console.",
    )


def send(
    services: Services,
    by: str,
    command: str,
    arguments: Mapping[str, Any],
    *,
    workers: Sequence[str] | None = None,
    confirm: str | None = None,
    max_ids: int | None = None,
) -> Action:
    """Send a command for `by`, who may; raises `Forbidden` and what `Desk.send` raises."""
    demand(services, find(command).role, f"'{command}'")
    action = services.desk.send(
        command, arguments, workers=workers, confirm=confirm, max_ids=max_ids
    )
    audit(by, command, arguments, workers, services.state.mask)
    return action


def stop(services: Services, by: str, ident: str) -> Action:
    """Stop an action for `by`; raises what `Desk.stop` raises."""
    action = services.desk.stop(ident)
    audit(by, "stop", {"action": action.id}, None, None)
    return action


def audit(
    by: str,
    what: str,
    arguments: Mapping[str, Any],
    workers: Sequence[str] | None,
    mask: Mask | None,
) -> None:
    """Write who did what, with what, to whom."""
    told = json.dumps(shown(arguments, mask), default=repr, ensure_ascii=False)
    whom = "all" if workers is None else ", ".join(workers[:_MOST_LOGGED_WORKERS])
    if workers is not None and len(workers) > _MOST_LOGGED_WORKERS:
        whom += f" and {len(workers) - _MOST_LOGGED_WORKERS:,} more"
    if len(told) > _MOST_LOGGED_CHARS:
        told = told[:_MOST_LOGGED_CHARS] + "…"
    auditor.info("%s sent %s to %s with %s", by, what, whom, told)


# ---------------------------------------------------------------------- what people may see


def shown(arguments: Mapping[str, Any], mask: Mask | None) -> dict[str, Any]:
    """Give a command's arguments for people: masked as events are, and cut."""
    hidden = cleaned(dict(arguments), hide=False, mask=mask)
    return {name: _cut(value) for name, value in hidden.items()}


def masked(value: Any, mask: Mask | None) -> Any:
    """Give a result for people: masked as events are."""
    return cleaned(value, hide=False, mask=mask, in_arguments=True) if mask else value


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
