"""A revision's policies, arranged so that an answer costs what is attached to the person who asks.

Everything becomes statements: a role's short form `allow`, groups' policies and inline documents, managed
templates, guardrails. At compile time each statement is filed under the roles that it can match; one
that matches many roles, or names them by a policy variable, is kept aside and tried each time. Documents of
single people are compiled when they ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

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
    SourceId,
)
from app.policy import assumed, managed, rights, root
from app.policy.actions import AdminAction
from app.policy.attachments import Attachments, Carried
from app.policy.catalogue import Catalogue
from app.policy.context import PersonContexts
from app.policy.document import Document, Kind, Statement
from app.policy.filing import Filing, Unit
from app.policy.holdings import Holdings
from app.policy.outlook import Outlooks
from app.policy.own import OwnDocuments
from app.policy.problems import PolicyInvalid, PolicyProblem
from app.policy.read import Memo, read
from app.policy.request import RequestContext, Value
from app.policy.rights import Rights
from app.policy.said import decision
from app.policy.short_forms import short_forms


class Index:
    """A compiled revision. It never changes; what it remembers between questions only saves time."""

    def __init__(
        self,
        revision: Revision,
        catalogue: Catalogue,
        attached: Attachments,
        levels: tuple[Unit | None, ...],
        documents: Mapping[str, Document],
        rights: Rights,
    ) -> None:
        """Use `Index.compile`."""
        self._rights = rights
        self._number = revision.number
        self._providers: Mapping[SourceId, Provider] = revision.providers
        self._level_names = tuple(name for name, _ in revision.guardrails)
        self._catalogue = catalogue
        self._attached = attached
        self._levels = levels
        self._documents = documents
        self._guarded: dict[str, tuple[tuple[Statement, ...], ...]] = {}
        self._holdings = Holdings(revision.number, catalogue, attached, self._guards)

    @classmethod
    def compile(cls, revision: Revision) -> Index:
        """Compile a revision.

        Raises PolicyInvalid with the problems of all its documents, unknown policy names among them.
        """
        memo = Memo()
        problems: list[PolicyProblem] = []
        catalogue = Catalogue({str(arn): role for arn, role in revision.roles.items()})
        filing = Filing(catalogue)

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
        short = short_forms(revision)
        groups: dict[str, Carried] = {}
        administering: dict[str, tuple[tuple[str, ...], tuple[Statement, ...]]] = {}
        for name in dict.fromkeys((*revision.groups, *short)):
            group = revision.groups.get(name)
            carried: list[Statement] = list(short.get(name, ()))
            names: tuple[str, ...] = ()
            if group is not None:
                carried.extend(statements(group.inline, Kind.IDENTITY))
                names = group.policies
            for policy in names:
                if policy not in policies and not _broken(policy, revision):
                    problems.append(_missing(policy, name))
            unit = filing.unit(carried)
            if unit is not None or names:
                groups[name] = Carried(names, unit)
            about = rights.about(carried)
            if about or names:
                administering[name] = (names, about)
        caps = [tuple(statements(texts, Kind.GUARDRAIL)) for _, texts in revision.guardrails]
        levels = tuple(map(filing.unit, caps))
        if problems:
            raise PolicyInvalid(tuple(problems))
        own = OwnDocuments(catalogue)
        administration = Rights(
            revision.number,
            {name: rights.about(made.statements) for name, made in documents.items()},
            administering,
            tuple(map(rights.about, caps)),
            lambda text: own.of(text).administration,
        )
        attached = Attachments(revision.number, policies, groups, own)
        return cls(revision, catalogue, attached, levels, documents, administration)

    def extended(self, revision: Revision, policy: PolicyText) -> Index:
        """This index with one more customer-managed policy, or another text of one: what a draft would change.

        `revision` is the one that this was compiled from. Costs what the policy costs, not a compilation.
        Raises PolicyInvalid.
        """
        document = read(policy, Kind.IDENTITY, Memo())
        unit = Filing(self._catalogue).unit(document.statements)
        own = self._rights
        return Index(
            revision,
            self._catalogue,
            self._attached.extended(policy.name, unit),
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
        carries a policy that this revision does not have, or an inline one that cannot be read. Root may assume
        the break-glass roles, whatever policies say.
        """
        if principal.root:
            return root.decide(role, self._number)
        arn = str(role.arn)
        known = RequestContext.of(context)
        filed, tried = self._candidates(principal, arn)
        return self._decide(filed, tried, self._guards(arn), arn, known)

    def permits(
        self, principal: Principal, action: str, resource: str, context: Mapping[str, Value]
    ) -> Decision:
        """May this principal administer this? `action` is one of `daypass:`; anything else is implicitly denied.

        Decided as IAM does: policies of the person and their groups, guardrails, and the permissions boundary.
        Root may do all of it. Raises Unavailable as `decide` does.
        """
        return self._rights.permits(principal, action, resource, context)

    def sign_in_denied(self, principal: Principal, context: Mapping[str, Value]) -> Decision:
        """Whether a policy forbids this principal to sign in like this: an explicit deny, or else no answer at all.

        No Allow is needed (`actions.SIGN_IN`), and root is never denied. Raises Unavailable as `decide` does.
        """
        return self._rights.sign_in_denied(principal, context)

    def may_deny_sign_in(self, principal: Principal) -> bool:
        """Whether a policy forbids this principal to sign in in some request; False: `sign_in_denied` in none.

        Raises Unavailable as `decide` does.
        """
        return bool(self._rights.sign_in_denials(principal))

    def permits_anywhere(self, principal: Principal, row: AdminAction, context: Mapping[str, Value]) -> bool:
        """Whether there is something that the principal may do this to; True only where `permits` would be.

        It may miss an Allow whose pattern a Deny covers in part. Raises Unavailable as `decide` does.
        """
        return self._rights.anywhere(principal, row, context)

    def conceivable(self, principal: Principal, row: AdminAction) -> bool:
        """Whether the principal may do this to something in some request: later, elsewhere, by another proof.

        Never False where `permits` could be; True where conditions contradict each other. Raises Unavailable as `decide`
        does.
        """
        return self._rights.conceivable(principal, row)

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
        return self._attached.elsewhere(principal, str(role.arn))

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
        if principal.root:
            return root.assumable(self._catalogue.roles.values(), self._number)
        found, asking = self._holdings.settled(principal, contexts)
        for arn in asking:
            role = self._catalogue.roles[arn]
            filed, tried = self._candidates(principal, arn)
            if all(statement.deny for statement in filed) and all(statement.deny for statement in tried):
                continue
            known = RequestContext.of(contexts(role))
            made = self._decide(filed, tried, self._guards(arn), arn, known)
            if made.effect is Effect.ALLOW:
                found.append((role, made))
        return found

    def outlooks(self, arns: Sequence[str]) -> Outlooks[Unit]:
        """For asking about many people; the roles' bits go by their place in `arns`, others are left out."""
        bits = {arn: 1 << place for place, arn in enumerate(arns)}
        glass = sum(bits.get(arn, 0) for arn, role in self._catalogue.roles.items() if role.break_glass)
        return Outlooks(
            self._attached.units, self._levels, lambda unit: self._holdings.shares(unit, bits), glass
        )

    def bounds(self, principal: Principal, role: Role, context: Mapping[str, Value]) -> assumed.Bounds:
        """May this principal assume this role: surely, or for some requests, and on what that depends.

        Raises Unavailable as `decide` does.
        """
        if principal.root:
            return assumed.Bounds(role.break_glass, role.break_glass, ())
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
            return decision(Effect.EXPLICIT_DENY, denies, self._number)
        if allows and not capped:
            return decision(Effect.ALLOW, allows, self._number)
        return Decision(Effect.IMPLICIT_DENY, (), self._number)

    def _candidates(self, principal: Principal, arn: str) -> tuple[list[Statement], list[Statement]]:
        """Attached statements that cover the role, and those that may."""
        filed: list[Statement] = []
        tried: list[Statement] = []
        if arn not in self._catalogue.roles:
            for unit in self._attached.units(principal):
                tried.extend(unit.statements)
            return filed, tried
        for unit in self._attached.units(principal):
            covering = unit.filed.get(arn)
            if covering is not None:
                filed.extend(covering)
            if unit.aside:
                tried.extend(unit.aside)
        return filed, tried

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
