"""What every conversation of the broker has at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from app.active import Active
from app.audit import AuditWriter
from app.broker.liveness import living
from app.clock import Clock
from app.errors import NotSignedIn, StoreUnavailable
from app.limits import (
    EXCHANGES_PER_ADDRESS,
    EXCHANGES_PER_CLIENT,
    EXCHANGES_PER_IDENTITY,
    GUESTS_PER_MINUTE,
    Tally,
)
from app.model import GUEST, AuditEvent, AuditKind, Caller, Session
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
    ) -> None:
        self._active = active
        self._store = store
        self._audit = audit
        self._tally = tally
        self._clock = clock
        self._keys = keys
        self._access = AccessTokens(keys)

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
        guest = session.identity.source == GUEST
        what = "calls of apps' guests" if guest else "calls of apps' people"
        self._tally.admit(caller.address, what, GUESTS_PER_MINUTE if guest else EXCHANGES_PER_ADDRESS, now)
        self._tally.admit_one(
            subject_of(session.identity), "calls of this person", EXCHANGES_PER_IDENTITY, now
        )
        self._tally.admit_one(session.client, what.replace("apps'", "this app's"), EXCHANGES_PER_CLIENT, now)

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

    def _alive(self, id: str, now: datetime) -> Session | None:
        """The session of that public id, if it is not over by the active revision. Raises StoreUnavailable."""
        found = self._store.sessions.by_id(id, now)
        return None if found is None else self._living(found, now)

    def _living(self, session: Session, now: datetime) -> Session | None:
        """The session as it is by the active revision; None if that has ended it."""
        try:
            return living(session, self._active.current(), now)
        except NotSignedIn:
            return None


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
