"""The fingerprint of a failure: type and place, whatever else differs."""

from __future__ import annotations

import sys
import traceback as tracebacks

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.model.fingerprint import Place, describe, fingerprint

LIB = "/usr/lib/python3.11"
SITE = "/venv/lib/python3.11/site-packages"
START = "Traceback (most recent call last):\n"
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"

CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def frame(file: str, function: str = "charge", line: int = 7) -> str:
    return f'  File "{file}", line {line}, in {function}\n    call(x)\n    ^^^^^^^\n'


TRACE = frame(f"{SITE}/celery/app/trace.py", "trace_task", 453)
TASK = frame("/srv/app/shop/tasks.py", "send")


def test_the_place_is_the_innermost_frame_of_ones_own_code() -> None:
    text = (
        START + TRACE + TASK + frame("/srv/app/shop/mail.py", "connect", 12)
        + frame(f"{LIB}/socket.py", "create_connection") + "shop.errors.Unreachable: no route\n"
    )  # fmt: skip
    place = describe("Unreachable('no route')", text)
    assert place == Place("shop.errors.Unreachable", "shop/mail.py", "connect", 12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            START + TRACE + TASK + "ValueError: order 1\n",
            START + TRACE + TASK.replace("line 7", "line 8") + "ValueError: order 2\nmore\n",
            id="message and line",
        ),
        pytest.param(
            START + frame("/srv/releases/2026-11-01/tasks.py") + "KeyError: 1",
            START + frame("/srv/releases/2026-11-02/tasks.py") + "KeyError: 2",
            id="release",
        ),
        pytest.param(
            START + frame("/srv/releases/4f2a91c/tasks.py") + "KeyError: 1",
            START + frame("/srv/releases/a00b1fe/tasks.py") + "KeyError: 2",
            id="commit",
        ),
        pytest.param(
            START + frame("/srv/app/shop/tasks.py") + "KeyError: 1",
            START + frame("C:\\work\\shop\\tasks.py") + "KeyError: 1\r\n",
            id="host",
        ),
        pytest.param(
            START + frame(f"{SITE}/requests/api.py", "get") + "Timeout",
            START + frame("/opt/v/lib/python3.13/site-packages/requests/api.py", "get") + "Timeout",
            id="virtual environment",
        ),
        pytest.param(
            START + TASK + frame("/srv/app/shop/tasks.py", "<listcomp>") + "KeyError: 1",
            START + TASK + "KeyError: 1",
            id="comprehension, which newer Pythons do without a frame",
        ),
    ],
)
def test_what_varies_does_not_matter(one: str, other: str) -> None:
    assert fingerprint("E(1)", one) == fingerprint("E(2)", other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (START + TASK + "KeyError: 1", START + TASK + "ValueError: 1"),
        (START + TASK + "KeyError: 1", START + TASK.replace("send", "take") + "KeyError: 1"),
        (START + TASK + "KeyError: 1", START + TASK.replace("shop/", "bank/") + "KeyError: 1"),
    ],
)
def test_type_file_and_function_do(one: str, other: str) -> None:
    assert fingerprint(None, one) != fingerprint(None, other)


def test_an_installed_package_is_ones_own_if_the_task_is_in_it() -> None:
    text = (
        START + TRACE + frame(f"{LIB}/contextlib.py", "inner")
        + frame(f"{SITE}/shop/tasks.py", "send") + frame(f"{SITE}/shop/mail.py", "connect")
        + frame(f"{SITE}/urllib3/pool.py", "urlopen") + "urllib3.MaxRetryError: x\n"
    )  # fmt: skip
    assert describe(None, text) == Place("urllib3.MaxRetryError", "shop/mail.py", "connect", 7)


def test_of_a_chain_it_is_the_exception_raised_last() -> None:
    first = START + frame("/srv/app/shop/db.py", "load") + "KeyError: 'x'\n"
    last = START + TRACE + TASK + "shop.NotFound: x\n"
    place = describe("NotFound('x')", first + CAUSE + last)
    assert place is not None
    assert place[:3] == ("shop.NotFound", "shop/tasks.py", "send")


