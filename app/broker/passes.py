"""Asking for a pass: what may be had, why, and having it. "Asked" is durable before STS is, "issued" before an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.active import Running
from app.audit import AuditWriter
from app.broker.desk import Desk, event
from app.errors import Internal, Refusal, RequestNotPossible, RoleForbidden, RoleUnknown
from app.issue import build, check_duration, missing_variables, session_variables
from app.limits import EXPLANATIONS_PER_MINUTE
from app.model import (
    DEFAULT_DURATION,
    AuditKind,
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
from app.policy import RequestContext, explain
from app.principal import asking, principal


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


class Passes(Desk):
    """The conversation of a signed-in person, or their helper, about roles and credentials."""

    def roles(self, session: Session, *, caller: Caller) -> Sequence[Entitlement]:
        """The roles that may be assumed now, by account name and role name.

        Left out is what the session's client may not be given, and what could not be had: a role whose session
        policy needs a variable that the session does not have (`explain` says so).
        """
        now = self._clock.now()
        running = self._active.current()
        person = principal(session.identity, running.revision, session.client)
        allowed = running.index.assumable(
            person, running.index.contexts(person, asking(session, caller), now)
        )
        client, variables = _client(running, session), session_variables(session)
        found = (
            role
            for role, _ in allowed
            if _open_to(client, role.arn) and not missing_variables(person, role, running.revision, variables)
        )
        return [
            Entitlement(role)
            for role in sorted(found, key=lambda role: (role.account_name, role.account, role.name))
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
        case = case_of(self._active.current(), session, RoleAsk(role), caller, now)
        told = case.explanation(now)
        if not (told.decision.allowed or told.within_reach):
            raise RoleUnknown(told.detail)
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
        case = case_of(running, session, ask, caller, now)
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
class Case:
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


def _client(running: Running, session: Session) -> Client | None:
    return running.revision.clients.get(session.client) if session.client is not None else None


def _open_to(client: Client | None, role: RoleArn) -> bool:
    """Whether a client's session may be given a role at all, whatever policy says of the person."""
    return client is None or client.roles is None or role in client.roles


def case_of(running: Running, session: Session, ask: RoleAsk, caller: Caller, now: datetime) -> Case:
    """Decide. Raises RoleUnknown if there is no such role, or the session's client is never given it."""
    person = principal(session.identity, running.revision, session.client)
    client = _client(running, session)
    role = running.revision.roles.get(RoleArn(ask.role))
    if role is None:
        raise RoleUnknown("no such role in the revision")
    if not _open_to(client, role.arn):
        raise RoleUnknown(f"client {session.client} is not given this role: its `roles` do not name it")
    if client is not None:
        ask = replace(ask, duration=min(ask.duration or DEFAULT_DURATION, client.credentials))
    request, impossible = None, None
    try:
        request = build(person, role, ask, running.revision, session_variables(session))
    except RequestNotPossible as refusal:
        impossible = refusal
    context = running.index.contexts(person, asking(session, caller), now, request)(role)
    decision = running.index.decide(person, role, context)
    return Case(running, person, role, context, decision, request, impossible)


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
