"""Arguments out of the text of events: exactly what was sent, or a refusal with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from celery.utils.saferepr import saferepr
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.control.arguments import Inexact, read_args, read_kwargs

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.text("a'\\\", )]}:\n", max_size=6)
    | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(args=st.lists(values, max_size=3), kwargs=st.dictionaries(st.text(max_size=5), values))
def test_what_celery_writes_is_read_exactly_or_refused(
    args: list[Any], kwargs: dict[str, Any]
) -> None:
    for value, read in ((tuple(args), read_args), (kwargs, read_kwargs)):
        try:
            told: Any = read(saferepr(value, 1024))
        except Inexact:
            continue
        assert told == (list(value) if isinstance(value, tuple) else value)


def test_plain_arguments_are_read() -> None:
    assert read_args("(1, 'a', [None, {'b': 2.5}])") == [1, "a", [None, {"b": 2.5}]]
    assert read_args("()") == []
    assert read_args("[1]") == [1]
    assert read_kwargs("{'a': (1, 2), 'b': 'x'}") == {"a": (1, 2), "b": "x"}


@pytest.mark.parametrize("text", ["it's", '\'tis "so"', "two\nlines\r", "''", "a'b'c"])
def test_quotes_and_ends_of_lines_within_a_text_are_read(text: str) -> None:
    assert read_args(saferepr((text, 1))) == [text, 1]
    assert read_kwargs(saferepr({text: [text]})) == {text: [text]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no event tells"),
        ("('aaaa...", "cut"),
        ("(1, ...)", "cut"),
        ("[[...], 1]", "cut"),
        ("('aaa…", "cut"),
        ("('***',)", "masked"),
        (saferepr(("'a', b'c",)), "not sure"),
        (saferepr(("both\\", ", ")), "not sure"),
        (saferepr((b"x",)), "bytes"),
        (saferepr(([{b"\xff": 1}],)), "bytes"),
        (saferepr(("C:\\new",)), "not sure"),
        ("(<object at 0x7f>,)", "more than plain values"),
        ("(Decimal('1'),)", "more than plain values"),
        ("(__import__('os').system('true'),)", "more than plain values"),
        ("(nan,)", "more than plain values"),
        ("('a' * 10 ** 9,)", "more than plain values"),
        ("(" * 5_000, "more than plain values"),
        ("(" + "-" * 20_000 + "1,)", "more than plain values"),
        ("(" + "9" * 10_000 + ",)", "more than plain values"),
        ("(1,\x00)", "more than plain values"),
        ("({[]: 1},)", "more than plain values"),
        ("(" + "1," * 60_000 + ")", "longer than 65,536"),
        ("7", "no list"),
        ("{'a': 1}", "no list"),
        ("", "more than plain values"),
    ],
)
def test_what_is_not_exact_is_refused(text: str | None, said: str) -> None:
    with pytest.raises(Inexact, match=said):
        read_args(text)


@pytest.mark.parametrize("text", ["[1]", "{1: 2}", "{'a'}"])
def test_arguments_by_name_are_a_table_of_names(text: str) -> None:
    with pytest.raises(Inexact, match="no table"):
        read_kwargs(text)
