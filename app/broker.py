"""The door for people and programs that ask. It holds the order of the steps and nothing else.

    proof → Identity → Principal → Decision → CredentialRequest → "asked" is durable → STS → "issued" is durable

Every delivery (a button, the JSON API, later the helper and stock AWS clients) calls this. It and
`Administration` alone write audit.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.active import Active, Running
from app.audit import AuditWriter
from app.clock import Clock
from app.errors import (
    Internal,
    NotSignedIn,
    Refusal,
    RequestNotPossible,
    RoleForbidden,
    RoleUnknown,
    SamlReplay,
    SignInNotOurs,
    SourceUnknown,
    StoreUnavailable,
)
from app.issue import build, check_duration
from app.limits import EXPLANATIONS_PER_MINUTE, REFUSALS_PER_MINUTE, STARTS_PER_MINUTE, Tally
from app.model import (
    AuditEvent,
    AuditKind,
    Caller,
    ConsoleLink,
    CredentialRequest,
    Credentials,
    Decision,
    Entitlement,
    Explanation,
    Metadata,
    Outbound,
    Pending,
    Principal,
    Proof,
    Role,
    RoleArn,
    RoleAsk,
    Session,
    SignedIn,
    SignInAsk,
    SourceId,
)
from app.policy import RequestContext, explain
from app.principal import principal
from app.signin.seam import Proven, Source
from app.store import Store

PENDING_LIFE = timedelta(minutes=10)
_TOUCH_EVERY = timedelta(minutes=1)

log = logging.getLogger("daypass.broker")


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The audit kinds of one way of giving credentials out."""

    asked: AuditKind
    issued: AuditKind
    refused: AuditKind
    failed: AuditKind


_KEYS = _Kinds(
    AuditKind.CREDENTIALS_ASKED,
    AuditKind.CREDENTIALS_ISSUED,
    AuditKind.CREDENTIALS_REFUSED,
    AuditKind.CREDENTIALS_FAILED,
)
_CONSOLE = _Kinds(
    AuditKind.CONSOLE_ASKED, AuditKind.CONSOLE_ISSUED, AuditKind.CONSOLE_REFUSED, AuditKind.CONSOLE_FAILED
)


