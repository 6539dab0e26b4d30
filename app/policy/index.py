"""A revision's policies, arranged so that an answer costs what is attached to the person who asks.

Everything becomes statements: a role's short form `allow`, groups' policies and inline documents, managed
templates, guardrails. At compile time each statement is filed under the roles that it can match; one
that matches many roles, or names them by a policy variable, is kept aside and tried each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.errors import Unavailable
from app.model import (
    Caller,
    CredentialRequest,
    Decision,
    Effect,
    PolicyText,
    Principal,
    Provider,
    Revision,
    Role,
    RoleArn,
    SourceId,
)
from app.policy import assumed, managed, rights
from app.policy.actions import AdminAction
from app.policy.conditions import Condition
from app.policy.context import PersonContexts, of_catalogue, of_role, role_facts
from app.policy.document import Document, Kind, Statement
from app.policy.outlook import Asking, Outlooks, Share, Shares
from app.policy.patterns import Actions, Glob, Resource, Variable, Wild
from app.policy.problems import PolicyInvalid, PolicyProblem
from app.policy.read import Memo, read
from app.policy.request import EMPTY, RequestContext, Value
from app.policy.rights import Rights
from app.policy.text import fold

ACTION: Final = "sts:AssumeRole"
_FOLDED: Final = fold(ACTION)
_FEW: Final = 128
"""A pattern that may match more roles than this is tried when asked, and filed under none."""
_HOLDERS_KEPT: Final = 256
_ANSWERS: Final = 4
_HOLDERS: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """The statements of one attachment: a managed policy, a group's own, a guardrail level."""

    filed: Mapping[str, tuple[Statement, ...]]
    """By the ARN of each role that the statement is about, whatever its conditions."""
    aside: tuple[Statement, ...]
    """To be tried on every role."""
    statements: tuple[Statement, ...]
    """All of them."""


class _Gate:
    """A distinct set of conditions that ask about the person alone; evaluated once for all roles."""

    __slots__ = ("conditions", "deny")

    def __init__(self, conditions: tuple[Condition, ...], *, deny: bool) -> None:
        self.conditions = conditions
        self.deny = deny

    def holds(self, context: RequestContext) -> bool:
        return all(condition.holds(context, self.deny) for condition in self.conditions)


_Gated = tuple[Statement, _Gate | None]
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
    gates: tuple[_Gate, ...]
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
    gates: tuple[_Gate, ...]
    asking: tuple[str, ...]
    answers: dict[tuple[bool, ...], tuple[tuple[Role, Decision], ...]]


class _Catalogue:
    """The roles, sorted for patterns: by ARN, and by name across accounts."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self.roles = roles
        self._arns = sorted(roles)
        self._tails = sorted((arn.split(":", 5)[-1], arn) for arn in self._arns)
        self._all: dict[Resource, tuple[str, ...]] = {}

    def few(self, resource: Resource) -> tuple[str, ...] | None:
        """The roles that a fixed entry matches; None if they may be many or depend on the request."""
        if resource.exact is not None:
            return (resource.exact,) if resource.exact in self.roles else ()
        if not resource.fixed or not resource.simple or resource.everything:
            return None
        candidates = self._candidates(resource)
        if len(candidates) > _FEW:
            return None
        return tuple(arn for arn in candidates if resource.matches(arn, EMPTY, False))

    def reach(self, resource: Resource) -> tuple[str, ...]:
        """Every role that an entry can match, for any values of its variables; remembered."""
        found = self._all.get(resource)
        if found is None:
            if resource.everything:
                found = tuple(self._arns)
            else:
                loose = Glob(Wild.MANY if isinstance(part, Variable) else part for part in resource.parts)
                found = tuple(arn for arn in self._candidates(resource) if loose.matches(arn))
            self._all[resource] = found
        return found

    @property
    def arns(self) -> list[str]:
        return self._arns

    def _candidates(self, resource: Resource) -> list[str]:
        """Roles that share the entry's literal beginning, or that of its name if all accounts are meant."""
        prefix = resource.prefix
        start = bisect_left(self._arns, prefix)
        end = bisect_left(self._arns, prefix + "\U0010ffff")
        if end - start > _FEW and resource.fixed:
            parts = resource.parts
            if len(parts) > 2 and parts[0] == "arn:aws:iam::" and isinstance(parts[2], str):
                name = parts[2]
                if parts[1] is Wild.MANY and name.startswith(":role/") and len(name) > len(":role/"):
                    first = bisect_left(self._tails, (name[1:],))
                    last = bisect_left(self._tails, (name[1:] + "\U0010ffff",))
                    return [arn for _, arn in self._tails[first:last]]
        return self._arns[start:end]


