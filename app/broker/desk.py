"""What every conversation of the broker has at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from app.active import Active, Running
from app.audit import AuditWriter
from app.broker.afterwards import Afterwards
from app.broker.liveness import living
from app.broker.parts import Hashes, Notices, Unheard
from app.clock import Clock
from app.errors import NotSignedIn, StoreUnavailable
from app.limits import (
    EXCHANGES_PER_ADDRESS,
    EXCHANGES_PER_CLIENT,
    EXCHANGES_PER_IDENTITY,
    GUESTS_PER_MINUTE,
    Tally,
)
from app.mfa import registry
from app.mfa.seam import Kind
from app.model import GUEST, AuditEvent, AuditKind, Caller, Identity, Principal, Session, SourceId
from app.people import LOCAL, ROOT, ROOT_SUBJECT, Alert, Factor, FactorKind, LocalUser, UserState
from app.principal import principal, subject_space
from app.signin.passwords import Hashing
from app.store import Store
from app.tokens import AccessTokens, SigningKeys, subject_of
from app.transaction import Transaction

_NOTE_EVERY = timedelta(minutes=1)

log = logging.getLogger("daypass.broker")


class Desk:
    """The parts, and the steps that several conversations share."""

    def __init__(
        self,
        *,
        active: Active,
        store: Store,
        audit: AuditWriter,
        tally: Tally,
        clock: Clock,
        keys: SigningKeys,
        hashing: Hashes | None = None,
        notices: Notices | None = None,
        kinds: Mapping[FactorKind, Kind] = registry.KINDS,
    ) -> None:
        self._active = active
        self._store = store
        self._audit = audit
        self._tally = tally
        self._clock = clock
        self._keys = keys
        self._access = AccessTokens(keys)
        self._hashing = hashing if hashing is not None else Hashing()
        self._notices = notices if notices is not None else Unheard()
        self._kinds = kinds
        self._afterwards = Afterwards()

    def _record(
        self,
        kind: AuditKind,
        session: Session,
        caller: Caller,
        at: datetime,
        detail: Mapping[str, object],
        within: Transaction | None = None,
    ) -> None:
        """Put it on record, as a part of a transaction or by itself. Raises AuditUnavailable."""
        self._audit.record(event(kind, session, caller, at, detail=detail), within)

    def _admit_app(self, session: Session, caller: Caller, now: datetime) -> None:
        """Count what is done by a token that an app has of its person, as what it brings is counted. Raises TooMany.

        Each call is a row, or two records and a call to AWS, and guests are strangers. Only sessions that have an
        identity of a pool: whom a directory let in, in a browser or by a helper, is not counted.
        """
        if not session.pool_identity or session.client is None:
            return
        if session.identity.source == GUEST:
            what, of_app, most = "calls of apps' guests", "calls of this app's guests", GUESTS_PER_MINUTE
        else:
            what, of_app, most = "calls of apps' people", "calls of this app's people", EXCHANGES_PER_ADDRESS
        self._tally.admit(caller.address, what, most, now)
        self._tally.admit_one(
            subject_of(session.identity), "calls of this person", EXCHANGES_PER_IDENTITY, now
        )
        self._tally.admit_one(session.client, of_app, EXCHANGES_PER_CLIENT, now)

    def _used(self, session: Session, caller: Caller, now: datetime) -> None:
        """Note that the session was used, at most each minute. A client's has no idle time that could end."""
        # abs: a clock that was moved back must not keep the note from being written until it has caught up.
        if session.last_used is not None and abs(now - session.last_used) < _NOTE_EVERY:
            return
        idle_at = session.expires_at
        if session.client is None:
            idle_at = min(now + self._active.current().revision.settings.session_idle, session.expires_at)
        try:
            self._store.sessions.touch(session.id, idle_at, now, caller.address)
        except StoreUnavailable as refusal:
            # Nothing is decided by it: the session only ends its idle time sooner.
            log.warning("session not touched", extra={"session": session.id, "why": refusal.detail})

    def _alive(self, id: str, now: datetime, running: Running | None = None) -> Session | None:
        """The session of that public id, if it is not over by the active revision. Raises StoreUnavailable."""
        found = self._store.sessions.by_id(id, now)
        return None if found is None else self._living(found, now, running)

    def _living(self, session: Session, now: datetime, running: Running | None = None) -> Session | None:
        """The session as it is by the active revision (`running`, where it is at hand); None if that has ended it."""
        try:
            return self._lives(session, running or self._active.current(), now)
        except NotSignedIn:
            return None

    def _lives(self, session: Session, running: Running, now: datetime) -> Session:
        """The session as it is by that revision. Raises NotSignedIn, with why in its detail."""
        return living(session, running, now, self._epoch(session.identity, running))

    # --- people -----------------------------------------------------------------------------------

    def _epoch(self, identity: Identity, running: Running) -> str | None:
        """Of the account of a local user who may sign in, or of root, in one small read; None of everybody else.

        Where local users are turned off, none may: as when a provider is taken away.
        """
        if identity.source == LOCAL:
            if not running.revision.settings.local:
                return None
            found = self._store.users.authority(identity.subject)
            return found[1] if found is not None and found[0].state is UserState.ACTIVE else None
        return self._store.users.epoch(ROOT_SUBJECT) if identity.source == ROOT else None

    def _user(self, identity: Identity) -> LocalUser | None:
        """The local user in the version that is in force; None of people of other sources."""
        if identity.source != LOCAL:
            return None
        found = self._store.users.authority(identity.subject)
        return None if found is None else found[0]

    def _person(self, session: Session, running: Running) -> Principal:
        """What the active revision, and a local user's own version, attach to a person. Raises NotSignedIn."""
        return self._whoever(session.identity, running, session.client)

    def _whoever(self, identity: Identity, running: Running, client: str | None = None) -> Principal:
        """The same of somebody who has no session yet."""
        return principal(identity, running.revision, client, self._user(identity))

    def _devices(self, source: SourceId, subject: str, running: Running) -> list[Factor]:
        """A person's second factors, oldest first: not those that the source's people of another time enrolled."""
        space = subject_space(running.revision.providers.get(source))
        found = self._store.factors.of(source, subject)
        return [each for each in found if each.space == space and each.kind in self._kinds]

    def _tell(self, alert: Alert) -> None:
        """Tell the operators or a person. What it is about has happened and is on record, so that it never fails."""
        try:
            self._notices.tell(alert)
        except Exception as error:  # noqa: BLE001 - whoever cannot be told must not undo what was done
            log.error("alert not kept", extra={"alert": alert.kind, "why": type(error).__name__})


def event(
    kind: AuditKind, session: Session, caller: Caller, at: datetime, *, detail: Mapping[str, object]
) -> AuditEvent:
    """A record about the person of a session; of a client's session it names client, device and identity."""
    if session.pool_identity:
        detail = {"identity_id": session.pool_identity, **detail}
    if session.client is not None:
        detail = {"client": session.client, "device": session.device, **detail}
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
