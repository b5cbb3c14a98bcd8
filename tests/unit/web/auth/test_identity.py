from __future__ import annotations

import re
from typing import Any

import pytest

from celeryscope.errors import ConfigError, LoginRefused
from celeryscope.web.auth.identity import (
    Admission,
    claim_of,
    refuse_everybody,
    values_of,
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("groups", ["a"]),
        ("realm_access.roles", ["b"]),
        ("resource_access.my.client.roles", ["c"]),  # a client's name may have dots
        ("https://example.com/roles", ["d"]),  # so may a claim's
        ("realm_access.nothing", None),
        ("groups.a", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_a_claim_is_found_by_its_path(path: str, found: Any) -> None:
    claims = {
        "groups": ["a"],
        "realm_access": {"roles": ["b"]},
        "resource_access": {"my.client": {"roles": ["c"]}},
        "https://example.com/roles": ["d"],
    }
    assert claim_of(claims, path) == found


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("ops", ["ops"]),
        ("ops dev", ["ops dev", "ops", "dev"]),
        (["dev team", 5, None, "x"], ["dev team", "x"]),
        ({"admin": {"id": "org"}}, ["admin"]),  # as Zitadel writes roles
        (None, []),
        (5, []),
        (True, []),
    ],
)
def test_values_come_in_several_forms(claim: Any, values: list[str]) -> None:
    assert values_of(claim) == values


@pytest.mark.parametrize(
    ("groups", "default", "role"),
    [
        (["dev"], None, "operator"),
        (["view", "ops", "dev"], None, "admin"),
        ("view dev", None, "operator"),
        (["other"], "viewer", "viewer"),
        (["view"], "operator", "viewer"),  # a value that gives a role goes before the default
        (None, "viewer", "viewer"),
    ],
)
def test_the_highest_role_counts(groups: Any, default: Any, role: str) -> None:
    admission = Admission(
        roles={"ops": "admin", "dev": "operator", "view": "viewer"}, default_role=default
    )
    assert admission.admit({"sub": "1", "groups": groups}).role == role


@pytest.mark.parametrize("groups", [["OPS"], ["op"], ["ops "], ["xops"], "xops", ["admin"], []])
def test_a_value_counts_to_the_letter(groups: Any) -> None:
    with pytest.raises(LoginRefused, match=r"You are 1, and have no role here: the claim groups"):
        Admission(roles={"ops": "admin"}).admit({"sub": "1", "groups": groups})


def test_without_a_table_no_value_gives_a_role() -> None:
    with pytest.raises(LoginRefused):
        Admission().admit({"sub": "1", "groups": ["admin", "viewer"]})


def test_a_refusal_names_a_few_groups_and_nothing_that_is_not_printable() -> None:
    groups = ["a\x1b[2J", *map(str, range(100))]
    with pytest.raises(LoginRefused, match=r"has \?, 0, 1, 2, 3 and more") as refused:
        Admission().admit({"sub": "1", "groups": groups})
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "a@b", "email_verified": True, "preferred_username": "ada"}, "a@b"),
        ({"email": "a@b", "email_verified": "true", "preferred_username": "ada"}, "a@b"),
        ({"email": "a@b", "email_verified": False, "preferred_username": "ada"}, "ada"),
        ({"email": "a@b", "preferred_username": "ada"}, "ada"),
        ({"email": "a@b"}, "1"),
        ({}, "1"),
    ],
)
def test_a_name_is_one_that_the_provider_has_made_sure_of(
    claims: dict[str, Any], name: str
) -> None:
    assert Admission(default_role="viewer").admit({"sub": "1", **claims}).name == name


@pytest.mark.parametrize("name", ["", " ", "x" * 129, "a\nb", "a\u202eb", 5, None, ["ada"]])
def test_what_is_no_name_lets_nobody_in(name: Any) -> None:
    admission = Admission(name_claim="nick", default_role="viewer")
    with pytest.raises(LoginRefused, match="--oidc-name-claim"):
        admission.admit({"sub": "1", "nick": name})


