"""Which roles people may assume, for asking about very many people: a role is a bit of a number.

A statement covers roles, and holds or not for a person; what is attached to a person is then a few numbers to
put together, however many roles there are. What depends on keys that are only assumed of a request
(`assumed`) makes a role `possible` and not `sure`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.model import Principal, Role
from app.policy import assumed
from app.policy.conditions import Condition
from app.policy.context import PersonContexts
from app.policy.document import Statement
from app.policy.patterns import Glob, resolve
from app.policy.request import RequestContext, Value

Unit = TypeVar("Unit", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Roles that statements of one effect cover, on the same conditions about the person."""

    deny: bool
    conditions: tuple[Condition, ...]
    told: tuple[str, ...]
    """Those of them that depend on the request, in words."""
    roles: int


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """A statement that must be asked role by role: it has policy variables, or conditions about the session."""

    statement: Statement
    roles: tuple[tuple[Role, int], ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """What one attachment comes to."""

    plain: tuple[Share, ...]
    asking: tuple[Asking, ...]


Open = Mapping[tuple[object, ...], int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Roles as bits."""

    sure: int
    """Open whatever the request is like."""
    possible: int
    """Open for some requests; the former among them."""
    open: Open
    """(level or None, whether a Deny, conditions in words) → roles for which these decide."""


NOTHING = Outlook(0, 0, {})


class Outlooks(Generic[Unit]):
    """Made by `Index.outlooks`."""

    def __init__(
        self,
        units: Callable[[Principal], Sequence[Unit]],
        levels: Sequence[Unit | None],
        shares: Callable[[Unit], Shares],
        break_glass: int = 0,
    ) -> None:
        """`break_glass`: the roles of root."""
        self._root = Outlook(break_glass, break_glass, {})
        self._units = units
        self._make = shares
        self._made: dict[Unit, Shares] = {}
        self._levels = [None if level is None else self._shares(level) for level in levels]

    def of(
        self, principal: Principal, person: PersonContexts, contexts: Callable[[Role], Mapping[str, Value]]
    ) -> Outlook:
        """One principal's. `person` knows what concerns the person, `contexts` gives a role's whole context.

        Raises Unavailable as `Index.decide` does.
        """
        if principal.root:
            return self._root
        asked = _Asked(person, contexts)
        attached = _Sum(None, asked)
        for unit in self._units(principal):
            attached.add(self._shares(unit))
        sure, possible = attached.allowed
        caps: list[_Sum] = []
        for number, shares in enumerate(self._levels):
            cap = _Sum(number, asked)
            if shares is not None and possible:
                cap.add(shares)
            caps.append(cap)
            sure, possible = sure & cap.allowed[0], possible & cap.allowed[1]
        for each in (attached, *caps):
            sure, possible = sure & ~each.denied[1], possible & ~each.denied[0]
        unsure = possible & ~sure
        if not unsure:
            return Outlook(sure, possible, {})
        return Outlook(sure, possible, dict(_open((attached, *caps), unsure)))

    def _shares(self, unit: Unit) -> Shares:
        made = self._made.get(unit)
        if made is None:
            made = self._made[unit] = self._make(unit)
        return made


class _Asked:
    """What is asked about one person, each thing once."""

    def __init__(self, person: PersonContexts, contexts: Callable[[Role], Mapping[str, Value]]) -> None:
        self.contexts = contexts
        self._person = person
        self._known: dict[int, bool | None] = {}
        self._context: RequestContext | None = None

    @property
    def context(self) -> RequestContext:
        if self._context is None:
            self._context = self._person.person
        return self._context

    def holds(self, share: Share) -> bool | None:
        if not share.conditions:
            return True
        # Compiled conditions are shared and live as long as the index, so their id stands for them.
        key = (id(share.conditions) << 1) | share.deny
        if key not in self._known:
            self._known[key] = assumed.holds(share.conditions, self.context, share.deny)
        return self._known[key]

    def near(self, statement: Statement) -> Callable[[str], bool]:
        """A quick test by name that lets through every role that the statement can be about."""
        if statement.not_resource or assumed.named_by_request(statement):
            return _any
        found = (resolve(entry.parts, self.context) for entry in statement.resources)
        # An entry with a variable that has no value matches nothing.
        parts = [each[0] for each in found if each is not None]
        if not all(each and isinstance(each[-1], str) for each in parts):
            globs = [Glob(each) for each in parts]
            return lambda arn: any(glob.matches(arn) for glob in globs)
        ends = tuple(str(each[-1]) for each in parts)
        return lambda arn: arn.endswith(ends)


def _any(_: str) -> bool:
    return True


@dataclass(slots=True)
class _Sum:
    """What several attachments come to, for one person; a pair is (for certain, possibly)."""

    level: int | None
    asked: _Asked
    allowed: tuple[int, int] = (0, 0)
    denied: tuple[int, int] = (0, 0)
    open: list[tuple[bool, tuple[str, ...], int]] = field(default_factory=list)

    def add(self, shares: Shares) -> None:
        for share in shares.plain:
            holds = self.asked.holds(share)
            if holds is not False:
                self._take(share.deny, holds, share.roles, share.told)
        for asking in shares.asking:
            self._ask(asking)

    def _ask(self, asking: Asking) -> None:
        statement = asking.statement
        near = self.asked.near(statement)
        for role, bit in asking.roles:
            arn = str(role.arn)
            if not near(arn):
                continue
            holds = assumed.matches(statement, arn, RequestContext.of(self.asked.contexts(role)))
            if holds is not False:
                told = () if holds else assumed.told(statement.conditions)
                self._take(statement.deny, holds, bit, told)

    def _take(self, deny: bool, holds: bool | None, roles: int, told: tuple[str, ...]) -> None:
        sure, possible = self.denied if deny else self.allowed
        found = (sure | roles if holds else sure, possible | roles)
        if deny:
            self.denied = found
        else:
            self.allowed = found
        if holds is None:
            self.open.append((deny, told, roles))


def _open(sums: Iterable[_Sum], unsure: int) -> Iterable[tuple[tuple[object, ...], int]]:
    found: dict[tuple[object, ...], int] = {}
    for each in sums:
        for deny, told, roles in each.open:
            # Another Allow that holds in any case makes this one's conditions idle.
            decided = roles & unsure & (~0 if deny else ~each.allowed[0])
            if decided:
                key = (each.level, deny, told)
                found[key] = found.get(key, 0) | decided
    return found.items()
