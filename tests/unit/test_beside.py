"""All tests run in parts, side by side: none is left out, and none that fails goes unsaid."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from checks import beside
from tests.conftest import REPOSITORY

#: Which take a second to be imported, and are not needed.
PLUGINS = ("cacheprovider", "schemathesis", "hypothesispytest", "anyio")


def test_every_directory_of_tests_is_in_one_part() -> None:
    holding = {test.relative_to(beside.TESTS).parts[0] for test in beside.TESTS.rglob("test_*.py")}
    assert Counter(name for part in beside.parts() for name in part) == Counter(holding)
    assert REPOSITORY / "tests" == beside.TESTS


def test_a_part_that_fails_is_told_last_and_fails_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, line in {"bad": "assert 'this' == 'that'", "good": "pass", "new": "pass"}.items():
        directory = tmp_path / "tests" / name
        directory.mkdir(parents=True)
        (directory / f"test_{name}.py").write_text(f"def test_{name}():\n    {line}\n")
    monkeypatch.setattr(beside, "TESTS", tmp_path / "tests")
    monkeypatch.setattr(beside, "PARTS", (("bad",), ("good",)))
    quiet = ["-q", *(f"-pno:{plugin}" for plugin in PLUGINS)]
    assert beside.main(quiet) == 1
    said = capsys.readouterr().out
    good, bad = said.index("pytest tests/good tests/new passed"), said.index("'this' == 'that'")
    assert good < bad
    assert "tests: failed in tests/bad, " in said
    assert beside.main([*quiet, "--deselect=tests/bad"]) == 0
    assert "tests: passed, " in capsys.readouterr().out
