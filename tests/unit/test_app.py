"""The composition root: from a Config to a console, without a broker."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from celeryscope.app import Watch, _allowed_hosts, _Lines, _listen, serve
from celeryscope.config.settings import Config
from celeryscope.control.app import make_app
from celeryscope.errors import CeleryscopeError, ConfigError, PortInUse
from celeryscope.model.event import Event

NOW = 1_795_000_000.0


def watch(**settings: Any) -> Watch:
    config = Config(broker="redis://127.0.0.1:1/0", **settings)
    app = make_app(
        config.broker,
        transport_options={},
        tls=None,
        connect_timeout_seconds=1.0,
        event_exchange="celeryev",
        default_queue="celery",
    )
    return Watch(config, celery_app=app, exporter=False)


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
    ("settings", "hosts"),
    [
        ({"address": "127.0.0.1"}, {"localhost", "127.0.0.1", "[::1]"}),
        ({"address": "127.0.0.1", "allowed_hosts": ("celery.example",)}, {"celery.example"}),
        ({"address": "0.0.0.0"}, None),
        ({"unix_socket": Path("/tmp/x.sock")}, None),
    ],
)
def test_on_loopback_only_our_own_names_are_answered(
    settings: dict[str, Any], hosts: set[str] | None
) -> None:
    allowed = _allowed_hosts(Config(broker="x", **settings))
    assert allowed is None if hosts is None else allowed is not None and hosts <= allowed


def test_nothing_from_outside_can_forge_a_line_of_the_log() -> None:
    record = logging.LogRecord(
        "x", logging.INFO, "", 0, "task %s", ("a\n2026 ERROR\x1b[31m",), None
    )
    assert _Lines("%(message)s").format(record) == r"task a\n2026 ERROR\x1b[31m"
