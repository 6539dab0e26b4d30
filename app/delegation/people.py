"""The people whom sign-ins have shown, and policies drafted for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.access import View
from app.delegation.desk import Desk
from app.drafts import Draft, Drafted, draft, role_pattern
from app.errors import PersonUnknown, RoleUnknown
from app.model import Caller, Explanation, Role, RoleArn, Session, SourceId
from app.people import LOCAL
from app.policy import actions, explain
from app.policy.offered import Offered, offered
from app.principal import principal
from app.store import KnownPerson


@dataclass(frozen=True, slots=True)
class Choices:
    """What a policy can be made of here."""

    roles: tuple[Role, ...]
    groups: tuple[str, ...]
    keys: tuple[Offered, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody's way to a role, as it is if they ask now, signed in as they last were."""

    known: KnownPerson
    groups: tuple[str, ...]
    """By the active revision."""
    told: Explanation


_UNKNOWN = Caller(request_id="-", address="")
"""From where they would ask is not known."""


class KnowingPeople(Desk):
    """Who there is, why they may, and what another policy would give them."""

    # --- people -----------------------------------------------------------------------------------

    def people(self, session: Session, *, caller: Caller) -> Sequence[KnownPerson]:
        """Everybody whom this person may see, by source and username."""
        asking = self._asking(session, caller)
        self._need_anywhere(asking, actions.READ_PEOPLE)
        known = self._readable(asking, self._administration.everybody())
        return sorted(
            known, key=lambda each: (each.identity.source, each.identity.username, each.identity.subject)
        )

    def explain(self, session: Session, source: str, subject: str, role: str, *, caller: Caller) -> Case:
        """Why somebody may or may not use a role, with every statement's place.

        Raises PersonUnknown for somebody who never signed in, RoleUnknown if there is no such role.
        """
        resource = actions.person_resource(source, subject)
        asking = self._need(session, actions.EXPLAIN_ACCESS, resource, caller, {"role": role})
        running = asking.running
        known = self._known(source, subject)
        if known is None or (known.user is None and known.identity.source not in running.revision.providers):
            raise PersonUnknown(f"nobody {subject[:64]!r} of source {source[:32]!r} is known")
        found = running.revision.roles.get(RoleArn(role))
        if found is None:
            raise RoleUnknown("no such role in the revision")
        who = principal(known.identity, running.revision, user=known.user)
        context = running.index.contexts(who, _UNKNOWN, asking.now)(found)
        told = explain(running.index, who, found, context, asking.now, operator=True)
        return Case(known, tuple(sorted(who.groups)), told)

    # --- policies ---------------------------------------------------------------------------------

    def choices(self, session: Session, *, caller: Caller) -> Choices:
        """Roles, groups and condition keys to make a policy of. Values of keys come from people one may see."""
        asking = self._asking(session, caller)
        self._need_anywhere(asking, actions.WRITE_POLICY)
        revision = asking.running.revision
        people = self._administration.everybody()
        roles = tuple(
            sorted(revision.roles.values(), key=lambda role: (role.account_name, role.account, role.name))
        )
        pooled = any(client.pool for client in revision.clients.values())
        every = offered(revision.providers, roles, (each.identity for each in people), pooled=pooled)
        readable = offered(
            revision.providers,
            roles,
            (each.identity for each in self._readable(asking, people)),
            revision.clients,
            pooled=pooled,
        )
        seen = {key.name: key.seen for key in readable}
        keys = tuple(replace(key, seen=seen.get(key.name, ())) for key in every)
        return Choices(roles, tuple(sorted(revision.groups)), keys)

    def draft(self, session: Session, wanted: Draft, *, caller: Caller) -> Drafted:
        """The document, its warnings, and what it would change for people whom one may see.

        Raises PolicyInvalid too.
        """
        resource = actions.policy_resource(wanted.name)
        asking = self._need(session, actions.WRITE_POLICY, resource, caller, {"groups": list(wanted.groups)})
        readable = self._readable(asking, self._administration.everybody())
        running = asking.running
        roles = tuple(role_pattern(each, running.revision) for each in wanted.wanted.roles)
        wanted = replace(wanted, wanted=replace(wanted.wanted, roles=roles))
        return draft(wanted, View(running.revision, running.index), readable, asking.now)

    # --- steps ------------------------------------------------------------------------------------

    def _known(self, source: str, subject: str) -> KnownPerson | None:
        if source != LOCAL:
            return self._store.people.get(SourceId(source), subject)
        every = self._administration.everybody()
        return next((each for each in every if each.user is not None and each.user.id == subject), None)
