"""A decision about one person and one role, in words.

Two readers, two views. Operators see everything: statements with their places, and what other groups have.
A person sees their own case: only statements that are attached to them or cap everybody, only conditions on
how they ask (never on who others are), no places in files; and where nothing they could do would open the
role, nothing at all. docs/decisions/0006 has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.model import Decision, Effect, Explanation, Nearest, Principal, Role, StatementRef
from app.policy import managed
from app.policy.document import Statement
from app.policy.index import Index
from app.policy.patterns import Wild, resolve
from app.policy.reach import DIALS, Reach, reach
from app.policy.request import RequestContext
from app.policy.wording import THEM, YOU, Voice, listed, needs, shown

_NOT_YOURS = "Nothing that you could do here would open this role, or there is no such role."
_ASK = "Ask the people who run this service, and give them the request id."


def explain(
    index: Index,
    principal: Principal,
    role: Role,
    context: RequestContext,
    now: datetime,
    *,
    operator: bool,
    factors: bool = True,
) -> Explanation:
    """Why the decision about this role is as it is, and what would change it.

    `context` is the one that the decision is made with; the effect is always that of `Index.decide`.
    `operator` is True for the whole view, False for the person's own; `factors`: second factors can be proven to
    the broker itself. Raises Unavailable as `decide` does.
    """
    decision = index.decide(principal, role, context)
    if principal.root:
        return _of_root(role, decision, operator=operator)
    case = _Case.of(index, principal, role, context, now, THEM if operator else YOU)
    opened = None if decision.allowed else reach(index, principal, role, context, now, factors=factors)
    made = _Operators(case, decision, opened) if operator else _Own(case, decision, opened)
    return Explanation(
        role=role.arn,
        decision=made.decision(),
        why=made.why(),
        nearest=made.nearest(),
        would_change=made.would_change(),
        within_reach=made.within_reach,
        detail=_detail(decision),
    )


def _of_root(role: Role, decision: Decision, *, operator: bool) -> Explanation:
    """Root has no policies: what counts is the role's mark."""
    if decision.allowed:
        why, change = "This role is marked for emergencies (`break_glass`), and root may use those.", ""
    elif operator:
        why = "Root may use only roles that are marked for emergencies."
        change = "Give the role `break_glass: true` in accounts.yaml."
    else:
        why, change = _NOT_YOURS, _ASK
    return Explanation(role.arn, decision, why, None, change, within_reach=False, detail=_detail(decision))


def _detail(decision: Decision) -> str:
    matched = "; ".join(str(ref) for ref in decision.matched) or "no statement allows it"
    return f"{decision.effect}: {matched}"


# --- what there is --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Level:
    """A guardrail level that does not allow the role."""

    name: str
    allows: tuple[Statement, ...]
    """Those about the role, none of which matches."""


@dataclass(frozen=True, slots=True)
class _Case:
    """The statements that speak of the person and the role, sorted by what they say."""

    index: Index
    principal: Principal
    role: Role
    context: RequestContext
    now: datetime
    voice: Voice
    allows: tuple[Statement, ...]
    """Attached, about the role; whether their conditions hold or not."""
    others: tuple[Statement, ...]
    """Attached Allows whose Resource names another role for this person, by a policy variable."""
    denies: tuple[Statement, ...]
    """Attached or of guardrails, and they match."""
    shut: tuple[_Level, ...]

    @classmethod
    def of(
        cls,
        index: Index,
        principal: Principal,
        role: Role,
        context: RequestContext,
        now: datetime,
        voice: Voice,
    ) -> _Case:
        arn = str(role.arn)
        attached = index.statements(principal, role)
        about = [each for each in attached if each.covers_resource(arn, context)]
        elsewhere = [each for each in attached if not each.deny and each not in about and _variable(each)]
        denies = [each for each in about if each.deny and each.holds(context)]
        shut: list[_Level] = []
        for name, statements in index.guards(role):
            relevant = [each for each in statements if each.covers_resource(arn, context)]
            denies += [each for each in relevant if each.deny and each.holds(context)]
            allows = tuple(each for each in relevant if not each.deny)
            if not any(each.holds(context) for each in allows):
                shut.append(_Level(name, allows))
        return cls(
            index,
            principal,
            role,
            context,
            now,
            voice,
            tuple(each for each in about if not each.deny),
            tuple(elsewhere),
            tuple(denies),
            tuple(shut),
        )

    @property
    def granted(self) -> bool:
        """An attached Allow matches; guardrails and denies are not asked."""
        return any(each.holds(self.context) for each in self.allows)

    def failed(self, statement: Statement) -> int:
        """How many of its conditions do not hold."""
        return sum(not each.holds(self.context, statement.deny) for each in statement.conditions)

    def failures(self, statement: Statement, *, dials_only: bool = False) -> str:
        """Those conditions in words; empty if all hold."""
        return _and(
            needs(each, self.context, self.now, self.voice)
            for each in statement.conditions
            if not each.holds(self.context, statement.deny) and (each.key in DIALS or not dials_only)
        )

    def way_past(self, deny: Statement, *, dials_only: bool = False) -> str:
        """What would keep a Deny from matching: any one of its conditions."""
        ways = [
            needs(each, self.context, self.now, self.voice, avoid=True)
            for each in deny.conditions
            if each.key in DIALS or not dials_only
        ]
        return ", or ".join(dict.fromkeys(ways))


