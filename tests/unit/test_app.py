"""The composition root: from a Config to a console, without a broker."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from celeryscope.app import (
    Watch,
    _allowed_hosts,
    _console_url,
    _listen,
    anonymous_role,
    build_door,
    data_directory,
    serve,
)
from celeryscope.broker.base import QueueDepth
from celeryscope.config.settings import Config
from celeryscope.control.app import make_app
from celeryscope.errors import CeleryscopeError, ConfigError, PortInUse
from celeryscope.model.actor import Scope
from celeryscope.model.event import Event
from celeryscope.web.auth.door import Door
from celeryscope.web.auth.tokens import Tokens
from celeryscope.web.auth.users import User, Users

NOW = 1_795_000_000.0


def watch(*, console_url: str | None = None, **settings: Any) -> Watch:
    config = Config(broker="redis://127.0.0.1:1/0", **settings)
    app = make_app(
        config.broker,
        transport_options={},
        tls=None,
        connect_timeout_seconds=1.0,
        event_exchange="celeryev",
        default_queue="celery",
    )
    return Watch(config, celery_app=app, exporter=False, console_url=console_url)


def heartbeat(at: float, hostname: str = "celery@web1") -> Event:
    return Event(
        type="worker-heartbeat", hostname=hostname, timestamp=at, pid=1, processed=0, freq=2.0
    )


def started(at: float, hostname: str = "celery@web1") -> Event:
    return Event(type="task-received", hostname=hostname, timestamp=at, uuid="a", name="shop.pay")


def test_a_worker_that_is_gone_loses_its_series_and_stays_on_the_page_for_a_day() -> None:
    ours = watch(purge_offline_workers=600.0)
    ours.pipeline.connected("x")
    ours._fold([heartbeat(NOW), started(NOW)], NOW)
    ours._tick(NOW + 300)
    assert b'worker="celery@web1"' in ours.metrics.render()
    ours._tick(NOW + 700)
    assert b'worker="celery@web1"' not in ours.metrics.render()
    assert "celery@web1" in ours.state.workers
    ours._tick(NOW + 90_000)
    assert "celery@web1" not in ours.state.workers


def test_a_worker_that_returns_counts_from_zero() -> None:
    ours = watch(purge_offline_workers=600.0)
    ours._fold([heartbeat(NOW), started(NOW)], NOW)
    ours._tick(NOW + 700)
    ours._fold([heartbeat(NOW + 701), started(NOW + 701)], NOW + 701)
    ours.recorder.tick(NOW + 800)
    page = ours.metrics.render().decode()
    counted = [line for line in page.splitlines() if line.startswith("flower_events_total{")]
    assert [line.rpartition(" ")[2] for line in counted] == ["1"]


def test_no_worker_is_let_go_while_we_are_cut_off() -> None:
    ours = watch(purge_offline_workers=600.0)
    ours.pipeline.connected("x")
    ours._fold([heartbeat(NOW)], NOW)
    object.__setattr__(ours.pipeline, "_clock", lambda: NOW + 1)
    ours.pipeline.disconnected("closed")
    ours._tick(NOW + 5000)
    assert not ours.state.workers["celery@web1"].retired


def test_a_worker_that_starts_is_inspected_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = watch()
    asked: list[str] = []
    monkeypatch.setattr(ours.inspector, "welcome", asked.append)
    online = msgspec.structs.replace(heartbeat(NOW), type="worker-online")
    ours._fold([online, started(NOW)], NOW)
    ours._fold([heartbeat(NOW + 2), online], NOW + 2)  # told again: it did not start again
    assert asked == ["celery@web1"]


def test_a_taken_port_is_said_with_one_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=r"--port \d+"):
            serve(Config(broker="redis://127.0.0.1:1/0", port=port))


def test_a_unix_socket_is_taken_over_only_when_nobody_listens_there(tmp_path: Path) -> None:
    path = tmp_path / "scope.sock"
    settings = Config(broker="redis://127.0.0.1:1/0", unix_socket=path)
    first = _listen(settings)
    with pytest.raises(CeleryscopeError, match="already in use"):
        _listen(settings)
    first.socket.close()  # as after kill -9: the path is still there
    second = _listen(settings)
    second.close()
    assert not path.exists()


@pytest.mark.parametrize("place", ["missing/x.sock", ".", "x" * 200])
def test_a_unix_socket_that_cannot_be_made_is_said(tmp_path: Path, place: str) -> None:
    with pytest.raises(CeleryscopeError, match="cannot be listened on"):
        _listen(Config(broker="redis://127.0.0.1:1/0", unix_socket=tmp_path / place))


@pytest.mark.parametrize(
    "files",
    [
        {"certfile": Path("missing.pem"), "keyfile": Path("missing.key")},
        {"broker_ca": Path("missing.pem")},
    ],
)
def test_a_certificate_that_cannot_be_read_is_said_before_anything_starts(
    files: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        serve(Config(broker="redis://127.0.0.1:1/0", port=0, **files))


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(ConfigError, match="not known"):
        _listen(Config(broker="x", address="no such host.invalid"))


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:{port}"),
        ({"url_prefix": "/scope/"}, "http://127.0.0.1:{port}/scope"),
        ({"address": "0.0.0.0"}, "http://localhost:{port}"),
        ({"address": "", "url_prefix": "scope"}, "http://localhost:{port}/scope"),
        ({"address": "localhost"}, "http://localhost:{port}"),
        (
            {"certfile": Path("x.pem"), "keyfile": Path("x.key")},
            "https://127.0.0.1:{port}",
        ),
    ],
)
def test_people_on_this_machine_reach_it_where_it_listens(
    settings: dict[str, Any], url: str
) -> None:
    listening = _listen(Config(broker="x", port=0, **settings))
    port = listening.socket.getsockname()[1]
    listening.close()
    assert listening.url == url.format(port=port)


def test_a_unix_socket_is_no_address_for_people(tmp_path: Path) -> None:
    listening = _listen(Config(broker="x", unix_socket=tmp_path / "x.sock"))
    listening.close()
    assert listening.url is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
@pytest.mark.parametrize(("address", "host"), [("::", "localhost"), ("::1", "[::1]")])
def test_an_ipv6_address_is_written_as_urls_have_it(address: str, host: str) -> None:
    listening = _listen(Config(broker="x", port=0, address=address))
    port = listening.socket.getsockname()[1]
    listening.close()
    assert listening.url == f"http://{host}:{port}"


@pytest.mark.parametrize(
    ("settings", "exporter", "line"),
    [
        ({}, False, 'celeryscope_console_info{url="http://127.0.0.1:5555"} 1'),
        (
            {"external_url": "https://celery.example/scope"},
            False,
            'celeryscope_console_info{url="https://celery.example/scope"} 1',
        ),
        ({}, True, None),
        ({"external_url": "https://celery.example"}, True, None),
    ],
)
def test_the_metrics_say_where_people_reach_the_console(
    settings: dict[str, Any], exporter: bool, line: str | None
) -> None:
    config = Config(broker="redis://127.0.0.1:1/0", **settings)
    url = _console_url(config, "http://127.0.0.1:5555", exporter=exporter)
    page = watch(console_url=url, **settings).metrics.render().decode()
    told = [row for row in page.splitlines() if row.startswith("celeryscope_console_info{")]
    assert told == ([] if line is None else [line])


@pytest.mark.parametrize(
    "name",
    [
        b"celeryscope_queue_oldest_waiting_seconds{",
        b"celeryscope_queue_messages{",
        b"celery_queue_length{",
    ],
)
def test_nothing_is_told_of_what_waits_while_the_broker_cannot_be_asked(name: bytes) -> None:
    ours = watch()
    at = time.time()
    sent = Event(
        type="task-sent", hostname="gen@a", timestamp=at, uuid="u", name="a.add", queue="mail"
    )
    ours._fold([sent], at)
    ours.queues.latest = {"mail": QueueDepth("mail", messages=1)}
    assert name in ours.metrics.render()
    ours.queues.error = "Connection refused"
    assert name not in ours.metrics.render()


@pytest.mark.parametrize(("given", "told"), [("", None), ("http://grafana", "http://grafana")])
def test_the_page_is_told_of_a_grafana_only_where_one_is_named(
    given: str, told: str | None
) -> None:
    assert watch(grafana_url=given).services().grafana_url == told


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        ({"address": "127.0.0.1"}, {"localhost", "127.0.0.1", "[::1]"}),
        ({"address": "127.0.0.1", "allowed_hosts": ("celery.example",)}, {"celery.example"}),
        (
            {"address": "127.0.0.1", "external_url": "https://Celery.example:8443/x"},
            {"celery.example"},
        ),
        ({"address": "127.0.0.1", "external_url": "http://[fd00::1]:80"}, {"[fd00::1]"}),
        ({"address": "0.0.0.0"}, None),
        ({"address": "0.0.0.0", "external_url": "https://celery.example"}, None),
        ({"address": "0.0.0.0", "allowed_hosts": ("console",)}, {"console", "127.0.0.1"}),
        ({"unix_socket": Path("/tmp/x.sock")}, None),
    ],
)
def test_only_our_own_names_are_answered_on_loopback_and_where_they_are_told(
    settings: dict[str, Any], hosts: set[str] | None
) -> None:
    allowed = _allowed_hosts(Config(broker="x", **settings))
    assert allowed is None if hosts is None else allowed is not None and hosts <= allowed


@pytest.mark.parametrize(
    ("settings", "role"),
    [
        ({}, "admin"),
        ({"address": "::1"}, "admin"),
        ({"address": "0.0.0.0"}, "viewer"),
        ({"unix_socket": Path("/tmp/x")}, "viewer"),
        ({"allowed_hosts": ("scope.example",)}, "viewer"),
        ({"external_url": "https://scope.example"}, "viewer"),
        ({"url_prefix": "/scope"}, "viewer"),
        ({"external_url": "https://scope.example", "anonymous_role": "admin"}, "admin"),
        ({"address": "0.0.0.0", "anonymous_role": "operator"}, "operator"),
        ({"anonymous_role": "viewer"}, "viewer"),
    ],
)
def test_only_who_is_on_this_machine_may_do_everything_unless_told_otherwise(
    settings: dict[str, Any], role: str
) -> None:
    assert anonymous_role(Config(broker="x", **settings)) == role


@pytest.mark.parametrize(
    ("settings", "role"),
    [
        ({}, None),
        ({"unauthenticated_api": True}, None),  # as in Flower
        ({"anonymous_role": "viewer"}, "viewer"),
        ({"anonymous_role": "none"}, None),
    ],
)
def test_where_there_is_a_login_nobody_unknown_comes_in_unless_told_otherwise(
    tmp_path: Path, settings: dict[str, Any], role: str | None
) -> None:
    config = Config(broker="x", basic_auth=(("ada", "secret"),), **settings)
    assert build_door(config, directory=tmp_path, url="http://localhost:5555").anonymous == role


def test_the_first_user_closes_a_console_that_runs(tmp_path: Path) -> None:
    door = build_door(Config(broker="x"), directory=tmp_path, url="http://localhost:5555")
    assert door.anonymous == "admin"
    Users(tmp_path / "users.json").add(User(name="ada", role="viewer"), "correct horse")
    closed, deadline = False, time.monotonic() + 5
    while not closed and time.monotonic() < deadline:
        time.sleep(0.05)  # the file is looked at once a second
        closed = door.anonymous is None
    assert closed


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.7", "example.com"])
def test_elsewhere_it_starts_only_with_a_login_or_insecure(tmp_path: Path, address: str) -> None:
    def door(**settings: Any) -> Door:
        config = Config(broker="x", address=address, **settings)
        return build_door(config, directory=tmp_path, url="http://localhost:5555")

    with pytest.raises(ConfigError) as caught:
        door()
    said = str(caught.value)
    assert "\n    celeryscope user add admin\n" in said
    assert "--insecure" in said
    assert door(insecure=True).anonymous == "viewer"
    assert door(unix_socket=Path("/run/x.sock")).anonymous == "viewer"
    assert door(basic_auth=(("ada", "secret"),)).anonymous is None
    Users(tmp_path / "users.json").add(User(name="ada", role="viewer"), "correct horse")
    assert door().anonymous is None


def test_tokens_alone_are_no_login(tmp_path: Path) -> None:
    Tokens(tmp_path / "tokens.json").create(
        name="ci", role="admin", scope=Scope(), owner="", expires_at=None, now=0.0
    )
    config = Config(broker="x", address="0.0.0.0")
    with pytest.raises(ConfigError, match="nobody is asked for a login"):
        build_door(config, directory=tmp_path, url=None)
    assert build_door(Config(broker="x"), directory=tmp_path, url=None).anonymous == "admin"


def test_a_directory_that_cannot_be_kept_in_is_said_and_refused_where_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="--data-dir"):
        data_directory(Config(broker="x", data_dir=tmp_path / "file" / "data"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    assert data_directory(Config(broker="x")) is None
    assert "not kept over a restart" in caplog.text
