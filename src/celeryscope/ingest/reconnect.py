"""The loop that every source runs in: read, say what broke, wait a little longer each time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from celeryscope.errors import SourceError
from celeryscope.ingest.source import Sink

logger = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 0.1, 5.0
#: A connection that held this long was a good one: the next waiting is short again.
_STEADY_SECONDS = 1.0


def keep_reading(
    session: Callable[[], None],
    *,
    explain: Callable[[Exception], SourceError],
    sink: Sink,
    stop: threading.Event,
) -> None:
    """Run `session`, which reads until something breaks or `stop` is set, again and again.

    `explain` turns whatever broke it into what people are told; nothing is raised.
    """
    backoff = FIRST_BACKOFF_SECONDS
    while not stop.is_set():
        began = time.monotonic()
        try:
            session()
        except Exception as error:
            if not isinstance(error, OSError | SourceError):
                logger.debug("the connection to the broker failed", exc_info=True)
            trouble = explain(error)
            sink.disconnected(str(trouble), trouble.hint)
        if time.monotonic() - began > _STEADY_SECONDS:
            backoff = FIRST_BACKOFF_SECONDS
        sink.idle()
        stop.wait(backoff)
        backoff = min(LAST_BACKOFF_SECONDS, backoff * 2)
