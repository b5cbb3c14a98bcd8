"""Fixtures of the web room."""

from __future__ import annotations

import pytest

from tests.unit.web.standins import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()
