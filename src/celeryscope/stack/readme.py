"""README.md of a stack, and what is said once it is written."""

from __future__ import annotations

import shlex
from pathlib import Path

from celeryscope import __version__
from celeryscope.stack.choice import PORTS, WITH, WITHOUT, Choice
from celeryscope.stack.text import fill

_DOCS = "https://github.com/celeryscope/celeryscope/blob/main/docs"

_README = """\
# Celery and its monitoring

Written by Celeryscope %{version}. The files are yours to change.

    docker compose up --detach --wait    # start it, and wait until everything is healthy
    docker compose ps                    # what runs, and how it is
    docker compose down                  # stop it; what it knows stays in the volumes

The first start builds the image of Celeryscope (`celeryscope/Dockerfile`) and pulls the others.

## Addresses

On this machine only. Where a port is taken, name another in `.env`.

%{addresses}
%{login}
## What is here

| | |
| --- | --- |
%{files}

## To change something

Change the file, then:

%{changes}

To write the files anew, with other services or after an upgrade of Celeryscope:

    %{command}

It lists the files that differ and touches none of them unless you add `--force`; keep this folder
in git to see what that changed. `.env` is only ever added to.

## To change a password

It lives in `.env`, and some in the volume of their service as well.

%{passwords}

More: [the guide](%{docs}/how-to/stack.md) ·
[what to do when an alert fires](%{docs}/runbooks.md)
"""

_ADDRESSES = {
    "celeryscope": "tasks, workers and queues, live",
    "grafana": "dashboards: the past",
    "prometheus": "the metrics, and which alerts are on",
    "alertmanager": "alerts: silence them, see who was told",
    "pushgateway": "where short-lived jobs push metrics",
    "flower": "Flower, as you know it",
}

_CHANGES = {
    "grafana": "- Grafana: `docker compose restart grafana`. Dashboards are read by themselves.",
    "prometheus": "- Prometheus and its rules: `curl -X POST http://localhost:9090/-/reload`.",
    "alertmanager": "- Alertmanager: `curl -X POST http://localhost:9093/-/reload`.",
}

_ELSEWHERE = "change it in `.env`, then `docker compose up --detach`."
_PASSWORDS = {
    "redis": f"- Redis: {_ELSEWHERE}",
    "celeryscope": f"- Celeryscope: {_ELSEWHERE} Who is logged in by the old one is logged out.",
    "flower": f"- Flower: {_ELSEWHERE}",
    "postgres": (
        "- Postgres: `docker compose exec postgres psql -U celery -c '\\password'`, then in\n"
        "  `.env`, then `docker compose up --detach`."
    ),
    "grafana": (
        "- Grafana: in Grafana (Profile → Change password). The one in `.env` counts at its first\n"
        "  start only. Leave `GRAFANA_SECRET_KEY`: what Grafana keeps is encrypted with it."
    ),
}


def address(service: str) -> str:
    return f"http://localhost:{PORTS[service]}"


def readme_md(choice: Choice) -> str:
    rows = [
        f"| {_title(service)} | <{address(service)}> | {what} |"
        for service, what in _ADDRESSES.items()
        if service in choice
    ]
    login = [line for service, line in _logins().items() if service in choice]
    files = [f"| `{path}` | {what} |" for path, what in _files(choice)]
    changes = ["- A service: `docker compose up --detach`."]
    changes += [line for service, line in _CHANGES.items() if service in choice]
    passwords = [line for service, line in _PASSWORDS.items() if service in choice]
    if "redis" not in choice:
        passwords.insert(0, f"- The broker's URL: {_ELSEWHERE}")
    return fill(
        _README,
        version=__version__,
        command=command_line(choice),
        addresses="\n".join(["| | | |", "| --- | --- | --- |", *rows, ""]),
        login="\n".join([*login, ""]) if login else "",
        files="\n".join(files),
        changes="\n".join(changes),
        passwords="\n".join(passwords),
        docs=_DOCS,
    )


def command_line(choice: Choice) -> str:
    """Give the command that writes this stack, here; what may be secret is left to a variable."""
    words = ["celeryscope", "stack", "."]
    if added := [name for name in WITH if name in choice]:
        words += ["--with", ",".join(added)]
    if gone := [name for name in WITHOUT if name not in choice and _is_usual(name, choice)]:
        words += ["--without", ",".join(gone)]
    if choice.broker:
        words += ["--broker", '"$CELERY_BROKER_URL"']
    for option, value in (
        ("--project-image", choice.project_image),
        ("--project-app", choice.project_app),
    ):
        words += [option, shlex.quote(value)] if value else []
    if choice.webhook:
        words += ["--webhook", "URL"]
    return " ".join([*words, "--anonymous"] if choice.anonymous else words)


def after_writing(directory: Path, choice: Choice) -> str:
    """Say what to do next."""
    services = [service for service in _ADDRESSES if service in choice]
    width = max(map(len, services))
    lines = [f"  {_title(service):{width}}  {address(service)}" for service in services]
    grafana = "; Grafana's first with GRAFANA_PASSWORD" if "grafana" in choice else ""
    return (
        f"Start it:\n\n  cd {shlex.quote(str(directory))}\n"
        "  docker compose up --detach --wait\n\n"
        + "\n".join(lines)
        + f"\n\nThe login is admin with CELERYSCOPE_PASSWORD from .env{grafana}.\n"
    )


def _is_usual(service: str, choice: Choice) -> bool:
    """Would it be there if nobody had left it out?"""
    if service in ("worker", "beat"):
        # Of the example, the worker takes the others along.
        return bool(choice.project_image) or (
            not choice.broker and (service == "worker" or "worker" in choice)
        )
    if service == "traffic":
        return not choice.project_image and not choice.broker and "worker" in choice
    return True


def _title(service: str) -> str:
    return service.capitalize()


def _logins() -> dict[str, str]:
    return {
        "celeryscope": "Celeryscope's login is `admin` with `CELERYSCOPE_PASSWORD` from `.env`.",
        "grafana": "Grafana's is `admin` with `GRAFANA_PASSWORD`.",
        "flower": "Flower's is `admin` with `FLOWER_PASSWORD`.",
        "prometheus": (
            "\nPrometheus, Alertmanager and Pushgateway ask for no login: do not publish their "
            "ports beyond this\nmachine. From elsewhere come through SSH: `ssh -L "
            "9090:localhost:9090 HOST`."
        ),
    }


def _files(choice: Choice) -> list[tuple[str, str]]:
    """Name each path and what it is, for the parts that are there."""
    table = (
        ("", "compose.yaml", "the services"),
        ("", ".env", "passwords, and ports; not for git"),
        ("celeryscope", "celeryscope/Dockerfile", "the image of Celeryscope"),
        ("prometheus", "prometheus/prometheus.yml", "who is scraped"),
        ("prometheus", "prometheus/rules/", "recording rules and alerts"),
        ("alertmanager", "alertmanager/alertmanager.yml", "who is told of alerts, and how soon"),
        ("grafana", "grafana/provisioning/", "data sources, and where the dashboards are"),
        ("grafana", "grafana/dashboards/", "the dashboards"),
    )
    return [(path, what) for service, path, what in table if not service or service in choice]
