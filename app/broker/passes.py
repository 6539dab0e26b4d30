"""Asking for a pass: what may be had, why, and having it. "Asked" is durable before STS is, "issued" before an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.active import Running
from app.audit import AuditWriter
from app.broker.desk import Desk, event
from app.broker.opening_up import Opens, may_add, proofs, settled, step_up_members
from app.broker.own_people import reason_of
from app.errors import (
    Internal,
    MfaRequired,
    Refusal,
    RequestNotPossible,
    RoleForbidden,
    RoleUnknown,
    RootOnlyEmergency,
)
from app.issue import build, check_duration, missing_variables, session_variables
from app.limits import EXPLANATIONS_PER_MINUTE
from app.model import (
    DEFAULT_DURATION,
    SHORTEST,
    AuditKind,
    Authentication,
    Caller,
    Client,
    ConsoleLink,
    CredentialRequest,
    Credentials,
    Decision,
    Entitlement,
    Explanation,
    Principal,
    Role,
    RoleArn,
    RoleAsk,
    Session,
)
from app.people import ROOT, FactorKind
from app.policy import RequestContext, explain, step_up
from app.principal import asking


@dataclass(frozen=True, slots=True)
class Kinds:
    """The audit kinds of one way of giving credentials out."""

    asked: AuditKind
    issued: AuditKind
    refused: AuditKind
    failed: AuditKind


KEYS = Kinds(
    AuditKind.CREDENTIALS_ASKED,
    AuditKind.CREDENTIALS_ISSUED,
    AuditKind.CREDENTIALS_REFUSED,
    AuditKind.CREDENTIALS_FAILED,
)
_CONSOLE = Kinds(
    AuditKind.CONSOLE_ASKED, AuditKind.CONSOLE_ISSUED, AuditKind.CONSOLE_REFUSED, AuditKind.CONSOLE_FAILED
)
_KIND_WORDS: Final[Mapping[str, str]] = {
    "webauthn": "a passkey or security key",
    "totp": "a code of an authenticator app",
}
LATER: Final = (
    "What you have proven is a second factor that you added in this session. It counts for roles of level admin from "
    "your next sign-in: sign out, sign in again, and ask for the role."
)
"""Why a first factor settles nothing for a role of level admin yet."""


class Passes(Desk):
    """The conversation of a signed-in person, or their helper, about roles and credentials."""

    def roles(self, session: Session, *, caller: Caller) -> Sequence[Entitlement]:
        """The roles that may be assumed now, and those that a step-up would add, by account name and role name.

        Left out is what the session's client may not be given, and what could not be had: a role whose session
        policy needs a variable that the session does not have (`explain` says so).
        """
        now = self._clock.now()
        running = self._active.current()
        person = self._person(session, running)
        allowed = step_up.allowed(running.index, person, _asks(running, session, caller, now), session.began)
        needed = self._added(running, person, session, caller, now)
        client, variables = _client(running, session), session_variables(session)
        found = [Entitlement(role) for role, _ in allowed]
        found += [Entitlement(role, {"mfa": {"kinds": list(kinds)}}) for role, kinds in needed]
        return sorted(
            (
                each
                for each in found
                if _open_to(client, each.role.arn)
                and not missing_variables(person, each.role, running.revision, variables)
            ),
            key=lambda each: (each.role.account_name, each.role.account, each.role.name),
        )

    def _added(
        self, running: Running, person: Principal, session: Session, caller: Caller, now: datetime
    ) -> Sequence[tuple[Role, tuple[FactorKind, ...]]]:
        """The roles that proving a factor now would add, with the kinds that would."""
        if person.root or not may_add(session):
            return ()
        how, asks = person.identity.authentication, _asks(running, session, caller, now)
        # As if they had every kind: where that adds nothing, which is mostly, no device is looked up.
        found = step_up.added(running.index, person, asks, session.began, proofs(how, (), now))
        if not found:
            return ()
        who = person.identity
        devices = self._devices(who.source, who.subject, running)
        if not devices:
            return found
        return step_up.added(running.index, person, asks, session.began, proofs(how, devices, now))

    def explain(self, session: Session, role: str, *, caller: Caller) -> Explanation:
        """Why this person may or may not use a role now, and what they could do about it.

        A role that nothing they could do would open is unknown, as one that does not exist is. Not put on
        record: people read their own case.

        Raises:
            RoleUnknown, TooMany.
        """
        now = self._clock.now()
        self._tally.admit(caller.address, "questions why", EXPLANATIONS_PER_MINUTE, now)
        running = self._active.current()
        case = case_of(running, session, self._person(session, running), RoleAsk(role), caller, now)
        told = case.explanation(now)
        if not (told.decision.allowed or told.within_reach):
            raise RoleUnknown(told.detail)
        if not told.decision.allowed and self._opens(case).later:
            told = replace(told, why="This role is of level admin.", would_change=LATER)
        if told.decision.allowed and case.impossible is not None:
            told = replace(
                told,
                why="Policy lets you use this role, but it cannot be given to you here.",
                would_change=case.impossible.words,
            )
        return told

    def credentials(self, session: Session, ask: RoleAsk, *, caller: Caller) -> Credentials:
        """Decide, write "asked", call STS, write "issued", and only then answer.

        Raises:
            RoleUnknown, RoleForbidden (its words say what would change that), DurationInvalid,
            RequestNotPossible, StsRefused, StsFailed, TooMany, AuditUnavailable.
        """
        self._admit_app(session, caller, self._clock.now())
        return self._issue(session, ask, KEYS, caller=caller)[0]

    def console_link(
        self, session: Session, ask: RoleAsk, destination: str | None, *, caller: Caller
    ) -> ConsoleLink:
        """The same, ending in a console sign-in link.

        Raises:
            as `credentials`, and DestinationForbidden, ConsoleFailed.
        """
        self._admit_app(session, caller, self._clock.now())
        link = self._issue(session, ask, _CONSOLE, caller=caller, destination=destination)[1]
        if link is None:  # pragma: no cover - _issue mints one for _CONSOLE
            raise RoleUnknown
        return link

    def refused(self, session: Session, refusal: Refusal, *, caller: Caller) -> None:
        """Put on record what a signed-in person was refused before the broker was asked.

        Raises:
            TooMany, AuditUnavailable.
        """
        now = self._clock.now()
        self._admit_app(session, caller, now)
        detail: dict[str, object] = {"code": refusal.code, "why": refusal.detail}
        self._record(AuditKind.ACCESS_REFUSED, session, caller, now, detail)

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

    def _issue(
        self, session: Session, ask: RoleAsk, kinds: Kinds, *, caller: Caller, destination: str | None = None
    ) -> tuple[Credentials, ConsoleLink | None]:
        now = self._clock.now()
        if session.identity.source == ROOT and session.client is not None:
            raise RootOnlyEmergency("root lets no client in")
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
        # Of root, why it is used at all comes first.
        own = reason_of(session) if session.identity.source == ROOT else ""
        if reason := "; ".join(filter(None, (own, ask.reason))):
            facts["reason"] = reason
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
        case = case_of(running, session, self._person(session, running), ask, caller, now)
        if not case.decision.allowed:
            opened = self._opens(case)
            told = case.explanation(now)
            if opened.kinds:
                refusal = MfaRequired(told.detail, words=_needed(opened.kinds))
                base = running.revision.settings.base_url
                refusal.members = step_up_members(session, case.role.arn, base, opened.kinds)
                raise refusal
            if opened.later:
                raise RoleForbidden(told.detail, words=LATER)
            if not told.within_reach:
                # Nothing the person could do would open it: it looks like a role that does not exist.
                raise RoleUnknown(told.detail)
            raise RoleForbidden(told.detail, words=told.refusal)
        if case.request is None:
            raise case.impossible or RequestNotPossible
        return case.decision, case.request

    def _opens(self, case: Case) -> Opens:
        """What of the person's factors would open the role of a case that is shut."""
        if case.person.root or not may_add(case.session):
            return Opens()
        how = case.session.identity.authentication
        # As if they had every kind: where that opens nothing, no device is looked up.
        if not case.opened_by(proofs(how, (), case.now)):
            return Opens()
        who = case.session.identity
        made = proofs(how, self._devices(who.source, who.subject, case.running), case.now)
        kinds = case.opened_by(made)
        return Opens(kinds, later=not kinds and bool(case.opened_by(settled(made))))


