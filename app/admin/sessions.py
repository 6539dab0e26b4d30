"""Sessions of people, as administrators see and end them."""

from __future__ import annotations

from collections.abc import Sequence

from app.admin.desk import By, Desk
from app.errors import SessionUnknown
from app.model import AuditKind, Session, SourceId
from app.people import LOCAL, ROOT


class EndingSessions(Desk):
    """Where people are signed in."""

    def sessions_of(self, source: SourceId, subject: str) -> Sequence[Session]:
        """A person's sessions that are alive, newest first. Raises StoreUnavailable."""
        return self._store.sessions.of(source, subject, self._clock.now())

    def end_session(self, source: SourceId, subject: str, id: str, *, by: By) -> None:
        """End one of them. Raises SessionUnknown, AuditUnavailable, StoreUnavailable."""
        now = self._clock.now()
        if not any(each.id == id for each in self.sessions_of(source, subject)):
            raise SessionUnknown("no such session of that person", words="There is no such session any more.")
        detail: dict[str, object] = {"session": id}
        self._note(AuditKind.SESSION_ENDED, by, now, detail, person=(source, subject))
        self._store.sessions.end(id, now)

    def end_sessions(self, source: SourceId, subject: str, *, by: By) -> int:
        """End all of them, and what they were given; how many. Raises AuditUnavailable, StoreUnavailable."""
        now = self._clock.now()
        self._note(AuditKind.SESSION_ENDED, by, now, {"all": True}, person=(source, subject))
        if source in (LOCAL, ROOT):
            # A sign-in that goes on just now ends too. Root's subject is its account.
            self._store.users.renew_epoch(subject, now)
        return self._store.sessions.end_all(source, subject, now)
