"""Who may do what: one table over every route; a command's own role is in the table of commands.

`python -m celeryscope.web.auth.policy` writes it as a page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from celeryscope.control.commands import COMMANDS
from celeryscope.model.actor import Role
from celeryscope.web.auth import limits

#: What somebody gets there whose queues or tasks are limited: the same as everybody, what is
#: theirs, or nothing.
Limited = Literal["all", "theirs", "nothing"]
#: Routes that are open or not by a setting of their own.
Setting = Literal["", "metrics", "health"]


class Rule(NamedTuple):
    """What one method of one route needs."""

    role: Role | None  # None: nobody has to be known
    limited: Limited = "all"
    changes: bool = False  # refused where the console is read-only
    command: str = ""  # this command's role counts, if it is the higher; "*": the one in the path
    setting: Setting = ""

    @property
    def needed(self) -> Role | None:
        """The role, with the command's."""
        return COMMANDS[self.command].role if self.command in COMMANDS else self.role


_OPEN = Rule(None)
_METRICS = Rule("viewer", "nothing", setting="metrics")
_HEALTH = Rule("viewer", setting="health")
_SEE = Rule("viewer", "theirs")
_SEE_ALL = Rule("viewer")
_PAGE = Rule("viewer")  # the page itself: it asks the API for what it shows


def _flower(command: str) -> Mapping[str, Rule]:
    return {"POST": Rule("viewer", "theirs", changes=True, command=command)}


#: By path and method. HEAD is as GET. What is not here is not served.
RULES: Final[Mapping[str, Mapping[str, Rule]]] = {
    # ---- who comes in
    "/login": {"GET": _OPEN, "POST": _OPEN},
    "/login/": {"GET": _OPEN},
    "/login/start": {"GET": _OPEN},
    "/login/callback": {"GET": _OPEN},
    "/logout": {"GET": _OPEN, "POST": _OPEN},
    # ---- for machines
    "/metrics": {"GET": _METRICS},
    "/healthcheck": {"GET": _HEALTH},
    "/health": {"GET": _HEALTH},
    "/-/healthy": {"GET": _HEALTH},
    "/-/ready": {"GET": _HEALTH},
    # ---- our API: what is seen
    "/api/v1/me": {"GET": _SEE_ALL},
    "/api/v1/overview": {"GET": _SEE},
    "/api/v1/workers": {"GET": _SEE},
    "/api/v1/workers/{hostname:path}": {"GET": _SEE},
    "/api/v1/queues": {"GET": _SEE},
    "/api/v1/tasks": {"GET": _SEE},
    "/api/v1/tasks/{uuid:path}": {"GET": _SEE},
    "/api/v1/history": {"GET": _SEE_ALL},
    "/api/v1/history/tasks": {"GET": _SEE},
    "/api/v1/history/count": {"GET": _SEE},
    "/api/v1/history/export": {"GET": _SEE},
    "/api/v1/searches": {"GET": _SEE, "POST": Rule("viewer", "theirs", changes=True)},
    "/api/v1/searches/{id}/remove": {"POST": Rule("viewer", "theirs", changes=True)},
    "/api/v1/families/{uuid:path}": {"GET": _SEE},
    "/api/v1/started/{entry:path}": {"GET": _SEE},
    "/api/v1/gaps": {"GET": _SEE_ALL},
    "/api/v1/insight": {"GET": _SEE},
    "/api/v1/insight/names/{name:path}": {"GET": _SEE},
    "/api/v1/insight/exceptions": {"GET": _SEE},
    "/api/v1/insight/calendar": {"GET": _SEE},
    "/api/v1/names": {"GET": _SEE},
    "/api/v1/ingest": {"GET": _SEE_ALL},
    "/api/v1/commands": {"GET": _SEE_ALL},
    "/api/v1/actions": {"GET": _SEE},
    "/api/v1/actions/{id}": {"GET": _SEE},
    "/api/v1/schedules": {"GET": _SEE},
    "/api/v1/live": {"GET": _SEE},
    "/api/v1/openapi.json": {"GET": _SEE_ALL},
    "/api/v1/audit": {"GET": Rule("admin", "nothing")},
    "/api/v1/audit/export": {"GET": Rule("admin", "nothing")},
    "/api/v1/sessions": {"GET": _SEE},
    "/api/v1/tokens": {"GET": _SEE, "POST": Rule("viewer", "theirs", changes=True)},
    # ---- our API: what changes something
    "/api/v1/queues/{name:path}/messages": {
        "GET": _SEE,
        "POST": Rule("operator", "theirs", changes=True),
    },
    "/api/v1/control/{command}": {"POST": Rule("viewer", "theirs", command="*")},
    "/api/v1/actions/{id}/stop": {"POST": Rule("operator", "theirs", changes=True)},
    "/api/v1/selections": {"POST": Rule("operator", "theirs", changes=True)},
    # Everybody may shut out what is theirs, on a read-only console too.
    "/api/v1/sessions/{id}/revoke": {"POST": Rule("viewer", "theirs")},
    "/api/v1/tokens/{id}/revoke": {"POST": Rule("viewer", "theirs")},
    # ---- Flower's API: what is seen
    "/api/workers": {"GET": Rule("viewer", "nothing")},
    "/api/tasks": {"GET": _SEE},
    "/api/task/types": {"GET": _SEE},
    "/api/task/info/{task_id:path}": {"GET": _SEE},
    "/api/task/result/{name:path}": {"GET": _SEE},
    "/api/queues/length": {"GET": _SEE},
    "/tasks/datatable": {"GET": _SEE, "POST": _SEE},
    # ---- Flower's API: what changes something
    "/api/worker/shutdown/{name:path}": _flower("shutdown"),
    "/api/worker/pool/restart/{name:path}": _flower("pool_restart"),
    "/api/worker/pool/grow/{name:path}": _flower("pool_grow"),
    "/api/worker/pool/shrink/{name:path}": _flower("pool_shrink"),
    "/api/worker/pool/autoscale/{name:path}": _flower("autoscale"),
    "/api/worker/queue/add-consumer/{name:path}": _flower("add_consumer"),
    "/api/worker/queue/cancel-consumer/{name:path}": _flower("cancel_consumer"),
    "/api/task/apply/{name:path}": _flower("apply"),
    "/api/task/async-apply/{name:path}": _flower("async_apply"),
    "/api/task/send-task/{name:path}": _flower("send_task"),
    "/api/task/abort/{name:path}": _flower("abort"),
    "/api/task/timeout/{name:path}": _flower("time_limit"),
    "/api/task/rate-limit/{name:path}": _flower("rate_limit"),
    "/api/task/revoke/{name:path}": _flower("revoke"),
    # ---- the page, and Flower's addresses of it
    "/": {"GET": _PAGE},
    "/workers": {"GET": _PAGE},
    "/workers/{hostname:path}": {"GET": _PAGE},
    "/tasks": {"GET": _PAGE},
    "/tasks/{uuid:path}": {"GET": _PAGE},
    "/queues": {"GET": _PAGE},
    "/schedules": {"GET": _PAGE},
    "/schedules/{entry:path}": {"GET": _PAGE},
    "/families/{uuid:path}": {"GET": _PAGE},
    "/insight": {"GET": _PAGE},
    "/insight/{name:path}": {"GET": _PAGE},
    "/access": {"GET": _PAGE},
    "/audit": {"GET": _PAGE},
    "/broker": {"GET": _PAGE},
    "/worker/{name:path}": {"GET": _PAGE},
    "/task/{name:path}": {"GET": _PAGE},
}


