"""Writes the Grafana dashboards that come with Celeryscope: `python -m dashboards`.

For development only. What it writes stands in src/celeryscope/dashboards/builtin and is in git;
tests/dashboards checks that it is up to date.
"""
