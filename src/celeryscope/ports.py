"""TCP ports: whether one can be listened on, and the next that can."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

# EACCES: below 1024 without the right to; another port is the way out there, too.
_TAKEN = {errno.EADDRINUSE, errno.EACCES}

SEARCHED = 200  # ports looked at for a free one


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen on `address`:`port` now.

    Raises OSError when `address` is none of this machine's.
    """
    family, kind, protocol, _, where = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with closing(socket.socket(family, kind, protocol)) as probe:
        # As servers do: a port whose last connections linger in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
            probe.listen(1)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
    return True


def next_free(address: str, after: int) -> int | None:
    """The first free port above `after`, None when there is none near."""
    last = min(after + SEARCHED, 65535)
    return next((port for port in range(after + 1, last + 1) if is_free(address, port)), None)


def any_free(address: str) -> int:
    """A free port of the system's choice. Somebody else may still take it first."""
    with closing(socket.create_server((address, 0))) as probe:
        port: int = probe.getsockname()[1]
        return port
