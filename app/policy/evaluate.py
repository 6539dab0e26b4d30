"""The whole decision, as IAM makes it, from documents at hand. IAM User Guide, "Policy evaluation logic".

1. A matching Deny in any document: explicit deny.
2. Guardrails: an Allow at every level. 3. Identity policies: one Allow. 4. Every boundary: an Allow.
5. Session policies: an Allow in one of them. 6. Else implicit deny. Order never matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.model import Decision, Effect
from app.policy.document import Document, Kind, Statement
from app.policy.principals import Caller
from app.policy.request import RequestContext, Value
from app.policy.text import fold


def evaluate(
    action: str,
    resource: str,
    context: Mapping[str, Value],
    *,
    policies: Sequence[Document],
    boundaries: Sequence[Document] = (),
    guardrails: Sequence[Sequence[Document]] = (),
    sessions: Sequence[Document] = (),
    revision: int = 0,
) -> Decision:
    """Decide one question.

    `guardrails` are levels; a level without documents allows nothing. An empty sequence of boundaries,
    levels or session policies caps nothing. `matched` names the allows of the identity policies, or
    every deny of any document.
    """
    name = fold(action)
    known = RequestContext.of(context)
    levels = [_matching(level, name, resource, known) for level in guardrails]
    granted = _matching(policies, name, resource, known)
    limits = [_matching((boundary,), name, resource, known) for boundary in boundaries]
    session = _matching(sessions, name, resource, known)
    matching = [each for found in (granted, *limits, *levels, session) for each in found]
    denies = [each for each in matching if each.deny]
    if denies:
        return _decision(Effect.EXPLICIT_DENY, denies, revision)
    capped = all(levels) and all(limits) and (session or not sessions)
    if granted and capped:
        return _decision(Effect.ALLOW, granted, revision)
    return Decision(Effect.IMPLICIT_DENY, (), revision)


def _matching(
    documents: Iterable[Document], action: str, resource: str, context: RequestContext
) -> list[Statement]:
    return [
        statement
        for document in documents
        for statement in document.statements
        if statement.applies(action, resource, context)
    ]


def _decision(effect: Effect, statements: Iterable[Statement], revision: int) -> Decision:
    return Decision(effect, tuple(statement.reference for statement in statements), revision)


def trusts(trust: Document, caller: Caller, action: str, context: Mapping[str, Value]) -> Decision:
    """Whether a role's trust policy lets a caller in (its own word only; the caller's policies are another)."""
    if trust.kind is not Kind.TRUST:
        raise TypeError(f"{trust.name} is a {trust.kind.value}")
    name = fold(action)
    known = RequestContext.of(context)
    found = [
        statement
        for statement in trust.statements
        if statement.principals is not None
        and statement.principals.names(caller) is not statement.not_principal
        and statement.applies(name, "", known)
    ]
    denies = [statement for statement in found if statement.deny]
    if denies:
        return _decision(Effect.EXPLICIT_DENY, denies, 0)
    return _decision(Effect.ALLOW if found else Effect.IMPLICIT_DENY, found, 0)
