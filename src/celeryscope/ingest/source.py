"""What a source is, and what it hands its messages to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class RawMessage(NamedTuple):
    """One message's body as the sender serialized it, and how."""

    body: bytes
    content_type: str  # "application/json", "application/x-msgpack", ...
    content_encoding: str  # "utf-8" or "binary"


class Sink(Protocol):
    """Takes what a source reads; called from the source's thread only.

    `received_at` is our clock when the bytes were read from the socket; None means now.
    """

    def connected(self, url: str) -> None:
        """Subscribed, for the first time or again. Ends an open gap."""

    def disconnected(self, reason: str, hint: str = "") -> None:
        """Nothing arrives from now on; begins a gap unless one is open."""

    def redis_envelopes(self, payloads: Sequence[bytes], received_at: float | None = None) -> None:
        """Take messages as kombu's virtual transports publish them (a JSON envelope)."""

    def messages(self, messages: Sequence[RawMessage], received_at: float | None = None) -> None:
        """Take messages whose envelope the source has opened."""

    def refused(self, reason: str, count: int = 1) -> None:
        """Count messages that the source could not hand over."""

    def buffered(self, size_bytes: int) -> None:
        """Say how much the source holds that was not handed over yet."""

    def dropped(self, messages: int, size_bytes: int) -> None:
        """Count what the source's buffer had no room for."""

    def idle(self) -> None:
        """Say that there was nothing to read for about a second."""


class Source(Protocol):
    """Reads the event messages of one broker."""

    transport: str  # "redis", "amqp", or kombu's name of it
    url: str  # where, without the password

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Read until `stop` is set; reconnect by itself, with a capped back-off.

        Trouble with the broker is told to the sink and never raised.
        """
