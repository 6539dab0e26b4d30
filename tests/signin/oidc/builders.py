"""A small OpenID provider of the tests' own, over real loopback HTTP, honest unless a knob is turned.

It shares no code with what it tests: it checks the code, the redirect address, PKCE and the client by
itself, and signs by `joserfc` only where it is honest. Forged tokens are put together by hand.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from app.model import ClaimMap, GroupMap, MfaTrust, OidcProvider, Pending, Proof, SourceId
from app.outbound import Fetcher
from app.signin.oidc import OidcSource
from app.signin.seam import Proven, Started

NOW: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BASE: Final = "https://sso.acme.example"
CLIENT: Final = "daypass"
SECRET: Final = "s3cr:t/ü+ %"


class _Gone:
    def __repr__(self) -> str:
        return "GONE"  # in a test's name, which must be the same in each process


GONE: Final = _Gone()
"""As a value in a change: leave this out."""


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@cache
def rsa(name: str = "one", bits: int = 2_048) -> RSAKey:
    return RSAKey.generate_key(bits)


@cache
def ec(curve: str = "P-256") -> ECKey:
    return ECKey.generate_key(curve)


@cache
def okp() -> OKPKey:
    return OKPKey.generate_key("Ed25519")


def public(key: Key, **more: object) -> dict[str, Any]:
    return {**key.as_dict(private=False), **more}


def b64(data: bytes | str | Mapping[str, object]) -> str:
    raw = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(header: Mapping[str, object], payload: bytes, key: Key) -> str:
    """A token over any header and payload, honest or not: only the signature is the library's."""
    algorithm = jws.JWSRegistry.algorithms[str(header["alg"])]
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(algorithm.sign(signed.encode(), key))}"


def changed(original: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**original, **changes}.items() if value is not GONE}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.provider.hits[path] += 1
        try:
            self.provider.routes.get(path, Handler.missing)(self)
        except OSError:
            self.close_connection = True

    def missing(self) -> None:
        self.send(404, b"")

    def send(self, status: int, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, document: object, status: int = 200) -> None:
        self.send(status, json.dumps(document).encode())


Route = Callable[[Handler], None]


