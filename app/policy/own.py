"""Inline documents of single people, compiled when they are first asked about and remembered for a while.

They are kept in the store and not in a revision, so a revision's compilation has not seen them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.errors import Unavailable
from app.model import PolicyText
from app.policy import rights
from app.policy.catalogue import Catalogue
from app.policy.document import Kind, Statement
from app.policy.filing import Filing, Unit
from app.policy.problems import PolicyInvalid
from app.policy.read import parse

_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Own:
    """One document, by what it is about."""

    unit: Unit | None
    """Roles."""
    administration: tuple[Statement, ...]
    """Daypass itself."""


class OwnDocuments:
    """Compiles them for a catalogue of roles."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[PolicyText, Own] = {}

    def of(self, text: PolicyText) -> Own:
        """Raises Unavailable if it cannot be read: what it would deny is not known."""
        known = self._known.get(text)
        if known is None:
            try:
                document = parse(text, Kind.IDENTITY)
            except PolicyInvalid as invalid:
                raise Unavailable(f"an inline policy cannot be read: {invalid}") from None
            known = Own(
                Filing(self._catalogue).unit(document.statements, passing=True),
                rights.about(document.statements),
            )
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = known
        return known
