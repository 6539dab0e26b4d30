"""Second factors of others, as people may see them and, two together, take them away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.delegation.desk import Asking, Desk
from app.errors import PersonUnknown
from app.model import Caller, Session, SourceId
from app.people import LOCAL, Factor, Recovery
from app.policy import actions


@dataclass(frozen=True, slots=True)
class RecoveryFacts:
    """A request, as those see it who may decide it."""

    recovery: Recovery
    asked_by: str
    """For people to read."""
    decided_by: str
    own: bool
    """Asked by whoever looks, or about them: not theirs to decide."""


class Recovering(Desk):
    """Factors and requests."""

    def factors(self, session: Session, source: str, subject: str, *, caller: Caller) -> Sequence[Factor]:
        """A person's devices. Raises Unknown, AuditUnavailable, StoreUnavailable; so do all methods below."""
        self._need(session, actions.READ_FACTORS, actions.person_resource(source, subject), caller, {})
        return self._administration.factors(SourceId(source), subject)

    def recoveries(self, session: Session, *, caller: Caller) -> Sequence[RecoveryFacts]:
        """Requests about people whose factors one may recover, newest first."""
        asking = self._asking(session, caller)
        self._need_anywhere(asking, actions.RECOVER_FACTORS)
        by, called = asking.by, self._administration.called
        return [
            RecoveryFacts(
                recovery=each,
                asked_by=called(each.asked_by),
                decided_by=called(each.decided_by),
                own=each.asked_by == by.key or (each.source, each.subject) == (by.source, by.subject),
            )
            for each in self._administration.recoveries()
            if _may(asking, each)
        ]

    def ask_recovery(
        self, session: Session, source: str, subject: str, reason: str, *, caller: Caller
    ) -> Recovery:
        """Ask that a person's factors be taken away. Raises PersonUnknown, AskRefused too."""
        resource = actions.person_resource(source, subject)
        asking = self._need(session, actions.RECOVER_FACTORS, resource, caller, {"ask": True})
        username = self._username(SourceId(source), subject)
        return self._administration.ask_recovery(SourceId(source), subject, username, reason, by=asking.by)

    def decide_recovery(self, session: Session, id: str, *, approve: bool, caller: Caller) -> Recovery:
        """Approve or refuse somebody else's request. Raises UserUnknown, SecondPersonNeeded, AskRefused too."""
        self._need_anywhere(self._asking(session, caller), actions.RECOVER_FACTORS)
        asked = self._administration.recovery(id)
        resource = actions.person_resource(asked.source, asked.subject)
        asking = self._need(session, actions.RECOVER_FACTORS, resource, caller, {"approve": approve})
        return self._administration.decide_recovery(id, approve=approve, by=asking.by)

    def _username(self, source: SourceId, subject: str) -> str:
        """Raises PersonUnknown."""
        if source == LOCAL:
            user = self._store.users.get(subject)
            if user is not None:
                return user.username
        else:
            known = self._store.people.get(source, subject)
            if known is not None:
                return known.identity.username
        raise PersonUnknown("nobody of that source and subject is known")


def _may(asking: Asking, asked: Recovery) -> bool:
    return asking.may(actions.RECOVER_FACTORS, actions.person_resource(asked.source, asked.subject))
