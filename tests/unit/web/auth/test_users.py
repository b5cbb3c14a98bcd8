"""Users and their passwords."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import argon2
import pytest

from celeryscope.errors import BadArgument, ConfigError, NotFound, NotPossible, TooMany, Unavailable
from celeryscope.model.actor import Role, Scope
from celeryscope.web.auth import users as module
from celeryscope.web.auth.users import User, Users
from tests.unit.web.auth.clock import Clock
from tests.unit.web.people import cheap_hashes

#: What a hash costs really.
TIME_COST, MEMORY_KIB = module._TIME_COST, module._MEMORY_KIB
PASSWORD = "correct horse"
ADA = User(name="ada", role="admin", scope=Scope(queues=("mail*",), tasks=("shop.*",)))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_hashes(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.json"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that argon2 was asked about, one after the other."""
    asked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def noted(self: Any, stored: str, password: str) -> Any:
        asked.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    return asked


def test_who_knows_the_password_is_the_user(path: Path) -> None:
    users = Users(path)
    users.add(ADA, PASSWORD)
    assert users.verify("ada", PASSWORD) == ADA
    assert Users(path).verify("ada", PASSWORD) == ADA


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "correct hors"),
        ("ada", "correct horse "),
        ("ada", ""),
        ("ada", "\ud800"),
        ("ada", "x" * 1_025),
        ("Ada", PASSWORD),
        ("ada\x00", PASSWORD),
        ("", PASSWORD),
        ("\ud800", PASSWORD),
        ("a" * 129, PASSWORD),
        ("grace", PASSWORD),
    ],
)
def test_nobody_else_is(path: Path, name: str, password: str) -> None:
    users = Users(path, basic=[("bob", "builder1")])
    users.add(ADA, PASSWORD)
    assert users.verify(name, password) is None
    assert users.known(name, password) is None


def test_a_password_is_the_same_however_the_keyboard_sends_it(path: Path) -> None:
    users = Users(path)
    users.add(User(name="åsa", role="viewer"), "smörgåsar")
    assert users.verify("a\u030asa", "smo\u0308rga\u030asar") is not None


def test_the_file_has_no_password_in_clear(path: Path) -> None:
    Users(path, basic=[("bob", "builder1")]).add(ADA, PASSWORD)
    text = path.read_text()
    assert PASSWORD not in text
    assert "builder1" not in text
    assert json.loads(text)["users"]["ada"]["password"].startswith("$argon2id$")


def test_the_form_of_the_file(path: Path) -> None:
    Users(path).add(ADA, PASSWORD)
    content = json.loads(path.read_text())
    del content["users"]["ada"]["password"]
    row = {"role": "admin", "queues": ["mail*"], "tasks": ["shop.*"]}
    assert content == {"version": 1, "users": {"ada": row}}


def test_an_unknown_name_costs_as_much_as_a_wrong_password(path: Path, work: list[str]) -> None:
    users = Users(path, basic=[("bob", "builder1")])
    users.add(ADA, PASSWORD)
    for name in ("ada", "grace", "bob"):
        users.verify(name, "wrong password")
    assert len(work) == 3
    first, *others = [argon2.extract_parameters(stored) for stored in work]
    assert all(other == first for other in others)


def test_it_costs_nothing_again_for_five_minutes(path: Path, clock: Clock, work: list[str]) -> None:
    users = Users(path, clock=clock)
    users.add(ADA, PASSWORD)
    assert users.known("ada", PASSWORD) is None
    users.verify("ada", PASSWORD)
    clock.now = 299.0
    assert users.known("ada", PASSWORD) == ADA
    assert users.verify("ada", PASSWORD) == ADA
    assert len(work) == 1
    # Only that password: any other costs what it costs.
    assert users.known("ada", PASSWORD + "!") is None
    clock.now = 301.0
    assert users.known("ada", PASSWORD) is None
    assert users.verify("ada", PASSWORD) == ADA
    assert len(work) == 2


def test_a_wrong_password_is_not_remembered(path: Path, work: list[str]) -> None:
    users = Users(path)
    users.add(ADA, PASSWORD)
    assert users.verify("ada", "wrong password") is None
    assert users.verify("ada", "wrong password") is None
    assert len(work) == 2


def test_what_is_remembered_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 2)
    users = Users(path)
    for name in ("a", "b", "c"):
        users.add(User(name=name, role="viewer"), PASSWORD)
        users.verify(name, PASSWORD)
    assert [users.known(name, PASSWORD) is not None for name in "abc"] == [False, True, True]


@pytest.mark.parametrize("change", ["password", "removed", "added again"])
def test_what_was_remembered_ends_with_the_password(path: Path, clock: Clock, change: str) -> None:
    users, command = Users(path, clock=clock), Users(path)
    users.add(ADA, PASSWORD)
    assert users.verify("ada", PASSWORD) == ADA
    if change == "password":
        command.set_password("ada", "another horse")
    else:
        command.remove("ada")
        if change == "added again":
            command.add(ADA, "another horse")
    clock.now += 1
    assert users.known("ada", PASSWORD) is None
    assert users.verify("ada", PASSWORD) is None


