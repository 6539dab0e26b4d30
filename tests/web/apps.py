"""The fake broker's apps: tokens that they bring, guests, identities and origins, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from app.errors import (
    ClientNotAllowed,
    GrantInvalid,
    LoginNeeded,
    LoginTaken,
    NoRoleForApp,
    SubjectTokenAudience,
)
from app.model import (
    EXCHANGE,
    Caller,
    Client,
    ClientProof,
    Credentials,
    ExchangeAsk,
    Exchanged,
    PoolIdentity,
    RoleArn,
    SourceId,
    SubjectProof,
    Tokens,
)
from tests.web.grants import CLIENTS, FakeGrants

PHOTOS = "https://photos.example"
NOTES = "https://notes.example"
UPLOADS = RoleArn("arn:aws:iam::444455556666:role/AppUploads")
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYAPPSECRET"
AWS_TOKEN = "IQoJb3JpZ2luX2VjEAPPTOKEN//////////wEaCWV1LXdlc3QtMSJ"
APPS = {
    "photo-app": Client(
        "photo-app",
        "Shoebox",
        frozenset({EXCHANGE, "refresh_token"}),
        accepts={SourceId("social"): ("acme-app",), SourceId("corp"): ("https://photos.example/saml",)},
        pool="photo",
        origins=(PHOTOS, "http://127.0.0.1:8004"),
        guests=True,
        roles=(UPLOADS,),
    ),
    "notes-app": Client(
        "notes-app", "Notes", frozenset({EXCHANGE}), origins=(NOTES,), secret="s3cr3t-of-the-notes"
    ),
}
TOKENS = {
    "social-ana": (SourceId("social"), "4711"),
    "corp-ana": (SourceId("corp"), "u-1"),
    "social-ben": (SourceId("social"), "4712"),
}
"""What the providers gave: token → source and subject."""


@dataclass
class FakeApps(FakeGrants):
    """Does what the broker promises of apps; `fail` makes a method raise."""

    clients: dict[str, Client] = field(default_factory=lambda: {**CLIENTS, **APPS})
    logins: dict[str, list[tuple[SourceId, str]]] = field(default_factory=dict)
    """Identity → its logins; none for a guest."""

    def exchange(
        self, client: ClientProof, subject: SubjectProof, ask: ExchangeAsk, *, caller: Caller
    ) -> Exchanged:
        self._enter("exchange", caller, (client, subject, ask))
        app = self._app(client)
        return self._given(app, ask, self._identity(subject, ask.guest_token))

    def begin_guest(self, client: ClientProof, ask: ExchangeAsk, *, caller: Caller) -> Exchanged:
        self._enter("begin_guest", caller, (client, ask))
        app = self._app(client)
        if not app.guests:
            raise ClientNotAllowed
        return self._given(app, ask, self._new())

    def link(
        self, client: ClientProof, subject: SubjectProof, other: SubjectProof, *, caller: Caller
    ) -> PoolIdentity:
        self._enter("link", caller, (client, subject, other))
        self._app(client)
        identity, login = self._identity(subject), self._login(other)
        if any(login in held for id, held in self.logins.items() if id != identity):
            raise LoginTaken
        if login not in self.logins[identity]:
            self.logins[identity].append(login)
        return PoolIdentity(identity, tuple(self.logins[identity]))

    def unlink(
        self, client: ClientProof, subject: SubjectProof, source: str, *, caller: Caller
    ) -> PoolIdentity:
        self._enter("unlink", caller, (client, subject, source))
        self._app(client)
        identity = self._identity(subject)
        left = [login for login in self.logins[identity] if login[0] != source]
        if not left or left == self.logins[identity]:
            raise LoginNeeded
        self.logins[identity] = left
        return PoolIdentity(identity, tuple(left))

    def origin_known(self, origin: str, client: str | None = None) -> bool:
        self._enter("origin_known", None, (origin, client))
        asked = self.clients.values() if client is None else [self.clients.get(client, CLIENTS["cli"])]
        return any(origin in each.origins for each in asked)

    def _app(self, proof: ClientProof) -> Client:
        app = self._proven(proof)
        if EXCHANGE not in app.grants:
            raise ClientNotAllowed
        return app

    def _login(self, subject: SubjectProof) -> tuple[SourceId, str]:
        if subject.text not in TOKENS:
            raise SubjectTokenAudience("of another app")
        return TOKENS[subject.text]

    def _identity(self, subject: SubjectProof, guest: str = "") -> str:
        login = self._login(subject)
        for identity, held in self.logins.items():
            if login in held:
                return identity
        identity = guest.removeprefix("guest-of-") or self._new()
        if identity not in self.logins:
            raise GrantInvalid
        self.logins[identity] = [login]
        return identity

    def _new(self) -> str:
        identity = f"0b5e3d1c-0000-4000-8000-{len(self.logins):012d}"
        self.logins[identity] = []
        return identity

    def _given(self, app: Client, ask: ExchangeAsk, identity: str) -> Exchanged:
        if not ask.aws:
            refresh = None if self.logins[identity] else "FAKEGUESTREFRESH"
            ends = self.now + timedelta(hours=1)
            tokens = Tokens(
                f"guest-of-{identity}", timedelta(hours=1), ("roles", "credentials"), ends, refresh
            )
            return Exchanged(identity, tokens=tokens)
        if ask.role not in ("", *(app.roles or ())):
            raise NoRoleForApp("x", words=f"`{ask.role}`: “not” one of this app’s roles.")
        until = self.now + (ask.duration or timedelta(hours=1))
        given = Credentials("ASIAIOSFODNN7APPKEYS", AWS_SECRET, AWS_TOKEN, until, "444455556666")
        return Exchanged(
            identity, credentials=given, role=UPLOADS, reason="`accounts.yaml` allows `AppUploads`."
        )
