"""The page below a path of a real nginx, with the configuration that the documentation gives."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from celery import Celery
from playwright.sync_api import Page, expect

from tests.conftest import REPOSITORY, answers, free_port, need_binary, running, running_redis
from tests.e2e.browsing import Visitor, agree, await_link, figure
from tests.integration.watching import Console, console

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

_PREFIX = "/tools/celery"
_GUIDE = REPOSITORY / "docs" / "how-to" / "behind-a-proxy.md"
_WAYS = ("kept", "cut off")  # what becomes of the prefix, in the order of the guide
_NAME, _PASSWORD = "ada", "correct horse"
#: Another address of this machine: nginx comes from 127.0.0.1, and only that one is trusted.
_ELSEWHERE = "127.0.0.9"

# What Debian's nginx.conf and a site would hold around the guide's lines.
_CONFIGURATION = """\
{user}
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    log_format told '$request_uri $status $sent_http_content_encoding';
    access_log {directory}/asked.log told;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    gzip on;
    {servers}
}}
"""


class Hosted(NamedTuple):
    """A console, and the nginx in front of it."""

    console: Console
    broker: str
    urls: dict[str, str]  # what becomes of the prefix -> where the page is
    log: Path  # what nginx was asked

    def asked(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    nginx = need_binary("nginx", debian="nginx-light")
    directory = tmp_path_factory.mktemp("nginx")
    data = f"--data-dir={directory / 'data'}"
    add = [sys.executable, "-m", "celeryscope", "user", data, "add", _NAME, "--password-stdin"]
    subprocess.run(add, input=f"{_PASSWORD}\n", text=True, check=True, timeout=30)
    # Looking needs no login here, so that the other tests can do without.
    options = [f"--url-prefix={_PREFIX}", "--trusted-proxies=127.0.0.1", "--anonymous-role=viewer"]
    with (
        running_redis(directory) as broker,
        console(broker, directory, data, *options) as ours,
    ):
        # The guide's own lines, but for the port.
        port = str(urlsplit(ours.url).port)
        snippets = re.findall(r"^```nginx\n(.*?)^```", _GUIDE.read_text(), re.DOTALL | re.MULTILINE)
        assert len(snippets) == len(_WAYS)
        ports = [free_port() for _ in _WAYS]
        servers = [
            f"server {{ listen 127.0.0.1:{listen}; {snippet.replace('5555', port)} }}"
            for listen, snippet in zip(ports, snippets, strict=True)
        ]
        configuration = directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                directory=directory,
                # Its workers may not look into a directory that only root may.
                user="user root;" if os.geteuid() == 0 else "",
                servers="\n    ".join(servers),
            )
        )
        with running(
            [nginx, "-c", str(configuration), "-p", str(directory)],
            log=directory / "nginx.log",
            ready=lambda: all(answers(at, b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/1.") for at in ports),
        ):
            ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
            urls = {
                way: f"http://127.0.0.1:{listen}{_PREFIX}"
                for way, listen in zip(_WAYS, ports, strict=True)
            }
            tell(broker, "a/b?c%d e", "first")
            (directory / "asked.log").write_text("")
            yield Hosted(ours, broker, urls, directory / "asked.log")


def tell(broker: str, *uuids: str) -> None:
    """Publish what a worker tells of tasks that fail."""
    app = Celery(broker=broker)
    with app.events.default_dispatcher(hostname="shop@one") as worker:
        worker.send("worker-heartbeat", freq=600.0, active=0, processed=len(uuids))
        for uuid in uuids:
            worker.send("task-received", uuid=uuid, name="shop.pay", args="()", kwargs="{}")
            worker.send("task-started", uuid=uuid)
            worker.send("task-failed", uuid=uuid, exception="Declined()", traceback="Declined")
    app.close()


def links_elsewhere(page: Page) -> list[str]:
    """The links of a page that leave the prefix."""
    paths: list[str] = page.eval_on_selector_all("a[href]", "links => links.map(l => l.pathname)")
    assert paths
    return [path for path in paths if path != _PREFIX and not path.startswith(_PREFIX + "/")]


@pytest.mark.parametrize("way", _WAYS)
def test_links_and_deep_links_and_reloads_stay_below_the_path(
    way: str, hosted: Hosted, visitor: Visitor
) -> None:
    url = hosted.urls[way]
    page = visitor.open(url)  # without the slash at the end, as people type it
    expect(page).to_have_url(f"{url}/")
    agree(lambda: figure(page, "figure-workers"), lambda: 1)
    assert links_elsewhere(page) == []
    for link, address in (
        ("Workers", "workers"), ("Tasks", "tasks"), ("Queues", "queues"), ("Overview", "")
    ):  # fmt: skip
        page.get_by_role("navigation").get_by_role("link", name=link).click()
        expect(page).to_have_url(f"{url}/{address}")
        assert links_elsewhere(page) == []

    page.goto(f"{url}/workers/shop@one")
    expect(page.get_by_role("heading", level=1)).to_contain_text("shop@one")
    page.goto(f"{url}/tasks?query=state%3Afailure")
    page.locator("[data-testid=tasks] [data-uuid='first']").wait_for()
    page.goto(f"{url}/tasks/first")
    expect(page.get_by_test_id("task")).to_have_attribute("data-state", "FAILURE")
    page.reload()
    expect(page.get_by_test_id("task")).to_have_attribute("data-state", "FAILURE")
    await_link(page, "live")
    assert links_elsewhere(page) == []
    assert [path for path in hosted.asked() if not path.startswith(_PREFIX)] == []


def test_any_name_arrives_when_the_prefix_is_kept(hosted: Hosted, visitor: Visitor) -> None:
    uuid = "a/b?c%d e"
    page = visitor.open(f"{hosted.urls['kept']}/tasks/{quote(uuid, safe='')}")
    expect(page.get_by_test_id("task")).to_have_attribute("data-uuid", uuid)


@pytest.mark.parametrize("way", _WAYS)
def test_the_live_stream_comes_through_unbuffered(
    way: str, hosted: Hosted, visitor: Visitor
) -> None:
    page = visitor.open(f"{hosted.urls[way]}/tasks")
    total = page.get_by_test_id("tasks")
    known = hosted.console.get("/api/v1/tasks?limit=0")["total"]
    agree(lambda: total.get_attribute("data-total"), lambda: str(known))
    # A buffer would keep frames as small as these, one after the other.
    for i in range(1, 4):
        tell(hosted.broker, f"{way} {i}")
        expect(total).to_have_attribute("data-total", str(known + i))
        await_link(page, "live")
    streams = [line for line in hosted.log.read_text().splitlines() if "/api/v1/live?" in line]
    page.close()
    agree(  # nginx tells of a request at its end
        lambda: len(hosted.log.read_text().split("/api/v1/live?")) - 1 > len(streams), lambda: True
    )
    told = hosted.log.read_text().splitlines()
    assert [line for line in told if "/api/v1/live?" in line][-1].endswith(" 200 gzip")


@pytest.mark.parametrize("way", _WAYS)
def test_people_log_in_and_out_below_the_path(way: str, hosted: Hosted, visitor: Visitor) -> None:
    url = hosted.urls[way]
    page = visitor.open(f"{url}/login", live=False)
    page.locator("input[name=name]").fill(_NAME)
    page.locator("input[name=password]").fill(_PASSWORD)
    page.locator("input[name=password]").press("Enter")
    expect(page).to_have_url(f"{url}/")
    await_link(page, "live")
    me = page.evaluate("async url => (await fetch(url)).json()", f"{url}/api/v1/me")
    assert (me["name"], me["way"], me["role"]) == (_NAME, "password", "admin")
    (cookie,) = (c for c in page.context.cookies() if c["httpOnly"])
    assert cookie["path"].rstrip("/") == _PREFIX
    # What changes something comes through as well: the page's origin is ours, and so is its proof.
    (session,) = (s for s in _sessions(page, url) if s["current"])
    status = page.evaluate(
        """async ([url, csrf]) => (await fetch(url, {method: "POST", body: "{}", headers: {
            "Content-Type": "application/json", "X-Celeryscope-CSRF": csrf}})).status""",
        [f"{url}/api/v1/sessions/{session['id']}/revoke", me["csrf"]],
    )
    assert status in (200, 202)
    me = page.evaluate("async url => (await fetch(url)).json()", f"{url}/api/v1/me")
    assert (me["name"], me["way"]) == ("anonymous", "anonymous")


def _sessions(page: Page, url: str) -> list[dict[str, Any]]:
    told = page.evaluate("async url => (await fetch(url)).json()", f"{url}/api/v1/sessions")
    listed: list[dict[str, Any]] = told["sessions"]
    return listed


@pytest.mark.parametrize("way", _WAYS)
def test_a_session_knows_where_its_person_is_and_believes_only_the_proxy(
    way: str, hosted: Hosted
) -> None:
    parts = urlsplit(hosted.urls[way])
    client = http.client.HTTPConnection(parts.netloc, source_address=(_ELSEWHERE, 0), timeout=20)
    with contextlib.closing(client):
        form = urlencode({"name": _NAME, "password": _PASSWORD})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": "192.0.2.66",
            "Origin": f"http://{parts.netloc}",
        }
        client.request("POST", f"{parts.path}/login", form, headers)
        answer = client.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Location"]) == (303, f"{_PREFIX}/")
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        client.request("GET", f"{parts.path}/api/v1/sessions", headers={"Cookie": cookie})
        told = json.loads(client.getresponse().read())["sessions"]
    assert [one["address"] for one in told if one["current"]] == [_ELSEWHERE]


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_the_files_of_the_page_come_compressed(way: str, coding: str, hosted: Hosted) -> None:
    url = hosted.urls[way] + "/"
    with urllib.request.urlopen(url) as answer:
        page = answer.read().decode()
    assert f'<base href="{_PREFIX}/">' in page
    files = set(re.findall(r'(?:src|href)="(?:\./)?(assets/[^"]+\.(?:js|css))"', page))
    assert len(files) >= 2
    for name in files:
        request = urllib.request.Request(urljoin(url, name), headers={"Accept-Encoding": coding})
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["Content-Encoding"] == coding, name
            assert "immutable" in answer.headers["Cache-Control"], name
            assert "Accept-Encoding" in answer.headers["Vary"], name
