"""A policy document, compiled: what it says, ready to be asked.

Statements are shared and never change. The place of a statement in its file is looked up in the text
when somebody asks, and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from app.model import PolicyText, StatementRef
from app.policy import unverified
from app.policy.conditions import Condition
from app.policy.patterns import Actions, Resource
from app.policy.places import Lines
from app.policy.principals import Principals
from app.policy.request import RequestContext


class Kind(Enum):
    """What a document is for; the elements and sizes that IAM takes follow from it."""

    IDENTITY = "identity policy"
    GUARDRAIL = "guardrail"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    TRUST = "trust policy"


CURRENT: Final = "2012-10-17"
OLD: Final = "2008-10-17"


class Statement:
    """One statement. `actions` and `resources` hold what the Not… elements list if `not_…` is set."""

    __slots__ = (
        "_reference",
        "actions",
        "conditions",
        "deny",
        "index",
        "lines",
        "not_action",
        "not_principal",
        "not_resource",
        "principals",
        "resources",
        "sid",
        "source",
    )

    def __init__(
        self,
        source: PolicyText,
        index: int,
        sid: str | None,
        lines: Lines | None,
        *,
        deny: bool,
        actions: Actions,
        not_action: bool,
        resources: tuple[Resource, ...],
        not_resource: bool,
        conditions: tuple[Condition, ...],
        principals: Principals | None = None,
        not_principal: bool = False,
    ) -> None:
        self.source = source
        self.index = index
        self.sid = sid
        self.lines = lines
        self.deny = deny
        self.actions = actions
        self.not_action = not_action
        self.resources = resources
        self.not_resource = not_resource
        self.conditions = conditions
        self.principals = principals
        self.not_principal = not_principal
        self._reference: StatementRef | None = None

    def covers_action(self, action: str) -> bool:
        """True if the statement is about a folded action."""
        return self.actions.match(action) is not self.not_action

    def covers_resource(self, resource: str, context: RequestContext) -> bool:
        """True if the statement is about a resource; where the language leaves it open, what is safe."""
        if not self.not_resource:
            return any(entry.matches(resource, context, self.deny) for entry in self.resources)
        unsure = not self.deny
        unresolved = unverified.unresolved_in_not_resource(unsure)
        return not any(
            entry.matches(resource, context, unsure, unresolved=unresolved) for entry in self.resources
        )

    def holds(self, context: RequestContext) -> bool:
        """True if all conditions do."""
        return all(condition.holds(context, self.deny) for condition in self.conditions)

    def applies(self, action: str, resource: str, context: RequestContext) -> bool:
        """True if action (folded), resource and all conditions match."""
        return self.covers_action(action) and self.covers_resource(resource, context) and self.holds(context)

    @property
    def reference(self) -> StatementRef:
        """The statement's name and place."""
        if self._reference is None:
            source = self.source
            self._reference = StatementRef(
                policy=source.name,
                index=self.index,
                sid=self.sid,
                file=source.file or None,
                line=self.lines.statement(self.index) if self.lines else source.line,
            )
        return self._reference

    def _identity(self) -> tuple[object, ...]:
        return (
            self.index,
            self.sid,
            self.deny,
            self.actions,
            self.not_action,
            self.resources,
            self.not_resource,
            self.conditions,
            self.principals,
            self.not_principal,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Statement) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((self.index, self.sid, self.deny, self.actions, self.resources))


@dataclass(frozen=True, slots=True)
class Document:
    """A checked document. Two are equal if they say the same in the same order, wherever they stand."""

    kind: Kind
    version: str
    statements: tuple[Statement, ...]
    source: PolicyText = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.source.name
