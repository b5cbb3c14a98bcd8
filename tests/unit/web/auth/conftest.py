"""What the tests of the stores share."""

from __future__ import annotations

import pytest

from tests.unit.web.auth.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
