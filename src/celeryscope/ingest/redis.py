"""Events from Redis and Valkey, read from the socket ourselves.

Celery publishes events to PUB/SUB channels `{prefix}{exchange}/{routing key}` (kombu's
fanout, `prefix` is "/{db}." unless transport options say otherwise). Redis keeps nothing for
a subscriber that is slow: past `client-output-buffer-limit pubsub` (32 MB as shipped) it cuts
the connection and throws away what was buffered. So this reader has one duty before all
others: to take from the socket whatever the kernel has, before it decodes anything. What it
could not decode yet waits in a buffer that is bounded in bytes, and what has no room there is
counted.
"""

from __future__ import annotations

import ctypes
import importlib
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import hiredis

from celeryscope.errors import BrokerRefused, BrokerUnreachable, SourceError
from celeryscope.ingest.reconnect import keep_reading
from celeryscope.ingest.source import Sink

_CHUNK_BYTES = 1024 * 1024
_SLICE_MESSAGES = 300
#: Read at most this much before looking at what else there is to do.
_TURN_BYTES = 8 * 1024 * 1024
#: More than this is a flood; nothing is decoded for as long as it lasts, up to this long.
_FLOOD_BYTES_PER_SECOND = 80e6
_FLOOD_SECONDS = 2.0
#: Waiting this long before a read lets messages gather: fewer wake-ups, hardly any delay.
_GATHER_SECONDS = 0.02
_PING_SECONDS = 10.0
_SILENCE_SECONDS = 30.0
_LARGE_BACKLOG_BYTES = 16 * 1024 * 1024
# glibc has it; elsewhere memory comes back by itself or not at all.
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


class Address(NamedTuple):
    """Where one Redis (or Sentinel) listens: host and port, or a socket path."""

    host: str
    port: int
    path: str | None = None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


