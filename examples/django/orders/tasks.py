"""What happens to an order after it is placed."""

from celery import Task, shared_task
from django.db.models import Count
from django_celery_results.models import TaskResult

from orders.errors import CardDeclined, WarehouseBusy


@shared_task
def charge(order: int, card: str) -> str:
    """Take the money. No retry: a card that is declined now is declined later."""
    if not (card.isdigit() and len(card) == 16):
        raise CardDeclined(f"order {order}: a card number has 16 digits")
    return f"order {order} is paid"


@shared_task(bind=True, autoretry_for=(WarehouseBusy,), retry_backoff=1, max_retries=3)
def reserve(self: Task, order: int) -> str:
    """Take the goods off the shelf. The warehouse is always busy when it is asked first."""
    if self.request.retries == 0:
        raise WarehouseBusy(f"order {order}: ask again")
    return f"order {order} is reserved"


@shared_task
def send_receipt(paid: str) -> str:
    """Tell the customer; `paid` is what charge said."""
    return f"sent: {paid}"


@shared_task
def report() -> dict[str, int]:
    """Count the results by state. Beat sends it every ten seconds."""
    states = TaskResult.objects.values_list("status").annotate(count=Count("id"))
    return dict(states.order_by("status"))
