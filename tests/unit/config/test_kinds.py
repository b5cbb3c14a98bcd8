from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from celeryscope.config import kinds
from celeryscope.config.kinds import Kind


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (kinds.whole(1), "20", 20),
        (kinds.whole(1), 20.0, 20),
        (kinds.whole(1), "1e3", 1000),
        (kinds.web_address(), "https://celery.example", "https://celery.example"),
        (kinds.web_address(), "https://celery.example/", "https://celery.example"),
        (kinds.web_address(), "http://10.0.0.1:5555/a/b//", "http://10.0.0.1:5555/a/b"),
        (kinds.web_address(), "http://[::1]:3000", "http://[::1]:3000"),
        (kinds.web_address(), "HTTPS://grafana/~me/%20/@x", "HTTPS://grafana/~me/%20/@x"),
        (kinds.seconds(), "2", 2.0),
        (kinds.seconds(), 0.25, 0.25),
        (kinds.seconds(), "250ms", 0.25),
        (kinds.seconds(), "10 m", 600.0),
        (kinds.seconds(zero=True), 0, 0.0),
        (kinds.size(1), "64MiB", 64 * 2**20),
        (kinds.size(1), "1.5kB", 1500),
        (kinds.on_off(), "Off", False),
        (kinds.on_off(), True, True),
        (kinds.on_off(), 1, True),
        (kinds.choice("debug", "info"), "INFO", "info"),
        (kinds.path(), "a/b", Path("a/b")),
        (kinds.names(), "a, b,a", ("a", "b")),
        (kinds.names(), ("a", "b,c"), ("a", "b", "c")),
        (kinds.patterns(), r"\d{2,4}", (re.compile(r"\d{2,4}"),)),
        (kinds.patterns(), "a\nb", (re.compile("a"), re.compile("b"))),
        (kinds.pairs(), "env=prod,team=shop", {"env": "prod", "team": "shop"}),
        (kinds.pairs(), ("env=prod", "team=shop"), {"env": "prod", "team": "shop"}),
        (kinds.pairs(), {"shard": 3}, {"shard": "3"}),
        (kinds.bounds(), "0.1,1,10", (0.1, 1.0, 10.0)),
        (kinds.bounds(), [0.1, 1, float("inf")], (0.1, 1.0)),
        (kinds.mapping(), '{"a": 1}', {"a": 1}),
        (kinds.mapping(or_switch=True), "true", True),
        (kinds.mapping(or_switch=True), {"ca_certs": "x"}, {"ca_certs": "x"}),
    ],
)
def test_what_is_allowed_becomes_a_value(kind: Kind, given: Any, value: Any) -> None:
    assert kind.parse(given) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (kinds.whole(1), "0"),
        (kinds.whole(1), "1.5"),
        (kinds.whole(1), "many"),
        (kinds.whole(1), True),
        (kinds.whole(1), "inf"),
        (kinds.whole(0, 65535), "65536"),
        *(
            (kinds.web_address(), given)
            for given in (
                "celery.example",
                "ftp://celery.example",
                "javascript:alert(1)",
                "https://",
                "https:///path",
                "https://user:password@celery.example",
                "https://user@celery.example",
                "https://celery.example?x=1",
                "https://celery.example/#part",
                "https://celery.example/two words",
                "https://celery.example/\n",
                'https://celery.example/"',
                "https://celery.example:port",
                " https://celery.example",
                5,
            )
        ),
        (kinds.seconds(), "0"),
        (kinds.seconds(), "-1s"),
        (kinds.seconds(), "2 weeks"),
        (kinds.seconds(), "nan"),
        (kinds.seconds(), "1e20"),
        (kinds.size(1024), "1kB"),
        (kinds.on_off(), "perhaps"),
        (kinds.choice("debug"), "trace"),
        (kinds.text(pattern=".+"), ""),
        (kinds.text(), 5),
        (kinds.names(), [5]),
        (kinds.patterns(), "("),
        (kinds.pairs(), "env"),
        (kinds.bounds(), "1,1"),
        (kinds.bounds(), "nan"),
        (kinds.bounds(), []),
        (kinds.mapping(), "[1]"),
        (kinds.mapping(), "{"),
        (kinds.mapping(), True),
    ],
)
def test_what_is_not_allowed_is_a_value_error(kind: Kind, given: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - only its type is promised
        kind.parse(given)
