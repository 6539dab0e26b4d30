"""What a person is signed in with: browsers, helpers and apps; and ending any of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.broker.desk import Desk
from app.errors import SessionUnknown
from app.model import AuditKind, Caller, Session


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

    def _own(self, session: Session, now: datetime) -> Sequence[Session]:
        who = session.identity
        kept = self._store.sessions.of(who.source, who.subject, now)
        found = [lives for each in kept if (lives := self._living(each, now)) is not None]
        return sorted(found, key=lambda each: (each.last_used or each.created_at, each.id), reverse=True)
