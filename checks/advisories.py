"""Published weaknesses of what we are built from: pip-audit and npm audit, and what to do of it.

    python -m checks.advisories [--strict]

Ends with 1 when something is found that `checks/advisories.toml` does not allow, or when an
allowance there has come to its end. A service that does not answer knows nothing: that is said
loudly, and is never called clean; with `--strict` it ends with 1 as well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import hatch_build

ALLOWED = Path(__file__).with_name("advisories.toml")
_PATIENCE_SECONDS = 300
_MOST_SHOWN = 5
#: What pip-audit has to say of a package that is in no index: our own, from this directory.
_OURS = "celeryscope"


class Finding(NamedTuple):
    """A published weakness of something that is installed."""

    tool: str
    package: str
    version: str
    ids: tuple[str, ...]  # its names in every database, the service's own first
    told: str  # in a sentence
    fixed_in: str = ""


class Asked(NamedTuple):
    """What a service told."""

    tool: str
    findings: tuple[Finding, ...] = ()
    known: int = 0  # packages it could be asked about
    unknown: tuple[str, ...] = ()  # and those it could not
    trouble: str = ""  # why it could not be asked at all


class Allowance(NamedTuple):
    """A finding that we live with, for a while."""

    id: str
    package: str
    reason: str
    until: date


class Wrong(Exception):
    """The list of allowances cannot be used."""


# ---------------------------------------------------------------------- what the tools say


def read_pip(output: str, errors: str) -> Asked:
    """Read pip-audit's JSON. A package it skips was not looked at, whatever its status says."""
    try:
        dependencies = json.loads(output)["dependencies"]
        findings = tuple(
            Finding(
                "pip-audit",
                dependency["name"],
                dependency.get("version", ""),
                (weakness["id"], *weakness.get("aliases", ())),
                _first_line(weakness.get("description", "")),
                ", ".join(weakness.get("fix_versions", ())),
            )
            for dependency in dependencies
            for weakness in dependency.get("vulns", ())
        )
        unknown = tuple(
            dependency["name"]
            for dependency in dependencies
            if "skip_reason" in dependency and dependency["name"] != _OURS
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Asked("pip-audit", trouble=_last_line(errors) or "its answer cannot be read")
    known = sum("skip_reason" not in dependency for dependency in dependencies)
    if not known:
        return Asked("pip-audit", trouble="the index knows none of the packages", unknown=unknown)
    return Asked("pip-audit", findings, known, unknown)


def read_npm(output: str, errors: str) -> Asked:
    """Read `npm audit --json`: weaknesses by package, or an error of the registry."""
    try:
        told = json.loads(output)
        if "vulnerabilities" not in told:
            summary = told.get("message") or told.get("error", {}).get("summary")
            return Asked("npm audit", trouble=_first_line(str(summary or "no answer")))
        counts = told.get("metadata", {}).get("dependencies", {})
        findings = tuple(
            Finding(
                "npm audit",
                name,
                str(way.get("range", "")),
                tuple(filter(None, (str(way.get("url", "")).rpartition("/")[2], _number(way)))),
                _first_line(str(way.get("title", ""))),
                _fix(package),
            )
            for name, package in sorted(told["vulnerabilities"].items())
            for way in package.get("via", ())
            if isinstance(way, Mapping)  # a text names the package that it comes through
        )
        known = int(counts.get("total", 0)) if isinstance(counts, Mapping) else 0
    except (ValueError, KeyError, TypeError, AttributeError):
        return Asked("npm audit", trouble=_last_line(errors) or "its answer cannot be read")
    if told["vulnerabilities"] and not findings:
        return Asked("npm audit", trouble="it names weaknesses, and not which")
    return Asked("npm audit", findings, known)


def _number(way: Mapping[str, Any]) -> str:
    return f"npm-{way['source']}" if way.get("source") else ""


def _fix(package: Mapping[str, Any]) -> str:
    fix = package.get("fixAvailable")
    return f"{fix.get('name')} {fix.get('version')}" if isinstance(fix, Mapping) else ""


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _last_line(text: str) -> str:
    return _first_line("\n".join(reversed(text.splitlines())))


# ---------------------------------------------------------------------- what we live with


def read_allowances(text: str) -> tuple[Allowance, ...]:
    """Read the list. Raises `Wrong`: each needs an id, a package, a reason and an end."""
    try:
        given = tomllib.loads(text).get("allowed", [])
    except tomllib.TOMLDecodeError as error:
        raise Wrong(f"It is not TOML: {error}") from error
    found = []
    for row in given:
        fields = {name: row.get(name) for name in Allowance._fields}
        until = fields["until"]
        texts = [fields[name] for name in ("id", "package", "reason")]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise Wrong(f"Each needs an id, a package and a reason: {row}")
        if not isinstance(until, date) or isinstance(until, datetime):
            raise Wrong(f"{row['id']} needs an end, as in until = 2027-01-31")
        found.append(Allowance(**fields))
    return tuple(found)


def judge(
    asked: Sequence[Asked],
    allowances: Sequence[Allowance],
    *,
    today: date,
    strict: bool,
    say: Callable[[str], None],
) -> int:
    """Tell what was found; gives the exit status."""
    status = 0
    used: set[Allowance] = set()
    for told in asked:
        status |= _tell(told, allowances, today=today, used=used, say=say)
        if told.trouble or told.unknown:
            _warn(told, say)
            status |= strict
    answered = {told.tool for told in asked if not told.trouble}
    for allowance in allowances:
        if allowance not in used and answered == {told.tool for told in asked}:
            say(f"note: {allowance.id} of {allowance.package} is allowed, and found no more.")
    return status


def _tell(
    told: Asked,
    allowances: Sequence[Allowance],
    *,
    today: date,
    used: set[Allowance],
    say: Callable[[str], None],
) -> int:
    status = 0
    for finding in told.findings:
        name = f"{finding.package} {finding.version}: {' '.join(finding.ids)}: {finding.told}"
        fixed = f" Fixed in {finding.fixed_in}." if finding.fixed_in else ""
        allowance = _allowance_of(finding, allowances)
        if allowance is None:
            say(f"FOUND by {told.tool}: {name}{fixed}")
            status = 1
            continue
        used.add(allowance)
        if allowance.until < today:
            say(f"FOUND by {told.tool}: {name}{fixed} Allowed only until {allowance.until}.")
            status = 1
        else:
            say(f"allowed until {allowance.until}: {name} ({allowance.reason})")
    if not told.findings and not told.trouble:
        left = " of those it knows" if told.unknown else ""
        say(f"{told.tool}: no published weakness in {_many(told.known)}{left}.")
    return status


def _allowance_of(finding: Finding, allowances: Sequence[Allowance]) -> Allowance | None:
    for allowance in allowances:
        if allowance.id in finding.ids and allowance.package == finding.package:
            return allowance
    return None


def _many(packages: int) -> str:
    return "1 package" if packages == 1 else f"{packages} packages"


def _warn(told: Asked, say: Callable[[str], None]) -> None:
    if told.trouble:
        say(f"WARNING: {told.tool} could not be asked: {told.trouble}")
        say("WARNING: so nothing is known of published weaknesses. This is not clean.")
        return
    some = ", ".join(told.unknown[:_MOST_SHOWN])
    more = f" and {len(told.unknown) - _MOST_SHOWN} more" if told.unknown[_MOST_SHOWN:] else ""
    say(f"WARNING: {told.tool} knows nothing of {_many(len(told.unknown))}: {some}{more}.")


# ---------------------------------------------------------------------- asking


def ask_pip() -> Asked:
    """Ask about everything that is installed in this environment, ours and the developers'."""
    output, errors = _run([sys.executable, "-m", "pip_audit", "--format=json",
                           "--progress-spinner=off"])  # fmt: skip
    return read_pip(output, errors)


def ask_npm() -> Asked:
    """Ask about everything in the page's lock file, of production and development."""
    command, environment = hatch_build.npm_command()
    output, errors = _run(
        [*command, "audit", "--json"], cwd=Path(hatch_build.__file__).parent / "ui", env=environment
    )
    return read_npm(output, errors)


def _run(command: Sequence[str], **more: Any) -> tuple[str, str]:
    """Give what a program writes to stdout and to stderr, whatever its status is."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
            **more,
        )
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return "", str(trouble)
    return done.stdout, done.stderr


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask both, and tell."""
    parser = argparse.ArgumentParser(prog="python -m checks.advisories", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail where nothing is known, too")
    given = parser.parse_args(arguments)

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")

    try:
        allowances = read_allowances(ALLOWED.read_text())
    except Wrong as wrong:
        say(f"{ALLOWED.name}: {wrong}")
        return 1
    today = datetime.now(UTC).date()
    return judge((ask_pip(), ask_npm()), allowances, today=today, strict=given.strict, say=say)


if __name__ == "__main__":
    sys.exit(main())
