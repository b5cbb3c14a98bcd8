"""What the client accepts."""

from __future__ import annotations

import gzip

import pytest
from starlette.requests import Request

from celeryscope.web.negotiation import accepts_encoding, prefers_openmetrics, respond

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;"
    "escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        ("application/openmetrics-text", True),
        ('application/openmetrics-text; version="1.0.0"; charset=utf-8', True),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("text/plain;version=0.0.4", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("*/*", False),
        ("", False),
        ("application/openmetrics-text;q=nonsense", False),
        (",;=,;;q=", False),
    ],
)
def test_openmetrics_has_to_be_named_and_wanted_at_least_as_much(
    header: str, expected: bool
) -> None:
    assert prefers_openmetrics(header) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("GZIP;Q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity, *;q=0", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_accepted_by_name_or_by_star(header: str, expected: bool) -> None:
    assert accepts_encoding(header, "gzip") is expected


def request(accept_encoding: str) -> Request:
    headers = [(b"accept-encoding", accept_encoding.encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


def test_a_large_body_is_compressed_for_who_takes_it() -> None:
    body = b"x" * 5000
    response = respond(request("gzip"), body, media_type="text/plain")
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-length"] == str(len(response.body))
    assert response.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(response.body) == body


@pytest.mark.parametrize(("accepted", "size"), [("identity", 5000), ("gzip", 100)])
def test_other_bodies_are_sent_as_they_are(accepted: str, size: int) -> None:
    response = respond(request(accepted), b"x" * size, media_type="text/plain")
    assert "content-encoding" not in response.headers
    assert response.body == b"x" * size
