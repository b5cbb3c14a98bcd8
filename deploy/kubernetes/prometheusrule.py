"""Write the PrometheusRule that holds the rules of src/celeryscope/dashboards/rules.

python deploy/kubernetes/prometheusrule.py
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from celeryscope import dashboards

WRITTEN = Path(__file__).parent / "prometheus-operator" / "prometheusrule.yaml"
HEADER = """\
# Made from src/celeryscope/dashboards/rules by `python deploy/kubernetes/prometheusrule.py`; a test
# checks that it is current.
"""
FILES = ("recording.yml", "alerts.yml")  # in this order


def prometheusrule(rules: Mapping[str, bytes]) -> str:
    """The resource as YAML, from file name → rule file of Prometheus."""
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "celeryscope"},
        "spec": {
            "groups": [group for name in FILES for group in yaml.safe_load(rules[name])["groups"]]
        },
    }
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""

    # Rules may share labels by reference; written out, each can be read for itself.
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


if __name__ == "__main__":
    WRITTEN.write_text(prometheusrule(dashboards.rules()))
