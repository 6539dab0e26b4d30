"""A policy that is not there yet: its text, what lint says, and whom it would give or take what. Pure.

What it would change is worked out as for every change of the configuration (`app.access`), without compiling
the rest of the configuration anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from app.access import Known, Shift, View, compare, held
from app.errors import Unavailable
from app.model import Caller, Group, PolicyText, Principal, Revision
from app.policy import Kind, PolicyProblem, lint, parse, supplied_keys
from app.policy.actions import ACTIONS, SIGN_IN, AdminAction
from app.policy.generate import Wanted, generate

_NOBODY_YET = Caller(request_id="-", address="")
_GRANTED = tuple(row for row in ACTIONS if row is not SIGN_IN)
"""What policies grant; signing in needs no Allow."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was chosen, and under which name."""

    name: str
    """Of `policies/NAME.json`."""
    wanted: Wanted
    groups: tuple[str, ...] = ()
    """Groups to attach it to; without any, it is looked at as if every group carried it."""


@dataclass(frozen=True, slots=True)
class Handed:
    """People who could administer more or less of daypass, signed in as they last were."""

    people: tuple[Known, ...]
    gains: tuple[AdminAction, ...]
    loses: tuple[AdminAction, ...]


@dataclass(frozen=True, slots=True)
class Drafted:
    """The document and what it would do."""

    draft: Draft
    text: str
    warnings: tuple[PolicyProblem, ...]
    replaces: bool
    """The active revision has a policy of that name, with another text."""
    shifts: tuple[Shift, ...]
    """Who would gain and lose which roles; those with most at stake first."""
    handed: tuple[Handed, ...]
    looked_at: int
    """How many people are known who would hold it."""


def draft(wanted: Draft, view: View, people: Iterable[Known], now: datetime) -> Drafted:
    """Write the document and try it on people.

    Raises:
        PolicyInvalid: with every choice that makes no sense, or every problem of the document.
        Unavailable: the index lacks a policy that is attached.
    """
    revision = view.revision
    policy = PolicyText(wanted.name, generate(wanted.wanted, wanted.name), f"policies/{wanted.name}.json")
    warnings = tuple(lint(parse(policy, Kind.IDENTITY), supplied_keys(revision)))
    principals = [(each, who) for each in people if (who := held(each, revision)) is not None]
    known = [each for each, _ in principals]
    groups = frozenset(wanted.groups) or _every(revision, (who for _, who in principals))
    carrying = _carrying(revision, policy, groups)
    after = View(carrying, view.index.extended(carrying, policy))
    holders = [each for each, who in principals if not groups.isdisjoint(who.groups)]
    present = revision.policies.get(wanted.name)
    replaces = present is not None and present.text != policy.text
    # Another text of a policy that is there changes something for all who have it by now, too.
    touched = known if replaces else holders
    return Drafted(
        draft=wanted,
        text=policy.text,
        warnings=warnings,
        replaces=replaces,
        shifts=tuple(compare(view, after, touched, now)),
        handed=handed(view, after, touched),
        looked_at=len(touched),
    )


def role_pattern(typed: str, revision: Revision) -> str:
    """`production/ReadOnly`, `111122223333/ReadOnly` or `*/ReadOnly` as an ARN; anything else as it is."""
    account, slash, name = typed.partition("/")
    if not slash or ":" in typed:
        return typed
    partition = revision.settings.aws.partition
    if account == "*":
        return f"arn:{partition}:iam::*:role/{name}"
    for role in revision.roles.values():
        if account in (role.account, role.account_name):
            return f"arn:{partition}:iam::{role.account}:role/{name}"
    return typed


def _every(revision: Revision, people: Iterable[Principal]) -> frozenset[str]:
    """Every group that there is, with those that a source's people bring under its own name."""
    return frozenset((*revision.groups, *(group for who in people for group in who.groups)))


def _carrying(revision: Revision, policy: PolicyText, groups: Iterable[str]) -> Revision:
    """The revision with the policy in it, carried by the groups."""
    changed = dict(revision.groups)
    for name in groups:
        group = changed.get(name) or Group(name)
        if policy.name not in group.policies:
            changed[name] = replace(group, policies=(*group.policies, policy.name))
    return replace(revision, groups=changed, policies={**revision.policies, policy.name: policy})


def handed(before: View | None, after: View, people: Iterable[Known]) -> tuple[Handed, ...]:
    """Who could administer more or less of daypass, were `after` active; a source that is not there gives nothing."""
    alike: dict[tuple[frozenset[AdminAction], frozenset[AdminAction]], list[Known]] = {}
    for known in people:
        had, has = _rights(before, known), _rights(after, known)
        if had != has:
            alike.setdefault((has - had, had - has), []).append(known)
    return tuple(
        Handed(tuple(those), _ordered(gains), _ordered(loses)) for (gains, loses), those in alike.items()
    )


def _ordered(rows: frozenset[AdminAction]) -> tuple[AdminAction, ...]:
    return tuple(row for row in ACTIONS if row in rows)


def _rights(view: View | None, known: Known) -> frozenset[AdminAction]:
    who = None if view is None else held(known, view.revision)
    if view is None or who is None:
        return frozenset()
    context = view.index.contexts(who, _NOBODY_YET, known.identity.authentication.at).person
    try:
        return frozenset(row for row in _GRANTED if view.index.permits_anywhere(who, row, context))
    except Unavailable:  # a policy of theirs is not in this revision: they may do nothing
        return frozenset()
