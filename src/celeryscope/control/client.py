"""Steering from a command line: asks a running console by HTTP and tells what each worker says."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote, urlencode

from celeryscope.control.commands import Argument
from celeryscope.errors import CeleryscopeError

WAIT_SECONDS: Final = 20
_TIMEOUT_SECONDS = 40
_PIECE_BYTES = 65_536
_OVER = frozenset({"finished", "failed", "stopped"})
_OPEN = frozenset({"unasked", "asked"})
_MOST_SHOWN_CHARS = 2_000
#: What is given as JSON; everything else is a text that the console reads.
_JSON_KINDS = frozenset({"options", "stamps", "args", "kwargs"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

Json = dict[str, Any]


class Refused(CeleryscopeError):
    """The console said no, or none answers."""

    def __init__(
        self, message: str, *, hint: str = "", status: int = 0, position: int | None = None
    ) -> None:
        self.status = status
        self.position = position  # of what is wrong with a query, from 0
        super().__init__(message, hint=hint)


class Client:
    """Speaks with the console at `url`, prefix and all."""

    def __init__(self, url: str, *, token: str = "") -> None:
        self._token = token
        self._base = url.rstrip("/") + "/api/v1"
        self._url = url

    def send(
        self, command: str, arguments: Json, *, workers: Sequence[str], confirm: str | None
    ) -> Json:
        """Send a command; gives the report of its action. Raises `Refused`."""
        body: Json = {"arguments": arguments, "workers": list(workers) or None, "confirm": confirm}
        return self._ask(f"/control/{quote(command, safe='')}", body)

    def follow(self, report: Json) -> Iterator[Json]:
        """Give the report and each newer one, until the action is over. Raises `Refused`."""
        yield report
        while report["state"] not in _OVER:
            path = f"/actions/{quote(report['id'], safe='')}"
            report = self._ask(f"{path}?after={report['sequence']}&wait={WAIT_SECONDS}")
            yield report

    def ask(self, path: str, **query: object) -> Json:
        """Ask for something below /api/v1. Raises `Refused`."""
        return self._ask(f"{path}?{urlencode(query)}")

    def read(self, path: str, **query: object) -> Iterator[bytes]:
        """Read something long below /api/v1, a piece at a time. Raises `Refused`."""
        with self._opened(f"{path}?{urlencode(query)}") as answer:
            while piece := answer.read(_PIECE_BYTES):
                yield piece

    def _ask(self, path: str, body: Json | None = None) -> Json:
        with self._opened(path, body) as answer:
            told = json.load(answer)
        if not isinstance(told, dict):
            raise Refused(f"What answers at {self._url} is no Celeryscope.")
        return told

    @contextmanager
    def _opened(self, path: str, body: Json | None = None) -> Iterator[Any]:
        request = urllib.request.Request(
            self._base + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} if body is not None else {},
        )
        if self._token:
            # Unredirected: another host must not get it.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read(65_536)) from error
        except (OSError, ValueError, HTTPException) as error:
            why = getattr(error, "reason", error)
            raise Refused(
                f"No console answers at {self._url}: {why}",
                hint="Start one, or name it: --url URL",
            ) from error

    def _refused(self, status: int, body: bytes) -> Refused:
        try:
            problem = json.loads(body)["error"]
            if status == 401 and not self._token:
                problem["hint"] = "Show an API token: CELERYSCOPE_TOKEN=… or --token-file FILE"
            return Refused(
                problem["message"],
                hint=problem["hint"] or "",
                status=status,
                position=problem.get("position"),
            )
        except (ValueError, KeyError, TypeError):
            told = plain(body.decode("utf-8", "replace").strip())[:400]
            return Refused(f"{self._url} answered {status}: {told}", status=status)


def value_of(argument: Argument, given: str) -> Any:
    """Read what was typed for an argument; raises ValueError for JSON that is none."""
    return json.loads(given) if argument.kind in _JSON_KINDS else given


# ---------------------------------------------------------------------- what people read


class Teller:
    """Says of each worker, and of each thing that was done, once it is settled."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[tuple[str, str]] = set()

    def tell(self, report: Json) -> None:
        """Say what is new in a report; all that is left when its action is over."""
        over = report["state"] in _OVER
        for kind, name in (("workers", "hostname"), ("items", "subject")):
            for row in report[kind]:
                if (kind, row[name]) in self._said or not (over or _is_settled(row)):
                    continue
                self._said.add((kind, row[name]))
                self._say(_line(row[name], row))
        if over:
            self._say(summary(report))


def _is_settled(row: Json) -> bool:
    return row["outcome"] not in _OPEN and row["effect"] != "pending"


def _line(name: str, row: Json) -> str:
    outcome = row["outcome"] + (" (late)" if row.get("late") else "")
    effect = "" if row["effect"] == "unchecked" else row["effect"]
    words = [row.get("error") or row.get("said") or row["effect_said"]]
    if words[0] != row["effect_said"]:
        # A task that was sent is one thing, what became of it another.
        words += [row["effect_said"]] if row.get("error") or row.get("task_id") else []
    if row.get("answers", 0) > 1:
        words.append(f"{row['answers']} workers answer to this name.")
    if row.get("task_id") not in (None, name):
        words.append(f"Its id: {row['task_id']}")
    value = row["value"]
    if value is not None and (row.get("task_id") or not row["effect_said"]):
        words.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    said = " ".join(filter(None, words))
    if len(said) > _MOST_SHOWN_CHARS:
        said = said[:_MOST_SHOWN_CHARS] + "… (--json gives all)"
    return plain(f"{name:<32} {outcome:<8} {effect:<13} {said}").rstrip()


def summary(report: Json) -> str:
    """Say in a line how an action ended."""
    counts: Mapping[str, int] = report["outcomes"]
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items()))
    if report["state"] == "failed":
        return plain(" ".join(["Failed:", report["error"], report["hint"]]).rstrip())
    if report["state"] == "stopped":
        return f"Stopped: {told or 'nothing was done'}."
    return plain(f"{told or 'Nobody answered'}. {report['error']}".rstrip())


def is_all_right(report: Json) -> bool:
    """Say whether all did what they were told, and it was seen where one can see it."""
    rows = [*report["workers"], *report["items"]]
    effects = report["effects"]
    if report["state"] != "finished" or not (rows or report["total"] or report["outcomes"]):
        return False
    if report["outcomes"].get("refused") or report["outcomes"].get("silent"):
        return False
    return not (effects.get("not seen") or effects.get("pending"))


def plain(text: str) -> str:
    """Make what came from outside harmless to a terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
