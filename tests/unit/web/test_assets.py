"""The built page."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.unit.web.standins import Cluster

pytestmark = pytest.mark.anyio

INLINE = "document.documentElement.dataset.theme = 'dark'"
INDEX = f"""<!doctype html><html><head><base href="./"><title>Celeryscope</title>
<script>{INLINE}</script><script type="module" crossorigin src="./assets/main-1a2b.js"></script>
</head><body></body></html>"""


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "main-1a2b.js").write_text("plain" * 1000)
    (tmp_path / "assets" / "main-1a2b.js.br").write_bytes(b"brotli")
    (tmp_path / "assets" / "main-1a2b.js.gz").write_bytes(b"gzipped")
    (tmp_path / "assets" / "style-3c4d.css").write_text("a{}" * 1000)
    return tmp_path


async def raw(http: httpx.AsyncClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.stream("GET", path, headers={"accept-encoding": "identity", **sent}) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize("path", ["/", "/workers", "/workers/celery@a/b", "/tasks", "/tasks/x%2Fy"])
async def test_every_view_is_the_page_with_its_base(
    cluster: Cluster, dist: Path, path: str
) -> None:
    async with cluster.client(assets_dir=dist, url_prefix="/scope/") as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.text.count("<base") == 1
    assert '<head><base href="/scope/">' in answer.text
    assert answer.headers["cache-control"] == "no-cache"


async def test_the_page_loads_our_files_and_nothing_else(cluster: Cluster, dist: Path) -> None:
    async with cluster.client(assets_dir=dist) as http:
        policy = (await http.get("/")).headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["script-src"] == "'self'"  # what is written into the page does not run
    assert directives["frame-ancestors"] == "'none'"
    assert directives["default-src"] == "'none'"
    assert directives["style-src"] == "'self'"
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, deflate, br", "br", b"brotli"),
        ("gzip", "gzip", b"gzipped"),
        ("br;q=0, gzip", "gzip", b"gzipped"),
        ("identity", None, b"plain" * 1000),
    ],
)
async def test_a_file_comes_in_the_smallest_form_that_is_accepted(
    cluster: Cluster, dist: Path, accepted: str, coding: str | None, body: bytes
) -> None:
    async with cluster.client(assets_dir=dist) as http:
        answer, got = await raw(http, "/assets/main-1a2b.js", accept_encoding=accepted)
    assert (answer.headers.get("content-encoding"), got) == (coding, body)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_text_without_a_compressed_twin_is_compressed_here(
    cluster: Cluster, dist: Path
) -> None:
    async with cluster.client(assets_dir=dist) as http:
        answer, _ = await raw(http, "/assets/style-3c4d.css", accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"


async def test_a_file_that_may_change_is_asked_for_again_and_not_sent_twice(
    cluster: Cluster, dist: Path
) -> None:
    async with cluster.client(assets_dir=dist) as http:
        for path in ("/favicon.svg", "/", "/assets/style-3c4d.css"):
            first = await http.get(path)
            again = await http.get(path, headers={"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        assert (await http.get("/favicon.svg")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/nothing", "/assets/none.js", "/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd"]
)
async def test_there_is_nothing_else(cluster: Cluster, dist: Path, path: str) -> None:
    async with cluster.client(assets_dir=dist) as http:
        assert (await http.get(path)).status_code == 404
        page = await http.get(path, headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "<base" in page.text, "a person sees the page, which says what is missing"


async def test_without_a_built_page_it_says_so(cluster: Cluster) -> None:
    async with cluster.client() as http:
        answer = await http.get("/")
        assert (answer.status_code, "make ui" in answer.text) == (503, True)
        assert (await http.get("/api/v1/overview")).status_code == 200
