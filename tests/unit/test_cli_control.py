"""`celeryscope control`, against the real application with a desk in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from celeryscope import cli
from celeryscope.control.action import ItemResult, WorkerResult
from celeryscope.control.commands import COMMANDS
from tests.conftest import free_port
from tests.unit.web.standins import Cluster, serving

ONE, TWO = "celery@web1", "celery@web2"
DONE: dict[str, Any] = {"outcome": "ok", "effect": "done", "effect_said": "It was seen."}

Control = Callable[..., Result]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def control(cluster: Cluster) -> Iterator[Control]:
    with serving(cluster.app(url_prefix="/scope")) as url:

        def run(*arguments: str, typed: str = "") -> Result:
            command = ["control", "--url", f"{url}/scope/", *arguments]
            return CliRunner().invoke(cli.main, command, input=typed)

        yield run


def test_every_command_of_the_table_is_there_with_its_arguments() -> None:
    group = cli.main.commands["control"]
    assert isinstance(group, click.Group)
    context = click.Context(group)
    assert group.list_commands(context) == list(COMMANDS)
    for row in COMMANDS.values():
        command = group.get_command(context, row.name)
        assert command is not None
        names = {option for parameter in command.params for option in parameter.opts}
        assert names >= {f"--{argument.name.replace('_', '-')}" for argument in row.arguments}
        assert ("--worker" in names) is (row.runs == "workers")
        assert row.consequence in (command.help or "")


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([WorkerResult(ONE, True, **DONE), WorkerResult(TWO, True, **DONE)], 0),
        ([WorkerResult(ONE, True, **DONE), WorkerResult(TWO, True, "silent")], 1),
        ([WorkerResult(ONE, True, **DONE), WorkerResult(TWO, True, "refused", error="No.")], 1),
        ([WorkerResult(ONE, True, "ok", effect="not seen"), WorkerResult(TWO, True, **DONE)], 1),
        ([WorkerResult(ONE, True, "ok", effect="cannot tell"), WorkerResult(TWO, True, **DONE)], 0),
    ],
)  # fmt: skip
def test_each_worker_has_its_line_and_the_status_tells_whether_all_is_right(
    cluster: Cluster, control: Control, results: list[WorkerResult], status: int
) -> None:
    cluster.desk.coming = results
    cluster.desk.report = {
        "outcomes": {result.outcome: 1 for result in results},
        "effects": {result.effect: 1 for result in results},
    }
    told = control("rate-limit", "--task-name", "a", "--rate-limit", "1/m", "--worker", ONE)
    assert told.exit_code == status, told.output
    lines = told.output.splitlines()
    for result in results:
        (line,) = [line for line in lines if line.startswith(result.hostname)]
        assert result.outcome in line
        assert result.error in line
    assert cluster.desk.sent[0]["arguments"] == {"task_name": "a", "rate_limit": "1/m"}
    assert cluster.desk.sent[0]["workers"] == [ONE]


def test_a_line_comes_as_soon_as_its_worker_is_settled(cluster: Cluster, control: Control) -> None:
    cluster.desk.report = {"workers": (WorkerResult(ONE, True, "asked"),), "total": 1}

    def answers() -> None:
        cluster.desk.kept["action-1"].tell(
            state="finished", workers=(WorkerResult(ONE, True, "ok", value="pong"),),
            outcomes={"ok": 1},
        )  # fmt: skip

    later = threading.Timer(0.5, answers)
    later.start()
    told = control("ping")
    later.join()
    assert told.exit_code == 0, told.output
    assert told.output.splitlines() == [f"{ONE:<32} ok                     pong", "1 ok."]


def test_nobody_there_is_not_all_right(cluster: Cluster, control: Control) -> None:
    cluster.desk.report = {"state": "finished"}
    told = control("ping")
    assert (told.exit_code, told.output) == (1, "Nobody answered.\n")


def test_values_are_read_by_their_kind(cluster: Cluster, control: Control) -> None:
    cluster.desk.report = {"state": "finished"}
    control(
        "add_consumer", "--queue", "q", "--options", '{"durable": true}', "--exchange-type", "topic"
    )
    control(
        "pool_restart", "--worker", ONE, "--modules", "a", "--modules", "b", "--reload", "--yes"
    )
    first, second = (sent["arguments"] for sent in cluster.desk.sent)
    assert first == {"queue": "q", "options": {"durable": True}, "exchange_type": "topic"}
    assert second == {"modules": ["a", "b"], "reload": "true"}


def test_what_loses_work_is_asked_about_first(cluster: Cluster, control: Control) -> None:
    cluster.desk.report = {"state": "finished"}
    told = control("cancel_consumer", "--queue", "q", typed="n\n")
    assert told.exit_code == 1
    assert COMMANDS["cancel_consumer"].consequence in told.output
    assert cluster.desk.sent == []
    control("cancel_consumer", "--queue", "q", typed="y\n")
    control("cancel_consumer", "--queue", "q", "--yes")
    assert len(cluster.desk.sent) == 2


def test_the_name_of_a_queue_to_be_emptied_has_to_be_typed(
    cluster: Cluster, control: Control
) -> None:
    cluster.desk.report = {"state": "finished", "items": (ItemResult("mail", "ok", "3 deleted."),)}
    told = control("purge", "--queue", "mail", typed="mial\n")
    assert cluster.desk.sent[0]["confirm"] == "mial", "the console refuses it"
    told = control("purge", "--queue", "mail", "--yes")
    assert cluster.desk.sent[1]["confirm"] == "mail"
    assert "3 deleted." in told.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "No such command"),
        (("shutdown", "--yes"), "--worker"),
        (("ping", "--nothing"), "No such option"),
        (("add_consumer", "--queue", "q", "--options", "{"), "no JSON"),
        (("pool_grow", "--worker", ONE, "--n", "many"), "whole number"),
    ],
)
def test_a_wrong_command_line_ends_with_two(
    cluster: Cluster, control: Control, arguments: tuple[str, ...], said: str
) -> None:
    told = control(*arguments)
    assert (told.exit_code, said in told.output) == (2, True), told.output
    assert cluster.desk.sent == []


def test_only_web_addresses_are_asked() -> None:
    told = CliRunner().invoke(cli.main, ["control", "--url", "file:///etc/passwd", "ping"])
    assert told.exit_code == 2


def test_no_console_there_is_said() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    told = CliRunner().invoke(cli.main, ["control", "--url", url, "ping"])
    assert told.exit_code == 1
    assert f"No console answers at {url}" in told.output


def test_a_terminal_is_not_steered_by_what_a_worker_says(
    cluster: Cluster, control: Control
) -> None:
    cluster.desk.coming = [WorkerResult(ONE, True, "refused", error="\x1b[2Jgone\u202e")]
    told = control("ping")
    assert "\x1b" not in told.output
    assert "\u202e" not in told.output
    assert "\\x1b[2Jgone" in told.output


def test_the_whole_report_comes_as_json(cluster: Cluster, control: Control) -> None:
    cluster.desk.coming = [WorkerResult(ONE, True, "ok", value={"a": 1})]
    told = control("stats", "--json")
    report: dict[str, Any] = json.loads(told.output)
    assert (report["command"], report["workers"][0]["value"]) == ("stats", {"a": 1})
