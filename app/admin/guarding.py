"""What stands before a role: a second factor asked at every sign-in, or a condition on the way. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.access import Reach, View, held, who_can
from app.admin.users import known_groups
from app.errors import Unavailable
from app.everybody import local_identity
from app.model import Authentication, Caller, Identity, Principal, Role
from app.people import ROOT, LocalUser
from app.store import KnownPerson

_MFA: Final = ("aws:multifactorauthpresent", "aws:multifactorauthage", "daypass:phishingresistant", ":amr ")
"""Keys, folded, whose conditions ask for a second factor."""
_NOBODY_YET: Final = Caller(request_id="-", address="")


def asked_at_sign_in(view: View, known: KnownPerson, now: datetime, *, devices: bool) -> bool:
    """Whether somebody proves a second factor here at every sign-in, whatever role they want then.

    `devices`: they are a local user who has some. Root always does. Else a group says so, or a policy that forbids
    them to sign in without one. What a directory asks of its own accord is not known here.
    """
    if devices or known.identity.source == ROOT:
        return True
    who = held(known, view.revision)
    if who is None:
        return False
    groups = view.revision.groups
    if any(groups[name].mfa for name in who.groups if name in groups):
        return True
    plain = Authentication(at=now, methods=("pwd",))
    proven = replace(plain, methods=("pwd", "hwk", "user", "mfa"), mfa_at=now, phishing_resistant=True)
    try:
        return _forbidden(view, who, plain, now) and not _forbidden(view, who, proven, now)
    except Unavailable:  # a policy of theirs is not in this revision: they get nothing
        return False


def _forbidden(view: View, who: Principal, how: Authentication, now: datetime) -> bool:
    who = replace(who, identity=replace(who.identity, authentication=how))
    context = view.index.contexts(who, _NOBODY_YET, now).person
    return bool(view.index.sign_in_denied(who, context).matched)


def asks_mfa(reach: Reach) -> bool:
    """Whether the way to the role asks for a second factor: by what it takes, or by what forbids it."""
    if reach.assumed:  # it was asked about without one
        return False
    if any(each.deny and each.conditions and all(map(_on_mfa, each.conditions)) for each in reach.doubts):
        return True
    allows = [each for each in reach.doubts if not each.deny]
    return bool(allows) and all(any(map(_on_mfa, each.conditions)) for each in allows)


def _on_mfa(condition: str) -> bool:
    return any(key in condition.casefold() for key in _MFA)


@dataclass(frozen=True, slots=True)
class _Member:
    """Somebody who is in one group, and nothing else."""

    identity: Identity
    since: datetime
    user: LocalUser


def open_groups(view: View, role: Role, now: datetime) -> tuple[str, ...]:
    """Flat groups whose members reach a role on no condition, whether there are members yet or not."""
    members = [_member(name, now) for name in sorted(known_groups(view.revision))]
    return tuple(reach.known.identity.groups[0] for reach in who_can(view, role, members, now) if reach.sure)


def _member(group: str, now: datetime) -> _Member:
    user = LocalUser(id="-", username="-", groups=(group,))
    return _Member(local_identity(user, Authentication(at=now)), now, user)
