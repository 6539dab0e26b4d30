"""What every part has at hand: who asks, whether the policy engine lets them, and the record of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.active import Active, Running
from app.admin import Administration, By
from app.audit import AuditWriter
from app.clock import Clock
from app.errors import SecondPersonNeeded, Unknown
from app.model import AuditEvent, AuditKind, Caller, Identity, Principal, Session
from app.people import LOCAL, LocalUser
from app.policy import actions, step_up
from app.policy.actions import AdminAction
from app.policy.request import RequestContext
from app.principal import asking as as_asked
from app.principal import principal
from app.store import KnownPerson, Store


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, in the revision that decides."""

    session: Session
    caller: Caller
    now: datetime
    running: Running
    person: Principal
    context: RequestContext

    @property
    def by(self) -> By:
        """The same for `Administration`."""
        who = self.session.identity
        return By(
            name=f"{who.source}/{who.username}",
            key=f"{who.source}/{who.subject}",
            request_id=self.caller.request_id,
            address=self.caller.address,
            source=who.source,
            subject=who.subject,
            username=who.username,
            session=self.session.id,
            revision=self.running.revision.number,
        )

    def may(self, row: AdminAction, resource: str) -> bool:
        return self.running.index.permits(self.person, row.name, resource, self.context).allowed


class Desk:
    """The parts, and the question that each method begins with."""

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

    # --- steps ------------------------------------------------------------------------------------

    def _asking(self, session: Session, caller: Caller) -> Asking:
        now = self._clock.now()
        running = self._active.current()
        person = principal(session.identity, running.revision, user=self._user(session.identity))
        # Who administers may give themselves roles of level admin, so a first factor counts here no sooner than there.
        person = step_up.as_counted(person, session.began, step_up.ADMIN)
        context = running.index.contexts(person, as_asked(session, caller), now).person
        return Asking(session, caller, now, running, person, context)

    def _user(self, identity: Identity) -> LocalUser | None:
        """A local user as they are now; None for anybody else."""
        return self._store.users.get(identity.subject) if identity.source == LOCAL else None

    def _need(
        self,
        session: Session,
        row: AdminAction,
        resource: str,
        caller: Caller,
        facts: Mapping[str, object],
    ) -> Asking:
        asking = self._asking(session, caller)
        self._used(asking, self._decided(asking, [(row, resource)], facts))
        return asking

    def _decided(
        self, asking: Asking, wanted: Iterable[tuple[AdminAction, str]], facts: Mapping[str, object]
    ) -> Sequence[Mapping[str, object]]:
        """For what takes several actions: what is to be put on record before it is done. Raises Unknown."""
        used = []
        for row, resource in wanted:
            decision = asking.running.index.permits(asking.person, row.name, resource, asking.context)
            statements = [str(reference) for reference in decision.matched]
            detail = {"action": row.name, "resource": resource, **facts, "statements": statements}
            if not decision.allowed:
                raise self._refused(asking, {**detail, "why": str(decision.effect)})
            used.append(detail)
        return used

    def _used(self, asking: Asking, details: Iterable[Mapping[str, object]]) -> None:
        for detail in details:
            self._record(asking, AuditKind.ADMINISTRATION_USED, detail)

    def _need_anywhere(self, asking: Asking, row: AdminAction) -> None:
        """For what shows only as much as the person may see of it."""
        detail: dict[str, object] = {"action": row.name, "resource": f"{actions.PREFIX}{row.kind}*"}
        if not asking.running.index.permits_anywhere(asking.person, row, asking.context):
            raise self._refused(asking, {**detail, "why": "allowed on nothing"})
        self._record(asking, AuditKind.ADMINISTRATION_USED, detail)

    def _not_alone(
        self, asking: Asking, row: AdminAction, resource: str, why: str, words: str
    ) -> SecondPersonNeeded:
        """Allowed by policy, and yet not theirs to do: on record. They may know of it, so it does not look like Unknown."""
        detail = {"action": row.name, "resource": resource, "why": why}
        self._record(asking, AuditKind.ADMINISTRATION_REFUSED, detail)
        refusal = SecondPersonNeeded(why, words=words)
        refusal.recorded = True
        return refusal

    def _refused(self, asking: Asking, detail: Mapping[str, object]) -> Unknown:
        self._record(asking, AuditKind.ADMINISTRATION_REFUSED, detail)
        # It looks like an address that there is not: who may do nothing here learns nothing here.
        refusal = Unknown(f"{detail['action']} on {str(detail['resource'])[:200]}: {detail['why']}")
        refusal.recorded = True
        return refusal

    def _record(
        self,
        asking: Asking,
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

    def _readable(self, asking: Asking, people: Sequence[KnownPerson]) -> list[KnownPerson]:
        return [each for each in people if asking.may(actions.READ_PEOPLE, _resource(each.identity))]


def _resource(identity: Identity) -> str:
    return actions.person_resource(identity.source, identity.subject)
