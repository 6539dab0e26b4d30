"""Statements filed under the roles that they can match, so that a decision looks at few of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.policy.catalogue import Catalogue
from app.policy.document import Statement
from app.policy.patterns import Resource
from app.policy.text import fold

ACTION: Final = "sts:AssumeRole"
_FOLDED: Final = fold(ACTION)


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """The statements of one attachment: a managed policy, a group's own, a person's own document, a guardrail level."""

    filed: Mapping[str, tuple[Statement, ...]]
    """By the ARN of each role that the statement is about, whatever its conditions."""
    aside: tuple[Statement, ...]
    """To be tried on every role."""
    statements: tuple[Statement, ...]
    """All of them."""
    passing: bool = False
    """A person's own: what is remembered about it goes when it does."""


class Filing:
    """Makes units: one for a compilation, another for each document that comes later."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._few: dict[Resource, tuple[str, ...] | None] = {}

    def unit(self, statements: Iterable[Statement], *, passing: bool = False) -> Unit | None:
        """File statements; None if none of them is about assuming roles."""
        relevant = tuple(each for each in statements if each.covers_action(_FOLDED))
        if not relevant:
            return None
        filed: dict[str, tuple[Statement, ...]] = {}
        aside: list[Statement] = []
        for statement in relevant:
            arns = self._arns(statement)
            if arns is None:
                aside.append(statement)
                continue
            for arn in arns:
                known = filed.get(arn)
                filed[arn] = (statement,) if known is None else (*known, statement)
        return Unit(filed, tuple(aside), relevant, passing)

    def _arns(self, statement: Statement) -> Iterable[str] | None:
        if statement.not_resource:
            return None
        found: dict[str, None] = {}
        for resource in statement.resources:
            if resource in self._few:
                few = self._few[resource]
            else:
                few = self._few[resource] = self._catalogue.few(resource)
            if few is None:
                return None
            if len(statement.resources) == 1:
                return few
            found.update(dict.fromkeys(few))
        return found
