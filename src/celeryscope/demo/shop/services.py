"""The world around the shop, pretended: it takes its time, and it fails on request.

What happens is decided by the argument, as with a payment provider's test cards: a card that
ends in `declined` is declined. So the traffic chooses the outcome, and a failure has a
traceback through several frames, like a real one.
"""

from __future__ import annotations

import random
import time


class CardDeclined(Exception):
    """The bank said no; asking again would not help."""


class GatewayTimeout(Exception):
    """The payment provider did not answer in time."""


class MailboxFull(Exception):
    """The receiving server refuses this address for now."""


class OutOfStock(Exception):
    """There are fewer pieces than were ordered."""


class UnreadableImage(ValueError):
    """The file is no picture, whatever its name says."""


class EndpointGone(Exception):
    """The partner removed this hook (HTTP 410)."""


def take(low_seconds: float, high_seconds: float) -> None:
    """Wait for somebody else's computer; most answers come early, some late."""
    time.sleep(random.triangular(low_seconds, high_seconds, low_seconds))


def charge_card(card: str, amount_cents: int, attempt: int) -> str:
    take(0.04, 0.25)
    if card.endswith("declined"):
        raise CardDeclined(f"insufficient funds for {amount_cents / 100:.2f} EUR")
    if card.endswith("slow") and attempt == 0:
        raise GatewayTimeout("no answer from api.payments.example in 0.2 s")
    return f"ch_{random.randrange(16**8):08x}"


def deliver_mail(address: str, subject: str, attempt: int) -> None:
    take(0.01, 0.06)
    if address.endswith("@full.example") or (address.endswith("@grey.example") and not attempt):
        raise MailboxFull(f"452 4.2.2 <{address}>: {subject!r} not accepted, try again later")


def post_json(url: str, attempt: int) -> int:
    take(0.03, 0.3)
    if "//down." in url or ("//flaky." in url and attempt < 1):
        raise ConnectionError(f"[Errno 111] Connection refused: POST {url}")
    if "//gone." in url:
        raise EndpointGone(f"410 Gone: POST {url}")
    return 200


def take_from_shelf(stock: dict[str, int], sku: str, pieces: int) -> int:
    take(0.004, 0.03)
    if stock.get(sku, 40) < pieces:
        raise OutOfStock(f"{sku}: {stock.get(sku, 40)} left, {pieces} ordered")
    return stock.get(sku, 40) - pieces


def decode_picture(path: str) -> tuple[int, int]:
    if path.endswith(".broken.png"):
        raise UnreadableImage(f"cannot identify image file {path!r}")
    return 2400, 1600
