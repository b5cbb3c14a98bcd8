"""The body of a request, read whole and never larger than it may be."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

#: The largest body that a request may have: Flower's clients send a task's arguments in it.
MAX_BODY_BYTES: Final = 256 * 1024


async def read_body(request: Request, *, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read the body; raises HTTPException 413 for a larger one, before it is read where it says
    how large it is."""
    too_large = HTTPException(413, f"The body may have at most {most_bytes:,} bytes.")
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most_bytes:
        raise too_large
    given = bytearray()
    async for chunk in request.stream():
        given += chunk
        if len(given) > most_bytes:
            raise too_large
    return bytes(given)
