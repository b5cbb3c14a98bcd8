"""A running console, whose people log in at a real provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from tests.conftest import free_port, running_redis
from tests.integration.watching import Console, console
from tests.oidc.fake import SECRET
from tests.oidc.test_real_provider import Real, clients, run

pytestmark = [pytest.mark.slow]


class Site(NamedTuple):
    """A console and its provider."""

    console: Console
    real: Real


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # One of them has Flower's redirect URI.
    redirects = {"redirect_uris": [f"{url}/login/callback", f"{url}/login"]}
    back = {"post_logout_redirect_uris": [f"{url}/login"]}
    (known,) = (client for client in clients() if client["client_id"] == "console")
    with (
        run(directory, clients=[{**known, **redirects, **back}]) as real,
        running_redis(directory) as broker,
        console(
            broker,
            directory,
            f"--data-dir={directory / 'data'}",
            f"--oidc-issuer={real.url}",
            "--oidc-client-id=console",
            "--oidc-roles=ops=operator",
            port=port,
            env={"CELERYSCOPE_OIDC_CLIENT_SECRET": SECRET},
        ) as ours,
    ):
        yield Site(ours, real)


def browser() -> httpx.Client:
    return httpx.Client(trust_env=False, follow_redirects=True, timeout=20)


def log_in(client: httpx.Client, url: str, name: str) -> httpx.Response:
    """Follow the link of the login page, and every page of the provider, until the console."""
    answer = client.get(url)
    for _ in range(10):
        action = re.search(r'<form[^>]* action="(http[^"]+/interaction/[^"]+)"', answer.text)
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        if not action or not prompt:
            return answer
        form = {"prompt": prompt[1], "login": name, "password": "any"}
        answer = client.post(action[1], data=form)
    raise AssertionError("The provider's pages come to no end.")


def test_the_login_page_leads_to_the_provider(site: Site) -> None:
    with browser() as client:
        assert client.get(f"{site.console.url}/api/v1/workers").status_code == 401
        page = client.get(f"{site.console.url}/login")
        assert page.status_code == 200
        (link,) = re.findall(r'href="([^"]*login/start[^"]*)"', page.text)
        page = client.get(urljoin(str(page.url), link))
        assert str(page.url).startswith(f"{site.real.url}/interaction/")


def test_somebody_logs_in_looks_and_logs_out(site: Site) -> None:
    with browser() as client:
        page = log_in(client, f"{site.console.url}/login/start?next=/workers%3Fx%3D1", "ada")
        assert page.status_code == 200
        assert str(page.url) == f"{site.console.url}/workers?x=1"
        assert client.get(f"{site.console.url}/api/v1/workers").status_code == 200

        client.follow_redirects = False
        gone = client.get(f"{site.console.url}/logout", headers={"Sec-Fetch-Site": "same-origin"})
        to = gone.headers["location"]
        assert to.startswith(site.real.url)
        told = dict(parse_qsl(urlsplit(to).query))
        assert told["post_logout_redirect_uri"] == f"{site.console.url}/login"
        assert told["id_token_hint"].count(".") == 2
        page = client.get(to)
        assert page.status_code == 200  # it knows the address, and asks whether to log out
        assert client.get(f"{site.console.url}/api/v1/workers").status_code == 401


def test_who_has_no_role_stays_outside_and_is_told(site: Site) -> None:
    with browser() as client:
        page = log_in(client, f"{site.console.url}/login/start", "eve")
        assert page.status_code == 403
        assert "have no role here" in page.text
        assert client.get(f"{site.console.url}/api/v1/workers").status_code == 401


@pytest.mark.parametrize("path", ["/login/callback", "/login"])
def test_a_link_to_the_way_back_logs_nobody_in(site: Site, path: str) -> None:
    """Who is given the end of somebody else's login does not become that person."""
    with browser() as attacker, browser() as victim:
        attacker.follow_redirects = False
        to = attacker.get(f"{site.console.url}/login/start").headers["location"]
        answer = attacker.get(to)
        for _ in range(10):
            if answer.is_redirect:
                to = urljoin(str(answer.url), answer.headers["location"])
                if to.startswith(site.console.url):
                    break
                answer = attacker.get(to)
            else:
                action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                assert action
                assert prompt
                form = {"prompt": prompt[1], "login": "ada", "password": "any"}
                answer = attacker.post(action[1], data=form)
        assert "code=" in to
        query = urlsplit(to).query
        page = victim.get(f"{site.console.url}{path}?{query}")
        assert page.status_code == 400
        assert victim.get(f"{site.console.url}/api/v1/workers").status_code == 401
        # It was no use to the attacker's own browser either, should they have been quicker.
        attacker.get(f"{site.console.url}{path}?{query}")
        again = attacker.get(f"{site.console.url}{path}?{query}")
        assert again.status_code == 400


def test_flowers_redirect_uri_works(site: Site) -> None:
    with httpx.Client(trust_env=False, timeout=20) as client:
        to = client.get(f"{site.console.url}/login/start").headers["location"]
        state = dict(parse_qsl(urlsplit(to).query))["state"]
        query = f"error=access_denied&state={state}&iss={site.real.url}"
        page = client.get(f"{site.console.url}/login?{query}")
        assert page.status_code == 403
        assert "did not let you in" in page.text


def test_a_provider_that_is_down_keeps_the_console_up(tmp_path: Path) -> None:
    issuer = f"http://127.0.0.1:{free_port()}"
    options = [f"--oidc-issuer={issuer}", "--oidc-client-id=console", "--oidc-roles=ops=admin"]
    with (
        running_redis(tmp_path) as broker,
        console(broker, tmp_path, f"--data-dir={tmp_path / 'data'}", *options) as ours,
        browser() as client,
    ):
        page = client.get(f"{ours.url}/login/start")
        assert page.status_code == 503
        assert "cannot be reached" in page.text
        assert client.get(f"{ours.url}/login").status_code == 200
        assert client.get(f"{ours.url}/api/v1/workers").status_code == 401


def test_nothing_secret_is_in_the_log_or_the_data_directory(site: Site) -> None:
    with browser() as client:
        log_in(client, f"{site.console.url}/login/start", "ada")
        cookies = [cookie.value for cookie in client.cookies.jar if cookie.value]
    kept = site.console.log.read_bytes()
    data = site.console.log.parent / "data"
    kept += b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    assert SECRET.encode() not in kept
    assert cookies
    for cookie in cookies:
        assert cookie.encode() not in kept
    assert b"eyJ" not in kept  # how an id token begins
