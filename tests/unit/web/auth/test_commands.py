"""`celeryscope user` and `celeryscope token`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from celeryscope.model.actor import Scope
from celeryscope.web.auth import commands
from celeryscope.web.auth.sessions import Sessions
from celeryscope.web.auth.tokens import Tokens
from celeryscope.web.auth.users import User, Users
from tests.unit.web.people import cheap_hashes

PASSWORD = "correct horse"
Run = Callable[..., Result]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def told() -> list[tuple[str, str, str]]:
    """What was written to the audit trail."""
    return []


@pytest.fixture
def run(directory: Path, told: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch) -> Run:
    cheap_hashes(monkeypatch)
    monkeypatch.delenv("CELERYSCOPE_DATA_DIR", raising=False)
    monkeypatch.delenv("CELERYSCOPE_USERS_FILE", raising=False)

    def record(what: str, subject: str, detail: str) -> None:
        told.append((what, subject, detail))

    def invoke(group: str, *arguments: str, typed: str = "", obj: Any = record) -> Result:
        command = [f"--data-dir={directory}", *arguments]
        return CliRunner().invoke(getattr(commands, group), command, input=typed, obj=obj)

    return invoke


def add(run: Run, name: str, *options: str) -> Result:
    return run("user", "add", name, "--password-stdin", *options, typed=PASSWORD)


# ---------------------------------------------------------------------- users


def test_the_first_user_is_admin_and_the_next_ones_look(run: Run, directory: Path) -> None:
    first = add(run, "ada")
    assert first.stdout == "Added ada as admin.\n"
    assert "asks for one from now on" in first.stderr
    assert add(run, "bob").output == "Added bob as viewer.\n"
    users = Users(directory / "users.json")
    assert users.verify("ada", PASSWORD) == User(name="ada", role="admin")
    assert users.verify("bob", PASSWORD) == User(name="bob", role="viewer")


def test_a_role_and_limits(run: Run, directory: Path) -> None:
    add(run, "ada")
    options = ["--role", "operator", "--queues", "mail*", "--queues", "sms", "--tasks", "shop.*"]
    result = add(run, "bob", *options)
    assert result.output == "Added bob as operator, only queues mail* sms and tasks shop.*.\n"
    scope = Scope(queues=("mail*", "sms"), tasks=("shop.*",))
    found = Users(directory / "users.json").find("bob")
    assert found == User(name="bob", role="operator", scope=scope)


def test_the_password_is_asked_for_twice_and_not_shown(run: Run, directory: Path) -> None:
    result = run("user", "add", "ada", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert Users(directory / "users.json").verify("ada", PASSWORD) is not None
    differ = run("user", "add", "bob", typed=f"{PASSWORD}\nanother horse\n")
    assert differ.exit_code == 1
    assert Users(directory / "users.json").find("bob") is None


@pytest.mark.parametrize("command", ["add", "passwd"])
def test_no_password_is_an_option(command: str) -> None:
    options = commands.user.commands[command].params
    assert [p.name for p in options if "password" in (p.name or "")] == ["password_stdin"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_newline_is_no_part_of_what_is_piped(run: Run, directory: Path, end: str) -> None:
    run("user", "add", "ada", "--password-stdin", typed=f"pass word {end}")
    assert Users(directory / "users.json").verify("ada", "pass word ") is not None


def test_users_are_listed_in_columns(run: Run) -> None:
    add(run, "ada")
    add(run, "Grace Hopper", "--queues", "mail*", "--queues", "sms")
    assert run("user", "list").stdout == (
        "NAME          ROLE    QUEUES     TASKS\n"
        "Grace Hopper  viewer  mail* sms  all\n"
        "ada           admin   all        all\n"
    )


def test_an_empty_list_says_what_to_do(run: Run) -> None:
    result = run("user", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "celeryscope user add NAME" in result.stderr


def test_passwd_role_limit_and_remove(run: Run, directory: Path) -> None:
    add(run, "ada")
    add(run, "bob", "--queues", "mail*")
    assert run("user", "passwd", "bob", "--password-stdin", typed="another horse").exit_code == 0
    users = Users(directory / "users.json")
    assert users.verify("bob", "another horse") is not None
    assert run("user", "role", "bob", "admin").output == "bob is admin now.\n"
    result = run("user", "limit", "bob", "--tasks", "shop.*")
    assert result.output == "bob is limited to: tasks shop.*.\n"
    limited = Users(directory / "users.json").find("bob")
    assert limited == User(name="bob", role="admin", scope=Scope(tasks=("shop.*",)))
    assert run("user", "limit", "bob", "--none").output == "bob is limited to: all.\n"
    assert run("user", "remove", "ada").output == "Removed ada.\n"
    assert Users(directory / "users.json").list() == [User(name="bob", role="admin")]


def test_it_says_when_no_admin_is_left(run: Run) -> None:
    add(run, "ada")
    add(run, "bob")
    assert "None of the users is admin" in run("user", "role", "ada", "viewer").stderr
    run("user", "remove", "ada")
    assert "nobody logs in with a password" in run("user", "remove", "bob").stderr
    assert "Nobody is admin yet" in add(run, "eve", "--role", "viewer").stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["add", "ada", "--password-stdin"], 2, "There is a user 'ada' already"),
        (["add", "a:b", "--password-stdin"], 2, "no colon"),
        (["add", "bob", "--password-stdin", "--queues", "*" * 9], 2, "at most 8 stars"),
        (["add", "bob", "--password-stdin", "--role", "root"], 2, "root"),
        (["passwd", "bob", "--password-stdin"], 2, "There is no user 'bob'"),
        (["role", "bob", "admin"], 2, "There is no user 'bob'"),
        (["limit", "ada"], 2, "--none"),
        (["limit", "ada", "--none", "--queues", "q"], 2, "--none"),
        (["remove", "bob"], 1, "Unknown user 'bob'"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    run: Run, told: list[Any], arguments: list[str], status: int, said: str
) -> None:
    add(run, "ada")
    told.clear()
    result = run("user", *arguments, typed=PASSWORD)
    assert (result.exit_code, result.stdout) == (status, "")
    assert said in result.stderr
    assert told == []


def test_a_short_password_is_refused_and_not_repeated(run: Run) -> None:
    result = run("user", "add", "ada", "--password-stdin", typed="hunter2")
    assert result.exit_code == 2
    assert "at least 8 characters" in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize("arguments", [["list"], ["add", "bob", "--password-stdin"]])
def test_a_broken_file_is_said_and_left_as_it_is(
    run: Run, directory: Path, arguments: list[str]
) -> None:
    add(run, "ada")
    path = directory / "users.json"
    path.write_text(path.read_text()[:-9])
    before = path.read_bytes()
    result = run("user", *arguments, typed=PASSWORD)
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert path.read_bytes() == before


def test_a_directory_that_others_may_write_is_refused(run: Run, directory: Path) -> None:
    add(run, "ada")
    directory.chmod(0o777)
    result = run("user", "list")
    assert result.exit_code == 2
    assert f"chmod go-w {directory}" in result.stderr


def test_a_file_of_users_elsewhere(run: Run, directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "team.json"
    result = run(
        "user", "--users-file", str(elsewhere), "add", "ada", "--password-stdin", typed=PASSWORD
    )
    assert result.exit_code == 0
    assert Users(elsewhere).find("ada") is not None
    assert not directory.exists()


def test_places_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERYSCOPE_DATA_DIR", str(tmp_path / "there"))
    monkeypatch.delenv("CELERYSCOPE_USERS_FILE", raising=False)
    arguments = ["add", "ada", "--password-stdin"]
    assert CliRunner().invoke(commands.user, arguments, input=PASSWORD).exit_code == 0
    assert Users(tmp_path / "there" / "users.json").find("ada") is not None
    monkeypatch.setenv("CELERYSCOPE_USERS_FILE", str(tmp_path / "team.json"))
    arguments = ["add", "bob", "--password-stdin"]
    assert CliRunner().invoke(commands.user, arguments, input=PASSWORD).exit_code == 0
    assert [one.name for one in Users(tmp_path / "team.json").list()] == ["bob"]
    monkeypatch.delenv("CELERYSCOPE_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    result = CliRunner().invoke(commands.token, ["add", "ci", "--role", "viewer"])
    assert result.exit_code == 0
    assert [entry.name for entry in (tmp_path / "xdg").iterdir()] == ["celeryscope"]


# ---------------------------------------------------------------------- tokens


def test_a_token_is_printed_once_and_alone(run: Run, directory: Path) -> None:
    result = run("token", "add", "ci", "--role", "operator", "--queues", "mail*")
    secret = result.stdout.strip()
    assert result.stdout == f"{secret}\n"
    assert secret not in result.stderr
    assert "shown this once" in result.stderr
    (token,) = Tokens(directory / "tokens.json").list()
    found = Tokens(directory / "tokens.json").find(secret, now=token.created_at)
    assert found is not None
    assert (found.name, found.role, found.owner) == ("ci", "operator", "")
    assert found.scope == Scope(queues=("mail*",))
    assert token.expires_at == token.created_at + 90 * 86_400
    assert secret[16:] not in (directory / "tokens.json").read_text()


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [("never", None), ("12h", 43_200), ("1d", 86_400), ("4w", 2_419_200)],
)
def test_when_a_token_ends(run: Run, directory: Path, expires: str, seconds: float | None) -> None:
    run("token", "add", "ci", "--role", "viewer", "--expires", expires)
    (token,) = Tokens(directory / "tokens.json").list()
    ends = None if token.expires_at is None else round(token.expires_at - token.created_at)
    assert ends == seconds


@pytest.mark.parametrize("expires", ["", "90", "0d", "-1d", "1.5d", "1y", "d", "99999999w", "٣d"])
def test_what_is_no_time(run: Run, directory: Path, expires: str) -> None:
    result = run("token", "add", "ci", "--role", "viewer", "--expires", expires)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "as in 12h, 90d or 4w" in result.stderr
    assert not directory.exists()


def test_a_token_needs_a_role(run: Run) -> None:
    assert run("token", "add", "ci").exit_code == 2


def test_tokens_are_listed_in_columns(run: Run, directory: Path) -> None:
    tokens = Tokens(directory / "tokens.json")
    # "one" has ended, 100 days after 2001-09-09.
    one, _ = tokens.create(
        name="one",
        role="viewer",
        scope=Scope(queues=("mail*",)),
        owner="ada",
        expires_at=1_000_000_000.0 + 8_640_000,
        now=1_000_000_000.0,
    )
    two, _ = tokens.create(
        name="number two", role="admin", scope=Scope(), expires_at=None, now=1_000_000_060.0
    )
    lines = run("token", "list").stdout.splitlines()
    two_made, one_made = "2001-09-09 01:47 UTC", "2001-09-09 01:46 UTC"
    one_ended = "2001-12-18 01:46 UTC (over)"
    assert [re.split("  +", line) for line in lines] == [
        ["ID", "NAME", "ROLE", "LIMITS", "OWNER", "CREATED", "EXPIRES", "USED"],
        [two.id, "number two", "admin", "none", "command line", two_made, "never", "never"],
        [one.id, "one", "viewer", "queues mail*", "ada", one_made, one_ended, "never"],
    ]
    assert {
        line.index(word) for line, word in zip(lines, ("CRE", "2001", "2001"), strict=True)
    } == {lines[0].index("CREATED")}


def test_an_empty_list_of_tokens_says_what_to_do(run: Run) -> None:
    assert "celeryscope token add NAME" in run("token", "list").stderr


def test_a_token_is_revoked_by_name_or_id(run: Run, directory: Path) -> None:
    for name in ("one", "two"):
        run("token", "add", name, "--role", "viewer")
    assert run("token", "revoke", "one").output == "Revoked the token 'one'.\n"
    (two,) = Tokens(directory / "tokens.json").list()
    assert run("token", "revoke", two.id).output == "Revoked the token 'two'.\n"
    gone = run("token", "revoke", "two")
    assert (gone.exit_code, gone.stderr) == (1, "celeryscope: Unknown token 'two'\n")


def test_a_name_is_taken(run: Run) -> None:
    run("token", "add", "ci", "--role", "viewer")
    result = run("token", "add", "ci", "--role", "viewer")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is a token 'ci' already.\nChoose another name" in result.stderr


def test_what_stands_in_the_files_harms_no_terminal(run: Run, directory: Path) -> None:
    run("token", "add", "ci", "--role", "viewer")
    path = directory / "tokens.json"
    content = json.loads(path.read_text())
    next(iter(content["tokens"].values()))["owner"] = "\x1b]0;owned\x07"
    path.write_text(json.dumps(content))
    shown = run("token", "list").stdout
    assert r"\x1b]0;owned\x07" in shown
    assert "\x1b" not in shown
    assert "\x1b" not in run("user", "role", "\x1b[2J", "admin").output


# ---------------------------------------------------------------------- the audit trail


def test_each_change_is_told(run: Run, told: list[tuple[str, str, str]]) -> None:
    add(run, "ada", "--queues", "q")
    run("user", "passwd", "ada", "--password-stdin", typed="another horse")
    run("user", "role", "ada", "viewer")
    run("user", "limit", "ada", "--none")
    run("user", "list")
    run("user", "remove", "ada")
    secret = run("token", "add", "ci", "--role", "viewer", "--expires", "never").stdout.strip()
    run("token", "list")
    run("token", "revoke", "ci")
    assert told == [
        ("user added", "ada", "admin, only queues q"),
        ("user password changed", "ada", ""),
        ("user role changed", "ada", "admin to viewer"),
        ("user limits changed", "ada", "queues q to all"),
        ("user removed", "ada", "viewer"),
        ("token created", "ci", "viewer, expires never"),
        ("token revoked", "ci", "viewer"),
    ]
    assert not any(part in str(told) for part in (PASSWORD, "another horse", secret))


@pytest.mark.parametrize("obj", [None, {}, "http://localhost:5555"])
def test_without_a_trail_it_works_as_well(run: Run, obj: object) -> None:
    result = run("token", "add", "ci", "--role", "viewer", obj=obj)
    assert result.exit_code == 0
    assert re.fullmatch(r"cscope_\w{8}_[\w-]{43}\n", result.stdout)


def test_the_trail_may_be_a_method_and_finds_the_directory(run: Run, directory: Path) -> None:
    class Trail:
        directory: Path | None = None

        def record(self, what: str, subject: str, detail: str) -> None:
            import click

            self.directory = click.get_current_context().meta[commands.DATA_DIR]

    trail = Trail()
    run("token", "add", "ci", "--role", "viewer", obj=trail)
    assert trail.directory == directory


def test_a_changed_password_is_another_stamp_for_sessions(run: Run, directory: Path) -> None:
    add(run, "ada")
    users = Users(directory / "users.json")
    sessions = Sessions(None, key=b"k", idle_seconds=60, lifetime_seconds=60)
    session, _ = sessions.begin(
        name="ada",
        role="admin",
        scope=Scope(),
        way="password",
        address="",
        user_agent="",
        stamp=users.stamp("ada"),
        now=0.0,
    )
    assert session.stamp == Users(directory / "users.json").stamp("ada")
    run("user", "passwd", "ada", "--password-stdin", typed=PASSWORD)
    assert session.stamp != Users(directory / "users.json").stamp("ada")
