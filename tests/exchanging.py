"""Apps that bring tokens of their people, and a provider whose tokens are whatever a test says they are."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.errors import Refusal, SubjectTokenAudience, SubjectTokenExpired, SubjectTokenRefused
from app.model import (
    Authentication,
    Caller,
    ClientProof,
    ExchangeAsk,
    Exchanged,
    Identity,
    SourceId,
    SubjectProof,
    Tokens,
)
from app.signin import registry
from app.signin.presented import check_kind, mark
from app.signin.seam import Proven, SubjectToken
from tests.helper import Helper
from tests.house import CALLER, FakeAws, House, opened

UPLOADS = "arn:aws:iam::444455556666:role/AppUploads"
APP = ClientProof("photo-app")
PHOTO = "clients/photo-app.yaml"
SOCIAL = SourceId("social")
HOUR = timedelta(hours=1)
AWS = ExchangeAsk(aws=True)
TOKENS = ExchangeAsk()
NOTES = """\
name: Notes
grants: [exchange]
accepts: {social: [acme-app, notes-app]}
roles: [ROLE]
""".replace("ROLE", UPLOADS)
"""Another app, which accepts the same audience: nothing but the binding keeps its hands off photo-app's tokens."""


@dataclass
class Chirp:
    """A plain OAuth 2.0 provider as a source: it knows its tokens, as the real one does once it was asked."""

    id: SourceId
    label: str = "Chirp"
    takes: frozenset[str] = frozenset({"access_token"})
    tokens: dict[str, Proven] = field(default_factory=dict)
    raises: BaseException | None = None
    seen: list[str] = field(default_factory=list)

    def issued(self, token: SubjectToken) -> bool:
        return token.kind in self.takes

    def believe(self, token: SubjectToken, accepts: Sequence[str], now: datetime) -> Proven:
        check_kind(token, self.takes)  # type: ignore[arg-type]
        self.seen.append(token.text)
        if self.raises is not None:
            raise self.raises
        proven = self.tokens.get(token.text)
        if proven is None:
            raise SubjectTokenRefused("the provider does not know it")
        if proven.audience not in accepts:
            raise SubjectTokenAudience("for another app")
        if proven.expires_at is not None and now >= proven.expires_at:
            raise SubjectTokenExpired("over")
        return replace(proven, mark=mark(self.id, token.text, proven.expires_at, now))

    def warm(self) -> None:
        pass


@dataclass
class Apps:
    """A house with apps."""

    house: House
    chirps: dict[SourceId, Chirp]

    def token(
        self,
        name: str = "robin",
        *,
        source: SourceId = SOCIAL,
        life: timedelta | None = 2 * HOUR,
        **changes: Any,
    ) -> SubjectProof:
        """What the app got at the provider for its person."""
        now = self.house.clock.at
        identity = Identity(
            source,
            f"{name}-id",
            f"{name}@chirp.test",
            {"id": (f"{name}-id",)},
            Authentication(now),
            email=f"{name}@chirp.test",
        )
        proven = Proven(identity, expires_at=None if life is None else now + life, audience="acme-app")
        text = secrets.token_urlsafe(16)
        self.chirps[source].tokens[text] = replace(proven, **changes)
        return SubjectProof("access_token", text, source if len(self.chirps) > 1 else "")

    def exchange(
        self,
        subject: SubjectProof,
        ask: ExchangeAsk = TOKENS,
        *,
        app: ClientProof = APP,
        caller: Caller = CALLER,
    ) -> Exchanged:
        return self.house.broker.exchange(app, subject, ask, caller=caller)

    def guest(self, ask: ExchangeAsk = TOKENS, *, caller: Caller = CALLER) -> Exchanged:
        return self.house.broker.begin_guest(APP, ask, caller=caller)

    def tokens(self, given: Exchanged) -> Tokens:
        assert given.tokens is not None and given.credentials is None
        return given.tokens

    def helper(self, app: ClientProof = APP) -> Helper:
        return Helper(self.house, app)

    def rows(self, table: str) -> int:
        with self.house.store.audit._database.read() as connection:
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


@contextmanager
def apps_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    """A house whose plain OAuth 2.0 providers are Chirps, whichever revision is active."""
    chirps: dict[SourceId, Chirp] = {}
    made = lambda provider, _: chirps.setdefault(provider.id, Chirp(provider.id))  # noqa: E731
    monkeypatch.setitem(registry.KINDS, "oauth2", made)  # type: ignore[arg-type]
    with opened(folder, monkeypatch) as house:
        yield Apps(house, chirps)


def refused(apps: Apps, expected: type[Refusal], subject: SubjectProof, ask: ExchangeAsk = TOKENS) -> Refusal:
    """Refused for a token and for credentials alike, and nothing is given."""
    before = apps.rows("sessions"), len(FakeAws.asked)
    for each in (ask, replace(ask, aws=not ask.aws)):
        with pytest.raises(expected) as caught:
            apps.exchange(subject, each)
        assert type(caught.value) is expected
    assert (apps.rows("sessions"), len(FakeAws.asked)) == before
    return caught.value
