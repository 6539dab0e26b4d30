"""Chirp's protocol: plain OAuth 2.0 as a social network has it, with a token check in Facebook's manner.

An app has one id for its server, its pages and its programs on phones. Its server shows the app's secret when it
redeems a code; a page or a program, which could keep none, is known by its redirect address and by PKCE alone.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer
from flask import Flask

from demo.directory.clock import MovableClock
from demo.directory.code_grant import code_grant, pkce_always
from demo.directory.grants import Code, Grants, Token
from demo.directory.people import Person

SCOPES: Final = ("profile", "email")
TOKEN_LIFE: Final = timedelta(hours=2)
OURS: Final = "acme-app"
ANOTHER: Final = "other-app"
"""Somebody else's app, so that a token of it can be had and brought here."""
NATIVE: Final = "http://127.0.0.1/callback"
"""Programs on a phone or a desk: any port will do (RFC 8252 section 7.3)."""


@dataclass(frozen=True, slots=True)
class App:
    """An app that is registered; the methods are those that authlib asks for."""

    app_id: str
    name: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...] = ()
    """Of its server: the secret is needed."""
    pages: tuple[str, ...] = (NATIVE,)
    """Of its pages and programs: it is not."""

    @property
    def client_metadata(self) -> dict[str, str]:
        return {}

    @property
    def origins(self) -> frozenset[str]:
        """Where its pages are from, for their calls across origins."""
        return frozenset(
            f"{(parts := urlsplit(page)).scheme}://{parts.netloc}" for page in self.pages if page != NATIVE
        )

    def get_client_id(self) -> str:
        return self.app_id

    def get_default_redirect_uri(self) -> None:
        """None: a client says its address each time."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """Those of the scopes that there are; `profile` always."""
        asked = {"profile", *(scope or "").split()}
        return " ".join(name for name in SCOPES if name in asked)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris or self.is_page(redirect_uri)

    def is_page(self, redirect_uri: str) -> bool:
        """Whether the address is one of its pages or programs."""
        return redirect_uri in self.pages or _without_port(redirect_uri) in self.pages

    def check_client_secret(self, client_secret: str) -> bool:
        given, held = client_secret.encode("utf-8", "surrogatepass"), self.secret.encode()
        return bool(held) and hmac.compare_digest(given, held)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post", "none")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


def _without_port(redirect_uri: str) -> str:
    """`http://127.0.0.1:PORT/…` without the port; any other address as it is."""
    return re.sub(r"\Ahttp://127\.0\.0\.1:[0-9]{1,5}/", "http://127.0.0.1/", redirect_uri)


def profile(person: Person, scope: str) -> dict[str, Any]:
    """What Chirp says of a person. Its ids are numbers."""
    said: dict[str, Any] = {"id": int(person.subject), "handle": person.username, "name": person.name}
    if "email" in scope.split():
        said |= {"email": person.email, "email_verified": True}
    return said


def debugged(
    grants: Grants, apps: Mapping[str, App], clock: MovableClock, asker: str, token: str
) -> tuple[dict[str, Any], int]:
    """The answer of `/debug_token` and its status, as Facebook's Graph API gives it.

    `asker`: the asking app's own access token, `ID|SECRET`.
    """
    app_id, _, secret = asker.partition("|")
    app = apps.get(app_id)
    if app is None or not app.check_client_secret(secret):
        return _error("Invalid OAuth access token signature.", 190), 400
    kept = grants.token(token, clock.now())
    if kept is None:
        error = {"code": 190, "message": "The access token could not be decrypted or has expired."}
        return {"data": {"error": error, "is_valid": False, "scopes": []}}, 200
    if kept.client != app:
        return _error("The App_id in the input_token did not match the Viewing App", 100), 400
    ends = int(kept.expires_at.timestamp())
    data = {
        "app_id": app.app_id,
        "application": app.name,
        "type": "USER",
        "is_valid": True,
        "issued_at": ends - int(TOKEN_LIFE.total_seconds()),
        "expires_at": ends,
        "scopes": kept.scope.split(),
        "user_id": kept.granted.person.subject,
    }
    return {"data": data}, 200


def _error(message: str, code: int) -> dict[str, Any]:
    return {"error": {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code}}


def make_server(
    flask: Flask, apps: Sequence[App], grants: Grants, clock: MovableClock
) -> AuthorizationServer:
    """Authlib's authorization server with the code grant and PKCE S256."""
    flask.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"authorization_code": int(TOKEN_LIFE.total_seconds())}
    by_id = {app.app_id: app for app in apps}

    def save_token(token: dict[str, Any], request: Any) -> None:
        kept = Token(
            value=token["access_token"],
            granted=request.user,
            scope=token["scope"],
            client=request.client,
            expires_at=clock.now() + TOKEN_LIFE,
        )
        grants.keep_token(kept, request.authorization_code.value)

    server = AuthorizationServer(flask, query_client=by_id.get, save_token=save_token)
    server.scopes_supported = list(SCOPES)
    base: Any = code_grant(grants, clock)

    class AppCodeGrant(base):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

        def query_authorization_code(self, code: str, client: App) -> Code | None:
            kept: Code | None = super().query_authorization_code(code, client)
            if kept is None or (self.request.auth_method == "none" and not client.is_page(kept.redirect_uri)):
                return None  # a server's code without the app's secret
            return kept

    server.register_grant(AppCodeGrant, [pkce_always()])
    return server
