"""What operators and scrapers ask for: `/metrics` and the health answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from celeryscope.web.negotiation import prefers_openmetrics, respond
from celeryscope.web.services import Vitals

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Ops:
    """The handlers, over what they need."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self._was_ready = False

    def answers(self) -> Mapping[str, Callable[[Request], Awaitable[Response]]]:
        """Give each path and its handler."""
        return {
            "/metrics": self.metrics,
            "/healthcheck": self.healthcheck,
            "/health": self.health,
            "/-/healthy": self.healthy,
            "/-/ready": self.ready,
        }

    async def metrics(self, request: Request) -> Response:
        """Give the metrics in the format that the scraper prefers."""
        openmetrics = prefers_openmetrics(request.headers.get("accept", ""))
        return await run_in_threadpool(self._render, request, openmetrics)

    def _render(self, request: Request, openmetrics: bool) -> Response:
        return respond(
            request,
            self._vitals.render_metrics(openmetrics),
            media_type=OPENMETRICS if openmetrics else TEXT,
            headers={"Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"},
        )

    async def healthcheck(self, _request: Request) -> Response:
        """Say that the process answers, as Flower does."""
        return Response("OK", headers={"Content-Type": "text/html; charset=UTF-8"})

    async def health(self, _request: Request) -> Response:
        """Say whether the broker is connected, with celery-exporter's status codes."""
        broker = self._vitals.broker()
        if broker.state == "connected":
            return PlainTextResponse(f"Connected to the broker {broker.url}")
        why = f": {broker.error}" if broker.error else ""
        return PlainTextResponse(f"Not connected to the broker {broker.url}{why}", status_code=500)

    async def healthy(self, _request: Request) -> Response:
        """Say that the process answers, as Prometheus does."""
        return PlainTextResponse("Celeryscope is healthy.\n")

    async def ready(self, _request: Request) -> Response:
        """Say whether events are read; having said yes once, stay with it.

        A broker that goes away later does not make us unready: the page has to be reachable
        to tell of it.
        """
        self._was_ready = self._was_ready or self._vitals.ready()
        if self._was_ready:
            return PlainTextResponse("Celeryscope is ready.\n")
        broker = self._vitals.broker()
        why = f": {broker.error}" if broker.error else ""
        return PlainTextResponse(f"Not yet subscribed to {broker.url}{why}\n", status_code=503)
