"""`python -m celeryscope.control` writes the reference page of the commands."""

from __future__ import annotations

import sys

from celeryscope.control.page import page

sys.stdout.write(page())
