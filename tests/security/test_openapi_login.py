"""Our API as its own document describes it, asked by those who may and those who may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from celeryscope.control.commands import COMMANDS
from celeryscope.model.actor import RANKS, Role
from celeryscope.web.auth.policy import RULES
from tests.security.house import Home
from tests.unit.web.api.test_openapi import example_cluster

pytestmark = pytest.mark.timeout(60)

EXAMPLES = hypothesis.settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


class Doors(NamedTuple):
    """A console, and what each of two shows to it."""

    home: Home
    viewer: dict[str, str]
    admin: dict[str, str]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Doors:
    home = Home(tmp_path_factory.mktemp("home"), cluster=example_cluster())
    return Doors(home, _shown(home.token("viewer")), _shown(home.session("ada")))


def _shown(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


# The document is the same for everybody; here it is read where no login is asked for.
# A stream has no end to wait for.
asked = schemathesis.openapi.from_asgi("/api/v1/openapi.json", example_cluster().app()).exclude(
    operation_id="live"
)


def call(case: Any, doors: Doors, headers: dict[str, str]) -> Any:
    """Ask the console that has a login."""
    return case.call(app=doors.home.app, headers=headers)


def is_served(case: Any) -> bool:
    """Say whether this method is in the document: others are tried, too, and are a 405."""
    return case.method.upper() in RULES[_template(case)]


def _template(case: Any) -> str:
    """Give the path as the policy has it."""
    path = "/api/v1" + case.operation.path
    plain = {name.replace(":path", ""): name for name in RULES}
    return plain[path]


@asked.parametrize()
@EXAMPLES
def test_without_a_login_there_is_no_answer(case: Any, doors: Doors) -> None:
    told = call(case, doors, {})
    if not is_served(case):
        assert told.status_code == 405
        return
    assert told.status_code == 401
    assert told.json()["error"]["code"] == "not_logged_in"
    assert set(told.json()) == {"error"}


@asked.parametrize()
@EXAMPLES
def test_a_viewers_token_gets_no_more_than_a_viewer_may(case: Any, doors: Doors) -> None:
    if not is_served(case):
        return
    rule = RULES[_template(case)][case.method.upper()]
    before = len(doors.home.cluster.desk.sent)
    told = call(case, doors, doors.viewer)
    assert told.status_code < 500, told.text
    needed: Role = rule.needed or "viewer"
    if RANKS[needed] > RANKS["viewer"]:
        assert told.status_code == 403
        assert told.json()["error"]["code"] == "forbidden"
    else:
        assert told.status_code != 401
    new = doors.home.cluster.desk.sent[before:]
    assert all(COMMANDS[sent["command"]].role == "viewer" for sent in new)


# Ends its own session, and would be a stranger then.
@asked.exclude(path="/sessions/{id}/revoke").parametrize()
@EXAMPLES
def test_an_admins_session_is_answered_as_documented(case: Any, doors: Doors) -> None:
    told = call(case, doors, doors.admin)
    assert told.status_code < 500, told.text
    assert told.status_code not in (401, 403), told.text
    # JSON Schema cannot say which texts are a query, or which arguments a command takes.
    case.validate_response(
        told,
        excluded_checks=[positive_data_acceptance, ignored_auth],
        headers=doors.admin,
    )


@asked.include(method="POST").parametrize()
@EXAMPLES
def test_a_session_without_the_pages_token_changes_nothing(case: Any, doors: Doors) -> None:
    if case.method.upper() != "POST":
        return
    before = len(doors.home.cluster.desk.sent)
    told = call(case, doors, {"cookie": doors.admin["cookie"]})
    assert told.status_code == 403
    assert told.json()["error"]["code"] == "csrf"
    assert len(doors.home.cluster.desk.sent) == before


def test_the_home_is_kept_apart(tmp_path: Path) -> None:
    """What one door lets in, another does not: tokens and sessions are of one console."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    token = Home(one).token("admin")
    assert Home(other).ask("/api/v1/overview", headers=token).status == 401
