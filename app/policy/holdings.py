"""All roles of a person at once: what is attached is sorted once, and what depends on the person asked once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.model import Decision, Effect, Principal, Role, RoleArn
from app.policy import assumed
from app.policy.attachments import Attachments
from app.policy.catalogue import Catalogue, fixed
from app.policy.conditions import Condition
from app.policy.context import PersonContexts, role_facts
from app.policy.document import Statement
from app.policy.filing import Unit
from app.policy.gates import Gate, Splits
from app.policy.outlook import Asking, Share, Shares
from app.policy.request import EMPTY, RequestContext
from app.policy.said import decision

_KEPT: Final = 256
_ANSWERS: Final = 4

_Gated = tuple[Statement, Gate | None]
"""A statement that covers the role, and what must hold for it."""
_Found = Mapping[str, tuple[Role, Decision]]


@dataclass(frozen=True, slots=True)
class _Case:
    """A role that a person may get, if gates are open."""

    role: Role
    statements: tuple[_Gated, ...]
    levels: tuple[tuple[_Gated, ...], ...]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """What one unit says of each role, guardrails included, as if nothing else were attached."""

    arns: frozenset[str]
    gates: tuple[Gate, ...]
    cases: tuple[_Case, ...]
    asking: frozenset[str]
    """Roles whose answer needs the role's own context."""
    answers: dict[tuple[bool, ...], _Found]


@dataclass(frozen=True, slots=True)
class _Holder:
    """What a set of groups and policies comes to: units, and the roles that several of them speak of."""

    units: tuple[_Sorted, ...]
    shared: frozenset[str]
    cases: tuple[_Case, ...]
    gates: tuple[Gate, ...]
    asking: tuple[str, ...]
    answers: dict[tuple[bool, ...], tuple[tuple[Role, Decision], ...]]


_ASK: Final = _Case(Role(RoleArn(""), "", "", ""), (), ())
"""Stands for a role whose answer needs the role's own context."""


Guards = Callable[[str], tuple[tuple[Statement, ...], ...]]
"""A role's ARN → for each guardrail level, the statements that may concern it."""