class RedisSource:
    """Reads Celery's events from Redis or Valkey PUB/SUB.

    `addresses` are tried in turn; with `sentinel_master` they are Sentinels that are asked
    where that master is. `tls` and `sentinel_tls` are ready-made contexts or None.
    """

    transport = "redis"

    def __init__(
        self,
        *,
        addresses: Sequence[Address],
        url: str,
        db: int = 0,
        username: str | None = None,
        password: str | None = None,
        credential_provider: Any = None,
        tls: ssl.SSLContext | None = None,
        sentinel_master: str | None = None,
        sentinel_username: str | None = None,
        sentinel_password: str | None = None,
        sentinel_tls: ssl.SSLContext | None = None,
        exchange: str = "celeryev",
        fanout_prefix: bool | str = True,
        global_keyprefix: str = "",
        connect_timeout_seconds: float = 5.0,
        buffer_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self.url = url
        self._addresses = list(addresses)
        self._username = username
        self._password = password
        self._credential_provider = credential_provider
        self._tls = tls
        self._sentinel_master = sentinel_master
        self._sentinel_username = sentinel_username
        self._sentinel_password = sentinel_password
        self._sentinel_tls = sentinel_tls
        self._timeout = connect_timeout_seconds
        self._buffer_bytes = buffer_bytes
        self.patterns = patterns(
            exchange=exchange,
            db=db,
            fanout_prefix=fanout_prefix,
            global_keyprefix=global_keyprefix,
            sentinel=sentinel_master is not None,
        )

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Read until `stop` is set; see `Source.run`."""
        keep_reading(lambda: self._session(sink, stop), explain=self._explain, sink=sink, stop=stop)

    def _explain(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        return BrokerUnreachable(f"{self.url}: {_said(error)}", hint=_hint(error))

    # ------------------------------------------------------------------ one connection

    def _session(self, sink: Sink, stop: threading.Event) -> None:
        address = self._find()
        sock = self._open(address, self._tls)
        try:
            talk = _Talk(sock)
            self._log_in(talk, address)
            for pattern in self.patterns:
                talk.send("PSUBSCRIBE", pattern)
            for _ in self.patterns:
                talk.receive(f"{address} does not let us subscribe")
            sink.connected(self.url)
            self._read(sock, talk.reader, address, sink, stop)
        finally:
            sock.close()

    def _read(
        self,
        sock: socket.socket,
        reader: hiredis.Reader,
        address: Address,
        sink: Sink,
        stop: threading.Event,
    ) -> None:
        sock.setblocking(False)
        chunk = bytearray(_CHUNK_BYTES)
        backlog = _Backlog(reader, limit_bytes=self._buffer_bytes)
        now = time.monotonic()
        last_heard = last_ping = last_idle = last_turn = decoded = now
        try:
            while not stop.is_set():
                # First empty the socket, whatever waits behind it.
                taken = 0
                while taken < _TURN_BYTES:
                    try:
                        size = sock.recv_into(chunk)
                    except (BlockingIOError, ssl.SSLWantReadError):
                        break
                    if not size:
                        raise BrokerUnreachable(
                            f"{address} closed the connection",
                            hint="It was restarted, or it cut us off for reading too slowly "
                            "(client-output-buffer-limit pubsub).",
                        )
                    backlog.add(bytes(memoryview(chunk)[:size]), sink)
                    taken += size
                now = time.monotonic()
                if taken:
                    last_heard = now
                # In a flood only read: every moment spent on decoding fills the buffer that
                # Redis cuts us off for. It cannot last: we decode at least now and then.
                flood = taken > _FLOOD_BYTES_PER_SECOND * max(now - last_turn, 1e-4)
                last_turn = now
                if flood and now - decoded < _FLOOD_SECONDS:
                    _readable(sock, 0.001)
                    continue
                # Then decode one slice, and look at the socket again.
                decoded = now
                if backlog.hand_over_one(sink):
                    continue
                if now - last_idle >= 1.0:
                    last_idle = now
                    sink.idle()
                if now - last_ping >= _PING_SECONDS:
                    last_ping = now
                    self._ping(sock, address)
                if now - last_heard >= _SILENCE_SECONDS:
                    raise BrokerUnreachable(
                        f"{address} did not answer for {_SILENCE_SECONDS:.0f} seconds",
                        hint="The network between us is cut, or the server hangs.",
                    )
                if _readable(sock, 0.5):
                    time.sleep(_GATHER_SECONDS)
        finally:
            while backlog.hand_over_one(sink):  # what arrived before the connection ended
                pass

    def _ping(self, sock: socket.socket, address: Address) -> None:
        sock.settimeout(self._timeout)
        sock.sendall(hiredis.pack_command(("PING",)))
        sock.setblocking(False)
        if self._sentinel_master is not None and self._find() != address:
            raise BrokerUnreachable(
                f"{address} is no longer the master of {self._sentinel_master}",
                hint="Sentinel has chosen another one; we go there.",
            )

    # ------------------------------------------------------------------ connecting

    def _find(self) -> Address:
        """Say where to connect: the first address that answers, or what a Sentinel says."""
        if self._sentinel_master is None:
            first = self._addresses[0]
            if len(self._addresses) > 1:  # the next time another one is tried first
                self._addresses.append(self._addresses.pop(0))
            return first
        troubles = []
        for sentinel in list(self._addresses):
            try:
                return self._ask(sentinel)
            except (OSError, SourceError, hiredis.HiredisError) as trouble:
                troubles.append(f"{sentinel}: {_said(trouble)}")
                self._addresses.append(self._addresses.pop(0))
        raise BrokerUnreachable(
            f"no Sentinel says where {self._sentinel_master!r} is ({'; '.join(troubles)})",
            hint="Check the Sentinels' addresses and the transport option master_name.",
        )

    def _ask(self, sentinel: Address) -> Address:
        assert self._sentinel_master is not None
        with self._open(sentinel, self._sentinel_tls) as sock:
            talk = _Talk(sock)
            if self._sentinel_password:
                words = [w for w in (self._sentinel_username, self._sentinel_password) if w]
                talk.send("AUTH", *words)
                talk.receive(f"Sentinel {sentinel} refused the login")
            talk.send("SENTINEL", "get-master-addr-by-name", self._sentinel_master)
            answer = talk.receive(f"Sentinel {sentinel} refused to answer")
        if not isinstance(answer, list) or len(answer) != 2:
            raise BrokerRefused(
                f"it knows no master named {self._sentinel_master!r}",
                hint="Check the transport option master_name.",
            )
        try:
            host, port = (part.decode() for part in answer)
            return Address(host, int(port))
        except (AttributeError, ValueError):
            raise BrokerRefused(
                f"it does not say where {self._sentinel_master!r} is",
                hint="What listens there is no Sentinel.",
            ) from None

    def _open(self, address: Address, tls: ssl.SSLContext | None) -> socket.socket:
        if address.path is not None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(self._timeout)
            try:
                sock.connect(address.path)
            except BaseException:
                sock.close()
                raise
            return sock
        sock = socket.create_connection((address.host, address.port), timeout=self._timeout)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                return tls.wrap_socket(sock, server_hostname=address.host)
        except BaseException:
            sock.close()
            raise
        return sock

    def _log_in(self, talk: _Talk, address: Address) -> None:
        username, password = self._username, self._password
        if self._credential_provider is not None:
            given = tuple(self._credential_provider.get_credentials())
            username, password = given if len(given) == 2 else (None, given[0])
        if password:
            talk.send("AUTH", *([username] if username else []), password)
            talk.receive(f"{address} refused the login")
        talk.send("CLIENT", "SETNAME", "celeryscope")
        talk.receive(None)


class _Backlog:
    """What was read and not decoded yet: bounded in bytes, the oldest is dropped first.

    It is kept as it was read, since splitting it takes time that the socket may not have.
    """

    def __init__(self, reader: hiredis.Reader, *, limit_bytes: int) -> None:
        self._reader = reader
        self._limit_bytes = limit_bytes
        self._chunks: deque[tuple[bytes, float]] = deque()
        self._held_bytes = 0
        self._most_bytes = 0  # held since it was last empty
        self._received_at = time.time()  # of what the reader holds
        self._unframed_bytes = 0  # given to the reader since it last had a whole reply

    def add(self, chunk: bytes, sink: Sink) -> None:
        self._chunks.append((chunk, time.time()))
        self._held_bytes += len(chunk)
        self._most_bytes = max(self._most_bytes, self._held_bytes)
        while self._held_bytes > self._limit_bytes and self._chunks:
            self._feed()
            while dropped := self._split():
                sink.dropped(len(dropped), sum(map(len, dropped)))

    def hand_over_one(self, sink: Sink) -> bool:
        """Hand over the oldest slice; False when nothing whole is left."""
        while not (payloads := self._split()):
            if not self._chunks:
                sink.buffered(0)
                self._give_back()
                return False
            self._feed()
        sink.buffered(self._held_bytes)
        sink.redis_envelopes(payloads, self._received_at)
        return True

    def _give_back(self) -> None:
        """Return the memory of a large backlog to the system, which the allocator would keep."""
        if self._most_bytes > _LARGE_BACKLOG_BYTES and _malloc_trim is not None:
            _malloc_trim(0)
        self._most_bytes = 0

    def _feed(self) -> None:
        chunk, self._received_at = self._chunks.popleft()
        self._held_bytes -= len(chunk)
        self._reader.feed(chunk)
        self._unframed_bytes += len(chunk)

    def _split(self) -> list[bytes]:
        """Split off at most a slice of whole messages; other replies are passed over."""
        payloads: list[bytes] = []
        gets = self._reader.gets
        while len(payloads) < _SLICE_MESSAGES and (reply := gets()) is not False:
            self._unframed_bytes = 0
            if (
                type(reply) is list
                and len(reply) == 4
                and reply[0] == b"pmessage"
                and type(reply[3]) is bytes
            ):
                payloads.append(reply[3])
        if not payloads and self._unframed_bytes > max(self._limit_bytes, _TURN_BYTES):
            raise BrokerUnreachable(f"one message is larger than {self._limit_bytes} bytes")
        return payloads


class _Talk:
    """Commands and replies on a fresh connection, before the stream of messages begins."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = hiredis.Reader()

    def send(self, *words: str) -> None:
        self.sock.sendall(hiredis.pack_command(words))  # type: ignore[arg-type]  # of any length

    def receive(self, refusal: str | None) -> Any:
        """Give the next reply; an error reply raises `BrokerRefused`, unless `refusal` is None."""
        while (reply := self.reader.gets()) is False:
            data = self.sock.recv(65536)
            if not data:
                raise BrokerUnreachable("the server closed the connection")
            self.reader.feed(data)
        if isinstance(reply, hiredis.ReplyError):
            if refusal is None:
                return None
            raise BrokerRefused(f"{refusal}: {reply}", hint=_refusal_hint(str(reply)))
        return reply


def patterns(
    *,
    exchange: str,
    db: int,
    fanout_prefix: bool | str,
    global_keyprefix: str,
    sentinel: bool = False,
) -> list[str]:
    """Give the PSUBSCRIBE patterns of an event exchange, as kombu names its channels.

    kombu before 5.4 did not fill in the database number when it came through Sentinel, so
    there both names are listened to.
    """
    if not fanout_prefix:
        prefixes = [""]
    elif isinstance(fanout_prefix, str):
        prefixes = [fanout_prefix.replace("{db}", str(db))]
    else:
        prefixes = [f"/{db}."]
        if sentinel:
            prefixes.append("/{db}.")
    bases = [_literal(global_keyprefix + prefix + exchange) for prefix in prefixes]
    return [pattern for base in bases for pattern in (base, base + "/*")]


def load_credential_provider(named: Any) -> Any:
    """Give the provider that transport options name: an object, or a dotted path to a class."""
    if not isinstance(named, str):
        return named
    module, _, name = named.rpartition(".")
    return getattr(importlib.import_module(module), name)()


def tls_context(options: Mapping[str, Any] | bool | None) -> ssl.SSLContext | None:
    """Build a TLS context from redis-py's options (`ssl_cert_reqs`, `ssl_ca_certs`, ...).

    None or False means no TLS. Certificates are checked unless `ssl_cert_reqs` says none.
    """
    if options is None or options is False:
        return None
    given = {} if options is True else {k.removeprefix("ssl_"): v for k, v in options.items()}
    context = ssl.create_default_context(cafile=given.get("ca_certs"))
    if given.get("ca_path"):
        context.load_verify_locations(capath=given["ca_path"])
    required = given.get("cert_reqs", ssl.CERT_REQUIRED)
    if isinstance(required, str):
        required = required.upper().removeprefix("CERT_")
        required = {"NONE": ssl.CERT_NONE, "OPTIONAL": ssl.CERT_OPTIONAL}.get(
            required, ssl.CERT_REQUIRED
        )
    check = given.get("check_hostname", required != ssl.CERT_NONE)
    context.check_hostname = bool(check) and required != ssl.CERT_NONE
    context.verify_mode = required
    if given.get("certfile"):
        context.load_cert_chain(given["certfile"], given.get("keyfile"), given.get("password"))
    return context


def _readable(sock: socket.socket, timeout_seconds: float) -> bool:
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(timeout_seconds * 1000))


