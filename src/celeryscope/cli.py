"""The commands: celeryscope serve · demo · exporter · stack · control · user · token · audit ·
history · backup · restore, `celery -A proj scope`.

Their options are made from the table of settings. What is heavy to import is imported by the
command that needs it.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from celeryscope import __version__, places
from celeryscope.config import SETTINGS, Config, Given, Loaded, Setting, load
from celeryscope.config.load import dialect_of
from celeryscope.config.settings import GROUPS, MEANINGLESS, Command
from celeryscope.errors import CeleryscopeError, ConfigError
from celeryscope.titles import hide

EXIT_CONFIG = 2
EXIT_FAILED = 1
DEMO_OPTIONS = ("address", "port", "url_prefix", "insecure", "data_dir")


class SettingOption(click.Option):
    """A flag for one setting. Values stay texts here: config says what is wrong with them."""

    def __init__(self, setting: Setting, command: Command) -> None:
        self.setting = setting
        default = setting.shown_default(command)
        unit = f" {setting.unit}" if setting.unit != "bytes" else ""
        facts = [f"default: {default}{unit}".rstrip()] if default else []
        super().__init__(
            [name for name in (setting.name, setting.short, setting.flag) if name],
            metavar=setting.kind.metavar,
            help=f"{setting.sentence}  ({'; '.join([*facts, setting.env])})",
            multiple=setting.multiple,
            allow_from_autoenv=False,  # `celery` would read CELERY_SCOPE_PORT, too
            **_optional_value(setting.is_switch),
        )


class SettingsCommand(click.Command):
    """A command whose options are the settings, shown by group, and its dialect's names."""

    def __init__(self, command: Command, **kwargs: Any) -> None:
        settings = [setting for setting in SETTINGS if command in setting.commands]
        super().__init__(
            params=[*(SettingOption(s, command) for s in settings), *_foreign_options(command)],
            # Flower's --max_tasks and --max-tasks are the same.
            context_settings={
                "token_normalize_func": lambda token: token.replace("_", "-"),
                "max_content_width": 100,
            },
            epilog=_epilog(command),
            **kwargs,
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in GROUPS:
            rows = [
                record
                for param in self.params
                if isinstance(param, SettingOption) and param.setting.group == group
                if (record := param.get_help_record(ctx))
            ]
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows, col_max=28)


def _optional_value(is_switch: bool) -> dict[str, Any]:
    """A switch may stand alone, or as Flower's users write it: --debug=True."""
    return {"is_flag": False, "flag_value": "on"} if is_switch else {}


def _foreign_options(command: Command) -> Iterator[click.Option]:
    """Options of the tool whose place the command takes; not shown in --help."""
    dialect = dialect_of(command)
    if dialect is None:
        return
    for setting in SETTINGS:
        for alias in setting.aliases:
            if alias.dialect == dialect:
                switch = setting.is_switch or alias.decides
                yield _hidden(alias.name, multiple=setting.multiple, switch=switch)
    for name in sorted(MEANINGLESS[dialect]):
        yield _hidden(name, multiple=True, switch=True)


def _hidden(name: str, *, multiple: bool, switch: bool) -> click.Option:
    return click.Option(
        [name, "--" + name.replace("_", "-")],
        hidden=True,
        multiple=multiple,
        allow_from_autoenv=False,
        **_optional_value(switch),
    )


def _epilog(command: Command) -> str:
    other = "celery-exporter's" if command == "exporter" else "Flower's"
    prefix = "CE_" if command == "exporter" else "FLOWER_"
    return (
        f"Each option can also be set as the variable named with it, and in the file. {other} "
        f"options and {prefix}… variables are taken where they mean the same."
    )


def _flags(values: dict[str, Any]) -> Iterator[Given]:
    for name, value in values.items():
        if value is not None and value != ():
            yield Given(name, value, "--" + name.replace("_", "-"))


