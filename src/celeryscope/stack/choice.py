"""What a person asked for, as a value: which services, whose workers, which broker."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from celeryscope.errors import ConfigError, without_passwords

SERVICES = (
    "redis",
    "postgres",
    "celeryscope",
    "worker",
    "beat",
    "traffic",
    "flower",
    "prometheus",
    "alertmanager",
    "pushgateway",
    "grafana",
)
WITH = ("flower", "postgres")
WITHOUT = ("worker", "beat", "traffic", "prometheus", "alertmanager", "pushgateway", "grafana")

#: The port that each is published at, on 127.0.0.1, unless PORT_… in .env says another.
PORTS = {
    "celeryscope": 5555,
    "flower": 5566,
    "prometheus": 9090,
    "pushgateway": 9091,
    "alertmanager": 9093,
    "grafana": 3000,
}

_EXAMPLE = ("worker", "beat", "traffic")  # the shop, that our image brings
HOST = "host.docker.internal"  # what a container calls the machine that it runs on
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[?::1\]?|0\.0\.0\.0)\.?\Z")
_IMAGE = re.compile(
    r"([a-zA-Z0-9][a-zA-Z0-9.-]*(:\d+)?/)?"  # registry
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
    r"(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?\Z"
)
_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?\Z")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A stack that makes sense; `choose` makes one."""

    services: frozenset[str]
    broker: str = ""  # empty: the stack's own Redis
    project_image: str = ""  # empty: the example shop, where there is a worker at all
    project_app: str = ""
    webhook: str = ""
    anonymous: bool = False
    notes: tuple[str, ...] = ()  # what the person should know about it

    def __contains__(self, service: str) -> bool:
        return service in self.services

    @property
    def broker_is_on_this_machine(self) -> bool:
        return HOST in self.broker


def choose(
    *,
    with_: Iterable[str] = (),
    without: Iterable[str] = (),
    broker: str = "",
    project_image: str = "",
    project_app: str = "",
    webhook: str = "",
    anonymous: bool = False,
) -> Choice:
    """Check what was asked for. Raises ConfigError, with the way out, for what cannot work."""
    added = _known(with_, WITH, "--with")
    left_out = _known(without, WITHOUT, "--without", broker=bool(broker))
    notes: list[str] = []
    _check_project(project_image, project_app)
    _check_broker(broker)
    _check_webhook(webhook)
    services = set(SERVICES) - set(WITH) - left_out | added
    if broker:
        services.discard("redis")
    if project_image:
        services.discard("traffic")
        if not re.search(r"(:(?!latest\Z)[^/]+|@sha256:\w+)\Z", project_image):
            notes.append(f"{project_image} names no version: what runs may change at any pull.")
        if not services & {"worker", "beat"}:
            notes.append(f"Nothing runs {project_image}: worker and beat are left out.")
    elif broker and services & set(_EXAMPLE):
        # The shop's traffic has no business in a broker that others use.
        services -= set(_EXAMPLE)
        notes.append(
            "No worker and no beat: the broker is yours, and so are its workers. With "
            "--project-image the stack runs some of them."
        )
    elif "worker" in left_out and services & set(_EXAMPLE):
        services -= set(_EXAMPLE)
        notes.append("Without its worker the example's beat and traffic are left out as well.")
    if "postgres" in services and not (project_image and services & {"worker", "beat"}):
        notes.append("Nothing here uses Postgres: the example shop needs no database.")
    notes += _check_monitoring(services, webhook=webhook, anonymous=anonymous)
    return Choice(
        services=frozenset(services),
        broker=broker,
        project_image=project_image,
        project_app=project_app,
        webhook=webhook,
        anonymous=anonymous,
        notes=tuple(notes),
    )


