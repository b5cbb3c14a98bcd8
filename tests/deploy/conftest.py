"""A console that runs, for what deploy/ says of its paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import running_redis
from tests.integration.watching import Console, console


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    directory = tmp_path_factory.mktemp("served")
    with running_redis(directory) as broker, console(broker, directory) as running:
        running.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        yield running
