"""What an app brings of its person, believed (RFC 8693, 2.1; RFC 7522): choosing who checks it, and whose it is now.

A token is believed by the source that made it, for the audiences that this client may bring, and belongs from then
on to the client that brought it first: whoever steals it can do nothing with it in an app of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from app.active import Running
from app.broker.clients import Clients
from app.broker.needs import check_sign_in
from app.errors import (
    ExchangeNotAllowed,
    ProviderFailed,
    Refusal,
    SubjectTokenKind,
    SubjectTokenRefused,
    TooMany,
    Unavailable,
    UpstreamFailed,
)
from app.limits import (
    EXCHANGE_REFUSALS,
    EXCHANGE_REFUSALS_PER_MINUTE,
    EXCHANGES,
    EXCHANGES_PER_ADDRESS,
    EXCHANGES_PER_CLIENT,
    EXCHANGES_PER_IDENTITY,
)
from app.model import (
    AuditEvent,
    AuditKind,
    Caller,
    Client,
    Identity,
    SourceId,
    SubjectProof,
    TokenKind,
)
from app.signin.seam import Exchangeable, Proven, SubjectToken
from app.tokens import subject_of


class _Checks(Exchangeable, Protocol):
    """A source whose tokens apps may present, by its name."""

    @property
    def id(self) -> SourceId: ...


@dataclass(frozen=True, slots=True)
class Brought:
    """Somebody whom an app brought, or who comes to it as a guest."""

    client: Client
    identity: Identity
    """With our groups."""
    running: Running
    """What they were believed by."""
    trust: str
    kind: TokenKind | None = None
    """Of the token; None for a guest."""
    audience: str = ""
    ends_at: datetime | None = None
    """When nothing that is given for the token may live any more; None: it does not say."""

    @property
    def pool(self) -> str:
        """Where their identity is."""
        return self.client.pool or self.client.id


_NO_ANSWER: Final = (
    "The provider of this token does not answer as it should, so the token cannot be checked. Nothing was given. Try "
    "again in a minute."
)


class Presenting(Clients):
    """The part of a conversation in which an app shows a token of its person's."""

    @contextmanager
    def _admitted(self, caller: Caller, now: datetime) -> Iterator[None]:
        """Count one more token of this address, and if what is done within refuses it, one more refusal. Raises TooMany."""
        self._tally.admit(caller.address, EXCHANGES, EXCHANGES_PER_ADDRESS, now)
        with self._counted(caller, now, EXCHANGE_REFUSALS, EXCHANGE_REFUSALS_PER_MINUTE):
            yield

    def _brought(self, client: Client, subject: SubjectProof, caller: Caller, now: datetime) -> Brought:
        """Believe what an app brings, and bind it to that app.

        Raises:
            ExchangeNotAllowed, SubjectTokenRefused and its kin, SignInNotAllowed, IdentityIncomplete,
            GroupsIncomplete, ProviderFailed, TooMany, StoreUnavailable, AuditUnavailable.
        """
        running = self._active.current()
        token = SubjectToken(subject.kind, subject.text, subject.nonce)
        _check_not_ours(token, running.revision.settings.base_url)
        source = _source(running, client, subject, token)
        try:
            proven = source.believe(token, client.accepts[source.id], now)
        except ProviderFailed as failure:
            # Its own words are for somebody at a sign-in page, who can choose another way.
            raise type(failure)(failure.detail, words=_NO_ANSWER) from failure
        person = self._whoever(proven.identity, running, client.id)
        found = Brought(
            client=client,
            identity=replace(proven.identity, groups=tuple(sorted(person.groups))),
            running=running,
            trust=running.trust[source.id],
            kind=subject.kind,
            audience=proven.audience,
            ends_at=min((at for at in (proven.expires_at, proven.ends_at) if at is not None), default=None),
        )
        # Counted only now: strangers with tokens that nobody believes use up nobody's share. The person first, so
        # that one alone, from however many addresses, does not use up the app's.
        who = subject_of(found.identity)
        self._tally.admit_one(who, f"{EXCHANGES} of this person", EXCHANGES_PER_IDENTITY, now)
        self._tally.admit_one(client.id, f"{EXCHANGES} by this app", EXCHANGES_PER_CLIENT, now)
        with self._refusing(found, caller, now):
            check_sign_in(running, person, replace(caller, client=client.id), now)
            self._bind(client, proven)
        return found

    def _bind(self, client: Client, proven: Proven) -> None:
        """Let the token be this client's, and a single time where that is wanted. Raises SubjectTokenRefused."""
        mark = proven.mark
        if mark is None:
            raise SubjectTokenRefused("the source does not say what the token is known by again")
        if not self._store.once.bind(f"subject {mark.namespace}", mark.value, client.id, mark.until):
            raise SubjectTokenRefused(
                "another client has brought the token before",
                words="The token that was presented belongs to another app, which brought it before.",
            )
        for each in (*proven.once, *((mark,) if client.once else ())):
            if not self._store.once.mark(each.namespace, each.value, each.until):
                raise SubjectTokenRefused(
                    "the token was accepted before, and is good a single time",
                    words="The token that was presented was used before, and is good a single time. Get a new one "
                    "from its provider.",
                )

    @contextmanager
    def _refusing(self, brought: Brought, caller: Caller, now: datetime) -> Iterator[None]:
        """Put on record what somebody is refused within who is known already. What failed is no refusal."""
        try:
            yield
        except (TooMany, UpstreamFailed, Unavailable):
            raise
        except Refusal as refusal:
            if not refusal.recorded:
                detail = {"code": refusal.code, "why": refusal.detail}
                self._record_person(AuditKind.EXCHANGE_REFUSED, brought, caller, now, detail)
                refusal.recorded = True
            raise

    def _record_person(
        self,
        kind: AuditKind,
        brought: Brought,
        caller: Caller,
        now: datetime,
        detail: Mapping[str, object],
    ) -> None:
        """Put on record what there is no session for. Raises AuditUnavailable."""
        who = brought.identity
        self._audit.record(
            AuditEvent(
                kind=kind,
                at=now,
                request_id=caller.request_id,
                address=caller.address,
                source=who.source,
                subject=who.subject,
                username=who.username,
                revision=brought.running.revision.number,
                detail={"client": brought.client.id, "pool": brought.pool, **detail},
            )
        )


