"""Where on this machine things are kept."""

from __future__ import annotations

import os
from pathlib import Path

from celeryscope.errors import ConfigError


def data_dir(given: Path | None) -> Path:
    """Give the data directory: the one that was given, or the user's own by the XDG base
    directory specification. It need not be there."""
    if given is not None:
        return given.expanduser()
    base = os.environ.get("XDG_DATA_HOME", "")
    # The specification: a path that is not absolute is to be ignored.
    return (Path(base) if base.startswith("/") else _home() / ".local/share") / "celeryscope"


def make_private(directory: Path) -> None:
    """Make a directory for its owner alone. Raises ConfigError where that cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError("it cannot be written")
    except OSError as trouble:
        raise ConfigError(
            f"The data directory {directory} cannot be used: {trouble.strerror or trouble}. Give "
            "one that can be: --data-dir DIRECTORY"
        ) from trouble


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(
            "There is no home directory to keep data in. Say where: --data-dir DIRECTORY"
        ) from None
