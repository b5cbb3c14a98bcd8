"""How often somebody may try a password."""

from __future__ import annotations

import pytest

from celeryscope.errors import TooMany
from celeryscope.web.auth.throttle import Throttle

HERE, THERE = "192.0.2.1", "198.51.100.7"
NOW = 1_800_000_000.0


def wait(throttle: Throttle, address: str, name: str, now: float) -> float:
    """Say how long one has to wait; 0: not at all, and then the try is taken back."""
    try:
        throttle.check(address, name, now)
    except TooMany as refused:
        return refused.retry_after_seconds
    for rows in (throttle._pairs, throttle._addresses):
        for tries in rows.values():
            tries.under_way = 0
    return 0.0


def fail(throttle: Throttle, times: int, address: str = HERE, name: str = "ada") -> None:
    for _ in range(times):
        throttle.failed(address, name, NOW)


@pytest.mark.parametrize("name", ["ada", ""])
def test_five_are_free_and_then_each_makes_the_next_wait(name: str) -> None:
    throttle = Throttle()
    now = NOW
    for expected in (0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60):
        throttle.check(HERE, name, now)
        throttle.failed(HERE, name, now)
        assert wait(throttle, HERE, name, now) == expected
        now += expected


def test_a_try_that_was_refused_makes_nobody_wait_longer() -> None:
    throttle = Throttle()
    fail(throttle, 6)
    assert [wait(throttle, HERE, "ada", NOW + second) for second in (0, 0.5, 1.5)] == [2, 1.5, 0.5]
    assert wait(throttle, HERE, "ada", NOW + 2) == 0


def test_the_sentence_says_how_long() -> None:
    throttle = Throttle()
    fail(throttle, 5)
    with pytest.raises(TooMany, match="Try again in 1 second"):
        throttle.check(HERE, "ada", NOW + 0.25)
    fail(throttle, 5)
    with pytest.raises(TooMany, match="Try again in 32 seconds"):
        throttle.check(HERE, "ada", NOW + 0.25)


def test_one_that_was_right_forgets_the_wrong_ones() -> None:
    throttle = Throttle()
    fail(throttle, 5)
    throttle.check(HERE, "ada", NOW + 1)
    throttle.succeeded(HERE, "ada")
    assert wait(throttle, HERE, "ada", NOW + 1) == 0
    fail(throttle, 4)
    assert wait(throttle, HERE, "ada", NOW + 1) == 0


def test_ten_quiet_minutes_forget_all() -> None:
    throttle = Throttle()
    fail(throttle, 30)
    assert wait(throttle, HERE, "ada", NOW + 59) == 1
    fail(throttle, 1)
    assert wait(throttle, HERE, "ada", NOW + 600) == 0
    throttle.failed(HERE, "ada", NOW + 600)
    assert wait(throttle, HERE, "ada", NOW + 600) == 0


def test_another_name_or_address_does_not_wait() -> None:
    throttle = Throttle()
    fail(throttle, 10)
    assert wait(throttle, HERE, "ada", NOW) > 0
    assert wait(throttle, HERE, "bob", NOW) == 0
    assert wait(throttle, THERE, "ada", NOW) == 0


def test_an_address_with_many_names_waits() -> None:
    throttle = Throttle()
    for n in range(19):
        fail(throttle, 1, name=f"name {n}")
    assert wait(throttle, HERE, "ada", NOW) == 0
    fail(throttle, 1, name="name 20")
    assert wait(throttle, HERE, "ada", NOW) == 1
    fail(throttle, 3, name="name 21")
    assert wait(throttle, HERE, "ada", NOW) == 8
    assert wait(throttle, THERE, "ada", NOW) == 0


def test_a_login_of_ones_own_does_not_hide_guesses_at_others() -> None:
    throttle = Throttle()
    for n in range(20):
        throttle.check(HERE, "mallory", NOW)
        throttle.succeeded(HERE, "mallory")
        fail(throttle, 1, name=f"name {n}")
    assert wait(throttle, HERE, "ada", NOW) == 1


def test_a_name_under_attack_from_everywhere_waits_five_seconds_at_most() -> None:
    throttle = Throttle()
    for n in range(99):
        fail(throttle, 1, address=f"203.0.113.{n}")
    assert wait(throttle, THERE, "ada", NOW) == 0
    fail(throttle, 1, address="203.0.113.200")
    assert wait(throttle, THERE, "ada", NOW) == 5
    fail(throttle, 400, address="203.0.113.201")
    assert wait(throttle, THERE, "ada", NOW) == 5
    assert wait(throttle, THERE, "bob", NOW) == 0
    # A new window: what counts is ten minutes.
    assert wait(throttle, THERE, "ada", NOW + 600) == 0


