"""Settings: one table, and the one Config that is made from it."""

from __future__ import annotations

from celeryscope.config.load import Given, Loaded, load
from celeryscope.config.settings import SETTINGS, Config, Setting, masker

__all__ = ["SETTINGS", "Config", "Given", "Loaded", "Setting", "load", "masker"]