def rule(path: str, method: str) -> Rule | None:
    """Give the rule of a route's path; None: that method is not served there."""
    return RULES[path].get("GET" if method == "HEAD" else method)


def page() -> str:
    """Write the table, as Markdown."""
    return "\n".join([_HEAD, *_rows(), _COMMANDS, *_command_rows(), ""])


def _rows() -> Iterator[str]:
    for path, methods in RULES.items():
        for method, needs in methods.items():
            yield (
                f"| {method} | `{path}` | {_role(needs)} | {_LIMITED[needs.limited]} "
                f"| {'refused' if needs.changes else _OF_COMMAND if needs.command else ''} |"
            )


def _role(needs: Rule) -> str:
    if needs.role is None:
        return "nobody has to log in"
    if needs.command:
        return "the command's" if needs.command == "*" else f"{needs.needed} (`{needs.command}`)"
    return needs.role + (f", or nobody: `{needs.setting}_access`" if needs.setting else "")


def _command_rows() -> Iterator[str]:
    for command in COMMANDS.values():
        said = limits.rule_of(command).said
        yield f"| `{command.name}` | {command.role} | {command.subject} | {said} |"


_OF_COMMAND = "refused, but for a viewer's"
_LIMITED: Final[Mapping[Limited, str]] = {
    "all": "the same",
    "theirs": "what is theirs",
    "nothing": "refused",
}
_HEAD = """\
# Who may do what

Made from the table that the console decides by. A viewer sees, an operator steers tasks and
queues, an admin everything. Somebody may be limited to queues and tasks by their names: what
they then get is in the fourth column. The last column is for a console with `--read-only`.

Limited people see figures of the cluster as a whole: rates, counts by state, the load of workers.
Names, arguments, results, errors and ids they see of their own tasks alone, and of their own
queues. A task whose queue nobody told of is nobody's whose queues are limited: Celery tells it with
`task_send_sent_event` alone.

Where `metrics_access` is `open`, `/metrics` names every task and queue to everybody.

| Method | Path | Role | Limited people | Read-only |
| --- | --- | --- | --- | --- |"""
_COMMANDS = """
## Commands

Limited people may never give an exchange, a routing key, the options of a queue or the id of a new
task: each leads around the limits. A console with `--read-only` takes a viewer's commands alone.

| Command | Role | Concerns | Limited people |
| --- | --- | --- | --- |"""

if __name__ == "__main__":
    sys.stdout.write(page())
