"""The social provider and the broker's exchange, as far as an app sees them, in front of the real AWS double.

What an app sends is checked (PKCE, the subject token's own client, the guest's token); credentials come from
the double's STS, with the session policy that the broker would send.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

from demo.aws import Double
from tests.demo.aws.s3 import ROLE, keys, own_folder

CLIENT = "photo-app"
APP = "acme-app"
"""The same app, as the social provider knows it."""
AWS = "urn:daypass:params:oauth:token-type:aws-credentials"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class No(Exception):
    """`{"error": …, "code": …}` with a 400."""

    def __init__(self, error: str, code: str = "") -> None:
        super().__init__(error)
        self.code = code or error


@dataclass
class StandIn:
    """Both servers at one address; `asked` has the forms that came to the broker."""

    double: Double
    seconds: int = 900
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    social_tokens: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    down: bool = False

    def __enter__(self) -> StandIn:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- the social provider ---

    def authorize(self, asked: dict[str, str]) -> str:
        """The page on which a person says who they are: two links."""
        assert asked["response_type"] == "code" and asked["client_id"] == APP
        assert asked["code_challenge_method"] == "S256" and len(asked["state"]) > 30
        links = ""
        for person in ("ana", "ben"):
            code = secrets.token_urlsafe()
            self.codes[code] = (person, asked)
            query = urlencode({"code": code, "state": asked["state"]})
            links += f'<p><a href="{asked["redirect_uri"]}?{query}">{person}</a></p>'
        return f"<!doctype html><title>Chirp</title><h1>Chirp</h1>{links}"

    def social_token(self, form: dict[str, str]) -> dict[str, Any]:
        person, asked = self.codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            raise No("invalid_grant")
        token = self.signed_in(person)
        return {"access_token": token, "token_type": "bearer"}

    def signed_in(self, person: str) -> str:
        """An access token of the social provider, as a phone's sign-in would give."""
        token = secrets.token_urlsafe()
        self.social_tokens[token] = person
        return token

    # --- the broker ---

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        self.asked.append(form)
        if self.down:
            raise No("temporarily_unavailable")
        if form.get("client_id") != CLIENT:
            raise No("invalid_client")
        match form.get("grant_type"):
            case "urn:ietf:params:oauth:grant-type:token-exchange":
                return self._exchange(form)
            case "urn:daypass:params:oauth:grant-type:guest":
                return self._tokens(str(uuid4()))
            case "refresh_token":
                identity = self.refresh.pop(form["refresh_token"], None)
                if identity is None:
                    raise No("invalid_grant")
                return self._tokens(identity)
        raise No("unsupported_grant_type")

    def _exchange(self, form: dict[str, str]) -> dict[str, Any]:
        person = self.social_tokens.get(form["subject_token"])
        if person is None or form["subject_token_type"] != ACCESS_TOKEN or form["subject_issuer"] != "social":
            raise No("invalid_request")
        assert form["requested_token_type"] == AWS and form["resource"] == ROLE
        if "guest_token" in form:
            guest = self.access.get(form["guest_token"])
            if guest is None:
                raise No("invalid_grant")
            if person in self.identities:
                raise No("invalid_request", "identity.login_taken")
            self.identities[person] = guest
            for table in (self.access, self.refresh):
                for token in [each for each, identity in table.items() if identity == guest]:
                    del table[token]
        identity = self.identities.setdefault(person, str(uuid4()))
        found = self.credentials(identity)
        about = {"access_token": found["SessionToken"], "issued_token_type": AWS, "token_type": "N_A"}
        return {**about, **found, "identity_id": identity}

    def credentials(self, identity: str) -> dict[str, Any]:
        found = keys(self.double, Policy=own_folder(identity), DurationSeconds=self.seconds)
        expiration = found.pop("Expiration").strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"Version": 1, **found, "Expiration": expiration, "AccountId": ROLE.split(":")[4]}

    def _tokens(self, identity: str) -> dict[str, Any]:
        access, refresh = secrets.token_urlsafe(), secrets.token_urlsafe()
        self.access[access], self.refresh[refresh] = identity, identity
        about = {"token_type": "Bearer", "expires_in": 3600, "identity_id": identity}
        return {"access_token": access, "refresh_token": refresh, **about}


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_OPTIONS(self) -> None:
            self._send(204, b"", "text/plain")

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path != "/authorize":
                self._send(404, b"", "text/plain")
                return
            asked = dict(parse_qsl(parts.query))
            self._send(200, stand_in.authorize(asked).encode(), "text/html; charset=utf-8")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                status, answer = 200, self._post(self.path, body)
            except No as no:
                said = f"The stand-in says {no}."
                answer = {"error": str(no), "error_description": said, "code": no.code}
                status, answer = 400, {**answer, "request_id": "0123456789abcdef"}
            self._send(status, json.dumps(answer).encode(), "application/json")

        def _post(self, path: str, body: bytes) -> dict[str, Any]:
            if path == "/v1/credentials":
                identity = stand_in.access.get(self.headers["Authorization"].removeprefix("Bearer "))
                if identity is None:
                    raise No("invalid_token")
                assert json.loads(body) == {"role": ROLE}
                return stand_in.credentials(identity)
            form = dict(parse_qsl(body.decode(), strict_parsing=True))
            return stand_in.social_token(form) if path == "/token" else stand_in.token(form)

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if origin := self.headers.get("Origin"):
                self.send_header("Access-Control-Allow-Origin", origin)
                self.send_header("Access-Control-Allow-Headers", "content-type, authorization")
            self.end_headers()
            self.wfile.write(body)

    return Handler
