"""Token exchange (RFC 8693; RFC 7522): the sign-in that an app has already → a token of ours, or AWS credentials.

    client, ask   may it ask for this at all?
    subject       believed, and bound to the client (`presenting`)
    identity      one per person and pool; a guest's, if they take that over
    role          the first of the client's that policy allows, and why, in words for its developer
    audit         "exchanged" is durable before anything is given

Nothing given for a token lives longer than the token says it does, but AWS credentials, whose life the client's file
bounds: AWS gives none under 15 minutes. People who have not signed in come in as guests, on the client's word alone.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from app.active import Running
from app.broker import terms
from app.broker.bearers import Bearers
from app.broker.passes import KEYS, Passes, case_of
from app.broker.presenting import Brought, Presenting
from app.broker.redeeming import Redeeming
from app.errors import (
    ClientNotAllowed,
    DurationInvalid,
    GrantInvalid,
    LoginTaken,
    NoRoleForApp,
    RequestNotPossible,
    RoleUnknown,
    ScopeInvalid,
    SubjectTokenExpired,
    TargetInvalid,
    TokenInvalid,
    TooMany,
)
from app.issue import check_duration
from app.limits import (
    EXCHANGES_PER_CLIENT,
    GUESTS,
    GUESTS_PER_DAY,
    GUESTS_PER_MINUTE,
    prefix,
)
from app.model import (
    EXCHANGE,
    GUEST,
    AuditKind,
    Authentication,
    Caller,
    Client,
    ClientProof,
    ExchangeAsk,
    Exchanged,
    Identity,
    RoleArn,
    RoleAsk,
    Scope,
    Session,
    SubjectProof,
)
from app.policy import why_given, why_not
from app.store.identities import Claimed
from app.tokens import whole
from app.transaction import Transaction

_DAY = timedelta(days=1)


class Exchanging(Presenting, Passes, Redeeming, Bearers):
    """The conversation of an app that has signed its person in already."""

    def exchange(
        self, client: ClientProof, subject: SubjectProof, ask: ExchangeAsk, *, caller: Caller
    ) -> Exchanged:
        """What an app brings of its person → a token of ours, or AWS credentials.

        Raises:
            GrantError and its kin, ProofRefused and its kin, NoRoleForApp, RoleUnknown, DurationInvalid,
            RequestNotPossible, LoginTaken, UpstreamFailed and its kin, TooMany, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        with self._admitted(caller, now), self._store.settling():
            running = self._active.current()
            asking = self._client_for(running, client, EXCHANGE)
            scope = self._wanted(running, asking, ask)
            guest = self._guest(asking, ask.guest_token, now) if ask.guest_token else None
            brought = self._brought(running, asking, subject, caller, now)
            with self._refusing(brought, caller, now):
                if guest is None:
                    id = self._store.identities.of(
                        brought.pool, brought.identity.source, brought.identity.subject, now
                    )
                else:
                    id = self._free(brought, guest)
                return self._give(brought, id, ask, scope, guest=guest, caller=caller, now=now)

    def begin_guest(self, client: ClientProof, ask: ExchangeAsk, *, caller: Caller) -> Exchanged:
        """Somebody who has not signed in: an identity of their own that a sign-in can take over later.

        Raises:
            as `exchange`; ClientNotAllowed if the client has no guests.
        """
        now = self._clock.now()
        with self._admitted(caller, now), self._store.settling():
            running = self._active.current()
            asking = self._client_for(running, client, EXCHANGE)
            if not asking.guests:
                raise ClientNotAllowed(
                    f"client {asking.id} has no guests",
                    words="This app lets nobody in who has not signed in; see `guests` in its client file.",
                )
            scope = self._wanted(running, asking, ask)
            self._admit_guest(asking, caller, now)
            brought = self._new_guest(running, asking, caller, now)
            with self._refusing(brought, caller, now):
                id = brought.identity.subject
                return self._give(brought, id, ask, scope, guest=None, caller=caller, now=now)

    def origin_known(self, origin: str, client: str | None = None) -> bool:
        """Whether a client (None: any) declares this web origin; compared as it is, character by character."""
        clients = self._active.current().revision.clients
        asked = clients.values() if client is None else [clients[client]] if client in clients else []
        return any(origin in each.origins for each in asked)

    # --- what may be asked for ----------------------------------------------------------------------

    def _wanted(self, running: Running, client: Client, ask: ExchangeAsk) -> tuple[Scope, ...]:
        """Look at the wish before anybody is believed: a token must not be used up for what cannot be.

        Raises:
            ScopeInvalid, TargetInvalid, DurationInvalid, RoleUnknown.
        """
        scope = terms.scope(ask.scope, client)
        if not ask.aws:
            terms.resource(ask.resource or ask.role, running.revision.settings)
            return scope
        if "credentials" not in scope:
            raise ScopeInvalid("AWS credentials need the scope `credentials`")
        check_duration(ask.duration)
        if ask.duration is not None and ask.duration > client.credentials:
            longest = int(client.credentials.total_seconds())
            words = f"The duration for this app must be a whole number of seconds from 900 to {longest}."
            raise DurationInvalid(f"client {client.id} has at most {longest} s", words=words)
        if ask.role and client.roles is not None and ask.role not in client.roles:
            raise RoleUnknown(
                f"client {client.id} is not given this role: its `roles` do not name it",
                words="This app is not given that role; see `roles` in its client file.",
            )
        if not ask.role and not client.roles:
            words = "Name a role as `resource`: this app's client file has no `roles` to choose from."
            raise TargetInvalid(f"client {client.id} names no roles", words=words)
        return scope

    # --- guests -------------------------------------------------------------------------------------

    def _admit_guest(self, client: Client, caller: Caller, now: datetime) -> None:
        """Raises TooMany."""
        self._tally.admit(caller.address, GUESTS, GUESTS_PER_MINUTE, now)
        # A share of their own: whoever makes guests from everywhere keeps nobody out who signs in.
        self._tally.admit_one(client.id, f"{GUESTS} of this app", EXCHANGES_PER_CLIENT, now)
        if self._store.identities.guests_since(prefix(caller.address), now - _DAY) >= GUESTS_PER_DAY:
            words = "There were too many guests from your address today. Sign in, or try again tomorrow."
            raise TooMany(f"more than {GUESTS_PER_DAY} {GUESTS} a day", words=words, retry_after=3600)

    def _new_guest(self, running: Running, client: Client, caller: Caller, now: datetime) -> Brought:
        id = self._store.identities.guest(client.pool or client.id, prefix(caller.address), now)
        nobody = Identity(GUEST, id, "guest", {}, Authentication(at=now))
        groups = self._whoever(nobody, running, client.id).groups
        made = Identity(GUEST, id, "guest", {}, Authentication(at=now), groups=tuple(sorted(groups)))
        return Brought(client=client, identity=made, running=running, trust="")

    def _guest(self, client: Client, token: str, now: datetime) -> Session:
        """The session of the guest whose access token the app shows beside its person's. Raises GrantInvalid."""
        words = (
            "`guest_token` is no access token of a guest of this app, or that guest has signed in already."
        )
        try:
            claims = self._read(token, now)
            session = self._of(claims, now)[0]
        except TokenInvalid as invalid:
            raise GrantInvalid(f"guest_token: {invalid.detail}", words=words) from None
        if session.client != client.id or session.identity.source != GUEST or not session.pool_identity:
            raise GrantInvalid("guest_token: of another client, or of no guest", words=words)
        return session

    def _free(self, brought: Brought, guest: Session) -> str:
        """The guest's identity, for somebody who has none of their own. Raises LoginTaken."""
        who = brought.identity
        if self._store.identities.find(brought.pool, who.source, who.subject) is not None:
            raise _has_one()
        return guest.pool_identity

    def _claim(self, brought: Brought, guest: Session, caller: Caller, now: datetime) -> None:
        """The guest's identity becomes the person's, on record first; the guest's sessions end with it.

        Raises:
            LoginTaken, GrantInvalid, AuditUnavailable, StoreUnavailable.
        """
        id, who = guest.pool_identity, brought.identity
        detail = {"identity_id": id, "guest_session": guest.id}
        self._record_person(AuditKind.IDENTITY_CLAIMED, brought, caller, now, detail)
        outcome = self._store.identities.claim(brought.pool, id, who.source, who.subject, now)
        if outcome is Claimed.TAKEN:
            raise _has_one()
        if outcome is Claimed.GONE:
            raise GrantInvalid("guest_token: the guest is gone, or somebody was faster")

    # --- giving -------------------------------------------------------------------------------------

    def _give(
        self,
        brought: Brought,
        id: str,
        ask: ExchangeAsk,
        scope: tuple[Scope, ...],
        *,
        guest: Session | None,
        caller: Caller,
        now: datetime,
    ) -> Exchanged:
        """The last steps, each durable before the next: a guest's identity is taken over, on record, given."""
        session = self._session_of(brought, id, caller, now)
        role, reason = self._choose(brought, session, ask, caller, now) if ask.aws else (None, "")
        if guest is not None:
            self._claim(brought, guest, caller, now)
        detail: dict[str, object] = {"kind": brought.kind or "guest", "audience": brought.audience}
        if role is not None:
            detail["role"] = role
            self._record(AuditKind.TOKEN_EXCHANGED, session, caller, now, detail)
            wish = RoleAsk(role, ask.duration)
            given = self._issue(session, wish, KEYS, caller=caller)[0]
            return Exchanged(id, credentials=given, role=role, reason=reason)
        detail["scope"] = list(scope)
        refresh = None
        if brought.kind is None and "refresh_token" in brought.client.grants:
            refresh = secrets.token_urlsafe(32)
        tokens = self._tokens(brought.running, session, scope, refresh, now)
        detail["expires_at"] = session.expires_at.isoformat()

        def ahead(within: Transaction | None) -> None:
            self._record(AuditKind.TOKEN_EXCHANGED, session, caller, now, detail, within)

        begin = self._store.refresh_tokens.begin_on_proof
        if not begin(session, refresh, scope, pool=brought.pool, ahead=ahead):
            raise GrantInvalid("the login was taken away meanwhile")
        return Exchanged(id, tokens=tokens)

    def _session_of(self, brought: Brought, id: str, caller: Caller, now: datetime) -> Session:
        """A session that rests on what the app brought. Raises SubjectTokenExpired if it would end as it begins."""
        settings = brought.running.revision.settings
        refreshed = brought.kind is None and "refresh_token" in brought.client.grants
        end = now + (settings.refresh_token if refreshed else settings.access_token)
        if brought.ends_at is not None:
            end = min(end, brought.ends_at)
        if whole(end) <= whole(now):
            raise SubjectTokenExpired("the token ends within this second")
        return Session(
            id=secrets.token_hex(8),
            identity=brought.identity,
            created_at=now,
            expires_at=end,
            idle_at=end,
            csrf=secrets.token_urlsafe(32),
            revision=brought.running.revision.number,
            trust=brought.trust,
            client=brought.client.id,
            pool_identity=id,
            last_used=now,
            last_address=caller.address,
        )

    def _choose(
        self, brought: Brought, session: Session, ask: ExchangeAsk, caller: Caller, now: datetime
    ) -> tuple[RoleArn, str]:
        """The role that was asked for, or the first of the client's, that policy allows; and why, in words.

        Raises:
            NoRoleForApp: none; its words say why of each.
            RequestNotPossible: the first that is allowed cannot be put into a request to AWS.
        """
        running = brought.running
        person = self._person(session, running)
        passed: list[str] = []
        details: list[str] = []
        for arn in (ask.role,) if ask.role else brought.client.roles or ():
            try:
                case = case_of(running, session, person, RoleAsk(arn, ask.duration), caller, now)
            except RoleUnknown as unknown:
                passed.append(f"`{arn}`: there is no such role any more")
                details.append(f"{arn}: {unknown.detail}")
                continue
            if case.decision.allowed:
                if case.request is None:
                    raise case.impossible or RequestNotPossible
                before = f" Passed over before it: {'. '.join(passed)}." if passed else ""
                return RoleArn(arn), f"`{arn}`: {why_given(case.decision)}.{before}"
            why = why_not(running.index, case.person, case.role, case.context, now)
            passed.append(f"`{arn}`: {why}")
            details.append(f"{arn}: {case.decision.effect}")
        what = "That role is not" if ask.role else "None of this app's roles is"
        raise NoRoleForApp(
            "; ".join(details), words=f"{what} allowed to this person. " + ". ".join(passed) + "."
        )


def _has_one() -> LoginTaken:
    return LoginTaken(
        "the person has an identity of their own in the pool; the guest's stays the guest's",
        words="This person has an identity in this app already, and identities are never merged: what the guest has "
        "stays the guest's. Nothing was changed. Exchange without `guest_token` to go on as that person.",
    )
