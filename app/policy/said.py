"""Statements that matched, as a decision that names them."""

from __future__ import annotations

from collections.abc import Iterable

from app.model import Decision, Effect
from app.policy.document import Statement


def decision(effect: Effect, statements: Iterable[Statement], revision: int) -> Decision:
    """The decision, its statements in one order."""
    references = [statement.reference for statement in statements]
    if len(references) > 1:
        references.sort(key=lambda reference: (reference.policy, reference.file or "", reference.index))
    return Decision(effect, tuple(references), revision)
