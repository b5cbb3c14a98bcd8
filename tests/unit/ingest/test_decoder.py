"""Wire bytes to events: what Celery sends, and what it never would."""

from __future__ import annotations

import base64
import json
import math
import pickle
from collections import Counter
from typing import Any

import msgpack
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.ingest.decoder import MAX_NAME_CHARS, MAX_TEXT_CHARS, Decoder
from celeryscope.ingest.source import RawMessage
from celeryscope.model.event import Event

NOW = 1_795_000_000.25
STARTED = {"type": "task-started", "hostname": "w@h", "timestamp": NOW, "uuid": "a", "clock": 3}


class Reading:
    """A decoder, and what it refused."""

    def __init__(self, *, max_message_bytes: int = 1_000_000) -> None:
        self.refused: Counter[str] = Counter()
        self.told: list[str] = []
        self.decoder = Decoder(
            reject=lambda reason, n: self.refused.update({reason: n}),
            on_pickle=self.told.append,
            max_message_bytes=max_message_bytes,
        )

    def body(self, body: bytes, content_type: str = "application/json") -> list[Event]:
        """Read a message twice, bare and in kombu's envelope; both must say the same."""
        wrapped = json.dumps(
            {
                "body": base64.b64encode(body).decode(),
                "content-type": content_type,
                "content-encoding": "utf-8",
                "headers": {"hostname": "w@h"},
                "properties": {"body_encoding": "base64", "delivery_tag": "x"},
            }
        ).encode()
        twin = Reading(max_message_bytes=self.decoder.max_message_bytes)
        twin.refused.update(self.refused)
        enveloped = twin.decoder.envelopes([wrapped])
        bare = self.decoder.messages([RawMessage(body, content_type, "utf-8")])
        assert bare == enveloped
        assert self.refused == twin.refused
        return bare

    def json(self, document: Any) -> list[Event]:
        return self.body(json.dumps(document).encode())


def test_one_event_and_a_list_of_events_are_read() -> None:
    reading = Reading()
    assert [e.uuid for e in reading.json(STARTED)] == ["a"]
    assert [e.uuid for e in reading.json([STARTED, {**STARTED, "uuid": "b"}])] == ["a", "b"]
    assert not reading.refused


@pytest.mark.parametrize(
    ("dump", "content_type"),
    [
        (lambda d: json.dumps(d).encode(), "application/json"),
        (msgpack.packb, "application/x-msgpack"),
        (lambda d: yaml.safe_dump(d).encode(), "application/x-yaml"),
    ],
)
def test_every_safe_serializer_means_the_same(dump: Any, content_type: str) -> None:
    document = [{**STARTED, "args": "(1, 'é')", "eta": None, "loadavg": [0.5, 1.0, 2.0]}]
    assert Reading().body(dump(document), content_type) == Reading().json(document)


def test_pickle_is_refused_with_a_sentence_and_never_loaded(tmp_path: Any) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "boom"), "w"))

    reading = Reading()
    assert reading.body(pickle.dumps(Bomb()), "application/x-python-serialize") == []
    assert reading.refused == {"pickle": 1}
    assert "event_serializer" in reading.told[0]
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"type": None}, "missing_type"),
        ({"type": 3}, "missing_type"),
        ({"type": ""}, "missing_type"),
        ({"hostname": None}, "missing_hostname"),
        ({"hostname": ["w"]}, "missing_hostname"),
        ({"timestamp": None}, "missing_timestamp"),
        ({"timestamp": "now"}, "missing_timestamp"),
        ({"timestamp": True}, "missing_timestamp"),
        ({"timestamp": 0}, "timestamp_range"),
        ({"timestamp": 1e300}, "timestamp_range"),
        ({"timestamp": -5}, "timestamp_range"),
        ({"uuid": None}, "missing_uuid"),
    ],
)
def test_an_event_without_what_it_must_have_is_refused(
    changed: dict[str, Any], reason: str
) -> None:
    reading = Reading()
    assert reading.json({**STARTED, **changed}) == []
    assert reading.refused == {reason: 1}


def test_one_bad_event_does_not_cost_its_neighbours() -> None:
    reading = Reading()
    told = reading.json([STARTED, {"type": "task-started"}, 7, {**STARTED, "uuid": "b"}])
    assert [e.uuid for e in told] == ["a", "b"]
    assert reading.refused == {"missing_hostname": 1, "not_an_event": 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("runtime", "fast"),
        ("runtime", float("nan")),
        ("runtime", float("inf")),
        ("clock", -1),
        ("clock", 1.5),
        ("pid", {"a": 1}),
        ("retries", "2"),
        ("loadavg", "high"),
        ("loadavg", [0.1] * 9),
        ("processed", 10**400),
        ("terminated", "yes"),
        ("queue", 5),
        ("freq", None.__class__.__name__),
    ],
)
def test_an_optional_field_that_is_wrong_is_left_out_and_counted(field: str, value: Any) -> None:
    reading = Reading()
    (event,) = reading.json({**STARTED, field: value})
    assert getattr(event, field) is None
    assert event.uuid == "a"
    assert reading.refused == {f"field:{field}": 1}


