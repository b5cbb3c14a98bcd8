"""The project. Django imports it first, and with it the Celery app that tasks are bound to."""

from shop.celery import app

__all__ = ["app"]
