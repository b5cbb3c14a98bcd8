from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import celery
import click
import pytest
from click.testing import CliRunner, Result

from celeryscope import __version__, app, cli, demo
from celeryscope.config import SETTINGS, Config
from celeryscope.errors import BrokerUnreachable, PortInUse


class Served:
    """What the console was asked to do, in place of the console."""

    def __init__(self) -> None:
        self.config: Config | None = None
        self.app: Any = None
        self.exporter = False
        self.trouble: Exception | None = None

    def __call__(self, config: Config, *, celery_app: Any, exporter: bool) -> int:
        if self.trouble is not None:
            raise self.trouble
        self.config, self.app, self.exporter = config, celery_app, exporter
        return 0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    served = Served()
    monkeypatch.setattr(app, "serve", served)
    return served


@pytest.fixture(autouse=True)
def _in_an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CELERY_BROKER_URL", "CELERYSCOPE_FLOWER"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, obj: Any = None, command: click.Command = cli.main) -> Result:
    return CliRunner().invoke(command, list(arguments), obj=obj, prog_name="celeryscope")


def config_of(served: Served) -> Config:
    assert served.config is not None
    return served.config


def test_the_version_is_said() -> None:
    assert run("--version").output == f"celeryscope {__version__}\n"


@pytest.mark.parametrize("command", ["serve", "exporter"])
def test_help_shows_every_setting_with_its_variable(command: str) -> None:
    said = run(command, "--help").output.replace("\n", "").replace(" ", "")
    for setting in SETTINGS:
        shown = f"{setting.flag}{setting.kind.metavar}".replace(" ", "") in said
        assert shown == (command in setting.commands), setting.name
        assert (setting.env in said) == shown


def test_serve_runs_the_console_with_the_settings(served: Served) -> None:
    result = run("serve", "--broker", "redis://a", "--max-tasks=5", "--insecure", "-Q", "x,y")
    assert result.exit_code == 0, result.output
    config = config_of(served)
    assert (config.broker, config.max_tasks, config.insecure) == ("redis://a", 5, True)
    assert config.queues == ("x", "y")
    assert (served.app, served.exporter) == (None, False)


def test_the_exporter_is_served_as_such(served: Served) -> None:
    result = run("exporter", "--broker-url", "redis://a", "--host", "127.0.0.2")
    assert result.exit_code == 0, result.output
    assert served.exporter
    assert (config_of(served).port, config_of(served).address) == (9808, "127.0.0.2")


def test_flowers_spellings_are_understood(served: Served) -> None:
    flags = ["--max_tasks=7", "--inspect_timeout=1500", "--debug", "--enable_events=False"]
    result = run("serve", "--broker=redis://a", *flags, "--persistent=True", "--natural-time")
    assert result.exit_code == 0, result.output
    config = config_of(served)
    assert (config.max_tasks, config.reply_timeout, config.log_level) == (7, 1.5, "debug")
    assert not config.enable_events
    assert "Without a meaning here, and ignored: --persistent, --natural-time" in result.stderr


def test_values_come_from_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERYSCOPE_BROKER", "redis://env")
    monkeypatch.setenv("FLOWER_MAX_TASKS", "9")
    assert run("serve").exit_code == 0
    assert (config_of(served).broker, config_of(served).max_tasks) == ("redis://env", 9)


def test_scope_takes_broker_events_and_queues_from_the_app(served: Served) -> None:
    project = celery.Celery("project", broker="redis://:secret@app/3", set_as_current=False)
    project.conf.update(
        broker_transport_options={"global_keyprefix": "shop:"},
        event_exchange="events",
        event_queue_prefix="watch",
        event_queue_ttl=7,
        task_default_queue="main",
    )
    obj = SimpleNamespace(app=project)
    result = run("--port", "5566", obj=obj, command=cli.scope)
    assert result.exit_code == 0, result.output
    config = config_of(served)
    assert served.app is project
    assert config.broker == "redis://:secret@app/3"
    assert config.transport_options == {"global_keyprefix": "shop:"}
    assert (config.event_exchange, config.event_queue_prefix) == ("events", "watch")
    assert (config.event_queue_ttl, config.event_queue_expires) == (7, 60)
    assert (config.default_queue_name, config.queues) == ("main", ("main",))
    assert config.port == 5566


def test_scope_is_a_command_of_celery() -> None:
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="celery.commands", name="scope")
    assert entry.load() is cli.scope


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve"], "celeryscope: Which broker?"),
        (["serve", "--broker=redis://a", "--port=x"], "celeryscope: --port: 'x' cannot be used."),
        (
            ["serve", "--broker=redis://a", "--basic_auth=u"],
            "--basic-auth: its value cannot be used",
        ),
        (["exporter", "--broker=redis://a", "--address=0.0.0.0"], "celeryscope: --address: on 0.0"),
        (["serve", "--broker=redis://a", "--max-task=5"], "No such option"),
        (["demo", "--rate", "0"], "0"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_and_ends_with_2(
    served: Served, arguments: list[str], said: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert served.config is None


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (PortInUse("127.0.0.1", 5555), "127.0.0.1:5555 is already in use."),
        (BrokerUnreachable("no broker", hint="Start it."), "celeryscope: no broker\nStart it.\n"),
    ],
)
def test_trouble_at_the_start_is_told_in_a_sentence_and_ends_with_1(
    served: Served, trouble: Exception, said: str
) -> None:
    served.trouble = trouble
    result = run("serve", "--broker", "redis://a")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_demo_takes_where_to_listen_and_how_busy_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def demo_run(**kwargs: Any) -> int:
        asked.update(kwargs)
        return 3

    monkeypatch.setattr(demo, "run", demo_run)
    assert run("demo", "--port", "6400", "--rate", "2", "--broker-port", "6401").exit_code == 3
    assert asked == {
        "address": "127.0.0.1",
        "port": 6400,
        "url_prefix": "",
        "data_dir": None,
        "broker_port": 6401,
        "rate": 2.0,
    }
