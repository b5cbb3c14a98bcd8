"""Bytes that a broker, or whoever may write to it, sends to the readers of events."""

from __future__ import annotations

import base64
import socket
import struct
import threading
from typing import Any

import hiredis
import msgpack
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.errors import BrokerUnreachable, MessageRejected, NotAmqp, SourceError
from celeryscope.ingest.amqp import _closed, _shortstr
from celeryscope.ingest.decoder import MAX_NAME_CHARS, MAX_TEXT_CHARS, Decoder
from celeryscope.ingest.frames import FrameSplitter
from celeryscope.ingest.redis import Address, RedisSource, _Backlog, _Talk
from celeryscope.ingest.source import RawMessage
from celeryscope.model.event import Event
from tests.fuzz.hostile import (
    a_sentence,
    as_json,
    fuzz,
    mutated,
    numbers,
    records,
    sendable,
    texts,
    values,
)

pytestmark = pytest.mark.timeout(60)

STARTED = {
    "type": "task-started", "hostname": "w@h", "timestamp": 1_795_000_000.25, "uuid": "a",
    "clock": 3, "pid": 7, "args": "(1,)", "loadavg": [0.5, 1.0, 2.0],
}  # fmt: skip
ENVELOPE = {
    "body": base64.b64encode(as_json(STARTED)).decode(),
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "headers": {"hostname": "w@h"},
    "properties": {"body_encoding": "base64", "delivery_tag": "x"},
}
FIELDS = Event.__struct_fields__


class Refusals(list[tuple[str, int]]):
    """What a decoder refused."""

    def note(self, reason: str, count: int) -> None:
        assert count > 0
        self.append((reason, count))


def check(events: list[Event], refused: Refusals) -> None:
    """Whatever came, events are whole and bounded, and refusals have short reasons."""
    for event in events:
        assert event.type
        assert event.hostname
        assert event.uuid or not event.type.startswith("task-")
        for field in FIELDS:
            value = getattr(event, field)
            if isinstance(value, str):
                assert len(value) <= MAX_TEXT_CHARS
        assert max(len(event.type), len(event.hostname), len(event.uuid or "")) <= MAX_NAME_CHARS
        sendable({field: getattr(event, field) for field in FIELDS})
    # Reasons are a label of a metric: what came from outside must not become one.
    assert {reason.partition(":")[0] for reason, _ in refused} <= {
        "too_large", "envelope", "compressed", "base64", "pickle", "content_type", "nesting",
        "syntax", "not_an_event", "missing_type", "missing_hostname", "missing_timestamp",
        "timestamp_range", "missing_uuid", "too_many_events", "field",
    }  # fmt: skip


def decoder(refused: Refusals, **more: Any) -> Decoder:
    return Decoder(reject=refused.note, **more)


@given(
    mutated(as_json(ENVELOPE))
    | records(*ENVELOPE).map(as_json)
    | records(*ENVELOPE).map(lambda given: as_json({**ENVELOPE, **given}))
)
@fuzz(250)
def test_any_envelope_of_kombus_is_read_or_refused(payload: bytes) -> None:
    refused = Refusals()
    check(decoder(refused).envelopes([payload, as_json(ENVELOPE)]), refused)


@given(
    st.sampled_from(["json", "msgpack", "yaml"]),
    records(*FIELDS).map(lambda given: {**STARTED, **given}) | values() | st.just(STARTED),
    st.data(),
)
@fuzz(250)
def test_any_body_of_any_serializer_is_read_or_refused(
    kind: str, document: Any, data: st.DataObject
) -> None:
    refused = Refusals()
    body = _dumped(kind, document)
    if data.draw(st.booleans()):
        body = data.draw(mutated(body))
    message = RawMessage(body, f"application/{'' if kind == 'json' else 'x-'}{kind}", "utf-8")
    check(decoder(refused).messages([message]), refused)


def _dumped(kind: str, document: Any) -> bytes:
    if kind == "json":
        return as_json(document)
    try:
        if kind == "msgpack":
            return bytes(msgpack.packb(document))
        return yaml.safe_dump(document).encode("utf-8", "replace")
    except (ValueError, OverflowError, UnicodeError, yaml.YAMLError):
        return as_json(document)