class _Filing:
    """Makes units during a compilation."""

    def __init__(self, catalogue: _Catalogue) -> None:
        self._catalogue = catalogue
        self._few: dict[Resource, tuple[str, ...] | None] = {}

    def unit(self, statements: Iterable[Statement]) -> _Unit | None:
        """File statements; None if none of them is about assuming roles."""
        relevant = tuple(each for each in statements if each.covers_action(_FOLDED))
        if not relevant:
            return None
        filed: dict[str, tuple[Statement, ...]] = {}
        aside: list[Statement] = []
        for statement in relevant:
            arns = self._arns(statement)
            if arns is None:
                aside.append(statement)
                continue
            for arn in arns:
                known = filed.get(arn)
                filed[arn] = (statement,) if known is None else (*known, statement)
        return _Unit(filed, tuple(aside), relevant)

    def _arns(self, statement: Statement) -> Iterable[str] | None:
        if statement.not_resource:
            return None
        found: dict[str, None] = {}
        for resource in statement.resources:
            if resource in self._few:
                few = self._few[resource]
            else:
                few = self._few[resource] = self._catalogue.few(resource)
            if few is None:
                return None
            if len(statement.resources) == 1:
                return few
            found.update(dict.fromkeys(few))
        return found


_ASK: Final = _Case(Role(RoleArn(""), "", "", ""), (), ())
"""Stands for a role whose answer needs the role's own context."""


