"""Requests of any kind to the built application: it answers, and never with a fault of its own."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeryscope.web.api.flower_control import ROUTES
from celeryscope.web.app import CHANGES, LOOPBACK_HOSTS, OPERATIONS, PAGES, Application
from celeryscope.web.negotiation import accepts_encoding, prefers_openmetrics
from tests.fuzz.asking import ask, check, header_values, pieces, queries
from tests.fuzz.hostile import as_json, fuzz, mutated, records, texts, values
from tests.unit.web.standins import Cluster, heartbeat, life

pytestmark = pytest.mark.timeout(60)

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get")
#: Answers of 503 that are no fault: what was asked cannot be told right now.
UNAVAILABLE = (503,)
TEMPLATES = sorted(
    {
        *("/api/v1" + path for path in (*OPERATIONS, *CHANGES, "/live", "/openapi.json")),
        *ROUTES, *PAGES, "/api/workers", "/api/tasks", "/api/task/types", "/api/queues/length",
        "/api/task/info/{task_id:path}", "/metrics", "/health", "/healthcheck", "/-/ready",
        "/-/healthy", "/worker/{name:path}", "/task/{name:path}", "/login", "/logout",
        "/assets/x.js", "/favicon.ico",
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def app() -> Application:
    cluster = Cluster()
    cluster.feed([heartbeat(), *life("a"), *life("b", state="FAILURE")])
    cluster.results.configured = False  # nothing is waited for, and every command is over at once
    cluster.desk.report = {"state": "finished", "finished_at": cluster.now}
    return cluster.app(url_prefix="/scope", allowed_hosts=LOOPBACK_HOSTS)


def run(app: Application, target: str, **given_: Any) -> None:
    told = anyio.run(partial(ask, app, target, **given_))
    check(told, allowed=UNAVAILABLE)


def filled(draw: Any) -> str:
    """Give a path that leads somewhere, with anything in its variable part."""
    template = draw(st.sampled_from(TEMPLATES))
    return re.sub(r"{[^}]*}", lambda _: draw(pieces), template)


targets = st.one_of(
    st.lists(pieces, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.composite(filled)(),
    st.composite(filled)().map(lambda path: "/scope" + path),
)


@given(st.sampled_from(METHODS), targets, queries)
@fuzz(300)
def test_any_target_is_answered(app: Application, method: str, target: str, query: str) -> None:
    query = re.sub(r"(?i)wait|timeout|refresh", "w", query)  # would wait, as they should
    run(app, f"{target}?{query}", method=method, headers=[(b"host", b"localhost")])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b"accept", b"accept-encoding", b"accept-language", b"origin", b"referer",
                 b"user-agent", b"sec-fetch-site", b"sec-fetch-mode", b"if-none-match",
                 b"if-modified-since", b"range", b"content-type", b"cookie", b"authorization",
                 b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded",
                 b"x-celeryscope-csrf", b"last-event-id", b"content-length", b"host", b"te"]
            ),
            header_values,
        ),
        max_size=8,
    ),
    st.composite(filled)(),
    st.sampled_from(["GET", "POST"]),
)  # fmt: skip
@fuzz(300)
def test_any_headers_are_answered(
    app: Application, headers: list[tuple[bytes, bytes]], target: str, method: str
) -> None:
    # h11 refuses another length than a number before the application is asked.
    sent = [(n, v if n != b"content-length" else b"7") for n, v in headers]
    run(app, target, method=method, headers=sent, body=[b"1234567"])


@given(st.binary(max_size=40).map(lambda data: bytes(b for b in data if b >= 0x20)))
@fuzz(150)
def test_any_host_that_is_not_ours_is_refused(app: Application, host: bytes) -> None:
    told = anyio.run(partial(ask, app, "/api/v1/overview", headers=[(b"host", host)]))
    check(told)
    name = host.decode("latin-1").lower().rsplit(":", 1)[0].rstrip(".")
    assert told.status == 400 or name in (*LOOPBACK_HOSTS, "")


@given(
    st.one_of(
        st.text(alphabet="htps:/lowcaev.xm@127[]#?\\%", max_size=30),
        st.sampled_from(
            ["null", "http://", "http://[", "http://[::1", "http://localhost.evil.example",
             "http://localhost@evil.example", "http://evil.example#@localhost",
             "http://evil.example\\@localhost", "file://", "http://localhost:1/", "//localhost2"]
        ),
    )
)  # fmt: skip
@fuzz(150)
def test_no_origin_but_our_own_may_change_something(app: Application, origin: str) -> None:
    headers = [(b"host", b"localhost"), (b"origin", origin.encode())]
    headers.append((b"content-type", b"application/json"))
    told = anyio.run(
        partial(ask, app, "/api/v1/control/ping", method="POST", headers=headers, body=[b"{}"])
    )
    check(told)
    ours = re.fullmatch(r"(?i)[a-z]*:?//localhost([/?#].*)?", origin)
    assert told.status == 403 or ours, (origin, told)


@given(
    st.sampled_from(sorted(path for path, row in ROUTES.items() if "POST" in row.methods)),
    st.one_of(
        records("args", "kwargs", "eta", "countdown", "expires", "queue", "timeout2").map(as_json),
        values().map(as_json),
        mutated(b"workername=w&ratelimit=1%2Fm&hard=1&soft=nan&terminate=true&signal=SIGKILL"),
        st.binary(max_size=100),
    ),
    st.sampled_from(
        [b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data",
         b"multipart/form-data; boundary=x", b"multipart/form-data; boundary=", b"text/plain", b""]
    ),
    pieces,
)  # fmt: skip
@fuzz(300)
def test_any_body_for_flowers_routes_is_answered(
    app: Application, path: str, body: bytes, kind: bytes, name: str
) -> None:
    path = re.sub(r"{[^}]*}", lambda _: name, path)
    run(app, path, method="POST", headers=[(b"host", b"localhost"), (b"content-type", kind)],
        body=[body[:3], body[3:]])  # fmt: skip


PART = (
    b'--x\r\nContent-Disposition: form-data; name="queue"; filename="a"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--x--\r\n"
)


@given(
    st.one_of(
        mutated(PART),
        mutated(PART * 3),
        st.lists(
            st.sampled_from(
                [b"--x\r\n", b"--x--\r\n", b"\r\n", b"Content-Type: multipart/mixed; boundary=x\r\n",
                 b"Content-Disposition: form-data; name*=utf-8''%ff\r\n", b"Content-Type: message/rfc822\r\n",
                 b"Content-Disposition: form-data; name*0=a; name*1=b\r\n", b"x\r\n", b":\r\n",
                 b"Content-Disposition: " + b";" * 2_000 + b"\r\n", b"=?utf-8?b?//8=?=\r\n",
                 b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Transfer-Encoding: x\r\n",
                 b"Content-Type: text/plain; charset=nonsense\r\n", b"=zz\r\n", b"\xff\xfe\r\n"]
            ),
            max_size=10,
        ).map(b"".join),
    ),
    header_values,
)  # fmt: skip
@fuzz(400)
def test_any_form_in_parts_is_read_or_refused(
    app: Application, body: bytes, parameters: bytes
) -> None:
    for kind in (b"multipart/form-data; boundary=x", b"multipart/form-data;" + parameters):
        run(
            app, "/api/worker/queue/add-consumer/celery%40web1", method="POST", body=[body],
            headers=[(b"host", b"localhost"), (b"content-type", kind)],
        )  # fmt: skip


@given(
    st.sampled_from(sorted(CHANGES)),
    values().map(as_json) | records("ids", "arguments", "workers", "confirm", "query").map(as_json)
    | st.binary(max_size=60) | st.just(b"[" * 100_000),
    pieces,
)  # fmt: skip
@fuzz(200)
def test_any_body_for_our_own_routes_is_answered(
    app: Application, path: str, body: bytes, name: str
) -> None:
    path = "/api/v1" + re.sub(r"{[^}]*}", lambda _: name, path)
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    run(app, path, method="POST", headers=headers, body=[body])


@pytest.mark.parametrize("path", ["/api/v1/control/ping", "/api/task/apply/a", "/tasks/datatable"])
def test_a_body_without_an_end_is_refused_before_it_fills_the_memory(
    app: Application, path: str
) -> None:
    chunks = [b"x" * 64_000] * 40
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    told = anyio.run(partial(ask, app, path, method="POST", headers=headers, body=chunks))
    check(told)
    assert told.status == 413


@given(texts | st.text(alphabet='q=0.1;,*/gzipatex "', max_size=80))
@fuzz(200)
def test_any_accept_header_says_yes_or_no(header: str) -> None:
    assert accepts_encoding(header, "gzip") in (True, False)
    assert prefers_openmetrics(header) in (True, False)
