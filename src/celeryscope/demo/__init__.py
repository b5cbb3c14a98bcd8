"""A real little Celery cluster, and the console over it: `celeryscope demo`."""

from __future__ import annotations

from celeryscope.demo.command import run

__all__ = ["run"]
