"""A real nginx names people with the lines of the guide, and lets no header through that lies."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from celeryscope.web.auth.identity import Identity
from celeryscope.web.auth.proxy import Proxy
from tests.conftest import REPOSITORY, answers, free_port, need_binary, running
from tests.oidc.fake import Server, Told, serving

GUIDE = REPOSITORY / "docs" / "how-to" / "log-in.md"
PROXY = Proxy(trusted=["127.0.0.1"], user_header="X-Remote-User", default_role="operator")

CLIENT = "127.0.0.2"  # another address of this machine, which PROXY does not trust

_CONFIGURATION = """\
{user}
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{ listen 127.0.0.1:{port}; {lines} }}
}}
"""


class Site(NamedTuple):
    """An nginx, and what stands behind it."""

    url: str
    behind: Server

    def arrives(self, **headers: str) -> list[tuple[bytes, bytes]]:
        """Send a request as ada; give the headers with which it comes out behind nginx."""
        login = base64.b64encode(b"ada:secret").decode()
        sent = {"Authorization": f"Basic {login}", **headers}
        way = httpx.HTTPTransport(local_address=CLIENT)
        with httpx.Client(transport=way) as client:
            assert client.get(self.url, headers=sent).status_code == 200
        came = self.behind.asked[-1].headers
        return [(name.encode(), value.encode("latin-1")) for name, value in came.items()]

    def named(self, **headers: str) -> Identity | None:
        return PROXY.identify("127.0.0.1", self.arrives(**headers))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    nginx = need_binary("nginx", debian="nginx-light")
    directory = tmp_path_factory.mktemp("nginx")
    (lines,) = re.findall(r"^```nginx\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    port = free_port()
    (directory / "htpasswd").write_text("ada:{PLAIN}secret\n")
    with serving() as behind:
        behind.answers["/"] = Told({})
        configuration = directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                directory=directory,
                user="user root;" if os.geteuid() == 0 else "",
                port=port,
                lines=lines.replace("http://127.0.0.1:5555", behind.url),
            )
        )
        with running(
            [nginx, "-c", str(configuration), "-p", str(directory)],
            log=Path(directory) / "nginx.log",
            ready=lambda: answers(port, b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/1."),
        ):
            yield Site(f"http://127.0.0.1:{port}/", behind)


def test_nginx_names_who_logged_in(site: Site) -> None:
    found = site.named()
    assert found is not None
    assert (found.name, found.role) == ("ada", "operator")


@pytest.mark.parametrize(
    "header",
    ["X-Remote-User", "x-remote-user", "X-REMOTE-USER", "X_Remote_User", "Remote-User"],
)
def test_nobody_names_themselves_through_nginx(site: Site, header: str) -> None:
    found = site.named(**{header: "root"})
    assert found is not None
    assert found.name == "ada"


def test_its_own_password_is_not_passed_on(site: Site) -> None:
    assert b"authorization" not in dict(site.arrives())


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ({}, CLIENT),
        ({"X-Forwarded-For": "1.1.1.1"}, CLIENT),
        ({"X-Forwarded-For": "1.1.1.1, 127.0.0.1"}, CLIENT),
        # Two stories: neither is believed, and the proxy is what is left.
        ({"Forwarded": "for=1.1.1.1"}, "127.0.0.1"),
    ],
)
def test_the_address_is_the_one_that_nginx_saw(
    site: Site, told: dict[str, str], address: str
) -> None:
    assert PROXY.address("127.0.0.1", site.arrives(**told)) == address


def test_the_scheme_is_the_one_that_nginx_saw(site: Site) -> None:
    headers = site.arrives(**{"X-Forwarded-Proto": "https"})
    assert PROXY.scheme("127.0.0.1", headers, "http") == "http"


def test_without_the_password_nothing_comes_through(site: Site) -> None:
    before = len(site.behind.asked)
    answer = httpx.get(site.url, headers={"X-Remote-User": "ada"}, trust_env=False)
    assert answer.status_code == 401
    assert len(site.behind.asked) == before
