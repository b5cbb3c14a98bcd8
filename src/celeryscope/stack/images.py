"""IMAGES: every image that a stack is made of, with its version. Nothing else names one."""

from __future__ import annotations

from celeryscope import __version__

IMAGES = {
    "redis": "redis:8.0.3-alpine",
    "postgres": "postgres:17.5-alpine",
    "flower": "mher/flower:2.2.0",
    "prometheus": "prom/prometheus:v3.5.3",
    "alertmanager": "prom/alertmanager:v0.33.1",
    "pushgateway": "prom/pushgateway:v1.11.2",
    "grafana": "grafana/grafana:13.1.4",
}

#: Built from the stack's own Dockerfile; the version makes Compose build it anew after an upgrade.
CELERYSCOPE = f"celeryscope-stack:{__version__}"
PYTHON = "3.13"  # of that image
