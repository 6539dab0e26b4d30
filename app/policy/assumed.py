"""What may hold in a request that nobody has made: some of its keys are only assumed.

Of a person whom a sign-in has shown, the claims are known; from where, when, with which client and how
freshly proven they will ask is not. Whatever depends on that is neither yes nor no, but `None` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.model import StatementRef
from app.policy import conditions
from app.policy.conditions import Condition
from app.policy.context import of_role
from app.policy.document import Statement
from app.policy.patterns import Variable
from app.policy.request import RequestContext
from app.policy.text import fold

_PRESENT: Final = frozenset(
    {
        "aws:currenttime",
        "aws:epochtime",
        "aws:multifactorauthpresent",
        "aws:securetransport",
        "aws:sourceip",
        "daypass:authenticationage",
        "daypass:phishingresistant",
    }
)
"""Always there, with whatever value."""
_KEYS: Final = _PRESENT | {
    "aws:multifactorauthage",
    "aws:useragent",
    "daypass:acr",
    "daypass:amr",
    "daypass:claim/acr",
    "daypass:claim/amr",
    "daypass:claim/auth_time",
    "daypass:client",
    "daypass:device",
    "daypass:identity-id",
}


def assumed(key: str) -> bool:
    """True for a folded key whose value the next request or sign-in decides, and no sign-in of the past."""
    return key in _KEYS or key.endswith(":amr")


def holds(conditions_: Iterable[Condition], context: RequestContext, deny: bool) -> bool | None:
    """Whether all conditions hold; None if that depends on assumed keys."""
    answer: bool | None = True
    for condition in conditions_:
        if _open(condition):
            answer = None
        elif not condition.holds(context, deny):
            return False
    return answer


def matches(statement: Statement, arn: str | None, context: RequestContext) -> bool | None:
    """Whether a statement is about a role (None: that is known already) and its conditions hold."""
    by_request = arn is not None and _variable(statement, assumed)
    if arn is not None and not by_request and not statement.covers_resource(arn, context):
        return False
    answer = holds(statement.conditions, context, statement.deny)
    return None if answer and by_request else answer


def named_by_request(statement: Statement) -> bool:
    """True if what the statement is about depends on more than the person: on the role, or the request."""
    return _variable(statement, lambda key: assumed(key) or of_role(key))


def told(conditions_: Iterable[Condition]) -> tuple[str, ...]:
    """Those of them that depend on assumed keys, in words."""
    return tuple(_words(each) for each in conditions_ if _open(each))


def _variable(statement: Statement, that: Callable[[str], bool]) -> bool:
    return any(
        isinstance(part, Variable) and that(part.key) for entry in statement.resources for part in entry.parts
    )


def _open(condition: Condition) -> bool:
    if condition.operator == conditions.NULL and condition.key in _PRESENT:
        return False
    if assumed(condition.key):
        return True
    return any("${" in text and any(key in fold(text) for key in _KEYS) for text in condition.values)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A statement that would settle the answer, and the conditions of it that could not be known."""

    statement: StatementRef
    deny: bool
    conditions: tuple[str, ...]
    """`Bool aws:MultiFactorAuthPresent true`; empty where it is the resource that depends on the request."""

    def __str__(self) -> str:
        """`if …` for an Allow, `unless …` for a Deny, with its place."""
        words = " and ".join(self.conditions) or "its resource fits"
        return f"{'unless' if self.deny else 'if'} {words}: {self.statement}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A decision as far as it is known: `sure` whatever the request is like, `possible` for some requests."""

    sure: bool
    possible: bool
    doubts: tuple[Doubt, ...]


def bounds(
    attached: Sequence[tuple[Statement, bool | None]],
    levels: Sequence[Sequence[tuple[Statement, bool | None]]],
) -> Bounds:
    """The decision over statements and what each comes to (`matches`), as `Index` decides."""
    doubts: list[Doubt] = []
    allowed = _said(attached, deny=False)
    denied = _said((*attached, *(each for level in levels for each in level)), deny=True)
    capped = [_said(level, deny=False) for level in levels]
    sure = allowed is True and denied is False and all(passed is True for passed in capped)
    possible = allowed is not False and denied is not True and all(passed is not False for passed in capped)
    if possible and not sure:
        for found, said in ((attached, allowed), *zip(levels, capped, strict=True)):
            doubts += [
                _doubt(each) for each, matched in found if matched is None and (each.deny or said is None)
            ]
    return Bounds(sure, possible, tuple(doubts))


def _said(found: Iterable[tuple[Statement, bool | None]], *, deny: bool) -> bool | None:
    """True if some statement of that effect matches, None if some may, False if none does."""
    answers = [matched for statement, matched in found if statement.deny is deny]
    return True if True in answers else None if None in answers else False


def _doubt(statement: Statement) -> Doubt:
    return Doubt(statement.reference, statement.deny, told(statement.conditions))


def _words(condition: Condition) -> str:
    ends = "IfExists" if condition.if_exists else ""
    values = ", ".join(condition.values)
    return f"{condition.quantifier.value}{condition.operator}{ends} {condition.name} {values}".rstrip()