def _check_not_ours(token: SubjectToken, base_url: str) -> None:
    """A token of ours proves a sign-in here, not at a provider; nor is it any provider's to look at."""
    if token.kind != "saml2" and token.compact.unverified_issuer == base_url:
        raise SubjectTokenKind(
            "the token is one of ours",
            words="A token of this service is not taken as `subject_token`. Present the one of the person's provider.",
        )


def _source(running: Running, client: Client, subject: SubjectProof, token: SubjectToken) -> _Checks:
    """Who checks a token: whom the app names, or whom the token names, or whoever alone can. It proves nothing yet."""
    accepted = [
        found
        for id in client.accepts
        if (found := running.sources.get(id)) is not None and isinstance(found, Exchangeable)
    ]
    if subject.source:
        named = next((each for each in accepted if each.id == subject.source), None)
        if named is None:
            raise ExchangeNotAllowed(f"client {client.id} does not accept {subject.source[:64]!r}")
        return named
    able = [each for each in accepted if token.kind in each.takes]
    if not able:
        raise ExchangeNotAllowed(f"client {client.id} accepts no source of {token.kind}s")
    says = [each for each in able if each.issued(token)]
    if len(says) == 1:
        return says[0]
    if len(able) == 1:
        return able[0]
    names = ", ".join(f"`{each.id}`" for each in says or able)
    raise ExchangeNotAllowed(
        f"the token may be of {names}",
        words=f"It cannot be seen which source the token is of. Name it as `subject_issuer`: one of {names}.",
    )