def _known(names: Iterable[str], known: tuple[str, ...], option: str, **facts: bool) -> set[str]:
    asked = {name for text in names for name in re.split(r"[,\s]+", text) if name}
    for name in sorted(asked - set(known)):
        if option == "--without" and name == "redis":
            if facts.get("broker"):
                continue  # it is not there anyway
            raise ConfigError(
                "--without redis: the workers and Celeryscope need a broker. Name yours: "
                "--broker URL; then there is no Redis here."
            )
        raise ConfigError(f"{option} {name}: {_why_not(name, option, known)}")
    return asked & set(known)


def _why_not(name: str, option: str, known: tuple[str, ...]) -> str:
    if name == "celeryscope":
        return "the stack is built around it."
    if option == "--with" and name in WITHOUT:
        return "it is there already, unless --without leaves it out."
    if option == "--without" and name in WITH:
        return f"it is only there when --with {name} asks for it."
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"Did you mean {close[0]}? " if close else ""
    return f"there is no such service. {meant}There are: {', '.join(known)}."


def _check_project(image: str, app: str) -> None:
    if app and not image:
        raise ConfigError(
            "--project-app names the app in your image: give the image, too (--project-image)."
        )
    if image and not _IMAGE.match(image):
        raise ConfigError(
            f"--project-image {image}: this is not the name of an image. One looks like "
            "registry.example.com/team/shop:1.4, in lower case."
        )
    if app and not _APP.match(app):
        raise ConfigError(
            f"--project-app {app}: this is not what `celery --app` takes. It is a module such as "
            "shop or shop.celery, and can name the app in it: shop.celery:app."
        )


def _check_broker(broker: str) -> None:
    if not broker:
        return
    said = without_passwords(broker)
    if "://" not in broker:
        raise ConfigError(
            f"--broker {said}: this is not a URL such as redis://HOST:6379/0 or "
            "amqp://USER:PASSWORD@HOST:5672//."
        )
    if "'" in broker or not broker.isprintable():
        raise ConfigError(
            f"--broker {said}: write quotes and control characters as in every URL: %27."
        )
    for url in broker.split(";"):
        _check_host(url, "--broker")


def _check_webhook(webhook: str) -> None:
    if not webhook:
        return
    parts = urlsplit(webhook)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"--webhook {webhook}: this is not an http:// or https:// URL.")
    if not webhook.isprintable() or '"' in webhook or "\\" in webhook:
        raise ConfigError("--webhook: write quotes and control characters as in every URL: %22.")
    _check_host(webhook, "--webhook")


def _check_host(url: str, option: str) -> None:
    """A URL that means this machine means the container itself when it is read in one."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError as trouble:
        raise ConfigError(f"{option}: {trouble}") from None
    if _LOOPBACK.match(host):
        raise ConfigError(
            f"{option}: inside a container, {host} is the container itself. For a program on this "
            f"machine write {HOST} in its place, and let it listen there too."
        )


def _check_monitoring(services: set[str], *, webhook: str, anonymous: bool) -> list[str]:
    notes = []
    if "prometheus" not in services:
        if "grafana" in services:
            raise ConfigError(
                "--without prometheus: Grafana would have nothing to show. Leave it out as well "
                "(--without prometheus,grafana). For a Prometheus and a Grafana of your own see "
                "docs/how-to/existing-prometheus-and-grafana.md."
            )
        if "alertmanager" in services:
            notes.append(
                "Nothing here sends alerts to Alertmanager: let your Prometheus do it "
                f"(127.0.0.1:{PORTS['alertmanager']})."
            )
        if "pushgateway" in services:
            notes.append(
                "Nothing here scrapes Pushgateway: let your Prometheus do it "
                f"(127.0.0.1:{PORTS['pushgateway']}, honor_labels)."
            )
    elif "alertmanager" not in services:
        notes.append("Alerts are seen in Prometheus only: nobody is told of them.")
    if webhook and "alertmanager" not in services:
        raise ConfigError("--webhook is where Alertmanager sends alerts: do not leave it out.")
    if anonymous and "grafana" not in services:
        raise ConfigError("--anonymous is about Grafana: do not leave it out.")
    return notes
