"""`python -m celeryscope.config` writes the reference page of the settings."""

from __future__ import annotations

import sys

from celeryscope.config.page import page

sys.stdout.write(page())
