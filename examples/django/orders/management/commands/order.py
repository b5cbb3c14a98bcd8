"""`python manage.py order`: place orders, as a view would."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orders.tasks import charge, reserve, send_receipt


class Command(BaseCommand):
    help = "Place orders: for each, reserve the goods, charge the card, send the receipt."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", type=int, default=1, help="how many orders")
        parser.add_argument("--card", default="4242424242424242", help="the card to charge")

    def handle(self, *args: Any, **options: Any) -> None:
        for order in range(1, options["count"] + 1):
            reserve.delay(order)
            (charge.s(order, options["card"]) | send_receipt.s()).delay()
        self.stdout.write(f"{options['count']} orders placed")