@pytest.mark.parametrize(
    ("traceback", "exception"),
    [
        ("Traceback …\n  …\nbilliard.exceptions.WorkerLostError: signal 9 (SIGKILL) Job: 1.\n",
         "WorkerLostError('signal 9 (SIGKILL) Job: 1.')"),
        ("Traceback …\nTerminated\n", "Terminated()"),
        ("Traceback …\nE: of two\nlines: or more\n", "ExceptionWithTraceback()"),
        ("Traceback …\n  and no more", "ExceptionWithTraceback()"),
        ("", "ExceptionWithTraceback()"),
    ],
)  # fmt: skip
def test_what_killed_a_process_is_told_by_its_traceback(traceback: str, exception: str) -> None:
    event = STARTED | {
        "type": "task-failed", "exception": "ExceptionWithTraceback()", "traceback": traceback,
    }  # fmt: skip
    (found,) = Reading().body(json.dumps(event).encode())
    assert found.exception == exception


def test_values_where_texts_belong_are_shown_as_json() -> None:
    (event,) = Reading().json({**STARTED, "args": [1, "é"], "kwargs": {"a": None}})
    assert (event.args, event.kwargs) == ('[1, "é"]', '{"a": null}')


def test_names_that_are_too_long_are_cut_but_stay_apart() -> None:
    long = "n" * 10_000
    one, two = Reading().json([{**STARTED, "name": long + "a"}, {**STARTED, "name": long + "b"}])
    assert one.name is not None
    assert len(one.name) <= MAX_NAME_CHARS
    assert one.name != two.name


def test_an_event_of_ten_megabytes_is_read_and_its_text_cut() -> None:
    reading = Reading(max_message_bytes=16 * 1024 * 1024)
    (event,) = reading.json({**STARTED, "args": "x" * 10_000_000})
    assert event.args is not None
    assert len(event.args) == MAX_TEXT_CHARS


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", "application/json", "syntax"),
        (b"{", "application/json", "syntax"),
        (b"\xff\xfe\x00", "application/json", "syntax"),
        (b"[" * 100_000, "application/json", "nesting"),
        (b'{"a":' * 100_000, "application/json", "nesting"),
        (b"\xc1", "application/x-msgpack", "syntax"),
        (b"\x91" * 100_000, "application/x-msgpack", "nesting"),
        (b"a: [", "application/x-yaml", "syntax"),
        (b"a: &x [1]\nb: [*x, *x]", "application/x-yaml", "syntax"),
        (b"!!python/object/apply:os.system ['id']", "application/x-yaml", "syntax"),
        (b"<a/>", "text/xml", "content_type"),
        (b"x" * 1_000_001, "application/json", "too_large"),
        (b"7", "application/json", "not_an_event"),
        (b"null", "application/json", "not_an_event"),
        (json.dumps([STARTED] * 10_001).encode(), "application/json", "too_many_events"),
    ],
)
def test_what_cannot_be_read_is_refused_by_reason(
    body: bytes, content_type: str, reason: str
) -> None:
    reading = Reading(max_message_bytes=1_000_000 if reason == "too_large" else 10_000_000)
    if reason == "too_many_events":
        # Well-formed, so the quick way would take it: one field sends it the slow way.
        body = body.replace(b'"clock": 3', b'"clock": -3', 1)
    assert reading.body(body, content_type) == []
    assert set(reading.refused) == {reason}


def test_lone_surrogates_and_control_characters_can_be_shown() -> None:
    reading = Reading()
    (event,) = reading.body(
        b'{"type":"task-sent","hostname":"w","timestamp":1795000000,"uuid":"a\\u0000",'
        b'"args":"\\ud800 \\u202e \\u0007"}'
    )
    assert event.args is not None
    event.args.encode("utf-8")
    assert event.uuid == "a\x00"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"not json",
        b'{"body": 5, "content-type": "application/json"}',
        b'{"body": "!!", "content-type": "x", "properties": {"body_encoding": "base64"}}',
        b'{"body": "e30=", "content-type": "x", "headers": {"compression": "zlib"}}',
        b"[" * 50_000,
    ],
)
def test_a_broken_envelope_is_counted(payload: bytes) -> None:
    reading = Reading()
    assert reading.decoder.envelopes([payload]) == []
    assert sum(reading.refused.values()) == 1


def test_a_body_that_is_not_base64_is_read_as_it_stands() -> None:
    payload = json.dumps(
        {"body": json.dumps(STARTED), "content-type": "application/json", "properties": {}}
    )
    assert len(Reading().decoder.envelopes([payload.encode()])) == 1


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
_field = st.sampled_from([*Event.__struct_fields__, "extra"])


@given(st.lists(st.dictionaries(_field, _junk, max_size=12), max_size=4))
def test_any_document_gives_usable_events_or_counted_refusals(documents: list[Any]) -> None:
    reading = Reading()
    for document in documents:
        whole = {"type": "task-x", "hostname": "w", "timestamp": NOW, "uuid": "a", **document}
        events = reading.json([whole])
        assert len(events) + (sum(reading.refused.values()) > 0) >= 1
        for event in events:
            assert event.type
            assert event.hostname
            assert math.isfinite(event.timestamp)
            assert event.uuid or not event.type.startswith("task-")
            json.dumps([getattr(event, f) for f in Event.__struct_fields__]).encode("utf-8")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    reading = Reading()
    for kind in ("application/json", "application/x-msgpack", "application/x-yaml"):
        reading.body(data, kind)
    reading.decoder.envelopes([data])
