"""A revision's statements about daypass itself, by what carries them: who may administer what.

Kept apart from the statements about roles, so that neither slows the other. The decision is IAM's, with the
permissions boundary of the person's source included: for a role the boundary goes to AWS with the session,
but here is no session that could carry it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import Unavailable
from app.model import Decision, Effect, PolicyText, Principal
from app.policy import actions, root
from app.policy.actions import AdminAction
from app.policy.document import Statement
from app.policy.patterns import Resource, Wild
from app.policy.request import RequestContext, Value
from app.policy.said import decision
from app.policy.text import fold

_SAMPLE: Final = "x"
_SIGN_IN: Final = fold(actions.SIGN_IN.name)


def about(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Those that can be about daypass itself."""
    return tuple(each for each in statements if actions.concerns(each.actions, negated=each.not_action))


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may administer what, in one revision. `about` has been over all its statements."""

    revision: int
    policies: Mapping[str, tuple[Statement, ...]]
    """Managed policies, `aws:NAME` included."""
    groups: Mapping[str, tuple[tuple[str, ...], tuple[Statement, ...]]]
    """Each group's policies by name, and statements of its own."""
    levels: tuple[tuple[Statement, ...], ...]
    """Guardrails."""
    own: Callable[[PolicyText], tuple[Statement, ...]]
    """A person's inline document → its statements about daypass. Raises Unavailable if it cannot be read."""

    def permits(
        self, principal: Principal, action: str, resource: str, context: Mapping[str, Value]
    ) -> Decision:
        """`Index.permits`."""
        name = fold(action)
        if not name.startswith(f"{actions.SERVICE}:"):
            return Decision(Effect.IMPLICIT_DENY, (), self.revision)
        if principal.root:
            return root.allowed(self.revision)
        known = RequestContext.of(context)

        def matching(statements: Iterable[Statement]) -> list[Statement]:
            return [each for each in statements if each.applies(name, resource, known)]

        granted = matching(self._attached(principal))
        caps = [matching(level) for level in (*self.levels, *self._boundary(principal))]
        denies = [each for found in (granted, *caps) for each in found if each.deny]
        if denies:
            return decision(Effect.EXPLICIT_DENY, denies, self.revision)
        if granted and all(caps):
            return decision(Effect.ALLOW, granted, self.revision)
        return Decision(Effect.IMPLICIT_DENY, (), self.revision)

    def sign_in_denied(self, principal: Principal, context: Mapping[str, Value]) -> Decision:
        """`Index.sign_in_denied`."""
        resource = actions.person_resource(principal.identity.source, principal.identity.subject)
        known = RequestContext.of(context)
        denies = [each for each in self.sign_in_denials(principal) if each.applies(_SIGN_IN, resource, known)]
        if denies:
            return decision(Effect.EXPLICIT_DENY, denies, self.revision)
        return Decision(Effect.IMPLICIT_DENY, (), self.revision)

    def sign_in_denials(self, principal: Principal) -> list[Statement]:
        """The statements that deny this principal the sign-in in some request. Raises Unavailable as `permits` does."""
        if principal.root:
            return []
        return [
            each
            for statements in (self._attached(principal), *self.levels, *self._boundary(principal))
            for each in statements
            if each.deny
            and each.covers_action(_SIGN_IN)
            and actions.names_own(each.actions, negated=each.not_action)
        ]

    def anywhere(self, principal: Principal, row: AdminAction, context: Mapping[str, Value]) -> bool:
        """`Index.permits_anywhere`."""
        return any(
            self.permits(principal, row.name, resource, context).allowed
            for resource in self._samples(principal, row, RequestContext.of(context))
        )

    def conceivable(self, principal: Principal, row: AdminAction) -> bool:
        """`Index.conceivable`."""
        if principal.root:
            return True
        name = fold(row.name)
        granted = tuple(each for each in self._attached(principal) if each.covers_action(name))
        caps = (*self.levels, *self._boundary(principal))
        covering = [[each for each in level if each.covers_action(name)] for level in caps]
        if any(_always(each) for found in (granted, *covering) for each in found if each.deny):
            return False
        return all(
            any(not each.deny and _reaches(each, row) for each in found) for found in (granted, *covering)
        )

    def _samples(self, principal: Principal, row: AdminAction, context: RequestContext) -> Iterator[str]:
        """Things to ask about: one of no special name, and one for each entry that an Allow names."""
        beginning = actions.PREFIX + row.kind
        yield beginning + "/".join(_SAMPLE for _ in row.names.split("/")) if row.names else beginning
        if not row.names:
            return
        for statement in self._attached(principal):
            if statement.deny or statement.not_resource or not statement.covers_action(fold(row.name)):
                continue
            for entry in statement.resources:
                sample = _sample(entry, context)
                if sample is not None and sample.startswith(beginning):
                    yield sample

    def _attached(self, principal: Principal) -> Iterator[Statement]:
        names = dict.fromkeys(principal.policies)
        for group in sorted(principal.groups):
            carried = self.groups.get(group)
            if carried is not None:
                names.update(dict.fromkeys(carried[0]))
                yield from carried[1]
        for name in names:
            yield from self._policy(name)
        for text in principal.inline:
            yield from self.own(text)

    def _boundary(self, principal: Principal) -> tuple[tuple[Statement, ...], ...]:
        return () if principal.boundary is None else (self._policy(principal.boundary),)

    def _policy(self, name: str) -> tuple[Statement, ...]:
        found = self.policies.get(name)
        if found is None:
            raise Unavailable(
                f"policy {name} is attached, but revision {self.revision} has none of that name"
            )
        return found


def _always(statement: Statement) -> bool:
    """Whether it holds for everything, whatever the request is like."""
    everything = not statement.not_resource and any(entry.everything for entry in statement.resources)
    return everything and not statement.conditions


def _reaches(statement: Statement, row: AdminAction) -> bool:
    return statement.not_resource or any(actions.reaches(entry, row) for entry in statement.resources)


def _sample(entry: Resource, context: RequestContext) -> str | None:
    """Something that the entry matches, as far as that can be said by putting a letter for each wildcard."""
    found = ""
    for part in entry.parts:
        if isinstance(part, str):
            found += part
        elif isinstance(part, Wild):
            found += _SAMPLE
        else:
            value = context.find(part.key) if part.key else None
            if not isinstance(value, str):
                value = part.default
            if value is None:
                return None
            found += value
    return found
