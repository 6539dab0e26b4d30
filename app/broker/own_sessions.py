"""What a person is signed in with: browsers, helpers and apps; ending any of them, or all; and how they signed in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.audit import StoredRecord
from app.broker.desk import Desk
from app.broker.own_people import own_people
from app.broker.stepping_up import of_a_browser
from app.errors import SessionUnknown
from app.model import AuditKind, Caller, Session
from app.people import ROOT, ROOT_SUBJECT
from app.store import Search

HISTORY: Final = 50
"""Records of a person's own that they are shown."""
_HISTORY_KINDS: Final = frozenset(
    {
        AuditKind.SIGNIN_SUCCEEDED,
        AuditKind.SIGNIN_REFUSED,
        AuditKind.MFA_PROVEN,
        AuditKind.MFA_REFUSED,
        AuditKind.DEVICE_NEW,
        AuditKind.PASSWORD_CHANGED,
        AuditKind.FACTOR_ENROLLED,
        AuditKind.FACTOR_REMOVED,
        AuditKind.RECOVERY_CODES_MADE,
        AuditKind.FACTOR_CHANGED,
        AuditKind.LINK_USED,
        AuditKind.ROOT_USED,
        AuditKind.SESSION_STARTED,
        AuditKind.SESSION_ENDED,
    }
)
_PAGE: Final = 200
_PAGES: Final = 10
"""Of the person's records that are looked through for them: the newest 2,000."""


class OwnSessions(Desk):
    """The conversation of a person about their own sessions."""

    def sessions(self, session: Session, *, caller: Caller) -> Sequence[Session]:
        """All of this person's sessions that are not over, newest use first, this one among them.

        Raises:
            StoreUnavailable.
        """
        return self._own(session, self._clock.now())

    def client_name(self, client: str) -> str:
        """What people call a client; its id where it is gone."""
        found = self._active.current().revision.clients.get(client)
        return found.name if found is not None else client

    def end_session(self, session: Session, id: str, *, caller: Caller) -> None:
        """End one of this person's sessions; what it was given is worth nothing from here on.

        Raises:
            SessionUnknown: no such session, somebody else's, or over already: which is not told.
            AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        wanted = next((each for each in self._own(session, now) if each.id == id), None)
        if wanted is None or not self._store.sessions.end(id, now):
            raise SessionUnknown("no such session of this person")
        detail: dict[str, object] = {"by": "person", "from_session": session.id}
        self._record(AuditKind.SESSION_ENDED, wanted, caller, now, detail)

    def sign_in_history(self, session: Session, *, caller: Caller) -> Sequence[StoredRecord]:
        """This person's own sign-ins, refusals, proofs and changes of what they sign in with, newest first.

        Raises:
            StoreUnavailable.
        """
        who = session.identity
        found: list[StoredRecord] = []
        before: int | None = None
        for _ in range(_PAGES):
            wanted = Search(source=who.source, subject=who.subject, before=before, limit=_PAGE)
            page = self._store.audit.search(wanted)
            found += [each for each in page if each.record.kind in _HISTORY_KINDS]
            if len(found) >= HISTORY or len(page) < _PAGE:
                break
            before = page[-1].sequence
        return found[:HISTORY]

    def end_all_sessions(self, session: Session, *, caller: Caller) -> int:
        """End every session of this person's, this one too, and forget all known devices; how many.

        What waits for a second factor ends with the account's epoch, for local users and root.

        Raises:
            AccessRefused (a client's session), AuditUnavailable, StoreUnavailable.
        """
        of_a_browser(session)
        now = self._clock.now()
        who = session.identity
        self._record(AuditKind.SESSION_ENDED, session, caller, now, {"by": "person", "all": True})
        if own_people(who.source):
            self._store.users.renew_epoch(ROOT_SUBJECT if who.source == ROOT else who.subject, now)
        ended = self._store.sessions.end_all(who.source, who.subject, now)
        self._store.known_devices.forget_all(who.source, who.subject)
        return ended

    def _own(self, session: Session, now: datetime) -> Sequence[Session]:
        who = session.identity
        kept = self._store.sessions.of(who.source, who.subject, now)
        found = [lives for each in kept if (lives := self._living(each, now)) is not None]
        return sorted(found, key=lambda each: (each.last_used or each.created_at, each.id), reverse=True)
