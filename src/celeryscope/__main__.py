"""`python -m celeryscope` is the command `celeryscope`."""

from __future__ import annotations

from celeryscope.cli import main

main(prog_name="celeryscope")