def _literal(text: str) -> str:
    return "".join("\\" + c if c in "*?[]\\^" else c for c in text)


def _said(trouble: BaseException) -> str:
    if isinstance(trouble, TimeoutError):
        return "it did not answer in time"
    return getattr(trouble, "strerror", None) or str(trouble) or type(trouble).__name__


def _hint(trouble: BaseException) -> str:
    if isinstance(trouble, ConnectionRefusedError):
        return "Nothing listens there. Is the broker running, and is the address right?"
    if isinstance(trouble, socket.gaierror):
        return "The host name cannot be resolved."
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return "The server's certificate is not trusted: give its CA with --broker-ca."
    if isinstance(trouble, ssl.SSLError):
        return "TLS failed. Does the server speak TLS on this port (rediss://)?"
    if isinstance(trouble, FileNotFoundError):
        return "There is no such socket file."
    if isinstance(trouble, hiredis.ProtocolError):
        return "What listens there does not speak the Redis protocol."
    return ""


def _refusal_hint(reply: str) -> str:
    if reply.startswith("NOAUTH"):
        return "The server wants a password: redis://:password@host/0"
    if reply.startswith("WRONGPASS") or "AUTH" in reply:
        return "User name or password is wrong."
    if reply.startswith("NOPERM"):
        return "The ACL user needs +psubscribe, +ping, +client|setname and the event channels."
    return ""
