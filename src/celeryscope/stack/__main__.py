"""`python -m celeryscope.stack DIR`: the stack as the repository keeps it, without secrets."""

from __future__ import annotations

import sys
from pathlib import Path

from celeryscope.stack import choose, dotenv, stack_files


def committed_files() -> dict[str, bytes]:
    """Give what deploy/compose holds: the usual stack, and the names that .env must have."""
    choice = choose()
    return stack_files(choice) | {".env.example": dotenv.example(choice).encode()}


def main(directory: Path) -> None:
    for path, content in committed_files().items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
