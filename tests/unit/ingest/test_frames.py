"""AMQP frames: whatever way the bytes are cut, the same messages come out."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.errors import NotAmqp
from celeryscope.ingest.frames import HEARTBEAT_FRAME, FrameSplitter, method_frame
from celeryscope.ingest.source import RawMessage

MAX_FRAME = 4096
MAX_MESSAGE = 100_000


def splitter() -> FrameSplitter:
    return FrameSplitter(max_frame_bytes=MAX_FRAME, max_message_bytes=MAX_MESSAGE)


def short(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


def frame(kind: int, payload: bytes, channel: int = 1) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def properties(content_type: str | None, content_encoding: str | None) -> bytes:
    flags = (1 << 15 if content_type is not None else 0) | (
        1 << 14 if content_encoding is not None else 0
    )
    values = b"".join(short(v) for v in (content_type, content_encoding) if v is not None)
    # headers, delivery mode, priority: as Celery sends them
    return struct.pack(">H", flags | 0b111 << 11) + values + b"\0\0\0\0" + b"\x01\x00"


def deliver(
    body: bytes,
    content_type: str | None = "application/json",
    content_encoding: str | None = "utf-8",
    *,
    piece: int = MAX_FRAME,
    between: bytes = b"",
) -> bytes:
    method = struct.pack(">HH", 60, 60) + short("tag") + b"\0" * 9 + short("celeryev") + short("#")
    header = struct.pack(">HHQ", 60, 0, len(body)) + properties(content_type, content_encoding)
    pieces = [frame(3, body[i : i + piece]) for i in range(0, len(body), piece)]
    return between.join([frame(1, method), frame(2, header), *pieces])


def test_a_message_comes_out_as_it_went_in() -> None:
    messages, methods = splitter().feed(deliver(b'{"type": "task-sent"}'))
    assert messages == [RawMessage(b'{"type": "task-sent"}', "application/json", "utf-8")]
    assert methods == []


@pytest.mark.parametrize(
    ("content_type", "content_encoding"),
    [("application/x-msgpack", "binary"), (None, None), ("a/b", None), (None, "utf-8"), ("", "")],
)
def test_the_content_type_and_encoding_may_change_from_message_to_message(
    content_type: str | None, content_encoding: str | None
) -> None:
    stream = deliver(b"1") + deliver(b"2", content_type, content_encoding) + deliver(b"3")
    messages, _ = splitter().feed(stream)
    assert messages == [
        RawMessage(b"1", "application/json", "utf-8"),
        RawMessage(b"2", content_type or "", content_encoding or ""),
        RawMessage(b"3", "application/json", "utf-8"),
    ]


def test_a_body_of_several_frames_is_joined_though_heartbeats_come_between() -> None:
    body = bytes(range(256)) * 40
    messages, _ = splitter().feed(deliver(body, piece=1000, between=HEARTBEAT_FRAME))
    assert [message.body for message in messages] == [body]


def test_an_empty_body_is_a_message() -> None:
    messages, _ = splitter().feed(deliver(b"") + deliver(b"next"))
    assert [message.body for message in messages] == [b"", b"next"]


def test_a_body_over_the_limit_is_skipped_and_counted() -> None:
    frames = splitter()
    messages, _ = frames.feed(deliver(b"x" * (MAX_MESSAGE + 1)) + deliver(b"next"))
    assert [message.body for message in messages] == [b"next"]
    assert frames.too_large == 1


def test_a_body_over_the_limit_is_not_even_kept() -> None:
    frames = splitter()
    announced = deliver(b"x" * (MAX_MESSAGE * 3))
    for start in range(0, len(announced), 5000):
        frames.feed(announced[start : start + 5000])
        assert len(frames._tail) <= MAX_FRAME + 8
        assert not frames._parts


def test_the_brokers_methods_are_told_apart_from_deliveries() -> None:
    close = struct.pack(">H", 404) + short("NOT_FOUND") + struct.pack(">HH", 60, 20)
    stream = (
        deliver(b"before") + method_frame(1, 20, 40, close) + method_frame(0, 10, 60, short("m"))
    )
    messages, methods = splitter().feed(stream)
    assert [message.body for message in messages] == [b"before"]
    assert [(m.channel, m.class_id, m.method_id) for m in methods] == [(1, 20, 40), (0, 10, 60)]
    assert methods[0].arguments == close


def test_a_method_of_the_connection_does_not_disturb_a_message_under_way() -> None:
    whole = deliver(b"0123456789", piece=5)
    blocked = method_frame(0, 10, 60, short("memory"))
    cut = len(whole) - len(frame(3, b"56789"))
    messages, methods = splitter().feed(whole[:cut] + blocked + whole[cut:])
    assert [message.body for message in messages] == [b"0123456789"]
    assert len(methods) == 1


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not AMQP"),
        (frame(1, b"\0" * 10)[:-1] + b"\0\0", "without its end"),
        (frame(3, b"body"), "type 3 where 1"),
        (frame(2, b"\0" * 20), "type 2 where 1"),
        (frame(9, b""), "type 9"),
        (frame(1, b"\0"), "too short"),
        (deliver(b"1234")[:-6] + b"\x05" + b"12345\xce" + b"\0", "longer than announced"),
        (frame(1, struct.pack(">HH", 60, 60)) + frame(2, b"\0" * 5), "too short"),
        (
            frame(1, struct.pack(">HH", 60, 60))
            + frame(2, struct.pack(">HHQH", 60, 0, 1, 1 << 15) + b"\xff"),
            "cut off",
        ),
    ],
)
def test_what_is_not_amqp_is_said(stream: bytes, told: str) -> None:
    with pytest.raises(NotAmqp, match=told):
        splitter().feed(stream)


texts = st.none() | st.text(max_size=40).filter(lambda text: len(text.encode()) < 256)
parts = st.one_of(
    st.builds(
        lambda body, kind, encoding, piece: (
            deliver(body, kind, encoding, piece=piece),
            RawMessage(body, kind or "", encoding or ""),
        ),
        st.binary(max_size=3000),
        texts,
        texts,
        st.integers(min_value=1, max_value=MAX_FRAME),
    ),
    st.just((HEARTBEAT_FRAME, None)),
    st.just((method_frame(0, 10, 61), None)),
)


@given(st.lists(parts, max_size=8), st.data())
def test_any_cut_of_the_stream_gives_the_same_messages(
    made: list[tuple[bytes, RawMessage | None]], data: st.DataObject
) -> None:
    stream = b"".join(piece for piece, _ in made)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    frames = splitter()
    messages: list[RawMessage] = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        messages += frames.feed(stream[start:stop])[0]
    assert messages == [message for _, message in made if message is not None]


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_arbitrary_bytes_do_no_harm(chunks: list[bytes], after_a_delivery: bool) -> None:
    frames = splitter()
    if after_a_delivery:
        frames.feed(deliver(b"x")[:40])
    for chunk in chunks:
        try:
            frames.feed(chunk)
        except NotAmqp:
            return
        assert len(frames._tail) <= MAX_FRAME + 8 + 200
