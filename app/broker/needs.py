"""What a sign-in needs next: a factor, an enrolment, or nothing more. One function says so, for every way in. Pure.

root                             a factor, always
a local user who has a device    a factor, at every sign-in
whom a group with `mfa: true`    a factor that counts: the directory's own, if its proof had one, else the broker's
  holds
whom a policy denies             what makes the Deny on `daypass:SignIn` go away, if anything of theirs does
  the sign-in
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from app.active import Running
from app.broker.own_people import own_people
from app.broker.proofs import ENROLABLE, would_prove
from app.errors import SignInNotAllowed
from app.model import Authentication, Caller, Effect, Principal
from app.people import Factor, FactorKind


@dataclass(frozen=True, slots=True)
class Need:
    """The next step of a sign-in."""

    what: Literal["session", "factor", "enrolment"]
    kinds: tuple[FactorKind, ...] = ()
    """That would do, best first."""


_NOTHING = Need("session")


def need(
    running: Running, person: Principal, devices: Sequence[Factor], caller: Caller, now: datetime
) -> Need:
    """What is needed next of somebody whose proofs so far are in their authentication; `devices` are all they have.

    Raises:
        SignInNotAllowed: nothing that they could prove here makes a Deny on `daypass:SignIn` go away.
    """
    how = person.identity.authentication
    denied = running.index.may_deny_sign_in(person) and _denied(running, person, how, caller, now)
    if not denied and (how.mfa_at is not None or not _bound(running, person, devices)):
        return _NOTHING
    have = _kinds(devices)
    if not denied:
        return Need("factor", have) if have else Need("enrolment", ENROLABLE)

    def clears(kind: FactorKind) -> bool:
        return any(
            not _denied(running, person, made, caller, now) for made in would_prove(how, kind, devices, now)
        )

    if mine := tuple(filter(clears, have)):
        return Need("factor", mine)
    if new := tuple(kind for kind in ENROLABLE if kind not in have and clears(kind)):
        # Whoever has a device shows first that it is they who add another.
        return Need("factor", have) if have and how.mfa_at is None else Need("enrolment", new)
    raise SignInNotAllowed(f"{person.identity.source}/{person.identity.subject} is denied daypass:SignIn")


def check_sign_in(running: Running, person: Principal, client: str, caller: Caller, now: datetime) -> None:
    """For people whom an app brings, who prove nothing here: whether a policy denies them the sign-in.

    Raises:
        SignInNotAllowed.
    """
    # Most people carry no such Deny, and then it does not matter what the request is like.
    if not running.index.may_deny_sign_in(person):
        return
    if _denied(running, person, person.identity.authentication, replace(caller, client=client), now):
        raise SignInNotAllowed(f"{person.identity.source}/{person.identity.subject} is denied daypass:SignIn")


def _bound(running: Running, person: Principal, devices: Sequence[Factor]) -> bool:
    """Whether this person proves a second factor at every sign-in."""
    if person.root or (devices and own_people(person.identity.source)):
        return True
    groups = running.revision.groups
    return any(groups[name].mfa for name in person.groups if name in groups)


def _denied(running: Running, person: Principal, how: Authentication, caller: Caller, now: datetime) -> bool:
    asked = replace(person, identity=replace(person.identity, authentication=how))
    context = running.index.contexts(asked, caller, now).person
    return running.index.sign_in_denied(asked, context).effect is Effect.EXPLICIT_DENY


def _kinds(devices: Iterable[Factor]) -> tuple[FactorKind, ...]:
    """Kinds that somebody has, best first."""
    found = {each.kind for each in devices}
    return tuple(kind for kind in ENROLABLE if kind in found)
