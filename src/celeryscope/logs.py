"""The log on stderr: lines for people, or JSON objects for programs."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from celeryscope.errors import without_passwords

Format = Literal["text", "json"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: In a traceback lines stay lines.
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
#: What every record has; the rest came with `extra`.
_USUAL: Final = frozenset(
    [*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "audit"]
)


def log_to_stderr(level: str, format: Format = "text") -> None:
    """Log to stderr, once, unless the program around us logs already.

    Passwords in URLs are masked, whoever logs them.
    """
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(Objects() if format == "json" else Lines())
        root.addHandler(handler)
    logging.getLogger("celeryscope").setLevel(level.upper())


class Lines(logging.Formatter):
    """One record, one line: what came from outside cannot forge another.

    The lines of a traceback follow it, each set in by two spaces.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        line = _escaped(_CONTROL, without_passwords(self.formatMessage(record)))
        if told := _exception(self, record):
            line += "\n  " + _escaped(_CONTROL_BUT_NEWLINE, told).replace("\n", "\n  ")
        return line


class Objects(logging.Formatter):
    """One record, one line that is a JSON object.

    It has `time` (RFC 3339, UTC), `level`, `logger`, `message`, and where there are such,
    `exception` (a traceback), `fields` (what the record was given besides) and `audit` (an entry
    of the audit trail; the message is in words then).
    """

    def format(self, record: logging.LogRecord) -> str:
        audit = _audit_of(record)
        told: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": "audit entry" if audit else without_passwords(record.getMessage()),
        }
        if exception := _exception(self, record):
            told["exception"] = exception
        if fields := _fields(record):
            told["fields"] = fields
        if audit:
            told["audit"] = audit
        return _escaped_json(_json(told))


def _audit_of(record: logging.LogRecord) -> msgspec.Raw | None:
    line = getattr(record, "audit", None)
    return msgspec.Raw(without_passwords(line)) if isinstance(line, str) and line else None


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Give the traceback in a record. Not the record's own text of it: others mask nothing."""
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return without_passwords("\n".join(parts))


def _fields(record: logging.LogRecord) -> dict[str, str | int | float | None]:
    return {
        name: value if isinstance(value, int | float | None) else without_passwords(str(value))
        for name, value in vars(record).items()
        if name not in _USUAL
    }


def _time(created: float) -> str:
    at = datetime.fromtimestamp(created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(told: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(told).decode()
    except UnicodeEncodeError:  # a lone surrogate somewhere
        clean = {
            name: value.encode("utf-8", "backslashreplace").decode()
            for name, value in told.items()
            if isinstance(value, str)
        }
        return msgspec.json.encode(clean | {"audit": told.get("audit")}).decode()


def _escaped(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: repr(found[0])[1:-1], text)


def _escaped_json(text: str) -> str:
    # JSON escapes those below a space itself.
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
