"""A login provider that answers what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from celeryscope.web.auth.flow import encoded
from tests.conftest import Certificates

SECRET = "planted-client-secret"
CALLBACK = "http://127.0.0.1:5555/login/callback"


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case


class Told(NamedTuple):
    """An answer: `body` is sent as JSON, or as it is when it is bytes."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = {}


class Server:
    """An HTTP server on this machine; `answers` says what comes for a path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Any] = {}
        self.asked: list[Asked] = []

    def answer(self, asked: Asked) -> Told:
        self.asked.append(asked)
        found = self.answers.get(asked.path, Told({"error": "not_found"}, 404))
        if callable(found) and not isinstance(found, Told):
            found = found(asked)
        return found if isinstance(found, Told) else Told(found)

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


class Quiet(ThreadingHTTPServer):
    """Says nothing about those who break off, as who does not like a certificate does."""

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(certificates: Certificates | None = None) -> Iterator[Server]:
    """Run a server until the end of the block; with certificates it speaks HTTPS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            form = self.rfile.read(length).decode()
            asked = Asked(
                self.command,
                parts.path,
                {key: values[-1] for key, values in parse_qs(parts.query).items()},
                {key: values[-1] for key, values in parse_qs(form).items()},
                {name.lower(): value for name, value in self.headers.items()},
            )
            told = server.answer(asked)
            body = told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
            self.send_response(told.status)
            for name, value in {"Content-Type": "application/json", **told.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who hears enough goes away
                self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as listening:
        scheme = "http"
        if certificates:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.certificate, certificates.key)
            listening.socket = context.wrap_socket(listening.socket, server_side=True)
        server = Server(f"{scheme}://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


# ---------------------------------------------------------------------- keys and tokens


def private_key(algorithm: str, name: str = "") -> Any:
    """A key for an algorithm; the same one for the same name."""
    return _made(algorithm, name)


@cache
def _made(algorithm: str, name: str) -> Any:
    if algorithm[:2] in ("RS", "PS"):
        return rsa.generate_private_key(65_537, 1_024 if name == "short" else 2_048)
    if algorithm.startswith("Ed"):
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, Callable[[], ec.EllipticCurve]]
    curves = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    return ec.generate_private_key(curves[algorithm]())


def _of_library(algorithm: str) -> Any:
    name = "EdDSA" if algorithm == "Ed25519" else algorithm
    return jwt.PyJWS().get_algorithm_by_name(name)


def public_key(algorithm: str, name: str = "", **more: Any) -> dict[str, Any]:
    """That key's public half as a JSON Web Key."""
    key = private_key(algorithm, name).public_key()
    return {**_of_library(algorithm).to_jwk(key, as_dict=True), **more}


def signed(
    claims: Mapping[str, Any],
    *,
    algorithm: str = "ES256",
    key: Any = None,
    header: Mapping[str, Any] | None = None,
) -> str:
    """An id token, signed with `key`, else with that of `private_key(algorithm)`."""
    head = {"alg": algorithm, "kid": "one", **(header or {})}
    parts = [encoded(json.dumps(part).encode()) for part in (head, dict(claims))]
    message = ".".join(parts).encode()
    made = _of_library(algorithm).sign(message, key or private_key(algorithm))
    return ".".join([*parts, encoded(made)])


def half_hash(access_token: str) -> str:
    return encoded(hashlib.sha256(access_token.encode()).digest()[:16])


class Fake:
    """A provider whose id token can be spoilt: `claims` go over the right ones; None takes away."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.nonce = ""  # of the login under way
        self.claims: dict[str, Any] = {}
        self.token: Callable[[Mapping[str, Any]], Any] = signed
        self.keys: list[dict[str, Any]] = [public_key("ES256", kid="one", use="sig")]
        self.metadata: dict[str, Any] = {
            "issuer": server.url,
            "authorization_endpoint": server.url + "/authorize",
            "token_endpoint": server.url + "/token",
            "jwks_uri": server.url + "/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        }
        server.answers |= {
            "/.well-known/openid-configuration": lambda _: self.metadata,
            "/jwks": lambda _: {"keys": self.keys},
            "/token": lambda _: {
                "access_token": "the-access-token",
                "token_type": "Bearer",
                "id_token": self.token(self.right()),
            },
        }

    def right(self) -> dict[str, Any]:
        claims = {
            "iss": self.server.url,
            "aud": "console",
            "sub": "1",
            "email": "ada@example.com",
            "email_verified": True,
            "groups": ["ops"],
            "nonce": self.nonce,
            "iat": time.time(),
            "exp": time.time() + 300,
            **self.claims,
        }
        return {name: value for name, value in claims.items() if value is not None}