@given(st.text(max_size=60), st.text(max_size=20), st.binary(max_size=60))
@fuzz(100)
def test_any_content_type_is_known_or_refused(kind: str, encoding: str, body: bytes) -> None:
    refused = Refusals()
    assert decoder(refused).messages([RawMessage(body, kind, encoding)]) == []
    assert refused


@given(st.sampled_from([b"[", b'{"a":', b"[[[[1,", b"\x91", b"\x81\xa1a", b"- ", b"{a: "]))
@fuzz(20)
def test_depth_is_refused_and_never_overflows_the_stack(opening: bytes) -> None:
    for kind in ("application/json", "application/x-msgpack", "application/x-yaml"):
        refused = Refusals()
        message = RawMessage(opening * 20_000, kind, "utf-8")
        assert decoder(refused).messages([message]) == []
        assert len(refused) == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        # Each is short and means something endless to a trusting parser.
        ("application/x-yaml", b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n"),
        ("application/x-yaml", b"? " * 5_000),
        ("application/x-yaml", b"!!python/object/new:os.system ['id']"),
        ("application/x-yaml", b"!!timestamp 99999-01-01"),
        ("application/x-yaml", b"!!int ''"),
        ("application/x-yaml", b"!!bool maybe"),
        ("application/x-yaml", b"- " + b"1" * 5_000),
        ("application/x-yaml", b"1" + b":59" * 50_000),
        ("application/x-msgpack", b"\xdd\xff\xff\xff\xff"),
        ("application/x-msgpack", b"\xdf\xff\xff\xff\xff"),
        ("application/x-msgpack", b"\xc6\xff\xff\xff\xff"),
        ("application/json", b'{"type":' + b"9" * 100_000 + b"}"),
        ("application/json", b"[" + b"{}," * 20_000 + b"{}]"),
    ],
)
def test_a_short_message_cannot_mean_a_large_one(kind: str, body: bytes) -> None:
    refused = Refusals()
    assert decoder(refused).messages([RawMessage(body, kind, "utf-8")]) == []
    assert len(refused) == 1


@given(st.lists(values(), min_size=1, max_size=3))
@fuzz(60)
def test_what_is_larger_than_the_limit_is_refused_unread(documents: list[Any]) -> None:
    refused = Refusals()
    small = decoder(refused, max_message_bytes=8)
    bodies = [body for document in documents if len(body := as_json(document)) > 8]
    loose = [RawMessage(body, "application/x-yaml", "utf-8") for body in bodies]
    assert small.messages(loose) == []
    assert refused == [("too_large", 1)] * len(bodies)


# ---------------------------------------------------------------------- AMQP


def frame(kind: int, payload: bytes, channel: int = 1) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


DELIVERY = (
    frame(1, struct.pack(">HH", 60, 60) + b"\x01t" + b"\0" * 9 + b"\x01x\x01#")
    + frame(2, struct.pack(">HHQH", 60, 0, 8, 1 << 15) + b"\x10application/json")
    + frame(3, b"01234567")
)
CLOSE = frame(1, struct.pack(">HHHB", 20, 40, 404, 3) + b"not" + struct.pack(">HH", 60, 20))
MOST = 4_096


@given(st.data())
@fuzz(250)
def test_any_stream_of_frames_is_read_or_is_not_amqp(data: st.DataObject) -> None:
    stream = data.draw(mutated(DELIVERY * 2 + CLOSE) | st.binary(max_size=300))
    cut = data.draw(st.integers(0, len(stream)))
    frames = FrameSplitter(max_frame_bytes=MOST, max_message_bytes=64)
    for piece in (stream[:cut], stream[cut:]):
        try:
            messages, methods = frames.feed(piece)
        except NotAmqp as refusal:
            a_sentence(refusal, most_chars=200)
            return
        assert all(len(message.body) <= 64 for message in messages)
        assert len(frames._tail) <= MOST + 8
        assert sum(map(len, frames._parts or ())) <= 64
        for method in methods:
            assert str(_closed(method.arguments))
            assert len(_shortstr(method.arguments, 0)) <= 255


@given(st.binary(max_size=40), st.integers(0, 40))
@fuzz(100)
def test_a_short_string_that_is_cut_off_is_what_there_is(arguments: bytes, at: int) -> None:
    assert len(_shortstr(arguments, at).encode()) <= 3 * 255


# ---------------------------------------------------------------------- Redis


