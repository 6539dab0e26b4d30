"""Uses of root, as people may see them and sign them off."""

from __future__ import annotations

from collections.abc import Sequence

from app.admin import RootState
from app.delegation.desk import Desk
from app.model import Caller, Session
from app.people import RootUse
from app.policy import actions


class WatchingRoot(Desk):
    """Break-glass, looked at."""

    def root_state(self, session: Session, *, caller: Caller) -> RootState:
        """How root stands. Raises Unknown, AuditUnavailable, StoreUnavailable; so do those below."""
        self._need(session, actions.READ_ROOT, actions.ROOT, caller, {"read": "state"})
        return self._administration.root_state()

    def root_uses(self, session: Session, *, caller: Caller) -> Sequence[RootUse]:
        """Every use, newest first."""
        self._need(session, actions.READ_ROOT, actions.ROOT, caller, {"read": "uses"})
        return self._administration.root_uses()

    def sign_off_root(self, session: Session, id: str, note: str, *, caller: Caller) -> None:
        """Sign a use off. Raises SecondPersonNeeded (root itself), AskRefused too."""
        asking = self._need(session, actions.SIGN_OFF_ROOT, actions.ROOT, caller, {"use": id[:64]})
        self._administration.sign_off_root(id, note, by=asking.by)
