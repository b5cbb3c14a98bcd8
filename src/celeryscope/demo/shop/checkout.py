"""Tasks a customer waits for: stock, payment, receipt."""

from __future__ import annotations

from typing import Any

from celeryscope.demo.shop import services
from celeryscope.demo.shop.project import app

STOCK = {"lamp-brass": 3, "chair-oak": 12, "mug-blue": 400}


@app.task(name="inventory.reserve")
def reserve(order_id: str, sku: str, pieces: int) -> dict[str, Any]:
    left = services.take_from_shelf(STOCK, sku, pieces)
    return {"order": order_id, "sku": sku, "left": left}


@app.task(
    name="payments.charge",
    bind=True,
    autoretry_for=(services.GatewayTimeout,),
    max_retries=2,
    default_retry_delay=1,
)
def charge(self: Any, order_id: str, amount_cents: int, card: str) -> dict[str, str]:
    charged = services.charge_card(card, amount_cents, self.request.retries)
    return {"order": order_id, "charge": charged}


@app.task(name="emails.send_receipt", bind=True, max_retries=2)
def send_receipt(self: Any, order_id: str, address: str) -> str:
    try:
        services.deliver_mail(address, f"Your order {order_id}", self.request.retries)
    except services.MailboxFull as reason:
        raise self.retry(exc=reason, countdown=2) from reason
    return f"sent to {address}"


@app.task(name="emails.send_newsletter", ignore_result=True)
def send_newsletter(issue: int, address: str) -> None:
    services.deliver_mail(address, f"News {issue}", attempt=0)
