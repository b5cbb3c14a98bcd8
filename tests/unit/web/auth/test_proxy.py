from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.errors import ConfigError
from celeryscope.web.auth.proxy import UNIX_SOCKET, Proxy

NEAR = "10.0.0.1"  # the proxy that we talk with
FAR = "10.0.0.2"  # another of ours, before it
CLIENT = "203.0.113.9"


def proxy_of(**settings: Any) -> Proxy:
    given: dict[str, Any] = {
        "trusted": ["10.0.0.0/24", "2001:db8:1::/48"],
        "user_header": "X-Forwarded-User",
        "role_header": "X-Forwarded-Groups",
        "roles": {"ops": "admin", "dev team": "operator"},
    }
    return Proxy(**{**given, **settings})


def lines(*pairs: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in pairs]


# ---------------------------------------------------------------------- whom we trust


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        (NEAR, True),
        ("10.0.1.1", False),
        ("::ffff:10.0.0.1", True),  # IPv4 as a socket for both shows it
        ("::ffff:10.0.1.1", False),
        ("2001:db8:1::5", True),
        ("2001:db8:1::5%eth0", True),
        ("2001:db8:2::5", False),
        ("localhost", False),
        ("", False),
        (None, False),
    ],
)
def test_a_peer_is_trusted_by_its_network(host: str | None, trusted: bool) -> None:
    assert proxy_of().peer(host) is trusted


def test_the_unix_socket_is_trusted_by_its_own_word() -> None:
    assert proxy_of(trusted=["unix"]).peer(None)
    assert proxy_of(trusted=["unix"]).peer("")
    assert not proxy_of(trusted=["unix"]).peer(NEAR)
    assert not proxy_of(trusted=["0.0.0.0/0", "::/0"]).peer(None)


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("10.0.0.1/8", r"whole network meant, 10\.0\.0\.0/8, or the address alone, 10\.0\.0\.1\?"),
        ("proxy.example", "neither a network"),
        ("10.0.0.0/40", "neither a network"),
    ],
)
def test_a_network_that_is_none_is_told(network: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        proxy_of(trusted=[network])


# ---------------------------------------------------------------------- where from


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], NEAR),
        ([("x-forwarded-for", CLIENT)], CLIENT),
        ([("X-Forwarded-For", CLIENT)], CLIENT),
        ([("x-forwarded-for", f"{CLIENT}, {FAR}")], CLIENT),
        ([("x-forwarded-for", CLIENT), ("x-forwarded-for", FAR)], CLIENT),
        # What the client wrote itself is further left than what the proxies wrote.
        ([("x-forwarded-for", f"1.1.1.1, {CLIENT}, {FAR}")], CLIENT),
        ([("x-forwarded-for", f"{NEAR}, {CLIENT}")], CLIENT),
        ([("x-forwarded-for", f"nonsense, {CLIENT}")], CLIENT),
        ([("x-forwarded-for", f"{FAR}, {NEAR}")], FAR),  # one of ours asks
        ([("x-forwarded-for", f"{CLIENT}:4711")], CLIENT),
        ([("x-forwarded-for", "[2001:db8::9]:4711")], "2001:db8::9"),
        ([("x-forwarded-for", "2001:DB8::9")], "2001:db8::9"),
        ([("x-forwarded-for", f"::ffff:{CLIENT}")], CLIENT),
        ([("x-forwarded-for", "")], NEAR),
        ([("x-forwarded-for", "unknown")], NEAR),
        ([("x-forwarded-for", f"{CLIENT}, nonsense, {FAR}")], NEAR),
        ([("x-forwarded-for", f"{CLIENT}\r\nx")], NEAR),
        ([("x-forwarded-for", f"{CLIENT},")], NEAR),
        ([("x_forwarded_for", CLIENT)], NEAR),
        ([("x-forwarded-for", ", ".join([CLIENT, *[FAR] * 500]))], FAR),  # it has an end
        ([("forwarded", f"for={CLIENT}")], CLIENT),
        ([("forwarded", f'For="{CLIENT}:99";proto=https;by={NEAR}, for={FAR}')], CLIENT),
        ([("forwarded", 'for="[2001:db8::9]:80"')], "2001:db8::9"),
        ([("forwarded", "for=1.1.1.1"), ("forwarded", f"for={CLIENT}")], CLIENT),
        ([("forwarded", f"for=_hidden, for={CLIENT}")], CLIENT),
        ([("forwarded", "for=_hidden")], NEAR),
        ([("forwarded", f"proto=https, for={CLIENT};")], NEAR),
        ([("forwarded", f"for={CLIENT}, proto=https")], NEAR),
        ([("forwarded", f"for={CLIENT} for=1.1.1.1")], NEAR),
        ([("forwarded", f'for="{CLIENT}')], NEAR),
        ([("x-forwarded-for", CLIENT), ("forwarded", f"for={CLIENT}")], CLIENT),
        # One of them is the proxy's, and the other came with the request.
        ([("x-forwarded-for", CLIENT), ("forwarded", "for=1.1.1.1")], NEAR),
        ([("x-forwarded-for", "1.1.1.1"), ("forwarded", f"for={CLIENT}")], NEAR),
        ([("x-forwarded-for", CLIENT), ("forwarded", "nonsense")], NEAR),
    ],
)
def test_the_address_is_what_trusted_proxies_told(
    headers: list[tuple[str, str]], address: str
) -> None:
    assert proxy_of().address(NEAR, lines(*headers)) == address


