"""The roles of a revision, arranged so that the patterns of policies find theirs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from app.model import Role
from app.policy.document import Statement
from app.policy.patterns import Glob, Resource, Variable, Wild
from app.policy.request import EMPTY

_FEW: Final = 128
"""A pattern that may match more roles than this is tried when asked, and filed under none."""
_REMEMBERED: Final = 65_536
"""Entries of Resource whose roles are kept: more than a revision has; users' own documents come and go."""


class Catalogue:
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
            if len(self._all) >= _REMEMBERED:
                self._all.clear()
            self._all[resource] = found
        return found

    def about(self, statement: Statement) -> Iterable[str]:
        """Roles that a statement which is filed under none can be about."""
        if statement.not_resource:
            excluded = {
                arn
                for resource in statement.resources
                if resource.fixed and resource.simple
                for arn in self.reach(resource)
            }
            return [arn for arn in self._arns if arn not in excluded]
        return dict.fromkeys(arn for resource in statement.resources for arn in self.reach(resource))

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


def fixed(statement: Statement) -> bool:
    """True if the statement's resources name no variable."""
    return all(resource.fixed for resource in statement.resources)
