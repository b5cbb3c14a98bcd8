"""Where on this machine things are kept."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from celeryscope.errors import ConfigError, NotPossible

#: Whoever uses a data directory holds a lock on this file in it.
LOCK = "in-use.lock"


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


@contextlib.contextmanager
def occupied(directory: Path, *, alone: bool = False) -> Iterator[None]:
    """Use a data directory; any number may, but for one that wants to be alone with it.

    Raises NotPossible where others use it, or somebody is alone with it.
    """
    try:
        file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # it can only be read: then nobody can replace anything in it either
        yield
        return
    try:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotPossible(
                f"The data directory {directory} is in use by another celeryscope.",
                hint="Stop the console, and any celeryscope command that works on it."
                if alone
                else "A backup is being restored into it. Try again when that is done.",
            ) from None
        yield
    finally:
        os.close(file)


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(
            "There is no home directory to keep data in. Say where: --data-dir DIRECTORY"
        ) from None
