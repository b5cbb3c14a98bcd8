from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from celeryscope.errors import ConfigError
from celeryscope.stack import Conflict, Written, choose, write

CHOICE = choose()
FILES = {"compose.yaml": b"services:\n", "grafana/dashboards/a.json": b"{}\n"}
NAMES = (*FILES, ".env")


def written(directory: Path, files: dict[str, bytes] = FILES, *, force: bool = False) -> Written:
    return write(directory, files, CHOICE, force=force)


def content(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    assert written(directory) == Written(new=NAMES, replaced=(), unchanged=())
    assert content(directory).keys() == set(NAMES)
    assert FILES.items() <= content(directory).items()


def test_again_it_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path)
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    assert written(tmp_path) == Written(new=(), replaced=(), unchanged=NAMES)
    after = {path: path.stat() for path in tmp_path.rglob("*")}
    assert {p: (s.st_ino, s.st_mtime_ns) for p, s in before.items()} == {
        p: (s.st_ino, s.st_mtime_ns) for p, s in after.items()
    }


def test_a_file_that_differs_keeps_everything_from_being_written(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("mine\n")
    with pytest.raises(Conflict) as refused:
        written(tmp_path)
    assert refused.value.paths == ("compose.yaml",)
    assert content(tmp_path) == {"compose.yaml": b"mine\n"}
    said = str(refused.value)
    assert "\n  compose.yaml\n" in said
    assert "--force" in said


def test_force_replaces_it_and_leaves_the_secrets(tmp_path: Path) -> None:
    written(tmp_path)
    secrets = (tmp_path / ".env").read_bytes()
    (tmp_path / "compose.yaml").write_text("mine\n")
    done = written(tmp_path, force=True)
    assert done.replaced == ("compose.yaml",)
    assert (tmp_path / "compose.yaml").read_bytes() == FILES["compose.yaml"]
    assert (tmp_path / ".env").read_bytes() == secrets


def test_only_we_read_the_secrets_and_everybody_the_rest(tmp_path: Path) -> None:
    """In their containers Prometheus and Grafana are users of their own."""
    before = os.umask(0o077)
    try:
        written(tmp_path / "stack")
    finally:
        os.umask(before)
    assert mode(tmp_path / "stack" / ".env") == 0o600
    for path in (tmp_path / "stack" / "grafana").rglob("*"):
        assert mode(path) == (0o755 if path.is_dir() else 0o644)
    assert mode(tmp_path / "stack" / "grafana") == 0o755
    assert mode(tmp_path / "stack" / "compose.yaml") == 0o644


def test_nothing_is_left_of_a_write_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device", "compose.yaml")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match=r"compose\.yaml cannot be used: No space left"):
        written(tmp_path, FILES | {"compose.yaml": b"new\n"}, force=True)
    assert content(tmp_path).keys() == set(NAMES)
    assert (tmp_path / "compose.yaml").read_bytes() == FILES["compose.yaml"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    kept = tmp_path / "kept.env"
    kept.write_text("REDIS_PASSWORD=old\n")
    directory = tmp_path / "stack"
    directory.mkdir()
    (directory / ".env").symlink_to(kept)
    written(directory)
    assert (directory / ".env").is_symlink()
    assert kept.read_text().startswith("REDIS_PASSWORD=old\n")
    assert "GRAFANA_PASSWORD" in kept.read_text()


def test_a_directory_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        written(tmp_path / "file")
    with pytest.raises(ConfigError, match="Not a directory"):
        written(tmp_path / "file" / "below")


def test_a_directory_where_a_file_should_be_is_said_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "compose.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"compose\.yaml cannot be used: Is a directory"):
        written(tmp_path, force=True)
    assert content(tmp_path) == {}


def test_a_directory_that_cannot_be_written_to_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, *_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(ConfigError, match="stack cannot be used: Permission denied"):
        written(tmp_path / "stack")


def test_a_file_of_secrets_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        written(tmp_path)
