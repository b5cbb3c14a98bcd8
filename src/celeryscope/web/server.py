"""The server: uvicorn, kept from clients that are slow, many or large.

It accepts connections itself. What is over a limit so costs nothing, and a connection counts from
its first packet on: also one that takes its time over a TLS handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import resource
import socket
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import uvicorn

from celeryscope.web.certificate import Certificate
from celeryscope.web.connection import READ_BYTES, Connection, Limits, Phase, refusal

logger = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Files that the rest of the program may have open: brokers, the database, the page's files.
_OTHER_FILES = 200
_FEWEST_CONNECTIONS = 20
_ACCEPTED_AT_ONCE = 64
#: In ticks of uvicorn's, of which there are ten a second.
_LOOK_TICKS = 5
_RENEW_TICKS = 50
_TELL_TICKS = 600
_ACCEPT_AGAIN_SECONDS = 1.0
_TLS_END_SECONDS = 5.0
#: Whose answer was not read for so long can be cut when too much is unread in all.
_UNREAD_SECONDS = 1.0
#: A TLS connection of asyncio has a buffer of this size for what it reads; 256 KiB otherwise.
_TLS_BUFFER_BYTES = 32 * 1024


def make_server(
    app: Any,
    *,
    certfile: Path | None = None,
    keyfile: Path | None = None,
    ca_certs: Path | None = None,
    on_exit: Callable[[], None] = lambda: None,
    limits: Limits | None = None,
    trusted_proxies: Collection[Network] = (),
    stop_seconds: int = 3,
) -> Server:
    """Make what serves `app`; `run(sockets=[…])` runs it until SIGINT or SIGTERM.

    `on_exit` is called as soon as it is to stop, in the signal handler: live streams have no end
    of their own. `trusted_proxies` may have any number of connections, as this machine may: they
    bring other people's. Raises ConfigError when certificate and key cannot be used.
    """
    certificate = None
    if certfile is not None and keyfile is not None:
        certificate = Certificate(certfile, keyfile, ca_certs)
        _shrink_tls_buffers()
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        log_config=None,
        log_level="error",  # its warnings are about malformed requests, one each
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_graceful_shutdown=stop_seconds,
    )
    return Server(
        config,
        certificate=certificate,
        on_exit=on_exit,
        limits=limits or Limits(),
        trusted_proxies=trusted_proxies,
    )


class Server(uvicorn.Server):
    """uvicorn's server with the accepting, the limits and the certificate in our hands."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        certificate: Certificate | None,
        on_exit: Callable[[], None],
        limits: Limits,
        trusted_proxies: Collection[Network],
    ) -> None:
        super().__init__(config)
        self.guests = Guests(limits)
        self._certificate = certificate
        self._on_exit = on_exit
        self._limits = limits
        self._trusted = tuple(trusted_proxies)
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._sockets: list[socket.socket] = []
        self._welcomes: set[asyncio.Task[None]] = set()
        self._out_of_files = False

    # ------------------------------------------------------------------ uvicorn

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._on_exit()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; the sockets must be listening."""
        await super().startup(sockets=[])
        self.guests.most = _affordable(self._limits.connections)
        self._sockets = list(sockets or [])
        for listener in self._sockets:
            listener.setblocking(False)
            self._listen(listener)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: open answers have some seconds, everything else none."""
        for listener in self._sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        self._sockets = []
        for guest in self.guests.in_phase(Phase.GREETING):
            guest.cut()
        await super().shutdown(sockets=sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % _LOOK_TICKS == 0:
            self.guests.look(asyncio.get_running_loop().time())
        if self._certificate is not None and counter and counter % _RENEW_TICKS == 0:
            self._certificate.renew()
        if counter % _TELL_TICKS == 0 and (told := self.guests.told()):
            logger.warning("Within a minute, connections were cut or refused: %s", told)
        return await super().on_tick(counter)

    # ------------------------------------------------------------------ accepting

    def _listen(self, listener: socket.socket) -> None:
        if listener in self._sockets:
            asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as trouble:
                self._pause(listener, trouble)
                return
            self._out_of_files = False
            accepted.setblocking(False)
            with contextlib.suppress(OSError):  # a Unix socket has no such thing
                # asyncio does it too, but not where the listener was made without a protocol.
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            address = group_of(accepted, self._trusted)
            if self.guests.make_room(address):
                self._let_in(accepted, address)
            else:
                self._turn_away(accepted)

    def _pause(self, listener: socket.socket, trouble: OSError) -> None:
        """Without files or memory, who waits to be accepted would wake us again at once."""
        if not self._out_of_files:
            self._out_of_files = True
            logger.error("No connection can be accepted right now: %s", trouble.strerror)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener.fileno())
        loop.call_later(_ACCEPT_AGAIN_SECONDS, self._listen, listener)

    def _let_in(self, accepted: socket.socket, address: str) -> None:
        guest = Connection(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            limits=self._limits,
            buffer=self._buffer,
            address=address,
            notify=self.guests.note,
        )
        self.guests.note(guest)
        welcome = asyncio.get_running_loop().create_task(self._welcome(accepted, guest))
        guest.cancel = welcome.cancel
        self._welcomes.add(welcome)
        welcome.add_done_callback(lambda _: self._welcomed(welcome, accepted, guest))

    async def _welcome(self, accepted: socket.socket, guest: Connection) -> None:
        tls = self._certificate is not None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: guest,
                accepted,
                ssl=self._certificate.context if self._certificate is not None else None,
                # Our own look ends it first.
                ssl_handshake_timeout=2 * self._limits.head_seconds if tls else None,
                ssl_shutdown_timeout=_TLS_END_SECONDS if tls else None,
            )
        except OSError:  # ssl.SSLError is one
            logger.debug("A connection ended before it was one", exc_info=True)

    def _welcomed(
        self, welcome: asyncio.Task[None], accepted: socket.socket, guest: Connection
    ) -> None:
        self._welcomes.discard(welcome)
        if not guest.made:
            accepted.close()
            guest.end()

    def _turn_away(self, accepted: socket.socket) -> None:
        if self._certificate is None:
            with contextlib.suppress(OSError):  # it is gone already
                accepted.send(_FULL)
        accepted.close()


