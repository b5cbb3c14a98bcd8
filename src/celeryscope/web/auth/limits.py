"""What those may steer whose queues or tasks are limited: what is theirs for certain, no more.

By what a command concerns there is one rule; a few commands have another. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from celeryscope.control.commands import Command, Subject
from celeryscope.errors import Forbidden
from celeryscope.model.actor import Scope

#: Arguments that lead around the limits: a message goes, or comes, by another way than the queue
#: that is named; a task under an id of somebody else's would take its place here.
AROUND: Final = ("exchange", "exchange_type", "routing_key", "options", "task_id")

_HINT: Final = "Ask an administrator."


class Theirs(Protocol):
    """What somebody sees."""

    @property
    def scope(self) -> Scope: ...
    def has_task(self, uuid: str) -> bool: ...  # is it known, and theirs?
    def has_entry(self, ident: str) -> bool: ...  # of a schedule


Check = Callable[[Command, Mapping[str, Any], Theirs], None]


class Rule(NamedTuple):
    """When limited people may send a command."""

    said: str  # for the page of the policy
    check: Check | None  # raises `Forbidden`; it gets the arguments that `parse` gave; None: never
    #: Where this is limited they never may: "queues", "tasks".
    not_with: frozenset[str] = frozenset()


def rule_of(command: Command) -> Rule:
    """Give the rule of a command."""
    return COMMAND_RULES.get(command.name) or SUBJECT_RULES[command.subject]


def ever(command: Command, scope: Scope) -> bool:
    """Say whether somebody may send a command at all, whatever its arguments."""
    return not scope.limited or _why_never(rule_of(command), scope) is None


def check(command: Command, parsed: Mapping[str, Any], theirs: Theirs) -> None:
    """Raise `Forbidden` unless somebody may send a command with these arguments.

    `parsed` is what `commands.parse` gave.
    """
    scope = theirs.scope
    if not scope.limited:
        return
    rule = rule_of(command)
    why = _why_never(rule, scope)
    if why is not None:
        raise _forbidden(f"'{command.name}' {why}")
    defaults = {argument.name: argument.default for argument in command.arguments}
    for name in AROUND:
        if parsed.get(name) != defaults.get(name):
            raise _forbidden(f"'{name}' may not be given, since your queues or tasks are limited.")
    if rule.check is not None:
        rule.check(command, parsed, theirs)


def _why_never(rule: Rule, scope: Scope) -> str | None:
    if rule.check is None:
        return "concerns the tasks of all, and yours are limited."
    if not scope.has_queue(None) and "queues" in rule.not_with:
        return "concerns tasks in every queue, and your queues are limited."
    if not scope.has_name(None) and "tasks" in rule.not_with:
        return "concerns every task in a queue, and your tasks are limited."
    return None


def _forbidden(why: str) -> Forbidden:
    return Forbidden(why, hint=_HINT)


# ---------------------------------------------------------------------- the rules


def _always(_command: Command, _parsed: Mapping[str, Any], _theirs: Theirs) -> None:
    pass


def _ids(_command: Command, parsed: Mapping[str, Any], theirs: Theirs) -> None:
    ids: Iterable[str] = parsed["ids"]
    given = list(ids)
    foreign = sum(not theirs.has_task(uuid) for uuid in given)
    if foreign:
        # Not which: that would tell what there is.
        raise _forbidden(
            f"{foreign:,} of {len(given):,} tasks {'is' if foreign == 1 else 'are'} not yours, or "
            "not known here."
        )


def _name(_command: Command, parsed: Mapping[str, Any], theirs: Theirs) -> None:
    if not theirs.scope.has_name(parsed["task_name"]):
        raise _forbidden("Tasks of this name are not yours.")


def _sent(command: Command, parsed: Mapping[str, Any], theirs: Theirs) -> None:
    _name(command, parsed, theirs)
    queue = parsed["queue"]
    if theirs.scope.has_queue(queue):
        return
    if queue is None:
        raise _forbidden("Name the queue, since your queues are limited.")
    raise _forbidden("This queue is not yours.")


def _queue(_command: Command, parsed: Mapping[str, Any], theirs: Theirs) -> None:
    if not theirs.scope.has_queue(parsed["queue"]):
        raise _forbidden("This queue is not yours.")


def _entry(_command: Command, parsed: Mapping[str, Any], theirs: Theirs) -> None:
    if not theirs.has_entry(parsed["entry"]):
        raise _forbidden("This entry is not yours, or not known here.")


NEVER: Final = Rule("never", None)
ALWAYS: Final = Rule("the same", _always)
_SENT: Final = Rule("for names of theirs, into a queue of theirs that they name", _sent)

#: Of a command by what it concerns.
SUBJECT_RULES: Final[Mapping[Subject, Rule]] = {
    "worker": NEVER,  # it runs the tasks of all, and tells of them
    "task id": Rule("for tasks that are known here and theirs", _ids),
    "task name": Rule(
        "for names of theirs, unless their queues are limited", _name, frozenset({"queues"})
    ),
    "queue": Rule(
        "for queues of theirs, unless their tasks are limited", _queue, frozenset({"tasks"})
    ),
    "schedule": Rule("for entries of theirs", _entry),
}
#: Of those that differ.
COMMAND_RULES: Final[Mapping[str, Rule]] = {
    "ping": ALWAYS,
    "apply": _SENT,
    "async_apply": _SENT,
    "send_task": _SENT,
    "revoke_by_stamped_headers": NEVER,  # nobody knows which tasks carry a stamp
}
