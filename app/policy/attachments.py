"""What is attached to people: managed policies, what their groups carry, and documents of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import Unavailable
from app.model import Principal
from app.policy.document import Statement
from app.policy.filing import Unit
from app.policy.own import OwnDocuments

_HOLDERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Carried:
    """What one group carries."""

    policies: tuple[str, ...]
    own: Unit | None
    """Its short forms and inline documents."""


class Attachments:
    """The units of a revision, by what carries them. What is remembered only saves time."""

    def __init__(
        self,
        number: int,
        policies: Mapping[str, Unit | None],
        groups: Mapping[str, Carried],
        documents: OwnDocuments,
    ) -> None:
        self._number = number
        self._policies = policies
        self._groups = groups
        self._documents = documents
        self._held: dict[tuple[object, ...], tuple[Unit, ...]] = {}

    def extended(self, name: str, unit: Unit | None) -> Attachments:
        """With one more managed policy, or another in place of one."""
        return Attachments(self._number, {**self._policies, name: unit}, self._groups, self._documents)

    def units(self, principal: Principal) -> tuple[Unit, ...]:
        """All that is attached to a principal; nothing to root.

        Raises Unavailable if a policy is not in the revision, or a document of the person's own is none.
        """
        if principal.root:
            return ()
        key = (principal.groups, principal.policies, principal.inline)
        held = self._held.get(key)
        if held is None:
            held = tuple(self._gathered(principal))
            if len(self._held) >= _HOLDERS:
                self._held.clear()
            self._held[key] = held
        return held

    def elsewhere(self, principal: Principal, arn: str) -> Iterator[tuple[str, Statement]]:
        """(group, Allow that may concern the role) for what the principal has by none of its groups."""
        if principal.root:
            return
        held = frozenset(self.units(principal))
        for group, carried in self._groups.items():
            if group in principal.groups:
                continue
            for unit in (*(self._policies.get(name) for name in carried.policies), carried.own):
                if unit is None or unit in held:
                    continue
                for statement in (*unit.filed.get(arn, ()), *unit.aside):
                    if not statement.deny:
                        yield group, statement

    def _gathered(self, principal: Principal) -> Iterator[Unit]:
        names = dict.fromkeys(principal.policies)
        own: list[Unit] = []
        for group in sorted(principal.groups):
            carried = self._groups.get(group)
            if carried is not None:
                names.update(dict.fromkeys(carried.policies))
                if carried.own is not None:
                    own.append(carried.own)
        for name in names:
            if name not in self._policies:
                raise Unavailable(
                    f"policy {name} is attached, but revision {self._number} has none of that name"
                )
            unit = self._policies[name]
            if unit is not None:
                yield unit
        yield from own
        for text in principal.inline:
            unit = self._documents.of(text).unit
            if unit is not None:
                yield unit
