"""SETTINGS: what can be set, one row each, and Config, which holds the values.

The fields of Config are the table: a setting has one name everywhere. As a flag it is
`--max-tasks`, in the environment CELERYSCOPE_MAX_TASKS, in a file `max_tasks`.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from celeryscope.config import kinds
from celeryscope.config.kinds import Kind

Dialect = Literal["flower", "exporter"]  # exporter: danihodovic/celery-exporter
Command = Literal["serve", "scope", "exporter", "demo"]

logger = logging.getLogger(__name__)

ALL: frozenset[Command] = frozenset({"serve", "scope", "exporter"})
CONSOLE: frozenset[Command] = frozenset({"serve", "scope"})
_T = TypeVar("_T")


@dataclass(frozen=True)
class Alias:
    """Another tool's name for a setting, and how its value becomes ours."""

    name: str
    dialect: Dialect
    convert: Callable[[Any], Any] | None = None  # gives None for "as if not given"
    differs: str = ""  # what is different about its values, for the documentation
    decides: bool = False  # a switch; on, it goes before other values of the same source


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    name: str
    kind: Kind
    default: Any
    sentence: str
    group: str
    unit: str
    aliases: tuple[Alias, ...]
    same: frozenset[Dialect]  # tools that know it by the same name and meaning
    multiple: bool  # as a flag it may be repeated
    secret: bool  # its value is never shown
    commands: frozenset[Command]
    exporter_default: Any
    short: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        return "CELERYSCOPE_" + self.name.upper()

    @property
    def is_switch(self) -> bool:
        return isinstance(self.default, bool)

    def default_for(self, command: Command) -> Any:
        if command == "exporter" and self.exporter_default is not None:
            return self.exporter_default
        return self.default

    def shown_default(self, command: Command) -> str:
        """The default as a person would write it; empty where there is none."""
        default = self.default_for(command)
        if isinstance(default, bool):
            return "on" if default else "off"
        if isinstance(default, tuple):
            return ",".join(f"{bound:g}" for bound in default)
        if isinstance(default, float):
            return f"{default:g}"
        if self.unit == "bytes" and default % 2**20 == 0:
            return f"{default // 2**20}MiB"
        return str(default) if default or default == 0 else ""


def _setting(
    default: _T,
    kind: Kind,
    group: str,
    sentence: str,
    *,
    unit: str = "",
    aliases: tuple[Alias, ...] = (),
    same: tuple[Dialect, ...] = (),
    multiple: bool = False,
    secret: bool = False,
    commands: frozenset[Command] = ALL,
    exporter_default: Any = None,
    short: str = "",
) -> _T:
    """Declare a field of Config that is a row of SETTINGS."""
    row = Setting(
        "",
        kind,
        default,
        sentence,
        group,
        unit,
        aliases,
        frozenset(same),
        multiple,
        secret,
        commands,
        exporter_default,
        short,
    )
    of: dict[str, Any] = (
        {"default_factory": lambda: default} if isinstance(default, dict) else {"default": default}
    )
    return cast(_T, dataclasses.field(**of, repr=not secret, metadata={"row": row}))


def _milliseconds(value: Any) -> float:
    return float(value) / 1000


def _debug(value: Any) -> str | None:
    return "debug" if kinds.on_off().parse(value) else None


def _tornado_level(value: Any) -> str:
    told = str(value).lower()
    return "error" if told in {"none", "critical", "fatal"} else told


def _provider(value: Any) -> str:
    """Know Flower's handlers by their names, as `flower.views.auth.GoogleAuth2LoginHandler`."""
    handler = str(value).rpartition(".")[2].lower()
    for provider in ("google", "github", "gitlab", "okta"):
        if handler.startswith(provider):
            return provider
    raise ValueError


