from __future__ import annotations

from typing import Any

import pytest

from celeryscope.errors import ConfigError
from celeryscope.stack import choose
from celeryscope.stack.choice import WITHOUT

USUAL = {
    "redis", "celeryscope", "worker", "beat", "traffic", "prometheus", "alertmanager",
    "pushgateway", "grafana",
}  # fmt: skip
EXAMPLE = {"worker", "beat", "traffic"}


@pytest.mark.parametrize(
    ("asked", "services"),
    [
        ({}, USUAL),
        ({"with_": ["flower,postgres"]}, USUAL | {"flower", "postgres"}),
        ({"without": ["grafana", "beat"]}, USUAL - {"grafana", "beat"}),
        ({"without": ["grafana beat , traffic"]}, USUAL - {"grafana", "beat", "traffic"}),
        ({"project_image": "shop:1"}, USUAL - {"traffic"}),
        ({"project_image": "shop:1", "without": ["worker"]}, USUAL - {"traffic", "worker"}),
        ({"without": ["prometheus,grafana"]}, USUAL - {"prometheus", "grafana"}),
        ({"broker": "amqp://broker"}, USUAL - EXAMPLE - {"redis"}),
        ({"broker": "amqp://broker", "without": ["redis"]}, USUAL - EXAMPLE - {"redis"}),
        ({"broker": "amqp://b", "project_image": "shop:1"}, USUAL - {"redis", "traffic"}),
    ],
)
def test_which_services_there_are(asked: dict[str, Any], services: set[str]) -> None:
    assert choose(**asked).services == services


def test_the_example_goes_as_a_whole_since_nobody_would_take_its_tasks() -> None:
    choice = choose(without=["worker"])
    assert choice.services == USUAL - EXAMPLE
    assert any("left out as well" in note for note in choice.notes)


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        ({"broker": "amqp://b"}, "the broker is yours"),
        ({"without": ["alertmanager"]}, "nobody is told"),
        ({"without": ["prometheus", "grafana"]}, "let your Prometheus do it"),
        ({"with_": ["postgres"]}, "needs no database"),
        ({"project_image": "shop:1", "without": ["worker,beat"]}, "Nothing runs shop:1"),
        ({"project_image": "shop"}, "names no version"),
        ({"project_image": "shop:latest"}, "names no version"),
        ({"project_image": "host:5000/shop"}, "names no version"),
    ],
)
def test_what_may_surprise_is_said(asked: dict[str, Any], note: str) -> None:
    assert note in " ".join(choose(**asked).notes)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"project_image": "host:5000/team/shop:1.4"},
        {"project_image": f"shop@sha256:{'0' * 64}"},
        {"project_image": "shop:1", "with_": ["postgres"]},
    ],
)
def test_what_does_not_is_not(asked: dict[str, Any]) -> None:
    assert choose(**asked).notes == ()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"with_": ["flwoer"]}, "Did you mean flower? There are: flower, postgres."),
        ({"with_": ["grafana"]}, "--with grafana: it is there already"),
        ({"with_": ["Flower"]}, "there is no such service. Did you mean flower?"),
        ({"without": ["flower"]}, "only there when --with flower asks for it"),
        ({"without": ["graphana"]}, "Did you mean grafana? There are: " + ", ".join(WITHOUT)),
        ({"without": ["celeryscope"]}, "the stack is built around it"),
        ({"without": ["redis"]}, "Name yours: --broker URL"),
        ({"without": ["prometheus"]}, "Grafana would have nothing to show"),
        ({"without": ["alertmanager"], "webhook": "http://a/"}, "--webhook"),
        ({"without": ["grafana"], "anonymous": True}, "--anonymous"),
        ({"project_app": "shop"}, "--project-image"),
        ({"project_image": "Shop:1"}, "in lower case"),
        ({"project_image": "shop:1 --privileged"}, "not the name of an image"),
        ({"project_image": "shop:1\n"}, "not the name of an image"),
        ({"project_image": "-v"}, "not the name of an image"),
        ({"project_image": "$(id)"}, "not the name of an image"),
        ({"project_image": "shop:1", "project_app": "shop app"}, "shop.celery:app"),
        ({"project_image": "shop:1", "project_app": "shop, worker"}, "shop.celery:app"),
        ({"broker": "localhost"}, "not a URL"),
        ({"broker": "redis://localhost:6379"}, "host.docker.internal"),
        ({"broker": "redis://:secret@127.0.0.1/0"}, "host.docker.internal"),
        ({"broker": "redis://a;redis://[::1]/0"}, "host.docker.internal"),
        ({"broker": "redis://a'b"}, "%27"),
        ({"broker": "redis://a\nREDIS=1"}, "%27"),
        ({"webhook": "example.com"}, "not an http:// or https:// URL"),
        ({"webhook": "ftp://example.com"}, "not an http:// or https:// URL"),
        ({"webhook": "http://localhost:9000"}, "host.docker.internal"),
        ({"webhook": 'http://a/"\n- x'}, "%22"),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        choose(**asked)
    assert said in str(refused.value)


def test_no_password_of_a_broker_is_said() -> None:
    for broker in ("redis://:hunter2@localhost/0", "redis://:hunter2@a'b/0"):
        with pytest.raises(ConfigError) as refused:
            choose(broker=broker)
        assert "hunter2" not in str(refused.value)
