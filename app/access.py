"""Who may assume what, for people who are known: now, on a day, and after a change. Pure.

What the next request will be like is not known: from where it comes, when, and whether a second factor was
proven. An answer is `sure` if it holds whatever the request is like; else it says on which conditions it
depends, and what it would be for the one request that is assumed: no second factor, no address, the time
asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.errors import NotSignedIn, Unavailable
from app.issue import session_name, source_identity
from app.model import (
    DEFAULT_DURATION,
    Authentication,
    Caller,
    CredentialRequest,
    Identity,
    Principal,
    Revision,
    Role,
    RoleArn,
)
from app.people import LocalUser
from app.policy import NOTHING, Doubt, Index, Outlook
from app.principal import principal

_NOBODY_YET = Caller(request_id="-", address="")


class Known(Protocol):
    """A person as sign-ins showed them, or as the broker's own user."""

    @property
    def identity(self) -> Identity:
        """With its claims."""
        ...

    @property
    def since(self) -> datetime:
        """From when the claims are."""
        ...

    @property
    def user(self) -> LocalUser | None:
        """The local user in the version that counts; None for people of directories."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A revision, ready to be asked."""

    revision: Revision
    index: Index

    @classmethod
    def of(cls, revision: Revision) -> View:
        """Compile it. Raises PolicyInvalid."""
        return cls(revision, Index.compile(revision))


@dataclass(frozen=True, slots=True)
class Reach:
    """A role and a person who may assume it, surely or on conditions."""

    known: Known
    role: Role
    sure: bool
    """Whatever the request is like."""
    assumed: bool
    """For the request that is assumed."""
    doubts: tuple[Doubt, ...]
    """The conditions that could not be known; empty if sure."""


def who_can(view: View, role: Role, people: Iterable[Known], now: datetime) -> Sequence[Reach]:
    """Everybody who may assume a role, in the order given."""
    asked = _Asked(view, now, ())
    found = (asked.reach(known, role) for known in people)
    return [each for each in found if each is not None]


def what_can(view: View, known: Known, now: datetime) -> Sequence[Reach]:
    """Every role that a person may assume, by account name and role name."""
    arns = sorted(view.revision.roles)
    asked = _Asked(view, now, arns)
    possible = (arns[bit.bit_length() - 1] for bit in _bits(asked.outlook(known).possible))
    found = (asked.reach(known, view.revision.roles[arn]) for arn in possible)
    return sorted(
        (each for each in found if each is not None),
        key=lambda each: (each.role.account_name, each.role.account, each.role.name),
    )


def _bits(number: int) -> Iterator[int]:
    """The bits that are set, each as a number."""
    while number:
        lowest = number & -number
        yield lowest
        number ^= lowest


def held(known: Known, revision: Revision) -> Principal | None:
    """What a revision attaches to somebody who is known.

    None if it does not have the person's source, or the local user may not sign in.
    """
    try:
        return principal(known.identity, revision, user=known.user)
    except NotSignedIn:
        return None


class _Asked:
    """A view at a time, under the assumed request; roles of its outlooks are bits by their place in `arns`."""

    def __init__(self, view: View, now: datetime, arns: Sequence[RoleArn]) -> None:
        self._view = view
        self._now = now
        self._outlooks = view.index.outlooks(arns)

    def outlook(self, known: Known) -> Outlook:
        who = self._principal(known)
        if who is None:
            return NOTHING
        person = self._view.index.contexts(who, _NOBODY_YET, self._now)
        try:
            return self._outlooks.of(who, person, self.contexts(who))
        except Unavailable:  # a policy of theirs is not in this revision: they get nothing, whatever they ask
            return NOTHING

    def contexts(self, who: Principal) -> Callable[[Role], Mapping[str, str | tuple[str, ...]]]:
        """With the session's name and the person's own towards AWS, which are known beforehand."""
        name = source_identity(who.identity.source, who.identity.subject)
        session = session_name(who.identity.username, name)

        def context(role: Role) -> Mapping[str, str | tuple[str, ...]]:
            request = CredentialRequest(role, DEFAULT_DURATION, session, name, tags={**who.tags, **role.tags})
            return self._view.index.contexts(who, _NOBODY_YET, self._now, request)(role)

        return context

    def reach(self, known: Known, role: Role) -> Reach | None:
        who = self._principal(known)
        if who is None:
            return None
        context = self.contexts(who)(role)
        try:
            bounds = self._view.index.bounds(who, role, context)
        except Unavailable:  # as in `outlook`
            return None
        if not bounds.possible:
            return None
        assumed = bounds.sure or self._view.index.decide(who, role, context).allowed
        return Reach(known, role, bounds.sure, assumed, bounds.doubts)

    def _principal(self, known: Known) -> Principal | None:
        who = held(known, self._view.revision)
        if who is None:
            return None
        return replace(who, identity=replace(who.identity, authentication=Authentication(at=self._now)))


