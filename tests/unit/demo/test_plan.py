from __future__ import annotations

from pathlib import Path
from typing import Any

from celeryscope.demo.plan import WORKERS, Plan, make_plan, shop_environment


def a_plan(**more: Any) -> Plan:
    given: dict[str, Any] = {
        "directory": Path("/d"),
        "environment": {"PATH": "/bin"},
        "valkey_server": Path("/v/valkey-server"),
        "broker_port": 6399,
        "console": None,
        "address": "127.0.0.1",
        "port": 5555,
        "url_prefix": "",
        "rate": 2.0,
    }
    return make_plan(**given | more)


def programs(plan: Plan) -> list[Any]:
    return [plan.broker, plan.console, *plan.workers, *plan.clients]


def test_each_worker_has_a_name_and_queues_of_its_own() -> None:
    assert len({worker.hostname for worker in WORKERS}) == 3
    assert len({worker.queues for worker in WORKERS}) == 3
    for program, worker in zip(a_plan().workers, WORKERS, strict=True):
        assert worker.hostname in program.command


def test_every_program_has_a_log_of_its_own() -> None:
    every = programs(a_plan())
    assert len({program.log for program in every}) == len(every) == 7


def test_only_the_broker_outlives_the_others() -> None:
    assert [p.name for p in programs(a_plan()) if p.outlives_others] == ["valkey"]


def test_the_console_is_ours_unless_another_is_given() -> None:
    ours = list(a_plan(url_prefix="/scope", port=7000).console.command)
    assert ours[1:4] == ["-m", "celeryscope", "serve"]
    assert ours[ours.index("--broker") + 1] == "redis://127.0.0.1:6399/0"
    assert ours[ours.index("--port") + 1] == "7000"
    assert ours[ours.index("--url-prefix") + 1] == "/scope"
    assert a_plan(console=["other"]).console.command == ["other"]


def test_the_settings_of_another_project_do_not_reach_the_shop() -> None:
    shell = {
        "PATH": "/bin",
        "CELERY_APP": "theirs",
        "CELERY_BROKER_URL": "amqp://theirs",
        "CELERY_BROKER_READ_URL": "amqp://theirs",
        "FLOWER_BASIC_AUTH": "a:b",
    }
    made = shop_environment(shell, broker_url="redis://ours")
    assert made.pop("PYTHONUNBUFFERED") == "1"
    assert made == {
        "PATH": "/bin",
        "CELERY_BROKER_URL": "redis://ours",
        "CELERY_RESULT_BACKEND": "redis://ours",
    }


def test_the_rate_multiplies_the_traffic() -> None:
    assert a_plan(rate=3.0).tasks_per_second == 60
    assert list(a_plan(rate=3.0).clients[-1].command)[-2:] == ["--rate", "3.0"]
