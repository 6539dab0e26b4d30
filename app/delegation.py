"""The second door as signed-in people may use it: the policy engine decides, each step is on record.

`Administration` is for whoever holds the machine and may do everything. Here every method first asks whether
this person may take a `daypass:` action on this thing; a "no" looks like an address that does not exist. The
record is durable before anything is shown or done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.access import Shift, View, compare
from app.active import Active, Running
from app.admin import Administration, FileChange, Plan, files_changed
from app.audit import AuditWriter, StoredRecord
from app.clock import Clock
from app.configuration import ConfigurationUnreadable
from app.drafts import Draft, Drafted, Handed, draft, handed, role_pattern
from app.errors import (
    ConfigurationWrong,
    PersonUnknown,
    RevisionChanged,
    RevisionUnknown,
    RevisionUnusable,
    RoleUnknown,
    Unknown,
)
from app.model import (
    AuditEvent,
    AuditKind,
    Caller,
    Explanation,
    Identity,
    Principal,
    Revision,
    Role,
    RoleArn,
    Session,
    SourceId,
)
from app.policy import Index, actions, explain
from app.policy.actions import AdminAction
from app.policy.offered import Offered, offered
from app.policy.request import RequestContext
from app.principal import asking as as_asked
from app.principal import principal
from app.store import Activation, KnownPerson, Search, Store, StoredRevision


@dataclass(frozen=True, slots=True)
class Difference:
    """From one revision to another."""

    older: Activation
    newer: Activation
    files: tuple[FileChange, ...]
    """Those that differ, by path."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a change of the active revision would do."""

    difference: Difference
    shifts: tuple[Shift, ...]
    """Who would gain and lose which roles; those with most at stake first."""
    handed: tuple[Handed, ...]
    """Who could administer more or less of daypass."""
    looked_at: int
    """How many people that was worked out for."""


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


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks, in the revision that decides."""

    session: Session
    caller: Caller
    now: datetime
    running: Running
    person: Principal
    context: RequestContext

    def may(self, row: AdminAction, resource: str) -> bool:
        return self.running.index.permits(self.person, row.name, resource, self.context).allowed


class Delegation:
    """What people may administer. Safe to use from many threads at once."""

    def __init__(
        self,
        *,
        active: Active,
        store: Store,
        audit: AuditWriter,
        clock: Clock,
        administration: Administration,
    ) -> None:
        self._administration = administration
        self._active = active
        self._store = store
        self._audit = audit
        self._clock = clock

    def rights(self, session: Session, *, caller: Caller) -> frozenset[AdminAction]:
        """The actions that this person may take on anything; nothing is put on record."""
        asking = self._asking(session, caller)
        index = asking.running.index
        return frozenset(
            row for row in actions.ACTIONS if index.permits_anywhere(asking.person, row, asking.context)
        )

    # --- revisions --------------------------------------------------------------------------------

    def revisions(self, session: Session, *, caller: Caller) -> Sequence[Activation]:
        """Every revision without its files, newest first; the first is active.

        Raises:
            Unknown, AuditUnavailable, StoreUnavailable; so do all methods below.
        """
        self._need(session, actions.READ_CONFIGURATION, actions.CONFIGURATION, caller, {"read": "history"})
        return self._administration.history()

    def difference(self, session: Session, older: int, newer: int, *, caller: Caller) -> Difference:
        """What changed from one revision to another. Raises RevisionUnknown too."""
        facts: dict[str, object] = {"read": "difference", "from": older, "to": newer}
        self._need(session, actions.READ_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        before, after = self._revision(older), self._revision(newer)
        return _difference(before, after, before.files, after.files)

    def plan_roll_back(self, session: Session, number: int, *, caller: Caller) -> Planned:
        """What would change if that revision came back, for people whom one may see. Raises RevisionUnknown too."""
        facts: dict[str, object] = {"plan": "rollback", "to": number}
        asking = self._need(session, actions.ROLLBACK_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        wanted = self._revision(number)
        running = self._usable(number)
        active = self._revision(asking.running.revision.number)
        difference = _difference(active, wanted, active.files, wanted.files)
        return self._planned(asking, difference, View(running.revision, running.index))

    def roll_back(self, session: Session, number: int, active: int, *, caller: Caller) -> int:
        """Make that revision's files active again, as a new revision, if `active` still is; its number.

        Raises RevisionUnknown, RevisionUnusable, RevisionChanged too.
        """
        facts: dict[str, object] = {"to": number, "from": active}
        asking = self._need(session, actions.ROLLBACK_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        self._revision(number)
        return self._activate(asking, self._usable(number).revision, active, number)

    def plan(self, session: Session, *, caller: Caller) -> Planned:
        """What the configuration folder of this machine would change, for people whom one may see.

        Raises ConfigurationWrong too.
        """
        facts: dict[str, object] = {"plan": "folder"}
        asking = self._need(session, actions.APPLY_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        found = self._on_disk()
        current = asking.running
        active = self._revision(current.revision.number)
        newer = Activation(
            number=active.number + 1,
            digest=found.digest,
            activated_at=asking.now,
            by="",
            restores=None,
            folder=found.digest,
        )
        return self._planned(asking, _difference(active, newer, active.files, found.files), View.of(found))

    def apply(self, session: Session, digest: str, active: int, *, caller: Caller) -> int:
        """Make the folder's configuration active, if it is still the one of that digest; the new revision's number.

        Raises ConfigurationWrong, RevisionChanged too.
        """
        facts: dict[str, object] = {"from": active}
        asking = self._need(session, actions.APPLY_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        found = self._on_disk()
        if found.digest != digest:
            raise RevisionChanged(f"the folder has {found.digest[:12]} now, {digest[:12]} was planned")
        Index.compile(found)  # what cannot be compiled must not become active
        return self._activate(asking, found, active)

    # --- audit ------------------------------------------------------------------------------------

    def search_audit(self, session: Session, wanted: Search, *, caller: Caller) -> Sequence[StoredRecord]:
        """The newest records that fit, newest first. What was looked for is on record too."""
        asked = {
            "person": wanted.person,
            "role": wanted.role,
            "kind": wanted.kind,
            "request_id": wanted.request_id,
            "access_key_id": wanted.access_key_id,
            "since": wanted.since.isoformat() if wanted.since else None,
            "until": wanted.until.isoformat() if wanted.until else None,
            "before": wanted.before,
        }
        facts: dict[str, object] = {
            "search": {name: value for name, value in asked.items() if value is not None}
        }
        self._need(session, actions.READ_AUDIT, actions.AUDIT, caller, facts)
        return self._store.audit.search(wanted)

    # --- people -----------------------------------------------------------------------------------

    def people(self, session: Session, *, caller: Caller) -> Sequence[KnownPerson]:
        """Everybody whom this person may see, by source and username."""
        asking = self._asking(session, caller)
        self._need_anywhere(asking, actions.READ_PEOPLE)
        known = self._readable(asking, self._store.people.all())
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
        known = self._store.people.get(SourceId(source), subject)
        if known is None or known.identity.source not in running.revision.providers:
            raise PersonUnknown(f"nobody {subject[:64]!r} of source {source[:32]!r} is known")
        found = running.revision.roles.get(RoleArn(role))
        if found is None:
            raise RoleUnknown("no such role in the revision")
        who = principal(known.identity, running.revision)
        context = running.index.contexts(who, _UNKNOWN, asking.now)(found)
        told = explain(running.index, who, found, context, asking.now, operator=True)
        return Case(known, tuple(sorted(who.groups)), told)

    # --- policies ---------------------------------------------------------------------------------

    def choices(self, session: Session, *, caller: Caller) -> Choices:
        """Roles, groups and condition keys to make a policy of. Values of keys come from people one may see."""
        asking = self._asking(session, caller)
        self._need_anywhere(asking, actions.WRITE_POLICY)
        revision = asking.running.revision
        people = self._store.people.all()
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
        readable = self._readable(asking, self._store.people.all())
        running = asking.running
        roles = tuple(role_pattern(each, running.revision) for each in wanted.wanted.roles)
        wanted = replace(wanted, wanted=replace(wanted.wanted, roles=roles))
        return draft(wanted, View(running.revision, running.index), readable, asking.now)

    # --- steps ------------------------------------------------------------------------------------

    def _asking(self, session: Session, caller: Caller) -> _Asking:
        now = self._clock.now()
        running = self._active.current()
        person = principal(session.identity, running.revision)
        context = running.index.contexts(person, as_asked(session, caller), now).person
        return _Asking(session, caller, now, running, person, context)

    def _need(
        self,
        session: Session,
        row: AdminAction,
        resource: str,
        caller: Caller,
        facts: Mapping[str, object],
    ) -> _Asking:
        asking = self._asking(session, caller)
        decision = asking.running.index.permits(asking.person, row.name, resource, asking.context)
        statements = [str(reference) for reference in decision.matched]
        detail = {"action": row.name, "resource": resource, **facts, "statements": statements}
        if decision.allowed:
            self._record(asking, AuditKind.ADMINISTRATION_USED, detail)
            return asking
        raise self._refused(asking, {**detail, "why": str(decision.effect)})

    def _need_anywhere(self, asking: _Asking, row: AdminAction) -> None:
        """For what shows only as much as the person may see of it."""
        detail: dict[str, object] = {"action": row.name, "resource": f"{actions.PREFIX}{row.kind}*"}
        if not asking.running.index.permits_anywhere(asking.person, row, asking.context):
            raise self._refused(asking, {**detail, "why": "allowed on nothing"})
        self._record(asking, AuditKind.ADMINISTRATION_USED, detail)

    def _refused(self, asking: _Asking, detail: Mapping[str, object]) -> Unknown:
        self._record(asking, AuditKind.ADMINISTRATION_REFUSED, detail)
        # It looks like an address that there is not: who may do nothing here learns nothing here.
        refusal = Unknown(f"{detail['action']} on {str(detail['resource'])[:200]}: {detail['why']}")
        refusal.recorded = True
        return refusal

    def _record(
        self,
        asking: _Asking,
        kind: AuditKind,
        detail: Mapping[str, object],
    ) -> None:
        who = asking.session.identity
        event = AuditEvent(
            kind=kind,
            at=asking.now,
            request_id=asking.caller.request_id,
            address=asking.caller.address,
            source=who.source,
            subject=who.subject,
            username=who.username,
            session=asking.session.id,
            revision=asking.running.revision.number,
            detail=detail,
        )
        self._audit.record(event)

    def _readable(self, asking: _Asking, people: Sequence[KnownPerson]) -> list[KnownPerson]:
        return [each for each in people if asking.may(actions.READ_PEOPLE, _resource(each.identity))]

    def _planned(self, asking: _Asking, difference: Difference, after: View) -> Planned:
        people = self._readable(asking, self._store.people.all())
        before = View(asking.running.revision, asking.running.index)
        return Planned(
            difference,
            tuple(compare(before, after, people, asking.now)),
            handed(before, after, people),
            len(people),
        )

    def _activate(self, asking: _Asking, wanted: Revision, active: int, restores: int | None = None) -> int:
        latest = self._store.revisions.latest()
        if latest is None or latest.number != active:
            raise RevisionChanged(f"revision {active} is not active any more")
        files = files_changed(latest.files, wanted.files)
        if not files:
            return active
        plan = Plan(wanted, active, restores, files, (), 0, asking.now)
        who = asking.session.identity
        return self._administration.activate(plan, by=f"{who.source}/{who.username}")

    def _on_disk(self) -> Revision:
        try:
            loaded = self._administration.check()
        except ConfigurationUnreadable as unreadable:
            raise ConfigurationWrong((str(unreadable),)) from unreadable
        if loaded.revision is None:
            raise ConfigurationWrong(
                tuple(str(problem) for problem in loaded.problems if problem.level == "error")
            )
        return loaded.revision

    def _usable(self, number: int) -> Running:
        running = self._active.at(number)
        if running.revision.number != number:
            raise RevisionUnusable(f"revision {number} cannot be built here")
        return running

    def _revision(self, number: int) -> StoredRevision:
        found = self._store.revisions.get(number)
        if found is None:
            raise RevisionUnknown(f"revision {number} is not in the store")
        return found


def _difference(
    older: Activation, newer: Activation, before: Mapping[str, str], after: Mapping[str, str]
) -> Difference:
    return Difference(older, newer, files_changed(before, after))


def _resource(identity: Identity) -> str:
    return actions.person_resource(identity.source, identity.subject)
