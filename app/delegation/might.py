"""How much of daypass a local user may administer: so that nobody gives, or becomes, more than they are.

Counted by actions, not by what each is allowed on: that is for the policies to say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.delegation.desk import Asking
from app.errors import Unavailable
from app.everybody import local_identity
from app.model import Authentication
from app.people import LocalUser, UserState
from app.policy.actions import ACTIONS, SIGN_IN, AdminAction
from app.principal import principal

GRANTED: Final = frozenset(row for row in ACTIONS if row is not SIGN_IN)
"""What takes an Allow."""


def own_might(asking: Asking) -> frozenset[AdminAction]:
    """What the one who asks may do now, to anything."""
    index = asking.running.index
    return frozenset(row for row in GRANTED if index.permits_anywhere(asking.person, row, asking.context))


def might_of(
    asking: Asking, user: LocalUser, unsaid: frozenset[AdminAction] = GRANTED
) -> frozenset[AdminAction]:
    """What a user might do in some request: with a second factor or without, later, from elsewhere.

    Not what they may now: a condition that holds tomorrow would be a gift all the same. Disabled ones too, as if they
    were enabled. `unsaid` where a policy of theirs is not in the revision, so that it cannot be said.
    """
    revision, index = asking.running.revision, asking.running.index
    user = replace(user, state=UserState.ACTIVE)
    who = principal(local_identity(user, Authentication(at=asking.now)), revision, user=user)
    try:
        return frozenset(row for row in GRANTED if index.conceivable(who, row))
    except Unavailable:
        return unsaid
