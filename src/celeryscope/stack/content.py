"""Every file of a stack but .env, by its path within the directory."""

from __future__ import annotations

from celeryscope import dashboards
from celeryscope.stack import alertmanager, grafana, image, prometheus, readme
from celeryscope.stack.choice import SERVICES, Choice
from celeryscope.stack.compose import compose_yaml

_GITIGNORE = """\
.env
celeryscope/*.whl
"""


def stack_files(choice: Choice) -> dict[str, bytes]:
    files: dict[str, str | bytes] = {
        "compose.yaml": compose_yaml(choice),
        "README.md": readme.readme_md(choice),
        ".gitignore": _GITIGNORE,
        "celeryscope/Dockerfile": image.dockerfile(),
    }
    if "prometheus" in choice:
        files["prometheus/prometheus.yml"] = prometheus.prometheus_yml(choice)
        files |= {f"prometheus/rules/{name}": text for name, text in dashboards.rules().items()}
    if "alertmanager" in choice:
        files["alertmanager/alertmanager.yml"] = alertmanager.alertmanager_yml(choice)
    if "grafana" in choice:
        provisioning = "grafana/provisioning"
        files[f"{provisioning}/datasources/celeryscope.yml"] = grafana.datasources_yml(choice)
        files[f"{provisioning}/dashboards/celeryscope.yml"] = grafana.DASHBOARDS_YML
        files[f"{provisioning}/alerting/contact-points.yml.example"] = (
            grafana.CONTACT_POINTS_EXAMPLE
        )
        files |= {
            f"grafana/dashboards/{name}": content
            for name, content in grafana.dashboard_files(choice).items()
        }
    return {
        path: content.encode() if isinstance(content, str) else content
        for path, content in files.items()
    }


def leftovers(choice: Choice) -> list[str]:
    """Name the files that another choice has and this one has not."""
    whole = Choice(services=frozenset(SERVICES))
    return sorted(stack_files(whole).keys() - stack_files(choice).keys())
