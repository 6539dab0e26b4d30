"""What an app brings of its person, believed (RFC 8693, 2.1; RFC 7522): choosing who checks it, and whose it is now.

A token is believed by the source that made it, for the audiences that this client may bring, and belongs from then
on to the client that brought it first: whoever steals it can do nothing with it in an app of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.active import Running
from app.broker.clients import Clients
from app.broker.needs import check_sign_in
from app.broker.refusals import OnRefusal
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


_OF_PERSON: Final = f"{EXCHANGES} of this person"
_BY_APP: Final = f"{EXCHANGES} by this app"
_FAILED: Final = (TooMany, UpstreamFailed, Unavailable)
_NO_ANSWER: Final = (
    "The provider of this token does not answer as it should, so the token cannot be checked. Nothing was given. Try "
    "again in a minute."
)


class Presenting(Clients):
    """The part of a conversation in which an app shows a token of its person's."""

    def _admitted(self, caller: Caller, now: datetime) -> OnRefusal:
        """Count one more token of this address, and if what is done within refuses it, one more refusal. Raises TooMany."""
        self._tally.admit(caller.address, EXCHANGES, EXCHANGES_PER_ADDRESS, now)
        return self._counted(caller, now, EXCHANGE_REFUSALS, EXCHANGE_REFUSALS_PER_MINUTE)

    def _brought(
        self, running: Running, client: Client, subject: SubjectProof, caller: Caller, now: datetime
    ) -> Brought:
        """Believe what an app brings, and bind it to that app.

        Raises:
            ExchangeNotAllowed, SubjectTokenRefused and its kin, SignInNotAllowed, IdentityIncomplete,
            GroupsIncomplete, ProviderFailed, TooMany, StoreUnavailable, AuditUnavailable.
        """
        token = SubjectToken(subject.kind, subject.text, subject.nonce)
        _check_not_ours(token, running.revision.settings.base_url)
        id, source = _source(running, client, subject, token)
        try:
            proven = source.believe(token, client.accepts[id], now)
        except ProviderFailed as failure:
            # Its own words are for somebody at a sign-in page, who can choose another way.
            raise type(failure)(failure.detail, words=_NO_ANSWER) from failure
        person = self._whoever(proven.identity, running, client.id)
        found = Brought(
            client=client,
            identity=replace(proven.identity, groups=tuple(sorted(person.groups))),
            running=running,
            trust=running.trust[id],
            kind=subject.kind,
            audience=proven.audience,
            ends_at=_earlier(proven.expires_at, proven.ends_at),
        )
        # Counted only now: strangers with tokens that nobody believes use up nobody's share. The person first, so
        # that one alone, from however many addresses, does not use up the app's.
        who = subject_of(found.identity)
        self._tally.admit_one(who, _OF_PERSON, EXCHANGES_PER_IDENTITY, now)
        self._tally.admit_one(client.id, _BY_APP, EXCHANGES_PER_CLIENT, now)
        with self._refusing(found, caller, now):
            check_sign_in(running, person, client.id, caller, now)
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
        for each in (*proven.once, mark) if client.once else proven.once:
            if not self._store.once.mark(each.namespace, each.value, each.until):
                raise SubjectTokenRefused(
                    "the token was accepted before, and is good a single time",
                    words="The token that was presented was used before, and is good a single time. Get a new one "
                    "from its provider.",
                )

    def _refusing(self, brought: Brought, caller: Caller, now: datetime) -> OnRefusal:
        """Put on record what somebody is refused within who is known already. What failed is no refusal."""

        def record(refusal: Refusal) -> None:
            if not refusal.recorded and not isinstance(refusal, _FAILED):
                detail = {"code": refusal.code, "why": refusal.detail}
                self._record_person(AuditKind.EXCHANGE_REFUSED, brought, caller, now, detail)
                refusal.recorded = True

        return OnRefusal(record)

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


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """None: never."""
    if one is None or other is None:
        return one or other
    return min(one, other)


def _source(
    running: Running, client: Client, subject: SubjectProof, token: SubjectToken
) -> tuple[SourceId, Exchangeable]:
    """Who checks a token: whom the app names, or whom the token names, or whoever alone can. It proves nothing yet."""
    known = running.exchangeable
    accepted = [(id, known[id]) for id in client.accepts if id in known]
    if subject.source:
        for each in accepted:
            if each[0] == subject.source:
                return each
        raise ExchangeNotAllowed(f"client {client.id} does not accept {subject.source[:64]!r}")
    able = [each for each in accepted if token.kind in each[1].takes]
    if not able:
        raise ExchangeNotAllowed(f"client {client.id} accepts no source of {token.kind}s")
    if len(able) == 1:
        return able[0]
    says = [each for each in able if each[1].issued(token)]
    if len(says) == 1:
        return says[0]
    names = ", ".join(f"`{id}`" for id, _ in says or able)
    raise ExchangeNotAllowed(
        f"the token may be of {names}",
        words=f"It cannot be seen which source the token is of. Name it as `subject_issuer`: one of {names}.",
    )