class Taken:
    """A sink that keeps count."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.lost = 0

    def redis_envelopes(self, payloads: Any, received_at: float) -> None:
        assert all(isinstance(payload, bytes) for payload in payloads)
        self.payloads += payloads

    def dropped(self, count: int, size_bytes: int) -> None:
        assert count > 0
        self.lost += count

    def buffered(self, size_bytes: int) -> None:
        assert size_bytes >= 0


def resp(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


PMESSAGE = resp(b"pmessage", b"/0.celeryev/*", b"/0.celeryev/task.multi", as_json(ENVELOPE))
#: What hiredis raises when the bytes are no RESP; the source tells people so.
NO_RESP = (hiredis.HiredisError, SourceError)


#: Well-formed, and yet not what a subscriber is told.
ODD = (
    resp(), resp(b"pmessage"), resp(b"pmessage", b"a", b"b"), resp(b"x"), b"*-1\r\n", b"$-1\r\n",
    b"*1\r\n*0\r\n", b":1\r\n", b"-ERR no\r\n", b"+PONG\r\n", b"*4\r\n$8\r\npmessage\r\n:1\r\n:2\r\n:3\r\n",
    b"*4\r\n$8\r\npmessage\r\n$-1\r\n$-1\r\n$-1\r\n", b"%1\r\n+a\r\n+b\r\n", b"_\r\n", b",inf\r\n",
    b"~1\r\n+a\r\n", b">1\r\n+a\r\n", b"#t\r\n", b"(1\r\n",
)  # fmt: skip


@given(st.data())
@fuzz(250)
def test_any_reply_of_redis_is_read_passed_over_or_refused(data: st.DataObject) -> None:
    stream = data.draw(
        mutated(PMESSAGE * 2)
        | st.lists(st.sampled_from([*ODD, PMESSAGE]), max_size=6).map(b"".join)
        | st.binary(max_size=200)
    )
    cut = data.draw(st.integers(0, len(stream)))
    taken = Taken()
    backlog = _Backlog(hiredis.Reader(), limit_bytes=64 * 1024)
    try:
        for piece in (stream[:cut], stream[cut:]):
            backlog.add(piece, taken)  # type: ignore[arg-type]  # as much of a sink as it needs
            while backlog.hand_over_one(taken):  # type: ignore[arg-type]
                pass
    except NO_RESP:
        pass
    # What came through is no more than bytes; the decoder takes any.
    refused = Refusals()
    check(decoder(refused).envelopes(taken.payloads), refused)


@given(st.lists(st.sampled_from(ODD), min_size=1, max_size=3).map(b"".join) | st.binary())
@fuzz(100)
def test_any_greeting_of_a_server_is_an_answer_or_a_refusal(greeting: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(2)
        theirs.sendall(greeting)
        theirs.shutdown(socket.SHUT_WR)
        try:
            _Talk(ours).receive("it refused")
        except NO_RESP as refusal:
            a_sentence(refusal)


@given(st.sampled_from([*ODD, resp(b"host", b"port"), b"*2\r\n:1\r\n:2\r\n"]) | st.binary())
@fuzz(30)
def test_a_sentinel_that_talks_nonsense_is_told_as_such(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=_answer_once, args=(listener, answer))
        thread.start()
        source = RedisSource(
            addresses=[Address("127.0.0.1", port)],
            url=f"sentinel://127.0.0.1:{port}",
            sentinel_master="m",
            connect_timeout_seconds=2,
        )
        try:
            source._find()
        except BrokerUnreachable as refusal:
            a_sentence(refusal, says=str(port))
        finally:
            thread.join(5)


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(2)
        peer.recv(1_000)
        peer.sendall(answer)


def test_a_refusal_carries_its_reason_and_nothing_else() -> None:
    assert str(MessageRejected("syntax", "application/json")) == "syntax: application/json"


@given(numbers, texts)
@fuzz(100)
def test_a_heartbeat_of_extreme_numbers_is_taken_as_far_as_it_makes_sense(
    number: float, text: str
) -> None:
    beat = {
        "type": "worker-heartbeat", "hostname": "w", "timestamp": 1_795_000_000.0, "freq": number,
        "active": number, "processed": number, "loadavg": [number] * 3, "sw_sys": text,
        "clock": number, "utcoffset": number, "pid": number,
    }  # fmt: skip
    refused = Refusals()
    events = decoder(refused).messages([RawMessage(as_json(beat), "application/json", "utf-8")])
    assert len(events) == 1
    check(events, refused)
