"""From flags, environment, file and app to one Config, or to a sentence that says what is wrong.

What stands first wins: flag, CELERYSCOPE_…, FLOWER_… (for the exporter CE_…), file, the Celery
app, default.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from celeryscope.config import files
from celeryscope.config.files import NotPlain
from celeryscope.config.settings import (
    BY_NAME,
    MEANINGLESS,
    SETTINGS,
    Alias,
    Command,
    Config,
    Dialect,
    Setting,
)
from celeryscope.errors import ConfigError

_CELERYS_OWN = {"broker": "CELERY_BROKER_URL", "result_backend": "CELERY_RESULT_BACKEND"}
# In Kubernetes a service named celeryscope or flower sets these for every pod of its namespace.
_KUBERNETES_NAME = re.compile(r"SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_.*)?")
_KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://")
# Read by our build, our tests and `celeryscope control`, not by the console.
_NOT_SETTINGS = frozenset({"CELERYSCOPE_UI", "CELERYSCOPE_FLOWER", "CELERYSCOPE_TOKEN"})
_DIALECT_PREFIX: Mapping[Dialect, str] = {"flower": "FLOWER_", "exporter": "CE_"}


class Given(NamedTuple):
    """One value that somebody gave for something."""

    name: str  # our name, or another tool's
    value: Any
    origin: str  # "--port", "CELERYSCOPE_PORT", "flowerconfig.py:3": where to change it


@dataclass
class Loaded:
    config: Config
    notices: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def load(
    *,
    command: Command,
    flags: Iterable[Given] = (),
    env: Mapping[str, str],
    app: Iterable[Given] = (),
    directory: Path,
) -> Loaded:
    """Make the Config of `command`; `app` is what the Celery app says, if there is one.

    `directory` is where the command runs: a flowerconfig.py there is read, as Flower does.
    Raises ConfigError with a sentence for the person who gave the value.
    """
    reading = _Reading(command)
    reading.layer(flags)
    reading.layer(_from_environment(env, "CELERYSCOPE_", ours=True))
    reading.warn_of_unknown(env)
    dialect = dialect_of(command)
    if dialect is not None:
        prefix = _DIALECT_PREFIX[dialect]
        known = {prefix + name.upper() for name in names_of(dialect)}
        reading.layer(_from_environment({k: v for k, v in env.items() if k in known}, prefix))
    for name, variable in _CELERYS_OWN.items():
        if variable in env:
            reading.layer([Given(name, env[variable], variable)])
    path = reading.values.get("config") or _flowers_file(command, directory, reading)
    if path is not None:
        reading.file(directory / path)
    reading.layer(app)
    return reading.finish()


def dialect_of(command: Command) -> Dialect | None:
    """The tool whose place the command takes, and whose options it therefore accepts."""
    if command == "demo":
        return None
    return "exporter" if command == "exporter" else "flower"


def names_of(dialect: Dialect) -> frozenset[str]:
    """Every option that the tool has."""
    names = {setting.name for setting in SETTINGS if dialect in setting.same}
    names |= {a.name for setting in SETTINGS for a in setting.aliases if a.dialect == dialect}
    names |= MEANINGLESS[dialect].keys()
    return frozenset(names)


def _from_environment(env: Mapping[str, str], prefix: str, *, ours: bool = False) -> list[Given]:
    """The variables that begin with `prefix`; with `ours`, only those that name a setting."""
    found = []
    for variable, value in env.items():
        name = variable.removeprefix(prefix).lower()
        if not variable.startswith(prefix) or (ours and name not in BY_NAME):
            continue
        if name == "port" and _KUBERNETES_PORT.match(value):
            continue
        found.append(Given(name, value, variable))
    return found


def _flowers_file(command: Command, directory: Path, reading: _Reading) -> Path | None:
    if dialect_of(command) != "flower" or not (directory / files.FLOWERS_FILE).is_file():
        return None
    reading.notices.append(f"Settings are read from {files.FLOWERS_FILE} in this directory")
    return Path(files.FLOWERS_FILE)


class _Reading:
    """The values found so far, and what there is to say about them."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.dialect = dialect_of(command)
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.meaningless: dict[str, str] = {}
        self.aliases: set[str] = set()  # of the tool's names, those that gave a value

    def layer(self, layer: Iterable[Given]) -> None:
        """Take the values of one source; what a source before it gave stays."""
        taken: dict[str, tuple[Any, str]] = {}
        decided: dict[str, tuple[Any, str]] = {}
        for given in layer:
            target = self._target(given)
            if target is None:
                continue
            setting, alias = target
            if isinstance(given.value, NotPlain):
                raise _not_plain(given, setting)
            value = _converted(given, setting, alias)
            if value is None:
                continue
            if alias is not None:
                self.aliases.add(alias.name)
            if alias is not None and alias.decides:
                decided[setting.name] = (value, given.origin)
                continue
            before, origin = taken.setdefault(setting.name, (value, given.origin))
            if before != value:
                raise ConfigError(f"{origin} and {given.origin} contradict each other.")
        for name, (value, origin) in (taken | decided).items():
            if name not in self.values:
                self.values[name] = value
                self.origins[name] = origin

    def file(self, path: Path) -> None:
        python = path.suffix == ".py"
        entries = files.read(path, is_known=self._is_known)
        layer = []
        for written, value, origin in entries:
            name = written.replace("-", "_")
            if self._is_known(name):
                layer.append(Given(name, value, origin))
            elif not python:
                raise ConfigError(f"{origin}: {_unknown('key', written, self._names())}")
            elif difflib.get_close_matches(name, self._names(), cutoff=0.8):
                # Any other name in a Python file may be there to work something out.
                self.warnings.append(f"{origin}: {_unknown('name', written, self._names())}")
        self.layer(layer)

    def warn_of_unknown(self, env: Mapping[str, str]) -> None:
        names = [setting.env for setting in SETTINGS]
        for variable in sorted(env):
            name = variable.removeprefix("CELERYSCOPE_")
            known = variable in _NOT_SETTINGS or name.lower() in BY_NAME
            if name == variable or known or _KUBERNETES_NAME.fullmatch(name):
                continue
            self.warnings.append(_unknown("environment variable", variable, names))

    def finish(self) -> Loaded:
        defaults = {
            setting.name: setting.default_for(self.command)
            for setting in SETTINGS
            if setting.exporter_default is not None
        }
        if "auth" in self.aliases and "gitlab_auth_allowed_groups" not in self.aliases:
            # As in Flower, where there are no roles. Where it asks for a group, too, that gives one.
            self.values.setdefault("oidc_default_role", "admin")
        config = Config(**{**defaults, **self.values})
        _check(config, self.command, self.origins)
        if self.meaningless:
            named = [f"{origin}" + (f" ({why})" if why else "") for origin, why in self._told()]
            self.warnings.append("Without a meaning here, and ignored: " + ", ".join(named))
        return Loaded(config, self.notices, self.warnings)

    def _told(self) -> Iterator[tuple[str, str]]:
        hints = MEANINGLESS[self.dialect] if self.dialect else {}
        for name, origin in self.meaningless.items():
            yield origin, hints.get(name, "")

    def _target(self, given: Given) -> tuple[Setting, Alias | None] | None:
        """The setting that is meant; None when the value has no effect here."""
        name = given.name
        if name in BY_NAME:
            setting = BY_NAME[name]
            if self.command in setting.commands or self.command == "demo":
                return setting, None
            return None
        for setting in SETTINGS:
            for alias in setting.aliases:
                if alias.name == name:
                    return setting, alias
        self.meaningless[name] = given.origin
        return None

    def _is_known(self, name: str) -> bool:
        return name in self._names()

    def _names(self) -> frozenset[str]:
        of_dialect = names_of(self.dialect) if self.dialect else frozenset()
        return frozenset(BY_NAME) | of_dialect