@dataclass(frozen=True, slots=True)
class Case:
    """A person, a role, and everything that the decision is made with."""

    running: Running
    session: Session
    caller: Caller
    now: datetime
    person: Principal
    """Authenticated as it counts for the role."""
    role: Role
    context: RequestContext
    decision: Decision
    request: CredentialRequest | None
    """What would go to STS; None if that cannot be made."""
    impossible: RequestNotPossible | None

    def explanation(self, now: datetime) -> Explanation:
        """As the person may hear it."""
        return explain(self.running.index, self.person, self.role, self.context, now, operator=False)

    def opened_by(self, made: Mapping[FactorKind, Sequence[Authentication]]) -> tuple[FactorKind, ...]:
        """Those kinds of proofs of which one would open the role, were it the person's authentication."""
        asks = _asks(self.running, self.session, self.caller, self.now, self.request)
        return step_up.opening(self.running.index, self.person, self.role, asks, self.session.began, made)


def _asks(
    running: Running,
    session: Session,
    caller: Caller,
    now: datetime,
    request: CredentialRequest | None = None,
) -> step_up.Asking:
    """How somebody would ask for roles, authenticated in whatever way."""
    asked = asking(session, caller)
    return lambda who: running.index.contexts(who, asked, now, request)


def _needed(kinds: Sequence[FactorKind]) -> str:
    """What to prove, in words."""
    wanted = " or ".join(_KIND_WORDS.get(kind, kind) for kind in kinds)
    return f"This role needs a second factor that you have proven just now: {wanted}. Prove it and go on."


