"""Celeryscope: see and steer Celery."""

__version__ = "0.1.0"