@pytest.mark.parametrize("change", ["password", "removed"])
def test_a_change_while_a_password_is_checked_counts(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    users, command = Users(path, clock=clock), Users(path)
    users.add(ADA, PASSWORD)

    def slow(_self: object, _stored: str, _password: str) -> bool:
        if change == "password":
            command.set_password("ada", "another horse")
        else:
            command.remove("ada")
        clock.now += 1
        return True

    with monkeypatch.context() as patch:
        patch.setattr(argon2.PasswordHasher, "verify", slow)
        assert users.verify("ada", PASSWORD) is None
    assert users.known("ada", PASSWORD) is None
    assert users.verify("ada", PASSWORD) is None


def test_a_role_counts_at_once_for_who_is_remembered(path: Path, clock: Clock) -> None:
    users = Users(path, clock=clock)
    users.add(ADA, PASSWORD)
    users.verify("ada", PASSWORD)
    Users(path).set_role("ada", "viewer")
    clock.now += 1
    known = users.known("ada", PASSWORD)
    assert known is not None
    assert known.role == "viewer"
    assert users.find("ada") == known


def test_a_hash_costs_twice_what_is_asked_at_the_least() -> None:
    assert TIME_COST * MEMORY_KIB >= 2 * 46 * 1024


def test_an_old_hash_is_renewed_at_login(path: Path) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    path.write_text(
        json.dumps({"version": 1, "users": {"ada": {"role": "viewer", "password": weak}}})
    )
    users = Users(path)
    stamp = users.stamp("ada")
    assert users.verify("ada", "wrong password") is None
    assert users.stamp("ada") == stamp
    assert users.verify("ada", PASSWORD) is not None
    renewed = json.loads(path.read_text())["users"]["ada"]["password"]
    assert argon2.extract_parameters(renewed).memory_cost == module._MEMORY_KIB > 8
    assert users.known("ada", PASSWORD) is not None


def test_a_stronger_hash_stays(path: Path) -> None:
    strong = argon2.PasswordHasher(time_cost=3, memory_cost=128, parallelism=1).hash(PASSWORD)
    body = json.dumps({"version": 1, "users": {"ada": {"role": "viewer", "password": strong}}})
    path.write_text(body)
    assert Users(path).verify("ada", PASSWORD) is not None
    assert path.read_text() == body


def test_an_old_hash_in_a_file_that_we_may_not_write_still_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    path.write_text(
        json.dumps({"version": 1, "users": {"ada": {"role": "viewer", "password": weak}}})
    )
    users = Users(path)

    def refused(_edit: object) -> None:
        raise Unavailable("Read-only file system.")

    monkeypatch.setattr(users._store, "change", refused)
    assert users.verify("ada", PASSWORD) is not None


def test_at_most_two_passwords_are_checked_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = Users(path)
    inside, most = 0, 0
    lock, go_on, two = threading.Lock(), threading.Event(), threading.Event()

    def slow(_self: object, _stored: str, _password: str) -> bool:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == 2:
                two.set()
        go_on.wait(10)
        with lock:
            inside -= 1
        return True

    monkeypatch.setattr(argon2.PasswordHasher, "verify", slow)
    threads = [
        threading.Thread(target=users.verify, args=("nobody", "some password")) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    assert two.wait(10)
    # Who waits for too long is sent away rather than kept.
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.0)
    with pytest.raises(TooMany):
        users.verify("nobody", "some password")
    go_on.set()
    for thread in threads:
        thread.join()
    assert most == 2


# ---------------------------------------------------------------------- Flower's --basic-auth


def test_flowers_pairs_log_in(path: Path) -> None:
    users = Users(path, basic=[("bob", "b"), ("eve", "a:b")], basic_role="operator")
    bob = User(name="bob", role="operator")
    assert users.verify("bob", "b") == bob
    assert users.find("bob") == bob
    assert users.verify("eve", "a:b") == User(name="eve", role="operator")
    assert users.verify("bob", "a:b") is None


def test_the_files_user_goes_before_a_pair_of_the_same_name(path: Path) -> None:
    users = Users(path, basic=[("ada", "basic password")])
    users.add(User(name="ada", role="viewer"), PASSWORD)
    assert users.verify("ada", "basic password") is None
    assert users.verify("ada", PASSWORD) == User(name="ada", role="viewer")
    assert [user.role for user in users.list()] == ["viewer"]


def test_the_stamp_of_a_pair_tells_nothing_across_starts() -> None:
    pairs = [("bob", "builder1")]
    users = Users(None, basic=pairs)
    assert users.stamp("bob") == users.stamp("bob") is not None
    assert users.stamp("bob") != Users(None, basic=pairs).stamp("bob")
    assert users.stamp("nobody") is None


# ---------------------------------------------------------------------- the file


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_the_stamp_changes_with_the_password_alone(path: Path, name: str) -> None:
    users = Users(path)
    users.add(ADA, PASSWORD)
    before = users.stamp(name)
    assert Users(path).stamp(name) == before
    users.set_role("ada", "viewer")
    assert users.stamp(name) == before
    users.set_password("ada", PASSWORD)
    assert (users.stamp(name) == before) is (name == "nobody")


def test_changes(path: Path) -> None:
    users = Users(path)
    users.add(ADA, PASSWORD)
    users.add(User(name="bob", role="viewer"), PASSWORD)
    users.set_role("ada", "operator")
    users.set_scope("bob", Scope(queues=("q",)))
    assert users.list() == [
        User(name="ada", role="operator", scope=ADA.scope),
        User(name="bob", role="viewer", scope=Scope(queues=("q",))),
    ]
    assert users.remove("ada").name == "ada"
    assert [user.name for user in users.list()] == ["bob"]
    users.set_password("bob", "another horse")
    assert users.verify("bob", PASSWORD) is None
    assert users.verify("bob", "another horse") is not None


def test_a_name_is_taken_once(path: Path) -> None:
    users = Users(path)
    users.add(ADA, PASSWORD)
    with pytest.raises(NotPossible, match="There is a user 'ada' already"):
        users.add(User(name="ada", role="viewer"), "another horse")
    assert users.verify("ada", PASSWORD) == ADA


def test_unknown_names_are_said(path: Path) -> None:
    users = Users(path)
    with pytest.raises(NotFound):
        users.remove("grace")
    with pytest.raises(NotFound):
        users.set_role("grace", "admin")
    with pytest.raises(NotFound):
        users.set_password("grace", PASSWORD)


def test_what_cannot_be_is_refused_and_nothing_written(path: Path) -> None:
    users = Users(path)
    bad: list[tuple[str, str, str, Scope]] = [
        ("a:b", PASSWORD, "admin", Scope()),
        ("ada", "short", "admin", Scope()),
        ("ada", PASSWORD, "root", Scope()),
        ("ada", PASSWORD, "admin", Scope(queues=("*" * 9,))),
    ]
    for name, password, role, scope in bad:
        given: Role = role  # type: ignore[assignment]
        with pytest.raises(BadArgument):
            users.add(User(name=name, role=given, scope=scope), password)
    assert not users.list()


def test_there_is_nothing_to_change_without_a_file() -> None:
    with pytest.raises(NotPossible, match="no file of users"):
        Users(None, basic=[("bob", "builder1")]).add(ADA, PASSWORD)


def test_whether_somebody_could_log_in(path: Path) -> None:
    assert not Users(None).exist()
    assert Users(None, basic=[("bob", "b")]).exist()
    users = Users(path)
    assert not users.exist()
    users.add(ADA, PASSWORD)
    assert users.exist()
    users.remove("ada")
    assert not users.exist()
    assert users.trouble is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"version": 1, "users": {', "truncated"),
        ('{"version": 2, "users": {}}', "version"),
        ('{"users": {"ada": {"role": "root", "password": "HASH"}}}', "role"),
        ('{"users": {"ada": {"role": "viewer", "password": "secret123"}}}', "no argon2 hash"),
        ('{"users": {"ada": {"role": "viewer", "password": "HASH", "quees": []}}}', "quees"),
        ('{"users": {"ada": {"role": "viewer", "password": "HASH", "tasks": ["*********"]}}}', "8"),
        ('{"users": {"a:b": {"role": "viewer", "password": "HASH"}}}', "colon"),
    ],
)
def test_a_broken_file_lets_nobody_in_and_opens_nothing(path: Path, body: str, said: str) -> None:
    stored = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    path.write_text(body.replace("HASH", stored))
    users = Users(path, basic=[("bob", "builder1")])
    assert said in (users.trouble or "")
    assert "secret123" not in (users.trouble or "")
    assert users.exist()
    assert users.verify("ada", PASSWORD) is None
    assert users.find("ada") is None
    assert users.stamp("ada") is None
    with pytest.raises(Unavailable):
        users.add(User(name="grace", role="viewer"), PASSWORD)
    # The pairs are no part of the file.
    assert users.verify("bob", "builder1") is not None
    assert Users(path).exist()


def test_a_file_that_vanishes_opens_nothing(path: Path, clock: Clock) -> None:
    users = Users(path, clock=clock)
    users.add(ADA, PASSWORD)
    path.unlink()
    clock.now += 1
    assert users.exist()
    assert "is gone" in (users.trouble or "")
    assert users.verify("ada", PASSWORD) is None
    Users(path).add(ADA, PASSWORD)
    clock.now += 1
    assert users.trouble is None
    assert users.verify("ada", PASSWORD) == ADA


def test_a_file_that_others_may_write_is_refused(path: Path) -> None:
    Users(path).add(ADA, PASSWORD)
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="chmod go-w"):
        Users(path)