@dataclass
class Provider:
    """What it says, to be changed by a test."""

    issuer: str
    clock: FakeClock = field(default_factory=FakeClock)
    client_secret: str | None = SECRET
    keys: list[dict[str, object]] = field(default_factory=lambda: [public(rsa(), kid="k1")])
    signing_key: Key = field(default_factory=rsa)
    header: dict[str, object] = field(default_factory=dict)
    claims: dict[str, object] = field(default_factory=dict)
    metadata: dict[str, object] = field(default_factory=dict)
    response: dict[str, object] = field(default_factory=dict)
    """Changes to the token response."""
    callback: dict[str, object] = field(default_factory=dict)
    """Changes to what the browser brings back."""
    userinfo: dict[str, object] = field(default_factory=dict)
    forge: Callable[[dict[str, object], dict[str, object]], str] | None = None
    """Header and claims to an ID token, in place of the honest signature."""
    routes: dict[str, Route] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    """Authorization requests."""

    def __post_init__(self) -> None:
        self.routes |= {
            "/.well-known/openid-configuration": lambda handler: handler.json(self.document()),
            "/jwks": lambda handler: handler.json({"keys": self.keys}),
            "/token": self._token,
            "/userinfo": self._userinfo,
        }

    def document(self) -> dict[str, object]:
        return changed(
            {
                "issuer": self.issuer,
                "authorization_endpoint": self.issuer + "/authorize?tenant=1",
                "token_endpoint": self.issuer + "/token",
                "jwks_uri": self.issuer + "/jwks",
                "userinfo_endpoint": self.issuer + "/userinfo",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "authorization_response_iss_parameter_supported": True,
            },
            self.metadata,
        )

    def authorize(self, url: str) -> dict[str, str]:
        """The person signs in: what the browser then brings to the redirect address."""
        assert url.startswith(self.issuer + "/authorize?tenant=1&")
        asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self.codes[code] = asked
        fields = changed({"code": code, "state": asked["state"], "iss": self.issuer}, self.callback)
        return {name: str(value) for name, value in fields.items()}

    def _token(self, handler: Handler) -> None:
        form = {name: values[0] for name, values in parse_qs(handler.body.decode()).items()}
        if not self._client_is_right(handler, form):
            return handler.json({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form["code"], None)
        challenge = b64(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or asked["code_challenge"] != challenge
            or asked["code_challenge_method"] != "S256"
            or asked["redirect_uri"] != form["redirect_uri"]
            or len(form["code_verifier"]) < 43
        ):
            return handler.json({"error": "invalid_grant"}, 400)
        return handler.json(self.token_response(asked))

    def _client_is_right(self, handler: Handler, form: Mapping[str, str]) -> bool:
        authorization = handler.headers.get("Authorization", "")
        if self.client_secret is None:
            return not authorization and form.get("client_id") == CLIENT and "client_secret" not in form
        if "client_secret_post" in self.metadata.get("token_endpoint_auth_methods_supported", []):  # type: ignore[operator]
            return not authorization and (form["client_id"], form["client_secret"]) == (
                CLIENT,
                self.client_secret,
            )
        name, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return (unquote_plus(name), unquote_plus(password)) == (CLIENT, self.client_secret)

    def token_response(self, asked: Mapping[str, str]) -> dict[str, object]:
        return changed(
            {
                "access_token": "access-token",
                "token_type": "Bearer",
                "expires_in": 300,
                "id_token": self.id_token(asked["nonce"]),
            },
            self.response,
        )

    def id_token(self, nonce: str) -> str:
        header = changed({"alg": "RS256", "kid": "k1", "typ": "JWT"}, self.header)
        claims = changed(self.honest_claims(nonce), self.claims)
        if self.forge is not None:
            return self.forge(header, claims)
        return sign(header, json.dumps(claims).encode(), self.signing_key)

    def honest_claims(self, nonce: str) -> dict[str, object]:
        now = int(self.clock.now().timestamp())
        return {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "248289761001",
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "auth_time": now - 30,
            "preferred_username": "piotr",
            "name": "Piotr Nowak",
            "email": "piotr@partner.example",
            "email_verified": True,
            "groups": ["contractors", "other"],
        }

    def _userinfo(self, handler: Handler) -> None:
        if handler.headers.get("Authorization") != "Bearer access-token":
            return handler.json({"error": "invalid_token"}, 401)
        return handler.json(changed({"sub": "248289761001"}, self.userinfo))


@contextmanager
def running() -> Iterator[Provider]:
    """An honest provider on a free port of loopback."""
    server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 64})(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = type("Bound", (Handler,), {"provider": provider})
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(2)


def settings(issuer: str, **changes: Any) -> OidcProvider:
    """The broker's settings for the provider."""
    usual = OidcProvider(
        id=SourceId("partner"),
        label="Partners",
        issuer=issuer,
        client_id=CLIENT,
        client_secret=SECRET,
        claims=ClaimMap("sub", "preferred_username", "email", "name", "groups"),
        groups=GroupMap({"contractors": "contractors"}),
        scopes=("openid", "profile", "groups"),
        mfa=MfaTrust(contexts=frozenset({"urn:two", "phr"}), methods=frozenset({"mfa", "hwk"})),
    )
    return replace(usual, **changes)


@dataclass
class Journey:
    """A provider and our side of it, together."""

    provider: Provider
    source: OidcSource

    @property
    def clock(self) -> FakeClock:
        return self.provider.clock

    def start(self) -> Started:
        return self.source.start(self.clock.now())

    def pending(self, started: Started, **changes: Any) -> Pending:
        now = self.clock.now()
        pending = Pending(
            started.key, self.source.id, "browser", "/", 1, "192.0.2.1", now, now + timedelta(minutes=10),
            started.secrets,
        )  # fmt: skip
        return replace(pending, **changes)

    def finish(self, started: Started, fields: Mapping[str, str], **changes: Any) -> Proven:
        proof = Proof(self.source.id, fields, "browser-secret")
        return self.source.finish(self.pending(started, **changes), proof, self.clock.now())

    def sign_in(self) -> Proven:
        """A whole sign-in, with the knobs as they stand."""
        started = self.start()
        return self.finish(started, self.provider.authorize(started.outbound.url))


def journey(provider: Provider, *, timeout: float = 5.0, cap: int = 1_000_000, **changes: Any) -> Journey:
    """Our side, fresh (no cache), for a provider that runs."""
    chosen = settings(**{"issuer": provider.issuer, **changes})
    return Journey(
        provider, OidcSource(chosen, BASE, Fetcher(True, timeout=timeout, cap=cap), provider.clock)
    )


def drip(handler: Handler) -> None:
    """A byte now and then, for much longer than anyone should wait."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def flood(handler: Handler) -> None:
    """300 MB."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    for _ in range(300):
        handler.wfile.write(b" " * 1_000_000)
    handler.close_connection = True


def redirect(handler: Handler) -> None:
    handler.send(307, b"", Location=handler.provider.issuer + "/elsewhere")


def down(handler: Handler) -> None:
    handler.send(503, b"busy", "text/plain")


def garbage(handler: Handler) -> None:
    handler.send(200, b"<html>Welcome!</html>")
