"""A plain OAuth 2.0 provider of the tests' own, over real loopback HTTP, honest unless a knob is turned.

It has a token check in each of the four manners, and shares no code with what it tests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

from app.errors import Refusal
from app.model import CheckKind, ClaimMap, GroupMap, OAuth2Provider, Pending, Proof, SourceId, TokenCheck
from app.outbound import Fetcher
from app.signin.oauth2 import OAuth2Source
from app.signin.seam import Proven, Started, SubjectToken
from tests.signin.oidc.builders import BASE, GONE, NOW, FakeClock, Handler, b64, changed

__all__ = ["BASE", "GONE", "NOW"]

APP: Final = "acme-app"
SECRET: Final = "s3cr:t/ü+ %"
TOKEN: Final = "Atza|IQEBLjAsAhRmHjNgHpi0U-Dme37rR6CuUpSR/x+y=="
PERSON: Final = 4711
PATHS: Final[Mapping[CheckKind, str]] = {
    "facebook_debug_token": "/debug_token",
    "amazon_tokeninfo": "/tokeninfo",
    "github_check_token": f"/applications/{APP}/token",
    "introspection": "/introspect",
}
KINDS: Final = tuple(PATHS)
MEMBERS: Final[Mapping[CheckKind, str]] = {
    "facebook_debug_token": "id",
    "amazon_tokeninfo": "user_id",
    "github_check_token": "id",
    "introspection": "sub",
}

Route = Callable[[Handler], None]


@dataclass
class Social:
    """What it says, to be changed by a test."""

    issuer: str
    clock: FakeClock = field(default_factory=FakeClock)
    secret: str | None = SECRET
    auth: str = "body"
    response: dict[str, object] = field(default_factory=dict)
    """Changes to the token response."""
    callback: dict[str, object] = field(default_factory=dict)
    """Changes to what the browser brings back."""
    profile: dict[str, object] = field(default_factory=dict)
    """Changes to the profile."""
    emails: object = ()
    check: dict[str, object] = field(default_factory=dict)
    """Changes to what the token check says (Facebook: in `data`)."""
    routes: dict[str, Route] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.routes |= {
            "/token": self._token,
            "/me": self._me,
            "/emails": lambda handler: handler.json(self.emails),
            "/debug_token": self._debug_token,
            "/tokeninfo": self._tokeninfo,
            PATHS["github_check_token"]: self._github,
            "/introspect": self._introspect,
        }

    # --- sign-in ----------------------------------------------------------------------------------

    def authorize(self, url: str) -> dict[str, str]:
        """The person signs in: what the browser then brings to the redirect address."""
        assert url.startswith(self.issuer + "/authorize?signup=false&")
        asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self.codes[code] = asked
        fields = changed({"code": code, "state": asked["state"]}, self.callback)
        return {name: str(value) for name, value in fields.items()}

    def _token(self, handler: Handler) -> None:
        form = {name: values[0] for name, values in parse_qs(handler.body.decode()).items()}
        if not self._client_is_right(handler, form):
            return handler.json({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form["code"], None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"] or not _proven(asked, form):
            return handler.json({"error": "invalid_grant"}, 400)
        return handler.json(
            changed({"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}, self.response)
        )

    def _client_is_right(self, handler: Handler, form: Mapping[str, str]) -> bool:
        if self.secret is None:
            return form.get("client_id") == APP and "client_secret" not in form
        if self.auth == "basic":
            return "client_id" not in form and basic(handler) == (APP, self.secret)
        return "Authorization" not in handler.headers and (form["client_id"], form["client_secret"]) == (
            APP,
            self.secret,
        )

    def _me(self, handler: Handler) -> None:
        if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            return handler.json({"error": "invalid_token"}, 401)
        self.queries.append(dict(parse_qsl(urlsplit(handler.path).query)))
        honest = {
            "id": PERSON,
            "user_id": str(PERSON),
            "sub": str(PERSON),
            "handle": "ana",
            "name": "Ana Ruiz",
            "email": "ana@corp.example",
            "email_verified": True,
            "data": {"id": "7"},
        }
        return handler.json(changed(honest, self.profile))

    # --- token checks -----------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def _debug_token(self, handler: Handler) -> None:
        query = dict(parse_qsl(urlsplit(handler.path).query, strict_parsing=True))
        assert query["fields"] == "all"
        if query["access_token"] != f"{APP}|{self.secret}":
            return handler.json({"error": {"code": 190, "type": "OAuthException", "message": "no"}}, 400)
        if query["input_token"] != TOKEN:
            return handler.json({"data": {"is_valid": False, "error": {"code": 190}, "scopes": []}})
        honest = {
            "app_id": APP,
            "type": "USER",
            "is_valid": True,
            "issued_at": self.now - 60,
            "expires_at": self.now + 1800,
            "user_id": str(PERSON),
            "scopes": ["public_profile"],
        }
        return handler.json({"data": changed(honest, self.check)})

    def _tokeninfo(self, handler: Handler) -> None:
        query = dict(parse_qsl(urlsplit(handler.path).query, strict_parsing=True))
        if query["access_token"] != TOKEN:
            return handler.json({"error": "invalid_token", "error_description": "no"}, 400)
        honest = {
            "iss": "https://www.amazon.com",
            "user_id": str(PERSON),
            "aud": APP,
            "app_id": "amzn1.application.1",
            "exp": 1800,
            "iat": self.now - 60,
        }
        return handler.json(changed(honest, self.check))

    def _github(self, handler: Handler) -> None:
        if handler.headers["Content-Type"] != "application/json" or basic(handler, quoted=False) != (
            APP,
            self.secret,
        ):
            return handler.json({"message": "Bad credentials"}, 401)
        given = json.loads(handler.body)["access_token"]
        if given != TOKEN:
            return handler.json({"message": "Not Found"}, 404)
        honest = {
            "id": 1,
            "token": given,
            "app": {"client_id": APP, "name": "Acme", "url": "https://acme.example"},
            "user": {"id": PERSON, "login": "ana"},
            "created_at": (self.clock.now() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "expires_at": (self.clock.now() + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "scopes": [],
        }
        return handler.json(changed(honest, self.check))

    def _introspect(self, handler: Handler) -> None:
        form = {name: values[0] for name, values in parse_qs(handler.body.decode()).items()}
        assert form["token_type_hint"] == "access_token"
        if not self._client_is_right(handler, form):
            return handler.json({"error": "invalid_client"}, 401)
        if form["token"] != TOKEN:
            return handler.json({"active": False})
        honest = {
            "active": True,
            "client_id": APP,
            "sub": str(PERSON),
            "token_type": "Bearer",
            "iat": self.now - 60,
            "exp": self.now + 1800,
        }
        return handler.json(changed(honest, self.check))


def _proven(asked: Mapping[str, str], form: Mapping[str, str]) -> bool:
    if "code_challenge" not in asked:
        return "code_verifier" not in form
    challenge = b64(hashlib.sha256(form["code_verifier"].encode()).digest())
    return (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")


def basic(handler: Handler, *, quoted: bool = True) -> tuple[str, str]:
    encoded = handler.headers.get("Authorization", "").removeprefix("Basic ")
    name, _, password = base64.b64decode(encoded).decode().partition(":")
    return (unquote_plus(name), unquote_plus(password)) if quoted else (name, password)


class _Counted(Handler):
    def _answer(self) -> None:
        self.provider.order.append(urlsplit(self.path).path)  # type: ignore[attr-defined]
        super()._answer()


@contextmanager
def running() -> Iterator[Social]:
    """An honest provider on a free port of loopback."""
    server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 64})(("127.0.0.1", 0), _Counted)
    social = Social(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = type("Bound", (_Counted,), {"provider": social})
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield social
    finally:
        server.shutdown()
        server.server_close()
        thread.join(2)


def settings(issuer: str, kind: CheckKind = "facebook_debug_token", **changes: Any) -> OAuth2Provider:
    """The broker's settings for the provider."""
    path = "/applications" if kind == "github_check_token" else PATHS.get(kind, "")
    # An address may have a query of its own.
    path += "?fields=all" if kind == "facebook_debug_token" else ""
    usual = OAuth2Provider(
        id=SourceId("social"),
        label="Chirp",
        authorize_url=issuer + "/authorize?signup=false",
        token_url=issuer + "/token",
        userinfo_url=issuer + "/me",
        client_id=APP,
        client_secret=SECRET,
        claims=ClaimMap("id", "handle", "email", "name"),
        groups=GroupMap({}),
        scopes=("profile", "email"),
        check=TokenCheck(kind, issuer + path if path else ""),
    )
    return replace(usual, **changes)


@dataclass
class Journey:
    """A provider and our side of it, together."""

    social: Social
    source: OAuth2Source

    @property
    def clock(self) -> FakeClock:
        return self.social.clock

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
        return self.finish(started, self.social.authorize(started.outbound.url))

    def believe(
        self, text: str = TOKEN, accepts: Sequence[str] = (APP,), kind: Any = "access_token"
    ) -> Proven:
        return self.source.believe(SubjectToken(kind, text), accepts, self.clock.now())

    def refusal(self, attempt: Callable[[], object]) -> Refusal:
        """The refusal that the attempt meets; anything else fails the test."""
        try:
            proven = attempt()
        except Refusal as refused:
            return refused
        raise AssertionError(f"accepted: {proven}")


def journey(
    social: Social, kind: CheckKind = "facebook_debug_token", *, timeout: float = 5.0, **changes: Any
) -> Journey:
    """Our side, fresh, for a provider that runs."""
    chosen = settings(social.issuer, kind, **changes)
    return Journey(social, OAuth2Source(chosen, BASE, Fetcher(True, timeout=timeout)))