def _from_app(app: Any) -> Iterator[Given]:
    """What a Celery app says about its broker, events and queues."""
    conf = app.conf
    broker = conf.broker_read_url or conf.broker_url
    if isinstance(broker, list | tuple):
        broker = ";".join(broker)
    if not broker:
        broker = app.connection_for_read().as_uri(include_password=True)
    yield Given("broker", broker, "the app's broker_url")
    for ours, celerys in (
        ("transport_options", "broker_transport_options"),
        ("broker_use_ssl", "broker_use_ssl"),
        ("event_exchange", "event_exchange"),
        ("event_queue_prefix", "event_queue_prefix"),
        ("event_queue_ttl", "event_queue_ttl"),
        ("event_queue_expires", "event_queue_expires"),
        ("default_queue_name", "task_default_queue"),
    ):
        if (value := conf.get(celerys)) is not None:
            yield Given(ours, value, f"the app's {celerys}")
    yield Given("queues", list(app.amqp.queues), "the app's task_queues")


def _loaded(command: Command, values: dict[str, Any], app: Any = None) -> Loaded:
    loaded = load(
        command=command,
        flags=_flags(values),
        env=os.environ,
        app=_from_app(app) if app is not None else (),
        directory=Path.cwd(),
    )
    for notice in (*loaded.notices, *loaded.warnings):
        click.echo(f"celeryscope: {notice}", err=True)
    return loaded


def _serve(config: Config, *, app: Any = None, exporter: bool = False) -> int:
    from celeryscope.app import serve

    return serve(config, celery_app=app, exporter=exporter)


def _told(error: CeleryscopeError) -> int:
    """Say what went wrong in a sentence; returns the exit status."""
    click.echo(f"celeryscope: {error}" + (f"\n{error.hint}" if error.hint else ""), err=True)
    return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED


#: Groups of commands that other rooms have, by name: where.
_ELSEWHERE = {
    "audit": "celeryscope.audit.commands",
    "backup": "celeryscope.history.commands",
    "history": "celeryscope.history.commands",
    "restore": "celeryscope.history.commands",
    "tasks": "celeryscope.web.commands",
    "token": "celeryscope.web.auth.commands",
    "user": "celeryscope.web.auth.commands",
}
#: Of these, those that take some of the console's settings.
_TAKES_SETTINGS = ("backup", "history", "restore", "tasks")


class _Main(click.Group):
    """All commands; those of other rooms are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (module := _ELSEWHERE.get(cmd_name)) is None:
            return super().get_command(ctx, cmd_name)
        if cmd_name in _TAKES_SETTINGS:
            hide("serve", cmd_name)
        found: click.Command = getattr(import_module(module), cmd_name)
        return found


def _record(what: str, subject: str, detail: str) -> None:
    """Write into the audit trail what a command line changed of users and tokens."""
    from celeryscope.web.auth.commands import DATA_DIR

    directory = click.get_current_context().meta[DATA_DIR]
    _write_down("token" if what.startswith("token") else "user", directory, what, subject, detail)


def _write_down(kind: Any, data_dir: Path, what: str, subject: str | None, detail: str) -> None:
    from celeryscope.audit.entry import By
    from celeryscope.audit.trail import Trail

    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a container
        who = str(os.getuid())
    logging.getLogger("celeryscope.audit").propagate = False  # the command says it itself
    trail = Trail(data_dir / "audit")
    trail.write(
        kind=kind,
        by=By(name=who, way="command line"),
        what=what,
        subjects=[] if subject is None else [subject],
        outcome="done",
        detail=detail,
    )
    if trail.error:
        click.echo(f"celeryscope: {trail.error}", err=True)


class _House:
    """What the commands of other rooms are given: settings, and the audit trail."""

    record = staticmethod(_record)

    @staticmethod
    def opening(given: Mapping[str, tuple[str, Any]]) -> Any:
        """Say where the history is, by the console's settings (`history.opening.House`)."""
        from celeryscope.app import build_history, history_limits
        from celeryscope.history.opening import FILE, Opening

        flags = [Given(name, value, option) for name, (option, value) in given.items()]
        config = load(
            command="serve",
            flags=flags,
            env=os.environ,
            app=[Given("broker", "memory://", "nobody")],  # it must be said, and is not used
            directory=Path.cwd(),
        ).config
        directory = places.data_dir(config.data_dir)

        def open_history() -> Any:
            return build_history(config, directory=directory)

        return Opening(
            data_dir=directory,
            where=None if config.history == "off" else config.history or directory / FILE,
            limits=history_limits(config),
            open=open_history,
        )

    @staticmethod
    def note(data_dir: Path, what: str, detail: str) -> None:
        """Write into the audit trail what was done to the history."""
        _write_down("console", data_dir, what, None, detail)


