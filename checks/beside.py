"""All of Python's tests, several parts of them at a time: most of their time they wait.

    python -m checks.beside [--at-a-time N] [what pytest takes ...]

A part is a directory or more of `tests/` in a pytest of its own. What a part said is printed when
it has ended; parts that failed come at the very end. Ends with 1 when one of them failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent.parent / "tests"
#: The longest first, so that the short ones fill what is left. Whatever is not named here comes
#: with the last part.
PARTS: tuple[tuple[str, ...], ...] = (
    ("e2e",),
    ("integration",),
    ("unit",),
    ("stack", "examples"),
    ("contract", "security"),
    ("dashboards", "oidc", "deploy", "fuzz"),
)
_NOTHING_CHOSEN = 5  # pytest's word for "no test was selected", as with -k


class Ended(NamedTuple):
    """What came of a part."""

    part: tuple[str, ...]
    code: int
    took_seconds: float
    said: str

    @property
    def failed(self) -> bool:
        return self.code not in (0, _NOTHING_CHOSEN)

    def __str__(self) -> str:
        outcome = "failed" if self.failed else "passed"
        return f"pytest {_name(self.part)} {outcome}, {self.took_seconds:.0f} s"


def parts() -> list[tuple[str, ...]]:
    """Give every directory of `tests/` that holds tests, in its part."""
    named = {name for part in PARTS for name in part}
    found = {test.relative_to(TESTS).parts[0] for test in TESTS.rglob("test_*.py")}
    return [*PARTS[:-1], (*PARTS[-1], *sorted(found - named))]


def main(arguments: Sequence[str]) -> int:
    """Run all parts; give the exit code."""
    reader = argparse.ArgumentParser(prog="python -m checks.beside", description=__doc__)
    reader.add_argument("--at-a-time", type=int, default=(os.cpu_count() or 1) + 2, metavar="N")
    chosen, for_pytest = reader.parse_known_args(arguments)
    began = time.monotonic()
    failed: list[Ended] = []
    with ThreadPoolExecutor(max(1, chosen.at_a_time)) as beside:
        try:
            for running in as_completed([beside.submit(_run, one, for_pytest) for one in parts()]):
                ended = running.result()
                if ended.failed:
                    failed.append(ended)
                _say(f"{ended.said}{ended}" if not ended.failed else f"{ended}: told at the end")
        except KeyboardInterrupt:  # those that run are told by the terminal, the others never begin
            beside.shutdown(wait=False, cancel_futures=True)
            raise
    for ended in failed:
        _say(f"{ended.said}{ended}")
    outcome = f"failed in {', '.join(_name(one.part) for one in failed)}" if failed else "passed"
    _say(f"tests: {outcome}, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _run(part: tuple[str, ...], for_pytest: Sequence[str]) -> Ended:
    _say(f"pytest {_name(part)} …")
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", *(str(TESTS / name) for name in part), *for_pytest]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        code = subprocess.call(command, cwd=TESTS.parent, stdout=said, stderr=subprocess.STDOUT)
        said.seek(0)
        return Ended(part, code, time.monotonic() - began, said.read())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _name(part: tuple[str, ...]) -> str:
    return " ".join(f"tests/{name}" for name in part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
