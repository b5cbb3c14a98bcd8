"""What the console shows, looked at from outside: whether live data is on the page."""

from __future__ import annotations

import http.client
import json
from typing import NamedTuple

OVERVIEW = "/api/v1/overview"


class Sight(NamedTuple):
    answers: bool = False  # somebody speaks HTTP there
    connected: bool = False  # and it has the broker
    tasks: int = 0  # task events it has counted
    workers: int = 0  # online
    readable: bool = False  # the answer is an overview; a login page is not


def look(address: str, port: int, url_prefix: str, *, timeout_seconds: float = 0.5) -> Sight:
    # Not urllib: it would ask the proxy that the environment may name.
    connection = http.client.HTTPConnection(reachable(address), port, timeout=timeout_seconds)
    try:
        connection.request("GET", path(url_prefix, OVERVIEW))
        response = connection.getresponse()
        return read(response.status, response.read())
    except (OSError, http.client.HTTPException):
        return Sight()
    finally:
        connection.close()


def read(status: int, body: bytes) -> Sight:
    """An overview's answer as a `Sight`."""
    try:
        overview = json.loads(body) if status == 200 else None
    except ValueError:
        overview = None
    if not isinstance(overview, dict):
        return Sight(answers=True)
    totals = overview.get("totals", {})
    return Sight(
        answers=True,
        readable=True,
        connected=overview.get("broker", {}).get("state") == "connected",
        tasks=sum(count for kind, count in totals.items() if kind.startswith("task-")),
        workers=overview.get("workers", {}).get("online", 0),
    )


def page_url(address: str, port: int, url_prefix: str) -> str:
    host = reachable(address)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{path(url_prefix, '/')}"


def path(url_prefix: str, below: str) -> str:
    prefix = url_prefix.strip("/")
    return f"/{prefix}{below}" if prefix else below


def reachable(address: str) -> str:
    """Where a browser on this machine finds a server that listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(address, address)
