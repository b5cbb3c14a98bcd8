"""What the room's commands are given: where things are, by the settings of the console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from celeryscope.history.retention import Limits
from celeryscope.history.store import History

#: A history in SQLite: this file of the data directory.
FILE: Final = "history.db"


class Opening(NamedTuple):
    """What a command works on."""

    data_dir: Path
    where: Path | str | None  # a file, or the URL of a PostgreSQL database; None: nothing is kept
    limits: Limits
    open: Callable[[], History]  # raises NotPossible; for `where` that is not None


class Given(NamedTuple):
    """What somebody said behind a command, as a text; texts where it may be said several times."""

    option: str
    value: str | tuple[str, ...]


class House(Protocol):
    """Who knows the settings, and keeps the audit trail."""

    def opening(self, given: Mapping[str, Given]) -> Opening:
        """Say where things are, by settings; those that are `given`, by name, come first.

        Raises ConfigError with a sentence for who gave a value.
        """

    def note(self, data_dir: Path, what: str, detail: str) -> None:
        """Write into the audit trail what a command line did."""
