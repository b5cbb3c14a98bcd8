"""Which arguments are secrets, and where they go instead."""

from __future__ import annotations

import sys

import pytest

from celeryscope.config.settings import SETTINGS, Command
from celeryscope.titles import hide, secrets_of, without_secrets

URL = "redis://:hunter2@host/0"


@pytest.mark.parametrize(
    ("command", "given", "kept", "variables"),
    [
        ("serve", ["serve", "--broker", URL], ["serve"], {"CELERYSCOPE_BROKER": URL}),
        ("serve", ["serve", f"--broker={URL}"], ["serve"], {"CELERYSCOPE_BROKER": URL}),
        ("serve", ["serve", "--broker", "redis://host/0"], None, {}),
        ("serve", ["serve", "--port", "1"], None, {}),
        ("serve", ["--help"], None, {}),
        ("serve", ["exporter", "--broker", URL], None, {}),  # not the command that runs
        (
            "serve",
            ["serve", "--port", "1", "--broker_api", "http://u:p@h/api/", "--read-only"],
            ["serve", "--port", "1", "--read-only"],
            {"CELERYSCOPE_BROKER_API": "http://u:p@h/api/"},
        ),
        (
            "serve",
            ["serve", "--basic-auth=a:one", "--basic_auth", "b:two,c:three"],
            ["serve"],
            {"CELERYSCOPE_BASIC_AUTH": "a:one,b:two,c:three"},
        ),
        (
            "serve",
            ["serve", "--broker", "redis://h/0", "--broker", URL],  # the last counts
            ["serve", "--broker", "redis://h/0"],
            {"CELERYSCOPE_BROKER": URL},
        ),
        (
            "serve",
            ["serve", "--oauth2_secret=sss", "--oauth2_key=kkk"],
            ["serve", "--oauth2_key=kkk"],
            {"CELERYSCOPE_OIDC_CLIENT_SECRET": "sss"},
        ),
        ("serve", ["serve", "--", "--broker", URL], None, {}),
        ("serve", ["serve", "--basic-auth"], None, {}),  # click says what is missing
        (
            "exporter",
            ["exporter", "--broker-url", URL, "--broker-transport-option", "password=x"],
            ["exporter"],
            {"CELERYSCOPE_BROKER": URL, "CE_BROKER_TRANSPORT_OPTION": "password=x"},
        ),
        (
            "scope",
            ["-A", "proj", "-b", URL, "scope", "--cookie_secret=0123456789abcdef"],
            ["-A", "proj", "scope"],
            {"CELERY_BROKER_URL": URL, "CELERYSCOPE_COOKIE_SECRET": "0123456789abcdef"},
        ),
        ("scope", ["-Aproj", f"-b{URL}", "scope"], ["-Aproj", "scope"], {"CELERY_BROKER_URL": URL}),
        (
            "scope",
            ["-qb", URL, f"--result-backend={URL}", "--app=proj", "scope"],
            ["-q", "--app=proj", "scope"],
            {"CELERY_BROKER_URL": URL, "CELERY_RESULT_BACKEND": URL},
        ),
        (
            "scope",
            ["--workdir", "there", "-A", "proj", "--broker", URL, "scope", "--port=1"],
            ["-A", "proj", "scope", "--port=1"],
            {"CELERY_BROKER_URL": URL},
        ),
        ("scope", ["--workdir", "there", "-A", "proj", "scope"], None, {}),
        ("scope", ["-A", "scope", "worker", "-b", URL], None, {}),
        (
            "scope",
            ["-A", "proj", "scope", f"--result_backend={URL}"],
            ["-A", "proj", "scope"],
            {"CELERYSCOPE_RESULT_BACKEND": URL},
        ),
    ],
)
def test_secrets_leave_the_arguments_and_all_else_stays(
    command: Command, given: list[str], kept: list[str] | None, variables: dict[str, str]
) -> None:
    told = without_secrets(given, command, secrets_of(command), {})
    assert told == (given if kept is None else kept, variables)
    # Once is enough: what starts again does not start again and again.
    assert without_secrets(told[0], command, secrets_of(command), {}) == (told[0], {})


def test_celerys_option_goes_before_both_of_its_variables() -> None:
    _, variables = without_secrets(
        ["-b", URL, "scope"], "scope", secrets_of("scope"), {"BROKER_URL": "redis://other"}
    )
    assert variables == {"CELERY_BROKER_URL": URL, "BROKER_URL": URL}


@pytest.mark.parametrize("command", ["serve", "scope", "exporter"])
def test_every_secret_setting_of_a_command_has_its_flags(command: Command) -> None:
    secrets = secrets_of(command)
    for setting in SETTINGS:
        if setting.secret and command in setting.commands:
            assert secrets[setting.flag].variable == setting.env
    assert ("--oauth2-secret" in secrets) is (command != "exporter")
    assert ("--broker-url" in secrets) is (command == "exporter")


def test_nothing_is_started_where_the_arguments_are_not_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "os.execve", lambda *_: pytest.fail("it must not start itself again", pytrace=False)
    )
    monkeypatch.setattr(sys, "argv", ["celeryscope", "serve", "--broker", URL])
    hide("serve")  # sys.orig_argv are pytest's
    monkeypatch.setattr(sys, "orig_argv", ["python", "celeryscope", "serve", "--port", "1"])
    monkeypatch.setattr(sys, "argv", ["celeryscope", "serve", "--port", "1"])
    hide("serve")  # nothing to hide


def test_a_command_that_takes_some_of_the_settings_keeps_its_own_name() -> None:
    url = "postgresql://u:hunter2@h/d"
    kept, variables = without_secrets(
        ["history", "prune", "--history", url, "--max-age=7d"], "history", secrets_of("serve"), {}
    )
    assert kept == ["history", "prune", "--max-age=7d"]
    assert variables == {"CELERYSCOPE_HISTORY": url}