@pytest.mark.parametrize("peer", ["192.0.2.1", "localhost"])
def test_nobody_else_is_believed_where_they_come_from(peer: str) -> None:
    told = lines(("x-forwarded-for", CLIENT), ("x-forwarded-proto", "https"))
    assert proxy_of().address(peer, told) == peer
    assert proxy_of().scheme(peer, told, "http") == "http"


def test_the_unix_socket_has_a_name_of_its_own() -> None:
    told = lines(("x-forwarded-for", CLIENT))
    assert proxy_of().address(None, told) == UNIX_SOCKET
    assert proxy_of(trusted=["unix"]).address(None, told) == CLIENT
    assert proxy_of(trusted=["unix"]).address(None, []) == UNIX_SOCKET


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ([], "http"),
        ([("x-forwarded-proto", "https")], "https"),
        ([("x-forwarded-proto", " HTTPS ")], "https"),
        ([("x-forwarded-proto", "ftp")], "http"),
        ([("x-forwarded-proto", "")], "http"),
        ([("x-forwarded-proto", "https, http")], "http"),
        ([("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")], "http"),
        ([("x-forwarded-proto", "https"), ("x-forwarded-proto", "https")], "https"),
        ([("forwarded", f"for={CLIENT};proto=https, for={FAR};proto=http")], "https"),
        ([("forwarded", f"for={CLIENT};proto=gopher")], "http"),
        ([("x_forwarded_proto", "https")], "http"),
    ],
)
def test_the_scheme_is_what_the_client_spoke(headers: list[tuple[str, str]], scheme: str) -> None:
    assert proxy_of().scheme(NEAR, lines(*headers), "http") == scheme


def test_a_proxy_may_say_that_it_was_not_https() -> None:
    assert proxy_of().scheme(NEAR, lines(("x-forwarded-proto", "http")), "https") == "http"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"x-forwarded-for", b"forwarded", b"x-forwarded-proto",
                             b"x-forwarded-user", b"x-forwarded-groups"]),
            st.one_of(st.binary(max_size=60), st.from_regex(rb'(for=|"|\\|;|,|=|[0-9.:\[\]])*')),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_whatever_comes_it_says_something_printable(headers: list[tuple[bytes, bytes]]) -> None:
    import ipaddress

    proxy = proxy_of(default_role="viewer")
    ipaddress.ip_address(proxy.address(NEAR, headers))
    assert proxy.scheme(NEAR, headers, "http") in {"http", "https"}
    found = proxy.identify(NEAR, headers)
    assert found is None or (found.name.isprintable() and 0 < len(found.name) <= 128)
    assert proxy.identify("192.0.2.1", headers) is None


# ---------------------------------------------------------------------- who


