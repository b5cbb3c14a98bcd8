"""Asking a login provider over HTTP: with bounds, without following it anywhere else.

The packages that this needs come with `pip install "celeryscope[oidc]"`, and are imported only
where a provider is configured.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import ssl
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import msgspec

from celeryscope.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    import httpx

LONGEST_ANSWER = 2**20  # bytes
PATIENCE_SECONDS = 10.0
_LONGEST_TOLD = 200  # characters


class Answer(NamedTuple):
    """What a provider answered, read as JSON."""

    status: int
    body: Any


class Fetcher:
    """Asks one provider. `secret` is masked in whatever is told of its answers."""

    def __init__(self, *, provider: str, secret: str = "", ca: Path | None = None) -> None:
        """`ca`: a file of certificate authorities beside those of the system.

        Raises ConfigError when it cannot be read, or the packages are missing.
        """
        need_packages()
        self._provider = provider
        self._secret = secret
        self._tls = _tls(ca)

    async def get(self, url: str, *, bearer: str = "") -> Answer:
        """Ask for `url`. Raises Unavailable when there is no answer that could be read."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return await self._ask("GET", url, headers, None)

    async def post(
        self, url: str, form: Mapping[str, str], *, basic: tuple[str, str] | None = None
    ) -> Answer:
        """Send a form to `url`; `basic` is a client's id and secret. Raises Unavailable."""
        headers = {}
        if basic:
            # RFC 6749 §2.3.1: both in the form's own encoding first.
            pair = ":".join(quote_plus(part) for part in basic)
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return await self._ask("POST", url, headers, form)

    def clean(self, text: object) -> str:
        """Give what a provider said as one short line, without the client's secret in it."""
        told = str(text)
        for form in filter(None, (self._secret, quote_plus(self._secret))):
            told = told.replace(form, "**")
        line = "".join(letter if letter.isprintable() else " " for letter in told[:2_000]).strip()
        return line if len(line) <= _LONGEST_TOLD else line[: _LONGEST_TOLD - 1] + "…"

    def trouble(self, sentence: str) -> Unavailable:
        """Make the error that the provider cannot be used just now."""
        return Unavailable(
            f"The login provider {self._provider} cannot be used: {sentence}",
            hint="Try again. Other ways to log in work as before.",
        )

    async def _ask(
        self, method: str, url: str, headers: dict[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        import httpx

        host = urlsplit(url).hostname or ""
        headers |= {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                # The environment's HTTP proxy is the way out, and none to this machine itself.
                httpx.AsyncClient(
                    verify=self._tls, timeout=PATIENCE_SECONDS, trust_env=not is_loopback(host)
                ) as client,
                client.stream(method, url, headers=headers, data=form) as answer,
            ):
                body = await self._body(answer, host)
        except TimeoutError:
            raise self.trouble(f"{host} gave no answer in {PATIENCE_SECONDS:g} s.") from None
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            UnicodeError,
        ) as error:  # UnicodeError: no host name
            said = self.clean(error) or "the connection was cut"
            raise self.trouble(f"{host} cannot be reached: {said}.") from None
        if 300 <= answer.status_code < 400:
            raise self.trouble(f"{host} answered with a redirect ({answer.status_code}).")
        return Answer(answer.status_code, self._read(body, host, answer.status_code))

    async def _body(self, answer: httpx.Response, host: str) -> bytes:
        body = b""
        async for part in answer.aiter_bytes(65_536):
            body += part
            if len(body) > LONGEST_ANSWER:
                raise self.trouble(f"{host} answered with more than {LONGEST_ANSWER} bytes.")
        return body

    def _read(self, body: bytes, host: str, status: int) -> Any:
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise self.trouble(f"{host} answered {status} with what is no JSON.") from None


def need_packages() -> None:
    """Raise ConfigError unless the packages of the extra `oidc` are installed."""
    try:
        import_module("httpx")
        import_module("jwt")
        import_module("cryptography")
    except ImportError as missing:
        raise ConfigError(
            f"Logging in at a provider needs packages that are not installed ({missing.name}): "
            'pip install "celeryscope[oidc]"'
        ) from None


def is_loopback(host: str) -> bool:
    """Say whether a host name is this machine itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_safe(url: str, *, loopback: bool) -> bool:
    """Say whether a provider may be asked at `url`: HTTPS, or, where allowed, this machine."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it raises where it is none
    except ValueError:
        return False
    host = parts.hostname or ""
    plain = parts.scheme == "http" and loopback and is_loopback(host)
    return bool(
        (parts.scheme == "https" or plain)
        and host
        and "@" not in parts.netloc
        and not parts.fragment
        and url.isascii()
        and url.isprintable()
        and " " not in url
    )


def _tls(ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except OSError as trouble:
            raise ConfigError(
                f"The certificate authorities of the login provider, {ca}, cannot be read: "
                f"{trouble.strerror or trouble}"
            ) from None
    return context
