"""Conditions, split into what asks about the role and what asks about the person, who is the same for all roles."""

from __future__ import annotations

from typing import Final

from app.policy.conditions import Condition
from app.policy.context import of_catalogue, of_role
from app.policy.document import Statement
from app.policy.request import RequestContext

_REMEMBERED: Final = 65_536


class Gate:
    """A distinct set of conditions that ask about the person alone; evaluated once for all roles."""

    __slots__ = ("conditions", "deny")

    def __init__(self, conditions: tuple[Condition, ...], *, deny: bool) -> None:
        self.conditions = conditions
        self.deny = deny

    def holds(self, context: RequestContext) -> bool:
        return all(condition.holds(context, self.deny) for condition in self.conditions)


Split = tuple[tuple[Condition, ...], Gate | None]
"""Conditions about the role, and the gate of those about the person."""


class Splits:
    """Splits conditions; the same conditions give the same gate."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool], tuple[tuple[Condition, ...], Split | None]] = {}

    def of(self, statement: Statement) -> Split | None:
        """None if it has conditions of other kinds as well."""
        # Compiled conditions are shared. Their id stands for them, and holding them keeps it theirs: those of
        # users' own documents would else go, and others come in their place.
        conditions = statement.conditions
        key = (id(conditions), statement.deny)
        known = self._known.get(key)
        if known is None:
            about_role = tuple(each for each in conditions if of_catalogue(each.key))
            about_person = tuple(each for each in conditions if not of_role(each.key))
            plain = len(about_role) + len(about_person) == len(conditions) and not any(
                "${" in text for each in conditions for text in each.values
            )
            gate = Gate(about_person, deny=statement.deny) if about_person else None
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known.setdefault(key, (conditions, (about_role, gate) if plain else None))
        return known[1]