def _client(running: Running, session: Session) -> Client | None:
    return running.revision.clients.get(session.client) if session.client is not None else None


def _open_to(client: Client | None, role: RoleArn) -> bool:
    """Whether a client's session may be given a role at all, whatever policy says of the person."""
    return client is None or client.roles is None or role in client.roles


def case_of(
    running: Running, session: Session, person: Principal, ask: RoleAsk, caller: Caller, now: datetime
) -> Case:
    """Decide. `person` is whose session it is.

    Raises RoleUnknown if there is no such role, or the session's client is never given it.
    """
    client = _client(running, session)
    role = running.revision.roles.get(RoleArn(ask.role))
    if role is None:
        raise RoleUnknown("no such role in the revision")
    if not _open_to(client, role.arn):
        raise RoleUnknown(f"client {session.client} is not given this role: its `roles` do not name it")
    person = step_up.as_counted(person, session.began, role.level)
    if person.root:
        ask = replace(ask, duration=SHORTEST)  # whatever was asked for: an emergency lasts no longer
    if client is not None:
        ask = replace(ask, duration=min(ask.duration or DEFAULT_DURATION, client.credentials))
    request, impossible = None, None
    try:
        request = build(person, role, ask, running.revision, session_variables(session))
    except RequestNotPossible as refusal:
        impossible = refusal
    context = running.index.contexts(person, asking(session, caller), now, request)(role)
    decision = running.index.decide(person, role, context)
    return Case(running, session, caller, now, person, role, context, decision, request, impossible)


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
        made = event(kind, self._session, self._caller, at, detail=detail)
        self._audit.record(replace(made, role=self._role, revision=self._revision))
