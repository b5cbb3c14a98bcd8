"""`/metrics` and the health answers."""

from __future__ import annotations

import gzip

import pytest

from celeryscope.web.app import build_exporter
from tests.unit.web.standins import Cluster, client

pytestmark = pytest.mark.anyio


async def test_metrics_come_as_text_unless_openmetrics_is_asked_for(cluster: Cluster) -> None:
    async with cluster.client() as http:
        text = await http.get("/metrics")
        openmetrics = await http.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert text.content == cluster.metrics
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1")
    assert openmetrics.content.endswith(b"# EOF\n")
    assert "Accept" in openmetrics.headers["vary"]


async def test_metrics_are_compressed_for_who_takes_it(cluster: Cluster) -> None:
    cluster.metrics = b'x{a="b"} 1\n' * 1000
    accept = {"accept-encoding": "gzip"}
    async with cluster.client() as http, http.stream("GET", "/metrics", headers=accept) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert gzip.decompress(raw) == cluster.metrics


async def test_health_tells_of_the_broker_and_healthy_of_the_process(cluster: Cluster) -> None:
    async with cluster.client() as http:
        for connected, status in ((True, 200), (False, 500)):
            cluster.connected = connected
            assert (await http.get("/health")).status_code == status
            assert (await http.get("/-/healthy")).status_code == 200
            assert (await http.get("/healthcheck")).text == "OK"
        assert "Connection refused" in (await http.get("/health")).text


async def test_it_is_ready_once_it_was_subscribed(cluster: Cluster) -> None:
    async with cluster.client() as http:
        cluster.is_ready = False
        answer = await http.get("/-/ready")
        assert answer.status_code == 503
        assert "redis://127.0.0.1:6379/0" in answer.text
        cluster.is_ready = True
        assert (await http.get("/-/ready")).status_code == 200
        cluster.is_ready, cluster.connected = False, False
        assert (await http.get("/-/ready")).status_code == 200


async def test_the_exporter_has_metrics_and_health_and_nothing_else(cluster: Cluster) -> None:
    async with client(build_exporter(cluster.services, url_prefix="/x")) as http:
        for path in ("/metrics", "/healthcheck", "/health", "/-/healthy", "/-/ready"):
            assert (await http.get(path)).status_code == 200
            assert (await http.get("/x" + path)).status_code == 200
        for path in ("/", "/workers", "/api/workers", "/api/v1/overview", "/api/v1/live"):
            assert (await http.get(path)).status_code == 404
