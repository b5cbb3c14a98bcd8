"""What failures have in common: the type of the exception, and the place in the user's code. Pure.

The texts come from anywhere and may be cut anywhere. Reading them never raises, takes time linear
in their length, and looks at 64 Ki characters of a traceback at most.

*Place* is the innermost frame, of the exception raised last, that is the user's own code; the
innermost of all where none is. Own is what `ui/src/lib/traceback.ts` shows as "your code": no
file of Python itself, of an installed package, or of what runs a task. An installed package is own
all the same if the task's function is in it. Of a file of one's own the last folder and the name
count, of others what is behind `site-packages`: so the same failure has one fingerprint on all
hosts, virtual environments and releases. The line does not count, since it moves with each change
above it; nor does the message, which has ids and amounts in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from celeryscope.model.text import storable

_MOST_HEAD, _MOST_TAIL = 16 * 1024, 48 * 1024
_MOST_PART = 200  # characters of a type, a file, a function
_MOST_PATH = 1000
_START = re.compile(
    r"^(?:  \+ Exception Group )?Traceback \(most recent call last\):\n", re.MULTILINE
)
#: Between the exceptions of a chain; a message may quote such a line, Python sets it between
#: blank ones.
_BOND = re.compile(
    r"\n\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n\n"
)
_FRAME = re.compile(r'  File "([^"\n]*)", line (\d{1,9})(?:, in (.*))?')
_RETRY = "celery.exceptions.Retry"
_REPEATED = "  [Previous line repeated "
#: The line below the last frame and its code: `shop.OutOfStock: 3 left`.
_TYPE = re.compile(r"([^\W\d][\w.<>]*)(?=:|$)")
#: `OutOfStock('3 left')`, `<OutOfStock: 3 left>`, `OutOfStock`
_REPR = re.compile(r"<?([^\W\d][\w.]*)(?=[^\w.]|$)")

# As in ui/src/lib/traceback.ts.
_INSTALLED = re.compile(r"/(?:site|dist)-packages/")
_STANDARD = re.compile(
    r"/lib(?:32|64)?/(?:python|pypy)3?(?:\.\d+)?/|/python3\d*\.zip/|/python3?\d*/lib/",
    re.IGNORECASE,
)
_RUNNERS = re.compile(
    r"/(?:celery/(?:app/(?:autoretry|base|task|trace)\.py|canvas\.py|result\.py|local\.py"
    r"|(?:backends|concurrency|utils|worker)/)|(?:amqp|billiard|kombu|vine)/)"
)
#: They wrap a task's function: their frames are in front of it.
_WRAPPERS = frozenset(
    {"celery", "amqp", "billiard", "kombu", "vine", "sentry_sdk", "newrelic", "ddtrace",
     "elasticapm", "opentelemetry", "scout_apm", "wrapt", "decorator"}
)  # fmt: skip
#: Newer Pythons have no frames of their own for these.
_INLINE = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})
_FOLDER = re.compile(r"[^\W\d]\w*")
_COMMIT = re.compile(r"(?=.*\d)[0-9a-f]{7,40}")


class Place(NamedTuple):
    """What failures of one fingerprint have in common; the line is that of this one."""

    type: str  # `shop.errors.OutOfStock`, or as its repr begins; empty: not known
    file: str  # `shop/tasks.py`; empty: there is no traceback
    function: str
    line: int  # 0: not known


class _File(NamedTuple):
    text: str  # as a place says it
    package: str  # the top folder, if it is installed or runs tasks; empty: one's own
    standard: bool  # comes with Python


class _Frame(NamedTuple):
    file: _File
    line: int
    function: str


def fingerprint(exception: str | None, traceback: str | None) -> str | None:
    """Give 12 hexadecimal digits; None where neither type nor place can be told.

    `exception` is the exception's repr and `traceback` the text, as Celery's events have them.
    """
    place = describe(exception, traceback)
    return None if place is None else digest(place)


def digest(place: Place) -> str:
    """Give the fingerprint of a place."""
    text = f"{place.type}\0{place.file}\0{place.function}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def describe(exception: str | None, traceback: str | None) -> Place | None:
    """Give the type and the place; None where neither can be told."""
    shown = _REPR.match(exception, 0, _MOST_PART) if exception else None
    type_ = "" if shown is None else shown[1]
    if not traceback:
        return Place(type_, "", "", 0) if type_ else None
    cut = len(traceback) > _MOST_HEAD + _MOST_TAIL
    if cut:
        traceback = f"{traceback[:_MOST_HEAD]}\n{traceback[-_MOST_TAIL:]}"
    starts = [0, *(bond.end() for bond in _BOND.finditer(traceback))]
    frames, raised = _raised(traceback, starts[-1])
    package = _package_of_task(frames)
    if raised == _RETRY and len(starts) > 1:  # which only says that there was something
        frames, raised = _raised(traceback, starts[-2])
    # Of a traceback that was cut, what was raised last may be missing.
    if raised and (not type_ or raised.endswith(type_) or not traceback.endswith("…")):
        type_ = raised
    frame = _place(frames, package)
    if frame is None:
        return Place(type_, "", "", 0) if type_ else None
    return Place(type_, frame.file.text, frame.function, frame.line)


def _raised(traceback: str, at: int) -> tuple[list[_Frame], str]:
    """Give the frames of the first exception from there on, outermost first, and its type."""
    start = _START.search(traceback, at)
    frames: list[_Frame] = []
    if start is None:
        return frames, ""
    for line in traceback[start.end() :].split("\n"):
        text = line.removesuffix("\r").removeprefix("  | ")
        found = _FRAME.fullmatch(text)
        if found is not None:
            file, number, function = found.groups()
            of = _file(storable(file[-_MOST_PATH:]))
            frames.append(_Frame(of, int(number), storable((function or "")[:_MOST_PART])))
        elif not text.startswith(("    ", _REPEATED)):
            raised = _TYPE.match(text, 0, _MOST_PART)
            return frames, "" if raised is None else raised[1]
    return frames, ""


@lru_cache(maxsize=2048)
def _file(file: str) -> _File:
    path = "/" + file.replace("\\", "/")
    installed = _INSTALLED.split(path, 1)
    if len(installed) > 1:
        top = installed[1].partition("/")[0].removesuffix(".py")
        return _File(installed[1][-_MOST_PART:], top, False)
    standard = _STANDARD.search(path)
    if standard is not None or file.startswith("<"):
        rest = file if standard is None else path[standard.end() :]
        return _File(rest[-_MOST_PART:], "", True)
    runner = _RUNNERS.search(path)
    if runner is not None:
        rest = path[runner.start() + 1 :]
        return _File(rest[-_MOST_PART:], rest.partition("/")[0], False)
    return _File(_own_file(path)[-_MOST_PART:], "", False)


def _own_file(path: str) -> str:
    """Give the last folder and the name: what lies above differs from host to host."""
    *_, folder, name = path.split("/")
    is_package = _FOLDER.fullmatch(folder) and not _COMMIT.fullmatch(folder)
    return f"{folder}/{name}" if is_package else name


def _package_of_task(frames: Sequence[_Frame]) -> str:
    """Give the installed package that the task's function is in; empty if it is in none."""
    for frame in frames:
        if not frame.file.standard and frame.file.package not in _WRAPPERS:
            return frame.file.package
    return ""


def _place(frames: Sequence[_Frame], package: str) -> _Frame | None:
    """Give the innermost frame of the user's own code, or else the innermost."""
    named = [frame for frame in frames if frame.function not in _INLINE] or frames
    for frame in reversed(named):
        if not frame.file.standard and frame.file.package in ("", package):
            return frame
    return named[-1] if named else None
