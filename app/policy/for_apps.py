"""Why an app's person is given a role, or is not, in words for the app's developer.

They stand between the operator and the person: that a role exists is no secret, since the app's own file names it,
and which statement decided is told. The answer reaches whoever holds the app, though, so of conditions only those on
how somebody asks are told whole; of the others the key, and never the values, which may be other people's names and
groups. docs/decisions/0007 has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from app.model import Decision, Principal, Role
from app.policy.conditions import Condition
from app.policy.document import Statement
from app.policy.explain import name_of
from app.policy.index import Index
from app.policy.reach import DIALS
from app.policy.request import RequestContext
from app.policy.wording import THEM, listed, needs, shown


def why_given(decision: Decision) -> str:
    """Of an allow: `accounts.yaml/111122223333/Uploads` (statement 1) allows it."""
    return f"{listed(map(name_of, decision.matched), 'and')} allows it"


def why_not(index: Index, principal: Principal, role: Role, context: RequestContext, now: datetime) -> str:
    """Of anything else: every deny that stands against it, or the allow that came nearest, or that there is none."""
    arn = str(role.arn)
    about = [each for each in index.statements(principal, role) if each.covers_resource(arn, context)]
    said: list[str] = []
    shut: list[str] = []
    for name, statements in (("", tuple(about)), *index.guards(role)):
        relevant = [each for each in statements if each.covers_resource(arn, context)]
        said += [
            f"{name_of(each.reference)} denies it, {_denied(each, context, now)}"
            for each in relevant
            if each.deny and each.holds(context)
        ]
        if name and not any(not each.deny and each.holds(context) for each in relevant):
            shut.append(name)
    allows = [each for each in about if not each.deny]
    if not any(each.holds(context) for each in allows):
        said.append(_nearest(allows, principal, context, now))
    elif shut:
        said.append(f"guardrail {listed(map(shown, shut), 'and')} does not allow it")
    return "; ".join(said)


def _denied(statement: Statement, context: RequestContext, now: datetime) -> str:
    """What would have kept a Deny away: any one of its conditions."""
    ways = [
        needs(each, context, now, THEM, avoid=True)
        if each.key in DIALS
        else f"its condition on {shown(each.name)} is met"
        for each in statement.conditions
    ]
    return " or ".join(dict.fromkeys(ways)) or "whoever asks"


def _nearest(
    allows: Iterable[Statement], principal: Principal, context: RequestContext, now: datetime
) -> str:
    failed = [
        (statement, [each for each in statement.conditions if not each.holds(context, statement.deny)])
        for statement in allows
    ]
    if not failed:
        groups = listed(map(shown, sorted(principal.groups)), "and") or "none"
        return f"no statement for this person's groups ({groups}) is about it"
    statement, conditions = min(failed, key=lambda each: len(each[1]))
    reasons = " and ".join(dict.fromkeys(_unmet(each, context, now) for each in conditions))
    return f"{name_of(statement.reference)} would allow it, but {reasons}"


def _unmet(condition: Condition, context: RequestContext, now: datetime) -> str:
    if condition.key in DIALS:
        return needs(condition, context, now, THEM)
    return f"its condition on {shown(condition.name)} is not met"
