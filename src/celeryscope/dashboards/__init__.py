"""The Grafana dashboards and Prometheus rules that come with Celeryscope.

They are data, in `builtin/` and `rules/`. `python -m dashboards` in the repository writes the
dashboards; the rules are written by hand.
"""

from __future__ import annotations

from importlib.resources import files


def builtin() -> dict[str, bytes]:
    """Return each dashboard as JSON by its file name, such as `overview.json`, in order."""
    return _data("builtin", ".json")


def rules() -> dict[str, bytes]:
    """Return each file of Prometheus rules as YAML by its name, such as `alerts.yml`, in order."""
    return _data("rules", ".yml")


def _data(folder: str, ending: str) -> dict[str, bytes]:
    found = (files(__name__) / folder).iterdir()
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(found, key=lambda entry: entry.name)
        if entry.name.endswith(ending)
    }
