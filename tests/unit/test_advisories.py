"""What pip-audit and npm audit say, and what we make of it. The tools themselves are not asked."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from checks import advisories
from checks.advisories import Allowance, Asked, Wrong, judge, read_allowances, read_npm, read_pip

TODAY = date(2026, 11, 23)
PIP: dict[str, Any] = {
    "dependencies": [
        {"name": "celeryscope", "skip_reason": "Dependency not found on PyPI"},
        {"name": "amqp", "version": "5.4.2", "vulns": []},
        {
            "name": "flower",
            "version": "1.1.0",
            "vulns": [
                {
                    "id": "PYSEC-2022-42973",
                    "aliases": ["CVE-2022-30034", "GHSA-q4qm-xhf9-4p8f"],
                    "fix_versions": ["1.2.0"],
                    "description": "\nOAuth bypass.\nMore.",
                }
            ],
        },
    ]
}
SKIPPED = {
    "dependencies": [
        {"name": name, "skip_reason": f"Dependency not found on PyPI: {name}"}
        for name in ("amqp", "celery")
    ]
}
NPM: dict[str, Any] = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "a": {"severity": "high", "via": ["b"], "fixAvailable": True},
        "b": {
            "severity": "high",
            "via": [
                {
                    "source": 1_099_999,
                    "name": "b",
                    "title": "Prototype pollution",
                    "url": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc",
                    "range": "<2.0.0",
                }
            ],
            "fixAvailable": {"name": "a", "version": "3.0.0"},
        },
    },
    "metadata": {"dependencies": {"prod": 3, "dev": 400, "total": 403}},
}
CLEAN_NPM = {"vulnerabilities": {}, "metadata": {"dependencies": {"total": 403}}}
DOWN_NPM = {"message": "405 Method Not Allowed - POST https://registry", "error": {"summary": ""}}


def told(*asked: Asked, allowed: str = "", strict: bool = False) -> tuple[int, str]:
    said: list[str] = []
    allowances = read_allowances(allowed)
    status = judge(asked, allowances, today=TODAY, strict=strict, say=said.append)
    return status, "\n".join(said)


def pip(document: Any, errors: str = "") -> Asked:
    return read_pip(json.dumps(document), errors)


def npm(document: Any, errors: str = "") -> Asked:
    return read_npm(json.dumps(document), errors)


def allowance(**changed: str) -> str:
    fields = {
        "id": '"CVE-2022-30034"',
        "package": '"flower"',
        "reason": '"Only compared with."',
        "until": "2026-12-31",
        **changed,
    }
    return "[[allowed]]\n" + "".join(f"{k} = {v}\n" for k, v in fields.items() if v)


def test_a_published_weakness_fails_and_is_named_with_its_fix() -> None:
    status, said = told(pip(PIP), npm(NPM))
    assert status == 1
    assert "FOUND by pip-audit: flower 1.1.0: PYSEC-2022-42973 CVE-2022-30034" in said
    assert "OAuth bypass. Fixed in 1.2.0." in said
    assert "FOUND by npm audit: b <2.0.0: GHSA-aaaa-bbbb-cccc npm-1099999" in said
    assert "Fixed in a 3.0.0" in said


def test_nothing_found_is_clean_and_says_of_how_many() -> None:
    clean = {"dependencies": PIP["dependencies"][:2]}
    status, said = told(pip(clean), npm(CLEAN_NPM), strict=True)
    assert status == 0
    assert said.splitlines() == [
        "pip-audit: no published weakness in 1 package.",
        "npm audit: no published weakness in 403 packages.",
    ]


@pytest.mark.parametrize(
    "asked",
    [
        pip(SKIPPED),  # pip-audit itself says of this: no known vulnerabilities found
        pip({"dependencies": []}),
        pip({}),
        pip([]),
        read_pip("", "Traceback\nConnectionError: no route to the index\n"),
        npm(DOWN_NPM),
        npm({}),
        npm([]),
        npm({"vulnerabilities": {"a": {"via": ["b"]}}}),
        npm({"vulnerabilities": None}),
        read_npm("<html>", "npm error audit endpoint returned an error"),
        read_npm("", ""),
    ],
)
def test_who_could_not_be_asked_is_never_clean(asked: Asked) -> None:
    status, said = told(asked)
    assert status == 0
    assert "could not be asked" in said
    assert "nothing is known" in said
    assert "no published weakness" not in said
    assert told(asked, strict=True)[0] == 1


def test_packages_that_were_passed_over_are_named() -> None:
    some = {"dependencies": [*PIP["dependencies"][:2], *SKIPPED["dependencies"]]}
    status, said = told(pip(some))
    assert status == 0
    assert "1 package of those it knows" in said
    assert "WARNING: pip-audit knows nothing of 2 packages: amqp, celery." in said
    assert told(pip(some), strict=True)[0] == 1


def test_a_finding_is_allowed_by_any_of_its_names_until_its_day() -> None:
    status, said = told(pip(PIP), allowed=allowance())
    assert status == 0
    assert "allowed until 2026-12-31: flower 1.1.0" in said
    assert "Only compared with." in said
    status, said = told(pip(PIP), allowed=allowance(until="2026-11-22"))
    assert status == 1
    assert "Allowed only until 2026-11-22." in said
    assert told(pip(PIP), allowed=allowance(package='"amqp"'))[0] == 1, "of another package"
    assert told(pip(PIP), allowed=allowance(until="2026-11-23"))[0] == 0, "its last day"


def test_an_allowance_that_is_needed_no_more_is_said_if_all_were_asked() -> None:
    clean = {"dependencies": PIP["dependencies"][:2]}
    assert "found no more" in told(pip(clean), npm(CLEAN_NPM), allowed=allowance())[1]
    assert "found no more" not in told(pip(SKIPPED), npm(CLEAN_NPM), allowed=allowance())[1]


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        (allowance(reason=""), "a reason"),
        (allowance(reason='" "'), "a reason"),
        (allowance(id=""), "an id"),
        (allowance(until=""), "an end"),
        (allowance(until='"never"'), "an end"),
        (allowance(until="2026-11-22T10:00:00"), "an end"),
        ("[[allowed", "TOML"),
    ],
)
def test_no_allowance_without_a_reason_and_an_end(allowed: str, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        read_allowances(allowed)


def test_our_own_list_can_be_read() -> None:
    allowances = read_allowances(advisories.ALLOWED.read_text())
    assert all(isinstance(one, Allowance) for one in allowances)


@pytest.mark.parametrize(("answer", "strict", "status"), [(PIP, [], 1), (SKIPPED, [], 0),
                                                          (SKIPPED, ["--strict"], 1)])  # fmt: skip
def test_it_ends_as_it_found(
    answer: Any,
    strict: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(advisories, "_run", lambda *_, **__: (json.dumps(answer), ""))
    monkeypatch.setattr(advisories, "ask_npm", lambda: npm(CLEAN_NPM))
    assert advisories.main(strict) == status
    assert capsys.readouterr().out


def test_a_tool_that_is_not_there_could_not_be_asked() -> None:
    output, errors = advisories._run(["/nonexistent/tool"])
    assert read_pip(output, errors).trouble
