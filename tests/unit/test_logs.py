"""The log: one record, one line, and no password in it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail
from celeryscope.logs import Format, Lines, Objects, log_to_stderr

URL = "redis://:hunter2@db:6379/0"


def record(message: str, *args: Any, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("celeryscope.test", logging.WARNING, "f", 1, message, args, None)
    made.created, made.msecs = 1_795_000_000.25, 250.0
    vars(made).update(more)
    return made


def raised(message: str) -> Any:
    try:
        try:
            raise ValueError(message)
        except ValueError as cause:
            raise RuntimeError(f"because of {message}") from cause
    except RuntimeError:
        return sys.exc_info()


@contextlib.contextmanager
def bare() -> Iterator[logging.Logger]:
    """The root logger as a program begins with it; pytest puts handlers there."""
    root, ours = logging.getLogger(), logging.getLogger("celeryscope")
    handlers, level = root.handlers[:], ours.level
    root.handlers.clear()
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        ours.setLevel(level)


# ---------------------------------------------------------------------- text


def test_a_line_has_time_level_logger_and_message() -> None:
    time, line = Lines().format(record("worker %s is gone", "web1")).split(",", 1)
    assert time.startswith("2026-11-18 ")
    assert line == "250 WARNING celeryscope.test: worker web1 is gone"


@pytest.mark.parametrize("nasty", ["a\n2026 ERROR", "a\x1b[31m", "a\r", "a\x9b", "a\u2028b", "\0"])
def test_what_came_from_outside_cannot_forge_another_line(nasty: str) -> None:
    line = Lines().format(record("task %s", nasty))
    assert len(line.splitlines()) == 1
    assert line.endswith(f"task {nasty.encode('unicode_escape').decode()}")


def test_a_traceback_follows_and_cannot_forge_a_line_either() -> None:
    told = Lines().format(record("x\ny", exc_info=raised("no\n2026 ERROR \x1b[31mforged")))
    first, *rest = told.split("\n")
    assert first.endswith(r"x\ny")
    assert all(line.startswith("  ") for line in rest)
    assert "  2026 ERROR \\x1b[31mforged" in rest
    assert "RuntimeError" in told


@pytest.mark.parametrize("formatter", [Lines(), Objects()])
def test_passwords_in_urls_are_masked_wherever_they_are(formatter: logging.Formatter) -> None:
    told = formatter.format(
        record(
            "%s " + URL,
            URL,
            exc_info=raised(f"cannot reach {URL}"),
            stack_info=f"Stack: {URL}",
            url=URL,
            deep={"broker": URL},
        )
    )
    assert "hunter2" not in told
    assert "redis://:**@db:6379/0" in told
    assert "cannot reach" in told
    assert "Stack:" in told


def test_another_handlers_text_of_a_traceback_is_not_taken() -> None:
    ours = record("x", exc_info=raised(URL))
    other = logging.Formatter().format(ours)
    assert "hunter2" in other
    assert "hunter2" not in Lines().format(ours)
    assert "hunter2" not in Objects().format(ours)


# ---------------------------------------------------------------------- json


def test_an_object_has_the_time_in_utc_and_what_was_given_besides() -> None:
    told = Objects().format(
        record("worker %s", "web1", action="x", count=3, none=None, odd={1}, nan=float("nan"))
    )
    assert "\n" not in told
    assert json.loads(told) == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "WARNING",
        "logger": "celeryscope.test",
        "message": "worker web1",
        "fields": {"action": "x", "count": 3, "none": None, "odd": "{1}", "nan": None},
    }


def test_an_object_has_its_traceback_as_text() -> None:
    told = json.loads(Objects().format(record("x", exc_info=raised("no"))))
    assert told["exception"].startswith("Traceback")
    assert told["exception"].endswith("RuntimeError: because of no")
    assert set(told) == {"time", "level", "logger", "message", "exception"}


@pytest.mark.parametrize("nasty", ["a\nb", "a\x1b[31m\x9b", "\u2028", "a\ud800b", '"}{', "\0"])
def test_an_object_is_one_line_of_json_whatever_it_says(nasty: str) -> None:
    told = Objects().format(record("%s", nasty, field=nasty, exc_info=raised(nasty)))
    assert len(told.splitlines()) == 1
    assert told.isprintable()
    expected = nasty.replace("\ud800", "\\ud800")
    assert json.loads(told)["message"] == expected
    assert expected in json.loads(told)["exception"]


@pytest.fixture
def audited() -> Iterator[tuple[io.StringIO, logging.Handler]]:
    """What a handler of the audit logger writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("celeryscope.audit")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield stream, handler
    logger.removeHandler(handler)
    logger.setLevel(before)


NASTY = By(name="ada\x9b\n", address="10.0.0.7")


def test_an_entry_of_the_audit_trail_is_nested(
    audited: tuple[io.StringIO, logging.Handler],
) -> None:
    stream, handler = audited
    handler.setFormatter(Objects())
    Trail(None).write(kind="login", by=NASTY, what=URL, arguments={"u": URL})
    assert stream.getvalue().count("\n") == 1
    told = json.loads(stream.getvalue())
    assert (told["logger"], told["message"]) == ("celeryscope.audit", "audit entry")
    assert told["audit"]["by"]["name"] == "ada\x9b\n"
    assert told["audit"]["arguments"] == {"u": "redis://:**@db:6379/0"}
    assert "fields" not in told


def test_as_text_an_entry_of_the_audit_trail_is_json_behind_the_logger(
    audited: tuple[io.StringIO, logging.Handler],
) -> None:
    stream, handler = audited
    handler.setFormatter(Lines())
    Trail(None).write(kind="login", by=NASTY, what=URL)
    (line,) = stream.getvalue().splitlines()
    assert "INFO celeryscope.audit: " in line
    assert json.loads(line.partition("celeryscope.audit: ")[2])["by"]["name"] == "ada\x9b\n"


# ---------------------------------------------------------------------- the handler


@pytest.mark.parametrize(("format", "kind"), [("text", Lines), ("json", Objects)])
def test_it_logs_to_stderr_in_the_format_asked_for(
    format: Format, kind: type, capsys: pytest.CaptureFixture[str]
) -> None:
    with bare() as root:
        log_to_stderr("info", format)
        log_to_stderr("info", format)
        (handler,) = root.handlers
        assert isinstance(handler.formatter, kind)
        logging.getLogger("celeryscope.x").info("hello")
        logging.getLogger("celeryscope.x").debug("nothing")
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "hello" in told


def test_a_program_around_us_that_logs_already_keeps_its_way() -> None:
    with bare() as root:
        theirs = logging.NullHandler()
        root.addHandler(theirs)
        log_to_stderr("debug", "json")
        assert root.handlers == [theirs]
        assert logging.getLogger("celeryscope").level == logging.DEBUG
