"""The OAuth half of the fake broker: clients, codes, devices and tokens, in memory."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from app.errors import (
    ClientNotAllowed,
    ClientRefused,
    DeviceCodeExpired,
    GrantDenied,
    GrantError,
    GrantInvalid,
    GrantPending,
    RedirectRefused,
    Refusal,
    ScopeInvalid,
    ScopeTooNarrow,
    SessionUnknown,
    SignInNotFresh,
    TokenInvalid,
    UserCodeUnknown,
)
from app.model import (
    DEVICE_CODE,
    EXCHANGE,
    SCOPES,
    Caller,
    Client,
    ClientProof,
    CodeProof,
    Consent,
    DeviceProof,
    DeviceRequest,
    DeviceStarted,
    Grant,
    GrantAsk,
    GrantProof,
    Scope,
    Session,
    Tokens,
    TokenState,
)

NOW = datetime(2026, 11, 24, 10, 10, tzinfo=UTC)
EVERY_GRANT = frozenset({"authorization_code", DEVICE_CODE, "refresh_token"})
LOOPBACK = "http://127.0.0.1:43117/callback"
SECRET = "s3cr3t-of-the-wiki-client"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
KEYS = {
    "keys": [{"kty": "EC", "kid": "k1", "use": "sig", "alg": "ES256", "crv": "P-256", "x": "x", "y": "y"}]
}
CLIENTS = {
    "cli": Client("cli", "daypass command line", EVERY_GRANT, ("http://127.0.0.1/callback",)),
    "wiki": Client(
        "wiki", "Wiki", EVERY_GRANT | {EXCHANGE}, ("https://wiki.acme.test/cb?from=daypass",), secret=SECRET
    ),
    "app": Client("app", "Pocket", EVERY_GRANT, ("com.acme.pocket:/signed-in",)),
    "six": Client("six", "Six", EVERY_GRANT, ("http://[::1]/cb",)),
}


@dataclass
class FakeGrants:
    """Does what the broker promises of OAuth; `fail` makes a method raise."""

    fail: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, object]] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    now: datetime = NOW
    clients: dict[str, Client] = field(default_factory=lambda: dict(CLIENTS))
    codes: dict[str, GrantAsk] = field(default_factory=dict)
    devices: dict[str, tuple[str, DeviceRequest, str]] = field(default_factory=dict)
    """User code → device code, request, `waiting`, `approved` or `denied`."""
    tokens: dict[str, tuple[Session, tuple[Scope, ...]]] = field(default_factory=dict)
    """Access token → whose session, for what."""
    others: list[Session] = field(default_factory=list)
    """More sessions of the person's than that of the browser that asks."""

    def _enter(self, method: str, caller: Caller | None = None, what: object = None) -> None:
        if caller is not None:
            self.callers.append(caller)
        self.asked.append((method, what))
        if method in self.fail:
            raise self.fail[method]

    def bearer(self, token: str, scope: Scope, *, caller: Caller) -> Session:
        self._enter("bearer", caller, scope)
        if token not in self.tokens:
            raise TokenInvalid
        session, scopes = self.tokens[token]
        if scope not in scopes:
            raise ScopeTooNarrow
        return session

    def consent(self, session: Session, ask: GrantAsk, *, caller: Caller) -> Consent:
        self._enter("consent", caller, ask)
        client = self.clients.get(ask.client)
        if client is None or not any(_fits(ask.redirect_uri, one) for one in client.redirect_uris):
            raise RedirectRefused
        if ask.challenge_method != "S256" or len(ask.challenge) != 43:
            raise GrantError(words="`code_challenge` with `code_challenge_method=S256` is needed.")
        return Consent(
            client,
            ask.redirect_uri,
            _scopes(ask.scope),
            ask.device,
            self.now + timedelta(hours=8, minutes=20),
        )

    def authorize(self, session: Session, ask: GrantAsk, *, caller: Caller) -> Grant:
        self.consent(session, ask, caller=caller)
        self._enter("authorize", caller, ask)
        self.codes[code := secrets.token_urlsafe(32)] = ask
        return Grant(code, ask.redirect_uri)

    def redeem(self, client: ClientProof, proof: GrantProof, *, caller: Caller) -> Tokens:
        self._enter("redeem", caller, (client, proof))
        self._proven(client)
        scopes: tuple[Scope, ...] = SCOPES
        if isinstance(proof, CodeProof):
            if self.codes.pop(proof.code, None) is None:
                raise GrantInvalid
        elif isinstance(proof, DeviceProof):
            state = next((row[2] for row in self.devices.values() if row[0] == proof.device_code), "")
            raised: dict[str, type[Refusal]] = {
                "waiting": GrantPending,
                "denied": GrantDenied,
                "": DeviceCodeExpired,
            }
            if state in raised:
                raise raised[state]
        else:
            scopes = _scopes(proof.scope)
        return Tokens(
            "eyJ.FAKEACCESS",
            timedelta(hours=1),
            scopes,
            self.now + timedelta(hours=8, minutes=20),
            "FAKEREFRESH" + "r" * 32,
        )

    def begin_device(
        self, client: ClientProof, scope: Sequence[str], resource: str, device: str, *, caller: Caller
    ) -> DeviceStarted:
        self._enter("begin_device", caller, (scope, resource, device))
        code = "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(8))
        code = f"{code[:4]}-{code[4:]}"
        request = DeviceRequest(
            user_code=code,
            client=self._proven(client),
            scope=_scopes(tuple(scope)),
            device=device,
            address=caller.address,
            user_agent=caller.user_agent,
            asked_at=self.now,
            expires_at=self.now + timedelta(minutes=10),
            ends_at=self.now + timedelta(hours=8, minutes=20),
            fresh=True,
        )
        started = DeviceStarted(secrets.token_urlsafe(32), code, timedelta(minutes=10), timedelta(seconds=5))
        self.devices[code] = (started.device_code, request, "waiting")
        return started

    def device(self, session: Session, user_code: str, *, caller: Caller) -> DeviceRequest:
        self._enter("device", caller, user_code)
        code = user_code.upper().replace("-", "").replace(" ", "")
        found = self.devices.get(f"{code[:4]}-{code[4:]}")
        if found is None or found[2] != "waiting":
            raise UserCodeUnknown
        return found[1]

    def decide_device(self, session: Session, user_code: str, *, allow: bool, caller: Caller) -> None:
        self._enter("decide_device", caller, (user_code, allow))
        waiting = self.device(session, user_code, caller=caller)
        if allow and not waiting.fresh:
            raise SignInNotFresh
        code, _, _ = self.devices[waiting.user_code]
        self.devices[waiting.user_code] = (code, waiting, "approved" if allow else "denied")

    def introspect(self, client: ClientProof, token: str, *, caller: Caller) -> TokenState:
        self._enter("introspect", caller, token)
        if not self._proven(client).confidential:
            raise ClientNotAllowed
        if token not in self.tokens:
            return TokenState(False)
        scopes = self.tokens[token][1]
        return TokenState(
            True, client.id, scopes, "p-1", "ana", "x/v1", "j-1", self.now, self.now + timedelta(hours=1)
        )

    def revoke(self, client: ClientProof, token: str, *, caller: Caller) -> None:
        self._enter("revoke", caller, token)
        self._proven(client)
        self.tokens.pop(token, None)

    def signing_keys(self) -> Mapping[str, object]:
        self._enter("signing_keys")
        return KEYS

    def sessions(self, session: Session, *, caller: Caller) -> Sequence[Session]:
        self._enter("sessions", caller)
        return [session, *self.others]

    def client_name(self, client: str) -> str:
        return self.clients[client].name if client in self.clients else client

    def end_session(self, session: Session, id: str, *, caller: Caller) -> None:
        self._enter("end_session", caller, id)
        if id not in {other.id for other in self.others}:
            raise SessionUnknown
        self.others = [other for other in self.others if other.id != id]

    def _proven(self, proof: ClientProof) -> Client:
        client = self.clients.get(proof.id)
        if client is None or client.secret != proof.secret:
            raise ClientRefused
        return client

    def waits(self, **changes: object) -> str:
        """A device that waits; its user code."""
        started = self.begin_device(
            ClientProof("cli"), (), "", "build-7", caller=Caller("r", "198.51.100.7", "daypass/0.1 (Linux)")
        )
        code, request, state = self.devices[started.user_code]
        self.devices[started.user_code] = (code, replace(request, **changes), state)  # type: ignore[arg-type]
        return started.user_code


def _fits(given: str, declared: str) -> bool:
    if given == declared:
        return True
    loopback = next(
        (host for host in ("http://127.0.0.1", "http://[::1]") if declared.startswith(host)), None
    )
    if loopback is None or not given.startswith(f"{loopback}:"):
        return False
    port, slash, path = given.removeprefix(f"{loopback}:").partition("/")
    return port.isdigit() and slash + path == declared.removeprefix(loopback)


def _scopes(asked: tuple[str, ...]) -> tuple[Scope, ...]:
    if not set(asked) <= set(SCOPES):
        raise ScopeInvalid
    return tuple(scope for scope in SCOPES if not asked or scope in asked)
