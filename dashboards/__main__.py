"""`python -m dashboards` writes every dashboard; `python -m dashboards DIRECTORY` elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards.boards import BOARDS, as_json

BUILTIN = Path(__file__).resolve().parent.parent / "src" / "celeryscope" / "dashboards" / "builtin"


def main(directory: Path) -> None:
    for name, board in BOARDS.items():
        (directory / name).write_bytes(as_json(board))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else BUILTIN)
