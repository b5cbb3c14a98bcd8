"""What customers and staff of the shop do, as a table: each scenario draws one `Act`.

Nothing is sent here; `traffic` does that. Every way a Celery task can end is in the table,
and `deal` brings each up once before it repeats any. Only a hard time limit is left out: the
worker sends no event for it, and the task would seem to run for good.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from celery import chain, chord, group

from celeryscope.demo.plan import TASKS_PER_SECOND
from celeryscope.demo.shop import backoffice, checkout, media

REGIONS = ("north", "south", "coast")
PRODUCTS = ("lamp-brass", "chair-oak", "mug-blue", "rug-wool", "clock-wall", "desk-pine")
NAMES = ("ada", "grace", "linus", "margaret", "ken", "barbara", "edsger", "radia")


class Act(NamedTuple):
    """A signature to send, with what to send it with and when to take it back."""

    canvas: Any
    options: dict[str, Any] = {}
    revoke_after_seconds: float | None = None
    terminate: bool = False


class Scenario(NamedTuple):
    name: str
    weight: int  # how often, relative to the others
    tasks: float  # how many tasks one act makes, roughly; retries not counted
    draw: Callable[[random.Random], Act]


def an_order(rng: random.Random) -> str:
    return f"R{rng.randrange(100_000, 999_999)}"


def a_customer(rng: random.Random, domain: str = "mail.example") -> str:
    return f"{rng.choice(NAMES)}.{rng.randrange(1000)}@{domain}"


def an_amount(rng: random.Random) -> int:
    return int(rng.lognormvariate(8.2, 0.6))


def order(rng: random.Random) -> Act:
    return _purchase(rng, card="visa-4242")


def declined_order(rng: random.Random) -> Act:
    return _purchase(rng, card="visa-declined")


def slow_bank_order(rng: random.Random) -> Act:
    return _purchase(rng, card="amex-slow")


def sold_out_order(rng: random.Random) -> Act:
    return _purchase(rng, card="visa-4242", sku="lamp-brass", pieces=rng.randrange(4, 9))


def _purchase(rng: random.Random, *, card: str, sku: str = "mug-blue", pieces: int = 1) -> Act:
    number = an_order(rng)
    return Act(
        chain(
            checkout.reserve.si(number, sku, pieces),
            checkout.charge.si(number, an_amount(rng), card),
            checkout.send_receipt.si(number, a_customer(rng)),
        )
    )


def greylisted_receipt(rng: random.Random) -> Act:
    return Act(checkout.send_receipt.si(an_order(rng), a_customer(rng, "grey.example")))


def bounced_receipt(rng: random.Random) -> Act:
    return Act(checkout.send_receipt.si(an_order(rng), a_customer(rng, "full.example")))


def newsletter(rng: random.Random) -> Act:
    issue = rng.randrange(200, 230)
    return Act(group(checkout.send_newsletter.si(issue, a_customer(rng)) for _ in range(5)))


def newsletter_to_a_full_mailbox(rng: random.Random) -> Act:
    return Act(checkout.send_newsletter.si(229, a_customer(rng, "full.example")))


def upload(rng: random.Random) -> Act:
    product = rng.choice(PRODUCTS)
    path = f"uploads/{product}-{rng.randrange(100)}.jpg"
    return Act(
        chord([media.resize.s(path, width) for width in (320, 800, 1600)], media.publish.s(product))
    )


def broken_upload(rng: random.Random) -> Act:
    return Act(media.resize.s(f"uploads/{rng.choice(PRODUCTS)}.broken.png", 800))


def price_change(rng: random.Random) -> Act:
    return Act(media.reindex.si(rng.choice(PRODUCTS)))


def webhook(rng: random.Random) -> Act:
    return _hook(rng, "https://partner.example/hooks/orders")


def flaky_webhook(rng: random.Random) -> Act:
    return _hook(rng, "https://flaky.partner.example/hooks/orders")


def dead_webhook(rng: random.Random) -> Act:
    return _hook(rng, "https://down.partner.example/hooks/orders")


def gone_webhook(rng: random.Random) -> Act:
    return _hook(rng, "https://gone.partner.example/hooks/orders")


def _hook(rng: random.Random, url: str) -> Act:
    return Act(backoffice.deliver.si(url, rng.choice(("order.paid", "order.sent")), an_order(rng)))


def daily_report(rng: random.Random) -> Act:
    day = f"2026-11-{rng.randrange(1, 29):02d}"
    sections = [backoffice.section.s(region, day) for region in REGIONS]
    return Act(chord(sections, backoffice.build.s(f"Sales of {day}")))


def year_report(rng: random.Random) -> Act:
    return Act(backoffice.year.si(rng.randrange(2021, 2026)))


def year_report_that_takes_too_long(rng: random.Random) -> Act:
    return Act(backoffice.year.si(2026))


def year_report_stopped_by_hand(rng: random.Random) -> Act:
    return Act(backoffice.year.si(2026), revoke_after_seconds=3.0, terminate=True)


def csv_export(rng: random.Random) -> Act:
    return Act(backoffice.csv.si(rng.choice(("orders", "customers")), rng.randrange(4000, 40_000)))


def export_of_an_unknown_table(rng: random.Random) -> Act:
    return Act(backoffice.csv.si("suppliers", 1200))


def reminder(rng: random.Random) -> Act:
    """Waits in the worker for its time (ETA)."""
    send = checkout.send_receipt.si(an_order(rng), a_customer(rng))
    return Act(send, {"countdown": rng.uniform(4, 12)})


def reminder_called_off(rng: random.Random) -> Act:
    send = checkout.send_receipt.si(an_order(rng), a_customer(rng))
    return Act(send, {"countdown": 3.5}, revoke_after_seconds=1.5)


def offer_that_came_too_late(rng: random.Random) -> Act:
    """Is due after it has expired, as when a queue is long and an offer short."""
    send = checkout.send_newsletter.si(229, a_customer(rng))
    return Act(send, {"countdown": 2.5, "expires": 1.5})


SCENARIOS = (
    Scenario("order", 120, 3, order),
    Scenario("declined order", 5, 2, declined_order),
    Scenario("slow bank", 5, 3, slow_bank_order),
    Scenario("sold out", 3, 1, sold_out_order),
    Scenario("greylisted receipt", 6, 1, greylisted_receipt),
    Scenario("bounced receipt", 2, 1, bounced_receipt),
    Scenario("newsletter", 14, 5, newsletter),
    Scenario("full mailbox", 3, 1, newsletter_to_a_full_mailbox),
    Scenario("upload", 30, 4, upload),
    Scenario("broken upload", 4, 1, broken_upload),
    Scenario("price change", 90, 1, price_change),
    Scenario("webhook", 70, 1, webhook),
    Scenario("flaky webhook", 5, 1, flaky_webhook),
    Scenario("dead webhook", 3, 1, dead_webhook),
    Scenario("gone webhook", 2, 1, gone_webhook),
    Scenario("daily report", 3, 4, daily_report),
    Scenario("year report", 2, 1, year_report),
    Scenario("too long report", 1, 1, year_report_that_takes_too_long),
    Scenario("stopped report", 1, 1, year_report_stopped_by_hand),
    Scenario("csv export", 5, 1, csv_export),
    Scenario("unknown table", 2, 1, export_of_an_unknown_table),
    Scenario("reminder", 14, 1, reminder),
    Scenario("reminder called off", 3, 1, reminder_called_off),
    Scenario("late offer", 3, 1, offer_that_came_too_late),
)


def tasks_per_act(scenarios: tuple[Scenario, ...] = SCENARIOS) -> float:
    weights = sum(scenario.weight for scenario in scenarios)
    return sum(scenario.weight * scenario.tasks for scenario in scenarios) / weights


def deal(rng: random.Random, scenarios: tuple[Scenario, ...] = SCENARIOS) -> Iterator[Scenario]:
    """Endless: each scenario once, then decks shuffled so that each comes as often as it weighs."""
    opening = list(scenarios)
    rng.shuffle(opening)
    yield from opening
    deck = [scenario for scenario in scenarios for _ in range(scenario.weight)]
    while True:
        rng.shuffle(deck)
        yield from deck


def swell(at_seconds: float) -> float:
    """Traffic relative to its mean: two gentle waves, of three minutes and of fifty seconds."""
    slow = 0.30 * math.sin(2 * math.pi * at_seconds / 180)
    quick = 0.12 * math.sin(2 * math.pi * at_seconds / 50)
    return 1 + slow + quick


def pause_seconds(rng: random.Random, at_seconds: float, rate: float) -> float:
    """Time to the next act (Poisson arrivals): `rate` 1 makes TASKS_PER_SECOND on average."""
    acts_per_second = rate * swell(at_seconds) * TASKS_PER_SECOND / tasks_per_act()
    return rng.expovariate(acts_per_second)