class Guests:
    """All connections, and which of them go when there are too many."""

    def __init__(self, limits: Limits) -> None:
        self.most = limits.connections
        self._limits = limits
        self._all: set[Connection] = set()
        self._of: defaultdict[str, set[Connection]] = defaultdict(set)
        #: Those without a complete request, the longest waiting first.
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._cut: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def in_phase(self, phase: Phase) -> list[Connection]:
        return [guest for guest in self._all if guest.phase is phase]

    def note(self, guest: Connection) -> None:
        """Take note of a connection that is new, changed its phase or ended."""
        self._waiting.pop(guest, None)
        if guest.ended:
            self._all.discard(guest)
            group = self._of[guest.address]
            group.discard(guest)
            if not group:
                del self._of[guest.address]
            return
        self._all.add(guest)
        self._of[guest.address].add(guest)
        if guest.phase is not Phase.ANSWER:
            self._waiting[guest] = None

    def make_room(self, address: str) -> bool:
        """Make room for one more of `address` (empty: not counted); False if none can be made.

        For it goes, where it must, the connection that waits the longest for a request or for
        the rest of one: of the same address when that has too many, else of all.
        """
        group = self._of.get(address, ()) if address else ()
        if len(group) >= self._limits.connections_of_one_address:
            return self._give_up(
                (guest for guest in group if guest in self._waiting),
                f"for their address ({address}) had too many",
            )
        if len(self._all) >= self.most:
            return self._give_up(self._waiting, "for there were too many")
        return True

    def _give_up(self, waiting: Iterable[Connection], why: str) -> bool:
        self._cut[why] += 1
        if waiting is self._waiting:  # it is in order
            longest = next(iter(self._waiting), None)
        else:
            longest = min(waiting, key=lambda guest: guest.since, default=None)
        if longest is not None:
            longest.cut()
        return longest is not None

    def look(self, now: float) -> None:
        """End those whose time is up. `now` is the loop's time, in seconds."""
        for guest in list(self._all):
            if why := guest.look(now):
                self._cut[why] += 1
        unread = [guest for guest in self._all if guest.unread_bytes]
        total = sum(guest.unread_bytes for guest in unread)
        for guest in sorted(unread, key=lambda guest: guest.unread_since):
            if total <= self._limits.unread_bytes or now - guest.unread_since < _UNREAD_SECONDS:
                break
            total -= guest.unread_bytes
            guest.cut()
            self._cut["did not read their answers"] += 1

    def told(self) -> str:
        """Say in words what was cut or refused since it was asked last; empty: nothing."""
        told = ", ".join(f"{count} {why}" for why, count in self._cut.most_common(_MOST_TOLD))
        self._cut.clear()
        return told


def group_of(accepted: socket.socket, trusted: Collection[Network]) -> str:
    """Give what connections are counted by: the address, of IPv6 the network that a site has.

    Empty: they are not counted. A program on this machine and a trusted proxy are not.
    """
    try:
        peer = accepted.getpeername()
        found = ipaddress.ip_address(peer[0].partition("%")[0])
    except (OSError, ValueError, IndexError, AttributeError, TypeError):
        return ""  # it is gone already, or it came by a Unix socket
    address = getattr(found, "ipv4_mapped", None) or found
    if address.is_loopback or any(address in network for network in trusted):
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _affordable(wanted: int) -> int:
    """Raise the limit on open files as far as it takes; give how many connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    best = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
    except (OSError, ValueError):
        best = soft
    allowed = max(_FEWEST_CONNECTIONS, min(wanted, best - _OTHER_FILES))
    if allowed < wanted:
        logger.warning(
            "The limit on open files (%d) leaves room for %d connections instead of %d: raise it "
            "(ulimit -n, LimitNOFILE=)", best, allowed, wanted,
        )  # fmt: skip
    return allowed


def _shrink_tls_buffers() -> None:
    """Each connection would have 256 KiB from its first packet on: 256 MB for a thousand."""
    from asyncio import sslproto

    if hasattr(sslproto.SSLProtocol, "max_size"):
        sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES


_MOST_TOLD = 5
_FULL = refusal(503, "There are too many connections. Try again in a moment.")
