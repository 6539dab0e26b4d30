"""Sessions of others, as people may see and end them."""

from __future__ import annotations

from collections.abc import Sequence

from app.delegation.desk import Desk
from app.model import Caller, Session, SourceId
from app.policy import actions


class EndingSessions(Desk):
    """Where people are signed in."""

    def sessions_of(
        self, session: Session, source: str, subject: str, *, caller: Caller
    ) -> Sequence[Session]:
        """A person's sessions, newest first. Raises Unknown, AuditUnavailable, StoreUnavailable; so do those below."""
        self._need(session, actions.READ_SESSIONS, actions.person_resource(source, subject), caller, {})
        return self._administration.sessions_of(SourceId(source), subject)

    def end_sessions(
        self, session: Session, source: str, subject: str, id: str | None = None, *, caller: Caller
    ) -> int:
        """End all of a person's sessions, or the one of that id; how many. Raises SessionUnknown too."""
        resource = actions.person_resource(source, subject)
        asking = self._need(session, actions.END_SESSIONS, resource, caller, {"session": id or "all"})
        if id is None:
            return self._administration.end_sessions(SourceId(source), subject, by=asking.by)
        self._administration.end_session(SourceId(source), subject, id, by=asking.by)
        return 1
