"""The OpenAPI document, and whether the application keeps to it."""

from __future__ import annotations

import json
import re
from typing import Any

import anyio
import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from celeryscope.model.message import Message
from celeryscope.web.app import CHANGES, OPERATIONS
from tests.unit.web.standins import WORKER, Cluster, Inspection, QueueDepth, heartbeat, life


def example_cluster() -> Cluster:
    """A cluster in which every field of every answer has a value."""
    cluster = Cluster()
    cluster.feed([heartbeat(), *life("p"), *life("a", 1, state="FAILURE", parent_id="p")])
    cluster.inspector.latest[WORKER] = Inspection(
        WORKER, cluster.now, {"pool": {}}, ["shop.pay"], [{"name": "high"}], {"include": []}
    )
    cluster.queues.put(QueueDepth("high", 3, consumers=1, unacknowledged=2))
    cluster.messages.waiting["high"] = [
        Message(position=0, size_bytes=812, uuid="p", name="shop.pay", headers={"lang": "py"})
    ]
    cluster.accounting.gap_begins(cluster.now - 5, "reset")
    return cluster


async def _document() -> dict[str, Any]:
    async with example_cluster().client(url_prefix="/scope") as http:
        answer = await http.get("/api/v1/openapi.json")
    described: dict[str, Any] = answer.json()
    return described


@pytest.fixture
def document() -> dict[str, Any]:
    return anyio.run(_document)


def test_it_describes_every_operation_once(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "/scope/api/v1"}]
    described = set(document["paths"])
    paths = [*OPERATIONS, *CHANGES, "/live", "/openapi.json"]
    assert described == {re.sub(r":\w+}", "}", path) for path in paths}
    ids = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(ids) == len(paths)
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(
    document: dict[str, Any],
) -> None:
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert used | {"LiveHello", "LiveFrame"} == set(document["components"]["schemas"])


def test_what_is_always_told_is_required(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    optional = {
        name
        for name, schema in schemas.items()
        if set(schema.get("properties", {})) - set(schema.get("required", []))
    }
    assert optional == {
        "ControlRequest",
        "LiveFrame",
        "LiveTasks",
        "MessageRequest",
        "OverviewChanges",
        "Problem",
        "SearchRequest",
        "TokenRequest",
    }


schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", example_cluster().app())


# A stream has no end to wait for; test_live.py reads it.
@schema.exclude(operation_id="live").parametrize()
@hypothesis.settings(max_examples=12, derandomize=True, deadline=None)
def test_it_keeps_to_its_document(case: Any) -> None:
    # JSON Schema cannot say which texts are a query, so that any text passes for one; nor which
    # arguments a command takes, nor that 14.0 is no whole number.
    asks = "query" in (case.query or {}) or case.method == "POST"
    case.call_and_validate(excluded_checks=[positive_data_acceptance] if asks else [])