def test_of_a_retry_it_is_what_the_retry_is_for() -> None:
    first = START + TASK + frame("/srv/app/shop/mail.py", "connect") + "shop.Unreachable: x\n"
    last = START + TRACE + TASK + "celery.exceptions.Retry: Retry in 3s: Unreachable('x')\n"
    place = describe("Unreachable('x')", first + CONTEXT + last)
    assert place is not None
    assert place[:3] == ("shop.Unreachable", "shop/mail.py", "connect")


def test_without_frames_of_ones_own_it_is_the_innermost() -> None:
    text = START + frame(f"{SITE}/billiard/pool.py", "lost") + "billiard.WorkerLostError: 9\n"
    assert describe(None, text) == Place("billiard.WorkerLostError", "billiard/pool.py", "lost", 7)


@pytest.mark.parametrize(
    ("exception", "type_"),
    [("OutOfStock('3')", "OutOfStock"), ("<Bad: 3>", "Bad"), ("shop.Bad", "shop.Bad")],
)
def test_without_a_traceback_the_type_is_all(exception: str, type_: str) -> None:
    assert describe(exception, None) == Place(type_, "", "", 0)
    assert describe(exception, "nothing of a traceback") == Place(type_, "", "", 0)


@pytest.mark.parametrize("exception", [None, "", "'x'", "3 left", "(", "<>"])
def test_nothing_to_tell_by_is_no_fingerprint(exception: str | None) -> None:
    assert fingerprint(exception, None) is None


def test_a_traceback_that_is_cut_takes_its_type_from_the_repr() -> None:
    cut = START + TRACE + TASK + '  File "/srv/app/sho…'
    place = describe("NotFound('x')", cut)
    assert place is not None
    assert place[:3] == ("NotFound", "shop/tasks.py", "send")


def test_an_exception_group_has_a_place() -> None:
    text = (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/srv/app/shop/tasks.py", line 3, in send\n'
        "  |     raise ExceptionGroup('x', found)\n"
        "  | ExceptionGroup: x (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | ValueError: 1\n"
        "    +------------------------------------\n"
    )
    assert describe(None, text) == Place("ExceptionGroup", "shop/tasks.py", "send", 3)


def test_what_this_python_writes_is_read() -> None:
    def fail() -> None:
        try:
            int("x")
        except ValueError as error:
            raise LookupError("no\nnumber") from error

    try:
        fail()
    except LookupError as error:
        text = "".join(tracebacks.format_exception(error))
    place = describe("LookupError('no')", text)
    assert place is not None
    assert place[:3] == ("LookupError", "model/test_fingerprint.py", "fail")
    assert sys.version_info >= (3, 11)


PIECES = [START, TRACE, TASK, CAUSE, "KeyError: 1\n", '  File "', '", line 1', "\n\n", "  | ",
          "\x00", "…", "\ud800", "a" * 500, "/site-packages/", "/"]  # fmt: skip


@given(
    st.none() | st.text(max_size=50) | st.sampled_from(PIECES),
    st.none() | st.text() | st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
)
def test_any_garbage_gives_a_fingerprint_or_none(
    exception: str | None, traceback: str | None
) -> None:
    found = fingerprint(exception, traceback)
    assert found is None or (len(found) == 12 and int(found, 16) >= 0)
    place = describe(exception, traceback)
    assert place is None or max(map(len, place[:3])) <= 200


@pytest.mark.parametrize("piece", [*PIECES, CAUSE[:-1], "\n", " ", "/lib", "_a"])
def test_a_long_text_takes_no_more_than_its_length(piece: str) -> None:
    fingerprint(piece * 100_000, START + piece * 100_000)  # a quadratic one does not end in time
    fingerprint(piece * 100_000, START + f'  File "{piece * 3000}", line 1, in {piece * 3000}')
