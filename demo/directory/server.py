"""All listeners of the directory in one process."""

from __future__ import annotations

import secrets
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flask import Flask
from joserfc.jwk import RSAKey
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from demo.directory import keys, people, saml
from demo.directory.clock import MovableClock
from demo.directory.oidc_server import Client, Issuer
from demo.directory.oidc_site import oidc_site
from demo.directory.saml_peer import Broker
from demo.directory.saml_site import saml_site
from demo.directory.site import Setting
from demo.directory.social_server import ANOTHER, NATIVE, OURS, App
from demo.directory.social_site import social_site

HOST: Final = "127.0.0.1"


class NotHere(Exception):
    """What was asked for is not for a demo; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start. A port of 0 takes any free one."""

    broker: str
    """The broker's base address, http on this machine."""
    state: Path
    client_secret: str = field(repr=False)
    social_secret: str = field(repr=False)
    """Of the app at the social network."""
    saml_port: int = 0
    oidc_port: int = 0
    social_port: int = 0
    client_id: str = "daypass"
    oidc_provider: str = "partner"
    """Id of the broker's OpenID source, for its redirect address."""
    social_provider: str = "social"
    """Id of the broker's source for the social network, likewise."""
    pages: tuple[str, ...] = ()
    """Redirect addresses of the app's own pages in browsers."""
    broker_certificate: bytes | None = None
    """PEM that signs the broker's requests; None to read it in the broker's metadata."""
    sign_response: bool = True


class Directory:
    """The directory, running."""

    def __init__(self, plan: Plan) -> None:
        """Bind the listeners and answer. Raises NotHere, OSError (port in use, folder not writable)."""
        parts = urlsplit(plan.broker)
        if parts.scheme != "http" or parts.hostname not in ("localhost", HOST) or parts.path:
            raise NotHere(
                f"The demo directory works on this machine only, and {plan.broker} is not on it. "
                "Give the broker as http://localhost:PORT."
            )
        self.clock = MovableClock()
        everybody = people.load()
        held = keys.load_or_create(plan.state, self.clock.now())
        sockets = _bind_all(plan.saml_port, plan.oidc_port, plan.social_port)
        self.saml_url, self.oidc_url, self.social_url = (
            f"http://{HOST}:{each.getsockname()[1]}" for each in sockets
        )

        def setting(
            origin: str, title: str, provider: str, page_origins: frozenset[str] = frozenset()
        ) -> Setting:
            those = people.of(provider, everybody)
            return Setting(origin, title, plan.broker, those, self.clock, held.cookie_key, page_origins)

        signer = saml.Signer(
            entity_id=f"{self.saml_url}/metadata",
            key=held.saml_key,
            certificate=held.saml_certificate,
            sign_response=plan.sign_response,
        )
        broker = Broker(plan.broker, certificate=plan.broker_certificate)
        company = saml_site(setting(self.saml_url, "Acme staff", "corp"), broker, signer)
        issuer = Issuer(self.oidc_url, RSAKey.import_key(held.openid_key))
        client = Client(
            client_id=plan.client_id,
            secret=plan.client_secret,
            redirect_uri=f"{plan.broker}/oidc/{plan.oidc_provider}/callback",
        )
        partners = oidc_site(setting(self.oidc_url, "Partners", "partner"), issuer, client)
        ours = App(
            app_id=OURS,
            name="Acme's app",
            secret=plan.social_secret,
            redirect_uris=(f"{plan.broker}/oidc/{plan.social_provider}/callback",),
            pages=(NATIVE, *plan.pages),
        )
        another = App(app_id=ANOTHER, name="Somebody else's app", secret=secrets.token_hex(20))
        chirp = social_site(
            setting(self.social_url, "Chirp", "social", ours.origins | another.origins), (ours, another)
        )
        self._servers = [
            _serve(each, app) for each, app in zip(sockets, (company, partners, chirp), strict=True)
        ]

    def stop(self) -> None:
        """Close the listeners. A request under way may be cut."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _bind_all(*ports: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for port in ports:
            bound.append(_bind(port))
    except OSError:
        for each in bound:
            each.close()
        raise
    return bound


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"port {port} of {HOST} is in use or not allowed") from error
    return listener


class _Quiet(WSGIRequestHandler):
    """Logs no request: their addresses hold assertions and codes."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _serve(listener: socket.socket, app: Flask) -> BaseWSGIServer:
    server = make_server(HOST, 0, app, threaded=True, request_handler=_Quiet, fd=listener.fileno())
    listener.close()  # the server has a duplicate
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