@click.group(
    cls=_Main,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "obj": _House(),
    },
)
@click.version_option(__version__, prog_name="celeryscope", message="%(prog)s %(version)s")
def main() -> None:
    """See and steer Celery: live tasks, workers and queues, and the metrics."""


def _serve_command(**values: Any) -> None:
    """Watch the cluster behind a broker: the page, the API and /metrics."""
    hide("serve")
    context = click.get_current_context()
    try:
        code = _serve(_loaded("serve", values).config)
    except CeleryscopeError as error:
        code = _told(error)
    context.exit(code)


def _exporter_command(**values: Any) -> None:
    """Only /metrics and the health answers: no page, nothing kept."""
    hide("exporter")
    context = click.get_current_context()
    try:
        code = _serve(_loaded("exporter", values).config, exporter=True)
    except CeleryscopeError as error:
        code = _told(error)
    context.exit(code)


def _scope_command(**values: Any) -> None:
    """Watch this app's cluster with Celeryscope: the page, the API and /metrics."""
    hide("scope")
    context = click.get_current_context()
    app = context.obj.app
    try:
        code = _serve(_loaded("scope", values, app).config, app=app)
    except CeleryscopeError as error:
        code = _told(error)
    context.exit(code)


def _demo_command(*, broker_port: int | None, rate: float, **values: Any) -> None:
    """A real little Celery cluster on this machine, and the console over it."""
    from celeryscope.demo import run

    context = click.get_current_context()
    try:
        config = _loaded("demo", values).config
        if config.insecure:
            os.environ["CELERYSCOPE_INSECURE"] = "on"  # for the console, a process of its own
        code = run(
            address=config.address,
            port=config.port,
            url_prefix=config.url_prefix,
            data_dir=config.data_dir,
            broker_port=broker_port,
            rate=rate,
        )
    except CeleryscopeError as error:
        code = _told(error)
    context.exit(code)


def _stack_command(*, directory: Path, force: bool, **asked: Any) -> None:
    """Write files that run Celery with its whole monitoring in containers: Redis, a worker and
    beat, Celeryscope, Prometheus, Alertmanager, Pushgateway and Grafana.

    Passwords are made at random, in DIR/.env. Files that are there and differ are listed, and
    nothing is written. Needs Docker Compose to run it, not to write it.
    """
    from celeryscope import stack

    context = click.get_current_context()
    try:
        choice = stack.choose(**asked)
        written = stack.write(directory, stack.stack_files(choice), choice, force=force)
    except CeleryscopeError as error:
        context.exit(_told(error))
    for state in ("new", "replaced", "unchanged"):
        for path in getattr(written, state):
            click.echo(f"  {state:<9}  {path}")
    for path in stack.leftovers(choice):
        if (directory / path).exists():
            click.echo(f"  not used   {path}  (of another choice: remove it if you like)")
    for note in choice.notes:
        click.echo(f"\nNote: {note}")
    click.echo("\n" + stack.after_writing(directory, choice), nl=False)