# --- what a change does -----------------------------------------------------------------------------


class Turn(StrEnum):
    """What becomes of a person's way to a role."""

    GAINS = "gains"
    WIDENS = "widens"
    """It depended on conditions and no longer does."""
    CHANGES = "changes"
    """It depends on other conditions."""
    NARROWS = "narrows"
    """It depends on conditions from now on."""
    LOSES = "loses"


@dataclass(frozen=True, slots=True)
class RoleTurn:
    """That, for one role."""

    turn: Turn
    role: Role
    conditional: bool
    """Afterwards it depends on the request."""
    privileged: bool
    """More than before, for a role that is or was of level admin."""


@dataclass(frozen=True, slots=True)
class Shift:
    """People for whom a change does the same."""

    people: tuple[Known, ...]
    turns: tuple[RoleTurn, ...]


def compare(before: View | None, after: View, people: Iterable[Known], now: datetime) -> Sequence[Shift]:
    """Who gains and loses what when `after` takes the place of `before` (None: of nothing).

    Those with most at stake come first. People of whom a revision does not have the source have nothing there.
    """
    comparison = _Comparison(before, after, now)
    alike: dict[int, tuple[tuple[RoleTurn, ...], list[Known]]] = {}
    for known in people:
        turns = comparison.turns(known)
        if turns:
            alike.setdefault(id(turns), (turns, []))[1].append(known)
    # The same may have come about for different reasons.
    shifts: dict[tuple[object, ...], tuple[tuple[RoleTurn, ...], list[Known]]] = {}
    for turns, those in alike.values():
        content = tuple((each.turn, each.role.arn, each.conditional, each.privileged) for each in turns)
        shifts.setdefault(content, (turns, []))[1].extend(those)
    return sorted((Shift(tuple(those), turns) for turns, those in shifts.values()), key=_weight)


def _weight(shift: Shift) -> tuple[int, int, int]:
    privileged = sum(turn.privileged for turn in shift.turns)
    return (-privileged, -len(shift.turns), -len(shift.people))


class _Comparison:
    """Compares two views; what is the same for many people is compared once."""

    def __init__(self, before: View | None, after: View, now: datetime) -> None:
        self._old: Mapping[RoleArn, Role] = before.revision.roles if before is not None else {}
        self._new = after.revision.roles
        self._arns = sorted({*self._old, *self._new})
        self._before = None if before is None else _Asked(before, now, self._arns)
        self._after = _Asked(after, now, self._arns)
        self._known: dict[tuple[int, ...], tuple[RoleTurn, ...]] = {}

    def turns(self, known: Known) -> tuple[RoleTurn, ...]:
        before = self._before.outlook(known) if self._before is not None else NOTHING
        after = self._after.outlook(known)
        key = (before.sure, before.possible, after.sure, after.possible, _changed(before, after))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = tuple(self._compare(*key))
        return found

    def _compare(
        self, sure_before: int, before: int, sure_after: int, after: int, changed: int
    ) -> Iterator[RoleTurn]:
        lost = before & ~after
        gained = after & ~before
        widened = sure_after & before & ~sure_before
        narrowed = sure_before & after & ~sure_after
        for bit in _bits(lost | gained | widened | narrowed | changed):
            arn = self._arns[bit.bit_length() - 1]
            turn = next(
                turn
                for turn, bits in (
                    (Turn.GAINS, gained),
                    (Turn.WIDENS, widened),
                    (Turn.CHANGES, changed),
                    (Turn.NARROWS, narrowed),
                    (Turn.LOSES, lost),
                )
                if bits & bit
            )
            # The level before counts too: a change cannot hide a gain by calling the role a lesser one.
            levels = {roles[arn].level for roles in (self._old, self._new) if arn in roles}
            more = turn in (Turn.GAINS, Turn.WIDENS, Turn.CHANGES)
            yield RoleTurn(
                turn,
                self._new[arn] if arn in self._new else self._old[arn],
                conditional=bool(after & ~sure_after & bit),
                privileged=more and "admin" in levels,
            )


def _changed(before: Outlook, after: Outlook) -> int:
    """Roles that depend on conditions before and after, and on other ones."""
    changed = 0
    for key in before.open.keys() | after.open.keys():
        changed |= before.open.get(key, 0) ^ after.open.get(key, 0)
    return changed & before.possible & ~before.sure & after.possible & ~after.sure