class Broker:
    """Signs people in and gives them credentials. Safe to use from many threads at once."""

    def __init__(
        self, *, active: Active, store: Store, audit: AuditWriter, tally: Tally, clock: Clock
    ) -> None:
        self._active = active
        self._store = store
        self._audit = audit
        self._tally = tally
        self._clock = clock

    # --- signing in -------------------------------------------------------------------------------

    def sources(self) -> Sequence[tuple[SourceId, str, str]]:
        """(id, label, type) of each way to sign in, in the order of the files' names."""
        providers = self._active.current().revision.providers
        return [(provider.id, provider.label, provider.type) for provider in providers.values()]

    def begin(self, source: str, ask: SignInAsk, *, caller: Caller) -> Outbound:
        """Start a sign-in and remember what must come back, bound to the browser that asks.

        Raises:
            SourceUnknown, TooMany, ProviderFailed, StoreUnavailable.
        """
        now = self._clock.now()
        running = self._active.current()
        found = _source(running, source)
        self._tally.admit(caller.address, "sign-in starts", STARTS_PER_MINUTE, now)
        started = found.start(now)
        self._store.pending.add(
            Pending(
                key=started.key,
                source=found.id,
                browser=_hash(ask.browser),
                next=ask.next,
                revision=running.revision.number,
                address=caller.address,
                created_at=now,
                expires_at=now + PENDING_LIFE,
                secrets=started.secrets,
            )
        )
        return started.outbound

    def sign_in(self, proof: Proof, *, caller: Caller, previous: str | None = None) -> SignedIn:
        """Believe a proof and open a session. `previous` is the session of the same browser; it ends.

        Raises:
            ProofRefused and its kin, ProviderFailed, TooMany, StoreUnavailable, AuditUnavailable.
        """
        now = self._clock.now()
        self._tally.check(caller.address, "refusals", REFUSALS_PER_MINUTE, now)
        try:
            pending = self._take(proof, now)
            running = self._active.at(pending.revision)
            _same_source(running, self._active.current(), pending.source)
            proven = _source(running, pending.source).finish(pending, proof, now)
            self._mark(proven)
            person = principal(proven.identity, self._active.current().revision)
        except Refusal as refusal:
            self._tally.refused(caller.address, refusal.code, now)
            raise
        believed_by = running.trust[pending.source]
        return self._open(
            person, pending, proven.ends_at, believed_by, caller=caller, previous=previous, now=now
        )

    def session(self, token: str, *, caller: Caller) -> Session:
        """Cookie → who is asking. Raises NotSignedIn."""
        now = self._clock.now()
        session = self._store.sessions.find(token, now) if token else None
        if session is None:
            raise NotSignedIn
        running = self._active.current()
        revision = running.revision
        if running.trust.get(session.identity.source) != session.trust:
            raise NotSignedIn(f"source {session.identity.source} is gone, or is not the one it was")
        if now >= session.created_at + revision.settings.session_lifetime:
            raise NotSignedIn("the session is older than sessions may be by now")
        idle_at = min(now + revision.settings.session_idle, session.expires_at)
        if idle_at - session.idle_at >= _TOUCH_EVERY:
            try:
                self._store.sessions.touch(session.id, idle_at)
            except StoreUnavailable as refusal:
                # Nothing is decided by it: the session only ends its idle time sooner.
                log.warning("session not touched", extra={"session": session.id, "why": refusal.detail})
        return session

    def sign_out(self, session: Session, *, caller: Caller) -> None:
        """End the session; its cookie is worth nothing from here on."""
        now = self._clock.now()
        self._store.sessions.end(session.id, now)
        self._audit.record(_event(AuditKind.SESSION_ENDED, session, caller, now, detail={"by": "sign-out"}))

    def refused(self, session: Session, refusal: Refusal, *, caller: Caller) -> None:
        """Put on record what a signed-in person was refused before the broker was asked.

        Raises:
            AuditUnavailable.
        """
        detail: dict[str, object] = {"code": refusal.code, "why": refusal.detail}
        self._audit.record(
            _event(AuditKind.ACCESS_REFUSED, session, caller, self._clock.now(), detail=detail)
        )

    def metadata(self, source: str) -> Metadata:
        """What the other side needs to know of us. Raises SourceUnknown, Unknown."""
        return _source(self._active.current(), source).metadata()

    # --- asking for a pass ------------------------------------------------------------------------

    def roles(self, session: Session, *, caller: Caller) -> Sequence[Entitlement]:
        """The roles that may be assumed now, by account name and role name."""
        now = self._clock.now()
        running = self._active.current()
        person = principal(session.identity, running.revision)
        allowed = running.index.assumable(person, running.index.contexts(person, caller, now))
        return [
            Entitlement(role)
            for role in sorted(
                (role for role, _ in allowed), key=lambda role: (role.account_name, role.account, role.name)
            )
        ]

    def explain(self, session: Session, role: str, *, caller: Caller) -> Explanation:
        """Why this person may or may not use a role now, and what they could do about it.

        A role that nothing they could do would open is unknown, as one that does not exist is. Not put on
        record: people read their own case.

        Raises:
            RoleUnknown, TooMany.
        """
        now = self._clock.now()
        self._tally.admit(caller.address, "questions why", EXPLANATIONS_PER_MINUTE, now)
        case = _case(self._active.current(), session, RoleAsk(role), caller, now)
        told = case.explanation(now)
        if not (told.decision.allowed or told.within_reach):
            raise RoleUnknown(told.detail)
        if told.decision.allowed and case.impossible is not None:
            told = replace(told, would_change=case.impossible.words)
        return told

    def credentials(self, session: Session, ask: RoleAsk, *, caller: Caller) -> Credentials:
        """Decide, write "asked", call STS, write "issued", and only then answer.

        Raises:
            RoleUnknown, RoleForbidden (its words say what would change that), DurationInvalid,
            RequestNotPossible, StsRefused, StsFailed, AuditUnavailable.
        """
        return self._issue(session, ask, _KEYS, caller=caller)[0]

    def console_link(
        self, session: Session, ask: RoleAsk, destination: str | None, *, caller: Caller
    ) -> ConsoleLink:
        """The same, ending in a console sign-in link.

        Raises:
            as `credentials`, and DestinationForbidden, ConsoleFailed.
        """
        link = self._issue(session, ask, _CONSOLE, caller=caller, destination=destination)[1]
        if link is None:  # pragma: no cover - _issue mints one for _CONSOLE
            raise RoleUnknown
        return link

    def ready(self) -> Mapping[str, bool]:
        """Whether this worker can serve: database, audit, the active revision, keys."""
        try:
            self._active.current()
            keys = True
            revision = not self._active.behind  # else what was withdrawn would go on being given here, unseen
        except Refusal:
            revision = keys = False
        # Tried only after a record was lost: nobody can make us write by asking how we are.
        audit = self._audit.failing_since is None or self._store.takes_writes()
        return {"database": self._store.check(), "audit": audit, "revision": revision, "keys": keys}

    # --- steps ------------------------------------------------------------------------------------

    def _take(self, proof: Proof, now: datetime) -> Pending:
        key = proof.fields.get("RelayState") or proof.fields.get("state") or ""
        if not key or not proof.browser or len(key) > 128:
            raise SignInNotOurs("no handle or no browser cookie")
        pending = self._store.pending.take(key, proof.source, _hash(proof.browser), now)
        if pending is None:
            raise SignInNotOurs("no pending sign-in of this browser and source")
        return pending

    def _mark(self, proven: Proven) -> None:
        for mark in proven.once:
            if not self._store.once.mark(mark.namespace, mark.value, mark.until):
                raise SamlReplay(f"{mark.namespace} was accepted before")

    def _open(
        self,
        person: Principal,
        pending: Pending,
        ends_at: datetime | None,
        believed_by: str,
        *,
        caller: Caller,
        previous: str | None,
        now: datetime,
    ) -> SignedIn:
        settings = self._active.current().revision.settings
        identity = replace(person.identity, groups=tuple(sorted(person.groups)))
        expires_at = now + settings.session_lifetime
        if ends_at is not None:
            expires_at = min(expires_at, ends_at)
        session = Session(
            id=secrets.token_hex(8),
            identity=identity,
            created_at=now,
            expires_at=expires_at,
            idle_at=min(now + settings.session_idle, expires_at),
            csrf=secrets.token_urlsafe(32),
            revision=person.revision,
            trust=believed_by,
        )
        token = secrets.token_urlsafe(32)
        how = identity.authentication
        detail: dict[str, object] = {
            "groups": list(identity.groups),
            "methods": list(how.methods),
            "context": how.context,
            "mfa": how.mfa_at is not None,
            "user_agent": caller.user_agent[:200],
        }
        # Audit first: a sign-in on record that did not reach the person is harmless, the reverse is not.
        self._audit.record(_event(AuditKind.SIGNIN_SUCCEEDED, session, caller, now, detail=detail))
        self._store.people.seen(identity, identity.groups, now, person.revision)
        if previous:
            self._end_previous(previous, now)
        self._store.sessions.add(token, session)
        return SignedIn(session=session, token=token, next=pending.next)

    def _end_previous(self, token: str, now: datetime) -> None:
        earlier = self._store.sessions.find(token, now)
        if earlier is not None:
            self._store.sessions.end(earlier.id, now)

    def _issue(
        self, session: Session, ask: RoleAsk, kinds: _Kinds, *, caller: Caller, destination: str | None = None
    ) -> tuple[Credentials, ConsoleLink | None]:
        now = self._clock.now()
        running = self._active.current()
        trail = _Trail(self._audit, session, caller, running.revision.number, ask)
        try:
            decision, request = self._decide(running, session, ask, caller, now)
            target = running.aws.destination(destination) if kinds is _CONSOLE else ""
        except Refusal as refusal:
            trail.write(kinds.refused, now, {"code": refusal.code, "why": refusal.detail})
            refusal.recorded = True
            raise
        facts: dict[str, object] = {
            "duration": int(request.duration.total_seconds()),
            "session_name": request.session_name,
            "source_identity": request.source_identity,
            "statements": [str(ref) for ref in decision.matched],
        }
        if ask.reason:
            facts["reason"] = ask.reason
        if target:
            facts["destination"] = target
        trail.write(kinds.asked, now, facts)
        link = None
        try:
            credentials = running.aws.assume(request)
            if kinds is _CONSOLE:
                issuer = f"{running.revision.settings.base_url}/sign-in"
                link = running.aws.console_link(credentials, target, issuer, self._clock.now())
        except Refusal as refusal:
            trail.write(kinds.failed, self._clock.now(), {"code": refusal.code, "why": refusal.detail})
            raise
        except Exception as defect:
            why = type(defect).__name__  # not its message, which may quote what must not be on record
            trail.write(kinds.failed, self._clock.now(), {"code": Internal.code, "why": why})
            raise
        facts |= {
            "access_key_id": credentials.access_key_id,
            "expiration": credentials.expiration.isoformat(),
        }
        trail.write(kinds.issued, self._clock.now(), facts)
        return credentials, link

    def _decide(
        self, running: Running, session: Session, ask: RoleAsk, caller: Caller, now: datetime
    ) -> tuple[Decision, CredentialRequest]:
        check_duration(ask.duration)  # before the role: the answer must not tell whether it exists
        case = _case(running, session, ask, caller, now)
        if not case.decision.allowed:
            told = case.explanation(now)
            if not told.within_reach:
                # Nothing the person could do would open it: it looks like a role that does not exist.
                raise RoleUnknown(told.detail)
            raise RoleForbidden(told.detail, words=told.refusal)
        if case.request is None:
            raise case.impossible or RequestNotPossible
        return case.decision, case.request


