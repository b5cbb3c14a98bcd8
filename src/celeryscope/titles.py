"""Secrets that were given on the command line, taken out of the process' title.

Everybody on a machine can read every process' command line (`ps`, /proc/PID/cmdline); its
environment only its owner can. So a program that was given a secret as a flag starts itself
again, as the same process, with the flag's value in the variable of the same setting. For the
moment that takes, a few tenths of a second, the secret can be seen: a variable, or a file, from
the start is better, and `docs/security.md` says so.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from celeryscope.config.load import dialect_of
from celeryscope.config.settings import SETTINGS, Command
from celeryscope.errors import without_passwords

_DIALECT_PREFIX = {"flower": "FLOWER_", "exporter": "CE_"}


class Secret(NamedTuple):
    """A flag whose value nobody else should read."""

    variable: str  # takes the value instead
    url: bool = False  # a secret only with a password in it
    multiple: bool = False  # may be given several times, or with commas


class _Celery(NamedTuple):
    """What stands between `celery` and its command, without secrets."""

    arguments: list[str]
    variables: dict[str, str]


def secrets_of(command: Command) -> dict[str, Secret]:
    """Give every flag of `command` that carries a secret, by its name with hyphens.

    Names of Flower and celery-exporter are among them. Where such a one has a form of its own,
    its value goes into that tool's own variable.
    """
    dialect = dialect_of(command)
    found: dict[str, Secret] = {}
    for setting in SETTINGS:
        if not setting.secret or not (command in setting.commands or command == "demo"):
            continue
        url = setting.kind.metavar == "URL"
        found[setting.flag] = Secret(setting.env, url, setting.multiple)
        for alias in setting.aliases:
            if dialect is not None and alias.dialect == dialect:
                variable = setting.env
                if alias.convert is not None:
                    variable = _DIALECT_PREFIX[dialect] + alias.name.upper()
                flag = "--" + alias.name.replace("_", "-")
                found[flag] = Secret(variable, url, setting.multiple)
    return found


def hide(command: Command, name: str = "") -> None:
    """Start this program again without the secrets in its arguments; return if there are none.

    `name` is what the command is called where it only takes some of that command's settings.
    Call it before anything is opened or started: what this process holds is lost. It does
    nothing where the process' own arguments are not those of `command`, as in a test.
    """
    arguments = sys.argv[1:]
    before = sys.orig_argv[: len(sys.orig_argv) - len(arguments)]
    if not sys.executable or sys.orig_argv[len(before) :] != arguments or len(before) < 2:
        return
    cleaned, variables = without_secrets(
        arguments, name or command, secrets_of(command), os.environ
    )
    if not variables:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    program = [sys.executable, *before[1:-1], _whole(before[-1]), *cleaned]
    os.execve(sys.executable, program, {**os.environ, **variables})


def without_secrets(
    arguments: Sequence[str],
    command: str,
    secrets: Mapping[str, Secret],
    environment: Mapping[str, str],
) -> tuple[list[str], dict[str, str]]:
    """Give a program's arguments without its secrets, and the variables that take them.

    There are no variables when there is nothing to hide, or when these are not the arguments of
    `command`.
    """
    arguments = list(arguments)
    at = _place_of_command(arguments)
    if at is None or arguments[at] != command:
        return arguments, {}
    celery = _celerys_own(arguments[:at], environment)
    kept: list[str] = []
    variables = dict(celery.variables)
    given: dict[str, list[str]] = {}
    for flag, value, written in _pairs(arguments[at + 1 :], secrets):
        secret = secrets.get(flag)
        if secret is None or value is None or (secret.url and not _has_password(value)):
            kept += written
        else:
            given.setdefault(secret.variable, []).append(value)
    multiple = {secret.variable for secret in secrets.values() if secret.multiple}
    for variable, found in given.items():
        variables[variable] = ",".join(found) if variable in multiple else found[-1]
    if not variables:
        return arguments, {}
    return [*celery.arguments, command, *kept], variables


def _pairs(
    arguments: Sequence[str], secrets: Mapping[str, Secret]
) -> Iterator[tuple[str, str | None, list[str]]]:
    """Give flag, value and how both were written; what is no flag of a secret has no value."""
    i = 0
    while i < len(arguments):
        written = arguments[i]
        if written == "--":
            yield "", None, list(arguments[i:])
            return
        name, is_equal, value = written.partition("=")
        flag = "--" + name[2:].replace("_", "-") if name.startswith("--") else ""
        if flag in secrets and is_equal:
            yield flag, value, [written]
        elif flag in secrets and i + 1 < len(arguments):
            i += 1
            yield flag, arguments[i], [written, arguments[i]]
        else:
            yield "", None, [written]
        i += 1


# ---------------------------------------------------------------------- celery's own options

#: As in celery.bin.celery; of both tools, these take a value.
_TAKES_VALUE = frozenset(
    {"-A", "--app", "-b", "--broker", "--result-backend", "--loader", "--config", "--workdir"}
)
_CELERYS_SECRETS = {
    "--broker": ("CELERY_BROKER_URL", "BROKER_URL"),
    "--result-backend": ("CELERY_RESULT_BACKEND", "RESULT_BACKEND"),
}
_SHORT = re.compile(r"-([qCh]*)([Ab])(.*)", re.DOTALL)


def _place_of_command(arguments: Sequence[str]) -> int | None:
    i = 0
    while i < len(arguments):
        written = arguments[i]
        if not written.startswith("-"):
            return i
        short = _SHORT.fullmatch(written) if not written.startswith("--") else None
        alone = written in _TAKES_VALUE or (short is not None and not short[3])
        i += 2 if alone else 1
    return None


def _celerys_own(arguments: Sequence[str], environment: Mapping[str, str]) -> _Celery:
    """Take the secrets out of what stands before the command: `celery -b URL scope`.

    The option goes before Celery's two variables, so both get its value, where both are there.
    Celery has changed into `--workdir` already: it would not find it there once more.
    """
    kept: list[str] = []
    variables: dict[str, str] = {}
    i = 0
    while i < len(arguments):
        written = arguments[i]
        name, is_equal, value = written.partition("=")
        used = [written]
        if short := None if written.startswith("--") else _SHORT.fullmatch(written):
            name, value, is_equal = f"-{short[2]}", short[3], short[3]
        if name in _TAKES_VALUE and not is_equal and i + 1 < len(arguments):
            value = arguments[i + 1]
            used.append(value)
        name = "--broker" if name == "-b" else name
        i += len(used)
        if name in _CELERYS_SECRETS and _has_password(value):
            celerys, older = _CELERYS_SECRETS[name]
            variables[celerys] = value
            if older in environment:
                variables[older] = value
            if short and short[1]:
                kept.append(f"-{short[1]}")
        elif name != "--workdir":
            kept += used
    return _Celery(kept, variables)


def _has_password(url: str) -> bool:
    return without_passwords(url) != url


def _whole(program: str) -> str:
    """Give the path of the script that runs, wherever we are by now; not that of a module."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    is_script = getattr(main, "__spec__", None) is None and path is not None
    return os.path.abspath(path) if is_script and path else program  # noqa: PTH100
