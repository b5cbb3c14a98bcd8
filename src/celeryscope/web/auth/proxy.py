"""A trusted proxy in front: whose word counts, where a request really came from, and who sent it.

Whoever is not in the named networks is believed nothing. Header lines come as ASGI has them: names
in lower case, in bytes. A name is taken to the letter, so that `x_remote_user`, which some servers
mix up with `x-remote-user`, is another header and counts for nothing.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from celeryscope.errors import ConfigError
from celeryscope.model.actor import Role
from celeryscope.web.auth.identity import Identity, clean_name, highest_role

logger = logging.getLogger(__name__)

Headers = Iterable[tuple[bytes, bytes]]
UNIX_SOCKET = "unix socket"  # an Actor's address where there is no IP address

_MOST_HOPS = 50
_ROLES: Mapping[str, Role] = {"viewer": "viewer", "operator": "operator", "admin": "admin"}
#: One `name=value` of Forwarded (RFC 7239 §4).
_PAIR = re.compile(r'\s*([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]+)\s*')


class Hop(NamedTuple):
    """What one proxy told of the one that it got the request from."""

    address: str  # "": it was not told, or is none
    scheme: str  # "": it was not told


class Proxy:
    """What is believed of a request by where it came from."""

    def __init__(
        self,
        *,
        trusted: Sequence[str],
        user_header: str = "",
        role_header: str = "",
        roles: Mapping[str, Role] | None = None,
        default_role: Role | None = None,
    ) -> None:
        """`trusted`: networks or addresses; `unix` is the Unix socket. Raises ConfigError.

        Without `roles` the words viewer, operator and admin in the role header mean themselves.
        """
        self._unix = "unix" in trusted
        self._networks = [_network(text) for text in trusted if text != "unix"]
        self._user_header = user_header.lower().encode("ascii")
        self._role_header = role_header.lower().encode("ascii")
        self._roles = roles or _ROLES
        self._default_role = default_role
        self._warned: set[str] = set()

    @property
    def names_people(self) -> bool:
        """Say whether people can come in by a trusted proxy's word."""
        return bool(self._user_header and (self._unix or self._networks))

    def peer(self, client_host: str | None) -> bool:
        """Say whether a connection's other end is one that we trust; None: the Unix socket."""
        return self._unix if not client_host else self._is_trusted(client_host)

    def address(self, peer: str | None, headers: Headers) -> str:
        """Give the client's own address, as the trusted proxies between us told it."""
        return self._client(peer, headers).address

    def scheme(self, peer: str | None, headers: Headers, scheme: str) -> str:
        """Give `http` or `https`, as the client spoke to the first trusted proxy."""
        headers = list(headers)
        if not self.peer(peer):
            return scheme
        told = {value.strip().lower() for value in _lines(headers, b"x-forwarded-proto")}
        told = told or {self._client(peer, headers).scheme.encode()}
        # Several that do not agree, or a list: nobody can say which of them is the client's.
        return next(iter(told)).decode() if told in ({b"http"}, {b"https"}) else scheme

    def identify(self, peer: str | None, headers: Headers) -> Identity | None:
        """Give the person whom a trusted proxy names; None: it names nobody who may come in."""
        if not self._user_header or not self.peer(peer):
            return None
        headers = list(headers)
        users = _lines(headers, self._user_header)
        groups = _lines(headers, self._role_header) if self._role_header else []
        if len(users) > 1 or len(groups) > 1:
            # One is the proxy's. The other may have come from the client through it.
            self._warn("several", "A proxy's user or role header came several times: not believed")
            return None
        if not users or not users[0].strip():
            return None
        name = clean_name(_text(users[0]))
        if name is None:
            self._warn("name", "A proxy's user header has no usable name: not believed")
            return None
        values = _values(groups[0]) if groups else []
        role = highest_role(values, self._roles) or self._default_role
        if role is None:
            self._warn("role", "A proxy names somebody whom no role is given to")
            return None
        return Identity(name=name, role=role)

    def _warn(self, kind: str, sentence: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            logger.warning(sentence, extra={"action": "proxy_login"})

    def _is_trusted(self, address: str) -> bool:
        found = _ip(address)
        return found is not None and any(found in network for network in self._networks)

    def _client(self, peer: str | None, headers: Headers) -> Hop:
        """Go back from the peer, hop by hop, as long as those who tell of it are trusted."""
        here = Hop(peer or UNIX_SOCKET, "")
        if not self.peer(peer):
            return here
        headers = list(headers)
        by_list = _by_list(_lines(headers, b"x-forwarded-for"))
        by_forwarded = _by_forwarded(_lines(headers, b"forwarded"))
        found = [self._first_untrusted(hops) for hops in (by_list, by_forwarded) if hops]
        # A proxy writes one of the two and passes on the other as the client sent it. Where they
        # do not agree, one of them is the client's own invention.
        addresses = {hop.address for hop in found}
        return found[-1] if len(addresses) == 1 and "" not in addresses else here

    def _first_untrusted(self, hops: Sequence[Hop]) -> Hop:
        """Give the last hop that is no trusted proxy, or no address; the first, where all are."""
        strange = (hop for hop in reversed(hops) if not self._is_trusted(hop.address))
        return next(strange, hops[0])


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"--trusted-proxies: {text!r} is neither a network such as 10.0.0.0/8, nor an address, "
            "nor unix"
        ) from None
    raise ConfigError(
        f"--trusted-proxies: {text} is an address within a network. Is the whole network meant, "
        f"{meant}, or the address alone, {text.partition('/')[0]}?"
    )


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; one of IPv4 in IPv6's clothes is the IPv4 address."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _lines(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _text(value: bytes) -> str:
    """Read a header's value: in UTF-8, as proxies send names; what is not is not printable."""
    return value.decode("utf-8", "replace").replace("\ufffd", "\0")


def _values(line: bytes) -> list[str]:
    """Give the groups of a role header; between them a comma, or the `|` of authentik."""
    return [value.strip() for value in re.split(r"[,|]", _text(line)) if value.strip()]


def _by_list(lines: Sequence[bytes]) -> list[Hop]:
    """Read X-Forwarded-For, oldest hop first; none: it is not there."""
    if not lines:
        return []
    parts = b",".join(lines).decode("latin-1").split(",")
    return [Hop(_told_address(part), "") for part in parts[-_MOST_HOPS:]]


def _by_forwarded(lines: Sequence[bytes]) -> list[Hop]:
    """Read Forwarded (RFC 7239), oldest hop first; none: it is not there."""
    if not lines:
        return []
    text = b",".join(lines).decode("latin-1")
    hops: list[Hop] = []
    hop, place = {"for": "", "proto": ""}, 0
    while True:
        match = _PAIR.match(text, place)
        if match is None:
            return [Hop("", "")]  # not in the form of the standard: nothing of it is believed
        hop[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2].strip('"'))
        place = match.end()
        if text[place : place + 1] != ";":
            hops.append(Hop(_told_address(hop["for"]), hop["proto"].lower()))
            hop = {"for": "", "proto": ""}
        if place >= len(text):
            return hops[-_MOST_HOPS:]
        if text[place] not in ";,":
            return [Hop("", "")]
        place += 1


def _told_address(text: str) -> str:
    """Read an address with or without a port, as `192.0.2.1:80` or `[2001:db8::1]:80`."""
    told = text.strip()
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?", told)
    with_port = re.fullmatch(r"([0-9.]+):\d{1,5}", told)
    if bracketed or with_port:
        told = (bracketed or with_port)[1]  # type: ignore[index]
    found = _ip(told)
    return "" if found is None else str(found)
