"""Wire bytes to `Event`: pure, and never more trusting than it must be.

What Celery really sends takes the fast path: one pass of msgspec over the envelope and one
over the body. Everything else (another serializer, a field of a wrong type, text that is too
long, NaN) takes the slow path, which looks at each field by itself: an optional field that
cannot be used is left out and counted, an event without a usable type, sender, time or task
id is refused and counted. Pickle is refused by its content type and never loaded.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2s
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import structs

from celeryscope.errors import MessageRejected
from celeryscope.ingest.source import RawMessage
from celeryscope.model.event import Event
from celeryscope.model.text import sound

# msgspec's errors are ValueErrors from 0.21 on.
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
#: And what PyYAML raises of a value that is not what its tag says.
_UNLOADABLE = (
    msgspec.MsgspecError,
    ValueError,
    yaml.YAMLError,
    ArithmeticError,
    LookupError,
    AttributeError,
    TypeError,
)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_NAME_CHARS = 512
MAX_TEXT_CHARS = 65_536
_MOST_EVENTS_IN_ONE = 10_000
#: PyYAML takes 10 µs a byte, and all other events wait meanwhile.
_MAX_YAML_BYTES = 256 * 1024
_MAX_YAML_NUMBER_CHARS = 100
#: Times outside of this are no times: 2001 to 2100.
_EARLIEST, _LATEST = 1e9, 4.1e9

PICKLE_SENTENCE = (
    "A sender uses the pickle serializer for its events. Celeryscope never loads pickle, "
    "because that would run code of the sender's choice: set event_serializer = 'json' there."
)

_Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS, min_length=1)]
_Short = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)]
_Time = Annotated[float, msgspec.Meta(gt=_EARLIEST, lt=_LATEST)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Seconds = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
_Loads = Annotated[tuple[float, ...], msgspec.Meta(max_length=8)]


class _Strict(Event, frozen=True, gc=False):
    """What the fast path accepts: Celery's own events, with bounds."""

    type: _Name
    hostname: _Name
    timestamp: _Time
    pid: _Count | None = None
    clock: _Count | None = None
    utcoffset: _Seconds | None = None
    uuid: _Name | None = None
    name: _Name | None = None
    args: _Text | None = None
    kwargs: _Text | None = None
    root_id: _Short | None = None
    parent_id: _Short | None = None
    retries: _Count | None = None
    eta: _Short | None = None
    expires: _Short | None = None
    queue: _Short | None = None
    exchange: _Short | None = None
    routing_key: _Short | None = None
    result: _Text | None = None
    runtime: _Seconds | None = None
    exception: _Text | None = None
    traceback: _Text | None = None
    terminated: bool | None = None
    signum: _Count | _Short | None = None
    expired: bool | None = None
    requeue: bool | None = None
    active: _Count | None = None
    processed: _Count | None = None
    loadavg: _Loads | None = None
    freq: _Seconds | None = None
    sw_ident: _Short | None = None
    sw_ver: _Short | None = None
    sw_sys: _Short | None = None


class _Envelope(msgspec.Struct, gc=False):
    """kombu's virtual-transport message, as far as we need it."""

    body: bytes  # base64 in JSON, opened by msgspec
    content_type: str = msgspec.field(name="content-type")
    content_encoding: str = msgspec.field(name="content-encoding", default="utf-8")


class _Properties(msgspec.Struct, gc=False):
    body_encoding: str | None = None


class _Headers(msgspec.Struct, gc=False):
    compression: str | None = None


class _LooseEnvelope(msgspec.Struct, gc=False):
    """The same, for what the fast path could not open."""

    body: str
    content_type: str = msgspec.field(name="content-type")
    content_encoding: str = msgspec.field(name="content-encoding", default="utf-8")
    properties: _Properties = msgspec.field(default_factory=_Properties)
    headers: _Headers = msgspec.field(default_factory=_Headers)


_JSON = "application/json"
#: What a worker tells of a process that was killed (billiard's wrapper of an exception).
_WRAPPED = "ExceptionWithTraceback()"
_RAISED = re.compile(r"((?:\w+\.)*[A-Z]\w*)(?:: (.*))?")
_envelope = msgspec.json.Decoder(_Envelope).decode
_loose_envelope = msgspec.json.Decoder(_LooseEnvelope).decode
_body = msgspec.json.Decoder(list[_Strict] | _Strict).decode
_msgpack_body = msgspec.msgpack.Decoder(list[_Strict] | _Strict).decode