@dataclass(frozen=True, slots=True)
class _Case:
    """A person, a role, and everything that the decision is made with."""

    running: Running
    person: Principal
    role: Role
    context: RequestContext
    decision: Decision
    request: CredentialRequest | None
    """What would go to STS; None if that cannot be made."""
    impossible: RequestNotPossible | None

    def explanation(self, now: datetime) -> Explanation:
        """As the person may hear it."""
        return explain(self.running.index, self.person, self.role, self.context, now, operator=False)


def _case(running: Running, session: Session, ask: RoleAsk, caller: Caller, now: datetime) -> _Case:
    """Decide. Raises RoleUnknown if there is no such role."""
    person = principal(session.identity, running.revision)
    role = running.revision.roles.get(RoleArn(ask.role))
    if role is None:
        raise RoleUnknown("no such role in the revision")
    request, impossible = None, None
    try:
        request = build(person, role, ask, running.revision)
    except RequestNotPossible as refusal:
        impossible = refusal
    context = running.index.contexts(person, caller, now, request)(role)
    decision = running.index.decide(person, role, context)
    return _Case(running, person, role, context, decision, request, impossible)


class _Trail:
    """The audit records of one ask: same person, role, revision, caller."""

    def __init__(
        self, audit: AuditWriter, session: Session, caller: Caller, revision: int, ask: RoleAsk
    ) -> None:
        self._audit = audit
        self._session = session
        self._caller = caller
        self._revision = revision
        self._role = ask.role[:2048]

    def write(self, kind: AuditKind, at: datetime, detail: Mapping[str, object]) -> None:
        event = _event(kind, self._session, self._caller, at, detail=detail)
        self._audit.record(replace(event, role=self._role, revision=self._revision))


def _event(
    kind: AuditKind, session: Session, caller: Caller, at: datetime, *, detail: Mapping[str, object]
) -> AuditEvent:
    return AuditEvent(
        kind=kind,
        at=at,
        request_id=caller.request_id,
        address=caller.address,
        source=session.identity.source,
        subject=session.identity.subject,
        username=session.identity.username,
        session=session.id,
        revision=session.revision,
        detail=detail,
    )


def _source(running: Running, source: str) -> Source:
    found = running.sources.get(SourceId(source))
    if found is None:
        raise SourceUnknown(f"no source {source[:64]!r}")
    return found


def _same_source(begun: Running, current: Running, source: SourceId) -> None:
    """Refuse a sign-in whose source has been removed since, or is believed by other things now."""
    before = begun.trust.get(source)
    if before is None or before != current.trust.get(source):
        raise SignInNotOurs(f"source {source} has changed since revision {begun.revision.number}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