class Index:
    """A compiled revision. It never changes; what it remembers between questions only saves time."""

    def __init__(
        self,
        revision: Revision,
        catalogue: _Catalogue,
        policies: Mapping[str, _Unit | None],
        groups: Mapping[str, tuple[tuple[str, ...], _Unit | None]],
        levels: tuple[_Unit | None, ...],
        documents: Mapping[str, Document],
        rights: Rights,
    ) -> None:
        """Use `Index.compile`."""
        self._rights = rights
        self._number = revision.number
        self._providers: Mapping[SourceId, Provider] = revision.providers
        self._level_names = tuple(name for name, _ in revision.guardrails)
        self._catalogue = catalogue
        self._policies = policies
        self._groups = groups
        self._levels = levels
        self._documents = documents
        self._held: dict[tuple[frozenset[str], tuple[str, ...]], tuple[_Unit, ...]] = {}
        self._kept: dict[tuple[frozenset[str], tuple[str, ...]], _Holder] = {}
        self._sorted_units: dict[_Unit, _Sorted] = {}
        self._splits: dict[tuple[int, bool], tuple[tuple[Condition, ...], _Gate | None] | None] = {}
        self._guarded: dict[str, tuple[tuple[Statement, ...], ...]] = {}

    @classmethod
    def compile(cls, revision: Revision) -> Index:
        """Compile a revision.

        Raises PolicyInvalid with the problems of all its documents, unknown policy names among them.
        """
        memo = Memo()
        problems: list[PolicyProblem] = []
        catalogue = _Catalogue({str(arn): role for arn, role in revision.roles.items()})
        filing = _Filing(catalogue)

        def document(text: PolicyText, kind: Kind) -> Document | None:
            try:
                return read(text, kind, memo)
            except PolicyInvalid as invalid:
                problems.extend(invalid.problems)
                return None

        def statements(texts: Iterable[PolicyText], kind: Kind) -> Iterator[Statement]:
            for text in texts:
                made = document(text, kind)
                if made is not None:
                    yield from made.statements

        documents: dict[str, Document] = {}
        shipped = (managed.text(managed.PREFIX + name) for name in managed.NAMES)
        for text in (*revision.policies.values(), *(each for each in shipped if each is not None)):
            made = document(text, Kind.IDENTITY)
            if made is not None:
                documents[text.name] = made
        policies = {name: filing.unit(made.statements) for name, made in documents.items()}
        short = _short_forms(revision)
        groups: dict[str, tuple[tuple[str, ...], _Unit | None]] = {}
        administering: dict[str, tuple[tuple[str, ...], tuple[Statement, ...]]] = {}
        for name in dict.fromkeys((*revision.groups, *short)):
            group = revision.groups.get(name)
            own: list[Statement] = list(short.get(name, ()))
            names: tuple[str, ...] = ()
            if group is not None:
                own.extend(statements(group.inline, Kind.IDENTITY))
                names = group.policies
            for policy in names:
                if policy not in policies and not _broken(policy, revision):
                    problems.append(_missing(policy, name))
            unit = filing.unit(own)
            if unit is not None or names:
                groups[name] = (names, unit)
            about = rights.about(own)
            if about or names:
                administering[name] = (names, about)
        caps = [tuple(statements(texts, Kind.GUARDRAIL)) for _, texts in revision.guardrails]
        levels = tuple(map(filing.unit, caps))
        if problems:
            raise PolicyInvalid(tuple(problems))
        administration = Rights(
            revision.number,
            {name: rights.about(made.statements) for name, made in documents.items()},
            administering,
            tuple(map(rights.about, caps)),
        )
        return cls(revision, catalogue, policies, groups, levels, documents, administration)

    def extended(self, revision: Revision, policy: PolicyText) -> Index:
        """This index with one more customer-managed policy, or another text of one: what a draft would change.

        `revision` is the one that this was compiled from. Costs what the policy costs, not a compilation.
        Raises PolicyInvalid.
        """
        document = read(policy, Kind.IDENTITY, Memo())
        unit = _Filing(self._catalogue).unit(document.statements)
        own = self._rights
        return Index(
            revision,
            self._catalogue,
            {**self._policies, policy.name: unit},
            self._groups,
            self._levels,
            {**self._documents, policy.name: document},
            replace(own, policies={**own.policies, policy.name: rights.about(document.statements)}),
        )

    @property
    def revision(self) -> int:
        """Number of the revision."""
        return self._number

    def document(self, name: str) -> Document | None:
        """A managed policy of the revision, `aws:NAME` included; None if there is none of that name."""
        return self._documents.get(name)

    def contexts(
        self, principal: Principal, caller: Caller, now: datetime, request: CredentialRequest | None = None
    ) -> PersonContexts:
        """Contexts for a person's roles, with the keys that the kind of the person's source gives."""
        provider = self._providers.get(principal.identity.source)
        return PersonContexts(principal, caller, now, request, provider=provider)

    def decide(self, principal: Principal, role: Role, context: Mapping[str, Value]) -> Decision:
        """May this principal assume this role?

        The answer names every allow that matched, or every deny. Raises Unavailable if the principal
        carries a policy that this revision does not have.
        """
        arn = str(role.arn)
        known = RequestContext.of(context)
        filed, tried = self._candidates(principal, arn)
        return self._decide(filed, tried, self._guards(arn), arn, known)

    def permits(
        self, principal: Principal, action: str, resource: str, context: Mapping[str, Value]
    ) -> Decision:
        """May this principal administer this? `action` is one of `daypass:`; anything else is implicitly denied.

        Decided as IAM does: policies of the groups, guardrails, and the permissions boundary of the source.
        Raises Unavailable as `decide` does.
        """
        return self._rights.permits(principal, action, resource, context)

    def permits_anywhere(self, principal: Principal, row: AdminAction, context: Mapping[str, Value]) -> bool:
        """Whether there is something that the principal may do this to; True only where `permits` would be.

        It may miss an Allow whose pattern a Deny covers in part. Raises Unavailable as `decide` does.
        """
        return self._rights.anywhere(principal, row, context)

    def statements(self, principal: Principal, role: Role) -> tuple[Statement, ...]:
        """The statements that a decision looks at: those attached to the principal that may concern the role."""
        filed, tried = self._candidates(principal, str(role.arn))
        return (*filed, *tried)

    def guards(self, role: Role) -> tuple[tuple[str, tuple[Statement, ...]], ...]:
        """(level, statements that may concern the role) for each guardrail level, in order."""
        found = self._guards(str(role.arn))
        return tuple(zip(self._level_names, found, strict=True))

    def elsewhere(self, principal: Principal, role: Role) -> Iterator[tuple[str, Statement]]:
        """(group, Allow that may concern the role) for what the principal has by none of its groups.

        For operators: it costs as much as there are groups.
        """
        arn = str(role.arn)
        held = frozenset(self._units(principal))
        for group, (names, own) in self._groups.items():
            if group in principal.groups:
                continue
            for unit in (*(self._policies.get(name) for name in names), own):
                if unit is None or unit in held:
                    continue
                for statement in (*unit.filed.get(arn, ()), *unit.aside):
                    if not statement.deny:
                        yield group, statement

    def provider(self, principal: Principal) -> Provider | None:
        """The principal's source in this revision."""
        return self._providers.get(principal.identity.source)

    def assumable(
        self, principal: Principal, contexts: Callable[[Role], Mapping[str, Value]]
    ) -> list[tuple[Role, Decision]]:
        """Every role that the principal may assume now, with the decision that says so.

        `contexts` gives the context for a role; with `PersonContexts` (`Index.contexts`) what depends on
        the person alone is asked once for all roles. Raises Unavailable as `decide` does.
        """
        holder = self._holder(principal)
        if isinstance(contexts, PersonContexts):
            person = contexts.person if holder.gates else EMPTY
            found = list(self._answers(holder, [gate.holds(person) for gate in holder.gates]))
            asking: Iterable[str] = holder.asking
        else:
            found = []
            asking = dict.fromkeys(arn for unit in holder.units for arn in unit.arns)
        for arn in asking:
            role = self._catalogue.roles[arn]
            filed, tried = self._candidates(principal, arn)
            if all(statement.deny for statement in filed) and all(statement.deny for statement in tried):
                continue
            known = RequestContext.of(contexts(role))
            decision = self._decide(filed, tried, self._guards(arn), arn, known)
            if decision.effect is Effect.ALLOW:
                found.append((role, decision))
        return found

    def outlooks(self, arns: Sequence[str]) -> Outlooks[_Unit]:
        """For asking about many people; the roles' bits go by their place in `arns`, others are left out."""
        bits = {arn: 1 << place for place, arn in enumerate(arns)}
        return Outlooks(self._units, self._levels, lambda unit: self._shares(unit, bits))

    def bounds(self, principal: Principal, role: Role, context: Mapping[str, Value]) -> assumed.Bounds:
        """May this principal assume this role: surely, or for some requests, and on what that depends.

        Raises Unavailable as `decide` does.
        """
        arn = str(role.arn)
        known = RequestContext.of(context)
        filed, tried = self._candidates(principal, arn)
        attached = [(each, assumed.matches(each, None, known)) for each in filed]
        attached += [(each, assumed.matches(each, arn, known)) for each in tried]
        levels = [
            [(each, assumed.matches(each, arn, known)) for each in level] for level in self._guards(arn)
        ]
        return assumed.bounds(attached, levels)

    # --- one decision -----------------------------------------------------------------------------

    def _decide(
        self,
        filed: Iterable[Statement],
        tried: Iterable[Statement],
        levels: tuple[tuple[Statement, ...], ...],
        arn: str,
        context: RequestContext,
    ) -> Decision:
        """Decide among candidates. Resources of `filed` are known to cover the role."""
        allows: list[Statement] = []
        denies: list[Statement] = []
        for statement in filed:
            if not statement.conditions or statement.holds(context):
                (denies if statement.deny else allows).append(statement)
        for statement in tried:
            if statement.covers_resource(arn, context) and statement.holds(context):
                (denies if statement.deny else allows).append(statement)
        capped = False
        for level in levels:
            passed = False
            for statement in level:
                if statement.covers_resource(arn, context) and statement.holds(context):
                    if statement.deny:
                        denies.append(statement)
                    else:
                        passed = True
            capped = capped or not passed
        if denies:
            return self._decision(Effect.EXPLICIT_DENY, denies)
        if allows and not capped:
            return self._decision(Effect.ALLOW, allows)
        return Decision(Effect.IMPLICIT_DENY, (), self._number)

    def _decision(self, effect: Effect, statements: list[Statement]) -> Decision:
        references = [statement.reference for statement in statements]
        if len(references) > 1:
            references.sort(key=lambda reference: (reference.policy, reference.file or "", reference.index))
        return Decision(effect, tuple(references), self._number)

    def _candidates(self, principal: Principal, arn: str) -> tuple[list[Statement], list[Statement]]:
        """Attached statements that cover the role, and those that may."""
        filed: list[Statement] = []
        tried: list[Statement] = []
        if arn not in self._catalogue.roles:
            for unit in self._units(principal):
                tried.extend(unit.statements)
            return filed, tried
        for unit in self._units(principal):
            covering = unit.filed.get(arn)
            if covering is not None:
                filed.extend(covering)
            if unit.aside:
                tried.extend(unit.aside)
        return filed, tried

    def _units(self, principal: Principal) -> tuple[_Unit, ...]:
        key = (principal.groups, principal.policies)
        held = self._held.get(key)
        if held is None:
            names = dict.fromkeys(principal.policies)
            own: list[_Unit] = []
            for group in sorted(principal.groups):
                carried = self._groups.get(group)
                if carried is not None:
                    names.update(dict.fromkeys(carried[0]))
                    if carried[1] is not None:
                        own.append(carried[1])
            managed_: list[_Unit] = []
            for name in names:
                if name not in self._policies:
                    raise Unavailable(
                        f"policy {name} is attached, but revision {self._number} has none of that name"
                    )
                unit = self._policies[name]
                if unit is not None:
                    managed_.append(unit)
            held = (*managed_, *own)
            if len(self._held) >= _HOLDERS:
                self._held.clear()
            self._held[key] = held
        return held

    def _guards(self, arn: str) -> tuple[tuple[Statement, ...], ...]:
        """For each guardrail level, the statements that may concern a role."""
        if not self._levels:
            return ()
        known = self._guarded.get(arn)
        if known is None:
            if arn not in self._catalogue.roles:
                return tuple(level.statements if level else () for level in self._levels)
            known = tuple(
                (*level.filed.get(arn, ()), *level.aside) if level else () for level in self._levels
            )
            self._guarded[arn] = known
        return known

    # --- all roles of a person --------------------------------------------------------------------

    def _holder(self, principal: Principal) -> _Holder:
        key = (principal.groups, principal.policies)
        holder = self._kept.get(key)
        if holder is None:
            holder = self._hold(self._units(principal))
            if len(self._kept) >= _HOLDERS_KEPT:
                self._kept.clear()
            self._kept[key] = holder
        return holder

    def _hold(self, units: tuple[_Unit, ...]) -> _Holder:
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

    def _sorted(self, unit: _Unit) -> _Sorted:
        known = self._sorted_units.get(unit)
        if known is None:
            arns = set(unit.filed)
            for statement in unit.aside:
                arns.update(self._reach(statement))
            cases: list[_Case] = []
            asking: list[str] = []
            for arn in arns:
                case = self._case(arn, self._about(unit, arn))
                if case is _ASK:
                    asking.append(arn)
                elif case is not None:
                    cases.append(case)
            known = _Sorted(frozenset(arns), _gates(cases), tuple(cases), frozenset(asking), {})
            self._sorted_units[unit] = known
        return known

    @staticmethod
    def _about(unit: _Unit, arn: str) -> list[Statement]:
        """Statements of a unit that cover a role of the catalogue, or may."""
        filed = unit.filed.get(arn, ())
        if not unit.aside:
            return list(filed)
        return [
            *filed,
            *(each for each in unit.aside if not _fixed(each) or each.covers_resource(arn, EMPTY)),
        ]

    def _case(self, arn: str, statements: list[Statement]) -> _Case | None:
        """What statements come to for a role: None if it stays shut whatever the request says."""
        facts: RequestContext | None = None
        role = self._catalogue.roles[arn]

        def gated(found: Iterable[Statement]) -> tuple[_Gated, ...] | None:
            nonlocal facts
            kept: list[_Gated] = []
            for statement in found:
                if not _fixed(statement):
                    return None
                if not statement.conditions:
                    kept.append((statement, None))
                    continue
                split = self._split(statement)
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
            cap = gated(each for each in level if not _fixed(each) or each.covers_resource(arn, EMPTY))
            if cap is None:
                return _ASK
            levels.append(cap)
        return _Case(role, said, tuple(levels))

    def _split(self, statement: Statement) -> tuple[tuple[Condition, ...], _Gate | None] | None:
        """Conditions about the role, and the gate of those about the person; None if others are among them."""
        # Compiled conditions are shared and live as long as the index, so their id stands for them.
        key = (id(statement.conditions), statement.deny)
        if key not in self._splits:
            about_role = tuple(each for each in statement.conditions if of_catalogue(each.key))
            about_person = tuple(each for each in statement.conditions if not of_role(each.key))
            plain = len(about_role) + len(about_person) == len(statement.conditions) and not any(
                "${" in text for each in statement.conditions for text in each.values
            )
            gate = _Gate(about_person, deny=statement.deny) if about_person else None
            self._splits.setdefault(key, (about_role, gate) if plain else None)
        return self._splits[key]

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

    def _answer(self, unit: _Sorted, opened: Mapping[_Gate, bool]) -> _Found:
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

    def _judge(self, case: _Case, opened: Mapping[_Gate, bool]) -> Decision | None:
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
        return self._decision(Effect.ALLOW, allows)

    # --- many people ------------------------------------------------------------------------------

    def _shares(self, unit: _Unit, bits: Mapping[str, int]) -> Shares:
        """What one attachment comes to for `Outlooks`."""
        covered: dict[int, tuple[Statement, list[str]]] = {}
        for arn, statements in unit.filed.items():
            for statement in statements:
                covered.setdefault(id(statement), (statement, []))[1].append(arn)
        for statement in unit.aside:
            reached = self._reach(statement)
            if _fixed(statement):
                reached = [arn for arn in reached if statement.covers_resource(arn, EMPTY)]
            covered[id(statement)] = (statement, list(reached))
        plain: dict[tuple[bool, _Gate | None], int] = {}
        asking: list[Asking] = []
        for statement, arns in covered.values():
            roles = [(self._catalogue.roles[arn], bits[arn]) for arn in arns if arn in bits]
            split = self._split(statement) if statement.conditions else ((), None)
            if split is None or not _fixed(statement):
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

    def _reach(self, statement: Statement) -> Iterable[str]:
        """Roles that a statement kept aside can be about."""
        if statement.not_resource:
            excluded = {
                arn
                for resource in statement.resources
                if resource.fixed and resource.simple
                for arn in self._catalogue.reach(resource)
            }
            return [arn for arn in self._catalogue.arns if arn not in excluded]
        return dict.fromkeys(
            arn for resource in statement.resources for arn in self._catalogue.reach(resource)
        )


