"""Which broker an app talks to."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from celery import Celery

from celeryscope.control.app import overrule

URL = "redis://there:6379/1"
SAID: dict[str, Any] = {"broker_url": URL, "tls": None, "transport_options": {}}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Celery:
    for variable in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.delenv(variable, raising=False)
    return Celery("project", broker=URL, set_as_current=False)


def test_commands_go_to_the_broker_that_was_named(app: Celery) -> None:
    overrule(app, **{**SAID, "broker_url": "redis://other:1/0"})
    assert app.connection_for_write().hostname == "other"
    assert app.connection_for_read().hostname == "other"


def test_an_app_that_writes_elsewhere_than_it_reads_goes_on_doing_so(app: Celery) -> None:
    app.conf.update(broker_read_url=URL, broker_write_url="redis://writes:1/0")
    overrule(app, **SAID)
    assert app.connection_for_write().hostname == "writes"


def test_several_brokers_are_the_same_as_a_list(app: Celery) -> None:
    app.conf.update(broker_url=["redis://a:1/0", "redis://b:1/0"], broker_write_url=URL)
    overrule(app, **{**SAID, "broker_url": "redis://a:1/0;redis://b:1/0"})
    assert app.conf.broker_write_url == URL


def test_options_and_tls_reach_the_app(app: Celery) -> None:
    options, tls = {"global_keyprefix": "x"}, {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    overrule(app, broker_url=URL, transport_options=options, tls=tls)
    assert app.conf.broker_transport_options == options
    assert app.conf.broker_use_ssl == tls
