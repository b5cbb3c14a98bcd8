"""The shop's Celery app: three queues, JSON only, every event switched on.

It is configured as a project of yours would be; the broker and the result backend come from
Celery's own variables, `CELERY_BROKER_URL` and `CELERY_RESULT_BACKEND`:

    celery -A celeryscope.demo.shop.project worker -n checkout@shop-1 -Q checkout -c 2
"""

from __future__ import annotations

import warnings

from celery import Celery
from celery.exceptions import SecurityWarning
from kombu import Exchange, Queue

# A worker warns when root runs it, because a pickle could then take the machine. None is
# accepted here, and a container's only user often is root.
warnings.filterwarnings("ignore", category=SecurityWarning)

CHECKOUT = "checkout"
MEDIA = "media"
BACKOFFICE = "backoffice"
QUEUES = (CHECKOUT, MEDIA, BACKOFFICE)

app = Celery(
    "shop",
    include=[
        "celeryscope.demo.shop.backoffice",
        "celeryscope.demo.shop.checkout",
        "celeryscope.demo.shop.media",
    ],
)

app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    event_serializer="json",
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
    task_default_queue=CHECKOUT,
    task_routes={
        "payments.*": {"queue": CHECKOUT},
        "emails.*": {"queue": CHECKOUT},
        "inventory.reserve": {"queue": CHECKOUT},
        "images.*": {"queue": MEDIA},
        "search.*": {"queue": MEDIA},
        "inventory.sync": {"queue": BACKOFFICE},
        "webhooks.*": {"queue": BACKOFFICE},
        "reports.*": {"queue": BACKOFFICE},
        "exports.*": {"queue": BACKOFFICE},
        "cleanup.*": {"queue": BACKOFFICE},
    },
    task_track_started=True,
    task_send_sent_event=True,
    worker_send_task_events=True,
    worker_prefetch_multiplier=2,
    worker_pool_restarts=True,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_connection_retry_on_startup=True,
    result_extended=True,  # arguments, too, so that any task can be sent again exactly
    result_expires=600,  # seconds; a demo that runs for days keeps its broker small
    beat_schedule={
        "expire carts": {
            "task": "cleanup.expire_carts",
            "schedule": 10.0,
            "kwargs": {"older_than_minutes": 30},
            "options": {"ignore_result": True, "expires": 10},
        },
        "sync the warehouse": {
            "task": "inventory.sync",
            "schedule": 15.0,
            "args": ("warehouse-north",),
            "options": {"ignore_result": True, "expires": 15},
        },
        "reindex what changed": {
            "task": "search.reindex",
            "schedule": 30.0,
            "args": ("changed",),
            "options": {"ignore_result": True, "expires": 30},
        },
    },
)
