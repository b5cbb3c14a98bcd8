from __future__ import annotations

import socket

import pytest

from celeryscope import ports


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert not ports.is_free("127.0.0.1", other.getsockname()[1])


def test_a_port_that_was_just_given_up_is_free_though_a_connection_lingers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # our side closes first: TIME_WAIT stays here
    assert ports.is_free("127.0.0.1", port)


def test_looking_does_not_take_it() -> None:
    port = ports.any_free("127.0.0.1")
    assert ports.is_free("127.0.0.1", port)
    assert ports.is_free("127.0.0.1", port)


def test_the_next_free_one_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = ports.next_free("127.0.0.1", port)
        assert found is not None
        assert found > port
        with socket.create_server(("127.0.0.1", found)):
            pass


def test_there_is_none_after_the_last() -> None:
    assert ports.next_free("127.0.0.1", 65535) is None


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match=r"."):
        ports.is_free("192.0.2.1", 5555)
