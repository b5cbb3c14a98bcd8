"""Sessions and their cookies."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celeryscope.errors import ConfigError, NotFound, Unavailable
from celeryscope.model.actor import Scope
from celeryscope.web.auth import sessions as module
from celeryscope.web.auth.sessions import Session, Sessions, key_of
from tests.unit.web.auth.clock import Clock

NOW = 1_800_000_000.0
KEY = b"k" * 32
IDLE, LIFETIME, ROTATE = 3_600.0, 86_400.0, 900.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.json"


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    yield
    written()


def sessions(path: Path | None = None, **given: Any) -> Sessions:
    wanted: dict[str, Any] = {
        "key": KEY,
        "idle_seconds": IDLE,
        "lifetime_seconds": LIFETIME,
        "rotate_seconds": ROTATE,
    }
    return Sessions(path, **(wanted | given))


def begun(of: Sessions, name: str = "ada", **given: Any) -> tuple[Session, str]:
    wanted: dict[str, Any] = {
        "role": "operator",
        "scope": Scope(tasks=("shop.*",)),
        "way": "password",
        "address": "192.0.2.1",
        "user_agent": "Browser/1",
        "stamp": "5t4mp",
        "now": NOW,
    }
    return of.begin(name=name, **(wanted | given))


def written() -> None:
    """Wait until what is to be written soon is written."""
    for thread in threading.enumerate():
        if thread.name == "sessions seen":
            thread.join()


def test_who_shows_the_cookie_has_the_session() -> None:
    all_ = sessions()
    session, cookie = begun(all_)
    assert session == Session(
        id=session.id,
        name="ada",
        role="operator",
        scope=Scope(tasks=("shop.*",)),
        way="password",
        address="192.0.2.1",
        user_agent="Browser/1",
        stamp="5t4mp",
        started_at=NOW,
        seen_at=NOW,
        rotated_at=NOW,
        expires_at=NOW + LIFETIME,
    )
    found = all_.find(cookie, now=NOW + 5)
    assert found is not None
    assert (found.session.id, found.session.seen_at, found.cookie) == (session.id, NOW + 5, None)


def test_cookies_that_are_none() -> None:
    all_ = sessions()
    session, cookie = begun(all_)
    _, another = begun(all_, "bob")
    secret, _, signature = cookie.partition(".")
    wrong = [
        "",
        ".",
        secret,
        cookie + "A",
        cookie[:-2] + "AA",
        cookie.swapcase(),
        cookie.replace(".", "_"),
        f"{secret}.{another.partition('.')[2]}",
        f"{'A' * 43}.{signature}",
        f"{'é' * 43}.{'é' * 43}",
        "\ud800" * 87,
        session.id,
        "x" * 1_000_000,
    ]
    assert [all_.find(given, now=NOW) for given in wrong] == [None] * len(wrong)
    assert all_.find(cookie, now=NOW) is not None


def test_a_cookie_of_another_key_is_none(path: Path) -> None:
    _, cookie = begun(sessions(path))
    assert sessions(path).find(cookie, now=NOW) is not None
    assert sessions(path, key=b"j" * 32).find(cookie, now=NOW) is None


def test_a_signed_secret_that_was_never_given_out_is_none() -> None:
    all_ = sessions()
    begun(all_)
    secret = "A" * 43
    assert all_.find(f"{secret}.{all_._sign(b'cookie', secret)}", now=NOW) is None


def test_the_id_and_the_file_tell_nothing_of_the_cookie(path: Path) -> None:
    all_ = sessions(path)
    session, cookie = begun(all_)
    found = all_.find(cookie, now=NOW + ROTATE)
    assert found is not None
    assert found.cookie is not None
    written()
    text = path.read_text() + str(session)
    for part in (*cookie.split("."), *found.cookie.split(".")):
        assert part not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# ---------------------------------------------------------------------- when it ends


def test_it_ends_when_it_was_not_used() -> None:
    all_ = sessions(rotate_seconds=LIFETIME)
    session, cookie = begun(all_)
    assert all_.find(cookie, now=NOW + IDLE - 1) is not None
    assert all_.find(cookie, now=NOW + 2 * IDLE - 2) is not None
    assert all_.alive(session.id, now=NOW + 2 * IDLE)
    assert not all_.alive(session.id, now=NOW + 3 * IDLE - 2)
    assert all_.find(cookie, now=NOW + 3 * IDLE - 2) is None
    # Not even by a clock that goes back.
    assert all_.find(cookie, now=NOW) is None


def test_it_ends_however_much_it_is_used() -> None:
    all_ = sessions()
    session, cookie = begun(all_)
    now = NOW
    while now + 600 < NOW + LIFETIME:
        now += 600
        found = all_.find(cookie, now=now)
        assert found is not None
        cookie = found.cookie or cookie
    assert all_.alive(session.id, now=NOW + LIFETIME - 1)
    assert all_.find(cookie, now=NOW + LIFETIME) is None
    assert all_.list(now=NOW + LIFETIME) == []


@pytest.mark.parametrize("where", ["file", "memory"])
def test_one_that_was_ended_is_over(path: Path, where: str) -> None:
    all_ = sessions(path if where == "file" else None)
    session, cookie = begun(all_)
    other, others_cookie = begun(all_)
    assert all_.end(session.id).id == session.id
    assert all_.find(cookie, now=NOW) is None
    assert not all_.alive(session.id, now=NOW)
    assert all_.find(others_cookie, now=NOW) is not None
    assert [one.id for one in all_.list(now=NOW)] == [other.id]
    with pytest.raises(NotFound):
        all_.end(session.id)


def test_all_of_a_name_end_or_all() -> None:
    all_ = sessions()
    for name in ("ada", "ada", "bob", "eve"):
        begun(all_, name)
    assert all_.end_all("ada") == 2
    assert {one.name for one in all_.list(now=NOW)} == {"bob", "eve"}
    assert all_.end_all("nobody") == 0
    assert all_.end_all() == 2
    assert all_.list(now=NOW) == []


def test_of_many_of_a_name_the_one_not_seen_for_longest_ends() -> None:
    all_ = sessions()
    begun(all_, "bob", now=NOW - 1)
    made = [begun(all_, now=NOW + n) for n in range(100)]
    assert all_.find(made[0][1], now=NOW + 100) is not None
    begun(all_, now=NOW + 101)
    assert all_.find(made[0][1], now=NOW + 101) is not None
    assert all_.find(made[1][1], now=NOW + 101) is None
    assert len(all_.list(now=NOW + 101)) == 101


def test_of_too_many_the_one_not_seen_for_longest_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SESSIONS", 3)
    all_ = sessions()
    for n in range(5):
        begun(all_, f"name {n}", now=NOW + n)
    assert [one.name for one in all_.list(now=NOW + 5)] == ["name 4", "name 3", "name 2"]


# ---------------------------------------------------------------------- the cookie changes


def test_the_cookie_changes_every_so_often() -> None:
    all_ = sessions()
    session, cookie = begun(all_)
    at = NOW + ROTATE
    assert all_.find(cookie, now=at - 1) == (all_.list(now=at)[0], None)
    found = all_.find(cookie, now=at)
    assert found is not None
    assert found.cookie not in (None, cookie)
    assert found.session.rotated_at == at
    assert found.session.id == session.id
    again = all_.find(str(found.cookie), now=at + 1)
    assert again is not None
    assert again.cookie is None


def test_requests_under_way_may_show_the_value_from_before_for_a_minute() -> None:
    all_ = sessions()
    _, cookie = begun(all_)
    at = NOW + ROTATE
    new = all_.find(cookie, now=at)
    assert new is not None
    assert all_.find(str(new.cookie), now=at) is not None
    for seconds in (0.0, 30.0, 59.9):
        found = all_.find(cookie, now=at + seconds)
        assert found is not None
        assert found.cookie is None


def test_a_new_value_whose_answer_was_lost_is_given_again(path: Path) -> None:
    all_ = sessions(path)
    session, cookie = begun(all_)
    at = NOW + ROTATE
    new = all_.find(cookie, now=at)
    assert new is not None
    written()
    for console in (all_, sessions(path)):
        for seconds in (1.0, 59.0, ROTATE - 1):
            found = console.find(cookie, now=at + seconds)
            assert found is not None
            assert found.cookie == new.cookie
    found = all_.find(str(new.cookie), now=at + ROTATE - 1)
    assert found is not None
    assert all_.find(cookie, now=at + ROTATE - 1) is None  # now it is an old one
    assert not all_.alive(session.id, now=at + ROTATE - 1)


def test_who_shows_an_old_value_later_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    all_ = sessions()
    session, cookie = begun(all_)
    at = NOW + ROTATE
    new = all_.find(cookie, now=at)
    assert new is not None
    assert new.cookie is not None
    assert all_.find(new.cookie, now=at + 1) is not None
    assert all_.find(cookie, now=at + 60) is None
    assert all_.find(new.cookie, now=at + 60) is None
    assert not all_.alive(session.id, now=at + 60)
    assert "somebody copied it" in caplog.text
    assert cookie not in caplog.text


def test_a_value_from_several_changes_ago_ends_it_too(path: Path) -> None:
    all_ = sessions(path)
    session, first = begun(all_)
    cookie, now = first, NOW
    for _ in range(3):
        now += ROTATE
        found = all_.find(cookie, now=now)
        assert found is not None
        cookie = str(found.cookie)
    written()
    later = sessions(path)
    assert later.find(first, now=now + 1) is None
    assert not later.alive(session.id, now=now + 1)
    written()
    assert sessions(path).find(cookie, now=now + 1) is None


def test_an_old_value_gives_nobody_a_new_one() -> None:
    all_ = sessions(rotate_seconds=10.0)
    _, cookie = begun(all_)
    new = all_.find(cookie, now=NOW + 10)
    assert new is not None
    assert all_.find(str(new.cookie), now=NOW + 11) is not None
    found = all_.find(cookie, now=NOW + 30)
    assert found is not None
    assert found.cookie is None


def test_where_no_cookie_can_be_set_it_does_not_change() -> None:
    all_ = sessions()
    _, cookie = begun(all_)
    found = all_.find(cookie, now=NOW + ROTATE, rotates=False)
    assert found is not None
    assert found.cookie is None
    found = all_.find(cookie, now=NOW + ROTATE)
    assert found is not None
    assert found.cookie is not None


# ---------------------------------------------------------------------- CSRF


def test_the_token_of_the_page_is_of_one_session_and_one_key() -> None:
    all_ = sessions()
    one, cookie = begun(all_)
    other, _ = begun(all_)
    token = all_.csrf(one)
    assert all_.csrf_is(one, token)
    assert not all_.csrf_is(other, token)
    assert not sessions(key=b"j" * 32).csrf_is(one, token)
    for wrong in ("", token[:-1], token + "A", cookie, "é" * 43, "\ud800", "x" * 100_000):
        assert not all_.csrf_is(one, wrong)
    # It stays while the cookie changes: a page that is open goes on.
    found = all_.find(cookie, now=NOW + ROTATE)
    assert found is not None
    assert all_.csrf_is(found.session, token)
    # And it is no signature of a cookie.
    assert token != all_._sign(b"cookie", one.id)


# ---------------------------------------------------------------------- the file


def test_sessions_survive_a_restart(path: Path) -> None:
    session, cookie = begun(sessions(path))
    found = sessions(path).find(cookie, now=NOW + 1)
    assert found is not None
    assert found.session.id == session.id
    assert (found.session.scope, found.session.stamp) == (session.scope, session.stamp)


def test_so_does_a_change_of_the_cookie(path: Path) -> None:
    all_ = sessions(path)
    _, cookie = begun(all_)
    found = all_.find(cookie, now=NOW + ROTATE)
    assert found is not None
    written()
    restarted = sessions(path)
    assert restarted.find(str(found.cookie), now=NOW + ROTATE + 100) is not None
    assert restarted.find(cookie, now=NOW + ROTATE + 100) is None


def test_so_does_an_end(path: Path) -> None:
    all_ = sessions(path)
    session, cookie = begun(all_)
    all_.end(session.id)
    assert sessions(path).find(cookie, now=NOW) is None


def test_when_it_was_seen_is_written_once_a_minute(path: Path) -> None:
    def in_file() -> float:
        written()
        seen: float = json.loads(path.read_text())["sessions"][session.id]["session"]["seen_at"]
        return seen

    all_ = sessions(path)
    session, cookie = begun(all_)
    assert in_file() == NOW
    for seconds, known in ((1, 1), (2, 1), (60, 1), (61, 61), (62, 61)):
        all_.find(cookie, now=NOW + seconds)
        assert in_file() == NOW + known
    all_.flush()
    assert in_file() == NOW + 62


def test_what_is_over_leaves_the_file(path: Path) -> None:
    all_ = sessions(path)
    begun(all_)
    begun(all_, "bob", now=NOW + IDLE)
    assert [
        row["session"]["name"] for row in json.loads(path.read_text())["sessions"].values()
    ] == ["bob"]


def test_two_consoles_share_them(path: Path, clock: Clock) -> None:
    one, other = sessions(path, clock=clock), sessions(path, clock=clock)
    session, cookie = begun(one)
    clock.now += 1
    assert other.find(cookie, now=NOW + 1) is not None
    written()
    # A change of the cookie in the one counts in the other.
    clock.now += 1
    found = one.find(cookie, now=NOW + ROTATE)
    assert found is not None
    written()
    clock.now += 1
    assert other.find(str(found.cookie), now=NOW + ROTATE + 1) is not None
    assert other.find(cookie, now=NOW + ROTATE + 1) is not None
    # And an end in the other ends it in the one, whatever that had still to write.
    assert one.find(str(found.cookie), now=NOW + ROTATE + 2) is not None
    other.end(session.id)
    clock.now += 1
    assert not one.alive(session.id, now=NOW + ROTATE + 3)
    one.flush()
    assert sessions(path).list(now=NOW + ROTATE + 3) == []


def test_two_consoles_that_change_a_cookie_at_once_agree(path: Path, clock: Clock) -> None:
    one, other = sessions(path, clock=clock), sessions(path, clock=clock)
    session, cookie = begun(one)
    clock.now += 1
    at = NOW + ROTATE
    assert other.find(cookie, now=at - 1) is not None
    written()
    first = one.find(cookie, now=at)
    written()
    # The other has just looked at the file, and does not know it yet.
    second = other.find(cookie, now=at + 1)
    written()
    clock.now += 1
    assert first is not None
    assert second is not None
    # They give the same.
    assert second.cookie == first.cookie
    for all_ in (one, other, sessions(path)):
        for value in (second.cookie, cookie):
            assert all_.find(str(value), now=at + 30) is not None
        assert all_.alive(session.id, now=at + 30)
    assert one.find(str(second.cookie), now=at + 100) is not None
    assert one.find(cookie, now=at + 100) is None


def test_a_disk_that_is_full_keeps_nobody_out(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    all_ = sessions(path)
    kept, _ = begun(all_)
    change = all_._store.change

    def full(_edit: object) -> None:
        raise Unavailable("No space left on device.")

    monkeypatch.setattr(all_._store, "change", full)
    session, cookie = begun(all_)
    all_.end(kept.id)
    assert all_.find(cookie, now=NOW + 1) is not None
    assert not all_.alive(kept.id, now=NOW + 1)
    assert "No space left on device." in caplog.text
    with pytest.raises(Unavailable):
        all_.flush()
    # When there is room again, nothing was lost.
    written()
    monkeypatch.setattr(all_._store, "change", change)
    all_.flush()
    assert [one.id for one in sessions(path).list(now=NOW + 1)] == [session.id]


def test_a_broken_file_lets_nobody_in_and_is_put_aside(path: Path, clock: Clock) -> None:
    all_ = sessions(path, clock=clock)
    _, cookie = begun(all_)
    path.write_text(path.read_text()[:-20])
    clock.now += 1
    assert all_.find(cookie, now=NOW) is None
    assert all_.trouble is not None
    _, another = begun(all_)
    assert all_.trouble is None
    assert sessions(path).find(another, now=NOW) is not None
    assert path.with_name("sessions.json.broken").exists()


def test_a_file_whose_ids_were_changed_is_broken(path: Path) -> None:
    session, cookie = begun(sessions(path))
    path.write_text(path.read_text().replace(session.id, "0" * 16, 1))
    assert sessions(path).find(cookie, now=NOW) is None


def test_what_a_browser_says_of_itself_is_cut_and_harmless() -> None:
    session, _ = begun(sessions(), user_agent="Browser\x1b[31m\n" + "x" * 300, address="a" * 300)
    assert session.user_agent.startswith("Browser?[31m?x")
    assert len(session.user_agent) == 200
    assert len(session.address) == 100


def test_many_threads_use_one_while_others_begin_and_end(path: Path) -> None:
    all_ = sessions(path)
    session, cookie = begun(all_)
    missed: list[int] = []

    def use() -> None:
        missed.extend(n for n in range(400) if all_.find(cookie, now=NOW + n) is None)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(10):
        other, _ = begun(all_, f"name {n}")
        all_.end(other.id)
    for thread in threads:
        thread.join()
    written()
    all_.flush()
    assert missed == []
    assert [one.id for one in sessions(path).list(now=NOW + 400)] == [session.id]


# ---------------------------------------------------------------------- the key


def test_the_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    key = key_of(path, "")
    assert len(key) == 32
    assert key_of(path, "") == key
    assert path.read_text().strip() == key.hex()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


def test_a_given_one_goes_before_and_is_stable(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    key = key_of(path, "cookie secret")
    assert key == key_of(None, "cookie secret")
    assert key != key_of(None, "another")
    assert len(key) == 32
    assert not path.exists()


def test_without_file_and_text_it_is_random() -> None:
    assert key_of(None, "") != key_of(None, "")


@pytest.mark.parametrize("body", [b"", b"abc", b"\xff" * 64, b"0" * 63, b"0" * 65, b"g" * 64])
def test_a_file_without_a_key_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(body)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        key_of(path, "")
    assert path.read_bytes() == body


@pytest.mark.parametrize("mode", [0o604, 0o602])
def test_a_key_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    key_of(path, "")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="Others may"):
        key_of(path, "")


def test_processes_that_start_at_once_agree_on_a_key(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    source = (
        "import sys; from pathlib import Path; from celeryscope.web.auth.sessions import key_of; "
        "print(key_of(Path(sys.argv[1]), '').hex())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", source, str(path)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    keys = {process.communicate(timeout=50)[0] for process in processes}
    assert keys == {path.read_bytes()}
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
