"""Texts that mean harm, and a real worker that says them wherever it can.

python -m tests.e2e.harmful redis://127.0.0.1:6379/0 0
"""

from __future__ import annotations

import sys
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

RUN = "window.harmed = true; alert(1)"
TEXTS = {
    "markup": f'<img src=x onerror="{RUN}">',
    "script": f'\'"></title></script><script>{RUN}</script><svg onload="{RUN}">',
    "link": f"javascript:{RUN}//",
    "10 kB": "shop.pay." + "x" * 10_000,
    "words of 10 kB": "shop pay " * 1_200,
    "right to left": "pay\u202egnp.exe\u2066\u200f עברית العربية",
    "control": "a\x00b\x07\x1b[31mred\x7f\x85\u2028line\r\nbreak\ttab\ufeff\u200b",
    "emoji": "👩‍👩‍👧‍👦.🥬.pay 🏴\U000e0067\U000e007f",
    "stacked": "Z" + "\u0301\u0316" * 200 + "algo",
    "address": "../..//a?b=%2F&c=d#e;f\\g h%",
    "query": 'a:"b" OR -(state:failure)\\ *',
    "prototype": "__proto__",
    "constructor": "constructor",
    "blank": "   ",
}
#: The worst of them, for what takes a page each.
WORST = (
    "markup", "script", "link", "10 kB", "words of 10 kB", "right to left", "control", "stacked"
)  # fmt: skip

# The name of a node cannot be any text: a process title ends at a NUL, a node's name has one @.
HOSTS = (
    "".join(TEXTS[kind] for kind in ("markup", "right to left", "control", "emoji")),
    TEXTS["10 kB"],
)


def hostname(which: int) -> str:
    return f"{HOSTS[which]}@{HOSTS[which]}".replace("\0", "")


def application(broker: str) -> Any:
    app = Celery("harm", broker=broker, set_as_current=False)
    app.conf.update(
        task_queues=[Queue(text, Exchange(text), routing_key=text) for text in TEXTS.values()],
        task_send_sent_event=True,
        task_track_started=True,
        worker_send_task_events=True,
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
    )
    for text in TEXTS.values():
        _register(app, text)
    return app


def _register(app: Any, text: str) -> None:
    @app.task(name=text)
    def harm(*_arguments: str, **options: str) -> str:
        if "succeed" in options:
            return text
        raise type(text.replace("\0", ""), (Exception,), {})(text)


def send(app: Any) -> int:
    """Have each text said by a task that fails and by one that succeeds; give how many."""
    for text in TEXTS.values():
        for end in ("fail", "succeed"):
            app.tasks[text].apply_async(
                (text,), {end: text, text: text}, task_id=f"{text} {end}", queue=text
            )
    return 2 * len(TEXTS)


def main() -> None:
    """Work, one task at a time, under a name that means harm."""
    broker, which = sys.argv[1:]
    app = application(broker)
    worker = app.Worker(
        hostname=hostname(int(which)), pool="solo", queues=list(TEXTS.values()),
        without_gossip=True, without_mingle=True, loglevel="CRITICAL",
    )  # fmt: skip
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