@pytest.mark.parametrize(
    ("email", "comes_in"),
    [
        ("ada@example.com", True),
        ("ada@example.com.evil.net", False),  # Flower's CVE-2022-30034
        ("ada@evil.net?x=@example.com\n", False),
        ("ada@example.com\n", False),
        ("evil+ada@example.comx", False),
        ("Ada@example.com", False),
        ("x" * 260 + "@example.com", False),
    ],
)
def test_an_address_fits_as_a_whole_or_not_at_all(email: str, comes_in: bool) -> None:
    emails = [re.compile(r"^nobody@"), re.compile(r"[a-z+]*@example\.com")]
    admission = Admission(default_role="admin", emails=emails)
    claims = {"sub": "1", "email": email, "email_verified": True}
    if comes_in:
        assert admission.admit(claims).role == "admin"
    else:
        with pytest.raises(LoginRefused, match=r"may come in\s+here|printable"):
            admission.admit(claims)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({}, "does not say your e-mail address"),
        ({"email": ["ada@example.com"], "email_verified": True}, "does not say your e-mail"),
        ({"email": "ada@example.com"}, "is verified"),
        ({"email": "ada@example.com", "email_verified": False}, "is verified"),
        ({"email": "ada@example.com", "email_verified": "false"}, "is verified"),
        ({"email": "ada@example.com", "email_verified": 1}, "is verified"),
    ],
)
def test_an_address_that_is_not_verified_opens_nothing(claims: dict[str, Any], told: str) -> None:
    admission = Admission(default_role="admin", emails=[re.compile(r".*@example\.com")])
    with pytest.raises(LoginRefused, match=told):
        admission.admit({"sub": "1", **claims})


def test_an_address_that_fits_gives_no_role_by_itself() -> None:
    admission = Admission(roles={"ops": "admin"}, emails=[re.compile(".*")])
    with pytest.raises(LoginRefused, match="have no role here"):
        admission.admit({"sub": "1", "email": "a@b", "email_verified": True})


def test_all_the_world_is_not_let_in() -> None:
    for admission in (
        Admission(default_role="viewer", emails=[re.compile("x")]),
        Admission(roles={"ops": "admin"}),
    ):
        refuse_everybody(admission, provider="Google")
    with pytest.raises(ConfigError, match="--oidc-emails"):
        refuse_everybody(Admission(default_role="viewer"), provider="Google")


@pytest.mark.parametrize(
    ("settings", "claims", "wants"),
    [
        ({}, {"email": "a", "email_verified": True}, False),
        ({}, {"email": "a", "email_verified": False}, True),
        ({}, {"email": "a", "preferred_username": "b"}, False),
        ({}, {"email": "a"}, True),
        ({}, {}, True),
        ({"name_claim": "sub"}, {"sub": "1"}, False),
        ({"name_claim": "sub", "roles": {"a": "admin"}}, {"sub": "1"}, True),
        ({"name_claim": "sub", "roles": {"a": "admin"}}, {"sub": "1", "groups": []}, False),
        ({"name_claim": "sub", "emails": [re.compile("a")]}, {"sub": "1"}, True),
        ({"name_claim": "sub", "emails": [re.compile("a")]}, {"sub": "1", "email": "a"}, True),
        ({"name_claim": "nick"}, {"sub": "1", "preferred_username": "b"}, True),
    ],
)
def test_it_knows_what_it_still_has_to_ask(
    settings: dict[str, Any], claims: dict[str, Any], wants: bool
) -> None:
    assert Admission(**settings).wants(claims) is wants


def test_an_address_longer_than_any_can_be_is_not_looked_at() -> None:
    admission = Admission(emails=[re.compile(".*")])
    assert admission.lets_in("x" * 254)
    assert not admission.lets_in("x" * 255)
