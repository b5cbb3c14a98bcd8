"""Tasks on pictures and the search index."""

from __future__ import annotations

import hashlib
from typing import Any

from celeryscope.demo.shop import services
from celeryscope.demo.shop.project import app


@app.task(name="images.resize")
def resize(path: str, width: int) -> dict[str, Any]:
    full_width, full_height = services.decode_picture(path)
    height = full_height * width // full_width
    services.take(0.05, 0.08 + width / 6000)
    digest = hashlib.sha256(f"{path}:{width}".encode()).hexdigest()[:12]
    return {"path": f"{path}.{digest}.webp", "width": width, "height": height}


@app.task(name="images.publish")
def publish(pictures: list[dict[str, Any]], product: str) -> str:
    services.take(0.02, 0.08)
    return f"{product}: {len(pictures)} sizes on the CDN"


@app.task(name="search.reindex")
def reindex(what: str) -> dict[str, Any]:
    services.take(0.02, 0.12)
    return {"index": "products", "what": what}
