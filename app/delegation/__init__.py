"""The second door as signed-in people may use it: the policy engine decides, each step is on record.

`Administration` is for whoever holds the machine and may do everything. Here every method first asks whether
this person may take a `daypass:` action on this thing; a "no" looks like an address that does not exist. The
record is durable before anything is shown or done.
"""

from __future__ import annotations

from app.delegation.configuring import Configuring, Difference, Planned
from app.delegation.people import Case, Choices, KnowingPeople
from app.delegation.recovering import Recovering, RecoveryFacts
from app.delegation.rooting import WatchingRoot
from app.delegation.sessions import EndingSessions
from app.delegation.users import GroupFacts, UserChoices, Users
from app.model import Caller, Session
from app.policy import actions
from app.policy.actions import AdminAction


class Delegation(Configuring, KnowingPeople, Users, Recovering, EndingSessions, WatchingRoot):
    """What people may administer. Safe to use from many threads at once."""

    def rights(self, session: Session, *, caller: Caller) -> frozenset[AdminAction]:
        """The actions that this person may take on anything; nothing is put on record."""
        asking = self._asking(session, caller)
        index = asking.running.index
        return frozenset(
            row for row in actions.ACTIONS if index.permits_anywhere(asking.person, row, asking.context)
        )


__all__ = [
    "Case",
    "Choices",
    "Delegation",
    "Difference",
    "GroupFacts",
    "Planned",
    "RecoveryFacts",
    "UserChoices",
]
