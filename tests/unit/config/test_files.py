from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from celeryscope.config import files
from celeryscope.config.files import NotPlain
from celeryscope.errors import ConfigError


def read(path: Path, text: str, *known: str) -> list[tuple[str, Any, str]]:
    path.write_text(text)
    return [
        (name, value, origin.rpartition("/")[2])
        for name, value, origin in files.read(path, is_known=lambda name: name in known)
    ]


def test_toml_keys_come_with_their_lines(tmp_path: Path) -> None:
    text = '# ours\nport = 5556\nqueues = ["a"]\n\n[static_label]\nenv = "prod"\n'
    assert read(tmp_path / "settings.toml", text) == [
        ("port", 5556, "settings.toml:2"),
        ("queues", ["a"], "settings.toml:3"),
        ("static_label", {"env": "prod"}, "settings.toml:5"),
    ]


def test_a_flowerconfig_is_read_and_never_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    text = (
        f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nport = 5556\nqueues: list = ['a']\n"
    )
    assert read(tmp_path / "flowerconfig.py", text) == [
        ("port", 5556, "flowerconfig.py:3"),
        ("queues", ["a"], "flowerconfig.py:4"),
    ]
    assert not ran.exists()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("port = int('5555')", "int('5555')"),
        ("if True:\n    port = 1\nelse:\n    port = 2", "if True:"),
        ("port, address = 1, 'a'", "(port, address)"),
        ("def port(): ...", "def port"),
        ("from settings import port", "import port"),
        ("port = 1\nport += 1", "port += 1"),
    ],
)
def test_a_value_that_only_running_would_tell_is_marked(
    tmp_path: Path, text: str, code: str
) -> None:
    found = read(tmp_path / "flowerconfig.py", text, "port")
    assert found[-1][:2] == ("port", NotPlain(code))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("settings.toml", "port = ", "settings.toml is not TOML"),
        ("flowerconfig.py", "port = 1\nport = = 2", "flowerconfig.py:2 is not Python"),
        ("settings.ini", "", "settings.ini must be a TOML file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path / name, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read: No such file"):
        files.read(tmp_path / "none.toml", is_known=lambda name: True)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not a UTF-8 text"):
        files.read(path, is_known=lambda name: True)