@pytest.mark.parametrize(
    ("headers", "role"),
    [
        ([("x-forwarded-groups", "ops")], "admin"),
        ([("x-forwarded-groups", "guests,dev team,ops")], "admin"),
        ([("x-forwarded-groups", "guests, dev team")], "operator"),
        ([("x-forwarded-groups", "guests|dev team")], "operator"),  # as authentik writes it
        ([("x-forwarded-groups", "Ops")], None),
        ([("x-forwarded-groups", "ops2, dev, team")], None),
        ([("x-forwarded-groups", "admin")], None),
        ([("x-forwarded-groups", "")], None),
        ([], None),
        ([("x-forwarded-groups", "guests"), ("x-forwarded-groups", "ops")], None),
        ([("x-forwarded-groups", "ops"), ("x-forwarded-groups", "guests")], None),
        ([("x_forwarded_groups", "ops")], None),
        ([("x-forwarded-groups", "ops"), ("x_forwarded_groups", "x")], "admin"),
    ],
)
def test_groups_give_a_role(headers: list[tuple[str, str]], role: str | None) -> None:
    found = proxy_of().identify(NEAR, lines(("x-forwarded-user", "ada"), *headers))
    assert (found and found.role) == role


def test_who_has_no_group_has_the_default_role() -> None:
    headers = lines(("x-forwarded-user", "ada"), ("x-forwarded-groups", "guests"))
    found = proxy_of(default_role="viewer").identify(NEAR, headers)
    assert found is not None
    assert (found.name, found.role, found.logout_hint) == ("ada", "viewer", None)


@pytest.mark.parametrize(("told", "role"), [("operator", "operator"), ("ops", None)])
def test_without_a_table_a_role_means_itself(told: str, role: str | None) -> None:
    headers = lines(("x-forwarded-user", "ada"), ("x-forwarded-groups", told))
    found = proxy_of(roles={}).identify(NEAR, headers)
    assert (found and found.role) == role


def test_without_the_name_of_its_header_groups_count_for_nothing() -> None:
    headers = lines(("x-forwarded-user", "ada"), ("x-forwarded-groups", "ops"))
    found = proxy_of(role_header="", default_role="viewer").identify(NEAR, headers)
    assert found is not None
    assert found.role == "viewer"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([("x-forwarded-user", "ada")], "ada"),
        ([("X-FORWARDED-USER", " ada ")], "ada"),
        ([("x-forwarded-user", "Zoë")], "Zoë"),
        ([("x-forwarded-user", "x" * 128)], "x" * 128),
        ([("x-forwarded-user", "x" * 129)], None),
        ([("x-forwarded-user", "")], None),
        ([("x-forwarded-user", "  ")], None),
        ([("x-forwarded-user", "a\tb")], None),
        ([("x-forwarded-user", "a\x00b")], None),
        ([("x-forwarded-user", "a\u202eb")], None),
        ([("x_forwarded_user", "ada")], None),
        ([("x-forwarded-user2", "ada")], None),
        ([("x-forwarded-user", "ada"), ("x_forwarded_user", "root")], "ada"),
        ([("x-forwarded-user", "ada"), ("x-forwarded-user", "root")], None),
        ([("x-forwarded-user", "ada"), ("X-Forwarded-User", "ada")], None),
        ([], None),
    ],
)
def test_a_name_is_taken_from_one_good_line(
    headers: list[tuple[str, str]], name: str | None
) -> None:
    found = proxy_of(default_role="viewer").identify(NEAR, lines(*headers))
    assert (found and found.name) == name


def test_bytes_that_are_no_utf8_are_no_name() -> None:
    proxy = proxy_of(default_role="viewer")
    assert proxy.identify(NEAR, [(b"x-forwarded-user", b"a\xff")]) is None


@pytest.mark.parametrize("peer", ["10.0.1.1", CLIENT, "localhost", "", None])
def test_nobody_else_names_anybody(peer: str | None) -> None:
    headers = lines(("x-forwarded-user", "ada"), ("x-forwarded-groups", "ops"),
                    ("x-forwarded-for", NEAR))  # fmt: skip
    assert proxy_of().identify(peer, headers) is None


def test_without_the_name_of_a_header_nobody_is_named() -> None:
    proxy = proxy_of(user_header="", default_role="admin")
    assert proxy.identify(NEAR, lines(("x-forwarded-user", "ada"), ("", "ada"))) is None
    assert not proxy.names_people
    assert proxy_of().names_people
    assert not proxy_of(trusted=[]).names_people


def test_a_header_that_came_twice_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    proxy = proxy_of(default_role="viewer")
    twice = lines(("x-forwarded-user", "ada"), ("x-forwarded-user", "planted\nline"))
    for _ in range(3):
        assert proxy.identify(NEAR, twice) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "planted" not in caplog.text
