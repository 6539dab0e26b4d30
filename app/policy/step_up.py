"""Which roles a factor of the broker's own would open, proven now. Pure: each is decided anew.

What a proof would make of the authentication is the broker's to say (`Proofs`); what that opens is said here. A
person's first factor counts for roles of level admin only in a sign-in that began after it was enrolled: whoever
stole a session could have enrolled it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from app.model import Authentication, Decision, Level, Principal, Role, RoleArn
from app.people import FactorKind
from app.policy.index import Index
from app.policy.request import Value

ADMIN: Final[Level] = "admin"
_OF_FACTORS: Final = frozenset({"otp", "hwk", "swk", "user", "mfa"})
"""amr values (RFC 8176) that a proof of the broker's factors adds."""

Contexts = Callable[[Role], Mapping[str, Value]]
Asking = Callable[[Principal], Contexts]
"""A person, with the authentication that is supposed → how they would ask for each role (`Index.contexts`)."""
Proofs = Mapping[FactorKind, Sequence[Authentication]]
"""A kind of factor → what proving one now would make of the authentication: one for each that tells apart."""


def counted(authentication: Authentication, began: datetime, level: Level) -> Authentication:
    """The authentication as it counts for roles of a level, in a session whose sign-in began then.

    For roles of level admin a second factor that was enrolled since counts as none.
    """
    if level != ADMIN or not _fresh(authentication, began):
        return authentication
    return replace(
        authentication,
        methods=tuple(each for each in authentication.methods if each not in _OF_FACTORS),
        mfa_at=None,
        phishing_resistant=False,
    )


def as_counted(principal: Principal, began: datetime, level: Level) -> Principal:
    """The person as they count for roles of a level."""
    how = principal.identity.authentication
    made = counted(how, began, level)
    return principal if made is how else _proving(principal, made)


def allowed(
    index: Index, principal: Principal, asking: Asking, began: datetime
) -> list[tuple[Role, Decision]]:
    """Every role that the person may assume now: `Index.assumable` with authentications as they count.

    Raises Unavailable as `Index.decide` does.
    """
    found = index.assumable(principal, asking(principal))
    strict = as_counted(principal, began, ADMIN)
    if strict is principal:
        return found
    # Asked twice only in the sign-in in which a first factor was enrolled.
    return [each for each in found if each[0].level != ADMIN] + [
        each for each in index.assumable(strict, asking(strict)) if each[0].level == ADMIN
    ]


def opening(
    index: Index, principal: Principal, role: Role, asking: Asking, began: datetime, proofs: Proofs
) -> tuple[FactorKind, ...]:
    """The kinds of which a proof would open this role, in the order given; none if it is open by now.

    Raises Unavailable as `Index.decide` does.
    """

    def opens(who: Principal) -> bool:
        known = as_counted(who, began, role.level)
        return index.decide(known, role, asking(known)(role)).allowed

    if opens(principal):
        return ()
    return tuple(
        kind for kind, made in proofs.items() if any(opens(_proving(principal, how)) for how in made)
    )


def added(
    index: Index, principal: Principal, asking: Asking, began: datetime, proofs: Proofs
) -> list[tuple[Role, tuple[FactorKind, ...]]]:
    """The roles that are shut now and that a proof would open, each with the kinds of which one would.

    Raises Unavailable as `Index.decide` does.
    """
    open_now = allowed(index, principal, asking, began)
    now: frozenset[RoleArn] | None = None
    found: dict[str, tuple[Role, list[FactorKind]]] = {}
    for kind, made in proofs.items():
        for how in made:
            then = allowed(index, _proving(principal, how), asking, began)
            if then == open_now:
                continue  # mostly, and seen at once: the index answers the same question with the same objects
            now = now if now is not None else frozenset(role.arn for role, _ in open_now)
            for role, _ in then:
                if role.arn in now:
                    continue
                kinds = found.setdefault(str(role.arn), (role, []))[1]
                if kind not in kinds:
                    kinds.append(kind)
    return [(role, tuple(kinds)) for role, kinds in found.values()]


def _fresh(authentication: Authentication, began: datetime) -> bool:
    return authentication.enrolled_at is not None and authentication.enrolled_at >= began


def _proving(principal: Principal, how: Authentication) -> Principal:
    return replace(principal, identity=replace(principal.identity, authentication=how))
