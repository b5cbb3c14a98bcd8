from __future__ import annotations

import socket

import pytest

from celeryscope.demo import command
from celeryscope.errors import ConfigError, PortInUse


def test_the_port_to_take_instead_is_named_with_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=r"choose another port: --broker-port \d+$"):
            command.check_port("127.0.0.1", port, option="--broker-port")


def test_an_address_of_another_machine_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match=r"Cannot listen on 192\.0\.2\.1:5555"):
        command.check_port("192.0.2.1", 5555, option="--port")


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_traffic_needs_a_rate(rate: float) -> None:
    with pytest.raises(ConfigError, match="more than 0"):
        command.run(rate=rate)
