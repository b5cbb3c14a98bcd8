"""Answers `ping` for many workers, as many as there are names in a file, until it is ended.

python benchmarks/crowd.py --url redis://localhost --names names.txt --ready ready
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery


def main() -> None:
    """Listen where all workers listen, and answer once for each name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the broker")
    parser.add_argument("--names", required=True, type=Path, help="a name a line")
    parser.add_argument("--ready", required=True, type=Path, help="made when it listens")
    given = parser.parse_args()
    names = given.names.read_text().split()
    app = Celery("crowd", broker=given.url, set_as_current=False)
    with app.connection_for_read() as connection:
        node = app.control.mailbox(connection).Node(
            names[0], handlers={}, channel=connection.default_channel
        )

        def answer(body: Mapping[str, Any], _message: object) -> None:
            if body.get("method") != "ping" or "reply_to" not in body:
                return
            for name in names:
                node.reply({name: {"ok": "pong"}}, ticket=body["ticket"], **body["reply_to"])

        with node.listen(callback=answer):
            while True:
                with suppress(TimeoutError):
                    connection.drain_events(timeout=0.2)
                given.ready.touch()


if __name__ == "__main__":
    main()