# ---------------------------------------------------------------------- control


class ControlGroup(click.Group):
    """One command for each row of the table of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from celeryscope.control.commands import COMMANDS

        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from celeryscope.control.commands import COMMANDS

        row = COMMANDS.get(cmd_name.replace("-", "_"))
        return None if row is None else _row_command(row)


def _row_command(row: Any) -> click.Command:
    arguments = [
        click.Option(
            [argument.name, "--" + argument.name.replace("_", "-")],
            help=_argument_help(argument),
            multiple=argument.kind == "texts",
            required=argument.required,
            metavar=argument.kind.upper() if not argument.choices else "|".join(argument.choices),
            **_truth(argument.kind == "boolean"),
        )
        for argument in row.arguments
    ]
    needs = "" if row.needs_workers else "  (default: all that it concerns)"
    worker = click.Option(
        ["_workers", "--worker"],
        multiple=True,
        required=row.needs_workers,
        metavar="NAME",
        help=f"A worker's name; may be repeated.{needs}",
    )
    return click.Command(
        row.name,
        callback=lambda **given: _control(row, **given),
        help=f"{row.consequence}\n\nSeen to be done: {row.confirmed} Needs the role {row.role}.",
        short_help=row.title,
        params=[
            *arguments,
            *([worker] if row.runs == "workers" else []),
            click.Option(["_yes", "--yes"], is_flag=True, help="Do not ask first."),
            click.Option(["_json", "--json"], is_flag=True, help="Print the report as JSON."),
        ],
    )


def _truth(is_boolean: bool) -> dict[str, Any]:
    return {"is_flag": False, "flag_value": "true"} if is_boolean else {}


def _argument_help(argument: Any) -> str:
    default = "" if argument.default is None else f"  (default: {argument.default})"
    return f"{argument.help}{default}"


def _control(
    row: Any, *, _yes: bool, _json: bool, _workers: tuple[str, ...] = (), **given: Any
) -> None:
    """Send a command, and tell what each worker answers as it comes."""
    from celeryscope.control.client import Client, Refused, Teller, is_all_right

    context = click.get_current_context()
    arguments = _typed_arguments(row, given)
    confirm = _confirmed(row, arguments, _workers, yes=_yes)
    client = Client(**context.obj)
    teller = Teller(lambda line: None if _json else click.echo(line))
    try:
        report = client.send(row.name, arguments, workers=_workers, confirm=confirm)
        for newer in client.follow(report):
            report = newer
            teller.tell(report)
    except Refused as refused:
        hint = f"\n{refused.hint}" if refused.hint else ""
        click.echo(f"celeryscope: {refused}{hint}", err=True)
        context.exit(EXIT_CONFIG if refused.status == 400 else EXIT_FAILED)
    if _json:
        click.echo(json.dumps(report, indent=2))
    context.exit(0 if is_all_right(report) else EXIT_FAILED)


def _typed_arguments(row: Any, given: dict[str, Any]) -> dict[str, Any]:
    from celeryscope.control.client import value_of

    arguments: dict[str, Any] = {}
    for argument in row.arguments:
        typed = given[argument.name]
        if typed is None or typed == ():
            continue
        if isinstance(typed, tuple):
            arguments[argument.name] = list(typed)
            continue
        try:
            arguments[argument.name] = value_of(argument, typed)
        except ValueError as error:
            raise click.BadParameter(
                f"This is no JSON: {error}", param_hint=argument.name
            ) from error
    return arguments


def _confirmed(
    row: Any, arguments: dict[str, Any], workers: tuple[str, ...], *, yes: bool
) -> str | None:
    """Ask where that is due; gives what has to be typed, where something has."""
    typed = str(arguments[row.confirm]) if row.confirm else None
    if yes or not row.destructive:
        return typed
    whom = f" {', '.join(workers)}:" if workers else ""
    click.echo(f"{row.title}:{whom} {row.consequence}", err=True)
    if typed is None:
        click.confirm("Go on?", abort=True, err=True)
        return None
    return str(click.prompt(f"Type '{typed}' to go on", err=True))


def _is_web_address(_context: click.Context, _param: click.Parameter, url: str) -> str:
    if not url.lower().startswith(("http://", "https://")):
        raise click.BadParameter("It must begin with http:// or https://.")
    return url


def _control_url(*, url: str, token_file: Any) -> None:
    """Steer the cluster that a running console watches: see what each worker answers, and
    whether it is done.

    Ends with 0 when all did it, with 1 when one refused, was silent or was not seen to do it.
    Where there is a login, it shows the API token in CELERYSCOPE_TOKEN, or in a file.
    """
    token = token_file.read() if token_file else os.environ.get("CELERYSCOPE_TOKEN", "")
    click.get_current_context().obj = {"url": url, "token": token.strip()}


scope = SettingsCommand("scope", name="scope", callback=_scope_command, help=_scope_command.__doc__)
main.add_command(
    SettingsCommand("serve", name="serve", callback=_serve_command, help=_serve_command.__doc__)
)
main.add_command(
    SettingsCommand(
        "exporter", name="exporter", callback=_exporter_command, help=_exporter_command.__doc__
    )
)
main.add_command(
    click.Command(
        "demo",
        callback=_demo_command,
        help=_demo_command.__doc__,
        params=[
            *(SettingOption(s, "demo") for s in SETTINGS if s.name in DEMO_OPTIONS),
            click.Option(
                ["--broker-port"],
                type=click.IntRange(1, 65535),
                help="Port of the demo's broker.  (default: a free one)",
            ),
            click.Option(
                ["--rate"],
                type=click.FloatRange(0, min_open=True),
                default=1.0,
                help="How busy the shop is; 2 is twice as busy.  (default: 1)",
            ),
        ],
    )
)

main.add_command(
    click.Command(
        "stack",
        callback=_stack_command,
        help=_stack_command.__doc__,
        params=[
            click.Argument(["directory"], metavar="DIR", type=click.Path(path_type=Path)),
            click.Option(
                ["--with", "with_"],
                multiple=True,
                metavar="NAME,…",
                help="Add flower (the real one, beside Celeryscope) or postgres (for your project).",
            ),
            click.Option(
                ["--without"],
                multiple=True,
                metavar="NAME,…",
                help="Leave out worker, beat, traffic, prometheus, alertmanager, pushgateway or "
                "grafana.",
            ),
            click.Option(
                ["--broker"],
                default="",
                metavar="URL",
                help="Your broker; then there is no Redis here.",
            ),
            click.Option(
                ["--project-image"],
                default="",
                metavar="IMAGE",
                help="Image of your project, for worker and beat.  (default: an example shop)",
            ),
            click.Option(
                ["--project-app"],
                default="",
                metavar="APP",
                help="Its Celery app, as in `celery --app`.  (default: the image's variable APP)",
            ),
            click.Option(
                ["--webhook"], default="", metavar="URL", help="Where Alertmanager sends alerts."
            ),
            click.Option(
                ["--anonymous"], is_flag=True, help="Let people see Grafana without a login."
            ),
            click.Option(["--force"], is_flag=True, help="Overwrite files that differ."),
        ],
    )
)

main.add_command(
    ControlGroup(
        "control",
        callback=_control_url,
        help=_control_url.__doc__,
        params=[
            click.Option(
                ["--url"],
                default="http://localhost:5555",
                show_default=True,
                callback=_is_web_address,
                help="Where the console is.",
            ),
            click.Option(
                ["--token-file"],
                type=click.File(),
                metavar="FILE",
                help="File with an API token; - is standard input.  (default: CELERYSCOPE_TOKEN)",
            ),
        ],
    )
)

if __name__ == "__main__":
    main()
