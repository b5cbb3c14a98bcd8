"""What an attacker sends: values, texts and bytes that parsers dislike.

Every run is the same: the examples are derived from the test itself, not drawn at random.
"""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import msgspec
from hypothesis import strategies as st

#: Texts that have broken one parser or another.
NASTY = (
    "", " ", "\x00", "\r\n", "\r\nX-Injected: 1", "\ud800", "\u202e", "\ufeff", "é", "\U0001f33b",
    "../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "%", "%zz", "%ff%fe", "//evil.example",
    "<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "{{7*7}}", "${jndi:x}",
    "__import__('os').system('id')", "__class__", "__proto__", "constructor", "nan", "NaN",
    "Infinity", "-Infinity", "1e999", "-1", "0x10", "1_000", "٣", "²", "9" * 400, "a" * 5_000,
    "*" * 50, "(" * 200, "[" * 200, "'", '"', "\\", ";", ",", "=", "&", "?", "#", "\x7f", "\x85",
    "redis://:hunter2@host/0", "2026-11-23 10:00:00", "9999-12-31T23:59:59.999999Z",
)  # fmt: skip
#: Numbers at which conversions overflow, or stop to be numbers.
EXTREME = (
    0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1e308, -1e308, 1e-320, 0.1,
    1_795_000_000.25, 9e15, 1e11,
)  # fmt: skip

texts = st.sampled_from(NASTY) | st.text(max_size=30)
#: Numbers that JSON can carry: `json.loads` takes NaN and the infinities, too.
numbers = st.sampled_from(EXTREME) | st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | texts


def values(max_leaves: int = 12) -> st.SearchStrategy[Any]:
    """Give any JSON, with keys that mean something to somebody."""
    keys = texts | st.sampled_from(["__type__", "__value__", "name", "args", "kwargs", "broker"])
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=max_leaves,
    )


def records(*names: str, most: int = 12) -> st.SearchStrategy[dict[str, Any]]:
    """Give objects that have some of these fields, each with anything in it."""
    return st.dictionaries(st.sampled_from(names) | texts, values(6), max_size=most)


def fuzz(examples: int) -> hypothesis.settings:
    """Settings of a fuzz test: so many examples, the same in each run."""
    return hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.data_too_large,
            hypothesis.HealthCheck.filter_too_much,
            hypothesis.HealthCheck.function_scoped_fixture,
        ],
    )


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """Give `whole` with pieces cut out, doubled, or replaced by other bytes."""

    @st.composite
    def mutate(draw: st.DrawFn) -> bytes:
        data = bytearray(whole)
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, len(data)))
            end = min(len(data), at + draw(st.integers(0, 12)))
            match draw(st.sampled_from(["cut", "put", "double", "flip"])):
                case "cut":
                    del data[at:end]
                case "put":
                    data[at:end] = draw(st.binary(max_size=12))
                case "double":
                    data[at:at] = data[at:end]
                case "flip" if at < len(data):
                    data[at] ^= 1 << draw(st.integers(0, 7))
        return bytes(data)

    return mutate()


def as_json(value: Any) -> bytes:
    """Write JSON as Python writes it: with NaN, and lone surrogates as escapes."""
    return json.dumps(value, default=str).encode()


def sendable(told: Any) -> bytes:
    """Encode an answer as the web does; what cannot be encoded fails the test."""
    body = msgspec.json.encode(told)
    body.decode("utf-8")
    # What a browser reads: no NaN, no infinity, no lone half of a character.
    json.loads(body, parse_constant=_refused)
    return body


def a_sentence(refusal: Exception, *, most_chars: int = 2_000, says: str = "") -> None:
    """See that a refusal is one for people: not empty, not endless, and without any password."""
    text = str(refusal)
    assert 0 < len(text) < most_chars
    assert says in text
    assert "hunter2" not in text
    assert "argon2" not in text


def _refused(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
