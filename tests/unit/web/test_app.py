"""What holds for every request."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from celeryscope.web.app import CHANGES, LOOPBACK_HOSTS, OPERATIONS, PAGES
from tests.unit.web.standins import Cluster, client, life, serving

pytestmark = pytest.mark.anyio

API = (
    "/api/workers", "/api/tasks", "/api/task/types", "/api/v1/overview", "/api/v1/tasks",
    "/metrics", "/healthcheck",
)  # fmt: skip


@pytest.mark.parametrize("prefix", ["/scope", "scope/", "/team/scope"])
async def test_a_proxy_may_keep_the_prefix_or_cut_it_off(cluster: Cluster, prefix: str) -> None:
    inside = "/" + prefix.strip("/")
    async with cluster.client(url_prefix=prefix) as http:
        for path in API:
            assert (await http.get(path)).status_code == 200
            assert (await http.get(inside + path)).status_code == 200
        root = await http.get(inside)
        assert (root.status_code, root.headers["location"]) == (307, inside + "/")
        assert (await http.get(inside + "x/metrics")).status_code == 404


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/worker/celery@web1", "/scope/workers/celery@web1"),
        ("/scope/worker/a%20b", "/scope/workers/a%20b"),
        ("/task/6a72", "/scope/tasks/6a72"),
        ("/task/a%2Fb%3Fc", "/scope/tasks/a%2Fb%3Fc"),
        ("/task//evil.example", "/scope/tasks/%2Fevil.example"),
    ],
)
async def test_flowers_pages_lead_to_ours(cluster: Cluster, path: str, location: str) -> None:
    async with cluster.client(url_prefix="/scope") as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (307, location)


@pytest.mark.parametrize("name", ["a/b", "a\nb", "a\n", "\r\n", "a?b#c%2Fd", "//a", "a\x00\u2028"])
async def test_a_task_and_a_worker_may_have_any_text_for_a_name(
    cluster: Cluster, name: str
) -> None:
    cluster.feed(life(name, worker=name))
    async with cluster.client() as http:
        task = await http.get(f"/api/v1/tasks/{quote(name, safe='')}")
        worker = await http.get(f"/api/v1/workers/{quote(name, safe='')}")
    assert (task.json()["uuid"], worker.json()["hostname"]) == (name, name)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:5555", 200),
        ("LOCALHOST", 200),
        ("localhost.:5555", 200),
        ("127.0.0.1:5555", 200),
        ("[::1]:5555", 200),
        ("scope.internal", 200),
        ("evil.example:5555", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("[::2]:5555", 400),
        ("", 200),  # no browser sends none
    ],
)
async def test_a_foreign_name_for_this_machine_is_refused(
    cluster: Cluster, host: str, status: int
) -> None:
    hosts = [*LOOPBACK_HOSTS, "Scope.internal"]
    async with cluster.client(allowed_hosts=hosts) as http:
        for path in ("/api/v1/overview", "/metrics", "/api/tasks"):
            answer = await http.get(path, headers={"host": host})
            assert answer.status_code == (200 if status == 200 else 400), answer.text
            if status == 400:
                assert "localhost" in answer.text


async def test_on_other_addresses_every_name_is_fine(cluster: Cluster) -> None:
    async with cluster.client(allowed_hosts=None) as http:
        answer = await http.get("/api/v1/overview", headers={"host": "scope.example"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("site", "path", "refused"),
    [
        ("cross-site", "/api/v1/overview", True),
        ("same-site", "/api/v1/queues/celery/messages?limit=1", True),
        ("cross-site", "/api/workers", True),
        ("cross-site", "/celery/api/v1/live", True),
        ("same-origin", "/api/v1/overview", False),
        ("none", "/api/v1/overview", False),
        (None, "/api/v1/overview", False),  # no browser
        ("cross-site", "/", False),  # a link to the page
        ("cross-site", "/metrics", False),
    ],
)
async def test_pages_of_other_sites_may_link_to_us_and_not_ask_the_api(
    cluster: Cluster, site: str | None, path: str, refused: bool
) -> None:
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    async with cluster.client(url_prefix="/celery") as http:
        answer = await http.get(path, headers=headers)
    assert (answer.status_code == 403) is refused


@pytest.mark.parametrize("path", [*API, "/", "/api/nothing", "/nothing"])
async def test_every_answer_keeps_browsers_strict_and_other_origins_out(
    cluster: Cluster, path: str
) -> None:
    async with cluster.client() as http:
        answer = await http.get(path, headers={"origin": "http://evil.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", [*API, "/api/v1/live", "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_what_only_reads_takes_no_other_method(
    cluster: Cluster, path: str, method: str
) -> None:
    async with cluster.client() as http:
        answer = await http.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("method", "path", "media_type"),
    [
        ("GET", "/api/v1/nothing", "application/json"),
        ("POST", "/api/v1/nothing", "application/json"),
        ("GET", "/api/nothing", "text/plain"),
        ("POST", "/api/worker/shutdown/a", "text/plain"),
        ("GET", "/nothing", "text/plain"),
    ],
)
async def test_what_is_not_there_is_not_found_in_the_dialect(
    cluster: Cluster, method: str, path: str, media_type: str
) -> None:
    async with cluster.client() as http:
        answer = await http.request(method, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith(media_type)


@pytest.mark.parametrize(
    "path", ["/api/v1/overview", "/api/v1/live", "/api/task/types", "/metrics"]
)
async def test_a_fault_of_ours_is_told_without_its_traceback(
    cluster: Cluster, path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(cluster.state, "names", None)
    cluster.services.__dict__["render_metrics"] = broken
    with caplog.at_level(logging.ERROR):
        async with cluster.client() as http:
            answer = await http.get(path)
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "Traceback" not in answer.text
    assert "secret" not in answer.text
    assert [record.message for record in caplog.records] == ["Request failed"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_large_json_is_compressed(cluster: Cluster) -> None:
    for number in range(50):
        cluster.feed(life(str(number)))
    async with cluster.client() as http:
        for path in ("/api/v1/tasks", "/api/tasks"):
            answer = await http.get(path, headers={"accept-encoding": "gzip"})
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.json()


def test_head_answers_like_get_without_a_body(cluster: Cluster) -> None:
    with serving(cluster.app()) as url:
        for path in (*API, "/", "/api/v1/live"):
            answer = httpx.head(url + path, timeout=5)
            assert answer.status_code == (503 if path == "/" else 200)
            assert answer.content == b""


def test_a_running_server_remembers_how_busy_it_was(cluster: Cluster) -> None:
    cluster.feed(life())
    with serving(cluster.app()) as url:
        told = httpx.get(url + "/api/v1/overview", timeout=5).json()
    assert told["rate"]["succeeded"] == 0.0, "what came before we looked is no rate"


def test_the_reference_names_every_route() -> None:
    pages = Path(__file__).parents[3] / "docs/reference"
    reference = (pages / "api.md").read_text() + (pages / "flower.md").read_text()
    written = re.sub(r"{(\w+):path}", r"{\1}", " ".join([*OPERATIONS, *CHANGES, *PAGES]))
    for path in [*(p for p in written.split()), *API, "/api/queues/length", "/api/task/info/",
                 "/health", "/-/ready", "/-/healthy", "/api/v1/live", "/api/v1/openapi.json"]:  # fmt: skip
        assert path in reference, path


async def test_the_exporter_can_be_asked_by_any_of_its_names(cluster: Cluster) -> None:
    async with client(cluster.app(allowed_hosts=LOOPBACK_HOSTS)) as http:
        assert (await http.get("/metrics")).status_code == 200
