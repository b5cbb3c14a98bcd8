"""A stack's directory: everything is looked at first, then written, or nothing is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from celeryscope.errors import ConfigError
from celeryscope.stack import dotenv
from celeryscope.stack.choice import Choice

# For others to read, whatever our umask is: in their containers Prometheus and Grafana are nobody
# in particular.
_FILE_MODE = 0o644
_DIRECTORY_MODE = 0o755
_SECRET_MODE = 0o600


class Conflict(ConfigError):
    """Files are there that differ from what would be written."""

    def __init__(self, directory: Path, paths: tuple[str, ...]) -> None:
        self.paths = paths
        listed = "".join(f"\n  {path}" for path in paths)
        super().__init__(
            f"Nothing was written to {directory}: these files are there and differ.{listed}\n"
            "Choose an empty directory, or have them overwritten: --force (.env never is)."
        )


@dataclass(frozen=True)
class Written:
    """What became of each file."""

    new: tuple[str, ...]
    replaced: tuple[str, ...]
    unchanged: tuple[str, ...]


def write(directory: Path, files: Mapping[str, bytes], choice: Choice, *, force: bool) -> Written:
    """Bring `files` and .env into `directory`, which is made if need be.

    Raises Conflict when files differ and `force` does not allow to replace them, and ConfigError
    for a directory that cannot be used; then nothing was written.
    """
    try:
        return _write(directory, files, choice, force=force)
    except OSError as trouble:
        where = trouble.filename or directory
        raise ConfigError(f"{where} cannot be used: {trouble.strerror or trouble}") from trouble


def _write(directory: Path, files: Mapping[str, bytes], choice: Choice, *, force: bool) -> Written:
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"{directory} is a file: name a directory, which may be a new one.")
    before = {path: _content(directory / path) for path in files}
    differing = tuple(
        path for path, content in files.items() if before[path] not in (None, content)
    )
    if differing and not force:
        raise Conflict(directory, differing)
    secrets = directory / ".env"
    secrets_before = _content(secrets)
    text_before = _text(secrets, secrets_before)
    text = dotenv.complete(text_before, choice)

    _make_directory(directory)
    if text != text_before:
        _replace(secrets, text.encode(), _SECRET_MODE)
    for path, content in files.items():
        if before[path] != content:
            _make_directory((directory / path).parent, below=directory)
            _replace(directory / path, content, _FILE_MODE)
    states = {path: (before[path], content) for path, content in files.items()}
    states[".env"] = (secrets_before, text.encode())
    return Written(
        new=tuple(path for path, (old, _) in states.items() if old is None),
        replaced=tuple(path for path, (old, new) in states.items() if old not in (None, new)),
        unchanged=tuple(path for path, (old, new) in states.items() if old == new),
    )


def _content(path: Path) -> bytes | None:
    """Read a file; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _text(path: Path, content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8.") from None


def _make_directory(directory: Path, *, below: Path | None = None) -> None:
    """Make it with its parents; those that are new, below the stack's own, are for all to read."""
    if directory.is_dir():
        return
    if below is None:
        directory.mkdir(parents=True)
        return
    _make_directory(directory.parent, below=below)
    directory.mkdir()
    directory.chmod(_DIRECTORY_MODE)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all. A link stays one: its target is written."""
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:  # only we can read it until its mode is set
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