def _converted(given: Given, setting: Setting, alias: Alias | None) -> Any:
    """The value as ours; None when it is as good as not given."""
    value = given.value
    if isinstance(value, str) and not value.strip():
        value = None  # an empty variable, as a compose file passes on one that is not set
    if value is None and given.name == "purge_offline_workers":
        return 0.0  # Flower's way to say never
    if value is None:
        return None
    try:
        if alias is not None and alias.convert is not None:
            value = alias.convert(value)
        return None if value is None else setting.kind.parse(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(_wrong(given, setting, alias, str(error))) from None


def _wrong(given: Given, setting: Setting, alias: Alias | None, detail: str) -> str:
    value = ",".join(given.value) if isinstance(given.value, tuple) else given.value
    shown = "its value" if setting.secret else repr(value)
    allowed = setting.kind.allowed
    if alias is not None and alias.differs:
        allowed = f"{allowed} ({alias.differs})"
    why = f" ({detail})" if detail and setting.multiple and not setting.secret else ""
    return f"{given.origin}: {shown} cannot be used{why}. It must be {allowed}."


def _not_plain(given: Given, setting: Setting) -> ConfigError:
    return ConfigError(
        f"{given.origin}: the value of {given.name} is not written out ({given.value.code}). "
        f"The file is read but never run: write the value there, or set {setting.env}."
    )


def _unknown(what: str, name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"There is no {what} {name}." + (f" Is {near[0]} meant?" if near else "")


def is_loopback(address: str) -> bool:
    """Is `address` one that only this machine reaches?"""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _check(config: Config, command: Command, origins: Mapping[str, str]) -> None:
    """What no single setting can know. Raises ConfigError."""
    if not config.broker and command in {"serve", "exporter"}:
        raise ConfigError(
            f"Which broker? Say it: celeryscope {command} --broker redis://localhost:6379/0. "
            "A project's own is taken from its app: celery -A proj scope."
        )
    if bool(config.certfile) != bool(config.keyfile):
        raise ConfigError("HTTPS needs both: --certfile and --keyfile")
    if config.broker_key and not config.broker_cert:
        raise ConfigError("--broker-key is the key of a certificate: give --broker-cert too")
    oidc = config.oidc_provider or config.oidc_issuer
    if oidc and not config.oidc_client_id:
        raise ConfigError(
            f"The provider {oidc} knows this console by an id: say it with --oidc-client-id"
        )
    for name in ("oidc_client_id", "oidc_emails", "oidc_client_secret", "oidc_redirect_uri"):
        if getattr(config, name) and not oidc:
            raise ConfigError(
                f"{origins[name]} asks for a login with a provider, and none is named: "
                "--oidc-issuer https://…, or Flower's --auth-provider"
            )
    if oidc and not (config.oidc_roles or config.oidc_default_role):
        raise ConfigError(
            "Nobody could come in by the provider: no group has a role. Say which do, as "
            "--oidc-roles ops=admin, or what everybody is: --oidc-default-role viewer"
        )
    if config.proxy_user_header and not config.trusted_proxies:
        raise ConfigError(
            "--proxy-user-header needs --trusted-proxies: anybody could send that header"
        )
    if config.proxy_user_header and not (config.proxy_roles or config.proxy_default_role):
        raise ConfigError(
            "Nobody could come in by the proxy: no group has a role. Say what everybody is that it "
            "names: --proxy-default-role viewer"
        )
    if config.proxy_roles and not config.proxy_role_header:
        raise ConfigError("--proxy-roles are looked for in a header: --proxy-role-header NAME")
    # The console looks for a login when it starts; these two have none.
    if command in {"exporter", "demo"} and not (
        config.unix_socket or config.insecure or is_loopback(config.address)
    ):
        origin = origins.get("address", "--address")
        raise ConfigError(
            f"{origin}: on {config.address} other machines reach it, and the {command} has no login. "
            "Say --insecure to let everybody in who reaches it."
        )
