"""What is told of a waiting message, whatever it is."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.broker.messages import Looks, NoPeek, Parts, describe, from_envelope
from celeryscope.errors import NotPossible, Unavailable
from celeryscope.model.message import Message, Page

HEADERS: dict[str, Any] = {
    "lang": "py",
    "task": "shop.pay",
    "id": "b0c4",
    "shadow": None,
    "eta": "2026-11-22T10:00:00+00:00",
    "expires": None,
    "retries": 2,
    "timelimit": [None, 30],
    "root_id": "r",
    "parent_id": "p",
    "argsrepr": "(1, 'card-4711')",
    "kwargsrepr": "{}",
    "origin": "gen7@app1",
    "stamps": {},
}


def envelope(
    body: object = None, *, raw: str | None = None, headers: object = None, **more: Any
) -> bytes:
    """What kombu keeps in Redis of a message."""
    text = json.dumps(body) if raw is None else raw
    return json.dumps(
        {
            "body": base64.b64encode(text.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers if headers is not None else {},
            "properties": {"priority": 3, "body_encoding": "base64", "delivery_info": {}},
            **more,
        }
    ).encode()


def seen(kept: bytes, mask: Callable[[str], str] | None = None) -> Message:
    return describe(from_envelope(kept, size_bytes=len(kept), cut=False), position=4, mask=mask)


def test_headers_tell_of_a_task() -> None:
    kept = envelope([[1, "card-4711"], {}, {}], headers=HEADERS)
    assert seen(kept) == Message(
        position=4,
        size_bytes=len(kept),
        uuid="b0c4",
        name="shop.pay",
        root_id="r",
        parent_id="p",
        args="(1, 'card-4711')",
        kwargs="{}",
        eta="2026-11-22T10:00:00+00:00",
        retries=2,
        origin="gen7@app1",
        priority=3,
        content_type="application/json",
        headers={"lang": "py", "timelimit": "[null, 30]"},
    )


def test_the_body_tells_of_a_task_in_the_older_protocol() -> None:
    body = {
        "task": "shop.pay", "id": "b0c4", "args": [1], "kwargs": {"sku": "B-7"}, "retries": 1,
        "eta": None, "expires": "2026-11-22T10:00:00",
    }  # fmt: skip
    told = seen(envelope(body))
    assert (told.uuid, told.name, told.args, told.kwargs) == (
        "b0c4", "shop.pay", "(1,)", "{'sku': 'B-7'}",
    )  # fmt: skip
    assert (told.retries, told.eta, told.expires) == (1, None, "2026-11-22T10:00:00")
    assert told.problem is None


def test_the_body_tells_arguments_that_the_headers_do_not() -> None:
    headers = {"task": "shop.pay", "id": "b0c4", "lang": "js"}
    told = seen(envelope([[1, 2], {"a": None}, {}], headers=headers))
    assert (told.args, told.kwargs, told.problem) == ("(1, 2)", "{'a': None}", None)


def test_what_the_sender_left_out_is_not_taken_from_the_body() -> None:
    headers = HEADERS | {"argsrepr": "(<card>)", "kwargsrepr": "{...}"}
    told = seen(envelope([["4111 1111"], {"pin": 7}, {}], headers=headers))
    assert (told.args, told.kwargs) == ("(<card>)", "{...}")
    assert "4111" not in repr(told)


def test_texts_are_masked_before_they_are_cut() -> None:
    def mask(text: str) -> str:
        return re.sub("secret-[a-z]+", "***", text)

    headers = HEADERS | {
        "argsrepr": "x" * 995 + "secret-abcdef " + "y" * 500,
        "kwargsrepr": "{'k': 'secret-abc'}",
        "note": "a secret-abc",
    }
    told = seen(envelope([], headers=headers), mask)
    assert told.args == "x" * 995 + "*** y…"
    assert told.kwargs == "{'k': '***'}"
    assert told.headers["note"] == "a ***"


def test_headers_are_bounded_and_keep_their_secrets() -> None:
    headers: dict[str, Any] = HEADERS | {
        "Authorization": "Bearer abc",
        "x-api-key": "abc",
        "user": {"name": "ann", "password": "abc", "deep": [{"session_id": "abc"}]},
        "nested": [[[[[["abc"]]]]]],
        "number": 2**70,
        "long": "x" * 10_000,
        "trace": "abc-1",
    }
    told = seen(envelope([], headers=headers)).headers
    assert told["Authorization"] == told["x-api-key"] == "***"
    assert told["user"] == '{"name": "ann", "password": "***", "deep": [{"session_id": "***"}]}'
    assert told["nested"] == '[[[[["…"]]]]]'
    assert told["number"] == "…"
    assert len(told["long"]) == 301
    assert told["trace"] == "abc-1"
    many = seen(envelope([], headers=HEADERS | {f"h{i}": i for i in range(1000)})).headers
    assert len(many) == 31
    assert many["…"] == "there are more"


@pytest.mark.parametrize("content_type", ["application/x-python-serialize", "application/x-yaml"])
def test_no_other_serializer_is_decoded(content_type: str) -> None:
    told = seen(envelope(raw="cos\nsystem\n", headers=HEADERS, **{"content-type": content_type}))
    assert (told.args, told.content_type, told.problem) == (
        "(1, 'card-4711')", content_type, None,
    )  # fmt: skip
    bare = HEADERS | {"argsrepr": None}
    told = seen(envelope(raw="cos\nsystem\n", headers=bare, **{"content-type": content_type}))
    assert (told.name, told.args) == ("shop.pay", None)
    assert told.problem == f"Its body ({content_type}) is not decoded."


def test_a_compressed_body_is_not_decoded() -> None:
    headers = {"task": "a", "compression": "application/x-gzip"}
    assert seen(envelope([[], {}], headers=headers)).problem == (
        "Its body is compressed, and not decoded."
    )


def test_a_message_whose_body_was_left_out_tells_the_rest() -> None:
    kept = envelope(None, headers=HEADERS).replace(b'"body": "bnVsbA=="', b'"body": null')
    told = describe(from_envelope(kept, size_bytes=10**8, cut=True), position=0)
    assert (told.name, told.args, told.size_bytes) == ("shop.pay", "(1, 'card-4711')", 10**8)
    assert told.problem is None
    bare = envelope(None, headers={"task": "a"})
    told = describe(from_envelope(bare, size_bytes=10**8, cut=True), position=0)
    assert told.problem == "Its body is too large to look into."


NO_JSON = "It is not JSON: kombu did not write it."
BAD_BODY = "Its body is not the JSON that it says to be."
NO_TASK = "It is no task of Celery's."


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        (b"", NO_JSON),
        (b"\xff\xfe", NO_JSON),
        (b"[" * 60_000, NO_JSON),
        (b"[" * 30_000 + b"]" * 30_000, NO_JSON),
        (b"[1]", "It is no message of kombu's."),
        (b"{}", "Its body (of no type) is not decoded."),
        (envelope(raw="no"), BAD_BODY),
        (envelope(raw="[" * 30_000), BAD_BODY),
        (envelope(raw="9" * 5_000), BAD_BODY),
        (envelope([]).replace(b"W10=", b"%%%%"), BAD_BODY),
        (b'{"body": null, "content-type": "application/json"}', BAD_BODY),
        (envelope(None), NO_TASK),
        (envelope(7), NO_TASK),
        (envelope({"task": 7}), NO_TASK),
        (envelope([], headers={"task": ["a"]}), NO_TASK),
        (envelope(0, headers=[]), NO_TASK),
    ],
    ids=range(16),
)
def test_garbage_is_told_as_such(kept: bytes, problem: str) -> None:
    told = seen(kept)
    assert (told.name, told.size_bytes, told.problem) == (None, len(kept), problem)


def test_what_was_too_large_to_fetch_has_its_size() -> None:
    told = describe(from_envelope(None, size_bytes=50_000_000, cut=True), position=0)
    assert (told.size_bytes, told.problem) == (50_000_000, "It is too large to look into.")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["task", "id", "eta", "expires", "retries", "argsrepr", "kwargsrepr", "origin", "stamps",
     "compression", "root_id", "args", "kwargs"]
)  # fmt: skip


@given(
    headers=ANYTHING | st.dictionaries(FIELDS, ANYTHING),
    properties=ANYTHING
    | st.dictionaries(st.sampled_from(["priority", "timestamp", "correlation_id"]), ANYTHING),
    body=ANYTHING | st.dictionaries(FIELDS, ANYTHING),
    content_type=ANYTHING | st.just("application/json"),
)
def test_nothing_makes_it_fail_and_the_answer_can_be_sent(
    headers: object, properties: object, body: object, content_type: object
) -> None:
    parts = Parts(
        size_bytes=1,
        headers=headers,
        properties=properties,
        content_type=content_type,
        body=json.dumps(body).encode(),
    )
    told = describe(parts, position=0)
    assert msgspec.json.decode(msgspec.json.encode(told), type=Message) == told


@given(kept=st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_no_envelope_makes_it_fail(kept: bytes) -> None:
    told = describe(from_envelope(kept, size_bytes=len(kept), cut=False), position=0)
    assert msgspec.json.decode(msgspec.json.encode(told), type=Message) == told


def test_half_a_surrogate_pair_can_be_sent() -> None:
    kept = rb'{"headers": {"task": "a\ud800", "argsrepr": "\udfff", "x\ud800": "\ud800"}}'
    told = seen(kept)
    assert (told.name, told.args) == ("a?", "?")
    assert msgspec.json.encode(told)


def test_where_messages_are_handed_out_for_good_there_is_no_look() -> None:
    with pytest.raises(NotPossible, match="does not let one look"):
        NoPeek().read("q", offset=0, limit=1)


def test_only_so_many_look_at_once() -> None:
    looking, go_on = threading.Event(), threading.Event()

    class Slow:
        def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
            looking.set()
            assert go_on.wait(5)
            return Page(total=limit, messages=[])

    looks = Looks(Slow(), at_once=1, patience_seconds=0.01)
    told: list[Page] = []
    first = threading.Thread(target=lambda: told.append(looks.read("q", offset=0, limit=7)))
    first.start()
    assert looking.wait(5)
    with pytest.raises(Unavailable, match="Others are looking"):
        looks.read("q", offset=0, limit=1)
    go_on.set()
    first.join(5)
    assert told == [Page(total=7, messages=[])]
    assert looks.read("q", offset=0, limit=8).total == 8


def test_arguments_are_left_out_where_they_are_not_to_be_seen() -> None:
    class One:
        def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
            message = Message(position=0, size_bytes=9, name="shop.pay", args="(1,)", kwargs="{}")
            return Page(total=1, messages=[message], notes=["a note"])

    def seen(*, show: bool) -> Page:
        return Looks(One(), show_arguments=show).read("q", offset=0, limit=1)

    assert seen(show=True).messages[0].args == "(1,)"
    bare = seen(show=False)
    assert (bare.messages[0].args, bare.messages[0].kwargs) == (None, None)
    assert (bare.total, bare.messages[0].name, bare.notes) == (1, "shop.pay", ["a note"])
