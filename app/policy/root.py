"""What the root user may do: the roles marked for emergencies, and everything of daypass itself.

No policy, guardrail or boundary is asked, so none can take it away, nor give it more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.model import Decision, Effect, Role, StatementRef

BREAK_GLASS: Final = StatementRef(policy="root", index=0, sid="BreakGlass")
"""Stands for the statement that lets root in; it is in no document."""


def decide(role: Role, revision: int) -> Decision:
    """May root assume this role?"""
    return allowed(revision) if role.break_glass else Decision(Effect.IMPLICIT_DENY, (), revision)


def assumable(roles: Iterable[Role], revision: int) -> list[tuple[Role, Decision]]:
    """All that root may assume."""
    return [(role, allowed(revision)) for role in roles if role.break_glass]


def allowed(revision: int) -> Decision:
    """Root may."""
    return Decision(Effect.ALLOW, (BREAK_GLASS,), revision)