class Holdings:
    """What people hold, by what is attached to them."""

    def __init__(self, number: int, catalogue: Catalogue, attached: Attachments, guards: Guards) -> None:
        self._number = number
        self._catalogue = catalogue
        self._attached = attached
        self._guards = guards
        self._splits = Splits()
        self._kept: dict[tuple[object, ...], _Holder] = {}
        self._lasting: dict[Unit, _Sorted] = {}
        # Apart, so that many people with documents of their own do not push out what the others share.
        self._kept_own: dict[tuple[object, ...], _Holder] = {}
        self._passing: dict[Unit, _Sorted] = {}

    def settled(
        self, principal: Principal, contexts: object
    ) -> tuple[list[tuple[Role, Decision]], Iterable[str]]:
        """The roles that are allowed for sure, and the ARNs of those that must be asked one by one."""
        holder = self._holder(principal)
        if isinstance(contexts, PersonContexts):
            person = contexts.person if holder.gates else EMPTY
            found = self._answers(holder, [gate.holds(person) for gate in holder.gates])
            return list(found), holder.asking
        return [], dict.fromkeys(arn for unit in holder.units for arn in unit.arns)

    def shares(self, unit: Unit, bits: Mapping[str, int]) -> Shares:
        """What one attachment comes to for `Outlooks`."""
        covered: dict[int, tuple[Statement, list[str]]] = {}
        for arn, statements in unit.filed.items():
            for statement in statements:
                covered.setdefault(id(statement), (statement, []))[1].append(arn)
        for statement in unit.aside:
            reached = self._catalogue.about(statement)
            if fixed(statement):
                reached = [arn for arn in reached if statement.covers_resource(arn, EMPTY)]
            covered[id(statement)] = (statement, list(reached))
        plain: dict[tuple[bool, Gate | None], int] = {}
        asking: list[Asking] = []
        for statement, arns in covered.values():
            roles = [(self._catalogue.roles[arn], bits[arn]) for arn in arns if arn in bits]
            split = self._splits.of(statement) if statement.conditions else ((), None)
            if split is None or not fixed(statement):
                asking.append(Asking(statement, tuple(roles)))
                continue
            about_role, gate = split
            if about_role:
                roles = [each for each in roles if _hold_for(about_role, each[0], statement.deny)]
            key = (statement.deny, gate)
            for _, bit in roles:
                plain[key] = plain.get(key, 0) | bit
        shares = []
        for (deny, gate), covers in plain.items():
            conditions = gate.conditions if gate is not None else ()
            shares.append(Share(deny, conditions, assumed.told(conditions), covers))
        return Shares(tuple(shares), tuple(asking))

    def _holder(self, principal: Principal) -> _Holder:
        key = (principal.groups, principal.policies, principal.inline)
        kept = self._kept_own if principal.inline else self._kept
        holder = kept.get(key)
        if holder is None:
            holder = self._hold(self._attached.units(principal))
            if len(kept) >= _KEPT:
                kept.clear()
            kept[key] = holder
        return holder

    def _hold(self, units: tuple[Unit, ...]) -> _Holder:
        """Put units together; roles of one unit alone are answered there, for all who hold it."""
        each = tuple([self._sorted(unit) for unit in units])
        seen: set[str] = set()
        shared: set[str] = set()
        for unit in each:
            shared.update(seen.intersection(unit.arns))
            seen.update(unit.arns)
        cases: list[_Case] = []
        asking = {arn: None for unit in each for arn in unit.asking if arn not in shared}
        for arn in shared:
            case = self._case(arn, [said for unit in units for said in self._about(unit, arn)])
            if case is _ASK:
                asking[arn] = None
            elif case is not None:
                cases.append(case)
        gates = dict.fromkeys(gate for unit in each for gate in unit.gates)
        gates.update(dict.fromkeys(_gates(cases)))
        return _Holder(each, frozenset(shared), tuple(cases), tuple(gates), tuple(asking), {})

    def _sorted(self, unit: Unit) -> _Sorted:
        remembered = self._passing if unit.passing else self._lasting
        known = remembered.get(unit)
        if known is None:
            arns = set(unit.filed)
            for statement in unit.aside:
                arns.update(self._catalogue.about(statement))
            cases: list[_Case] = []
            asking: list[str] = []
            for arn in arns:
                case = self._case(arn, self._about(unit, arn))
                if case is _ASK:
                    asking.append(arn)
                elif case is not None:
                    cases.append(case)
            known = _Sorted(frozenset(arns), _gates(cases), tuple(cases), frozenset(asking), {})
            if unit.passing and len(remembered) >= _KEPT:
                remembered.clear()
            remembered[unit] = known
        return known

    @staticmethod
    def _about(unit: Unit, arn: str) -> list[Statement]:
        """Statements of a unit that cover a role of the catalogue, or may."""
        filed = unit.filed.get(arn, ())
        if not unit.aside:
            return list(filed)
        return [
            *filed,
            *(each for each in unit.aside if not fixed(each) or each.covers_resource(arn, EMPTY)),
        ]

    def _case(self, arn: str, statements: list[Statement]) -> _Case | None:
        """What statements come to for a role: None if it stays shut whatever the request says."""
        facts: RequestContext | None = None
        role = self._catalogue.roles[arn]

        def gated(found: Iterable[Statement]) -> tuple[_Gated, ...] | None:
            nonlocal facts
            kept: list[_Gated] = []
            for statement in found:
                if not fixed(statement):
                    return None
                if not statement.conditions:
                    kept.append((statement, None))
                    continue
                split = self._splits.of(statement)
                if split is None:
                    return None
                of_role_, gate = split
                if of_role_:
                    facts = facts or RequestContext(role_facts(role))
                    if not all(condition.holds(facts, statement.deny) for condition in of_role_):
                        continue
                kept.append((statement, gate))
            return tuple(kept)

        if all(each.deny for each in statements):
            return None
        said = gated(statements)
        if said is None:
            return _ASK
        if all(statement.deny for statement, _ in said):
            return None
        if any(statement.deny and gate is None for statement, gate in said):
            return None
        levels: list[tuple[_Gated, ...]] = []
        for level in self._guards(arn):
            cap = gated(each for each in level if not fixed(each) or each.covers_resource(arn, EMPTY))
            if cap is None:
                return _ASK
            levels.append(cap)
        return _Case(role, said, tuple(levels))

    def _answers(self, holder: _Holder, gates: list[bool]) -> tuple[tuple[Role, Decision], ...]:
        """The list for one combination of open and shut gates."""
        key = tuple(gates)
        known = holder.answers.get(key)
        if known is None:
            opened = dict(zip(holder.gates, gates, strict=True))
            found: dict[str, tuple[Role, Decision]] = {}
            for unit in holder.units:
                found.update(self._answer(unit, opened))
            for arn in holder.shared:
                found.pop(arn, None)
            for case in holder.cases:
                decision = self._judge(case, opened)
                if decision is not None:
                    found[str(case.role.arn)] = (case.role, decision)
            known = tuple(found.values())
            if len(holder.answers) >= _ANSWERS:
                holder.answers.clear()
            holder.answers[key] = known
        return known

    def _answer(self, unit: _Sorted, opened: Mapping[Gate, bool]) -> _Found:
        key = tuple([opened[gate] for gate in unit.gates])
        known = unit.answers.get(key)
        if known is None:
            found: dict[str, tuple[Role, Decision]] = {}
            for case in unit.cases:
                decision = self._judge(case, opened)
                if decision is not None:
                    found[str(case.role.arn)] = (case.role, decision)
            known = found
            if len(unit.answers) >= _ANSWERS:
                unit.answers.clear()
            unit.answers[key] = known
        return known

    def _judge(self, case: _Case, opened: Mapping[Gate, bool]) -> Decision | None:
        """The allow, if there is one."""
        allows: list[Statement] = []
        for statement, gate in case.statements:
            if gate is None or opened[gate]:
                if statement.deny:
                    return None
                allows.append(statement)
        if not allows:
            return None
        for level in case.levels:
            matching = [statement for statement, gate in level if gate is None or opened[gate]]
            if not matching or any(statement.deny for statement in matching):
                return None
        return decision(Effect.ALLOW, allows, self._number)


def _gates(cases: Iterable[_Case]) -> tuple[Gate, ...]:
    """The distinct gates of cases."""
    found: dict[Gate, None] = {}
    for case in cases:
        for said in (case.statements, *case.levels):
            for _, gate in said:
                if gate is not None:
                    found[gate] = None
    return tuple(found)


def _hold_for(conditions: Iterable[Condition], role: Role, deny: bool) -> bool:
    facts = RequestContext(role_facts(role))
    return all(condition.holds(facts, deny) for condition in conditions)
