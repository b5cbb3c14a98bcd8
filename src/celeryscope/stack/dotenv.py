""".env: the passwords, made at random once and then left alone, for the volumes know them too."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from celeryscope.errors import ConfigError
from celeryscope.stack.choice import PORTS, SERVICES, Choice

PASSWORD_BYTES = 24

#: The secrets that a service needs.
SECRETS = {
    "redis": ("REDIS_PASSWORD",),
    "postgres": ("POSTGRES_PASSWORD",),
    "celeryscope": ("CELERYSCOPE_PASSWORD",),
    "flower": ("FLOWER_PASSWORD",),
    "grafana": ("GRAFANA_PASSWORD", "GRAFANA_SECRET_KEY"),
}
BROKER = "CELERY_BROKER_URL"

_HEAD = """\
# The secrets of this stack, which Compose reads. Nothing else has them: keep this file, and keep
# it out of git. `celeryscope stack` adds what is missing and changes nothing.

"""

_PORTS = """
# Another port on this machine, where the usual one is taken:
"""

_EXAMPLE = """\
# `celeryscope stack` writes .env itself, with passwords made at random. By hand: copy this file to
# .env, let only yourself read it (chmod 600 .env), and give each its own `openssl rand -hex 24`.

"""

_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def wanted(choice: Choice) -> list[str]:
    """Name the variables that this stack must find in .env."""
    names = [name for service in SERVICES if service in choice for name in SECRETS.get(service, ())]
    return [BROKER, *names] if choice.broker else names


def read(text: str) -> dict[str, str]:
    """Give the assignments of a .env file, their quotes taken off."""
    return {name: _unquoted(value) for name, value in _ASSIGNMENT.findall(text)}


def complete(before: str | None, choice: Choice) -> str:
    """Give `before` with what it lacks at its end, or a whole new file for None.

    Raises ConfigError when it names another broker than was asked for.
    """
    there = read(before or "")
    if choice.broker and there.get(BROKER, choice.broker) != choice.broker:
        raise ConfigError(
            f"--broker: .env has another {BROKER}, and it is not changed from here. Change it "
            "there, then run this again."
        )
    missing = {name: _made(name, choice) for name in wanted(choice) if name not in there}
    if before is None:
        return _HEAD + _lines(missing) + _PORTS + _ports(choice)
    if not missing:
        return before
    return before.rstrip("\n") + "\n" * bool(before.strip()) + _lines(missing)


def example(choice: Choice) -> str:
    """Give .env.example: the names, and no values."""
    return _EXAMPLE + _lines(dict.fromkeys(wanted(choice), "")) + _PORTS + _ports(choice)


def _made(name: str, choice: Choice) -> str:
    return f"'{choice.broker}'" if name == BROKER else secrets.token_hex(PASSWORD_BYTES)


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _ports(choice: Choice) -> str:
    return "".join(
        f"#PORT_{service.upper()}={port}\n" for service, port in PORTS.items() if service in choice
    )


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return re.sub(r"\s+#.*", "", value)
