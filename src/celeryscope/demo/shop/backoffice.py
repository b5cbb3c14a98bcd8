"""Tasks that nobody waits for at the counter: hooks, reports, exports, cleaning."""

from __future__ import annotations

import random
import time
from typing import Any

from celery.exceptions import Reject

from celeryscope.demo.shop import services
from celeryscope.demo.shop.project import app


@app.task(
    name="webhooks.deliver",
    bind=True,
    acks_late=True,  # only a task that acknowledges late can reject its message
    autoretry_for=(ConnectionError,),
    max_retries=2,
    default_retry_delay=2,
)
def deliver(self: Any, url: str, event: str, order_id: str) -> int:
    try:
        return services.post_json(url, self.request.retries)
    except services.EndpointGone as reason:
        raise Reject(reason, requeue=False) from reason


@app.task(name="inventory.sync")
def sync(warehouse: str) -> dict[str, Any]:
    services.take(0.4, 1.5)
    return {"warehouse": warehouse, "changed": random.randrange(40)}


@app.task(name="reports.section")
def section(region: str, day: str) -> dict[str, Any]:
    services.take(0.3, 1.2)
    return {"region": region, "day": day, "orders": random.randrange(200, 900)}


@app.task(name="reports.build")
def build(sections: list[dict[str, Any]], title: str) -> str:
    services.take(0.1, 0.4)
    return f"{title}: {sum(part['orders'] for part in sections)} orders"


@app.task(name="reports.year", soft_time_limit=6, time_limit=12)
def year(of: int) -> str:
    """Takes seconds for a finished year; the running one is too much for its time limit."""
    for _month in range(12):
        time.sleep(0.8 if of >= 2026 else 0.3)
    return f"report for {of}"


@app.task(name="exports.csv")
def csv(table: str, rows: int) -> str:
    columns = {"orders": 12, "customers": 9}
    services.take(0.5, 0.5 + rows / 20_000)
    return f"{table}.csv: {rows} rows, {columns[table]} columns"


@app.task(name="cleanup.expire_carts", ignore_result=True)
def expire_carts(older_than_minutes: int) -> None:
    services.take(0.05, 0.2)