def _gates(cases: Iterable[_Case]) -> tuple[_Gate, ...]:
    """The distinct gates of cases."""
    found: dict[_Gate, None] = {}
    for case in cases:
        for said in (case.statements, *case.levels):
            for _, gate in said:
                if gate is not None:
                    found[gate] = None
    return tuple(found)


def _hold_for(conditions: Iterable[Condition], role: Role, deny: bool) -> bool:
    facts = RequestContext(role_facts(role))
    return all(condition.holds(facts, deny) for condition in conditions)


def _fixed(statement: Statement) -> bool:
    """True if the statement's resources name no variable."""
    return all(resource.fixed for resource in statement.resources)


def _short_forms(revision: Revision) -> dict[str, list[Statement]]:
    """Each role's `allow` as statements of the groups it names, placed where it stands in the files."""
    actions = Actions((ACTION,))
    found: dict[str, list[Statement]] = {}
    for arn, role in revision.roles.items():
        if not role.allow:
            continue
        file, line = revision.short_form_places.get(arn, ("accounts.yaml", 1))
        source = PolicyText(name=f"accounts.yaml/{role.account}/{role.name}", text="", file=file, line=line)
        statement = Statement(
            source,
            0,
            None,
            None,
            deny=False,
            actions=actions,
            not_action=False,
            resources=(Resource(str(arn), variables=False),),
            not_resource=False,
            conditions=(),
        )
        for group in dict.fromkeys(role.allow):
            found.setdefault(group, []).append(statement)
    return found


def _broken(policy: str, revision: Revision) -> bool:
    """True for a policy that exists and was refused, so that its own problems are told already."""
    return policy in revision.policies


def _missing(policy: str, group: str) -> PolicyProblem:
    shipped = ", ".join(managed.PREFIX + name for name in managed.NAMES)
    return PolicyProblem(
        "groups.yaml",
        1,
        None,
        f"group {group} names the policy `{policy}`, which is neither in policies/ nor one of {shipped}",
    )
