"""Which regular expressions some text keeps busy for ever."""

from __future__ import annotations

import re
import sys

import pytest

from celeryscope.config import kinds
from celeryscope.config.patterns import stalled_by


@pytest.mark.parametrize(
    ("pattern", "begins"),
    [
        ("(a+)+$", "aaaa"),
        (r"(?<=password=)(\S+)+$", "password=a"),
        ("(?i)(secret|token)=((a|b|[a-z])+)*!", "secret="),
        (r"(a|aa)+$", "aaaa"),
        (r"\d+\d+\d+x", "0000"),  # its cube is for ever, too
        (r"((ab)*|(a)(b))*c", "abab"),
        ("(?:a{1,20}){1,20}b", "aaaa"),
        (r"(?P<q>['\"])(?:\\?.)*?(?P=q)$", ""),
    ],
)
def test_what_never_ends_with_some_text_is_found(pattern: str, begins: str) -> None:
    text = stalled_by(re.compile(pattern), seconds=0.05)
    assert text is not None
    assert text.startswith(begins)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<=password=)\S+",
        r"\b(?:\d[ -]*?){13,16}\b",
        r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
        r"(?i)(password|secret|token)[\"']?\s*[:=]\s*[\"']?[^\"'\s]+",
        r"(?:[a-z0-9-]+\.)+[a-z]{2,}",
        r"'(?:[^'\\]|\\.)*'",
        "(?:a++)+$",
        "",
    ],
)
def test_what_people_hide_secrets_with_is_let_through(pattern: str) -> None:
    assert stalled_by(re.compile(pattern)) is None


def test_it_is_refused_with_the_text_it_would_take_for_ever_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinds, "stalled_by", lambda it: "aaa" if "+" in it.pattern else None)
    with pytest.raises(ValueError, match=r"'a\+' takes for ever on .* begins with 'aaa'"):
        kinds.masks().parse(["x", "a+"])


def test_where_nothing_can_be_tried_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert stalled_by(re.compile("(b+)+$"), seconds=0.05) is None