class Decoder:
    """Decodes messages; counts what it refuses.

    `reject(reason, count)` is called for each message or event that is refused, and with a
    reason that begins with "field:" for an optional field that was left out of its event.
    """

    def __init__(
        self,
        *,
        reject: Callable[[str, int], None],
        on_pickle: Callable[[str], None] | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._reject = reject
        self._on_pickle = on_pickle
        self.max_message_bytes = max_message_bytes

    def envelopes(self, payloads: Iterable[bytes]) -> list[Event]:
        """Decode messages as kombu's virtual transports wrap them."""
        events: list[Event] = []
        for payload in payloads:
            try:
                message = _envelope(payload)
                if message.content_type == _JSON:
                    decoded = _body(message.body)
                    if type(decoded) is list:
                        # A task-* event without an id is found out below, where it is rare.
                        events += decoded
                    else:
                        events.append(decoded)
                    continue
            except _UNREADABLE:
                pass
            self._slowly(partial(self._open, payload), events)
        return self._checked(events)

    def messages(self, messages: Iterable[RawMessage]) -> list[Event]:
        """Decode messages whose envelope is open."""
        events: list[Event] = []
        for message in messages:
            try:
                if message.content_type == _JSON:
                    decoded = _body(message.body)
                elif message.content_type == "application/x-msgpack":
                    decoded = _msgpack_body(message.body)
                else:
                    decoded = None
                if decoded is not None:
                    if type(decoded) is list:
                        events += decoded
                    else:
                        events.append(decoded)
                    continue
            except _UNREADABLE:
                pass
            self._slowly(partial(RawMessage, *message), events)
        return self._checked(events)

    # ------------------------------------------------------------------ slow path

    def _checked(self, events: list[Event]) -> list[Event]:
        """Refuse task events without an id; the others all have what they need."""
        missing = False
        for number, event in enumerate(events):
            if event.uuid is None and event.type.startswith("task-"):
                missing = True
            elif event.exception == _WRAPPED:
                events[number] = _unwrapped(event)
        if not missing:
            return events
        kept = [e for e in events if e.uuid is not None or not e.type.startswith("task-")]
        self._reject("missing_uuid", len(events) - len(kept))
        return kept

    def _slowly(self, opened: Callable[[], RawMessage], events: list[Event]) -> None:
        try:
            document = self._load(opened())
            items = document if isinstance(document, list) else [document]
            if len(items) > _MOST_EVENTS_IN_ONE:
                raise MessageRejected("too_many_events", str(len(items)))
        except MessageRejected as refusal:
            self._reject(refusal.reason, 1)
            return
        for item in items:
            try:
                events.append(self._event(item))
            except MessageRejected as refusal:
                self._reject(refusal.reason, 1)

    def _open(self, payload: bytes) -> RawMessage:
        if len(payload) > self.max_message_bytes:
            raise MessageRejected("too_large", f"{len(payload)} bytes")
        try:
            envelope = _loose_envelope(payload)
        except _UNREADABLE:
            raise MessageRejected("envelope") from None
        if envelope.headers.compression:
            raise MessageRejected("compressed", envelope.headers.compression)
        body = envelope.body.encode("utf-8", "replace")
        if envelope.properties.body_encoding == "base64":
            try:
                body = base64.b64decode(body, validate=True)
            except binascii.Error:
                raise MessageRejected("base64") from None
        return RawMessage(body, envelope.content_type, envelope.content_encoding)

    def _load(self, message: RawMessage) -> Any:
        if len(message.body) > self.max_message_bytes:
            raise MessageRejected("too_large", f"{len(message.body)} bytes")
        kind = message.content_type
        if kind == "application/x-python-serialize":
            if self._on_pickle is not None:
                self._on_pickle(PICKLE_SENTENCE)
            raise MessageRejected("pickle")
        load = _LOADERS.get(kind)
        if load is None:
            raise MessageRejected("content_type", kind[:MAX_NAME_CHARS])
        try:
            return load(message.body)
        except RecursionError:
            raise MessageRejected("nesting") from None
        except _UNLOADABLE:
            raise MessageRejected("syntax", kind) from None

    def _event(self, item: Any) -> Event:
        if not isinstance(item, Mapping):
            raise MessageRejected("not_an_event")
        kind = _name(item.get("type"))
        if kind is None:
            raise MessageRejected("missing_type")
        hostname = _name(item.get("hostname"))
        if hostname is None:
            raise MessageRejected("missing_hostname")
        timestamp = _finite(item.get("timestamp"))
        if timestamp is None or not _EARLIEST < timestamp < _LATEST:
            raise MessageRejected("missing_timestamp" if timestamp is None else "timestamp_range")
        fields: dict[str, Any] = {}
        for field, convert in _FIELDS.items():
            value = item.get(field)
            if value is None:
                continue
            usable = convert(value)
            if usable is None:
                self._reject(f"field:{field}", 1)
            else:
                fields[field] = usable
        return _Strict(type=kind, hostname=hostname, timestamp=timestamp, **fields)


# ---------------------------------------------------------------------- serializers


class _PlainLoader(yaml.SafeLoader):
    """Plain data, without aliases: with them a short text can mean an endless document."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)

    def construct_number(self, node: Any) -> Any:
        # `1:59:59` is a number of base 60; reading one takes the square of its length.
        if len(self.construct_scalar(node)) > _MAX_YAML_NUMBER_CHARS:
            raise yaml.YAMLError("a number of so many digits is not accepted")
        if node.tag.endswith(":int"):
            return self.construct_yaml_int(node)
        return self.construct_yaml_float(node)


for _tag in ("int", "float"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _PlainLoader.construct_number)


def _load_json(body: bytes) -> Any:
    return json.loads(body.decode("utf-8", "replace"))


def _load_msgpack(body: bytes) -> Any:
    return msgspec.msgpack.decode(body)


def _load_yaml(body: bytes) -> Any:
    if len(body) > _MAX_YAML_BYTES:
        raise MessageRejected("too_large", f"{len(body)} bytes of yaml")
    return yaml.load(body, Loader=_PlainLoader)


_LOADERS: dict[str, Callable[[bytes], Any]] = {
    _JSON: _load_json,
    "application/x-msgpack": _load_msgpack,
    "application/x-yaml": _load_yaml,
}


# ---------------------------------------------------------------------- one field


def _name(value: Any) -> str | None:
    """Give a name; one that is too long is cut and told apart by a digest."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) > MAX_NAME_CHARS:
        digest = blake2s(value.encode("utf-8", "replace"), digest_size=4).hexdigest()
        value = f"{value[: MAX_NAME_CHARS - 10]}…{digest}"
    return sound(value)


def _short(value: Any) -> str | None:
    return value if value == "" else _name(value)


def _text(value: Any) -> str | None:
    """Give a text; another value is shown as JSON, since some senders put values there."""
    if isinstance(value, str):
        return sound(value[: MAX_TEXT_CHARS - 1] + "…" if len(value) > MAX_TEXT_CHARS else value)
    if isinstance(value, list | dict | int | float):
        try:
            shown = json.dumps(value, default=lambda _: "…", ensure_ascii=False)
        except (ValueError, TypeError, RecursionError):
            return None
        return _text(shown)
    return None


def _when(value: Any) -> str | None:
    """Give an ISO time; yaml and msgpack may have made it a date already."""
    made = getattr(value, "isoformat", None)
    return made() if callable(made) else _name(value)


def _number(value: Any) -> float | None:
    number = _finite(value)
    return number if number is not None and abs(number) <= 1e12 else None


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    if number is None or number < 0 or number != int(number):
        return None
    return int(number)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _signal(value: Any) -> int | str | None:
    number = _whole(value)
    return number if number is not None else _name(value)


def _unwrapped(event: Event) -> Event:
    """Give an event with the exception that its traceback ends with, where that is plain."""
    last = (event.traceback or "").rstrip("\n").rpartition("\n")[2]
    raised = _RAISED.fullmatch(last)
    if raised is None:
        return event
    name, message = raised[1].rpartition(".")[2], raised[2]
    words = f"{name}({'' if message is None else repr(message)})"
    return structs.replace(event, exception=words[:MAX_TEXT_CHARS])


def _loads(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) > 8:
        return None
    numbers = [_number(v) for v in value]
    return tuple(n for n in numbers if n is not None) if None not in numbers else None


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "pid": _whole,
    "clock": _whole,
    "utcoffset": _number,
    "uuid": _name,
    "name": _name,
    "args": _text,
    "kwargs": _text,
    "root_id": _short,
    "parent_id": _short,
    "retries": _whole,
    "eta": _when,
    "expires": _when,
    "queue": _short,
    "exchange": _short,
    "routing_key": _short,
    "result": _text,
    "runtime": _number,
    "exception": _text,
    "traceback": _text,
    "terminated": _flag,
    "signum": _signal,
    "expired": _flag,
    "requeue": _flag,
    "active": _whole,
    "processed": _whole,
    "loadavg": _loads,
    "freq": _number,
    "sw_ident": _short,
    "sw_ver": _short,
    "sw_sys": _short,
}
