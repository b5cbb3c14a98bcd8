"""`celeryscope user` and `celeryscope token`: who may log in, by the files of the console.

A console that runs sees each change a second later; only whether it asks for a login at all is
settled when it starts. What was changed is told to the function that
the context's object is, or has as `record`; without one, to nobody. The directory that it concerns
stands in `Context.meta` under DATA_DIR.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, cast, get_args

import click

from celeryscope.errors import BadArgument, CeleryscopeError, ConfigError
from celeryscope.model.actor import RANKS, Role, Scope
from celeryscope.places import data_dir
from celeryscope.web.auth.checks import (
    MOST_PASSWORD_BYTES,
    checked_name,
    checked_password,
    checked_scope,
)
from celeryscope.web.auth.tokens import Token, Tokens
from celeryscope.web.auth.users import User, Users

# What the files' own logger says, the commands say themselves.
logging.getLogger("celeryscope.web.auth").addHandler(logging.NullHandler())

EXIT_WRONG = 2
EXIT_FAILED = 1
USERS_FILE: Final = "users.json"
TOKENS_FILE: Final = "tokens.json"
#: Where `Context.meta` has the data directory, a Path.
DATA_DIR: Final = "celeryscope.data_dir"

_UNITS = {"h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_LONGEST_SECONDS = 100 * 365 * 86_400.0
_ROLES = click.Choice(get_args(Role))


class Recorder(Protocol):
    """Keeps what was changed, for people to read later."""

    def __call__(self, what: str, subject: str, detail: str) -> object:
        """Keep that `what` ("user added") was done to `subject`, a name."""


def _says_what_is_wrong(callback: Callable[..., None]) -> Callable[..., None]:
    """Turn our errors into a sentence and an exit status, as the other commands do."""

    @functools.wraps(callback)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            callback(*args, **kwargs)
        except CeleryscopeError as error:
            click.echo(f"celeryscope: {_plain(str(error))}", err=True)
            if error.hint:
                click.echo(_plain(error.hint), err=True)
            is_usage = isinstance(error, BadArgument | ConfigError)
            click.get_current_context().exit(EXIT_WRONG if is_usage else EXIT_FAILED)

    return run


# ---------------------------------------------------------------------- what they share

_data_dir_option = click.option(
    "directory",
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="CELERYSCOPE_DATA_DIR",
    metavar="DIRECTORY",
    help="Where the console keeps its data.  (default: the user's own; CELERYSCOPE_DATA_DIR)",
)
_queues_option = click.option(
    "--queues",
    multiple=True,
    metavar="PATTERN",
    help="Only queues of such names; * is any text. May be repeated.",
)
_tasks_option = click.option(
    "--tasks",
    multiple=True,
    metavar="PATTERN",
    help="Only tasks of such names; * is any text. May be repeated.",
)
_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; ask nobody."
)


@click.group()
@_data_dir_option
@click.option(
    "--users-file",
    type=click.Path(path_type=Path),
    envvar="CELERYSCOPE_USERS_FILE",
    metavar="FILE",
    help=f"The users.  (default: {USERS_FILE} in the data directory; CELERYSCOPE_USERS_FILE)",
)
@_says_what_is_wrong
def user(directory: Path | None, users_file: Path | None) -> None:
    """Add, list, change and remove the users who log in with a password.

    A console that asks for a login sees each change a second later. Passwords are kept as argon2
    hashes.
    """
    meta = click.get_current_context().meta
    meta[DATA_DIR] = place = data_dir(directory)
    meta[_FILE] = users_file.expanduser() if users_file is not None else place / USERS_FILE


@click.group()
@_data_dir_option
@_says_what_is_wrong
def token(directory: Path | None) -> None:
    """Make, list and revoke the tokens that programs show instead of a password.

    A console that runs needs no restart. A token is shown once; its digest is what is kept.
    """
    meta = click.get_current_context().meta
    meta[DATA_DIR] = place = data_dir(directory)
    meta[_FILE] = place / TOKENS_FILE


# ---------------------------------------------------------------------- users


@user.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=_ROLES,
    help="What they may do.  (default: admin for the first user, else viewer)",
)
@_queues_option
@_tasks_option
@_stdin_option
@_says_what_is_wrong
def _user_add(
    name: str,
    role: Role | None,
    queues: tuple[str, ...],
    tasks: tuple[str, ...],
    password_stdin: bool,
) -> None:
    """Add a user, and ask for the password twice."""
    users = _users()
    name = checked_name(name)
    scope = checked_scope(Scope(queues=queues, tasks=tasks))
    is_first = not users.list()
    added = User(name=name, role=role or ("admin" if is_first else "viewer"), scope=scope)
    if users.find(name) is not None:  # before somebody types a password for nothing
        raise BadArgument(
            "name",
            f"There is a user '{name}' already. A new password: celeryscope user passwd {name}",
        )
    users.add(added, _password(from_stdin=password_stdin))
    _record("user added", name, _what_they_may(added.role, scope))
    click.echo(f"Added {_plain(name)} as {added.role}{_limits(scope, before=', only ')}.")
    if is_first:
        click.echo("A console that runs without a login asks for one from now on.", err=True)
        if added.role != "admin":
            click.echo("Nobody is admin yet.", err=True)


@user.command("list")
@_says_what_is_wrong
def _user_list() -> None:
    """List the users, what they may do and what they are limited to."""
    rows = [
        (
            one.name,
            one.role,
            " ".join(one.scope.queues) or "all",
            " ".join(one.scope.tasks) or "all",
        )
        for one in _users().list()
    ]
    if not rows:
        click.echo("There is no user. The first one: celeryscope user add NAME", err=True)
        return
    _print_table(("NAME", "ROLE", "QUEUES", "TASKS"), rows)


@user.command("remove")
@click.argument("name")
@_says_what_is_wrong
def _user_remove(name: str) -> None:
    """Remove a user. Their sessions and the tokens they made end as well."""
    users = _users()
    removed = users.remove(name)
    _record("user removed", removed.name, _what_they_may(removed.role, removed.scope))
    click.echo(f"Removed {_plain(removed.name)}.")
    _tell_without_admin(users)


@user.command("passwd")
@click.argument("name")
@_stdin_option
@_says_what_is_wrong
def _user_passwd(name: str, password_stdin: bool) -> None:
    """Give a user another password. It ends their sessions."""
    users = _users()
    known = _known(users, name)
    users.set_password(known.name, _password(from_stdin=password_stdin))
    _record("user password changed", known.name, "")
    click.echo(f"Changed the password of {_plain(known.name)}.")


@user.command("role")
@click.argument("name")
@click.argument("role", type=_ROLES)
@_says_what_is_wrong
def _user_role(name: str, role: Role) -> None:
    """Give a user another role: viewer, operator or admin."""
    users = _users()
    known = _known(users, name)
    users.set_role(known.name, role)
    _record("user role changed", known.name, f"{known.role} to {role}")
    click.echo(f"{_plain(known.name)} is {role} now.")
    if RANKS[role] < RANKS[known.role]:
        _tell_without_admin(users)


@user.command("limit")
@click.argument("name")
@_queues_option
@_tasks_option
@click.option("--none", is_flag=True, help="Lift the limits.")
@_says_what_is_wrong
def _user_limit(name: str, queues: tuple[str, ...], tasks: tuple[str, ...], none: bool) -> None:
    """Limit a user to queues and tasks by their names, instead of what limited them before."""
    scope = checked_scope(Scope(queues=queues, tasks=tasks))
    if scope.limited is none:
        raise BadArgument("queues", "Say what to limit to: --queues, --tasks or --none.")
    users = _users()
    known = _known(users, name)
    users.set_scope(known.name, scope)
    before, after = (_limits(one) or "all" for one in (known.scope, scope))
    _record("user limits changed", known.name, f"{before} to {after}")
    click.echo(f"{_plain(known.name)} is limited to: {_plain(after)}.")


# ---------------------------------------------------------------------- tokens


@token.command("add")
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What its holder may do.")
@_queues_option
@_tasks_option
@click.option(
    "--expires",
    default="90d",
    show_default=True,
    metavar="TIME|never",
    help="When it ends: hours, days or weeks from now, as in 12h, 90d or 4w.",
)
@_says_what_is_wrong
def _token_add(
    name: str, role: Role, queues: tuple[str, ...], tasks: tuple[str, ...], expires: str
) -> None:
    """Make a token and print it, this once."""
    seconds = _seconds_of(expires)
    now = time.time()
    scope = Scope(queues=queues, tasks=tasks)
    made, secret = _tokens().create(
        name=name,
        role=role,
        scope=scope,
        owner="",
        expires_at=None if seconds is None else now + seconds,
        now=now,
    )
    end = "never" if made.expires_at is None else _time(made.expires_at)
    _record("token created", made.name, f"{_what_they_may(role, scope)}, expires {end}")
    click.echo(
        f"The token '{_plain(made.name)}' ({role}{_limits(scope, before=', only ')}; expires: "
        f"{end}). It is shown this once.",
        err=True,
    )
    click.echo(secret)


@token.command("list")
@_says_what_is_wrong
def _token_list() -> None:
    """List the tokens: what each may do, who made it, when it ends and when it was used."""
    now = time.time()
    rows = [_token_row(one, now) for one in _tokens().list()]
    if not rows:
        click.echo("There is no token. One: celeryscope token add NAME --role viewer", err=True)
        return
    _print_table(("ID", "NAME", "ROLE", "LIMITS", "OWNER", "CREATED", "EXPIRES", "USED"), rows)


@token.command("revoke")
@click.argument("name")
@_says_what_is_wrong
def _token_revoke(name: str) -> None:
    """End a token now, by its name or id."""
    gone = _tokens().revoke(name)
    _record("token revoked", gone.name, _what_they_may(gone.role, gone.scope))
    click.echo(f"Revoked the token '{_plain(gone.name)}'.")


def _token_row(one: Token, now: float) -> tuple[str, ...]:
    if one.expires_at is None:
        end = "never"
    else:
        end = _time(one.expires_at) + ("" if one.is_live(now) else " (over)")
    return (
        one.id,
        one.name,
        one.role,
        _limits(one.scope) or "none",
        one.owner or "command line",
        _time(one.created_at),
        end,
        "never" if one.used_at is None else _time(one.used_at),
    )


# ---------------------------------------------------------------------- inside

_FILE: Final = "celeryscope.access_file"


def _file() -> Path:
    return cast(Path, click.get_current_context().meta[_FILE])


def _users() -> Users:
    users = Users(_file())
    if users.trouble is not None:
        raise ConfigError(users.trouble)
    return users


def _tokens() -> Tokens:
    tokens = Tokens(_file())
    if tokens.trouble is not None:
        raise ConfigError(tokens.trouble)
    return tokens


def _known(users: Users, name: str) -> User:
    known = users.find(name)
    if known is None:
        raise BadArgument(
            "name", f"There is no user '{name}'. Those there are: celeryscope user list"
        )
    return known


def _password(*, from_stdin: bool) -> str:
    """Ask for a password twice, or read it; a newline at its end is not a part of it."""
    if not from_stdin:
        asked = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return checked_password(str(asked))
    given = sys.stdin.read(2 * MOST_PASSWORD_BYTES)
    return checked_password(given.removesuffix("\n").removesuffix("\r"))


def _seconds_of(expires: str) -> float | None:
    """Read "90d"; None: never."""
    if expires == "never":
        return None
    found = re.fullmatch(r"([0-9]{1,9})([hdw])", expires)
    seconds = 0.0 if found is None else int(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise BadArgument(
            "expires",
            f"--expires {expires} is no time. Say hours, days or weeks, as in 12h, 90d or 4w, or "
            "never.",
        )
    return seconds


def _tell_without_admin(users: Users) -> None:
    left = users.list()
    if not left:
        click.echo("There is no user any more: nobody logs in with a password.", err=True)
    elif not any(one.role == "admin" for one in left):
        click.echo("None of the users is admin any more.", err=True)


def _record(what: str, subject: str, detail: str) -> None:
    found = click.get_current_context().obj
    recorder = getattr(found, "record", found)
    if callable(recorder):
        cast(Recorder, recorder)(what, subject, detail)


def _what_they_may(role: Role, scope: Scope) -> str:
    return role + _limits(scope, before=", only ")


def _limits(scope: Scope, *, before: str = "") -> str:
    parts = [
        f"{noun} {' '.join(patterns)}"
        for noun, patterns in (("queues", scope.queues), ("tasks", scope.tasks))
        if patterns
    ]
    return before + " and ".join(parts) if parts else ""


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [list(head), *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _plain(text: str) -> str:
    from celeryscope.control.client import plain

    return plain(text)