def _emails(value: Any) -> list[str] | None:
    """Read Flower's `auth`: addresses between |, or one with a wildcard `.*` before its @."""
    pattern = str(value)
    if not pattern:
        return None
    if "|" in pattern and "*" not in pattern:
        return [re.escape(address) for address in pattern.split("|")]
    if pattern.count("*") > 1 or "|" in pattern or "*" in pattern.rpartition("@")[2]:
        raise ValueError
    return [re.escape(pattern).replace(r"\.\*", r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]*")]


def _https(value: Any) -> str:
    return f"https://{value}"


def _okta_issuer(value: Any) -> str:
    """Okta's base URL ends where its authorization server's own paths begin."""
    return str(value).rstrip("/").removesuffix("/v1").removesuffix("/oauth2") or str(value)


def _admins(value: Any) -> dict[str, str]:
    return dict.fromkeys(kinds.names().parse(value), "admin")


def _typed_pairs(value: Any) -> dict[str, Any]:
    """celery-exporter's `key=value` options, whose numbers and constants of `ssl` are meant."""
    return {key: _typed(told) for key, told in kinds.key_values(value).items()}


def _typed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    name = value.removeprefix("ssl.")
    return getattr(ssl, name) if name in ssl.VerifyMode.__members__ else value


ROLES = ("viewer", "operator", "admin")

PAGE = "Where it listens"
BROKER = "Broker"
WORKERS = "Workers and queues"
MEMORY = "What it keeps in memory"
HISTORY = "History"
METRICS = "Metrics"
PROGRAM = "Program"
ACCESS = "Who may come in"
GROUPS = (BROKER, PAGE, ACCESS, WORKERS, MEMORY, HISTORY, METRICS, PROGRAM)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The value of every setting. `load.load` makes one, checked."""

    # ---- broker
    broker: str = _setting(
        "",
        kinds.text("URL"),
        BROKER,
        "URL of the broker, as Celery's broker_url. CELERY_BROKER_URL is read too.",
        aliases=(Alias("broker_url", "exporter"),),
        secret=True,
    )
    transport_options: Mapping[str, Any] = _setting(
        {},
        kinds.mapping(),
        BROKER,
        "Celery's broker_transport_options.",
        aliases=(Alias("broker_transport_option", "exporter", _typed_pairs, "KEY=VALUE"),),
        secret=True,
    )
    broker_use_ssl: Mapping[str, Any] | bool = _setting(
        False,
        kinds.mapping(or_switch=True),
        BROKER,
        "Celery's broker_use_ssl; the four settings below are shorter.",
        aliases=(Alias("broker_ssl_option", "exporter", _typed_pairs, "KEY=VALUE"),),
        secret=True,  # the key's password may be in it
    )
    broker_ca: Path | None = _setting(
        None,
        kinds.path(),
        BROKER,
        "File of certificate authorities that the broker's certificate is checked with.",
    )
    broker_cert: Path | None = _setting(
        None, kinds.path(), BROKER, "File of the certificate that is shown to the broker."
    )
    broker_key: Path | None = _setting(
        None, kinds.path(), BROKER, "File of that certificate's key."
    )
    broker_verify: bool = _setting(True, kinds.on_off(), BROKER, "Check the broker's certificate.")
    connect_timeout: float = _setting(
        5.0,
        kinds.seconds(),
        BROKER,
        "How long a connection to the broker may take to make.",
        unit="seconds",
    )
    broker_api: str = _setting(
        "",
        kinds.text("URL", pattern=r"https?://.+", allowed="an http:// or https:// URL"),
        BROKER,
        "URL of RabbitMQ's management API, such as http://user:password@host:15672/api/.",
        same=("flower",),
        secret=True,
    )
    result_backend: str = _setting(
        "",
        kinds.text("URL"),
        BROKER,
        "URL of the result backend, as Celery's result_backend, where the app has none. "
        "CELERY_RESULT_BACKEND is read too.",
        secret=True,
        commands=CONSOLE,
    )
    event_exchange: str = _setting(
        "celeryev",
        kinds.text("NAME", pattern=".+", allowed="a name"),
        BROKER,
        "Celery's event_exchange.",
    )
    event_queue_prefix: str = _setting(
        "celeryev",
        kinds.text("NAME", pattern=".+", allowed="a name"),
        BROKER,
        "Celery's event_queue_prefix.",
    )
    event_queue_ttl: float = _setting(
        5.0, kinds.seconds(), BROKER, "Celery's event_queue_ttl.", unit="seconds"
    )
    event_queue_expires: float = _setting(
        60.0, kinds.seconds(), BROKER, "Celery's event_queue_expires.", unit="seconds"
    )

    # ---- page
    address: str = _setting(
        "127.0.0.1",
        kinds.text("ADDRESS", pattern=".+", allowed="an address"),
        PAGE,
        "Address to listen on. One that other machines reach needs a login, or --insecure.",
        same=("flower",),
        aliases=(Alias("host", "exporter"),),
    )
    port: int = _setting(
        5555,
        kinds.whole(0, 65535, metavar="PORT"),
        PAGE,
        "Port to listen on.",
        same=("flower", "exporter"),
        exporter_default=9808,
    )
    unix_socket: Path | None = _setting(
        None,
        kinds.path(),
        PAGE,
        "Unix socket to listen on in place of address and port.",
        same=("flower",),
    )
    url_prefix: str = _setting(
        "",
        kinds.text("PREFIX", pattern=r"[A-Za-z0-9._~/-]*", allowed="a path such as /celery"),
        PAGE,
        "Path under which a proxy shows it, such as /celery.",
        same=("flower",),
    )
    external_url: str = _setting(
        "",
        kinds.web_address(),
        PAGE,
        "Address at which people reach it, with the prefix; given where it listens elsewhere, or "
        "behind a proxy. Metrics carry it, so that Grafana can link here.",
        commands=CONSOLE,
    )
    grafana_url: str = _setting(
        "",
        kinds.web_address(),
        PAGE,
        "A Grafana that has Celeryscope's dashboards; the page links to them.",
        commands=CONSOLE,
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        kinds.names("HOST"),
        PAGE,
        "Host names that requests may come under besides this machine's own, such as a proxy's. "
        "On loopback, and wherever this is given, a request under another name is refused.",
        multiple=True,
    )
    certfile: Path | None = _setting(
        None, kinds.path(), PAGE, "File of the certificate to answer HTTPS with.", same=("flower",)
    )
    keyfile: Path | None = _setting(
        None, kinds.path(), PAGE, "File of that certificate's key.", same=("flower",)
    )
    ca_certs: Path | None = _setting(
        None, kinds.path(), PAGE, "File of certificate authorities for HTTPS.", same=("flower",)
    )

    # ---- who may come in
    insecure: bool = _setting(
        False, kinds.on_off(), ACCESS, "Listen where other machines reach it, with no login."
    )
    read_only: bool = _setting(
        False,
        kinds.on_off(),
        ACCESS,
        "Refuse everything that changes something, whoever asks.",
        same=("flower",),
        commands=CONSOLE,
    )
    anonymous_role: str = _setting(
        "",
        kinds.choice("none", *ROLES),
        ACCESS,
        "What somebody may do who has not logged in: viewer sees, operator steers tasks and queues, "
        "admin everything. Left out it is none where there is a login; else admin on loopback, and "
        "viewer on other addresses and where allowed_hosts, external_url, url_prefix or unix_socket "
        "tell of a proxy.",
        commands=CONSOLE,
    )
    unauthenticated_api: bool = _setting(
        False,
        kinds.on_off(),
        ACCESS,
        "Flower's FLOWER_UNAUTHENTICATED_API: where there is no login, and anonymous_role is left "
        "out, everybody who reaches it is admin.",
        same=("flower",),
        commands=CONSOLE,
    )
    metrics_access: str = _setting(
        "open",
        kinds.choice("open", "login"),
        ACCESS,
        "Who may read /metrics where there is a login: everybody, or those who show a user or a "
        "token.",
        commands=CONSOLE,
    )
    health_access: str = _setting(
        "open",
        kinds.choice("open", "login"),
        ACCESS,
        "Who may read the health answers where there is a login.",
        commands=CONSOLE,
    )
    users_file: Path | None = _setting(
        None,
        kinds.path(),
        ACCESS,
        "File of users, which `celeryscope user` writes; users.json in the data directory when "
        "left out.",
        commands=CONSOLE,
    )
    basic_auth: tuple[tuple[str, str], ...] = _setting(
        (),
        kinds.logins(),
        ACCESS,
        "A user and the password, in clear; the file of users keeps them better.",
        multiple=True,
        same=("flower",),
        secret=True,
        commands=CONSOLE,
    )
    basic_auth_role: str = _setting(
        "admin",
        kinds.choice(*ROLES),
        ACCESS,
        "The role of the users of basic_auth.",
        commands=CONSOLE,
    )
    cookie_secret: str = _setting(
        "",
        kinds.text("SECRET", pattern=r".{16,}", allowed="at least 16 characters"),
        ACCESS,
        "What session cookies are signed with; made at random, and kept in the data directory, "
        "when left out.",
        same=("flower",),
        secret=True,
        commands=CONSOLE,
    )
    session_idle: float = _setting(
        43_200.0,
        kinds.seconds(),
        ACCESS,
        "A session ends when nothing was asked for so long.",
        unit="seconds",
        commands=CONSOLE,
    )
    session_lifetime: float = _setting(
        604_800.0,
        kinds.seconds(),
        ACCESS,
        "A session ends so long after its login, used or not.",
        unit="seconds",
        commands=CONSOLE,
    )
    oidc_provider: str = _setting(
        "",
        kinds.choice("google", "github", "gitlab", "okta"),
        ACCESS,
        "A provider whose issuer and ways are known; any other is told by oidc_issuer alone.",
        aliases=(Alias("auth_provider", "flower", _provider, "the name of Flower's handler"),),
        commands=CONSOLE,
    )
    oidc_issuer: str = _setting(
        "",
        kinds.web_address(),
        ACCESS,
        "The OpenID Connect provider, as its discovery document names itself.",
        aliases=(
            Alias("oauth2_okta_base_url", "flower", _okta_issuer),
            Alias("gitlab_oauth_domain", "flower", _https, "a host name"),
            Alias("github_oauth_domain", "flower", _https, "a host name"),
        ),
        commands=CONSOLE,
    )
    oidc_client_id: str = _setting(
        "",
        kinds.text("ID"),
        ACCESS,
        "The id that the provider gave this console.",
        aliases=(Alias("oauth2_key", "flower"),),
        commands=CONSOLE,
    )
    oidc_client_secret: str = _setting(
        "",
        kinds.text("SECRET"),
        ACCESS,
        "The secret that the provider gave with it; none for a public client.",
        aliases=(Alias("oauth2_secret", "flower"),),
        secret=True,
        commands=CONSOLE,
    )
    oidc_redirect_uri: str = _setting(
        "",
        kinds.text("URL", pattern=r"https?://\S+", allowed="an http:// or https:// URL"),
        ACCESS,
        "Where the provider sends people back to: this console's /login/callback. Made from "
        "external_url, or from the address it listens on, when left out.",
        aliases=(Alias("oauth2_redirect_uri", "flower"),),
        commands=CONSOLE,
    )
    oidc_scopes: str = _setting(
        "openid profile email",
        kinds.text("SCOPES", pattern=r"[\x21-\x7e]+( [\x21-\x7e]+)*", allowed="words"),
        ACCESS,
        "What is asked of the provider.",
        commands=CONSOLE,
    )
    oidc_name_claim: str = _setting(
        "",
        kinds.text("CLAIM"),
        ACCESS,
        "The claim that names the person; email, else preferred_username, else sub when left out.",
        commands=CONSOLE,
    )
    oidc_role_claim: str = _setting(
        "groups",
        kinds.text("CLAIM", pattern=".+", allowed="a name"),
        ACCESS,
        "The claim with groups or roles; realm_access.roles is one inside another.",
        commands=CONSOLE,
    )
    oidc_roles: Mapping[str, str] = _setting(
        {},
        kinds.chosen(*ROLES),
        ACCESS,
        "What a value of that claim gives, as ops=admin; the highest of several counts.",
        multiple=True,
        aliases=(Alias("gitlab_auth_allowed_groups", "flower", _admins, "groups"),),
        commands=CONSOLE,
    )
    oidc_default_role: str = _setting(
        "",
        kinds.choice(*ROLES),
        ACCESS,
        "The role of those that no value of the claim gives one; left out, they stay outside.",
        commands=CONSOLE,
    )
    oidc_emails: tuple[re.Pattern[str], ...] = _setting(
        (),
        kinds.patterns(),
        ACCESS,
        "Only people whose verified e-mail address, as a whole, matches one of these come in.",
        multiple=True,
        aliases=(Alias("auth", "flower", _emails, "as Flower reads it; they are admins"),),
        commands=CONSOLE,
    )
    gitlab_min_access_level: int = _setting(
        20,
        kinds.whole(0, 60),
        ACCESS,
        "With oidc_provider gitlab: the least access level that somebody needs in a group for it to "
        "count; 20 is Reporter, 30 Developer.",
        same=("flower",),
        commands=CONSOLE,
    )
    oidc_label: str = _setting(
        "",
        kinds.text("NAME"),
        ACCESS,
        "What the login page calls the provider.",
        commands=CONSOLE,
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        kinds.networks(),
        ACCESS,
        "Networks, such as 10.0.0.0/8, of proxies whose X-Forwarded-For, X-Forwarded-Proto and "
        "user header are believed; unix is the Unix socket.",
        multiple=True,
        commands=CONSOLE,
    )
    proxy_user_header: str = _setting(
        "",
        kinds.text("HEADER", pattern=r"[A-Za-z0-9-]+", allowed="the name of a header"),
        ACCESS,
        "The header in which a trusted proxy names who is logged in, such as X-Forwarded-User.",
        commands=CONSOLE,
    )
    proxy_role_header: str = _setting(
        "",
        kinds.text("HEADER", pattern=r"[A-Za-z0-9-]+", allowed="the name of a header"),
        ACCESS,
        "The header in which it tells that person's groups or roles, separated by commas.",
        commands=CONSOLE,
    )
    proxy_roles: Mapping[str, str] = _setting(
        {},
        kinds.chosen(*ROLES),
        ACCESS,
        "What a value of that header gives, as ops=admin; the highest of several counts.",
        multiple=True,
        commands=CONSOLE,
    )
    proxy_default_role: str = _setting(
        "",
        kinds.choice(*ROLES),
        ACCESS,
        "The role of those whom the proxy names and no value gives one; left out, they stay "
        "outside.",
        commands=CONSOLE,
    )

    # ---- workers and queues
    enable_events: bool = _setting(
        True,
        kinds.on_off(),
        WORKERS,
        "Ask workers again and again to send events, so that `-E` is not needed.",
        same=("flower",),
    )
    reply_timeout: float = _setting(
        1.0,
        kinds.seconds(),
        WORKERS,
        "How long workers' replies to inspect are waited for.",
        unit="seconds",
        aliases=(Alias("inspect_timeout", "flower", _milliseconds, "in milliseconds"),),
        commands=CONSOLE,
    )
    control_timeout: float = _setting(
        5.0,
        kinds.seconds(),
        WORKERS,
        "How long workers' answers to a command are waited for.",
        unit="seconds",
        commands=CONSOLE,
    )
    inspect_interval: float = _setting(
        60.0,
        kinds.seconds(),
        WORKERS,
        "How often all workers are inspected.",
        unit="seconds",
        commands=CONSOLE,
    )
    queues: tuple[str, ...] = _setting(
        (),
        kinds.names("QUEUE"),
        WORKERS,
        "Queues to measure besides those that workers consume.",
        multiple=True,
        same=("exporter",),
        short="-Q",
    )
    queue_interval: float = _setting(
        5.0, kinds.seconds(), WORKERS, "How often queues are measured.", unit="seconds"
    )
    default_queue_name: str = _setting(
        "celery",
        kinds.text("QUEUE", pattern=".+", allowed="a name"),
        WORKERS,
        "The queue of tasks that no event told the queue of; Celery's task_default_queue.",
        same=("exporter",),
    )
    purge_offline_workers: float = _setting(
        600.0,
        kinds.seconds(zero=True),
        WORKERS,
        "How long after its last sign of life an offline worker's series go; 0: never.",
        unit="seconds",
        same=("flower",),
        aliases=(Alias("purge_offline_worker_metrics", "exporter"),),
    )

    # ---- memory
    max_tasks: int = _setting(
        20_000,
        kinds.whole(1),
        MEMORY,
        "Finished tasks kept in memory; of those that wait or run, up to five times as many.",
        unit="tasks",
        same=("flower",),
    )
    max_workers: int = _setting(
        5_000, kinds.whole(1), MEMORY, "Workers kept in memory.", unit="workers", same=("flower",)
    )
    max_text_chars: int = _setting(
        4_096,
        kinds.whole(64),
        MEMORY,
        "Characters kept of each text of a task: arguments, result, exception.",
        unit="characters",
        commands=CONSOLE,
    )
    max_text_bytes: int = _setting(
        64 * 2**20,
        kinds.size(2**20),
        MEMORY,
        "Memory for the texts of all tasks together.",
        unit="bytes",
        commands=CONSOLE,
    )
    event_buffer_bytes: int = _setting(
        256 * 2**20,
        kinds.size(2**20),
        MEMORY,
        "Events that may wait to be handled; what comes beyond is dropped and counted.",
        unit="bytes",
    )
    max_message_bytes: int = _setting(
        16 * 2**20,
        kinds.size(2**10),
        MEMORY,
        "The largest message that is read; a larger one is refused and counted.",
        unit="bytes",
    )
    mask: tuple[re.Pattern[str], ...] = _setting(
        (),
        kinds.masks(),
        MEMORY,
        "What matches in arguments, results, exceptions and tracebacks is shown as ***.",
        multiple=True,
        commands=CONSOLE,
    )

    store_args: bool = _setting(
        True,
        kinds.on_off(),
        MEMORY,
        "Keep arguments and results of tasks; off: they are neither shown nor stored. Exceptions and "
        "tracebacks are.",
        commands=CONSOLE,
    )

    # ---- history
    history: str = _setting(
        "",
        kinds.text(
            "WHERE",
            pattern=r"off|postgres(ql)?://.+",
            allowed="off, or the URL of a PostgreSQL database: postgresql://user@host/name",
        ),
        HISTORY,
        "Where the history of tasks is kept: history.db in the data directory when left out, in "
        "PostgreSQL with postgresql://…, or nowhere: off.",
        secret=True,
        commands=CONSOLE,
    )
    history_max_age: float = _setting(
        30 * 86_400.0,
        kinds.seconds(zero=True, most=kinds.MOST_AGE_SECONDS),
        HISTORY,
        "How long finished tasks are kept; 0: for ever.",
        unit="seconds",
        commands=CONSOLE,
    )
    history_max_age_of: Mapping[str, float] = _setting(
        {},
        kinds.ages(),
        HISTORY,
        "How long tasks of one state are kept, such as failure=90d, where it is not as long as the "
        "others; 0: for ever.",
        multiple=True,
        commands=CONSOLE,
    )
    history_max_tasks: int = _setting(
        0,
        kinds.whole(0),
        HISTORY,
        "At most so many tasks are kept, the oldest go first; 0: any number.",
        unit="tasks",
        commands=CONSOLE,
    )
    history_max_bytes: int = _setting(
        10 * 2**30,
        kinds.size(0),
        HISTORY,
        "At most so much of the disk is taken by the history, the oldest tasks go first; 0: any "
        "amount.",
        unit="bytes",
        commands=CONSOLE,
    )
    lost_after: float = _setting(
        300.0,
        kinds.seconds(zero=True),
        HISTORY,
        "A task that runs on a worker which is gone for so long is LOST; 0: never.",
        unit="seconds",
        commands=CONSOLE,
    )
    fetch_results: bool = _setting(
        True,
        kinds.on_off(),
        HISTORY,
        "Ask the result backend for the outcome of tasks whose last event never came.",
        commands=CONSOLE,
    )

    # ---- metrics
    metrics_flower: bool = _setting(
        True, kinds.on_off(), METRICS, "Give the metrics of Flower (flower_…)."
    )
    metrics_celery: bool = _setting(
        True, kinds.on_off(), METRICS, "Give the metrics of celery-exporter (celery_…)."
    )
    metric_prefix: str = _setting(
        "celery_",
        kinds.text(
            "PREFIX", pattern="[a-zA-Z_:][a-zA-Z0-9_:]*", allowed="the beginning of a metric's name"
        ),
        METRICS,
        "What takes the place of celery_ in the names of celery-exporter's metrics.",
        same=("exporter",),
    )
    static_label: Mapping[str, str] = _setting(
        {},
        kinds.pairs(),
        METRICS,
        "A label that all of celery-exporter's metrics get.",
        multiple=True,
        same=("exporter",),
    )
    task_runtime_metric_buckets: tuple[float, ...] = _setting(
        (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
        kinds.bounds(),
        METRICS,
        "Buckets of the histograms of Flower and celery-exporter.",
        unit="seconds",
        multiple=True,
        same=("flower",),
        aliases=(Alias("buckets", "exporter"),),
    )
    generic_hostname_task_sent_metric: bool = _setting(
        False,
        kinds.on_off(),
        METRICS,
        "Label celery_task_sent_total with `generic` and not with the client's host.",
        same=("exporter",),
    )
    generic_hostname_worker_task_metric: bool = _setting(
        False,
        kinds.on_off(),
        METRICS,
        "Label celery_'s task metrics with `generic` and not with the worker's host.",
        same=("exporter",),
    )
    max_task_names: int = _setting(
        2_000,
        kinds.whole(1),
        METRICS,
        "Task names that get series of their own; the rest is counted together.",
        unit="names",
    )
    max_series: int = _setting(
        50_000,
        kinds.whole(100),
        METRICS,
        "Series that one metric may have; a histogram's count as one.",
        unit="series",
    )

    # ---- program
    config: Path | None = _setting(
        None,
        kinds.path(),
        PROGRAM,
        "File of settings: TOML, or a flowerconfig.py, which is read but never run.",
        aliases=(Alias("conf", "flower"),),
    )
    data_dir: Path | None = _setting(
        None,
        kinds.path(),
        PROGRAM,
        "Directory for what outlives a restart: the history of tasks, users, tokens, sessions and "
        "the audit trail. Left out it is celeryscope in $XDG_DATA_HOME or ~/.local/share.",
        commands=CONSOLE,
    )
    log_level: str = _setting(
        "info",
        kinds.choice("debug", "info", "warning", "error"),
        PROGRAM,
        "How much is logged.",
        same=("exporter",),
        aliases=(
            Alias("debug", "flower", _debug, "on: debug", decides=True),
            Alias("logging", "flower", _tornado_level),
        ),
    )

    log_format: str = _setting(
        "text",
        kinds.choice("text", "json"),
        PROGRAM,
        "How a line of the log is written: for people, or a JSON object.",
    )

    def broker_tls(self) -> dict[str, Any] | bool | None:
        """What Celery calls broker_use_ssl, from all settings about it; None: no TLS asked for."""
        given = {
            "ca_certs": self.broker_ca,
            "certfile": self.broker_cert,
            "keyfile": self.broker_key,
        }
        shorter: dict[str, Any] = {key: str(path) for key, path in given.items() if path}
        if not self.broker_verify:
            shorter["cert_reqs"] = ssl.CERT_NONE
        elif shorter:
            shorter["cert_reqs"] = ssl.CERT_REQUIRED
        if not shorter:
            options = self.broker_use_ssl
            if not options and self._unchecked_by_redis():
                return {"ssl_cert_reqs": ssl.CERT_REQUIRED}
            return options or None if isinstance(options, bool) else dict(options)
        # Redis clients know the same options under names of their own.
        amqp = self.broker.startswith(("amqp", "pyamqp"))
        return shorter if amqp else {f"ssl_{key}": value for key, value in shorter.items()}

    def _unchecked_by_redis(self) -> bool:
        """Say whether kombu would take any certificate: it does, unless the URL says otherwise."""
        return self.broker.startswith(("rediss:", "valkeys:")) and "ssl_" not in self.broker


SETTINGS: tuple[Setting, ...] = tuple(
    dataclasses.replace(field.metadata["row"], name=field.name)
    for field in dataclasses.fields(Config)
)
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}

# Options of Flower and celery-exporter that have no meaning here; where ours does the same job
# in another way, how.
MEANINGLESS: Mapping[Dialect, Mapping[str, str]] = {
    "flower": {
        "auto_refresh": "",
        "db": "",
        "format_task": "use mask to hide what tasks carry",
        "log_file_max_size": "",
        "log_file_num_backups": "",
        "log_file_prefix": "",
        "log_rotate_interval": "",
        "log_rotate_mode": "",
        "log_rotate_when": "",
        "log_to_stderr": "",
        "natural_time": "",
        "persistent": "",
        "state_save_interval": "",
        "tasks_columns": "",
        "xheaders": "",
    },
    "exporter": {
        "accept_content": "json, msgpack and yaml are always read",
        "redbeat_key_prefix": "",
        "redbeat_redis_option": "",
        "redbeat_redis_url": "",
        "redbeat_redis_use_ssl": "",
        "redbeat_sentinel": "",
        "retry_interval": "it always connects again",
        "worker_timeout": "a worker is up by its heartbeats, as Celery itself decides",
    },
}


#: A pattern that takes so long for one text stalls everything.
_SLOW_SECONDS = 1.0


def masker(patterns: tuple[re.Pattern[str], ...]) -> Callable[[str], str] | None:
    """A function that replaces what matches by ***; None when there is nothing to mask."""
    if not patterns:
        return None

    def mask(text: str) -> str:
        for number, pattern in enumerate(patterns, 1):
            chars, began = len(text), time.monotonic()
            text = pattern.sub("***", text)
            if (seconds := time.monotonic() - began) > _SLOW_SECONDS:
                # Nothing else goes on meanwhile.
                told = {"pattern": number, "seconds": round(seconds, 1), "chars": chars}
                logger.warning("a mask took long; simplify its pattern", extra=told)
        return text

    return mask