def test_an_attack_on_a_name_that_goes_on_counts_anew_each_ten_minutes() -> None:
    throttle = Throttle()
    for n in range(101):
        throttle.failed(f"203.0.113.{n}", "ada", NOW + n)
    assert wait(throttle, THERE, "ada", NOW + 100) == 5
    for n in range(99):
        throttle.failed(f"203.0.113.{n}", "ada", NOW + 601)
    assert wait(throttle, THERE, "ada", NOW + 601) == 0
    throttle.failed("203.0.113.200", "ada", NOW + 601)
    assert wait(throttle, THERE, "ada", NOW + 601) == 5


def test_who_logged_in_there_before_does_not_feel_the_attack() -> None:
    throttle = Throttle()
    throttle.succeeded(THERE, "ada")
    for n in range(200):
        fail(throttle, 1, address=f"203.0.113.{n}")
    fail(throttle, 30, address=THERE, name="somebody")
    assert wait(throttle, "192.0.2.99", "ada", NOW) == 5
    assert wait(throttle, THERE, "bob", NOW) == 60
    assert wait(throttle, THERE, "ada", NOW) == 0
    # Guessing there is as slow as anywhere.
    fail(throttle, 6, address=THERE)
    assert wait(throttle, THERE, "ada", NOW) == 2


def test_wrong_tokens_hinder_no_password() -> None:
    throttle = Throttle()
    fail(throttle, 50, name="")
    assert wait(throttle, HERE, "", NOW) == 60
    assert wait(throttle, HERE, "ada", NOW) == 0


def test_many_at_once_get_no_further_than_one_after_the_other() -> None:
    throttle = Throttle()
    let = 0
    for _ in range(1_000):
        try:
            throttle.check(HERE, "ada", NOW)
        except TooMany:
            continue
        let += 1
    assert let == 20
    for _ in range(let):
        throttle.failed(HERE, "ada", NOW)
    assert wait(throttle, HERE, "ada", NOW) == 60
    # When the wait is over, one may try, and no second one meanwhile.
    throttle.check(HERE, "ada", NOW + 60)
    with pytest.raises(TooMany):
        throttle.check(HERE, "ada", NOW + 60)
    throttle.failed(HERE, "ada", NOW + 60)
    assert wait(throttle, HERE, "ada", NOW + 61) == 59


def test_a_try_that_nobody_ended_does_not_stand_in_the_way_for_long() -> None:
    throttle = Throttle()
    fail(throttle, 5)
    throttle.check(HERE, "ada", NOW + 1)
    with pytest.raises(TooMany):
        throttle.check(HERE, "ada", NOW + 30)
    throttle.check(HERE, "ada", NOW + 31)


def test_tokens_may_be_checked_without_end() -> None:
    throttle = Throttle()
    for _ in range(100):
        throttle.check(HERE, "", NOW)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix socket", "unix socket", True),
        ("unix socket", "nonsense", False),
    ],
)
def test_what_is_one_address(one: str, other: str, same: bool) -> None:
    throttle = Throttle()
    fail(throttle, 5, address=one)
    assert (wait(throttle, other, "ada", NOW) > 0) is same


def test_its_memory_is_bounded_and_the_oldest_go() -> None:
    throttle = Throttle()
    fail(throttle, 5)
    for n in range(12_000):
        address = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        throttle.check(address, f"name {n}", NOW)
        throttle.failed(address, f"name {n}", NOW)
        throttle.succeeded(address, f"other {n}")
    assert len(throttle) <= 10_000
    assert wait(throttle, HERE, "ada", NOW) == 0
    fail(throttle, 5, address="10.0.46.223", name="name 11999")
    assert wait(throttle, "10.0.46.223", "name 11999", NOW) > 0


def test_a_long_name_takes_no_room() -> None:
    throttle = Throttle()
    fail(throttle, 5, name="x" * 100_000, address="y" * 100_000)
    keys = [key for rows in (throttle._pairs, throttle._names) for key in rows]
    assert max(len(part) for key in keys for part in key) <= 64
    assert wait(throttle, "y" * 100_000, "x" * 100_000, NOW) == 1


def test_a_name_that_is_no_text_counts_as_any() -> None:
    throttle = Throttle()
    fail(throttle, 5, name="\ud800")
    assert wait(throttle, HERE, "\ud800", NOW) == 1


def test_a_clock_that_is_set_back_does_not_keep_people_out() -> None:
    throttle = Throttle()
    fail(throttle, 20)
    now = NOW - 86_400
    assert wait(throttle, HERE, "ada", now) == 60
    assert wait(throttle, HERE, "ada", now + 60) == 0
