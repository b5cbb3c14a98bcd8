"""Arguments of a task, out of the text that its events carry: exactly, or not at all.

Celery writes them nearly as Python does and cuts what is long. What was cut or masked, is no plain
literal, or could mean two things is refused: a task that runs again must get what it got before.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

MAX_TEXT_CHARS = 64 * 1024
_CUT = ("...", "…")
_MASKED = "***"
#: A quote within a text, and surely not a backslash at the end of one: after that something
#: else would begin, or all would end.
_ESCAPED_QUOTE = re.compile(r"(?<!\\)\\'(?![,)\]}:]|\Z)")


class Inexact(ValueError):
    """The text does not tell the arguments exactly; the message says why."""


def read_args(text: str | None) -> list[Any]:
    """Give the arguments by position. Raises `Inexact`."""
    value = _literal(text, "args")
    if not isinstance(value, list | tuple):
        raise Inexact("args: the text is no list of arguments.")
    return list(value)


def read_kwargs(text: str | None) -> dict[str, Any]:
    """Give the arguments by name. Raises `Inexact`."""
    value = _literal(text, "kwargs")
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Inexact("kwargs: the text is no table of arguments.")
    return value


def _literal(text: str | None, what: str) -> Any:
    if text is None:
        raise Inexact(f"{what}: no event tells them.")
    if len(text) > MAX_TEXT_CHARS:
        raise Inexact(f"{what}: the text is longer than {MAX_TEXT_CHARS:,} characters.")
    if any(mark in text for mark in _CUT):
        raise Inexact(f"{what}: the text was cut, or has '...' in it.")
    if _MASKED in text:
        raise Inexact(f"{what}: something is masked (***).")
    if "\\" in _ESCAPED_QUOTE.sub("", text):
        # Celery escapes quotes but no backslashes, and others write as Python does.
        raise Inexact(f"{what}: the text has a quote or a backslash in a text, which is not sure.")
    try:
        # Celery writes the end of a line as it is, which Python does not read in a text.
        value = ast.literal_eval(text.replace("\n", "\\n").replace("\r", "\\r"))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise Inexact(f"{what}: the text holds more than plain values.") from None
    if _has_bytes(value):
        # Celery writes them as text where they are UTF-8, and else in hex.
        raise Inexact(f"{what}: the text holds bytes, which are not written exactly.")
    return value


def _has_bytes(value: Any) -> bool:
    level = [value]
    while level:
        if any(isinstance(item, bytes) for item in level):
            return True
        level = [inner for item in level for inner in _within(item)]
    return False


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, list | tuple | set) else ()
