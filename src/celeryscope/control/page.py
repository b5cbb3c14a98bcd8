"""The reference page of the commands, written from the table: `make docs`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from celeryscope.control.commands import COMMANDS, Argument, Command

HEAD = """\
# Commands

<!-- Written from the table in src/celeryscope/control/commands.py: make docs -->

What can be done to a cluster, in the page, by `POST /api/v1/control/NAME`, and with
`celeryscope control NAME`. [Steer](../how-to/steer.md) says how. Each needs a role: a viewer only
asks, an operator steers tasks and queues, an admin ends workers and empties queues.
"""

COLUMNS = """\
| Argument | Kind | Default | Meaning |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, _overview(), *(_section(command) for command in COMMANDS.values())])


def _overview() -> str:
    rows = "".join(
        f"| [`{command.name}`](#{command.name}) | {command.title} | {command.role} | "
        f"{'the workers' if command.runs == 'workers' else 'the console'} |\n"
        for command in COMMANDS.values()
    )
    return f"| Command | | Role | Done by |\n| --- | --- | --- | --- |\n{rows}"


def _section(command: Command) -> str:
    parts = [f"## {command.name}\n", f"{command.consequence}\n"]
    parts.append(f"Seen to be done: {command.confirmed[:1].lower()}{command.confirmed[1:]}\n")
    if notes := " ".join(_notes(command)):
        parts.append(f"{notes}\n")
    if command.arguments:
        parts.append(COLUMNS + "".join(_row(argument) for argument in command.arguments))
    if command.example:
        parts.append(f"Example: `{json.dumps(dict(command.example))}`\n")
    return "\n".join(parts)


def _notes(command: Command) -> Iterator[str]:
    if command.needs_workers:
        yield "Its workers must be named."
    if command.destructive:
        yield "The page and the command line ask first."
    if command.confirm:
        yield f"`confirm` must repeat the value of `{command.confirm}`."


def _row(argument: Argument) -> str:
    default = "required" if argument.required else ""
    if argument.default is not None:
        default = f"`{json.dumps(argument.default)}`"
    meaning = " ".join([argument.help, *_limits(argument)]).replace("|", "\\|")
    return f"| `{argument.name}` | {argument.kind} | {default} | {meaning} |\n"


def _limits(argument: Argument) -> Iterator[str]:
    if argument.choices:
        yield f"One of {', '.join(argument.choices)}."
    if argument.minimum is not None and argument.maximum is not None:
        unit = f" {argument.unit}" if argument.unit else ""
        yield f"{argument.minimum:,} to {argument.maximum:,}{unit}."
    if argument.kind == "texts":
        yield f"At most {argument.max_items:,}."
