"""Grafana's own types read our dashboards and lose nothing: no field is misspelt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from celeryscope import dashboards
from tests.conftest import need

# Of the Prometheus data source, whose types are not among them.
NOT_TYPED = {
    ".id",  # null, as for any dashboard that is not in a Grafana yet
    ".annotations.list[].tagKeys",
    ".annotations.list[].target.expr",
    ".annotations.list[].target.refId",
    ".annotations.list[].textFormat",
    ".annotations.list[].titleFormat",
    ".annotations.list[].useValueForTime",
    ".templating.list[].definition",
}


@pytest.mark.parametrize("name", dashboards.builtin())
def test_grafanas_types_know_every_field(name: str) -> None:
    try:
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.cog.plugins import register_default_plugins
        from grafana_foundation_sdk.models.dashboard import Dashboard
    except ImportError:
        need(False, "grafana-foundation-sdk is not installed")
    register_default_plugins()
    ours = json.loads(dashboards.builtin()[name])
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))
    assert set(lost(ours, read)) <= NOT_TYPED


def lost(ours: Any, read: Any, path: str = "") -> Iterator[str]:
    """The places where `read` has not what `ours` has."""
    if isinstance(ours, dict) and isinstance(read, dict):
        for key, value in ours.items():
            if key in read:
                yield from lost(value, read[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(ours, list) and isinstance(read, list) and len(ours) == len(read):
        for one, other in zip(ours, read, strict=True):
            yield from lost(one, other, f"{path}[]")
    elif ours != read:
        yield f"{path}: {ours!r} became {read!r}"