def _variable(statement: Statement) -> bool:
    return not all(resource.fixed for resource in statement.resources)


def _and(parts: Iterable[str]) -> str:
    return ", and ".join(dict.fromkeys(parts))


def _place(reference: StatementRef) -> tuple[bool, str, int, str, int]:
    """Order of the files; the shipped templates, which are in none of them, come last."""
    return (
        reference.policy.startswith(managed.PREFIX),
        reference.file or "",
        reference.line or 0,
        reference.policy,
        reference.index,
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An Allow that does not match."""

    statement: Statement
    failed: int
    mismatches: int
    group: str | None = None
    level: str | None = None


def _nearest(candidates: Sequence[_Candidate]) -> _Candidate | None:
    """Fewest failed conditions, then fewest other mismatches, then the order of the files."""
    if not candidates:
        return None
    best = min((each.failed, each.mismatches) for each in candidates)
    # The place in the file is looked up for the best alone: it costs reading the file.
    tied = [each for each in candidates if (each.failed, each.mismatches) == best]
    return min(tied, key=lambda each: (*_place(each.statement.reference), each.group or ""))


# --- the person's own view ------------------------------------------------------------------------


class _Own:
    """What a person is told about themselves."""

    def __init__(self, case: _Case, decision: Decision, opened: Reach | None) -> None:
        self._case = case
        self._decision = decision
        self._opened = opened
        self._found = None if opened is None else _nearest(self._candidates(opened))
        needed = decision.effect is Effect.IMPLICIT_DENY or not case.granted
        told = self._found is not None or not needed
        self.within_reach = opened is not None and told and all(map(self._past, case.denies))

    def _past(self, deny: Statement) -> str:
        return self._case.way_past(deny, dials_only=True)

    def _candidates(self, opened: Reach) -> list[_Candidate]:
        """What does not match now and does once the steps are taken; nothing else is spoken of."""
        case = self._case
        groups: list[tuple[str | None, Iterable[Statement]]] = []
        if not case.granted:
            groups.append((None, case.allows))
        elif case.shut:
            groups.append((case.shut[0].name, case.shut[0].allows))
        return [
            _Candidate(each, case.failed(each), 0, level=level)
            for level, statements in groups
            for each in statements
            if each.holds(opened.context) and case.failures(each, dials_only=True)
        ]

    def decision(self) -> Decision:
        if not (self._decision.allowed or self.within_reach):
            return replace(self._decision, matched=())
        return replace(self._decision, matched=tuple(map(_bare, self._decision.matched)))

    def nearest(self) -> Nearest | None:
        found = self._found
        if found is None or not self.within_reach:
            return None
        words = self._case.failures(found.statement, dials_only=True)
        return Nearest(_bare(found.statement.reference), words, level=found.level)

    def why(self) -> str:
        case = self._case
        if self._decision.allowed:
            allowed_by = listed((name_of(ref) for ref in self._decision.matched), "and")
            return f"You may use this role: {allowed_by} allows it."
        if not self.within_reach:
            return _NOT_YOURS
        said = [f"{name_of(each.reference)} denies it: it {self._past(each)}." for each in case.denies]
        found = self._found
        if found is not None:
            words = case.failures(found.statement, dials_only=True)
            where = f" (guardrail {shown(found.level)})" if found.level is not None else ""
            said.append(f"{name_of(found.statement.reference)}{where} would allow it, but {words}.")
        return " ".join(said)

    def would_change(self) -> str:
        if self._decision.allowed:
            return ""
        if self._opened is None or not self.within_reach:
            return _ASK
        return _sentence(self._opened.steps)


def _bare(reference: StatementRef) -> StatementRef:
    return replace(reference, file=None, line=None)


def name_of(reference: StatementRef) -> str:
    """A statement without its place: `office-hours` (NotBeforeSeven)."""
    return f"{shown(reference.policy)} ({reference.sid or f'statement {reference.index + 1}'})"


def _sentence(steps: Sequence[str]) -> str:
    text = ", and ".join(steps)
    return f"{text[:1].upper()}{text[1:]}."


# --- the operators' view --------------------------------------------------------------------------


class _Operators:
    """Everything."""

    def __init__(self, case: _Case, decision: Decision, opened: Reach | None) -> None:
        self._case = case
        self._decision = decision
        self._opened = opened
        self.within_reach = opened is not None
        self._found = None if decision.allowed else _nearest(self._candidates())

    def _candidates(self) -> list[_Candidate]:
        case = self._case
        if case.granted:
            return [
                _Candidate(each, case.failed(each), 0, level=level.name)
                for level in case.shut
                for each in level.allows
            ]
        found = [_Candidate(each, case.failed(each), 0) for each in case.allows]
        found += [_Candidate(each, case.failed(each) + 1, 1) for each in case.others]
        arn = str(case.role.arn)
        for group, each in case.index.elsewhere(case.principal, case.role):
            if each.covers_resource(arn, case.context):
                found.append(_Candidate(each, case.failed(each) + 1, 1, group=group))
        return found

    def decision(self) -> Decision:
        return self._decision

    def nearest(self) -> Nearest | None:
        found = self._found
        if found is None:
            return None
        return Nearest(found.statement.reference, self._failed(found), group=found.group, level=found.level)

    def _failed(self, found: _Candidate) -> str:
        case = self._case
        said = []
        if found.group is not None:
            have = listed(map(shown, sorted(case.principal.groups)), "and") or "none"
            said.append(f"needs the group {shown(found.group)}; they have {have}")
        elif found.mismatches:
            said.append(f"is about {_roles(found.statement, case.context)}")
        said.append(case.failures(found.statement))
        return _and(each for each in said if each)

    def why(self) -> str:
        case, decision = self._case, self._decision
        matched = listed(map(str, decision.matched), "and")
        if decision.allowed:
            return f"Allowed by {matched}."
        said = []
        for deny in case.denies:
            way = case.way_past(deny)
            said.append(
                f"Denied by {deny.reference}: "
                + (f"to get past it, the request {way}." if way else "it has no condition.")
            )
        if case.granted:
            names = listed((shown(level.name) for level in case.shut), "and")
            if names:
                said.append(f"A policy allows it, but guardrail {names} does not.")
        else:
            said.append("No statement that is attached to them allows it.")
        found = self._found
        if found is not None:
            said.append(f"Nearest: {found.statement.reference} {self._failed(found)}.")
        return " ".join(said)

    def would_change(self) -> str:
        if self._decision.allowed:
            return ""
        if self._opened is not None:
            return f"They can do it themselves: {', and '.join(self._opened.steps)}."
        return " ".join(self._changes())

    def _changes(self) -> Iterable[str]:
        """In the configuration or the directory, since nothing in the person's hands is enough."""
        case, found = self._case, self._found
        for deny in case.denies:
            yield f"{deny.reference} must not match any more."
        if not case.granted:
            if found is None:
                yield (
                    "No policy of this revision allows this role to anybody: name a group in its `allow` "
                    "(accounts.yaml), or give a group a policy that does."
                )
            elif found.group is not None:
                yield f"Put them into the group {shown(found.group)}" + (
                    ", and see to the conditions." if found.failed > 1 else "."
                )
            elif found.mismatches:
                yield "Give them a statement about this role."
            else:
                yield f"The conditions of {found.statement.reference} must hold."
        for level in case.shut:
            yield f"Guardrail {shown(level.name)} must allow the role."


def _roles(statement: Statement, context: RequestContext) -> str:
    """The roles that a statement with policy variables comes to for this person."""
    told = []
    for resource in statement.resources:
        resolved = resolve(resource.parts, context)
        if resolved is None:
            told.append(f"{shown(resource.text)} (a variable has no value here)")
        else:
            told.append(
                shown("".join(part.value[0] if isinstance(part, Wild) else part for part in resolved[0]))
            )
    listing = listed(told, "or")
    return f"every role but {listing}" if statement.not_resource else f"the role {listing}"
