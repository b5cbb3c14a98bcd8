"""The built page: which files there are, how they are cached, and where they may load from."""

from __future__ import annotations

import hashlib
import html
import mimetypes
import re
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from celeryscope.web.negotiation import accepts_encoding, respond

#: Vite puts files whose name carries a hash of their content here.
_HASHED = "assets/"
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"
_CODINGS = ((".br", "br"), (".gz", "gzip"))  # best first
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
_TEXTUAL = ("text/", "application/json", "application/manifest", "image/svg")

_BASE = re.compile(r"<base\b[^>]*>", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)

NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Celeryscope</title></head>
<body>
<h1>The page is not built</h1>
<p>This checkout of Celeryscope has no built page in <code>src/celeryscope/web/dist</code>.
Run <code>make ui</code> and start again.</p>
<p>Everything else works: <a href="api/v1/overview">api/v1/overview</a>,
<a href="metrics">metrics</a>.</p>
</body>
</html>
"""


class _File(NamedTuple):
    body: bytes
    media_type: str
    etag: str
    cache: str
    coded: dict[str, bytes]  # content coding -> body


class Assets:
    """The files of a built page, read once: they are small and do not change while we run."""

    def __init__(self, directory: Path, *, url_prefix: str) -> None:
        self._files = _read(directory)
        index = self._files.get("index.html")
        self._page = None if index is None else _with_base(index.body.decode(), url_prefix)
        login = self._files.get("login.html")
        self._login = None if login is None else _with_base(login.body.decode(), url_prefix)

    def page(self, request: Request, *, status: int = 200) -> Response:
        """Give the page; which one of its views it shows, the page sees from the URL."""
        if self._page is None:
            return HTMLResponse(
                NOT_BUILT, status_code=503, headers={"Content-Security-Policy": POLICY}
            )
        headers = {
            "Cache-Control": _ASK_FIRST,
            "Content-Security-Policy": POLICY,
            "ETag": _etag(self._page.encode()),
        }
        if status == 200 and _is_current(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return respond(
            request,
            self._page.encode(),
            media_type="text/html; charset=utf-8",
            status=status,
            headers=headers,
        )

    def login(self) -> tuple[str, str] | None:
        """Give the page to log in on, with its marks, and what it may load; None: not built."""
        return None if self._login is None else (self._login, POLICY)

    def file(self, request: Request, path: str) -> Response | None:
        """Give the file of that name, in the smallest form the client takes; None without one."""
        found = self._files.get(path)
        if found is None or path in ("index.html", "login.html"):
            return None
        headers = {"Cache-Control": found.cache, "ETag": found.etag, "Vary": "Accept-Encoding"}
        if found.media_type.startswith("text/javascript"):
            headers["Content-Security-Policy"] = POLICY  # a worker obeys that of its own script
        if _is_current(request, found.etag):
            return Response(status_code=304, headers=headers)
        accepted = request.headers.get("accept-encoding", "")
        for _, coding in _CODINGS:
            if coding in found.coded and accepts_encoding(accepted, coding):
                headers |= {"Content-Encoding": coding, "Content-Type": found.media_type}
                return Response(found.coded[coding], headers=headers)
        if found.media_type.startswith(_TEXTUAL):
            return respond(request, found.body, media_type=found.media_type, headers=headers)
        return Response(found.body, headers=headers | {"Content-Type": found.media_type})


#: What the page may load: our own files. No script and no style is written into it: all are files,
#: or set by scripts property by property.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def _etag(body: bytes) -> str:
    # Weak: the same tag stands for the plain and the compressed form.
    return f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'


def _is_current(request: Request, etag: str) -> bool:
    return etag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(","))


def _with_base(page: str, url_prefix: str) -> str:
    """Make every relative URL of the page start at the prefix, whichever view it is."""
    base = f'<base href="{html.escape(url_prefix)}/">'
    page = _BASE.sub("", page)
    return _HEAD.sub(lambda head: head.group() + base, page, count=1)


def _read(directory: Path) -> dict[str, _File]:
    if not directory.is_dir():
        return {}
    bodies = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
    return {
        name: _File(
            body=body,
            media_type=_media_type(name),
            etag=_etag(body),
            cache=_FOR_EVER if name.startswith(_HASHED) else _ASK_FIRST,
            coded={
                coding: bodies[name + suffix]
                for suffix, coding in _CODINGS
                if name + suffix in bodies
            },
        )
        for name, body in bodies.items()
        if not name.endswith((".br", ".gz"))
    }


def _media_type(name: str) -> str:
    suffix = Path(name).suffix.lower()
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
