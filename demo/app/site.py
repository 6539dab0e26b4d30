"""Serves the page, and says to it where everything is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

HOST: Final = "127.0.0.1"
_STATIC: Final = Path(__file__).with_name("static")
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page must know. Nothing of it is secret: anybody may read it."""

    broker: str
    """The broker's base address."""
    social: str
    """The social provider's, with `/authorize` and `/token`."""
    s3: str
    """Where S3 answers."""
    source: str = "social"
    """The broker's name for that provider."""
    label: str = "Chirp"
    social_client: str = "acme-app"
    """The app's client id there."""
    client: str = "photo-app"
    """The app's client id at the broker."""
    scope: str = "profile"
    role: str = "arn:aws:iam::444455556666:role/AppUploads"
    bucket: str = "app-uploads"
    region: str = "eu-west-1"
    renew_before: int = 300
    """Seconds before the end of the credentials at which new ones are fetched."""

    def document(self) -> Mapping[str, object]:
        """As the page reads it."""
        return {
            "broker": self.broker,
            "client_id": self.client,
            "social": {
                "source": self.source,
                "label": self.label,
                "authorize": f"{self.social}/authorize",
                "token": f"{self.social}/token",
                "client_id": self.social_client,
                "scope": self.scope,
            },
            "role": self.role,
            "bucket": self.bucket,
            "region": self.region,
            "s3": self.s3,
            "renew_before": self.renew_before,
        }

    def content_security(self) -> str:
        """Script of our own only, and calls to these three only."""
        places = " ".join(dict.fromkeys(_origin(each) for each in (self.broker, self.social, self.s3)))
        return (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
            f"connect-src 'self' {places}; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(sign in url for sign in " ;,'\""):
        raise ValueError(f"{url!r} is no address of a server")
    return f"{parts.scheme}://{parts.netloc}"


class Site:
    """The page's server, in a thread of its own. Use it as a context manager, or call `stop`."""

    def __init__(self, settings: Settings, port: int = 0) -> None:
        """Bind (`port` 0: any free one) and answer. Raises ValueError for a bad address, OSError."""
        self.files = _files(settings)
        self.headers = (
            ("Content-Security-Policy", settings.content_security()),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cache-Control", "no-cache"),
        )
        self._server = _Server((HOST, port), _Handler)
        self._server.site = self
        self.port: int = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="demo-app", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(settings: Settings, port: int = 0) -> Site:
    """Start the page's server. Raises as `Site` does."""
    return Site(settings, port)


def _files(settings: Settings) -> Mapping[str, tuple[str, bytes]]:
    """Everything that is served, by address: read once, so that no address can name another file."""
    found = {
        f"/static/{path.name}": (_TYPES[path.suffix], path.read_bytes()) for path in sorted(_STATIC.iterdir())
    }
    found["/"] = found.pop("/static/index.html")
    found["/settings.json"] = ("application/json", json.dumps(settings.document()).encode())
    return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64
    site: Site

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "demo-app"
    sys_version = ""
    timeout = 30
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Silent: an address may hold a code."""

    def _answer(self) -> None:
        site = self.server.site
        host = self.headers.get("Host")
        if host == f"localhost:{site.port}":
            # One origin: the provider and the broker know the page by it, letter by letter.
            self._send(307, "text/plain", b"", ("Location", f"{site.url}/"))
        elif host != f"{HOST}:{site.port}":
            self._send(421, "text/plain", b"This demo answers on 127.0.0.1 only.\n")
        elif (found := site.files.get(self.path.partition("?")[0])) is None:
            self._send(404, "text/plain", b"There is nothing at this address.\n")
        else:
            self._send(200, *found)

    def _send(self, status: int, kind: str, body: bytes, *more: tuple[str, str]) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        about = (("Content-Type", kind), ("Content-Length", str(len(body))))
        for name, value in (*about, *more, *self.server.site.headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
